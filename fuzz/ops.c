// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: operations on two worlds, one of each topology
 *
 * The input is a row of records of six bytes: an operation, a process, four arguments.
 * Every byte string is a valid input, and a record that is removed or moved leaves the
 * others what they are. Memory is two small areas, one of single pages and one with room
 * for huge pages, so that ranges meet. Both worlds do the same, with model, oracle and
 * invariants on, and are compared: what operations return, what reads see, what is mapped
 * where, and, while a process has no anonymous page yet, its VMAs one by one.
 *
 * An operation can be told that one of its allocations fails. The two topologies do not
 * allocate alike, so that from the first such failure on the worlds may differ, and only
 * model, oracle and invariants judge.
 *
 * make-corpus.py writes inputs; it takes the numbers of the operations from ops.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <kshim/fault.h>
#include "fuzz.h"
#include "ops.h"
#include "usermm.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#ifndef MADV_COLD
#define MADV_COLD		20
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

#define MAX_OPS		200
#define PROCS		6
#define FILES		4
#define MAX_VMAS	128
#define WORLD_PAGES	8192		/* memory can run short, but seldom does */
#define CHECK_ALL_EVERY	16

#define SMALL_START	0x100000000000UL
#define SMALL_PAGES	64
#define HUGE_START	0x100040000000UL
#define HUGE_SLOTS	3
#define HEAP_START	0x600000000000UL
#define STACK_END	0x7f0000000000UL

enum { SIDES = 2 };
static const char *const topologies[SIDES] = { "regular", "lazy" };

struct proc {
	struct mm_struct *mm[SIDES];	/* NULL: not in this world */
	unsigned int users;		/* 0: free slot */
};

struct run {
	struct um_world *world[SIDES];
	struct um_file *file[SIDES][FILES];
	FILE *log[SIDES];
	char *text[SIDES];
	size_t text_len[SIDES];
	struct proc procs[PROCS];
	unsigned int op;
	unsigned int fail_nth;		/* of the next operation's allocations; 0: none */
	bool diverged;			/* an allocation failed: the worlds may differ */
	const char *name;		/* of the operation */
	bool verbose;			/* say what is done: FUZZ_VERBOSE is set */
};

/* One operation as both worlds are told to do it. */
struct op {
	struct run *run;
	struct proc *proc;
	uint8_t mm, a, b, c, d;
};

/* What one world makes of it. */
struct outcome {
	long ret;
	uint64_t value;
};

#define RW	(PROT_READ | PROT_WRITE)

static void finding(struct run *run, const char *what)
{
	fprintf(stderr, "fuzz-ops: operation %u, %s: %s\n", run->op, run->name, what);
	abort();
}

/* -- Arguments ----------------------------------------------------------------------- */

/* Bit 7 chooses the area with room for huge pages: a page at or near a boundary in it. */
static uint64_t addr_of(uint8_t x)
{
	if (!(x & 0x80))
		return SMALL_START + (x % SMALL_PAGES) * UM_PAGE_SIZE;
	return HUGE_START + (x & 3) % HUGE_SLOTS * UM_HUGE_SIZE +
		(x >> 2 & 31) * (x & 0x40 ? 16 : 1) * UM_PAGE_SIZE;
}

static uint64_t len_of(uint8_t x)
{
	if (!(x & 0x80))
		return (1 + x % 16) * UM_PAGE_SIZE;
	return x & 0x40 ? UM_HUGE_SIZE * (1 + (x & 1)) : (1 + x % 64) * 8 * UM_PAGE_SIZE;
}

static int prot_of(uint8_t x)
{
	static const int prots[] = {
		RW, RW, RW, RW, PROT_READ, PROT_NONE, RW | PROT_EXEC, PROT_READ | PROT_EXEC,
	};

	return prots[x % 8];
}

/* -- Operations ------------------------------------------------------------------------ */

