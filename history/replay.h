/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replaying a trace: its events, in order, by one thread, to the address spaces
 * of a simulated world. The same trace and options give the same counts every
 * time.
 */
#ifndef HISTORY_REPLAY_H
#define HISTORY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "trace.h"
#include "usermm.h"

/* What a trace holds, whatever it is replayed on. */
struct replay_facts {
	uint64_t events;		/* END apart */
	uint64_t processes;		/* the root, and those that FORK and SHARE made */
	uint64_t alive;			/* most of them at one time */
	uint64_t forks;			/* FORK events */
	uint64_t shares;		/* SHARE events: vfork() and the like */
	uint64_t execs;
	uint64_t faults;		/* touches, a huge page counting as one */
	uint64_t pages;			/* touches, a huge page counting as its pages */
	uint32_t page_size;
	char command[256];		/* cut if longer; what is no ASCII text is '?' */
	bool truncated;			/* no END: end is zero */
	struct trace_summary end;
	char warning[192];		/* one line if truncated, else "" */
};

/* Why pages or events of the trace did not become anything in the world. */
enum replay_skip {
	REPLAY_SKIP_UNMAPPED,		/* pages touched where nothing is mapped */
	REPLAY_SKIP_DENIED,		/* pages touched where no access is permitted */
	REPLAY_SKIP_POISONED,		/* pages touched that are lost to memory failure */
	REPLAY_SKIP_REFUSED,		/* calls that the world refused */
	REPLAY_SKIP_UNSUPPORTED,	/* calls that the recorder could not follow */
	REPLAY_SKIP_FOREIGN,		/* programs for another ABI: empty address spaces */
	REPLAY_NR_SKIP,
};

struct replay_options {
	const char *topology;
	enum um_check check;
	unsigned int reclaim;		/* percent of the pages in use at each interval, 0..100 */
	unsigned int migrate;
	unsigned int interval;		/* events; 0: 64 */
	uint64_t seed;			/* for what is sampled */
	uint64_t max_pages;		/* of the world; 0: what half of this machine can hold */
	FILE *log;			/* findings; NULL: stderr */
	/* Called now and then; total is 0 if the caller did not give it. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	uint64_t total;			/* events in the trace, if known */
};

struct replay_result {
	/* At the end of the trace, before anything is torn down. Peaks: over all of it. */
	struct um_stats stats;
	uint64_t events;		/* replayed, END apart */
	uint64_t repaired;		/* calls that only fitted after something gave way */
	uint64_t skipped[REPLAY_NR_SKIP];
	/* When there were most anon_vmas, seen at events that make or end processes. */
	uint64_t most_anon_vmas;
	uint64_t most_anon_vmas_mms;	/* mms alive then */
	uint64_t most_anon_vmas_dead;	/* anon_vmas without an mm then */
	uint64_t dead_peak;		/* most anon_vmas without an mm */
	uint64_t reclaimed, migrated;	/* pages, by the pressure asked for */
	uint64_t findings;		/* all of them, leaks at the end included */
	uint64_t leaks;			/* 1 if something was left when all had ended */
	uint64_t ns;			/* wall time, teardown apart */
	bool truncated;
	char error[256];		/* one line if an error is returned, or the trace is cut */
};

/**
 * history_replay_facts - read a trace from end to end
 * @path: trace file
 * @facts: gets what it holds; of a truncated trace, what can be read
 * @err: gets one line on failure
 * @errlen: room in @err
 *
 * Return: 0 (also for a trace that is truncated after its header), what
 * trace_open() or trace_next() returned otherwise.
 */
int history_replay_facts(const char *path, struct replay_facts *facts, char *err, size_t errlen);

/**
 * history_replay - replay a trace on one topology
 * @path: trace file
 * @opt: options
 * @res: gets the result, also on error
 *
 * Findings of the checks are counted in @res and are no error, nor are events
 * that do not fit: recordings of threads that run at the same time may have
 * them in another order than the kernel did. They are repaired or skipped,
 * and counted. A truncated trace is replayed as far as it goes.
 *
 * Registers the calling thread with the world for as long as it runs. One
 * replay at a time in a process: what is counted is shared by all worlds.
 *
 * Return: 0; what trace_open() or trace_next() returned; -EINVAL for an
 * unknown topology or a percentage above 100; -ENOMEM if the world needs more
 * pages than it may have, or there is no memory.
 */
int history_replay(const char *path, const struct replay_options *opt,
		   struct replay_result *res);

#endif /* HISTORY_REPLAY_H */
