/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_CHECK_H
#define USERMM_CHECK_H
/*
 * The random driver behind "anonrmap check": many processes do everything that
 * usermm.h offers, with sensible and with nasty arguments, and everything that can
 * be checked is checked.
 */
#include "usermm.h"

/**
 * struct um_check_options - what to do
 * @seed: with @threads of 1 the same seed does the same operations
 * @ops: how many operations, of all threads together
 * @threads: 0 and 1: one, and full checks after each operation. More: bursts of
 *	operations by so many threads, with reclaim, migration and KSM at work in the
 *	background, and full checks between the bursts, when all stand still
 * @topology: its name; NULL: "regular"
 * @check: for one thread: after each operation
 * @log: findings, the command that repeats them, and with @verbose all operations;
 *	NULL: stderr
 * @verbose: print each operation before it is done
 * @faults: with one thread: try each call with each of its allocations failing, before it
 *	is done; see check_faults.h
 * @deadline: no operation begins after this, but the first; of CLOCK_MONOTONIC, in
 *	nanoseconds. 0: none. Several threads do some more, so that there is something
 *	to check when they stop
 * @stop: as if the deadline had come, once it is not 0; read atomically. NULL: none
 */
struct um_check_options {
	uint64_t seed;
	uint64_t ops;
	unsigned int threads;
	const char *topology;
	enum um_check check;
	FILE *log;
	bool verbose;
	bool faults;
	uint64_t deadline;
	const int *stop;
};

/**
 * struct um_check_result - what came out
 * @stats: at the end, before the last processes exited
 * @findings: how many
 * @ops: operations done; fewer than asked for when there were findings, or @cut_short
 * @cut_short: the deadline, or @stop, has come first. With one thread, it has been the same as a run of
 *	@ops operations without a deadline
 * @injected: with faults: allocations that were made to fail
 * @denied: with faults: calls that have failed with -ENOMEM by that
 * @most: with faults: how often the call that has failed most often has
 */
struct um_check_result {
	struct um_stats stats;
	uint64_t findings;
	uint64_t ops;
	uint64_t injected, denied;
	unsigned int most;
	bool cut_short;
};

/**
 * um_check_run - do it
 * @options: what to do
 * @result: out
 *
 * Context: a registered thread. Returns 0, -EIO when there were findings, -EINVAL for
 * an unknown topology, faults with several threads, or -ENOMEM.
 */
int um_check_run(const struct um_check_options *options, struct um_check_result *result);

#endif
