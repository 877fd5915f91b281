// SPDX-License-Identifier: GPL-2.0
/*
 * The recorder's loop: it waits for recorded threads to stop, says what the
 * stop means, and lets them go on.
 *
 * Threads of one address space make their recorded calls one after another:
 * a second thread is held at the entry until the first has left. Otherwise
 * the order in which their stops arrive here need not be the order in which
 * the kernel did the work.
 */
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <linux/ptrace.h>
#include <time.h>
#include <unistd.h>

#include "recorder.h"

#define MS			UINT64_C(1000000)
/* Between two syncs of the trace: what the death of the machine may cost. */
#define SYNC_NS			(1000 * MS)
/* Timer: when something has to be looked after, and when only a sync is due. */
#define TICK_US			5000
#define SYNC_TICK_US		250000
/* A call that takes longer may wait for a thread that is held: let them all go. */
#define HOLD_NS			(100 * MS)
/* A new process whose parent was killed before it could be reported. */
#define UNREPORTED_NS		(500 * MS)
#define FULL_SCAN_MS		50
/* The command has ended: what still lives then is worth a word, it may be a daemon. */
#define OUTLIVED_NS		(1000 * MS)

#if defined(__x86_64__)
#define NATIVE_ARCH		AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH		AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH		AUDIT_ARCH_RISCV64
#else
#error "the recorder does not know this architecture's AUDIT_ARCH value"
#endif

static volatile sig_atomic_t pass_on;	/* a signal for the command */
static volatile sig_atomic_t over;	/* the command has ended */
static volatile sig_atomic_t end_rest;	/* ... and what it started is to end, too */
static volatile sig_atomic_t suspend;	/* the terminal wants us to stop */

struct loop {
	struct recorder rec;
	const struct record_options *opt;
	char *const *argv;
	pid_t root;
	bool root_known;		/* its first exec was seen */
	bool root_gone;
	bool root_stopped;
	bool told;			/* that others live on */
	uint64_t root_end;		/* when it went */
	int end_signal;			/* for those that outlive it: what comes next */
	unsigned int tick_us;		/* 0: the timer is off */
	int root_status;
};

uint64_t recorder_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

void recorder_fail(struct recorder *rec, int error)
{
	if (!rec->error)
		rec->error = error;
}

void recorder_emit(struct recorder *rec, const struct proc *proc, struct trace_event *ev)
{
	if (rec->error)
		return;
	ev->proc = proc->id;
	ev->time = rec->now;
	recorder_fail(rec, trace_write(rec->trace, ev));
	if (rec->error && trace_refused(rec->trace))
		snprintf(rec->refused, sizeof(rec->refused), "%s event of process %u: %s",
			 trace_kind_name(ev->kind), ev->proc, trace_refused(rec->trace));
}

static void on_signal(int sig)
{
	/* One that came before the end was meant for the command, and reached it. */
	if (over && (sig == SIGTERM || sig == SIGHUP || sig == SIGINT || sig == SIGQUIT))
		end_rest = 1;
	else if (sig == SIGTERM || sig == SIGHUP)
		pass_on = sig;
	else if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		suspend = 1;
	/* SIGALRM only has to interrupt the wait. */
}

static void tick(struct loop *l, unsigned int us)
{
	struct itimerval it = { 0 };

	if (us == l->tick_us)
		return;
	/* Repeated: one signal might come just before the wait that it is for. */
	it.it_interval.tv_usec = it.it_value.tv_usec = us;
	setitimer(ITIMER_REAL, &it, NULL);
	l->tick_us = us;
}

/* From the first exec on there is a trace, as long as it can be written. */
static bool writing(const struct recorder *rec)
{
	return rec->trace && !rec->error;
}

/*
 * Have everything that is known so far in the file. This comes before anything
 * that lets the world see more than that: then no one can know of an event
 * that is lost if the recorder is killed.
 */
static void settle(struct recorder *rec)
{
	if (writing(rec) && trace_pending(rec->trace))
		recorder_fail(rec, trace_flush(rec->trace));
}

