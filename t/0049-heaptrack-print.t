#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Everything that heaptrack_print prints of heaptrack's own recordings, and what
# ht-top says in its place: each section row by row, the size histogram (-H) and
# the difference of two (-d). t/0042-heaptrack.t has the totals, raw files and
# temporaries.
#
# Its known mistakes: a free of class 0 after another free counts as temporary
# (t/0042); the run time is one ms more than the last time stamp (there too); and
# names that are shown alike without their template arguments (-t 0 gives them).
# Differences agree row by row.

. "${0%/*}/lib.sh"
need heaptrack heaptrack_print jq cppcheck python3 xz kwriteconfig5 zstd perl

off="--disable-builtin-suppressions --disable-embedded-suppressions"

# theirs SECTION: its rows as count<TAB>bytes<TAB>function<TAB>where, summed up
# where no function is known. Bytes are rounded.
cat >theirs.pl <<'END'
use strict;
my ($section) = @ARGV;
my %unit = (B => 1, K => 1e3, M => 1e6, G => 1e9);
my %form = (calls => qr/^(-?\d+) calls to allocation functions with (-?[\d.]+)([BKMG]) peak/,
    peak => qr/^(-?[\d.]+)([BKMG]) peak memory consumed over (-?\d+) calls/,
    leaked => qr/^(-?[\d.]+)([BKMG]) leaked over (-?\d+) calls/);
my (%n, %b, @order);
my @line = <STDIN>;
for (my $i = 0; $i < @line; $i++) {
	my ($n, $b);
	next unless $line[$i] =~ $form{$section};
	($n, $b) = $section eq 'calls' ? ($1, $2 * $unit{$3})
	    : ($3, $1 * $unit{$2});
	chomp(my $name = $line[++$i]);
	my $where = '';
	if ($line[$i + 1] =~ /^  at (.*)$/) {
		$where = $1;
	} elsif ($line[$i + 1] =~ /^  in (.*)$/) {
		$where = $1;
	}
	($name, $where) = ('(unknown)', '') if $name =~ /^(0x|\?\?)/;
	$n{"$name\t$where"} += $n;
	$b{"$name\t$where"} += $b;
}
print "$n{$_}\t$b{$_}\t$_\n" for sort keys %n;
END
# The same of ours: a table by line.
cat >ours.pl <<'END'
use strict;
my ($section) = @ARGV;
my %bytes = (calls => 5, peak => 5, leaked => 3);
my (%n, %b);
<STDIN>;
while (<STDIN>) {
	chomp;
	my ($sort, @f) = split /\t/, $_, -1;
	my ($name, $file, $line, $module) = @f[10 .. 13];
	my $where = $file ne '' ? "$file:$line" : $module;
	($name, $where) = ('(unknown)', '') if $name eq '';
	$n{"$name\t$where"} += $f[0];
	$b{"$name\t$where"} += $f[$bytes{$section}];
}
print "$n{$_}\t$b{$_}\t$_\n" for sort keys %n;
END

# matched: the functions of both lists, and their numbers; rounded by them to two
# digits behind the point.
cat >matched.pl <<'END'
use strict;
my (%theirs, %ours);
open my $t, '<', $ARGV[0] or die;
while (<$t>) { chomp; my ($n, $b, @k) = split /\t/, $_, -1; $theirs{"@k"} = [$n, $b] }
open my $o, '<', $ARGV[1] or die;
while (<$o>) { chomp; my ($n, $b, @k) = split /\t/, $_, -1; $ours{"@k"} = [$n, $b] }
for (sort keys %{{ %theirs, %ours }}) {
	my ($x, $y) = ($theirs{$_}, $ours{$_});
	print "only theirs: $_\n" if !$y && ($x->[0] || $x->[1]);
	print "only ours: $_ @$y\n" if !$x;
	next unless $x && $y;
	print "calls: $_: $x->[0] $y->[0]\n" if $x->[0] != $y->[0];
	print "bytes: $_: $x->[1] $y->[1]\n"
	    if abs($x->[1] - $y->[1]) > 0.006 * abs($x->[1]) + 1;
}
END

