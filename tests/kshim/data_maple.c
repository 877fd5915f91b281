// SPDX-License-Identifier: GPL-2.0
/* The maple tree, one thread, against an array: one element stands for many addresses. */
#include "data.h"
#include <string.h>
#include <linux/maple_tree.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <kshim/fault.h>
#include <kshim/slab_stats.h>
#include <kshim/thread.h>

/*
 * The address space in cells of equal size, each with one entry or none. Entries
 * are never stored twice, so neighbours with the same entry are one range.
 */
#define MAX_CELLS	2048

struct model {
	unsigned int nr;
	void *cell[MAX_CELLS];
};

static struct model model;
static unsigned long serial;

static void *new_entry(void)
{
	/* Some of them the kinds of entries that are no pointers. */
	return ++serial % 5 ? (void *)(serial << 4) : xa_mk_value(serial);
}

static unsigned long cell_size(void)
{
	return ULONG_MAX / model.nr + 1;
}

static unsigned long cell_start(unsigned int i)
{
	return i * cell_size();
}

static unsigned long cell_end(unsigned int i)
{
	return cell_start(i) + (cell_size() - 1);
}

/* The range of equal cells around one. */
static unsigned int range_first(unsigned int i)
{
	while (i && model.cell[i - 1] == model.cell[i])
		i--;
	return i;
}

static unsigned int range_last(unsigned int i)
{
	while (i + 1 < model.nr && model.cell[i + 1] == model.cell[i])
		i++;
	return i;
}

static void model_store(unsigned int first, unsigned int last, void *entry)
{
	for (; first <= last; first++)
		model.cell[first] = entry;
}

static unsigned int model_entries(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < model.nr; i = range_last(i) + 1)
		count += !!model.cell[i];
	return count;
}

static void check_position(const struct ma_state *mas, unsigned int i)
{
	assert_int_equal(mas->index, cell_start(range_first(i)));
	assert_int_equal(mas->last, cell_end(range_last(i)));
}

/* The tree says what the model says, whichever way it is asked. */
static void check_all(struct maple_tree *mt, struct random *random)
{
	unsigned long index;
	unsigned int i;
	void *entry;
	MA_STATE(mas, mt, 0, 0);

	rcu_read_lock();
	i = 0;
	mas_for_each(&mas, entry, ULONG_MAX) {
		while (!model.cell[i])
			i++;
		assert_ptr_equal(entry, model.cell[i]);
		check_position(&mas, i);
		i = range_last(i) + 1;
	}
	for (; i < model.nr; i++)
		assert_null(model.cell[i]);

	mas_set(&mas, ULONG_MAX);
	entry = mas_walk(&mas);
	assert_ptr_equal(entry, model.cell[model.nr - 1]);
	check_position(&mas, model.nr - 1);
	for (i = range_first(model.nr - 1); (entry = mas_prev(&mas, 0)); i = range_first(i)) {
		do {
			assert_true(i);
			i--;
		} while (!model.cell[i]);
		assert_ptr_equal(entry, model.cell[i]);
		check_position(&mas, i);
	}
	while (i)
		assert_null(model.cell[--i]);

	for (i = 0; i < model.nr; i += 1 + random_below(random, 8)) {
		index = cell_start(i) + random_below(random, cell_size());
		assert_ptr_equal(mtree_load(mt, index), model.cell[i]);
		mas_set(&mas, index);
		assert_ptr_equal(mas_walk(&mas), model.cell[i]);
		check_position(&mas, i);
	}
	rcu_read_unlock();
	assert_int_equal(mtree_empty(mt), !model_entries());
}

/* The model's answer to mas_find() from, or behind, a cell; -1 when there is none. */
static int model_find(unsigned int from, unsigned int max)
{
	for (; from <= max; from++)
		if (model.cell[from])
			return from;
	return -1;
}

static int model_find_back(int from, int min)
{
	for (; from >= min; from--)
		if (model.cell[from])
			return from;
	return -1;
}

