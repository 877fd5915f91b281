/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The restoring walk of a migration stops early: note and copy clock against fork.
 *
 *	mm 0 (owner) --> mm 1 --> mm 2
 *
 * A page is mapped in mm 0 and in mm 1. A migration turns the entries into migration
 * entries and counts them, then restores them, and stops when it has restored as many and
 * the copy clock has not moved. Meanwhile mm 1 forks mm 2, and mm 0 and mm 1 may drop
 * their entries. Shown: after the restoring walk no migration entry is left anywhere.
 *
 * Weak memory: the clock is read and moved without order of its own. Reading it for the
 * note may sink into the first hold of a PTE lock; what keeps it before the install's
 * unlock is that unlock. Reading it at the end is after the lock of the last entry.
 *
 * Stands for:
 *	core/include/linux/rmap_walk.h: migration_note_begin(), migration_note_installed(),
 *		migration_entry_copied(), migration_note_complete()
 *	usermm/copy.c: copy_ptes(), copy_nonpresent()
 *	usermm/migrate.c: install_entry(), try_to_migrate(), restore_migration_entries()
 */
#include "primitives.h"

#define MMS	3

mtype = { NOTHING, PRESENT, MIGRATION };

mtype pte[MMS] = NOTHING;
bool ptl[MMS];
bool linked = false;		/* mm 2; the others have been there before */
byte copy_clock;

inline tick()
{
#ifndef NO_CLOCK
	copy_clock++
#else
	skip
#endif
}

/* lazy_anon_vma_fork_mm(), copy_ptes() */
proctype fork()
{
	bool copied;

	linked = true;
#ifdef CLOCK_AT_LINK
	copy_clock++;
#endif
	spin_lock(ptl[2]);
	spin_lock(ptl[1]);
	copied = (pte[1] == MIGRATION);
#if !defined(CLOCK_AT_LINK) && !defined(CLOCK_AFTER_UNLOCK)
	if
	:: copied -> tick()
	:: else
	fi;
#endif
	pte[2] = pte[1];
	spin_unlock(ptl[1]);
	spin_unlock(ptl[2]);
#ifdef CLOCK_AFTER_UNLOCK
	if
	:: copied -> tick()
	:: else
	fi
#endif
}

/* MADV_DONTNEED of mm n, or nothing. */
proctype zap(byte n)
{
	if
	:: spin_lock(ptl[n]); pte[n] = NOTHING; spin_unlock(ptl[n])
	:: skip
	fi
}

inline install(n)
{
	spin_lock(ptl[n]);
	if
	:: !noted -> note = copy_clock; noted = true
	:: skip
	fi;
	if
	:: pte[n] == PRESENT ->
		pte[n] = MIGRATION;
		count++
	:: else
	fi;
#ifndef NOTE_AFTER_INSTALL
	if
	:: !noted -> note = copy_clock; noted = true
	:: else
	fi;
#endif
	spin_unlock(ptl[n])
}

inline restore(n)
{
#ifdef CHECK_BEFORE_LOCK
	now = copy_clock;
#endif
	spin_lock(ptl[n]);
	if
	:: pte[n] == MIGRATION ->
		pte[n] = PRESENT;
		restored++
	:: else
	fi;
	spin_unlock(ptl[n]);
#ifndef CHECK_BEFORE_LOCK
	now = copy_clock;
#endif
	/* migration_note_complete() */
	if
#ifdef STOP_AT_COUNT
	:: count > 0 && restored >= count -> goto stop
#else
	:: count > 0 && restored >= count && now == note -> goto stop
#endif
	:: else
	fi
}

proctype migrate()
{
	byte count, restored, note, now;
	bool noted = false;

	/* try_to_migrate() */
#ifndef NOTE_AFTER_INSTALL
	if
	:: note = copy_clock; noted = true
	:: skip
	fi;
#else
	noted = true;
#endif
	install(0);
	install(1);
	if
	:: linked -> install(2)
	:: else
	fi;
#ifdef NOTE_AFTER_INSTALL
	note = copy_clock;
#endif

	/* remove_migration_ptes() */
	restore(0);
	restore(1);
	if
	:: linked -> restore(2)
	:: else
	fi;
stop:	assert(pte[0] != MIGRATION && pte[1] != MIGRATION && pte[2] != MIGRATION)
}

init {
	atomic {
		pte[0] = PRESENT;
		pte[1] = PRESENT;
		run migrate();
		run fork();
		run zap(0);
		run zap(1)
	}
}
