/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the replayer share. Everything runs in one thread. */
#ifndef HISTORY_REPLAY_WORLD_H
#define HISTORY_REPLAY_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "replay.h"

/* User addresses of the world: 47 bits, the last page kept free. */
#define REPLAY_ADDR_BITS	47
#define REPLAY_ADDR_LIMIT	((UINT64_C(1) << REPLAY_ADDR_BITS) - UM_PAGE_SIZE)

/* Permissions; some calls take further flags in the same argument. */
#define REPLAY_PROT		(PROT_READ | PROT_WRITE | PROT_EXEC)

/* Device files for the kernel's own mappings (vdso and the like) of one exec. */
#define REPLAY_NR_SPECIAL	4

#define REPLAY_NR_SAMPLES	1024

/* An address space; processes may share one. */
struct replay_space {
	struct mm_struct *mm;
	unsigned int users;		/* processes */
	uint64_t id;			/* never used again */
	uint64_t brk;			/* 0: where the heap starts is not known yet */
};

/* A page that was touched, to be read again later. */
struct replay_sample {
	uint32_t proc;
	uint64_t space;			/* id of the address space that it was touched in */
	uint64_t addr;
};

struct replay {
	const struct replay_options *opt;
	struct replay_result *res;
	struct um_world *world;
	unsigned int scale;		/* recorded page size / UM_PAGE_SIZE */
	uint32_t huge_pages;		/* of the trace */
	uint64_t rng;

	struct replay_space **procs;	/* by process id; NULL: gone */
	uint32_t nprocs, procs_room;
	uint64_t space_ids;

	struct um_file **files;		/* by file id - 1 */
	uint32_t nfiles, files_room;
	struct um_file *special[REPLAY_NR_SPECIAL];

	struct um_vma_info *vmas;	/* of the address space last asked for */
	size_t vmas_room;

	uint32_t note_in;		/* events about processes until they are counted again */

	struct replay_sample samples[REPLAY_NR_SAMPLES];
	unsigned int nsamples;		/* in use */
};

/* A range of a world's addresses, whole pages. */
struct replay_range {
	uint64_t start, end;
};

/* replay.c */

/**
 * replay_random - next pseudo-random number
 * @r: replay
 * @below: numbers are below this; not 0
 */
uint64_t replay_random(struct replay *r, uint64_t below);

/**
 * replay_skip - count something that did not become anything
 * @r: replay
 * @why: reason
 * @count: pages, or 1 for a call
 */
void replay_skip(struct replay *r, enum replay_skip why, uint64_t count);

/* replay_range.c */

/**
 * replay_range - a range of the trace as addresses of the world
 * @r: replay
 * @addr: recorded address; rounded down to a page
 * @len: recorded bytes; the end is rounded up to a page
 * @range: gets the range
 *
 * Return: false if the range is empty or does not fit into the world.
 */
bool replay_range(const struct replay *r, uint64_t addr, uint64_t len,
		  struct replay_range *range);

/**
 * replay_addr - an address of the trace as an address of the world
 * @r: replay
 * @addr: recorded address
 *
 * Return: address, rounded up to a page.
 */
uint64_t replay_addr(const struct replay *r, uint64_t addr);

/* replay_proc.c: each takes an event of its kind; returns 0, or -errno to end the replay */

int replay_start(struct replay *r, const struct trace_event *ev);
int replay_fork(struct replay *r, const struct trace_event *ev);
int replay_share(struct replay *r, const struct trace_event *ev);
int replay_exec(struct replay *r, const struct trace_event *ev);
int replay_exit(struct replay *r, const struct trace_event *ev);
int replay_foreign(struct replay *r, const struct trace_event *ev);

/**
 * replay_exit_all - end what is still alive
 * @r: replay
 */
void replay_exit_all(struct replay *r);

/* replay_call.c */

/**
 * replay_file - note a file
 * @r: replay
 * @ev: FILE event
 *
 * Return: 0 or -ENOMEM.
 */
int replay_file(struct replay *r, const struct trace_event *ev);

/**
 * replay_map_file - the file that a mapping of the trace maps
 * @r: replay
 * @id: file id, 0 for none
 *
 * Return: file, the replay's; NULL for none. What is shared and has none, or
 * /dev/zero, gets memory of its own from um_mmap().
 */
struct um_file *replay_map_file(const struct replay *r, uint32_t id);

/**
 * replay_call - a system call on an address space
 * @r: replay
 * @space: address space
 * @ev: an event from MMAP to VMA_NAME
 *
 * Return: 0, or -ENOMEM to end the replay.
 */
int replay_call(struct replay *r, struct replay_space *space, const struct trace_event *ev);

/* replay_touch.c */

/**
 * replay_vmas - list the VMAs of an address space
 * @r: replay; its vmas are valid until the next call
 * @space: address space
 * @count: gets how many
 *
 * Return: 0 or -ENOMEM.
 */
int replay_vmas(struct replay *r, struct replay_space *space, size_t *count);

/**
 * replay_touch - pages that came to life
 * @r: replay
 * @space: address space
 * @ev: TOUCH event
 *
 * Return: 0, or -ENOMEM to end the replay.
 */
int replay_touch(struct replay *r, struct replay_space *space, const struct trace_event *ev);

/**
 * replay_read_samples - read some of the pages touched before
 * @r: replay
 * @count: pages
 *
 * The world compares what is read with its model and counts the result.
 */
void replay_read_samples(struct replay *r, unsigned int count);

#endif /* HISTORY_REPLAY_WORLD_H */
