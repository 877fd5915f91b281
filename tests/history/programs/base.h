/* SPDX-License-Identifier: GPL-2.0 */
/* Where the test programs put their mappings, and what they need for that. */
#ifndef PROGRAMS_BASE_H
#define PROGRAMS_BASE_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BASE		((char *)0x200000000000)
#define OTHER		((char *)0x210000000000)
#define PAGE		4096L

static inline void must(int ok)
{
	if (!ok)
		_exit(99);
}

/* Private anonymous memory exactly there. */
static inline char *map_at(char *addr, long pages)
{
	char *p = mmap(addr, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	must(p == addr);
	return p;
}

static inline void put(char *base, long page)
{
	((volatile char *)base)[page * PAGE]++;
}

static inline char get(const char *base, long page)
{
	return ((const volatile char *)base)[page * PAGE];
}

#endif /* PROGRAMS_BASE_H */
