#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl select.pl FILE [from=MS] [to=MS] [KEY=TEXT] [-KEY=TEXT] [alloc=NAME]
# [ignore=NAME]: the totals that `ht-top --totals` must print of that selection,
# found by brute force: every block is followed by its address, its age is of no
# use here. Traces of random.pl only. KEY: function, file, module, thread, min or
# max (of the size).

use strict;
use warnings;

my $file = shift @ARGV;
my ($from, $to) = (0, ~0);
my (@filter, @alloc, @ignore);
for (@ARGV) {
	if (/^from=(.*)/) { $from = $1 }
	elsif (/^to=(.*)/) { $to = $1 }
	elsif (/^alloc=(.*)/s) { push @alloc, $1 }
	elsif (/^ignore=(.*)/s) { push @ignore, $1 }
	elsif (/^(-?)(\w+)=(.*)/s) { push @filter, [$1, $2, $3] }
	else { die "select: $_?\n" }
}

my (@s, @i, @t, @class, %name, %block, %ghost);
@s = @i = @t = (undef);
%name = (1 => 'main');
my ($ms, $last, $now, $peak, $peak_ms, $rss) = (0, -1, 0, 0, 0, 0);
my ($open, $shut) = (0, 0);
my (%allocs, %temporary, %held, %live);

# The most that was live, and what of each class.
sub look {
	return unless $open && !$shut;
	return if defined $peak_ms && $now <= $peak;
	$peak = $now;
	$peak_ms = $ms;
	%held = %live;
}

sub clock {
	if (!$open && $ms >= $from) {
		$open = 1;
		$peak_ms = undef;
		look();
	}
	$shut = 1 if $ms >= $to;
}
clock();
open my $in, '<', $file or die "select: $file: $!\n";
while (<$in>) {
	chomp;
	if (/^s \w+ (.*)/) { push @s, $1 }
	elsif (/^i \w+ (.*)/) {
		my ($module, @f) = map { hex } split / /, $1;
		push @i, [$module];
		push @{$i[-1]}, [splice @f, 0, 3] while @f;
	} elsif (/^t (\w+) (\w+)/) { push @t, [hex $1, hex $2] }
	elsif (/^#T (\w+) \w+(?: \w+ (.*))?/) {
		$name{hex $1} = $2 // 'thread ' . hex $1;
	} elsif (/^a (\w+) (\w+)(?: (\w+))?/) {
		push @class, [hex $1, hex $2, hex($3 // 1)];
	} elsif (/^c (\w+)/) {
		$ms = hex $1;
		clock();
	} elsif (/^R (\w+)/) {
		my $v = 4096 * hex $1;
		$rss = $v if $v > $rss;
	} elsif ($shut) {
		next;
	} elsif (/^\+ (\w+) @(\w+)/) {
		my $c = hex $1;
		$block{$2} = [$c, $open];
		$live{$c}++;
		$now += $class[$c][0];
		$allocs{$c}++ if $open;
		look();
		$last = $c;
	} elsif (/^- (\w+)(.*) @(\w+)/) {
		my ($c, $more, $at) = (hex $1, $2, $3);
		my $b = delete $block{$at} or die "select: $.: no block\n";
		my $temporary = $more =~ / t/ || $last == $c && $more !~ / x/;
		$live{$c}--;
		$now -= $class[$c][0];
		$temporary{$c}++ if $temporary && $b->[1];
		$ghost{$at} = [$b, $temporary && $b->[1]];
		$last = -1;
	} elsif (/^#F (\w+) @(\w+)/) {
		my $c = hex $1;
		my $g = delete $ghost{$2} or die "select: $.: no ghost\n";
		$block{$2} = $g->[0];
		$temporary{$c}-- if $g->[1];
		$live{$c}++;
		$now += $class[$c][0];
		look();
		$last = -1;
	}
}
if (!$open) {
	($peak, $peak_ms) = (0, 0);
	%held = ();
}

# Backtraces: [function, file, module], the innermost first, as shown.
my %below = map { $_ => 1 } qw(_start start_thread);
sub is_fn {
	my ($name, @list) = @_;
	for (@list) {
		return 1 if $name eq $_ || index($name, "$_(") == 0;
	}
	return 0;
}
sub all {
	my ($t) = @_;
	my @all;
	for (; $t; $t = $t[$t][1]) {
		my ($module, @f) = @{$i[$t[$t][0]]};
		push @all, ['', '', $s[$module]] unless @f;
		push @all, [$s[$_->[0]] // '', $s[$_->[1]] // '', $s[$module]]
		    for @f;
	}
	return @all;
}
sub shown {
	my ($t) = @_;
	my @all = all($t);
	my @left = @all;
	shift @left while @left && ($left[0][0] =~ /^operator new/ ||
	    is_fn($left[0][0], @alloc));
	return @all unless @left;
	my @shown;
	for (@left) {
		last if @shown && $below{$_->[0]};
		push @shown, $_;
		last if $_->[0] eq 'main';
	}
	return @shown;
}

sub chosen {
	my ($c) = @_;
	my ($size, $t, $thread) = @{$class[$c]};
	for (@filter) {
		my ($not, $key, $text) = @$_;
		my $column = {function => 0, file => 1, module => 2}->{$key};
		my $yes = $key eq 'min' ? $size >= $text
		    : $key eq 'max' ? $size <= $text
		    : $key eq 'thread' ? index($name{$thread}, $text) >= 0
		    : grep { index($_->[$column], $text) >= 0 } all($t);
		return 0 if $not ? $yes : !$yes;
	}
	my @shown = shown($t);
	return 0 if @ignore && @shown && is_fn($shown[0][0], @ignore);
	return 1;
}

my %leaked;
for my $b (values %block) {
	$leaked{$b->[0]}++ if $b->[1];
}
my %sum = map { $_ => 0 } qw(allocations temporary leaked leaked_blocks
    total_bytes peak);
for my $c (0 .. $#class) {
	next unless chosen($c);
	my $size = $class[$c][0];
	$sum{allocations} += $allocs{$c} // 0;
	$sum{total_bytes} += $size * ($allocs{$c} // 0);
	$sum{temporary} += $temporary{$c} // 0;
	$sum{leaked_blocks} += $leaked{$c} // 0;
	$sum{leaked} += $size * ($leaked{$c} // 0);
	$sum{peak} += $size * ($held{$c} // 0);
}
$sum{runtime_ms} = $ms;
$sum{peak_ms} = $peak_ms // 0;
$sum{peak_rss} = $rss;
$sum{lost} = 0;
print "$_\t$sum{$_}\n" for qw(runtime_ms allocations temporary leaked
    leaked_blocks total_bytes peak peak_ms peak_rss lost);
