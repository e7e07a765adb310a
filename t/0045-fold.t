#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-fold: what its lines add up to, stack by stack as a replay and as
# heaptrack_print -F have it; names that cannot break a line; flamegraph.pl.

. "${0%/*}/lib.sh"
need perl gzip zstd heaptrack heaptrack_print jq
V=$T/data/valid
flamegraph=/usr/share/perl5/Devel/NYTProf/flamegraph.pl
ok '[ -f $flamegraph ]' "flamegraph.pl is installed (make deps-test)"
plain="--disable-builtin-suppressions --disable-embedded-suppressions"

# --- usage -----------------------------------------------------------------
run "$BIN/ht-fold" -h
is "$status $(err)" "0 " "-h"
cp out usage
run "$BIN/ht-fold" --help
same out usage "--help is the same"
run "$BIN/ht-fold" -V
like "$(out)" '^ht-fold [0-9.]+ \(format 3\)$' "-V"
for bad in --nonsense '-c bytes' '--cost=' '-i no' '--at x'; do
	run "$BIN/ht-fold" $bad "$V/example.ht"
	is "$status" 2 "'$bad' is a wrong usage"
	like "$(err)" '^usage: ht-fold' "'$bad' shows the usage"
done
run "$BIN/ht-fold" -c bytes
like "$(err)" 'calls, peak, leaked, temporary, total' "which costs there are"
run "$BIN/ht-fold" nowhere
is "$status $(err)" \
    "1 ht-fold: cannot open 'nowhere': No such file or directory" \
    "no such file"

# --- forms -----------------------------------------------------------------
fold() {
	run "$BIN/ht-fold" -q "$@"
	[ "$status$(err)" = 0 ] || fail "ht-fold $*" "status $status" "$(err)"
}
fold "$V/inlined.ht"
is "$(out)" "main;push_[i] 2" "an inlined function is marked"
fold -i plain "$V/inlined.ht"
is "$(out)" "main;push 2" "-i plain"
fold --inlined=hide "$V/inlined.ht"
is "$(out)" "main 2" "-i hide"
fold -r "$V/inlined.ht"
is "$(out)" "push_[i];main 2" "-r"
fold --by-thread "$V/inlined.ht"
is "$(out)" "main;main;push_[i] 2" "--by-thread"
fold -r --by-thread "$V/inlined.ht"
is "$(out)" "push_[i];main;main 2" "-r --by-thread"
fold --all-frames "$V/inlined.ht"
is "$(out)" "_start;main;push_[i];operator new(unsigned long) 2" "--all-frames"
fold --by-thread "$V/heaptrack-3.ht"
like "$(out)" '^\[unknown thread\];' "heaptrack knows no threads"
for c in calls:2 peak:200 leaked:100 temporary:1 total:200; do
	fold -c ${c%:*} "$V/inlined.ht"
	is "$(out)" "main;push_[i] ${c#*:}" "-c ${c%:*}"
done
fold "$V/example.ht"
like "$(out)" '^app\+0x[0-9a-f]+;app\+0x[0-9a-f]+ 2$' "not symbolised"
fold "$V/inlined.ht" "$V/inlined.ht"
is "$(out)" "main;push_[i] 4" "several traces are added up"
fold --all-images "$V/launcher.ht"
cp out all
fold "$V/launcher.ht"
isnt "$(out)" "$(cat all)" "launchers are left out"
fold -o written "$V/inlined.ht"
is "$(out)$(cat written)" "main;push_[i] 2" "-o"
cp "$V/inlined.ht" inlined.gz
fold -o inlined.gz inlined.gz
is "$(gzip -dc inlined.gz)" "main;push_[i] 2" "-o, compressed, over its input"

# --- sums ------------------------------------------------------------------
# sum COLUMN: of the numbers in `out`.
sum() {
	awk '{ n += $NF } END { printf "%.0f", n }' out
}
for t in "$V"/*.ht; do
	# Of these the sums do not fit.
	case $t in */large-numbers.ht)	continue ;; esac
	"$BIN/ht-top" --totals "$t" >totals
	got= want=
	for c in calls:allocations peak:peak leaked:leaked \
	    temporary:temporary total:total_bytes; do
		fold -c ${c%:*} "$t"
		got="$got $(sum)"
		want="$want $(total ${c#*:})"
	done
	is "$got" "$want" "${t##*/} adds up to its totals"
	gzip -c "$t" >t.gz
	zstd -qc "$t" >t.zst
	for z in t.gz t.zst; do
		fold -c total $z
		mv out out.z
		fold -c total "$t"
		same out.z out "${t##*/}: ${z#t.}"
	done
done

# Selections, as select.pl finds them event by event.
cat >cases <<'END'
 | 
