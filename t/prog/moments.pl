#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl moments.pl UNIT FILE: what was live when, by brute force: a line
# TIME<TAB>BYTES after each event of a trace. UNIT: B, bytes allocated and freed
# so far; i, allocations and frees; ms, the clock, where TIME is a moment before
# its first event.
#
# perl moments.pl massif FILE: what massif must find in the same run. It looks
# for the peak of what the allocator gives, in units of 16 bytes, not of what
# was asked for: RATHER<TAB>OURS, what was asked for at the one and the other.

use strict;
use warnings;

my ($unit, $file) = @ARGV;
open my $in, '<', $file or die "moments: $file: $!\n";
my ($live, $given, $moved, $events) = (0, 0, 0, 0);
my ($most_given, $then, $most) = (0, 0, 0);
my @size;
while (<$in>) {
	if (/^a (\w+)/) {
		push @size, hex $1;
	} elsif (/^c (\w+)/) {
		print hex $1, "\t$live\n" if $unit eq 'ms';
	} elsif (/^(\+|-|#F) (\w+)/) {
		my $n = $size[hex $2];
		my $way = $1 eq '-' ? -1 : 1;
		my $room = (($n || 1) + 15) & ~15;
		$live += $way * $n;
		$given += $way * $room;
		if ($1 ne '#F') {
			$moved += $n;
			$events++;
		}
		($most_given, $then) = ($given, $live) if $given > $most_given;
		$most = $live if $live > $most;
		print "$moved\t$live\n" if $unit eq 'B';
		print "$events\t$live\n" if $unit eq 'i';
	}
}
print "$then\t$most\n" if $unit eq 'massif';
