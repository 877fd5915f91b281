// SPDX-License-Identifier: GPL-2.0
/* Lists, bit operations, and the small headers. */
#include "data.h"
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/mmdebug.h>
#include <linux/rculist.h>
#include <linux/xarray.h>
#include <kshim/thread.h>

struct item {
	int value;
	struct list_head node;
	struct hlist_node hash;
};

static struct item items[10];

static void fill(struct list_head *head, int from, int to)
{
	int i;

	INIT_LIST_HEAD(head);
	for (i = from; i < to; i++) {
		items[i].value = i;
		list_add_tail(&items[i].node, head);
	}
}

/* The list's values as a number, one digit each; both directions must agree. */
static long digits(struct list_head *head)
{
	long forward = 0, backward = 0, scale = 1;
	struct item *item;

	list_for_each_entry(item, head, node)
		forward = forward * 10 + item->value;
	list_for_each_entry_reverse(item, head, node) {
		backward += scale * item->value;
		scale *= 10;
	}
	assert_int_equal(forward, backward);
	return forward;
}

static void test_list_change(void **state)
{
	LIST_HEAD(head);
	LIST_HEAD(other);
	struct item spare = { .value = 9 };

	(void)state;
	assert_true(list_empty(&head));
	assert_null(list_first_entry_or_null(&head, struct item, node));
	fill(&head, 1, 6);
	assert_int_equal(digits(&head), 12345);
	assert_int_equal(list_count_nodes(&head), 5);
	list_del(&items[3].node);
	assert_int_equal(digits(&head), 1245);
	assert_ptr_equal(items[3].node.next, LIST_POISON1);
	list_add(&items[3].node, &head);
	assert_int_equal(digits(&head), 31245);
	list_move_tail(&items[3].node, &head);
	assert_int_equal(digits(&head), 12453);
	list_move(&items[5].node, &head);
	assert_int_equal(digits(&head), 51243);
	list_replace(&items[2].node, &spare.node);
	assert_int_equal(digits(&head), 51943);
	list_replace_init(&spare.node, &items[2].node);
	assert_int_equal(digits(&head), 51243);
	assert_true(list_empty(&spare.node));
	list_del_init(&items[5].node);
	assert_true(list_empty(&items[5].node));
	list_rotate_left(&head);
	assert_int_equal(digits(&head), 2431);
	list_bulk_move_tail(&head, &items[4].node, &items[3].node);
	assert_int_equal(digits(&head), 2143);

	assert_true(list_is_first(&items[2].node, &head));
	assert_true(list_is_last(&items[3].node, &head));
	assert_false(list_is_last(&items[4].node, &head));
	assert_true(list_is_head(&head, &head));
	assert_int_equal(list_first_entry(&head, struct item, node)->value, 2);
	assert_int_equal(list_last_entry(&head, struct item, node)->value, 3);
	assert_int_equal(list_last_entry_or_null(&head, struct item, node)->value, 3);
	assert_int_equal(list_next_entry(&items[1], node)->value, 4);
	assert_int_equal(list_prev_entry(&items[1], node)->value, 2);

	fill(&head, 1, 4);
	fill(&other, 4, 7);
	list_splice(&other, &head);
	assert_int_equal(digits(&head), 456123);
	fill(&head, 1, 4);
	fill(&other, 4, 7);
	list_splice_tail_init(&other, &head);
	assert_int_equal(digits(&head), 123456);
	assert_true(list_empty(&other));
	list_splice_init(&other, &head);
	assert_int_equal(digits(&head), 123456);
	list_cut_position(&other, &head, &items[2].node);
	assert_int_equal(digits(&other), 12);
	assert_int_equal(digits(&head), 3456);
	list_cut_position(&other, &head, &head);
	assert_true(list_empty(&other));
	list_cut_position(&other, &head, &items[6].node);
	assert_true(list_empty(&head));
	assert_int_equal(digits(&other), 3456);

	fill(&head, 7, 8);
	assert_true(list_is_singular(&head));
	list_del_init_careful(&items[7].node);
	assert_true(list_empty_careful(&head));
	assert_false(list_is_singular(&head));
}

