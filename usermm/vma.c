// SPDX-License-Identifier: GPL-2.0
/*
 * VMAs: their life, how they are found, and the changes of their boundaries -
 * split, merge, expand - that all system calls are made of
 *
 * A change is prepared first: all memory that it needs is allocated, and a VMA
 * that will get pages it has no rmap state for is given that state. Then it is
 * committed, which cannot fail, or given up, which leaves nothing behind. The
 * commit runs under the anon_vma rwsem of the VMAs, held for write, so walks see
 * the old boundaries or the new ones:
 *
 * - A boundary that moves changes both VMAs under one hold, and the VMA tree too.
 *   A page is in one of the two at any moment, under the same anon offset, as the
 *   VMAs are numbered alike.
 * - A VMA that is swallowed leaves the VMA tree under that hold. Its chain entries
 *   go later: until then a walk may visit its range twice, which does no harm.
 *
 * Who may merge is decided when the VMAs are write-locked: before, a fault under a
 * VMA lock could still give an unfaulted neighbour a numbering of its own.
 *
 * The range and vm_pgoff of a VMA are written with WRITE_ONCE(): lockless walks and
 * lookups under RCU read them, and find out afterwards whether they may believe
 * what they saw.
 */
#include <string.h>
#include "vma.h"

static struct kmem_cache *vm_area_cachep;

/**
 * vma_init - create the slab caches of VMAs and mms
 *
 * Context: once, before the first mm.
 */
void vma_init(void)
{
	vm_area_cachep = kmem_cache_create("vm_area_struct", sizeof(struct vm_area_struct),
					   __alignof__(struct vm_area_struct),
					   SLAB_PANIC | SLAB_ACCOUNT, NULL);
	mm_cache_init();
}

/* For those who count the VMAs of all worlds. */
struct kmem_cache *vm_area_cache(void)
{
	return vm_area_cachep;
}

static void count_vma(struct um_world *world)
{
	long nr = atomic_long_inc_return(&world->nr_vmas);
	long peak = atomic_long_read(&world->peak_vmas);

	/* Fails when somebody else moved the peak: then look again. */
	while (nr > peak && !atomic_long_try_cmpxchg(&world->peak_vmas, &peak, nr))
		;
}

/**
 * vm_area_alloc - a VMA without range, flags and pages
 * @mm: whose it will be
 *
 * May sleep. Returns NULL when there is no memory.
 */
struct vm_area_struct *vm_area_alloc(struct mm_struct *mm)
{
	struct vm_area_struct *vma = kmem_cache_zalloc(vm_area_cachep, GFP_KERNEL);

	if (!vma)
		return NULL;
	count_vma(mm->world);
	vma->vm_mm = mm;
	INIT_LIST_HEAD(&vma->anon_vma_chain);
	init_rwsem(&vma->vm_lock);
	/* No mm_lock_seq is negative: not write-locked. */
	vma->vm_lock_seq = -1;
	return vma;
}

/**
 * vm_area_dup - copy a VMA
 * @vma: write-locked, so that no fault changes it meanwhile
 *
 * The copy has the file, with a reference of its own, the name, and the word in
 * anon_vma - but no chain entry: that is for anon_vma_clone() or anon_vma_fork().
 * Field by field, as readers try the lock of @vma at any moment.
 *
 * May sleep. Returns NULL when there is no memory.
 */
struct vm_area_struct *vm_area_dup(struct vm_area_struct *vma)
{
	struct vm_area_struct *new = vm_area_alloc(vma->vm_mm);

	if (!new)
		return NULL;
	if (vma->anon_name) {
		new->anon_name = kstrdup(vma->anon_name, GFP_KERNEL);
		if (!new->anon_name) {
			atomic_long_dec(&vma->vm_mm->world->nr_vmas);
			kmem_cache_free(vm_area_cachep, new);
			return NULL;
		}
	}
	new->vm_start = vma->vm_start;
	new->vm_end = vma->vm_end;
	new->vm_pgoff = vma->vm_pgoff;
	new->vm_flags = vma->vm_flags;
	new->vm_ops = vma->vm_ops;
	new->anon_vma = vma->anon_vma;
	new->vm_file = vma->vm_file;
	if (new->vm_file)
		um_file_get(new->vm_file);
	return new;
}

