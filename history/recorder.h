/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the recorder share. Everything runs in one thread, from
 * the loop in record.c.
 */
#ifndef HISTORY_RECORDER_H
#define HISTORY_RECORDER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "record.h"
#include "record_maps.h"
#include "record_pages.h"
#include "trace.h"

struct task;

/* An address space. */
struct mm {
	unsigned int users;		/* processes */
	unsigned int tasks;		/* threads that have not begun to exit */
	int pagemap;			/* descriptor, -1: not open */
	uint64_t brk;			/* 0: not known yet */
	uint64_t next_scan;		/* time from which a full scan is due */
	struct page_set pages;
	struct map_list maps;
	struct task *in_call;		/* thread inside a recorded call */
	uint64_t in_call_since;
	struct task *held;		/* threads waiting for it, in order */
};

/* A process. */
struct proc {
	uint32_t id;
	pid_t pid;
	struct mm *mm;			/* NULL: gone or not known */
	bool foreign;			/* runs a program for another ABI */
	bool started;			/* its first exec was seen (root), or it was forked */
};

/* The system call that a thread is in. */
struct call {
	uint64_t nr;
	uint64_t args[6];
	uint32_t file;			/* mmap: what is mapped */
	uint64_t len;			/* shmdt: length of the mapping */
};

/* A thread. */
struct task {
	pid_t tid;
	struct proc *proc;		/* NULL: its creation was not reported yet */
	struct mm *mm;			/* NULL: exiting */
	struct task *next;		/* in its bucket */
	struct task *next_held;
	bool in_call;			/* the next stop is the end of call */
	bool stopped;			/* waits for the report of its creation */
	bool dead;			/* died before the report of its creation */
	bool lost;			/* never reported: runs without being recorded */
	int status;			/* if dead */
	uint64_t since;			/* if stopped */
	uint64_t clone_flags;		/* of the last fork-like call */
	struct call call;
};

#define TASK_BUCKETS	4096

struct known_file {
	uint64_t inode;
	uint64_t name_hash;
	uint32_t id;
	uint32_t next;			/* index + 1 in its bucket */
};

#define FILE_BUCKETS	1024

struct recorder {
	struct trace_writer *trace;
	int error;			/* first error of the trace: nothing is written after it */
	char refused[128];		/* if that was an event that makes no sense: which, why */
	struct record_result *res;
	uint64_t start;			/* monotonic ns */
	uint64_t now;			/* since start, of the current stop */
	uint64_t synced;		/* when the trace was synced to the disk */
	uint64_t scan_gap;		/* ns between full scans */
	uint32_t page_size;
	uint32_t page_shift;
	bool ioctl;			/* PAGEMAP_SCAN works */
	bool frames;			/* frame numbers can be seen */
	uint32_t zero_frame;		/* of the shared zero page */
	unsigned int fds;		/* pagemap descriptors open */
	unsigned int fds_max;

	struct task *tasks[TASK_BUCKETS];
	unsigned int waiting;		/* tasks stopped or dead without a process */
	unsigned int holding;		/* tasks held */
	uint32_t procs;			/* ids given out */

	struct known_file *files;
	uint32_t nfiles;
	uint32_t files_room;
	uint32_t file_ids;
	uint32_t file_heads[FILE_BUCKETS];
};

/* record.c */

/**
 * recorder_emit - write an event of a process
 * @rec: recorder
 * @proc: process
 * @ev: event; proc and time are filled in
 */
void recorder_emit(struct recorder *rec, const struct proc *proc, struct trace_event *ev);

/**
 * recorder_clock - monotonic time in ns
 */
uint64_t recorder_clock(void);

/**
 * recorder_fail - remember the first error of the recording
 * @rec: recorder
 * @error: -errno, 0 is ignored
 */
void recorder_fail(struct recorder *rec, int error);

/* record_proc.c */

/**
 * task_find - thread by id
 * @rec: recorder
 * @tid: thread id
 *
 * Return: thread or NULL.
 */
struct task *task_find(const struct recorder *rec, pid_t tid);

/**
 * task_add - note a new thread, without a process yet
 * @rec: recorder
 * @tid: thread id, not in the table
 *
 * Return: thread or NULL when out of memory.
 */
struct task *task_add(struct recorder *rec, pid_t tid);

/**
 * task_set_mm - a thread runs in an address space, or in none any more
 * @rec: recorder
 * @task: thread
 * @mm: address space or NULL
 */
void task_set_mm(struct recorder *rec, struct task *task, struct mm *mm);

/**
 * task_remove - a thread is gone
 * @rec: recorder
 * @task: thread, freed
 */
void task_remove(struct recorder *rec, struct task *task);

/**
 * proc_new - a new process with the next id
 * @rec: recorder
 * @pid: its pid
 * @mm: address space that it uses, or NULL
 *
 * Return: process or NULL when out of memory.
 */
