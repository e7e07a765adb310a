#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-massif beside massif itself, peak and every stack of it; each snapshot
# beside a brute-force replay; its grammar by massif.pl and ms_print.

. "${0%/*}/lib.sh"
need perl gzip zstd valgrind ms_print heaptrack jq sqlite3 sort xz awk
V=$T/data/valid

# --- usage -----------------------------------------------------------------
run "$BIN/ht-massif" -h
is "$status $(err)" "0 " "-h"
cp out usage
run "$BIN/ht-massif" --help
same out usage "--help is the same"
run "$BIN/ht-massif" -V
like "$(out)" '^ht-massif [0-9.]+ \(format 3\)$' "-V"
for bad in --nonsense '--time-unit s' '--max-snapshots 9' '--threshold 101' \
    '--threshold 1.0x' '--threshold -1' '--detailed-freq 0' '--depth 0' \
    '--trace 0' '--max-snapshots x'; do
	run "$BIN/ht-massif" $bad "$V/example.ht"
	is "$status" 2 "'$bad' is a wrong usage"
	like "$(err)" '^usage: ht-massif' "'$bad' shows the usage"
done
run "$BIN/ht-massif" nowhere
is "$status $(out)$(err)" \
    "1 ht-massif: cannot open 'nowhere': No such file or directory" \
    "no such file"

# massif OPTION…: into `m`, which massif.pl must take, and what it says of it
# into `p`; `m_is NAME` prints one.
massif() {
	run "$BIN/ht-massif" -o m "$@"
	[ "$status$(err)" = 0 ] || fail "ht-massif $*" "status $status" "$(err)"
	perl "$T/prog/massif.pl" m >p 2>p.err ||
	    fail "ht-massif $*: the grammar" "$(cat p.err)"
}
m_is() {
	awk -F '\t' -v k="$1" '$1 == k { print $2 }' p
}

# --- a small one, as it stands ---------------------------------------------
massif "$V/inlined.ht"
cat >want <<'END'
desc: -o m (ht-massif VERSION)
cmd: ./app
time_unit: ms
#-----------
snapshot=0
#-----------
time=0
mem_heap_B=0
mem_heap_extra_B=0
mem_stacks_B=0
heap_tree=empty
#-----------
snapshot=1
#-----------
time=0
mem_heap_B=200
mem_heap_extra_B=0
mem_stacks_B=0
heap_tree=peak
n1: 200 (heap allocation functions) malloc/new/new[], --alloc-fns, etc.
 n1: 200 0x20: push (vec.hpp:17)
  n0: 200 0x20: main (app.c:42)
#-----------
snapshot=2
#-----------
time=0
mem_heap_B=100
mem_heap_extra_B=0
mem_stacks_B=0
heap_tree=detailed
n1: 100 (heap allocation functions) malloc/new/new[], --alloc-fns, etc.
 n1: 100 0x20: push (vec.hpp:17)
  n0: 100 0x20: main (app.c:42)
END
sed 's/ht-massif [0-9.]*/ht-massif VERSION/' m >m.version
same m.version want "inlined.ht"
massif --depth 1 "$V/inlined.ht"
is "$(grep ' push' m)" " n0: 200 0x20: push (vec.hpp:17)
 n0: 100 0x20: push (vec.hpp:17)" "--depth 1"
massif --all-frames "$V/inlined.ht"
like "$(cat m)" '^ n1: 200 0x10: operator new\(unsigned long\) \(in /app\)$' \
    "--all-frames"
massif "$V/example.ht"
like "$(cat m)" '^ n1: 100 0x42: \?\?\? \(in /home/app\)$' \
    "not symbolised: an address in the module"
run "$BIN/ht-massif" "$V/inlined.ht"
sed 's/^desc: /&-o m /' out >out.desc
massif "$V/inlined.ht"
same out.desc m "stdout has the same"
cp "$V/inlined.ht" over.gz
run "$BIN/ht-massif" -o over.gz over.gz
gzip -dc over.gz | sed 's/ over.gz / m /' >over
same over m "-o, compressed, over its input"

