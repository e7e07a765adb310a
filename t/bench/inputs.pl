#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# perl inputs.pl WHAT SIZE: writes an input to stdout, the same on every machine.
# WHAT is json, sql, python, cppcheck, clang, text, trace-raw or trace-named;
# SIZE is a count of the unit that the input repeats.

use strict;
use warnings;

my ($what, $size) = @ARGV;
my $seed = 4711;

sub rnd {
	$seed = $seed * 16807 % 2147483647;
	return $seed % $_[0];
}

sub pick {
	return $_[rnd(scalar @_)];
}

my @word = qw(anvil rope lamp kettle saw brush clock stove river stone north
    winter paper copper glass engine garden letter market harbour);

# Orders in a list; one is about 210 bytes.
sub json {
	print "[\n";
	for my $i (1 .. $size) {
		printf '%s{"id":%d,"customer":"c%05d","state":"%s","items":[',
		    $i > 1 ? ",\n" : '', $i, rnd(20000),
		    pick(qw(open paid sent returned));
		my $n = 1 + rnd(4);
		printf '%s{"what":"%s","count":%d,"price":%d.%02d}',
		    $_ > 1 ? ',' : '', pick(@word), 1 + rnd(9), rnd(300),
		    rnd(100) for 1 .. $n;
		printf '],"note":"order %d, packed by %d on day %d"}', $i,
		    rnd(40), rnd(365);
	}
	print "\n]\n";
}

# Inserts, an index, joins and a sort, over $size rows.
sub sql {
	print <<"END";
pragma journal_mode = off;
create table item(id integer primary key, name text, price real, kind int);
create table sale(id integer primary key, item int, day int, n int);
begin;
END
	for my $i (1 .. $size) {
		printf "insert into item values (%d, '%s %s %d', %d.%02d, %d);\n",
		    $i, pick(@word), pick(@word), rnd(1000), rnd(300),
		    rnd(100), rnd(17);
		printf "insert into sale(item, day, n) values (%d, %d, %d);\n",
		    1 + rnd($i), rnd(365), 1 + rnd(20);
	}
	print <<'END';
commit;
create index sale_item on sale(item);
select kind, count(*), sum(n * price) from sale join item on item = item.id
    group by kind order by 3 desc;
select count(*) from (select distinct upper(substr(name, 1, 9)) || day from
    sale join item on item = item.id);
select group_concat(name) from (select name from item where name like '%rope%'
    order by price desc limit 50);
END
	printf "select sum(n), max(name) from sale join item on item = item.id " .
	    "where day = %d;\n", rnd(365) for 1 .. $size / 100;
}

# Objects, dictionaries, a recursive parser, compile() of generated source.
sub python {
	print "import json, re\nROUNDS = $size\n", <<'END';

class Node:
    def __init__(self, op, left, right):
        self.op, self.left, self.right = op, left, right

    def value(self):
        if self.op is None:
            return self.left
        a, b = self.left.value(), self.right.value()
        return {"+": a + b, "-": a - b, "*": (a * b) % 10007}[self.op]

class Parser:
    def __init__(self, text):
        self.tokens = re.findall(r"\d+|[-+*()]", text)
        self.at = 0

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def more(self, ops):
        return self.at < len(self.tokens) and self.tokens[self.at] in ops

    def factor(self):
        t = self.take()
        if t == "(":
            node = self.sum()
            self.take()
            return node
        return Node(None, int(t), None)

    def product(self):
        node = self.factor()
        while self.more("*"):
            node = Node(self.take(), node, self.factor())
        return node

    def sum(self):
        node = self.product()
        while self.more("+-"):
            node = Node(self.take(), node, self.product())
        return node

def text(n, depth):
    if depth == 0:
        return str(n % 89 + 1)
    less = depth - 1 - n % 2 if depth > 1 else 0
    return "(%s%s%s)" % (text(n * 7 + 1, depth - 1), "+-*"[n % 3],
                         text(n * 3 + 2, less))

BODY = "def f%d(a, b=%d):\n    c = [a + b, %s]\n    return {'k%d': c}"
total = 0
seen = {}
for i in range(ROUNDS):
    t = text(i, 6)
    v = Parser(t).sum().value()
    seen.setdefault(v, []).append({"text": t[:40], "n": i})
    source = "\n".join(BODY % (k, k, text(i + k, 3), k) for k in range(6))
    scope = {}
    exec(compile(source, "<generated>", "exec"), scope)
    for k in range(6):
        total += sum(scope["f%d" % k](i)["k%d" % k])
    total += len(json.loads(json.dumps(seen[v])))
print(total, len(seen))
END
}

