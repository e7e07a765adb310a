#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# `make bench`: what recording costs, beside heaptrack in the same runs.
#
#   BENCH            what to run (default: all that $all below names)
#   HT_BENCH_RUNS    rounds (5); each runs every command once, in an order
#                    that is rotated from round to round
#   HT_BENCH_SCALE   factor on the size of all inputs (1)
#   HT_BENCH_DIR     where to work and to leave the results
#                    (obj/bench of the build)
#   HT_OUT           the build (default: this tree)
#
# Prints tables; leaves them as bench.txt, bench.tsv (for machines) and
# bench.svg (a plot), and all that was measured as raw.tsv.
#
# The reports alone over a trace of 60 million events:
#	BENCH=top HT_BENCH_SCALE=4.5 make bench

set -u
LC_ALL=C
TZ=UTC
export LC_ALL TZ
unset LD_PRELOAD HT_RECORD HT_VERIFY
all='cppcheck python3 setops mstress sqlite3 clang jq xz larson2 larson8
    depth24 depth224 true top symbolize instructions'
BENCH=${BENCH:-$all}
runs=${HT_BENCH_RUNS:-5}
scale=${HT_BENCH_SCALE:-1}

say() {
	echo "bench: $*" >&2
}

die() {
	say "$*"
	exit 1
}

case $runs in ''|*[!0-9]*|0) die "HT_BENCH_RUNS is not a number: '$runs'" ;; esac
case $scale in
''|*[!0-9.]*|*.*.*) die "HT_BENCH_SCALE is not a number: '$scale'" ;;
esac
for name in $BENCH; do
	case " $(echo $all) " in
	*" $name "*)	;;
	*)	die "no benchmark '$name': there are" $all ;;
	esac
done

