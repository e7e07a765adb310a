#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Filters of seccomp that would kill the program for a system call of the
# recorder's: by every way into one, and in whatever starts under one.
. "${0%/*}/lib.sh"

R=$BIN/ht-record
for how in prctl syscall; do
	for way in thread fork exec spawn; do
		run -s "$PROG/seccomp" $how $way "$PROG/grow" 3
		plain=$status
		cp out plain
		case $way in
		exec)	is $plain 3 "$how, $way: runs" ;;
		*)	is $plain 5 "$how, $way: runs" ;;
		esac
		for options in '-o t.ht' '--follow -o t.%p.ht'; do
			run -s "$R" -q $options "$PROG/seccomp" $how $way \
			    "$PROG/grow" 3
			is $status $plain "$how, $way, $options: its status"
			same out plain "$how, $way, $options: its output"
		done
	done
done

# What it allocates under the filter is recorded, in every thread.
record "$PROG/seccomp" syscall thread
symbolize t.ht
replay --functions t.sym
is "$(awk -F '\t' '$1 == "function" && $2 == "work" { print $3, $4 }' re)" \
    '2000 2000' 'all of it is recorded'
done_testing