static void test_list_walk(void **state)
{
	struct list_head *pos, *tmp;
	struct item *item, *next;
	LIST_HEAD(head);
	int sum = 0;

	(void)state;
	fill(&head, 0, 8);
	item = &items[3];
	list_for_each_entry_continue(item, &head, node)
		sum += item->value;
	assert_int_equal(sum, 4 + 5 + 6 + 7);
	sum = 0;
	item = &items[3];
	list_for_each_entry_from(item, &head, node)
		sum += item->value;
	assert_int_equal(sum, 3 + 4 + 5 + 6 + 7);
	sum = 0;
	item = &items[3];
	list_for_each_entry_continue_reverse(item, &head, node)
		sum += item->value;
	assert_int_equal(sum, 2 + 1);
	sum = 0;
	item = &items[3];
	list_for_each_entry_from_reverse(item, &head, node)
		sum += item->value;
	assert_int_equal(sum, 3 + 2 + 1);
	item = list_prepare_entry((struct item *)NULL, &head, node);
	assert_true(list_entry_is_head(item, &head, node));

	/* Take out while walking. */
	list_for_each_entry_safe(item, next, &head, node)
		if (item->value % 3 == 0)
			list_del(&item->node);
	assert_int_equal(digits(&head), 12457);
	list_for_each_entry_safe_reverse(item, next, &head, node)
		if (item->value == 7 || item->value == 1)
			list_del(&item->node);
	assert_int_equal(digits(&head), 245);
	item = &items[2];
	list_for_each_entry_safe_continue(item, next, &head, node)
		list_del(&item->node);
	assert_int_equal(digits(&head), 2);
	fill(&head, 0, 5);
	item = &items[3];
	list_for_each_entry_safe_from(item, next, &head, node)
		list_del(&item->node);
	assert_int_equal(digits(&head), 12);
	list_for_each_safe(pos, tmp, &head)
		list_del(pos);
	assert_true(list_empty(&head));
	fill(&head, 0, 5);
	sum = 0;
	list_for_each_prev(pos, &head)
		sum = sum * 10 + list_entry(pos, struct item, node)->value;
	assert_int_equal(sum, 43210);
}

static void test_list_rcu(void **state)
{
	struct item *item;
	LIST_HEAD(head);
	long seen = 0;

	(void)state;
	assert_null(list_first_or_null_rcu(&head, struct item, node));
	items[1].value = 1;
	items[2].value = 2;
	items[3].value = 3;
	list_add_rcu(&items[2].node, &head);
	list_add_rcu(&items[1].node, &head);
	list_add_tail_rcu(&items[3].node, &head);
	assert_int_equal(digits(&head), 123);
	rcu_read_lock();
	list_for_each_entry_rcu(item, &head, node)
		seen = seen * 10 + item->value;
	assert_int_equal(seen, 123);
	/* Allowed for another reason; the loop runs just the same. */
	list_for_each_entry_rcu(item, &head, node, state != NULL)
		seen -= item->value;
	assert_int_equal(seen, 117);
	item = list_first_or_null_rcu(&head, struct item, node);
	assert_ptr_equal(item, &items[1]);
	list_del_rcu(&items[1].node);
	/* The way on is still there. */
	assert_ptr_equal(list_next_or_null_rcu(&head, &item->node, struct item, node), &items[2]);
	assert_null(list_next_or_null_rcu(&head, &items[3].node, struct item, node));
	rcu_read_unlock();
	items[4].value = 4;
	list_replace_rcu(&items[2].node, &items[4].node);
	assert_int_equal(digits(&head), 43);
}

static void test_hlist(void **state)
{
	HLIST_HEAD(head);
	struct hlist_node *tmp;
	struct item *item;
	long seen = 0;
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		items[i].value = i;
		INIT_HLIST_NODE(&items[i].hash);
		assert_true(hlist_unhashed(&items[i].hash));
	}
	hlist_add_head(&items[2].hash, &head);
	hlist_add_head(&items[1].hash, &head);
	hlist_add_behind(&items[4].hash, &items[2].hash);
	hlist_add_before(&items[3].hash, &items[4].hash);
	hlist_for_each_entry(item, &head, hash)
		seen = seen * 10 + item->value;
	assert_int_equal(seen, 1234);
	hlist_for_each_entry_safe(item, tmp, &head, hash)
		if (item->value != 3)
			hlist_del_init(&item->hash);
	assert_true(hlist_unhashed(&items[1].hash));
	assert_ptr_equal(head.first, &items[3].hash);
	hlist_del(&items[3].hash);
	assert_true(hlist_empty(&head));
}

