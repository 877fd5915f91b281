/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making an mm's anon_vma, and publishing a VMA's word, against each other and a walk.
 *
 * An mm without anon_vma. Two threads fault at once, each with its own VMA lock, or both
 * with the same: a VMA in place and a displaced one. A third forks: it makes the anon_vma,
 * too. A walk comes by folio->mapping. Shown: the mm gets one anon_vma, of which all see
 * the fields; a displaced VMA gets one chain entry, and who sees its word sees the entry;
 * who comes by a folio finds the VMA's word and the list of mms complete.
 *
 * Weak memory: a store-release is two stores whose order others see; without the release
 * they go in any order. The load of the word and that of the chain are independent loads:
 * without the acquire they go in any order.
 *
 * Stands for:
 *	core/anon_vma_lazy.c: lazy_displace_locked(), lazy_anon_vma_alloc(), lazy_mm_anon_vma(),
 *		lazy_anon_vma_prepare()
 *	core/include/linux/anon_vma_lazy.h: __vma_anon_pgoff(), vma_anon_pgoff(),
 *		anon_vma_numbering()
 *	usermm/anon.c: folio_set_owner()
 */
#include "primitives.h"

#define IDS	4		/* anon_vmas that may be made: 1 .. 3, by who makes them */
#define VMAS	2		/* 0: in place, 1: displaced */

byte mm_anon_vma;
bool fields[IDS];		/* initialised */
bool listed[IDS];		/* the mm is in ->mms */
byte freed;			/* how many lost */
bool page_table_lock;
rwsem sem[IDS];
byte word[VMAS];
byte chains;			/* entries of VMA 1 */
byte mapping[VMAS];		/* of a folio in each VMA */

/*
 * kmem_cache_alloc() to put_anon_vma(): lazy_mm_anon_vma(); result in mine. A word in place
 * that is stored next, IN_PLACE of them, needs a release of its own: that of mm->anon_vma, and
 * the unlocks, let it go ahead.
 */
inline make(me, in_place)
{
	/* smp_load_acquire(&mm->anon_vma): what follows depends on the address. */
	mine = mm_anon_vma;
	if
	:: mine -> skip
	:: else ->
#if defined(NO_PUBLISH_RELEASE) || defined(NO_IN_PLACE_RELEASE)
		skip;
#else
		fields[me] = true;
#endif
		down_write(sem[me]);
#ifndef NO_PAGE_TABLE_LOCK
		spin_lock(page_table_lock);
#endif
#ifdef NO_SECOND_LOOK
		mine = 0;
#else
		mine = mm_anon_vma;
#endif
		if
		:: !mine ->
			listed[me] = true;
#ifdef NO_IN_PLACE_RELEASE
			if
			:: in_place -> word[0] = me
			:: true
			fi;
			fields[me] = true;
#endif
			mm_anon_vma = me;
			mine = me;
#ifdef NO_PUBLISH_RELEASE
			fields[me] = true;
#endif
		:: else -> freed++
		fi;
#ifndef NO_PAGE_TABLE_LOCK
		spin_unlock(page_table_lock);
#endif
		up_write(sem[me])
	fi;
	assert(fields[mine] && listed[mine])
}

/* lazy_displace_locked() */
inline displace()
{
#ifdef NO_WORD_RELEASE
	if
	:: word[1] = mine; chains++
	:: chains++; word[1] = mine
	fi
#else
	chains++;
	word[1] = mine
#endif
}

/* lazy_anon_vma_prepare() */
inline prepare(me, vma)
{
	if
	:: word[vma] ->
		mine = word[vma];
		/* Its ->top may be the owner of what comes from swap: lazy_anon_vma_owner() */
		assert(fields[mine])
	:: else ->
		make(me, vma == 0);
		if
		:: vma == 0 -> word[0] = mine
		:: else ->
			down_write(sem[mine]);
#ifdef NO_WORD_RECHECK
			displace();
#else
			if
			:: !word[1] -> displace()
			:: else
			fi;
#endif
			up_write(sem[mine])
		fi
	fi
}

/* vma_anon_pgoff(), and anon_vma_numbering(), which asks ahead of a merge */
inline number(vma)
{
	if
	:: vma == 1 ->
#ifdef NO_WORD_ACQUIRE
		have = chains;
		seen = word[1];
#else
		seen = word[1];
		have = chains;
#endif
		if
		:: seen -> assert(have == 1)
		:: else
		fi
	:: else
	fi
}

/* A fault: prepare, number, map; folio_set_owner() is a release. */
proctype fault(byte me; byte vma)
{
	byte mine, seen, have;

#ifdef NO_MAPPING_RELEASE
	mine = 0;
	if
	:: !word[vma] && vma == 0 ->
		make(me, false);
		if
		:: mapping[vma] = mine; word[vma] = mine
		:: word[vma] = mine; mapping[vma] = mine
		fi
	:: else -> prepare(me, vma); mapping[vma] = mine
	fi
#else
	/* Somebody else's may be on its way: under the VMA lock one may look ahead. */
	number(vma);
	prepare(me, vma);
	number(vma);
	mapping[vma] = mine
#endif
}

proctype fork(byte me)
{
	byte mine;

	make(me, false);
	/* The word that it inherits names the anon_vma that it linked to. */
	assert(!word[0] || word[0] == mine)
}

proctype walk()
{
	byte owner;
	byte vma;

	if
	:: vma = 0
	:: vma = 1
	fi;
	owner = mapping[vma];
	if
	:: owner ->
		/* Address dependency, and the acquire of the rwsem. */
		assert(fields[owner]);
		down_read(sem[owner]);
		assert(listed[owner] && word[vma] == owner);
		assert(vma == 0 || chains == 1);
		up_read(sem[owner])
	:: else
	fi
}

init {
	byte vma, other;

	atomic {
		if
		:: vma = 0; other = 0
		:: vma = 0; other = 1
		:: vma = 1; other = 1
		fi;
		run fault(1, vma);
		run fault(2, other);
		run fork(3);
		run walk()
	}
	(_nr_pr == 1);
	/* One anon_vma, whatever names one names it. */
	assert(mm_anon_vma && (!word[0] || word[0] == mm_anon_vma));
	assert(word[vma] == mm_anon_vma && word[other] == mm_anon_vma);
	assert(mapping[vma] == mm_anon_vma && mapping[other] == mm_anon_vma);
	assert(chains == other)
}
