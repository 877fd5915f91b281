/* SPDX-License-Identifier: GPL-2.0 */
/* Before the guard: where rmap.h includes this file, it does so at its end. */
#include <linux/rmap.h>
#ifndef _LINUX_ANON_VMA_TREE_H
#define _LINUX_ANON_VMA_TREE_H
/*
 * The tagged word in vma->anon_vma.
 *
 * Glossary (all of core/ uses these words)
 *
 * owner	the anon_vma that a folio's mapping word names
 * anon offset	the page number that an anonymous page was given when it was
 *		first mapped; folio->index; constant while the page is mapped
 * in place	said of a VMA whose pages have anon offset = address >> PAGE_SHIFT
 * displaced	said of any other faulted VMA
 * detached	said of a VMA that has left the mm's VMA tree while its pages
 *		are still being unmapped
 * subtree	an anon_vma and all its descendants in the fork tree
 * visit	one VMA handed to a walk's callback
 *
 * The word
 *
 * The upper bits are always a struct anon_vma pointer, or 0 while the VMA has
 * no anonymous page. The low bits say how a walk gets from there to the VMA:
 *
 *	bits			how the VMA is found
 *	0 (REGULAR)		by a chain entry, as Linux has always done
 *	LAZY			in place: by address, in the mm's VMA tree
 *	LAZY|DISPLACED		by the VMA's one chain entry
 *	LAZY|DETACHED		by address, in the anon_vma's list of detached VMAs
 *	LAZY|DISPLACED|DETACHED	by the chain entry; listed as well, for those who
 *				look for an address and not for an anon offset
 *
 * The state is written down, never inferred from "the chain is empty": a VMA
 * struct that was just copied has an empty chain and an inherited word.
 *
 * Who may change the word: 0 -> LAZY under the VMA lock held for read, as all
 * who race there store the same value; everything else under the anon_vma's
 * rwsem held for write, or while the VMA is not reachable by any walk.
 *
 * Only this header touches the bits.
 */

#define ANON_VMA_TREE_LAZY	1UL
#define ANON_VMA_TREE_DISPLACED	2UL
#define ANON_VMA_TREE_DETACHED	4UL
#define ANON_VMA_TREE_TAGS	7UL

/**
 * make_anon_vma_tree - build the word
 * @anon_vma: where a walk starts
 * @tags: ANON_VMA_TREE_* bits, 0 for the regular topology
 */
static inline anon_vma_tree_t make_anon_vma_tree(struct anon_vma *anon_vma, unsigned long tags)
{
	VM_WARN_ON_ONCE((unsigned long)anon_vma & ANON_VMA_TREE_TAGS);
	return (unsigned long)anon_vma | tags;
}

/**
 * anon_vma_tree_anon_vma - the anon_vma of a word
 * @tree: the word; 0 gives NULL
 */
static inline struct anon_vma *anon_vma_tree_anon_vma(anon_vma_tree_t tree)
{
	return (struct anon_vma *)(tree & ~ANON_VMA_TREE_TAGS);
}

/* False at compile time where the lazy topology is left out. */
static inline bool anon_vma_tree_is_lazy(anon_vma_tree_t tree)
{
	return IS_ENABLED(CONFIG_ANON_VMA_LAZY) && (tree & ANON_VMA_TREE_LAZY);
}

/* In place and in the VMA tree: what a lookup by address may accept. */
static inline bool anon_vma_tree_in_place(anon_vma_tree_t tree)
{
	return (tree & ANON_VMA_TREE_TAGS) == ANON_VMA_TREE_LAZY;
}

/* In place, but out of the VMA tree: what a walk accepts from the detached list. */
static inline bool anon_vma_tree_detached_in_place(anon_vma_tree_t tree)
{
	return (tree & ANON_VMA_TREE_TAGS) == (ANON_VMA_TREE_LAZY | ANON_VMA_TREE_DETACHED);
}

static inline bool anon_vma_tree_displaced(anon_vma_tree_t tree)
{
	return tree & ANON_VMA_TREE_DISPLACED;
}

