// SPDX-License-Identifier: GPL-2.0
/*
 * mremap(): mappings that shrink, grow, or move with their pages
 */
#include <sys/mman.h>
#include "vma.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

/**
 * struct remap - the arguments of mremap(), lengths in whole pages
 * @mm: whose
 * @addr: where it is
 * @old_len: how long; 0 for a second mapping of shared memory
 * @new_addr: where it shall be
 * @new_len: how long it shall be
 * @flags: MREMAP_*
 */
struct remap {
	struct mm_struct *mm;
	unsigned long addr, old_len;
	unsigned long new_addr, new_len;
	int flags;
};

/* -- The VMA at the new place -------------------------------------------------------- */

/*
 * A VMA for the new place that is nobody's neighbour. Correct because: it is attached
 * to the anon_vmas of @vma, by the anon offsets of the pages that will move, before
 * it is in the VMA tree, and so before a page is there.
 */
static struct vm_area_struct *copy_vma_new(struct vm_area_struct *vma,
					   const struct vma_merge *merge)
{
	struct vm_area_struct *new = vm_area_dup(vma);

	if (!new)
		return ERR_PTR(-ENOMEM);
	vma_set_range(new, merge->start, merge->end, merge->pgoff);
	vma_start_write(new);
	if (anon_vma_clone(new, vma))
		goto free;
	if (vma_link(new))
		goto unlink;
	return new;

unlink:
	unlink_anon_vmas(new);
free:
	vm_area_free(new);
	return ERR_PTR(-ENOMEM);
}

/*
 * Get a VMA at the new place for pages of *vmap, which is write-locked.
 *
 *	[      *vmap      ]  ...  [ prev ]<new place>[ next ]
 *	      <pages>
 *
 * It may be a neighbour that grows; one without rmap state then gets that of *vmap.
 * An unfaulted anonymous VMA has no offsets to keep: it gets those of the new place,
 * and so may merge with its neighbours there. One of these may be *vmap itself, which
 * then grows, and may be freed: *vmap is what has its range now. That cannot happen to
 * a faulted one, whose pages would need two offsets, and must not with
 * MREMAP_DONTUNMAP, where the old place stays a mapping of its own.
 *
 * Returns the VMA, or ERR_PTR(-ENOMEM) when nothing has changed.
 */
static struct vm_area_struct *copy_vma(const struct remap *remap, struct vm_area_struct **vmap)
{
	struct vm_area_struct *vma = *vmap, *new;
	unsigned long start = vma->vm_start;
	bool unfaulted = vma_is_anonymous(vma) && !vma->anon_vma;
	struct vma_merge merge = {
		.mm = remap->mm,
		.source = vma,
		.start = remap->new_addr,
		.end = remap->new_addr + remap->new_len,
		.pgoff = unfaulted ? remap->new_addr >> PAGE_SHIFT :
				     vma_pgoff_at(vma, remap->addr),
		.flags = vma->vm_flags,
		.file = vma->vm_file,
		.anon_name = vma->anon_name,
	};

	merge.prev = vma_before(remap->mm, remap->new_addr);
	merge.next = find_vma(remap->mm, remap->new_addr);
	if (unfaulted && (remap->flags & MREMAP_DONTUNMAP)) {
		if (merge.prev == vma)
			merge.prev = NULL;
		if (merge.next == vma)
			merge.next = NULL;
	}

	new = vma_merge_new(&merge);
	if (!new)
		return copy_vma_new(vma, &merge);
	if (!IS_ERR(new) && start >= new->vm_start && start < new->vm_end)
		*vmap = new;
	return new;
}

/* -- Moving --------------------------------------------------------------------------- */

/*
 * Nothing has moved, or all has moved back: the new place goes. If memory for that is
 * short too, it stays mapped, empty.
 */
static int move_vma_fail(const struct remap *remap)
{
	munmap_range(remap->mm, remap->new_addr, remap->new_addr + remap->new_len);
	return -ENOMEM;
}

/*
 * MREMAP_DONTUNMAP: the old place stays, without pages. When it is all of its VMA,
 * that is an unfaulted VMA again, and if anonymous gets the offsets of its place, as
 * every unfaulted one has them, in Linux too.
 */
static void move_vma_keep(const struct remap *remap, struct vm_area_struct *vma)
{
	vma_start_write(vma);
	WRITE_ONCE(vma->vm_flags, vma->vm_flags & ~VM_LOCKED_MASK);
	if (vma->vm_start != remap->addr || vma->vm_end != remap->addr + remap->old_len)
		return;
	unlink_anon_vmas(vma);
	if (vma_is_anonymous(vma) && !vma->vm_file)
		WRITE_ONCE(vma->vm_pgoff, vma->vm_start >> PAGE_SHIFT);
}

