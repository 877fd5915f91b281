// SPDX-License-Identifier: GPL-2.0
/*
 * System calls on the address space. On the way in, pages that the call may
 * take away, or whose mapping it may split or join, are looked at; on the way
 * out, a call that did something becomes an event.
 */
#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "recorder.h"

/* Values of newer kernels than the headers may know. */
#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif
#define VMA_NAME_MAX		80
#define MLOCK_ON_FAULT		1	/* mlock2() */
#define IOV_LIMIT		1024
/* As <asm-generic/mman.h> has it; glibc hides it with some feature sets. */
#define FIXED_ANY		(MAP_FIXED | MAP_FIXED_NOREPLACE)

static uint64_t page_up(const struct recorder *rec, uint64_t v)
{
	return (v + rec->page_size - 1) & ~(uint64_t)(rec->page_size - 1);
}

/* Copy from the process; a short count or -1 means that it is not all there. */
static ssize_t peek(const struct task *task, uint64_t from, void *to, size_t len)
{
	struct iovec local = { to, len };
	struct iovec remote = { (void *)(uintptr_t)from, len };

	return process_vm_readv(task->tid, &local, 1, &remote, 1, 0);
}

static void read_clone_flags(struct task *task)
{
	uint64_t flags = 0;

	switch (task->call.nr) {
	case SYS_clone3:
		if (peek(task, task->call.args[0], &flags, sizeof(flags)) != sizeof(flags))
			flags = 0;
		break;
	case SYS_clone:
		/* The low byte is the signal. */
		flags = task->call.args[0] & ~(uint64_t)CSIGNAL;
		break;
#ifdef SYS_vfork
	case SYS_vfork:
		flags = CLONE_VM | CLONE_VFORK;
		break;
#endif
	}
	task->clone_flags = flags;
}

/* brk() has not been seen in this address space: it is where exec has put it. */
static uint64_t first_brk(const struct task *task)
{
	char path[32], buf[1024], *p;
	uint64_t start_brk = 0;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)task->tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = '\0';
	/* The name in parentheses may hold anything; start_brk is field 47. */
	p = strrchr(buf, ')');
	for (int field = 2; p && field < 47; field++)
		p = strchr(p + 1, ' ');
	if (p)
		start_brk = strtoull(p + 1, NULL, 10);
	return start_brk;
}

/* The thread that process_madvise() works on, or NULL. */
static struct task *madvise_target(const struct recorder *rec, const struct task *task)
{
	char path[64], line[128];
	struct task *target = NULL;
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)task->tid,
		 (int)task->call.args[0]);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	while (!target && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pid: %d", &pid) == 1)
			target = task_find(rec, pid);
	fclose(f);
	return target && target->mm && target->proc ? target : NULL;
}

static size_t madvise_ranges(const struct task *task, struct iovec *iov)
{
	uint64_t n = task->call.args[2];
	ssize_t got;

	if (n > IOV_LIMIT)
		return 0;
	got = peek(task, task->call.args[1], iov, n * sizeof(*iov));
	return got > 0 ? got / sizeof(*iov) : 0;
}

/* shmdt(): the mapping that starts there, up to where another file begins. */
static uint64_t shm_len(const struct task *task, uint64_t addr)
{
	const struct map_list *maps = &task->mm->maps;
	size_t i = map_list_lower(maps, addr);

	if (i == maps->count || maps->maps[i].start > addr || !maps->maps[i].file)
		return 0;
	return maps->maps[i].end - addr;
}

static void enter_mmap(struct recorder *rec, struct task *task)
{
	struct call *c = &task->call;

	c->file = 0;
	if (!(c->args[3] & MAP_ANONYMOUS))
		c->file = file_of_fd(rec, task->proc, task->tid, c->args[4]);
	if ((c->args[3] & FIXED_ANY) == MAP_FIXED)
		scan_range(rec, task, c->args[0], c->args[1]);
}

static bool enter_brk(struct recorder *rec, struct task *task)
{
	uint64_t want = task->call.args[0];
	struct mm *mm = task->mm;

	if (!mm->brk)
		mm->brk = first_brk(task);
	/* 0, and anything else that does not change it, only asks. */
	if (!want || want == mm->brk)
		return false;
	if (want < mm->brk)
		scan_range(rec, task, want, mm->brk - want);
	return true;
}

static void enter_exec(struct recorder *rec, struct task *task)
{
	/* A vfork child leaves its parent's address space as it is. */
	if (task->mm->users == 1)
		scan_full(rec, task, false);
}

