/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_CHECK_OPS_H
#define USERMM_CHECK_OPS_H
/*
 * What the driver (check.c) and its operations (check_ops.c) share.
 */
#include "check.h"

#define CHECK_MM_SLOTS	12
#define CHECK_FILES	8
#define CHECK_VMAS	256

/*
 * Where a thread does what it does. Threads that share an address space have
 * disjoint arenas, with room between them, so that what each of them sees can be
 * known. The arena of the only thread is not a border: memory may be placed, and
 * used, outside of it.
 */
struct check_arena {
	uint64_t start, pages;
};

/* An address space as one thread knows it. */
struct check_mm {
	struct mm_struct *mm;		/* NULL: no such process now */
	unsigned int users;		/* ours */
	bool shared;			/* other threads use it too */
	bool has_heap;			/* um_brk_init() was called, and is ours to use */
};

struct checker {
	const struct um_check_options *options;
	FILE *log;
	struct um_world *world;
	struct um_file *files[CHECK_FILES];
	unsigned int threads;
	uint64_t injected, denied;	/* one thread */
	unsigned int most;		/* the same: of one call */
	bool cut_short;			/* by the deadline */
};

struct check_actor {
	struct checker *checker;
	unsigned int id;
	uint64_t random[4];
	uint64_t ops;			/* done so far */
	uint64_t until;			/* so many are to be done before all meet */
	bool quiet;			/* nothing in the background: done even if the time is up */
	struct check_arena arena;
	struct check_mm mms[CHECK_MM_SLOTS];
	struct um_vma_info vmas[CHECK_VMAS];
};

void check_random_seed(struct check_actor *actor, uint64_t seed);
uint64_t check_random(struct check_actor *actor);
/* 0 .. n - 1 */
uint64_t check_below(struct check_actor *actor, uint64_t n);

/* One operation, chosen by lot. */
void check_op(struct check_actor *actor);
/* Make sure that there is a process. Returns 0 or -ENOMEM. */
int check_need_mm(struct check_actor *actor);

#endif
