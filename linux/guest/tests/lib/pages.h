/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PAGES_H
#define PAGES_H
/*
 * Pages whose contents the test knows, and what the kernel says about them.
 *
 * A page holds a *token*: its value stands in the first, the middle and the last
 * word of the page, so that a page that was mixed up, half copied, lost (zeroes) or
 * taken from another address is told from the right one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/types.h>

#define PG		4096ul
#define HUGE_SIZE	(2ul << 20)
#define HUGE_PAGES	(HUGE_SIZE / PG)
#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)

/* -- Contents -- */
void page_set(void *page, uint64_t token);
bool page_is(const void *page, uint64_t token);
uint64_t page_get(const void *page);			/* the first word */
/* Page i of the range gets, or must hold, token + i. */
void fill(void *at, size_t pages, uint64_t token);
void expect(const void *at, size_t pages, uint64_t token);
void expect_zero(const void *at, size_t pages);

/* -- Mappings; all fail the test on error -- */
void *map_anon(size_t pages);				/* private, read-write, no huge pages */
void *map_anon_at(void *at, size_t pages);		/* the same, MAP_FIXED */
void *map_huge(size_t huge_pages);			/* aligned, MADV_HUGEPAGE, not touched */
void *reserve(size_t pages);	/* addresses that nothing else gets; nothing is mapped there */
void unmap(void *at, size_t pages);
void protect(void *at, size_t pages, int prot);
void *move(void *from, size_t pages, void *to);		/* MREMAP_FIXED */
int private_file(size_t pages, uint64_t token);		/* an unlinked file so filled */

/* -- /proc/PID/pagemap -- */
#define PM_PFN		((1ull << 55) - 1)
#define PM_EXCLUSIVE	(1ull << 56)
#define PM_FILE		(1ull << 61)
#define PM_SWAP		(1ull << 62)			/* in swap, or under migration */
#define PM_PRESENT	(1ull << 63)
uint64_t pagemap(const void *page);			/* of the calling process */
bool try_pagemap_of(pid_t pid, const void *at, size_t pages, uint64_t *entries);
void pagemap_of(pid_t pid, const void *at, size_t pages, uint64_t *entries);
size_t count_pagemap(pid_t pid, const void *at, size_t pages, uint64_t bit);
static inline uint64_t pfn_of(const void *page)
{
	uint64_t entry = pagemap(page);

	return entry & PM_PRESENT ? entry & PM_PFN : 0;
}

/* -- /proc/kpageflags, /proc/kpagecount: by page frame; 0 where the file is not there -- */
#define KPF_COMPOUND_HEAD	(1ull << 15)
#define KPF_COMPOUND_TAIL	(1ull << 16)
#define KPF_ANON		(1ull << 12)
#define KPF_SWAPCACHE		(1ull << 13)
#define KPF_KSM			(1ull << 21)
#define KPF_THP			(1ull << 22)
uint64_t kpageflags(uint64_t pfn);
uint64_t kpagecount(uint64_t pfn);			/* how often it is mapped */
bool is_compound(const void *page);
bool is_huge(const void *page);				/* a transparent huge page of 2 MiB */
size_t count_ksm(const void *at, size_t pages);

/* -- /proc/self/maps -- */
size_t nr_vmas(const void *from, const void *to);	/* that begin in [from, to) */

/* Makes the calling CPU forget its translations, so that accesses are seen again. */
void flush_tlb(void);

/*
 * The whole state of a page in one line of output, for failures:
 * pid, address, pagemap entry, flags and count.
 */
void describe_page(pid_t pid, const void *page, char *text, size_t size);

#endif
