/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stepping from sibling to sibling by trylock, without a reference, against release.
 *
 *	0 (owner, its mm is gone; locked by each walk, pinned only by one that has to wait)
 *	|-- 1	its mm exits
 *	`-- 2	its mm changes VMAs (write lock); then lives on, or exits
 *
 * A walk at a child holds that child's rwsem for read, and a reference only if it had to
 * sleep for the lock. Shown: no walk stands on an anon_vma that is unlinked or freed;
 * nobody uses a link to a freed one, or drops a parent's reference early; what lives
 * throughout is visited; nobody waits for ever.
 *
 * Weak memory: links and trylocks are used under tree_lock alone, which orders them. The
 * first look at the list of children goes without it; fork_walk.pml has that.
 *
 * Stands for:
 *	core/anon_vma_lazy.c: lazy_anon_vma_release(), lazy_anon_vma_exit_mm()
 *	core/anon_vma_lazy_walk.c: lazy_lock_from(), lazy_lock_child(), lazy_next(),
 *		lazy_walk_leave(), lazy_walk_step(), lazy_walk_wait()
 *	core/rmap_walk.c: anon_vma_walk_end()
 */
#include "primitives.h"

#define END	7
#define POISON	6
#define NODES	3
#ifndef WALKS
#define WALKS	2
#endif

rwsem sem[NODES];
byte ref[NODES];
bool freed[NODES];
byte next[NODES];		/* next[0] is the head of the list of children */
bool tree_lock;
byte standing[NODES];		/* walks that are there; for the asserts only */
bool lives;			/* 2 does not exit */

/* list_del(). */
inline unlink(n)
{
	atomic {
		if
		:: next[0] == n -> next[0] = next[n]
		:: else -> next[1] = next[n]
		fi;
		next[n] = POISON
	}
}

inline unlink_under_tree_lock(n)
{
	spin_lock(tree_lock);
	unlink(n);
	spin_unlock(tree_lock)
}

inline wait_and_unlink(n)
{
#if defined(UNLINK_THEN_WAIT)
	unlink_under_tree_lock(n);
	down_write(sem[n]);
	up_write(sem[n])
#elif defined(WAIT_THEN_UNLINK)
	down_write(sem[n]);
	up_write(sem[n]);
	unlink_under_tree_lock(n)
#else
	down_write(sem[n]);
	unlink_under_tree_lock(n);
	up_write(sem[n])
#endif
}

/* lazy_anon_vma_release(): the count of n is zero. */
inline release(n)
{
	do
	:: n != 0 ->
#ifdef PARENT_FIRST
		atomic { ref[0]--; last = (ref[0] == 0) };
#endif
		wait_and_unlink(n);
		atomic { assert(standing[n] == 0); freed[n] = true };
#ifndef PARENT_FIRST
		atomic { assert(ref[0] > 0); ref[0]--; last = (ref[0] == 0) };
#endif
		if
		:: last -> n = 0
		:: else -> break
		fi
	:: else ->
		down_write(sem[0]);
		up_write(sem[0]);
		atomic { assert(standing[0] == 0 && freed[1] && freed[2]); freed[0] = true };
		break
	od
}

inline put(n, tmp)
{
	atomic { assert(ref[n] > 0); ref[n]--; tmp = n; last = (ref[n] == 0) };
	if
	:: last -> release(tmp)
	:: else
	fi
}

/* lazy_walk_leave() */
inline leave()
{
	if
	:: at != 0 ->
		atomic { standing[at]--; up_read(sem[at]) };
		if
		:: pinned -> pinned = false; put(at, tmp)
		:: else
		fi
	:: else
	fi
}

/* atomic_inc_not_zero() */
#ifdef PIN_THE_DEAD
#define may_pin(n)	true
#else
#define may_pin(n)	(ref[n] > 0)
#endif

proctype walk()
{
	byte at = 0, pos, tmp;
	bool pinned = false, owner_pinned = false, wait, last, seen = false;

	do
	:: /* lazy_next(): a leaf that is its own subtree needs no lock. */
	   if
	   :: at == 0 && next[0] == END -> break
	   :: else
	   fi;
#ifdef LEAVE_FIRST
	   leave();
#endif
	   spin_lock(tree_lock);
	   atomic { assert(!freed[at] && next[at] != POISON); pos = next[at]; wait = false };
	   /* lazy_lock_from() */
	   do
	   :: pos == END -> break
	   :: else ->
		assert(!freed[pos]);
		if
		:: ref[pos] == 0 -> pos = next[pos]
		:: else ->
			if
			:: atomic { may_read(sem[pos]) -> sem[pos].readers++; standing[pos]++ };
			   break
			:: atomic {
				!may_read(sem[pos]) ->
				if
				:: may_pin(pos) -> ref[pos]++; wait = true
				:: else -> pos = next[pos]
				fi
			   };
			   if
			   :: wait -> break
			   :: else
			   fi
			fi
		fi
	   od;
	   spin_unlock(tree_lock);
	   if
#ifndef NO_OWNER_PIN
	   :: wait && !owner_pinned -> atomic { assert(ref[0] > 0); ref[0]++ }; owner_pinned = true
#endif
	   :: else
	   fi;
#ifdef NO_PIN
	   if
	   :: wait -> ref[pos]--
	   :: else
	   fi;
#endif
#ifdef SLEEP_HOLDING
	   if
	   :: wait -> atomic { may_read(sem[pos]) -> sem[pos].readers++; standing[pos]++ }
	   :: else
	   fi;
#endif
#ifndef LEAVE_FIRST
	   leave();
#endif
	   at = 0;
	   if
	   :: pos == END -> break
	   :: else
	   fi;
#ifndef SLEEP_HOLDING
	   if
	   :: wait ->
		atomic {
			may_read(sem[pos]) -> assert(!freed[pos]);
			sem[pos].readers++;
			standing[pos]++
		}
	   :: else
	   fi;
#endif
#ifndef NO_PIN
	   pinned = wait;
#endif
	   at = pos;
	   seen = seen || at == 2
	od;
	assert(seen || !lives);
	/* anon_vma_walk_end() */
#ifdef OWNER_PUT_UNDER_LOCK
	if
	:: owner_pinned -> put(0, tmp)
	:: else
	fi;
	atomic { standing[0]--; up_read(sem[0]) }
#else
	atomic { standing[0]--; up_read(sem[0]) };
	if
	:: owner_pinned -> put(0, tmp)
	:: else
	fi
#endif
}

/* lazy_anon_vma_exit_mm() */
inline leave_mm(n)
{
	down_write(sem[n]);
	up_write(sem[n]);
	put(n, tmp)
}

proctype exit_mm(byte n)
{
	byte tmp;
	bool last;

	leave_mm(n)
}

/* mprotect, munmap, ...; and then perhaps the end. */
proctype mutator()
{
	byte tmp;
	bool last;

	down_write(sem[2]);
	up_write(sem[2]);
	if
	:: !lives -> leave_mm(2)
	:: else
	fi
}

init {
	byte i;

	atomic {
		next[0] = 1;
		next[1] = 2;
		next[2] = END;
		ref[0] = 2;	/* the children; its own mm left before */
		ref[1] = 1;
		ref[2] = 1;
		if
		:: lives = true
		:: lives = false
		fi;
		for (i : 1 .. WALKS) {
			sem[0].readers++;
			standing[0]++;
			run walk()
		}
		run exit_mm(1);
		run mutator()
	}
}