static void vm_area_free_rcu(struct rcu_head *head)
{
	struct vm_area_struct *vma = container_of(head, struct vm_area_struct, vm_rcu);

	kfree(vma->anon_name);
	kmem_cache_free(vm_area_cachep, vma);
}

/**
 * vm_area_free - free a VMA after a grace period
 * @vma: out of the VMA tree and of all chains, or never in
 *
 * Readers that found it under RCU may still try its lock, or look at its range and
 * its mm; not at its file, which may be gone at once.
 */
void vm_area_free(struct vm_area_struct *vma)
{
	VM_BUG_ON_VMA(!list_empty(&vma->anon_vma_chain), vma);
	atomic_long_dec(&vma->vm_mm->world->nr_vmas);
	if (vma->vm_file)
		um_file_put(vma->vm_file);
	call_rcu(&vma->vm_rcu, vm_area_free_rcu);
}

/* -- Finding VMAs ------------------------------------------------------------------- */

/**
 * find_vma - the first VMA that ends above an address
 * @mm: mmap_lock held
 * @addr: the address; need not be mapped
 */
struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr)
{
	MA_STATE(mas, &mm->mm_mt, addr, addr);

	mmap_assert_locked(mm);
	return mas_find(&mas, ULONG_MAX);
}

/**
 * vma_lookup - the VMA that an address is in, or NULL
 * @mm: mmap_lock held
 * @addr: the address
 */
struct vm_area_struct *vma_lookup(struct mm_struct *mm, unsigned long addr)
{
	mmap_assert_locked(mm);
	return mtree_load(&mm->mm_mt, addr);
}

/**
 * vma_before - the last VMA that starts below the one at an address, or below the gap
 * @mm: mmap_lock held
 * @addr: start of a VMA, or in a gap
 */
struct vm_area_struct *vma_before(struct mm_struct *mm, unsigned long addr)
{
	MA_STATE(mas, &mm->mm_mt, addr, addr);

	mmap_assert_locked(mm);
	return mas_prev(&mas, 0);
}

/* Is there no VMA in [start, end)? mmap_lock held. */
bool range_is_free(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = find_vma(mm, start);

	return !vma || vma->vm_start >= end;
}

/**
 * lock_vma_under_rcu - find and read-lock a VMA without mmap_lock
 * @mm: with a user
 * @addr: the address
 *
 * The VMA may be changed, moved or freed between the lookup and the lock.
 * vma_start_read() sees writers and VMAs that have left the tree; that the range
 * still has @addr in it must be asked again under the lock. The VMA struct, and the
 * memory of its lock, are there until the end of the grace period.
 *
 * Does not sleep. Returns NULL when there is no VMA, or a writer is at it: take
 * mmap_lock and look again.
 */
struct vm_area_struct *lock_vma_under_rcu(struct mm_struct *mm, unsigned long addr)
{
	MA_STATE(mas, &mm->mm_mt, addr, addr);
	struct vm_area_struct *vma;

	rcu_read_lock();
	vma = mas_walk(&mas);
	if (vma && !vma_start_read(vma))
		vma = NULL;
	rcu_read_unlock();
	if (vma && (addr < vma->vm_start || addr >= vma->vm_end)) {
		vma_end_read(vma);
		vma = NULL;
	}
	return vma;
}

/* -- Changes of boundaries: prepare, commit, abort --------------------------------- */

/*
 * Under the rwsem of @vma's anon_vma, held for write, when @vma may be faulted.
 * Lockless walks read along: see the head of this file.
 */
void vma_set_range(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		   pgoff_t pgoff)
{
	WRITE_ONCE(vma->vm_start, start);
	WRITE_ONCE(vma->vm_end, end);
	WRITE_ONCE(vma->vm_pgoff, pgoff);
}

