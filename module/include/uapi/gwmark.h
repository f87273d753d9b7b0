/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * gwmark: return VPN flows to the link-layer gateway that they came from.
 *
 * This header is the manual of the module's interface. Everything is text in
 * /proc/net/gwmark/ of a network namespace; nothing else is an interface.
 *
 * WHAT A MARK MEANS
 *
 *   nftables (or iptables) selects packets by skb->mark, the module sends them.
 *   m = mark & mask. Directions are those of the conntrack entry.
 *
 *     bridge prerouting             m == orig_mark   capture: the bridge takes it in
 *     prerouting, Ethernet device,
 *       original direction          m == orig_mark   learn the source gateway
 *     prerouting, reply direction   m == reply_mark  send to the source gateway
 *     the same, reply direction     m == orig_mark   learn where answers come from
 *     prerouting, other device,
 *       original direction          m == orig_mark   to where the answers come from;
 *                                                    before there was one to the
 *                                                    uplink, if no route
 *     local output, reply           m == reply_mark  send to the source gateway
 *     local output, original        m == orig_mark   to where the answers come from;
 *                                                    before there was one to the
 *                                                    uplink, if the route has no
 *                                                    next hop and the destination
 *                                                    is not on its link
 *     anything else                                  untouched
 *
 *   A reply whose flow has no gateway goes to the uplink, if it has no route.
 *   A packet that cannot be sent by MAC continues to normal routing, and one of
 *   the counters below says why. Packets that the module sends pass the FORWARD
 *   and POST_ROUTING hooks with their true devices, have their TTL decremented
 *   and their size checked, as if they had been routed. The module does not send
 *   what the kernel would not forward: sources that are martian or fail rp_filter,
 *   broadcast and multicast frames. IPsec policies apply. A route of the type
 *   blackhole, unreachable or prohibit is a route; the module ignores a rule
 *   (ip rule) of the type unreachable.
 *   A flow that has a gateway enters no flowtable of another program (flow add).
 *   A captured frame is addressed to the bridge itself, which takes it in if it
 *   would take any frame from there: state of the port (STP), VLANs, locked ports.
 *   The bridge rules must run at a priority below -1, the others at a priority
 *   of -150 (mangle) or lower. Packets of flows that NAT changes are
 *   inspected again in LOCAL_IN and FORWARD, at -149: they may get their mark
 *   after NAT, when their true destination is known.
 *
 * FILES
 *
 *   The first line of each is "gwmark ABI", ABI being GWMARK_ABI in decimal.
 *   Every further line is a record; a record is fields separated by one space.
 *   New record names and new key=value fields may come at any time within an
 *   ABI; a reader skips what it does not know. Times are in milliseconds.
 *
 *   control   write: one command, below. Read: the commands, one per line.
 *   config    "NAME VALUE" lines:
 *               enabled 0|1
 *               reply_mark 0xVALUE/0xMASK
 *               orig_mark 0xVALUE/0xMASK
 *               learn_onlink on|off
 *               uplink none | auto | DEV MAC
 *               max_gateways N
 *               gateways N         entries in use
 *               label_users N      rules and programs other than gwmark that use
 *                                  conntrack labels in this namespace
 *   gateways  one line for each gateway:
 *               id=ID dev=NAME ifindex=N mac=MAC send=MAC pinned=0|1 uplink=0|1
 *               idle_ms=N learned=N sent_packets=N sent_bytes=N moves=N
 *               ordered=0|1 addresses=ADDR,ADDR...
 *             "mac" is the source of its frames, "send" is where packets go;
 *             they differ after a move. "learned" counts flows. idle_ms is the time
 *             since its last selected frame (-1: never), exact to 1 s. "ordered":
 *             a command with "keep" has set where packets go.
 *             "addresses" is last and may be empty.
 *   flows     one line for each conntrack entry with a gateway:
 *               family=4|6 proto=N src=A dst=A [sport=N dport=N]
 *               reply_src=A reply_dst=A [reply_sport=N reply_dport=N]
 *               [packets=N bytes=N reply_packets=N reply_bytes=N]
 *               source=ID destination=ID
 *             Packets and bytes are there if the sysctl nf_conntrack_acct was
 *             on when the flow began.
 *             An id that is no longer valid is printed unchanged.
 *   stats     "NAME N" for each name of GWMARK_STATS(), in that order.
 *
 * COMMANDS
 *
 *   One command per write, at most 255 bytes, with or without a newline at its
 *   end; words separated by spaces or tabs. Needs CAP_NET_ADMIN in the user
 *   namespace that owns the network namespace, both of the opener.
 *   A command takes effect completely or not at all.
 *
 *   enable                        attach to this namespace. Idempotent
 *   disable                       detach; every gateway is forgotten. Idempotent
 *   set reply_mark VALUE[/MASK]   numbers as in C; the mask is 0xff by default.
 *   set orig_mark VALUE[/MASK]    VALUE is neither 0 nor outside of MASK
 *   set learn_onlink on|off       also learn a source that is on-link by an
 *                                 address of the device, or by a route without a
 *                                 next hop (default off: ARP and ND find it)
 *   gateway add DEV MAC [ADDR...] add a gateway, and addresses of it (at most 8)
 *   gateway del DEV MAC           forget one
 *   uplink auto                   the gateway that local replies go to; before
 *                                 there was one, the one that captured frames
 *                                 were bound for (default). It stays until it
 *                                 was silent for 30 s and another is known as
 *                                 well, or a flow of another went on both ways
 *                                 (conntrack: ASSURED) and none of its did; or
 *                                 until such a flow of its comes from another
 *   uplink none                   no uplink
 *   uplink DEV MAC                this one; known from now on
 *   move DEV MAC MAC [keep]       packets for the first gateway go to the second MAC,
 *                                 until evidence to the contrary; with "keep",
 *                                 until the next such command
 *   flush [DEV]                   forget all gateways (of a device)
 *
 *   Errors:
 *     EINVAL      no such command, too many or too few words, a bad number, a
 *                 MAC that is not a unicast address, a bad IP address
 *     E2BIG       more than 255 bytes (more than a page: EINVAL)
 *     EPERM       no CAP_NET_ADMIN
 *     ENODEV      no device of that name
 *     EOPNOTSUPP  the device is not an Ethernet device (ENOTSUP in Node)
 *     ENETDOWN    the namespace is not enabled, or the device is down
 *     ENOENT      no such gateway
 *     ENOSPC      the table of gateways is full
 *     ENOMEM
 *
 * MODULE PARAMETERS
 *
 *   max_gateways  gateways per namespace, 1 to 65535, default 4096. When the table
 *                 is full, the gateway that was idle longest (ten seconds or
 *                 more) makes room; never one that a command named, or the uplink
 *   label_word    which 32-bit words of the 128-bit conntrack label are ours: this
 *                 one (source gateway) and the next (destination gateway),
 *                 0 to 2, default 2: bits 64 to 127
 */
