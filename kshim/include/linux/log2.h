/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_LOG2_H
#define _KSHIM_LINUX_LOG2_H
/* Mapping onto builtins; constant expressions where the argument is one. */
#include <linux/types.h>

/* Rounded down; @n is not 0. */
#define ilog2(n)		(63 - __builtin_clzll((unsigned long long)(n)))

static __always_inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

/* @n is not 0, and at most half of the largest power when rounded up. */
#define roundup_pow_of_two(n)	((n) == 1 ? 1UL : 1UL << (ilog2((n) - 1) + 1))
#define rounddown_pow_of_two(n)	(1UL << ilog2(n))
#define order_base_2(n)		((n) > 1 ? ilog2((n) - 1) + 1 : 0)

#endif