#define OP(name)	static struct outcome op_##name(struct op *op, int side)
#define MM		(op->proc->mm[side])
#define RET(x)		((struct outcome) { .ret = (x) })

static struct outcome map(struct op *op, int side, int flags, struct um_file *file,
			  uint64_t pgoff)
{
	struct outcome out = { 0 };

	out.ret = um_mmap(MM, addr_of(op->a), len_of(op->b), prot_of(op->c), flags, file, pgoff,
			  &out.value);
	return out;
}

OP(mmap)
{
	return map(op, side, MAP_PRIVATE | MAP_ANONYMOUS | (op->d & 1 ? 0 : MAP_FIXED) |
		   (op->d & 2 ? MAP_GROWSDOWN : 0) | (op->d & 4 ? MAP_NORESERVE : 0) |
		   (op->d & 8 ? MAP_LOCKED : 0), NULL, 0);
}

OP(mmap_file)
{
	uint64_t pgoff = op->d & 0x80 ? op->d >> 2 & 31 : op->a % SMALL_PAGES;

	return map(op, side, MAP_FIXED | (op->d & 0x40 ? MAP_SHARED : MAP_PRIVATE),
		   op->run->file[side][op->d % FILES], pgoff);
}

OP(mmap_shared)
{
	return map(op, side, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, NULL, 0);
}

OP(munmap)
{
	return RET(um_munmap(MM, addr_of(op->a), len_of(op->b)));
}

static struct outcome mremap_to(struct op *op, int side, uint64_t new_len, int flags)
{
	struct outcome out = { 0 };

	out.ret = um_mremap(MM, addr_of(op->a), len_of(op->b), new_len, flags, addr_of(op->c),
			    &out.value);
	return out;
}

OP(mremap_move)
{
	return mremap_to(op, side, op->d & 1 ? len_of(op->d >> 1) : len_of(op->b),
			 MREMAP_MAYMOVE | MREMAP_FIXED);
}

OP(mremap_size)
{
	return mremap_to(op, side, len_of(op->d), op->c & 1 ? MREMAP_MAYMOVE : 0);
}

OP(mremap_dontunmap)
{
	return mremap_to(op, side, len_of(op->b),
			 MREMAP_MAYMOVE | MREMAP_DONTUNMAP | (op->d & 1 ? MREMAP_FIXED : 0));
}

OP(mprotect)
{
	return RET(um_mprotect(MM, addr_of(op->a), len_of(op->b), prot_of(op->c)));
}

OP(madvise)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_FREE, MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK,
		MADV_KEEPONFORK, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT, MADV_DONTNEED_LOCKED,
	};
	const unsigned int nr = sizeof(advices) / sizeof(advices[0]);

	return RET(um_madvise(MM, addr_of(op->a), len_of(op->b), advices[op->c % nr]));
}

OP(brk)
{
	return RET(um_brk(MM, HEAP_START + (op->a % 64) * UM_PAGE_SIZE));
}

OP(heap_write)
{
	return RET(um_write(MM, HEAP_START + (op->a % 64) * UM_PAGE_SIZE, op->b));
}

OP(mlock)
{
	return RET(um_mlock(MM, addr_of(op->a), len_of(op->b), op->c & 1, op->c & 2));
}

OP(vma_name)
{
	static const char *const names[] = { "a", "b", "" };

	return RET(um_vma_name(MM, addr_of(op->a), len_of(op->b), names[op->c % 3]));
}

OP(uffd_move)
{
	return RET(um_uffd_move(MM, addr_of(op->a), addr_of(op->b), len_of(op->c)));
}

OP(read)
{
	struct outcome out = { 0 };

	out.ret = um_read(MM, addr_of(op->a), &out.value);
	return out;
}

/* Few contents, for KSM to find them twice. */
OP(write)
{
	return RET(um_write(MM, addr_of(op->a), op->b % 8));
}

OP(touch)
{
	return RET(um_touch(MM, addr_of(op->a), len_of(op->b) / UM_PAGE_SIZE));
}

