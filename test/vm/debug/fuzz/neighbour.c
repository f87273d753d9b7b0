// SPDX-License-Identifier: GPL-2.0
/* Link-layer headers, ARP and neighbour discovery. */
#include <arpa/inet.h>
#include <string.h>

#include "fuzz.h"

/* Routers of the link, one with a MAC of VRRP; then what no router has. */
static const uint8_t macs[][6] = {
	{ 2, 0, 0, 0, 0, 0x51 }, { 2, 0, 0, 0, 0, 0x52 }, { 2, 0, 0, 0, 0, 0x53 },
	{ 0, 0, 0x5e, 0, 1, 7 }, { 2, 0, 0, 0, 0, 0x54 }, { 2, 0, 0, 0, 0, 0x55 },
	{ 2, 0, 0, 0, 0, 2 }, { 3, 0, 0, 0, 0, 0x51 }, { 0 }, { 255, 255, 255, 255, 255, 255 },
};

static void mac_random(uint8_t *to)
{
	memcpy(to, macs[one_in(12) ? below(10) : below(6)], 6);
	/* a stranger: one of 200 */
	if (one_in(40)) {
		to[4] = 1;
		to[5] = below(200);
	}
}

void ethernet_random(struct frame *frame, enum link *link, uint16_t protocol)
{
	static const uint8_t own[] = { 2, 0, 0, 0, 0, 2 }, bridge[] = { 2, 0, 0, 0, 3, 0 };
	uint8_t *data = frame->data;

	if (one_in(4))
		*link = one_in(2) ? PORT1 : PORT2;
	memcpy(data, *link == LAN ? own : bridge, 6);
	/* through the bridge, to a router behind it */
	if (*link != LAN && !one_in(4))
		memcpy(data, macs[below(6)], 6);
	if (one_in(24))
		mac_random(data);
	mac_random(data + 6);
	frame->length = 12;
	if (one_in(16)) {
		static const uint16_t tags[] = { 0x8100, 0x88a8 };
		uint16_t tag = PICK(tags), vid = one_in(2) ? 7 : below(4);

		data[12] = tag >> 8;
		data[13] = tag;
		data[14] = 0;
		data[15] = vid;
		frame->length = 16;
	}
	data[frame->length++] = protocol >> 8;
	data[frame->length++] = protocol;
}

/* Changes some bytes behind a place, or the length. */
void spoil(struct frame *frame, size_t start)
{
	uint32_t count = 1 + below(4), i;
	size_t range = frame->length - start < 96 ? frame->length - start : 96;

	if (one_in(3)) {
		frame->length = start + below(range + 1);
		if (frame->length < 14)
			frame->length = 14;
		memset(&frame->offload, 0, sizeof(frame->offload));
		return;
	}
	for (i = 0; range && i < count; i++)
		frame->data[start + below(range)] = below(256);
}

static const char *const names4[] = { "192.0.2.251", "192.0.2.252", "192.0.2.253", "192.0.2.2",
				      "10.1.0.9", "0.0.0.0" };
static const char *const names6[] = { "2001:db8:2::251", "2001:db8:2::252", "fe80::251",
				      "2001:db8:2::2", "fd01::9", "::" };

static void arp_send(void)
{
	static struct frame frame;
	enum link link = LAN;
	uint8_t *arp;

	memset(&frame.offload, 0, sizeof(frame.offload));
	ethernet_random(&frame, &link, 0x0806);
	if (one_in(2))
		memset(frame.data, 255, 6);
	arp = frame.data + frame.length;
	memcpy(arp, "\0\1\x08\0\6\4\0\1", 8);
	arp[7] = 1 + below(2);
	memcpy(arp + 8, frame.data + 6, 6);
	if (one_in(4))
		mac_random(arp + 8);
	inet_pton(AF_INET, names4[one_in(4) ? below(6) : below(2)], arp + 14);
	mac_random(arp + 18);
	inet_pton(AF_INET, one_in(2) ? "192.0.2.2" : names4[below(6)], arp + 24);
	if (one_in(4))
		memcpy(arp + 24, arp + 14, 4);
	frame.length += 28;
	if (one_in(24))
		spoil(&frame, 14);
	if (one_in(8)) {
		frame.length = 5000;
		frame.offload.hdr_len = 14 + below(28);
	}
	link_write(link, &frame);
}

static void nd_send(void)
{
	static struct frame frame;
	static const uint8_t types[] = { 135, 136, 136, 133, 134, 137 };
	enum link link = LAN;
	uint8_t *ip, *icmp, *option;
	uint16_t sum;
	size_t length = 24;
	int options = one_in(8) ? below(4) : 1, i;

	memset(&frame.offload, 0, sizeof(frame.offload));
	ethernet_random(&frame, &link, 0x86dd);
	ip = frame.data + frame.length;
	icmp = ip + 40;
	memset(ip, 0, 64);
	ip[0] = 0x60;
	ip[6] = 58;
	ip[7] = one_in(16) ? 64 : 255;
	inet_pton(AF_INET6, names6[below(6)], ip + 8);
	inet_pton(AF_INET6, one_in(2) ? "ff02::1" : "2001:db8:2::2", ip + 24);
	icmp[0] = PICK(types);
	icmp[1] = one_in(24);
	icmp[4] = below(8) << 5;
	inet_pton(AF_INET6, names6[one_in(4) ? below(6) : below(2)], icmp + 8);
	for (i = 0; i < options; i++) {
		option = icmp + length;
		memset(option, 0, 8);
		option[0] = one_in(8) ? below(6) : icmp[0] == 135 ? 1 : 2;
		option[1] = one_in(8) ? below(3) : 1;
		mac_random(option + 2);
		length += 8;
	}
	ip[5] = length;
	sum = sum_of(icmp, length, sum_pseudo(ip + 8, ip + 24, 16, length, 58));
	if (one_in(16))
		sum++;
	icmp[2] = sum >> 8;
	icmp[3] = sum;
	frame.length += 40 + length;
	if (one_in(24))
		spoil(&frame, 14);
	/* paged behind the headers that everybody looks at: only long frames are */
	if (one_in(8)) {
		frame.length = 5000;
		frame.offload.hdr_len = 14 + below(80);
	}
	link_write(link, &frame);
}

void neighbour_send(void)
{
	if (one_in(2))
		arp_send();
	else
		nd_send();
}
