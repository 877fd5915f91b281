// SPDX-License-Identifier: GPL-2.0
/*
 * Something is held still in the middle - a walk in its callback, a fork between two
 * page tables, a migration between its two walks - while everything else goes on. What
 * real threads meet once in a million times is put there on purpose, each time the same.
 */
#include "inside.h"
#include "rmap_pages.h"

/* -- A walk stands in its callback ------------------------------------------------------ */

struct mutation {
	const char *name;
	void (*before)(struct mm_struct *mm);	/* or NULL */
	void (*run)(struct mm_struct *mm);
	bool huge;		/* on a huge page at HUGE_AT, else on 12 pages at BASE */
	bool exits;		/* the mm is gone afterwards */
	/*
	 * When it waits for the walk, the page is still mapped there. Where whole VMAs are
	 * unmapped, the regular topology zaps first, and waits before it frees (2); in the
	 * lazy one they go to the list of detached VMAs first, and that waits.
	 */
	int keeps_entry;
#define UNLESS_REGULAR	2
	/* What is there afterwards: nr pages from addr on hold token... */
	uint64_t addr, nr, token;
};

static int remap(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t to, int flags)
{
	uint64_t at;

	return um_mremap(mm, addr, pages * PG, pages * PG, MREMAP_MAYMOVE | MREMAP_FIXED | flags,
			 to, &at);
}

/* These run beside the test: they must not end it. What they return shows in what is there. */
static void unmap_whole(struct mm_struct *mm) { um_munmap(mm, BASE, 12 * PG); }
static void unmap_start(struct mm_struct *mm) { um_munmap(mm, BASE, 4 * PG); }
static void unmap_middle(struct mm_struct *mm) { um_munmap(mm, BASE + 4 * PG, 4 * PG); }
static void map_over(struct mm_struct *mm)
{
	uint64_t at;

	um_mmap(mm, BASE, 6 * PG, RW, ANON | MAP_FIXED, NULL, 0, &at);
}
static void move_up(struct mm_struct *mm) { remap(mm, BASE, 12, FAR, 0); }
static void move_down(struct mm_struct *mm) { remap(mm, BASE, 12, BASE - 64 * PG, 0); }
static void move_part(struct mm_struct *mm) { remap(mm, BASE, 4, FAR, 0); }
static void move_keeping(struct mm_struct *mm) { remap(mm, BASE, 12, FAR, MREMAP_DONTUNMAP); }
static void move_back(struct mm_struct *mm) { remap(mm, FAR, 12, BASE, 0); }
static void split(struct mm_struct *mm) { um_mprotect(mm, BASE + 4 * PG, 4 * PG, PROT_READ); }
static void join(struct mm_struct *mm) { um_mprotect(mm, BASE, 4 * PG, RW); }
static void leave(struct mm_struct *mm) { um_exit(mm); }
static void grow(struct mm_struct *mm)
{
	uint64_t at;

	um_mremap(mm, BASE, 12 * PG, 16 * PG, 0, 0, &at);
}
static void shrink_heap(struct mm_struct *mm) { um_brk(mm, BASE + 2 * PG); }
static void collapse(struct mm_struct *mm) { um_collapse(mm, HUGE_AT); }
static void split_huge(struct mm_struct *mm) { um_split_huge(mm, HUGE_AT); }
static void unmap_in_huge(struct mm_struct *mm) { um_munmap(mm, HUGE_AT + 64 * PG, 64 * PG); }
static void uffd_move(struct mm_struct *mm) { um_uffd_move(mm, FAR, BASE, PG); }

static void was_split(struct mm_struct *mm) { t_protect(mm, BASE, 4, PROT_READ); }
static void was_moved(struct mm_struct *mm) { t_move(mm, BASE, 12, FAR, 0); }
static void target_faulted(struct mm_struct *mm)
{
	t_map(mm, FAR - 4 * PG, 20);
	t_write(mm, FAR - 4 * PG, 20, 900);
}

/*
 * The walk was let in at the VMA of the folio's page. Then the mutation begins. It
 * must wait for the walk: when it does, VMA and page tables are still what they were,
 * and can be used without RCU. So what keeps them is the read lock of the owner.
 */
