/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_INTERNAL_H
#define USERMM_INTERNAL_H
/*
 * What the files of the user-space mm share. Kernel dialect.
 *
 * Locks, in order (each may be taken while those above it are held):
 *
 *	ksm->scan_lock (ksm.c)
 *	mmap_lock of an mm (of parent, then child at fork)
 *	VMA lock
 *	folio lock (PG_locked)
 *	anon_vma rwsem (ancestor before descendant)
 *	file->lock (around lookups only)
 *	page_table_lock / lock of a page table (upper before lower; at fork the
 *		parent's after the child's, subclass SINGLE_DEPTH_NESTING;
 *		at a move the lower address first)
 *	world->lru_lock; those of frame.c, swap.c, ksm.c; lists (leaf)
 *
 * What keeps a page: a reference (folio_get). Each PTE, each swap cache entry and
 * each user of a pointer holds one.
 */
#include <linux/anon_vma_lazy.h>
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "usermm.h"

/* -- Page tables (pgtable.c) ------------------------------------------------------ */

/*
 * An entry. Present: pfn and bits. Not present, not 0: swap slot, or the pfn of a
 * folio under migration, or a poisoned pfn. In the tables above the lowest: a
 * pointer to the next table, or at the level of PMDs an entry with PTE_HUGE that
 * maps, or is a migration entry for, 512 pages.
 */
typedef u64 pte_t;

#define PTE_PRESENT	(1ULL << 0)
#define PTE_WRITE	(1ULL << 1)
#define PTE_YOUNG	(1ULL << 2)
#define PTE_DIRTY	(1ULL << 3)
#define PTE_HUGE	(1ULL << 4)
#define PTE_SPECIAL	(1ULL << 5)	/* zero page, or a device's: no folio, no count */
#define PTE_EXCLUSIVE	(1ULL << 6)	/* swap and migration entries: AnonExclusive page */
#define PTE_SWAP	(1ULL << 7)
#define PTE_MIGRATION	(1ULL << 8)
#define PTE_POISON	(1ULL << 9)
#define PTE_TABLE	(1ULL << 10)	/* upper levels: the rest is a pointer >> 6 << 12 */
#define PTE_KSM		(1ULL << 11)	/* swap entries: was KSM when swapped out */
#define PTE_PFN_SHIFT	12

static inline bool pte_none(pte_t pte) { return !pte; }
static inline bool pte_present(pte_t pte) { return pte & PTE_PRESENT; }
static inline bool pte_is_swap(pte_t pte) { return pte & PTE_SWAP; }
static inline bool pte_is_migration(pte_t pte) { return pte & PTE_MIGRATION; }
static inline bool pte_is_poison(pte_t pte) { return pte & PTE_POISON; }
static inline unsigned long pte_pfn(pte_t pte) { return pte >> PTE_PFN_SHIFT; }

/* One table: a page of 512 entries, and its lock. */
struct um_pgtable {
	spinlock_t ptl;		/* entries; for upper tables: setting and clearing them */
	int level;		/* 0 PTEs, 1 PMDs, 2, 3 */
	unsigned int used;	/* entries that are not 0: ptl */
	struct um_pgtable *deposit;	/* level 1: tables to split huge PMDs with: ptl */
	struct rcu_head rcu;
	pte_t e[512];
};

struct um_pgtable *pgtable_alloc(struct mm_struct *mm, int level);
void pgtable_free_rcu(struct mm_struct *mm, struct um_pgtable *table);
/* The table of level 0 (or 1) that covers addr; NULL if there is none. Any context:
 * RCU, or locks that keep page tables. *_alloc makes the missing ones; NULL: -ENOMEM;
 * level 0 where a huge PMD is: ERR_PTR(-EEXIST). */
struct um_pgtable *pgtable_find(struct mm_struct *mm, unsigned long addr, int level);
struct um_pgtable *pgtable_find_alloc(struct mm_struct *mm, unsigned long addr, int level);
unsigned int pgtable_index(unsigned long addr, int level);
/* Store an entry and keep table->used. ptl held. */
void pgtable_set(struct um_pgtable *table, unsigned int index, pte_t pte);
static inline pte_t pgtable_get(const struct um_pgtable *table, unsigned int index)
{
	return READ_ONCE(table->e[index]);
}
/* Free tables that lie in [floor, ceiling) around the VMAs of [start, end): no PTE is left. */
void free_pgtables(struct mm_struct *mm, unsigned long start, unsigned long end,
		   unsigned long floor, unsigned long ceiling);