case $0 in
*/*)	SRC=${0%/*}/../.. ;;
*)	SRC=../.. ;;
esac
SRC=$(cd "$SRC" && pwd -P) || exit 1
T=$SRC/t/bench
HT_OUT=${HT_OUT:-$SRC}
HT_OUT=$(cd "$HT_OUT" && pwd -P) || exit 1
dir=${HT_BENCH_DIR:-$HT_OUT/obj/bench}
mkdir -p "$dir/bin" "$dir/in" "$dir/run" "$dir/kept" || exit 1
dir=$(cd "$dir" && pwd -P) || exit 1
# A path with a space would need quoting in the commands of the workloads.
case $dir in *[!A-Za-z0-9/._+-]*) die "odd characters in '$dir'" ;; esac
PATH=$HT_OUT/bin:$dir/bin:$PATH
export PATH
trap 'rm -rf "$dir/run"' EXIT
trap 'exit 130' INT TERM HUP

for command in ht-record ht-symbolize ht-top ht-html; do
	[ -x "$HT_OUT/bin/$command" ] || die "no $command in $HT_OUT/bin: make"
done
for command in heaptrack heaptrack_print zstd gzip perl; do
	command -v $command >/dev/null ||
	    die "$command is missing: sh t/deps.sh bench"
done
for c in measure larson mstress setops depth; do
	[ "$dir/bin/$c" -nt "$T/$c.c" ] ||
	    ${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall \
		-o "$dir/bin/$c" "$T/$c.c" -lpthread || exit 1
done
empty=$dir/bin/empty.so
[ "$empty" -nt "$T/empty.c" ] ||
    ${CC:-gcc} -std=gnu11 -O2 -Wall -fno-builtin -shared -fPIC -o "$empty" \
	"$T/empty.c" || exit 1

# --- workloads --------------------------------------------------------------

# scaled N: N times the scale, at least $2 (default 1).
scaled() {
	awk -v n="$1" -v s="$scale" -v least="${2:-1}" 'BEGIN {
		n = int(n * s + 0.5)
		print n < least ? least : n
	}'
}

# input WHAT SIZE SUFFIX: makes it if need be; its name to $input.
input() {
	input=$dir/in/$1-$2.$3
	[ "$input" -nt "$T/inputs.pl" ] && return
	perl "$T/inputs.pl" "$1" "$2" >"$input.tmp" || die "cannot make $input"
	mv "$input.tmp" "$input"
}

# workload NAME: $command is what a shell is to run, $program the name that the
# process will have, $modes the ways to run it, $times how often in a round.
# What the program writes to ./result are figures of its own.
workload() {
	modes='native heaptrack ht empty ht-sample' times=1
	case $1 in
	cppcheck)
		input cppcheck "$(scaled 12)" cpp
		program=cppcheck
		command="cppcheck -q $input"
		modes="$modes ht-tty ht-gz ht-zst ht-gzip" ;;
	python3)
		# The shims of version managers would be measured too.
		input python "$(scaled 400)" py
		program=python3
		command="/usr/bin/python3 -S $input" ;;
	setops)
		program=setops
		command="$dir/bin/setops $(scaled 200)" ;;
	mstress)
		program=mstress
		command="$dir/bin/mstress 2 $(scaled 20000)" ;;
	sqlite3)
		input sql "$(scaled 20000)" sql
		program=sqlite3
		command="sqlite3 :memory: '.read $input'" ;;
	clang)
		input clang "$(scaled 2 0)" cc
		program=clang
		command="clang -fsyntax-only -std=c++17 $input" ;;
	jq)
		input json "$(scaled 96000)" json
		program=jq
		command="jq -c length $input" ;;
	xz)
		input text "$(scaled 40000)" txt
		program=xz
		command="xz -k -c -1 -T1 $input" ;;
	larson*)
		program=larson
		command="$dir/bin/larson ${1#larson} $(scaled 1500 200) result"
		modes='native heaptrack ht' ;;
	depth*)
		program=depth
		command="$dir/bin/depth ${1#depth} $(scaled 1000000) result"
		modes='native heaptrack ht' ;;
	true)
		program=true
		command=/bin/true
		modes='native heaptrack ht ht-raw'
		times=4 ;;
	esac
}

# once NAME MODE ROUND: runs it in an empty directory, appends to raw.tsv.
once() {
	rm -rf "$dir/run"
	mkdir "$dir/run" && cd "$dir/run" || exit 1
	tty=
	case $2 in
	native)		line="exec $command >out 2>err" ;;
	empty)		line="LD_PRELOAD=$empty exec $command >out 2>err" ;;
	ht-sample)	line="exec ht-record --sample 512K -o t.ht $command >out 2>err" ;;
	heaptrack)	line="exec heaptrack -o t $command >out 2>err" ;;
	ht)		line="ht-record $command 2>err | ht-symbolize | zstd -q -1 >t.zst" ;;
	ht-gzip)	line="ht-record $command 2>err | ht-symbolize | gzip >t.gz" ;;
	ht-raw)		line="exec ht-record -o t.ht $command >out 2>err" ;;
	ht-gz)		line="exec ht-record -o t.gz $command >out 2>err" ;;
	ht-zst)		line="exec ht-record -o t.zst $command >out 2>err" ;;
	ht-tty)		line="exec ht-record $command 2>err" tty=-t ;;
	*)		line=$2 ;;
	esac
	# shellcheck disable=SC2086
	measure $tty -o "$dir/measured" "$line" </dev/null 2>>err ||
	    die "cannot measure: $(tail -n 1 err)"
	[ ! -f result ] || cat result >>"$dir/measured"
	for trace in t.zst t.gz t.ht ht.*.gz; do
		[ ! -f "$trace" ] ||
		    echo "size	$(wc -c <"$trace")" >>"$dir/measured"
		case $3$2$trace in
		1htt.zst|1heaptrackt.zst) mv $trace "$dir/kept/$1.$2.zst" ;;
		esac
	done
	awk -v n="$1" -v m="$2" -v r="$3" '{ print r "\t" n "\t" m "\t" $0 }' \
	    "$dir/measured" >>"$dir/raw.tsv"
	grep -q '^status	0$' "$dir/measured" || {
		tail -n 20 err >&2
		die "$1 as $2 fails: $(grep '^status' "$dir/measured")"
	}
	cd "$dir" || exit 1
}

# rotated N WORD…: the words, the first N moved to the end.
rotated() {
	n=$1
	shift
	n=$((n % $#))
	while [ $n -gt 0 ]; do
		first=$1
		shift
		set -- "$@" "$first"
		n=$((n - 1))
	done
	echo "$@"
}

# fact NAME MODE KEY VALUE: what is no matter of rounds.
fact() {
	printf '0\t%s\t%s\t%s\t%s\n' "$@" >>"$dir/raw.tsv"
}

# What a trace holds: events, and of ours the stacks, their classes, and the
# mean depth over the first two million lines.
count() {
	ht-top -q --totals "$dir/kept/$1.$2.zst" >"$dir/totals" ||
	    die "ht-top does not read the trace of $1 as $2"
	awk -F '\t' -v n="$1" -v m="$2" '
	    { v[$1] = $2 }
	    END {
		frees = v["allocations"] - v["leaked_blocks"]
		printf "0\t%s\t%s\tallocations\t%d\n", n, m, v["allocations"]
		printf "0\t%s\t%s\tevents\t%d\n", n, m, v["allocations"] + frees
		printf "0\t%s\t%s\tpeak\t%d\n", n, m, v["peak"]
		printf "0\t%s\t%s\tlost\t%d\n", n, m, v["lost"]
	    }' "$dir/totals" >>"$dir/raw.tsv"
	[ "$2" = ht ] || return
	fact "$1" ht classes "$(zstd -dcq "$dir/kept/$1.ht.zst" | grep -c '^a ')"
	fact "$1" ht nodes "$(zstd -dcq "$dir/kept/$1.ht.zst" | grep -c '^t ')"
	fact "$1" ht depth "$(zstd -dcq "$dir/kept/$1.ht.zst" 2>/dev/null |
	    head -n 2000000 | perl -ne '
	    if (/^\+ (\w+)/) { $sum += $a[hex $1]; $n++ }
	    elsif (/^t \w+ (\w+)/) { push @t, $1 eq "0" ? 1 : 1 + $t[hex($1) - 1] }
	    elsif (/^a \w+ (\w+)/) { push @a, $1 eq "0" ? 0 : $t[hex($1) - 1] }
	    END { printf "%.1f", $n ? $sum / $n : 0 }')"
}

# --- the reports ------------------------------------------------------------

# command_as NAME MODE ROUND LINE: any command, as one more mode of NAME.
command_as() {
	rm -rf "$dir/run"
	mkdir "$dir/run" && cd "$dir/run" || exit 1
	measure -o "$dir/measured" "$4" </dev/null 2>err || die "$4: $(cat err)"
	grep -q '^status	0$' "$dir/measured" ||
	    die "fails: $4: $(tail -n 3 err)"
	awk -v n="$1" -v m="$2" -v r="$3" '{ print r "\t" n "\t" m "\t" $0 }' \
	    "$dir/measured" >>"$dir/raw.tsv"
	cd "$dir" || exit 1
}

# The largest trace of heaptrack's at hand, read by both; and ours by ours.
# What grows with the time that a program had (larson) is no data to compare.
bench_top() {
	big=$(awk -F '\t' '$3 == "heaptrack" && $4 == "events" &&
	    $2 !~ /^(larson|depth)/ && $5 > max { max = $5; name = $2 }
	    END { print name }' "$dir/raw.tsv")
	[ -n "$big" ] || {
		workload setops
		big=setops
		for mode in heaptrack ht; do
			once setops $mode 1
			count setops $mode
		done
	}
	theirs=$dir/kept/$big.heaptrack ours=$dir/kept/$big.ht
	zstd -dqf "$theirs.zst" -o "$theirs.plain"
	zstd -dqf "$ours.zst" -o "$ours.plain"
	fact top - workload "$big"
	fact top theirs events "$(awk -F '\t' -v n="$big" '$2 == n &&
	    $3 == "heaptrack" && $4 == "events" { print $5 }' "$dir/raw.tsv")"
	fact top ours events "$(awk -F '\t' -v n="$big" '$2 == n &&
	    $3 == "ht" && $4 == "events" { print $5 }' "$dir/raw.tsv")"
	for round in $rounds; do
		for how in plain zst; do
			command_as top "print-$how" "$round" \
			    "exec heaptrack_print $theirs.$how >out"
			command_as top "top-$how" "$round" \
			    "exec ht-top $theirs.$how >out"
		done
		command_as top top-ours "$round" "exec ht-top $ours.plain >out"
		command_as top html-ours "$round" "exec ht-html $ours.plain >out"
	done
	fact top html bytes "$(wc -c <"$dir/run/out")"
	rm -f "$theirs.plain" "$ours.plain"
}

# Over raw traces: all of it, the same without events, and the addresses of it
# given to eu-addr2line, module by module. clang has many addresses and no debug
# information, mstress few of them with, setops has many events.
bench_symbolize() {
	for name in clang mstress setops; do
		workload $name
		rm -rf "$dir/addresses"
		mkdir "$dir/addresses"
		eval "ht-record -q -o $dir/kept/raw.ht $command" \
		    >/dev/null 2>&1 </dev/null ||
		    die "cannot record $name"
		grep -v '^[-+cR] ' "$dir/kept/raw.ht" >"$dir/kept/stripped.ht"
		fact symbolize $name events \
		    "$(grep -c '^[-+] ' "$dir/kept/raw.ht")"
		perl "$T/addresses.pl" "$dir/addresses" \
		    <"$dir/kept/stripped.ht" >"$dir/addresses/all.sh"
		fact symbolize $name addresses "$(cat "$dir"/addresses/*.txt |
		    wc -l)"
		for round in $rounds; do
			[ "$round" -gt 3 ] && break
			command_as symbolize "$name-all" "$round" \
			    "exec ht-symbolize -q $dir/kept/raw.ht >out"
			command_as symbolize "$name-symbols" "$round" \
			    "exec ht-symbolize -q $dir/kept/stripped.ht >out"
			command_as symbolize "$name-eu" "$round" \
			    "exec sh $dir/addresses/all.sh >out"
		done
		rm -rf "$dir/kept/raw.ht" "$dir/kept/stripped.ht" "$dir/addresses"
	done
}

# callgrind FILE COMMAND…: instructions of it to FILE.
callgrind() {
	file=$1
	shift
	rm -f "$file"
	valgrind -q --tool=callgrind --callgrind-out-file="$file" "$@" \
	    >"$dir/run/out" 2>"$dir/run/err" </dev/null ||
	    die "valgrind $*: $(tail -n 3 "$dir/run/err")"
}

# The same binaries and inputs give the same counts, however busy the machine.
# What is counted is the difference of a long and a short run, so start-up
# is not in it.
bench_instructions() {
	command -v valgrind >/dev/null || die 'valgrind is missing'
	mkdir -p "$dir/run"
	depths='8 24 224'
	[ "$(scaled 100)" -gt 5 ] || depths=24
	for frames in $depths; do
		for pairs in 1000 5000; do
			rm -f "$dir/run/cg"
			ht-record -q -o "$dir/run/t.ht" valgrind -q \
			    --tool=callgrind --callgrind-out-file="$dir/run/cg" \
			    "$dir/bin/depth" $frames $pairs \
			    >"$dir/run/out" 2>"$dir/run/err" ||
			    die "callgrind fails: $(tail -n 3 "$dir/run/err")"
			perl "$T/instructions.pl" libht-preload.so \
			    <"$dir/run/cg" >"$dir/run/n$pairs"
		done
		[ "$(cat "$dir/run/n1000")" -gt 0 ] ||
		    die 'the preload library did not run under valgrind'
		fact instructions "pair-$frames" each "$(awk '
		    NR == FNR { a = $1; next } { printf "%.1f", ($1 - a) / 4000 }' \
		    "$dir/run/n1000" "$dir/run/n5000")"
	done
	# Real stacks: all of a small run, so with what the first sight of a
	# stack costs.
	[ "$depths" = 24 ] || for name in setops sqlite3 python3; do
		case $name in
		setops)	set -- "$dir/bin/setops" 1 ;;
		sqlite3)
			input sql 500 sql
			set -- sqlite3 :memory: ".read $input" ;;
		python3)
			input python 10 py
			set -- /usr/bin/python3 -S "$input" ;;
		esac
		rm -f "$dir/run/cg"
		ht-record -q -o "$dir/run/t.ht" valgrind -q --tool=callgrind \
		    --callgrind-out-file="$dir/run/cg" "$@" \
		    >"$dir/run/out" 2>"$dir/run/err" </dev/null ||
		    die "callgrind of $name: $(tail -n 3 "$dir/run/err")"
		n=$(perl "$T/instructions.pl" libht-preload.so <"$dir/run/cg")
		events=$(grep -c '^[-+] ' "$dir/run/t.ht")
		fact instructions "event-$name" each \
		    "$(awk -v n="$n" -v e="$events" 'BEGIN {
		    printf "%.1f", n / e }')"
	done
	for kind in raw named; do
		for events in 10000 30000; do
			input trace-$kind $events ht
			cp "$input" "$dir/run/$kind-$events.ht"
		done
	done
	for tool in symbolize-raw top-named; do
		for events in 10000 30000; do
			callgrind "$dir/run/cg" "$HT_OUT/bin/ht-${tool%-*}" -q \
			    "$dir/run/${tool#*-}-$events.ht"
			perl "$T/instructions.pl" <"$dir/run/cg" \
			    >"$dir/run/n$events"
		done
		fact instructions "ht-${tool%-*}" each "$(awk '
		    NR == FNR { a = $1; next } { printf "%.1f", ($1 - a) / 20000 }' \
		    "$dir/run/n10000" "$dir/run/n30000")"
	done
}

# --- all of it --------------------------------------------------------------

PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PYTHONMALLOC PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
rounds=$(awk -v n="$runs" 'BEGIN { for (i = 1; i <= n; i++) print i }')
workloads= reports=
for name in $BENCH; do
	case $name in
	top|symbolize|instructions)	reports="$reports $name" ;;
	*)	workloads="$workloads $name" ;;
	esac
done

: >"$dir/raw.tsv"
rm -f "$dir"/kept/*
fact - - date "$(date '+%Y-%m-%d %H:%M UTC')"
fact - - version "$(ht-record -V | head -n 1)"
fact - - heaptrack "$(heaptrack --version)"
fact - - commit "$(cd "$SRC" && git describe --always --dirty 2>/dev/null)"
fact - - cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
fact - - cpus "$(getconf _NPROCESSORS_ONLN)"
fact - - memory "$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)"
fact - - kernel "$(uname -sr)"
fact - - runs "$runs"
fact - - scale "$scale"
fact - - load_before "$(cut -d ' ' -f 1-3 /proc/loadavg)"

for name in $workloads; do
	workload "$name"
	# Once for the caches, not counted.
	(cd "$dir/run" && sh -c "exec $command" </dev/null >/dev/null 2>&1)
done
for round in $rounds; do
	# shellcheck disable=SC2086
	for name in $workloads; do
		say "round $round of $runs: $name"
		workload "$name"
		k=0
		while [ $k -lt "$times" ]; do
			for mode in $(rotated $((round - 1 + k)) $modes); do
				once "$name" "$mode" "$round"
			done
			k=$((k + 1))
		done
	done
done
for name in $workloads; do
	[ "$name" = true ] && continue
	count "$name" heaptrack
	count "$name" ht
done
for name in $reports; do
	say "$name"
	bench_$name
done
fact - - load_after "$(cut -d ' ' -f 1-3 /proc/loadavg)"
rm -rf "$dir/kept" "$dir/measured" "$dir/totals"

perl "$T/table.pl" "$dir/raw.tsv" "$dir/bench.tsv" >"$dir/bench.txt" || exit 1
perl "$T/plot.pl" <"$dir/bench.tsv" >"$dir/bench.svg" || exit 1
cat "$dir/bench.txt"
echo
echo "Also in $dir: bench.txt bench.tsv bench.svg raw.tsv"
