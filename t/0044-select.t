#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Windows, filters, allocation functions: ht-top's totals of random traces are
# those that a brute-force replay finds, which knows each block by its address.

. "${0%/*}/lib.sh"
need perl gzip zstd

plain="--disable-builtin-suppressions --disable-embedded-suppressions"

# Each line: what select.pl is told | what ht-top is told.
cat >cases <<'END'
 | 
from=100 | --from 0.1
to=500 | --to 500ms
to=500 | --at 0.5
from=50 to=300 | --from 0.05s --to 0.3
from=333 to=334 | --from 333ms --to 334ms
from=9999999 | --from 3h
from=96 to=320 | --from 0.1 --to 0.31 --bucket 16ms
from=256 to=512 | --from 256ms --to 512ms --bucket 128ms
to=1024 | --at 1.001 --bucket 64ms
function=grow | --filter grow
function=operator== | --filter operator==
function=xmalloc -function=Parser | --filter function=xmalloc --exclude Parser
file=parser | --filter file=/parser[.]cc$/
-module=libc | --exclude module=libc
module=libfoo file=x.c | --filter module=/foo[.]so/ --filter file=x.c
thread=worker | --filter thread=worker
-thread=thread | --exclude thread=thread
thread=main | --filter thread=/^main$/
min=8 max=8 | --filter size=8
min=100 max=4096 | --filter size=100..4k
min=4096 | --filter size=4k..
max=0 | --filter size=..0
alloc=xmalloc ignore=grow | --alloc-fn xmalloc --ignore-fn grow
ignore=Parser::intern | --ignore-fn Parser::intern
alloc=xmalloc alloc=helper ignore=main | --alloc-fn /^(xmalloc|helper)$/ --ignore-fn main
ignore=std::vector<int>::reserve | --ignore-fn std::vector<int>::reserve
from=100 to=700 function=helper min=16 | --from 0.1 --to 0.7 --filter helper --filter size=16..
END
seed=1
while [ $seed -le ${SEEDS:-12} ]; do
	perl "$T/prog/random.pl" $seed >r.ht
	wrong=
	while IFS='|' read -r theirs ours; do
		perl "$T/prog/select.pl" r.ht $theirs >want 2>want.err ||
		    wrong="$wrong; select.pl $theirs: $(cat want.err)"
		run "$BIN/ht-top" --totals $plain $ours r.ht
		[ "$status$(err)" = 0 ] && cmp -s out want ||
		    wrong="$wrong; $ours: $(diff want out | tr '\n' ' ')"
	done <cases
	is "$wrong" "" "seed $seed: $(grep -c '|' cases) selections"
	seed=$((seed + 1))
done

# Percentages, of a file and of each of its traces; not of a pipe.
perl "$T/prog/random.pl" 5 >r.ht
end=$("$BIN/ht-top" --totals r.ht | awk '$1 == "runtime_ms" { print $2 }')
run "$BIN/ht-top" --totals --from "$((end / 4))ms" --to "$((end / 2))ms" r.ht
cp out want
run "$BIN/ht-top" --totals --from 25% --to 50% r.ht
same out want "25% to 50%"
width=$((end / 8 + 1))
run "$BIN/ht-top" --totals --from "${width}ms" --to "$((2 * width))ms" r.ht
cp out snapped
run "$BIN/ht-top" --totals --from 15% --to 24% --bucket ${width}ms r.ht
same out snapped "of whole buckets"
gzip <r.ht >r.gz
run "$BIN/ht-top" --totals --from 25% --to 50% r.gz
same out want "of a compressed file"
run sh -c 'exec "$0" --totals --from 25% --to 50% <r.ht' "$BIN/ht-top"
same out want "of a file as stdin"
cat r.ht r.ht >rr.ht
run "$BIN/ht-top" --totals --from 25% --to 50% r.ht r.ht
cp out want
run "$BIN/ht-top" --totals --from 25% --to 50% rr.ht
same out want "each trace has its own"
run "$BIN/ht-top" --totals r.ht
cp out want
run "$BIN/ht-top" --totals --from 0% --to 100% r.ht
same out want "0% to 100% is all"
run sh -c 'cat r.ht | "$0" --totals --to 50%' "$BIN/ht-top"
is "$status $(err)" \
    "1 ht-top: stdin: a window in percent needs a file, which can be read twice" \
    "not of a pipe"

