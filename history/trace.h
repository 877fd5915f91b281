/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A trace: what a set of processes did to their address spaces, in order.
 *
 * The file is described byte by byte in docs/trace-format.md. This header is
 * all that a user of traces needs: the events, a reader and a writer.
 *
 * Neither the reader nor the writer takes locks: one object must be used by
 * one thread at a time, different objects are independent.
 */
#ifndef HISTORY_TRACE_H
#define HISTORY_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_MAJOR		1
#define TRACE_MINOR		0

/* Bounds that the writer keeps and the reader enforces. */
#define TRACE_NAME_MAX		4096	/* bytes in a name, path or comm, without the NUL */
#define TRACE_RUNS_MAX		16384	/* runs in one TOUCH event */
#define TRACE_MAPS_MAX		4096	/* maps in one EXEC event */
#define TRACE_PAGE_LIMIT	(UINT64_C(1) << 52)	/* page numbers are below this */

/*
 * Ways in which reading a trace fails, besides what the system calls return.
 * They are errno values so that they travel as any other error does.
 */
#define TRACE_FOREIGN		(-EMEDIUMTYPE)		/* not a trace at all */
#define TRACE_NEWER		(-EPROTONOSUPPORT)	/* a major version from the future */
#define TRACE_CORRUPT		(-EBADMSG)		/* checksum, decoding or impossible value */
#define TRACE_TRUNCATED		(-ENODATA)		/* ends without an END event */

/* Header flags: how well the recorder could tell what happened to pages. */
#define TRACE_F_PFN		(1u << 0)	/* COW found by comparing frames: exact */
#define TRACE_F_EXCLUSIVE	(1u << 1)	/* COW guessed from the "mapped once" bit */
#define TRACE_F_SCAN_IOCTL	(1u << 2)	/* PAGEMAP_SCAN: zero pages told apart */
#define TRACE_F_ZERO_UNKNOWN	(1u << 3)	/* reads of zero pages may count as ANON */
#define TRACE_F_NO_NEW_PRIVS	(1u << 4)	/* set-user-id programs ran without effect */

/* The numbers are part of the format. */
enum trace_kind {
	TRACE_PROC_START = 1,
	TRACE_FORK = 2,
	TRACE_SHARE = 3,
	TRACE_EXEC = 4,
	TRACE_EXIT = 5,
	TRACE_FILE = 6,
	TRACE_MMAP = 7,
	TRACE_MUNMAP = 8,
	TRACE_MREMAP = 9,
	TRACE_MPROTECT = 10,
	TRACE_MADVISE = 11,
	TRACE_BRK = 12,
	TRACE_MLOCK = 13,
	TRACE_MLOCKALL = 14,
	TRACE_VMA_NAME = 15,
	TRACE_TOUCH = 16,
	TRACE_UNSUPPORTED = 17,
	TRACE_END = 18,
	TRACE_KIND_LIMIT		/* one more than the last known kind */
};

enum trace_map_kind {
	TRACE_MAP_NORMAL = 0,
	TRACE_MAP_HEAP = 1,
	TRACE_MAP_STACK = 2,
	TRACE_MAP_SPECIAL = 3,		/* vdso, vvar, vsyscall: never anonymous pages */
	TRACE_MAP_KIND_LIMIT
};

enum trace_file_kind {
	TRACE_FILE_REGULAR = 0,
	TRACE_FILE_SHM = 1,		/* memfd, SysV and POSIX shm, shared anonymous */
	TRACE_FILE_ZERO = 2,		/* /dev/zero */
	TRACE_FILE_DEVICE = 3,		/* any other device or special file */
	TRACE_FILE_KIND_LIMIT
};

enum trace_touch_kind {
	TRACE_TOUCH_ANON = 0,		/* private anonymous page came to life */
	TRACE_TOUCH_HUGE = 1,		/* same, one huge page per header.huge_pages pages */
	TRACE_TOUCH_FILE_COW = 2,	/* private copy of a file page */
	TRACE_TOUCH_COW = 3,		/* private copy of a page inherited over fork */
	TRACE_TOUCH_KIND_LIMIT
};

enum trace_unsupported_kind {
	TRACE_UNSUPPORTED_CALL = 0,	/* nr is the number of the system call */
	/*
	 * The process runs a program for another ABI (nr is its AUDIT_ARCH
	 * value): its address space is unknown, treat it as empty, until its
	 * next EXEC.
	 */
	TRACE_UNSUPPORTED_ABI = 1,
	TRACE_UNSUPPORTED_KIND_LIMIT
};

