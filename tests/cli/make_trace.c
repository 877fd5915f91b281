// SPDX-License-Identifier: GPL-2.0
/*
 * Writes traces that no recorder would write, or not every time: small ones
 * whose objects can be counted by hand, all kinds of events, events that do not
 * fit. usage: make_trace FILE SCENARIO [NUMBER]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "trace.h"

#define PAGE		UINT64_C(4096)
#define TEXT		UINT64_C(0x400000)
#define DATA		UINT64_C(0x600000)
#define AREA		UINT64_C(0x7f0000000000)
#define STACK_END	UINT64_C(0x7ffd00000000)
#define STACK_PAGES	33
#define VDSO		UINT64_C(0x7ffd80000000)

static struct trace_writer *writer;
static uint64_t now;
static uint64_t page_size = PAGE;

static void put(struct trace_event ev)
{
	int ret;

	ev.time = now += 1000;
	ret = trace_write(writer, &ev);
	if (ret) {
		fprintf(stderr, "make_trace: event %s: %s\n", trace_kind_name(ev.kind),
			strerror(-ret));
		exit(1);
	}
}

static void start(void)
{
	put((struct trace_event){ .kind = TRACE_PROC_START, .start.ospid = 100 });
}

static void fork_proc(uint32_t proc, uint32_t child)
{
	put((struct trace_event){ .kind = TRACE_FORK, .proc = proc,
				  .fork = { .child = child, .ospid = 100 + child } });
}

static void exit_proc(uint32_t proc)
{
	put((struct trace_event){ .kind = TRACE_EXIT, .proc = proc });
}

static void touch(uint32_t proc, uint32_t kind, uint64_t addr, uint64_t pages)
{
	struct trace_run run = { addr / page_size, pages };

	put((struct trace_event){ .kind = TRACE_TOUCH, .proc = proc,
				  .touch = { .kind = kind, .nruns = 1, .runs = &run } });
}

static void map(uint32_t proc, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags,
		uint32_t file)
{
	put((struct trace_event){ .kind = TRACE_MMAP, .proc = proc,
				  .mmap = { .addr = addr, .len = len, .prot = prot,
					    .flags = flags, .file = file } });
}

static void file(uint32_t id, uint32_t kind, const char *name)
{
	put((struct trace_event){ .kind = TRACE_FILE,
				  .file = { .id = id, .kind = kind, .name = name,
					    .name_len = strlen(name) } });
}

static void exec(uint32_t proc, const struct trace_map *maps, uint32_t nmaps)
{
	put((struct trace_event){ .kind = TRACE_EXEC, .proc = proc,
				  .exec = { .path = "/bin/x", .path_len = 6, .comm = "x",
					    .comm_len = 1, .nmaps = nmaps, .maps = maps } });
}

/* A process with a stack and nothing else. */
static void exec_bare(uint32_t proc)
{
	struct trace_map stack = { .start = STACK_END - STACK_PAGES * PAGE,
				   .len = STACK_PAGES * PAGE, .prot = PROT_READ | PROT_WRITE,
				   .kind = TRACE_MAP_STACK };

	exec(proc, &stack, 1);
}

static const uint32_t rw = PROT_READ | PROT_WRITE;
static const uint32_t anon = MAP_PRIVATE | MAP_ANONYMOUS;

/* One area of 16 pages, number children that copy one page each, all alive at once. */
static void scenario_fork(unsigned int number)
{
	start();
	exec_bare(0);
	touch(0, TRACE_TOUCH_ANON, STACK_END - 2 * PAGE, 2);
	map(0, AREA, 16 * PAGE, rw, anon, 0);
	touch(0, TRACE_TOUCH_ANON, AREA, 16);
	for (unsigned int i = 1; i <= number; i++) {
		fork_proc(0, i);
		touch(i, TRACE_TOUCH_COW, AREA + i % 16 * PAGE, 1);
	}
	for (unsigned int i = 1; i <= number; i++)
		exit_proc(i);
	exit_proc(0);
}

/* Each child forks the next and ends: the tree is as deep as there are processes. */
static void scenario_chain(unsigned int number)
{
	start();
	exec_bare(0);
	map(0, AREA, 4 * PAGE, rw, anon, 0);
	touch(0, TRACE_TOUCH_ANON, AREA, 4);
	for (unsigned int i = 1; i <= number; i++) {
		fork_proc(i - 1, i);
		touch(i, TRACE_TOUCH_COW, AREA, 1);
		exit_proc(i - 1);
	}
	exit_proc(number);
}

