// SPDX-License-Identifier: GPL-2.0
/* Files under /proc and /sys, by their meaning. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ktest.h"
#include "kernel.h"

ssize_t kernel_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (have < size - 1 && (n = read(fd, text + have, size - 1 - have)) > 0)
		have += (size_t)n;
	if (n < 0)
		n = -errno;
	close(fd);
	text[have] = 0;
	return n < 0 ? n : (ssize_t)have;
}

int kernel_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int kernel_write_number(const char *path, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	return kernel_write(path, text);
}

long kernel_number(const char *path, long otherwise)
{
	char text[64], *end;
	long number;

	if (kernel_read(path, text, sizeof(text)) <= 0)
		return otherwise;
	number = strtol(text, &end, 0);
	return end == text ? otherwise : number;
}

/* The number after the word @name at the beginning of a line of @path. */
static long row(const char *path, const char *name)
{
	size_t size = 1 << 17;
	char *text = malloc(size), *at;
	long number = -1;

	if (text && kernel_read(path, text, size) > 0) {
		for (at = text; at && number < 0; at = strchr(at, '\n')) {
			at += *at == '\n';
			if (!strncmp(at, name, strlen(name)) && at[strlen(name)] == ' ')
				number = atol(at + strlen(name));
		}
	}
	free(text);
	return number;
}

long vmstat(const char *name)
{
	return row("/proc/vmstat", name);
}

long slab_active(const char *cache)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	kernel_write(path, "1");
	return row("/proc/slabinfo", cache);
}

bool lazy_topology(void)
{
	char text[4096];

	if (vmstat("anon_vma_join") < 0)
		return false;
	return kernel_read("/proc/cmdline", text, sizeof(text)) <= 0 ||
	       !strstr(text, "anon_vma=regular");
}

size_t very_many_vmas(void)
{
	return access("/sys/kernel/debug/failslab", F_OK) ? 20000 : 2000;
}

bool have_swap(void)
{
	char text[4096], *second;

	return kernel_read("/proc/swaps", text, sizeof(text)) > 0 &&
	       (second = strchr(text, '\n')) && second[1];
}

bool have_two_nodes(void)
{
	char text[64];

	return kernel_read("/sys/devices/system/node/has_memory", text, sizeof(text)) > 0 &&
	       strpbrk(text, "-,");
}

bool have_memory_reclaim(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/memory.reclaim", ktest_cgroup);
	return ktest_cgroup[0] && !access(path, W_OK);
}

void need_swap(void)
{
	if (!have_swap())
		skip("no swap");
}

void need_two_nodes(void)
{
	if (!have_two_nodes())
		skip("one memory node: nothing to migrate to");
}

void need_memory_reclaim(void)
{
	if (!have_memory_reclaim())
		skip("no cgroup with memory.reclaim");
}

void need_ksm(void)
{
	need_file("/sys/kernel/mm/ksm/run");
}

void need_file(const char *path)
{
	if (access(path, F_OK))
		skip("no %s", path);
}

void reclaim_own_cgroup(unsigned int mb)
{
	char path[300], text[64];

	snprintf(path, sizeof(path), "%s/memory.reclaim", ktest_cgroup);
	snprintf(text, sizeof(text), "%uM swappiness=200", mb);
	/* -EAGAIN: less than asked for was reclaimed. -EINVAL: no swappiness key there. */
	if (kernel_write(path, text) == -EINVAL) {
		snprintf(text, sizeof(text), "%uM", mb);
		kernel_write(path, text);
	}
}
