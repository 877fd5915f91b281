// SPDX-License-Identifier: GPL-2.0
/* The lock-order validator, see <kshim/lockdep.h>. Built with KSHIM_LOCKDEP only. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <asm/barrier.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>
#include <kshim/thread.h>

#define MAX_CLASSES	1024	/* a power of two; class 0 is none */
#define MAX_HELD	128

struct lock_class {
	const char *name;
	unsigned int subclass;
};

/*
 * One lock protects both. Classes and edges are only ever added, so what is
 * found without the lock is true; a class is known to a thread by an acquire of
 * its number, an edge says nothing but that it exists.
 */
static unsigned int graph_lock;
static unsigned int nr_classes = 1;
static struct lock_class classes[MAX_CLASSES];
/* Bit b of edges[a]: b was waited for with a held. */
static unsigned long edges[MAX_CLASSES][MAX_CLASSES / BITS_PER_LONG];

struct held_lock {
	const struct lockdep_map *map;
	const void *id;
	unsigned int class;
	unsigned int flags;
};

/* This thread's locks, in the order that it took them. */
static __thread struct held_lock held[MAX_HELD];
static __thread unsigned int nr_held;

static bool fatal = true;
static unsigned long nr_reports;
/* Set when there are too many classes: from then on nothing is checked. */
static bool off;

/* -- reports -------------------------------------------------------------- */

/* A report is written at once, so that those of several threads do not mix. */
static __thread struct {
	char text[4096];
	size_t len;
} report;

static void __printf(1, 2) add(const char *fmt, ...)
{
	size_t room = sizeof(report.text) - report.len;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(report.text + report.len, room, fmt, args);
	va_end(args);
	if (len > 0)
		report.len += min_t(size_t, len, room - 1);
}

static void add_class(unsigned int class)
{
	add("%s", classes[class].name);
	if (classes[class].subclass)
		add("/%u", classes[class].subclass);
}

static void add_held(void)
{
	unsigned int i;

	add("  this thread holds:");
	for (i = 0; i < nr_held; i++) {
		add(" ");
		add_class(held[i].class);
		add("(%p%s%s)", held[i].id,
		    held[i].flags & KSHIM_LOCK_READ ? ", read" : "",
		    held[i].flags & KSHIM_LOCK_TRY ? ", trylock" : "");
	}
	add("%s\n", nr_held ? "" : " no lock");
	if (rcu_read_lock_held())
		add("  and is in an RCU read section\n");
}

static void finish(void)
{
	fwrite(report.text, 1, report.len, stderr);
	fflush(stderr);
	report.len = 0;
	__atomic_fetch_add(&nr_reports, 1, __ATOMIC_RELAXED);
	if (READ_ONCE(fatal))
		abort();
}

void kshim_lockdep_set_fatal(bool new_fatal)
{
	WRITE_ONCE(fatal, new_fatal);
}

unsigned long kshim_lockdep_reports(void)
{
	return READ_ONCE(nr_reports);
}

/* -- classes and their order ---------------------------------------------- */

static unsigned int new_class(const struct lockdep_map *map, unsigned short *id,
			      unsigned int subclass)
{
	unsigned int class;

	kshim_word_lock(&graph_lock);
	class = *id;
	if (!class && nr_classes < MAX_CLASSES) {
		class = nr_classes++;
		classes[class].name = map->name;
		classes[class].subclass = subclass;
		/* Release: pairs with the acquire in class_of(). */
		smp_store_release(id, class);
	}
	kshim_word_unlock(&graph_lock);

	if (!class && !__atomic_exchange_n(&off, true, __ATOMIC_RELAXED))
		fprintf(stderr, "lockdep: more than %d lock classes: no more checks\n",
			MAX_CLASSES);
	return class;
}

/* Returns 0 when there are too many. */
static unsigned int class_of(struct lockdep_map *map, unsigned int subclass)
{
	unsigned int class;

	if (!map->key) {
		add("lockdep: lock %p was never initialised\n", map);
		add_held();
		finish();
		kshim_lockdep_init_map(map, "(not initialised)", &map->own);
	}

	subclass += map->subclass;
	if (subclass >= KSHIM_LOCK_SUBCLASSES) {
		add("lockdep: %s: subclass %u is too large\n", map->name, subclass);
		finish();
		subclass = KSHIM_LOCK_SUBCLASSES - 1;
	}

	/* Acquire: pairs with the release in new_class(), for the name. */
	class = smp_load_acquire(&map->key->ids[subclass]);
	return class ? class : new_class(map, &map->key->ids[subclass], subclass);
}

static bool has_edge(unsigned int from, unsigned int to)
{
	return READ_ONCE(edges[from][to / BITS_PER_LONG]) >> (to % BITS_PER_LONG) & 1;
}

/*
 * Breadth-first search for a path, with graph_lock held. Returns whether there
 * is one; then @prev leads from @to back to @from.
 */
static bool find_path(unsigned int from, unsigned int to, unsigned short *prev)
{
	static unsigned short queue[MAX_CLASSES];	/* graph_lock */
	unsigned int first = 0, last = 0, class;

	memset(prev, 0, sizeof(*prev) * MAX_CLASSES);
	queue[last++] = from;
	while (first < last) {
		unsigned int at = queue[first++];

		for (class = 1; class < nr_classes; class++) {
			if (class == from || prev[class] || !has_edge(at, class))
				continue;
			prev[class] = at;
			if (class == to)
				return true;
			queue[last++] = class;
		}
	}
	return false;
}

