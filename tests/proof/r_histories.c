// SPDX-License-Identifier: GPL-2.0
/*
 * Rows that are about what comes after what: merges beside neighbours of all kinds,
 * clones that fail, KSM pages that come back from swap, VMA counts of whole histories.
 */
#include <stdlib.h>
#include <kshim/fault.h>
#include "inside.h"

/* -- R15: merges ------------------------------------------------------------------------ */

/*
 * The same operations in two worlds, regular and lazy, by lot, all at fixed addresses.
 *
 * After each, no process of the lazy world has more VMAs, but for two corners in which
 * its merging more before is what keeps it from merging now. A range that nobody has
 * touched may be one VMA with a range that has pages, where the regular one keeps two. So
 * it is a range with pages, when it is cut off again:
 *
 *	regular	[ faulted ][ fresh ]  moved next to [ fresh' ]  ->  [ fresh  +  fresh' ]
 *	lazy	[ faulted +  fresh ]				->  [ displaced ][ fresh' ]
 *
 * and when it is made read-only, it stays accounted for (as Linux does with what has
 * pages), and is not like what never was writable. What is more must be at such
 * boundaries; and all in all there are fewer.
 */
struct twin {
	struct um_world *world;
	struct mm_struct *mm[4];
	struct um_file *file;
};

static uint64_t lot(uint64_t *state, uint64_t n)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15UL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return (z ^ z >> 31) % n;
}

static void twin_create(struct twin *twin, const char *topology)
{
	struct um_config config = { .topology = topology, .max_pages = 1 << 16 };

	*twin = (struct twin) { 0 };
	assert_int_equal(um_world_create(&config, &twin->world), 0);
	assert_int_equal(um_mm_create(twin->world, &twin->mm[0]), 0);
	twin->file = um_file_create(twin->world, UM_FILE_REGULAR);
	assert_non_null(twin->file);
}

static void twin_destroy(struct twin *twin)
{
	int i;

	for (i = 0; i < 4; i++)
		if (twin->mm[i])
			um_exit(twin->mm[i]);
	um_file_put(twin->file);
	assert_int_equal(um_world_destroy(twin->world), 0);
}

struct step {
	unsigned int op, who, other, prot;
	uint64_t addr, pages, to;
};

static int twin_fork(struct twin *twin, const struct step *step)
{
	if (twin->mm[step->other])
		um_exit(twin->mm[step->other]);
	twin->mm[step->other] = NULL;
	return um_fork(twin->mm[step->who], &twin->mm[step->other]);
}

/* mremap wants one VMA, which merging may have made here and not there. */
static bool in_one_vma(struct mm_struct *mm, const struct step *step)
{
	struct vm_area_struct *vma;
	bool in;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, step->addr);
	in = vma && step->addr + step->pages * PG <= vma->vm_end;
	mmap_read_unlock(mm);
	return in;
}

static int twin_step(struct twin *twin, const struct step *step)
{
	static const int prots[] = { RW, RW, RW, PROT_READ };
	struct mm_struct *mm = twin->mm[step->who];
	uint64_t i, at, len = step->pages * PG;
	int prot = prots[step->prot];

	switch (step->op) {
	case 0:
	case 1:
		return um_mmap(mm, step->addr, len, prot, ANON | MAP_FIXED, NULL, 0, &at);
	case 2:
		return um_mmap(mm, step->addr, len, prot, MAP_PRIVATE | MAP_FIXED, twin->file,
			       (step->addr - BASE) / PG, &at);
	case 3:
		return um_munmap(mm, step->addr, len);
	case 4:
	case 5:
		return um_mprotect(mm, step->addr, len, prot);
	case 6:
	case 7:
		return um_mremap(mm, step->addr, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
				 step->to, &at);
	case 8:
		return twin_fork(twin, step);
	default:
		for (i = 0; i < step->pages; i++)
			um_write(mm, step->addr + i * PG, i + 1);
		return 0;
	}
}

