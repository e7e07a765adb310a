#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# traces.pl COUNT SEED DIR [huge]: so many small random traces in DIR/N.ht, of a
# program whose functions they have in common, under ids of their own: several
# threads, kinds, cut stacks, suppressions, lifetimes, run times from none to
# hours, all ways to end. Some are not symbolised, some look like heaptrack's.
# With `huge` sums of bytes do not fit in 64 bits.

use strict;
use warnings;

my ($count, $seed, $dir, $huge) = @ARGV;
my $state = ($seed * 2654435761 + 12345) & 0x7fffffff;

# The same on every machine.
sub rnd($) {
	my ($n) = @_;
	$state = ($state * 1103515245 + 12345) & 0x7fffffff;
	return ($state >> 8) % $n;
}

sub sized {
	return sprintf '%x %s', length $_[0], $_[0];
}

my @names = ('main', 'a', 'b', "c\\nd", 'operator new(unsigned long)', 'e;f',
    "g\xff", 'std::vector<int>::push', 'a', "tab\there");
my @ends = ('exit 0', 'exit 1', 'signal 9', 'signal b', 'detached', 'stopped');
my @sizes = (0, 1, 10, 64, 4096, 1 << 20);
push @sizes, (1 << 56) - 1 if $huge;

# Symbols or addresses, then stacks. Returns how many stacks.
sub stacks {
	my ($out, $raw, $heaptrack) = @_;
	my $n = 3 + rnd(12);
	my %string = ();
	my $frames = 0;
	my $string = sub {
		my ($text) = @_;
		return $string{$text} if $string{$text};
		print $out 's ', sized($text), "\n";
		return $string{$text} = 1 + keys %string;
	};
	for my $id (1 .. $n) {
		my $frame;
		if ($raw) {
			$frame = sprintf '%x', 0x10000 + 16 * rnd(6);
		} else {
			my @f = map { sprintf '%x %x %x',
			    $string->($names[ rnd(@names) ]),
			    $string->('f' . rnd(2) . '.c'), rnd(3) }
			    0 .. rnd(3);
			my $m = $string->('/bin/m' . rnd(2));
			printf $out "i %x %x %s\n", 0x1000 + rnd(100), $m,
			    join ' ', @f;
			$frame = sprintf '%x', ++$frames;
		}
		my $parent = rnd($id);
		printf $out "t %s %x\n", $frame, $parent;
		next if $heaptrack;
		printf $out "#C %x\n", $id if !$parent && rnd(9) == 0;
		printf $out "#K %x mmap\n", $id if rnd(9) == 0;
	}
	return $n;
}

sub trace {
	my ($out, $k) = @_;
	my $raw = rnd(6) == 0;
	my $heaptrack = !$raw && rnd(6) == 0;
	print $out "v 100 3\n";
	print $out '#H ', sized('ht-record 0.1.0'), "\n" unless $heaptrack;
	print $out '#H ', sized('ht-symbolize 0.1.0'), "\n"
	    unless $raw || $heaptrack;
	print $out 'x ', sized('/bin/app'), "\n" if $raw;
	print $out "X ./app ", rnd(3), "\nI 1000 5f0000\n";
	printf $out "#P %x 1 %x\n", 100 + $k, 0x65000000 + rnd(1000)
	    unless $heaptrack;
	print $out "S leak:", $names[ rnd(3) ], "\n" if rnd(5) == 0;
	print $out 'm ', sized('/bin/app'), " 10000 0 1000\n" if $raw;
	my $threads = $heaptrack ? 1 : 1 + rnd(3);
	for my $t (2 .. $threads) {
		print $out "#T $t ", $t + 500,
		    (rnd(3) ? ' ' . sized('worker' . rnd(2)) : ''), "\n";
	}
	my $stacks = stacks($out, $raw, $heaptrack);
	my (%there, @size, @live, @ages);
	for (0 .. 5 + rnd(20)) {
		my @class = ($sizes[ rnd(@sizes) ], rnd($stacks + 1),
		    1 + rnd($threads));
		next if $there{"@class"}++;
		printf $out "a %x %x%s\n", @class[0, 1],
		    $class[2] > 1 ? " $class[2]" : '';
		push @size, $class[0];
		push @live, 0;
	}
	my ($ms, $now, $prev) = (0, 0, -1);
	my $step = (1, 10, 1000, 100000)[ rnd(4) ];
	for (1 .. rnd(300)) {
		my $c = rnd(@size);
		$c = $prev if $prev >= 0 && rnd(3) == 0;
		if (rnd(20) == 0) {
			$ms += $step * rnd(10);
			printf $out "c %x\nR %x\n", $ms, 100 + rnd(900);
		} elsif ($live[$c] && rnd(2)) {
			$live[$c]--;
			$now -= $size[$c];
			my $rule = $prev == $c;
			my $o = $ms && rnd(2) ? 1 + rnd($ms) : 0;
			my $how = rnd(5) ? '' : $rule ? ' x' : ' t';
			my $w = rnd(9) == 0 && $threads > 1;
			if ($heaptrack) {
				printf $out "- %x\n", $c;
			} else {
				printf $out "- %x%s%s%s\n", $c,
				    $o ? sprintf(' o%x', $o) : '',
				    $w ? " w$threads" : '', $how;
			}
			$prev = -1;
		} elsif ($now + $size[$c] < 2**60) {
			$live[$c]++;
			$now += $size[$c];
			printf $out "+ %x\n", $c;
			$prev = $c;
		}
	}
	printf $out "#L %x\n", 1 + rnd(5) if !$heaptrack && rnd(9) == 0;
	printf $out "#R %x\n", rnd(100) unless $heaptrack;
	print $out '#E ', $ends[ rnd(@ends) ], "\n" unless $heaptrack;
}

for my $k (1 .. $count) {
	open my $out, '>', "$dir/$k.ht" or die "traces: $dir/$k.ht: $!\n";
	binmode $out;
	trace($out, $k);
	close $out or die "traces: $dir/$k.ht: $!\n";
}