static void mutate_under_walk(struct t *t, const struct mutation *m)
{
	struct mm_struct *mm = t_mm(t);
	uint64_t at = m->huge ? HUGE_AT : BASE;
	static struct standing standing;
	static struct beside mutator;
	bool waited, keeps;
	long nr;

	if (m->huge) {
		t_map(mm, HUGE_AT, HUGE_PAGES);
		if (m->run != collapse)
			assert_int_equal(um_touch_huge(mm, HUGE_AT), 0);
		t_write(mm, HUGE_AT, HUGE_PAGES, 100);
	} else if (m->run == shrink_heap) {
		assert_int_equal(um_brk_init(mm, BASE), 0);
		assert_int_equal(um_brk(mm, BASE + 12 * PG), 0);
		t_write(mm, BASE, 12, 100);
	} else {
		t_map(mm, BASE, 12);
		t_write(mm, BASE, 12, 100);
	}
	if (m->before)
		m->before(mm);
	if (m->before == was_moved)
		at = FAR;
	/* Of the heap, a page that goes. */
	if (m->run == shrink_heap)
		at += 5 * PG;

	keeps = m->keeps_entry && (t->lazy || m->keeps_entry != UNLESS_REGULAR);
	nr = keeps ? folio_nr_pages(folio_at(mm, at)) : 0;
	standing_begin(&standing, folio_at(mm, at));
	beside_start(&mutator, (void (*)(void *))m->run, mm);
	waited = beside_waits(&mutator, &standing.owner->root->rwsem);
	if (!waited)
		print_error("%s has not waited for the walk\n", m->name);
	assert_true(waited);
	standing_end(&standing, t);
	beside_join(&mutator);
	if (standing.vma_changed || standing.tables_gone || standing.entry_at_end != keeps)
		print_error("%s: VMA %schanged, tables %sgone, %sentry\n", m->name,
			    standing.vma_changed ? "" : "not ",
			    standing.tables_gone ? "" : "not ",
			    standing.entry_at_end ? "" : "no ");
	assert_false(standing.vma_changed);
	assert_false(standing.tables_gone);
	assert_int_equal(standing.entry_at_end, keeps);
	/* Where it was, or where it is now, but at one of them. */
	assert_int_equal(standing.counted.found, nr);
	if (m->exits)
		return;
	assert_int_equal(um_check_all(t->world), 0);
	t_expect(mm, m->addr, m->nr, m->token);
	t_migrate(t);
	t_expect(mm, m->addr, m->nr, m->token);
	um_exit(mm);
}

#define mutate_all(t, list) do {					\
	size_t i_;							\
									\
	for (i_ = 0; i_ < ARRAY_SIZE(list); i_++)			\
		mutate_under_walk(t, &(list)[i_]);			\
} while (0)

/*
 * R02: the mm unmaps, maps over, shrinks its heap, exits under a walk that sleeps. PTEs
 * may go at once; VMA and page tables stay until the walk has left.
 */
static void r02_walk_sleeps_while_the_mm_unmaps(void **state)
{
	static const struct mutation list[] = {
		{ .name = "munmap", .run = unmap_whole, .before = target_faulted,
		  .keeps_entry = UNLESS_REGULAR, .addr = FAR, .nr = 4, .token = 904 },
		{ .name = "munmap of the start", .run = unmap_start, .keeps_entry = true,
		  .addr = BASE + 4 * PG, .nr = 8, .token = 104 },
		{ .name = "munmap of the middle", .run = unmap_middle, .keeps_entry = true,
		  .addr = BASE, .nr = 4, .token = 100 },
		{ .name = "MAP_FIXED", .run = map_over, .keeps_entry = true,
		  .addr = BASE + 6 * PG, .nr = 6, .token = 106 },
		{ .name = "brk", .run = shrink_heap, .keeps_entry = true,
		  .addr = BASE, .nr = 2, .token = 100 },
		{ .name = "munmap of the first of two", .run = unmap_start, .before = was_split,
		  .keeps_entry = UNLESS_REGULAR, .addr = BASE + 4 * PG, .nr = 8, .token = 104 },
	};
	struct t *t = *state;

	mutate_all(t, list);
}

/*
 * R02, R09: exit. The PTEs are zapped without a look at walks; then the mm waits before
 * it frees page tables and VMAs: the walk looks into both afterwards, and finds nothing.
 */
static void r02_r09_exit_waits_before_page_tables_go(void **state)
{
	static const struct mutation list[] = {
		{ .name = "exit", .run = leave, .exits = true },
		{ .name = "exit, moved", .run = leave, .before = was_moved, .exits = true },
		{ .name = "exit, huge", .run = leave, .huge = true, .exits = true },
	};
	struct t *t = *state;

	mutate_all(t, list);
}

/* R02: splits, joins and growth, whose range a walk may be in the middle of. */
static void r02_walk_sleeps_while_vmas_change(void **state)
{
	static const struct mutation list[] = {
		{ .name = "split", .run = split, .keeps_entry = true,
		  .addr = BASE, .nr = 12, .token = 100 },
		{ .name = "join", .run = join, .before = was_split, .keeps_entry = true,
		  .addr = BASE, .nr = 12, .token = 100 },
		{ .name = "grow", .run = grow, .keeps_entry = true,
		  .addr = BASE, .nr = 12, .token = 100 },
	};
	struct t *t = *state;

	mutate_all(t, list);
}

/*
 * R06, R28: pages move under a walk that is at the place they leave. To either side, as
 * the order of VMAs must not matter; back to where they were faulted; over a neighbour;
 * in part; with what was there left behind. The walk reports each page at one place.
 */
