/* SPDX-License-Identifier: GPL-2.0 */
/* What was found out about a trace, for people and for programs. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "record.h"
#include "replay.h"

#define REPORT_TOPOLOGIES	8

struct report_topology {
	const char *name;
	struct replay_result result;
};

struct report {
	const char *file;		/* trace; NULL: it was not kept, or there is none */
	struct replay_facts facts;
	enum um_check check;
	bool random;			/* of anonrmap check: no recording, no replayer */
	bool check_given;		/* by the user; else by the length of the trace */
	unsigned int reclaim, migrate;	/* percent */
	size_t ntopologies;
	struct report_topology topologies[REPORT_TOPOLOGIES];
	const struct record_result *recording;	/* NULL: not recorded just now */
	char error[320];		/* "" if all went well */
};

/**
 * report_findings - how many things are wrong in a result
 * @result: result of one topology
 */
uint64_t report_findings(const struct replay_result *result);

/* Words that tables and JSON have in common. */
const char *report_object_name(enum um_object object);
const char *report_check_name(enum um_check check);

/**
 * report_visits_per_mapping - how many VMAs walks looked at for each mapping found
 * @stats: statistics
 * @stop: of the walks that stop when they have found all, else of those that do not
 *
 * Return: ratio, 0 if nothing was walked.
 */
double report_visits_per_mapping(const struct um_stats *stats, bool stop);

/**
 * report_text - print tables for people
 * @report: report
 * @out: stream
 * @colour: with colours
 */
void report_text(const struct report *report, FILE *out, bool colour);

/**
 * report_tables - print the tables of report_text(), and the verdict
 *
 * Without what compares topologies: each may have had a history of its own, as what is
 * chosen by lot depends on what is there.
 *
 * @report: report
 * @out: stream
 * @colour: with colours
 */
void report_tables(const struct report *report, FILE *out, bool colour);

/**
 * report_json - the report as a JSON object
 * @report: report
 *
 * Return: object, the caller's; NULL if there is no memory.
 */
struct json_object *report_json(const struct report *report);

/**
 * report_print_json - print a document and free it
 * @doc: document or NULL
 * @out: stream
 *
 * Return: 0 or -ENOMEM.
 */
int report_print_json(struct json_object *doc, FILE *out);

/**
 * report_print_error_json - print a document that says why there is no other
 * @file: trace, or NULL
 * @error: why
 * @out: stream
 *
 * Return: 0 or -ENOMEM.
 */
int report_print_error_json(const char *file, const char *error, FILE *out);

#endif /* CLI_REPORT_H */
