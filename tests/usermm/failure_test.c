// SPDX-License-Identifier: GPL-2.0
/*
 * R16, R22, R23, R31: memory fails at every single allocation of every operation, one
 * by one. An operation that fails says -ENOMEM, and all is as it was; or it does
 * without the memory, and has worked. Then it works when there is memory again.
 *
 * As it was: the VMAs and what they are to the reverse map, every anonymous page and
 * swap entry with its content, the number of objects of all kinds. What an operation
 * may leave as it goes is said in its line: as Linux, splits of VMAs (of which the
 * pieces still are what they were), and what prepares a VMA for its first page.
 */
#include <pthread.h>
#include <kshim/fault.h>
#include <kshim/slab_stats.h>
#include "family.h"
#include "internal.h"
#include "lib/inner.h"

/* What an operation may leave behind, or do, when memory fails. */
#define SPLITS		1U	/* VMAs may stay split */
#define PREPARES	2U	/* a VMA, or an mm, may have got its anon_vma */
#define PARTS		4U	/* some VMAs of several may be done */
#define SILENT		8U	/* never fails: what it cannot do is left */
#define GROWS		16U	/* a stack may have grown for a page that it did not get */
#define FREE_OF_COST	32U	/* some topologies need no memory for it */

struct op {
	const char *name;
	int (*run)(struct family *f);
	unsigned int flags;
	void (*before)(struct family *f);	/* NULL, or more that has to be there first */
};

static unsigned long failures;

static unsigned int compared(unsigned int flags)
{
	unsigned int what = PICTURE_PAGES | PICTURE_RMAP | PICTURE_VMAS | PICTURE_OBJECTS;

	if (flags & SPLITS)
		what = (what & ~(PICTURE_VMAS | PICTURE_OBJECTS)) | PICTURE_MAPS;
	if (flags & (PREPARES | GROWS))
		what &= ~(PICTURE_RMAP | PICTURE_OBJECTS);
	if (flags & GROWS)
		what &= ~PICTURE_VMAS;
	if (flags & PARTS)
		what &= ~(PICTURE_MAPS | PICTURE_VMAS | PICTURE_OBJECTS);
	return what;
}

static void check(struct family *f)
{
	assert_int_equal(um_check_all(f->t->world), 0);
}

/* It has worked: all that is mapped is found by walks, and holds what it should. */
static void check_done(struct family *f)
{
	check(f);
	t_migrate_if_any(f->t);
	check(f);
	family_read_all(f);
	check(f);
}

static void build(struct family *f, struct t *t, const struct op *op)
{
	family_create(f, t);
	if (op->before)
		op->before(f);
	check(f);
}

/* How an attempt ended. */
enum outcome {
	FAILED,		/* an allocation failed, and the operation: all is as it was */
	LEFT_SOMETHING,	/* the same, but for what the operation may leave */
	DONE,		/* nothing has failed */
};

/* Allocation @n of the operation fails. *before is the world's picture. */
static enum outcome fail_one(struct family *f, const struct op *op, unsigned int n,
			     struct picture **before)
{
	unsigned int what = compared(op->flags);
	struct picture *after;
	bool failed, allowed;
	int ret;

	kshim_fail_nth(n);
	ret = op->run(f);
	failed = kshim_fail_disarm();
	failures += failed;
	allowed = ret == (failed && !(op->flags & SILENT) ? -ENOMEM : 0);
	if (!allowed)
		print_error("%s, allocation %u%s: %d\n", op->name, n, failed ? "" : " not needed",
			    ret);
	assert_true(allowed);
	check(f);
	if (ret) {
		after = picture_take(f->t, what);
		if (!picture_same(*before, after, what)) {
			print_error("%s, allocation %u\n", op->name, n);
			fail();
		}
		picture_free(*before);
		*before = after;
	}
	if (!failed)
		return DONE;
	/* What was prepared is not allocated again: the next one would be left out. */
	return op->flags & (SPLITS | PARTS | SILENT | PREPARES | GROWS) ? LEFT_SOMETHING : FAILED;
}

static void sweep_op(struct t *t, const struct op *op)
{
	struct picture *before = NULL;
	enum outcome outcome;
	struct family f;
	unsigned int n;

	for (n = 1, outcome = LEFT_SOMETHING; outcome != DONE; n++) {
		if (outcome != FAILED) {
			build(&f, t, op);
			before = picture_take(t, compared(op->flags));
		}
		outcome = fail_one(&f, op, n, &before);
		if (outcome == FAILED)
			continue;
		if (outcome == LEFT_SOMETHING)
			/* What is left must not keep it from working. */
			assert_int_equal(op->run(&f), 0);
		check_done(&f);
		family_end(&f);
		picture_free(before);
	}
	/* An operation without allocations has nothing to show here. */
	if (n <= 2 && !(op->flags & FREE_OF_COST)) {
		print_error("%s allocates nothing\n", op->name);
		fail();
	}
}

#define sweep(state, ops) do {						\
	size_t i_;							\
									\
	for (i_ = 0; i_ < sizeof(ops) / sizeof((ops)[0]); i_++)	\
		sweep_op(*(state), &(ops)[i_]);				\
} while (0)

