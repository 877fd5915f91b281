/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_RMAP_H
#define _LINUX_RMAP_H
/*
 * Different implementation: stands in for Linux's <linux/rmap.h>. Names and
 * fields that Linux 6.12 has are those of Linux. What this side adds is the
 * choice of a topology per world (struct anon_vma_topology), where Linux makes
 * one choice per boot; core/ reaches it only through the hooks at the end,
 * which Linux provides as branches on a static key.
 */
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/slab.h>

struct anon_vma_walk;
struct anon_vma_detached;
struct anon_vma_numbering;

struct anon_vma {
	struct anon_vma *root;		/* whose rwsem is the lock; constant once published */
	struct rw_semaphore rwsem;	/* W: change the trees, R: walk */
	atomic_t refcount;
	unsigned long num_children;	/* regular: children, itself included if a root */
	unsigned long num_active_vmas;	/* regular: VMAs whose ->anon_vma this is */
	struct anon_vma *parent;	/* regular */
	struct rb_root_cached rb_root;	/* AVCs by anon offset: rwsem */

	/* User space only: worlds of different topologies live in one process. */
	const struct anon_vma_topology *topology;
};

struct anon_vma_chain {
	struct vm_area_struct *vma;
	struct anon_vma *anon_vma;
	struct list_head same_vma;	/* in vma->anon_vma_chain: mmap_lock & page_table_lock */
	struct rb_node rb;		/* in anon_vma->rb_root: its rwsem */
	unsigned long rb_subtree_last;
};

/* What 64-bit Linux 6.12 allocates for one object, in bytes (slabinfo's objsize). */
#define LINUX_VM_AREA_STRUCT_SIZE	184
#define LINUX_ANON_VMA_SIZE		104
#define LINUX_ANON_VMA_CHAIN_SIZE	64

/**
 * struct rmap_walk_control - what a walk does and how
 * @arg: handed to @rmap_one and @invalid_vma
 * @try_lock: do not wait for a lock; give up and set @contended instead
 * @contended: out: the walk is incomplete, a lock was not to be had
 * @rmap_one: called for each VMA that may map a part of the folio, with the
 *	address of the first page of that part; false ends the walk
 * @done: when set, called after each @rmap_one; non-zero ends the walk
 * @anon_lock: when set, gets and read-locks the owner; default: folio_anon_vma()
 * @invalid_vma: when set, true skips a VMA
 * @restart: when set, the callbacks neither sleep nor mind running again: the
 *	walk may go lockless, and calls this before it starts over
 */
struct rmap_walk_control {
	void *arg;
	bool try_lock;
	bool contended;
	bool (*rmap_one)(struct folio *folio, struct vm_area_struct *vma,
			 unsigned long addr, void *arg);
	int (*done)(struct folio *folio);
	struct anon_vma *(*anon_lock)(struct folio *folio, struct rmap_walk_control *rwc);
	bool (*invalid_vma)(struct vm_area_struct *vma, void *arg);
	void (*restart)(void *arg);
};

static inline void get_anon_vma(struct anon_vma *anon_vma)
{
	atomic_inc(&anon_vma->refcount);
}

void __put_anon_vma(struct anon_vma *anon_vma);

/**
 * put_anon_vma - drop a reference
 * @anon_vma: may be freed by this
 *
 * Sleeps, and takes the anon_vma's rwsem, when it was the last reference: the
 * caller holds no rwsem of it or of an ancestor that only it keeps alive.
 */
static inline void put_anon_vma(struct anon_vma *anon_vma)
{
	if (atomic_dec_and_test(&anon_vma->refcount))
		__put_anon_vma(anon_vma);
}

static inline void anon_vma_lock_write(struct anon_vma *anon_vma)
{
	down_write(&anon_vma->root->rwsem);
}

static inline int anon_vma_trylock_write(struct anon_vma *anon_vma)
{
	return down_write_trylock(&anon_vma->root->rwsem);
}

static inline void anon_vma_unlock_write(struct anon_vma *anon_vma)
{
	up_write(&anon_vma->root->rwsem);
}

static inline void anon_vma_lock_read(struct anon_vma *anon_vma)
{
	down_read(&anon_vma->root->rwsem);
}

static inline int anon_vma_trylock_read(struct anon_vma *anon_vma)
{
	return down_read_trylock(&anon_vma->root->rwsem);
}

static inline void anon_vma_unlock_read(struct anon_vma *anon_vma)
{
	up_read(&anon_vma->root->rwsem);
}

void anon_vma_init(void);
int __anon_vma_prepare(struct vm_area_struct *vma);
int anon_vma_clone(struct vm_area_struct *dst, struct vm_area_struct *src);
int anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *pvma);
void unlink_anon_vmas(struct vm_area_struct *vma);
void anon_vma_merge(struct vm_area_struct *vma, struct vm_area_struct *next);

/**
 * anon_vma_prepare - make a VMA ready for its first anonymous page
 * @vma: mmap_lock held for read, or (topologies whose prepare_needs_mmap_lock
 *	is false) the VMA's own lock
 *
 * May sleep. Returns 0 or -ENOMEM.
 */
