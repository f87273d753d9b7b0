# SPDX-License-Identifier: GPL-2.0
# perl refuse-egress.pl CGROUP: no socket of that control group (version 2) sends any more.
# A BPF program of two instructions, loaded and attached by bpf(2); x86_64.
use strict;
use warnings;
use Fcntl;

my ($bpf, $load, $attach, $cgroup_skb, $egress) = (321, 5, 8, 8, 1);
# r0 = 0; exit
my $code = pack('CCsl CCsl', 0xb7, 0, 0, 0, 0x95, 0, 0, 0);
my $licence = "GPL\0";
my $attributes = pack('LL p p LL Q LL a16 LL', $cgroup_skb, 2, $code, $licence, 0, 0, 0, 0, 0, '', 0, $egress);
my $program = syscall($bpf, $load, $attributes, length $attributes);
die "BPF_PROG_LOAD: $!\n" if $program < 0;
sysopen(my $group, $ARGV[0], O_RDONLY) or die "$ARGV[0]: $!\n";
$attributes = pack('LLLL', fileno $group, $program, $egress, 0);
die "BPF_PROG_ATTACH: $!\n" if syscall($bpf, $attach, $attributes, length $attributes) < 0;
