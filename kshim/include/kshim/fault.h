/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_FAULT_H
#define _KSHIM_FAULT_H
/*
 * Not in Linux in this form: make allocations fail.
 *
 * All of it is about the calling thread. It covers kmem_cache_alloc() - the
 * nodes of maple trees included - and kmalloc() with relatives, but not
 * allocations with __GFP_NOFAIL. An allocation that fails on demand changes
 * nothing else.
 *
 * To fail each allocation of an operation in turn:
 *
 *	for (n = 1; ; n++) {
 *		kshim_fail_nth(n);
 *		ret = operation();
 *		if (!kshim_fail_disarm())
 *			break;		(the operation made less than n)
 *		... ret is -ENOMEM, nothing has changed ...
 *	}
 */
#include <linux/types.h>

void kshim_fail_nth(unsigned int n);
bool kshim_fail_disarm(void);
void kshim_fail_probability(unsigned int per_million, u64 seed);
unsigned long kshim_fail_seen(void);
unsigned long kshim_fail_injected(void);
void kshim_fail_reset(void);

#endif
