#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-top --diff: every number of every row is the later one less the base's, as
# select.pl finds them; --fail-if: when a limit is exceeded, and the grammar.

. "${0%/*}/lib.sh"
need perl

plain="--disable-builtin-suppressions --disable-embedded-suppressions"
all=calls,peak,leaked,temporary,total,lifetime

# differences: later - base of two lists of select.pl, those that are not 0.
cat >minus.pl <<'END'
use strict;
my (%row, @sorted);
for my $f (0, 1) {
	open my $in, '<', $ARGV[$f] or die;
	while (<$in>) {
		chomp;
		my ($name, @cost) = split /\t/;
		$row{$name}[$_] += $f ? $cost[$_] : -$cost[$_] for 0 .. 9;
	}
}
for (sort keys %row) {
	my @cost = @{$row{$_}};
	print join("\t", $_, @cost), "\n" if grep { $cost[$_] } 0, 1, 2, 3, 5, 7;
}
END
cat >rows.pl <<'END'
use strict;
my ($last, %row);
my @head = split /\t/, <STDIN>;
my %column = map { $head[$_] => $_ } 0 .. $#head;
while (<STDIN>) {
	chomp;
	my ($sort, @f) = split /\t/, $_, -1;
	my $n = abs $f[$column{$sort} - 1];
	my ($old, $m) = @{$last // ['', 0]};
	die "order: $_\n" if $old eq $sort && $n > $m;
	$last = [$sort, $n];
	my $name = @f == 11 ? $f[10] : $ARGV[0] eq 'function'
	    ? "$f[10]|$f[13]" : $f[13];
	$name = '(unknown)' if $name =~ /^\|?$/;
	$row{join "\t", $name, @f[0 .. 9]} = 1;
}
print "$_\n" for keys %row;
END
seed=1
while [ $seed -le 5 ]; do
	perl "$T/prog/random.pl" $seed | grep -v '^#C' >a.ht
	perl "$T/prog/random.pl" $((seed + 1)) 1500 | grep -v '^#C' >b.ht
	wrong=
	for by in function module thread size; do
		for window in '' 'from=100 to=600'; do
			perl "$T/prog/select.pl" a.ht by=$by $window >a.rows
			perl "$T/prog/select.pl" b.ht by=$by $window >b.rows
			perl minus.pl a.rows b.rows | LC_ALL=C sort >want
			run "$BIN/ht-top" $plain --format tsv --by $by \
			    --sort $all ${window:+--from 0.1 --to 0.6} \
			    --diff a.ht b.ht
			perl rows.pl $by <out 2>got.err | LC_ALL=C sort >got
			[ "$status$(err)$(cat got.err)" = 0 ] &&
			    cmp -s got want || wrong="$wrong; $by $window:
$(cat got.err; diff want got | head -n 6)"
		done
	done
	is "$wrong" "" "seeds $seed and $((seed + 1)): all differences"
	seed=$((seed + 1))
done

# Of itself, there is none; of both orders, the sign is the other.
run "$BIN/ht-top" --diff a.ht --format tsv --sort $all a.ht
is "$(wc -l <out)" 1 "no difference from itself"
run "$BIN/ht-top" --diff a.ht a.ht
like "$(out)" '^no difference$' "which is said"
run "$BIN/ht-top" --diff a.ht --format tsv --tree --sort calls b.ht
cut -f 4-13 out | sed 1d | tr -d - | sort >one
run "$BIN/ht-top" --diff b.ht --format tsv --tree --sort calls a.ht
cut -f 4-13 out | sed 1d | tr -d - | sort >two
same two one "the other way round: the same, with the other sign"

# Totals.
run "$BIN/ht-top" --totals a.ht
cp out a.totals
run "$BIN/ht-top" --totals b.ht
paste a.totals out | awk -F '\t' '{ printf "%s\t%d\n", $1, $4 - $2 }' >want
run "$BIN/ht-top" --totals --diff a.ht b.ht
same out want "totals"
# Several bases add up, as several traces do.
run "$BIN/ht-top" --totals --diff a.ht --diff b.ht b.ht a.ht
is "$(awk '$1 != "peak_ms" && $2 != 0' out)" "" "two against the same two"

# Symbols, not addresses: another layout of the same program.
V=$T/data/valid
sed 's/^i 56f3/i 76f3/; s/^i 5612/i 7612/' "$V/example-symbolized.ht" >moved
run "$BIN/ht-top" --diff "$V/example-symbolized.ht" moved
is "$(out | grep -c '^no difference$')" 3 "addresses do not matter"

# What the text looks like: signed, in 80 columns.
run "$BIN/ht-top" --diff a.ht --sort $all b.ht
like "$(out)" '^against \./app' "the base is named"
like "$(out)" '^peak .* [+-][0-9.]+ [kM]?B +[+-][0-9.]+$' "the totals' change"
is "$(perl -CSD -ne 'chomp; print if length > 80' out)" "" "80 columns"

# Suppressions embedded in the base are not those of the later one.
supp() {
	printf 'v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\nX a\n'
	printf '%s' "$1"
	printf 's 1 m\ns 3 fun\ni 1 1 2\nt 1 0\na 10 1\n+ 0\n+ 0\n#E exit 0\n'
}
supp 'S leak:fun
' >hides
supp '' >shows
run "$BIN/ht-top" --totals --diff hides shows
is "$(said leaked)" 32 "hidden in the base only"
run "$BIN/ht-top" --totals --diff shows hides
is "$(said leaked)" -32 "hidden in the later one only"
run "$BIN/ht-top" --show-suppressions --diff hides shows
like "$(out)" '^no leak was suppressed' "of the later one none was"
run "$BIN/ht-top" --show-suppressions hides
like "$(out)" '^ +32 B +2 embedded  fun$' "--show-suppressions"
run "$BIN/ht-top" hides
like "$(out)" '^32 B in 2 blocks of known leaks are left out \(--show' \
    "the header says what is hidden"

# --- limits ------------------------------------------------------------------

# A trace of known totals: 2 calls of 100 bytes, 1 temporary, 100 leaked.
e=$V/example.ht
while read -r want limit; do
	run "$BIN/ht-top" --totals --fail-if "$limit" "$e"
	is "$status" $want "$limit: $want"
	same out "$V/example.totals" "the report is the same"
	[ $want = 3 ] && like "$(err)" '^ht-top: limit ' "and stderr says it"
	[ $want = 0 ] && is "$(err)" "" "in silence"
done <<'END'
0 calls>2
3 calls>1
3 calls>=2
0 calls<2
3 calls<=2
3 calls=2
3 calls==2
0 calls!=2
3 calls != 3
3 allocations>1
3 leaked>99
0 leaked>100
0 leaked>1k
3 leaked<1k
3 leaked_blocks>0
3 total>199
3 total_bytes=200
3 temporary>0
3 peak>=100
0 peak>1M
0 peak_rss>8G
0 runtime_ms>1s
3 runtime_ms=10
3 runtime_ms<11ms
0 lost>0
0 calls>2,leaked>1k,peak>1k
3 calls>2,leaked>1k,peak>10
3 calls>1, leaked>10
END
run "$BIN/ht-top" --totals --fail-if 'calls>1,peak<1' --fail-if 'leaked>1' "$e"
is "$status $(err | wc -l)" "3 2" "several: those that are exceeded are said"
run "$BIN/ht-top" --totals --filter size=1 --fail-if 'calls>0' "$e"
is "$status" 0 "limits are of what is selected"
run "$BIN/ht-top" --format json --fail-if 'calls>1,peak<1' "$e"
is "$(grep -c '"exceeded": true' out) $(grep -c '"exceeded": false' out)" "1 1" \
    "limits in JSON"
run "$BIN/ht-top" -q --fail-if 'calls>0' "$T/data/invalid/no-end.ht"
is "$status" 1 "of a trace that is not whole, that is the status"

# Differences: calls 2 to 3, peak 100 to 200.
sed 's/^#E.*/+ 0\n#E exit 0/' "$e" >more
while read -r want limit; do
	run "$BIN/ht-top" --totals --diff "$e" --fail-if "$limit" more
	is "$status" $want "--diff, $limit: $want"
done <<'END'
3 calls>0
0 calls>1
3 calls=+1
3 calls>-1
3 calls>+49.999%
0 calls>+50%
3 calls>=50%
3 peak>+99%
0 peak>+100%
3 peak=+100
0 leaked<-1
0 lost>0
0 peak_rss>+5%
3 leaked>+99.9%,calls>7
END
run "$BIN/ht-top" --totals --diff more --fail-if 'peak<-49.9%,calls<-0' "$e"
is "$status" 3 "less is less"
like "$(err)" '^ht-top: limit peak<-49.9%: peak is 100 \(100 B, 50.0 %\) below the base$' \
    "which is said"
printf 'v 100 3\n#H f ht-record 0.1.0\n#E exit 0\n' >none
run "$BIN/ht-top" --totals --diff none --fail-if 'calls>+1000%' "$e"
is "$status" 3 "of nothing, anything is too much"

while IFS='|' read -r limit message; do
	run "$BIN/ht-top" --fail-if "$limit" "$e"
	is "$status" 2 "$limit: wrong usage"
	like "$(err)" "$message" "says why"
done <<'END'
|is no limit
leaked|is no limit
leaks>1|'leaks' is not one of calls
>1|'' is not one of calls
leaked>|is no value of leaked: bytes
leaked>x|is no value of leaked: bytes
leaked>1X|is no value
calls>1k|is no value of calls: a number
calls>1,|is no limit
runtime_ms>1M|a time
peak>+5%|'peak>\+5%' needs --diff
peak>+5|needs --diff
peak<-5|needs --diff
peak>5%|needs --diff
peak>5.1234%|is no value
peak>.%|is no value
peak>%|is no value
peak>99999999999999999999|is no value
END

# Other options that do not go together.
while IFS='|' read -r options message; do
	run "$BIN/ht-top" $options "$e"
	is "$status" 2 "$options: wrong usage"
	like "$(err)" "$message" "says why"
done <<'END'
--sort peaks|'peaks' is not one of peak, calls
--sort peak,|'' is not one of
--by class|'class' is not one of function, line
--tree --by size|a tree is by
--tree --bottom-up|one of --tree
--callers /(/|no regular expression
--format xml|'xml' is not one of text, json, tsv
END
run "$BIN/ht-top" --diff nowhere "$e"
is "$status $(out)" "1 " "a base that is not there: nothing to report"

done_testing
