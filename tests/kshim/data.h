/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _TESTS_KSHIM_DATA_H
#define _TESTS_KSHIM_DATA_H
/* What the tests of kshim's data structures share: random numbers, and children that die. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/types.h>

/* A sequence of random numbers; the same seed gives the same. */
struct random {
	u64 state;
};

static inline u64 random_u64(struct random *random)
{
	u64 z = random->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static inline unsigned long random_below(struct random *random, unsigned long n)
{
	return random_u64(random) % n;
}

/* The seed is that of the environment, if there is one, and is printed. */
static inline struct random random_start(void)
{
	const char *env = getenv("SEED");
	struct random random = { env ? strtoull(env, NULL, 0) : 20240917 };

	print_message("# SEED=%llu\n", (unsigned long long)random.state);
	return random;
}

/* Does @fn, in a process of its own, warn, or die? What it prints is dropped. */
static inline bool complains(void (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(0);
		kshim_warn_reset();
		fn();
		_exit(kshim_warn_count() ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

#endif
