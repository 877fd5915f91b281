// SPDX-License-Identifier: GPL-2.0
/* Pages that KSM merged: mapped at addresses and offsets that have nothing in common. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "rows.h"

#define KSM	"/sys/kernel/mm/ksm/"
#define TOKEN	0x6000000ull
#define N	16ul

/* KSM at full speed; @sharing mappings may share one page. */
static void ksm_start(long sharing)
{
	need_ksm();
	kernel_write(KSM "run", "2");		/* nothing shared: the limit can be changed */
	kernel_write_number(KSM "max_page_sharing", sharing);
	kernel_write(KSM "smart_scan", "0");
	kernel_write(KSM "use_zero_pages", "0");
	kernel_write(KSM "merge_across_nodes", "1");
	kernel_write(KSM "pages_to_scan", "20000");
	kernel_write(KSM "sleep_millisecs", "5");
	kernel_write(KSM "run", "1");
}

/* Stops the scanning; what is merged stays merged. */
static void ksm_pause(void)
{
	kernel_write(KSM "run", "0");
}

static void ksm_stop(void)
{
	kernel_write(KSM "run", "2");
	kernel_write(KSM "pages_to_scan", "100");
	kernel_write(KSM "sleep_millisecs", "20");
	kernel_write(KSM "run", "0");
}

static void set_all(char *at, size_t pages, size_t stride, uint64_t token)
{
	size_t i;

	for (i = 0; i < pages; i++)
		page_set(at + i * stride * PG, token);
}

static void expect_all(char *at, size_t pages, size_t stride, uint64_t token)
{
	size_t i;

	for (i = 0; i < pages; i++)
		expect(at + i * stride * PG, 1, token);
}

/* Until all pages are the same KSM page. */
static void wait_until_merged(char *at, size_t pages, size_t stride, double seconds)
{
	double end = now() + seconds;
	size_t i;

	for (;;) {
		uint64_t pfn = pfn_of(at);

		for (i = 0; i < pages && pfn && pfn_of(at + i * stride * PG) == pfn; i++)
			;
		if (i == pages && kpageflags(pfn) & KPF_KSM)
			return;
		must(now() < end, "page %zu of %zu is not merged after %.0f s; pages_shared %ld, "
		     "pages_sharing %ld, full_scans %ld", i, pages, seconds,
		     kernel_number(KSM "pages_shared", -1), kernel_number(KSM "pages_sharing", -1),
		     kernel_number(KSM "full_scans", -1));
		nap(0.05);
	}
}

static void mergeable(void *at, size_t pages)
{
	must(!madvise(at, pages * PG, MADV_MERGEABLE), "MADV_MERGEABLE: %s", strerror(errno));
}

static void hold_merged(void *arg)
{
	expect_all(arg, N, 1, TOKEN);
	shared_add(0, 1);
	shared_wait(1, 1);
	expect_all(arg, N, 1, TOKEN);
	must_migrate(0, arg, 1);
	expect_all(arg, N, 1, TOKEN);
}

/*
 * R32. Merged pages are moved by mremap: their addresses are no longer what they were
 * when they were merged. Migration has to find each of them, or the page stays.
 */
static void r32_ksm_pages_after_mremap(void)
{
	ksm_start(256);
	do {
		char *at = map_anon_at(reserve(N), N), *far = reserve(N);
		pid_t pid;

		shared[0] = shared[1] = 0;
		set_all(at, N, 1, TOKEN);
		mergeable(at, N);
		wait_until_merged(at, N, 1, 60);
		ksm_pause();
		must_migrate(0, at, N);
		move(at, N, far);
		must_migrate(0, far, N);
		expect_all(far, N, 1, TOKEN);
		pid = spawn(hold_merged, far);
		shared_wait(0, 1);
		move(far, N / 2, at);
		must_migrate(0, at, 1);
		must_migrate(0, far + N / 2 * PG, N / 2);
		must_swap_out((pid_t []){ getpid(), pid }, 2, far + N / 2 * PG, N / 2);
		expect_all(at, N / 2, 1, TOKEN);
		expect_all(far + N / 2 * PG, N / 2, 1, TOKEN);
		shared_add(1, 1);
		reap(pid, 0);
		unmap(at, N / 2);
		unmap(far + N / 2 * PG, N / 2);
		ksm_start(256);
	} while (more());
	ksm_stop();
}

/* R32. KSM merges and unmerges pages of a mapping that is moved, split and forked meanwhile. */
static void r32_merging_against_moves(void)
{
	char *a = reserve(4 * N), *b = a + 2 * N * PG;
	struct pressure p = { .at = a, .pages = 4 * N, .kinds = MIGRATE | PAGEOUT | IDLE };
	unsigned long long rounds = 0, merged = 0;

	ksm_start(256);
	map_anon_at(a, N);
	set_all(a, N, 1, TOKEN);
	mergeable(a, N);
	pressure_start(&p);
	do {
		move(a, N, b);
		page_set(b + rounds % N * PG, 5);
		nap(0.01);
		merged += count_ksm(b, N);
		page_set(b + rounds % N * PG, TOKEN);
		protect(b + 4 * PG, 4, PROT_READ);
		expect_all(b, N, 1, TOKEN);
		protect(b + 4 * PG, 4, RW);
		move(b, N, a);
		expect_all(a, N, 1, TOKEN);
		rounds++;
	} while (more());
	pressure_stop(&p);
	note("%llu rounds, %llu times a page was met merged", rounds, merged);
	must_migrate(0, a, N);
	expect_all(a, N, 1, TOKEN);
	ksm_stop();
}

