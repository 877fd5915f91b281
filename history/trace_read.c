// SPDX-License-Identifier: GPL-2.0
/*
 * Reading a trace. Nothing in the file is trusted: every length is bounded
 * before memory is taken for it, and every value is checked before it is
 * handed out.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
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

#define READ_BUF	(64u << 10)

struct trace_reader {
	int fd;
	int result;			/* 1 while there may be more, else what to return */
	char error[160];
	struct trace_header head;
	char *strings;			/* what head points to */
	struct trace_ids ids;
	ZSTD_DCtx *zstd;
	bool in_frame;
	bool ended;			/* END was delivered */
	uint64_t chunk;			/* number of the next chunk */
	uint64_t events;
	uint64_t time;			/* running values for deltas */
	uint64_t addr;
	uint64_t last_time;		/* of the last event, across chunks */
	uint8_t *raw;			/* the current chunk, decompressed */
	size_t raw_len;
	size_t raw_pos;
	size_t raw_room;
	uint8_t *packed;
	size_t packed_room;
	char *text;			/* strings of the current event */
	size_t text_room;
	struct trace_map *maps;
	size_t maps_room;
	struct trace_run *runs;
	size_t runs_room;
	uint8_t buf[READ_BUF];		/* file data not yet used */
	size_t buf_pos;
	size_t buf_len;
};

/* A piece of an event not yet decoded; bad sticks. */
struct cursor {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

static const char *const kind_names[TRACE_KIND_LIMIT] = {
	[TRACE_PROC_START] = "start",
	[TRACE_FORK] = "fork",
	[TRACE_SHARE] = "share",
	[TRACE_EXEC] = "exec",
	[TRACE_EXIT] = "exit",
	[TRACE_FILE] = "file",
	[TRACE_MMAP] = "mmap",
	[TRACE_MUNMAP] = "munmap",
	[TRACE_MREMAP] = "mremap",
	[TRACE_MPROTECT] = "mprotect",
	[TRACE_MADVISE] = "madvise",
	[TRACE_BRK] = "brk",
	[TRACE_MLOCK] = "mlock",
	[TRACE_MLOCKALL] = "mlockall",
	[TRACE_VMA_NAME] = "vma-name",
	[TRACE_TOUCH] = "touch",
	[TRACE_UNSUPPORTED] = "unsupported",
	[TRACE_END] = "end",
};

const char *trace_kind_name(uint32_t kind)
{
	return kind < TRACE_KIND_LIMIT && kind_names[kind] ? kind_names[kind] : "?";
}

__attribute__((format(printf, 3, 4)))
static int fail(struct trace_reader *r, int result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->error, sizeof(r->error), fmt, ap);
	va_end(ap);
	r->result = result;
	return result;
}

static int corrupt(struct trace_reader *r, const char *what)
{
	return fail(r, TRACE_CORRUPT, "corrupt trace: %s (after event %" PRIu64 ")", what,
		    r->events);
}

static int truncated(struct trace_reader *r)
{
	return fail(r, TRACE_TRUNCATED,
		    "truncated trace: the recording was cut off after event %" PRIu64, r->events);
}

/* Read up to len bytes; fewer only at the end of the file. */
static ssize_t get_bytes(struct trace_reader *r, uint8_t *to, size_t len)
{
	size_t have = 0;

	while (have < len) {
		size_t n = r->buf_len - r->buf_pos;
		ssize_t got;

		if (n) {
			if (n > len - have)
				n = len - have;
			memcpy(to + have, r->buf + r->buf_pos, n);
			r->buf_pos += n;
			have += n;
			continue;
		}
		got = read(r->fd, r->buf, sizeof(r->buf));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		r->buf_pos = 0;
		r->buf_len = got;
	}
	return have;
}

static int grow(void **buf, size_t *have, size_t want, size_t size)
{
	void *p;

	if (want <= *have)
		return 0;
	p = realloc(*buf, want * size);
	if (!p)
		return -ENOMEM;
	*buf = p;
	*have = want;
	return 0;
}

