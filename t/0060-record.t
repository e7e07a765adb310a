#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ht-record's manners: what goes where, options, statuses.
. "${0%/*}/lib.sh"

R=$BIN/ht-record

# --- the example of ht-events(5) -------------------------------------------
run -s "$R" -q -o t.ht "$PROG/grow" kill
is $status 137 "status of a killed program"
is "$(err)" '' '-q: nothing on stderr'
replay --strict t.ht
is "$(re allocations) $(re frees) $(re temporary)" '2 1 1' 'allocations, frees'
is "$(re leaked_blocks) $(re leaked) $(re peak)" '1 100 100' 'leaked, peak'
is "$(re total_bytes)" 200 'total bytes'
is "$(re end)" 'signal 9' 'how it ended'
is "$(re cut) $(re lost) $(re doubles) $(re unknown_frees)" '0 0 0 0' \
    'no stack is cut, nothing lost, nothing unmatched'
is "$(head -n 1 t.ht | grep -Ec '^v [0-9a-f]+ 3$')" 1 'first line: v'
is "$(tail -n 1 t.ht)" '#E signal 9' 'last line: #E'
like "$(cat t.ht)" '^#H [0-9a-f]+ ht-record [0-9.]+( |$)' '#H names the tool'
like "$(cat t.ht)" "^x [0-9a-f]+ $PROG/grow\$" 'x: the path of the executable'
like "$(cat t.ht)" "^X $PROG/grow kill\$" 'X: the command line'
like "$(cat t.ht)" '^I 1000 [0-9a-f]+$' 'I: pages'
like "$(cat t.ht)" '^#P [0-9a-f]+ [0-9a-f]+ [0-9a-f]+$' '#P: the process'
like "$(cat t.ht)" '^#B [0-9a-f]+ [0-9a-f]+ [0-9a-f]+ .*/grow$' '#B: build id'
like "$(cat t.ht)" '^m [0-9a-f]+ .*/grow [0-9a-f]+( [0-9a-f]+ [0-9a-f]+)+$' \
    'm: the module'
is "$(grep -c '^a 64 ' t.ht)" 2 'a: two classes of 100 bytes'
is "$(awk '/^#B/ { b = NR } /^m / && b != NR - 1 { print }' t.ht |
    grep -c grow)" 0 '#B stands directly before its m line'

# Its build id is the file's.
want=$(readelf -n "$PROG/grow" 2>/dev/null | sed -n 's/.*Build ID: //p')
like "$(cat t.ht)" "^#B [0-9a-f]+ $want " 'the build id is that of the file'

# --- the three streams -----------------------------------------------------
cat >talk.sh <<'END'
read -r line
echo "out: $line"
echo "err: $line" >&2
exit 3
END
echo hello >in
run "$R" -q -o t.ht sh talk.sh <in
is "$(out)" 'out: hello' '-o: stdout is the program'\''s'
is "$(err)" 'err: hello' '-o: stderr too'
is $status 3 'its status'
replay t.ht
is "$(re end)" 'exit 3' 'and in the trace'

run "$R" -q sh talk.sh <in
is $status 3 'without -o: its status'
is "$(err)" 'out: hello
err: hello' 'without -o: its stdout goes to stderr'
cp out piped.ht
replay --strict piped.ht
is "$(re end)" 'exit 3' 'without -o: stdout is the trace'

run "$R" -q -o - sh talk.sh <in
is $status 3 '-o -: its status'
cp out piped.ht
replay piped.ht

run "$R" -o t.ht sh talk.sh <in
like "$(err)" '^err: hello$' 'without -q: the program'\''s stderr'
like "$(err)" 'ht-record: .*sh .*3' 'and statistics: name and status'
like "$(err)" 'allocations' 'and statistics: allocations'
like "$(err)" 'leaked' 'and statistics: leaked'
like "$(err)" 'temporary' 'and statistics: temporary'
like "$(err)" 'peak' 'and statistics: peak'

# The recorder closes nothing that the program was given.
run sh -c "exec 7<in; '$R' -q -o t.ht sh -c 'cat <&7'"
is "$(out)" hello 'descriptors that were open stay open'

# Arguments and environment arrive as they are.
run "$R" -q -o t.ht printf '[%s]' -a '' 'b c' --help -- '*'
is "$(out)" '[-a][][b c][--help][--][*]' 'arguments are passed as they are'
run "$R" -q -o t.ht -- echo -q
is "$(out)" -q 'a -- before the program'
env | sort >env.without
run "$R" -q -o t.ht sh -c 'env; :'
grep -v '^_=' env.without >want.env
sort out | grep -v '^_=' >got.env
same got.env want.env 'a child of the program has the environment it would have'
run "$R" -q -o t.ht env
sort out | grep -v '^_=' >got.env
same got.env want.env 'and so has the program'
# (The sanitizer's own library would have to come first.)
set -- env LD_PRELOAD="$PROG/nextcount" "$R" -q -o t.ht
[ $sanitized = no ] ||
    set -- "$R" -q -o t.ht env LD_PRELOAD="$PROG/nextcount"
