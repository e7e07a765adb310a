#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Function, file, line and inlined frames of every instruction, against
# addr2line, eu-addr2line, llvm-symbolizer and gdb: gcc and clang, DWARF 4 and
# 5, -O0 to -O3 -flto, C, C++, Rust and D. (See t/prog/symbols.pl for what
# counts as the same.)

. "${0%/*}/lib.sh"
need perl objdump addr2line eu-addr2line llvm-symbolizer c++filt gdb \
    gcc g++ clang++ rustc gdc

cat >prog.cc <<'END'
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>
namespace ns {
struct A {
	std::vector<int> v;
	void add(int i) { v.push_back(i); }
	template<class F> void each(F f) { for (int i : v) f(i); }
};
static std::string mk(int i)
{
	return std::to_string(i) + std::string(40, 'x');
}
}
static int fact(int n)
{
	void *p = malloc(n + 1);
	int r = n < 2 ? 1 : n * fact(n - 1);
	free(p);
	return r;
}
int main(int argc, char **)
{
	ns::A a;
	std::map<std::string, int> m;
	auto l = [&](int i) {
		m[ns::mk(i)] = i;
		auto p = std::make_unique<int[]>(i + 1);
		p[0] = i;
		return p[0];
	};
	for (int i = 0; i < 100 * argc; i++) {
		a.add(i);
		l(i);
	}
	a.each([&](int i) { m[ns::mk(i)] += i; });
	struct L {
		static void *f(int n) { return malloc(n); }
	};
	free(L::f(3));
	printf("%d %d\n", fact(10), (int)m.size());
	return 0;
}
END

cat >prog.rs <<'END'
use std::collections::HashMap;
mod shapes {
    pub trait Area { fn area(&self) -> Vec<f64>; }
    pub struct Sq(pub f64);
    impl Area for Sq {
        fn area(&self) -> Vec<f64> { vec![self.0 * self.0; 10] }
    }
}
use shapes::Area;
fn main() {
    let mut m: HashMap<String, Vec<u32>> = HashMap::new();
    for i in 0..100u32 {
        m.entry(format!("k{}", i % 10)).or_insert_with(Vec::new).push(i);
    }
    let c = |x: u32| -> Box<u32> { Box::new(x * 2) };
    let v: Vec<Box<u32>> = (0..10).map(c).collect();
    let b: Box<dyn Area> = Box::new(shapes::Sq(2.0));
    println!("{} {} {:?}", m.len(), v.len(), b.area().len());
}
END

cat >prog.d <<'END'
import std.stdio;
class Foo
{
	int[] a;
	this(int n) { a = new int[n]; }
	int[] twice() { int[] r; foreach (x; a) r ~= x * 2; return r; }
}
struct Bar(T)
{
	T[int] m;
	void put(int k, T v) { m[k] = v; }
}
void main()
{
	auto f = new Foo(10);
	Bar!int b;
	foreach (i; 0 .. 100)
		b.put(i, i);
	writeln(f.twice().length, b.m.length);
}
END

# agree NAME FILE STEP [ALONE]
agree() {
	t_ran="symbols.pl $2"
	perl "$T/prog/symbols.pl" -s "$3" -n 5 "$BIN/ht-symbolize" "$2" \
	    >"$TMP/said" 2>"$TMP/err"
	status=$?
	asked=$(said asked "$TMP/said")
	if [ "$(said alone "$TMP/said")" = 0 ] && [ "${asked:-0}" -ge 50 ]; then
		pass "$1: $asked addresses"
	else
		fail "$1" "$(cat "$TMP/said")"
	fi
}

for v in 4 5; do
	for o in -O0 -O2 -O3; do
		g++ "-gdwarf-$v" $o -o prog prog.cc
		agree "g++ DWARF $v $o" ./prog 3
		clang++ "-gdwarf-$v" $o -o prog prog.cc
		agree "clang++ DWARF $v $o" ./prog 3
	done
	g++ "-gdwarf-$v" -O2 -gsplit-dwarf -o prog prog.cc
	agree "g++ DWARF $v, split" ./prog 3
done
g++ -g -O3 -flto -o prog prog.cc
agree "g++ -O3 -flto" ./prog 3
clang++ -g -O2 -ffunction-sections -Wl,--gc-sections -o prog prog.cc
agree "clang++ --gc-sections" ./prog 3
rustc -g -O -o prog prog.rs 2>/dev/null || fail "rustc compiles"
agree "Rust, legacy names" ./prog 151
rustc -g -C symbol-mangling-version=v0 -o prog prog.rs 2>/dev/null ||
    fail "rustc compiles"
agree "Rust, v0 names" ./prog 151
gdc -g -O2 -o prog prog.d
agree "D" ./prog 3

# gdb, on its own terms: function and line of what is not inlined.
g++ -g -O0 -o prog prog.cc
objdump -d --no-show-raw-insn prog |
    sed -n '/<_ZN2nsL2mkEi>:\|<_ZL4facti>:\|<main>:/,/^$/{
	/nop$/d
	s/^ *\([0-9a-f]*\):.*/\1/p
    }' >addr
{
	printf 'v 100 3\n#H f ht-record 0.1.0\nm 6 ./prog 0 0 10000000\n'
	sed 's/.*/t & 0/' addr
	printf '#E exit 0\n'
} >t.ht
run "$BIN/ht-symbolize" t.ht
perl "$T/prog/frames.pl" out | sed 's/.* prog.cc:/prog.cc:/' >ours
sed 's/.*/info line *0x&/' addr >commands
gdb -batch -x commands prog 2>/dev/null |
    sed -n 's/^Line \([0-9]*\) of "prog.cc".*/prog.cc:\1/p' >theirs
same ours theirs "gdb's info line ($(wc -l <addr) addresses)"
ok '[ "$(wc -l <addr)" -gt 100 ]' "gdb was asked"

# One name for a function, inlined or not; that of its symbol.
run "$BIN/ht-symbolize" t.ht
is "$(perl "$T/prog/frames.pl" out | sed 's/ prog.cc.*//' | sort -u)" \
    'fact(int)
main
ns::mk(int)' "static functions have their whole names"

done_testing
