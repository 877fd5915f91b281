// SPDX-License-Identifier: GPL-2.0
/*
 * The contents of pages, by page number
 *
 * Blocks are never taken out of the table one by one; those that became empty go
 * when the table grows, or with the store.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "model_tokens.h"

#define BLOCK_SHIFT	6
#define BLOCK_PAGES	(1UL << BLOCK_SHIFT)

struct token_block {
	unsigned long key;		/* page number >> BLOCK_SHIFT */
	u64 present;		/* bit per page: there is a token */
	u64 unsure;		/* bit per page: TOKEN_UNSURE */
	u64 any;		/* bit per page: TOKEN_ANY */
	u64 token[BLOCK_PAGES];
};

static size_t token_hash(unsigned long key, size_t nr_slots)
{
	return (key * 0x9e3779b97f4a7c15UL) >> 20 & (nr_slots - 1);
}

/* Where the block with that key is, or would be. There is a free slot. */
static struct token_block **token_slot(const struct token_store *store, unsigned long key)
{
	size_t i = token_hash(key, store->nr_slots);

	while (store->slots[i] && store->slots[i]->key != key)
		i = (i + 1) & (store->nr_slots - 1);
	return &store->slots[i];
}

static struct token_block *token_find(const struct token_store *store, unsigned long key)
{
	return store->nr_slots ? *token_slot(store, key) : NULL;
}

