/* SPDX-License-Identifier: GPL-2.0 */
/* Recording what a command and its descendants do to their address spaces. */
#ifndef HISTORY_RECORD_H
#define HISTORY_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct record_options {
	const char *path;		/* trace file to write */
	unsigned int scan_ms;		/* shortest time between full scans, 0: 50 */
	bool no_scan_ioctl;		/* read pagemap even if PAGEMAP_SCAN works */
	bool no_frames;			/* behave as if frame numbers were hidden */
	/* The command ended a second ago, and so many processes live on; may be NULL. */
	void (*outlived)(unsigned int procs);
};

struct record_result {
	int status;			/* of the command, as a shell would give it */
	uint64_t events;
	uint64_t procs;
	uint64_t threads;		/* besides each process's first */
	uint64_t wall_ns;
	uint64_t recorder_ns;		/* CPU time used by the recorder */
	uint64_t stops;
	uint64_t scans;
	uint64_t scan_ns;
	uint64_t lost_procs;		/* ran without being recorded */
	uint64_t programs32;		/* execs of programs for another ABI: not recorded */
	uint32_t flags;			/* TRACE_F_* as written to the trace */
	char error[256];		/* one line, "" if nothing went wrong */
};

/**
 * history_record - run a command and record it
 * @opt: options
 * @argv: the command, NULL terminated, looked up in PATH
 * @res: gets what there is to tell, also on error
 *
 * Returns when the command and everything that it started are gone. Call it
 * from a single-threaded process without children or timers of its own: it
 * waits for any child and uses SIGALRM. While it runs, SIGINT and SIGQUIT are
 * ignored (the command gets them from the terminal), SIGTERM and SIGHUP are
 * passed on to the command; the former handlers are put back. When the command has ended
 * and others live on, the first of these four signals sends them SIGTERM, the next SIGKILL.
 *
 * If the command cannot be started, 0 is returned with status 127 (not found)
 * or 126 (not executable), @res->error says why, and a file that was there before is as it
 * was: the trace is made, or emptied, when the command's program has been loaded.
 *
 * Return: 0; -EPERM, -ENOSYS or another -errno if the system does not permit
 * recording; the -errno of writing the trace (the command has run to its end
 * then); @res->error names what is missing.
 */
int history_record(const struct record_options *opt, char *const argv[],
		   struct record_result *res);

#endif /* HISTORY_RECORD_H */
