// SPDX-License-Identifier: GPL-2.0
/* Numbers at random, the same for the same seed (splitmix64); sums of RFC 1071. */
#include "fuzz.h"

static uint64_t state;

void random_seed(uint64_t seed)
{
	state = seed;
}

static uint64_t next(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint32_t below(uint32_t bound)
{
	return next() % bound;
}

bool one_in(uint32_t bound)
{
	return below(bound) == 0;
}

const void *pick(const void *items, size_t size, uint32_t count)
{
	return (const char *)items + size * below(count);
}

static uint32_t sum_add(const uint8_t *data, size_t length, uint32_t sum)
{
	size_t i;

	for (i = 0; i < length; i++)
		sum += i & 1 ? data[i] : data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* In the order of the network, as the other numbers that are stored bytewise. */
uint16_t sum_of(const uint8_t *data, size_t length, uint32_t start)
{
	return ~sum_add(data, length, start);
}

uint32_t sum_pseudo(const uint8_t *source, const uint8_t *destination, int size,
		    size_t length, int protocol)
{
	uint32_t sum = sum_add(source, size, protocol);

	sum = sum_add(destination, size, sum);
	return sum + (length >> 16) + (length & 0xffff);
}
