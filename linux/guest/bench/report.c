// SPDX-License-Identifier: GPL-2.0
/* Time, medians, and the lines that come out. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/**
 * die() - say what went wrong, with errno's text, and end with status 1
 * @format: as for printf(), without a newline
 */
void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "bench: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (errno: %s)\n", strerror(error));
	exit(1);
}

/**
 * now_ns() - the guest's clock
 *
 * Return: nanoseconds. With QEMU's -icount these are instructions executed.
 */
uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/**
 * percentile() - the value that @percent of the values do not exceed
 * @values: sorted in place
 * @n: how many, at least 1
 * @percent: 0 to 100
 *
 * Return: one of the values (nearest rank).
 */
double percentile(double *values, size_t n, double percent)
{
	size_t rank = (size_t)(percent / 100 * n);

	qsort(values, n, sizeof(*values), compare);
	return values[rank < n ? rank : n - 1];
}

/**
 * median() - the middle value, or the mean of the two in the middle
 * @values: sorted in place
 * @n: how many, at least 1
 *
 * Return: the median.
 */
double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/**
 * figure() - print one line for the driver
 * @unit: ns, us, KB, objects, ...
 * @value: measured
 * @name: as for printf(); no blanks
 */
void figure(const char *unit, double value, const char *name, ...)
{
	va_list args;

	printf("figure ");
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	printf(" %.3f %s\n", value, unit);
	fflush(stdout);
}

static bool vwrite_file(const char *path, const char *format, va_list args)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), len;
	char text[128];
	bool ok;

	if (fd < 0)
		return false;
	len = vsnprintf(text, sizeof(text), format, args);
	ok = write(fd, text, len) == len;
	close(fd);
	return ok;
}

/**
 * try_write_file() - write a setting of the kernel's
 * @path: of an existing file
 * @format: as for printf()
 *
 * Return: whether it was taken; if not, errno says why.
 */
bool try_write_file(const char *path, const char *format, ...)
{
	va_list args;
	bool ok;

	va_start(args, format);
	ok = vwrite_file(path, format, args);
	va_end(args);
	return ok;
}

/**
 * write_file() - the same, for what must succeed
 * @path: of an existing file
 * @format: as for printf()
 */
void write_file(const char *path, const char *format, ...)
{
	va_list args;
	bool ok;

	va_start(args, format);
	ok = vwrite_file(path, format, args);
	va_end(args);
	if (!ok)
		die("cannot write %s", path);
}

/**
 * pin() - stay on one CPU, children included
 * @cpu: number, taken modulo the CPUs there are
 */
void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % nr_cpus(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/** unpin() - undo pin(). */
void unpin(void)
{
	cpu_set_t set;
	int cpu;

	CPU_ZERO(&set);
	for (cpu = 0; cpu < nr_cpus(); cpu++)
		CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/** nr_cpus() - Return: how many CPUs are online. */
int nr_cpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}
