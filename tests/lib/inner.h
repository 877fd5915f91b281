/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_LIB_INNER_H
#define TESTS_LIB_INNER_H
/*
 * A look inside: what is at an address. The world stands still there, so nothing is held
 * when these return. Whatever must be there and is not fails the test.
 */
#include "lib/um_test.h"
#include "internal.h"

/* mmap_lock is taken for reading, and dropped. */
struct vm_area_struct *vma_at(struct mm_struct *mm, uint64_t addr);
/* What the word of that VMA names; NULL if it has none. */
struct anon_vma *anon_vma_at(struct mm_struct *mm, uint64_t addr);
/* The entry, of a huge page too; 0 if there is none. */
pte_t entry_at(struct mm_struct *mm, uint64_t addr);
/* Of a page that is present, small or huge. */
struct folio *folio_at(struct mm_struct *mm, uint64_t addr);
/* How many objects of a kind there are, once RCU has freed its own. */
uint64_t live(struct t *t, enum um_object object);

#endif
