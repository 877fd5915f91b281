// SPDX-License-Identifier: GPL-2.0
/* Folios of many pages: over several VMAs, split, collapsed, unmapped in part. */
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

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#define TOKEN		0x5000000ull
#define THP_DIR		"/sys/kernel/mm/transparent_hugepage/"

/* A huge page, filled. Memory may be in pieces: a few tries. */
static char *huge_page(void)
{
	char *at;
	int tries;

	need_file(THP_DIR "enabled");
	for (tries = 0; tries < 10; tries++) {
		at = map_huge(1);
		fill(at, HUGE_PAGES, TOKEN);
		if (is_huge(at))
			return at;
		madvise(at, HUGE_SIZE, MADV_COLLAPSE);
		if (is_huge(at))
			return at;
		unmap(at, HUGE_PAGES);
		kernel_write("/proc/sys/vm/compact_memory", "1");
	}
	must(false, "no huge page to be had");
	return NULL;
}

struct touched {
	char *at;
	size_t pages;
};

static void touch(void *arg)
{
	struct touched *t = arg;
	size_t i;

	for (i = 0; i < t->pages; i++)
		page_get(t->at + i * PG);
}

static void check_huge(void *arg)
{
	expect(arg, HUGE_PAGES, TOKEN);
}

/*
 *	[          one folio          ]
 *	[ RW ][      R      ][   RW   ]		R05
 *
 * The folio stays whole, and a walk has to visit all three VMAs.
 */
static void r05_huge_page_over_three_vmas(void)
{
	do {
		char *at = huge_page();
		struct touched last = { at + 511 * PG, 1 }, middle = { at + 200 * PG, 1 };
		pid_t pid;

		protect(at + 100 * PG, 200, PROT_READ);
		must(nr_vmas(at, at + HUGE_SIZE) == 3, "%zu VMAs", nr_vmas(at, at + HUGE_SIZE));
		must(is_compound(at) && is_compound(at + 150 * PG), "mprotect split the folio");
		must_be_seen_young(at, 1, touch, &last);
		must_be_seen_young(at, 1, touch, &middle);
		must_migrate(0, at, HUGE_PAGES);
		pid = spawn(check_huge, at);
		must_migrate(0, at, HUGE_PAGES);
		reap(pid, 0);
		must_be_found(at, HUGE_PAGES);
		expect(at, HUGE_PAGES, TOKEN);
		unmap(at, HUGE_PAGES);
	} while (more());
}

#define SMALL_THP	THP_DIR "hugepages-64kB/enabled"

/* R05. A folio of 64 KiB: sixteen pages, the middle eight with another protection. */
static void r05_64k_folio_over_three_vmas(void)
{
	char *at = reserve(HUGE_PAGES);

	need_file(SMALL_THP);
	kernel_write(SMALL_THP, "madvise");
	do {
		struct touched last = { at + 15 * PG, 1 };

		map_anon_at(at, 16);
		must(!madvise(at, 16 * PG, MADV_HUGEPAGE), "MADV_HUGEPAGE: %s", strerror(errno));
		fill(at, 16, TOKEN);
		must(is_compound(at) && pfn_of(at + 15 * PG) == pfn_of(at) + 15,
		     "no folio of 64 KiB");
		protect(at + 4 * PG, 8, PROT_READ);
		must(nr_vmas(at, at + 16 * PG) == 3, "%zu VMAs", nr_vmas(at, at + 16 * PG));
		must_be_seen_young(at, 1, touch, &last);
		must_be_found(at, 16);
		expect(at, 16, TOKEN);
		unmap(at, 16);
	} while (more());
	kernel_write(SMALL_THP, "never");
}

