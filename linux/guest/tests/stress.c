// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once, for as long as one likes: process trees whose threads change their
 * mappings at random, fork, exec and exit, while the kernel reclaims, migrates, merges,
 * splits, collapses, compacts and looks for idle pages. Every page's contents are checked
 * against the model that its process keeps (lib/window.h), and pagemap is checked at the
 * end of each process's life: nothing may be present, swapped or migrating where nothing
 * is mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "lib/window.h"

#define TREES		4	/* processes that are replaced when they are done */
#define THREADS		2	/* of each, changing windows beside each other */
#define WINDOW		256ul
#define HUGE_WINDOW	2048ul
#define BASE		0x200000000000ul
#define KSM		"/sys/kernel/mm/ksm/"
#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define MBIND_MOVE_ALL	((1u << 1) | (1u << 2))	/* MPOL_MF_MOVE | MPOL_MF_MOVE_ALL */

#define ALL_OPS		(W_CHANGES | W_FORK | W_MERGEABLE | W_HUGE | W_PAGEOUT | W_LOCK)

/* Words that all share. */
enum { STEPS, LIVES, STOP, PIDS, /* TREES of them */ EXECS = PIDS + TREES, MOVED };

static bool soft_offline;

/* -- One life of a process -------------------------------------------------------------- */

struct life {
	struct window window[THREADS];
	struct window huge;
	struct rnd r;
	unsigned int steps;
};

static void *change_beside(void *arg)
{
	struct window *w = arg;
	unsigned int i;

	for (i = 0; i < 400 && !shared[STOP]; i++)
		window_step(w);
	return NULL;
}

/* Random memory policy for a range: mbind() migrates what is in the wrong place. */
static void bind_somewhere(struct rnd *r, void *at, size_t pages)
{
	unsigned long mask = 1ul << rnd_below(r, 2);
	int policy = rnd_below(r, 3) ? 2 /* MPOL_BIND */ : 0 /* MPOL_DEFAULT */;

	syscall(SYS_mbind, at, pages * PG, policy, policy ? &mask : NULL, 8 * sizeof(mask),
		policy ? MBIND_MOVE_ALL : 0);
}

/* The stack grows by up to a megabyte; its pages hold what they were given. */
static void grow_the_stack(unsigned int depth, uint64_t token)
{
	char page[2 * PG] __attribute__((aligned(PG)));

	page_set(page, token + depth);
	if (depth)
		grow_the_stack(depth - 1, token);
	must(page_is(page, token + depth), "a page of the stack, at depth %u, is another one",
	     depth);
}

/* The heap, by the system call: nothing here uses malloc() meanwhile. */
static void grow_the_heap(struct rnd *r)
{
	char *end = (char *)syscall(SYS_brk, 0), *from;
	size_t pages = 1 + rnd_below(r, 64);

	from = (char *)(((uintptr_t)end + PG - 1) & ~(PG - 1));
	if ((char *)syscall(SYS_brk, from + pages * PG) != from + pages * PG)
		return;
	fill(from, pages, 0xdd0000);
	madvise(from, pages * PG, 21 /* MADV_PAGEOUT */);
	expect(from, pages, 0xdd0000);
	syscall(SYS_brk, end);
}

/*
 * Nothing is mapped in the windows any more, so nothing may be in the page tables:
 * present, swapped or migrating.
 */
static void nothing_is_left(void *at, size_t pages)
{
	size_t present = count_pagemap(getpid(), at, pages, PM_PRESENT);
	size_t swapped = count_pagemap(getpid(), at, pages, PM_SWAP);

	must(!present && !swapped, "%zu pages present and %zu swapped where nothing is mapped",
	     present, swapped);
}

/* What pagemap says of pages that the model knows: written ones are there, or in swap. */
static void check_pagemap(struct window *w)
{
	uint64_t entries[WINDOW];
	size_t i;

	pagemap_of(getpid(), w->base, w->pages, entries);
	for (i = 0; i < w->pages; i++) {
		bool there = entries[i] & (PM_PRESENT | PM_SWAP);

		must(w->page[i].mapped || !there, "page %zu is not mapped: pagemap %#llx", i,
		     (unsigned long long)entries[i]);
		must(there || !w->page[i].mapped || w->page[i].holds == w->page[i].clean,
		     "page %zu was written: pagemap %#llx", i, (unsigned long long)entries[i]);
	}
}

