// SPDX-License-Identifier: GPL-2.0
/* Slab rows while other programs run: at their peak, or where a program stops itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/*
 * vfork: the child borrows this address space until it execs, so that nothing is copied
 * that the counts would show.
 */
static pid_t spawn(char **argv)
{
	pid_t pid = vfork();

	if (pid < 0)
		die("vfork");
	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

/* "programs." and the command's name without directory and extension. */
static void name_of(char **argv, char *name, size_t size)
{
	const char *base = strrchr(argv[0], '/');

	base = base ? base + 1 : argv[0];
	snprintf(name, size, "programs.%.*s", (int)strcspn(base, "."), base);
}

/**
 * peak() - the most of each row while COMMAND runs, counted every "ms" milliseconds
 *
 * Caches are shrunk before each count, as ever; CPUs that allocate between the two hide
 * at most one slab each. The figures are named after COMMAND.
 */
void peak(void)
{
	struct slab_counts start, now, most;
	useconds_t interval = param("ms", 50) * 1000;
	char **argv = command(), name[64];
	long samples = 0;
	uint64_t begin;
	int row, status;
	pid_t pid;

	name_of(argv, name, sizeof(name));
	slab_init();
	slab_settle(&start);
	most = start;
	begin = now_ns();
	pid = spawn(argv);
	while (!waitpid(pid, &status, WNOHANG)) {
		usleep(interval);
		slab_read(&now);
		samples++;
		for (row = 0; row < NR_SLABS; row++)
			if (now.objects[row] > most.objects[row])
				most.objects[row] = now.objects[row];
	}
	if (status) {
		errno = 0;
		die("%s ended with status %#x", argv[0], status);
	}
	slab_figures(name, &most, &start);
	figure("samples", samples, "%s.samples", name);
	figure("ms", (now_ns() - begin) / 1e6, "%s.time", name);
}

/**
 * spawned() - objects that COMMAND holds when it stops itself with SIGSTOP
 *
 * It is then let go on, and must end with status 0.
 */
void spawned(void)
{
	struct slab_counts start, now;
	char **argv = command();
	int status, row;
	pid_t pid;

	slab_init();
	slab_settle(&start);
	pid = spawn(argv);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) {
		errno = 0;
		die("%s did not stop itself: status %#x", argv[0], status);
	}
	slab_settle(&now);
	for (row = 0; row < NR_SLABS; row++)
		figure("objects", now.objects[row] - start.objects[row], "predict.%s",
		       slab_names[row]);
	kill(pid, SIGCONT);
	wait_for(pid);
}
