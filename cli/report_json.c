// SPDX-License-Identifier: GPL-2.0
/* Reports as JSON. docs/anonrmap.1 lists the fields. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define SCHEMA_VERSION	1

static const char *const skip_keys[REPLAY_NR_SKIP] = {
	[REPLAY_SKIP_UNMAPPED] = "pages_unmapped",
	[REPLAY_SKIP_DENIED] = "pages_denied",
	[REPLAY_SKIP_POISONED] = "pages_poisoned",
	[REPLAY_SKIP_REFUSED] = "calls_refused",
	[REPLAY_SKIP_UNSUPPORTED] = "calls_unsupported",
	[REPLAY_SKIP_FOREIGN] = "programs_other_abi",
};

static void add(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, text ? json_object_new_string(text) : NULL);
}

/* The length of the UTF-8 sequence at p, 0 if it is none. */
static unsigned int utf8_length(const unsigned char *p)
{
	unsigned int n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
			 p[0] < 0xf5 ? 4 : 0;

	for (unsigned int i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, half of a surrogate pair, or too large. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* File names are bytes; what JSON cannot hold becomes a question mark. */
static void add_path(struct json_object *to, const char *key, const char *path)
{
	char *text = path ? strdup(path) : NULL;

	for (char *p = text; p && *p;) {
		unsigned int n = utf8_length((unsigned char *)p);

		if (!n)
			*p = '?';
		p += n ? n : 1;
	}
	add_text(to, key, text);
	free(text);
}

static void add_seconds(struct json_object *to, const char *key, uint64_t ns)
{
	json_object_object_add(to, key, json_object_new_double(ns / 1e9));
}

static struct json_object *json_trace(const struct report *r)
{
	const struct replay_facts *f = &r->facts;
	struct json_object *o = json_object_new_object();

	if (r->random) {
		add(o, "events", f->events);
		add(o, "processes", f->processes);
		add(o, "faults", f->faults);
		add(o, "pages", f->pages);
		add(o, "page_size", f->page_size);
		return o;
	}
	add_path(o, "file", r->file);
	add_text(o, "command", f->command);
	add(o, "events", f->events);
	add(o, "processes", f->processes);
	add(o, "processes_alive", f->alive);
	add(o, "forks", f->forks);
	add(o, "shares", f->shares);
	add(o, "execs", f->execs);
	add(o, "faults", f->faults);
	add(o, "pages", f->pages);
	add(o, "page_size", f->page_size);
	add(o, "threads", f->end.threads);
	add(o, "lost_processes", f->end.lost_procs);
	add_seconds(o, "recorded_seconds", f->end.wall_ns);
	add_seconds(o, "recorder_cpu_seconds", f->end.recorder_ns);
	json_object_object_add(o, "truncated", json_object_new_boolean(f->truncated));
	return o;
}

static struct json_object *json_objects(const struct um_stats *s)
{
	struct json_object *all = json_object_new_object();

	for (unsigned int i = 0; i < UM_NR_OBJ; i++) {
		struct json_object *o = json_object_new_object();

		add(o, "live", s->objects[i].live);
		add(o, "peak", s->objects[i].peak);
		add(o, "peak_bytes", s->objects[i].peak * s->objects[i].bytes_each);
		add(o, "bytes_each", s->objects[i].bytes_each);
		json_object_object_add(all, report_object_name(i), o);
	}
	return all;
}

static struct json_object *json_walks(const struct um_stats *s)
{
	struct json_object *o = json_object_new_object();

	add(o, "folios", s->folios);
	add(o, "mappings", s->mappings);
	add(o, "missed", s->missed + s->missed_stop);
	add(o, "missed_full", s->missed);
	add(o, "missed_stop", s->missed_stop);
	add(o, "visits", s->visits_stop);
	add(o, "visits_full", s->visits_full);
	json_object_object_add(o, "visits_per_mapping",
			       json_object_new_double(report_visits_per_mapping(s, true)));
	add(o, "lockless", s->lockless);
	add(o, "lockless_retries", s->lockless_retries);
	add(o, "lockless_fallbacks", s->lockless_fallbacks);
	return o;
}

/* @random: the replayer, which notes when there were most, was not there. */
static struct json_object *json_anon_vmas(const struct replay_result *res, bool random)
{
	struct json_object *o = json_object_new_object(), *most;

	add(o, "mms_peak", res->stats.mms_peak);
	add(o, "dead", res->stats.anon_vmas_dead);
	add(o, "displaced", res->stats.displaced);
	add(o, "joins", res->stats.joins);
	if (random)
		return o;
	most = json_object_new_object();
	add(o, "dead_peak", res->dead_peak);
	add(most, "anon_vmas", res->most_anon_vmas);
	add(most, "mms", res->most_anon_vmas_mms);
	add(most, "dead", res->most_anon_vmas_dead);
	json_object_object_add(o, "most", most);
	return o;
}

static struct json_object *json_memory(const struct replay_result *res, bool random)
{
	const struct um_stats *s = &res->stats;
	struct json_object *o = json_object_new_object();

	add(o, "pages", s->pages);
	add(o, "pages_peak", s->pages_peak);
	add(o, "faults", s->faults);
	if (!random)
		add(o, "reclaimed", res->reclaimed);
	add(o, "swapped_out", s->swapped_out);
	add(o, "swapped_in", s->swapped_in);
	add(o, "migrated", s->migrated);
	add(o, "ksm_merged", s->ksm_merged);
	return o;
}

static struct json_object *json_checks(const struct replay_result *res, bool random)
{
	const struct um_stats *s = &res->stats;
	struct json_object *o = json_object_new_object();

	add(o, "findings", report_findings(res));
	if (!random)
		add(o, "leaks", res->leaks);
	add(o, "reads_compared", s->reads_compared);
	add(o, "reads_wrong", s->reads_wrong);
	add(o, "invariants_checked", s->invariants_checked);
	add(o, "invariants_broken", s->invariants_broken);
	return o;
}

static struct json_object *json_replayed(const struct replay_result *res)
{
	struct json_object *o = json_object_new_object();

	add(o, "events", res->events);
	add(o, "repaired", res->repaired);
	for (unsigned int i = 0; i < REPLAY_NR_SKIP; i++)
		add(o, skip_keys[i], res->skipped[i]);
	return o;
}

static struct json_object *json_topology(const struct report_topology *t, bool random)
{
	const struct replay_result *res = &t->result;
	struct json_object *o = json_object_new_object();

	add_text(o, "name", t->name);
	json_object_object_add(o, "objects", json_objects(&res->stats));
	json_object_object_add(o, "walks", json_walks(&res->stats));
	json_object_object_add(o, "anon_vmas", json_anon_vmas(res, random));
	json_object_object_add(o, "memory", json_memory(res, random));
	json_object_object_add(o, "checks", json_checks(res, random));
	if (random)
		add(o, "operations", res->events);
	else
		json_object_object_add(o, "replayed", json_replayed(res));
	add_seconds(o, "seconds", res->ns);
	return o;
}

static struct json_object *json_recording(const struct record_result *c)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "status", json_object_new_int(c->status));
	add_seconds(o, "seconds", c->wall_ns);
	add_seconds(o, "recorder_cpu_seconds", c->recorder_ns);
	add(o, "stops", c->stops);
	add(o, "scans", c->scans);
	add_seconds(o, "scan_seconds", c->scan_ns);
	add(o, "threads", c->threads);
	add(o, "lost_processes", c->lost_procs);
	add(o, "programs_other_abi", c->programs32);
	return o;
}

