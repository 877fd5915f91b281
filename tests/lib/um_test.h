/* SPDX-License-Identifier: GPL-2.0 */
#ifndef UM_TEST_H
#define UM_TEST_H
/*
 * Tests of the reverse map and of the user-space mm: each is run in a world of
 * its own, once per topology, with the model, the oracle and all invariants
 * checked after every operation.
 *
 *	static void fork_shares(void **state)
 *	{
 *		struct t *t = *state;
 *		struct mm_struct *mm = t_mm(t), *child;
 *		...
 *	}
 *	const struct CMUnitTest tests[] = { UM_TEST(fork_shares), };
 *	return um_test_main(tests);
 *
 * The teardown checks all of the world, lets every mm exit, destroys the world
 * and fails on any finding or leak.
 *
 * UM_FAULTS=1 in the environment: each test runs once for each allocation that it makes,
 * and this one fails; a long one for some of them, and once with many failures; then with
 * pairs of failures, by lot. See faults.c. A call in which an allocation was made to fail
 * may return -ENOMEM: it is repeated, so that the scenario goes on as if nothing had been.
 * The macros at the end of this file do that, for calls of t_ helpers and of usermm.h alike.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <kshim/fault.h>
#include "usermm.h"

#define PG	UM_PAGE_SIZE
/* An address that no default layout uses; tests place their mappings from here on. */
#define BASE	0x10000000UL
#define RW	(PROT_READ | PROT_WRITE)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

struct t {
	struct um_world *world;
	const char *topology;
	bool lazy;			/* the topology is the lazy one */
};

int t_setup(void **state);		/* checks after every operation */
int t_setup_quiet(void **state);	/* checks at the end only: for threads, large worlds */
int t_teardown(void **state);

#define UM_TEST_ON(fn, topo)		{ #fn "[" topo "]", fn, t_setup, t_teardown, (void *)topo }
#define UM_TEST(fn)			UM_TEST_ON(fn, "regular"), UM_TEST_ON(fn, "lazy"), \
					UM_TEST_ON(fn, "scan")
#define UM_TEST_LAZY(fn)		UM_TEST_ON(fn, "lazy")
#define UM_TEST_REGULAR(fn)		UM_TEST_ON(fn, "regular")
#define UM_TEST_QUIET_ON(fn, topo)	{ #fn "[" topo "]", fn, t_setup_quiet, t_teardown, \
					  (void *)topo }
#define UM_TEST_QUIET(fn)		UM_TEST_QUIET_ON(fn, "regular"), \
					UM_TEST_QUIET_ON(fn, "lazy"), \
					UM_TEST_QUIET_ON(fn, "scan")

/* Runs the tests, with the calling thread registered. Returns the number that failed. */
int um_test_run(const struct CMUnitTest *tests, size_t nr);
#define um_test_main(tests)	um_test_run(tests, sizeof(tests) / sizeof((tests)[0]))

/* -- One helper for each thing that tests do all the time; all fail the test on error -- */

struct mm_struct *t_mm(struct t *t);			/* a process with an empty address space */
struct mm_struct *t_fork(struct mm_struct *mm);
void t_map(struct mm_struct *mm, uint64_t addr, uint64_t pages);	/* anonymous, private, RW */
void t_map_file(struct mm_struct *mm, uint64_t addr, uint64_t pages, struct um_file *file,
		uint64_t pgoff);				/* private, RW */
void t_unmap(struct mm_struct *mm, uint64_t addr, uint64_t pages);
void t_write(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t token);	/* token + n */
void t_expect(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t token);
uint64_t t_move(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t to, int flags);
void t_protect(struct mm_struct *mm, uint64_t addr, uint64_t pages, int prot);
size_t t_nr_vmas(struct mm_struct *mm);
struct um_vma_info t_vma(struct mm_struct *mm, uint64_t addr);	/* the VMA there; fails if none */
struct um_stats t_stats(struct t *t);
/* Push everything out to swap; move every page to another frame. At least one page each. */
void t_swap_out(struct t *t);
void t_migrate(struct t *t);
void t_migrate_if_any(struct t *t);	/* as t_migrate(), where there may be no page */

/* -- Allocations that fail (faults.c) ------------------------------------------------ */

