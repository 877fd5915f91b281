// SPDX-License-Identifier: GPL-2.0
/*
 * A third topology: scan everything. See scan_topology.h.
 *
 * Pages are numbered by vm_pgoff (words carry no tag). One rwsem for the family:
 * an mm joins and leaves it, VMAs change and pages move, under the write lock; a
 * walk holds the read lock from end to end.
 */
#include <linux/anon_vma_lazy.h>
#include <linux/rmap.h>
#include <linux/xarray.h>
#include "scan_topology.h"

struct scan_anon_vma {
	struct anon_vma anon_vma;
	struct list_head mms;		/* the family: rwsem */
	struct list_head detached;	/* batches of VMAs out of their tree: rwsem */
};

static struct kmem_cache *scan_cachep;

static struct scan_anon_vma *to_scan(struct anon_vma *anon_vma)
{
	return container_of(anon_vma, struct scan_anon_vma, anon_vma);
}

static void scan_ctor(void *data)
{
	struct scan_anon_vma *scan = data;

	init_rwsem(&scan->anon_vma.rwsem);
	scan->anon_vma.root = &scan->anon_vma;	/* read through stale pointers */
	atomic_set(&scan->anon_vma.refcount, 0);
	scan->anon_vma.rb_root = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&scan->mms);
	INIT_LIST_HEAD(&scan->detached);
}

static int scan_init(void)
{
	if (!scan_cachep)
		scan_cachep = kmem_cache_create("scan_anon_vma", sizeof(struct scan_anon_vma),
						__alignof__(struct scan_anon_vma),
						SLAB_TYPESAFE_BY_RCU, scan_ctor);
	return scan_cachep ? 0 : -ENOMEM;
}

/* The family's anon_vma, made by whoever of the mm's threads comes first. */
static struct anon_vma *scan_mm_anon_vma(struct mm_struct *mm)
{
	/* Acquire: pairs with the release below; without it, its fields may be unset. */
	struct anon_vma *anon_vma = smp_load_acquire(&mm->anon_vma);
	struct scan_anon_vma *scan;

	if (anon_vma)
		return anon_vma;
	scan = kmem_cache_alloc(scan_cachep, GFP_KERNEL);
	if (!scan)
		return NULL;
	anon_vma_set_topology(&scan->anon_vma, mm);
	atomic_set_release(&scan->anon_vma.refcount, 1);

	anon_vma_lock_write(&scan->anon_vma);
	spin_lock(&mm->page_table_lock);
	anon_vma = mm->anon_vma;
	if (!anon_vma) {
		anon_vma = &scan->anon_vma;
		list_add_tail(&mm->anon_vma_node, &scan->mms);
		smp_store_release(&mm->anon_vma, anon_vma);
	}
	spin_unlock(&mm->page_table_lock);
	anon_vma_unlock_write(&scan->anon_vma);
	if (anon_vma != &scan->anon_vma)
		put_anon_vma(&scan->anon_vma);
	return anon_vma;
}

static int scan_prepare(struct vm_area_struct *vma)
{
	struct anon_vma *anon_vma = scan_mm_anon_vma(vma->vm_mm);

	if (!anon_vma)
		return -ENOMEM;
	/* All who race here store the same. Release: as in lazy_anon_vma_prepare(). */
	smp_store_release(&vma->anon_vma, make_anon_vma_tree(anon_vma, 0));
	return 0;
}

static int scan_clone(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	WRITE_ONCE(dst->anon_vma, src->anon_vma);
	return 0;
}

static int scan_fork_mm(struct mm_struct *mm, struct mm_struct *oldmm)
{
	struct anon_vma *anon_vma = scan_mm_anon_vma(oldmm);

	if (!anon_vma)
		return -ENOMEM;
	get_anon_vma(anon_vma);
	anon_vma_lock_write(anon_vma);
	list_add_tail(&mm->anon_vma_node, &to_scan(anon_vma)->mms);
	mm->anon_vma = anon_vma;
	anon_vma_unlock_write(anon_vma);
	return 0;
}

static int scan_fork(struct vm_area_struct *vma, struct vm_area_struct *pvma)
{
	vma->anon_vma = pvma->anon_vma;
	return 0;
}

static void scan_fork_failed(struct mm_struct *mm, unsigned long addr)
{
	if (!mm->anon_vma)
		return;
	anon_vma_lock_write(mm->anon_vma);
	mm->anon_vma_limit = addr;
	anon_vma_unlock_write(mm->anon_vma);
}

static void scan_unlink(struct vm_area_struct *vma)
{
	struct anon_vma *anon_vma = vma->vm_mm->anon_vma;

	/* Walks that hold the VMA while it stays in the tree: wait for them. */
	if (anon_vma)
		anon_vma_lock_write(anon_vma);
	WRITE_ONCE(vma->anon_vma, 0);
	if (anon_vma)
		anon_vma_unlock_write(anon_vma);
}

static void scan_exit_mm(struct mm_struct *mm)
{
	struct anon_vma *anon_vma = mm->anon_vma;

	if (!anon_vma)
		return;
	anon_vma_lock_write(anon_vma);
	list_del(&mm->anon_vma_node);
	mm->anon_vma = NULL;
	anon_vma_unlock_write(anon_vma);
	put_anon_vma(anon_vma);
}