/* Migrates the one page that all map; returns VMA visits, or -1 where they are not counted. */
static long visits_of_a_migration(char *at, double *seconds)
{
	long visits = vmstat("anon_vma_visit");
	uint64_t pfn = pfn_of(at);
	double began = now();
	int tries;

	for (tries = 0; tries < 20 && pfn_of(at) == pfn; tries++) {
		began = now();
		visits = vmstat("anon_vma_visit");
		migrate_to(0, at, 1, !node_of(at));
	}
	*seconds = now() - began;
	must(pfn_of(at) != pfn, "the page is where it was: a mapping was missed, or it is held");
	return visits < 0 ? -1 : vmstat("anon_vma_visit") - visits;
}

/*
 * One VMA for each page, all of them from one mapping that was faulted first: in stock
 * Linux one anon_vma is behind them all.
 */
static double walk_of_one_page_in_many_vmas(size_t nr, long *visits)
{
	char *at = map_anon_at(reserve(2 * nr), 2 * nr);
	double seconds;
	size_t i;

	fill(at, 2 * nr, TOKEN);
	for (i = 1; i < 2 * nr; i += 2)
		protect(at + i * PG, 1, PROT_READ);
	must(nr_vmas(at, at + 2 * nr * PG) == 2 * nr, "%zu VMAs",
	     nr_vmas(at, at + 2 * nr * PG));
	set_all(at, nr, 2, TOKEN);
	for (i = 0; i < 2 * nr; i += 2)
		mergeable(at + i * PG, 1);
	wait_until_merged(at, nr, 2, 180);
	ksm_pause();
	*visits = visits_of_a_migration(at, &seconds);
	expect_all(at, nr, 2, TOKEN);
	unmap(at, 2 * nr);
	return seconds;
}

/*
 * R33. Many VMAs merge one page. The walk finds all of them (or the page could not move);
 * with the lazy topology it visits a handful of VMAs for each mapping that it finds.
 */
static void r33_ksm_walk_with_many_vmas(void)
{
	size_t nr = lazy_topology() ? very_many_vmas() : 1000;
	double few_seconds, seconds;
	long visits;

	need_two_nodes();
	ksm_start(1000000);
	few_seconds = walk_of_one_page_in_many_vmas(500, &visits);
	ksm_start(1000000);
	seconds = walk_of_one_page_in_many_vmas(nr, &visits);
	ksm_stop();
	note("500 VMAs: %.6f s; %zu VMAs: %.6f s, %ld visits", few_seconds, nr, seconds, visits);
	if (!lazy_topology())
		return;
	/* Two walks: one takes the mappings away, one puts them back. */
	if (visits >= 0)
		must(visits <= (long)(2 * 8 * nr), "%ld visits for %zu mappings", visits, nr);
	else
		must(seconds / (double)nr <= 8 * few_seconds / 500, "%.9f s a mapping, %.9f in 500",
		     seconds / (double)nr, few_seconds / 500);
}

static void fault_merged(void *arg)
{
	char *at = arg;

	shared_add(0, 1);
	shared_wait(1, 1);
	expect_all(at, N, 1, TOKEN);
	shared_add(2, 1);
	shared_wait(3, 1);
	expect_all(at, N, 1, TOKEN);
	page_set(at, getpid());
	must_be_found(at, 1);
	expect(at, 1, (uint64_t)getpid());
}

static void merge_and_fault(void *arg)
{
	set_all(arg, N, 1, TOKEN);
	mergeable(arg, N);
	fault_merged(arg);
}

/*
 * R36. Two siblings and their parent merge their pages; the KSM page is swapped out, and
 * each of them faults it at the same offset. Whoever owns it then, all are found.
 */
static void r36_swapped_ksm_page_faulted_by_siblings(void)
{
	need_swap();
	need_memory_reclaim();
	do {
		char *at = map_anon_at(reserve(N), N);
		pid_t pids[3] = { getpid() };
		int i;

		ksm_start(256);
		memset((void *)shared, 0, 4 * sizeof(*shared));
		set_all(at, N, 1, 1);
		for (i = 1; i < 3; i++)
			pids[i] = spawn(merge_and_fault, at);
		shared_wait(0, 2);
		set_all(at, N, 1, TOKEN);
		mergeable(at, N);
		wait_until_merged(at, N, 1, 60);
		nap(0.2);		/* the children's are in the next scan at the latest */
		ksm_pause();
		must_swap_out(pids, 3, at, N);
		shared_add(1, 1);
		shared_wait(2, 2);
		expect_all(at, N, 1, TOKEN);
		for (i = 0; i < 3; i++)
			must_migrate(pids[i], at, N);
		must_swap_out(pids, 3, at, N);
		shared_add(3, 1);
		expect_all(at, N, 1, TOKEN);
		for (i = 1; i < 3; i++)
			reap(pids[i], 0);
		unmap(at, N);
	} while (more());
	ksm_stop();
}

const struct ktest ksm_tests[] = {
	KTEST(r32_ksm_pages_after_mremap),
	KTEST(r32_merging_against_moves),
	KTEST(r33_ksm_walk_with_many_vmas),
	KTEST(r36_swapped_ksm_page_faulted_by_siblings),
	KTEST_END
};
