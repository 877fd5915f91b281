/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a folio to its owner, against the last put, the wait for readers, the free,
 * and the next life of the same memory (R27, R29).
 *
 * Two objects of type-stable memory. The folio names object 0 and is mapped. It is
 * unmapped, or handed to object 1 (COW reuse, UFFDIO_MOVE), and object 0 is put. That
 * is then reused by another mm, whose life ends, too; or its page goes back after a
 * grace period. Two lookups: one takes
 * a reference, one the lock. They hold the folio, nothing else.
 *
 * Shown: what a lookup returns is the owner in the life in which it owned the mapped
 * folio, and stays so until it is given back; no lookup touches memory that is not an
 * anon_vma any more; who drops the last reference of a life finds that life's fields.
 *
 * Weak memory: the trylock is an acquire (see primitives.h), so both looks at the
 * folio that follow it may be done before it takes the lock; atomic_inc_not_zero()
 * is a full barrier; the fields and the count of a new life are two stores.
 *
 * Stands for:
 *	core/anon_vma_lazy.c: lazy_anon_vma_ctor(), lazy_anon_vma_init(), lazy_anon_vma_alloc(),
 *		lazy_anon_vma_release()
 *	core/regular.c: folio_get_anon_vma(), folio_lock_anon_vma_read()
 */
#include "primitives.h"

#define LOOKUPS	2

mtype = { LIVE, FREE, GONE };

mtype state = LIVE;		/* of object 0; object 1 lives on */
byte life = 1, fields = 1;	/* which life it is, and whose fields it has */
byte ref = 1;
rwsem sem;
byte word;			/* folio->mapping: 0 or 1, the object that it names */
bool mapped = true;
bool folio_lock;
byte holders;			/* lookups that returned object 0, until they give it back */
bool in_rcu[LOOKUPS];

#ifdef NO_RCU
#define rcu_read_lock(me)	skip
#else
#define rcu_read_lock(me)	in_rcu[me] = true
#endif
#define rcu_read_unlock(me)	in_rcu[me] = false
#define still_memory()		assert(state != GONE)

/* lazy_anon_vma_release(). */
inline release()
{
	/* ->parent, ->top, ->sibling, ... are used. */
	assert(fields == life);
#if defined(RELEASE_WITHOUT_WAIT)
	skip;
#elif defined(RELEASE_SHORTCUT)
	/* Only if somebody is seen to have it: as strong as the look is. */
	if
	:: rwsem_is_locked(sem) -> down_write(sem); up_write(sem)
	:: else
	fi;
#else
	down_write(sem);
	up_write(sem);
#endif
	atomic { assert(holders == 0 && state == LIVE); state = FREE }
}

inline put()
{
	atomic { assert(ref > 0 && state == LIVE); ref--; last = (ref == 0) };
	if
	:: last -> release()
	:: else
	fi
}

/* It is the owner, and will be until holders is lowered. */
inline found()
{
	atomic { assert(state == LIVE && life == 1); holders++ }
}

inline inc_not_zero(ok)
{
	atomic {
		still_memory();
		ok = (ref > 0);
		if
		:: ok -> ref++
		:: else
		fi
	}
}

/* folio_get_anon_vma(); its caller holds the folio lock, so the word stays. */
proctype get(byte me)
{
	bool ok, last, early, was_mapped;

	spin_lock(folio_lock);
	rcu_read_lock(me);
	if
	:: word == 0 && mapped ->
		early = false;
#ifdef GET_WITHOUT_BARRIER
		/* The look at the folio may be done before the count is taken. */
		if
		:: early = true; was_mapped = mapped
		:: skip
		fi;
#endif
		inc_not_zero(ok);
		if
		:: ok ->
			if
			:: early
			:: else -> was_mapped = mapped
			fi;
#ifdef GET_NO_RECHECK
			was_mapped = true;
#endif
			if
			:: was_mapped -> found(); rcu_read_unlock(me); holders--
			:: else -> rcu_read_unlock(me)
			fi;
			put()
		:: else -> rcu_read_unlock(me)
		fi
	:: else -> rcu_read_unlock(me)
	fi;
	spin_unlock(folio_lock)
}

