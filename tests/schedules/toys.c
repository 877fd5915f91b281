// SPDX-License-Identifier: GPL-2.0
/*
 * Scenarios whose schedules can be counted by hand, or with one mistake that is found by a
 * known number of preemptions. They need no world.
 */
#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait_bit.h>
#include "schedule.h"
#include "toys.h"

unsigned int toy_points = 3;

/* What threads share; set up anew for each run. */
static struct shared {
	unsigned long word, other;
	unsigned int futex;
	unsigned long bits;
	struct mutex a, b;
	spinlock_t lock;
	struct rw_semaphore sem;
	struct object *object;
	atomic_t counter;
	int stage;
} *s;

struct object {
	struct rcu_head rcu;
	unsigned long value;
};

static struct kmem_cache *typesafe;

static void setup(struct schedule_run *run)
{
	(void)run;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	mutex_init(&s->a);
	mutex_init(&s->b);
	spin_lock_init(&s->lock);
	init_rwsem(&s->sem);
	s->object = kzalloc(sizeof(*s->object), GFP_KERNEL);
	s->object->value = 1;
}

#define TOY_CHECKED(name_, nr, check_, setup_, ...)			\
static const struct schedule_scenario name_ = {				\
	.name = #name_, .rows = "", .topologies = "none", .story = "",	\
	.nr_threads = nr, .bound = 2, .setup = setup_,			\
	.thread = { __VA_ARGS__ }, .check = check_,			\
}
#define TOY(name, nr, ...)	TOY_CHECKED(name, nr, NULL, setup, __VA_ARGS__)

/* -- To be counted ------------------------------------------------------------------- */

static void all_write(struct schedule_run *run)
{
	unsigned int i;

	(void)run;
	for (i = 0; i < toy_points; i++)
		WRITE_ONCE(s->word, i);
}

static void all_read(struct schedule_run *run)
{
	unsigned int i;

	(void)run;
	for (i = 0; i < toy_points; i++)
		(void)READ_ONCE(s->word);
}

static void all_update(struct schedule_run *run)
{
	unsigned int i;

	(void)run;
	for (i = 0; i < toy_points; i++)
		atomic_inc(&s->counter);
}

static void other_write(struct schedule_run *run)
{
	unsigned int i;

	(void)run;
	for (i = 0; i < toy_points; i++)
		WRITE_ONCE(s->other, i);
}

TOY(writes, 2, all_write, all_write);
TOY(reads, 2, all_read, all_read);
TOY(updates, 2, all_update, all_update);
TOY(apart, 2, all_write, other_write);
TOY(three, 3, all_write, all_write, all_write);

/* -- Deadlocks ----------------------------------------------------------------------- */

static void lock_ab(struct schedule_run *run)
{
	(void)run;
	mutex_lock(&s->a);
	mutex_lock(&s->b);
	mutex_unlock(&s->b);
	mutex_unlock(&s->a);
}

static void lock_ba(struct schedule_run *run)
{
	(void)run;
	mutex_lock(&s->b);
	mutex_lock(&s->a);
	mutex_unlock(&s->a);
	mutex_unlock(&s->b);
}

TOY(abba, 2, lock_ab, lock_ba);
TOY(abab, 2, lock_ab, lock_ab);

/* The second read lock queues behind the writer, who waits for the first. */
static void read_twice(struct schedule_run *run)
{
	(void)run;
	down_read(&s->sem);
	down_read(&s->sem);
	up_read(&s->sem);
	up_read(&s->sem);
}

static void write_once(struct schedule_run *run)
{
	(void)run;
	down_write(&s->sem);
	up_write(&s->sem);
}

TOY(read_lock_twice, 2, read_twice, write_once);

static void bit_then_mutex(struct schedule_run *run)
{
	(void)run;
	kshim_bit_lock(&s->bits, 3);
	mutex_lock(&s->a);
	mutex_unlock(&s->a);
	kshim_bit_unlock(&s->bits, 3);
}

static void mutex_then_bit(struct schedule_run *run)
{
	(void)run;
	mutex_lock(&s->a);
	kshim_bit_lock(&s->bits, 3);
	kshim_bit_unlock(&s->bits, 3);
	mutex_unlock(&s->a);
}

TOY(bit_abba, 2, bit_then_mutex, mutex_then_bit);

