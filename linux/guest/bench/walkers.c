// SPDX-License-Identifier: GPL-2.0
/* Who walks: migration between two nodes, reclaim of a cgroup; once, or over and over. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <signal.h>
#include <unistd.h>

#include "bench.h"

/**
 * migrate() - move pages to a node, however many processes map them
 * @pid: a process that maps them, 0 for this one
 * @addr: of the first page
 * @pages: how many
 * @node: where to
 * @must_move: die unless so many are on @node afterwards; 0 also if there is no such
 *	process, or it is about to end
 */
void migrate(pid_t pid, char *addr, long pages, int node, long must_move)
{
	void **addrs = calloc(pages, sizeof(*addrs));
	int *nodes = calloc(pages, sizeof(*nodes)), *status = calloc(pages, sizeof(*status));
	long i, moved = 0;

	if (!addrs || !nodes || !status)
		die("calloc");
	for (i = 0; i < pages; i++) {
		addrs[i] = addr + i * PAGE;
		nodes[i] = node;
		status[i] = -EBUSY;
	}
	if (syscall(SYS_move_pages, pid, pages, addrs, nodes, status, MPOL_MF_MOVE_ALL) < 0 &&
	    must_move)
		die("move_pages to node %d: are there two?", node);
	for (i = 0; i < pages; i++)
		moved += status[i] == node;
	if (moved < must_move)
		die("%ld of %ld pages migrated", moved, pages);
	free(addrs);
	free(nodes);
	free(status);
}

/** swapped_out() - Return: pages written to swap since boot. */
long swapped_out(void)
{
	FILE *vmstat = fopen("/proc/vmstat", "re");
	char name[64];
	long value, out = -1;

	if (!vmstat)
		die("cannot read /proc/vmstat");
	while (fscanf(vmstat, "%63s %ld", name, &value) == 2)
		if (!strcmp(name, "pswpout"))
			out = value;
	fclose(vmstat);
	return out;
}

/**
 * walkers_new() - memory shared with walkers
 *
 * Return: zeroed; shared with children forked from now on.
 */
struct walkers *walkers_new(void)
{
	struct walkers *walkers = mmap(NULL, sizeof(*walkers), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (walkers == MAP_FAILED)
		die("mmap");
	return walkers;
}

static void walk_on(struct walkers *walkers, enum walker kind)
{
	long round, first;
	int who;

	for (round = 0; !__atomic_load_n(&walkers->stop, __ATOMIC_RELAXED); round++) {
		if (kind == WALKER_RECLAIM) {
			cgroup_reclaim(walkers->cgroup, walkers->bytes);
		} else {
			who = (int)(round % walkers->n);
			first = round / walkers->n * walkers->step % walkers->pages;
			migrate(walkers->pids[who],
				walkers->addr + who * walkers->stride + first * PAGE,
				walkers->step, (round / walkers->n) % 2, 0);
		}
		__atomic_fetch_add(&walkers->rounds[kind], 1, __ATOMIC_RELAXED);
	}
}

/**
 * walker_start() - a process that walks until @walkers->stop is set
 * @walkers: from walkers_new(), filled in
 * @kind: what it does
 * @cpu: where it runs
 *
 * Return: its id, for wait_for().
 */
pid_t walker_start(struct walkers *walkers, enum walker kind, int cpu)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	cgroup_leave();
	pin(cpu);
	walk_on(walkers, kind);
	_exit(0);
}
