#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-aggregate: any order and grouping of merges gives the same bytes, also under
# GNU parallel and through a sort by key as Hadoop Streaming does it; selection,
# differences, and where the output goes.
. "${0%/*}/lib.sh"
need gzip zstd perl parallel sort

agg=$BIN/ht-aggregate

# --- merging -------------------------------------------------------------------
for huge in '' huge; do
	rm -rf small m
	mkdir small m
	perl "$T/prog/traces.pl" 24 "${SEED:-1}" small $huge
	"$agg" small/*.ht >want 2>err
	is "$? $(cat err)" '0 ' "24 random traces${huge:+, huge}"
	same_bytes=yes
	for seed in 1 2 3 4 5 6 7 8 9 10 11 12; do
		rm -f m/*
		last=$(perl "$T/prog/merges.pl" $seed m small/*.ht) || break
		case $last in
		*.gz)	gzip -dc "$last" ;;
		*.zst)	zstd -dqc "$last" ;;
		*)	cat "$last" ;;
		esac >got
		cmp -s got want || same_bytes="no: $seed"
	done
	is "$same_bytes" yes "any order and grouping${huge:+, sums that do not fit}"
	run "$agg" want
	same out want 'a profile of the profile is the profile'
	run "$agg" - <want
	same out want 'from stdin'
	for f in small/*.ht; do
		"$agg" $f >$f.p
	done
	cat small/*.p >all.p
	run "$agg" all.p
	same out want 'profiles concatenated'
	cat $(ls small/*.ht | sort -r) >all.ht
	run "$agg" all.ht
	same out want 'traces concatenated, the other way round'
done

# What came out of the merge is what is in the traces.
rm -rf many
mkdir many
perl "$T/prog/traces.pl" 200 5 many
"$agg" many/*.ht >whole
cat many/*.ht >all.ht
for kind in mmap heap; do
	perl "$T/prog/profile.pl" --kind $kind whole >prof 2>prof.err
	is "$? $(cat prof.err)" '0 ' "the profile of 200 traces is sound: $kind"
	replay --kind $kind all.ht
	for k in allocations frees temporary leaked leaked_blocks total_bytes \
	    peak runtime_ms lost traces freed_by_others; do
		grep "^$k	" re
	done | sort >want
	sort prof | join -t '	' - want | cut -f 1,2 >got
	same got want "the sums are those of all traces replayed: $kind"
	peak=0 at=0
	for f in many/*.ht; do
		replay --kind $kind $f
		[ "$(re peak)" -gt $peak ] && peak=$(re peak) at=$(re peak_ms)
		[ "$(re peak)" = $peak ] && [ "$(re peak_ms)" -lt $at ] &&
		    at=$(re peak_ms)
	done
	is "$(awk '$1 == "largest_peak" || $1 == "peak_ms" { print $2 }' prof |
	    tr '\n' ' ')" "$peak $at " \
	    "the largest peak, at its first moment: $kind"
done
is "$(awk '$1 == "origins" { print $2 }' prof)" 200 'where all are from'
"$BIN/ht-top" -apTl -d 0 -w 0 -n 999 -s 999 many/*.ht >want
run "$BIN/ht-top" -apTl -d 0 -w 0 -n 999 -s 999 whole
same out want 'ht-top prints of it what of the 200 traces'

# --- many machines ---------------------------------------------------------------
ls many/*.ht | parallel --will-cite -j 2 -N 10 "$agg" >parts 2>err
is "$(cat err)" '' 'GNU parallel, ten traces a job'
run "$agg" parts
same out whole 'the same as all at once'
ls many/*.ht | parallel --will-cite -j 2 -N 7 "$agg" -o part.{#}.gz {}
run "$agg" part.*.gz
same out whole 'seven a job, each in a file'
# A tree of merges: the outputs are the next inputs.
ls part.*.gz | parallel --will-cite -j 2 -N 3 "$agg" -o level2.{#} {}
run "$agg" level2.*
same out whole 'and in three levels'

# The mapper and the reducer of the page, with sort for what is in between, and
# cat in the place of hdfs.
page=$SRC/man/ht-aggregate.1
for script in map reduce; do
	sed -n "/^# $script.sh/,/^\\.Ed/p" "$page" | grep -v '^\.Ed' |
	    sed 's/\\e/\\/g; s/hdfs dfs -cat/cat/' >$script.sh
	ok "[ -s $script.sh ]" "ht-aggregate(1) has $script.sh"
done
PATH=$BIN:$PATH
export PATH
ls many/*.ht | split -n r/6 - split.
for part in split.*; do
	mapreduce_task_attempt_id=attempt_$part bash map.sh <$part ||
	    fail "map.sh $part"
done >mapped
# Lines of all tasks mixed up, as they come to the sort.
perl -e 'srand 1; print map { $_->[1] } sort { $a->[0] <=> $b->[0] }
    map { [ rand, $_ ] } <>' mapped | LC_ALL=C sort -t '	' -k 1,1 >shuffled
run bash reduce.sh <shuffled
is "$status" 0 'the reducer takes what the mappers gave'
same out whole 'and makes the same of it'
sed 100d shuffled >torn
run bash reduce.sh <torn
is "$status" 1 'a line lost on the way is noticed'

# --- selection -------------------------------------------------------------------
# Filters by row and merging can change places.
"$agg" --filter thread=main --exclude size=10 whole >want
"$agg" --filter thread=main --exclude size=10 many/*.ht >got
same got want 'a filter before or after the merge'
"$BIN/ht-top" -apTl --filter b many/*.ht >selected
like "$(cat selected)" '^selected by --filter b$' 'a report says what chose it'
# What a profile was made with it does not hold.
grep -v '^selected by ' selected >want
"$agg" --filter b many/*.ht >filtered
run "$BIN/ht-top" -apTl filtered
same out want 'ht-top of a filtered profile'
run "$agg" --to 50% many/3.ht
cp out half
"$BIN/ht-top" --to 50% --totals many/3.ht >want
run "$BIN/ht-top" --totals half
same out want 'the profile of a window'
run "$agg" --to 50% half
is "$status $(out)" '1 ' 'a profile has no window'
like "$(err)" 'this is a profile, and --from, --to and --at need the trace' \
    'and that is said'

# Suppressions: what is given is taken out, the others are for the reader.
# How much each of them took is said by whoever did it.
echo 'leak:push' >push
"$BIN/ht-top" --suppressions push -l many/*.ht | grep -v 'known leaks' >want
"$agg" --suppressions push many/*.ht >less
run "$BIN/ht-top" -l less
grep -v 'known leaks' out >less.out && mv less.out out
same out want '--suppressions takes leaks out'
"$BIN/ht-top" --disable-embedded-suppressions -l many/*.ht >want
"$agg" --disable-embedded-suppressions many/*.ht >bare
run "$BIN/ht-top" -l bare
same out want 'without those of the program'

# --- launchers, empty input --------------------------------------------------------
run "$agg" "$T/data/valid/launcher.ht"
is "$(err)" 'ht-aggregate: launchers left out: 1 (--all-images takes them in)' \
    'launchers are left out'
run "$agg" --all-images "$T/data/valid/launcher.ht"
is "$(grep -c '^O' out) $(err)" '2 ' '--all-images takes them in'
run "$agg" </dev/null
is "$status $(out)" '1 ' 'empty input is no profile'
"$agg" --filter no-such-function whole >none
run "$agg" none whole
is "$status" 0 'a profile without rows'
grep '^[atism]' out >got
grep '^[atism]' whole >want
same got want 'adds no rows'

# --- the output --------------------------------------------------------------------
cp small/1.ht.p week
"$agg" -o week week small/2.ht
"$agg" small/1.ht small/2.ht >want
same week want 'the output may be one of the inputs'
cp week before
run "$agg" -o week no-such-file
is "$status" 1 'no input'
same week before 'leaves the output as it was'
run "$agg" -o week.gz week
gzip -dc week.gz >got
same got week '-o FILE.gz'
run "$agg" -o week.zst week
zstd -dqc week.zst >got
same got week '-o FILE.zst'
if [ -w /dev/full ]; then
	run "$agg" -o /dev/full week
	is "$status" 1 'a full disk'
	like "$(err)" 'No space left' 'is said'
fi
run sh -c '"$0" "$1" | true' "$agg" whole
is "$(err)" '' 'a reader that goes away'
run "$agg" -o no/such/directory week
is "$status" 1 'an output that cannot be opened'
run "$agg" many/1.ht no-such-file many/2.ht
is "$status" 1 'one of the inputs is missing: status 1'
cp out got
"$agg" many/1.ht many/2.ht >want
same got want 'the others are there'

# --- differences ----------------------------------------------------------------
# diff_of A B: by t/prog/replay.pl.
diff_of() {
	for f in "$@"; do
		replay --peak $f
		grep '^stack' re | sed "s/^/$f	/"
	done | perl -F'\t' -lane 'chomp; BEGIN { $base = shift }
	    my $sign = $F[0] eq $base ? -1 : 1;
	    $d{$F[2]}[$_] += $sign * $F[$_ + 3] for 0, 2, 3;
	    END { for (sort keys %d) {
		my @v = @{ $d{$_} }[0, 2, 3];
		print join "\t", @v, $_ if grep { $_ } @v } }' "$1"
}
cp "$T/data/valid/inlined.ht" a.ht
{
	grep -v '^#E' a.ht
	printf '+ 0\n+ 0\n'
	grep '^#E' a.ht
} >b.ht
diff_of a.ht b.ht | sort >want
run "$agg" --diff --all-frames a.ht b.ht
is "$status" 0 '--diff'
is "$(head -n 1 out | tr '\t' ' ')" \
    'allocations temporary leaked leaked_blocks total_bytes peak stack' \
    'names its columns'
sed 1,2d out | cut -f 1,5,6,7 | sort >got
ok '[ -s want ]' 'there is a difference'
same got want 'the differences of each stack as replayed'
cp out forth
run "$agg" --diff --all-frames b.ht a.ht
sed 1d forth | perl -pe 's/(^|\t)(-?)(\d+)(?=\t)/$1 . ($3 ? $2 ? "" : "-" : "") . $3/ge' >want
sed 1d out >got
same got want 'the other way round the signs change'
"$agg" -o a.p a.ht
"$agg" -o b.p b.ht
run "$agg" --diff --all-frames a.p b.ht
same out forth 'of a profile and a trace'
run "$agg" --diff a.p a.ht
is "$(sed 1d out | tr '\t' ' ')" '0 0 0 0 0 0 (all)' \
    'what is equal has no differences'
run "$agg" --diff a.p no-such-file
is "$status $(out)" '1 ' 'a file that is missing has no differences'
printf 'v 100 3\n#H f ht-record 0.1.0\n#E exec\n' >launcher.ht
"$agg" -q launcher.ht >empty
run "$agg" empty a.p
same out a.p 'a profile of nothing adds nothing'
run "$agg" --diff empty a.p
is "$status $(sed -n 2p out | cut -f 1)" "0 $("$BIN/ht-top" --totals a.p |
    awk '$1 == "allocations" { print $2 }')" 'more than nothing'
for files in '' 'a.p' 'a.p b.p a.p'; do
	run "$agg" --diff $files
	is "$status" 2 "--diff needs two files, not '$files'"
done
run "$agg" --diff "$T/data/valid/hostile.ht" a.ht
unlike "$(tr -d '\n\t' <out | LC_ALL=C tr -d ' -~\200-\377')" . \
    'no control bytes in a table'

# --- bad traces ----------------------------------------------------------------
bad=
for t in "$T"/data/invalid/*.ht "$T"/data/invalid/*.gz \
    "$T"/data/invalid/*.zst; do
	"$agg" "$t" a.ht >out 2>err
	status=$?
	[ $status = 1 ] && [ -s err ] || bad="$bad ${t##*/}($status)"
	# Whatever could be read is a profile.
	perl "$T/prog/profile.pl" out >/dev/null 2>prof.err ||
	    bad="$bad ${t##*/}($(cat prof.err))"
done
is "$bad" '' 'the invalid corpus: status 1, a message, and the good trace'
done_testing
