// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz SECONDS SEED COMMANDS MODULE: frames at random through a namespace in which the
 * module is at work, with commands, devices that flap, and rules, routes and the module
 * itself that change under way (COMMANDS: shell commands, one a line).
 * fuzz fail SEED COMMANDS MODULE: each allocation on the paths of some frames and commands
 * fails once.
 *
 * $LAB_LINK_UP is a program that gives a device its addresses: fuzz.sh.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int fuzz(double length, uint64_t seed)
{
	double begin = seconds(), said = begin;
	unsigned long frames = 0, out = 0, disturbed = 0;
	int missed;

	while (seconds() - begin < length) {
		if (one_in(16))
			neighbour_send();
		else
			packet_send();
		frames++;
		if (frames % 16 == 0)
			out += links_drain();
		if (one_in(8))
			sockets_answer();
		if (one_in(32))
			sockets_ask();
		if (one_in(40))
			command_random();
		if (one_in(100)) {
			disturb();
			disturbed++;
		}
		if (seconds() - said > 30) {
			said = seconds();
			stats_collect(false);
			printf("# %.0f s: %lu frames in, %lu out, %lu disturbances, %d exits\n",
			       said - begin, frames, out, disturbed, stats_reached());
			fflush(stdout);
		}
	}
	stats_collect(false);
	missed = stats_report();
	printf("ok - seed %llu: %lu frames in, %lu out, %lu disturbances\n",
	       (unsigned long long)seed, frames, out, disturbed);
	printf("# %d exits that frames can reach were not reached\n", missed);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t seed;

	if (argc != 5) {
		fprintf(stderr, "usage: fuzz SECONDS SEED COMMANDS MODULE\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	seed = strtoull(argv[2], NULL, 0);
	random_seed(seed);
	disturbances_read(argv[3]);
	module_path = argv[4];
	flows_renew(FLOWS_MAX);
	links_open();
	sockets_open();
	if (!strcmp(argv[1], "fail"))
		return fail_everywhere();
	printf("# seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	return fuzz(atof(argv[1]), seed);
}
