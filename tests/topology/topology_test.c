// SPDX-License-Identifier: GPL-2.0
/*
 * What every topology must do, by way of what programs do: the same tests for the
 * regular, the lazy and the scanning one. Contents are compared with a model and
 * walks with a scan of all page tables after each step (lib/um_test.h).
 */
#include <string.h>
#include "lib/um_test.h"

/* -- One address space ------------------------------------------------------------- */

static void one_page(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_write(mm, BASE + PG, 1, 7);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE + PG, 1, 7);
	t_expect(mm, BASE, 1, 0);
}

/*	[          RW          ]  ->  [ RW ][ R ][ RW ]  ->  [          RW          ] */
static void split_and_join(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
	assert_int_equal(t_nr_vmas(mm), 3);
	t_migrate(t);
	t_expect(mm, BASE, 12, 100);
	t_protect(mm, BASE + 4 * PG, 4, RW);
	assert_int_equal(t_nr_vmas(mm), 1);
	t_swap_out(t);
	t_expect(mm, BASE, 12, 100);
}

/*	[ 1 ][ 2 ][ 3 ]  ->  .....[ 2 ][ 3 ]  ->  [new][ 2 ][ 3 ]	R04 */
static void r04_newcomer_in_the_hole(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
	t_unmap(mm, BASE, 4);
	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 500);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE, 4, 500);
	t_expect(mm, BASE + 4 * PG, 8, 104);
}

/*	[ a ][ b ] adjacent, faulted apart, then joined by a third mapping between them */
static void hole_filled(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_map(mm, BASE + 8 * PG, 4);
	t_write(mm, BASE, 4, 10);
	t_write(mm, BASE + 8 * PG, 4, 30);
	t_map(mm, BASE + 4 * PG, 4);
	t_write(mm, BASE + 4 * PG, 4, 20);
	/* Lazy: one anon_vma for all. Others keep the two faulted areas apart, or not. */
	if (t->lazy)
		assert_int_equal(t_nr_vmas(mm), 1);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE, 4, 10);
	t_expect(mm, BASE + 4 * PG, 4, 20);
	t_expect(mm, BASE + 8 * PG, 4, 30);
}

static void unmap_every_part(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	int part;

	for (part = 0; part < 3; part++) {
		t_map(mm, BASE, 9);
		t_write(mm, BASE, 9, 100);
		t_unmap(mm, BASE + part * 3 * PG, 3);
		t_migrate(t);
		t_swap_out(t);
		if (part != 0)
			t_expect(mm, BASE, 3, 100);
		if (part != 1)
			t_expect(mm, BASE + 3 * PG, 3, 103);
		if (part != 2)
			t_expect(mm, BASE + 6 * PG, 3, 106);
		t_unmap(mm, BASE, 9);
	}
}

/* -- mremap --------------------------------------------------------------------------- */

#define FAR	(BASE + (1UL << 30))

static void move_away_and_back(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	t_move(mm, BASE, 8, FAR, 0);
	if (t->lazy) {
		assert_true(t_vma(mm, FAR).displaced);
		assert_int_equal(t_stats(t).objects[UM_OBJ_AVC].live, 1);
	}
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, FAR, 8, 100);
	t_move(mm, FAR, 8, BASE, 0);
	if (t->lazy) {
		assert_false(t_vma(mm, BASE).displaced);
		assert_int_equal(t_stats(t).objects[UM_OBJ_AVC].live, 0);
	}
	t_migrate(t);
	t_expect(mm, BASE, 8, 100);
}

/*	[    8 pages    ]  ->  [ 2 ]...4 moved...[ 2 ]  and split where it landed */
static void move_the_middle(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	t_move(mm, BASE + 2 * PG, 4, FAR, 0);
	t_protect(mm, FAR + PG, 2, PROT_READ);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, FAR, 4, 102);
	t_protect(mm, FAR + PG, 2, RW);
	assert_int_equal(t_vma(mm, FAR).end - t_vma(mm, FAR).start, 4 * PG);
	t_unmap(mm, FAR, 2);
	t_migrate(t);
	t_expect(mm, FAR + 2 * PG, 2, 104);
	t_expect(mm, BASE, 2, 100);
	t_expect(mm, BASE + 6 * PG, 2, 106);
}

