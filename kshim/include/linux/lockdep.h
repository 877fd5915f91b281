/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_LOCKDEP_H
#define _LINUX_LOCKDEP_H
/*
 * Different implementation with KSHIM_LOCKDEP: the Linux names of the validator
 * described in <kshim/lockdep.h>. Empty without: locks carry no field for it, and
 * the arguments of assertions are not evaluated.
 */
#include <kshim/lockdep.h>

/* The subclass for the second of two locks of one class. */
#define SINGLE_DEPTH_NESTING	1

#ifdef KSHIM_LOCKDEP

/* For the locks of kshim: hooks that vanish together with the field dep_map. */
#define kshim_lock_init(lock, lockname, key) \
	kshim_lockdep_init_map(&(lock)->dep_map, lockname, key)
#define kshim_lock_acquire(lock, subclass, flags) \
	kshim_lockdep_acquire(&(lock)->dep_map, &(lock)->dep_map, subclass, flags)
#define kshim_lock_release(lock) \
	kshim_lockdep_release(&(lock)->dep_map, &(lock)->dep_map)

#define lockdep_set_class(lock, newkey) \
	kshim_lockdep_init_map(&(lock)->dep_map, #newkey, newkey)
#define lockdep_set_class_and_name(lock, newkey, newname) \
	kshim_lockdep_init_map(&(lock)->dep_map, newname, newkey)
#define lockdep_set_subclass(lock, sub)	((void)((lock)->dep_map.subclass = (sub)))

#define lockdep_is_held(lock) \
	kshim_lockdep_is_held(&(lock)->dep_map, &(lock)->dep_map, -1)
#define lockdep_is_held_type(lock, read) \
	kshim_lockdep_is_held(&(lock)->dep_map, &(lock)->dep_map, read)

#define kshim_lockdep_assert(cond, what)					\
do {										\
	if (!(cond))								\
		kshim_lockdep_assert_failed(what, __FILE__, __LINE__);		\
} while (0)

#define lockdep_assert(cond)		kshim_lockdep_assert(cond, #cond)
#define lockdep_assert_held(lock) \
	kshim_lockdep_assert(lockdep_is_held(lock), #lock " is held")
#define lockdep_assert_held_write(lock) \
	kshim_lockdep_assert(lockdep_is_held_type(lock, 0), #lock " is held for writing")
#define lockdep_assert_held_read(lock) \
	kshim_lockdep_assert(lockdep_is_held_type(lock, 1), #lock " is held for reading")
#define lockdep_assert_not_held(lock) \
	kshim_lockdep_assert(!lockdep_is_held(lock), #lock " is not held")

#else

#define kshim_lock_init(lock, lockname, key)		((void)(key))
#define kshim_lock_acquire(lock, subclass, flags)	((void)(subclass))
#define kshim_lock_release(lock)			((void)0)

#define lockdep_set_class(lock, newkey)			((void)(newkey))
#define lockdep_set_class_and_name(lock, newkey, newname) ((void)(newkey))
#define lockdep_set_subclass(lock, sub)			((void)0)

/* For conditions that are compiled but not evaluated: unknown means yes. */
#define lockdep_is_held(lock)				((void)sizeof(lock), 1)
#define lockdep_is_held_type(lock, read)		((void)sizeof(lock), 1)

#define lockdep_assert(cond)				((void)sizeof(!!(cond)))
#define lockdep_assert_held(lock)			((void)sizeof(lock))
#define lockdep_assert_held_write(lock)			((void)sizeof(lock))
#define lockdep_assert_held_read(lock)			((void)sizeof(lock))
#define lockdep_assert_not_held(lock)			((void)sizeof(lock))

#endif

#endif
