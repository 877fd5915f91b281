// SPDX-License-Identifier: GPL-2.0
/*
 * Faults of every kind: what comes, what it costs, what the program sees. Also advice
 * that takes pages away, locked pages, stacks, and what fork leaves out.
 */
#include <string.h>
#include "lib/inner.h"

#define FAR		(BASE + (1UL << 30))
#define HUGE		(BASE + (2UL << 30))
#define HUGE_PAGES	(UM_HUGE_SIZE / PG)

static uint64_t pages(struct t *t)
{
	return t_stats(t).pages;
}

static uint64_t anon_vmas(struct t *t)
{
	return t_stats(t).objects[UM_OBJ_ANON_VMA].live;
}

static uint64_t read_at(struct mm_struct *mm, uint64_t addr)
{
	uint64_t content = ~0UL;

	assert_int_equal(um_read(mm, addr, &content), 0);
	return content;
}

static int try_read(struct mm_struct *mm, uint64_t addr)
{
	uint64_t content;

	return um_read(mm, addr, &content);
}

static bool exclusive(struct mm_struct *mm, uint64_t addr)
{
	return page_anon_exclusive(pfn_to_page(mm->world, pte_pfn(entry_at(mm, addr))));
}

static void map_prot(struct mm_struct *mm, uint64_t addr, uint64_t nr, int prot)
{
	uint64_t at;

	assert_int_equal(um_mmap(mm, addr, nr * PG, prot, ANON | MAP_FIXED, NULL, 0, &at), 0);
}

static void map_stack(struct mm_struct *mm, uint64_t addr, uint64_t nr)
{
	uint64_t at;

	assert_int_equal(um_mmap(mm, addr, nr * PG, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0,
				 &at), 0);
}

static void map_shared(struct mm_struct *mm, uint64_t addr, uint64_t nr, int prot,
		       struct um_file *file, uint64_t pgoff)
{
	uint64_t at;

	assert_int_equal(um_mmap(mm, addr, nr * PG, prot, MAP_SHARED | MAP_FIXED, file, pgoff,
				 &at), 0);
}

static void advise(struct mm_struct *mm, uint64_t addr, uint64_t nr, int advice)
{
	assert_int_equal(um_madvise(mm, addr, nr * PG, advice), 0);
}

/* -- Anonymous memory ------------------------------------------------------------------ */

/* Reading brings the zero page: no frame, no anon_vma. */
static void read_brings_the_zero_page(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t before = pages(t);

	t_map(mm, BASE, 4);
	assert_int_equal(read_at(mm, BASE), 0);
	assert_int_equal(read_at(mm, BASE + 3 * PG), 0);
	assert_int_equal(pages(t), before);
	assert_int_equal(anon_vmas(t), 0);
	assert_false(t_vma(mm, BASE).faulted);
	assert_true(entry_at(mm, BASE) & PTE_SPECIAL);
	assert_false(entry_at(mm, BASE) & PTE_WRITE);
	assert_int_equal(entry_at(mm, BASE + PG), 0);
}

static void write_brings_a_page(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t before = pages(t);

	t_map(mm, BASE, 4);
	t_write(mm, BASE + PG, 1, 7);
	assert_int_equal(pages(t), before + 1);
	if (strcmp(t->topology, "scan"))
		assert_int_equal(anon_vmas(t), 1);
	assert_true(t_vma(mm, BASE).faulted);
	assert_true(exclusive(mm, BASE + PG));
	assert_true(entry_at(mm, BASE + PG) & PTE_WRITE);
	/* A second write, and a read, change nothing. */
	t_write(mm, BASE + PG, 1, 8);
	t_expect(mm, BASE + PG, 1, 8);
	assert_int_equal(pages(t), before + 1);
	/* Addresses need not be aligned. */
	assert_int_equal(um_write(mm, BASE + PG + 123, 9), 0);
	t_expect(mm, BASE + PG, 1, 9);
}

static void write_after_read(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t before = pages(t);

	t_map(mm, BASE, 4);
	assert_int_equal(read_at(mm, BASE), 0);
	t_write(mm, BASE, 1, 7);
	assert_int_equal(pages(t), before + 1);
	assert_true(t_vma(mm, BASE).faulted);
	t_migrate(t);
	t_expect(mm, BASE, 1, 7);
}

static void protection(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	map_prot(mm, BASE, 1, PROT_NONE);
	map_prot(mm, BASE + PG, 1, PROT_READ);
	map_prot(mm, BASE + 2 * PG, 1, PROT_EXEC);
	map_prot(mm, BASE + 3 * PG, 1, PROT_WRITE);
	assert_int_equal(try_read(mm, BASE), -EFAULT);
	assert_int_equal(um_write(mm, BASE, 1), -EFAULT);
	assert_int_equal(try_read(mm, BASE + PG), 0);
	assert_int_equal(um_write(mm, BASE + PG, 1), -EFAULT);
	assert_int_equal(try_read(mm, BASE + 2 * PG), 0);
	assert_int_equal(um_write(mm, BASE + 2 * PG, 1), -EFAULT);
	/* As on x86: what may be written may be read. */
	assert_int_equal(um_write(mm, BASE + 3 * PG, 5), 0);
	t_expect(mm, BASE + 3 * PG, 1, 5);
	assert_int_equal(um_touch_huge(mm, BASE + PG), -EFAULT);
}

static void protection_changes(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct folio *folio;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 7);
	folio = folio_at(mm, BASE);
	t_protect(mm, BASE, 1, PROT_READ);
	assert_int_equal(um_write(mm, BASE, 8), -EFAULT);
	t_protect(mm, BASE, 1, PROT_NONE);
	assert_int_equal(try_read(mm, BASE), -EFAULT);
	t_protect(mm, BASE, 1, RW);
	t_expect(mm, BASE, 1, 7);
	/* The page is exclusive: no copy. */
	t_write(mm, BASE, 1, 8);
	assert_ptr_equal(folio_at(mm, BASE), folio);
}

