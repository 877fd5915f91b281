// SPDX-License-Identifier: GPL-2.0
/*
 * Writing a trace: events to bytes, bytes to checksummed chunks.
 *
 * While a recording goes on, chunks are appended as they are, however small,
 * so that nothing is lost with the recorder. That takes several times the
 * room of compressed chunks of a good size; so in the end, and whenever much
 * of it has gathered, the file is packed: written anew beside itself, synced,
 * and put in its own place with one rename. Whenever the recorder dies, either
 * the one or the other is there, and both say the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>
#include <zstd.h>

#include "trace.h"
#include "trace_format.h"
#include "trace_ids.h"

/* Enough raw bytes to compress well; the reader holds one chunk at a time. */
#define FLUSH_RAW	(128u << 10)
/* Raw bytes after which a new zstd frame starts. */
#define FRAME_RAW	(1u << 20)
/* Stored bytes from which packing before the end pays for the pause it makes. */
#define PACK_STORED	(UINT64_C(64) << 20)
/* Attempts to find a name that is not taken. */
#define NAME_TRIES	100

struct trace_writer {
	int fd;
	int error;
	const char *refused;		/* what was wrong with an event, NULL: nothing yet */
	char *path;			/* resolved; NULL: this one packs for another */
	uint64_t size;			/* of the file, whole chunks only */
	uint64_t pack_size;		/* at this size the file is packed */
	bool unsynced;
	uint64_t chunk;			/* number of the next chunk */
	uint64_t events;
	uint64_t time;			/* of the last event */
	uint64_t base_time;		/* what the next time is relative to */
	uint64_t base_addr;		/* same for addresses */
	size_t frame_raw;
	struct trace_ids ids;
	ZSTD_CCtx *zstd;
	uint8_t *raw;			/* room for a chunk header, then what is encoded */
	size_t raw_len;			/* bytes encoded */
	size_t raw_room;
	uint8_t *body;			/* of the event being encoded */
	size_t body_len;
	size_t body_room;
	uint8_t *out;			/* chunk header and payload */
	size_t out_room;
};

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= n;
	}
	return 0;
}

static int room(uint8_t **buf, size_t *have, size_t want)
{
	size_t n = *have ? *have : 4096;
	uint8_t *p;

	if (want <= *have)
		return 0;
	while (n < want)
		n *= 2;
	p = realloc(*buf, n);
	if (!p)
		return -ENOMEM;
	*buf = p;
	*have = n;
	return 0;
}

static size_t put_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = v | 0x80;
		v >>= 7;
	}
	p[n++] = v;
	return n;
}

/* Encoders of one body. An allocation failure is remembered in w->error. */
static void body_bytes(struct trace_writer *w, const void *p, size_t len)
{
	if (w->error)
		return;
	w->error = room(&w->body, &w->body_room, w->body_len + len);
	if (w->error)
		return;
	if (len)
		memcpy(w->body + w->body_len, p, len);
	w->body_len += len;
}

static void body_num(struct trace_writer *w, uint64_t v)
{
	uint8_t tmp[10];

	body_bytes(w, tmp, put_varint(tmp, v));
}

static void body_addr(struct trace_writer *w, uint64_t addr)
{
	body_num(w, zigzag(addr - w->base_addr));
	w->base_addr = addr;
}

static void body_str(struct trace_writer *w, const char *s, size_t len)
{
	body_num(w, len);
	body_bytes(w, s, len);
}

static void encode_exec(struct trace_writer *w, const struct trace_event *ev)
{
	body_str(w, ev->exec.path, ev->exec.path_len);
	body_str(w, ev->exec.comm, ev->exec.comm_len);
	body_num(w, ev->exec.nmaps);
	for (uint32_t i = 0; i < ev->exec.nmaps; i++) {
		const struct trace_map *m = &ev->exec.maps[i];

		body_addr(w, m->start);
		body_num(w, m->len);
		body_num(w, m->prot);
		body_num(w, m->kind << 1 | m->shared);
		body_num(w, m->file);
		body_num(w, m->pgoff);
	}
}