OP(touch_huge)
{
	return RET(um_touch_huge(MM, addr_of(op->a | 0x80)));
}

OP(fault_order)
{
	return RET(um_set_fault_order(MM, op->a % 10));
}

OP(grow_stack)
{
	return RET(um_write(MM, addr_of(op->a) - (1 + op->b % 12) * UM_PAGE_SIZE, op->c));
}

OP(collapse)
{
	return RET(um_collapse(MM, addr_of(op->a | 0x80) & ~(UM_HUGE_SIZE - 1)));
}

OP(split)
{
	return RET(um_split_huge(MM, addr_of(op->a)));
}

OP(memory_failure)
{
	struct outcome out = { 0 };
	unsigned int victims = 0;

	out.ret = um_memory_failure(MM, addr_of(op->a), &victims);
	out.value = victims;
	return out;
}

/* How many pages these come to is the world's affair: it depends on what was shared. */
OP(reclaim)
{
	um_reclaim(op->run->world[side], 1 + op->a);
	return RET(0);
}

OP(migrate)
{
	um_migrate(op->run->world[side], 1 + op->a);
	return RET(0);
}

OP(age)
{
	um_age(op->run->world[side], 1 + op->a);
	return RET(0);
}

OP(ksm)
{
	um_ksm_scan(op->run->world[side], 1 + op->a);
	return RET(0);
}

OP(swapoff)
{
	return RET(um_swapoff(op->run->world[side]));
}

OP(check_all)
{
	return RET(um_check_all(op->run->world[side]));
}

/* -- Processes: these change op->run->procs, so they do both sides at once --------------- */

static struct proc *free_proc(struct run *run)
{
	int i;

	for (i = 0; i < PROCS; i++)
		if (!run->procs[i].users)
			return &run->procs[i];
	return NULL;
}

static void new_proc(struct run *run, struct proc *proc)
{
	int side;

	for (side = 0; side < SIDES; side++) {
		if (um_mm_create(run->world[side], &proc->mm[side])) {
			proc->mm[side] = NULL;
			run->diverged = true;
			continue;
		}
		um_brk_init(proc->mm[side], HEAP_START);
	}
	proc->users = 1;
}

static void arm(struct run *run)
{
	if (run->fail_nth)
		kshim_fail_nth(run->fail_nth);
}

static void disarm(struct run *run)
{
	if (run->fail_nth && kshim_fail_disarm())
		run->diverged = true;
}

static void do_fork(struct run *run, struct proc *proc)
{
	struct proc *child = free_proc(run);
	int side;

	if (!child)
		return;
	memset(child, 0, sizeof(*child));
	for (side = 0; side < SIDES; side++) {
		int err;

		if (!proc->mm[side])
			continue;
		arm(run);
		err = um_fork(proc->mm[side], &child->mm[side]);
		disarm(run);
		if (err) {
			child->mm[side] = NULL;
			/* Memory can be short without a failure that was asked for. */
			run->diverged = true;
		}
	}
	child->users = child->mm[0] || child->mm[1];
}

static void do_exit(struct proc *proc)
{
	int side;

	for (side = 0; side < SIDES; side++)
		if (proc->mm[side])
			um_exit(proc->mm[side]);
	proc->users--;
}

static void do_share(struct proc *proc)
{
	int side;

	if (proc->users >= 3)
		return;
	for (side = 0; side < SIDES; side++)
		if (proc->mm[side])
			um_share(proc->mm[side]);
	proc->users++;
}

static void do_exec(struct run *run, struct proc *proc, const struct op *op)
{
	uint64_t args = 1 + op->a % 8, end = STACK_END - (op->b % 16) * UM_PAGE_SIZE;
	uint64_t start = end - (args + 33 + op->c % 8) * UM_PAGE_SIZE;
	struct proc old = *proc;
	int side;

	new_proc(run, proc);
	for (side = 0; side < SIDES; side++) {
		if (!proc->mm[side])
			continue;
		arm(run);
		um_exec_stack(proc->mm[side], start, end, args, (op->d % 64) * UM_PAGE_SIZE,
			      8UL << 20);
		disarm(run);
	}
	while (old.users)
		do_exit(&old);
}

