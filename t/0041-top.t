#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-top: options, files, columns, notices.

. "${0%/*}/lib.sh"
V=$T/data/valid

run "$BIN/ht-top" -h
is "$status $(err)" "0 " "-h"
cp out usage
run "$BIN/ht-top" --help
is "$status $(cat usage)" "0 $(out)" "--help is the same"
run "$BIN/ht-top" -V
like "$(out)" '^ht-top [0-9.]+ \(format 3\)$' "-V"
for bad in --nonsense '-n' '-n x' '-w 5' '-s -1' '-d 1k'; do
	run "$BIN/ht-top" $bad "$V/example.ht"
	is "$status" 2 "'$bad' is a wrong usage"
	like "$(err)" '^usage: ht-top' "'$bad' shows the usage"
	between 3 "$(err | wc -l)" 12 'which leaves the message on the screen'
done

run "$BIN/ht-top" nowhere
is "$status $(err)" \
    "1 ht-top: cannot open 'nowhere': No such file or directory" \
    "no such file"
run "$BIN/ht-top" "$V/example.ht" nowhere
is "$status" 1 "one of two files is missing"
like "$(out)" 'PEAK MEMORY' "the other is reported"
run "$BIN/ht-top" .
is "$status $(err)" "1 ht-top: cannot read '.': Is a directory" "a directory"

# stdin, -, and several files.
run sh -c 'exec "$0" --totals - <"$1"' "$BIN/ht-top" "$V/example.ht"
same out "$V/example.totals" "- is stdin"
cat "$V/example.ht" "$V/example-symbolized.ht" "$V/example.ht" >all
run "$BIN/ht-top" --totals "$V/example.ht" "$V/example-symbolized.ht" \
    "$V/example.ht"
same out "$V/concatenated.totals" "three files are as one"

# Sections.
sections() {
	run "$BIN/ht-top" "$@" "$V/inlined.ht"
	grep -E '^(PEAK|MOST|MEMORY)' out | cut -d ' ' -f 1,2 | tr '\n' ';'
}
is "$(sections)" "PEAK MEMORY;MOST CALLS;MOST TEMPORARY;" "by default"
is "$(sections -l)" "MEMORY LEAKS;" "-l"
is "$(sections --leaks)" "MEMORY LEAKS;" "--leaks"
is "$(sections -a)" "MOST CALLS;" "-a"
is "$(sections -p)" "PEAK MEMORY;" "-p"
is "$(sections -T)" "MOST TEMPORARY;" "-T"
is "$(sections -lTap)" \
    "PEAK MEMORY;MOST CALLS;MOST TEMPORARY;MEMORY LEAKS;" "all four"

# Launchers.
run "$BIN/ht-top" --totals "$V/launcher.ht"
like "$(out)" '^allocations	1$' "a launcher is left out"
run "$BIN/ht-top" --totals --all-images "$V/launcher.ht"
like "$(out)" '^allocations	3$' "--all-images"
run "$BIN/ht-top" "$V/launcher.ht"
like "$(out)" '^1 launcher left out' "the report says so"
run "$BIN/ht-top" --filter main --exclude size=..8 "$V/example-symbolized.ht"
like "$(out)" '^selected by --filter main --exclude size=\.\.8$' \
    'filters are in the header'
run "$BIN/ht-top" "$V/example-symbolized.ht"
unlike "$(out)" '^selected' 'only if there are any'

# Frames: main's caller and operator new are folded away.
run "$BIN/ht-top" -p "$V/inlined.ht"
unlike "$(out)" '_start|operator new' "below main, and in the allocator"
like "$(out)" 'push +vec\.hpp:17 i$' "an inlined frame is marked"
run "$BIN/ht-top" -p --all-frames "$V/inlined.ht"
like "$(out)" '_start' "--all-frames: below main"
like "$(out)" 'operator new' "--all-frames: the allocator"

# Rows, backtraces and depth: a program of 12 functions with 8 callers each.
perl -e '
    print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\nX many\n",
	"I 1000 10\ns 4 /app\n";
    my ($s, $i, $t, $a) = (1, 0, 0, 0);
    sub frame { my $n = shift;
	printf "s %x %s\n", length $n, $n; $s++;
	printf "i %x 1 %x\n", ++$i, $s; }
    frame("main"); print "t 1 0\n"; $t = 1;
    for my $f (1 .. 12) {
	frame("alloc$f"); my $leaf = $i;
	for my $c (1 .. 8) {
		my $parent = 1;
		for my $d (1 .. 5) {
			frame("caller$f.$c.$d");
			printf "t %x %x\n", $i, $parent; $parent = ++$t;
		}
		printf "t %x %x\n", $leaf, $parent; $t++;
		printf "a %x %x\n", $f * 1000 + $c, $t;
		print "+ ", sprintf("%x", $a++), "\n";
	}
    }
    print "#E exit 0\n"' >many
