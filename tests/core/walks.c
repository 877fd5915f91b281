// SPDX-License-Identifier: GPL-2.0
/* Walks: with locks, without, and with siblings in their way. */
#include <pthread.h>
#include "core_tests.h"

/* -- With locks, and without ----------------------------------------------------------- */

static void walk_ends_early(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { .stop_after = 2 };
	struct rmap_walk_control rwc = { .arg = &visits, .rmap_one = visit };
	int i;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	for (i = 0; i < 5; i++)
		t_fork(mm);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 6);
	rmap_walk_anon(folio_at(mm, BASE), &rwc, false);
	assert_int_equal(visits.nr, 2);
	/* Everything it held has been let go of. */
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 6);
	t_unmap(mm, BASE, 1);
}

static void lockless_for_simple_owners(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct um_stats before, after;
	struct visits visits;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	before = t_stats(t);
	visits = walk_maybe_lockless(folio_at(mm, BASE + PG), 0);
	after = t_stats(t);
	assert_int_equal(visits.nr, 1);
	assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
	assert_int_equal(visits.address[0], BASE + PG);
	assert_int_equal(visits.restarts, 0);
	assert_int_equal(after.lockless, before.lockless + 1);
	assert_int_equal(after.lockless_fallbacks, before.lockless_fallbacks);
	/* Without restart nobody has said that callbacks may run twice: locks. */
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 1);
	assert_int_equal(t_stats(t).lockless, after.lockless);
}

static void lockless_looks_again(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct um_stats before, after;
	struct visits visits;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	before = t_stats(t);
	visits = walk_maybe_lockless(folio_at(mm, BASE), 1);
	after = t_stats(t);
	assert_int_equal(visits.nr, 1);
	assert_int_equal(visits.restarts, 1);
	assert_int_equal(after.lockless, before.lockless + 1);
	assert_int_equal(after.lockless_retries, before.lockless_retries + 1);
	/* Again and again: then it takes the lock, and starts over for that. */
	visits = walk_maybe_lockless(folio_at(mm, BASE), 3);
	assert_int_equal(visits.nr, 1);
	assert_int_equal(visits.restarts, 3);
	assert_int_equal(t_stats(t).lockless, after.lockless);
	assert_int_equal(t_stats(t).lockless_fallbacks, after.lockless_fallbacks + 1);
	assert_int_equal(t_stats(t).lockless_retries, after.lockless_retries + 2);
}

/* A word that changed meanwhile, as KSM changes it, voids what was seen. */
static void lockless_not_if_the_word_changes(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { .new_word = (void *)PAGE_MAPPING_KSM };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read,
		.restart = visits_restart };
	struct um_stats before, after;
	struct folio *folio;
	void *word;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	folio = folio_at(mm, BASE);
	word = folio->mapping;
	before = t_stats(t);
	rmap_walk_anon(folio, &rwc, false);
	after = t_stats(t);
	WRITE_ONCE(folio->mapping, word);
	assert_int_equal(visits.nr, 0);
	assert_int_equal(visits.restarts, 1);
	assert_int_equal(after.lockless, before.lockless);
	assert_int_equal(after.lockless_fallbacks, before.lockless_fallbacks + 1);
	assert_int_equal(walk_maybe_lockless(folio, 0).nr, 1);
}

