/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_LIST_H
#define _KSHIM_LINUX_LIST_H
/*
 * Different implementation of Linux's circular doubly linked lists, and the
 * basic part of its hash lists. With CONFIG_DEBUG_LIST or CONFIG_DEBUG_VM adding
 * and removing check the neighbours' pointers, and BUG.
 *
 * The functions do not sleep; callers keep others from changing the list. A
 * reader without a lock may ask list_empty() and the variants in rculist.h: what
 * those read is written with WRITE_ONCE() or stronger.
 */
#include <linux/bug.h>
#include <linux/container_of.h>
#include <linux/types.h>

#if defined(CONFIG_DEBUG_VM) && !defined(CONFIG_DEBUG_LIST)
#define CONFIG_DEBUG_LIST
#endif

/* Not addresses of anything, and recognisable. */
#define LIST_POISON1	((void *)0xdead000000000100UL)
#define LIST_POISON2	((void *)0xdead000000000122UL)

#define LIST_HEAD_INIT(name)	{ &(name), &(name) }
#define LIST_HEAD(name)		struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	WRITE_ONCE(list->next, list);
	WRITE_ONCE(list->prev, list);
}

/* Dies unless @prev and @next are neighbours, and @entry is neither of them. */
static inline void __list_check_add(const struct list_head *entry, const struct list_head *prev,
				    const struct list_head *next)
{
#ifdef CONFIG_DEBUG_LIST
	BUG_ON(prev->next != next || next->prev != prev);
	BUG_ON(entry == prev || entry == next);
#else
	(void)entry;
	(void)prev;
	(void)next;
#endif
}

/* Dies when @entry is in no list, was deleted, or its neighbours do not know it. */
static inline void __list_check_del(const struct list_head *entry)
{
#ifdef CONFIG_DEBUG_LIST
	BUG_ON(entry->next == LIST_POISON1 || entry->prev == LIST_POISON2);
	BUG_ON(entry->prev->next != entry || entry->next->prev != entry);
#else
	(void)entry;
#endif
}

static inline void __list_add(struct list_head *entry, struct list_head *prev,
			      struct list_head *next)
{
	__list_check_add(entry, prev, next);
	entry->next = next;
	entry->prev = prev;
	next->prev = entry;
	WRITE_ONCE(prev->next, entry);
}

/* Make @prev and @next neighbours. */
static inline void __list_join(struct list_head *prev, struct list_head *next)
{
	next->prev = prev;
	WRITE_ONCE(prev->next, next);
}

static inline void __list_del_entry(struct list_head *entry)
{
	__list_check_del(entry);
	__list_join(entry->prev, entry->next);
}

/* Insert right behind, or right before, @head. */
static inline void list_add(struct list_head *entry, struct list_head *head)
{
	__list_add(entry, head, head->next);
}

static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	__list_add(entry, head->prev, head);
}

/* Take out; what is left in @entry may not be used. */
static inline void list_del(struct list_head *entry)
{
	__list_del_entry(entry);
	entry->next = LIST_POISON1;
	entry->prev = LIST_POISON2;
}

/* Take out and leave @entry an empty list. */
static inline void list_del_init(struct list_head *entry)
{
	__list_del_entry(entry);
	INIT_LIST_HEAD(entry);
}

/* Put @entry in the place of @old. */
static inline void list_replace(struct list_head *old, struct list_head *entry)
{
	entry->next = old->next;
	entry->prev = old->prev;
	entry->next->prev = entry;
	WRITE_ONCE(entry->prev->next, entry);
}

static inline void list_replace_init(struct list_head *old, struct list_head *entry)
{
	list_replace(old, entry);
	INIT_LIST_HEAD(old);
}

static inline void list_move(struct list_head *entry, struct list_head *head)
{
	__list_del_entry(entry);
	list_add(entry, head);
}

static inline void list_move_tail(struct list_head *entry, struct list_head *head)
{
	__list_del_entry(entry);
	list_add_tail(entry, head);
}

/* Move @first to @last, neighbours in one list, before @head. */
static inline void list_bulk_move_tail(struct list_head *head, struct list_head *first,
				       struct list_head *last)
{
	__list_join(first->prev, last->next);
	__list_join(head->prev, first);
	__list_join(last, head);
}

static inline int list_is_head(const struct list_head *entry, const struct list_head *head)
{
	return entry == head;
}

static inline int list_is_first(const struct list_head *entry, const struct list_head *head)
{
	return entry->prev == head;
}

static inline int list_is_last(const struct list_head *entry, const struct list_head *head)
{
	return entry->next == head;
}

/* May be asked without a lock. */
static inline int list_empty(const struct list_head *head)
{
	return READ_ONCE(head->next) == head;
}

/*
 * As list_empty(), while another thread may be in list_del_init_careful(): true
 * only when it is through with it. Acquire.
 */
