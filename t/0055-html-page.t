#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-html's page in a real browser: what it shows is what ht-top prints of the
# same trace, cost and window, and names are harmless. browser.mjs has what is
# tested of each of the cases below.

. "${0%/*}/lib.sh"
need node chromium perl cppcheck
WEB=$HT_OUT/obj/ht-html/web
export WEB

(cd "$WEB" && node_modules/.bin/tsc --noEmit) >types 2>&1
is "$(cat types)" '' "the page's source has no type errors"
ok 'grep -q "default-src .none." "$WEB/dist/page.html"' \
    "the page's policy lets nothing in"
is "$(grep -Eo '(src|href)="[^d#][^"]*"|url\([^d)][^)]*\)' \
    "$WEB/dist/page.html" | head -n 3)" '' 'it refers to nothing outside'

# page NAME TEST ARGUMENT…: a page of traces, and what is tested of it.
cases=
page() {
	t_name=$1 t_test=$2
	shift 2
	run "$BIN/ht-html" -q -o "$TMP/$t_name.html" "$@"
	t_args=$(printf '"%s",' "$@")
	cases="$cases${cases:+,}{\"name\":\"$t_name\",\"test\":\"$t_test\",
	    \"page\":\"$TMP/$t_name.html\",\"traces\":[${t_args%,}]}"
}
# traced FILE PROGRAM…
traced() {
	t_to=$1
	shift
	record "$@"
	"$BIN/ht-symbolize" t.ht >"$t_to"
}

traced orchard.sym "$PROG/orchard"
traced handover.sym "$PROG/handover"
traced out.sym cppcheck -q "$SRC/libht/in.c"
traced opt.sym cppcheck -q "$SRC/libht/opt.c"
"$BIN/ht-aggregate" -q orchard.sym orchard.sym >two.prof

# Names that would be markup, script or worse, wherever a name can stand.
perl -e '
	my @name = ("</script><script>hacked=1</script>",
	    "<img src=x onerror=hacked=1>", "\"><b onclick=\"hacked=1\">",
	    "\xe2\x80\xaeesrever\xe2\x81\xa6", "a\x1b[31m\x07\x01",
	    "\${hacked=1}`hacked=1`", "<!--<script>", "\xff\xfe not UTF-8",
	    "\@HT_DATA\@", "_Z" . "std::vector<" x 12000 . ">" x 12000);
	my $n = 0;
	sub text { printf "s %x %s\n", length $_[0], $_[0]; ++$n }
	print "v 100 3\n#H f ht-record 0.1.0\n#H 12 ht-symbolize 0.1.0\n";
	print "X ./$name[0] $name[1] $name[3]\nI 1000 5f0000\n";
	printf "#T 1 1 %x %s\n", length $name[1], $name[1];
	my $module = text("/x/$name[0]/$name[3]");
	my $t = 0;
	for (@name) {
		my ($function, $file) = (text($_), text("/$_/$name[1].c"));
		printf "i %x %x %x %x %x\n", 0x1000 + $t, $module, $function,
		    $file, 7;
		printf "t %x %x\n", ++$t, $t > 2 ? $t - 2 : 0;
		printf "a %x %x\n+ %x\n", 10 * $t, $t, $t - 1;
		printf "c %x\n", 10 * $t;
	}
	print "#E exit 0\n";
' >hostile.sym

page orchard all "$TMP/orchard.sym"
page threads flat "$TMP/handover.sym"
page cppcheck windows "$TMP/out.sym"
page later later --from 40% "$TMP/out.sym"
page compared compared --diff "$TMP/opt.sym" "$TMP/out.sym"
page profile flat "$TMP/two.prof"
page heaptrack flat "$T/data/valid/heaptrack-3.ht"
page hostile hostile "$TMP/hostile.sym"

echo "[$cases]" >cases.json
LIMIT=300 run node "$T/prog/browser.mjs" cases.json
is "$status" 0 'the browser ran'
while IFS= read -r line; do
	case $line in
	'ok '*)		pass "${line#ok }" ;;
	'not ok '*)	fail "${line#not ok }" ;;
	*)		diag "$line" ;;
	esac
done <out
done_testing