/* Searches with random limits, starts, and turns. */
static void check_searches(struct maple_tree *mt, struct random *random)
{
	unsigned int from = random_below(random, model.nr), limit, i, at;
	MA_STATE(mas, mt, cell_start(from) + random_below(random, cell_size()), 0);
	unsigned long index = mas.index;
	void *entry;
	int want;

	rcu_read_lock();
	/* mas_find(), fresh and on. */
	limit = from + random_below(random, model.nr - from);
	at = from;
	for (;;) {
		entry = mas_find(&mas, cell_end(limit));
		want = at <= limit ? model_find(at, limit) : -1;
		assert_ptr_equal(entry, want < 0 ? NULL : model.cell[want]);
		if (want < 0)
			break;
		check_position(&mas, want);
		at = range_last(want) + 1;
		if (!random_below(random, 4))
			mas_pause(&mas);
	}
	/* The gap that contains the limit, when it is one. */
	if (!model.cell[limit])
		check_position(&mas, limit);

	want = model_find(from, limit);
	entry = mt_find(mt, &index, cell_end(limit));
	assert_ptr_equal(entry, want < 0 ? NULL : model.cell[want]);
	if (want >= 0)
		assert_int_equal(index, cell_end(range_last(want)) + 1);

	/* mas_next() and mas_prev() from a fresh position: what is there is not found. */
	mas_set(&mas, cell_start(from));
	i = range_last(from) + 1;
	want = i <= limit ? model_find(i, limit) : -1;
	assert_ptr_equal(mas_next(&mas, cell_end(limit)), want < 0 ? NULL : model.cell[want]);
	if (want >= 0) {
		check_position(&mas, want);
		/* And back again. */
		at = range_first(want);
		want = at ? model_find_back(at - 1, 0) : -1;
		assert_ptr_equal(mas_prev(&mas, 0), want < 0 ? NULL : model.cell[want]);
		if (want >= 0)
			check_position(&mas, want);
		else
			/* Nothing before: the next is the one that it has left. */
			assert_ptr_equal(mas_next(&mas, ULONG_MAX), model.cell[at]);
	}
	mas_set(&mas, cell_start(from));
	limit = random_below(random, from + 1);
	i = range_first(from);
	want = i ? model_find_back(i - 1, limit) : -1;
	assert_ptr_equal(mas_prev(&mas, cell_start(limit)), want < 0 ? NULL : model.cell[want]);
	if (want >= 0)
		check_position(&mas, want);
	else if (from > limit && !model.cell[limit])
		check_position(&mas, limit);
	/* Whatever it was: a turn. A position that reaches to the limit stays, though. */
	if (want < 0 && from > limit && mas.last < ULONG_MAX) {
		want = model_find(range_first(limit), model.nr - 1);
		assert_ptr_equal(mas_next(&mas, ULONG_MAX), want < 0 ? NULL : model.cell[want]);
		if (want >= 0)
			check_position(&mas, want);
	}
	mas_set(&mas, cell_start(from));
	limit = from + random_below(random, model.nr - from);
	i = range_last(from) + 1;
	want = i <= limit ? model_find(i, limit) : -1;
	assert_ptr_equal(mas_next(&mas, cell_end(limit)), want < 0 ? NULL : model.cell[want]);
	if (want < 0 && limit > from) {
		if (!model.cell[limit])
			check_position(&mas, limit);
		want = !mas.index ? -1 : model_find_back(range_last(limit), 0);
		assert_ptr_equal(mas_prev(&mas, 0), want < 0 ? NULL : model.cell[want]);
	}
	rcu_read_unlock();
}

/* The lowest, or highest, gap of @size cells in [min, max]; -1 when there is none. */
static int model_gap(unsigned int min, unsigned int max, unsigned int size, bool reverse)
{
	int found = -1;
	unsigned int i, free = 0;

	for (i = min; i <= max; i++) {
		free = model.cell[i] ? 0 : free + 1;
		if (free >= size) {
			found = i - size + 1;
			if (!reverse)
				break;
		}
	}
	return found;
}

static void check_gaps(struct maple_tree *mt, struct random *random)
{
	unsigned int min = random_below(random, model.nr);
	unsigned int max = min + random_below(random, model.nr - min);
	unsigned int size = 1 + random_below(random, 5);
	bool reverse;
	int want, ret;
	MA_STATE(mas, mt, 0, 0);

	for (reverse = false; ; reverse = true) {
		want = model_gap(min, max, size, reverse);
		ret = (reverse ? mas_empty_area_rev : mas_empty_area)(&mas, cell_start(min),
			cell_end(max), size * cell_size());
		if (size > max - min + 1) {
			assert_int_equal(ret, -EINVAL);
		} else if (want < 0) {
			assert_int_equal(ret, -EBUSY);
		} else {
			assert_int_equal(ret, 0);
			assert_int_equal(mas.index, cell_start(want));
			assert_int_equal(mas.last, cell_end(want + size - 1));
		}
		if (reverse)
			break;
	}
}