static inline int list_empty_careful(const struct list_head *head)
{
	struct list_head *next = __atomic_load_n(&head->next, __ATOMIC_ACQUIRE);

	return next == head && next == READ_ONCE(head->prev);
}

static inline void list_del_init_careful(struct list_head *entry)
{
	__list_del_entry(entry);
	WRITE_ONCE(entry->prev, entry);
	__atomic_store_n(&entry->next, entry, __ATOMIC_RELEASE);
}

static inline int list_is_singular(const struct list_head *head)
{
	return !list_empty(head) && head->next == head->prev;
}

/* Make the first entry the last. */
static inline void list_rotate_left(struct list_head *head)
{
	if (!list_empty(head))
		list_move_tail(head->next, head);
}

/* The entries of @list, not empty, go between two neighbours. */
static inline void __list_splice(const struct list_head *list, struct list_head *prev,
				 struct list_head *next)
{
	struct list_head *first = list->next, *last = list->prev;

	__list_join(last, next);
	__list_join(prev, first);
}

/* Insert all of @list behind, or before, @head. Only _init leaves @list usable. */
static inline void list_splice(const struct list_head *list, struct list_head *head)
{
	if (!list_empty(list))
		__list_splice(list, head, head->next);
}

static inline void list_splice_tail(struct list_head *list, struct list_head *head)
{
	if (!list_empty(list))
		__list_splice(list, head->prev, head);
}

static inline void list_splice_init(struct list_head *list, struct list_head *head)
{
	list_splice(list, head);
	INIT_LIST_HEAD(list);
}

static inline void list_splice_tail_init(struct list_head *list, struct list_head *head)
{
	list_splice_tail(list, head);
	INIT_LIST_HEAD(list);
}

/**
 * list_cut_position - move the first part of a list
 * @list: where to; what was in it is forgotten
 * @head: where from
 * @entry: last one to move; @head itself moves none
 */
static inline void list_cut_position(struct list_head *list, struct list_head *head,
				     struct list_head *entry)
{
	struct list_head *first = head->next, *rest = entry->next;

	INIT_LIST_HEAD(list);
	if (entry == head)
		return;
	__list_join(list, first);
	__list_join(entry, list);
	__list_join(head, rest);
}

#define list_entry(ptr, type, member)		container_of(ptr, type, member)
#define list_first_entry(head, type, member)	list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)	list_entry((head)->prev, type, member)
#define list_first_entry_or_null(head, type, member)				\
({										\
	struct list_head *__list_head = (head);					\
	struct list_head *__list_first = READ_ONCE(__list_head->next);		\
	__list_first != __list_head ? list_entry(__list_first, type, member) : NULL; \
})
#define list_last_entry_or_null(head, type, member)				\
({										\
	struct list_head *__list_head = (head);					\
	struct list_head *__list_last = READ_ONCE(__list_head->prev);		\
	__list_last != __list_head ? list_entry(__list_last, type, member) : NULL; \
})
#define list_next_entry(pos, member)	list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member)	list_entry((pos)->member.prev, __typeof__(*(pos)), member)
#define list_entry_is_head(pos, head, member) (&(pos)->member == (head))

#define list_for_each(pos, head) \
	for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)
#define list_for_each_prev(pos, head) \
	for ((pos) = (head)->prev; (pos) != (head); (pos) = (pos)->prev)
#define list_for_each_continue(pos, head) \
	for ((pos) = (pos)->next; (pos) != (head); (pos) = (pos)->next)
#define list_for_each_safe(pos, n, head)					\
	for ((pos) = (head)->next, (n) = (pos)->next; (pos) != (head);		\
	     (pos) = (n), (n) = (pos)->next)
#define list_for_each_prev_safe(pos, n, head)					\
	for ((pos) = (head)->prev, (n) = (pos)->prev; (pos) != (head);		\
	     (pos) = (n), (n) = (pos)->prev)

/* _from starts at @pos, _continue behind it; _safe allows to take @pos out. */
#define list_for_each_entry_from(pos, head, member)				\
	for (; !list_entry_is_head(pos, head, member); (pos) = list_next_entry(pos, member))
#define list_for_each_entry_from_reverse(pos, head, member)			\
	for (; !list_entry_is_head(pos, head, member); (pos) = list_prev_entry(pos, member))
#define list_for_each_entry(pos, head, member)					\
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member);	\
	     !list_entry_is_head(pos, head, member); (pos) = list_next_entry(pos, member))
#define list_for_each_entry_reverse(pos, head, member)				\
	for ((pos) = list_last_entry(head, __typeof__(*(pos)), member);		\
	     !list_entry_is_head(pos, head, member); (pos) = list_prev_entry(pos, member))
#define list_for_each_entry_continue(pos, head, member)				\
	for ((pos) = list_next_entry(pos, member);				\
	     !list_entry_is_head(pos, head, member); (pos) = list_next_entry(pos, member))