bool call_enter(struct recorder *rec, struct task *task)
{
	struct call *c = &task->call;

	switch (c->nr) {
	case SYS_mmap:
		enter_mmap(rec, task);
		return true;
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_madvise:
		scan_range(rec, task, c->args[0], c->args[1]);
		return true;
	case SYS_mremap:
		scan_range(rec, task, c->args[0], c->args[1]);
		if (c->args[3] & MREMAP_FIXED)
			scan_range(rec, task, c->args[4], c->args[2]);
		return true;
	case SYS_brk:
		return enter_brk(rec, task);
	case SYS_shmat:
		if (c->args[2] & SHM_REMAP)
			scan_range(rec, task, c->args[1], rec->page_size);
		return true;
	case SYS_shmdt:
		c->len = shm_len(task, c->args[0]);
		return true;
	case SYS_process_madvise: {
		static struct iovec iov[IOV_LIMIT];
		struct task *target = madvise_target(rec, task);
		size_t n = target ? madvise_ranges(task, iov) : 0;

		for (size_t i = 0; i < n; i++)
			scan_range(rec, target, (uintptr_t)iov[i].iov_base, iov[i].iov_len);
		return true;
	}
	case SYS_execve:
	case SYS_execveat:
		enter_exec(rec, task);
		return false;
	case SYS_clone:
	case SYS_clone3:
#ifdef SYS_fork
	case SYS_fork:
	case SYS_vfork:
#endif
		read_clone_flags(task);
		/* Other threads change the address space before the fork or after it. */
		return !(task->clone_flags & CLONE_VM) && task->mm->tasks > 1;
	default:
		return true;
	}
}

static void forget(struct recorder *rec, struct mm *mm, uint64_t start, uint64_t end)
{
	recorder_fail(rec, page_set_clear(&mm->pages, start >> rec->page_shift,
					  (end - start) >> rec->page_shift));
}

static void unmap(struct recorder *rec, struct mm *mm, uint64_t start, uint64_t end)
{
	recorder_fail(rec, map_list_remove(&mm->maps, start, end));
	forget(rec, mm, start, end);
}

static void mapped(struct recorder *rec, struct task *task, const struct trace_event *ev,
		   bool fixed)
{
	struct map map = {
		.start = ev->mmap.addr,
		.end = ev->mmap.addr + page_up(rec, ev->mmap.len),
		.file = ev->mmap.file,
		.shared = ev->mmap.flags & MAP_SHARED,
		.stack = ev->mmap.flags & MAP_GROWSDOWN,
	};
	struct trace_event out = *ev;

	scan_neighbours(rec, task, map.start, map.end - map.start);
	recorder_emit(rec, task->proc, &out);
	if (fixed)
		forget(rec, task->mm, map.start, map.end);
	recorder_fail(rec, map_list_insert(&task->mm->maps, &map));
}

static void leave_mmap(struct recorder *rec, struct task *task, uint64_t addr)
{
	const struct call *c = &task->call;
	struct trace_event ev = { .kind = TRACE_MMAP };

	ev.mmap.addr = addr;
	ev.mmap.len = c->args[1];
	ev.mmap.prot = c->args[2];
	ev.mmap.flags = c->args[3];
	ev.mmap.file = c->file;
	if (!(c->args[3] & MAP_ANONYMOUS))
		ev.mmap.pgoff = c->args[5] >> rec->page_shift;
	else if (c->args[3] & MAP_SHARED)
		ev.mmap.file = file_anonymous(rec, task->proc);
	mapped(rec, task, &ev, c->args[3] & MAP_FIXED);
}

static void leave_munmap(struct recorder *rec, struct task *task, uint64_t addr, uint64_t len)
{
	struct trace_event ev = { .kind = TRACE_MUNMAP };

	ev.munmap.addr = addr;
	ev.munmap.len = len;
	recorder_emit(rec, task->proc, &ev);
	unmap(rec, task->mm, addr, addr + page_up(rec, len));
}

static void leave_mremap(struct recorder *rec, struct task *task, uint64_t to)
{
	const uint64_t *a = task->call.args;
	uint64_t from = a[0], old_len = page_up(rec, a[1]), new_len = page_up(rec, a[2]);
	struct trace_event ev = { .kind = TRACE_MREMAP };
	struct mm *mm = task->mm;
	size_t i = map_list_lower(&mm->maps, from);
	struct map map = { 0 };

	if (i < mm->maps.count && mm->maps.maps[i].start <= from)
		map = mm->maps.maps[i];
	scan_neighbours(rec, task, to, new_len);
	ev.mremap.old_addr = from;
	/* As the kernel takes it: rounding up may give 0, see replay_call.c. */
	ev.mremap.old_len = old_len;
	ev.mremap.new_len = a[2];
	ev.mremap.new_addr = to;
	ev.mremap.flags = a[3];
	recorder_emit(rec, task->proc, &ev);

	map.start = to;
	map.end = to + new_len;
	if (to == from) {
		if (new_len < old_len)
			unmap(rec, mm, from + new_len, from + old_len);
		else
			recorder_fail(rec, map_list_insert(&mm->maps, &map));
		return;
	}
	/* What does not fit is unmapped, what is moved takes its pages along. */
	if (new_len < old_len) {
		unmap(rec, mm, from + new_len, from + old_len);
		old_len = new_len;
	}
	forget(rec, mm, to, to + new_len);
	recorder_fail(rec, page_set_move(&mm->pages, from >> rec->page_shift,
					 to >> rec->page_shift, old_len >> rec->page_shift));
	if (!(a[3] & MREMAP_DONTUNMAP))
		recorder_fail(rec, map_list_remove(&mm->maps, from, from + old_len));
	recorder_fail(rec, map_list_insert(&mm->maps, &map));
}

