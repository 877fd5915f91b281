// SPDX-License-Identifier: GPL-2.0
/* What is printed, as text or as one JSON document. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include "jobs.h"

/* What is wrong, and how to see it again. */
static void print_failure(const char *schedule, const struct outcome *outcome)
{
	const char *line = outcome->text;
	size_t len;

	printf("  %s\n", outcome->kind);
	for (; *line; line += len + !!line[len]) {
		len = strcspn(line, "\n");
		printf("    %.*s\n", (int)len, line);
	}
	if (outcome_cannot(outcome))
		return;
	printf("  to repeat: anonrmap check --replay %s\n", schedule ? schedule : "(no memory)");
}

static const char *extent(const struct job *job, char *text, size_t room)
{
	const struct outcome *outcome = job->outcome;

	if (job->options->pct)
		snprintf(text, room, "at random");
	else if (outcome->any_complete)
		snprintf(text, room, "all with %u preemption%s%s", outcome->bound,
			 outcome->bound == 1 ? "" : "s", outcome->complete ? "" : ", and more");
	else
		snprintf(text, room, "incomplete");
	return text;
}

void report_job(const struct job *job)
{
	const struct outcome *outcome = job->outcome;
	char text[64];

	printf("%-34s %-8s %9llu schedules %8.1f s  %s%s\n", job->scenario->name, job->topology,
	       (unsigned long long)outcome->schedules, outcome->ns / 1e9,
	       extent(job, text, sizeof(text)),
	       outcome_cannot(outcome) ? ", NOT RUN" : outcome->findings ? ", FAILED" : "");
	if (outcome->findings)
		print_failure(job->schedule, outcome);
	fflush(stdout);
}

void report_total(const struct job *jobs, unsigned int nr, int sig)
{
	unsigned int scenarios = 0, failed = 0, not_run = 0, i;
	uint64_t schedules = 0, points = 0;

	for (i = 0; i < nr; i++) {
		const struct outcome *outcome = jobs[i].outcome;

		/* Those of one scenario follow each other. */
		scenarios += !i || jobs[i].scenario != jobs[i - 1].scenario;
		schedules += outcome->schedules;
		points += outcome->points;
		not_run += outcome_cannot(outcome);
		failed += outcome->findings && !outcome_cannot(outcome);
	}
	printf("%u scenario%s, %u with their topologies, %llu schedules, %llu accesses: ", scenarios,
	       scenarios == 1 ? "" : "s", nr, (unsigned long long)schedules,
	       (unsigned long long)points);
	if (not_run)
		printf("%u NOT RUN, ", not_run);
	if (failed)
		printf("%u FAILED", failed);
	else
		printf("nothing found");
	printf("%s\n", sig ? "; ended early" : "");
}

static json_object *failure_json(const char *schedule, const struct outcome *outcome)
{
	json_object *failure = json_object_new_object();

	json_object_object_add(failure, "kind", json_object_new_string(outcome->kind));
	json_object_object_add(failure, "text", json_object_new_string(outcome->text));
	json_object_object_add(failure, "schedule",
			       schedule ? json_object_new_string(schedule) : NULL);
	return failure;
}

static json_object *job_json(const struct job *job)
{
	const struct outcome *outcome = job->outcome;
	json_object *object = json_object_new_object(), *findings = json_object_new_array();

	json_object_object_add(object, "scenario", json_object_new_string(job->scenario->name));
	json_object_object_add(object, "topology", json_object_new_string(job->topology));
	json_object_object_add(object, "rows", json_object_new_string(job->scenario->rows));
	json_object_object_add(object, "threads",
			       json_object_new_int(job->scenario->nr_threads));
	json_object_object_add(object, "large", json_object_new_boolean(job->scenario->large));
	json_object_object_add(object, "complete", json_object_new_boolean(outcome->complete));
	json_object_object_add(object, "bound", outcome->any_complete ?
			       json_object_new_int(outcome->bound) : NULL);
	json_object_object_add(object, "schedules", json_object_new_uint64(outcome->schedules));
	json_object_object_add(object, "distinct", json_object_new_uint64(outcome->distinct));
	json_object_object_add(object, "points", json_object_new_uint64(outcome->points));
	json_object_object_add(object, "seconds", json_object_new_double(outcome->ns / 1e9));
	if (outcome_cannot(outcome))
		json_object_object_add(object, "error", json_object_new_string(outcome->text));
	else if (outcome->findings)
		json_object_array_add(findings, failure_json(job->schedule, outcome));
	json_object_object_add(object, "findings", findings);
	return object;
}