run "$@" sh -c 'echo "$LD_PRELOAD"; sh -c "echo \$LD_PRELOAD"; :'
is "$(out)" "$PROG/nextcount
$PROG/nextcount" 'the user'\''s own LD_PRELOAD stays'
run "$R" -q -o t.ht env LD_PRELOAD="$PROG/nextcount" NEXTCOUNT="$TMP/nc" \
    "$PROG/grow"
is "$(said allocations nc)" 2 'and works'

# --- output files ----------------------------------------------------------
run "$R" -q -o t.gz "$PROG/grow"
is "$(od -An -tx1 -N2 t.gz | tr -d ' ')" 1f8b '-o FILE.gz is compressed'
zcat t.gz >z.ht
replay z.ht
is "$(re allocations)" 2 'and whole'
run "$R" -q -o t.zst "$PROG/grow"
zstd -dcq t.zst >z.ht
replay z.ht
is "$(re allocations)" 2 '-o FILE.zst is compressed, and whole'

cp t.ht before.ht
run "$R" -q -o "$TMP/no/such/dir/x" touch ran
is $status 125 'an output file that cannot be made: 125'
like "$(err)" "^ht-record: cannot (open|write) '$TMP/no/such/dir/x': No such file" \
    'said'
ok '[ ! -e ran ]' 'and the program does not run'

# --- options ---------------------------------------------------------------
run "$R"
is $status 2 'no program: 2'
like "$(err)" '^ht-record: ' 'said'
like "$(err)" '^usage: ht-record ' 'and the usage'
is "$(out)" '' 'on stderr'
run "$R" -h
is $status 0 '-h: 0'
like "$(out)" '^usage: ht-record ' 'usage on stdout'
is "$(err)" '' 'nothing on stderr'
cp out h1
run "$R" --help
same out h1 '--help is -h'
run "$R" -V
is $status 0 '-V: 0'
like "$(out)" '^ht-record [0-9]+\.[0-9]+\.[0-9]+.* 3' \
    '-V: the version and the format version'
run "$R" --no-such-option true
is $status 2 'an unknown option: 2'
like "$(err)" 'no-such-option' 'named'
run "$R" -o
is $status 2 'a missing value: 2'
for bad in --buffer=0 --buffer=x --buffer=12q --buffer= --interval=0 \
    --interval=-1 --interval=abc --unwind=guess --unwind=; do
	run "$R" -q $bad -o t.ht touch ran
	is $status 2 "$bad: 2"
	like "$(err)" "^ht-record: .*${bad%%=*}" "$bad: names the option"
	ok '[ ! -e ran ]' "$bad: the program does not run"
done
run "$R" --unwind=guess true
like "$(err)" 'rules.*libunwind' 'an unknown value: the known ones are listed'

run "$R" -q --buffer 64k -o t.ht "$PROG/counts"
replay t.ht
n=$(re allocations)
run "$R" -q --buffer 1M -o t.ht "$PROG/counts"
replay t.ht
is "$(re allocations)" "$n" '--buffer changes no number'
run "$R" -q --unwind libunwind -o t.ht "$PROG/counts"
is $status 0 '--unwind libunwind'
replay --strict t.ht
is "$(re allocations)" "$n" '--unwind libunwind: the same number'

run "$R" -q --interval 1 -o fast.ht "$PROG/killme" k 1 300000 end
run "$R" -q --interval 100ms -o slow.ht "$PROG/killme" k 1 300000 end
fast=$(grep -c '^c ' fast.ht) slow=$(grep -c '^c ' slow.ht)
ok "[ $fast -ge 30 ] && [ $slow -le 8 ]" \
    "--interval: $fast ticks of 1 ms, $slow of 100 ms"
run "$R" -q -o t.ht sleep 0.3
replay t.ht
between 250 "$(re runtime_ms)" 2000 'the run time is in the trace'
between 100000 "$(re peak_rss)" 100000000 'and the resident set'

run "$R" -q --addresses -o t.ht "$PROG/counts"
replay --strict t.ht
is "$(re addresses)" "$n" '--addresses: each block has one'
run "$R" -q -o t.ht "$PROG/counts"
replay t.ht
is "$(re addresses)" 0 'without: none'

# --- the same without and with ---------------------------------------------
for cmd in 'echo hello' 'sh -c "echo a; echo b >&2; exit 41"' 'ls -la /usr/include' \
    'sh -c "kill -TERM \$\$"' 'sh -c "kill -KILL \$\$"' 'false' \
    'sh -c "exit 255"' 'cat /nonexistent/file'; do
	eval "run -s $cmd"
	cp out plain.out
	# What the shell says of a job that was killed is not the program's.
	grep -Ev '^(Terminated|Killed)$' err >plain.err
	plain=$status
	eval "run -s '$R' -q -o t.ht $cmd"
	is $status $plain "status as without: $cmd"
	same out plain.out "stdout as without: $cmd"
	same err plain.err "stderr as without: $cmd"
done
done_testing
