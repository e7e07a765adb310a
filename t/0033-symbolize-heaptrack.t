#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Raw files that heaptrack recorded: the same events, names and lines as
# heaptrack_interpret makes of them; and heaptrack_print reads ours.

. "${0%/*}/lib.sh"
need perl heaptrack heaptrack_print zstd g++ jq sqlite3

interpret=
for dir in /usr/lib/heaptrack/libexec /usr/libexec /usr/lib/*/libexec \
    /usr/lib/*/heaptrack/libexec; do
	[ -x "$dir/heaptrack_interpret" ] && interpret=$dir/heaptrack_interpret
done
ok '[ -n "$interpret" ]' "heaptrack_interpret is installed"

cat >compare.pl <<'END'
# The frames of each stack of two traces. Differences where heaptrack has no
# name, an unmangled Rust name, or a shorter name of the same function (with a
# symbol that says more) are ours for the better.
use strict;
use warnings;
no warnings 'portable';
sub load {
	my ($file) = @_;
	my (@s, @i, @t);
	open my $in, '<', $file or die;
	while (<$in>) {
		chomp;
		push @s, $1 if /^s [0-9a-f]+ (.*)/s;
		push @t, [$1, $2] if /^t ([0-9a-f]+) ([0-9a-f]+)/;
		next if !/^i (.*)/;
		my ($ip, $m, @f) = map { hex } split / /, $1;
		my @frame;
		push @f, 0, 0 if @f == 1;
		while (my ($fn, $file, $line) = splice @f, 0, 3) {
			push @frame, [$fn ? $s[$fn - 1] : '',
			    $file ? "$s[$file - 1]:$line" : ''];
		}
		push @i, [$ip, $m ? $s[$m - 1] : '', \@frame];
	}
	return (\@i, \@t);
}
sub key {
	my ($ip) = @_;
	return join ' < ', sprintf('%x %s', @$ip[0, 1]), map { "@$_" } @{$ip->[2]};
}
sub better {
	my ($a, $b) = @_;
	return 0 if $a->[0] != $b->[0] || $a->[1] ne $b->[1];
	return 1 if !@{$b->[2]};
	return 0 if @{$a->[2]} != @{$b->[2]};
	for my $k (0 .. $#{$a->[2]}) {
		my ($x, $y) = ($a->[2][$k], $b->[2][$k]);
		return 0 if $x->[1] ne $y->[1] && $y->[1] !~ /:0$/;
		next if $x->[0] eq $y->[0] || $y->[0] eq '';
		next if $y->[0] =~ /^_R/ && $x->[0] !~ /^_R/;
		next if $x->[0] =~ /(?:^|::|\s)\Q$y->[0]\E[(\[]/;
		return 0;
	}
	return 1;
}
my ($ai, $at) = load($ARGV[0]);
my ($bi, $bt) = load($ARGV[1]);
die "stacks: $#$at against $#$bt\n" if $#$at != $#$bt;
my ($same, $better, $worse) = (0, 0, 0);
for my $k (0 .. $#$at) {
	die "parent of stack $k\n" if $at->[$k][1] ne $bt->[$k][1];
	my ($x, $y) = ($ai->[hex($at->[$k][0]) - 1],
	    $bi->[hex($bt->[$k][0]) - 1]);
	if (key($x) eq key($y)) {
		$same++;
	} elsif (better($x, $y)) {
		$better++;
	} elsif ($worse++ < 5) {
		print "ours:   ", key($x), "\ntheirs: ", key($y), "\n";
	}
}
print "same $same\nbetter $better\nworse $worse\n";
END

cat >prog.cc <<'END'
#include <map>
#include <string>
#include <thread>
#include <vector>
static std::string mk(int i)
{
	return std::to_string(i) + std::string(40, 'x');
}
static void fill(int n)
{
	std::map<std::string, std::vector<int>> m;
	for (int i = 0; i < n; i++)
		m[mk(i)].push_back(i);
}
int main()
{
	std::thread t(fill, 500);
	fill(1000);
	t.join();
	return 0;
}
END
g++ -g -O2 -o prog prog.cc -lpthread
echo '{"a": [1, 2, {"b": "text"}], "c": null}' >in.json

# compare NAME COMMAND…
compare() {
	name=$1
	shift
	rm -f raw.*
	heaptrack --raw -o raw "$@" >ht.out 2>&1
	zstd -qdc raw.raw.zst >raw
	"$interpret" <raw >theirs 2>/dev/null
	run "$BIN/ht-symbolize" -q raw.raw.zst
	cp out mine
	is "$status:$(err)" 0: "$name: read"
	grep -a '^[-+acRXI]' mine >mine.events
	grep -a '^[-+acRXI]' theirs >theirs.events
	same mine.events theirs.events "$name: the same events"
	perl compare.pl mine theirs >said
	ok '[ "$(said same said)" -gt 0 ] && [ "$(said worse said)" = 0 ]' \
	    "$name: no name or line is worse"
	note "$name: $(tail -n 3 said | tr '\n' ' ')"
	[ "$(said worse said)" = 0 ] || diag "$(cat said)"
	for f in mine theirs; do
		heaptrack_print -F folded.$f $f >print.$f 2>print.err.$f
	done
	is "$(cat print.err.mine)" "" "$name: heaptrack_print says nothing"
	for what in 'calls to allocation' 'temporary memory' 'peak heap' \
	    'total memory leaked'; do
		is "$(grep "^$what" print.mine)" \
		    "$(grep "^$what" print.theirs)" "$name: $what"
	done
}

compare jq jq . in.json
compare sqlite3 sqlite3 :memory: \
    'create table t(a, b); insert into t values (1, 2), (3, 4); select * from t;'
compare "C++ with threads" ./prog
like "$(cat print.mine)" 'fill\(int\)' "heaptrack_print shows our names"

done_testing
