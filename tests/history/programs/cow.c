// SPDX-License-Identifier: GPL-2.0
/* Copies after a fork, in the child and in the parent. */
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

int main(void)
{
	char *p = map_at(BASE, 16), c;
	int go[2], done[2];
	pid_t pid;

	for (int i = 0; i < 8; i++)
		put(p, i);
	must(!pipe(go) && !pipe(done));
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		put(p, 0);
		put(p, 1);
		put(p, 9);
		/* Stay until the parent has written, so that its page is shared. */
		must(write(done[1], "", 1) == 1);
		must(read(go[0], &c, 1) == 1);
		_exit(0);
	}
	must(read(done[0], &c, 1) == 1);
	put(p, 4);
	put(p, 10);
	must(write(go[1], "", 1) == 1);
	must(waitpid(pid, NULL, 0) == pid);
	return 0;
}
