/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KSHIM_SPIN_H
#define KSHIM_SPIN_H

/*
 * How often a waiter looks at a lock before it sleeps: about as long as the
 * sleep and the wake-up would take, a few microseconds.
 */
#define KSHIM_SPINS	64

#endif
