#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# C++ with an allocator that brings its own operators new and delete, in every
# form: by what the program counts, and what the allocator counts itself.
. "${0%/*}/lib.sh"

[ "$(uname -m)" = x86_64 ] || {
	skip 'operators' 'for x86-64 only'
	done_testing
}

# build NAME OPTION…: the program with an allocator.
build() {
	t_name=$1
	shift
	g++ -std=c++17 -O2 -g -w -fno-builtin -fno-optimize-sibling-calls \
	    -o "$t_name" "$T/prog/operators.cc" -Wl,--no-as-needed "$@" 2>cc.err ||
	    fail "builds $t_name" "$(head -n 5 cc.err)"
}

# One arena without a cache: then what it has counted is exact.
MALLOC_CONF=narenas:1,tcache:false
export MALLOC_CONF

# by_function NAME COMMAND…: each function that the program names has the same
# numbers in the trace.
by_function() {
	t_name=$1
	shift
	run env $t_env "$@"
	is $status 0 "$t_name: runs"
	mv out plain
	HT_VERIFY=1 run env $t_env "$BIN/ht-record" -o t.ht "$@"
	is $status 0 "$t_name: and does when it is recorded"
	like "$(err)" 'verified: .* 0 differences' "$t_name: no stack differs"
	unlike "$(err)" 'not all' "$t_name: all is hooked"
	same out plain "$t_name: with the same output"
	symbolize t.ht
	replay --strict --functions t.sym
	functions_as out "$t_name"
	ok "[ $(wc -l <want) -ge 13 ]" "$t_name: every form"
	is "$(re unknown_frees) $(re lost)" '0 0' \
	    "$t_name: every free meets its block, none twice"
}

# thrown NAME: what the exceptions went through, and what they took.
thrown() {
	is "$(said throws)" 1 "$1: exceptions pass"
	is "$(re doubles)" 0 "$1: and no free is missed"
	is "$(awk -F '\t' '{ sub(/\(.*/, "", $2) } $2 == "f_handler" {
		print $3, $4, $5 }' re)" '1 1 5000' \
	    "$1: a new_handler frees what was kept for it"
	like "$(awk -F '\t' '$2 == "__cxa_allocate_exception" {
		print ($3 == $4) }' re)" 1 "$1: exceptions are freed"
}
counted() {
	is "$(said its_allocations) $(said its_frees)" \
	    "$(said allocations) $(said frees)" "$1: its own counts are these"
}

t_env=
build libc
for lib in jemalloc tcmalloc tcmalloc_minimal; do
	build $lib -l$lib
	by_function $lib ./$lib
	thrown $lib
	counted $lib
done
build mimalloc -lmimalloc
by_function mimalloc ./mimalloc nothrow

# Preloaded by the user, in a program that knows nothing of it.
for lib in jemalloc tcmalloc_minimal; do
	so=$(ldd ./$lib | sed -n "s/.*lib$lib[^ ]* => \([^ ]*\) .*/\1/p")
	t_env=LD_PRELOAD=$so
	by_function "LD_PRELOAD=${so##*/}" ./libc
	thrown "LD_PRELOAD=${so##*/}"
	counted "LD_PRELOAD=${so##*/}"
done

# In the executable itself, at an address of its choice or not, known to the
# loader or to .symtab alone.
t_env=
echo '{ local: *; };' >local.map
static() {
	t_name=$1
	shift
	build $t_name "$@" -lpthread -ldl -lm
	isnt "$(nm $t_name | grep -ci ' t .*mallo')" 0 "$t_name: has it itself"
	by_function $t_name ./$t_name
	is "$(said throws)" 1 "$t_name: exceptions pass"
	counted $t_name
}
a=$(g++ -print-file-name=libjemalloc.a)
static jemalloc-within "$a"
static jemalloc-no-pie -no-pie "$a"
static jemalloc-hidden -Wl,--version-script=local.map \
    "$(g++ -print-file-name=libjemalloc_pic.a)"
is "$(nm -D jemalloc-hidden | grep -c ' T .*malloc')" 0 \
    'jemalloc-hidden: and offers it to nobody'
# So large that what lies near its functions is all its own.
printf '.section .rodata\n.globl pad\npad: .space 0x6000000\n
	.section .note.GNU-stack\n' >pad.s
static jemalloc-large -fuse-ld=lld pad.s "$a"
rm jemalloc-large
static tcmalloc-within "$(g++ -print-file-name=libtcmalloc_minimal.a)"
done_testing
