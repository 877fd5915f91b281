// SPDX-License-Identifier: GPL-2.0
/* Known contents, and the kernel's files about pages. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ktest.h"
#include "pages.h"

/* -- Contents ------------------------------------------------------------------------- */

/* Where the copies of a token stand: words of the page. */
static const unsigned int places[] = { 0, 261, PG / 8 - 1 };

/* Copies differ, so that a shifted page is wrong too. Zero stays zero: an untouched page. */
static uint64_t copy_of(uint64_t token, unsigned int i)
{
	return token * (2 * i + 1);
}

void page_set(void *page, uint64_t token)
{
	volatile uint64_t *words = page;
	unsigned int i;

	for (i = 0; i < 3; i++)
		words[places[i]] = copy_of(token, i);
}

bool page_is(const void *page, uint64_t token)
{
	const volatile uint64_t *words = page;
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (words[places[i]] != copy_of(token, i))
			return false;
	return true;
}

uint64_t page_get(const void *page)
{
	return *(const volatile uint64_t *)page;
}

void fill(void *at, size_t pages, uint64_t token)
{
	size_t i;

	for (i = 0; i < pages; i++)
		page_set(at + i * PG, token + i);
}

static void wrong_page(const void *page, uint64_t token)
{
	const volatile uint64_t *words = page;
	char text[200];

	describe_page(getpid(), page, text, sizeof(text));
	must(false, "contents %#llx %#llx %#llx where %#llx was written; %s",
	     (unsigned long long)words[places[0]], (unsigned long long)words[places[1]],
	     (unsigned long long)words[places[2]], (unsigned long long)token, text);
}

void expect(const void *at, size_t pages, uint64_t token)
{
	size_t i;

	for (i = 0; i < pages; i++)
		if (!page_is(at + i * PG, token + i))
			wrong_page(at + i * PG, token + i);
}

void expect_zero(const void *at, size_t pages)
{
	size_t i;

	for (i = 0; i < pages; i++)
		if (!page_is(at + i * PG, 0))
			wrong_page(at + i * PG, 0);
}

/* -- Mappings --------------------------------------------------------------------------- */

void *map_anon(size_t pages)
{
	void *at = mmap(NULL, pages * PG, RW, ANON, -1, 0);

	must(at != MAP_FAILED, "mmap of %zu pages: %s", pages, strerror(errno));
	return at;
}

void *map_anon_at(void *at, size_t pages)
{
	void *got = mmap(at, pages * PG, RW, ANON | MAP_FIXED, -1, 0);

	must(got == at, "mmap of %zu pages at %p: %s", pages, at, strerror(errno));
	return at;
}

/*
 * The kernel looks for room from the top down, so that nothing is put here unless it is
 * asked for: a hole that a test leaves stays one.
 */
void *reserve(size_t pages)
{
	static uintptr_t next = 0x100000000000;
	uintptr_t at = next;

	next = (next + pages * PG + 2 * HUGE_SIZE) & ~(HUGE_SIZE - 1);
	return (void *)at;
}

void *map_huge(size_t huge_pages)
{
	size_t bytes = huge_pages * HUGE_SIZE;
	char *at = reserve((bytes + HUGE_SIZE) / PG);
	char *aligned = (char *)(((uintptr_t)at + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));

	map_anon_at(aligned, bytes / PG);
	must(!madvise(aligned, bytes, MADV_HUGEPAGE), "MADV_HUGEPAGE: %s", strerror(errno));
	return aligned;
}

void unmap(void *at, size_t pages)
{
	must(!munmap(at, pages * PG), "munmap of %zu pages at %p: %s", pages, at,
	     strerror(errno));
}

void protect(void *at, size_t pages, int prot)
{
	must(!mprotect(at, pages * PG, prot), "mprotect of %zu pages at %p: %s", pages, at,
	     strerror(errno));
}