static void print_vmas(const struct twin *twin, int who)
{
	struct um_vma_info vmas[64];
	size_t i, nr = um_vmas(twin->mm[who], vmas, 64);

	for (i = 0; i < nr && i < 64; i++)
		print_error("  %llx-%llx pgoff %llx flags %llx%s%s%s\n",
			    (unsigned long long)vmas[i].start, (unsigned long long)vmas[i].end,
			    (unsigned long long)vmas[i].pgoff, (unsigned long long)vmas[i].flags,
			    vmas[i].file ? " file" : "", vmas[i].faulted ? " faulted" : "",
			    vmas[i].displaced ? " displaced" : "");
}

/* Pairs of neighbours that only displacement, or accounting, keeps apart. */
static long apart_by_history(struct mm_struct *mm)
{
	struct um_vma_info vmas[64];
	size_t i, nr = um_vmas(mm, vmas, 64);
	long pairs = 0;

	assert_true(nr <= 64);
	for (i = 1; i < nr; i++)
		pairs += vmas[i].start == vmas[i - 1].end && vmas[i].file == vmas[i - 1].file &&
			 (vmas[i].faulted || vmas[i - 1].faulted) &&
			 ((vmas[i].flags ^ vmas[i - 1].flags) == VM_ACCOUNT ||
			  (vmas[i].flags == vmas[i - 1].flags &&
			   (vmas[i].displaced || vmas[i - 1].displaced)));
	return pairs;
}

/* Returns false where lazy has more VMAs than can be explained; adds up all VMAs. */
static bool compare_twins(struct twin *regular, struct twin *lazy, uint64_t *sum_regular,
			  uint64_t *sum_lazy)
{
	int i;

	for (i = 0; i < 4; i++) {
		long r, l;

		if (!regular->mm[i])
			continue;
		r = um_vmas(regular->mm[i], NULL, 0);
		l = um_vmas(lazy->mm[i], NULL, 0);
		*sum_regular += r;
		*sum_lazy += l;
		if (l <= r + apart_by_history(lazy->mm[i]))
			continue;
		print_error("mm %d: regular %ld VMAs, lazy %ld\n", i, r, l);
		print_vmas(regular, i);
		print_error(" lazy:\n");
		print_vmas(lazy, i);
		return false;
	}
	return true;
}

static struct step some_step(uint64_t *random, const struct twin *twin)
{
	struct step step = {
		.op = lot(random, 14),
		.prot = lot(random, 4),
		.addr = BASE + lot(random, 24) * 2 * PG,
		.pages = 1 + lot(random, 8),
		.other = 1 + lot(random, 3),
	};

	do
		step.who = lot(random, 4);
	while (!twin->mm[step.who]);
	step.to = lot(random, 3) ? FAR + (step.addr - BASE) : BASE + lot(random, 24) * 2 * PG;
	if (lot(random, 3) == 0) {
		uint64_t from = step.addr - BASE + FAR;

		/* Back to where it came from. */
		if (step.op == 6 || step.op == 7) {
			step.to = step.addr;
			step.addr = from;
		} else if (step.op != 0 && step.op != 2) {
			step.addr = from;
		}
	}
	if (step.who == step.other)
		step.op = step.op == 8 ? 9 : step.op;
	return step;
}

static void twin_run(unsigned int seed, bool moves, uint64_t *sum_regular, uint64_t *sum_lazy)
{
	struct twin regular, lazy;
	uint64_t random = seed;
	unsigned int i;

	twin_create(&regular, "regular");
	twin_create(&lazy, "lazy");
	for (i = 0; i < 400; i++) {
		struct step step = some_step(&random, &lazy);
		int r, l;

		if ((step.op == 6 || step.op == 7) &&
		    (!moves || !in_one_vma(regular.mm[step.who], &step) ||
		     !in_one_vma(lazy.mm[step.who], &step)))
			continue;
		r = twin_step(&regular, &step);
		l = twin_step(&lazy, &step);
		if (compare_twins(&regular, &lazy, sum_regular, sum_lazy) && r == l)
			continue;
		print_error("seed %u step %u: op %u mm %u %llx %llu pages to %llx prot %u: "
			    "%d, %d\n", seed, i, step.op, step.who, (unsigned long long)step.addr,
			    (unsigned long long)step.pages, (unsigned long long)step.to,
			    step.prot, r, l);
		fail();
	}
	twin_destroy(&regular);
	twin_destroy(&lazy);
}

