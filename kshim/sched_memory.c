// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of one run
 *
 * Each thread cuts its objects from a piece of its own, one behind the other, and nothing
 * is used twice before the run is over. So an address says the same in all runs in which
 * its thread did the same, what is freed stays free, and a new run begins by setting five
 * pointers back.
 *
 * Free memory carries a pattern, or is poisoned where AddressSanitizer is at work; the
 * shadow, a byte for 16, knows which it is, for the checks at schedule points.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/kernel.h>

#include "sched_state.h"

#if defined(__SANITIZE_ADDRESS__)
#define SCHED_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCHED_ASAN 1
#endif
#endif
#ifdef SCHED_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(addr, size)	ASAN_POISON_MEMORY_REGION(addr, size)
#define UNPOISON(addr, size)	ASAN_UNPOISON_MEMORY_REGION(addr, size)
#else
#define POISON(addr, size)	((void)0)
#define UNPOISON(addr, size)	((void)0)
#endif
/* Headers are in poisoned memory. */
#define UNCHECKED	__attribute__((no_sanitize("address")))

/* Where nobody else has anything, sanitizers included. */
#define BASE		0x200000000000UL
#define PIECE		(64UL << 20)
#define PIECES		(KSHIM_SCHED_THREADS + 1)
#define GRAIN		16UL
#define GAP		16UL		/* behind each object: nobody's */
#define HEADER		((sizeof(struct sched_object) + GRAIN - 1) & ~(GRAIN - 1))
#define FREE_PATTERN	0x6b
#define NEW_PATTERN	0xa5
/* Larger objects, which are a world's page frames, carry no pattern: it takes too long. */
#define PATTERN_MAX	32768UL

enum shadow { NOTHING, LIVE, FREED };

static unsigned char *shadow;
/* Where the next object of each thread begins, as an offset into its piece. */
static size_t used[PIECES];

static size_t piece_start(unsigned int piece)
{
	return BASE + piece * PIECE;
}

static bool is_ours(const volatile void *addr)
{
	return (uintptr_t)addr - BASE < PIECES * PIECE;
}

static size_t shadow_index(const volatile void *addr)
{
	return ((uintptr_t)addr - BASE) / GRAIN;
}