#ifdef CONFIG_DEBUG_LIST
static void delete_twice(void)
{
	LIST_HEAD(head);

	fill(&head, 0, 3);
	list_del(&items[1].node);
	list_del(&items[1].node);
}

static void add_to_broken(void)
{
	LIST_HEAD(head);

	fill(&head, 0, 3);
	head.next = &items[1].node;
	list_add(&items[5].node, &head);
}

static void test_list_debug(void **state)
{
	(void)state;
	assert_true(complains(delete_twice));
	assert_true(complains(add_to_broken));
}
#endif

static void test_bits(void **state)
{
	unsigned long map[3] = { 0 }, bit, n = 0;
	DECLARE_BITMAP(other, 130);

	(void)state;
	assert_int_equal(sizeof(other), 3 * sizeof(long));
	set_bit(3, map);
	set_bit(64, map);
	set_bit(130, map);
	assert_true(test_bit(3, map) && test_bit(64, map) && test_bit(130, map));
	assert_true(test_bit_acquire(64, map));
	assert_false(test_bit(4, map));
	assert_true(test_and_set_bit(3, map));
	assert_false(test_and_set_bit(4, map));
	assert_true(test_and_clear_bit(4, map));
	assert_false(test_and_clear_bit(4, map));
	change_bit(5, map);
	assert_true(test_and_change_bit(5, map));
	assert_int_equal(map[0], 8);
	assert_false(test_and_set_bit_lock(7, map));
	assert_true(test_and_set_bit_lock(7, map));
	clear_bit_unlock(7, map);
	assert_false(test_and_set_bit_lock(7, map));
	__clear_bit_unlock(7, map);
	__set_bit(8, map);
	assert_true(__test_and_clear_bit(8, map));
	assert_false(__test_and_set_bit(8, map));
	__change_bit(8, map);
	__clear_bit(8, map);
	for_each_set_bit(bit, map, 192)
		n = n * 1000 + bit;
	assert_int_equal(n, 3064130);
	assert_int_equal(find_next_bit(map, 130, 65), 130);
	assert_int_equal(find_first_zero_bit(map, 192), 0);
	map[0] = ~0UL;
	assert_int_equal(find_first_zero_bit(map, 192), 65);
	assert_int_equal(find_first_zero_bit(map, 64), 64);
	clear_bit(63, map);
	assert_int_equal(map[0], LONG_MAX);

	assert_int_equal(__ffs(0x50), 4);
	assert_int_equal(__fls(0x50), 6);
	assert_int_equal(ffs(0x50), 5);
	assert_int_equal(ffz(0x0f), 4);
	assert_int_equal(fls(0), 0);
	assert_int_equal(fls(0x80000000), 32);
	assert_int_equal(fls64(0), 0);
	assert_int_equal(fls64(1ULL << 40), 41);
	assert_int_equal(fls_long(1), 1);
	assert_int_equal(hweight_long(~0UL), 64);
	assert_int_equal(hweight8(0x1ff), 8);
	assert_int_equal(hweight16(0x1ffff), 16);
	assert_int_equal(hweight32(0xf0f0), 8);
	assert_int_equal(hweight64(~0ULL), 64);
	assert_int_equal(GENMASK(7, 4), 0xf0);
	assert_int_equal(GENMASK(63, 0), ~0UL);
	assert_int_equal(BIT(3) | BIT_ULL(4), 0x18);
	assert_int_equal(BITS_TO_LONGS(65), 2);
}

static int evaluated;

static int evaluate(int x)
{
	evaluated++;
	return x;
}