# Classes and functions with branches, containers and casts to think about.
sub cppcheck {
	print "#include <vector>\n#include <string>\n#include <map>\n";
	for my $i (1 .. $size) {
		my ($a, $b, $c) = (rnd(100), rnd(100), 1 + rnd(50));
		print <<"END";
struct Item$i {
	int id; double price; std::string name;
	Item$i(int i, const std::string &n) : id(i), price($a.5), name(n) {}
	bool operator<(const Item$i &o) const { return id < o.id; }
};
template <typename T> static T clamp$i(T v, T low, T high)
{
	return v < low ? low : v > high ? high : v;
}
class Store$i {
	std::vector<Item$i> items;
	std::map<std::string, std::vector<int>> index;
	unsigned flags;
public:
	Store$i() : flags($b) {}
	int add(const std::string &name, int n) {
		for (int k = 0; k < n; ++k) {
			Item$i item(k * $c, name);
			if (item.id % 3 == 0 && !name.empty())
				items.push_back(item);
			else if (item.id > $a || flags & 4)
				index[name].push_back(k);
			else
				flags |= 1u << (k & 31);
		}
		return clamp$i((int)items.size(), 0, $c);
	}
	double sum(int from, int to) const {
		double s = 0;
		int last = -1;
		for (int k = from; k < to; ++k) {
			switch (k % 4) {
			case 0: s += items[k].price; break;
			case 1: s -= items[k].price / 2; last = k; break;
			case 2: if (last >= 0) { s += last; } break;
			default: s *= 1.0 + $b / 100.0;
			}
		}
		return last > from ? s / (last - from + 1) : s;
	}
};
int use$i(int argc, char **argv)
{
	Store$i store;
	int total = 0;
	int table[$c + 4] = {0};
	for (int i = 1; i < argc; ++i) {
		const char *p = argv[i];
		while (*p && *p != '=') { total += *p * $a; ++p; }
		if (*p == '=') { total ^= store.add(p + 1, i + $b); }
		table[i % ($c + 4)] = total;
	}
	if (total > $a) { total = (int)store.sum(0, total % 7); }
	return total + table[$c];
}
END
	}
}

# The standard library's headers, and templates of it that must be made.
sub clang {
	my @header = qw(vector string map set algorithm unordered_map memory
	    functional iostream sstream regex thread future variant optional
	    tuple random chrono numeric list deque filesystem);
	print "#include <$_>\n"
	    for @header[0 .. ($size < 1 ? 4 : $#header)];
	for my $i (1 .. $size) {
		print <<"END";
namespace n$i {
struct Key { int a; std::string b; };
inline bool operator<(const Key &x, const Key &y)
{ return x.a != y.a ? x.a < y.a : x.b < y.b; }
template <int N> struct Sum { enum { v = N + Sum<N - 1>::v }; };
template <> struct Sum<0> { enum { v = $i }; };
inline int use(const std::vector<Key> &in)
{
	std::map<Key, std::vector<std::pair<int, Key>>> m;
	for (auto &k : in)
		m[k].emplace_back(k.a, k);
	std::set<Key> s(in.begin(), in.end());
	auto v = std::vector<Key>(s.begin(), s.end());
	std::sort(v.begin(), v.end(), [](const Key &x, const Key &y)
	    { return y < x; });
	return (int)(m.size() + v.size()) + Sum<40>::v;
}
}
END
	}
}

sub text {
	for my $i (1 .. $size) {
		print join(' ', map { pick(@word) } 1 .. 12), ' ', rnd(100000),
		    "\n";
	}
}

# A trace of $size events, as ht-record writes it or as ht-symbolize does.
sub trace {
	my ($named) = @_;
	my ($stacks, $classes) = (500, 300);
	my ($t, @live) = 0;
	print "v 100 3\n#H f ht-record 0.1.0\n";
	print "x 9 /home/app\n" unless $named;
	print "X ./app\nI 1000 5f0000\n";
	print $named ? "s 9 /home/app\n" :
	    "m 9 /home/app 550000000000 0 1000 1000 200000\n";
	for my $i (1 .. $stacks) {
		my $ip = sprintf '%x', (0x55000000 << 16) + 0x1000 + rnd(0x1ffff0);
		printf "s %x function%05d\n", 13, $i if $named;
		printf "i %s 1 %x\n", $ip, $i + 1 if $named;
		printf "t %s %x\n", $named ? sprintf('%x', $i) : $ip, rnd($i);
	}
	printf "a %x %x\n", 16 + 8 * rnd(100), 1 + rnd($stacks)
	    for 1 .. $classes;
	for (1 .. $size) {
		if (@live && rnd(2)) {
			my $i = rnd(scalar @live);
			printf "- %x\n", $live[$i];
			$live[$i] = $live[-1];
			pop @live;
		} else {
			push @live, rnd($classes);
			printf "+ %x\n", $live[-1];
		}
		printf "c %x\nR %x\n", $t += 10, 1000 + @live / 8
		    if $_ % 5000 == 0;
	}
	print "#E exit 0\n";
}

my %make = (json => \&json, sql => \&sql, python => \&python,
    cppcheck => \&cppcheck, clang => \&clang, text => \&text,
    'trace-raw' => sub { trace(0) }, 'trace-named' => sub { trace(1) });
die "usage: inputs.pl WHAT SIZE\n"
    unless defined $size && $size =~ /^\d+$/ && $make{$what};
$make{$what}->();
