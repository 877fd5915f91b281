// SPDX-License-Identifier: GPL-2.0
/* The maple tree with lockless readers. */
#include "data.h"
#include <string.h>
#include <linux/maple_tree.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <kshim/slab_stats.h>
#include <kshim/thread.h>

#define READERS		3
#define CELLS		1024
#define CELL		4096UL
/* Every fourth cell has an entry that is never touched. */
#define FIXED		4
/* Entries are freed: what a reader finds must still be one. */
#define MAGIC		0x0bea57UL

/* With a sanitizer everything takes ten times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW		10
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW		10
#endif
#endif
#ifndef SLOW
#define SLOW		1
#endif

struct thing {
	unsigned long magic;
	unsigned long first, last;	/* what it was stored for: it may be clipped later */
	struct rcu_head rcu;
};

static struct maple_tree mt;
static bool stop;
static unsigned long reads;

static struct thing *thing_new(unsigned long first, unsigned long last)
{
	struct thing *thing = kmalloc(sizeof(*thing), GFP_KERNEL);

	assert_non_null(thing);
	thing->magic = MAGIC;
	thing->first = first;
	thing->last = last;
	return thing;
}

static void thing_free(struct rcu_head *head)
{
	struct thing *thing = container_of(head, struct thing, rcu);

	thing->magic = 0;
	kfree(thing);
}

/* In threads cmocka's assertions cannot be used: die instead. */
#define must(cond)	BUG_ON(!(cond))

static void check_thing(const struct thing *thing, const struct ma_state *mas)
{
	must(thing->magic == MAGIC);
	must(mas->index >= thing->first && mas->last <= thing->last);
}

static void read_forward(void)
{
	unsigned long next = 0, end = 0;
	struct thing *thing;
	MA_STATE(mas, &mt, 0, 0);

	mas_for_each(&mas, thing, CELLS * CELL - 1) {
		check_thing(thing, &mas);
		/* Never backwards, and none of those that are always there is left out. */
		must(mas.last >= end);
		end = mas.last;
		if (mas.index / CELL % FIXED == 0) {
			must(mas.index == next);
			next += FIXED * CELL;
		}
	}
	must(next == CELLS * CELL);
}

static void read_backward(void)
{
	unsigned long next = CELLS * CELL;
	struct thing *thing;
	MA_STATE(mas, &mt, CELLS * CELL, CELLS * CELL);

	while ((thing = mas_prev(&mas, 0))) {
		check_thing(thing, &mas);
		if (mas.index / CELL % FIXED == 0) {
			next -= FIXED * CELL;
			must(mas.index == next);
		}
	}
	must(!next);
}

static void read_one(struct random *random)
{
	unsigned long cell = random_below(random, CELLS);
	unsigned long addr = cell * CELL + random_below(random, CELL);
	struct thing *thing = mtree_load(&mt, addr);
	MA_STATE(mas, &mt, addr, addr);

	must(thing || cell % FIXED);
	thing = mas_walk(&mas);
	must(mas.index <= addr && mas.last >= addr);
	must(thing || cell % FIXED);
	if (thing)
		check_thing(thing, &mas);
	/* The one in the next fixed cell is the last that can be found. */
	mas_set(&mas, addr);
	thing = mas_find(&mas, round_up(addr + 1, FIXED * CELL));
	must(thing || cell > CELLS - FIXED);
	if (thing)
		check_thing(thing, &mas);
}

static void reader(void *arg)
{
	struct random random = { (unsigned long)arg };
	unsigned long count = 0;

	while (!READ_ONCE(stop)) {
		rcu_read_lock();
		if (count % 64 == 0)
			read_forward();
		else if (count % 64 == 32)
			read_backward();
		else
			read_one(&random);
		rcu_read_unlock();
		count++;
	}
	__atomic_fetch_add(&reads, count, __ATOMIC_RELAXED);
}

static void start(struct kshim_thread **threads, void (*fn)(void *arg))
{
	unsigned long i;

	WRITE_ONCE(stop, false);
	reads = 0;
	for (i = 0; i < READERS; i++) {
		threads[i] = kshim_thread_create(fn, (void *)(i + 1), "reader");
		assert_non_null(threads[i]);
	}
}

static void finish(struct kshim_thread **threads)
{
	int i;

	WRITE_ONCE(stop, true);
	for (i = 0; i < READERS; i++)
		kshim_thread_join(threads[i]);
	print_message("# %lu reads\n", reads);
}

static void assert_no_nodes(void)
{
	struct kshim_cache_stats stats;

	rcu_barrier();
	kshim_cache_stats(kshim_cache_find("maple_node"), &stats);
	assert_int_equal(stats.live, 0);
	kshim_cache_stats(kshim_cache_find("maple_node_small"), &stats);
	assert_int_equal(stats.live, 0);
}