/* Children, a displaced VMA, half a fork, a batch of detached VMAs: locks. */
static void lockless_not_for_others(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct folio *folio;
	uint64_t lockless;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	folio = folio_at(mm, BASE);
	child = t_fork(mm);
	assert_locks(t, folio, 2);
	um_exit(child);
	lockless = t_stats(t).lockless;
	walk_maybe_lockless(folio, 0);
	assert_int_equal(t_stats(t).lockless, lockless + 1);

	t_map(mm, FAR, 4);
	t_write(mm, FAR, 4, 200);
	t_move(mm, FAR, 4, FAR + 64 * PG, 0);
	assert_locks(t, folio, 1);
	assert_locks(t, folio_at(mm, FAR + 64 * PG), 1);
	t_unmap(mm, FAR + 64 * PG, 4);
	lockless = t_stats(t).lockless;
	walk_maybe_lockless(folio, 0);
	assert_int_equal(t_stats(t).lockless, lockless + 1);

	anon_vma_fork_failed(mm, BASE + 4 * PG);
	assert_locks(t, folio, 1);
	anon_vma_fork_failed(mm, ULONG_MAX);
	lockless = t_stats(t).lockless;
	walk_maybe_lockless(folio, 0);
	assert_int_equal(t_stats(t).lockless, lockless + 1);
}

/* While a mutator is at work nobody goes without the lock. */
static void lockless_not_under_a_mutator(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read,
		.restart = visits_restart, .try_lock = true };
	anon_vma_tree_t tree;
	uint64_t lockless;
	struct folio *folio;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	folio = folio_at(mm, BASE);
	tree = vma_at(mm, BASE)->anon_vma;
	lockless = t_stats(t).lockless;
	anon_vma_tree_lock_write(tree);
	rmap_walk_anon(folio, &rwc, false);
	anon_vma_tree_unlock_write(tree);
	assert_true(rwc.contended);
	assert_int_equal(visits.nr, 0);
	assert_int_equal(t_stats(t).lockless, lockless);
}

/* Who got the lock without waiting is a mutator like any other; and leaves like one. */
static void lockless_after_a_trylock(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read,
		.restart = visits_restart, .try_lock = true };
	anon_vma_tree_t tree;
	uint64_t lockless;
	struct folio *folio;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	folio = folio_at(mm, BASE);
	tree = vma_at(mm, BASE)->anon_vma;
	lockless = t_stats(t).lockless;
	assert_true(anon_vma_tree_trylock_write(tree));
	rmap_walk_anon(folio, &rwc, false);
	anon_vma_tree_unlock_write(tree);
	assert_true(rwc.contended);
	assert_int_equal(visits.nr, 0);
	assert_int_equal(t_stats(t).lockless, lockless);
	assert_int_equal(walk_maybe_lockless(folio, 0).nr, 1);
	assert_int_equal(t_stats(t).lockless, lockless + 1);
}

const struct CMUnitTest walks_tests[] = {
	UM_TEST(walk_ends_early),
	UM_TEST_LAZY(lockless_for_simple_owners),
	UM_TEST_LAZY(lockless_looks_again),
	UM_TEST_LAZY(lockless_not_if_the_word_changes),
	UM_TEST_LAZY(lockless_not_for_others),
	UM_TEST_LAZY(lockless_not_under_a_mutator),
	UM_TEST_LAZY(lockless_after_a_trylock),
};
const size_t nr_walks_tests = ARRAY_SIZE(walks_tests);

/* -- Siblings in a walk's way ---------------------------------------------------------- */

#define CHILDREN	3

static void three_children(struct t *t, struct mm_struct **mm, struct mm_struct **child)
{
	int i;

	*mm = t_mm(t);
	t_map(*mm, BASE, 1);
	t_write(*mm, BASE, 1, 100);
	for (i = 0; i < CHILDREN; i++)
		child[i] = t_fork(*mm);
}

/* Whichever child's lock is not to be had, the walk ends in front of it, and says so. */
static void try_lock_of_each_sibling(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm, *child[CHILDREN];
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = { .arg = &visits, .rmap_one = visit, .try_lock = true };
	int i;

	three_children(t, &mm, child);
	for (i = 0; i < CHILDREN; i++) {
		anon_vma_lock_write(child[i]->anon_vma);
		visits.nr = 0;
		rwc.contended = false;
		rmap_walk_anon(folio_at(mm, BASE), &rwc, false);
		anon_vma_unlock_write(child[i]->anon_vma);
		assert_true(rwc.contended);
		assert_int_equal(visits.nr, 1 + i);
	}
	rwc.contended = false;
	visits.nr = 0;
	rmap_walk_anon(folio_at(mm, BASE), &rwc, false);
	assert_false(rwc.contended);
	assert_int_equal(visits.nr, 1 + CHILDREN);
}

