// SPDX-License-Identifier: GPL-2.0
/*
 * What walks cost: visits, steps and holds are counted, in both topologies. Nothing
 * here looks at a clock.
 *
 * A visit is a VMA that a walk hands to its callback; a step is a look into a VMA
 * tree or an interval tree; a hold is an owner's rwsem taken for writing.
 */
#include "steps.h"

/* R05: all VMAs that a folio spans, each once, in every kind of walk.
 *
 *	[        2 MiB, or 64 KiB        ]
 *	[  RW  ][   R   ][      RW       ]	mprotect of the middle
 */
static void spanned(struct t *t, uint64_t at, uint64_t pages, uint64_t unit)
{
	struct mm_struct *mm = t_mm(t), *child;
	struct counted counted;
	uint64_t cut = pages / 4;

	if (pages == HUGE_PAGES) {
		t_map(mm, at, pages);
		assert_int_equal(um_touch_huge(mm, at), 0);
	} else {
		assert_int_equal(um_set_fault_order(mm, 4), 0);
		t_map(mm, at, pages);
	}
	t_write(mm, at, pages, 1000);
	assert_int_equal(folio_nr_pages(folio_at(mm, at)), pages);
	t_protect(mm, at + cut * PG, unit, PROT_READ);
	assert_int_equal(t_nr_vmas(mm), 3);
	counted = walk_all(folio_at(mm, at));
	assert_int_equal(counted.visits, 3);
	assert_int_equal(counted.found, folio_mapcount(folio_at(mm, at)));
	migrate_one(t, mm, at);
	assert_int_equal(count_entries(t, pte_is_migration), 0);

	/* A child has them all as well; then it loses the middle one. */
	child = t_fork(mm);
	counted = walk_all(folio_at(mm, at));
	assert_int_equal(counted.visits, 6);
	assert_int_equal(counted.found, folio_mapcount(folio_at(mm, at)));
	t_unmap(child, at + cut * PG, unit);
	counted = walk_all(folio_at(mm, at));
	assert_int_equal(counted.visits, 5);
	assert_int_equal(counted.found, folio_mapcount(folio_at(mm, at)));
	reference_one(mm, at);
	swap_out_one(t, mm, at);
	t_expect(mm, at, pages, 1000);
	t_expect(child, at, cut, 1000);
	t_expect(child, at + (cut + unit) * PG, pages - cut - unit, 1000 + cut + unit);
	um_exit(child);
	um_exit(mm);
}

static void r05_every_vma_of_a_2m_folio(void **state)
{
	spanned(*state, HUGE_AT, HUGE_PAGES, 50);
}

static void r05_every_vma_of_a_64k_folio(void **state)
{
	spanned(*state, BASE, 16, 3);
}

/*
 * R08: n private mappings of one file, and n of other files, in one mm, all at the
 * same file offset; each with a page that was copied. A walk of one visits one VMA,
 * whatever n; in its child and its displaced state, too.
 */
static void r08_visits_do_not_grow_with_files(void **state)
{
	static const int numbers[] = { 1, 10, 200 };
	struct t *t = *state;
	size_t n;

	for (n = 0; n < ARRAY_SIZE(numbers); n++) {
		struct mm_struct *mm = t_mm(t), *child;
		struct um_file *files[200];
		int i, nr = numbers[n];

		for (i = 0; i < nr; i++) {
			files[i] = i % 2 ? files[i - 1] :
					   um_file_create(t->world, UM_FILE_REGULAR);
			t_map_file(mm, BASE + i * 16 * PG, 8, files[i], 5);
			t_write(mm, BASE + i * 16 * PG + 2 * PG, 2, 100 * i);
		}
		for (i = 0; i < nr; i += 7) {
			struct folio *folio = folio_at(mm, BASE + i * 16 * PG + 2 * PG);

			assert_int_equal(walk_all(folio).visits, 1);
			assert_int_equal(walk_all(folio).found, 1);
		}
		child = t_fork(mm);
		t_move(child, BASE, 8, FAR, 0);
		for (i = 0; i < nr; i += 7) {
			struct folio *folio = folio_at(mm, BASE + i * 16 * PG + 2 * PG);

			assert_int_equal(walk_all(folio).visits, 2);
			assert_int_equal(walk_all(folio).found, 2);
		}
		um_exit(child);
		um_exit(mm);
		for (i = 0; i < nr; i += 2)
			um_file_put(files[i]);
	}
}

