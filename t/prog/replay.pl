#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Replays a trace event by event: the brute-force oracle of the tests, written
# from ht-events(5) alone. Plain text only. Prints `name<TAB>value` lines
# (others_…: of blocks that other threads than the first allocated), and
#
#   --functions   function<TAB>NAME<TAB>allocations<TAB>frees<TAB>bytes, by the
#                 innermost frame (a symbolised trace)
#   --stacks      stack<TAB>ROOT;…;LEAF<TAB>allocations<TAB>frees<TAB>bytes
#   --peak        the same with the bytes each stack held at the peak
#   --strict      every record is checked: order, ids, fields, spacing
#   --all         traces that end in exec count too
#   --kind NAME   allocations of this kind, not those of the heap
#
# Exit status 1 and a message on stderr at the first thing that is wrong.

use strict;
use warnings;
no warnings 'portable';

my %opt;
while (@ARGV && $ARGV[0] =~ /^--(functions|stacks|peak|strict|all|kind)$/) {
	$opt{$1} = 1;
	shift @ARGV;
	$opt{kind} = shift @ARGV if $1 eq 'kind';
}
my $wanted = $opt{kind} // 'heap';
my $file = shift @ARGV // '-';
my $in;
if ($file eq '-') {
	$in = \*STDIN;
} else {
	open $in, '<', $file or die "replay: cannot open $file: $!\n";
}
binmode $in;

my (%sum, %id);
my (%by_function, %by_stack);
my @fields = qw(allocations frees temporary leaked leaked_blocks total_bytes
    peak peak_ms runtime_ms peak_rss lost cut threads unknown_frees doubles
    freed_by_others undone others_allocations others_frees);

# The trace being read.
my ($open, @size, @class_trace, @class_thread, @live, @t_ip, @t_parent, @s, @i,
    %cut, %addr, %last, $prev, $now, $ms, $pages, $end, $held, %held, $peak_at,
    %seen, %thread, %r, $symbolised, @allocs, @frees, $ours, $addresses,
    @said_temporary, %ghost, $serial, %kind, @class_kind,
    @over, $over); # usable beyond the size: of each class, of all that is live

sub bad {
	die "replay: $file:$.: $_[0]\n";
}

sub start {
	@size = @class_trace = @class_thread = @live = @allocs = @frees = ();
	@t_ip = @t_parent = @s = @i = (undef);
	%cut = %addr = %last = %thread = %seen = %ghost = %kind = ();
	@said_temporary = @class_kind = @over = ();
	$over = 0;
	%r = map { $_ => 0 } @fields;
	($prev, $now, $ms, $pages, $end, $held) = (-1, 0, 0, 4096, undef, 0);
	$symbolised = $ours = $addresses = 0;
	$thread{1} = 1;
	%held = ();
	$open = 1;
}

sub frame_names {
	my ($ip) = @_;
	return sprintf '%x', $ip unless $symbolised;
	my $i = $i[$ip] or bad("ip $ip of a trace is not defined");
	return @$i;
}

sub stack_of {
	my ($t) = @_;
	my @path;
	for (; $t; $t = $t_parent[$t]) {
		push @path, frame_names($t_ip[$t]);
	}
	return join ';', reverse @path;
}

sub finish {
	return unless $open;
	$open = 0;
	bad('no #E line') if $opt{strict} && !defined $end;
	if (defined $end && $end eq 'exec' && !$opt{all}) {
		$sum{launchers}++;
		return;
	}
	for my $c (grep { $class_kind[$_] eq $wanted } 0 .. $#size) {
		$r{allocations} += $allocs[$c];
		$r{frees} += $frees[$c];
		$r{total_bytes} += $allocs[$c] * $size[$c];
		$r{cut} += $allocs[$c] if $cut{$class_trace[$c]};
		if ($class_thread[$c] != 1) {
			$r{others_allocations} += $allocs[$c];
			$r{others_frees} += $frees[$c];
		}
		$r{leaked} += $live[$c] * $size[$c];
		$r{rounding_leaked} += $live[$c] * $over[$c];
		$r{leaked_blocks} += $live[$c];
	}
	$r{threads} = keys %thread;
	$r{runtime_ms} = $ms;
	$sum{$_} += $r{$_} for @fields;
	$sum{$_} += $r{$_} // 0 for qw(rounding rounding_leaked);
	$sum{traces}++;
	$sum{end} = $end // 'none';
	$sum{symbolised} = $symbolised;
	$sum{classes} += @size;
	$sum{nodes} += $#t_ip;
	$sum{addresses} = $addresses;
	if ($opt{functions}) {
		for my $c (grep { $class_kind[$_] eq $wanted } 0 .. $#size) {
			my $t = $class_trace[$c];
			my $name = $t ? (frame_names($t_ip[$t]))[0] : '?';
			my $f = $by_function{$name} //= [ 0, 0, 0, 0 ];
			$f->[0] += $allocs[$c];
			$f->[1] += $frees[$c];
			$f->[2] += $allocs[$c] * $size[$c];
			$f->[3] += $held{$c} // 0;
		}
	}
	if ($opt{stacks} || $opt{peak}) {
		for my $c (grep { $class_kind[$_] eq $wanted } 0 .. $#size) {
			my $f = $by_stack{stack_of($class_trace[$c])} //=
			    [ 0, 0, 0, 0 ];
			$f->[0] += $allocs[$c];
			$f->[1] += $frees[$c];
			$f->[2] += $allocs[$c] * $size[$c];
			$f->[3] += $held{$c} // 0;
		}
	}
}

