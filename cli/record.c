// SPDX-License-Identifier: GPL-2.0
/* anonrmap record: run a command and write down what it does. */
#include <unistd.h>

#include "cli.h"

static const char doc[] =
"EXAMPLES\n"
"  anonrmap record -o build.trace -- make -j4\n"
"  anonrmap record -o server.trace -- ./server --workers 8\n"
"  anonrmap show server.trace            what was recorded\n"
"  anonrmap replay server.trace          what it costs\n"
"\n"
"Runs a command, and writes down what it and all its descendants do to their address "
"spaces. Input, output and exit status are the command's.\v"
"The recording ends when all of them have ended. If some outlive the command, as daemons "
"do, that is said, and ^C or SIGTERM ends them (again: kills them).\n\n"
"Needs ptrace, seccomp filters and /proc/PID/pagemap, but no special rights; as root, "
"the trace is more exact about copies after a fork.";

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write the trace to this file (required)", 1 },
	{ "verbose", 'v', NULL, 0, "Say on stderr what was recorded", 1 },
	{ 0 }
};

struct record_args {
	const char *file;
	bool verbose;
	char **command;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct record_args *args = state->input;

	switch (key) {
	case 'o':
		args->file = arg;
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
		if (!args->file || !*args->file)
			argp_error(state, "where to? (-o FILE)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cli_record(int argc, char **argv)
{
	static const struct argp argp = { .options = options, .parser = parse,
					  .args_doc = "-- COMMAND [ARG...]", .doc = doc };
	struct record_args args = { 0 };
	struct record_result res = { 0 };
	bool failed;
	int status;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &args);
	status = cli_recording(args.file, true, args.command, &res, &failed);
	if (!failed && args.verbose)
		cli_error("%llu events of %llu processes in %.2f s, %.2f s of it in the recorder, "
			  "written to %s", (unsigned long long)res.events,
			  (unsigned long long)res.procs, res.wall_ns / 1e9, res.recorder_ns / 1e9,
			  args.file);
	return status;
}
