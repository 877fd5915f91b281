/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_SLAB_H
#define _KSHIM_LINUX_SLAB_H
/*
 * Different implementation of slab caches, see kshim/slab.c; kmalloc() and
 * relatives map onto malloc(). <kshim/slab_stats.h> and <kshim/fault.h> have what
 * Linux has not: exact counts, and failures on demand.
 */
#include <linux/gfp.h>
#include <linux/types.h>

struct kmem_cache;

/*
 * Memory of the cache stays memory of the cache, whatever is freed: a freed
 * object may be read, and taken again, at any moment. The constructor runs once
 * for a piece of memory and not once for an object.
 */
#define SLAB_TYPESAFE_BY_RCU	((slab_flags_t)0x1)
#define SLAB_HWCACHE_ALIGN	((slab_flags_t)0x2)
#define SLAB_PANIC		((slab_flags_t)0x4)	/* no cache: abort */
#define SLAB_ACCOUNT		((slab_flags_t)0x8)	/* accepted, means nothing */
#define SLAB_RECLAIM_ACCOUNT	((slab_flags_t)0x10)	/* the same */
#define SLAB_NO_MERGE		((slab_flags_t)0x20)	/* the same: none is merged */

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     slab_flags_t flags, void (*ctor)(void *object));
void kmem_cache_destroy(struct kmem_cache *cache);
unsigned int kmem_cache_size(const struct kmem_cache *cache);

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp) __must_check;
void kmem_cache_free(struct kmem_cache *cache, void *object);

static inline void *__must_check kmem_cache_zalloc(struct kmem_cache *cache, gfp_t gfp)
{
	return kmem_cache_alloc(cache, gfp | __GFP_ZERO);
}

#define KMEM_CACHE(type, flags) \
	kmem_cache_create(#type, sizeof(struct type), __alignof__(struct type), (flags), NULL)

void *kmalloc(size_t size, gfp_t gfp) __must_check;
void *krealloc(const void *object, size_t size, gfp_t gfp) __must_check;
char *kstrdup(const char *s, gfp_t gfp) __must_check;
void kfree(const void *object);

static inline void *__must_check kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp | __GFP_ZERO);
}

static inline void *__must_check kmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc(bytes, gfp);
}

static inline void *__must_check kcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kmalloc_array(n, size, gfp | __GFP_ZERO);
}

/* Large or small makes no difference here. */
#define kvmalloc(size, gfp)		kmalloc(size, gfp)
#define kvzalloc(size, gfp)		kzalloc(size, gfp)
#define kvcalloc(n, size, gfp)		kcalloc(n, size, gfp)
#define kvmalloc_array(n, size, gfp)	kmalloc_array(n, size, gfp)
#define kvfree(object)			kfree(object)

#endif
