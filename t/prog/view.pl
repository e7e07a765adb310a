# SPDX-License-Identifier: LGPL-2.1-or-later
# What a page of ht-html shows, computed from its data as ht-html/README.md says
# that a page does.
#
#	perl view.pl page.html [base] [window=A..B] [by=GROUP] [tree]
#
# prints the totals, in ht-top's names, of the whole run or of buckets A to
# B - 1; or, by function, line, file, module, thread, size or life, a line of
# the name and its costs: calls, total, temporary, leaked, leaked_blocks, peak,
# peak_blocks, lifetime, age and freed_by_others, sorted by name. With `tree`, of
# the nodes of the top-down tree, the names on their path in place of the name.
# With `windows`: from and to of each bucket in ms.
use strict;
use warnings;
use File::Basename;
require((dirname(__FILE__) =~ m{^/} ? '' : './') . dirname(__FILE__) .
    '/page.pl');

my ($file, @args) = @ARGV;
my ($side, $by, $tree, $windows, $a, $b) = ('now');
for (@args) {
	if ($_ eq 'base') { $side = 'base' }
	elsif (/^window=(\d+)\.\.(\d+)$/) { ($a, $b) = ($1, $2) }
	elsif (/^by=(\w+)$/) { $by = $1 }
	elsif ($_ eq 'tree') { $tree = 1 }
	elsif ($_ eq 'windows') { $windows = 1 }
	else { die "view: $_?\n" }
}
my $d = page_data($file);
my $of = $d->{$side};
my $time = $of->{time};
sub column { $d->{columns}{$_[0]} // [] }
sub mine { column("$side.$_[0]") }
my $unit = column('group.unit');
my $groups = @$unit;

if ($windows) {
	printf "%d %d %d\n", $_, map { $_ << $time->{shift} }
	    $time->{first} + $_, $time->{first} + $_ + 1
	    for 0 .. $time->{n} - 1;
	exit;
}

# Entries of `what`, as [group, bucket, the other columns…].
sub entries {
	my ($what, @column) = @_;
	my ($i, @all) = (0);
	my @values = map { mine("$what.$_") } @column;
	my $count = mine("$what.count");
	for my $g (0 .. $#$count) {
		my $bucket = 0;
		for (1 .. $count->[$g]) {
			my @v = map { $_->[$i] } @values;
			$i++;
			$v[0] = $bucket += $v[0] if $column[0] eq 'bucket';
			# Bytes are the last, a rest; blocks before them.
			$v[-1] += $v[-2] * $unit->[$g];
			push @all, [$g, @v];
		}
	}
	return @all;
}

# Of each group: the costs in the order above; ages: blocks and bytes by age.
my (@cost, @life);
$cost[$_] = [(0) x 10] for 0 .. $groups - 1;
my $peak_ms;
sub whole {
	my @name = qw(calls total temporary leaked leaked_blocks peak
	    peak_blocks);
	my %blocks = qw(total calls leaked leaked_blocks peak peak_blocks);
	for my $k (0 .. $#name) {
		my $v = mine($name[$k]);
		my $blocks = $blocks{$name[$k]} && mine($blocks{$name[$k]});
		$cost[$_][$k] = $v->[$_] +
		    ($blocks ? $blocks->[$_] * $unit->[$_] : 0)
		    for 0 .. $groups - 1;
	}
	$cost[$_][9] = mine('others')->[$_] for 0 .. $groups - 1;
	for (entries('life', qw(age blocks bytes))) {
		my ($g, $age, $blocks, $bytes) = @$_;
		$life[$g]{$age}[0] += $blocks;
		$life[$g]{$age}[1] += $bytes;
	}
	$peak_ms = $of->{peak_ms};
}

sub window {
	my ($from, $to) = @_;
	my ($max, $max_ms) = (mine('time.max'), mine('time.max_ms'));
	my $m = $from;
	for ($from .. $to - 1) {
		$m = $_ if $max->[$_] > $max->[$m];
	}
	$peak_ms = $max_ms->[$m];
	my $before = mine('before.blocks');
	for my $g (0 .. $#$before) {
		$cost[$g][6] += $before->[$g];
		$cost[$g][5] += $before->[$g] * $unit->[$g] +
		    mine('before.bytes')->[$g];
	}
	for (entries('born', qw(bucket blocks bytes))) {
		my ($g, $bucket, $blocks, $bytes) = @$_;
		my $c = $cost[$g];
		if ($bucket < $m) {
			$c->[6] += $blocks;
			$c->[5] += $bytes;
		}
		next if $bucket < $from || $bucket >= $to;
		$c->[0] += $blocks;
		$c->[1] += $bytes;
		$c->[4] += $blocks;
		$c->[3] += $bytes;
	}
	for (entries('died', qw(bucket ago how blocks bytes))) {
		my ($g, $bucket, $ago, $how, $blocks, $bytes) = @$_;
		my $c = $cost[$g];
		if ($bucket < $m) {
			$c->[6] -= $blocks;
			$c->[5] -= $bytes;
		}
		next if $bucket - $ago < $from || $bucket >= $to;
		$c->[4] -= $blocks;
		$c->[3] -= $bytes;
		next if $how == 512;
		$c->[9] += $blocks if $how & 256;
		$how &= ~256;
		$c->[2] += $blocks if $how & 1;
		$life[$g]{$how >> 1}[0] += $blocks;
		$life[$g]{$how >> 1}[1] += $bytes;
	}
	for (entries('top', qw(bucket blocks bytes))) {
		my ($g, $bucket, $blocks, $bytes) = @$_;
		next if $bucket != $m;
		$cost[$g][6] += $blocks;
		$cost[$g][5] += $bytes;
	}
	for (0 .. $groups - 1) {
		@{$cost[$_]}[3, 4] = (0, 0) if column('group.suppressed')->[$_];
	}
	@life = () unless $time->{ages};
}

if (defined $a) { window($a, $b) } else { whole() }
for my $g (0 .. $groups - 1) {
	for my $age (keys %{$life[$g]}) {
		my $least = $age ? 1 << $age - 1 : 0;
		$cost[$g][7] += $least * $life[$g]{$age}[1];
		$cost[$g][8] += $least * $life[$g]{$age}[0];
	}
}

if (!$by) {
	my @sum = (0) x 10;
	for my $c (@cost) {
		$sum[$_] += $c->[$_] for 0 .. 9;
	}
	print "$_->[0]\t$_->[1]\n" for ['allocations', $sum[0]],
	    ['temporary', $sum[2]], ['leaked', $sum[3]],
	    ['leaked_blocks', $sum[4]], ['total_bytes', $sum[1]],
	    ['peak', $sum[5]], ['peak_ms', $peak_ms],
	    ['freed_by_others', $sum[9]];
	exit;
}

sub text { $d->{strings}[$_[0]] }
my @parent;
{
	my @way;
	my $depth = -1;
	for my $n (0 .. $#{column('node.up')}) {
		$depth = $n ? $depth + 1 - column('node.up')->[$n] : 0;
		$way[$depth] = $n;
		$parent[$n] = $depth ? $way[$depth - 1] : undef;
	}
}

sub name {
	my ($node) = @_;
	my $f = column('node.frame')->[$node];
	my %f = map { $_ => column("frame.$_")->[$f] } qw(function file line
	    module flags);
	my ($function, $file, $module) = map { text($f{$_}) } qw(function file
	    module);
	return '(cut)' if $f{flags} & 8;
	return '(unknown)' if $function eq '(unknown)';
	return $function if $f{flags} & 16;
	$function = '' if $f{flags} & 4;
	return "$function|$module" if $by eq 'function';
	return $module if $by eq 'module';
	return $file ne '' ? $file : $module if $by eq 'file';
	return join '|', $function, $file, $f{line} || '', $module;
}

# The names that a group counts for.
sub names {
	my ($g) = @_;
	return text(column('group.thread')->[$g]) if $by eq 'thread';
	return column('group.size')->[$g] if $by eq 'size';
	my $node = column('group.node')->[$g];
	return name($node) unless $tree;
	my @path;
	for (; $node; $node = $parent[$node]) {
		unshift @path, name($node);
	}
	if ($by eq 'file' || $by eq 'module') {
		@path = map { $_ && $path[$_] eq $path[$_ - 1] ? () : $path[$_] }
		    0 .. $#path;
	}
	return map { join ' > ', @path[0 .. $_] } 0 .. $#path;
}

my %row;
if ($by eq 'life') {
	for (grep { $_ } @life) {
		for my $age (keys %$_) {
			$row{$age}[0] += $_->{$age}[0];
			$row{$age}[1] += $_->{$age}[1];
		}
	}
} else {
	for my $g (0 .. $groups - 1) {
		next unless grep { $_ } @{$cost[$g]};
		for my $name (names($g)) {
			$row{$name}[$_] += $cost[$g][$_] for 0 .. 9;
		}
	}
}
for (sort keys %row) {
	print join("\t", $_, @{$row{$_}}), "\n" if grep { $_ } @{$row{$_}};
}