from=100 | --from 0.1
to=500 | --at 0.5
from=50 to=300 | --from 0.05s --to 0.3
function=grow | --filter grow
function=xmalloc -function=Parser | --filter function=xmalloc --exclude Parser
-module=libc | --exclude module=libc
thread=worker | --filter thread=worker
min=100 max=4096 | --filter size=100..4k
alloc=xmalloc ignore=grow | --alloc-fn xmalloc --ignore-fn grow
from=100 to=700 function=helper min=16 | --from 0.1 --to 0.7 --filter helper --filter size=16..
END
for seed in 1 2 3 4 5; do
	perl "$T/prog/random.pl" $seed >r.ht
	wrong=
	while IFS='|' read -r theirs ours; do
		perl "$T/prog/select.pl" r.ht $theirs >totals
		for c in calls:allocations peak:peak leaked:leaked \
		    temporary:temporary total:total_bytes; do
			fold $plain --by-thread -c ${c%:*} $ours r.ht
			[ "$(sum)" = "$(total ${c#*:})" ] ||
			    wrong="$wrong; $ours: $c $(sum) $(total ${c#*:})"
		done
	done <cases
	is "$wrong" "" "seed $seed: selections"
	# Each line once, and nothing that costs nothing.
	fold r.ht
	is "$(sed 's/ [0-9]*$//' out | sort | uniq -d)$(grep ' 0$' out)" "" \
	    "seed $seed: each stack once"
done

