// SPDX-License-Identifier: GPL-2.0
/* Where to find what the module keeps for a network namespace. */

#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "net.h"

/* Given out by the kernel as the module registers for namespaces. */
unsigned int gwmark_net_id;

/**
 * gwmark_net_of() - what we keep for a namespace
 * @net: the namespace
 *
 * Return: never NULL while the module is loaded.
 */
struct gwmark_net *gwmark_net_of(const struct net *net)
{
	return net_generic(net, gwmark_net_id);
}