static void init(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	if (mmap((void *)BASE, PIECES * PIECE, PROT_READ | PROT_WRITE,
		 flags | MAP_FIXED_NOREPLACE, -1, 0) != (void *)BASE)
		kshim_sched_die("memory", "the place for it is taken");
	shadow = mmap(NULL, PIECES * PIECE / GRAIN, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (shadow == MAP_FAILED)
		kshim_sched_die("memory", "none for the shadow");
	POISON((void *)BASE, PIECES * PIECE);
}

struct sched_object *kshim_sched_object(const void *object)
{
	return (struct sched_object *)((uintptr_t)object - HEADER);
}

static void mark(const void *object, size_t size, enum shadow what)
{
	memset(&shadow[shadow_index(object)], what, DIV_ROUND_UP(size, GRAIN));
}

/**
 * kshim_sched_malloc - memory for this run
 * @size: in bytes
 * @align: a power of two
 *
 * Contents are a pattern. Always succeeds; more than there is ends the process.
 */
UNCHECKED void *kshim_sched_malloc(size_t size, size_t align)
{
	unsigned int piece = kshim_sched_self();
	struct sched_object *header;
	size_t at;

	if (!shadow)
		init();
	align = max(align, (size_t)GRAIN);
	at = ALIGN(piece_start(piece) + used[piece] + HEADER, align);
	if (at + size + GAP > piece_start(piece) + PIECE)
		kshim_sched_die("memory", "a run takes too much");
	used[piece] = ALIGN(at + size + GAP, GRAIN) - piece_start(piece);
	header = kshim_sched_object((void *)at);
	header->size = size;
	header->tag = NULL;
	header->life = 1;
	header->live = true;
	UNPOISON((void *)at, size);
	mark((void *)at, size, LIVE);
	if (size <= PATTERN_MAX)
		memset((void *)at, NEW_PATTERN, size);
	return (void *)at;
}

UNCHECKED void kshim_sched_memory_gone(void *object)
{
	size_t size = kshim_sched_object(object)->size;

	kshim_sched_freed(object, size);
	mark(object, size, FREED);
	if (size <= PATTERN_MAX)
		memset(object, FREE_PATTERN, size);
	POISON(object, size);
}

UNCHECKED void kshim_sched_free(void *object)
{
	struct sched_object *header = kshim_sched_object(object);

	if (!object)
		return;
	if (!is_ours(object) || !header->live)
		kshim_sched_die("use of freed memory", "freed twice, or never allocated");
	header->live = false;
	kshim_sched_memory_gone(object);
}

bool kshim_sched_memory_live(const volatile void *addr)
{
	return !is_ours(addr) || shadow[shadow_index(addr)] == LIVE;
}

void kshim_sched_memory_reset(void)
{
	unsigned int i;

	for (i = 0; i < PIECES && shadow; i++) {
		POISON((void *)piece_start(i), used[i]);
		memset(&shadow[shadow_index((void *)piece_start(i))], NOTHING, used[i] / GRAIN);
		used[i] = 0;
	}
}

/* -- Looking at all of it -------------------------------------------------------------- */

/* The first object at or behind @addr in a piece, by its shadow; NULL when there is none. */
static void *next_object(unsigned int piece, size_t addr)
{
	for (; addr < piece_start(piece) + used[piece]; addr += GRAIN)
		if (shadow[shadow_index((void *)addr)] != NOTHING)
			return (void *)addr;
	return NULL;
}

UNCHECKED static size_t object_end(const void *object)
{
	return (uintptr_t)object + ALIGN(kshim_sched_object(object)->size, GRAIN);
}

UNCHECKED static void check_object(void *object)
{
	const struct sched_object *header = kshim_sched_object(object);
	const unsigned char *bytes = object;
	char text[160] = "written after it was freed: ";
	size_t i;

	if (header->live || shadow[shadow_index(object)] != FREED || header->size > PATTERN_MAX)
		return;
	/* All the same, and the first one right: quick. */
	if (!header->size || (bytes[0] == FREE_PATTERN &&
			      !memcmp(bytes, bytes + 1, header->size - 1)))
		return;
	for (i = 0; i < header->size && bytes[i] == FREE_PATTERN; i++)
		;
	if (i == header->size)
		return;
	kshim_sched_describe(bytes + i, text + strlen(text), sizeof(text) - strlen(text));
	kshim_sched_warn("use of freed memory", text);
}

void kshim_sched_check_memory(void)
{
	unsigned int i;
	void *object;

#ifdef SCHED_ASAN
	return;		/* it has seen the write itself */
#endif
	for (i = 0; i < PIECES && shadow; i++)
		for (object = next_object(i, piece_start(i)); object;
		     object = next_object(i, object_end(object)))
			check_object(object);
}

UNCHECKED void kshim_sched_describe(const volatile void *addr, char *text, size_t room)
{
	unsigned int piece = ((uintptr_t)addr - BASE) / PIECE, nr = 0;
	const char *kind = "";
	void *object;

	if (!is_ours(addr)) {
		snprintf(text, room, "a static variable, or on a stack");
		return;
	}
	for (object = next_object(piece, piece_start(piece)); object;
	     object = next_object(piece, object_end(object)), nr++)
		if ((uintptr_t)addr < object_end(object))
			break;
	if (object && kshim_sched_object(object)->tag)
		kind = kshim_sched_tag_name(kshim_sched_object(object)->tag);
	if (piece == KSHIM_SCHED_ALONE)
		snprintf(text, room, "object %u%s%s of the setup, offset %ld", nr, *kind ? ", " : "",
			 kind, (long)((uintptr_t)addr - (uintptr_t)object));
	else
		snprintf(text, room, "object %u%s%s of thread %u, offset %ld", nr,
			 *kind ? ", " : "", kind, piece,
			 (long)((uintptr_t)addr - (uintptr_t)object));
}

/* -- For code that uses the C library (<kshim/sched_libc.h>) ---------------------------- */

void *kshim_sched_calloc(size_t nr, size_t size)
{
	void *object = kshim_sched_malloc(nr * size, GRAIN);

	return memset(object, 0, nr * size);
}

UNCHECKED void *kshim_sched_realloc(void *object, size_t size)
{
	void *new = kshim_sched_malloc(size, GRAIN);

	if (object) {
		memcpy(new, object, min(size, kshim_sched_object(object)->size));
		kshim_sched_free(object);
	}
	return new;
}
