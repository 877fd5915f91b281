// SPDX-License-Identifier: GPL-2.0
/*
 * System calls of the trace. All of them succeeded when they were recorded.
 *
 * Threads that run at the same time may be recorded in another order than the
 * kernel served them in, so that a call may find the address space otherwise
 * than it was. What then stands in the way of the recorded result gives way to
 * it (repaired); a call that cannot work even so is left out (refused).
 */
#include <errno.h>
#include <stdlib.h>

#include "replay_world.h"

#ifndef PROT_GROWSDOWN
#define PROT_GROWSDOWN		0x01000000
#endif

/* Flags that say what a mapping is; others (MAP_POPULATE) show in the touches. */
#define MMAP_KEPT	(MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_STACK)

int replay_file(struct replay *r, const struct trace_event *ev)
{
	static const enum um_file_kind kinds[TRACE_FILE_KIND_LIMIT] = {
		[TRACE_FILE_REGULAR] = UM_FILE_REGULAR,
		[TRACE_FILE_SHM] = UM_FILE_SHM,
		[TRACE_FILE_ZERO] = UM_FILE_ZERO,
		[TRACE_FILE_DEVICE] = UM_FILE_DEVICE,
	};
	struct um_file *file;

	if (r->nfiles == r->files_room) {
		uint32_t room = r->files_room ? r->files_room * 2 : 64;
		struct um_file **files = realloc(r->files, room * sizeof(*files));

		if (!files)
			return -ENOMEM;
		r->files = files;
		r->files_room = room;
	}
	file = um_file_create(r->world, kinds[ev->file.kind]);
	if (!file)
		return -ENOMEM;
	r->files[r->nfiles++] = file;
	return 0;
}

struct um_file *replay_map_file(const struct replay *r, uint32_t id)
{
	return id ? r->files[id - 1] : NULL;
}

static void repaired(struct replay *r)
{
	r->res->repaired++;
}

/* Map at the recorded result, over whatever is there. */
static int map_over(struct replay *r, struct replay_space *space, const struct replay_range *at,
		    int prot, int flags, struct um_file *file, uint64_t pgoff, bool fixed)
{
	uint64_t len = at->end - at->start, result;
	int ret;

	if (!fixed) {
		ret = um_mmap(space->mm, at->start, len, prot, flags | MAP_FIXED_NOREPLACE, file,
			      pgoff, &result);
		if (ret != -EEXIST)
			return ret;
		repaired(r);
	}
	return um_mmap(space->mm, at->start, len, prot, flags | MAP_FIXED, file, pgoff, &result);
}

static int call_mmap(struct replay *r, struct replay_space *space, const struct trace_event *ev)
{
	uint32_t type = ev->mmap.flags & MAP_TYPE;
	bool shared = type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
	struct um_file *file = replay_map_file(r, ev->mmap.file);
	int flags = (ev->mmap.flags & MMAP_KEPT) | (shared ? MAP_SHARED : MAP_PRIVATE);
	struct replay_range at;

	if (!replay_range(r, ev->mmap.addr, ev->mmap.len, &at))
		return -EINVAL;
	/* The recorder gives shared anonymous memory the id of a file. */
	flags = file ? flags & ~MAP_ANONYMOUS : flags | MAP_ANONYMOUS;
	return map_over(r, space, &at, ev->mmap.prot & REPLAY_PROT, flags, file, ev->mmap.pgoff,
			ev->mmap.flags & MAP_FIXED);
}

/*
 * before:  |-- old --|          |.. whatever ..|
 * after:   moved away (or kept) |----- new ----|
 *
 * The recorded result says where the kernel put it. If the source is not there
 * (any more), only the target can be made good.
 */
static int call_mremap(struct replay *r, struct replay_space *space, const struct trace_event *ev)
{
	uint32_t flags = ev->mremap.flags & MREMAP_DONTUNMAP;
	struct replay_range from, to;
	uint64_t old_len, result;
	int ret;

	if (!replay_range(r, ev->mremap.new_addr, ev->mremap.new_len, &to))
		return -EINVAL;
	/* An old length of 0 maps shared memory a second time. */
	old_len = ev->mremap.old_len;
	if (!replay_range(r, ev->mremap.old_addr, old_len ? old_len : 1, &from))
		return -EINVAL;
	old_len = old_len ? from.end - from.start : 0;
	if (to.start != from.start || !old_len || flags)
		flags |= MREMAP_MAYMOVE | MREMAP_FIXED;
	ret = um_mremap(space->mm, from.start, old_len, to.end - to.start, flags, to.start,
			&result);
	if (!ret)
		return 0;
	repaired(r);
	return map_over(r, space, &to, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL,
			0, true);
}

