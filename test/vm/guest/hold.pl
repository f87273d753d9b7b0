# SPDX-License-Identifier: GPL-2.0
# perl hold.pl QUEUE FILE: keeps what NFQUEUE gives it, and writes to FILE how many packets
# that were. SIGUSR1: lets all of them go, and ends. What it holds when it ends is dropped.
use strict;
use warnings;
use IO::Handle;
use Socket;

my ($queue, $file) = @ARGV;
my ($netfilter, $subsystem) = (12, 3 << 8);
my ($packet, $verdict, $config) = ($subsystem, $subsystem | 1, $subsystem | 2);
my (@held, $total);

socket(my $socket, 16, SOCK_RAW, $netfilter) or die "NETLINK_NETFILTER: $!\n";

# ask(TYPE, ATTRIBUTE, DATA): one request with one attribute.
sub ask {
	my ($type, $attribute, $data) = @_;
	my $body = pack('CCn SS a*', 0, 0, $queue, 4 + length $data, $attribute, $data);
	$body .= "\0" x (-length($body) % 4);
	syswrite $socket, pack('LSSLL', 16 + length $body, $type, 1, 0, 0) . $body or die "$!\n";
}

ask($config, 1, pack('CCn', 1, 0, 0));	# bind
ask($config, 2, pack('NC', 0, 1));	# nothing of the packet itself
$SIG{USR1} = sub {
	ask($verdict, 2, pack('NN', 1, shift @held)) while @held;
	exit;
};
$total = 0;
while (1) {
	my $answer;
	open my $out, '>', "$file.new" or die "$file.new: $!\n";
	print $out "$total\n";
	close $out;
	rename "$file.new", $file;
	defined sysread $socket, $answer, 1 << 16 or redo;
	while (length $answer >= 16) {
		my ($length, $type) = unpack 'LS', $answer;
		# the first attribute is the packet's number, hook and protocol
		if ($type == $packet) {
			push @held, unpack 'N', substr $answer, 24;
			$total++;
		}
		substr($answer, 0, ($length + 3) & ~3) = '';
	}
}