/* -- Wake-ups ------------------------------------------------------------------------ */

/* Looks at one word and sleeps on another, which says nothing of the first. */
static void sleep_badly(struct schedule_run *run)
{
	(void)run;
	if (!READ_ONCE(s->word))
		kshim_futex_wait(&s->futex, 0);
}

static void wake_badly(struct schedule_run *run)
{
	(void)run;
	WRITE_ONCE(s->word, 1);
	kshim_futex_wake(&s->futex, 1);
}

static void sleep_well(struct schedule_run *run)
{
	(void)run;
	while (!READ_ONCE(s->futex))
		kshim_futex_wait(&s->futex, 0);
}

static void wake_well(struct schedule_run *run)
{
	(void)run;
	WRITE_ONCE(s->futex, 1);
	kshim_futex_wake(&s->futex, 1);
}

TOY(lost_wakeup, 2, sleep_badly, wake_badly);
TOY(good_wakeup, 2, sleep_well, wake_well);

static void poll(struct schedule_run *run)
{
	(void)run;
	while (!READ_ONCE(s->word))
		cpu_relax();
}

static void set(struct schedule_run *run)
{
	(void)run;
	WRITE_ONCE(s->word, 1);
}

TOY(polling, 2, poll, set);
TOY(polling_two, 3, poll, poll, set);
TOY(polling_for_ever, 2, poll, poll);

/* -- RCU ----------------------------------------------------------------------------- */

static void read_object(struct schedule_run *run)
{
	struct object *object;

	rcu_read_lock();
	object = rcu_dereference(s->object);
	if (object)
		run->result[0] = READ_ONCE(object->value);
	rcu_read_unlock();
}

/* Fetches the pointer too early. */
static void read_too_early(struct schedule_run *run)
{
	struct object *object = rcu_dereference(s->object);

	rcu_read_lock();
	if (object)
		run->result[0] = READ_ONCE(object->value);
	rcu_read_unlock();
}

/* Holds on to it too long. */
static void read_too_long(struct schedule_run *run)
{
	struct object *object;

	rcu_read_lock();
	object = rcu_dereference(s->object);
	rcu_read_unlock();
	if (object)
		run->result[0] = READ_ONCE(object->value);
}

static void free_later(struct schedule_run *run)
{
	struct object *object = s->object;

	(void)run;
	rcu_assign_pointer(s->object, NULL);
	kfree_rcu(object, rcu);
}

static void free_after_waiting(struct schedule_run *run)
{
	struct object *object = s->object;

	(void)run;
	rcu_assign_pointer(s->object, NULL);
	synchronize_rcu();
	kfree(object);
}

static void free_at_once(struct schedule_run *run)
{
	struct object *object = s->object;

	(void)run;
	rcu_assign_pointer(s->object, NULL);
	kfree(object);
}

TOY(rcu, 2, read_object, free_later);
TOY(rcu_synchronize, 2, read_object, free_after_waiting);
TOY(rcu_too_early, 2, read_too_early, free_later);
TOY(rcu_too_long, 2, read_too_long, free_later);
TOY(rcu_too_long_synchronize, 2, read_too_long, free_after_waiting);
TOY(rcu_forgotten, 2, read_object, free_at_once);

/* Writes, without a word to anybody, to what is gone. */
static void write_freed(struct schedule_run *run)
{
	struct object *object = s->object;

	(void)run;
	kfree(object);
	*(volatile unsigned long *)&object->value = 2;
}

TOY(write_after_free, 2, write_freed, all_read);

/* -- Typesafe memory ------------------------------------------------------------------- */

static void setup_typesafe(struct schedule_run *run)
{
	if (!typesafe)
		typesafe = kmem_cache_create("toy", sizeof(struct object), 0,
					     SLAB_TYPESAFE_BY_RCU, NULL);
	setup(run);
	s->object = kmem_cache_alloc(typesafe, GFP_KERNEL);
	s->object->value = 1;
}

/* Somebody else's object now? Two do not expect it. */
static void expect_same(struct schedule_run *run)
{
	struct object *object;

	rcu_read_lock();
	object = rcu_dereference(s->object);
	if (object && READ_ONCE(object->value) != 1)
		schedule_finding(run, "the object is another one");
	rcu_read_unlock();
}

