// SPDX-License-Identifier: GPL-2.0
/*
 * anonrmap-schedules: the part of anonrmap check that chooses who runs
 *
 * A program of its own, as everything in it is compiled for that: see <kshim/sched.h>.
 */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "jobs.h"
#include "options.h"

#define MAX_JOBS	1024
#define MAX_BOUND	20

static const char doc[] =
"Runs the threads of small scenarios one at a time, and chooses at every access to what they "
"share who goes on: in all ways that need no more than a few preemptions, or at random.\v"
"Exit status: 0 all well; 1 a schedule failed; 2 usage; 3 not possible on this machine.";

/* Short ones are those that anonrmap check has. */
enum {
	KEY_TOPOLOGY = 't', KEY_SEED = 's', KEY_JSON = 'j',
};

static const struct argp_option option_table[] = {
	SCHEDULE_OPTIONS,
	{ "seed", KEY_SEED, "S", 0, "With --pct: seed of the random numbers (default: 1)", 1 },
	{ "topology", KEY_TOPOLOGY, "LIST", 0, "On these (default: all that a scenario is for)",
	  1 },
	{ "json", KEY_JSON, NULL, 0, "Report as one JSON document", 1 },
	{ 0 }
};

struct args {
	struct options options;
	const char *replay, *schedule;	/* to minimise */
	bool list, searching;
	const char *only_pct;		/* an option that says nothing without --pct */
};

