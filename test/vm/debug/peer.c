// SPDX-License-Identifier: GPL-2.0
/*
 * What guest/peer.mjs does, where node does not run: peer READY-FILE WHAT:PORT...
 * A process for each socket, and one for each connection.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 16];

static int open_socket(int family, int type, int port)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(family, type, 0), on = 1;

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (family == AF_INET6 ? bind(fd, (struct sockaddr *)&any6, sizeof(any6)) :
				 bind(fd, (struct sockaddr *)&any4, sizeof(any4)))
		err(1, "bind to port %d", port);
	if (type == SOCK_STREAM && listen(fd, 64))
		err(1, "listen");
	return fd;
}

/* Goes on in a child, which ends with its parent. */
static int child(void)
{
	int pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	return pid == 0;
}

static void speak(int fd, const struct sockaddr *to, socklen_t length)
{
	int count;

	for (count = 1; count <= 6000; count++) {
		int size = snprintf(buffer, sizeof(buffer), "%d\n", count);

		sendto(fd, buffer, size, 0, to, length);
		usleep(100000);
	}
	exit(0);
}

static void serve_udp(int fd, const char *what, long size)
{
	struct sockaddr_storage from;
	socklen_t length;
	ssize_t got;

	for (;;) {
		length = sizeof(from);
		got = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length);
		if (got < 0)
			continue;
		if (!strcmp(what, "speak")) {
			if (child())
				speak(fd, (struct sockaddr *)&from, length);
			continue;
		}
		if (!strcmp(what, "sized")) {
			memset(buffer, 'x', size);
			got = size;
		}
		sendto(fd, buffer, got, 0, (struct sockaddr *)&from, length);
	}
}

static void serve_tcp(int fd, const char *what, long size)
{
	ssize_t got;
	int peer;

	for (;;) {
		peer = accept(fd, NULL, NULL);
		if (peer < 0)
			continue;
		if (child()) {
			if (!strcmp(what, "echo"))
				while ((got = read(peer, buffer, sizeof(buffer))) > 0)
					if (write(peer, buffer, got) != got)
						break;
			memset(buffer, 'x', sizeof(buffer));
			for (; !strcmp(what, "source") && size > 0; size -= got) {
				got = write(peer, buffer, size < (long)sizeof(buffer) ? size :
							  (long)sizeof(buffer));
				if (got <= 0)
					break;
			}
			shutdown(peer, SHUT_WR);
			while (read(peer, buffer, sizeof(buffer)) > 0)
				;
			exit(0);
		}
		close(peer);
	}
}

static void serve(const char *spec)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char what[16] = "";
	long port = 0, size = 300000;
	int i, fd;

	if (sscanf(spec, "%15[a-z]:%ld:%ld", what, &port, &size) < 2)
		errx(64, "%s: expected WHAT:PORT", spec);
	if (!strcmp(what, "sized"))
		size = port;
	for (i = 0; i < 2; i++) {
		if (strcmp(what, "source")) {
			fd = open_socket(families[i], SOCK_DGRAM, port);
			if (child())
				serve_udp(fd, what, size);
		}
		if (!strcmp(what, "echo") || !strcmp(what, "source")) {
			fd = open_socket(families[i], SOCK_STREAM, port);
			if (child())
				serve_tcp(fd, what, size);
		}
	}
}

int main(int argc, char **argv)
{
	int i;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (i = 2; i < argc; i++)
		serve(argv[i]);
	if (argc < 3 || creat(argv[1], 0644) < 0)
		err(1, "usage: peer READY-FILE WHAT:PORT...");
	for (;;)
		pause();
}
