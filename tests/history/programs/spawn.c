// SPDX-License-Identifier: GPL-2.0
/* Ways of starting another program or process: the first argument says which. */
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

extern char **environ;

static char *const command[] = { "/bin/true", NULL };
static char stack[65536] __attribute__((aligned(16)));

/* Shares the address space and outlives nothing: it maps, then ends. */
static int sharer(void *arg)
{
	(void)arg;
	map_at(BASE, 4);
	put(BASE, 1);
	return 0;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	pid_t pid = -1;
	int status;

	if (!strcmp(how, "vfork")) {
		pid = vfork();
		if (!pid) {
			execv(command[0], command);
			_exit(98);
		}
	} else if (!strcmp(how, "posix_spawn")) {
		must(!posix_spawn(&pid, command[0], NULL, NULL, command, environ));
	} else if (!strcmp(how, "clone_vm")) {
		pid = clone(sharer, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	} else if (!strcmp(how, "clone3")) {
		struct clone_args args = { .exit_signal = SIGCHLD };

		pid = syscall(SYS_clone3, &args, sizeof(args));
		if (!pid) {
			map_at(BASE, 4);
			put(BASE, 1);
			_exit(0);
		}
	} else if (!strcmp(how, "orphan")) {
		/* The grandchild is still busy when everyone else is gone. */
		if (fork())
			_exit(0);
		usleep(100000);
		map_at(BASE, 4);
		put(BASE, 1);
		return 0;
	}
	must(pid > 0);
	must(waitpid(pid, &status, 0) == pid && !status);
	return 0;
}