static uint64_t num(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; c->p < c->end; shift += 7) {
		uint8_t byte = *c->p++;

		/* The tenth byte has room for one bit, and there is no eleventh. */
		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	c->bad = true;
	return 0;
}

static uint32_t num32(struct cursor *c)
{
	uint64_t v = num(c);

	if (v > UINT32_MAX)
		c->bad = true;
	return v;
}

static int32_t snum32(struct cursor *c)
{
	int64_t v = unzigzag(num(c));

	if (v < INT32_MIN || v > INT32_MAX)
		c->bad = true;
	return v;
}

static uint64_t addr(struct trace_reader *r, struct cursor *c)
{
	r->addr += unzigzag(num(c));
	return r->addr;
}

/* Copy a counted string to r->text at *used; the caller has made room. */
static const char *str(struct trace_reader *r, struct cursor *c, uint32_t *len, size_t *used)
{
	uint64_t n = num(c);
	char *to = r->text + *used;

	if (n > TRACE_NAME_MAX || n > (size_t)(c->end - c->p)) {
		c->bad = true;
		n = 0;
	}
	memcpy(to, c->p, n);
	to[n] = '\0';
	c->p += n;
	*len = n;
	*used += n + 1;
	return to;
}

static int decode_exec(struct trace_reader *r, struct cursor *c, struct trace_event *ev)
{
	size_t used = 0;

	ev->exec.path = str(r, c, &ev->exec.path_len, &used);
	ev->exec.comm = str(r, c, &ev->exec.comm_len, &used);
	ev->exec.nmaps = num32(c);
	if (c->bad || ev->exec.nmaps > TRACE_MAPS_MAX)
		return -EINVAL;
	if (grow((void **)&r->maps, &r->maps_room, ev->exec.nmaps, sizeof(*r->maps)))
		return -ENOMEM;
	for (uint32_t i = 0; i < ev->exec.nmaps; i++) {
		struct trace_map *m = &r->maps[i];
		uint32_t kind;

		m->start = addr(r, c);
		m->len = num(c);
		m->prot = num32(c);
		kind = num32(c);
		m->kind = kind >> 1;
		m->shared = kind & 1;
		m->file = num32(c);
		m->pgoff = num(c);
	}
	ev->exec.maps = r->maps;
	return 0;
}

static int decode_touch(struct trace_reader *r, struct cursor *c, struct trace_event *ev)
{
	uint64_t end = 0;

	ev->touch.kind = num32(c);
	ev->touch.nruns = num32(c);
	if (c->bad || ev->touch.nruns > TRACE_RUNS_MAX)
		return -EINVAL;
	if (grow((void **)&r->runs, &r->runs_room, ev->touch.nruns, sizeof(*r->runs)))
		return -ENOMEM;
	for (uint32_t i = 0; i < ev->touch.nruns; i++) {
		uint64_t gap = num(c);

		r->runs[i].count = num(c);
		/* Both checks keep the sum below from wrapping round. */
		if (gap >= TRACE_PAGE_LIMIT || r->runs[i].count > TRACE_PAGE_LIMIT ||
		    end > TRACE_PAGE_LIMIT)
			return -EINVAL;
		r->runs[i].first = end + gap;
		end = r->runs[i].first + r->runs[i].count;
	}
	ev->touch.runs = r->runs;
	return 0;
}

static void decode_end(struct cursor *c, struct trace_summary *sum)
{
	sum->events = num(c);
	sum->procs = num(c);
	sum->threads = num(c);
	sum->wall_ns = num(c);
	sum->recorder_ns = num(c);
	sum->stops = num(c);
	sum->scans = num(c);
	sum->scan_ns = num(c);
	sum->lost_procs = num(c);
}

