// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings that go away while folios, walks and migrations are still there:
 * munmap, MAP_FIXED over, brk, exec, exit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "lib/window.h"
#include "rows.h"

#define PIPES		8
#define PIPE_PAGES	256ul

/* Puts the pages into pipes, which hold on to them from now on. */
static void into_pipes(char *at, int (*pipes)[2])
{
	size_t i;
	int p;

	for (p = 0; p < PIPES; p++) {
		must(!pipe(pipes[p]), "pipe: %s", strerror(errno));
		must(fcntl(pipes[p][1], F_SETPIPE_SZ, PIPE_PAGES * PG) > 0, "F_SETPIPE_SZ: %s",
		     strerror(errno));
		for (i = 0; i < PIPE_PAGES; i++) {
			struct iovec v = { at + (p * PIPE_PAGES + i) * PG, PG };

			must(vmsplice(pipes[p][1], &v, 1, 0) == PG, "vmsplice: %s",
			     strerror(errno));
		}
	}
}

static void out_of_pipes(int (*pipes)[2], uint64_t token)
{
	static char page[PG] __attribute__((aligned(PG)));
	size_t i;
	int p;

	for (p = 0; p < PIPES; p++) {
		for (i = 0; i < PIPE_PAGES; i++) {
			must(read(pipes[p][0], page, PG) == PG, "read: %s", strerror(errno));
			must(page_is(page, token + p * PIPE_PAGES + i),
			     "page %zu of pipe %d is another one", i, p);
		}
		close(pipes[p][0]);
		close(pipes[p][1]);
	}
}

/*
 * R01. Every page has a VMA of its own (the protections alternate); pipes keep the
 * folios; then the VMAs go. A folio that kept its VMA alive would show in the number
 * of vm_area_structs; that they were there is checked too.
 */
static void r01_no_vma_outlives_its_mapping(void)
{
	const size_t pages = PIPES * PIPE_PAGES;
	long before = slab_active("vm_area_struct"), with, after = 0;
	int pipes[PIPES][2], tries;
	char *at = reserve(pages);
	size_t i;

	if (before < 0)
		skip("no /proc/slabinfo");
	map_anon_at(at, pages);
	fill(at, pages, 0x100000);
	into_pipes(at, pipes);
	for (i = 0; i < pages; i += 2)
		protect(at + i * PG, 1, PROT_READ);
	must(nr_vmas(at, at + pages * PG) == pages, "%zu VMAs", nr_vmas(at, at + pages * PG));
	with = slab_active("vm_area_struct");
	must(with > before + (long)pages * 3 / 4, "%ld VMAs before, %ld with", before, with);
	unmap(at, pages);
	for (tries = 0; tries < 50; tries++) {
		after = slab_active("vm_area_struct");
		if (after < before + (long)pages / 8)
			break;
		nap(0.1);		/* they wait for a grace period */
	}
	must(after < before + (long)pages / 8, "%ld VMAs before, %ld with, %ld after", before,
	     with, after);
	out_of_pipes(pipes, 0x100000);
}

static void keep_pages(void *arg)
{
	shared_add(0, 1);
	shared_wait(1, 1);
	expect(arg, 64, 0x200000);
	must_migrate(0, arg, 64);
	expect(arg, 64, 0x200000);
}

/*
 * R01. The VMA through which the folios were first mapped is split, moved, merged back
 * and unmapped while a child keeps the folios.
 */
static void r01_first_vma_goes_and_the_child_keeps_the_folios(void)
{
	char *away = reserve(64);

	do {
		char *at = map_anon_at(reserve(64), 64);
		pid_t pid;

		shared[0] = shared[1] = 0;
		fill(at, 64, 0x200000);
		pid = spawn(keep_pages, at);
		shared_wait(0, 1);
		protect(at + 16 * PG, 16, PROT_READ);
		move(at + 16 * PG, 16, away + 16 * PG);
		must_migrate(pid, at, 64);
		unmap(at, 16);
		protect(away + 16 * PG, 16, RW);
		must_migrate(pid, at, 64);
		unmap(away, 64);
		unmap(at, 64);
		must_migrate(pid, at, 64);
		shared_add(1, 1);
		reap(pid, 0);
	} while (more());
}

static void changes_under_pressure(unsigned int ops, unsigned int kinds, unsigned int threads)
{
	struct pressure p[4];
	struct window w;
	char *at = reserve(256);
	unsigned int i;

	window_init(&w, at, 256, ops, 1);
	for (i = 0; i < threads; i++) {
		p[i] = (struct pressure){ .at = at, .pages = 256, .kinds = kinds };
		pressure_start(&p[i]);
	}
	while (more())
		window_step(&w);
	for (i = 0; i < threads; i++)
		pressure_stop(&p[i]);
	for (i = 1; i < threads; i++)
		p[0].migrated += p[i].migrated;
	note("%llu operations, %llu pages migrated", (unsigned long long)w.steps,
	     (unsigned long long)p[0].migrated);
	must(!(p[0].kinds & MIGRATE) || p[0].migrated, "nothing was migrated");
	window_must_be_found(&w);
	window_exit(&w);
}