/*
 * mprotect() and madvise() over a hole return ENOMEM having worked on what is
 * mapped: the former up to the first hole, the latter on everything.
 */
static void leave_partial(struct recorder *rec, struct task *task,
			  void (*leave)(struct recorder *, struct task *, uint64_t, uint64_t),
			  bool all)
{
	uint64_t start = task->call.args[0];
	uint64_t end = start + page_up(rec, task->call.args[1]);
	const struct map_list *maps = &task->mm->maps;

	if (end <= start || start & (rec->page_size - 1))
		return;
	for (size_t i = map_list_lower(maps, start); i < maps->count; i++) {
		uint64_t from = maps->maps[i].start > start ? maps->maps[i].start : start;
		uint64_t to = maps->maps[i].end < end ? maps->maps[i].end : end;

		if (from >= end || (!all && from > start))
			break;
		leave(rec, task, from, to - from);
		start = to;
	}
}

static void leave_mprotect(struct recorder *rec, struct task *task, uint64_t addr, uint64_t len)
{
	struct trace_event ev = { .kind = TRACE_MPROTECT };

	ev.mprotect.addr = addr;
	ev.mprotect.len = len;
	ev.mprotect.prot = task->call.args[2];
	recorder_emit(rec, task->proc, &ev);
}

static void advised(struct recorder *rec, struct task *task, uint64_t addr, uint64_t len,
		    int advice)
{
	struct trace_event ev = { .kind = TRACE_MADVISE };

	ev.madvise.addr = addr;
	ev.madvise.len = len;
	ev.madvise.advice = advice;
	recorder_emit(rec, task->proc, &ev);
	if (advice == MADV_DONTNEED || advice == MADV_REMOVE || advice == MADV_DONTNEED_LOCKED)
		forget(rec, task->mm, addr, addr + page_up(rec, len));
}

static void leave_madvise(struct recorder *rec, struct task *task, uint64_t addr, uint64_t len)
{
	advised(rec, task, addr, len, task->call.args[2]);
}

static void leave_process_madvise(struct recorder *rec, struct task *task, uint64_t done)
{
	static struct iovec iov[IOV_LIMIT];
	struct task *target = madvise_target(rec, task);
	size_t n = target ? madvise_ranges(task, iov) : 0;

	for (size_t i = 0; i < n && done; i++) {
		uint64_t len = iov[i].iov_len < done ? iov[i].iov_len : done;

		advised(rec, target, (uintptr_t)iov[i].iov_base, len, task->call.args[3]);
		done -= len;
	}
}

static void leave_brk(struct recorder *rec, struct task *task, uint64_t end)
{
	struct trace_event ev = { .kind = TRACE_BRK };
	struct mm *mm = task->mm;
	uint64_t old = mm->brk, from = page_up(rec, old), to = page_up(rec, end);

	/* A brk() that fails returns the old end. */
	if (end == old)
		return;
	mm->brk = end;
	ev.brk.old_end = old;
	ev.brk.new_end = end;
	recorder_emit(rec, task->proc, &ev);
	if (to > from) {
		struct map map = { .start = from, .end = to };

		recorder_fail(rec, map_list_insert(&mm->maps, &map));
	} else {
		unmap(rec, mm, to, from);
	}
}

static void leave_mlock(struct recorder *rec, struct task *task, bool on, bool onfault)
{
	struct trace_event ev = { .kind = TRACE_MLOCK };
	uint64_t addr = task->call.args[0] & ~(uint64_t)(rec->page_size - 1);
	uint64_t len = page_up(rec, task->call.args[1] + (task->call.args[0] - addr));

	/* A length that wraps is no failure: the kernel works on what is left of it. */
	if (!len)
		return;
	ev.mlock.addr = addr;
	ev.mlock.len = len;
	ev.mlock.on = on;
	ev.mlock.onfault = onfault;
	recorder_emit(rec, task->proc, &ev);
}

