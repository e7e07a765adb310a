#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Reads one profile, written from ht-profile(5) alone, and checks what that
# page promises of a writer: order, sorting, nothing that is not needed.
# Prints `name<TAB>value` lines under the names of replay.pl, and
#
#   stack<TAB>ROOT;…;LEAF<TAB>allocations<TAB>frees<TAB>bytes<TAB>peak
#   life<TAB>BUCKET<TAB>blocks
#
# of the heap, or, after --kind NAME, of that kind. Exit status 1 and a message on stderr at the first thing that is wrong.

use strict;
use warnings;
no warnings 'portable';

my $wanted = 'heap';
(undef, $wanted) = splice @ARGV, 0, 2 if @ARGV && $ARGV[0] eq '--kind';
my $file = shift @ARGV // '-';
my $in;
if ($file eq '-') {
	$in = \*STDIN;
} else {
	open $in, '<', $file or die "profile: cannot open $file: $!\n";
}
binmode $in;

my (%sum, %stack_sum, %life, %used, %seen);
my (@s, @i, @i_key, @stack, @child, %kind_seen) = ();
my $last_kind = 0;
@s = @i = @i_key = (undef);
my ($n, $here, $thread, $kind, $buckets, $shift) = (0, 0, 0, 0, 0, 0);
my ($phase, $last, $last_row, $ended) = (0, '', '', 0);
@stack = ({ name => '', frame => 0 });
my @order = qw(n r p R L P O S c b s K i t);
my %phase = map { $order[$_] => $_ } 0 .. $#order;
$phase{m} = $phase{i};
$phase{$_} = $phase{t} for qw(C k a);

sub bad {
	die "profile: $file:$.: $_[0]\n";
}

sub number {
	my ($text) = @_;
	bad('a number is missing') unless defined $text;
	bad("'$text' is no number")
	    unless $text =~ /^(?:0|[1-9a-f][0-9a-f]{0,15})$/;
	return hex $text;
}

sub numbers {
	my ($text, $count) = @_;
	my @v = map { number($_) } split / /, $text, -1;
	bad("not $count numbers") if @v != $count;
	return @v;
}

sub sized {
	my ($text) = @_;
	my ($len, $rest) = $text =~ /^([0-9a-f]+) (.*)$/s
	    or bad("'$text' is no sized string");
	$len = number($len);
	bad("a string of $len bytes ends early") if length $rest < $len;
	return (substr($rest, 0, $len), substr $rest, $len);
}

sub id {
	my ($v, $table, $what) = @_;
	bad("$what $v is not defined") if $v > $#$table;
	return $v;
}

# Texts are sorted as they are, not as they are written.
sub plain {
	my ($s) = @_;
	$s =~ s/\\([n0\\])/$1 eq 'n' ? "\n" : $1 eq '0' ? "\0" : "\\"/ge;
	return $s;
}

