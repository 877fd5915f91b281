// SPDX-License-Identifier: GPL-2.0
/*
 * from_trace TRACE: what recorded programs did, as an input of the target ops.c, on
 * standard output. Addresses are folded into its two small areas: pages that were close
 * stay so, and ranges that had nothing to do with each other meet.
 */
#include <stdio.h>
#include <sys/mman.h>
#include "ops.h"
#include "trace.h"

#define PAGE		4096
#define MAX_RUNS	4	/* of a touch: the start of each shows the pattern */

static uint8_t addr_byte(uint64_t addr)
{
	uint64_t page = addr / PAGE;

	return (page ^ page >> 6 ^ page >> 15) & 63;
}

static uint8_t len_byte(uint64_t len)
{
	uint64_t pages = len / PAGE;

	return pages > 16 ? 15 : pages ? pages - 1 : 0;
}

/* As ops.c has them in a table. */
static uint8_t prot_byte(uint32_t prot)
{
	if (prot & PROT_EXEC)
		return prot & PROT_WRITE ? 6 : 7;
	return prot & PROT_WRITE ? 0 : prot & PROT_READ ? 4 : 5;
}

static uint8_t advice_byte(int advice)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_FREE, MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK,
		MADV_KEEPONFORK, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE,
	};
	uint8_t i;

	for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (advices[i] == advice)
			return i;
	return 0;
}

static void put(uint8_t op, uint32_t proc, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t record[FUZZ_RECORD] = { op, proc % 6, a, b, c, d };

	fwrite(record, sizeof(record), 1, stdout);
}

static void put_mmap(const struct trace_event *ev)
{
	uint8_t a = addr_byte(ev->mmap.addr), len = len_byte(ev->mmap.len);
	uint8_t prot = prot_byte(ev->mmap.prot);

	if (ev->mmap.file)
		put(FUZZ_mmap_file, ev->proc, a, len, prot,
		    0x80 | (ev->mmap.flags & MAP_SHARED ? 0x40 : 0) | (ev->mmap.file & 1));
	else if (ev->mmap.flags & MAP_SHARED)
		put(FUZZ_mmap_shared, ev->proc, a, len, prot, 0);
	else
		put(FUZZ_mmap, ev->proc, a, len, prot, ev->mmap.flags & MAP_GROWSDOWN ? 2 : 0);
}

static void put_touch(const struct trace_event *ev)
{
	uint32_t i;

	for (i = 0; i < ev->touch.nruns && i < MAX_RUNS; i++) {
		uint8_t a = addr_byte(ev->touch.runs[i].first * PAGE);

		if (ev->touch.runs[i].count == 1)
			put(FUZZ_write, ev->proc, a, i, 0, 0);
		else
			put(FUZZ_touch, ev->proc, a, len_byte(ev->touch.runs[i].count * PAGE), 0,
			    0);
	}
}

static void put_event(const struct trace_event *ev)
{
	switch (ev->kind) {
	case TRACE_FORK:
		put(FUZZ_fork, ev->proc, 0, 0, 0, 0);
		break;
	case TRACE_SHARE:
		put(FUZZ_share, ev->proc, 0, 0, 0, 0);
		break;
	case TRACE_EXEC:
		put(FUZZ_exec, ev->proc, 2, 1, 3, 9);
		break;
	case TRACE_EXIT:
		put(FUZZ_exit, ev->proc, 0, 0, 0, 0);
		break;
	case TRACE_MMAP:
		put_mmap(ev);
		break;
	case TRACE_MUNMAP:
		put(FUZZ_munmap, ev->proc, addr_byte(ev->munmap.addr), len_byte(ev->munmap.len),
		    0, 0);
		break;
	case TRACE_MREMAP:
		put(FUZZ_mremap_move, ev->proc, addr_byte(ev->mremap.old_addr),
		    len_byte(ev->mremap.old_len), addr_byte(ev->mremap.new_addr),
		    len_byte(ev->mremap.new_len) << 1 | 1);
		break;
	case TRACE_MPROTECT:
		put(FUZZ_mprotect, ev->proc, addr_byte(ev->mprotect.addr),
		    len_byte(ev->mprotect.len), prot_byte(ev->mprotect.prot), 0);
		break;
	case TRACE_MADVISE:
		put(FUZZ_madvise, ev->proc, addr_byte(ev->madvise.addr),
		    len_byte(ev->madvise.len), advice_byte(ev->madvise.advice), 0);
		break;
	case TRACE_BRK:
		put(FUZZ_brk, ev->proc, addr_byte(ev->brk.new_end), 0, 0, 0);
		put(FUZZ_heap_write, ev->proc, addr_byte(ev->brk.old_end), 1, 0, 0);
		break;
	case TRACE_MLOCK:
		put(FUZZ_mlock, ev->proc, addr_byte(ev->mlock.addr), len_byte(ev->mlock.len),
		    ev->mlock.on | ev->mlock.onfault << 1, 0);
		break;
	case TRACE_VMA_NAME:
		put(FUZZ_vma_name, ev->proc, addr_byte(ev->vma_name.addr),
		    len_byte(ev->vma_name.len), ev->vma_name.name_len ? 0 : 2, 0);
		break;
	case TRACE_TOUCH:
		put_touch(ev);
		break;
	default:
		break;
	}
}

int main(int argc, char **argv)
{
	struct trace_reader *r;
	struct trace_event ev;
	char err[256] = "";
	int ret = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: from_trace TRACE\n");
		return 2;
	}
	if (trace_open(argv[1], &r, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	while ((ret = trace_next(r, &ev)) == 1)
		put_event(&ev);
	if (ret)
		fprintf(stderr, "%s\n", trace_error(r));
	trace_close(r);
	return ret || fflush(stdout) ? 1 : 0;
}
