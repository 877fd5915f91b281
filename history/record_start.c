// SPDX-License-Identifier: GPL-2.0
/* Starting the command: the child, its seccomp filter, and what may go wrong. */
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>
#include <linux/sched.h>

#include "recorder.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA	0x53564d41
#endif

#define TRACE_OPTIONS	(PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
			 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | \
			 PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)

enum stage { STAGE_FILTER, STAGE_EXEC };

/* What the child says when it cannot go on. */
struct failure {
	enum stage stage;
	int error;
};

static const int traced_calls[] = {
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
	SCMP_SYS(pkey_mprotect), SCMP_SYS(madvise), SCMP_SYS(process_madvise), SCMP_SYS(brk),
	SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(mlockall),
	SCMP_SYS(munlockall), SCMP_SYS(shmat), SCMP_SYS(shmdt), SCMP_SYS(remap_file_pages),
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
	SCMP_SYS(clone), SCMP_SYS(clone3),
};

bool start_privileged(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data))
		return false;
	return data[CAP_SYS_ADMIN / 32].effective >> CAP_SYS_ADMIN % 32 & 1;
}

/* Programs for other ABIs run unfiltered: they are not recorded. */
static scmp_filter_ctx make_filter(void)
{
	const struct scmp_arg_cmp set_vma = {
		.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX, .datum_b = PR_SET_VMA,
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int ret;

	if (!ctx)
		return NULL;
	ret = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
	ret |= seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, !start_privileged());
	ret |= seccomp_rule_add_array(ctx, SCMP_ACT_TRACE(0), SCMP_SYS(prctl), 1, &set_vma);
	for (size_t i = 0; i < sizeof(traced_calls) / sizeof(traced_calls[0]); i++)
		ret |= seccomp_rule_add(ctx, SCMP_ACT_TRACE(0), traced_calls[i], 0);
	if (ret) {
		seccomp_release(ctx);
		return NULL;
	}
	return ctx;
}

static _Noreturn void child(char *const argv[], const struct sigaction *chld,
			    scmp_filter_ctx filter, int go, int report)
{
	struct failure f = { .stage = STAGE_FILTER };
	char byte;

	/* Nothing may be filtered before the recorder is there to answer. */
	if (read(go, &byte, 1) != 1)
		_exit(127);
	close(go);
	sigaction(SIGCHLD, chld, NULL);
	f.error = -seccomp_load(filter);
	if (!f.error) {
		f.stage = STAGE_EXEC;
		execvp(argv[0], argv);
		f.error = errno;
	}
	if (write(report, &f, sizeof(f)) < 0)
		_exit(125);
	_exit(f.error == ENOENT || f.error == ENOTDIR ? 127 : 126);
}

int start_failed(int report, char *const argv[], char *error, size_t errlen)
{
	struct failure f = { .stage = STAGE_EXEC };
	ssize_t n = read(report, &f, sizeof(f));

	close(report);
	if (n != sizeof(f)) {
		snprintf(error, errlen, "the command was killed before it could start");
		return 0;
	}
	if (f.stage == STAGE_FILTER) {
		snprintf(error, errlen, "recording is not possible: seccomp filters: %s",
			 strerror(f.error));
		return -f.error;
	}
	snprintf(error, errlen, "cannot run %.100s: %s", argv[0], strerror(f.error));
	return 0;
}

static void close_pair(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

int start_command(char *const argv[], const struct sigaction *chld, char *error, size_t errlen,
		  int *report, pid_t *pid)
{
	scmp_filter_ctx filter = make_filter();
	int go[2], say[2], ret;

	if (!filter) {
		snprintf(error, errlen, "recording is not possible: no seccomp filters here");
		return -ENOSYS;
	}
	ret = pipe2(go, O_CLOEXEC) ? -errno : 0;
	if (!ret && pipe2(say, O_CLOEXEC)) {
		ret = -errno;
		close_pair(go);
	}
	if (ret) {
		snprintf(error, errlen, "cannot start the command: %s", strerror(-ret));
		seccomp_release(filter);
		return ret;
	}
	*pid = fork();
	if (!*pid) {
		close(go[1]);
		child(argv, chld, filter, go[0], say[1]);
	}
	if (*pid < 0) {
		ret = -errno;
		snprintf(error, errlen, "cannot start the command: %s", strerror(errno));
	} else if (ptrace(PTRACE_SEIZE, *pid, 0, TRACE_OPTIONS)) {
		ret = -errno;
		snprintf(error, errlen, "recording is not possible: ptrace: %s", strerror(errno));
	} else if (write(go[1], "", 1) != 1) {
		ret = -errno;
		snprintf(error, errlen, "cannot start the command: %s", strerror(errno));
	}
	seccomp_release(filter);
	close_pair(go);
	close(say[1]);
	*report = say[0];
	if (ret) {
		close(say[0]);
		/* A child that has not been let go exits by itself. */
		if (*pid > 0)
			waitpid(*pid, NULL, __WALL);
	}
	return ret;
}