/* Store over @first to @last, one way or another; model and tree. */
static void store(struct maple_tree *mt, struct random *random, unsigned int first,
		  unsigned int last, void *entry)
{
	MA_STATE(mas, mt, cell_start(first), cell_end(last));
	int other;

	switch (random_below(random, 4)) {
	case 0:
		assert_int_equal(mas_store_gfp(&mas, entry, GFP_KERNEL), 0);
		break;
	case 1:
		assert_int_equal(mas_preallocate(&mas, entry, GFP_KERNEL), 0);
		/* Has what it needs. */
		kshim_fail_reset();
		kshim_fail_probability(1000000, 1);
		mas_store_prealloc(&mas, entry);
		kshim_fail_reset();
		break;
	case 2:
		/* Put by for another place: works as well. */
		other = random_below(random, model.nr);
		mas_set_range(&mas, cell_start(other), cell_end(other));
		assert_int_equal(mas_preallocate(&mas, entry, GFP_KERNEL), 0);
		mas_set_range(&mas, cell_start(first), cell_end(last));
		mas_store_prealloc(&mas, entry);
		break;
	case 3:
		assert_int_equal(mtree_store_range(mt, cell_start(first), cell_end(last), entry,
						   GFP_KERNEL), 0);
		mas_set(&mas, cell_end(last));
		mas_walk(&mas);
		mas_set_range(&mas, cell_start(first), cell_end(last));
		mas.status = ma_active;
		break;
	}
	model_store(first, last, entry);
	/* The position is the range: what is found next is behind it, or before. */
	if (random_below(random, 2)) {
		other = last + 1 < model.nr ? model_find(last + 1, model.nr - 1) : -1;
		assert_ptr_equal(mas_find(&mas, ULONG_MAX), other < 0 ? NULL : model.cell[other]);
	} else {
		other = first ? model_find_back(first - 1, 0) : -1;
		assert_ptr_equal(mas_prev(&mas, 0), other < 0 ? NULL : model.cell[other]);
	}
}

/* A random range: short ones mostly. */
static void random_range(struct random *random, unsigned int *first, unsigned int *last)
{
	unsigned int most = random_below(random, 20) ? 6 : model.nr;

	*first = random_below(random, model.nr);
	*last = min(*first + random_below(random, most), model.nr - 1UL);
}

static void random_stores(struct maple_tree *mt, struct random *random, unsigned int steps,
			  unsigned int often)
{
	unsigned int i, first, last;
	void *entry;

	for (i = 0; i < steps; i++) {
		unsigned long kind = random_below(random, 10);

		random_range(random, &first, &last);
		if (kind == 0) {
			entry = mtree_erase(mt, cell_start(first));
			assert_ptr_equal(entry, model.cell[first]);
			if (entry)
				model_store(range_first(first), range_last(first), NULL);
		} else if (kind == 1) {
			int busy = model_find(first, last);
			int ret = mtree_insert_range(mt, cell_start(first), cell_end(last),
						     entry = new_entry(), GFP_KERNEL);

			assert_int_equal(ret, busy >= 0 ? -EEXIST : 0);
			if (!ret)
				model_store(first, last, entry);
		} else if (kind == 2 && model.cell[first]) {
			/* Exactly what is there. */
			last = range_last(first);
			first = range_first(first);
			store(mt, random, first, last, new_entry());
		} else {
			store(mt, random, first, last,
			      random_below(random, 3) ? new_entry() : NULL);
		}
		check_searches(mt, random);
		check_gaps(mt, random);
		if (i % often == 0)
			check_all(mt, random);
	}
	check_all(mt, random);
}

/* Nodes that are live once all callbacks have run. */
static long live_nodes(void)
{
	struct kshim_cache_stats stats, small;

	rcu_barrier();
	kshim_cache_stats(kshim_cache_find("maple_node"), &stats);
	kshim_cache_stats(kshim_cache_find("maple_node_small"), &small);
	return stats.live + small.live;
}

static void run_random(unsigned int cells, unsigned int flags, unsigned int steps,
		       unsigned int often)
{
	struct random random = random_start();
	struct maple_tree mt;

	memset(&model, 0, sizeof(model));
	model.nr = cells;
	mt_init_flags(&mt, flags);
	check_all(&mt, &random);
	random_stores(&mt, &random, steps, often);
	mtree_destroy(&mt);
	model_store(0, cells - 1, NULL);
	check_all(&mt, &random);
	assert_int_equal(live_nodes(), 0);
}

static void test_small(void **state)
{
	(void)state;
	run_random(8, 0, 3000, 1);
	run_random(32, MT_FLAGS_USE_RCU, 3000, 1);
}

