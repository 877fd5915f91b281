// SPDX-License-Identifier: GPL-2.0
/* The anonrmap command: finds the subcommand and hands over to it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

const char *argp_program_version = "anonrmap " ANONRMAP_VERSION;

static const char doc[] =
"EXAMPLES\n"
"  anonrmap run -- make -j4              record a build, compare topologies\n"
"  anonrmap run -o DIR -- ./server       the same, keeping trace and report\n"
"  anonrmap record -o FILE -- ./server   only record\n"
"  anonrmap show FILE                    what was recorded\n"
"  anonrmap replay --reclaim 10 FILE     compare, swapping pages out meanwhile\n"
"  anonrmap check --seed 7               random operations, everything checked\n"
"  anonrmap replay --help                more on each of them\n"
"\n"
"Records what programs do to their address spaces, and replays it on the regular "
"reverse map of anonymous memory (one anon_vma for each memory area, with chains) and "
"on the lazy one (one for each address space). Shows what both cost, and checks that "
"neither misses a mapping.\v"
"Exit status: 0 all well; 1 a walk missed a mapping or an invariant broke; 2 usage, or "
"a file that cannot be read, or written, or is not a readable trace; 3 not possible on "
"this machine. record and run: the command's own status if it failed, 126 if it was "
"not executable, 127 if it was not found. 128 and its number if a signal ended it.";

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", cli_run },
	{ "record", cli_record },
	{ "replay", cli_replay },
	{ "check", cli_check },
	{ "show", cli_show },
};

struct choice {
	const struct command *command;
	int argc;
	char **argv;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct choice *choice = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
			if (!strcmp(arg, commands[i].name))
				choice->command = &commands[i];
		if (!choice->command)
			argp_error(state, "there is no command %s (run, record, replay, check, "
				   "show)", arg);
		/* The rest belongs to the command. */
		choice->argc = state->argc - state->next + 1;
		choice->argv = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command? (run, record, replay, check, show)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/*
 * A trace must not end up where the report goes: see to it that the standard
 * descriptors are taken. In place of a closed one comes one on which the
 * wrong direction fails, as it would have; the recorded command finds it closed.
 */
static void take_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", (fd ? O_RDONLY : O_WRONLY) | O_CLOEXEC) != fd)
			_exit(CLI_CANNOT);
}

/* After --help and --version, argp exits by itself. */
static void check_stdout(void)
{
	if (cli_flush(stdout, "standard output"))
		_exit(CLI_BAD_INPUT);
}

int main(int argc, char **argv)
{
	static const struct argp argp = { .parser = parse, .args_doc = "COMMAND [ARG...]",
					  .doc = doc };
	struct choice choice = { 0 };
	char name[32];
	int status;

	take_standard_fds();
	argp_err_exit_status = CLI_BAD_INPUT;
	atexit(check_stdout);
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice);
	snprintf(name, sizeof(name), "anonrmap %s", choice.command->name);
	choice.argv[0] = name;
	status = choice.command->run(choice.argc, choice.argv);
	/* A finding is the more important news. */
	if (cli_flush(stdout, "standard output") && status == CLI_OK)
		status = CLI_BAD_INPUT;
	return status;
}
