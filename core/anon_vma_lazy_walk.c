// SPDX-License-Identifier: GPL-2.0
/*
 * Walking the lazy topology: step by step under locks, or without any rwsem
 *
 * anon_vma_lazy.c says what is walked, and why nothing is missed.
 */
#include <linux/xarray.h>
#include "anon_vma_lazy_internal.h"

enum lazy_walk_stage {
	LAZY_WALK_START,
	LAZY_WALK_TREE,		/* walk->mm's VMA tree, from walk->next_address */
	LAZY_WALK_CHAIN,	/* displaced VMAs of walk->at */
	LAZY_WALK_DETACHED,	/* walk->batch, from walk->next_address */
	LAZY_WALK_DONE,
};

/* The addresses of the wanted range, if it were in place. */
static void lazy_walk_start(struct anon_vma_walk *walk)
{
	const pgoff_t max = ULONG_MAX >> PAGE_SHIFT;

	if (walk->by_address) {
		walk->low = walk->wanted;
		walk->high = walk->wanted;
	} else if (walk->first > max) {
		/* An offset that is no page number belongs to a displaced VMA. */
		walk->low = 1;
		walk->high = 0;
	} else {
		walk->low = walk->first << PAGE_SHIFT;
		walk->high = (min(walk->last, max) << PAGE_SHIFT) | ~PAGE_MASK;
	}
}

/*
 * Does a VMA that was found by address belong to this walk? @mm is NULL in a batch
 * of detached VMAs. RCU read lock held.
 */
static bool lazy_walk_accepts(const struct anon_vma_walk *walk, const struct mm_struct *mm,
			      struct vm_area_struct *vma)
{
	anon_vma_tree_t word;

	/* A slot that fork reserved, or one of the parent's VMAs. */
	if (xa_is_zero(vma) || (mm && vma->vm_mm != mm))
		return false;
	word = READ_ONCE(vma->anon_vma);
	if (anon_vma_tree_anon_vma(word) != walk->at)
		return false;
	if (walk->by_address)
		return anon_vma_tree_detached(word) == !mm;
	return mm ? anon_vma_tree_in_place(word) : anon_vma_tree_detached_in_place(word);
}

/* One page, the usual case, has one VMA; this is the quicker way to it. */
static struct vm_area_struct *lazy_walk_lookup_page(struct anon_vma_walk *walk,
						    struct maple_tree *tree,
						    const struct mm_struct *mm,
						    unsigned long address)
{
	struct vm_area_struct *vma;

	rcu_read_lock();
	vma = mtree_load(tree, address);
	if (vma && !lazy_walk_accepts(walk, mm, vma))
		vma = NULL;
	rcu_read_unlock();
	walk->next_address = walk->high + 1;
	walk->address = address;
	return vma;
}

static struct vm_area_struct *lazy_walk_lookup_range(struct anon_vma_walk *walk,
						     struct maple_tree *tree,
						     const struct mm_struct *mm,
						     unsigned long start, unsigned long last)
{
	MA_STATE(mas, tree, start, start);
	struct vm_area_struct *vma, *found = NULL;

	rcu_read_lock();
	mas_for_each(&mas, vma, last) {
		if (!lazy_walk_accepts(walk, mm, vma))
			continue;
		found = vma;
		walk->next_address = mas.last + 1;
		walk->address = max(start, READ_ONCE(vma->vm_start));
		break;
	}
	rcu_read_unlock();
	return found;
}

/*
 * The next VMA of @tree in the wanted range, from walk->next_address on and below
 * @limit, that belongs to this walk. Everything is checked before the RCU lock is
 * dropped. After that the rwsem keeps the VMA, as one with a word of this
 * anon_vma leaves the tree, and the detached list, under the write lock only.
 */
