// SPDX-License-Identifier: GPL-2.0
/* The slow path of <linux/refcount.h>. */
#include <linux/bug.h>
#include <linux/refcount.h>

void kshim_refcount_misused(refcount_t *r, enum kshim_refcount_misuse what)
{
	refcount_set(r, REFCOUNT_SATURATED);

	switch (what) {
	case KSHIM_REFCOUNT_OVERFLOW:
		WARN_ONCE(1, "refcount saturated: the object leaks");
		break;
	case KSHIM_REFCOUNT_FROM_ZERO:
		WARN_ONCE(1, "refcount raised from 0: use after free");
		break;
	case KSHIM_REFCOUNT_UNDERFLOW:
		WARN_ONCE(1, "refcount below 0: use after free");
		break;
	case KSHIM_REFCOUNT_LEAK:
		WARN_ONCE(1, "refcount reached 0 unnoticed: the object leaks");
		break;
	}
}