# --- every valid trace -----------------------------------------------------
for t in "$V"/*.ht; do
	name=${t##*/}
	case $name in
	# Sums that do not fit; many traces.
	large-numbers.ht|concatenated.ht)	continue ;;
	esac
	run "$BIN/ht-massif" -o m "$t"
	is "$status $(err)" "0 " "$name is read in silence"
	run perl "$T/prog/massif.pl" m
	is "$status $(err)" "0 " "$name: the grammar"
	cp out p
	"$BIN/ht-top" --totals "$t" >totals
	peak=$(m_is peak)
	is "${peak#none}" "$(total peak | sed 's/^0$//')" "$name: the peak"
	is "$(awk -F '\t' '$1 == "snapshot" { n = $4 } END { print n }' p)" \
	    "$("$BIN/ht-top" --totals --disable-builtin-suppressions \
		--disable-embedded-suppressions "$t" |
		sed -n 's/^leaked	//p')" "$name: the last snapshot"
	run ms_print m
	is "$status $(err)" "0 " "$name: ms_print has no complaint"
	for z in gzip zstd; do
		$z -qc "$t" >t.z
		run "$BIN/ht-massif" -o m.z t.z
		sed 's/-o m.z/-o m/' m.z >m.z1
		same m.z1 m "$name: $z"
	done
done

# --- snapshots by brute force ----------------------------------------------
# right: the snapshots in `p` that `now` does not know.
right() {
	awk -F '\t' 'NR == FNR { live[$1 "," $2]; next }
	    $1 == "snapshot" && $5 != "peak" && !(($3 "," $4) in live)' now p
}
for seed in 1 2 3 4 5 6; do
	perl "$T/prog/random.pl" $seed 3000 >r.ht
	"$BIN/ht-top" --totals r.ht >totals
	wrong=
	for unit in i B ms; do
		{
			printf '0\t0\n'
			perl "$T/prog/moments.pl" $unit r.ht
			# The end, in ms.
			perl "$T/prog/moments.pl" i r.ht | tail -n 1 |
			    sed "s/.*	/$(total runtime_ms)	/"
		} >now
		for n in 10 33 100 5000; do
			for f in 1 7; do
				massif --time-unit $unit --max-snapshots $n \
				    --detailed-freq $f r.ht
				wrong="$wrong$(right)"
				[ "$(m_is snapshots)" -le $n ] &&
				    [ "$(m_is peak)" = "$(total peak)" ] ||
				    wrong="$wrong $unit $n $f"
			done
		done
	done
	is "$wrong" "" "seed $seed: each snapshot, in each unit"

	# Selections: the last of a window that begins at 0, and the peak.
	wrong=
	while IFS='|' read -r theirs ours; do
		perl "$T/prog/select.pl" r.ht $theirs >totals
		massif $ours r.ht
		peak=$(m_is peak)
		last=$(awk -F '\t' '$1 == "snapshot" { n = $4 }
		    END { print n }' p)
		[ "${peak#none}" = "$(total peak | sed 's/^0$//')" ] ||
		    wrong="$wrong; $ours: peak $peak $(total peak)"
		case $theirs in
		from=*)	;;
		*)	[ "$last" = "$(total leaked)" ] ||
			    wrong="$wrong; $ours: last $last $(total leaked)" ;;
		esac
	done <<'END'
 | 
from=100 | --from 0.1
from=100 to=300 | --from 0.1 --to 0.3
to=500 | --to 500ms
to=500 | --at 0.5 --time-unit B
to=333 | --at 333ms --time-unit i --max-snapshots 10
function=grow | --filter grow
function=xmalloc -function=Parser | --filter function=xmalloc --exclude Parser
-module=libc | --exclude module=libc
thread=worker | --filter thread=worker
min=100 max=4096 | --filter size=100..4k
alloc=xmalloc ignore=grow | --alloc-fn xmalloc --ignore-fn grow
to=700 function=helper min=16 | --to 0.7 --filter helper --filter size=16..
END
	is "$wrong" "" "seed $seed: selections"
	# A window begins with what was live there.
	massif --from 0.2 r.ht
	is "$(awk -F '\t' '$1 == "snapshot" { print $3, $4; exit }' p)" \
	    "200 $(perl "$T/prog/select.pl" r.ht to=200 |
		sed -n 's/^leaked	//p')" "seed $seed: where a window begins"
	# Stack by stack: ht-fold, whose stacks a replay has checked.
	massif --at 0.4 --threshold 0 --depth 1000 r.ht
	perl "$T/prog/massif.pl" --last m |
	    sed -n 's/^path	\(.*\)	\([0-9]*\)$/\1 \2/p' |
	    sed 's/;(no caller shown)//; s/(cut: no unwind information)/[cut]/
		s/read;all/read:all/g' | awk '{ n[$0] += 0 } 1' >got.
	"$BIN/ht-fold" -r -i plain -c leaked --at 0.4 r.ht >want.
	for f in got want; do
		# Nameless ones are named otherwise.
		perl -pe 's/\?\?\?/?/g; s/\[(?!cut)[^];]*\]/?/g' $f. |
		    perl -ne '/(.*) (\d+)/; $n{$1} += $2;
			END { print map { "$_ $n{$_}\n" } sort keys %n }' >$f
	done
	same got want "seed $seed: each stack"
