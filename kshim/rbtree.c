// SPDX-License-Identifier: GPL-2.0
/*
 * Red-black trees
 *
 * The rules: a red node has no red child, and all ways from a node down to the
 * leaves (NULL) meet the same number of black nodes. A node's word holds its
 * parent and, in bit 0, whether it is black; NULL counts as black.
 *
 * Both fixups are written once, for both sides, with a side as an index: @left
 * says whether the node is its parent's left child.
 */
#include <linux/rbtree_augmented.h>

#define RB_BLACK	1UL

static inline bool rb_is_red(const struct rb_node *node)
{
	return node && !(node->__rb_parent_color & RB_BLACK);
}

static inline void rb_set_red(struct rb_node *node)
{
	node->__rb_parent_color &= ~RB_BLACK;
}

static inline void rb_set_black(struct rb_node *node)
{
	node->__rb_parent_color |= RB_BLACK;
}

static inline void rb_copy_color(struct rb_node *node, const struct rb_node *from)
{
	node->__rb_parent_color = (node->__rb_parent_color & ~RB_BLACK) |
				  (from->__rb_parent_color & RB_BLACK);
}

static inline void rb_set_parent(struct rb_node *node, struct rb_node *parent)
{
	node->__rb_parent_color = (unsigned long)parent | (node->__rb_parent_color & RB_BLACK);
}

static inline struct rb_node **rb_child(struct rb_node *node, bool left)
{
	return left ? &node->rb_left : &node->rb_right;
}

/* Make whoever points down to @old point to @new; @parent is that of @old. */
static inline void rb_replace_link(struct rb_node *old, struct rb_node *new,
				   struct rb_node *parent, struct rb_root *root)
{
	if (!parent)
		root->rb_node = new;
	else
		*rb_child(parent, parent->rb_left == old) = new;
}

/*
 * Turn the edge between @node and its child on the other side: to the left, the
 * right child comes up and @node goes down to its left. Colours stay with the
 * nodes.
 */
static void rb_rotate(struct rb_node *node, bool to_left, struct rb_root *root,
		      const struct rb_augment_callbacks *augment)
{
	struct rb_node **inner, *up = *rb_child(node, !to_left), *parent = rb_parent(node);

	inner = rb_child(up, to_left);
	*rb_child(node, !to_left) = *inner;
	if (*inner)
		rb_set_parent(*inner, node);
	*inner = node;
	rb_replace_link(node, up, parent, root);
	rb_set_parent(up, parent);
	rb_set_parent(node, up);
	if (augment)
		augment->rotate(node, up);
}

static __always_inline void rb_insert_fixup(struct rb_node *node, struct rb_root *root,
					    const struct rb_augment_callbacks *augment)
{
	struct rb_node *parent, *grandparent, *uncle;
	bool left;

	while (rb_is_red(parent = rb_parent(node))) {
		/* A red node is not the root. */
		grandparent = rb_parent(parent);
		left = parent == grandparent->rb_left;
		uncle = *rb_child(grandparent, !left);
		if (rb_is_red(uncle)) {
			/* Move the red up by one generation. */
			rb_set_black(parent);
			rb_set_black(uncle);
			rb_set_red(grandparent);
			node = grandparent;
			continue;
		}
		if (node == *rb_child(parent, !left)) {
			/* An inner grandchild becomes an outer one. */
			rb_rotate(parent, left, root, augment);
			parent = node;
		}
		rb_rotate(grandparent, !left, root, augment);
		rb_set_black(parent);
		rb_set_red(grandparent);
		break;
	}
	rb_set_black(root->rb_node);
}

/* The ways through @node, a child of @parent and maybe NULL, lack one black. */
static __always_inline void rb_erase_fixup(struct rb_node *node, struct rb_node *parent,
					   struct rb_root *root,
					   const struct rb_augment_callbacks *augment)
{
	struct rb_node *sibling, *near, *far;
	bool left;

	while (parent && !rb_is_red(node)) {
		/* There is a sibling: the ways through it have a black more. */
		left = node == parent->rb_left;
		sibling = *rb_child(parent, !left);
		if (rb_is_red(sibling)) {
			rb_rotate(parent, left, root, augment);
			rb_set_black(sibling);
			rb_set_red(parent);
			sibling = *rb_child(parent, !left);
		}
		near = *rb_child(sibling, left);
		far = *rb_child(sibling, !left);
		if (!rb_is_red(near) && !rb_is_red(far)) {
			/* Take one black from the sibling too: now all of @parent lacks it. */
			rb_set_red(sibling);
			node = parent;
			parent = rb_parent(node);
			continue;
		}
		if (!rb_is_red(far)) {
			rb_rotate(sibling, !left, root, augment);
			rb_set_black(near);
			rb_set_red(sibling);
			far = sibling;
			sibling = near;
		}
		rb_rotate(parent, left, root, augment);
		rb_copy_color(sibling, parent);
		rb_set_black(parent);
		rb_set_black(far);
		return;
	}
	if (node)
		rb_set_black(node);
}

