#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Pages, usage texts and README against the commands.
. "${0%/*}/lib.sh"
need mandoc script zstd

commands=$(cd "$SRC/man" && ls *.1 | sed 's/\.1$//')
is "$commands" "$(sed -n 's/^COMMANDS = //p' "$SRC/Makefile" | tr ' ' '\n' |
    sort)" 'a page for each command, a command for each page'
for page in ht.7 ht-events.5; do
	ok "[ -s '$SRC/man/$page' ]" "there is $page"
done

for page in "$SRC"/man/*.[1357]; do
	# Which pages this machine has is not the page's matter.
	mandoc -T lint -W style "$page" 2>/dev/null |
	    grep -v 'referenced manual not found' >lint
	is "$(cat lint)" '' "${page##*/}: mandoc finds no fault"
	is "$(sed -n 's/^\.Xr \(ht[a-z-]*\) \([157]\).*/\1.\2/p' "$page" |
	    sort -u | while read -r x; do
		[ -e "$SRC/man/$x" ] || echo "$x"; done)" '' \
	    "${page##*/}: the pages of ours that it names are there"
done

# plain FILE: a page as text without overstriking.
plain() {
	mandoc -T ascii -O width=78 "$1" 2>/dev/null |
	    perl -pe '1 while s/.\x08//'
}

# options: every -x and --xyz in a text, one a line. 
options() {
	grep -oE '(^|[^A-Za-z0-9_/.-])--?[A-Za-z][A-Za-z-]*' |
	    grep -oE -e '--?[A-Za-z][A-Za-z-]*' |
	    awk '/^--/ { print; next }
	    { for (i = 2; i <= length($0); i++) print "-" substr($0, i, 1) }' |
	    sort -u
}

for c in $commands; do
	page=$SRC/man/$c.1
	run "$BIN/$c" -h
	is $status 0 "$c -h"
	cp out usage
	plain "$page" >text

	for section in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES \
	    'SEE ALSO'; do
		like "$(cat "$page")" "^\\.Sh $section\$" "$c.1: $section"
	done

	# The options that the usage explains are those that the page does, and
	# those that the command knows.
	grep -oE '^ {1,6}(-[A-Za-z0-9], )?--[a-z-]+|^ {1,6}-[A-Za-z0-9]( |,|$)' \
	    usage | options >in.usage
	grep -E '^ {5}-' text | options >in.page
	same in.usage in.page "$c: usage and page have the same options"
	for o in $(cat in.usage); do
		case $o in
		-h|--help|-V|--version)	continue ;;
		esac
		# What is unknown is said to be.
		run "$BIN/$c" "$o" </dev/null
		unlike "$(err)" 'unknown option|unrecognized|invalid option' \
		    "$c knows $o"
	done
	run "$BIN/$c" --no-such-option-as-this
	is $status 2 "$c: an unknown option: 2"

	# SYNOPSIS: the words of the usage's first lines.
	words() {
		tr -s ' \n[]|.…' '\n' | grep -v '^$' | tr 'A-Z' 'a-z'
	}
	sed -n '/^SYNOPSIS/,/^[A-Z]/p' text | sed '1d;$d' | words >a
	sed -n '1,/^$/p' usage | sed -n '/^usage/p;/^  *\[/p;/^  *PROGRAM/p;/^  *ht-/p' |
	    sed 's/^usage: //' | words >b
	same b a "$c: usage and SYNOPSIS say the same"
done

# --- the examples run ------------------------------------------------------
PATH=$BIN:$PATH
export PATH
fixtures() {
	rm -rf play
	mkdir play
	cd play
	cp "$PROG/counts" app
	"$BIN/ht-record" -q -o t.ht ./app >/dev/null
	ht-symbolize t.ht >t.sym
	for f in t a b mon tue main branch ht.app.4711; do
		gzip -c t.sym >$f.gz
	done
	gzip -c t.ht >raw.gz
	gzip -c t.ht >t.ht.gz
	echo '[1,2,3]' >big.json
	zstd -q -o heaptrack.app.4711.zst t.sym
	mkdir src bin lib
}
# <ht.h> is where it is installed.
CPATH=$SRC/ht-record/preload
export CPATH
# The other machine of an example is this one.
mkdir "$TMP/fake"
printf '#!/bin/sh\nshift\nexec sh -c "$*"\n' >"$TMP/fake/ssh"
chmod +x "$TMP/fake/ssh"
cp "$PROG/counts" "$TMP/fake/app"
PATH=$TMP/fake:$PATH
for page in "$SRC"/man/*.[1357]; do
	awk '/^\.Sh / { in_examples = $2 == "EXAMPLES"; next }
	    in_examples && /^\.Bd/ { code = 1; next }
	    /^\.Ed/ { code = 0; next }
	    in_examples && /^\.Dl / { sub(/^\.Dl /, ""); print; next }
	    in_examples && code { gsub(/\\e/, "\\"); print }' "$page" |
	    sed 's/\\-/-/g; s/^\$ //; s/\\(aq/'\''/g; s/\\&//g' >examples
	[ -s examples ] || continue
	# The page of the format shows traces, not commands.
	case $page in *.5) continue ;; esac
	cp examples "$TMP/ex.sh"
	fixtures
	run sh -e "$TMP/ex.sh"
	is $status 0 "${page##*/}: its examples run" 
	cd "$TMP"
done

# README: what stands indented under "Use it", a line with $ on a terminal.
awk '/^## / { on = $0 == "## Use it" } on && /^    / { print substr($0, 5) }' \
    "$SRC/README.md" >readme.all
ok '[ -s readme.all ]' 'README has commands to run'
grep -v '^\$' readme.all >readme.sh
sed -n 's/^\$ //p' readme.all >readme.tty
fixtures
rm -f ht.*
run sh -e "$TMP/readme.sh"
is $status 0 'README: its commands run'
while read -r line; do
	rm -f ht.*
	timeout -k 5 60 script -q -e -c "$line" /dev/null </dev/null >screen 2>&1
	status=$?
	is $status 0 "README, on a terminal: $line"
	ok 'ls ht.*.gz >/dev/null 2>&1' 'leaves what it says'
done <"$TMP/readme.tty"
# The pipeline of its first lines.
awk '/^## / { exit } /^    ht|^    zcat/ { print substr($0, 5) }' \
    "$SRC/README.md" >"$TMP/first.sh"
run sh -e "$TMP/first.sh"
is $status 0 'README: its first lines run'
cd "$TMP"

# The table in ht(7) and the codes in the source are the same.
for n in 125 126 127; do
	like "$(cat "$SRC/man/ht.7")" "^\\.It $n\$" "ht(7) lists $n"
done
done_testing
