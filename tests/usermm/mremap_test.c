// SPDX-License-Identifier: GPL-2.0
/*
 * mremap: every form of it, over whatever stands at the target. After each, what the
 * mappings are and what they hold is looked at; walks and models are compared as always.
 */
#include <string.h>
#include "lib/um_test.h"

#define FAR	(BASE + (1UL << 30))
/* Huge pages can be here. */
#define HUGE	(BASE + (2UL << 30))
#define HUGE_TO	(BASE + (4UL << 30))
#define HUGE_PAGES	(UM_HUGE_SIZE / PG)

static int remap(struct mm_struct *mm, uint64_t addr, uint64_t old_len, uint64_t new_len,
		 int flags, uint64_t to)
{
	uint64_t at = 0;
	int err = um_mremap(mm, addr, old_len, new_len, flags, to, &at);

	if (!err && (flags & MREMAP_FIXED))
		assert_int_equal(at, to);
	return err;
}

static bool is_mapped(struct mm_struct *mm, uint64_t addr)
{
	struct um_vma_info vmas[64];
	size_t i, nr = um_vmas(mm, vmas, 64);

	assert_true(nr <= 64);
	for (i = 0; i < nr; i++)
		if (addr >= vmas[i].start && addr < vmas[i].end)
			return true;
	return false;
}

static void expect_none(struct mm_struct *mm, uint64_t addr, uint64_t pages)
{
	uint64_t i, content;

	for (i = 0; i < pages; i++) {
		assert_false(is_mapped(mm, addr + i * PG));
		assert_int_equal(um_read(mm, addr + i * PG, &content), -EFAULT);
	}
}

static void expect_zeroes(struct mm_struct *mm, uint64_t addr, uint64_t pages)
{
	uint64_t i;

	for (i = 0; i < pages; i++)
		t_expect(mm, addr + i * PG, 1, 0);
}

/* [start, end) is one VMA, of the numbers of @pgoff. */
static void expect_vma(struct mm_struct *mm, uint64_t start, uint64_t end, uint64_t pgoff)
{
	struct um_vma_info vma = t_vma(mm, start);

	assert_int_equal(vma.start, start);
	assert_int_equal(vma.end, end);
	assert_int_equal(vma.pgoff, pgoff);
}

static void shake(struct t *t)
{
	t_migrate(t);
	t_swap_out(t);
}

/* The same where there may be nothing to move, or nothing that is not in swap already. */
static void shake_if_any(struct t *t)
{
	t_migrate_if_any(t);
	um_reclaim(t->world, 1 << 20);
	um_reclaim(t->world, 1 << 20);
}

/* -- What is at the target ------------------------------------------------------------- */

enum target {
	NOTHING,
	FRESH,
	FAULTED,
	PART_OF_FAULTED,	/* the target is its middle */
	SPANNING,		/* end of one, a hole, start of another */
	FORKED,			/* faulted, and a child has it too */
	NR_TARGETS,
};

/* 4 pages from FAR on are the target. Around it, what stays: 4 pages on both sides. */
static struct mm_struct *make_target(struct mm_struct *mm, enum target target)
{
	switch (target) {
	case NOTHING:
		return NULL;
	case FRESH:
		t_map(mm, FAR, 4);
		return NULL;
	case FAULTED:
	case FORKED:
		t_map(mm, FAR, 4);
		t_write(mm, FAR, 4, 900);
		return target == FORKED ? t_fork(mm) : NULL;
	case PART_OF_FAULTED:
		t_map(mm, FAR - 4 * PG, 12);
		t_write(mm, FAR - 4 * PG, 12, 800);
		return NULL;
	case SPANNING:
		t_map(mm, FAR - 4 * PG, 5);
		t_write(mm, FAR - 4 * PG, 5, 800);
		t_map(mm, FAR + 2 * PG, 6);
		t_write(mm, FAR + 2 * PG, 6, 806);
		return NULL;
	default:
		fail();
		return NULL;
	}
}

static void expect_around(struct mm_struct *mm, enum target target)
{
	if (target == PART_OF_FAULTED || target == SPANNING) {
		t_expect(mm, FAR - 4 * PG, 4, 800);
		t_expect(mm, FAR + 4 * PG, 4, 808);
	} else {
		expect_none(mm, FAR - PG, 1);
		expect_none(mm, FAR + 4 * PG, 1);
	}
}

enum form {
	MOVE,			/* 4 pages */
	MOVE_MIDDLE,		/* 4 pages out of 12 */
	MOVE_FRESH,		/* 4 pages that nobody has touched */
	MOVE_SHRINKING,		/* 8 pages become 4 */
	MOVE_GROWING,		/* 2 pages become 4 */
	KEEP,			/* MREMAP_DONTUNMAP */
	KEEP_MIDDLE,
	MOVE_SWAPPED,
	NR_FORMS,
};

/* Moves something from around BASE to the 4 pages at FAR. */
static void do_form(struct t *t, struct mm_struct *mm, enum form form)
{
	const int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;

	t_map(mm, BASE, 12);
	if (form != MOVE_FRESH)
		t_write(mm, BASE, 12, 100);
	switch (form) {
	case MOVE:
		t_unmap(mm, BASE + 4 * PG, 8);
		t_move(mm, BASE, 4, FAR, 0);
		break;
	case MOVE_SWAPPED:
		t_swap_out(t);
		/* fallthrough */
	case MOVE_MIDDLE:
	case MOVE_FRESH:
		t_move(mm, BASE + 4 * PG, 4, FAR, 0);
		break;
	case MOVE_SHRINKING:
		assert_int_equal(remap(mm, BASE + 2 * PG, 8 * PG, 4 * PG, fixed, FAR), 0);
		break;
	case MOVE_GROWING:
		assert_int_equal(remap(mm, BASE + 2 * PG, 2 * PG, 4 * PG, fixed, FAR), 0);
		break;
	case KEEP:
		t_unmap(mm, BASE + 4 * PG, 8);
		t_move(mm, BASE, 4, FAR, MREMAP_DONTUNMAP);
		break;
	case KEEP_MIDDLE:
		t_move(mm, BASE + 4 * PG, 4, FAR, MREMAP_DONTUNMAP);
		break;
	default:
		fail();
	}
}