/* Let a thread run on. Threads that have been killed meanwhile do not mind. */
static void resume(struct recorder *rec, struct task *t, int sig)
{
	settle(rec);
	ptrace(t->in_call ? PTRACE_SYSCALL : PTRACE_CONT, t->tid, 0, sig);
}

static void enter_call(struct recorder *rec, struct task *t)
{
	struct mm *mm = t->mm;

	if (rec->now >= mm->next_scan)
		scan_full(rec, t, false);
	if (call_enter(rec, t)) {
		t->in_call = true;
		mm->in_call = t;
		mm->in_call_since = rec->now;
	}
	resume(rec, t, 0);
}

/* Start the calls of held threads: the first, or after a timeout all of them. */
static void release_held(struct recorder *rec, struct mm *mm, bool all)
{
	while (mm->held && (all || !mm->in_call)) {
		struct task *t = mm->held;

		mm->held = t->next_held;
		rec->holding--;
		enter_call(rec, t);
	}
}

static void leave_hold(struct recorder *rec, struct task *t)
{
	struct mm *mm = t->mm;
	struct task **p;

	if (!mm)
		return;
	t->in_call = false;
	for (p = &mm->held; *p; p = &(*p)->next_held) {
		if (*p == t) {
			*p = t->next_held;
			rec->holding--;
			break;
		}
	}
	if (mm->in_call == t)
		mm->in_call = NULL;
	release_held(rec, mm, false);
}

/* The thread runs in no address space any more. */
static void detach_mm(struct recorder *rec, struct task *t)
{
	leave_hold(rec, t);
	task_set_mm(rec, t, NULL);
}

static void on_seccomp(struct loop *l, struct task *t)
{
	struct recorder *rec = &l->rec;
	struct ptrace_syscall_info info;
	struct mm *mm = t->mm;
	struct task **p;

	if (!mm || !t->proc->started || t->proc->foreign ||
	    ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) < 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP) {
		resume(rec, t, 0);
		return;
	}
	t->call = (struct call){ .nr = info.seccomp.nr };
	for (int i = 0; i < 6; i++)
		t->call.args[i] = info.seccomp.args[i];
	if (mm->in_call && mm->tasks > 1) {
		t->next_held = NULL;
		for (p = &mm->held; *p; p = &(*p)->next_held)
			;
		*p = t;
		rec->holding++;
		return;
	}
	enter_call(rec, t);
}

static void on_syscall_exit(struct loop *l, struct task *t)
{
	struct recorder *rec = &l->rec;
	struct ptrace_syscall_info info;

	if (t->in_call && t->mm &&
	    ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) > 0 &&
	    info.op == PTRACE_SYSCALL_INFO_EXIT)
		call_leave(rec, t, info.exit.rval);
	leave_hold(rec, t);
	t->in_call = false;
	resume(rec, t, 0);
}

/* A process has ended. */
static void end_proc(struct loop *l, struct proc *proc, int status)
{
	struct trace_event ev = { .kind = TRACE_EXIT };

	if (proc->started) {
		ev.exit.status = status;
		recorder_emit(&l->rec, proc, &ev);
	}
	proc_set_mm(&l->rec, proc, NULL);
	free(proc);
}

static void on_gone(struct loop *l, pid_t tid, int status)
{
	struct recorder *rec = &l->rec;
	struct task *t = task_find(rec, tid);

	if (tid == l->root) {
		l->root_gone = true;
		l->root_status = status;
		l->root_end = rec->now;
		over = 1;
	}
	if (!t) {
		/* Killed before its parent could be heard: remember for then. */
		t = task_add(rec, tid);
		if (!t) {
			recorder_fail(rec, -ENOMEM);
			return;
		}
		t->dead = true;
		t->status = status;
		t->since = rec->now;
		rec->waiting++;
		return;
	}
	if (!t->proc) {
		if (t->lost) {
			task_remove(rec, t);
		} else {
			t->dead = true;
			t->status = status;
		}
		return;
	}
	detach_mm(rec, t);
	if (t->proc->pid == tid)
		end_proc(l, t->proc, status);
	task_remove(rec, t);
}

