// SPDX-License-Identifier: GPL-2.0
/* Allocations that fail on demand: <kshim/fault.h>. */
#include <string.h>
#include <linux/types.h>
#include <kshim/fault.h>

#include "fault.h"

__thread struct kshim_fault kshim_fault;

bool kshim_fault_hits(void)
{
	bool hit = false;

	if (kshim_fault.nth && !--kshim_fault.nth) {
		kshim_fault.armed = kshim_fault.per_million;
		hit = true;
	}
	if (kshim_fault.per_million) {
		/* xorshift: its state is never 0. */
		kshim_fault.random ^= kshim_fault.random << 13;
		kshim_fault.random ^= kshim_fault.random >> 7;
		kshim_fault.random ^= kshim_fault.random << 17;
		hit |= kshim_fault.random % 1000000 < kshim_fault.per_million;
	}
	kshim_fault.injected += hit;
	return hit;
}

/**
 * kshim_fail_nth - let an allocation of this thread fail, once
 * @n: which, counted from the next one as 1; 0 disarms
 */
void kshim_fail_nth(unsigned int n)
{
	kshim_fault.nth = n;
	kshim_fault.armed = n || kshim_fault.per_million;
}

/**
 * kshim_fail_disarm - take back kshim_fail_nth()
 *
 * Returns true when the allocation has come, and has failed.
 */
bool kshim_fail_disarm(void)
{
	bool hit = !kshim_fault.nth;

	kshim_fail_nth(0);
	return hit;
}

/**
 * kshim_fail_probability - let allocations of this thread fail at random
 * @per_million: how many of a million; 0 for none
 * @seed: the same seed gives the same failures
 */
void kshim_fail_probability(unsigned int per_million, u64 seed)
{
	kshim_fault.per_million = per_million;
	/* Spread small seeds over the word, and avoid 0. */
	kshim_fault.random = (seed + 1) * 0x9e3779b97f4a7c15ULL | 1;
	kshim_fault.armed = per_million || kshim_fault.nth;
}

/* This thread's allocations that could have failed, since kshim_fail_reset(). */
unsigned long kshim_fail_seen(void)
{
	return kshim_fault.seen;
}

/* Those that did, on demand. */
unsigned long kshim_fail_injected(void)
{
	return kshim_fault.injected;
}

/* Counts from 0 again, and disarms everything. */
void kshim_fail_reset(void)
{
	memset(&kshim_fault, 0, sizeof(kshim_fault));
}