struct proc *proc_new(struct recorder *rec, pid_t pid, struct mm *mm);

/**
 * proc_set_mm - a process uses another address space
 * @rec: recorder
 * @proc: process
 * @mm: address space or NULL
 */
void proc_set_mm(struct recorder *rec, struct proc *proc, struct mm *mm);

/**
 * mm_new - an empty address space without users
 *
 * Return: address space or NULL when out of memory.
 */
struct mm *mm_new(void);

/**
 * mm_fork - a copy of an address space, as fork makes it
 * @from: the parent's, just scanned with frames
 *
 * Return: address space or NULL when out of memory.
 */
struct mm *mm_fork(const struct mm *from);

/* record_file.c */

/**
 * file_of_fd - id of the file behind a descriptor of a process
 * @rec: recorder
 * @proc: process
 * @tid: thread with that descriptor
 * @fd: descriptor
 *
 * A FILE event is written when the file is new.
 *
 * Return: file id, 0 if there is none.
 */
uint32_t file_of_fd(struct recorder *rec, const struct proc *proc, pid_t tid, int fd);

/**
 * file_of_name - id of a file known by name, as /proc/PID/maps has it
 * @rec: recorder
 * @proc: process that the FILE event belongs to, if the file is new
 * @inode: inode number
 * @name: name
 *
 * Return: file id, 0 when out of memory.
 */
uint32_t file_of_name(struct recorder *rec, const struct proc *proc, uint64_t inode,
		      const char *name);

/**
 * file_anonymous - id for a new shared anonymous mapping
 * @rec: recorder
 * @proc: process
 *
 * Return: file id.
 */
uint32_t file_anonymous(struct recorder *rec, const struct proc *proc);

/* record_scan.c */

/**
 * scan_setup - find out what the kernel tells of pages
 * @rec: recorder; ioctl, frames and zero_frame are set
 * @opt: options
 * @flags: gets TRACE_F_*
 *
 * Return: 0 or the -errno of opening pagemap.
 */
int scan_setup(struct recorder *rec, const struct record_options *opt, uint32_t *flags);

/**
 * scan_full - look at all pages of an address space, write TOUCH events
 * @rec: recorder
 * @task: stopped thread in it
 * @fork: remember the frames, because the pages are about to be shared
 */
void scan_full(struct recorder *rec, struct task *task, bool fork);

/**
 * scan_range - look at the pages of a range and close by
 * @rec: recorder
 * @task: stopped thread
 * @start: address
 * @len: bytes
 */
void scan_range(struct recorder *rec, struct task *task, uint64_t start, uint64_t len);

/**
 * scan_neighbours - look at the mappings that touch a range, unless they are
 * known to have anonymous pages
 * @rec: recorder
 * @task: stopped thread
 * @start: address
 * @len: bytes
 *
 * Whether a mapping has had anonymous pages decides what it is merged with.
 */
void scan_neighbours(struct recorder *rec, struct task *task, uint64_t start, uint64_t len);

/**
 * scan_close - an address space is gone
 * @rec: recorder
 * @mm: address space
 */
void scan_close(struct recorder *rec, struct mm *mm);

/* record_call.c */

/**
 * call_enter - a thread is about to make a recorded system call
 * @rec: recorder
 * @task: thread, its call is filled in
 *
 * Return: whether the end of the call has to be seen.
 */
bool call_enter(struct recorder *rec, struct task *task);

/**
 * call_leave - the call has been made
 * @rec: recorder
 * @task: thread
 * @rval: what it returned, -errno on failure
 */
void call_leave(struct recorder *rec, struct task *task, int64_t rval);

/* record_exec.c */

/**
 * exec_done - a process has a fresh address space: read it, write EXEC
 * @rec: recorder
 * @task: its only thread
 */
void exec_done(struct recorder *rec, struct task *task);

/* record_start.c */

/**
 * start_privileged - whether this process may install a seccomp filter without
 * giving up set-user-id programs
 */
bool start_privileged(void);

/**
 * start_command - fork and seize a child that will execute the command
 * @argv: command
 * @chld: what the command inherits as its disposition of SIGCHLD
 * @error: where a line of text goes
 * @errlen: room in @error
 * @report: gets a descriptor on which a failing child says why
 * @pid: gets the child
 *
 * Return: 0 or -errno with @error set, nothing is left running then.
 */
int start_command(char *const argv[], const struct sigaction *chld, char *error, size_t errlen,
		  int *report, pid_t *pid);

/**
 * start_failed - why the child could not execute the command
 * @report: from start_command(), closed
 * @argv: command
 * @error: where a line of text goes
 * @errlen: room in @error
 *
 * Return: 0 if it was the command's fault, else -errno.
 */
int start_failed(int report, char *const argv[], char *error, size_t errlen);

#endif /* HISTORY_RECORDER_H */
