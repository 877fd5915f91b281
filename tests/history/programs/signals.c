// SPDX-License-Identifier: GPL-2.0
/* Stops and continues a child and handles a signal in between; then dies of SIGUSR1. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

static volatile sig_atomic_t seen;

static void handler(int sig)
{
	seen = sig;
}

int main(void)
{
	int status, go[2];
	pid_t pid;
	char c;

	signal(SIGUSR2, handler);
	signal(SIGCHLD, SIG_DFL);
	must(!pipe(go));
	pid = fork();
	if (!pid) {
		while (!seen)
			usleep(1000);
		/* Not gone before the parent has seen it continue. */
		must(read(go[0], &c, 1) == 1);
		_exit(seen == SIGUSR2 ? 5 : 6);
	}
	must(!kill(pid, SIGSTOP));
	must(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	must(WSTOPSIG(status) == SIGSTOP);
	must(!kill(pid, SIGUSR2));
	usleep(20000);
	/* A stopped process must not have run its handler. */
	must(waitpid(pid, &status, WNOHANG) == 0);
	must(!kill(pid, SIGCONT));
	must(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	must(write(go[1], "", 1) == 1);
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	must(WEXITSTATUS(status) == 5);
	raise(SIGUSR1);
	return 0;
}
