// SPDX-License-Identifier: GPL-2.0
/*
 * Where memory is mapped, and mapping it: mmap(), brk(), growth of stacks
 */
#include <sys/mman.h>
#include "vma.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

/* What vm_ops of a VMA points to that is not anonymous: nobody calls anything there. */
static const char file_vm_ops[] = "file";

/* -- Where ------------------------------------------------------------------------- */

/*
 * The highest (or with @bottom_up lowest) gap of @len bytes in [low, high) that is not
 * a stack's guard gap. Returns its address, or -ENOMEM.
 */
static unsigned long unmapped_area(struct mm_struct *mm, unsigned long len, unsigned long low,
				   unsigned long high, bool bottom_up)
{
	struct vm_area_struct *next;
	unsigned long addr;

	while (high >= len && low <= high - len) {
		MA_STATE(mas, &mm->mm_mt, 0, 0);

		if (bottom_up ? mas_empty_area(&mas, low, high - 1, len) :
				mas_empty_area_rev(&mas, low, high - 1, len))
			return -ENOMEM;
		addr = bottom_up ? mas.index : mas.last + 1 - len;
		next = find_vma(mm, addr);
		if (!next || vm_start_gap(next) >= addr + len)
			return addr;
		if (bottom_up)
			low = next->vm_end;
		else
			high = vm_start_gap(next);
	}
	return -ENOMEM;
}

static unsigned long unmapped_area_any(struct mm_struct *mm, unsigned long len)
{
	unsigned long addr = unmapped_area(mm, len, PAGE_SIZE, mm->mmap_hint, false);

	/* As Linux does when there is nothing left below the base. */
	if (addr == (unsigned long)-ENOMEM)
		addr = unmapped_area(mm, len, PAGE_ALIGN(TASK_SIZE / 3), TASK_SIZE, true);
	return addr;
}

/*
 * Mappings of whole huge pages are placed so that they can have huge pages: @pgoff
 * and address agree in the bits below PMD_SIZE. Returns -ENOMEM where there is no
 * gap with room for that.
 */
static unsigned long unmapped_area_huge(struct mm_struct *mm, unsigned long len, pgoff_t pgoff)
{
	unsigned long addr = unmapped_area_any(mm, len + PMD_SIZE), rest;

	if (IS_ERR_VALUE(addr))
		return addr;
	rest = ((pgoff << PAGE_SHIFT) - addr) & ~PMD_MASK;
	/* Top-down: the upper one of two that would do. */
	return rest ? addr + rest : addr + PMD_SIZE;
}

/**
 * get_unmapped_area - find room for a mapping
 * @mm: mmap_lock held for write
 * @file: what will be mapped, or NULL
 * @addr: where the program would like it, or 0
 * @len: a multiple of the page size, not 0
 * @pgoff: offset in @file
 * @fixed: @addr, and nowhere else, whatever is there
 *
 * Below mm->mmap_hint, as high as possible. Returns the address, or -ENOMEM or -EINVAL.
 */
unsigned long get_unmapped_area(struct mm_struct *mm, struct um_file *file, unsigned long addr,
				unsigned long len, pgoff_t pgoff, bool fixed)
{
	struct vm_area_struct *vma;
	unsigned long found = -ENOMEM;

	if (len > TASK_SIZE - MMAP_MIN_ADDR)
		return -ENOMEM;
	if (fixed) {
		if (addr > TASK_SIZE - len)
			return -ENOMEM;
		return addr & ~PAGE_MASK ? (unsigned long)-EINVAL : addr;
	}

	if (addr)
		addr = max(PAGE_ALIGN(addr), MMAP_MIN_ADDR);
	if (addr && addr <= TASK_SIZE - len) {
		vma = find_vma(mm, addr);
		if (!vma || addr + len <= vm_start_gap(vma))
			return addr;
	}
	if (!addr && !(len & ~PMD_MASK))
		found = unmapped_area_huge(mm, len, file ? pgoff : 0);
	return IS_ERR_VALUE(found) ? unmapped_area_any(mm, len) : found;
}

/* -- mmap -------------------------------------------------------------------------- */

/* Private memory that can be written is accounted, unless the program said no. */
static bool is_accountable(vm_flags_t flags)
{
	return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE;
}

/* What a driver makes of a mapping of its device: page frames, not pages. */
static vm_flags_t device_flags(const struct um_file *file)
{
	return file && file->kind == UM_FILE_DEVICE ? VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP : 0;
}

/* A new VMA for the range of @merge, not in the VMA tree yet. NULL: no memory. */
static struct vm_area_struct *mmap_new_vma(const struct vma_merge *merge)
{
	struct vm_area_struct *vma = vm_area_alloc(merge->mm);
	struct um_file *file = merge->file;

	if (!vma)
		return NULL;
	vma_set_range(vma, merge->start, merge->end, merge->pgoff);
	vma->vm_flags = merge->flags | device_flags(file);
	if (vma->vm_flags & VM_SPECIAL)
		vma->vm_flags &= ~VM_LOCKED_MASK;
	vma->vm_file = file;
	if (file) {
		um_file_get(file);
		/* /dev/zero mapped privately is anonymous memory with a file's offsets. */
		if (file->kind != UM_FILE_ZERO)
			vma->vm_ops = file_vm_ops;
	}
	vma_start_write(vma);
	return vma;
}

