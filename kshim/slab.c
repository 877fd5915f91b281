// SPDX-License-Identifier: GPL-2.0
/*
 * Slab caches, with exact counts and failures on demand
 *
 * A cache cuts its objects from chunks, which it returns when it is destroyed
 * and not before; so all its memory is type-stable. Free objects are in two
 * places: in a magazine per thread and cache, which needs no lock, and in the
 * cache's depot, an array that has room for all objects there are, so that
 * freeing never allocates. Neither uses the memory of the objects: it belongs to
 * constructors and to late readers.
 *
 * Counting: each thread counts for itself and adds to the cache's count now and
 * then: every time, while it is the last one that did so, which costs little as
 * the cache line is its own; else when KSHIM_SLAB_COUNT_BATCH objects are due. A
 * sum over all threads is exact at any time that nobody is busy.
 *
 * With AddressSanitizer, caches without SLAB_TYPESAFE_BY_RCU get each object by
 * malloc(), so that use after free is found, with both stacks. With
 * KSHIM_DEBUG_SLAB, freeing to the wrong cache, freeing twice, and writing after
 * free are found without it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <kshim/slab_stats.h>

#include "fault.h"

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif
#ifdef SLAB_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define SLAB_CHUNK_ALIGN	65536UL
/* Less by malloc's own header, so that aligned chunks can be neighbours. */
#define SLAB_CHUNK_SIZE		(SLAB_CHUNK_ALIGN - 64)
#define SLAB_MAX_CACHES		64
#define SLAB_MAGAZINE		64
#define SLAB_MIN_ALIGN		8
#define SLAB_POISON		0x6b

/* With KSHIM_DEBUG_SLAB: what an object is. */
enum slab_state {
	SLAB_RAW,	/* was never an object */
	SLAB_FREE,
	SLAB_LIVE,
};

struct slab_chunk {
	struct kmem_cache *cache;
	struct slab_chunk *next;
	unsigned char state[];		/* enum slab_state, with KSHIM_DEBUG_SLAB */
};

/* One thread's part in one cache. */
struct slab_thread {
	struct kmem_cache *cache;
	struct slab_thread **slot;	/* in the thread's slab_threads[] */
	struct slab_thread *next, **pprev; /* in the cache: caches_lock */
	long delta;			/* not yet in cache->live; written by the thread */
	u64 allocs;			/* the same */
	unsigned int nr;
	void *objects[SLAB_MAGAZINE];
};

struct kmem_cache {
	char *name;
	unsigned int size;
	unsigned int align;
	unsigned int stride;		/* size plus what alignment needs */
	unsigned int first;		/* offset of the first object in a chunk */
	unsigned int id;		/* index into slab_threads[] */
	unsigned int reported_size;
	slab_flags_t flags;
	void (*ctor)(void *object);
	struct kmem_cache *next;	/* in order of creation: caches_lock */
	struct slab_thread *threads;	/* caches_lock */
	u64 allocs;			/* of threads that are gone: caches_lock */

	pthread_mutex_t lock;		/* the following */
	struct slab_chunk *chunks;
	unsigned long nr_chunks;
	char *fresh, *fresh_end;	/* the part of the first chunk not cut yet */
	void **depot;
	unsigned long depot_nr;

	/* Counts have a cache line of their own. */
	long live __aligned(64);
	long peak;
	struct slab_thread *counter;	/* who counted last: compared, not followed */
} __aligned(64);

static pthread_mutex_t caches_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kmem_cache *caches;
static struct kmem_cache *cache_ids[SLAB_MAX_CACHES];

static __thread struct slab_thread *slab_threads[SLAB_MAX_CACHES];
static pthread_key_t thread_exit_key;
static pthread_once_t thread_exit_once = PTHREAD_ONCE_INIT;

/* -- Counting ----------------------------------------------------------------- */