static void report_cycle(unsigned int wanted, unsigned int have, const unsigned short *prev)
{
	unsigned short path[MAX_CLASSES];
	unsigned int len = 0, class;

	add("lockdep: lock order inversion: deadlock possible\n  this thread waits for ");
	add_class(wanted);
	add(", and holds ");
	add_class(have);
	add("\n  known order (->: held while waiting for): ");
	for (class = have; class != wanted; class = prev[class])
		path[len++] = class;
	add_class(wanted);
	while (len) {
		add(" -> ");
		add_class(path[--len]);
	}
	add("\n");
	add_held();
	finish();
}

/* @to is going to be waited for with @from held. */
static void add_edge(unsigned int from, unsigned int to)
{
	static unsigned short prev[MAX_CLASSES];	/* graph_lock */
	unsigned short path[MAX_CLASSES];
	bool cycle;

	/* Almost always: the order is known. */
	if (has_edge(from, to))
		return;

	kshim_word_lock(&graph_lock);
	cycle = find_path(to, from, prev);
	if (cycle)
		memcpy(path, prev, sizeof(path));
	else
		WRITE_ONCE(edges[from][to / BITS_PER_LONG],
			   edges[from][to / BITS_PER_LONG] | 1UL << (to % BITS_PER_LONG));
	kshim_word_unlock(&graph_lock);

	/* Not added: the graph stays free of cycles, and the next one is found too. */
	if (cycle)
		report_cycle(to, from, path);
}

/* -- locks ---------------------------------------------------------------- */

void kshim_lockdep_init_map(struct lockdep_map *map, const char *name,
			    struct lock_class_key *key)
{
	map->key = key;
	map->name = name;
	map->subclass = 0;
}

static struct held_lock *find_held(const struct lockdep_map *map, const void *id)
{
	unsigned int i;

	for (i = nr_held; i--; )
		if (held[i].map == map && held[i].id == id)
			return &held[i];
	return NULL;
}

static void check_recursion(const struct lockdep_map *map, const void *id, unsigned int class)
{
	bool same = find_held(map, id);
	unsigned int i;

	for (i = 0; i < nr_held; i++) {
		/* One lock twice is wrong whatever the subclasses say. */
		if (same ? held[i].map != map || held[i].id != id : held[i].class != class)
			continue;
		add("lockdep: recursive locking: ");
		add_class(class);
		add("(%p) is %s\n", id, same ? "held by this thread already" :
		    "of the same class as a lock that this thread holds, and not nested");
		add_held();
		finish();
		return;
	}
}

void kshim_lockdep_acquire(struct lockdep_map *map, const void *id, unsigned int subclass,
			   unsigned int flags)
{
	unsigned int class, i;

	if (READ_ONCE(off))
		return;
	if (!(flags & (KSHIM_LOCK_SPIN | KSHIM_LOCK_TRY)) && kshim_in_atomic()) {
		add("lockdep: waits for %s in atomic context\n", map->name);
		add_held();
		finish();
	}

	class = class_of(map, subclass);
	if (!class)
		return;
	if (!(flags & KSHIM_LOCK_TRY)) {
		check_recursion(map, id, class);
		for (i = 0; i < nr_held; i++)
			if (held[i].class != class)
				add_edge(held[i].class, class);
	}

	if (nr_held == MAX_HELD) {
		add("lockdep: this thread holds more than %d locks\n", MAX_HELD);
		finish();
		return;
	}
	held[nr_held++] = (struct held_lock){
		.map = map, .id = id, .class = class, .flags = flags,
	};
}

static void report_not_held(const char *what, const struct lockdep_map *map, const void *id)
{
	if (READ_ONCE(off))
		return;
	add("lockdep: %s of %s(%p), which this thread does not hold\n", what,
	    map->name ? map->name : "(not initialised)", id);
	add_held();
	finish();
}

void kshim_lockdep_release(struct lockdep_map *map, const void *id)
{
	struct held_lock *lock = find_held(map, id);

	if (!lock) {
		report_not_held("release", map, id);
		return;
	}
	nr_held--;
	memmove(lock, lock + 1, (held + nr_held - lock) * sizeof(*lock));
}

void kshim_lockdep_downgrade(struct lockdep_map *map)
{
	struct held_lock *lock = find_held(map, map);

	if (!lock || (lock->flags & KSHIM_LOCK_READ))
		report_not_held("downgrade", map, map);
	else
		lock->flags |= KSHIM_LOCK_READ;
}

bool kshim_lockdep_is_held(const struct lockdep_map *map, const void *id, int read)
{
	const struct held_lock *lock = find_held(map, id);

	/* Not known any more: assume the best. */
	if (READ_ONCE(off))
		return true;
	return lock && (read < 0 || !(lock->flags & KSHIM_LOCK_READ) == !read);
}

unsigned int kshim_lockdep_depth(void)
{
	return nr_held;
}

/* -- other checks --------------------------------------------------------- */

void kshim_lockdep_assert_failed(const char *what, const char *file, int line)
{
	if (READ_ONCE(off))
		return;
	add("lockdep: %s:%d: failed: %s\n", file, line, what);
	add_held();
	finish();
}

void kshim_lockdep_might_sleep(const char *file, int line)
{
	if (READ_ONCE(off) || !kshim_in_atomic())
		return;
	add("lockdep: %s:%d: may sleep in atomic context\n", file, line);
	add_held();
	finish();
}

void kshim_lockdep_thread_exit(void)
{
	if (!READ_ONCE(off) && (nr_held || rcu_read_lock_held())) {
		add("lockdep: a thread ends\n");
		add_held();
		finish();
	}
	nr_held = 0;
}
