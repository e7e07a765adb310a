# SPDX-License-Identifier: LGPL-2.1-or-later
# intervals.pl EXACT SAMPLED…: tables of `ht-top --by line --format tsv`, or of
# --totals, of one program that does the same each time. For each number of the
# exact one: how many of the sampled ones' intervals hold it, and how far their
# mean is from it, in standard errors. Fails where that is not what 95 % and
# "without bias" mean; a peak leans up a little, and what a function held at it
# depends on its moment, which is estimated too.
use strict;
use warnings;

sub table {
	my ($file) = @_;
	open my $in, '<', $file or die "$file: $!";
	my @line = map { chomp; [split /\t/, $_, -1] } <$in>;
	my %t;
	if (@{$line[0]} == 2) {
		$t{"all $_->[0]"} = $_->[1] for @line;
		return \%t;
	}
	my @head = @{shift @line};
	for my $l (@line) {
		my %f;
		@f{@head} = @$l;
		my $where = "$f{module}+$f{offset}";
		next unless $f{module} =~ /mixture/;
		$t{"$where $_"} = $f{$_}
		    for grep { /^(calls|total|temporary|leaked|peak)(_95)?$/ }
		    keys %f;
	}
	return \%t;
}

my $exact = table(shift);
my @sampled = map { table($_) } @ARGV;
my ($n, $bad, $all, $held) = (scalar @sampled, 0, 0, 0);
for my $k (sort keys %$exact) {
	next unless grep { defined $_->{"${k}_95"} } @sampled;
	my $true = $exact->{$k};
	next if $true == 0;
	my ($in, $sum, $square) = (0, 0, 0);
	for my $s (@sampled) {
		my ($x, $half) = ($s->{$k} // 0, $s->{"${k}_95"} // 0);
		$in++ if abs($x - $true) <= $half;
		$sum += $x;
		$square += $x * $x;
	}
	my $mean = $sum / $n;
	my $error = sqrt(abs($square / $n - $mean * $mean) / $n);
	my $off = $error ? ($mean - $true) / $error : $mean != $true ? 99 : 0;
	printf "%-50s %12d %6.1f %% %7.3f %6.2f\n", $k, $true, 100 * $in / $n,
	    $mean / $true, $off;
	$all += $n;
	$held += $in;
	my $peak = $k =~ /peak/;
	$bad++ if $in < ($peak ? 0.82 : 0.89) * $n;
	$bad++ if $peak ? abs($mean / $true - 1) > 0.03 : abs($off) > 4;
}
printf "%d of %d: %.1f %%\n", $held, $all, 100 * $held / $all;
exit($bad || $held < 0.93 * $all || $held > 0.97 * $all);
