/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CORE_TESTS_H
#define CORE_TESTS_H
/*
 * What the files of core_test share. Each has the tests of one subject, and a table of them,
 * or two where others come between: core_test.c has the order in which all are run.
 */
#include "lib/inner.h"

/* Far from BASE: 1 GiB, so that no table of PTEs has pages of both. */
#define FAR	(BASE + (1UL << 30))

/* What walks have visited, and what is to happen as they do: the arg of visit(). */
#define MAX_VISITS	64

struct visits {
	struct vm_area_struct *vma[MAX_VISITS];
	unsigned long address[MAX_VISITS];
	int nr, restarts;
	int disturb;		/* so many visits are followed by a change of the VMAs */
	int stop_after;		/* 0: never */
	struct vm_area_struct *unwanted;
	void *new_word;		/* the folio's mapping word becomes this; NULL: stays */
};

/* As rmap_one: notes the visit in the struct visits @arg, which says what else. Takes no lock. */
bool visit(struct folio *folio, struct vm_area_struct *vma, unsigned long address, void *arg);
/* As restart, with the same @arg: none visited so far. Takes no lock. */
void visits_restart(void *arg);
/* Visits of a walk that locks the owner, and others on its way, for read; gives all back. */
struct visits walk(struct folio *folio);
/* The same without lock where it may; @disturb of its visits are followed by a change. */
struct visits walk_maybe_lockless(struct folio *folio, int disturb);
/* Fails unless such a walk has @nr visits, and goes by locks from the start. Leaves none locked. */
void assert_locks(struct t *t, struct folio *folio, int nr);

/* Puts @entry in the VMA's place in its mm's tree. mmap_lock is held for write, and stays so. */
void store_vma(struct vm_area_struct *vma, void *entry);

/* siblings is of walks.c, forks of mms.c, waits of owners.c; the others are of their own files. */
extern const struct CMUnitTest words_tests[];
extern const size_t nr_words_tests;
extern const struct CMUnitTest walks_tests[];
extern const size_t nr_walks_tests;
extern const struct CMUnitTest siblings_tests[];
extern const size_t nr_siblings_tests;
extern const struct CMUnitTest mms_tests[];
extern const size_t nr_mms_tests;
extern const struct CMUnitTest forks_tests[];
extern const size_t nr_forks_tests;
extern const struct CMUnitTest detached_tests[];
extern const size_t nr_detached_tests;
extern const struct CMUnitTest lives_tests[];
extern const size_t nr_lives_tests;
extern const struct CMUnitTest owners_tests[];
extern const size_t nr_owners_tests;
extern const struct CMUnitTest waits_tests[];
extern const size_t nr_waits_tests;
extern const struct CMUnitTest corners_tests[];
extern const size_t nr_corners_tests;
extern const struct CMUnitTest regular_reuse_tests[];
extern const size_t nr_regular_reuse_tests;

#endif