rows() {
	run "$BIN/ht-top" -p "$@" many
	grep -c ' alloc[0-9]*  *app$' out
}
is "$(rows)" 10 "10 rows by default"
like "$(out)" '2 other places$' "the others are summed up"
is "$(rows -n 3)" 3 "-n 3"
is "$(rows -n 100)" 12 "-n 100"
is "$(rows --peak-limit 1)" 1 "--peak-limit 1"
like "$(out)" '11 other places$' "11 others"
run "$BIN/ht-top" -p -n 1 many
is "$(grep -c 'caller12\.[0-9]\.5' out)" 5 "5 backtraces by default"
like "$(out)" '3 other backtraces$' "the others are summed up"
run "$BIN/ht-top" -p -n 1 -s 2 many
is "$(grep -c 'caller12\.[0-9]\.5' out)" 2 "-s 2"
like "$(out)" '6 other backtraces$' "6 others"
run "$BIN/ht-top" -p -n 1 -s 0 many
unlike "$(out)" 'caller|backtrace' "-s 0"
run "$BIN/ht-top" -p -n 1 -s 1 many
is "$(grep -c 'caller' out)" 3 "3 frames by default"
like "$(out)" 'caller12.8.3 .*\+3 frames' "the others are counted"
run "$BIN/ht-top" -p -n 1 -s 1 -d 0 many
is "$(grep -c 'caller' out)" 5 "-d 0: all frames"
like "$(out)" ' main$' "down to main"

# No line is wider than the width; names in UTF-8 count as they show.
for w in 64 80 100; do
	for t in many "$V/hostile.ht" "$V/inlined.ht" "$V/example.ht"; do
		run "$BIN/ht-top" -apTl -w $w "$t"
		is "$(perl -CS -ne 'chomp; print "$_\n" if length > '$w out)" \
		    "" "-w $w: ${t##*/}"
	done
done
long=$(printf 'f%.0s' $(seq 300))
sed "s/^s 4 grow/s 12c $long/" "$V/example-symbolized.ht" >long
run "$BIN/ht-top" -w 0 long
like "$(out)" "$long" "-w 0 cuts nothing"
run "$BIN/ht-top" long
unlike "$(out)" "$long" "80 columns do"

# What comes out of a trace reaches nobody's terminal raw.
run "$BIN/ht-top" -apTl -w 0 "$V/hostile.ht"
is "$(LC_ALL=C tr -d '\n -~' <out | sed 's/\xc2\xb7//g')" "" \
    "hostile names are escaped"
printf 'v 100 3\n\033[2J\n' >hostile
run "$BIN/ht-top" hostile
is "$(LC_ALL=C tr -d '\n -~' <err)" "" "in messages too"

# Two runs of one program at other addresses, symbolised and not: one row.
for run in 1 2; do
	sed "s/^i 56f3/i ${run}6f3/; s/^i 5612/i ${run}612/" \
	    "$V/example-symbolized.ht" >s$run
	sed "s/ 55d0 0 1000/ ${run}55d0 0 1000/; s/^t 56/t ${run}56/" \
	    "$V/example.ht" >r$run
done
run "$BIN/ht-top" -p s1 s2
is "$(grep -c ' grow  ' out)" 1 "runs are merged by symbol"
like "$(out)" '^ +200 B 100.0 +4  grow' "with both costs"
run "$BIN/ht-top" -p r1 r2
is "$(grep -c '  app+0x42$' out)" 1 "or by module and offset"
like "$(out)" '^ +200 B 100.0 +4  app\+0x42$' "with both costs"

# A recursion 100,000 deep, and a name of 1 MB.
perl -e 'print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n",
    "X deep\nI 1000 10\ns 1 m\ns 1 f\ns f423f ", "n" x 999999, "\ni 1 1 2\n",
    "i 2 1 3\n";
    printf "t %x %x\n", $_ % 9999 ? 1 : 2, $_ for 0 .. 99999;
    print "a 1 186a0\na 1 30d4\n+ 0\n+ 1\n#E exit 0\n"' >deep
for o in '' '-d 0' '--all-frames' '-d 0 -w 0'; do
	run "$BIN/ht-top" -apTl $o deep
	is "$status $(err)" "0 " "100,000 frames deep, 1 MB of name: '$o'"
done
run "$BIN/ht-top" -p deep
is "$(perl -CSD -ne 'chomp; print if length > 80' out)" "" "in 80 columns"

# Notices.
run "$BIN/ht-top" "$V/extensions.ht"
like "$(out)" '^LOST: 16 events' "lost events"
run "$BIN/ht-top" "$T/data/invalid/no-end.ht"
is "$status" 1 "a truncated trace has status 1"
like "$(out)" '^TRUNCATED' "and is named in the header"

# Output that cannot be written.
if [ -w /dev/full ]; then
	run sh -c 'exec "$0" "$1" >/dev/full' "$BIN/ht-top" "$V/example.ht"
	is "$status" 1 "a full disk"
	like "$(err)" 'No space left' "is said"
fi
{ "$BIN/ht-top" many; echo $? >st; } 2>err | true
is "$(cat err)" "" "a closed pipe is no message"

done_testing
