#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The stream that ht-symbolize reads and writes: what it passes on, what it
# turns into s, i and t lines, and what it says of bad input.

. "${0%/*}/lib.sh"
need perl gzip zstd

sym() {
	LIMIT=${LIMIT:-20} run "$BIN/ht-symbolize" "$@"
}

# gives NAME STATUS: the last run's output is what stands on stdin.
gives() {
	cat >want
	is $status "$2" "$1: status"
	same out want "$1: output"
}

# --- the example of ht-events(5) ---
cat >ours <<'END'
v 100 3
#H f ht-record 0.1.0
x 9 /nowhere/
X ./app
I 1000 5f0000
#B 8 9f86d081 c /nowhere/app
m c /nowhere/app 55d0 0 1000 1000 2000
t 56f3 0
t 5612 1
a 64 2
+ 0
- 0
c a
R 3e8
+ 0
#E signal 9
END
sym ours
gives "an example" 0 <<'END'
v 100 3
#H f ht-record 0.1.0
#H 12 ht-symbolize 0.1.0
X ./app
I 1000 5f0000
s c /nowhere/app
s 9 app+0x123
i 56f3 1 2
t 1 0
s 8 app+0x42
i 5612 1 3
t 2 1
a 64 2
+ 0
- 0
c a
R 3e8
+ 0
#E signal 9
END
cp want example
is "$(err)" \
    "ht-symbolize: /nowhere/app is not here: its names are left out" \
    "a module that is not here is mentioned"
sym example
gives "a trace that has its names passes untouched" 0 <example
for c in gzip zstd; do
	$c -c <ours >ours.c
	sym -q ours.c
	gives "$c input" 0 <example
	LIMIT=20 run sh -c "'$BIN/ht-symbolize' -q <ours.c"
	gives "$c input on stdin" 0 <example
done
sym -q - <ours
gives "- is stdin" 0 <example
sym -q
is $status 1 "an empty input: status"
like "$(err)" '^ht-symbolize: stdin: there is no trace: the input is empty$' \
    "an empty input is no trace"

# --- outputs ---
for o in o o.gz o.zst; do
	sym -q -o "$o" ours
	is "$status:$(out)" 0: "-o $o: nothing on stdout"
	case $o in
	*.gz)	gzip -dc <$o >o.plain ;;
	*.zst)	zstd -qdc <$o >o.plain ;;
	*)	cp $o o.plain ;;
	esac
	same o.plain example "-o $o"
done
sym -q -o ours ours
is $status 2 "the input is not overwritten"
ok '[ -s ours ]' "the input is still there"
sym -q -o /nowhere/x ours
is $status 1 "an output that cannot be opened"
run sh -c "'$BIN/ht-symbolize' -q ours >/dev/full"
is $status 1 "a full disk: status"
is "$(err)" "ht-symbolize: cannot write 'stdout': No space left on device" \
    "a full disk: message"
perl -e 'print "+ 0\n" x 3000000' >many
cat ours many >long
run sh -c "{ '$BIN/ht-symbolize' -q long; echo \$? >st; } | head -n 1"
is "$(cat st):$(err)" 1: "a reader that goes away: quiet"
sym -q /nowhere/x ours
is $status 1 "an input that cannot be opened: status"
like "$(err)" "^ht-symbolize: cannot open '/nowhere/x': No such" \
    "an input that cannot be opened: message"
same out example "the other input is read all the same"

# --- several traces; ids begin afresh in each ---
sym -q ours ours
cat example example >twice
gives "two inputs" 0 <twice
cat ours ours >two
sym -q two
gives "two traces in one input" 0 <twice

# --- which module: generations, borders, none ---
cat >gen <<'END'
v 100 3
#H f ht-record 0.1.0
m 2 /a 1000 0 1000
m 2 /b 2000 0 1000 1000 800
t 1fff 0
t 2000 0
t 37ff 0
t 3800 0
t 0 0
m 1 -
m 2 /c 1000 0 1000
m 2 /b 2000 0 1000 1000 800
t 1fff 0
t 2000 0
t 4000 5
#E exit 0
END
sym -q gen
gives "modules" 0 <<'END'
v 100 3
#H f ht-record 0.1.0
#H 12 ht-symbolize 0.1.0
s 2 /a
s 7 a+0xfff
i 1fff 1 2
t 1 0
s 2 /b
s 5 b+0x0
i 2000 3 4
t 2 0
s 8 b+0x17ff
i 37ff 3 5
t 3 0
i 3800 0
t 4 0
t 0 0
s 2 /c
s 7 c+0xfff
i 1fff 6 7
t 5 0
t 2 0
i 4000 0
t 6 5
#E exit 0
END

