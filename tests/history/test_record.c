// SPDX-License-Identifier: GPL-2.0
/*
 * The recorder against programs that do known things at known addresses.
 * PROGRAMS names the directory with the programs.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "record.h"
#include "trace.h"

#define BASE		UINT64_C(0x200000000000)
#define OTHER		UINT64_C(0x210000000000)
#define AREA		UINT64_C(0x10000000000)
#define PAGE		UINT64_C(4096)

static char dir[] = "/tmp/record-test-XXXXXX";
static char trace_path[64];
static const char *programs;

/* What a trace says, as text: one line per event that touches the test areas. */
static char *text;
static struct record_result res;
static struct trace_summary summary;
static unsigned int counts[TRACE_KIND_LIMIT];
static bool want_brk;			/* a libc may use brk() as it likes */
static bool brk_seen;
static uint64_t brk_base;

static bool in_area(uint64_t addr)
{
	return addr >= BASE && addr < OTHER + AREA;
}

/* Addresses as area and page, so that the expected text can be read. */
static void put_addr(FILE *f, uint64_t addr)
{
	uint64_t base = addr >= OTHER ? OTHER : BASE;

	fprintf(f, " %c%llu", base == OTHER ? 'o' : 'b',
		(unsigned long long)((addr - base) / PAGE));
}

static void put_touch(FILE *f, const struct trace_event *ev)
{
	static const char *const names[] = { "anon", "huge", "filecow", "cow" };
	bool started = false;

	for (uint32_t i = 0; i < ev->touch.nruns; i++) {
		const struct trace_run *run = &ev->touch.runs[i];

		if (!in_area(run->first * PAGE))
			continue;
		if (!started)
			fprintf(f, "%u %s", ev->proc, names[ev->touch.kind]);
		started = true;
		put_addr(f, run->first * PAGE);
		fprintf(f, "+%llu", (unsigned long long)run->count);
	}
	if (started)
		fputc('\n', f);
}

static void put_range(FILE *f, const struct trace_event *ev, uint64_t addr, uint64_t len)
{
	if (!in_area(addr))
		return;
	fprintf(f, "%u %s", ev->proc, trace_kind_name(ev->kind));
	put_addr(f, addr);
	fprintf(f, "+%llu", (unsigned long long)(len / PAGE));
	if (ev->kind == TRACE_MMAP)
		fprintf(f, " prot %u %s%s%s pgoff %llu", ev->mmap.prot,
			ev->mmap.flags & MAP_SHARED ? "shared" : "private",
			ev->mmap.flags & MAP_FIXED ? " fixed" : "",
			ev->mmap.file ? " file" : "", (unsigned long long)ev->mmap.pgoff);
	else if (ev->kind == TRACE_MPROTECT)
		fprintf(f, " prot %u", ev->mprotect.prot);
	else if (ev->kind == TRACE_MADVISE)
		fprintf(f, " advice %d", ev->madvise.advice);
	else if (ev->kind == TRACE_MLOCK)
		fprintf(f, " %d %d", ev->mlock.on, ev->mlock.onfault);
	fputc('\n', f);
}

