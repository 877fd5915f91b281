/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_SLAB_STATS_H
#define _KSHIM_SLAB_STATS_H
/*
 * Not in Linux: what slab caches hold.
 *
 * Counts of live objects are exact whenever nobody allocates or frees at the
 * moment. Peaks are exact while one thread alone uses a cache; where several do,
 * a peak may be off by KSHIM_SLAB_COUNT_BATCH objects per thread.
 */
#include <linux/types.h>

struct kmem_cache;

#define KSHIM_SLAB_COUNT_BATCH	32

/**
 * struct kshim_cache_stats - one cache at one moment
 * @name: as given to kmem_cache_create(); lives as long as the cache
 * @live: objects allocated and not freed
 * @peak: most objects live at a time, since creation or kshim_cache_reset_peak()
 * @allocs: successful allocations, since creation
 * @size: bytes asked for per object
 * @reported_size: bytes to account per object; @size unless set
 * @reported_bytes: @live * @reported_size
 * @reported_peak_bytes: @peak * @reported_size
 * @memory: bytes that the cache holds of the system, free objects included
 */
struct kshim_cache_stats {
	const char *name;
	long live;
	long peak;
	u64 allocs;
	unsigned int size;
	unsigned int reported_size;
	u64 reported_bytes;
	u64 reported_peak_bytes;
	u64 memory;
};

void kshim_cache_stats(struct kmem_cache *cache, struct kshim_cache_stats *stats);
void kshim_cache_set_reported_size(struct kmem_cache *cache, unsigned int bytes);
void kshim_cache_reset_peak(struct kmem_cache *cache);

/* Calls @fn for each cache, in order of creation; it must not create or destroy any. */
void kshim_for_each_cache(void (*fn)(struct kmem_cache *cache, void *arg), void *arg);
/* The first cache of that name, or NULL. */
struct kmem_cache *kshim_cache_find(const char *name);

#endif
