#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The data in ht-html's pages: read by page.pl, summed by view.pl, which know
# ht-html/README.md and no more, and held against a replay of random traces by
# address, and against ht-top.

. "${0%/*}/lib.sh"
need perl gzip zstd script

plain="--disable-builtin-suppressions --disable-embedded-suppressions"

# html ARGUMENT…: writes page.html.
html() {
	run "$BIN/ht-html" -o page.html "$@"
}
view() {
	perl "$T/prog/view.pl" page.html "$@"
}
# What of the totals a page computes.
totals_of() {
	grep -vE '^(runtime_ms|peak_rss|lost|rounding|rounding_leaked|rss_[a-z]+)	'
}
# buckets FROM..TO: from and to of a window in ms.
buckets() {
	awk -v a="${1%..*}" -v b="${1#*..}" \
	    '$1 == a { from = $2 } $1 == b - 1 { print from, $3 }' windows
}

# --- the example of README.md ----------------------------------------------
html "$T/data/html.ht"
is "$status$(err)" 0 "the example becomes a page"
perl "$T/prog/page.pl" page.html >data.json
perl -MJSON::PP -e '
	local $/;
	open my $in, "<", $ARGV[0] or die;
	my $c = JSON::PP->new->decode(<$in>)->{columns};
	open $in, "<", "$ENV{SRC}/ht-html/README.md" or die;
	my ($example) = <$in> =~ /^ {4}frame\.function.*?\n\n/ms ? $& : "";
	my $n = 0;
	while ($example =~ /((?:frame|node|group|now)\.[a-z_.]+) +([-\d ]+)/g) {
		my ($name, $want) = ($1, $2);
		my $got = "@{$c->{$name} // []}";
		$want =~ s/\s+$//;
		print "$name: $got, not $want\n" if $got ne $want;
		$n++;
	}
	print "$n columns\n";
' data.json >wrong
is "$(cat wrong)" "47 columns" "which has the columns that were worked out by hand"

# --- random traces, by address ---------------------------------------------
seed=1
for events in 2000 2000 2000 20000; do
	perl "$T/prog/random.pl" $seed $events >r.ht
	html $plain r.ht
	is "$status$(err)" 0 "seed $seed becomes a page"
	view windows >windows
	n=$(wc -l <windows)
	perl "$T/prog/select.pl" r.ht | totals_of >want
	view >got
	same got want "seed $seed, $n buckets: the whole run"
	wrong=
	for w in 0..$n 0..1 $((n / 3))..$((n / 2)) $((n - 1))..$n \
	    $((n / 4))..$((n - 2)); do
		set -- $(buckets $w)
		sel="from=$1 to=$2"
		perl "$T/prog/select.pl" r.ht $sel | totals_of >want
		view window=$w >got
		cmp -s got want || wrong="$wrong; $w: $(diff want got)"
		[ $events = 2000 ] || continue
		for by in line thread; do
			perl "$T/prog/select.pl" r.ht $sel by=$by >want
			view window=$w by=$by >got
			cmp -s got want || wrong="$wrong; $w by $by: $(
			    diff want got)"
		done
		perl "$T/prog/select.pl" r.ht $sel by=function tree=top-down |
		    cut -f 1-11 >want
		view window=$w by=function tree >got
		cmp -s got want || wrong="$wrong; $w tree: $(diff want got)"
	done
	is "$wrong" "" "seed $seed: windows, by line, by thread, trees"
	seed=$((seed + 1))
done
width=$(awk 'NR == 1 { print $3 - $2 }' windows)
between 257 $n 512 "a long run has at most 512 buckets"
between 32 "$width" 1024 "which are wider"

# --- against ht-top --------------------------------------------------------
# top OPTION…: totals.
top() {
	"$BIN/ht-top" --totals "$@" 2>/dev/null | totals_of
}
tsv() {
	"$BIN/ht-top" --format tsv "$@" 2>/dev/null |
	    awk -F '\t' -v OFS='\t' '$1 != "histogram" && NF {
		print $2, $4, $5 }' | grep -v never | sort
}
# The same of a page: the least of each power of two, calls, bytes.
powers() {
	perl -ne 'chomp; my @f = split /\t/;
	    print join("\t", $f[0] ? 1 << $f[0] - 1 : 0, @f[1, 2]), "\n"
		if $f[1]' | sort
}
for w in "" $((n / 2))..$n; do
	set -- $(buckets "${w:-x}")
	tsv --sizes ${1:+--from ${1}ms} ${2:+--to ${2}ms} r.ht >want
	view ${w:+window=$w} by=size | powers >got
	same got want "sizes${w:+ of a window}"
	tsv --lifetimes ${1:+--from ${1}ms} ${2:+--to ${2}ms} r.ht >want
	view ${w:+window=$w} by=life | powers >got
	same got want "lifetimes${w:+ of a window}"
