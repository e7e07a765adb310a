#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Children that are followed where something is short or goes wrong: each runs
# as it does alone.
. "${0%/*}/lib.sh"

R=$BIN/ht-record

# as_ever NAME FILES COMMAND…: the same with --follow, and so many traces, all
# with an end.
as_ever() {
	t_name=$1 t_files=$2
	shift 2
	run -s "$@"
	t_plain=$status
	cp out plain
	cp err plain.err
	rm -rf d
	mkdir -m 777 d
	run -s "$R" -q --follow -o 'd/%n.%p.ht' "$@"
	is $status $t_plain "$t_name: its status"
	same out plain "$t_name: its output"
	same err plain.err "$t_name: its stderr"
	is "$(ls d | wc -l)" "$t_files" "$t_name: traces"
	is "$(tail -qn 1 d/* | grep -vc '^#E exit')" 0 "$t_name: whole ones"
}

as_ever 'few descriptors' 5 sh -c "ulimit -n 16; '$PROG/jail' nofile
    for i in 1 2 3; do '$PROG/grow' \$i; echo \$?; done"
as_ever 'files of no size' 2 sh -c "'$PROG/jail' fsize; echo \$?"
as_ever 'stdout closed' 3 sh -c "exec >&-; '$PROG/grow' 3; echo \$? >&2
    '$PROG/counts'; echo \$? >&2"
as_ever 'a chain of sessions' 3 sh -c \
    "setsid sh -c \"setsid '$PROG/grow' 4; echo \\\$?\"; echo \$?"
if [ "$(id -u)" = 0 ]; then
	mkdir root
	as_ever 'an empty root' 2 sh -c "'$PROG/jail' chroot '$TMP/root'; echo \$?"
	as_ever 'another user' 2 sh -c "'$PROG/jail' user; echo \$?"
	cp "$(command -v id)" other
	chown 65534 other
	chmod 4755 other
	# Its environment is cleared: it cannot know.
	as_ever 'a setuid program' 1 sh -c './other; echo $?'
else
	skip 'an empty root' 'not root'
	skip 'another user' 'not root'
	skip 'a setuid program' 'not root'
fi
if [ $sanitized = no ]; then
	for kib in 20000 200000 1000000; do
		run -s sh -c "ulimit -v $kib; '$PROG/counts'; echo \$?"
		cp out plain
		run -s "$R" -q --follow -o 'v.%p.ht' \
		    sh -c "ulimit -v $kib; '$PROG/counts'; echo \$?"
		same out plain "ulimit -v $kib: as ever"
	done
fi

# A full disk.
mkdir tiny
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k tmpfs tiny 2>/dev/null; then
	run "$R" --follow -o 'tiny/%p.ht' "$PROG/family"
	is $status 7 'a full disk: the status'
	is "$(wc -l <out)" 12 'a full disk: the output'
	like "$(err)" 'No space left on device: the trace is not complete' \
	    'and that is said'
	umount tiny
else
	skip 'a full disk' 'nothing can be mounted'
fi

# ht-record is killed at many moments; the tree runs on.
cat >tree.sh <<'END'
for i in 1 2 3 4 5 6; do
	sh -c "'$1'" &
	"$2" 3
	echo "grow $?"
done
wait
END
sh tree.sh "$PROG/counts" "$PROG/grow" 2>&1 | sort >plain
for ms in 0.03 0.1 0.2 0.4; do
	rm -f on.$ms
	"$R" -q --follow -o 'k.%n.%p.ht' sh -c \
	    "sh tree.sh '$PROG/counts' '$PROG/grow' >got.$ms 2>&1
	    echo \$? >on.$ms" 2>k.err &
	pid=$!
	background $pid
	wait_for 20 "[ -e got.$ms ]"
	sleep $ms
	kill -KILL $pid 2>/dev/null # it may have ended
	wait $pid 2>/dev/null
	wait_for 20 "[ -s on.$ms ]"
	sort got.$ms >got
	is "$(cat on.$ms)" 0 "SIGKILL to ht-record after $ms s: the tree goes on"
	same got plain "SIGKILL after $ms s: and says the same"
done

# A process with threads forks: its children start threads that allocate.
run "$R" -q --follow -o 'f.%p.ht' "$PROG/nursery" 30
is $status 0 'forks between threads: status'
is "$(ls f.*.ht | wc -l)" 31 'a file for each'
for f in f.*.ht; do
	tail -n 1 $f | grep -q '#E exit 7' || continue
	symbolize $f
	replay --functions t.sym
	awk -F '\t' '$1 == "function" && $2 == "make" { print $3, $4 }' re
done | sort | uniq -c | awk '{ print $1, $2, $3 }' >sums
is "$(cat sums)" "30 $(said each) $(said each)" 'and what all threads of it did'
done_testing
