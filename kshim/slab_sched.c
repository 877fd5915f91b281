// SPDX-License-Identifier: GPL-2.0
/*
 * slab.c for threads that run one at a time
 *
 * An object is never had twice in a run, so that any use after it was freed is seen. With
 * SLAB_TYPESAFE_BY_RCU, what was freed last is had first, by whomever; but only as long as
 * a reader is around that was there when it was freed. After that the object is gone, as
 * in Linux its page could be.
 */
#include <string.h>
#include <linux/bug.h>
#include <linux/container_of.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <kshim/slab_stats.h>

#include "fault.h"
#include "sched_state.h"

#define MAX_CACHES	64
#define MAX_FREE	1024

/* Headers of objects may be poisoned. */
#define UNCHECKED	__attribute__((no_sanitize("address")))

struct kmem_cache {
	char name[32];
	unsigned int size, align, reported_size;
	slab_flags_t flags;
	void (*ctor)(void *object);
	long live, peak;
	u64 allocs;
	void *free[MAX_FREE];		/* typesafe, to be had again; the last one first */
	unsigned int nr_free;
};

static struct kmem_cache caches[MAX_CACHES];
static unsigned int nr_caches;

const char *kshim_sched_tag_name(const void *tag)
{
	return ((const struct kmem_cache *)tag)->name;
}

/* Caches outlive runs; what was in them does not. */
void kshim_sched_slab_reset(void)
{
	unsigned int i;

	for (i = 0; i < nr_caches; i++) {
		caches[i].live = 0;
		caches[i].peak = 0;
		caches[i].allocs = 0;
		caches[i].nr_free = 0;
	}
}

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     slab_flags_t flags, void (*ctor)(void *object))
{
	struct kmem_cache *cache = &caches[nr_caches];

	if (nr_caches == MAX_CACHES || !size)
		kshim_bug(__FILE__, __LINE__, "kmem_cache_create()", " of %s failed", name);
	nr_caches++;
	strncpy(cache->name, name, sizeof(cache->name) - 1);
	cache->size = size;
	cache->reported_size = size;
	cache->align = align;
	cache->flags = flags;
	cache->ctor = ctor;
	return cache;
}

/* Its number is not used again: there are few, made once. */
void kmem_cache_destroy(struct kmem_cache *cache)
{
	if (cache && cache->live)
		kshim_warn(__FILE__, __LINE__, "slab", " cache %s destroyed with %ld objects live",
			   cache->name, cache->live);
}

unsigned int kmem_cache_size(const struct kmem_cache *cache)
{
	return cache->size;
}

UNCHECKED static void *object_new(struct kmem_cache *cache)
{
	void *object = kshim_sched_malloc(cache->size, cache->align);

	kshim_sched_object(object)->tag = cache;
	if (cache->ctor)
		cache->ctor(object);
	return object;
}

UNCHECKED static void *object_again(struct kmem_cache *cache)
{
	void *object = cache->free[--cache->nr_free];

	kshim_sched_object(object)->life++;
	kshim_sched_object(object)->live = true;
	return object;
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *object;

	if (kshim_should_fail(gfp))
		return NULL;
	/* Who comes first gets the object that was freed last. */
	if (cache->flags & SLAB_TYPESAFE_BY_RCU)
		kshim_sched_point(KSHIM_SCHED_WRITE, &cache->nr_free);
	object = cache->nr_free ? object_again(cache) : object_new(cache);
	cache->allocs++;
	if (++cache->live > cache->peak)
		cache->peak = cache->live;
	if (gfp & __GFP_ZERO)
		memset(object, 0, cache->size);
	return object;
}

/* A freed typesafe object, until its grace period is over. */
struct leaving {
	struct rcu_head rcu;
	struct kmem_cache *cache;
	void *object;
	unsigned int life;
};

UNCHECKED static void object_leaves(struct rcu_head *head)
{
	struct leaving *leaving = container_of(head, struct leaving, rcu);
	struct kmem_cache *cache = leaving->cache;
	struct sched_object *header = kshim_sched_object(leaving->object);
	unsigned int i, nr = 0;

	if (!header->live && header->life == leaving->life) {
		for (i = 0; i < cache->nr_free; i++)
			if (cache->free[i] != leaving->object)
				cache->free[nr++] = cache->free[i];
		cache->nr_free = nr;
		kshim_sched_memory_gone(leaving->object);
	}
	kshim_sched_free(leaving);
}

UNCHECKED static void free_typesafe(struct kmem_cache *cache, void *object)
{
	struct sched_object *header = kshim_sched_object(object);
	struct leaving *leaving;

	if (!header->live || cache->nr_free == MAX_FREE)
		kshim_sched_die("use of freed memory", "an object is freed twice");
	kshim_sched_point(KSHIM_SCHED_WRITE, &cache->nr_free);
	header->live = false;
	cache->free[cache->nr_free++] = object;
	leaving = kshim_sched_malloc(sizeof(*leaving), 16);
	*leaving = (struct leaving) {
		.cache = cache, .object = object, .life = header->life,
	};
	kshim_sched_call_rcu(&leaving->rcu, object_leaves);
}

UNCHECKED void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	if (kshim_sched_object(object)->tag != cache) {
		kshim_warn(__FILE__, __LINE__, "slab", " freed to cache %s: not an object of it",
			   cache->name);
		return;
	}
	if (cache->flags & SLAB_TYPESAFE_BY_RCU)
		free_typesafe(cache, object);
	else
		kshim_sched_free(object);
	cache->live--;
}

void *kmalloc(size_t size, gfp_t gfp)
{
	void *object;

	if (kshim_should_fail(gfp))
		return NULL;
	object = kshim_sched_malloc(size, 16);
	return gfp & __GFP_ZERO ? memset(object, 0, size) : object;
}

void *krealloc(const void *object, size_t size, gfp_t gfp)
{
	return kshim_should_fail(gfp) ? NULL : kshim_sched_realloc((void *)object, size);
}

char *kstrdup(const char *s, gfp_t gfp)
{
	size_t size = s ? strlen(s) + 1 : 0;
	char *copy = s ? kmalloc(size, gfp) : NULL;

	return copy ? memcpy(copy, s, size) : NULL;
}

void kfree(const void *object)
{
	kshim_sched_free((void *)object);
}

/* -- Statistics ------------------------------------------------------------------------ */

void kshim_cache_stats(struct kmem_cache *cache, struct kshim_cache_stats *stats)
{
	*stats = (struct kshim_cache_stats) {
		.name = cache->name,
		.live = cache->live,
		.peak = cache->peak,
		.allocs = cache->allocs,
		.size = cache->size,
		.reported_size = cache->reported_size,
		.reported_bytes = (u64)cache->live * cache->reported_size,
		.reported_peak_bytes = (u64)cache->peak * cache->reported_size,
		.memory = (u64)cache->live * cache->size,
	};
}

void kshim_cache_set_reported_size(struct kmem_cache *cache, unsigned int bytes)
{
	cache->reported_size = bytes;
}

void kshim_cache_reset_peak(struct kmem_cache *cache)
{
	cache->peak = cache->live;
}

void kshim_for_each_cache(void (*fn)(struct kmem_cache *cache, void *arg), void *arg)
{
	unsigned int i;

	for (i = 0; i < nr_caches; i++)
		fn(&caches[i], arg);
}

struct kmem_cache *kshim_cache_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_caches; i++)
		if (!strcmp(caches[i].name, name))
			return &caches[i];
	return NULL;
}
