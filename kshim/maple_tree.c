// SPDX-License-Identifier: GPL-2.0
/*
 * An ordered map of ranges, for lockless readers and one writer
 *
 * A B+tree. Leaves hold (first, last, entry) triples, in order, and nothing for
 * gaps. A node above holds, for each child, the last address that belongs to it;
 * the first one that does follows from its left neighbour. All leaves are on one
 * level, height 0. No node is without items, and an empty
 * tree has no root.
 *
 * A store never changes what a node says, with two exceptions, both one pointer:
 * the child of an inner node is replaced by one for the same addresses, and an
 * entry is replaced by another for the same range. Everything else is done on
 * copies: the leaves that a store touches become new leaves; if their number, or
 * the addresses of each, is not what it was, the node above is copied as well,
 * and so on. At some level one new node stands for one old node, with the same
 * addresses; storing the pointer to it, there or in the root, publishes the
 * whole store at once. A reader who goes down from the root sees it, or does not.
 *
 * What was replaced is freed after a grace period. ->ma_gen then counts, after
 * the publication: positions that remember a leaf (struct ma_state), and steps
 * that have to look at two leaves, compare it to know whether what they have
 * seen still belongs together.
 *
 * Two sizes of nodes: most are 512 bytes; the root of a tree of at most four
 * entries is 128.
 */
#include <string.h>
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/maple_tree.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#define MT_LEAF_SLOTS	20
#define MT_SMALL_SLOTS	4
#define MT_INNER_SLOTS	30
/* 10 children in a node on average would be enough for 10^12 entries. */
#define MT_MAX_HEIGHT	12

struct maple_node {
	struct rcu_head rcu;
	struct maple_node *chain;	/* of free nodes, or of those to be freed */
	unsigned char height;		/* 0: struct maple_leaf, else struct maple_inner */
	unsigned char nr;
	bool small;
};

struct maple_range {
	unsigned long first, last;
	void *entry;
};

struct maple_leaf {
	struct maple_node node;
	struct maple_range range[];
};

struct maple_child {
	unsigned long last;
	struct maple_node *node;
};

struct maple_inner {
	struct maple_node node;
	struct maple_child child[];
};

#define MT_NODE_SIZE \
	(sizeof(struct maple_node) + MT_LEAF_SLOTS * sizeof(struct maple_range))
#define MT_SMALL_SIZE \
	(sizeof(struct maple_node) + MT_SMALL_SLOTS * sizeof(struct maple_range))

static_assert(MT_NODE_SIZE == 512);
static_assert(MT_SMALL_SIZE == 128);
static_assert(sizeof(struct maple_node) + MT_INNER_SLOTS * sizeof(struct maple_child) <=
	      MT_NODE_SIZE);

static struct kmem_cache *node_cachep, *small_cachep;

/* Before main(): trees may be used from its first line on. */
static void __attribute__((__constructor__)) maple_tree_init(void)
{
	node_cachep = kmem_cache_create("maple_node", MT_NODE_SIZE, 64, SLAB_PANIC, NULL);
	small_cachep = kmem_cache_create("maple_node_small", MT_SMALL_SIZE, 64, SLAB_PANIC, NULL);
}

static inline struct maple_leaf *to_leaf(const struct maple_node *node)
{
	return container_of(node, struct maple_leaf, node);
}

static inline struct maple_inner *to_inner(const struct maple_node *node)
{
	return container_of(node, struct maple_inner, node);
}

/*
 * Pointers that a store may change. Acquire: pairs with the release in
 * mt_publish(). Without it a reader could see a node, or what the entry points
 * to, as it was before its initialisation.
 */
#define mt_fetch(p)		__atomic_load_n(&(p), __ATOMIC_ACQUIRE)

#define mt_publish(p, v)	rcu_assign_pointer(p, v)

/* Acquire: what is looked at afterwards is at least as new as the number. */
static __always_inline unsigned long mt_gen(const struct maple_tree *mt)
{
	return __atomic_load_n(&mt->ma_gen, __ATOMIC_ACQUIRE);
}

/* -- Looking up ----------------------------------------------------------------- */