static void kinds_exec(void)
{
	const struct trace_map maps[] = {
		{ .start = TEXT, .len = 4 * PAGE, .file = 1, .prot = PROT_READ | PROT_EXEC },
		{ .start = DATA, .len = 2 * PAGE, .pgoff = 4, .file = 1, .prot = rw },
		{ .start = DATA + 2 * PAGE, .len = PAGE, .prot = rw },
		{ .start = DATA + 8 * PAGE, .len = 2 * PAGE, .prot = rw, .kind = TRACE_MAP_HEAP },
		{ .start = STACK_END - STACK_PAGES * PAGE, .len = STACK_PAGES * PAGE,
		  .prot = rw | PROT_EXEC, .kind = TRACE_MAP_STACK },
		{ .start = VDSO, .len = 2 * PAGE, .prot = PROT_READ, .kind = TRACE_MAP_SPECIAL },
		{ .start = VDSO + 2 * PAGE, .len = PAGE, .prot = PROT_READ | PROT_EXEC,
		  .kind = TRACE_MAP_SPECIAL },
	};

	exec(0, maps, sizeof(maps) / sizeof(maps[0]));
}

static void kinds_maps(void)
{
	map(0, AREA, 16 * PAGE, rw, anon, 0);
	touch(0, TRACE_TOUCH_ANON, AREA, 16);
	map(0, AREA + 64 * PAGE, 8 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS, 2);
	map(0, AREA + 96 * PAGE, 8 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS, 0);
	map(0, AREA + 128 * PAGE, 8 * PAGE, rw, MAP_PRIVATE, 3);
	touch(0, TRACE_TOUCH_ANON, AREA + 128 * PAGE, 8);
	map(0, AREA + 160 * PAGE, 8 * PAGE, rw, MAP_SHARED, 3);
	map(0, AREA + 192 * PAGE, 8 * PAGE, PROT_READ, MAP_PRIVATE, 4);
	map(0, AREA + 224 * PAGE, 8 * PAGE, rw, MAP_PRIVATE | MAP_FIXED, 1);
	touch(0, TRACE_TOUCH_FILE_COW, AREA + 226 * PAGE, 2);
	map(0, AREA + 1024 * PAGE, 8 * PAGE, rw, anon | MAP_GROWSDOWN, 0);
	touch(0, TRACE_TOUCH_ANON, AREA + 1022 * PAGE, 4);
	/* The stack has grown. */
	touch(0, TRACE_TOUCH_ANON, STACK_END - (STACK_PAGES + 40) * PAGE, 45);
}

static void kinds_calls(void)
{
	put((struct trace_event){ .kind = TRACE_BRK,
				  .brk = { DATA + 10 * PAGE, DATA + 30 * PAGE + 100 } });
	touch(0, TRACE_TOUCH_ANON, DATA + 10 * PAGE, 21);
	put((struct trace_event){ .kind = TRACE_BRK,
				  .brk = { DATA + 30 * PAGE + 100, DATA + 12 * PAGE } });
	put((struct trace_event){ .kind = TRACE_MPROTECT,
				  .mprotect = { AREA + 4 * PAGE, 4 * PAGE, PROT_READ } });
	put((struct trace_event){ .kind = TRACE_MADVISE,
				  .madvise = { AREA, 2 * PAGE, MADV_DONTNEED } });
	put((struct trace_event){ .kind = TRACE_MADVISE,
				  .madvise = { AREA + 12 * PAGE, 2 * PAGE, MADV_DONTFORK } });
	put((struct trace_event){ .kind = TRACE_MLOCK,
				  .mlock = { AREA + 100, 5000, true, false } });
	put((struct trace_event){ .kind = TRACE_MLOCK,
				  .mlock = { AREA, 2 * PAGE, false, false } });
	put((struct trace_event){ .kind = TRACE_MLOCKALL,
				  .mlockall = { true, MCL_CURRENT | MCL_ONFAULT } });
	put((struct trace_event){ .kind = TRACE_MLOCKALL, .mlockall = { false, 0 } });
	put((struct trace_event){ .kind = TRACE_VMA_NAME,
				  .vma_name = { AREA + 8 * PAGE, PAGE, "name", 4 } });
	put((struct trace_event){ .kind = TRACE_VMA_NAME,
				  .vma_name = { AREA + 8 * PAGE, PAGE, "", 0 } });
	put((struct trace_event){ .kind = TRACE_MREMAP,
				  .mremap = { AREA + 8 * PAGE, 2 * PAGE, 4 * PAGE,
					      AREA + 512 * PAGE, MREMAP_MAYMOVE } });
	touch(0, TRACE_TOUCH_ANON, AREA + 514 * PAGE, 2);
	put((struct trace_event){ .kind = TRACE_MREMAP,
				  .mremap = { AREA + 512 * PAGE, 4 * PAGE, PAGE,
					      AREA + 512 * PAGE, 0 } });
	put((struct trace_event){ .kind = TRACE_UNSUPPORTED,
				  .unsupported = { TRACE_UNSUPPORTED_CALL, 216 } });
}

