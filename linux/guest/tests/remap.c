// SPDX-License-Identifier: GPL-2.0
/* mremap in all its forms, and the stack that exec moves, against walks. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "lib/window.h"
#include "rows.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#define TOKEN	0x2000000ull
#define N	64ul

/*	[ a ]........[ b ]  <->  a moved over b, back, over b's half	R06 */
static void ping_pong(char *a, char *b)
{
	move(a, N, b);
	expect(b, N, TOKEN);
	move(b, N, a);
	expect(a, N, TOKEN);
	/* A part of it, over a neighbour that was faulted too. */
	map_anon_at(b, N);
	fill(b, N, 1);
	move(a + 8 * PG, 16, b + 4 * PG);
	expect(b, 4, 1);
	expect(b + 4 * PG, 16, TOKEN + 8);
	expect(b + 20 * PG, N - 20, 21);
	move(b + 4 * PG, 16, a + 8 * PG);
	expect(a, N, TOKEN);
	unmap(b, 4);
	unmap(b + 20 * PG, N - 20);
}

static void dontunmap(char *a, char *b)
{
	void *got = mremap(a, N * PG, N * PG, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, b);

	must(got == b, "MREMAP_DONTUNMAP: %s", strerror(errno));
	expect(b, N, TOKEN);
	expect_zero(a, N);
	fill(a, N, 7);
	move(b, N, a);
	expect(a, N, TOKEN);
}

/*
 * R06. A lookup races with mremap of the same range. Pages that are at the one place now
 * and at the other a moment later are found all the same: reclaim and migration of a page
 * go wrong if one of its mappings is missed, and the contents tell.
 */
static void r06_ping_pong_against_walks(void)
{
	char *a = reserve(2 * N), *b = a + N * PG;
	struct pressure p = { .at = a, .pages = 2 * N, .kinds = MIGRATE | PAGEOUT | IDLE };
	struct pressure q = p;

	map_anon_at(a, N);
	fill(a, N, TOKEN);
	q.kinds = MIGRATE;
	pressure_start(&p);
	pressure_start(&q);
	do {
		ping_pong(a, b);
		dontunmap(a, b);
	} while (more());
	pressure_stop(&q);
	p.migrated += q.migrated;
	pressure_stop_and_check(&p);
	must_be_found(a, N);
	expect(a, N, TOKEN);
}

/* R06. Random moves, among mappings that come, go, grow and shrink. */
static void r06_random_moves_against_walks(void)
{
	char *at = reserve(128);
	struct pressure p = { .at = at, .pages = 128, .kinds = MIGRATE | PAGEOUT | IDLE };
	struct window w;

	window_init(&w, at, 128, W_MAP | W_MOVE | W_DONTUNMAP | W_RESIZE | W_WRITE | W_CHECK |
		    W_PROTECT, 6);
	pressure_start(&p);
	while (more())
		window_step(&w);
	pressure_stop_and_check(&p);
	window_must_be_found(&w);
	window_exit(&w);
}

static void move_while_shared(void *arg)
{
	char *a = arg, *b = reserve(N);
	int i;

	for (i = 0; i < 3; i++) {
		move(a, N, b);
		expect(b, N, TOKEN);
		must_migrate(0, b, N);
		move(b, N, a);
	}
	expect(a, N, TOKEN);
}

/* R06, R41. Parent and child share pages; the child has them at another address. */
static void r06_moved_in_a_child(void)
{
	do {
		char *a = map_anon_at(reserve(N), N);
		pid_t pid;

		fill(a, N, TOKEN);
		pid = spawn(move_while_shared, a);
		must_migrate(0, a, N);
		reap(pid, 0);
		must_be_found(a, N);
		expect(a, N, TOKEN);
		unmap(a, N);
	} while (more());
}

/* -- R28 ------------------------------------------------------------------------------ */

#define ARGS		8
#define ARG_SIZE	(4 * 4096ul)

/* Argument i of the re-executed program: long, and told from the others. */
static void make_arg(char *arg, unsigned int i)
{
	size_t n;

	for (n = 0; n < ARG_SIZE - 1; n++)
		arg[n] = (char)('a' + (i * 7 + n / 97) % 26);
	arg[ARG_SIZE - 1] = 0;
}

/*
 * The new program is a shell: it counts its arguments, and compares each with a
 * variable of the environment that the kernel put on the same stack.
 */