static void r28_move_waits_for_the_walk(void **state)
{
	static const struct mutation list[] = {
		{ .name = "move up", .run = move_up, .keeps_entry = true,
		  .addr = FAR, .nr = 12, .token = 100 },
		{ .name = "move down", .run = move_down, .keeps_entry = true,
		  .addr = BASE - 64 * PG, .nr = 12, .token = 100 },
		{ .name = "move back", .run = move_back, .before = was_moved, .keeps_entry = true,
		  .addr = BASE, .nr = 12, .token = 100 },
	};
	struct t *t = *state;

	mutate_all(t, list);
}

static void r06_every_move_waits_for_the_walk(void **state)
{
	static const struct mutation list[] = {
		{ .name = "part", .run = move_part, .keeps_entry = true,
		  .addr = FAR, .nr = 4, .token = 100 },
		{ .name = "part over a neighbour", .run = move_part, .before = target_faulted,
		  .keeps_entry = true, .addr = FAR, .nr = 4, .token = 100 },
		{ .name = "DONTUNMAP", .run = move_keeping, .keeps_entry = true,
		  .addr = FAR, .nr = 12, .token = 100 },
		{ .name = "DONTUNMAP over a neighbour", .run = move_keeping,
		  .before = target_faulted, .keeps_entry = true,
		  .addr = FAR, .nr = 12, .token = 100 },
	};
	struct t *t = *state;

	mutate_all(t, list);
}

/*
 * R10: the kernel's contract. A huge page is split, and small ones are collapsed, under
 * the owner's lock for writing; what is unmapped in part is split in its page table.
 */
static void r10_split_and_collapse_wait_for_walks(void **state)
{
	static const struct mutation list[] = {
		{ .name = "split of a huge page", .run = split_huge, .huge = true,
		  .keeps_entry = true, .addr = HUGE_AT, .nr = HUGE_PAGES, .token = 100 },
		{ .name = "collapse", .run = collapse, .huge = true,
		  .keeps_entry = true, .addr = HUGE_AT, .nr = HUGE_PAGES, .token = 100 },
		{ .name = "unmap in a huge page", .run = unmap_in_huge, .huge = true,
		  .keeps_entry = true, .addr = HUGE_AT, .nr = 64, .token = 100 },
	};
	struct t *t = *state;

	mutate_all(t, list);
}

/*
 * R30: UFFDIO_MOVE waits for the owner's lock, and a second walk queues behind it. When
 * that gets the lock, the page is elsewhere, with another number, and in the regular
 * topology with another owner: the walk must look at the mapping word again.
 *
 *	walk 1: in its callback ----------------> leaves
 *	move:	          queues for writing .......... moves the page
 *	walk 2:			     queues for reading ....... finds it at the new place
 */
struct late_walk {
	struct folio *folio;
	struct counted counted;
	unsigned long addr;
};

static bool late_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
		     void *arg)
{
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };
	struct late_walk *late = arg;

	late->counted.visits++;
	while (page_vma_mapped_walk(&pvmw)) {
		late->counted.found++;
		late->addr = pvmw.address;
	}
	return true;
}

static void walk_late(void *arg)
{
	struct late_walk *late = arg;
	struct rmap_walk_control rwc = {
		.arg = late,
		.rmap_one = late_one,
		.anon_lock = folio_lock_anon_vma_read,
	};

	rmap_walk(late->folio, &rwc, false);
}

/* Readers too: until so many are in the queue. */
static void await_queued(struct rw_semaphore *sem)
{
	await(READ_ONCE(sem->head) && READ_ONCE(sem->head) != READ_ONCE(sem->tail));
}

static void r30_word_changes_under_a_waiting_walk(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	static struct standing standing;
	static struct beside mover, walker;
	static struct late_walk late;
	struct folio *folio;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_map(mm, FAR, 4);
	t_write(mm, FAR + 2 * PG, 1, 1);
	folio = folio_at(mm, BASE);
	late = (struct late_walk) { .folio = folio };
	folio_hold(folio);
	standing_begin(&standing, folio);
	beside_start(&mover, (void (*)(void *))uffd_move, mm);
	assert_true(beside_waits(&mover, &standing.owner->root->rwsem));
	beside_start(&walker, walk_late, &late);
	await_queued(&standing.owner->root->rwsem);
	standing_end(&standing, t);
	beside_join(&mover);
	beside_join(&walker);
	folio_drop(t, folio);
	assert_ptr_equal(folio_at(mm, FAR), folio);
	assert_int_equal(standing.counted.found, 1);
	assert_int_equal(late.counted.found, 1);
	assert_int_equal(late.addr, FAR);
	t_expect(mm, FAR, 1, 100);
	t_expect(mm, BASE, 1, 0);
}

