/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_SWAP_H
#define USERMM_SWAP_H
/* What reclaim, migration and splitting need of the swap cache besides internal.h. */
#include "frame.h"

static inline unsigned long folio_swap_slot(const struct folio *folio)
{
	return READ_ONCE(folio->private) - 1;
}

/*
 * An entry is made for a slot, of a KSM page or not: is it to be marked as KSM? Also, if one
 * that was KSM ever named the slot: the page may have been read in since by one process,
 * and swapped out again, while unrelated ones still have entries.
 */
bool swap_slot_ksm(struct um_world *world, unsigned long slot, bool ksm);
/* An entry goes that names a slot; if it was the last, so does the page in the cache. ptl held. */
void swap_zap(struct um_world *world, unsigned long slot);
/* A mapping went: leave the cache if there was no other, and no entry. ptl or reference held. */
void swap_zap_cache(struct um_world *world, struct folio *folio);

/* All of these: folio locked, in the swap cache, the caller has one reference. */

/* Write contents to the slots and leave the cache, if nobody else has a reference. */
bool swap_write_out(struct um_world *world, struct folio *folio);
/* dst takes the place of src, and its slots, with src frozen; else false. */
bool swap_cache_replace(struct um_world *world, struct folio *src, struct folio *dst);
/* Freeze a large folio and give each of its pages its own slot. */
bool swap_cache_split(struct um_world *world, struct folio *folio);

#endif
