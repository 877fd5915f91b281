/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The walk without a lock: adjustment count, ->sole_mm, list of children.
 *
 * A page is mapped at one place of one mm. That mm moves it away by mremap (its VMA is
 * displaced then, and the mm is nobody's sole mm) and back again, forks a child and then
 * drops its own mapping, exits; the anon_vma's memory is then used for another mm. A walk
 * without a lock looks once. Shown: if it says that it is complete, it has seen the page,
 * or the page was gone for good, and it has not looked into the mm of another life; it never
 * looks into an mm that was freed, or that is not set up yet, nor at memory that is not an
 * anon_vma any more.
 *
 * Weak memory: the stores of a mutator between the two counts go in any order but for
 * the barriers of the sequence count. The loads of the walk go in any order but for the
 * barriers: the lookup depends on ->sole_mm by address, the page table on the lookup.
 *
 * Stands for:
 *	core/anon_vma_lazy.c: lazy_anon_vma_adjust_begin(), lazy_sole_mm(),
 *		lazy_anon_vma_changed(), lazy_anon_vma_fork_mm(), lazy_anon_vma_exit_mm()
 *	core/anon_vma_lazy_walk.c: lazy_walk_lockless_once(), lazy_rmap_walk_lockless()
 *	core/include/linux/anon_vma_tree.h: anon_vma_tree_lock_write(),
 *		anon_vma_tree_unlock_write()
 */
#include "primitives.h"

byte seq;			/* ->adjust */
byte sole = 1;			/* ->sole_mm; 2 is the mm of the next life */
bool has_child;			/* !list_empty(&->children) */
bool in_tree = true;		/* the VMA is where the page is looked for */
bool pte = true;		/* and so is the page */
bool ptl;
bool gone;			/* the page is not mapped anywhere any more */
bool freed;			/* mm 1 */
bool ready;			/* mm 2 */
bool memory_gone;		/* the anon_vma's, back at the page allocator */
bool in_rcu;

bool did_tree, did_pte, did_sole;	/* of change(), which one at a time is in */

/* The page, its VMA and ->sole_mm change, in any order; the page under its PTE lock. */
inline change(to)
{
	did_tree = false;
	did_pte = false;
	did_sole = false;
	do
	:: !did_tree -> d_step { in_tree = to; did_tree = true }
	:: !did_pte -> spin_lock(ptl); pte = to; did_pte = true; spin_unlock(ptl)
	:: !did_sole -> d_step { sole = to; did_sole = true }
	:: did_tree && did_pte && did_sole -> break
	od
}

/* anon_vma_tree_lock_write() .. unlock_write(); the rwsem is this process alone. */
inline adjust(to)
{
#if defined(NO_BEGIN_BARRIER)
	if
	:: seq++; change(to)
	:: change(to); seq++
	fi;
	seq++
#elif defined(NO_END_BARRIER)
	seq++;
	if
	:: change(to); seq++
	:: in_tree = to; seq++; spin_lock(ptl); pte = to; spin_unlock(ptl); sole = to
	fi
#elif defined(NO_COUNT)
	change(to)
#else
	seq++;
	change(to);
	seq++
#endif
}

/* call_rcu(): whoever may have seen it has left. */
proctype free_mm()
{
#ifndef FREE_WITHOUT_GRACE_PERIOD
	!in_rcu;
#endif
	freed = true
}

proctype free_memory()
{
	!in_rcu;
	memory_gone = true
}

proctype mutate()
{
	/* mremap, or not. */
	if
	:: adjust(0); adjust(1)
	:: skip
	fi;
	/* fork; MADV_DONTNEED does not take the rwsem. */
	if
	:: has_child = true;	/* its tree_lock, and then the copy: ordered */
	   spin_lock(ptl);
	   pte = false;
	   spin_unlock(ptl)
	:: gone = true;		/* exit: zapped under the PTE lock */
	   spin_lock(ptl);
	   pte = false;
	   spin_unlock(ptl);
	   seq++;
	   sole = 0;
	   seq++;
	   run free_mm();
	   if
	   :: run free_memory()
	   :: /* lazy_anon_vma_fork_mm() of somebody else, in the same memory. */
#ifdef NO_SOLE_RELEASE
		sole = 2;
		ready = true
#else
		ready = true;
		sole = 2
#endif
	   fi
	fi
}

/* lazy_rmap_walk_lockless(), one try. */
proctype walk()
{
	byte first, mm = 7;
	bool found = false, child, have_seq = false, have_child = false, have_again = false,
	     changed, child_again = false, unmapped, have_mapped, looked = false;

	in_rcu = true;
	/* A mapped folio's owner is memory that stays an anon_vma for this RCU section. */
#ifndef MAPPED_AFTER_COUNT_ONLY
	unmapped = gone;
	if
	:: unmapped -> goto out
	:: else
	fi;
#endif
	assert(!memory_gone);
#ifdef NO_READ_BARRIER
	/* The count may be read after what it stands for. */
	if
	:: first = seq; have_seq = true
	:: skip
	fi;
#else
	first = seq;
	have_seq = true;
	/* smp_rmb() */
#endif
	/* These three in any order. */
	have_mapped = false;
	do
#ifndef MAPPED_BEFORE_COUNT
	:: !have_mapped -> unmapped = gone; have_mapped = true
#else
	:: !have_mapped -> have_mapped = true
#endif
	:: mm == 7 -> mm = sole
	:: !looked -> child = has_child; looked = true
	:: have_mapped && mm != 7 && looked -> break
	od;
	if
	:: unmapped || mm == 0 || child || (have_seq && (first & 1)) -> goto out
	:: else
	fi;

	/* lazy_walk_lockless_once() */
	assert((mm == 1 && !freed) || (mm == 2 && ready));
#ifdef NO_RETRY_BARRIER
	/* What comes last may be read before the page table. */
	if
	:: changed = (seq != first); child_again = has_child; have_again = true
	:: skip
	fi;
#endif
	if
	:: mm == 1 && in_tree ->
		assert(!freed);
		if
		:: pte ->
			spin_lock(ptl);
			found = pte;
			spin_unlock(ptl)
		:: else
		fi
	:: else
	fi;
	if
	:: !have_seq -> first = seq
	:: else
	fi;
	if
	:: (first & 1) -> goto out
	:: else
	fi;
	/* read_seqcount_retry(): smp_rmb() first. */
	if
	:: !have_again ->
		changed = (seq != first);
		child_again = has_child
	:: else
	fi;
#ifdef NO_RETRY
	changed = false;
#endif
#ifdef NO_CHILD_RECHECK
	child_again = false;
#endif
	assert(changed || child_again || found || gone);
	assert(changed || child_again || mm == 1);
out:	in_rcu = false
}

init {
	atomic {
		run mutate();
		run walk()
	}
}