/*
 * What would have to be split when the old place is left, is split at its edges now:
 * huge PMDs, so that the move need not; and for MREMAP_DONTUNMAP a locked VMA, as only
 * the part that moves loses the lock.
 */
static int move_vma_split(const struct remap *remap, struct vm_area_struct *vma)
{
	unsigned long start = remap->addr, end = remap->addr + remap->old_len;
	int err;

	if ((remap->flags & MREMAP_DONTUNMAP) && (vma->vm_flags & VM_LOCKED)) {
		err = vma->vm_start < start ? split_vma(vma, start, true) : 0;
		if (!err && vma->vm_end > end)
			err = split_vma(vma, end, false);
		if (err)
			return err;
	}
	vma_start_write(vma);
	err = split_huge_pmd_at(vma, start);
	return err ? err : split_huge_pmd_at(vma, end);
}

/*
 *	[    vma <pages> ]		<new place>	before
 *	[ vma ]         [ ]		[  pages  ]	after; one or two pieces may be left
 *
 * Correct because: both VMAs are attached to the same anon_vmas, with the same anon
 * offset for each page, before the first one moves; move_page_tables() moves them
 * under the write lock, so a walk, which holds it for read, finds a page at the old
 * place or at the new one. In the lazy topology the words say what the two are,
 * displaced or in place: a walk for the offset of a page comes to both, or to the one
 * that has it. Both VMAs are write-locked: no fault adds a page.
 *
 * On failure the pages move back, for which all tables are there.
 */
static int move_vma(const struct remap *remap, struct vm_area_struct *vma)
{
	struct mm_struct *mm = remap->mm;
	struct vm_area_struct *new;
	unsigned long moved;
	int err;

	/* What follows may need three more VMAs for a moment. */
	if (mm->map_count >= MAX_MAP_COUNT - 3)
		return -ENOMEM;
	err = move_vma_split(remap, vma);
	if (err)
		return err;
	new = copy_vma(remap, &vma);
	if (IS_ERR(new))
		return PTR_ERR(new);

	moved = remap->old_len ? move_page_tables(vma, remap->addr, new, remap->new_addr,
						  remap->old_len) : 0;
	if (moved == remap->old_len) {
		if (remap->flags & MREMAP_DONTUNMAP) {
			move_vma_keep(remap, vma);
			return 0;
		}
		if (!remap->old_len || !munmap_range(mm, remap->addr, remap->addr + remap->old_len))
			return 0;
		/* The attempt may have split them. */
		vma = vma_lookup(mm, remap->addr);
		new = vma_lookup(mm, remap->new_addr);
	}
	if (moved)
		move_page_tables(new, remap->new_addr, vma, remap->addr, moved);
	return move_vma_fail(remap);
}

/* -- mremap ------------------------------------------------------------------------ */

/* The VMA at remap->addr, if it may become what is asked for; or an error. */
static struct vm_area_struct *vma_to_resize(const struct remap *remap)
{
	struct vm_area_struct *vma = vma_lookup(remap->mm, remap->addr);
	pgoff_t pgoff;

	if (!vma)
		return ERR_PTR(-EFAULT);
	/* A second mapping of private memory would not share it. */
	if (!remap->old_len && !(vma->vm_flags & VM_SHARED))
		return ERR_PTR(-EINVAL);
	if ((remap->flags & MREMAP_DONTUNMAP) && (vma->vm_flags & VM_SPECIAL))
		return ERR_PTR(-EINVAL);
	if (remap->old_len > vma->vm_end - remap->addr)
		return ERR_PTR(-EFAULT);
	if (remap->new_len == remap->old_len)
		return vma;
	pgoff = vma_pgoff_at(vma, remap->addr);
	if (pgoff + (remap->new_len >> PAGE_SHIFT) < pgoff)
		return ERR_PTR(-EINVAL);
	return vma->vm_flags & VM_SPECIAL ? ERR_PTR(-EFAULT) : vma;
}

/* Unmap what lies behind the new length. */
static int mremap_cut(const struct remap *remap)
{
	unsigned long addr = remap->addr + remap->new_len;
	int err = munmap_check(addr, remap->old_len - remap->new_len);

	return err ? err : munmap_range(remap->mm, addr, remap->addr + remap->old_len);
}