/* Every kind of event, each of which fits. */
static void scenario_kinds(unsigned int number)
{
	start();
	file(1, TRACE_FILE_REGULAR, "/bin/x");
	file(2, TRACE_FILE_SHM, "shared anonymous");
	file(3, TRACE_FILE_ZERO, "/dev/zero");
	file(4, TRACE_FILE_DEVICE, "/dev/some");
	kinds_exec();
	touch(0, TRACE_TOUCH_ANON, STACK_END - 3 * PAGE, 3);
	touch(0, TRACE_TOUCH_FILE_COW, DATA, 1);
	kinds_maps();
	kinds_calls();
	fork_proc(0, 1);
	touch(1, TRACE_TOUCH_COW, AREA + 2 * PAGE, 1);
	touch(1, TRACE_TOUCH_COW, DATA, 1);
	put((struct trace_event){ .kind = TRACE_SHARE, .proc = 1,
				  .fork = { .child = 2, .ospid = 102 } });
	touch(2, TRACE_TOUCH_COW, AREA + 3 * PAGE, 1);
	exec_bare(2);
	touch(2, TRACE_TOUCH_ANON, STACK_END - PAGE, 1);
	put((struct trace_event){ .kind = TRACE_UNSUPPORTED, .proc = 2,
				  .unsupported = { TRACE_UNSUPPORTED_ABI, 0x40000003 } });
	fork_proc(2, 3);
	exit_proc(3);
	exit_proc(2);
	put((struct trace_event){ .kind = TRACE_MUNMAP, .proc = 1, .munmap = { AREA, 4 * PAGE } });
	exit_proc(1);
	put((struct trace_event){ .kind = TRACE_EXIT, .exit.status = 3 << 8 });
	(void)number;
}

/* Calls that are at odds with what is mapped, and addresses from nowhere. */
static void misfit_calls(void)
{
	static const uint64_t odd[] = { 0, 1, AREA + 7, UINT64_C(1) << 47, UINT64_C(1) << 63,
					UINT64_MAX - 5 };

	/* Mapped twice without MAP_FIXED. */
	map(0, AREA, 16 * PAGE, rw, anon, 0);
	touch(0, TRACE_TOUCH_ANON, AREA, 16);
	map(0, AREA + 8 * PAGE, 16 * PAGE, rw, anon, 0);
	/* Moved from where nothing is. */
	put((struct trace_event){ .kind = TRACE_MREMAP,
				  .mremap = { AREA + 1024 * PAGE, PAGE, 2 * PAGE,
					      AREA + 2048 * PAGE, MREMAP_MAYMOVE } });
	touch(0, TRACE_TOUCH_ANON, AREA + 2048 * PAGE, 2);
	put((struct trace_event){ .kind = TRACE_BRK, .brk = { DATA, DATA + PAGE } });
	put((struct trace_event){ .kind = TRACE_BRK, .brk = { DATA + 5 * PAGE, DATA + 9 * PAGE } });
	put((struct trace_event){ .kind = TRACE_BRK, .brk = { UINT64_MAX, 1 } });
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		uint64_t a = odd[i];

		map(0, a, 2, rw, anon, 0);
		map(0, a, 3, ~0u, ~0u, 0);
		put((struct trace_event){ .kind = TRACE_MPROTECT, .mprotect = { a, 4, ~0u } });
		put((struct trace_event){ .kind = TRACE_MUNMAP, .munmap = { a, 1 } });
		put((struct trace_event){ .kind = TRACE_MADVISE, .madvise = { a, 4, -77 } });
		put((struct trace_event){ .kind = TRACE_MLOCK,
					  .mlock = { a, 4, true, true } });
		put((struct trace_event){ .kind = TRACE_VMA_NAME, .vma_name = { a, 4, "n", 1 } });
		put((struct trace_event){ .kind = TRACE_MREMAP,
					  .mremap = { a, 4, 4, odd[5 - i], ~0u } });
		put((struct trace_event){ .kind = TRACE_BRK, .brk = { a, odd[5 - i] } });
	}
}

