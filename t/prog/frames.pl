#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# frames.pl TRACE: the frames of each address (i line) of a symbolised trace,
# one line each, innermost first: `inner prog.c:6 < outer prog.c:11`. Files
# without their directories.

use strict;
use warnings;
no warnings 'portable';

my @s;
while (<>) {
	@s = () if /^v /;
	push @s, $1 if /^s [0-9a-f]+ (.*)/;
	next if !/^i ([0-9a-f ]+)$/;
	my (undef, undef, @f) = map { hex } split / /, $1;
	my @t;
	while (my ($fn, $file, $line) = splice @f, 0, 3) {
		my $t = $fn ? $s[$fn - 1] : '?';
		$t .= ' ' . $s[$file - 1] =~ s{.*/}{}r . ":$line" if $file;
		push @t, $t;
	}
	print join(' < ', @t), "\n";
}
