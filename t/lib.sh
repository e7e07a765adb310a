# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Sourced by every test:  . "${0%/*}/lib.sh"
#
# A test is a POSIX sh script that speaks TAP. It starts in a temporary
# directory of its own, $TMP, removed at its end unless HT_KEEP=1, with stdin
# from /dev/null. It ends with done_testing.
#
#   $SRC    the source tree         $BIN   the commands
#   $LIB    the preload library     $PROG  the programs under test
#
# HT_OUT names the directory that `make OUT=…` built into (default: the tree).
# HT_UPDATE=1 rewrites expected files.

set -u
LC_ALL=C
TZ=UTC
export LC_ALL TZ
unset LD_PRELOAD HT_RECORD HT_VERIFY LD_LIBRARY_PATH CDPATH
umask 022

SRC=$(cd "${0%/*}/.." && pwd -P) || exit 1
case ${HT_OUT:-.} in
/*)	HT_OUT=${HT_OUT:-} ;;
*)	HT_OUT=$(cd "$SRC" && cd "${HT_OUT:-.}" && pwd -P) || exit 1 ;;
esac
BIN=$HT_OUT/bin
LIB=$HT_OUT/lib
PROG=$HT_OUT/obj/prog
UNIT=$HT_OUT/obj/unit
T=$SRC/t
export SRC HT_OUT BIN LIB PROG UNIT T

TMP=$(mktemp -d "${TMPDIR:-/tmp}/ht-test.XXXXXX") || exit 1
TMP=$(cd "$TMP" && pwd -P)
export TMP
exec </dev/null

# Commands built with AddressSanitizer need address space without a limit.
sanitized=no
nm "$BIN/ht-record" 2>/dev/null | grep -q __asan_init && sanitized=yes
# What a command's end frees it need not free.
ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
export ASAN_OPTIONS

t_n=0 t_failed=0 t_ran= t_bg=
status=0

t_end() {
	t_rc=$?
	trap - EXIT
	for t_pid in $t_bg; do
		kill -CONT "$t_pid" 2>/dev/null
		kill -KILL "$t_pid" 2>/dev/null
	done
	cd /
	if [ "${HT_KEEP:-0}" = 1 ]; then
		echo "# kept: $TMP"
	else
		chmod -R u+rwX "$TMP" 2>/dev/null
		rm -rf "$TMP"
	fi
	exit $t_rc
}
trap t_end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$TMP" || exit 1

# --- results ---------------------------------------------------------------

# diag TEXT: lines for the person who reads a failure.
diag() {
	printf '%s\n' "$*" | sed 's/^/# /' >&2
}

# note TEXT: lines that are no failure.
note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

pass() {
	t_n=$((t_n + 1))
	printf 'ok %d - %s\n' $t_n "$1"
}

fail() {
	t_n=$((t_n + 1))
	t_failed=$((t_failed + 1))
	printf 'not ok %d - %s\n' $t_n "$1"
	diag "failed: $1 (${0##*/})"
	shift
	for t_line; do
		diag "  $t_line"
	done
	if [ -n "$t_ran" ]; then
		diag "  last command: $t_ran"
		diag "  its status: $status"
		if [ -s "$TMP/err" ]; then
			diag "  its stderr:"
			head -c 3000 "$TMP/err" | tr -d '\000' | head -n 30 |
			    sed 's/^/#     /' >&2
		fi
	fi
	return 0
}

# skip NAME WHY: what this machine cannot show (never: a missing package).
skip() {
	t_n=$((t_n + 1))
	printf 'ok %d - %s # SKIP %s\n' $t_n "$1" "$2"
}

# ok CONDITION NAME: the condition is shell text, evaluated here.
ok() {
	if eval "$1"; then
		pass "$2"
	else
		fail "$2" "not true: $1"
	fi
}

# is GOT WANT NAME
is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3" " got: $1" "want: $2"
	fi
}