static void use_again(struct schedule_run *run)
{
	struct object *object = s->object;

	(void)run;
	rcu_assign_pointer(s->object, NULL);
	kmem_cache_free(typesafe, object);
	object = kmem_cache_alloc(typesafe, GFP_KERNEL);
	WRITE_ONCE(object->value, 2);
	kmem_cache_free(typesafe, object);
}

/* A whole life of an object in between: memory is not typesafe for those outside. */
static void free_typesafe(struct schedule_run *run)
{
	struct object *object = s->object;

	(void)run;
	rcu_assign_pointer(s->object, NULL);
	kmem_cache_free(typesafe, object);
}

TOY_CHECKED(typesafe_again, 2, NULL, setup_typesafe, expect_same, use_again);
TOY_CHECKED(typesafe_gone, 2, NULL, setup_typesafe, read_too_long, free_typesafe);
TOY_CHECKED(typesafe_good, 2, NULL, setup_typesafe, read_object, free_typesafe);

/* -- Missed updates -------------------------------------------------------------------- */

static void add_one(struct schedule_run *run)
{
	unsigned long value = READ_ONCE(s->word);

	(void)run;
	WRITE_ONCE(s->word, value + 1);
}

static void add_one_locked(struct schedule_run *run)
{
	spin_lock(&s->lock);
	add_one(run);
	spin_unlock(&s->lock);
}

static void both_added(struct schedule_run *run)
{
	if (s->word != 2)
		schedule_finding(run, "%lu instead of 2", s->word);
}

TOY_CHECKED(missed_update, 2, both_added, setup, add_one, add_one);
TOY_CHECKED(good_update, 2, both_added, setup, add_one_locked, add_one_locked);

/* -- What takes three preemptions -------------------------------------------------------- */

/* Each thread does its part only if it finds the other one's. */
static void even_stages(struct schedule_run *run)
{
	if (READ_ONCE(s->stage) == 0)
		WRITE_ONCE(s->stage, 1);
	if (READ_ONCE(s->stage) == 2)
		WRITE_ONCE(s->stage, 3);
	if (READ_ONCE(s->stage) == 4)
		schedule_finding(run, "all stages were passed");
}

static void odd_stages(struct schedule_run *run)
{
	(void)run;
	if (READ_ONCE(s->stage) == 1)
		WRITE_ONCE(s->stage, 2);
	if (READ_ONCE(s->stage) == 3)
		WRITE_ONCE(s->stage, 4);
}

TOY(stages, 2, even_stages, odd_stages);

/* -- Small programs, made up ------------------------------------------------------------- */

#define PROGRAM_THREADS	3
#define PROGRAM_MAX	6
#define PROGRAM_WORDS	2

enum operation {
	OP_READ, OP_WRITE, OP_ADD, OP_FETCH_ADD, OP_LOCKED, OP_READ_LOCKED, OP_WRITE_LOCKED,
	OP_TRYLOCK, OP_SYNCHRONIZE, OP_RCU_READ, OP_YIELD,
	NR_OPERATIONS,	/* OP_YIELD is the last one */
};

static struct step {
	enum operation op;
	unsigned int word;
} program[PROGRAM_THREADS][PROGRAM_MAX];
static unsigned int program_steps;

struct toy_ends *toy_ends;

/* What the threads of a program share. */
static struct {
	struct mutex mutex;
	struct rw_semaphore sem;
	atomic_long_t words[PROGRAM_WORDS];
} *p;

static unsigned int next_random(unsigned long *random)
{
	*random = *random * 6364136223846793005UL + 1442695040888963407UL;
	return *random >> 33;
}

void toy_program(unsigned int seed, unsigned int steps, bool yields)
{
	unsigned long random = seed;
	unsigned int t, i;

	program_steps = steps;
	for (t = 0; t < PROGRAM_THREADS; t++)
		for (i = 0; i < PROGRAM_MAX; i++)
			program[t][i] = (struct step) {
				.op = next_random(&random) % (yields ? NR_OPERATIONS : OP_YIELD),
				.word = next_random(&random) % PROGRAM_WORDS,
			};
}

static void setup_program(struct schedule_run *run)
{
	(void)run;
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	mutex_init(&p->mutex);
	init_rwsem(&p->sem);
}

