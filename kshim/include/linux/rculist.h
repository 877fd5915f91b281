/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_RCULIST_H
#define _KSHIM_LINUX_RCULIST_H
/*
 * Different implementation of the lists of list.h for readers under
 * rcu_read_lock(). Writers exclude each other; ->prev is theirs. An entry may be
 * freed, or put into another list, a grace period after list_del_rcu().
 */
#include <linux/list.h>
#include <linux/rcupdate.h>

#define list_next_rcu(list)	((list)->next)

static inline void __list_add_rcu(struct list_head *entry, struct list_head *prev,
				  struct list_head *next)
{
	__list_check_add(entry, prev, next);
	entry->next = next;
	entry->prev = prev;
	/* Publishes the entry, with what its owner wrote into it before. */
	rcu_assign_pointer(prev->next, entry);
	next->prev = entry;
}

static inline void list_add_rcu(struct list_head *entry, struct list_head *head)
{
	__list_add_rcu(entry, head, head->next);
}

static inline void list_add_tail_rcu(struct list_head *entry, struct list_head *head)
{
	__list_add_rcu(entry, head->prev, head);
}

/* Readers who stand on @entry still find the way on: its ->next stays. */
static inline void list_del_rcu(struct list_head *entry)
{
	__list_del_entry(entry);
	entry->prev = LIST_POISON2;
}

static inline void list_replace_rcu(struct list_head *old, struct list_head *entry)
{
	entry->next = old->next;
	entry->prev = old->prev;
	rcu_assign_pointer(entry->prev->next, entry);
	entry->next->prev = entry;
	old->prev = LIST_POISON2;
}

/* Who may look is checked once, in the loops below, and is up to the caller else. */
#define list_entry_rcu(ptr, type, member) \
	container_of(rcu_dereference_raw(ptr), type, member)

#define list_first_or_null_rcu(head, type, member)				\
({										\
	struct list_head *__list_head = (head);					\
	struct list_head *__list_first = rcu_dereference_raw(__list_head->next);	\
	__list_first != __list_head ? container_of(__list_first, type, member) : NULL; \
})

#define list_next_or_null_rcu(head, ptr, type, member)				\
({										\
	struct list_head *__list_head = (head);					\
	struct list_head *__list_next = rcu_dereference_raw((ptr)->next);		\
	__list_next != __list_head ? container_of(__list_next, type, member) : NULL; \
})

/* The second of what there is. */
#define __list_rcu_second(first, second, ...) (second)

/* @cond, optional: why the caller may look without rcu_read_lock(). */
#define list_for_each_entry_rcu(pos, head, member, cond...)			\
	for (({									\
		RCU_LOCKDEP_WARN(!(rcu_read_lock_held() ||			\
				   __list_rcu_second(0, ##cond, 0)),		\
				 "list_for_each_entry_rcu()");			\
		(void)0;							\
	     }),								\
	     (pos) = list_entry_rcu((head)->next, __typeof__(*(pos)), member);	\
	     &(pos)->member != (head);						\
	     (pos) = list_entry_rcu((pos)->member.next, __typeof__(*(pos)), member))

#define list_for_each_entry_continue_rcu(pos, head, member)			\
	for ((pos) = list_entry_rcu((pos)->member.next, __typeof__(*(pos)), member); \
	     &(pos)->member != (head);						\
	     (pos) = list_entry_rcu((pos)->member.next, __typeof__(*(pos)), member))

#endif