static void put_event(FILE *f, const struct trace_event *ev)
{
	counts[ev->kind]++;
	switch (ev->kind) {
	case TRACE_PROC_START:
		fprintf(f, "%u start\n", ev->proc);
		break;
	case TRACE_FORK:
	case TRACE_SHARE:
		fprintf(f, "%u %s %u\n", ev->proc, trace_kind_name(ev->kind), ev->fork.child);
		break;
	case TRACE_EXEC:
		fprintf(f, "%u exec %s\n", ev->proc, ev->exec.comm);
		brk_seen = false;
		assert_true(ev->exec.nmaps > 3);
		break;
	case TRACE_EXIT:
		fprintf(f, "%u exit %x\n", ev->proc, ev->exit.status);
		break;
	case TRACE_FILE:
		if (ev->file.kind != TRACE_FILE_REGULAR)
			fprintf(f, "%u file %u %s\n", ev->proc, ev->file.kind, ev->file.name);
		break;
	case TRACE_MMAP:
		put_range(f, ev, ev->mmap.addr, ev->mmap.len);
		break;
	case TRACE_MUNMAP:
		put_range(f, ev, ev->munmap.addr, ev->munmap.len);
		break;
	case TRACE_MPROTECT:
		put_range(f, ev, ev->mprotect.addr, ev->mprotect.len);
		break;
	case TRACE_MADVISE:
		put_range(f, ev, ev->madvise.addr, ev->madvise.len);
		break;
	case TRACE_MLOCK:
		put_range(f, ev, ev->mlock.addr, ev->mlock.len);
		break;
	case TRACE_MLOCKALL:
		fprintf(f, "%u mlockall %d\n", ev->proc, ev->mlockall.on);
		break;
	case TRACE_MREMAP:
		if (!in_area(ev->mremap.old_addr))
			break;
		fprintf(f, "%u mremap", ev->proc);
		put_addr(f, ev->mremap.old_addr);
		fprintf(f, "+%llu", (unsigned long long)(ev->mremap.old_len / PAGE));
		put_addr(f, ev->mremap.new_addr);
		fprintf(f, "+%llu\n", (unsigned long long)(ev->mremap.new_len / PAGE));
		break;
	case TRACE_BRK:
		if (!want_brk)
			break;
		if (!brk_seen)
			brk_base = ev->brk.old_end;
		brk_seen = true;
		fprintf(f, "%u brk %lld %lld\n", ev->proc,
			(long long)(ev->brk.old_end - brk_base) / 4096,
			(long long)(ev->brk.new_end - brk_base) / 4096);
		break;
	case TRACE_TOUCH:
		put_touch(f, ev);
		break;
	case TRACE_UNSUPPORTED:
		fprintf(f, "%u unsupported %u\n", ev->proc, ev->unsupported.kind);
		break;
	case TRACE_END:
		summary = ev->end;
		break;
	}
}

/* Record a command and read the trace back into text. */
static int record_as(struct record_options opt, char *const argv[])
{
	struct trace_reader *r;
	struct trace_event ev;
	char err[200];
	size_t len;
	FILE *f;
	int ret;

	opt.path = trace_path;
	free(text);
	text = NULL;
	memset(counts, 0, sizeof(counts));
	assert_int_equal(history_record(&opt, argv, &res), 0);
	assert_string_equal(res.error, "");
	assert_int_equal(res.lost_procs, 0);
	/* No one is left, and no one else's child was waited for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);

	assert_int_equal(trace_open(trace_path, &r, err, sizeof(err)), 0);
	f = open_memstream(&text, &len);
	assert_non_null(f);
	while ((ret = trace_next(r, &ev)) == 1)
		put_event(f, &ev);
	assert_int_equal(ret, 0);
	fclose(f);
	trace_close(r);
	assert_int_equal(summary.events, res.events);
	assert_int_equal(summary.procs, res.procs);
	assert_int_equal(counts[TRACE_EXIT], res.procs);
	return res.status;
}

static int record_program(struct record_options opt, const char *name, const char *arg)
{
	char path[256];
	char *argv[] = { path, (char *)arg, NULL };

	snprintf(path, sizeof(path), "%s/%s", programs, name);
	want_brk = !strcmp(name, "prog_calls");
	return record_as(opt, argv);
}

static const struct record_options plain;
static const struct record_options no_ioctl = { .no_scan_ioctl = true };

static const char calls_text[] =
	"0 start\n"
	"0 exec prog_calls\n"
	"0 mmap b0+32 prot 3 private pgoff 0\n"
	"0 anon b0+2 b3+1\n"
	"0 mprotect b4+2 prot 1\n"
	"0 anon b8+1\n"
	"0 munmap b8+2\n"
	"0 madvise b0+1 advice 4\n"
	"0 anon b0+1 b12+1\n"
	"0 mmap b12+2 prot 3 private fixed pgoff 0\n"
	"0 anon b12+1 b16+2\n"
	"0 mremap b16+2 o0+4\n"
	"0 anon o3+1\n"
	"0 mremap o0+4 o0+2\n"
	"0 mlock b0+1 1 0\n"
	"0 mlock b0+1 1 1\n"
	"0 mlock b0+1 0 0\n"
	"0 mlockall 0\n"
	"0 brk 0 3\n"
	"0 brk 3 1\n"
	"0 mmap o64+2 prot 3 private file pgoff 1\n"
	"0 file 1 shared anonymous\n"
	"0 mmap o80+2 prot 3 shared file pgoff 0\n"
	"0 file 1 /memfd:calls\n"
	"0 mmap o96+1 prot 3 shared file pgoff 0\n"
	"0 file 2 /dev/zero\n"
	"0 mmap o112+1 prot 3 private file pgoff 0\n"
	"0 file 1 /SYSV00000000\n"
	"0 mmap o128+3 prot 3 shared file pgoff 0\n"
	"0 munmap o128+3\n"
	"0 filecow o64+1 o112+1\n"
	"0 exit 700\n";

static void test_calls(void **state)
{
	/* No scan because it is time for one: on a busy machine it might be at any call. */
	struct record_options opt = { .scan_ms = 600000 };

	(void)state;
	assert_int_equal(record_program(opt, "prog_calls", NULL), 7);
	assert_string_equal(text, calls_text);
	opt.no_scan_ioctl = true;
	assert_int_equal(record_program(opt, "prog_calls", NULL), 7);
	if (res.flags & TRACE_F_PFN)
		assert_string_equal(text, calls_text);
}

