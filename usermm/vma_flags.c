// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of ranges: mprotect(), madvise(), mlock(), mlockall(), names
 *
 * All of them walk over the VMAs of a range and let vma_modify() give the part
 * that changes a VMA of its own, or make it a part of a neighbour that is like it
 * already. Which VMAs there are afterwards is what Linux would have.
 *
 * Correct because: no page moves, and where it is found changes in vma_modify()
 * only. vm_flags and the name are written under mmap_lock and the VMA's write lock.
 *
 * A range may have been changed in part when an error is returned, as in Linux.
 */
#include <string.h>
#include <sys/mman.h>
#include "vma.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

/*
 * Apply @visit to the VMAs in [start, end), in order. It is given the part of a VMA
 * that is in the range, and returns the VMA that has that part afterwards - which
 * may reach further, when neighbours were alike - or an error. Holes end it, unless
 * @holes: then they are remembered only. Returns 0, an error of @visit, or -ENOMEM
 * for holes.
 */
static int for_each_part(struct mm_struct *mm, unsigned long start, unsigned long end, bool holes,
			 struct vm_area_struct *(*visit)(struct vm_area_struct *vma,
							 unsigned long start, unsigned long end,
							 const void *arg),
			 const void *arg)
{
	struct vm_area_struct *vma;
	int ret = 0;

	while (start < end) {
		vma = find_vma(mm, start);
		if (!vma || vma->vm_start >= end)
			return -ENOMEM;
		if (vma->vm_start > start) {
			if (!holes)
				return -ENOMEM;
			ret = -ENOMEM;
			start = vma->vm_start;
		}
		vma = visit(vma, start, min(end, vma->vm_end), arg);
		if (IS_ERR(vma))
			return PTR_ERR(vma);
		start = vma->vm_end;
	}
	return ret;
}

/* Give the part the flags. */
static struct vm_area_struct *change_flags(struct vm_area_struct *vma, unsigned long start,
					   unsigned long end, vm_flags_t flags)
{
	if (flags == vma->vm_flags)
		return vma;
	vma = vma_modify(vma, start, end, flags, vma->anon_name);
	if (IS_ERR(vma))
		return vma;
	vma_start_write(vma);
	WRITE_ONCE(vma->vm_flags, flags);
	return vma;
}

/* -- mprotect ---------------------------------------------------------------------- */

/*
 * A private mapping is accounted from the time that it is writable. An anonymous
 * one without pages stops to be when it no longer is.
 */
static vm_flags_t mprotect_account(struct vm_area_struct *vma, vm_flags_t flags)
{
	if (flags & VM_WRITE) {
		if (!(vma->vm_flags & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED |
				       VM_NORESERVE)))
			flags |= VM_ACCOUNT;
	} else if ((vma->vm_flags & VM_ACCOUNT) && vma_is_anonymous(vma) && !vma->anon_vma) {
		flags &= ~VM_ACCOUNT;
	}
	return flags;
}

static struct vm_area_struct *mprotect_part(struct vm_area_struct *vma, unsigned long start,
					    unsigned long end, const void *arg)
{
	vm_flags_t flags = (vma->vm_flags & ~VM_ACCESS_FLAGS) | *(const vm_flags_t *)arg;

	if ((flags & VM_WRITE) && !(flags & VM_MAYWRITE))
		return ERR_PTR(-EACCES);
	if (flags == vma->vm_flags)
		return vma;
	/* Whether it has pages is asked when no fault can make the first. */
	vma_start_write(vma);
	vma = change_flags(vma, start, end, mprotect_account(vma, flags));
	if (!IS_ERR(vma))
		change_protection(vma, start, end);
	return vma;
}

/**
 * do_mprotect - mprotect(2)
 * @mm: mmap_lock not held
 * @addr: page aligned
 * @len: rounded up to pages
 * @prot: PROT_*; with PROT_GROWSDOWN from where the stack starts
 *
 * May sleep. Returns 0, -EINVAL, -EACCES, -ENOMEM (also for holes).
 */
int do_mprotect(struct mm_struct *mm, unsigned long addr, unsigned long len, int prot)
{
	vm_flags_t flags = prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	unsigned long end = addr + PAGE_ALIGN(len);
	struct vm_area_struct *vma;
	int err = 0;

	BUILD_BUG_ON(PROT_READ != VM_READ || PROT_WRITE != VM_WRITE || PROT_EXEC != VM_EXEC);
	if ((prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN)) || (addr & ~PAGE_MASK))
		return -EINVAL;
	if (!len)
		return 0;
	if (end <= addr)
		return -ENOMEM;

	mmap_write_lock(mm);
	if (prot & PROT_GROWSDOWN) {
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start >= end)
			err = -ENOMEM;
		else if (!(vma->vm_flags & VM_GROWSDOWN))
			err = -EINVAL;
		else
			addr = vma->vm_start;
	}
	if (!err)
		err = for_each_part(mm, addr, end, false, mprotect_part, &flags);
	mmap_write_unlock(mm);
	return err;
}

