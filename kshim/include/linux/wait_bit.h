/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_WAIT_BIT_H
#define _LINUX_WAIT_BIT_H
/*
 * Different implementation: locks that are one bit of a word whose other bits
 * are changed by atomic bit operations, such as the lock of a folio. Waiters
 * sleep on one of a few hashed queues. The names are our own.
 *
 * All of these locks are one class to the validator; a thread that holds several
 * takes the second with a trylock or with a subclass. Whoever locks unlocks.
 */
#include <linux/compiler.h>
#include <linux/types.h>

/**
 * kshim_bit_lock_nested - lock a bit
 * @word: the word
 * @bit: which bit of it
 * @subclass: see spin_lock_nested()
 *
 * May sleep. Does not touch the word after it has the lock.
 */
void kshim_bit_lock_nested(unsigned long *word, int bit, unsigned int subclass);

static inline void kshim_bit_lock(unsigned long *word, int bit)
{
	kshim_bit_lock_nested(word, bit, 0);
}

/* Does not sleep. Returns whether it got the lock. */
bool kshim_bit_trylock(unsigned long *word, int bit);

/* Does not sleep. The next owner may free the word. */
void kshim_bit_unlock(unsigned long *word, int bit);

/* By whomever; a snapshot. */
static inline bool kshim_bit_is_locked(const unsigned long *word, int bit)
{
	return (READ_ONCE(*word) >> bit) & 1;
}

/* With KSHIM_LOCKDEP, reports unless this thread holds the lock. */
#ifdef KSHIM_LOCKDEP
void kshim_bit_assert_held(const unsigned long *word, int bit);
#else
#define kshim_bit_assert_held(word, bit)	((void)sizeof(word), (void)sizeof(bit))
#endif

#endif
