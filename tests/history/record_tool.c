// SPDX-License-Identifier: GPL-2.0
/*
 * What the shell tests use to record and look:
 *   record_tool record TRACE [-i] [-f] COMMAND [ARG]...
 *   record_tool show|json|dump TRACE
 * -i: without PAGEMAP_SCAN, -f: without frame numbers. Exit status 3: cannot record.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "record.h"
#include "show.h"
#include "trace.h"

static int do_record(char **argv)
{
	struct record_options opt = { .path = argv[2] };
	struct record_result res;
	int i = 3, ret;

	for (; argv[i] && argv[i][0] == '-'; i++) {
		opt.no_scan_ioctl |= !strcmp(argv[i], "-i");
		opt.no_frames |= !strcmp(argv[i], "-f");
	}
	ret = history_record(&opt, argv + i, &res);
	if (res.error[0])
		fprintf(stderr, "%s\n", res.error);
	return ret ? 3 : res.status;
}

static int do_show(const char *path, bool json)
{
	char err[256] = "";
	int ret = history_show(path, stdout, json, false, err, sizeof(err));

	if (ret)
		fprintf(stderr, "%s\n", err);
	return ret ? 1 : 0;
}

static int do_dump(const char *path)
{
	struct trace_reader *r;
	struct trace_event ev;
	char err[256];
	int ret = trace_open(path, &r, err, sizeof(err));

	if (ret) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	while ((ret = trace_next(r, &ev)) == 1)
		printf("%" PRIu32 " %s\n", ev.proc, trace_kind_name(ev.kind));
	if (ret)
		fprintf(stderr, "%s\n", trace_error(r));
	trace_close(r);
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "record"))
		return do_record(argv);
	if (argc == 3 && !strcmp(argv[1], "dump"))
		return do_dump(argv[2]);
	if (argc == 3 && (!strcmp(argv[1], "show") || !strcmp(argv[1], "json")))
		return do_show(argv[2], argv[1][0] == 'j');
	fprintf(stderr, "usage: record_tool record|show|json|dump TRACE [COMMAND]...\n");
	return 2;
}
