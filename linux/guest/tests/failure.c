// SPDX-License-Identifier: GPL-2.0
/*
 * R16: memory runs out at every point of every operation, one after the other. The
 * kernel counts the allocations of one system call and fails the n-th one
 * (/proc/self/fail-nth); n goes up until the call gets through without one failing.
 * Then: contents as they were, every page found, and the next call works.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "rows.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#define TOKEN	0xb000000ull
#define N	16ul
#define MOST	2000u

static void need_injection(void)
{
	static const char *const settings[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/cache-filter", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
	};
	char path[100];
	size_t i;

	if (access("/proc/self/fail-nth", W_OK) || access("/sys/kernel/debug/failslab", F_OK))
		skip("no fault injection in this kernel (the debug flavour has it)");
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", settings[i][0]);
		kernel_write(path, settings[i][1]);
	}
}

struct operation {
	const char *name;
	void (*prepare)(char *at);
	bool (*run)(char *at);		/* true: it went through */
	void (*check)(char *at, bool done);
	size_t pages;			/* that it needs, at most */
	size_t vmas;			/* in the first N pages, once it went through */
};

/* @fd is /proc/self/fail-nth. Returns whether the n-th allocation was made to fail. */
static bool run_failing(int fd, const struct operation *op, char *at, unsigned int n, bool *done)
{
	char text[16];
	ssize_t got;

	snprintf(text, sizeof(text), "%u", n);
	must(pwrite(fd, text, strlen(text), 0) > 0, "fail-nth: %s", strerror(errno));
	*done = op->run(at);
	/* What is left of the count: zero when it was used up. Reading must not count. */
	got = pread(fd, text, sizeof(text) - 1, 0);
	must(got > 0, "fail-nth: %s", strerror(errno));
	text[got] = 0;
	must(pwrite(fd, "0", 1, 0) > 0, "fail-nth: %s", strerror(errno));
	return !atoi(text);
}

static void at_every_allocation(const struct operation *op)
{
	int fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	unsigned int n, refused = 0;
	bool injected, done;
	size_t vmas;
	char *at;

	must(fd >= 0, "/proc/self/fail-nth: %s", strerror(errno));
	for (n = 1; n < MOST; n++) {
		at = reserve(op->pages);
		op->prepare(at);
		injected = run_failing(fd, op, at, n, &done);
		refused += !done;
		op->check(at, done);
		if (!done) {
			/* Nothing is broken by the refusal: now it works. */
			must(op->run(at), "%s still fails: %s", op->name, strerror(errno));
			op->check(at, true);
		}
		/* A merge may be done without when it gets no memory. */
		vmas = nr_vmas(at, at + N * PG);
		must((injected && done) || vmas == op->vmas, "%s leaves %zu VMAs, not %zu",
		     op->name, vmas, op->vmas);
		unmap(at, op->pages);
		if (!injected)
			break;
	}
	must(n > 1, "%s: no allocation failed", op->name);
	must(n < MOST, "%s needs more than %u allocations", op->name, MOST);
	note("%s: %u allocations failed in turn, %u of the calls refused", op->name, n - 1,
	     refused);
	close(fd);
}

static bool ok_or_enomem(bool ok)
{
	must(ok || errno == ENOMEM || errno == EAGAIN || errno == EFAULT, "%s", strerror(errno));
	return ok;
}

static void prepare_faulted(char *at)
{
	map_anon_at(at, N);
	fill(at, N, TOKEN);
}

static void check_in_place(char *at, bool done)
{
	(void)done;
	expect(at, N, TOKEN);
	must_be_found(at, N);
	expect(at, N, TOKEN);
}

static bool run_protect(char *at)
{
	return ok_or_enomem(!mprotect(at + 4 * PG, 4 * PG, PROT_READ));
}

static bool run_unmap_middle(char *at)
{
	return ok_or_enomem(!munmap(at + 4 * PG, 4 * PG));
}

static void check_unmap_middle(char *at, bool done)
{
	expect(at, 4, TOKEN);
	expect(at + 8 * PG, N - 8, TOKEN + 8);
	if (!done)
		expect(at, N, TOKEN);
	must_be_found(at, 4);
	must_be_found(at + 8 * PG, N - 8);
}

static bool run_map_over(char *at)
{
	return ok_or_enomem(mmap(at + 4 * PG, 4 * PG, RW, ANON | MAP_FIXED, -1, 0) != MAP_FAILED);
}

static void check_map_over(char *at, bool done)
{
	expect(at, 4, TOKEN);
	expect(at + 8 * PG, N - 8, TOKEN + 8);
	if (done)
		expect_zero(at + 4 * PG, 4);
	must_be_found(at, 4);
	must_be_found(at + 8 * PG, N - 8);
}

static bool run_move(char *at)
{
	return ok_or_enomem(mremap(at, N * PG, N * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
				   at + 2 * N * PG) != MAP_FAILED);
}

static void check_move(char *at, bool done)
{
	check_in_place(done ? at + 2 * N * PG : at, done);
}

static bool run_move_part(char *at)
{
	return ok_or_enomem(mremap(at + 4 * PG, 4 * PG, 4 * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
				   at + 2 * N * PG) != MAP_FAILED);
}

static void check_move_part(char *at, bool done)
{
	char *part = done ? at + 2 * N * PG : at + 4 * PG;

	expect(at, 4, TOKEN);
	expect(part, 4, TOKEN + 4);
	expect(at + 8 * PG, N - 8, TOKEN + 8);
	must_be_found(part, 4);
	must_be_found(at + 8 * PG, N - 8);
}

