// SPDX-License-Identifier: GPL-2.0
/*
 * All schedules with up to some number of preemptions, that differ in what matters
 *
 * A schedule is what it does not do by default: at which of its decisions another thread
 * was chosen. A node is a schedule; its children have one such choice more, behind its last
 * one. Each node is one run, and the run finds the children. Nodes are run in order of
 * their preemptions, so what fails fails with as few as possible.
 *
 * Two reductions, both sound (docs/schedules.md has the proof):
 *
 *  - A thread is preempted only before an access that an access of another thread, known
 *    from any run so far, depends on. When that becomes known of an access that earlier runs
 *    have passed over, these run again, for the children that they lack.
 *  - A thread that was preempted before an access goes on only when another has made one
 *    that depends on it. If nobody else can go on, this schedule is as good as another
 *    one, and has no children from there on.
 *
 * And whoever gets the turn makes an access with it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "engine.h"

#define MAX_CHOICES	256	/* of one schedule that are not by default */

struct node {
	uint32_t parent;		/* index */
	uint32_t decision;		/* at which ... */
	uint32_t ran;			/* the last time: number of that run */
	uint8_t thread;			/* ... this thread was chosen */
	uint8_t cost;			/* preemptions */
};

static struct node *nodes;
static size_t nr_nodes, max_nodes;

/* Nodes of one cost, in order; those before .next have run. */
static struct level {
	uint32_t *nodes;
	size_t nr, max, next;
} *levels;

static unsigned int max_cost;
static uint32_t nr_runs;

bool explore_all;

/* -- The run that is on ------------------------------------------------------------------ */

/* A decision behind the last choice of the node. */
struct candidate {
	struct word *word;		/* NULL: the thread could not go on, or yielded */
	uint32_t decision;
	uint8_t thread;
	uint8_t class;
	uint8_t others;			/* that could be chosen instead, as a mask; of them ... */
	uint8_t free;			/* ... these at no cost */
};

static struct {
	uint32_t decision;
	struct { uint32_t decision; uint8_t thread; } choices[MAX_CHOICES];
	unsigned int nr_choices, next_choice;
	bool wants_preemptions;		/* of children */
	bool redundant;			/* from here on */
	bool new_turn;			/* nothing was accessed since the turn changed */
	struct candidate *candidates;
	size_t nr_candidates, max_candidates;
	/* Threads that were preempted before an access on which no other depended so far. */
	unsigned int unjustified;
	struct kshim_sched_access before[SCHEDULE_THREADS];
} now;

static void *grow(void *array, size_t nr, size_t *max, size_t size)
{
	if (nr < *max)
		return array;
	*max = *max ? 2 * *max : 1024;
	array = realloc(array, *max * size);
	if (!array)
		kshim_sched_die("engine", "no memory");
	return array;
}

static void add_candidate(const struct candidate *candidate)
{
	now.candidates = grow(now.candidates, now.nr_candidates, &now.max_candidates,
			      sizeof(*now.candidates));
	now.candidates[now.nr_candidates++] = *candidate;
}

/* The thread chosen at this decision, if it is one of the node's. */
static bool chosen(unsigned int *thread)
{
	if (now.next_choice == now.nr_choices ||
	    now.choices[now.next_choice].decision != now.decision)
		return false;
	*thread = now.choices[now.next_choice++].thread;
	return true;
}

static bool children_wanted(void)
{
	return now.next_choice == now.nr_choices && !now.redundant;
}

/* @thread has the turn. */
static void goes_on(unsigned int thread)
{
	if (explore_all)
		return;
	if (now.unjustified >> thread & 1)
		now.redundant = true;
	now.unjustified &= ~(1U << thread);
	now.new_turn = true;
}

static unsigned int explore_choose(unsigned int thread, const struct kshim_sched_access *access,
				   unsigned int ready)
{
	unsigned int others = ready & ~(1U << thread) & ~now.unjustified, next = thread;

	if (chosen(&next)) {
		now.before[thread] = *access;
		if (!explore_all)
			now.unjustified |= 1U << thread;
		goes_on(next);
	} else if (others && !now.new_turn && now.wants_preemptions && children_wanted()) {
		add_candidate(&(struct candidate) {
			.word = conflicts_word(access->addr), .decision = now.decision,
			.thread = thread, .class = access->class, .others = others,
		});
	}
	now.decision++;
	return next;
}

static unsigned int explore_change(unsigned int thread, enum kshim_sched_stop why,
				   unsigned int ready, unsigned int fair)
{
	unsigned int next = turns_default(thread, fair), others;

	(void)why;
	others = (now.wants_preemptions ? ready : fair) & ~(1U << next) & ~now.unjustified;
	if (!chosen(&next) && others && children_wanted())
		add_candidate(&(struct candidate) {
			.decision = now.decision, .thread = thread, .others = others,
			.free = fair,
		});
	goes_on(next);
	now.decision++;
	return next;
}

static void explore_access(unsigned int thread, const struct kshim_sched_access *access)
{
	unsigned int t;

	now.new_turn = false;
	conflicts_note(conflicts_word(access->addr), thread, access->class, nr_runs);
	for (t = 0; now.unjustified >> t; t++)
		if (now.unjustified >> t & 1 && t != thread &&
		    (uintptr_t)access->addr >> 3 == (uintptr_t)now.before[t].addr >> 3 &&
		    classes_depend(access->class, now.before[t].class))
			now.unjustified &= ~(1U << t);
}