/*
 * Before the fork 8 pages; the child writes 0 and 1, the parent 4 while the
 * child has it, and each one new page.
 */
static const char cow_child[] = "1 anon b9+1\n1 cow b0+2\n1 exit 0\n";
static const char cow_parent[] = "0 anon b10+1\n0 cow b4+1\n0 exit 0\n";

static void check_cow(const char *name)
{
	char expect[512];

	snprintf(expect, sizeof(expect),
		 "0 start\n0 exec %s\n0 mmap b0+16 prot 3 private pgoff 0\n"
		 "0 anon b0+8\n0 fork 1\n%s%s", name, cow_child, cow_parent);
	assert_string_equal(text, expect);
}

static void test_cow(void **state)
{
	static const struct record_options blind = { .no_frames = true };

	(void)state;
	assert_int_equal(record_program(plain, "prog_cow", NULL), 0);
	if (!(res.flags & TRACE_F_PFN))
		skip();
	check_cow("prog_cow");
	assert_int_equal(record_program(no_ioctl, "prog_cow", NULL), 0);
	check_cow("prog_cow");
	assert_int_equal(record_program(plain, "prog_cow_static", NULL), 0);
	check_cow("prog_cow_static");
	/* Without frames it is a guess, but one that covers what was written. */
	assert_int_equal(record_program(blind, "prog_cow", NULL), 0);
	assert_true(res.flags & TRACE_F_EXCLUSIVE);
	assert_non_null(strstr(text, "1 cow b0+2"));
}

static void test_huge(void **state)
{
	(void)state;
	if (record_program(plain, "prog_huge", NULL) == 77 || !(res.flags & TRACE_F_SCAN_IOCTL))
		skip();
	assert_int_equal(res.status, 0);
	assert_non_null(strstr(text, "0 huge b0+1024\n0 fork 1\n"));
	if (res.flags & TRACE_F_PFN)
		assert_non_null(strstr(text, "1 cow b3+1\n1 exit 0\n"));
}