#define OP(fn, allowed, ...)						\
	{ .name = #fn, .run = fn, .flags = allowed, ##__VA_ARGS__ }

/* -- fork ------------------------------------------------------------------------------ */

static int fork_of(struct mm_struct *mm)
{
	struct mm_struct *child = (void *)1;
	int err = um_fork(mm, &child);

	if (!err)
		assert_ptr_not_equal(child, (void *)1);
	else
		assert_ptr_equal(child, (void *)1);
	return err;
}

/* Displaced, in place, private file, huge, swapped, merged by KSM, half of it shared. */
static int fork_parent(struct family *f) { return fork_of(f->a); }
static int fork_child(struct family *f) { return fork_of(f->b); }
static int fork_grandchild(struct family *f) { return fork_of(f->c); }
static int fork_empty(struct family *f) { return fork_of(f->fresh); }

static void all_swapped(struct family *f)
{
	t_swap_out(f->t);
}

static void with_advice(struct family *f)
{
	assert_int_equal(um_madvise(f->a, IN_PLACE + 4 * PG, 4 * PG, MADV_DONTFORK), 0);
	assert_int_equal(um_madvise(f->a, DISPLACED + 4 * PG, 4 * PG, MADV_WIPEONFORK), 0);
	assert_int_equal(um_vma_name(f->a, THREE, 12 * PG, "three"), 0);
}

static void r16_r31_fork(void **state)
{
	static const struct op ops[] = {
		OP(fork_parent, 0),
		OP(fork_parent, 0, all_swapped),
		OP(fork_parent, 0, with_advice),
		OP(fork_child, 0),
		OP(fork_grandchild, 0),
		OP(fork_empty, PREPARES),
	};

	sweep(state, ops);
}

/* -- munmap, mmap, brk ----------------------------------------------------------------- */

static int unmap_middle(struct family *f) { return um_munmap(f->a, IN_PLACE + 4 * PG, 4 * PG); }
static int unmap_start(struct family *f) { return um_munmap(f->a, IN_PLACE, 4 * PG); }
static int unmap_whole(struct family *f) { return um_munmap(f->a, DISPLACED, 16 * PG); }
static int unmap_displaced(struct family *f) { return um_munmap(f->a, DISPLACED + PG, 3 * PG); }
static int unmap_file(struct family *f) { return um_munmap(f->a, FILE_MOVED + PG, 3 * PG); }
static int unmap_swapped(struct family *f) { return um_munmap(f->c, SWAPPED + 5 * PG, 5 * PG); }
static int unmap_three(struct family *f) { return um_munmap(f->a, THREE + 2 * PG, 8 * PG); }
static int unmap_in_huge(struct family *f) { return um_munmap(f->a, HUGE + 9 * PG, 90 * PG); }
static int unmap_all(struct family *f) { return um_munmap(f->a, BASE, KSM - BASE); }

static void r16_munmap(void **state)
{
	static const struct op ops[] = {
		OP(unmap_middle, SPLITS),
		OP(unmap_start, SPLITS),
		OP(unmap_whole, 0),
		OP(unmap_displaced, SPLITS),
		OP(unmap_file, SPLITS),
		OP(unmap_swapped, SPLITS),
		OP(unmap_three, SPLITS),
		OP(unmap_in_huge, SPLITS),
		OP(unmap_all, 0),
	};

	sweep(state, ops);
}

static int map_at(struct mm_struct *mm, uint64_t addr, uint64_t pages, int prot, int flags,
		  struct um_file *file, uint64_t pgoff)
{
	uint64_t at;

	return um_mmap(mm, addr, pages * PG, prot, flags | MAP_FIXED, file, pgoff, &at);
}

static int map_fresh(struct family *f) { return map_at(f->a, FREE(0), 4, RW, ANON, NULL, 0); }
/* Joins what is before, and the fresh VMA behind it, in some topologies. */
static int map_gap(struct family *f) { return map_at(f->a, GAPPED + 4 * PG, 4, RW, ANON, NULL, 0); }
static int map_file(struct family *f)
{
	return map_at(f->a, FREE(0), 4, RW, MAP_PRIVATE, f->other, 7);
}
static int map_file_next(struct family *f)
{
	return map_at(f->a, FILE_PAGES + 16 * PG, 4, RW, MAP_PRIVATE, f->file, 26);
}
static int map_shared(struct family *f)
{
	return map_at(f->a, FREE(0), 4, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);
}
static int map_over_three(struct family *f)
{
	return map_at(f->a, THREE + 2 * PG, 8, RW | PROT_EXEC, ANON, NULL, 0);
}
/* What comes is like what was there at the edges: no new VMA. */
static int map_over_joining(struct family *f)
{
	return map_at(f->c, THREE + 2 * PG, 8, RW, ANON, NULL, 0);
}
static int map_over_displaced(struct family *f)
{
	return map_at(f->a, DISPLACED + 2 * PG, 4, RW, ANON, NULL, 0);
}
static int map_over_huge(struct family *f)
{
	return map_at(f->a, HUGE + 2 * PG, 600, PROT_READ, ANON, NULL, 0);
}
static int map_over_all(struct family *f)
{
	return map_at(f->a, BASE, (KSM - BASE) / PG, RW, MAP_PRIVATE, f->other, 0);
}

static void r16_mmap(void **state)
{
	static const struct op ops[] = {
		OP(map_fresh, 0),
		OP(map_gap, 0),
		OP(map_file, 0),
		OP(map_file_next, 0),
		OP(map_shared, 0),
		OP(map_over_three, SPLITS),
		OP(map_over_joining, SPLITS),
		OP(map_over_displaced, SPLITS),
		OP(map_over_huge, SPLITS),
		OP(map_over_all, 0),
	};

	sweep(state, ops);
}

static void heap_of_fresh(struct family *f)
{
	assert_int_equal(um_brk_init(f->fresh, HEAP), 0);
}

static int brk_first(struct family *f) { return um_brk(f->fresh, HEAP + 4 * PG); }
static int brk_grow(struct family *f) { return um_brk(f->a, HEAP + 8 * PG); }
static int brk_of_child(struct family *f) { return um_brk(f->c, HEAP + 8 * PG); }
static int brk_shrink(struct family *f) { return um_brk(f->a, HEAP + 2 * PG); }

static void r16_brk(void **state)
{
	static const struct op ops[] = {
		OP(brk_first, 0, heap_of_fresh),
		OP(brk_grow, 0),
		OP(brk_of_child, 0),
		OP(brk_shrink, SPLITS),
	};

	sweep(state, ops);
}

/* -- mremap ---------------------------------------------------------------------------- */

static int move(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t to, int flags)
{
	uint64_t at;

	return um_mremap(mm, addr, pages * PG, pages * PG, MREMAP_MAYMOVE | MREMAP_FIXED | flags,
			 to, &at);
}

static int resize(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t to_pages)
{
	uint64_t at;

	return um_mremap(mm, addr, pages * PG, to_pages * PG, MREMAP_MAYMOVE, 0, &at);
}

static int move_whole(struct family *f) { return move(f->a, IN_PLACE, 16, FREE(0), 0); }
static int move_middle(struct family *f) { return move(f->a, IN_PLACE + 4 * PG, 4, FREE(0), 0); }
static int move_childs(struct family *f) { return move(f->c, IN_PLACE + PG, 8, FREE(0), 0); }
static int move_back(struct family *f) { return move(f->a, DISPLACED, 16, AREA(20), 0); }
static int move_back_part(struct family *f)
{
	return move(f->a, DISPLACED + 4 * PG, 4, AREA(20) + 4 * PG, 0);
}
static int move_file(struct family *f) { return move(f->a, FILE_PAGES + 2 * PG, 4, FREE(0), 0); }
static int move_file_back(struct family *f) { return move(f->a, FILE_MOVED, 16, AREA(21), 0); }
static int move_swapped(struct family *f) { return move(f->a, SWAPPED + PG, 9, FREE(0), 0); }
static int move_ksm(struct family *f) { return move(f->a, KSM, 4, FREE(0), 0); }
static int move_zero(struct family *f) { return move(f->a, ZERO_DEVICE + PG, 5, FREE(0), 0); }
static int move_unfaulted(struct family *f) { return move(f->a, GAPPED + 8 * PG, 4, FREE(0), 0); }
static int move_huge(struct family *f) { return move(f->a, HUGE, 1024, FREE(0), 0); }
static int move_huge_unaligned(struct family *f)
{
	return move(f->a, HUGE, 1024, FREE(0) + 3 * PG, 0);
}
static int move_in_huge(struct family *f) { return move(f->a, HUGE + 99 * PG, 9, FREE(0), 0); }
static int keep_whole(struct family *f)
{
	return move(f->a, IN_PLACE, 16, FREE(0), MREMAP_DONTUNMAP);
}
static int keep_middle(struct family *f)
{
	return move(f->a, DISPLACED + 4 * PG, 4, FREE(0), MREMAP_DONTUNMAP);
}
static int keep_huge(struct family *f)
{
	return move(f->a, HUGE, 512, FREE(0) + PG, MREMAP_DONTUNMAP);
}
static int keep_locked(struct family *f)
{
	return move(f->a, THREE + 9 * PG, 2, FREE(0), MREMAP_DONTUNMAP);
}
static int grow_here(struct family *f) { return resize(f->a, IN_PLACE, 16, 20); }
static int grow_childs(struct family *f) { return resize(f->c, DISPLACED, 16, 20); }
static int grow_moving(struct family *f) { return resize(f->a, THREE, 4, 20); }
static int grow_part(struct family *f) { return resize(f->a, IN_PLACE + 2 * PG, 4, 20); }
static int shrink(struct family *f) { return resize(f->a, SWAPPED, 16, 5); }
static int double_shared(struct family *f)
{
	uint64_t at;

	return um_mremap(f->a, SHARED + 2 * PG, 0, 4 * PG, MREMAP_MAYMOVE, 0, &at);
}
/* R21, R23: between a VMA with pages and a fresh one; either could be the survivor. */
static int move_into_gap(struct family *f)
{
	return move(f->a, FREE(1), 4, GAPPED + 4 * PG, 0);
}

static void locked(struct family *f)
{
	assert_int_equal(um_mlock(f->a, THREE + 8 * PG, 4 * PG, true, false), 0);
}

/* In all three numbers go on as the place does: pages that were moved away and come back. */
static void for_the_gap(struct family *f)
{
	t_map(f->a, GAPPED + 4 * PG, 4);
	t_write(f->a, GAPPED + 4 * PG, 4, 850);
	assert_int_equal(move(f->a, GAPPED + 4 * PG, 4, FREE(1), 0), 0);
}

static void r16_mremap(void **state)
{
	static const struct op ops[] = {
		OP(move_whole, 0),
		OP(move_middle, SPLITS),
		OP(move_childs, SPLITS),
		OP(move_back, 0),
		OP(move_back_part, SPLITS),
		OP(move_file, SPLITS),
		OP(move_file_back, 0),
		OP(move_swapped, SPLITS),
		OP(move_zero, SPLITS),
		OP(move_unfaulted, 0),
		OP(move_huge, 0),
		OP(move_huge_unaligned, 0),
		OP(move_in_huge, SPLITS),
		OP(grow_here, 0),
		OP(grow_childs, 0),
		OP(grow_moving, 0),
		OP(grow_part, SPLITS),
		OP(shrink, SPLITS),
		OP(double_shared, 0),
	};

	sweep(state, ops);
}

static void r16_mremap_dontunmap(void **state)
{
	static const struct op ops[] = {
		OP(keep_whole, 0),
		OP(keep_middle, 0),
		OP(keep_huge, 0),
		OP(keep_locked, SPLITS, locked),
	};

	sweep(state, ops);
}

/* KSM's pages get copies before anything moves: these may be there afterwards. */
static void r16_mremap_of_ksm_pages(void **state)
{
	static const struct op ops[] = { OP(move_ksm, PREPARES) };

	sweep(state, ops);
}

/* What was there before the pages came: a fresh VMA takes over what they have, or does not. */
static int move_onto_fresh(struct family *f)
{
	return move(f->a, FREE(1), 4, GAPPED + 12 * PG, 0);
}
static int join_onto_fresh(struct family *f)
{
	return um_mprotect(f->a, GAPPED + 12 * PG, 4 * PG, RW);
}

static void faulted_behind_a_hole(struct family *f)
{
	t_unmap(f->a, GAPPED + 8 * PG, 4);
	t_map(f->a, GAPPED + 12 * PG, 4);
	t_write(f->a, GAPPED + 12 * PG, 4, 880);
}

static void for_the_end(struct family *f)
{
	faulted_behind_a_hole(f);
	assert_int_equal(move(f->a, GAPPED + 12 * PG, 4, FREE(1), 0), 0);
	t_map(f->a, GAPPED + 8 * PG, 4);
}

static void read_only_behind_fresh(struct family *f)
{
	faulted_behind_a_hole(f);
	t_protect(f->a, GAPPED + 12 * PG, 4, PROT_READ);
	t_map(f->a, GAPPED + 8 * PG, 4);
}

static void r21_r23_merge_after_dup(void **state)
{
	static const struct op ops[] = {
		OP(move_into_gap, 0, for_the_gap),
		/* As Linux: joined before the move fails, it keeps what it took over. */
		OP(move_onto_fresh, PREPARES, for_the_end),
		/* Regular: they stay apart, as in Linux. */
		OP(join_onto_fresh, FREE_OF_COST, read_only_behind_fresh),
	};

	sweep(state, ops);
}

/*
 * MREMAP_FIXED over something: that goes first, and need not come back. Nothing else
 * may change.
 */
static void r16_mremap_over(void **state)
{
	struct t *t = *state;
	struct family f;
	unsigned int n;
	bool more;

	family_create(&f, t);
	for (n = 1, more = true; more; n++) {
		int err;

		t_map(f.a, FREE(0), 12);
		t_write(f.a, FREE(0), 12, 5000);
		kshim_fail_nth(n);
		err = move(f.a, DISPLACED + 4 * PG, 4, FREE(0) + 4 * PG, 0);
		more = kshim_fail_disarm();
		failures += more;
		assert_int_equal(err, more ? -ENOMEM : 0);
		check(&f);
		t_expect(f.a, FREE(0), 4, 5000);
		t_expect(f.a, FREE(0) + 8 * PG, 4, 5008);
		t_expect(f.a, DISPLACED, 4, 200);
		t_expect(f.a, more ? DISPLACED + 4 * PG : FREE(0) + 4 * PG, 4, 204);
		t_expect(f.a, DISPLACED + 8 * PG, 8, 208);
	}
	assert_true(n > 6);
	check_done(&f);
	family_end(&f);
}

/* -- mprotect, madvise, mlock, names --------------------------------------------------- */

static int protect(struct mm_struct *mm, uint64_t addr, uint64_t pages, int prot)
{
	return um_mprotect(mm, addr, pages * PG, prot);
}

static int protect_middle(struct family *f)
{
	return protect(f->a, IN_PLACE + 4 * PG, 4, PROT_READ);
}
static int protect_start(struct family *f) { return protect(f->a, DISPLACED, 4, PROT_READ); }
static int protect_end(struct family *f)
{
	return protect(f->a, FILE_MOVED + 9 * PG, 7, PROT_READ);
}
static int protect_huge(struct family *f) { return protect(f->a, HUGE + 9 * PG, 9, PROT_READ); }
/* The middle becomes like both its neighbours: one VMA. */
static int join_three(struct family *f) { return protect(f->a, THREE + 4 * PG, 4, RW); }
static int join_childs(struct family *f) { return protect(f->c, THREE + 4 * PG, 4, RW); }
/* The boundary moves, to either side. */
static int join_left(struct family *f) { return protect(f->a, THREE + 4 * PG, 2, RW); }
static int join_right(struct family *f) { return protect(f->a, THREE + 6 * PG, 2, RW); }
static int join_from_left(struct family *f)
{
	return protect(f->a, THREE + 2 * PG, 2, PROT_READ);
}
static int protect_across(struct family *f) { return protect(f->a, THREE + PG, 10, PROT_NONE); }
/* An unfaulted VMA takes what was its neighbour's, and the other way round. */
static int join_unfaulted(struct family *f)
{
	return protect(f->a, GAPPED + 4 * PG, 4, RW);
}

static void unfaulted_between(struct family *f)
{
	uint64_t at;

	assert_int_equal(um_mmap(f->a, GAPPED + 4 * PG, 4 * PG, PROT_READ, ANON | MAP_FIXED, NULL,
				 0, &at), 0);
}

static void r16_mprotect(void **state)
{
	static const struct op ops[] = {
		OP(protect_middle, SPLITS),
		OP(protect_start, SPLITS),
		OP(protect_end, SPLITS),
		OP(protect_huge, SPLITS),
		OP(join_three, 0),
		OP(join_childs, FREE_OF_COST),	/* each has its own anon_vma */
		OP(join_left, 0),
		OP(join_right, 0),
		OP(join_from_left, 0),
		OP(join_unfaulted, 0, unfaulted_between),
		OP(protect_across, SPLITS | PARTS),
	};

	sweep(state, ops);
}

static int advise(struct mm_struct *mm, uint64_t addr, uint64_t pages, int advice)
{
	return um_madvise(mm, addr, pages * PG, advice);
}

static int advise_dontfork(struct family *f)
{
	return advise(f->a, IN_PLACE + 4 * PG, 4, MADV_DONTFORK);
}
static int advise_wipe(struct family *f)
{
	return advise(f->a, DISPLACED + 4 * PG, 4, MADV_WIPEONFORK);
}
static int advise_huge(struct family *f) { return advise(f->a, HUGE + PG, 9, MADV_HUGEPAGE); }
static int lock_part(struct family *f)
{
	return um_mlock(f->a, DISPLACED + 4 * PG, 4 * PG, true, false);
}
static int name_part(struct family *f)
{
	return um_vma_name(f->a, DISPLACED + 4 * PG, 4 * PG, "part");
}
static int name_three(struct family *f) { return um_vma_name(f->a, THREE, 12 * PG, "three"); }
static int lock_all(struct family *f) { return um_mlockall(f->a, true, true, false); }
static int unname_part(struct family *f) { return um_vma_name(f->a, THREE + PG, 2 * PG, NULL); }

static void locked_middle(struct family *f)
{
	assert_int_equal(um_mlock(f->a, IN_PLACE + 4 * PG, 4 * PG, true, false), 0);
}

static void named(struct family *f)
{
	assert_int_equal(um_vma_name(f->a, THREE, 12 * PG, "three"), 0);
}

static void r16_advice(void **state)
{
	static const struct op ops[] = {
		OP(advise_dontfork, SPLITS),
		OP(advise_wipe, SPLITS),
		OP(advise_huge, SPLITS),
		OP(lock_part, SPLITS),
		OP(name_part, SPLITS),
		OP(name_three, SPLITS | PARTS),
		OP(unname_part, SPLITS, named),
		OP(lock_all, SILENT, locked_middle),
	};

	sweep(state, ops);
}

/* -- Faults ---------------------------------------------------------------------------- */

static void fresh_areas(struct family *f)
{
	t_map(f->fresh, FREE(0), 4);
	t_map_file(f->fresh, FREE(1), 4, f->file, 100);
	t_map_file(f->fresh, FREE(2), 4, f->zero, 100);
	t_map(f->fresh, HUGE, HUGE_PAGES);
	assert_int_equal(um_madvise(f->fresh, HUGE, HUGE_PAGES * PG, MADV_HUGEPAGE), 0);
}

static void order_4(struct family *f)
{
	fresh_areas(f);
	t_map(f->fresh, FREE(3), 16);
	assert_int_equal(um_set_fault_order(f->fresh, 4), 0);
}

static int write_fresh(struct family *f) { return um_write(f->fresh, FREE(0), 1); }
static int read_fresh(struct family *f)
{
	uint64_t content;

	return um_read(f->fresh, FREE(0), &content);
}
static int write_file(struct family *f) { return um_write(f->fresh, FREE(1), 1); }
static int read_file(struct family *f)
{
	uint64_t content;

	return um_read(f->fresh, FREE(1), &content);
}
/* Displaced from its first page on. */
static int write_zero(struct family *f) { return um_write(f->fresh, FREE(2), 1); }
static int write_large(struct family *f) { return um_write(f->fresh, FREE(3) + 5 * PG, 1); }
static int write_huge(struct family *f) { return um_write(f->fresh, HUGE + 5 * PG, 1); }
static int touch_huge(struct family *f) { return um_touch_huge(f->fresh, HUGE); }
/* Below the stack, in a part of the page table that is not there yet. */
static int write_stack(struct family *f) { return um_write(f->a, STACK - 6 * PG, 1); }
static int write_fresh_stack(struct family *f) { return um_write(f->fresh, FREE(4) - 2 * PG, 1); }

static void fresh_stack(struct family *f)
{
	uint64_t at;

	assert_int_equal(um_mmap(f->fresh, FREE(4) - PG, PG, RW, ANON | MAP_FIXED | MAP_GROWSDOWN,
				 NULL, 0, &at), 0);
}

static void r16_first_faults(void **state)
{
	static const struct op ops[] = {
		OP(write_fresh, PREPARES, fresh_areas),
		OP(read_fresh, PREPARES, fresh_areas),
		OP(write_file, PREPARES, fresh_areas),
		OP(read_file, PREPARES, fresh_areas),
		OP(write_zero, PREPARES, fresh_areas),
		OP(write_large, PREPARES, order_4),
		OP(write_huge, PREPARES, fresh_areas),
		OP(touch_huge, PREPARES, fresh_areas),
		OP(write_stack, PREPARES | GROWS),
		OP(write_fresh_stack, PREPARES | GROWS, fresh_stack),
	};

	sweep(state, ops);
}

/* -- exec, UFFDIO_MOVE ----------------------------------------------------------------- */

#define STACK_TOP	0x7ffd00000000UL

static int exec_stack(struct family *f)
{
	return um_exec_stack(f->fresh, STACK_TOP - 32 * PG, STACK_TOP, 3, 77 * PG, 8UL << 20);
}
static int exec_stack_overlapping(struct family *f)
{
	return um_exec_stack(f->fresh, STACK_TOP - 32 * PG, STACK_TOP, 9, 4 * PG, 8UL << 20);
}
static int exec_stack_in_place(struct family *f)
{
	return um_exec_stack(f->fresh, STACK_TOP - 32 * PG, STACK_TOP, 2, 0, 8UL << 20);
}

static void r16_exec(void **state)
{
	static const struct op ops[] = {
		OP(exec_stack, PREPARES),
		OP(exec_stack_overlapping, PREPARES),
		OP(exec_stack_in_place, PREPARES),
	};

	sweep(state, ops);
}

static void to_move(struct family *f)
{
	t_map(f->fresh, FREE(0), 8);
	t_write(f->fresh, FREE(0), 8, 6000);
	t_map(f->fresh, FREE(1), 8);
	t_map(f->fresh, HUGE, HUGE_PAGES);
	assert_int_equal(um_touch_huge(f->fresh, HUGE), 0);
}

static int uffd_move(struct family *f)
{
	return um_uffd_move(f->fresh, FREE(1), FREE(0), 4 * PG);
}
static int uffd_move_of_huge(struct family *f)
{
	return um_uffd_move(f->fresh, FREE(1), HUGE + 7 * PG, 2 * PG);
}

static void r16_uffd_move(void **state)
{
	static const struct op ops[] = {
		OP(uffd_move, PREPARES, to_move),
		OP(uffd_move_of_huge, PREPARES, to_move),
	};

	sweep(state, ops);
}

/* -- What the kernel does on its own --------------------------------------------------- */

static void full_2m(struct family *f)
{
	t_map(f->fresh, HUGE, HUGE_PAGES);
	t_write(f->fresh, HUGE, HUGE_PAGES, 7000);
}

static void huge_2m(struct family *f)
{
	t_map(f->fresh, HUGE, HUGE_PAGES);
	assert_int_equal(um_touch_huge(f->fresh, HUGE), 0);
	t_write(f->fresh, HUGE, 4, 7000);
}

static int collapse(struct family *f) { return um_collapse(f->fresh, HUGE); }

static void alike(struct family *f)
{
	int i;

	t_map(f->fresh, FREE(0), 4);
	for (i = 0; i < 4; i++)
		t_write(f->fresh, FREE(0) + i * PG, 1, 43 + i / 2);
	assert_int_equal(um_madvise(f->fresh, FREE(0), 4 * PG, MADV_MERGEABLE), 0);
}

static int ksm_scan_all(struct family *f)
{
	um_ksm_scan(f->t->world, 1000);
	um_ksm_scan(f->t->world, 1000);
	return 0;
}

static int fail_memory(struct family *f)
{
	unsigned int victims = 0;
	int err = um_memory_failure(f->fresh, FREE(0), &victims);

	assert_int_equal(victims, err ? 0 : 1);
	return err;
}

/* Too many pages for the slots there are: swap grows. */
static void more_than_swap(struct family *f)
{
	int i;

	t_map(f->fresh, HUGE, 2 * HUGE_PAGES);
	for (i = 0; i < 2 * (int)HUGE_PAGES; i++)
		t_write(f->fresh, HUGE + i * PG, 1, 7000 + i);
}

static int swap_out(struct family *f)
{
	um_reclaim(f->t->world, 1 << 20);
	um_reclaim(f->t->world, 1 << 20);
	return 0;
}

static void r16_kernel(void **state)
{
	static const struct op ops[] = {
		OP(collapse, 0, full_2m),
		OP(ksm_scan_all, SILENT, alike),
		OP(swap_out, SILENT, more_than_swap),
	};

	sweep(state, ops);
}

static void r16_memory_failure(void **state)
{
	struct t *t = *state;
	struct family f;
	struct op op = OP(fail_memory, 0);
	struct picture *before;

	family_create(&f, t);
	t_map(f.fresh, FREE(0), 4);
	t_write(f.fresh, FREE(0), 4, 100);
	before = picture_take(t, compared(0));
	assert_int_equal(fail_one(&f, &op, 1, &before), FAILED);
	t_expect(f.fresh, FREE(0), 4, 100);
	/* Nobody was told, so it is no broken page to anybody. */
	assert_false(test_bit(PG_hwpoison, &folio_at(f.fresh, FREE(0))->flags));
	assert_int_equal(fail_one(&f, &op, 2, &before), DONE);
	picture_free(before);
	assert_int_equal(um_read(f.fresh, FREE(0), &(uint64_t){ 0 }), -EHWPOISON);
	t_expect(f.fresh, FREE(0) + PG, 3, 101);
	family_end(&f);
}

/* These need no memory but page frames: see out_of_pages(). */
static void r16_none_needed(void **state)
{
	struct t *t = *state;
	struct family f;
	unsigned long seen;

	family_create(&f, t);
	huge_2m(&f);
	kshim_fail_nth(1);
	seen = kshim_fail_seen();
	assert_int_equal(um_split_huge(f.fresh, HUGE), 0);
	assert_true(um_migrate(t->world, 1 << 20) > 0);
	assert_true(um_age(t->world, 1 << 20) > 0);
	assert_int_equal(um_madvise(f.a, IN_PLACE, 16 * PG, MADV_DONTNEED), 0);
	assert_int_equal(um_madvise(f.a, DISPLACED, 16 * PG, MADV_FREE), 0);
	assert_int_equal(um_madvise(f.a, THREE, 12 * PG, MADV_PAGEOUT), 0);
	assert_int_equal(um_madvise(f.c, HUGE + PG, 2 * PG, MADV_DONTNEED), 0);
	assert_int_equal(kshim_fail_seen(), seen);
	kshim_fail_nth(0);
	check_done(&f);
	family_end(&f);
}

/*
 * No page frame is left, and nothing can be reclaimed: copies, pages from swap and
 * files, huge pages. With one frame more each works.
 */
static struct um_world *small_world(struct t *t, uint64_t pages)
{
	struct um_config config = {
		.topology = t->topology,
		.check = UM_CHECK_FULL,
		.model = true,
		.invariants = true,
		.max_pages = pages,
	};
	struct um_world *world;

	assert_int_equal(um_world_create(&config, &world), 0);
	return world;
}

/* Take all page frames; mlock keeps them. */
static void take_all_frames(struct mm_struct *mm)
{
	uint64_t i, max = mm->world->config.max_pages;
	int err = 0;

	t_map(mm, FREE(7), max);
	assert_int_equal(um_mlock(mm, FREE(7), max * PG, true, false), 0);
	for (i = 0; !err && i < max; i++)
		err = um_write(mm, FREE(7) + i * PG, i);
	assert_int_equal(err, -ENOMEM);
}

static void out_of_pages(void **state)
{
	struct t *t = *state;
	struct um_world *world = small_world(t, 2048);
	struct mm_struct *mm, *child, *filler;
	uint64_t content, before;
	struct um_stats stats;
	struct um_file *file = um_file_create(world, UM_FILE_REGULAR);

	assert_int_equal(um_mm_create(world, &mm), 0);
	assert_int_equal(um_mm_create(world, &filler), 0);
	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	t_map_file(mm, FREE(0), 8, file, 0);
	t_map(mm, HUGE, HUGE_PAGES);
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_PAGEOUT), 0);
	assert_int_equal(um_mlock(mm, BASE + 4 * PG, 4 * PG, true, false), 0);
	assert_int_equal(um_fork(mm, &child), 0);
	assert_int_equal(um_mlock(child, BASE + 4 * PG, 4 * PG, true, false), 0);
	take_all_frames(filler);
	um_stats(world, &stats);
	before = stats.pages;

	assert_int_equal(um_read(mm, BASE, &content), -ENOMEM);			/* swap */
	assert_int_equal(um_write(child, BASE + 5 * PG, 1), -ENOMEM);		/* copy */
	assert_int_equal(um_read(mm, FREE(0), &content), -ENOMEM);		/* file */
	assert_int_equal(um_write(mm, FREE(0) + PG, 1), -ENOMEM);
	assert_int_equal(um_write(mm, HUGE, 1), -ENOMEM);
	assert_int_equal(um_touch_huge(mm, HUGE), -ENOMEM);
	assert_int_equal(um_collapse(filler, FREE(7)), -ENOMEM);
	assert_int_equal(um_swapoff(world), -ENOMEM);
	assert_int_equal(um_migrate(world, 100), 0);
	um_stats(world, &stats);
	assert_int_equal(stats.pages, before);
	assert_int_equal(um_check_all(world), 0);
	/* What there is is still there. */
	t_expect(mm, BASE + 4 * PG, 4, 104);
	t_expect(child, BASE + 4 * PG, 4, 104);

	um_exit(filler);
	t_expect(mm, BASE, 8, 100);
	assert_int_equal(um_write(child, BASE + 5 * PG, 1), 0);
	assert_int_equal(um_touch_huge(mm, HUGE), 0);
	assert_int_equal(um_write(mm, FREE(0) + PG, 1), 0);
	t_expect(mm, BASE + 5 * PG, 1, 105);
	assert_int_equal(um_check_all(world), 0);
	um_exit(child);
	um_exit(mm);
	um_file_put(file);
	assert_int_equal(um_world_destroy(world), 0);
}