static void explore_freed(unsigned int thread, const void *addr, size_t size)
{
	const char *at = addr, *end = at + size;
	struct word *word;
	unsigned int t;

	for (; at < end; at += 8) {
		word = conflicts_find(at);
		if (word)
			conflicts_note(word, thread, KSHIM_SCHED_WRITE, nr_runs);
	}
	for (t = 0; now.unjustified >> t; t++)
		if ((uintptr_t)now.before[t].addr - (uintptr_t)addr < size)
			now.unjustified &= ~(1U << t);
}

static const struct strategy strategy = {
	.choose = explore_choose,
	.change = explore_change,
	.access = explore_access,
	.freed = explore_freed,
};

/* -- Nodes ------------------------------------------------------------------------------- */

static void add_node(uint32_t parent, uint32_t decision, unsigned int thread, unsigned int cost)
{
	struct level *level = &levels[cost];

	nodes = grow(nodes, nr_nodes, &max_nodes, sizeof(*nodes));
	level->nodes = grow(level->nodes, level->nr, &level->max, sizeof(*level->nodes));
	level->nodes[level->nr++] = nr_nodes;
	nodes[nr_nodes++] = (struct node) {
		.parent = parent, .decision = decision, .thread = thread, .cost = cost,
	};
}

/* The root is by default all the way; it is its own parent. */
static void set_choices(uint32_t index)
{
	unsigned int nr = 0, i;
	uint32_t at;

	for (at = index; at; at = nodes[at].parent)
		nr++;
	if (nr > MAX_CHOICES)
		kshim_sched_die("engine", "a schedule has too many choices");
	now.nr_choices = nr;
	for (at = index, i = nr; at; at = nodes[at].parent) {
		now.choices[--i].decision = nodes[at].decision;
		now.choices[i].thread = nodes[at].thread;
	}
}

/* Those that were not known when the node ran before. */
static void add_children(uint32_t index, uint32_t ran_before)
{
	unsigned int cost = nodes[index].cost, t;
	size_t i;

	for (i = 0; i < now.nr_candidates; i++) {
		const struct candidate *c = &now.candidates[i];
		uint32_t since = c->word && !explore_all ?
			conflicts_since(c->word, c->thread, c->class) : 1;

		if (since == UINT32_MAX || (ran_before && since <= ran_before))
			continue;
		for (t = 0; t < SCHEDULE_THREADS; t++)
			if (c->others >> t & 1)
				add_node(index, c->decision, t, cost + !(c->free >> t & 1));
	}
}

static bool run_node(uint32_t index)
{
	uint32_t before = nodes[index].ran;

	set_choices(index);
	now.decision = 0;
	now.next_choice = 0;
	now.nr_candidates = 0;
	now.redundant = false;
	now.unjustified = 0;
	now.wants_preemptions = nodes[index].cost < max_cost;
	nr_runs++;
	if (!run_once())
		return false;
	nodes[index].ran = nr_runs;
	add_children(index, before);
	return true;
}

/* -- All --------------------------------------------------------------------------------- */

enum result { FAILED, LIMIT, COMPLETE };

static enum result run_new(unsigned int cost, uint64_t limit, struct outcome *outcome)
{
	struct level *level = &levels[cost];

	while (level->next < level->nr) {
		if (limit && outcome->schedules >= limit)
			return LIMIT;
		if (!run_node(level->nodes[level->next++]))
			return FAILED;
		outcome->redundant += now.redundant;
	}
	return COMPLETE;
}

/* Those whose children depend on what was learnt since. Sets *@found. */
static enum result run_again(unsigned int cost, struct outcome *outcome, bool *found)
{
	struct level *level = &levels[cost];
	size_t i;

	for (i = 0; i < level->next; i++) {
		if (nodes[level->nodes[i]].ran >= conflicts_news())
			continue;
		*found = true;
		if (!run_node(level->nodes[i]))
			return FAILED;
		outcome->schedules--;
		outcome->reruns++;
	}
	return COMPLETE;
}

/* Until all with up to @cost preemptions have run, and nobody lacks a child. */
static enum result complete_level(unsigned int cost, uint64_t limit, struct outcome *outcome)
{
	enum result result;
	unsigned int c;
	bool more;

	do {
		more = false;
		for (c = 0; c <= cost; c++) {
			result = run_new(c, limit, outcome);
			if (result != COMPLETE)
				return result;
		}
		for (c = 0; c < cost; c++) {
			result = run_again(c, outcome, &more);
			if (result != COMPLETE)
				return result;
		}
	} while (more);
	return COMPLETE;
}

bool explore(unsigned int bound, uint64_t limit, struct outcome *outcome)
{
	unsigned int cost;
	enum result result;

	max_cost = bound;
	levels = calloc(bound + 1, sizeof(*levels));
	if (!levels)
		kshim_sched_die("engine", "no memory");
	turns_by(&strategy);
	add_node(0, 0, 0, 0);
	for (cost = 0; cost <= bound; cost++) {
		result = complete_level(cost, limit, outcome);
		if (result != COMPLETE)
			return result == LIMIT;
		outcome->bound = cost;
		outcome->any_complete = true;
	}
	outcome->complete = true;
	run_complete();
	return true;
}
