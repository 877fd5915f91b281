// SPDX-License-Identifier: GPL-2.0
/* Red-black trees, with their rules checked, and interval trees, against a naive model. */
#include "data.h"
#include <string.h>
#include <linux/interval_tree_generic.h>
#include <linux/rbtree.h>

#define NR	300
#define STEPS	20000

struct thing {
	struct rb_node rb;
	unsigned long start, last, most;
	bool in;
};

static struct thing things[NR];

static_assert(sizeof(struct rb_node) == 24);

#define thing_start(thing)	((thing)->start)
#define thing_last(thing)	((thing)->last)

INTERVAL_TREE_DEFINE(struct thing, rb, unsigned long, most, thing_start, thing_last, static,
		     thing_tree)

static bool is_black(const struct rb_node *node)
{
	return !node || node->__rb_parent_color & 1;
}

/* Returns the number of black nodes on each way down. */
static int check_rules(const struct rb_node *node, const struct rb_node *parent, int *count)
{
	int left, right;

	if (!node)
		return 0;
	assert_ptr_equal(rb_parent(node), parent);
	assert_true(is_black(node) || is_black(parent));
	left = check_rules(node->rb_left, node, count);
	right = check_rules(node->rb_right, node, count);
	assert_int_equal(left, right);
	(*count)++;
	return left + is_black(node);
}

static int check_tree(const struct rb_root *root)
{
	const struct rb_node *node, *before = NULL;
	struct thing *thing, *next;
	int count = 0, seen = 0;

	assert_true(is_black(root->rb_node));
	check_rules(root->rb_node, NULL, &count);
	for (node = rb_first(root); node; before = node, node = rb_next(node)) {
		assert_ptr_equal(rb_prev(node), before);
		if (before)
			assert_true(rb_entry(before, struct thing, rb)->start <=
				    rb_entry(node, struct thing, rb)->start);
		seen++;
	}
	assert_int_equal(seen, count);
	assert_ptr_equal(rb_last(root), before);
	rbtree_postorder_for_each_entry_safe(thing, next, root, rb)
		seen--;
	assert_int_equal(seen, 0);
	return count;
}

static void plain_insert(struct rb_root_cached *root, struct thing *thing)
{
	struct rb_node **link = &root->rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (thing->start < rb_entry(parent, struct thing, rb)->start) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(&thing->rb, parent, link);
	rb_insert_color_cached(&thing->rb, root, leftmost);
}

static void test_rbtree(void **state)
{
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct random random = random_start();
	int i, count = 0;

	(void)state;
	memset(things, 0, sizeof(things));
	assert_true(RB_EMPTY_ROOT(&root.rb_root));
	assert_null(rb_first(&root.rb_root));
	assert_null(rb_first_postorder(&root.rb_root));
	for (i = 0; i < STEPS; i++) {
		struct thing *thing = &things[random_below(&random, NR)];
		struct rb_node *first = rb_first_cached(&root);

		if (!thing->in) {
			thing->start = random_below(&random, 2 * NR);
			plain_insert(&root, thing);
			count++;
		} else if (random_below(&random, 4)) {
			struct rb_node *new_first = rb_erase_cached(&thing->rb, &root);

			assert_ptr_equal(new_first,
					 first == &thing->rb ? rb_first_cached(&root) : NULL);
			RB_CLEAR_NODE(&thing->rb);
			assert_true(RB_EMPTY_NODE(&thing->rb));
			assert_null(rb_next(&thing->rb));
			count--;
		} else {
			/* The same thing from another place. */
			struct thing copy = *thing;

			rb_replace_node(&thing->rb, &copy.rb, &root.rb_root);
			check_tree(&root.rb_root);
			rb_replace_node(&copy.rb, &thing->rb, &root.rb_root);
			thing->in = !thing->in;
		}
		thing->in = !thing->in;
		if (i % 16 == 0)
			assert_int_equal(check_tree(&root.rb_root), count);
		assert_ptr_equal(rb_first_cached(&root), rb_first(&root.rb_root));
	}
}

/* The largest last of a subtree, computed; what the nodes say must be the same. */
static unsigned long check_most(struct rb_node *node)
{
	struct thing *thing = rb_entry_safe(node, struct thing, rb);
	unsigned long most;

	if (!thing)
		return 0;
	most = max3(thing->last, check_most(node->rb_left), check_most(node->rb_right));
	assert_int_equal(thing->most, most);
	return most;
}

static void check_query(struct rb_root_cached *root, unsigned long start, unsigned long last)
{
	struct thing *thing, *before = NULL;
	bool seen[NR] = { false };
	int i;

	for (thing = thing_tree_iter_first(root, start, last); thing;
	     before = thing, thing = thing_tree_iter_next(thing, start, last)) {
		assert_true(thing->in && !seen[thing - things]);
		seen[thing - things] = true;
		if (before)
			assert_true(before->start <= thing->start);
	}
	for (i = 0; i < NR; i++)
		assert_int_equal(seen[i], things[i].in && things[i].start <= last &&
				 things[i].last >= start);
}

static void test_interval_tree(void **state)
{
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct random random = random_start();
	unsigned long start;
	int i, count = 0;

	(void)state;
	memset(things, 0, sizeof(things));
	assert_null(thing_tree_iter_first(&root, 0, ULONG_MAX));
	for (i = 0; i < STEPS; i++) {
		struct thing *thing = &things[random_below(&random, NR)];

		if (thing->in) {
			thing_tree_remove(thing, &root);
			count--;
		} else {
			/* Short ones mostly, and some long ones. */
			thing->start = random_below(&random, 1000);
			thing->last = thing->start +
				random_below(&random, random_below(&random, 8) ? 10 : 1000);
			thing_tree_insert(thing, &root);
			count++;
		}
		thing->in = !thing->in;
		if (i % 16 == 0) {
			assert_int_equal(check_tree(&root.rb_root), count);
			check_most(root.rb_root.rb_node);
		}
		start = random_below(&random, 2100);
		check_query(&root, start, start + random_below(&random, 30));
	}
	check_query(&root, 0, ULONG_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rbtree),
		cmocka_unit_test(test_interval_tree),
	};

	return cmocka_run_group_tests_name("rbtree", tests, NULL, NULL);
}
