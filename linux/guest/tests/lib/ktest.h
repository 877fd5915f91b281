/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KTEST_H
#define KTEST_H
/*
 * The harness of the guest tests. A test is a function that runs in a process of
 * its own, inside a cgroup of its own, within a time limit; what it forks dies
 * with it.
 *
 *	static void r07_fork_against_migration(void)
 *	{
 *		while (more())
 *			...
 *		must(n == 3, "%d of 3 children", n);
 *	}
 *	const struct ktest fork_tests[] = { KTEST(r07_fork_against_migration), KTEST_END };
 *
 * Every process of a test may use must() and skip(); the one that calls them
 * exits, and a parent hears of it through reap().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

struct ktest {
	const char *name;
	void (*run)(void);
};

#define KTEST(fn)	{ #fn, fn }
#define KTEST_END	{ NULL, NULL }

/* Each table ends with KTEST_END; the list of tables with NULL. */
int ktest_main(int argc, char **argv, const struct ktest *const *tables);

/* What a test's process exits with. */
enum { KTEST_OK = 0, KTEST_FAILED = 1, KTEST_SKIP = 4 };

/* Ends the calling process as failed, with a line that says where and why. */
#define must(cond, ...)								\
	do {									\
		if (!(cond))							\
			ktest_fail(__FILE__, __LINE__, #cond, __VA_ARGS__);	\
	} while (0)
void ktest_fail(const char *file, int line, const char *cond, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 4, 5)));

/* Ends the test: it cannot run here. The reason is printed. */
void skip(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* A "# ..." line of the test's output. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The budget: true until --seconds have passed since the test began or, with
 * --rounds, until it was called that often by this process.
 */
bool more(void);
double now(void);			/* seconds, monotonic */
void nap(double seconds);

/* Random numbers: one state per thread, all derived from --seed. */
struct rnd {
	uint64_t state;
};
void rnd_init(struct rnd *r, uint64_t stream);
uint64_t rnd(struct rnd *r);
static inline uint64_t rnd_below(struct rnd *r, uint64_t n)
{
	return rnd(r) % n;
}

/* Forks, and runs @fn(@arg) in the child, which then exits with KTEST_OK. */
pid_t spawn(void (*fn)(void *arg), void *arg);
/* Waits for @pid. The test fails if it failed or died of anything but @signal (0: none). */
void reap(pid_t pid, int signal);
/* Does what reap() does, for a child that may have been killed by SIGKILL too. */
void kill_and_reap(pid_t pid);

/*
 * A word that processes of one test share. They meet at barriers and hand each
 * other numbers through these; there are SHARED_WORDS of them, zero at the start.
 */
#define SHARED_WORDS	4096
extern volatile uint64_t *shared;
void shared_add(unsigned int word, uint64_t n);
void shared_wait(unsigned int word, uint64_t at_least);	/* sleeps until it is that large */

/* The test's cgroup, "" where there is no cgroup v2 with the memory controller. */
extern char ktest_cgroup[256];

#endif