/* MREMAP_FIXED or MREMAP_DONTUNMAP. */
static int mremap_to(struct remap *remap)
{
	bool fixed = remap->flags & MREMAP_FIXED;
	struct mm_struct *mm = remap->mm;
	struct vm_area_struct *vma;
	unsigned long addr;
	int err;

	if ((remap->new_addr & ~PAGE_MASK) || remap->new_len > TASK_SIZE ||
	    remap->new_addr > TASK_SIZE - remap->new_len)
		return -EINVAL;
	if (remap->addr + remap->old_len > remap->new_addr &&
	    remap->new_addr + remap->new_len > remap->addr)
		return -EINVAL;
	/* Both ends may be split in three; better to fail before anything is unmapped. */
	if (mm->map_count + 2 >= MAX_MAP_COUNT - 3)
		return -ENOMEM;

	if (fixed) {
		err = munmap_range(mm, remap->new_addr, remap->new_addr + remap->new_len);
		if (err)
			return err;
	}
	if (remap->old_len > remap->new_len) {
		err = mremap_cut(remap);
		if (err)
			return err;
		remap->old_len = remap->new_len;
	}
	vma = vma_to_resize(remap);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	addr = get_unmapped_area(mm, vma->vm_file, remap->new_addr, remap->new_len,
				 vma_pgoff_at(vma, remap->addr), fixed);
	if (IS_ERR_VALUE(addr))
		return addr;
	remap->new_addr = addr;
	return move_vma(remap, vma);
}

/*
 *	[ vma ]<delta>			[ vma         ]
 *	[ vma ]<delta>[ next ]		[ vma                ]	next goes
 *
 * Correct because: see vma_merge_new(). The range is numbered as @vma is.
 * Returns 1 when there is no room.
 */
static int mremap_in_place(const struct remap *remap, struct vm_area_struct *vma)
{
	unsigned long end = remap->addr + remap->new_len;
	struct vma_merge merge = {
		.mm = remap->mm,
		.prev = vma,
		.source = vma,
		.start = vma->vm_end,
		.end = end,
		.pgoff = vma_pgoff_at(vma, vma->vm_end),
		.flags = vma->vm_flags,
		.file = vma->vm_file,
		.anon_name = vma->anon_name,
	};

	if (remap->addr + remap->old_len != vma->vm_end || end < vma->vm_end || end > TASK_SIZE ||
	    !range_is_free(remap->mm, vma->vm_end, end))
		return 1;
	vma_start_write(vma);
	merge.next = find_vma(remap->mm, vma->vm_end);
	return PTR_ERR_OR_ZERO(vma_merge_new(&merge));
}

static int mremap_locked(struct remap *remap)
{
	struct mm_struct *mm = remap->mm;
	struct vm_area_struct *vma;
	unsigned long addr;
	int ret;

	if (!vma_lookup(mm, remap->addr))
		return -EFAULT;
	if (remap->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return mremap_to(remap);

	remap->new_addr = remap->addr;
	if (remap->old_len == remap->new_len)
		return 0;
	if (remap->old_len > remap->new_len)
		return mremap_cut(remap);

	vma = vma_to_resize(remap);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	ret = mremap_in_place(remap, vma);
	if (ret <= 0)
		return ret;
	if (!(remap->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	addr = get_unmapped_area(mm, vma->vm_file, 0, remap->new_len,
				 vma_pgoff_at(vma, remap->addr), false);
	if (IS_ERR_VALUE(addr))
		return addr;
	remap->new_addr = addr;
	return move_vma(remap, vma);
}

/**
 * do_mremap - mremap(2)
 * @mm: mmap_lock not held
 * @addr: page aligned
 * @old_len: rounded up to pages
 * @new_len: rounded up to pages; with MREMAP_DONTUNMAP exactly @old_len
 * @flags: MREMAP_*
 * @new_addr: with MREMAP_FIXED where to; with MREMAP_DONTUNMAP alone, a hint
 * @result: where it is now
 *
 * May sleep. Returns 0, -EINVAL, -EFAULT, -ENOMEM. What was mapped at the target of
 * MREMAP_FIXED, or is cut off by the new length, may be gone after an error, as in
 * Linux.
 */
int do_mremap(struct mm_struct *mm, unsigned long addr, unsigned long old_len,
	      unsigned long new_len, int flags, unsigned long new_addr, unsigned long *result)
{
	struct remap remap = {
		.mm = mm,
		.addr = addr,
		.old_len = PAGE_ALIGN(old_len),
		.new_addr = new_addr,
		.new_len = PAGE_ALIGN(new_len),
		.flags = flags,
	};
	int err;

	if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) ||
	    ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE)) ||
	    ((flags & MREMAP_DONTUNMAP) && old_len != new_len) ||
	    (addr & ~PAGE_MASK) || !remap.new_len)
		return -EINVAL;
	mmap_write_lock(mm);
	err = mremap_locked(&remap);
	mmap_write_unlock(mm);
	if (!err)
		*result = remap.new_addr;
	return err;
}
