// SPDX-License-Identifier: GPL-2.0
/* Options and values that several subcommands take. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "../schedules/options.h"

enum { KEY_TOPOLOGY = 't', KEY_CHECK = 'c', KEY_RECLAIM = 'r', KEY_MIGRATE = 'm', KEY_JSON = 'j' };

static const struct argp_option options[] = {
	{ "topology", KEY_TOPOLOGY, "LIST", 0,
	  "Replay on these, with commas between them (default: regular,lazy)", 1 },
	{ "check", KEY_CHECK, "LEVEL", 0,
	  "Compare walks with a scan of all page tables: full after each operation, sample "
	  "now and then, off (default: full for a small recording, else sample)", 1 },
	{ "reclaim", KEY_RECLAIM, "PERCENT", 0,
	  "At intervals, swap out this part of the pages in use (default: 0)", 1 },
	{ "migrate", KEY_MIGRATE, "PERCENT", 0,
	  "At intervals, migrate this part of the pages in use (default: 0)", 1 },
	{ "json", KEY_JSON, NULL, 0, "Report as one JSON document", 1 },
	{ 0 }
};

const char *cli_topologies(char *text, char **names, size_t *count)
{
	*count = 0;
	for (char *name; (name = strsep(&text, ","));) {
		if (!um_topology_exists(name))
			return "there is no such topology (regular, lazy)";
		for (size_t i = 0; i < *count; i++)
			if (!strcmp(names[i], name))
				return "a topology is named twice";
		if (*count == REPORT_TOPOLOGIES)
			return "too many topologies";
		names[(*count)++] = name;
	}
	return NULL;
}

static void set_topologies(struct cli_replay_options *opt, char *text, struct argp_state *state)
{
	/* The message shows the list as it was given: parsing takes it apart. */
	char *copy = strdup(text);
	const char *bad = copy ? cli_topologies(text, opt->topologies, &opt->ntopologies) :
				 "out of memory";

	if (bad)
		argp_error(state, "--topology %s: %s", copy ? copy : "", bad);
	free(copy);
}

static unsigned int percent(const char *name, const char *text, struct argp_state *state)
{
	uint64_t n = 0;

	if (!option_number(text, 100, &n))
		argp_error(state, "--%s %s: not a whole number from 0 to 100", name, text);
	return n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static char all[] = "regular,lazy";
	struct cli_replay_options *opt = state->input;

	switch (key) {
	case KEY_TOPOLOGY:
		set_topologies(opt, arg, state);
		break;
	case KEY_CHECK:
		opt->check_given = true;
		if (!strcmp(arg, "full"))
			opt->check = UM_CHECK_FULL;
		else if (!strcmp(arg, "sample"))
			opt->check = UM_CHECK_SAMPLE;
		else if (!strcmp(arg, "off"))
			opt->check = UM_CHECK_OFF;
		else
			argp_error(state, "--check %s: not full, sample or off", arg);
		break;
	case KEY_RECLAIM:
		opt->reclaim = percent("reclaim", arg, state);
		break;
	case KEY_MIGRATE:
		opt->migrate = percent("migrate", arg, state);
		break;
	case KEY_JSON:
		opt->json = true;
		break;
	case ARGP_KEY_SUCCESS:
		if (!opt->ntopologies)
			cli_topologies(all, opt->topologies, &opt->ntopologies);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp cli_replay_argp = { .options = options, .parser = parse };