static int print_json(json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
	return 0;
}

int report_list_json(const struct options *options,
		     bool (*wanted)(const struct schedule_scenario *scenario,
				    const struct options *options))
{
	json_object *object = json_object_new_object(), *list = json_object_new_array();
	unsigned int i;

	for (i = 0; schedule_scenarios[i]; i++) {
		const struct schedule_scenario *scenario = schedule_scenarios[i];
		json_object *one;

		if (!wanted(scenario, options))
			continue;
		one = json_object_new_object();
		json_object_object_add(one, "scenario", json_object_new_string(scenario->name));
		json_object_object_add(one, "topologies",
				       json_object_new_string(scenario->topologies));
		json_object_object_add(one, "rows", json_object_new_string(scenario->rows));
		json_object_object_add(one, "threads",
				       json_object_new_int(scenario->nr_threads));
		json_object_object_add(one, "large", json_object_new_boolean(scenario->large));
		json_object_object_add(one, "bound", scenario->large ? NULL :
				       json_object_new_int(scenario->bound));
		json_object_object_add(one, "story", json_object_new_string(scenario->story));
		json_object_array_add(list, one);
	}
	json_object_object_add(object, "schema_version", json_object_new_int(1));
	json_object_object_add(object, "scenarios", list);
	print_json(object);
	return STATUS_OK;
}

int report_json(const struct job *jobs, unsigned int nr, int sig)
{
	json_object *object = json_object_new_object(), *list = json_object_new_array();
	uint64_t schedules = 0, distinct = 0, points = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		json_object_array_add(list, job_json(&jobs[i]));
		schedules += jobs[i].outcome->schedules;
		distinct += jobs[i].outcome->distinct;
		points += jobs[i].outcome->points;
	}
	json_object_object_add(object, "schema_version", json_object_new_int(1));
	json_object_object_add(object, "schedules", json_object_new_uint64(schedules));
	json_object_object_add(object, "distinct", json_object_new_uint64(distinct));
	json_object_object_add(object, "points", json_object_new_uint64(points));
	json_object_object_add(object, "interrupted", json_object_new_boolean(sig));
	json_object_object_add(object, "scenarios", list);
	return print_json(object);
}

int report_schedule(const char *text, const struct outcome *outcome, const char *misfit, bool json)
{
	json_object *object;

	if (json) {
		object = json_object_new_object();
		json_object_object_add(object, "schema_version", json_object_new_int(1));
		json_object_object_add(object, "schedule",
				       text ? json_object_new_string(text) : NULL);
		json_object_object_add(object, "fits", json_object_new_boolean(!misfit));
		json_object_object_add(object, "failed",
				       json_object_new_boolean(outcome->findings &&
							       !outcome_cannot(outcome)));
		json_object_object_add(object, "kind", json_object_new_string(outcome->kind));
		json_object_object_add(object, "text", json_object_new_string(outcome->text));
		print_json(object);
	} else if (outcome->findings) {
		print_failure(text, outcome);
	} else if (!misfit) {
		printf("nothing found\n");
	}
	if (outcome_cannot(outcome))
		return STATUS_CANNOT;
	if (outcome->findings)
		return STATUS_FINDING;
	if (!misfit)
		return STATUS_OK;
	fflush(stdout);
	fprintf(stderr, "anonrmap: the schedule does not fit this code: %s\n", misfit);
	return STATUS_USAGE;
}