/* -- Failing forks under walks --------------------------------------------------------- */

struct walkers {
	struct um_world *world;
	bool stop;			/* READ_ONCE(), WRITE_ONCE() */
	atomic_long_t migrated, brought_back;
};

static void *walk(void *arg)
{
	struct walkers *walkers = arg;

	um_thread_register();
	while (!READ_ONCE(walkers->stop)) {
		atomic_long_add(um_migrate(walkers->world, 64), &walkers->migrated);
		um_reclaim(walkers->world, 16);
		atomic_long_add(!um_swapoff(walkers->world), &walkers->brought_back);
	}
	um_thread_unregister();
	return NULL;
}

/*
 * R31: forks fail, at every point in turn, while others migrate, swap out and swap in
 * what they copy: migration entries in a half-made child are restored or zapped.
 */
static void r31_failed_forks_under_walks(void **state)
{
	struct t *t = *state;
	struct walkers walkers = { .world = t->world };
	struct mm_struct *child;
	unsigned long failed = 0;
	pthread_t thread;
	struct family f;
	unsigned int n = 0, i;
	int err;

	family_create(&f, t);
	assert_int_equal(pthread_create(&thread, NULL, walk, &walkers), 0);
	for (i = 0; i < 300 || (i < 30000 && !atomic_long_read(&walkers.brought_back)); i++) {
		kshim_fail_nth(++n);
		err = um_fork(f.a, &child);
		if (kshim_fail_disarm()) {
			if (err != -ENOMEM)
				break;
			failed++;
			continue;
		}
		if (err)
			break;
		um_exit(child);
		n = 0;
	}
	WRITE_ONCE(walkers.stop, true);
	pthread_join(thread, NULL);
	assert_true(i >= 300);
	assert_true(failed > 100);
	assert_true(atomic_long_read(&walkers.migrated) > 0);
	check_done(&f);
	t_expect(f.a, DISPLACED, 16, 200);
	t_expect(f.a, SWAPPED, 16, 500);
	failures += failed;
	family_end(&f);
}

