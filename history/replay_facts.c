// SPDX-License-Identifier: GPL-2.0
/* What a trace holds, before it is replayed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "replay.h"

static void count_touch(struct replay_facts *facts, const struct trace_header *head,
			const struct trace_event *ev)
{
	bool huge = ev->touch.kind == TRACE_TOUCH_HUGE && head->huge_pages;

	for (uint32_t i = 0; i < ev->touch.nruns; i++) {
		uint64_t count = ev->touch.runs[i].count;

		facts->pages += count;
		facts->faults += huge ? count / head->huge_pages : count;
	}
}

static void new_process(struct replay_facts *facts, uint64_t *alive)
{
	facts->processes++;
	if (++*alive > facts->alive)
		facts->alive = *alive;
}

static void count_event(struct replay_facts *facts, uint64_t *alive,
			const struct trace_header *head, const struct trace_event *ev)
{
	if (ev->kind == TRACE_END) {
		facts->truncated = false;
		facts->end = ev->end;
		return;
	}
	facts->events++;
	switch (ev->kind) {
	case TRACE_PROC_START:
		new_process(facts, alive);
		break;
	case TRACE_FORK:
		new_process(facts, alive);
		facts->forks++;
		break;
	case TRACE_SHARE:
		new_process(facts, alive);
		facts->shares++;
		break;
	case TRACE_EXIT:
		(*alive)--;
		break;
	case TRACE_EXEC:
		facts->execs++;
		break;
	case TRACE_TOUCH:
		count_touch(facts, head, ev);
		break;
	}
}

/* For a terminal and for JSON: the command line may hold anything. */
static void copy_text(char *to, size_t room, const char *from)
{
	size_t n = 0;

	for (; *from && n < room - 1; from++)
		to[n++] = *from < ' ' || (unsigned char)*from >= 0x7f ? '?' : *from;
	to[n] = '\0';
}

int history_replay_facts(const char *path, struct replay_facts *facts, char *err, size_t errlen)
{
	const struct trace_header *head;
	struct trace_reader *reader;
	struct trace_event ev;
	uint64_t alive = 0;
	int ret;

	memset(facts, 0, sizeof(*facts));
	ret = trace_open(path, &reader, err, errlen);
	if (ret)
		return ret;
	head = trace_header(reader);
	facts->page_size = head->page_size;
	facts->truncated = true;
	copy_text(facts->command, sizeof(facts->command), head->command);
	while ((ret = trace_next(reader, &ev)) == 1)
		count_event(facts, &alive, head, &ev);
	if (ret == TRACE_TRUNCATED) {
		snprintf(facts->warning, sizeof(facts->warning), "%s", trace_error(reader));
		ret = 0;
	} else if (ret) {
		snprintf(err, errlen, "%s", trace_error(reader));
	}
	trace_close(reader);
	return ret;
}
