/* SPDX-License-Identifier: GPL-2.0 */
/* Frames at random, and what happens around them: see main.c. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_net.h>

enum { FRAME_MAX = 66000, ADDRESS_MAX = 16 };

/* random.c: all of a run follows from its seed */
void random_seed(uint64_t seed);
uint32_t below(uint32_t bound);		/* 0 to bound - 1 */
bool one_in(uint32_t bound);
const void *pick(const void *items, size_t size, uint32_t count);
#define PICK(items) (*(const __typeof__((items)[0]) *)	\
		     pick(items, sizeof((items)[0]), sizeof(items) / sizeof((items)[0])))

/* What is written to a device: a link-layer header only where the device has one. */
struct frame {
	struct virtio_net_hdr offload;
	uint8_t data[FRAME_MAX];
	size_t length;
};

/* link.c */
enum link { LAN, PORT1, PORT2, TUNNEL, LINKS };

void links_open(void);
void link_reopen(enum link link);
void link_carrier(enum link link, bool on);
void link_write(enum link link, const struct frame *frame);
unsigned long links_drain(void);	/* frames that came out since */
void listener_toggle(void);
void sockets_open(void);
void sockets_answer(void);
void sockets_ask(void);
void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* sum.c */
uint16_t sum_of(const uint8_t *data, size_t length, uint32_t start);
uint32_t sum_pseudo(const uint8_t *source, const uint8_t *destination, int size,
		    size_t length, int protocol);

/* packet.c, neighbour.c */
enum { FLOWS_MAX = 64 };
void flows_renew(uint32_t count);	/* at most FLOWS_MAX */
void packet_send(void);
void neighbour_send(void);
void ethernet_random(struct frame *frame, enum link *link, uint16_t protocol);
void spoil(struct frame *frame, size_t start);

/* disturb.c, stats.c */
void disturbances_read(const char *path);
void disturb(void);
void command_random(void);
void control(const char *command);
void module_renew(void);
void stats_collect(bool last);
int stats_report(void);
int stats_reached(void);
extern const char *module_path;

/* fail.c */
int fail_everywhere(void);

#endif /* FUZZ_H */