static inline struct vm_area_struct *lazy_walk_lookup(struct anon_vma_walk *walk,
						      struct maple_tree *tree,
						      const struct mm_struct *mm,
						      unsigned long limit)
{
	unsigned long start = max(walk->low, walk->next_address);

	if (start > walk->high || start >= limit)
		return NULL;
	if (walk->high - start < PAGE_SIZE)
		return lazy_walk_lookup_page(walk, tree, mm, start);
	return lazy_walk_lookup_range(walk, tree, mm, start, min(walk->high, limit - 1));
}

/* The next VMA of walk->mm by its tree, and a note of it. */
static noinline struct vm_area_struct *lazy_walk_tree(struct anon_vma_walk *walk)
{
	struct mm_struct *mm = walk->mm;
	struct vm_area_struct *vma;

	vma = lazy_walk_lookup(walk, &mm->mm_mt, mm, mm->anon_vma_limit);
	/* One found for its address may be displaced, and is not for all walks. */
	if (vma && !walk->by_address)
		smp_store_release(&to_lazy(walk->at)->hint, vma); /* as in lazy_walk_mm() */
	return vma;
}

/*
 * The next VMA of walk->mm. Pages that lie next to each other tend to be asked for one
 * after the other, so the VMA found last is tried first: that saves most lookups. As it
 * was accepted since the rwsem was last held for write, it still would be.
 */
static __always_inline struct vm_area_struct *lazy_walk_mm(struct anon_vma_walk *walk)
{
	struct lazy_anon_vma *lazy = to_lazy(walk->at);
	unsigned long start = walk->next_address;
	struct vm_area_struct *vma;

	if (start > walk->high)
		return NULL;
	/*
	 * Acquire: pairs with the release in lazy_walk_tree(). Who stores it has found
	 * it in the VMA tree, and so sees its fields set.
	 */
	vma = smp_load_acquire(&lazy->hint);
	if (vma && vma->vm_mm == walk->mm && start >= vma->vm_start && start < vma->vm_end) {
		walk->next_address = vma->vm_end;
		walk->address = start;
		return vma;
	}
	return lazy_walk_tree(walk);
}

static struct vm_area_struct *lazy_walk_chain(struct anon_vma_walk *walk)
{
	struct vm_area_struct *vma;

	if (!walk->avc)
		walk->avc = lazy_chain_tree_iter_first(&walk->at->rb_root, walk->first, walk->last);
	else
		walk->avc = lazy_chain_tree_iter_next(walk->avc, walk->first, walk->last);
	if (!walk->avc)
		return NULL;
	vma = walk->avc->vma;
	walk->address = vma_range_address(vma, lazy_chain_start(walk->avc),
					  walk->first, walk->last);
	return vma;
}

/*
 * Look for the first of a list of siblings, from @pos on, whose lock is to be had. tree_lock
 * held: none of them is unlinked meanwhile. One that was locked here stays linked until
 * it is unlocked, whatever becomes of its count, as lazy_anon_vma_release() unlinks with
 * the lock held for write. One that a writer holds, or waits for, is pinned instead, and
 * walk->wait set; a walk that only tries locks ends there, contended. Returns true when
 * the search is over.
 */
static __always_inline bool lazy_lock_from(struct anon_vma_walk *walk, struct list_head *head,
					   struct list_head *pos, struct lazy_anon_vma **found)
{
	struct lazy_anon_vma *lazy;

	for (; pos != head; pos = pos->next) {
		lazy = list_entry(pos, struct lazy_anon_vma, sibling);
		/* With a count of zero it has nothing left, and is about to unlink itself. */
		if (!atomic_read(&lazy->anon_vma.refcount))
			continue;
		if (down_read_trylock(&lazy->anon_vma.rwsem)) {
			*found = lazy;
			return true;
		}
		if (walk->try_lock) {
			walk->contended = true;
			return true;
		}
		if (atomic_inc_not_zero(&lazy->anon_vma.refcount)) {
			walk->wait = true;
			*found = lazy;
			return true;
		}
	}
	return false;
}

/*
 * The first child of @lazy, as lazy_lock_from() finds it, or NULL. Most have none: not
 * inline, which makes the step from sibling to sibling shorter.
 */