static void encode_touch(struct trace_writer *w, const struct trace_event *ev)
{
	uint64_t end = 0;

	body_num(w, ev->touch.kind);
	body_num(w, ev->touch.nruns);
	for (uint32_t i = 0; i < ev->touch.nruns; i++) {
		const struct trace_run *run = &ev->touch.runs[i];

		body_num(w, run->first - end);
		body_num(w, run->count);
		end = run->first + run->count;
	}
}

static void encode_end(struct trace_writer *w, const struct trace_summary *sum)
{
	body_num(w, sum->events);
	body_num(w, sum->procs);
	body_num(w, sum->threads);
	body_num(w, sum->wall_ns);
	body_num(w, sum->recorder_ns);
	body_num(w, sum->stops);
	body_num(w, sum->scans);
	body_num(w, sum->scan_ns);
	body_num(w, sum->lost_procs);
}

static void encode(struct trace_writer *w, const struct trace_event *ev)
{
	switch (ev->kind) {
	case TRACE_PROC_START:
		body_num(w, zigzag((int64_t)ev->start.ospid));
		break;
	case TRACE_FORK:
	case TRACE_SHARE:
		body_num(w, ev->fork.child);
		body_num(w, zigzag((int64_t)ev->fork.ospid));
		body_num(w, ev->fork.flags);
		break;
	case TRACE_EXEC:
		encode_exec(w, ev);
		break;
	case TRACE_EXIT:
		body_num(w, zigzag((int64_t)ev->exit.status));
		break;
	case TRACE_FILE:
		body_num(w, ev->file.id);
		body_num(w, ev->file.kind);
		body_str(w, ev->file.name, ev->file.name_len);
		break;
	case TRACE_MMAP:
		body_addr(w, ev->mmap.addr);
		body_num(w, ev->mmap.len);
		body_num(w, ev->mmap.prot);
		body_num(w, ev->mmap.flags);
		body_num(w, ev->mmap.file);
		body_num(w, ev->mmap.pgoff);
		break;
	case TRACE_MUNMAP:
		body_addr(w, ev->munmap.addr);
		body_num(w, ev->munmap.len);
		break;
	case TRACE_MREMAP:
		body_addr(w, ev->mremap.old_addr);
		body_num(w, ev->mremap.old_len);
		body_num(w, ev->mremap.new_len);
		body_addr(w, ev->mremap.new_addr);
		body_num(w, ev->mremap.flags);
		break;
	case TRACE_MPROTECT:
		body_addr(w, ev->mprotect.addr);
		body_num(w, ev->mprotect.len);
		body_num(w, ev->mprotect.prot);
		break;
	case TRACE_MADVISE:
		body_addr(w, ev->madvise.addr);
		body_num(w, ev->madvise.len);
		body_num(w, zigzag((int64_t)ev->madvise.advice));
		break;
	case TRACE_BRK:
		body_addr(w, ev->brk.old_end);
		body_addr(w, ev->brk.new_end);
		break;
	case TRACE_MLOCK:
		body_addr(w, ev->mlock.addr);
		body_num(w, ev->mlock.len);
		body_num(w, ev->mlock.on | ev->mlock.onfault << 1);
		break;
	case TRACE_MLOCKALL:
		body_num(w, ev->mlockall.on);
		body_num(w, ev->mlockall.flags);
		break;
	case TRACE_VMA_NAME:
		body_addr(w, ev->vma_name.addr);
		body_num(w, ev->vma_name.len);
		body_str(w, ev->vma_name.name, ev->vma_name.name_len);
		break;
	case TRACE_TOUCH:
		encode_touch(w, ev);
		break;
	case TRACE_UNSUPPORTED:
		body_num(w, ev->unsupported.kind);
		body_num(w, ev->unsupported.nr);
		break;
	case TRACE_END:
		encode_end(w, &ev->end);
		break;
	}
}