static void put_holes(FILE *f, const char *what, unsigned int n, unsigned int step)
{
	fputs(what, f);
	for (unsigned int i = 0; i < n; i += step)
		fprintf(f, " b%u+1", 100 + 3 * i);
	fputc('\n', f);
}

/* Every page of prog_holes is told of once, and all copies are, whoever found them. */
static void check_holes(struct record_options opt, unsigned int n)
{
	char count[16], *expect = NULL;
	size_t len;
	FILE *f = open_memstream(&expect, &len);

	assert_non_null(f);
	fprintf(f, "0 start\n0 exec prog_holes\n0 mmap b0+%u prot 3 private pgoff 0\n",
		100 + 3 * n);
	put_holes(f, "0 anon", n, 1);
	fputs("0 fork 1\n", f);
	put_holes(f, "1 cow", n, 2);
	fputs("1 exit 0\n0 exit 0\n", f);
	fclose(f);
	snprintf(count, sizeof(count), "%u", n);
	assert_int_equal(record_program(opt, "prog_holes", count), 0);
	if (res.flags & TRACE_F_PFN)
		assert_string_equal(text, expect);
	else
		assert_memory_equal(text, expect, strstr(expect, "1 cow") - expect);
	free(expect);
}

/*
 * Around what the kernel gathers at a time in PAGEMAP_SCAN (512 regions), and what the
 * recorder asks for at a time (1024).
 */
static void test_holes(void **state)
{
	static const unsigned int sizes[] = { 400, 505, 512, 700, 1000, 1030, 1700, 2600 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		check_holes(plain, sizes[i]);
	check_holes(no_ioctl, 700);
}

/* Lengths that wrap: the kernel takes some as 0, and an event must not say more. */
static void test_lengths(void **state)
{
	(void)state;
	assert_int_equal(record_program(plain, "prog_lengths", NULL), 0);
	assert_string_equal(text, "0 start\n0 exec prog_lengths\n"
				  "0 file 1 shared anonymous\n"
				  "0 mmap b0+4 prot 3 shared file pgoff 0\n"
				  "0 mlock b1+1 1 0\n0 mlock b1+1 0 0\n"
				  "0 mremap b0+0 o0+2\n0 exit 0\n");
}

static void test_vfork(void **state)
{
	static const char *const how[] = { "vfork", "posix_spawn" };
	static const char expect[] =
		"0 share 1\n1 exec true\n1 exit 0\n0 exit 0\n";

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(record_program(plain, "prog_spawn", how[i]), 0);
		assert_non_null(strstr(text, expect));
		assert_int_equal(counts[TRACE_SHARE], 1);
		assert_int_equal(counts[TRACE_FORK], 0);
		assert_int_equal(counts[TRACE_EXEC], 2);
	}
}

static void test_clone_vm(void **state)
{
	(void)state;
	assert_int_equal(record_program(plain, "prog_spawn", "clone_vm"), 0);
	/* The page stays when the process that has written it goes. */
	assert_string_equal(text, "0 start\n0 exec prog_spawn\n0 share 1\n"
				  "1 mmap b0+4 prot 3 private pgoff 0\n1 exit 0\n"
				  "0 anon b1+1\n0 exit 0\n");
}

static void test_clone3(void **state)
{
	(void)state;
	assert_int_equal(record_program(plain, "prog_spawn", "clone3"), 0);
	assert_string_equal(text, "0 start\n0 exec prog_spawn\n0 fork 1\n"
				  "1 mmap b0+4 prot 3 private pgoff 0\n1 anon b1+1\n"
				  "1 exit 0\n0 exit 0\n");
}

static void test_orphan(void **state)
{
	(void)state;
	assert_int_equal(record_program(plain, "prog_spawn", "orphan"), 0);
	assert_string_equal(text, "0 start\n0 exec prog_spawn\n0 fork 1\n0 exit 0\n"
				  "1 mmap b0+4 prot 3 private pgoff 0\n1 anon b1+1\n"
				  "1 exit 0\n");
	assert_true(res.wall_ns >= 100000000);
}

