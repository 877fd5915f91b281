// SPDX-License-Identifier: GPL-2.0
/*
 * The regular topology of the anonymous reverse map, and the entry points
 *
 * User space only: this file stands in for Linux's mm/rmap.c, whose behaviour -
 * when an anon_vma or a chain entry is made, shared and freed - it reproduces
 * exactly, as the numbers of objects it uses are what the lazy topology is
 * compared with. The entry points choose by the mm's topology; Linux chooses by
 * a static key in the same places.
 *
 * An anon_vma per faulted VMA, reused from a neighbour with which the VMA could
 * merge. A chain entry (AVC) per pair of VMA and anon_vma that may own a page in
 * it, in the interval tree of that anon_vma by anon offset. fork gives the
 * child's VMA an AVC for each anon_vma of the parent's VMA, and an anon_vma of
 * its own, unless it can reuse one that lost its VMAs.
 *
 *	parent's VMA <-- AVC --> anon_vma P <--.
 *	                                        AVC
 *	child's VMA  <-------------------------'
 *	             <-- AVC --> anon_vma C		C->parent = P, C->root = P
 *
 * One rwsem, in the root, for the whole tree.
 */
#include <linux/anon_vma_lazy.h>
#include <linux/interval_tree_generic.h>
#include <linux/err.h>

static struct kmem_cache *anon_vma_cachep;
static struct kmem_cache *anon_vma_chain_cachep;

/* -- Interval tree of AVCs ---------------------------------------------------- */

static inline unsigned long avc_start_pgoff(struct anon_vma_chain *avc)
{
	return avc->vma->vm_pgoff;
}

static inline unsigned long avc_last_pgoff(struct anon_vma_chain *avc)
{
	return avc->vma->vm_pgoff + vma_pages(avc->vma) - 1;
}

INTERVAL_TREE_DEFINE(struct anon_vma_chain, rb, unsigned long, rb_subtree_last,
		     avc_start_pgoff, avc_last_pgoff, static, avc_tree)

struct anon_vma_chain *anon_vma_interval_tree_iter_first(struct rb_root_cached *root,
							 unsigned long first, unsigned long last)
{
	return avc_tree_iter_first(root, first, last);
}

struct anon_vma_chain *anon_vma_interval_tree_iter_next(struct anon_vma_chain *node,
							unsigned long first, unsigned long last)
{
	return avc_tree_iter_next(node, first, last);
}

static void regular_pre_update(struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma)
		avc_tree_remove(avc, &avc->anon_vma->rb_root);
}

static void regular_post_update(struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma)
		avc_tree_insert(avc, &avc->anon_vma->rb_root);
}

/* -- Objects ------------------------------------------------------------------- */

static void anon_vma_ctor(void *data)
{
	struct anon_vma *anon_vma = data;

	init_rwsem(&anon_vma->rwsem);
	atomic_set(&anon_vma->refcount, 0);
	anon_vma->rb_root = RB_ROOT_CACHED;
}

/**
 * anon_vma_init - create the slab caches of both topologies
 *
 * Context: once, before the first mm.
 */
void anon_vma_init(void)
{
	anon_vma_cachep = kmem_cache_create("regular_anon_vma", sizeof(struct anon_vma),
			__alignof__(struct anon_vma),
			SLAB_TYPESAFE_BY_RCU | SLAB_PANIC | SLAB_ACCOUNT, anon_vma_ctor);
	anon_vma_chain_cachep = kmem_cache_create("regular_anon_vma_chain",
			sizeof(struct anon_vma_chain), __alignof__(struct anon_vma_chain),
			SLAB_PANIC | SLAB_ACCOUNT, NULL);
	lazy_anon_vma_init();
}

static struct anon_vma *regular_alloc(const struct mm_struct *mm)
{
	struct anon_vma *anon_vma = kmem_cache_alloc(anon_vma_cachep, GFP_KERNEL);

	if (!anon_vma)
		return NULL;
	anon_vma->num_children = 0;
	anon_vma->num_active_vmas = 0;
	anon_vma->parent = anon_vma;
	/* Somebody with a stale pointer may be reading it to try the lock. */
	WRITE_ONCE(anon_vma->root, anon_vma);
	anon_vma_set_topology(anon_vma, mm);
	/* Last, as in lazy_anon_vma_alloc(): the memory may be looked at already. */
	atomic_set_release(&anon_vma->refcount, 1);
	return anon_vma;
}