/* folio_lock_anon_vma_read(); at most two rounds, the word changes once. */
proctype lock(byte me)
{
	bool ok, last, same, was_mapped, have_same, have_mapped;
	byte version;

again:	rcu_read_lock(me);
	if
	:: word == 1 || !mapped -> goto none
	:: else
	fi;
	still_memory();
	if
	:: may_read(sem) ->
		/* Both loads may be done between the trylock's load and its store. */
		version = sem.version;
		have_same = false;
		have_mapped = false;
		do
		:: !have_same -> same = (word == 0); have_same = true
		:: !have_mapped -> was_mapped = mapped; have_mapped = true
		:: break
		od;
		atomic {
			still_memory();
			if
			:: may_read(sem) && version == sem.version -> sem.readers++
			:: else -> goto none	/* fails for no reason, once in a while */
			fi
		};
		if
		:: !have_same -> same = (word == 0)
		:: else
		fi;
#ifdef LOCK_NO_RECHECK_WORD
		same = true;
#endif
		if
		:: !same -> atomic { still_memory(); up_read(sem) }; rcu_read_unlock(me); goto again
		:: else
		fi;
		if
		:: !have_mapped -> was_mapped = mapped
		:: else
		fi;
#ifdef LOCK_NO_RECHECK_MAPPED
		was_mapped = true;
#endif
		if
		:: !was_mapped -> atomic { still_memory(); up_read(sem) }; goto none
		:: else
		fi;
		found();
		rcu_read_unlock(me);
		/* The walk. */
		atomic { holders--; still_memory(); up_read(sem) };
		goto out
	:: else
	fi;

	/* We have to sleep. */
	inc_not_zero(ok);
	if
	:: !ok -> goto none
	:: else
	fi;
#ifndef PIN_NO_RECHECK_MAPPED
	if
	:: !mapped -> rcu_read_unlock(me); put(); goto out
	:: else
	fi;
#endif
	rcu_read_unlock(me);
	down_read(sem);
#ifndef PIN_NO_RECHECK_WORD
	if
	:: word == 1 -> up_read(sem); put(); goto again
	:: else
	fi;
#endif
	atomic { ref--; last = (ref == 0) };
	if
	:: !last -> found(); atomic { holders--; up_read(sem) }
	:: else ->
#ifdef LAST_PUT_UNDER_LOCK
		release();
		up_read(sem)
#else
		up_read(sem);
		release()
#endif
	fi;
	goto out;
none:	rcu_read_unlock(me);
out:	skip
}

/*
 * The owner's own mm exits, which takes the lock. A descendant still maps the folio:
 * it hands it over or unmaps it, and with it goes the last reference. Nobody has taken
 * this rwsem in between.
 */
proctype owner()
{
	bool last;

	down_write(sem);
	up_write(sem);
	if
	:: mapped = false		/* zapped under the PTE lock */
	:: spin_lock(folio_lock); word = 1; spin_unlock(folio_lock)	/* handed over, mapped */
	fi;
	put()
}

/* The memory's next life. */
proctype next_life()
{
	bool last, set;

end:	atomic { state == FREE && life == 1 -> state = LIVE; life = 2 };
	/*
	 * In whichever order others see these two: who drops the last reference comes
	 * after the put below, which is a full barrier.
	 */
	if
	:: ref = 1; fields = 2
	:: fields = 2; ref = 1
	fi;
	down_write(sem);
	up_write(sem);
	put()
}

/* Or it goes back to the page allocator. */
proctype slab_page()
{
	byte i;

end:	atomic { state == FREE -> i = 0 };
	/* A grace period: each lookup is seen outside at some time. */
	for (i : 0 .. LOOKUPS - 1) {
		!in_rcu[i]
	}
	atomic {
		if
		:: state == FREE -> state = GONE
		:: else
		fi
	}
}

init {
	atomic {
		run get(0);
		run lock(1);
		run owner();
		run slab_page();
		if
		:: run next_life()
		:: skip
		fi
	}
}
