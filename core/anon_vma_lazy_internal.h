/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_ANON_VMA_LAZY_INTERNAL_H
#define _MM_ANON_VMA_LAZY_INTERNAL_H
/*
 * What the files of the lazy topology share. anon_vma_lazy.c opens with the
 * picture of it all.
 */
#include <linux/anon_vma_lazy.h>
#include <linux/seqlock.h>

/**
 * struct lazy_anon_vma - what an anon_vma is in the lazy topology
 * @anon_vma: the part that everybody knows; ->root is always itself
 * @mms: mms served, normally one; more from LAZY_ANON_VMA_MAX_DEPTH on; rwsem
 * @sole_mm: for lockless walks, else unused: the one mm served, if its VMA tree is all there
 *	is to look at (no AVC, no detached VMA), else NULL. Follows from the other
 *	fields whenever the rwsem is not held for write. The mm is freed after a
 *	grace period
 * @hint: the VMA in place that a walk found last by address, or NULL. Set with the
 *	rwsem held, as VMAs stand still then; cleared whenever it was held for write
 * @parent: whom the mm was forked from; holds a reference on it
 * @top: top of the fork tree, which lives as long as any descendant
 * @children: linked by @sibling, in order of fork; top's @tree_lock
 * @sibling: in the parent's @children
 * @detached: batches of VMAs out of the VMA tree; rwsem
 * @adjust: odd while a mutator is at work; for lockless walks. Never reset
 * @tree_lock: used in the top only
 * @depth: number of ancestors
 */
struct lazy_anon_vma {
	struct anon_vma anon_vma;
	struct list_head mms;
	struct mm_struct *sole_mm;
	struct vm_area_struct *hint;
	struct lazy_anon_vma *parent;
	struct lazy_anon_vma *top;
	struct list_head children;
	struct list_head sibling;
	struct list_head detached;
	seqcount_t adjust;
	spinlock_t tree_lock;	/* children and siblings of the whole fork tree */
	unsigned int depth;
} __aligned(8);

static_assert(__alignof__(struct lazy_anon_vma) > ANON_VMA_TREE_TAGS);

/**
 * struct lazy_anon_vma_chain - the chain entry of a displaced VMA
 * @avc: in the VMA's anon_vma_chain and in its mm's anon_vma
 * @base: anon offset minus vm_pgoff, modulo the word. 0 for an anonymous VMA,
 *	whose vm_pgoff is an anon offset; for a private file mapping it remembers
 *	at which address the file page 0 would have been. Does not change under
 *	split, merge, expansion or move
 */
struct lazy_anon_vma_chain {
	struct anon_vma_chain avc;
	unsigned long base;
};

static inline struct lazy_anon_vma *to_lazy(const struct anon_vma *anon_vma)
{
	return container_of(anon_vma, struct lazy_anon_vma, anon_vma);
}

static inline struct lazy_anon_vma_chain *to_lazy_chain(const struct anon_vma_chain *avc)
{
	return container_of(avc, struct lazy_anon_vma_chain, avc);
}

/* The key of a displaced VMA: its anon offsets, which are not always vm_pgoff. */
static inline unsigned long lazy_chain_start(struct anon_vma_chain *avc)
{
	return avc->vma->vm_pgoff + to_lazy_chain(avc)->base;
}

static inline unsigned long lazy_chain_last(struct anon_vma_chain *avc)
{
	return lazy_chain_start(avc) + vma_pages(avc->vma) - 1;
}

static inline struct anon_vma_chain *lazy_chain_of(struct vm_area_struct *vma)
{
	return list_first_entry(&vma->anon_vma_chain, struct anon_vma_chain, same_vma);
}

void lazy_chain_tree_insert(struct anon_vma_chain *avc, struct rb_root_cached *root);
void lazy_chain_tree_remove(struct anon_vma_chain *avc, struct rb_root_cached *root);
struct anon_vma_chain *lazy_chain_tree_iter_first(struct rb_root_cached *root,
						  unsigned long first, unsigned long last);
struct anon_vma_chain *lazy_chain_tree_iter_next(struct anon_vma_chain *avc,
						 unsigned long first, unsigned long last);

#endif
