/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_MATH_H
#define _KSHIM_LINUX_MATH_H
/* Different implementation: plain arithmetic. */

/* To multiples of a power of two. */
#define round_up(x, y)		((((x) - 1) | ((__typeof__(x))(y) - 1)) + 1)
#define round_down(x, y)	((x) & ~((__typeof__(x))(y) - 1))

/* To multiples of anything. */
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define DIV_ROUND_DOWN_ULL(n, d) ((unsigned long long)(n) / (d))
#define roundup(x, y)								\
({										\
	const __typeof__(y) __roundup_y = (y);					\
	(((x) + (__roundup_y - 1)) / __roundup_y) * __roundup_y;		\
})
#define rounddown(x, y)								\
({										\
	const __typeof__(x) __rounddown_x = (x);				\
	__rounddown_x - (__rounddown_x % (y));					\
})

/* The name is libc's too, for int; this one takes any signed type. */
#undef abs
#define abs(x)									\
({										\
	__typeof__(x) __abs_x = (x);						\
	__abs_x < 0 ? -__abs_x : __abs_x;					\
})

#endif
