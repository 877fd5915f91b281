// SPDX-License-Identifier: GPL-2.0
/*
 * anonrmap-schedules: the part of anonrmap check that chooses who runs
 *
 * A program of its own, as everything in it is compiled for that: see <kshim/sched.h>.
 */
#include <argp.h>
#include <errno.h>
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

/* What is to be done. */
enum mode { MODE_SEARCH, MODE_PCT, MODE_REPLAY, MODE_MINIMISE, MODE_LIST, NR_MODES };

/* The option that says so, and what else has a use then. */
static const struct {
	const char *name;
	const int keys[9];
} modes[NR_MODES] = {
	[MODE_SEARCH] = { "schedules", { KEY_SCHEDULES, KEY_SCENARIO, KEY_BOUND, KEY_JOBS,
					 KEY_MINIMISE, KEY_TOPOLOGY, KEY_JSON } },
	[MODE_PCT] = { "pct", { KEY_PCT, KEY_SCHEDULES, KEY_SCENARIO, KEY_CHANGES, KEY_SEED,
				KEY_JOBS, KEY_MINIMISE, KEY_TOPOLOGY, KEY_JSON } },
	[MODE_REPLAY] = { "replay", { KEY_REPLAY, KEY_JSON } },
	[MODE_MINIMISE] = { "minimise SCHEDULE", { KEY_MINIMISE, KEY_JSON } },
	[MODE_LIST] = { "list", { KEY_LIST, KEY_PCT, KEY_SCENARIO, KEY_JSON } },
};

#define NR_OPTIONS	(sizeof(option_table) / sizeof(option_table[0]) - 1)

struct args {
	struct options options;
	const char *replay, *schedule;	/* to minimise */
	bool given[NR_OPTIONS];		/* as in option_table */
};

static uint64_t number(const char *name, const char *text, uint64_t min, uint64_t max,
		       struct argp_state *state)
{
	uint64_t n = 0;

	if (!option_number(text, max, &n) || n < min)
		argp_error(state, "--%s %s: not a whole number from %llu to %llu", name, text,
			   (unsigned long long)min, (unsigned long long)max);
	return n;
}

static bool given(const struct args *args, int key)
{
	size_t i;

	for (i = 0; i < NR_OPTIONS; i++)
		if (option_table[i].key == key)
			return args->given[i];
	return false;
}

static enum mode mode_of(const struct args *args)
{
	if (given(args, KEY_REPLAY))
		return MODE_REPLAY;
	if (given(args, KEY_LIST))
		return MODE_LIST;
	if (args->schedule)
		return MODE_MINIMISE;
	return given(args, KEY_PCT) ? MODE_PCT : MODE_SEARCH;
}

/* Does an option say anything in this mode? */
static bool has_use(enum mode mode, int key)
{
	size_t i;

	for (i = 0; i < sizeof(modes[0].keys) / sizeof(int) && modes[mode].keys[i]; i++)
		if (modes[mode].keys[i] == key)
			return true;
	return false;
}

