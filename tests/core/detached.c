// SPDX-License-Identifier: GPL-2.0
/*
 * Detached VMAs: taken out of their mm's tree, or about to be, and yet found by walks; and
 * who has to wait for a walk that has found them.
 */
#include <pthread.h>
#include "core_tests.h"

struct detached {
	struct anon_vma_detached batch;
	struct maple_tree vmas;
	struct mm_struct *mm;
};

static void begin_batch(struct detached *detached, struct vm_area_struct *first)
{
	detached->mm = first->vm_mm;
	mt_init(&detached->vmas);
	detached->batch = (struct anon_vma_detached) {
		.start = first->vm_start, .first = first, .vmas = &detached->vmas };
}

/* mmap_lock is held for write; by address. */
static void add_to_batch(struct detached *detached, struct vm_area_struct *vma)
{
	MA_STATE(mas, &detached->vmas, vma->vm_start, vma->vm_end - 1);

	detached->batch.end = vma->vm_end;
	vma_start_write(vma);
	assert_int_equal(mas_store_gfp(&mas, vma, GFP_KERNEL), 0);
}

/* mmap_lock is held for write. */
static void take_out_locked(struct detached *detached, struct vm_area_struct *vma)
{
	begin_batch(detached, vma);
	add_to_batch(detached, vma);
	anon_vma_detach(vma->vm_mm, &detached->batch);
}

/* mmap_lock stays held until put_back(). */
static void take_out(struct detached *detached, struct vm_area_struct *vma)
{
	mmap_write_lock(vma->vm_mm);
	take_out_locked(detached, vma);
}

static void put_back(struct detached *detached)
{
	anon_vma_reattach(detached->mm, &detached->batch);
	mtree_destroy(&detached->vmas);
	mmap_write_unlock(detached->mm);
}

/* Visits of a walk for an address. The owner need not be locked. */
static int walk_address(struct anon_vma *owner, unsigned long address, struct vm_area_struct *vma)
{
	struct vm_area_struct *found;
	struct anon_vma_walk w;
	int nr = 0;

	anon_vma_lock_read(owner);
	anon_vma_walk_begin_address(&w, owner, address);
	while ((found = anon_vma_walk_next(&w))) {
		assert_int_equal(w.address, address);
		nr += found == vma;
	}
	anon_vma_walk_end(&w, true);
	return nr;
}

/* Found once: in the tree, in both, in the list alone, and in the tree again. */
static void detached_is_found_once(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct vm_area_struct *vma;
	struct detached detached;
	struct folio *folio;
	int displaced;

	for (displaced = 0; displaced < 2; displaced++) {
		uint64_t at = displaced ? FAR : BASE;

		t_map(mm, BASE, 4);
		t_write(mm, BASE, 4, 100);
		t_map(mm, BASE + 64 * PG, 4);
		t_write(mm, BASE + 64 * PG, 4, 200);
		if (displaced)
			t_move(mm, BASE, 4, FAR, 0);
		child = t_fork(mm);
		vma = vma_at(mm, at);
		folio = folio_at(mm, at + PG);
		assert_int_equal(walk(folio).nr, 2);

		take_out(&detached, vma);
		assert_true(anon_vma_tree_detached(vma->anon_vma));
		assert_int_equal(anon_vma_tree_displaced(vma->anon_vma), displaced);
		assert_int_equal(walk(folio).nr, 2);
		assert_ptr_equal(walk(folio).vma[0], vma);
		assert_int_equal(walk(folio).address[0], at + PG);
		assert_int_equal(walk_address(mm->anon_vma, at + PG, vma), 1);
		assert_int_equal(walk_address(mm->anon_vma, at + 5 * PG, vma), 0);
		store_vma(vma, NULL);
		assert_int_equal(walk(folio).nr, 2);
		assert_int_equal(walk_address(mm->anon_vma, at + PG, vma), 1);
		/* The others stay where they are. */
		assert_int_equal(walk(folio_at(mm, BASE + 64 * PG)).nr, 2);
		store_vma(vma, vma);
		put_back(&detached);

		assert_false(anon_vma_tree_detached(vma->anon_vma));
		assert_int_equal(walk(folio).nr, 2);
		assert_int_equal(walk_address(mm->anon_vma, at + PG, vma), 1);
		um_exit(child);
		t_unmap(mm, at, 4);
		t_unmap(mm, BASE + 64 * PG, 4);
	}
}