/* Head and write the chunk whose payload follows at head + CHUNK_HEAD. */
static int write_chunk(struct trace_writer *w, uint8_t *head, size_t len, uint32_t flags)
{
	int ret;

	put_le(head + CHUNK_LEN, len, 4);
	put_le(head + CHUNK_RAW, w->raw_len, 4);
	put_le(head + CHUNK_SUM, XXH3_64bits_withSeed(head + CHUNK_HEAD, len, w->chunk), 8);
	put_le(head + CHUNK_FLAGS, flags, 4);
	put_le(head + CHUNK_HEAD_SUM, XXH3_64bits_withSeed(head, CHUNK_HEAD_SUM, w->chunk), 4);
	ret = write_all(w->fd, head, CHUNK_HEAD + len);
	if (ret) {
		/* The disk is full. Half a chunk is of no use, but does no harm either. */
		(void)!ftruncate(w->fd, w->size);
		return ret;
	}
	w->size += CHUNK_HEAD + len;
	w->unsynced = true;
	w->chunk++;
	w->raw_len = 0;
	/* Chunks stand alone as far as deltas go. */
	w->base_time = 0;
	w->base_addr = 0;
	return 0;
}

/* Compress what is encoded into one chunk and write it. */
static int write_packed(struct trace_writer *w, bool end_frame)
{
	size_t bound = ZSTD_compressBound(w->raw_len) + 64, raw_len = w->raw_len;
	uint32_t flags = (w->frame_raw ? 0 : CHUNK_F_FIRST) | (end_frame ? CHUNK_F_LAST : 0);
	ZSTD_inBuffer in = { w->raw + CHUNK_HEAD, raw_len, 0 };
	ZSTD_outBuffer out;
	size_t left;
	int ret;

	ret = room(&w->out, &w->out_room, CHUNK_HEAD + bound);
	if (ret)
		return ret;
	out = (ZSTD_outBuffer){ w->out + CHUNK_HEAD, w->out_room - CHUNK_HEAD, 0 };
	left = ZSTD_compressStream2(w->zstd, &out, &in, end_frame ? ZSTD_e_end : ZSTD_e_flush);
	if (ZSTD_isError(left) || left || in.pos != in.size)
		return -ENOMEM;
	ret = write_chunk(w, w->out, out.pos, flags);
	if (!ret)
		w->frame_raw = end_frame ? 0 : w->frame_raw + raw_len;
	return ret;
}

static int flush(struct trace_writer *w, bool end_frame)
{
	if (w->error || !w->raw_len)
		return w->error;
	if (w->path)
		w->error = write_chunk(w, w->raw, w->raw_len, CHUNK_F_STORED);
	else
		w->error = write_packed(w, end_frame || w->frame_raw + w->raw_len >= FRAME_RAW);
	return w->error;
}

static int append(struct trace_writer *w, const struct trace_event *ev)
{
	uint64_t base_addr = w->base_addr;
	uint64_t time = ev->time < w->time ? w->time : ev->time;
	uint8_t *p;

	w->body_len = 0;
	body_num(w, time - w->base_time);
	body_num(w, ev->proc);
	encode(w, ev);
	if (!w->error)
		w->error = room(&w->raw, &w->raw_room,
				CHUNK_HEAD + w->raw_len + 20 + w->body_len);
	if (w->error) {
		w->base_addr = base_addr;
		return w->error;
	}
	p = w->raw + CHUNK_HEAD + w->raw_len;
	p += put_varint(p, ev->kind);
	p += put_varint(p, w->body_len);
	memcpy(p, w->body, w->body_len);
	w->raw_len = p + w->body_len - (w->raw + CHUNK_HEAD);
	w->time = time;
	w->base_time = time;
	w->events++;
	return 0;
}

int trace_write(struct trace_writer *w, const struct trace_event *ev)
{
	int ret;

	if (w->error)
		return w->error;
	if (ev->kind == TRACE_END) {
		w->refused = "end of a trace that is not finished";
		return -EINVAL;
	}
	ret = trace_ids_check(&w->ids, ev, &w->refused);
	if (ret)
		return ret;
	ret = append(w, ev);
	if (!ret && w->raw_len >= FLUSH_RAW)
		ret = flush(w, false);
	return ret;
}

const char *trace_refused(const struct trace_writer *w)
{
	return w->refused;
}

size_t trace_pending(const struct trace_writer *w)
{
	return w->error ? 0 : w->raw_len;
}