/* One entry of the address space found at an exec. */
struct trace_map {
	uint64_t start;			/* address */
	uint64_t len;			/* bytes */
	uint64_t pgoff;			/* offset in the file, in pages; 0 without a file */
	uint32_t file;			/* file id, 0: none */
	uint32_t prot;			/* PROT_* */
	uint32_t kind;			/* enum trace_map_kind */
	bool shared;
};

/* Pages first .. first + count - 1, numbers are address / header.page_size. */
struct trace_run {
	uint64_t first;
	uint64_t count;
};

/* What the END event says of the whole recording. */
struct trace_summary {
	uint64_t events;		/* events before this one */
	uint64_t procs;			/* PROC_START, FORK and SHARE events */
	uint64_t threads;		/* threads besides each process's first */
	uint64_t wall_ns;		/* from the start to the last exit */
	uint64_t recorder_ns;		/* CPU time used by the recorder itself */
	uint64_t stops;			/* times a recorded thread was stopped */
	uint64_t scans;			/* page table scans */
	uint64_t scan_ns;		/* time spent in them */
	uint64_t lost_procs;		/* processes that ran without being recorded */
};

/*
 * One event. Pointers belong to the reader and are valid until the next
 * trace_next() or trace_close(); strings are NUL terminated as well as counted.
 * proc ids count from 0 (the root process) in order of creation; file ids from 1.
 */
struct trace_event {
	uint32_t kind;			/* enum trace_kind */
	uint32_t proc;			/* who did it */
	uint64_t time;			/* ns since the start of the recording */
	union {
		struct {
			int32_t ospid;
		} start;
		struct {		/* FORK: a copy; SHARE: the same address space */
			uint32_t child;
			int32_t ospid;
			uint64_t flags;	/* CLONE_* where known, else 0 */
		} fork;
		struct {
			const char *path;	/* of the program, as the kernel has it */
			const char *comm;
			uint32_t path_len;
			uint32_t comm_len;
			uint32_t nmaps;
			const struct trace_map *maps;	/* ascending, not overlapping */
		} exec;
		struct {
			int32_t status;	/* as from waitpid(2) */
		} exit;
		struct {
			uint32_t id;
			uint32_t kind;	/* enum trace_file_kind */
			const char *name;
			uint32_t name_len;
		} file;
		struct {
			uint64_t addr;	/* where it was mapped, not the hint */
			uint64_t len;
			uint64_t pgoff;
			uint32_t prot;
			uint32_t flags;	/* MAP_* as given */
			uint32_t file;	/* 0: anonymous and private */
		} mmap;
		struct {
			uint64_t addr;
			uint64_t len;
		} munmap;
		struct {
			uint64_t old_addr;
			uint64_t old_len;
			uint64_t new_len;
			uint64_t new_addr;	/* the result */
			uint32_t flags;		/* MREMAP_* */
		} mremap;
		struct {
			uint64_t addr;
			uint64_t len;
			uint32_t prot;
		} mprotect;
		struct {
			uint64_t addr;
			uint64_t len;
			int32_t advice;
		} madvise;
		struct {
			uint64_t old_end;
			uint64_t new_end;
		} brk;
		struct {
			uint64_t addr;
			uint64_t len;
			bool on;
			bool onfault;
		} mlock;
		struct {
			bool on;
			uint32_t flags;	/* MCL_*, 0 when off */
		} mlockall;
		struct {
			uint64_t addr;
			uint64_t len;
			const char *name;	/* "" removes the name */
			uint32_t name_len;
		} vma_name;
		struct {
			uint32_t kind;	/* enum trace_touch_kind */
			uint32_t nruns;
			const struct trace_run *runs;	/* ascending, not overlapping */
		} touch;
		struct {
			uint32_t kind;	/* enum trace_unsupported_kind */
			uint32_t nr;
		} unsupported;
		struct trace_summary end;
	};
};

/* What the file says of itself. Strings belong to whoever made the struct. */
struct trace_header {
	uint16_t major;			/* the writer fills in its own */
	uint16_t minor;
	uint32_t flags;			/* TRACE_F_* */
	uint32_t page_size;		/* bytes, a power of two, 4096 or more */
	uint32_t huge_pages;		/* pages per huge page, 0: no huge pages */
	uint64_t created;		/* seconds since 1970 */
	const char *command;		/* one line, quoted for a shell */
	const char *kernel;		/* release */
	const char *arch;		/* machine name */
};

struct trace_reader;
struct trace_writer;

/**
 * trace_kind_name - word for an event kind, as used in listings
 * @kind: enum trace_kind
 *
 * Return: a constant string, "?" for an unknown kind.
 */
const char *trace_kind_name(uint32_t kind);

