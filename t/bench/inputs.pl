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

# An expression over a few variables, nested so deep.
sub expression {
	my ($depth) = @_;
	return pick(qw(a b n total), rnd(100)) if $depth == 0 || rnd(6) == 0;
	return '(' . expression($depth - 1) . ' ' .
	    pick(qw(+ - * | & ^)) . ' ' . expression($depth - 1) . ')';
}

sub condition {
	return expression(1 + rnd(2)) . pick(' > ', ' < ', ' == ', ' != ') .
	    expression(1) . (rnd(3) ? '' : ' && !name.empty()');
}

# Statements with blocks in blocks, no two functions alike.
sub statements {
	my ($depth, $count) = @_;
	my $t = "\t" x (6 - $depth);
	my $text = '';
	for (1 .. $count) {
		my $kind = rnd($depth > 0 ? 11 : 5);
		my $inner = $depth - 1;
		my $e = expression(2 + rnd(2));
		if ($kind == 0) {
			$text .= "${t}total += $e;\n";
		} elsif ($kind == 1) {
			$text .= "${t}items.push_back($e);\n";
		} elsif ($kind == 2) {
			$text .= "${t}index[name + \"" . pick(@word) .
			    "\"] = $e;\n";
		} elsif ($kind == 3) {
			$text .= "${t}b = clamp<int>($e, 0, " . rnd(1000) .
			    ");\n";
		} elsif ($kind == 4) {
			$text .= "${t}n = static_cast<int>(items.size()) - $e;\n";
		} elsif ($kind < 8) {
			$text .= "${t}if (" . condition() . ") {\n" .
			    statements($inner, 1 + rnd(3)) . "$t} else {\n" .
			    statements($inner, 1) . "$t}\n";
		} elsif ($kind < 10) {
			my $v = "k$depth";
			$text .= "${t}for (int $v = 0; $v < n; ++$v) {\n" .
			    statements($inner, 1 + rnd(3)) .
			    "$t\tif (total > $v) { break; }\n$t}\n";
		} else {
			$text .= "${t}switch ($e % 3) {\n${t}case 0:\n" .
			    statements($inner, 1) . "$t\tbreak;\n${t}case 1:\n" .
			    statements($inner, 1) . "$t\tbreak;\n" .
			    "${t}default: a = " . rnd(50) . ";\n$t}\n";
		}
	}
	return $text;
}

# Classes whose functions have branches, loops and containers to think about.
sub cppcheck {
	print <<'END';
#include <vector>
#include <string>
#include <map>
template <typename T> static T clamp(T v, T low, T high)
{
	return v < low ? low : v > high ? high : v;
}
END
	for my $i (1 .. $size) {
		my $name = pick(@word) . $i;
		print "class $name {\n\tstd::vector<int> items;\n",
		    "\tstd::map<std::string, int> index;\n\tint total;\npublic:\n",
		    "\t$name() : total(", rnd(100), ") {}\n";
		print "\tint ", pick(@word), "$_(int a, const std::string &name)\n",
		    "\t{\n\t\tint b = ", rnd(9), ", n = a + ", rnd(20), ";\n",
		    statements(4, 2 + rnd(3)),
		    "\t\treturn total + b * n;\n\t}\n" for 1 .. 2;
		print "};\n";
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
