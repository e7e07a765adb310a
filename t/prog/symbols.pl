#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# symbols.pl [-s STEP] [-n SHOWN] HT-SYMBOLIZE ELF [OPTION…]
#
# Asks ht-symbolize, addr2line, eu-addr2line and llvm-symbolizer about every
# STEPth instruction of an ELF file, and compares function, file and line of
# every frame. Prints `asked N`, for each oracle how often it said the same,
# and `alone N`: where no oracle said what ht-symbolize says (the first SHOWN
# of them with what they said). The oracles have their own mistakes, which do
# not coincide, so one that agrees on all frames is enough.
#
# What counts as the same:
#   - no function in DWARF or symbol table: ?? and module+0x…
#   - the symbol table's name of a source file (crtstuff.c:0) is no line
#   - a function local to another or to a file has no linkage name, so the
#     oracles say its plain name in places (`fact`, `operator()`), ours that of
#     its symbol (`fact(int)`, `main::{lambda()#1}::operator()() const`) or
#     one with the scopes that DWARF has (`ns::mk`)
#   - addr2line gives the innermost of several frames the name of the symbol
#     that it lies in, which is the outermost's

use strict;
use warnings;
no warnings 'portable';
use Getopt::Std;

my %o;
getopts('s:n:', \%o) or die;
my $step = $o{s} // 1;
my $shown = $o{n} // 10;
my ($ht, $elf, @opt) = @ARGV;
my $tmp = ($ENV{TMP} // '/tmp') . "/symbols.$$";

sub addresses {
	my ($i, @addr) = (0);
	open my $in, '-|', 'objdump', '-d', '--no-show-raw-insn', $elf or die;
	while (<$in>) {
		next if !/^ *([0-9a-f]+):\t(.*)/;
		my ($a, $code) = ($1, $2);
		# What fills the room between functions belongs to none.
		next if $code =~
		    /^(?:data16 |cs )*(?:nop|int3|xchg +%ax,%ax|hlt|ud2)/;
		push @addr, hex $a if $i++ % $step == 0;
	}
	return @addr;
}

# Function, file, line of each frame, innermost first.
sub ours {
	my @addr = @_;
	my (@s, @i, @t);
	open my $out, '>', $tmp or die;
	printf $out "v 100 3\n#H f ht-record 0.1.0\n";
	printf $out "m %x %s 0 0 7fffffffffffff00\n", length $elf, $elf;
	printf $out "t %x 0\n", $_ for @addr;
	print $out "#E exit 0\n";
	close $out;
	open my $in, '-|', $ht, @opt, $tmp or die;
	while (<$in>) {
		chomp;
		if (/^s ([0-9a-f]+) (.*)$/) {
			push @s, $2;
		} elsif (/^i (.*)$/) {
			my (undef, undef, @f) = map { hex } split ' ', $1;
			my @frame;
			push @f, 0, 0 if @f == 1;
			while (my ($fn, $file, $line) = splice @f, 0, 3) {
				push @frame, [$fn ? $s[$fn - 1] : '??',
				    $file ? $s[$file - 1] : '??', $line];
			}
			push @i, \@frame;
		} elsif (/^t ([0-9a-f]+)/) {
			push @t, $i[hex($1) - 1];
		}
	}
	close $in or die "ht-symbolize: status $?\n";
	unlink $tmp;
	return @t;
}

sub theirs {
	my ($command, @addr) = @_;
	my (@all, $frame);
	open my $out, '>', $tmp or die;
	printf $out "0x%x\n", $_ for @addr;
	close $out;
	open my $in, '-|', "$command '$elf' <$tmp 2>/dev/null" or die;
	while (<$in>) {
		chomp;
		next if $_ eq '';
		if (/^0x[0-9a-f]+$/) {
			push @all, $frame = [];
			next;
		}
		my $fn = $_;
		$fn =~ s/ inlined at .*//;
		my $at = <$in>;
		chomp $at;
		$at =~ s/ \(discriminator [0-9]+\)//;
		my ($file, $line) =
		    $at =~ /^(.*?):([0-9?]+)(?::[0-9]+)?$/;
		$line = 0 if !defined $line || $line eq '?';
		push @$frame, [$fn, $file // $at, $line];
	}
	close $in;
	unlink $tmp;
	return @all;
}

sub short {
	my ($f) = @_;
	my $t = join ' < ', map {
		my ($fn, $at) = ($_->[0], "$_->[1]:$_->[2]");
		$fn = substr($fn, 0, 40) . '~' . substr $fn, -40
		    if length $fn > 80;
		$at =~ s/.*\///;
		"$fn $at";
	} @$f;
	return $t;
}

# llvm-symbolizer does not know all of the demangling, and none knows D.
my %filtered;
sub filter {
	my ($f) = @_;
	return $f if $f !~ /^_[ZD]\w+(?:\.[\w.]+)?$/;
	$f =~ s/\..*//;
	my $style = $f =~ /^_D/ ? '-s dlang' : '';
	return $filtered{$f} //= do { chomp(my $t = `c++filt $style $f`); $t };
}

sub same_function {
	my ($x, $y) = ($_[0], filter($_[1]));
	# Versions; clones of one function; spaces, on which demanglers differ.
	for ($x, $y) {
		s/@@?[A-Z].*//;
		s/ \(\.[\w.]+\)$//;
		s/ \[clone [^]]*\]//g;
		s/\[abi:\w+\]//g;
		s/ //g;
	}
	return 1 if $x eq $y;
	return 1 if $y eq '??' && $x =~ /\+0x[0-9a-f]+$/;
	return 1 if $x =~ /(?:^|[:*&>])\Q$y\E\(/;
	return 1 if $x =~ /(?:::|\.)\Q$y\E$/;
	return 1 if $y =~ /^(\w+)<.*<lambda/ && $x =~ /\b$1<.*\{lambda/;
	return 1 if $y =~ /^\Q$x\E\./;
	# The plain name of a function that is only ever inlined.
	return 1 if $y =~ /(?:^|::|>)\Q$x\E\(/;
	return 0;
}

sub same_file {
	my ($x, $y) = @_;
	return 1 if $x->[1] eq $y->[1] && $x->[2] == $y->[2];
	return 1 if $x->[1] eq '??' && $y->[2] == 0;
	# No line for this instruction: ?? or the file with line 0.
	return 1 if $x->[2] == 0 && $y->[1] eq '??';
	# Paths are joined in more than one way.
	my ($p, $q) = map { my $f = $_->[1]; 1 while $f =~
	    s{(^|/)(?!\.\.)[^/]+/\.\./}{$1}; $f =~ s{/\./}{/}g; $f =~ s{^\./}{};
	    $f } $x, $y;
	return $x->[2] == $y->[2] &&
	    ($p eq $q || $p =~ m{/\Q$q\E$} || $q =~ m{/\Q$p\E$});
}

sub same {
	my ($oracle, $x, $y) = @_;
	return 0 if @$x != @$y;
	for my $k (0 .. $#$x) {
		return 0 if !same_file($x->[$k], $y->[$k]);
		next if same_function($x->[$k][0], $y->[$k][0]);
		next if $oracle eq 'addr2line' && $k == 0 && $#$x > 0 &&
		    same_function($x->[-1][0], $y->[0][0]);
		return 0;
	}
	return 1;
}

my @oracle = (
	['addr2line', 'addr2line -a -f -i -C -e'],
	['eu-addr2line', 'eu-addr2line -a -f -i -C -e'],
	['llvm-symbolizer', 'llvm-symbolizer -a -f -i -C --no-untag-addresses' .
	    ' -e'],
);
my @addr = addresses();
my @a = ours(@addr);
die 'not as many answers as questions' if @a != @addr;
printf "asked %d\n", scalar @addr;
my @agreed = (0) x @addr;
my @said;
for my $o (@oracle) {
	my @b = theirs($o->[1], @addr);
	next if @b != @addr;
	my $n = 0;
	push @said, [$o->[0], \@b];
	for my $i (0 .. $#addr) {
		next if !same($o->[0], $a[$i], $b[$i]);
		$agreed[$i] = 1;
		$n++;
	}
	print "$o->[0] $n\n";
}
my @alone = grep { !$agreed[$_] } 0 .. $#addr;
for my $i (splice @{[@alone]}, 0, $shown) {
	printf "%x\n  ht: %s\n", $addr[$i], short($a[$i]);
	printf "  %s: %s\n", $_->[0], short($_->[1][$i]) for @said;
}
printf "alone %d\n", scalar @alone;