#ifndef _UAPI_GWMARK_H
#define _UAPI_GWMARK_H

#define GWMARK_ABI		1

/* Longest command, without its newline. */
#define GWMARK_LINE_MAX		255

#define GWMARK_DEFAULT_MARK	0x32
#define GWMARK_DEFAULT_MASK	0xff

/*
 * Every way that a selected packet, or evidence of a move, can leave the module.
 * Append only; a retired name keeps its place.
 *
 * learn_*: the packet continues as before; *_NAME says what was remembered. A packet of
 * the reply direction from a link counts there only if it taught something.
 *
 * The tests of test/vm increment each of these (no-memory.sh those of a failing
 * allocation, in a kernel that injects such), except what does not happen there:
 * return_no_memory and capture_no_memory (their packets need none); capture_no_bridge (a
 * frame while its port leaves the bridge); return_no_family and output_no_family (a
 * kernel without IPv6 shows no IPv6 packet); transmit_no_header (Ethernet refuses none).
 */
#define GWMARK_STATS(X)							\
	/* learn: original direction, from an Ethernet device */	\
	X(learn_new)		/* a flow got its first gateway */	\
	X(learn_known)		/* it came from where it always came */	\
	X(learn_changed)	/* the flow has another gateway now */	\
	X(learn_no_conntrack)	/* untracked or invalid */		\
	X(learn_related)	/* an ICMP error: proves nothing */	\
	X(learn_no_ethernet)	/* no 14-byte link-layer header */	\
	X(learn_bridged)	/* passing through, br_netfilter */	\
	X(learn_bad_mac)	/* source MAC multicast, zero or ours */\
	X(learn_onlink)		/* on-link source: ARP and ND serve it */\
	X(learn_too_late)	/* older than the mark, and not renewable */\
	X(learn_no_memory)						\
	X(learn_table_full)	/* max_gateways reached */		\
	/* return: reply direction, arrived from a device */		\
	X(return_sent)		/* handed to FORWARD */			\
	X(return_no_conntrack)						\
	X(return_no_gateway)	/* the flow never learnt one */		\
	X(return_gateway_gone)	/* its id is no longer valid */		\
	X(return_device_down)	/* device down or without carrier */	\
	X(return_bridged)						\
	X(return_not_unicast)	/* destination multicast, link-local ...*/\
	X(return_forwarding_off) /* forwarding sysctl */		\
	X(return_options)	/* IPv4 options: routed instead */	\
	X(return_no_family)	/* IPv6 is off on this host */		\
	X(return_policy_drop)	/* IPsec policy */			\
	X(return_ttl_exceeded)	/* answered with ICMP */		\
	X(return_too_big)	/* answered with ICMP */		\
	X(return_no_memory)						\
	/* uplink: original direction, from a tunnel or local */	\
	X(uplink_sent)							\
	X(uplink_routed)	/* a route exists: taken */		\
	X(uplink_none)		/* no uplink known, or it is gone */	\
	/* local output */						\
	X(output_sent)							\
	X(output_no_conntrack)						\
	X(output_no_gateway)						\
	X(output_gateway_gone)						\
	X(output_device_down)						\
	X(output_not_unicast)	/* or to this host itself */		\
	X(output_no_family)						\
	/* transmit: after POST_ROUTING */				\
	X(transmit_frames)	/* given to the device's queue */	\
	X(transmit_fragmented)	/* packets sent as fragments */		\
	X(transmit_segmented)	/* GSO packets cut in software */	\
	X(transmit_too_big)	/* local, DF: answered with ICMP */	\
	X(transmit_gateway_gone) /* removed while under way: dropped */	\
	X(transmit_no_memory)						\
	X(transmit_no_header)	/* the device refused the header */	\
	X(transmit_cgroup)	/* refused by a cgroup program */	\
	/* capture: bridge prerouting */				\
	X(capture_taken)						\
	X(capture_no_bridge)	/* port without a bridge above */	\
	X(capture_bridge_down)						\
	X(capture_no_vlan)	/* no device for the frame's VLAN */	\
	X(capture_not_ip)						\
	/* moves */							\
	X(move_claim)		/* ARP or ND moved a gateway */		\
	X(move_frame)		/* a frame proved the old MAC alive */	\
	X(move_control)		/* moved by command */			\
	X(move_limited)		/* too many: ignored */			\
	X(move_virtual)		/* a virtual MAC is not given up for a request */\
	/* gateways */							\
	X(gateway_added)						\
	X(gateway_removed)						\
	X(gateway_table_full)						\
	X(gateway_no_memory)						\
	X(control_refused)	/* commands answered with an error */	\
	/* learn, once more */						\
	X(learn_answer)		/* an answer told a flow that began here its way */\
	X(learn_renewed)	/* older than the mark: tracked again */ \
	/* moves, once more */						\
	X(move_answer)		/* ARP or ND proved the old MAC alive */ \
	X(move_kept)		/* it lost one address and was alive */	\
	/* what the kernel would not have done either */		\
	X(learn_not_host)	/* the frame was for all, not for this host */ \
	X(return_not_host)	/* the same, on its way back: the kernel drops it */ \
	X(return_not_forwarded) /* of a socket, or joined by LRO: the same */ \
	X(return_bad_source)	/* martian, or against rp_filter: the same */ \
	X(return_ipsec)		/* a policy of IPsec takes it: handed to FORWARD */ \
	X(output_ipsec)		/* its route has a policy of IPsec: left */ \
	X(transmit_ipsec)	/* NAT brought it under one: given to it */ \
	X(capture_own)		/* for this host, or for all: the bridge takes it */ \
	X(capture_no_memory)						\
	X(move_no_override)	/* an advertisement that takes nothing */ \
	X(move_bad_checksum)	/* ND that the kernel drops */		\
	X(gateway_evicted)	/* idle longest, and the table was full */

#endif /* _UAPI_GWMARK_H */
