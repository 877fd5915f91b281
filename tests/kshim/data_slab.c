// SPDX-License-Identifier: GPL-2.0
/* Slab caches: counts, reuse, constructors, misuse, failures on demand. */
#include "data.h"
#include <string.h>
#include <linux/slab.h>
#include <kshim/fault.h>
#include <kshim/slab_stats.h>
#include <kshim/thread.h>

#define NR	1000

static void *objects[NR];

static struct kshim_cache_stats stats_of(struct kmem_cache *cache)
{
	struct kshim_cache_stats stats;

	kshim_cache_stats(cache, &stats);
	return stats;
}

static void test_counts(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("counts", 40, 0, SLAB_PANIC, NULL);
	struct kshim_cache_stats stats;
	int i;

	(void)state;
	assert_int_equal(kmem_cache_size(cache), 40);
	assert_ptr_equal(kshim_cache_find("counts"), cache);
	assert_null(kshim_cache_find("no such cache"));
	for (i = 0; i < NR; i++) {
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		assert_true(IS_ALIGNED((unsigned long)objects[i], 8));
		memset(objects[i], i, 40);
		assert_int_equal(stats_of(cache).live, i + 1);
	}
	for (i = 0; i < NR; i++)
		assert_int_equal(*(unsigned char *)objects[i], i & 0xff);
	for (i = 0; i < NR - 10; i++)
		kmem_cache_free(cache, objects[i]);
	kshim_cache_set_reported_size(cache, 64);
	stats = stats_of(cache);
	assert_string_equal(stats.name, "counts");
	assert_int_equal(stats.live, 10);
	assert_int_equal(stats.peak, NR);
	assert_int_equal(stats.allocs, NR);
	assert_int_equal(stats.size, 40);
	assert_int_equal(stats.reported_bytes, 640);
	assert_int_equal(stats.reported_peak_bytes, 64 * NR);
	assert_true(stats.memory >= 400);
	kshim_cache_reset_peak(cache);
	assert_int_equal(stats_of(cache).peak, 10);
	for (i = 0; i < 5; i++)
		objects[i] = kmem_cache_zalloc(cache, GFP_KERNEL);
	for (i = 0; i < 40; i++)
		assert_int_equal(((char *)objects[0])[i], 0);
	assert_int_equal(stats_of(cache).peak, 15);
	for (i = 0; i < 5; i++)
		kmem_cache_free(cache, objects[i]);
	for (i = NR - 10; i < NR; i++)
		kmem_cache_free(cache, objects[i]);
	assert_int_equal(stats_of(cache).live, 0);
	assert_int_equal(stats_of(cache).peak, 15);
	kmem_cache_destroy(cache);
	assert_null(kshim_cache_find("counts"));
	assert_int_equal(kshim_warn_count(), 0);
}

static void count_cache(struct kmem_cache *cache, void *arg)
{
	(void)cache;
	(*(int *)arg)++;
}

static void test_caches(void **state)
{
	struct kmem_cache *cache[3];
	int before = 0, after = 0;
	void *object;

	(void)state;
	kshim_for_each_cache(count_cache, &before);
	cache[0] = kmem_cache_create("a", 100, 64, SLAB_ACCOUNT, NULL);
	cache[1] = kmem_cache_create("b", 8, 0, SLAB_HWCACHE_ALIGN, NULL);
	cache[2] = kmem_cache_create("c", 30000, 4096, SLAB_TYPESAFE_BY_RCU, NULL);
	kshim_for_each_cache(count_cache, &after);
	assert_int_equal(after, before + 3);
	object = kmem_cache_alloc(cache[0], GFP_ATOMIC);
	assert_true(IS_ALIGNED((unsigned long)object, 64));
	kmem_cache_free(cache[0], object);
	object = kmem_cache_alloc(cache[1], GFP_NOWAIT);
	assert_true(IS_ALIGNED((unsigned long)object, 64));
	kmem_cache_free(cache[1], object);
	object = kmem_cache_alloc(cache[2], GFP_KERNEL);
	assert_true(IS_ALIGNED((unsigned long)object, 4096));
	memset(object, 1, 30000);
	kmem_cache_free(cache[2], object);
	kmem_cache_destroy(cache[1]);
	kmem_cache_destroy(cache[0]);
	kmem_cache_destroy(cache[2]);
	kmem_cache_destroy(NULL);
	assert_null(kmem_cache_create("bad", 0, 0, 0, NULL));
	assert_null(kmem_cache_create("bad", 8, 3, 0, NULL));
	assert_null(kmem_cache_create("bad", 100000, 0, 0, NULL));
}

