#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl random.pl SEED [EVENTS [kinds]]: a symbolised trace of ours made at random, with
# everything that select.pl has to tell: inlined frames, threads, ages, frees by
# another thread, frees undone, blocks with their addresses; of several kinds.

use strict;
use warnings;

my ($seed, $events, $kinds) = @ARGV;
srand $seed;
$events //= 2000;
sub pick { $_[int rand @_] }

my @function = ('main', 'grow', 'xmalloc', 'operator new(unsigned long)',
    'std::vector<int>::reserve(unsigned long)', 'Parser::intern', '_start',
    'operator==(A, B)', 'start_thread', 'leak_me', 'helper', 'read;all');
my @file = ('/src/app.c', '/src/parser.cc', '/usr/include/vector', 'x.c');
my @module = ('/bin/app', '/lib/libfoo.so.2', '/lib/libc.so.6');
print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\nX ./app\n";
print "I 1000 5f0000\n#P 10 1 5f000000\n";
my (%string, $strings);
sub string {
	my ($s) = @_;
	return $string{$s} if $string{$s};
	printf "s %x %s\n", length $s, $s;
	return $string{$s} = sprintf '%x', ++$strings;
}
my $frames = 6 + int rand 25;
for my $i (1 .. $frames) {
	my $line = sprintf 'i %x %s', 0x1000 + $i, string(pick(@module));
	if (rand() < 0.9) {
		for (0 .. pick(0, 0, 1, 2)) {
			$line .= rand() < 0.9
			    ? sprintf ' %s %s %x', string(pick(@function)),
			    string(pick(@file)), 1 + int rand 3
			    : sprintf ' %s 0 0', string(pick(@function));
		}
	}
	print "$line\n";
}
my $stacks = 5 + int rand 40;
printf "t %x %x\n", 1 + int rand $frames, int rand $_ for 1 .. $stacks;
print "#C 2\n" if rand() < 0.3;
if ($kinds) {
	for (1 .. $stacks) {
		printf "#K %x mmap\n", $_ if $_ % 3 == 0;
		printf "#K %x pool a\n", $_ if $_ % 5 == 1;
	}
}
print "S leak:^leak_me\$\n" if rand() < 0.3;
print "#T 2 20 6 worker\n#T 3 21\n#T 4 22 6 worker\n";
my (@size, @thread);
sub class {
	push @size, pick(0, 1, 8, 16, 24, 100, 4096, int rand 5000, 1 << 20);
	push @thread, pick(1, 1, 2, 3, 4);
	printf "a %x %x", $size[-1], int rand($stacks + 1);
	printf " %x", $thread[-1] if $thread[-1] != 1;
	print "\n";
}
class() for 1 .. 10 + int rand 40;

# Blocks: [class, born, address].
my ($ms, $address, $last, @block, %gone) = (0, 0x1000, -1);
for (1 .. $events) {
	my $what = rand 100;
	if ($what < 3) {
		$ms += pick(0, 1, 10, 10, 20, 170);
		printf "c %x\nR %x\n", $ms, int rand 1000;
	} elsif ($what < 5) {
		class();
	} elsif ($what < 7) {
		my $c = pick(keys %gone) // next;
		my ($b, $temporary) = @{delete $gone{$c}};
		printf "#F %x @%x\n", $c, $b->[2];
		push @block, $b;
		$last = -1;
	} elsif ($what < 55 || !@block) {
		my $c = int rand @size;
		$address += 16;
		push @block, [$c, $ms, $address];
		printf "+ %x @%x\n", $c, $address;
		$last = $c;
		delete $gone{$c};
	} else {
		my $i = rand() < 0.4 ? $#block : int rand @block;
		my $b = splice @block, $i, 1;
		my $c = $b->[0];
		my $w = pick(0, 0, 0, 1, 2, 3, 4);
		printf '- %x', $c;
		printf ' o%x', $ms - $b->[1] if $ms > $b->[1];
		printf ' w%x', $w if $w && $w != $thread[$c];
		print $last == $c ? ' x' : ' t' if rand() < 0.2;
		printf " @%x\n", $b->[2];
		$gone{$c} = [$b];
		$last = -1;
	}
}
print "#E exit 0\n";
