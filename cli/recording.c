// SPDX-License-Identifier: GPL-2.0
/* Recording a command, and what has to be said about it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/*
 * Whether the trace can be written is found out before anything runs: what
 * fails later with something else than these is the machine not permitting to
 * record.
 */
static int failure_status(int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
	case -EIO:
		return CLI_BAD_INPUT;
	default:
		return CLI_CANNOT;
	}
}

/* Make sure that the trace can be written, before the command runs. */
static bool can_write(const char *path, bool *created)
{
	int flags = O_WRONLY | O_CLOEXEC | O_NONBLOCK;
	int fd = open(path, flags | O_CREAT | O_EXCL, 0666);

	*created = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, flags);
	if (fd < 0) {
		cli_error("cannot write %s: %s", path, strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

static void warn(const struct record_result *res)
{
	if (res->lost_procs)
		cli_error("warning: %llu processes ran without being recorded",
			  (unsigned long long)res->lost_procs);
	if (res->programs32)
		cli_error("warning: %llu programs for another ABI ran without being recorded",
			  (unsigned long long)res->programs32);
}

static void outlived(unsigned int procs)
{
	cli_error("the command has ended, but %u process%s that it started live%s on and %s "
		  "recorded; ^C, or kill %d, ends %s and the recording", procs,
		  procs == 1 ? "" : "es", procs == 1 ? "s" : "", procs == 1 ? "is" : "are",
		  (int)getpid(), procs == 1 ? "it" : "them");
}

int cli_recording(const char *path, bool kept, char **argv, struct record_result *res,
		  bool *failed)
{
	struct record_options opt = { .path = path, .outlived = outlived };
	bool created;
	int ret;

	*failed = true;
	if (!can_write(path, &created))
		return CLI_BAD_INPUT;
	ret = history_record(&opt, argv, res);
	if (ret) {
		if (!kept && res->events)
			cli_error("the recording is lost: cannot write %s: %s; -o DIR has it "
				  "elsewhere", path, strerror(-ret));
		else
			cli_error("%s", res->error[0] ? res->error : strerror(-ret));
		/* Nothing has been recorded: leave no empty file behind. */
		if (created && !res->events)
			unlink(path);
		return failure_status(ret);
	}
	if (res->error[0]) {
		/* The command could not be started: 126 or 127, and no trace. */
		cli_error("%s", res->error);
		if (created)
			unlink(path);
		return res->status;
	}
	warn(res);
	*failed = false;
	return res->status;
}