/*
 * @dst will get the pages of @src: if it is unfaulted, it becomes attached to what
 * @src is attached to, before anything changes. Both are write-locked, so @dst
 * stays without pages of its own until the commit; a walk that comes by it finds
 * empty page tables, or is not interested.
 *
 * The regular topology wants the word in place when it clones: 0 would mean that a
 * child's VMA looks for an anon_vma to reuse. In the lazy one a word without its
 * chain entry must not be seen in the VMA tree, and the clone sets it itself.
 */
static int vma_update_dup(struct vma_update *update, struct vm_area_struct *dst,
			  struct vm_area_struct *src)
{
	int err;

	if (!src->anon_vma || dst->anon_vma)
		return 0;
	vma_assert_write_locked(dst);
	vma_assert_write_locked(src);
	if (!anon_vma_tree_is_lazy(src->anon_vma))
		WRITE_ONCE(dst->anon_vma, src->anon_vma);
	err = anon_vma_clone(dst, src);
	if (!err)
		update->dup = dst;
	return err;
}

/**
 * vma_update_prepare - put by what the store into the VMA tree needs
 * @update: all but update->mas filled in
 *
 * May sleep. Returns 0, or -ENOMEM with nothing left behind: then the update is over.
 */
int vma_update_prepare(struct vma_update *update)
{
	mas_init(&update->mas, &update->mm->mm_mt, update->store_start);
	mas_set_range(&update->mas, update->store_start, update->store_end - 1);
	if (!mas_preallocate(&update->mas, update->entry, GFP_KERNEL))
		return 0;
	if (update->dup)
		unlink_anon_vmas(update->dup);
	return -ENOMEM;
}

/* @vma was swallowed: it is out of the VMA tree, its pages are @by's. */
static void vma_remove_swallowed(struct vm_area_struct *vma, struct vm_area_struct *by)
{
	vma_mark_detached(vma, true);
	if (vma->anon_vma)
		anon_vma_merge(by, vma);
	vma->vm_mm->map_count--;
	vm_area_free(vma);
}

/**
 * vma_update_commit - do what was prepared
 * @update: prepared; the VMAs in it are write-locked
 *
 * Correct because: if any of the VMAs is faulted, update->vma or update->adjust
 * is, and all faulted ones have one rwsem, by the rules of merging; so it is held
 * over all changes. Chain entries are out of their trees while their keys change.
 * The anon offset of every page stays: vm_pgoff goes along with vm_start, and an
 * in-place VMA's pages are numbered by address whatever its range.
 *
 * May sleep.
 */
void vma_update_commit(struct vma_update *update)
{
	struct vm_area_struct *vma = update->vma, *adjust = update->adjust;
	anon_vma_tree_t tree = vma->anon_vma;

	if (!tree && adjust)
		tree = adjust->anon_vma;
	if (tree) {
		anon_vma_tree_lock_write(tree);
		anon_vma_pre_update(vma);
		if (adjust)
			anon_vma_pre_update(adjust);
	}

	vma_set_range(vma, update->start, update->end, update->pgoff);
	if (adjust)
		vma_set_range(adjust, update->adjust_start, adjust->vm_end,
			      adjust->vm_pgoff + (update->adjust_start >> PAGE_SHIFT) -
			      (adjust->vm_start >> PAGE_SHIFT));
	mas_store_prealloc(&update->mas, update->entry);
	if (update->insert)
		update->mm->map_count++;

	if (tree) {
		anon_vma_post_update(vma);
		if (adjust)
			anon_vma_post_update(adjust);
		anon_vma_tree_unlock_write(tree);
	}

	if (update->remove)
		vma_remove_swallowed(update->remove, vma);
	if (update->remove2)
		vma_remove_swallowed(update->remove2, vma);
}

/**
 * vma_link - put a new VMA into the VMA tree
 * @vma: without pages; its range is free
 *
 * May sleep. Returns 0 or -ENOMEM.
 */
int vma_link(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	MA_STATE(mas, &mm->mm_mt, vma->vm_start, vma->vm_end - 1);

	if (mas_store_gfp(&mas, vma, GFP_KERNEL))
		return -ENOMEM;
	mm->map_count++;
	return 0;
}