struct json_object *report_json(const struct report *r)
{
	struct json_object *o = json_object_new_object(), *list;

	add(o, "schema_version", SCHEMA_VERSION);
	if (r->error[0])
		add_text(o, "error", r->error);
	json_object_object_add(o, "trace", json_trace(r));
	add_text(o, "check", report_check_name(r->check));
	if (!r->random) {
		add(o, "reclaim_percent", r->reclaim);
		add(o, "migrate_percent", r->migrate);
	}
	list = json_object_new_array();
	for (size_t i = 0; i < r->ntopologies; i++)
		json_object_array_add(list, json_topology(&r->topologies[i], r->random));
	json_object_object_add(o, "topologies", list);
	if (r->recording)
		json_object_object_add(o, "recording", json_recording(r->recording));
	return o;
}

int report_print_json(struct json_object *doc, FILE *out)
{
	const char *text = NULL;

	if (doc)
		text = json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		fprintf(out, "%s\n", text);
	json_object_put(doc);
	return text ? 0 : -ENOMEM;
}

int report_print_error_json(const char *file, const char *error, FILE *out)
{
	struct json_object *o = json_object_new_object();

	add(o, "schema_version", SCHEMA_VERSION);
	if (file)
		add_path(o, "file", file);
	add_path(o, "error", error);
	return report_print_json(o, out);
}