/*
 *	[ prev? ][ moved here ][ next? ]	each absent, unfaulted or faulted
 *
 * Of a file, whose pages go on from one to the next, an unfaulted one becomes one VMA with
 * what was moved in the lazy topology, and has to take over its rmap state; as in Linux 6.12
 * it does not in the regular one. Anonymous ones stay apart: an unfaulted VMA is numbered by
 * its place, which is another one.
 */
static void map_part(struct mm_struct *mm, uint64_t addr, struct um_file *file, uint64_t pgoff,
		     bool faulted, uint64_t token)
{
	if (file)
		t_map_file(mm, addr, 4, file, pgoff);
	else
		t_map(mm, addr, 4);
	if (faulted)
		t_write(mm, addr, 4, token);
}

static void move_between(struct t *t, int prev, int next, bool forked, struct um_file *file)
{
	struct mm_struct *mm = t_mm(t), *child = NULL;

	map_part(mm, BASE, file, 14, true, 100);
	if (forked)
		child = t_fork(mm);
	if (prev)
		map_part(mm, FAR - 4 * PG, file, 10, prev == 2, 200);
	if (next)
		map_part(mm, FAR + 4 * PG, file, 18, next == 2, 300);
	t_move(mm, BASE, 4, FAR, (prev + next) % 2 && !file ? MREMAP_DONTUNMAP : 0);
	if (file && t->lazy)
		assert_int_equal(t_nr_vmas(mm), 1 + (prev == 2) + (next == 2));
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, FAR, 4, 100);
	if (prev == 2)
		t_expect(mm, FAR - 4 * PG, 4, 200);
	if (next == 2)
		t_expect(mm, FAR + 4 * PG, 4, 300);
	if (child) {
		t_expect(child, BASE, 4, 100);
		um_exit(child);
	}
	um_exit(mm);
}

static void r21_move_next_to_neighbours(void **state)
{
	struct t *t = *state;
	int prev, next, forked;

	for (forked = 0; forked < 2; forked++)
	for (prev = 0; prev < 3; prev++)
	for (next = 0; next < 3; next++) {
		struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);

		move_between(t, prev, next, forked, NULL);
		move_between(t, prev, next, forked, file);
		um_file_put(file);
	}
}

static void dontunmap_leaves_an_empty_vma(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, MREMAP_DONTUNMAP);
	assert_false(t_vma(mm, BASE).faulted);
	t_expect(mm, BASE, 1, 0);
	t_write(mm, BASE, 4, 900);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, FAR, 4, 100);
	t_expect(mm, BASE, 4, 900);
}

static void unfaulted_move_is_in_place(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_move(mm, BASE, 4, FAR, 0);
	t_write(mm, FAR, 4, 100);
	assert_int_equal(t_vma(mm, FAR).pgoff, FAR / PG);
	if (t->lazy)
		assert_false(t_vma(mm, FAR).displaced);
	t_migrate(t);
	t_expect(mm, FAR, 4, 100);
}

static void grow_in_place_and_by_moving(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t at;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(um_mremap(mm, BASE, 4 * PG, 8 * PG, 0, 0, &at), 0);
	assert_int_equal(at, BASE);
	t_write(mm, BASE + 4 * PG, 4, 104);
	t_map(mm, BASE + 8 * PG, 1);
	t_protect(mm, BASE + 8 * PG, 1, PROT_READ);
	assert_int_equal(um_mremap(mm, BASE, 8 * PG, 16 * PG, 0, 0, &at), -ENOMEM);
	assert_int_equal(um_mremap(mm, BASE, 8 * PG, 16 * PG, MREMAP_MAYMOVE, 0, &at), 0);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, at, 8, 100);
	t_expect(mm, at + 8 * PG, 1, 0);
}

/* -- Fork and copy-on-write -------------------------------------------------------- */

