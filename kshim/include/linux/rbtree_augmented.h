/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_RBTREE_AUGMENTED_H
#define _KSHIM_LINUX_RBTREE_AUGMENTED_H
/*
 * Different implementation of red-black trees whose nodes keep a value about
 * their subtree. Before rb_insert_augmented() the caller has set the value of
 * the new node and has updated those of its ancestors.
 */
#include <linux/rbtree.h>

/**
 * struct rb_augment_callbacks - how to keep the values right
 * @propagate: recompute from a node upwards until @stop, or nothing changes
 * @copy: @new takes the place of @old, with the same subtree
 * @rotate: @new has taken the place of @old, which is its child now
 */
struct rb_augment_callbacks {
	void (*propagate)(struct rb_node *node, struct rb_node *stop);
	void (*copy)(struct rb_node *old, struct rb_node *new);
	void (*rotate)(struct rb_node *old, struct rb_node *new);
};

void rb_insert_augmented(struct rb_node *node, struct rb_root *root,
			 const struct rb_augment_callbacks *augment);
void rb_erase_augmented(struct rb_node *node, struct rb_root *root,
			const struct rb_augment_callbacks *augment);

static inline void rb_insert_augmented_cached(struct rb_node *node, struct rb_root_cached *root,
					      bool leftmost,
					      const struct rb_augment_callbacks *augment)
{
	if (leftmost)
		root->rb_leftmost = node;
	rb_insert_augmented(node, &root->rb_root, augment);
}

static inline void rb_erase_augmented_cached(struct rb_node *node, struct rb_root_cached *root,
					     const struct rb_augment_callbacks *augment)
{
	if (root->rb_leftmost == node)
		root->rb_leftmost = rb_next(node);
	rb_erase_augmented(node, &root->rb_root, augment);
}

/*
 * RB_DECLARE_CALLBACKS - define callbacks for a struct
 * @RBSTATIC: static or empty
 * @RBNAME: of the struct rb_augment_callbacks
 * @RBSTRUCT: the struct
 * @RBFIELD: its rb_node
 * @RBAUGMENTED: its value
 * @RBCOMPUTE: bool (struct *, bool exit): sets the value from the node and its
 *	children; with @exit, returns true instead when it is right already
 */
#define RB_DECLARE_CALLBACKS(RBSTATIC, RBNAME, RBSTRUCT, RBFIELD, RBAUGMENTED, RBCOMPUTE) \
static inline void RBNAME##_propagate(struct rb_node *rb, struct rb_node *stop)	\
{										\
	for (; rb != stop; rb = rb_parent(rb))					\
		if (RBCOMPUTE(rb_entry(rb, RBSTRUCT, RBFIELD), true))		\
			return;							\
}										\
static inline void RBNAME##_copy(struct rb_node *rb_old, struct rb_node *rb_new) \
{										\
	rb_entry(rb_new, RBSTRUCT, RBFIELD)->RBAUGMENTED =			\
		rb_entry(rb_old, RBSTRUCT, RBFIELD)->RBAUGMENTED;		\
}										\
static void RBNAME##_rotate(struct rb_node *rb_old, struct rb_node *rb_new)	\
{										\
	RBNAME##_copy(rb_old, rb_new);						\
	RBCOMPUTE(rb_entry(rb_old, RBSTRUCT, RBFIELD), false);			\
}										\
RBSTATIC const struct rb_augment_callbacks RBNAME = {				\
	.propagate = RBNAME##_propagate,					\
	.copy = RBNAME##_copy,							\
	.rotate = RBNAME##_rotate,						\
};

/*
 * RB_DECLARE_CALLBACKS_MAX - the same where the value is a maximum
 * @RBTYPE: of the value
 * @RBCOMPUTE: RBTYPE (struct *): what the node itself contributes
 */
#define RB_DECLARE_CALLBACKS_MAX(RBSTATIC, RBNAME, RBSTRUCT, RBFIELD, RBTYPE, RBAUGMENTED, \
				 RBCOMPUTE)					\
static inline bool RBNAME##_compute_max(RBSTRUCT *node, bool exit)		\
{										\
	RBSTRUCT *left = rb_entry_safe(node->RBFIELD.rb_left, RBSTRUCT, RBFIELD); \
	RBSTRUCT *right = rb_entry_safe(node->RBFIELD.rb_right, RBSTRUCT, RBFIELD); \
	RBTYPE most = RBCOMPUTE(node);						\
										\
	if (left && left->RBAUGMENTED > most)					\
		most = left->RBAUGMENTED;					\
	if (right && right->RBAUGMENTED > most)					\
		most = right->RBAUGMENTED;					\
	if (exit && node->RBAUGMENTED == most)					\
		return true;							\
	node->RBAUGMENTED = most;						\
	return false;								\
}										\
RB_DECLARE_CALLBACKS(RBSTATIC, RBNAME, RBSTRUCT, RBFIELD, RBAUGMENTED, RBNAME##_compute_max)

#endif