/*
 * Map a range, over whatever is there.
 *
 *	[ prev ]  [xxxx][xxx|xx] [ next ]	before: the x go
 *	        <  start..end>
 *
 * Correct because: all memory is allocated before the first page is unmapped, and an
 * abort puts the old VMAs back. They are in the VMA tree, without pages, until the
 * new VMA, or a neighbour that grows, is stored over them; all of them are
 * write-locked.
 */
static int mmap_region(struct vma_merge *merge)
{
	struct mm_struct *mm = merge->mm;
	MA_STATE(mas, &mm->mm_mt, merge->start, merge->end - 1);
	struct vm_area_struct *vma = NULL;
	struct vma_update update;
	struct vma_unmap unmap;
	int ret;

	if (is_accountable(merge->flags))
		merge->flags |= VM_ACCOUNT;
	ret = vma_unmap_gather(&unmap, mm, merge->start, merge->end);
	if (ret)
		return ret;
	merge->prev = unmap.prev;
	merge->next = unmap.next;

	ret = device_flags(merge->file) ? 0 : vma_merge_new_prepare(merge, &update);
	if (!ret) {
		vma = mmap_new_vma(merge);
		if (!vma)
			ret = -ENOMEM;
		else
			ret = mas_preallocate(&mas, vma, GFP_KERNEL);
	}
	if (ret < 0) {
		if (vma)
			vm_area_free(vma);
		vma_unmap_abort(&unmap);
		return ret;
	}

	vma_unmap_clear(&unmap);
	if (vma) {
		mas_store_prealloc(&mas, vma);
		mm->map_count++;
	} else {
		vma_update_commit(&update);
	}
	vma_unmap_free(&unmap);
	return 0;
}

/* The flags of a new mapping, from the arguments of mmap(). */
static vm_flags_t mmap_flags(const struct mm_struct *mm, int prot, int flags)
{
	vm_flags_t vm_flags = (prot & VM_ACCESS_FLAGS) | VM_MAYWRITE | mm->def_flags;

	if (flags & MAP_GROWSDOWN)
		vm_flags |= VM_GROWSDOWN;
	if (flags & MAP_LOCKED)
		vm_flags |= VM_LOCKED;
	if (flags & MAP_STACK)
		vm_flags |= VM_NOHUGEPAGE;
	if (flags & MAP_NORESERVE)
		vm_flags |= VM_NORESERVE;
	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		vm_flags |= VM_SHARED;
	return vm_flags;
}

static int mmap_locked(struct vma_merge *merge, unsigned long addr, unsigned long len, int flags)
{
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	struct mm_struct *mm = merge->mm;

	if (mm->map_count > MAX_MAP_COUNT)
		return -ENOMEM;
	addr = get_unmapped_area(mm, merge->file, addr, len, merge->pgoff, fixed);
	if (IS_ERR_VALUE(addr))
		return addr;
	if ((flags & MAP_FIXED_NOREPLACE) && !range_is_free(mm, addr, addr + len))
		return -EEXIST;
	merge->start = addr;
	merge->end = addr + len;
	if (!merge->file)
		merge->pgoff = addr >> PAGE_SHIFT;
	return mmap_region(merge);
}

/**
 * do_mmap - mmap(2)
 * @mm: mmap_lock not held
 * @addr: hint, or with MAP_FIXED and MAP_FIXED_NOREPLACE the address
 * @len: rounded up to pages
 * @prot: PROT_*
 * @flags: MAP_*. MAP_POPULATE changes nothing, and MAP_LOCKED just the flags of the VMA:
 *	whoever wants the pages there touches them
 * @file: what is mapped; NULL for private anonymous memory
 * @pgoff: offset in @file, in pages
 * @result: where
 *
 * A shared mapping of UM_FILE_ZERO gets shared memory of its own.
 *
 * May sleep. Returns 0, -EINVAL, -EOVERFLOW, -EEXIST, -ENOMEM.
 */
int do_mmap(struct mm_struct *mm, unsigned long addr, unsigned long len, int prot, int flags,
	    struct um_file *file, pgoff_t pgoff, unsigned long *result)
{
	bool shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
	struct um_file *memory = NULL;
	struct vma_merge merge;
	int err;

	if (!len || (!shared && (flags & MAP_TYPE) != MAP_PRIVATE) || (shared && !file) ||
	    (file && (flags & MAP_GROWSDOWN)))
		return -EINVAL;
	len = PAGE_ALIGN(len);
	if (!len)
		return -ENOMEM;
	if (pgoff + (len >> PAGE_SHIFT) < pgoff)
		return -EOVERFLOW;

	if (shared && file->kind == UM_FILE_ZERO) {
		memory = um_file_create(mm->world, UM_FILE_SHM);
		if (!memory)
			return -ENOMEM;
		file = memory;
	}
	mmap_write_lock(mm);
	merge = (struct vma_merge) {
		.mm = mm,
		.pgoff = pgoff,
		.flags = mmap_flags(mm, prot, flags),
		.file = file,
	};
	err = mmap_locked(&merge, addr, len, flags);
	mmap_write_unlock(mm);
	if (memory)
		um_file_put(memory);
	if (!err)
		*result = merge.start;
	return err;
}