static void r15_no_more_vmas_than_regular(void **state)
{
	uint64_t sum_regular = 0, sum_lazy = 0;
	unsigned int seed;

	(void)state;
	for (seed = 1; seed <= 60; seed++)
		twin_run(seed, seed % 2, &sum_regular, &sum_lazy);
	print_message("# r15: VMAs seen, regular %llu, lazy %llu\n",
		      (unsigned long long)sum_regular, (unsigned long long)sum_lazy);
	assert_true(sum_lazy < sum_regular);
}

/* -- R21, R41: away and back ---------------------------------------------------------------- */

enum neighbour {
	ABSENT,
	UNFAULTED,
	FAULTED_BEFORE,		/* with the VMA, when all three were one */
	FAULTED_SINCE,		/* while the VMA was away */
	NR_NEIGHBOURS,
};

/*
 *	[ prev ][ VMA ][ next ]    the VMA is faulted, moves away, is used there, and
 *	[ prev ].......[ next ]    comes back between its neighbours, of each kind
 *	[ prev ][ VMA ][ next ]
 *
 * It is that of a parent, of a child that inherited it, or of a process without either.
 *
 * Expected, regular: as Linux 6.12, it merges with a neighbour exactly if both have the
 * same anon_vma; an unfaulted one cannot take over what it has (CVE-2026-23077 came with
 * a later kernel that let it, and forgot the anon_vma). Lazy: back in place, it merges with
 * every neighbour, as all VMAs of the mm have one anon_vma; and nothing is left of its
 * being displaced.
 */
static void between(struct t *t, int prev, int next, int forked, int flags)
{
	struct mm_struct *mm = t_mm(t), *child = NULL, *mover = mm;
	struct anon_vma *own, *left = NULL, *right = NULL;
	bool merges_left, merges_right;
	size_t expected;

	if (prev == FAULTED_BEFORE && next == FAULTED_BEFORE) {
		t_map(mm, BASE, 12);
		t_write(mm, BASE, 12, 100);
	} else {
		t_map(mm, BASE + 4 * PG, 4);
		if (prev == FAULTED_BEFORE)
			t_map(mm, BASE, 4);
		if (next == FAULTED_BEFORE)
			t_map(mm, BASE + 8 * PG, 4);
		t_write(mm, BASE + 4 * PG, 4, 104);
		if (prev == FAULTED_BEFORE)
			t_write(mm, BASE, 4, 100);
		if (next == FAULTED_BEFORE)
			t_write(mm, BASE + 8 * PG, 4, 108);
	}
	if (forked) {
		child = t_fork(mm);
		mover = forked == 1 ? mm : child;
	}
	t_move(mover, BASE + 4 * PG, 4, FAR, flags);
	if (flags)
		t_unmap(mover, BASE + 4 * PG, 4);
	t_write(mover, FAR + PG, 1, 500);
	if (prev == UNFAULTED || prev == FAULTED_SINCE)
		t_map(mover, BASE, 4);
	if (next == UNFAULTED || next == FAULTED_SINCE)
		t_map(mover, BASE + 8 * PG, 4);
	if (prev == FAULTED_SINCE)
		t_write(mover, BASE, 4, 100);
	if (next == FAULTED_SINCE)
		t_write(mover, BASE + 8 * PG, 4, 108);

	own = owner_at(mover, FAR);
	if (prev != ABSENT)
		left = anon_vma_tree_anon_vma(vma_at(mover, BASE)->anon_vma);
	if (next != ABSENT)
		right = anon_vma_tree_anon_vma(vma_at(mover, BASE + 8 * PG)->anon_vma);
	merges_left = prev != ABSENT && (t->lazy || left == own);
	merges_right = next != ABSENT && (t->lazy || right == own);
	expected = 1 + (prev != ABSENT) + (next != ABSENT) - merges_left - merges_right;
	t_move(mover, FAR, 4, BASE + 4 * PG, 0);
	if (t_nr_vmas(mover) != expected)
		print_error("prev %d next %d forked %d: %zu VMAs, not %zu\n", prev, next, forked,
			    t_nr_vmas(mover), expected);
	assert_int_equal(t_nr_vmas(mover), expected);
	assert_true(t_vma(mover, BASE + 4 * PG).faulted);
	if (t->lazy) {
		assert_false(t_vma(mover, BASE + 4 * PG).displaced);
		assert_int_equal(live(t, UM_OBJ_AVC), 0);
	}
	assert_int_equal(um_check_all(t->world), 0);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mover, BASE + 4 * PG, 1, 104);
	t_expect(mover, BASE + 5 * PG, 1, 500);
	t_expect(mover, BASE + 6 * PG, 2, 106);
	if (prev >= FAULTED_BEFORE)
		t_expect(mover, BASE, 4, 100);
	if (next >= FAULTED_BEFORE)
		t_expect(mover, BASE + 8 * PG, 4, 108);
	if (child)
		t_expect(mover == mm ? child : mm, BASE + 4 * PG, 4, 104);
	/* Nothing dangles: the neighbours go first, then the rest. */
	t_unmap(mover, BASE, 4);
	t_migrate(t);
	t_expect(mover, BASE + 6 * PG, 2, 106);
	if (child)
		um_exit(child);
	um_exit(mm);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
	assert_int_equal(live(t, UM_OBJ_AVC), 0);
}

