#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Modules that are damaged: no crash, no hang, whatever the names are then.

. "${0%/*}/lib.sh"
need perl gcc objdump

cat >prog.cc <<'END'
#include <map>
#include <string>
#include <vector>
static int twice(int n) { return 2 * n; }
int main(int argc, char **)
{
	std::map<std::string, std::vector<int>> m;
	for (int i = 0; i < argc; i++)
		m[std::to_string(i)].push_back(twice(i));
	return m.size() > 3;
}
END
for v in 4 5; do
	g++ -O2 "-gdwarf-$v" -o prog$v prog.cc
done
g++ -O2 -g -gz=zlib -o prog6 prog.cc

trace() {
	printf 'v 100 3\n#H f ht-record 0.1.0\nm %x %s 0 0 10000000\n' ${#1} "$1"
	objdump -d --no-show-raw-insn "$2" |
	    awk '/^ +[0-9a-f]+:/ && n++ % 5 == 0 {
		sub(":", "", $1); print "t " $1 " 0" }'
	printf '#E exit 0\n'
}

for v in 4 5 6; do
	trace ./broken prog$v >t$v.ht
	bad=0 named=0
	for k in $(seq 1 ${HT_FUZZ:-60}); do
		# Damage of three kinds: bytes anywhere, bytes in the tables
		# of sections and segments, a file cut short.
		perl -e '
			my ($in, $out, $seed) = @ARGV;
			local $/; srand $seed;
			open my $f, "<", $in; my $e = <$f>;
			my $shoff = unpack "Q<", substr $e, 40, 8;
			my $kind = $seed % 3;
			if ($kind == 0) {
				substr($e, 64 + rand(length($e) - 64), 1) =
				    chr rand 256 for 1 .. 200;
			} elsif ($kind == 1) {
				my $n = 1 + rand 6;
				substr($e, rand > .5 ? rand 600 : $shoff +
				    rand(length($e) - $shoff), 1) =
				    chr rand 256 for 1 .. $n;
			} else {
				$e = substr $e, 0, rand length $e;
			}
			open my $o, ">", $out; print $o $e' prog$v broken $k$v
		timeout 20 "$BIN/ht-symbolize" -q t$v.ht >out 2>err
		rc=$?
		if [ $rc != 0 ] || grep -q 'Sanitizer\|runtime error' err; then
			bad=$((bad + 1))
			diag "prog$v, seed $k$v: status $rc: $(head -n 3 err)"
			[ "${HT_KEEP:-0}" = 0 ] || cp broken broken.$k$v
		fi
		grep -q '^s [0-9a-f]* main$' out && named=$((named + 1))
	done
	is $bad 0 "damaged files (prog$v)"
	ok "[ $named -gt 5 ]" "some of them still give names (prog$v: $named)"
done

# Every valid trace goes through, whatever its modules are.
for trace in "$T"/data/valid/*.ht; do
	run "$BIN/ht-symbolize" "$trace"
	is "$status" 0 "${trace##*/} goes through"
done

done_testing
