#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-top's JSON and TSV, its terminal, names that mean harm, and every report
# over the invalid corpus.

. "${0%/*}/lib.sh"
need perl python3 jq script

V=$T/data/valid
perl "$T/prog/random.pl" 4 >r.ht
perl "$T/prog/random.pl" 7 >r2.ht
all=calls,peak,leaked,temporary,total,lifetime

# Every kind of report; each line is options.
cat >reports <<'END'
--sort calls,peak,leaked,temporary,total,lifetime
--by function -l
--by file -s 3
--by module
--by thread
--by size -s 0
--by stack -n 100
--tree --sort calls,lifetime
--tree --by line -n 100
--bottom-up --by module
--callers a
--callees /./ --by file
--sizes --lifetimes --show-suppressions
--sizes --sort peak --to 0.5
--at 0.2
--totals
-apTl --all-frames --all-images -d 0 -w 0
-apTl -t -w 64
--sort total
--fail-if leaked>1 --fail-if calls<0
--filter /./ --exclude nobody
END

# --- JSON -------------------------------------------------------------------

# Strict: no duplicate keys, no NaN, valid UTF-8, integers only.
cat >strict.py <<'END'
import json, re, sys
def pairs(p):
    keys = [k for k, v in p]
    assert len(keys) == len(set(keys)), keys
    return dict(p)
def no(x):
    raise ValueError(x)
for name in sys.argv[1:]:
    try:
        text = open(name, 'rb').read().decode('utf-8', 'strict')
        if text:
            json.loads(text, object_pairs_hook=pairs, parse_constant=no,
                parse_float=no)
        assert not re.search(r'[^\n -~\xa0-\U0010ffff]', text), 'a control'
    except Exception as e:
        print(name, e)
END
# every FORMAT FILE STATUS…: all reports of a file, in every.1 and so on; what
# had another status to $bad.
every() {
	format=$1 file=$2 n=0 bad=
	shift 2
	rm -f every.*
	while read -r options; do
		n=$((n + 1))
		timeout -k 5 "${LIMIT:-60}" "$BIN/ht-top" --format $format \
		    $options "$file" >every.$n 2>>every.err </dev/null
		status=$?
		case " $* " in
		*" $status "*)	;;
		*)	bad="$bad; $options: $status $(tail -n 3 every.err)" ;;
		esac
	done <reports
	t_ran="ht-top --format $format of $file"
	mv every.err err
	t_look
}
for t in r.ht "$V"/*.ht; do
	every json "$t" 0 3
	bad=$bad$(python3 strict.py every.[0-9]*)
	jq . every.[0-9]* >jq.out 2>jq.err || bad="$bad; jq: $(cat jq.err)"
	is "$bad" "" "JSON of every report is valid: ${t##*/}"
done
run sh -c "python3 -m json.tool <every.1"
is "$status" 0 "and python3 -m json.tool reads it"

# It says what the table says.
run "$BIN/ht-top" --format tsv --sort $all r.ht
cut -f 1-11 out | sed 1d >table
run "$BIN/ht-top" --format json --sort $all r.ht
jq -r '.sections[] | .sort as $s | .rows[] | [$s, .calls, .total, .temporary,
    .leaked, .leaked_blocks, .peak, .peak_blocks, .lifetime, .age,
    .freed_by_others] | @tsv' out >json
same json table "sections: JSON as TSV"
is "$(jq -r '.sections[] | .count == (.rows | length)' out | sort -u)" true \
    "all rows are there"
run "$BIN/ht-top" --format json -n 2 --sort calls r.ht
is "$(jq '.sections[0] | .rows | length' out)" 2 "-n 2"
is "$(jq '.sections[0].count > 2' out)" true "how many there are stays"
run "$BIN/ht-top" --format tsv --tree --sort calls r.ht
cut -f 2-13 out | sed 1d >table
run "$BIN/ht-top" --format json --tree --sort calls r.ht
jq -r '.trees[].nodes[] | [.depth, .self.calls, .calls, .total, .temporary,
    .leaked, .leaked_blocks, .peak, .peak_blocks, .lifetime, .age,
    .freed_by_others] | @tsv' out >json
same json table "trees: JSON as TSV"
is "$(jq '[.trees[0].nodes as $n | ($n | map({(.id | tostring): .depth}) | add)
    as $d | $n[] | .depth == (if .parent == 0 then 0 else
    $d[.parent | tostring] + 1 end)] | all' out)" true \
    "parents are above their children"
run "$BIN/ht-top" --totals r.ht
cp out want
run "$BIN/ht-top" --totals --format json r.ht
jq -r '.totals | to_entries[] | "\(.key)\t\(.value)"' out | grep -Fxf want >got
same got want "totals: JSON as text"
is "$(jq 'has("sections")' out)" false "--totals has no sections"

# The backtraces add up to their row.
run "$BIN/ht-top" --format json -s 1000 --sort $all r.ht
is "$(jq '[.sections[] | .sort as $s | .rows[] | .[$s] ==
    ([.backtraces[] | .[$s]] | add)] | all' out)" true \
    "backtraces add up to their row"
