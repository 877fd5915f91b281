// SPDX-License-Identifier: GPL-2.0
/*
 * The life of an mm: made, forked, emptied, freed
 */
#include "vma.h"

static struct kmem_cache *mm_cachep;

/* Once, before the first mm; see vma_init(). */
void mm_cache_init(void)
{
	mm_cachep = kmem_cache_create("mm_struct", sizeof(struct mm_struct),
				      __alignof__(struct mm_struct), SLAB_PANIC | SLAB_ACCOUNT,
				      NULL);
}

/*
 * Give an mm what is its own and not its parent's: locks, counts, an empty VMA tree
 * and page table, and no anon_vma. After a byte by byte copy all of these are wrong.
 */
static int mm_init(struct mm_struct *mm)
{
	/* From its first moment the tree may be looked into under RCU: see dup_mmap(). */
	mt_init_flags(&mm->mm_mt, MT_FLAGS_ALLOC_RANGE | MT_FLAGS_USE_RCU | MT_FLAGS_LOCK_EXTERN);
	init_rwsem(&mm->mmap_lock);
	spin_lock_init(&mm->page_table_lock);
	atomic_set(&mm->mm_users, 1);
	atomic_set(&mm->mm_count, 1);
	mm->map_count = 0;
	mm->mm_lock_seq = 0;
	anon_vma_init_mm(mm);
	INIT_LIST_HEAD(&mm->mm_list);
	/* Locks are not inherited. */
	mm->def_flags = 0;
	atomic_long_set(&mm->nr_anon, 0);
	atomic_long_set(&mm->nr_swap, 0);
	atomic_long_set(&mm->nr_ptes, 0);
	mm->model = NULL;
	mm->pgd = pgtable_alloc(mm, 3);
	return mm->pgd ? 0 : -ENOMEM;
}

/**
 * mm_alloc - a new, empty mm
 * @world: where
 * @mmp: out; mmput() drops the reference
 *
 * May sleep. Returns 0 or -ENOMEM.
 */
int mm_alloc(struct um_world *world, struct mm_struct **mmp)
{
	struct mm_struct *mm = kmem_cache_zalloc(mm_cachep, GFP_KERNEL);

	if (!mm)
		return -ENOMEM;
	mm->world = world;
	mm->topology = world->topology;
	mm->anon_vma_events = world->events;
	mm->stack_rlimit = STACK_RLIMIT;
	/* Below the room that the largest usual stack has. */
	mm->mmap_hint = PAGE_ALIGN(TASK_SIZE) - (128UL << 20);
	if (mm_init(mm)) {
		kmem_cache_free(mm_cachep, mm);
		return -ENOMEM;
	}
	world_add_mm(mm);
	*mmp = mm;
	return 0;
}

/* -- The end -------------------------------------------------------------------------- */

/*
 * After a fork that failed half way, VMAs from some address on are the parent's: a
 * reserved entry says where. Returns the VMA at the position, or the next one.
 */
static struct vm_area_struct *exit_next_vma(struct ma_state *mas)
{
	struct vm_area_struct *vma = mas_find(mas, ULONG_MAX);

	return xa_is_zero(vma) ? NULL : vma;
}

/*
 * Unmap everything; mmap_lock held for write.
 *
 * Correct because: walks find the mm until its last PTE is gone. anon_vma_exit_mm()
 * waits for those that are in it, and no other comes; in the regular topology it is
 * unlink_anon_vmas() that waits. Both come before the first page table goes. VMAs,
 * tables and nodes of the VMA tree are freed after a grace period, for walks and
 * lookups without locks; none can begin when the mm is out of its anon_vma, and
 * nobody uses it.
 */
static void exit_mmap_locked(struct mm_struct *mm)
{
	MA_STATE(mas, &mm->mm_mt, 0, 0);
	struct vm_area_struct *vma;

	while ((vma = exit_next_vma(&mas)))
		zap_page_range(vma, vma->vm_start, vma->vm_end);
	anon_vma_exit_mm(mm);

	mas_set(&mas, 0);
	while ((vma = exit_next_vma(&mas)))
		unlink_anon_vmas(vma);
	free_pgtables(mm, 0, USER_CEILING, 0, USER_CEILING);

	mas_set(&mas, 0);
	while ((vma = exit_next_vma(&mas)))
		vm_area_free(vma);
	mtree_destroy(&mm->mm_mt);
	mm->map_count = 0;
}