done

# Maps, of which parts go on as others: of a map that did ht-top knows no
# lifetime, and pages do not speak of it.
"$BIN/ht-record" --mmap --interval 1 -q -o m.ht "$PROG/mapper" 3 4000 >/dev/null
html --filter kind=mmap m.ht
is "$status$(err)" 0 'maps become a page'
view windows >windows
n=$(wc -l <windows)
for w in 0..$n $((n / 3))..$n 0..$((n - n / 3)); do
	set -- $(buckets $w)
	top --filter kind=mmap --from ${1}ms --to ${2}ms m.ht >want
	view window=$w >got
	same got want "maps: window $w of $n"
	tsv --filter kind=mmap --lifetimes --from ${1}ms --to ${2}ms m.ht |
	    grep -v ^unknown >want
	view window=$w by=life | powers >got
	same got want "maps: lifetimes, $w of $n"
done
ok 'grep -q "^#N " m.ht' 'some of them in parts'

# A part of the run only, which does not begin with a bucket.
perl "$T/prog/random.pl" 7 8000 >r.ht
end=$("$BIN/ht-top" --totals r.ht | awk '$1 == "runtime_ms" { print $2 }')
from=$((end / 3 + 1)) to=$((end / 2 + 3))
html --from ${from}ms --to ${to}ms r.ht
top --from ${from}ms --to ${to}ms r.ht >want
view >got
same got want "--from and --to"
view windows >windows
n=$(wc -l <windows)
view window=0..$n >got
same got want "which all the buckets are"
w=$((n / 3))..$((n / 2))
set -- $(buckets $w)
top --from ${1}ms --to ${2}ms r.ht >want
view window=$w >got
same got want "and a part of that"
html --at ${to}ms r.ht
top --at ${to}ms r.ht >want
view >got
same got want "--at"

# Filters: the moment of the peak remains the whole program's.
for filter in '--filter grow' '--exclude thread=worker' \
    '--filter size=100..4k' '--alloc-fn xmalloc --ignore-fn grow'; do
	html $filter r.ht
	view windows >windows
	n=$(wc -l <windows)
	w=$((n / 4))..$((n / 2))
	set -- $(buckets $w)
	top $filter r.ht >want
	view >got
	same got want "$filter"
	top $filter --from ${1}ms --to ${2}ms r.ht >want
	view window=$w >got
	same got want "$filter, of a window"
done

# Suppressed leaks are neither in the whole nor in a window.
perl "$T/prog/random.pl" 9 3000 | sed '/^S /d; s/^X .*/&\nS leak:reserve/' >s.ht
html s.ht
view windows >windows
n=$(wc -l <windows)
w=$((n / 4))..$((n / 2))
set -- $(buckets $w)
top s.ht >want
view >got
same got want "suppressed leaks"
isnt "$(said leaked want)" "$(top $plain s.ht >all; said leaked all)" \
    "of which there are"
top --from ${1}ms --to ${2}ms s.ht >want
view window=$w >got
same got want "in a window too"

# Two runs: each has its own numbers.
perl "$T/prog/random.pl" 3 9000 >base.ht
html -d base.ht r.ht
is "$status$(err)" 0 "--diff"
for side in base now; do
	file=r.ht
	[ $side = base ] && file=base.ht
	top $file >want
	view $side >got 2>/dev/null || view >got
	same got want "--diff: the totals of $side"
	"$BIN/ht-html" -o one.html $file
	rm -f windows
	perl "$T/prog/view.pl" page.html $([ $side = base ] && echo base) \
	    windows >windows
	n=$(wc -l <windows)
	w=$((n / 3))..$((n - 1))
	set -- $(buckets $w)
	top --from ${1}ms --to ${2}ms $file >want
	perl "$T/prog/view.pl" page.html $([ $side = base ] && echo base) \
	    window=$w >got
	same got want "--diff: a window of $side"
done

# The corpus, with heaptrack's files, which tell no ages; profiles and several
# traces, which are no one run.
for t in "$T"/data/valid/*.ht; do
	name=${t##*/}
	html -q "$t"
	is "$status$(err)" 0 "$name becomes a page"
	top "$t" >want
	view >got
	same got want "$name: the totals"
	[ $name != concatenated.ht ] || continue
	view windows >windows
	n=$(wc -l <windows)
	w=$((n / 3))..$((n / 2 + 1))
	set -- $(buckets $w)
	top --from ${1}ms --to ${2}ms "$t" >want
	view window=$w >got
	same got want "$name: a window"