uint64_t trace_events(const struct trace_writer *w)
{
	return w->events;
}

bool trace_unsynced(const struct trace_writer *w)
{
	return !w->error && w->unsynced;
}

int trace_sync(struct trace_writer *w)
{
	if (flush(w, false) || !w->unsynced)
		return w->error;
	if (fdatasync(w->fd))
		w->error = -errno;
	w->unsynced = false;
	return w->error;
}

static int write_head(struct trace_writer *w, const struct trace_header *head)
{
	const char *strings[HEAD_STRINGS] = { head->command, head->kernel, head->arch };
	size_t len;
	uint8_t *p;

	len = HEAD_FIXED;
	for (int i = 0; i < HEAD_STRINGS; i++) {
		if (!strings[i])
			return -EINVAL;
		len += 4 + strlen(strings[i]);
	}
	len += HEAD_SUM_LEN;
	if (len > HEAD_LEN_MAX)
		return -EINVAL;
	if (head->page_size < 4096 || head->page_size & (head->page_size - 1))
		return -EINVAL;
	if (head->huge_pages & (head->huge_pages - 1))
		return -EINVAL;
	if (room(&w->out, &w->out_room, len))
		return -ENOMEM;

	p = w->out;
	memcpy(p, FORMAT_MAGIC, FORMAT_MAGIC_LEN);
	put_le(p + HEAD_MAJOR, TRACE_MAJOR, 2);
	put_le(p + HEAD_MINOR, TRACE_MINOR, 2);
	put_le(p + HEAD_LEN, len, 4);
	put_le(p + HEAD_FLAGS, head->flags, 4);
	put_le(p + HEAD_PAGE_SIZE, head->page_size, 4);
	put_le(p + HEAD_HUGE_PAGES, head->huge_pages, 4);
	put_le(p + HEAD_CREATED, head->created, 8);
	p += HEAD_FIXED;
	for (int i = 0; i < HEAD_STRINGS; i++) {
		size_t n = strlen(strings[i]);

		put_le(p, n, 4);
		memcpy(p + 4, strings[i], n);
		p += 4 + n;
	}
	put_le(p, XXH3_64bits(w->out, p - w->out), HEAD_SUM_LEN);
	w->size = len;
	w->unsynced = true;
	return write_all(w->fd, w->out, len);
}

static int writer_new(struct trace_writer **out)
{
	struct trace_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->fd = -1;
	w->zstd = ZSTD_createCCtx();
	if (!w->zstd) {
		free(w);
		return -ENOMEM;
	}
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_windowLog, CHUNK_WINDOW_LOG);
	*out = w;
	return 0;
}

/*
 * Open an unnamed file in the directory of path, or, on file systems that know
 * no such thing, one with a name; name is set to "" or to that.
 */