/*
 * R14: 1,000 VMAs in a parent, then children. What a walk visits is bounded by the mms
 * that can map the page, and what it steps through does not grow with the VMAs.
 */
static unsigned long steps_of(struct mm_struct *mm, uint64_t addr)
{
	unsigned long before;

	/* Of another page, so that no hint is at hand. */
	walk_all(folio_at(mm, BASE));
	before = steps_taken();
	walk_all(folio_at(mm, addr));
	return steps_taken() - before;
}

static void r14_visits_are_bounded_by_mms(void **state)
{
	struct mm_struct *mm, *child[20];
	unsigned long few, many;
	struct t *t = *state;
	int i;

	mm = t_mm(t);
	for (i = 0; i < 1000; i++) {
		t_map(mm, BASE + i * 3 * PG, 2);
		t_write(mm, BASE + i * 3 * PG, 1, i);
	}
	assert_int_equal(t_nr_vmas(mm), 1000);
	for (i = 0; i < 20; i++)
		child[i] = t_fork(mm);
	for (i = 0; i < 1000; i += 111) {
		struct folio *folio = folio_at(mm, BASE + i * 3 * PG);

		assert_int_equal(walk_all(folio).found, 21);
		assert_true(walk_all(folio).visits <= 21);
	}
	/* The last one: all others lie below. */
	many = steps_of(mm, BASE + 999 * 3 * PG);
	/* The same with 10 VMAs: as many steps. */
	for (i = 0; i < 20; i++)
		t_unmap(child[i], BASE + 30 * PG, 2970);
	t_unmap(mm, BASE + 30 * PG, 2970);
	assert_int_equal(t_nr_vmas(mm), 10);
	few = steps_of(mm, BASE + 9 * 3 * PG);
	assert_true(many <= few + 21);
	for (i = 0; i < 20; i++)
		um_exit(child[i]);
}

/*
 * R33: 20,000 VMAs behind one anon_vma (every second page has other permissions), of
 * which one holds a page that KSM has merged with one of another process.
 *
 * Visited is, for each of the two places, the VMA at its address. To find it, the
 * regular topology steps through all VMAs of the anon_vma, as Linux 6.12 does, which
 * is what was complained of; the lazy one looks up an address, and that VMAs were moved,
 * and have chain entries, is no reason to look at these.
 */
#define KSM_VMAS	20000UL
#define KSM_MOVED	1000UL

static void r33_ksm_visits_a_handful(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b = t_mm(t);
	const uint64_t at = BASE + 7778 * PG;
	struct counted counted;
	struct folio *folio;
	unsigned long i, before;

	t_map(a, BASE, KSM_VMAS);
	t_write(a, at, 1, 42);
	t_map(b, FAR, 1);
	t_write(b, FAR, 1, 42);
	/* One page before the splits makes all of them VMAs of one anon_vma. */
	for (i = 0; i < KSM_VMAS; i += 2)
		t_protect(a, BASE + i * PG, 1, RW | PROT_EXEC);
	assert_int_equal(t_nr_vmas(a), KSM_VMAS);
	for (i = 0; i < KSM_MOVED; i++)
		t_move(a, BASE + (KSM_VMAS - 1 - i) * PG, 1, FAR + 2 * i * PG, 0);
	assert_int_equal(um_madvise(a, at, PG, MADV_MERGEABLE), 0);
	assert_int_equal(um_madvise(b, FAR, PG, MADV_MERGEABLE), 0);
	um_ksm_scan(t->world, 100);
	um_ksm_scan(t->world, 100);
	folio = folio_at(a, at);
	assert_true(folio_test_ksm(folio));
	assert_ptr_equal(folio_at(b, FAR), folio);

	before = steps_taken();
	counted = walk_all(folio);
	assert_int_equal(counted.found, 2);
	assert_true(counted.visits <= 4);
	if (t->lazy)
		assert_true(steps_taken() - before <= 16);
	else
		assert_true(steps_taken() - before >= KSM_VMAS);
}