/*
 * R28: exec writes the arguments, then moves the stack to its place: its pages are
 * renumbered, or it is displaced. Meanwhile they are on the LRU, and others migrate them,
 * ask whether they were used, swap them out. Each page is found, at the old or at the new
 * address; what is read is what was written (the models compare). Of the last programs the
 * stacks are still there when all stands still, and every page of them is found by a walk.
 */
#define PROGRAMS	8

struct disturbing {
	struct um_world *world;
	bool stop;
	long migrated;
};

static void disturb(void *arg)
{
	struct disturbing *d = arg;

	while (!smp_load_acquire(&d->stop)) {
		WRITE_ONCE(d->migrated, d->migrated + um_migrate(d->world, 32));
		um_age(d->world, 32);
		um_reclaim(d->world, 8);
	}
}

static void r28_exec_moves_its_stack_under_walks(void **state)
{
	struct t *t = *state;
	static struct disturbing disturbing;
	struct mm_struct *programs[PROGRAMS] = { 0 };
	const uint64_t end = 0x7ffd00000000UL;
	static struct beside beside;
	unsigned int i;

	disturbing = (struct disturbing) { .world = t->world };
	beside_stands(&disturbing.stop);
	beside_start(&beside, disturb, &disturbing);
	for (i = 0; i < 150 || (i < 5000 && !READ_ONCE(disturbing.migrated)); i++) {
		uint64_t args = 1 + i % 12, shift = i % 4 ? (i * 7 % 40) * PG : 0;
		struct mm_struct *mm = t_mm(t), *child, **last = &programs[i % PROGRAMS];
		struct um_vma_info vma;
		uint64_t at, content;

		assert_int_equal(um_exec_stack(mm, end - 60 * PG, end, args, shift, 8UL << 20), 0);
		um_vmas(mm, &vma, 1);
		child = i % 3 ? NULL : t_fork(mm);
		for (at = vma.start; at < vma.end; at += PG)
			assert_int_equal(um_read(mm, at, &content), 0);
		if (*last)
			um_exit(*last);
		*last = child ? child : mm;
		if (!child)
			continue;
		um_exit(mm);
		for (at = vma.start; at < vma.end; at += PG)
			assert_int_equal(um_read(child, at, &content), 0);
	}
	smp_store_release(&disturbing.stop, true);
	beside_join(&beside);
	assert_int_equal(um_check_all(t->world), 0);
	for (i = 0; i < PROGRAMS; i++)
		um_exit(programs[i]);
	assert_true(disturbing.migrated > 0);
	assert_int_equal(t_stats(t).reads_wrong, 0);
	assert_true(t_stats(t).reads_compared > 150);
}

/* -- A fault, and the merge that sets anon_vma ------------------------------------------- */

/*
 *	[ prev, faulted ][ mid, unfaulted, RWX ]	mprotect(mid, RW) makes them one
 *
 * R25: mid gets its first page just then. Whoever comes first, the other waits, and then
 * sees what it has done: the page belongs to the owner that walks of the survivor come by.
 */
static void fault_mid(struct mm_struct *mm) { um_write(mm, BASE + 5 * PG, 55); }
static void join_mid(struct mm_struct *mm)
{
	um_mprotect(mm, BASE + 4 * PG, 4 * PG, RW);
}

static struct mm_struct *prev_and_mid(struct t *t)
{
	struct mm_struct *mm = t_mm(t);
	uint64_t at;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(um_mmap(mm, BASE + 4 * PG, 4 * PG, RW | PROT_EXEC, ANON | MAP_FIXED, NULL,
				 0, &at), 0);
	return mm;
}

static void expect_one_vma(struct t *t, struct mm_struct *mm)
{
	struct folio *folio = folio_at(mm, BASE + 5 * PG);

	/* Regular: a neighbour that it can merge with lends mid its anon_vma, as Linux. */
	assert_int_equal(t_nr_vmas(mm), 1);
	assert_ptr_equal(folio_anon_vma(folio), owner_at(mm, BASE));
	assert_int_equal(walk_all(folio).found, 1);
	assert_int_equal(um_check_all(t->world), 0);
	t_expect(mm, BASE, 4, 100);
	t_expect(mm, BASE + 5 * PG, 1, 55);
	um_exit(mm);
}

/*
 * The fault stands before the lock of the page table, and holds mid's own lock. The merge has
 * been decided on by what mid is - unfaulted - and waits for that. Lazy: the fault goes on
 * and prepares mid, and the merge has to look again. Regular: to prepare, it has to have
 * mmap_lock, and so comes after the merge, to the VMA that remains.
 */
static void r25_merge_waits_for_a_fault(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = prev_and_mid(t);
	struct vm_area_struct *mid = vma_at(mm, BASE + 4 * PG);
	static struct beside fault, merge;
	static struct held held;

	held_begin(&held, mm, BASE);
	beside_start(&fault, (void (*)(void *))fault_mid, mm);
	await(READ_ONCE(mid->vm_lock.count) & KSHIM_RWSEM_READERS);
	beside_start(&merge, (void (*)(void *))join_mid, mm);
	assert_true(beside_waits(&merge, &mid->vm_lock));
	assert_int_equal(entry_at(mm, BASE + 5 * PG), 0);
	held_end(&held);
	beside_join(&fault);
	beside_join(&merge);
	expect_one_vma(t, mm);
}