# isnt GOT NOT-WANTED NAME
isnt() {
	if [ "$1" != "$2" ]; then
		pass "$3"
	else
		fail "$3" "got what must not be: $1"
	fi
}

# between LOW VALUE HIGH NAME: whole numbers, both ends included.
between() {
	case $1$2$3 in
	*[!0-9]*|'')	t_in=no ;;
	*)	t_in=yes ;;
	esac
	if [ $t_in = yes ] && [ -n "$2" ] && [ "$1" -le "$2" ] &&
	    [ "$2" -le "$3" ]; then
		pass "$4"
	else
		fail "$4" "not true: $1 <= $2 <= $3"
	fi
}

# like TEXT PATTERN NAME: an extended regular expression on one of the lines.
like() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		pass "$3"
	else
		fail "$3" "no line of: $1" "matches: $2"
	fi
}

unlike() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		fail "$3" "a line of: $1" "matches: $2"
	else
		pass "$3"
	fi
}

# same GOT-FILE WANTED-FILE NAME: byte for byte. With HT_UPDATE=1 a wanted file
# of the source tree is rewritten.
same() {
	if [ "${HT_UPDATE:-0}" = 1 ]; then
		case $2 in
		"$SRC"/*)	cmp -s "$1" "$2" || cp "$1" "$2" ;;
		esac
	fi
	if cmp -s "$1" "$2"; then
		pass "$3"
	else
		fail "$3" "$(diff -au "$2" "$1" 2>&1 | head -n 40)"
	fi
}

# need COMMAND…: the test's tools. `make deps-test` installs them, so a missing
# one is a failure.
need() {
	for t_cmd; do
		command -v "$t_cmd" >/dev/null && continue
		fail "$t_cmd is installed (make deps-test)"
		done_testing
	done
}

done_testing() {
	echo "1..$t_n"
	[ $t_failed = 0 ] && [ $t_n -gt 0 ]
	exit $?
}

# --- commands under test ---------------------------------------------------

# run [-s] COMMAND…: stdout to $TMP/out, stderr to $TMP/err, the exit status
# to $status; $(out) and $(err) print them. Never behind a pipe. Ended after
# $LIMIT seconds (default 60; status 124). A death by signal or a sanitizer's
# complaint is a failed test by itself; with -s the status may be that of a
# signal (what ht-record returns for a killed program).
run() {
	t_sig=no
	if [ "$1" = -s ]; then
		t_sig=yes
		shift
	fi
	t_ran=$*
	timeout -k 5 "${LIMIT:-60}" "$@" >"$TMP/out" 2>"$TMP/err"
	status=$?
	t_look
	return 0
}

t_look() {
	case $status in
	124)
		fail "ends in time: $t_ran" ;;
	132|134|135|136|139|137|141)
		[ $t_sig = yes ] || fail "does not die: $t_ran" ;;
	esac
	if grep -aEq 'ERROR: (Address|Leak|Thread)Sanitizer|^[^ ]*:[0-9]+:[0-9]+: runtime error: |WARNING: ThreadSanitizer' \
	    "$TMP/err" 2>/dev/null; then
		[ "${t_san_ok:-no}" = yes ] ||
		    fail "no complaint of a sanitizer: $t_ran"
	fi
}

out() {
	cat "$TMP/out"
}

err() {
	cat "$TMP/err"
}

# background PID: a process this test started; ended with the test.
background() {
	t_bg="$t_bg $1"
}

# wait_for SECONDS CONDITION: polls, true once the condition is.
wait_for() {
	t_tries=$(($1 * 20))
	while [ $t_tries -gt 0 ]; do
		eval "$2" && return 0
		sleep 0.05
		t_tries=$((t_tries - 1))
	done
	return 1
}

# --- recording -------------------------------------------------------------

# record [OPTION…] PROGRAM [ARG…]: runs it under ht-record into $TMP/t.ht; the
# rest as `run -s`, whose files then hold what the program wrote.
record() {
	rm -f "$TMP/t.ht"
	run -s "$BIN/ht-record" -q -o "$TMP/t.ht" "$@"
}

# replay [OPTION…] FILE: reads a trace with t/prog/replay.pl, which shares no
# code with the commands; `re NAME` prints a total of it, or nothing.
replay() {
	perl "$T/prog/replay.pl" "$@" >"$TMP/re" 2>"$TMP/re.err"
	t_re=$?
	[ $t_re = 0 ] || fail "replays: $*" "$(head -n 20 "$TMP/re.err")"
}

re() {
	awk -F '\t' -v k="$1" '$1 == k { print $2 }' "$TMP/re"
}

# said NAME [FILE]: the value of NAME in the `name<TAB or space>value` lines
# that the program printed (default: what the last run wrote to stdout).
said() {
	awk -v k="$1" '$1 == k { print $2 }' "${2:-$TMP/out}"
}

# functions_as FILE WHAT: what the program says in FILE of its functions is what
# the last replay has of them, by their names alone; left in ./want.
functions_as() {
	awk '$1 == "function" { n[$2] += $3; f[$2] += $4; b[$2] += $5 }
		END { for (w in n) print w, n[w], f[w], b[w] }' "$1" |
	    sort >want
	while read -r function allocations frees bytes; do
		is "$(awk -F '\t' -v n="$function" '
			{ sub(/\(.*/, "", $2) }
			$1 == "function" && $2 == n {
				a += $3; f += $4; b += $5 }
			END { printf "%d %d %.0f", a, f, b }' "$TMP/re")" \
		    "$allocations $frees $bytes" "$2: $function"
	done <want
}

