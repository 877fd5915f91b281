/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_RBTREE_H
#define _KSHIM_LINUX_RBTREE_H
/*
 * Different implementation of red-black trees, see kshim/rbtree.c. The caller
 * walks down to find the place of a node, links it there, and has the tree
 * rebalanced. No function sleeps or allocates; the caller keeps others out.
 * Not for lockless readers.
 */
#include <linux/container_of.h>
#include <linux/stddef.h>
#include <linux/types.h>

struct rb_node {
	/* The parent; bit 0 set: black. A node in no tree points to itself. */
	unsigned long __rb_parent_color;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
} __aligned(sizeof(long));

struct rb_root {
	struct rb_node *rb_node;
};

/* A root that also knows its smallest node. */
struct rb_root_cached {
	struct rb_root rb_root;
	struct rb_node *rb_leftmost;
};

#define RB_ROOT			((struct rb_root) { NULL })
#define RB_ROOT_CACHED		((struct rb_root_cached) { { NULL }, NULL })
#define RB_EMPTY_ROOT(root)	(READ_ONCE((root)->rb_node) == NULL)
#define RB_EMPTY_NODE(node)	((node)->__rb_parent_color == (unsigned long)(node))
#define RB_CLEAR_NODE(node)	((node)->__rb_parent_color = (unsigned long)(node))

#define rb_parent(node)		((struct rb_node *)((node)->__rb_parent_color & ~1UL))
#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define rb_entry_safe(ptr, type, member)					\
({										\
	__typeof__(ptr) __rb_ptr = (ptr);					\
	__rb_ptr ? rb_entry(__rb_ptr, type, member) : NULL;			\
})

/* Rebalance after rb_link_node(). */
void rb_insert_color(struct rb_node *node, struct rb_root *root);
/* Take a node out. Its fields are left as they are. */
void rb_erase(struct rb_node *node, struct rb_root *root);

/* Neighbours in order, and ends; NULL when there is none. */
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);

/* Children before parents. */
struct rb_node *rb_first_postorder(const struct rb_root *root);
struct rb_node *rb_next_postorder(const struct rb_node *node);

/* Put @node in the place, and colour, of @victim. */
void rb_replace_node(struct rb_node *victim, struct rb_node *node, struct rb_root *root);

static inline void rb_link_node(struct rb_node *node, struct rb_node *parent,
				struct rb_node **link)
{
	/* Red, and without children. */
	node->__rb_parent_color = (unsigned long)parent;
	node->rb_left = NULL;
	node->rb_right = NULL;
	*link = node;
}

#define rb_first_cached(root)	((root)->rb_leftmost)

static inline void rb_insert_color_cached(struct rb_node *node, struct rb_root_cached *root,
					  bool leftmost)
{
	if (leftmost)
		root->rb_leftmost = node;
	rb_insert_color(node, &root->rb_root);
}

/* Returns the new smallest node if @node was it, otherwise NULL. */
static inline struct rb_node *rb_erase_cached(struct rb_node *node, struct rb_root_cached *root)
{
	struct rb_node *leftmost = NULL;

	if (root->rb_leftmost == node)
		leftmost = root->rb_leftmost = rb_next(node);
	rb_erase(node, &root->rb_root);
	return leftmost;
}

/* @pos may be freed in the loop, which must not rebalance. */
#define rbtree_postorder_for_each_entry_safe(pos, n, root, field)		\
	for ((pos) = rb_entry_safe(rb_first_postorder(root), __typeof__(*(pos)), field); \
	     (pos) && ((n) = rb_entry_safe(rb_next_postorder(&(pos)->field),	\
					   __typeof__(*(pos)), field), 1);	\
	     (pos) = (n))

#endif