/* Returns 0, -EINVAL or -ENOMEM. */
static int decode(struct trace_reader *r, struct cursor *c, struct trace_event *ev)
{
	size_t used = 0;
	uint64_t v;
	int ret = 0;

	switch (ev->kind) {
	case TRACE_PROC_START:
		ev->start.ospid = snum32(c);
		break;
	case TRACE_FORK:
	case TRACE_SHARE:
		ev->fork.child = num32(c);
		ev->fork.ospid = snum32(c);
		ev->fork.flags = num(c);
		break;
	case TRACE_EXEC:
		ret = decode_exec(r, c, ev);
		break;
	case TRACE_EXIT:
		ev->exit.status = snum32(c);
		break;
	case TRACE_FILE:
		ev->file.id = num32(c);
		ev->file.kind = num32(c);
		ev->file.name = str(r, c, &ev->file.name_len, &used);
		break;
	case TRACE_MMAP:
		ev->mmap.addr = addr(r, c);
		ev->mmap.len = num(c);
		ev->mmap.prot = num32(c);
		ev->mmap.flags = num32(c);
		ev->mmap.file = num32(c);
		ev->mmap.pgoff = num(c);
		break;
	case TRACE_MUNMAP:
		ev->munmap.addr = addr(r, c);
		ev->munmap.len = num(c);
		break;
	case TRACE_MREMAP:
		ev->mremap.old_addr = addr(r, c);
		ev->mremap.old_len = num(c);
		ev->mremap.new_len = num(c);
		ev->mremap.new_addr = addr(r, c);
		ev->mremap.flags = num32(c);
		break;
	case TRACE_MPROTECT:
		ev->mprotect.addr = addr(r, c);
		ev->mprotect.len = num(c);
		ev->mprotect.prot = num32(c);
		break;
	case TRACE_MADVISE:
		ev->madvise.addr = addr(r, c);
		ev->madvise.len = num(c);
		ev->madvise.advice = snum32(c);
		break;
	case TRACE_BRK:
		ev->brk.old_end = addr(r, c);
		ev->brk.new_end = addr(r, c);
		break;
	case TRACE_MLOCK:
		ev->mlock.addr = addr(r, c);
		ev->mlock.len = num(c);
		v = num(c);
		ev->mlock.on = v & 1;
		ev->mlock.onfault = v & 2;
		c->bad |= v > 3;
		break;
	case TRACE_MLOCKALL:
		v = num(c);
		ev->mlockall.on = v & 1;
		ev->mlockall.flags = num32(c);
		c->bad |= v > 1;
		break;
	case TRACE_VMA_NAME:
		ev->vma_name.addr = addr(r, c);
		ev->vma_name.len = num(c);
		ev->vma_name.name = str(r, c, &ev->vma_name.name_len, &used);
		break;
	case TRACE_TOUCH:
		ret = decode_touch(r, c, ev);
		break;
	case TRACE_UNSUPPORTED:
		ev->unsupported.kind = num32(c);
		ev->unsupported.nr = num32(c);
		break;
	case TRACE_END:
		decode_end(c, &ev->end);
		break;
	}
	if (ret)
		return ret;
	return c->bad ? -EINVAL : 0;
}

/* Nothing may follow END, neither in its chunk nor in the file. */
static int at_end(struct trace_reader *r)
{
	uint8_t byte;
	ssize_t n;

	if (r->raw_pos < r->raw_len)
		return corrupt(r, "events after the end");
	n = get_bytes(r, &byte, 1);
	if (n < 0)
		return fail(r, n, "cannot read: %s", strerror(-n));
	if (n)
		return corrupt(r, "data after the end");
	return 0;
}

