#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# merges.pl SEED DIR FILE…: merges the files with ht-aggregate in a random order
# and grouping: as arguments, concatenated on stdin, plain and compressed, each
# group again a part of the next. Prints the name of the last profile.

use strict;
use warnings;

my ($seed, $dir, @file) = @ARGV;
my $tool = "$ENV{BIN}/ht-aggregate";
my $n = 0;
srand $seed;

sub aggregate {
	my @group = @_;
	my $to = sprintf '%s/m%d%s', $dir, ++$n, ('', '.gz', '.zst')[ rand 3 ];
	my $profiles = !grep { !m|/m\d+$| } @group;
	# Only what is plain and of one kind can be concatenated as it is.
	if ($profiles && rand() < 0.5) {
		system("cat @group | $tool -o $to") == 0
		    or die "merges: cat @group: $?\n";
	} else {
		system($tool, '-o', $to, @group) == 0
		    or die "merges: @group: $?\n";
	}
	return $to;
}

while (@file > 1 || $n == 0) {
	my @group;
	my $size = 1 + int rand 5;
	push @group, splice @file, int rand @file, 1
	    while @file && @group < $size;
	splice @file, int rand(@file + 1), 0, aggregate(@group);
}
print "$file[0]\n";
