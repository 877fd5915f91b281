// SPDX-License-Identifier: GPL-2.0
/*
 * Taking VMAs out of an mm: munmap(), what MAP_FIXED maps over, brk and mremap
 *
 * Pages must be found until their last PTE is gone, and the VMA tree lets go of
 * a VMA earlier. So the VMAs are handed to the reverse map first, as a batch:
 *
 *	gather	split at the edges, write-lock, collect		may fail: abort
 *	detach	walks find them in the batch, not in the VMA tree
 *	(memory for whatever comes next is allocated)		may fail: abort
 *	(munmap only: the VMA tree lets go of them)
 *	clear	zap; the batch is given back: nothing left to find;
 *		the VMAs leave their anon_vmas; page tables are freed
 *	(MAP_FIXED: the new VMA is stored over them)
 *	free
 *
 * A walk that found one of the VMAs before the batch was given back is waited for
 * by the write lock of the giving back, or by that of unlink_anon_vmas(). So none
 * stands on the page tables when they go.
 */
#include "vma.h"

/* Collect @vma: it stays in the VMA tree, but the VMA lock is no longer to be had. */
static int unmap_collect(struct vma_unmap *unmap, struct vm_area_struct *vma)
{
	MA_STATE(mas, &unmap->vmas, vma->vm_start, vma->vm_end - 1);

	vma_start_write(vma);
	if (mas_store_gfp(&mas, vma, GFP_KERNEL))
		return -ENOMEM;
	vma_mark_detached(vma, true);
	unmap->nr++;
	if (unmap->nr == 1) {
		unmap->batch.start = vma->vm_start;
		unmap->batch.first = vma;
	}
	unmap->batch.end = vma->vm_end;
	return 0;
}

/* Put the VMAs back, as far as they were taken. */
static void unmap_put_back(struct vma_unmap *unmap)
{
	MA_STATE(mas, &unmap->vmas, 0, 0);
	struct vm_area_struct *vma;

	mas_for_each(&mas, vma, ULONG_MAX)
		vma_mark_detached(vma, false);
	mtree_destroy(&unmap->vmas);
	unmap->nr = 0;
}

/**
 * vma_unmap_gather - collect the VMAs of a range that will be unmapped, and detach them
 * @unmap: to be filled in
 * @mm: whose
 * @start: the range; may be empty of VMAs, in whole or in part
 * @end: the range, exclusive
 *
 *	[ first     ]    [ mid ] [    last ]
 *	    start                    end
 *	[   ][xxxxxx]    [xxxxx] [xxx][    ]
 *
 * Correct because: the VMAs are write-locked and keep their pages; from the detach
 * on walks find those by the batch instead of the tree. Which one a walk looks at
 * changes under the write lock, so each page is found in just one of them.
 *
 * May sleep. Returns 0: then vma_unmap_abort(), or _clear() and _free(), must
 * follow; or -ENOMEM, also for too many VMAs: then nothing has changed, but that a
 * VMA may have been split.
 */
int vma_unmap_gather(struct vma_unmap *unmap, struct mm_struct *mm, unsigned long start,
		     unsigned long end)
{
	struct vm_area_struct *vma = find_vma(mm, start);
	int err = 0;

	*unmap = (struct vma_unmap) { .mm = mm };
	mt_init(&unmap->vmas);
	INIT_LIST_HEAD(&unmap->batch.node);
	unmap->batch.vmas = &unmap->vmas;

	if (vma && vma->vm_start < start) {
		/* One VMA becomes three, of which one goes. */
		if (end < vma->vm_end && mm->map_count >= MAX_MAP_COUNT)
			return -ENOMEM;
		err = __split_vma(vma, start, true);
		if (err)
			return err;
	}
	for (; vma && vma->vm_start < end; vma = find_vma(mm, vma->vm_end)) {
		if (vma->vm_end > end)
			err = __split_vma(vma, end, false);
		if (!err)
			err = unmap_collect(unmap, vma);
		if (err) {
			unmap_put_back(unmap);
			return err;
		}
	}
	unmap->prev = vma_before(mm, start);
	unmap->next = vma;
	if (unmap->nr)
		anon_vma_detach(mm, &unmap->batch);
	return 0;
}

