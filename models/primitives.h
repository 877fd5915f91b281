/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the models share: locks of the kernel as Promela, and how weak memory is
 * written down.
 *
 * Promela executes one statement of one process at a time, and everybody sees it at
 * once: sequential consistency. What weaker machines do beyond that is spelled out
 * where it can matter, and only there:
 *
 *  - Loads that nothing orders are put in one do-loop, in which each may come first
 *    (a later load that was done early). A barrier between them is a guard: the
 *    later one waits until the earlier one is done.
 *  - Stores that nothing orders are done in either order, in the same way.
 *  - A trylock that is an acquire is not one step: it looks at the lock, then takes
 *    it if it is still as it was, and loads that follow in the program may be done
 *    between the two, as on a machine with load-linked and store-conditional. (The
 *    kernel's memory model allows the same: only the load of an acquire operation
 *    is ordered before what follows, its store is not.)
 *  - A full barrier, or an operation that is one, is a step of its own.
 *  - What goes through a lock is in order: releasing hands over all that was done.
 *
 * A switch (-D...) takes one of the guards, or one step of the protocol, away. Each
 * switch must make the verification fail.
 */

/* -- spinlock ---------------------------------------------------------------------- */

#define spin_lock(l)	atomic { !(l) -> l = true }
#define spin_unlock(l)	l = false

/* -- rwsem: a queued writer keeps new readers out, as in Linux and in kshim --------- */

typedef rwsem {
	byte readers;
	bool writer;
	byte queued;	/* writers that wait */
	byte version	/* how often it was taken, for load-linked and store-conditional */
};

#define rwsem_is_locked(s)	(s.readers > 0 || s.writer || s.queued > 0)
#define may_read(s)		(!s.writer && s.queued == 0)

#define down_read(s)	atomic { may_read(s) -> s.readers++ }
#define up_read(s)	atomic { assert(s.readers > 0); s.readers-- }
#define down_write(s)	\
	s.queued++; \
	atomic { s.readers == 0 && !s.writer -> s.writer = true; s.queued-- }
#define up_write(s)	atomic { assert(s.writer); s.writer = false; s.version++ }
