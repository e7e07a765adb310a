#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What ht-record knows of machine code, against objdump: the length of every
# instruction of real libraries, and where each jump leads.
. "${0%/*}/lib.sh"
need objdump

[ "$(uname -m)" = x86_64 ] || {
	skip 'instructions' 'for x86-64 only'
	done_testing
}
for lib in $(ldd "$BIN/ht-symbolize" | grep -oE '/[^ ]*(libc|libzstd|libz|libstdc..)\.so[^ ]*') ; do
	objdump -d -w "$lib" >dis
	run sh -c "$PROG/lengths <dis"
	set -- $(err)
	ok "[ '${1:-0}' -gt 10000 ]" "${lib##*/}: ${1:-0} instructions"
	is "$(grep -v '^refused:' out)" '' "${lib##*/}: none is taken wrongly"
	# xbegin names a place too, and is in no function of ours.
	is "$(grep '^refused:' out | grep -v xbegin)" '' \
	    "${lib##*/}: none is unknown"
done
done_testing