done

# --- massif itself ---------------------------------------------------------
# What both can tell of a name; below main valgrind shows nothing.
cat >names.pl <<'END'
while (<STDIN>) {
	chomp;
	my ($what, $names, $bytes) = split /\t/;
	next unless $what eq 'path' && $bytes;
	my @f;
	for (split /;/, $names) {
		last if /^\(below main\)$|^__libc_start/;
		s/^(.* )?\S+\+0x[0-9a-f]+$|^\?\?\?$/?/;
		1 while s/<[^<>]*>//;
		s/\(.*\)( const)?$//;
		s/.*:://;
		s/@.*//;
		s/\.(part|constprop|isra)\.\d+//g;
		s/^_*(GI_+)?(IO_)?(new_)?//;
		push @f, $_;
		last if $_ eq 'dl_init';
	}
	$n{join(';', @f)} += $bytes;
}
print "$_\t$n{$_}\n" for sort keys %n;
END
perl -e 'print "[", join(",", map { "{\"id\":$_,\"v\":[1,2,3.5]}" } 1 .. 300),
    "]"' >in.json
seq 20000 | awk '{ print ($1 * 7919) % 20011, "line", $1 }' >lines
cat >q.sql <<'END'
create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 2000)
    insert into t select x, hex(x) || 'some text' from c;
create index i on t(b);
select sum(length(b)), count(distinct b) from t;
END
# beside NAME COMMAND…: the same run under both; massif's peak in $1.p.
beside() {
	name=$1
	shift
	valgrind --tool=massif --peak-inaccuracy=0.0 --threshold=0 --depth=200 \
	    --read-inline-info=yes --massif-out-file="$name.vg" "$@" \
	    >/dev/null 2>vg.err </dev/null
	record "$@"
	symbolize t.ht
	massif --threshold 0 --depth 200 t.sym
	run perl "$T/prog/massif.pl" "$name.vg"
	is "$status $(err)" "0 " "$name: massif.pl reads valgrind's"
	cp out vg.p
	perl names.pl <vg.p >vg.paths
	perl names.pl <p >our.paths
	vg_peak=$(sed -n 's/^peak	//p' vg.p)
	run ms_print m
	is "$status $(err)" "0 " "$name: ms_print draws ours"
	is "$(grep -c '^ Detailed snapshots: .*(peak)' out)" 1 \
	    "$name: the peak is marked"
	like "$(out)" "^100.00% \($(m_is peak | perl -pe \
	    '1 while s/^(\d+)(\d{3})/$1,$2/; chomp')B\) \(heap all" \
	    "$name: and has its tree"
}
agrees() {
	beside "$@"
	is "$(m_is peak)" "$vg_peak" "$name: $vg_peak bytes at the peak"
	same our.paths vg.paths "$name: each of $(wc -l <vg.paths) stacks"
}
agrees orchard "$PROG/orchard"
agrees grow "$PROG/grow"
agrees sqlite sqlite3 :memory: ".read q.sql"
agrees sort sort --parallel=1 -S 1M lines
agrees xz xz -0 -zc lines
# massif looks for a peak where something is freed only: so does this.
agrees awk awk 'BEGIN { while (i++ < 5000) a[i] = i; print i; delete a }'
# massif's is the peak of what the allocator gives, slack included, and so
# another moment here: a replay finds both.
beside jq jq -c '.[] | .v | add' in.json
perl "$T/prog/moments.pl" massif t.ht >moments
is "$vg_peak	$(m_is peak)" "$(cat moments)" \
    "jq: massif's moment and the true peak"