static void live(struct life *l, uint64_t stream)
{
	pthread_t beside;
	unsigned int i;

	rnd_init(&l->r, stream);
	for (i = 0; i < THREADS; i++)
		window_init(&l->window[i], (char *)BASE + i * WINDOW * PG, WINDOW,
			    ALL_OPS | (soft_offline ? W_SOFT_OFFLINE : 0), stream * 4 + i);
	window_init(&l->huge, (char *)BASE + (1ul << 30), HUGE_WINDOW,
		    ALL_OPS & ~(unsigned int)(W_MAP_FILE | W_LOCK), stream * 4 + 3);
	/* A fork in one thread copies what the other is changing: its child leaves that alone. */
	must(!pthread_create(&beside, NULL, change_beside, &l->window[1]), "pthread_create");
	for (i = 0; i < 400 && !shared[STOP]; i++) {
		window_step(rnd_below(&l->r, 4) ? &l->window[0] : &l->huge);
		if (!rnd_below(&l->r, 16))
			bind_somewhere(&l->r, l->window[0].base, WINDOW);
		if (!rnd_below(&l->r, 32))
			grow_the_stack((unsigned int)rnd_below(&l->r, 100), stream << 20);
		if (!rnd_below(&l->r, 32))
			grow_the_heap(&l->r);
	}
	pthread_join(beside, NULL);
	for (i = 0; i < THREADS; i++) {
		check_pagemap(&l->window[i]);
		shared_add(STEPS, l->window[i].steps);
	}
	shared_add(STEPS, l->huge.steps);
}

static void end_of_life(struct life *l)
{
	uint64_t how = rnd(&l->r);
	unsigned int i;

	shared_add(LIVES, 1);
	for (i = 0; i < THREADS; i++)
		window_check(&l->window[i]);
	window_check(&l->huge);
	if (how % 4 == 0) {
		for (i = 0; i < THREADS; i++) {
			void *base = l->window[i].base;

			window_exit(&l->window[i]);
			nothing_is_left(base, WINDOW);
		}
	}
	if (how % 4 == 1) {
		/* exec: all mappings go at once, and the stack is moved. */
		char number[24];

		snprintf(number, sizeof(number), "%llu", (unsigned long long)(how >> 8 & 0xffff));
		shared_add(EXECS, 1);
		execl("/proc/self/exe", "stress", "--exec-child", number, NULL);
		must(false, "execl: %s", strerror(errno));
	}
	_exit(KTEST_OK);	/* the mappings go with the process */
}

static void one_life(void *arg)
{
	struct life *l = calloc(1, sizeof(*l));

	must(l, "no memory");
	live(l, (uint64_t)(uintptr_t)arg);
	end_of_life(l);
}

/* What the re-executed program does: a few changes in a fresh address space. */
static int exec_child(const char *number)
{
	struct window w;
	unsigned int i;

	window_init(&w, (char *)BASE, WINDOW, W_CHANGES, strtoull(number, NULL, 0));
	for (i = 0; i < 50; i++)
		window_step(&w);
	window_exit(&w);
	nothing_is_left((char *)BASE, WINDOW);
	return KTEST_OK;
}

/* -- The kernel's side ------------------------------------------------------------------- */

static void aggressive_settings(void)
{
	kernel_write(KSM "smart_scan", "0");
	kernel_write(KSM "pages_to_scan", "2000");
	kernel_write(KSM "sleep_millisecs", "20");
	kernel_write(KSM "run", "1");
	kernel_write(THP "enabled", "madvise");
	kernel_write(THP "defrag", "madvise");
	kernel_write(THP "hugepages-64kB/enabled", "madvise");
	kernel_write(THP "khugepaged/scan_sleep_millisecs", "20");
	kernel_write(THP "khugepaged/alloc_sleep_millisecs", "20");
	kernel_write(THP "khugepaged/pages_to_scan", "4096");
	kernel_write(THP "khugepaged/max_ptes_none", "511");
}

