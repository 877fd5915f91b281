// SPDX-License-Identifier: GPL-2.0
/*
 * A topology whose walks find nothing. The command is linked with it once more,
 * to see that what its checks find is told.
 */
#include <linux/rmap.h>

#include "usermm.h"

static struct vm_area_struct *no_vma(struct anon_vma_walk *walk)
{
	(void)walk;
	return NULL;
}

__attribute__((constructor))
static void register_blind(void)
{
	static struct anon_vma_topology blind;

	blind = regular_topology;
	blind.name = "blind";
	blind.walk_next = no_vma;
	um_topology_register(&blind);
}
