#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is the program's stays the program's: descriptors, threads, signals,
# limits; it may close, forbid and leave what it likes.
. "${0%/*}/lib.sh"

R=$BIN/ht-record

run "$PROG/belongings" 50
is $status 0 'belongings: runs'
cp out plain
for options in '' '--lossy' '--buffer 64k' '--unwind libunwind'; do
	run "$R" -q -o t.ht $options "$PROG/belongings" 50
	same out plain "recorded, it finds nothing of ours: ${options:-(plain)}"
done
run sh -c "exec 5</dev/null 9>/dev/null; exec '$PROG/belongings'"
cp out plain
run sh -c "exec 5</dev/null 9>/dev/null; exec '$R' -q -o t.ht '$PROG/belongings'"
same out plain 'with descriptors of its own'
run sh -c "exec 5</dev/null 9>/dev/null; exec '$R' -q -o t.ht env '$PROG/belongings'"
same out plain 'behind an exec'
run sh -c "exec <&- ; exec '$PROG/belongings'"
cp out plain
run sh -c "exec <&- ; exec '$R' -q -o t.ht '$PROG/belongings'"
same out plain 'with stdin closed'
run sh -c "ulimit -n 64; ulimit -c 0; exec '$PROG/belongings'"
cp out plain
run sh -c "ulimit -n 64; ulimit -c 0; exec '$R' -q -o t.ht '$PROG/belongings'"
same out plain 'with limits'

# as_said NAME: the function's counts.
as_said() {
	symbolize t.ht
	replay --strict --functions t.sym
	got=$(awk -F '\t' -v n="$2" '$1 == "function" && $2 == n {
		print $3, $4, $5 }' re)
	want=$(awk -F '\t' '$1 == "function" { print $3, $4, $5 }' out)
	is "$got" "${want:-(it did not say)}" "$1: as it counted itself"
	is "$(re unknown_frees) $(re doubles) $(re lost) $(re cut)" '0 0 0 0' \
	    "$1: nothing lost"
}

mkdir files
record "$PROG/closer" "$TMP/files"
is $status 0 'closes all descriptors, opens its own: runs'
is "$(err)" '' 'and finds nothing strange'
as_said closer alloc
for fd in 4 5 6 7 8 9; do
	ok "[ \"\$(cat files/file$fd)\" = file$fd ]" "its file$fd is as it was"
done
run "$R" -q -o t.ht env "$PROG/closer" "$TMP/files"
is $status 0 'the same behind an exec'

for way in strict filter as nofile fsize; do
	record "$PROG/jail" $way
	is $status 0 "jail $way: runs"
	is "$(err)" '' "jail $way: says nothing"
	as_said "jail $way" inside
done
record --buffer 64k "$PROG/jail" strict
is $status 0 'jail strict with a ring that is full at once: runs'
as_said 'jail strict, small ring' inside

if [ "$(id -u)" = 0 ]; then
	mkdir root
	for way in user "chroot $TMP/root"; do
		record "$PROG/jail" $way
		is $status 0 "jail ${way%% *}: runs"
		as_said "jail ${way%% *}" inside
		record --buffer 64k "$PROG/jail" $way
		as_said "jail ${way%% *}, small ring" inside
	done
	# A program started as another user by a launcher.
	if command -v setpriv >/dev/null; then
		record setpriv --reuid 65534 --regid 65534 --clear-groups \
		    "$PROG/counts"
		is $status 0 'setpriv: runs'
		symbolize t.ht
		replay --strict --functions t.sym
		like "$(cat re)" '^function	f_malloc	1000	1000	' \
		    'setpriv: recorded as another user'
	fi
else
	skip 'jail user' 'not root'
	skip 'jail chroot' 'not root'
fi

# Little memory for it all.
for kib in 2000000 500000 150000; do
	[ $sanitized = no ] || continue
	run sh -c "ulimit -v $kib; '$R' -q -o t.ht '$PROG/counts'"
	# For the recorder as well: it may say that this is too little.
	[ $status = 125 ] && grep -q 'ht-record: cannot .*allocate' err &&
	    status=0
	is $status 0 "ulimit -v $kib: runs, or says why not"
done
run sh -c "exec '$R' -q -o t.ht sh -c 'ulimit -v 200000; exec \"\$0\"' '$PROG/counts'"
is $status 0 'ulimit -v 200000 for the program only: runs'
done_testing
