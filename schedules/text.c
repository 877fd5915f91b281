// SPDX-License-Identifier: GPL-2.0
/*
 * Schedules as text: "reclaim_vs_fork:lazy:2:0x17,1x4,0"
 *
 * Scenario, topology, preemptions, and whose turn it was: thread 0 for 17 accesses, then,
 * though it could have gone on, thread 1 for 4, then thread 0 until it could not go on.
 * From there on nobody chooses: who runs goes on, and the next in turn follows.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"
#include "options.h"

const struct schedule_scenario *schedule_scenario_find(const char *name)
{
	size_t i;

	for (i = 0; schedule_scenarios[i]; i++)
		if (!strcmp(schedule_scenarios[i]->name, name))
			return schedule_scenarios[i];
	return NULL;
}

unsigned int schedule_preemptions(const struct segment *segments, unsigned int nr)
{
	unsigned int i, preemptions = 0;

	for (i = 0; i < nr; i++)
		preemptions += segments[i].preempted + segments[i].unfair;
	return preemptions;
}

/* How many segments have to be said: the others follow by default. */
static unsigned int needed(const struct segment *segments, unsigned int nr)
{
	while (nr > 1 && !segments[nr - 1].preempted && segments[nr - 1].by_default &&
	       !segments[nr - 2].preempted)
		nr--;
	return nr;
}

char *schedule_text(const struct schedule_scenario *scenario, const char *topology,
		    const struct outcome *outcome)
{
	unsigned int nr = needed(outcome->segments, outcome->nr_segments), i;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s:%s:%u:", scenario->name, topology,
		schedule_preemptions(outcome->segments, outcome->nr_segments));
	for (i = 0; i < nr; i++) {
		const struct segment *segment = &outcome->segments[i];

		fprintf(out, "%s%u", i ? "," : "", segment->thread);
		if (segment->preempted)
			fprintf(out, "x%u", segment->steps);
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static const char *parse_segments(const char *at, struct schedule *schedule)
{
	char *end;

	for (;; at++) {
		struct segment *segment = &schedule->segments[schedule->nr];

		if (!isdigit((unsigned char)*at))
			return "a number of a thread is missing";
		if (schedule->nr++ == MAX_SEGMENTS)
			return "it is too long";
		*segment = (struct segment) { .thread = strtoul(at, &end, 10) };
		if (end - at > 1 || segment->thread >= schedule->scenario->nr_threads)
			return "the scenario has no such thread";
		at = end;
		if (*at == 'x') {
			if (!isdigit((unsigned char)at[1]) || strspn(at + 1, "0123456789") > 7)
				return "not a number behind an x";
			segment->preempted = true;
			segment->steps = strtoul(at + 1, &end, 10);
			at = end;
		}
		if (!*at)
			return NULL;
		if (*at != ',')
			return "there is something behind a turn that is none";
	}
}

const char *schedule_parse(const char *text, struct schedule *schedule)
{
	const char *colon = strchr(text, ':'), *next = colon ? strchr(colon + 1, ':') : NULL;
	char name[64] = "", *end;

	if (!next || !isdigit((unsigned char)next[1]))
		return "it is not SCENARIO:TOPOLOGY:PREEMPTIONS:TURNS";
	snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
	snprintf(schedule->topology, sizeof(schedule->topology), "%.*s",
		 (int)(next - colon - 1), colon + 1);
	if (strspn(next + 1, "0123456789") > 7)
		return "there are too many preemptions";
	schedule->bound = strtoul(next + 1, &end, 10);
	schedule->nr = 0;
	schedule->scenario = schedule_scenario_find(name);
	if (!schedule->scenario)
		return "there is no such scenario";
	if (!option_listed(schedule->scenario->topologies, colon + 1, next - colon - 1))
		return "the scenario is not for that topology";
	if (*end != ':')
		return "it is not SCENARIO:TOPOLOGY:PREEMPTIONS:TURNS";
	return parse_segments(end + 1, schedule);
}
