#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sh t/fuzz/fuzz.sh DIR [TARGET…]: what `make fuzz` runs, each target of
# DIR/obj/fuzz, or those that are named, after each other.
#
#   FUZZ_SECONDS  for each (default 1800)
#   FUZZ_RUNS     so many inputs for each instead, always the same ones
#   FUZZ_MERGE=1  then rewrites t/data/fuzz: what the corpus reaches that
#                 t/data/valid and t/data/invalid do not, in short inputs
#
# What was found worth keeping stays in DIR/corpus/TARGET for the next run. An
# input that a target fails on is left in DIR/found, and the status is 1.

set -u
src=$(cd "${0%/*}/../.." && pwd -P) || exit 1
dir=$1
shift
[ $# -gt 0 ] || set -- $(cd "$src/t/fuzz" && ls *.c | sed 's/\.c$//')

mkdir -p "$dir/found" || exit 1
export ASAN_OPTIONS=detect_leaks=1:malloc_context_size=4 UBSAN_OPTIONS=print_stacktrace=1
failed=0

fuzz() {
	if [ -n "${FUZZ_RUNS:-}" ]; then
		how="-runs=$FUZZ_RUNS -seed=1"
	else
		how="-max_total_time=${FUZZ_SECONDS:-1800}"
	fi
	# shellcheck disable=SC2086
	"$dir/obj/fuzz/$1" $how -max_len=4096 -timeout=20 -close_fd_mask=2 \
	    -print_final_stats=1 -verbosity=1 -reload=0 \
	    -dict="$src/t/fuzz/words.dict" \
	    -artifact_prefix="$dir/found/$1-" "$corpus" "$kept" \
	    "$src/t/data/valid" "$src/t/data/invalid" >"$dir/$1.log" 2>&1
}

merge() {
	rm -rf "$dir/merge"
	mkdir "$dir/merge"
	cp "$src"/t/data/valid/* "$src"/t/data/invalid/* "$dir/merge"
	(cd "$dir/merge" && ls) >"$dir/merge.had"
	"$dir/obj/fuzz/$1" -merge=1 -use_counters=0 -max_len=600 \
	    -close_fd_mask=2 "$dir/merge" "$corpus" "$kept" \
	    >"$dir/$1.merge.log" 2>&1 || return 1
	(cd "$dir/merge" && xargs rm -f <"$dir/merge.had")
	rm -rf "$kept"
	mv "$dir/merge" "$kept"
}

for target; do
	corpus=$dir/corpus/$target kept=$src/t/data/fuzz/$target
	mkdir -p "$corpus" || exit 1
	[ -x "$dir/obj/fuzz/$target" ] || {
		echo "fuzz.sh: no target '$target': see t/fuzz" >&2
		exit 1
	}
	if fuzz "$target"; then
		awk -v t="$target" '/stat::number_of_executed_units/ { n = $2 }
		    / cov: / { for (i = 1; i < NF; i++)
			if ($i == "cov:") cov = $(i + 1) }
		    END { printf "%s: %d inputs, %d edges, nothing found\n",
			t, n, cov }' "$dir/$target.log"
	else
		failed=1
		echo "$target: FOUND, see $dir/$target.log; to repeat:"
		sed -n "s|.*Test unit written to |$dir/obj/fuzz/$target |p" \
		    "$dir/$target.log"
	fi
	if [ "${FUZZ_MERGE:-0}" = 1 ]; then
		merge "$target" || failed=1
	fi
done
exit $failed
