#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Forks, execs and chains of them: the process that was started is recorded,
# whatever it becomes, and no other.
. "${0%/*}/lib.sh"

R=$BIN/ht-record

function_is() {
	got=$(awk -F '\t' -v n="$2" '$1 == "function" && $2 == n {
		print $3, $4, $5 }' re)
	want=$(awk -F '\t' -v n="$2" '$1 == "function" && $2 == n {
		print $3, $4, $5 }' out)
	[ -n "$want" ] || want='(it did not say)'
	is "$got" "$want" "$1: $2 as it counted itself"
}

# --- forks with threads running --------------------------------------------
record "$PROG/forker"
is $status 0 'forker: no child goes wrong'
is "$(err)" '' 'forker: says nothing'
symbolize t.ht
replay --strict --functions t.sym
function_is forker busy
function_is forker parent
unlike "$(cat re)" '^function	child	' 'forker: the children are not in it'
is "$(re unknown_frees) $(re doubles) $(re lost) $(re traces)" '0 0 0 1' \
    'forker: one trace, whole'

# A child that outlives the program, and one that outlives ht-record.
run "$R" -q -o t.ht sh -c "(sleep 0.3; '$PROG/grow'; echo later >late) & exit 4"
is $status 4 'a child that goes on: the status of the program'
replay --strict t.ht
is "$(re end)" 'exit 4' 'the trace ends with the program'
wait_for 10 '[ -s late ]'
is "$(cat late)" later 'and the child goes on in peace'

# A program that ignores its zombies.
run "$R" -q -o t.ht sh -c 'trap "" CHLD; true & true & sleep 0.1; exit 6'
is $status 6 'SIGCHLD ignored: the status'

# --- exec chains -----------------------------------------------------------
cat >script <<END
#!/bin/sh
exec "$PROG/counts" "\$@"
END
cat >outer <<END
#!$TMP/script2
END
cat >script2 <<END
#!/bin/sh
exec "$PROG/counts"
END
chmod +x script script2 outer
run "$PROG/counts"
cp out plain
for chain in "env" "env A=B" "env -i" "env -u LD_PRELOAD" "sh -c 'exec \"\$0\"'" \
    "nice" "setsid -w" "timeout 50" "sh -c 'env \"\$0\"; exit'" \
    "perl -e 'exec @ARGV'" "env sh -c 'exec env \"\$0\"'" \
    "sh -c 'LD_PRELOAD= exec \"\$0\"'"; do
	eval "run '$R' -q -o t.ht $chain '$PROG/counts'"
	is $status 0 "$chain: status"
	same out plain "$chain: output"
	case $chain in
	*exit\'|timeout*)
		# These fork: the recorded process is the launcher.
		replay --strict t.ht
		ok '[ "$(re allocations)" -lt 3000 ]' \
		    "$chain: a child is not recorded"
		continue
		;;
	esac
	symbolize t.ht
	replay --strict --functions t.sym
	function_is "$chain" f_malloc
	function_is "$chain" f_realloc
	is "$(re traces) $(re end)" '1 exit 0' "$chain: one trace"
done
for s in script ./script ./script2; do
	run env PATH="$TMP:$PATH" "$R" -q -o t.ht $s
	same out plain "$s: output"
	symbolize t.ht
	replay --strict --functions t.sym
	function_is "$s" f_calloc
done
# An interpreter that is a script itself.
run ./outer
plain=$status
cp out plain.outer
run "$R" -q -o t.ht ./outer
is $status $plain 'a script run by a script: status'
same out plain.outer 'a script run by a script: output'

# A launcher that lived for longer is there, marked as one.
run "$R" -q -o t.ht sh -c "sleep 0.3; exec '$PROG/grow' 5"
is $status 5 'a slow launcher: status'
replay --strict t.ht
is "$(re launchers) $(re traces) $(re end)" '1 1 exit 5' \
    'a slow launcher: its trace, then that of the program'
is "$(re allocations)" 2 'of which only the second counts'
totals t.ht
is "$(total allocations)" 2 'for ht-top too'
is "$(grep -c '^v ' t.ht)" 2 'two v lines'

# exec that fails: the program lives on.
run "$R" -q -o t.ht sh -c "exec /nonexistent/x 2>/dev/null; echo not reached"
is $status 127 'exec fails in sh: its status'
run "$R" -q -o t.ht perl -e '{ no warnings; exec "/nonexistent/x"; } exec "/"; $x .= "a" x 99999 for 1..50; print "on\n"'
is "$(out)" on 'exec fails in perl: it goes on'
replay --strict t.ht
is "$(re end)" 'exit 0' 'and its trace does'
ok '[ "$(re total_bytes)" -gt 5000000 ]' 'with what came after'

# What cannot be recorded after an exec is said, not a failure.
if echo 'int main(void) { return 9; }' >s.c && gcc -static -o static s.c; then
	run "$R" -q -o t.ht sh -c 'exec ./static'
	is $status 9 'exec of a static program: its status'
	like "$(tail -n 1 t.ht)" '^#E ' 'and a trace that is whole'
else
	fail 'gcc -static works'
fi

# --- exec while eight threads allocate -------------------------------------
for ms in 1 4 12; do
	record "$PROG/execrace" 6 $ms
	is $status 0 "exec with threads running, every $ms ms: runs"
	symbolize t.ht
	replay --strict --functions t.sym
	function_is "execrace $ms" last
	is "$(re end)" 'exit 0' "every $ms ms: whole"
done
record --buffer 64k "$PROG/execrace" 5 5
is $status 0 'the same with a small ring: runs'
symbolize t.ht
replay --strict --functions t.sym
function_is 'execrace, small ring' last
record "$PROG/execrace" 2 120
is $status 0 'images that are written: runs'
symbolize t.ht
replay --strict --functions t.sym
function_is 'execrace 120' last
is "$(re launchers) $(re traces)" '2 1' 'two launchers, one program'
done_testing
