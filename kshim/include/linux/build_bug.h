/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_BUILD_BUG_H
#define _KSHIM_LINUX_BUILD_BUG_H
/* Mapping onto _Static_assert. */

#define __kshim_static_assert(expr, msg, ...)	_Static_assert(expr, msg)
/* libc's <assert.h> defines it with two arguments; include that one first. */
#undef static_assert
#define static_assert(expr, ...)	__kshim_static_assert(expr, ##__VA_ARGS__, #expr)

#define BUILD_BUG_ON_MSG(cond, msg)	_Static_assert(!(cond), msg)
#define BUILD_BUG_ON(cond)		BUILD_BUG_ON_MSG(cond, "BUILD_BUG_ON failed: " #cond)
#define BUILD_BUG_ON_ZERO(e) \
	((int)sizeof(struct { int dummy; _Static_assert(!(e), #e); }) * 0)
/* Compiles @e, for its warnings, and does nothing. */
#define BUILD_BUG_ON_INVALID(e)		((void)(0 && (e)))

#endif