/* -- Comparing ----------------------------------------------------------------------------- */

static bool same_vma(const struct um_vma_info *a, const struct um_vma_info *b)
{
	return a->start == b->start && a->end == b->end && a->pgoff == b->pgoff &&
		a->flags == b->flags && !a->file == !b->file;
}

/* Neighbours that differ only in how their pages are found count as one. */
static size_t join_neighbours(struct um_vma_info *vmas, size_t nr)
{
	size_t i, kept = 0;

	for (i = 0; i < nr; i++) {
		struct um_vma_info *last = kept ? &vmas[kept - 1] : NULL;

		if (last && last->end == vmas[i].start && last->flags == vmas[i].flags &&
		    !last->file == !vmas[i].file)
			last->end = vmas[i].end;
		else
			vmas[kept++] = vmas[i];
	}
	return kept;
}

static void compare_proc(struct run *run, struct proc *proc)
{
	static struct um_vma_info vmas[SIDES][MAX_VMAS];
	size_t nr[SIDES], i;
	bool faulted = false;
	int side;

	for (side = 0; side < SIDES; side++) {
		nr[side] = um_vmas(proc->mm[side], vmas[side], MAX_VMAS);
		if (nr[side] > MAX_VMAS)
			return;
		for (i = 0; i < nr[side]; i++)
			faulted |= vmas[side][i].faulted;
	}
	if (!faulted) {
		/* Nothing that the reverse map has a say in. */
		if (nr[0] != nr[1])
			finding(run, "the numbers of VMAs differ, and none has been faulted");
		for (i = 0; i < nr[0]; i++)
			if (!same_vma(&vmas[0][i], &vmas[1][i]))
				finding(run, "VMAs differ, and none has been faulted");
		return;
	}
	for (side = 0; side < SIDES; side++)
		nr[side] = join_neighbours(vmas[side], nr[side]);
	if (nr[0] != nr[1])
		finding(run, "different ranges are mapped");
	for (i = 0; i < nr[0]; i++)
		if (vmas[0][i].start != vmas[1][i].start || vmas[0][i].end != vmas[1][i].end ||
		    vmas[0][i].flags != vmas[1][i].flags)
			finding(run, "different ranges are mapped");
}

static void compare(struct run *run, const struct outcome *out)
{
	int i;

	if (out[0].ret != out[1].ret) {
		char what[100];

		snprintf(what, sizeof(what), "regular returns %ld, lazy %ld", out[0].ret,
			 out[1].ret);
		finding(run, what);
	}
	if (out[0].value != out[1].value)
		finding(run, "the topologies see, or return, different values");
	for (i = 0; i < PROCS; i++)
		if (run->procs[i].users)
			compare_proc(run, &run->procs[i]);
}

/* What model, oracle and invariants say. */
static void look_for_findings(struct run *run)
{
	int side;

	for (side = 0; side < SIDES; side++) {
		if (!um_findings(run->world[side]))
			continue;
		fflush(run->log[side]);
		run->text[side][strcspn(run->text[side], "\n")] = '\0';
		finding(run, run->text[side]);
	}
}

/* -- The stream ------------------------------------------------------------------------------ */

static const char *const names[] = {
#define NAME(name)	#name,
	FUZZ_OPERATIONS(NAME)
#undef NAME
};

static struct outcome (*const functions[])(struct op *op, int side) = {
#define FUNCTION(name)	op_##name,
	FUZZ_WORLD_OPERATIONS(FUNCTION)
#undef FUNCTION
};

_Static_assert(sizeof(functions) / sizeof(functions[0]) == FUZZ_fork, "processes come last");

