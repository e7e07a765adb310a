#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-top's rows and trees of random traces, every cost of every row: those that
# t/prog/select.pl finds by brute force, which shares no code with ht-top.

. "${0%/*}/lib.sh"
need perl

plain="--disable-builtin-suppressions --disable-embedded-suppressions"
costs='calls total temporary leaked leaked_blocks peak peak_blocks lifetime age freed_by_others'

# A table of --format tsv as select.pl prints it: rows of one group, of all
# sections together, each once; of a tree, its paths. What a section leaves out
# is a row with nothing of its cost; between all of them no row is missing. Each
# section's order is checked on the way.
cat >rows.pl <<'END'
use strict;
my ($by, $tree) = @ARGV;
my @head = split /\t/, <STDIN> =~ s/\n//r;
my %column = map { $head[$_] => $_ } 0 .. $#head;
my %key = (line => ['function', 'file', 'line', 'module'],
    function => ['function', 'module'], file => ['file'], module => ['module'],
    thread => ['thread'], size => ['size'], stack => ['stack']);
my @costs = split / /, $ENV{costs};
my (%row, %self, %last, @path, %times, %most);
while (<STDIN>) {
	chomp;
	my @f = split /\t/, $_, -1;
	die "columns: $_\n" unless @f == @head;
	my $sort = $f[0];
	my $n = abs $f[$column{$sort}];
	my @name = map { $f[$column{$_}] } @{$key{$by}};
	my $name = join '|', @name;
	if ($by eq 'file' && $name eq '') {
		$name = $f[$column{module}];
	}
	$name = '(cut)' if $column{cut} && $f[$column{cut}];
	$name = '(unknown)' if $name =~ /^\|*$/ && $by ne 'size';
	if ($tree) {
		my $depth = $f[$column{depth}];
		splice @path, $depth;
		push @path, $name;
		$name = join ' > ', @path;
		my $parent = join ' > ', @path[0 .. $depth - 1];
		$last{"$sort\t$parent"} //= $n;
		die "order: $_\n" if $n > $last{"$sort\t$parent"};
		$last{"$sort\t$parent"} = $n;
		my $self = $f[$column{self}];
		$self{$name}{$sort} = $self;
	} else {
		$last{$sort} //= $n;
		die "order: $_\n" if $n > $last{$sort};
		$last{$sort} = $n;
	}
	die "nothing of $sort: $_\n" if $n == 0;
	my $costs = join "\t", map { $f[$column{$_}] } @costs;
	if ($by eq 'stack') {
		# Stacks that differ in lines only have one name.
		my $n = ++$times{"$sort\t$name\t$costs"};
		$most{"$name\t$costs"} = $n
		    if $n > ($most{"$name\t$costs"} // 0);
		next;
	}
	die "$name: $costs\n      and $row{$name}\n"
	    if defined $row{$name} && $row{$name} ne $costs;
	$row{$name} = $costs;
}
for my $key (keys %most) {
	my ($name, @cost) = split /\t/, $key;
	my @sum = split /\t/, $row{$name} // '';
	$row{$name} = join "\t",
	    map { ($sum[$_] // 0) + $cost[$_] * $most{$key} } 0 .. $#cost;
}
for (sort keys %row) {
	print "$_\t$row{$_}";
	if ($tree) {
		my $self = $self{$_};
		print map { "\t" . ($self->{$_} // 0) }
		    qw(calls total temporary leaked peak lifetime);
	}
	print "\n";
}
END
# The same of what select.pl printed: rows that no section would have go, and of
# a node's own costs those that sections are sorted by stay.
cat >want.pl <<'END'
use strict;
while (<STDIN>) {
	chomp;
	my @f = split /\t/, $_, -1;
	next unless grep { $f[$_] } 1 .. 4, 6, 8;
	if (@f > 11) {
		@f = (@f[0 .. 10], @f[11 .. 14, 16, 18]);
	}
	print join("\t", @f), "\n";
}
END

# compare GROUP DIRECTION SELECT-IS-TOLD HT-TOP-IS-TOLD: adds to $wrong.
export costs
sort=calls,peak,leaked,temporary,total,lifetime
wrong=
compare() {
	by=$1 tree=$2 theirs=$3 ours=$4
	perl "$T/prog/select.pl" r.ht by=$by ${tree:+tree=$tree} $theirs \
	    >want.all 2>want.err || wrong="$wrong; $theirs: $(cat want.err)"
	perl want.pl <want.all | LC_ALL=C sort >want
	run "$BIN/ht-top" --format tsv --sort $sort $plain --by $by $ours r.ht
	[ "$status$(err)" = 0 ] || wrong="$wrong; $ours: $status $(err)"
	perl rows.pl $by $tree <out 2>got.err | LC_ALL=C sort >got
	[ -s got.err ] && wrong="$wrong; $by $ours: $(cat got.err)"
	cmp -s got want || wrong="$wrong; $by $ours:
$(diff want got | head -n 6)"
}

seed=1
while [ $seed -le ${SEEDS:-8} ]; do
	perl "$T/prog/random.pl" $seed >r.ht
	wrong=
	for by in line function file module thread size stack; do
		compare $by '' '' ''
		compare $by '' 'from=100 to=700' '--from 0.1 --to 0.7'
	done
	compare line '' 'function=helper alloc=xmalloc' \
	    '--filter helper --alloc-fn xmalloc'
	compare thread '' 'to=400' '--at 0.4'
	is "$wrong" "" "seed $seed: rows by all groups, and in windows"
	wrong=
	for by in line function file module; do
		compare $by top-down '' --tree
		compare $by bottom-up '' --bottom-up
	done
	compare function callers 'of=grow' '--callers grow'
	compare function callees 'of=grow' '--callees grow'
	compare line callers 'of=Parser' '--callers Parser'
	compare line callees 'of=Parser' '--callees /^Parser/'
	compare function top-down 'from=50 to=600' '--tree --from 0.05 --to 0.6'
	is "$wrong" "" "seed $seed: trees of all directions"
	seed=$((seed + 1))
done

# The same with stacks that are cut: they end in a place of their own.
perl "$T/prog/random.pl" 2 | grep -v '^#C' | sed 's/^#T 2 /#C 1\n#C 2\n#C 3\n#C 4\n&/' >r.ht
wrong=
compare stack '' '' ''
like "$(cat got)" '\(cut: no unwind information\)' "some are cut"
is "$wrong" "" "cut stacks"

done_testing