static void fork_and_cow(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	child = t_fork(mm);
	t_migrate(t);
	t_write(child, BASE, 2, 200);
	t_write(mm, BASE + 2 * PG, 2, 300);
	t_migrate(t);
	t_swap_out(t);
	t_expect(child, BASE, 2, 200);
	t_expect(child, BASE + 2 * PG, 6, 102);
	t_expect(mm, BASE, 2, 100);
	t_expect(mm, BASE + 2 * PG, 2, 300);
	t_expect(mm, BASE + 4 * PG, 4, 104);
}

/* Parents exit before their children, in each order of three generations. */
static void r38_exit_in_any_order(void **state)
{
	static const int orders[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	struct t *t = *state;
	int o, i, j;

	for (o = 0; o < 6; o++) {
		struct mm_struct *mm[3];

		mm[0] = t_mm(t);
		t_map(mm[0], BASE, 6);
		t_write(mm[0], BASE, 6, 100);
		mm[1] = t_fork(mm[0]);
		t_write(mm[1], BASE, 2, 200);
		mm[2] = t_fork(mm[1]);
		t_write(mm[2], BASE, 1, 300);
		t_swap_out(t);
		for (i = 0; i < 3; i++) {
			um_exit(mm[orders[o][i]]);
			for (j = i + 1; j < 3; j++) {
				struct mm_struct *left = mm[orders[o][j]];

				t_expect(left, BASE + 2 * PG, 4, 102);
				if (left == mm[1])
					t_expect(left, BASE, 2, 200);
				if (left == mm[2]) {
					t_expect(left, BASE, 1, 300);
					t_expect(left, BASE + PG, 1, 201);
				}
			}
			if (i < 2)
				t_migrate(t);
		}
	}
}

/* R20: a leaf of dead intermediates forks again, and moves what it inherited. */
static void r20_leaf_forks_again(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b, *c, *d;

	t_map(a, BASE, 4);
	t_write(a, BASE, 4, 100);
	b = t_fork(a);
	c = t_fork(b);
	t_unmap(b, BASE, 4);
	um_exit(b);
	um_exit(a);
	d = t_fork(c);
	t_map(c, FAR - 4 * PG, 4);
	t_move(c, BASE, 4, FAR, 0);
	t_migrate(t);
	t_swap_out(t);
	t_expect(c, FAR, 4, 100);
	t_expect(d, BASE, 4, 100);
	um_exit(c);
	t_migrate(t);
	t_expect(d, BASE, 4, 100);
}

/* A moved VMA is forked; the child moves it back, and further. */
static void fork_of_moved_vmas(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child, *grandchild;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, 0);
	child = t_fork(mm);
	t_move(child, FAR, 4, BASE, 0);
	grandchild = t_fork(child);
	t_move(grandchild, BASE, 4, FAR + 64 * PG, 0);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, FAR, 4, 100);
	t_expect(child, BASE, 4, 100);
	t_expect(grandchild, FAR + 64 * PG, 4, 100);
	um_exit(mm);
	t_migrate(t);
	t_expect(grandchild, FAR + 64 * PG, 4, 100);
}

static void madvise_at_fork(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t content;

	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_DONTFORK), 0);
	assert_int_equal(um_madvise(mm, BASE + 4 * PG, 4 * PG, MADV_WIPEONFORK), 0);
	child = t_fork(mm);
	assert_int_equal(um_read(child, BASE, &content), -EFAULT);
	t_expect(child, BASE + 4 * PG, 1, 0);
	t_expect(child, BASE + 8 * PG, 4, 108);
	t_write(child, BASE + 4 * PG, 4, 700);
	t_migrate(t);
	t_expect(child, BASE + 4 * PG, 4, 700);
	t_expect(mm, BASE, 12, 100);
}

/* -- Swap -------------------------------------------------------------------------- */

/* R26: A forks B; the page goes to swap; B faults first, then A; B exits. */
static void r26_swap_order(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b;

	t_map(a, BASE, 2);
	t_write(a, BASE, 2, 100);
	b = t_fork(a);
	t_swap_out(t);
	t_expect(b, BASE, 2, 100);
	t_migrate(t);
	t_expect(a, BASE, 2, 100);
	um_exit(b);
	t_migrate(t);
	t_swap_out(t);
	t_expect(a, BASE, 2, 100);
}