/*
 * R35: 1,000 children, each with 1,000 pages of its own after COW. A walk of a child's
 * page visits that child only; at depth 1, which is above the depth of joining. If it has
 * a child itself, that one as well, and from there no sibling.
 */
#define AIM_CHILDREN	1000
#define AIM_PAGES	1000

/*
 *	mm			one of many children; the owner of a page
 *	`- grandchild		has a copy of its own
 *
 * A walk to the end visits both, and not the siblings after them.
 */
static void visits_stay_below(struct mm_struct *mm, uint64_t at)
{
	struct mm_struct *grandchild = t_fork(mm);
	struct counted counted;

	t_write(grandchild, at, 1, 3);
	counted = walk_all(folio_at(mm, at));
	assert_int_equal(counted.found, 1);
	assert_int_equal(counted.visits, 2);
	um_exit(grandchild);
}

static void r35_private_pages_take_one_visit(void **state)
{
	static struct mm_struct *child[AIM_CHILDREN];
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	int i;

	t_map(mm, BASE, AIM_PAGES);
	t_write(mm, BASE, AIM_PAGES, 5);
	for (i = 0; i < AIM_CHILDREN; i++) {
		child[i] = t_fork(mm);
		t_write(child[i], BASE, AIM_PAGES, 10000 * (i + 1));
	}
	for (i = 0; i < AIM_CHILDREN; i += 37) {
		uint64_t at = BASE + (i * 7 % AIM_PAGES) * PG;
		struct counted counted = walk_all(folio_at(child[i], at));

		assert_int_equal(counted.found, 1);
		assert_int_equal(counted.visits, 1);
		visits_stay_below(child[i], at);
	}
	/* The parent's own, which all children could have, end with the first. */
	assert_int_equal(walk_until_found(folio_at(mm, BASE)).visits, 1);
	for (i = 0; i < AIM_CHILDREN; i++)
		um_exit(child[i]);
}

/*
 * R35, R40: at the depth of joining (lazy) an anon_vma serves several mms, and a walk of
 * a page of one of them may visit all: as many as there are below that depth, no more.
 */
static void r35_below_the_depth_of_joining(void **state)
{
	struct mm_struct *line[16], *leaf[8];
	struct t *t = *state;
	int i;

	line[0] = t_mm(t);
	t_map(line[0], BASE, 4);
	t_write(line[0], BASE, 4, 1);
	for (i = 1; i < 16; i++)
		line[i] = t_fork(line[i - 1]);
	assert_int_equal(t_stats(t).joins, 0);
	for (i = 0; i < 8; i++) {
		leaf[i] = t_fork(line[15]);
		t_write(leaf[i], BASE, 1, 100 + i);
	}
	if (t->lazy) {
		/* A fork that fails after its child has joined is counted, too. */
		assert_in_range(t_stats(t).joins, 8, 8 + t_injected());
		assert_int_equal(walk_all(folio_at(leaf[7], BASE)).visits, 9);
	} else {
		assert_int_equal(walk_all(folio_at(leaf[7], BASE)).visits, 1);
	}
	for (i = 0; i < 8; i++)
		assert_int_equal(walk_all(folio_at(leaf[i], BASE)).found, 1);
	for (i = 0; i < 16; i++)
		um_exit(line[i]);
	for (i = 0; i < 8; i++)
		um_exit(leaf[i]);
}

