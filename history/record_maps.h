/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The mappings of one address space, kept up to date from the recorded calls:
 * reading /proc/PID/maps again would cost more than everything else.
 */
#ifndef HISTORY_RECORD_MAPS_H
#define HISTORY_RECORD_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct map {
	uint64_t start;			/* addresses, whole pages */
	uint64_t end;
	uint32_t file;			/* file id, 0: none */
	bool shared;
	bool stack;			/* grows down */
};

struct map_list {
	struct map *maps;		/* ascending, not overlapping */
	size_t count;
	size_t room;
};

/* One line of /proc/PID/maps. */
struct proc_map {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	uint64_t inode;
	uint32_t prot;
	bool shared;
	const char *name;		/* "" for none */
};

/**
 * proc_maps_read - call a function for every line of /proc/PID/maps
 * @pid: process or thread
 * @fn: called in ascending order; anything but 0 stops
 * @arg: handed to @fn
 *
 * Return: 0, what @fn returned, or a -errno of open(2)/read(2).
 */
int proc_maps_read(pid_t pid, int (*fn)(const struct proc_map *, void *), void *arg);

/**
 * map_list_lower - index of the first map that ends above an address
 * @list: maps
 * @addr: address
 */
size_t map_list_lower(const struct map_list *list, uint64_t addr);

/**
 * map_list_remove - a range is no longer mapped
 * @list: maps
 * @start: address
 * @end: address after the last byte
 *
 * Return: 0 or -ENOMEM.
 */
int map_list_remove(struct map_list *list, uint64_t start, uint64_t end);

/**
 * map_list_insert - a range is mapped, replacing what was there
 * @list: maps
 * @map: what is mapped now; joined with like neighbours
 *
 * Return: 0 or -ENOMEM.
 */
int map_list_insert(struct map_list *list, const struct map *map);

/**
 * map_list_copy - make an empty list equal to another one
 * @to: empty list
 * @from: list
 *
 * Return: 0 or -ENOMEM (@to stays empty).
 */
int map_list_copy(struct map_list *to, const struct map_list *from);

/**
 * map_list_free - forget all maps
 * @list: list, empty afterwards
 */
void map_list_free(struct map_list *list);

#endif /* HISTORY_RECORD_MAPS_H */
