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
 *  - A thread is preempted only before an access that races with a later one of another thread
 *    in some run that goes the same way up to there. The run that shows the race finds the
 *    child, often one of a parent of its own node.
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

bool explore_all;

/* -- The run that is on ------------------------------------------------------------------ */

/* A decision to let a thread go on. */
struct place {
	uint32_t node;			/* whose children choose others ... */
	uint8_t others;			/* ... of these, as a mask */
};

static struct {
	uint32_t decision;
	/* The root, and the nodes on the way to the one that runs, which is the last. */
	struct { uint32_t node, decision; uint8_t thread; } choices[MAX_CHOICES];
	unsigned int nr_choices, next_choice;
	bool redundant;			/* from here on */
	bool new_turn;			/* nothing was accessed since the turn changed */
	struct place *places;		/* by decisions */
	size_t max_places;
	/* What the next accesses of threads belong to, and whether they have waited for it. */
	uint32_t at[SCHEDULE_THREADS + 1];	/* the last one: who runs before them */
	bool waited[SCHEDULE_THREADS + 1];
	/* Threads that were preempted before an access on which no other depended so far. */
	unsigned int unjustified;
	struct kshim_sched_access before[SCHEDULE_THREADS];
} now;

void *engine_grow(void *array, size_t nr, size_t *max, size_t size)
{
	if (nr < *max)
		return array;
	while (nr >= *max)
		*max = *max ? 2 * *max : 1024;
	array = realloc(array, *max * size);
	if (!array)
		kshim_sched_die("engine", "no memory");
	return array;
}

/* -- Nodes ------------------------------------------------------------------------------- */

static void add_node(uint32_t parent, uint32_t decision, unsigned int thread, unsigned int cost)
{
	struct level *level = &levels[cost];

	nodes = engine_grow(nodes, nr_nodes, &max_nodes, sizeof(*nodes));
	level->nodes = engine_grow(level->nodes, level->nr, &level->max, sizeof(*level->nodes));
	level->nodes[level->nr++] = nr_nodes;
	nodes[nr_nodes++] = (struct node) {
		.parent = parent, .decision = decision, .thread = thread, .cost = cost,
	};
}

/* Children that choose one of @others at @decision; those of @free at no cost. */
static void add_children(uint32_t node, uint32_t decision, unsigned int others,
			 unsigned int free)
{
	unsigned int t, cost;

	for (t = 0; t < SCHEDULE_THREADS; t++) {
		cost = nodes[node].cost + !(free >> t & 1);
		if (others >> t & 1 && cost <= max_cost)
			add_node(node, decision, t, cost);
	}
}

/* A set of numbers: a table by hashes, at most half full. */
struct set {
	uint64_t *keys;			/* and 1; 0: nothing */
	size_t nr, max;
};

static struct set decisions;		/* whose children have been added: node and decision */
static struct set traces;

static size_t set_look(const struct set *set, uint64_t key)
{
	size_t i = (key * 0x9e3779b97f4a7c15ULL >> 32) & (set->max - 1);

	while (set->keys[i] && set->keys[i] != key)
		i = (i + 1) & (set->max - 1);
	return i;
}

static void set_grow(struct set *set)
{
	uint64_t *old = set->keys;
	size_t nr = set->max, i;

	set->max = nr ? 2 * nr : 1024;
	set->keys = calloc(set->max, sizeof(*set->keys));
	if (!set->keys)
		kshim_sched_die("engine", "no memory");
	for (i = 0; i < nr; i++)
		if (old[i])
			set->keys[set_look(set, old[i])] = old[i];
	free(old);
}

/* Returns false if it was there. */
static bool set_add(struct set *set, uint64_t number)
{
	uint64_t key = number + 1 ? : 1;
	size_t i;

	if (2 * set->nr >= set->max)
		set_grow(set);
	i = set_look(set, key);
	if (set->keys[i])
		return false;
	set->keys[i] = key;
	set->nr++;
	return true;
}

/* -- Turns ------------------------------------------------------------------------------- */