is "$(jq '[.sections[].rows[] | . as $r | .backtraces[] | .frames[0] |
    .function == $r.function and .line == $r.line] | all' out)" true \
    "and begin with it"

# Histograms against the rows by size, and what select.pl says of ages.
run "$BIN/ht-top" --format tsv --by size --sort calls r.ht
sed 1d out | perl -F'\t' -lane '$b = $F[11] ? 1 : 0;
    $b *= 2 while $b && $b * 2 <= $F[11]; $n{$b} += $F[1]; $s{$b} += $F[2];
    END { print join "\t", "sizes", $_, ($_ ? 2 * $_ - 1 : 0), $n{$_}, $s{$_}
	for sort { $a <=> $b } keys %n }' >want
run "$BIN/ht-top" --format tsv --sizes r.ht
sed 1d out >got
same got want "--sizes is what --by size adds up to"
run "$BIN/ht-top" --format json --sizes --lifetimes \
    --disable-builtin-suppressions --disable-embedded-suppressions r.ht
is "$(jq '[.sizes[].calls] | add' out)" "$(jq .totals.allocations out)" \
    "sizes: all calls"
is "$(jq '([.lifetimes[].calls] | add) + .not_freed.calls +
    .lifetime_unknown.calls' out)" "$(jq .totals.allocations out)" \
    "lifetimes: all calls"
is "$(jq '.not_freed | .calls, .bytes' out)" \
    "$(jq '.totals | .leaked_blocks, .leaked' out)" \
    "what is not freed is what is leaked"
perl "$T/prog/select.pl" r.ht by=module | perl -F'\t' -lane '
    $age += $F[9]; END { print $age }' >want
is "$(jq '[.lifetimes[] | .from * .calls] | add' out)" "$(cat want)" \
    "ages as select.pl adds them up"
run "$BIN/ht-top" --format json --lifetimes "$V/heaptrack-3.ht"
is "$(jq '.lifetimes | length' out)" 0 "heaptrack's files tell no lifetimes"
is "$(jq '.lifetime_unknown.calls == .totals.allocations -
    .totals.leaked_blocks' out)" true "which is said"

# --- TSV --------------------------------------------------------------------

for t in r.ht "$V"/*.ht; do
	every tsv "$t" 0 3
	rm -f "every.$(grep -n totals reports | cut -d : -f 1)"
	bad=$bad$(perl -ne 'chomp; $n = 0 if eof; if ($_ eq "") { $n = 0; next }
	    $c = () = /\t/g; $n = $c + 1 unless $n || eof;
	    print "$ARGV: $_\n" if $c + 1 != $n && !eof;
	    print "$ARGV: bytes\n" if /[^\t -~\x80-\xff]/' every.[0-9]*)
	is "$bad" "" "each line has all columns: ${t##*/}"
done

# The page lists the columns as they are.
run "$BIN/ht-top" --format tsv --sort calls r.ht
is "$(perl -ne '$in = /^\.Ss JSON/ .. /^\.Ss TSV/ or next;
    $on = 1 if /^The costs are/; print "$1\n" if $on && /^\.It (\w+)/' \
    "$SRC/man/ht-top.1" | tr '\n' ' ')" \
    "$(head -n 1 out | cut -f 2-11 | tr '\t' ' ') " "the page: costs"
is "$(perl -ne '$on = 1 if /^\.It sections$/ && $tsv; $tsv = 1 if /^\.Ss TSV/;
    print "$1\n" if $on && /^\.Va (function , .*)/' "$SRC/man/ht-top.1" |
    sed 's/ , / /g')" "$(head -n 1 out | cut -f 12- | tr '\t' ' ')" \
    "the page: places"
run "$BIN/ht-top" --format json --sort calls --sizes --lifetimes \
    --show-suppressions --fail-if 'calls<0' --diff r2.ht r.ht
for key in $(jq -r 'keys[], (.totals | keys[]), (.sections[0] | keys[])' out); do
	grep -Eq "(^|[ .])$key( |\$)" "$SRC/man/ht-top.1" ||
	    fail "the page: $key"
done
pass "the page names every key"

# --- names that mean harm ----------------------------------------------------

# One name of each kind, 1 MB long among them.
perl -e '
    my @name = ("\e[31mred", "bell\x07", "c1\xc2\x9bz", "bad\xff\xfe",
	"tab\there", "quote\"back\\slash", "rtl\xe2\x80\xaex", "del\x7f",
	"caf\xc3\xa9", "x" x 1000000, "a;b;c", "{}[]:,", "\xed\xa0\x80",
	"std::map<int, std::vector<char> >::f<\e>()");
    print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n",
	"X \e]0;evil\x07\nI 1000 10\n#T 2 9 8 \e[2J\xff\xc2\x9b!\n",
	"S leak:\e[1mnever\n";
    for (@name) { my $n = s/\\/\\\\/gr; printf "s %x %s\n", length $n, $n }
    my $n = @name;
    printf "i %x %x %x %x 1\n", $_, 1 + $_ % $n, $_, 1 + ($_ + 1) % $n
	for 1 .. $n;
    printf "t %x %x\n", $_, $_ - 1 for 1 .. $n;
    printf "a %x %x 2\n", $_, $_ for 1 .. $n;
    printf "+ %x\n", $_ for 0 .. $n - 1;
    print "#E exit 0\n"' >evil
