#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files that heaptrack recorded: ht-top and heaptrack_print say the same of
# them, in total and by function, interpreted and raw, gzip and zstd.
#
# Known mistake of heaptrack_print: it remembers the class allocated last as a
# number, and 0 when there is none, so a free of class 0 that follows a free
# counts as temporary. awk counts both ways here: the true number is ours.

. "${0%/*}/lib.sh"
need heaptrack heaptrack_print jq sqlite3 cppcheck python3 zstd gzip perl

interpret=
for f in /usr/lib/heaptrack/libexec/heaptrack_interpret \
    /usr/libexec/heaptrack_interpret /usr/lib/*/libexec/heaptrack_interpret; do
	[ -x "$f" ] && interpret=$f
done
ok '[ -n "$interpret" ]' "heaptrack_interpret is found"

# theirs NAME: what heaptrack_print calls it, in $TMP/print.
theirs() {
	sed -n "s/^$1: \([0-9.]*\).*/\1/p" print
}

# Sums by function: name<TAB>count<TAB>bytes, of either's report of section
# $1 (allocations or temporary). Bytes are rounded in both.
cat >functions.pl <<'END'
use strict;
my ($who) = @ARGV;
my %unit = (B => 1, K => 1e3, kB => 1e3, M => 1e6, MB => 1e6, G => 1e9,
    GB => 1e9);
my (%n, %b, $n, $b);
my @line = <STDIN>;
for (my $i = 0; $i < @line; $i++) {
	my $name;
	if ($who eq 'print') {
		$_ = $line[$i];
		if (/^(\d+) calls to allocation functions with ([\d.]+)([BKMG]) peak/) {
			($n, $b) = ($1, $2 * $unit{$3});
		} elsif (/^(\d+) temporary allocations of (\d+) allocations/) {
			($n, $b) = ($1, $2);
		} else {
			next;
		}
		chomp($name = $line[++$i]);
		if ($name =~ /^0x/) {
			$i++ while $line[$i] !~ /^  in /;
			$line[$i] =~ m{([^/ ]+)$} or die;
			chomp($name = "$1");
			$name .= " (no symbol)";
			$name = "(unknown)" if $name =~ /^\?\?/;
		}
	} else {
		$line[$i] =~ /^ *([\d,]+) +[\d.]+ +([\d.,]+)(?: (\w+))?  (.*)$/
		    or next;
		($n, $b, $name) = ($1, $2, $4);
		my $u = $3;
		s/,//g for $n, $b;
		$b *= $unit{$u} if $u;
		$name =~ s/ i$//;
		$name =~ s/  .*//;
		$name = "(unknown)" if $name =~ /^0x/;
	}
	$n{$name} += $n;
	$b{$name} += $b;
}
print "$_\t$n{$_}\t$b{$_}\n" for sort keys %n;
END

# compare NAME FILE: one interpreted file, read by both.
compare() {
	name=$1 file=$2
	[ "$name" = python ] &&
	    heaptrack_print "$file" 2>&1 >/dev/null |
	    grep -q 'failed to parse line' &&
	    note "$name: heaptrack_print: failed to parse line"
	run heaptrack_print -a0 -p0 -T0 -l0 --disable-builtin-suppressions \
	    --disable-embedded-suppressions "$file"
	mv out print
	run "$BIN/ht-top" --totals --disable-builtin-suppressions "$file"
	is "$status $(err)" "0 " "$name: read in silence"
	mv out totals
	is "$(total allocations)" "$(theirs 'calls to allocation functions')" \
	    "$name: allocations"
	is "$(($(total runtime_ms) + 1))" \
	    "$(theirs 'total runtime' | tr -d . | sed 's/000$//; s/^0*//')" \
	    "$name: run time (theirs is one ms more)"
	about "$(total peak)" "$(bytes 'peak heap memory consumption')" \
	    "$name: peak"
	about "$(total peak_rss)" \
	    "$(bytes 'peak RSS (including heaptrack overhead)')" "$name: RSS"
	about "$(total leaked)" "$(bytes 'total memory leaked')" \
	    "$name: leaked"

	# Temporary, by their rule and without their mistake.
	case $file in
	*.gz)	gzip -dc "$file" ;;
	*.zst)	zstd -dqc "$file" ;;
	*)	cat "$file" ;;
	esac >plain
	awk '$1 == "+" { last = $2; slip = $2 }
	    $1 == "-" { n += $2 == last; m += $2 == slip
		last = "none"; slip = "0" }
	    BEGIN { last = "none"; slip = "0" }
	    END { print n + 0, m + 0 }' plain >temporary
	is "$(total temporary) $(theirs 'temporary memory allocations')" \
	    "$(cat temporary)" "$name: temporary, theirs with its mistake"

	# Every function.
	heaptrack_print -n 1000000 -s 0 -t 0 -p 0 -T 0 "$file" >print 2>&1
	perl functions.pl print <print >f.theirs
	run "$BIN/ht-top" -a -n 1000000 -s 0 -w 0 "$file"
	perl functions.pl top <out >f.ours
	is "$(cut -f 1,2 f.ours)" "$(cut -f 1,2 f.theirs)" \
	    "$name: calls of $(wc -l <f.ours) functions"
	is "$(join -t '	' -j 1 f.ours f.theirs | perl -F'\t' -lane '
	    my $d = abs($F[2] - $F[4]);
	    print if $d > 0.006 * $F[4] + 1')" "" "$name: their peaks"
	heaptrack_print -n 1000000 -s 0 -t 0 -a 0 -p 0 "$file" >print 2>&1
	perl functions.pl print <print >f.theirs
	run "$BIN/ht-top" -T -n 1000000 -s 0 -w 0 "$file"
	perl functions.pl top <out >f.ours
	slip=$(awk '{ print $2 - $1 }' temporary)
	is "$(diff f.ours f.theirs | grep -c '^>')" \
	    "$([ "$slip" -gt 0 ] && echo 1 || echo 0)" \
	    "$name: temporaries differ in the one function of class 0"
}

