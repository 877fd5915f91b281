// SPDX-License-Identifier: GPL-2.0
/*
 * Which VMAs merge. For the regular topology the expected number of VMAs is worked
 * out from Linux's rules by a few lines of their own below; the lazy topology must
 * merge wherever file, flags and offsets allow.
 */
#include <stdlib.h>
#include <string.h>
#include "lib/um_test.h"

#define HOLE	0
#define FRESH	1	/* mapped, without pages */
#define FAULTED	2

/* As Linux: an existing VMA x and what is put next to it, by their anon_vmas, 0 for none. */
static bool regular_ok(int x, int other, bool x_singular)
{
	if ((!x || !other) && x_singular)
		return true;
	return x == other;
}

static void expect_vmas(struct mm_struct *mm, size_t nr)
{
	if (t_nr_vmas(mm) != nr) {
		struct um_vma_info vmas[32];
		size_t i, n = um_vmas(mm, vmas, 32);

		for (i = 0; i < n; i++)
			print_error("VMA %llx-%llx flags %llx%s\n",
				    (unsigned long long)vmas[i].start,
				    (unsigned long long)vmas[i].end,
				    (unsigned long long)vmas[i].flags,
				    vmas[i].faulted ? " faulted" : "");
	}
	assert_int_equal(t_nr_vmas(mm), nr);
}

static void area(struct mm_struct *mm, uint64_t addr, int state, uint64_t token)
{
	if (state == HOLE)
		return;
	t_map(mm, addr, 4);
	if (state == FAULTED)
		t_write(mm, addr, 4, token);
}

/*
 *	[ prev ][ mid, RX ][ next ]	mprotect(mid, RW)
 *
 * prev and next are mapped and faulted while they are apart, so in the regular
 * topology they have anon_vmas of their own.
 */
static void mprotect_of_the_middle(void **state)
{
	struct t *t = *state;
	int prev, mid, next, forked;

	for (forked = 0; forked < 2; forked++)
	for (prev = HOLE; prev <= FAULTED; prev++)
	for (mid = FRESH; mid <= FAULTED; mid++)
	for (next = HOLE; next <= FAULTED; next++) {
		struct mm_struct *mm = t_mm(t), *child = NULL;
		int p = prev == FAULTED ? 1 : 0, n = next == FAULTED ? 2 : 0;
		int m = mid == FRESH ? 0 : n ? n : p ? p : 3;
		bool left, right;
		size_t expected;

		area(mm, BASE, prev, 100);
		area(mm, BASE + 8 * PG, next, 300);
		/* With other permissions from the start, or it would merge right away. */
		assert_int_equal(um_mmap(mm, BASE + 4 * PG, 4 * PG, RW | PROT_EXEC,
					 ANON | MAP_FIXED, NULL, 0, &(uint64_t){ 0 }), 0);
		if (mid == FAULTED)
			t_write(mm, BASE + 4 * PG, 4, 200);
		if (forked)
			child = t_fork(mm);

		left = prev != HOLE;
		right = next != HOLE;
		if (!strcmp(t->topology, "regular")) {
			/* A parent's chain stays singular; only the child's grows. */
			left = left && regular_ok(p, m, p);
			right = right && regular_ok(n, m, n);
			if (left && right && p && n && p != n)
				right = false;
		}
		expected = 1 + (prev != HOLE) + (next != HOLE) - left - right;
		t_protect(mm, BASE + 4 * PG, 4, RW);
		expect_vmas(mm, expected);

		t_migrate_if_any(t);
		if (prev == FAULTED)
			t_expect(mm, BASE, 4, 100);
		if (mid == FAULTED)
			t_expect(mm, BASE + 4 * PG, 4, 200);
		if (next == FAULTED)
			t_expect(mm, BASE + 8 * PG, 4, 300);
		if (child) {
			if (mid == FAULTED)
				t_expect(child, BASE + 4 * PG, 4, 200);
			um_exit(child);
		}
		um_exit(mm);
	}
}

