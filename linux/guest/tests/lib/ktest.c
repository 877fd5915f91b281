// SPDX-License-Identifier: GPL-2.0
/*
 * Running tests: a process, a cgroup and a time limit for each, TAP on stdout.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ktest.h"
#include "kernel.h"
#include "settings.h"

static struct {
	double seconds;
	unsigned long rounds;		/* 0: by time */
	uint64_t seed;
	double limit;			/* seconds that a test may take in all */
	bool list, host;
} opt = { .seconds = 5, .seed = 0 };

static double test_began;
static volatile sig_atomic_t interrupted;	/* by this signal */
static unsigned long rounds_done;

volatile uint64_t *shared;
char ktest_cgroup[256];

/* What a skipping or failing process tells the harness; in memory that all share. */
static struct verdict {
	char skip[200];
} *verdict;

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void nap(double seconds)
{
	struct timespec t = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	nanosleep(&t, NULL);
}

bool more(void)
{
	if (opt.rounds)
		return rounds_done++ < opt.rounds;
	return now() - test_began < opt.seconds;
}

void rnd_init(struct rnd *r, uint64_t stream)
{
	r->state = (opt.seed + 1) * 0x9e3779b97f4a7c15ull ^ (stream + 1) * 0xbf58476d1ce4e5b9ull;
	if (!r->state)
		r->state = 1;
	rnd(r);
}

uint64_t rnd(struct rnd *r)
{
	uint64_t x = r->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	r->state = x;
	return (x * 0x2545f4914f6cdd1dull) >> 16;
}

/* One write() per line, so that lines of several processes do not mix. */
static void say(const char *prefix, const char *fmt, va_list args)
{
	char line[1000];
	size_t n = (size_t)snprintf(line, sizeof(line) - 2, "%s", prefix);
	ssize_t written;

	vsnprintf(line + n, sizeof(line) - 1 - n, fmt, args);
	strcat(line, "\n");
	written = write(STDOUT_FILENO, line, strlen(line));
	(void)written;
}

void note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("# ", fmt, args);
	va_end(args);
}

void ktest_fail(const char *file, int line, const char *cond, const char *fmt, ...)
{
	char where[300];
	va_list args;

	snprintf(where, sizeof(where), "# %s:%d: [%d] not (%s): ", file, line, getpid(), cond);
	va_start(args, fmt);
	say(where, fmt, args);
	va_end(args);
	_exit(KTEST_FAILED);
}

void skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(verdict->skip, sizeof(verdict->skip), fmt, args);
	va_end(args);
	_exit(KTEST_SKIP);
}