/* -- madvise ----------------------------------------------------------------------- */

/* The flags that an advice gives a VMA, or -EINVAL. */
static int madvise_flags(const struct vm_area_struct *vma, int advice, vm_flags_t *flags)
{
	switch (advice) {
	case MADV_NORMAL:
		*flags &= ~(VM_RAND_READ | VM_SEQ_READ);
		break;
	case MADV_SEQUENTIAL:
		*flags = (*flags & ~VM_RAND_READ) | VM_SEQ_READ;
		break;
	case MADV_RANDOM:
		*flags = (*flags & ~VM_SEQ_READ) | VM_RAND_READ;
		break;
	case MADV_DONTFORK:
		*flags |= VM_DONTCOPY;
		break;
	case MADV_DOFORK:
		/* What a device has mapped by page frame number was left out by the device. */
		if (*flags & VM_PFNMAP)
			return -EINVAL;
		*flags &= ~VM_DONTCOPY;
		break;
	case MADV_WIPEONFORK:
		if (vma->vm_file || (*flags & VM_SHARED))
			return -EINVAL;
		*flags |= VM_WIPEONFORK;
		break;
	case MADV_KEEPONFORK:
		*flags &= ~VM_WIPEONFORK;
		break;
	case MADV_DONTDUMP:
		*flags |= VM_DONTDUMP;
		break;
	case MADV_DODUMP:
		if (*flags & VM_SPECIAL)
			return -EINVAL;
		*flags &= ~VM_DONTDUMP;
		break;
	case MADV_MERGEABLE:
		/* KSM is for private pages; others are left alone without a word. */
		if (!(*flags & (VM_SPECIAL | VM_SHARED | VM_HUGETLB)))
			*flags |= VM_MERGEABLE;
		break;
	case MADV_UNMERGEABLE:
		*flags &= ~VM_MERGEABLE;
		break;
	case MADV_HUGEPAGE:
		*flags = (*flags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE;
		break;
	case MADV_NOHUGEPAGE:
		*flags = (*flags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE;
		break;
	}
	return 0;
}

static struct vm_area_struct *madvise_flags_part(struct vm_area_struct *vma, unsigned long start,
						 unsigned long end, const void *arg)
{
	vm_flags_t flags = vma->vm_flags;
	int advice = *(const int *)arg;
	int err = madvise_flags(vma, advice, &flags);

	if (!err && advice == MADV_UNMERGEABLE && (vma->vm_flags & VM_MERGEABLE)) {
		/* As in Linux its pages are its own again before the flag goes. */
		vma_start_write(vma);
		err = ksm_unmerge(vma, start, end);
	}
	return err ? ERR_PTR(err) : change_flags(vma, start, end, flags);
}

/* mmap_lock held for read. */
static struct vm_area_struct *madvise_pages_part(struct vm_area_struct *vma, unsigned long start,
						 unsigned long end, const void *arg)
{
	int advice = *(const int *)arg, err = 0;
	vm_flags_t forbidden = advice == MADV_DONTNEED_LOCKED ? VM_PFNMAP : VM_PFNMAP | VM_LOCKED;

	if (vma->vm_flags & forbidden)
		return ERR_PTR(-EINVAL);
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		zap_page_range(vma, start, end);
		break;
	case MADV_FREE:
		err = vma_is_anonymous(vma) ? madvise_free(vma, start, end) : -EINVAL;
		break;
	case MADV_COLD:
		err = madvise_cold(vma, start, end);
		break;
	case MADV_PAGEOUT:
		err = madvise_pageout(vma, start, end);
		break;
	}
	return err ? ERR_PTR(err) : vma;
}

/* Nothing to do here: no reading ahead, no content to populate. */
static struct vm_area_struct *madvise_nothing_part(struct vm_area_struct *vma,
						   unsigned long start __maybe_unused,
						   unsigned long end __maybe_unused,
						   const void *arg __maybe_unused)
{
	return vma;
}

/**
 * do_madvise - madvise(2)
 * @mm: mmap_lock not held
 * @addr: page aligned
 * @len: rounded up to pages
 * @advice: MADV_*. Those that are hints about reading, or ask for pages ahead of
 *	time, change nothing
 *
 * Holes are skipped, and -ENOMEM returned in the end.
 *
 * May sleep. Returns 0, -EINVAL (advice unknown, or not for such a VMA), -ENOMEM -
 * where Linux says -EAGAIN if it was an allocation.
 */
int do_madvise(struct mm_struct *mm, unsigned long addr, unsigned long len, int advice)
{
	unsigned long end = addr + PAGE_ALIGN(len);
	int err;

	if ((addr & ~PAGE_MASK) || (len && !PAGE_ALIGN(len)) || end < addr)
		return -EINVAL;

	switch (advice) {
	case MADV_NORMAL:
	case MADV_SEQUENTIAL:
	case MADV_RANDOM:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		mmap_write_lock(mm);
		err = for_each_part(mm, addr, end, true, madvise_flags_part, &advice);
		mmap_write_unlock(mm);
		return err;
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		mmap_read_lock(mm);
		err = for_each_part(mm, addr, end, true, madvise_pages_part, &advice);
		mmap_read_unlock(mm);
		return err;
	case MADV_WILLNEED:
	case MADV_REMOVE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLLAPSE:
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		mmap_read_lock(mm);
		err = for_each_part(mm, addr, end, true, madvise_nothing_part, NULL);
		mmap_read_unlock(mm);
		return err;
	default:
		return -EINVAL;
	}
}

/* -- mlock ------------------------------------------------------------------------- */

static struct vm_area_struct *mlock_part(struct vm_area_struct *vma, unsigned long start,
					 unsigned long end, const void *arg)
{
	vm_flags_t flags = (vma->vm_flags & ~VM_LOCKED_MASK) | *(const vm_flags_t *)arg;

	if (vma->vm_flags & (VM_SPECIAL | VM_HUGETLB))
		return vma;
	return change_flags(vma, start, end, flags);
}

static vm_flags_t mlock_flags(bool on, bool onfault)
{
	if (!on)
		return 0;
	return onfault ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED;
}

/**
 * do_mlock - mlock(2), mlock2(2), munlock(2)
 * @mm: mmap_lock not held
 * @addr: rounded down to a page
 * @len: rounded up
 * @on: lock, else unlock
 * @onfault: MLOCK_ONFAULT
 *
 * The flags only: whoever wants the pages there touches them.
 *
 * May sleep. Returns 0, -EINVAL, -ENOMEM (also for holes).
 */
int do_mlock(struct mm_struct *mm, unsigned long addr, unsigned long len, bool on, bool onfault)
{
	unsigned long start = addr & PAGE_MASK, end = start + PAGE_ALIGN(len + (addr & ~PAGE_MASK));
	vm_flags_t flags = mlock_flags(on, onfault);
	int err;

	if (end < start)
		return -EINVAL;
	mmap_write_lock(mm);
	err = for_each_part(mm, start, end, false, mlock_part, &flags);
	mmap_write_unlock(mm);
	return err;
}

/**
 * do_mlockall - mlockall(2), munlockall(2)
 * @mm: mmap_lock not held
 * @current_maps: MCL_CURRENT
 * @future: MCL_FUTURE; neither of the two: munlockall()
 * @onfault: MCL_ONFAULT
 *
 * A VMA whose flags cannot be changed for lack of memory keeps them, as in Linux.
 *
 * May sleep. Returns 0.
 */
int do_mlockall(struct mm_struct *mm, bool current_maps, bool future, bool onfault)
{
	vm_flags_t flags = mlock_flags(current_maps, onfault);
	struct vm_area_struct *vma, *changed;

	mmap_write_lock(mm);
	mm->def_flags &= ~VM_LOCKED_MASK;
	mm->def_flags |= mlock_flags(future, onfault);
	if (current_maps || !future) {
		for (vma = find_vma(mm, 0); vma; vma = find_vma(mm, vma->vm_end)) {
			changed = mlock_part(vma, vma->vm_start, vma->vm_end, &flags);
			if (!IS_ERR(changed))
				vma = changed;
		}
	}
	mmap_write_unlock(mm);
	return 0;
}

/* -- Names ------------------------------------------------------------------------- */

static struct vm_area_struct *name_part(struct vm_area_struct *vma, unsigned long start,
					unsigned long end, const void *arg)
{
	const char *name = arg;
	char *copy = NULL, *old;

	/* Memory that is shared without a file has a file here, as in Linux. */
	if (vma->vm_file && vma->vm_file->kind != UM_FILE_SHM)
		return ERR_PTR(-EBADF);
	if (name && vma->anon_name ? !strcmp(name, vma->anon_name) : name == vma->anon_name)
		return vma;
	if (name) {
		copy = kstrdup(name, GFP_KERNEL);
		if (!copy)
			return ERR_PTR(-ENOMEM);
	}
	vma = vma_modify(vma, start, end, vma->vm_flags, name);
	if (IS_ERR(vma)) {
		kfree(copy);
		return vma;
	}
	vma_start_write(vma);
	old = vma->anon_name;
	vma->anon_name = copy;
	kfree(old);
	return vma;
}

/**
 * do_vma_name - prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME)
 * @mm: mmap_lock not held
 * @addr: page aligned
 * @len: rounded up to pages
 * @name: NULL: none
 *
 * May sleep. Returns 0, -EINVAL, -EBADF (a file is mapped there), -ENOMEM (also for
 * holes, which are skipped).
 */
int do_vma_name(struct mm_struct *mm, unsigned long addr, unsigned long len, const char *name)
{
	unsigned long end = addr + PAGE_ALIGN(len);
	int err;

	if ((addr & ~PAGE_MASK) || (len && !PAGE_ALIGN(len)) || end < addr)
		return -EINVAL;
	mmap_write_lock(mm);
	err = for_each_part(mm, addr, end, true, name_part, name);
	mmap_write_unlock(mm);
	return err;
}
