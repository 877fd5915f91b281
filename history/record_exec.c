// SPDX-License-Identifier: GPL-2.0
/* A process has executed a program: what its new address space looks like. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recorder.h"

struct seed {
	struct recorder *rec;
	struct proc *proc;
	struct trace_map maps[TRACE_MAPS_MAX];
	uint32_t count;
};

static uint32_t map_kind(const char *name)
{
	if (!strcmp(name, "[heap]"))
		return TRACE_MAP_HEAP;
	if (!strncmp(name, "[stack", 6))
		return TRACE_MAP_STACK;
	if (!strncmp(name, "[v", 2))
		return TRACE_MAP_SPECIAL;
	return TRACE_MAP_NORMAL;
}

static int seed_map(const struct proc_map *pm, void *arg)
{
	struct seed *seed = arg;
	struct mm *mm = seed->proc->mm;
	struct trace_map *m = &seed->maps[seed->count];
	struct map map = { .start = pm->start, .end = pm->end, .shared = pm->shared };

	/* [vsyscall] is above the user's half and belongs to no process. */
	if (seed->count == TRACE_MAPS_MAX || !strcmp(pm->name, "[vsyscall]"))
		return 0;
	m->start = pm->start;
	m->len = pm->end - pm->start;
	m->prot = pm->prot;
	m->shared = pm->shared;
	m->kind = map_kind(pm->name);
	m->file = 0;
	m->pgoff = 0;
	if (pm->inode || pm->name[0] == '/') {
		m->file = file_of_name(seed->rec, seed->proc, pm->inode, pm->name);
		m->pgoff = pm->offset >> seed->rec->page_shift;
	}
	seed->count++;
	map.file = m->file;
	map.stack = m->kind == TRACE_MAP_STACK;
	return map_list_insert(&mm->maps, &map);
}

static uint32_t read_comm(pid_t pid, char *comm, size_t room)
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, comm, room - 1);
	if (fd >= 0)
		close(fd);
	if (n > 0 && comm[n - 1] == '\n')
		n--;
	return n > 0 ? n : 0;
}

void exec_done(struct recorder *rec, struct task *task)
{
	static struct seed seed;
	struct trace_event ev = { .kind = TRACE_EXEC };
	char link[32], path[TRACE_NAME_MAX], comm[64];
	ssize_t n;

	seed.rec = rec;
	seed.proc = task->proc;
	seed.count = 0;
	/* A process that is being killed has no maps; that is no failure. */
	if (proc_maps_read(task->tid, seed_map, &seed) == -ENOMEM)
		recorder_fail(rec, -ENOMEM);
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)task->tid);
	n = readlink(link, path, sizeof(path));
	ev.exec.path = path;
	ev.exec.path_len = n > 0 ? n : 0;
	ev.exec.comm = comm;
	ev.exec.comm_len = read_comm(task->tid, comm, sizeof(comm));
	ev.exec.maps = seed.maps;
	ev.exec.nmaps = seed.count;
	recorder_emit(rec, task->proc, &ev);
	scan_full(rec, task, false);
}