static void do_op(struct run *run, const uint8_t *record)
{
	struct op op = { .run = run, .mm = record[1], .a = record[2], .b = record[3],
			 .c = record[4], .d = record[5] };
	unsigned int kind = record[0] % FUZZ_NR_OPERATIONS, first = op.mm % PROCS, i;
	struct outcome out[SIDES] = { { 0 } };
	int side;

	for (i = 0; i < PROCS && !run->procs[(first + i) % PROCS].users; i++)
		;
	op.proc = &run->procs[(first + i) % PROCS];
	if (!op.proc->users)
		new_proc(run, op.proc);
	run->name = names[kind];

	switch (kind) {
	case FUZZ_fail:
		run->fail_nth = 1 + op.a % 32;
		return;
	case FUZZ_fork:
		do_fork(run, op.proc);
		break;
	case FUZZ_exit:
		do_exit(op.proc);
		break;
	case FUZZ_share:
		do_share(op.proc);
		break;
	case FUZZ_exec:
		do_exec(run, op.proc, &op);
		break;
	default:
		for (side = 0; side < SIDES; side++) {
			if (!op.proc->mm[side])
				continue;
			arm(run);
			out[side] = functions[kind](&op, side);
			disarm(run);
		}
	}
	run->fail_nth = 0;
	if (run->verbose)
		fprintf(stderr, "%u process %u %s %u %u %u %u -> %ld %llx, %ld %llx%s\n", run->op,
			(unsigned int)(op.proc - run->procs), run->name, op.a, op.b, op.c, op.d,
			out[0].ret, (unsigned long long)out[0].value, out[1].ret,
			(unsigned long long)out[1].value, run->diverged ? ", diverged" : "");
	look_for_findings(run);
	if (!run->diverged)
		compare(run, out);
}

/* Returns false when there is no memory for it. */
static bool begin(struct run *run)
{
	static const enum um_file_kind kinds[FILES] = {
		UM_FILE_REGULAR, UM_FILE_REGULAR, UM_FILE_SHM, UM_FILE_ZERO,
	};
	int side, i;

	for (side = 0; side < SIDES; side++) {
		struct um_config config = {
			.topology = topologies[side], .check = UM_CHECK_FULL, .model = true,
			.invariants = true, .max_pages = WORLD_PAGES,
		};

		run->log[side] = open_memstream(&run->text[side], &run->text_len[side]);
		config.log = run->log[side];
		if (!config.log || um_world_create(&config, &run->world[side]))
			return false;
		for (i = 0; i < FILES; i++) {
			run->file[side][i] = um_file_create(run->world[side], kinds[i]);
			if (!run->file[side][i])
				return false;
		}
	}
	return true;
}

static void end(struct run *run)
{
	int side, i;

	for (i = 0; i < PROCS; i++)
		while (run->procs[i].users)
			do_exit(&run->procs[i]);
	run->name = "end";
	look_for_findings(run);
	for (side = 0; side < SIDES; side++) {
		for (i = 0; i < FILES; i++)
			um_file_put(run->file[side][i]);
		if (um_world_destroy(run->world[side])) {
			fflush(run->log[side]);
			finding(run, run->text[side]);
		}
		fclose(run->log[side]);
		free(run->text[side]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool registered;
	struct run run = { .name = "begin", .verbose = getenv("FUZZ_VERBOSE") };
	int side;

	if (!registered) {
		um_thread_register();
		registered = true;
	}
	if (!begin(&run)) {
		fputs("fuzz-ops: out of memory\n", stderr);
		exit(1);
	}
	while (run.op < MAX_OPS && (run.op + 1) * FUZZ_RECORD <= size) {
		do_op(&run, data + run.op * FUZZ_RECORD);
		if (run.op % CHECK_ALL_EVERY == CHECK_ALL_EVERY - 1) {
			for (side = 0; side < SIDES; side++)
				um_check_all(run.world[side]);
			look_for_findings(&run);
		}
		run.op++;
	}
	end(&run);
	return 0;
}
