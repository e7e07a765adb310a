#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sh t/deps.sh build [demo] [test] [bench]
#
# Installs what is missing of each group, through the system's package manager,
# and says what before it does. Silent when all is there. HT_DEPS_DRY=1 says
# and does nothing. Known to work on Debian 12; the names for dnf, pacman and
# apk are untested.

set -u

# What a thing is known by (a command, /a/file, a header <x.h> or a library
# lib…), and its package for apt-get, dnf, pacman and apk ("-": there is none,
# or another line brings it).
list() {
	case $1 in
	build)
		cat <<'END'
gcc                gcc             gcc              gcc         gcc
ld                 binutils        binutils         binutils    binutils
make               make            make             make        make
<stdio.h>          libc6-dev       glibc-devel      glibc       musl-dev
<linux/futex.h>    linux-libc-dev  kernel-headers   linux-api-headers linux-headers
<zlib.h>           zlib1g-dev      zlib-devel       zlib        zlib-dev
<zstd.h>           libzstd-dev     libzstd-devel    zstd        zstd-dev
<elfutils/libdw.h> libdw-dev       elfutils-devel   libelf      elfutils-dev
<libelf.h>         libelf-dev      elfutils-libelf-devel libelf elfutils-dev
<libiberty/demangle.h> libiberty-dev binutils-devel binutils    binutils-dev
libunwind.so.8     libunwind8      libunwind        libunwind   libunwind
node               nodejs          nodejs           nodejs      nodejs
npm                npm             nodejs-npm       npm         npm
END
		;;
	demo)
		cat <<'END'
jq                 jq              jq               jq          jq
gzip               gzip            gzip             gzip        gzip
awk                mawk            gawk             gawk        gawk
END
		;;
	test)
		cat <<'END'
g++                g++             gcc-c++          gcc         g++
clang              clang           clang            clang       clang
ld.lld             lld             lld              lld         lld
clang-format       clang-format    clang-tools-extra clang      clang-extra-tools
libclang_rt.asan-x86_64.a libclang-rt-14-dev compiler-rt compiler-rt compiler-rt
mandoc             mandoc          mandoc           mandoc      mandoc
<cmocka.h>         libcmocka-dev   libcmocka-devel  cmocka      cmocka-dev
prove              perl            perl-Test-Harness perl       perl-utils
valgrind           valgrind        valgrind         valgrind    valgrind
ms_print           valgrind        valgrind         valgrind    valgrind
/usr/share/perl5/Devel/NYTProf/flamegraph.pl libdevel-nytprof-perl - - -
/usr/lib/debug/.build-id libc6-dbg - - musl-dbg
heaptrack          heaptrack       heaptrack        heaptrack   heaptrack
heaptrack_print    heaptrack       heaptrack        heaptrack   heaptrack
<heaptrack_api.h>  libheaptrack    heaptrack        heaptrack   heaptrack-dev
jq                 jq              jq               jq          jq
sqlite3            sqlite3         sqlite           sqlite      sqlite
/usr/bin/python3   python3         python3          python      python3
cppcheck           cppcheck        cppcheck         cppcheck    cppcheck
xz                 xz-utils        xz               xz          xz
kwriteconfig5      libkf5config-bin kf5-kconfig-core kconfig5    kconfig5
zstd               zstd            zstd             zstd        zstd
git                git             git              git         git
gdb                gdb             gdb              gdb         gdb
chromium           chromium        chromium         chromium    chromium
redis-server       redis-server    redis            redis       redis
redis-cli          redis-tools     redis            redis       redis
redis-benchmark    redis-tools     redis            redis       redis
libjemalloc.so     libjemalloc-dev jemalloc-devel   jemalloc    jemalloc-dev
libtcmalloc.so     libgoogle-perftools-dev gperftools-devel gperftools gperftools-dev
libmimalloc.so     libmimalloc-dev mimalloc-devel   mimalloc    mimalloc2-dev
<gc.h>             libgc-dev       gc-devel         gc          gc-dev
llvm-symbolizer    llvm            llvm             llvm        llvm
eu-addr2line       elfutils        elfutils         elfutils    elfutils
addr2line          binutils        binutils         binutils    binutils
llvm-symbolizer    llvm            llvm             llvm        llvm
rustc              rustc           rust             rust        rust
gdc                gdc             gcc-gdc          gcc-d       gcc-gdc
dwz                dwz             dwz              dwz         dwz
musl-gcc           musl-tools      musl-gcc         musl        -
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc -
/usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross - - -
qemu-aarch64       qemu-user       qemu-user        qemu-user   qemu-aarch64
strace             strace          strace           strace      strace
tmux               tmux            tmux             tmux        tmux
script             bsdutils        util-linux       util-linux  util-linux-misc
bash               bash            bash             bash        bash
setpriv            util-linux      util-linux       util-linux  setpriv
parallel           parallel        parallel         parallel    parallel
find               findutils       findutils        findutils   findutils
END
		;;
	bench)
		cat <<'END'
