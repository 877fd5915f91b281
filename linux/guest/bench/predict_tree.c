// SPDX-License-Identifier: GPL-2.0
/*
 * A program that does the same in every run, for comparing object counts: recorded with
 * `anonrmap record` and replayed, against the slabs of a kernel that runs it. All that
 * it maps is at addresses of its own choice; its processes take turns.
 *
 * When all is there, "predict_tree hold" stops itself, so that it can be counted;
 * without an argument it just ends.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define BASE 0x100000000000UL
#define GIB (1UL << 30)

#define AREAS 400		/* of the parent, two pages each, a hole behind each */
#define FILES 60		/* private file mappings of two pages */
#define CHILDREN 12
#define CHILD_AREAS 60
#define GRANDCHILDREN 2		/* of each child */
#define SPLITS 20		/* areas that each child cuts in two */
#define MOVES 20		/* areas that the parent, and each child, moves */

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static char *area(unsigned long arena, long i)
{
	return (char *)(BASE + arena * GIB + i * 3 * PAGE);
}

static void map(char *addr, int fd)
{
	int flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_ANONYMOUS : 0);

	if (mmap(addr, 2 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0) != addr)
		fail("mmap");
}

static void put(char *addr)
{
	*(volatile char *)addr = 1;
}

static void move(char *from, char *to)
{
	if (mremap(from, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		fail("mremap");
}

static void grow_up(void)
{
	int fd = memfd_create("library", MFD_CLOEXEC);
	long i;

	if (fd < 0 || ftruncate(fd, 2 * PAGE))
		fail("memfd_create");
	for (i = 0; i < AREAS; i++) {
		map(area(0, i), -1);
		put(area(0, i));
		put(area(0, i) + PAGE);
	}
	for (i = 0; i < FILES; i++) {
		map(area(2, i), fd);
		put(area(2, i));
	}
	close(fd);
	for (i = 0; i < MOVES; i++)
		move(area(0, i), area(4, i));
}

/* In a child: write to a third, cut some, add some, move some of the new ones. */
static void live(int who)
{
	long i;

	for (i = MOVES + who % 3; i < AREAS; i += 3)
		put(area(0, i));
	for (i = 0; i < SPLITS; i++)
		if (mprotect(area(0, AREAS - 1 - i), PAGE, PROT_READ))
			fail("mprotect");
	for (i = 0; i < CHILD_AREAS; i++) {
		map(area(6, i), -1);
		put(area(6, i));
	}
	for (i = 0; i < MOVES; i++)
		move(area(6, i), area(8, i));
}

/* Start @fn(@who) in a child, and go on when it says that it is ready. */
static pid_t start(void (*fn)(int who, int ready, int hold), int who, const int hold[2])
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		close(ready[0]);
		close(hold[1]);
		fn(who, ready[1], hold[0]);
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fail("read");
	close(ready[0]);
	return pid;
}

static void stay(int ready, int hold)
{
	char byte = 0;

	if (write(ready, &byte, 1) != 1)
		fail("write");
	if (read(hold, &byte, 1) < 0)
		fail("read");
}

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		fail("waitpid");
}

static void grandchild(int who, int ready, int hold)
{
	long i;

	for (i = MOVES + who; i < AREAS - SPLITS; i += 5)
		put(area(0, i));
	for (i = MOVES; i < CHILD_AREAS; i += 2)
		put(area(6, i));
	stay(ready, hold);
}

static void child(int who, int ready, int hold)
{
	pid_t pids[GRANDCHILDREN];
	int mine[2], i;

	live(who);
	if (pipe(mine))
		fail("pipe");
	for (i = 0; i < GRANDCHILDREN; i++)
		pids[i] = start(grandchild, i, mine);
	close(mine[0]);
	stay(ready, hold);
	close(mine[1]);
	for (i = 0; i < GRANDCHILDREN; i++)
		reap(pids[i]);
}

int main(int argc, char **argv)
{
	pid_t pids[CHILDREN];
	int hold[2], i;

	if (pipe(hold))
		fail("pipe");
	grow_up();
	for (i = 0; i < CHILDREN; i++)
		pids[i] = start(child, i, hold);
	if (argc > 1 && !strcmp(argv[1], "hold"))
		raise(SIGSTOP);
	close(hold[0]);
	close(hold[1]);
	for (i = 0; i < CHILDREN; i++)
		reap(pids[i]);
	return 0;
}