#define list_for_each_entry_continue_reverse(pos, head, member)			\
	for ((pos) = list_prev_entry(pos, member);				\
	     !list_entry_is_head(pos, head, member); (pos) = list_prev_entry(pos, member))
#define list_for_each_entry_safe_from(pos, n, head, member)			\
	for ((n) = list_next_entry(pos, member);				\
	     !list_entry_is_head(pos, head, member);				\
	     (pos) = (n), (n) = list_next_entry(n, member))
#define list_for_each_entry_safe(pos, n, head, member)				\
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member),	\
	     (n) = list_next_entry(pos, member);				\
	     !list_entry_is_head(pos, head, member);				\
	     (pos) = (n), (n) = list_next_entry(n, member))
#define list_for_each_entry_safe_continue(pos, n, head, member)			\
	for ((pos) = list_next_entry(pos, member), (n) = list_next_entry(pos, member); \
	     !list_entry_is_head(pos, head, member);				\
	     (pos) = (n), (n) = list_next_entry(n, member))
#define list_for_each_entry_safe_reverse(pos, n, head, member)			\
	for ((pos) = list_last_entry(head, __typeof__(*(pos)), member),		\
	     (n) = list_prev_entry(pos, member);				\
	     !list_entry_is_head(pos, head, member);				\
	     (pos) = (n), (n) = list_prev_entry(n, member))
/* For a walk that is interrupted: an entry to continue behind, the head if there is none. */
#define list_prepare_entry(pos, head, member) \
	((pos) ? : list_entry(head, __typeof__(*(pos)), member))
#define list_safe_reset_next(pos, n, member)	((n) = list_next_entry(pos, member))

/* Walks the whole list. */
static inline size_t list_count_nodes(const struct list_head *head)
{
	const struct list_head *pos;
	size_t count = 0;

	list_for_each(pos, head)
		count++;
	return count;
}

/* -- hash lists ----------------------------------------------------------- */

#define HLIST_HEAD_INIT		{ .first = NULL }
#define HLIST_HEAD(name)	struct hlist_head name = HLIST_HEAD_INIT
#define INIT_HLIST_HEAD(ptr)	((ptr)->first = NULL)

static inline void INIT_HLIST_NODE(struct hlist_node *node)
{
	node->next = NULL;
	node->pprev = NULL;
}

static inline int hlist_unhashed(const struct hlist_node *node)
{
	return !node->pprev;
}

static inline int hlist_empty(const struct hlist_head *head)
{
	return !READ_ONCE(head->first);
}

static inline void __hlist_del(struct hlist_node *node)
{
	WRITE_ONCE(*node->pprev, node->next);
	if (node->next)
		node->next->pprev = node->pprev;
}

static inline void hlist_del(struct hlist_node *node)
{
	__hlist_del(node);
	node->next = LIST_POISON1;
	node->pprev = LIST_POISON2;
}

static inline void hlist_del_init(struct hlist_node *node)
{
	if (hlist_unhashed(node))
		return;
	__hlist_del(node);
	INIT_HLIST_NODE(node);
}

static inline void hlist_add_head(struct hlist_node *node, struct hlist_head *head)
{
	node->next = head->first;
	if (node->next)
		node->next->pprev = &node->next;
	node->pprev = &head->first;
	WRITE_ONCE(head->first, node);
}

static inline void hlist_add_before(struct hlist_node *node, struct hlist_node *next)
{
	node->pprev = next->pprev;
	node->next = next;
	next->pprev = &node->next;
	WRITE_ONCE(*node->pprev, node);
}

static inline void hlist_add_behind(struct hlist_node *node, struct hlist_node *prev)
{
	node->next = prev->next;
	node->pprev = &prev->next;
	if (node->next)
		node->next->pprev = &node->next;
	WRITE_ONCE(prev->next, node);
}

#define hlist_entry(ptr, type, member)	container_of(ptr, type, member)
#define hlist_entry_safe(ptr, type, member)					\
({										\
	__typeof__(ptr) __hlist_ptr = (ptr);					\
	__hlist_ptr ? hlist_entry(__hlist_ptr, type, member) : NULL;		\
})
#define hlist_for_each(pos, head) \
	for ((pos) = (head)->first; (pos); (pos) = (pos)->next)
#define hlist_for_each_entry(pos, head, member)					\
	for ((pos) = hlist_entry_safe((head)->first, __typeof__(*(pos)), member); (pos); \
	     (pos) = hlist_entry_safe((pos)->member.next, __typeof__(*(pos)), member))
#define hlist_for_each_entry_safe(pos, n, head, member)				\
	for ((pos) = hlist_entry_safe((head)->first, __typeof__(*(pos)), member); \
	     (pos) && ((n) = (pos)->member.next, 1);				\
	     (pos) = hlist_entry_safe(n, __typeof__(*(pos)), member))

#endif