/* Call fn for every entry that is not 0, PTEs and huge PMDs, in [start, end); world still or ptl
 * not needed by fn. fn returns non-zero to stop. */
int pgtable_for_each(struct mm_struct *mm, unsigned long start, unsigned long end,
		     int (*fn)(struct mm_struct *mm, unsigned long addr, pte_t pte, void *arg),
		     void *arg);

/*
 * Find what a folio has in one VMA, as Linux's page_vma_mapped_walk(): set folio (its pages, or
 * migration entries for it), vma, address; each call returns the next entry with its
 * table locked; ends with all unlocked. _done() to leave early.
 */
struct page_vma_mapped_walk {
	struct folio *folio;
	struct vm_area_struct *vma;
	unsigned long address;		/* in: first; out: of the entry found */
	bool migration;			/* look for migration entries instead of present ones */
	/* out */
	struct um_pgtable *table;	/* locked */
	unsigned int index;
	pte_t pte;
	bool huge;			/* the entry is a PMD for the whole folio */
	/* private; pfn and nr may be set: look for these pages instead of the folio's */
	unsigned long pfn, nr;
	unsigned long next, end;
	bool started;
};
bool page_vma_mapped_walk(struct page_vma_mapped_walk *pvmw);
void page_vma_mapped_walk_done(struct page_vma_mapped_walk *pvmw);

/* -- Page frames and folios (frame.c) ------------------------------------------------ */

int frames_init(struct um_world *world);
void frames_destroy(struct um_world *world);
/* All pfns are below this, and below config.max_pages. */
unsigned long frames_max_pfn(const struct um_world *world);
/* Pages in folios now, and at most since the last reset; the zero page is not counted. */
void frames_usage(const struct um_world *world, u64 *pages, u64 *peak);
void frames_reset_peak(struct um_world *world);
/* One reference, PG_head/PG_tail/order set, content 0, not locked. NULL: -ENOMEM. */
struct folio *folio_alloc(struct um_world *world, unsigned int order);
void folio_free(struct um_world *world, struct folio *folio);
struct page *pfn_to_page(struct um_world *world, unsigned long pfn);
unsigned long page_to_pfn(struct um_world *world, const struct page *page);
static inline struct folio *pfn_folio(struct um_world *world, unsigned long pfn)
{
	return page_folio(pfn_to_page(world, pfn));
}

static inline void folio_get(struct folio *folio) { atomic_inc(&folio->_refcount); }
bool folio_try_get(struct folio *folio);
static inline int folio_ref_count(const struct folio *folio)
{
	return atomic_read(&folio->_refcount);
}
void folio_put(struct um_world *world, struct folio *folio);
void folio_lock(struct folio *folio);
bool folio_trylock(struct folio *folio);
void folio_unlock(struct folio *folio);

void lru_add(struct um_world *world, struct folio *folio);
bool lru_isolate(struct um_world *world, struct folio *folio);	/* takes a reference */
void lru_putback(struct um_world *world, struct folio *folio);	/* drops it */
void lru_del(struct um_world *world, struct folio *folio);
/* Up to nr folios from the cold end, isolated, onto list; returns pages taken. */
long lru_isolate_batch(struct um_world *world, long nr, struct list_head *list);

/* -- Anonymous rmap accounting (anon.c) -------------------------------------------- */

/* A folio's first mapping: owner, index, AnonExclusive. PTE lock held, or not visible yet. */
void folio_add_new_anon_rmap(struct folio *folio, struct vm_area_struct *vma,
			     unsigned long addr, bool exclusive);
/* One more mapping of pages page .. page+nr-1 (huge: the whole folio by a PMD). */
void folio_add_anon_rmap(struct folio *folio, struct page *page, long nr, bool huge,
			 struct vm_area_struct *vma, unsigned long addr, bool exclusive);
