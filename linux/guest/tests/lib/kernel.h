/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KERNEL_H
#define KERNEL_H
/*
 * What the running kernel says about itself, and its knobs. None of these fails
 * the test: callers decide what a missing file means.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Bytes read (text is NUL-terminated, cut at @size - 1), or -errno. */
ssize_t kernel_read(const char *path, char *text, size_t size);
/* 0 or -errno. */
int kernel_write(const char *path, const char *text);
int kernel_write_number(const char *path, long number);
/* The first number in the file, or @otherwise. */
long kernel_number(const char *path, long otherwise);

/* A row of /proc/vmstat; -1 if there is none of that name. */
long vmstat(const char *name);
/* The number of active objects in a slab cache, shrunk first where possible; -1: unknown. */
long slab_active(const char *cache);

/* Does this kernel have the lazy topology, and was it chosen at boot? */
bool lazy_topology(void);
/*
 * How many VMAs "very many" are: 20,000, or fewer in the debug flavour (told by its fault
 * injection), which checks the whole VMA tree at each change of one.
 */
size_t very_many_vmas(void);

/* -- What a test needs; each skips the test if it is not there -- */
void need_swap(void);
void need_two_nodes(void);
void need_memory_reclaim(void);		/* the test's cgroup has memory.reclaim */
void need_ksm(void);
void need_file(const char *path);

bool have_swap(void);
bool have_two_nodes(void);
bool have_memory_reclaim(void);

/* Reclaims up to @mb megabytes from the test's cgroup, to swap rather than from files. */
void reclaim_own_cgroup(unsigned int mb);

#endif