for format in text json tsv; do
	every $format evil 0 3
	# What is no tab, LF, ASCII, or one of the signs in use.
	bad=$bad$(cat every.[0-9]* | LC_ALL=C sed 's/\xc2\xb7//g; s/\xc3\x97//g
	    s/\xe2\x80\xa6//g; s/\xc3\xa9//g' | LC_ALL=C tr -d '\n\t -~' |
	    head -c 40 | od -c | sed '$d')
	[ $format = json ] && bad=$bad$(python3 strict.py every.[0-9]*)
	is "$bad" "" "hostile names as $format"
done
run "$BIN/ht-top" --callers "$(printf '\033[31m')" evil
like "$(out)" 'CALLERS OF \\x1b\[31m' "nor what is asked for"
printf 'leak:x1 \033[1m\n' >supp
run "$BIN/ht-top" --suppressions supp --callers "$(printf '\033(')" evil
is "$(LC_ALL=C tr -d '\n -~' <err)" "" "nor in messages"
run "$BIN/ht-top" --format json --by function --sort calls evil
is "$(jq -r '.sections[0].rows[].function' out | grep -F 'quote')" \
    'quote"back\slash' "JSON has the name as it is"
is "$(jq -r '.sections[0].rows[].function' out | grep -F 'bad')" \
    'bad\xff\xfe' "what is not UTF-8 is spelled"
is "$(jq -r '.sections[0].rows[].function' out | awk '{ print length }' |
    sort -n | tail -n 1)" 65539 "a name of 1 MB has its first 64 KiB, and …"

# Template arguments.
run "$BIN/ht-top" --format json -t --by function --sort calls evil
is "$(jq -r '.sections[0].rows[].function' out | grep '^std')" \
    'std::map<>::f<>()' "--shorten-templates"

# --- the terminal ------------------------------------------------------------

# on TERM NO_COLOR COLUMNS COMMAND: what it writes to a terminal.
on() {
	TERM=$1 NO_COLOR=$2 script -q -e -c "stty cols $3 rows 50; exec $4" \
	    /dev/null </dev/null >screen 2>&1
}
escapes() {
	grep -c "$(printf '\033')" screen
}
on xterm '' 80 "$BIN/ht-top r.ht"
between 1 "$(escapes)" 1000 "colours on a terminal"
on xterm 1 80 "$BIN/ht-top r.ht"
is "$(escapes)" 0 "NO_COLOR"
on dumb '' 80 "$BIN/ht-top r.ht"
is "$(escapes)" 0 "TERM=dumb"
on xterm '' 80 "$BIN/ht-top --format json r.ht"
is "$(escapes)" 0 "no colours in JSON"
on xterm '' 80 "$BIN/ht-top r.ht | cat"
is "$(escapes)" 0 "nor in a pipe"
on xterm '' 80 "$BIN/ht-top --diff r2.ht r.ht"
between 1 "$(grep -c "$(printf '\033\\[31m+')" screen)" 1000 "more is red"
between 1 "$(grep -c "$(printf '\033\\[32m-')" screen)" 1000 "less is green"
# The width is the terminal's, and not what an escape takes.
for columns in 64 100 132; do
	on xterm '' $columns "$BIN/ht-top --by file --sort peak,lifetime $V/inlined.ht"
	is "$(perl -CS -ne 's/\e\[\d*(;\d+)*m//g; s/[\r\n]+$//;
	    print "$_\n" if length > '$columns screen)" "" "$columns columns"
done
# Every report fits 80 columns.
for t in r.ht evil "$V/inlined.ht" "$V/large-numbers.ht"; do
	every text $t 0 3
	rm -f "every.$(grep -n -e '-w 0' reports | cut -d : -f 1)"
	bad=$bad$(perl -CSD -ne 'chomp; print "$ARGV: $_\n" if length > 80' \
	    every.[0-9]*)
	is "$bad" "" "every report fits 80 columns: ${t##*/}"
done

# --- the invalid corpus ------------------------------------------------------

for t in "$T"/data/invalid/*.ht "$T"/data/invalid/*.gz \
    "$T"/data/invalid/*.zst; do
	case $t in
	*/profile.*)	continue ;;
	esac
	wrong=
	for format in text json tsv; do
		every $format "$t" 1
		wrong=$wrong$bad
		[ $format = json ] &&
		    wrong=$wrong$(python3 strict.py every.[0-9]*)
	done
	bad=$wrong
	run "$BIN/ht-top" --diff "$t" r.ht
	[ "$status" = 1 ] || bad="$bad; as the base: $status"
	run "$BIN/ht-top" --diff r.ht "$t"
	[ "$status" = 1 ] || bad="$bad; against a base: $status"
	is "$bad" "" "every report has status 1: ${t##*/}"
done

done_testing
