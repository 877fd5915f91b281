/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the workloads share. One program, "bench", holds them all: bench WORKLOAD
 * [NAME=VALUE...]. Each is started by exec, so that its address space owes nothing to
 * another's, and prints lines "figure NAME VALUE UNIT" on stdout. Whatever goes wrong
 * ends the program with status 1 and a line on stderr: a figure of a workload that did
 * not do what it should is worth nothing.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096UL

/* --- main.c: the command line --- */

long param(const char *name, long otherwise);
int choice(const char *name, const char *const words[]);
char **command(void);

void phone(void);
void peak(void);
void spawned(void);
void fork_latency(void);
void vma_loops(void);
void shell_loop(void);
void reclaim(void);
void storms(void);
void ksm(void);
void contention(void);
void generations(void);

/* --- report.c: time, medians, what comes out --- */

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
uint64_t now_ns(void);
double median(double *values, size_t n);
double percentile(double *values, size_t n, double percent);
void figure(const char *unit, double value, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
void write_file(const char *path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool try_write_file(const char *path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void pin(int cpu);
void unpin(void);
int nr_cpus(void);

/* --- slab.c: how many objects there are --- */

enum slab_row { SLAB_VMA, SLAB_ANON_VMA, SLAB_AVC, NR_SLABS };

/**
 * struct slab_counts - objects in use, and the bytes that one takes in its slab
 * @objects: by &enum slab_row
 * @size: bytes of an object, padding included, as in /proc/slabinfo
 */
struct slab_counts {
	long objects[NR_SLABS];
	long size[NR_SLABS];
};

extern const char *const slab_names[NR_SLABS];

void slab_init(void);
void slab_read(struct slab_counts *counts);
void slab_settle(struct slab_counts *counts);
void slab_figures(const char *prefix, const struct slab_counts *now,
		  const struct slab_counts *before);
long rmap_visits(void);

/* --- areas.c: memory that stays in the VMAs it was put in --- */

char *arena(size_t bytes);
void map_fixed(char *addr, size_t bytes, int prot);
char *map_spaced(long n, long pages);
char *map_spaced_at(char *base, long n, long pages);
void touch(char *addr, long pages, uint64_t token);
void check(const char *addr, long pages, uint64_t token);
long count_swapped(const char *addr, long pages);
uint64_t frame_of(const char *addr);

/* --- walkers.c: who walks --- */

void migrate(pid_t pid, char *addr, long pages, int node, long must_move);
long swapped_out(void);

/**
 * enum walker - what a process of start_walker() does, over and over
 * @WALKER_RECLAIM: swap out pages of a cgroup
 * @WALKER_MIGRATE: move pages of processes from node to node
 */
enum walker { WALKER_RECLAIM, WALKER_MIGRATE };

/**
 * struct walkers - what is shared with those that walk
 * @stop: set to end them
 * @rounds: how often each walked, by &enum walker
 * @cgroup: whose pages are reclaimed
 * @bytes: how much each time
 * @addr: first page that is migrated, in each process
 * @pages: how many there are in each
 * @step: how many are migrated each time
 * @stride: from one process' pages to those of the next
 * @n: how many processes
 * @pids: theirs
 */
struct walkers {
	int stop;
	long rounds[2];
	const char *cgroup;
	size_t bytes;
	char *addr;
	long pages;
	long step;
	size_t stride;
	int n;
	pid_t pids[64];
};

struct walkers *walkers_new(void);
pid_t walker_start(struct walkers *walkers, enum walker kind, int cpu);

/* --- tree.c: children that stay, cgroups --- */

/**
 * struct brood - children that wait until they are released
 * @n: how many
 * @pids: theirs
 * @hold: write end of the pipe that they read; closed, they end
 */
struct brood {
	int n;
	pid_t *pids;
	int hold;
};

typedef void (*brood_fn)(int index, void *arg);

void brood_start(struct brood *brood, int n, brood_fn fn, void *arg);
void brood_end(struct brood *brood);
void wait_for(pid_t pid);
void cgroup_make(const char *name);
void cgroup_enter(const char *name);
void cgroup_leave(void);
void cgroup_remove(const char *name);
bool cgroup_reclaim(const char *name, size_t bytes);

#endif
