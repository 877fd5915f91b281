// SPDX-License-Identifier: GPL-2.0
/* The owner of a folio: found, locked if nobody is in the way, or waited for. */
#include <pthread.h>
#include "core_tests.h"

/* -- From the folio to its owner ------------------------------------------------------- */

static void owner_of_unmapped_folio(void **state)
{
	struct t *t = *state;
	struct rmap_walk_control rwc = { 0 };
	struct mm_struct *mm = t_mm(t);
	struct anon_vma *anon_vma;
	struct folio *folio;

	t_map(mm, BASE, 2);
	t_write(mm, BASE, 2, 100);
	folio = folio_at(mm, BASE);
	folio_get(folio);
	anon_vma = folio_get_anon_vma(folio);
	assert_ptr_equal(anon_vma, anon_vma_at(mm, BASE));
	put_anon_vma(anon_vma);
	anon_vma = folio_lock_anon_vma_read(folio, &rwc);
	assert_non_null(anon_vma);
	anon_vma_unlock_read(anon_vma);
	assert_ptr_equal(anon_vma, anon_vma_at(mm, BASE));

	/* In the swap cache, kept by our reference: it names its owner, but is not mapped. */
	um_reclaim(t->world, 100);
	um_reclaim(t->world, 100);
	assert_false(folio_mapped(folio));
	assert_non_null(folio_anon_vma(folio));
	assert_null(folio_get_anon_vma(folio));
	assert_null(folio_lock_anon_vma_read(folio, &rwc));
	assert_false(rwc.contended);
	/* Mapped again, the same one. */
	t_expect(mm, BASE, 1, 100);
	assert_ptr_equal(folio_at(mm, BASE), folio);
	anon_vma = folio_get_anon_vma(folio);
	assert_ptr_equal(anon_vma, anon_vma_at(mm, BASE));
	put_anon_vma(anon_vma);

	/* Unmapped for good, and its owner gone. */
	um_exit(mm);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
	assert_null(folio_get_anon_vma(folio));
	assert_null(folio_lock_anon_vma_read(folio, NULL));
	folio_put(t->world, folio);
}

/* A page whose owner has changed: by COW reuse, by UFFDIO_MOVE. */
static void owner_changes(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct anon_vma *anon_vma;
	struct folio *folio;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	folio = folio_at(child, BASE);
	assert_ptr_equal(folio_anon_vma(folio), anon_vma_at(mm, BASE));
	t_unmap(mm, BASE, 1);
	t_write(child, BASE, 1, 200);
	assert_ptr_equal(folio_at(child, BASE), folio);
	anon_vma = folio_lock_anon_vma_read(folio, NULL);
	assert_non_null(anon_vma);
	anon_vma_unlock_read(anon_vma);
	assert_ptr_equal(anon_vma, anon_vma_at(child, BASE));
	assert_int_equal(walk(folio).nr, 1);
	t_map(child, FAR, 1);
	assert_int_equal(um_uffd_move(child, FAR, BASE, PG), 0);
	assert_ptr_equal(folio_at(child, FAR), folio);
	assert_int_equal(folio_pgoff(folio), FAR / PG);
	anon_vma = folio_get_anon_vma(folio);
	assert_ptr_equal(anon_vma, anon_vma_at(child, FAR));
	put_anon_vma(anon_vma);
}

/* Not of the page cache, and not anybody's. */
static void owner_of_file_page(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);
	uint64_t content;
	struct folio *folio;

	t_map_file(mm, BASE, 1, file, 0);
	assert_int_equal(um_read(mm, BASE, &content), 0);
	folio = folio_at(mm, BASE);
	assert_true(folio_mapped(folio));
	assert_null(folio_anon_vma(folio));
	assert_null(folio_get_anon_vma(folio));
	assert_null(folio_lock_anon_vma_read(folio, NULL));
	um_file_put(file);
}