static void expect_form(struct mm_struct *mm, enum form form)
{
	switch (form) {
	case MOVE:
		t_expect(mm, FAR, 4, 100);
		expect_none(mm, BASE, 12);
		break;
	case MOVE_SWAPPED:
	case MOVE_MIDDLE:
		t_expect(mm, FAR, 4, 104);
		t_expect(mm, BASE, 4, 100);
		expect_none(mm, BASE + 4 * PG, 4);
		t_expect(mm, BASE + 8 * PG, 4, 108);
		break;
	case MOVE_FRESH:
		expect_zeroes(mm, FAR, 4);
		expect_none(mm, BASE + 4 * PG, 4);
		break;
	case MOVE_SHRINKING:
		t_expect(mm, FAR, 4, 102);
		t_expect(mm, BASE, 2, 100);
		expect_none(mm, BASE + 2 * PG, 8);
		t_expect(mm, BASE + 10 * PG, 2, 110);
		break;
	case MOVE_GROWING:
		t_expect(mm, FAR, 2, 102);
		expect_zeroes(mm, FAR + 2 * PG, 2);
		t_expect(mm, BASE, 2, 100);
		expect_none(mm, BASE + 2 * PG, 2);
		t_expect(mm, BASE + 4 * PG, 8, 104);
		break;
	case KEEP:
		t_expect(mm, FAR, 4, 100);
		assert_false(t_vma(mm, BASE).faulted);
		expect_zeroes(mm, BASE, 4);
		break;
	case KEEP_MIDDLE:
		t_expect(mm, FAR, 4, 104);
		t_expect(mm, BASE, 4, 100);
		expect_zeroes(mm, BASE + 4 * PG, 4);
		t_expect(mm, BASE + 8 * PG, 4, 108);
		break;
	default:
		fail();
	}
}

/* Each form, over each target, with and without a child from before. */
static void every_form_over_every_target(void **state)
{
	struct t *t = *state;
	int form, target;

	for (form = 0; form < NR_FORMS; form++)
	for (target = 0; target < NR_TARGETS; target++) {
		struct mm_struct *mm = t_mm(t), *child;

		child = make_target(mm, target);
		do_form(t, mm, form);
		expect_form(mm, form);
		expect_around(mm, target);
		t_write(mm, FAR + PG, 1, 5000);
		shake(t);
		t_expect(mm, FAR + PG, 1, 5000);
		expect_around(mm, target);
		if (child) {
			t_expect(child, FAR, 4, 900);
			um_exit(child);
		}
		um_exit(mm);
	}
}

/* The same forms in a process with a child: what was shared is moved in one of them. */
static void every_form_after_fork(void **state)
{
	struct t *t = *state;
	int form, who;

	for (form = 0; form < NR_FORMS; form++)
	for (who = 0; who < 2; who++) {
		struct mm_struct *mm = t_mm(t), *child, *mover, *other;

		t_map(mm, BASE + 64 * PG, 4);
		t_write(mm, BASE + 64 * PG, 4, 700);
		child = t_fork(mm);
		mover = who ? child : mm;
		other = who ? mm : child;
		do_form(t, mover, form);
		t_move(mover, BASE + 64 * PG, 4, FAR + 64 * PG, 0);
		shake_if_any(t);
		expect_form(mover, form);
		t_expect(mover, FAR + 64 * PG, 4, 700);
		t_expect(other, BASE + 64 * PG, 4, 700);
		expect_none(other, FAR + 64 * PG, 4);
		um_exit(mm);
		t_migrate_if_any(t);
		if (who)
			expect_form(child, form);
		else
			t_expect(child, BASE + 64 * PG, 4, 700);
		um_exit(child);
	}
}

/* ... and forked after it: the child has the pages where they were moved to. */
static void every_form_before_fork(void **state)
{
	struct t *t = *state;
	int form;

	for (form = 0; form < NR_FORMS; form++) {
		struct mm_struct *mm = t_mm(t), *child;

		do_form(t, mm, form);
		child = t_fork(mm);
		shake_if_any(t);
		expect_form(child, form);
		t_write(child, FAR, 1, 5000);
		expect_form(mm, form);
		um_exit(mm);
		t_migrate(t);
		t_expect(child, FAR, 1, 5000);
		um_exit(child);
	}
}

/* -- Sizes ----------------------------------------------------------------------------- */

/*	[       8       ]  ->  [ 3 ]	*/
static void shrink_in_place(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	assert_int_equal(remap(mm, BASE, 8 * PG, 3 * PG, 0, 0), 0);
	expect_vma(mm, BASE, BASE + 3 * PG, BASE / PG);
	expect_none(mm, BASE + 3 * PG, 5);
	shake(t);
	t_expect(mm, BASE, 3, 100);
	/* Only what was named is cut, not what is behind it. */
	assert_int_equal(remap(mm, BASE, 2 * PG, PG, 0, 0), 0);
	t_expect(mm, BASE + 2 * PG, 1, 102);
	expect_none(mm, BASE + PG, 1);
	/* Lengths are rounded up. */
	assert_int_equal(remap(mm, BASE, PG, 1, 0, 0), 0);
	t_expect(mm, BASE, 1, 100);
}

