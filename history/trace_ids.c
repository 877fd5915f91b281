// SPDX-License-Identifier: GPL-2.0
/* The rules that tie the events of a trace together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace_ids.h"

void trace_ids_init(struct trace_ids *ids, uint32_t huge_pages)
{
	memset(ids, 0, sizeof(*ids));
	ids->huge_pages = huge_pages;
}

void trace_ids_free(struct trace_ids *ids)
{
	free(ids->gone);
	ids->gone = NULL;
}

static bool is_gone(const struct trace_ids *ids, uint32_t proc)
{
	return ids->gone[proc / 8] >> proc % 8 & 1;
}

static int new_proc(struct trace_ids *ids)
{
	size_t need = ids->procs / 8 + 1;

	if (need > ids->gone_room) {
		size_t n = ids->gone_room ? ids->gone_room * 2 : 64;
		uint8_t *p = realloc(ids->gone, n);

		if (!p)
			return -ENOMEM;
		memset(p + ids->gone_room, 0, n - ids->gone_room);
		ids->gone = p;
		ids->gone_room = n;
	}
	ids->procs++;
	return 0;
}

/* A range may end at the very top of the address space, but not wrap. */
static bool wraps(uint64_t addr, uint64_t len)
{
	return len && addr + (len - 1) < addr;
}

static const char *bad_maps(const struct trace_ids *ids, const struct trace_event *ev)
{
	const struct trace_map *prev = NULL;

	if (ev->exec.nmaps > TRACE_MAPS_MAX)
		return "too many maps in an exec";
	for (uint32_t i = 0; i < ev->exec.nmaps; i++) {
		const struct trace_map *m = &ev->exec.maps[i];

		if (!m->len || wraps(m->start, m->len))
			return "impossible map in an exec";
		if (prev && m->start - prev->start < prev->len)
			return "overlapping maps in an exec";
		if (prev && m->start <= prev->start)
			return "unordered maps in an exec";
		if (m->kind >= TRACE_MAP_KIND_LIMIT)
			return "unknown kind of map";
		if (m->file > ids->files)
			return "unknown file id";
		prev = m;
	}
	return NULL;
}

static const char *bad_touch(const struct trace_ids *ids, const struct trace_event *ev)
{
	uint64_t end = 0;

	if (ev->touch.kind >= TRACE_TOUCH_KIND_LIMIT)
		return "unknown kind of touch";
	if (!ev->touch.nruns || ev->touch.nruns > TRACE_RUNS_MAX)
		return "bad number of page runs";
	for (uint32_t i = 0; i < ev->touch.nruns; i++) {
		const struct trace_run *run = &ev->touch.runs[i];

		if (run->first < end)
			return "unordered page runs";
		if (!run->count || run->first >= TRACE_PAGE_LIMIT ||
		    run->count > TRACE_PAGE_LIMIT - run->first)
			return "impossible page run";
		if (ev->touch.kind == TRACE_TOUCH_HUGE &&
		    (!ids->huge_pages || (run->first | run->count) & (ids->huge_pages - 1)))
			return "misaligned huge page run";
		end = run->first + run->count;
	}
	return NULL;
}

static const char *bad_values(const struct trace_ids *ids, const struct trace_event *ev)
{
	switch (ev->kind) {
	case TRACE_FORK:
	case TRACE_SHARE:
		if (ev->fork.child != ids->procs || ids->procs == UINT32_MAX)
			return "child id out of order";
		return NULL;
	case TRACE_EXEC:
		if (ev->exec.path_len > TRACE_NAME_MAX || ev->exec.comm_len > TRACE_NAME_MAX)
			return "name too long";
		return bad_maps(ids, ev);
	case TRACE_FILE:
		if (ev->file.id != ids->files + 1 || !ev->file.id)
			return "file id out of order";
		if (ev->file.kind >= TRACE_FILE_KIND_LIMIT)
			return "unknown kind of file";
		if (ev->file.name_len > TRACE_NAME_MAX)
			return "name too long";
		return NULL;
	case TRACE_MMAP:
		if (ev->mmap.file > ids->files)
			return "unknown file id";
		if (!ev->mmap.len || wraps(ev->mmap.addr, ev->mmap.len))
			return "impossible address range";
		return NULL;
	case TRACE_MUNMAP:
		return wraps(ev->munmap.addr, ev->munmap.len) ? "impossible address range" : NULL;
	case TRACE_MREMAP:
		if (!ev->mremap.new_len || wraps(ev->mremap.old_addr, ev->mremap.old_len) ||
		    wraps(ev->mremap.new_addr, ev->mremap.new_len))
			return "impossible address range";
		return NULL;
	case TRACE_MPROTECT:
		return wraps(ev->mprotect.addr, ev->mprotect.len) ?
			"impossible address range" : NULL;
	case TRACE_MADVISE:
		return wraps(ev->madvise.addr, ev->madvise.len) ?
			"impossible address range" : NULL;
	case TRACE_MLOCK:
		return wraps(ev->mlock.addr, ev->mlock.len) ? "impossible address range" : NULL;
	case TRACE_VMA_NAME:
		if (ev->vma_name.name_len > TRACE_NAME_MAX)
			return "name too long";
		return wraps(ev->vma_name.addr, ev->vma_name.len) ?
			"impossible address range" : NULL;
	case TRACE_TOUCH:
		return bad_touch(ids, ev);
	case TRACE_UNSUPPORTED:
		return ev->unsupported.kind >= TRACE_UNSUPPORTED_KIND_LIMIT ?
			"unknown kind of unsupported event" : NULL;
	default:
		return NULL;
	}
}

int trace_ids_check(struct trace_ids *ids, const struct trace_event *ev, const char **why)
{
	const char *bad = NULL;
	int ret = 0;

	if (ev->kind < 1 || ev->kind >= TRACE_KIND_LIMIT)
		bad = "unknown kind of event";
	else if (ev->kind == TRACE_PROC_START)
		bad = ids->procs || ev->proc ? "second root process" : NULL;
	else if (ev->kind != TRACE_END && ev->proc >= ids->procs)
		bad = "unknown process id";
	else if (ev->kind != TRACE_END && is_gone(ids, ev->proc))
		bad = "event of a process that has exited";
	if (!bad)
		bad = bad_values(ids, ev);
	if (bad) {
		if (why)
			*why = bad;
		return -EINVAL;
	}

	switch (ev->kind) {
	case TRACE_PROC_START:
	case TRACE_FORK:
	case TRACE_SHARE:
		ret = new_proc(ids);
		break;
	case TRACE_FILE:
		ids->files = ev->file.id;
		break;
	case TRACE_EXIT:
		ids->gone[ev->proc / 8] |= 1u << ev->proc % 8;
		break;
	}
	return ret;
}
