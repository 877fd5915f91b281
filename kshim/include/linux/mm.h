/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_MM_H
#define _LINUX_MM_H
/*
 * Different implementation: the helpers of <linux/mm.h>, <linux/page-flags.h>
 * and <linux/mmap_lock.h> that core/ and the user-space mm share, on the cut
 * down types of mm_types.h.
 */
#include <linux/mm_types.h>
#include <linux/mmdebug.h>
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

/* -- folios ------------------------------------------------------------- */

enum pageflags {
	PG_locked,
	PG_head,		/* first page of a folio of order > 0 */
	PG_tail,
	PG_buddy,		/* free, head of a free block */
	PG_uptodate,
	PG_dirty,
	PG_referenced,
	PG_active,
	PG_lru,
	PG_isolated,
	PG_swapcache,
	PG_swapbacked,
	PG_anon_exclusive,	/* per page: exactly one mapping */
	PG_hwpoison,
	PG_file,		/* page cache of a simulated file */
	PG_zero,		/* the zero page */
	PG_order_shift = 24,	/* (head) order: 4 bits; tail: order of the folio */
};
#define PG_ORDER_MASK	(0xfUL << PG_order_shift)

static inline unsigned int folio_order(const struct folio *folio)
{
	return (READ_ONCE(folio->flags) & PG_ORDER_MASK) >> PG_order_shift;
}

static inline long folio_nr_pages(const struct folio *folio)
{
	return 1L << folio_order(folio);
}

static inline bool folio_test_large(const struct folio *folio)
{
	return test_bit(PG_head, &folio->flags);
}

static inline struct page *folio_page(struct folio *folio, unsigned long n)
{
	return &folio->page + n;
}

static inline bool folio_test_anon(const struct folio *folio)
{
	return (unsigned long)READ_ONCE(folio->mapping) & PAGE_MAPPING_ANON;
}

static inline bool folio_test_ksm(const struct folio *folio)
{
	return ((unsigned long)READ_ONCE(folio->mapping) & PAGE_MAPPING_FLAGS) ==
		PAGE_MAPPING_KSM;
}

static inline pgoff_t folio_pgoff(const struct folio *folio)
{
	return READ_ONCE(folio->index);
}

/*
 * A large folio keeps two more counts in its second page: the PMDs that map it
 * as a whole, and the sum over all its mappings (a PMD counts once).
 */
static inline atomic_t *folio_entire_mapcount_ptr(struct folio *folio)
{
	return &folio_page(folio, 1)->_refcount;
}

static inline atomic_long_t *folio_large_mapcount_ptr(struct folio *folio)
{
	return (atomic_long_t *)&folio_page(folio, 1)->private;
}

/**
 * folio_mapcount - page table entries that map any page of a folio
 * @folio: the folio
 *
 * A PMD that maps a whole folio counts once. Without the locks of all page
 * tables involved the value is a snapshot.
 */
static inline int folio_mapcount(struct folio *folio)
{
	if (folio_test_large(folio))
		return atomic_long_read(folio_large_mapcount_ptr(folio));
	return atomic_read(&folio->_mapcount);
}

static inline bool folio_mapped(struct folio *folio)
{
	return folio_mapcount(folio) > 0;
}

/* There is no hugetlbfs here; core/ asks because Linux has one. */
static inline bool folio_test_hugetlb(const struct folio *folio)
{
	(void)folio;
	return false;
}

static inline bool folio_test_locked(const struct folio *folio)
{
	return test_bit(PG_locked, &folio->flags);
}

/* -- VMAs --------------------------------------------------------------- */

static inline unsigned long vma_pages(struct vm_area_struct *vma)
{
	return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}

static inline bool vma_is_anonymous(struct vm_area_struct *vma)
{
	return !vma->vm_ops;
}