static void leave_mlockall(struct recorder *rec, struct task *task, bool on)
{
	struct trace_event ev = { .kind = TRACE_MLOCKALL };

	ev.mlockall.on = on;
	ev.mlockall.flags = on ? task->call.args[0] : 0;
	recorder_emit(rec, task->proc, &ev);
}

static void leave_prctl(struct recorder *rec, struct task *task)
{
	const uint64_t *a = task->call.args;
	struct trace_event ev = { .kind = TRACE_VMA_NAME };
	char name[VMA_NAME_MAX + 1] = "";
	size_t have = 0;

	if (a[1] != PR_SET_VMA_ANON_NAME)
		return;
	/* Byte by byte: the string may end just before a page that is not there. */
	while (a[4] && have < VMA_NAME_MAX && peek(task, a[4] + have, name + have, 1) == 1 &&
	       name[have])
		have++;
	ev.vma_name.addr = a[2];
	ev.vma_name.len = a[3];
	ev.vma_name.name = name;
	ev.vma_name.name_len = have;
	recorder_emit(rec, task->proc, &ev);
}

struct find_map {
	struct recorder *rec;
	struct task *task;
	uint64_t addr;
	struct trace_event ev;
};

static int find_shm(const struct proc_map *m, void *arg)
{
	struct find_map *find = arg;

	if (m->start != find->addr)
		return 0;
	find->ev.mmap.len = m->end - m->start;
	find->ev.mmap.prot = m->prot;
	find->ev.mmap.file = file_of_name(find->rec, find->task->proc, m->inode, m->name);
	return 1;
}

static void leave_shmat(struct recorder *rec, struct task *task, uint64_t addr)
{
	struct find_map find = { .rec = rec, .task = task, .addr = addr };

	/* How large the segment is, only the kernel can tell. */
	if (proc_maps_read(task->tid, find_shm, &find) != 1)
		return;
	find.ev.kind = TRACE_MMAP;
	find.ev.mmap.addr = addr;
	find.ev.mmap.flags = MAP_SHARED | (task->call.args[2] & SHM_REMAP ? MAP_FIXED : 0);
	mapped(rec, task, &find.ev, task->call.args[2] & SHM_REMAP);
}

static void leave_unsupported(struct recorder *rec, struct task *task)
{
	struct trace_event ev = { .kind = TRACE_UNSUPPORTED };

	ev.unsupported.kind = TRACE_UNSUPPORTED_CALL;
	ev.unsupported.nr = task->call.nr;
	recorder_emit(rec, task->proc, &ev);
}

static void leave_failed(struct recorder *rec, struct task *task, int error)
{
	if (error != -ENOMEM)
		return;
	if (task->call.nr == SYS_madvise)
		leave_partial(rec, task, leave_madvise, true);
	else if (task->call.nr == SYS_mprotect || task->call.nr == SYS_pkey_mprotect)
		leave_partial(rec, task, leave_mprotect, false);
}

void call_leave(struct recorder *rec, struct task *task, int64_t rval)
{
	const uint64_t *a = task->call.args;

	if (!task->mm || task->proc->foreign || !task->proc->started)
		return;
	if (rval < 0 && rval > -4096) {
		leave_failed(rec, task, rval);
		return;
	}
	switch (task->call.nr) {
	case SYS_mmap:
		leave_mmap(rec, task, rval);
		break;
	case SYS_munmap:
		leave_munmap(rec, task, a[0], a[1]);
		break;
	case SYS_mremap:
		leave_mremap(rec, task, rval);
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		leave_mprotect(rec, task, a[0], a[1]);
		break;
	case SYS_madvise:
		leave_madvise(rec, task, a[0], a[1]);
		break;
	case SYS_process_madvise:
		leave_process_madvise(rec, task, rval);
		break;
	case SYS_brk:
		leave_brk(rec, task, rval);
		break;
	case SYS_mlock:
		leave_mlock(rec, task, true, false);
		break;
	case SYS_mlock2:
		leave_mlock(rec, task, true, a[2] & MLOCK_ON_FAULT);
		break;
	case SYS_munlock:
		leave_mlock(rec, task, false, false);
		break;
	case SYS_mlockall:
		leave_mlockall(rec, task, true);
		break;
	case SYS_munlockall:
		leave_mlockall(rec, task, false);
		break;
	case SYS_prctl:
		leave_prctl(rec, task);
		break;
	case SYS_shmat:
		leave_shmat(rec, task, rval);
		break;
	case SYS_shmdt:
		if (task->call.len)
			leave_munmap(rec, task, a[0], task->call.len);
		break;
	case SYS_clone:
	case SYS_clone3:
#ifdef SYS_fork
	case SYS_fork:
	case SYS_vfork:
#endif
		/* The report of the new process has said it all. */
		break;
	default:
		leave_unsupported(rec, task);
		break;
	}
}