compare() {
	name=$1
	for section in calls peak leaked; do
		case $section in
		calls)	only='-p 0 -T 0' ;;
		peak)	only='-a 0 -T 0' ;;
		leaked)	only='-a 0 -p 0 -T 0 -l 1' ;;
		esac
		heaptrack_print $only -n 1000000 -s 0 -t 0 $off "$name.zst" \
		    >print 2>print.err
		perl theirs.pl $section <print >list.theirs
		run "$BIN/ht-top" $off --sort $section --format tsv "$name.zst"
		is "$status $(err)" "0 " "$name: $section"
		perl ours.pl $section <out >list.ours
		is "$(perl matched.pl list.theirs list.ours)" "" \
		    "$name: $section of all $(wc -l <list.ours) places"
		# Their order: the numbers fall in the same way.
		perl -ne 'print "$1\n" if /^(\d+) calls to allocation/' print >a
		cut -f 2 out | sed 1d >b
		[ $section = calls ] && same b a "$name: the order of the rows"
	done
	heaptrack_print -a 0 -p 0 -T 0 -H hist "$name.zst" >print 2>&1
	run "$BIN/ht-top" --by size --sort calls --format tsv "$name.zst"
	sed 1d out | awk -F '\t' '{ print $12 "\t" $2 }' | sort -n >sizes
	same sizes hist "$name: the size histogram"
}

# changed LATER BASE: the difference of two, by calls.
changed() {
	heaptrack_print -p 0 -T 0 -n 1000000 -s 0 -t 0 -d "$2.zst" "$1.zst" \
	    >print 2>print.err
	perl theirs.pl calls <print >list.theirs
	run "$BIN/ht-top" $off --sort calls --format tsv --diff "$2.zst" "$1.zst"
	is "$status $(err)" "0 " "$1 and $2: the difference"
	perl ours.pl calls <out >list.ours
	cut -f 1,3- list.theirs | grep -v '^0' >a
	cut -f 1,3- list.ours >b
	same b a "$1 and $2: the calls of all $(wc -l <b) places that differ"
	run "$BIN/ht-top" $off --totals --diff "$2.zst" "$1.zst"
	is "$(said allocations)" \
	    "$(sed -n 's/^calls to allocation functions: \(-*[0-9]*\).*/\1/p' print)" \
	    "$1 and $2: in all"
	# The base read in the other order has the other sign.
	run "$BIN/ht-top" $off --totals --diff "$1.zst" "$2.zst"
	mv out turned
	run "$BIN/ht-top" $off --totals --diff "$2.zst" "$1.zst"
	is "$(paste out turned | awk '$1 != "peak_ms" && $2 + $4 != 0')" "" \
	    "$1 and $2: turned round"
}

# recorded NAME COMMAND…
recorded() {
	name=$1
	shift
	heaptrack -o "$name" "$@" >/dev/null 2>&1
	ok '[ -s "$name.zst" ]' "$name is recorded"
}

lines() {
	perl -e 'print "int f$_(int a) { int b = a; for (int i = 0; i < a; i++) ",
	    "if (b > $_) b -= i; return b; }\n" for 1 .. '$1
}
lines 10 >in.c
lines 15 >in2.c
perl -e 'print "[", join(",", map { "{\"id\":$_,\"v\":[1,2,3.5]}" }
    1 .. 300), "]"' >in.json
python=$(python3 -c 'import sys; print(sys.executable)')
head -c 3000000 "$(command -v cppcheck)" >bytes

recorded jq jq '.[] | .v | add' in.json
recorded jq2 jq '.[] | .id' in.json
recorded cppcheck cppcheck -q in.c
recorded cppcheck2 cppcheck -q in2.c
PYTHONMALLOC=malloc
export PYTHONMALLOC
recorded python "$python" -c 'import json; print(json.dumps([1, 2]))'
unset PYTHONMALLOC
# Qt and KDE's libraries.
recorded kde kwriteconfig5 --file "$TMP/rc" --group g --key k value
recorded kde2 kwriteconfig5 --file "$TMP/rc" --group g --key k --type bool true
# Threads.
recorded xz xz -T2 --block-size=500000 -k -c bytes

for name in jq cppcheck python kde xz; do
	compare $name
done
changed jq2 jq
changed cppcheck2 cppcheck
changed kde2 kde

# The same program twice, at other addresses.
recorded again cppcheck -q in.c
run "$BIN/ht-top" $off --sort calls --diff again.zst cppcheck.zst
like "$(out)" '^no difference$' "addresses are no difference"

done_testing