/*
 * R40: a process with 400 idle children. Its exclusive pages, in a VMA older than the
 * children and copied since, and in one that is newer; and one that a child has copied.
 *
 * Migration walks twice, the second time without a mapcount. In the lazy topology a
 * note says how many entries there are; in the regular one, as in Linux, the restoring
 * walk visits whatever the owner leads to: 401 VMAs, or 1 in the newer VMA.
 */
#define IDLE	400

struct visited {
	unsigned long migrate, reference, swap_out;
};

static struct visited visit_ways(struct t *t, struct mm_struct *mm, uint64_t at)
{
	struct visited visited;
	unsigned long before = visits(t);

	migrate_one(t, mm, at);
	visited.migrate = visits(t) - before;
	before = visits(t);
	reference_one(mm, at);
	visited.reference = visits(t) - before;
	visited.swap_out = swap_out_one(t, mm, at);
	return visited;
}

static void r40_exclusive_among_400_children(void **state)
{
	struct mm_struct *mm, *child[IDLE];
	struct visited older, newer, childs;
	struct t *t = *state;
	int i;

	mm = t_mm(t);
	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	for (i = 0; i < IDLE; i++)
		child[i] = t_fork(mm);
	t_map(mm, FAR, 4);
	t_write(mm, FAR, 4, 200);
	t_write(mm, BASE, 1, 300);
	t_write(child[IDLE / 2], BASE, 1, 400);
	visits_stay_below(child[IDLE / 2], BASE);

	older = visit_ways(t, mm, BASE);
	newer = visit_ways(t, mm, FAR);
	childs = visit_ways(t, child[IDLE / 2], BASE);
	assert_int_equal(older.reference, 1);
	assert_int_equal(newer.reference, 1);
	assert_int_equal(childs.reference, 1);
	/* Asks for references once more, then unmaps. */
	assert_int_equal(older.swap_out, 2);
	assert_int_equal(newer.swap_out, 2);
	assert_int_equal(childs.swap_out, 2);
	assert_int_equal(newer.migrate, 2);
	assert_int_equal(childs.migrate, 2);
	assert_int_equal(older.migrate, t->lazy ? 2 : 1 + IDLE + 1);

	/* Not copied, and so with 400 mappings more: one visit for each, twice. */
	i = visits(t);
	migrate_one(t, mm, BASE + 2 * PG);
	assert_int_equal(visits(t) - i, 2 * (IDLE + 1));
	t_expect(mm, BASE, 1, 300);
	t_expect(mm, BASE + PG, 3, 101);
	t_expect(child[IDLE / 2], BASE, 1, 400);
	for (i = 0; i < IDLE; i++)
		um_exit(child[i]);
}

/*
 * R43: 20,000 VMAs are unmapped at once. While they are in no VMA tree any more, but
 * their pages are still mapped, their pages are looked for, and pages beside them.
 *
 *	[other]  [0][1][2] ... zapped so far | held here ... [19,999]
 *	         `------------------ munmap --------------------'
 *
 * The zapping is held at a page table in the middle. A walk finds the page behind it in
 * a handful of steps, and one that looks for [other] does not go through all of them.
 */
#define BATCH	20000UL

struct unmapping {
	struct mm_struct *mm;
	uint64_t addr, pages;
	int err;
};

static void unmap_all(void *arg)
{
	struct unmapping *u = arg;

	u->err = um_munmap(u->mm, u->addr, u->pages * PG);
}

