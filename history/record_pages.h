/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pages of one address space that are known to be anonymous.
 *
 * A set is a sorted array of leaves of 512 pages. Leaves are reference counted
 * and copied when written to, so that copying a set at fork costs one pointer
 * per 2 MiB in use. Single-threaded.
 */
#ifndef HISTORY_RECORD_PAGES_H
#define HISTORY_RECORD_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAF_PAGES	512
#define LEAF_WORDS	(LEAF_PAGES / 64)

struct page_leaf {
	uint32_t refs;
	bool huge;			/* last seen as one huge page */
	uint64_t known[LEAF_WORDS];	/* anonymous page present or swapped out */
	uint64_t shared[LEAF_WORDS];	/* maybe still the frame that a fork shares */
	uint32_t *frames;		/* low bits of frame numbers, where shared */
};

struct page_slot {
	uint64_t key;			/* page number / LEAF_PAGES */
	struct page_leaf *leaf;
};

struct page_set {
	struct page_slot *slots;
	size_t count;
	size_t room;
};

/**
 * page_set_lower - index of the first leaf whose key is not below @key
 * @set: set
 * @key: page number / LEAF_PAGES
 */
size_t page_set_lower(const struct page_set *set, uint64_t key);

/**
 * page_set_write - leaf for a key, private to this set, created if needed
 * @set: set
 * @key: page number / LEAF_PAGES
 *
 * Return: leaf or NULL when out of memory.
 */
struct page_leaf *page_set_write(struct page_set *set, uint64_t key);

/**
 * page_leaf_frames - make room for frame numbers in a leaf
 * @leaf: leaf that may be written
 *
 * Return: 0 or -ENOMEM.
 */
int page_leaf_frames(struct page_leaf *leaf);

/**
 * page_set_drop_leaves - forget the leaves [from, to) by index
 * @set: set
 * @from: first index
 * @to: index after the last
 */
void page_set_drop_leaves(struct page_set *set, size_t from, size_t to);

/**
 * page_set_clear - forget pages
 * @set: set
 * @first: page number
 * @count: pages
 *
 * Return: 0 or -ENOMEM.
 */
int page_set_clear(struct page_set *set, uint64_t first, uint64_t count);

/**
 * page_set_any - whether any page of a range is known
 * @set: set
 * @first: page number
 * @count: pages
 */
bool page_set_any(const struct page_set *set, uint64_t first, uint64_t count);

/**
 * page_set_move - pages have moved, with their frames
 * @set: set
 * @from: old first page number
 * @to: new first page number; what was known there is forgotten
 * @count: pages; the ranges do not overlap
 *
 * Return: 0 or -ENOMEM.
 */
int page_set_move(struct page_set *set, uint64_t from, uint64_t to, uint64_t count);

/**
 * page_set_copy - make an empty set equal to another one
 * @to: empty set
 * @from: set
 *
 * Return: 0 or -ENOMEM (@to stays empty).
 */
int page_set_copy(struct page_set *to, const struct page_set *from);

/**
 * page_set_free - forget everything and free the memory
 * @set: set, empty afterwards
 */
void page_set_free(struct page_set *set);

#endif /* HISTORY_RECORD_PAGES_H */