/* The node to which the decision of this moment belongs. */
static uint32_t node_now(void)
{
	return now.choices[now.next_choice - 1].node;
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

/* Has the node that runs made its last choice? Then this is for its own children. */
static bool is_new(void)
{
	return now.next_choice == now.nr_choices;
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

/* The decision goes on with the thread. Returns what its access belongs to. */
static uint32_t note_place(unsigned int others)
{
	if (!others || now.new_turn || now.redundant)
		return NO_DECISION;
	if (explore_all) {
		if (is_new())
			add_children(node_now(), now.decision, others, 0);
		return NO_DECISION;
	}
	now.places = engine_grow(now.places, now.decision, &now.max_places, sizeof(*now.places));
	now.places[now.decision] = (struct place) { .node = node_now(), .others = others };
	return now.decision;
}

static unsigned int explore_choose(unsigned int thread, const struct kshim_sched_access *access,
				   unsigned int ready)
{
	unsigned int next = thread;

	now.at[thread] = NO_DECISION;
	if (!chosen(&next)) {
		now.at[thread] = note_place(ready & ~(1U << thread) & ~now.unjustified);
	} else {
		now.before[thread] = *access;
		if (!explore_all)
			now.unjustified |= 1U << thread;
		goes_on(next);
	}
	now.decision++;
	return next;
}

static unsigned int explore_change(unsigned int thread, enum kshim_sched_stop why,
				   unsigned int ready, unsigned int fair)
{
	unsigned int next = turns_default(thread, fair);

	now.at[thread] = NO_DECISION;
	now.waited[thread] = why == KSHIM_SCHED_BLOCKED;
	if (!chosen(&next) && is_new() && !now.redundant)
		add_children(node_now(), now.decision,
			     ready & ~(1U << next) & ~now.unjustified, fair);
	goes_on(next);
	now.decision++;
	return next;
}

/* An access that belongs to @decision races with the one that is made now. */
static void raced(uint32_t decision)
{
	const struct place *place = &now.places[decision];

	if (set_add(&decisions, (uint64_t)place->node << 32 | decision))
		add_children(place->node, decision, place->others, 0);
}

static void explore_access(unsigned int thread, const struct kshim_sched_access *access)
{
	unsigned int t;

	now.new_turn = false;
	races_access(thread, access, now.waited[thread], now.at[thread], raced);
	now.waited[thread] = false;
	for (t = 0; now.unjustified >> t; t++)
		if (now.unjustified >> t & 1 && t != thread &&
		    (uintptr_t)access->addr >> 3 == (uintptr_t)now.before[t].addr >> 3 &&
		    classes_depend(access->class, now.before[t].class))
			now.unjustified &= ~(1U << t);
}

static void explore_freed(unsigned int thread, const void *addr, size_t size)
{
	unsigned int t;

	races_freed(thread, addr, size, raced);
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

/* The root is by default all the way; it is its own parent. */
static void set_choices(uint32_t index)
{
	unsigned int nr = 1, i;
	uint32_t at;

	for (at = index; at; at = nodes[at].parent)
		nr++;
	if (nr > MAX_CHOICES)
		kshim_sched_die("engine", "a schedule has too many choices");
	now.nr_choices = nr;
	for (at = index, i = nr; i--; at = nodes[at].parent) {
		now.choices[i].node = at;
		now.choices[i].decision = nodes[at].decision;
		now.choices[i].thread = nodes[at].thread;
	}
}

static bool run_node(uint32_t index)
{
	set_choices(index);
	now.decision = 0;
	now.next_choice = 1;
	now.redundant = false;
	now.unjustified = 0;
	races_begin();
	return run_once();
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
		outcome->distinct += set_add(&traces, races_trace());
	}
	return COMPLETE;
}

/* Until all with up to @cost preemptions have run: each run may find some with fewer. */
static enum result complete_level(unsigned int cost, uint64_t limit, struct outcome *outcome)
{
	enum result result;
	unsigned int c;

	for (c = 0; c <= cost; c++) {
		if (levels[c].next == levels[c].nr)
			continue;
		result = run_new(c, limit, outcome);
		if (result != COMPLETE)
			return result;
		c = -1;
	}
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