pid_t spawn(void (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	must(pid >= 0, "fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fn(arg);
	_exit(KTEST_OK);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		must(errno == EINTR, "waitpid(%d): %s", pid, strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == KTEST_SKIP)
		_exit(KTEST_SKIP);
	return status;
}

void reap(pid_t pid, int signal)
{
	int status = wait_for(pid);

	if (signal && WIFSIGNALED(status) && WTERMSIG(status) == signal)
		return;
	must(WIFEXITED(status) && WEXITSTATUS(status) == KTEST_OK, "process %d: %s %d", pid,
	     WIFEXITED(status) ? "exit status" : "signal",
	     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid, SIGKILL);
}

void shared_add(unsigned int word, uint64_t n)
{
	__atomic_add_fetch(&shared[word], n, __ATOMIC_SEQ_CST);
}

void shared_wait(unsigned int word, uint64_t at_least)
{
	while (__atomic_load_n(&shared[word], __ATOMIC_SEQ_CST) < at_least)
		nap(0.0005);
}

/* -- One test ----------------------------------------------------------------------- */

/*
 * A cgroup below the root, which alone may have processes and controllers for its children;
 * if the memory controller can be had there.
 */
static void cgroup_enter(const char *name)
{
	char path[300];

	ktest_cgroup[0] = 0;
	if (kernel_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory"))
		return;
	snprintf(path, sizeof(path), "/sys/fs/cgroup/test.%s.%d", name, getpid());
	if (mkdir(path, 0755))
		return;
	snprintf(ktest_cgroup, sizeof(ktest_cgroup), "%.250s", path);
	strcat(path, "/cgroup.procs");
	kernel_write(path, "0");
}

static void show_stack_of(pid_t pid)
{
	char path[64], text[3000], *line, *save;
	struct dirent *d;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (d = readdir(tasks))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.10s/stack", pid, d->d_name);
		if (kernel_read(path, text, sizeof(text)) <= 0)
			continue;
		note("stack of task %s of %d:", d->d_name, pid);
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			note("  %s", line);
	}
	if (tasks)
		closedir(tasks);
}

/* Where everything that is left of a test hangs, for the reader of a timeout. */
static void show_stacks(const char *cgroup, pid_t pid)
{
	char path[300], text[4000], *word, *save;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	if (!cgroup[0] || kernel_read(path, text, sizeof(text)) <= 0) {
		show_stack_of(pid);
		return;
	}
	for (word = strtok_r(text, "\n", &save); word; word = strtok_r(NULL, "\n", &save))
		show_stack_of(atoi(word));
}

static void kill_leftovers(const char *cgroup, pid_t pgid)
{
	char path[300];
	int tries;

	kill(-pgid, SIGKILL);
	if (cgroup[0]) {
		snprintf(path, sizeof(path), "%s/cgroup.kill", cgroup);
		kernel_write(path, "1");
	}
	/* The harness is the subreaper: all that the test left behind is its child now. */
	for (tries = 0; tries < 2000; tries++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0)
			break;
		if (!pid)
			nap(0.005);
	}
	for (tries = 0; cgroup[0] && rmdir(cgroup) && tries < 200; tries++)
		nap(0.01);
}

static void in_the_child(const struct ktest *test, int cgroup_pipe)
{
	ssize_t n;

	setpgid(0, 0);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	cgroup_enter(test->name);
	n = write(cgroup_pipe, ktest_cgroup, sizeof(ktest_cgroup));
	close(cgroup_pipe);
	if (n < 0)
		_exit(KTEST_FAILED);
	test_began = now();
	rounds_done = 0;
	test->run();
	_exit(KTEST_OK);
}

/* Returns the wait status; -1 when the time limit was hit. */
static int run_one(const struct ktest *test)
{
	char cgroup[sizeof(ktest_cgroup)] = "";
	double end = now() + opt.limit;
	int status = -1, fds[2];
	pid_t pid, got;
	ssize_t n;

	memset((void *)shared, 0, SHARED_WORDS * sizeof(*shared));
	memset(verdict, 0, sizeof(*verdict));
	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid)
		in_the_child(test, fds[1]);
	close(fds[1]);
	n = read(fds[0], cgroup, sizeof(cgroup));
	close(fds[0]);
	if (n < 0)
		cgroup[0] = 0;
	while (!(got = waitpid(pid, &status, WNOHANG)) && now() < end && !interrupted)
		nap(0.01);
	if (!got) {
		if (!interrupted)
			show_stacks(cgroup, pid);
		status = -1;
	}
	kill_leftovers(cgroup, pid);
	settings_restore();
	return status;
}

static bool selected(const char *name, int argc, char **argv)
{
	int i;

	if (optind == argc)
		return true;
	for (i = optind; i < argc; i++)
		if (!strncmp(argv[i], name, strlen(argv[i])))
			return true;
	return false;
}

static void usage(const char *program)
{
	fprintf(stderr, "%s [--seconds=N] [--rounds=N] [--seed=N] [--limit=SECONDS] [--list] [--host] "
		"[NAME...]\n"
		"NAME selects the tests whose names begin with it. --host: run outside the guest of\n"
		"linux/lab; KSM, huge pages and cgroups of this machine are changed meanwhile.\n",
		program);
}

/* A number, not negative, and nothing else. */
static bool seconds(const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return *text && !*end && *value >= 0 && *value <= 1e9;
}

