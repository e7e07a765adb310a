#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-profile(5): that a profile says what its traces say, by t/prog/profile.pl
# and t/prog/replay.pl, which share no code with the commands; that reports of a
# profile are those of its trace; and what is said of bad ones.
. "${0%/*}/lib.sh"
need gzip zstd perl jq /usr/bin/python3

# profile TRACE: its profile into ./p, which must be sound.
profile() {
	run "$BIN/ht-aggregate" -q "$1"
	cp out p
	perl "$T/prog/profile.pl" p >prof 2>prof.err
	is "$? $(cat prof.err)" "0 " "a sound profile of ${1##*/}"
}

# agrees NAME: all that replay.pl found is in the profile too.
agrees() {
	for t_k in allocations frees temporary leaked leaked_blocks \
	    total_bytes peak peak_ms runtime_ms peak_rss lost unknown_frees \
	    doubles freed_by_others others_allocations others_frees traces; do
		grep "^$t_k	" re
	done | sort >want
	sort prof | join -t '	' -j 1 - want | cut -f 1,2 | sort -u >got
	same got want "$1: as replayed"
}

# stacks FILE: its `stack` lines, a function without a name being `?`, or an
# address, which differs.
stacks() {
	perl -F'\t' -lane 'next if $F[0] ne "stack";
	    $F[1] =~ s/\?[0-9a-f]+/?/g;
	    $s{$F[1]}[$_] += $F[$_ + 2] for 0 .. 3;
	    END { print join "\t", $_, @{ $s{$_} } for sort keys %s }' "$1"
}

# reports TRACE PROFILE: byte for byte the same, but for what a profile cannot
# know: how many launchers were left out of it, and marks.
reports() {
	bad=
	for o in '' '-apTl' '-apTl -d 0 -w 0 -n 500 -s 100 --all-frames' \
	    '--totals' '-l --disable-builtin-suppressions' \
	    '-l --disable-embedded-suppressions -n 100' \
	    '-a --filter a -s 9' '-p --exclude size=..64 --alloc-fn malloc' \
	    '-T --filter thread=main'; do
		"$BIN/ht-top" $o "$1" >a 2>a.err
		rc=$?
		"$BIN/ht-top" $o "$2" >b 2>b.err
		[ $? = $rc ] || bad="$bad status($o)"
		grep -Ev '^([0-9,]* launchers* left out|marks:)' a >a.less
		cmp -s a.less b || bad="$bad '$o'"
		cmp -s a.err b.err || bad="$bad stderr($o)"
	done
	is "$bad" '' "ht-top prints of the profile what of ${1##*/}"
}

for t in "$T"/data/valid/*.ht; do
	name=${t##*/} name=${name%.ht}
	profile "$t"
	run "$BIN/ht-aggregate" p
	is "$status $(err)" '0 ' "$name's profile is read in silence"
	same out p "$name: a profile of the profile is the profile"
	reports "$t" p
	case $name in
	heaptrack*|concatenated|large-numbers)	continue ;;
	esac
	replay "$t"
	agrees "$name"
done

# --- real programs -----------------------------------------------------------
perl -e 'print "["; for (1 .. 400) { print $_ > 1 && ",", "{\"k$_\":[",
    join(",", 1 .. $_ % 50), "]}" } print "]\n"' >big.json
record jq -c '.[] | keys' big.json
symbolize t.ht
mv t.sym jq.sym
cp t.ht jq.raw
PYTHONMALLOC=malloc
export PYTHONMALLOC
record /usr/bin/python3 -c 'import json, threading
def f():
    d = json.dumps([{str(i): list(range(i % 30))} for i in range(300)])
    return json.loads(d)
keep = f()
t = [threading.Thread(target=f) for _ in range(3)]
[x.start() for x in t]
[x.join() for x in t]'
unset PYTHONMALLOC
symbolize t.ht
mv t.sym python.sym
for t in jq.raw jq.sym python.sym; do
	profile $t
	case $t in
	jq.*)	how=--peak column=1- ;;
	*)	how=--stacks column=1-4 ;;
	esac
	replay --stacks $how $t
	agrees $t
	case $t in
	*.sym)
		stacks re | cut -f $column >want
		stacks prof | cut -f $column >got
		ok '[ -s want ]' "$t has stacks"
		same got want "$t: every stack's costs as replayed"
		;;
	esac
	reports $t p
	run "$BIN/ht-aggregate" p
	same out p "$t: a profile of the profile is the profile"
	cp p $t.p
