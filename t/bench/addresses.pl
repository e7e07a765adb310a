#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl addresses.pl DIR <RAW-TRACE: sorts the addresses of a trace by module,
# each once, as addresses in the module's file, into DIR/N.txt; writes the
# eu-addr2line commands for all of them to stdout. Unloaded modules are not
# told apart: for traces of programs that unload none.

use strict;
use warnings;
no warnings 'portable';

my $dir = shift or die "usage: addresses.pl DIR <TRACE\n";
my (@range, %seen, %list);
while (<STDIN>) {
	if (/^m \w+ (\S+) (\w+)((?: \w+ \w+)*)$/) {
		my ($path, $bias, @seg) = ($1, hex $2, split ' ', $3);
		while (my ($at, $size) = splice @seg, 0, 2) {
			push @range, [$bias + hex $at,
			    $bias + hex($at) + hex $size, $path, $bias];
		}
	} elsif (/^t (\w+)/ && !$seen{$1}++) {
		my $ip = hex $1;
		my ($r) = grep { $ip >= $_->[0] && $ip < $_->[1] } @range;
		push @{$list{$r->[2]}}, sprintf '0x%x', $ip - $r->[3] if $r;
	}
}
my $n = 0;
for my $path (sort keys %list) {
	next unless -f $path;
	my $file = "$dir/" . $n++ . '.txt';
	open my $out, '>', $file or die "$file: $!\n";
	print $out map { "$_\n" } @{$list{$path}};
	close $out or die "$file: $!\n";
	# 1: there is nothing but the symbol table.
	print "eu-addr2line -i -f -C -e '$path' <$file; [ \$? -le 1 ] || exit\n";
}
