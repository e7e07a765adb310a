#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is restricted, the program or who attaches to it: it is recorded, or one
# clear sentence says why not, and it goes on as it would.
. "${0%/*}/lib.sh"
need strace unshare

R=$BIN/ht-record

cat >s.c <<'E'
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
/* s [strict]: allocates for as long as there is input; in seccomp's strict
 * mode, where more than reading and writing is its end. */
int
main(int argc, char *argv[])
{
	void *volatile p;
	char c;

	puts("ready");
	fflush(stdout);
	if (argc > 1 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 1;
	while (read(0, &c, 1) == 1)
		for (int i = 0; i < 1000; i++) {
			p = malloc(i % 500);
			free(p);
		}
	if (write(1, "ok\n", 3) != 3)
		return 1;
	syscall(SYS_exit, 0);
	return 0;
}
E
gcc -w -O1 -o s s.c || fail 'gcc'

# start COMMAND…: with input until ends_well; its pid to $pid.
start() {
	rm -f prog.out lines
	mkfifo lines
	"$@" <lines >prog.out 2>prog.err &
	pid=$!
	background $pid
	yes '' >lines 2>yes.err &
	feeder=$!
	background $feeder
	wait_for 10 'grep -q ready prog.out'
}

ends_well() {
	kill $feeder
	wait $pid
	is "$? $(tail -n 1 prog.out)" '0 ok' "$1: ends as it would"
}

start ./s strict
for i in 1 2 3; do
	run "$R" -q -p $pid -o t.ht --duration 30ms
	[ $status = 0 ] || break
done
is $status 0 'strict seccomp: attach and detach, three times'
is "$(tail -n 1 t.ht)" '#E detached' 'strict seccomp: #E detached'
ok '[ "$(grep -ac "^+" t.ht)" -gt 100 ]' 'strict seccomp: it is recorded'
ends_well 'strict seccomp'

cat >32.c <<'E'
void
_start(void)
{
	for (;;)
		__asm__ volatile("int $0x80" : : "a"(29)); /* pause */
}
E
pid=
if gcc -w -m32 -nostdlib -static -fno-pic -no-pie -o 32 32.c 2>gcc.err; then
	./32 &
	pid=$!
	background $pid
	sleep 0.1
fi
if [ -n "$pid" ] && kill -0 $pid 2>/dev/null; then
	run "$R" -p $pid -o t.ht
	is $status 1 '32 bits: status 1'
	like "$(err)" "^ht-record: cannot record process $pid: it is a program for 32-bit x86" \
	    '32 bits: which says it'
	ok 'kill -0 $pid' '32 bits: it lives'
else
	skip '32 bits' 'no such program runs here'
fi

if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null ||
    ! unshare --mount true; then
	skip 'another user' 'root only'
	done_testing
fi
cp -r "$BIN" bin && mkdir lib && cp "$LIB"/*.so lib
chmod -R a+rX . && chmod a+w .
user='setpriv --reuid 65534 --regid 65534 --clear-groups'

# yama SCOPE PATTERN: an attach where the system has this scope, and the kernel
# says what it then says.
yama() {
	run unshare --mount sh -c '
		mount -t tmpfs none /proc/sys/kernel &&
		mkdir /proc/sys/kernel/yama || exit 99
		echo $1 >/proc/sys/kernel/yama/ptrace_scope
		exec $3 strace -f -qq -o /dev/null -P /proc/$2/mem \
		    -e trace=openat --inject=openat:error=EACCES \
		    bin/ht-record -p $2 -o n.ht' sh $1 $pid "$user"
	is $status 1 "Yama, $1: status 1"
	like "$(err)" "^ht-record: cannot record process $pid: $2" \
	    "Yama, $1: which says it"
}
start $user ./s
if kill -0 $pid 2>/dev/null && grep -q ready prog.out; then
	yama 1 'this system lets only root attach .*sudo sysctl kernel.yama.ptrace_scope=0$'
	yama 3 'this system lets no process be attached to'
	run $user strace -f -qq -o /dev/null -e trace=ptrace \
	    --inject=ptrace:error=EPERM bin/ht-record -p $pid -o n.ht
	is $status 1 'no ptrace: status 1'
	like "$(err)" "^ht-record: cannot record process $pid: ptrace is forbidden here" \
	    'no ptrace: which says it'
	ends_well 'no ptrace'
	start $user ./s strict
	run $user bin/ht-record -p $pid -o n.ht
	is $status 1 'seccomp, no root: status 1'
	like "$(err)" "^ht-record: cannot record process $pid: its system calls are restricted" \
	    'seccomp, no root: which says it'
	ends_well 'seccomp, no root'
else
	skip 'Yama' 'the program is out of its reach'
fi
done_testing
