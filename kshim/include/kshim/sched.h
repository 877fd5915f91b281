/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_SCHED_H
#define _KSHIM_SCHED_H
/*
 * Not in Linux: the shim whose threads run one at a time, in an order that somebody
 * chooses. Built with KSHIM_SCHED; without it nothing of this is left in the code.
 *
 * Before each access to a word that threads share there is a schedule point, which says
 * what the access is. docs/schedules.md has the model.
 *
 * Accesses are of three classes; two of them by different threads to one word depend on
 * each other unless both are reads, or both are updates.
 */
enum kshim_sched_class {
	KSHIM_SCHED_READ,
	KSHIM_SCHED_UPDATE,	/* no result, and the order among them makes no difference */
	KSHIM_SCHED_WRITE,	/* all else */
	KSHIM_SCHED_CLASSES,
};

#ifdef KSHIM_SCHED

#include <stdbool.h>
#include <stddef.h>

void kshim_sched_point(enum kshim_sched_class class, const volatile void *addr);

/* A schedule point for an access to *@ptr, which is also its value. */
#define kshim_sched_at(class, ptr)						\
({										\
	__auto_type __sched_at = (ptr);						\
										\
	kshim_sched_point(class, __sched_at);					\
	__sched_at;								\
})

/* -- For the rest of the shim ------------------------------------------------------------ */

/*
 * Waits until @ready(@object), and says by another point that the thread goes on.
 * @what is for people.
 */
void kshim_sched_wait(bool (*ready)(const void *object), const void *object,
		      enum kshim_sched_class class, const volatile void *addr, const char *what);
/* Others first. */
void kshim_sched_yield(void);
/* The memory at [@addr, @addr + @size) goes away: depends on all accesses to it. */
void kshim_sched_freed(const void *addr, size_t size);
/* Something is so wrong that this run cannot go on. */
void kshim_sched_die(const char *kind, const char *text) __attribute__((noreturn));
/* Something is wrong. */
void kshim_sched_warn(const char *kind, const char *text);

/* -- For who schedules -------------------------------------------------------------------- */

#define KSHIM_SCHED_THREADS	4
/* Whoever runs before and after them, alone, is this one. */
#define KSHIM_SCHED_ALONE	KSHIM_SCHED_THREADS

/* Why a thread does not go on, when it cannot. */
enum kshim_sched_stop {
	KSHIM_SCHED_BLOCKED,
	KSHIM_SCHED_YIELDED,
	KSHIM_SCHED_ENDED,
	KSHIM_SCHED_BEGIN,	/* nobody runs yet */
};

struct kshim_sched_access {
	enum kshim_sched_class class;
	const volatile void *addr;
};

struct kshim_sched_ops {
	/* @thread can go on, and does @access next. Returns who goes on, of @ready. */
	unsigned int (*choose)(unsigned int thread, const struct kshim_sched_access *access,
			       unsigned int ready);
	/*
	 * @thread cannot go on, or yields. Returns who does, of @ready, which is not empty;
	 * of @ready, @fair are those whose turn it is when yielding means something: one of
	 * them at the least.
	 */
	unsigned int (*change)(unsigned int thread, enum kshim_sched_stop why,
			       unsigned int ready, unsigned int fair);
	/* @thread makes the access now. */
	void (*access)(unsigned int thread, const struct kshim_sched_access *access);
	/* @thread frees memory now. */
	void (*freed)(unsigned int thread, const void *addr, size_t size);
	/* The run has failed; @fatal: and is over, with the process. */
	void (*failed)(const char *kind, const char *text, bool fatal);
};

/* Starts threads that wait for work; once in a process, in the thread that will be alone. */
int kshim_sched_start(const struct kshim_sched_ops *ops, unsigned int nr_threads);
/* Runs @fn[i](@arg) in thread i, for all of them, until all have ended. */
void kshim_sched_run(void (*const fn[])(void *arg), void *arg, unsigned int nr);
/* Forgets all memory and all of RCU: a new run begins. */
void kshim_sched_reset(void);
/* After a run: freed memory was not written to. */
void kshim_sched_check_memory(void);
/* Who runs. */
unsigned int kshim_sched_self(void);
/* What @addr is, in words that are the same each time. */
void kshim_sched_describe(const volatile void *addr, char *text, size_t room);

/* -- Memory (sched_memory.c): that of one run, and none of it twice ------------------------- */

void *kshim_sched_malloc(size_t size, size_t align);
void *kshim_sched_calloc(size_t nr, size_t size);
void *kshim_sched_realloc(void *object, size_t size);
void kshim_sched_free(void *object);
void kshim_sched_memory_reset(void);
/* False for memory of a run that is free, or was never allocated. */
bool kshim_sched_memory_live(const volatile void *addr);
/* Memory that may be had again: free, but not gone. */
void kshim_sched_memory_gone(void *object);

#else

#define kshim_sched_point(class, addr)	((void)0)
#define kshim_sched_at(class, ptr)	(ptr)

#endif

#define kshim_sched_read(ptr)		kshim_sched_at(KSHIM_SCHED_READ, ptr)
#define kshim_sched_update(ptr)		kshim_sched_at(KSHIM_SCHED_UPDATE, ptr)
#define kshim_sched_write(ptr)		kshim_sched_at(KSHIM_SCHED_WRITE, ptr)

#endif
