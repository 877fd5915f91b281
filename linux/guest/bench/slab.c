// SPDX-License-Identifier: GPL-2.0
/*
 * How many objects there are, exactly. SLUB counts an object as in use while it lies on
 * the free list of a slab that some CPU keeps for itself; /proc/slabinfo is off by up to
 * the objects of a few slabs per CPU. Writing to a cache's "shrink" takes all slabs from
 * the CPUs first, so that what is read right after it is exact, apart from what other
 * CPUs allocate in between. VMAs are freed after a grace period: slab_settle() waits.
 * The kernel must run with slab_nomerge, or anon_vma_chain may share a cache with other
 * 64-byte objects.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define SETTLE_SAME 3		/* equal readings in a row that make a result */
#define SETTLE_TRIES 100
#define SETTLE_US 20000

const char *const slab_names[NR_SLABS] = {
	[SLAB_VMA] = "vm_area_struct",
	[SLAB_ANON_VMA] = "anon_vma",
	[SLAB_AVC] = "anon_vma_chain",
};

static int slabinfo_fd = -1;
static int shrink_fd[NR_SLABS];
static char slabinfo[65536];

/**
 * slab_init() - open what slab_read() reads, so that reading makes no new objects
 */
void slab_init(void)
{
	char path[96];
	int row;

	slabinfo_fd = open("/proc/slabinfo", O_RDONLY | O_CLOEXEC);
	if (slabinfo_fd < 0)
		die("cannot read /proc/slabinfo");
	for (row = 0; row < NR_SLABS; row++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/cpu_partial",
			 slab_names[row]);
		write_file(path, "0");
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", slab_names[row]);
		shrink_fd[row] = open(path, O_WRONLY | O_CLOEXEC);
		if (shrink_fd[row] < 0)
			die("cannot open %s", path);
	}
	memset(slabinfo, 1, sizeof(slabinfo));
}

static void parse_row(int row, struct slab_counts *counts)
{
	const char *name = slab_names[row];
	size_t len = strlen(name);
	char *line = slabinfo;

	while (line) {
		if (!strncmp(line, name, len) && line[len] == ' ') {
			if (sscanf(line + len, "%ld %*d %ld", &counts->objects[row],
				   &counts->size[row]) != 2)
				die("cannot parse the row %s of /proc/slabinfo", name);
			return;
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	die("no row %s in /proc/slabinfo: boot with slab_nomerge", name);
}

/**
 * slab_read() - shrink the caches and count
 * @counts: filled in
 *
 * Context: after slab_init(). Exact if no other process allocates at the same moment.
 */
void slab_read(struct slab_counts *counts)
{
	size_t len = 0;
	ssize_t got;
	int row;

	for (row = 0; row < NR_SLABS; row++)
		if (write(shrink_fd[row], "1", 1) != 1)
			die("cannot shrink %s", slab_names[row]);
	while ((got = pread(slabinfo_fd, slabinfo + len, sizeof(slabinfo) - 1 - len, len)) > 0)
		len += got;
	if (!len)
		die("/proc/slabinfo is empty");
	slabinfo[len] = 0;
	for (row = 0; row < NR_SLABS; row++)
		parse_row(row, counts);
}

/**
 * slab_settle() - wait until what was freed is really free, then count
 * @counts: filled in
 *
 * Context: while nothing else runs. Waits for grace periods, and until the same is read
 * several times in a row; dies if that takes more than a few seconds.
 */
void slab_settle(struct slab_counts *counts)
{
	struct slab_counts last;
	int same = 0, tries;

	memset(&last, 0, sizeof(last));
	for (tries = 0; tries < SETTLE_TRIES; tries++) {
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
			die("membarrier");
		usleep(SETTLE_US);
		slab_read(counts);
		same = memcmp(counts, &last, sizeof(last)) ? 0 : same + 1;
		if (same == SETTLE_SAME - 1)
			return;
		last = *counts;
	}
	die("the number of objects does not come to rest");
}

/**
 * slab_figures() - print objects and KB for each row
 * @prefix: of the names; they become PREFIX.ROW_kb and PREFIX.ROW_objects
 * @now: counted now
 * @before: counted before the workload started
 */
void slab_figures(const char *prefix, const struct slab_counts *now,
		  const struct slab_counts *before)
{
	int row;

	for (row = 0; row < NR_SLABS; row++) {
		long objects = now->objects[row] - before->objects[row];

		figure("objects", objects, "%s.%s_objects", prefix, slab_names[row]);
		figure("KB", objects * now->size[row] / 1024.0, "%s.%s_kb", prefix,
		       slab_names[row]);
	}
}

/**
 * rmap_visits() - VMAs that walks have handed to callbacks since boot
 *
 * Return: the number, or -1 on a kernel that does not count them.
 */
long rmap_visits(void)
{
	FILE *vmstat = fopen("/proc/vmstat", "re");
	char name[64];
	long value, visits = -1;

	if (!vmstat)
		die("cannot read /proc/vmstat");
	while (fscanf(vmstat, "%63s %ld", name, &value) == 2)
		if (!strcmp(name, "anon_vma_visit"))
			visits = value;
	fclose(vmstat);
	return visits;
}