# --- names with spaces, backslashes, line ends; a high load bias ---
cat >esc <<'END'
v 100 3
#H f ht-record 0.1.0
m c /a \nb\\c\0d ffffffffffff0000 10000 10
t 5 0
#E exit 0
END
sym -q esc
gives "escaped names" 0 <<'END'
v 100 3
#H f ht-record 0.1.0
#H 12 ht-symbolize 0.1.0
s c /a \nb\\c\0d
s 10 a \nb\\c+0x10005
i 5 1 2
t 1 0
#E exit 0
END

# --- heaptrack's raw form ---
for v in '10400 3' '10200 2' '10200' 10000; do
	{
		echo "v $v"
		case $v in
		*3)	printf 'x 9 /some/app\nX app\nm 1 -\nm 1 x 1000 0 1000 \n'
			printf 'm d linux-vdso.so 4000 0 1000\n' ;;
		*)	printf 'x /some/app\nX app\nm -\nm x 1000 0 1000 \n'
			printf 'm linux-vdso.so 4000 0 1000\n' ;;
		esac
		cat <<-'END'
		t 1010 0
		t 4010 1
		+ 10 1 7f00
		- 7f00
		- 7f00
		+ 10 1 7f00
		+ 10 2 7f10
		+ 20 1 7f20
		c a
		R 10
		- 7f10
		- 7f20
		END
	} >raw
	sym -q raw
	gives "heaptrack's raw form, v $v" 0 <<END
v ${v%% *} 3
#H 12 ht-symbolize 0.1.0
X app
s 9 /some/app
s 8 app+0x10
i 1010 1 2
t 1 0
s d linux-vdso.so
s 12 linux-vdso.so+0x10
i 4010 3 4
t 2 1
a 10 1
+ 0
- 0
+ 0
a 10 2
+ 1
a 20 1
+ 2
c a
R 10
- 1
- 2
END
done

# --- bytes pass untouched, whatever they are, and in any split ---
perl -e '
	srand 7;
	print "v 100 3\n#H f ht-record 0.1.0\n";
	for (1 .. 300000) {
		my $r = rand;
		print $r < .5 ? sprintf("+ %x\n", rand 5000)
		    : $r < .9 ? sprintf("- %x%s\n", rand 5000,
			rand > .5 ? sprintf(" o%x w2 x", rand 999) : "")
		    : $r < .95 ? sprintf("c %x\n", $_)
		    : $r < .96 ? "#T 2 5 4 vxmt\n" : $r < .97 ? "Z \xff\0v\n"
		    : $r < .98 ? "#M 3 v x\n" : "\n";
	}
	print "#E exit 0\n"' >bytes
sym bytes
gives "bytes" 0 <bytes
run sh -c "cat bytes | '$BIN/ht-symbolize'"
gives "bytes through a pipe" 0 <bytes
run sh -c "dd if=bytes bs=777 2>/dev/null | '$BIN/ht-symbolize'"
gives "bytes in small pieces" 0 <bytes

# What a live pipe has is passed on at once.
mkfifo in live
"$BIN/ht-symbolize" <in >live 2>/dev/null &
background $!
exec 3>in 4<live
cat bytes >&3 &
background $!
head -c 1000 <&4 >head
printf '' >&3
exec 3>&- 4<&-
ok '[ "$(head -n 1 head)" = "v 100 3" ]' "a live pipe is not held back"

# --- bad input ---
sym_text() {
	printf "$1" >bad
	sym -q bad
}
sym_text 'hello world\n'
is "$status:$(out)" 1: "no trace: nothing out"
is "$(err)" \
    "ht-symbolize: bad: this is no trace: it does not begin with a v line" \
    "no trace: message"
sym_text '# ht-profile 1\n'
is $status 1 "a profile is no trace"
sym_text 'v 100 4\nx 2 /a\n'
is "$status:$(out)" 1: "a later format: nothing out"
like "$(err)" 'bad:1: the trace has format version 4; .* up to 3$' \
    "a later format: message"

