// SPDX-License-Identifier: GPL-2.0
/*
 * Does something and says so on its output, again and again: maps pages, unmaps
 * them, waits for a child. Every byte written means that one more step is done.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

static void say(void)
{
	must(write(1, ".", 1) == 1);
}

int main(void)
{
	sigset_t set;

	/* With the signal the recorder would hold this process once more before it can say so. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(!sigprocmask(SIG_BLOCK, &set, NULL));
	for (;;) {
		char *p = map_at(BASE, 4);
		pid_t pid;

		say();
		must(!munmap(p, 4 * PAGE));
		say();
		pid = fork();
		must(pid >= 0);
		if (!pid)
			_exit(0);
		must(waitpid(pid, NULL, 0) == pid);
		say();
	}
}
