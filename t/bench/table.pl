#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl table.pl RAW.TSV OUT.TSV: reads what bench.sh measured, prints tables and
# writes the same to OUT.TSV, one figure a line:
#
#   section name what value low high unit budget met
#
# value is the median over the rounds, low and high are the least and the
# largest; met is yes, no or empty where there is no budget.

use strict;
use warnings;

# Wall time over native, and for larson throughput over heaptrack's (at least).
my %budget = (
    'cppcheck ht' => 2.2, 'cppcheck ht-tty' => 2.3, 'cppcheck ht-gz' => 2.3,
    'cppcheck ht-zst' => 2.3, 'cppcheck ht-gzip' => 4.5, 'python3 ht' => 2.3,
    'setops ht' => 1.6, 'mstress ht' => 1.7, 'sqlite3 ht' => 1.4,
    'clang ht' => 1.3, 'jq ht' => 1.2, 'larson2 ht' => 7, 'larson8 ht' => 10);
my %title = (
    heaptrack => 'heaptrack', 'ht' => 'ht-record | ht-symbolize | zstd -1',
    'ht-tty' => 'ht-record, on a terminal', 'ht-gz' => 'ht-record -o x.gz',
    'ht-zst' => 'ht-record -o x.zst',
    'ht-gzip' => 'ht-record | ht-symbolize | gzip',
    'ht-raw' => 'ht-record -o x.ht');
# Whose CPU and memory is whose. What is not here and not the program is the
# shell's.
my %role = ('ht-record' => 'recorder', 'ht-symbolize' => 'interpreter',
    heaptrack_inter => 'interpreter', zstd => 'compressor',
    gzip => 'compressor');
my %program = (python3 => 'python3', larson2 => 'larson', larson8 => 'larson',
    depth24 => 'depth', depth224 => 'depth');
my $ring_kib = 16384;