static void exec_with_a_large_stack(void *arg)
{
	static char text[ARGS][ARG_SIZE], env[ARGS][ARG_SIZE + 16];
	char *argv[ARGS + 5], *envp[ARGS + 1], script[ARGS * 40 + 20] = "set -e\n";
	unsigned int i;

	(void)arg;
	argv[0] = "sh";
	argv[1] = "-c";
	argv[2] = script;
	argv[3] = "sh";
	for (i = 0; i < ARGS; i++) {
		make_arg(text[i], i);
		argv[4 + i] = text[i];
		memcpy(env[i] + sprintf(env[i], "E%u=", i), text[i], ARG_SIZE);
		envp[i] = env[i];
		sprintf(script + strlen(script), "[ \"${%u}\" = \"$E%u\" ]\n", i + 1, i);
	}
	argv[4 + i] = NULL;
	envp[i] = NULL;
	execve("/bin/sh", argv, envp);
	must(false, "execve: %s", strerror(errno));
}

/*
 * R28. exec builds the new stack at one address and then moves it: the whole process is
 * migrated back and forth meanwhile. A page that the walk misses at both addresses would
 * come back wrong, and the arguments with it.
 */
static void r28_exec_stack_moves_under_migration(void)
{
	unsigned long long execs = 0, rounds = 0;

	need_two_nodes();
	do {
		pid_t pid = spawn(exec_with_a_large_stack, NULL);
		int status = 0, got;

		while (!(got = waitpid(pid, &status, WNOHANG)))
			migrate_process(pid, rounds++ & 1);
		must(got == pid && !status, "the program's arguments are wrong (status %#x)",
		     status);
		execs++;
	} while (more());
	note("%llu execs, %llu times migrated", execs, rounds);
}

/* -- R41 --------------------------------------------------------------------------------- */

#define FEW	16ul

enum { NOTHING, UNTOUCHED, TOUCHED, KINDS };

static void neighbour(char *at, int kind, uint64_t token)
{
	if (kind != NOTHING)
		map_anon_at(at, FEW);
	if (kind == TOUCHED)
		fill(at, FEW, token);
}

static void expect_neighbour(char *at, int kind, uint64_t token)
{
	if (kind == TOUCHED) {
		must_be_found(at, FEW);
		expect(at, FEW, token);
	}
	if (kind != NOTHING) {
		fill(at, FEW, token);
		must_be_found(at, FEW);
		expect(at, FEW, token);
		unmap(at, FEW);
	}
}

static void move_a_few(void *arg)
{
	char *far = reserve(FEW);

	move(arg, FEW, far);
	must_migrate(0, far, FEW);
	move(far, FEW, arg);
	expect(arg, FEW, TOKEN);
}

/*
 *	[ prev ][ mid ][ next ]  ->  [ prev ]......[ next ]  ->  [ prev ][ mid ][ next ]
 *
 * with prev and next absent, untouched or touched. The middle one was touched, in a
 * process that was forked or not, and is merged with its neighbours when it is back:
 * every page is still found, also once the piece it was merged with is gone.
 */
static void away_and_back(int prev, int next, bool forked)
{
	char *at = reserve(3 * FEW), *mid = at + FEW * PG, *far = reserve(FEW);
	pid_t pid = 0;

	neighbour(at, prev, 0x111000);
	neighbour(mid + FEW * PG, next, 0x333000);
	map_anon_at(mid, FEW);
	fill(mid, FEW, TOKEN);
	if (forked)
		pid = spawn(move_a_few, mid);
	move(mid, FEW, far);
	must_migrate(0, far, FEW);
	move(far, FEW, mid);
	expect(mid, FEW, TOKEN);
	if (forked)
		reap(pid, 0);
	must_be_found(mid, FEW);
	expect(mid, FEW, TOKEN);
	expect_neighbour(mid + FEW * PG, next, 0x333000);
	expect_neighbour(at, prev, 0x111000);
	must_be_found(mid, FEW);
	expect(mid, FEW, TOKEN);
	unmap(mid, FEW);
}

static void r41_away_and_back_between_neighbours(void)
{
	int i;

	do {
		for (i = 0; i < KINDS * KINDS * 2; i++)
			away_and_back(i % KINDS, i / KINDS % KINDS, i / (KINDS * KINDS));
	} while (more());
}

const struct ktest remap_tests[] = {
	KTEST(r06_ping_pong_against_walks),
	KTEST(r06_random_moves_against_walks),
	KTEST(r06_moved_in_a_child),
	KTEST(r28_exec_stack_moves_under_migration),
	KTEST(r41_away_and_back_between_neighbours),
	KTEST_END
};
