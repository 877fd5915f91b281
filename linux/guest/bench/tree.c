// SPDX-License-Identifier: GPL-2.0
/* Children that stay, and the cgroups that say whose pages are to be reclaimed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define CGROUPS "/sys/fs/cgroup"

static void child_main(int index, brood_fn fn, void *arg, int ready, int hold)
{
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fn)
		fn(index, arg);
	if (write(ready, &byte, 1) != 1)
		_exit(1);
	while (read(hold, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

/**
 * brood_start() - fork children, one after the other, that then wait
 * @brood: filled in
 * @n: how many, may be 0
 * @fn: what each does before it waits, or NULL; gets the child's index and @arg
 * @arg: for @fn
 *
 * Each child is forked when the one before it waits: the tree is the same in every
 * boot. Returns when all wait.
 */
void brood_start(struct brood *brood, int n, brood_fn fn, void *arg)
{
	int ready[2], hold[2], i;
	char byte;

	if (pipe2(ready, O_CLOEXEC) || pipe2(hold, O_CLOEXEC))
		die("pipe");
	brood->n = n;
	brood->pids = calloc(n + 1, sizeof(*brood->pids));
	if (!brood->pids)
		die("calloc");
	for (i = 0; i < n; i++) {
		brood->pids[i] = fork();
		if (brood->pids[i] < 0)
			die("fork of child %d", i);
		if (!brood->pids[i]) {
			close(hold[1]);
			close(ready[0]);
			child_main(i, fn, arg, ready[1], hold[0]);
		}
		if (read(ready[0], &byte, 1) != 1)
			die("child %d did not get ready", i);
	}
	close(ready[0]);
	close(ready[1]);
	close(hold[0]);
	brood->hold = hold[1];
}

/**
 * wait_for() - wait until a child has ended, with status 0
 * @pid: the child
 */
void wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	if (status)
		die("child %d ended with status %#x", pid, status);
}

/**
 * brood_end() - let the children go, and wait until all have
 * @brood: from brood_start()
 */
void brood_end(struct brood *brood)
{
	int i;

	close(brood->hold);
	for (i = 0; i < brood->n; i++)
		wait_for(brood->pids[i]);
	free(brood->pids);
}

/**
 * cgroup_make() - make a cgroup with the memory controller
 * @name: of a directory in the root cgroup
 */
void cgroup_make(const char *name)
{
	char path[96];

	write_file(CGROUPS "/cgroup.subtree_control", "+memory");
	snprintf(path, sizeof(path), CGROUPS "/%s", name);
	if (mkdir(path, 0755) && errno != EEXIST)
		die("mkdir %s", path);
}

/**
 * cgroup_enter() - move this process; pages first touched from now on belong to @name
 * @name: from cgroup_make()
 */
void cgroup_enter(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), CGROUPS "/%s/cgroup.procs", name);
	write_file(path, "0");
}

/** cgroup_leave() - move this process to the root cgroup; its pages stay. */
void cgroup_leave(void)
{
	write_file(CGROUPS "/cgroup.procs", "0");
}

/**
 * cgroup_remove() - remove a cgroup that has no processes
 * @name: from cgroup_make()
 */
void cgroup_remove(const char *name)
{
	char path[96];
	int tries;

	snprintf(path, sizeof(path), CGROUPS "/%s", name);
	for (tries = 0; tries < 100; tries++) {
		if (!rmdir(path))
			return;
		usleep(10000);
	}
	die("rmdir %s", path);
}

/**
 * cgroup_reclaim() - swap out anonymous pages of a cgroup
 * @name: from cgroup_make()
 * @bytes: how much
 *
 * Return: whether all of it was reclaimed; false if the kernel gave up before that.
 */
bool cgroup_reclaim(const char *name, size_t bytes)
{
	char path[96];

	snprintf(path, sizeof(path), CGROUPS "/%s/memory.reclaim", name);
	if (try_write_file(path, "%zu swappiness=200", bytes))
		return true;
	if (errno != EAGAIN)
		die("cannot reclaim from %s", path);
	return false;
}
