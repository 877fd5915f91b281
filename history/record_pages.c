// SPDX-License-Identifier: GPL-2.0
/* The pages of one address space that are known to be anonymous. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "record_pages.h"

static void leaf_put(struct page_leaf *leaf)
{
	if (--leaf->refs)
		return;
	free(leaf->frames);
	free(leaf);
}

static struct page_leaf *leaf_dup(const struct page_leaf *from)
{
	struct page_leaf *leaf = malloc(sizeof(*leaf));

	if (!leaf)
		return NULL;
	*leaf = *from;
	leaf->refs = 1;
	leaf->frames = NULL;
	if (from->frames) {
		leaf->frames = malloc(LEAF_PAGES * sizeof(*leaf->frames));
		if (!leaf->frames) {
			free(leaf);
			return NULL;
		}
		memcpy(leaf->frames, from->frames, LEAF_PAGES * sizeof(*leaf->frames));
	}
	return leaf;
}

size_t page_set_lower(const struct page_set *set, uint64_t key)
{
	size_t lo = 0, hi = set->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (set->slots[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct page_leaf *page_set_write(struct page_set *set, uint64_t key)
{
	size_t i = page_set_lower(set, key);
	struct page_leaf *leaf;

	if (i < set->count && set->slots[i].key == key) {
		leaf = set->slots[i].leaf;
		if (leaf->refs == 1)
			return leaf;
		leaf = leaf_dup(leaf);
		if (!leaf)
			return NULL;
		leaf_put(set->slots[i].leaf);
		set->slots[i].leaf = leaf;
		return leaf;
	}

	if (set->count == set->room) {
		size_t room = set->room ? set->room * 2 : 16;
		struct page_slot *slots = realloc(set->slots, room * sizeof(*slots));

		if (!slots)
			return NULL;
		set->slots = slots;
		set->room = room;
	}
	leaf = calloc(1, sizeof(*leaf));
	if (!leaf)
		return NULL;
	leaf->refs = 1;
	memmove(&set->slots[i + 1], &set->slots[i], (set->count - i) * sizeof(*set->slots));
	set->slots[i] = (struct page_slot){ key, leaf };
	set->count++;
	return leaf;
}

int page_leaf_frames(struct page_leaf *leaf)
{
	if (!leaf->frames)
		leaf->frames = calloc(LEAF_PAGES, sizeof(*leaf->frames));
	return leaf->frames ? 0 : -ENOMEM;
}

void page_set_drop_leaves(struct page_set *set, size_t from, size_t to)
{
	if (from >= to)
		return;
	for (size_t i = from; i < to; i++)
		leaf_put(set->slots[i].leaf);
	memmove(&set->slots[from], &set->slots[to], (set->count - to) * sizeof(*set->slots));
	set->count -= to - from;
}

/* Bits [from, to) of word w of a leaf. */
static uint64_t word_mask(unsigned int w, unsigned int from, unsigned int to)
{
	unsigned int lo = w * 64, hi = lo + 64;

	if (from >= hi || to <= lo)
		return 0;
	from = from > lo ? from - lo : 0;
	to = to < hi ? to - lo : 64;
	return (to == 64 ? ~UINT64_C(0) : (UINT64_C(1) << to) - 1) & ~((UINT64_C(1) << from) - 1);
}

static unsigned int first_in(uint64_t key, uint64_t first)
{
	return first > key * LEAF_PAGES ? first - key * LEAF_PAGES : 0;
}

static unsigned int last_in(uint64_t key, uint64_t end)
{
	return end < (key + 1) * LEAF_PAGES ? end - key * LEAF_PAGES : LEAF_PAGES;
}

