/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRESSURE_H
#define PRESSURE_H
/*
 * Everything that makes the kernel walk the reverse map: threads that do it all the
 * time while a test changes mappings, and checks that everything is found once the
 * mappings are quiet.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	MIGRATE = 1,		/* move_pages() between nodes */
	PAGEOUT = 2,		/* MADV_PAGEOUT: pages mapped by one process */
	IDLE = 4,		/* page_idle bitmap: young bits are looked at */
	RECLAIM = 8,		/* memory.reclaim of the test's cgroup */
	SPLIT = 16,		/* huge pages are split through debugfs */
	COMPACT = 32,		/* /proc/sys/vm/compact_memory */
	MIGRATE_ALL = 64,	/* migrate_pages(): the whole process */
};

struct pressure {
	pid_t pid;		/* whose pages; 0: the calling process */
	void *at;
	size_t pages;
	unsigned int kinds;
	int cpu;		/* that the thread runs on, plus one; 0: any */
	/* filled in */
	uint64_t migrated;	/* pages, that move_pages() says have moved */
	uint64_t rounds;
	pthread_t thread;
	bool stop;
	unsigned int stream;	/* of random numbers */
};

/* What this machine cannot do is left out of the kinds; the thread runs in this process. */
void pressure_start(struct pressure *p);
void pressure_stop(struct pressure *p);
/* Ends it, and says that pages really were migrated and, where asked for, swapped out. */
void pressure_stop_and_check(struct pressure *p);
/* One round of it, in the calling thread. */
void pressure_once(struct pressure *p, uint64_t random);

/* Pages that move_pages() moved to @node; only those of them whose status says so. */
size_t migrate_to(pid_t pid, void *at, size_t pages, int node);
/* migrate_pages(): all that the process has, to node 0 or 1. */
void migrate_process(pid_t pid, unsigned int to);
/* The node of a page of the calling process, or -errno. */
int node_of(void *page);
void pageout(pid_t pid, void *at, size_t pages);

/*
 * The range is quiet: nobody maps, unmaps or writes. Every page must be found:
 * migration must take each one to the other node (it cannot while a mapping of it is
 * missed: the page stays mapped). Where there is one node, the test is skipped.
 */
void must_migrate(pid_t pid, void *at, size_t pages);
/* The same by swapping out; @pids are all that map the pages, in each of which they must go. No swap: a skip. */
void must_swap_out(const pid_t *pids, unsigned int nr, void *at, size_t pages);
/* Both, in the calling process, for pages that nobody else maps. */
void must_be_found(void *at, size_t pages);
/*
 * page_idle: each page is marked idle, touched by @touch(@arg) and must then be seen
 * as not idle; a mapping that the walk misses keeps its page idle.
 */
void must_be_seen_young(void *at, size_t pages, void (*touch)(void *arg), void *arg);

#endif
