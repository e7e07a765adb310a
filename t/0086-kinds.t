#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Kinds of allocations: the heap is what reports are about, every other kind is
# there when it is asked for, with a peak of its own. The numbers are held
# against a replay by address of each kind alone (select.pl).

. "${0%/*}/lib.sh"
need perl jq

plain="--disable-builtin-suppressions --disable-embedded-suppressions"

# Each line: what select.pl is told | what ht-top is told.
cat >cases <<'END'
 |
kind=mmap | --filter kind=mmap
kind=pool a | --filter kind=/^pool.a$/
kind=heap | --filter kind=heap
kind=heap from=100 to=500 | --from 0.1 --to 0.5
kind=mmap from=100 to=500 | --filter kind=mmap --from 0.1 --to 0.5
kind=mmap to=300 | --filter kind=mmap --at 0.3
kind=mmap min=100 | --filter kind=mmap --filter size=100..
END
# The moment of a peak of nothing is not looked at.
totals() {
	awk '$1 == "peak" { p = $2 } $1 != "peak_ms" || p { print }' "$@"
}

seed=1
while [ $seed -le 12 ]; do
	perl "$T/prog/random.pl" $seed 2000 kinds >r.ht
	wrong=
	while IFS='|' read -r theirs ours; do
		case $theirs in
		kind=pool*)	set -- 'kind=pool a' ;;
		*)		set -- $theirs ;;
		esac
		perl "$T/prog/select.pl" r.ht "$@" >want 2>want.err ||
		    wrong="$wrong; select.pl $theirs: $(cat want.err)"
		run "$BIN/ht-top" --totals $plain $ours r.ht
		totals want >want.t
		totals out >out.t
		[ "$status$(err)" = 0 ] && cmp -s out.t want.t ||
		    wrong="$wrong; $ours: $(diff want.t out.t | tr '\n' ' ')"
		# Of a profile, where there is no window, the same.
		case $ours in
		*--from*|*--at*)	continue ;;
		esac
		"$BIN/ht-aggregate" r.ht >p
		run "$BIN/ht-top" --totals $plain $ours p
		totals out | cmp -s - want.t || wrong="$wrong; profile $ours"
	done <cases
	is "$wrong" "" "seed $seed: $(grep -c '|' cases) selections"
	seed=$((seed + 1))
done
perl "$T/prog/random.pl" 3 2000 kinds >r.ht
kinds=$(sed -n 's/^#K [0-9a-f]* //p' r.ht | sort -u)
is "$(echo "$kinds" | wc -l)" 2 'two kinds, so that the tests are of some'

# Rows by kind: each as if it were alone.
run "$BIN/ht-top" --by kind --format json -s 0 $plain --sort calls r.ht
is "$status$(err)" 0 '--by kind'
jq -r '.sections[0].rows[] | [.kind, .calls, .peak, .leaked] | @tsv' out |
    sort >got
printf '%s\n' heap "$kinds" | while read -r k; do
	perl "$T/prog/select.pl" r.ht "kind=$k" | awk -F '\t' -v k="$k" '
	    { v[$1] = $2 }
	    END { print k "\t" v["allocations"] "\t" v["peak"] "\t" v["leaked"] }'
done | sort >want
same got want 'each row is what that kind is alone'
run "$BIN/ht-top" --by kind --format tsv --sort calls r.ht
is "$(awk -F '\t' 'NR > 1 { print $NF }' out | sort)" "$(cut -f 1 want)" 'TSV'
run "$BIN/ht-top" --by kind -d 1 r.ht
for k in heap mmap; do
	like "$(out)" " $k\$" "text: $k"
done

# What is left out is said.
run "$BIN/ht-top" r.ht
like "$(out)" "^the heap only; also recorded: mmap, pool a \(--by kind\)\$" \
    'a report of the heap says what else there is'
run "$BIN/ht-top" --format json r.ht
is "$(jq -r '.kinds_left_out[]' out)" "$kinds" 'in JSON, too'
for o in '--by kind' '--filter kind=mmap' '--exclude kind=mmap'; do
	run "$BIN/ht-top" $o r.ht
	unlike "$(out)" '^the heap only' "not with $o"
done
run "$BIN/ht-top" --totals --exclude kind=mmap r.ht
cp out want
run "$BIN/ht-top" --totals --filter 'kind=/heap|pool/' r.ht
same out want 'all but one kind'
run "$BIN/ht-top" --filter kind=/./ r.ht
like "$(out)" "^sum of the kinds' peaks" 'kinds have no peak in common'

# Other reports.
run "$BIN/ht-fold" --cost calls --filter kind=mmap r.ht
is "$(awk '{ n += $NF } END { print n }' out)" \
    "$(perl "$T/prog/select.pl" r.ht kind=mmap |
	awk '$1 == "allocations" { print $2 }')" 'ht-fold of a kind'
for kind in heap mmap; do
	perl "$T/prog/select.pl" r.ht kind=$kind >want
	run "$BIN/ht-massif" --filter kind=$kind r.ht
	perl "$T/prog/massif.pl" out >massif 2>massif.err
	is "$(cat massif.err)" '' "ht-massif of $kind"
	is "$(awk -F '\t' '$1 == "snapshot" && $5 == "peak" { print $4 }' massif)" \
	    "$(awk '$1 == "peak" { print $2 }' want)" "the peak of $kind"
done

# In the stream.
V=$T/data/valid
sed 's/^#K 1 .*/&\n#K 1 mmap/; s/^a 40 1$/&\n#K 1 mmap/' "$V/extensions.ht" >late.ht
run "$BIN/ht-top" late.ht
is "$status" 1 'a kind that comes too late'
like "$(err)" '^ht-top: late.ht:[0-9]+: stack 1 has allocations: too late for' \
    'is an error'

done_testing
