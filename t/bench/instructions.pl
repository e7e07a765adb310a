#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl instructions.pl [OBJECT] <callgrind.out: the instructions of the whole
# run, or those in objects whose path ends in OBJECT (what they call in other
# objects is not in it).

use strict;
use warnings;

my $object = shift;
my (%name, $in, $call);
my ($sum, $total) = (0, 0);
while (<STDIN>) {
	if (/^(?:summary|totals): (\d+)/) {
		$total = $1;
	} elsif (/^ob=\((\d+)\)(?: (.*))?/) {
		$name{$1} = $2 if defined $2;
		$in = defined $object && $name{$1} =~ /\Q$object\E$/;
	} elsif (/^cob=\((\d+)\) (.*)/) {
		$name{$1} = $2;
	} elsif (/^calls=/) {
		# The next line is the cost of what is called.
		<STDIN>;
	} elsif ($in && /^[-+*\d]\S* (\d+)/) {
		$sum += $1;
	}
}
print defined $object ? $sum : $total, "\n";