static void count_flush(struct kmem_cache *cache, struct slab_thread *thread, long delta)
{
	long live = __atomic_add_fetch(&cache->live, delta, __ATOMIC_RELAXED);
	long peak = READ_ONCE(cache->peak);

	WRITE_ONCE(thread->delta, 0);
	if (READ_ONCE(cache->counter) != thread)
		WRITE_ONCE(cache->counter, thread);
	while (unlikely(live > peak) &&
	       !__atomic_compare_exchange_n(&cache->peak, &peak, live, true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

static __always_inline void count(struct kmem_cache *cache, struct slab_thread *thread, int d)
{
	struct slab_thread *counter = READ_ONCE(cache->counter);
	long delta = thread->delta + d;

	if (counter == thread || !counter || delta >= KSHIM_SLAB_COUNT_BATCH ||
	    delta <= -KSHIM_SLAB_COUNT_BATCH)
		count_flush(cache, thread, delta);
	else
		WRITE_ONCE(thread->delta, delta);
}

/* -- Threads ------------------------------------------------------------------ */

/* Move @nr objects of a magazine, its last ones, to the depot. */
static void magazine_flush(struct kmem_cache *cache, struct slab_thread *thread, unsigned int nr)
{
	pthread_mutex_lock(&cache->lock);
	thread->nr -= nr;
	memcpy(cache->depot + cache->depot_nr, thread->objects + thread->nr,
	       nr * sizeof(*cache->depot));
	cache->depot_nr += nr;
	pthread_mutex_unlock(&cache->lock);
}

/* A thread's part in a cache ends: caches_lock is held. */
static void slab_thread_free(struct slab_thread *thread)
{
	struct kmem_cache *cache = thread->cache;

	if (thread->nr)
		magazine_flush(cache, thread, thread->nr);
	count_flush(cache, thread, thread->delta);
	WRITE_ONCE(cache->counter, NULL);
	cache->allocs += thread->allocs;
	*thread->pprev = thread->next;
	if (thread->next)
		thread->next->pprev = thread->pprev;
	*thread->slot = NULL;
	free(thread);
}

static void slab_thread_exit(void *arg)
{
	unsigned int i;

	(void)arg;
	pthread_mutex_lock(&caches_lock);
	for (i = 0; i < SLAB_MAX_CACHES; i++)
		if (slab_threads[i])
			slab_thread_free(slab_threads[i]);
	pthread_mutex_unlock(&caches_lock);
}

static void slab_thread_exit_init(void)
{
	if (pthread_key_create(&thread_exit_key, slab_thread_exit))
		kshim_bug(__FILE__, __LINE__, "pthread_key_create()", " failed");
}

static noinline struct slab_thread *slab_thread_create(struct kmem_cache *cache)
{
	struct slab_thread *thread = calloc(1, sizeof(*thread));

	/* What freeing needs too: it cannot fail. */
	if (!thread)
		kshim_bug(__FILE__, __LINE__, "calloc()", " failed");
	pthread_once(&thread_exit_once, slab_thread_exit_init);
	/* Any value that is not NULL has slab_thread_exit() called. */
	pthread_setspecific(thread_exit_key, slab_threads);

	thread->cache = cache;
	thread->slot = &slab_threads[cache->id];
	pthread_mutex_lock(&caches_lock);
	thread->next = cache->threads;
	thread->pprev = &cache->threads;
	if (thread->next)
		thread->next->pprev = &thread->next;
	cache->threads = thread;
	pthread_mutex_unlock(&caches_lock);
	*thread->slot = thread;
	return thread;
}

static __always_inline struct slab_thread *slab_thread(struct kmem_cache *cache)
{
	struct slab_thread *thread = slab_threads[cache->id];

	return likely(thread) ? thread : slab_thread_create(cache);
}

/* -- Chunks -------------------------------------------------------------------- */

static inline unsigned long chunk_capacity(const struct kmem_cache *cache)
{
	return (SLAB_CHUNK_SIZE - cache->first) / cache->stride;
}

/* Get a chunk, and room in the depot for its objects. cache->lock held. */
static bool chunk_add(struct kmem_cache *cache)
{
	unsigned long capacity = chunk_capacity(cache);
	struct slab_chunk *chunk;
	void **depot, *memory;

	depot = realloc(cache->depot, (cache->nr_chunks + 1) * capacity * sizeof(*depot));
	if (!depot)
		return false;
	cache->depot = depot;
	if (posix_memalign(&memory, SLAB_CHUNK_ALIGN, SLAB_CHUNK_SIZE))
		return false;
	chunk = memory;
	chunk->cache = cache;
	chunk->next = cache->chunks;
	cache->chunks = chunk;
	cache->nr_chunks++;
#ifdef KSHIM_DEBUG_SLAB
	memset(chunk->state, SLAB_RAW, capacity);
#endif
	cache->fresh = (char *)chunk + cache->first;
	cache->fresh_end = cache->fresh + capacity * cache->stride;
	return true;
}

#ifdef KSHIM_DEBUG_SLAB

/* Memory that nobody may look at while it is free carries a pattern meanwhile. */
static bool slab_is_poisoned(const struct kmem_cache *cache)
{
	return !cache->ctor && !(cache->flags & SLAB_TYPESAFE_BY_RCU);
}

/* Where an object's state is; NULL, and a warning, if it is none of @cache. */
static unsigned char *slab_state(struct kmem_cache *cache, void *object)
{
	struct slab_chunk *chunk = PTR_ALIGN_DOWN((struct slab_chunk *)object, SLAB_CHUNK_ALIGN);
	unsigned long offset = (char *)object - (char *)chunk - cache->first;

	if (chunk->cache == cache && offset % cache->stride == 0 &&
	    offset / cache->stride < chunk_capacity(cache))
		return &chunk->state[offset / cache->stride];
	kshim_warn(__FILE__, __LINE__, "slab", " %p freed to cache %s: not an object of it", object,
		   cache->name);
	return NULL;
}

static void slab_debug_carve(struct kmem_cache *cache, void *object)
{
	*slab_state(cache, object) = SLAB_FREE;
	if (slab_is_poisoned(cache))
		memset(object, SLAB_POISON, cache->size);
}

static void slab_debug_alloc(struct kmem_cache *cache, void *object)
{
	const unsigned char *bytes = object;
	unsigned int i;

	__atomic_store_n(slab_state(cache, object), SLAB_LIVE, __ATOMIC_RELAXED);
	if (!slab_is_poisoned(cache))
		return;
	for (i = 0; i < cache->size && bytes[i] == SLAB_POISON; i++)
		;
	if (i < cache->size)
		kshim_warn(__FILE__, __LINE__, "slab",
			   " %p of cache %s written after it was freed, at offset %u", object,
			   cache->name, i);
}

/* Returns false for an object that may not be freed, after a warning. */
static bool slab_debug_free(struct kmem_cache *cache, void *object)
{
	unsigned char *state = slab_state(cache, object);

	if (!state)
		return false;
	/* Two who free at once: one of them finds it free. */
	if (__atomic_exchange_n(state, SLAB_FREE, __ATOMIC_RELAXED) != SLAB_LIVE) {
		kshim_warn(__FILE__, __LINE__, "slab", " %p of cache %s freed twice", object,
			   cache->name);
		return false;
	}
	if (slab_is_poisoned(cache))
		memset(object, SLAB_POISON, cache->size);
	return true;
}

#else

static inline void slab_debug_carve(struct kmem_cache *cache, void *object)
{
	(void)cache;
	(void)object;
}

static inline void slab_debug_alloc(struct kmem_cache *cache, void *object)
{
	(void)cache;
	(void)object;
}

static inline bool slab_debug_free(struct kmem_cache *cache, void *object)
{
	(void)cache;
	(void)object;
	return true;
}

#endif

/* Fill an empty magazine by half. Returns false when there is no memory. */
static noinline bool magazine_refill(struct kmem_cache *cache, struct slab_thread *thread)
{
	unsigned int i, nr = SLAB_MAGAZINE / 2;
	unsigned long left;
	char *object;

	pthread_mutex_lock(&cache->lock);
	if (cache->depot_nr) {
		nr = min_t(unsigned long, nr, cache->depot_nr);
		cache->depot_nr -= nr;
		memcpy(thread->objects, cache->depot + cache->depot_nr, nr * sizeof(*cache->depot));
	} else {
		if (cache->fresh == cache->fresh_end && !chunk_add(cache)) {
			pthread_mutex_unlock(&cache->lock);
			return false;
		}
		left = (cache->fresh_end - cache->fresh) / cache->stride;
		nr = min_t(unsigned long, nr, left);
		/* Backwards, so that they are handed out by address. */
		for (i = nr; i--; cache->fresh += cache->stride) {
			object = cache->fresh;
			slab_debug_carve(cache, object);
			if (cache->ctor)
				cache->ctor(object);
			thread->objects[i] = object;
		}
	}
	thread->nr = nr;
	pthread_mutex_unlock(&cache->lock);
	return true;
}

/* -- Objects by malloc() --------------------------------------------------------- */

#ifdef SLAB_ASAN

static inline bool slab_uses_malloc(const struct kmem_cache *cache)
{
	return !(cache->flags & SLAB_TYPESAFE_BY_RCU);
}

/* Before an object is a word, poisoned, that names its cache. */
static unsigned int slab_prefix(const struct kmem_cache *cache)
{
	return max(cache->align, 16U);
}

static void *slab_malloc(struct kmem_cache *cache)
{
	unsigned int prefix = slab_prefix(cache);
	void *memory, *object;

	if (posix_memalign(&memory, prefix, prefix + cache->size))
		return NULL;
	object = (char *)memory + prefix;
	*((struct kmem_cache **)object - 1) = cache;
	ASAN_POISON_MEMORY_REGION(memory, prefix);
	if (cache->ctor)
		cache->ctor(object);
	return object;
}

/* Returns false, after a warning, when the object is of another cache. */
static bool slab_mfree(struct kmem_cache *cache, void *object)
{
	unsigned int prefix = slab_prefix(cache);
	struct kmem_cache **owner = (struct kmem_cache **)object - 1;

	/* For the second of two who free, this is where it dies. */
	(void)*(volatile char *)object;
	ASAN_UNPOISON_MEMORY_REGION(owner, sizeof(*owner));
	if (*owner != cache) {
		ASAN_POISON_MEMORY_REGION(owner, sizeof(*owner));
		kshim_warn(__FILE__, __LINE__, "slab", " %p freed to cache %s: not an object of it",
			   object, cache->name);
		return false;
	}
	ASAN_UNPOISON_MEMORY_REGION((char *)object - prefix, prefix);
	free((char *)object - prefix);
	return true;
}

#else

static inline bool slab_uses_malloc(const struct kmem_cache *cache)
{
	(void)cache;
	return false;
}

static inline void *slab_malloc(struct kmem_cache *cache)
{
	(void)cache;
	return NULL;
}

static inline bool slab_mfree(struct kmem_cache *cache, void *object)
{
	(void)cache;
	(void)object;
	return false;
}

#endif

/* -- The interface of Linux --------------------------------------------------------- */

static struct kmem_cache *cache_new(const char *name, unsigned int size, unsigned int align,
				    slab_flags_t flags, void (*ctor)(void *object))
{
	struct kmem_cache *cache, **link;
	unsigned int header = sizeof(struct slab_chunk);

	if (!size || size > SLAB_CHUNK_SIZE / 2 || (align && !is_power_of_2(align)) ||
	    align > 4096)
		return NULL;
	align = max_t(unsigned int, align, flags & SLAB_HWCACHE_ALIGN ? 64 : SLAB_MIN_ALIGN);
	cache = aligned_alloc(64, sizeof(*cache));
	if (!cache)
		return NULL;
	memset(cache, 0, sizeof(*cache));
	cache->name = strdup(name);
	if (!cache->name) {
		free(cache);
		return NULL;
	}
	cache->size = size;
	cache->reported_size = size;
	cache->align = align;
	cache->stride = ALIGN(size, align);
	cache->flags = flags;
	cache->ctor = ctor;
#ifdef KSHIM_DEBUG_SLAB
	/* A byte for each, by a bound on how many there can be. */
	header += SLAB_CHUNK_SIZE / cache->stride;
#endif
	cache->first = ALIGN(header, align);
	pthread_mutex_init(&cache->lock, NULL);

	pthread_mutex_lock(&caches_lock);
	while (cache->id < SLAB_MAX_CACHES && cache_ids[cache->id])
		cache->id++;
	if (cache->id < SLAB_MAX_CACHES) {
		cache_ids[cache->id] = cache;
		for (link = &caches; *link; link = &(*link)->next)
			;
		*link = cache;
	}
	pthread_mutex_unlock(&caches_lock);
	if (cache->id < SLAB_MAX_CACHES)
		return cache;
	pthread_mutex_destroy(&cache->lock);
	free(cache->name);
	free(cache);
	return NULL;
}

/**
 * kmem_cache_create - make a cache of objects of one size
 * @name: for people; copied
 * @size: of an object, up to 32 KB
 * @align: a power of two up to 4096, or 0 for that of a long
 * @flags: SLAB_*
 * @ctor: when set, called once for each piece of memory that becomes an object;
 *	must not use caches itself
 *
 * Context: may sleep. Returns NULL when there is no memory, on bad arguments and
 * for more than 64 caches; with SLAB_PANIC, aborts instead.
 */
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     slab_flags_t flags, void (*ctor)(void *object))
{
	struct kmem_cache *cache = cache_new(name, size, align, flags, ctor);

	if (!cache && flags & SLAB_PANIC)
		kshim_bug(__FILE__, __LINE__, "kmem_cache_create()", " of %s failed", name);
	return cache;
}

/**
 * kmem_cache_destroy - give a cache's memory back
 * @cache: nobody uses it any more; NULL is ignored
 *
 * Objects that were not freed are reported by a warning, and their memory stays.
 * Objects on the way through call_rcu() are such: rcu_barrier() comes first.
 *
 * Context: may sleep.
 */
void kmem_cache_destroy(struct kmem_cache *cache)
{
	struct slab_chunk *chunk, *next;
	struct kmem_cache **link;

	if (!cache)
		return;
	pthread_mutex_lock(&caches_lock);
	while (cache->threads)
		slab_thread_free(cache->threads);
	for (link = &caches; *link != cache; link = &(*link)->next)
		;
	*link = cache->next;
	cache_ids[cache->id] = NULL;
	pthread_mutex_unlock(&caches_lock);

	if (cache->live)
		kshim_warn(__FILE__, __LINE__, "slab", " cache %s destroyed with %ld objects live",
			   cache->name, cache->live);
	for (chunk = cache->chunks; chunk && !cache->live; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(cache->depot);
	pthread_mutex_destroy(&cache->lock);
	free(cache->name);
	free(cache);
}

/* The size of an object, as given to kmem_cache_create(). */
unsigned int kmem_cache_size(const struct kmem_cache *cache)
{
	return cache->size;
}

/**
 * kmem_cache_alloc - get an object
 * @cache: of what
 * @gfp: __GFP_ZERO clears it, not allowed with a constructor; with __GFP_NOFAIL
 *	lack of memory aborts; no other flag makes a difference here
 *
 * Context: any but the cache's constructor; does not reclaim. Returns NULL when
 * there is no memory, or a failure was asked for (<kshim/fault.h>).
 */
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	struct slab_thread *thread;
	void *object;

	if (kshim_should_fail(gfp))
		return NULL;
	thread = slab_thread(cache);
	if (slab_uses_malloc(cache)) {
		object = slab_malloc(cache);
		if (!object)
			goto nomem;
	} else {
		if (!thread->nr && !magazine_refill(cache, thread))
			goto nomem;
		object = thread->objects[--thread->nr];
		slab_debug_alloc(cache, object);
	}
	WRITE_ONCE(thread->allocs, thread->allocs + 1);
	count(cache, thread, 1);
	if (gfp & __GFP_ZERO) {
		WARN_ON_ONCE(cache->ctor);
		memset(object, 0, cache->size);
	}
	return object;

nomem:
	if (gfp & __GFP_NOFAIL)
		kshim_bug(__FILE__, __LINE__, "kmem_cache_alloc()", " of %s failed", cache->name);
	return NULL;
}

/**
 * kmem_cache_free - give an object back
 * @cache: where it is from
 * @object: the object; with SLAB_TYPESAFE_BY_RCU as its constructor left it, as
 *	it is handed out again as it is
 *
 * Context: any.
 */
void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	struct slab_thread *thread = slab_thread(cache);

	if (slab_uses_malloc(cache)) {
		if (slab_mfree(cache, object))
			count(cache, thread, -1);
		return;
	}
	if (!slab_debug_free(cache, object))
		return;
	if (unlikely(thread->nr == SLAB_MAGAZINE))
		magazine_flush(cache, thread, SLAB_MAGAZINE / 2);
	thread->objects[thread->nr++] = object;
	count(cache, thread, -1);
}

/**
 * kmalloc - get memory of any size
 * @size: in bytes; 0 gives a pointer that can be freed
 * @gfp: as for kmem_cache_alloc()
 *
 * Maps onto malloc(). Context: any. Returns NULL when there is no memory, or a
 * failure was asked for.
 */
void *kmalloc(size_t size, gfp_t gfp)
{
	void *object;

	if (kshim_should_fail(gfp))
		return NULL;
	object = gfp & __GFP_ZERO ? calloc(1, size ? : 1) : malloc(size ? : 1);
	if (!object && gfp & __GFP_NOFAIL)
		kshim_bug(__FILE__, __LINE__, "kmalloc()", " of %zu bytes failed", size);
	return object;
}

/**
 * krealloc - change the size of memory from kmalloc()
 * @object: NULL for new memory
 * @size: the new size
 * @gfp: as for kmalloc(), without __GFP_ZERO
 *
 * Returns the memory, maybe elsewhere, or NULL with @object as it was.
 */
void *krealloc(const void *object, size_t size, gfp_t gfp)
{
	void *new;

	if (kshim_should_fail(gfp))
		return NULL;
	new = realloc((void *)object, size ? : 1);
	if (!new && gfp & __GFP_NOFAIL)
		kshim_bug(__FILE__, __LINE__, "krealloc()", " to %zu bytes failed", size);
	return new;
}

/* A copy of a string; NULL for NULL, and on failure. */
char *kstrdup(const char *s, gfp_t gfp)
{
	size_t size = s ? strlen(s) + 1 : 0;
	char *copy = s ? kmalloc(size, gfp) : NULL;

	return copy ? memcpy(copy, s, size) : NULL;
}

/* Free what kmalloc() and relatives gave; NULL is ignored. Any context. */
void kfree(const void *object)
{
	free((void *)object);
}

/* -- Statistics ------------------------------------------------------------------- */

/* Those who want exact figures count exactly from here on: see count(). */
static void count_take(struct kmem_cache *cache)
{
	struct slab_thread *thread = slab_thread(cache);

	count_flush(cache, thread, thread->delta);
}

static long cache_live(struct kmem_cache *cache)
{
	long live = READ_ONCE(cache->live);
	struct slab_thread *thread;

	for (thread = cache->threads; thread; thread = thread->next)
		live += READ_ONCE(thread->delta);
	return live;
}

/**
 * kshim_cache_stats - what a cache holds
 * @cache: the cache
 * @stats: filled in
 *
 * Context: any but a constructor.
 */
void kshim_cache_stats(struct kmem_cache *cache, struct kshim_cache_stats *stats)
{
	struct slab_thread *thread;

	count_take(cache);
	*stats = (struct kshim_cache_stats) {
		.name = cache->name,
		.size = cache->size,
		.reported_size = READ_ONCE(cache->reported_size),
	};
	pthread_mutex_lock(&caches_lock);
	stats->live = cache_live(cache);
	stats->peak = max(READ_ONCE(cache->peak), stats->live);
	stats->allocs = cache->allocs;
	for (thread = cache->threads; thread; thread = thread->next)
		stats->allocs += READ_ONCE(thread->allocs);
	pthread_mutex_lock(&cache->lock);
	stats->memory = cache->nr_chunks * SLAB_CHUNK_ALIGN;
	pthread_mutex_unlock(&cache->lock);
	pthread_mutex_unlock(&caches_lock);
	if (slab_uses_malloc(cache))
		stats->memory = (u64)stats->live * cache->size;
	stats->reported_bytes = (u64)stats->live * stats->reported_size;
	stats->reported_peak_bytes = (u64)stats->peak * stats->reported_size;
}

/**
 * kshim_cache_set_reported_size - what an object shall count for
 * @cache: the cache
 * @bytes: e.g. what Linux needs for such an object
 */
void kshim_cache_set_reported_size(struct kmem_cache *cache, unsigned int bytes)
{
	WRITE_ONCE(cache->reported_size, bytes);
}

/* From here on the peak is that of the future. Nobody else uses the cache meanwhile. */
void kshim_cache_reset_peak(struct kmem_cache *cache)
{
	struct slab_thread *thread;

	count_take(cache);
	pthread_mutex_lock(&caches_lock);
	/* What others have not added yet would make the peak wrong from the start. */
	for (thread = cache->threads; thread; thread = thread->next) {
		cache->live += thread->delta;
		thread->delta = 0;
	}
	cache->peak = cache->live;
	pthread_mutex_unlock(&caches_lock);
}

void kshim_for_each_cache(void (*fn)(struct kmem_cache *cache, void *arg), void *arg)
{
	struct kmem_cache *cache, *next;

	pthread_mutex_lock(&caches_lock);
	cache = caches;
	pthread_mutex_unlock(&caches_lock);
	for (; cache; cache = next) {
		next = cache->next;
		fn(cache, arg);
	}
}

struct kmem_cache *kshim_cache_find(const char *name)
{
	struct kmem_cache *cache;

	pthread_mutex_lock(&caches_lock);
	for (cache = caches; cache && strcmp(cache->name, name); cache = cache->next)
		;
	pthread_mutex_unlock(&caches_lock);
	return cache;
}