void folio_dup_anon_rmap(struct folio *folio, struct page *page, long nr, bool huge);
void folio_add_file_rmap(struct folio *folio, struct page *page);
void folio_remove_rmap(struct folio *folio, struct page *page, long nr, bool huge);
/* COW reuse of an exclusive folio: the owner becomes vma's own anon_vma. PTE lock held. */
void folio_move_anon_rmap(struct folio *folio, struct vm_area_struct *vma);
static inline bool page_anon_exclusive(const struct page *page)
{
	return test_bit(PG_anon_exclusive, &page->flags);
}

/* -- Copying, zapping, moving page tables (memory.c) ------------------------------- */

int copy_page_range(struct vm_area_struct *dst, struct vm_area_struct *src);
void zap_page_range(struct vm_area_struct *vma, unsigned long start, unsigned long end);
/* Moves PTEs under the write lock of vma's anon_vma, table by table. Returns bytes moved;
 * less than len on -ENOMEM: the caller moves back. */
unsigned long move_page_tables(struct vm_area_struct *vma, unsigned long old_addr,
			       struct vm_area_struct *new_vma, unsigned long new_addr,
			       unsigned long len);
/* Split a huge PMD entry of vma at addr into PTEs (present or migration). May sleep. */
int split_huge_pmd(struct vm_area_struct *vma, unsigned long addr);
/* vma's boundary is about to be at addr: no huge PMD may span it. */
int split_huge_pmd_at(struct vm_area_struct *vma, unsigned long addr);
/* mprotect: make present entries match vma->vm_flags (drops PTE_WRITE when needed). */
void change_protection(struct vm_area_struct *vma, unsigned long start, unsigned long end);
/* MADV_FREE, COLD, PAGEOUT on one VMA's range. */
int madvise_free(struct vm_area_struct *vma, unsigned long start, unsigned long end);
int madvise_cold(struct vm_area_struct *vma, unsigned long start, unsigned long end);
int madvise_pageout(struct vm_area_struct *vma, unsigned long start, unsigned long end);

/* -- Faults (fault.c) -------------------------------------------------------------- */

#define FAULT_WRITE	1U
#define FAULT_HUGE	2U	/* um_touch_huge(): a PMD if at all possible */

/*
 * Make addr accessible: under the VMA lock when possible, else under mmap_lock; grows a
 * stack. Returns 0, -EFAULT (no VMA, or no permission), -ENOMEM, -EHWPOISON.
 */
int handle_fault(struct mm_struct *mm, unsigned long addr, unsigned int flags);
/* The access itself, fault included; atomic with respect to everything else. */
int access_page(struct mm_struct *mm, unsigned long addr, bool write, u64 *content);
struct folio *file_get_folio(struct um_file *file, pgoff_t pgoff);
u64 file_initial_content(const struct um_file *file, pgoff_t pgoff);
/* The last reference on the file is gone: let go of its pages. */
void file_drop_pages(struct um_file *file);

/* -- Swap (swap.c) ----------------------------------------------------------------- */

int swap_init(struct um_world *world);
void swap_destroy(struct um_world *world);
/* Slots hold contents, and count the entries that name them. All any context but under swap_lock. */
long swap_alloc(struct um_world *world, long nr);		/* first slot, or -ENOSPC */
void swap_dup(struct um_world *world, unsigned long slot);
void swap_free(struct um_world *world, unsigned long slot);
int swap_count(struct um_world *world, unsigned long slot);
u64 swap_slots_used(struct um_world *world);
struct folio *swap_cache_get(struct um_world *world, unsigned long slot);	/* with reference */
int add_to_swap(struct um_world *world, struct folio *folio);	/* folio locked */
void delete_from_swap_cache(struct um_world *world, struct folio *folio);
bool folio_free_swap(struct um_world *world, struct folio *folio);
int do_swap_page(struct vm_area_struct *vma, unsigned long addr, pte_t pte, unsigned int flags);

/* -- Reclaim, migration, huge pages, KSM, failure ---------------------------------- */

