// SPDX-License-Identifier: GPL-2.0
/*
 * The lazy topology of the anonymous reverse map
 *
 * Linux gives each faulted VMA an anon_vma, and each VMA that fork makes a
 * chain entry for every anon_vma that a page in it may belong to. Here an mm has
 * one anon_vma, and a VMA in place has nothing: its pages' anon offsets are
 * their addresses, and the mm's VMA tree turns an address into a VMA. Only a
 * displaced VMA (moved by mremap, a private mapping of /dev/zero, hugetlb) has a
 * chain entry, one, in its own mm's anon_vma.
 *
 *	folio->mapping
 *	     |
 *	     v
 *	 anon_vma (A) ----- mms ----> mm ---- VMA tree, by address
 *	   |   |   `------- rb_root -> AVCs of displaced VMAs, by anon offset
 *	   |    `---------- detached -> VMAs on their way out, by address
 *	   |
 *	   `-- children --> anon_vma (B) --> anon_vma (C) ...   linked by fork
 *
 * A page that A owns can be mapped by A's mm and by whatever was forked from
 * there, so a walk visits A and its descendants, in pre-order.
 *
 * Locks
 *
 * rwsem of an anon_vma (its root is itself)
 *	W: boundaries of faulted VMAs, AVCs, page-table moves, the list of mms,
 *	   the list of detached VMAs, VMAs leaving the VMA tree
 *	R: a walk's stay; all of the above stands still meanwhile
 * tree_lock of the top of a fork tree: children and sibling of all in that tree
 * ->parent, ->top, ->depth are constant from before publication to the end
 *
 * Order: mmap_lock, folio lock, rwsem of an ancestor, rwsem of a descendant,
 * tree_lock and PTE locks (which never nest in each other).
 *
 * Why a walk misses nothing
 *
 * fork		The child is linked before its first PTE is copied, and copying
 *		takes the lock of the page table that it copies from. Take any copied
 *		PTE. If the walk had not come to the source entry yet, or comes to
 *		it later, the child was linked at the tail of its siblings, hence
 *		ahead of the walk. If the walk had been there, the copy was made
 *		from what the walk left. A child that joins its parent's anon_vma is
 *		put behind the parent in ->mms, and its chain entries behind the
 *		parent's, which have the same key (the interval tree puts equals to
 *		the right, and the parent's do not change while fork holds its
 *		mmap_lock): the same argument, with "ahead" in that order.
 * mremap	Pages move under the write lock, a walk's stay in an mm is one hold of
 *		the read lock: a page is where it was for all of the stay.
 * unmap	A VMA is in the VMA tree or in the detached list, and changes from one
 *		to the other under the write lock, until its last PTE is gone.
 * exit		The mm leaves ->mms under the write lock after its PTEs are gone.
 * dup_mmap	The child's VMA tree starts as a copy that holds the parent's VMAs;
 *		->vm_mm tells them apart. If fork fails half way, walks stop at
 *		->anon_vma_limit, set before the parent's mmap_lock is dropped.
 *
 * Lifetime
 *
 * The reference count is held by mms, AVCs, children, walks that wait for a lock, and
 * callers of folio_get_anon_vma(). A walk that has the lock needs none: release unlinks
 * and frees only what nobody holds. Memory is type-stable: ->rwsem, ->adjust and what
 * anon_vma_is_lazy() looks at stay meaningful for those who come late by a stale
 * folio->mapping, look, find that the folio has changed, and leave.
 */
#include <linux/init.h>
#include <linux/interval_tree_generic.h>
#include "anon_vma_lazy_internal.h"

struct kmem_cache *lazy_anon_vma_cachep;
struct kmem_cache *lazy_anon_vma_chain_cachep;

/* -- Chain entries of displaced VMAs --------------------------------------- */

INTERVAL_TREE_DEFINE(struct anon_vma_chain, rb, unsigned long, rb_subtree_last,
		     lazy_chain_start, lazy_chain_last, /* global */, lazy_chain_tree)

/**
 * lazy_displaced_pgoff - anon offset of the first page of a displaced VMA
 * @vma: displaced by a word read with acquire, and held still by mmap_lock, its
 *	VMA lock, or its anon_vma's rwsem
 *
 * A lockless walk holds nothing still: the entry may have gone since it read the word.
 * Then any answer will do, as ->adjust has moved; but there is no entry to look at.
 */
pgoff_t lazy_displaced_pgoff(struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc = list_first_entry_or_null(&vma->anon_vma_chain,
							      struct anon_vma_chain, same_vma);

	return avc ? lazy_chain_start(avc) : vma->vm_pgoff;
}

/* anon offset minus vm_pgoff of a faulted VMA; see struct lazy_anon_vma_chain. */
static unsigned long lazy_base(struct vm_area_struct *vma)
{
	return vma_anon_pgoff(vma) - vma->vm_pgoff;
}

/*
 * hugetlb VMAs are always displaced: their pages are numbered by file offset, by
 * code of their own, and are no business of walks that look for an address.
 */