done
"$BIN/ht-aggregate" r.ht >r.prof
html r.prof
is "$status$(err)" 0 "a profile becomes a page"
top r.prof >want
view >got
same got want "its totals"
is "$(perl "$T/prog/page.pl" page.html | grep -c '"time":null')" 1 \
    "it has no buckets"
html r.ht base.ht
top r.ht base.ht >want
view >got
same got want "two traces: the totals"
is "$(perl "$T/prog/page.pl" page.html | grep -c '"time":null')" 1 \
    "they have no buckets"

# --- input and output ------------------------------------------------------
"$BIN/ht-html" r.ht >page.html
cp page.html want
for c in "gzip -c" "zstd -qc"; do
	$c r.ht >packed
	run sh -c 'exec "$0" <packed' "$BIN/ht-html"
	# Whose name the page tells.
	sed 's/data">[^<]*/data">/' out >got
	sed 's/data">[^<]*/data">/' want >want.page
	same got want.page "stdin, ${c% -*}: the same page"
	cp out page.html
	view >got
	top r.ht >want.totals
	same got want.totals "with the same numbers"
done
run "$BIN/ht-html" -o page.html.gz r.ht
is "$(gzip -dc page.html.gz | cksum)" "$(cksum <want)" "-o FILE.gz"
run "$BIN/ht-html" -o /dev/full r.ht
is "$status" 1 "a full disk: 1"
like "$(err)" 'No space left' "which is said"
run sh -c '"$0" r.ht | :' "$BIN/ht-html"
is "$status$(err)" 0 "nobody reads it"
run "$BIN/ht-html" -o none.html nowhere.ht
is "$status" 1 "no input: 1"
ok '[ ! -e none.html ]' "and no page"
run script -qec "'$BIN/ht-html' r.ht" /dev/null
is "$status" 2 "onto a terminal: wrong usage"
like "$(out)" 'not for a terminal' "which is said"
run "$BIN/ht-html" --max-stacks 0 r.ht
is "$status" 2 "--max-stacks 0: wrong usage"
html --title '</title><b>"é' --filter grow r.ht
is "$(perl "$T/prog/page.pl" page.html | grep -o '"selection":[^]]*\]')" \
    '"selection":["--filter","grow"]' "the selection is told"
perl "$T/prog/page.pl" page.html >data.json
ok 'grep -qF "\"title\":\"</title><b>\\\"é\"" data.json' "the title too"
ok '! grep -qF "</title><b>" page.html' "which is not in the page as it is"

# --- names from elsewhere --------------------------------------------------
# They reach the page in base64 only, and its strings harmless.
perl -e '
	my @name = ("</script><script>alert(1)</script>", "<!--<script>",
	    "\"\x27`&amp;<img src=x onerror=alert(1)>", "a\xe2\x80\xaeb",
	    "\xe2\x80\xa8\xe2\x80\xa9", "\xff\xfe", "\x1b[31m", "\@HT_DATA@",
	    "__proto__", "constructor",
	    "A<B<c> >::d(e)", "std::map<" . "X<int>, " x 12500 . ">");
	print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n";
	print "X ./</script>\ns 4 /a/b\n";
	printf "s %x %s\n", length $_, $_ for @name;
	printf "i %x 1 %x %x 7\n", 4096 + $_, $_ + 1, $_ + 1 for 1 .. @name;
	printf "t %x 0\na %x %x\n+ %x\n", $_, $_ * 8, $_, $_ - 1 for 1 .. @name;
	print "#E exit 0\n";
' >hostile.ht
html hostile.ht
is "$status$(err)" 0 "hostile names become a page"
"$BIN/ht-html" r.ht >other.html
sed 's/data">[^<]*/data">/' other.html >want
sed 's/data">[^<]*/data">/' page.html >got
same got want "whose text is that of any other page"
"$BIN/ht-top" --totals hostile.ht | totals_of >want
view >got
same got want "with the right numbers"
perl "$T/prog/page.pl" page.html >data.json
for name in '</script><script>alert(1)</script>' 'a\\xe2\\x80\\xaeb' \
    '\\xe2\\x80\\xa8\\xe2\\x80\\xa9' '\\xff\\xfe' '\u001b[31m' '@HT_DATA@'; do
	ok 'grep -qF "\"$name\"" data.json' "a string of it: $name"
done
html -t hostile.ht
perl "$T/prog/page.pl" page.html >data.json
ok 'grep -qF "\"A<>::d(e)\"" data.json' "-t"

