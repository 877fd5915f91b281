// SPDX-License-Identifier: GPL-2.0
/* Memory that stays in the VMAs it was put in, and what is in it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/*
 * Far from where the kernel puts mappings of its own choice, so that neighbours are
 * those that a workload means, in every boot.
 */
#define ARENA_START 0x100000000000UL
#define ARENA_ALIGN (1UL << 30)

#define PM_PRESENT (1ULL << 63)
#define PM_SWAP (1ULL << 62)
#define PM_FRAME ((1ULL << 55) - 1)

/**
 * arena() - a range of addresses where nothing is mapped, nor next to it
 * @bytes: its size
 *
 * Return: its start; nothing is mapped there yet.
 */
char *arena(size_t bytes)
{
	static unsigned long next = ARENA_START;
	unsigned long start = next;

	next += (bytes / ARENA_ALIGN + 2) * ARENA_ALIGN;
	return (char *)start;
}

/**
 * map_fixed() - map private anonymous memory where nothing is mapped
 * @addr: where
 * @bytes: how much
 * @prot: PROT_*
 */
void map_fixed(char *addr, size_t bytes, int prot)
{
	if (mmap(addr, bytes, prot,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		 0) != addr)
		die("mmap of %zu bytes at %p", bytes, addr);
}

/**
 * map_spaced_at() - VMAs with a hole of one page behind each, so that none merge
 * @base: address of the first; the next is @pages + 1 pages further
 * @n: number of VMAs
 * @pages: of each
 *
 * Return: @base.
 */
char *map_spaced_at(char *base, long n, long pages)
{
	long i;

	for (i = 0; i < n; i++)
		map_fixed(base + i * (pages + 1) * PAGE, pages * PAGE,
			  PROT_READ | PROT_WRITE);
	return base;
}

/**
 * map_spaced() - the same, in an arena of their own
 * @n: number of VMAs
 * @pages: of each
 *
 * Return: address of the first.
 */
char *map_spaced(long n, long pages)
{
	return map_spaced_at(arena(n * (pages + 1) * PAGE), n, pages);
}

static uint64_t word_of(uint64_t token, long page)
{
	return token * 0x9e3779b97f4a7c15ULL + page;
}

/**
 * touch() - fill pages with words that name them
 * @addr: of the first page
 * @pages: how many
 * @token: makes the content differ from that of others
 *
 * Each page holds one word over and over: zram keeps such a page as that word, and so
 * the time to swap out is not that of a compressor.
 */
void touch(char *addr, long pages, uint64_t token)
{
	long page;
	size_t i;

	for (page = 0; page < pages; page++) {
		volatile uint64_t *words = (volatile uint64_t *)(addr + page * PAGE);

		for (i = 0; i < PAGE / sizeof(*words); i++)
			words[i] = word_of(token, page);
	}
}

/**
 * check() - die if pages do not hold what touch() put there
 * @addr: of the first page
 * @pages: how many
 * @token: the one given to touch()
 */
void check(const char *addr, long pages, uint64_t token)
{
	long page;

	for (page = 0; page < pages; page++) {
		const volatile uint64_t *words =
			(const volatile uint64_t *)(addr + page * PAGE);
		uint64_t last = PAGE / sizeof(*words) - 1;

		if (words[0] != word_of(token, page) || words[last] != word_of(token, page))
			die("wrong content at %p", addr + page * PAGE);
	}
}

static uint64_t pagemap_entry(int fd, const char *addr)
{
	uint64_t entry;

	if (pread(fd, &entry, sizeof(entry), (unsigned long)addr / PAGE * sizeof(entry)) !=
	    sizeof(entry))
		die("cannot read /proc/self/pagemap");
	return entry;
}

static int open_pagemap(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("cannot open /proc/self/pagemap");
	return fd;
}

/**
 * count_swapped() - how many pages are in swap
 * @addr: of the first page
 * @pages: how many to look at
 *
 * Return: the number.
 */
long count_swapped(const char *addr, long pages)
{
	int fd = open_pagemap();
	long page, swapped = 0;

	for (page = 0; page < pages; page++)
		if (pagemap_entry(fd, addr + page * PAGE) & PM_SWAP)
			swapped++;
	close(fd);
	return swapped;
}

/**
 * frame_of() - the page frame behind an address
 * @addr: mapped and present
 *
 * Return: its number.
 */
uint64_t frame_of(const char *addr)
{
	int fd = open_pagemap();
	uint64_t entry = pagemap_entry(fd, addr);

	close(fd);
	if (!(entry & PM_PRESENT) || !(entry & PM_FRAME))
		die("no page frame at %p", addr);
	return entry & PM_FRAME;
}