static bool lazy_is_in_place(struct vm_area_struct *vma, unsigned long base)
{
	return vma->vm_pgoff + base == vma->vm_start >> PAGE_SHIFT && !is_vm_hugetlb_page(vma);
}

/**
 * lazy_anon_vma_chain_alloc - get a chain entry ahead of time
 *
 * Context: may sleep and reclaim; no anon_vma rwsem held. Returns NULL when
 * there is no memory.
 */
struct anon_vma_chain *lazy_anon_vma_chain_alloc(void)
{
	struct lazy_anon_vma_chain *chain;

	chain = kmem_cache_alloc(lazy_anon_vma_chain_cachep, GFP_KERNEL);
	return chain ? &chain->avc : NULL;
}

void lazy_anon_vma_chain_free(struct anon_vma_chain *avc)
{
	kmem_cache_free(lazy_anon_vma_chain_cachep, to_lazy_chain(avc));
}

/*
 * Make @vma a displaced VMA of @anon_vma, whose rwsem is held for write. Walks
 * wait for the rwsem, but other faults under the same VMA lock do not: release,
 * so that who sees the word (vma_anon_pgoff()) sees the chain.
 */
static void lazy_displace_locked(struct vm_area_struct *vma, struct anon_vma *anon_vma,
				 unsigned long base, struct anon_vma_chain *avc)
{
	anon_vma_tree_t tree;

	avc->vma = vma;
	avc->anon_vma = anon_vma;
	to_lazy_chain(avc)->base = base;
	list_add(&avc->same_vma, &vma->anon_vma_chain);
	lazy_chain_tree_insert(avc, &anon_vma->rb_root);
	get_anon_vma(anon_vma);
	tree = make_anon_vma_tree(anon_vma, ANON_VMA_TREE_LAZY | ANON_VMA_TREE_DISPLACED);
	smp_store_release(&vma->anon_vma, tree);	/* the chain comes first */
	count_anon_vma_event(vma->vm_mm, ANON_VMA_DISPLACED);
}

/**
 * lazy_anon_vma_displace - a VMA in place becomes a displaced one
 * @vma: in place and anonymous; its anon_vma is locked for write
 * @avc: from lazy_anon_vma_chain_alloc(); used up
 *
 * For the stack of exec, when its pages cannot be renumbered: they are numbered by
 * vm_pgoff from here on. The chain entry is keyed by the range and vm_pgoff that @vma has
 * now; who changes these later does it as for any other displaced VMA, between
 * lazy_anon_vma_pre_update() and lazy_anon_vma_post_update().
 */
void lazy_anon_vma_displace(struct vm_area_struct *vma, struct anon_vma_chain *avc)
{
	VM_WARN_ON_ONCE(!anon_vma_tree_in_place(vma->anon_vma));
	lazy_displace_locked(vma, anon_vma_tree_anon_vma(vma->anon_vma), 0, avc);
}

/* -- Life of an anon_vma ---------------------------------------------------- */

static void lazy_anon_vma_ctor(void *data)
{
	struct lazy_anon_vma *lazy = data;

	init_rwsem(&lazy->anon_vma.rwsem);
	/* In every life: who has a stale pointer tries the lock of what it points to. */
	lazy->anon_vma.root = &lazy->anon_vma;
	atomic_set(&lazy->anon_vma.refcount, 0);
	lazy->anon_vma.rb_root = RB_ROOT_CACHED;
	lazy->hint = NULL;
	INIT_LIST_HEAD(&lazy->mms);
	INIT_LIST_HEAD(&lazy->children);
	INIT_LIST_HEAD(&lazy->detached);
	seqcount_init(&lazy->adjust);
	spin_lock_init(&lazy->tree_lock);
}

/**
 * lazy_anon_vma_init - create the slab caches
 *
 * Context: once, before the first mm.
 */
void __init lazy_anon_vma_init(void)
{
	const unsigned int flags = SLAB_PANIC | SLAB_ACCOUNT;
	/* A lockless walk may ask a VMA that is about to lose its entry for its base. */
	const unsigned int chain_flags = flags |
		(IS_ENABLED(CONFIG_ANON_VMA_LOCKLESS) ? SLAB_TYPESAFE_BY_RCU : 0);

	lazy_anon_vma_cachep =
		kmem_cache_create("anon_vma", sizeof(struct lazy_anon_vma),
				  __alignof__(struct lazy_anon_vma),
				  flags | SLAB_TYPESAFE_BY_RCU, lazy_anon_vma_ctor);
	lazy_anon_vma_chain_cachep =
		kmem_cache_create("anon_vma_chain", sizeof(struct lazy_anon_vma_chain),
				  __alignof__(struct lazy_anon_vma_chain), chain_flags, NULL);
}

/**
 * lazy_anon_vma_init_mm - make an mm's fields those of an mm without anon_vma
 * @mm: new, or a byte by byte copy of its parent
 */
void lazy_anon_vma_init_mm(struct mm_struct *mm)
{
	mm->anon_vma = NULL;
	INIT_LIST_HEAD(&mm->anon_vma_node);
	mm->anon_vma_limit = ULONG_MAX;
}

