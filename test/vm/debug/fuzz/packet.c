// SPDX-License-Identifier: GPL-2.0
/* Packets of some flows, in both directions: usual ones, and all kinds of others. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

/* Those that are under way; one in 50 packets belongs to a new one. */
static struct flow flows[FLOWS_MAX];
static uint32_t flow_count;

static void flow_random(struct flow *flow)
{
	static const char *const hosts4[] = { "10.1.0.9", "10.2.0.9", "203.0.113.9", "192.0.2.251",
		"127.0.0.9", "0.0.0.0", "224.0.0.9", "10.9.0.9", "192.0.2.2", "255.255.255.255" };
	static const char *const hosts6[] = { "fd01::9", "fd02::9", "2001:db8:3::9",
		"2001:db8:2::251", "::1", "::", "ff0e::9", "fd09::9", "fe80::9", "2001:db8:2::2" };
	/* clients with a source that nobody forwards */
	static const char *const liars[] = { "192.0.2.2", "127.0.0.8", "10.9.0.9" };
	static const uint8_t protocols[] = { 6, 17, 17, 6, 1, 1, 132, 33, 47, 50, 51, 253 };
	/* the later ones are seldom */
	uint32_t host = one_in(8) ? below(10) : below(3), client = below(4);
	char text[32];

	memset(flow, 0, sizeof(*flow));
	flow->family = one_in(2) ? AF_INET : AF_INET6;
	flow->protocol = PICK(protocols);
	if (flow->protocol == 1 && flow->family == AF_INET6)
		flow->protocol = 58;
	flow->side = "hhhcl"[below(5)];
	flow->host_port = 30000 + below(6);
	flow->client_port = one_in(2) ? 7 : 21 + below(3);
	if (flow->side == 'l') {
		flow->client_port = 1194 + below(2);
		if (flow->family == AF_INET)
			inet_pton(AF_INET, one_in(3) ? "10.8.0.1" : "192.0.2.2", flow->client);
		else
			inet_pton(AF_INET6, one_in(3) ? "fd08::1" : "2001:db8:2::2", flow->client);
	} else {
		strcpy(text, flow->family == AF_INET ? "10.8.0.9" : "fd08::9");
		text[strlen(text) - 1] = '6' + client;
		if (flow->family == AF_INET && one_in(12))
			strcpy(text, PICK(liars));
		inet_pton(flow->family, text, flow->client);
	}
	inet_pton(flow->family, flow->family == AF_INET ? hosts4[host] : hosts6[host], flow->host);
}

/* Headers between IPv6's and the transport. Returns their length; *next is the first. */
static size_t extensions_random(uint8_t *to, uint8_t *next)
{
	static const uint8_t types[] = { 60, 60, 43, 44, 51, 135, 0, 254 };
	size_t length = 0, size;
	uint8_t *link = next, last = *next, type;
	int count = one_in(6) ? 1 + below(4) : 0, i;

	for (i = 0; i < count; i++) {
		type = i == 0 && one_in(4) ? 0 : PICK(types);
		size = type == 44 ? 8 : 8 * (1 + below(6));
		memset(to + length, 0, size);
		if (type == 0 || type == 60) {
			/* one option that fills it: PadN, router alert, jumbo, unknown */
			static const uint8_t options[] = { 1, 1, 5, 0xc2, 0x1e, 0xde };

			to[length + 2] = PICK(options);
			to[length + 3] = one_in(8) ? below(256) : size - 4;
		} else if (type == 43) {
			to[length + 2] = below(5);
			to[length + 3] = below(3);
		} else if (type == 44) {
			put16(to + length + 2, one_in(4) ? below(65536) : one_in(2));
			put32(to + length + 4, below(8));
		}
		to[length + 1] = type == 44 ? 0 : type == 51 ? size / 4 - 2 : size / 8 - 1;
		*link = type;
		link = to + length;
		*link = last;
		length += size;
	}
	return length;
}

