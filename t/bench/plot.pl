#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl plot.pl <bench.tsv >bench.svg: wall time over native as bars on a
# logarithmic axis, heaptrack's and ours per workload, our spread as a line and
# our budget as a tick. Readable on light and dark, without anything from
# elsewhere.

use strict;
use warnings;

my (%bar, @names, %machine, %seen);
while (<STDIN>) {
	chomp;
	my ($section, $name, $what, $value, $low, $high, $unit, $budget) =
	    split /\t/;
	if ($section eq 'machine') {
		$machine{$what} = $value;
	} elsif ($section eq 'wall' && $what =~ /^(heaptrack|ht)$/) {
		push @names, $name unless $seen{$name}++;
		(my $b = $budget // '') =~ s/^\D+//;
		$bar{$name}{$what} = [$value, $low, $high, $b];
	}
}

sub esc {
	my ($s) = @_;
	$s =~ s/&/&amp;/g;
	$s =~ s/</&lt;/g;
	$s =~ s/>/&gt;/g;
	return $s;
}

my ($left, $width, $top, $group) = (92, 540, 64, 46);
my ($min, $max) = (0.9, 4);
for my $b (map { values %$_ } values %bar) {
	$max = $b->[2] if $b->[2] > $max;
}
$max *= 1.25;
my $bottom = $top + $group * @names;
my ($w, $h) = ($left + $width + 58, $bottom + 58);

sub x {
	my ($v) = @_;
	$v = $min if $v < $min;
	return sprintf '%.1f', $left +
	    $width * log($v / $min) / log($max / $min);
}

my $licence = 'SPDX-License-' . 'Identifier: LGPL-2.1-or-later';
print <<"END";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $w $h" width="$w" height="$h" role="img">
<!-- $licence -->
<title>Wall time of recording, over native: heaptrack and ht</title>
<style>
  svg { background: #fff; font: 13px system-ui, sans-serif }
  text { fill: #222 } .dim { fill: #666; font-size: 11px }
  .axis { stroke: #ddd } .one { stroke: #888 }
  .heaptrack { fill: #b8b8b8 } .ht { fill: #1f77b4 }
  .range { stroke: #222; stroke-width: 1.5 }
  .budget { stroke: #d62728; stroke-width: 2 }
  \@media (prefers-color-scheme: dark) {
    svg { background: #161616 } text { fill: #e6e6e6 } .dim { fill: #a0a0a0 }
    .axis { stroke: #383838 } .one { stroke: #888 }
    .heaptrack { fill: #6b6b6b } .ht { fill: #58a6ff }
    .range { stroke: #e6e6e6 } .budget { stroke: #ff7b72 }
  }
</style>
END
printf '<text x="%d" y="22" font-weight="600">Wall time of recording, ' .
    "times native (logarithmic)</text>\n", 12;
my $k = $left;
for (['heaptrack', 'heaptrack'], ['ht', 'ht-record | ht-symbolize | zstd -1']) {
	printf qq{<rect class="%s" x="%d" y="35" width="12" height="12"/>} .
	    qq{<text class="dim" x="%d" y="45">%s</text>\n}, $_->[0], $k,
	    $k + 17, esc($_->[1]);
	$k += 95;
}
$k += 130;
printf qq{<line class="budget" x1="%d" x2="%d" y1="35" y2="47"/>} .
    qq{<text class="dim" x="%d" y="45">budget</text>\n}, $k, $k, $k + 7;
$k += 65;
printf qq{<line class="range" x1="%d" x2="%d" y1="41" y2="41"/>} .
    qq{<text class="dim" x="%d" y="45">least to largest</text>\n}, $k, $k + 14,
    $k + 19;

for my $tick (1, 1.5, 2, 3, 4, 6, 8, 10, 15, 20, 30, 50, 100) {
	next if $tick > $max;
	my $x = x($tick);
	printf qq{<line class="%s" x1="$x" x2="$x" y1="%d" y2="%d"/>} .
	    qq{<text class="dim" x="$x" y="%d" text-anchor="middle">%s</text>\n},
	    $tick == 1 ? 'one' : 'axis', $top - 6, $bottom, $bottom + 14, $tick;
}
my $y = $top;
for my $name (@names) {
	printf qq{<text x="%d" y="%d" text-anchor="end">%s</text>\n}, $left - 8,
	    $y + 22, esc($name);
	my $row = $y;
	for my $who (qw(heaptrack ht)) {
		my $b = $bar{$name}{$who};
		next unless $b;
		my ($from, $to) = (x(1), x($b->[0]));
		($from, $to) = ($to, $from) if $to < $from;
		printf qq{<rect class="$who" x="%s" y="%d" width="%.1f" } .
		    qq{height="15"><title>%s, %s: %.2f (%.2f to %.2f)</title>} .
		    "</rect>\n", $from, $row, $to - $from, esc($name), $who,
		    @$b[0 .. 2];
		printf qq{<line class="range" x1="%s" x2="%s" y1="%.1f" } .
		    qq{y2="%.1f"/>\n}, x($b->[1]), x($b->[2]), $row + 7.5,
		    $row + 7.5 if $b->[2] > $b->[1];
		printf qq{<line class="budget" x1="%s" x2="%s" y1="%d" } .
		    qq{y2="%d"/>\n}, x($b->[3]), x($b->[3]), $row - 1, $row + 16
		    if $b->[3] ne '';
		my $end = $b->[3] ne '' && $b->[3] > $b->[2] ? $b->[3] : $b->[2];
		printf qq{<text class="dim" x="%.1f" y="%d">%.2f</text>\n},
		    x($end) + 5, $row + 12, $b->[0];
		$row += 17;
	}
	$y += $group;
}
my @of = map { $machine{$_} // '?' }
    qw(version date cpu cpus kernel runs other);
printf qq{<text class="dim" x="12" y="%d">%s</text>\n}, @$_
    for [$bottom + 34, esc(sprintf '%s, %s', @of[0, 1])],
    [$bottom + 48, esc(sprintf '%s, %s CPUs, %s; %s rounds; others used ' .
    '%.0f %% of a CPU', @of[2 .. 6])];
print "</svg>\n";