/* Walks ask without mmap_lock; the flag never changes, others in the word do. */
static inline bool is_vm_hugetlb_page(struct vm_area_struct *vma)
{
	return READ_ONCE(vma->vm_flags) & VM_HUGETLB;
}

/* -- mmap_lock and the per-VMA lock -------------------------------------- */

static inline void mmap_assert_locked(const struct mm_struct *mm)
{
	lockdep_assert_held(&mm->mmap_lock);
	(void)mm;
}

static inline void mmap_assert_write_locked(const struct mm_struct *mm)
{
	lockdep_assert_held_write(&mm->mmap_lock);
	(void)mm;
}

static inline void mmap_read_lock(struct mm_struct *mm)
{
	down_read(&mm->mmap_lock);
}

static inline bool mmap_read_trylock(struct mm_struct *mm)
{
	return down_read_trylock(&mm->mmap_lock);
}

static inline void mmap_read_unlock(struct mm_struct *mm)
{
	up_read(&mm->mmap_lock);
}

static inline void mmap_write_lock(struct mm_struct *mm)
{
	down_write(&mm->mmap_lock);
}

static inline void mmap_write_lock_nested(struct mm_struct *mm, int subclass)
{
	down_write_nested(&mm->mmap_lock, subclass);
}

/*
 * Releases every VMA that was write-locked since mmap_write_lock(): a VMA is
 * write-locked while its vm_lock_seq equals the mm's.
 */
static inline void mmap_write_unlock(struct mm_struct *mm)
{
	/*
	 * Release: pairs with the acquire in vma_start_read(). A reader that
	 * sees the new number also sees all that was changed under the old.
	 */
	smp_store_release(&mm->mm_lock_seq, mm->mm_lock_seq + 1);
	up_write(&mm->mmap_lock);
}

/**
 * vma_start_write - keep faults under the VMA lock out of a VMA
 * @vma: the VMA; mmap_lock of its mm held for write
 *
 * Waits for faults that run in it; lasts until mmap_write_unlock(). May sleep.
 */
static inline void vma_start_write(struct vm_area_struct *vma)
{
	int seq = vma->vm_mm->mm_lock_seq;

	mmap_assert_write_locked(vma->vm_mm);
	if (vma->vm_lock_seq == seq)
		return;
	down_write(&vma->vm_lock);
	WRITE_ONCE(vma->vm_lock_seq, seq);
	up_write(&vma->vm_lock);
}

static inline void vma_assert_write_locked(struct vm_area_struct *vma)
{
	VM_BUG_ON_VMA(vma->vm_lock_seq != vma->vm_mm->mm_lock_seq, vma);
}

/**
 * vma_start_read - lock a VMA for a fault
 * @vma: found under RCU
 *
 * Does not sleep. Returns false when a writer has it, or when the VMA may have
 * left the tree: the caller falls back to mmap_lock.
 */
static inline bool vma_start_read(struct vm_area_struct *vma)
{
	if (READ_ONCE(vma->vm_lock_seq) == READ_ONCE(vma->vm_mm->mm_lock_seq))
		return false;
	if (!down_read_trylock(&vma->vm_lock))
		return false;
	/* Acquire: pairs with the release in mmap_write_unlock(). */
	if (READ_ONCE(vma->vm_lock_seq) == smp_load_acquire(&vma->vm_mm->mm_lock_seq) ||
	    vma->detached) {
		up_read(&vma->vm_lock);
		return false;
	}
	return true;
}

static inline void vma_end_read(struct vm_area_struct *vma)
{
	up_read(&vma->vm_lock);
}

static inline void vma_mark_detached(struct vm_area_struct *vma, bool detached)
{
	if (detached)
		vma_assert_write_locked(vma);
	vma->detached = detached;
}

static inline struct folio *page_folio(struct page *page)
{
	/* A tail's index is its distance from the head (see alloc_folio()). */
	if (test_bit(PG_tail, &page->flags))
		page -= page->index;
	return (struct folio *)page;
}

#endif