/* -- At the end ------------------------------------------------------------------------ */

static void count_live(struct kmem_cache *cache, void *arg)
{
	struct kshim_cache_stats stats;

	kshim_cache_stats(cache, &stats);
	if (stats.live)
		print_error("%ld objects of %s are left\n", stats.live, stats.name);
	*(long *)arg += stats.live;
}

/* All worlds are gone: page tables and nodes of trees are, too. */
static void nothing_is_left(void **state)
{
	long live = 0;

	(void)state;
	rcu_barrier();
	kshim_for_each_cache(count_live, &live);
	assert_int_equal(live, 0);
	print_message("# %lu allocations have failed\n", failures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UM_TEST_QUIET(r16_r31_fork),
		UM_TEST_QUIET(r16_munmap),
		UM_TEST_QUIET(r16_mmap),
		UM_TEST_QUIET(r16_brk),
		UM_TEST_QUIET(r16_mremap),
		UM_TEST_QUIET(r16_mremap_dontunmap),
		UM_TEST_QUIET(r16_mremap_of_ksm_pages),
		UM_TEST_QUIET(r16_mremap_over),
		UM_TEST_QUIET(r21_r23_merge_after_dup),
		UM_TEST_QUIET(r16_mprotect),
		UM_TEST_QUIET(r16_advice),
		UM_TEST_QUIET(r16_first_faults),
		UM_TEST_QUIET(r16_exec),
		UM_TEST_QUIET(r16_uffd_move),
		UM_TEST_QUIET(r16_kernel),
		UM_TEST_QUIET(r16_memory_failure),
		UM_TEST_QUIET(r16_none_needed),
		UM_TEST_QUIET(out_of_pages),
		UM_TEST_QUIET(r31_failed_forks_under_walks),
		cmocka_unit_test(nothing_is_left),
	};

	return um_test_main(tests);
}
