// SPDX-License-Identifier: GPL-2.0
/* anonrmap replay: what a recording costs on each topology. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char doc[] =
"EXAMPLES\n"
"  anonrmap replay server.trace                         compare topologies\n"
"  anonrmap replay --reclaim 10 --migrate 10 a.trace    under memory pressure\n"
"  anonrmap replay --topology lazy --json a.trace       one, for programs\n"
"  anonrmap replay --check off *.trace                  only count, fast\n"
"\n"
"Replays recordings on simulated address spaces, on one topology after the other, and "
"compares what the reverse map takes. The same recording gives the same numbers every "
"time.\v"
"Of a trace whose recording was cut off, what can be read is replayed. With several "
"files, the exit status is the worst, and --json prints {\"schema_version\": 1, "
"\"reports\": [...]}.";

struct replay_args {
	struct cli_replay_options opt;
	char **files;
	size_t nfiles;
};

static error_t parse(int key, char *arg __attribute__((unused)), struct argp_state *state)
{
	struct replay_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->opt;
		return 0;
	case ARGP_KEY_ARGS:
		args->files = state->argv + state->next;
		args->nfiles = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One file; with --json the report goes to *doc, or to the list in it. */
static int one_file(const struct replay_args *args, const char *file, struct json_object *list,
		    struct json_object **doc)
{
	struct report *report = calloc(1, sizeof(*report));
	int status;

	if (!report) {
		cli_error("%s: out of memory", file);
		return CLI_CANNOT;
	}
	report->file = file;
	status = cli_compare(file, file, &args->opt, report);
	if (args->opt.json && list)
		json_object_array_add(list, report_json(report));
	else if (args->opt.json)
		*doc = report_json(report);
	else if (status == CLI_OK || status == CLI_FINDING)
		report_text(report, stdout, cli_colour(stdout));
	free(report);
	return status;
}

int cli_replay(int argc, char **argv)
{
	static const struct argp_child children[] = { { &cli_replay_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { .parser = parse, .args_doc = "FILE...", .doc = doc,
					  .children = children };
	struct json_object *doc = NULL, *list = NULL;
	struct replay_args args = { 0 };
	int worst = CLI_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (args.opt.json && args.nfiles > 1) {
		doc = json_object_new_object();
		list = json_object_new_array();
		json_object_object_add(doc, "schema_version", json_object_new_int(1));
		json_object_object_add(doc, "reports", list);
	}
	for (size_t i = 0; i < args.nfiles; i++) {
		int status;

		if (i && !args.opt.json)
			putchar('\n');
		status = one_file(&args, args.files[i], list, &doc);
		if (status > worst)
			worst = status;
	}
	if (args.opt.json && report_print_json(doc, stdout)) {
		cli_error("out of memory");
		return CLI_CANNOT;
	}
	return worst;
}