/* The merge stands before the owner's lock, which a walk of prev holds. */
static void r25_fault_waits_for_a_merge(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = prev_and_mid(t);
	static struct standing standing;
	static struct beside fault, merge;

	standing_begin(&standing, folio_at(mm, BASE));
	beside_start(&merge, (void (*)(void *))join_mid, mm);
	assert_true(beside_waits(&merge, &standing.owner->root->rwsem));
	beside_start(&fault, (void (*)(void *))fault_mid, mm);
	assert_true(beside_waits(&fault, &mm->mmap_lock));
	assert_int_equal(entry_at(mm, BASE + 5 * PG), 0);
	standing_end(&standing, t);
	beside_join(&merge);
	beside_join(&fault);
	expect_one_vma(t, mm);
}

/* -- Stale pointers ---------------------------------------------------------------------- */

/*
 * R27: an owner is freed, and its memory becomes the anon_vma of a new process, while
 * somebody who came by a stale mapping word holds its lock for reading: type-stable
 * memory lets him. The new process must not publish the anon_vma, nor map a page by it,
 * before he is gone.
 */
struct late_reader {
	struct rw_semaphore *sem;
	struct mm_struct *mm;
	bool locked;
	bool writer_waited, was_published;
};

static void read_late(void *arg)
{
	struct late_reader *reader = arg;
	int i;

	down_read(reader->sem);
	smp_store_release(&reader->locked, true);
	for (i = 0; i < 20000 && !(READ_ONCE(reader->sem->count) & KSHIM_RWSEM_WAITERS); i++)
		usleep(100);
	reader->writer_waited = READ_ONCE(reader->sem->count) & KSHIM_RWSEM_WAITERS;
	reader->was_published = READ_ONCE(reader->mm->anon_vma) ||
				entry_at(reader->mm, BASE);
	up_read(reader->sem);
}

static void r27_locked_before_published(void **state)
{
	struct t *t = *state;
	struct mm_struct *old = t_mm(t), *mm;
	static struct late_reader reader;
	static struct beside beside;
	struct folio *folio;
	struct anon_vma *stale;

	t_map(old, BASE, 1);
	t_write(old, BASE, 1, 1);
	stale = owner_at(old, BASE);
	folio = folio_at(old, BASE);
	folio_hold(folio);
	um_exit(old);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);

	/* The folio's word still names it, but the folio is not mapped. */
	assert_ptr_equal(folio_anon_vma(folio), stale);
	assert_null(folio_get_anon_vma(folio));
	assert_null(folio_lock_anon_vma_read(folio, NULL));

	mm = t_mm(t);
	t_map(mm, BASE, 1);
	reader = (struct late_reader) { .sem = &stale->rwsem, .mm = mm };
	beside_start(&beside, read_late, &reader);
	await(smp_load_acquire(&reader.locked));
	t_write(mm, BASE, 1, 2);
	beside_join(&beside);
	/* Else this has shown nothing: the memory was not reused. */
	assert_ptr_equal(owner_at(mm, BASE), stale);
	assert_true(reader.writer_waited);
	assert_false(reader.was_published);

	/* A new life: still no way in by the old folio, and no count left behind. */
	assert_null(folio_get_anon_vma(folio));
	assert_null(folio_lock_anon_vma_read(folio, NULL));
	assert_int_equal(atomic_read(&stale->refcount), 1);
	assert_int_equal(walk_all(folio_at(mm, BASE)).found, 1);
	folio_drop(t, folio);
}

/* -- A fork stands between two page tables ------------------------------------------------- */

#define TABLE	(512 * PG)
/* Three page tables: copied by the fork; held; not copied yet when the fork stands. */
#define COPIED	(BASE)
#define STOP	(BASE + TABLE)
#define LATER	(BASE + 2 * TABLE)

struct forking {
	struct mm_struct *mm, *child;
	struct held held;
	struct beside beside;
	int err;
};

static void fork_it(void *arg)
{
	struct forking *forking = arg;

	forking->err = um_fork(forking->mm, &forking->child);
}

static struct mm_struct *half_made(struct t *t, const struct mm_struct *parent)
{
	struct mm_struct *mm, *last = NULL;

	spin_lock(&t->world->mm_list_lock);
	list_for_each_entry(mm, &t->world->mms, mm_list)
		last = mm;
	spin_unlock(&t->world->mm_list_lock);
	return last == parent ? NULL : last;
}

