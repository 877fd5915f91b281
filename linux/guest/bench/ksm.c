// SPDX-License-Identifier: GPL-2.0
/*
 * The longest walk of a page that KSM merged from many VMAs of one process.
 *
 * One mapping is touched, made mergeable and then cut into one-page VMAs by giving
 * every other page another protection: as in programs that guard parts of a heap. A
 * walk is timed by marking the page's frame as idle (/sys/kernel/mm/page_idle/bitmap):
 * that is one walk over all mappings, which does not stop early, and nothing else.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define KSM "/sys/kernel/mm/ksm/"
#define MERGE_MS 60000
#define FRAMES 512		/* different merged pages looked at */

struct frame {
	uint64_t number;
	long mappings;
	char *addr;
};

static struct frame frames[FRAMES];
static int nr_frames;

static long ksm_read(const char *name)
{
	char path[96];
	long value;
	FILE *file;

	snprintf(path, sizeof(path), KSM "%s", name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%ld", &value) != 1)
		die("cannot read %s", path);
	fclose(file);
	return value;
}

static void ksm_write(const char *name, long value)
{
	char path[96];

	snprintf(path, sizeof(path), KSM "%s", name);
	write_file(path, "%ld", value);
}

static char *make_vmas(long vmas)
{
	char *base = arena(vmas * PAGE);
	long i;

	map_fixed(base, vmas * PAGE, PROT_READ | PROT_WRITE);
	for (i = 0; i < vmas; i++)
		memset(base + i * PAGE, 0x5a, PAGE);
	if (madvise(base, vmas * PAGE, MADV_MERGEABLE))
		die("MADV_MERGEABLE");
	for (i = 0; i < vmas; i += 2)
		if (mprotect(base + i * PAGE, PAGE, PROT_READ))
			die("mprotect of page %ld", i);
	return base;
}

static void merge(long vmas)
{
	uint64_t begin = now_ns();

	ksm_write("pages_to_scan", vmas);
	ksm_write("sleep_millisecs", 1);
	ksm_write("run", 1);
	while (ksm_read("pages_sharing") + ksm_read("pages_shared") < vmas - vmas / 100) {
		if (now_ns() - begin > MERGE_MS * 1000000ULL)
			die("%ld of %ld pages merged", ksm_read("pages_sharing"), vmas);
		usleep(20000);
	}
	ksm_write("run", 0);
	figure("ms", (now_ns() - begin) / 1e6, "ksm.merge");
}

static void count_frames(char *base, long vmas)
{
	uint64_t number;
	long i;
	int f;

	for (i = 0; i < vmas; i++) {
		number = frame_of(base + i * PAGE);
		for (f = 0; f < nr_frames && frames[f].number != number; f++)
			;
		if (f == nr_frames && nr_frames < FRAMES) {
			frames[nr_frames].addr = base + i * PAGE;
			frames[nr_frames++].number = number;
		}
		if (f < nr_frames)
			frames[f].mappings++;
	}
}

static struct frame *most_mapped(void)
{
	struct frame *most = frames;
	int f;

	for (f = 1; f < nr_frames; f++)
		if (frames[f].mappings > most->mappings)
			most = &frames[f];
	return most;
}

static double walk_us(uint64_t frame)
{
	int fd = open("/sys/kernel/mm/page_idle/bitmap", O_WRONLY | O_CLOEXEC);
	uint64_t bits = 1ULL << (frame % 64), begin;
	double us;

	if (fd < 0)
		die("cannot open /sys/kernel/mm/page_idle/bitmap");
	begin = now_ns();
	if (pwrite(fd, &bits, sizeof(bits), frame / 64 * sizeof(bits)) != sizeof(bits))
		die("cannot mark frame %#llx as idle", (unsigned long long)frame);
	us = (now_ns() - begin) / 1e3;
	close(fd);
	return us;
}

/** ksm() - the longest walk, of the merged pages with most mappings */
void ksm(void)
{
	long vmas = param("vmas", 20000), walks = param("walks", 1), i, mappings = 0, visits;
	double longest = 0, us;
	uint64_t begin;
	char *base;

	pin(1);
	write_file("/proc/sys/vm/max_map_count", "%ld", 2 * vmas + 65530);
	base = make_vmas(vmas);
	merge(vmas);
	count_frames(base, vmas);
	visits = rmap_visits();
	for (i = 0; i < walks; i++) {
		struct frame *frame = most_mapped();

		if (!i)
			mappings = frame->mappings;
		us = walk_us(frame->number);
		longest = us > longest ? us : longest;
		frame->mappings = 0;
	}
	figure("us", longest, "ksm.longest_walk");
	figure("mappings", mappings, "ksm.mappings");
	if (visits >= 0)
		figure("visits", (double)(rmap_visits() - visits) / walks, "ksm.visits");
	if (param("migrate", 0)) {
		begin = now_ns();
		migrate(0, most_mapped()->addr, 1, 1, 0);
		figure("us", (now_ns() - begin) / 1e3, "ksm.migrate");
	}
	if (munmap(base, vmas * PAGE))
		die("munmap");
	ksm_write("run", 2);
	ksm_write("run", 0);
}