/* Room for one more block at a load of at most 3/4. */
static int tokens_reserve(struct token_store *store)
{
	struct token_store bigger = { 0 };
	size_t i, live = 0;

	if (store->used + 1 <= store->nr_slots / 4 * 3)
		return 0;
	for (i = 0; i < store->nr_slots; i++)
		live += store->slots[i] && store->slots[i]->present;
	bigger.nr_slots = 16;
	while (live + 1 > bigger.nr_slots / 2)
		bigger.nr_slots *= 2;
	bigger.slots = calloc(bigger.nr_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (i = 0; i < store->nr_slots; i++) {
		struct token_block *block = store->slots[i];

		if (!block)
			continue;
		if (!block->present) {
			free(block);
			continue;
		}
		*token_slot(&bigger, block->key) = block;
		bigger.used++;
	}
	free(store->slots);
	*store = bigger;
	return 0;
}

void tokens_deinit(struct token_store *store)
{
	size_t i;

	for (i = 0; i < store->nr_slots; i++)
		free(store->slots[i]);
	free(store->slots);
	tokens_init(store);
}

int tokens_set(struct token_store *store, unsigned long page, u64 token,
	       enum token_state state)
{
	struct token_block *block = token_find(store, page >> BLOCK_SHIFT);
	unsigned int i = page & (BLOCK_PAGES - 1);

	if (!block) {
		if (tokens_reserve(store))
			return -ENOMEM;
		block = calloc(1, sizeof(*block));
		if (!block)
			return -ENOMEM;
		block->key = page >> BLOCK_SHIFT;
		*token_slot(store, block->key) = block;
		store->used++;
	}
	block->token[i] = token;
	block->present |= 1ULL << i;
	block->unsure &= ~(1ULL << i);
	block->unsure |= (u64)(state == TOKEN_UNSURE) << i;
	block->any &= ~(1ULL << i);
	block->any |= (u64)(state == TOKEN_ANY) << i;
	return 0;
}

static enum token_state block_state(const struct token_block *block, unsigned int i)
{
	if (block->any >> i & 1)
		return TOKEN_ANY;
	return block->unsure >> i & 1 ? TOKEN_UNSURE : TOKEN_SURE;
}

bool tokens_get(const struct token_store *store, unsigned long page, u64 *token,
		enum token_state *state)
{
	struct token_block *block = token_find(store, page >> BLOCK_SHIFT);
	unsigned int i = page & (BLOCK_PAGES - 1);

	if (!block || !(block->present >> i & 1))
		return false;
	*token = block->token[i];
	*state = block_state(block, i);
	return true;
}

/* The pages of a block that are in first .. last. */
static u64 block_mask(const struct token_block *block, unsigned long first,
			   unsigned long last)
{
	unsigned long start = block->key << BLOCK_SHIFT;
	u64 mask = ~0ULL;

	if (first > start + BLOCK_PAGES - 1 || last < start)
		return 0;
	if (first > start)
		mask &= ~0ULL << (first - start);
	if (last < start + BLOCK_PAGES - 1)
		mask &= ~0ULL >> (start + BLOCK_PAGES - 1 - last);
	return mask;
}

typedef int (*block_fn_t)(struct token_block *block, u64 mask, void *arg);

/* By key when the range is short, by slot when the table is. */
static int for_each_block(const struct token_store *store, unsigned long first,
			  unsigned long last, block_fn_t fn, void *arg)
{
	unsigned long key, keys = (last >> BLOCK_SHIFT) - (first >> BLOCK_SHIFT) + 1;
	struct token_block *block;
	int err = 0;
	size_t i;

	if (keys < store->nr_slots) {
		for (key = first >> BLOCK_SHIFT; !err && key <= last >> BLOCK_SHIFT; key++) {
			block = token_find(store, key);
			if (block)
				err = fn(block, block_mask(block, first, last), arg);
		}
		return err;
	}
	for (i = 0; !err && i < store->nr_slots; i++) {
		block = store->slots[i];
		if (block && block_mask(block, first, last))
			err = fn(block, block_mask(block, first, last), arg);
	}
	return err;
}

static int clear_block(struct token_block *block, u64 mask, void *arg)
{
	(void)arg;
	block->present &= ~mask;
	return 0;
}

void tokens_clear(struct token_store *store, unsigned long first, unsigned long last)
{
	for_each_block(store, first, last, clear_block, NULL);
}

static int mark_block(struct token_block *block, u64 mask, void *arg)
{
	(void)arg;
	block->unsure |= mask & block->present;
	return 0;
}

void tokens_mark_unsure(struct token_store *store, unsigned long first, unsigned long last)
{
	for_each_block(store, first, last, mark_block, NULL);
}

static int copy_block(struct token_block *block, u64 mask, void *arg)
{
	u64 left = block->present & mask;
	int i, err = 0;

	for (; left && !err; left &= left - 1) {
		i = __builtin_ctzll(left);
		err = tokens_set(arg, (block->key << BLOCK_SHIFT) + i, block->token[i],
				 block_state(block, i));
	}
	return err;
}

int tokens_copy(struct token_store *dst, const struct token_store *src,
		unsigned long first, unsigned long last)
{
	return for_each_block(src, first, last, copy_block, dst);
}

static int move_sure(struct token_store *to, unsigned long page, u64 token,
		     enum token_state state)
{
	return tokens_set(to, page, token, state);
}

/* What was written stays; what may have been lost since may have become something else. */
static int move_unsure(struct token_store *to, unsigned long page, u64 token,
		       enum token_state state)
{
	enum token_state old_state;
	u64 old;

	if (!tokens_get(to, page, &old, &old_state))
		return tokens_set(to, page, token, state == TOKEN_ANY ? state : TOKEN_UNSURE);
	return old_state == TOKEN_SURE ? 0 : tokens_set(to, page, old, TOKEN_ANY);
}

/* All of a store goes into another, by distance. */
static int tokens_add(struct token_store *to, const struct token_store *from, long distance,
		      int (*move)(struct token_store *to, unsigned long page, u64 token,
				  enum token_state state))
{
	int err = 0;
	size_t i;

	for (i = 0; i < from->nr_slots; i++) {
		const struct token_block *block = from->slots[i];
		u64 left = block ? block->present : 0;

		for (; left && !err; left &= left - 1) {
			int bit = __builtin_ctzll(left);

			err = move(to, (block->key << BLOCK_SHIFT) + bit + distance,
				   block->token[bit], block_state(block, bit));
		}
	}
	return err;
}

/* Through a store in between, as inserting may move the blocks that are being read. */
int tokens_move(struct token_store *store, unsigned long first, unsigned long last,
		unsigned long to)
{
	struct token_store moved = { 0 };
	int err;

	err = tokens_copy(&moved, store, first, last);
	if (!err) {
		tokens_clear(store, first, last);
		tokens_clear(store, to, to + (last - first));
		err = tokens_add(store, &moved, to - first, move_sure);
	}
	tokens_deinit(&moved);
	return err;
}

int tokens_move_unsure(struct token_store *store, unsigned long first, unsigned long last,
		       unsigned long to)
{
	struct token_store moved = { 0 };
	int err;

	err = tokens_copy(&moved, store, first, last);
	if (!err) {
		tokens_mark_unsure(store, first, last);
		err = tokens_add(store, &moved, to - first, move_unsure);
	}
	tokens_deinit(&moved);
	return err;
}