/* With UM_FAULTS: run them so. Returns the number that failed. */
int um_faults_run(const struct CMUnitTest *tests, size_t nr);
bool um_faults_wanted(void);
/* The world of the test that runs now, which is checked. */
void t_faults_world(struct um_world *world);
/* From true to false, which nest, nothing is checked: somebody holds a lock, or a reference. */
void t_faults_busy(bool busy);
/* Called when a run has failed; NULL: nothing to do. Threads that wait for the test go on. */
extern void (*t_faults_release)(void);
/* Failures injected so far in this run of the test: where it matters that there were some. */
unsigned long t_injected(void);
/*
 * A call is about to be made; after it, with what t_faults_begin() returned: returns true if
 * an allocation in it was made to fail, and it is to be repeated in that case. If one was, all
 * is checked, or, where many fail in one run, sometimes.
 */
unsigned long t_faults_begin(void);
bool t_faults_again(unsigned long before, bool repeat);

/* Repeat a call if an allocation in it was made to fail, and then a condition on ret_ holds. */
#define T_REPEAT_IF(call, condition) ({							\
	unsigned long before_;								\
	__typeof__(call) ret_;								\
											\
	do {										\
		before_ = t_faults_begin();						\
		ret_ = (call);								\
	} while (t_faults_again(before_, condition));					\
	ret_;										\
})
#define T_REPEAT(call, silent)	T_REPEAT_IF(call, silent || ret_ == -ENOMEM)

/* These say -ENOMEM, and have changed nothing that keeps them from being repeated. */
#define um_world_create(...)	T_REPEAT(um_world_create(__VA_ARGS__), false)
#define um_mm_create(...)	T_REPEAT(um_mm_create(__VA_ARGS__), false)
#define um_fork(...)		T_REPEAT(um_fork(__VA_ARGS__), false)
#define um_fork_known(...)	T_REPEAT(um_fork_known(__VA_ARGS__), false)
#define um_mmap(...)		T_REPEAT(um_mmap(__VA_ARGS__), false)
#define um_munmap(...)		T_REPEAT(um_munmap(__VA_ARGS__), false)
#define um_mremap(...)		T_REPEAT(um_mremap(__VA_ARGS__), false)
#define um_mprotect(...)	T_REPEAT(um_mprotect(__VA_ARGS__), false)
#define um_brk_init(...)	T_REPEAT(um_brk_init(__VA_ARGS__), false)
#define um_brk(...)		T_REPEAT(um_brk(__VA_ARGS__), false)
#define um_mlock(...)		T_REPEAT(um_mlock(__VA_ARGS__), false)
#define um_vma_name(...)	T_REPEAT(um_vma_name(__VA_ARGS__), false)
#define um_exec_stack(...)	T_REPEAT(um_exec_stack(__VA_ARGS__), false)
#define um_uffd_move(...)	T_REPEAT(um_uffd_move(__VA_ARGS__), false)
#define um_read(...)		T_REPEAT(um_read(__VA_ARGS__), false)
#define um_write(...)		T_REPEAT(um_write(__VA_ARGS__), false)
#define um_touch(...)		T_REPEAT(um_touch(__VA_ARGS__), false)
#define um_swapoff(...)		T_REPEAT(um_swapoff(__VA_ARGS__), false)
#define um_collapse(...)	T_REPEAT(um_collapse(__VA_ARGS__), false)
#define um_split_huge(...)	T_REPEAT(um_split_huge(__VA_ARGS__), false)
#define um_memory_failure(...)	T_REPEAT(um_memory_failure(__VA_ARGS__), false)
/* These leave undone what there is no memory for, and are repeated to do the rest. */
#define um_madvise(...)		T_REPEAT(um_madvise(__VA_ARGS__), true)
#define um_mlockall(...)	T_REPEAT(um_mlockall(__VA_ARGS__), true)
#define um_touch_huge(...)	T_REPEAT(um_touch_huge(__VA_ARGS__), true)
#define um_reclaim(...)		T_REPEAT(um_reclaim(__VA_ARGS__), true)
#define um_migrate(...)		T_REPEAT(um_migrate(__VA_ARGS__), true)
#define um_ksm_scan(...)	T_REPEAT(um_ksm_scan(__VA_ARGS__), true)
#define um_age(...)		T_REPEAT(um_age(__VA_ARGS__), true)
#define um_file_create(...)	T_REPEAT_IF(um_file_create(__VA_ARGS__), !ret_)

#endif
