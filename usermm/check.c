// SPDX-License-Identifier: GPL-2.0
/*
 * The random driver behind "anonrmap check"
 *
 * One thread: everything is checked after each operation, and the first finding
 * ends the run, so that it is known which operation it was.
 *
 * Several threads: in bursts. They share two address spaces, in which each has its own arena,
 * and have others of their own, mostly children of the shared ones. In the background pages are
 * reclaimed, migrated, aged and merged, but for the last part of a burst: reclaim would leave
 * nothing mapped. Between bursts everybody has stopped, and all of the world is checked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <kshim/thread.h>
#include "check_ops.h"

#define ARENA_START	0x100000000000UL
#define ARENA_PAGES	4096UL
/* Half of what lies between two arenas keeps stacks, which want a gap, apart. */
#define ARENA_STRIDE	(2 * ARENA_PAGES * UM_PAGE_SIZE)
#define SHARED_MMS	2
#define BURST		200		/* operations of a thread */
#define QUIET		50		/* of them, the last ones, with nothing in the background */
#define WORLD_PAGES	8192UL		/* so few that memory is short at times */
#define WORLD_PAGES_THREAD 6144UL	/* and for each thread more */
#define CHECK_ALL_EVERY	64		/* one thread: operations between looks at everything */
#define MAX_THREADS	64

struct background {
	struct checker *checker;
	uint64_t random;
	long (*work)(struct um_world *world, long pages);
	bool stop;			/* accessed atomically */
	struct kshim_thread *thread;
};

/* -- Setting up -------------------------------------------------------------------- */

static int make_world(struct checker *checker)
{
	const struct um_check_options *options = checker->options;
	bool alone = checker->threads == 1;
	struct um_config config = {
		.topology = options->topology,
		.check = alone ? options->check : UM_CHECK_OFF,
		.model = true,
		.invariants = alone && options->check == UM_CHECK_FULL,
		.seed = options->seed,
		.max_pages = WORLD_PAGES + (checker->threads - 1) * WORLD_PAGES_THREAD,
		.log = checker->log,
	};
	static const enum um_file_kind kinds[CHECK_FILES] = {
		UM_FILE_REGULAR, UM_FILE_REGULAR, UM_FILE_REGULAR, UM_FILE_SHM, UM_FILE_SHM,
		UM_FILE_ZERO, UM_FILE_ZERO, UM_FILE_DEVICE,
	};
	int i, err;

	err = um_world_create(&config, &checker->world);
	if (err)
		return err;
	/* A world of the same topology may have been there before. */
	um_stats_reset_peaks(checker->world);
	for (i = 0; i < CHECK_FILES; i++) {
		checker->files[i] = um_file_create(checker->world, kinds[i]);
		if (!checker->files[i])
			return -ENOMEM;
	}
	return 0;
}

/* Returns the findings that were made. */
static uint64_t end_world(struct checker *checker)
{
	uint64_t findings;
	int i;

	if (!checker->world)
		return 0;
	for (i = 0; i < CHECK_FILES; i++)
		if (checker->files[i])
			um_file_put(checker->files[i]);
	findings = um_findings(checker->world);
	if (um_world_destroy(checker->world))
		findings++;
	return findings;
}

static void init_actor(struct check_actor *actor, struct checker *checker, unsigned int id)
{
	actor->checker = checker;
	actor->id = id;
	actor->arena.start = ARENA_START + id * ARENA_STRIDE;
	actor->arena.pages = ARENA_PAGES;
	/* A thread of its own in each seed; the first one's numbers are those of one thread. */
	check_random_seed(actor, checker->options->seed + id * UINT64_C(0x9e3779b97f4a7c15));
}

static void end_actor(struct check_actor *actor)
{
	int i;

	for (i = 0; i < CHECK_MM_SLOTS; i++) {
		struct check_mm *proc = &actor->mms[i];

		for (; proc->mm && proc->users; proc->users--)
			um_exit(proc->mm);
		proc->mm = NULL;
	}
}