/* Field "Tgid:" of /proc/TID/status, for what happens in foreign programs. */
static pid_t thread_group(pid_t tid)
{
	char path[32], line[128];
	int tgid = tid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	if (!f)
		return tid;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	fclose(f);
	return tgid;
}

static struct proc *new_process(struct recorder *rec, struct task *parent, pid_t pid,
				uint64_t flags)
{
	struct trace_event ev = { .kind = flags & CLONE_VM ? TRACE_SHARE : TRACE_FORK };
	struct mm *mm = parent->mm;
	struct proc *proc;

	if (!(flags & CLONE_VM)) {
		scan_full(rec, parent, true);
		mm = parent->mm ? mm_fork(parent->mm) : mm_new();
	}
	proc = mm ? proc_new(rec, pid, mm) : NULL;
	if (!proc) {
		recorder_fail(rec, -ENOMEM);
		return NULL;
	}
	proc->foreign = parent->proc->foreign;
	rec->res->procs++;
	ev.fork.child = proc->id;
	ev.fork.ospid = pid;
	ev.fork.flags = flags;
	recorder_emit(rec, parent->proc, &ev);
	return proc;
}

/* The report of a new thread or process, before or after its own first stop. */
static void on_new(struct loop *l, struct task *parent, int event)
{
	struct recorder *rec = &l->rec;
	uint64_t flags = parent->clone_flags;
	unsigned long msg;
	struct task *t;
	pid_t tid;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, 0, &msg) || !parent->proc)
		goto out;
	tid = msg;
	if (parent->proc->foreign) {
		flags = event == PTRACE_EVENT_VFORK ? CLONE_VM | CLONE_VFORK : 0;
		if (thread_group(tid) != tid)
			flags = CLONE_VM | CLONE_THREAD;
	}
	t = task_find(rec, tid);
	if (t && t->proc) {
		/* The id has been used again before the old end was heard. */
		on_gone(l, tid, 0);
		t = NULL;
	}
	if (!t)
		t = task_add(rec, tid);
	else if (!t->lost)
		rec->waiting--;
	if (!t) {
		recorder_fail(rec, -ENOMEM);
		goto out;
	}
	/* Given up on too early: recorded from now on, but it stays counted as lost. */
	t->lost = false;
	if (flags & CLONE_THREAD) {
		t->proc = parent->proc;
		rec->res->threads++;
	} else {
		t->proc = new_process(rec, parent, tid, flags);
	}
	if (t->proc)
		task_set_mm(rec, t, flags & CLONE_THREAD ? parent->mm : t->proc->mm);
	else
		t->lost = true;
	if (t->dead) {
		on_gone(l, tid, t->status);
	} else if (t->stopped) {
		t->stopped = false;
		resume(rec, t, 0);
	}
out:
	/* With the report of a fork the call is over as far as we care. */
	leave_hold(rec, parent);
	parent->in_call = false;
	resume(rec, parent, 0);
}