static void no_vma(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	assert_int_equal(try_read(mm, BASE), -EFAULT);
	t_map(mm, BASE, 1);
	assert_int_equal(try_read(mm, BASE - 1), -EFAULT);
	assert_int_equal(try_read(mm, BASE + PG), -EFAULT);
	assert_int_equal(um_write(mm, 0, 1), -EFAULT);
	assert_int_equal(um_write(mm, 1UL << 47, 1), -EFAULT);
	assert_int_equal(um_write(mm, ~0UL, 1), -EFAULT);
	assert_int_equal(um_touch_huge(mm, FAR), -EFAULT);
	assert_int_equal(um_touch(mm, BASE, 2), -EFAULT);
	t_unmap(mm, BASE, 1);
	assert_int_equal(um_write(mm, BASE, 1), -EFAULT);
}

/* -- Copy on write --------------------------------------------------------------------- */

static void cow_copies(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct folio *folio;
	uint64_t before;

	t_map(mm, BASE, 2);
	t_write(mm, BASE, 2, 100);
	folio = folio_at(mm, BASE);
	child = t_fork(mm);
	before = pages(t);
	assert_ptr_equal(folio_at(child, BASE), folio);
	assert_false(exclusive(mm, BASE));
	assert_false(entry_at(mm, BASE) & PTE_WRITE);
	assert_false(entry_at(child, BASE) & PTE_WRITE);
	t_write(child, BASE, 1, 200);
	assert_int_equal(pages(t), before + 1);
	assert_ptr_not_equal(folio_at(child, BASE), folio);
	assert_true(exclusive(child, BASE));
	t_expect(mm, BASE, 2, 100);
	/* The parent has it alone now, and need not copy. */
	t_write(mm, BASE, 1, 300);
	assert_int_equal(pages(t), before + 1);
	assert_ptr_equal(folio_at(mm, BASE), folio);
	assert_true(exclusive(mm, BASE));
	t_expect(child, BASE, 1, 200);
}

/* The child keeps the page when the parent has copied, and owns it from its write on. */
static void cow_reuse_in_the_child(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct folio *folio;
	uint64_t before;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	folio = folio_at(child, BASE);
	assert_ptr_equal(folio_anon_vma(folio), anon_vma_at(mm, BASE));
	t_write(mm, BASE, 1, 200);
	before = pages(t);
	t_write(child, BASE, 1, 300);
	assert_int_equal(pages(t), before);
	assert_ptr_equal(folio_at(child, BASE), folio);
	assert_true(exclusive(child, BASE));
	assert_ptr_equal(folio_anon_vma(folio), anon_vma_at(child, BASE));
	t_migrate(t);
	t_expect(mm, BASE, 1, 200);
	t_expect(child, BASE, 1, 300);
}

static void cow_reuse_after_exit(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct folio *folio;
	uint64_t before;
	int who;

	for (who = 0; who < 2; who++) {
		mm = t_mm(t);
		t_map(mm, BASE, 1);
		t_write(mm, BASE, 1, 100);
		child = t_fork(mm);
		um_exit(who ? mm : child);
		if (who)
			mm = child;
		folio = folio_at(mm, BASE);
		before = pages(t);
		t_write(mm, BASE, 1, 200);
		assert_int_equal(pages(t), before);
		assert_ptr_equal(folio_at(mm, BASE), folio);
		assert_true(exclusive(mm, BASE));
		t_migrate(t);
		t_swap_out(t);
		t_expect(mm, BASE, 1, 200);
		um_exit(mm);
	}
}

/* Not while an entry in swap still names the page. */
static void cow_with_a_swap_entry_elsewhere(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t before;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	t_swap_out(t);
	t_expect(mm, BASE, 1, 100);
	assert_false(exclusive(mm, BASE));
	before = pages(t);
	t_write(mm, BASE, 1, 200);
	assert_int_equal(pages(t), before + 1);
	t_expect(child, BASE, 1, 100);
	t_expect(mm, BASE, 1, 200);
}

/* -- Files ----------------------------------------------------------------------------- */

static void private_file(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t), *other = t_mm(t);
	uint64_t first[3];
	int i;

	t_map_file(mm, BASE, 3, file, 7);
	t_map_file(other, FAR, 3, file, 7);
	/* Reading: the file's page, no anon_vma. */
	for (i = 0; i < 2; i++)
		first[i] = read_at(mm, BASE + i * PG);
	assert_int_not_equal(first[0], first[1]);
	assert_false(t_vma(mm, BASE).faulted);
	assert_int_equal(anon_vmas(t), 0);
	t_expect(other, FAR, 1, first[0]);
	assert_ptr_equal(folio_at(mm, BASE), folio_at(other, FAR));
	assert_false(entry_at(mm, BASE) & PTE_WRITE);
	/* Reading, then writing. */
	t_write(mm, BASE, 1, 100);
	assert_true(folio_test_anon(folio_at(mm, BASE)));
	/* Writing at once. */
	t_write(mm, BASE + 2 * PG, 1, 102);
	assert_true(t_vma(mm, BASE).faulted);
	t_expect(other, FAR, 1, first[0]);
	first[2] = read_at(other, FAR + 2 * PG);
	assert_int_not_equal(first[2], 102);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE, 1, 100);
	t_expect(mm, BASE + PG, 1, first[1]);
	t_expect(mm, BASE + 2 * PG, 1, 102);
	/* Thrown away, the file's content comes again. */
	advise(mm, BASE, 3, MADV_DONTNEED);
	for (i = 0; i < 3; i++)
		t_expect(mm, BASE + i * PG, 1, first[i]);
	um_file_put(file);
}

