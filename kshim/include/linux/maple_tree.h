/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_MAPLE_TREE_H
#define _KSHIM_LINUX_MAPLE_TREE_H
/*
 * Different implementation of the part of the maple tree that an mm's VMA tree
 * needs: a map from ranges of unsigned long to pointers, see kshim/maple_tree.c.
 *
 * Writers exclude each other; there is no lock in the tree. Readers hold
 * rcu_read_lock(), or keep the writers out. A tree that is read under RCU alone
 * has MT_FLAGS_USE_RCU; without it what a store replaces is freed at once.
 *
 * What a reader sees that runs together with stores:
 *
 * - One call - mtree_load(), mas_walk(), mas_find(), mas_next(), mas_prev() -
 *   is atomic. Its answer, entry and range, is what the tree held at one moment
 *   between call and return. A store over [index, last] happens at one moment,
 *   whatever it replaces, splits or clips: a lookup finds all of the old state or
 *   all of the new one, and never a hole in between.
 * - Two calls may see two moments. An iteration continues behind (before) the
 *   range that the previous call returned. So an entry whose range is never
 *   touched while the iteration runs is returned exactly once. One that is stored
 *   or erased meanwhile may be returned or not; one whose range grows, or that
 *   is moved, may be returned twice or not at all; one whose range now starts
 *   before the place where the iteration is, is returned with that range.
 * - The range of a NULL result is NULL at that moment in all of what is reported,
 *   but while stores run it may be a part of the gap only.
 *
 * A struct ma_state remembers a node for the next step. A reader that drops
 * rcu_read_lock() calls mas_pause() or mas_set(), or makes a new one.
 */
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <limits.h>

struct maple_node;

#define MT_FLAGS_ALLOC_RANGE	0x01	/* accepted: gaps are searched for one by one */
#define MT_FLAGS_USE_RCU	0x02
#define MT_FLAGS_LOCK_EXTERN	0x300	/* accepted: there is no other kind */

struct maple_tree {
	struct maple_node *ma_root;	/* NULL: empty */
	unsigned long ma_gen;		/* stores so far that replaced a node */
	unsigned int ma_flags;
};

#define MTREE_INIT(name, flags)		{ .ma_flags = (flags) }
#define MTREE_INIT_EXT(name, flags, lock) MTREE_INIT(name, (flags) | MT_FLAGS_LOCK_EXTERN)
#define DEFINE_MTREE(name)		struct maple_tree name = MTREE_INIT(name, 0)
#define mt_set_external_lock(mt, lock)	((void)(mt), (void)(lock))

static inline void mt_init_flags(struct maple_tree *mt, unsigned int flags)
{
	mt->ma_root = NULL;
	mt->ma_gen = 0;
	mt->ma_flags = flags;
}

static inline void mt_init(struct maple_tree *mt)
{
	mt_init_flags(mt, 0);
}

static inline bool mt_in_rcu(const struct maple_tree *mt)
{
	return mt->ma_flags & MT_FLAGS_USE_RCU;
}

/* The writer's: before the first, or after the last, lockless reader. */
static inline void mt_set_in_rcu(struct maple_tree *mt)
{
	mt->ma_flags |= MT_FLAGS_USE_RCU;
}

static inline void mt_clear_in_rcu(struct maple_tree *mt)
{
	mt->ma_flags &= ~MT_FLAGS_USE_RCU;
}

static inline bool mtree_empty(const struct maple_tree *mt)
{
	return !READ_ONCE(mt->ma_root);
}

enum maple_status {
	ma_active,	/* [index, last] is what the previous call found */
	ma_start,	/* look at index */
	ma_pause,	/* as active, but look anew */
	ma_overflow,	/* mas_next() has found nothing */
	ma_underflow,	/* mas_prev() has found nothing */
};

/**
 * struct ma_state - a position in a tree
 * @tree: the tree
 * @index: where to look; then the start of what was found
 * @last: end, inclusive, of what to store; then of what was found
 *
 * The rest is the implementation's: the leaf that the position is in, the
 * addresses [@min, @max] that belong to it, @gen of the tree when it was looked
 * up, and nodes that mas_preallocate() has put by.
 */