done
# Lifetimes, as the lines of the trace have them.
perl -ne 'next unless /^- /; $n++;
    next unless / o([0-9a-f]+)/;
    my ($bucket, $v) = (0, hex $1);
    while ($v) { $bucket++; $v >>= 1 }
    $h{$bucket}++; $n--;
    END { $h{0} = $n; print "life\t$_\t$h{$_}\n"
	for sort { $a <=> $b } grep { $h{$_} } keys %h }' python.sym >want
perl "$T/prog/profile.pl" python.sym.p >prof
grep '^life' prof >got
grep -q '^#F' python.sym || same got want 'lifetimes as in the trace'
is "$(awk '$1 == "series_max" { print $2 }' prof)" \
    "$(awk '$1 == "peak" { print $2 }' prof)" 'the series has the peak'
is "$(awk '$1 == "series_allocations" { print $2 }' prof)" \
    "$(awk '$1 == "allocations" { print $2 }' prof)" 'and all allocations'
is "$(awk '$1 == "series_end" { print $2 }' prof)" \
    "$(awk '$1 == "leaked" { print $2 }' prof)" 'and ends with what leaked'

# Much smaller, once a program repeats itself.
{
	grep -v '^#E' jq.sym
	perl -e 'print "+ 0\n- 0\n" x 250000'
	echo '#E exit 0'
} >long.sym
"$BIN/ht-aggregate" -o long.p long.sym
before=$(wc -c <jq.sym.p) after=$(wc -c <long.p)
ok "[ $after -lt $((before + 64)) ]" 'half a million events more: the same size'

# --- how it is read ----------------------------------------------------------
calls() {
	"$BIN/ht-top" --totals "$1" | awk '$1 == "allocations" { print $2 }'
}

cp jq.sym.p p
gzip -c p >p.gz
zstd -qc p >p.zst
"$BIN/ht-top" jq.sym >want
for f in p.gz p.zst -; do
	run sh -c 'exec "$0" "$1" <p' "$BIN/ht-top" $f
	same out want "ht-top $f"
done
run "$BIN/ht-top" --follow p
same out want 'a profile has nothing to follow'
cat p p >pp
run "$BIN/ht-top" --totals pp
is "$(said allocations)" "$((2 * $(calls p)))" \
    'two profiles in one file add up'
run "$BIN/ht-top" --totals p jq.sym
is "$status $(said allocations)" "0 $(calls pp)" 'a profile and a trace'
for o in '--from 1' '--to 0.01' '--at 0.01' '--from 10%'; do
	run "$BIN/ht-top" $o p
	is "$status $(out)$(err)" "1 ht-top: p: this is a profile, and --from, --to and --at need the trace: its events are not in a profile" \
	    "$o says why not"
done
cat p jq.sym >both
run "$BIN/ht-top" --totals both
is "$status" 1 'a trace behind a profile is an error'
like "$(err)" 'both:[0-9]*: a trace needs a file of its own' \
    'and said so'
is "$(said allocations)" "$(calls p)" 'the profile counts'

cat jq.sym p >both
run "$BIN/ht-top" --totals both
is "$status $(err)" "1 ht-top: both:$(($(wc -l <jq.sym) + 1)): a profile needs a file of its own" \
    'and so is a profile behind a trace'
is "$(said allocations)" "$(calls p)" 'which counts'

# Comments change nothing.
sed '1a\
# a comment\
#Z of the future' p >commented
run "$BIN/ht-aggregate" commented
same out p 'comments are passed over'

# --- bad ones ----------------------------------------------------------------
"$BIN/ht-aggregate" "$T/data/valid/fields.ht" >p
size=$(wc -c <p)
i=1 bad=
while [ $i -lt $((size - 1)) ]; do
	head -c $i p >cut
	"$BIN/ht-aggregate" cut >out 2>err
	status=$?
	[ $status = 1 ] && [ -s err ] && [ ! -s out ] || bad="$bad $i($status)"
	i=$((i + 1))
done
is "$bad" '' 'cut at every byte: said, and nothing written'
perl -e 'local $/; open F, $ARGV[0]; my $t = <F>; my $n = 0;
    for my $i (0 .. length($t) - 1) {
	for my $c ("\n", "f", "") {
		my $u = $t;
		substr($u, $i, 1) = $c;
		open O, ">", "m." . $n++ or die;
		print O $u;
		close O;
	}
    }' p
bad=
for f in m.*; do
	"$BIN/ht-top" -apTl "$f" >out 2>err
	case $? in
	0)	[ ! -s err ] || bad="$bad $f" ;;
	1)	[ -s err ] || bad="$bad $f" ;;
	*)	bad="$bad $f($?)" ;;
	esac
	# What is accepted is a profile.
	"$BIN/ht-aggregate" -q "$f" >a 2>/dev/null || continue
	"$BIN/ht-aggregate" -q a >b 2>/dev/null
	cmp -s a b || bad="$bad $f(merge)"
