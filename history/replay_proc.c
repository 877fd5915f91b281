// SPDX-License-Identifier: GPL-2.0
/* Processes of the trace, and the address spaces that they live in. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "replay_world.h"

/*
 * An exec copies the arguments to the top of a stack that sits as high as a
 * stack can be, and moves it, pages and all, to its final place afterwards. The
 * distance is random there, and not recorded; any will do, as long as it is
 * not 0: moving is what makes the pages' numbering differ from their addresses.
 */
#define STACK_SHIFT	(33 * UM_PAGE_SIZE)
/* Pages that the arguments take: there is one at least, the others are touched. */
#define STACK_ARG_PAGES	1
/* What was recorded was permitted, so the limit only has to be high enough. */
#define STACK_RLIMIT	(UINT64_C(1) << 30)

static int space_new(struct replay *r, struct replay_space **out)
{
	struct replay_space *space = calloc(1, sizeof(*space));
	int ret;

	if (!space)
		return -ENOMEM;
	ret = um_mm_create(r->world, &space->mm);
	if (ret) {
		free(space);
		return ret;
	}
	space->users = 1;
	space->id = ++r->space_ids;
	*out = space;
	return 0;
}

/* A process leaves an address space. */
static void space_put(struct replay_space *space)
{
	if (!space)
		return;
	um_exit(space->mm);
	if (--space->users)
		return;
	free(space);
}

/* The next process id, which is the child's: the reader has made sure. */
static int add_proc(struct replay *r)
{
	if (r->nprocs == r->procs_room) {
		uint32_t room = r->procs_room ? r->procs_room * 2 : 64;
		struct replay_space **procs = realloc(r->procs, room * sizeof(*procs));

		if (!procs)
			return -ENOMEM;
		r->procs = procs;
		r->procs_room = room;
	}
	r->procs[r->nprocs++] = NULL;
	return 0;
}

int replay_start(struct replay *r, const struct trace_event *ev)
{
	int ret = add_proc(r);

	return ret ? ret : space_new(r, &r->procs[ev->proc]);
}

int replay_fork(struct replay *r, const struct trace_event *ev)
{
	struct replay_space *parent = r->procs[ev->proc], *child;
	int ret = add_proc(r);

	if (ret)
		return ret;
	child = calloc(1, sizeof(*child));
	if (!child)
		return -ENOMEM;
	ret = um_fork(parent->mm, &child->mm);
	if (ret) {
		free(child);
		return ret;
	}
	child->users = 1;
	child->id = ++r->space_ids;
	child->brk = parent->brk;
	r->procs[ev->fork.child] = child;
	return 0;
}

int replay_share(struct replay *r, const struct trace_event *ev)
{
	struct replay_space *space = r->procs[ev->proc];
	int ret = add_proc(r);

	if (ret)
		return ret;
	um_share(space->mm);
	space->users++;
	r->procs[ev->fork.child] = space;
	return 0;
}

static void exec_stack(struct replay *r, struct replay_space *space, const struct trace_map *m)
{
	uint64_t shift = STACK_SHIFT;
	struct replay_range range;
	int ret;

	if (!replay_range(r, m->start, m->len, &range)) {
		replay_skip(r, REPLAY_SKIP_REFUSED, 1);
		return;
	}
	/* Without randomisation a stack is at the top already, and stays there. */
	if (shift > REPLAY_ADDR_LIMIT - range.end)
		shift = REPLAY_ADDR_LIMIT - range.end;
	ret = um_exec_stack(space->mm, range.start, range.end, STACK_ARG_PAGES, shift,
			    STACK_RLIMIT);
	if (!ret && m->prot & PROT_EXEC)
		ret = um_mprotect(space->mm, range.start, range.end - range.start,
				  m->prot & REPLAY_PROT);
	if (ret)
		replay_skip(r, REPLAY_SKIP_REFUSED, 1);
}

static int exec_heap(struct replay_space *space, const struct replay_range *range)
{
	int ret = um_brk_init(space->mm, range->start);

	if (ret)
		return ret;
	space->brk = range->start;
	ret = um_brk(space->mm, range->end);
	if (!ret)
		space->brk = range->end;
	return ret;
}

static void exec_map(struct replay *r, struct replay_space *space, const struct trace_map *m,
		     unsigned int *special)
{
	struct replay_range range;
	struct um_file *file;
	uint64_t result;

	if (!replay_range(r, m->start, m->len, &range)) {
		replay_skip(r, REPLAY_SKIP_REFUSED, 1);
		return;
	}
	if (m->kind == TRACE_MAP_HEAP && !space->brk && !m->file) {
		if (exec_heap(space, &range))
			replay_skip(r, REPLAY_SKIP_REFUSED, 1);
		return;
	}
	/* Different files for neighbours: the kernel's own mappings do not merge. */
	if (m->kind == TRACE_MAP_SPECIAL)
		file = r->special[(*special)++ % REPLAY_NR_SPECIAL];
	else
		file = replay_map_file(r, m->file);
	if (um_mmap(space->mm, range.start, range.end - range.start, m->prot & REPLAY_PROT,
		    MAP_FIXED | (m->shared ? MAP_SHARED : MAP_PRIVATE) |
		    (file ? 0 : MAP_ANONYMOUS), file, m->pgoff, &result))
		replay_skip(r, REPLAY_SKIP_REFUSED, 1);
}

/*
 * As the kernel does it: the stack is made in the new address space while the
 * old one is still there, the rest when it is gone.
 */
int replay_exec(struct replay *r, const struct trace_event *ev)
{
	struct replay_space *space;
	unsigned int special = 0;
	int ret = space_new(r, &space);

	if (ret)
		return ret;
	for (uint32_t i = 0; i < ev->exec.nmaps; i++)
		if (ev->exec.maps[i].kind == TRACE_MAP_STACK)
			exec_stack(r, space, &ev->exec.maps[i]);
	space_put(r->procs[ev->proc]);
	r->procs[ev->proc] = space;
	for (uint32_t i = 0; i < ev->exec.nmaps; i++)
		if (ev->exec.maps[i].kind != TRACE_MAP_STACK)
			exec_map(r, space, &ev->exec.maps[i], &special);
	return 0;
}

int replay_exit(struct replay *r, const struct trace_event *ev)
{
	space_put(r->procs[ev->proc]);
	r->procs[ev->proc] = NULL;
	return 0;
}

/* A program for another ABI was executed: its address space is not known. */
int replay_foreign(struct replay *r, const struct trace_event *ev)
{
	struct replay_space *space;
	int ret = space_new(r, &space);

	if (ret)
		return ret;
	space_put(r->procs[ev->proc]);
	r->procs[ev->proc] = space;
	replay_skip(r, REPLAY_SKIP_FOREIGN, 1);
	return 0;
}

void replay_exit_all(struct replay *r)
{
	for (uint32_t i = 0; i < r->nprocs; i++) {
		space_put(r->procs[i]);
		r->procs[i] = NULL;
	}
}