static void r43_walk_of_a_long_batch(void **state)
{
	struct t *t = *state;
	static struct unmapping u;
	const uint64_t middle = BASE + BATCH / 2 * PG, late = BASE + (BATCH - 5) * PG;
	struct folio *folio, *other;
	struct counted counted;
	unsigned long i, before;
	static struct beside unmapper;
	static struct held held;

	u = (struct unmapping) { .mm = t_mm(t), .addr = BASE, .pages = BATCH };
	t_map(u.mm, BASE, BATCH);
	for (i = 0; i < BATCH; i += 500)
		t_write(u.mm, BASE + i * PG, 1, i);
	t_write(u.mm, late, 1, 77);
	t_write(u.mm, middle, 1, 78);
	for (i = 0; i < BATCH; i += 2)
		t_protect(u.mm, BASE + i * PG, 1, PROT_READ);
	assert_int_equal(t_nr_vmas(u.mm), BATCH);
	t_map(u.mm, FAR, 1);
	t_write(u.mm, FAR, 1, 79);
	folio = folio_at(u.mm, late);
	other = folio_at(u.mm, FAR);

	held_begin(&held, u.mm, middle);
	beside_start(&unmapper, unmap_all, &u);
	/* What comes before the table that is held is gone. */
	await(entry_at(u.mm, BASE) == 0);
	assert_true(pte_present(entry_at(u.mm, late)));
	before = steps_taken();
	counted = walk_all(folio);
	assert_int_equal(counted.found, 1);
	assert_int_equal(counted.visits, 1);
	assert_true(steps_taken() - before <= 8);
	before = steps_taken();
	counted = walk_all(other);
	assert_int_equal(counted.found, 1);
	assert_int_equal(counted.visits, 1);
	assert_true(steps_taken() - before <= 8);
	/* Migration in the middle of it: its entry goes back, or is zapped. */
	migrate_one(t, u.mm, late);
	assert_true(pte_present(entry_at(u.mm, late)));
	held_end(&held);
	beside_join(&unmapper);
	assert_int_equal(u.err, 0);
	assert_int_equal(t_nr_vmas(u.mm), 1);
	t_expect(u.mm, FAR, 1, 79);
}

/* -- Locks -------------------------------------------------------------------------- */

/*
 * R19: all VMAs of an mm share one rwsem in the lazy topology. How often do the calls
 * that change VMAs take owners' rwsems for writing - each time all walks of the process
 * wait? Counted for each call, after a fork and before, in both topologies.
 *
 * Counted, regular / lazy: split 4 / 2 and join 3 / 1 (no chain entries are made or freed),
 * munmap of the middle 5 / 4, fork 4 / 0, first fault 0 / 0. mremap, there and back, 3 / 4:
 * what it leaves behind is put on the list of detached VMAs, and taken off, where the
 * regular topology unlinks the source once. Hence one more is allowed there, and none
 * elsewhere.
 */
struct holds {
	unsigned long split, join, move, back, unmap, first_fault, fork;
};

#define COUNT_HOLDS(what, call) do {				\
	unsigned long before_ = holds_for_write();		\
								\
	call;							\
	(what) = holds_for_write() - before_;			\
} while (0)

static void count_holds(struct t *t, struct mm_struct *mm, struct holds *h)
{
	struct mm_struct *child;

	holds_watch_none();
	holds_watch(owner_at(mm, BASE));
	holds_watch(owner_at(mm, FAR));
	COUNT_HOLDS(h->split, t_protect(mm, BASE + 4 * PG, 4, PROT_READ));
	COUNT_HOLDS(h->join, t_protect(mm, BASE + 4 * PG, 4, RW));
	COUNT_HOLDS(h->move, t_move(mm, BASE, 12, FAR + 64 * PG, 0));
	COUNT_HOLDS(h->back, t_move(mm, FAR + 64 * PG, 12, BASE, 0));
	COUNT_HOLDS(h->unmap, t_unmap(mm, BASE + 4 * PG, 4));
	/* With nobody beside it: else it is part of a VMA that has had its first fault. */
	t_map(mm, FAR + 256 * PG, 4);
	COUNT_HOLDS(h->first_fault, t_write(mm, FAR + 256 * PG, 4, 100));
	COUNT_HOLDS(h->fork, child = t_fork(mm));
	um_exit(child);
	holds_watch_none();
	t_migrate(t);
}