enum ttu_flags { TTU_SPLIT_HUGE_PMD = 1, TTU_HWPOISON = 2, TTU_RMAP_LOCKED = 4 };
void rmap_walk(struct folio *folio, struct rmap_walk_control *rwc, bool locked);
int folio_referenced(struct folio *folio, bool locked, bool *contended);
void try_to_unmap(struct folio *folio, enum ttu_flags flags);
migration_note_t try_to_migrate(struct folio *folio, enum ttu_flags flags);
void remove_migration_ptes(struct folio *src, struct folio *dst, migration_note_t note,
			   bool locked);
/* Wait until the folio that a migration entry names is unlocked. No lock held. */
void migration_entry_wait(struct mm_struct *mm, unsigned long addr);
int migrate_folio(struct um_world *world, struct folio *folio);	/* isolated */
long reclaim_folio(struct um_world *world, struct folio *folio);	/* isolated; pages freed */
/* Free some pages, from the cold end of the LRU on: for faults that find no memory. */
long reclaim_pages(struct um_world *world, long pages);
int split_folio(struct um_world *world, struct folio *folio);	/* locked, referenced */
int collapse_huge(struct mm_struct *mm, unsigned long addr);
/* Dissolve the mapping of a page of mm, everywhere; see um_memory_failure(). */
int memory_failure(struct mm_struct *mm, unsigned long addr, unsigned int *nr_victims);
int ksm_init(struct um_world *world);
void ksm_destroy(struct um_world *world);	/* no mm is left */
/* Look at the next pages of VM_MERGEABLE VMAs; pages merged. */
long ksm_scan(struct um_world *world, long pages);
/* References that KSM holds on anon_vmas, one call each. The world is still. */
void ksm_for_each_anon_vma_ref(struct um_world *world,
			       void (*fn)(struct anon_vma *anon_vma, void *arg), void *arg);
void ksm_exit_mm(struct mm_struct *mm);
/* Give every page of the range that KSM merged a copy of its own. mmap_lock held. 0, -ENOMEM. */
int ksm_unmerge(struct vm_area_struct *vma, unsigned long start, unsigned long end);
void ksm_walk(struct folio *folio, struct rmap_walk_control *rwc);
struct folio *ksm_might_need_to_copy(struct folio *folio, struct vm_area_struct *vma,
				     unsigned long addr);

/* -- VMAs (vma.c, mmap.c, mremap.c, fork.c, exec.c) -------------------------------- */

struct vm_area_struct *vm_area_alloc(struct mm_struct *mm);
struct vm_area_struct *vm_area_dup(struct vm_area_struct *vma);
void vm_area_free(struct vm_area_struct *vma);		/* after a grace period */
struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr);
struct vm_area_struct *vma_lookup(struct mm_struct *mm, unsigned long addr);
/* The VMA at addr, read-locked, or NULL: then use mmap_lock. */
struct vm_area_struct *lock_vma_under_rcu(struct mm_struct *mm, unsigned long addr);
int expand_stack(struct mm_struct *mm, unsigned long addr);	/* mmap_lock W */
void vma_init(void);					/* once, before the first mm */
struct kmem_cache *vm_area_cache(void);

/*
 * A new mm, empty, or with a copy of oldmm's VMAs and pages (fork); one on mm_users and
 * mm_count each; world_add_mm() has been called. On failure nothing is left.
 */
int mm_alloc(struct um_world *world, struct mm_struct **mmp);
int dup_mm(struct mm_struct *oldmm, struct mm_struct **mmp);
void mmput(struct mm_struct *mm);	/* mm_users; the last: exit_mmap(), world_remove_mm() */
void mm_drop(struct mm_struct *mm);	/* mm_count */
void exit_mmap(struct mm_struct *mm);

/* All of these take mmap_lock themselves. */
int do_mmap(struct mm_struct *mm, unsigned long addr, unsigned long len, int prot, int flags,
	    struct um_file *file, pgoff_t pgoff, unsigned long *result);
int do_munmap(struct mm_struct *mm, unsigned long addr, unsigned long len);
int do_mremap(struct mm_struct *mm, unsigned long addr, unsigned long old_len,
	      unsigned long new_len, int flags, unsigned long new_addr, unsigned long *result);
