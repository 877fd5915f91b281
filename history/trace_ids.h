/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules that tie the events of a trace together: which process and file
 * ids exist, and which values make no sense. The writer and the reader apply
 * the same ones, so nothing can be written that could not be read.
 */
#ifndef HISTORY_TRACE_IDS_H
#define HISTORY_TRACE_IDS_H

#include "trace.h"

struct trace_ids {
	uint32_t procs;			/* ids given out so far */
	uint32_t files;			/* same; the ids start from 1 */
	uint32_t huge_pages;
	uint8_t *gone;			/* a bit per process: it has exited */
	size_t gone_room;
};

/**
 * trace_ids_init - start with no ids known
 * @ids: state
 * @huge_pages: from the trace's header
 */
void trace_ids_init(struct trace_ids *ids, uint32_t huge_pages);

/**
 * trace_ids_check - check an event against the rules and note what it introduces
 * @ids: state
 * @ev: any event
 * @why: gets a few words on what is wrong, or NULL
 *
 * Return: 0, -EINVAL (nothing noted), -ENOMEM.
 */
int trace_ids_check(struct trace_ids *ids, const struct trace_event *ev, const char **why);

/**
 * trace_ids_free - free what the state holds, not the state itself
 * @ids: state
 */
void trace_ids_free(struct trace_ids *ids);

#endif /* HISTORY_TRACE_IDS_H */
