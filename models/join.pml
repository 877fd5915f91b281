/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bounded growth: children that join their parent's anon_vma, against a walk.
 *
 * One anon_vma serves the parent (mm 0). It forks mm 1, which forks mm 2; both join. mm 1
 * exits. A walk that unmaps a page goes through ->mms, in order, in one hold of the rwsem.
 * Shown: when the walk is over no mapping is left; a walk never stands on an mm that left.
 *
 * Stands for:
 *	core/anon_vma_lazy.c: lazy_anon_vma_fork_mm(), lazy_anon_vma_exit_mm()
 *	core/anon_vma_lazy_walk.c: lazy_anon_vma_walk_next(), lazy_walk_enter()
 *	usermm/copy.c: copy_ptes()
 *	usermm/fork.c: exit_mmap_locked()
 */
#include "primitives.h"

#define MMS	3
#define NONE	7

bool pte[MMS];			/* the page is mapped there */
bool ptl[MMS];
byte mms[MMS] = NONE;		/* ->mms, in order */
byte nr = 1;
bool gone[MMS];
rwsem sem;

/* list_add_tail(&mm->anon_vma_node, &parent->mms) */
inline add(n)
{
	atomic {
#ifdef JOIN_AT_HEAD
		mms[2] = mms[1];
		mms[1] = mms[0];
		mms[0] = n;
#else
		mms[nr] = n;
#endif
		nr++
	}
}

inline join(n)
{
	down_write(sem);
	add(n);
	up_write(sem)
}

inline copy(to, from)
{
	spin_lock(ptl[to]);
	spin_lock(ptl[from]);
	pte[to] = pte[from];
	spin_unlock(ptl[from]);
	spin_unlock(ptl[to])
}

inline fork(to, from)
{
#ifdef COPY_BEFORE_JOIN
	copy(to, from);
	join(to)
#else
	join(to);
	copy(to, from)
#endif
}

inline zap(n)
{
	spin_lock(ptl[n]);
	pte[n] = false;
	spin_unlock(ptl[n])
}

/* lazy_anon_vma_exit_mm() */
inline leave(n)
{
#ifndef EXIT_WITHOUT_LOCK
	down_write(sem);
#endif
	atomic {
		if
		:: mms[0] == n -> mms[0] = mms[1]; mms[1] = mms[2]
		:: mms[1] == n -> mms[1] = mms[2]
		:: mms[2] == n
		fi;
		mms[2] = NONE;
		nr--
	};
#ifndef EXIT_WITHOUT_LOCK
	up_write(sem);
#endif
	gone[n] = true
}

proctype parent()
{
	fork(1, 0);
	run child();
	zap(0)
}

proctype child()
{
	fork(2, 1);
#ifdef LEAVE_BEFORE_ZAP
	leave(1);
	zap(1)
#else
	zap(1);
	leave(1)
#endif
}

proctype walk()
{
	byte i = 0;

#ifndef WALK_WITHOUT_LOCK
	down_read(sem);
#endif
	do
	:: i == nr -> break
	:: else ->
		atomic { assert(mms[i] != NONE && !gone[mms[i]]) };
		if
		:: !pte[mms[i]]
		:: else ->
			spin_lock(ptl[mms[i]]);
			pte[mms[i]] = false;
			spin_unlock(ptl[mms[i]])
		fi;
		i++
	od;
	assert(!pte[0] && !pte[1] && !pte[2]);
#ifndef WALK_WITHOUT_LOCK
	up_read(sem)
#endif
}

init {
	atomic {
		mms[0] = 0;
		pte[0] = true;
		run parent();
		run walk()
	}
}