/**
 * exit_mmap - give back all memory of an mm
 * @mm: nobody uses it any more; or, after a failed fork, it is empty already
 *
 * May sleep.
 */
void exit_mmap(struct mm_struct *mm)
{
	ksm_exit_mm(mm);
	mmap_write_lock(mm);
	exit_mmap_locked(mm);
	mmap_write_unlock(mm);
}

/**
 * mmput - drop a user of an mm
 * @mm: the last one empties it
 *
 * May sleep.
 */
void mmput(struct mm_struct *mm)
{
	if (!atomic_dec_and_test(&mm->mm_users))
		return;
	exit_mmap(mm);
	world_remove_mm(mm);
	mm_drop(mm);
}

static void mm_free_rcu(struct rcu_head *head)
{
	kmem_cache_free(mm_cachep, container_of(head, struct mm_struct, rcu));
}

/**
 * mm_drop - drop a reference to the mm struct
 * @mm: the last one frees it
 *
 * After a grace period: a lockless walk may have found it in its anon_vma, and then
 * looks into its VMA tree and its page tables, though there is nothing left.
 */
void mm_drop(struct mm_struct *mm)
{
	if (!atomic_dec_and_test(&mm->mm_count))
		return;
	pgtable_free_rcu(mm, mm->pgd);
	VM_WARN_ON_ONCE(atomic_long_read(&mm->nr_ptes));
	VM_WARN_ON_ONCE(atomic_long_read(&mm->nr_anon));
	VM_WARN_ON_ONCE(atomic_long_read(&mm->nr_swap));
	call_rcu(&mm->rcu, mm_free_rcu);
}

/* -- fork ------------------------------------------------------------------------------ */

/*
 * The child's VMA for @pvma, attached to the reverse map, in the child's VMA tree in
 * place of the parent's, then with pages: a walk that comes to the child for one of
 * its PTEs has to find the VMA. Returns 0; or -ENOMEM: if *copied, then the VMA is
 * there and some of its pages may be; if not, the parent's is still in its place.
 */
static int dup_vma(struct mm_struct *mm, struct vm_area_struct *pvma, bool *copied)
{
	MA_STATE(mas, &mm->mm_mt, pvma->vm_start, pvma->vm_end - 1);
	struct vm_area_struct *vma = vm_area_dup(pvma);
	int err = -ENOMEM;

	if (!vma)
		return -ENOMEM;
	vma->vm_mm = mm;
	vma->vm_flags &= ~VM_LOCKED_MASK;
	if (vma->vm_flags & VM_WIPEONFORK)
		/* No page is copied, so the first fault decides anew. */
		vma->anon_vma = 0;
	else if (anon_vma_fork(vma, pvma))
		goto free;
	if (mas_store_gfp(&mas, vma, GFP_KERNEL))
		goto unlink;
	mm->map_count++;
	*copied = true;
	return vma->vm_flags & VM_WIPEONFORK ? 0 : copy_page_range(vma, pvma);

unlink:
	unlink_anon_vmas(vma);
free:
	vm_area_free(vma);
	return err;
}

/*
 * Turn the copy of the parent's VMA tree into the child's, VMA by VMA.
 *
 * *stop is set to where it ended: from there on the tree has the parent's VMAs.
 * Entries are looked up anew each time, as every step stores into the tree.
 */
static int dup_vmas(struct mm_struct *mm, unsigned long *stop)
{
	struct vm_area_struct *pvma;
	bool copied;
	int err = 0;

	for (*stop = 0; (pvma = find_vma(mm, *stop)); *stop = pvma->vm_end) {
		MA_STATE(mas, &mm->mm_mt, pvma->vm_start, pvma->vm_end - 1);

		copied = false;
		/* No fault may add pages, or a numbering, while it is copied. */
		vma_start_write(pvma);
		if (pvma->vm_flags & VM_DONTCOPY)
			err = mas_store_gfp(&mas, NULL, GFP_KERNEL) ? -ENOMEM : 0;
		else
			err = dup_vma(mm, pvma, &copied);
		if (err) {
			*stop = copied ? pvma->vm_end : pvma->vm_start;
			break;
		}
	}
	return err;
}