/* -- Split ----------------------------------------------------------------------------- */

/**
 * __split_vma - make two VMAs out of one
 * @vma: the VMA
 * @addr: where, inside of it
 * @new_below: the new VMA gets the lower part, else the upper one
 *
 *	            addr
 *	[     vma    |          ]		before
 *	[    new    ][   vma    ]		new_below
 *	[    vma    ][   new    ]		else
 *
 * Correct because: @new is numbered like @vma and attached to the same anon_vmas
 * before it holds a page. Chain entries of @new may be met from then on, and
 * name pages that @vma still has too; the store and the new range of @vma come
 * under one hold of the rwsem, so a walk by address finds each page in one of them.
 * No fault can come in between: @vma is write-locked before it is copied.
 *
 * May sleep. Returns 0, or -ENOMEM and nothing has changed - but that a huge PMD at
 * @addr may be split. How many VMAs there may be is the caller's to check.
 */
int __split_vma(struct vm_area_struct *vma, unsigned long addr, bool new_below)
{
	struct vma_update update = { .mm = vma->vm_mm, .vma = vma };
	struct vm_area_struct *new;
	int err;

	VM_BUG_ON_VMA(addr <= vma->vm_start || addr >= vma->vm_end, vma);
	vma_start_write(vma);
	err = split_huge_pmd_at(vma, addr);
	if (err)
		return err;
	new = vm_area_dup(vma);
	if (!new)
		return -ENOMEM;
	vma_start_write(new);

	update.insert = update.entry = new;
	if (new_below) {
		vma_set_range(new, vma->vm_start, addr, vma->vm_pgoff);
		update.start = addr;
		update.end = vma->vm_end;
		update.pgoff = vma_pgoff_at(vma, addr);
	} else {
		vma_set_range(new, addr, vma->vm_end, vma_pgoff_at(vma, addr));
		update.start = vma->vm_start;
		update.end = addr;
		update.pgoff = vma->vm_pgoff;
	}

	update.store_start = new->vm_start;
	update.store_end = new->vm_end;

	err = anon_vma_clone(new, vma);
	if (err)
		goto free;
	err = vma_update_prepare(&update);
	if (err)
		goto unlink;
	vma_update_commit(&update);
	return 0;

unlink:
	unlink_anon_vmas(new);
free:
	vm_area_free(new);
	return err;
}

/* As __split_vma(); -ENOMEM also when there are too many VMAs already. */
int split_vma(struct vm_area_struct *vma, unsigned long addr, bool new_below)
{
	if (vma->vm_mm->map_count >= MAX_MAP_COUNT)
		return -ENOMEM;
	return __split_vma(vma, addr, new_below);
}

/* -- Merge: who may ---------------------------------------------------------------- */

