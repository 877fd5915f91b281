/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_ANON_VMA_LAZY_H
#define _LINUX_ANON_VMA_LAZY_H
/*
 * The lazy topology: one anon_vma per mm, VMAs found by address. See
 * anon_vma_lazy.c for how and why, anon_vma_tree.h for the words used.
 */
#include <linux/rmap_walk.h>
#include <linux/maple_tree.h>

/**
 * struct anon_vma_numbering - how the pages of a range are, or would be, numbered
 * @tree: the word of the VMA that the range comes from; 0 if it has no pages
 * @address: where the range starts
 * @displacement: anon offset minus (address >> PAGE_SHIFT), modulo the word
 *
 * For merge decisions: the range need not be a VMA yet.
 */
struct anon_vma_numbering {
	anon_vma_tree_t tree;
	unsigned long address;
	unsigned long displacement;
};

/**
 * struct anon_vma_detached - VMAs that have left the VMA tree, pages and all
 * @node: in the anon_vma's list; its rwsem
 * @start: lowest address of the VMAs in @vmas
 * @end: highest, exclusive
 * @first: the lowest of them
 * @vmas: the VMAs, by address
 *
 * Filled in by whoever takes VMAs out of an mm's tree, on its own stack, before
 * anon_vma_detach; constant from then until it is off the list.
 */
struct anon_vma_detached {
	struct list_head node;
	unsigned long start, end;
	struct vm_area_struct *first;
	struct maple_tree *vmas;
};

/*
 * At this depth of the fork tree children join their parent's anon_vma. It
 * bounds the anon_vmas that one live mm can keep alive, and the steps of every
 * climb. As exec starts anew, only programs that fork and fork again without
 * exec come near it; see docs/design.md.
 */
#define LAZY_ANON_VMA_MAX_DEPTH	16

extern struct kmem_cache *lazy_anon_vma_cachep, *lazy_anon_vma_chain_cachep;

/*
 * Either this or the regular topology's initialisation runs in a Linux boot: the
 * slab caches have the same names, as it is one image that is compared.
 */
void lazy_anon_vma_init(void);
void lazy_anon_vma_init_mm(struct mm_struct *mm);

int lazy_anon_vma_prepare(struct vm_area_struct *vma);
int lazy_anon_vma_clone(struct vm_area_struct *dst, struct vm_area_struct *src);
int lazy_anon_vma_fork_mm(struct mm_struct *mm, struct mm_struct *oldmm);
int lazy_anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *pvma);
void lazy_anon_vma_fork_failed(struct mm_struct *mm, unsigned long addr);
void lazy_unlink_anon_vmas(struct vm_area_struct *vma);
void lazy_anon_vma_merged(struct vm_area_struct *vma);
void lazy_anon_vma_exit_mm(struct mm_struct *mm);
void lazy_anon_vma_release(struct anon_vma *anon_vma);

void lazy_anon_vma_pre_update(struct vm_area_struct *vma);
void lazy_anon_vma_post_update(struct vm_area_struct *vma);
struct anon_vma_chain *lazy_anon_vma_chain_alloc(void);
void lazy_anon_vma_chain_free(struct anon_vma_chain *avc);
void lazy_anon_vma_displace(struct vm_area_struct *vma, struct anon_vma_chain *avc);
bool lazy_anon_vma_mergeable(struct vm_area_struct *vma, const struct anon_vma_numbering *other);

void lazy_anon_vma_detach(struct mm_struct *mm, struct anon_vma_detached *batch);
void lazy_anon_vma_reattach(struct mm_struct *mm, struct anon_vma_detached *batch);
void lazy_anon_vma_detach_done(struct mm_struct *mm, struct anon_vma_detached *batch);

struct anon_vma *lazy_anon_vma_owner(struct vm_area_struct *vma, bool exclusive);
bool lazy_anon_vma_covers(struct anon_vma *owner, struct vm_area_struct *vma);

struct vm_area_struct *lazy_anon_vma_walk_next(struct anon_vma_walk *walk);
void lazy_anon_vma_walk_end(struct anon_vma_walk *walk);
#ifdef CONFIG_ANON_VMA_LOCKLESS
bool lazy_rmap_walk_lockless(struct folio *folio, struct rmap_walk_control *rwc);
#else
static inline bool lazy_rmap_walk_lockless(struct folio *folio, struct rmap_walk_control *rwc)
{
	return false;
}
#endif

pgoff_t lazy_displaced_pgoff(struct vm_area_struct *vma);

#ifdef CONFIG_ANON_VMA_CHECKERS
/* For tests and accounts; the caller keeps the world still. */
extern const size_t lazy_anon_vma_size, lazy_anon_vma_chain_size;
struct anon_vma *lazy_anon_vma_parent(const struct anon_vma *anon_vma);
unsigned int lazy_anon_vma_depth(const struct anon_vma *anon_vma);
bool lazy_anon_vma_is_valid(struct anon_vma *anon_vma);
#endif

/* As vma_anon_pgoff(), by a word that was read with acquire. */
static inline pgoff_t __vma_anon_pgoff(struct vm_area_struct *vma, anon_vma_tree_t tree)
{
	if (!anon_vma_tree_is_lazy(tree))
		return vma->vm_pgoff;
	if (!anon_vma_tree_displaced(tree))
		return vma->vm_start >> PAGE_SHIFT;
	return lazy_displaced_pgoff(vma);
}

/**
 * vma_anon_pgoff - anon offset of the first page of a faulted VMA
 * @vma: held still by mmap_lock, its VMA lock, or its anon_vma's rwsem
 *
 * Acquire pairs with the release in lazy_displace_locked(): another fault under
 * the same VMA lock may just have displaced it, and the chain must be seen with
 * the word, or the base would be read from a list head.
 */
static inline pgoff_t vma_anon_pgoff(struct vm_area_struct *vma)
{
	return __vma_anon_pgoff(vma, smp_load_acquire(&vma->anon_vma)); /* see above */
}

/**
 * anon_page_index - anon offset that a page gets in a faulted VMA
 * @vma: as for vma_anon_pgoff()
 * @address: an address in it
 */
static inline pgoff_t anon_page_index(struct vm_area_struct *vma, unsigned long address)
{
	return vma_anon_pgoff(vma) + ((address - vma->vm_start) >> PAGE_SHIFT);
}

/**
 * anon_vma_numbering - how the pages of a VMA would be numbered elsewhere
 * @vma: the VMA; mmap_lock held
 * @address: where its page @pgoff would be
 * @pgoff: a page of @vma, in terms of its vm_pgoff
 *
 * With @address and @pgoff those of the VMA itself: how they are numbered. The word
 * is read once: a fault may be setting it.
 */
static inline struct anon_vma_numbering anon_vma_numbering(struct vm_area_struct *vma,
							   unsigned long address, pgoff_t pgoff)
{
	anon_vma_tree_t tree = smp_load_acquire(&vma->anon_vma); /* as there */

	return (struct anon_vma_numbering) {
		.tree = tree,
		.address = address,
		.displacement = __vma_anon_pgoff(vma, tree) + (pgoff - vma->vm_pgoff) -
				(address >> PAGE_SHIFT),
	};
}

#endif