# Stack by stack, as replayed.
record "$PROG/orchard"
symbolize t.ht
for c in 2:calls 4:total 5:peak; do
	replay --peak t.sym
	perl -F'\t' -ane 'chomp @F; $F[0] eq "stack" or next;
	    $F[1] =~ s/(^|;)\[?[^;]*\.so[^;]*/$1?/g; $n{$F[1]} += $F['${c%:*}'];
	    END { print map { "$_ $n{$_}\n" } sort grep $n{$_}, keys %n }' \
	    re >want
	fold --all-frames -i plain -c ${c#*:} t.sym
	perl -pe 's/(^|;)\[?[^;]*\.so[^; ]*/$1?/g' out | sort >got
	sort want >want.
	same got want. "orchard: $c, $(wc -l <out) stacks as replayed"
done
fold t.sym
like "$(out)" 'fill\(\)_\[i\] 40$' "inlined functions are among them"

# --- heaptrack_print -F ----------------------------------------------------
# Its mistakes: within a frame it names the inlined functions in the wrong
# order, the innermost first; it never merges equal stacks; each line ends in
# an empty name; and where main has no symbol, what is below it remains.
perl -e 'print "[", join(",", map { "{\"id\":$_,\"v\":[1,2,3.5]}" } 1 .. 300),
    "]"' >in.json
cat >theirs.pl <<'END'
while (<STDIN>) {
	s/;? (\d+)$// or die;
	my $n = $1;
	chomp;
	s/(^|;)0x[0-9a-f]+(?=[ ;]|$)/$1?/g;
	my $s = join ";", map { s/ \([^() ]*\)$//r } split /;/;
	$s =~ s/^\?;__libc_start_main_impl;__libc_start_call_main;//;
	$n{$s} += $n;
}
print map { "$_ $n{$_}\n" } sort grep $n{$_}, keys %n;
END
cat >ours.pl <<'END'
while (<STDIN>) {
	s/ (\d+)$// or die;
	my $n = $1;
	chomp;
	my (@all, @frame);
	for (split /;/) {
		s/^\[[^]]*\]$/?/;
		push @all, splice @frame unless s/_\[i\]$//;
		unshift @frame, $_;
	}
	$n{join ";", @all, @frame} += $n;
}
print map { "$_ $n{$_}\n" } sort keys %n;
END
heaptrack -o jq jq '.[] | .v | add' in.json >/dev/null 2>&1
heaptrack -o orchard "$PROG/orchard" >/dev/null 2>&1
heaptrack -r -o raw "$PROG/orchard" >/dev/null 2>&1
for p in jq orchard; do
	for c in calls:allocations peak:peak leaked:leaked; do
		heaptrack_print -t 0 -F f --flamegraph-cost-type ${c#*:} \
		    $p.zst >/dev/null 2>&1
		perl theirs.pl <f >want
		fold -c ${c%:*} $p.zst
		perl ours.pl <out >got
		same got want "$p: ${c#*:}, as heaptrack_print -F"
		heaptrack_print -F f --flamegraph-cost-type ${c#*:} \
		    $p.zst >/dev/null 2>&1
		perl theirs.pl <f >want
		fold -t -c ${c%:*} $p.zst
		perl ours.pl <out >got
		same got want "$p: ${c#*:}, without template arguments"
		[ $c = calls:allocations ] &&
		    ok '[ $(wc -l <want) -gt 15 ]' "$p: $(wc -l <want) stacks"
	done
done
fold orchard.zst
want=$(sum)
fold raw.raw.zst
is "$(sum)" "$want" "a raw file of heaptrack"

# --- two columns -----------------------------------------------------------
perl "$T/prog/random.pl" 7 >a.ht
perl "$T/prog/random.pl" 8 >b.ht
for c in calls leaked; do
	for o in '' -r --by-thread; do
		fold $o -c $c a.ht
		mv out a.folded
		fold $o -c $c b.ht
		mv out b.folded
		perl -ne '/^(.*) (\d+)$/ or die;
		    $n{$1}[$ARGV eq "b.folded"] = $2;
		    END { printf "%s %s %s\n", $_, map { $_ // 0 } @{$n{$_}}[0, 1]
			for sort keys %n }' a.folded b.folded | sort >want
		fold $o -c $c -d a.ht b.ht
		sort out >got
		same got want "-d $o: both columns of $c"
	done
done
run "$BIN/ht-fold" -d nowhere b.ht
is "$status" 1 "a base that is not there: 1"
perl $flamegraph <want >svg 2>svg.err
is "$(cat svg.err)" "" "flamegraph.pl reads two columns"

# --- names -----------------------------------------------------------------
perl -e 'sub s { my $n = shift; printf "s %x %s\n", length $n, $n }
    my @name = ("a;b", "c 12", "d 1.5", "e 7 8", "f\x1b[31m", "g\t1", " ",
	"h\xff", "i ", "9", "j\xe2\x80\xaek", "#l", "m 3.");
    print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\nX x\n",
	"I 1000 10\n";
    &s("/x;y 4");
    for (1 .. @name) { &s($name[$_ - 1]); printf "i %x 1 %x\nt %x 0\na %x %x\n",
	$_, $_ + 1, $_, $_, $_ }
    printf "i ff 1\nt %x 0\na 64 %x\n", 1 + @name, 1 + @name;
    printf "+ %x\n", $_ for 0 .. @name;
    print "#E exit 0\n"' >names
for o in '' -r --by-thread; do
	fold $o names
	is "$(grep -cvE '^[^;]+(;[^;]+)* [0-9]+$' out)" 0 "a line a stack ($o)"
	is "$(grep -cE '[^ ;] +[0-9]+(\.[0-9]*)? [0-9]+$' out)" 0 \
	    "no name ends in a number ($o)"
	is "$(wc -l <out)" 14 "none is lost ($o)"
	is "$(LC_ALL=C tr -d '\n -~' <out)" "" "nothing raw ($o)"
	perl $flamegraph <out >svg 2>svg.err
	is "$(cat svg.err)" "" "flamegraph.pl reads all ($o)"
done
fold names
for line in 'a:b 1' 'c_12 1' 'd_1.5 1' 'e 7_8 1' 'm_3. 1' '[x:y_4] 1'; do
	ok 'grep -Fqx "$line" out' "$line"
done
fold -d names names
is "$(grep -cv ' 1 1$' out)" 0 "two columns are two"
fold "$V/hostile.ht"
is "$(LC_ALL=C tr -d '\n -~' <out)" "" "hostile.ht: nothing raw"

# Speedscope's importer takes /^(.*) (\d+)$/; a picture comes out of it all.
fold t.sym
is "$(grep -cvE '^.* [0-9]+$' out)" 0 "every line is one"
perl $flamegraph --countname allocations <out >svg 2>svg.err
is "$(cat svg.err)" "" "flamegraph.pl has no complaint"
grep -F 'title>season' svg >title
like "$(cat title)" 'season.* \([0-9]+ allocations' "season is in the picture"

# 100,000 frames deep, and 1 MB of name.
perl -e 'print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n",
    "X deep\nI 1000 10\ns 1 m\ns 1 f\ns f423f ", "n" x 999999, "\ni 1 1 2\n",
    "i 2 1 3\n";
    printf "t %x %x\n", $_ % 9999 ? 1 : 2, $_ for 0 .. 99999;
    print "a 1 186a0\na 1 30d4\n+ 0\n+ 1\n#E exit 0\n"' >deep
run "$BIN/ht-fold" deep
is "$status $(err)" "0 " "100,000 frames deep"
is "$(wc -l <out)" 2 "two lines"

# --- what is wrong ---------------------------------------------------------
for t in "$T"/data/invalid/*.ht "$T"/data/invalid/*.gz \
    "$T"/data/invalid/*.zst; do
	"$BIN/ht-top" --totals <"$t" 2>&1 >/dev/null |
	    sed 's/^ht-top:/ht-fold:/' >want
	run sh -c 'exec "$0" -q <"$1"' "$BIN/ht-fold" "$t"
	is "$status" 1 "${t##*/} has status 1"
	same err want "${t##*/} is told as ever"
done
run "$BIN/ht-fold" "$V/extensions.ht"
like "$(err)" '16 events were lost: the numbers are too low' "lost events"
if [ -w /dev/full ]; then
	run sh -c 'exec "$0" "$1" >/dev/full' "$BIN/ht-fold" "$V/example.ht"
	is "$status" 1 "a full disk"
	like "$(err)" 'No space left' "is said"
fi
run sh -c 'exec "$0" "$1" >&-' "$BIN/ht-fold" "$V/example.ht"
is "$status" 1 "stdout is closed"
{ "$BIN/ht-fold" deep; } 2>err | true
is "$(cat err)" "" "a closed pipe is no message"

done_testing