static bool time_is_up(const struct checker *checker)
{
	const int *stop = checker->options->stop;
	struct timespec now;

	if (stop && __atomic_load_n(stop, __ATOMIC_RELAXED))
		return true;
	if (!checker->options->deadline)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec >= checker->options->deadline;
}

static void print_repeat(const struct checker *checker, const struct check_actor *actor)
{
	const struct um_check_options *options = checker->options;
	uint64_t all = 0;
	unsigned int i;

	for (i = 0; i < checker->threads; i++)
		all += actor[i].ops;
	fprintf(checker->log,
		"finding after operation %llu of thread %u; to repeat:\n"
		"anonrmap check --seed %llu --ops %llu --threads %u --topology %s%s\n",
		(unsigned long long)actor->ops, actor->id, (unsigned long long)options->seed,
		(unsigned long long)(checker->cut_short ? all : options->ops),
		checker->threads,
		options->topology ? options->topology : "regular",
		options->faults ? " --faults" : "");
	fflush(checker->log);
}

/* -- One thread -------------------------------------------------------------------- */

static int run_alone(struct checker *checker, struct check_actor *actor)
{
	bool last = !checker->options->ops;
	int err = 0;

	while (!last && !err) {
		err = check_need_mm(actor);
		if (err)
			break;
		check_op(actor);
		last = actor->ops == checker->options->ops;
		checker->cut_short = !last && time_is_up(checker);
		last |= checker->cut_short;
		if (actor->ops % CHECK_ALL_EVERY == 0 || last)
			um_check_all(checker->world);
		if (um_findings(checker->world))
			err = -EIO;
	}
	if (err == -EIO)
		print_repeat(checker, actor);
	return err;
}

/* -- Several threads --------------------------------------------------------------- */

static void background_run(void *arg)
{
	struct background *background = arg;

	while (!__atomic_load_n(&background->stop, __ATOMIC_RELAXED))
		background->work(background->checker->world, 32);
}

/* Operations of each thread: all of them together are no fewer than were asked for. */
static uint64_t share_of(const struct checker *checker)
{
	return (checker->options->ops + checker->threads - 1) / checker->threads;
}

/*
 * Up to @actor->until; less if there is no memory for an address space, or the time is up
 * while there is still the part that leaves pages to be checked.
 */
static void actor_run(void *arg)
{
	struct check_actor *actor = arg;

	while (actor->ops < actor->until) {
		if (check_need_mm(actor))
			return;
		check_op(actor);
		if (!actor->quiet && time_is_up(actor->checker))
			return;
	}
}

/* Each thread does its next @ops operations, or what is left of its share. */
static int run_actors(struct checker *checker, struct check_actor *actors, uint64_t ops,
		      bool quiet)
{
	struct kshim_thread *threads[MAX_THREADS] = { NULL };
	uint64_t share = share_of(checker);
	unsigned int i;
	int err = 0;

	for (i = 0; i < checker->threads; i++) {
		actors[i].quiet = quiet;
		actors[i].until = actors[i].ops + ops < share ? actors[i].ops + ops : share;
		threads[i] = kshim_thread_create(actor_run, &actors[i], "check");
		err = threads[i] ? err : -ENOMEM;
	}
	for (i = 0; i < checker->threads; i++)
		if (threads[i])
			kshim_thread_join(threads[i]);
	return err;
}

/* Operations that all threads have done; and how many are left for whom most are left for. */
static uint64_t ops_done(const struct checker *checker, const struct check_actor *actors,
			 uint64_t *left)
{
	uint64_t share = share_of(checker), done = 0;
	unsigned int i;

	*left = 0;
	for (i = 0; i < checker->threads; i++) {
		done += actors[i].ops;
		if (share - actors[i].ops > *left)
			*left = share - actors[i].ops;
	}
	return done;
}

