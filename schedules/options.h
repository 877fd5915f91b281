/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SCHEDULES_OPTIONS_H
#define SCHEDULES_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal number, and nothing else, up to @max. */
bool option_number(const char *text, uint64_t max, uint64_t *number);
/* Is a word one of a list with commas? Without a list (NULL), yes. */
bool option_listed(const char *list, const char *word, size_t len);

/*
 * Options of anonrmap-schedules that anonrmap check has, too, and hands on to it: a part of
 * an argp table each, so that --help says the same. They have no short forms.
 */
enum {
	KEY_SCHEDULES = 1000, KEY_SCENARIO, KEY_BOUND, KEY_PCT, KEY_CHANGES, KEY_JOBS, KEY_REPLAY,
	KEY_MINIMISE, KEY_LIST,
};

#define SCHEDULE_OPTIONS							\
	{ "schedules", KEY_SCHEDULES, "N", 0,					\
	  "Try up to N schedules of each scenario; 0: all there are", 1 },	\
	{ "scenario", KEY_SCENARIO, "LIST", 0,					\
	  "These, with commas between them "					\
	  "(default: all small ones; with --pct the large ones)", 1 },		\
	{ "bound", KEY_BOUND, "B", 0,						\
	  "Preemptions, at most (default: the scenario's own)", 1 },		\
	{ "pct", KEY_PCT, NULL, 0, "At random, by priorities that change", 1 },	\
	{ "changes", KEY_CHANGES, "N", 0,					\
	  "With --pct: how often, 1 to 16 (default: 3)", 1 },			\
	{ "jobs", KEY_JOBS, "N", 0,						\
	  "Processes (default: one for each processor)", 1 },			\
	{ "replay", KEY_REPLAY, "SCHEDULE", 0,					\
	  "Repeat this schedule, and print its accesses", 2 },			\
	{ "minimise", KEY_MINIMISE, NULL, 0,					\
	  "Shorten the SCHEDULE that follows, or those found, "			\
	  "while the failure stays", 2 },					\
	{ "list", KEY_LIST, NULL, 0, "List the scenarios", 3 }

#endif
