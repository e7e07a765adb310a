#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What README.md says of aarch64: the library that goes into programs builds,
# with no warning, and does nothing to one that is not recorded.
. "${0%/*}/lib.sh"

if ! command -v aarch64-linux-gnu-gcc >/dev/null; then
	skip 'aarch64' 'there is no aarch64-linux-gnu-gcc'
	done_testing
fi
need qemu-aarch64

export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
cc=aarch64-linux-gnu-gcc
run make -s -C "$SRC" CC=$cc WERROR=1 OUT="$TMP/arm" \
    "$TMP/arm/lib/libht-preload.so"
is "$status $(err)" '0 ' 'the library builds'
like "$(readelf -h arm/lib/libht-preload.so)" 'Machine: *AArch64' 'for aarch64'
$cc -O2 -w -fno-builtin -o churn "$T/prog/churn.c" || fail 'builds churn.c'
run qemu-aarch64 ./churn 50 20
plain=$status
cp out plain
run qemu-aarch64 -E LD_PRELOAD="$TMP/arm/lib/libht-preload.so" ./churn 50 20
is $status $plain 'a program with it: its status'
same out plain 'a program with it: its output'
done_testing
