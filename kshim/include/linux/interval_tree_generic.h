/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_INTERVAL_TREE_GENERIC_H
#define _KSHIM_LINUX_INTERVAL_TREE_GENERIC_H
/*
 * Different implementation of Linux's template for interval trees.
 *
 * A red-black tree by start; each node also keeps the largest last of its
 * subtree, so that a search skips subtrees which end too early.
 */
#include <linux/rbtree_augmented.h>

/*
 * INTERVAL_TREE_DEFINE - define the functions of one kind of interval tree
 * @ITSTRUCT: the struct that is in the tree
 * @ITRB: its rb_node
 * @ITTYPE: of start and last; unsigned or signed
 * @ITSUBTREE: its field for the largest last, an ITTYPE
 * @ITSTART: ITTYPE (ITSTRUCT *): first value; a function or a macro
 * @ITLAST: ITTYPE (ITSTRUCT *): last value, inclusive
 * @ITSTATIC: static or empty
 * @ITPREFIX: of the functions
 *
 * Defines
 *	void ITPREFIX_insert(ITSTRUCT *node, struct rb_root_cached *root)
 *	void ITPREFIX_remove(ITSTRUCT *node, struct rb_root_cached *root)
 *	ITSTRUCT *ITPREFIX_iter_first(root, start, last)
 *	ITSTRUCT *ITPREFIX_iter_next(node, start, last)
 * The iterators return, by start and then in order of insertion, the intervals
 * that overlap [start, last], and NULL at the end. Start and last of a node do
 * not change while it is in the tree. Nothing sleeps.
 */
#define INTERVAL_TREE_DEFINE(ITSTRUCT, ITRB, ITTYPE, ITSUBTREE, ITSTART, ITLAST, ITSTATIC, \
			     ITPREFIX)						\
RB_DECLARE_CALLBACKS_MAX(static, ITPREFIX##_augment, ITSTRUCT, ITRB, ITTYPE,	\
			 ITSUBTREE, ITLAST)					\
										\
ITSTATIC __maybe_unused void							\
ITPREFIX##_insert(ITSTRUCT *node, struct rb_root_cached *root)			\
{										\
	struct rb_node **link = &root->rb_root.rb_node, *above = NULL;		\
	ITTYPE start = ITSTART(node), last = ITLAST(node);			\
	bool leftmost = true;							\
										\
	while (*link) {								\
		ITSTRUCT *at = rb_entry(*link, ITSTRUCT, ITRB);			\
										\
		above = *link;							\
		if (at->ITSUBTREE < last)					\
			at->ITSUBTREE = last;					\
		if (start < ITSTART(at)) {					\
			link = &above->rb_left;					\
		} else {							\
			link = &above->rb_right;				\
			leftmost = false;					\
		}								\
	}									\
	node->ITSUBTREE = last;							\
	rb_link_node(&node->ITRB, above, link);					\
	rb_insert_augmented_cached(&node->ITRB, root, leftmost, &ITPREFIX##_augment); \
}										\
										\
ITSTATIC __maybe_unused void							\
ITPREFIX##_remove(ITSTRUCT *node, struct rb_root_cached *root)			\
{										\
	rb_erase_augmented_cached(&node->ITRB, root, &ITPREFIX##_augment);	\
}										\
										\
/* The first in the subtree of @rb that overlaps. */				\
static __maybe_unused ITSTRUCT *						\
ITPREFIX##_search(struct rb_node *rb, ITTYPE start, ITTYPE last)		\
{										\
	while (rb) {								\
		ITSTRUCT *at = rb_entry(rb, ITSTRUCT, ITRB);			\
		ITSTRUCT *left = rb_entry_safe(rb->rb_left, ITSTRUCT, ITRB);	\
										\
		/*								\
		 * Something on the left ends late enough. If that does not	\
		 * overlap it starts too late, and so does all from here on.	\
		 */								\
		if (left && left->ITSUBTREE >= start) {				\
			rb = &left->ITRB;					\
			continue;						\
		}								\
		if (ITSTART(at) > last)						\
			return NULL;						\
		if (ITLAST(at) >= start)					\
			return at;						\
		rb = rb->rb_right;						\
	}									\
	return NULL;								\
}										\
										\
ITSTATIC __maybe_unused ITSTRUCT *						\
ITPREFIX##_iter_first(struct rb_root_cached *root, ITTYPE start, ITTYPE last)	\
{										\
	ITSTRUCT *top = rb_entry_safe(root->rb_root.rb_node, ITSTRUCT, ITRB);	\
										\
	/* All end before, or all start behind: usual, and cheap to see. */	\
	if (!top || top->ITSUBTREE < start ||					\
	    ITSTART(rb_entry(root->rb_leftmost, ITSTRUCT, ITRB)) > last)	\
		return NULL;							\
	return ITPREFIX##_search(&top->ITRB, start, last);			\
}										\
										\
ITSTATIC __maybe_unused ITSTRUCT *						\
ITPREFIX##_iter_next(ITSTRUCT *node, ITTYPE start, ITTYPE last)			\
{										\
	struct rb_node *rb = &node->ITRB, *below;				\
	ITSTRUCT *at = rb_entry_safe(rb->rb_right, ITSTRUCT, ITRB);		\
										\
	/* As in the search: what is on the right comes before what is above. */ \
	if (at && at->ITSUBTREE >= start)					\
		return ITPREFIX##_search(&at->ITRB, start, last);		\
	for (;;) {								\
		do {								\
			below = rb;						\
			rb = rb_parent(rb);					\
			if (!rb)						\
				return NULL;					\
		} while (rb->rb_right == below);				\
										\
		at = rb_entry(rb, ITSTRUCT, ITRB);				\
		if (ITSTART(at) > last)						\
			return NULL;						\
		if (ITLAST(at) >= start)					\
			return at;						\
		at = rb_entry_safe(rb->rb_right, ITSTRUCT, ITRB);		\
		if (at && at->ITSUBTREE >= start)				\
			return ITPREFIX##_search(&at->ITRB, start, last);	\
	}									\
}

#endif
