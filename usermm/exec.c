// SPDX-License-Identifier: GPL-2.0
/*
 * The stack that exec makes
 *
 * exec does not know yet where the stack will be when it copies the arguments. It puts
 * them at the top of what may become the place, and shifts the whole stack down when
 * it does know. So the pages of a process's first VMA are moved before it runs:
 *
 *	            [args]			at the top, after copying
 *	    [args] <- shift			all pages move down
 *	[   args]				and there is room to grow
 *	start   end
 *
 * The rest of the shift is that of Linux for the regular topology: the pages keep
 * their anon offsets, and the VMA its vm_pgoff, so that it is displaced for its life.
 * In the lazy topology that would cost every process a chain entry. So the pages get
 * new offsets, those of their new addresses, where that is possible.
 */
#include "frame.h"
#include "pgtable.h"
#include "vma.h"

#define VM_STACK_FLAGS	(VM_GROWSDOWN | VM_READ | VM_WRITE | VM_MAYWRITE | VM_ACCOUNT)

/* -- Renumbering ------------------------------------------------------------------- */

/* The folio of the page at @addr if it may get a new anon offset, then locked; or NULL. */
static struct folio *lock_to_renumber(struct mm_struct *mm, pte_t pte)
{
	struct folio *folio;

	if (!pte_normal(pte))
		return NULL;
	folio = pfn_folio(mm->world, pte_pfn(pte));
	if (folio_test_large(folio) || !folio_test_anon(folio) || folio_test_ksm(folio) ||
	    !page_anon_exclusive(&folio->page) || !folio_trylock(folio))
		return NULL;
	/* Under the folio lock it does not enter the swap cache any more. */
	if (folio_test_swapcache(folio)) {
		folio_unlock(folio);
		return NULL;
	}
	return folio;
}

/* The entry at an address, or 0. Nobody but us changes it: see stack_shift(). */
static pte_t stack_pte(struct mm_struct *mm, unsigned long addr)
{
	struct um_pgtable *table = pgtable_find(mm, addr, 0);

	return table ? pgtable_get(table, pgtable_index(addr, 0)) : 0;
}

static void unlock_stack_folios(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	unsigned long addr;
	pte_t pte;

	for (addr = start; addr < end; addr += PAGE_SIZE) {
		pte = stack_pte(mm, addr);
		if (!pte_none(pte))
			folio_unlock(pfn_folio(mm->world, pte_pfn(pte)));
	}
}

/*
 * Lock the folios of all pages in [start, end), if all of them may be renumbered: no
 * other page table, swap slot or migration may know a page by its offset, and nobody
 * be about to make that so. Locks are only tried, as the rwsem is held, which is below
 * them; for that, and for no less, all must be had at once.
 */
static bool lock_stack_folios(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	unsigned long addr;
	pte_t pte;

	for (addr = start; addr < end; addr += PAGE_SIZE) {
		pte = stack_pte(mm, addr);
		if (!pte_none(pte) && !lock_to_renumber(mm, pte)) {
			unlock_stack_folios(mm, start, addr);
			return false;
		}
	}
	return true;
}

/* -- The shift --------------------------------------------------------------------- */

/*
 * One page moves down; @renumber it. A lockless walk may look at the tables and at the
 * offset at any moment: it finds out by the adjustment count that it cannot trust what
 * it saw. Of the two the lower table, the new one, is locked first.
 */
static void move_stack_pte(struct mm_struct *mm, unsigned long old, unsigned long new,
			   bool renumber)
{
	struct um_pgtable *from = pgtable_find(mm, old, 0), *to = pgtable_find(mm, new, 0);
	pte_t pte;

	if (!from)
		return;
	pgtable_lock_move(from, old, to, new);
	pte = pgtable_get(from, pgtable_index(old, 0));
	if (!pte_none(pte)) {
		if (renumber)
			WRITE_ONCE(pfn_folio(mm->world, pte_pfn(pte))->index, new >> PAGE_SHIFT);
		pgtable_set(from, pgtable_index(old, 0), 0);
		pgtable_set(to, pgtable_index(new, 0), pte);
	}
	pgtable_unlock_move(from, old, to, new);
	if (pte_normal(pte))
		oracle_touch(mm->world, pfn_folio(mm->world, pte_pfn(pte)));
}