/* One line that a shell would read as the same command. */
static char *quote(char *const argv[])
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (int i = 0; argv[i]; i++) {
		const char *p = argv[i];

		if (i)
			fputc(' ', f);
		if (*p && !p[strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789_-+=./,:@%")]) {
			fputs(p, f);
			continue;
		}
		fputc('\'', f);
		for (; *p; p++) {
			if (*p == '\'')
				fputs("'\\''", f);
			else
				fputc(*p, f);
		}
		fputc('\'', f);
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	/* The header has room for a megabyte, more than is of use. */
	if (len > 1u << 16)
		text[1u << 16] = '\0';
	return text;
}

/*
 * Not before there is something to record: a command that cannot be started must not cost
 * the recording that is there already.
 */
static int create_trace(struct loop *l)
{
	struct recorder *rec = &l->rec;
	struct trace_header head = { .flags = rec->res->flags, .page_size = rec->page_size };
	struct utsname uts;
	char *command = quote(l->argv);
	int ret;

	if (!command)
		return -ENOMEM;
	uname(&uts);
	head.huge_pages = rec->page_size == 4096 ? LEAF_PAGES : 0;
	head.created = time(NULL);
	head.command = command;
	head.kernel = uts.release;
	head.arch = uts.machine;
	ret = trace_create(l->opt->path, &head, &rec->trace);
	if (ret)
		snprintf(rec->res->error, sizeof(rec->res->error), "cannot write %.150s: %s",
			 l->opt->path, ret == -ESPIPE ? "not a regular file" : strerror(-ret));
	/* To callers, a fault of the file as others are, not one of the system. */
	if (ret == -ESPIPE)
		ret = -EIO;
	free(command);
	return ret;
}

static void on_exec(struct loop *l, struct task *t)
{
	struct recorder *rec = &l->rec;
	struct trace_event ev = { .kind = TRACE_PROC_START };
	struct ptrace_syscall_info info;
	struct proc *proc = t->proc;
	unsigned long old_tid;
	struct mm *mm;

	/* Another thread than the leader takes over the leader's id. */
	if (!ptrace(PTRACE_GETEVENTMSG, t->tid, 0, &old_tid) && (pid_t)old_tid != t->tid) {
		struct task *old = task_find(rec, old_tid);

		if (old) {
			detach_mm(rec, old);
			task_remove(rec, old);
		}
	}
	if (proc && !proc->started) {
		recorder_fail(rec, create_trace(l));
		if (rec->error) {
			/* Not an instruction of it has run. */
			kill(l->root, SIGKILL);
			return;
		}
	}
	mm = mm_new();
	if (!proc || !mm) {
		recorder_fail(rec, mm ? 0 : -ENOMEM);
		free(mm);
		resume(rec, t, 0);
		return;
	}
	detach_mm(rec, t);
	t->in_call = false;
	proc_set_mm(rec, proc, mm);
	task_set_mm(rec, t, mm);
	if (!proc->started) {
		proc->started = true;
		l->root_known = true;
		rec->res->procs++;
		ev.start.ospid = proc->pid;
		recorder_emit(rec, proc, &ev);
	}
	proc->foreign = ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) > 0 &&
			info.arch != NATIVE_ARCH;
	if (proc->foreign) {
		ev = (struct trace_event){ .kind = TRACE_UNSUPPORTED };
		ev.unsupported.kind = TRACE_UNSUPPORTED_ABI;
		ev.unsupported.nr = info.arch;
		recorder_emit(rec, proc, &ev);
		rec->res->programs32++;
	} else {
		exec_done(rec, t);
	}
	resume(rec, t, 0);
}

static void on_exit_begins(struct loop *l, struct task *t)
{
	struct recorder *rec = &l->rec;
	struct mm *mm = t->mm;

	if (mm) {
		if (mm->tasks == 1)
			scan_full(rec, t, false);
		detach_mm(rec, t);
	}
	resume(rec, t, 0);
}

/* The first stop of a thread whose creation was not reported yet, or any of a lost one. */
static void on_unknown(struct loop *l, pid_t tid, int status)
{
	struct recorder *rec = &l->rec;
	struct task *t = task_find(rec, tid);

	if (t && t->lost) {
		int event = status >> 16;
		int sig = WSTOPSIG(status);

		resume(rec, t, event || sig == (SIGTRAP | 0x80) ? 0 : sig);
		return;
	}
	if (!t)
		t = task_add(rec, tid);
	if (!t) {
		recorder_fail(rec, -ENOMEM);
		ptrace(PTRACE_CONT, tid, 0, 0);
		return;
	}
	if (!t->stopped)
		rec->waiting++;
	t->stopped = true;
	t->since = rec->now;
}