static void shrink_over_several_vmas(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
	/* As Linux: what is cut may be more than one VMA. */
	assert_int_equal(remap(mm, BASE, 12 * PG, 2 * PG, 0, 0), 0);
	assert_int_equal(t_nr_vmas(mm), 1);
	expect_none(mm, BASE + 2 * PG, 10);
	t_expect(mm, BASE, 2, 100);
}

static void grow_in_place(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	/* Not the end of the VMA: nowhere to go but away. */
	assert_int_equal(remap(mm, BASE, 2 * PG, 4 * PG, 0, 0), -ENOMEM);
	assert_int_equal(remap(mm, BASE, 4 * PG, 6 * PG, 0, 0), 0);
	expect_vma(mm, BASE, BASE + 6 * PG, BASE / PG);
	/* The tail alone. */
	assert_int_equal(remap(mm, BASE + 5 * PG, PG, 3 * PG, 0, 0), 0);
	expect_vma(mm, BASE, BASE + 8 * PG, BASE / PG);
	expect_zeroes(mm, BASE + 4 * PG, 4);
	t_write(mm, BASE + 4 * PG, 4, 104);
	shake(t);
	t_expect(mm, BASE, 8, 100);
}

/*	[ faulted ]..[ wall ]: as far as the wall, and no further */
static void grow_is_blocked(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t at;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_map(mm, BASE + 6 * PG, 1);
	t_protect(mm, BASE + 6 * PG, 1, PROT_READ);
	assert_int_equal(remap(mm, BASE, 4 * PG, 6 * PG, 0, 0), 0);
	assert_int_equal(remap(mm, BASE, 6 * PG, 7 * PG, 0, 0), -ENOMEM);
	expect_vma(mm, BASE, BASE + 6 * PG, BASE / PG);
	assert_int_equal(um_mremap(mm, BASE, 6 * PG, 7 * PG, MREMAP_MAYMOVE, 0, &at), 0);
	assert_int_not_equal(at, BASE);
	expect_none(mm, BASE, 6);
	expect_vma(mm, at, at + 7 * PG, BASE / PG);
	t_expect(mm, at, 4, 100);
	expect_zeroes(mm, at + 4 * PG, 3);
	t_write(mm, at + 4 * PG, 3, 104);
	shake(t);
	t_expect(mm, at, 7, 100);
}

/* A displaced VMA grows in place as one that is not. */
static void grow_displaced(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, 0);
	assert_int_equal(remap(mm, FAR, 4 * PG, 8 * PG, 0, 0), 0);
	expect_vma(mm, FAR, FAR + 8 * PG, BASE / PG);
	t_write(mm, FAR + 4 * PG, 4, 104);
	shake(t);
	t_expect(mm, FAR, 8, 100);
	t_move(mm, FAR, 8, BASE, 0);
	if (t->lazy)
		assert_false(t_vma(mm, BASE).displaced);
	shake(t);
	t_expect(mm, BASE, 8, 100);
}

static void nothing_to_do(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t at = 0;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(um_mremap(mm, BASE + PG, PG, PG, 0, 0, &at), 0);
	assert_int_equal(at, BASE + PG);
	assert_int_equal(um_mremap(mm, BASE, 4 * PG, 4 * PG - 1, MREMAP_MAYMOVE, 0, &at), 0);
	assert_int_equal(at, BASE);
	expect_vma(mm, BASE, BASE + 4 * PG, BASE / PG);
	t_expect(mm, BASE, 4, 100);
}

/* -- Errors ---------------------------------------------------------------------------- */

static void bad_arguments(void **state)
{
	const int move = MREMAP_MAYMOVE, fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
	const int keep = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
	const uint64_t top = (1UL << 47) - PG;
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	/* Flags. */
	assert_int_equal(remap(mm, BASE, PG, PG, 8, 0), -EINVAL);
	assert_int_equal(remap(mm, BASE, PG, PG, move | 0x1000, 0), -EINVAL);
	assert_int_equal(remap(mm, BASE, PG, PG, MREMAP_FIXED, FAR), -EINVAL);
	assert_int_equal(remap(mm, BASE, PG, PG, MREMAP_DONTUNMAP, FAR), -EINVAL);
	assert_int_equal(remap(mm, BASE, 2 * PG, PG, keep, FAR), -EINVAL);
	assert_int_equal(remap(mm, BASE, PG, 2 * PG, keep, FAR), -EINVAL);
	/* The lengths that are compared are those given, as Linux does. */
	assert_int_equal(remap(mm, BASE, PG - 1, PG, keep | MREMAP_FIXED, FAR), -EINVAL);
	/* Addresses and lengths. */
	assert_int_equal(remap(mm, BASE + 1, PG, PG, move, 0), -EINVAL);
	assert_int_equal(remap(mm, BASE, PG, 0, move, 0), -EINVAL);
	assert_int_equal(remap(mm, BASE, PG, PG, fixed, FAR + 1), -EINVAL);
	assert_int_equal(remap(mm, BASE, PG, PG, fixed, top), -EINVAL);
	assert_int_equal(remap(mm, BASE, PG, PG, fixed, ~0UL & ~(PG - 1)), -EINVAL);
	assert_int_equal(remap(mm, BASE, PG, top + PG, fixed, 0), -EINVAL);
	/* Over itself: all, ends, middle, around. */
	assert_int_equal(remap(mm, BASE, 4 * PG, 4 * PG, fixed, BASE), -EINVAL);
	assert_int_equal(remap(mm, BASE, 4 * PG, 4 * PG, fixed, BASE + 3 * PG), -EINVAL);
	assert_int_equal(remap(mm, BASE, 4 * PG, 4 * PG, fixed, BASE - 3 * PG), -EINVAL);
	assert_int_equal(remap(mm, BASE, 4 * PG, PG, fixed, BASE + 3 * PG), -EINVAL);
	assert_int_equal(remap(mm, BASE + PG, PG, 4 * PG, fixed, BASE), -EINVAL);
	assert_int_equal(remap(mm, BASE, 4 * PG, 4 * PG, keep | MREMAP_FIXED, BASE + PG), -EINVAL);
	/* Nothing has happened. */
	expect_vma(mm, BASE, BASE + 4 * PG, BASE / PG);
	t_expect(mm, BASE, 4, 100);
	assert_int_equal(t_nr_vmas(mm), 1);
	/* Just beside itself. */
	t_move(mm, BASE, 4, BASE + 4 * PG, 0);
	t_move(mm, BASE + 4 * PG, 4, BASE, 0);
	t_expect(mm, BASE, 4, 100);
}

