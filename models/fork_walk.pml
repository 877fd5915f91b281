/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A child is linked before its first PTE is copied: fork against a walk.
 *
 *	parent (owner) --> child --> grandchild
 *
 * A page is mapped in the parent. The parent forks a child, then drops its own mapping;
 * the child forks a grandchild, then drops its mapping. A walk that unmaps the page goes
 * through all that it finds. Shown: when the walk is over, no mapping is left, whatever
 * was copied meanwhile.
 *
 * Weak memory: a walk passes by an entry that it sees empty without taking the PTE lock,
 * and by a list of children that it sees empty without taking tree_lock. Nothing but
 * smp_rmb() keeps the second look behind the first. The stores of fork are in order:
 * between the link and the entry that is seen empty lies an unlock of tree_lock.
 *
 * Stands for:
 *	core/anon_vma_lazy.c: lazy_anon_vma_fork_mm()
 *	core/anon_vma_lazy_walk.c: lazy_next(), lazy_anon_vma_walk_next()
 *	usermm/copy.c: copy_ptes()
 */
#include "primitives.h"

#define MMS	3

bool pte[MMS];			/* the page is mapped there */
bool ptl[MMS];
bool linked[MMS];		/* as a child of the one before */
bool tree_lock;

inline link(n)
{
	spin_lock(tree_lock);
	linked[n] = true;
	spin_unlock(tree_lock)
}

/* copy_ptes() */
inline copy(to, from)
{
	spin_lock(ptl[to]);
#ifdef COPY_WITHOUT_LOCK
	found = pte[from];
	pte[to] = found;
#else
	spin_lock(ptl[from]);
	pte[to] = pte[from];
	spin_unlock(ptl[from]);
#endif
	spin_unlock(ptl[to])
}

inline fork(to, from)
{
#ifdef LINK_AFTER_COPY
	copy(to, from);
	link(to)
#else
	link(to);
	copy(to, from)
#endif
}

/* MADV_DONTNEED, munmap, exit */
inline zap(n)
{
	spin_lock(ptl[n]);
	pte[n] = false;
	spin_unlock(ptl[n])
}

proctype parent()
{
	bool found;

	fork(1, 0);
	run child();
	zap(0)
}

proctype child()
{
	bool found;

	fork(2, 1);
	zap(1)
}

/* page_vma_mapped_walk(): an empty entry is passed by. */
inline visit(n)
{
	if
	:: !pte[n] -> skip
	:: else ->
		spin_lock(ptl[n]);
		pte[n] = false;
		spin_unlock(ptl[n])
	fi
}

proctype walk()
{
	byte at = 0;
	bool early = false, more;

#ifdef NO_RMB
	/* The look at the children may be done before that at the page table. */
	if
	:: early = true; more = linked[1]
	:: skip
	fi;
#endif
	visit(0);
	/* lazy_next(): a leaf that is its own subtree needs no lock. */
	if
	:: !early -> more = linked[1]
	:: else
	fi;
	do
	:: !more || at == MMS - 1 -> break
	:: else ->
		spin_lock(tree_lock);
		more = linked[at + 1];
		spin_unlock(tree_lock);
		if
		:: more -> at++;
#ifdef VISIT_PARENT_LAST
			skip
#else
			visit(at)
#endif
		:: else
		fi
	od;
#ifdef VISIT_PARENT_LAST
	do
	:: visit(at);
	   if
	   :: at == 0 -> break
	   :: else -> at--
	   fi
	od;
#endif
	assert(!pte[0] && !pte[1] && !pte[2])
}

init {
	atomic {
		pte[0] = true;
		run parent();
		run walk()
	}
}