/*	[ prev ] new, RW [ next ]	mmap into the hole */
static void mmap_into_the_hole(void **state)
{
	struct t *t = *state;
	int prev, next;

	for (prev = HOLE; prev <= FAULTED; prev++)
	for (next = HOLE; next <= FAULTED; next++) {
		struct mm_struct *mm = t_mm(t);
		bool apart = !strcmp(t->topology, "regular") &&
			     prev == FAULTED && next == FAULTED;

		area(mm, BASE, prev, 100);
		area(mm, BASE + 8 * PG, next, 300);
		t_map(mm, BASE + 4 * PG, 4);
		expect_vmas(mm, apart ? 2 : 1);
		t_write(mm, BASE + 4 * PG, 4, 200);
		t_migrate(t);
		t_expect(mm, BASE + 4 * PG, 4, 200);
		if (prev == FAULTED)
			t_expect(mm, BASE, 4, 100);
		if (next == FAULTED)
			t_expect(mm, BASE + 8 * PG, 4, 300);
		um_exit(mm);
	}
}

/* What fork made complex does not merge with a fresh area in Linux; it may here. */
static void forked_next_to_fresh(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	child = t_fork(mm);
	t_map(child, BASE + 4 * PG, 4);
	expect_vmas(child, strcmp(t->topology, "regular") ? 1 : 2);
	t_map(mm, BASE + 4 * PG, 4);
	expect_vmas(mm, 1);
	t_write(child, BASE + 4 * PG, 4, 200);
	t_write(mm, BASE + 4 * PG, 4, 300);
	t_migrate(t);
	t_expect(child, BASE, 4, 100);
	t_expect(mm, BASE + 4 * PG, 4, 300);
}

/*	[ RW ][ R      ]  ->  [ RW     ][ R ]	the boundary moves, both ways */
static void boundary_moves(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
	expect_vmas(mm, 2);
	t_protect(mm, BASE + 4 * PG, 2, RW);
	expect_vmas(mm, 2);
	assert_int_equal(t_vma(mm, BASE).end, BASE + 6 * PG);
	t_protect(mm, BASE + 3 * PG, 3, PROT_READ);
	expect_vmas(mm, 2);
	assert_int_equal(t_vma(mm, BASE).end, BASE + 3 * PG);
	t_migrate(t);
	t_expect(mm, BASE, 8, 100);
}

/* Over two VMAs and parts of both. */
static void mprotect_across(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
	t_protect(mm, BASE + 2 * PG, 8, PROT_NONE);
	expect_vmas(mm, 3);
	t_protect(mm, BASE, 12, RW);
	expect_vmas(mm, 1);
	t_expect(mm, BASE, 12, 100);
}

/* Private file mappings merge by file and offset; /dev/zero only by its offset. */
static void files_merge_by_offset(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct um_file *other = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);

	t_map_file(mm, BASE, 4, file, 10);
	t_map_file(mm, BASE + 4 * PG, 4, file, 14);
	expect_vmas(mm, 1);
	t_map_file(mm, BASE + 8 * PG, 4, file, 19);
	expect_vmas(mm, 2);
	t_map_file(mm, BASE + 12 * PG, 4, other, 23);
	expect_vmas(mm, 3);
	t_write(mm, BASE, 16, 100);
	t_migrate(t);
	t_expect(mm, BASE, 16, 100);
	um_file_put(file);
	um_file_put(other);
}

/*
 * R41: a moved file mapping meets one that continues it in the file:
 *
 *	[ a: 10-13 ][ b: 14-17 ]  ->  a moved in front of a fresh, or faulted, c: 14-17
 *
 * If c has pages they are numbered by c's address, a's by its old one: no merge. A
 * fresh c may take over a's numbers.
 */