static noinline struct lazy_anon_vma *lazy_lock_child(struct anon_vma_walk *walk,
						      struct lazy_anon_vma *lazy)
{
	struct lazy_anon_vma *child = NULL;

	lazy_lock_from(walk, &lazy->children, lazy->children.next, &child);
	return child;
}

/*
 * The successor of @lazy in the pre-order of @start's subtree, locked for read, or, with
 * walk->wait set, pinned. @lazy is locked or pinned too, and so linked; its ancestors live as
 * long as it is.
 */
static struct lazy_anon_vma *lazy_next(struct anon_vma_walk *walk, struct lazy_anon_vma *start,
				       struct lazy_anon_vma *lazy)
{
	struct lazy_anon_vma *next = NULL;
	bool over = false;

	/*
	 * A leaf that is its own subtree, the usual case, needs no lock. Order
	 * the look at the list after those at the page tables: a child whose PTEs
	 * were copied before we looked was linked before that. Pairs with the
	 * PTE lock, or for entries that were cleared since and skipped without
	 * taking it, with the unlock of tree_lock in lazy_anon_vma_fork_mm().
	 */
	smp_rmb();
	if (lazy == start && list_empty(&lazy->children))
		return NULL;

	spin_lock(&start->top->tree_lock);
	if (!list_empty(&lazy->children)) {
		next = lazy_lock_child(walk, lazy);
		over = next || walk->contended;
	}
	for (; !over && lazy != start; lazy = lazy->parent)
		over = lazy_lock_from(walk, &lazy->parent->children, lazy->sibling.next, &next);
	spin_unlock(&start->top->tree_lock);
	return next;
}

static void lazy_walk_enter(struct anon_vma_walk *walk, struct anon_vma *anon_vma)
{
	struct lazy_anon_vma *lazy = to_lazy(anon_vma);

	walk->at = anon_vma;
	walk->mm = list_first_entry_or_null(&lazy->mms, struct mm_struct, anon_vma_node);
	walk->next_address = walk->low;
	walk->stage = LAZY_WALK_TREE;
}

/* Leave walk->at, if it is not the owner. */
static __always_inline void lazy_walk_leave(struct anon_vma_walk *walk)
{
	if (walk->at == walk->owner)
		return;
	up_read(&walk->at->rwsem);
	if (walk->pinned) {
		walk->pinned = false;
		put_anon_vma(walk->at);
	}
}

/* @next is pinned: leave walk->at, and wait for the lock. */
static noinline void lazy_walk_wait(struct anon_vma_walk *walk, struct lazy_anon_vma *next)
{
	if (!walk->owner_pinned) {
		/*
		 * The pin on the descendant may turn out to be the last one, and to drop
		 * it may then free all up to the owner; but that waits for readers of the
		 * owner's lock, of which we are one. The descendant holds the owner: the
		 * count is not zero.
		 */
		get_anon_vma(walk->owner);
		walk->owner_pinned = true;
	}
	lazy_walk_leave(walk);
	/* The owner is held: ancestor before descendant. */
	down_read_nested(&next->anon_vma.rwsem, SINGLE_DEPTH_NESTING);
	walk->wait = false;
	walk->pinned = true;
}

static inline bool lazy_walk_step(struct anon_vma_walk *walk)
{
	struct lazy_anon_vma *next = lazy_next(walk, to_lazy(walk->owner), to_lazy(walk->at));

	if (unlikely(walk->wait))
		lazy_walk_wait(walk, next);
	else
		lazy_walk_leave(walk);
	if (!next) {
		walk->at = walk->owner;
		walk->stage = LAZY_WALK_DONE;
		return false;
	}
	lazy_walk_enter(walk, &next->anon_vma);
	return true;
}

/* The batch at @pos of walk->at's list, or NULL at its end. */
static struct anon_vma_detached *lazy_walk_batch(struct anon_vma_walk *walk, struct list_head *pos)
{
	walk->next_address = 0;
	return pos == &to_lazy(walk->at)->detached ? NULL :
		list_entry(pos, struct anon_vma_detached, node);
}