/* Returns when the child exists, has what is at COPIED, and stands before STOP. */
static void forking_begin(struct forking *forking, struct t *t, struct mm_struct *mm)
{
	*forking = (struct forking) { .mm = mm };
	held_begin(&forking->held, mm, STOP);
	beside_start(&forking->beside, fork_it, forking);
	await(half_made(t, mm) && entry_at(half_made(t, mm), COPIED));
}

static void forking_end(struct forking *forking)
{
	held_end(&forking->held);
	beside_join(&forking->beside);
	assert_int_equal(forking->err, 0);
}

static struct mm_struct *three_tables(struct t *t, bool huge)
{
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 3 * 512);
	t_write(mm, COPIED, 2, 100);
	t_write(mm, STOP, 1, 200);
	if (huge)
		assert_int_equal(um_touch_huge(mm, LATER), 0);
	t_write(mm, LATER, 2, 300);
	return mm;
}

/*
 * R07: what a walk sees of a fork that has copied one page table, and stands before the
 * second. Each page is found wherever it is mapped just then; and it moves elsewhere
 * under the fork without a copy that is forgotten.
 */
static void r07_walks_in_the_middle_of_a_fork(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = three_tables(t, false);
	static struct forking forking;

	forking_begin(&forking, t, mm);
	assert_int_equal(walk_all(folio_at(mm, COPIED)).found, 2);
	assert_int_equal(walk_all(folio_at(mm, LATER)).found, 1);
	migrate_one(t, mm, COPIED);
	migrate_one(t, mm, LATER);
	assert_int_equal(walk_all(folio_at(mm, COPIED)).found, 2);
	reference_one(mm, COPIED + PG);
	swap_out_one(t, mm, COPIED + PG);
	forking_end(&forking);
	assert_int_equal(walk_all(folio_at(mm, COPIED)).found, 2);
	assert_int_equal(walk_all(folio_at(mm, LATER)).found, 2);
	assert_int_equal(count_entries(t, pte_is_migration), 0);
	t_expect(forking.child, COPIED, 2, 100);
	t_expect(forking.child, LATER, 2, 300);
	t_expect(mm, COPIED, 2, 100);
}

/*
 * A migration that ends where it began: the folio gets its own entries back. In a thread of
 * its own, as whoever has locked a folio must not wait for mmap_lock.
 */
struct migrating {
	struct beside beside;
	struct folio *folio;
	bool installed, go_on;
};

static void migrate_it(void *arg)
{
	struct migrating *m = arg;
	struct anon_vma *owner;
	migration_note_t note;

	folio_lock(m->folio);
	owner = folio_get_anon_vma(m->folio);
	note = try_to_migrate(m->folio, 0);
	smp_store_release(&m->installed, true);
	while (!smp_load_acquire(&m->go_on))
		usleep(50);
	remove_migration_ptes(m->folio, m->folio, note, false);
	folio_unlock(m->folio);
	put_anon_vma(owner);
}

static void migrating_begin(struct migrating *m, struct folio *folio)
{
	*m = (struct migrating) { .folio = folio };
	folio_hold(folio);
	beside_stands(&m->go_on);
	beside_start(&m->beside, migrate_it, m);
	await(smp_load_acquire(&m->installed));
	assert_false(folio_mapped(folio));
}

static void migrating_end(struct migrating *m, struct t *t)
{
	smp_store_release(&m->go_on, true);
	beside_join(&m->beside);
	folio_drop(t, m->folio);
}

/*
 * R42: the fork began before the migration. Its entries are installed in the parent; the
 * fork goes on, and copies one; then they are restored, in both. The note of the
 * migration says one entry: only the clock tells that there are two now.
 *
 *	fork:	links the child, copies COPIED, stands ....... copies LATER
 *	migration of LATER:		entry in the parent		restores 2
 */
static void copied_entry_is_restored(struct t *t, bool huge, bool again)
{
	struct mm_struct *mm = three_tables(t, huge);
	static struct migrating migrating;
	static struct forking forking;

	forking_begin(&forking, t, mm);
	if (again) {
		/* A whole migration before the one that counts: its note must not serve both. */
		migrating_begin(&migrating, folio_at(mm, LATER));
		migrating_end(&migrating, t);
		assert_int_equal(count_entries(t, pte_is_migration), 0);
	}
	migrating_begin(&migrating, folio_at(mm, LATER));
	assert_int_equal(count_entries(t, pte_is_migration), 1);
	forking_end(&forking);
	assert_int_equal(count_entries(t, pte_is_migration), 2);
	migrating_end(&migrating, t);
	assert_int_equal(count_entries(t, pte_is_migration), 0);
	assert_int_equal(walk_all(folio_at(mm, LATER)).found, 2);

	/* And once more, of what is shared now: by note from the first to the last. */
	migrating_begin(&migrating, folio_at(mm, LATER));
	assert_int_equal(count_entries(t, pte_is_migration), 2);
	migrating_end(&migrating, t);
	assert_int_equal(count_entries(t, pte_is_migration), 0);
	t_expect(mm, LATER, 2, 300);
	t_expect(forking.child, LATER, 2, 300);
	um_exit(forking.child);
	um_exit(mm);
}

