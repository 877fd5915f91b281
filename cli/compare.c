// SPDX-License-Identifier: GPL-2.0
/* One trace on several topologies. */
#include <errno.h>
#include <string.h>

#include "cli.h"

/*
 * After each event a full check looks at the page tables of all processes. Up to so
 * many events, and so many looks at a page, that takes seconds and not minutes.
 */
#define SMALL_TRACE	200000
#define SMALL_WORK	100e6

/* Rounds of memory pressure in a short trace; in a long one, one every so many events. */
#define ROUNDS		16
#define ROUND_EVENTS	64

int cli_trace_status(int error)
{
	switch (error) {
	case 0:
		return CLI_OK;
	case -ENOMEM:
		return CLI_CANNOT;
	default:
		return CLI_BAD_INPUT;
	}
}

static unsigned int interval(uint64_t events)
{
	uint64_t n = events / ROUNDS;

	return n > ROUND_EVENTS ? ROUND_EVENTS : n ? n : 1;
}

static enum um_check check_for(const struct replay_facts *facts)
{
	double pages = facts->processes ? (double)facts->pages / facts->processes : 0;

	/* As if all of them that live at one time lived all the time: rough will do. */
	return facts->events <= SMALL_TRACE &&
	       facts->events * pages * facts->alive <= SMALL_WORK ? UM_CHECK_FULL :
								    UM_CHECK_SAMPLE;
}

static void progress(void *what, uint64_t done, uint64_t total)
{
	cli_progress(what, done, total);
}

static int fail(struct report *report, const char *name, const char *why, int error)
{
	snprintf(report->error, sizeof(report->error), "%s", why);
	cli_error("%s: %s", name, why);
	return cli_trace_status(error);
}

static int replay_on(const char *path, const struct report *report, struct report_topology *t)
{
	char what[64];
	struct replay_options opt = {
		.topology = t->name,
		.check = report->check,
		.reclaim = report->reclaim,
		.migrate = report->migrate,
		.interval = interval(report->facts.events),
		.seed = 1,
		.log = cli_findings_open(),
		.progress = progress,
		.arg = what,
		.total = report->facts.events,
	};
	int ret;

	snprintf(what, sizeof(what), "replaying on %s", t->name);
	ret = history_replay(path, &opt, &t->result);
	cli_progress(NULL, 0, 0);
	cli_findings_close(opt.log);
	return ret;
}

int cli_compare(const char *path, const char *name, const struct cli_replay_options *opt,
		struct report *report)
{
	struct replay_facts *facts = &report->facts;
	char why[256];
	int status = CLI_OK, ret;

	ret = history_replay_facts(path, facts, why, sizeof(why));
	if (ret)
		return fail(report, name, why, ret);
	if (facts->truncated && !facts->events)
		return fail(report, name, facts->warning, -EINVAL);
	if (facts->truncated)
		cli_error("%s: warning: %s; what is there is used", name, facts->warning);
	report->check_given = opt->check_given;
	report->check = opt->check_given ? opt->check : check_for(facts);
	report->reclaim = opt->reclaim;
	report->migrate = opt->migrate;
	for (size_t i = 0; i < opt->ntopologies; i++) {
		struct report_topology *t = &report->topologies[i];

		t->name = opt->topologies[i];
		ret = replay_on(path, report, t);
		if (ret)
			return fail(report, name, t->result.error, ret);
		report->ntopologies++;
		if (report_findings(&t->result))
			status = CLI_FINDING;
	}
	return status;
}
