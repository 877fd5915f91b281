// SPDX-License-Identifier: GPL-2.0
/* Fork against walks: who shares a page is found, whenever it came to share it. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "lib/window.h"
#include "rows.h"

#define SHARED_PAGES	64ul
#define TOKEN		0x1000000ull

/* Words that the processes of a family share. */
enum { READY, GO, TURN, DONE };

static void check_in_the_child(void *arg)
{
	expect(arg, SHARED_PAGES, TOKEN);
}

/* R07. Fork in a loop against migration, reclaim and idle tracking of the same pages. */
static void r07_fork_against_walks(void)
{
	char *at = map_anon_at(reserve(SHARED_PAGES), SHARED_PAGES);
	struct pressure p = { .at = at, .pages = SHARED_PAGES,
				     .kinds = MIGRATE | PAGEOUT | RECLAIM | IDLE };
	struct pressure q = p;
	pid_t pid[2];

	fill(at, SHARED_PAGES, TOKEN);
	q.kinds = MIGRATE;
	pressure_start(&p);
	pressure_start(&q);
	do {
		pid[0] = spawn(check_in_the_child, at);
		pid[1] = spawn(check_in_the_child, at);
		reap(pid[0], 0);
		reap(pid[1], 0);
		expect(at, SHARED_PAGES, TOKEN);
	} while (more());
	pressure_stop(&q);
	p.migrated += q.migrated;
	pressure_stop_and_check(&p);
	must_be_found(at, SHARED_PAGES);
	expect(at, SHARED_PAGES, TOKEN);
}

/* Children of children, each beginning with what its parent's window holds by then. */
static void r07_trees_of_changing_processes(void)
{
	char *at = reserve(128);
	struct pressure p = { .at = at, .pages = 128,
				     .kinds = MIGRATE | PAGEOUT | RECLAIM | IDLE };
	struct window w;

	window_init(&w, at, 128, W_MAP | W_WRITE | W_FORK | W_PROTECT | W_CHECK, 7);
	pressure_start(&p);
	while (more())
		window_step(&w);
	pressure_stop(&p);
	window_must_be_found(&w);
	window_exit(&w);
}

struct family {
	char *at;
	pid_t pids[6];		/* the first is the caller itself */
	unsigned int nr;
	unsigned int me;
};

/*
 * A member that does nothing until it is its turn, then reads its pages and waits to be
 * told to go. Turn n + 1 belongs to member n.
 */
static void member(void *arg)
{
	struct family *f = arg;

	shared_add(READY, 1);
	while (shared[TURN] != f->me + 1u && !shared[GO])
		nap(0.0005);
	expect(f->at, SHARED_PAGES, TOKEN);
	shared_add(DONE, 1);
	shared_wait(GO, 1);
	expect(f->at, SHARED_PAGES, TOKEN);
}

/* A chain of forks: each member is the child of the one before. */
static void member_with_children(void *arg)
{
	struct family *f = arg;

	if (f->me + 1 < f->nr) {
		f->me++;
		shared[16 + f->me] = (uint64_t)spawn(member_with_children, f);
		f->me--;
	}
	member(f);
	if (f->me + 1 < f->nr)
		reap((pid_t)shared[16 + f->me + 1], 0);
}

static void family_start(struct family *f, char *at, unsigned int nr, bool deep)
{
	unsigned int i;

	memset((void *)shared, 0, 64 * sizeof(*shared));
	f->at = at;
	f->nr = nr;
	f->pids[0] = getpid();
	for (i = 1; i < nr; i++) {
		f->me = i;
		if (deep && i > 1)
			break;
		shared[16 + i] = (uint64_t)spawn(deep ? member_with_children : member, f);
	}
	shared_wait(READY, nr - 1);
	for (i = 1; i < nr; i++)
		f->pids[i] = (pid_t)shared[16 + i];
	f->me = 0;
}

static void family_read_in_turns(struct family *f, struct rnd *r)
{
	unsigned int first = (unsigned int)rnd_below(r, f->nr), i;

	for (i = 0; i < f->nr; i++) {
		unsigned int who = (first + i * 5) % f->nr;	/* 5 and 6, 5 and 4 are coprime */

		if (!who) {
			expect(f->at, SHARED_PAGES, TOKEN);
			shared_add(DONE, 1);
		} else {
			shared[TURN] = who + 1;
		}
		shared_wait(DONE, i + 1);
	}
}