static void scenario_misfit(unsigned int number)
{
	struct trace_map maps[] = {
		{ .start = 1, .len = 5, .prot = ~0u },
		{ .start = AREA, .len = PAGE, .kind = TRACE_MAP_STACK },
		{ .start = UINT64_MAX - 10, .len = 3, .kind = TRACE_MAP_HEAP },
	};

	start();
	exec_bare(0);
	misfit_calls();
	/* Touched where nothing is, where it is forbidden, and nearly everything. */
	touch(0, TRACE_TOUCH_ANON, AREA + 4096 * PAGE, 7);
	map(0, AREA + 8192 * PAGE, 4 * PAGE, PROT_NONE, anon, 0);
	touch(0, TRACE_TOUCH_ANON, AREA + 8192 * PAGE, 4);
	touch(0, TRACE_TOUCH_COW, PAGE, (UINT64_C(1) << 35) - 3);
	touch(0, TRACE_TOUCH_COW, PAGE, TRACE_PAGE_LIMIT - 2);
	fork_proc(0, 1);
	exec(1, maps, 3);
	touch(1, TRACE_TOUCH_ANON, AREA, 5);
	(void)number;
}

static void scenario_huge(unsigned int number)
{
	const uint64_t huge = 512 * PAGE;

	start();
	exec_bare(0);
	map(0, AREA, (number + 1) * huge, rw, anon, 0);
	touch(0, TRACE_TOUCH_HUGE, AREA, number * 512);
	/* Small pages that have been collapsed later. */
	touch(0, TRACE_TOUCH_ANON, AREA + number * huge, 300);
	touch(0, TRACE_TOUCH_HUGE, AREA + number * huge, 512);
	fork_proc(0, 1);
	touch(1, TRACE_TOUCH_COW, AREA + 10 * PAGE, 3);
	put((struct trace_event){ .kind = TRACE_MUNMAP, .proc = 1,
				  .munmap = { AREA + 100 * PAGE, 100 * PAGE } });
	exit_proc(1);
	exit_proc(0);
}

/* As from a machine with pages of 16 KiB and 48 bits of addresses. */
static void scenario_pages16k(unsigned int number)
{
	struct trace_map stack = { .start = UINT64_C(0xffffc0000000),
				   .len = 8 * page_size, .prot = rw, .kind = TRACE_MAP_STACK };
	uint64_t area = UINT64_C(0xffff80000000);

	start();
	exec(0, &stack, 1);
	touch(0, TRACE_TOUCH_ANON, stack.start + 7 * page_size, 1);
	map(0, area, number * page_size - 100, rw, anon, 0);
	touch(0, TRACE_TOUCH_ANON, area, number);
	exit_proc(0);
}

/* -- Anything at all ------------------------------------------------------------ */

#define RANDOM_EVENTS	600
#define RANDOM_PROCS	12
#define RANDOM_PAGES	96

static uint64_t random_state;

static uint64_t below(uint64_t limit)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % limit;
}

/* Few places, so that calls meet: mostly one area, at times around the stack. */
static uint64_t random_addr(void)
{
	return below(10) ? AREA + below(RANDOM_PAGES) * PAGE :
			   STACK_END - below(3 * STACK_PAGES) * PAGE;
}

static uint64_t random_len(void)
{
	return (1 + below(below(8) ? 8 : RANDOM_PAGES)) * PAGE;
}

static uint32_t random_prot(void)
{
	return below(4) ? rw : below(8);
}

