#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# stdout is a terminal: ht-record does the whole job.
. "${0%/*}/lib.sh"
need script tmux

# on_terminal COMMAND: runs it in a terminal of its own; what it showed to
# $TMP/screen, its status to $status.
on_terminal() {
	t_ran="script: $1"
	: >err
	timeout -k 5 60 script -q -e -c "$1" /dev/null </dev/null \
	    >screen.raw 2>&1
	status=$?
	tr -d '\r' <screen.raw >screen
}

mkdir here
on_terminal "cd here && '$BIN/ht-record' '$PROG/grow' 3"
is $status 3 'the program'\''s status'
set -- here/ht.grow.*.gz
is $# 1 'one file, in the current directory'
ok "[ -s $1 ]" "named ht.PROGRAM.PID.gz: ${1##*/}"
like "${1##*/}" '^ht\.grow\.[0-9]+\.gz$' 'with the pid'
is "$(ls here | wc -l)" 1 'and nothing else'
zcat "$1" >t.ht
replay --strict --functions t.ht
is "$(re symbolised)" 1 'symbolised'
is "$(re end)" 'exit 3' 'whole'
is "$(re pid)" "$(echo "${1##*/}" | cut -d. -f3)" 'the pid is the program'\''s'
like "$(cat re)" '^function	grow	2	1	200' 'with its functions'
like "$(cat screen)" 'ht-record: grow exited with 3 after [0-9.]+ m?s' \
    'says how it ended'
like "$(cat screen)" '^ *allocations +2( |$)' 'says: allocations'
like "$(cat screen)" 'temporary +1 ' 'says: temporary'
like "$(cat screen)" '^ *leaked .*100 B.*1 block|^ *leaked .*1 block.*100 B' 'says: leaked'
like "$(cat screen)" '^ *peak +100 B' 'says: peak'
like "$(cat screen)" "written to ${1##*/} " 'says where it was written'
like "$(cat screen)" "^ *ht-top ${1##*/}" 'says what to type next'
run "$BIN/ht-top" "$1"
is $status 0 'and that works'
like "$(out)" 'grow' 'and shows the function'

rm -rf here
mkdir here
on_terminal "cd here && '$BIN/ht-record' sh -c 'echo seen; echo also >&2'"
like "$(cat screen)" '^seen$' 'the program'\''s stdout is on the terminal'
like "$(cat screen)" '^also$' 'and its stderr'

# It has the terminal.
rm -rf here
mkdir here
on_terminal "cd here && '$BIN/ht-record' -q sh -c 'test -t 0 && test -t 1 && test -t 2 && echo all three'"
like "$(cat screen)" '^all three$' 'the program'\''s streams are the terminal'
is "$(grep -c ht-record screen)" 0 '-q: no word of ours'
is "$(ls here | wc -l)" 1 '-q: the file all the same'

rm -rf here
mkdir here
on_terminal "cd here && '$BIN/ht-record' sh -c 'kill -SEGV \$\$'"
is $status 139 'killed: 128 + the signal'
like "$(cat screen)" 'signal 11|SIGSEGV|[Ss]egmentation' 'killed: said'

# -o wins.
rm -rf here
mkdir here
on_terminal "cd here && '$BIN/ht-record' -o x.ht '$PROG/grow'"
is "$(ls here)" x.ht '-o FILE on a terminal: that file only'

# A directory where nothing can be written: the program is not run for nothing.
rm -rf here
mkdir here
if [ "$(id -u)" != 0 ]; then
	chmod 555 here
	on_terminal "cd here && '$BIN/ht-record' echo ran"
	is $status 125 'a directory that cannot be written: 125'
	unlike "$(cat screen)" '^ran' 'and the program does not run'
else
	skip 'a directory that cannot be written' 'root can write it'
fi

server=ht-test-$$
# Ctrl-C on the terminal: the program decides what it means.
cat >trap.sh <<'END'
trap 'echo got it; exit 7' INT
echo ready
while :; do sleep 0.05; done
END
# (The trap: Ctrl-C is for all of the terminal; its shell is to live on.)
tmux -L "$server" -f /dev/null new-session -d -x 100 -y 30 \
    "trap : INT; cd '$TMP'; '$BIN/ht-record' sh trap.sh; echo status \$?; sleep 60"
tmux_screen() {
	tmux -L "$server" capture-pane -p -t 0 >pane 2>&1
}
wait_for 20 'tmux_screen; grep -q ready pane'
tmux -L "$server" send-keys -t 0 C-c
wait_for 20 'tmux_screen; grep -q "^status" pane'
like "$(cat pane)" '^(\^C)?got it' 'Ctrl-C reaches the program'
like "$(cat pane)" '^status 7' 'which ends as it likes'
like "$(cat pane)" 'ht-record: sh exited with 7' 'ht-record lives on to tell'
set -- ht.sh.*.gz
zcat "$1" >t.ht 2>gz.err
is "$(cat gz.err)" '' 'the file is whole'
replay --strict t.ht
is "$(re end)" 'exit 7' 'to its last line'
tmux -L "$server" kill-server 2>/dev/null

server=ht-test-$$-2
tmux -L "$server" -f /dev/null new-session -d -x 100 -y 30 \
    "trap : INT; cd '$TMP'; rm -f ht.*; '$BIN/ht-record' sleep 100; echo status \$?; sleep 60"
wait_for 20 'ls ht.sleep.*.gz >/dev/null 2>&1'
sleep 0.3
tmux -L "$server" send-keys -t 0 C-c
wait_for 20 'tmux_screen; grep -q "^status" pane'
like "$(cat pane)" '^status 130' 'Ctrl-C kills a program that lets it: 130'
set -- ht.sleep.*.gz
zcat "$1" >t.ht
replay --strict t.ht
is "$(re end)" 'signal 2' 'and the trace says so'
tmux -L "$server" kill-server 2>/dev/null
done_testing
