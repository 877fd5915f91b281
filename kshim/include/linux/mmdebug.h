/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_MMDEBUG_H
#define _KSHIM_LINUX_MMDEBUG_H
/*
 * Different implementation: checks that exist with CONFIG_DEBUG_VM only; without
 * it they are compiled and not evaluated. The object that a check is about is
 * named by its address.
 */
#include <linux/bug.h>

#ifdef CONFIG_DEBUG_VM

#define __VM_BUG_ON_OBJ(cond, kind, obj)					\
do {										\
	if (unlikely(cond))							\
		kshim_bug(__FILE__, __LINE__, #cond, " " kind " %p", (const void *)(obj)); \
} while (0)

#define VM_BUG_ON(cond)				BUG_ON(cond)
#define VM_BUG_ON_PAGE(cond, page)		__VM_BUG_ON_OBJ(cond, "page", page)
#define VM_BUG_ON_FOLIO(cond, folio)		__VM_BUG_ON_OBJ(cond, "folio", folio)
#define VM_BUG_ON_VMA(cond, vma)		__VM_BUG_ON_OBJ(cond, "vma", vma)
#define VM_BUG_ON_MM(cond, mm)			__VM_BUG_ON_OBJ(cond, "mm", mm)
#define VM_WARN_ON(cond)			((void)WARN_ON(cond))
/* As with panic_on_warn: a test does not go on. */
#define VM_WARN_ON_ONCE(cond)			BUG_ON(cond)
#define VM_WARN(cond, fmt, ...)			((void)WARN(cond, fmt, ##__VA_ARGS__))
#define VM_WARN_ONCE(cond, fmt, ...)		((void)WARN_ONCE(cond, fmt, ##__VA_ARGS__))
#define __VM_WARN_ONCE_OBJ(cond, kind, obj) \
	((void)WARN_ONCE(cond, kind " %p", (const void *)(obj)))
#define VM_WARN_ON_FOLIO(cond, folio) \
	((void)WARN(cond, "folio %p", (const void *)(folio)))
#define VM_WARN_ON_ONCE_PAGE(cond, page)	__VM_WARN_ONCE_OBJ(cond, "page", page)
#define VM_WARN_ON_ONCE_FOLIO(cond, folio)	__VM_BUG_ON_OBJ(cond, "folio", folio)
#define VM_WARN_ON_ONCE_VMA(cond, vma)		__VM_WARN_ONCE_OBJ(cond, "vma", vma)
#define VM_WARN_ON_ONCE_MM(cond, mm)		__VM_WARN_ONCE_OBJ(cond, "mm", mm)

#else

#define __VM_NOTHING(cond, obj)			((void)(0 && (cond)), (void)sizeof(obj))

#define VM_BUG_ON(cond)				BUILD_BUG_ON_INVALID(cond)
#define VM_BUG_ON_PAGE(cond, page)		__VM_NOTHING(cond, page)
#define VM_BUG_ON_FOLIO(cond, folio)		__VM_NOTHING(cond, folio)
#define VM_BUG_ON_VMA(cond, vma)		__VM_NOTHING(cond, vma)
#define VM_BUG_ON_MM(cond, mm)			__VM_NOTHING(cond, mm)
#define VM_WARN_ON(cond)			BUILD_BUG_ON_INVALID(cond)
#define VM_WARN_ON_ONCE(cond)			BUILD_BUG_ON_INVALID(cond)
#define VM_WARN(cond, fmt, ...)			BUILD_BUG_ON_INVALID(cond)
#define VM_WARN_ONCE(cond, fmt, ...)		BUILD_BUG_ON_INVALID(cond)
#define VM_WARN_ON_FOLIO(cond, folio)		__VM_NOTHING(cond, folio)
#define VM_WARN_ON_ONCE_PAGE(cond, page)	__VM_NOTHING(cond, page)
#define VM_WARN_ON_ONCE_FOLIO(cond, folio)	__VM_NOTHING(cond, folio)
#define VM_WARN_ON_ONCE_VMA(cond, vma)		__VM_NOTHING(cond, vma)
#define VM_WARN_ON_ONCE_MM(cond, mm)		__VM_NOTHING(cond, mm)

#endif

#endif