/*
 * A new anon_vma, serving @mm. Whoever still holds a stale pointer to this
 * memory may take the rwsem at any moment: it finds a folio that is not mapped,
 * or names another owner, and leaves without a look at the lists.
 */
static struct lazy_anon_vma *lazy_anon_vma_alloc(struct mm_struct *mm)
{
	struct lazy_anon_vma *lazy = kmem_cache_alloc(lazy_anon_vma_cachep, GFP_KERNEL);

	if (!lazy)
		return NULL;
	lazy->anon_vma.parent = &lazy->anon_vma;
	lazy->anon_vma.num_children = 0;
	lazy->anon_vma.num_active_vmas = 0;
	anon_vma_set_topology(&lazy->anon_vma, mm);
	lazy->parent = NULL;
	lazy->top = lazy;
	lazy->depth = 0;
	WRITE_ONCE(lazy->sole_mm, NULL);
	INIT_LIST_HEAD(&lazy->sibling);
	/*
	 * Last: from here on folio_get_anon_vma() through a stale pointer can
	 * succeed for a moment. It puts again, which must not find the fields of
	 * an earlier life. Release pairs with the full barrier of
	 * atomic_inc_not_zero() there.
	 */
	atomic_set_release(&lazy->anon_vma.refcount, 1);
	return lazy;
}

/**
 * lazy_anon_vma_adjust_begin - what a lockless walk saw may become wrong
 * @anon_vma: its rwsem is held for write
 *
 * The barrier of the sequence count pairs with the one in
 * read_seqcount_retry() of lazy_rmap_walk_lockless(): without it a walk could
 * see a page gone from its old place and the count still unchanged.
 */
void lazy_anon_vma_adjust_begin(struct anon_vma *anon_vma)
{
	raw_write_seqcount_begin(&to_lazy(anon_vma)->adjust);
}

/* The one mm of which @lazy needs only the VMA tree. rwsem held for write, or unpublished. */
static struct mm_struct *lazy_sole_mm(const struct lazy_anon_vma *lazy)
{
	struct mm_struct *mm;

	if (!list_is_singular(&lazy->mms) || !list_empty(&lazy->detached) ||
	    !RB_EMPTY_ROOT(&lazy->anon_vma.rb_root.rb_root))
		return NULL;
	mm = list_first_entry(&lazy->mms, struct mm_struct, anon_vma_node);
	/* Half a copy of the parent's: only walks with locks know where it ends. */
	return mm->anon_vma_limit == ULONG_MAX ? mm : NULL;
}

/**
 * lazy_anon_vma_changed - the change is complete
 * @anon_vma: its rwsem is still held for write
 */
void lazy_anon_vma_changed(struct anon_vma *anon_vma)
{
	struct lazy_anon_vma *lazy = to_lazy(anon_vma);

	WRITE_ONCE(lazy->hint, NULL);
	if (!IS_ENABLED(CONFIG_ANON_VMA_LOCKLESS))
		return;
	/*
	 * Release: pairs with the address dependency of a lockless walk, which
	 * may have come by a stale pointer, before the fork that made this mm was
	 * over, and must not see the mm's tree as it was before its first life.
	 */
	smp_store_release(&lazy->sole_mm, lazy_sole_mm(lazy));
	raw_write_seqcount_end(&lazy->adjust);
}

static inline void lazy_lock(struct anon_vma *anon_vma)
{
	anon_vma_tree_lock_write(make_anon_vma_tree(anon_vma, ANON_VMA_TREE_LAZY));
}

static inline void lazy_unlock(struct anon_vma *anon_vma)
{
	anon_vma_tree_unlock_write(make_anon_vma_tree(anon_vma, ANON_VMA_TREE_LAZY));
}

/*
 * The anon_vma of @mm, made now if there is none. Those who come here at once
 * hold VMA locks only; page_table_lock lets one of them win.
 */
static struct anon_vma *lazy_mm_anon_vma(struct mm_struct *mm)
{
	/* Acquire: pairs with the release below; else its fields may be seen unset. */
	struct anon_vma *anon_vma = smp_load_acquire(&mm->anon_vma);
	struct lazy_anon_vma *lazy;

	if (likely(anon_vma))
		return anon_vma;

	lazy = lazy_anon_vma_alloc(mm);
	if (!lazy)
		return NULL;

	/*
	 * Not published yet, so at most somebody with a stale pointer holds the
	 * rwsem, for a moment. Taken so that nobody walks a half-made list.
	 */
	lazy_lock(&lazy->anon_vma);
	spin_lock(&mm->page_table_lock);
	anon_vma = mm->anon_vma;
	if (!anon_vma) {
		list_add_tail(&mm->anon_vma_node, &lazy->mms);
		anon_vma = &lazy->anon_vma;
		/* Release: pairs with the acquire above. */
		smp_store_release(&mm->anon_vma, anon_vma);
		lazy = NULL;
	}
	spin_unlock(&mm->page_table_lock);
	if (!lazy) {
		lazy_unlock(anon_vma);
		return anon_vma;
	}
	lazy_unlock(&lazy->anon_vma);
	put_anon_vma(&lazy->anon_vma);
	return anon_vma;
}