static void scan_release(struct anon_vma *anon_vma)
{
	/* Those who got the lock without a reference, as lazy_anon_vma_release(). */
	if (rwsem_is_locked(&anon_vma->rwsem)) {
		anon_vma_lock_write(anon_vma);
		anon_vma_unlock_write(anon_vma);
	}
	kmem_cache_free(scan_cachep, to_scan(anon_vma));
}

static bool scan_mergeable(struct vm_area_struct *vma, const struct anon_vma_numbering *other)
{
	return !vma->anon_vma || !other->tree || vma->anon_vma == other->tree;
}

static void scan_detach(struct mm_struct *mm, struct anon_vma_detached *batch)
{
	INIT_LIST_HEAD(&batch->node);
	if (!mm->anon_vma)
		return;
	anon_vma_lock_write(mm->anon_vma);
	list_add(&batch->node, &to_scan(mm->anon_vma)->detached);
	anon_vma_unlock_write(mm->anon_vma);
}

static void scan_detach_done(struct mm_struct *mm, struct anon_vma_detached *batch)
{
	if (list_empty(&batch->node))
		return;
	anon_vma_lock_write(mm->anon_vma);
	list_del_init(&batch->node);
	anon_vma_unlock_write(mm->anon_vma);
}

static struct anon_vma *scan_owner(struct vm_area_struct *vma, bool exclusive)
{
	(void)exclusive;
	return anon_vma_tree_anon_vma(vma->anon_vma);
}

static bool scan_covers(struct anon_vma *owner, struct vm_area_struct *vma)
{
	return anon_vma_tree_anon_vma(vma->anon_vma) == owner;
}

/* Does the walk want this VMA? Sets walk->address. */
static bool scan_wants(struct anon_vma_walk *walk, struct vm_area_struct *vma)
{
	if (anon_vma_tree_anon_vma(READ_ONCE(vma->anon_vma)) != walk->owner)
		return false;
	if (walk->by_address) {
		walk->address = walk->wanted;
		return walk->wanted >= vma->vm_start && walk->wanted < vma->vm_end;
	}
	walk->address = vma_range_address(vma, vma->vm_pgoff, walk->first, walk->last);
	return walk->address != (unsigned long)-EFAULT;
}

/* The next VMA wanted of a tree, from walk->next_address on. */
static struct vm_area_struct *scan_tree(struct anon_vma_walk *walk, struct maple_tree *tree,
					const struct mm_struct *mm, unsigned long limit)
{
	MA_STATE(mas, tree, walk->next_address, walk->next_address);
	struct vm_area_struct *vma, *found = NULL;

	rcu_read_lock();
	mas_for_each(&mas, vma, limit - 1) {
		walk->next_address = mas.last + 1;
		if (xa_is_zero(vma) || (mm && vma->vm_mm != mm))
			continue;
		if (scan_wants(walk, vma)) {
			found = vma;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

enum { SCAN_START, SCAN_TREES, SCAN_BATCHES };

static struct vm_area_struct *scan_walk_next(struct anon_vma_walk *walk)
{
	struct scan_anon_vma *scan = to_scan(walk->owner);
	struct vm_area_struct *vma;

	if (walk->stage == SCAN_START) {
		walk->mm = list_first_entry_or_null(&scan->mms, struct mm_struct, anon_vma_node);
		walk->stage = SCAN_TREES;
	}
	while (walk->stage == SCAN_TREES) {
		if (walk->mm && walk->mm->anon_vma_limit) {
			vma = scan_tree(walk, &walk->mm->mm_mt, walk->mm,
					walk->mm->anon_vma_limit);
			if (vma)
				return vma;
		}
		walk->next_address = 0;
		if (!walk->mm || list_is_last(&walk->mm->anon_vma_node, &scan->mms)) {
			walk->stage = SCAN_BATCHES;
			walk->batch = list_first_entry_or_null(&scan->detached,
							       struct anon_vma_detached, node);
		} else {
			walk->mm = list_next_entry(walk->mm, anon_vma_node);
		}
	}
	while (walk->batch) {
		vma = scan_tree(walk, walk->batch->vmas, NULL, walk->batch->end);
		if (vma)
			return vma;
		walk->next_address = 0;
		walk->batch = list_is_last(&walk->batch->node, &scan->detached) ? NULL :
			      list_next_entry(walk->batch, node);
	}
	return NULL;
}

const struct anon_vma_topology scan_topology = {
	.name = "scan",
	.init = scan_init,
	.prepare = scan_prepare,
	.clone = scan_clone,
	.fork_mm = scan_fork_mm,
	.fork = scan_fork,
	.fork_failed = scan_fork_failed,
	.unlink = scan_unlink,
	.exit_mm = scan_exit_mm,
	.release = scan_release,
	.mergeable = scan_mergeable,
	.detach = scan_detach,
	.reattach = scan_detach_done,
	.detach_done = scan_detach_done,
	.owner = scan_owner,
	.covers = scan_covers,
	.walk_next = scan_walk_next,
};