struct stable {
	unsigned long magic;
	unsigned long generation;
};

static int constructed;

static void stable_ctor(void *object)
{
	struct stable *stable = object;

	constructed++;
	stable->magic = 0x57ab1e;
	stable->generation = 0;
}

static void test_type_stable(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("stable", sizeof(struct stable), 0,
						     SLAB_TYPESAFE_BY_RCU, stable_ctor);
	int i, round, most;
	struct stable *stable;

	(void)state;
	constructed = 0;
	stable = kmem_cache_alloc(cache, GFP_KERNEL);
	assert_int_equal(stable->magic, 0x57ab1e);
	stable->generation = 1;
	kmem_cache_free(cache, stable);
	/* Readable while it is free, and the next to be handed out. */
	assert_int_equal(READ_ONCE(stable->magic), 0x57ab1e);
	assert_ptr_equal(kmem_cache_alloc(cache, GFP_KERNEL), stable);
	assert_int_equal(stable->generation, 1);
	kmem_cache_free(cache, stable);

	for (round = 0, most = 0; round < 10; round++) {
		for (i = 0; i < NR; i++) {
			stable = objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
			assert_int_equal(stable->magic, 0x57ab1e);
			stable->generation++;
		}
		if (!round)
			most = constructed;
		for (i = 0; i < NR; i++)
			kmem_cache_free(cache, objects[i]);
	}
	/* Once for the memory, however often it was an object. */
	assert_int_equal(constructed, most);
	assert_true(most >= NR && most < NR + 64);
	kmem_cache_destroy(cache);
}

static void free_twice(void)
{
	struct kmem_cache *cache = kmem_cache_create("twice", 64, 0, 0, NULL);
	void *object = kmem_cache_alloc(cache, GFP_KERNEL);

	kmem_cache_free(cache, object);
	kmem_cache_free(cache, object);
}

static void free_twice_stable(void)
{
	struct kmem_cache *cache = kmem_cache_create("twice", 64, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	void *object = kmem_cache_alloc(cache, GFP_KERNEL);

	kmem_cache_free(cache, object);
	kmem_cache_free(cache, object);
}

static void free_wrong(void)
{
	struct kmem_cache *cache = kmem_cache_create("right", 64, 0, 0, NULL);
	struct kmem_cache *wrong = kmem_cache_create("wrong", 64, 0, 0, NULL);

	kmem_cache_free(wrong, kmem_cache_alloc(cache, GFP_KERNEL));
}

static void write_after_free(void)
{
	struct kmem_cache *cache = kmem_cache_create("late", 64, 0, 0, NULL);
	unsigned char *object = kmem_cache_alloc(cache, GFP_KERNEL);
	volatile unsigned char *late = object;

	kmem_cache_free(cache, object);
	late[8] = 1;
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, object);
}

static void leak(void)
{
	struct kmem_cache *cache = kmem_cache_create("leak", 64, 0, 0, NULL);

	if (kmem_cache_alloc(cache, GFP_KERNEL))
		kmem_cache_destroy(cache);
}

static void no_cache(void)
{
	(void)!kmem_cache_create("bad", 0, 0, SLAB_PANIC, NULL);
}

static void test_misuse(void **state)
{
	(void)state;
	assert_true(complains(leak));
	assert_true(complains(no_cache));
#if defined(KSHIM_DEBUG_SLAB)
	assert_true(complains(free_twice));
	assert_true(complains(free_twice_stable));
	assert_true(complains(free_wrong));
	assert_true(complains(write_after_free));
#else
	(void)free_twice;
	(void)free_twice_stable;
	(void)free_wrong;
	(void)write_after_free;
#endif
}