static void test_middle(void **state)
{
	(void)state;
	run_random(128, MT_FLAGS_USE_RCU, 5000, 3);
	run_random(128, 0, 5000, 3);
}

static void test_large(void **state)
{
	(void)state;
	run_random(2048, MT_FLAGS_USE_RCU, 20000, 100);
}

/* One entry per cell, in several orders; then all out again. */
static void test_orders(void **state)
{
	struct random random = random_start();
	struct maple_tree mt;
	unsigned int order, i, j, cell;
	void *entry;

	(void)state;
	for (order = 0; order < 4; order++) {
		unsigned int cells[MAX_CELLS];

		memset(&model, 0, sizeof(model));
		model.nr = MAX_CELLS;
		mt_init_flags(&mt, MT_FLAGS_USE_RCU);
		for (i = 0; i < model.nr; i++)
			cells[i] = order == 1 ? model.nr - 1 - i : i;
		if (order >= 2)
			for (i = model.nr - 1; i; i--) {
				j = random_below(&random, i + 1);
				swap(cells[i], cells[j]);
			}
		for (i = 0; i < model.nr; i++) {
			/* With gaps in the last round. */
			cell = order == 3 ? cells[i] & ~1U : cells[i];
			entry = new_entry();
			assert_int_equal(mtree_store_range(&mt, cell_start(cell), cell_end(cell),
							   entry, GFP_KERNEL), 0);
			model.cell[cell] = entry;
			if (i % 256 == 0)
				check_all(&mt, &random);
		}
		check_all(&mt, &random);
		if (order != 3) {
			long per_entry = live_nodes() * 512 / model.nr;

			print_message("# order %u: %ld bytes per entry\n", order, per_entry);
			assert_true(per_entry <= 40);
		}
		for (i = 0; i < model.nr; i++) {
			assert_ptr_equal(mtree_erase(&mt, cell_start(cells[i])),
					 model.cell[cells[i]]);
			model.cell[cells[i]] = NULL;
			if (i % 256 == 0)
				check_all(&mt, &random);
		}
		assert_true(mtree_empty(&mt));
		assert_int_equal(live_nodes(), 0);
	}
}

static void test_memory(void **state)
{
	struct maple_tree mt = MTREE_INIT(mt, MT_FLAGS_USE_RCU);

	(void)state;
	assert_true(mtree_empty(&mt));
	assert_int_equal(live_nodes(), 0);
	assert_null(mtree_load(&mt, 0));
	assert_null(mtree_erase(&mt, 7));
	assert_int_equal(mtree_store(&mt, 5, NULL, GFP_KERNEL), 0);
	assert_int_equal(live_nodes(), 0);
	assert_int_equal(mtree_insert(&mt, 5, &mt, GFP_KERNEL), 0);
	assert_int_equal(mtree_insert(&mt, 5, &mt, GFP_KERNEL), -EEXIST);
	assert_int_equal(live_nodes(), 1);
	assert_int_equal(mtree_store_range(&mt, 6, 5, &mt, GFP_KERNEL), -EINVAL);
	/* The zero entry takes its place, and is not shown to everybody. */
	assert_int_equal(mtree_store(&mt, 7, XA_ZERO_ENTRY, GFP_KERNEL), 0);
	assert_null(mtree_load(&mt, 7));
	{
		unsigned long index = 6, count = 0;
		void *entry;
		MA_STATE(mas, &mt, 6, 6);

		assert_null(mt_find(&mt, &index, ULONG_MAX));
		assert_int_equal(index, 6);
		assert_true(xa_is_zero(mas_find(&mas, ULONG_MAX)));
		index = 0;
		mt_for_each(&mt, entry, index, ULONG_MAX)
			count++;
		assert_int_equal(count, 1);
		/* Up to the very end. */
		assert_int_equal(mtree_store_range(&mt, 8, ULONG_MAX, &mt, GFP_KERNEL), 0);
		index = count = 0;
		mt_for_each(&mt, entry, index, ULONG_MAX)
			count++;
		assert_int_equal(count, 2);
		mas_set_range(&mas, 20, 30);
		assert_int_equal(mas_preallocate(&mas, &mas, GFP_KERNEL), 0);
		mas_destroy(&mas);
	}
	mtree_destroy(&mt);
	mtree_destroy(&mt);
	assert_int_equal(live_nodes(), 0);
}

