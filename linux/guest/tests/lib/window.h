/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WINDOW_H
#define WINDOW_H
/*
 * A piece of address space that is changed at random while a model keeps what every
 * page of it must hold. One thread changes a window; others may make the kernel walk
 * it. Windows beside each other share VMAs when the kernel merges them.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ktest.h"

enum {
	W_MAP = 1,		/* anonymous memory, over whatever is there */
	W_MAP_FILE = 2,		/* a private file mapping */
	W_MAP_ZERO = 4,		/* private /dev/zero */
	W_UNMAP = 8,
	W_PROTECT = 16,
	W_MOVE = 32,		/* mremap, MREMAP_FIXED */
	W_DONTUNMAP = 64,	/* mremap, MREMAP_FIXED | MREMAP_DONTUNMAP */
	W_RESIZE = 128,		/* mremap, grown and shrunk in place */
	W_WRITE = 256,
	W_CHECK = 512,
	W_DONTNEED = 1024,
	W_FORK = 2048,		/* the child checks, changes its copy, and exits */
	W_MERGEABLE = 4096,	/* some pages get the same contents, for KSM to merge */
	W_HUGE = 8192,		/* huge pages; MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE */
	W_PAGEOUT = 16384,	/* MADV_PAGEOUT, MADV_COLD */
	W_LOCK = 32768,		/* mlock, munlock */
	W_SOFT_OFFLINE = 65536,	/* MADV_SOFT_OFFLINE: few, a page of memory is lost each time */
	W_CHANGES = W_MAP | W_MAP_FILE | W_MAP_ZERO | W_UNMAP | W_PROTECT | W_MOVE |
		    W_DONTUNMAP | W_RESIZE | W_WRITE | W_CHECK | W_DONTNEED,
};

struct window {
	char *base;
	size_t pages;
	unsigned int ops;
	uint64_t steps;
	/* the model: by page */
	struct window_page {
		uint64_t holds;		/* its token; 0 reads as zeroes */
		uint64_t clean;		/* what it holds once its private copy is thrown away */
		uint8_t mapped, prot;
	} *page;
	struct rnd r;
	uint64_t next_token;
	int file, zero;
	unsigned int depth;		/* forks on the way here */
	unsigned int offlined;
};

/* A window over @pages pages at @base; nothing is mapped there yet. */
void window_init(struct window *w, void *base, size_t pages, unsigned int ops, uint64_t stream);
/* One random operation out of @w->ops. */
void window_step(struct window *w);
/* Every page holds what the model says; pages that cannot be read are made readable first. */
void window_check(struct window *w);
/* Checks, and then has everything found: see must_migrate(). Shared pages need not swap. */
void window_must_be_found(struct window *w);
void window_exit(struct window *w);		/* unmaps and frees; after window_check() */

#endif
