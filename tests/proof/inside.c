// SPDX-License-Identifier: GPL-2.0
#include "inside.h"

struct anon_vma *owner_at(struct mm_struct *mm, uint64_t addr)
{
	struct anon_vma *owner = anon_vma_at(mm, addr);

	assert_non_null(owner);
	return owner;
}

struct entry_count {
	bool (*is)(pte_t pte);
	unsigned long nr;
};

static int count_entry(struct mm_struct *mm, unsigned long addr, pte_t pte, void *arg)
{
	struct entry_count *count = arg;

	(void)mm;
	(void)addr;
	count->nr += count->is(pte);
	return 0;
}

unsigned long count_entries(struct t *t, bool (*is)(pte_t pte))
{
	struct entry_count count = { .is = is };
	struct mm_struct *mm;

	list_for_each_entry(mm, &t->world->mms, mm_list)
		pgtable_for_each(mm, 0, TASK_SIZE, count_entry, &count);
	return count.nr;
}

void folio_hold(struct folio *folio)
{
	folio_get(folio);
	t_faults_busy(true);
}

void folio_drop(struct t *t, struct folio *folio)
{
	t_faults_busy(false);
	folio_put(t->world, folio);
}

/* -- Walks that count ---------------------------------------------------------------- */

struct counting {
	struct counted counted;
	unsigned long until;		/* mappings; 0: to the end */
};

static bool count_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
		      void *arg)
{
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };
	struct counting *counting = arg;

	counting->counted.visits++;
	while (page_vma_mapped_walk(&pvmw))
		counting->counted.found++;
	return !counting->until || counting->counted.found < counting->until;
}

static struct counted counted_walk(struct folio *folio, unsigned long until)
{
	struct counting counting = { .until = until };
	struct rmap_walk_control rwc = { .arg = &counting, .rmap_one = count_one };

	folio_lock(folio);
	rmap_walk(folio, &rwc, false);
	folio_unlock(folio);
	return counting.counted;
}

struct counted walk_all(struct folio *folio)
{
	return counted_walk(folio, 0);
}

struct counted walk_until_found(struct folio *folio)
{
	return counted_walk(folio, folio_mapcount(folio));
}

unsigned long visits(struct t *t)
{
	return atomic_long_read(&t->world->events[ANON_VMA_VISIT]);
}

void migrate_one(struct t *t, struct mm_struct *mm, uint64_t addr)
{
	struct folio *folio = folio_at(mm, addr);

	assert_true(lru_isolate(t->world, folio));
	assert_int_equal(migrate_folio(t->world, folio), 0);
	assert_ptr_not_equal(folio_at(mm, addr), folio);
}

void reference_one(struct mm_struct *mm, uint64_t addr)
{
	bool contended = false;

	folio_referenced(folio_at(mm, addr), false, &contended);
	assert_false(contended);
}

/*
 * Not young any more: see reference_one(). Returns how many VMAs it visited; an attempt that
 * a failed allocation ended does not count.
 */
unsigned long swap_out_one(struct t *t, struct mm_struct *mm, uint64_t addr)
{
	struct folio *folio = folio_at(mm, addr);
	unsigned long before, seen, visited;
	long freed;

	do {
		before = t_faults_begin();
		seen = visits(t);
		assert_true(lru_isolate(t->world, folio));
		freed = reclaim_folio(t->world, folio);
		visited = visits(t) - seen;
	} while (t_faults_again(before, !freed));
	assert_true(freed > 0);
	assert_true(pte_is_swap(entry_at(mm, addr)));
	return visited;
}

/* -- Something else that goes on meanwhile --------------------------------------------- */

#define MAX_BESIDE	8

static struct beside *besides[MAX_BESIDE];
static bool *flags[MAX_BESIDE];
static int nr_besides, nr_flags;

static void let_all_go(void)
{
	int i;

	for (i = 0; i < nr_flags; i++)
		smp_store_release(flags[i], true);
	while (nr_besides)
		beside_join(besides[0]);
	nr_flags = 0;
}

int row_teardown(void **state)
{
	let_all_go();
	return t_teardown(state);
}

