// SPDX-License-Identifier: GPL-2.0
/* Threads that map and unmap at the same time; "exec": a thread executes a program. */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

#define THREADS	4
#define ROUNDS	200

static void *churn(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		must(p != MAP_FAILED);
		put(p, i % 4);
		if (i % 50 == 0) {
			pid_t pid = fork();

			if (!pid)
				_exit(0);
			must(pid > 0 && waitpid(pid, NULL, 0) == pid);
		}
		must(!munmap(p, 4 * PAGE));
	}
	return NULL;
}

static void *idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void *run(void *arg)
{
	(void)arg;
	execl("/bin/true", "true", NULL);
	_exit(98);
}

int main(int argc, char **argv)
{
	pthread_t t[THREADS];

	if (argc > 1 && !strcmp(argv[1], "exec")) {
		pthread_create(&t[1], NULL, idle, NULL);
		pthread_create(&t[0], NULL, run, NULL);
		idle(NULL);
	}
	for (int i = 0; i < THREADS; i++)
		must(!pthread_create(&t[i], NULL, churn, NULL));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	return 0;
}