static bool stops_group(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

static void on_stop(struct loop *l, pid_t tid, int status)
{
	struct recorder *rec = &l->rec;
	struct task *t = task_find(rec, tid);
	int sig = WSTOPSIG(status);

	if (!t || !t->proc) {
		on_unknown(l, tid, status);
		return;
	}
	switch (status >> 16) {
	case 0:
		if (sig == (SIGTRAP | 0x80)) {
			on_syscall_exit(l, t);
			return;
		}
		/* A signal is about to be delivered. */
		resume(rec, t, sig);
		return;
	case PTRACE_EVENT_SECCOMP:
		on_seccomp(l, t);
		return;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		on_new(l, t, status >> 16);
		return;
	case PTRACE_EVENT_EXEC:
		on_exec(l, t);
		return;
	case PTRACE_EVENT_EXIT:
		on_exit_begins(l, t);
		return;
	case PTRACE_EVENT_STOP:
		if (tid == l->root)
			l->root_stopped = stops_group(sig);
		/* Stopped as a job is: stay so, but hear of it when it continues. */
		if (stops_group(sig))
			ptrace(PTRACE_LISTEN, tid, 0, 0);
		else
			resume(rec, t, 0);
		return;
	default:
		resume(rec, t, 0);
		return;
	}
}

/* Give up on reports that will not come, and on calls that hold others up. */
static void check_timeouts(struct loop *l)
{
	struct recorder *rec = &l->rec;

	for (int i = 0; i < TASK_BUCKETS && (rec->waiting || rec->holding); i++) {
		struct task *t, *next;

		for (t = rec->tasks[i]; t; t = next) {
			next = t->next;
			if (t->mm && t->mm->held && rec->now - t->mm->in_call_since > HOLD_NS)
				release_held(rec, t->mm, true);
			if (t->proc || t->lost || rec->now - t->since < UNREPORTED_NS)
				continue;
			rec->waiting--;
			if (t->dead) {
				task_remove(rec, t);
				continue;
			}
			t->lost = true;
			t->stopped = false;
			rec->res->lost_procs++;
			resume(rec, t, 0);
		}
	}
}

static void sync_trace(struct recorder *rec)
{
	if (!writing(rec) || !trace_unsynced(rec->trace) || rec->now - rec->synced < SYNC_NS)
		return;
	recorder_fail(rec, trace_sync(rec->trace));
	rec->synced = recorder_clock() - rec->start;
}

/*
 * Processes that outlive the command. A signal for each with @sig; 0: only count. A leader
 * stays in the table for as long as its process lives.
 */
static unsigned int outlived(const struct recorder *rec, int sig)
{
	unsigned int nr = 0;

	for (int i = 0; i < TASK_BUCKETS; i++)
		for (struct task *t = rec->tasks[i]; t; t = t->next) {
			if (t->dead || (t->proc && t->proc->pid != t->tid))
				continue;
			nr++;
			if (sig)
				kill(t->tid, sig);
		}
	return nr;
}

/*
 * The recording ends with the last process. They cannot be let go: their filters would
 * make the recorded calls fail without a recorder. So they live on, or end on request.
 */
static void after_the_command(struct loop *l)
{
	struct recorder *rec = &l->rec;

	if (!l->told && rec->now - l->root_end > OUTLIVED_NS) {
		l->told = true;
		if (l->opt->outlived)
			l->opt->outlived(outlived(rec, 0));
	}
	if (end_rest) {
		end_rest = 0;
		outlived(rec, l->end_signal ? l->end_signal : SIGTERM);
		l->end_signal = SIGKILL;
	}
}

/* Nothing is stopped that we know of. */
static void between_stops(struct loop *l)
{
	struct recorder *rec = &l->rec;

	/* What was found out without a thread to resume. */
	settle(rec);
	sync_trace(rec);
	if (pass_on && !l->root_gone)
		kill(l->root, pass_on);
	pass_on = 0;
	if (l->root_gone)
		after_the_command(l);
	/* The command has stopped at the terminal's request: so do we. */
	if (suspend && (l->root_stopped || l->root_gone)) {
		suspend = 0;
		raise(SIGSTOP);
	}
	if (rec->waiting || rec->holding || suspend)
		tick(l, TICK_US);
	else if ((l->root_gone && !l->told) || (writing(rec) && trace_unsynced(rec->trace)))
		tick(l, SYNC_TICK_US);
	else
		tick(l, 0);
}

/* The status as waitpid(2) has it. */
static int wait_status(const siginfo_t *si)
{
	switch (si->si_code) {
	case CLD_EXITED:
		return (si->si_status & 0xff) << 8;
	case CLD_KILLED:
		return si->si_status & 0x7f;
	case CLD_DUMPED:
		return (si->si_status & 0x7f) | 0x80;
	default:
		return si->si_status << 8 | 0x7f;
	}
}

/*
 * Wait for one stop or end and handle it. Ends are handled before the thread is
 * reaped: only then does its parent hear of it, and someone else through that.
 *
 * Return: 1, 0 after a signal, -1 when no one is left.
 */
static int one_stop(struct loop *l)
{
	struct recorder *rec = &l->rec;
	siginfo_t si = { 0 };
	pid_t tid;
	bool end;

	if (waitid(P_ALL, 0, &si, WEXITED | WSTOPPED | WNOWAIT | __WALL))
		return errno == EINTR ? 0 : -1;
	tid = si.si_pid;
	end = si.si_code == CLD_EXITED || si.si_code == CLD_KILLED || si.si_code == CLD_DUMPED;
	rec->now = recorder_clock() - rec->start;
	if (!end) {
		/* It may have been killed meanwhile: then its end is the next to be heard. */
		si.si_pid = 0;
		if (waitid(P_PID, tid, &si, WSTOPPED | WNOHANG | __WALL) || !si.si_pid)
			return 1;
		rec->res->stops++;
		on_stop(l, tid, wait_status(&si));
		return 1;
	}
	rec->res->stops++;
	on_gone(l, tid, wait_status(&si));
	settle(rec);
	waitid(P_PID, tid, &si, WEXITED | WNOHANG | __WALL);
	return 1;
}

static void loop(struct loop *l)
{
	struct recorder *rec = &l->rec;
	int ret;

	while ((ret = one_stop(l)) >= 0) {
		if (!ret) {
			rec->now = recorder_clock() - rec->start;
			check_timeouts(l);
		}
		between_stops(l);
	}
	tick(l, 0);
}

static void free_tables(struct recorder *rec)
{
	for (int i = 0; i < TASK_BUCKETS; i++)
		while (rec->tasks[i])
			task_remove(rec, rec->tasks[i]);
	free(rec->files);
}

static void raise_file_limit(struct recorder *rec)
{
	struct rlimit lim;

	rec->fds_max = 256;
	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	/* The command has been started with its own limits already. */
	if (!setrlimit(RLIMIT_NOFILE, &lim) && lim.rlim_cur > 512)
		rec->fds_max = lim.rlim_cur < 65536 ? lim.rlim_cur - 128 : 65536;
}

/* SIGXFSZ: a limit on the size of files is one more way in which writing fails. */
static const int handled[] = { SIGALRM, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTIN,
			       SIGTTOU, SIGXFSZ };
#define HANDLED		(sizeof(handled) / sizeof(handled[0]))

static void catch_signals(struct sigaction *saved, sigset_t *mask)
{
	struct sigaction act = { .sa_handler = on_signal };
	sigset_t set;

	pass_on = 0;
	suspend = 0;
	over = 0;
	end_rest = 0;
	sigemptyset(&set);
	for (size_t i = 0; i < HANDLED; i++) {
		sigaction(handled[i], &act, &saved[i]);
		sigaddset(&set, handled[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, mask);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static int finish_trace(struct loop *l)
{
	struct record_result *res = l->rec.res;
	struct trace_summary sum = {
		.procs = res->procs, .threads = res->threads, .wall_ns = res->wall_ns,
		.recorder_ns = res->recorder_ns, .stops = res->stops, .scans = res->scans,
		.scan_ns = res->scan_ns, .lost_procs = res->lost_procs,
	};
	int ret = l->rec.error, end;

	if (!l->rec.trace)
		return ret;
	res->events = trace_events(l->rec.trace);
	if (ret) {
		trace_abandon(l->rec.trace);
	} else {
		end = trace_finish(l->rec.trace, l->rec.now, &sum);
		ret = end;
	}
	if (ret)
		snprintf(res->error, sizeof(res->error),
			 "the trace is not complete, but readable up to this: %s",
			 l->rec.refused[0] ? l->rec.refused : strerror(-ret));
	return ret;
}

static int start_root(struct loop *l, char *const argv[], const struct sigaction *chld,
		      int *report)
{
	struct recorder *rec = &l->rec;
	struct task *t;
	int ret = start_command(argv, chld, rec->res->error, sizeof(rec->res->error), report,
				&l->root);

	if (ret)
		return ret;
	t = task_add(rec, l->root);
	if (t)
		t->proc = proc_new(rec, l->root, NULL);
	if (!t || !t->proc) {
		/* It dies with the tracer gone; see to it that there is none left. */
		kill(l->root, SIGKILL);
		waitpid(l->root, NULL, __WALL);
		close(*report);
		return -ENOMEM;
	}
	t->proc->started = false;
	return 0;
}

static int record(struct loop *l)
{
	struct recorder *rec = &l->rec;
	/* If it was ignored, children would vanish without a word. */
	struct sigaction chld, wait_for = { .sa_handler = SIG_DFL };
	struct sigaction saved[HANDLED];
	sigset_t mask;
	struct rlimit limit;
	uint64_t cpu = cpu_ns();
	int report, ret;

	rec->start = recorder_clock();
	sigaction(SIGCHLD, &wait_for, &chld);
	ret = start_root(l, l->argv, &chld, &report);
	if (ret) {
		sigaction(SIGCHLD, &chld, NULL);
		return ret;
	}
	catch_signals(saved, &mask);
	getrlimit(RLIMIT_NOFILE, &limit);
	raise_file_limit(rec);
	loop(l);
	setrlimit(RLIMIT_NOFILE, &limit);
	sigaction(SIGCHLD, &chld, NULL);

	rec->res->wall_ns = rec->now;
	rec->res->recorder_ns = cpu_ns() - cpu;
	if (WIFSIGNALED(l->root_status))
		rec->res->status = 128 + WTERMSIG(l->root_status);
	else
		rec->res->status = WEXITSTATUS(l->root_status);
	ret = finish_trace(l);
	for (size_t i = 0; i < HANDLED; i++)
		sigaction(handled[i], &saved[i], NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (l->root_known || rec->error)
		close(report);
	else
		ret = start_failed(report, l->argv, rec->res->error, sizeof(rec->res->error));
	return ret;
}

int history_record(const struct record_options *opt, char *const argv[],
		   struct record_result *res)
{
	struct loop *l = calloc(1, sizeof(*l));
	unsigned int ms = opt->scan_ms ? opt->scan_ms : FULL_SCAN_MS;
	struct recorder *rec;
	int ret;

	memset(res, 0, sizeof(*res));
	if (!l) {
		snprintf(res->error, sizeof(res->error), "out of memory");
		return -ENOMEM;
	}
	l->opt = opt;
	l->argv = argv;
	rec = &l->rec;
	rec->res = res;
	rec->scan_gap = ms * MS;
	rec->page_size = sysconf(_SC_PAGESIZE);
	rec->page_shift = __builtin_ctz(rec->page_size);
	ret = scan_setup(rec, opt, &res->flags);
	if (ret) {
		snprintf(res->error, sizeof(res->error),
			 "recording is not possible: /proc/self/pagemap: %s", strerror(-ret));
	} else {
		if (!start_privileged())
			res->flags |= TRACE_F_NO_NEW_PRIVS;
		ret = record(l);
	}
	free_tables(rec);
	free(l);
	return ret;
}
