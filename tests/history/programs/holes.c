// SPDX-License-Identifier: GPL-2.0
/*
 * As many separate pages as the argument says, before a fork: every third one, from
 * page FIRST on, so that no page table or recorder's leaf begins with one. The child
 * writes to every second of them.
 */
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

#define FIRST	100

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1;
	char *p;
	pid_t pid;

	must(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	p = map_at(BASE, FIRST + 3 * n);
	for (long i = 0; i < n; i++)
		put(p, FIRST + 3 * i);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		for (long i = 0; i < n; i += 2)
			put(p, FIRST + 3 * i);
		_exit(0);
	}
	must(waitpid(pid, NULL, 0) == pid);
	return 0;
}