static void r42_fork_copies_a_migration_entry(void **state)
{
	copied_entry_is_restored(*state, false, false);
	copied_entry_is_restored(*state, false, true);
}

static void r42_fork_copies_a_huge_migration_entry(void **state)
{
	copied_entry_is_restored(*state, true, false);
	copied_entry_is_restored(*state, true, true);
}

/* R42: the child loses its copy again before the entries are restored: fewer are found
 * than were installed, which must not keep the walk from ending. */
static void r42_copies_that_are_zapped(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = three_tables(t, false);
	static struct migrating migrating;
	static struct forking forking;

	forking_begin(&forking, t, mm);
	migrating_begin(&migrating, folio_at(mm, LATER));
	forking_end(&forking);
	t_unmap(mm, LATER, 1);
	assert_int_equal(count_entries(t, pte_is_migration), 1);
	migrating_end(&migrating, t);
	assert_int_equal(count_entries(t, pte_is_migration), 0);
	t_expect(forking.child, LATER, 2, 300);
	t_expect(mm, LATER + PG, 1, 301);
}

/* -- A migration stands between its two walks ----------------------------------------------- */

/*
 * R03: entries are installed; the mm, or a child, does something; the entries are
 * restored. After that there is none, whatever was done: each was restored or zapped.
 * In @left pages, or none, the folio is mapped afterwards.
 */
struct meanwhile {
	const char *name;
	void (*run)(struct mm_struct *mm);
	uint64_t addr;		/* where the page is afterwards; 0: nowhere */
	unsigned long found;	/* mappings of the page that are found afterwards */
};

static struct mm_struct *born;

static void give_birth(struct mm_struct *mm) { born = t_fork(mm); }
static void give_birth_and_leave(struct mm_struct *mm)
{
	born = t_fork(mm);
	um_exit(mm);
}
static void birth_and_move(struct mm_struct *mm)
{
	born = t_fork(mm);
	remap(born, BASE, 12, FAR, 0);
}
static void discard(struct mm_struct *mm) { um_madvise(mm, BASE + 4 * PG, 4 * PG, MADV_DONTNEED); }
static void wander(struct mm_struct *mm)
{
	remap(mm, BASE, 12, FAR, 0);
	remap(mm, FAR + 3 * PG, 5, FAR + 64 * PG, 0);
	remap(mm, FAR + 64 * PG, 5, FAR + 3 * PG, 0);
	remap(mm, FAR, 12, BASE, 0);
}
static void split_and_move(struct mm_struct *mm)
{
	split(mm);
	remap(mm, BASE + 4 * PG, 4, FAR, 0);
}
static void map_over_middle(struct mm_struct *mm)
{
	uint64_t at;

	um_mmap(mm, BASE + 4 * PG, 4 * PG, RW, ANON | MAP_FIXED, NULL, 0, &at);
}

static void migrate_meanwhile(struct t *t, const struct meanwhile *m, bool forked)
{
	struct mm_struct *mm = t_mm(t), *child = NULL, *where;
	const uint64_t at = BASE + 5 * PG;
	static struct migrating migrating;
	unsigned long found = m->found + forked;
	struct folio *folio;

	born = NULL;
	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	if (forked)
		child = t_fork(mm);
	folio = folio_at(mm, at);
	folio_hold(folio);
	migrating_begin(&migrating, folio);
	m->run(mm);
	migrating_end(&migrating, t);
	if (count_entries(t, pte_is_migration) ||
	    (unsigned long)folio_mapcount(folio) != found)
		print_error("%s: %lu entries left, %d mappings of %lu\n", m->name,
			    count_entries(t, pte_is_migration), folio_mapcount(folio), found);
	assert_int_equal(count_entries(t, pte_is_migration), 0);
	assert_int_equal(folio_mapcount(folio), found);
	if (found)
		assert_int_equal(walk_all(folio).found, found);
	folio_drop(t, folio);
	where = born ? born : mm;
	if (m->addr)
		t_expect(where, m->addr, 1, 105);
	if (child)
		t_expect(child, BASE, 12, 100);
	assert_int_equal(um_check_all(t->world), 0);
	if (born)
		um_exit(born);
	if (child)
		um_exit(child);
	if (m->run != leave && m->run != give_birth_and_leave)
		um_exit(mm);
}