static uint64_t number(const char *name, const char *text, uint64_t min, uint64_t max,
		       struct argp_state *state)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 19 ||
	    n < min || n > max)
		argp_error(state, "--%s %s: not a whole number from %llu to %llu", name, text,
			   (unsigned long long)min, (unsigned long long)max);
	return n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;
	struct options *options = &args->options;

	switch (key) {
	case KEY_SCHEDULES:
		options->limit = number("schedules", arg, 0, INT64_MAX, state);
		args->searching = true;
		break;
	case KEY_SCENARIO:
		options->scenarios = arg;
		break;
	case KEY_BOUND:
		options->bound = number("bound", arg, 0, MAX_BOUND, state);
		options->bound_given = true;
		break;
	case KEY_PCT:
		options->pct = true;
		break;
	case KEY_CHANGES:
		options->changes = number("changes", arg, 1, 16, state);
		args->only_pct = "changes";
		break;
	case KEY_SEED:
		options->seed = number("seed", arg, 0, INT64_MAX, state);
		args->only_pct = "seed";
		break;
	case KEY_TOPOLOGY:
		options->topologies = arg;
		break;
	case KEY_JOBS:
		options->jobs = number("jobs", arg, 1, 256, state);
		break;
	case KEY_JSON:
		options->json = true;
		break;
	case KEY_REPLAY:
		args->replay = arg;
		break;
	case KEY_MINIMISE:
		options->minimise = true;
		break;
	case KEY_LIST:
		args->list = true;
		break;
	case ARGP_KEY_ARG:
		if (!options->minimise || args->searching || args->schedule)
			return ARGP_ERR_UNKNOWN;
		args->schedule = arg;
		break;
	case ARGP_KEY_SUCCESS:
		if (args->only_pct && !options->pct)
			argp_error(state, "--%s: with --pct only", args->only_pct);
		if (options->bound_given && options->pct)
			argp_error(state, "--bound: not with --pct");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Is a word one of a list with commas? Without a list, yes. */
static bool listed(const char *list, const char *word, size_t len)
{
	while (list) {
		size_t n = strcspn(list, ",");

		if (n == len && !memcmp(list, word, len))
			return true;
		if (!list[n])
			return false;
		list += n + 1;
	}
	return true;
}

/* Without a list: those that all schedules are tried of, or those that have too many. */
static bool wanted(const struct schedule_scenario *scenario, const struct options *options)
{
	if (!options->scenarios)
		return scenario->large == options->pct;
	return listed(options->scenarios, scenario->name, strlen(scenario->name));
}

/* Adds those that are asked for and have so many threads. Returns how many there are then. */
static unsigned int add_jobs(struct job *jobs, unsigned int nr, const struct options *options,
			     unsigned int nr_threads)
{
	unsigned int i;

	for (i = 0; schedule_scenarios[i]; i++) {
		const struct schedule_scenario *scenario = schedule_scenarios[i];
		const char *topology = scenario->topologies;
		size_t len;

		if (scenario->nr_threads != nr_threads || !wanted(scenario, options))
			continue;
		for (; *topology; topology += len + !!topology[len]) {
			len = strcspn(topology, ",");
			if (!listed(options->topologies, topology, len) || nr == MAX_JOBS)
				continue;
			jobs[nr].scenario = scenario;
			snprintf(jobs[nr].topology, sizeof(jobs[nr].topology), "%.*s", (int)len,
				 topology);
			jobs[nr].options = options;
			jobs[nr].outcome = jobs_outcome();
			if (!jobs[nr++].outcome)
				return 0;
		}
	}
	return nr;
}

/* What takes longest comes first, so that no processor is left alone with it. */
static unsigned int make_jobs(struct job *jobs, const struct options *options)
{
	unsigned int nr = 0, nr_threads;

	for (nr_threads = SCHEDULE_THREADS; nr_threads; nr_threads--)
		nr = add_jobs(jobs, nr, options, nr_threads);
	return nr;
}

/* The first of a list that is no scenario, or NULL. */
static const char *unknown_scenario(const char *list, char *name, size_t room)
{
	while (list && *list) {
		size_t n = strcspn(list, ",");

		snprintf(name, room, "%.*s", (int)n, list);
		if (!schedule_scenario_find(name))
			return name;
		list += n + !!list[n];
	}
	return NULL;
}

static int search(const struct options *options)
{
	struct job *jobs = calloc(MAX_JOBS, sizeof(*jobs));
	int status = STATUS_OK;
	unsigned int nr, i;
	char name[64];

	if (unknown_scenario(options->scenarios, name, sizeof(name))) {
		fprintf(stderr, "anonrmap: there is no scenario %s; --list lists them\n", name);
		free(jobs);
		return STATUS_USAGE;
	}
	nr = jobs ? make_jobs(jobs, options) : 0;
	if (!nr) {
		fprintf(stderr, "anonrmap: no scenario is for that topology\n");
		free(jobs);
		return STATUS_USAGE;
	}
	jobs_run(jobs, nr, options->jobs);
	if (options->json)
		report_json(jobs, nr);
	else
		report_total(jobs, nr);
	for (i = 0; i < nr; i++) {
		if (jobs[i].outcome->findings)
			status = STATUS_FINDING;
		free(jobs[i].schedule);
	}
	free(jobs);
	return status;
}

static void print_bound(const struct schedule_scenario *scenario)
{
	if (scenario->large)
		printf("%-34s %u threads, large", scenario->name, scenario->nr_threads);
	else
		printf("%-34s %u threads, bound %u", scenario->name, scenario->nr_threads,
		       scenario->bound);
}

static int list(const struct options *options)
{
	unsigned int i;

	for (i = 0; schedule_scenarios[i]; i++) {
		const struct schedule_scenario *scenario = schedule_scenarios[i];

		if (!wanted(scenario, options))
			continue;
		print_bound(scenario);
		printf(", %s, %s\n    %s\n", scenario->topologies, scenario->rows,
		       scenario->story);
	}
	return STATUS_OK;
}

/* What was printed has arrived, or that is an error of its own. */
static int flushed(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "anonrmap: cannot write to standard output\n");
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_table, .parser = parse, .doc = doc, .args_doc = "[SCHEDULE]",
	};
	struct args args = {
		.options = { .changes = 3, .seed = 1, .jobs = sysconf(_SC_NPROCESSORS_ONLN) },
	};

	argp_err_exit_status = STATUS_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (args.list)
		return flushed(list(&args.options));
	if (args.replay && args.options.minimise)
		args.schedule = args.replay;
	if (args.schedule)
		return flushed(minimise_text(args.schedule, args.options.json));
	if (args.replay)
		return flushed(replay(args.replay, args.options.json));
	if (args.options.pct && !args.options.limit)
		args.options.limit = 10000;
	return flushed(search(&args.options));
}
