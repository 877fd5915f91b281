// SPDX-License-Identifier: GPL-2.0
/*
 * A schedule once more, and what its threads did on the way
 *
 * The process that runs it writes one line for each access, with an address of code. Here
 * these become functions and lines, by addr2line(1) where there is one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "jobs.h"

struct attempt {
	const struct schedule *schedule;
	struct outcome *outcome;
	int out;			/* where its trace goes; -1: none is wanted */
};

static void try_schedule(void *arg)
{
	struct attempt *attempt = arg;

	if (attempt->out >= 0)
		dup2(attempt->out, STDOUT_FILENO);
	run_prepare(attempt->schedule->scenario, attempt->schedule->topology, attempt->outcome);
	follow(attempt->schedule->segments, attempt->schedule->nr, attempt->out >= 0);
}

/* One process that answers for all: a block for each address, each with a line before it. */
static FILE *names_of(const char *trace_path)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "sed -n 's/.* @\\([0-9a-f,]*\\) .*/\\1/p' %s | tr , '\\n' | "
		 "addr2line -a -f -i -p -e /proc/%d/exe 2>/dev/null", trace_path, (int)getpid());
	return popen(command, "r");
}

/*
 * "function at path:line", from wherever it is in a line of addr2line; false for the
 * shim's and ours.
 */
static bool tidy_name(const char *line, char *name, size_t room)
{
	const char *text = strstr(line, "(inlined by) "), *at, *file, *slash;

	text = text ? text + strlen("(inlined by) ") : strstr(line, ": ") + 2;
	at = strstr(text, " at ");
	if (!at || strstr(at, "/kshim/") || strstr(at, "/follow.c:") || strstr(at, "/turns.c:") ||
	    strstr(at, " at ?"))
		return false;
	file = at + 4;
	slash = strrchr(file, '/');
	file = slash ? slash + 1 : file;
	snprintf(name, room, "%.*s() %.*s", (int)(at - text), text, (int)strcspn(file, " \n"), file);
	return true;
}

/* The answers for @nr addresses: the first two functions that are not the shim's, or ours. */
static void read_names(FILE *names, unsigned int nr, char *name, size_t room)
{
	static char line[1024];
	unsigned int found = 0;
	char one[256];

	name[0] = '\0';
	while (line[0] || fgets(line, sizeof(line), names)) {
		if (!strncmp(line, "0x", 2) && !nr--)
			return;		/* that is the next one's */
		if (strstr(line, " at ") && found < 2 && tidy_name(line, one, sizeof(one)))
			snprintf(name + strlen(name), room - strlen(name), "%s%s",
				 found++ ? " < " : "", one);
		line[0] = '\0';
	}
}

static unsigned int nr_addresses(const char *text)
{
	unsigned int nr = 1;

	for (; *text && *text != ' '; text++)
		nr += *text == ',';
	return nr;
}

static void print_trace(FILE *trace, const char *path)
{
	FILE *names = names_of(path);
	char line[512], name[512];
	unsigned int last = ~0U;

	while (fgets(line, sizeof(line), trace)) {
		char *at = strstr(line, " @");
		unsigned int thread = line[0] - '0';

		line[strcspn(line, "\n")] = '\0';
		if (thread != last)
			printf("thread %u\n", thread);
		last = thread;
		if (!at) {
			printf("  %s\n", line + 2);
			continue;
		}
		*at = '\0';
		name[0] = '\0';
		if (names)
			read_names(names, nr_addresses(at + 2), name, sizeof(name));
		printf("  %-8s%s\n          %s\n", line + 2, strchr(at + 2, ' '), name);
	}
	if (names)
		pclose(names);
}

static struct schedule *parse(const char *text)
{
	struct schedule *schedule = malloc(sizeof(*schedule));
	const char *bad = schedule ? schedule_parse(text, schedule) : "out of memory";

	if (!bad)
		return schedule;
	fprintf(stderr, "anonrmap: schedule %s: %s\n", text, bad);
	free(schedule);
	return NULL;
}

int replay(const char *text, bool json)
{
	struct schedule *schedule = parse(text);
	struct attempt attempt = { .schedule = schedule, .out = -1 };
	char path[] = "/tmp/anonrmap-trace-XXXXXX", *again;
	FILE *trace;
	int status;

	if (!schedule)
		return STATUS_USAGE;
	attempt.outcome = jobs_outcome();
	attempt.out = json ? -1 : mkstemp(path);
	if (!attempt.outcome || (!json && attempt.out < 0)) {
		fprintf(stderr, "anonrmap: no memory, or no room in /tmp\n");
		free(schedule);
		return STATUS_CANNOT;
	}
	jobs_isolated(try_schedule, &attempt, attempt.outcome);
	if (!json) {
		trace = fopen(path, "r");
		if (trace) {
			print_trace(trace, path);
			fclose(trace);
		}
		close(attempt.out);
		unlink(path);
	}
	again = schedule_text(schedule->scenario, schedule->topology, attempt.outcome);
	status = report_schedule(again, attempt.outcome, json);
	free(again);
	free(schedule);
	return status;
}

int minimise_text(const char *text, bool json)
{
	struct schedule *schedule = parse(text);
	struct outcome *outcome;
	char *shorter;
	int status;

	if (!schedule)
		return STATUS_USAGE;
	outcome = jobs_outcome();
	if (!outcome) {
		fprintf(stderr, "anonrmap: out of memory\n");
		free(schedule);
		return STATUS_CANNOT;
	}
	minimise(schedule, outcome);
	shorter = schedule_text(schedule->scenario, schedule->topology, outcome);
	status = report_schedule(shorter, outcome, json);
	free(shorter);
	free(schedule);
	return status;
}