/* Nothing that was given is to be dropped without a word. */
static void check_options(const struct args *args, struct argp_state *state)
{
	enum mode mode = mode_of(args);
	size_t i;

	for (i = 0; i < NR_OPTIONS; i++) {
		int key = option_table[i].key;

		if (!args->given[i] || has_use(mode, key))
			continue;
		if (mode == MODE_SEARCH && has_use(MODE_PCT, key))
			argp_error(state, "--%s: with --pct only", option_table[i].name);
		argp_error(state, "--%s: not with --%s", option_table[i].name, modes[mode].name);
	}
	if (mode == MODE_PCT && given(args, KEY_SCHEDULES) && !args->options.limit)
		argp_error(state, "--schedules 0: not with --pct, where there is no end");
	if (mode == MODE_SEARCH && !given(args, KEY_SCHEDULES) && !args->options.scenarios)
		argp_error(state, given(args, KEY_MINIMISE) ? "which SCHEDULE?" :
			   "how many? (--schedules N; 0: all there are)");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;
	struct options *options = &args->options;
	size_t i;

	for (i = 0; i < NR_OPTIONS; i++)
		if (option_table[i].key == key)
			args->given[i] = true;
	switch (key) {
	case KEY_SCHEDULES:
		options->limit = number("schedules", arg, 0, INT64_MAX, state);
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
		break;
	case KEY_SEED:
		options->seed = number("seed", arg, 0, UINT64_MAX, state);
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
		break;
	case ARGP_KEY_ARG:
		if (!options->minimise || args->schedule)
			return ARGP_ERR_UNKNOWN;
		args->schedule = arg;
		break;
	case ARGP_KEY_SUCCESS:
		check_options(args, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Without a list: those that all schedules are tried of, or those that have too many. */
static bool wanted(const struct schedule_scenario *scenario, const struct options *options)
{
	if (!options->scenarios)
		return scenario->large == options->pct;
	return option_listed(options->scenarios, scenario->name, strlen(scenario->name));
}

/*
 * Adds those that are asked for and have so many threads. Returns how many there are then, or
 * -errno.
 */
static int add_jobs(struct job *jobs, int nr, const struct options *options,
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
			if (!option_listed(options->topologies, topology, len))
				continue;
			if (nr == MAX_JOBS)
				return -E2BIG;
			jobs[nr].scenario = scenario;
			snprintf(jobs[nr].topology, sizeof(jobs[nr].topology), "%.*s", (int)len,
				 topology);
			jobs[nr].options = options;
			jobs[nr].outcome = jobs_outcome();
			if (!jobs[nr++].outcome)
				return -ENOMEM;
		}
	}
	return nr;
}

/* What takes longest comes first, so that no processor is left alone with it. */
static int make_jobs(struct job *jobs, const struct options *options)
{
	unsigned int nr_threads;
	int nr = 0;

	for (nr_threads = SCHEDULE_THREADS; nr_threads && nr >= 0; nr_threads--)
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

/* Whether all that are named are scenarios; a message. */
static bool scenarios_exist(const struct options *options)
{
	char name[64];

	if (!unknown_scenario(options->scenarios, name, sizeof(name)))
		return true;
	fprintf(stderr, "anonrmap: there is no scenario %s; --list lists them\n", name);
	return false;
}

static int status_of(const struct job *jobs, unsigned int nr, int sig)
{
	bool cannot = false;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (outcome_cannot(jobs[i].outcome))
			cannot = true;
		else if (jobs[i].outcome->findings)
			return STATUS_FINDING;
	}
	return sig ? 128 + sig : cannot ? STATUS_CANNOT : STATUS_OK;
}

static int search(const struct options *options)
{
	struct job *jobs;
	int status, nr, sig, i;

	if (!scenarios_exist(options))
		return STATUS_USAGE;
	jobs = calloc(MAX_JOBS, sizeof(*jobs));
	nr = jobs ? make_jobs(jobs, options) : -ENOMEM;
	if (nr <= 0) {
		fprintf(stderr, "anonrmap: %s\n", nr ? strerror(-nr) :
			"no scenario is for that topology");
		free(jobs);
		return nr ? STATUS_CANNOT : STATUS_USAGE;
	}
	sig = jobs_run(jobs, nr, options->jobs);
	if (options->json)
		report_json(jobs, nr, sig);
	else
		report_total(jobs, nr, sig);
	status = status_of(jobs, nr, sig);
	for (i = 0; i < nr; i++)
		free(jobs[i].schedule);
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

	if (!scenarios_exist(options))
		return STATUS_USAGE;
	if (options->json)
		return report_list_json(options, wanted);
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
	errno = EIO;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "anonrmap: cannot write standard output: %s\n", strerror(errno));
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
	switch (mode_of(&args)) {
	case MODE_LIST:
		return flushed(list(&args.options));
	case MODE_MINIMISE:
		return flushed(minimise_text(args.schedule, args.options.json));
	case MODE_REPLAY:
		return flushed(replay(args.replay, args.options.json));
	default:
		break;
	}
	if (args.options.pct && !args.options.limit)
		args.options.limit = 10000;
	return flushed(search(&args.options));
}