static void shared_file(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t), *other = t_mm(t), *child;
	uint64_t first;

	map_shared(mm, BASE, 4, RW, file, 0);
	map_shared(other, FAR, 4, PROT_READ, file, 1);
	child = t_fork(mm);
	first = read_at(other, FAR);
	t_write(mm, BASE + PG, 1, 100);
	t_expect(other, FAR, 1, 100);
	t_expect(child, BASE + PG, 1, 100);
	assert_int_not_equal(first, 100);
	t_write(child, BASE + 2 * PG, 1, 200);
	t_expect(mm, BASE + 2 * PG, 1, 200);
	assert_int_equal(um_write(other, FAR, 1), -EFAULT);
	/* Never anonymous, and there again after it was thrown away. */
	assert_false(t_vma(mm, BASE).faulted);
	assert_false(t_vma(child, BASE).faulted);
	advise(mm, BASE, 4, MADV_DONTNEED);
	t_expect(mm, BASE + PG, 1, 100);
	/* Private mappings of it see it too, until they write. */
	t_map_file(other, BASE, 4, file, 0);
	t_expect(other, BASE + PG, 1, 100);
	t_write(other, BASE + PG, 1, 300);
	t_write(mm, BASE + PG, 1, 400);
	t_expect(other, BASE + PG, 1, 300);
	t_expect(other, FAR, 1, 400);
	um_file_put(file);
}

static void shared_memory(void **state)
{
	struct t *t = *state;
	struct um_file *shm = um_file_create(t->world, UM_FILE_SHM);
	struct um_file *zero = um_file_create(t->world, UM_FILE_ZERO);
	struct mm_struct *mm = t_mm(t), *other = t_mm(t), *child;
	uint64_t at;

	map_shared(mm, BASE, 4, RW, shm, 0);
	map_shared(other, FAR, 4, RW, shm, 0);
	assert_int_equal(read_at(mm, BASE), 0);
	t_write(mm, BASE, 4, 100);
	t_expect(other, FAR, 4, 100);
	um_exit(mm);
	t_expect(other, FAR, 4, 100);
	/* Without a file it is shared with children alone. */
	assert_int_equal(um_mmap(other, BASE, 4 * PG, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
				 NULL, 0, &at), 0);
	child = t_fork(other);
	t_write(child, BASE, 4, 200);
	t_expect(other, BASE, 4, 200);
	/* And so is a shared mapping of /dev/zero, each of its own. */
	map_shared(other, FAR + 64 * PG, 4, RW, zero, 0);
	map_shared(other, FAR + 128 * PG, 4, RW, zero, 0);
	t_write(other, FAR + 64 * PG, 1, 7);
	assert_int_equal(read_at(other, FAR + 128 * PG), 0);
	um_file_put(zero);
	um_file_put(shm);
}

static void dev_zero(void **state)
{
	struct t *t = *state;
	struct um_file *zero = um_file_create(t->world, UM_FILE_ZERO);
	struct mm_struct *mm = t_mm(t);

	t_map_file(mm, BASE, 4, zero, 500);
	assert_int_equal(read_at(mm, BASE), 0);
	assert_true(entry_at(mm, BASE) & PTE_SPECIAL);
	assert_false(t_vma(mm, BASE).faulted);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(folio_at(mm, BASE + PG)->index, 501);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE, 4, 100);
	um_file_put(zero);
}

/* A device's pages are nobody's: not counted, not moved, not swapped; copied when written. */
static void device(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_DEVICE);
	struct mm_struct *mm = t_mm(t), *other = t_mm(t);
	uint64_t first, at;

	map_shared(mm, BASE, 4, RW, file, 0);
	map_shared(other, FAR, 4, RW, file, 0);
	first = read_at(mm, BASE);
	assert_true(entry_at(mm, BASE) & PTE_SPECIAL);
	t_write(mm, BASE, 1, first + 1);
	t_expect(other, FAR, 1, first + 1);
	assert_int_equal(um_migrate(t->world, 100), 0);
	assert_int_equal(um_madvise(mm, BASE, PG, MADV_DONTNEED), -EINVAL);
	/* Privately. */
	assert_int_equal(um_mmap(mm, FAR, 4 * PG, RW, MAP_PRIVATE | MAP_FIXED, file, 0, &at), 0);
	t_expect(mm, FAR, 1, first + 1);
	t_write(mm, FAR, 1, 77);
	t_expect(mm, FAR, 1, 77);
	t_expect(other, FAR, 1, first + 1);
	t_migrate(t);
	t_expect(mm, FAR, 1, 77);
	um_file_put(file);
}

/* -- Stacks ---------------------------------------------------------------------------- */

static void stack_grows(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	const uint64_t top = FAR, low = top - (8UL << 20);

	map_stack(mm, top - PG, 1);
	t_write(mm, top - PG, 1, 1);
	/* By one, by many, by a read. */
	t_write(mm, top - 2 * PG, 1, 2);
	assert_int_equal(t_vma(mm, top - PG).start, top - 2 * PG);
	t_write(mm, top - 100 * PG, 1, 100);
	assert_int_equal(t_vma(mm, top - PG).start, top - 100 * PG);
	assert_int_equal(t_vma(mm, top - PG).pgoff, top / PG - 100);
	assert_int_equal(read_at(mm, top - 150 * PG), 0);
	assert_int_equal(t_vma(mm, top - PG).start, top - 150 * PG);
	/* To the limit, and not beyond: 8 MiB. */
	t_write(mm, low, 1, 2048);
	assert_int_equal(um_write(mm, low - PG, 1), -ENOMEM);
	assert_int_equal(try_read(mm, low - 8), -ENOMEM);
	assert_int_equal(t_vma(mm, top - PG).start, low);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, top - PG, 1, 1);
	t_expect(mm, top - 2 * PG, 1, 2);
	t_expect(mm, top - 100 * PG, 1, 100);
	t_expect(mm, low, 1, 2048);
	assert_int_equal(t_nr_vmas(mm), 1);
}