static void r03_every_mutator_between_the_walks(void **state)
{
	static const struct meanwhile list[] = {
		{ "munmap", unmap_whole, 0, 0 },
		{ "munmap of the middle", unmap_middle, 0, 0 },
		{ "munmap beside it", unmap_start, BASE + 5 * PG, 1 },
		{ "MAP_FIXED", map_over_middle, 0, 0 },
		{ "DONTNEED", discard, 0, 0 },
		{ "split", split, BASE + 5 * PG, 1 },
		{ "mremap", move_up, FAR + 5 * PG, 1 },
		{ "mremap down", move_down, BASE - 59 * PG, 1 },
		{ "mremap, DONTUNMAP", move_keeping, FAR + 5 * PG, 1 },
		{ "mremap to and fro", wander, BASE + 5 * PG, 1 },
		{ "split, mremap", split_and_move, FAR + PG, 1 },
		{ "fork", give_birth, BASE + 5 * PG, 2 },
		{ "fork, exit of the parent", give_birth_and_leave, BASE + 5 * PG, 1 },
		{ "fork, mremap in the child", birth_and_move, FAR + 5 * PG, 2 },
		{ "exit", leave, 0, 0 },
	};
	struct t *t = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(list); i++) {
		migrate_meanwhile(t, &list[i], false);
		migrate_meanwhile(t, &list[i], true);
	}
}

/*
 * R29: the last VMA exits between the two walks. The owner has lost all VMAs and its mm,
 * and is kept by the migration alone, whose restoring walk finds nothing; then it goes.
 */
static void r29_owner_lives_as_long_as_the_migration(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	static struct migrating migrating;
	struct anon_vma *owner;
	struct folio *folio;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	child = t_fork(mm);
	um_exit(mm);
	folio = folio_at(child, BASE);
	folio_hold(folio);
	owner = folio_anon_vma(folio);
	migrating_begin(&migrating, folio);
	um_exit(child);
	rcu_barrier();
	assert_int_equal(t_stats(t).mms, 0);
	assert_true(live(t, UM_OBJ_ANON_VMA) >= 1);
	assert_int_equal(live(t, UM_OBJ_VMA), 0);
	assert_ptr_equal(folio_anon_vma(folio), owner);
	migrating_end(&migrating, t);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
	assert_false(folio_mapped(folio));
	folio_drop(t, folio);
}

/* -- VMAs end when they end ------------------------------------------------------------------ */

/*
 * R01: every VMA that a folio was ever mapped through goes - unmapped, split, merged,
 * moved - while the folio lives, with a walk's pin on its owner. The VMAs that are left
 * are those that are mapped: none is kept by folio, owner or walk.
 */
static void r01_no_vma_is_kept_alive(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct anon_vma *owner;
	struct folio *folio;

	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	folio = folio_at(mm, BASE + 5 * PG);
	folio_hold(folio);
	owner = folio_get_anon_vma(folio);
	assert_int_equal(live(t, UM_OBJ_VMA), 1);
	t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
	assert_int_equal(live(t, UM_OBJ_VMA), 3);
	t_protect(mm, BASE + 4 * PG, 4, RW);
	assert_int_equal(live(t, UM_OBJ_VMA), 1);
	t_move(mm, BASE + 4 * PG, 4, FAR, 0);
	assert_int_equal(live(t, UM_OBJ_VMA), 3);
	t_move(mm, FAR, 4, FAR + 64 * PG, 0);
	assert_int_equal(live(t, UM_OBJ_VMA), 3);
	child = t_fork(mm);
	assert_int_equal(live(t, UM_OBJ_VMA), 6);
	t_unmap(mm, BASE, 12);
	t_unmap(mm, FAR + 64 * PG, 4);
	assert_int_equal(live(t, UM_OBJ_VMA), 3);
	assert_int_equal(walk_all(folio).found, 1);
	um_exit(child);
	assert_int_equal(live(t, UM_OBJ_VMA), 0);
	um_exit(mm);
	/* The folio lives, as does its owner, which holds no VMA. */
	assert_int_equal(live(t, UM_OBJ_VMA), 0);
	assert_ptr_equal(folio_anon_vma(folio), owner);
	put_anon_vma(owner);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
	folio_drop(t, folio);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(r01_no_vma_is_kept_alive),
		ROW(r02_walk_sleeps_while_the_mm_unmaps),
		ROW(r02_walk_sleeps_while_vmas_change),
		ROW(r03_every_mutator_between_the_walks),
		ROW(r06_every_move_waits_for_the_walk),
		ROW(r07_walks_in_the_middle_of_a_fork),
		ROW(r02_r09_exit_waits_before_page_tables_go),
		ROW(r10_split_and_collapse_wait_for_walks),
		ROW(r25_merge_waits_for_a_fault),
		ROW(r25_fault_waits_for_a_merge),
		ROW(r27_locked_before_published),
		ROW(r28_move_waits_for_the_walk),
		ROW(r28_exec_moves_its_stack_under_walks),
		ROW(r29_owner_lives_as_long_as_the_migration),
		ROW(r30_word_changes_under_a_waiting_walk),
		ROW(r42_fork_copies_a_migration_entry),
		ROW(r42_fork_copies_a_huge_migration_entry),
		ROW(r42_copies_that_are_zapped),
	};

	return um_test_main(tests);
}