static void usual_settings(void)
{
	kernel_write(KSM "run", "2");
	kernel_write(KSM "run", "0");
	kernel_write(THP "hugepages-64kB/enabled", "never");
	kernel_write(THP "khugepaged/scan_sleep_millisecs", "10000");
	kernel_write(THP "khugepaged/alloc_sleep_millisecs", "60000");
}

/* A thread that presses on one process after the other, wherever its windows are. */
static void *press(void *arg)
{
	struct pressure p = { .kinds = (unsigned int)(uintptr_t)arg };
	struct rnd r;

	rnd_init(&r, 0x9999 + (uintptr_t)arg);
	while (!shared[STOP]) {
		bool huge = !rnd_below(&r, 4);

		p.pid = (pid_t)shared[PIDS + rnd_below(&r, TREES)];
		p.at = (char *)BASE + (huge ? 1ul << 30 : 0);
		p.pages = huge ? HUGE_WINDOW : THREADS * WINDOW;
		if (p.pid)
			pressure_once(&p, rnd(&r) << 16 ^ rnd(&r));
		if (p.kinds & COMPACT)
			nap(2);
	}
	shared_add(MOVED, p.migrated);
	return NULL;
}

/* What the kernel has to have done meanwhile: without it the run shows nothing. */
static const char *const happened[] = {
	"pgmigrate_success", "pswpout", "pswpin", "thp_fault_alloc", "thp_split_pmd",
};

#define HAPPENED	(sizeof(happened) / sizeof(happened[0]))

static void count_what_happens(long *counts)
{
	unsigned int i;

	for (i = 0; i < HAPPENED; i++)
		counts[i] = vmstat(happened[i]);
}

static void must_have_happened(const long *before)
{
	long after[HAPPENED];
	unsigned int i;

	count_what_happens(after);
	for (i = 0; i < HAPPENED; i++) {
		note("%s: %ld", happened[i], after[i] - before[i]);
		must(after[i] > before[i], "no %s", happened[i]);
	}
}

/* A limit on the cgroup: the kernel reclaims by itself too, in direct reclaim. */
static void limit_the_cgroup(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/memory.high", ktest_cgroup);
	if (ktest_cgroup[0])
		kernel_write(path, "48M");
}

static void stress(void)
{
	static const unsigned int kinds[] = {
		MIGRATE | MIGRATE_ALL, PAGEOUT | RECLAIM | IDLE, SPLIT | IDLE, COMPACT
	};
	pthread_t threads[4];
	pid_t pids[TREES];
	uint64_t stream = 1;
	long before[HAPPENED];
	unsigned int i;

	need_two_nodes();
	need_swap();
	count_what_happens(before);
	aggressive_settings();
	limit_the_cgroup();
	for (i = 0; i < TREES; i++)
		shared[PIDS + i] = (uint64_t)(pids[i] = spawn(one_life, (void *)stream++));
	for (i = 0; i < 4; i++)
		must(!pthread_create(&threads[i], NULL, press, (void *)(uintptr_t)kinds[i]),
		     "pthread_create");
	while (more()) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (!pid) {
			nap(0.01);
			continue;
		}
		must(!status, "process %d: wait status %#x", pid, status);
		for (i = 0; i < TREES; i++)
			if (pids[i] == pid)
				shared[PIDS + i] = (uint64_t)
					(pids[i] = spawn(one_life, (void *)stream++));
	}
	shared[STOP] = 1;
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < TREES; i++)
		reap(pids[i], 0);
	usual_settings();
	note("%llu operations in %llu lives, %llu execs", (unsigned long long)shared[STEPS],
	     (unsigned long long)shared[LIVES], (unsigned long long)shared[EXECS]);
	must(shared[LIVES] && shared[MOVED], "too little happened");
	must_have_happened(before);
}

/* The same, with pages taken out of use now and then: memory is lost until the reboot. */
static void stress_and_soft_offline(void)
{
	need_file("/sys/devices/system/memory/soft_offline_page");
	soft_offline = true;
	stress();
}

int main(int argc, char **argv)
{
	static const struct ktest tests[] = {
		KTEST(stress), KTEST(stress_and_soft_offline), KTEST_END
	};
	static const struct ktest *const tables[] = { tests, NULL };

	if (argc == 3 && !strcmp(argv[1], "--exec-child"))
		return exec_child(argv[2]);
	return ktest_main(argc, argv, tables);
}
