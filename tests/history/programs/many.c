// SPDX-License-Identifier: GPL-2.0
/* As many processes as the argument says, up to 64 at a time. */
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 10, running = 0;

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		must(pid >= 0);
		if (!pid) {
			put(map_at(BASE, 1), 0);
			_exit(0);
		}
		if (++running == 64) {
			must(wait(NULL) > 0);
			running--;
		}
	}
	while (running--)
		must(wait(NULL) > 0);
	return 0;
}
