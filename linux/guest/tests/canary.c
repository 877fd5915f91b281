// SPDX-License-Identifier: GPL-2.0
/*
 * Can the tests fail? Each of these has something wrong in it that a check must notice:
 * all of them have to come out as "not ok". They show that the checks look, not that the
 * kernel is right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "lib/window.h"

#define TOKEN	0xe000000ull
#define N	16ul

/* A page holds another value than the program wrote. */
static void wrong_contents(void)
{
	char *at = map_anon(N);

	fill(at, N, TOKEN);
	page_set(at + 7 * PG, TOKEN + 8);
	expect(at, N, TOKEN);
}

/* Half of a page is another page's. */
static void half_a_page(void)
{
	char *at = map_anon(N);

	fill(at, N, TOKEN);
	memcpy(at + PG, at + 3 * PG, PG / 2);
	expect(at, N, TOKEN);
}

/* A page is lost: it comes back as zeroes. */
static void lost_page(void)
{
	char *at = reserve(N);
	struct window w;

	window_init(&w, at, N, W_MAP | W_WRITE, 1);
	while (!w.page[3].holds)
		window_step(&w);
	map_anon_at(at + 3 * PG, 1);
	window_check(&w);
}

/* A child sees what its parent wrote after the fork. */
static void look_at_it(void *arg)
{
	shared_wait(0, 1);
	expect(arg, 1, TOKEN);
}

static void write_through_fork(void)
{
	void *at = mmap(NULL, PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	page_set(at, TOKEN);
	pid = spawn(look_at_it, at);
	page_set(at, TOKEN + 1);
	shared_add(0, 1);
	reap(pid, 0);
}

/*
 * A mapping that a walk misses keeps the page where it is. A pipe that holds a reference
 * does the same: the page is seen as used by someone whom the walk did not find.
 */
static void hold_in_a_pipe(char *at)
{
	struct iovec v = { at, PG };
	int pipes[2];

	must(!pipe(pipes) && vmsplice(pipes[1], &v, 1, 0) == PG, "vmsplice");
}

static void missed_by_migration(void)
{
	char *at = map_anon(N);

	need_two_nodes();
	fill(at, N, TOKEN);
	hold_in_a_pipe(at + 5 * PG);
	must_migrate(0, at, N);
}

static void missed_by_reclaim(void)
{
	char *at = map_anon(N);
	pid_t self = getpid();

	need_swap();
	fill(at, N, TOKEN);
	must(!mlock(at + 5 * PG, PG), "mlock: %s", strerror(errno));
	must_swap_out(&self, 1, at, N);
}

static void do_not_touch(void *arg)
{
	(void)arg;
}

/* A page that was touched, and seen as idle all the same. */
static void missed_by_idle_tracking(void)
{
	char *at = map_anon(N);

	need_file("/sys/kernel/mm/page_idle/bitmap");
	fill(at, N, TOKEN);
	must_be_seen_young(at, 1, do_not_touch, NULL);
}

/* Somebody waits for a migration entry that nobody removes. */
static void hangs(void)
{
	for (;;)
		pause();
}

static void dies(void)
{
	raise(SIGSEGV);
}

static void child_dies(void)
{
	pid_t pid = fork();

	if (!pid)
		raise(SIGBUS);
	reap(pid, 0);
}

int main(int argc, char **argv)
{
	static const struct ktest tests[] = {
		KTEST(wrong_contents), KTEST(half_a_page), KTEST(lost_page),
		KTEST(write_through_fork), KTEST(missed_by_migration),
		KTEST(missed_by_reclaim), KTEST(missed_by_idle_tracking), KTEST(hangs),
		KTEST(dies), KTEST(child_dies), KTEST_END
	};
	static const struct ktest *const tables[] = { tests, NULL };

	return ktest_main(argc, argv, tables);
}
