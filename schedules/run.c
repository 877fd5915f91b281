// SPDX-License-Identifier: GPL-2.0
/* One run of a scenario: a world, its threads, and what they have left. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"
#include "jobs.h"

/* Enough for a few huge pages; the world's tables are made for each run. */
#define WORLD_PAGES	2048

static const struct schedule_scenario *scenario;
static struct outcome *outcome;
static struct schedule_run run;
static struct um_config config = { .model = true, .max_pages = WORLD_PAGES };

void schedule_finding(struct schedule_run *which, const char *fmt, ...)
{
	char text[512];
	va_list args;

	(void)which;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	turns_finding("finding", text);
}

/* What the world finds. */
static ssize_t log_write(void *cookie, const char *text, size_t len)
{
	char line[512];

	(void)cookie;
	snprintf(line, sizeof(line), "%.*s", (int)(len && text[len - 1] == '\n' ? len - 1 : len),
		 text);
	turns_finding("finding", line);
	return len;
}

void run_prepare(const struct schedule_scenario *new_scenario, const char *topology,
		 struct outcome *new_outcome)
{
	scenario = new_scenario;
	outcome = new_outcome;
	config.topology = topology;
	config.log = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = log_write });
	um_thread_register();
	turns_prepare(outcome, scenario->nr_threads);
}

static void thread_0(void *arg) { scenario->thread[0](arg); }
static void thread_1(void *arg) { scenario->thread[1](arg); }
static void thread_2(void *arg) { scenario->thread[2](arg); }
static void thread_3(void *arg) { scenario->thread[3](arg); }

/* Toy scenarios have no use for a world, and cost less without one. */
static bool has_world(void)
{
	return strcmp(config.topology, "none");
}

static void look_at_it(void)
{
	unsigned int i;

	if (scenario->check)
		scenario->check(&run);
	if (!has_world())
		return;
	um_check_all(run.world);
	/* What is wrong may not survive its end. */
	if (outcome->findings)
		return;
	for (i = 0; i < 2; i++)
		if (run.file[i])
			um_file_put(run.file[i]);
	um_world_destroy(run.world);
}

void run_complete(void)
{
	if (scenario->lockless && !outcome->lockless)
		turns_finding("missed", "no schedule has a walk without locks");
}

bool run_once(void)
{
	static void (*const fns[])(void *) = { thread_0, thread_1, thread_2, thread_3 };
	int err;

	kshim_sched_reset();
	turns_begin();
	memset(&run, 0, sizeof(run));
	run.topology = config.topology;
	run.lazy = !strcmp(run.topology, "lazy");
	err = has_world() ? um_world_create(&config, &run.world) : 0;
	if (err) {
		turns_finding(KIND_CANNOT, strerror(-err));
		return false;
	}
	scenario->setup(&run);
	if (!outcome->findings)
		kshim_sched_run(fns, &run, scenario->nr_threads);
	outcome->lockless += run.lockless;
	if (!outcome->findings)
		look_at_it();
	if (!outcome->findings)
		kshim_sched_check_memory();
	outcome->schedules++;
	return !outcome->findings;
}
