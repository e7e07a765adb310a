#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-top(1) and ht-events(5): no complaint of mandoc; options, usage and page
# agree; the examples of the format go through the tools.

. "${0%/*}/lib.sh"
need mandoc perl

for page in ht-top.1 ht-events.5; do
	run mandoc -Tlint -Wwarning "$SRC/man/$page"
	is "$status $(out)" "0 " "$page: mandoc has no complaint"
done

# Options: the page, the usage text.
run "$BIN/ht-top" -h
grep -Eo '^ +(-[A-Za-z], )?(    )?--[a-z-]+' out | tr -d ' ' | sort >usage
perl -ne 'next unless s/^\.It (Fl )//;
    $short = s/^([A-Za-z]) , // ? "-$1," : "";
    print "$short-$1\n" if /^(-[a-z-]+)/' \
    "$SRC/man/ht-top.1" | sort >page
is "$(cat page)" "$(cat usage)" "ht-top.1 and -h have the same options"

# The synopsis and the usage line.
perl -ne 'last if /^usage/ .. /^Reads/ and /^Reads/;
    print "$1\n" while /\[(-[^\] ]*)/g' out | tr -d '[]' | sort >usage
perl -ne '$in = /SYNOPSIS/ if /^\.Sh/; next unless $in;
    print "-$1\n" if /^\.Op Fl (\S+)/' "$SRC/man/ht-top.1" | sort >page
is "$(cat page)" "$(cat usage)" "synopsis and usage agree"

# The totals' names, in order.
run "$BIN/ht-top" --totals "$T/data/valid/example.ht"
is "$(perl -ne '$in = /Ss Totals/ if /^\.S[sh]/;
    print "$1\n" if $in && /^\.It (\w+)/' "$SRC/man/ht-top.1")" \
    "$(cut -f 1 out)" "the totals are those of the page"

# The literal texts of ht-events(5): two traces and what they add up to.
perl -ne '
    if (/^\.Bd -literal/) { open F, ">", "example." . ++$n; next }
    if (/^\.Ed/) { close F; undef $open; next }
    $open = /^\.Bd/ ? 1 : $open;
    print F $_ if fileno F' "$SRC/man/ht-events.5"
for i in 1 2; do
	run "$BIN/ht-top" --totals example.$i
	is "$status $(err)" "0 " "example $i is a trace"
	is "$(grep -Fxf example.3 out)" "$(cat example.3)" \
	    "example $i adds up as the page says"
done
same example.1 "$T/data/valid/example.ht" "it is the corpus's example"
same example.2 "$T/data/valid/example-symbolized.ht" "the symbolised one too"
if command -v heaptrack_print >/dev/null; then
	run heaptrack_print example.2
	is "$(err)" "" "heaptrack_print reads it without a word"
	like "$(out)" '^calls to allocation functions: 2 ' "and agrees"
fi

# Every record that the page names is read, every one read is named.
is "$(grep -Eo "^	case '[A-Z]'" "$SRC/libht/evread.c" |
    grep -Eo '[A-Z]' | sort -u | tr -d '\n')" \
    "$(grep -Eo '^\.It Sy #?[A-Z] ?' "$SRC/man/ht-events.5" |
	grep -Eo '[A-Z] ?$' | tr -d ' ' | sort -u | tr -d '\n')" \
    "the letters of records"

# The diagnostics.
for text in 'is not defined' 'the trace ends in mid-air (no #E line)' \
    "this is no trace: it does not begin with a 'v' line"; do
	ok 'grep -Fq "$text" "$SRC/man/ht-top.1" &&
	    tr -d "\n\t\"" <"$SRC/libht/evread.c" | grep -Fq "${text%%(*}"' \
	    "a diagnostic: $text"
done

done_testing