int do_mprotect(struct mm_struct *mm, unsigned long addr, unsigned long len, int prot);
int do_madvise(struct mm_struct *mm, unsigned long addr, unsigned long len, int advice);
int do_brk(struct mm_struct *mm, unsigned long brk);
int do_mlock(struct mm_struct *mm, unsigned long addr, unsigned long len, bool on, bool onfault);
int do_mlockall(struct mm_struct *mm, bool current_maps, bool future, bool onfault);
int do_vma_name(struct mm_struct *mm, unsigned long addr, unsigned long len, const char *name);
int do_exec_stack(struct mm_struct *mm, unsigned long start, unsigned long end,
		  unsigned long arg_pages, unsigned long shift, unsigned long rlimit);
int do_uffd_move(struct mm_struct *mm, unsigned long dst, unsigned long src, unsigned long len);

/* -- Hooks of the reverse map that Linux calls as functions (world.c) -------------- */

static inline void anon_vma_init_mm(struct mm_struct *mm) { lazy_anon_vma_init_mm(mm); }
static inline int anon_vma_fork_mm(struct mm_struct *mm, struct mm_struct *oldmm)
{
	return oldmm->topology->fork_mm ? oldmm->topology->fork_mm(mm, oldmm) : 0;
}
static inline void anon_vma_fork_failed(struct mm_struct *mm, unsigned long addr)
{
	if (mm->topology->fork_failed)
		mm->topology->fork_failed(mm, addr);
}
static inline void anon_vma_exit_mm(struct mm_struct *mm)
{
	if (mm->topology->exit_mm)
		mm->topology->exit_mm(mm);
}
/* Around a change of vma's range; its anon_vma is locked for write. */
static inline void anon_vma_pre_update(struct vm_area_struct *vma)
{
	if (vma->vm_mm->topology->pre_update)
		vma->vm_mm->topology->pre_update(vma);
}
static inline void anon_vma_post_update(struct vm_area_struct *vma)
{
	if (vma->vm_mm->topology->post_update)
		vma->vm_mm->topology->post_update(vma);
}
static inline void anon_vma_detach(struct mm_struct *mm, struct anon_vma_detached *batch)
{
	if (mm->topology->detach)
		mm->topology->detach(mm, batch);
}
static inline void anon_vma_reattach(struct mm_struct *mm, struct anon_vma_detached *batch)
{
	if (mm->topology->reattach)
		mm->topology->reattach(mm, batch);
}
static inline void anon_vma_detach_done(struct mm_struct *mm, struct anon_vma_detached *batch)
{
	if (mm->topology->detach_done)
		mm->topology->detach_done(mm, batch);
}

/* -- The world (world.c) ----------------------------------------------------------- */

struct um_file {
	struct um_world *world;
	enum um_file_kind kind;
	atomic_t refcount;
	unsigned int id;
	struct mutex lock;		/* pages */
	struct maple_tree pages;	/* pgoff -> folio, one reference each */
	struct file_model *model;	/* what the file should hold; NULL without models */
};

struct swap_area;
struct ksm_state;
struct oracle;

static inline void um_file_get(struct um_file *file) { atomic_inc(&file->refcount); }

struct um_world {
	const struct anon_vma_topology *topology;
	struct um_config config;

	spinlock_t mm_list_lock;
	struct list_head mms;		/* all mms, oldest first: mm_list_lock */
	unsigned int next_mm_id, next_file_id;
	atomic_long_t nr_mms, peak_mms;
	/* VMAs in use; the slab's count goes down a grace period late. */
	atomic_long_t nr_vmas, peak_vmas;

	struct frames *frames;		/* frame.c */
	spinlock_t lru_lock;
	struct list_head lru;		/* hot at the head, cold at the tail */
	struct folio *zero_folio;

	struct swap_area *swap;		/* swap.c */
	struct ksm_state *ksm;		/* ksm.c */
	struct oracle *oracle;		/* oracle.c: findings, folios touched */
	bool oracle_on;			/* folios touched are noted: constant */

	atomic_long_t events[NR_ANON_VMA_EVENTS];
	atomic_long_t faults, swapped_out, swapped_in, migrated, ksm_merged;
	atomic_long_t memory_failures;	/* injected: -EHWPOISON is right from then on */
	atomic_long_t reads_compared, reads_wrong, invariants_checked, invariants_broken;
};

