// SPDX-License-Identifier: GPL-2.0
/* Two huge pages, one of which is written by a child after a fork. Exit 77: none here. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

int main(void)
{
	char *p = map_at(BASE, 1024), line[256];
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	long kb = 0;
	pid_t pid;

	if (madvise(p, 1024 * PAGE, MADV_HUGEPAGE))
		return 77;
	put(p, 0);
	put(p, 512);
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "AnonHugePages: %ld", &kb);
	if (kb < 4096)
		return 77;
	pid = fork();
	if (!pid) {
		put(p, 3);
		_exit(0);
	}
	must(waitpid(pid, NULL, 0) == pid);
	return 0;
}