void beside_stands(bool *go_on)
{
	assert_true(nr_flags < MAX_BESIDE);
	flags[nr_flags++] = go_on;
	t_faults_release = let_all_go;
}

static void *beside_run(void *arg)
{
	struct beside *beside = arg;

	um_thread_register();
	beside->fn(beside->arg);
	smp_store_release(&beside->done, true);
	um_thread_unregister();
	return NULL;
}

void beside_start(struct beside *beside, void (*fn)(void *arg), void *arg)
{
	assert_true(nr_besides < MAX_BESIDE);
	besides[nr_besides++] = beside;
	t_faults_busy(true);
	beside->fn = fn;
	beside->arg = arg;
	smp_store_release(&beside->done, false);
	assert_int_equal(pthread_create(&beside->thread, NULL, beside_run, beside), 0);
}

void beside_join(struct beside *beside)
{
	int i;

	pthread_join(beside->thread, NULL);
	for (i = 0; i < nr_besides; i++)
		if (besides[i] == beside)
			besides[i] = besides[--nr_besides];
	/* Nobody is left to wait. */
	if (!nr_besides)
		nr_flags = 0;
	t_faults_busy(false);
}

bool beside_waits(struct beside *beside, struct rw_semaphore *sem)
{
	await(smp_load_acquire(&beside->done) || READ_ONCE(sem->count) & KSHIM_RWSEM_WAITERS);
	return !smp_load_acquire(&beside->done);
}

static bool stand_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
		      void *arg)
{
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };
	struct standing *standing = arg;
	unsigned long start = vma->vm_start, end = vma->vm_end;
	bool first = !standing->counted.visits++;
	struct mm_struct *mm = vma->vm_mm;

	if (first) {
		struct um_pgtable *ptes = pgtable_find(mm, addr, 0);
		struct um_pgtable *pmds = pgtable_find(mm, addr, 1);

		smp_store_release(&standing->inside, true);
		while (!smp_load_acquire(&standing->go_on))
			usleep(50);
		/* Freed memory would be found here, by AddressSanitizer at the least. */
		standing->vma_changed = vma->vm_start != start || vma->vm_end != end ||
					vma->vm_mm != mm;
		standing->tables_gone = (ptes && pgtable_find(mm, addr, 0) != ptes) ||
					(pmds && pgtable_find(mm, addr, 1) != pmds);
	}
	while (page_vma_mapped_walk(&pvmw)) {
		standing->counted.found += pvmw.huge ? HPAGE_PMD_NR : 1;
		standing->entry_at_end |= first;
	}
	return true;
}

static void stand(void *arg)
{
	struct standing *standing = arg;
	struct rmap_walk_control rwc = {
		.arg = standing,
		.rmap_one = stand_one,
		.anon_lock = folio_lock_anon_vma_read,
	};

	rmap_walk(standing->folio, &rwc, false);
}

void standing_begin(struct standing *standing, struct folio *folio)
{
	*standing = (struct standing) { .folio = folio };
	folio_hold(folio);
	standing->owner = folio_get_anon_vma(folio);
	assert_non_null(standing->owner);
	beside_stands(&standing->go_on);
	beside_start(&standing->beside, stand, standing);
	await(smp_load_acquire(&standing->inside));
}

void standing_end(struct standing *standing, struct t *t)
{
	smp_store_release(&standing->go_on, true);
	beside_join(&standing->beside);
	put_anon_vma(standing->owner);
	folio_drop(t, standing->folio);
}

static void hold(void *arg)
{
	struct held *held = arg;

	spin_lock(&held->table->ptl);
	smp_store_release(&held->locked, true);
	while (!smp_load_acquire(&held->let_go))
		usleep(50);
	spin_unlock(&held->table->ptl);
}

void held_begin(struct held *held, struct mm_struct *mm, uint64_t addr)
{
	*held = (struct held) { .table = pgtable_find(mm, addr, 0) };
	assert_non_null(held->table);
	t_faults_busy(true);
	beside_stands(&held->let_go);
	beside_start(&held->beside, hold, held);
	await(smp_load_acquire(&held->locked));
}

void held_end(struct held *held)
{
	smp_store_release(&held->let_go, true);
	beside_join(&held->beside);
	t_faults_busy(false);
}
