// SPDX-License-Identifier: GPL-2.0
/*
 * Reports as tables. The columns are topologies; with two of them, a third
 * says what the second costs in terms of the first.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "report.h"

#define LABEL	24		/* width of the first column */
#define COLUMN	20		/* width of one topology */

struct table {
	const struct report *report;
	FILE *out;
	const char *bold, *good, *bad, *plain;
	bool same_history;		/* for all topologies: they can be compared */
};

static const char *const object_names[UM_NR_OBJ] = {
	[UM_OBJ_VMA] = "vm_area_struct",
	[UM_OBJ_ANON_VMA] = "anon_vma",
	[UM_OBJ_AVC] = "anon_vma_chain",
};

static const char *const skip_texts[REPLAY_NR_SKIP] = {
	[REPLAY_SKIP_UNMAPPED] = "pages touched where nothing was mapped",
	[REPLAY_SKIP_DENIED] = "pages touched where no access is permitted",
	[REPLAY_SKIP_POISONED] = "pages touched that memory failure had taken",
	[REPLAY_SKIP_REFUSED] = "calls that did not fit",
	[REPLAY_SKIP_UNSUPPORTED] = "calls that cannot be followed",
	[REPLAY_SKIP_FOREIGN] = "programs for another ABI, taken as empty",
};

const char *report_object_name(enum um_object object)
{
	return object_names[object];
}

const char *report_check_name(enum um_check check)
{
	return check == UM_CHECK_FULL ? "full" : check == UM_CHECK_SAMPLE ? "sample" : "off";
}

uint64_t report_findings(const struct replay_result *result)
{
	const struct um_stats *s = &result->stats;
	uint64_t counted = s->missed + s->missed_stop + s->reads_wrong + s->invariants_broken;

	/* Each of them is a finding as well; counts guard against a lost message. */
	return result->findings > counted ? result->findings : counted;
}

double report_visits_per_mapping(const struct um_stats *stats, bool stop)
{
	uint64_t visits = stop ? stats->visits_stop : stats->visits_full;

	return stats->mappings ? (double)visits / stats->mappings : 0;
}

/* 1234567 as "1,234,567"; buffers are used in turn. */
static const char *number(uint64_t n)
{
	static char bufs[8][32];
	static unsigned int turn;
	char *buf = bufs[turn++ % 8], *p = buf + 31;
	unsigned int digits = 0;

	*p = '\0';
	do {
		if (digits && digits % 3 == 0)
			*--p = ',';
		*--p = '0' + n % 10;
		n /= 10;
		digits++;
	} while (n);
	return p;
}

static void head(const struct table *t, const char *label, const char *extra)
{
	const struct report *r = t->report;

	fprintf(t->out, "\n%s%-*s", t->bold, LABEL, label);
	for (size_t i = 0; i < r->ntopologies; i++)
		fprintf(t->out, "%*s", COLUMN, r->topologies[i].name);
	if (r->ntopologies == 2)
		fprintf(t->out, "%s", extra);
	fprintf(t->out, "%s\n", t->plain);
}

/* A row of numbers, from a function of the result. */
static void row(const struct table *t, const char *label,
		uint64_t (*value)(const struct replay_result *))
{
	fprintf(t->out, "%-*s", LABEL, label);
	for (size_t i = 0; i < t->report->ntopologies; i++)
		fprintf(t->out, "%*s", COLUMN, number(value(&t->report->topologies[i].result)));
	fputc('\n', t->out);
}

static void row_real(const struct table *t, const char *label,
		     double (*value)(const struct replay_result *))
{
	fprintf(t->out, "%-*s", LABEL, label);
	for (size_t i = 0; i < t->report->ntopologies; i++)
		fprintf(t->out, "%*.2f", COLUMN, value(&t->report->topologies[i].result));
	fputc('\n', t->out);
}

static uint64_t peak_bytes(const struct replay_result *res, unsigned int object)
{
	const struct um_objects *o = &res->stats.objects[object];

	return o->peak * o->bytes_each;
}

static uint64_t all_bytes(const struct replay_result *res)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < UM_NR_OBJ; i++)
		sum += peak_bytes(res, i);
	return sum;
}

/* What the second costs in terms of the first. */
static void ratio(const struct table *t, uint64_t first, uint64_t second)
{
	double r;

	if (t->report->ntopologies != 2 || !t->same_history)
		return;
	if (!first) {
		fprintf(t->out, "%8s%7s", second ? "-" : "1.00", second ? "-" : "0 %");
		return;
	}
	r = (double)second / first;
	fprintf(t->out, "%8.2f%5.0f %%", r, 100 * (1 - r));
}

