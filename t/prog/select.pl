#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl select.pl FILE [from=MS] [to=MS] [KEY=TEXT] [-KEY=TEXT] [alloc=NAME]
# [ignore=NAME]: the totals that `ht-top --totals` must print of that selection,
# found by brute force: every block is followed by its address, its age is of no
# use here. Traces of random.pl only. KEY: function, file, module, thread, min or
# max (of the size), or kind=NAME, the whole name: without, the heap.
#
# With by=GROUP, as ht-top's --by, the rows in place of the totals: a line of the
# name (its parts joined by |), and ht-top's ten costs, sorted by name. With
# tree=top-down, bottom-up, callers or callees (of=TEXT) too: the nodes, each as
# the names on its path, ` > ` between them, the costs, and those of its own.

use strict;
use warnings;

my $file = shift @ARGV;
my ($from, $to) = (0, ~0);
my (@filter, @alloc, @ignore, $by, $tree, $of, %kind);
my $kind = 'heap';
for (@ARGV) {
	if (/^from=(.*)/) { $from = $1 }
	elsif (/^to=(.*)/) { $to = $1 }
	elsif (/^alloc=(.*)/s) { push @alloc, $1 }
	elsif (/^ignore=(.*)/s) { push @ignore, $1 }
	elsif (/^by=(.*)/) { $by = $1 }
	elsif (/^tree=(.*)/) { $tree = $1 }
	elsif (/^of=(.*)/s) { $of = $1 }
	elsif (/^kind=(.*)/s) { $kind = $1 }
	elsif (/^(-?)(\w+)=(.*)/s) { push @filter, [$1, $2, $3] }
	else { die "select: $_?\n" }
}

my (@s, @i, @t, @class, %name, %block, %ghost);
@s = @i = @t = (undef);
%name = (1 => 'main');
my ($ms, $last, $now, $peak, $peak_ms, $rss) = (0, -1, 0, 0, 0, 0);
my ($open, $shut) = (0, 0);
my (%allocs, %temporary, %held, %live, %age, %others, %cut);

# Frames of a stack; two stacks of the same frames are one.
sub path_of {
	my ($t) = @_;
	my @path;
	for (; $t; $t = $t[$t][1]) {
		push @path, join ',', map { ref $_ ? @$_ : $_ } @{$i[$t[$t][0]]};
	}
	return @path;
}

# The most that was live, and what of each class.
sub look {
	return unless $open && !$shut;
	return if defined $peak_ms && $now <= $peak;
	$peak = $now;
	$peak_ms = $ms;
	%held = %live;
}