static inline bool anon_vma_tree_detached(anon_vma_tree_t tree)
{
	return tree & ANON_VMA_TREE_DETACHED;
}

static inline anon_vma_tree_t anon_vma_tree_mk_detached(anon_vma_tree_t tree)
{
	return tree | ANON_VMA_TREE_DETACHED;
}

static inline anon_vma_tree_t anon_vma_tree_mk_attached(anon_vma_tree_t tree)
{
	return tree & ~ANON_VMA_TREE_DETACHED;
}

/**
 * anon_vma_owner_tree - the word by which to lock the owner of a folio
 * @anon_vma: from the folio's mapping word
 *
 * For those who come by an anon_vma by the folio and not by a VMA.
 */
static inline anon_vma_tree_t anon_vma_owner_tree(struct anon_vma *anon_vma)
{
	return make_anon_vma_tree(anon_vma, anon_vma_is_lazy(anon_vma) ? ANON_VMA_TREE_LAZY : 0);
}

void lazy_anon_vma_adjust_begin(struct anon_vma *anon_vma);
void lazy_anon_vma_changed(struct anon_vma *anon_vma);

/* Only walks without a lock ask whether anything was changed. */
static inline bool anon_vma_tree_counts_changes(anon_vma_tree_t tree)
{
	return IS_ENABLED(CONFIG_ANON_VMA_LOCKLESS) && anon_vma_tree_is_lazy(tree);
}

/**
 * anon_vma_tree_lock_write - keep walks out while VMAs or page tables change
 * @tree: a word that is not 0
 *
 * For whoever changes where the pages under @tree are to be found: VMA
 * boundaries, chain entries, page-table moves, leaving the VMA tree. In the lazy
 * topology it also tells lockless walks that what they saw may have changed, and
 * later walks that the VMA that was found last may be another one now. So
 * whoever moves a page and came by its owner (UFFDIO_MOVE, splitting a large
 * folio) takes anon_vma_owner_tree(), and does not call anon_vma_lock_write().
 *
 * Context: may sleep. Below mmap_lock and the folio lock, above PTE locks. A
 * mutator holds one anon_vma rwsem at a time, and allocates nothing that could
 * reclaim under it.
 */
static inline void anon_vma_tree_lock_write(anon_vma_tree_t tree)
{
	struct anon_vma *anon_vma = anon_vma_tree_anon_vma(tree);

	anon_vma_lock_write(anon_vma);
	if (anon_vma_tree_counts_changes(tree))
		lazy_anon_vma_adjust_begin(anon_vma);
}

/* As anon_vma_tree_lock_write(), without waiting; returns non-zero when locked. */
static inline int anon_vma_tree_trylock_write(anon_vma_tree_t tree)
{
	struct anon_vma *anon_vma = anon_vma_tree_anon_vma(tree);

	if (!anon_vma_trylock_write(anon_vma))
		return 0;
	if (anon_vma_tree_counts_changes(tree))
		lazy_anon_vma_adjust_begin(anon_vma);
	return 1;
}

static inline void anon_vma_tree_unlock_write(anon_vma_tree_t tree)
{
	struct anon_vma *anon_vma = anon_vma_tree_anon_vma(tree);

	if (anon_vma_tree_is_lazy(tree))
		lazy_anon_vma_changed(anon_vma);
	anon_vma_unlock_write(anon_vma);
}

/**
 * anon_vma_tree_lock_read - hold still what anon_vma_tree_lock_write() changes
 * @tree: a word that is not 0
 *
 * Context: may sleep.
 */
static inline void anon_vma_tree_lock_read(anon_vma_tree_t tree)
{
	anon_vma_lock_read(anon_vma_tree_anon_vma(tree));
}

static inline int anon_vma_tree_trylock_read(anon_vma_tree_t tree)
{
	return anon_vma_trylock_read(anon_vma_tree_anon_vma(tree));
}

static inline void anon_vma_tree_unlock_read(anon_vma_tree_t tree)
{
	anon_vma_unlock_read(anon_vma_tree_anon_vma(tree));
}

#endif
