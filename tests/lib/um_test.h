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
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/mman.h>
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

#endif