done
is "$bad" '' 'every byte of a profile changed in turn'
rm -f m.*

# wrong NAME SED-SCRIPT: one defect; the good profile beside it counts.
wrong() {
	sed "$2" p >bad.ht
	run "$BIN/ht-aggregate" p bad.ht p
	is "$status" 1 "$1: status 1"
	like "$(err)" '^ht-aggregate: bad.ht(:[0-9]+)?: .*left out$' "$1: said"
	cp out got
	"$BIN/ht-aggregate" p p >want
	same got want "$1: the others count"
}
wrong 'no end' '$d'
wrong 'a line less' '/^b/d'
wrong 'a line more' 's/^s .*/&\
&/'
wrong 'no totals' '/^n/d'
wrong 'a trace without origin' '/^O/d;s/^E 17/E 16/'
wrong 'a trace more' 's/^n 1/n 2/'
wrong 'totals twice' 's/^n .*/&\
&/'
wrong 'a letter that is not known' 's/^R/Y/'
wrong 'upper case' 's/^n 1/n A/'
wrong 'a number too large' 's/^a 30 1/a 30 10000000000000000/'
wrong 'a number below 0' 's/^a 30 1/a 30 -1/'
wrong 'a decimal point' 's/^a 30 1/a 30 1.0/'
wrong 'two spaces' 's/^a 30 /a 30  /'
wrong 'a tab' 's/^a 30 /a	30 /'
wrong 'a carriage return' 's/^k 3$/&\r/'
wrong 'a text not defined' 's/^k 3$/k 99/'
wrong 'a module not defined' 's/^m 42 1/m 42 ffffffff/'
wrong 'a frame not defined' 's/^t 2$/t 3/'
wrong 'a parent not defined' 's/^t 2$/t 2 9/'
wrong 'a parent that is itself' 's/^t 2$/t 2 1/'
wrong 'a row of nothing' 's/^a 30 1 p1/a 30 0/'
wrong 'costs out of order' 's/ t1 l1/ l1 t1/'
wrong 'an age that cannot be' 's/4:1$/41:1/'
wrong 'an age without number' 's/4:1$/4:/'
wrong 'overflow of 2' 's/^n 1 0 0 0 0/n 1 0 0 0 2/'
wrong 'buckets of no width' 's/^c 4 1/c 0 1/'
wrong 'buckets too wide' 's/^c 4 1/c 37 1/'
wrong 'too many buckets' 's/^c 4 1/c 4 401/'
wrong 'a bucket too many' 's/^b .*/&\
&/'
wrong 'a bucket less' 's/^c 4 1/c 4 2/'
wrong 'a string too short' 's/^s 9/s 8/'
wrong 'a string too long' 's/^s 4 main/s ffffffffffffffff main/'
wrong 'an end that is not known' 's/ exit 0$/ exited 0/'
wrong 'a status without number' 's/ exit 0$/ exit/'
wrong 'a cut of nothing' 's/^m 42.*/&\
C/'
wrong 'a later format' '1s/1$/2/'
wrong 'no format' '1s/1$/x/'
wrong 'a NUL byte' 's/^s 4 main/s 4 m\x00in/'
wrong 'an empty line' 's/^k 3$/&\
/'
wrong 'a trace in it' 's/^k 3$/v 100 3/'

# A line of more than 1 MiB, a broken compressed stream.
{
	cat p
	printf '# ht-profile 1\nn 1 0 0 0 0\ns 10f447 '
	head -c 1111111 /dev/zero | tr '\0' x
	printf '\nE 2\n'
	cat p
} >long
run "$BIN/ht-aggregate" long
is "$status" 1 'a line too long: status 1'
like "$(err)" 'long:[0-9]+: a line is longer than 1 MiB' 'said'
same out want 'those before and behind it count'
head -c $(($(wc -c <p.gz) / 2)) p.gz >cut.gz
run "$BIN/ht-aggregate" cut.gz p
is "$status" 1 'a compressed profile cut short'
same out p 'the other one counts'

# Numbers that fit alone but not together stay at the largest.
perl -pe 's/^a 64 2 t1 l1/a 64 ffffffffffffffff t1 lffffffffffffffff/' p >large
run "$BIN/ht-aggregate" large large p
like "$(out)" '^a 64 ffffffffffffffff t3 lffffffffffffffff p3 ' \
    'sums that do not fit'
cp out sum
run "$BIN/ht-top" --totals sum
is "$(said total_bytes)" 18446744073709551615 'are the largest number'
done_testing
