// SPDX-License-Identifier: GPL-2.0
/*
 * The phone: a zygote with the shared libraries and heaps that every app starts with,
 * and apps that are its children, write to a part of what they inherit, and add memory
 * of their own.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define LIBRARIES 150		/* files, each mapped three times: r--, r-x, rw- */
#define ZYGOTE_AREAS 200
#define AREA_PAGES 4
#define APP_AREAS 100
#define STACKS 20
#define STACK_PAGES 16

#define TEXT_PAGES 4
#define RODATA_PAGES 2
#define DATA_PAGES 2
#define LIBRARY_PAGES (TEXT_PAGES + RODATA_PAGES + DATA_PAGES)

static char *library_data[LIBRARIES];
static char *zygote_areas;
static char *app_base, *stack_base;

static void map_segment(char *addr, long pages, int prot, int fd, long first)
{
	if (mmap(addr, pages * PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, first * PAGE) != addr)
		die("mmap of a library at %p", addr);
}

/*
 * As a dynamic linker maps a library, here a file in the current directory; relocations
 * make the pages of its data private.
 */
static void map_library(int index, char *addr)
{
	char path[] = "library-XXXXXX";
	volatile char *data = addr + (RODATA_PAGES + TEXT_PAGES) * PAGE;
	int fd = mkstemp(path);
	long page;

	if (fd < 0 || unlink(path) || ftruncate(fd, LIBRARY_PAGES * PAGE))
		die("cannot make a library");
	map_segment(addr, RODATA_PAGES, PROT_READ, fd, 0);
	map_segment(addr + RODATA_PAGES * PAGE, TEXT_PAGES, PROT_READ | PROT_EXEC, fd,
		    RODATA_PAGES);
	map_segment(addr + (RODATA_PAGES + TEXT_PAGES) * PAGE, DATA_PAGES,
		    PROT_READ | PROT_WRITE, fd, RODATA_PAGES + TEXT_PAGES);
	close(fd);
	for (page = 0; page < RODATA_PAGES + TEXT_PAGES; page++)
		(void)*(volatile char *)(addr + page * PAGE);
	for (page = 0; page < DATA_PAGES; page++)
		data[page * PAGE] = (char)index;
	library_data[index] = (char *)data;
}

static void write_areas(char *base, long n, long pages, long first, long step)
{
	long i, page;

	for (i = first; i < n; i += step)
		for (page = 0; page < pages; page++)
			*(volatile char *)(base + (i * (AREA_PAGES + 1) + page) * PAGE) = 1;
}

static void app(int index, void *arg)
{
	char *stack;
	int i;

	(void)arg;
	for (i = index % 3; i < LIBRARIES; i += 3)
		*(volatile char *)library_data[i] = 2;
	write_areas(zygote_areas, ZYGOTE_AREAS, 1, index % 3, 3);
	map_spaced_at(app_base, APP_AREAS, AREA_PAGES);
	write_areas(app_base, APP_AREAS, 1, 0, 1);
	for (i = 0; i < STACKS; i++) {
		stack = stack_base + i * (STACK_PAGES + 1) * PAGE;
		map_fixed(stack, (STACK_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE);
		if (mprotect(stack, PAGE, PROT_NONE))
			die("mprotect of a stack's guard page");
		*(volatile char *)(stack + STACK_PAGES * PAGE) = 1;
	}
}

static void zygote(int index, void *arg)
{
	char *libraries = arena(LIBRARIES * (LIBRARY_PAGES + 1) * PAGE);
	int i;

	(void)index;
	(void)arg;
	for (i = 0; i < LIBRARIES; i++)
		map_library(i, libraries + i * (LIBRARY_PAGES + 1) * PAGE);
	zygote_areas = map_spaced(ZYGOTE_AREAS, AREA_PAGES);
	write_areas(zygote_areas, ZYGOTE_AREAS, 2, 0, 1);
	app_base = arena(APP_AREAS * (AREA_PAGES + 1) * PAGE);
	stack_base = arena(STACKS * (STACK_PAGES + 1) * PAGE);
}

struct phone_run {
	int apps;
	struct slab_counts start;
};

/* The zygote process: measured alone, then with its apps. */
static void run(int index, void *arg)
{
	struct phone_run *phone_run = arg;
	struct slab_counts now;
	struct brood apps;

	zygote(index, NULL);
	slab_settle(&now);
	slab_figures("phone.zygote", &now, &phone_run->start);
	brood_start(&apps, phone_run->apps, app, NULL);
	slab_settle(&now);
	slab_figures("phone", &now, &phone_run->start);
	brood_end(&apps);
}

static void check_back(const struct slab_counts *start)
{
	struct slab_counts end;
	int row;

	slab_settle(&end);
	slab_figures("phone.end", &end, start);
	for (row = SLAB_ANON_VMA; row < NR_SLABS; row++)
		if (end.objects[row] != start->objects[row])
			die("%s: %ld objects before, %ld after the last process was gone",
			    slab_names[row], start->objects[row], end.objects[row]);
}

/** phone() - slab rows at boot, with the zygote, with its apps, and at the end */
void phone(void)
{
	struct phone_run phone_run = { .apps = (int)param("apps", 24) };
	struct brood zygotes;
	int row;

	slab_init();
	/* Once before: what the first of them brings along for good is there at the start. */
	slab_settle(&phone_run.start);
	brood_start(&zygotes, 0, NULL, NULL);
	brood_end(&zygotes);
	slab_settle(&phone_run.start);
	for (row = 0; row < NR_SLABS; row++) {
		figure("objects", phone_run.start.objects[row], "phone.boot.%s_objects",
		       slab_names[row]);
		figure("bytes", phone_run.start.size[row], "phone.%s_bytes",
		       slab_names[row]);
	}
	brood_start(&zygotes, 1, run, &phone_run);
	brood_end(&zygotes);
	check_back(&phone_run.start);
}