static void all_between(struct t *t, int from, int to, int flags)
{
	int prev, next, forked;

	for (prev = ABSENT; prev < NR_NEIGHBOURS; prev++)
	for (next = ABSENT; next < NR_NEIGHBOURS; next++)
	for (forked = from; forked <= to; forked++)
		between(t, prev, next, forked, flags);
}

static void r41_away_and_back(void **state)
{
	all_between(*state, 0, 0, 0);
}

/* R21: the same with MREMAP_DONTUNMAP, and with a source that has been forked. */
static void r21_back_between_neighbours(void **state)
{
	all_between(*state, 0, 0, MREMAP_DONTUNMAP);
	all_between(*state, 1, 2, 0);
	all_between(*state, 1, 2, MREMAP_DONTUNMAP);
}

/* -- R22, R23: clones and merges that fail --------------------------------------------------- */

/* References, children and VMAs that an owner and its ancestors count. */
struct owner_counts {
	int refcount[4];
	unsigned long children[4], vmas[4];
};

static struct owner_counts counts_of(struct vm_area_struct *vma)
{
	struct anon_vma *anon_vma = anon_vma_tree_anon_vma(vma->anon_vma);
	struct owner_counts counts = { 0 };
	int i;

	for (i = 0; i < 4 && anon_vma; i++) {
		counts.refcount[i] = atomic_read(&anon_vma->refcount);
		counts.children[i] = anon_vma->num_children;
		counts.vmas[i] = anon_vma->num_active_vmas;
		anon_vma = anon_vma->parent == anon_vma ? NULL : anon_vma->parent;
	}
	return counts;
}

/*
 * R22: a VMA that is displaced, in a process three forks down: in the regular topology a
 * clone takes four chain entries, in the lazy one one. The n-th fails: the clone has no
 * word and no chain, and nothing is counted. It is what mremap, a split and a fork do.
 */
