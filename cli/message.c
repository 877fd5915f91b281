// SPDX-License-Identifier: GPL-2.0
/* What goes to the terminal besides reports. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define PROGRESS_NS	UINT64_C(100000000)

static bool line_open;		/* there is a progress line to be wiped */

static bool is_terminal(FILE *out)
{
	const char *term = getenv("TERM");

	return isatty(fileno(out)) && term && strcmp(term, "dumb");
}

void cli_error(const char *fmt, ...)
{
	char text[2 * PATH_MAX];
	va_list ap;

	cli_progress(NULL, 0, 0);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* One line, whatever a file's name holds, and nothing that a terminal would obey. */
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "anonrmap: %s\n", text);
}

int cli_flush(FILE *out, const char *name)
{
	/* Something may have failed before that nobody has looked at. */
	bool failed = ferror(out);

	errno = 0;
	if (!fflush(out) && !failed)
		return CLI_OK;
	cli_error("cannot write %s: %s", name, errno ? strerror(errno) : "write error");
	clearerr(out);
	return CLI_BAD_INPUT;
}

bool cli_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR");

	return is_terminal(out) && !(no && *no);
}

void cli_progress(const char *what, uint64_t done, uint64_t total)
{
	static uint64_t last;
	struct timespec ts;
	uint64_t now;

	if (!what) {
		if (line_open)
			fputs("\r\033[K", stderr);
		line_open = false;
		last = 0;
		return;
	}
	if (!is_terminal(stderr))
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
	if (last && now - last < PROGRESS_NS)
		return;
	last = now;
	line_open = true;
	if (total)
		fprintf(stderr, "\r\033[K%s: %u %%", what, (unsigned int)(done * 100 / total));
	else
		fprintf(stderr, "\r\033[K%s", what);
	fflush(stderr);
}