/**
 * lazy_anon_vma_release - the last reference is gone
 * @anon_vma: reference count 0
 *
 * Unlinks and frees it, and its ancestors as far as it was the last to hold
 * them; by a loop, as a chain may be as long as the tree is deep.
 *
 * Context: may sleep; takes the rwsem. The caller may hold the rwsem of an ancestor for
 * read, if it has a reference on that.
 */
void lazy_anon_vma_release(struct anon_vma *anon_vma)
{
	struct lazy_anon_vma *lazy = to_lazy(anon_vma);

	for (;;) {
		struct lazy_anon_vma *parent = lazy->parent;

		VM_WARN_ON_ONCE(atomic_read(&lazy->anon_vma.refcount));
		VM_WARN_ON_ONCE(!list_empty(&lazy->mms));
		VM_WARN_ON_ONCE(!list_empty(&lazy->children));
		VM_WARN_ON_ONCE(!list_empty(&lazy->detached));
		VM_WARN_ON_ONCE(lazy->hint);
		VM_WARN_ON_ONCE(!RB_EMPTY_ROOT(&lazy->anon_vma.rb_root.rb_root));

		/*
		 * Two kinds of reader may hold the rwsem without a reference:
		 * folio_lock_anon_vma_read(), which got it by trylock while the folio
		 * was still mapped, and walks on their way through the fork tree. Wait
		 * for them, by taking the lock and not by a look at it: a trylock
		 * that comes later acquires what we release here, and sees the folio
		 * unmapped; to read the lock as free would order nothing for those who
		 * take it.
		 */
		down_write_nested(&lazy->anon_vma.rwsem, SINGLE_DEPTH_NESTING);
		if (parent) {
			/*
			 * Walks lock it under tree_lock, and go on from it by ->sibling
			 * and ->parent. We have the lock: none is here, and none comes
			 * once it is unlinked.
			 */
			spin_lock(&lazy->top->tree_lock);
			list_del(&lazy->sibling);
			spin_unlock(&lazy->top->tree_lock);
		}
		up_write(&lazy->anon_vma.rwsem);
		/*
		 * Only now may the parent go: a walk that was here went by ->parent, and
		 * used the top's lock; it comes by here no more.
		 */
		kmem_cache_free(lazy_anon_vma_cachep, lazy);
		if (!parent || !atomic_dec_and_test(&parent->anon_vma.refcount))
			return;
		lazy = parent;
	}
}

/* -- VMAs -------------------------------------------------------------------- */

/**
 * lazy_anon_vma_prepare - see anon_vma_prepare()
 * @vma: without anonymous pages so far; its VMA lock or mmap_lock held for read
 *
 * Correct because: whoever prepares an in-place VMA at the same time stores the
 * same word. The word is stored before any folio's mapping word can name the
 * anon_vma on behalf of this VMA; hosts publish folio->mapping with release, so
 * that a walk that came by it also sees the word (its address dependency and
 * the acquire of the rwsem are the other half). Neighbours do not matter: all of
 * the mm's VMAs have the same anon_vma anyway.
 *
 * Context: may sleep. Returns 0 or -ENOMEM.
 */
int lazy_anon_vma_prepare(struct vm_area_struct *vma)
{
	struct anon_vma *anon_vma = lazy_mm_anon_vma(vma->vm_mm);
	/* A private file mapping is numbered by address, whatever its offset. */
	unsigned long base = vma_is_anonymous(vma) || is_vm_hugetlb_page(vma) ? 0 :
			     (vma->vm_start >> PAGE_SHIFT) - vma->vm_pgoff;
	struct anon_vma_chain *avc;

	if (!anon_vma)
		return -ENOMEM;
	if (lazy_is_in_place(vma, base)) {
		/* Release: who sees the word sees an anon_vma that is initialised. */
		smp_store_release(&vma->anon_vma,
				  make_anon_vma_tree(anon_vma, ANON_VMA_TREE_LAZY));
		count_anon_vma_event(vma->vm_mm, ANON_VMA_IN_PLACE);
		return 0;
	}

	avc = lazy_anon_vma_chain_alloc();
	if (!avc)
		return -ENOMEM;
	lazy_lock(anon_vma);
	if (!vma->anon_vma) {
		lazy_displace_locked(vma, anon_vma, base, avc);
		avc = NULL;
	}
	lazy_unlock(anon_vma);
	if (avc)
		lazy_anon_vma_chain_free(avc);
	return 0;
}

/*
 * Give @vma, which no walk reaches as a VMA of @anon_vma yet, its word, and its
 * chain entry if it needs one.
 */
