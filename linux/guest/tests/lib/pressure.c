// SPDX-License-Identifier: GPL-2.0
/* Walks of the reverse map, from user space. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "ktest.h"
#include "kernel.h"
#include "pages.h"
#include "pressure.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#define MOVE_ALL	4		/* MPOL_MF_MOVE_ALL */
#define CHUNK		512ul		/* pages in one system call */
/*
 * How often a page is tried before it counts as missed: pages on their way to the LRU
 * lists, or isolated by kswapd or compaction, are passed over.
 */
#define TRIES		40

static long move_pages(pid_t pid, unsigned long n, void **pages, const int *nodes, int *status)
{
	return syscall(SYS_move_pages, pid, n, pages, nodes, status, MOVE_ALL);
}

static size_t migrate_chunk(pid_t pid, char *at, size_t pages, int node)
{
	void *addr[CHUNK];
	int nodes[CHUNK], status[CHUNK];
	size_t i, moved = 0;

	for (i = 0; i < pages; i++) {
		addr[i] = at + i * PG;
		nodes[i] = node;
		status[i] = -EAGAIN;
	}
	/* Above zero: so many were not migrated; their status says so, or is not set. */
	if (move_pages(pid, pages, addr, nodes, status) < 0)
		return 0;
	for (i = 0; i < pages; i++)
		moved += status[i] == node;
	return moved;
}

size_t migrate_to(pid_t pid, void *at, size_t pages, int node)
{
	size_t done, n, moved = 0;

	for (done = 0; done < pages; done += n) {
		n = pages - done < CHUNK ? pages - done : CHUNK;
		moved += migrate_chunk(pid, at + done * PG, n, node);
	}
	return moved;
}

int node_of(void *page)
{
	int status = -EINVAL;

	if (move_pages(0, 1, &page, NULL, &status) < 0)
		return -errno;
	return status;
}