static void test_numbers(void **state)
{
	unsigned long a = 3, b = 5;

	(void)state;
	assert_int_equal(min(a, b), 3);
	assert_int_equal(max(min(a, b), 4UL), 4);
	assert_int_equal(min3(3, 2, 4), 2);
	assert_int_equal(max3(3, 2, 4), 4);
	assert_int_equal(min_t(int, -1, 1), -1);
	assert_int_equal(max_t(unsigned int, -1, 1), UINT_MAX);
	assert_int_equal(clamp(7, 1, 5), 5);
	assert_int_equal(min(evaluate(1), 2), 1);
	assert_int_equal(evaluated, 1);
	swap(a, b);
	assert_int_equal(a * 10 + b, 53);
	assert_int_equal(ALIGN(4097UL, 4096), 8192);
	assert_int_equal(ALIGN_DOWN(4097UL, 4096), 4096);
	assert_true(IS_ALIGNED(8192, 4096));
	assert_int_equal(round_up(5, 4), 8);
	assert_int_equal(round_up(8, 4), 8);
	assert_int_equal(round_down(7, 4), 4);
	assert_int_equal(roundup(7, 5), 10);
	assert_int_equal(rounddown(7, 5), 5);
	assert_int_equal(DIV_ROUND_UP(7, 5), 2);
	assert_int_equal(abs(-3L), 3);
	assert_int_equal(ilog2(1UL << 40), 40);
	assert_int_equal(roundup_pow_of_two(5), 8);
	assert_int_equal(roundup_pow_of_two(8), 8);
	assert_int_equal(roundup_pow_of_two(1), 1);
	assert_int_equal(rounddown_pow_of_two(5), 4);
	assert_int_equal(order_base_2(5), 3);
	assert_true(is_power_of_2(64) && !is_power_of_2(0) && !is_power_of_2(6));
	assert_int_equal(ARRAY_SIZE(items), 10);
	assert_int_equal(sizeof_field(struct item, value), sizeof(int));
	assert_int_equal(offsetofend(struct item, value), sizeof(int));
	assert_ptr_equal(container_of(&items[2].node, struct item, node), &items[2]);

	assert_true(IS_ERR(ERR_PTR(-ENOMEM)) && !IS_ERR(items) && IS_ERR_OR_NULL(NULL));
	assert_int_equal(PTR_ERR(ERR_PTR(-ENOMEM)), -ENOMEM);
	assert_int_equal(PTR_ERR_OR_ZERO(items), 0);
	assert_true(xa_is_value(xa_mk_value(7)) && !xa_is_value(items));
	assert_int_equal(xa_to_value(xa_mk_value(7)), 7);
	assert_true(xa_is_zero(XA_ZERO_ENTRY) && !xa_is_value(XA_ZERO_ENTRY));
	assert_true(xa_is_internal(XA_ZERO_ENTRY) && !xa_is_internal(items));
}

static void die(void)
{
	BUG_ON(evaluate(1));
}

static void warn_twice(int value)
{
	WARN_ON_ONCE(value);
}

static void test_warnings(void **state)
{
	int calls = 0;

	(void)state;
	kshim_warn_reset();
	print_message("# two warnings are wanted here\n");
	assert_true(WARN_ON(1 == 1));
	assert_false(WARN_ON(0));
	assert_false(WARN(0, "nothing %d", 1));
	warn_twice(1);
	warn_twice(1);
	assert_int_equal(kshim_warn_count(), 2);
	kshim_warn_reset();
	assert_int_equal(kshim_warn_count(), 0);
	assert_true(complains(die));

	VM_BUG_ON(calls++ < 0);
	VM_BUG_ON_VMA(calls++ < 0, items);
	VM_WARN_ON(calls++ < 0);
	VM_WARN_ON_ONCE(calls++ < 0);
	VM_WARN_ON_ONCE_FOLIO(calls++ < 0, items);
#ifdef CONFIG_DEBUG_VM
	assert_int_equal(calls, 5);
#else
	assert_int_equal(calls, 0);
#endif
	assert_int_equal(kshim_warn_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_change),
		cmocka_unit_test(test_list_walk),
		cmocka_unit_test(test_list_rcu),
		cmocka_unit_test(test_hlist),
#ifdef CONFIG_DEBUG_LIST
		cmocka_unit_test(test_list_debug),
#endif
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_warnings),
	};
	int failed;

	kshim_thread_register();
	failed = cmocka_run_group_tests_name("list", tests, NULL, NULL);
	kshim_thread_unregister();
	return failed;
}