/*
 * Mappings of threads that race must add up: replaying mmap and munmap in the
 * order of the trace must never map what is mapped.
 */
static void test_threads(void **state)
{
	static uint64_t mapped[4096];
	struct trace_reader *r;
	struct trace_event ev;
	unsigned int n = 0;
	char err[200];
	uint64_t seen = 0;

	(void)state;
	assert_int_equal(record_program(plain, "prog_threads", NULL), 0);
	assert_int_equal(res.threads, 4);
	assert_int_equal(res.procs, 17);
	assert_int_equal(trace_open(trace_path, &r, err, sizeof(err)), 0);
	while (trace_next(r, &ev) == 1) {
		if (ev.proc)
			continue;
		if (ev.kind == TRACE_MMAP && ev.mmap.len == 4 * PAGE) {
			for (unsigned int i = 0; i < n; i++)
				assert_true(mapped[i] != ev.mmap.addr);
			assert_true(n < 4096);
			mapped[n++] = ev.mmap.addr;
			seen++;
		} else if (ev.kind == TRACE_MUNMAP && ev.munmap.len == 4 * PAGE) {
			unsigned int i = 0;

			while (i < n && mapped[i] != ev.munmap.addr)
				i++;
			assert_true(i < n);
			mapped[i] = mapped[--n];
		}
	}
	trace_close(r);
	assert_int_equal(seen, 800);
	assert_int_equal(n, 0);
}

static void test_thread_exec(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(record_program(plain, "prog_threads", "exec"), 0);
		assert_string_equal(text, "0 start\n0 exec prog_threads\n0 exec true\n"
					  "0 exit 0\n");
		assert_int_equal(res.threads, 2);
	}
}

static void test_signals(void **state)
{
	(void)state;
	assert_int_equal(record_program(plain, "prog_signals", NULL), 128 + 10);
	assert_non_null(strstr(text, "1 exit 500\n0 exit a\n"));
}

static void test_foreign_abi(void **state)
{
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/prog_foreign", programs);
	if (access(path, X_OK))
		skip();
	/* The kernel may have been built without it. */
	if (system(path) >> 8 != 9)
		skip();
	assert_int_equal(record_program(plain, "prog_foreign", NULL), 9);
	assert_string_equal(text, "0 start\n0 unsupported 1\n0 exit 900\n");
	assert_int_equal(res.programs32, 1);
}

static void test_many(void **state)
{
	const char *n = getenv("MANY") ? getenv("MANY") : "1000";

	(void)state;
	assert_int_equal(record_program(plain, "prog_many", n), 0);
	assert_int_equal(res.procs, 1 + atoi(n));
	assert_int_equal(counts[TRACE_FORK], atoi(n));
}

static void test_not_run(void **state)
{
	struct record_options opt = { .path = trace_path };
	char *missing[] = { "/nonexistent/program", NULL };
	char *no_program[] = { dir, NULL };
	char *there[] = { "true", NULL };

	(void)state;
	unlink(trace_path);
	assert_int_equal(history_record(&opt, missing, &res), 0);
	assert_int_equal(res.status, 127);
	assert_true(res.error[0]);
	assert_int_equal(access(trace_path, F_OK), -1);
	assert_int_equal(history_record(&opt, no_program, &res), 0);
	assert_int_equal(res.status, 126);
	opt.path = "/nonexistent/trace";
	assert_int_equal(history_record(&opt, there, &res), -ENOENT);
	assert_non_null(strstr(res.error, "/nonexistent/trace"));
}

