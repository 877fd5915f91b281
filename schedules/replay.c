// SPDX-License-Identifier: GPL-2.0
/*
 * A schedule once more, and what its threads did on the way
 *
 * The process that runs it writes one line for each access, with an address of code. Here
 * these become functions and lines, by addr2line(1) where there is one.
 */
#include <errno.h>
#include <limits.h>
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

/*
 * One process that answers for all: a block for each address, each with a line before it.
 * The trace has no name any more: the shell gets its descriptor.
 */
static FILE *names_of(int trace)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "sed -n 's/.* @\\([0-9a-f,]*\\) .*/\\1/p' /proc/%d/fd/%d | tr , '\\n' | "
		 "addr2line -a -f -i -p -e /proc/%d/exe 2>/dev/null", (int)getpid(), trace,
		 (int)getpid());
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

static void print_trace(FILE *trace)
{
	FILE *names = names_of(fileno(trace));
	char line[512], name[512];
	unsigned int last = ~0U;

	rewind(trace);
	while (fgets(line, sizeof(line), trace) && !ferror(stdout)) {
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

/*
 * Where the run was another one than the schedule says, or NULL. To follow() it does not
 * matter, as minimise() tries things. A failure ends a run, so that a rest is left.
 */
static const char *misfit(const struct schedule *schedule, const struct outcome *outcome)
{
	static char text[128];
	unsigned int i;

	if (outcome->findings)
		return NULL;
	for (i = 0; i < schedule->nr; i++) {
		const struct segment *want = &schedule->segments[i], *got = &outcome->segments[i];

		if (i < outcome->nr_segments && got->thread == want->thread &&
		    (!want->preempted || (got->preempted && got->steps == want->steps)))
			continue;
		snprintf(text, sizeof(text), "turn %u of it, thread %u, is not possible there",
			 i + 1, want->thread);
		return text;
	}
	if (schedule->bound == schedule_preemptions(outcome->segments, outcome->nr_segments))
		return NULL;
	snprintf(text, sizeof(text), "it says %u preemptions, and has %u", schedule->bound,
		 schedule_preemptions(outcome->segments, outcome->nr_segments));
	return text;
}

/* A file that is gone when we are, whatever ends us. */
static FILE *unnamed_file(void)
{
	const char *dir = getenv("TMPDIR");
	char path[PATH_MAX];
	FILE *file;
	int fd;

	if (!dir || !*dir)
		dir = "/tmp";
	if (snprintf(path, sizeof(path), "%s/anonrmap-trace-XXXXXX", dir) >= (int)sizeof(path))
		return NULL;
	fd = mkstemp(path);
	if (fd < 0) {
		fprintf(stderr, "anonrmap: cannot make a file in %s: %s\n", dir,
			strerror(errno));
		return NULL;
	}
	unlink(path);
	file = fdopen(fd, "w+");
	if (!file)
		close(fd);
	return file;
}

int replay(const char *text, bool json)
{
	struct schedule *schedule = parse(text);
	struct attempt attempt = { .schedule = schedule, .out = -1 };
	FILE *trace = NULL;
	char *again;
	int status;

	if (!schedule)
		return STATUS_USAGE;
	attempt.outcome = jobs_outcome();
	if (!json)
		trace = unnamed_file();
	if (!attempt.outcome || (!json && !trace)) {
		fprintf(stderr, "anonrmap: no memory, or no room for the trace\n");
		free(schedule);
		return STATUS_CANNOT;
	}
	if (trace)
		attempt.out = fileno(trace);
	jobs_isolated(try_schedule, &attempt, attempt.outcome);
	if (trace) {
		print_trace(trace);
		fclose(trace);
	}
	again = schedule_text(schedule->scenario, schedule->topology, attempt.outcome);
	status = report_schedule(again, attempt.outcome, misfit(schedule, attempt.outcome), json);
	free(again);
	free(schedule);
	return status;
}

int minimise_text(const char *text, bool json)
{
	struct schedule *schedule = parse(text);
	const char *bad = NULL;
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
	/* Without a failure @schedule is as it was, and @outcome that of its run. */
	if (minimise(schedule, outcome))
		bad = misfit(schedule, outcome);
	shorter = schedule_text(schedule->scenario, schedule->topology, outcome);
	status = report_schedule(shorter, outcome, bad, json);
	free(shorter);
	free(schedule);
	return status;
}