static void regular_free(struct anon_vma *anon_vma)
{
	VM_BUG_ON(atomic_read(&anon_vma->refcount));
	VM_BUG_ON(!RB_EMPTY_ROOT(&anon_vma->rb_root.rb_root));
	might_sleep();
	/* Wait for those who got the lock without a reference: see lazy_anon_vma_release(). */
	if (rwsem_is_locked(&anon_vma->root->rwsem)) {
		anon_vma_lock_write(anon_vma);
		anon_vma_unlock_write(anon_vma);
	}
	kmem_cache_free(anon_vma_cachep, anon_vma);
}

static void regular_release(struct anon_vma *anon_vma)
{
	struct anon_vma *root = anon_vma->root;

	regular_free(anon_vma);
	if (root != anon_vma && atomic_dec_and_test(&root->refcount))
		regular_free(root);
}

static struct anon_vma_chain *regular_chain_alloc(void)
{
	return kmem_cache_alloc(anon_vma_chain_cachep, GFP_KERNEL);
}

static void regular_chain_free(struct anon_vma_chain *avc)
{
	kmem_cache_free(anon_vma_chain_cachep, avc);
}

/* anon_vma's root is locked for write. */
static void regular_chain_link(struct vm_area_struct *vma, struct anon_vma_chain *avc,
			       struct anon_vma *anon_vma)
{
	avc->vma = vma;
	avc->anon_vma = anon_vma;
	list_add(&avc->same_vma, &vma->anon_vma_chain);
	avc_tree_insert(avc, &anon_vma->rb_root);
}

static inline struct anon_vma *regular_anon_vma(const struct vm_area_struct *vma)
{
	return anon_vma_tree_anon_vma(vma->anon_vma);
}

/* -- First fault ------------------------------------------------------------------ */

#define VM_ACCESS_FLAGS	(VM_READ | VM_WRITE | VM_EXEC)

/* Could the two, in this order, become one VMA by mprotect()? */
static bool regular_neighbours_alike(struct vm_area_struct *a, struct vm_area_struct *b)
{
	return a->vm_end == b->vm_start && a->vm_file == b->vm_file &&
		!((a->vm_flags ^ b->vm_flags) & ~VM_ACCESS_FLAGS) &&
		b->vm_pgoff == a->vm_pgoff + vma_pages(a);
}

/*
 * The anon_vma of a neighbour, if that has never been through a fork: pages of
 * both in one anon_vma let the VMAs merge later. The next one first, as Linux.
 */
static struct anon_vma *regular_find_mergeable(struct vm_area_struct *vma)
{
	MA_STATE(mas, &vma->vm_mm->mm_mt, vma->vm_end, vma->vm_end);
	struct vm_area_struct *near[2];
	struct anon_vma *anon_vma;
	int i;

	rcu_read_lock();
	near[0] = mas_walk(&mas);
	mas_set(&mas, vma->vm_start);
	near[1] = mas_prev(&mas, 0);
	rcu_read_unlock();

	for (i = 0; i < 2; i++) {
		if (!near[i] || !(i ? regular_neighbours_alike(near[i], vma) :
				      regular_neighbours_alike(vma, near[i])))
			continue;
		/*
		 * Another fault may be setting it up right now, then the chain is
		 * singular or about to be. The address dependency pairs with the
		 * release in regular_prepare(): without it the lock of an anon_vma
		 * could be taken that is not initialised yet.
		 */
		anon_vma = anon_vma_tree_anon_vma(READ_ONCE(near[i]->anon_vma));
		if (anon_vma && list_is_singular(&near[i]->anon_vma_chain))
			return anon_vma;
	}
	return NULL;
}

/*
 * mmap_lock is held for read: several faults may be here at once, for this VMA
 * and for its neighbours. page_table_lock decides among those for this VMA.
 */
static int regular_prepare(struct vm_area_struct *vma)
{
	struct anon_vma *anon_vma, *allocated = NULL;
	struct mm_struct *mm = vma->vm_mm;
	struct anon_vma_chain *avc;

	mmap_assert_locked(mm);
	might_sleep();

	avc = regular_chain_alloc();
	if (!avc)
		return -ENOMEM;
	anon_vma = regular_find_mergeable(vma);
	if (!anon_vma) {
		anon_vma = regular_alloc(mm);
		if (!anon_vma) {
			regular_chain_free(avc);
			return -ENOMEM;
		}
		/* A root counts itself as a child, so it is never reused. */
		anon_vma->num_children = 1;
		allocated = anon_vma;
	}

	anon_vma_lock_write(anon_vma);
	spin_lock(&mm->page_table_lock);
	if (!vma->anon_vma) {
		/* Release: pairs with regular_find_mergeable(). */
		smp_store_release(&vma->anon_vma, make_anon_vma_tree(anon_vma, 0));
		regular_chain_link(vma, avc, anon_vma);
		anon_vma->num_active_vmas++;
		avc = NULL;
		allocated = NULL;
	}
	spin_unlock(&mm->page_table_lock);
	anon_vma_unlock_write(anon_vma);

	if (allocated)
		put_anon_vma(allocated);
	if (avc)
		regular_chain_free(avc);
	return 0;
}