static int lazy_attach(struct vm_area_struct *vma, struct anon_vma *anon_vma, unsigned long base)
{
	struct anon_vma_chain *avc;

	VM_WARN_ON_ONCE(!list_empty(&vma->anon_vma_chain));
	if (lazy_is_in_place(vma, base)) {
		/* Release: who sees the word sees an anon_vma that is initialised. */
		smp_store_release(&vma->anon_vma,
				  make_anon_vma_tree(anon_vma, ANON_VMA_TREE_LAZY));
		count_anon_vma_event(vma->vm_mm, ANON_VMA_IN_PLACE);
		return 0;
	}
	avc = lazy_anon_vma_chain_alloc();
	if (!avc) {
		WRITE_ONCE(vma->anon_vma, 0);
		return -ENOMEM;
	}
	lazy_lock(anon_vma);
	lazy_displace_locked(vma, anon_vma, base, avc);
	lazy_unlock(anon_vma);
	return 0;
}

/**
 * lazy_anon_vma_clone - see anon_vma_clone()
 * @dst: new VMA of the same mm, its range and vm_pgoff set; or an unfaulted one,
 *	write-locked, that is about to be extended over @src
 * @src: whose pages will be in @dst; mmap_lock held for write
 *
 * @src, and @dst if it is in the VMA tree, are write-locked, and @src was so before
 * @dst was copied from it: a first fault under the VMA lock could otherwise give
 * @src its word, and a page in what is to be @dst, after we looked.
 *
 * One rule for split, move and merge, as what identifies a page's number, the
 * base, is the same before and after:
 *
 *	split	[ src         ]  ->  [ src ][ dst    ]	same displacement
 *	merge	[ dst ][ src  ]  ->  [ dst           ]	same displacement
 *	move	[ src ] .......  ->  ....... [ dst ]	another one; 0 if moved back
 *
 * Correct because: until the caller publishes @dst, or moves pages into it,
 * both under the write lock, it holds no page; a walk that meets a chain entry
 * early looks at empty page tables, or at pages that it finds through @src too.
 *
 * Context: may sleep. Returns 0, or -ENOMEM with @dst->anon_vma 0 and nothing
 * left behind.
 */
int lazy_anon_vma_clone(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	vma_assert_write_locked(src);
	if (!src->anon_vma) {
		WRITE_ONCE(dst->anon_vma, 0);
		return 0;
	}
	return lazy_attach(dst, anon_vma_tree_anon_vma(src->anon_vma), lazy_base(src));
}

/**
 * lazy_unlink_anon_vmas - see unlink_anon_vmas()
 * @vma: holds no page any more; may stay (MREMAP_DONTUNMAP) or be freed
 *
 * Correct because: a walk that has accepted this VMA under the read lock keeps
 * using it without further checks. So while the VMA is in the tree of an mm
 * that walks visit, its word is cleared under the write lock, which waits for
 * them; after the mm has left, or the VMA was detached, there is nobody.
 *
 * Context: may sleep.
 */
void lazy_unlink_anon_vmas(struct vm_area_struct *vma)
{
	anon_vma_tree_t tree = vma->anon_vma;
	struct anon_vma *anon_vma = anon_vma_tree_anon_vma(tree);
	struct anon_vma_chain *avc;

	if (!tree)
		return;
	if (anon_vma_tree_displaced(tree)) {
		lazy_lock(anon_vma);
		avc = lazy_chain_of(vma);
		lazy_chain_tree_remove(avc, &anon_vma->rb_root);
		list_del(&avc->same_vma);
		WRITE_ONCE(vma->anon_vma, 0);
		lazy_unlock(anon_vma);
		lazy_anon_vma_chain_free(avc);
		put_anon_vma(anon_vma);
	} else if (READ_ONCE(vma->vm_mm->anon_vma) && !anon_vma_tree_detached(tree)) {
		lazy_lock(anon_vma);
		WRITE_ONCE(vma->anon_vma, 0);
		lazy_unlock(anon_vma);
	} else {
		WRITE_ONCE(vma->anon_vma, 0);
	}
}

/**
 * lazy_anon_vma_merged - see anon_vma_merge()
 * @vma: another VMA has been extended over it, and has its pages now
 *
 * Correct because: it left the VMA tree under the write lock, with which all walks
 * that had accepted it ended. None comes by it since, so that a word in place may be
 * cleared without waiting; a chain entry still has to be taken out.
 *
 * Context: may sleep.
 */
void lazy_anon_vma_merged(struct vm_area_struct *vma)
{
	if (anon_vma_tree_displaced(vma->anon_vma))
		lazy_unlink_anon_vmas(vma);
	else
		WRITE_ONCE(vma->anon_vma, 0);
}

/**
 * lazy_anon_vma_pre_update - a VMA's range is about to change
 * @vma: its anon_vma is locked for write
 *
 * Takes a chain entry out of the interval tree while its key changes.
 */
void lazy_anon_vma_pre_update(struct vm_area_struct *vma)
{
	if (anon_vma_tree_displaced(vma->anon_vma))
		lazy_chain_tree_remove(lazy_chain_of(vma),
				       &anon_vma_tree_anon_vma(vma->anon_vma)->rb_root);
}

/* Undoes lazy_anon_vma_pre_update(), with the new range. Same context. */
void lazy_anon_vma_post_update(struct vm_area_struct *vma)
{
	if (anon_vma_tree_displaced(vma->anon_vma))
		lazy_chain_tree_insert(lazy_chain_of(vma),
				       &anon_vma_tree_anon_vma(vma->anon_vma)->rb_root);
}