void *move(void *from, size_t pages, void *to)
{
	void *got = mremap(from, pages * PG, pages * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	must(got == to, "mremap of %zu pages from %p to %p: %s", pages, from, to,
	     strerror(errno));
	return to;
}

int private_file(size_t pages, uint64_t token)
{
	char name[] = "/dev/shm/pages-XXXXXX";
	static char page[PG] __attribute__((aligned(8)));
	int fd = mkstemp(name);
	size_t i;

	must(fd >= 0, "%s: %s", name, strerror(errno));
	unlink(name);
	for (i = 0; i < pages; i++) {
		page_set(page, token + i);
		must(write(fd, page, PG) == PG, "write: %s", strerror(errno));
	}
	return fd;
}

/* -- The kernel's files ------------------------------------------------------------------ */

bool try_pagemap_of(pid_t pid, const void *at, size_t pages, uint64_t *entries)
{
	off_t where = (off_t)((uintptr_t)at / PG * 8);
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	memset(entries, 0, pages * 8);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = pread(fd, entries, pages * 8, where);
	close(fd);
	return n >= 0;
}

void pagemap_of(pid_t pid, const void *at, size_t pages, uint64_t *entries)
{
	must(try_pagemap_of(pid, at, pages, entries), "/proc/%d/pagemap: %s", pid,
	     strerror(errno));
}

uint64_t pagemap(const void *page)
{
	uint64_t entry;

	pagemap_of(getpid(), page, 1, &entry);
	return entry;
}

size_t count_pagemap(pid_t pid, const void *at, size_t pages, uint64_t bit)
{
	uint64_t *entries = calloc(pages, 8);
	size_t i, n = 0;

	must(entries, "no memory for %zu entries", pages);
	pagemap_of(pid, at, pages, entries);
	for (i = 0; i < pages; i++)
		n += !!(entries[i] & bit);
	free(entries);
	return n;
}

static uint64_t by_pfn(const char *path, uint64_t pfn)
{
	uint64_t word = 0;
	int fd;

	if (!pfn)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &word, 8, (off_t)(pfn * 8)) != 8)
		word = 0;
	close(fd);
	return word;
}

uint64_t kpageflags(uint64_t pfn)
{
	return by_pfn("/proc/kpageflags", pfn);
}

uint64_t kpagecount(uint64_t pfn)
{
	return by_pfn("/proc/kpagecount", pfn);
}

bool is_compound(const void *page)
{
	return kpageflags(pfn_of(page)) & (KPF_COMPOUND_HEAD | KPF_COMPOUND_TAIL);
}

/* Folios of every size carry KPF_THP: 2 MiB begin at an aligned frame and go on to its end. */
bool is_huge(const void *page)
{
	uint64_t first = pfn_of(page) & ~(HUGE_PAGES - 1);

	return first && (kpageflags(first) & KPF_THP) &&
	       (kpageflags(first) & KPF_COMPOUND_HEAD) &&
	       (kpageflags(first + HUGE_PAGES / 2) & KPF_COMPOUND_TAIL) &&
	       (kpageflags(first + HUGE_PAGES - 1) & KPF_COMPOUND_TAIL);
}

size_t count_ksm(const void *at, size_t pages)
{
	size_t i, n = 0;

	for (i = 0; i < pages; i++)
		n += !!(kpageflags(pfn_of(at + i * PG)) & KPF_KSM);
	return n;
}

size_t nr_vmas(const void *from, const void *to)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start;
	char line[600];
	size_t n = 0;

	must(maps, "/proc/self/maps: %s", strerror(errno));
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-", &start) == 1)
			n += start >= (uintptr_t)from && start < (uintptr_t)to;
	fclose(maps);
	return n;
}

void flush_tlb(void)
{
	/* More pages than the kernel drops one by one (33): it drops everything. */
	char *at = map_anon(80);

	fill(at, 80, 1);
	unmap(at, 80);
}

void describe_page(pid_t pid, const void *page, char *text, size_t size)
{
	uint64_t entry, pfn;

	pagemap_of(pid, page, 1, &entry);
	pfn = entry & PM_PRESENT ? entry & PM_PFN : 0;
	snprintf(text, size, "page %p of %d: pagemap %#llx, flags %#llx, mapped %llu times", page,
		 pid, (unsigned long long)entry, (unsigned long long)kpageflags(pfn),
		 (unsigned long long)kpagecount(pfn));
}