/*
 * Nothing more is copied: from @stop on the VMA tree holds the parent's VMAs. Walks
 * are told to stop there, while mmap_lock of the parent still keeps those VMAs; they
 * go on finding what was copied, until exit_mmap_locked(), which is told by a
 * reserved entry in place of the next VMA, has zapped it.
 */
static void dup_mmap_failed(struct mm_struct *mm, unsigned long stop)
{
	struct vm_area_struct *next = find_vma(mm, stop);

	anon_vma_fork_failed(mm, stop);
	if (next) {
		MA_STATE(mas, &mm->mm_mt, next->vm_start, next->vm_end - 1);

		/* One entry for another: Linux needs no memory for that either. */
		mas_store_gfp(&mas, XA_ZERO_ENTRY, GFP_KERNEL | __GFP_NOFAIL);
	}
}

/*
 * Copy VMAs and pages. Both mmap_locks are held for write.
 *
 * Correct because: the child is in the fork tree before its first page is copied, so
 * the walk that meets a page in the parent comes to the child after that. Its VMA
 * tree starts as a copy of the parent's, which makes it a tree of the right shape
 * without a store for each VMA; walks that come by look at vm_mm to tell the parent's
 * VMAs from the child's. The parent's are kept by its mmap_lock meanwhile. Where the
 * tree has a page's VMA yet or not does not matter to a walk before the page is
 * copied, and dup_vma() stores the VMA first.
 */
static int dup_mmap(struct mm_struct *mm, struct mm_struct *oldmm)
{
	unsigned long stop = 0;
	int err;

	err = __mt_dup(&oldmm->mm_mt, &mm->mm_mt, GFP_KERNEL);
	if (err)
		return -ENOMEM;
	err = anon_vma_fork_mm(mm, oldmm);
	if (!err)
		err = dup_vmas(mm, &stop);
	if (err)
		dup_mmap_failed(mm, stop);
	return err;
}

/*
 * The child's mm begins as a copy of all bytes of the parent's, as in Linux: what is
 * inherited - heap, stack, limits, where mmap() searches - is right at once, and
 * mm_init() resets the rest. Word by word, out of ThreadSanitizer's sight: the words
 * of locks and lists, which change meanwhile, are among those that are reset.
 */
static __attribute__((__no_sanitize__("thread"))) void mm_copy(struct mm_struct *mm,
							       const struct mm_struct *oldmm)
{
	const unsigned long *from = (const unsigned long *)oldmm;
	unsigned long *to = (unsigned long *)mm;
	size_t i;

	BUILD_BUG_ON(sizeof(*mm) % sizeof(*to));
	for (i = 0; i < sizeof(*mm) / sizeof(*to); i++)
		to[i] = READ_ONCE(from[i]);
}

/**
 * dup_mm - fork an mm
 * @oldmm: the parent; mmap_lock not held
 * @mmp: out: the child; mmput() drops the reference
 *
 * When it fails half way, the child is emptied before its mmap_lock is dropped: others
 * may have found it in the list of mms, and wait to look into it.
 *
 * May sleep. Returns 0, or -ENOMEM and nothing is left of the child.
 */
int dup_mm(struct mm_struct *oldmm, struct mm_struct **mmp)
{
	struct mm_struct *mm = kmem_cache_alloc(mm_cachep, GFP_KERNEL);
	int err;

	if (!mm)
		return -ENOMEM;
	mmap_write_lock(oldmm);
	mm_copy(mm, oldmm);
	if (mm_init(mm)) {
		mmap_write_unlock(oldmm);
		kmem_cache_free(mm_cachep, mm);
		return -ENOMEM;
	}
	/* Nobody else knows the child yet. */
	mmap_write_lock_nested(mm, SINGLE_DEPTH_NESTING);
	world_add_mm(mm);
	err = dup_mmap(mm, oldmm);
	mmap_write_unlock(oldmm);
	if (err)
		exit_mmap_locked(mm);
	mmap_write_unlock(mm);
	if (err) {
		mmput(mm);
		return err;
	}
	*mmp = mm;
	return 0;
}