static inline int anon_vma_prepare(struct vm_area_struct *vma)
{
	/* One word, written once before any page: a stale 0 only costs a call. */
	if (likely(READ_ONCE(vma->anon_vma)))
		return 0;
	return __anon_vma_prepare(vma);
}

struct anon_vma *folio_get_anon_vma(struct folio *folio);
struct anon_vma *folio_lock_anon_vma_read(struct folio *folio, struct rmap_walk_control *rwc);

/**
 * folio_anon_vma - the owner that a folio's mapping word names
 * @folio: locked, or its mapping otherwise held still
 *
 * Returns NULL for a folio that is not anonymous, or a KSM folio.
 */
static inline struct anon_vma *folio_anon_vma(const struct folio *folio)
{
	unsigned long mapping = (unsigned long)READ_ONCE(folio->mapping);

	if ((mapping & PAGE_MAPPING_FLAGS) != PAGE_MAPPING_ANON)
		return NULL;
	return (struct anon_vma *)(mapping - PAGE_MAPPING_ANON);
}

struct anon_vma_chain *anon_vma_interval_tree_iter_first(struct rb_root_cached *root,
							 unsigned long first, unsigned long last);
struct anon_vma_chain *anon_vma_interval_tree_iter_next(struct anon_vma_chain *node,
							unsigned long first, unsigned long last);

/* Things that happen in the reverse map, counted per world. */
enum anon_vma_event {
	ANON_VMA_JOIN,			/* a child joined its parent's anon_vma */
	ANON_VMA_IN_PLACE,		/* a VMA became one in place */
	ANON_VMA_DISPLACED,		/* ... or a displaced one */
	ANON_VMA_VISIT,			/* a walk handed a VMA to its callback */
	ANON_VMA_LOCKLESS,		/* a walk finished without any rwsem */
	ANON_VMA_LOCKLESS_RETRY,
	ANON_VMA_LOCKLESS_FALLBACK,	/* ... or gave up and took the locks */
	NR_ANON_VMA_EVENTS,
};

/**
 * struct anon_vma_topology - one way to find VMAs from an owner
 *
 * See docs/topology.md for what each must do. @prepare, @walk_next, @owner,
 * @covers, @mergeable, @clone, @fork, @unlink and @release are there always; other
 * hooks may be NULL.
 */
struct anon_vma_topology {
	const char *name;
	/* Called when a world is made: make slab caches. */
	int (*init)(void);
	/* A first fault may not run under the VMA lock alone. */
	bool prepare_needs_mmap_lock;
	int (*prepare)(struct vm_area_struct *vma);
	int (*clone)(struct vm_area_struct *dst, struct vm_area_struct *src);
	int (*fork_mm)(struct mm_struct *mm, struct mm_struct *oldmm);
	int (*fork)(struct vm_area_struct *vma, struct vm_area_struct *pvma);
	void (*fork_failed)(struct mm_struct *mm, unsigned long addr);
	void (*unlink)(struct vm_area_struct *vma);
	void (*exit_mm)(struct mm_struct *mm);
	void (*release)(struct anon_vma *anon_vma);

	/* Boundaries and merges. */
	void (*pre_update)(struct vm_area_struct *vma);
	void (*post_update)(struct vm_area_struct *vma);
	bool (*mergeable)(struct vm_area_struct *vma, const struct anon_vma_numbering *other);

	/* Leaving the VMA tree. */
	void (*detach)(struct mm_struct *mm, struct anon_vma_detached *batch);
	void (*reattach)(struct mm_struct *mm, struct anon_vma_detached *batch);
	void (*detach_done)(struct mm_struct *mm, struct anon_vma_detached *batch);

	/* Owners and walks. */
	struct anon_vma *(*owner)(struct vm_area_struct *vma, bool exclusive);
	bool (*covers)(struct anon_vma *owner, struct vm_area_struct *vma);
	struct vm_area_struct *(*walk_next)(struct anon_vma_walk *walk);
	void (*walk_end)(struct anon_vma_walk *walk);
};

/* The caches of the regular topology, for statistics. */
struct kmem_cache *regular_anon_vma_cache(void);
struct kmem_cache *regular_anon_vma_chain_cache(void);

extern const struct anon_vma_topology regular_topology;
extern const struct anon_vma_topology lazy_topology;

/*
 * The hooks. Linux has one topology per boot and makes each of these a branch
 * on a static key, or nothing.
 */
static inline bool anon_vma_is_lazy(const struct anon_vma *anon_vma)
{
	return READ_ONCE(anon_vma->topology) == &lazy_topology;
}

static inline void anon_vma_set_topology(struct anon_vma *anon_vma, const struct mm_struct *mm)
{
	WRITE_ONCE(anon_vma->topology, mm->topology);
}

static inline struct vm_area_struct *anon_vma_walk_step(struct anon_vma *owner,
							struct anon_vma_walk *walk)
{
	return owner->topology->walk_next(walk);
}

static inline void anon_vma_walk_finish(struct anon_vma *owner, struct anon_vma_walk *walk)
{
	if (owner->topology->walk_end)
		owner->topology->walk_end(walk);
}

/* Any context. */
static inline void count_anon_vma_event(struct mm_struct *mm, enum anon_vma_event event)
{
	atomic_long_inc(&mm->anon_vma_events[event]);
}

#endif