static bool run_dontunmap(char *at)
{
	return ok_or_enomem(mremap(at, N * PG, N * PG, MREMAP_MAYMOVE | MREMAP_FIXED |
				   MREMAP_DONTUNMAP, at + 2 * N * PG) != MAP_FAILED);
}

static void prepare_displaced(char *at)
{
	map_anon_at(at + 2 * N * PG, N);
	fill(at + 2 * N * PG, N, TOKEN);
	move(at + 2 * N * PG, N, at);
}

static void prepare_displaced_split(char *at)
{
	prepare_displaced(at);
	protect(at + 4 * PG, 4, PROT_READ);
}

static bool run_unprotect(char *at)
{
	return ok_or_enomem(!mprotect(at + 4 * PG, 4 * PG, RW));
}

static bool run_move_back(char *at)
{
	return ok_or_enomem(mremap(at, N * PG, N * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
				   at + 2 * N * PG) != MAP_FAILED);
}

static bool run_fork(char *at)
{
	pid_t pid = fork();

	if (!pid) {
		/* The child inherits no count. */
		expect(at, N, TOKEN);
		_exit(KTEST_OK);
	}
	if (pid > 0)
		reap(pid, 0);
	return ok_or_enomem(pid > 0);
}

static void prepare_fork(char *at)
{
	size_t i;

	prepare_displaced(at);
	map_anon_at(at + N * PG, N);
	for (i = 0; i < N; i += 2)
		protect(at + (N + i) * PG, 1, PROT_READ);
	for (i = 1; i < N; i += 2)
		page_set(at + (N + i) * PG, 3);
}

static void prepare_unfaulted(char *at)
{
	map_anon_at(at, N);
}

/* The kernel faults the pages in: a failed allocation is seen as EFAULT, and no signal. */
static bool run_first_fault(char *at)
{
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, at, 64);

	if (fd >= 0)
		close(fd);
	return ok_or_enomem(n > 0);
}

static void check_first_fault(char *at, bool done)
{
	if (done)
		must(page_get(at), "nothing was read");
	fill(at, N, TOKEN);
	check_in_place(at, done);
}

static void prepare_file(char *at)
{
	int fd = private_file(N, 0xc000000);
	void *got = mmap(at, N * PG, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);

	must(got == at, "mmap: %s", strerror(errno));
	close(fd);
	fill(at, N, TOKEN);
}

static const struct operation operations[] = {
	{ "split by mprotect", prepare_faulted, run_protect, check_in_place, N, 3 },
	{ "split of a moved VMA", prepare_displaced, run_protect, check_in_place, 3 * N, 3 },
	{ "merge of moved VMAs", prepare_displaced_split, run_unprotect, check_in_place, 3 * N, 1 },
	{ "split of a file mapping", prepare_file, run_protect, check_in_place, N, 3 },
	{ "munmap of the middle", prepare_faulted, run_unmap_middle, check_unmap_middle, N, 2 },
	{ "mmap over the middle", prepare_faulted, run_map_over, check_map_over, N, 1 },
	{ "mremap", prepare_faulted, run_move, check_move, 3 * N, 0 },
	{ "mremap of a part", prepare_faulted, run_move_part, check_move_part, 3 * N, 2 },
	{ "mremap of a file mapping", prepare_file, run_move, check_move, 3 * N, 0 },
	{ "mremap back", prepare_displaced, run_move_back, check_move, 3 * N, 0 },
	{ "MREMAP_DONTUNMAP", prepare_faulted, run_dontunmap, check_move, 3 * N, 1 },
	{ "first fault", prepare_unfaulted, run_first_fault, check_first_fault, N, 1 },
};

static void r16_every_allocation_of_every_call(void)
{
	size_t i;

	need_injection();
	do {
		for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
			at_every_allocation(&operations[i]);
	} while (more());
}

/* R16. What a fault leaves behind when memory runs out in a process that has no pages yet. */
static void first_fault_of_a_process(void *arg)
{
	static const struct operation op = {
		"first fault of a process", prepare_unfaulted, run_first_fault,
		check_first_fault, N, 1
	};

	(void)arg;
	at_every_allocation(&op);
}

static void r16_every_allocation_of_a_first_fault(void)
{
	need_injection();
	reap(spawn(first_fault_of_a_process, NULL), 0);
}

/* Swapping out as well would take minutes, for hundreds of allocations. */
static void check_fork(char *at, bool done)
{
	(void)done;
	expect(at, N, TOKEN);
	must_migrate(0, at, N);
	expect(at, N, TOKEN);
}

/*
 * R16, R31. Fork, failing at each allocation in turn, while the pages are migrated: the
 * half-made child is walked, and gone afterwards.
 */
static void r16_r31_every_allocation_of_fork(void)
{
	static const struct operation op = {
		"fork", prepare_fork, run_fork, check_fork, 3 * N, 1
	};
	char *mine = map_anon_at(reserve(64), 64);
	struct pressure p = { .at = mine, .pages = 64, .kinds = MIGRATE };

	need_injection();
	fill(mine, 64, TOKEN + 1000);
	pressure_start(&p);
	do
		at_every_allocation(&op);
	while (more());
	pressure_stop(&p);
	must_be_found(mine, 64);
	expect(mine, 64, TOKEN + 1000);
}

const struct ktest failure_tests[] = {
	KTEST(r16_every_allocation_of_every_call),
	KTEST(r16_every_allocation_of_a_first_fault),
	KTEST(r16_r31_every_allocation_of_fork),
	KTEST_END
};