head='v 100 3\n#H f ht-record 0.1.0\n'
sym_text "${head}m 2 /a 1000 0 1000\nt 1000 0\n+ 0\n"
is $status 1 "no #E line: status"
is "$(err)" "ht-symbolize: bad: the trace ends in mid-air (no #E line)" \
    "no #E line: message"
is "$(tail -n 1 out)" "+ 0" "no #E line: what is there"
sym_text "${head}m 2 /a 1000 0 1000\nt 1000 0\n+ 0\nt 10"
is $status 1 "a cut line: status"
is "$(err)" "ht-symbolize: bad: the input is cut short" "a cut line: message"
is "$(tail -n 1 out)" "+ 0" "a cut stack is left out"
sym_text "${head}+ 0\n- "
is "$(tail -c 6 out | od -An -c | tr -d ' ')" '+0\n-' \
    "a cut event is passed on"
gzip -c <bytes >b.gz
head -c 100000 b.gz >bad
sym -q bad
is $status 1 "cut gzip: status"
is "$(err | head -n 1)" "ht-symbolize: bad: the compressed stream is cut short" \
    "cut gzip: message"
ok 'head -c $(wc -c <out) bytes | cmp -s - out && [ -s out ]' \
    "cut gzip: what could be read"

# A cut trace with another glued to it.
{ printf "${head}m 2 /a 0 0 1000\nt 10 0\n+ 3"; cat ours; } >bad
sym -q bad
is $status 1 "glued: status"
{
	printf "${head}#H 12 ht-symbolize 0.1.0\ns 2 /a\ns 6 a+0x10\n"
	printf 'i 10 1 2\nt 1 0\n+ 3'
	cat example
} >w
gives "glued to an event" 1 <w
{ printf "${head}m 2 /a 0 0 1000\nt 10 0\nt 1"; cat ours; } >bad
sym -q bad
{
	printf "${head}#H 12 ht-symbolize 0.1.0\ns 2 /a\ns 6 a+0x10\n"
	printf 'i 10 1 2\nt 1 0\n'
	cat example
} >w
gives "glued to a stack" 1 <w
{ printf "${head}m 2 /a 0 0 1000\nt 10 0\nm 2 /usr"; cat ours; } >bad
sym -q bad
is $status 1 "glued to a module: status"
is "$(grep -c '^t ' out)" 3 "glued to a module: the next trace is read"
printf "${head}X cmd -v 100 3\n#E exit 0\n" >bad
sym bad
gives "an argument is no glued trace" 0 <bad

# The grammar. Each defect is one message with file and line.
n=0
while IFS='	' read -r line want; do
	n=$((n + 1))
	sym_text "${head}m 2 /a 1000 0 1000\nt 1000 0\n$line\nt 1001 1\n#E exit 0\n"
	is "$status:$(err)" "1:ht-symbolize: bad:5: $want" "'$line'"
	is "$(tail -n 2 out | sed 's/^t [0-9a-f]* /t N /')" "t N 1
#E exit 0" "'$line': the rest is read"
done <<'END'
t 	a broken 't' line
t 10	a broken 't' line
t 10 5	trace 5 is not defined
t 10 11111111111111111	a broken 't' line
t G 0	a broken 't' line
m 3 /a 1000	a broken 'm' line
m 2 /b	a broken 'm' line
m 2 /b 10 0	a broken 'm' line
m 2 /b 10 0 x	a broken 'm' line
m ffffffffffffffff /b 10 0 1	a broken 'm' line
#B 3 abc 2 /b	a broken '#' line
#B 4 abcX 2 /b	a broken '#' line
x 9 /b	a broken 'x' line
END
perl -e 'print "v 100 3\n#H f ht-record 0.1.0\n", "t x\n" x 50,
    "#E exit 0\n"' >bad
sym -q bad
is "$status:$(err | wc -l)" 1:20 "at most 20 messages"
is "$(grep -c '^t 0 0$' out)" 50 "a broken stack keeps its number"
perl -e 'print "v 100 3\n#H f ht-record 0.1.0\n", "+ 0\n", "x" x 1500000,
    "\n+ 1\n#E exit 0\n"' >bad