sub frame {
	my ($letter, $rest) = @_;
	my @f = map { number($_) } split / /, $rest, -1;
	my ($offset, $module, @fn) = @f;
	$used{s}{ id($module, \@s, 'text') } = 1;
	my @names;
	while (@fn) {
		my ($function, $f, $line) = splice @fn, 0, 3;
		$used{s}{ id($_ // 0, \@s, 'text') } = 1 for $function, $f;
		push @names, $function ? $s[$function] : '?';
	}
	push @names, $letter eq 'm' ? sprintf('+%x', $offset) : '?'
	    unless @names;
	my $key = join ' ', map { sprintf '%016x', $_ } $module,
	    $letter eq 'i', $offset, @f[2 .. $#f];
	bad('frames are not sorted') if @i > 1 && $key le $i_key[-1];
	push @i_key, $key;
	push @i, \@names;
}

sub stack {
	my ($rest) = @_;
	my ($f, $parent) = map { number($_) } split / /, $rest, -1;
	bad('a parent that need not be told')
	    if defined $parent && $parent == $#stack;
	$parent //= $#stack;
	id($parent, \@stack, 'stack');
	$used{i}{ id($f, \@i, 'frame') } = 1;
	my $p = $stack[$parent];
	bad('stacks are not sorted')
	    if defined $p->{last} && $f <= $p->{last};
	$p->{last} = $f;
	$p->{needed} = 1;
	bad('a stack without costs and children')
	    if @stack > 1 && !$stack[-1]{needed};
	push @stack, { name => join(';', grep { length } $p->{name},
	    $f ? reverse @{ $i[$f] } : '0') };
	$last_row = '';
}

sub kind_is {
	return $kind ? $s[$kind] : 'heap';
}

sub row {
	my ($rest) = @_;
	my ($head, $t, $l, $p, $w, $ages) = $rest =~
	    m{^([0-9a-f]+[ ][0-9a-f]+)(?:[ ]t([0-9a-f]+))?(?:[ ]l([0-9a-f]+))?
	(?:[ ]p([0-9a-f]+))?(?:[ ]w([0-9a-f]+))?
	(?:[ ]r[0-9a-f]+)?(?:[ ]R[0-9a-f]+)?
	((?:[ ][0-9a-f]+:[0-9a-f]+)*)$}x
	    or bad('strange row');
	my ($size, $calls) = numbers($head, 2);
	for ($t, $l, $p, $w) {
		bad('a 0 that is told') if defined $_ && $_ eq '0';
		$_ = defined $_ ? number($_) : 0;
	}
	bad('a row without blocks') unless $calls || $p;
	bad('more leaked than allocated') if $l > $calls;
	my $key = join ' ', map { sprintf '%016x', $_ } $kind, $thread, $size;
	bad('rows are not sorted') if $key le $last_row;
	$last_row = $key;
	my ($freed, $before) = (0, -1);
	for (split / /, $ages) {
		next unless length;
		my ($bucket, $blocks) = map { number($_) } split /:/;
		bad('ages are not in order') if $bucket <= $before;
		bad('no such age') if $bucket > 64 || !$blocks;
		$before = $bucket;
		$freed += $blocks;
		$life{$bucket} += $blocks if kind_is() eq $wanted;
	}
	bad('not all frees have an age') if $thread && $freed != $calls - $l;
	$stack[-1]{needed} = 1;
	return if kind_is() ne $wanted;
	my %cost = (allocations => $calls, temporary => $t,
	    leaked => $l * $size, leaked_blocks => $l,
	    total_bytes => $calls * $size, peak => $p * $size,
	    frees => $calls - $l, freed_by_others => $w);
	$sum{$_} += $cost{$_} for keys %cost;
	if ($thread && $s[$thread] ne 'main') {
		$sum{others_allocations} += $calls;
		$sum{others_frees} += $calls - $l;
	}
	my $f = $stack_sum{ $stack[-1]{name} } //= [ 0, 0, 0, 0 ];
	$f->[0] += $calls;
	$f->[1] += $calls - $l;
	$f->[2] += $calls * $size;
	$f->[3] += $p * $size;
}

$sum{$_} = 0
    for qw(allocations frees temporary leaked leaked_blocks total_bytes peak
    freed_by_others others_allocations others_frees series_allocations
    series_temporary series_max series_end origins);
my $first = <$in> // '';
bad('this is no profile') unless $first eq "# ht-profile 1\n";
while (my $line = <$in>) {
	bad('the last line is cut') unless chomp $line;
	bad('a line behind the end') if $ended;
	my $letter = substr $line, 0, 1;
	my $rest = length $line > 2 ? substr $line, 2 : '';
	if ($letter eq 'E') {
		my ($lines) = numbers($rest, 1);
		bad("$lines lines, not $n") if $lines != $n;
		$ended = 1;
		next;
	}
	$n++;
	bad("strange line '$line'") unless defined $phase{$letter};
	bad("'$letter' is out of order") if $phase{$letter} < $phase;
	$phase = $phase{$letter};
	bad("a second '$letter'") if $letter =~ /[nrpRLPc]/ && $seen{$letter}++;
	if ($letter eq 'n') {
		@sum{qw(traces truncated attached sampled overflow)} =
		    numbers($rest, 5);
	} elsif ($letter eq 'r') {
		@sum{qw(runtime_ms longest_ms)} = numbers($rest, 2);
	} elsif ($letter eq 'p') {
		@sum{qw(largest_peak peak_ms)} = numbers($rest, 2);
	} elsif ($letter eq 'R') {
		@sum{qw(peak_rss own_rss)} = numbers($rest, 2);
	} elsif ($letter eq 'L') {
		@sum{qw(lost unknown_frees doubles)} = numbers($rest, 3);
	} elsif ($letter eq 'P') {
		@sum{qw(first_start last_start)} = numbers($rest, 2);
	} elsif ($letter eq 'O') {
		my ($count, $more) = $rest =~ /^([0-9a-f]+) (.*)$/s
		    or bad('strange origin');
		my ($tool, $command);
		($tool, $more) = sized($more);
		($command, $more) = sized(substr $more, 1);
		bad("strange end '$more'") unless $more =~
		    /^ (none|truncated|exit [0-9a-f]+|signal [0-9a-f]+|exec|detached|stopped)$/;
		$sum{end} = $1;
		$sum{origins} += number($count);
	} elsif ($letter eq 'c') {
		($shift, $buckets) = numbers($rest, 2);
	} elsif ($letter eq 'b') {
		my ($max, $end, $allocs, $temporary, $rss) = numbers($rest, 5);
		bad('a bucket too many') if $buckets-- == 0;
		$sum{series_allocations} += $allocs;
		$sum{series_temporary} += $temporary;
		$sum{series_max} = $max if $max > $sum{series_max};
		$sum{series_end} = $end;
	} elsif ($letter eq 's') {
		my ($text, $more) = sized($rest);
		bad('text behind a string') if length $more;
		bad('texts are not sorted')
		    if @s > 1 && plain($text) le plain($s[-1]);
		push @s, $text;
	} elsif ($letter eq 'i' || $letter eq 'm') {
		frame($letter, $rest);
	} elsif ($letter eq 't') {
		stack($rest);
	} elsif ($letter eq 'C') {
		bad('what is cut?') if @stack == 1 || length $rest;
	} elsif ($letter eq 'K') {
		my ($name, $peak, $at) = numbers($rest, 3);
		bad('kinds are not sorted') if $name <= $last_kind;
		$last_kind = $name;
		$used{s}{ id($name, \@s, 'text') } = 1;
		$kind_seen{$name} = 1;
		@sum{qw(largest_peak peak_ms)} = ($peak, $at)
		    if $s[$name] eq $wanted;
	} elsif ($letter eq 'k') {
		($thread, $kind) = map { number($_) } split / /, $rest, -1;
		$kind //= 0;
		bad('a kind without a K line') if $kind && !$kind_seen{$kind};
		$used{s}{ id($_, \@s, 'text') } = 1 for $thread, $kind;
	} elsif ($letter eq 'a') {
		row($rest);
	}
}
bad('no end') unless $ended;
bad('buckets are missing') if $buckets;
for ([ 's', \@s, 'text' ], [ 'i', \@i, 'frame' ]) {
	my ($letter, $table, $what) = @$_;
	for my $v (1 .. $#$table) {
		bad("$what $v is not needed") unless $used{$letter}{$v};
	}
}
print "$_\t$sum{$_}\n" for sort keys %sum;
print join("\t", 'life', $_, $life{$_}), "\n" for sort { $a <=> $b } keys %life;
for (sort keys %stack_sum) {
	print join("\t", 'stack', $_, @{ $stack_sum{$_} }), "\n";
}
