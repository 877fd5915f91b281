/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_CONTAINER_OF_H
#define _KSHIM_LINUX_CONTAINER_OF_H
/* Mapping onto builtins. */
#include <linux/stddef.h>

/**
 * container_of - the struct that a member is part of
 * @ptr: to the member
 * @type: of the struct
 * @member: its name
 *
 * Does not compile when @ptr does not fit the member. Drops a const of @ptr.
 */
#define container_of(ptr, type, member)						\
({										\
	const void *__member_ptr = (ptr);					\
	_Static_assert(__builtin_types_compatible_p(				\
			__typeof__(*(ptr)), __typeof__(((type *)0)->member)) ||	\
		       __builtin_types_compatible_p(__typeof__(*(ptr)), void),	\
		       "container_of: pointer and member differ in type");	\
	(type *)((unsigned long)__member_ptr - offsetof(type, member));		\
})

#endif