/* With PROT_GROWSDOWN, the whole mapping from its start is meant. */
static int growsdown_start(struct replay *r, struct replay_space *space,
			   struct replay_range *range)
{
	size_t count;
	int ret = replay_vmas(r, space, &count);

	for (size_t i = 0; !ret && i < count; i++)
		if (r->vmas[i].start <= range->start && range->start < r->vmas[i].end)
			range->start = r->vmas[i].start;
	return ret;
}

static int call_mprotect(struct replay *r, struct replay_space *space,
			 const struct trace_event *ev, int *fatal)
{
	struct replay_range range;

	if (!ev->mprotect.len)
		return 0;
	if (!replay_range(r, ev->mprotect.addr, ev->mprotect.len, &range))
		return -EINVAL;
	if (ev->mprotect.prot & PROT_GROWSDOWN) {
		*fatal = growsdown_start(r, space, &range);
		if (*fatal)
			return 0;
	}
	return um_mprotect(space->mm, range.start, range.end - range.start,
			   ev->mprotect.prot & REPLAY_PROT);
}

static int call_munmap(struct replay *r, struct replay_space *space, const struct trace_event *ev)
{
	struct replay_range range;

	if (!ev->munmap.len)
		return 0;
	if (!replay_range(r, ev->munmap.addr, ev->munmap.len, &range))
		return -EINVAL;
	return um_munmap(space->mm, range.start, range.end - range.start);
}

static int call_madvise(struct replay *r, struct replay_space *space, const struct trace_event *ev)
{
	struct replay_range range;

	if (!ev->madvise.len)
		return 0;
	if (!replay_range(r, ev->madvise.addr, ev->madvise.len, &range))
		return -EINVAL;
	return um_madvise(space->mm, range.start, range.end - range.start, ev->madvise.advice);
}

static int call_brk(struct replay *r, struct replay_space *space, const struct trace_event *ev)
{
	uint64_t old = replay_addr(r, ev->brk.old_end), end = replay_addr(r, ev->brk.new_end);
	int ret = 0;

	if (old >= REPLAY_ADDR_LIMIT || end >= REPLAY_ADDR_LIMIT)
		return -EINVAL;
	/* The first call shows where the heap starts. */
	if (!space->brk)
		ret = um_brk_init(space->mm, old);
	else if (space->brk != old)
		repaired(r);
	if (ret)
		return ret;
	space->brk = old;
	ret = um_brk(space->mm, end);
	if (!ret)
		space->brk = end;
	return ret;
}

static int call_mlock(struct replay *r, struct replay_space *space, const struct trace_event *ev)
{
	struct replay_range range;

	if (!ev->mlock.len)
		return 0;
	if (!replay_range(r, ev->mlock.addr, ev->mlock.len, &range))
		return -EINVAL;
	return um_mlock(space->mm, range.start, range.end - range.start, ev->mlock.on,
			ev->mlock.onfault);
}

static int call_vma_name(struct replay *r, struct replay_space *space,
			 const struct trace_event *ev)
{
	struct replay_range range;

	if (!ev->vma_name.len)
		return 0;
	if (!replay_range(r, ev->vma_name.addr, ev->vma_name.len, &range))
		return -EINVAL;
	return um_vma_name(space->mm, range.start, range.end - range.start,
			   ev->vma_name.name_len ? ev->vma_name.name : NULL);
}

int replay_call(struct replay *r, struct replay_space *space, const struct trace_event *ev)
{
	int fatal = 0, ret = 0;

	switch (ev->kind) {
	case TRACE_MMAP:
		ret = call_mmap(r, space, ev);
		break;
	case TRACE_MUNMAP:
		ret = call_munmap(r, space, ev);
		break;
	case TRACE_MREMAP:
		ret = call_mremap(r, space, ev);
		break;
	case TRACE_MPROTECT:
		ret = call_mprotect(r, space, ev, &fatal);
		break;
	case TRACE_MADVISE:
		ret = call_madvise(r, space, ev);
		break;
	case TRACE_BRK:
		ret = call_brk(r, space, ev);
		break;
	case TRACE_MLOCK:
		ret = call_mlock(r, space, ev);
		break;
	case TRACE_MLOCKALL:
		ret = um_mlockall(space->mm, ev->mlockall.flags & MCL_CURRENT,
				  ev->mlockall.flags & MCL_FUTURE,
				  ev->mlockall.flags & MCL_ONFAULT);
		break;
	case TRACE_VMA_NAME:
		ret = call_vma_name(r, space, ev);
		break;
	}
	if (ret)
		replay_skip(r, REPLAY_SKIP_REFUSED, 1);
	return fatal;
}
