/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_RMAP_PAGES_H
#define USERMM_RMAP_PAGES_H
/* Walks of the reverse map that several files of the page side use. */
#include "internal.h"

/* For ->done: nothing is left to be found. */
static inline int folio_not_mapped(struct folio *folio)
{
	return !folio_mapped(folio);
}

/**
 * struct migration_restore - what restores migration entries, and how far it got
 * @from: first page that the entries name
 * @nr: how many pages they name
 * @to: the page that takes the place of @from, the next that of the next
 * @note: from try_to_migrate()
 * @stop: the walk may end early, see migration_note_complete()
 * @restored: pages, so far
 */
struct migration_restore {
	const struct page *from;
	unsigned long nr;
	struct page *to;
	migration_note_t note;
	bool stop;
	unsigned long restored;
};

/* In one VMA, from addr on. Returns false when all is done. migrate.c */
bool restore_migration_entries(struct migration_restore *restore, struct vm_area_struct *vma,
			       unsigned long addr);

#endif