/* Displaced VMAs of walk->at, and those on their way out: what most have none of. */
static noinline struct vm_area_struct *lazy_walk_others(struct anon_vma_walk *walk)
{
	struct vm_area_struct *vma;

	if (walk->stage == LAZY_WALK_TREE) {
		walk->stage = LAZY_WALK_CHAIN;
		walk->avc = NULL;
	}
	if (walk->stage == LAZY_WALK_CHAIN) {
		/* An address is found in the trees, displaced or not. */
		vma = walk->by_address ? NULL : lazy_walk_chain(walk);
		if (vma)
			return vma;
		walk->stage = LAZY_WALK_DETACHED;
		walk->batch = lazy_walk_batch(walk, to_lazy(walk->at)->detached.next);
	}
	while (walk->batch) {
		walk->next_address = max(walk->next_address, walk->batch->start);
		vma = lazy_walk_lookup(walk, walk->batch->vmas, NULL, walk->batch->end);
		if (vma)
			return vma;
		walk->batch = lazy_walk_batch(walk, walk->batch->node.next);
	}
	return NULL;
}

static inline bool lazy_has_others(struct anon_vma *anon_vma)
{
	return !RB_EMPTY_ROOT(&anon_vma->rb_root.rb_root) ||
		!list_empty(&to_lazy(anon_vma)->detached);
}

/**
 * lazy_anon_vma_walk_next - step of the lazy topology
 * @walk: the walk
 *
 * The owner's own mms come first, as most pages are mapped there and nowhere
 * else, and a walk that knows the number of mappings ends there.
 *
 * Context: may sleep; the owner is locked, and so lives, or waits with its end for us.
 */
struct vm_area_struct *lazy_anon_vma_walk_next(struct anon_vma_walk *walk)
{
	struct vm_area_struct *vma;

	/* With an mm to look into it has started, and is not done. */
	if (!walk->mm) {
		if (walk->stage == LAZY_WALK_START) {
			lazy_walk_start(walk);
			lazy_walk_enter(walk, walk->owner);
		} else if (walk->stage == LAZY_WALK_DONE) {
			return NULL;
		}
	}
	do {
		while (walk->mm) {
			vma = lazy_walk_mm(walk);
			if (vma)
				return vma;
			if (list_is_last(&walk->mm->anon_vma_node, &to_lazy(walk->at)->mms)) {
				walk->mm = NULL;
				break;
			}
			walk->mm = list_next_entry(walk->mm, anon_vma_node);
			walk->next_address = walk->low;
		}
		if (unlikely(lazy_has_others(walk->at))) {
			vma = lazy_walk_others(walk);
			if (vma)
				return vma;
		}
	} while (lazy_walk_step(walk));
	return NULL;
}

/* Lets go of all but the pin on the owner, which anon_vma_walk_end() drops. */
void lazy_anon_vma_walk_end(struct anon_vma_walk *walk)
{
	if (!walk->at)
		return;
	lazy_walk_leave(walk);
	walk->at = walk->owner;
}

#ifdef CONFIG_ANON_VMA_LOCKLESS

/* How often a lockless walk starts over before it takes the locks. */
#define LAZY_LOCKLESS_TRIES	3

/* One try. Returns false when what it saw may be wrong. */
static bool lazy_walk_lockless_once(struct folio *folio, struct lazy_anon_vma *owner,
				    void *mapping, struct mm_struct *mm,
				    struct rmap_walk_control *rwc, unsigned int seq)
{
	pgoff_t first = folio_pgoff(folio);
	struct anon_vma_walk walk;
	struct vm_area_struct *vma;