static void family_end(struct family *f, bool deep)
{
	unsigned int i;

	shared_add(GO, 1);
	for (i = 1; i < f->nr && (!deep || i < 2); i++)
		reap(f->pids[i], 0);
}

/*
 * R07, R17. A family shares pages, as siblings or as a chain of forks. All of its
 * mappings are found by migration and by reclaim; then they come back from swap in any
 * order of the members, and are found again.
 */
static void family_under_pressure(bool deep, bool swapped_before)
{
	struct family f;
	struct rnd r;
	pid_t self = getpid();

	need_swap();
	need_memory_reclaim();
	rnd_init(&r, 17 + deep);
	do {
		char *at = map_anon_at(reserve(SHARED_PAGES), SHARED_PAGES);

		fill(at, SHARED_PAGES, TOKEN);
		if (swapped_before)
			must_swap_out(&self, 1, at, SHARED_PAGES);
		family_start(&f, at, rnd(&r) & 1 ? 6 : 4, deep);
		if (!swapped_before)
			must_migrate(0, at, SHARED_PAGES);
		must_swap_out(f.pids, f.nr, at, SHARED_PAGES);
		family_read_in_turns(&f, &r);
		must_migrate(0, at, SHARED_PAGES);
		must_swap_out(f.pids, f.nr, at, SHARED_PAGES);
		family_end(&f, deep);
		expect(at, SHARED_PAGES, TOKEN);
		must_be_found(at, SHARED_PAGES);
		unmap(at, SHARED_PAGES);
	} while (more());
}

static void r07_siblings_are_all_found(void)
{
	family_under_pressure(false, false);
}

static void r07_generations_are_all_found(void)
{
	family_under_pressure(true, false);
}

static void r17_siblings_share_swapped_pages(void)
{
	family_under_pressure(false, true);
}

static void r17_generations_share_swapped_pages(void)
{
	family_under_pressure(true, true);
}

static void read_and_leave(void *arg)
{
	char *at = arg;
	size_t i = (size_t)getpid() % SHARED_PAGES, n;

	for (n = 0; n < SHARED_PAGES; n++, i = (i + 1) % SHARED_PAGES)
		expect(at + i * PG, 1, TOKEN + i);
	if (getpid() & 1)
		fill(at, SHARED_PAGES / 2, 1);
	else
		unmap(at, SHARED_PAGES / 2);
}

/*
 * R17. Fork and exit while pages are in the swap cache, under migration or in swap:
 * nothing is quiet here, every state is met sooner or later.
 */
static void r17_fork_and_exit_meet_every_state(void)
{
	char *at = map_anon_at(reserve(SHARED_PAGES), SHARED_PAGES);
	struct pressure p = { .at = at, .pages = SHARED_PAGES,
				     .kinds = MIGRATE | PAGEOUT | RECLAIM };
	struct pressure q = p;
	pid_t pid[4];
	int i;

	need_swap();
	fill(at, SHARED_PAGES, TOKEN);
	pressure_start(&p);
	pressure_start(&q);
	do {
		for (i = 0; i < 4; i++)
			pid[i] = spawn(read_and_leave, at);
		for (i = 0; i < 4; i++)
			reap(pid[i], 0);
	} while (more());
	pressure_stop(&p);
	pressure_stop(&q);
	expect(at, SHARED_PAGES, TOKEN);
	must_be_found(at, SHARED_PAGES);
	expect(at, SHARED_PAGES, TOKEN);
}

#define FORK_PAGES	2048ul

static void check_all(void *arg)
{
	char *at = arg;

	expect(at, FORK_PAGES, TOKEN);
	must_migrate(0, at, 8);
	expect(at, 8, TOKEN);
}

/*
 * R42. Migrations begin and end while a fork copies the page tables: the pages are so
 * many that it takes a while. Small pages and huge ones, and two threads that migrate the
 * same folios again and again.
 */