/* The same in a world of the regular topology. */
static void regular_holds(struct t *t, bool forked, struct holds *h)
{
	struct t regular = { .topology = "regular" };
	struct um_config config = {
		.topology = "regular", .check = UM_CHECK_OFF, .max_pages = 1 << 20,
	};
	struct mm_struct *mm, *child = NULL;

	(void)t;
	assert_int_equal(um_world_create(&config, &regular.world), 0);
	mm = t_mm(&regular);
	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	t_map(mm, FAR, 4);
	t_write(mm, FAR, 4, 200);
	if (forked)
		child = t_fork(mm);
	count_holds(&regular, mm, h);
	if (child)
		um_exit(child);
	um_exit(mm);
	assert_int_equal(um_world_destroy(regular.world), 0);
}

static void expect_holds(const char *what, unsigned long regular, unsigned long lazy,
			 unsigned long more)
{
	print_message("# r19 %s: regular %lu, lazy %lu\n", what, regular, lazy);
	/* A call that could not be done for want of memory was undone, and done again. */
	if (!t_injected())
		assert_true(lazy <= regular + more);
}

static void r19_mutators_hold_no_more_often(void **state)
{
	struct t *t = *state;
	struct holds regular, lazy;
	int forked;

	if (!holds_are_counted()) {
		print_message("# r19: locks are counted in builds with -Dlockdep=true\n");
		return;
	}
	for (forked = 0; forked < 2; forked++) {
		struct mm_struct *mm = t_mm(t), *child = NULL;

		t_map(mm, BASE, 12);
		t_write(mm, BASE, 12, 100);
		t_map(mm, FAR, 4);
		t_write(mm, FAR, 4, 200);
		if (forked)
			child = t_fork(mm);
		count_holds(t, mm, &lazy);
		if (child)
			um_exit(child);
		um_exit(mm);
		regular_holds(t, forked, &regular);
		expect_holds("split", regular.split, lazy.split, 0);
		expect_holds("join", regular.join, lazy.join, 0);
		expect_holds("mremap", regular.move, lazy.move, 1);
		expect_holds("mremap back", regular.back, lazy.back, 1);
		expect_holds("munmap", regular.unmap, lazy.unmap, 0);
		expect_holds("first fault", regular.first_fault, lazy.first_fault, 0);
		assert_int_equal(lazy.first_fault, 0);
		expect_holds("fork", regular.fork, lazy.fork, 0);
	}
}

/* R37: 300 sharers of one page, in memory, under migration, and in swap. */
static void r37_300_sharers(void **state)
{
	struct mm_struct *mm, *child[300];
	struct t *t = *state;
	struct folio *folio;
	int i;

	mm = t_mm(t);
	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 7);
	for (i = 0; i < 300; i++)
		child[i] = t_fork(mm);
	folio = folio_at(mm, BASE);
	assert_int_equal(folio_mapcount(folio), 301);
	assert_int_equal(walk_all(folio).found, 301);
	migrate_one(t, mm, BASE);
	folio = folio_at(mm, BASE);
	assert_int_equal(folio_mapcount(folio), 301);
	reference_one(mm, BASE);
	swap_out_one(t, mm, BASE);
	assert_int_equal(swap_count(t->world, pte_pfn(entry_at(mm, BASE))), 301);
	for (i = 0; i < 300; i++) {
		t_expect(child[i], BASE, 1, 7);
		if (i % 2)
			um_exit(child[i]);
	}
	t_expect(mm, BASE, 1, 7);
	assert_int_equal(walk_all(folio_at(mm, BASE)).found, 151);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(r05_every_vma_of_a_2m_folio),
		ROW(r05_every_vma_of_a_64k_folio),
		ROW(r08_visits_do_not_grow_with_files),
		ROW(r14_visits_are_bounded_by_mms),
		ROW_ON(r19_mutators_hold_no_more_often, "lazy"),
		ROW(r33_ksm_visits_a_handful),
		ROW(r35_private_pages_take_one_visit),
		ROW(r35_below_the_depth_of_joining),
		ROW(r37_300_sharers),
		ROW(r40_exclusive_among_400_children),
		ROW(r43_walk_of_a_long_batch),
	};

	return um_test_main(tests);
}
