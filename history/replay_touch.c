// SPDX-License-Identifier: GPL-2.0
/* Pages that came to life, and reading them again. */
#include <errno.h>
#include <stdlib.h>

#include "replay_world.h"

/* Pages touched in one go; each is one operation as far as checks are concerned. */
#define TOUCH_PAGES	4096

int replay_vmas(struct replay *r, struct replay_space *space, size_t *count)
{
	for (;;) {
		size_t n = um_vmas(space->mm, r->vmas, r->vmas_room);
		struct um_vma_info *vmas;

		if (n < r->vmas_room) {
			*count = n;
			return 0;
		}
		n = n * 2 + 64;
		vmas = realloc(r->vmas, n * sizeof(*vmas));
		if (!vmas)
			return -ENOMEM;
		r->vmas = vmas;
		r->vmas_room = n;
	}
}

static enum replay_skip skip_reason(int error, bool mapped)
{
	if (error == -EHWPOISON)
		return REPLAY_SKIP_POISONED;
	return mapped ? REPLAY_SKIP_DENIED : REPLAY_SKIP_UNMAPPED;
}

/*
 * How far from addr the address space looks the same: to the end of the VMA
 * there, or to the start of the next one. At most end.
 */
static int same_until(struct replay *r, struct replay_space *space, uint64_t addr, uint64_t end,
		      uint64_t *until, bool *mapped)
{
	size_t count;
	int ret = replay_vmas(r, space, &count);

	*until = end;
	*mapped = false;
	for (size_t i = 0; !ret && i < count; i++) {
		const struct um_vma_info *vma = &r->vmas[i];

		if (vma->end <= addr)
			continue;
		*mapped = vma->start <= addr;
		*until = *mapped ? vma->end : vma->start;
		if (*until > end)
			*until = end;
		break;
	}
	return ret;
}

/*
 * A range could not be touched as a whole. Piece by piece: what is mapped is
 * touched as far as it is permitted; in a gap, the first page is tried, as it
 * makes a stack above the gap grow to there.
 */
static int touch_pieces(struct replay *r, struct replay_space *space, uint64_t addr, uint64_t end)
{
	while (addr < end) {
		uint64_t until, pages;
		bool mapped;
		int ret = same_until(r, space, addr, end, &until, &mapped);

		if (ret)
			return ret;
		pages = mapped ? (until - addr) / UM_PAGE_SIZE : 1;
		if (pages > TOUCH_PAGES)
			pages = TOUCH_PAGES;
		ret = um_touch(space->mm, addr, pages);
		if (!ret) {
			addr += pages * UM_PAGE_SIZE;
			continue;
		}
		/* In a gap it only means that a stack may not grow to there. */
		if (ret == -ENOMEM && mapped)
			return ret;
		replay_skip(r, skip_reason(ret, mapped), (until - addr) / UM_PAGE_SIZE);
		addr = until;
	}
	return 0;
}

static int touch_range(struct replay *r, struct replay_space *space,
		       const struct replay_range *range)
{
	uint64_t addr = range->start;

	while (addr < range->end) {
		uint64_t pages = (range->end - addr) / UM_PAGE_SIZE;
		int ret;

		if (pages > TOUCH_PAGES)
			pages = TOUCH_PAGES;
		ret = um_touch(space->mm, addr, pages);
		if (ret)
			return touch_pieces(r, space, addr, range->end);
		addr += pages * UM_PAGE_SIZE;
	}
	return 0;
}

/*
 * A huge page was seen where there was none before: made by one fault, or of
 * small pages by a collapse. Where the world does not permit one, small pages
 * will do.
 */
static int touch_huge(struct replay *r, struct replay_space *space,
		      const struct replay_range *range)
{
	for (uint64_t addr = range->start; addr < range->end; addr += UM_HUGE_SIZE) {
		struct replay_range one = { addr, addr + UM_HUGE_SIZE };
		int ret;

		um_touch_huge(space->mm, addr);
		ret = touch_range(r, space, &one);
		if (ret)
			return ret;
		um_collapse(space->mm, addr);
	}
	return 0;
}

/* One page of the range, in place of an earlier one when there is no more room. */
static void add_sample(struct replay *r, uint32_t proc, const struct replay_space *space,
		       const struct replay_range *range)
{
	uint64_t pages = (range->end - range->start) / UM_PAGE_SIZE;
	unsigned int at = r->nsamples;

	if (at < REPLAY_NR_SAMPLES)
		r->nsamples++;
	else
		at = replay_random(r, REPLAY_NR_SAMPLES);
	r->samples[at] = (struct replay_sample) {
		.proc = proc,
		.space = space->id,
		.addr = range->start + replay_random(r, pages) * UM_PAGE_SIZE,
	};
}

int replay_touch(struct replay *r, struct replay_space *space, const struct trace_event *ev)
{
	uint64_t page = UM_PAGE_SIZE * r->scale;
	bool huge = ev->touch.kind == TRACE_TOUCH_HUGE &&
		    r->huge_pages == UM_HUGE_SIZE / UM_PAGE_SIZE && r->scale == 1;

	for (uint32_t i = 0; i < ev->touch.nruns; i++) {
		const struct trace_run *run = &ev->touch.runs[i];
		struct replay_range range;
		int ret;

		if (run->first + run->count > UINT64_MAX / page ||
		    !replay_range(r, run->first * page, run->count * page, &range)) {
			replay_skip(r, REPLAY_SKIP_UNMAPPED, run->count);
			continue;
		}
		ret = huge ? touch_huge(r, space, &range) : touch_range(r, space, &range);
		if (ret)
			return ret;
		if (r->opt->check != UM_CHECK_OFF)
			add_sample(r, ev->proc, space, &range);
	}
	return 0;
}

void replay_read_samples(struct replay *r, unsigned int count)
{
	while (r->nsamples && count--) {
		const struct replay_sample *s = &r->samples[replay_random(r, r->nsamples)];
		struct replay_space *space;
		uint64_t content;

		/* The process may have ended or executed another program since. */
		space = r->procs[s->proc];
		if (space && space->id == s->space)
			um_read(space->mm, s->addr, &content);
	}
}
