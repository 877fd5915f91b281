// SPDX-License-Identifier: GPL-2.0
/* What idle children cost the walks of a page that they do not share. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "rows.h"

#define CHILDREN	400
#define N		64ul
#define TOKEN		0x7000000ull

static void idle_child(void *arg)
{
	(void)arg;
	shared_add(0, 1);
	for (;;)
		pause();
}

struct cost {
	double seconds;		/* of migrating N pages, the best of some rounds */
	long visits;		/* of the same; -1: not counted */
};

static struct cost cost_of_migration(char *at)
{
	struct cost best = { 1e9, 1l << 60 };
	int round;

	for (round = 0; round < 8; round++) {
		long visits = vmstat("anon_vma_visit"), made;
		double began = now(), took;

		must(migrate_to(0, at, N, round & 1) > N / 2, "pages do not migrate");
		took = now() - began;
		made = visits < 0 ? -1 : vmstat("anon_vma_visit") - visits;
		best.seconds = took < best.seconds ? took : best.seconds;
		best.visits = made < best.visits ? made : best.visits;
	}
	return best;
}

/* In the lazy topology: two walks for each page, one visit for each mapping. */
static void must_cost_little(const char *which, struct cost c, struct cost alone)
{
	note("%s: %.1f us a page, %ld visits; without children %.1f us", which,
	     c.seconds / N * 1e6, c.visits, alone.seconds / N * 1e6);
	if (!lazy_topology())
		return;
	if (c.visits >= 0)
		must(c.visits <= 2 * 2 * (long)N, "%s: %ld visits for %zu pages", which, c.visits,
		     N);
	else
		must(c.seconds <= 6 * alone.seconds, "%s: %.6f s, %.6f s without children", which,
		     c.seconds, alone.seconds);
}

/*
 * R40. A process with 400 idle children; pages that it has for itself: copied after the
 * forks, and in a VMA that is younger than they are. Referenced, migrated, swapped out.
 */
static void r40_exclusive_pages_with_400_children(void)
{
	char *before = map_anon_at(reserve(N), N), *young, *copied = map_anon_at(reserve(N), N);
	char *kept = map_anon_at(reserve(N), N);
	static pid_t pids[CHILDREN];
	struct cost alone, c;
	int i;

	need_two_nodes();
	fill(before, N, TOKEN);
	fill(copied, N, 1);
	fill(kept, N, TOKEN + 3 * N);
	alone = cost_of_migration(before);
	madvise(before, N * PG, MADV_DONTFORK);
	for (i = 0; i < CHILDREN; i++)
		pids[i] = spawn(idle_child, NULL);
	shared_wait(0, CHILDREN);
	fill(copied, N, TOKEN + N);
	young = map_anon_at(reserve(N), N);
	fill(young, N, TOKEN + 2 * N);

	c = cost_of_migration(young);
	must_cost_little("younger than the forks", c, alone);
	c = cost_of_migration(copied);
	must_cost_little("copied after the forks", c, alone);
	c = cost_of_migration(before);
	must_cost_little("not inherited", c, alone);
	must_migrate(0, kept, 4);	/* and what all 401 share is found in all */
	must_be_found(young, N);
	must_be_found(copied, N);
	expect(before, N, TOKEN);
	expect(copied, N, TOKEN + N);
	expect(young, N, TOKEN + 2 * N);
	expect(kept, N, TOKEN + 3 * N);
	for (i = 0; i < CHILDREN; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < CHILDREN; i++)
		reap(pids[i], SIGKILL);
	must_be_found(kept, N);
	expect(kept, N, TOKEN + 3 * N);
}

#define FEW_CHILDREN	64

/*
 * What the leak check of a whole run stands on: the counts in /proc/slabinfo go up while
 * processes live, and come back when they are gone.
 */
static void r01_slab_counts_come_back(void)
{
	long before = slab_active("anon_vma"), with, after = 0;
	pid_t pids[FEW_CHILDREN];
	int i;

	if (before < 0)
		skip("no /proc/slabinfo");
	for (i = 0; i < FEW_CHILDREN; i++)
		pids[i] = spawn(idle_child, NULL);
	shared_wait(0, FEW_CHILDREN);
	with = slab_active("anon_vma");
	must(with >= before + FEW_CHILDREN, "%ld anon_vmas before, %ld with %d children", before,
	     with, FEW_CHILDREN);
	for (i = 0; i < FEW_CHILDREN; i++)
		kill_and_reap(pids[i]);
	for (i = 0; i < 100; i++) {
		after = slab_active("anon_vma");
		if (after < before + FEW_CHILDREN / 4)
			return;
		nap(0.05);
	}
	must(false, "%ld anon_vmas before, %ld with %d children, %ld after", before, with,
	     FEW_CHILDREN, after);
}

#define MANY_VMAS	2000ul

/* VMAs of a young process that share no anon_vma in the regular topology: apart, touched. */
static void touch_many_vmas(void *arg)
{
	char *at = reserve(2 * MANY_VMAS);
	size_t i;

	(void)arg;
	for (i = 0; i < MANY_VMAS; i++) {
		map_anon_at(at + 2 * i * PG, 1);
		page_set(at + 2 * i * PG, TOKEN);
	}
	shared_add(0, 1);
	shared_wait(1, 1);
}

/*
 * R18. The boot parameter decides the topology: a VMA in place costs nothing in the lazy
 * one, and an anon_vma and a chain entry in the regular one.
 */
static void r18_boot_decides_the_topology(void)
{
	long anon_vmas = slab_active("anon_vma"), chains = slab_active("anon_vma_chain");
	pid_t pid;

	if (anon_vmas < 0)
		skip("no /proc/slabinfo");
	pid = spawn(touch_many_vmas, NULL);
	shared_wait(0, 1);
	anon_vmas = slab_active("anon_vma") - anon_vmas;
	chains = slab_active("anon_vma_chain") - chains;
	shared_add(1, 1);
	reap(pid, 0);
	note("%s: %lu VMAs, %ld anon_vmas, %ld chain entries", lazy_topology() ? "lazy" : "regular",
	     MANY_VMAS, anon_vmas, chains);
	/* Half way between, which leaves room for what other processes do. */
	must(lazy_topology() == (anon_vmas < (long)MANY_VMAS / 2), "%ld anon_vmas", anon_vmas);
	must(lazy_topology() == (chains < (long)MANY_VMAS / 2), "%ld chain entries", chains);
}

const struct ktest sharing_tests[] = {
	KTEST(r18_boot_decides_the_topology),
	KTEST(r01_slab_counts_come_back),
	KTEST(r40_exclusive_pages_with_400_children),
	KTEST_END
};
