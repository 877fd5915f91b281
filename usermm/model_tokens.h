/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_MODEL_TOKENS_H
#define USERMM_MODEL_TOKENS_H
/*
 * The contents of pages, by page number: what the models of processes and files
 * are made of. Plain on purpose, and nothing of it shared with the memory
 * management that it is compared with: a hash table of blocks of 64 pages.
 *
 * Memory comes from the C library and not from kmalloc(): tests make kmalloc()
 * fail to see what the operations do, and the model must not fail with them.
 *
 * Locks are the caller's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct token_block;

enum token_state {
	TOKEN_SURE,
	TOKEN_UNSURE,		/* the page may have been lost since */
	TOKEN_ANY,		/* the token says nothing: the page may hold anything */
};

struct token_store {
	struct token_block **slots;	/* open addressing; NULL: free */
	size_t nr_slots;		/* 0 or a power of 2 */
	size_t used;
};

static inline void tokens_init(struct token_store *store)
{
	*store = (struct token_store) { 0 };
}

void tokens_deinit(struct token_store *store);

/* 0 or -ENOMEM, as for all below that return int. */
int tokens_set(struct token_store *store, unsigned long page, u64 token,
	       enum token_state state);
/* False: there is none for the page. */
bool tokens_get(const struct token_store *store, unsigned long page, u64 *token,
		enum token_state *state);
/* Pages first .. last, inclusive. */
void tokens_clear(struct token_store *store, unsigned long first, unsigned long last);
void tokens_mark_unsure(struct token_store *store, unsigned long first, unsigned long last);
int tokens_copy(struct token_store *dst, const struct token_store *src,
		unsigned long first, unsigned long last);
/* Page first + i becomes page to + i; the ranges may overlap. */
int tokens_move(struct token_store *store, unsigned long first, unsigned long last,
		unsigned long to);
/*
 * Some of the pages first + i may have become page to + i, where that was empty; the
 * others are where they were.
 */
int tokens_move_unsure(struct token_store *store, unsigned long first, unsigned long last,
		       unsigned long to);

#endif