/*
 * The list of mms (world.c), for swapoff, reclaim's checks and checkers. An mm is on it from
 * before its first PTE until exit_mmap() is through: mm_alloc() calls world_add_mm(), and whoever
 * drops mm_users to 0 calls world_remove_mm() after exit_mmap().
 */
void world_add_mm(struct mm_struct *mm);
void world_remove_mm(struct mm_struct *mm);
/* Is this the only world of the process, so that all objects are its objects? */
bool world_is_alone(void);
/* The mm after prev (NULL: the first) with a reference on mm_users, that of prev dropped. */
struct mm_struct *world_next_mm(struct um_world *world, struct mm_struct *prev);

/* -- The oracle (oracle.c, invariants.c) ------------------------------------------- */

void __oracle_touch(struct um_world *world, const struct folio *folio);
/* Note that a folio's mappings have changed; any context; nothing when checks are off. */
static inline void oracle_touch(struct um_world *world, const struct folio *folio)
{
	if (unlikely(world->oracle_on))
		__oracle_touch(world, folio);
}
/* After an operation: check what was touched. The world must be still unless checks are off. */
void oracle_after_op(struct um_world *world);
void oracle_finding(struct um_world *world, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int oracle_init(struct um_world *world);
void oracle_destroy(struct um_world *world);
/* Adds the oracle's figures to stats. */
void oracle_stats(struct um_world *world, struct um_stats *stats);
/* Walk for every mapped folio of the world, which is still. */
void oracle_check_all(struct um_world *world);
/* Invariants 1-7 of docs/design.md over all of the world, which is still. Findings made. */
long check_invariants(struct um_world *world);

/* -- What each process should see (model.c) ---------------------------------------- */

/*
 * A model has its own lock. Operations on disjoint ranges of one mm may run, and be told to
 * its model, at the same time; those on one range are ordered by the caller.
 */
struct model_mapping {
	struct um_file *file;		/* NULL: zeroes until written */
	pgoff_t pgoff;
	bool shared, grows_down, dont_fork, wipe_on_fork;
};

struct mem_model *model_create(struct um_world *world, unsigned int mm_id);
/* For the child: what of [start, end) is not left out by madvise. Outside nothing is known. */
struct mem_model *model_fork(struct mem_model *parent, unsigned int mm_id,
			     unsigned long start, unsigned long end);
void model_destroy(struct mem_model *model);
void model_map(struct mem_model *model, unsigned long start, unsigned long end,
	       const struct model_mapping *mapping);
void model_unmap(struct mem_model *model, unsigned long start, unsigned long end);
void model_move(struct mem_model *model, unsigned long old_start, unsigned long old_len,
		unsigned long new_start, unsigned long new_len, bool keep_old);
void model_move_pages(struct mem_model *model, unsigned long src, unsigned long len,
		      unsigned long dst, bool surely);
void model_discard(struct mem_model *model, unsigned long start, unsigned long end);
void model_unsure(struct mem_model *model, unsigned long start, unsigned long end);
void model_advise_fork(struct mem_model *model, unsigned long start, unsigned long end, int advice);
/* The part of the model that an operation left half done; taken from the VMAs. mmap_lock held. */
void model_resync(struct mem_model *model, struct mm_struct *mm, unsigned long start,
		  unsigned long end);

void model_resync_stack(struct mem_model *model, struct mm_struct *mm, unsigned long addr);

/* An access: begin, do it, say what it did, end. Accesses to one file exclude each other. */
struct model_access {
	struct mem_model *model;
	unsigned long addr;
	struct model_mapping mapping;	/* pgoff: of the page at addr */
	bool known, mapped;
};
void model_access_begin(struct mem_model *model, unsigned long addr, struct model_access *access);
void model_access_end(struct model_access *access);
void model_write(struct model_access *access, u64 content);
void model_write_fault(struct model_access *access);
/* True if content is a value that the program may see at access->addr. */
bool model_read_ok(struct model_access *access, u64 content, u64 *expected);
/* The same, and that all VMAs are as they should be, for all of an mm of a world that is still. */
void model_check_mm(struct mm_struct *mm);

struct file_model *file_model_create(void);
void file_model_destroy(struct file_model *model);

#endif