/* Entries come, are clipped, and go, between others that stay. */
static void test_fixed(void **state)
{
	static struct thing *things[CELLS];	/* of cells: each one in it exactly once */
	struct kshim_thread *threads[READERS];
	struct random random = random_start();
	unsigned long cell, i, stores;
	struct thing *thing;

	(void)state;
	stores = 200000 / SLOW;
	mt_init_flags(&mt, MT_FLAGS_USE_RCU);
	for (cell = 0; cell < CELLS; cell += FIXED)
		assert_int_equal(mtree_store_range(&mt, cell * CELL, cell * CELL + CELL - 1,
				 thing_new(cell * CELL, cell * CELL + CELL - 1), GFP_KERNEL), 0);
	start(threads, reader);
	for (i = 0; i < stores; i++) {
		/* Between two fixed ones; waves of full and empty, so that nodes come and go. */
		bool fill = random_below(&random, 10) < (i / 5000 % 2 ? 2 : 8);
		unsigned long first, last;

		cell = random_below(&random, CELLS);
		if (cell % FIXED == 0)
			continue;
		first = cell * CELL + (random_below(&random, 2) ? 0 : 100);
		last = cell * CELL + CELL - 1;
		if (fill) {
			thing = thing_new(first, last);
			assert_int_equal(mtree_store_range(&mt, first, last, thing,
							   GFP_KERNEL), 0);
			/* Maybe a rest of the old one is left: put it out of the way. */
			assert_int_equal(first == cell * CELL ? 0 :
					 mtree_store_range(&mt, cell * CELL, first - 1, NULL,
							   GFP_KERNEL), 0);
		} else {
			thing = NULL;
			assert_int_equal(mtree_store_range(&mt, cell * CELL, last, NULL,
							   GFP_KERNEL), 0);
		}
		if (things[cell])
			call_rcu(&things[cell]->rcu, thing_free);
		things[cell] = thing;
	}
	finish(threads);
	for (cell = 0; cell < CELLS; cell++) {
		if (cell % FIXED == 0)
			things[cell] = mtree_load(&mt, cell * CELL);
		assert_ptr_equal(mtree_load(&mt, cell * CELL + 200), things[cell]);
		kfree(things[cell]);
		things[cell] = NULL;
	}
	mtree_destroy(&mt);
	assert_no_nodes();
}

/*
 * All addresses of a stretch always have an entry: one for all of it, or many,
 * and each store turns some of the one into some of the other. No lookup may
 * find a hole.
 */
static void cover_reader(void *arg)
{
	struct random random = { (unsigned long)arg };
	unsigned long count = 0, addr, end;
	struct thing *thing;

	while (!READ_ONCE(stop)) {
		MA_STATE(mas, &mt, 0, 0);

		addr = random_below(&random, CELLS * CELL);
		rcu_read_lock();
		must(mtree_load(&mt, addr));
		mas_set(&mas, addr);
		must(mas_walk(&mas));
		must(mas.index <= addr && mas.last >= addr);
		mas_set(&mas, addr);
		must(mas_find(&mas, ULONG_MAX) && mas.index <= addr);
		if (count % 16 == 0) {
			/* One behind the other, without a gap; overlaps are of two moments. */
			mas_set(&mas, 0);
			end = 0;
			mas_for_each(&mas, thing, ULONG_MAX) {
				check_thing(thing, &mas);
				must(mas.index <= end && mas.last >= end);
				end = mas.last + 1;
			}
			must(end == CELLS * CELL);
			/* The same, backwards. */
			mas_set(&mas, ULONG_MAX);
			while ((thing = mas_prev(&mas, 0))) {
				must(mas.last >= end - 1 && mas.index < end);
				end = mas.index;
			}
			must(!end);
		}
		rcu_read_unlock();
		count++;
	}
	__atomic_fetch_add(&reads, count, __ATOMIC_RELAXED);
}

