#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A child forked by a program that is recorded has what was put into that, and
# shares its ring: it can be attached to itself, and the recording of its parent
# goes on.
. "${0%/*}/lib.sh"

R=$BIN/ht-record

cat >f.c <<'E'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile sig_atomic_t fork_now, stop;
static void
on_signal(int sig)
{
	if (sig == SIGUSR1)
		fork_now = 1;
	else
		stop = 1;
}
static void
work(void)
{
	void *volatile p = malloc(100);

	free(p);
	usleep(100);
}
/* f: allocates; forks on SIGUSR1 a child that does, too; both until SIGTERM. */
int
main(void)
{
	pid_t child = 0;
	int status = 0;

	signal(SIGUSR1, on_signal);
	signal(SIGTERM, on_signal);
	puts("ready");
	fflush(stdout);
	while (!stop) {
		work();
		if (fork_now && !child && (child = fork()) == 0) {
			while (!stop)
				work();
			_exit(7);
		}
	}
	if (child) {
		kill(child, SIGTERM);
		waitpid(child, &status, 0);
	}
	printf("%d\nok\n", WEXITSTATUS(status));
	return 0;
}
E
gcc -w -O1 -o f f.c || fail 'gcc'
./f >prog.out 2>prog.err &
pid=$!
background $pid
wait_for 10 'grep -q ready prog.out'
"$R" -q -p $pid -o parent.ht 2>parent.err &
recorder=$!
background $recorder
wait_for 10 'grep -aqs "^+" parent.ht'
kill -USR1 $pid
wait_for 10 'child=$(ps -o pid= --ppid $pid | tr -d " ") && [ -n "$child" ]'
background $child
for i in 1 2; do
	run "$R" -q -p $child -o child.ht --duration 100ms
	is "$status $(err)" '0 ' "the child is attached to, $i"
	ok 'grep -aq "^+" child.ht' "and recorded, $i"
done
before=$(wc -c <parent.ht)
ok 'wait_for 10 "[ \$(wc -c <parent.ht) -gt $before ]"' \
    'the recording of its parent goes on'
kill -INT $recorder
wait $recorder
is "$? $(tail -n 1 parent.ht)" '0 #E detached' 'until it is ended'
kill $pid
wait $pid
is "$? $(tr '\n' ' ' <prog.out)" '0 ready 7 ok ' 'both end as they would'
done_testing
