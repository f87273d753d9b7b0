/* SPDX-License-Identifier: GPL-2.0 */
/* A packet while it is made: packet.c has the headers of IP, transport.c what is behind. */
#ifndef PACKET_H
#define PACKET_H

#include "fuzz.h"

/* A flow; few of them, so that questions, answers and errors meet in one entry. */
struct flow {
	int family;
	uint8_t protocol;
	char side;	/* who begins: h(ost), c(lient); l: host, with ep itself */
	uint8_t host[ADDRESS_MAX], client[ADDRESS_MAX];
	uint16_t host_port, client_port;
};

struct packet {
	struct frame frame;
	size_t network;		/* where the IP header is */
	size_t transport;
	size_t size;		/* of addresses */
	const uint8_t *source, *destination;
	uint8_t protocol;
};

static inline void put16(uint8_t *to, uint16_t value)
{
	to[0] = value >> 8;
	to[1] = value;
}

static inline void put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value);
}

/* transport.c */
size_t transport_random(uint8_t *to, const struct flow *flow, bool answer,
			struct packet *packet);
void transport_finish(struct packet *packet, size_t length);

#endif /* PACKET_H */
