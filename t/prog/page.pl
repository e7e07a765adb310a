# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads a page of ht-html and prints its data as one JSON object: the page's
# own, with `columns` an object of arrays of numbers. Knows nothing but
# ht-html/README.md.
#
#	perl page.pl page.html >data.json
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);

sub page_data {
	my ($file) = @_;
	open my $in, '<:raw', $file or die "$file: $!\n";
	my $page = do { local $/; <$in> };
	my @data = $page =~
	    m{<script [^>]*id="ht-data"[^>]*>([A-Za-z0-9+/=]*)</script>}g;
	die "$file: not one place with data\n" unless @data == 1;
	my $packed = decode_base64($data[0]);
	my $plain;
	gunzip(\$packed => \$plain) or die "$file: $GunzipError\n";
	$plain =~ s/^ht-html 1 (\d+)\n// or die "$file: no data of ht-html\n";
	my $d = JSON::PP->new->utf8->decode(substr $plain, 0, $1);
	my $bytes = substr $plain, $1;
	$bytes =~ s/^\n// or die "$file: the JSON has no end\n";
	my %column;
	my $end = 0;
	for my $name (keys %{$d->{columns}}) {
		my ($coding, $at, $len, $count) = @{$d->{columns}{$name}};
		$end = $at + $len if $at + $len > $end;
		my @v = map { leb($_) } substr($bytes, $at, $len) =~
		    /([\x80-\xff]*[\x00-\x7f])/g;
		die "$file: $name: $count values are said, @{[scalar @v]} are there\n"
		    unless @v == $count;
		if ($coding eq 's' || $coding eq 'd') {
			$_ = $_ & 1 ? -($_ >> 1) - 1 : $_ >> 1 for @v;
		} elsif ($coding ne 'u') {
			die "$file: $name: coding $coding\n";
		}
		if ($coding eq 'd') {
			my $last = 0;
			$last = $_ += $last for @v;
		}
		$column{$name} = \@v;
	}
	die "$file: bytes behind the columns\n" if $end != length $bytes;
	$d->{columns} = \%column;
	return $d;
}

sub leb {
	my ($v, $shift) = (0, 0);
	for (unpack 'C*', $_[0]) {
		$v |= ($_ & 127) << $shift;
		$shift += 7;
	}
	return $v;
}

print JSON::PP->new->utf8->canonical->encode(page_data($ARGV[0])), "\n"
    unless caller;
1;