/* Given back: not found, displaced or not. The walk without locks waits for that, too. */
static void detach_done_is_not_found(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct detached detached;
	struct vm_area_struct *vma;
	struct folio *folio;
	uint64_t lockless;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	vma = vma_at(mm, BASE);
	folio = folio_at(mm, BASE);
	lockless = t_stats(t).lockless;
	take_out(&detached, vma);
	assert_int_equal(walk_maybe_lockless(folio, 0).nr, 1);
	assert_int_equal(t_stats(t).lockless, lockless);
	anon_vma_detach_done(mm, &detached.batch);
	assert_int_equal(walk(folio).nr, 0);
	assert_int_equal(walk_address(mm->anon_vma, BASE, vma), 0);
	/* As it was, so that it can end. */
	anon_vma_detach(mm, &detached.batch);
	put_back(&detached);
	assert_int_equal(walk(folio).nr, 1);
}

/* VMAs without pages are nobody's business: no lock is taken for them. */
static void detach_of_unfaulted(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct detached detached;
	struct vm_area_struct *vma;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_map(mm, FAR, 4);
	vma = vma_at(mm, FAR);
	mmap_write_lock(mm);
	vma_start_write(vma);
	/* It would hang, if it wanted this. */
	anon_vma_lock_write(mm->anon_vma);
	take_out_locked(&detached, vma);
	assert_true(list_empty(&detached.batch.node));
	assert_int_equal(vma->anon_vma, 0);
	anon_vma_unlock_write(mm->anon_vma);
	put_back(&detached);
	assert_int_equal(vma->anon_vma, 0);
}

/* Of @nr VMAs the first has no pages, and the others have. */
static void detach_all_but_first_faulted(struct mm_struct *mm, int nr)
{
	struct vm_area_struct *vma[3];
	struct detached detached;
	uint64_t at;
	int i;

	for (i = 0; i < nr; i++) {
		at = BASE + 2 * i * PG;
		t_map(mm, at, 1);
		if (i)
			t_write(mm, at, 1, 100 * i);
		vma[i] = vma_at(mm, at);
	}
	mmap_write_lock(mm);
	begin_batch(&detached, vma[0]);
	for (i = 0; i < nr; i++)
		add_to_batch(&detached, vma[i]);
	anon_vma_detach(mm, &detached.batch);
	assert_int_equal(vma[0]->anon_vma, 0);
	for (i = 0; i < nr; i++)
		store_vma(vma[i], NULL);
	for (i = 1; i < nr; i++) {
		assert_true(anon_vma_tree_detached(vma[i]->anon_vma));
		assert_int_equal(walk_address(mm->anon_vma, BASE + 2 * i * PG, vma[i]), 1);
	}
	for (i = 0; i < nr; i++)
		store_vma(vma[i], vma[i]);
	put_back(&detached);
	for (i = 1; i < nr; i++)
		assert_int_equal(walk(folio_at(mm, BASE + 2 * i * PG)).nr, 1);
	t_unmap(mm, BASE, 2 * nr);
}

static void detach_after_unfaulted(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	detach_all_but_first_faulted(mm, 3);
	detach_all_but_first_faulted(mm, 2);
}

/*
 * R39: two processes that share an anon_vma unmap at the same time, so that it has two
 * batches. A walk looks into both.
 */
static void r39_two_batches_of_one_owner(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct vm_area_struct *vma[2];
	struct detached detached[2];
	struct folio *folio;
	int i;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 1);
	for (i = 1; i < LAZY_ANON_VMA_MAX_DEPTH; i++) {
		child = t_fork(mm);
		um_exit(mm);
		mm = child;
	}
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	assert_ptr_equal(child->anon_vma, mm->anon_vma);
	folio = folio_at(mm, BASE);
	vma[0] = vma_at(mm, BASE);
	vma[1] = vma_at(child, BASE);
	mmap_write_lock(mm);
	mmap_write_lock_nested(child, SINGLE_DEPTH_NESTING);
	for (i = 0; i < 2; i++) {
		take_out_locked(&detached[i], vma[i]);
		store_vma(vma[i], NULL);
	}
	assert_int_equal(walk(folio).nr, 2);
	for (i = 0; i < 2; i++) {
		assert_int_equal(walk_address(mm->anon_vma, BASE, vma[i]), 1);
		store_vma(vma[i], vma[i]);
	}
	put_back(&detached[1]);
	put_back(&detached[0]);
	assert_int_equal(walk(folio).nr, 2);
}