static void r41_moved_file_mapping(void **state)
{
	const uint64_t far = BASE + (1UL << 30);
	struct t *t = *state;
	int c;

	for (c = FRESH; c <= FAULTED; c++) {
		struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
		struct mm_struct *mm = t_mm(t);

		t_map_file(mm, BASE, 8, file, 10);
		t_write(mm, BASE, 8, 100);
		t_map_file(mm, far + 4 * PG, 4, file, 14);
		if (c == FAULTED)
			t_write(mm, far + 4 * PG, 4, 200);
		t_move(mm, BASE, 4, far, 0);
		if (t->lazy && c == FRESH)
			expect_vmas(mm, 2);
		else if (t->lazy)
			expect_vmas(mm, 3);
		t_write(mm, far + 4 * PG, 1, 300);
		t_migrate(t);
		t_swap_out(t);
		t_expect(mm, far, 4, 100);
		t_expect(mm, far + 4 * PG, 1, 300);
		t_expect(mm, BASE + 4 * PG, 4, 104);
		t_move(mm, far, 4, BASE, 0);
		t_migrate(t);
		t_expect(mm, BASE, 8, 100);
		um_exit(mm);
		um_file_put(file);
	}
}

/* mlock, madvise and names split and join as mprotect does. */
static void flags_split_and_join(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	assert_int_equal(um_mlock(mm, BASE + 4 * PG, 4 * PG, true, false), 0);
	expect_vmas(mm, 3);
	assert_int_equal(um_mlock(mm, BASE + 4 * PG, 4 * PG, false, false), 0);
	expect_vmas(mm, 1);
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_DONTFORK), 0);
	expect_vmas(mm, 2);
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_DOFORK), 0);
	expect_vmas(mm, 1);
	assert_int_equal(um_vma_name(mm, BASE + 8 * PG, 4 * PG, "heap"), 0);
	expect_vmas(mm, 2);
	assert_int_equal(um_vma_name(mm, BASE + 4 * PG, 4 * PG, "heap"), 0);
	expect_vmas(mm, 2);
	assert_int_equal(um_vma_name(mm, BASE, 12 * PG, NULL), 0);
	expect_vmas(mm, 1);
	t_migrate(t);
	t_expect(mm, BASE, 12, 100);
}

static void brk_grows_one_vma(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	assert_int_equal(um_brk_init(mm, BASE), 0);
	assert_int_equal(um_brk(mm, BASE + 4 * PG), 0);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(um_brk(mm, BASE + 16 * PG), 0);
	expect_vmas(mm, 1);
	t_write(mm, BASE + 4 * PG, 12, 104);
	assert_int_equal(um_brk(mm, BASE + 8 * PG), 0);
	expect_vmas(mm, 1);
	t_migrate(t);
	t_expect(mm, BASE, 8, 100);
	assert_int_equal(um_read(mm, BASE + 8 * PG, &(uint64_t){ 0 }), -EFAULT);
}

/*
 * mremap grows into a neighbour that continues it. Linux does not join a fresh one to
 * what has pages already; one anon_vma for all makes that no question.
 */
static void mremap_grows_into_next(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t at;

	t_map(mm, BASE, 4);
	t_map(mm, BASE + 8 * PG, 4);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(um_mremap(mm, BASE, 4 * PG, 8 * PG, 0, 0, &at), 0);
	expect_vmas(mm, strcmp(t->topology, "regular") ? 1 : 2);
	t_write(mm, BASE + 4 * PG, 8, 104);
	t_migrate(t);
	t_expect(mm, BASE, 12, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UM_TEST(mprotect_of_the_middle),
		UM_TEST(mmap_into_the_hole),
		UM_TEST(forked_next_to_fresh),
		UM_TEST(boundary_moves),
		UM_TEST(mprotect_across),
		UM_TEST(files_merge_by_offset),
		UM_TEST(r41_moved_file_mapping),
		UM_TEST(flags_split_and_join),
		UM_TEST(brk_grows_one_vma),
		UM_TEST(mremap_grows_into_next),
	};

	return um_test_main(tests);
}
