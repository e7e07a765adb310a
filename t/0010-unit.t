#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The unit tests of t/unit, each a cmocka program.
. "${0%/*}/lib.sh"

export CMOCKA_MESSAGE_OUTPUT=TAP
for source in "$T"/unit/*.c; do
	name=$(basename "$source" .c)
	run "$UNIT/$name"
	[ "$status" = 0 ] || sed 's/^/# /' out err >&2
	n=$(grep -c "^[[:space:]]*ok" out)
	ok '[ "$status" = 0 ] && [ "$n" -gt 0 ]' "$name: $n tests"
done

done_testing
