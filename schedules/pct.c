// SPDX-License-Identifier: GPL-2.0
/*
 * Schedules at random: priorities that change a few times
 *
 * After Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding
 * Bugs" (ASPLOS 2010): of those who can go on, the one with the highest priority does. At
 * some accesses, chosen by lot, the one who is about to make it falls to the bottom. A bug
 * that needs d such changes is found with a probability of at least 1 / (n * k^d) for n
 * threads and k accesses, however the schedule looks elsewhere.
 */
#include "engine.h"

#define MAX_CHANGES	16

static struct {
	uint64_t random;
	int priority[SCHEDULE_THREADS];	/* the higher the sooner */
	int lowest;
	uint64_t change_at[MAX_CHANGES];
	unsigned int nr_changes;
	uint64_t step, length;		/* of this run; of the longest so far */
} now;

/* splitmix64 */
static uint64_t random_below(uint64_t n)
{
	uint64_t z = now.random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % n;
}

static unsigned int highest(unsigned int threads)
{
	unsigned int t, best = SCHEDULE_THREADS;

	for (t = 0; t < SCHEDULE_THREADS; t++)
		if (threads >> t & 1 &&
		    (best == SCHEDULE_THREADS || now.priority[t] > now.priority[best]))
			best = t;
	return best;
}

static unsigned int pct_choose(unsigned int thread, const struct kshim_sched_access *access,
			       unsigned int ready)
{
	unsigned int i;

	(void)access;
	for (i = 0; i < now.nr_changes; i++)
		if (now.change_at[i] == now.step) {
			now.priority[thread] = --now.lowest;
			now.change_at[i] = UINT64_MAX;	/* not for the next one as well */
		}
	return highest(ready);
}

static unsigned int pct_change(unsigned int thread, enum kshim_sched_stop why,
			       unsigned int ready, unsigned int fair)
{
	(void)ready;
	/* Whoever polls for another one must not be in its way. */
	if (why == KSHIM_SCHED_YIELDED)
		now.priority[thread] = --now.lowest;
	return highest(fair);
}

static void pct_access(unsigned int thread, const struct kshim_sched_access *access)
{
	(void)thread;
	(void)access;
	now.step++;
}

static void pct_freed(unsigned int thread, const void *addr, size_t size)
{
	(void)thread;
	(void)addr;
	(void)size;
}

static void draw(unsigned int changes)
{
	unsigned int t, other;
	int swap;

	for (t = 0; t < SCHEDULE_THREADS; t++)
		now.priority[t] = t;
	for (t = SCHEDULE_THREADS - 1; t; t--) {
		other = random_below(t + 1);
		swap = now.priority[t];
		now.priority[t] = now.priority[other];
		now.priority[other] = swap;
	}
	now.lowest = 0;
	now.nr_changes = changes;
	for (t = 0; t < changes; t++)
		now.change_at[t] = random_below(now.length ? : 1);
	now.step = 0;
}

bool pct(uint64_t nr, uint64_t seed, unsigned int changes, struct outcome *outcome)
{
	static const struct strategy strategy = {
		.choose = pct_choose,
		.change = pct_change,
		.access = pct_access,
		.freed = pct_freed,
	};

	now.random = seed;
	turns_by(&strategy);
	while (outcome->schedules < nr) {
		draw(changes < MAX_CHANGES ? changes : MAX_CHANGES);
		if (!run_once())
			return false;
		if (now.step > now.length)
			now.length = now.step;
	}
	return true;
}
