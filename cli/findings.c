// SPDX-License-Identifier: GPL-2.0
/* Findings on stderr: the first ones, and how many more there were. */
#include <string.h>

#include "cli.h"

/* One bug is found again and again; the first findings tell it. */
#define SHOWN	20

static uint64_t lines;

static ssize_t show(void *cookie, const char *text, size_t size)
{
	size_t left = size;

	(void)cookie;
	cli_progress(NULL, 0, 0);
	while (left) {
		const char *end = memchr(text, '\n', left);
		size_t n = end ? (size_t)(end - text) + 1 : left;

		if (lines < SHOWN)
			fwrite(text, 1, n, stderr);
		lines += !!end;
		text += n;
		left -= n;
	}
	return size;
}

FILE *cli_findings_open(void)
{
	lines = 0;
	return fopencookie(NULL, "w", (cookie_io_functions_t){ .write = show });
}

void cli_findings_close(FILE *log)
{
	if (!log)
		return;
	fclose(log);
	if (lines > SHOWN)
		cli_error("%llu more lines of findings are not shown",
			  (unsigned long long)(lines - SHOWN));
}