static void objects(const struct table *t)
{
	const struct report *r = t->report;

	head(t, "most at one time", t->same_history ? "   ratio  saved" : "");
	fprintf(t->out, "%-*s", LABEL, "");
	for (size_t i = 0; i < r->ntopologies; i++)
		fprintf(t->out, "%*s%*s", COLUMN / 2, "objects", COLUMN / 2, "KB");
	fputc('\n', t->out);
	for (unsigned int k = 0; k < UM_NR_OBJ; k++) {
		fprintf(t->out, "%-*s", LABEL, object_names[k]);
		for (size_t i = 0; i < r->ntopologies; i++) {
			const struct replay_result *res = &r->topologies[i].result;

			fprintf(t->out, "%*s%*.1f", COLUMN / 2, number(res->stats.objects[k].peak),
				COLUMN / 2, peak_bytes(res, k) / 1024.0);
		}
		ratio(t, peak_bytes(&r->topologies[0].result, k),
		      peak_bytes(&r->topologies[1].result, k));
		fputc('\n', t->out);
	}
	fprintf(t->out, "%-*s", LABEL, "all three");
	for (size_t i = 0; i < r->ntopologies; i++)
		fprintf(t->out, "%*s%*.1f", COLUMN / 2, "", COLUMN / 2,
			all_bytes(&r->topologies[i].result) / 1024.0);
	ratio(t, all_bytes(&r->topologies[0].result), all_bytes(&r->topologies[1].result));
	fputc('\n', t->out);
}

static void lazy_bound(const struct table *t)
{
	for (size_t i = 0; i < t->report->ntopologies; i++) {
		const struct replay_result *res = &t->report->topologies[i].result;

		if (strcmp(t->report->topologies[i].name, "lazy"))
			continue;
		fprintf(t->out, "\nlazy: at most one anon_vma per live mm, plus dead ones that "
			"children still need.\nWhen there were most, %s anon_vmas: %s live mms, "
			"%s dead. (Most mms %s, most dead %s;\n%s VMAs were displaced, %s children "
			"joined their parent's anon_vma.)\n",
			number(res->most_anon_vmas), number(res->most_anon_vmas_mms),
			number(res->most_anon_vmas_dead), number(res->stats.mms_peak),
			number(res->dead_peak), number(res->stats.displaced),
			number(res->stats.joins));
	}
}

static uint64_t folios(const struct replay_result *r) { return r->stats.folios; }
static uint64_t mappings(const struct replay_result *r) { return r->stats.mappings; }
static uint64_t missed(const struct replay_result *r)
{
	return r->stats.missed + r->stats.missed_stop;
}
static uint64_t reads(const struct replay_result *r) { return r->stats.reads_compared; }
static uint64_t reads_wrong(const struct replay_result *r) { return r->stats.reads_wrong; }
static uint64_t swapped_out(const struct replay_result *r) { return r->stats.swapped_out; }
static uint64_t migrated(const struct replay_result *r) { return r->stats.migrated; }
static uint64_t lockless(const struct replay_result *r) { return r->stats.lockless; }
static double stopping(const struct replay_result *r)
{
	return report_visits_per_mapping(&r->stats, true);
}
static double to_the_end(const struct replay_result *r)
{
	return report_visits_per_mapping(&r->stats, false);
}
static double seconds(const struct replay_result *r) { return r->ns / 1e9; }

static void walks(const struct table *t)
{
	head(t, "walks", "");
	if (t->report->check == UM_CHECK_OFF) {
		fprintf(t->out, "not checked (--check off)\n");
	} else {
		row(t, "folios walked", folios);
		row(t, "mappings found by a scan", mappings);
		row(t, "  missed by walks", missed);
		row_real(t, "visits per mapping", stopping);
		row_real(t, "  if walks never stopped", to_the_end);
		row(t, "pages read and compared", reads);
		row(t, "  wrong", reads_wrong);
	}
	if (t->report->reclaim || t->report->migrate) {
		row(t, "pages swapped out", swapped_out);
		row(t, "pages migrated", migrated);
	}
	row(t, "walks without a lock", lockless);
	row_real(t, "seconds", seconds);
}

