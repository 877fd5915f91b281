// SPDX-License-Identifier: GPL-2.0
/*
 * anonrmap check --schedules and relatives: another program does that
 *
 * All of it is compiled for threads that run one at a time. It reads the same options.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "../schedules/options.h"

#define PROGRAM		"anonrmap-schedules"

static const struct argp_option options[] = {
	SCHEDULE_OPTIONS,
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **given = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_ARG:
		/* The other program knows whether it has a use for that. */
		return *given ? 0 : ARGP_ERR_UNKNOWN;
	case KEY_SCHEDULES ... KEY_LIST:
		for (size_t i = 0; options[i].name; i++)
			if (options[i].key == key && !*given)
				*given = options[i].name;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cli_schedules_argp = { .options = options, .parser = parse };

/* Next to us, or where a build has it. Returns false when there is none. */
static bool find_program(char *path, size_t room)
{
	static const char *const places[] = { "/" PROGRAM, "/../schedules/" PROGRAM };
	const char *given = getenv("ANONRMAP_SCHEDULES");
	char self[PATH_MAX];
	ssize_t len;

	if (given) {
		snprintf(path, room, "%s", given);
		return true;
	}
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len < 0)
		return false;
	self[len] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, room, "%s%s", self, places[i]);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

int cli_schedules(char **argv)
{
	char path[2 * PATH_MAX];

	if (!find_program(path, sizeof(path))) {
		cli_error("there is no " PROGRAM " next to anonrmap");
		return CLI_CANNOT;
	}
	fflush(NULL);
	execv(path, argv);
	cli_error("%s: %s", path, strerror(errno));
	return CLI_CANNOT;
}