my ($raw, $tsv) = @ARGV;
my (%run, %fact, @names, @machine, $open);
open my $in, '<', $raw or die "$raw: $!\n";
while (<$in>) {
	chomp;
	my ($round, $name, $mode, $key, @v) = split /\t/;
	if ($round == 0) {
		$fact{"$name $mode"}{$key} = $v[0];
		next;
	}
	if (!$open || ($key eq 'proc' && defined $open->{wall})) {
		$open = {round => $round, cpu => {}, rss => {}};
		push @names, $name unless $run{$name};
		push @{$run{$name}{$mode}}, $open;
		push @machine, $open;
	}
	if ($key eq 'proc') {
		my ($comm, $cpu, $rss, $shmem) = @v;
		my $who = $comm eq ($program{$name} // $name) ? 'program' :
		    $role{$comm} // 'shell';
		$who = 'program' if $who eq 'shell' && $name =~ /^(top|symbolize)$/;
		$open->{cpu}{$who} += $cpu;
		$open->{all} += $cpu;
		$open->{rss}{$who} = $rss if $rss > ($open->{rss}{$who} // 0);
		# What was touched of the ring; the recorder has unmapped it
		# by its end, but touched what the program did.
		$open->{ring} = $shmem < $ring_kib ? $shmem : $ring_kib
		    if $who eq 'program';
	} else {
		$open->{$key} = $v[0];
	}
}
# What was recorded only to have a trace for the reports says nothing itself.
delete @run{grep { $run{$_}{heaptrack} && !$run{$_}{native} } @names};
@names = grep { $run{$_} } @names;
open my $out, '>', $tsv or die "$tsv: $!\n";
print $out join("\t", qw(section name what value low high unit budget met)),
    "\n";

sub median {
	my @v = sort { $a <=> $b } @_;
	return undef unless @v;
	return @v % 2 ? $v[@v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

# spread LIST: median, least, largest.
sub spread {
	my @v = sort { $a <=> $b } grep { defined } @_;
	return @v ? (median(@v), $v[0], $v[-1]) : ();
}

# Of each run of a mode, what &$get says of it and of the native run (the median
# one) of its round.
sub each_run {
	my ($name, $mode, $get) = @_;
	my @v;
	for my $r (@{$run{$name}{$mode} // []}) {
		my @native = grep { $_->{round} == $r->{round} }
		    @{$run{$name}{native} // []};
		@native = sort { $a->{wall} <=> $b->{wall} } @native;
		push @v, $get->($r, $native[$#native / 2] // {});
	}
	return spread(@v);
}

# put SECTION NAME WHAT UNIT BUDGET SENSE VALUE LOW HIGH: a line for machines.
# The budget is a most (SENSE <=) or a least (>=). Returns whether it is met.
sub put {
	my ($section, $name, $what, $unit, $budget, $sense, @v) = @_;
	return '' unless @v;
	my $met = !defined $budget ? '' :
	    ($sense eq '<=' ? $v[0] <= $budget : $v[0] >= $budget) ? 'yes' : 'no';
	printf $out "%s\t%s\t%s\t%.6g\t%.6g\t%.6g\t%s\t%s\t%s\n", $section,
	    $name, $what, $v[0], $v[1] // $v[0], $v[2] // $v[0], $unit,
	    defined $budget ? "$sense $budget" : '', $met;
	return $met;
}

sub range {
	my ($digits, @v) = @_;
	return '-' unless @v;
	return sprintf "%.${digits}f (%.${digits}f-%.${digits}f)", @v
	    if @v == 3 && $v[1] != $v[2];
	return sprintf "%.${digits}f", $v[0];
}

sub count {
	my ($n) = @_;
	return !defined $n ? '-' : $n >= 1e6 ? sprintf('%.1f M', $n / 1e6) :
	    $n >= 1e3 ? sprintf('%.1f k', $n / 1e3) : $n;
}

# table TITLE [HEAD…] [CELL…]…: columns as wide as they must be, the first left.
sub table {
	my ($title, @row) = @_;
	return if @row < 2;
	my @width;
	for my $r (@row) {
		for my $i (0 .. $#$r) {
			my $n = length $r->[$i];
			$width[$i] = $n if $n > ($width[$i] // 0);
		}
	}
	print "\n$title\n";
	for my $r (@row) {
		my $line = join '  ', map {
		    # What has no head is a name.
		    sprintf $row[0][$_] ne '' && $_ ? '%*s' : '%-*s',
			$width[$_], $r->[$_]
		} 0 .. $#$r;
		$line =~ s/ +$//;
		print "  $line\n";
	}
}

# --- where and when ---------------------------------------------------------

my $f = $fact{'- -'};
my %sum = (wall => 0, other => 0, steal => 0);
for my $r (@machine) {
	$sum{$_} += $r->{$_} for qw(wall other steal);
}
my $wall = $sum{wall} || 1;
my @noise = map { 100 * $sum{$_} / $wall } qw(other steal);
printf "%s (%s) beside heaptrack (%s)\n", $f->{version}, $f->{commit},
    $f->{heaptrack};
printf "%s, %s, %d CPUs, %.1f GB, %s\n", $f->{date}, $f->{cpu}, $f->{cpus},
    $f->{memory} * 1024 / 1e9, $f->{kernel};
printf "%d rounds, interleaved; scale %s; medians (least-largest)\n",
    $f->{runs}, $f->{scale};
printf "load average %s before, %s after; meanwhile others used %.0f %% of " .
    "a CPU, %.1f %% was stolen\n", $f->{load_before}, $f->{load_after},
    @noise;
print "THE MACHINE WAS BUSY WITH OTHER WORK: what follows is worth little\n"
    if $noise[0] > 10 || $noise[1] > 2;
print $out join("\t", 'machine', '-', $_, $f->{$_}, '', '', '', '', ''), "\n"
    for sort keys %$f;
put('machine', '-', 'other', '% of a CPU', undef, '', $noise[0]);
put('machine', '-', 'steal', '% of a CPU', undef, '', $noise[1]);

# --- wall time --------------------------------------------------------------

my @extra = qw(ht-tty ht-gz ht-zst ht-gzip);
my @rows = (['', 'events', 'depth', 'native s', 'heaptrack', 'ht', 'budget',
    'met', 'heaptrack/ht']);
for my $name (@names) {
	next if $name =~ /^(larson\d+|depth\d+|true|top|symbolize)$/;
	my $t = $fact{"$name ht"};
	my @native = each_run($name, 'native', sub { $_[0]{wall} / 1e9 });
	put('wall', $name, 'native', 's', undef, '', @native);
	my (%ratio, %met);
	for my $mode ('heaptrack', 'ht', @extra) {
		next unless $run{$name}{$mode};
		@{$ratio{$mode}} = each_run($name, $mode, sub {
		    $_[0]{wall} / ($_[1]{wall} || return) });
		$met{$mode} = put('wall', $name, $mode, 'x native',
		    $budget{"$name $mode"}, '<=', @{$ratio{$mode}});
		put('cpu', $name, $mode, 'x native', undef, '',
		    each_run($name, $mode, sub {
		    $_[0]{all} / ($_[1]{all} || return) }));
	}
	for my $mode ('ht', @extra) {
		next unless $ratio{$mode};
		my $b = $budget{"$name $mode"};
		my $h = $ratio{heaptrack};
		push @rows, [$mode eq 'ht' ? $name : "  $title{$mode}",
		    $mode ne 'ht' ? ('', '', '', '') :
		    (count($t->{events}), $t->{depth} // '-',
		    sprintf('%.2f', $native[0]), range(1, @$h)),
		    range(2, @{$ratio{$mode}}), defined $b ? "<= $b" : '',
		    $met{$mode}, sprintf('%.1f', $h->[0] / $ratio{$mode}[0])];
	}
}
table('Wall time over native (ht: ht-record | ht-symbolize | zstd -1 unless ' .
    'it says otherwise)', @rows);

@rows = (['', 'native', 'heaptrack', 'ht', 'ht/heaptrack', 'budget', 'met']);
for my $name (grep /^larson/, @names) {
	my %ops;
	for my $mode (qw(native heaptrack ht)) {
		@{$ops{$mode}} = each_run($name, $mode, sub {
		    ($_[0]{ops_per_s} // return) / 1e6 });
		put('throughput', $name, $mode, 'M/s', undef, '', @{$ops{$mode}});
	}
	my %theirs = map { $_->{round} => $_->{ops_per_s} }
	    @{$run{$name}{heaptrack}};
	my @ratio = each_run($name, 'ht', sub {
	    $_[0]{ops_per_s} / ($theirs{$_[0]{round}} || return) });
	my $b = $budget{"$name ht"};
	my $met = put('throughput', $name, 'ratio', 'x heaptrack', $b, '>=',
	    @ratio);
	push @rows, [$name, (map { range(2, @{$ops{$_}}) }
	    qw(native heaptrack ht)), range(1, @ratio), ">= $b", $met];
}
table('Throughput, million free+malloc a second', @rows);

# What sampling costs beside hooks that do nothing, of the same round.
@rows = (['', 'native s', 'empty hooks', 'ht-record --sample 512K',
    'above empty: wall', 'CPU in the program', 'budget', 'met']);
for my $name (@names) {
	next unless $run{$name}{empty};
	my @native = each_run($name, 'native', sub { $_[0]{wall} / 1e9 });
	my @cell = ($name, sprintf '%.2f', $native[0]);
	for my $mode ('empty', 'ht-sample') {
		my @v = each_run($name, $mode, sub {
		    $_[0]{wall} / ($_[1]{wall} || return) });
		put('sample', $name, $mode, 'x native', undef, '', @v);
		push @cell, range(3, @v);
	}
	my $met;
	for my $what ('wall', 'program') {
		my $get = sub { $what eq 'wall' ? $_[0]{wall} :
		    $_[0]{cpu}{program} };
		my @v = over($name, 'ht-sample', 'empty', $get);
		my $is = put('sample', $name, "$what above empty", 'x', 1.02,
		    '<=', @v);
		$met //= $is;
		push @cell, @v ? sprintf('%+.1f %%', 100 * ($v[0] - 1)) : '-';
	}
	push @rows, [@cell, '<= 2 %', $met];
}
table('Samples, one for 512 KiB, beside hooks that do nothing (wall time over ' .
    'native)', @rows);

# --- per event --------------------------------------------------------------

@rows = (['ns an event', '', 'wall', 'program', 'recorder', 'interpreter',
    'compressor', 'shell', 'all CPU', 'bytes/event']);
for my $name (@names) {
	next if $name =~ /^(true|top|symbolize)$/;
	for my $mode ('heaptrack', 'ht', @extra) {
		next unless $run{$name}{$mode};
		my $t = $fact{"$name " . ($mode eq 'heaptrack' ? $mode : 'ht')};
		my $n = $t->{events} // 0;
		# Of a few events there is nothing to say.
		next if $n < 10000;
		# How much larson does depends on who watches.
		my $fixed = $name !~ /^larson/;
		my @cell = ($name, $mode);
		for my $what (qw(wall program recorder interpreter compressor
		    shell all)) {
			my @v = each_run($name, $mode, sub {
				my ($r, $native) = @_;
				my ($a, $b) = map { $what =~ /^(wall|all)$/ ?
				    $_->{$what} : $_->{cpu}{$what} } $r, $native;
				return (($a // return) - ($b // 0)) / $n;
			});
			@v = () unless $fixed;
			put('event', $name, "$mode $what", 'ns', undef, '', @v);
			push @cell, @v ? sprintf('%.1f', $v[0]) : '';
		}
		# A kept trace is that of the first round, as its size.
		my ($first) = grep { $_->{round} == 1 && $_->{size} }
		    @{$run{$name}{$mode}};
		my @bytes = $first ? $first->{size} / $n : ();
		put('event', $name, "$mode bytes", 'bytes', undef, '', @bytes);
		push @rows, [@cell, @bytes ? sprintf('%.2f', @bytes) : ''];
	}
}
table('Cost of an event over native: wall time, and CPU of each process',
    @rows);

# --- memory -----------------------------------------------------------------

@rows = (['MB', '', 'program', 'recorder', 'interpreter', 'compressor']);
for my $name (@names) {
	next if $name =~ /^(top|symbolize)$/;
	for my $mode ('native', 'heaptrack', 'ht') {
		my @cell;
		for my $what (qw(program recorder interpreter compressor)) {
			my @v = each_run($name, $mode, sub {
			    ($_[0]{rss}{$what} // return) * 1024 / 1e6 });
			put('rss', $name, "$mode $what", 'MB', undef, '', @v);
			push @cell, @v ? sprintf('%.1f', $v[0]) : '';
		}
		push @rows, [$name, $mode, @cell];
	}
}
table('Peak RSS (with the ring, as far as it was touched)', @rows);

# --- parts ------------------------------------------------------------------

@rows = (['', 'measured', 'budget', 'met']);
sub part {
	my ($name, $unit, $digits, $budget, $sense, @v) = @_;
	return unless @v;
	$budget = sprintf '%.4g', $budget if defined $budget;
	my $met = put('part', $name, '', $unit, $budget, $sense, @v);
	push @rows, [$name, range($digits, @v) . " $unit",
	    defined $budget ? "$sense $budget" : '', $met];
}
sub added {
	my ($name, $who, $from) = @_;
	my $n = $fact{"$name ht"}{events} or return ();
	return each_run($name, 'ht', sub {
		my ($r, $native) = @_;
		return (($r->{cpu}{$who} // return) -
		    ($native->{cpu}{$who} // 0)) / $n;
	});
}
for (['cppcheck', 45], ['python3', 105], ['setops', undef],
    ['mstress', undef], ['clang', undef]) {
	my ($name, $b) = @$_;
	next unless $run{$name};
	part("in the program, $name (depth $fact{\"$name ht\"}{depth}), an event",
	    'ns', 1, $b, '<=', added($name, 'program'));
}
my %micro;
for my $name (qw(depth24 depth224)) {
	for my $what (qw(pair_ns malloc_ns free_ns)) {
		for my $mode (qw(heaptrack ht)) {
			$micro{"$name $mode $what"} = [each_run($name, $mode,
			    sub { ($_[0]{$what} // return) -
			    ($_[1]{$what} // return) })];
		}
	}
}
for my $mode (qw(heaptrack ht)) {
	my $get = sub { @{$micro{"$_[0] $mode $_[1]"}} };
	my $ht = $mode eq 'ht';
	part("malloc+free pair at depth 24, $mode", 'ns', 1, undef, '<=',
	    $get->('depth24', 'pair_ns'));
	part("a free, $mode", 'ns', 1, $ht ? 12 : undef, '<=',
	    $get->('depth24', 'free_ns'));
	my @deep = $get->('depth224', 'pair_ns');
	my @flat = $get->('depth24', 'pair_ns');
	part("an unchanged outer frame more, $mode", 'ns', 2, $ht ? 1 : undef,
	    '<=', ($deep[0] - $flat[0]) / 200) if @deep && @flat;
}
for my $name (@names) {
	my $t = $fact{"$name ht"} // {};
	next unless $t->{nodes} && $name !~ /^(depth|larson)/;
	part("memory added to the program, less the ring: $name", 'MB', 1,
	    15 + 80 * $t->{nodes} / 1e6, '<=', each_run($name, 'ht', sub {
		my ($r, $native) = @_;
		return (($r->{rss}{program} // return) -
		    $r->{ring} - ($native->{rss}{program} // return)) * 1024 / 1e6 }));
}
for (['cppcheck', 22], ['setops', undef], ['mstress', undef]) {
	part("ht-record's CPU, $_->[0], an event", 'ns', 1, $_->[1], '<=',
	    added($_->[0], 'recorder')) if $run{$_->[0]};
}
for my $name (@names) {
	my $t = $fact{"$name ht"} // {};
	# A small heap says nothing about the share of it.
	next unless ($t->{peak} // 0) > 20e6;
	part("ht-record's memory, less the ring: $name", 'MB', 1,
	    (0.35 * $t->{peak} + 100 * $t->{classes}) / 1e6, '<=',
	    each_run($name, 'ht', sub {
		(($_[0]{rss}{recorder} // return) - $_[0]{ring}) *
		    1024 / 1e6 }));
}
# CPU, and the ratio of two commands that ran in the same round.
sub cpu_of {
	my ($name, $mode) = @_;
	return each_run($name, $mode, sub { $_[0]{all} / 1e9 });
}
sub over {
	my ($name, $mode, $other, $get) = @_;
	my %o = map { $_->{round} => $get->($_) } @{$run{$name}{$other} // []};
	return each_run($name, $mode, sub {
	    $get->($_[0]) / ($o{$_[0]{round}} || return) });
}
sub most {
	my ($v) = sort { $b <=> $a } values %{$_[0]{rss}};
	return $v;
}
for my $p (qw(clang mstress setops)) {
	my $n = ($fact{"symbolize $p"} // {})->{events} or next;
	if ($p eq 'setops') {
		my %s = map { $_->{round} => $_->{all} }
		    @{$run{symbolize}{"$p-symbols"}};
		part('ht-symbolize, an event passed through (' . count($n) .
		    ')', 'ns', 2, 3, '<=', each_run('symbolize', "$p-all",
		    sub { ($_[0]{all} - $s{$_[0]{round}}) / $n }));
		next;
	}
	part("ht-symbolize, symbols of $p ($fact{\"symbolize $p\"}{addresses} " .
	    'addresses), CPU over eu-addr2line -i', 'x', 2, 1, '<=',
	    over('symbolize', "$p-symbols", "$p-eu", sub { $_[0]{all} }));
	part("ht-symbolize, symbols of $p", 's CPU', 3, undef, '',
	    cpu_of('symbolize', "$p-symbols"));
}
if ($run{top}) {
	my $of = "$fact{'top -'}{workload}, " .
	    count($fact{'top theirs'}{events}) . ' events';
	for my $how (qw(plain zst)) {
		part("heaptrack_print, $how ($of)", 's CPU', 2, undef, '',
		    cpu_of('top', "print-$how"));
		part("ht-top, $how, CPU over heaptrack_print", 'x', 3, 0.25,
		    '<=', over('top', "top-$how", "print-$how",
		    sub { $_[0]{all} }));
		part("ht-top, $how, memory over heaptrack_print", 'x', 2, 1,
		    '<=', over('top', "top-$how", "print-$how", \&most));
	}
	my $n = $fact{'top ours'}{events};
	part('ht-top on ours, plain', 'M events/s', 1, 60, '>=',
	    each_run('top', 'top-ours', sub { $n / $_[0]{wall} * 1e3 }));
	part('ht-html on ours, plain', 'M events/s', 1, undef, '',
	    each_run('top', 'html-ours', sub { $n / $_[0]{wall} * 1e3 }));
	part("ht-html, a page of " . count($n) . ' events', 'MB', 2, 10, '<=',
	    $fact{'top html'}{bytes} / 1e6);
}
for my $mode (qw(heaptrack ht-raw ht)) {
	part("start-up: recording true, $title{$mode}", 'ms', 1,
	    $mode eq 'heaptrack' ? undef : 30, '<=', each_run('true', $mode,
	    sub { ($_[0]{wall} - $_[1]{wall}) / 1e6 }));
}
for my $name (map { "pair-$_" } 8, 24, 224) {
	my $v = ($fact{"instructions $name"} // {})->{each} // next;
	(my $depth = $name) =~ s/\D+//;
	part("instructions of a malloc+free pair in the preload library, " .
	    "depth $depth", '', 1, undef, '', $v);
}
for my $name (qw(setops sqlite3 python3)) {
	my $v = ($fact{"instructions event-$name"} // {})->{each} // next;
	part("instructions of an event in the preload library, $name", '', 1,
	    undef, '', $v);
}
for my $name ('ht-symbolize', 'ht-top') {
	my $v = ($fact{"instructions $name"} // {})->{each} // next;
	part("instructions of an event in $name", '', 1, undef, '', $v);
}
table('Parts', @rows);

my @lost = grep { $fact{$_}{lost} } sort keys %fact;
print "\nEVENTS WERE LOST: @lost\n" if @lost;
close $out or die "$tsv: $!\n";