# --- many stacks -----------------------------------------------------------
# The smallest are summed up where they branch off; nothing is lost.
for max in 1 7 20 1000000; do
	html --max-stacks $max $plain r.ht
	top $plain r.ht >want
	view >got
	same got want "--max-stacks $max: the totals"
	view windows >windows
	n=$(wc -l <windows)
	w=$((n / 3))..$((n / 2))
	set -- $(buckets $w)
	top $plain --from ${1}ms --to ${2}ms r.ht >want
	view window=$w >got
	same got want "--max-stacks $max: a window"
	perl "$T/prog/page.pl" page.html | perl -MJSON::PP -e '
		my $d = JSON::PP->new->decode(join "", <STDIN>);
		my $c = $d->{columns};
		my %stack = map { $_ => 1 } @{$c->{"group.node"}};
		my ($i, %small) = (0);
		$small{$_} = $c->{"smaller.stacks"}[$i++]
		    for @{$c->{"smaller.node"}};
		my $all = 0;
		$all += $small{$_} // 1 for keys %stack;
		my $own = grep { !$small{$_} } keys %stack;
		my @flag = grep { $c->{"frame.flags"}[$c->{"node.frame"}[$_]]
		    & 16 } 0 .. $#{$c->{"node.frame"}};
		print "$d->{stacks} stacks, $all in groups\n"
		    if $all != $d->{stacks};
		print "$own of their own\n" if $own > 3 * $ARGV[0] + 40;
		print "other nodes are marked\n"
		    if "@flag" ne join " ", sort { $a <=> $b } keys %small;
	' $max >wrong
	is "$(cat wrong)" "" "--max-stacks $max: each is in one node"
done

# 100,000 stacks, and 10,000 frames deep.
perl -e '
	print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n";
	print "X ./many\ns 4 /a/b\n";
	for (1 .. 1000) {
		my $name = "function$_";
		printf "s %x %s\ni %x 1 %x\n", length $name, $name, $_, $_ + 1;
	}
	# The first 10,000 upon each other, the others anywhere below these.
	printf "t %x %x\n", 1 + $_ % 1000,
	    $_ <= 10000 ? $_ - 1 : $_ * 7919 % 10000 for 1 .. 110000;
	printf "a %x %x\n", 16 + $_ % 5, $_ + 10000 for 1 .. 100000;
	for (0 .. 99999) {
		printf "c %x\n", $_ / 10 if $_ % 1000 == 0;
		printf "+ %x\n", $_;
	}
	print "#E exit 0\n";
' >many.ht
html many.ht
is "$status$(err)" 0 "100,000 stacks become a page"
perl "$T/prog/view.pl" page.html >got
top many.ht >want
same got want "with the right totals"
between 1 "$(wc -c <page.html)" 4000000 "of a few megabytes"

# --- what is wrong ---------------------------------------------------------
wrong= n=0
for t in "$T"/data/invalid/*.ht "$T"/data/invalid/*.gz \
    "$T"/data/invalid/*.zst; do
	run sh -c 'exec "$0" -qo page.html <"$1"' "$BIN/ht-html" "$t"
	n=$((n + 1))
	[ $status = 1 ] || wrong="$wrong; ${t##*/}: status $status"
	sed 's/^ht-top: /ht-html: /' "${t%.*}.err" >want
	cmp -s err want || wrong="$wrong; ${t##*/}: $(diff want err)"
done
is "$wrong" "" "$n broken traces: status 1 and the messages of ht-top"

# --- memory ----------------------------------------------------------------
# It does not grow with events: 16 bytes of each would be 160 MB.
if [ $sanitized = no ]; then
	perl -e '
		print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n";
		print "X ./long\ns 4 /a/b\n";
		for (1 .. 50) {
			printf "s 3 f%02d\ni %x 1 %x\nt %x 0\na %x %x\n", $_, $_,
			    $_ + 1, $_, $_, $_;
		}
	' >head
	perl -e '
		my ($n, $ms) = (0, 0);
		for (1 .. $ARGV[0]) {
			printf "c %x\n", $ms += 10 if $_ % 500 == 0;
			my $c = $_ * 7 % 50;
			my $old = $_ > 600 ? ($_ - 600) * 7 % 50 : undef;
			printf "+ %x\n", $c;
			printf "- %x o%x\n", $old, 10 + 10 * ($_ % 2)
			    if defined $old;
		}
		print "#E exit 0\n";
	' 5000000 | cat head - >long.ht
	run sh -c 'ulimit -v 60000; exec "$0" -o page.html long.ht' \
	    "$BIN/ht-html"
	is "$status$(err)" 0 "10,000,000 events in 60 MB"
	top long.ht >want
	view >got
	same got want "and the totals are right"
fi
done_testing
