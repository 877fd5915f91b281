// SPDX-License-Identifier: GPL-2.0
/* Several threads of one process, and walks that are stopped half way. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "lib/window.h"
#include "rows.h"

#define THREADS		4
#define N		64ul

struct worker {
	pthread_t thread;
	struct window window;
};

static bool stop;

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		window_step(&w->window);
	return NULL;
}

static void workers_start(struct worker *w, unsigned int nr, char *at, unsigned int ops)
{
	unsigned int i;

	stop = false;
	for (i = 0; i < nr; i++) {
		window_init(&w[i].window, at + i * N * PG, N, ops, 19 + i);
		must(!pthread_create(&w[i].thread, NULL, work, &w[i]), "pthread_create");
	}
}

static void workers_stop(struct worker *w, unsigned int nr)
{
	unsigned int i;

	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < nr; i++)
		pthread_join(w[i].thread, NULL);
}

static bool all_got_on(const struct worker *w, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (__atomic_load_n(&w[i].window.steps, __ATOMIC_RELAXED) < 10)
			return false;
	return true;
}

static void threads_against_walks(unsigned int ops)
{
	char *at = reserve(THREADS * N);
	struct pressure p = { .at = at, .pages = THREADS * N,
				     .kinds = MIGRATE | PAGEOUT | IDLE };
	struct pressure q = { .at = at, .pages = THREADS * N, .kinds = MIGRATE };
	struct worker w[THREADS];
	unsigned int i;

	workers_start(w, THREADS, at, ops);
	pressure_start(&p);
	pressure_start(&q);
	/* Nobody is locked out: a worker that starves runs into the time limit. */
	while (more() || !all_got_on(w, THREADS))
		nap(0.01);
	workers_stop(w, THREADS);
	pressure_stop(&q);
	p.migrated += q.migrated;
	pressure_stop_and_check(&p);
	for (i = 0; i < THREADS; i++)
		note("worker %u: %llu operations", i, (unsigned long long)w[i].window.steps);
	for (i = 0; i < THREADS; i++)
		window_must_be_found(&w[i].window);
	for (i = 0; i < THREADS; i++)
		window_exit(&w[i].window);
}

/*
 * R19. Four threads of one process change neighbouring windows, whose VMAs merge and
 * split across the borders, while reclaim and migration walk all of them: what each
 * does happens in its order, and each gets on. (How fast is the benchmark's business.)
 */
static void r19_four_threads_against_walks(void)
{
	threads_against_walks(W_CHANGES);
}

/* R19. The same with nothing but the three calls that write-lock what walks read-lock. */
static void r19_protect_unmap_move_by_four_threads(void)
{
	threads_against_walks(W_MAP | W_PROTECT | W_UNMAP | W_MOVE | W_WRITE | W_CHECK);
}

static void realtime(void)
{
	struct sched_param param = { .sched_priority = 10 };

	must(!sched_setscheduler(0, SCHED_FIFO, &param), "SCHED_FIFO: %s", strerror(errno));
}

static void on_cpu(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	must(!sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity: %s", strerror(errno));
}

static void change_with_pauses(void *arg)
{
	struct window w;
	unsigned int i;

	on_cpu(0);
	realtime();
	window_init(&w, arg, N, W_CHANGES, (uint64_t)getpid());
	for (i = 0; i < 60; i++) {
		window_step(&w);
		nap(0.0002);		/* the walker, of low priority, gets on a little */
	}
	if (getpid() % 3 == 0)
		execl("/bin/true", "true", NULL);
	if (getpid() % 3 == 1)
		window_exit(&w);
	else
		window_check(&w);
}

/*
 * R02. A walker and the processes whose pages it walks share one CPU; these have real-time
 * priority and short pauses, so that they stop the walker anywhere, unmap, exec or exit,
 * and let it go on. What it stood on has to be there still: KASAN and lockdep look.
 */
static void r02_walk_is_preempted_by_unmap_exec_exit(void)
{
	char *at = reserve(N);
	struct pressure p = { .at = at, .pages = N, .kinds = MIGRATE | PAGEOUT | IDLE,
				     .cpu = 1 };
	unsigned long long rounds = 0, migrated = 0;
	pid_t pid;

	do {
		pid = spawn(change_with_pauses, at);
		p.pid = pid;
		p.migrated = 0;
		pressure_start(&p);
		reap(pid, 0);
		pressure_stop(&p);
		migrated += p.migrated;
		rounds++;
	} while (more());
	note("%llu processes, %llu pages migrated", rounds, migrated);
	must(!(p.kinds & MIGRATE) || migrated, "nothing was migrated");
}

const struct ktest thread_tests[] = {
	KTEST(r02_walk_is_preempted_by_unmap_exec_exit),
	KTEST(r19_four_threads_against_walks),
	KTEST(r19_protect_unmap_move_by_four_threads),
	KTEST_END
};
