// SPDX-License-Identifier: GPL-2.0
/*
 * Settings of the whole machine that tests change. A test may end anywhere, by a skip, a
 * failure or its time limit: so the harness puts them back, and not the test.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "kernel.h"
#include "settings.h"

#define KSM	"/sys/kernel/mm/ksm/"
#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define DEBUG	"/sys/kernel/debug/"
#define CGROUPS	"/sys/fs/cgroup/cgroup.subtree_control"

/* linux/guest/init.c makes it. */
#define GUEST	"/run/anonrmap-guest"

static struct setting {
	const char *path;
	char value[128];		/* "": there is no such file */
} settings[] = {
	{ .path = KSM "max_page_sharing" },
	{ .path = KSM "merge_across_nodes" },
	{ .path = KSM "use_zero_pages" },
	{ .path = KSM "smart_scan" },
	{ .path = KSM "pages_to_scan" },
	{ .path = KSM "sleep_millisecs" },
	{ .path = KSM "run" },		/* after the others */
	{ .path = THP "enabled" },
	{ .path = THP "defrag" },
	{ .path = THP "hugepages-64kB/enabled" },
	{ .path = THP "khugepaged/scan_sleep_millisecs" },
	{ .path = THP "khugepaged/alloc_sleep_millisecs" },
	{ .path = THP "khugepaged/pages_to_scan" },
	{ .path = THP "khugepaged/max_ptes_none" },
	{ .path = DEBUG "failslab/ignore-gfp-wait" },
	{ .path = DEBUG "failslab/cache-filter" },
	{ .path = DEBUG "failslab/verbose" },
	{ .path = DEBUG "fail_page_alloc/ignore-gfp-wait" },
	{ .path = DEBUG "fail_page_alloc/ignore-gfp-highmem" },
	{ .path = DEBUG "fail_page_alloc/min-order" },
	{ .path = DEBUG "fail_page_alloc/verbose" },
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static bool memory_controller;		/* was on for the root's children */

bool in_the_guest(void)
{
	return !access(GUEST, F_OK);
}

/* The value as it is written: of "always [madvise] never" the word in brackets. */
static void value_of(const char *path, char *value, size_t size)
{
	char text[128] = "", *at = text;

	if (kernel_read(path, text, sizeof(text)) <= 0)
		text[0] = '\0';
	if (strchr(text, '['))
		at = strchr(text, '[') + 1;
	snprintf(value, size, "%.*s", (int)strcspn(at, "]\n"), at);
}

static bool has_memory_controller(void)
{
	char text[256];

	return kernel_read(CGROUPS, text, sizeof(text)) > 0 && strstr(text, "memory");
}

void settings_save(void)
{
	size_t i;

	for (i = 0; i < SETTINGS; i++)
		value_of(settings[i].path, settings[i].value, sizeof(settings[i].value));
	memory_controller = has_memory_controller();
}

void settings_restore(void)
{
	char value[sizeof(settings[0].value)];
	bool unmerged = false;
	size_t i;

	for (i = 0; i < SETTINGS; i++) {
		struct setting *s = &settings[i];
		bool ksm = !strncmp(s->path, KSM, strlen(KSM));

		value_of(s->path, value, sizeof(value));
		if (!strcmp(value, s->value) && !(ksm && unmerged))
			continue;
		/* Some of KSM's can only be changed while nothing is merged. */
		if (ksm && !unmerged)
			kernel_write(KSM "run", "2");
		unmerged |= ksm;
		kernel_write(s->path, s->value);
	}
	if (!memory_controller && has_memory_controller())
		kernel_write(CGROUPS, "-memory");
}