/* Each allocation of a store fails in turn: nothing has changed then. */
static void test_failures(void **state)
{
	struct random random = random_start();
	unsigned int i, n, first, last, failures = 0;
	struct maple_tree mt;
	void *entry;

	(void)state;
	memset(&model, 0, sizeof(model));
	model.nr = 512;
	mt_init_flags(&mt, MT_FLAGS_USE_RCU);
	for (i = 0; i < 3000; i++) {
		random_range(&random, &first, &last);
		entry = random_below(&random, 4) ? new_entry() : NULL;
		for (n = 1; ; n++) {
			MA_STATE(mas, &mt, cell_start(first), cell_end(last));
			int ret;

			kshim_fail_nth(n);
			if (i % 2) {
				ret = mas_store_gfp(&mas, entry, GFP_KERNEL);
			} else {
				ret = mas_preallocate(&mas, entry, GFP_KERNEL);
				if (!ret)
					mas_store_prealloc(&mas, entry);
			}
			if (!kshim_fail_disarm()) {
				assert_int_equal(ret, 0);
				break;
			}
			assert_int_equal(ret, -ENOMEM);
			failures++;
			if (i % 16 < 2)
				check_all(&mt, &random);
		}
		model_store(first, last, entry);
		if (i % 16 < 2)
			check_all(&mt, &random);
	}
	assert_true(failures > 3000);
	mtree_destroy(&mt);
	assert_int_equal(live_nodes(), 0);
}

static void test_dup(void **state)
{
	struct random random = random_start();
	struct maple_tree mt, copy;
	unsigned int i, n;
	int ret;

	(void)state;
	memset(&model, 0, sizeof(model));
	model.nr = 1024;
	mt_init_flags(&mt, MT_FLAGS_USE_RCU);
	mt_init_flags(&copy, MT_FLAGS_USE_RCU);
	assert_int_equal(__mt_dup(&mt, &copy, GFP_KERNEL), 0);
	assert_true(mtree_empty(&copy));
	for (i = 0; i < 4; i++) {
		struct model before;

		random_stores(&mt, &random, i ? 500 : 3, 100);
		before = model;
		for (n = 1; ; n++) {
			kshim_fail_nth(n);
			ret = __mt_dup(&mt, &copy, GFP_KERNEL);
			if (!kshim_fail_disarm())
				break;
			assert_int_equal(ret, -ENOMEM);
			assert_true(mtree_empty(&copy));
		}
		assert_int_equal(ret, 0);
		check_all(&copy, &random);
		assert_int_equal(__mt_dup(&mt, &copy, GFP_KERNEL), -EINVAL);
		/* Each has its own life. */
		random_stores(&copy, &random, 200, 100);
		model = before;
		check_all(&mt, &random);
		__mt_destroy(&copy);
	}
	mtree_destroy(&mt);
	assert_int_equal(live_nodes(), 0);
}

/* The one writer stores while it iterates. */
static void test_store_in_iteration(void **state)
{
	struct maple_tree mt = MTREE_INIT(mt, 0);
	unsigned int i = 0;
	void *entry;
	MA_STATE(mas, &mt, 0, 0);

	(void)state;
	memset(&model, 0, sizeof(model));
	model.nr = 256;
	for (i = 0; i < model.nr; i += 2)
		assert_int_equal(mtree_store_range(&mt, cell_start(i), cell_end(i),
						   xa_mk_value(i), GFP_KERNEL), 0);
	i = 0;
	mas_for_each(&mas, entry, ULONG_MAX) {
		MA_STATE(other, &mt, 0, 0);

		assert_int_equal(xa_to_value(entry), i);
		if (i % 3 == 0)
			/* With the position itself, */
			assert_int_equal(mas_store_gfp(&mas, NULL, GFP_KERNEL), 0);
		else if (i % 3 == 1)
			/* and with another, behind and in front of it. */
			assert_ptr_equal(mtree_erase(&mt, cell_start(i)), entry);
		mas_set_range(&other, cell_start(i + 1), cell_end(i + 1));
		assert_int_equal(mas_store_gfp(&other, xa_mk_value(i + 1), GFP_KERNEL), 0);
		entry = mas_find(&mas, ULONG_MAX);
		assert_int_equal(xa_to_value(entry), i + 1);
		if (i == 100)
			mas_pause(&mas);
		i += 2;
	}
	assert_int_equal(i, 256);
	mtree_destroy(&mt);
	assert_int_equal(live_nodes(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_middle),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_dup),
		cmocka_unit_test(test_store_in_iteration),
	};
	int failed;

	kshim_thread_register();
	failed = cmocka_run_group_tests_name("maple", tests, NULL, NULL);
	kshim_thread_unregister();
	return failed;
}
