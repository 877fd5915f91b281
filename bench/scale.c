// SPDX-License-Identifier: GPL-2.0
/*
 * How large a world fits on one machine, and how fast it is. scale NAME TOPOLOGY runs
 * one measurement in a process of its own, as its memory is a part of the result, and
 * prints "name topology figure value unit" lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include "usermm.h"

#define PG	UM_PAGE_SIZE
#define BASE	0x10000000UL
#define RW	(PROT_READ | PROT_WRITE)

static const char *name, *topology;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static double rss_mib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss / 1024.0;
}

static void figure(const char *what, double value, const char *unit)
{
	printf("%-12s %-8s %-28s %14.2f %s\n", name, topology, what, value, unit);
	fflush(stdout);
}

static void check(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "scale: %s: %s\n", what, strerror(-err));
		exit(1);
	}
}

static struct um_world *world_new(void)
{
	struct um_config config = { .topology = topology, .check = UM_CHECK_OFF };
	struct um_world *world;

	check(um_world_create(&config, &world), "world");
	return world;
}

static void world_end(struct um_world *world)
{
	check(um_world_destroy(world), "the world did not end clean");
}

static void map(struct mm_struct *mm, uint64_t addr, uint64_t pages, int prot)
{
	uint64_t at;

	check(um_mmap(mm, addr, pages * PG, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0,
		      &at), "mmap");
}

static void objects(struct um_world *world)
{
	static const char * const names[UM_NR_OBJ] = {
		"vm_area_struct live", "anon_vma live", "anon_vma_chain live",
	};
	struct um_stats stats;
	int i;

	um_stats(world, &stats);
	for (i = 0; i < UM_NR_OBJ; i++)
		figure(names[i], stats.objects[i].live, "objects");
}

/* 1,000 processes with 1,000 faulted VMAs each: a parent and 999 children. */
static void processes(void)
{
	enum { PROCESSES = 1000, VMAS = 1000 };
	static struct mm_struct *mm[PROCESSES];
	struct um_world *world = world_new();
	double start;
	int i;

	check(um_mm_create(world, &mm[0]), "mm");
	/* Every other one is executable, so that neighbours cannot merge. */
	for (i = 0; i < VMAS; i++)
		map(mm[0], BASE + i * PG, 1, i % 2 ? RW : RW | PROT_EXEC);
	check(um_touch(mm[0], BASE, VMAS), "touch");
	start = now();
	for (i = 1; i < PROCESSES; i++)
		check(um_fork(mm[0], &mm[i]), "fork");
	figure("fork", (now() - start) / (PROCESSES - 1) * 1e6, "us each");
	objects(world);
	figure("peak RSS", rss_mib(), "MiB");
	start = now();
	for (i = 0; i < PROCESSES; i++)
		um_exit(mm[i]);
	figure("exit", (now() - start) / PROCESSES * 1e6, "us each");
	world_end(world);
}

static void pages(void)
{
	const uint64_t nr = 10 * 1000 * 1000;
	struct um_world *world = world_new();
	struct mm_struct *mm;
	uint64_t i, content;
	double start;

	check(um_mm_create(world, &mm), "mm");
	map(mm, BASE, nr, RW);
	start = now();
	check(um_touch(mm, BASE, nr), "touch");
	figure("first write", nr / (now() - start) / 1e6, "million pages/s");
	figure("peak RSS, 10 million pages", rss_mib(), "MiB");
	start = now();
	for (i = 0; i < nr; i++)
		check(um_write(mm, BASE + i * PG, i), "write");
	figure("write, mapped", nr / (now() - start) / 1e6, "million pages/s");
	start = now();
	for (i = 0; i < nr; i++)
		check(um_read(mm, BASE + i * PG, &content), "read");
	figure("read, mapped", nr / (now() - start) / 1e6, "million pages/s");
	start = now();
	check(um_munmap(mm, BASE, nr * PG), "munmap");
	figure("munmap", nr / (now() - start) / 1e6, "million pages/s");
	um_exit(mm);
	world_end(world);
}

static void cow(void)
{
	const uint64_t nr = 1000 * 1000;
	struct um_world *world = world_new();
	struct mm_struct *mm, *child;
	double start;

	check(um_mm_create(world, &mm), "mm");
	map(mm, BASE, nr, RW);
	check(um_touch(mm, BASE, nr), "touch");
	start = now();
	check(um_fork(mm, &child), "fork");
	figure("fork, pages copied", nr / (now() - start) / 1e6, "million pages/s");
	start = now();
	check(um_touch(child, BASE, nr), "touch");
	figure("COW fault", nr / (now() - start) / 1e6, "million pages/s");
	start = now();
	check(um_touch(mm, BASE, nr), "touch");
	figure("COW fault with reuse", nr / (now() - start) / 1e6, "million pages/s");
	start = now();
	check(um_migrate(world, nr) > 0 ? 0 : -1, "migrate");
	figure("migration", nr / (now() - start) / 1e6, "million pages/s");
	um_exit(child);
	um_exit(mm);
	world_end(world);
}

static void generations(void)
{
	enum { GENERATIONS = 1000 * 1000 };
	struct um_world *world = world_new();
	struct mm_struct *mm, *child;
	double start, rss = 0;
	int i;

	check(um_mm_create(world, &mm), "mm");
	map(mm, BASE, 4, RW);
	check(um_touch(mm, BASE, 4), "touch");
	start = now();
	for (i = 0; i < GENERATIONS; i++) {
		check(um_fork(mm, &child), "fork");
		um_exit(mm);
		mm = child;
		check(um_write(mm, BASE, i), "write");
		if (i == GENERATIONS / 10)
			rss = rss_mib();
	}
	figure("fork, write, exit", (now() - start) / GENERATIONS * 1e6, "us each");
	figure("RSS after 100,000", rss, "MiB");
	figure("RSS after 1,000,000", rss_mib(), "MiB");
	objects(world);
	um_exit(mm);
	world_end(world);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} runs[] = {
		{ "processes", processes }, { "pages", pages }, { "cow", cow },
		{ "generations", generations },
	};
	size_t i;

	if (argc == 3) {
		name = argv[1];
		topology = argv[2];
		for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
			if (strcmp(name, runs[i].name))
				continue;
			um_thread_register();
			runs[i].run();
			um_thread_unregister();
			return 0;
		}
	}
	fprintf(stderr, "usage: scale processes|pages|cow|generations TOPOLOGY\n");
	return 2;
}