static void test_failures(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("fail", 32, 0, 0, NULL);
	unsigned long failed = 0, first, i;
	void *a, *b, *c;

	(void)state;
	kshim_fail_reset();
	kshim_fail_nth(2);
	a = kmem_cache_alloc(cache, GFP_KERNEL);
	b = kmalloc(10, GFP_KERNEL);
	c = kmem_cache_alloc(cache, GFP_KERNEL);
	assert_non_null(a);
	assert_null(b);
	assert_non_null(c);
	assert_true(kshim_fail_disarm());
	assert_int_equal(kshim_fail_seen(), 3);
	assert_int_equal(kshim_fail_injected(), 1);
	assert_int_equal(stats_of(cache).live, 2);
	kmem_cache_free(cache, a);
	kmem_cache_free(cache, c);

	/* One that cannot fail neither fails nor counts. */
	kshim_fail_nth(1);
	a = kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NOFAIL);
	b = kmalloc(10, GFP_KERNEL | __GFP_NOFAIL);
	assert_true(a && b);
	assert_int_equal(kshim_fail_seen(), 3);
	assert_false(kshim_fail_disarm());
	kmem_cache_free(cache, a);
	kfree(b);
	kshim_fail_nth(1);
	kshim_fail_nth(0);
	a = kmalloc(10, GFP_KERNEL);
	assert_non_null(a);
	kfree(a);

	/* At random: about as many as asked for, and the same again. */
	for (first = 0; first < 2; first++) {
		kshim_fail_reset();
		kshim_fail_probability(100000, 42);
		for (i = 0; i < 10000; i++) {
			a = kmem_cache_alloc(cache, GFP_KERNEL);
			if (a)
				kmem_cache_free(cache, a);
		}
		assert_in_range(kshim_fail_injected(), 800, 1200);
		if (first)
			assert_int_equal(kshim_fail_injected(), failed);
		failed = kshim_fail_injected();
	}
	kshim_fail_reset();
	assert_int_equal(kshim_fail_seen(), 0);
	kmem_cache_destroy(cache);
}

static void test_kmalloc(void **state)
{
	char *a = kzalloc(100, GFP_KERNEL), *b = kstrdup("text", GFP_KERNEL);
	int *c = kcalloc(10, sizeof(*c), GFP_KERNEL);
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(a[i], 0);
	assert_string_equal(b, "text");
	assert_null(kstrdup(NULL, GFP_KERNEL));
	assert_int_equal(c[9], 0);
	b = krealloc(b, 1000, GFP_KERNEL);
	assert_string_equal(b, "text");
	assert_null(kmalloc_array(1UL << 33, 1UL << 33, GFP_KERNEL));
	kfree(a);
	kvfree(b);
	kfree(c);
	kfree(NULL);
	a = kvmalloc(1 << 20, GFP_KERNEL);
	assert_non_null(a);
	kvfree(a);
	a = kmalloc(0, GFP_KERNEL);
	assert_non_null(a);
	kfree(a);
}

/* -- Threads ------------------------------------------------------------------- */

#define THREADS		4
#define ROUNDS		20000

static struct kmem_cache *shared;
static void *exchange[64];

/* Objects go from thread to thread: what one takes another may have put there. */
static void trader(void *arg)
{
	struct random random = { (unsigned long)arg };
	unsigned long *object, *old;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		object = kmem_cache_alloc(shared, GFP_KERNEL);
		*object = (unsigned long)object;
		old = __atomic_exchange_n(&exchange[random_below(&random, 64)], object,
					  __ATOMIC_ACQ_REL);
		if (!old)
			continue;
		if (*old != (unsigned long)old)
			abort();
		*old = 0;
		kmem_cache_free(shared, old);
	}
}

static void test_threads(void **state)
{
	struct kshim_thread *threads[THREADS];
	struct kshim_cache_stats stats;
	unsigned long i;
	long left = 0;

	(void)state;
	shared = kmem_cache_create("shared", sizeof(long), 0, 0, NULL);
	for (i = 0; i < THREADS; i++) {
		threads[i] = kshim_thread_create(trader, (void *)(i + 1), "trader");
		assert_non_null(threads[i]);
	}
	for (i = 0; i < THREADS; i++)
		kshim_thread_join(threads[i]);
	for (i = 0; i < ARRAY_SIZE(exchange); i++)
		left += !!exchange[i];
	stats = stats_of(shared);
	assert_int_equal(stats.live, left);
	assert_int_equal(stats.allocs, THREADS * ROUNDS);
	assert_in_range(stats.peak, left,
			64 + THREADS * (1 + KSHIM_SLAB_COUNT_BATCH));
	for (i = 0; i < ARRAY_SIZE(exchange); i++)
		if (exchange[i])
			kmem_cache_free(shared, exchange[i]);
	assert_int_equal(stats_of(shared).live, 0);
	kmem_cache_destroy(shared);
	assert_int_equal(kshim_warn_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_caches),
		cmocka_unit_test(test_type_stable),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_kmalloc),
		cmocka_unit_test(test_threads),
	};
	int failed;

	kshim_thread_register();
	failed = cmocka_run_group_tests_name("slab", tests, NULL, NULL);
	kshim_thread_unregister();
	return failed;
}
