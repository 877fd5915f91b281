// SPDX-License-Identifier: GPL-2.0
/* anonrmap show: what a trace holds. */
#include "cli.h"
#include "show.h"

static const char doc[] =
"EXAMPLES\n"
"  anonrmap show server.trace            events, pages and processes\n"
"  anonrmap show --json server.trace     the same for programs\n"
"\n"
"Says what was recorded.\v"
"Of a trace whose recording was cut off, what can be read is shown.";

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print one JSON document", 1 },
	{ 0 }
};

struct show_args {
	const char *file;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct show_args *args = state->input;

	switch (key) {
	case 'j':
		args->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (args->file)
			argp_error(state, "only one file can be shown");
		args->file = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cli_show(int argc, char **argv)
{
	static const struct argp argp = { .options = options, .parser = parse,
					  .args_doc = "FILE", .doc = doc };
	struct show_args args = { 0 };
	struct trace_reader *reader;
	char why[256];
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	/* If not even the header can be read, there is nothing to show. */
	ret = trace_open(args.file, &reader, why, sizeof(why));
	if (ret) {
		cli_error("%s: %s", args.file, why);
		if (args.json && report_print_error_json(args.file, why, stdout))
			cli_error("out of memory");
		return cli_trace_status(ret);
	}
	trace_close(reader);
	ret = history_show(args.file, stdout, args.json, cli_colour(stdout), why, sizeof(why));
	if (ret == TRACE_TRUNCATED) {
		cli_error("%s: warning: %s; what is there is shown", args.file, why);
		return CLI_OK;
	}
	if (ret)
		cli_error("%s: %s", args.file, why);
	return cli_trace_status(ret);
}
