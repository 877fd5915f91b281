// SPDX-License-Identifier: GPL-2.0
/* The command line: bench WORKLOAD [NAME=VALUE...] [-- COMMAND...] */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static char **params;

static const struct {
	const char *name;
	void (*run)(void);
	const char *what;
} workloads[] = {
	{ "phone", phone, "a zygote and its apps: slab rows [apps=24]" },
	{ "peak", peak, "slab rows at their peak while COMMAND runs [ms=50]" },
	{ "spawned", spawned, "slab rows while COMMAND, which stops itself, is stopped" },
	{ "fork", fork_latency, "fork, exit, wait [vmas=1000 reps=20 threads=1]" },
	{ "vmas", vma_loops, "first fault, split/merge, munmap, mremap [reps=20 threads=1]" },
	{ "shell", shell_loop, "fork and exec by COMMAND, a shell [execs=50 reps=5 chroot=0]" },
	{ "reclaim", reclaim, "migrate and page out [page=exclusive children=0 pages=256]" },
	{ "storms", storms, "reclaim against forks, mprotect, munmap [against=fork ms=500]" },
	{ "ksm", ksm, "longest walk of a merged page [vmas=20000 walks=1 migrate=0]" },
	{ "contention", contention, "calls while walks run [calls=1000 processes=1 walkers=1]" },
	{ "generations", generations, "fork and exit [n=10000]" },
};

static const char *find(const char *name)
{
	size_t len = strlen(name);
	char **p;

	for (p = params; *p && strcmp(*p, "--"); p++)
		if (!strncmp(*p, name, len) && (*p)[len] == '=')
			return *p + len + 1;
	return NULL;
}

/**
 * param() - a number from the command line
 * @name: as in NAME=VALUE
 * @otherwise: if it is not there
 *
 * Return: the number.
 */
long param(const char *name, long otherwise)
{
	const char *text = find(name);
	char *end;
	long value;

	if (!text)
		return otherwise;
	value = strtol(text, &end, 10);
	if (*end || end == text || value < 0) {
		errno = EINVAL;
		die("not a number: %s=%s", name, text);
	}
	return value;
}

/**
 * choice() - a word from the command line
 * @name: as in NAME=WORD
 * @words: those that are allowed, ended by NULL
 *
 * Return: index of the word; the first one's if NAME is not there.
 */
int choice(const char *name, const char *const words[])
{
	const char *text = find(name);
	int i;

	if (!text)
		return 0;
	for (i = 0; words[i]; i++)
		if (!strcmp(words[i], text))
			return i;
	errno = EINVAL;
	die("unknown word: %s=%s", name, text);
}

/**
 * command() - what follows "--" on the command line
 *
 * Return: its words, at least one, ended by NULL.
 */
char **command(void)
{
	char **p;

	for (p = params; *p; p++)
		if (!strcmp(*p, "--") && p[1])
			return p + 1;
	errno = EINVAL;
	die("this workload needs a command after --");
}

static int usage(void)
{
	size_t i;

	fprintf(stderr, "Usage: bench WORKLOAD [NAME=VALUE...] [-- COMMAND...]\n");
	for (i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		fprintf(stderr, "  %-12s %s\n", workloads[i].name, workloads[i].what);
	return 2;
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return usage();
	params = argv + 2;
	for (i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		if (strcmp(argv[1], workloads[i].name))
			continue;
		workloads[i].run();
		return 0;
	}
	return usage();
}
