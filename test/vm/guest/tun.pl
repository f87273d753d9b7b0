# SPDX-License-Identifier: GPL-2.0
# perl tun.pl DEVICE < LINES: makes a tun device; each line is a packet that it brings, "N HEX":
# its first N bytes in one piece, the rest in pages, if it is longer than a page.
use strict;
use warnings;
use Fcntl;

sysopen my $tun, '/dev/net/tun', O_RDWR or die "/dev/net/tun: $!\n";
# TUNSETIFF; IFF_TUN, IFF_NO_PI, IFF_VNET_HDR
ioctl $tun, 0x400454ca, pack('a16Sx22', $ARGV[0], 0x5001) or die "$ARGV[0]: $!\n";
while (my $line = <STDIN>) {
	my ($head, $hex) = split ' ', $line;
	syswrite $tun, pack('CCSSSS', 0, 0, $head, 0, 0, 0) . pack('H*', $hex) or die "$ARGV[0]: $!\n";
}
