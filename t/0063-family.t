#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every function of malloc's family, sizes of all kinds, deep stacks, handlers,
# exceptions: the counts that the programs give themselves, by function.
. "${0%/*}/lib.sh"

# by_function PROGRAM [ARG…]: for each `function` line that the program
# prints, the trace has the same numbers.
by_function() {
	record --addresses "$PROG/$1" ${2+"$2"}
	is $status 0 "$*: runs as ever"
	is "$(err)" '' "$*: says nothing"
	symbolize t.ht
	replay --strict --functions --stacks t.sym
	grep '^function' out >said
	while read -r _ name allocations frees bytes; do
		got=$(awk -F '\t' -v n="$name" '
			{ sub(/\(.*/, "", $2) }
			$1 == "function" && $2 == n {
				a += $3; f += $4; b += $5 }
			END { printf "%d %d %.0f", a, f, b }' re)
		is "$got" "$allocations $frees $bytes" "$1: $name"
	done <said
	is "$(re cut)" 0 "$1: every stack goes to its root"
	is "$(re unknown_frees) $(re doubles) $(re lost)" '0 0 0' \
	    "$1: every free meets its block"
}

by_function counts
is "$(re leaked_blocks)" 505 'counts: what is left'

by_function big
ok '[ "$(said huge)" -ge 1 ]' 'big: there were blocks of 4 GiB and more'
is "$(re leaked)" 16777221 'big: one stays'

by_function life
by_function sigalt

# A handler's stack goes on behind the frame that was interrupted.
like "$(cat re)" '^stack	([^;]*;)*main;spin;([^;]*;)?on_timer	' \
    'sigalt: the handler stands on what the timer interrupted'
like "$(cat re)" '^stack	([^;]*;)*main;touch;([^;]*;)?on_fault	' \
    'sigalt: and on what the fault interrupted'

by_function throw
like "$(cat re)" '^stack	([^;]*;)*main;afterwards\(?\)?	100	0	1100	' \
    'throw: after exceptions and longjmp the stack is short again'
like "$(cat re)" '^stack	([^;]*;)*main(;jumper[^;]*){30}	50	0	50	' \
    'throw: each depth is its own'
like "$(cat re)" '^stack	([^;]*;)*main(;thrower[^;]*){20}	50	50	50	' \
    'throw: below the exceptions too'

by_function deep
depth=$(awk -F '\t' '$1 == "stack" {
	n = gsub(/;down/, ";down", $2); if (n > m) m = n } END { print m }' re)
is "$depth" 10000 'deep: 10,000 frames, all of them'
n=$(grep -c '^stack' re)
is "$n" 101 'deep: and one stack for each hundredth'

record "$PROG/deep" 100000
is $status 0 'deep 100000: runs'
symbolize t.ht
replay --functions t.sym
is "$(awk -F '\t' '$1 == "function" && $2 == "bottom" { print $3, $4, $5 }' re)" \
    "$(awk -F '\t' '$2 == "bottom" { print $3, $4, $5 }' out)" \
    'deep 100000: counts'
ok '[ "$(re nodes)" -gt 100000 ]' 'deep 100000: all frames'
done_testing