static void trace(const struct table *t)
{
	const struct report *r = t->report;
	const struct replay_facts *f = &r->facts;

	if (r->file)
		fprintf(t->out, "%strace%s     %s\n", t->bold, t->plain, r->file);
	if (f->command[0])
		fprintf(t->out, "%scommand%s   %s\n", t->bold, t->plain, f->command);
	fprintf(t->out, "%shistory%s   %s events, %s processes, %s forks, %s faults%s\n"
		"%spages%s     %s touched, at most %s in use at one time\n",
		t->bold, t->plain, number(f->events), number(f->processes), number(f->forks),
		number(f->faults), f->truncated ? " (cut off)" : "", t->bold, t->plain,
		number(f->pages), number(r->topologies[0].result.stats.pages_peak));
	fprintf(t->out, "%schecks%s    %s", t->bold, t->plain, report_check_name(r->check));
	if (!r->check_given)
		fprintf(t->out, " (chosen by the size of the recording)");
	if (r->reclaim || r->migrate)
		fprintf(t->out, "; at intervals, %u %% of the pages in use are swapped out, %u %% "
			"migrated", r->reclaim, r->migrate);
	fputc('\n', t->out);
}

/* Events that did not go as recorded: the same on each topology, or shown for each. */
static void oddities(const struct table *t)
{
	const struct report *r = t->report;

	for (size_t i = 0; i < r->ntopologies; i++) {
		const struct replay_result *res = &r->topologies[i].result;
		const struct replay_result *first = &r->topologies[0].result;

		if (i && res->repaired == first->repaired &&
		    !memcmp(res->skipped, first->skipped, sizeof(res->skipped)))
			continue;
		if (res->repaired)
			fprintf(t->out, "%s: %s calls fitted only after something gave way\n",
				r->topologies[i].name, number(res->repaired));
		for (unsigned int k = 0; k < REPLAY_NR_SKIP; k++)
			if (res->skipped[k])
				fprintf(t->out, "%s: left out: %s %s\n", r->topologies[i].name,
					number(res->skipped[k]), skip_texts[k]);
	}
}

static void recording(const struct table *t)
{
	const struct record_result *c = t->report->recording;

	if (!c)
		return;
	fprintf(t->out, "\nrecording took %.2f s: %s stops of the command, %s scans of page tables,"
		" %.2f s of the\nrecorder's CPU time; what the stops cost the command comes on "
		"top\n", c->wall_ns / 1e9, number(c->stops), number(c->scans),
		c->recorder_ns / 1e9);
	if (c->status)
		fprintf(t->out, "the command's exit status was %d\n", c->status);
}

static void verdict(const struct table *t)
{
	const struct report *r = t->report;
	uint64_t findings = 0, lost = 0;
	bool walked = true;

	for (size_t i = 0; i < r->ntopologies; i++) {
		findings += report_findings(&r->topologies[i].result);
		lost += missed(&r->topologies[i].result);
		walked &= !!folios(&r->topologies[i].result);
	}
	fputc('\n', t->out);
	if (findings)
		fprintf(t->out, "%sFAILED%s: %s findings, %s mappings missed by walks\n", t->bad,
			t->plain, number(findings), number(lost));
	else if (r->check == UM_CHECK_OFF)
		fprintf(t->out, "%sdone%s: nothing was checked\n", t->good, t->plain);
	else if (!walked)
		fprintf(t->out, "done: nothing was checked, as no page was mapped\n");
	else
		fprintf(t->out, "%sok%s: no walk missed a mapping, nothing read was wrong, no "
			"invariant broke\n", t->good, t->plain);
}

static struct table make_table(const struct report *report, FILE *out, bool colour)
{
	return (struct table){
		.report = report,
		.out = out,
		.bold = colour ? "\033[1m" : "",
		.good = colour ? "\033[1;32m" : "",
		.bad = colour ? "\033[1;31m" : "",
		.plain = colour ? "\033[0m" : "",
	};
}

void report_text(const struct report *report, FILE *out, bool colour)
{
	struct table t = make_table(report, out, colour);

	t.same_history = true;
	trace(&t);
	objects(&t);
	lazy_bound(&t);
	walks(&t);
	oddities(&t);
	recording(&t);
	verdict(&t);
}

void report_tables(const struct report *report, FILE *out, bool colour)
{
	struct table t = make_table(report, out, colour);

	objects(&t);
	walks(&t);
	verdict(&t);
}
