#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What maps a program made between its two calls of getppid, out of what
# `strace -f -e trace=mmap,munmap,mremap,brk,getppid` wrote: by page, with no
# code of ours. Prints `<kind> <name> <value>` lines.

use strict;
use warnings;
no warnings 'portable'; # 64-bit addresses

my $PAGE = 4096;
my (%page, %n, $on, $break);	# page: number => call

# What was there.
sub unmap {
	my ($at, $size) = @_;
	return if $at % $PAGE;
	my %gone = map { exists $page{$_} ? ($_ => delete $page{$_}) : () }
	    pages($at, $size);
	return \%gone;
}

# What a call is about to unmap, by its arguments.
sub goes {
	my ($call, @a) = @_;
	return unmap(number($a[0]), $a[1])
	    if $call eq 'munmap' || $call eq 'mremap' ||
	    ($call eq 'mmap' && $a[3] =~ /MAP_FIXED\b/);
}

sub pages {
	my ($at, $size) = @_;
	my $first = $at / $PAGE;
	return $first .. $first + int(($size + $PAGE - 1) / $PAGE) - 1;
}

sub add {
	my ($kind, $bytes) = @_;
	$n{$kind}{allocations}++;
	$n{$kind}{total_bytes} += $bytes;
}

sub map_new {
	my ($at, $size) = @_;
	my @p = pages($at, $size);
	add('mmap', @p * $PAGE);
	@page{@p} = ($n{mmap}{allocations}) x @p;
}

sub peak {
	my ($kind, $live) = @_;
	$n{$kind}{leaked} = $live;
	$n{$kind}{peak} = $live if $live > ($n{$kind}{peak} // 0);
}

sub number {
	return $_[0] eq 'NULL' ? 0 : $_[0] =~ /^0x/ ? hex $_[0] : $_[0];
}

my (%begun, %gone);	# by thread: calls that are not over
my $from;
while (<>) {
	my ($tid) = s/^(\d+)\s+// ? $1 : 0;
	if (s/ <unfinished \.\.\.>$//) {
		chomp;
		$begun{$tid} = $_;
		# Others may have the addresses before it is resumed.
		$gone{$tid} = goes($1, split /, /, $2)
		    if $on && $begun{$tid} =~ /^(\w+)\((.*?),?$/;
		next;
	}
	s/^<\.\.\. \w+ resumed>/delete $begun{$tid}/e;
	my ($call, $args, $result) = /^(\w+)\((.*)\)\s+= (\S+)/ or next;
	if ($call eq 'getppid') {
		last if $on;
		$on = 1;
		$from = $break;
		next;
	}
	my @a = split /, /, $args;
	if ($call eq 'brk') {
		my $was = $break;
		$break = hex $result;
		next unless $on && $break != $was;
		add('brk', $break - $was) if $break > $was;
		peak('brk', $break - $from);
		next;
	}
	next if !$on;
	my $was = delete $gone{$tid} // goes($call, @a);
	if ($result eq '-1') {
		@page{ keys %$was } = values %$was if $was;
		next;
	}
	map_new(number($result), $a[1]) if $call eq 'mmap';
	map_new(number($result), $a[2]) if $call eq 'mremap';
	peak('mmap', $PAGE * keys %page);
}
my ($blocks, $before, $call) = (0, -1, 0);
for (sort { $a <=> $b } keys %page) {
	$blocks++ unless $_ == $before + 1 && $page{$_} == $call;
	($before, $call) = ($_, $page{$_});
}
$n{mmap}{leaked_blocks} = $blocks;
for my $kind (sort keys %n) {
	print "$kind $_ $n{$kind}{$_}\n" for sort keys %{ $n{$kind} };
}
