/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_INVARIANTS_H
#define USERMM_INVARIANTS_H
/*
 * What the files that check invariants share: reporting, and arrays that grow.
 */
#include <stdlib.h>
#include <stdlib.h>
#include "internal.h"

/* A sorted set, or a list, of fixed-size elements; by the C library. */
struct inv_array {
	void *data;
	size_t size;			/* of an element */
	size_t nr, max;
};

struct inv_check {
	struct um_world *world;
	bool no_memory;			/* incomplete: nothing can be concluded */
	const struct mm_struct *mm;	/* being looked at, and the VMA found there last */
	struct vm_area_struct *vma;
	long nr_anon, nr_swap;		/* entries of that mm, in pages */
	struct inv_array slots;		/* unsigned long: a swap slot per entry */
	unsigned int *ptes;		/* by pfn: PTEs that map the page */
	unsigned int *pmds;		/* by pfn of a head: PMDs that map the folio */
	unsigned long max_pfn;
	struct inv_array anon_vmas;	/* struct inv_anon_vma */
	struct inv_array chains;	/* struct anon_vma_chain * */
	struct inv_array words;		/* struct inv_word */
};

#define inv_broken(check, fmt, ...) \
	oracle_finding((check)->world, "invariant " fmt, ##__VA_ARGS__)

/* Room at the end for one more element, or NULL. */
void *inv_push(struct inv_check *check, struct inv_array *array);

/* The C library wants an array even where it will not look at it. */
static inline void inv_sort(struct inv_array *array, int (*compare)(const void *, const void *))
{
	if (array->nr)
		qsort(array->data, array->nr, array->size, compare);
}

static inline void *inv_find(const struct inv_array *array, const void *key,
			     int (*compare)(const void *, const void *))
{
	return array->nr ? bsearch(key, array->data, array->nr, array->size, compare) : NULL;
}

/* VMA trees, chains, anon_vmas: invariants 3, 4 and, for these, 7. */
void check_topology(struct inv_check *check);

#endif