/* Huge entries become small ones, and there are tables where the pages go. */
static int prepare_stack_tables(struct vm_area_struct *vma, unsigned long old_start,
				unsigned long shift)
{
	unsigned long addr;

	for (addr = old_start; addr < vma->vm_end; addr = pmd_addr_end(addr, vma->vm_end))
		split_huge_pmd(vma, addr);
	for (addr = vma->vm_start; addr < vma->vm_end - shift;
	     addr = pmd_addr_end(addr, vma->vm_end - shift))
		if (IS_ERR_OR_NULL(pgtable_find_alloc(vma->vm_mm, addr, 0)))
			return -ENOMEM;
	return 0;
}

/*
 * Move the pages down and let go of the upper end of the VMA, under one hold.
 *
 *	[          |  old pages ]	@vma, grown down by shift; linear
 *	[ pages     ]			@vma
 *
 * Correct because: under the write lock a walk with locks sees all of it or nothing.
 * Meanwhile nobody changes the entries: faults need the VMA lock or mmap_lock,
 * reclaim and migration the rwsem. Then either all pages have the offsets of their new
 * addresses, and the VMA is in place; or none, and vm_pgoff of the shifted VMA is that
 * of the VMA before: same key, same number of pages, so its chain entries, if it is
 * regular, stay right; if it is lazy, it gets one, allocated ahead. A page that may be
 * renumbered is mapped here only, is locked, and has its owner in this mm.
 */
static void stack_shift(struct vm_area_struct *vma, unsigned long old_start, unsigned long shift,
			struct anon_vma_chain **chain, struct ma_state *cut)
{
	unsigned long addr, end = vma->vm_end, start = vma->vm_start;
	anon_vma_tree_t tree = vma->anon_vma;
	struct mm_struct *mm = vma->vm_mm;
	bool renumber;

	anon_vma_tree_lock_write(tree);
	renumber = anon_vma_tree_in_place(tree) && lock_stack_folios(mm, old_start, end);
	anon_vma_pre_update(vma);
	for (addr = old_start; addr < end; addr += PAGE_SIZE)
		move_stack_pte(mm, addr, addr - shift, renumber);
	vma_set_range(vma, start, end - shift, (renumber ? start : old_start) >> PAGE_SHIFT);
	mas_store_prealloc(cut, NULL);
	anon_vma_post_update(vma);
	if (renumber) {
		unlock_stack_folios(mm, start, end - shift);
	} else if (anon_vma_tree_in_place(tree)) {
		lazy_anon_vma_displace(vma, *chain);
		*chain = NULL;
	}
	anon_vma_tree_unlock_write(tree);
}

/*
 * Shift @vma down by @shift bytes. First it grows over the new place, like a stack, with
 * its pages where they are; then they move.
 *
 * Returns 0, -EFAULT when something is in the way, or -ENOMEM. The caller unmaps it then.
 */
static int shift_stack(struct vm_area_struct *vma, unsigned long shift)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long old_start = vma->vm_start, end = vma->vm_end, new_start = old_start - shift;
	MA_STATE(cut, &mm->mm_mt, end - shift, end - 1);
	struct vma_update grow = {
		.mm = mm,
		.vma = vma,
		.start = new_start,
		.end = end,
		.pgoff = vma->vm_pgoff - (shift >> PAGE_SHIFT),
		.entry = vma,
		.store_start = new_start,
		.store_end = end,
	};
	struct anon_vma_chain *chain = NULL;
	struct vm_area_struct *next;
	int err;

	if (!range_is_free(mm, new_start, old_start))
		return -EFAULT;
	vma_start_write(vma);
	if (anon_vma_prepare(vma) || vma_update_prepare(&grow))
		return -ENOMEM;
	vma_update_commit(&grow);

	if (anon_vma_tree_in_place(vma->anon_vma)) {
		chain = lazy_anon_vma_chain_alloc();
		if (!chain)
			return -ENOMEM;
	}
	err = prepare_stack_tables(vma, old_start, shift);
	if (!err)
		err = mas_preallocate(&cut, NULL, GFP_KERNEL);
	if (!err) {
		stack_shift(vma, old_start, shift, &chain, &cut);
		next = find_vma(mm, end);
		free_pgtables(mm, max(old_start, end - shift), end, end - shift,
			      next ? next->vm_start : USER_CEILING);
	}
	if (chain)
		lazy_anon_vma_chain_free(chain);
	return err;
}