static void test_cover(void **state)
{
	struct kshim_thread *threads[READERS];
	struct random random = random_start();
	unsigned long first, last, i, stores = 100000 / SLOW;
	struct thing **things;

	(void)state;
	things = calloc(stores + 1, sizeof(*things));
	assert_non_null(things);
	mt_init_flags(&mt, MT_FLAGS_USE_RCU);
	things[stores] = thing_new(0, CELLS * CELL - 1);
	assert_int_equal(mtree_store_range(&mt, 0, CELLS * CELL - 1, things[stores],
					   GFP_KERNEL), 0);
	start(threads, cover_reader);
	for (i = 0; i < stores; i++) {
		/* Now and then all at once, or a good part; else small pieces. */
		unsigned long size = i % 2000 == 0 ? CELLS : i % 100 ? 3 : 200;

		first = size == CELLS ? 0 : random_below(&random, CELLS) * CELL;
		last = first + (1 + random_below(&random, size)) * CELL - 1;
		if (size == CELLS || last >= CELLS * CELL)
			last = CELLS * CELL - 1;
		things[i] = thing_new(first, last);
		assert_int_equal(mtree_store_range(&mt, first, last, things[i], GFP_KERNEL), 0);
	}
	finish(threads);
	mtree_destroy(&mt);
	for (i = 0; i <= stores; i++)
		kfree(things[i]);
	free(things);
	assert_no_nodes();
}

/* A copy appears at once. */
static void dup_reader(void *arg)
{
	unsigned long count = 0, entries;
	void *entry;

	(void)arg;
	while (!READ_ONCE(stop)) {
		MA_STATE(mas, &mt, 0, 0);

		entries = 0;
		rcu_read_lock();
		mas_for_each(&mas, entry, ULONG_MAX)
			entries++;
		rcu_read_unlock();
		/* An iteration may see the tree come or go: but what was there, was complete. */
		must(entries <= CELLS);
		rcu_read_lock();
		mas_set(&mas, 5 * CELL);
		entry = mas_find(&mas, ULONG_MAX);
		must(!entry || xa_to_value(entry) == 5);
		rcu_read_unlock();
		count++;
	}
	__atomic_fetch_add(&reads, count, __ATOMIC_RELAXED);
}

static void test_dup(void **state)
{
	struct kshim_thread *threads[READERS];
	struct maple_tree from;
	unsigned long i;

	(void)state;
	mt_init_flags(&mt, MT_FLAGS_USE_RCU);
	mt_init_flags(&from, MT_FLAGS_USE_RCU);
	for (i = 0; i < CELLS; i++)
		assert_int_equal(mtree_store_range(&from, i * CELL, i * CELL + CELL - 1,
						   xa_mk_value(i), GFP_KERNEL), 0);
	start(threads, dup_reader);
	for (i = 0; i < 500; i++) {
		assert_int_equal(__mt_dup(&from, &mt, GFP_KERNEL), 0);
		mtree_destroy(&mt);
	}
	finish(threads);
	mtree_destroy(&from);
	assert_no_nodes();
}

/*
 * Between two fixed entries there is always a low one, or a high one, or both: a
 * single search that comes by has to find one, also where it has to look for
 * them in two nodes.
 */
#define PAIRS		40

static unsigned long hot;

static void pair_reader(void *arg)
{
	unsigned long count = 0, start, end;
	MA_STATE(mas, &mt, 0, 0);

	(void)arg;
	while (!READ_ONCE(stop)) {
		start = READ_ONCE(hot) * CELL + 100;
		end = start + 900;
		rcu_read_lock();
		mas_set(&mas, start);
		must(mas_find(&mas, end));
		mas_set(&mas, end);
		/* The address itself is never covered: what is before it is asked for. */
		must(mas_prev(&mas, start));
		rcu_read_unlock();
		count++;
	}
	__atomic_fetch_add(&reads, count, __ATOMIC_RELAXED);
}

static void set_pair(unsigned long first, void *entry)
{
	assert_int_equal(mtree_store_range(&mt, first, first + 99, entry, GFP_KERNEL), 0);
}

static void test_pairs(void **state)
{
	struct kshim_thread *threads[READERS];
	unsigned long i, low, high;

	(void)state;
	mt_init_flags(&mt, MT_FLAGS_USE_RCU);
	for (i = 0; i < PAIRS; i++)
		set_pair(i * CELL, xa_mk_value(i));
	for (i = 0; i < PAIRS; i++)
		set_pair(i * CELL + 200, xa_mk_value(i));
	start(threads, pair_reader);
	for (i = 0; i < 400000 / SLOW; i++) {
		WRITE_ONCE(hot, i / 1000 % PAIRS);
		low = hot * CELL + 200;
		high = hot * CELL + 800;
		set_pair(high, xa_mk_value(i));
		set_pair(low, NULL);
		set_pair(low, xa_mk_value(i));
		set_pair(high, NULL);
	}
	finish(threads);
	mtree_destroy(&mt);
	assert_no_nodes();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_cover),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_dup),
	};
	int failed;

	kshim_thread_register();
	failed = cmocka_run_group_tests_name("maple_rcu", tests, NULL, NULL);
	kshim_thread_unregister();
	return failed;
}
