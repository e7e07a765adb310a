#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl massif.pl [--last] FILE: reads a massif.out, valgrind's or ours, by the grammar of
# ms_print and of massif-visualizer, and dies at what either would not take, or
# where what stands under a node does not add up to it. Prints
#
#   desc, cmd, unit<TAB>TEXT
#   snapshots<TAB>N
#   snapshot<TAB>N<TAB>TIME<TAB>BYTES<TAB>empty, detailed or peak
#   peak<TAB>BYTES                         of the one that is so called
#   path<TAB>LEAF;…;ROOT<TAB>BYTES         of the peak, or the last tree: functions
#   leaf<TAB>FUNCTION<TAB>BYTES            the same by the first of them

use strict;
use warnings;

no warnings 'recursion';

my $of_last = $ARGV[0] eq '--last' && shift @ARGV;
my ($file) = @ARGV;
open my $in, '<', $file or die "massif: cannot open $file: $!\n";
my (%path, %leaf);
my ($peak, $count, $last_time) = (undef, 0, 0);

sub bad {
	die "massif: $file:$.: $_[0]\n";
}

sub line {
	my $l = <$in>;
	return undef unless defined $l;
	$l =~ s/\n\z// or bad('no line end');
	bad('a # in it') if $l =~ /#/ && $l ne '#-----------';
	return $l;
}

sub expect {
	my ($re) = @_;
	my $l = line() // '';
	$l =~ /^$re$/ or bad("'$l' is no $re");
	return $1;
}

sub function {
	my ($label) = @_;
	return $1 if $label =~ /^0x[0-9A-F]+: (.+) \((?:in .*|[^()]*)\)$/;
	return $1 if $label =~ /^0x[0-9A-F]+: (.+)$/;
	return $label;
}

# A node that stands so deep; its bytes.
sub node {
	my ($depth, $sink, @names) = @_;
	my $l = line() // bad('the tree is cut');
	$l =~ /^( *)n(\d+): (\d+) (.+)$/ or bad("'$l' is no node");
	my ($spaces, $children, $bytes, $label) = (length $1, $2, $3, $4);
	bad("stands $spaces deep, not $depth") unless $spaces == $depth;
	if ($depth == 0) {
		$label eq '(heap allocation functions) malloc/new/new[], '
		    . '--alloc-fns, etc.' or bad("label '$label'");
	} elsif ($label =~ /^in /) {
		$label =~ /^in (\d+) places?, (all )?below massif's threshold \(\d+\.\d\d%\)$/
		    && ($1 == 1) == !defined $2 && $children == 0
		    or bad("label '$label'");
		push @names, 'below';
	} else {
		$label =~ /^(?:0x[0-9A-F]+: |\()/ or bad("label '$label'");
		push @names, function($label);
	}
	my ($sum, $before) = (0, undef);
	for (1 .. $children) {
		my $n = node($depth + 1, $sink, @names);
		bad('not the largest first') if defined $before && $n > $before;
		$before = $n;
		$sum += $n;
	}
	bad("$sum under a node of $bytes") if $children && $sum != $bytes;
	if ($children == 0 && $sink) {
		$path{join ';', @names} += $bytes;
		$leaf{$names[0] // ''} += $bytes;
	}
	return $bytes;
}

print "desc\t", expect(qr/desc: (.*)/), "\n";
print "cmd\t", expect(qr/cmd: (.*)/), "\n";
print "unit\t", expect(qr/time_unit: (ms|B|i)/), "\n";
while (defined(my $l = line())) {
	$l eq '#-----------' or bad("'$l' begins no snapshot");
	my $n = expect(qr/snapshot=(\d+)/);
	bad("snapshot $n, not $count") unless $n == $count++;
	expect(qr/(#-----------)/);
	my $time = expect(qr/time=(\d+)/);
	bad('time runs backwards') if $time < $last_time;
	$last_time = $time;
	my $bytes = expect(qr/mem_heap_B=(\d+)/);
	expect(qr/mem_heap_extra_B=(\d+)/);
	expect(qr/mem_stacks_B=(\d+)/);
	my $kind = expect(qr/heap_tree=(empty|detailed|peak)/);
	print "snapshot\t$n\t$time\t$bytes\t$kind\n";
	if ($kind ne 'empty') {
		%path = %leaf = () if $of_last;
		my $total = node(0, $of_last || $kind eq 'peak');
		bad("a tree of $total for $bytes") unless $total == $bytes;
	}
	if ($kind eq 'peak') {
		bad('two peaks') if defined $peak;
		$peak = $bytes;
	}
}
bad('no snapshot') unless $count;
print "snapshots\t$count\n";
print "peak\t", $peak // 'none', "\n";
print "path\t$_\t$path{$_}\n" for sort keys %path;
print "leaf\t$_\t$leaf{$_}\n" for sort keys %leaf;