/* What a trace that was cut off has of the steps of prog_report. */
static unsigned int steps_on_file(void)
{
	unsigned int maps = 0, unmaps = 0, exits = 0;
	struct trace_reader *r;
	struct trace_event ev;
	char err[200];
	int ret;

	assert_int_equal(trace_open(trace_path, &r, err, sizeof(err)), 0);
	while ((ret = trace_next(r, &ev)) == 1) {
		maps += ev.kind == TRACE_MMAP && ev.mmap.addr == BASE;
		unmaps += ev.kind == TRACE_MUNMAP && ev.munmap.addr == BASE;
		exits += ev.kind == TRACE_EXIT;
	}
	assert_int_equal(ret, TRACE_TRUNCATED);
	trace_close(r);
	/* They take turns. */
	assert_true(maps >= unmaps && unmaps >= exits && maps <= exits + 1);
	return maps + unmaps + exits;
}

/* The recorder is killed as soon as it is known that the program has done so many steps. */
static void kill_after(unsigned int steps)
{
	struct record_options opt = { .path = trace_path };
	char program[256];
	char *argv[] = { program, NULL };
	int out[2], status;
	pid_t pid;

	snprintf(program, sizeof(program), "%s/prog_report", programs);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		history_record(&opt, argv, &res);
		_exit(0);
	}
	close(out[1]);
	for (unsigned int i = 0; i < steps; i++) {
		char byte;

		if (read(out[0], &byte, 1) != 1)
			break;
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(out[0]);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(steps_on_file() >= steps);
}

/* No event that anyone can know of is lost with the recorder. */
static void test_killed_recorder(void **state)
{
	(void)state;
	for (unsigned int steps = 1; steps <= 60; steps++)
		kill_after(steps);
}

static void test_not_regular(void **state)
{
	struct record_options opt = { .path = "/dev/full" };
	char *argv[] = { "true", NULL };

	(void)state;
	assert_int_equal(history_record(&opt, argv, &res), -EIO);
	assert_string_equal(res.error, "cannot write /dev/full: not a regular file");
}

/* The command runs to its end although the trace cannot be written any more. */
static void test_disk_full(void **state)
{
	struct record_options opt = { .path = trace_path };
	char program[256];
	char *argv[] = { program, "500", NULL };
	struct rlimit lim, less;
	struct trace_reader *r;
	struct trace_event ev;
	unsigned int good = 0;
	char err[200];
	int ret;

	(void)state;
	snprintf(program, sizeof(program), "%s/prog_many", programs);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &lim), 0);
	less = lim;
	less.rlim_cur = 30000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	ret = history_record(&opt, argv, &res);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
	assert_int_equal(ret, -EFBIG);
	assert_int_equal(res.status, 0);
	assert_int_equal(res.procs, 501);
	assert_non_null(strstr(res.error, "not complete"));
	assert_null(strchr(res.error, '\n'));
	assert_int_equal(trace_open(trace_path, &r, err, sizeof(err)), 0);
	while ((ret = trace_next(r, &ev)) == 1)
		good++;
	assert_int_equal(ret, TRACE_TRUNCATED);
	assert_true(good > 100 && good < 5000);
	trace_close(r);
}

/* Skip everything where recording is not permitted, as in some containers. */
static bool cannot_record(void)
{
	struct record_options opt = { .path = trace_path };
	char *argv[] = { "true", NULL };

	return history_record(&opt, argv, &res) != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_cow),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_clone_vm),
		cmocka_unit_test(test_clone3),
		cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_thread_exec),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_foreign_abi),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_not_run),
		cmocka_unit_test(test_killed_recorder),
		cmocka_unit_test(test_not_regular),
		cmocka_unit_test(test_disk_full),
	};
	int failed;

	if (getenv("ONLY"))
		cmocka_set_test_filter(getenv("ONLY"));
	programs = getenv("PROGRAMS");
	if (!programs || !mkdtemp(dir))
		return 99;
	snprintf(trace_path, sizeof(trace_path), "%s/trace", dir);
	if (cannot_record()) {
		printf("1..0 # SKIP %s\n", res.error);
		failed = 0;
	} else {
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	}
	free(text);
	unlink(trace_path);
	rmdir(dir);
	return failed;
}
