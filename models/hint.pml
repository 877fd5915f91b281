/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMA that a walk found last by its address, kept for the next walk: ->hint.
 *
 * An anon_vma serves two mms (0 and 1, which joined), each with one VMA in place at the same
 * addresses, 0 and 1. A mutator takes a VMA's second page away (it moves to where walks
 * find it in another way), then unmaps the VMA and frees it. Two walks look for page 0 or 1
 * in both mms. Shown: a walk uses no VMA that was freed, none in which the page is not,
 * none of another mm, none that was not set up; and it finds the page where it is.
 *
 * Weak memory: a VMA gets into the tree, and is faulted, without the rwsem, so another walk
 * may come by it while this one stands: release and acquire of ->hint, with an address
 * dependency after it. That is a chain over three processors: litmus hint-publish.
 *
 * Stands for:
 *	core/anon_vma_lazy_walk.c: lazy_walk_mm(), lazy_walk_tree()
 *	core/anon_vma_lazy.c: lazy_anon_vma_changed()
 *	core/include/linux/anon_vma_tree.h: anon_vma_tree_unlock_write()
 */
#include "primitives.h"

#define NONE	7
#ifndef WALKS
#define WALKS	2
#endif

rwsem sem;
byte hint = NONE;		/* a VMA is known by its mm */
byte end[2] = 2;		/* where the VMA of that mm ends; its start is 0 */
bool in_tree[2] = true;
bool freed[2];

/* anon_vma_tree_unlock_write(): lazy_anon_vma_changed() */
inline unlock_write()
{
#if defined(CLEAR_AFTER_UNLOCK)
	up_write(sem);
	hint = NONE
#elif defined(NO_CLEAR)
	up_write(sem)
#else
	hint = NONE;
	up_write(sem)
#endif
}

proctype mutate(byte n)
{
	/* Another VMA takes its second page; or not. */
	if
	:: down_write(sem);
	   end[n] = 1;
	   unlock_write()
	:: skip
	fi;
	/* lazy_anon_vma_detach(), and what comes after it */
	down_write(sem);
	in_tree[n] = false;
	unlock_write();
	freed[n] = true
}

/* lazy_walk_mm(), lazy_walk_tree() */
inline look_for(page, m)
{
	vma = hint;
	if
#ifdef NO_MM_CHECK
	:: vma != NONE ->
#else
	:: vma != NONE && vma == m ->
#endif
		assert(!freed[vma]);
#ifndef NO_END_CHECK
		if
		:: page >= end[vma] -> vma = NONE
		:: else
		fi
#endif
	:: else -> vma = NONE
	fi;
	if
	:: vma == NONE && in_tree[m] && page < end[m] ->
		vma = m;
#ifdef STORE_LATE
		late = m
#else
		hint = m
#endif
	:: else
	fi;
	/* The walk's visit: the rwsem keeps all of this as it is. */
	if
	:: vma != NONE -> assert(vma == m && in_tree[m] && !freed[m] && page < end[m])
	:: else -> assert(!in_tree[m] || page >= end[m])
	fi
}

proctype walk()
{
	byte page, vma, late = NONE;

	if
	:: page = 0
	:: page = 1
	fi;
	down_read(sem);
	look_for(page, 0);
	/* All is found; or not. */
	if
	:: look_for(page, 1)
	:: skip
	fi;
	up_read(sem);
#ifdef STORE_LATE
	if
	:: late != NONE -> hint = late
	:: else
	fi
#endif
}

init {
	byte i, n;

	atomic {
		for (i : 1 .. WALKS) {
			run walk()
		}
		select(n : 0 .. 1);
		run mutate(n)
	}
}