static void stack_limit_of_exec(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	const uint64_t end = 0x7ffd00000000UL;

	assert_int_equal(um_exec_stack(mm, end - 8 * PG, end, 2, 40 * PG, 64 * PG), 0);
	t_write(mm, end - 64 * PG, 1, 5);
	assert_int_equal(um_write(mm, end - 65 * PG, 1), -ENOMEM);
	assert_int_equal(t_vma(mm, end - PG).start, end - 64 * PG);
	t_expect(mm, end - 64 * PG, 1, 5);
}

/* 256 pages are left between a stack and what is below it, if that is accessible. */
static void stack_keeps_its_distance(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	const uint64_t top = FAR, gap = 256 * PG;

	map_stack(mm, top - PG, 1);
	t_map(mm, top - PG - gap - 4 * PG, 1);
	/* The neighbour ends at top - PG - gap - 3 pages: three pages may come. */
	t_write(mm, top - 4 * PG, 1, 4);
	assert_int_equal(um_write(mm, top - 5 * PG, 1), -ENOMEM);
	assert_int_equal(t_vma(mm, top - PG).start, top - 4 * PG);
	/* In the neighbour an access is one to the neighbour. */
	t_write(mm, top - PG - gap - 4 * PG, 1, 9);
	t_expect(mm, top - PG - gap - 4 * PG, 1, 9);
	/* Not accessible: no distance. */
	t_protect(mm, top - PG - gap - 4 * PG, 1, PROT_NONE);
	t_write(mm, top - PG - gap - 3 * PG, 1, 11);
	assert_int_equal(t_vma(mm, top - PG).start, top - PG - gap - 3 * PG);
	assert_int_equal(um_write(mm, top - PG - gap - 4 * PG, 1), -EFAULT);
	t_migrate(t);
	t_expect(mm, top - 4 * PG, 1, 4);
	t_expect(mm, top - PG - gap - 3 * PG, 1, 11);
}

/* Another stack below: up to it, without a gap. */
static void stack_above_stack(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	const uint64_t top = FAR;

	map_stack(mm, top - 20 * PG, 2);
	map_stack(mm, top - 2 * PG, 2);
	t_write(mm, top - 20 * PG, 2, 20);
	t_write(mm, top - 18 * PG, 18, 100);
	assert_int_equal(t_vma(mm, top - PG).start, top - 18 * PG);
	t_migrate(t);
	t_expect(mm, top - 20 * PG, 2, 20);
	t_expect(mm, top - 18 * PG, 18, 100);
}

/* A stack that has been forked grows in each process by itself. */
static void stack_grows_after_fork(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	const uint64_t top = FAR;

	map_stack(mm, top - 4 * PG, 4);
	t_write(mm, top - 4 * PG, 4, 100);
	child = t_fork(mm);
	t_write(child, top - 8 * PG, 4, 200);
	t_write(mm, top - 6 * PG, 2, 300);
	t_migrate(t);
	t_swap_out(t);
	t_expect(child, top - 8 * PG, 4, 200);
	t_expect(child, top - 4 * PG, 4, 100);
	t_expect(mm, top - 6 * PG, 2, 300);
	assert_int_equal(t_vma(mm, top - PG).start, top - 6 * PG);
}

/* -- Large folios ---------------------------------------------------------------------- */

static void huge_fault(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t before = pages(t);

	t_map(mm, HUGE, 2 * HUGE_PAGES);
	/* A write without advice: one page. A read: the zero page, whatever the advice. */
	t_write(mm, HUGE, 1, 1);
	assert_int_equal(pages(t), before + 1);
	advise(mm, HUGE, 2 * HUGE_PAGES, MADV_HUGEPAGE);
	assert_int_equal(read_at(mm, HUGE + HUGE_PAGES * PG), 0);
	assert_int_equal(pages(t), before + 1);
	advise(mm, HUGE, 2 * HUGE_PAGES, MADV_DONTNEED);
	/* A read has left a table of PTEs: no huge page over it any more. */
	t_unmap(mm, HUGE, 2 * HUGE_PAGES);
	t_map(mm, HUGE, 2 * HUGE_PAGES);
	advise(mm, HUGE, 2 * HUGE_PAGES, MADV_HUGEPAGE);
	before = pages(t);
	t_write(mm, HUGE + 100 * PG, 1, 100);
	assert_int_equal(pages(t), before + HUGE_PAGES);
	assert_true(entry_at(mm, HUGE) & PTE_HUGE);
	assert_int_equal(read_at(mm, HUGE + 99 * PG), 0);
	assert_int_equal(um_touch_huge(mm, HUGE + HUGE_PAGES * PG), 0);
	assert_int_equal(pages(t), before + 2 * HUGE_PAGES);
	child = t_fork(mm);
	/* A write in one splits the entry, and copies one page. */
	t_write(child, HUGE + 100 * PG, 1, 200);
	assert_int_equal(pages(t), before + 2 * HUGE_PAGES + 1);
	assert_true(entry_at(mm, HUGE) & PTE_HUGE);
	assert_false(entry_at(child, HUGE) & PTE_HUGE);
	t_expect(mm, HUGE + 100 * PG, 1, 100);
	um_exit(child);
	/* Alone again: reused as a whole. */
	t_write(mm, HUGE + (HUGE_PAGES + 7) * PG, 1, 300);
	assert_true(entry_at(mm, HUGE + HUGE_PAGES * PG) & PTE_HUGE);
	assert_int_equal(pages(t), before + 2 * HUGE_PAGES);
}

/* Too short a VMA, or not aligned, or told not to: small pages. */
static void huge_does_not_fit(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t before = pages(t);

	t_map(mm, HUGE, HUGE_PAGES - 1);
	assert_int_equal(um_touch_huge(mm, HUGE), 0);
	assert_int_equal(pages(t), before + 1);
	t_unmap(mm, HUGE, HUGE_PAGES - 1);
	t_map(mm, HUGE + PG, HUGE_PAGES);
	assert_int_equal(um_touch_huge(mm, HUGE + PG), 0);
	assert_int_equal(um_touch_huge(mm, HUGE + HUGE_PAGES * PG), 0);
	assert_int_equal(pages(t), before + 2);
	t_unmap(mm, HUGE, HUGE_PAGES + 1);
	t_map(mm, HUGE, HUGE_PAGES);
	advise(mm, HUGE, HUGE_PAGES, MADV_NOHUGEPAGE);
	assert_int_equal(um_touch_huge(mm, HUGE), 0);
	assert_int_equal(pages(t), before + 1);
	t_migrate(t);
	assert_int_equal(read_at(mm, HUGE), 0);
}