struct ma_state {
	struct maple_tree *tree;
	unsigned long index;
	unsigned long last;
	enum maple_status status;
	const struct maple_node *node;
	unsigned long min, max;
	unsigned long gen;
	struct maple_node *alloc, *alloc_small;
};

#define MA_STATE(name, mt, first, end)						\
	struct ma_state name = {						\
		.tree = (mt),							\
		.index = (first),						\
		.last = (end),							\
		.status = ma_start,						\
	}

static inline void mas_init(struct ma_state *mas, struct maple_tree *tree, unsigned long addr)
{
	*mas = (struct ma_state) {
		.tree = tree,
		.index = addr,
		.last = addr,
		.status = ma_start,
	};
}

/* Look anew, at ->index. */
static inline void mas_reset(struct ma_state *mas)
{
	mas->status = ma_start;
	mas->node = NULL;
}

static inline void mas_set_range(struct ma_state *mas, unsigned long start, unsigned long last)
{
	mas_reset(mas);
	mas->index = start;
	mas->last = last;
}

static inline void mas_set(struct ma_state *mas, unsigned long index)
{
	mas_set_range(mas, index, index);
}

/* Keep the place in an iteration while the lock, or RCU, is dropped. */
static inline void mas_pause(struct ma_state *mas)
{
	mas->status = ma_pause;
	mas->node = NULL;
}

static inline bool mas_is_start(const struct ma_state *mas)
{
	return mas->status == ma_start;
}

static inline bool mas_is_active(const struct ma_state *mas)
{
	return mas->status == ma_active;
}

void *mas_walk(struct ma_state *mas);
void *mas_find(struct ma_state *mas, unsigned long max);
void *mas_next(struct ma_state *mas, unsigned long max);
void *mas_prev(struct ma_state *mas, unsigned long min);
int mas_empty_area(struct ma_state *mas, unsigned long min, unsigned long max, unsigned long size);
int mas_empty_area_rev(struct ma_state *mas, unsigned long min, unsigned long max,
		       unsigned long size);

int mas_store_gfp(struct ma_state *mas, void *entry, gfp_t gfp);
int mas_preallocate(struct ma_state *mas, void *entry, gfp_t gfp);
void mas_store_prealloc(struct ma_state *mas, void *entry);
void mas_destroy(struct ma_state *mas);
void *mas_erase(struct ma_state *mas);

void *mtree_load(struct maple_tree *mt, unsigned long index);
void *mt_find(struct maple_tree *mt, unsigned long *index, unsigned long max);
void *mt_find_after(struct maple_tree *mt, unsigned long *index, unsigned long max);
int mtree_store_range(struct maple_tree *mt, unsigned long first, unsigned long last,
		      void *entry, gfp_t gfp);
int mtree_insert_range(struct maple_tree *mt, unsigned long first, unsigned long last,
		       void *entry, gfp_t gfp);
void *mtree_erase(struct maple_tree *mt, unsigned long index);
void mtree_destroy(struct maple_tree *mt);
int __mt_dup(struct maple_tree *mt, struct maple_tree *new, gfp_t gfp);

static inline int mtree_store(struct maple_tree *mt, unsigned long index, void *entry, gfp_t gfp)
{
	return mtree_store_range(mt, index, index, entry, gfp);
}

static inline int mtree_insert(struct maple_tree *mt, unsigned long index, void *entry, gfp_t gfp)
{
	return mtree_insert_range(mt, index, index, entry, gfp);
}

/* Linux's variant for callers who hold the tree's lock: there is none. */
#define __mt_destroy(mt)	mtree_destroy(mt)

/* Every entry from ->index (or behind the previous one) that starts by @max. */
#define mas_for_each(mas, entry, max) \
	while (((entry) = mas_find((mas), (max))) != NULL)

/* For iterations without a state; @index is a variable, and moves. */
#define mt_for_each(mt, entry, index, max)					\
	for ((entry) = mt_find(mt, &(index), max); (entry);			\
	     (entry) = mt_find_after(mt, &(index), max))

#endif
