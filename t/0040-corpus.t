#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-top over the corpus: what every valid trace adds up to, and what is said
# of every invalid one, plain, compressed with gzip and with zstd.

. "${0%/*}/lib.sh"
need gzip zstd perl

# from FILE OPTION…: ht-top with FILE as stdin.
from() {
	t_in=$1
	shift
	run sh -c 'exec "$0" "$@" <"$t_in"' "$BIN/ht-top" "$@"
}
export t_in

for t in "$T"/data/valid/*.ht; do
	name=${t##*/} name=${name%.ht}
	gzip -c "$t" >t.gz
	zstd -qc "$t" >t.zst
	for file in "$t" t.gz t.zst; do
		from "$file" --totals
		is "$status $(err)" "0 " "$name is read in silence (${file##*.})"
		same out "${t%.ht}.totals" "$name's totals (${file##*.})"
	done
	from "$t"
	is "$status $(err)" "0 " "$name is reported"
	for form in report; do
		[ -f "${t%.ht}.$form" ] || continue
		same out "${t%.ht}.$form" "$name's report"
	done
	run "$BIN/ht-top" -apTl --all-frames --all-images -d 0 -w 0 "$t"
	is "$status $(err)" "0 " "$name is reported in full"
done

# The replay of t/prog agrees, where it reads the form.
for t in "$T"/data/valid/*.ht; do
	name=${t##*/} name=${name%.ht}
	case $name in
	heaptrack*|concatenated)	continue ;;
	esac
	replay "$t"
	sort re >re.sorted
	sort "${t%.ht}.totals" >totals.sorted
	is "$(comm -23 totals.sorted re.sorted)" "" "$name as replayed"
done

for t in "$T"/data/invalid/*.ht "$T"/data/invalid/*.gz \
    "$T"/data/invalid/*.zst; do
	name=${t##*/} base=${t%.*}
	files=$t
	case $name in
	*.ht)
		gzip -c "$t" >t.gz
		zstd -qc "$t" >t.zst
		files="$t t.gz t.zst"
		;;
	esac
	for file in $files; do
		from "$file" --totals
		is "$status" 1 "$name has status 1 (${file##*.})"
		same err "$base.err" "$name's message (${file##*.})"
		same out "$base.out" "$name's totals (${file##*.})"
	done
	from "$t" -apTl
	is "$status" 1 "$name is reported with status 1"
done

# A line of more than 1 MiB, too long to be kept here.
{
	cat "$T/data/valid/empty-trace.ht" | sed '$d'
	head -c 1100000 /dev/zero | tr '\0' x
	printf '\n#E exit 0\n'
} >long
for file in long long.gz long.zst; do
	case $file in
	*.gz)	gzip -c long >long.gz ;;
	*.zst)	zstd -qc long >long.zst ;;
	esac
	run "$BIN/ht-top" --totals $file
	is "$status $(err)" \
	    "1 ht-top: $file:7: a line is longer than 1 MiB" \
	    "a line too long ($file)"
done

# Cut at every byte: never a crash or a hang, and always said.
for t in fields heaptrack-2-raw; do
	size=$(wc -c <"$T/data/valid/$t.ht")
	i=1 bad=
	while [ $i -lt "$size" ]; do
		head -c $i "$T/data/valid/$t.ht" >cut
		"$BIN/ht-top" cut >out 2>err
		status=$?
		case $t$status in
		heaptrack*0)	;;
		fields0)	# its `v` line alone: a trace without events
			[ $i = 8 ] || bad="$bad $i(0)" ;;
		*1)	[ -s err ] || bad="$bad $i" ;;
		*)	bad="$bad $i($status)" ;;
		esac
		i=$((i + 1))
	done
	is "$bad" "" "$t, cut at every byte"
done

# One byte changed, each in turn: no crash, no hang.
t=$T/data/valid/fields.ht
perl -e 'local $/; open F, $ARGV[0]; my $t = <F>; my $n = 0;
    for my $i (0 .. length($t) - 1) {
	for my $c ("\n", "f", " ") {
		my $u = $t;
		substr($u, $i, 1) = $c;
		open O, ">", "m." . $n++ or die;
		print O $u;
		close O;
	}
    }' "$t"
bad=
for f in m.*; do
	"$BIN/ht-top" -apTl "$f" >out 2>err
	status=$?
	case $status in
	0|1)	;;
	*)	bad="$bad $f($status)" ;;
	esac
done
is "$bad" "" "every byte of a trace changed in turn"

done_testing