/**
 * vma_unmap_abort - the VMAs stay after all
 * @unmap: gathered; the VMAs are in the VMA tree
 *
 * May sleep.
 */
void vma_unmap_abort(struct vma_unmap *unmap)
{
	if (!unmap->nr)
		return;
	anon_vma_reattach(unmap->mm, &unmap->batch);
	unmap_put_back(unmap);
}

/**
 * vma_unmap_clear - unmap the pages of the VMAs
 * @unmap: gathered. From here there is no way back
 *
 * Correct because: the batch is found until the last PTE is zapped, and given back
 * before a page table goes; see the head of this file. Page tables are freed up to
 * the neighbours only, and mmap_lock keeps all others out of the gap.
 *
 * May sleep.
 */
void vma_unmap_clear(struct vma_unmap *unmap)
{
	MA_STATE(mas, &unmap->vmas, 0, 0);
	struct vm_area_struct *vma;

	if (!unmap->nr)
		return;
	mas_for_each(&mas, vma, ULONG_MAX)
		zap_page_range(vma, vma->vm_start, vma->vm_end);
	anon_vma_detach_done(unmap->mm, &unmap->batch);

	mas_set(&mas, 0);
	mas_for_each(&mas, vma, ULONG_MAX)
		unlink_anon_vmas(vma);
	free_pgtables(unmap->mm, unmap->batch.start, unmap->batch.end,
		      unmap->prev ? unmap->prev->vm_end : 0,
		      unmap->next ? unmap->next->vm_start : USER_CEILING);
}

/**
 * vma_unmap_free - free the VMAs
 * @unmap: cleared, and out of the VMA tree
 *
 * The tree of the batch goes at once: walks looked into it under the rwsem that
 * vma_unmap_clear() has held since.
 */
void vma_unmap_free(struct vma_unmap *unmap)
{
	MA_STATE(mas, &unmap->vmas, 0, 0);
	struct vm_area_struct *vma;

	mas_for_each(&mas, vma, ULONG_MAX)
		vm_area_free(vma);
	mtree_destroy(&unmap->vmas);
	unmap->mm->map_count -= unmap->nr;
}

/**
 * munmap_range - unmap a range
 * @mm: mmap_lock held for write
 * @start: the range; page aligned; may hold no VMA
 * @end: the range, exclusive
 *
 * May sleep. Returns 0 or -ENOMEM, as vma_unmap_gather().
 */
int munmap_range(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	MA_STATE(mas, &mm->mm_mt, start, end - 1);
	struct vma_unmap unmap;
	int err;

	err = vma_unmap_gather(&unmap, mm, start, end);
	if (err || !unmap.nr)
		return err;
	if (mas_store_gfp(&mas, NULL, GFP_KERNEL)) {
		vma_unmap_abort(&unmap);
		return -ENOMEM;
	}
	vma_unmap_clear(&unmap);
	vma_unmap_free(&unmap);
	return 0;
}

/* The arguments that munmap() refuses. Returns 0 or -EINVAL. */
int munmap_check(unsigned long addr, unsigned long len)
{
	if ((addr & ~PAGE_MASK) || addr > TASK_SIZE || len > TASK_SIZE - addr || !PAGE_ALIGN(len))
		return -EINVAL;
	return 0;
}

/**
 * do_munmap - munmap(2)
 * @mm: mmap_lock not held
 * @addr: page aligned
 * @len: rounded up to pages
 *
 * May sleep. Returns 0, -EINVAL or -ENOMEM.
 */
int do_munmap(struct mm_struct *mm, unsigned long addr, unsigned long len)
{
	int err = munmap_check(addr, len);

	if (err)
		return err;
	mmap_write_lock(mm);
	err = munmap_range(mm, addr, addr + PAGE_ALIGN(len));
	mmap_write_unlock(mm);
	return err;
}