static void r17_fork_of_swapped_pages(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b, *c;

	t_map(a, BASE, 4);
	t_write(a, BASE, 4, 100);
	t_swap_out(t);
	b = t_fork(a);
	c = t_fork(a);
	um_exit(a);
	t_expect(c, BASE, 2, 100);
	t_migrate(t);
	t_write(b, BASE, 1, 200);
	t_migrate(t);
	assert_int_equal(um_swapoff(t->world), 0);
	t_migrate(t);
	t_expect(b, BASE, 1, 200);
	t_expect(b, BASE + PG, 3, 101);
	t_expect(c, BASE, 4, 100);
}

/* -- Private file mappings --------------------------------------------------------- */

/* R08: two private mappings of the same file pages in one mm, split, moved, forked. */
static void r08_private_file_pages(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t), *child;

	t_map_file(mm, BASE, 8, file, 3);
	t_map_file(mm, FAR, 8, file, 3);
	t_write(mm, BASE + PG, 4, 100);
	t_write(mm, FAR + PG, 4, 200);
	t_migrate(t);
	t_protect(mm, BASE + 2 * PG, 1, PROT_READ);
	child = t_fork(mm);
	t_move(child, BASE + 3 * PG, 3, FAR + 64 * PG, 0);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE + PG, 4, 100);
	t_expect(mm, FAR + PG, 4, 200);
	t_expect(child, FAR + 64 * PG, 2, 102);
	t_expect(child, BASE + PG, 2, 100);
	t_move(child, FAR + 64 * PG, 3, BASE + 3 * PG, 0);
	if (t->lazy)
		assert_int_equal(t_stats(t).objects[UM_OBJ_AVC].live, 0);
	t_migrate(t);
	t_expect(child, BASE + PG, 4, 100);
	um_file_put(file);
}

/* R08: a private mapping of /dev/zero is anonymous, and numbered by its offset. */
static void r08_dev_zero(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_ZERO);
	struct mm_struct *mm = t_mm(t), *child;

	t_map_file(mm, BASE, 8, file, 1000);
	t_write(mm, BASE, 8, 100);
	if (t->lazy)
		assert_true(t_vma(mm, BASE).displaced);
	t_protect(mm, BASE + 2 * PG, 2, PROT_READ);
	child = t_fork(mm);
	t_move(child, BASE, 2, FAR, 0);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE, 8, 100);
	t_expect(child, FAR, 2, 100);
	um_file_put(file);
}

/* -- Huge pages, KSM, UFFDIO_MOVE, memory failure ---------------------------------- */

/* R05: a 2 MiB folio whose middle is made read-only, then unmapped in part. */
static void r05_huge_page_over_three_vmas(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	const uint64_t at = UM_HUGE_SIZE * 128;

	t_map(mm, at, 1024);
	assert_int_equal(um_madvise(mm, at, 1024 * PG, MADV_HUGEPAGE), 0);
	assert_int_equal(um_touch_huge(mm, at), 0);
	t_write(mm, at, 512, 1000);
	t_protect(mm, at + 100 * PG, 50, PROT_READ);
	t_migrate(t);
	child = t_fork(mm);
	t_migrate(t);
	t_unmap(child, at + 200 * PG, 100);
	t_write(child, at, 1, 5);
	t_swap_out(t);
	t_expect(mm, at, 512, 1000);
	t_expect(child, at + 1 * PG, 199, 1001);
	t_expect(child, at + 300 * PG, 212, 1300);
}

static void r05_64k_folio_over_vmas(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	assert_int_equal(um_set_fault_order(mm, 4), 0);
	t_map(mm, BASE, 32);
	t_write(mm, BASE, 32, 1000);
	t_protect(mm, BASE + 5 * PG, 3, PROT_READ);
	t_migrate(t);
	t_move(mm, BASE + 20 * PG, 5, FAR, 0);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE, 20, 1000);
	t_expect(mm, FAR, 5, 1020);
}

