/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_VMA_H
#define USERMM_VMA_H
/*
 * What the files of the VMA side share: vma.c, vma_flags.c, mmap.c, mremap.c,
 * fork.c, exec.c. All of it needs mmap_lock held for write unless said otherwise.
 */
#include <linux/maple_tree.h>
#include "internal.h"

#define MAX_MAP_COUNT	65530			/* VMAs of an mm */
#define STACK_GUARD_GAP	(256UL << PAGE_SHIFT)	/* kept free below a stack */
#define MMAP_MIN_ADDR	65536UL			/* lowest address that is given out */
#define USER_CEILING	(1UL << 47)		/* page tables end here */
#define STACK_RLIMIT	(8UL << 20)		/* of an mm that exec has not given one */

#define VM_ACCESS_FLAGS	(VM_READ | VM_WRITE | VM_EXEC)
#define VM_LOCKED_MASK	(VM_LOCKED | VM_LOCKONFAULT)
#define VM_SPECIAL	(VM_DONTEXPAND | VM_PFNMAP)	/* never merged, never locked */

/**
 * struct vma_merge - a range that may become a part of its neighbours
 * @mm: whose
 * @prev: the VMA before the range, adjacent or not, or NULL
 * @next: the same after it
 * @vma: the VMA that [@start, @end) is a part of and whose attributes change; NULL
 *	for a new range, where no VMA is, or only such that are about to be unmapped
 * @source: a VMA whose pages will be in the new range, for mremap, or NULL
 * @start: the range
 * @end: the range, exclusive
 * @pgoff: of @start
 * @flags: what the range will have
 * @file: the same
 * @anon_name: the same
 * @numbering: how the range's pages are, or will be, numbered; set when it is decided
 * @left_only: do not look at @next
 */
struct vma_merge {
	struct mm_struct *mm;
	struct vm_area_struct *prev, *next;
	struct vm_area_struct *vma, *source;
	unsigned long start, end;
	pgoff_t pgoff;
	vm_flags_t flags;
	struct um_file *file;
	const char *anon_name;
	struct anon_vma_numbering numbering;
	bool left_only;
};

/**
 * struct vma_update - a change of VMA boundaries, prepared, then done or not
 * @mm: whose
 * @vma: gets [@start, @end) and @pgoff
 * @adjust: NULL, or the VMA on the other side of the boundary that moves
 * @adjust_start: its new start
 * @insert: NULL, or a new VMA, part of what @vma covered
 * @remove: NULL, or a VMA that @vma swallows
 * @remove2: NULL, or another
 * @dup: NULL, or which of them preparation gave its rmap state
 * @entry: what is stored in the VMA tree
 * @store_start: where
 * @store_end: where, exclusive
 * @mas: the same, with memory put by
 */
struct vma_update {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned long start, end;
	pgoff_t pgoff;
	struct vm_area_struct *adjust;
	unsigned long adjust_start;
	struct vm_area_struct *insert, *remove, *remove2, *dup;
	struct vm_area_struct *entry;
	unsigned long store_start, store_end;
	struct ma_state mas;
};

/**
 * struct vma_unmap - VMAs on their way out
 * @mm: whose
 * @prev: the VMA before the range that is unmapped, or NULL
 * @next: the VMA behind it, or NULL
 * @nr: VMAs in the batch
 * @vmas: the VMAs, by address
 * @batch: what the reverse map needs to find them
 */
struct vma_unmap {
	struct mm_struct *mm;
	struct vm_area_struct *prev, *next;
	int nr;
	struct maple_tree vmas;
	struct anon_vma_detached batch;
};

/* vma.c */
struct vm_area_struct *vma_before(struct mm_struct *mm, unsigned long addr);
bool range_is_free(struct mm_struct *mm, unsigned long start, unsigned long end);
void vma_set_range(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		   pgoff_t pgoff);
int vma_update_prepare(struct vma_update *update);
void vma_update_commit(struct vma_update *update);
int vma_link(struct vm_area_struct *vma);
int __split_vma(struct vm_area_struct *vma, unsigned long addr, bool new_below);
int split_vma(struct vm_area_struct *vma, unsigned long addr, bool new_below);
int vma_merge_new_prepare(struct vma_merge *merge, struct vma_update *update);
struct vm_area_struct *vma_merge_new(struct vma_merge *merge);
struct vm_area_struct *vma_modify(struct vm_area_struct *vma, unsigned long start,
				  unsigned long end, vm_flags_t flags, const char *anon_name);

/* munmap.c */
int vma_unmap_gather(struct vma_unmap *unmap, struct mm_struct *mm, unsigned long start,
		     unsigned long end);
void vma_unmap_abort(struct vma_unmap *unmap);
void vma_unmap_clear(struct vma_unmap *unmap);
void vma_unmap_free(struct vma_unmap *unmap);
int munmap_range(struct mm_struct *mm, unsigned long start, unsigned long end);
int munmap_check(unsigned long addr, unsigned long len);

/* mmap.c */
unsigned long get_unmapped_area(struct mm_struct *mm, struct um_file *file, unsigned long addr,
				unsigned long len, pgoff_t pgoff, bool fixed);
int expand_downwards(struct vm_area_struct *vma, unsigned long address);

/* fork.c */
void mm_cache_init(void);

static inline pgoff_t vma_pgoff_at(const struct vm_area_struct *vma, unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/* Where the guard gap of a stack begins; for other VMAs, the VMA. */
static inline unsigned long vm_start_gap(const struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_GROWSDOWN))
		return vma->vm_start;
	return vma->vm_start > STACK_GUARD_GAP ? vma->vm_start - STACK_GUARD_GAP : 0;
}

#endif
