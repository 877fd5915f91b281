/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_MINMAX_H
#define _KSHIM_LINUX_MINMAX_H
/*
 * Different implementation: no checks of its own; operands of different
 * signedness are left to the compiler's -Wsign-compare.
 */
#include <linux/compiler.h>

#define __kshim_cmp(op, x, y, ux, uy)						\
({										\
	__typeof__(x) ux = (x);							\
	__typeof__(y) uy = (y);							\
	ux op uy ? ux : uy;							\
})

/* The smaller, or larger, of two; each operand is evaluated once. */
#define min(x, y)	__kshim_cmp(<, x, y, __UNIQUE_ID(x_), __UNIQUE_ID(y_))
#define max(x, y)	__kshim_cmp(>, x, y, __UNIQUE_ID(x_), __UNIQUE_ID(y_))
#define min3(x, y, z)	min(min(x, y), z)
#define max3(x, y, z)	max(max(x, y), z)

/* The same after conversion of both operands to a type. */
#define min_t(type, x, y) min((type)(x), (type)(y))
#define max_t(type, x, y) max((type)(x), (type)(y))

#define clamp(val, lo, hi)		min(max(val, lo), hi)
#define clamp_t(type, val, lo, hi)	min_t(type, max_t(type, val, lo), hi)

/* For constants; these may evaluate an operand twice. */
#ifndef MIN
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))
#endif

#define swap(a, b)								\
do {										\
	__typeof__(a) __swap_tmp = (a);						\
	(a) = (b);								\
	(b) = __swap_tmp;							\
} while (0)

#endif