/* The child whose addresses @key is among. The last one takes all that is left. */
static __always_inline unsigned int inner_slot(const struct maple_inner *inner, unsigned long key)
{
	unsigned int low = 0, n = inner->node.nr - 1, half;

	while (n) {
		half = n / 2;
		if (key > inner->child[low + half].last) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

/* The first range that ends at or behind @key; their number if none does. */
static __always_inline unsigned int leaf_slot(const struct maple_leaf *leaf, unsigned long key)
{
	unsigned int low = 0, n = leaf->node.nr, half;

	while (n) {
		half = n / 2;
		if (key > leaf->range[low + half].last) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

/**
 * mtree_load - the entry at an address
 * @mt: the tree
 * @index: the address
 *
 * Context: any; takes rcu_read_lock() itself. Returns NULL for a gap and for
 * XA_ZERO_ENTRY. The caller sees to it that the entry lives.
 */
void *mtree_load(struct maple_tree *mt, unsigned long index)
{
	const struct maple_node *node;
	const struct maple_leaf *leaf;
	void *entry = NULL;
	unsigned int slot;

	rcu_read_lock();
	node = mt_fetch(mt->ma_root);
	if (!node)
		goto out;
	while (node->height) {
		const struct maple_inner *inner = to_inner(node);

		node = mt_fetch(inner->child[inner_slot(inner, index)].node);
	}
	leaf = to_leaf(node);
	slot = leaf_slot(leaf, index);
	if (slot < node->nr && leaf->range[slot].first <= index)
		entry = mt_fetch(leaf->range[slot].entry);
	if (xa_is_zero(entry))
		entry = NULL;
out:
	rcu_read_unlock();
	return entry;
}

/* Go to the leaf that @key belongs to; NULL in an empty tree. */
static const struct maple_leaf *mas_descend(struct ma_state *mas, unsigned long key)
{
	const struct maple_node *node;
	unsigned int slot;

	mas->gen = mt_gen(mas->tree);
	mas->min = 0;
	mas->max = ULONG_MAX;
	node = mt_fetch(mas->tree->ma_root);
	while (node && node->height) {
		const struct maple_inner *inner = to_inner(node);

		slot = inner_slot(inner, key);
		if (slot)
			mas->min = inner->child[slot - 1].last + 1;
		if (slot + 1 < node->nr)
			mas->max = inner->child[slot].last;
		node = mt_fetch(inner->child[slot].node);
	}
	mas->node = node;
	return node ? to_leaf(node) : NULL;
}

/* As mas_descend(), if the leaf is not the one where the position is anyway. */
static inline const struct maple_leaf *mas_leaf(struct ma_state *mas, unsigned long key)
{
	if (mas->node && key >= mas->min && key <= mas->max && mas->gen == mt_gen(mas->tree))
		return to_leaf(mas->node);
	return mas_descend(mas, key);
}

/* Where a gap that is known to reach down to @min, the start of a leaf, begins in fact. */
static unsigned long mas_gap_start(const struct ma_state *mas, unsigned long min)
{
	struct ma_state left = { .tree = mas->tree };
	const struct maple_leaf *leaf;
	unsigned long last;

	if (!min)
		return 0;
	leaf = mas_descend(&left, min - 1);
	if (!leaf)
		return min;
	/* While stores run there may be something else: then say what is sure. */
	last = leaf->range[leaf->node.nr - 1].last;
	return last < min ? last + 1 : min;
}

/* The same for a gap that is known to reach up to @max, the end of a leaf. */
static unsigned long mas_gap_end(const struct ma_state *mas, unsigned long max)
{
	struct ma_state right = { .tree = mas->tree };
	const struct maple_leaf *leaf;

	if (max == ULONG_MAX)
		return max;
	leaf = mas_descend(&right, max + 1);
	if (!leaf || leaf->range[0].first <= max)
		return max;
	return leaf->range[0].first - 1;
}

/*
 * May what was seen at number @gen be put together with the leaf that the
 * position has just moved to? Stores that began after the number was read have
 * counted before anything of the next one can be seen: so at most one is visible
 * that has not. That one is no problem: either it reaches across the border
 * between the leaves, and then this side has all of its effect; or it has changed
 * one of the leaves only.
 */
static inline bool mas_still(const struct ma_state *mas, unsigned long gen)
{
	return mas->node && mt_gen(mas->tree) == gen;
}

enum seek_mode {
	SEEK_AT,	/* what is at the key is wanted too */
	SEEK_ON,	/* the same, and an answer that is a gap begins (ends) there */
	SEEK_SKIP,	/* what is at the key is not wanted */
};

/*
 * The first entry that ends at or behind @key, if it starts by @max; sets the
 * position to it, or else to the gap that reaches from @key to @max. When what
 * has to be skipped reaches to @max, the position is that.
 */
static void *mas_seek(struct ma_state *mas, unsigned long key, unsigned long max,
		      enum seek_mode mode)
{
	const struct maple_range *range;
	const struct maple_leaf *leaf;
	unsigned long gen, start, min, from;
	unsigned int slot;

	mas->status = ma_active;
again:
	leaf = mas_leaf(mas, key);
	if (!leaf) {
		mas->index = mode == SEEK_ON ? key : 0;
		mas->last = ULONG_MAX;
		return NULL;
	}
	gen = mas->gen;
	min = mas->min;
	slot = leaf_slot(leaf, key);
	/* Where the gap starts, if there is one; as far as this leaf knows. */
	start = slot ? leaf->range[slot - 1].last + 1 : min;
	if (mode == SEEK_ON) {
		start = key;
	} else if (mode == SEEK_SKIP && slot < leaf->node.nr && leaf->range[slot].first <= key) {
		range = &leaf->range[slot++];
		if (range->last >= max) {
			mas->index = range->first;
			mas->last = range->last;
			return NULL;
		}
		start = range->last + 1;
	}

	while (slot == leaf->node.nr) {
		if (mas->max == ULONG_MAX) {
			mas->last = ULONG_MAX;
			goto gap;
		}
		from = mas->max + 1;
		leaf = mas_descend(mas, from);
		if (!mas_still(mas, gen)) {
			mas->node = NULL;
			goto again;
		}
		slot = leaf_slot(leaf, from);
	}

	range = &leaf->range[slot];
	if (range->first <= max) {
		mas->index = range->first;
		mas->last = range->last;
		return mt_fetch(range->entry);
	}
	mas->last = range->first - 1;
gap:
	mas->index = start == min && mode != SEEK_ON ? mas_gap_start(mas, min) : start;
	return NULL;
}

/*
 * The last entry that starts at or before @key, if it ends at or behind @min;
 * sets the position to it, or else to the gap that reaches from @min to @key.
 * When what has to be skipped reaches to @min, the position is that.
 */
static void *mas_seek_back(struct ma_state *mas, unsigned long key, unsigned long min,
			   enum seek_mode mode)
{
	const struct maple_range *range;
	const struct maple_leaf *leaf;
	unsigned long gen, end, max, from;
	unsigned int nr;

	mas->status = ma_active;
again:
	from = key;
	leaf = mas_leaf(mas, from);
	if (!leaf) {
		mas->index = 0;
		mas->last = mode == SEEK_ON ? key : ULONG_MAX;
		return NULL;
	}
	gen = mas->gen;
	max = mas->max;
	/* So many start at or before. */
	nr = leaf_slot(leaf, key);
	if (nr < leaf->node.nr && leaf->range[nr].first <= key)
		nr++;
	/* Where the gap ends, if there is one; as far as this leaf knows. */
	end = nr < leaf->node.nr ? leaf->range[nr].first - 1 : max;
	if (mode == SEEK_ON) {
		end = key;
	} else if (mode == SEEK_SKIP && nr && leaf->range[nr - 1].last >= key) {
		range = &leaf->range[--nr];
		if (range->first <= min) {
			mas->index = range->first;
			mas->last = range->last;
			return NULL;
		}
		end = range->first - 1;
	}

	while (!nr) {
		if (!mas->min) {
			mas->index = 0;
			goto gap;
		}
		from = mas->min - 1;
		leaf = mas_descend(mas, from);
		if (!mas_still(mas, gen)) {
			mas->node = NULL;
			goto again;
		}
		nr = leaf_slot(leaf, from);
		if (nr < leaf->node.nr && leaf->range[nr].first <= from)
			nr++;
	}

	range = &leaf->range[nr - 1];
	if (range->last >= min) {
		mas->index = range->first;
		mas->last = range->last;
		return mt_fetch(range->entry);
	}
	mas->index = range->last + 1;
gap:
	mas->last = end == max && mode != SEEK_ON ? mas_gap_end(mas, max) : end;
	return NULL;
}

/**
 * mas_walk - look at one address
 * @mas: the position; ->index is the address
 *
 * Sets the position to the entry's range, or that of the gap. Context: as said
 * in the header, for all of mas_*(). Returns the entry, or NULL for a gap.
 */
void *mas_walk(struct ma_state *mas)
{
	return mas_seek(mas, mas->index, mas->index, SEEK_AT);
}

/**
 * mas_find - the first entry from an address on, or the next one
 * @mas: fresh: an entry at ->index is found too; else the search continues
 *	behind ->last
 * @max: an entry has to start by that
 *
 * Returns the entry, with its range in @mas; or NULL, and the position stays, or
 * is the gap that contains @max.
 */
void *mas_find(struct ma_state *mas, unsigned long max)
{
	switch (mas->status) {
	case ma_start:
		return mas->index > max ? NULL : mas_seek(mas, mas->index, max, SEEK_AT);
	case ma_underflow:
		/* It stands before what is at its place, */
		if (mas->index < max)
			return mas_seek(mas, mas->index, max, SEEK_AT);
		mas->status = ma_overflow;
		return NULL;
	case ma_overflow:
		/* or did not come further for a limit that was lower. */
		return mas->last < max ? mas_seek(mas, mas->index, max, SEEK_AT) : NULL;
	case ma_active:
	case ma_pause:
		break;
	}
	return mas->last < max ? mas_seek(mas, mas->last + 1, max, SEEK_ON) : NULL;
}

/**
 * mas_next - the entry behind
 * @mas: the position; fresh: behind what is at ->index
 * @max: an entry has to start by that
 *
 * Returns as mas_find(). After NULL, mas_prev() gives what is at the position.
 */
void *mas_next(struct ma_state *mas, unsigned long max)
{
	void *entry;

	if (mas->last >= max) {
		mas->status = ma_overflow;
		return NULL;
	}
	if (mas->status == ma_underflow)
		entry = mas_seek(mas, mas->index, max, SEEK_AT);
	else if (mas->status == ma_start || mas->status == ma_pause)
		entry = mas_seek(mas, mas->index, max, SEEK_SKIP);
	else
		entry = mas_seek(mas, mas->last + 1, max, SEEK_ON);
	if (!entry)
		mas->status = ma_overflow;
	return entry;
}

/**
 * mas_prev - the entry before
 * @mas: the position; fresh: before what is at ->index
 * @min: an entry has to end at or behind that
 *
 * Returns the entry, with its range in @mas; or NULL, and the position stays, or
 * is the gap that contains @min. After NULL, mas_next() gives what is at the
 * position.
 */
void *mas_prev(struct ma_state *mas, unsigned long min)
{
	void *entry;

	if (mas->index <= min) {
		mas->status = ma_underflow;
		return NULL;
	}
	if (mas->status == ma_overflow)
		entry = mas_seek_back(mas, mas->index, min, SEEK_AT);
	else if (mas->status == ma_start || mas->status == ma_pause)
		entry = mas_seek_back(mas, mas->index, min, SEEK_SKIP);
	else
		entry = mas_seek_back(mas, mas->index - 1, min, SEEK_ON);
	if (!entry)
		mas->status = ma_underflow;
	return entry;
}

/**
 * mt_find - the first entry from an address on
 * @mt: the tree
 * @index: the address; on success moved behind the entry
 * @max: an entry has to start by that
 *
 * Skips XA_ZERO_ENTRY. Context: any; takes rcu_read_lock() itself. Returns the
 * entry or NULL.
 */
void *mt_find(struct maple_tree *mt, unsigned long *index, unsigned long max)
{
	MA_STATE(mas, mt, *index, *index);
	void *entry;

	rcu_read_lock();
	do {
		entry = mas_find(&mas, max);
	} while (xa_is_zero(entry));
	rcu_read_unlock();
	if (entry)
		*index = mas.last + 1;
	return entry;
}

/* mt_find() once more. An @index of 0 means that the previous entry was the last. */
void *mt_find_after(struct maple_tree *mt, unsigned long *index, unsigned long max)
{
	return *index ? mt_find(mt, index, max) : NULL;
}

/* Are there no gaps of @size in [min, max] for a start? */
static bool gap_args_invalid(unsigned long min, unsigned long max, unsigned long size)
{
	return min > max || !size || size - 1 > max - min;
}

/**
 * mas_empty_area - the lowest gap of a size
 * @mas: on success set to it
 * @min: it lies in [@min, @max]
 * @max: inclusive
 * @size: wanted
 *
 * Looks at one entry after the other. Returns 0, -EBUSY when there is none, or
 * -EINVAL.
 */
int mas_empty_area(struct ma_state *mas, unsigned long min, unsigned long max, unsigned long size)
{
	void *entry;

	if (gap_args_invalid(min, max, size))
		return -EINVAL;
	for (;;) {
		entry = mas_seek(mas, min, max, SEEK_ON);
		if (!entry || mas->index > min) {
			unsigned long end = entry ? mas->index - 1 : max;

			if (end - min >= size - 1) {
				mas_set_range(mas, min, min + size - 1);
				return 0;
			}
		}
		if (!entry || mas->last >= max)
			return -EBUSY;
		min = mas->last + 1;
	}
}

/* As mas_empty_area(), the highest gap, and in that the highest addresses. */
int mas_empty_area_rev(struct ma_state *mas, unsigned long min, unsigned long max,
		       unsigned long size)
{
	void *entry;

	if (gap_args_invalid(min, max, size))
		return -EINVAL;
	for (;;) {
		entry = mas_seek_back(mas, max, min, SEEK_ON);
		if (!entry || mas->last < max) {
			unsigned long start = entry ? mas->last + 1 : min;

			if (max - start >= size - 1) {
				mas_set_range(mas, max - size + 1, max);
				return 0;
			}
		}
		if (!entry || mas->index <= min)
			return -EBUSY;
		max = mas->index - 1;
	}
}

/* -- Nodes ------------------------------------------------------------------------ */

static struct maple_node *node_alloc(bool small, gfp_t gfp)
{
	struct maple_node *node = kmem_cache_alloc(small ? small_cachep : node_cachep, gfp);

	if (node)
		node->small = small;
	return node;
}

static void node_free(struct maple_node *node)
{
	kmem_cache_free(node->small ? small_cachep : node_cachep, node);
}

static void chain_free(struct maple_node *node)
{
	struct maple_node *next;

	for (; node; node = next) {
		next = node->chain;
		node_free(node);
	}
}

static void chain_free_rcu(struct rcu_head *head)
{
	chain_free(container_of(head, struct maple_node, rcu));
}

static void chain_add(struct maple_node **chain, struct maple_node *node)
{
	node->chain = *chain;
	*chain = node;
}

/* @node and all below. */
static void chain_add_subtree(struct maple_node **chain, struct maple_node *node)
{
	unsigned int i;

	if (node->height)
		for (i = 0; i < node->nr; i++)
			chain_add_subtree(chain, to_inner(node)->child[i].node);
	chain_add(chain, node);
}

/* Free nodes that readers may still look at. */
static void chain_retire(struct maple_tree *mt, struct maple_node *chain)
{
	if (!chain)
		return;
	if (mt_in_rcu(mt))
		call_rcu(&chain->rcu, chain_free_rcu);
	else
		chain_free(chain);
}

/* After a publication: see mt_gen(). */
static void mt_count_store(struct maple_tree *mt)
{
	__atomic_store_n(&mt->ma_gen, mt->ma_gen + 1, __ATOMIC_RELEASE);
}

/* -- Storing ------------------------------------------------------------------------ */

/* A node on the way down, and the child that the way goes on with. */
struct store_step {
	struct maple_node *node;
	unsigned int slot;
};

/*
 * What happens on one level: the nodes from that of @first to that of @last, and
 * maybe a neighbour, are replaced by @nr_new nodes for @total items:
 *
 *	all of @pre, @keep_low items of the first, the new ones, @keep_high items
 *	of the last, all of @post
 */
struct store_level {
	struct maple_node *pre, *post;
	unsigned int keep_low, keep_high;
	unsigned int total;
	unsigned int nr_new;
};

enum store_kind {
	STORE_NOTHING,		/* erase what is a gap */
	STORE_EXACT,		/* another entry for a range that there is */
	STORE_BUILD,
};

struct store {
	struct maple_tree *mt;
	unsigned long first, last;
	void *entry;
	enum store_kind kind;
	int height;			/* of the root; -1: empty tree */
	int top;			/* the level where one node replaces one */
	unsigned long min, max;		/* addresses of the leaves involved */
	struct store_step low[MT_MAX_HEIGHT], high[MT_MAX_HEIGHT];
	struct store_level level[MT_MAX_HEIGHT];
	unsigned int need, need_small;
};

static void store_descend(struct store *store)
{
	struct maple_node *low = store->mt->ma_root, *high = low;
	int h;

	store->height = low ? low->height : -1;
	BUG_ON(store->height >= MT_MAX_HEIGHT);
	store->min = 0;
	store->max = ULONG_MAX;
	for (h = store->height; h > 0; h--) {
		struct maple_inner *inner = to_inner(low);
		unsigned int slot = inner_slot(inner, store->first);

		store->low[h] = (struct store_step) { low, slot };
		if (slot)
			store->min = inner->child[slot - 1].last + 1;
		low = inner->child[slot].node;

		inner = to_inner(high);
		slot = inner_slot(inner, store->last);
		store->high[h] = (struct store_step) { high, slot };
		if (slot + 1 < high->nr)
			store->max = inner->child[slot].last;
		high = inner->child[slot].node;
	}
	store->low[0].node = low;
	store->high[0].node = high;
}

/* What the leaves keep. Leaves the kind in store->kind. */
static void store_plan_leaves(struct store *store)
{
	struct maple_leaf *low = to_leaf(store->low[0].node), *high = to_leaf(store->high[0].node);
	struct store_level *level = &store->level[0];
	unsigned int a = leaf_slot(low, store->first), b = leaf_slot(high, store->last);
	const struct maple_range *range = &low->range[a];

	store->low[0].slot = a;
	store->high[0].slot = b;
	store->kind = STORE_BUILD;
	if (low == high) {
		if (a == low->node.nr || range->first > store->last) {
			if (!store->entry)
				store->kind = STORE_NOTHING;
		} else if (store->entry && range->first == store->first &&
			   range->last == store->last) {
			store->kind = STORE_EXACT;
		}
	}

	/* One that begins before, or ends behind, is kept in part; maybe one does both. */
	level->keep_low = a + (a < low->node.nr && range->first < store->first);
	level->keep_high = high->node.nr - b;
	if (b < high->node.nr && high->range[b].last == store->last)
		level->keep_high--;
	level->total = level->keep_low + !!store->entry + level->keep_high;
}

/*
 * A neighbour to share with: when one node too few is there for the items, two
 * nodes may do with what is in the neighbour; when few items are left, one node
 * may do for both. Neighbours are children of the same node.
 */
static void store_plan_neighbour(struct store *store, int h, unsigned int capacity)
{
	struct store_level *level = &store->level[h];
	struct store_step *low = &store->low[h + 1], *high = &store->high[h + 1];
	struct maple_node *pre, *post;
	unsigned int limit, before = store->low[h].node->nr;

	if (store->low[h].node != store->high[h].node)
		before += store->high[h].node->nr;
	/* Not filled to the brim, so that the next store finds room, or items left. */
	if (level->total > capacity)
		limit = 2 * capacity - 2;
	else if (level->total && level->total < before && level->total < capacity / 4)
		limit = capacity * 3 / 4;
	else
		return;

	pre = low->slot ? to_inner(low->node)->child[low->slot - 1].node : NULL;
	post = high->slot + 1 < high->node->nr ?
		to_inner(high->node)->child[high->slot + 1].node : NULL;
	if (pre && pre->nr + level->total <= limit) {
		level->pre = pre;
		level->total += pre->nr;
	} else if (post && post->nr + level->total <= limit) {
		level->post = post;
		level->total += post->nr;
	}
}

/* Find out what a store does, and how many nodes it needs. Changes nothing. */
static void store_plan(struct store *store)
{
	struct store_level *level;
	unsigned int capacity;
	int h;

	store->need = 0;
	store->need_small = 0;
	store->top = 0;
	store_descend(store);
	if (store->height < 0) {
		store->kind = store->entry ? STORE_BUILD : STORE_NOTHING;
		store->need_small = !!store->entry;
		return;
	}
	store_plan_leaves(store);
	if (store->kind != STORE_BUILD)
		return;

	for (h = 0; ; h++) {
		level = &store->level[h];
		level->pre = NULL;
		level->post = NULL;
		if (h) {
			const struct store_level *below = level - 1;

			level->keep_low = store->low[h].slot - !!below->pre;
			level->keep_high = store->high[h].node->nr - store->high[h].slot - 1 -
					   !!below->post;
			level->total = level->keep_low + below->nr_new + level->keep_high;
		}
		capacity = h ? MT_INNER_SLOTS : MT_LEAF_SLOTS;
		if (h < store->height)
			store_plan_neighbour(store, h, capacity);
		level->nr_new = DIV_ROUND_UP(level->total, capacity);
		store->need += level->nr_new;
		if (h == store->height ||
		    (level->nr_new == 1 && store->low[h].node == store->high[h].node &&
		     !level->pre && !level->post))
			break;
	}
	store->top = h;
	if (h < store->height)
		return;
	if (level->nr_new > 1) {
		/* A root above. */
		store->need++;
	} else if (!h && level->nr_new && level->total <= MT_SMALL_SLOTS) {
		store->need = 0;
		store->need_small = 1;
	}
}

/* Have what the plan needs in @mas. Returns 0 or -ENOMEM, then @mas has what it had. */
static int store_alloc(struct store *store, struct ma_state *mas, gfp_t gfp)
{
	struct maple_node *node, *big = NULL, *small = NULL;
	unsigned int have = 0;

	for (node = mas->alloc; node; node = node->chain)
		have++;
	for (; have < store->need; have++) {
		node = node_alloc(false, gfp);
		if (!node)
			goto nomem;
		chain_add(&big, node);
	}
	if (store->need_small && !mas->alloc_small) {
		small = node_alloc(true, gfp);
		if (!small)
			goto nomem;
		chain_add(&mas->alloc_small, small);
	}
	while (big) {
		node = big;
		big = node->chain;
		chain_add(&mas->alloc, node);
	}
	return 0;

nomem:
	chain_free(big);
	return -ENOMEM;
}

static struct maple_node *store_take(struct maple_node **chain, int height, unsigned int nr)
{
	struct maple_node *node = *chain;

	*chain = node->chain;
	node->height = height;
	node->nr = nr;
	return node;
}

/*
 * How many of @left items go into the next of @nodes new nodes. Even, but where
 * entries are added at an end of the whole tree the node there is the one that
 * is not full: the next ones go there too.
 */
static unsigned int store_share(const struct store *store, const struct store_level *level,
				unsigned int capacity, unsigned int left, unsigned int nodes)
{
	if (nodes == 2 && left == level->total && !level->pre && !level->post && store->entry) {
		if (!level->keep_high && store->max == ULONG_MAX)
			return capacity;
		if (!level->keep_low && !store->min)
			return left - capacity;
	}
	return DIV_ROUND_UP(left, nodes);
}

/* Build the leaves, as what the level above will have as children. */
static void store_build_leaves(struct store *store, struct ma_state *mas,
			       struct maple_child *out)
{
	struct maple_range items[2 * MT_LEAF_SLOTS + 2], *item = items;
	struct store_level *level = &store->level[0];
	const struct maple_leaf *low = to_leaf(store->low[0].node);
	const struct maple_leaf *high = to_leaf(store->high[0].node);
	unsigned int i, n, left = level->total;

	if (level->pre)
		for (i = 0; i < level->pre->nr; i++)
			*item++ = to_leaf(level->pre)->range[i];
	for (i = 0; i < level->keep_low; i++)
		*item++ = low->range[i];
	/* Clip what reaches in from the left. */
	if (i && item[-1].last >= store->first)
		item[-1].last = store->first - 1;
	if (store->entry)
		*item++ = (struct maple_range) { store->first, store->last, store->entry };
	for (i = high->node.nr - level->keep_high; i < high->node.nr; i++) {
		*item = high->range[i];
		if (item->first <= store->last)
			item->first = store->last + 1;
		item++;
	}
	if (level->post)
		for (i = 0; i < level->post->nr; i++)
			*item++ = to_leaf(level->post)->range[i];

	item = items;
	for (i = 0; i < level->nr_new; i++) {
		struct maple_node *node;

		n = store_share(store, level, MT_LEAF_SLOTS, left, level->nr_new - i);
		node = store_take(store->need_small ? &mas->alloc_small : &mas->alloc, 0, n);
		memcpy(to_leaf(node)->range, item, n * sizeof(*item));
		item += n;
		left -= n;
		out[i] = (struct maple_child) { item[-1].last, node };
	}
}

/* The same for the nodes of level @h, of which @out has the new children. */
static void store_build_inner(struct store *store, struct ma_state *mas, int h,
			      struct maple_child *out)
{
	struct maple_child items[2 * MT_INNER_SLOTS + 2], *item = items;
	struct store_level *level = &store->level[h];
	const struct store_level *below = level - 1;
	const struct maple_inner *low = to_inner(store->low[h].node);
	const struct maple_inner *high = to_inner(store->high[h].node);
	unsigned int i, n, left = level->total;
	/* Where the addresses of what is replaced end. */
	unsigned long last = high->child[store->high[h].slot + !!below->post].last;

	if (level->pre)
		for (i = 0; i < level->pre->nr; i++)
			*item++ = to_inner(level->pre)->child[i];
	for (i = 0; i < level->keep_low; i++)
		*item++ = low->child[i];
	for (i = 0; i < below->nr_new; i++)
		*item++ = out[i];
	/* With nothing to replace them, their addresses go to a neighbour. */
	if (below->nr_new || (level->keep_low && !level->keep_high))
		item[-1].last = last;
	for (i = high->node.nr - level->keep_high; i < high->node.nr; i++)
		*item++ = high->child[i];
	if (level->post)
		for (i = 0; i < level->post->nr; i++)
			*item++ = to_inner(level->post)->child[i];

	item = items;
	for (i = 0; i < level->nr_new; i++) {
		struct maple_node *node;

		n = store_share(store, level, MT_INNER_SLOTS, left, level->nr_new - i);
		node = store_take(&mas->alloc, h, n);
		memcpy(to_inner(node)->child, item, n * sizeof(*item));
		item += n;
		left -= n;
		out[i] = (struct maple_child) { item[-1].last, node };
	}
}

/* What a store has replaced. After the publication: till then readers come by. */
static void store_collect(struct store *store, struct maple_node **dead)
{
	unsigned int i, end;
	int h;

	for (h = 0; h <= store->top && store->height >= 0; h++) {
		struct store_step *low = &store->low[h], *high = &store->high[h];

		/* Children between the ends go with all that is below them. */
		if (h && low->node == high->node) {
			for (i = low->slot + 1; i < high->slot; i++)
				chain_add_subtree(dead, to_inner(low->node)->child[i].node);
		} else if (h) {
			end = low->node->nr;
			for (i = low->slot + 1; i < end; i++)
				chain_add_subtree(dead, to_inner(low->node)->child[i].node);
			for (i = 0; i < high->slot; i++)
				chain_add_subtree(dead, to_inner(high->node)->child[i].node);
		}
		if (store->level[h].pre)
			chain_add(dead, store->level[h].pre);
		if (store->level[h].post)
			chain_add(dead, store->level[h].post);
		chain_add(dead, low->node);
		if (high->node != low->node)
			chain_add(dead, high->node);
	}
}

/* Do what was planned, with the nodes in @mas. */
static void store_commit(struct store *store, struct ma_state *mas)
{
	/* A level makes at most three nodes of two; one more than it takes. */
	struct maple_child new[4];
	struct maple_tree *mt = store->mt;
	struct maple_node *root, *dead = NULL;
	unsigned int nr;
	int h;

	if (store->kind == STORE_NOTHING)
		return;
	if (store->kind == STORE_EXACT) {
		mt_publish(to_leaf(store->low[0].node)->range[store->low[0].slot].entry,
			   store->entry);
		return;
	}
	if (store->height < 0) {
		root = store_take(&mas->alloc_small, 0, 1);
		to_leaf(root)->range[0] = (struct maple_range) {
			store->first, store->last, store->entry
		};
		mt_publish(mt->ma_root, root);
		mt_count_store(mt);
		return;
	}

	store_build_leaves(store, mas, new);
	for (h = 1; h <= store->top; h++)
		store_build_inner(store, mas, h, new);

	nr = store->level[store->top].nr_new;
	if (store->top < store->height) {
		struct store_step *above = &store->low[store->top + 1];

		mt_publish(to_inner(above->node)->child[above->slot].node, new[0].node);
	} else {
		root = nr ? new[0].node : NULL;
		if (nr > 1) {
			new[nr - 1].last = ULONG_MAX;
			root = store_take(&mas->alloc, store->top + 1, nr);
			memcpy(to_inner(root)->child, new, nr * sizeof(*new));
		}
		/* A root with one child is not needed. */
		while (root && root->height && root->nr == 1) {
			chain_add(&dead, root);
			root = to_inner(root)->child[0].node;
		}
		mt_publish(mt->ma_root, root);
	}
	mt_count_store(mt);
	store_collect(store, &dead);
	chain_retire(mt, dead);
}

static void store_init(struct store *store, const struct ma_state *mas, void *entry)
{
	store->mt = mas->tree;
	store->first = mas->index;
	store->last = mas->last;
	store->entry = entry;
	store_plan(store);
}

/**
 * mas_store_gfp - make a range have an entry
 * @mas: [->index, ->last] is the range
 * @entry: the entry; NULL erases
 * @gfp: for nodes
 *
 * Whatever the range had is replaced; entries that reach over an end of it keep
 * the rest. Then the position is the range.
 *
 * Context: as @gfp allows; the caller is the only writer. Returns 0, or -ENOMEM
 * or -EINVAL (an empty range) with nothing changed.
 */
int mas_store_gfp(struct ma_state *mas, void *entry, gfp_t gfp)
{
	struct store store;
	int ret;

	if (WARN_ON_ONCE(mas->index > mas->last))
		return -EINVAL;
	store_init(&store, mas, entry);
	ret = store_alloc(&store, mas, gfp);
	if (!ret) {
		store_commit(&store, mas);
		mas->status = ma_active;
		mas->node = NULL;
	}
	mas_destroy(mas);
	return ret;
}

/**
 * mas_preallocate - make sure that a store will not fail
 * @mas: as for mas_store_gfp()
 * @entry: the same
 * @gfp: for nodes
 *
 * Puts by, in @mas, what the store needs if the tree does not change. Ends with
 * mas_store_prealloc() or mas_destroy().
 *
 * Context: as mas_store_gfp(). Returns 0 or -ENOMEM.
 */
int mas_preallocate(struct ma_state *mas, void *entry, gfp_t gfp)
{
	struct store store;
	int ret;

	store_init(&store, mas, entry);
	ret = store_alloc(&store, mas, gfp);
	if (ret)
		mas_destroy(mas);
	return ret;
}

/**
 * mas_store_prealloc - the store that mas_preallocate() was for
 * @mas: the same; the range may have been set again
 * @entry: as for mas_store_gfp()
 *
 * When it is another store after all, or the tree has changed, what is missing is
 * allocated with __GFP_NOFAIL.
 *
 * Context: as mas_store_gfp().
 */
void mas_store_prealloc(struct ma_state *mas, void *entry)
{
	int ret = mas_store_gfp(mas, entry, GFP_KERNEL | __GFP_NOFAIL);

	BUG_ON(ret);
}

/**
 * mas_destroy - free what mas_preallocate() has put by
 * @mas: the position; usable on
 */
void mas_destroy(struct ma_state *mas)
{
	chain_free(mas->alloc);
	chain_free(mas->alloc_small);
	mas->alloc = NULL;
	mas->alloc_small = NULL;
}

/**
 * mas_erase - erase the entry at an address
 * @mas: ->index is the address; then the range that the entry had
 *
 * Nodes are allocated with __GFP_NOFAIL. Context: as mas_store_gfp(). Returns the
 * entry, or NULL.
 */
void *mas_erase(struct ma_state *mas)
{
	void *entry = mas_walk(mas);

	if (entry)
		mas_store_prealloc(mas, NULL);
	return entry;
}

/**
 * mtree_store_range - mas_store_gfp() without a position
 * @mt: the tree
 * @first: the range
 * @last: the range, inclusive
 * @entry: NULL erases
 * @gfp: for nodes
 *
 * Returns 0, -ENOMEM, or -EINVAL.
 */
int mtree_store_range(struct maple_tree *mt, unsigned long first, unsigned long last,
		      void *entry, gfp_t gfp)
{
	MA_STATE(mas, mt, first, last);

	if (first > last)
		return -EINVAL;
	return mas_store_gfp(&mas, entry, gfp);
}

/* As mtree_store_range(), if all of the range is a gap: else -EEXIST. */
int mtree_insert_range(struct maple_tree *mt, unsigned long first, unsigned long last,
		       void *entry, gfp_t gfp)
{
	MA_STATE(mas, mt, first, last);

	if (first > last)
		return -EINVAL;
	if (mas_find(&mas, last))
		return -EEXIST;
	mas_set_range(&mas, first, last);
	return mas_store_gfp(&mas, entry, gfp);
}

/* mas_erase() without a position. */
void *mtree_erase(struct maple_tree *mt, unsigned long index)
{
	MA_STATE(mas, mt, index, index);

	return mas_erase(&mas);
}

/**
 * mtree_destroy - erase everything
 * @mt: the tree; empty and usable afterwards
 *
 * Entries are the caller's. Context: the only writer; does not fail.
 */
void mtree_destroy(struct maple_tree *mt)
{
	struct maple_node *root = mt->ma_root, *dead = NULL;

	if (!root)
		return;
	mt_publish(mt->ma_root, (struct maple_node *)NULL);
	mt_count_store(mt);
	chain_add_subtree(&dead, root);
	chain_retire(mt, dead);
}

static struct maple_node *dup_subtree(const struct maple_node *node, gfp_t gfp)
{
	struct maple_node *dead = NULL, *new = node_alloc(node->small, gfp), *child;
	unsigned int i;

	if (!new)
		return NULL;
	new->height = node->height;
	new->nr = 0;
	if (!node->height) {
		memcpy(to_leaf(new)->range, to_leaf(node)->range,
		       node->nr * sizeof(struct maple_range));
		new->nr = node->nr;
		return new;
	}
	for (i = 0; i < node->nr; i++) {
		child = dup_subtree(to_inner(node)->child[i].node, gfp);
		if (!child) {
			chain_add_subtree(&dead, new);
			chain_free(dead);
			return NULL;
		}
		to_inner(new)->child[i] = (struct maple_child) {
			to_inner(node)->child[i].last, child
		};
		new->nr++;
	}
	return new;
}

/**
 * __mt_dup - copy a tree
 * @mt: from
 * @new: to; empty
 * @gfp: for nodes
 *
 * The entries are those of @mt. Readers of @new find it empty or complete.
 *
 * Context: as @gfp allows; the only writer of both. Returns 0; -ENOMEM, with @new
 * empty; -EINVAL when it was not.
 */
int __mt_dup(struct maple_tree *mt, struct maple_tree *new, gfp_t gfp)
{
	struct maple_node *root;

	if (new->ma_root)
		return -EINVAL;
	if (!mt->ma_root)
		return 0;
	root = dup_subtree(mt->ma_root, gfp);
	if (!root)
		return -ENOMEM;
	mt_publish(new->ma_root, root);
	mt_count_store(new);
	return 0;
}