/* A machine that died may leave zeros where the file had grown already. */
static bool only_zeros_follow(struct trace_reader *r)
{
	uint8_t piece[4096];
	ssize_t n;

	while ((n = get_bytes(r, piece, sizeof(piece))) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (piece[i])
				return false;
	return !n;
}

static int unpack(struct trace_reader *r, size_t len, size_t raw, uint32_t flags)
{
	ZSTD_inBuffer in = { r->packed, len, 0 };
	ZSTD_outBuffer out = { r->raw, raw, 0 };
	size_t left = 1;

	if (!!(flags & CHUNK_F_FIRST) == r->in_frame)
		return corrupt(r, "a compressed frame starts in the wrong place");
	while (in.pos < in.size) {
		size_t in_pos = in.pos;
		size_t out_pos = out.pos;

		left = ZSTD_decompressStream(r->zstd, &out, &in);
		if (ZSTD_isError(left))
			return corrupt(r, ZSTD_getErrorName(left));
		/* More output than the header said would stay inside zstd: no progress. */
		if (in.pos == in_pos && out.pos == out_pos)
			return corrupt(r, "a chunk is larger than it says");
		if (!left && in.pos < in.size)
			return corrupt(r, "data after a compressed frame");
	}
	if (out.pos != raw)
		return corrupt(r, "a chunk is smaller than it says");
	if (!left != !!(flags & CHUNK_F_LAST))
		return corrupt(r, "a compressed frame ends in the wrong place");
	r->in_frame = left;
	return 0;
}

/* A chunk that is not compressed has nothing to do with any frame. */
static int check_stored(struct trace_reader *r, size_t len, size_t raw, uint32_t flags)
{
	if (flags != CHUNK_F_STORED || len != raw)
		return corrupt(r, "a stored chunk that is not");
	if (r->in_frame)
		return corrupt(r, "a stored chunk within a compressed frame");
	return 0;
}

/* Returns 1 with a chunk in r->raw, or as trace_next(). */
static int next_chunk(struct trace_reader *r)
{
	static const uint8_t zeros[CHUNK_HEAD];
	uint8_t head[CHUNK_HEAD];
	uint32_t len, raw, flags;
	uint8_t *to;
	ssize_t n = get_bytes(r, head, sizeof(head));
	int ret;

	if (n < 0)
		return fail(r, n, "cannot read: %s", strerror(-n));
	if (n < CHUNK_HEAD)
		return truncated(r);
	if (!memcmp(head, zeros, sizeof(head)) && only_zeros_follow(r))
		return truncated(r);
	if (get_le(head + CHUNK_HEAD_SUM, 4) !=
	    (uint32_t)XXH3_64bits_withSeed(head, CHUNK_HEAD_SUM, r->chunk))
		return corrupt(r, "the checksum of a chunk header does not match");
	len = get_le(head + CHUNK_LEN, 4);
	raw = get_le(head + CHUNK_RAW, 4);
	flags = get_le(head + CHUNK_FLAGS, 4);
	if (!len || len > CHUNK_LEN_MAX || !raw || raw > CHUNK_RAW_MAX)
		return corrupt(r, "impossible chunk size");
	if (flags & ~CHUNK_F_KNOWN)
		return corrupt(r, "unknown chunk flags");
	if (flags & CHUNK_F_STORED) {
		ret = check_stored(r, len, raw, flags);
		if (ret)
			return ret;
	}
	if (grow((void **)&r->raw, &r->raw_room, raw, 1) ||
	    (!(flags & CHUNK_F_STORED) && grow((void **)&r->packed, &r->packed_room, len, 1)))
		return fail(r, -ENOMEM, "out of memory");
	to = flags & CHUNK_F_STORED ? r->raw : r->packed;
	n = get_bytes(r, to, len);
	if (n < 0)
		return fail(r, n, "cannot read: %s", strerror(-n));
	if ((size_t)n < len)
		return truncated(r);
	if (get_le(head + CHUNK_SUM, 8) != XXH3_64bits_withSeed(to, len, r->chunk))
		return corrupt(r, "the checksum of a chunk does not match");
	if (!(flags & CHUNK_F_STORED)) {
		ret = unpack(r, len, raw, flags);
		if (ret)
			return ret;
	}
	r->raw_len = raw;
	r->raw_pos = 0;
	r->chunk++;
	r->time = 0;
	r->addr = 0;
	return 1;
}

/* Decode the event whose body is c; returns 1, or 0 for one to be skipped. */
static int one_event(struct trace_reader *r, uint64_t kind, struct cursor c,
		     struct trace_event *ev)
{
	const char *why = NULL;
	int ret;

	memset(ev, 0, sizeof(*ev));
	r->time += num(&c);
	ev->proc = num32(&c);
	if (c.bad || r->time < r->last_time)
		return corrupt(r, "bad event");
	if (!kind || (kind >= TRACE_KIND_LIMIT && r->head.minor <= TRACE_MINOR))
		return corrupt(r, "unknown kind of event");
	if (kind < TRACE_KIND_LIMIT) {
		ev->kind = kind;
		ev->time = r->time;
		ret = decode(r, &c, ev);
		if (ret == -ENOMEM)
			return fail(r, -ENOMEM, "out of memory");
		if (ret || (c.p != c.end && r->head.minor <= TRACE_MINOR))
			return corrupt(r, "bad event");
		ret = trace_ids_check(&r->ids, ev, &why);
		if (ret == -ENOMEM)
			return fail(r, -ENOMEM, "out of memory");
		if (ret)
			return corrupt(r, why);
		if (kind == TRACE_END && ev->end.events != r->events)
			return corrupt(r, "the number of events does not match");
	}
	r->last_time = r->time;
	if (kind != TRACE_END)
		r->events++;
	else
		r->ended = true;
	return kind < TRACE_KIND_LIMIT;
}

int trace_next(struct trace_reader *r, struct trace_event *ev)
{
	int ret = 0;

	if (r->result != 1)
		return r->result;
	if (r->ended) {
		ret = at_end(r);
		r->result = ret;
		return ret;
	}
	while (!ret) {
		struct cursor c;
		uint64_t kind, len;

		if (r->raw_pos == r->raw_len) {
			ret = next_chunk(r);
			if (ret < 0)
				return ret;
		}
		c = (struct cursor){ r->raw + r->raw_pos, r->raw + r->raw_len, false };
		kind = num(&c);
		len = num(&c);
		if (c.bad || len > (size_t)(c.end - c.p))
			return corrupt(r, "an event is longer than its chunk");
		c.end = c.p + len;
		r->raw_pos = c.end - r->raw;
		ret = one_event(r, kind, c, ev);
	}
	return ret;
}

const char *trace_error(const struct trace_reader *r)
{
	return r->error;
}

const struct trace_header *trace_header(const struct trace_reader *r)
{
	return &r->head;
}

void trace_close(struct trace_reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	ZSTD_freeDCtx(r->zstd);
	trace_ids_free(&r->ids);
	free(r->strings);
	free(r->raw);
	free(r->packed);
	free(r->text);
	free(r->maps);
	free(r->runs);
	free(r);
}

/* Split the counted strings at p, in place: each length is before its bytes. */
static int header_strings(struct trace_reader *r, uint8_t *p, size_t len)
{
	const char **to[HEAD_STRINGS] = { &r->head.command, &r->head.kernel, &r->head.arch };
	char *out;

	r->strings = malloc(len + HEAD_STRINGS);
	if (!r->strings)
		return fail(r, -ENOMEM, "out of memory");
	out = r->strings;
	for (int i = 0; i < HEAD_STRINGS; i++) {
		size_t n;

		if (len < 4 || get_le(p, 4) > len - 4)
			return corrupt(r, "bad header");
		n = get_le(p, 4);
		memcpy(out, p + 4, n);
		out[n] = '\0';
		*to[i] = out;
		out += n + 1;
		p += 4 + n;
		len -= 4 + n;
	}
	/* A newer minor version may have put more there. */
	if (len && r->head.minor <= TRACE_MINOR)
		return corrupt(r, "bad header");
	return 0;
}

static int check_header(struct trace_reader *r, uint8_t *p, size_t len)
{
	struct trace_header *head = &r->head;

	if (get_le(p + len - HEAD_SUM_LEN, HEAD_SUM_LEN) != XXH3_64bits(p, len - HEAD_SUM_LEN))
		return corrupt(r, "the checksum of the header does not match");
	head->flags = get_le(p + HEAD_FLAGS, 4);
	head->page_size = get_le(p + HEAD_PAGE_SIZE, 4);
	head->huge_pages = get_le(p + HEAD_HUGE_PAGES, 4);
	head->created = get_le(p + HEAD_CREATED, 8);
	if (head->page_size < 4096 || head->page_size & (head->page_size - 1) ||
	    head->huge_pages & (head->huge_pages - 1))
		return corrupt(r, "impossible page size");
	return header_strings(r, p + HEAD_FIXED, len - HEAD_FIXED - HEAD_SUM_LEN);
}

static int read_header(struct trace_reader *r)
{
	uint8_t fixed[HEAD_FIXED];
	uint32_t len;
	uint8_t *p;
	ssize_t n;
	int ret;

	n = get_bytes(r, fixed, sizeof(fixed));
	if (n < 0)
		return fail(r, n, "cannot read: %s", strerror(-n));
	if (!n)
		return fail(r, TRACE_FOREIGN, "empty file, not a trace");
	if (n < FORMAT_MAGIC_LEN || memcmp(fixed, FORMAT_MAGIC, FORMAT_MAGIC_LEN))
		return fail(r, TRACE_FOREIGN, "not a trace");
	if (n < HEAD_MAJOR + 4)
		return fail(r, TRACE_TRUNCATED, "truncated trace: it ends within its header");
	r->head.major = get_le(fixed + HEAD_MAJOR, 2);
	r->head.minor = get_le(fixed + HEAD_MINOR, 2);
	if (r->head.major > TRACE_MAJOR)
		return fail(r, TRACE_NEWER,
			    "trace of a newer version (%u.%u, this program reads %u.x)",
			    r->head.major, r->head.minor, TRACE_MAJOR);
	if (r->head.major != TRACE_MAJOR)
		return corrupt(r, "impossible version");
	if (n < HEAD_FIXED)
		return fail(r, TRACE_TRUNCATED, "truncated trace: it ends within its header");
	len = get_le(fixed + HEAD_LEN, 4);
	if (len < HEAD_FIXED + HEAD_SUM_LEN || len > HEAD_LEN_MAX)
		return corrupt(r, "bad header");

	p = malloc(len);
	if (!p)
		return fail(r, -ENOMEM, "out of memory");
	memcpy(p, fixed, sizeof(fixed));
	n = get_bytes(r, p + HEAD_FIXED, len - HEAD_FIXED);
	if (n < 0)
		ret = fail(r, n, "cannot read: %s", strerror(-n));
	else if ((size_t)n < len - HEAD_FIXED)
		ret = fail(r, TRACE_TRUNCATED, "truncated trace: it ends within its header");
	else
		ret = check_header(r, p, len);
	free(p);
	return ret;
}

static int open_file(struct trace_reader *r, const char *path)
{
	struct stat st;

	/* Not to wait for somebody who writes into a FIFO. */
	r->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (r->fd < 0)
		return fail(r, -errno, "cannot open: %s", strerror(errno));
	if (fstat(r->fd, &st))
		return fail(r, -errno, "cannot be looked at: %s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return fail(r, -EISDIR, "is a directory, not a trace");
	/* It is read more than once. */
	if (!S_ISREG(st.st_mode))
		return fail(r, -ESPIPE, "is not a regular file");
	return read_header(r);
}

int trace_open(const char *path, struct trace_reader **out, char *err, size_t errlen)
{
	struct trace_reader *r = calloc(1, sizeof(*r));
	int ret = -ENOMEM;

	if (!r) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	r->fd = -1;
	r->result = 1;
	/* Two strings at most, as long as they may be. */
	r->text_room = 2 * (TRACE_NAME_MAX + 1);
	r->text = malloc(r->text_room);
	r->zstd = ZSTD_createDCtx();
	if (!r->text || !r->zstd) {
		fail(r, -ENOMEM, "out of memory");
	} else {
		ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax, CHUNK_WINDOW_LOG);
		ret = open_file(r, path);
	}
	if (ret) {
		snprintf(err, errlen, "%s", r->error);
		trace_close(r);
		return ret;
	}
	trace_ids_init(&r->ids, r->head.huge_pages);
	*out = r;
	return 0;
}
