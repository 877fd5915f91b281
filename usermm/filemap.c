// SPDX-License-Identifier: GPL-2.0
/*
 * The page cache of simulated files: one page per offset, made when it is first
 * mapped, kept as long as the file. Not on the LRU: there is nowhere to write it.
 */
#include "internal.h"

/**
 * file_initial_content - what a page holds before anybody wrote to it
 * @file: the file
 * @pgoff: page of it
 *
 * Zero for memory without a file behind it; else a value that tells file and page.
 */
u64 file_initial_content(const struct um_file *file, pgoff_t pgoff)
{
	u64 x;

	if (file->kind != UM_FILE_REGULAR)
		return 0;
	/* The finaliser of splitmix64: neighbours get unlike values. */
	x = ((u64)file->id << 40) + pgoff + 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/**
 * file_get_folio - a page of a file
 * @file: the file
 * @pgoff: page of it
 *
 * Context: may sleep; takes file->lock. Returns the folio with a reference, or NULL
 * when there is no memory.
 */
struct folio *file_get_folio(struct um_file *file, pgoff_t pgoff)
{
	struct folio *folio;

	mutex_lock(&file->lock);
	folio = mtree_load(&file->pages, pgoff);
	if (!folio) {
		folio = folio_alloc(file->world, 0);
		if (!folio)
			goto out;
		set_bit(PG_file, &folio->flags);
		set_bit(PG_uptodate, &folio->flags);
		WRITE_ONCE(folio->content, file_initial_content(file, pgoff));
		WRITE_ONCE(folio->index, pgoff);
		/* Aligned: not anonymous. */
		WRITE_ONCE(folio->mapping, file);
		if (mtree_store(&file->pages, pgoff, folio, GFP_KERNEL)) {
			folio_put(file->world, folio);
			folio = NULL;
			goto out;
		}
	}
	folio_get(folio);
out:
	mutex_unlock(&file->lock);
	return folio;
}

/* Nobody maps the file any more. May sleep. */
void file_drop_pages(struct um_file *file)
{
	unsigned long index = 0;
	struct folio *folio;

	mt_for_each(&file->pages, folio, index, ULONG_MAX)
		folio_put(file->world, folio);
	mtree_destroy(&file->pages);
}
