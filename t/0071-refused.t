#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What cannot be recorded: one clear sentence, 125 to 127, nothing run, nothing
# written.
. "${0%/*}/lib.sh"

R=$BIN/ht-record
# A directory of PATH that may not be looked into changes what execvp says.
PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
export PATH

# refused STATUS PATTERN PROGRAM [ARG…]
refused() {
	t_want=$1 t_pattern=$2
	shift 2
	echo precious >kept.ht
	run "$R" -o kept.ht "$@"
	is $status "$t_want" "status $t_want: ${t_name:-$1}"
	is "$(err | wc -l)" 1 "${t_name:-$1}: one line"
	like "$(err)" "^ht-record: cannot (run|record) .*$t_pattern" \
	    "${t_name:-$1}: which says it"
	is "$(out)" '' "${t_name:-$1}: nothing ran"
	is "$(cat kept.ht)" precious "${t_name:-$1}: an older trace is kept"
	t_name=
}

refused 127 "'no-such-program-here'.*No such file" no-such-program-here
refused 127 "'/no/such/program'.*No such file" /no/such/program
refused 127 "'\\./nothing'.*No such file" ./nothing
t_name='an empty name'
refused 127 "''" ''
t_name='a name with a newline'
refused 127 '\\n' 'a
b'
echo 'echo ran' >plain
refused 126 "'\\./plain'.*Permission denied" ./plain
refused 126 "'/'.*(Permission denied|[Ii]s a directory)" /
mkdir dir
refused 126 "'\\./dir'.*(Permission denied|[Ii]s a directory)" ./dir

printf '#!/no/such/interpreter\necho ran\n' >bad-script
chmod +x bad-script
refused 126 "interpreter '?/no/such/interpreter" ./bad-script

cat >s.c <<'END'
int main(void) { return write(1, "ran\n", 4) != 4; }
END
if gcc -w -static -o static s.c && gcc -w -static-pie -o static-pie s.c; then
	refused 126 'statically linked' ./static
	refused 126 'statically linked' ./static-pie
	printf '#!%s/static\n' "$TMP" >static-script
	chmod +x static-script
	refused 126 'statically linked' ./static-script
else
	fail 'gcc links statically'
fi

gcc -w -o dynamic s.c
if [ "$(id -u)" = 0 ]; then
	for mode in u g; do
		cp dynamic set$mode
		chown 65534:65534 set$mode
		chmod $mode+s set$mode
		refused 126 'setuid' ./set$mode
	done
	# To whom it belongs already it gives nothing: recorded.
	cp dynamic own
	chmod u+s,g+s own
	run "$R" -q -o t.ht ./own
	is "$(out)" ran 'setuid to oneself: recorded'
	replay t.ht
	is "$(re end)" 'exit 0' 'and whole'
	# Rights by file capabilities count for users only.
	if command -v setcap >/dev/null && command -v setpriv >/dev/null; then
		cp dynamic caps
		setcap cap_net_raw+ep caps
		chmod 777 .
		run setpriv --reuid 65534 --regid 65534 --clear-groups \
		    "$R" -o x.ht ./caps
		is $status 126 'file capabilities: 126'
		like "$(err)" 'ht-record: cannot record .*capabilities' 'said'
	fi
else
	skip 'setuid' 'not root'
fi

# Headers of other machines' programs.
elf() {
	# class, machine (little endian), then enough zeros.
	{
		printf '\177ELF'"$1"'\001\001\000\000\000\000\000\000\000\000\000'
		printf '\003\000'"$2"'\000\001\000\000\000'
		head -c 1000 /dev/zero
	} >"$3"
	chmod +x "$3"
}
elf '\001' '\003' i386
refused 126 '32-bit x86' ./i386
case $(uname -m) in
aarch64)	elf '\002' '\076' other other='x86-64' ;;
*)	elf '\002' '\267' other; other=aarch64 ;;
esac
refused 126 "$other" ./other
elf '\002' '\363' riscv
refused 126 'RISC-V' ./riscv
elf '\002' '\377' strange
refused 126 'another architecture|machine' ./strange

# Broken files: what execvp makes of them (some are scripts for sh to it), and
# no crash of ours.
as_execvp() {
	run -s env ./broken
	plain=$status
	run -s "$R" -q -o t.ht ./broken
	[ $status = $plain ] ||
	    { [ $status -ge 125 ] && [ $status -le 127 ]; }
}
for size in 4 10 20 63 64 65 100 400; do
	head -c $size dynamic >broken
	chmod +x broken
	ok as_execvp "a program cut after $size bytes: $status"
done
for at in 32 40 54 56 60; do
	cp dynamic broken
	printf '\377\377\377\377\377\377' |
	    dd of=broken bs=1 seek=$at conv=notrunc 2>/dev/null
	ok as_execvp "a broken header at $at: $status"
done

# Sanitizers bring a malloc of their own.
for cc in gcc clang; do
	for san in address thread; do
		if ! $cc -w -fsanitize=$san -o "$cc-$san" s.c 2>cc.err; then
			fail "$cc -fsanitize=$san works" "$(cat cc.err)"
			continue
		fi
		case $san in
		address)	name=AddressSanitizer ;;
		thread)	name=ThreadSanitizer ;;
		esac
		refused 126 "$name" "./$cc-$san"
	done
done

# A script without #! is one for sh, as execvp has it.
echo 'echo ran "$1"' >bare
chmod +x bare
run "$R" -q -o t.ht ./bare x
is "$status $(out)" '0 ran x' 'a script without #! runs'

# PATH is searched as execvp does it.
mkdir one two
echo 'echo wrong' >one/prog
printf '#!/bin/sh\necho right\n' >two/prog
chmod +x two/prog
run env PATH="$TMP/one:$TMP/two:$PATH" "$R" -q -o t.ht prog
is "$status $(out)" '0 right' 'PATH: what cannot be run is passed over'
run env PATH="$TMP/one" "$R" -q -o t.ht prog
is $status 126 'PATH: found, but not runnable: 126'
done_testing