sym -q bad
is "$status:$(err)" "1:ht-symbolize: bad:4: a line is longer than 1 MiB" \
    "a line that is too long"
is "$(tail -n 2 out | head -n 1)" "+ 1" "a line that is too long: the rest"
perl -e 'print "v 100 3\n", "\0\n" x 10, "\0x" x 100' >bad
sym -q bad
ok '[ $status -lt 2 ]' "NUL bytes"

# Bytes at random places of a good trace changed: no crash, no hang.
perl -e '
	local $/; open my $f, "<", "gen"; my $t = <$f>; srand 3;
	for my $k (1 .. 300) {
		my $u = $t;
		substr($u, rand length $u, 1) = chr rand 256 for 1 .. 1 + rand 4;
		open my $o, ">", sprintf("fuzz.%03d", $k); print $o $u;
	}'
bad=0
for f in fuzz.*; do
	timeout 10 "$BIN/ht-symbolize" -q "$f" >o 2>e
	[ $? -le 1 ] && ! grep -q Sanitizer e || { bad=$((bad + 1)); diag $f; }
done
is $bad 0 "300 damaged traces"

# --- whose trace it is: the tool's name says so, not its command ---
cat >theirs <<'END'
v 10400 3
#H 4 tool ht-record app
x 8 /bin/app
m 1 x 0 0 1000
t 10 0
+ 8 1 7000
- 7000
END
sym theirs
is $status 0 "a tool that names ht-record: read"
is "$(out | grep '^[-a+]' | tr '\n' ' ')" 'a 8 1 + 0 - 0 ' \
    "and its addresses are heaptrack's"

# --- heaptrack writes a command's lines as they are ---
sed 's/^x 8.*/&\nX app -e\nmy $x = 1;\n\n  t/' theirs >lines
sym lines
is "$status $(err | grep -c broken)" '0 0' 'a command of many lines'
is "$(out | grep '^[-a+]' | tr '\n' ' ')" 'a 8 1 + 0 - 0 ' 'ends where a record is'

# --- names that nothing refers to, which would take the ids of ours ---
sed 's/^t 10 0.*/&\ns 5 other\ni 10 1/' theirs >named
sym named
is "$status $(out | sed -n 's/^i 10 //p') $(out | grep -c other)" '0 1 2 0' \
    'names in a trace without'

# --- build ids are sized in any format ---
printf 'v 10100\n#B 2 ab 1 a\n' >old
sym old
is "$status$(err)" 0 'a build id where other strings are not sized'

# --- an empty name is a name, as the readers take it ---
printf 'v 10100\nx \nm  1000 0 10\nt 1008 0\n+ 8 1 1\n' >old
sym old
is "$status $(err | grep -c broken)" '0 0' \
    'an executable and a module without a name'

# --- a stack before any module is one of names ---
printf 'v 10400 3\nt 0 0\na 64 1\n+ 0\n- 0\n' >old
sym old
is "$status$(err) $(out | grep -c '^t 0 0\|^[+-] 0')" '0 3' \
    'a trace whose only stack is unknown'

# --- a command of two lines, the second like a v line ---
printf 'v 10400 3\ns 1 m\nX a\nv0\nt 0 0\na 8 1\n+ 0\n' >old
sym old
is "$status$(err) $(out | sed -n 4p)" '0 v0' 'a command that looks like a v line'

# --- comments before it, as the other readers take them ---
{ echo '# of the night'; echo; cat theirs; } >commented
sym commented
is $status 0 "comments before a trace"
is "$(out | head -n 1)" '# of the night' "they stay"
is "$(out | grep '^[-a+]' | tr '\n' ' ')" 'a 8 1 + 0 - 0 ' "it is read"
echo '# nothing else' >comment
sym comment
is $status 1 "nothing but a comment is no trace"

# --- usage ---
sym -h
is "$status:$(err)" 0: "-h: status, nothing on stderr"
like "$(out)" '^usage: ht-symbolize' "-h: usage on stdout"
sym -V
is "$(out)" "ht-symbolize 0.1.0 (format 3)" "-V"
sym --nope
is "$status:$(out)" 2: "an unknown option: status 2"
is "$(err | head -n 1)" "ht-symbolize: unknown option '--nope'" \
    "an unknown option: message"

done_testing