/* Do the anon offsets of addresses from @address on not reach below 0? */
static bool lazy_no_underflow(unsigned long address, unsigned long displacement)
{
	return (long)displacement >= 0 ||
		-displacement <= address >> PAGE_SHIFT;
}

/**
 * lazy_anon_vma_mergeable - may a VMA and a range next to it become one?
 * @vma: an existing VMA
 * @other: the range; its file, flags and vm_pgoff fit
 *
 * Both faulted: their pages must be numbered alike, as the VMA that remains has
 * one numbering for all. One of them faulted: the other, without pages, takes
 * its numbering; whether that reaches below 0 is the one thing to ask. No page
 * loses its owner in any case: all VMAs of an mm have one anon_vma.
 *
 * Context: mmap_lock held for write. A fault under a VMA lock may still give an
 * unfaulted VMA its own numbering, so unless both have pages ask again once all
 * VMAs involved are write-locked.
 */
bool lazy_anon_vma_mergeable(struct vm_area_struct *vma, const struct anon_vma_numbering *other)
{
	struct anon_vma_numbering own = anon_vma_numbering(vma, vma->vm_start, vma->vm_pgoff);

	if (!own.tree && !other->tree)
		return true;
	if (!own.tree)
		return lazy_no_underflow(own.address, other->displacement);
	if (!other->tree)
		return lazy_no_underflow(other->address, own.displacement);
	return anon_vma_tree_anon_vma(own.tree) == anon_vma_tree_anon_vma(other->tree) &&
		own.displacement == other->displacement;
}

/* -- fork and exit ------------------------------------------------------------ */

/**
 * lazy_anon_vma_fork_mm - put a child's mm into the fork tree
 * @mm: the child's, its VMA tree empty or a copy of the parent's, and safe to
 *	look into under RCU from now on
 * @oldmm: the parent's, mmap_lock held for write
 *
 * Comes before the first PTE is copied, see the head of this file. The parent
 * is given an anon_vma if it has none: a fault under a VMA lock may do that at
 * any moment, and pages it then maps may be copied. Linked at the tail, so that
 * a walk which is among the parent's children comes by.
 *
 * To link a child the parent's rwsem is not taken: lockless walks ask for children
 * before they end, and walks with locks look for children after they have seen
 * the parent's page tables. To join the parent's anon_vma it is: a walk's stay
 * there covers all of its mms.
 *
 * Context: may sleep. Returns 0 or -ENOMEM.
 */
int lazy_anon_vma_fork_mm(struct mm_struct *mm, struct mm_struct *oldmm)
{
	struct anon_vma *anon_vma = lazy_mm_anon_vma(oldmm);
	struct lazy_anon_vma *parent, *child;

	if (!anon_vma)
		return -ENOMEM;
	parent = to_lazy(anon_vma);

	if (parent->depth + 1 >= LAZY_ANON_VMA_MAX_DEPTH) {
		get_anon_vma(anon_vma);
		lazy_lock(anon_vma);
		list_add_tail(&mm->anon_vma_node, &parent->mms);
		mm->anon_vma = anon_vma;
		lazy_unlock(anon_vma);
		count_anon_vma_event(mm, ANON_VMA_JOIN);
		return 0;
	}

	child = lazy_anon_vma_alloc(mm);
	if (!child)
		return -ENOMEM;
	get_anon_vma(anon_vma);
	child->parent = parent;
	child->top = parent->top;
	child->depth = parent->depth + 1;
	list_add_tail(&mm->anon_vma_node, &child->mms);
	if (IS_ENABLED(CONFIG_ANON_VMA_LOCKLESS))
		smp_store_release(&child->sole_mm, mm);	/* as in lazy_anon_vma_changed() */
	mm->anon_vma = &child->anon_vma;
	spin_lock(&parent->top->tree_lock);
	list_add_tail(&child->sibling, &parent->children);
	spin_unlock(&parent->top->tree_lock);
	return 0;
}

/**
 * lazy_anon_vma_fork - see anon_vma_fork()
 * @vma: the child's copy of @pvma, not in the child's VMA tree yet
 * @pvma: write-locked
 *
 * Correct because: the pages that will be copied are numbered the same, and are
 * owned by the parent's anon_vma or an ancestor of it, of which the child's is a
 * descendant, or which it is.
 *
 * Context: may sleep. Returns 0 or -ENOMEM.
 */
int lazy_anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *pvma)
{
	vma_assert_write_locked(pvma);
	if (!pvma->anon_vma) {
		WRITE_ONCE(vma->anon_vma, 0);
		return 0;
	}
	return lazy_attach(vma, vma->vm_mm->anon_vma, lazy_base(pvma));
}

/**
 * lazy_anon_vma_fork_failed - dup_mmap() gives up half way
 * @mm: the child's
 * @addr: from here on its VMA tree holds the parent's VMAs
 *
 * Walks still have to find what was copied so far - it may hold migration
 * entries - until exit_mmap() has zapped it. They must not look beyond.
 *
 * Context: the parent's mmap_lock is still held; its VMAs are freed after that.
 */