/* No 2 MiB in one piece: small ones do. */
static void huge_falls_back(void **state)
{
	struct t *t = *state;
	struct um_config config = {
		.topology = t->topology, .check = UM_CHECK_FULL, .model = true,
		.invariants = true, .max_pages = 600,
	};
	struct um_world *world;
	struct mm_struct *mm;

	assert_int_equal(um_world_create(&config, &world), 0);
	assert_int_equal(um_mm_create(world, &mm), 0);
	t_map(mm, BASE, 200);
	t_write(mm, BASE, 200, 100);
	t_map(mm, HUGE, HUGE_PAGES);
	assert_int_equal(um_touch_huge(mm, HUGE), 0);
	assert_false(entry_at(mm, HUGE) & PTE_HUGE);
	t_write(mm, HUGE, 10, 500);
	t_expect(mm, BASE, 200, 100);
	um_exit(mm);
	assert_int_equal(um_world_destroy(world), 0);
}

/*	64 KiB folios: in the middle, over the ends of a VMA, over what is there */
static void large_folios(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t before = pages(t);

	assert_int_equal(um_set_fault_order(mm, 10), -EINVAL);
	assert_int_equal(um_set_fault_order(mm, 4), 0);
	/* From 8 to 52: of the first and of the last 16 pages only a part is there. */
	t_map(mm, BASE + 8 * PG, 44);
	t_write(mm, BASE + 20 * PG, 1, 20);
	assert_int_equal(pages(t), before + 16);
	assert_int_equal(folio_order(folio_at(mm, BASE + 16 * PG)), 4);
	assert_ptr_equal(folio_at(mm, BASE + 31 * PG), folio_at(mm, BASE + 16 * PG));
	assert_int_equal(folio_at(mm, BASE + 20 * PG)->index, BASE / PG + 16);
	t_write(mm, BASE + 15 * PG, 1, 15);
	assert_int_equal(pages(t), before + 17);
	t_write(mm, BASE + 50 * PG, 1, 50);
	assert_int_equal(pages(t), before + 18);
	/* Something is there already. */
	assert_int_equal(read_at(mm, BASE + 40 * PG), 0);
	t_write(mm, BASE + 41 * PG, 1, 41);
	assert_int_equal(pages(t), before + 19);
	/* All 16 are there, with their content. */
	t_write(mm, BASE + 16 * PG, 16, 116);
	assert_int_equal(pages(t), before + 19);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE + 16 * PG, 16, 116);
	t_expect(mm, BASE + 15 * PG, 1, 15);
	t_expect(mm, BASE + 41 * PG, 1, 41);
}

/* A private file mapping has no large anonymous folios. */
static void large_folios_not_of_files(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);

	assert_int_equal(um_set_fault_order(mm, 4), 0);
	t_map_file(mm, BASE, 32, file, 0);
	t_write(mm, BASE + 3 * PG, 1, 100);
	assert_int_equal(folio_order(folio_at(mm, BASE + 3 * PG)), 0);
	assert_int_equal(entry_at(mm, BASE + 4 * PG), 0);
	um_file_put(file);
}

static void large_folio_after_fork(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t before;

	assert_int_equal(um_set_fault_order(mm, 4), 0);
	t_map(mm, BASE, 16);
	t_write(mm, BASE, 16, 100);
	child = t_fork(mm);
	before = pages(t);
	t_write(child, BASE + 3 * PG, 1, 200);
	assert_int_equal(pages(t), before + 1);
	um_exit(child);
	/* As Linux 6.12: pages of a large folio that were shared once are copied. */
	t_write(mm, BASE + 4 * PG, 1, 300);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE, 4, 100);
	t_expect(mm, BASE + 4 * PG, 1, 300);
	t_expect(mm, BASE + 5 * PG, 11, 105);
}

/* -- Swap ------------------------------------------------------------------------------ */

static void swap_in_exclusive(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t before = pages(t);

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_swap_out(t);
	assert_int_equal(pages(t), before);
	assert_true(entry_at(mm, BASE) & PTE_SWAP);
	assert_true(entry_at(mm, BASE) & PTE_EXCLUSIVE);
	t_expect(mm, BASE, 1, 100);
	assert_true(exclusive(mm, BASE));
	/* Written without a copy; and a write can be the first thing. */
	t_write(mm, BASE, 1, 200);
	t_write(mm, BASE + PG, 1, 201);
	assert_int_equal(pages(t), before + 2);
	assert_int_equal(t_stats(t).swapped_in, 2);
	t_migrate(t);
	t_expect(mm, BASE, 2, 200);
	t_expect(mm, BASE + 2 * PG, 2, 102);
}

/* Whoever else holds a reference does not make it shared: the swap entry says so. */
static void swap_in_of_a_page_in_use(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct folio *folio;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	folio = folio_at(mm, BASE);
	folio_get(folio);
	t_faults_busy(true);
	um_reclaim(t->world, 100);
	um_reclaim(t->world, 100);
	assert_true(entry_at(mm, BASE) & PTE_SWAP);
	t_expect(mm, BASE, 1, 100);
	assert_ptr_equal(folio_at(mm, BASE), folio);
	assert_true(exclusive(mm, BASE));
	t_write(mm, BASE, 1, 200);
	assert_ptr_equal(folio_at(mm, BASE), folio);
	folio_put(t->world, folio);
	t_faults_busy(false);
	t_expect(mm, BASE, 1, 200);
}