static void random_call(uint32_t proc)
{
	static const int advice[] = { MADV_DONTNEED, MADV_FREE, MADV_DONTFORK, MADV_DOFORK,
				      MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_MERGEABLE, MADV_COLD,
				      MADV_PAGEOUT, MADV_HUGEPAGE };
	struct trace_event ev = { .proc = proc };

	switch (below(8)) {
	case 0:
		ev.kind = TRACE_MUNMAP;
		ev.munmap.addr = random_addr();
		ev.munmap.len = random_len();
		break;
	case 1:
	case 2:
		ev.kind = TRACE_MPROTECT;
		ev.mprotect.addr = random_addr();
		ev.mprotect.len = random_len();
		ev.mprotect.prot = random_prot();
		break;
	case 3:
		ev.kind = TRACE_MADVISE;
		ev.madvise.addr = random_addr();
		ev.madvise.len = random_len();
		ev.madvise.advice = advice[below(sizeof(advice) / sizeof(advice[0]))];
		break;
	case 4:
	case 5:
		ev.kind = TRACE_MREMAP;
		ev.mremap.old_addr = random_addr();
		ev.mremap.old_len = below(16) ? random_len() : 0;
		ev.mremap.new_len = ev.mremap.old_len && below(2) ? ev.mremap.old_len :
				    random_len();
		ev.mremap.new_addr = below(4) ? random_addr() : ev.mremap.old_addr;
		ev.mremap.flags = MREMAP_MAYMOVE | (below(4) ? 0 : 4 /* MREMAP_DONTUNMAP */);
		break;
	case 6:
		ev.kind = TRACE_BRK;
		ev.brk.old_end = DATA + below(32) * PAGE;
		ev.brk.new_end = DATA + below(32) * PAGE;
		break;
	case 7:
		ev.kind = TRACE_MLOCK;
		ev.mlock.addr = random_addr();
		ev.mlock.len = random_len();
		ev.mlock.on = below(2);
		break;
	}
	put(ev);
}

/* Calls as nobody records them, from processes that come and go. */
static void scenario_random(unsigned int number)
{
	static const uint32_t shared = MAP_SHARED | MAP_ANONYMOUS;
	bool alive[RANDOM_EVENTS] = { true };
	unsigned int procs = 1, nalive = 1;

	random_state = number;
	start();
	file(1, TRACE_FILE_REGULAR, "/bin/x");
	file(2, TRACE_FILE_ZERO, "/dev/zero");
	exec_bare(0);
	for (int i = 0; i < RANDOM_EVENTS && nalive; i++) {
		uint32_t proc = below(procs), kind = below(20);

		if (!alive[proc])
			continue;
		if (kind < 7) {
			touch(proc, kind % 4 == TRACE_TOUCH_HUGE ? TRACE_TOUCH_ANON : kind % 4,
			      random_addr(), 1 + below(6));
		} else if (kind < 11) {
			map(proc, random_addr(), random_len(), random_prot(),
			    (below(6) ? anon : below(2) ? shared : MAP_PRIVATE) |
			    (below(2) ? MAP_FIXED : 0), below(3) ? 0 : 1 + below(2));
		} else if (kind < 17) {
			random_call(proc);
		} else if (kind < 19 && nalive < RANDOM_PROCS) {
			fork_proc(proc, procs);
			alive[procs++] = true;
			nalive++;
		} else if (nalive > 2) {
			if (below(3)) {
				exit_proc(proc);
				alive[proc] = false;
				nalive--;
			} else {
				exec_bare(proc);
			}
		}
	}
}

static const struct {
	const char *name;
	void (*write)(unsigned int number);
	uint32_t page_size;
	bool cut;			/* as if the recorder had been killed */
} scenarios[] = {
	{ "fork", scenario_fork, 4096, false },
	{ "fork-cut", scenario_fork, 4096, true },
	{ "chain", scenario_chain, 4096, false },
	{ "kinds", scenario_kinds, 4096, false },
	{ "misfit", scenario_misfit, 4096, false },
	{ "huge", scenario_huge, 4096, false },
	{ "pages16k", scenario_pages16k, 16384, false },
	{ "random", scenario_random, 4096, false },
};

int main(int argc, char **argv)
{
	struct trace_header head = { .huge_pages = 512, .command = "made 'by hand'",
				     .kernel = "6.12.0", .arch = "x86_64" };
	struct trace_summary sum = { .procs = 1 };
	unsigned int number = argc > 3 ? atoi(argv[3]) : 3;

	for (size_t i = 0; argc > 2 && i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (strcmp(argv[2], scenarios[i].name))
			continue;
		head.page_size = page_size = scenarios[i].page_size;
		head.huge_pages = page_size == PAGE ? 512 : 0;
		if (trace_create(argv[1], &head, &writer))
			break;
		scenarios[i].write(number);
		if (!scenarios[i].cut)
			return trace_finish(writer, now, &sum) ? 1 : 0;
		if (trace_flush(writer))
			break;
		trace_abandon(writer);
		return 0;
	}
	fprintf(stderr, "usage: make_trace FILE SCENARIO [NUMBER]\n");
	return 1;
}