sub is_other {
	return ($kind{$class[$_[0]][1]} // 'heap') ne $kind;
}

sub clock {
	if (!$open && $ms >= $from) {
		$open = 1;
		$peak_ms = undef;
		look();
		$peak_ms = $from;
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
	elsif (/^#C (\w+)/) { $cut{join ' ', path_of(hex $1)} = 1 }
	elsif (/^#K (\w+) (.*)/) { $kind{hex $1} = $2 }
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
		$last = $c;
		next if is_other($c);
		$block{$2} = [$c, $open, $ms];
		$live{$c}++;
		$now += $class[$c][0];
		$allocs{$c}++ if $open;
		look();
	} elsif (/^- (\w+)(.*) @(\w+)/) {
		my ($c, $more, $at) = (hex $1, $2, $3);
		my $temporary = $more =~ / t/ || $last == $c && $more !~ / x/;
		$last = -1;
		next if is_other($c);
		my $b = delete $block{$at} or die "select: $.: no block\n";
		$live{$c}--;
		$now -= $class[$c][0];
		$temporary{$c}++ if $temporary && $b->[1];
		my ($age, $other) = (0, 0);
		if ($b->[1]) {
			$age = 1;
			$age *= 2 while $age * 2 <= $ms - $b->[2];
			$age = 0 if $ms == $b->[2];
			$other = $more =~ / w/ ? 1 : 0;
		}
		$age{$c} += $age;
		$others{$c} += $other;
		$ghost{$at} = [$b, $temporary && $b->[1], $age, $other];
	} elsif (/^#F (\w+) @(\w+)/) {
		my $c = hex $1;
		$last = -1;
		next if is_other($c);
		my $g = delete $ghost{$2} or die "select: $.: no ghost\n";
		$block{$2} = $g->[0];
		$temporary{$c}-- if $g->[1];
		$age{$c} -= $g->[2];
		$others{$c} -= $g->[3];
		$live{$c}++;
		$now += $class[$c][0];
		look();
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
		push @all, ['', '', $s[$module], 0] unless @f;
		push @all, [$s[$_->[0]] // '', $s[$_->[1]] // '', $s[$module],
		    $_->[2]] for @f;
	}
	return @all;
}
# Whether something on the root side of the stack is not known.
sub is_cut {
	my @path = path_of($_[0]);
	return scalar grep { $cut{join ' ', @path[$_ .. $#path]} } 0 .. $#path;
}
sub shown {
	my ($t) = @_;
	my @all = all($t);
	my @left = @all;
	push @all, ['cut'] if is_cut($t);
	shift @left while @left && ($left[0][0] =~ /^operator new/ ||
	    is_fn($left[0][0], @alloc));
	return @all unless @left;
	my @shown;
	for (@left) {
		return @shown if @shown && $below{$_->[0]};
		push @shown, $_;
		return @shown if $_->[0] eq 'main';
	}
	push @shown, ['cut'] if is_cut($t);
	return @shown;
}

sub chosen {
	my ($c) = @_;
	my ($size, $t, $thread) = @{$class[$c]};
	return 0 if is_other($c);
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
if ($by) {
	print_rows();
	exit;
}
my %sum = map { $_ => 0 } qw(allocations temporary leaked leaked_blocks
    total_bytes peak freed_by_others);
for my $c (0 .. $#class) {
	next unless chosen($c);
	my $size = $class[$c][0];
	$sum{allocations} += $allocs{$c} // 0;
	$sum{total_bytes} += $size * ($allocs{$c} // 0);
	$sum{temporary} += $temporary{$c} // 0;
	$sum{freed_by_others} += $others{$c} // 0;
	$sum{leaked_blocks} += $leaked{$c} // 0;
	$sum{leaked} += $size * ($leaked{$c} // 0);
	$sum{peak} += $size * ($held{$c} // 0);
}
$sum{runtime_ms} = $ms;
$sum{peak_ms} = $peak_ms // 0;
$sum{peak_rss} = $rss;
$sum{lost} = 0;
print "$_\t$sum{$_}\n" for qw(runtime_ms allocations temporary leaked
    leaked_blocks total_bytes peak peak_ms peak_rss lost freed_by_others);

# What a place is called by a grouping.
sub name {
	my ($by, $f) = @_;
	return '(cut)' if @$f == 1;
	return '(unknown)' if @$f == 0;
	my ($function, $file, $module, $line) = @$f;
	return $module if $by eq 'module';
	return $file ne '' ? $file : $module if $by eq 'file';
	return "$function|$module" if $by eq 'function';
	return join '|', $function, $file, $line || '', $module;
}

# The names on a class's path in the tree.
sub nodes {
	my ($c) = @_;
	my ($size, $t, $thread) = @{$class[$c]};
	return $size if $by eq 'size';
	return $name{$thread} if $by eq 'thread';
	my @shown = $t ? shown($t) : ([]);
	$tree //= '';
	my @found = grep { @{$shown[$_]} > 1 && $shown[$_][0] ne '' &&
	    index($shown[$_][0], $of // '') >= 0 } 0 .. $#shown;
	if ($tree eq 'top-down') {
		@shown = reverse @shown;
	} elsif ($tree eq 'callers') {
		@shown = @found ? @shown[$found[0] .. $#shown] : ();
	} elsif ($tree eq 'callees') {
		@shown = @found ? reverse @shown[0 .. $found[-1]] : ();
	} elsif ($tree eq '') {
		return join ';', map { stack_name($_) } reverse @shown
		    if $by eq 'stack';
		@shown = $shown[0];
	}
	my @names = map { name($by, $_) } @shown;
	if ($by eq 'file' || $by eq 'module') {
		my @once;
		for (@names) {
			push @once, $_ unless @once && $once[-1] eq $_;
		}
		@names = @once;
	}
	return @names;
}

sub stack_name {
	my ($f) = @_;
	return '(unknown)' unless @$f;
	return '(cut: no unwind information)' if @$f == 1;
	my $name = $f->[0];
	($name = $f->[2]) =~ s{.*/(.)}{$1} if $name eq '';
	$name .= ' (no symbol)' if $f->[0] eq '';
	$name =~ s/;/\\x3b/g;
	return $name;
}

sub print_rows {
	my (%row, %self);
	for my $c (0 .. $#class) {
		next unless chosen($c);
		my $size = $class[$c][0];
		my ($n, $left, $at_peak, $age) = map { $_->{$c} // 0 }
		    \%allocs, \%leaked, \%held, \%age;
		my @cost = ($n, $n * $size, $temporary{$c} // 0,
		    $left * $size, $left, $at_peak * $size, $at_peak,
		    $age * $size, $age, $others{$c} // 0);
		next unless grep { $_ } @cost;
		my @path = nodes($c);
		for my $k (0 .. $#path) {
			my $name = join ' > ', @path[0 .. $k];
			$row{$name}[$_] += $cost[$_] for 0 .. $#cost;
			$self{$name}[$_] += $k == $#path ? $cost[$_] : 0
			    for 0 .. $#cost;
		}
	}
	for my $name (sort keys %row) {
		print join("\t", $name, @{$row{$name}},
		    $tree ? @{$self{$name}} : ()), "\n";
	}
}