static int run_burst(struct checker *checker, struct check_actor *actors, uint64_t left)
{
	struct background background[] = {
		{ .work = um_reclaim }, { .work = um_migrate }, { .work = um_ksm_scan },
		{ .work = um_age },
	};
	const size_t nr = sizeof(background) / sizeof(background[0]);
	uint64_t quiet = left < BURST ? (left + 3) / 4 : QUIET;
	unsigned int i;
	int err = 0;

	for (i = 0; i < nr; i++) {
		background[i].checker = checker;
		background[i].thread = kshim_thread_create(background_run, &background[i],
							   "kernel");
		err = background[i].thread ? err : -ENOMEM;
	}
	if (!err)
		err = run_actors(checker, actors, (left < BURST ? left : BURST) - quiet, false);
	for (i = 0; i < nr; i++) {
		__atomic_store_n(&background[i].stop, true, __ATOMIC_RELAXED);
		if (background[i].thread)
			kshim_thread_join(background[i].thread);
	}
	return err ? err : run_actors(checker, actors, quiet, true);
}

/* Address spaces that all threads use, each in its arena. */
static int make_shared(struct checker *checker, struct check_actor *actors)
{
	struct mm_struct *mm;
	unsigned int i, j;
	int err;

	for (j = 0; j < SHARED_MMS; j++) {
		err = um_mm_create(checker->world, &mm);
		if (err)
			return err;
		for (i = 0; i < checker->threads; i++) {
			if (i)
				um_share(mm);
			actors[i].mms[j] = (struct check_mm) {
				.mm = mm, .users = 1, .shared = true };
		}
		/* There is one heap, so that one thread has it. */
		actors[0].mms[j].has_heap = !um_brk_init(mm, 0x600000000000UL);
	}
	return 0;
}

static int run_threads(struct checker *checker, struct check_actor *actors)
{
	uint64_t before, done = 0, left = share_of(checker);
	int err = make_shared(checker, actors);

	while (!err && left && !checker->cut_short) {
		before = done;
		err = run_burst(checker, actors, left);
		if (!err && um_check_all(checker->world))
			err = -EIO;
		if (um_findings(checker->world))
			err = -EIO;
		done = ops_done(checker, actors, &left);
		checker->cut_short = left && time_is_up(checker);
		/* Nobody has got an address space, and nobody is left who would free one. */
		if (!err && done == before && !checker->cut_short)
			err = -ENOMEM;
	}
	if (err == -EIO)
		print_repeat(checker, actors);
	return err;
}

/* -- All --------------------------------------------------------------------------- */

int um_check_run(const struct um_check_options *options, struct um_check_result *result)
{
	struct checker checker = {
		.options = options,
		.log = options->log ? options->log : stderr,
		.threads = options->threads ? options->threads : 1,
	};
	struct check_actor *actors;
	unsigned int i;
	int err;

	memset(result, 0, sizeof(*result));
	if (checker.threads > MAX_THREADS || (options->faults && checker.threads > 1))
		return -EINVAL;
	actors = calloc(checker.threads, sizeof(*actors));
	if (!actors)
		return -ENOMEM;
	err = make_world(&checker);
	for (i = 0; !err && i < checker.threads; i++)
		init_actor(&actors[i], &checker, i);
	if (!err)
		err = checker.threads == 1 ? run_alone(&checker, actors) :
					     run_threads(&checker, actors);

	if (checker.world)
		um_stats(checker.world, &result->stats);
	for (i = 0; i < checker.threads; i++) {
		end_actor(&actors[i]);
		result->ops += actors[i].ops;
	}
	result->injected = checker.injected;
	result->denied = checker.denied;
	result->most = checker.most;
	result->cut_short = checker.cut_short;
	result->findings = end_world(&checker);
	if (!err && result->findings)
		err = -EIO;
	free(actors);
	return err;
}