static void r22_a_clone_that_fails_leaves_no_word(void **state)
{
	struct t *t = *state;
	struct mm_struct *line[4], *mm;
	struct owner_counts before, after;
	struct vm_area_struct *src, *dst;
	unsigned int i, n;
	uint64_t avcs;
	int err;

	line[0] = t_mm(t);
	t_map(line[0], BASE, 4);
	t_write(line[0], BASE, 4, 100);
	t_move(line[0], BASE, 4, FAR, 0);
	for (i = 1; i < 4; i++)
		line[i] = t_fork(line[i - 1]);
	mm = line[3];
	src = vma_at(mm, FAR);
	avcs = live(t, UM_OBJ_AVC);
	before = counts_of(src);
	mmap_write_lock(mm);
	vma_start_write(src);
	for (n = 1; ; n++) {
		bool failed;

		dst = vm_area_dup(src);
		assert_non_null(dst);
		kshim_fail_nth(n);
		err = anon_vma_clone(dst, src);
		failed = kshim_fail_disarm();
		if (!failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(dst->anon_vma, 0);
		assert_true(list_empty(&dst->anon_vma_chain));
		after = counts_of(src);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_int_equal(t_stats(t).objects[UM_OBJ_AVC].live, avcs);
		vm_area_free(dst);
	}
	assert_int_equal(n, t->lazy ? 2 : 5);
	assert_int_equal(err, 0);
	unlink_anon_vmas(dst);
	vm_area_free(dst);
	mmap_write_unlock(mm);
	after = counts_of(src);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(live(t, UM_OBJ_AVC), avcs);
	for (i = 0; i < 4; i++)
		t_expect(line[i], FAR, 4, 100);
	t_migrate(t);
	for (i = 0; i < 4; i++)
		um_exit(line[i]);
}

/* R22: the clone system call. The parent's counts are what they were, and it can fork. */
static void r22_a_fork_that_fails_half_way(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child = NULL;
	struct owner_counts before, after, moved_before, moved;
	unsigned int n;
	int err;

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
	t_map(mm, BASE + 32 * PG, 4);
	t_write(mm, BASE + 32 * PG, 4, 200);
	t_move(mm, BASE + 32 * PG, 4, FAR, 0);
	before = counts_of(vma_at(mm, BASE));
	moved_before = counts_of(vma_at(mm, FAR));
	for (n = 1; ; n++) {
		kshim_fail_nth(n);
		err = um_fork(mm, &child);
		if (!kshim_fail_disarm())
			break;
		assert_int_equal(err, -ENOMEM);
		after = counts_of(vma_at(mm, BASE));
		moved = counts_of(vma_at(mm, FAR));
		assert_memory_equal(&before, &after, sizeof(before));
		assert_memory_equal(&moved_before, &moved, sizeof(moved));
		assert_int_equal(um_check_all(t->world), 0);
	}
	assert_true(n > 8);
	assert_int_equal(err, 0);
	t_expect(child, BASE, 8, 100);
	t_expect(child, FAR, 4, 200);
	um_exit(child);
	after = counts_of(vma_at(mm, BASE));
	assert_memory_equal(&before, &after, sizeof(before));
}

/*
 * R23: an unfaulted VMA is to take over the rmap state of one that has pages, and then
 * memory fails. The duplicate is undone: it is unfaulted as before.
 *
 *	[ unfaulted ]   hole   [ faulted ]	mmap into the hole: all three would be one
 *
 * With anonymous memory, and with a file mapping that is displaced, for which the lazy
 * topology has to get a chain entry.
 */
static void duplicate(struct t *t, bool file_moved)
{
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	const uint64_t at = file_moved ? FAR : BASE;
	struct mm_struct *mm = t_mm(t);
	unsigned int n;
	uint64_t result;
	bool failed;
	int err;

	if (file_moved) {
		t_map_file(mm, BASE, 4, file, 18);
		t_write(mm, BASE, 4, 100);
		t_move(mm, BASE, 4, at + 8 * PG, 0);
		t_map_file(mm, at, 4, file, 10);
	} else {
		t_map(mm, at + 8 * PG, 4);
		t_write(mm, at + 8 * PG, 4, 100);
		t_map(mm, at, 4);
	}
	assert_int_equal(t_nr_vmas(mm), 2);
	for (n = 1; ; n++) {
		struct owner_counts before = counts_of(vma_at(mm, at + 8 * PG)), after;
		uint64_t avcs = live(t, UM_OBJ_AVC);

		kshim_fail_nth(n);
		err = um_mmap(mm, at + 4 * PG, 4 * PG, RW,
			      (file_moved ? MAP_PRIVATE : ANON) | MAP_FIXED,
			      file_moved ? file : NULL, file_moved ? 14 : 0, &result);
		failed = kshim_fail_disarm();
		if (!failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(t_nr_vmas(mm), 2);
		assert_false(t_vma(mm, at).faulted);
		after = counts_of(vma_at(mm, at + 8 * PG));
		assert_memory_equal(&before, &after, sizeof(before));
		assert_int_equal(live(t, UM_OBJ_AVC), avcs);
		assert_int_equal(um_check_all(t->world), 0);
	}
	assert_int_equal(err, 0);
	assert_true(n > 1);
	assert_int_equal(t_nr_vmas(mm), 1);
	assert_true(t_vma(mm, at).faulted);
	t_write(mm, at, 8, 500);
	assert_int_equal(um_check_all(t->world), 0);
	t_migrate(t);
	t_expect(mm, at, 8, 500);
	t_expect(mm, at + 8 * PG, 4, 100);
	um_exit(mm);
	um_file_put(file);
}

static void r23_a_duplicate_is_undone(void **state)
{
	duplicate(*state, false);
	duplicate(*state, true);
}

/* -- R36: KSM pages that come back from swap --------------------------------------------------- */

/*
 * Two processes have written the same at the same address, and KSM has made one page of
 * it, which is in swap. One faults it in, then the other, each by reading or writing, in
 * both orders.
 *
 *	a --- b		[42]  \
 *	   `- c		[42]  / one slot
 *	      `- d	[42]	 c's child; c may be gone by then
 *
 * They are siblings, of a parent that has had a page there or has not, or strangers. Who
 * maps a page is in the subtree of its owner: c must not map what is b's, in b's anon_vma,
 * though "same root" and "same offset" hold.
 *
 * held: the page could not leave the swap cache, and is KSM's as before: who maps it is
 * found by an item. c's went with c, as d did not map the page then, and d, in the same
 * tree and at the same address as b, must not map it by b's item.
 */
enum kin {
	PARENT_FAULTED,
	PARENT_UNFAULTED,
	STRANGERS,
	NR_KINS,
};

struct swapped {
	enum kin kin;
	bool held, orphan;
	int order, how;
};

/* Each mapping of the page is found by those who ask its owner, or its items. */
static void come_back(struct t *t, struct mm_struct *mm, bool write, int mappings)
{
	struct anon_vma *owner;
	struct folio *folio;

	if (write)
		t_write(mm, BASE, 1, 43);
	else
		t_expect(mm, BASE, 1, 42);
	folio = folio_at(mm, BASE);
	owner = folio_anon_vma(folio);
	assert_true(!owner == folio_test_ksm(folio));
	if (owner)
		assert_true(t->world->topology->covers(owner, vma_at(mm, BASE)));
	assert_int_equal(folio_mapcount(folio), mappings);
	assert_int_equal(walk_all(folio).found, mappings);
}

/* One page of KSM's for both of who[], in swap. Returns it if it is held. */
static struct folio *merge_and_swap_out(struct t *t, const struct swapped *swapped,
					struct mm_struct *who[2])
{
	struct mm_struct *child;
	struct folio *folio;
	int i;

	for (i = 0; i < 2; i++) {
		t_write(who[i], BASE, 1, 42);
		assert_int_equal(um_madvise(who[i], BASE, PG, MADV_MERGEABLE), 0);
	}
	um_ksm_scan(t->world, 1000);
	um_ksm_scan(t->world, 1000);
	folio = folio_at(who[0], BASE);
	assert_ptr_equal(folio_at(who[1], BASE), folio);
	assert_true(folio_test_ksm(folio));
	child = swapped->orphan ? t_fork(who[1]) : NULL;
	if (swapped->held)
		folio_hold(folio);
	um_reclaim(t->world, 1 << 20);
	um_reclaim(t->world, 1 << 20);
	if (child) {
		um_exit(who[1]);
		who[1] = child;
	}
	for (i = 0; i < 2; i++)
		assert_true(pte_is_swap(entry_at(who[i], BASE)));
	assert_int_equal(pte_pfn(entry_at(who[0], BASE)), pte_pfn(entry_at(who[1], BASE)));
	return swapped->held ? folio : NULL;
}

static void swap_in_by_both(struct t *t, const struct swapped *swapped)
{
	struct mm_struct *parent = t_mm(t), *who[2], *first, *second;
	bool both_read = !swapped->how, shared;
	struct folio *held;
	int i;

	t_map(parent, BASE, 1);
	if (swapped->kin == PARENT_FAULTED)
		t_write(parent, BASE, 1, 7);
	for (i = 0; i < 2; i++) {
		who[i] = swapped->kin == STRANGERS ? t_mm(t) : t_fork(parent);
		if (swapped->kin == STRANGERS)
			t_map(who[i], BASE, 1);
	}
	held = merge_and_swap_out(t, swapped, who);
	first = who[swapped->order];
	second = who[!swapped->order];

	/* Is there an owner, or an item each, that leads to both? */
	if (swapped->held)
		shared = both_read && !swapped->orphan;
	else
		shared = both_read && (swapped->kin == PARENT_FAULTED ||
				       (swapped->kin == PARENT_UNFAULTED && t->lazy));
	come_back(t, first, swapped->how & 1, 1);
	come_back(t, second, swapped->how & 2, shared ? 2 : 1);
	assert_true((folio_at(first, BASE) == folio_at(second, BASE)) == shared);
	if (held)
		folio_drop(t, held);
	assert_int_equal(um_check_all(t->world), 0);
	if (swapped->kin == PARENT_FAULTED)
		t_expect(parent, BASE, 1, 7);
	t_migrate(t);
	t_expect(first, BASE, 1, swapped->how & 1 ? 43 : 42);
	t_expect(second, BASE, 1, swapped->how & 2 ? 43 : 42);
	um_exit(first);
	assert_int_equal(um_check_all(t->world), 0);
	um_exit(second);
	um_exit(parent);
}

static void r36_siblings_swap_in_a_ksm_page(void **state)
{
	unsigned int i;

	for (i = 0; i < NR_KINS * 32; i++) {
		struct swapped swapped = {
			.kin = i / 32,
			.held = i & 16,
			.orphan = i & 8,
			.order = !!(i & 4),
			.how = i & 3,
		};

		swap_in_by_both(*state, &swapped);
	}
}

/* -- R04, R20 -------------------------------------------------------------------- */

/*
 * R04: what comes into the hole has the old addresses, but other pages: mapped anew, moved
 * there (its pages have other numbers), or a file. Walks of what was there before and
 * lives elsewhere now do not take it for theirs, and the other way round.
 *
 *	[ 1 ][ 2 ][ 3 ]  ->  [ 1 moved to FAR ]  hole [ 2 ][ 3 ]  ->  [newcomer][ 2 ][ 3 ]
 */
static void r04_newcomers_of_all_kinds(void **state)
{
	struct t *t = *state;
	int kind;

	for (kind = 0; kind < 3; kind++) {
		struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
		struct mm_struct *mm = t_mm(t);

		t_map(mm, BASE, 12);
		t_write(mm, BASE, 12, 100);
		t_map(mm, BASE + 32 * PG, 4);
		t_write(mm, BASE + 32 * PG, 4, 200);
		t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
		t_move(mm, BASE, 4, FAR, 0);
		if (kind == 0)
			t_map(mm, BASE, 4);
		else if (kind == 1)
			t_move(mm, BASE + 32 * PG, 4, BASE, 0);
		else
			t_map_file(mm, BASE, 4, file, 0);
		if (kind != 1)
			t_write(mm, BASE, 4, 200);
		assert_int_equal(walk_all(folio_at(mm, BASE)).found, 1);
		assert_int_equal(walk_all(folio_at(mm, FAR)).found, 1);
		/* The new number of a page in place is the old one of what was moved away. */
		if (t->lazy && kind == 0)
			assert_int_equal(walk_all(folio_at(mm, FAR)).visits, 2);
		assert_int_equal(um_check_all(t->world), 0);
		t_migrate(t);
		t_swap_out(t);
		t_expect(mm, BASE, 4, 200);
		t_expect(mm, FAR, 4, 100);
		t_expect(mm, BASE + 4 * PG, 8, 104);
		um_exit(mm);
		um_file_put(file);
	}
}

/*
 * R04, R32: KSM knows a place by process and address, also after the page has left it. What
 * is mapped there next, and has no page yet, is none of its walk's business.
 *
 *	a [merged]  ->  [new]		b [merged]
 */
static void r04_newcomer_where_a_merged_page_was(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b = t_mm(t);

	t_map(a, BASE, 1);
	t_map(b, FAR, 1);
	t_write(a, BASE, 1, 42);
	t_write(b, FAR, 1, 42);
	assert_int_equal(um_madvise(a, BASE, PG, MADV_MERGEABLE), 0);
	assert_int_equal(um_madvise(b, FAR, PG, MADV_MERGEABLE), 0);
	um_ksm_scan(t->world, 10);
	um_ksm_scan(t->world, 10);
	assert_ptr_equal(folio_at(a, BASE), folio_at(b, FAR));
	assert_int_equal(walk_all(folio_at(b, FAR)).visits, 2);
	t_unmap(a, BASE, 1);
	t_map(a, BASE, 1);
	assert_int_equal(walk_all(folio_at(b, FAR)).visits, 1);
	t_write(a, BASE, 1, 7);
	t_migrate(t);
	t_expect(a, BASE, 1, 7);
	t_expect(b, FAR, 1, 42);
}

/*
 * R20: A forks B forks C. B unmaps, and both parents exit; C forks again, so that an
 * anon_vma without VMAs may be reused for the new child. A's page is still mapped in C
 * and its child: its owner must be what it was, and alive; and stay so when the child's
 * VMA is moved beside a copy of it, and merged.
 */
static void r20_owner_is_not_reused(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b, *c, *d, *e;
	struct anon_vma *owner;
	struct folio *folio;

	t_map(a, BASE, 8);
	t_write(a, BASE, 8, 100);
	folio = folio_at(a, BASE + PG);
	owner = folio_anon_vma(folio);
	b = t_fork(a);
	t_unmap(b, BASE, 4);
	c = t_fork(a);
	t_unmap(a, BASE, 8);
	um_exit(b);
	um_exit(a);
	d = t_fork(c);
	assert_ptr_equal(folio_anon_vma(folio), owner);
	assert_true(atomic_read(&owner->refcount) > 0);
	assert_int_equal(walk_all(folio).found, 2);
	t_move(c, BASE, 4, FAR, 0);
	t_map(d, BASE + 8 * PG, 4);
	t_write(d, BASE + 8 * PG, 4, 300);
	t_move(d, BASE, 4, FAR, 0);
	t_move(d, FAR, 4, BASE, 0);
	e = t_fork(d);
	um_exit(c);
	assert_ptr_equal(folio_anon_vma(folio), owner);
	assert_true(atomic_read(&owner->refcount) > 0);
	assert_int_equal(walk_all(folio).found, 2);
	um_exit(d);
	assert_int_equal(walk_all(folio).found, 1);
	assert_int_equal(um_check_all(t->world), 0);
	t_migrate(t);
	t_expect(e, BASE, 8, 100);
	t_expect(e, BASE + 8 * PG, 4, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(r04_newcomers_of_all_kinds),
		ROW(r04_newcomer_where_a_merged_page_was),
		ROW_ON(r15_no_more_vmas_than_regular, "lazy"),
		ROW(r20_owner_is_not_reused),
		ROW(r21_back_between_neighbours),
		ROW(r22_a_clone_that_fails_leaves_no_word),
		ROW(r22_a_fork_that_fails_half_way),
		ROW(r23_a_duplicate_is_undone),
		ROW(r36_siblings_swap_in_a_ksm_page),
		ROW(r41_away_and_back),
	};

	return um_test_main(tests);
}
