// SPDX-License-Identifier: GPL-2.0
/*
 * R15: VMAs merge at least as often as they do in stock Linux. A fixed sequence of
 * calls, the same in every run and on every kernel; the numbers of VMAs that it leaves
 * are printed ("# vmas NAME COUNT") for the two topologies to be compared.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "rows.h"

#define TOKEN	0x8000000ull
#define N	8ul

static void say_vmas(const char *name, char *at, size_t pages)
{
	note("vmas %s %zu", name, nr_vmas(at, at + pages * PG));
}

/*	[ a ] touched, [ b ] touched or not, then a mapping that fills the hole between */
static void holes(char *at, unsigned int touched)
{
	static const char *const names[] = {
		"hole.none", "hole.left", "hole.right", "hole.both"
	};

	map_anon_at(at, N);
	map_anon_at(at + 2 * N * PG, N);
	if (touched & 1)
		fill(at, N, TOKEN);
	if (touched & 2)
		fill(at + 2 * N * PG, N, TOKEN + 2 * N);
	map_anon_at(at + N * PG, N);
	fill(at + N * PG, N, TOKEN + N);
	say_vmas(names[touched], at, 3 * N);
	must_be_found(at + N * PG, N);
	expect(at + N * PG, N, TOKEN + N);
	unmap(at, 3 * N);
}

static void protect_and_back(char *at)
{
	size_t i;

	map_anon_at(at, 16 * N);
	for (i = 0; i < 16; i++) {
		protect(at + i * N * PG, N, i & 1 ? PROT_READ | PROT_WRITE : PROT_READ);
		if (i & 1)
			fill(at + i * N * PG, N, TOKEN + i * N);
	}
	say_vmas("protect.split", at, 16 * N);
	for (i = 0; i < 16; i++)
		protect(at + i * N * PG, N, RW);
	fill(at, 16 * N, TOKEN);
	say_vmas("protect.back", at, 16 * N);
	must_be_found(at, 16 * N);
	expect(at, 16 * N, TOKEN);
	unmap(at, 16 * N);
}

/* Separately touched neighbours with different protections, which then become the same. */
static void touched_apart(char *at)
{
	size_t i;

	for (i = 0; i < 8; i++) {
		void *got = mmap(at + i * N * PG, N * PG,
				 i & 1 ? PROT_READ | PROT_WRITE | PROT_EXEC : RW,
				 ANON | MAP_FIXED, -1, 0);

		must(got == at + i * N * PG, "mmap: %s", strerror(errno));
		fill(got, N, TOKEN + i * N);
	}
	say_vmas("apart.before", at, 8 * N);
	for (i = 1; i < 8; i += 2)
		protect(at + i * N * PG, N, RW);
	say_vmas("apart.after", at, 8 * N);
	must_be_found(at, 8 * N);
	expect(at, 8 * N, TOKEN);
	unmap(at, 8 * N);
}

static void moved(char *at, char *far)
{
	map_anon_at(at, 3 * N);
	fill(at, 3 * N, TOKEN);
	move(at + N * PG, N, far);
	say_vmas("moved.away", at, 3 * N);
	move(far, N, at + N * PG);
	say_vmas("moved.back", at, 3 * N);
	must_be_found(at, 3 * N);
	expect(at, 3 * N, TOKEN);
	unmap(at, 3 * N);

	/* Untouched mappings moved next to touched ones. */
	map_anon_at(at, N);
	fill(at, N, TOKEN);
	map_anon_at(far, N);
	move(far, N, at + N * PG);
	fill(at + N * PG, N, TOKEN + N);
	say_vmas("moved.untouched", at, 2 * N);
	must_be_found(at, 2 * N);
	expect(at, 2 * N, TOKEN);
	unmap(at, 2 * N);
}

static void in_the_child(void *arg)
{
	char *at = arg;

	protect(at + N * PG, N, PROT_READ);
	protect(at + N * PG, N, RW);
	map_anon_at(at + 4 * N * PG, N);
	fill(at + 4 * N * PG, N, TOKEN + 4 * N);
	say_vmas("child", at, 5 * N);
	must_be_found(at + 4 * N * PG, N);
	expect(at, 5 * N, TOKEN);
}

static void forked(char *at)
{
	map_anon_at(at, 4 * N);
	fill(at, 4 * N, TOKEN);
	reap(spawn(in_the_child, at), 0);
	map_anon_at(at + 4 * N * PG, N);
	fill(at + 4 * N * PG, N, TOKEN + 4 * N);
	say_vmas("parent", at, 5 * N);
	must_be_found(at, 5 * N);
	expect(at, 5 * N, TOKEN);
	unmap(at, 5 * N);
}

/* Private mappings of consecutive parts of a file, written to one by one. */
static void file_parts(char *at)
{
	int fd = private_file(4 * N, 0x9000000);
	size_t i;

	for (i = 0; i < 4; i++) {
		void *got = mmap(at + i * N * PG, N * PG, RW, MAP_PRIVATE | MAP_FIXED, fd,
				 (off_t)(i * N * PG));

		must(got == at + i * N * PG, "mmap of a file: %s", strerror(errno));
		fill(got, N, TOKEN + i * N);
	}
	say_vmas("file", at, 4 * N);
	must_be_found(at, 4 * N);
	expect(at, 4 * N, TOKEN);
	unmap(at, 4 * N);
	close(fd);
}

/* An allocator's arena: many small mappings that come, are touched and go, in a fixed order. */
static void arena(char *at)
{
	struct rnd r = { .state = 4711 };	/* not the seed: the same in every run */
	unsigned char mapped[256] = { 0 };
	unsigned int step;
	size_t i, n;

	for (step = 0; step < 600; step++) {
		n = 1 + rnd_below(&r, 6);
		i = rnd_below(&r, 256 - n);
		switch (rnd_below(&r, 4)) {
		case 0:
			unmap(at + i * PG, n);
			memset(mapped + i, 0, n);
			break;
		case 1:
			for (; n--; i++)
				if (mapped[i])
					protect(at + i * PG, 1, RW | PROT_EXEC);
			break;
		default:
			map_anon_at(at + i * PG, n);
			memset(mapped + i, 1, n);
			if (step & 1)
				fill(at + i * PG, n, TOKEN);
		}
	}
	say_vmas("arena", at, 256);
	unmap(at, 256);
}

static void r15_merges_at_least_as_often(void)
{
	unsigned int touched;

	for (touched = 0; touched < 4; touched++)
		holes(reserve(3 * N), touched);
	protect_and_back(reserve(16 * N));
	touched_apart(reserve(8 * N));
	moved(reserve(3 * N), reserve(N));
	forked(reserve(5 * N));
	file_parts(reserve(4 * N));
	arena(reserve(256));
}

const struct ktest merge_tests[] = {
	KTEST(r15_merges_at_least_as_often),
	KTEST_END
};
