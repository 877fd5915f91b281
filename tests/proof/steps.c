// SPDX-License-Identifier: GPL-2.0
#include "steps.h"

static _Thread_local unsigned long steps;

unsigned long steps_taken(void)
{
	return steps;
}

void *__real_mtree_load(struct maple_tree *mt, unsigned long index);
void *__wrap_mtree_load(struct maple_tree *mt, unsigned long index);
void *__wrap_mtree_load(struct maple_tree *mt, unsigned long index)
{
	steps++;
	return __real_mtree_load(mt, index);
}

void *__real_mas_find(struct ma_state *mas, unsigned long max);
void *__wrap_mas_find(struct ma_state *mas, unsigned long max);
void *__wrap_mas_find(struct ma_state *mas, unsigned long max)
{
	steps++;
	return __real_mas_find(mas, max);
}

/* A step in a tree of chain entries: from its root, or from an entry. */
#define COUNTED_STEP(name, where)							\
struct anon_vma_chain *__real_##name(where, unsigned long first, unsigned long last);	\
struct anon_vma_chain *__wrap_##name(where, unsigned long first, unsigned long last);	\
struct anon_vma_chain *__wrap_##name(where, unsigned long first, unsigned long last)	\
{											\
	steps++;									\
	return __real_##name(at, first, last);						\
}

COUNTED_STEP(anon_vma_interval_tree_iter_first, struct rb_root_cached *at)
COUNTED_STEP(anon_vma_interval_tree_iter_next, struct anon_vma_chain *at)
COUNTED_STEP(lazy_chain_tree_iter_first, struct rb_root_cached *at)
COUNTED_STEP(lazy_chain_tree_iter_next, struct anon_vma_chain *at)

/* -- Locks --------------------------------------------------------------------------- */

#ifdef KSHIM_LOCKDEP

#define MAX_WATCHED	64

static const struct rw_semaphore *watched[MAX_WATCHED];
static unsigned int nr_watched;
static atomic_long_t held_for_write;

void __real_kshim_lockdep_acquire(struct lockdep_map *map, const void *lock, int subclass,
				  int flags);
void __wrap_kshim_lockdep_acquire(struct lockdep_map *map, const void *lock, int subclass,
				  int flags);

void __wrap_kshim_lockdep_acquire(struct lockdep_map *map, const void *lock, int subclass,
				  int flags)
{
	unsigned int i;

	for (i = 0; i < nr_watched && !(flags & (KSHIM_LOCK_READ | KSHIM_LOCK_SPIN)); i++)
		if (map == &watched[i]->dep_map)
			atomic_long_inc(&held_for_write);
	__real_kshim_lockdep_acquire(map, lock, subclass, flags);
}

void holds_watch(struct anon_vma *owner)
{
	const struct rw_semaphore *sem = &owner->root->rwsem;
	unsigned int i;

	for (i = 0; i < nr_watched; i++)
		if (watched[i] == sem)
			return;
	assert_true(nr_watched < MAX_WATCHED);
	watched[nr_watched++] = sem;
}

void holds_watch_none(void)
{
	nr_watched = 0;
	atomic_long_set(&held_for_write, 0);
}

unsigned long holds_for_write(void)
{
	return atomic_long_read(&held_for_write);
}

bool holds_are_counted(void)
{
	return true;
}

#else

void holds_watch(struct anon_vma *owner)
{
	(void)owner;
}

void holds_watch_none(void)
{
}

unsigned long holds_for_write(void)
{
	return 0;
}

bool holds_are_counted(void)
{
	return false;
}

#endif