/* Unlinked, or merged away, while no walk can come by it: without lock, but without word. */
static void unlinked_unseen(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct vm_area_struct *vma, *other;
	struct detached detached;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_map(mm, FAR, 4);
	t_write(mm, FAR, 4, 200);
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_DONTNEED), 0);
	other = vma_at(mm, FAR);
	vma = vma_at(mm, BASE);
	take_out(&detached, vma);
	anon_vma_detach_done(mm, &detached.batch);
	anon_vma_lock_write(mm->anon_vma);
	unlink_anon_vmas(vma);
	anon_vma_unlock_write(mm->anon_vma);
	assert_int_equal(vma->anon_vma, 0);
	put_back(&detached);

	t_write(mm, BASE, 4, 300);
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_DONTNEED), 0);
	mmap_write_lock(mm);
	/* It would leave the tree here. */
	anon_vma_tree_lock_write(vma->anon_vma);
	anon_vma_tree_unlock_write(vma->anon_vma);
	anon_vma_lock_write(mm->anon_vma);
	anon_vma_merge(other, vma);
	anon_vma_unlock_write(mm->anon_vma);
	assert_int_equal(vma->anon_vma, 0);
	assert_int_not_equal(other->anon_vma, 0);
	mmap_write_unlock(mm);
	t_expect(mm, FAR, 4, 200);
}

/* Something that has to wait for a walk, done by another thread. */
struct waiter {
	void (*op)(struct waiter *waiter);
	struct vm_area_struct *vma;
	struct detached detached;
	bool done;
};

static void *waiter_thread(void *arg)
{
	struct waiter *waiter = arg;

	um_thread_register();
	waiter->op(waiter);
	WRITE_ONCE(waiter->done, true);
	um_thread_unregister();
	return NULL;
}

/* @op waits for a walk that is at the VMA, which keeps its word so long. */
static void assert_waits(struct waiter *waiter, void (*op)(struct waiter *waiter))
{
	unsigned long first = waiter->vma->vm_start / PG;
	struct anon_vma *owner = waiter->vma->vm_mm->anon_vma;
	anon_vma_tree_t tree = waiter->vma->anon_vma;
	struct anon_vma_walk w;
	pthread_t thread;

	waiter->op = op;
	waiter->done = false;
	anon_vma_lock_read(owner);
	anon_vma_walk_begin(&w, owner, first, first);
	assert_ptr_equal(anon_vma_walk_next(&w), waiter->vma);
	assert_int_equal(pthread_create(&thread, NULL, waiter_thread, waiter), 0);
	while (!rwsem_is_contended(&owner->rwsem) && !READ_ONCE(waiter->done))
		sched_yield();
	assert_false(READ_ONCE(waiter->done));
	assert_int_equal(READ_ONCE(waiter->vma->anon_vma), tree);
	anon_vma_walk_end(&w, true);
	pthread_join(thread, NULL);
}

static void op_detach(struct waiter *waiter)
{
	anon_vma_detach(waiter->vma->vm_mm, &waiter->detached.batch);
}

static void op_reattach(struct waiter *waiter)
{
	anon_vma_reattach(waiter->vma->vm_mm, &waiter->detached.batch);
}

static void op_detach_done(struct waiter *waiter)
{
	anon_vma_detach_done(waiter->vma->vm_mm, &waiter->detached.batch);
}

static void op_unlink(struct waiter *waiter)
{
	unlink_anon_vmas(waiter->vma);
}

/* What takes a VMA from where walks find it, or its word, waits for those who did. */
static void mutators_wait_for_walks(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct waiter waiter = { 0 };

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	assert_int_equal(um_madvise(mm, BASE, PG, MADV_DONTNEED), 0);
	waiter.vma = vma_at(mm, BASE);
	take_out(&waiter.detached, waiter.vma);
	anon_vma_reattach(mm, &waiter.detached.batch);

	assert_waits(&waiter, op_detach);
	assert_true(anon_vma_tree_detached(waiter.vma->anon_vma));
	assert_waits(&waiter, op_reattach);
	assert_false(anon_vma_tree_detached(waiter.vma->anon_vma));
	op_detach(&waiter);
	assert_waits(&waiter, op_detach_done);
	anon_vma_detach(mm, &waiter.detached.batch);
	anon_vma_reattach(mm, &waiter.detached.batch);
	assert_waits(&waiter, op_unlink);
	assert_int_equal(waiter.vma->anon_vma, 0);
	mtree_destroy(&waiter.detached.vmas);
	mmap_write_unlock(mm);
}

const struct CMUnitTest detached_tests[] = {
	UM_TEST_LAZY(detached_is_found_once),
	UM_TEST_LAZY(detach_done_is_not_found),
	UM_TEST_LAZY(detach_of_unfaulted),
	UM_TEST_LAZY(detach_after_unfaulted),
	UM_TEST_QUIET_ON(r39_two_batches_of_one_owner, "lazy"),
	UM_TEST_LAZY(unlinked_unseen),
	UM_TEST_QUIET_ON(mutators_wait_for_walks, "lazy"),
};
const size_t nr_detached_tests = ARRAY_SIZE(detached_tests);
