/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_XARRAY_H
#define _KSHIM_LINUX_XARRAY_H
/*
 * Different implementation of the entries only: values and the zero entry, as
 * the maple tree stores them too. There is no array.
 */
#include <linux/bug.h>
#include <linux/types.h>

/* Bit 0 tells a value from a pointer, bit 1 an internal entry. */
static inline void *xa_mk_value(unsigned long v)
{
	WARN_ON((long)v < 0);
	return (void *)(v << 1 | 1);
}

static inline unsigned long xa_to_value(const void *entry)
{
	return (unsigned long)entry >> 1;
}

static inline bool xa_is_value(const void *entry)
{
	return (unsigned long)entry & 1;
}

static inline void *xa_mk_internal(unsigned long v)
{
	return (void *)(v << 2 | 2);
}

static inline bool xa_is_internal(const void *entry)
{
	return ((unsigned long)entry & 3) == 2;
}

/* A slot that is taken, with nothing in it. */
#define XA_ZERO_ENTRY	xa_mk_internal(257)

static inline bool xa_is_zero(const void *entry)
{
	return unlikely(entry == XA_ZERO_ENTRY);
}

#endif
