// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses of the trace as addresses of the world.
 *
 * A world has pages of 4 KiB and addresses of 47 bits. Larger pages of the
 * recorded machine become pages of the world by division: the shape of every
 * address space stays the same. Where user addresses have 48 bits (arm64), the
 * upper half, in which programs live there, is laid over the lower, which is
 * then all but empty.
 */
#include "replay_world.h"

#define SCALED_LIMIT	(UINT64_C(1) << (REPLAY_ADDR_BITS + 1))

bool replay_range(const struct replay *r, uint64_t addr, uint64_t len,
		  struct replay_range *range)
{
	uint64_t page = UM_PAGE_SIZE * r->scale;
	uint64_t low = addr & (page - 1);

	if (!len || len > UINT64_MAX - page - low)
		return false;
	len = (len + low + page - 1) & ~(page - 1);
	range->start = (addr - low) / r->scale;
	len /= r->scale;
	if (range->start >= SCALED_LIMIT || len > SCALED_LIMIT)
		return false;
	range->start &= SCALED_LIMIT / 2 - 1;
	range->end = range->start + len;
	return range->end <= REPLAY_ADDR_LIMIT;
}

uint64_t replay_addr(const struct replay *r, uint64_t addr)
{
	uint64_t page = UM_PAGE_SIZE * r->scale;

	if (addr > UINT64_MAX - page)
		return REPLAY_ADDR_LIMIT;
	addr = ((addr + page - 1) & ~(page - 1)) / r->scale;
	if (addr >= SCALED_LIMIT)
		return REPLAY_ADDR_LIMIT;
	return addr & (SCALED_LIMIT / 2 - 1);
}