static void packet_random(struct packet *packet, const struct flow *flow, bool answer,
			  size_t network)
{
	static const uint8_t ttls[] = { 64, 64, 64, 64, 255, 2, 1, 0 };
	uint8_t *ip = packet->frame.data + network, *transport;
	size_t header, length;

	packet->network = network;
	packet->size = flow->family == AF_INET ? 4 : 16;
	packet->source = answer ? flow->client : flow->host;
	packet->destination = answer ? flow->host : flow->client;
	packet->protocol = flow->protocol;
	if (flow->family == AF_INET) {
		header = 20 + (one_in(16) ? 4 * below(11) : 0);
		memset(ip, 0, header);
		if (header > 20) {
			/* no operation, record route, source route, router alert */
			static const uint8_t options[] = { 1, 7, 131, 148, 68, 0 };

			ip[20] = PICK(options);
			ip[21] = header - 20;
			ip[22] = 4;
		}
	} else {
		header = 40;
		memset(ip, 0, header);
	}
	/* the transport first: it may be an error about the flow */
	transport = ip + header + 256;
	length = transport_random(transport, flow, answer, packet);
	if (flow->family == AF_INET) {
		ip[0] = 0x40 | header / 4;
		ip[1] = one_in(8) ? below(256) : 0;
		put16(ip + 2, header + length);
		put16(ip + 4, below(16));
		put16(ip + 6, one_in(2) ? 0x4000 : 0);
		ip[8] = PICK(ttls);
		ip[9] = packet->protocol;
		memcpy(ip + 12, packet->source, 4);
		memcpy(ip + 16, packet->destination, 4);
		put16(ip + 10, 0);
		put16(ip + 10, sum_of(ip, header, 0));
	} else {
		size_t extra;

		ip[6] = packet->protocol;
		extra = extensions_random(ip + header, ip + 6);
		ip[0] = 0x60;
		put16(ip + 4, extra + length);
		ip[7] = PICK(ttls);
		memcpy(ip + 8, packet->source, 16);
		memcpy(ip + 24, packet->destination, 16);
		header += extra;
	}
	memmove(ip + header, transport, length);
	packet->transport = network + header;
	packet->frame.length = network + header + length;
	transport_finish(packet, length);
}

/* Cuts it, and sends the pieces; of every other packet some are lost, come twice, or overlap. */
static void send_fragments(enum link link, const struct packet *packet)
{
	static struct frame piece;
	const uint8_t *payload = packet->frame.data + packet->transport;
	size_t length = packet->frame.length - packet->transport, size, from, header;
	uint32_t id = below(1 << 16), count, i;
	bool whole = one_in(2), backwards = one_in(2);
	static const uint16_t sizes[] = { 8, 64, 552, 1232, 1480, 4000 };

	size = PICK(sizes);
	if (length / size > 40)
		size = (length / 40 + 8) & ~7ul;
	count = (length + size - 1) / size;
	for (i = 0; i < count; i++) {
		uint32_t n = !whole && one_in(8) ? below(count) : backwards ? count - 1 - i : i;
		size_t part;
		bool more;

		if (!whole && one_in(8))
			continue;
		from = n * size;
		if (!whole && one_in(16) && from)
			from -= 8;
		part = length - from < size ? length - from : size;
		more = from + part < length;
		memset(&piece.offload, 0, sizeof(piece.offload));
		memcpy(piece.data, packet->frame.data, packet->transport);
		header = packet->transport;
		if (packet->size == 4) {
			uint8_t *ip = piece.data + packet->network;
			size_t ihl = header - packet->network;

			put16(ip + 2, ihl + part);
			put16(ip + 4, id);
			put16(ip + 6, (more ? 0x2000 : 0) | from / 8 | (one_in(4) ? 0x4000 : 0));
			put16(ip + 10, 0);
			put16(ip + 10, sum_of(ip, ihl, 0));
		} else {
			uint8_t *ip = piece.data + packet->network, *fragment = piece.data + header;

			/* behind what other headers there are, as if it were the last */
			memset(fragment, 0, 8);
			fragment[0] = packet->protocol;
			put16(fragment + 2, from | more);
			put32(fragment + 4, id);
			if (header - packet->network == 40)
				ip[6] = 44;
			header += 8;
			put16(ip + 4, header - packet->network - 40 + part);
		}
		memcpy(piece.data + header, payload + from, part);
		piece.length = header + part;
		link_write(link, &piece);
	}
}

/* Other flows from now on, so many of them at a time. */
void flows_renew(uint32_t count)
{
	flow_count = count;
	while (count--)
		flow_random(&flows[count]);
}

/* One packet of a flow, at the side where it would come from. */
void packet_send(void)
{
	static struct packet packet;
	struct flow flow;
	bool answer = one_in(2);
	enum link link = LAN;
	size_t network = 0;

	if (one_in(50))
		flow_random(&flows[below(flow_count)]);
	flow = flows[below(flow_count)];
	if (flow.side == 'c')
		link = answer ? TUNNEL : LAN;
	else if (flow.side == 'l')
		answer = false;
	else if (answer)
		link = TUNNEL;
	if (one_in(64))
		link = below(LINKS);
	if (link != TUNNEL) {
		ethernet_random(&packet.frame, &link, flow.family == AF_INET ? 0x0800 : 0x86dd);
		network = packet.frame.length;
	}
	packet_random(&packet, &flow, answer, network);
	if (one_in(24))
		spoil(&packet.frame, network);
	if (!packet.frame.offload.gso_type && (packet.frame.length > 3000 ? one_in(2) : one_in(16)))
		send_fragments(link, &packet);
	else
		link_write(link, &packet.frame);
}