/* Holds a child's lock until a walk has pinned it, and so waits. */
struct blocker {
	pthread_t thread;
	struct anon_vma *anon_vma;
	int count;
	bool blocks;
};

static void *block(void *arg)
{
	struct blocker *blocker = arg;
	anon_vma_tree_t tree = make_anon_vma_tree(blocker->anon_vma, ANON_VMA_TREE_LAZY);

	um_thread_register();
	anon_vma_tree_lock_write(tree);
	WRITE_ONCE(blocker->blocks, true);
	while (atomic_read(&blocker->anon_vma->refcount) == blocker->count)
		sched_yield();
	anon_vma_tree_unlock_write(tree);
	um_thread_unregister();
	return NULL;
}

/* A walk that waits for one child after the other visits all, and leaves nothing pinned. */
static void walk_waits_for_each_sibling(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm, *child[CHILDREN];
	struct blocker blocker[CHILDREN];
	struct visits visits;
	int i;

	three_children(t, &mm, child);
	for (i = 0; i < CHILDREN; i++) {
		blocker[i] = (struct blocker) {
			.anon_vma = child[i]->anon_vma,
			.count = atomic_read(&child[i]->anon_vma->refcount) };
		assert_int_equal(pthread_create(&blocker[i].thread, NULL, block, &blocker[i]), 0);
		while (!READ_ONCE(blocker[i].blocks))
			sched_yield();
	}
	visits = walk(folio_at(mm, BASE));
	for (i = 0; i < CHILDREN; i++)
		pthread_join(blocker[i].thread, NULL);
	assert_int_equal(visits.nr, 1 + CHILDREN);
	for (i = 0; i < CHILDREN; i++) {
		assert_ptr_equal(visits.vma[1 + i], vma_at(child[i], BASE));
		assert_true(lazy_anon_vma_is_valid(child[i]->anon_vma));
	}
	assert_true(lazy_anon_vma_is_valid(mm->anon_vma));
}

static void *put_last(void *anon_vma)
{
	um_thread_register();
	put_anon_vma(anon_vma);
	um_thread_unregister();
	return NULL;
}

/*
 * A child whose last reference has gone, and which waits to unlink itself, as we read-lock
 * it: a walk passes it by, waits for nothing, and goes on to the next one.
 */
static void dead_sibling_is_passed_by(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm, *child[CHILDREN];
	struct anon_vma *dead;
	struct visits visits;
	pthread_t thread;
	int i, left = CHILDREN;

	three_children(t, &mm, child);
	/* The second, then the first, of those who are left. */
	for (i = 1; i >= 0; i--) {
		dead = child[i]->anon_vma;
		get_anon_vma(dead);
		um_exit(child[i]);
		anon_vma_lock_read(dead);
		assert_int_equal(pthread_create(&thread, NULL, put_last, dead), 0);
		while (atomic_read(&dead->refcount))
			sched_yield();
		visits = walk(folio_at(mm, BASE));
		anon_vma_unlock_read(dead);
		pthread_join(thread, NULL);
		assert_int_equal(visits.nr, left--);
		assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
		assert_ptr_equal(visits.vma[visits.nr - 1], vma_at(child[2], BASE));
		assert_int_equal(live(t, UM_OBJ_ANON_VMA), 1 + left);
	}
}

const struct CMUnitTest siblings_tests[] = {
	UM_TEST_LAZY(try_lock_of_each_sibling),
	UM_TEST_QUIET_ON(walk_waits_for_each_sibling, "lazy"),
	UM_TEST_QUIET_ON(dead_sibling_is_passed_by, "lazy"),
};
const size_t nr_siblings_tests = ARRAY_SIZE(siblings_tests);