static void fork_during_migration(char *at, bool huge)
{
	struct pressure p = { .at = at, .pages = FORK_PAGES, .kinds = MIGRATE };
	struct pressure q = p;
	unsigned long long forks = 0;
	pid_t pid;

	need_two_nodes();
	if (huge) {
		p.kinds |= SPLIT;
		p.pages = q.pages = FORK_PAGES / 2;
	}
	fill(at, FORK_PAGES, TOKEN);
	pressure_start(&p);
	pressure_start(&q);
	do {
		pid = spawn(check_all, at);
		reap(pid, 0);
		forks++;
		if (huge && !(forks % 8))
			madvise(at, FORK_PAGES * PG, 25 /* MADV_COLLAPSE */);
	} while (more());
	pressure_stop(&q);
	pressure_stop_and_check(&p);
	note("%llu forks, %llu pages migrated", forks, (unsigned long long)p.migrated);
	expect(at, FORK_PAGES, TOKEN);
	must_migrate(0, at, FORK_PAGES);
	expect(at, FORK_PAGES, TOKEN);
}

static void r42_fork_copies_migration_entries(void)
{
	fork_during_migration(map_anon_at(reserve(FORK_PAGES), FORK_PAGES), false);
}

static void r42_fork_copies_huge_migration_entries(void)
{
	fork_during_migration(map_huge(FORK_PAGES / HUGE_PAGES), true);
}

#define VICTIM_VMAS	2000ul
#define VICTIM_PAGES	64ul

/* Forks for ever; the fork under way when SIGKILL comes stops among the VMAs. */
static void fork_until_killed(void *arg)
{
	pid_t pid;

	fill(arg, VICTIM_PAGES, TOKEN);		/* some pages of its own */
	shared_add(READY, 1);
	for (;;) {
		pid = fork();
		if (!pid)
			_exit(KTEST_OK);
		must(pid > 0, "fork: %s", strerror(errno));
		must(waitpid(pid, NULL, 0) == pid, "waitpid: %s", strerror(errno));
	}
}

/*
 * R31. A fatal signal stops dup_mmap() half way: the half-made child has to be gone
 * without a trace, while walks were free to look into it.
 */
static void r31_fork_is_killed_midway(void)
{
	char *at = map_anon_at(reserve(VICTIM_VMAS), VICTIM_VMAS);
	char *mine = map_anon_at(reserve(64), 64);
	unsigned long long rounds = 0, moved = 0;
	struct rnd r;
	size_t i;

	need_two_nodes();
	rnd_init(&r, 31);
	fill(mine, 64, TOKEN);
	fill(at, VICTIM_VMAS, TOKEN);
	for (i = VICTIM_PAGES; i < VICTIM_VMAS; i += 2)
		protect(at + i * PG, 1, PROT_READ);
	do {
		pid_t pid;
		int node;

		shared[READY] = 0;
		pid = spawn(fork_until_killed, at);
		shared_wait(READY, 1);
		for (node = 0; node < 2; node++) {
			/* The victim's own, and mine, which are the children's too. */
			moved += migrate_to(pid, at, VICTIM_PAGES, node);
			moved += migrate_to(0, mine, 64, node);
			pageout(pid, at, VICTIM_PAGES / 2);
		}
		nap((double)rnd_below(&r, 20000) / 1e6);
		kill(pid, SIGKILL);
		migrate_to(0, mine, 64, (int)(rounds & 1));
		reap(pid, SIGKILL);
		expect(mine, 64, TOKEN);
		rounds++;
	} while (more());
	note("%llu killed, %llu pages migrated", rounds, moved);
	must(moved, "nothing was migrated");
	must_be_found(mine, 64);
	expect(mine, 64, TOKEN);
	must_be_found(at, VICTIM_PAGES);
	expect(at, VICTIM_VMAS, TOKEN);
}

const struct ktest fork_tests[] = {
	KTEST(r07_fork_against_walks),
	KTEST(r07_trees_of_changing_processes),
	KTEST(r07_siblings_are_all_found),
	KTEST(r07_generations_are_all_found),
	KTEST(r17_siblings_share_swapped_pages),
	KTEST(r17_generations_share_swapped_pages),
	KTEST(r17_fork_and_exit_meet_every_state),
	KTEST(r31_fork_is_killed_midway),
	KTEST(r42_fork_copies_migration_entries),
	KTEST(r42_fork_copies_huge_migration_entries),
	KTEST_END
};