/* A lock that is not to be had, of the owner and of a descendant: said, not waited for. */
static void try_lock_tells_contention(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = { .arg = &visits, .rmap_one = visit, .try_lock = true };
	struct anon_vma *owner;
	bool contended = false;
	struct folio *folio;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	folio = folio_at(mm, BASE);
	owner = anon_vma_at(mm, BASE);
	rmap_walk_anon(folio, &rwc, false);
	assert_false(rwc.contended);
	assert_int_equal(visits.nr, 2);

	anon_vma_lock_write(owner);
	visits.nr = 0;
	rmap_walk_anon(folio, &rwc, false);
	assert_true(rwc.contended);
	assert_int_equal(visits.nr, 0);
	rwc.contended = false;
	assert_null(folio_lock_anon_vma_read(folio, &rwc));
	assert_true(rwc.contended);
	folio_referenced(folio, false, &contended);
	assert_true(contended);
	anon_vma_unlock_write(owner);
	rwc.contended = false;
	contended = false;

	if (t->lazy) {
		anon_vma_lock_write(child->anon_vma);
		visits.nr = 0;
		rmap_walk_anon(folio, &rwc, false);
		assert_true(rwc.contended);
		assert_int_equal(visits.nr, 1);
		folio_referenced(folio, false, &contended);
		assert_true(contended);
		anon_vma_unlock_write(child->anon_vma);
	}
	rwc.contended = false;
	visits.nr = 0;
	rmap_walk_anon(folio, &rwc, false);
	assert_false(rwc.contended);
	assert_int_equal(visits.nr, 2);
}

/* A reader is no obstacle to a reader. */
static void try_lock_beside_a_reader(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = { .arg = &visits, .rmap_one = visit, .try_lock = true };
	anon_vma_tree_t tree;
	struct folio *folio;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	folio = folio_at(mm, BASE);
	tree = vma_at(mm, BASE)->anon_vma;
	anon_vma_tree_lock_read(tree);
	assert_false(anon_vma_tree_trylock_write(tree));
	rmap_walk_anon(folio, &rwc, false);
	anon_vma_tree_unlock_read(tree);
	assert_false(rwc.contended);
	assert_int_equal(visits.nr, 1);
	assert_true(anon_vma_tree_trylock_write(tree));
	assert_false(anon_vma_tree_trylock_read(tree));
	anon_vma_tree_unlock_write(tree);
}

const struct CMUnitTest owners_tests[] = {
	UM_TEST_QUIET_ON(owner_of_unmapped_folio, "lazy"),
	UM_TEST_QUIET_ON(owner_of_unmapped_folio, "regular"),
	UM_TEST_LAZY(owner_changes),
	UM_TEST_REGULAR(owner_changes),
	UM_TEST(owner_of_file_page),
	UM_TEST(try_lock_tells_contention),
	UM_TEST(try_lock_beside_a_reader),
};
const size_t nr_owners_tests = ARRAY_SIZE(owners_tests);

/* -- Waiting for an owner -------------------------------------------------------------- */

struct owner_waiter {
	struct folio *folio;
	struct anon_vma *got;
};

static void *wait_for_owner(void *arg)
{
	struct owner_waiter *waiter = arg;

	um_thread_register();
	waiter->got = folio_lock_anon_vma_read(waiter->folio, NULL);
	if (waiter->got)
		anon_vma_unlock_read(waiter->got);
	um_thread_unregister();
	return NULL;
}

/* Nothing is said of how to lock: then it waits, by a reference, which it drops again. */
static void owner_is_waited_for(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct owner_waiter waiter;
	struct anon_vma *owner;
	pthread_t thread;
	int count;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	owner = anon_vma_at(mm, BASE);
	count = atomic_read(&owner->refcount);
	waiter = (struct owner_waiter) { .folio = folio_at(mm, BASE) };
	anon_vma_lock_write(owner);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_owner, &waiter), 0);
	while (atomic_read(&owner->refcount) == count)
		sched_yield();
	anon_vma_unlock_write(owner);
	pthread_join(thread, NULL);
	assert_ptr_equal(waiter.got, owner);
	assert_int_equal(atomic_read(&owner->refcount), count);
	assert_true(anon_vma_trylock_write(owner));
	anon_vma_unlock_write(owner);
}

const struct CMUnitTest waits_tests[] = {
	UM_TEST_QUIET_ON(owner_is_waited_for, "lazy"),
	UM_TEST_QUIET_ON(owner_is_waited_for, "regular"),
};
const size_t nr_waits_tests = ARRAY_SIZE(waits_tests);