void lazy_anon_vma_fork_failed(struct mm_struct *mm, unsigned long addr)
{
	struct anon_vma *anon_vma = mm->anon_vma;

	if (!anon_vma)
		return;
	lazy_lock(anon_vma);
	mm->anon_vma_limit = addr;
	lazy_unlock(anon_vma);
}

/**
 * lazy_anon_vma_exit_mm - an mm leaves the fork tree
 * @mm: its PTEs are zapped; page tables, VMAs and VMA tree still stand
 *
 * Correct because: nothing in this mm maps a page, so nobody needs to find it;
 * and the write lock waits for those who are in it. Displaced VMAs keep the
 * anon_vma alive until unlink_anon_vmas() has taken them out one by one.
 *
 * Lockless walks may look into the VMA tree and the page tables for one more
 * grace period.
 *
 * Context: may sleep.
 */
void lazy_anon_vma_exit_mm(struct mm_struct *mm)
{
	struct anon_vma *anon_vma = mm->anon_vma;

	if (!anon_vma)
		return;
	lazy_lock(anon_vma);
	list_del(&mm->anon_vma_node);
	mm->anon_vma = NULL;
	lazy_unlock(anon_vma);
	put_anon_vma(anon_vma);
}

/* -- VMAs that have left the VMA tree ------------------------------------------ */

/* Is the tree keyed by address, or would walks not find a thing? Is ->first the lowest? */
static inline bool lazy_batch_is_valid(struct anon_vma_detached *batch)
{
	MA_STATE(mas, batch->vmas, batch->start, batch->start);
	bool valid;

	rcu_read_lock();
	valid = mas_find(&mas, batch->end - 1) == batch->first;
	rcu_read_unlock();
	return valid;
}

/* The first VMA of a batch that has pages. They are write-locked: their words stand still. */
static noinline struct vm_area_struct *lazy_batch_find(struct anon_vma_detached *batch)
{
	MA_STATE(mas, batch->vmas, batch->start, batch->start);
	struct vm_area_struct *vma;

	rcu_read_lock();
	mas_for_each(&mas, vma, batch->end - 1)
		if (vma->anon_vma)
			break;
	rcu_read_unlock();
	return vma;
}

/* As lazy_batch_find(); mostly it is the first, and the only one. */
static inline struct vm_area_struct *lazy_batch_first(struct anon_vma_detached *batch)
{
	return batch->first->anon_vma ? batch->first : lazy_batch_find(batch);
}

/* Store mark(word) in every faulted VMA of the batch. rwsem held for write. */
static noinline void lazy_mark_batch(struct anon_vma_detached *batch,
				     anon_vma_tree_t (*mark)(anon_vma_tree_t tree))
{
	MA_STATE(mas, batch->vmas, batch->start, batch->start);
	struct vm_area_struct *vma;

	rcu_read_lock();
	mas_for_each(&mas, vma, batch->end - 1)
		if (vma->anon_vma)
			WRITE_ONCE(vma->anon_vma, mark(vma->anon_vma));
	rcu_read_unlock();
}

/**
 * lazy_anon_vma_detach - VMAs are about to leave the VMA tree with their pages
 * @mm: mmap_lock held for write, the VMAs write-locked
 * @batch: the VMAs
 *
 * One lock for all of them, nothing to allocate. From here on walks find them in
 * the list; that they may still be in the tree for a while does not matter, as a
 * lookup there does not accept a word that says detached.
 *
 * Context: may sleep.
 */
void lazy_anon_vma_detach(struct mm_struct *mm, struct anon_vma_detached *batch)
{
	struct anon_vma *anon_vma = READ_ONCE(mm->anon_vma);
	struct vm_area_struct *first;

	VM_WARN_ON_ONCE(!lazy_batch_is_valid(batch));
	/* Without pages nobody looks for them: do not wait for walks. */
	INIT_LIST_HEAD(&batch->node);
	first = anon_vma ? lazy_batch_first(batch) : NULL;
	if (!first)
		return;
	lazy_lock(anon_vma);
	if (first->vm_end >= batch->end)
		WRITE_ONCE(first->anon_vma, anon_vma_tree_mk_detached(first->anon_vma));
	else
		lazy_mark_batch(batch, anon_vma_tree_mk_detached);
	list_add(&batch->node, &to_lazy(anon_vma)->detached);
	lazy_unlock(anon_vma);
}

/**
 * lazy_anon_vma_reattach - the VMAs stay after all
 * @mm: as for lazy_anon_vma_detach()
 * @batch: the VMAs, back in the VMA tree
 */
void lazy_anon_vma_reattach(struct mm_struct *mm, struct anon_vma_detached *batch)
{
	if (list_empty(&batch->node))
		return;
	lazy_lock(mm->anon_vma);
	lazy_mark_batch(batch, anon_vma_tree_mk_attached);
	list_del_init(&batch->node);
	lazy_unlock(mm->anon_vma);
}

/**
 * lazy_anon_vma_detach_done - the VMAs hold no page any more
 * @mm: mmap_lock held, for read at least
 * @batch: the VMAs; page tables and VMAs may be freed after this
 */