/* -- Clone, fork, unlink ------------------------------------------------------------ */

/*
 * Give @dst an AVC for each anon_vma of @src. From anon_vma_fork(), which has
 * cleared dst->anon_vma, also choose an anon_vma for it to reuse: one without
 * active VMAs and with at most one child, so that a line of forks whose parents
 * exit does not grow for ever. From oldest to newest, so that the chain of @dst
 * has the order of that of @src, the root last.
 *
 * All AVCs are allocated first, as nothing may be allocated under the rwsem
 * (reclaim may want it) and choosing and counting must be under one hold: else
 * two forks could reuse the same anon_vma.
 */
static int regular_clone(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	struct anon_vma_chain *avc, *next, *pavc;
	struct anon_vma *root = NULL;
	LIST_HEAD(fresh);

	list_for_each_entry(pavc, &src->anon_vma_chain, same_vma) {
		avc = regular_chain_alloc();
		if (!avc)
			goto enomem;
		list_add(&avc->same_vma, &fresh);
		root = pavc->anon_vma->root;
	}
	if (!root)
		return 0;

	/* All anon_vmas of a VMA have one root. */
	anon_vma_lock_write(root);
	list_for_each_entry_reverse(pavc, &src->anon_vma_chain, same_vma) {
		struct anon_vma *anon_vma = pavc->anon_vma;

		avc = list_first_entry(&fresh, struct anon_vma_chain, same_vma);
		list_del(&avc->same_vma);
		regular_chain_link(dst, avc, anon_vma);
		if (!dst->anon_vma && src->anon_vma &&
		    anon_vma->num_children < 2 && anon_vma->num_active_vmas == 0)
			dst->anon_vma = make_anon_vma_tree(anon_vma, 0);
	}
	if (dst->anon_vma)
		regular_anon_vma(dst)->num_active_vmas++;
	anon_vma_unlock_write(root);
	return 0;

enomem:
	list_for_each_entry_safe(avc, next, &fresh, same_vma)
		regular_chain_free(avc);
	dst->anon_vma = 0;
	return -ENOMEM;
}

static int regular_fork(struct vm_area_struct *vma, struct vm_area_struct *pvma)
{
	struct anon_vma *anon_vma, *parent = regular_anon_vma(pvma);
	struct anon_vma_chain *avc;
	int err;

	if (!parent)
		return 0;
	vma->anon_vma = 0;
	err = regular_clone(vma, pvma);
	if (err || vma->anon_vma)
		return err;

	anon_vma = regular_alloc(vma->vm_mm);
	if (!anon_vma)
		goto enomem;
	avc = regular_chain_alloc();
	if (!avc) {
		put_anon_vma(anon_vma);
		goto enomem;
	}
	anon_vma->num_active_vmas++;
	WRITE_ONCE(anon_vma->root, parent->root);
	anon_vma->parent = parent;
	/* The lock is in the root, so it outlives all of its tree. */
	get_anon_vma(anon_vma->root);
	anon_vma_lock_write(anon_vma);
	vma->anon_vma = make_anon_vma_tree(anon_vma, 0);
	regular_chain_link(vma, avc, anon_vma);
	parent->num_children++;
	anon_vma_unlock_write(anon_vma);
	return 0;

enomem:
	unlink_anon_vmas(vma);
	return -ENOMEM;
}

