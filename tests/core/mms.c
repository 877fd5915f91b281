// SPDX-License-Identifier: GPL-2.0
/* Owners of several mms, and what an mm and its VMAs begin with, and keep of a fork. */
#include <string.h>
#include "core_tests.h"

/* -- Depth ----------------------------------------------------------------------------- */

static void depth_and_joins(void **state)
{
	struct mm_struct *mm[LAZY_ANON_VMA_MAX_DEPTH + 4];
	const int max = LAZY_ANON_VMA_MAX_DEPTH, nr = max + 4;
	struct t *t = *state;
	struct visits visits;
	int i;

	mm[0] = t_mm(t);
	t_map(mm[0], BASE, 1);
	t_write(mm[0], BASE, 1, 100);
	for (i = 1; i < nr; i++)
		mm[i] = t_fork(mm[i - 1]);
	for (i = 0; i < nr; i++) {
		struct anon_vma *anon_vma = mm[i]->anon_vma;

		assert_int_equal(lazy_anon_vma_depth(anon_vma), i < max ? i : max - 1);
		assert_true(lazy_anon_vma_is_valid(anon_vma));
		if (i && i < max)
			assert_ptr_equal(lazy_anon_vma_parent(anon_vma), mm[i - 1]->anon_vma);
		if (i >= max)
			assert_ptr_equal(anon_vma, mm[max - 1]->anon_vma);
	}
	assert_null(lazy_anon_vma_parent(mm[0]->anon_vma));
	assert_int_equal(t_stats(t).joins, nr - max);
	/* Owners that cover: ancestors and itself; not the one below. */
	assert_true(lazy_anon_vma_covers(mm[0]->anon_vma, vma_at(mm[nr - 1], BASE)));
	assert_true(lazy_anon_vma_covers(mm[nr - 1]->anon_vma, vma_at(mm[max - 1], BASE)));
	assert_true(lazy_anon_vma_covers(mm[5]->anon_vma, vma_at(mm[5], BASE)));
	assert_false(lazy_anon_vma_covers(mm[6]->anon_vma, vma_at(mm[5], BASE)));
	assert_ptr_equal(lazy_anon_vma_owner(vma_at(mm[7], BASE), true), mm[7]->anon_vma);
	assert_ptr_equal(lazy_anon_vma_owner(vma_at(mm[7], BASE), false), mm[0]->anon_vma);
	/* From the top on, each once, and in order of descent. */
	visits = walk(folio_at(mm[0], BASE));
	assert_int_equal(visits.nr, nr);
	for (i = 0; i < nr; i++)
		assert_ptr_equal(visits.vma[i], vma_at(mm[i], BASE));
	/* A page of one that has joined: all who have, and nobody else, can have it. */
	t_write(mm[nr - 1], BASE, 1, 200);
	assert_int_equal(walk(folio_at(mm[nr - 1], BASE)).nr, nr - max + 1);
	/* Such an owner serves several: no walk without locks. */
	assert_locks(t, folio_at(mm[nr - 1], BASE), nr - max + 1);
}

/* -- What is written down, whatever was there before ------------------------------------- */

/* A child's mm starts as a copy of its parent's. */
static void new_mm_is_on_no_list(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), copy;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	memcpy(&copy, mm, sizeof(copy));
	copy.anon_vma_limit = 0;
	lazy_anon_vma_init_mm(&copy);
	assert_null(copy.anon_vma);
	assert_true(list_empty(&copy.anon_vma_node));
	assert_int_equal(copy.anon_vma_limit, ULONG_MAX);
	assert_true(list_is_singular(mm->anon_vma_node.next));
}

/* As does a VMA, word and all: it has none of its own if there are no pages. */
static void copy_of_unfaulted_has_no_word(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct vm_area_struct *vma, *copy;
	anon_vma_tree_t tree;

	t_map(mm, BASE, 1);
	t_map(mm, FAR, 1);
	t_write(mm, FAR, 1, 100);
	tree = vma_at(mm, FAR)->anon_vma;
	vma = vma_at(mm, BASE);
	assert_int_equal(vma->anon_vma, 0);
	mmap_write_lock(mm);
	vma_start_write(vma);
	copy = vm_area_dup(vma);
	assert_non_null(copy);
	copy->anon_vma = tree;
	assert_int_equal(anon_vma_clone(copy, vma), 0);
	assert_int_equal(copy->anon_vma, 0);
	copy->anon_vma = tree;
	assert_int_equal(anon_vma_fork(copy, vma), 0);
	assert_int_equal(copy->anon_vma, 0);
	vm_area_free(copy);
	mmap_write_unlock(mm);
}