/*
 * R03. Migration in a loop against munmap, split, merge, mremap, fork and exit. A
 * migration entry that is left in a live VMA makes the access wait for ever (the time
 * limit finds it) and the check at the end find less than it must.
 */
static void r03_migration_against_every_change(void)
{
	changes_under_pressure(W_CHANGES | W_FORK, MIGRATE | IDLE, 2);
}

static void exec_or_exit(void *arg)
{
	char *at = arg;

	expect(at, 32, 0x300000);
	page_set(at, 5);
	if (getpid() & 1)
		execl("/bin/true", "true", NULL);
}

/* R03. Sharers of the pages exec and exit while the pages are migrated. */
static void r03_migration_against_exec_and_exit(void)
{
	char *at = map_anon_at(reserve(32), 32);
	struct pressure p = { .at = at, .pages = 32, .kinds = MIGRATE };
	pid_t pid[3];
	int i;

	fill(at, 32, 0x300000);
	pressure_start(&p);
	do {
		for (i = 0; i < 3; i++)
			pid[i] = spawn(exec_or_exit, at);
		for (i = 0; i < 3; i++)
			reap(pid[i], 0);
		expect(at, 32, 0x300000);
	} while (more());
	pressure_stop_and_check(&p);
	must_be_found(at, 32);
	expect(at, 32, 0x300000);
}

/*	[ 1 ][ 2 ][ 3 ]  ->  .....[ 2 ][ 3 ]  ->  [new][ 2 ][ 3 ]	R04 */
static void r04_newcomer_in_the_hole(void)
{
	char *at = reserve(48);

	do {
		map_anon_at(at, 48);
		fill(at, 48, 0x400000);
		protect(at + 16 * PG, 16, PROT_READ);
		unmap(at, 16);
		map_anon_at(at, 16);
		fill(at, 16, 0x500000);
		must_be_found(at, 48);
		expect(at, 16, 0x500000);
		expect(at + 16 * PG, 32, 0x400010);
		unmap(at, 48);
	} while (more());
}

#define STRIDE		512ul		/* pages: one page table for each page */
#define SPREAD		64ul

static void fill_spread_and_leave(void *arg)
{
	char *at = arg;
	size_t i;

	map_anon_at(at, SPREAD * STRIDE);
	madvise(at, SPREAD * STRIDE * PG, MADV_NOHUGEPAGE);
	for (i = 0; i < SPREAD; i++)
		page_set(at + i * STRIDE * PG, 0x600000 + i);
	shared_add(0, 1);
	shared_wait(1, 1);
	for (i = 0; i < SPREAD; i++)
		expect(at + i * STRIDE * PG, 1, 0x600000 + i);
	if (getpid() & 1)
		pause();
}

static size_t migrate_spread(pid_t pid, char *at, int node)
{
	size_t i, moved = 0;

	for (i = 0; i < SPREAD; i += 4)
		moved += migrate_to(pid, at + i * STRIDE * PG, 1, node);
	return moved;
}

/*
 * R09. Processes exit, or are killed, while their pages are migrated: every page has a
 * page table of its own, which exit frees behind the walk.
 */
static void r09_exit_against_migration(void)
{
	char *at = reserve(SPREAD * STRIDE);
	size_t moved = 0, rounds = 0;
	struct rnd r;
	pid_t pid;

	need_two_nodes();
	rnd_init(&r, 9);
	do {
		shared[0] = shared[1] = 0;
		pid = spawn(fill_spread_and_leave, at);
		shared_wait(0, 1);
		moved += migrate_spread(pid, at, 0);
		shared_add(1, 1);
		nap((double)rnd_below(&r, 3) / 1000);
		if (pid & 1)
			kill(pid, SIGKILL);
		migrate_spread(pid, at, 1);
		migrate_spread(pid, at, 0);
		reap(pid, SIGKILL);
		rounds++;
	} while (more());
	must(moved, "nothing was migrated in %zu rounds", rounds);
}

static void last_sharer(void *arg)
{
	shared_add(1, 1);
	shared_wait(2, 1);
	expect(arg, 32, 0x700000);
	unmap(arg, 16);			/* the last VMAs of the folios' owner: by munmap ... */
	_exit(KTEST_OK);		/* ... and by exit */
}

/* Not spawn(): what that makes dies with its parent. */
static void middle_of_the_tree(void *arg)
{
	pid_t last = fork();

	must(last >= 0, "fork: %s", strerror(errno));
	if (!last)
		last_sharer(arg);
	shared[3] = (uint64_t)last;
	shared_wait(1, 1);
}

/*
 * R29. Three generations share pages; the first unmaps them and the second exits, so
 * that the folios' owner has nothing but the last one's VMA, which goes while its pages
 * are unmapped for migration.
 */