sub number {
	my ($text) = @_;
	bad("'$text' is no number")
	    unless $text =~ /^(?:0|[1-9a-f][0-9a-f]{0,15})$/;
	return hex $text;
}

sub sized {
	my ($text) = @_;
	my ($len, $rest) = $text =~ /^([0-9a-f]+) (.*)$/s
	    or bad("'$text' is no sized string");
	$len = number($len);
	bad("a string of $len bytes ends early") if length $rest < $len;
	my $s = substr $rest, 0, $len;
	$rest = substr $rest, $len;
	bad("no space behind a string") if length $rest && $rest !~ s/^ //;
	return ($s, $rest);
}

while (my $line = <$in>) {
	bad('the last line is cut') unless chomp $line;
	my $kind = substr $line, 0, 1;
	# The common events without fields, the same as below in short.
	if ($kind eq '+' && $line =~ /^\+ ([0-9a-f]+)$/ && !$opt{peak}) {
		my $c = $id{$1} //= number($1);
		bad("class $c is not defined") unless $c <= $#size;
		bad('an event behind #E') if defined $end;
		$live[$c]++;
		$allocs[$c]++;
		$prev = $c;
		next if $class_kind[$c] ne $wanted;
		$now += $size[$c];
		$over += $over[$c];
		if ($now > $r{peak}) {
			$r{peak} = $now;
			$r{peak_ms} = $ms;
			$r{rounding} = $over;
		}
	} elsif ($kind eq '-' && $line =~ /^- ([0-9a-f]+)$/) {
		my $c = $id{$1} //= number($1);
		bad("class $c is not defined") unless $c <= $#size;
		bad("class $c has no live block") unless $live[$c];
		bad('an event behind #E') if defined $end;
		$live[$c]--;
		$frees[$c]++;
		$said_temporary[$c] = $prev == $c ? 1 : 0;
		$prev = -1;
		next if $class_kind[$c] ne $wanted;
		$now -= $size[$c];
		$over -= $over[$c];
		$r{temporary} += $said_temporary[$c];
	} elsif ($kind eq '+' || $kind eq '-') {
		my ($c, $more) = $line =~ /^[+-] ([0-9a-f]+)(?: (.*))?$/
		    or bad("strange event '$line'");
		$c = number($c);
		bad("class $c is not defined") unless $c <= $#size;
		bad('an event behind #E') if defined $end;
		my %f;
		for (split / /, $more // '') {
			if (/^([ow@])([0-9a-f]+)$/) {
				$f{$1} = number($2);
			} elsif (/^[xt]$/) {
				$f{$_} = 1;
			} else {
				bad("strange field '$_'") if $opt{strict};
			}
		}
		# Kinds know nothing of each other: an address may be a block
		# of each, and what is next is the next of this kind.
		my $kind_is = $class_kind[$c];
		my $ours = $kind_is eq $wanted ? 1 : 0;
		$f{'@'} .= " $kind_is" if exists $f{'@'};
		my $by = "$class_thread[$c] $kind_is";
		if ($kind eq '+') {
			$live[$c]++;
			$allocs[$c]++;
			$now += $size[$c] if $ours;
			$over += $over[$c] if $ours;
			if ($now > $r{peak}) {
				$r{peak} = $now;
				$r{peak_ms} = $ms;
				$r{rounding} = $over;
				# What each class holds now, wanted by --peak
				# only.
				%held = map { $_ => $live[$_] * $size[$_] }
				    grep { $live[$_] } 0 .. $#size
				    if $opt{peak};
			}
			if (exists $f{'@'}) {
				$addresses++;
				bad("address $f{'@'} is still live") if exists $addr{$f{'@'}};
				$addr{$f{'@'}} = [ $c, $ms, 0, ++$serial ];
				$last{$by} = $serial;
			}
			$prev = $c;
		} else {
			bad("class $c has no live block") unless $live[$c];
			$live[$c]--;
			$frees[$c]++;
			$now -= $size[$c] if $ours;
			$over -= $over[$c] if $ours;
			my $rule = $prev == $c;
			my $temporary = ($rule && !$f{x}) || $f{t} ? 1 : 0;
			bad('x where the rule would say no anyway')
			    if $f{x} && !$rule && $opt{strict};
			bad('t where the rule would say yes anyway')
			    if $f{t} && $rule && $opt{strict};
			$r{temporary} += $temporary if $ours;
			$said_temporary[$c] = $temporary;
			$by = "$f{w} $kind_is" if exists $f{w};
			bad('w names the allocating thread')
			    if $opt{strict} && exists $f{w} &&
			    $f{w} == $class_thread[$c];
			$r{freed_by_others}++ if exists $f{w} && $ours;
			if (exists $f{'@'}) {
				my $b = delete $addr{$f{'@'}};
				bad("address $f{'@'} is not live") unless $b;
				$ghost{$f{'@'}} =
				    [ @$b[0, 1], $temporary, $b->[3], $by,
				    $last{$by} ];
				bad("the block there is of class $b->[0]")
				    if $b->[0] != $c;
				my $truly = defined $last{$by} &&
				    $last{$by} == $b->[3] ? 1 : 0;
				bad("temporary: said $temporary, is $truly")
				    if $truly != $temporary;
				delete $last{$by};
				# A block's age is told in whole ticks.
				my $age = $ms - $b->[1];
				bad("age $age, said " . ($f{o} // 'none'))
				    if $age != ($f{o} // 0);
			}
			$prev = -1;
		}
	} elsif ($kind eq 'c') {
		my $t = number(substr $line, 2);
		bad('time runs backwards') if $t < $ms;
		$ms = $t;
	} elsif ($kind eq 'R') {
		my ($rss) = $line =~ /^R ([0-9a-f]+)(?: m[0-9a-f]+)?$/
		    or bad('strange resident set');
		$rss = number($rss) * $pages;
		$r{peak_rss} = $rss if $rss > $r{peak_rss};
	} elsif ($kind eq 'a') {
		my @f = split / /, $line;
		my $t = number($f[2]);
		bad("trace $t is not defined") if $t > $#t_ip;
		push @size, number($f[1]);
		push @over, $f[-1] =~ /^u(.*)/ ? number($1) - $size[-1] : 0;
		push @class_trace, $t;
		push @class_kind, $kind{$t} // 'heap';
		$kind{$t} //= 'heap';
		my $thread = 1;
		$thread = number($f[3]) if defined $f[3] && $f[3] !~ /^u/;
		bad("thread $thread was not introduced")
		    if $opt{strict} && !$thread{$thread};
		push @class_thread, $thread;
		push @live, 0;
		push @allocs, 0;
		push @frees, 0;
		if ($opt{strict}) {
			bad('this class is there already')
			    if $seen{"$f[1] $t $thread"}++;
		}
	} elsif ($kind eq 't') {
		my (undef, $ip, $parent) = split / /, $line;
		$ip = number($ip);
		$parent = number($parent);
		bad("parent $parent is not defined") if $parent > $#t_ip;
		bad("ip $ip is not defined")
		    if $symbolised && !defined $i[$ip];
		push @t_ip, $ip;
		push @t_parent, $parent;
	} elsif ($kind eq 's') {
		my ($text, $rest) = sized(substr $line, 2);
		bad('text behind a string') if length $rest;
		bad("'$text' is interned twice") if $opt{strict} &&
		    $seen{"s$text"}++;
		$symbolised = 1;
		push @s, $text;
	} elsif ($kind eq 'i') {
		my @f = map { number($_) } split / /, substr $line, 2;
		my ($ip, $module) = splice @f, 0, 2;
		my @names;
		for (my $k = 0; $k < @f; $k += 3) {
			bad("string $f[$k] is not defined") if $f[$k] > $#s;
			push @names, $f[$k] ? $s[$f[$k]] : sprintf '?%x', $ip;
		}
		@names = sprintf '?%x', $ip unless @names;
		bad("module $module is not defined") if ($module // 0) > $#s;
		$symbolised = 1;
		push @i, \@names;
	} elsif ($kind eq 'v') {
		my ($tool, $format) = $line =~ /^v ([0-9a-f]+) ([0-9a-f]+)$/
		    or bad("strange version '$line'");
		bad("format $format") if $format ne '3';
		finish();
		start();
	} elsif ($kind eq 'I') {
		my (undef, $p) = split / /, $line;
		$pages = number($p);
	} elsif ($kind eq '#') {
		my $letter = substr $line, 1, 1;
		my $rest = length $line > 3 ? substr $line, 3 : '';
		if ($letter eq 'E') {
			bad('a second #E') if defined $end;
			$end = $rest;
			bad("#E '$end'") unless $end =~
			    /^(exit [0-9a-f]+|signal [0-9a-f]+|exec|detached|stopped)$/;
		} elsif ($letter eq 'C') {
			$cut{number($rest)} = 1;
		} elsif ($letter eq 'K') {
			my ($n, $text) = split / /, $rest, 2;
			$n = number($n);
			bad("trace $n is not defined") if !$n || $n > $#t_ip;
			bad('a kind without a name') unless length $text;
			bad("trace $n has allocations already") if $kind{$n};
			$kind{$n} = $text;
		} elsif ($letter eq 'L') {
			$r{lost} += number($rest);
		} elsif ($letter eq 'F') {
			# The last free of this class did not happen: its
			# realloc failed.
			my ($n, $at) = split / @/, $rest;
			my $c = number($n);
			bad("class $c is not defined") unless $c <= $#size;
			bad("class $c has no free to undo")
			    unless $frees[$c] && defined $said_temporary[$c];
			my $ours = $class_kind[$c] eq $wanted ? 1 : 0;
			$r{undone} += $ours;
			$frees[$c]--;
			$live[$c]++;
			$now += $size[$c] if $ours;
			my $temporary = $said_temporary[$c];
			if (defined $at) {
				$at = number($at) . " $class_kind[$c]";
				my $b = delete $ghost{$at} or
				    bad("nothing died at $at");
				bad("what died there was of class $b->[0]")
				    if $b->[0] != $c;
				bad("address $at is live")
				    if exists $addr{$at};
				$addr{$at} = $b;
				$temporary = $b->[2];
				# What the thread did last it did before that.
				$last{$b->[4]} = $b->[5]
				    unless defined $last{$b->[4]};
			}
			$r{temporary} -= $temporary if $ours;
			$prev = -1;
		} elsif ($letter eq 'U') {
			$r{unknown_frees} += number($rest);
		} elsif ($letter eq 'D') {
			$r{doubles} += number($rest);
		} elsif ($letter eq 'T') {
			my ($n) = split / /, $rest;
			$thread{number($n)} = 1;
		} elsif ($letter eq 'H') {
			my ($tool) = sized($rest);
			$ours = 1 if $tool =~ /^ht-record /;
		} elsif ($letter eq 'P') {
			my ($pid) = split / /, $rest;
			$sum{pid} = number($pid);
		}
	} elsif ($kind eq 'x' || $kind eq 'm' || $kind eq 'X' || $kind eq 'A' ||
	    $kind eq 'S') {
		if ($kind eq 'm' && $opt{strict} && $line ne 'm 1 -') {
			my ($path, $rest) = sized(substr $line, 2);
			my @n = map { number($_) } split / /, $rest;
			bad('a module needs a bias and pairs') if @n % 2 != 1;
		}
	} else {
		bad("strange line '$line'");
	}
	bad('no v line before') unless $open;
}
finish();
bad('no trace at all') unless $sum{traces} || $sum{launchers};

print "$_\t", $sum{$_} // 0, "\n"
    for @fields, qw(traces launchers classes nodes addresses symbolised pid);
# Like ht-top: only where it is something.
for (qw(rounding rounding_leaked)) {
	print "$_\t$sum{$_}\n" if $sum{$_};
}
print "end\t", $sum{end} // 'none', "\n";
if ($opt{functions}) {
	for (sort keys %by_function) {
		my $f = $by_function{$_};
		print join("\t", 'function', $_, @$f), "\n";
	}
}
if ($opt{stacks} || $opt{peak}) {
	for (sort keys %by_stack) {
		my $f = $by_stack{$_};
		print join("\t", 'stack', $_, @$f), "\n";
	}
}
