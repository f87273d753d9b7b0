// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation on the paths of some frames and commands fails once: the same frames come
 * repeatedly, and each time it is the next allocation that fails (fail-nth of the kernel's
 * fault injection), until none is left to fail.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "fuzz.h"

enum {
	SEEDS = 6,	/* scenarios of frames */
	FRAMES = 12,	/* in each */
	FLOWS = 3,
};

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

/* This task's fail-nth, open: to open it takes memory, too. */
static int nth = -1;

static void nth_open(void)
{
	if (nth >= 0)
		close(nth);
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		err(1, "fail-nth");
}

/* The n-th allocation of this task from now on fails; 0: none. */
static void fail_at(int n)
{
	char text[16];
	int length = sprintf(text, "%d", n);

	if (pwrite(nth, text, length, 0) != length)
		err(1, "fail-nth");
}

/* Is it still to come? Then there were not so many. */
static bool to_come(void)
{
	char text[16] = "";

	if (pread(nth, text, sizeof(text) - 1, 0) < 0)
		err(1, "fail-nth");
	fail_at(0);
	return atoi(text) != 0;
}

static void conntrack_flush(void)
{
	struct {
		struct nlmsghdr head;
		struct nfgenmsg message;
	} request = {
		.head.nlmsg_len = sizeof(request),
		.head.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
		.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
	};
	char answer[256];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 ||
	    recv(fd, answer, sizeof(answer), 0) < 0)
		err(1, "conntrack");
	close(fd);
}

static void frames(int seed)
{
	int i;

	random_seed(seed);
	flows_renew(FLOWS);
	for (i = 0; i < FRAMES; i++) {
		if (one_in(8))
			neighbour_send();
		else
			packet_send();
		sockets_answer();
		if (one_in(4))
			sockets_ask();
	}
}

static void commands(int seed)
{
	random_seed(seed);
	command_random();
}

static void enable(int seed)
{
	(void)seed;
	control("enable");
}

/* Runs it until no allocation of it is left to fail; returns how many there were. */
static int each(void (*what)(int), int seed, bool enabled)
{
	int n = 1;

	for (;; n++) {
		links_drain();
		control(enabled ? "enable" : "disable");
		control("flush");
		conntrack_flush();
		fail_at(n);
		what(seed);
		if (to_come())
			return n - 1;
	}
}

static void each_seed(const char *name, void (*what)(int), bool enabled, int seeds)
{
	int seed, count = 0;

	for (seed = 0; seed < seeds; seed++)
		count += each(what, seed, enabled);
	printf("%sok - %s without memory: each of %d allocations failed\n",
	       count ? "" : "not ", name, count);
	fflush(stdout);
}

int fail_everywhere(void)
{
	nth_open();
	/* also those that may sleep; without a stack for each in the log */
	write_to("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	write_to("/sys/kernel/debug/failslab/verbose", "0");
	/* some are too large for the wire, and are cut or refused */
	run("ip link set lan0 mtu 1280");
	listener_toggle();
	each_seed("enable", enable, false, 1);
	each_seed("commands", commands, true, 40);
	each_seed("frames", frames, true, SEEDS);
	stats_collect(false);
	stats_report();
	return 0;
}
