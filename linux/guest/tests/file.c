// SPDX-License-Identifier: GPL-2.0
/* Anonymous pages of private file mappings, and private /dev/zero. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "lib/window.h"
#include "rows.h"

#define TOKEN		0x3000000ull
#define FILE_TOKEN	0x4000000ull
#define N		32ul

static char *map_file(char *at, size_t pages, int fd, size_t offset)
{
	void *got = mmap(at, pages * PG, RW, MAP_PRIVATE | MAP_FIXED, fd, (off_t)(offset * PG));

	must(got == at, "mmap of a file: %s", strerror(errno));
	return at;
}

static void check_both(void *arg)
{
	char *at = arg;

	expect(at, N, TOKEN);
	expect(at + 2 * N * PG, N, TOKEN + N);
	must_migrate(0, at, N);
	move(at + 2 * N * PG, N, at + 4 * N * PG);
	must_migrate(0, at + 4 * N * PG, N);
	expect(at, N, TOKEN);
	expect(at + 4 * N * PG, N, TOKEN + N);
}

/*
 * R08. Two private maps of the same part of a file in one process: the copies have the
 * same file offset and are other pages. Split, merge, move, fork; migrate and swap out.
 */
static void r08_two_maps_of_one_file(void)
{
	int fd = private_file(N, FILE_TOKEN);

	do {
		char *at = reserve(8 * N), *a = at, *b = at + 2 * N * PG, *c = at + 6 * N * PG;
		pid_t pid;

		map_file(a, N, fd, 0);
		map_file(b, N, fd, 0);
		map_file(c, N, fd, 0);
		fill(a, N, TOKEN);
		fill(b, N, TOKEN + N);
		must_be_found(a, N);
		must_be_found(b, N);
		expect(a, N, TOKEN);
		expect(b, N, TOKEN + N);
		protect(a + 8 * PG, 8, PROT_READ);
		move(b, N, b + N * PG);
		must_be_found(a, N);
		must_be_found(b + N * PG, N);
		protect(a + 8 * PG, 8, RW);
		move(b + N * PG, N, b);
		expect(a, N, TOKEN);
		expect(b, N, TOKEN + N);
		expect(c, N, FILE_TOKEN);
		pid = spawn(check_both, at);
		must_migrate(0, a, N);
		reap(pid, 0);
		must_be_found(b, N);
		madvise(a, N * PG, MADV_DONTNEED);
		expect(a, N, FILE_TOKEN);
		expect(b, N, TOKEN + N);
		unmap(a, N);
		unmap(b, N);
		unmap(c, N);
	} while (more());
}

/* R08. Private /dev/zero is an anonymous mapping that was a file mapping to begin with. */
static void r08_private_dev_zero(void)
{
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	char *at = reserve(4 * N), *to = at + 2 * N * PG;

	must(fd >= 0, "/dev/zero: %s", strerror(errno));
	do {
		map_file(at, N, fd, 5);
		expect_zero(at, 4);
		fill(at, N, TOKEN);
		must_be_found(at, N);
		expect(at, N, TOKEN);
		protect(at + 8 * PG, 8, PROT_READ);
		move(at + 16 * PG, 8, to);
		must_be_found(at, 16);
		must_be_found(to, 8);
		move(to, 8, at + 16 * PG);
		protect(at + 8 * PG, 8, RW);
		must_be_found(at, N);
		expect(at, N, TOKEN);
		unmap(at, N);
	} while (more());
}

static void r08_random_changes_of_file_mappings(void)
{
	char *at = reserve(128);
	struct pressure p = { .at = at, .pages = 128, .kinds = MIGRATE | PAGEOUT | IDLE };
	struct window w;

	window_init(&w, at, 128, (W_CHANGES | W_FORK) & ~(unsigned int)W_MAP, 8);
	pressure_start(&p);
	while (more())
		window_step(&w);
	pressure_stop_and_check(&p);
	window_must_be_found(&w);
	window_exit(&w);
}

/* Visits, or seconds, that it takes to migrate one page of each of @nr mapped files. */
static double cost_per_page(char *at, size_t nr, int fd)
{
	size_t i, moved = 0;
	double cost, best = 0;
	int round;

	/* The same page of the file each time: neighbours that do not merge. */
	for (i = 0; i < nr; i++) {
		map_file(at + i * PG, 1, fd, 0);
		page_set(at + i * PG, TOKEN + i);
	}
	for (round = 0; round < 6; round++) {
		long visits = vmstat("anon_vma_visit");
		double began = now();

		moved = migrate_to(0, at, nr, round & 1);
		cost = visits < 0 ? now() - began : (double)(vmstat("anon_vma_visit") - visits);
		if (!round || cost < best)
			best = cost;
	}
	must(moved > nr / 2, "%zu of %zu pages were migrated", moved, nr);
	expect(at, nr, TOKEN);
	return best / (double)nr;
}

/* R08. Visits per hit do not grow with the number of files that are mapped. */
static void r08_cost_does_not_grow_with_files(void)
{
	int fd = private_file(1, FILE_TOKEN);
	char *at = reserve(1024);
	double few, many;

	need_two_nodes();
	few = cost_per_page(at, 64, fd);
	many = cost_per_page(at, 1024, fd);
	note("migration of a page costs %g with 64 files, %g with 1024", few, many);
	must(many <= 4 * few + 0.0001, "%g with 64 files, %g with 1024", few, many);
}

const struct ktest file_tests[] = {
	KTEST(r08_two_maps_of_one_file),
	KTEST(r08_private_dev_zero),
	KTEST(r08_random_changes_of_file_mappings),
	KTEST(r08_cost_does_not_grow_with_files),
	KTEST_END
};
