// SPDX-License-Identifier: GPL-2.0
/*
 * The devices: what is written to them is received at once, in this task. lan0 is the wire,
 * p1 and p2 are ports of the bridge br0, tun0 is the tunnel. And the sockets of this host.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_tun.h>

#include "fuzz.h"

static const char *const names[LINKS] = { "lan0", "p1", "p2", "tun0" };
static int links[LINKS];
static int listener = -1;	/* sees each frame, as tcpdump does: they are shared then */
static int sockets[4];	/* 1194, which answers, and 1195, which asks; each IPv4, IPv6 */
static uint8_t buffer[1 << 17];

/* A shell command; that it fails is no failure. */
void run(const char *format, ...)
{
	char command[512], whole[600];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof(command), format, list);
	va_end(list);
	snprintf(whole, sizeof(whole), "{ %s; } >/dev/null 2>&1 </dev/null", command);
	if (system(whole) < 0)
		err(1, "sh");
}

static void link_open(enum link link)
{
	struct ifreq request = { .ifr_flags = IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), size = 0;

	if (fd < 0)
		err(1, "/dev/net/tun");
	request.ifr_flags |= link == TUNNEL ? IFF_TUN | IFF_NO_PI : IFF_TAP | IFF_NO_PI;
	strcpy(request.ifr_name, names[link]);
	if (ioctl(fd, TUNSETIFF, &request))
		err(1, "%s", names[link]);
	/* what it takes uncut is cut elsewhere, or not at all */
	ioctl(fd, TUNSETOFFLOAD, one_in(3) ? 0 : TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	if (one_in(2)) {
		size = 1 << 20;
		ioctl(fd, TUNSETSNDBUF, &size);
	}
	links[link] = fd;
	run("\"$LAB_LINK_UP\" %s", names[link]);
}

void links_open(void)
{
	enum link link;

	for (link = 0; link < LINKS; link++)
		link_open(link);
}

/* The device goes, and another of its name comes. */
void link_reopen(enum link link)
{
	close(links[link]);
	link_open(link);
}

void link_carrier(enum link link, bool on)
{
	int value = on;

	ioctl(links[link], TUNSETCARRIER, &value);
}

void link_write(enum link link, const struct frame *frame)
{
	struct iovec parts[2] = {
		{ (void *)&frame->offload, sizeof(frame->offload) },
		{ (void *)frame->data, frame->length },
	};

	/* refused frames are those that no device could bring */
	if (writev(links[link], parts, 2) < 0 && errno == EBADFD)
		return;
}

unsigned long links_drain(void)
{
	unsigned long count = 0;
	enum link link;
	int i;

	while (listener >= 0 && recv(listener, buffer, sizeof(buffer), 0) >= 0)
		;
	for (link = 0; link < LINKS; link++)
		for (i = 0; i < 600 && read(links[link], buffer, sizeof(buffer)) > 0; i++)
			count++;
	return count;
}

void sockets_open(void)
{
	int i, on = 1;

	for (i = 0; i < 4; i++) {
		struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(1194 + i / 2) };
		struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(1194 + i / 2) };

		sockets[i] = socket(i % 2 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (i % 2)
			setsockopt(sockets[i], IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		if (i % 2 ? bind(sockets[i], (struct sockaddr *)&any6, sizeof(any6)) :
			    bind(sockets[i], (struct sockaddr *)&any4, sizeof(any4)))
			err(1, "port %d", 1194 + i / 2);
	}
}

/* Begins to listen to all frames, or ends it. */
void listener_toggle(void)
{
	if (listener < 0) {
		listener = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
		return;
	}
	close(listener);
	listener = -1;
}

/* How this host sends: path MTU, segmentation, hop limit, options. */
static void socket_options(int fd, bool ipv6)
{
	static const int ttls[] = { -1, 1, 64, 255 };
	int discover = below(6), segment = one_in(3) ? 100 + below(1400) : 0, ttl = PICK(ttls);
	uint8_t options[8] = { 1, 1, 1, 1, 148, 4, 0, 0 };

	setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	if (ipv6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover, sizeof(discover));
		setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl));
		return;
	}
	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
	setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, one_in(8) ? sizeof(options) : 0);
}

static size_t size_random(void)
{
	static const uint16_t sizes[] = { 0, 1, 100, 100, 1400, 1453, 1473, 4000 };
	static const uint16_t large[] = { 9000, 40000, 65000 };

	return one_in(16) ? PICK(large) : PICK(sizes);
}

void sockets_answer(void)
{
	struct sockaddr_storage from;
	socklen_t length;
	int i, count;

	for (i = 0; i < 4; i++)
		for (count = 0; count < 8; count++) {
			length = sizeof(from);
			if (recvfrom(sockets[i], buffer, sizeof(buffer), 0,
				     (struct sockaddr *)&from, &length) < 0)
				break;
			if (one_in(4))
				socket_options(sockets[i], i % 2);
			if (i < 2)
				sendto(sockets[i], buffer, size_random(), 0,
				       (struct sockaddr *)&from, length);
		}
}

void sockets_ask(void)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(30000 + below(6)) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = to6.sin6_port };
	static const char *const hosts4[] = { "10.1.0.9", "203.0.113.9", "10.9.0.9", "192.0.2.251", "10.8.0.9" };
	static const char *const hosts6[] = { "fd01::9", "2001:db8:3::9", "fd09::9", "2001:db8:2::251", "fd08::9" };
	int socket = below(4);

	inet_pton(AF_INET, hosts4[below(5)], &to4.sin_addr);
	inet_pton(AF_INET6, hosts6[below(5)], &to6.sin6_addr);
	socket_options(sockets[socket], socket % 2);
	if (socket % 2)
		sendto(sockets[socket], buffer, size_random(), 0, (struct sockaddr *)&to6, sizeof(to6));
	else
		sendto(sockets[socket], buffer, size_random(), 0, (struct sockaddr *)&to4, sizeof(to4));
}