static void change_huge(char *at, struct rnd *r)
{
	size_t first = rnd_below(r, HUGE_PAGES - 64), n = 1 + rnd_below(r, 64);
	char *far = reserve(HUGE_PAGES);
	pid_t pid;

	switch (rnd_below(r, 5)) {
	case 0:						/* partial unmap */
		unmap(at + first * PG, n);
		map_anon_at(at + first * PG, n);
		fill(at + first * PG, n, TOKEN + first);
		break;
	case 1:
		must(!madvise(at + first * PG, n * PG, MADV_DONTNEED), "MADV_DONTNEED");
		expect_zero(at + first * PG, n);
		fill(at + first * PG, n, TOKEN + first);
		break;
	case 2:						/* PTEs instead of a PMD, other VMAs */
		protect(at + first * PG, n, PROT_READ);
		expect(at + first * PG, n, TOKEN + first);
		protect(at + first * PG, n, RW);
		break;
	case 3:						/* a part is displaced, and comes back */
		if (mremap(at + first * PG, n * PG, n * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
			   far + first * PG) == MAP_FAILED) {
			/* More than one VMA: not all merged again after a fork. */
			must(errno == EFAULT, "mremap: %s", strerror(errno));
			break;
		}
		expect(far + first * PG, n, TOKEN + first);
		move(far + first * PG, n, at + first * PG);
		break;
	default:
		pid = spawn(check_huge, at);
		fill(at + first * PG, n, TOKEN + first);
		reap(pid, 0);
	}
}

/*
 * R10. Huge pages are split (by debugfs, by reclaim, by partial unmap), collapsed and
 * moved in part, against migration, reclaim and idle tracking.
 */
static void r10_split_and_collapse_against_walks(void)
{
	char *at = huge_page();
	struct pressure p = { .at = at, .pages = HUGE_PAGES,
				     .kinds = MIGRATE | PAGEOUT | IDLE | SPLIT };
	struct pressure q = { .at = at, .pages = HUGE_PAGES, .kinds = MIGRATE | SPLIT };
	unsigned long long rounds = 0, collapsed = 0;
	struct rnd r;

	rnd_init(&r, 10);
	pressure_start(&p);
	pressure_start(&q);
	do {
		change_huge(at, &r);
		if (!(rounds++ % 4)) {
			madvise(at, HUGE_SIZE, MADV_HUGEPAGE);
			collapsed += !madvise(at, HUGE_SIZE, MADV_COLLAPSE);
		}
		if (!(rounds % 16))
			expect(at, HUGE_PAGES, TOKEN);
	} while (more());
	pressure_stop(&q);
	p.migrated += q.migrated;
	pressure_stop_and_check(&p);
	note("%llu changes, %llu collapsed, %llu pages migrated", rounds, collapsed,
	     (unsigned long long)p.migrated);
	expect(at, HUGE_PAGES, TOKEN);
	must_be_found(at, HUGE_PAGES);
	expect(at, HUGE_PAGES, TOKEN);
}

static void hold_huge(void *arg)
{
	char *at = arg;

	expect(at, HUGE_PAGES, TOKEN);
	shared_add(0, 1);
	shared_wait(1, 1);
	expect(at, HUGE_PAGES, TOKEN);
	must_migrate(0, at, HUGE_PAGES);
}

/* R10. A huge page that three processes share is split; each small page is found in all. */
static void r10_split_of_a_shared_huge_page(void)
{
	need_file("/sys/kernel/debug/split_huge_pages");
	do {
		char *at = huge_page(), text[100];
		pid_t pids[3] = { getpid() };
		int tries;

		shared[0] = shared[1] = 0;
		pids[1] = spawn(hold_huge, at);
		pids[2] = spawn(hold_huge, at);
		shared_wait(0, 2);
		must_migrate(0, at, HUGE_PAGES);
		snprintf(text, sizeof(text), "%d,%#lx,%#lx", getpid(), (unsigned long)at,
			 (unsigned long)at + HUGE_SIZE);
		for (tries = 0; tries < 50 && is_compound(at); tries++) {
			kernel_write("/sys/kernel/debug/split_huge_pages", text);
			nap(0.002 * tries);
		}
		must(!is_compound(at), "not split: a mapping was missed, or the page is held");
		must_migrate(0, at, HUGE_PAGES);
		must_swap_out(pids, 3, at, HUGE_PAGES);
		expect(at, HUGE_PAGES, TOKEN);
		shared_add(1, 1);
		reap(pids[1], 0);
		reap(pids[2], 0);
		unmap(at, HUGE_PAGES);
	} while (more());
}

const struct ktest huge_tests[] = {
	KTEST(r05_huge_page_over_three_vmas),
	KTEST(r05_64k_folio_over_three_vmas),
	KTEST(r10_split_and_collapse_against_walks),
	KTEST(r10_split_of_a_shared_huge_page),
	KTEST_END
};
