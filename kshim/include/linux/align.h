/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_ALIGN_H
#define _KSHIM_LINUX_ALIGN_H
/* Different implementation: plain arithmetic. @a is a power of two. */

#define __ALIGN_MASK_OF(x, a)	((__typeof__(x))(a) - 1)
#define ALIGN(x, a)		(((x) + __ALIGN_MASK_OF(x, a)) & ~__ALIGN_MASK_OF(x, a))
#define ALIGN_DOWN(x, a)	((x) & ~__ALIGN_MASK_OF(x, a))
#define IS_ALIGNED(x, a)	(((x) & __ALIGN_MASK_OF(x, a)) == 0)
#define PTR_ALIGN(p, a)		((__typeof__(p))ALIGN((unsigned long)(p), (a)))
#define PTR_ALIGN_DOWN(p, a)	((__typeof__(p))ALIGN_DOWN((unsigned long)(p), (a)))

#endif