static void r29_last_vma_goes_during_migration(void)
{
	size_t moved = 0;
	char *at = reserve(32);

	need_two_nodes();
	prctl(PR_SET_CHILD_SUBREAPER, 1);	/* the orphan becomes this process's child */
	do {
		pid_t last;
		int i, status = 0;

		memset((void *)shared, 0, 4 * sizeof(*shared));
		map_anon_at(at, 32);
		fill(at, 32, 0x700000);
		reap(spawn(middle_of_the_tree, at), 0);
		last = (pid_t)shared[3];
		unmap(at, 32);
		moved += migrate_to(last, at, 32, 1);
		shared_add(2, 1);
		for (i = 0; !waitpid(last, &status, WNOHANG); i++)
			migrate_to(last, at, 32, i & 1);
		must(!status, "the last sharer failed");
	} while (more());
	must(moved, "nothing was migrated");
}

static void map_touch_unmap(char *at, uint64_t token, unsigned int form)
{
	if (form == 0) {
		unmap(at, 64);
		map_anon_at(at, 64);
	} else if (form == 1) {
		map_anon_at(at + 8 * PG, 40);
		fill(at + 8 * PG, 40, 0);
	} else {
		protect(at + 20 * PG, 20, PROT_READ);
		map_anon_at(at, 64);
	}
	fill(at, 64, token);
	expect(at, 64, token);
}

/*
 * R39. One thread maps, touches and unmaps; two others migrate the pages. The zap must
 * not meet a migration entry whose page was unlocked: the kernel stops there.
 */
static void r39_zap_against_migration(void)
{
	char *at = map_anon_at(reserve(64), 64);
	struct pressure p = { .at = at, .pages = 64, .kinds = MIGRATE };
	struct pressure q = p;
	uint64_t token = 0x800000;
	unsigned int form = 0;

	fill(at, 64, 1);
	pressure_start(&p);
	pressure_start(&q);
	do
		map_touch_unmap(at, token += 64, form++ % 3);
	while (more());
	pressure_stop(&q);
	pressure_stop_and_check(&p);
	must_be_found(at, 64);
	expect(at, 64, token);
}

/* R39. The same with the heap: brk grows, is touched and shrinks. No malloc() meanwhile. */
static void r39_brk_against_migration(void)
{
	char *end = (char *)(((uintptr_t)sbrk(0) + PG - 1) & ~(PG - 1));
	struct pressure p = { .at = end, .pages = 48, .kinds = MIGRATE };
	struct pressure q = p;
	uint64_t token = 0x900000;

	syscall(SYS_brk, end + 48 * PG);
	fill(end, 48, token);
	pressure_start(&p);
	pressure_start(&q);
	do {
		must(syscall(SYS_brk, end + 8 * PG) == (long)(end + 8 * PG), "brk, shrinking");
		expect(end, 8, token);
		must(syscall(SYS_brk, end + 48 * PG) == (long)(end + 48 * PG), "brk, growing");
		expect_zero(end + 8 * PG, 40);
		fill(end, 48, token += 48);
		expect(end, 48, token);
	} while (more());
	pressure_stop(&q);
	pressure_stop_and_check(&p);
	must_be_found(end, 48);
	expect(end, 48, token);
	syscall(SYS_brk, end);
}

/*
 * R43. 20,000 VMAs leave in one munmap while other pages of the process are migrated:
 * the walks find those pages, and step over the leaving VMAs in a handful of steps.
 */
static void r43_many_vmas_unmapped_at_once(void)
{
	const size_t nr = very_many_vmas();
	char *many = reserve(nr), *few = map_anon_at(reserve(32), 32);
	struct pressure p = { .at = few, .pages = 32, .kinds = MIGRATE };
	long visits = vmstat("anon_vma_visit"), made;
	size_t i;

	fill(few, 32, 0xa00000);
	do {
		map_anon_at(many, nr);
		fill(many, nr, 0xb00000);
		for (i = 0; i < nr; i += 2)
			protect(many + i * PG, 1, PROT_READ);
		must(nr_vmas(many, many + nr * PG) == nr, "%zu VMAs",
		     nr_vmas(many, many + nr * PG));
		made = vmstat("anon_vma_visit");
		p.migrated = 0;
		pressure_start(&p);
		nap(0.05);
		unmap(many, nr);
		pressure_stop(&p);
		made = vmstat("anon_vma_visit") - made;
		/* A migration is two walks; reclaim and compaction elsewhere make some too. */
		if (visits >= 0 && lazy_topology() && p.migrated)
			must(made <= (long)(16 * p.migrated + 10000),
			     "%ld visits for %llu migrated pages", made,
			     (unsigned long long)p.migrated);
		expect(few, 32, 0xa00000);
	} while (more());
	must_be_found(few, 32);
	expect(few, 32, 0xa00000);
}

const struct ktest unmap_tests[] = {
	KTEST(r01_no_vma_outlives_its_mapping),
	KTEST(r01_first_vma_goes_and_the_child_keeps_the_folios),
	KTEST(r03_migration_against_every_change),
	KTEST(r03_migration_against_exec_and_exit),
	KTEST(r04_newcomer_in_the_hole),
	KTEST(r09_exit_against_migration),
	KTEST(r29_last_vma_goes_during_migration),
	KTEST(r39_zap_against_migration),
	KTEST(r39_brk_against_migration),
	KTEST(r43_many_vmas_unmapped_at_once),
	KTEST_END
};
