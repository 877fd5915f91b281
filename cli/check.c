// SPDX-License-Identifier: GPL-2.0
/* anonrmap check: random operations, everything checked. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "check.h"
#include "cli.h"
#include "../schedules/options.h"

#define DEFAULT_OPS	20000
#define ROUND_OPS	5000		/* with --time */
#define MAX_ROUNDS	1000000
#define MAX_OPS		UINT64_C(1000000000000)
#define MAX_THREADS	64
#define MAX_SECONDS	UINT64_C(10000000)

static const char doc[] =
"EXAMPLES\n"
"  anonrmap check                        another seed each time\n"
"  anonrmap check --seed 7 --ops 100000  the same operations every time\n"
"  anonrmap check --threads 4            at once, with reclaim meanwhile\n"
"  anonrmap check --faults               each allocation fails once\n"
"  anonrmap check --time 3600            one seed after another, for an hour\n"
"  anonrmap check --schedules 0          small scenarios, all schedules\n"
"\n"
"Performs random operations in many simulated address spaces: mappings, forks, faults, "
"reclaim, migration, merging, huge pages, memory failure. With one thread, everything is "
"checked after each operation, and the first finding ends it; with several, between "
"bursts of operations.\v"
"With one thread, a seed does the same operations every time. The command that repeats "
"a run is printed; with --time, the seed of each round, and after a finding the command "
"that repeats that round. The last round is cut short when the time is up; the command then "
"has the number of operations that it came to.";

enum {
	KEY_SEED = 's', KEY_OPS = 'n', KEY_THREADS = 'T', KEY_TOPOLOGY = 't', KEY_JSON = 'j',
	KEY_FAULTS = 'f', KEY_TIME = 'S',
};

static const struct argp_option options[] = {
	{ "seed", KEY_SEED, "N", 0, "Seed of the random numbers (default: made up)", 1 },
	{ "ops", KEY_OPS, "N", 0, "Operations (default: 20000; with --time 5000 a round)", 1 },
	{ "time", KEY_TIME, "SECONDS", 0,
	  "Rounds of so many operations, each with a seed of its own, until the time is up; the "
	  "last one is cut short then", 1 },
	{ "threads", KEY_THREADS, "N", 0, "Threads, 1 to 64 (default: 1)", 1 },
	{ "faults", KEY_FAULTS, NULL, 0,
	  "Try each call with each of its allocations failing (of more than 1000, with some of the "
	  "rest), before it is done (one thread)", 1 },
	{ "topology", KEY_TOPOLOGY, "LIST", 0,
	  "Check these, with commas between them (default: regular,lazy)", 1 },
	{ "json", KEY_JSON, NULL, 0, "Report as one JSON document", 1 },
	{ 0 }
};

