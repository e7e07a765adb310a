#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Children that are followed: each has a trace of its own that says what the
# process itself counted; what cannot be recorded runs as ever.
. "${0%/*}/lib.sh"

R=$BIN/ht-record

# --- how it is asked for ---------------------------------------------------
run "$R" --follow -o t.ht true
is $status 2 'a file for all: refused'
like "$(err)" "'t.ht': each process has a file of its own with --follow, so its name needs a %p" \
    'and says what is missing'
run "$R" --follow -o 't.%p.%x' true
is $status 2 'an unknown letter: refused'
like "$(err)" "after a % there can be p .*, n .* or another %" 'it names the known'
run "$R" --follow true
is $status 2 'no -o, and no terminal: refused'
like "$(err)" "name them, as in -o 't.%p.zst'" 'and says how'
run "$R" --follow -p 1
is $status 2 'not with -p'
run "$R" -q -o '%n-%%.ht' "$PROG/grow"
ok '[ -s grow-%.ht ]' '%n and %% without --follow'

# --- every way to make a child ---------------------------------------------
# its_own PID PARENT WAY ALLOCATIONS FREES BYTES: what one process has said.
its_own() {
	f=$(ls w.*."$1".zst 2>/dev/null)
	if [ ! -s "$f" ]; then
		fail "$3: has a file"
		return
	fi
	symbolize "$f"
	replay --functions t.sym
	is "$(awk -F '\t' '$1 == "function" && $2 == "work" {
		print $3, $4, $5 }' re)" "$4 $5 $6" "$3: as it counted itself"
	is "$(awk '$1 == "#P" { print $2, $3 }' t.sym)" \
	    "$(printf '%x %x' "$1" "$2")" "$3: its pid, and its parent's"
}

run "$PROG/family"
awk '{ print $1, $4, $5, $6, $7 }' out >plain
run "$R" --follow -o 'w.%n.%p.zst' "$PROG/family"
is $status 7 'family: its status'
awk '{ print $1, $4, $5, $6, $7 }' out >followed
same followed plain 'family: its output'
grep -c . followed >n
is "$(cat n)" 12 'twelve processes'
while read -r _ pid parent way allocations frees bytes; do
	its_own "$pid" "$parent" "$way" "$allocations" "$frees" "$bytes"
	case $way in
	fork)
		is "$(re unknown_frees)" 1 'fork: it freed a block of its parent'
		like "$(cat t.sym)" '^A$' 'fork: and began as a running program'
		;;
	spawn|vfork|fork-exec)
		unlike "$(cat t.sym)" '^A$' "$way: a program from its start" ;;
	esac
	is "$(re end)" "exit $([ "$way" = first ] && echo 7 || echo 0)" \
	    "$way: its end"
done <out
# The two shells of system and popen are there too, or have executed the rest.
between 12 "$(ls w.* | wc -l)" 14 'no file of a child that never allocated'
like "$(err)" 'followed 1[123] processes: [0-9,]* allocations; 1[0-3] never held as much as 100 kB' \
    'one line tells of them all'

# Without, they are left alone.
run "$R" -q -o 'x.%p.ht' "$PROG/family"
is "$(ls x.*.ht | wc -l) $status" '1 7' 'without --follow: one file'

# --- many ------------------------------------------------------------------
mkdir many
run "$R" --follow -o 'many/%p.ht' "$PROG/family" many 300
is $status 0 '300 forks: status'
is "$(ls many | wc -l)" 301 'a file for each'
is "$(cat many/*.ht | grep -c '^+ ')" "$(said allocations)" \
    'and in all of them what the program counted'
is "$(tail -qn 1 many/*.ht | sort | uniq -c | awk '{ print $1, $2, $3, $4 }')" \
    '301 #E exit 0' 'each with its status'
like "$(err)" "followed 300 processes: $(said allocations) allocations; 300 never" \
    'and so say the statistics'
is "$(grep -c 'many/' "$TMP/err")" 12 'which name the ten largest'

# All at once: how often each of a thousand ticks and looks is what they can
# all do, and there are more than are recorded.
mkdir crowd
run "$R" --follow -o 'crowd/%p.ht' "$PROG/family" crowd 1100
is "$status $(said failed)" '0 0' '1,100 at once: none notices'
is "$(ls crowd | wc -l)" 1001 'a thousand of them are recorded'
is "$(tail -qn 1 crowd/*.ht | sort | uniq -c | awk '{ print $1, $2, $3, $4 }')" \
    '1001 #E exit 0' 'to their ends'
