// SPDX-License-Identifier: GPL-2.0
/*
 * Ids for mapped files. A file is told by inode and name: the device number
 * in /proc/PID/maps is not always the one that stat(2) gives, and inode
 * numbers of deleted files are used again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <xxhash.h>

#include "recorder.h"

static uint32_t new_id(struct recorder *rec, const struct proc *proc, uint32_t kind,
		       const char *name, size_t len)
{
	struct trace_event ev = { .kind = TRACE_FILE };

	ev.file.id = ++rec->file_ids;
	ev.file.kind = kind;
	ev.file.name = name;
	ev.file.name_len = len < TRACE_NAME_MAX ? len : TRACE_NAME_MAX;
	recorder_emit(rec, proc, &ev);
	return rec->file_ids;
}

static uint32_t lookup(struct recorder *rec, const struct proc *proc, uint64_t inode,
		       uint32_t kind, const char *name)
{
	static const char deleted[] = " (deleted)";
	size_t len = strlen(name);
	struct known_file *f;
	uint64_t hash;
	uint32_t *head;

	/* The same file before and after it was removed. */
	if (len >= sizeof(deleted) && !strcmp(name + len - (sizeof(deleted) - 1), deleted))
		len -= sizeof(deleted) - 1;
	hash = XXH3_64bits_withSeed(name, len, inode);
	head = &rec->file_heads[hash % FILE_BUCKETS];
	for (uint32_t i = *head; i; i = f->next) {
		f = &rec->files[i - 1];
		if (f->inode == inode && f->name_hash == hash)
			return f->id;
	}

	if (rec->nfiles == rec->files_room) {
		uint32_t room = rec->files_room ? rec->files_room * 2 : 256;

		f = realloc(rec->files, room * sizeof(*f));
		/* Without memory the file just gets another id next time. */
		if (!f)
			return new_id(rec, proc, kind, name, len);
		rec->files = f;
		rec->files_room = room;
	}
	f = &rec->files[rec->nfiles++];
	f->inode = inode;
	f->name_hash = hash;
	f->next = *head;
	*head = rec->nfiles;
	f->id = new_id(rec, proc, kind, name, len);
	return f->id;
}

static bool starts(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static uint32_t kind_by_name(const char *name)
{
	if (starts(name, "/memfd:") || starts(name, "/SYSV") || starts(name, "/dev/shm/") ||
	    starts(name, "/dev/zero (deleted)"))
		return TRACE_FILE_SHM;
	if (!strcmp(name, "/dev/zero"))
		return TRACE_FILE_ZERO;
	if (starts(name, "/dev/") || name[0] != '/')
		return TRACE_FILE_DEVICE;
	return TRACE_FILE_REGULAR;
}

uint32_t file_of_fd(struct recorder *rec, const struct proc *proc, pid_t tid, int fd)
{
	char path[48], name[TRACE_NAME_MAX + 1];
	uint32_t kind;
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, fd);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0 || stat(path, &st))
		return 0;
	name[n] = '\0';
	kind = kind_by_name(name);
	if (S_ISREG(st.st_mode))
		kind = kind == TRACE_FILE_SHM ? kind : TRACE_FILE_REGULAR;
	else
		kind = S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 5) ? TRACE_FILE_ZERO :
			TRACE_FILE_DEVICE;
	return lookup(rec, proc, st.st_ino, kind, name);
}

uint32_t file_of_name(struct recorder *rec, const struct proc *proc, uint64_t inode,
		      const char *name)
{
	return lookup(rec, proc, inode, kind_by_name(name), name);
}

uint32_t file_anonymous(struct recorder *rec, const struct proc *proc)
{
	static const char name[] = "shared anonymous";

	return new_id(rec, proc, TRACE_FILE_SHM, name, sizeof(name) - 1);
}