static void step(struct schedule_run *run, unsigned int thread, const struct step *step)
{
	unsigned long *seen = &run->result[thread], value;
	atomic_long_t *word = &p->words[step->word];

	switch (step->op) {
	case OP_LOCKED:
		mutex_lock(&p->mutex);
		break;
	case OP_READ_LOCKED:
		down_read(&p->sem);
		break;
	case OP_WRITE_LOCKED:
		down_write(&p->sem);
		break;
	case OP_TRYLOCK:
		if (!mutex_trylock(&p->mutex))
			return;
		break;
	case OP_SYNCHRONIZE:
		synchronize_rcu();
		break;
	case OP_RCU_READ:
		rcu_read_lock();
		break;
	case OP_YIELD:
		cpu_relax();
		break;
	default:
		break;
	}
	value = step->op == OP_ADD ? 0 : step->op == OP_FETCH_ADD ?
		atomic_long_fetch_add(thread + 3, word) : atomic_long_read(word);
	*seen = *seen * 31 + value + 1;
	if (step->op == OP_ADD)
		atomic_long_add(thread + 3, word);
	else if (step->op != OP_READ && step->op != OP_READ_LOCKED && step->op != OP_FETCH_ADD)
		atomic_long_set(word, *seen);
	if (step->op == OP_LOCKED || step->op == OP_TRYLOCK)
		mutex_unlock(&p->mutex);
	if (step->op == OP_READ_LOCKED)
		up_read(&p->sem);
	if (step->op == OP_WRITE_LOCKED)
		up_write(&p->sem);
	if (step->op == OP_RCU_READ)
		rcu_read_unlock();
}

static void run_program(struct schedule_run *run, unsigned int thread)
{
	unsigned int i;

	for (i = 0; i < program_steps; i++)
		step(run, thread, &program[thread][i]);
}

static void program_0(struct schedule_run *run) { run_program(run, 0); }
static void program_1(struct schedule_run *run) { run_program(run, 1); }
static void program_2(struct schedule_run *run) { run_program(run, 2); }

/* What each thread has seen, and what there is at the end. */
static void program_ends(struct schedule_run *run)
{
	unsigned long end = 0;
	unsigned int i;

	for (i = 0; i < PROGRAM_THREADS; i++)
		end = end * 1000003 + run->result[i];
	for (i = 0; i < PROGRAM_WORDS; i++)
		end = end * 1000003 + atomic_long_read(&p->words[i]);
	for (i = 0; i < toy_ends->nr; i++)
		if (toy_ends->ends[i] == end)
			return;
	if (toy_ends->nr < TOY_ENDS)
		toy_ends->ends[toy_ends->nr++] = end;
}

/* -- Scenarios that have to get somewhere -------------------------------------------------- */

/* Only where the other thread was between the two. */
static void lockless_if_written(struct schedule_run *run)
{
	unsigned long before = READ_ONCE(s->word);

	if (READ_ONCE(s->word) != before)
		run->lockless = true;
}

static void write_one(struct schedule_run *run)
{
	(void)run;
	WRITE_ONCE(s->word, 1);
}

static const struct schedule_scenario gets_there = {
	.name = "gets_there", .rows = "", .topologies = "none", .story = "", .nr_threads = 2,
	.bound = 2, .lockless = true, .setup = setup,
	.thread = { lockless_if_written, write_one },
};

static const struct schedule_scenario program_two = {
	.name = "program_two", .rows = "", .topologies = "none", .story = "", .nr_threads = 2,
	.bound = 2, .setup = setup_program, .thread = { program_0, program_1 },
	.check = program_ends,
};

static const struct schedule_scenario program_three = {
	.name = "program_three", .rows = "", .topologies = "none", .story = "", .nr_threads = 3,
	.bound = 2, .setup = setup_program, .thread = { program_0, program_1, program_2 },
	.check = program_ends,
};

const struct schedule_scenario *const schedule_scenarios[] = {
	&writes, &reads, &updates, &apart, &three, &abba, &abab, &read_lock_twice, &bit_abba,
	&lost_wakeup, &good_wakeup, &polling, &polling_two, &polling_for_ever, &rcu,
	&rcu_synchronize, &rcu_too_early, &rcu_too_long, &rcu_too_long_synchronize,
	&rcu_forgotten, &write_after_free, &typesafe_again, &typesafe_gone, &typesafe_good,
	&missed_update, &good_update, &stages, &gets_there,
	&program_two, &program_three, NULL
};
