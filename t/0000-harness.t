#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The harness itself: what it calls a failure is one.
. "${0%/*}/lib.sh"

t_san_ok=yes
inner() {
	{
		echo ". '$T/lib.sh'"
		cat
		echo done_testing
	} >"$TMP/inner"
	mkdir -p "$TMP/t"
	sed "s|^SRC=.*||" "$T/lib.sh" >"$TMP/t/lib.sh"
	sed "1s|.*|. '$TMP/t/lib.sh'|" "$TMP/inner" >"$TMP/t/x.t"
	run sh "$TMP/t/x.t"
}

inner <<'END'
ok '[ 1 = 1 ]' one
is a a two
isnt a b three
between 1 2 3 four
like 'a
bcd' '^b.d$' five
unlike abc d six
run sh -c 'echo o; echo e >&2; exit 3'
is "$(out) $(err) $status" 'o e 3' seven
run -s sh -c 'kill -ABRT $$'
is $status 134 eight
echo x >a; echo x >b
same a b nine
END
is $status 0 'what holds passes'
is "$(grep -c '^ok ' "$TMP/out")" 9 'a line for each'
like "$(tail -n 1 "$TMP/out")" '^1\.\.9$' 'the plan comes last'

for bad in "ok '[ 1 = 2 ]' x" 'is a b x' 'isnt a a x' 'between 1 4 3 x' \
    "between 1 '' 3 x" 'between 1 -2 3 x' 'like abc d x' 'unlike abc b x' \
    "run sh -c 'kill -SEGV \$\$'" 'LIMIT=1 run sleep 9' \
    "run sh -c 'echo ==1==ERROR: AddressSanitizer: x >&2'" \
    "run sh -c 'echo a.c:1:2: runtime error: x >&2'" \
    'echo x >a; echo y >b; same a b x' 'need no-such-tool-here' 'fail x'; do
	inner <<END
$bad
END
	ok '[ $status = 1 ]' "a failure: $bad"
	like "$(out)" '^not ok 1 - ' "and said so: $bad"
done

inner <<'END'
fail x
pass y
END
is $status 1 'one failure fails the script'

inner </dev/null
is $status 1 'no tests at all is a failure'
done_testing
