/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_MM_TYPES_H
#define _LINUX_MM_TYPES_H
/*
 * Different implementation: the memory-management types, cut down to the
 * fields that core/ reads (same names and meaning as in Linux 6.12) and the
 * fields that the user-space mm adds for itself. Each group says which.
 */
#include <linux/types.h>
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x)	(((x) + PAGE_SIZE - 1) & PAGE_MASK)
#define PMD_SHIFT	21
#define PMD_SIZE	(1UL << PMD_SHIFT)
#define PMD_MASK	(~(PMD_SIZE - 1))
#define HPAGE_PMD_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#define HPAGE_PMD_NR	(1 << HPAGE_PMD_ORDER)
/* User addresses: 47 bits, the last page kept free, as on x86-64. */
#define TASK_SIZE	((1UL << 47) - PAGE_SIZE)

struct anon_vma;
struct anon_vma_topology;
struct um_world;
struct um_file;
struct um_pgtable;
struct mem_model;

/*
 * The tagged word of vma->anon_vma: a pointer to a struct anon_vma and, in the
 * low bits, the way that leads from it to the VMA. anon_vma_tree.h in core/ is
 * the only place that takes it apart.
 */
typedef unsigned long anon_vma_tree_t;

/* folio->mapping: the owner, with these bits in its low end. */
#define PAGE_MAPPING_ANON	0x1UL
#define PAGE_MAPPING_MOVABLE	0x2UL
#define PAGE_MAPPING_KSM	(PAGE_MAPPING_ANON | PAGE_MAPPING_MOVABLE)
#define PAGE_MAPPING_FLAGS	PAGE_MAPPING_KSM

/*
 * One page frame. A folio is one page or a naturally aligned power of two of
 * them; the fields marked (head) are only used in its first page.
 */
struct page {
	unsigned long flags;		/* enum pageflags; atomic bit operations */
	atomic_t _refcount;		/* (head) */
	atomic_t _mapcount;		/* PTEs that map this page */
	void *mapping;			/* (head) owner | PAGE_MAPPING_*; tail: NULL */
	pgoff_t index;			/* (head) anon offset of the first page */
	unsigned long private;		/* (head) swap slot + 1 while in the swap cache */
	struct list_head lru;		/* (head) LRU, or a free list of the allocator */
	u64 content;			/* what a program reads here: one token a page */
};

/*
 * The first page of a folio, by a type of its own. A large folio keeps its
 * further counts in its second page, as Linux does (see mm.h).
 */
struct folio {
	union {
		struct page page;
		struct {
			unsigned long flags;
			atomic_t _refcount;
			atomic_t _mapcount;
			void *mapping;
			pgoff_t index;
			unsigned long private;
			struct list_head lru;
			u64 content;
		};
	};
};

typedef unsigned long vm_flags_t;

#define VM_READ		0x00000001UL
#define VM_WRITE	0x00000002UL
#define VM_EXEC		0x00000004UL
#define VM_SHARED	0x00000008UL
#define VM_MAYWRITE	0x00000020UL
#define VM_GROWSDOWN	0x00000100UL
#define VM_PFNMAP	0x00000400UL
#define VM_LOCKED	0x00002000UL
#define VM_SEQ_READ	0x00008000UL
#define VM_RAND_READ	0x00010000UL
#define VM_DONTCOPY	0x00020000UL
#define VM_DONTEXPAND	0x00040000UL
#define VM_LOCKONFAULT	0x00080000UL
#define VM_ACCOUNT	0x00100000UL
#define VM_NORESERVE	0x00200000UL
#define VM_HUGETLB	0x00400000UL
#define VM_WIPEONFORK	0x02000000UL
#define VM_DONTDUMP	0x04000000UL
#define VM_HUGEPAGE	0x20000000UL
#define VM_NOHUGEPAGE	0x40000000UL
#define VM_MERGEABLE	0x80000000UL

struct vm_area_struct {
	unsigned long vm_start;		/* mmap_lock W and, once faulted, anon_vma rwsem W */
	unsigned long vm_end;		/* the same */
	struct mm_struct *vm_mm;	/* constant */
	vm_flags_t vm_flags;		/* mmap_lock W + VMA write lock */
	pgoff_t vm_pgoff;		/* as vm_start */
	struct um_file *vm_file;	/* constant; NULL for plain anonymous memory */
	const void *vm_ops;		/* NULL exactly when the VMA is anonymous */
	struct list_head anon_vma_chain;	/* AVCs of this VMA: mmap_lock & page_table_lock,
						 * or the anon_vma rwsem */
	anon_vma_tree_t anon_vma;	/* see core/anon_vma_tree.h */

	/* The per-VMA lock, as in Linux 6.12. */
	struct rw_semaphore vm_lock;
	int vm_lock_seq;		/* written with vm_lock held for write */
	bool detached;			/* out of the VMA tree; vm_lock */
	char *anon_name;		/* PR_SET_VMA_ANON_NAME: constant per VMA */
	struct rcu_head vm_rcu;
};

struct mm_struct {
	struct maple_tree mm_mt;	/* mmap_lock W to change, RCU to look into */
	struct rw_semaphore mmap_lock;
	spinlock_t page_table_lock;	/* upper page tables; anon_vma of a VMA */
	atomic_t mm_users;
	atomic_t mm_count;
	int map_count;			/* mmap_lock */
	int mm_lock_seq;		/* mmap_lock W */

	/* The lazy topology (core/anon_vma_lazy.c). */
	struct anon_vma *anon_vma;	/* set once under page_table_lock, cleared at exit */
	struct list_head anon_vma_node;	/* in the anon_vma's mms: its rwsem W */
	unsigned long anon_vma_limit;	/* walks look below this only: its rwsem W */

	/* The user-space mm. */
	const struct anon_vma_topology *topology;
	atomic_long_t *anon_vma_events;	/* its world's counters, by enum anon_vma_event */
	struct um_world *world;
	struct list_head mm_list;	/* in world->mms: world->mm_list_lock */
	struct um_pgtable *pgd;
	unsigned long start_brk, brk;
	unsigned long start_stack;
	unsigned long stack_rlimit;	/* bytes that a stack may grow to */
	unsigned long mmap_hint;	/* where the search for a free range starts */
	unsigned int fault_order;	/* of anonymous faults; one word, no lock */
	vm_flags_t def_flags;		/* mlockall(MCL_FUTURE) */
	atomic_long_t nr_anon, nr_swap, nr_ptes;
	unsigned int id;		/* for people: unique in its world */
	struct mem_model *model;	/* what the program should see, when checked */
	struct rcu_head rcu;
};

#endif