# --- many snapshots, many traces -------------------------------------------
perl -e 'print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n",
    "X long\nI 1000 10\ns 2 /a\ns 1 f\ni 1 1 2\nt 1 0\n";
    printf "a %x 1\n", 16 * $_ for 0 .. 99;
    for (1 .. $ARGV[0]) {
	$k = $_ * 7 % 100;
	if (int($_ / 100) % 3 < 2) { printf "+ %x\n", $k; $l[$k]++ }
	elsif ($l[$k]) { printf "- %x\n", $k; $l[$k]-- }
	printf "c %x\n", $_ / 100 if $_ % 1000 == 0;
    }
    print "#E exit 0\n"' 400000 >long
for unit in ms i B; do
	for n in 10 57 100 1000; do
		massif --time-unit $unit --max-snapshots $n long
		# No gap is longer than that of half as many, and some.
		is "$(awk -F '\t' -v n=$n '$1 == "snapshot" { k++
		    if ($3 - t > gap) gap = $3 - t
		    t = $3; if ($5 != "empty") d++ }
		    END { print (k <= n && k >= n / 3 && gap <= 4 * t / n + 30),
			(d >= k / 20 && d <= k / 10 + 3) }' p)" "1 1" \
		    "$unit, $n: $(m_is snapshots) snapshots, evenly"
	done
done
if [ $sanitized = no ]; then
	run sh -c 'ulimit -v 30000; exec "$0" --detailed-freq 1 long' \
	    "$BIN/ht-massif"
	is "$status" 0 "in 30 MB"
fi
massif --threshold 5 long
unlike "$(sed -n 's/^ n0: \([0-9]*\) in.*/below/p' m)" . "one place is all"
record "$PROG/orchard"
symbolize t.ht
massif --threshold 5 t.sym
like "$(cat m)" "below massif's threshold \(5\.00%\)" "--threshold 5"
massif --threshold 0.125% t.sym
like "$(cat m)" "in 1 place, below massif's threshold \(0\.13%\)|^" "0.125%"
massif --threshold 0 t.sym
unlike "$(cat m)" ' in [0-9]+ place' "--threshold 0"
massif --threshold 100 t.sym
is "$(grep -c '^ n0: [0-9]* in [0-9]* places, all below massif.s threshold (100.00%)$' m)" \
    "$(grep -c '^n1: ' m)" "--threshold 100"

cat "$V/example.ht" "$V/inlined.ht" >two
run "$BIN/ht-massif" two
is "$status $(out)$(err)" "1 ht-massif: there are 2 traces, and massif.out \
holds one run: choose it with --trace 1 to 2" "two traces"
massif "$V/inlined.ht"
sed 1d m >want
massif --trace 2 two
sed 1d m >got
same got want "--trace 2"
massif --trace 2 "$V/example.ht" "$V/inlined.ht" "$V/example.ht"
sed 1d m >got
same got want "the second of three files"
run "$BIN/ht-massif" --trace 3 two
is "$status $(out)$(err)" "1 ht-massif: there is no trace 3, only 2" "--trace 3"
massif "$V/launcher.ht"
like "$(cat p)" '^snapshots' "a launcher is left out"
run "$BIN/ht-massif" --all-images "$V/launcher.ht"
is "$status" 1 "with --all-images there are more"

# --- names -----------------------------------------------------------------
perl -e 'sub s { my $n = shift; printf "s %x %s\n", length $n, $n }
    my @name = ("f::{lambda(int)#1}::operator()(int) const", "# a", "c\x1b[31m",
	"d\te", "%s%n", "g (h", " ", "\xff");
    print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n",
	"X a#b\x1b \\n\nI 1000 10\n";
    &s("/x#y"); &s("/d#r/f#.c");
    for (1 .. @name) { &s($name[$_ - 1]);
	printf "i %x 1 %x%s\nt %x 0\na %x %x\n+ %x\n", $_, $_ + 2,
	$_ % 2 ? "" : " 2 $_", $_, 64 * $_, $_, $_ - 1 }
    print "#E exit 0\n"' >names
massif names
run ms_print m
is "$status $(err)" "0 " "ms_print reads hostile names"
is "$(sed '/^#-----------$/d' m | LC_ALL=C tr -d '\n -~' | wc -c)" 0 \
    "nothing raw"
for text in 'f::{lambda(int)$1}::operator()(int) const (in /x$y)' \
    '$ a (f$.c:2)' 'c\x1b[31m (in /x$y)' '%s%n (in /x$y)'; do
	ok 'grep -Fq "$text" out' "ms_print shows $text"