const struct CMUnitTest mms_tests[] = {
	UM_TEST_QUIET_ON(depth_and_joins, "lazy"),
	UM_TEST_LAZY(new_mm_is_on_no_list),
	UM_TEST_LAZY(copy_of_unfaulted_has_no_word),
};
const size_t nr_mms_tests = ARRAY_SIZE(mms_tests);

/* -- A fork that failed ---------------------------------------------------------------- */

static void fork_failed_limits_walks(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 4);
	t_map(mm, FAR, 4);
	t_write(mm, BASE, 4, 100);
	t_write(mm, FAR, 4, 200);
	child = t_fork(mm);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 2);
	assert_int_equal(walk(folio_at(mm, FAR)).nr, 2);
	anon_vma_fork_failed(child, FAR);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 2);
	assert_int_equal(walk(folio_at(mm, FAR)).nr, 1);
	anon_vma_fork_failed(child, BASE);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 1);
	anon_vma_fork_failed(child, 0);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 1);
	anon_vma_fork_failed(child, ULONG_MAX);
	assert_int_equal(walk(folio_at(mm, FAR)).nr, 2);
}

/* Visits when the child's tree has the parent's VMA in the place of the child's. */
static struct visits walk_with_parents_vma(struct mm_struct *mm, struct mm_struct *child)
{
	struct vm_area_struct *own = vma_at(child, BASE), *parents = vma_at(mm, BASE);
	struct visits visits;

	mmap_write_lock(child);
	/* The child's leaves the tree, as any VMA with a word does, under the write lock. */
	anon_vma_tree_lock_write(own->anon_vma);
	store_vma(own, parents);
	anon_vma_tree_unlock_write(own->anon_vma);
	visits = walk(folio_at(mm, BASE));
	store_vma(own, own);
	mmap_write_unlock(child);
	return visits;
}

/*
 * A child's tree that still holds the parent's VMA: known by vm_mm, and passed over. By
 * nothing else, where the child has joined its parent's anon_vma.
 */
static void parents_vma_in_the_childs_tree(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct visits visits;
	int i;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	child = t_fork(mm);
	visits = walk_with_parents_vma(mm, child);
	assert_int_equal(visits.nr, 1);
	assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));

	for (i = 1; i < LAZY_ANON_VMA_MAX_DEPTH; i++, mm = child)
		child = t_fork(mm);
	t_write(mm, BASE, 1, 200);
	child = t_fork(mm);
	assert_ptr_equal(child->anon_vma, mm->anon_vma);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 2);
	visits = walk_with_parents_vma(mm, child);
	assert_int_equal(visits.nr, 1);
	assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
}

/*
 * The VMA that a walk found last answers the next walk, for any page of it, until
 * something changes:
 *
 *	[ 0  1  2  3  4  5  6  7 ]	found by page 0, then by 7
 *	[ 0  1 ][ 2  3 ]    [6  7]	split, and unmapped in the middle
 */
static void hint_is_not_kept_over_changes(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	int page;

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	child = t_fork(mm);
	for (page = 0; page < 8; page += 7) {
		struct visits visits = walk(folio_at(mm, BASE + page * PG));

		assert_int_equal(visits.nr, 2);
		assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
		assert_ptr_equal(visits.vma[1], vma_at(child, BASE));
		assert_int_equal(visits.address[1], BASE + page * PG);
		assert_true(lazy_anon_vma_is_valid(mm->anon_vma));
	}
	t_protect(child, BASE + 2 * PG, 2, PROT_READ);
	t_unmap(child, BASE + 4 * PG, 2);
	for (page = 0; page < 8; page++) {
		struct visits visits = walk(folio_at(mm, BASE + page * PG));
		bool unmapped = page == 4 || page == 5;

		assert_int_equal(visits.nr, unmapped ? 1 : 2);
		assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
		if (!unmapped)
			assert_ptr_equal(visits.vma[1], vma_at(child, BASE + page * PG));
		assert_true(lazy_anon_vma_is_valid(child->anon_vma));
	}
}

const struct CMUnitTest forks_tests[] = {
	UM_TEST_LAZY(fork_failed_limits_walks),
	UM_TEST_LAZY(parents_vma_in_the_childs_tree),
	UM_TEST_LAZY(hint_is_not_kept_over_changes),
};
const size_t nr_forks_tests = ARRAY_SIZE(forks_tests);
