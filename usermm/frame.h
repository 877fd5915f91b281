/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_FRAME_H
#define USERMM_FRAME_H
/*
 * What only the page side of the user-space mm needs to know of page frames and
 * folios; the rest is in internal.h.
 */
#include "internal.h"

/*
 * How often folio_alloc() has failed in this thread: tells a lack of pages, for which
 * reclaim is good, from other failures.
 */
unsigned long frames_failures(void);
/* To the cold end of the LRU, if the folio is on it. */
void lru_deactivate(struct um_world *world, struct folio *folio);

/**
 * folio_ref_freeze - take all references away at once
 * @folio: on which the caller accounts for @expected references
 * @expected: how many there should be
 *
 * On success nobody else has one, and nobody can get one by folio_try_get()
 * until folio_ref_unfreeze(). Fully ordered: what those who had a reference did
 * before they dropped it is seen.
 */
static inline bool folio_ref_freeze(struct folio *folio, int expected)
{
	return atomic_cmpxchg(&folio->_refcount, expected, 0) == expected;
}

static inline void folio_ref_unfreeze(struct folio *folio, int count)
{
	/*
	 * Release: pairs with the full barrier of a successful folio_try_get().
	 * Without it that caller could see the folio as it was before it changed.
	 */
	atomic_set_release(&folio->_refcount, count);
}

/* References that the swap cache holds: one for each slot. */
static inline int folio_swapcache_refs(const struct folio *folio)
{
	return test_bit(PG_swapcache, &folio->flags) ? folio_nr_pages(folio) : 0;
}

static inline bool folio_test_swapcache(const struct folio *folio)
{
	return test_bit(PG_swapcache, &folio->flags);
}

#endif
