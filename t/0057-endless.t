#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Memory grows with stacks and classes, never with events: a stream of twenty
# times as many takes no more. What it adds up to its writer has counted.
. "${0%/*}/lib.sh"

short=1000000 long=20000000
# What a sanitizer keeps of what was freed grows.
[ $sanitized = no ] || short=100000 long=300000

# largest EVENTS COMMAND…: KiB of it, reading so many events from a pipe.
largest() {
	events=$1
	shift
	run sh -c '"$PROG/stream" "$0" 2>truth | "$PROG/maxrss" rss "$@"' \
	    $events "$@"
	is "$status $(err)" '0 ' "${*##*/}: $events events"
	kib=$(cat rss)
}

for command in ht-top ht-fold ht-massif ht-aggregate; do
	largest $short "$BIN/$command"
	small=$kib
	largest $long "$BIN/$command"
	[ $sanitized = yes ] ||
	    between 1 "$kib" $((small + 1024)) "$command: no more memory"
done

largest $long "$BIN/ht-top" --totals --disable-builtin-suppressions
is "$(grep -c . truth)" 6 'the writer counted'
is "$(grep -vxFf out truth)" '' 'as its writer counted'
done_testing