/* Shared: the first brings it, the second finds it in the swap cache. */
static void swap_in_shared(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t in;

	t_map(mm, BASE, 2);
	t_write(mm, BASE, 2, 100);
	child = t_fork(mm);
	t_swap_out(t);
	in = t_stats(t).swapped_in;
	t_expect(child, BASE, 1, 100);
	assert_false(exclusive(child, BASE));
	t_expect(mm, BASE, 1, 100);
	assert_int_equal(t_stats(t).swapped_in, in + 1);
	assert_ptr_equal(folio_at(mm, BASE), folio_at(child, BASE));
	t_migrate(t);
	/* Written by one that finds it in the cache: copied. */
	t_expect(child, BASE + PG, 1, 101);
	t_write(mm, BASE + PG, 1, 201);
	assert_int_equal(t_stats(t).swapped_in, in + 2);
	t_expect(child, BASE + PG, 1, 101);
	t_migrate(t);
	t_swap_out(t);
	t_expect(mm, BASE + PG, 1, 201);
	t_expect(child, BASE, 2, 100);
}

/* The last entry for a slot: exclusive again, whoever has it. */
static void swap_in_after_the_others(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t before;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	t_swap_out(t);
	um_exit(mm);
	t_expect(child, BASE, 1, 100);
	assert_true(exclusive(child, BASE));
	before = pages(t);
	t_write(child, BASE, 1, 200);
	assert_int_equal(pages(t), before);
	t_migrate(t);
	t_expect(child, BASE, 1, 200);
}

static void swap_in_where_reading_is_all(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 2);
	t_write(mm, BASE, 2, 100);
	t_swap_out(t);
	t_protect(mm, BASE, 1, PROT_READ);
	t_protect(mm, BASE + PG, 1, PROT_NONE);
	t_expect(mm, BASE, 1, 100);
	assert_false(entry_at(mm, BASE) & PTE_WRITE);
	assert_int_equal(um_write(mm, BASE, 1), -EFAULT);
	assert_int_equal(try_read(mm, BASE + PG), -EFAULT);
	t_protect(mm, BASE, 2, RW);
	t_expect(mm, BASE, 2, 100);
}

/* swapoff is all of that at once. */
static void swapoff(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 600);
	t_write(mm, BASE, 600, 1000);
	child = t_fork(mm);
	t_write(child, BASE, 10, 5000);
	t_swap_out(t);
	assert_int_equal(um_swapoff(t->world), 0);
	assert_int_equal(swap_slots_used(t->world), 0);
	t_migrate(t);
	t_expect(mm, BASE, 600, 1000);
	t_expect(child, BASE, 10, 5000);
	t_expect(child, BASE + 10 * PG, 590, 1010);
}

/* -- Poison ---------------------------------------------------------------------------- */

static void poisoned_page(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child, *late;
	unsigned int victims = 0;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	child = t_fork(mm);
	t_write(child, BASE + 2 * PG, 1, 202);
	assert_int_equal(um_memory_failure(mm, BASE + PG, &victims), 0);
	assert_int_equal(victims, 2);
	assert_int_equal(try_read(mm, BASE + PG), -EHWPOISON);
	assert_int_equal(um_write(mm, BASE + PG, 1), -EHWPOISON);
	assert_int_equal(um_touch(child, BASE, 4), -EHWPOISON);
	/* A page of one alone. */
	assert_int_equal(um_memory_failure(child, BASE + 2 * PG, &victims), 0);
	assert_int_equal(victims, 1);
	t_expect(mm, BASE + 2 * PG, 2, 102);
	/* fork copies the poison, mremap moves it, unmapping and mapping anew heals. */
	late = t_fork(mm);
	assert_int_equal(try_read(late, BASE + PG), -EHWPOISON);
	t_move(late, BASE, 4, FAR, 0);
	assert_int_equal(try_read(late, FAR + PG), -EHWPOISON);
	t_unmap(mm, BASE + PG, 1);
	t_map(mm, BASE + PG, 1);
	t_write(mm, BASE + PG, 1, 300);
	t_expect(mm, BASE + PG, 1, 300);
	advise(child, BASE, 4, MADV_DONTNEED);
	assert_int_equal(read_at(child, BASE + PG), 0);
	/* Nothing there, or nothing anonymous. */
	assert_int_equal(um_memory_failure(mm, FAR, &victims), -EFAULT);
	assert_int_equal(um_memory_failure(child, BASE + PG, &victims), -EFAULT);
}

/* The frame breaks while the page is in the swap cache: who swaps it in finds poison. */
static void poison_in_the_swap_cache(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	unsigned int victims = 0;

	t_map(mm, BASE, 2);
	t_write(mm, BASE, 2, 100);
	child = t_fork(mm);
	t_swap_out(t);
	t_expect(mm, BASE, 1, 100);
	assert_int_equal(um_memory_failure(mm, BASE, &victims), 0);
	assert_int_equal(victims, 1);
	assert_int_equal(try_read(mm, BASE), -EHWPOISON);
	assert_int_equal(try_read(child, BASE), -EHWPOISON);
	t_expect(child, BASE + PG, 1, 101);
}

/* -- Advice ---------------------------------------------------------------------------- */