static void huge_split_and_collapse(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	const uint64_t at = UM_HUGE_SIZE * 128;

	t_map(mm, at, 512);
	assert_int_equal(um_madvise(mm, at, 512 * PG, MADV_HUGEPAGE), 0);
	t_write(mm, at, 512, 1000);
	assert_int_equal(um_split_huge(mm, at), 0);
	t_migrate(t);
	t_expect(mm, at, 512, 1000);
	assert_int_equal(um_collapse(mm, at), 0);
	child = t_fork(mm);
	assert_int_equal(um_split_huge(mm, at), 0);
	t_migrate(t);
	t_expect(child, at, 512, 1000);
	t_expect(mm, at, 512, 1000);
}

/* R32: the pages that KSM merges were moved, or forked, before and after. */
static void r32_ksm_after_mremap(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b = t_mm(t), *child;
	int i;

	t_map(a, BASE, 4);
	t_map(b, FAR, 4);
	for (i = 0; i < 4; i++) {
		t_write(a, BASE + i * PG, 1, 42);
		t_write(b, FAR + i * PG, 1, 42);
	}
	t_move(a, BASE, 4, FAR, 0);
	assert_int_equal(um_madvise(a, FAR, 4 * PG, MADV_MERGEABLE), 0);
	assert_int_equal(um_madvise(b, FAR, 4 * PG, MADV_MERGEABLE), 0);
	assert_true(um_ksm_scan(t->world, 1000) >= 0);
	um_ksm_scan(t->world, 1000);
	assert_true(t_stats(t).ksm_merged >= 7);
	child = t_fork(b);
	t_migrate(t);
	t_write(child, FAR, 1, 1);
	t_swap_out(t);
	for (i = 0; i < 4; i++)
		t_expect(a, FAR + i * PG, 1, 42);
	t_expect(child, FAR, 1, 1);
	um_exit(b);
	t_migrate(t);
	t_expect(child, FAR + PG, 1, 42);
}

/* MADV_UNMERGEABLE gives back pages of one's own: written to without a copy. */
static void ksm_unmerges(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t before;
	int i;

	t_map(mm, BASE, 4);
	for (i = 0; i < 4; i++)
		t_write(mm, BASE + i * PG, 1, 42);
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_MERGEABLE), 0);
	um_ksm_scan(t->world, 1000);
	um_ksm_scan(t->world, 1000);
	assert_true(t_stats(t).ksm_merged >= 3);
	before = t_stats(t).pages;
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_UNMERGEABLE), 0);
	assert_int_equal(t_stats(t).pages, before + 3);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(t_stats(t).pages, before + 3);
	t_migrate(t);
	t_expect(mm, BASE, 4, 100);
}

static void r30_uffd_move_renumbers(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_map(mm, FAR, 4);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(um_uffd_move(mm, FAR, BASE, 4 * PG), 0);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, FAR, 4, 100);
	t_expect(mm, BASE, 1, 0);
}

static void memory_failure_finds_all(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	unsigned int victims = 0;
	uint64_t content;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	child = t_fork(mm);
	assert_int_equal(um_memory_failure(mm, BASE + PG, &victims), 0);
	assert_int_equal(victims, 2);
	assert_int_equal(um_read(mm, BASE + PG, &content), -EHWPOISON);
	assert_int_equal(um_read(child, BASE + PG, &content), -EHWPOISON);
	t_expect(child, BASE + 2 * PG, 2, 102);
}

static void exec_stack_is_found(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	const uint64_t end = 0x7ffd00000000UL;

	assert_int_equal(um_exec_stack(mm, end - 32 * PG, end, 3, 77 * PG, 8UL << 20), 0);
	t_write(mm, end - 5 * PG, 5, 100);
	t_write(mm, end - 60 * PG, 1, 50);
	if (t->lazy)
		assert_false(t_vma(mm, end - PG).displaced);
	child = t_fork(mm);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, end - 5 * PG, 5, 100);
	t_expect(child, end - 60 * PG, 1, 50);
}

