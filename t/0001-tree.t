#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What STYLE asks of the tree as such: layers, names, licence lines.
. "${0%/*}/lib.sh"
cd "$SRC"
if git -c safe.directory='*' ls-files >"$TMP/files" 2>/dev/null &&
    [ -s "$TMP/files" ]; then
	:
else
	find . -type f ! -path './.git/*' ! -path './bin/*' \
	    ! -path './lib/*' ! -path './obj/*' |
	    sed 's|^\./||' >"$TMP/files"
fi
cd "$TMP"

# --- layers ----------------------------------------------------------------
# A file of libht says its level in its header: "Level 2.".
cat >layers.pl <<'END'
use strict;
my (%level, @bad);
my @files = map { chomp; $_ } <STDIN>;
sub text { local (@ARGV, $/) = "$ENV{SRC}/$_[0]"; my $t = <>; $t }
for (grep m|^libht/.*\.h$|, @files) {
	my ($n) = text($_) =~ /\bLevel (\d)\b/;
	push @bad, "$_ does not say its level" unless defined $n;
	$level{$_} = $n // 99;
}
sub level_of {
	my ($f) = @_;
	(my $h = $f) =~ s/\.c$/.h/;
	return $level{$h};
}
for my $f (grep /\.(c|h)$/, @files) {
	next unless $f =~ m|^(libht\|ht-[a-z]+)/|;
	my $dir = $1;
	for my $line (split /\n/, text($f)) {
		next unless $line =~ /^\s*#\s*include\s+(["<])([^">]+)[">]/;
		my ($how, $what) = ($1, $2);
		next if $how eq '<' && $what !~ m|^ht|;
		my ($to) = $what =~ m|^([^/]+)/|;
		if (!defined $to || !-e "$ENV{SRC}/$what") {
			push @bad, "$f includes \"$what\": no path from the root";
		} elsif ($dir eq 'libht') {
			push @bad, "$f includes $what: libht stands below"
			    if $to ne 'libht';
			my ($mine, $its) = (level_of($f), $level{$what} // 99);
			(my $own = $f) =~ s/\.c$/.h/;
			if (!defined $mine) {
				# A .c without a header of its own belongs to
				# the highest level that it names.
				next;
			}
			push @bad, "$f (level $mine) includes $what (level $its)"
			    if $its > $mine ||
			    ($its == $mine && $what ne $own && $f =~ /\.h$/ &&
			    0);
		} elsif ($f =~ m|^ht-record/preload/|) {
			push @bad, "$f includes $what: nothing of libht is in the program"
			    if $what !~ m%^ht-record/(ring|symtab|x86)\.h$% &&
			    $what !~ m|^ht-record/preload/|;
		} elsif ($to ne 'libht' && $to ne $dir) {
			push @bad, "$f includes $what: commands do not include each other";
		} elsif ($what =~ m|^ht-record/preload/|) {
			push @bad, "$f includes $what: only ring.h, symtab.h and x86.h are shared";
		}
	}
}
my $symbolizer = qr/^(elfutils\/|libelf|gelf|libdwfl|dwarf\.h|libiberty)/;
for my $f (grep m%^(libht|ht-[a-z]+)/.*\.(c|h)$%, @files) {
	for (split /\n/, text($f)) {
		next unless /^\s*#\s*include\s+<([^>]+)>/;
		my $h = $1;
		push @bad, "$f includes <$h>: only ht-symbolize knows libdw"
		    if $h =~ $symbolizer && $f !~ m|^ht-symbolize/|;
		push @bad, "$f includes <$h>: only in and out know codecs"
		    if $h =~ /^(zlib|zstd)\.h$/ &&
		    $f !~ m%^libht/(in|out)[^/]*\.[ch]$%;
	}
}
print "$_\n" for @bad;
END
perl layers.pl <files >bad
is "$(cat bad)" '' 'each file includes lower levels only'

# --- names -----------------------------------------------------------------
# t/unit/x.c is the test of x.c, t/fuzz/x.c its fuzzing.
is "$(grep -Ev '^t/(data|unit|fuzz)/' files | sed 's|.*/||' | grep -v '^README' | sort |
    uniq -d)" '' 'file names are unique in the tree'
is "$(sed 's|.*/||' files | grep -Ei '^(utils?|helpers?|misc|common)\.[ch]$')" \
    '' 'each helper has a subject'

# --- licence ---------------------------------------------------------------
while read -r f; do
	case $f in
	t/data/*|.gitignore|*.gz|*.zst|*.txt)	continue ;;
	*/package-lock.json)	continue ;; # written by npm
	esac
	# The text itself, if there is one, is no source.
	case ${f##*/} in COPYING*|LICENSE*) continue ;; esac
	head -n 5 "$SRC/$f" | grep -q 'SPDX-License-Identifier: ' || echo "$f"
done <files >without
is "$(cat without)" '' 'every file has its SPDX line'
while read -r f; do
	case $f in
	t/data/*|*.gz|*.zst)	continue ;;
	esac
	n=$(grep -c '^[^A-Za-z]*SPDX-License-Identifier: ' "$SRC/$f")
	[ "$n" -le 1 ] || echo "$f: $n"
done <files >more
is "$(cat more)" '' 'and one only'

# --- shell -----------------------------------------------------------------
bad=
for f in $(grep -E '\.(sh|t)$' files); do
	sh -n "$SRC/$f" 2>/dev/null || bad="$bad $f"
done
is "$bad" '' 'every script is one for sh'
is "$(cd "$SRC" && grep -lE '^#!.*bash' $(grep -E '\.(sh|t)$' "$TMP/files"))" \
    '' 'none asks for bash'
is "$(cd "$SRC" && for f in $(grep '\.t$' "$TMP/files"); do
	grep -q 'done_testing\|prove' "$f" || echo "$f"; done)" '' \
    'every test ends with its plan'
is "$(sed -n 's|^t/\([0-9]*\)-.*\.t$|\1|p' files | sort | uniq -d)" '' \
    'test numbers are unique'
done_testing