/* -- exec -------------------------------------------------------------------------- */

/* A stack of one page, below @top. */
static int create_stack(struct mm_struct *mm, unsigned long top)
{
	struct vm_area_struct *vma;
	int err;

	if (!range_is_free(mm, top - PAGE_SIZE, top))
		return -ENOMEM;
	vma = vm_area_alloc(mm);
	if (!vma)
		return -ENOMEM;
	vma_set_range(vma, top - PAGE_SIZE, top, (top >> PAGE_SHIFT) - 1);
	vma->vm_flags = VM_STACK_FLAGS | mm->def_flags;
	vma_start_write(vma);
	err = vma_link(vma);
	if (err)
		vm_area_free(vma);
	return err;
}

/* The arguments, from the last one down: the stack grows with them. Contents do not matter. */
static int write_args(struct mm_struct *mm, unsigned long top, unsigned long pages)
{
	unsigned long n;
	u64 content = 0;
	int err = 0;

	for (n = 1; n <= pages && !err; n++)
		err = access_page(mm, top - n * PAGE_SIZE, true, &content);
	return err;
}

/* The stack ends at @top, and shall be [start, end). mmap_lock held for write. */
static int settle_stack(struct mm_struct *mm, unsigned long start, unsigned long end,
			unsigned long top)
{
	struct vm_area_struct *vma = vma_lookup(mm, top - PAGE_SIZE);
	int err;

	if (!vma || vma->vm_end != top)
		return -EFAULT;
	err = top > end ? shift_stack(vma, top - end) : 0;
	return err ? err : expand_downwards(vma, start);
}

/**
 * do_exec_stack - the stack of a new program
 * @mm: has nothing mapped in [@start, @end + @shift); mmap_lock not held
 * @start: where it shall be
 * @end: where it shall be, exclusive
 * @arg_pages: pages at its upper end that are written before the shift
 * @shift: in bytes: how far above its place it is made; 0: it is made where it stays
 * @rlimit: bytes that it may have, now and later
 *
 * May sleep. Returns 0, -EINVAL, -EFAULT, -ENOMEM; on error there is no stack.
 */
int do_exec_stack(struct mm_struct *mm, unsigned long start, unsigned long end,
		  unsigned long arg_pages, unsigned long shift, unsigned long rlimit)
{
	unsigned long top = end + shift, lowest;
	int err;

	if (((start | end | shift) & ~PAGE_MASK) || start < MMAP_MIN_ADDR || start >= end ||
	    top < end || top > TASK_SIZE || arg_pages > (end - start) >> PAGE_SHIFT)
		return -EINVAL;
	lowest = min(start, top - max(arg_pages, 1UL) * PAGE_SIZE);

	mmap_write_lock(mm);
	mm->stack_rlimit = rlimit;
	err = range_is_free(mm, lowest, top) ? create_stack(mm, top) : -ENOMEM;
	mmap_write_unlock(mm);
	if (err)
		return err;

	err = write_args(mm, top, arg_pages);
	mmap_write_lock(mm);
	if (!err)
		err = settle_stack(mm, start, end, top);
	if (err)
		munmap_range(mm, lowest, top);
	else
		mm->start_stack = end;
	mmap_write_unlock(mm);
	return err;
}