static __always_inline void rb_do_erase(struct rb_node *node, struct rb_root *root,
					const struct rb_augment_callbacks *augment)
{
	struct rb_node *parent = rb_parent(node), *child, *next, *lowest;
	bool lost_black;

	if (node->rb_left && node->rb_right) {
		/* The next in order, which has no left child, takes the place. */
		next = node->rb_right;
		while (next->rb_left)
			next = next->rb_left;
		child = next->rb_right;
		lost_black = !rb_is_red(next);
		lowest = rb_parent(next);
		if (lowest == node) {
			lowest = next;
		} else {
			lowest->rb_left = child;
			if (child)
				rb_set_parent(child, lowest);
			next->rb_right = node->rb_right;
			rb_set_parent(next->rb_right, next);
		}
		next->rb_left = node->rb_left;
		rb_set_parent(next->rb_left, next);
		next->__rb_parent_color = node->__rb_parent_color;
		rb_replace_link(node, next, parent, root);
		if (augment) {
			/* It takes over a value, and then both what is below and it change. */
			augment->copy(node, next);
			augment->propagate(lowest, next);
			augment->propagate(next, NULL);
		}
	} else {
		child = node->rb_left ? : node->rb_right;
		lost_black = !rb_is_red(node);
		lowest = parent;
		rb_replace_link(node, child, parent, root);
		if (child)
			rb_set_parent(child, parent);
		if (augment)
			augment->propagate(lowest, NULL);
	}
	if (lost_black)
		rb_erase_fixup(child, lowest, root, augment);
}

/**
 * rb_insert_color - rebalance a tree after rb_link_node()
 * @node: just linked
 * @root: the tree
 */
void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	rb_insert_fixup(node, root, NULL);
}

/**
 * rb_erase - take a node out of a tree
 * @node: in the tree; its fields are left as they are
 * @root: the tree
 */
void rb_erase(struct rb_node *node, struct rb_root *root)
{
	rb_do_erase(node, root, NULL);
}

/**
 * rb_insert_augmented - rb_insert_color() for nodes with a value
 * @node: just linked; its value, and those of its ancestors, are right
 * @root: the tree
 * @augment: keeps the values
 */
void rb_insert_augmented(struct rb_node *node, struct rb_root *root,
			 const struct rb_augment_callbacks *augment)
{
	rb_insert_fixup(node, root, augment);
}

/**
 * rb_erase_augmented - rb_erase() for nodes with a value
 * @node: in the tree
 * @root: the tree
 * @augment: keeps the values
 */
void rb_erase_augmented(struct rb_node *node, struct rb_root *root,
			const struct rb_augment_callbacks *augment)
{
	rb_do_erase(node, root, augment);
}

static struct rb_node *rb_end(struct rb_node *node, bool left)
{
	struct rb_node *child;

	while (node && (child = *rb_child(node, left)))
		node = child;
	return node;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return rb_end(root->rb_node, true);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return rb_end(root->rb_node, false);
}

/* The neighbour of @node towards one side. */
static __always_inline struct rb_node *rb_neighbour(const struct rb_node *node, bool left)
{
	struct rb_node *at = (struct rb_node *)node, *child = *rb_child(at, left), *parent;

	if (RB_EMPTY_NODE(node))
		return NULL;
	if (child)
		return rb_end(child, !left);
	while ((parent = rb_parent(at)) && at == *rb_child(parent, left))
		at = parent;
	return parent;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return rb_neighbour(node, false);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	return rb_neighbour(node, true);
}

/* The first leaf below, going left where there is a choice. */
static struct rb_node *rb_deepest_left(struct rb_node *node)
{
	struct rb_node *child;

	while (node && (child = node->rb_left ? : node->rb_right))
		node = child;
	return node;
}

struct rb_node *rb_first_postorder(const struct rb_root *root)
{
	return rb_deepest_left(root->rb_node);
}

struct rb_node *rb_next_postorder(const struct rb_node *node)
{
	struct rb_node *parent = rb_parent(node);

	if (parent && node == parent->rb_left && parent->rb_right)
		return rb_deepest_left(parent->rb_right);
	return parent;
}

/**
 * rb_replace_node - put a node in the place of another
 * @victim: in the tree, and then no more
 * @node: gets its links and its colour; the caller sees to its order, and value
 * @root: the tree
 */
void rb_replace_node(struct rb_node *victim, struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent = rb_parent(victim);

	*node = *victim;
	if (node->rb_left)
		rb_set_parent(node->rb_left, node);
	if (node->rb_right)
		rb_set_parent(node->rb_right, node);
	rb_replace_link(victim, node, parent, root);
}
