// SPDX-License-Identifier: GPL-2.0
/* anonrmap check: random operations, everything checked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "check.h"
#include "cli.h"

#define DEFAULT_OPS	20000
#define MAX_OPS		UINT64_C(1000000000000)
#define MAX_THREADS	64

static const char doc[] =
"EXAMPLES\n"
"  anonrmap check                        another seed each time\n"
"  anonrmap check --seed 7 --ops 100000  the same operations every time\n"
"  anonrmap check --threads 4            at once, with reclaim meanwhile\n"
"\n"
"Performs random operations in many simulated address spaces: mappings, forks, faults, "
"reclaim, migration, merging, huge pages, memory failure. With one thread, everything is "
"checked after each operation, and the first finding ends it; with several, between "
"bursts of operations.\v"
"With one thread, a seed does the same operations every time. The command that repeats "
"a run is printed.";

enum { KEY_SEED = 's', KEY_OPS = 'n', KEY_THREADS = 'T', KEY_TOPOLOGY = 't', KEY_JSON = 'j' };

static const struct argp_option options[] = {
	{ "seed", KEY_SEED, "N", 0, "Seed of the random numbers (default: made up)", 1 },
	{ "ops", KEY_OPS, "N", 0, "Operations (default: 20000)", 1 },
	{ "threads", KEY_THREADS, "N", 0, "Threads, 1 to 64 (default: 1)", 1 },
	{ "topology", KEY_TOPOLOGY, "LIST", 0,
	  "Check these, with commas between them (default: regular,lazy)", 1 },
	{ "json", KEY_JSON, NULL, 0, "Report as one JSON document", 1 },
	{ 0 }
};

struct check_args {
	uint64_t seed, ops, threads;
	bool seed_given;
	char *list;			/* topologies as given, or NULL */
	char *topologies[REPORT_TOPOLOGIES];
	size_t ntopologies;
	bool json;
};

static uint64_t number(const char *name, const char *text, uint64_t min, uint64_t max,
		       struct argp_state *state)
{
	uint64_t n = 0;

	if (!cli_number(text, max, &n) || n < min)
		argp_error(state, "--%s %s: not a whole number from %llu to %llu", name, text,
			   (unsigned long long)min, (unsigned long long)max);
	return n;
}

static void set_topologies(struct check_args *args, char *text, struct argp_state *state)
{
	const char *bad;

	free(args->list);
	args->list = strdup(text);
	bad = args->list ? cli_topologies(text, args->topologies, &args->ntopologies) :
			   "out of memory";
	if (bad)
		argp_error(state, "--topology %s: %s", args->list ? args->list : "", bad);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static char all[] = "regular,lazy";
	struct check_args *args = state->input;

	switch (key) {
	case KEY_SEED:
		args->seed = number("seed", arg, 0, UINT64_MAX, state);
		args->seed_given = true;
		break;
	case KEY_OPS:
		args->ops = number("ops", arg, 1, MAX_OPS, state);
		break;
	case KEY_THREADS:
		args->threads = number("threads", arg, 1, MAX_THREADS, state);
		break;
	case KEY_TOPOLOGY:
		set_topologies(args, arg, state);
		break;
	case KEY_JSON:
		args->json = true;
		break;
	case ARGP_KEY_SUCCESS:
		if (!args->ntopologies)
			cli_topologies(all, args->topologies, &args->ntopologies);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static uint64_t made_up_seed(void)
{
	uint32_t seed;

	/* Short enough to be typed; the time will do where there is no randomness. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = time(NULL);
	return seed % 1000000000;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static void repeat_command(const struct check_args *args, char *text, size_t room)
{
	int n = snprintf(text, room, "anonrmap check --seed %llu --ops %llu",
			 (unsigned long long)args->seed, (unsigned long long)args->ops);

	if (args->threads > 1)
		n += snprintf(text + n, room - n, " --threads %llu",
			      (unsigned long long)args->threads);
	if (args->list)
		snprintf(text + n, room - n, " --topology %s", args->list);
}

static int check_on(const struct check_args *args, struct report_topology *t)
{
	struct um_check_options opt = {
		.seed = args->seed,
		.ops = args->ops,
		.threads = args->threads,
		.topology = t->name,
		.check = UM_CHECK_FULL,
		.log = cli_findings_open(),
	};
	struct um_check_result result;
	uint64_t began = now_ns();
	char what[64];
	int ret;

	snprintf(what, sizeof(what), "checking %s", t->name);
	cli_progress(what, 0, 0);
	ret = um_check_run(&opt, &result);
	cli_progress(NULL, 0, 0);
	cli_findings_close(opt.log);
	t->result.stats = result.stats;
	t->result.events = result.ops;
	t->result.findings = result.findings;
	t->result.ns = now_ns() - began;
	return ret;
}

static int check_all(const struct check_args *args, struct report *report)
{
	int status = CLI_OK;

	report->check = UM_CHECK_FULL;
	report->check_given = true;
	report->facts.events = args->ops;
	for (size_t i = 0; i < args->ntopologies; i++) {
		struct report_topology *t = &report->topologies[i];
		int ret;

		t->name = args->topologies[i];
		ret = check_on(args, t);
		report->ntopologies++;
		if (ret && ret != -EIO) {
			cli_error("%s: %s", t->name, strerror(-ret));
			return CLI_CANNOT;
		}
		if (ret || report_findings(&t->result))
			status = CLI_FINDING;
		/* The operations are the same, what they amount to is not recorded. */
		if (!i) {
			report->facts.processes = t->result.stats.mms_peak;
			report->facts.faults = t->result.stats.faults;
			report->facts.pages = t->result.stats.pages_peak;
			report->facts.page_size = UM_PAGE_SIZE;
		}
	}
	return status;
}

static int print(const struct check_args *args, const struct report *report, const char *repeat)
{
	struct json_object *doc;

	if (!args->json) {
		report_tables(report, stdout, cli_colour(stdout));
		printf("to repeat: %s\n", repeat);
		return CLI_OK;
	}
	doc = report_json(report);
	json_object_object_add(doc, "seed", json_object_new_uint64(args->seed));
	json_object_object_add(doc, "ops", json_object_new_uint64(args->ops));
	json_object_object_add(doc, "threads", json_object_new_uint64(args->threads));
	json_object_object_add(doc, "repeat", json_object_new_string(repeat));
	if (!report_print_json(doc, stdout))
		return CLI_OK;
	cli_error("out of memory");
	return CLI_CANNOT;
}

int cli_check(int argc, char **argv)
{
	static const struct argp argp = { .options = options, .parser = parse, .doc = doc };
	struct check_args args = { .ops = DEFAULT_OPS, .threads = 1 };
	struct report *report;
	char repeat[256];
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (!args.seed_given)
		args.seed = made_up_seed();
	repeat_command(&args, repeat, sizeof(repeat));
	report = calloc(1, sizeof(*report));
	if (!report) {
		cli_error("out of memory");
		return CLI_CANNOT;
	}
	/* Before it begins: if the worst happens, this is what is needed. */
	if (!args.json) {
		printf("seed %llu, %llu operations, %llu thread%s\n", (unsigned long long)args.seed,
		       (unsigned long long)args.ops, (unsigned long long)args.threads,
		       args.threads > 1 ? "s" : "");
		fflush(stdout);
	}
	um_thread_register();
	status = check_all(&args, report);
	um_thread_unregister();
	if (status == CLI_OK || status == CLI_FINDING) {
		int printed = print(&args, report, repeat);

		if (printed)
			status = printed;
	}
	free(report);
	free(args.list);
	return status;
}