static void regular_unlink(struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc, *next;
	struct anon_vma *root = NULL;

	/* From newest to oldest: the root, whose lock it is, comes last. */
	list_for_each_entry_safe(avc, next, &vma->anon_vma_chain, same_vma) {
		struct anon_vma *anon_vma = avc->anon_vma;

		if (!root) {
			root = anon_vma->root;
			anon_vma_lock_write(root);
		}
		avc_tree_remove(avc, &anon_vma->rb_root);
		if (RB_EMPTY_ROOT(&anon_vma->rb_root.rb_root)) {
			/* Freed below: that may wait for the lock which we hold. */
			anon_vma->parent->num_children--;
			continue;
		}
		list_del(&avc->same_vma);
		regular_chain_free(avc);
	}
	if (vma->anon_vma) {
		regular_anon_vma(vma)->num_active_vmas--;
		vma->anon_vma = 0;
	}
	if (root)
		anon_vma_unlock_write(root);

	list_for_each_entry_safe(avc, next, &vma->anon_vma_chain, same_vma) {
		VM_WARN_ON(avc->anon_vma->num_children);
		VM_WARN_ON(avc->anon_vma->num_active_vmas);
		put_anon_vma(avc->anon_vma);
		list_del(&avc->same_vma);
		regular_chain_free(avc);
	}
}

/*
 * A VMA that has been through a fork does not merge with an unfaulted one: that
 * would spread its long chain. The chain of an unfaulted VMA is not singular
 * either, so this also says that the existing VMA is the faulted one.
 */
static bool regular_mergeable(struct vm_area_struct *vma, const struct anon_vma_numbering *other)
{
	if ((!other->tree || !vma->anon_vma) && list_is_singular(&vma->anon_vma_chain))
		return true;
	return other->tree == vma->anon_vma;
}

static struct anon_vma *regular_owner(struct vm_area_struct *vma, bool exclusive)
{
	struct anon_vma *anon_vma = regular_anon_vma(vma);

	return exclusive ? anon_vma : anon_vma->root;
}

static bool regular_covers(struct anon_vma *owner, struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma)
		if (avc->anon_vma == owner)
			return true;
	return false;
}

const struct anon_vma_topology regular_topology = {
	.name = "regular",
	.prepare_needs_mmap_lock = true,
	.prepare = regular_prepare,
	.clone = regular_clone,
	.fork = regular_fork,
	.unlink = regular_unlink,
	.release = regular_release,
	.pre_update = regular_pre_update,
	.post_update = regular_post_update,
	.mergeable = regular_mergeable,
	.owner = regular_owner,
	.covers = regular_covers,
	.walk_next = chain_walk_next,
};

const struct anon_vma_topology lazy_topology = {
	.name = "lazy",
	.prepare = lazy_anon_vma_prepare,
	.clone = lazy_anon_vma_clone,
	.fork_mm = lazy_anon_vma_fork_mm,
	.fork = lazy_anon_vma_fork,
	.fork_failed = lazy_anon_vma_fork_failed,
	.unlink = lazy_unlink_anon_vmas,
	.exit_mm = lazy_anon_vma_exit_mm,
	.release = lazy_anon_vma_release,
	.pre_update = lazy_anon_vma_pre_update,
	.post_update = lazy_anon_vma_post_update,
	.mergeable = lazy_anon_vma_mergeable,
	.detach = lazy_anon_vma_detach,
	.reattach = lazy_anon_vma_reattach,
	.detach_done = lazy_anon_vma_detach_done,
	.owner = lazy_anon_vma_owner,
	.covers = lazy_anon_vma_covers,
	.walk_next = lazy_anon_vma_walk_next,
	.walk_end = lazy_anon_vma_walk_end,
};

/* -- Entry points --------------------------------------------------------------------- */

/**
 * __anon_vma_prepare - the part of anon_vma_prepare() that does something
 * @vma: without anon_vma, as far as the caller has seen
 *
 * Context: may sleep; locks as for anon_vma_prepare(). Returns 0 or -ENOMEM.
 */
int __anon_vma_prepare(struct vm_area_struct *vma)
{
	return vma->vm_mm->topology->prepare(vma);
}

/**
 * anon_vma_clone - attach a VMA to what another VMA of its mm is attached to
 * @dst: see regular_clone() and lazy_anon_vma_clone()
 * @src: mmap_lock held for write
 *
 * Context: may sleep; no anon_vma rwsem held. Returns 0, or -ENOMEM with
 * dst->anon_vma 0 and nothing attached.
 */
int anon_vma_clone(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	return src->vm_mm->topology->clone(dst, src);
}

/**
 * anon_vma_fork - attach a child's VMA
 * @vma: the child's, a copy of @pvma with an empty chain
 * @pvma: the parent's, write-locked
 *
 * Context: may sleep; before a page of @pvma is copied. Returns 0 or -ENOMEM.
 */
int anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *pvma)
{
	return pvma->vm_mm->topology->fork(vma, pvma);
}

/**
 * unlink_anon_vmas - a VMA without pages is no longer found
 * @vma: may be used again (anon_vma_prepare()), or be freed
 *
 * Context: may sleep; no anon_vma rwsem held.
 */