	anon_vma_walk_begin(&walk, &owner->anon_vma, first, first + folio_nr_pages(folio) - 1);
	walk.at = &owner->anon_vma;
	lazy_walk_start(&walk);
	while ((vma = lazy_walk_lookup(&walk, &mm->mm_mt, mm, ULONG_MAX)))
		if (!rmap_walk_visit(folio, rwc, vma, walk.address))
			break;
	/*
	 * A child may have been linked, and given the page, while we looked, and
	 * the page then taken from here: read_seqcount_retry()'s barrier orders
	 * this after the look at the page tables, as in lazy_next(). A folio whose
	 * word has changed was moved, or freed, and may be numbered anew.
	 */
	return !read_seqcount_retry(&owner->adjust, seq) && list_empty(&owner->children) &&
		READ_ONCE(folio->mapping) == mapping && folio_pgoff(folio) == first;
}

/**
 * lazy_rmap_walk_lockless - walk an owner that has one mm, without any rwsem
 * @folio: anonymous
 * @rwc: ->restart is set: callbacks do not sleep, and may run again
 *
 * Nearly all owners serve one mm and have no children, no displaced VMAs and
 * none detached (->sole_mm). Its VMA tree is then all there is to look at. What makes
 * it stand still is not a lock but ->adjust: if it has not moved from before the
 * lookup until after the last PTE was looked at, no VMA left, moved or changed
 * its range meanwhile. "There is no VMA here" is a proof only together with that.
 *
 * Hosts that set CONFIG_ANON_VMA_LOCKLESS promise that all it may still be looking at
 * is freed after a grace period: mm structs, VMAs, the nodes of VMA trees (which
 * stay in RCU mode to the end, fork's copies included), page tables on every path
 * that frees one, and the locks of page tables where those are allocated. A stale
 * owner is type-stable memory that the folio does not name any more, or whose ->adjust
 * has moved since the folio was seen mapped.
 *
 * Context: process context; does not sleep. Returns true when the walk is complete;
 * false when the caller must walk with locks, after @rwc->restart has been called.
 */
bool lazy_rmap_walk_lockless(struct folio *folio, struct rmap_walk_control *rwc)
{
	struct anon_vma *anon_vma;
	struct mm_struct *mm = NULL;
	bool done = false;
	int tries;

	rcu_read_lock();
	for (tries = 0; tries < LAZY_LOCKLESS_TRIES && !done; tries++) {
		void *mapping = READ_ONCE(folio->mapping);
		struct lazy_anon_vma *owner;
		unsigned int seq;

		/*
		 * Mapped now: the owner lived within this RCU section, so its memory is
		 * that of an anon_vma to the end of it, if maybe of another one.
		 */
		if (((unsigned long)mapping & PAGE_MAPPING_FLAGS) != PAGE_MAPPING_ANON ||
		    !folio_mapped(folio))
			break;
		anon_vma = mapping - PAGE_MAPPING_ANON;
		if (!anon_vma_is_lazy(anon_vma))
			break;
		owner = to_lazy(anon_vma);
		/* Odd: a mutator is at work, and may be for a while. */
		seq = raw_read_seqcount(&owner->adjust);
		if (seq & 1)
			break;
		/*
		 * Mapped after the count was read (raw_read_seqcount() is an acquire): so
		 * the count is that of the life that has the folio, and the end of that
		 * will move it. Else it could be that of the next life, which stands still
		 * while we look at a stranger's VMAs.
		 */
		if (!folio_mapped(folio))
			break;
		/* What it points to lives for this RCU section; if stale, ->adjust tells. */
		mm = READ_ONCE(owner->sole_mm);
		if (!mm || !list_empty(&owner->children) || READ_ONCE(folio->mapping) != mapping)
			break;
		if (tries) {
			count_anon_vma_event(mm, ANON_VMA_LOCKLESS_RETRY);
			rwc->restart(rwc->arg);
		}
		done = lazy_walk_lockless_once(folio, owner, mapping, mm, rwc, seq);
	}
	if (mm)
		count_anon_vma_event(mm, done ? ANON_VMA_LOCKLESS : ANON_VMA_LOCKLESS_FALLBACK);
	rcu_read_unlock();
	if (!done && tries)
		rwc->restart(rwc->arg);
	return done;
}

#endif /* CONFIG_ANON_VMA_LOCKLESS */