done
is "$(grep '^cmd' m)" 'cmd: a$b\x1b \n' "the command"
massif "$V/hostile.ht"
is "$(LC_ALL=C tr -d '\n -~' <m)" "" "hostile.ht: nothing raw"

# Blocks of no known stack.
printf 'v 100 3\n#H f ht-record 0.1.0\nX x\nI 1000 10\na 64 0\n+ 0\n#E exit 0\n' \
    >nowhere
massif nowhere
is "$(tail -n 1 m)" " n0: 100 0x0: ???" "blocks of no known stack"
massif --filter main nowhere
is "$(m_is peak)" none "which no filter chooses"

# A recursion 100,000 deep, and a name of 1 MB.
perl -e 'print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n",
    "X deep\nI 1000 10\ns 1 m\ns 1 f\ns f423f ", "n" x 999999, "\ni 1 1 2\n",
    "i 2 1 3\n";
    printf "t %x %x\n", $_ % 9999 ? 1 : 2, $_ for 0 .. 99999;
    print "a 1 186a0\na 1 30d4\n+ 0\n+ 1\n#E exit 0\n"' >deep
massif deep
ok '[ $(wc -l <m) -lt 200 ]' "100,000 frames deep: 30 are shown"
massif --depth 1000 --threshold 0 deep
like "$(cut -c 1-1100 m)" '^ {1000}n0: ' "--depth 1000"

# --- heaptrack's files -----------------------------------------------------
heaptrack -o h "$PROG/orchard" >/dev/null 2>&1
heaptrack -r -o raw "$PROG/orchard" >/dev/null 2>&1
massif h.zst
is "$(m_is peak)" "$(awk -F '\t' '{ print $2 }' <<END
$("$BIN/ht-top" --totals h.zst | grep '^peak	')
END
)" "heaptrack's file"
like "$(cat m)" ': basket<pear, 25>::fill\(\) \(orchard.cc:18\)$' "its labels"
want=$(m_is peak)
massif raw.raw.zst
is "$(m_is peak)" "$want" "a raw one"

# --- what is wrong ---------------------------------------------------------
needs='s/the profile ends.*/this is a profile, and ht-massif needs the trace: '\
'its events are not in a profile/'
for t in "$T"/data/invalid/*.ht "$T"/data/invalid/*.gz \
    "$T"/data/invalid/*.zst; do
	"$BIN/ht-top" --totals <"$t" 2>&1 >/dev/null |
	    sed "s/^ht-top:/ht-massif:/; $needs" >want
	run sh -c 'exec "$0" <"$1"' "$BIN/ht-massif" "$t"
	is "$status" 1 "${t##*/} has status 1"
	grep -v 'traces, and massif.out' err >got
	same got want "${t##*/} is told as ever"
	# Where the sums do not fit they need not add up.
	if [ -s out ] && [ "${t##*/}" != live-overflow.ht ]; then
		cp out m
		run perl "$T/prog/massif.pl" m
		is "$status $(err)" "0 " "${t##*/}: what is there is a massif.out"
	fi
done
run "$BIN/ht-massif" "$T/data/invalid/no-end.ht"
like "$(out)" '^desc: .*TRUNCATED' "a truncated trace says so"
run "$BIN/ht-massif" "$V/extensions.ht"
like "$(out)" '^desc: .* LOST: 16 events are missing' "lost events"
run "$BIN/ht-massif" --from 25% - <"$V/example.ht"
is "$status" 0 "percent of a file as stdin"
# A trace that still grows: written when it has come to its end.
head -n 12 "$V/inlined.ht" >grows
"$BIN/ht-massif" --follow -o followed grows &
background $!
sleep 0.3
tail -n +13 "$V/inlined.ht" >>grows
ok "wait_for 20 '[ -s followed ]'" "--follow"
massif "$V/inlined.ht"
ok 'wait $! && [ "$(sed 1d m)" = "$(sed 1d followed)" ]' "has the same"
if [ -w /dev/full ]; then
	run sh -c 'exec "$0" "$1" >/dev/full' "$BIN/ht-massif" "$V/example.ht"
	is "$status" 1 "a full disk"
	like "$(err)" 'No space left' "is said"
fi
run sh -c 'exec "$0" "$1" >&-' "$BIN/ht-massif" "$V/example.ht"
is "$status" 1 "stdout is closed"
{ "$BIN/ht-massif" --threshold 0 --depth 1000 deep; } 2>err | true
is "$(cat err)" "" "a closed pipe is no message"

done_testing
