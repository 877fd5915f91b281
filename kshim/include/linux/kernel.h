/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_KERNEL_H
#define _KSHIM_LINUX_KERNEL_H
/*
 * Mapping: gathers small headers, as Linux's does, and the UAPI header of the
 * same name.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include_next <linux/kernel.h>
#include <linux/align.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/stddef.h>
#include <linux/types.h>

#define U8_MAX		((u8)~0U)
#define U16_MAX		((u16)~0U)
#define U32_MAX		((u32)~0U)
#define U64_MAX		((u64)~0ULL)
#define S32_MAX		((s32)(U32_MAX >> 1))
#define S64_MAX		((s64)(U64_MAX >> 1))

#define ARRAY_SIZE(arr)								\
	(sizeof(arr) / sizeof((arr)[0]) +					\
	 BUILD_BUG_ON_ZERO(__builtin_types_compatible_p(__typeof__(arr),	\
							__typeof__(&(arr)[0]))))

#define upper_32_bits(n)	((u32)(((u64)(n)) >> 32))
#define lower_32_bits(n)	((u32)(n))

#endif