static void no_such_memory(void **state)
{
	const int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	t_protect(mm, BASE + 4 * PG, 4, PROT_READ);
	assert_int_equal(remap(mm, FAR, PG, PG, 0, 0), -EFAULT);
	assert_int_equal(remap(mm, FAR, PG, 2 * PG, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(remap(mm, FAR, PG, PG, fixed, FAR + 64 * PG), -EFAULT);
	/* Beyond the end, and over the boundary of two VMAs. */
	assert_int_equal(remap(mm, BASE + 6 * PG, 4 * PG, 8 * PG, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(remap(mm, BASE + 2 * PG, 4 * PG, 8 * PG, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(remap(mm, BASE + 2 * PG, 4 * PG, 4 * PG, fixed, FAR), -EFAULT);
	/* Private memory is not doubled. */
	assert_int_equal(remap(mm, BASE, 0, PG, MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(remap(mm, BASE, 0, PG, fixed, FAR), -EINVAL);
	/* Too large for any place. */
	assert_int_equal(remap(mm, BASE, 4 * PG, 1UL << 47, MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(t_nr_vmas(mm), 2);
	t_expect(mm, BASE, 8, 100);
}

/* As Linux: the target of MREMAP_FIXED goes before the source is looked at. */
static void target_goes_on_error(void **state)
{
	const int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_map(mm, FAR, 4);
	t_write(mm, FAR, 4, 200);
	assert_int_equal(remap(mm, BASE + 2 * PG, 4 * PG, 4 * PG, fixed, FAR), -EFAULT);
	expect_none(mm, FAR, 4);
	t_expect(mm, BASE, 4, 100);
	/* Not when there is no source at all. */
	t_map(mm, FAR, 4);
	t_write(mm, FAR, 4, 200);
	assert_int_equal(remap(mm, BASE + 8 * PG, PG, PG, fixed, FAR), -EFAULT);
	t_expect(mm, FAR, 4, 200);
}

static void device_does_not_grow(void **state)
{
	struct t *t = *state;
	struct um_file *device = um_file_create(t->world, UM_FILE_DEVICE);
	struct mm_struct *mm = t_mm(t);
	const int keep = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	uint64_t content, moved;

	t_map_file(mm, BASE, 4, device, 5);
	assert_int_equal(um_read(mm, BASE + PG, &content), 0);
	assert_int_equal(remap(mm, BASE, 4 * PG, 8 * PG, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(remap(mm, BASE, 4 * PG, 4 * PG, keep, FAR), -EINVAL);
	t_move(mm, BASE, 4, FAR, 0);
	expect_vma(mm, FAR, FAR + 4 * PG, 5);
	assert_int_equal(um_read(mm, FAR + PG, &moved), 0);
	assert_int_equal(moved, content);
	um_file_put(device);
}

/* -- MREMAP_DONTUNMAP ------------------------------------------------------------------ */

/* Without MREMAP_FIXED the address is a hint, and nothing is unmapped there. */
static void keep_with_a_hint(void **state)
{
	const int keep = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t at;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(um_mremap(mm, BASE, 4 * PG, 4 * PG, keep, FAR, &at), 0);
	assert_int_equal(at, FAR);
	t_expect(mm, FAR, 4, 100);
	t_write(mm, BASE, 4, 300);
	/* Taken: somewhere else. */
	assert_int_equal(um_mremap(mm, BASE, 4 * PG, 4 * PG, keep, FAR, &at), 0);
	assert_int_not_equal(at, FAR);
	t_expect(mm, at, 4, 300);
	t_expect(mm, FAR, 4, 100);
	expect_zeroes(mm, BASE, 4);
	shake(t);
	t_expect(mm, at, 4, 300);
	t_expect(mm, FAR, 4, 100);
}

/* The lock goes with the pages: what stays behind is not locked. */
static void keep_unlocks(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	assert_int_equal(um_mlock(mm, BASE, 12 * PG, true, false), 0);
	t_move(mm, BASE + 4 * PG, 4, FAR, MREMAP_DONTUNMAP);
	assert_true(t_vma(mm, FAR).flags & 0x2000);
	assert_true(t_vma(mm, BASE).flags & 0x2000);
	assert_false(t_vma(mm, BASE + 4 * PG).flags & 0x2000);
	assert_true(t_vma(mm, BASE + 8 * PG).flags & 0x2000);
	t_migrate(t);
	t_expect(mm, BASE, 4, 100);
	t_expect(mm, FAR, 4, 104);
	t_expect(mm, BASE + 8 * PG, 4, 108);
}

/*
 * What stays behind is in place again: its next pages are numbered by its own
 * address, whatever those were that left.
 */
static void keep_of_displaced(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, 0);
	t_move(mm, FAR, 4, FAR + 64 * PG, MREMAP_DONTUNMAP);
	expect_vma(mm, FAR, FAR + 4 * PG, FAR / PG);
	t_write(mm, FAR, 4, 200);
	if (t->lazy) {
		assert_false(t_vma(mm, FAR).displaced);
		assert_true(t_vma(mm, FAR + 64 * PG).displaced);
	}
	shake(t);
	t_expect(mm, FAR, 4, 200);
	t_expect(mm, FAR + 64 * PG, 4, 100);
}

static void keep_of_shared_memory(void **state)
{
	struct t *t = *state;
	struct um_file *shm = um_file_create(t->world, UM_FILE_SHM);
	struct mm_struct *mm = t_mm(t);
	uint64_t at;

	assert_int_equal(um_mmap(mm, BASE, 4 * PG, RW, MAP_SHARED | MAP_FIXED, shm, 0, &at), 0);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, MREMAP_DONTUNMAP);
	t_expect(mm, FAR, 4, 100);
	/* Both are windows on the same memory. */
	t_expect(mm, BASE, 4, 100);
	t_write(mm, BASE, 1, 900);
	t_expect(mm, FAR, 1, 900);
	um_file_put(shm);
}

/* -- Shared, file and /dev/zero mappings ----------------------------------------------- */

/* An old length of 0: a second window on the same shared memory. */
static void double_shared(void **state)
{
	struct t *t = *state;
	struct um_file *shm = um_file_create(t->world, UM_FILE_SHM);
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t at, again;

	assert_int_equal(um_mmap(mm, BASE, 8 * PG, RW, MAP_SHARED | MAP_FIXED, shm, 3, &at), 0);
	t_write(mm, BASE, 8, 100);
	assert_int_equal(um_mremap(mm, BASE + 2 * PG, 0, 4 * PG, MREMAP_MAYMOVE, 0, &at), 0);
	expect_vma(mm, at, at + 4 * PG, 5);
	expect_vma(mm, BASE, BASE + 8 * PG, 3);
	t_expect(mm, at, 4, 102);
	t_write(mm, at + PG, 1, 500);
	t_expect(mm, BASE + 3 * PG, 1, 500);
	assert_int_equal(um_mremap(mm, BASE, 0, 8 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, FAR, &again),
			 0);
	t_expect(mm, FAR + 3 * PG, 1, 500);
	child = t_fork(mm);
	t_write(child, FAR, 1, 600);
	t_expect(mm, BASE, 1, 600);
	/* Without leave to move there is no room for it. */
	assert_int_equal(um_mremap(mm, BASE, 0, 4 * PG, 0, 0, &at), -ENOMEM);
	um_file_put(shm);
}

static void shared_moves(void **state)
{
	struct t *t = *state;
	struct um_file *shm = um_file_create(t->world, UM_FILE_SHM);
	struct mm_struct *mm = t_mm(t);
	uint64_t at;

	assert_int_equal(um_mmap(mm, BASE, 8 * PG, RW, MAP_SHARED | MAP_FIXED, shm, 3, &at), 0);
	t_write(mm, BASE, 8, 100);
	t_move(mm, BASE + 2 * PG, 4, FAR, 0);
	expect_vma(mm, FAR, FAR + 4 * PG, 5);
	expect_none(mm, BASE + 2 * PG, 4);
	t_expect(mm, FAR, 4, 102);
	t_move(mm, FAR, 4, BASE + 2 * PG, 0);
	expect_vma(mm, BASE, BASE + 8 * PG, 3);
	t_expect(mm, BASE, 8, 100);
	um_file_put(shm);
}

/* Some pages of its own, some of the file: both move, out of the middle and back. */
static void private_file_moves(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t first[12];
	int i;

	t_map_file(mm, BASE, 12, file, 20);
	for (i = 0; i < 12; i++)
		assert_int_equal(um_read(mm, BASE + i * PG, &first[i]), 0);
	t_write(mm, BASE + 4 * PG, 2, 100);
	t_move(mm, BASE + 3 * PG, 6, FAR, 0);
	expect_vma(mm, FAR, FAR + 6 * PG, 23);
	expect_none(mm, BASE + 3 * PG, 6);
	t_expect(mm, FAR + PG, 2, 100);
	t_expect(mm, FAR, 1, first[3]);
	t_expect(mm, FAR + 3 * PG, 1, first[6]);
	/* New pages of the moved part. */
	t_write(mm, FAR + 4 * PG, 2, 200);
	child = t_fork(mm);
	t_write(child, FAR + 5 * PG, 1, 300);
	shake(t);
	t_move(child, FAR, 6, BASE + 3 * PG, 0);
	if (t->lazy)
		assert_int_equal(t_nr_vmas(child), 1);
	t_expect(child, BASE + 4 * PG, 2, 100);
	t_expect(child, BASE + 7 * PG, 1, 200);
	t_expect(child, BASE + 8 * PG, 1, 300);
	t_expect(mm, FAR + 5 * PG, 1, 201);
	t_expect(mm, FAR + 3 * PG, 1, first[6]);
	um_exit(mm);
	shake(t);
	t_expect(child, BASE + 4 * PG, 2, 100);
	t_expect(child, BASE, 1, first[0]);
	t_expect(child, BASE + 3 * PG, 1, first[3]);
	um_file_put(file);
}

/* Growing a private file mapping shows more of the file. */
static void private_file_grows(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);
	uint64_t at, behind;

	t_map_file(mm, FAR, 8, file, 20);
	assert_int_equal(um_read(mm, FAR + 5 * PG, &behind), 0);
	t_map_file(mm, BASE, 4, file, 20);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(remap(mm, BASE, 4 * PG, 8 * PG, 0, 0), 0);
	t_expect(mm, BASE + 5 * PG, 1, behind);
	t_map(mm, BASE + 8 * PG, 1);
	assert_int_equal(um_mremap(mm, BASE, 8 * PG, 9 * PG, MREMAP_MAYMOVE, 0, &at), 0);
	t_expect(mm, at, 4, 100);
	t_expect(mm, at + 5 * PG, 1, behind);
	expect_vma(mm, at, at + 9 * PG, 20);
	shake(t);
	t_expect(mm, at, 4, 100);
	um_file_put(file);
}

/* MREMAP_DONTUNMAP of a private file mapping: what stays shows the file again. */
static void private_file_stays(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);
	uint64_t first;

	t_map_file(mm, BASE, 4, file, 20);
	assert_int_equal(um_read(mm, BASE, &first), 0);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, MREMAP_DONTUNMAP);
	t_expect(mm, FAR, 4, 100);
	t_expect(mm, BASE, 1, first);
	expect_vma(mm, BASE, BASE + 4 * PG, 20);
	t_write(mm, BASE, 4, 200);
	shake(t);
	t_expect(mm, FAR, 4, 100);
	t_expect(mm, BASE, 4, 200);
	um_file_put(file);
}

/* Private /dev/zero: numbered by its offset wherever it is. */
static void dev_zero_moves(void **state)
{
	struct t *t = *state;
	struct um_file *zero = um_file_create(t->world, UM_FILE_ZERO);
	struct mm_struct *mm = t_mm(t), *child;

	t_map_file(mm, BASE, 12, zero, 1000);
	t_write(mm, BASE, 12, 100);
	child = t_fork(mm);
	t_move(mm, BASE + 4 * PG, 4, FAR, 0);
	t_move(child, BASE, 2, FAR + 64 * PG, 0);
	shake(t);
	t_expect(mm, FAR, 4, 104);
	t_expect(mm, BASE, 4, 100);
	t_expect(child, FAR + 64 * PG, 2, 100);
	t_expect(child, BASE + 2 * PG, 10, 102);
	t_move(mm, FAR, 4, BASE + 4 * PG, 0);
	shake(t);
	t_expect(mm, BASE, 12, 100);
	if (t->lazy)
		assert_int_equal(t_nr_vmas(mm), 1);
	um_file_put(zero);
}

/* Moved to the place that its offset names, a mapping of /dev/zero is in place. */
static void dev_zero_in_place(void **state)
{
	struct t *t = *state;
	struct um_file *zero = um_file_create(t->world, UM_FILE_ZERO);
	struct mm_struct *mm = t_mm(t);

	t_map_file(mm, BASE, 4, zero, FAR / PG);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, 0);
	if (t->lazy)
		assert_false(t_vma(mm, FAR).displaced);
	shake(t);
	t_expect(mm, FAR, 4, 100);
	t_move(mm, FAR, 4, BASE, 0);
	if (t->lazy)
		assert_true(t_vma(mm, BASE).displaced);
	shake(t);
	t_expect(mm, BASE, 4, 100);
	um_file_put(zero);
}

/* -- To and fro ------------------------------------------------------------------------ */

static void moved_twice(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	t_move(mm, BASE, 8, FAR, 0);
	child = t_fork(mm);
	t_move(mm, FAR, 8, FAR + 64 * PG, 0);
	expect_vma(mm, FAR + 64 * PG, FAR + 72 * PG, BASE / PG);
	t_move(child, FAR + 2 * PG, 3, FAR + 64 * PG, 0);
	expect_vma(child, FAR + 64 * PG, FAR + 67 * PG, BASE / PG + 2);
	if (t->lazy) {
		assert_true(t_vma(mm, FAR + 64 * PG).displaced);
		/* One for each displaced VMA: one of the parent's, three of the child's. */
		assert_int_equal(t_stats(t).objects[UM_OBJ_AVC].live, 4);
	}
	shake(t);
	t_expect(mm, FAR + 64 * PG, 8, 100);
	t_expect(child, FAR + 64 * PG, 3, 102);
	t_expect(child, FAR, 2, 100);
	t_expect(child, FAR + 5 * PG, 3, 105);
}

/*	[  12  ]  ->  away  ->  back in three parts, in each order: one VMA again */
static void back_in_parts(void **state)
{
	static const int orders[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	struct t *t = *state;
	int o, i, part;

	for (o = 0; o < 6; o++) {
		struct mm_struct *mm = t_mm(t);

		t_map(mm, BASE, 12);
		t_write(mm, BASE, 12, 100);
		t_move(mm, BASE, 12, FAR, 0);
		for (i = 0; i < 3; i++) {
			part = orders[o][i];
			t_move(mm, FAR + part * 4 * PG, 4, BASE + part * 4 * PG, 0);
			expect_none(mm, FAR + part * 4 * PG, 4);
			t_expect(mm, BASE + part * 4 * PG, 4, 100 + 4 * part);
			t_migrate(t);
		}
		expect_vma(mm, BASE, BASE + 12 * PG, BASE / PG);
		if (t->lazy)
			assert_int_equal(t_stats(t).objects[UM_OBJ_AVC].live, 0);
		shake(t);
		t_expect(mm, BASE, 12, 100);
		um_exit(mm);
	}
}

/* Parts change places: same VMA before, nothing that could merge after. */
static void parts_change_places(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	t_move(mm, BASE, 4, FAR, 0);
	t_move(mm, BASE + 4 * PG, 4, BASE, 0);
	t_move(mm, FAR, 4, BASE + 4 * PG, 0);
	assert_int_equal(t_nr_vmas(mm), 2);
	shake(t);
	t_expect(mm, BASE, 4, 104);
	t_expect(mm, BASE + 4 * PG, 4, 100);
	if (t->lazy)
		assert_int_equal(t_stats(t).objects[UM_OBJ_AVC].live, 2);
}

/* Pages of every age in one move: present, shared, swapped, zero, none, read-only. */
static void mixed_pages(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t content;

	t_map(mm, BASE, 16);
	t_write(mm, BASE, 8, 100);
	t_swap_out(t);
	t_expect(mm, BASE + 2 * PG, 2, 102);
	child = t_fork(mm);
	t_write(mm, BASE + 3 * PG, 1, 503);
	assert_int_equal(um_read(mm, BASE + 12 * PG, &content), 0);
	t_protect(mm, BASE, 16, PROT_READ);
	t_move(mm, BASE, 16, FAR, 0);
	expect_vma(mm, FAR, FAR + 16 * PG, BASE / PG);
	assert_int_equal(um_write(mm, FAR, 1), -EFAULT);
	t_expect(mm, FAR, 3, 100);
	t_expect(mm, FAR + 3 * PG, 1, 503);
	t_expect(mm, FAR + 4 * PG, 4, 104);
	expect_zeroes(mm, FAR + 8 * PG, 8);
	shake(t);
	t_expect(child, BASE, 8, 100);
	t_expect(mm, FAR + 3 * PG, 1, 503);
}

/* 40 tables of PTEs, both sides out of step with each other. */
static void move_over_many_tables(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	const uint64_t pages = 40 * HUGE_PAGES;
	uint64_t i;

	t_map(mm, HUGE, pages);
	for (i = 0; i < pages; i += 61)
		t_write(mm, HUGE + i * PG, 1, i);
	t_move(mm, HUGE, pages, HUGE_TO + 5 * PG, 0);
	for (i = 0; i < pages; i += 61)
		t_expect(mm, HUGE_TO + (5 + i) * PG, 1, i);
	shake(t);
	t_move(mm, HUGE_TO + 5 * PG, pages, HUGE, 0);
	for (i = 0; i < pages; i += 61)
		t_expect(mm, HUGE + i * PG, 1, i);
	expect_vma(mm, HUGE, HUGE + pages * PG, HUGE / PG);
}

/* -- Huge pages ------------------------------------------------------------------------ */

static void make_huge(struct mm_struct *mm, uint64_t pages)
{
	uint64_t i;

	t_map(mm, HUGE, pages);
	for (i = 0; i < pages; i += HUGE_PAGES)
		assert_int_equal(um_touch_huge(mm, HUGE + i * PG), 0);
	for (i = 0; i < pages; i += 51)
		t_write(mm, HUGE + i * PG, 1, 1000 + i);
}

static void expect_huge(struct mm_struct *mm, uint64_t at, uint64_t from, uint64_t pages)
{
	uint64_t i;

	for (i = 0; i < pages; i++)
		if ((from + i) % 51 == 0)
			t_expect(mm, at + i * PG, 1, 1000 + from + i);
}

/* Huge entries move as they are, if both places are aligned: no page is split. */
static void huge_moves_aligned(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	make_huge(mm, 2 * HUGE_PAGES);
	t_move(mm, HUGE, 2 * HUGE_PAGES, HUGE_TO, 0);
	expect_none(mm, HUGE, 1);
	expect_huge(mm, HUGE_TO, 0, 2 * HUGE_PAGES);
	/* Still one folio each. */
	assert_int_equal(um_collapse(mm, HUGE_TO), -EINVAL);
	child = t_fork(mm);
	t_move(child, HUGE_TO + HUGE_PAGES * PG, HUGE_PAGES, HUGE, 0);
	t_migrate(t);
	assert_int_equal(um_collapse(child, HUGE), -EINVAL);
	t_write(child, HUGE + 51 * PG, 1, 1);
	shake(t);
	expect_huge(mm, HUGE_TO, 0, 2 * HUGE_PAGES);
	t_expect(child, HUGE + 51 * PG, 1, 1);
	expect_huge(child, HUGE_TO, 0, HUGE_PAGES);
}

static void huge_moves_unaligned(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	make_huge(mm, 2 * HUGE_PAGES);
	child = t_fork(mm);
	t_move(mm, HUGE, 2 * HUGE_PAGES, HUGE_TO + 7 * PG, 0);
	t_migrate(t);
	expect_huge(mm, HUGE_TO + 7 * PG, 0, 2 * HUGE_PAGES);
	t_move(mm, HUGE_TO + 7 * PG, 2 * HUGE_PAGES, HUGE, 0);
	shake(t);
	expect_huge(mm, HUGE, 0, 2 * HUGE_PAGES);
	expect_huge(child, HUGE, 0, 2 * HUGE_PAGES);
}

/* A part of a huge page, over a part of another. */
static void part_of_huge_over_huge(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	make_huge(mm, 3 * HUGE_PAGES);
	child = t_fork(mm);
	t_move(mm, HUGE + 100 * PG, 600, HUGE_TO + 400 * PG, 0);
	expect_none(mm, HUGE + 100 * PG, 1);
	t_move(mm, HUGE_TO + 500 * PG, 20, HUGE + (2 * HUGE_PAGES + 50) * PG, 0);
	t_migrate(t);
	expect_huge(mm, HUGE, 0, 100);
	expect_huge(mm, HUGE_TO + 400 * PG, 100, 100);
	expect_none(mm, HUGE_TO + 500 * PG, 20);
	expect_huge(mm, HUGE_TO + 520 * PG, 220, 480);
	expect_huge(mm, HUGE + (2 * HUGE_PAGES + 50) * PG, 200, 20);
	expect_huge(mm, HUGE + (2 * HUGE_PAGES + 70) * PG, 2 * HUGE_PAGES + 70, 400);
	shake(t);
	expect_huge(child, HUGE, 0, 3 * HUGE_PAGES);
	um_exit(mm);
	t_migrate(t);
	expect_huge(child, HUGE, 0, 3 * HUGE_PAGES);
}

/* An empty table of PTEs at the target: the huge page is moved page by page. */
static void huge_over_what_was_small(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	make_huge(mm, HUGE_PAGES);
	t_map(mm, HUGE_TO - 4 * PG, HUGE_PAGES + 8);
	t_write(mm, HUGE_TO - 4 * PG, 12, 500);
	t_write(mm, HUGE_TO + (HUGE_PAGES - 2) * PG, 6, 600);
	t_move(mm, HUGE, HUGE_PAGES, HUGE_TO, 0);
	expect_huge(mm, HUGE_TO, 0, HUGE_PAGES);
	shake(t);
	expect_huge(mm, HUGE_TO, 0, HUGE_PAGES);
	t_expect(mm, HUGE_TO - 4 * PG, 4, 500);
	t_expect(mm, HUGE_TO + HUGE_PAGES * PG, 4, 602);
}

/* MREMAP_DONTUNMAP of a huge page, and then a new one in the old place. */
static void huge_stays(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	make_huge(mm, HUGE_PAGES);
	t_move(mm, HUGE, HUGE_PAGES, HUGE_TO, MREMAP_DONTUNMAP);
	expect_zeroes(mm, HUGE + 51 * PG, 1);
	t_unmap(mm, HUGE, HUGE_PAGES);
	t_map(mm, HUGE, HUGE_PAGES);
	assert_int_equal(um_touch_huge(mm, HUGE), 0);
	t_write(mm, HUGE, 4, 7000);
	t_migrate(t);
	expect_huge(mm, HUGE_TO, 0, HUGE_PAGES);
	t_expect(mm, HUGE, 4, 7000);
	shake(t);
	expect_huge(mm, HUGE_TO, 0, HUGE_PAGES);
	t_expect(mm, HUGE, 4, 7000);
}

/* 64 KiB folios, cut by the move in their middle. */
static void large_folio_is_cut(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	assert_int_equal(um_set_fault_order(mm, 4), 0);
	t_map(mm, BASE, 48);
	t_write(mm, BASE, 48, 1000);
	child = t_fork(mm);
	t_move(mm, BASE + 8 * PG, 32, FAR, 0);
	t_migrate(t);
	t_move(child, BASE + 20 * PG, 3, FAR, MREMAP_DONTUNMAP);
	shake(t);
	t_expect(mm, FAR, 32, 1008);
	t_expect(mm, BASE, 8, 1000);
	t_expect(mm, BASE + 40 * PG, 8, 1040);
	t_expect(child, FAR, 3, 1020);
	t_expect(child, BASE, 20, 1000);
	expect_zeroes(child, BASE + 20 * PG, 3);
	t_expect(child, BASE + 23 * PG, 25, 1023);
}

/* -- Numbers below 0 ------------------------------------------------------------------- */

/*
 * Pages numbered from a low address on are moved up. What is mapped in front of them is
 * not joined to them if its pages would get numbers below 0.
 */
static void no_numbers_below_zero(void **state)
{
	const uint64_t low = 16 * PG;	/* the lowest address that is given out */
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, low, 4);
	t_write(mm, low, 4, 100);
	t_move(mm, low, 4, FAR, 0);
	t_map(mm, FAR - 32 * PG, 32);
	t_write(mm, FAR - 32 * PG, 32, 500);
	assert_int_equal(t_nr_vmas(mm), 2);
	shake(t);
	t_expect(mm, FAR, 4, 100);
	t_expect(mm, FAR - 32 * PG, 32, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UM_TEST(every_form_over_every_target),
		UM_TEST(every_form_after_fork),
		UM_TEST(every_form_before_fork),
		UM_TEST(shrink_in_place),
		UM_TEST(shrink_over_several_vmas),
		UM_TEST(grow_in_place),
		UM_TEST(grow_is_blocked),
		UM_TEST(grow_displaced),
		UM_TEST(nothing_to_do),
		UM_TEST(bad_arguments),
		UM_TEST(no_such_memory),
		UM_TEST(target_goes_on_error),
		UM_TEST(device_does_not_grow),
		UM_TEST(keep_with_a_hint),
		UM_TEST(keep_unlocks),
		UM_TEST(keep_of_displaced),
		UM_TEST(keep_of_shared_memory),
		UM_TEST(double_shared),
		UM_TEST(shared_moves),
		UM_TEST(private_file_moves),
		UM_TEST(private_file_grows),
		UM_TEST(private_file_stays),
		UM_TEST(dev_zero_moves),
		UM_TEST(dev_zero_in_place),
		UM_TEST(moved_twice),
		UM_TEST(back_in_parts),
		UM_TEST(parts_change_places),
		UM_TEST(mixed_pages),
		UM_TEST(move_over_many_tables),
		UM_TEST(huge_moves_aligned),
		UM_TEST(huge_moves_unaligned),
		UM_TEST(part_of_huge_over_huge),
		UM_TEST(huge_over_what_was_small),
		UM_TEST(huge_stays),
		UM_TEST(large_folio_is_cut),
		UM_TEST(no_numbers_below_zero),
	};

	return um_test_main(tests);
}