static bool anon_name_eq(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool vma_is_like(const struct vm_area_struct *vma, const struct vma_merge *merge)
{
	return vma->vm_flags == merge->flags && vma->vm_file == merge->file &&
		anon_name_eq(vma->anon_name, merge->anon_name);
}

/* The reverse map's question, to a neighbour that is like the range in all else. */
static bool vma_numbering_fits(struct vm_area_struct *vma, const struct vma_merge *merge)
{
	vma_start_write(vma);
	return merge->mm->topology->mergeable(vma, &merge->numbering);
}

static bool can_merge_left(const struct vma_merge *merge)
{
	struct vm_area_struct *prev = merge->prev;

	return prev && prev->vm_end == merge->start && vma_is_like(prev, merge) &&
		vma_pgoff_at(prev, prev->vm_end) == merge->pgoff &&
		vma_numbering_fits(prev, merge);
}

/*
 * That both neighbours fit the range does not say that they fit each other: an
 * unfaulted range fits them all. Of two that differ the faulted one is asked.
 */
static bool neighbours_fit(struct vm_area_struct *prev, struct vm_area_struct *next)
{
	struct vm_area_struct *asked = prev->anon_vma ? prev : next;
	struct vm_area_struct *other = prev->anon_vma ? next : prev;
	struct anon_vma_numbering numbering;

	numbering = anon_vma_numbering(other, other->vm_start, other->vm_pgoff);
	return prev->vm_mm->topology->mergeable(asked, &numbering);
}

static bool can_merge_right(const struct vma_merge *merge, bool left)
{
	struct vm_area_struct *next = merge->next;

	return next && next->vm_start == merge->end && vma_is_like(next, merge) &&
		merge->pgoff + ((merge->end - merge->start) >> PAGE_SHIFT) == next->vm_pgoff &&
		vma_numbering_fits(next, merge) && (!left || neighbours_fit(merge->prev, next));
}

/* -- Merge: a range where no VMA is ------------------------------------------------ */

/*
 *	[ prev ]<range>			[ prev        ]
 *	        <range>[ next ]		        [ next        ]
 *	[ prev ]<range>[ next ]		[ prev                ]	next goes
 *
 * The survivor takes over the rmap state of @next, or of the VMA whose pages will
 * be moved into the range, if it has none itself.
 */
static int vma_merge_new_dup(const struct vma_merge *merge, struct vma_update *update)
{
	struct vm_area_struct *donor = merge->source;

	if (update->remove && update->remove->anon_vma)
		donor = update->remove;
	return donor ? vma_update_dup(update, update->vma, donor) : 0;
}

/**
 * vma_merge_new_prepare - could a new range become a part of its neighbours?
 * @merge: describes the range; merge->source, if any, is write-locked
 * @update: prepared when it can
 *
 * Correct because: see vma_update_commit(); that the survivor's numbering is right
 * for pages which will be in the range is what mergeable() says of it.
 *
 * May sleep. Returns 1 when prepared, 0 when the neighbours do not fit, -ENOMEM.
 */
int vma_merge_new_prepare(struct vma_merge *merge, struct vma_update *update)
{
	struct vm_area_struct *prev = merge->prev, *next = merge->next;
	bool left, right;
	int err;

	if (merge->flags & VM_SPECIAL)
		return 0;
	/* A range without pages has no numbering, but a place that may be too low for one. */
	merge->numbering = (struct anon_vma_numbering) { .address = merge->start };
	if (merge->source)
		merge->numbering = anon_vma_numbering(merge->source, merge->start, merge->pgoff);
	left = can_merge_left(merge);
	right = !merge->left_only && can_merge_right(merge, left);
	if (!left && !right)
		return 0;

	*update = (struct vma_update) {
		.mm = merge->mm,
		.vma = left ? prev : next,
		.start = left ? prev->vm_start : merge->start,
		.end = right ? next->vm_end : merge->end,
		.pgoff = left ? prev->vm_pgoff : merge->pgoff,
		.remove = left && right ? next : NULL,
	};
	update->entry = update->vma;
	update->store_start = update->start;
	update->store_end = update->end;
	err = vma_merge_new_dup(merge, update);
	if (!err)
		err = vma_update_prepare(update);
	return err ? err : 1;
}

/**
 * vma_merge_new - let a new range become a part of its neighbours
 * @merge: describes the range, where no VMA is
 *
 * May sleep. Returns the VMA that now has the range, NULL when the neighbours do
 * not fit, ERR_PTR(-ENOMEM) when nothing has changed.
 */
struct vm_area_struct *vma_merge_new(struct vma_merge *merge)
{
	struct vma_update update;
	int ret = vma_merge_new_prepare(merge, &update);

	if (ret <= 0)
		return ERR_PTR(ret);
	vma_update_commit(&update);
	return update.vma;
}

/* -- Merge: a part of a VMA whose attributes change -------------------------------------------  */

/*
 *	[ prev ]<  vma  >[ next ]	[ prev                  ]	both, vma and next go
 *	[ prev ]<  vma  >		[ prev          ]		left, vma goes
 *	[ prev ]<--->vma ]		[ prev      ][ vma ]		left, vma shrinks
 *	        <  vma  >[ next ]	        [ next          ]	right, vma goes
 *	        [vma<--->[ next ]	        [vma][ next     ]	right, vma shrinks
 *
 * update->entry is the one that grows. Fills in all but the rmap state.
 */
static void vma_merge_plan(const struct vma_merge *merge, bool left, bool right,
			   struct vma_update *update)
{
	struct vm_area_struct *vma = merge->vma, *prev = merge->prev, *next = merge->next;
	bool whole = merge->start == vma->vm_start && merge->end == vma->vm_end;

	*update = (struct vma_update) {
		.mm = merge->mm,
		.entry = left ? prev : next,
		.store_start = left ? prev->vm_start : merge->start,
		.store_end = right ? next->vm_end : merge->end,
		.remove = whole ? vma : NULL,
		.remove2 = left && right ? next : NULL,
	};
	if (left || whole) {
		update->vma = update->entry;
		update->start = update->store_start;
		update->end = update->store_end;
		update->pgoff = left ? prev->vm_pgoff : merge->pgoff;
	} else {
		update->vma = vma;
		update->start = vma->vm_start;
		update->end = merge->start;
		update->pgoff = vma->vm_pgoff;
	}
	if (!whole) {
		update->adjust = left ? vma : next;
		update->adjust_start = left ? merge->end : merge->start;
	}
}

/*
 * Correct because: the survivor has the rmap state that covers all pages of the
 * new range before the boundaries change; it keeps its own if it had one, as that
 * is then the same, by mergeable(). See vma_update_commit() for the rest.
 */
static struct vm_area_struct *vma_merge_existing(struct vma_merge *merge)
{
	struct vm_area_struct *vma = merge->vma, *donor = vma;
	struct vma_update update;
	bool left, right;
	int err = 0;

	if (merge->flags & VM_SPECIAL)
		return NULL;
	merge->numbering = anon_vma_numbering(vma, merge->start, merge->pgoff);
	left = merge->start == vma->vm_start && can_merge_left(merge);
	right = merge->end == vma->vm_end && can_merge_right(merge, left);
	if (!left && !right)
		return NULL;

	vma_merge_plan(merge, left, right, &update);
	if (update.remove2 && update.remove2->anon_vma)
		donor = update.remove2;
	/* The new boundary is in @vma, or where it ends. */
	if (update.adjust)
		err = split_huge_pmd_at(vma, update.adjust_start);
	if (!err)
		err = vma_update_dup(&update, update.entry, donor);
	if (!err)
		err = vma_update_prepare(&update);
	if (err)
		return ERR_PTR(err);
	vma_update_commit(&update);
	return update.entry;
}

/**
 * vma_modify - give a part of a VMA a VMA of its own, for attributes of its own
 * @vma: the VMA
 * @start: the part
 * @end: the part, exclusive
 * @flags: what it will have
 * @anon_name: the same
 *
 * Merges the part with neighbours that have these attributes already, or else splits
 * it off. The caller sets the attributes in the VMA that is returned: it may be
 * larger than the part, and then has them.
 *
 * May sleep. Returns the VMA that has [@start, @end), or ERR_PTR(-ENOMEM); then @vma
 * may have been split, as in Linux, which changes nothing for the program.
 */
struct vm_area_struct *vma_modify(struct vm_area_struct *vma, unsigned long start,
				  unsigned long end, vm_flags_t flags, const char *anon_name)
{
	struct vma_merge merge = {
		.mm = vma->vm_mm,
		.vma = vma,
		.start = start,
		.end = end,
		.pgoff = vma_pgoff_at(vma, start),
		.flags = flags,
		.file = vma->vm_file,
		.anon_name = anon_name,
	};
	struct vm_area_struct *merged;
	int err;

	/* Before its numbering is looked at. */
	vma_start_write(vma);
	merge.prev = vma_before(vma->vm_mm, vma->vm_start);
	merge.next = find_vma(vma->vm_mm, vma->vm_end);
	merged = vma_merge_existing(&merge);
	if (merged)
		return merged;

	if (vma->vm_start < start) {
		err = split_vma(vma, start, true);
		if (err)
			return ERR_PTR(err);
	}
	if (vma->vm_end > end) {
		err = split_vma(vma, end, false);
		if (err)
			return ERR_PTR(err);
	}
	return vma;
}