int page_set_clear(struct page_set *set, uint64_t first, uint64_t count)
{
	uint64_t end = first + count;
	size_t i = page_set_lower(set, first / LEAF_PAGES);

	while (i < set->count && set->slots[i].key * LEAF_PAGES < end) {
		uint64_t key = set->slots[i].key;
		unsigned int from = first_in(key, first);
		unsigned int to = last_in(key, end);
		uint64_t left = 0;
		struct page_leaf *leaf;

		if (from == 0 && to == LEAF_PAGES) {
			size_t j = i;

			/* Whole leaves go in one move of the array. */
			while (j < set->count && (set->slots[j].key + 1) * LEAF_PAGES <= end)
				j++;
			page_set_drop_leaves(set, i, j);
			continue;
		}
		leaf = page_set_write(set, key);
		if (!leaf)
			return -ENOMEM;
		for (unsigned int w = 0; w < LEAF_WORDS; w++) {
			uint64_t mask = word_mask(w, from, to);

			leaf->known[w] &= ~mask;
			leaf->shared[w] &= ~mask;
			left |= leaf->known[w];
		}
		leaf->huge = false;
		if (left)
			i++;
		else
			page_set_drop_leaves(set, i, i + 1);
	}
	return 0;
}

bool page_set_any(const struct page_set *set, uint64_t first, uint64_t count)
{
	uint64_t end = first + count;

	for (size_t i = page_set_lower(set, first / LEAF_PAGES);
	     i < set->count && set->slots[i].key * LEAF_PAGES < end; i++) {
		const struct page_slot *s = &set->slots[i];

		for (unsigned int w = 0; w < LEAF_WORDS; w++)
			if (s->leaf->known[w] &
			    word_mask(w, first_in(s->key, first), last_in(s->key, end)))
				return true;
	}
	return false;
}

static int move_leaf(struct page_set *out, const struct page_slot *s, uint64_t from, uint64_t to,
		     uint64_t count)
{
	unsigned int last = last_in(s->key, from + count);
	bool huge = s->leaf->huge && (to - from) % LEAF_PAGES == 0 &&
		    first_in(s->key, from) == 0 && last == LEAF_PAGES;

	for (unsigned int p = first_in(s->key, from); p < last; p++) {
		uint64_t page, bit = UINT64_C(1) << p % 64;
		struct page_leaf *leaf;
		unsigned int q;

		if (!(s->leaf->known[p / 64] & bit))
			continue;
		page = s->key * LEAF_PAGES + p - from + to;
		leaf = page_set_write(out, page / LEAF_PAGES);
		if (!leaf)
			return -ENOMEM;
		q = page % LEAF_PAGES;
		leaf->huge = huge;
		leaf->known[q / 64] |= UINT64_C(1) << q % 64;
		if (!(s->leaf->shared[p / 64] & bit))
			continue;
		leaf->shared[q / 64] |= UINT64_C(1) << q % 64;
		if (page_leaf_frames(leaf))
			return -ENOMEM;
		leaf->frames[q] = s->leaf->frames ? s->leaf->frames[p] : 0;
	}
	return 0;
}

int page_set_move(struct page_set *set, uint64_t from, uint64_t to, uint64_t count)
{
	struct page_set old = { 0 };
	int ret = page_set_copy(&old, set);

	/* Work from a (cheap) copy: source and target may be in the same leaf. */
	if (!ret)
		ret = page_set_clear(set, to, count);
	if (!ret)
		ret = page_set_clear(set, from, count);
	for (size_t i = page_set_lower(&old, from / LEAF_PAGES);
	     !ret && i < old.count && old.slots[i].key * LEAF_PAGES < from + count; i++)
		ret = move_leaf(set, &old.slots[i], from, to, count);
	page_set_free(&old);
	return ret;
}

int page_set_copy(struct page_set *to, const struct page_set *from)
{
	if (!from->count)
		return 0;
	to->slots = malloc(from->count * sizeof(*to->slots));
	if (!to->slots)
		return -ENOMEM;
	memcpy(to->slots, from->slots, from->count * sizeof(*to->slots));
	to->count = to->room = from->count;
	for (size_t i = 0; i < to->count; i++)
		to->slots[i].leaf->refs++;
	return 0;
}

void page_set_free(struct page_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		leaf_put(set->slots[i].leaf);
	free(set->slots);
	*set = (struct page_set){ 0 };
}
