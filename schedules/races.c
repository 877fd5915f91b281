// SPDX-License-Identifier: GPL-2.0
/*
 * Races of a run: accesses that depend on each other, and that nothing else orders
 *
 * An access happens before another one if the same thread makes it earlier, or if the two
 * depend on each other and it comes first, or by a chain of such steps. It races with an
 * access of another thread that depends on it, when it is the last such one of its thread
 * and no chain leads from it to the other one but the direct step. Only races can be had in
 * the other order without changing something else first.
 *
 * Where the thread had to wait, the last one may be what let it go on, as a release does:
 * that has no other order. So it races with all that were made since it began to wait.
 *
 * Who knows what is kept in vector clocks (Fidge, Mattern). Words go by their addresses.
 * Runs in which each access has the same ones before it differ in nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "engine.h"

#define BITS	19
#define SIZE	(1U << BITS)

struct clock {
	uint32_t at[SCHEDULE_THREADS];	/* so many accesses of each thread happened before */
};

struct word {
	uint32_t run;			/* that all this is about */
	/* The accesses of each class, and all that happened before one of them. */
	struct clock seen[KSHIM_SCHED_CLASSES];
	/* The last accesses: their numbers among those of the thread; 0: there was none. */
	uint32_t last[SCHEDULE_THREADS][KSHIM_SCHED_CLASSES];
};

static struct { uintptr_t key; struct word *word; } table[SIZE];	/* key: address / 8 */
static unsigned int nr_words;

/* An access of the run, by its number. */
struct made {
	uint32_t decision;
	uint32_t before;		/* the one before, of this class, to this word; or 0 */
};

static struct thread {
	struct clock clock;
	struct made *made;
	size_t max_made;
} threads[SCHEDULE_THREADS];

static uint32_t run;
static uint64_t trace;			/* sum of hashes: in whatever order they are made */

void races_begin(void)
{
	unsigned int t;

	run++;
	trace = 0;
	for (t = 0; t < SCHEDULE_THREADS; t++)
		memset(&threads[t].clock, 0, sizeof(threads[t].clock));
}

/* Where it is, or would be. */
static size_t look(uintptr_t key)
{
	size_t i = key * 0x9e3779b97f4a7c15ULL >> (64 - BITS);

	while (table[i].key && table[i].key != key)
		i = (i + 1) % SIZE;
	return i;
}

static struct word *word_at(const volatile void *addr)
{
	uintptr_t key = (uintptr_t)addr >> 3;
	size_t i = look(key);

	if (!table[i].key) {
		if (++nr_words > SIZE / 2)
			kshim_sched_die("engine", "threads access too many words");
		table[i].key = key;
		table[i].word = calloc(1, sizeof(*table[i].word));
		if (!table[i].word)
			kshim_sched_die("engine", "no memory");
	}
	return table[i].word;
}

/* The thread's next access, with what happened before it. */
static void add_to_trace(unsigned int thread, const struct clock *clock)
{
	trace += XXH64(clock, sizeof(*clock), thread);
}

uint64_t races_trace(void)
{
	return trace;
}

static void join(struct clock *clock, const struct clock *other)
{
	unsigned int t;

	for (t = 0; t < SCHEDULE_THREADS; t++)
		if (clock->at[t] < other->at[t])
			clock->at[t] = other->at[t];
}

static void races_with(unsigned int t, uint32_t nr, void (*race)(uint32_t decision))
{
	if (threads[t].made[nr].decision != NO_DECISION)
		race(threads[t].made[nr].decision);
}

static void find_races(const struct word *word, unsigned int thread,
		       enum kshim_sched_class class, bool waited, void (*race)(uint32_t decision))
{
	unsigned int t, c;
	uint32_t nr, last, known;

	for (t = 0; t < SCHEDULE_THREADS; t++) {
		known = threads[thread].clock.at[t];
		last = 0;
		for (c = 0; t != thread && c < KSHIM_SCHED_CLASSES; c++) {
			if (!classes_depend(class, c))
				continue;
			nr = word->last[t][c];
			for (; waited && nr > known; nr = threads[t].made[nr].before)
				races_with(t, nr, race);
			if (nr > last)
				last = nr;
		}
		if (last > known)
			races_with(t, last, race);
	}
}

static void made_access(struct word *word, unsigned int thread, enum kshim_sched_class class,
			bool waited, uint32_t decision, void (*race)(uint32_t decision))
{
	struct thread *me = &threads[thread];
	uint32_t nr;
	unsigned int c;

	if (word->run != run) {
		memset(word, 0, sizeof(*word));
		word->run = run;
	}
	find_races(word, thread, class, waited, race);
	for (c = 0; c < KSHIM_SCHED_CLASSES; c++)
		if (classes_depend(class, c))
			join(&me->clock, &word->seen[c]);
	nr = ++me->clock.at[thread];
	add_to_trace(thread, &me->clock);
	join(&word->seen[class], &me->clock);
	me->made = engine_grow(me->made, nr, &me->max_made, sizeof(*me->made));
	me->made[nr].decision = decision;
	me->made[nr].before = word->last[thread][class];
	word->last[thread][class] = nr;
}

void races_access(unsigned int thread, const struct kshim_sched_access *access, bool waited,
		  uint32_t decision, void (*race)(uint32_t decision))
{
	made_access(word_at(access->addr), thread, access->class, waited, decision, race);
}

void races_freed(unsigned int thread, const void *addr, size_t size,
		 void (*race)(uint32_t decision))
{
	const char *at = addr, *end = at + size;
	size_t i;

	for (; at < end; at += 8) {
		i = look((uintptr_t)at >> 3);
		/* What nobody has accessed, nobody races for. */
		if (table[i].key && table[i].word->run == run)
			made_access(table[i].word, thread, KSHIM_SCHED_WRITE, false, NO_DECISION,
				    race);
	}
}
