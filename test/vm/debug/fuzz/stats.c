// SPDX-License-Identifier: GPL-2.0
/* The module's counters over all of its lives: which of its exits were reached. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

static struct counter {
	char name[40];
	unsigned long before, now;
} counters[128];
static int counter_count;

/*
 * What no frame reaches: an allocation fails, a control group refuses, a kernel without
 * IPv6, a port that leaves its bridge on another CPU, a device that refuses a header, what
 * came through IPsec, what a rule gave to a socket.
 */
static const char *const unreachable[] = {
	"learn_no_memory", "return_no_memory", "transmit_no_memory", "capture_no_memory",
	"gateway_no_memory", "transmit_cgroup", "return_no_family", "output_no_family",
	"capture_no_bridge", "transmit_no_header", "learn_no_ethernet", "return_not_forwarded",
};

/* Adds what the present life has counted; `last' where it ends. */
void stats_collect(bool last)
{
	FILE *file = fopen("/proc/net/gwmark/stats", "r");
	char name[40];
	unsigned long value;
	int i = 0;

	if (!file)
		return;
	if (fscanf(file, "gwmark %lu", &value) != 1)
		value = 0;
	for (; i < 128 && fscanf(file, "%39s %lu", name, &value) == 2; i++) {
		strcpy(counters[i].name, name);
		counters[i].now = value;
	}
	counter_count = i > counter_count ? i : counter_count;
	fclose(file);
	for (i = 0; last && i < counter_count; i++) {
		counters[i].before += counters[i].now;
		counters[i].now = 0;
	}
}

static unsigned long total(const struct counter *counter)
{
	return counter->before + counter->now;
}

static bool is_reachable(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(unreachable) / sizeof(*unreachable); i++)
		if (!strcmp(name, unreachable[i]))
			return false;
	return true;
}

int stats_reached(void)
{
	int reached = 0, i;

	for (i = 0; i < counter_count; i++)
		reached += total(&counters[i]) != 0;
	return reached;
}

/* Prints all; returns how many were not reached that frames can reach. */
int stats_report(void)
{
	int missed = 0, i;

	for (i = 0; i < counter_count; i++) {
		printf("# %-24s %lu\n", counters[i].name, total(&counters[i]));
		missed += !total(&counters[i]) && is_reachable(counters[i].name);
	}
	printf("# not reached:");
	for (i = 0; i < counter_count; i++)
		if (!total(&counters[i]))
			printf(" %s%s", counters[i].name, is_reachable(counters[i].name) ? "(!)" : "");
	printf("\n");
	return missed;
}