/* -- What it costs ----------------------------------------------------------------- */

static void assert_objects(struct t *t, uint64_t anon_vmas, uint64_t avcs)
{
	struct um_stats stats = t_stats(t);

	assert_int_equal(stats.objects[UM_OBJ_ANON_VMA].live, anon_vmas);
	assert_int_equal(stats.objects[UM_OBJ_AVC].live, avcs);
}

/* As Linux: an anon_vma and an AVC for a faulted VMA; one of each more per generation. */
static void regular_counts(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b, *c;

	assert_objects(t, 0, 0);
	t_map(a, BASE, 12);
	assert_objects(t, 0, 0);
	t_write(a, BASE + 5 * PG, 1, 1);
	assert_objects(t, 1, 1);
	t_protect(a, BASE + 4 * PG, 4, PROT_READ);
	assert_objects(t, 1, 3);
	t_protect(a, BASE + 4 * PG, 4, RW);
	assert_objects(t, 1, 1);
	b = t_fork(a);
	assert_objects(t, 2, 3);
	c = t_fork(b);
	assert_objects(t, 3, 6);
	um_exit(b);
	/* b's VMA and anon_vma: c still has an AVC to it. */
	assert_objects(t, 3, 4);
	um_exit(c);
	assert_objects(t, 1, 1);
	um_exit(a);
	assert_objects(t, 0, 0);
}

/* As Linux: a neighbour with which the VMA could merge, but for what it may be
 * accessed for, lends its anon_vma. */
static void regular_reuses_neighbours(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 12);
	t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
	t_write(mm, BASE, 1, 1);
	assert_objects(t, 1, 1);
	t_protect(mm, BASE + 4 * PG, 4, RW | PROT_EXEC);
	t_write(mm, BASE + 4 * PG, 1, 2);
	assert_objects(t, 1, 2);
	t_write(mm, BASE + 8 * PG, 1, 3);
	assert_objects(t, 1, 3);
	t_protect(mm, BASE + 4 * PG, 4, RW);
	assert_int_equal(t_nr_vmas(mm), 1);
	assert_objects(t, 1, 1);
}

/* As Linux: of a line of forks whose parents exit, every second anon_vma is reused. */
static void r34_regular_growth_is_bounded(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	int i;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 1);
	for (i = 0; i < 200; i++) {
		child = t_fork(mm);
		um_exit(mm);
		mm = child;
	}
	assert_true(t_stats(t).objects[UM_OBJ_ANON_VMA].live <= 4);
	assert_true(t_stats(t).objects[UM_OBJ_AVC].live <= 4);
	t_expect(mm, BASE, 1, 1);
}

static void lazy_counts(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b, *c;
	int i;

	assert_objects(t, 0, 0);
	for (i = 0; i < 20; i++) {
		t_map(a, BASE + i * 8 * PG, 4);
		t_write(a, BASE + i * 8 * PG, 1, i);
	}
	assert_objects(t, 1, 0);
	b = t_fork(a);
	assert_objects(t, 2, 0);
	c = t_fork(b);
	assert_objects(t, 3, 0);
	um_exit(b);
	assert_objects(t, 3, 0);
	assert_int_equal(t_stats(t).anon_vmas_dead, 1);
	um_exit(c);
	assert_objects(t, 1, 0);
	um_exit(a);
	assert_objects(t, 0, 0);
}

static void r34_lazy_growth_is_bounded(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	int i;

	t_map(mm, BASE, 2);
	t_write(mm, BASE, 1, 1);
	for (i = 0; i < 200; i++) {
		child = t_fork(mm);
		t_write(child, BASE + PG, 1, i);
		um_exit(mm);
		mm = child;
	}
	assert_true(t_stats(t).objects[UM_OBJ_ANON_VMA].live <= 16);
	assert_true(t_stats(t).joins > 0);
	t_migrate(t);
	t_expect(mm, BASE, 1, 1);
	t_expect(mm, BASE + PG, 1, 199);
}

