#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make fuzz`, a few thousand inputs a target and always the same ones; every
# command over what longer runs have left in t/data/fuzz.
. "${0%/*}/lib.sh"
need clang make awk

# The targets have sanitizers of their own: once is enough of the inputs.
runs=3000
[ $sanitized = no ] || runs=1
LIMIT=300
FUZZ_RUNS=$runs
export FUZZ_RUNS
run env -u MAKEFLAGS -u ASAN_OPTIONS make -s -C "$SRC" OUT="$TMP" fuzz
is "$status $(err)" '0 ' 'make fuzz'
[ $status = 0 ] || diag "$(out)"
targets=$(cd "$T/fuzz" && ls *.c | sed 's/\.c$//')
is "$(sed -n 's/: [0-9]* inputs, [0-9]* edges, nothing found$//p' out)" \
    "$targets" 'each target ran'
is "$(awk '$2 < ENVIRON["FUZZ_RUNS"] || $4 < 100' out)" '' \
    'over as many inputs as were asked for'

# What is found is said and kept, and the other targets run nevertheless.
mkdir -p fake/obj/fuzz
cat >fake/obj/fuzz/suppress <<'END'
#!/bin/sh
for a; do
	case $a in -artifact_prefix=*)	at=${a#*=}crash-1 ;; esac
done
echo bad >"$at"
echo "Test unit written to $at" >&2
exit 77
END
chmod +x fake/obj/fuzz/suppress
cp fuzz/obj/fuzz/limits fake/obj/fuzz
run sh "$T/fuzz/fuzz.sh" "$TMP/fake" suppress limits
is $status 1 'a finding is a failure'
like "$(out)" "$TMP/fake/obj/fuzz/suppress $TMP/fake/found/suppress-crash-1\$" \
    'and how to repeat it is said'
like "$(out)" '^limits: [0-9]+ inputs.*nothing found' 'others run'
run sh "$T/fuzz/fuzz.sh" "$TMP/fake" nosuch
is "$status $(err)" "1 fuzz.sh: no target 'nosuch': see t/fuzz" 'no such target'

# --- the corpus, by the commands ---------------------------------------------
# heaptrack's target puts a header before its inputs, and so does this.
mkdir raw
for f in "$T"/data/fuzz/heaptrack/*; do
	{
		printf 'v 10300 2\nx /bin/app\nX app\nm x 0 0 1000\nt 10 0\n'
		tail -c +2 "$f"
	} >"raw/${f##*/}"
done
ok '[ "$(ls raw | wc -l)" -gt 20 ]' 'there is a corpus'
for command in 'ht-top -apTl --all-frames --all-images' 'ht-top --tree' \
    'ht-top --by thread --format json' 'ht-top --sizes --lifetimes' \
    'ht-top --from 1% --to 90%' ht-fold 'ht-fold --by-thread --cost peak' \
    'ht-massif --threshold 0' ht-aggregate ht-symbolize; do
	for dir in "$T/data/fuzz/evread" "$T/data/fuzz/filter" raw; do
		# All in one go, in which each is told what is wrong with it.
		run "$BIN/"$command "$dir"/*
		between 0 "$status" 1 "$command: ${dir##*/}"
	done
done
for command in ht-top 'ht-top --bottom-up' ht-fold ht-aggregate; do
	run "$BIN/"$command "$T"/data/fuzz/profread/*
	between 0 "$status" 1 "$command: profread"
done
bad=
for f in "$T"/data/fuzz/suppress/*; do
	sed '/^$/,$d' "$f" >suppressions
	run "$BIN/ht-top" --suppressions suppressions --show-suppressions \
	    "$T/data/valid/example-symbolized.ht"
	case $status in
	0|2)	;;
	*)	bad="$bad ${f##*/}($status)" ;;
	esac
done
is "$bad" '' 'suppressions'
done_testing