struct check_args {
	uint64_t seed, ops, threads;
	uint64_t seconds;		/* 0: one round */
	bool seed_given, ops_given, faults;
	const char *not_schedules;	/* an option that --schedules has no use for */
	char *list;			/* topologies as given, or NULL */
	char *topologies[REPORT_TOPOLOGIES];
	size_t ntopologies;
	bool json;
	const char *schedules;		/* an option that makes it another program's business */
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
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->schedules;
		break;
	case KEY_SEED:
		args->seed = number("seed", arg, 0, UINT64_MAX, state);
		args->seed_given = true;
		break;
	case KEY_OPS:
		args->ops = number("ops", arg, 1, MAX_OPS, state);
		args->ops_given = true;
		args->not_schedules = "ops";
		break;
	case KEY_THREADS:
		args->threads = number("threads", arg, 1, MAX_THREADS, state);
		args->not_schedules = "threads";
		break;
	case KEY_TIME:
		args->seconds = number("time", arg, 1, MAX_SECONDS, state);
		args->not_schedules = "time";
		break;
	case KEY_FAULTS:
		args->faults = true;
		args->not_schedules = "faults";
		break;
	case KEY_TOPOLOGY:
		set_topologies(args, arg, state);
		break;
	case KEY_JSON:
		args->json = true;
		break;
	case ARGP_KEY_SUCCESS:
		if (args->schedules && args->not_schedules)
			argp_error(state, "--%s: not with --%s", args->not_schedules,
				   args->schedules);
		if (args->faults && args->threads > 1)
			argp_error(state, "--faults: with one thread only");
		if (args->seconds && !args->ops_given)
			args->ops = ROUND_OPS;
		if (!args->ntopologies)
			cli_topologies(all, args->topologies, &args->ntopologies);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int interrupted;			/* by this signal; accessed atomically */

static void on_signal(int sig)
{
	__atomic_store_n(&interrupted, sig, __ATOMIC_RELAXED);
}

/* They end the run as if its time were up. */
static void catch_signals(void)
{
	const struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
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

/* What has been done, in all rounds and topologies. */
struct check_done {
	uint64_t rounds, operations, injected, denied, most;
	uint64_t first_seed;
	uint64_t last_ops;		/* of the last round; fewer if it was cut short */
	struct json_object *seeds;	/* of the rounds; NULL: not wanted */
};

static void repeat_command(const struct check_args *args, const struct check_done *done,
			   char *text, size_t room)
{
	int n = snprintf(text, room, "anonrmap check --seed %llu --ops %llu",
			 (unsigned long long)args->seed, (unsigned long long)done->last_ops);

	if (args->faults)
		n += snprintf(text + n, room - n, " --faults");
	if (args->threads > 1)
		n += snprintf(text + n, room - n, " --threads %llu",
			      (unsigned long long)args->threads);
	if (args->list)
		snprintf(text + n, room - n, " --topology %s", args->list);
}

/* The first round has the seed that was given. */
static uint64_t round_seed(uint64_t first, uint64_t round)
{
	uint64_t z = first + round * UINT64_C(0x9e3779b97f4a7c15);

	if (!round)
		return first;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % 1000000000;
}

static uint64_t the_more(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* One more round: what is counted adds up, what is at one time is the most of all. */
static void add_stats(struct um_stats *sum, const struct um_stats *more)
{
	struct um_stats total = *more;

	for (int i = 0; i < UM_NR_OBJ; i++)
		total.objects[i].peak = the_more(sum->objects[i].peak, more->objects[i].peak);
	total.mms_peak = the_more(sum->mms_peak, more->mms_peak);
	total.pages_peak = the_more(sum->pages_peak, more->pages_peak);
	total.displaced += sum->displaced;
	total.joins += sum->joins;
	total.lockless += sum->lockless;
	total.lockless_retries += sum->lockless_retries;
	total.lockless_fallbacks += sum->lockless_fallbacks;
	total.faults += sum->faults;
	total.swapped_out += sum->swapped_out;
	total.swapped_in += sum->swapped_in;
	total.migrated += sum->migrated;
	total.ksm_merged += sum->ksm_merged;
	total.folios += sum->folios;
	total.mappings += sum->mappings;
	total.missed += sum->missed;
	total.missed_stop += sum->missed_stop;
	total.visits_full += sum->visits_full;
	total.visits_stop += sum->visits_stop;
	total.reads_compared += sum->reads_compared;
	total.reads_wrong += sum->reads_wrong;
	total.invariants_checked += sum->invariants_checked;
	total.invariants_broken += sum->invariants_broken;
	*sum = total;
}

/* How many operations, until when. *@ops: fewer, if the time was up before. */
static int check_on(const struct check_args *args, struct report_topology *t,
		    struct check_done *done, uint64_t *ops, uint64_t deadline)
{
	struct um_check_options opt = {
		.seed = args->seed,
		.ops = *ops,
		.deadline = deadline,
		.threads = args->threads,
		.topology = t->name,
		.check = UM_CHECK_FULL,
		.log = cli_findings_open(),
		.faults = args->faults,
		.stop = &interrupted,
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
	add_stats(&t->result.stats, &result.stats);
	t->result.events += result.ops;
	t->result.findings += result.findings;
	t->result.ns += now_ns() - began;
	done->operations += result.ops;
	done->injected += result.injected;
	done->denied += result.denied;
	if (done->most < result.most)
		done->most = result.most;
	if (result.cut_short)
		*ops = result.ops;
	return ret;
}

/*
 * One round. Each topology has its share of the time that is left, and no more operations
 * than those before it: a round that is cut short is one of fewer operations.
 */
static int check_all(const struct check_args *args, struct report *report,
		     struct check_done *done, uint64_t end)
{
	uint64_t ops = args->ops;
	int status = CLI_OK;

	report->check = UM_CHECK_FULL;
	report->check_given = true;
	report->random = true;
	report->ntopologies = 0;
	for (size_t i = 0; i < args->ntopologies; i++) {
		struct report_topology *t = &report->topologies[i];
		uint64_t now = now_ns(), deadline = 0;
		int ret;

		t->name = args->topologies[i];
		if (end)
			deadline = now + (end > now ? end - now : 0) / (args->ntopologies - i);
		ret = check_on(args, t, done, &ops, deadline);
		report->ntopologies++;
		if (ret && ret != -EIO) {
			cli_error("%s: %s", t->name, strerror(-ret));
			return CLI_CANNOT;
		}
		if (ret || report_findings(&t->result))
			status = CLI_FINDING;
		/* Of the others it may differ: what is chosen by lot depends on what is there. */
		if (!i) {
			done->last_ops = ops;
			report->facts.events += ops;
			report->facts.processes = t->result.stats.mms_peak;
			report->facts.faults = t->result.stats.faults;
			report->facts.pages = t->result.stats.pages_peak;
			report->facts.page_size = UM_PAGE_SIZE;
		}
	}
	return status;
}

/* Rounds, until the time is up or there is a finding. args->seed is that of the last one. */
static int check_rounds(struct check_args *args, struct report *report, struct check_done *done)
{
	uint64_t end = args->seconds ? now_ns() + args->seconds * UINT64_C(1000000000) : 0;
	int status;

	done->first_seed = args->seed;
	do {
		args->seed = round_seed(done->first_seed, done->rounds++);
		if (args->seconds && !args->json) {
			printf("round %llu: seed %llu\n", (unsigned long long)done->rounds,
			       (unsigned long long)args->seed);
			fflush(stdout);
		}
		if (done->seeds)
			json_object_array_add(done->seeds, json_object_new_uint64(args->seed));
		status = check_all(args, report, done, end);
	} while (status == CLI_OK && !interrupted && now_ns() < end && done->rounds < MAX_ROUNDS &&
		 !ferror(stdout));
	return status;
}

static void add_number(struct json_object *doc, const char *name, uint64_t value)
{
	json_object_object_add(doc, name, json_object_new_uint64(value));
}

static int print(const struct check_args *args, const struct report *report,
		 struct check_done *done, const char *repeat)
{
	struct json_object *doc, *random;

	if (!args->json) {
		report_tables(report, stdout, cli_colour(stdout));
		if (args->seconds)
			printf("%llu rounds, %llu operations%s\n",
			       (unsigned long long)done->rounds,
			       (unsigned long long)done->operations,
			       done->last_ops < args->ops ? "; the last round was cut short" : "");
		if (args->faults)
			printf("%llu allocations failed, and %llu calls by that, one of them %llu times\n",
			       (unsigned long long)done->injected,
			       (unsigned long long)done->denied, (unsigned long long)done->most);
		if (interrupted)
			printf("interrupted after %llu operations\n",
			       (unsigned long long)done->operations);
		printf("to repeat%s: %s\n", args->seconds ? " the last round" : "", repeat);
		return CLI_OK;
	}
	doc = report_json(report);
	add_number(doc, "seed", done->first_seed);
	add_number(doc, "ops", args->ops);
	add_number(doc, "threads", args->threads);
	json_object_object_add(doc, "repeat", json_object_new_string(repeat));
	random = json_object_new_object();
	add_number(random, "rounds", done->rounds);
	json_object_object_add(random, "round_seeds", json_object_get(done->seeds));
	add_number(random, "last_round_ops", done->last_ops);
	add_number(random, "operations", done->operations);
	add_number(random, "injected", done->injected);
	add_number(random, "denied", done->denied);
	add_number(random, "most_of_one_call", done->most);
	json_object_object_add(random, "interrupted", json_object_new_boolean(interrupted));
	json_object_object_add(doc, "random", random);
	if (!report_print_json(doc, stdout))
		return CLI_OK;
	cli_error("out of memory");
	return CLI_CANNOT;
}

int cli_check(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &cli_schedules_argp, 0, "Schedules of small scenarios, instead:", 2 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options, .parser = parse, .doc = doc, .children = children,
	};
	struct check_args args = { .ops = DEFAULT_OPS, .threads = 1 };
	struct check_done done = { 0 };
	struct report *report;
	char repeat[256];
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (args.schedules)
		return cli_schedules(argv);
	if (!args.seed_given)
		args.seed = made_up_seed();
	report = calloc(1, sizeof(*report));
	if (!report) {
		cli_error("out of memory");
		return CLI_CANNOT;
	}
	/* Before it begins: if the worst happens, this is what is needed. */
	if (!args.json) {
		printf("seed %llu, %llu operations%s, %llu thread%s%s\n",
		       (unsigned long long)args.seed, (unsigned long long)args.ops,
		       args.seconds ? " a round" : "", (unsigned long long)args.threads,
		       args.threads > 1 ? "s" : "", args.faults ? ", allocations fail" : "");
		fflush(stdout);
	}
	done.seeds = args.json ? json_object_new_array() : NULL;
	catch_signals();
	um_thread_register();
	status = check_rounds(&args, report, &done);
	um_thread_unregister();
	repeat_command(&args, &done, repeat, sizeof(repeat));
	if (status == CLI_OK || status == CLI_FINDING) {
		int printed = print(&args, report, &done, repeat);

		/* A finding is the more important news. */
		if (printed && status == CLI_OK)
			status = printed;
	}
	json_object_put(done.seeds);
	free(report);
	free(args.list);
	return status == CLI_OK && interrupted ? 128 + interrupted : status;
}
