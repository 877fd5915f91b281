/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KSHIM_SCHED_STATE_H
#define KSHIM_SCHED_STATE_H
/* What the files of the scheduled shim share. */
#include <linux/types.h>
#include <kshim/sched.h>

/* From here on, until taken back, all is one step: no points. */
void kshim_sched_quiet(bool on);

/* Does this function wait for a wake-up that somebody has to make (lock_sched.c)? */
bool kshim_sched_is_sleep(bool (*ready)(const void *object));

void kshim_sched_rcu_reset(void);
void kshim_sched_slab_reset(void);

/* What memory of the run is; @tag is the allocator's. */
struct sched_object {
	size_t size;
	void *tag;
	unsigned int life;	/* counts how often it was allocated */
	bool live;
};

/* The object that kshim_sched_malloc() returned. */
struct sched_object *kshim_sched_object(const void *object);

/* What a tag is called. */
const char *kshim_sched_tag_name(const void *tag);

/* As call_rcu(): the point, and the queue. */
void kshim_sched_call_rcu(struct rcu_head *head, rcu_callback_t func);

#endif
