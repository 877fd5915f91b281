/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_H
#define USERMM_H
/*
 * A user-space mm: the memory management of a small operating system, as real
 * as its reverse map needs it to be. Address spaces, page tables, folios,
 * copy-on-write, swap, migration, KSM, huge pages; real threads and locks; no
 * real memory: a page holds one 64-bit token, its content.
 *
 * This header is all that replayers, checkers and tests need. All addresses and
 * lengths are in bytes and page aligned unless said otherwise. Functions return
 * 0 or a negative errno value unless said otherwise.
 *
 * Threads: any thread that was made by kshim_thread_create(), or has called
 * um_thread_register(), may call anything at any time, except where a function
 * says that the world must be still.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct um_world;
struct mm_struct;
struct um_file;
struct anon_vma_topology;

#define UM_PAGE_SIZE	4096UL
#define UM_HUGE_SIZE	(512 * UM_PAGE_SIZE)

/* How much is checked after each operation. */
enum um_check {
	UM_CHECK_OFF,
	UM_CHECK_SAMPLE,	/* after some operations, some of the folios touched */
	UM_CHECK_FULL,		/* after each operation, every folio that it touched */
};

struct um_config {
	const char *topology;		/* "regular", "lazy" or one that was registered */
	enum um_check check;
	bool model;			/* keep per-process models, compare every read */
	bool invariants;		/* check all of the world after each operation: slow */
	uint64_t seed;			/* for sampling */
	uint64_t max_pages;		/* memory, in pages; 0: 64 Mi pages */
	FILE *log;			/* findings, one line each; NULL: stderr */
};

void um_thread_register(void);
void um_thread_unregister(void);

int um_topology_register(const struct anon_vma_topology *topology);
bool um_topology_exists(const char *name);

int um_world_create(const struct um_config *config, struct um_world **worldp);
int um_world_destroy(struct um_world *world);

/* -- Files ---------------------------------------------------------------------- */

enum um_file_kind {
	UM_FILE_REGULAR,
	UM_FILE_SHM,		/* shared memory: zeroes until written */
	UM_FILE_ZERO,		/* /dev/zero */
	UM_FILE_DEVICE,		/* mapped pages are nobody's: never anonymous */
};

struct um_file *um_file_create(struct um_world *world, enum um_file_kind kind);
void um_file_put(struct um_file *file);

/* -- Processes -------------------------------------------------------------------- */

int um_mm_create(struct um_world *world, struct mm_struct **mmp);
int um_fork(struct mm_struct *parent, struct mm_struct **childp);
/*
 * As um_fork(), while other threads may change the parent's memory outside [start, end): what
 * the child holds there is not known, and not compared.
 */
int um_fork_known(struct mm_struct *parent, uint64_t start, uint64_t end,
		  struct mm_struct **childp);
void um_share(struct mm_struct *mm);
void um_exit(struct mm_struct *mm);
unsigned int um_mm_id(const struct mm_struct *mm);

/* -- System calls: flags and values are those of <sys/mman.h> ------------------------ */

int um_mmap(struct mm_struct *mm, uint64_t addr, uint64_t len, int prot, int flags,
	    struct um_file *file, uint64_t pgoff, uint64_t *result);
int um_munmap(struct mm_struct *mm, uint64_t addr, uint64_t len);
int um_mremap(struct mm_struct *mm, uint64_t addr, uint64_t old_len, uint64_t new_len,
	      int flags, uint64_t new_addr, uint64_t *result);
int um_mprotect(struct mm_struct *mm, uint64_t addr, uint64_t len, int prot);
int um_madvise(struct mm_struct *mm, uint64_t addr, uint64_t len, int advice);
int um_brk_init(struct mm_struct *mm, uint64_t start);
int um_brk(struct mm_struct *mm, uint64_t brk);
int um_mlock(struct mm_struct *mm, uint64_t addr, uint64_t len, bool on, bool onfault);
int um_mlockall(struct mm_struct *mm, bool current, bool future, bool onfault);
int um_vma_name(struct mm_struct *mm, uint64_t addr, uint64_t len, const char *name);
int um_exec_stack(struct mm_struct *mm, uint64_t start, uint64_t end, uint64_t arg_pages,
		  uint64_t shift, uint64_t rlimit);
int um_uffd_move(struct mm_struct *mm, uint64_t dst, uint64_t src, uint64_t len);

/* -- Memory accesses: fault in what is needed. addr need not be aligned -------------- */

int um_read(struct mm_struct *mm, uint64_t addr, uint64_t *content);
int um_write(struct mm_struct *mm, uint64_t addr, uint64_t content);
int um_touch(struct mm_struct *mm, uint64_t addr, uint64_t pages);
int um_touch_huge(struct mm_struct *mm, uint64_t addr);
int um_set_fault_order(struct mm_struct *mm, unsigned int order);

/* -- What the kernel does on its own ----------------------------------------------- */

long um_reclaim(struct um_world *world, long pages);
long um_migrate(struct um_world *world, long pages);
int um_swapoff(struct um_world *world);
long um_ksm_scan(struct um_world *world, long pages);
int um_collapse(struct mm_struct *mm, uint64_t addr);
int um_split_huge(struct mm_struct *mm, uint64_t addr);
int um_memory_failure(struct mm_struct *mm, uint64_t addr, unsigned int *nr_victims);
long um_age(struct um_world *world, long pages);

/* -- What it looks like ------------------------------------------------------------ */

struct um_objects {
	uint64_t live, peak;
	uint64_t bytes_each;	/* what 64-bit Linux allocates for one */
};

enum um_object {
	UM_OBJ_VMA,
	UM_OBJ_ANON_VMA,
	UM_OBJ_AVC,
	UM_NR_OBJ,
};

struct um_stats {
	struct um_objects objects[UM_NR_OBJ];
	uint64_t mms, mms_peak;
	uint64_t anon_vmas_dead;	/* live anon_vmas that serve no mm (lazy) */
	uint64_t displaced, joins;	/* lazy: VMAs that got a chain entry, children that joined */
	uint64_t lockless, lockless_retries, lockless_fallbacks;
	uint64_t pages, pages_peak;	/* page frames in use */
	uint64_t faults, swapped_out, swapped_in, migrated, ksm_merged;
	/* The oracle: folios walked, mappings that a scan found, those that the full
	 * walk missed, those that the early-stopping walk missed, visits of each. */
	uint64_t folios, mappings, missed, missed_stop, visits_full, visits_stop;
	uint64_t reads_compared, reads_wrong, invariants_checked, invariants_broken;
};

void um_stats(struct um_world *world, struct um_stats *stats);
void um_stats_reset_peaks(struct um_world *world);

struct um_vma_info {
	uint64_t start, end, pgoff, flags;
	bool faulted, displaced;
	struct um_file *file;
};
size_t um_vmas(struct mm_struct *mm, struct um_vma_info *vmas, size_t max);

/* -- Checks ------------------------------------------------------------------------ */

int um_check_all(struct um_world *world);
uint64_t um_findings(struct um_world *world);

#endif