static int temp_open(const char *path, char name[PATH_MAX])
{
	int fd;

	snprintf(name, PATH_MAX, "%s", path);
	strrchr(name, '/')[1] = '\0';
	fd = open(name, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0) {
		name[0] = '\0';
		return fd;
	}
	if (snprintf(name, PATH_MAX, "%s.XXXXXX", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = mkostemp(name, O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Give the unnamed file a name beside path. */
static int temp_link(int fd, const char *path, char name[PATH_MAX])
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	for (int i = 0; i < NAME_TRIES; i++) {
		if (snprintf(name, PATH_MAX, "%s.%d-%d", path, (int)getpid(), i) >= PATH_MAX)
			break;
		if (!linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW))
			return 0;
		if (errno != EEXIST)
			break;
	}
	name[0] = '\0';
	return -EEXIST;
}

/*
 * May the file be replaced by another one of the same name? Not if it has
 * further names, if the command has moved it away, or if the new one would not
 * belong to the same user and group.
 */
static int temp_like(const struct trace_writer *w, int fd)
{
	struct stat old, now, new;

	if (fstat(w->fd, &old) || fstat(fd, &new) || stat(w->path, &now))
		return -errno;
	if (old.st_nlink != 1 || old.st_dev != now.st_dev || old.st_ino != now.st_ino)
		return -EBUSY;
	if ((old.st_uid != new.st_uid || old.st_gid != new.st_gid) &&
	    fchown(fd, old.st_uid, old.st_gid))
		return -errno;
	return fchmod(fd, old.st_mode & 07777) ? -errno : 0;
}

/* All of w's events once more, as packed chunks. */
static int copy_packed(const struct trace_writer *w, struct trace_writer *to)
{
	struct trace_reader *r;
	struct trace_event ev;
	char self[32], err[160];
	int ret, end = 0;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", w->fd);
	ret = trace_open(self, &r, err, sizeof(err));
	if (ret)
		return ret;
	trace_ids_init(&to->ids, trace_header(r)->huge_pages);
	ret = write_head(to, trace_header(r));
	while (!ret) {
		end = trace_next(r, &ev);
		if (end != 1)
			break;
		if (ev.kind != TRACE_END)
			ret = trace_write(to, &ev);
		else
			ret = append(to, &ev);
	}
	/* Nothing of what was read must be missing, whatever the reason. */
	if (!ret && (to->events != w->events || (end && end != TRACE_TRUNCATED)))
		ret = -EIO;
	trace_close(r);
	return ret ? ret : flush(to, true);
}

/*
 * Replace the file by a packed one. Only what is on the disk already may take
 * the other's place. On failure the file stays as it is, complete in its way.
 */
static int pack(struct trace_writer *w)
{
	char name[PATH_MAX];
	struct trace_writer *to;
	int ret = writer_new(&to);

	if (ret)
		return ret;
	to->fd = temp_open(w->path, name);
	ret = to->fd < 0 ? to->fd : copy_packed(w, to);
	if (!ret)
		ret = temp_like(w, to->fd);
	if (!ret)
		ret = trace_sync(to);
	if (!ret && !name[0])
		ret = temp_link(to->fd, w->path, name);
	if (!ret && rename(name, w->path))
		ret = -errno;
	if (ret) {
		if (to->fd >= 0 && name[0])
			unlink(name);
	} else {
		int old = w->fd;

		w->fd = to->fd;
		to->fd = old;
		w->size = to->size;
		w->chunk = to->chunk;
		w->unsynced = false;
	}
	trace_abandon(to);
	return ret;
}

int trace_flush(struct trace_writer *w)
{
	if (flush(w, false) || w->size < w->pack_size)
		return w->error;
	/*
	 * No matter whether it works: the next time is when as much again has
	 * gathered, so that all of them together take as long as the last one.
	 */
	pack(w);
	w->pack_size = w->size + (w->size > PACK_STORED ? w->size : PACK_STORED);
	return 0;
}

/* Pipes and devices keep nothing that could be read again or replaced. */
static int open_regular(const char *path)
{
	struct stat st;
	int fd;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -ESPIPE;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

int trace_create(const char *path, const struct trace_header *head, struct trace_writer **out)
{
	struct trace_writer *w;
	int ret = writer_new(&w);

	if (ret)
		return ret;
	trace_ids_init(&w->ids, head->huge_pages);
	w->fd = open_regular(path);
	if (w->fd < 0) {
		ret = w->fd;
		goto fail;
	}
	w->path = realpath(path, NULL);
	if (!w->path) {
		ret = -errno;
		goto fail;
	}
	w->pack_size = PACK_STORED;
	ret = write_head(w, head);
	if (ret)
		goto fail;
	*out = w;
	return 0;
fail:
	trace_abandon(w);
	return ret;
}

void trace_abandon(struct trace_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	ZSTD_freeCCtx(w->zstd);
	trace_ids_free(&w->ids);
	free(w->path);
	free(w->raw);
	free(w->body);
	free(w->out);
	free(w);
}

int trace_finish(struct trace_writer *w, uint64_t time, const struct trace_summary *sum)
{
	struct trace_event ev = { .kind = TRACE_END, .time = time, .end = *sum };
	int ret;

	ev.end.events = w->events;
	if (!w->error)
		append(w, &ev);
	/* If packing fails, the trace is complete all the same, only larger. */
	if (!flush(w, true) && pack(w))
		trace_sync(w);
	ret = w->error;
	trace_abandon(w);
	return ret;
}