/**
 * trace_open - open a trace for reading and check its header
 * @path: file to read
 * @out: gets the reader on success
 * @err: gets one line (no newline) on failure
 * @errlen: room in @err
 *
 * Return: 0, TRACE_FOREIGN (also for an empty file), TRACE_NEWER,
 * TRACE_CORRUPT, TRACE_TRUNCATED (ends within the header) or the -errno of
 * open(2)/read(2), -EISDIR for a directory, -ENOMEM.
 */
int trace_open(const char *path, struct trace_reader **out, char *err, size_t errlen);

/**
 * trace_header - the header of an open trace
 * @r: reader
 *
 * Return: header, valid until trace_close().
 */
const struct trace_header *trace_header(const struct trace_reader *r);

/**
 * trace_next - read the next event
 * @r: reader
 * @ev: gets the event
 *
 * Events of unknown kinds (a newer minor version) are skipped. The END event
 * is delivered as the last one. After 0 or an error the same is returned
 * again by every further call.
 *
 * Return: 1 with an event, 0 at the end of a complete trace, TRACE_TRUNCATED
 * after the last readable event of one that is not complete, TRACE_CORRUPT,
 * or the -errno of read(2) or -ENOMEM.
 */
int trace_next(struct trace_reader *r, struct trace_event *ev);

/**
 * trace_error - one line on why trace_next() failed
 * @r: reader
 *
 * Return: text without newline, "" when nothing failed; valid until trace_close().
 */
const char *trace_error(const struct trace_reader *r);

/**
 * trace_close - close a trace and free everything that it handed out
 * @r: reader or NULL
 */
void trace_close(struct trace_reader *r);

/**
 * trace_create - start a new trace file, replacing what was there
 * @path: file to write
 * @head: what to say of the recording; major and minor are ignored
 * @out: gets the writer on success
 *
 * The file must be a regular one. Another one may take its place (by rename,
 * with the same mode and owner) in trace_flush() and trace_finish(), unless it
 * has further names or cannot be replaced.
 *
 * Return: 0, -EINVAL for a bad header, -ESPIPE for what is not a regular file,
 * -EISDIR, -ENOMEM, or the -errno of open(2)/write(2).
 */
int trace_create(const char *path, const struct trace_header *head, struct trace_writer **out);

/**
 * trace_write - append an event
 * @w: writer
 * @ev: event; times that run backwards are raised to the last one's
 *
 * The event is buffered; see trace_flush(). The END event is written by
 * trace_finish() only. The first error of writing sticks: nothing is written
 * after it. An event that is refused changes nothing.
 *
 * Return: 0, -EINVAL for what a reader would refuse (unknown id, empty or
 * unordered runs, ...; see trace_refused()), or the -errno of write(2), -ENOMEM.
 */
int trace_write(struct trace_writer *w, const struct trace_event *ev);

/**
 * trace_refused - what was wrong with the last event that trace_write() refused
 * @w: writer
 *
 * Return: a few words, a constant string; NULL if none was refused.
 */
const char *trace_refused(const struct trace_writer *w);

/**
 * trace_pending - bytes of events that would be lost if the writer was killed now
 * @w: writer
 *
 * Return: count of encoded bytes not yet handed to the kernel.
 */
size_t trace_pending(const struct trace_writer *w);

/**
 * trace_flush - hand all buffered events to the kernel in a readable form
 * @w: writer
 *
 * After this the death of the calling process loses none of them. Takes time
 * that grows with the file when much has been written since the last time that
 * the file was packed: see docs/trace-format.md.
 *
 * Return: 0 or the -errno of write(2).
 */
int trace_flush(struct trace_writer *w);

/**
 * trace_unsynced - whether the death of the machine would lose what was flushed
 * @w: writer
 */
bool trace_unsynced(const struct trace_writer *w);

/**
 * trace_sync - flush, and wait until all of it is on the disk
 * @w: writer
 *
 * Return: 0 or the -errno of write(2) or fdatasync(2).
 */
int trace_sync(struct trace_writer *w);

/**
 * trace_events - number of events accepted so far
 * @w: writer
 */
uint64_t trace_events(const struct trace_writer *w);

/**
 * trace_finish - write END, pack the file, sync, close and free
 * @w: writer, gone afterwards also on error
 * @time: time of the END event
 * @sum: summary; .events is filled in by the writer
 *
 * A file that cannot be packed (the disk is full, the directory must not be
 * written) stays as it is: larger, but as complete.
 *
 * Return: 0 or the first error of this writer.
 */
int trace_finish(struct trace_writer *w, uint64_t time, const struct trace_summary *sum);

/**
 * trace_abandon - close and free without END, as if the writer had been killed
 * @w: writer or NULL
 *
 * Events that were not flushed are lost.
 */
void trace_abandon(struct trace_writer *w);

#endif /* HISTORY_TRACE_H */