heaptrack          heaptrack       heaptrack        heaptrack   heaptrack
heaptrack_print    heaptrack       heaptrack        heaptrack   heaptrack
zstd               zstd            zstd             zstd        zstd
gzip               gzip            gzip             gzip        gzip
perl               perl            perl             perl        perl
cppcheck           cppcheck        cppcheck         cppcheck    cppcheck
/usr/bin/python3   python3         python3          python      python3
sqlite3            sqlite3         sqlite           sqlite      sqlite
jq                 jq              jq               jq          jq
xz                 xz-utils        xz               xz          xz
clang              clang           clang            clang       clang
g++                g++             gcc-c++          gcc         g++
valgrind           valgrind        valgrind         valgrind    valgrind
eu-addr2line       elfutils        elfutils         elfutils    elfutils
END
		;;
	*)
		echo "t/deps.sh: no group '$1': build, demo, test and bench are" >&2
		exit 2
		;;
	esac
}

# Where the compiler would look, without asking it: it may be what is missing.
headers='/usr/include /usr/local/include'
for dir in /usr/include/*-linux-gnu /usr/lib/gcc/*/*/include; do
	[ -d "$dir" ] && headers="$headers $dir"
done

have() {
	case $1 in
	'<'*)
		name=${1#<}
		name=${name%>}
		for dir in $headers; do
			[ -e "$dir/$name" ] && return 0
		done
		return 1
		;;
	/*)	[ -e "$1" ] ;;
	libclang_rt*)
		for file in /usr/lib/clang/*/lib/linux/"$1" \
		    /usr/lib/llvm*/lib/clang/*/lib/linux/"$1" \
		    /usr/lib/clang/*/lib/*/libclang_rt.asan.a; do
			[ -e "$file" ] && return 0
		done
		return 1
		;;
	lib*)
		for dir in /lib /usr/lib /lib64 /usr/lib64 /usr/local/lib \
		    /lib/*-linux-gnu /usr/lib/*-linux-gnu; do
			[ -e "$dir/$1" ] && return 0
		done
		return 1
		;;
	*)	command -v "$1" >/dev/null 2>&1 ;;
	esac
}

if command -v apt-get >/dev/null 2>&1; then
	column=2 manager=apt-get tested=
elif command -v dnf >/dev/null 2>&1; then
	column=3 manager=dnf tested=' (untested)'
elif command -v pacman >/dev/null 2>&1; then
	column=4 manager=pacman tested=' (untested)'
elif command -v apk >/dev/null 2>&1; then
	column=5 manager=apk tested=' (untested)'
else
	column=0 manager= tested=
fi

# Packages that are missing, each once, into $packages; what they were missed
# for into $things.
missing() {
	packages= things=
	for group; do
		lines=$(list "$group") || exit 2
		while read -r thing apt dnf pacman apk; do
			case $column in
			2)	package=$apt ;;
			3)	package=$dnf ;;
			4)	package=$pacman ;;
			5)	package=$apk ;;
			*)	package=$thing ;;
			esac
			[ "$package" = - ] && continue
			have "$thing" && continue
			things="$things $thing"
			case " $packages " in
			*" $package "*)	;;
			*)	packages="$packages $package" ;;
			esac
		done <<END
$lines
END
	done
	packages=${packages# }
	things=${things# }
}

[ $# -gt 0 ] || set -- build
missing "$@"
[ -n "$packages" ] || exit 0

if [ -z "$manager" ]; then
	echo "t/deps.sh: missing: $things" >&2
	echo "t/deps.sh: none of apt-get, dnf, pacman, apk is here:" \
	    "install them by hand" >&2
	exit 1
fi

echo "Missing for '$*': $things"
echo "About to install with $manager$tested: $packages"
[ "${HT_DEPS_DRY:-0}" = 1 ] && exit 0

if [ "$(id -u)" = 0 ]; then
	root=
elif command -v sudo >/dev/null 2>&1; then
	root='sudo'
	echo "(through sudo: it may ask for your password)"
else
	echo "t/deps.sh: cannot install: this needs root or sudo." \
	    "As root: $manager install $packages" >&2
	exit 1
fi

# shellcheck disable=SC2086
case $manager in
apt-get)
	quiet='-qq -o Dpkg::Use-Pty=0'
	settings='env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1'
	$root $settings apt-get $quiet update &&
	    $root $settings apt-get $quiet install -y \
	        --no-install-recommends $packages >/dev/null
	;;
dnf)	$root dnf -y -q install $packages ;;
pacman)	$root pacman -Sy --needed --noconfirm $packages ;;
apk)	$root apk add -q $packages ;;
esac
rc=$?
if [ $rc != 0 ]; then
	echo "t/deps.sh: $manager failed with status $rc" >&2
	exit 1
fi

missing "$@"
if [ -n "$packages" ]; then
	echo "t/deps.sh: installed, yet still missing: $things" >&2
	exit 1
fi