# code_of PID PATTERN: sums of what is in memory of its code, each mapping
# whose line, from the permissions on, matches.
code_of() {
	perl -e '
		open M, "<", "/proc/$ARGV[0]/maps" or die;
		open C, "<:raw", "/proc/$ARGV[0]/mem" or die;
		for (<M>) {
			next unless /^(\w+)-(\w+) r-xp $ARGV[1]/;
			seek C, hex $1, 0;
			read C, my $code, hex($2) - hex($1);
			print "$1 ", unpack("%64C*", $code), " ",
			    unpack("%64N*", $code), "\n";
		}' "$1" "$2"
}

# renamed_jemalloc: ./librjem.a, a jemalloc as Rust's crates have it: under
# another name, in no table but .symtab. $pic is the one it is made of.
renamed_jemalloc() {
	pic=$(gcc -print-file-name=libjemalloc_pic.a)
	nm "$pic" 2>/dev/null | awk '$2 == "T" && $3 !~ /^_Z/ {
		print $3, "_rjem_" $3 }' | sort -u >names
	objcopy --redefine-syms=names "$pic" librjem.a
}

# symbolize FILE: into $TMP/t.sym.
symbolize() {
	timeout -k 5 "${LIMIT:-60}" "$BIN/ht-symbolize" "$1" \
	    >"$TMP/t.sym" 2>"$TMP/sym.err"
	t_rc=$?
	[ $t_rc = 0 ] || fail "ht-symbolize reads $1" "status $t_rc" \
	    "$(head -n 20 "$TMP/sym.err")"
}

# totals FILE: what `ht-top --totals` says, every leak included; `total NAME`
# prints one.
totals() {
	timeout -k 5 "${LIMIT:-60}" "$BIN/ht-top" --totals \
	    --disable-builtin-suppressions "$1" \
	    >"$TMP/totals" 2>"$TMP/totals.err"
	t_rc=$?
	[ $t_rc = "${2:-0}" ] || fail "ht-top --totals reads $1" \
	    "status $t_rc" "$(head -n 20 "$TMP/totals.err")"
}

total() {
	awk -F '\t' -v k="$1" '$1 == k { print $2 }' "$TMP/totals"
}
