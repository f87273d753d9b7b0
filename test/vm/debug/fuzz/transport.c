// SPDX-License-Identifier: GPL-2.0
/* What is behind the IP headers: a transport, or an error about one. */
#include <netinet/in.h>
#include <string.h>

#include "packet.h"

static size_t payload_random(uint8_t *to)
{
	static const uint16_t sizes[] = { 0, 1, 8, 64, 64, 64, 512, 1400, 1452, 1472, 1500, 3000 };
	static const uint16_t large[] = { 5000, 8900, 20000, 60000 };
	size_t size = one_in(24) ? PICK(large) : PICK(sizes), i;

	for (i = 0; i < size; i++)
		to[i] = i;
	return size;
}

/* An error about a packet that went the other way: its headers come behind. */
static size_t icmp_error(uint8_t *to, const struct flow *flow, const struct packet *packet)
{
	static const uint8_t types4[][2] = { { 3, 1 }, { 3, 3 }, { 3, 4 }, { 11, 0 }, { 5, 1 } };
	static const uint8_t types6[][2] = { { 1, 0 }, { 1, 4 }, { 2, 0 }, { 3, 0 }, { 4, 1 } };
	const uint8_t *type = flow->family == AF_INET ? PICK(types4) : PICK(types6);
	static const uint16_t mtus[] = { 0, 68, 1280, 1400, 65535 };
	uint8_t *inner = to + 8;

	memset(to, 0, 8 + 48);
	to[0] = type[0];
	to[1] = type[1];
	put16(to + 6, PICK(mtus));
	if (flow->family == AF_INET) {
		inner[0] = 0x45;
		put16(inner + 2, 28);
		inner[8] = 60;
		inner[9] = flow->protocol == 1 ? 17 : flow->protocol;
		memcpy(inner + 12, packet->destination, 4);
		memcpy(inner + 16, packet->source, 4);
		put16(inner + 10, sum_of(inner, 20, 0));
		inner += 20;
	} else {
		inner[0] = 0x60;
		put16(inner + 4, 8);
		inner[6] = flow->protocol == 58 ? 17 : flow->protocol;
		inner[7] = 60;
		memcpy(inner + 8, packet->destination, 16);
		memcpy(inner + 24, packet->source, 16);
		inner += 40;
	}
	put16(inner, flow->client_port);
	put16(inner + 2, flow->host_port);
	return inner + 8 - to;
}

size_t transport_random(uint8_t *to, const struct flow *flow, bool answer,
			struct packet *packet)
{
	static const uint8_t tcp_flags[] = { 0x02, 0x12, 0x10, 0x10, 0x18, 0x11, 0x04, 0x14, 0x00, 0xff };
	uint16_t from = answer ? flow->client_port : flow->host_port;
	uint16_t port = answer ? flow->host_port : flow->client_port;
	size_t length;

	if (one_in(12)) {
		packet->protocol = flow->family == AF_INET ? 1 : 58;
		return icmp_error(to, flow, packet);
	}
	switch (flow->protocol) {
	case 6:
		memset(to, 0, 20);
		put16(to, from);
		put16(to + 2, port);
		put32(to + 4, 1000 + below(3));
		put32(to + 8, 1000 + below(3));
		to[12] = one_in(16) ? below(256) : 0x50;
		to[13] = PICK(tcp_flags);
		put16(to + 14, 65535);
		return 20 + payload_random(to + 20);
	case 1:
	case 58:
		memset(to, 0, 8);
		to[0] = flow->protocol == 1 ? (answer ? 0 : 8) : (answer ? 129 : 128);
		put16(to + 4, flow->host_port);
		return 8 + payload_random(to + 8);
	default:
		length = 8 + payload_random(to + 8);
		put16(to, from);
		put16(to + 2, port);
		put16(to + 4, one_in(32) ? below(65536) : length);
		put16(to + 6, 0);
		return length;
	}
}

/* Where the checksum is in the transport header, or -1. */
static int sum_offset(uint8_t protocol)
{
	switch (protocol) {
	case 6:
		return 16;
	case 17:
		return 6;
	case 1:
	case 58:
		return 2;
	}
	return -1;
}

/* The checksum of the transport, or what a device needs to make it, or to cut the packet. */
void transport_finish(struct packet *packet, size_t length)
{
	uint8_t *data = packet->frame.data + packet->transport;
	struct virtio_net_hdr *offload = &packet->frame.offload;
	static const uint16_t segments[] = { 536, 1212, 1400, 1400, 1460, 1500, 8000 };
	int at = sum_offset(packet->protocol);
	bool udp_or_tcp = packet->protocol == 6 || packet->protocol == 17;
	uint32_t pseudo;

	memset(offload, 0, sizeof(*offload));
	if (at < 0 || (size_t)at + 2 > length)
		return;
	pseudo = packet->protocol == 1 ? 0 : sum_pseudo(packet->source, packet->destination,
							packet->size, length, packet->protocol);
	if (udp_or_tcp && (length > 1400 ? one_in(2) : one_in(8))) {
		offload->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		offload->csum_start = packet->transport;
		offload->csum_offset = at;
		put16(data + at, (uint16_t)~sum_of(NULL, 0, pseudo));
		if (one_in(2)) {
			offload->gso_type = packet->protocol == 17 ? VIRTIO_NET_HDR_GSO_UDP :
				packet->size == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
			offload->gso_size = length < 3000 && one_in(8) ? 1 + below(100) : PICK(segments);
			offload->hdr_len = packet->transport + (packet->protocol == 6 ? 20 : 8);
		}
		return;
	}
	if (!one_in(16))
		put16(data + at, sum_of(data, length, pseudo));
	/* so much in one piece, the rest in pages */
	if (one_in(4))
		offload->hdr_len = packet->network + below(120);
}

