/* SPDX-License-Identifier: GPL-2.0 */
/* What the subcommands share. */
#ifndef CLI_H
#define CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "report.h"

/* Exit statuses, besides the recorded command's own. */
enum cli_status {
	CLI_OK = 0,
	CLI_FINDING = 1,	/* a walk missed a mapping, or an invariant broke */
	CLI_BAD_INPUT = 2,	/* usage, files that cannot be read or written */
	CLI_CANNOT = 3,		/* not on this machine */
	CLI_NOT_EXECUTABLE = 126,
	CLI_NOT_FOUND = 127,
};

/* Subcommands: argv[0] is "anonrmap NAME". Each returns the exit status. */
int cli_run(int argc, char **argv);
int cli_record(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_show(int argc, char **argv);

/* options.c */

/* Options that replays have in common. */
struct cli_replay_options {
	char *topologies[REPORT_TOPOLOGIES];
	size_t ntopologies;
	bool check_given;
	enum um_check check;
	unsigned int reclaim, migrate;
	bool json;
};

/* For .children of a struct argp; the input is a struct cli_replay_options. */
extern const struct argp cli_replay_argp;

/**
 * cli_topologies - parse a list of topologies
 * @text: names with commas between them; changed
 * @names: gets the names, which point into @text; room for REPORT_TOPOLOGIES
 * @count: gets how many
 *
 * Return: NULL, or what is wrong.
 */
const char *cli_topologies(char *text, char **names, size_t *count);

/* message.c */

/**
 * cli_error - print "anonrmap: ..." on stderr
 * @fmt: as for printf(3), without a newline
 */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * cli_flush - make sure that what was printed has arrived
 * @out: stream
 * @name: what to call it
 *
 * Return: CLI_OK, or CLI_BAD_INPUT with a message.
 */
int cli_flush(FILE *out, const char *name);

/**
 * cli_colour - whether to use colours on a stream
 * @out: stream
 *
 * On a terminal only, and not if NO_COLOR is set (see no-color.org).
 */
bool cli_colour(FILE *out);

/**
 * cli_progress - show how far something is, on stderr if that is a terminal
 * @what: what is being done; NULL wipes the line
 * @done: how much is done
 * @total: of how much; 0: not known
 */
void cli_progress(const char *what, uint64_t done, uint64_t total);

/* findings.c */

/**
 * cli_findings_open - a stream for findings
 *
 * Only the first ones reach stderr. One at a time.
 *
 * Return: stream, or NULL if there is no memory: use stderr.
 */
FILE *cli_findings_open(void);

/**
 * cli_findings_close - no more findings; say how many were not shown
 * @log: stream or NULL
 */
void cli_findings_close(FILE *log);

/* compare.c */

/**
 * cli_trace_status - exit status for an error of reading a trace or replaying it
 * @error: -errno
 */
int cli_trace_status(int error);

/**
 * cli_compare - replay a trace on one topology after the other
 * @path: trace
 * @name: what to call it in messages
 * @opt: options
 * @report: gets the results
 *
 * Return: exit status; @report is complete with CLI_OK and CLI_FINDING, else
 * @report->error and a message on stderr say what is wrong.
 */
int cli_compare(const char *path, const char *name, const struct cli_replay_options *opt,
		struct report *report);

/* recording.c */

/**
 * cli_recording - record a command; messages on stderr
 * @path: trace to write
 * @kept: it stays, also if it is not complete
 * @argv: command
 * @res: gets the result
 * @failed: gets whether there is no (complete) trace: return the status at once
 *
 * Return: exit status: the command's, or why there is no trace.
 */
int cli_recording(const char *path, bool kept, char **argv, struct record_result *res,
		  bool *failed);

/* schedules.c */

/* Options of the program that chooses schedules. The input, a const char *: one that was given. */
extern const struct argp cli_schedules_argp;

/**
 * cli_schedules - become that program
 * @argv: its arguments
 *
 * Return: exit status, if that was not possible; with a message.
 */
int cli_schedules(char **argv);

#endif /* CLI_H */