like "$(err)" '^ht-record: 100 processes could not be recorded: at most 1000' \
    'and the others counted'

# A small ring, and stacks compared with libunwind's.
run env HT_VERIFY=1 "$R" --follow --buffer 64k -o 'v.%p.ht' "$PROG/family"
is $status 7 'verified: status'
like "$(err)" '^verified: [0-9]* stacks, 0 differences$' 'every stack is right'
is "$(err | grep -c ', 0 differences')" 2 'of the program and of its children'

# --- a build ---------------------------------------------------------------
mkdir src
for i in 1 2 3 4 5 6; do
	echo "int f$i(int x) { return x + $i; }" >src/f$i.c
done
printf 'int f6(int);\nint main(void) { return f6(1); }\n' >src/main.c
cat >src/Makefile <<'END'
o = $(patsubst %.c,%.o,$(wildcard *.c))
all: $(o)
	gcc -o all $(o)
%.o: %.c
	gcc -O2 -c -o $@ $<
END
run make -s -j2 -C src
cp src/all plain.all
rm src/all src/*.o
run "$R" --follow -q -o 'b.%n.%p.gz' make -s -j2 -C src
is "$status $(err)" '0 ' 'make: as ever'
same src/all plain.all 'make: the same program'
is "$(ls b.cc1.* | wc -l) $(ls b.as.* b.*-as.* 2>/dev/null | wc -l)" '7 7' \
    'make: each compiler and each assembler'
for f in b.cc1.*; do
	zcat "$f" | tail -n 1
done >ends
is "$(sort -u ends)" '#E exit 0' 'make: whole traces'

# --- ends ------------------------------------------------------------------
# Processes that outlive the program are waited for.
run "$R" -q --follow -o 'd.%n.%p.ht' sh -c \
    "(setsid sh -c \"sleep 0.4; '$PROG/grow' 3\" &) ; exit 4"
is $status 4 'a daemon: the status is of the program'
is "$(tail -n 1 d.grow.*.ht)" '#E exit 3' 'a daemon: recorded to its end'

# Not when we are told to end: it runs on.
"$R" -q --follow -o 's.%n.%p.ht' sh -c \
    "(setsid sh -c 'sleep 3; echo on >on' &) ; exit 5" 2>s.err &
pid=$!
background $pid
wait_for 10 'ls s.sleep.*.ht >/dev/null 2>&1'
kill -TERM $pid
wait $pid
is $? 5 'SIGTERM: the status is of the program'
is "$(tail -n 1 s.sleep.*.ht)" '#E stopped' 'SIGTERM: the traces end'
wait_for 10 '[ -s on ]'
is "$(cat on)" on 'SIGTERM: what was recorded runs on'

# A child that is killed; one whose parent is.
run "$R" -q --follow -o 'k.%p.ht' sh -c \
    'sh -c "kill -KILL \$\$" 2>/dev/null; echo $?'
is "$(out)" 137 'a killed child: its parent sees that'
like "$(tail -qn 1 k.*.ht)" '^#E signal 9$' 'and its trace'

# --- what stands in the way ------------------------------------------------
for way in strict filter as nofile; do
	run -s "$PROG/jail" $way
	plain=$status
	cp out plain
	run "$R" -q --follow -o 'j.%p.ht' sh -c "'$PROG/jail' $way; exit \$?"
	is $status $plain "a child in a jail, $way: its status"
	same out plain "a child in a jail, $way: its output"
done
# No descriptor is left to ask with: it is not recorded, nothing else.
run "$R" -q --follow -o 'n.%p.ht' perl -e '
	1 while open $f[@f], "<", "/dev/null";
	$p = fork; if (!$p) { $x .= "a" x 9999 for 1..50; print length $x; exit 3 }
	waitpid $p, 0; print " ", $? >> 8'
is "$(out)" '499950 3' 'no descriptor left: the child goes on'

# A directory that is not there.
run "$R" -q --follow -o 'none/%n.%p.ht' "$PROG/grow"
is $status 125 'a directory that is not there: said at once'
done_testing