static void dontneed(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t before = pages(t);

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	child = t_fork(mm);
	advise(mm, BASE + 2 * PG, 4, MADV_DONTNEED);
	assert_int_equal(t_nr_vmas(mm), 1);
	assert_true(t_vma(mm, BASE).faulted);
	assert_int_equal(read_at(mm, BASE + 2 * PG), 0);
	t_expect(mm, BASE, 2, 100);
	t_expect(mm, BASE + 6 * PG, 2, 106);
	t_expect(child, BASE, 8, 100);
	um_exit(child);
	assert_int_equal(pages(t), before + 4);
	/* In swap, too. */
	t_swap_out(t);
	advise(mm, BASE, 8, MADV_DONTNEED);
	assert_int_equal(swap_slots_used(t->world), 0);
	assert_int_equal(read_at(mm, BASE), 0);
	/* Holes are skipped, and told of in the end. */
	t_write(mm, BASE, 8, 200);
	t_unmap(mm, BASE + 2 * PG, 2);
	assert_int_equal(um_madvise(mm, BASE, 8 * PG, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(read_at(mm, BASE + 7 * PG), 0);
	assert_int_equal(um_madvise(mm, BASE + 1, PG, MADV_DONTNEED), -EINVAL);
	assert_int_equal(um_madvise(mm, BASE, PG, 12345), -EINVAL);
}

static void dontneed_in_huge(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, HUGE, HUGE_PAGES);
	assert_int_equal(um_touch_huge(mm, HUGE), 0);
	t_write(mm, HUGE, 8, 100);
	child = t_fork(mm);
	advise(mm, HUGE + 2 * PG, 4, MADV_DONTNEED);
	t_migrate(t);
	assert_int_equal(read_at(mm, HUGE + 2 * PG), 0);
	t_expect(mm, HUGE, 2, 100);
	t_expect(child, HUGE, 8, 100);
	advise(child, HUGE, HUGE_PAGES, MADV_DONTNEED);
	assert_int_equal(read_at(child, HUGE + PG), 0);
	t_expect(mm, HUGE + 6 * PG, 2, 106);
}

/* Given up, but not gone: until memory is needed, or a write takes it back. */
static void advise_free(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);
	uint64_t out;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	advise(mm, BASE, 4, MADV_FREE);
	t_expect(mm, BASE, 4, 100);
	advise(mm, BASE, 4, MADV_FREE);
	t_write(mm, BASE + PG, 1, 500);
	out = t_stats(t).swapped_out;
	um_reclaim(t->world, 100);
	um_reclaim(t->world, 100);
	um_reclaim(t->world, 100);
	/* Dropped without a slot; the one that was written since is in swap. */
	assert_int_equal(read_at(mm, BASE), 0);
	assert_int_equal(read_at(mm, BASE + 2 * PG), 0);
	t_expect(mm, BASE + PG, 1, 500);
	assert_int_equal(t_stats(t).swapped_out, out + 1);
	/* What is in swap goes at once. */
	t_write(mm, BASE, 4, 600);
	t_swap_out(t);
	advise(mm, BASE, 4, MADV_FREE);
	assert_int_equal(read_at(mm, BASE), 0);
	/* Not for files. */
	t_map_file(mm, FAR, 4, file, 0);
	assert_int_equal(um_madvise(mm, FAR, PG, MADV_FREE), -EINVAL);
	um_file_put(file);
}

/* A page that a child has too is not given up by one of them. */
static void advise_free_of_shared(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 2);
	t_write(mm, BASE, 2, 100);
	child = t_fork(mm);
	advise(mm, BASE, 2, MADV_FREE);
	t_swap_out(t);
	t_expect(child, BASE, 2, 100);
	t_expect(mm, BASE, 2, 100);
}

static void pageout(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t out;

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	advise(mm, BASE + 2 * PG, 2, MADV_PAGEOUT);
	assert_int_equal(t_stats(t).swapped_out, 2);
	assert_true(entry_at(mm, BASE + 2 * PG) & PTE_SWAP);
	assert_true(entry_at(mm, BASE + PG) & PTE_PRESENT);
	/* Not what others have too. */
	child = t_fork(mm);
	out = t_stats(t).swapped_out;
	advise(mm, BASE, 2, MADV_PAGEOUT);
	assert_int_equal(t_stats(t).swapped_out, out);
	t_write(mm, BASE, 1, 300);
	advise(mm, BASE, 1, MADV_PAGEOUT);
	assert_int_equal(t_stats(t).swapped_out, out + 1);
	t_expect(mm, BASE, 1, 300);
	t_expect(child, BASE, 8, 100);
}

/* Cold pages go first. */
static void cold(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	uint64_t out;

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	advise(mm, BASE + 4 * PG, 2, MADV_COLD);
	assert_true(entry_at(mm, BASE + 4 * PG) & PTE_PRESENT);
	out = t_stats(t).swapped_out;
	um_reclaim(t->world, 2);
	/* One that could not be swapped out for want of memory is not cold any more. */
	if (!t_injected()) {
		assert_int_equal(t_stats(t).swapped_out, out + 2);
		assert_true(entry_at(mm, BASE + 4 * PG) & PTE_SWAP);
		assert_true(entry_at(mm, BASE + 5 * PG) & PTE_SWAP);
	}
	t_expect(mm, BASE, 8, 100);
}

static void advice_for_fork(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t), *child, *grandchild;

	t_map(mm, BASE, 12);
	t_write(mm, BASE, 12, 100);
	advise(mm, BASE, 4, MADV_DONTFORK);
	advise(mm, BASE + 4 * PG, 4, MADV_WIPEONFORK);
	child = t_fork(mm);
	assert_int_equal(try_read(child, BASE), -EFAULT);
	assert_int_equal(t_nr_vmas(child), 2);
	assert_false(t_vma(child, BASE + 4 * PG).faulted);
	assert_int_equal(read_at(child, BASE + 4 * PG), 0);
	t_expect(child, BASE + 8 * PG, 4, 108);
	t_expect(mm, BASE, 12, 100);
	/* It holds for the child's children; what it has written is not theirs. */
	t_write(child, BASE + 4 * PG, 4, 500);
	grandchild = t_fork(child);
	assert_int_equal(read_at(grandchild, BASE + 4 * PG), 0);
	t_expect(child, BASE + 4 * PG, 4, 500);
	t_migrate(t);
	t_swap_out(t);
	/* Taken back. */
	advise(child, BASE + 4 * PG, 4, MADV_KEEPONFORK);
	advise(mm, BASE, 4, MADV_DOFORK);
	um_exit(grandchild);
	grandchild = t_fork(child);
	t_expect(grandchild, BASE + 4 * PG, 4, 500);
	um_exit(child);
	child = t_fork(mm);
	t_expect(child, BASE, 4, 100);
	/* Only of memory that is anonymous and private. */
	t_map_file(mm, FAR, 4, file, 0);
	assert_int_equal(um_madvise(mm, FAR, PG, MADV_WIPEONFORK), -EINVAL);
	map_shared(mm, FAR, 4, RW, NULL, 0);
	assert_int_equal(um_madvise(mm, FAR, PG, MADV_WIPEONFORK), -EINVAL);
	um_file_put(file);
}

