#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# t/deps.sh: says what it will do before it does, does nothing when all is
# there, and says plainly when it cannot.
. "${0%/*}/lib.sh"

run sh "$T/deps.sh" build demo test
is "$status $(out)$(err)" '0 ' 'all is there: not a word'
run sh "$T/deps.sh" nonsense
is $status 2 'an unknown group: 2'
like "$(err)" "nonsense.*build.*demo.*test" 'names the known ones'
ok "[ \"\$(head -n 1 '$T/deps.sh')\" = '#!/bin/sh' ]" 'it is a script for sh'

# A machine where next to nothing is installed: a PATH with the shell's tools
# and a package manager that only says what it was called with.
mkdir bin
for c in sh cat id env sed rm ls; do
	ln -s "$(command -v $c)" bin/$c
done
bare() {
	run env PATH="$TMP/bin" HT_DEPS_DRY="${dry:-0}" sh "$T/deps.sh" "$@"
}
bare demo
is $status 1 'no package manager: 1'
like "$(err)" 'missing: .*jq' 'says what is missing'

printf '#!/bin/sh\necho "$0 $*" >>"%s/called"\n' "$TMP" >bin/apt-get
chmod +x bin/apt-get
dry=1
bare demo
is $status 0 'HT_DEPS_DRY=1: 0'
like "$(out)" 'About to install with apt-get: .*jq' 'says what it would install'
ok '[ ! -e called ]' 'and does not'
bare demo test
like "$(out)" 'valgrind' 'groups add up'
is "$(out | grep -o ' perl' | wc -l)" 1 'each package once'

if [ "$(id -u)" = 0 ]; then
	dry=0
	bare demo
	is $status 1 'installed, yet not there: 1'
	like "$(out)" 'About to install with apt-get: .*jq' 'said before'
	like "$(cat called)" 'apt-get .*install .*jq' 'apt-get is asked'
	like "$(err)" 'still missing: .*jq' 'and what came of it is looked at'
else
	dry=0
	bare demo
	is $status 1 'no root and no sudo: 1'
	like "$(err)" 'needs root or sudo' 'said'
fi
for m in dnf pacman apk; do
	rm -f bin/apt-get bin/dnf bin/pacman bin/apk
	printf '#!/bin/sh\n' >bin/$m
	chmod +x bin/$m
	dry=1
	bare demo
	like "$(out)" "About to install with $m \(untested\): .*jq" \
	    "$m: said to be untested"
done
done_testing