static bool whole(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static bool options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 'S' },
		{ "limit", required_argument, NULL, 'l' },
		{ "list", no_argument, NULL, 'L' },
		{ "host", no_argument, NULL, 'H' },
		{ }
	};
	uint64_t rounds = 0;
	bool good = true;
	int c;

	opt.seed = (uint64_t)time(NULL) % 1000000;
	while (good && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's')
			good = seconds(optarg, &opt.seconds);
		else if (c == 'r')
			good = whole(optarg, &rounds);
		else if (c == 'S')
			good = whole(optarg, &opt.seed);
		else if (c == 'l')
			good = seconds(optarg, &opt.limit);
		else if (c == 'L')
			opt.list = true;
		else if (c == 'H')
			opt.host = true;
		else
			return false;
	}
	if (!good)
		fprintf(stderr, "%s: %s is not such a number\n", argv[0], optarg);
	opt.rounds = rounds;
	/* A slow emulated machine may need minutes to get through the checks at the end. */
	if (opt.limit <= 0)
		opt.limit = 120 + 10 * opt.seconds;
	return good;
}

/* Every NAME has to be the beginning of a test's. */
static bool names_are_known(int argc, char **argv, const struct ktest *const *tables)
{
	const struct ktest *const *table, *test;
	bool found;
	int i;

	for (i = optind; i < argc; i++) {
		found = false;
		for (table = tables; *table; table++)
			for (test = *table; test->name; test++)
				found |= !strncmp(argv[i], test->name, strlen(argv[i]));
		if (!found) {
			fprintf(stderr, "%s: no test's name begins with %s; --list lists them\n",
				argv[0], argv[i]);
			return false;
		}
	}
	return true;
}

static void on_signal(int sig)
{
	interrupted = sig;
}

/* Whoever ends the run early must not leave the machine's settings as a test has them. */
static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = on_signal };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &act, NULL);
}

static bool report(const struct ktest *test, unsigned int nr, int status, double took)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == KTEST_SKIP && status != -1) {
		printf("ok %u - %s # SKIP %s\n", nr, test->name, verdict->skip);
		return true;
	}
	if (!status) {
		printf("ok %u - %s # %.1f s\n", nr, test->name, took);
		return true;
	}
	if (status == -1)
		printf("# %s: not done within %.0f s\n", test->name, opt.limit);
	else if (WIFSIGNALED(status))
		printf("# %s: died of signal %d\n", test->name, WTERMSIG(status));
	printf("# again with: --seed=%llu --seconds=%g %s\n", (unsigned long long)opt.seed,
	       opt.seconds, test->name);
	printf("not ok %u - %s\n", nr, test->name);
	return false;
}

static int run_tests(int argc, char **argv, const struct ktest *const *tables)
{
	unsigned int nr = 0, failed = 0;
	const struct ktest *test;

	for (; *tables; tables++) {
		for (test = *tables; test->name && !interrupted; test++) {
			double began = now();
			int status;

			if (!selected(test->name, argc, argv))
				continue;
			if (opt.list) {
				printf("%s\n", test->name);
				continue;
			}
			status = run_one(test);
			if (interrupted)
				return 128 + interrupted;
			failed += !report(test, ++nr, status, now() - began);
		}
	}
	if (interrupted)
		return 128 + interrupted;
	if (!opt.list)
		printf("1..%u\n", nr);
	return failed ? 1 : 0;
}

int ktest_main(int argc, char **argv, const struct ktest *const *tables)
{
	if (!options(argc, argv)) {
		usage(argv[0]);
		return 2;
	}
	if (!names_are_known(argc, argv, tables))
		return 2;
	if (!opt.list && !opt.host && !in_the_guest()) {
		fprintf(stderr, "%s: this is not the guest of linux/lab: the tests change settings of "
			"the machine while they run; --host runs them here\n", argv[0]);
		return 2;
	}
	shared = mmap(NULL, SHARED_WORDS * sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || verdict == MAP_FAILED)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!opt.list) {
		printf("TAP version 13\n# seed %llu\n", (unsigned long long)opt.seed);
		settings_save();
		catch_signals();
	}
	return run_tests(argc, argv, tables);
}
