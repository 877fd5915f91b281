/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_SCHED_LIBC_H
#define _KSHIM_SCHED_LIBC_H
/*
 * Included into every file that is compiled for scheduled threads: the C library's memory
 * is memory of the run, too.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <kshim/sched.h>

#define malloc(size)		kshim_sched_malloc(size, 16)
#define calloc(nr, size)	kshim_sched_calloc(nr, size)
#define realloc(object, size)	kshim_sched_realloc(object, size)
#define free(object)		kshim_sched_free(object)

/* A world's page frames: reserved here, and zero. */
#define mmap(addr, len, prot, flags, fd, offset)	kshim_sched_calloc(1, len)
#define mprotect(addr, len, prot)			0
#define munmap(addr, len)				kshim_sched_free(addr)

#endif