# `34.05K` and the like, as bytes.
bytes() {
	grep -F "$1: " print | sed 's/.*: //' | perl -ne '
	    my %u = (B => 1, K => 1e3, M => 1e6, G => 1e9);
	    /([\d.]+)(.)/ and print $1 * $u{$2}'
}

# about EXACT ROUNDED NAME: to the two digits that heaptrack prints.
about() {
	ok "perl -e 'exit !(abs($1 - $2) <= 0.005001 * 10 ** (3 * int(log($2 || 1) / log(1000) + 1e-9)))'" \
	    "$3: $1 is about $2"
}

perl -e 'srand 1; print "[", join(",", map { "{\"id\":$_,\"v\":[1,2,3.5]}" }
    1 .. 500), "]"' >in.json
perl -e 'print "int f$_(int a) { int b = a; for (int i = 0; i < a; i++) ",
    "if (b > $_) b -= i; return b; }\n" for 1 .. 20' >in.c
python=$(python3 -c 'import sys; print(sys.executable)')

# recorded NAME COMMAND…: interpreted in NAME.zst, raw in NAME.raw.
recorded() {
	name=$1
	shift
	heaptrack -o "$name" "$@" >/dev/null 2>&1
	heaptrack -r -o "$name" "$@" >/dev/null 2>&1
	zstd -dqc "$name.raw.zst" >"$name.raw"
	ok '[ -s "$name.zst" ] && [ -s "$name.raw" ]' "$name is recorded"
}

recorded jq jq '.[] | .v | add' in.json
recorded sqlite sqlite3 :memory: "create table t(a, b); \
with recursive c(x) as (select 1 union all select x + 1 from c where x < 2000) \
insert into t select x, hex(x) from c; select sum(length(b)) from t;"
recorded cppcheck cppcheck -q in.c
# The LF in this command is written as it is: heaptrack_print takes what follows
# for a broken record and says so; we do not.
PYTHONMALLOC=malloc
export PYTHONMALLOC
recorded python "$python" -c 'import json
print(len(json.dumps([{"a": i} for i in range(1000)])))'
unset PYTHONMALLOC

for name in jq sqlite cppcheck python; do
	compare "$name" "$name.zst"
	# The raw file: ours reads it as it is, theirs interprets it first.
	"$interpret" <"$name.raw" >"$name.interpreted" 2>/dev/null
	run "$BIN/ht-top" --totals --disable-builtin-suppressions "$name.raw"
	is "$status $(err)" "0 " "$name: raw, read in silence"
	mv out raw.totals
	run "$BIN/ht-top" --totals --disable-builtin-suppressions "$name.interpreted"
	same raw.totals out "$name: raw as interpreted"
	gzip -c "$name.raw" >"$name.raw.gz"
	run "$BIN/ht-top" --totals --disable-builtin-suppressions "$name.raw.gz"
	same raw.totals out "$name: raw, gzip"
	run "$BIN/ht-top" --totals --disable-builtin-suppressions "$name.raw.zst"
	same raw.totals out "$name: raw, zstd"
done
gzip -c jq.interpreted >jq.gz
compare "jq (gzip)" jq.gz

done_testing