# Windows next to each other add up.
for name in allocations total_bytes; do
	sum=0
	for w in '--to 0.2' '--from 0.2 --to 0.5' '--from 0.5'; do
		run "$BIN/ht-top" --totals $w r.ht
		sum=$((sum + $(said $name)))
	done
	run "$BIN/ht-top" --totals r.ht
	is "$sum" "$(said $name)" "windows add up: $name"
done

# Wrong selections say what is right.
while IFS='|' read -r args message; do
	run "$BIN/ht-top" $args r.ht
	is "$status" 2 "$args: wrong usage"
	like "$(err)" "$message" "$args: says why"
done <<'END'
--filter=|an empty pattern
--filter function=|an empty pattern
--filter size=x|is no size
--filter size=..|is no size
--filter size=9..8|is no size
--filter fonction=x|'fonction' is not one of function, file, module, thread, kind, size
--filter /(/|is no regular expression
--exclude /[/|is no regular expression
--from x|is no time
--from 1.2345|is no time
--to 101%|is no time
--at -1|is no time
--at 1 --to 2|--at goes with
--from 2 --to 1|not before
--bucket 16ms|goes with --from, --to or --at
--from 1 --bucket 0|is no width
--from 1 --bucket 5%|is no width
--from 1 --bucket x|is no time
--suppressions nowhere|cannot open 'nowhere'
--follow --to 50%|no percentages
END

# Suppressions.
cat >leaks.ht <<'END'
v 100 3
#H f ht-record 0.1.0
#H 12 ht-symbolize 0.1.0
X ./app
S leak:^known$
s 8 /bin/app
s 5 known
s 7 keep_it
s 6 leaker
s 6 main.c
s 5 main2
i 1 1 2
i 2 1 3 5 a
i 3 1 4 5 b
i 4 1 6 5 c
t 4 0
t 1 1
t 2 1
t 3 1
a 1 2
a 10 3
a 100 4
+ 0
+ 1
+ 2
#E exit 0
END
leaked() {
	run "$BIN/ht-top" --totals "$@" leaks.ht
	[ $status = 0 ] || fail "$* is good" "$(err)"
	said leaked
}
is "$(leaked)" 272 "embedded ones are in force"
is "$(leaked --disable-embedded-suppressions)" 273 "unless not wanted"
is "$(leaked --at 1h)" 273 "and not for what was live at a moment"
suppress() {
	printf '# these\n\n  leak:%s  \n' "$1" >supp
	leaked --disable-embedded-suppressions --suppressions supp
}
is "$(suppress keep)" 257 "part of a name"
is "$(suppress '^keep')" 257 "its start"
is "$(suppress '^eep')" 273 "not its start"
is "$(suppress 'it$')" 257 "its end"
is "$(suppress 'k*p*t$')" 257 "with gaps"
is "$(suppress '*')" 0 "anything"
is "$(suppress 'main.c')" 0 "a file"
is "$(suppress 'bin/app')" 0 "a module"
is "$(suppress '^main2$')" 0 "a caller"
printf 'leak:a\nrace:b\n' >supp
run "$BIN/ht-top" --suppressions supp leaks.ht
is "$status" 2 "what is no suppression is an error"
like "$(err)" "supp:2: no suppression: 'race:b'" "which names the line"

# A file that grows, plain and compressed, until its trace ends.
run "$BIN/ht-top" --totals r.ht
cp out want
for pack in cat "gzip -c" "zstd -qc"; do
	$pack <r.ht >whole
	n=$(wc -c <whole)
	: >growing
	"$BIN/ht-top" --totals --follow growing >out 2>err &
	pid=$!
	background $pid
	sleep 0.2
	head -c $((n / 2)) whole >>growing
	sleep 0.3
	ok 'kill -0 $pid' "--follow waits: $pack"
	tail -c +$((n / 2 + 1)) whole >>growing
	wait $pid
	is "$? $(cat err)" "0 " "--follow ends with the trace: $pack"
	same out want "--follow has read it all: $pack"
done

# A profile has no events.
printf '# ht-profile 1\n' >p
run "$BIN/ht-top" --totals --to 1 p
is "$status" 1 "a window of a profile"
like "$(err)" 'p: this is a profile, and --from, --to and --at need the trace' "says why not"

done_testing