void unlink_anon_vmas(struct vm_area_struct *vma)
{
	vma->vm_mm->topology->unlink(vma);
}

/**
 * anon_vma_merge - a VMA has been swallowed by another
 * @vma: the other, whose numbering and anon_vma are the same
 * @next: out of the VMA tree since the anon_vma's write lock was last held
 *
 * May sleep.
 */
void anon_vma_merge(struct vm_area_struct *vma, struct vm_area_struct *next)
{
	VM_BUG_ON_VMA(vma->anon_vma != next->anon_vma, vma);
	if (vma->vm_mm->topology == &lazy_topology)
		lazy_anon_vma_merged(next);
	else
		unlink_anon_vmas(next);
}

/* The last reference is gone; see put_anon_vma(). */
void __put_anon_vma(struct anon_vma *anon_vma)
{
	anon_vma->topology->release(anon_vma);
}

/**
 * folio_get_anon_vma - a reference on the owner of a mapped folio
 * @folio: if it is not locked, the owner may have changed when this returns
 *
 * Nothing keeps the folio mapped. If it is mapped after the reference was taken,
 * the owner was alive then, and the reference keeps it so. If not, the memory may
 * have become another anon_vma, of which we just had a reference for a moment.
 *
 * Returns NULL when the folio is not mapped, or not anonymous.
 */
struct anon_vma *folio_get_anon_vma(struct folio *folio)
{
	struct anon_vma *anon_vma;

	rcu_read_lock();
	anon_vma = folio_anon_vma(folio);
	if (anon_vma && (!folio_mapped(folio) || !atomic_inc_not_zero(&anon_vma->refcount)))
		anon_vma = NULL;
	if (anon_vma && !folio_mapped(folio)) {
		rcu_read_unlock();
		put_anon_vma(anon_vma);
		return NULL;
	}
	rcu_read_unlock();
	return anon_vma;
}

/**
 * folio_lock_anon_vma_read - read-lock the owner of a mapped folio
 * @folio: need not be locked
 * @rwc: may be NULL; with ->try_lock set this does not wait, and sets ->contended
 *
 * One atomic operation when the lock is free: type-stable memory lets us try the
 * lock of what may have become another anon_vma, and then look whether the folio
 * is still mapped and still names it. If so, the owner cannot be freed before we
 * unlock, as its release waits for readers.
 *
 * Returns NULL when the folio is not mapped, not anonymous, or on contention.
 */
struct anon_vma *folio_lock_anon_vma_read(struct folio *folio, struct rmap_walk_control *rwc)
{
	struct anon_vma *anon_vma, *root;

	for (;;) {
		rcu_read_lock();
		anon_vma = folio_anon_vma(folio);
		if (!anon_vma || !folio_mapped(folio))
			goto none;
		root = READ_ONCE(anon_vma->root);
		if (down_read_trylock(&root->rwsem)) {
			/* UFFDIO_MOVE and COW reuse have the folio lock; we have not. */
			if (folio_anon_vma(folio) != anon_vma) {
				up_read(&root->rwsem);
				rcu_read_unlock();
				continue;
			}
			if (!folio_mapped(folio)) {
				up_read(&root->rwsem);
				goto none;
			}
			rcu_read_unlock();
			return anon_vma;
		}
		if (rwc && rwc->try_lock) {
			rwc->contended = true;
			goto none;
		}
		/* We have to sleep: a reference carries us over that. */
		if (!atomic_inc_not_zero(&anon_vma->refcount))
			goto none;
		if (!folio_mapped(folio)) {
			rcu_read_unlock();
			put_anon_vma(anon_vma);
			return NULL;
		}
		rcu_read_unlock();
		anon_vma_lock_read(anon_vma);
		if (folio_anon_vma(folio) != anon_vma) {
			anon_vma_unlock_read(anon_vma);
			put_anon_vma(anon_vma);
			continue;
		}
		if (!atomic_dec_and_test(&anon_vma->refcount))
			return anon_vma;
		/* Ours was the last: no mapping left. Release waits for the lock we hold. */
		anon_vma_unlock_read(anon_vma);
		__put_anon_vma(anon_vma);
		return NULL;
	}
none:
	rcu_read_unlock();
	return NULL;
}

/* -- What it costs --------------------------------------------------------------------- */

struct kmem_cache *regular_anon_vma_cache(void)
{
	return anon_vma_cachep;
}

struct kmem_cache *regular_anon_vma_chain_cache(void)
{
	return anon_vma_chain_cachep;
}