/* A nest of 40 forks: those below depth 16 share an anon_vma; then all but the leaf die. */
static void r34_lazy_joins(void **state)
{
	struct mm_struct *mm[40];
	struct t *t = *state;
	int i;

	mm[0] = t_mm(t);
	t_map(mm[0], BASE, 2);
	t_write(mm[0], BASE, 1, 1);
	for (i = 1; i < 40; i++) {
		mm[i] = t_fork(mm[i - 1]);
		t_write(mm[i], BASE + PG, 1, 100 + i);
	}
	assert_objects(t, 16, 0);
	/* A fork that fails after its child has joined is counted, too. */
	assert_in_range(t_stats(t).joins, 24, 24 + t_injected());
	t_migrate(t);
	t_swap_out(t);
	for (i = 0; i < 39; i++) {
		t_expect(mm[i], BASE, 1, 1);
		um_exit(mm[i]);
	}
	t_migrate(t);
	t_expect(mm[39], BASE, 1, 1);
	t_expect(mm[39], BASE + PG, 1, 139);
}

/* R40: a page of the parent's alone takes one visit, whatever the number of children. */
static void r40_exclusive_pages_take_one_visit(void **state)
{
	struct mm_struct *mm, *child[50];
	struct um_stats before, after;
	struct t *t = *state;
	int i;

	mm = t_mm(t);
	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	for (i = 0; i < 50; i++)
		child[i] = t_fork(mm);
	t_map(mm, FAR, 4);
	t_write(mm, FAR, 4, 200);
	t_write(mm, BASE, 1, 300);
	before = t_stats(t);
	t_migrate(t);
	after = t_stats(t);
	assert_int_equal(after.missed, 0);
	/*
	 * Three pages with 51 mappings, five exclusive ones with 1, and one with 50: all
	 * but the last take as many visits. That is owned by the parent, which has
	 * copied it and is visited first, in vain.
	 */
	assert_int_equal(after.mappings - before.mappings, 3 * 51 + 5 + 50);
	assert_int_equal(after.visits_stop - before.visits_stop,
			 after.mappings - before.mappings + 1);
	for (i = 0; i < 50; i++)
		um_exit(child[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UM_TEST(one_page),
		UM_TEST(split_and_join),
		UM_TEST(r04_newcomer_in_the_hole),
		UM_TEST(hole_filled),
		UM_TEST(unmap_every_part),
		UM_TEST(move_away_and_back),
		UM_TEST(move_the_middle),
		UM_TEST(r21_move_next_to_neighbours),
		UM_TEST(dontunmap_leaves_an_empty_vma),
		UM_TEST(unfaulted_move_is_in_place),
		UM_TEST(grow_in_place_and_by_moving),
		UM_TEST(fork_and_cow),
		UM_TEST(r38_exit_in_any_order),
		UM_TEST(r20_leaf_forks_again),
		UM_TEST(fork_of_moved_vmas),
		UM_TEST(madvise_at_fork),
		UM_TEST(r26_swap_order),
		UM_TEST(r17_fork_of_swapped_pages),
		UM_TEST(r08_private_file_pages),
		UM_TEST(r08_dev_zero),
		UM_TEST(r05_huge_page_over_three_vmas),
		UM_TEST(r05_64k_folio_over_vmas),
		UM_TEST(huge_split_and_collapse),
		UM_TEST(r32_ksm_after_mremap),
		UM_TEST(ksm_unmerges),
		UM_TEST(r30_uffd_move_renumbers),
		UM_TEST(memory_failure_finds_all),
		UM_TEST(exec_stack_is_found),
		UM_TEST_REGULAR(regular_counts),
		UM_TEST_REGULAR(regular_reuses_neighbours),
		UM_TEST_REGULAR(r34_regular_growth_is_bounded),
		UM_TEST_LAZY(lazy_counts),
		UM_TEST_LAZY(r34_lazy_growth_is_bounded),
		UM_TEST_LAZY(r34_lazy_joins),
		UM_TEST_LAZY(r40_exclusive_pages_take_one_visit),
	};

	return um_test_main(tests);
}