void pageout(pid_t pid, void *at, size_t pages)
{
	struct iovec range = { at, pages * PG };
	int fd;

	if (!pid || pid == getpid()) {
		madvise(at, pages * PG, MADV_PAGEOUT);
		return;
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return;
	syscall(SYS_process_madvise, fd, &range, 1, MADV_PAGEOUT, 0);
	close(fd);
}

/* -- page_idle ---------------------------------------------------------------------------- */

#define IDLE_BITMAP	"/sys/kernel/mm/page_idle/bitmap"

static bool idle_access(int fd, uint64_t pfn, uint64_t *word, bool write)
{
	off_t at = (off_t)(pfn / 64 * 8);

	return (write ? pwrite(fd, word, 8, at) : pread(fd, word, 8, at)) == 8;
}

static void mark_idle(pid_t pid, void *at, size_t pages)
{
	int fd = open(IDLE_BITMAP, O_RDWR | O_CLOEXEC);
	uint64_t entries[64], word;
	size_t i;

	if (fd < 0)
		return;
	if (pages > 64)
		pages = 64;
	if (!try_pagemap_of(pid, at, pages, entries))
		pages = 0;		/* the process is gone */
	for (i = 0; i < pages; i++) {
		word = 1ull << (entries[i] & PM_PFN) % 64;
		if (entries[i] & PM_PRESENT && idle_access(fd, entries[i] & PM_PFN, &word, true))
			idle_access(fd, entries[i] & PM_PFN, &word, false);
	}
	close(fd);
}

static bool is_idle(int fd, uint64_t pfn)
{
	uint64_t word;

	must(idle_access(fd, pfn, &word, false), "page_idle: %s", strerror(errno));
	return word & 1ull << pfn % 64;
}

/* Marks a page idle, and sees to it that it is. Returns its frame. */
static uint64_t must_be_idle(int fd, char *page)
{
	uint64_t pfn, word;
	unsigned int tries;
	char text[200];

	for (tries = 0; tries < TRIES; tries++) {
		pfn = pfn_of(page);
		word = 1ull << pfn % 64;
		if (pfn && idle_access(fd, pfn, &word, true) && is_idle(fd, pfn))
			return pfn;
		/* A new page is on its way to the LRU lists: move_pages() hurries it up. */
		migrate_to(0, page, 1, node_of(page));
		nap(0.002 * tries);
	}
	describe_page(getpid(), page, text, sizeof(text));
	must(false, "cannot be marked idle; %s", text);
	return 0;
}

void must_be_seen_young(void *at, size_t pages, void (*touch)(void *arg), void *arg)
{
	char text[200];
	uint64_t pfn;
	size_t i;
	int fd;

	need_file(IDLE_BITMAP);
	fd = open(IDLE_BITMAP, O_RDWR | O_CLOEXEC);
	must(fd >= 0, "page_idle: %s", strerror(errno));
	for (i = 0; i < pages; i++) {
		pfn = must_be_idle(fd, at + i * PG);
		flush_tlb();
		touch(arg);
		describe_page(getpid(), at + i * PG, text, sizeof(text));
		must(pfn == pfn_of(at + i * PG), "moved meanwhile; %s", text);
		must(!is_idle(fd, pfn), "idle after it was touched; %s", text);
	}
	close(fd);
}

/* -- All the time ---------------------------------------------------------------------------- */

static void split_huge(pid_t pid, void *at, size_t pages)
{
	char text[100];

	snprintf(text, sizeof(text), "%d,%#lx,%#lx", pid, (unsigned long)at,
		 (unsigned long)at + pages * PG);
	kernel_write("/sys/kernel/debug/split_huge_pages", text);
}

void migrate_process(pid_t pid, unsigned int to)
{
	unsigned long from_mask = 1ul << !to, to_mask = 1ul << to;

	syscall(SYS_migrate_pages, pid, 8 * sizeof(from_mask), &from_mask, &to_mask);
}

void pressure_once(struct pressure *p, uint64_t random)
{
	size_t pages = p->pages > CHUNK ? CHUNK : p->pages;
	pid_t pid = p->pid ? p->pid : getpid();
	char *at = p->at;
	unsigned int kind;

	/* A part of the range each time: long calls would meet few states of it. */
	if (random & 7) {
		pages = 1 + (random >> 8) % pages;
		at += (random >> 24) % (p->pages - pages + 1) * PG;
	}
	kind = 1u << (random >> 40) % 7;
	while (!(kind & p->kinds))
		kind = kind == MIGRATE_ALL ? 1 : kind << 1;
	if (kind == MIGRATE)
		p->migrated += migrate_to(p->pid, at, pages, random >> 60 & 1);
	else if (kind == PAGEOUT)
		pageout(p->pid, at, pages);
	else if (kind == IDLE)
		mark_idle(pid, at, pages);
	else if (kind == RECLAIM)
		reclaim_own_cgroup(1 + (pages * PG >> 20));
	else if (kind == SPLIT)
		split_huge(pid, at, pages);
	else if (kind == COMPACT)
		kernel_write("/proc/sys/vm/compact_memory", "1");
	else if (kind == MIGRATE_ALL)
		migrate_process(pid, random >> 60 & 1);
	p->rounds++;
}

static void *pressure_thread(void *arg)
{
	struct pressure *p = arg;
	cpu_set_t cpus;
	struct rnd r;

	if (p->cpu) {
		CPU_ZERO(&cpus);
		CPU_SET(p->cpu - 1, &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	rnd_init(&r, 1000 + p->stream);
	while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED))
		pressure_once(p, rnd(&r) << 16 ^ rnd(&r));
	return NULL;
}

static void leave_out_what_is_not_there(struct pressure *p)
{
	if (!have_two_nodes())
		p->kinds &= ~(unsigned int)(MIGRATE | MIGRATE_ALL);
	if (!have_swap())
		p->kinds &= ~(unsigned int)(PAGEOUT | RECLAIM);
	if (!have_memory_reclaim())
		p->kinds &= ~(unsigned int)RECLAIM;
	if (access(IDLE_BITMAP, W_OK))
		p->kinds &= ~(unsigned int)IDLE;
	if (access("/sys/kernel/debug/split_huge_pages", W_OK))
		p->kinds &= ~(unsigned int)SPLIT;
}

void pressure_start(struct pressure *p)
{
	static unsigned int streams;

	p->stream = streams++;
	leave_out_what_is_not_there(p);
	if (!p->kinds)
		skip("no memory node to migrate to, no swap, no page_idle");
	p->stop = false;
	must(!pthread_create(&p->thread, NULL, pressure_thread, p), "pthread_create");
}

void pressure_stop(struct pressure *p)
{
	__atomic_store_n(&p->stop, true, __ATOMIC_RELAXED);
	pthread_join(p->thread, NULL);
}

void pressure_stop_and_check(struct pressure *p)
{
	pressure_stop(p);
	must(!(p->kinds & MIGRATE) || p->migrated, "no page was migrated in %llu rounds",
	     (unsigned long long)p->rounds);
}

/* -- Quiet ------------------------------------------------------------------------------------ */

static void must_migrate_chunk(pid_t pid, char *at, size_t pages, int node)
{
	unsigned int tries;
	char text[200];
	size_t i;

	for (tries = 0; tries < TRIES; tries++) {
		if (migrate_chunk(pid, at, pages, node) == pages)
			return;
		/* A page that was swapped out comes back first. */
		for (i = 0; !pid && i < pages; i++)
			page_get(at + i * PG);
		nap(0.002 * tries);
	}
	for (i = 0; i < pages; i++) {
		if (migrate_chunk(pid, at + i * PG, 1, node) == 1)
			continue;
		describe_page(pid ? pid : getpid(), at + i * PG, text, sizeof(text));
		must(false, "cannot be migrated to node %d; %s", node, text);
	}
}

void must_migrate(pid_t pid, void *at, size_t pages)
{
	size_t done, n;
	int node;

	need_two_nodes();
	for (node = 0; node < 2; node++) {
		for (done = 0; done < pages; done += n) {
			n = pages - done < CHUNK ? pages - done : CHUNK;
			must_migrate_chunk(pid, at + done * PG, n, node);
		}
	}
}

static size_t pages_not_in_swap(const pid_t *pids, unsigned int nr, void *at, size_t pages)
{
	size_t left = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		left += count_pagemap(pids[i], at, pages, PM_PRESENT);
	return left;
}

void must_swap_out(const pid_t *pids, unsigned int nr, void *at, size_t pages)
{
	unsigned int tries, p;
	char text[200];
	size_t i;

	need_swap();
	if (nr > 1)
		need_memory_reclaim();
	for (tries = 0; tries < TRIES && pages_not_in_swap(pids, nr, at, pages); tries++) {
		if (nr == 1 && tries % 4 != 3) {
			pageout(pids[0], at, pages);
		} else {
			for (p = 0; p < nr; p++)	/* young bits go first */
				mark_idle(pids[p], at, pages);
			reclaim_own_cgroup(16 + (unsigned int)(pages * PG >> 19));
		}
		nap(0.002 * tries);
	}
	for (p = 0; p < nr; p++) {
		for (i = 0; i < pages; i++) {
			if (!count_pagemap(pids[p], at + i * PG, 1, PM_PRESENT))
				continue;
			describe_page(pids[p], at + i * PG, text, sizeof(text));
			must(false, "cannot be swapped out; %s", text);
		}
		must(count_pagemap(pids[p], at, pages, PM_SWAP), "nothing of %zu pages in swap",
		     pages);
	}
}

void must_be_found(void *at, size_t pages)
{
	pid_t self = getpid();

	must_migrate(0, at, pages);
	must_swap_out(&self, 1, at, pages);
}