/* -- brk --------------------------------------------------------------------------- */

/*
 *	[ heap ]<start..end>		grows, or a new VMA
 *
 * Correct because: the range is free; see vma_merge_new() and vma_link().
 */
static int brk_grow(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma, *next = find_vma(mm, start);
	struct vma_merge merge = {
		.mm = mm,
		.start = start,
		.end = end,
		.pgoff = start >> PAGE_SHIFT,
		.flags = VM_READ | VM_WRITE | VM_MAYWRITE | VM_ACCOUNT | mm->def_flags,
		.left_only = true,
	};
	int err;

	if (end > TASK_SIZE || (next && end + PAGE_SIZE > vm_start_gap(next)) ||
	    mm->map_count > MAX_MAP_COUNT)
		return -ENOMEM;
	vma = vma_before(mm, start);
	/* What lies below the heap is not the heap. */
	if (vma && vma->vm_end > mm->start_brk)
		merge.prev = vma;
	vma = vma_merge_new(&merge);
	if (vma)
		return PTR_ERR_OR_ZERO(vma);

	vma = mmap_new_vma(&merge);
	if (!vma)
		return -ENOMEM;
	err = vma_link(vma);
	if (err)
		vm_area_free(vma);
	return err;
}

/* A range that is not the heap's, or not any more, is not unmapped. */
static int brk_shrink(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = find_vma(mm, start);

	if (!vma || vma->vm_start >= end)
		return -ENOMEM;
	return munmap_range(mm, start, end);
}

/**
 * do_brk - brk(2)
 * @mm: mmap_lock not held
 * @brk: the new end of the heap, need not be aligned
 *
 * May sleep. Returns 0, or -ENOMEM and the heap ends where it did.
 */
int do_brk(struct mm_struct *mm, unsigned long brk)
{
	unsigned long new = PAGE_ALIGN(brk), old;
	int err = 0;

	mmap_write_lock(mm);
	old = PAGE_ALIGN(mm->brk);
	if (brk < mm->start_brk || new < brk)
		err = -ENOMEM;
	else if (new < old)
		err = brk_shrink(mm, new, old);
	else if (new > old)
		err = brk_grow(mm, old, new);
	if (!err)
		WRITE_ONCE(mm->brk, brk);	/* um_brk() looks ahead */
	mmap_write_unlock(mm);
	return err;
}

/* -- Growth of stacks -------------------------------------------------------------------------  */

/**
 * expand_downwards - let a stack begin at a lower address
 * @vma: the VMA; mmap_lock held for write
 * @address: need not be aligned
 *
 *	  address
 *	...<    [ vma ]		before
 *	...[          ]		after: vm_pgoff is less by as many pages
 *
 * Correct because: the anon offset of the pages stays, as vm_pgoff moves along, and
 * what is new has no pages. It must not wrap below 0, nor come near another VMA.
 * Boundaries change under the rwsem, so the VMA is made ready for pages first: like
 * Linux, also when nothing faulted it before.
 *
 * May sleep. Returns 0, -EFAULT (no stack), -EPERM, -ENOMEM (also for limits).
 */
int expand_downwards(struct vm_area_struct *vma, unsigned long address)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vma_update update = { .mm = mm, .vma = vma, .entry = vma, .end = vma->vm_end };
	struct vm_area_struct *prev;
	unsigned long grow;
	int err;

	address &= PAGE_MASK;
	if (address >= vma->vm_start)
		return 0;
	if (!(vma->vm_flags & VM_GROWSDOWN))
		return -EFAULT;
	if (address < MMAP_MIN_ADDR)
		return -EPERM;
	prev = vma_before(mm, vma->vm_start);
	if (prev && address < prev->vm_end)
		return -ENOMEM;
	if (prev && !(prev->vm_flags & VM_GROWSDOWN) && (prev->vm_flags & VM_ACCESS_FLAGS) &&
	    address - prev->vm_end < STACK_GUARD_GAP)
		return -ENOMEM;
	grow = (vma->vm_start - address) >> PAGE_SHIFT;
	if (grow > vma->vm_pgoff || vma->vm_end - address > mm->stack_rlimit)
		return -ENOMEM;

	vma_start_write(vma);
	err = anon_vma_prepare(vma);
	if (err)
		return err;
	update.start = update.store_start = address;
	update.store_end = vma->vm_end;
	update.pgoff = vma->vm_pgoff - grow;
	err = vma_update_prepare(&update);
	if (err)
		return err;
	vma_update_commit(&update);
	return 0;
}

/**
 * expand_stack - make an address part of the stack above it
 * @mm: mmap_lock held for write
 * @addr: need not be aligned
 *
 * May sleep. Returns 0 when @addr is mapped, now or already; -EFAULT, -EPERM, -ENOMEM.
 */
int expand_stack(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	return vma ? expand_downwards(vma, addr) : -EFAULT;
}