void lazy_anon_vma_detach_done(struct mm_struct *mm, struct anon_vma_detached *batch)
{
	if (list_empty(&batch->node))
		return;
	lazy_lock(mm->anon_vma);
	list_del_init(&batch->node);
	lazy_unlock(mm->anon_vma);
}

/* -- Owners --------------------------------------------------------------------- */

/**
 * lazy_anon_vma_owner - who shall own a folio that is mapped in a VMA
 * @vma: faulted
 * @exclusive: no other mm maps the folio, or holds a swap entry for it
 *
 * Every mm that maps a folio is in the subtree of its owner. Of a page that comes
 * back from swap without being exclusive only this is known: whoever else holds
 * an entry got it by fork, from a common ancestor. The top is one.
 */
struct anon_vma *lazy_anon_vma_owner(struct vm_area_struct *vma, bool exclusive)
{
	struct anon_vma *anon_vma = anon_vma_tree_anon_vma(vma->anon_vma);

	return exclusive ? anon_vma : &to_lazy(anon_vma)->top->anon_vma;
}

/**
 * lazy_anon_vma_covers - would a walk from @owner come to this VMA's mm?
 * @owner: compared, not followed: may be stale
 * @vma: faulted
 *
 * For those who map an existing folio in an mm that did not get it by fork. That
 * both are in the same tree is not enough: a sibling is not an ancestor.
 */
bool lazy_anon_vma_covers(struct anon_vma *owner, struct vm_area_struct *vma)
{
	struct lazy_anon_vma *lazy;

	if (!vma->anon_vma)
		return false;
	for (lazy = to_lazy(anon_vma_tree_anon_vma(vma->anon_vma)); lazy; lazy = lazy->parent)
		if (&lazy->anon_vma == owner)
			return true;
	return false;
}

#ifdef CONFIG_ANON_VMA_CHECKERS

const size_t lazy_anon_vma_size = sizeof(struct lazy_anon_vma);
const size_t lazy_anon_vma_chain_size = sizeof(struct lazy_anon_vma_chain);

struct anon_vma *lazy_anon_vma_parent(const struct anon_vma *anon_vma)
{
	struct lazy_anon_vma *parent = to_lazy(anon_vma)->parent;

	return parent ? &parent->anon_vma : NULL;
}

unsigned int lazy_anon_vma_depth(const struct anon_vma *anon_vma)
{
	return to_lazy(anon_vma)->depth;
}

/* Would a walk of @anon_vma find @vma by each of its addresses? */
static bool lazy_hint_is_valid(struct anon_vma *anon_vma, struct vm_area_struct *vma)
{
	return vma->vm_mm->anon_vma == anon_vma && anon_vma_tree_in_place(vma->anon_vma) &&
		anon_vma_tree_anon_vma(vma->anon_vma) == anon_vma &&
		mtree_load(&vma->vm_mm->mm_mt, vma->vm_start) == vma &&
		mtree_load(&vma->vm_mm->mm_mt, vma->vm_end - 1) == vma;
}

/**
 * lazy_anon_vma_is_valid - check an anon_vma against itself
 * @anon_vma: the caller keeps the world still
 *
 * The reference count equals what holds one, links are mutual, batches are not
 * left behind, the hint is one that a lookup would give. Walks and callers of
 * folio_get_anon_vma() must not be around.
 */
bool lazy_anon_vma_is_valid(struct anon_vma *anon_vma)
{
	struct lazy_anon_vma *lazy = to_lazy(anon_vma), *child;
	struct anon_vma_chain *avc;
	struct mm_struct *mm;
	struct rb_node *node;
	int refs = 0;

	if (lazy->hint && !lazy_hint_is_valid(anon_vma, lazy->hint))
		return false;
	if (anon_vma->root != anon_vma || lazy->depth >= LAZY_ANON_VMA_MAX_DEPTH)
		return false;
	if (!lazy->parent && (lazy->depth || lazy->top != lazy))
		return false;
	if (lazy->parent && (lazy->depth != lazy->parent->depth + 1 ||
			     lazy->top != lazy->parent->top))
		return false;
	list_for_each_entry(mm, &lazy->mms, anon_vma_node) {
		refs++;
		if (mm->anon_vma != anon_vma)
			return false;
	}
	list_for_each_entry(child, &lazy->children, sibling) {
		refs++;
		if (child->parent != lazy)
			return false;
	}
	for (node = rb_first_cached(&anon_vma->rb_root); node; node = rb_next(node)) {
		avc = rb_entry(node, struct anon_vma_chain, rb);
		refs++;
		if (avc->anon_vma != anon_vma || lazy_chain_of(avc->vma) != avc ||
		    !anon_vma_tree_displaced(avc->vma->anon_vma) ||
		    anon_vma_tree_anon_vma(avc->vma->anon_vma) != anon_vma)
			return false;
	}
	return list_empty(&lazy->detached) && atomic_read(&anon_vma->refcount) == refs;
}

#endif /* CONFIG_ANON_VMA_CHECKERS */
