/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STEPS_H
#define STEPS_H
/*
 * Counts, without a clock: the steps of the data structures that walks go through,
 * and the times that rwsems of owners are taken. For programs that are linked with
 * the --wrap options of meson.build, which put these counters before the functions.
 */
#include "inside.h"

/* Looks into VMA trees and steps through interval trees, of this thread, since the start. */
unsigned long steps_taken(void);

/* The rwsem is one of those that are watched from now on. At most 64. */
void holds_watch(struct anon_vma *owner);
void holds_watch_none(void);
/* How often they were taken for writing, by any thread, since the first was watched. */
unsigned long holds_for_write(void);
/* Locks are only seen in builds that check their order (-Dlockdep=true). */
bool holds_are_counted(void);

#endif