/* Pages in swap of a VMA that the child does not get, or gets empty. */
static void advice_for_fork_of_swapped(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	advise(mm, BASE, 4, MADV_DONTFORK);
	advise(mm, BASE + 4 * PG, 4, MADV_WIPEONFORK);
	t_swap_out(t);
	child = t_fork(mm);
	assert_int_equal(read_at(child, BASE + 4 * PG), 0);
	t_expect(mm, BASE, 8, 100);
	assert_true(exclusive(mm, BASE));
}

/* -- mlock ----------------------------------------------------------------------------- */

static void locked_pages_stay(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t out;
	int i;

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	assert_int_equal(um_mlock(mm, BASE, 4 * PG, true, false), 0);
	for (i = 0; i < 4; i++)
		um_reclaim(t->world, 100);
	for (i = 0; i < 4; i++)
		assert_true(entry_at(mm, BASE + i * PG) & PTE_PRESENT);
	assert_true(entry_at(mm, BASE + 4 * PG) & PTE_SWAP);
	/* They can be moved, though; and thrown away only by those who say so. */
	assert_int_equal(um_migrate(t->world, 100), 4);
	assert_int_equal(um_madvise(mm, BASE, PG, MADV_DONTNEED), -EINVAL);
	assert_int_equal(um_madvise(mm, BASE, PG, MADV_FREE), -EINVAL);
	assert_int_equal(um_madvise(mm, BASE, PG, MADV_COLD), -EINVAL);
	assert_int_equal(um_madvise(mm, BASE, PG, MADV_PAGEOUT), -EINVAL);
	t_expect(mm, BASE, 4, 100);
	assert_int_equal(um_madvise(mm, BASE + 3 * PG, PG, MADV_DONTNEED_LOCKED), 0);
	assert_int_equal(read_at(mm, BASE + 3 * PG), 0);
	/* Not inherited; but the page that both have stays, as the parent's lock says. */
	child = t_fork(mm);
	assert_false(t_vma(child, BASE).flags & VM_LOCKED);
	for (i = 0; i < 4; i++)
		um_reclaim(t->world, 100);
	assert_true(entry_at(mm, BASE) & PTE_PRESENT);
	/* Unlocked, they go. */
	assert_int_equal(um_mlock(mm, BASE, 4 * PG, false, false), 0);
	out = t_stats(t).swapped_out;
	t_swap_out(t);
	assert_true(t_stats(t).swapped_out >= out + 3);
	t_expect(child, BASE, 3, 100);
	t_expect(mm, BASE, 3, 100);
}

static void lock_all(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	int i;

	t_map(mm, BASE, 4);
	assert_int_equal(um_mlockall(mm, true, true, false), 0);
	t_map(mm, FAR, 4);
	assert_true(t_vma(mm, BASE).flags & VM_LOCKED);
	assert_true(t_vma(mm, FAR).flags & VM_LOCKED);
	t_write(mm, BASE, 4, 100);
	t_write(mm, FAR, 4, 200);
	for (i = 0; i < 4; i++)
		assert_int_equal(um_reclaim(t->world, 100), 0);
	child = t_fork(mm);
	t_map(child, FAR + 64 * PG, 4);
	assert_false(t_vma(child, FAR + 64 * PG).flags & VM_LOCKED);
	assert_int_equal(um_mlockall(mm, false, false, false), 0);
	assert_false(t_vma(mm, BASE).flags & VM_LOCKED);
	t_swap_out(t);
	t_expect(mm, BASE, 4, 100);
	t_expect(child, FAR, 4, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UM_TEST(read_brings_the_zero_page),
		UM_TEST(write_brings_a_page),
		UM_TEST(write_after_read),
		UM_TEST(protection),
		UM_TEST(protection_changes),
		UM_TEST(no_vma),
		UM_TEST(cow_copies),
		UM_TEST(cow_reuse_in_the_child),
		UM_TEST(cow_reuse_after_exit),
		UM_TEST(cow_with_a_swap_entry_elsewhere),
		UM_TEST(private_file),
		UM_TEST(shared_file),
		UM_TEST(shared_memory),
		UM_TEST(dev_zero),
		UM_TEST(device),
		UM_TEST(stack_grows),
		UM_TEST(stack_limit_of_exec),
		UM_TEST(stack_keeps_its_distance),
		UM_TEST(stack_above_stack),
		UM_TEST(stack_grows_after_fork),
		UM_TEST(huge_fault),
		UM_TEST(huge_does_not_fit),
		UM_TEST(huge_falls_back),
		UM_TEST(large_folios),
		UM_TEST(large_folios_not_of_files),
		UM_TEST(large_folio_after_fork),
		UM_TEST(swap_in_exclusive),
		UM_TEST_QUIET(swap_in_of_a_page_in_use),
		UM_TEST(swap_in_shared),
		UM_TEST(swap_in_after_the_others),
		UM_TEST(swap_in_where_reading_is_all),
		UM_TEST(swapoff),
		UM_TEST(poisoned_page),
		UM_TEST(poison_in_the_swap_cache),
		UM_TEST(dontneed),
		UM_TEST(dontneed_in_huge),
		UM_TEST(advise_free),
		UM_TEST(advise_free_of_shared),
		UM_TEST(pageout),
		UM_TEST(cold),
		UM_TEST(advice_for_fork),
		UM_TEST(advice_for_fork_of_swapped),
		UM_TEST(locked_pages_stay),
		UM_TEST(lock_all),
	};

	return um_test_main(tests);
}
