// SPDX-License-Identifier: GPL-2.0
/* The replayer: a trace's events, one after the other, and pressure in between. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "replay_world.h"

#define INTERVAL	64	/* events between rounds of pressure and reading */
#define READS		8	/* pages read in each round */
#define READ_BACK	4	/* and one of so many that were swapped out in it */
#define RECLAIM_BATCH	32	/* pages looked at in one go, at least */
#define PROGRESS_MASK	1023
#define NOTE_MMS	64	/* address spaces up to which each event is worth counting */
#define FULL_CHECKS	16	/* looks at everything, in a trace of known length */
#define FULL_EVENTS	4096	/* events between that in one of unknown length */

/* What a page frame of the world takes, with its share of page tables and models. */
#define BYTES_PER_PAGE	512

uint64_t replay_random(struct replay *r, uint64_t below)
{
	/* splitmix64, by S. Vigna: small, and good enough to pick samples. */
	uint64_t z = r->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

void replay_skip(struct replay *r, enum replay_skip why, uint64_t count)
{
	r->res->skipped[why] += count;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

/* Half of this machine's memory, so that a trace from a larger one ends in a message. */
static uint64_t default_max_pages(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t max = UINT64_C(64) << 20;

	if (pages > 0 && size > 0 && (uint64_t)pages * size / 2 / BYTES_PER_PAGE < max)
		max = (uint64_t)pages * size / 2 / BYTES_PER_PAGE;
	return max;
}

/*
 * Numbers that only change when processes are made or end. Counting them takes a
 * look at each process: with many, not every time.
 */
static void note_processes(struct replay *r)
{
	struct replay_result *res = r->res;
	struct um_stats s;

	if (r->note_in) {
		r->note_in--;
		return;
	}
	um_stats(r->world, &s);
	r->note_in = s.mms / NOTE_MMS;
	if (s.anon_vmas_dead > res->dead_peak)
		res->dead_peak = s.anon_vmas_dead;
	if (s.objects[UM_OBJ_ANON_VMA].live <= res->most_anon_vmas)
		return;
	res->most_anon_vmas = s.objects[UM_OBJ_ANON_VMA].live;
	res->most_anon_vmas_mms = s.mms;
	res->most_anon_vmas_dead = s.anon_vmas_dead;
}

static int one_event(struct replay *r, const struct trace_event *ev)
{
	struct replay_space *space;
	int ret;

	switch (ev->kind) {
	case TRACE_PROC_START:
		ret = replay_start(r, ev);
		break;
	case TRACE_FORK:
		ret = replay_fork(r, ev);
		break;
	case TRACE_SHARE:
		ret = replay_share(r, ev);
		break;
	case TRACE_EXEC:
		/* Just before an address space goes there are most of everything. */
		note_processes(r);
		ret = replay_exec(r, ev);
		break;
	case TRACE_EXIT:
		note_processes(r);
		ret = replay_exit(r, ev);
		break;
	case TRACE_UNSUPPORTED:
		if (ev->unsupported.kind == TRACE_UNSUPPORTED_ABI)
			return replay_foreign(r, ev);
		replay_skip(r, REPLAY_SKIP_UNSUPPORTED, 1);
		return 0;
	case TRACE_FILE:
		return replay_file(r, ev);
	default:
		/* Processes that have exited have no further events: the reader checks. */
		space = r->procs[ev->proc];
		if (ev->kind == TRACE_TOUCH)
			return replay_touch(r, space, ev);
		return replay_call(r, space, ev);
	}
	if (!ret)
		note_processes(r);
	return ret;
}

static long percent(uint64_t pages, unsigned int of)
{
	uint64_t n = pages / 100 * of + pages % 100 * of / 100;

	/* A little of a little is still something. */
	return n || !pages ? n : 1;
}

/*
 * Swap out so many pages. Pages that were used since they were last looked at are
 * spared once, so more are looked at; but not for ever, as some cannot go.
 */
static long reclaim(struct replay *r, long pages, uint64_t in_use)
{
	uint64_t looked = 0;
	long freed = 0;

	while (freed < pages && looked < 2 * in_use + RECLAIM_BATCH) {
		long n = pages - freed > RECLAIM_BATCH ? pages - freed : RECLAIM_BATCH;

		freed += um_reclaim(r->world, n);
		looked += n;
	}
	return freed;
}

/* What memory pressure would do now, and a look at what programs would read after it. */
static void pressure(struct replay *r)
{
	const struct replay_options *opt = r->opt;
	struct um_stats s;
	long freed = 0;

	if (opt->reclaim || opt->migrate)
		um_stats(r->world, &s);
	if (opt->reclaim)
		freed = reclaim(r, percent(s.pages, opt->reclaim), s.pages);
	if (opt->migrate)
		r->res->migrated += um_migrate(r->world, percent(s.pages, opt->migrate));
	r->res->reclaimed += freed;
	/* Some of what has gone comes back, by whichever process. */
	if (opt->check != UM_CHECK_OFF)
		replay_read_samples(r, READS + freed / READ_BACK);
}

/* Every page of every process, besides those that the last operation has touched. */
static bool full_check_due(const struct replay *r)
{
	uint64_t every = r->opt->total ? r->opt->total / FULL_CHECKS : FULL_EVENTS;

	return r->opt->check == UM_CHECK_FULL && r->res->events % (every ? every : 1) == 0;
}

static int replay_events(struct replay *r, struct trace_reader *reader)
{
	const struct replay_options *opt = r->opt;
	unsigned int interval = opt->interval ? opt->interval : INTERVAL;
	struct replay_result *res = r->res;
	struct trace_event ev;
	int ret, bad = 0;

	while ((ret = trace_next(reader, &ev)) == 1) {
		if (ev.kind == TRACE_END)
			continue;
		bad = one_event(r, &ev);
		res->events++;
		if (bad)
			break;
		if (res->events % interval == 0)
			pressure(r);
		if (full_check_due(r))
			um_check_all(r->world);
		if (opt->progress && !(res->events & PROGRESS_MASK))
			opt->progress(opt->arg, res->events, opt->total);
	}
	if (bad) {
		snprintf(res->error, sizeof(res->error), "event %llu (%s): %s",
			 (unsigned long long)res->events, trace_kind_name(ev.kind),
			 bad == -ENOMEM ? "out of memory: this trace needs more pages than "
					  "the replay may have here" : strerror(-bad));
		return bad;
	}
	if (ret)
		snprintf(res->error, sizeof(res->error), "%s", trace_error(reader));
	res->truncated = ret == TRACE_TRUNCATED;
	return res->truncated ? 0 : ret;
}

static int make_world(struct replay *r)
{
	const struct replay_options *opt = r->opt;
	struct um_config config = {
		.topology = opt->topology,
		.check = opt->check,
		.model = opt->check != UM_CHECK_OFF,
		.seed = opt->seed,
		.max_pages = opt->max_pages ? opt->max_pages : default_max_pages(),
		.log = opt->log,
	};
	int ret = um_world_create(&config, &r->world);

	if (!ret)
		um_stats_reset_peaks(r->world);
	for (unsigned int i = 0; !ret && i < REPLAY_NR_SPECIAL; i++) {
		r->special[i] = um_file_create(r->world, UM_FILE_DEVICE);
		if (!r->special[i])
			ret = -ENOMEM;
	}
	if (ret)
		snprintf(r->res->error, sizeof(r->res->error), "cannot make a world: %s",
			 strerror(-ret));
	return ret;
}

static void end_world(struct replay *r)
{
	if (!r->world)
		return;
	replay_exit_all(r);
	for (uint32_t i = 0; i < r->nfiles; i++)
		um_file_put(r->files[i]);
	for (unsigned int i = 0; i < REPLAY_NR_SPECIAL; i++)
		if (r->special[i])
			um_file_put(r->special[i]);
	/* Ending the processes is checked, too. */
	r->res->findings = um_findings(r->world);
	r->res->leaks = um_world_destroy(r->world) != 0;
	r->res->findings += r->res->leaks;
}

static int replay(struct replay *r, struct trace_reader *reader)
{
	const struct trace_header *head = trace_header(reader);
	uint64_t began;
	int ret;

	r->scale = head->page_size / UM_PAGE_SIZE;
	r->huge_pages = head->huge_pages;
	ret = make_world(r);
	if (!ret) {
		began = now_ns();
		ret = replay_events(r, reader);
		r->res->ns = now_ns() - began;
		if (r->opt->check != UM_CHECK_OFF)
			um_check_all(r->world);
		um_stats(r->world, &r->res->stats);
	}
	end_world(r);
	free(r->procs);
	free(r->files);
	free(r->vmas);
	return ret;
}

int history_replay(const char *path, const struct replay_options *opt,
		   struct replay_result *res)
{
	struct trace_reader *reader;
	struct replay *r;
	int ret;

	memset(res, 0, sizeof(*res));
	if (!um_topology_exists(opt->topology) || opt->reclaim > 100 || opt->migrate > 100) {
		snprintf(res->error, sizeof(res->error), "unknown topology or bad percentage");
		return -EINVAL;
	}
	ret = trace_open(path, &reader, res->error, sizeof(res->error));
	if (ret)
		return ret;
	r = calloc(1, sizeof(*r));
	if (r) {
		r->opt = opt;
		r->res = res;
		r->rng = opt->seed;
		um_thread_register();
		ret = replay(r, reader);
		um_thread_unregister();
		free(r);
	} else {
		snprintf(res->error, sizeof(res->error), "out of memory");
		ret = -ENOMEM;
	}
	trace_close(reader);
	return ret;
}
