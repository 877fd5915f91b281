// SPDX-License-Identifier: GPL-2.0
/* anonrmap run: record a command, replay the recording, compare. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static const char doc[] =
"EXAMPLES\n"
"  anonrmap run -- make -j4                       record a build, compare\n"
"  anonrmap run -o DIR -- ./server --workers 8    keep trace and report\n"
"  anonrmap run --reclaim 10 -- ./job.sh          swap pages out meanwhile\n"
"  anonrmap run --json -- ./job.sh >out 2>err     the report ends the output\n"
"\n"
"Records a command (see anonrmap record --help), replays the recording on one topology "
"after the other, and compares what the reverse map takes.\v"
"The command's output goes where it would go without anonrmap; the report is printed to "
"stdout after it. With -o, DIR is made if need be, and gets trace.anonrmap, report.txt "
"and report.json.";

static const struct argp_option options[] = {
	{ "output", 'o', "DIR", 0, "Keep the trace and the report in this directory", 1 },
	{ "verbose", 'v', NULL, 0, "Say on stderr what is being done", 1 },
	{ 0 }
};

struct run_args {
	struct cli_replay_options opt;
	const char *dir;
	bool verbose;
	char **command;
};

/* Where the trace is. Without a directory to keep it in, it has no name any more. */
struct trace_place {
	char path[PATH_MAX];
	int fd;			/* -1: the file is kept */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->opt;
		return 0;
	case 'o':
		args->dir = arg;
		return 0;
	case 'v':
		args->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		args->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command?");
		return 0;
	case ARGP_KEY_SUCCESS:
		if (args->dir && !*args->dir)
			argp_error(state, "where to? (-o DIR)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool join(char *path, const char *dir, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX)
		return true;
	cli_error("%s: %s", dir, strerror(ENAMETOOLONG));
	return false;
}

static bool temporary_dir(char *dir, size_t room)
{
	const char *tmp = getenv("TMPDIR");

	if (snprintf(dir, room, "%s/anonrmap-XXXXXX", tmp && *tmp ? tmp : "/tmp") < (int)room &&
	    mkdtemp(dir))
		return true;
	cli_error("cannot make a directory in %s: %s", tmp && *tmp ? tmp : "/tmp",
		  strerror(errno));
	return false;
}

/*
 * A recording that is not to be kept loses its name as soon as it is there: then
 * nothing is left behind, whatever happens to us afterwards.
 */
static int record_unnamed(struct run_args *args, struct trace_place *trace,
			  struct record_result *res, bool *failed)
{
	char dir[PATH_MAX / 2];
	int status = CLI_BAD_INPUT;

	*failed = true;
	if (!temporary_dir(dir, sizeof(dir)))
		return status;
	if (join(trace->path, dir, "trace.anonrmap")) {
		status = cli_recording(trace->path, false, args->command, res, failed);
		if (!*failed)
			trace->fd = open(trace->path, O_RDONLY | O_CLOEXEC);
		if (!*failed && trace->fd < 0) {
			cli_error("%s: %s", trace->path, strerror(errno));
			*failed = true;
			status = CLI_BAD_INPUT;
		}
		unlink(trace->path);
	}
	rmdir(dir);
	snprintf(trace->path, sizeof(trace->path), "/proc/self/fd/%d", trace->fd);
	return status;
}

static int record_kept(struct run_args *args, struct trace_place *trace,
		       struct record_result *res, bool *failed)
{
	*failed = true;
	if (mkdir(args->dir, 0777) && errno != EEXIST) {
		cli_error("cannot make the directory %s: %s", args->dir, strerror(errno));
		return CLI_BAD_INPUT;
	}
	if (!join(trace->path, args->dir, "trace.anonrmap"))
		return CLI_BAD_INPUT;
	return cli_recording(trace->path, true, args->command, res, failed);
}

/* The report as a file in the directory given. */
static int keep_report(const struct report *report, const char *dir, const char *name, bool json)
{
	char path[PATH_MAX];
	bool no_memory = false;
	int status;
	FILE *f;

	if (!join(path, dir, name))
		return CLI_BAD_INPUT;
	f = fopen(path, "we");
	if (!f) {
		cli_error("cannot write %s: %s", path, strerror(errno));
		return CLI_BAD_INPUT;
	}
	if (!json)
		report_text(report, f, false);
	else if (report_print_json(report_json(report), f))
		no_memory = true;
	status = cli_flush(f, path);
	fclose(f);
	if (no_memory) {
		cli_error("%s: out of memory", path);
		unlink(path);
		return CLI_CANNOT;
	}
	return status;
}

static int print_report(const struct run_args *args, const struct report *report)
{
	int status = CLI_OK, kept;

	if (args->opt.json) {
		if (report_print_json(report_json(report), stdout)) {
			cli_error("out of memory");
			status = CLI_CANNOT;
		}
	} else {
		report_text(report, stdout, cli_colour(stdout));
	}
	if (!status)
		status = cli_flush(stdout, "standard output");
	for (int json = 0; args->dir && json < 2; json++) {
		kept = keep_report(report, args->dir, json ? "report.json" : "report.txt", json);
		if (kept)
			status = kept;
	}
	return status;
}

static int compare(struct run_args *args, const struct trace_place *trace,
		   const struct record_result *recorded)
{
	const char *name = args->dir ? trace->path : "the recording";
	struct report *report = calloc(1, sizeof(*report));
	int status, printed;

	if (!report) {
		cli_error("out of memory");
		return CLI_CANNOT;
	}
	report->file = args->dir ? trace->path : NULL;
	report->recording = recorded;
	if (args->verbose)
		cli_error("recorded %llu events in %.2f s, replaying",
			  (unsigned long long)recorded->events, recorded->wall_ns / 1e9);
	status = cli_compare(trace->path, name, &args->opt, report);
	if (status == CLI_OK || status == CLI_FINDING) {
		printed = print_report(args, report);
		/* A finding is the more important news. */
		if (printed && status == CLI_OK)
			status = printed;
	}
	free(report);
	return status;
}

int cli_run(int argc, char **argv)
{
	static const struct argp_child children[] = { { &cli_replay_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { .options = options, .parser = parse,
					  .args_doc = "-- COMMAND [ARG...]", .doc = doc,
					  .children = children };
	struct trace_place trace = { .fd = -1 };
	struct record_result recorded = { 0 };
	struct run_args args = { 0 };
	int command, status;
	bool failed;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &args);
	if (args.verbose)
		cli_error("recording %s", args.command[0]);
	if (args.dir)
		command = record_kept(&args, &trace, &recorded, &failed);
	else
		command = record_unnamed(&args, &trace, &recorded, &failed);
	if (failed) {
		if (args.opt.json &&
		    report_print_error_json(NULL, recorded.error[0] ? recorded.error :
					    "nothing was recorded", stdout))
			cli_error("out of memory");
		return command;
	}
	status = compare(&args, &trace, &recorded);
	if (trace.fd >= 0)
		close(trace.fd);
	/* That something is wrong with the reverse map is the more important news. */
	return status ? status : command;
}
