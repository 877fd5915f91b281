// SPDX-License-Identifier: GPL-2.0
/* The trace format: round trips, and everything that may be wrong with a file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>
#include <zstd.h>

#include "trace.h"
#include "trace_format.h"

#define EVENTS_MAX	64

static char dir[] = "/tmp/trace-test-XXXXXX";
static char path[64];

static const struct trace_header head = {
	.flags = TRACE_F_PFN | TRACE_F_SCAN_IOCTL, .page_size = 4096, .huge_pages = 512,
	.created = UINT64_MAX, .command = "sh -c 'exit 3'", .kernel = "6.99", .arch = "any",
};

static const struct trace_map maps[] = {
	{ .start = 0, .len = 1, .prot = UINT32_MAX, .kind = TRACE_MAP_HEAP },
	{ .start = 4096, .len = 8192, .prot = 3, .file = 1, .pgoff = UINT64_MAX },
	{ .start = 1 << 20, .len = 1, .shared = true, .kind = TRACE_MAP_STACK, .file = 2 },
	{ .start = UINT64_MAX - 4095, .len = 4096, .kind = TRACE_MAP_SPECIAL },
};

static const struct trace_run runs[] = {
	{ 0, 1 }, { 1, 1 }, { 3, 7 }, { TRACE_PAGE_LIMIT - 5, 5 },
};

static const struct trace_run huge_runs[] = { { 512, 1024 }, { TRACE_PAGE_LIMIT - 512, 512 } };
static const struct trace_run whole = { 0, TRACE_PAGE_LIMIT };

static char long_name[TRACE_NAME_MAX + 1];

/* Every kind of event, with the largest and the smallest values. */
static unsigned int all_kinds(struct trace_event *ev)
{
	unsigned int n = 0;

#define ADD(k, p, t, ...) \
	(ev[n++] = (struct trace_event){ .kind = (k), .proc = (p), .time = (t), __VA_ARGS__ })
	ADD(TRACE_PROC_START, 0, 0, .start.ospid = INT_MAX);
	ADD(TRACE_FILE, 0, 0, .file = { 1, TRACE_FILE_REGULAR, "/bin/sh", 7 });
	ADD(TRACE_FILE, 0, 1, .file = { 2, TRACE_FILE_DEVICE, "", 0 });
	ADD(TRACE_FILE, 0, 1, .file = { 3, TRACE_FILE_SHM, long_name, TRACE_NAME_MAX });
	ADD(TRACE_EXEC, 0, 2, .exec = { "/bin/sh", "a\nb", 7, 3, 4, maps });
	ADD(TRACE_EXEC, 0, 2, .exec = { "", "", 0, 0, 0, NULL });
	ADD(TRACE_FORK, 0, 3, .fork = { 1, INT_MIN, UINT64_MAX });
	ADD(TRACE_SHARE, 1, 4, .fork = { 2, 1, 0 });
	ADD(TRACE_MMAP, 0, 5, .mmap = { 0, UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX, 3 });
	ADD(TRACE_MMAP, 2, 6, .mmap = { UINT64_MAX, 1, 0, 0, 0, 0 });
	ADD(TRACE_MUNMAP, 1, 7, .munmap = { 1, UINT64_MAX });
	ADD(TRACE_MUNMAP, 1, 7, .munmap = { UINT64_MAX, 0 });
	ADD(TRACE_MREMAP, 0, 8, .mremap = { UINT64_MAX - 1, 2, UINT64_MAX, 1, UINT32_MAX });
	ADD(TRACE_MREMAP, 0, 8, .mremap = { 0, 0, 1, 0, 0 });
	ADD(TRACE_MPROTECT, 0, 9, .mprotect = { 1u << 31, 4096, UINT32_MAX });
	ADD(TRACE_MADVISE, 0, 10, .madvise = { 4096, 1, INT_MIN });
	ADD(TRACE_MADVISE, 0, 10, .madvise = { 0, 0, INT_MAX });
	ADD(TRACE_BRK, 0, 11, .brk = { UINT64_MAX, 0 });
	ADD(TRACE_BRK, 0, 11, .brk = { 0, UINT64_MAX });
	ADD(TRACE_MLOCK, 0, 12, .mlock = { 1, 2, true, true });
	ADD(TRACE_MLOCK, 0, 12, .mlock = { 1, 2, false, false });
	ADD(TRACE_MLOCKALL, 0, 13, .mlockall = { true, UINT32_MAX });
	ADD(TRACE_MLOCKALL, 0, 13, .mlockall = { false, 0 });
	ADD(TRACE_VMA_NAME, 0, 14, .vma_name = { 1, 2, "name", 4 });
	ADD(TRACE_TOUCH, 0, 15, .touch = { TRACE_TOUCH_ANON, 4, runs });
	ADD(TRACE_TOUCH, 0, 15, .touch = { TRACE_TOUCH_HUGE, 2, huge_runs });
	ADD(TRACE_TOUCH, 1, 15, .touch = { TRACE_TOUCH_FILE_COW, 1, &whole });
	ADD(TRACE_TOUCH, 2, 15, .touch = { TRACE_TOUCH_COW, 1, runs });
	ADD(TRACE_UNSUPPORTED, 0, 16, .unsupported = { TRACE_UNSUPPORTED_CALL, UINT32_MAX });
	ADD(TRACE_UNSUPPORTED, 0, 16, .unsupported = { TRACE_UNSUPPORTED_ABI, 0 });
	ADD(TRACE_EXIT, 2, 17, .exit.status = INT_MIN);
	ADD(TRACE_EXIT, 1, UINT64_MAX, .exit.status = INT_MAX);
#undef ADD
	return n;
}

static bool same_text(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
	return a_len == b_len && !memcmp(a, b, a_len) && !b[b_len];
}

static bool same_exec(const struct trace_event *a, const struct trace_event *b)
{
	if (a->exec.nmaps != b->exec.nmaps ||
	    !same_text(a->exec.path, a->exec.path_len, b->exec.path, b->exec.path_len) ||
	    !same_text(a->exec.comm, a->exec.comm_len, b->exec.comm, b->exec.comm_len))
		return false;
	for (uint32_t i = 0; i < a->exec.nmaps; i++) {
		const struct trace_map *x = &a->exec.maps[i], *y = &b->exec.maps[i];

		if (x->start != y->start || x->len != y->len || x->pgoff != y->pgoff ||
		    x->file != y->file || x->prot != y->prot || x->kind != y->kind ||
		    x->shared != y->shared)
			return false;
	}
	return true;
}

/* Is b, as read, the event a that was written? */
static bool same(const struct trace_event *a, const struct trace_event *b)
{
	if (a->kind != b->kind || a->proc != b->proc || a->time != b->time)
		return false;
	switch (a->kind) {
	case TRACE_PROC_START:
		return a->start.ospid == b->start.ospid;
	case TRACE_FORK:
	case TRACE_SHARE:
		return a->fork.child == b->fork.child && a->fork.ospid == b->fork.ospid &&
		       a->fork.flags == b->fork.flags;
	case TRACE_EXEC:
		return same_exec(a, b);
	case TRACE_EXIT:
		return a->exit.status == b->exit.status;
	case TRACE_FILE:
		return a->file.id == b->file.id && a->file.kind == b->file.kind &&
		       same_text(a->file.name, a->file.name_len, b->file.name,
				 b->file.name_len);
	case TRACE_MMAP:
		return a->mmap.addr == b->mmap.addr && a->mmap.len == b->mmap.len &&
		       a->mmap.pgoff == b->mmap.pgoff && a->mmap.prot == b->mmap.prot &&
		       a->mmap.flags == b->mmap.flags && a->mmap.file == b->mmap.file;
	case TRACE_MUNMAP:
		return a->munmap.addr == b->munmap.addr && a->munmap.len == b->munmap.len;
	case TRACE_MREMAP:
		return a->mremap.old_addr == b->mremap.old_addr &&
		       a->mremap.old_len == b->mremap.old_len &&
		       a->mremap.new_len == b->mremap.new_len &&
		       a->mremap.new_addr == b->mremap.new_addr &&
		       a->mremap.flags == b->mremap.flags;
	case TRACE_MPROTECT:
		return a->mprotect.addr == b->mprotect.addr &&
		       a->mprotect.len == b->mprotect.len && a->mprotect.prot == b->mprotect.prot;
	case TRACE_MADVISE:
		return a->madvise.addr == b->madvise.addr && a->madvise.len == b->madvise.len &&
		       a->madvise.advice == b->madvise.advice;
	case TRACE_BRK:
		return a->brk.old_end == b->brk.old_end && a->brk.new_end == b->brk.new_end;
	case TRACE_MLOCK:
		return a->mlock.addr == b->mlock.addr && a->mlock.len == b->mlock.len &&
		       a->mlock.on == b->mlock.on && a->mlock.onfault == b->mlock.onfault;
	case TRACE_MLOCKALL:
		return a->mlockall.on == b->mlockall.on && a->mlockall.flags == b->mlockall.flags;
	case TRACE_VMA_NAME:
		return a->vma_name.addr == b->vma_name.addr &&
		       a->vma_name.len == b->vma_name.len &&
		       same_text(a->vma_name.name, a->vma_name.name_len, b->vma_name.name,
				 b->vma_name.name_len);
	case TRACE_TOUCH:
		return a->touch.kind == b->touch.kind && a->touch.nruns == b->touch.nruns &&
		       !memcmp(a->touch.runs, b->touch.runs,
			       a->touch.nruns * sizeof(*a->touch.runs));
	case TRACE_UNSUPPORTED:
		return a->unsupported.kind == b->unsupported.kind &&
		       a->unsupported.nr == b->unsupported.nr;
	case TRACE_END:
		return !memcmp(&a->end, &b->end, sizeof(a->end));
	default:
		return false;
	}
}

static const struct trace_summary summary = {
	.procs = 3, .threads = UINT64_MAX, .wall_ns = UINT64_MAX, .recorder_ns = 1, .stops = 2,
	.scans = 3, .scan_ns = 4, .lost_procs = 5,
};

static uint8_t *slurp(size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*len = ftell(f);
	rewind(f);
	data = malloc(*len + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, *len, f), *len);
	fclose(f);
	return data;
}

/* Without truncating first, for which some file systems would write at once. */
static void spit(const uint8_t *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0666);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(ftruncate(fd, len), 0);
	close(fd);
}

/* The compressed chunks that stand for the stored chunks of the file: a frame for every three. */
static void compress_chunks(void)
{
	size_t len, at, end, room;
	uint8_t *data = slurp(&len), *out;
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	uint64_t chunk = 0;

	room = 2 * len + 100000;
	out = malloc(room);
	assert_true(out && zstd);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, CHUNK_WINDOW_LOG);
	at = get_le(data + HEAD_LEN, 4);
	memcpy(out, data, at);
	end = at;
	while (at < len) {
		uint8_t *to = out + end;
		size_t raw = get_le(data + at + CHUNK_RAW, 4);
		bool last = chunk % 3 == 2 || at + CHUNK_HEAD + raw == len;
		ZSTD_inBuffer in = { data + at + CHUNK_HEAD, raw, 0 };
		ZSTD_outBuffer packed = { to + CHUNK_HEAD, room - end - CHUNK_HEAD, 0 };

		assert_int_equal(get_le(data + at + CHUNK_FLAGS, 4), CHUNK_F_STORED);
		assert_int_equal(ZSTD_compressStream2(zstd, &packed, &in,
						      last ? ZSTD_e_end : ZSTD_e_flush), 0);
		put_le(to + CHUNK_LEN, packed.pos, 4);
		put_le(to + CHUNK_RAW, raw, 4);
		put_le(to + CHUNK_SUM,
		       XXH3_64bits_withSeed(to + CHUNK_HEAD, packed.pos, chunk), 8);
		put_le(to + CHUNK_FLAGS,
		       (chunk % 3 ? 0 : CHUNK_F_FIRST) | (last ? CHUNK_F_LAST : 0), 4);
		put_le(to + CHUNK_HEAD_SUM, XXH3_64bits_withSeed(to, CHUNK_HEAD_SUM, chunk), 4);
		end += CHUNK_HEAD + packed.pos;
		at += CHUNK_HEAD + raw;
		chunk++;
	}
	assert_true(chunk > 2);
	spit(out, end);
	ZSTD_freeCCtx(zstd);
	free(out);
	free(data);
}

enum form {
	FORM_PACKED,		/* as a finished trace is: one chunk */
	FORM_STORED,		/* as one that could not be packed: stored chunks */
	FORM_COMPRESSED,	/* those chunks compressed */
	FORM_LIMIT
};

/* Write all kinds, a stored chunk every few events; ev gets END as well. */
static unsigned int write_sample(struct trace_event *ev, unsigned int flush_every, enum form form)
{
	unsigned int n = all_kinds(ev);
	struct trace_writer *w;
	char other[sizeof(path) + 8];

	assert_int_equal(trace_create(path, &head, &w), 0);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(trace_write(w, &ev[i]), 0);
		if (i % flush_every == 0) {
			assert_int_equal(trace_flush(w), 0);
			assert_int_equal(trace_pending(w), 0);
		}
	}
	assert_int_equal(trace_events(w), n);
	/* A file with a second name is not replaced. */
	snprintf(other, sizeof(other), "%s.other", path);
	if (form != FORM_PACKED)
		assert_int_equal(link(path, other), 0);
	assert_int_equal(trace_finish(w, UINT64_MAX, &summary), 0);
	if (form != FORM_PACKED)
		assert_int_equal(unlink(other), 0);
	if (form == FORM_COMPRESSED)
		compress_chunks();
	ev[n] = (struct trace_event){ .kind = TRACE_END, .time = UINT64_MAX, .end = summary };
	ev[n].end.events = n;
	return n + 1;
}

/*
 * Read the file. Returns how it ends; *good is the number of events, which
 * must be the first ones of ev.
 */
static int read_prefix(const struct trace_event *ev, unsigned int n, unsigned int *good)
{
	char err[200] = "";
	struct trace_reader *r;
	struct trace_event got;
	int ret = trace_open(path, &r, err, sizeof(err));

	*good = 0;
	if (ret) {
		assert_true(err[0] && !strchr(err, '\n'));
		return ret;
	}
	while ((ret = trace_next(r, &got)) == 1) {
		assert_true(*good < n);
		assert_true(same(&ev[*good], &got));
		(*good)++;
	}
	if (ret)
		assert_true(trace_error(r)[0] && !strchr(trace_error(r), '\n'));
	/* The end stays the end. */
	assert_int_equal(trace_next(r, &got), ret);
	trace_close(r);
	return ret;
}

static void test_round_trip(void **state)
{
	struct trace_event ev[EVENTS_MAX];
	struct trace_reader *r;
	char err[200];

	(void)state;
	for (unsigned int i = 0; i < 7 * FORM_LIMIT; i++) {
		unsigned int n = write_sample(ev, 1 + i % 7 * 2, i / 7), good;

		assert_int_equal(read_prefix(ev, n, &good), 0);
		assert_int_equal(good, n);
	}
	assert_int_equal(trace_open(path, &r, err, sizeof(err)), 0);
	assert_int_equal(trace_header(r)->major, TRACE_MAJOR);
	assert_int_equal(trace_header(r)->flags, head.flags);
	assert_int_equal(trace_header(r)->page_size, 4096);
	assert_int_equal(trace_header(r)->huge_pages, 512);
	assert_int_equal(trace_header(r)->created, UINT64_MAX);
	assert_string_equal(trace_header(r)->command, head.command);
	assert_string_equal(trace_header(r)->kernel, head.kernel);
	assert_string_equal(trace_header(r)->arch, head.arch);
	trace_close(r);
}

/* Larger than a chunk and than a zstd frame, with events of the largest size. */
static void test_large(void **state)
{
	struct trace_run *many = calloc(TRACE_RUNS_MAX, sizeof(*many));
	struct trace_event ev = { .kind = TRACE_PROC_START }, got;
	struct trace_writer *w;
	struct trace_reader *r;
	uint64_t x = 1;
	char err[200];

	(void)state;
	assert_non_null(many);
	assert_int_equal(trace_create(path, &head, &w), 0);
	assert_int_equal(trace_write(w, &ev), 0);
	for (int i = 0; i < 60; i++) {
		uint64_t page = 0;

		for (int k = 0; k < TRACE_RUNS_MAX; k++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			many[k].first = page + (x >> 40);
			many[k].count = 1 + (x >> 50);
			page = many[k].first + many[k].count;
		}
		ev = (struct trace_event){ .kind = TRACE_TOUCH, .time = i,
					   .touch = { TRACE_TOUCH_ANON, TRACE_RUNS_MAX, many } };
		assert_int_equal(trace_write(w, &ev), 0);
	}
	assert_int_equal(trace_finish(w, 100, &summary), 0);
	assert_int_equal(trace_open(path, &r, err, sizeof(err)), 0);
	assert_int_equal(trace_next(r, &got), 1);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(trace_next(r, &got), 1);
		assert_int_equal(got.touch.nruns, TRACE_RUNS_MAX);
		assert_int_equal(got.time, i);
	}
	assert_true(same(&ev, &got));
	assert_int_equal(trace_next(r, &got), 1);
	assert_int_equal(got.kind, TRACE_END);
	assert_int_equal(trace_next(r, &got), 0);
	trace_close(r);
	free(many);
}

/* How many chunks, and of which kind, the file has. */
static void count_chunks(const uint8_t *data, size_t len, unsigned int *stored,
			 unsigned int *packed)
{
	size_t at = get_le(data + HEAD_LEN, 4);

	*stored = 0;
	*packed = 0;
	while (at < len) {
		if (get_le(data + at + CHUNK_FLAGS, 4) & CHUNK_F_STORED)
			(*stored)++;
		else
			(*packed)++;
		at += CHUNK_HEAD + get_le(data + at + CHUNK_LEN, 4);
	}
	assert_int_equal(at, len);
}

static void check_truncated(enum form form)
{
	struct trace_event ev[EVENTS_MAX];
	unsigned int n = write_sample(ev, 2, form), good, before = 0, stored, packed;
	size_t len;
	uint8_t *data = slurp(&len);

	count_chunks(data, len, &stored, &packed);
	assert_int_equal(!stored, form != FORM_STORED);
	assert_int_equal(!packed, form == FORM_STORED);
	for (size_t cut = 0; cut < len; cut++) {
		int ret;

		spit(data, cut);
		ret = read_prefix(ev, n, &good);
		assert_int_equal(ret, cut < FORMAT_MAGIC_LEN ? TRACE_FOREIGN : TRACE_TRUNCATED);
		/* More of the file never means fewer events; the last one needs all. */
		assert_true(good >= before && good < n);
		before = good;
	}
	if (form != FORM_PACKED)
		assert_true(before > n / 2);
	free(data);
}

static void test_truncated(void **state)
{
	(void)state;
	for (int form = 0; form < FORM_LIMIT; form++)
		check_truncated(form);
}

/* What a machine leaves that died after the file had grown. */
static void test_zero_tail(void **state)
{
	struct trace_event ev[EVENTS_MAX];
	unsigned int n, good;
	struct trace_writer *w;
	uint8_t *data;
	size_t len;

	(void)state;
	n = all_kinds(ev);
	assert_int_equal(trace_create(path, &head, &w), 0);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(trace_write(w, &ev[i]), 0);
	assert_int_equal(trace_flush(w), 0);
	trace_abandon(w);
	data = slurp(&len);
	data = realloc(data, len + 9000);
	assert_non_null(data);
	memset(data + len, 0, 9000);
	spit(data, len + 9000);
	assert_int_equal(read_prefix(ev, n, &good), TRACE_TRUNCATED);
	assert_int_equal(good, n);
	free(data);
}

static void check_bit_flips(enum form form)
{
	struct trace_event ev[EVENTS_MAX];
	unsigned int n = write_sample(ev, 3, form), good;
	size_t len;
	uint8_t *data = slurp(&len);

	for (size_t i = 0; i < len; i++) {
		int ret;

		data[i] ^= 1u << i % 8;
		spit(data, len);
		ret = read_prefix(ev, n, &good);
		if (i < FORMAT_MAGIC_LEN)
			assert_int_equal(ret, TRACE_FOREIGN);
		else
			assert_true(ret == TRACE_CORRUPT || ret == TRACE_NEWER ||
				    ret == TRACE_TRUNCATED);
		data[i] ^= 1u << i % 8;
	}
	free(data);
}

static void test_bit_flips(void **state)
{
	(void)state;
	for (int form = 0; form < FORM_LIMIT; form++)
		check_bit_flips(form);
}

static uint64_t random_state;

static uint64_t rnd(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return random_state >> 33;
}

/* Damage at random, with the checksums left wrong: must be told, or be harmless. */
static void damage_at_random(struct trace_event *ev, enum form form)
{
	unsigned int n = write_sample(ev, 5, form), good;
	size_t len;
	uint8_t *data = slurp(&len), *copy = malloc(len);

	assert_non_null(copy);
	for (int round = 0; round < 3000; round++) {
		size_t cut = len;
		int ret;

		memcpy(copy, data, len);
		for (uint64_t k = 1 + rnd() % 8; k; k--)
			copy[rnd() % len] = rnd();
		if (rnd() % 4 == 0)
			cut = rnd() % len;
		spit(copy, cut);
		ret = read_prefix(ev, n, &good);
		if (cut < len || memcmp(copy, data, len))
			assert_true(ret < 0);
	}
	free(copy);
	free(data);
}

static void test_random_damage(void **state)
{
	const char *env = getenv("SEED");
	uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
	struct trace_event ev[EVENTS_MAX];

	(void)state;
	print_message("# SEED=%llu\n", (unsigned long long)seed);
	random_state = seed;
	for (int form = 0; form < FORM_LIMIT; form++)
		damage_at_random(ev, form);
}

/* A file with the given bytes as one chunk, all checksums right; flags 0: compressed. */
static void forge(const uint8_t *raw, size_t len, uint32_t claimed, uint16_t minor,
		  uint32_t flags)
{
	static uint8_t file[5 << 20];
	uint8_t *p = file;
	size_t packed, at;

	memcpy(p, FORMAT_MAGIC, FORMAT_MAGIC_LEN);
	memset(p + 8, 0, HEAD_FIXED - 8);
	put_le(p + HEAD_MAJOR, TRACE_MAJOR, 2);
	put_le(p + HEAD_MINOR, minor, 2);
	put_le(p + HEAD_PAGE_SIZE, 4096, 4);
	put_le(p + HEAD_HUGE_PAGES, 512, 4);
	at = HEAD_FIXED;
	memset(p + at, 0, 4 * HEAD_STRINGS);
	at += 4 * HEAD_STRINGS;
	put_le(p + HEAD_LEN, at + HEAD_SUM_LEN, 4);
	put_le(p + at, XXH3_64bits(p, at), 8);
	at += HEAD_SUM_LEN;
	p += at;
	if (flags) {
		memcpy(p + CHUNK_HEAD, raw, len);
		packed = len;
	} else {
		packed = ZSTD_compress(p + CHUNK_HEAD, sizeof(file) - at - CHUNK_HEAD, raw, len,
				       1);
		assert_false(ZSTD_isError(packed));
		flags = CHUNK_F_FIRST | CHUNK_F_LAST;
	}
	put_le(p + CHUNK_LEN, packed, 4);
	put_le(p + CHUNK_RAW, claimed, 4);
	put_le(p + CHUNK_SUM, XXH3_64bits_withSeed(p + CHUNK_HEAD, packed, 0), 8);
	put_le(p + CHUNK_FLAGS, flags, 4);
	put_le(p + CHUNK_HEAD_SUM, XXH3_64bits_withSeed(p, CHUNK_HEAD_SUM, 0), 4);
	spit(file, at + CHUNK_HEAD + packed);
}

/* Read a forged file to its end. */
static int read_forged(unsigned int *good)
{
	struct trace_reader *r;
	struct trace_event ev;
	char err[200];
	int ret = trace_open(path, &r, err, sizeof(err));

	*good = 0;
	assert_int_equal(ret, 0);
	while ((ret = trace_next(r, &ev)) == 1)
		(*good)++;
	trace_close(r);
	return ret;
}

/* Events are type, length, time, process, values. */
#define START	1, 3, 0, 0, 2
#define ENDS(n)	18, 11, 0, 0, (n), 1, 0, 0, 0, 0, 0, 0, 0

static void expect_forged(const uint8_t *raw, size_t len, int result, unsigned int events)
{
	unsigned int good;

	for (uint32_t flags = 0; flags <= CHUNK_F_STORED; flags += CHUNK_F_STORED) {
		forge(raw, len, len, TRACE_MINOR, flags);
		assert_int_equal(read_forged(&good), result);
		assert_int_equal(good, events);
	}
}

#define FORGED(result, events, ...) do {					\
		const uint8_t raw_[] = { __VA_ARGS__ };				\
		expect_forged(raw_, sizeof(raw_), result, events);		\
	} while (0)

/* Checksums that are right say nothing of the values. */
static void test_impossible_values(void **state)
{
	static uint8_t zeros[4 << 20];
	unsigned int good;

	(void)state;
	FORGED(0, 2, START, ENDS(1));
	FORGED(TRACE_TRUNCATED, 1, START);
	FORGED(TRACE_CORRUPT, 1, START, ENDS(2));			/* wrong count */
	FORGED(TRACE_CORRUPT, 2, START, ENDS(1), START);		/* more after the end */
	FORGED(TRACE_CORRUPT, 0, 2, 5, 0, 0, 1, 2, 0);			/* fork of nobody */
	FORGED(TRACE_CORRUPT, 1, START, 2, 5, 0, 0, 2, 2, 0);		/* child id skipped */
	FORGED(TRACE_CORRUPT, 1, START, START);				/* second root */
	FORGED(TRACE_CORRUPT, 2, START, 5, 3, 0, 0, 0, 8, 4, 0, 0, 2, 1);	/* after exit */
	FORGED(TRACE_CORRUPT, 1, START, 7, 8, 0, 0, 2, 1, 0, 0, 1, 0);	/* unknown file */
	FORGED(TRACE_CORRUPT, 1, START, 7, 8, 0, 0, 2, 0, 0, 0, 0, 0);	/* nothing mapped */
	FORGED(TRACE_CORRUPT, 1, START, 8, 4, 0, 0, 1, 2);		/* wraps round */
	FORGED(TRACE_CORRUPT, 1, START, 6, 5, 0, 0, 2, 0, 0);		/* file id skipped */
	FORGED(TRACE_CORRUPT, 1, START, 6, 5, 0, 0, 1, 4, 0);		/* kind of file */
	FORGED(TRACE_CORRUPT, 1, START, 6, 5, 0, 0, 1, 0, 1);		/* name cut off */
	FORGED(TRACE_CORRUPT, 1, START, 16, 6, 0, 0, 0, 1, 1, 0);	/* empty run */
	FORGED(TRACE_CORRUPT, 1, START, 16, 6, 0, 0, 1, 1, 1, 1);	/* huge misaligned */
	FORGED(TRACE_CORRUPT, 1, START, 16, 6, 0, 0, 9, 1, 1, 1);	/* kind of touch */
	FORGED(TRACE_CORRUPT, 1, START, 16, 13, 0, 0, 0, 1,
	       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 7, 2);		/* beyond 2^52 */
	FORGED(TRACE_CORRUPT, 1, START, 16, 15, 0, 0, 0, 1, 1,
	       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);	/* count wraps */
	FORGED(TRACE_CORRUPT, 1, START, 16, 7, 0, 0, 0, 0xff, 0xff, 0xff, 7);	/* run bomb */
	FORGED(TRACE_CORRUPT, 1, START, 4, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7); /* maps */
	FORGED(TRACE_CORRUPT, 1, START, 13, 5, 0, 0, 0, 0, 4);		/* unknown bit */
	FORGED(TRACE_CORRUPT, 1, START, 8, 5, 0, 0, 2, 2, 0);		/* too long */
	FORGED(TRACE_CORRUPT, 1, START, 8, 3, 0, 0, 2);			/* too short */
	FORGED(TRACE_CORRUPT, 1, START, 8, 100, 0, 0, 2, 2);		/* beyond the chunk */
	FORGED(TRACE_CORRUPT, 1, START, 99, 2, 0, 0);			/* unknown kind */
	FORGED(TRACE_CORRUPT, 1, START, 0, 2, 0, 0);			/* no kind */
	FORGED(TRACE_CORRUPT, 0, 1, 12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	       2, 0, 0);						/* a number too large */

	/* Bombs: more than it says, and more than is allowed. */
	for (uint32_t flags = 0; flags <= CHUNK_F_STORED; flags += CHUNK_F_STORED) {
		forge(zeros, sizeof(zeros), 100, TRACE_MINOR, flags);
		assert_int_equal(read_forged(&good), TRACE_CORRUPT);
		forge(zeros, sizeof(zeros), sizeof(zeros), TRACE_MINOR, flags);
		assert_int_equal(read_forged(&good), TRACE_CORRUPT);
		forge(zeros, 100, 200, TRACE_MINOR, flags);
		assert_int_equal(read_forged(&good), TRACE_CORRUPT);
	}
}

/* What a stored chunk must not be, nor where. */
static void test_stored_flags(void **state)
{
	static const uint8_t raw[] = { START, ENDS(1) };
	struct trace_event ev[EVENTS_MAX];
	unsigned int n, good;
	uint8_t *data, *p;
	size_t len;

	(void)state;
	for (uint32_t flags = CHUNK_F_STORED + 1; flags < 16; flags++) {
		forge(raw, sizeof(raw), sizeof(raw), TRACE_MINOR, flags);
		assert_int_equal(read_forged(&good), TRACE_CORRUPT);
		assert_int_equal(good, 0);
	}
	/* The second chunk of a frame says that it is stored. */
	n = write_sample(ev, 2, FORM_COMPRESSED);
	data = slurp(&len);
	p = data + get_le(data + HEAD_LEN, 4);
	p += CHUNK_HEAD + get_le(p + CHUNK_LEN, 4);
	put_le(p + CHUNK_RAW, get_le(p + CHUNK_LEN, 4), 4);
	put_le(p + CHUNK_FLAGS, CHUNK_F_STORED, 4);
	put_le(p + CHUNK_HEAD_SUM, XXH3_64bits_withSeed(p, CHUNK_HEAD_SUM, 1), 4);
	spit(data, len);
	assert_int_equal(read_prefix(ev, n, &good), TRACE_CORRUPT);
	assert_int_equal(good, 1);
	free(data);
}

/* A newer minor version may add kinds of events, and values at the end of known ones. */
static void test_newer_minor(void **state)
{
	static const uint8_t raw[] = {
		START, 99, 4, 0, 0, 1, 2, 8, 6, 0, 0, 2, 2, 7, 7, ENDS(3)
	};
	unsigned int good;

	(void)state;
	forge(raw, sizeof(raw), sizeof(raw), TRACE_MINOR + 1, 0);
	assert_int_equal(read_forged(&good), 0);
	assert_int_equal(good, 3);
}

static int open_only(void)
{
	struct trace_reader *r;
	char err[200] = "";
	int ret = trace_open(path, &r, err, sizeof(err));

	if (!ret)
		trace_close(r);
	else
		assert_true(err[0] && !strchr(err, '\n'));
	return ret;
}

static void test_foreign(void **state)
{
	struct trace_event ev[EVENTS_MAX];
	struct trace_reader *r;
	uint8_t *data;
	char err[200];
	size_t len;

	(void)state;
	spit((const uint8_t *)"", 0);
	assert_int_equal(open_only(), TRACE_FOREIGN);
	spit((const uint8_t *)"\x7f" "ELF and so on, some more text", 30);
	assert_int_equal(open_only(), TRACE_FOREIGN);
	write_sample(ev, 4, FORM_PACKED);
	data = slurp(&len);
	data[HEAD_MAJOR] = TRACE_MAJOR + 1;
	spit(data, len);
	assert_int_equal(open_only(), TRACE_NEWER);
	free(data);
	assert_int_equal(trace_open(dir, &r, err, sizeof(err)), -EISDIR);
	assert_int_equal(trace_open("/nonexistent/x", &r, err, sizeof(err)), -ENOENT);
}

/* The writer refuses what the reader would, and goes on. */
static void test_writer_refuses(void **state)
{
	const struct trace_run bad[] = { { 5, 2 }, { 6, 1 } };
	struct trace_event ev = { .kind = TRACE_MUNMAP };
	struct trace_header h = head;
	struct trace_writer *w;

	(void)state;
	h.page_size = 1000;
	assert_int_equal(trace_create(path, &h, &w), -EINVAL);
	assert_int_equal(trace_create("/nonexistent/x", &head, &w), -ENOENT);
	assert_int_equal(trace_create(path, &head, &w), 0);
	assert_null(trace_refused(w));
	assert_int_equal(trace_write(w, &ev), -EINVAL);
	assert_string_equal(trace_refused(w), "unknown process id");
	ev.kind = TRACE_PROC_START;
	assert_int_equal(trace_write(w, &ev), 0);
	ev = (struct trace_event){ .kind = TRACE_TOUCH, .touch = { 0, 2, bad } };
	assert_int_equal(trace_write(w, &ev), -EINVAL);
	assert_string_equal(trace_refused(w), "unordered page runs");
	ev.touch.nruns = 0;
	assert_int_equal(trace_write(w, &ev), -EINVAL);
	assert_string_equal(trace_refused(w), "bad number of page runs");
	ev.touch.nruns = 1;
	assert_int_equal(trace_write(w, &ev), 0);
	ev.kind = TRACE_END;
	assert_int_equal(trace_write(w, &ev), -EINVAL);
	assert_int_equal(trace_events(w), 2);
	trace_abandon(w);
}

/* Nothing else than the trace is in the directory. */
static void check_alone(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int files = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		files += e->d_name[0] != '.';
	closedir(d);
	assert_int_equal(files, 1);
}

/* Packing keeps the events, the mode and a link to the file; and it makes it small. */
static void test_pack(void **state)
{
	struct trace_event ev[EVENTS_MAX];
	char target[sizeof(path) + 8];
	unsigned int n, good;
	struct stat st;

	(void)state;
	write_sample(ev, 1, FORM_STORED);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(chmod(path, 0640), 0);
	n = write_sample(ev, 1, FORM_PACKED);
	assert_true(st.st_size > 1000);
	good = st.st_size;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_true((unsigned int)st.st_size < good - 24 * 20);
	check_alone();

	snprintf(target, sizeof(target), "%s.target", path);
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(symlink("trace.target", path), 0);
	write_sample(ev, 1, FORM_PACKED);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(target, path), 0);
	assert_int_equal(read_prefix(ev, n, &good), 0);
	assert_int_equal(good, n);
	check_alone();
}

/* The file has gone, or another one is there now: neither is touched. */
static void test_moved_away(void **state)
{
	struct trace_event ev = { .kind = TRACE_PROC_START };
	struct trace_writer *w;
	struct stat st;

	(void)state;
	assert_int_equal(trace_create(path, &head, &w), 0);
	assert_int_equal(trace_write(w, &ev), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(trace_finish(w, 1, &summary), 0);
	assert_int_equal(access(path, F_OK), -1);

	assert_int_equal(trace_create(path, &head, &w), 0);
	assert_int_equal(trace_write(w, &ev), 0);
	assert_int_equal(unlink(path), 0);
	spit((const uint8_t *)"other", 5);
	assert_int_equal(trace_finish(w, 1, &summary), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 5);
	check_alone();
}

/* Without descriptors there is no packing, and no harm either. */
static void test_cannot_pack(void **state)
{
	struct trace_event ev[EVENTS_MAX];
	unsigned int n = all_kinds(ev), good;
	struct trace_writer *w;
	struct rlimit lim, none;

	(void)state;
	assert_int_equal(trace_create(path, &head, &w), 0);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(trace_write(w, &ev[i]), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	none = lim;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	good = trace_finish(w, UINT64_MAX, &summary);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	assert_int_equal(good, 0);
	ev[n] = (struct trace_event){ .kind = TRACE_END, .time = UINT64_MAX, .end = summary };
	ev[n].end.events = n;
	assert_int_equal(read_prefix(ev, n + 1, &good), 0);
	assert_int_equal(good, n + 1);
	check_alone();
}

/* A long recording is packed on the way, and goes on after that. */
static void test_pack_on_the_way(void **state)
{
	struct trace_run *many = calloc(TRACE_RUNS_MAX, sizeof(*many));
	struct trace_event ev = { .kind = TRACE_PROC_START }, got;
	unsigned int good = 0, stored, packed;
	struct trace_writer *w;
	struct trace_reader *r;
	size_t len, shrunk = 0, size = 0;
	uint8_t *data;
	char err[200];
	int ret;

	(void)state;
	assert_non_null(many);
	for (int i = 0; i < TRACE_RUNS_MAX; i++)
		many[i] = (struct trace_run){ i * UINT64_C(100000000), 9999999 };
	assert_int_equal(trace_create(path, &head, &w), 0);
	assert_int_equal(trace_write(w, &ev), 0);
	for (int i = 0; i < 700; i++) {
		struct stat st;

		ev = (struct trace_event){ .kind = TRACE_TOUCH, .time = i,
					   .touch = { TRACE_TOUCH_ANON, TRACE_RUNS_MAX, many } };
		assert_int_equal(trace_write(w, &ev), 0);
		assert_int_equal(trace_flush(w), 0);
		assert_int_equal(stat(path, &st), 0);
		shrunk += (size_t)st.st_size < size;
		size = st.st_size;
	}
	assert_int_equal(shrunk, 1);
	trace_abandon(w);
	check_alone();
	data = slurp(&len);
	count_chunks(data, len, &stored, &packed);
	assert_true(stored && packed);
	free(data);
	assert_int_equal(trace_open(path, &r, err, sizeof(err)), 0);
	while ((ret = trace_next(r, &got)) == 1)
		good++;
	assert_int_equal(ret, TRACE_TRUNCATED);
	assert_int_equal(good, 701);
	trace_close(r);
	free(many);
}

/* The disk is full in the middle: told, and what is there stays as it was. */
static void test_disk_full(void **state)
{
	struct trace_event ev[EVENTS_MAX];
	unsigned int n = all_kinds(ev), good, written;
	struct rlimit lim, less;
	struct trace_writer *w;
	struct stat st;
	int ret = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &lim), 0);
	for (rlim_t size = 300; size < 700; size += 7) {
		less = lim;
		less.rlim_cur = size;
		assert_int_equal(trace_create(path, &head, &w), 0);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
		for (written = 0; !ret && written < n; written++) {
			assert_int_equal(trace_write(w, &ev[written]), 0);
			ret = trace_flush(w);
		}
		assert_int_equal(ret, -EFBIG);
		assert_int_equal(trace_sync(w), -EFBIG);
		assert_int_equal(trace_write(w, &ev[written]), -EFBIG);
		ret = trace_finish(w, 1, &summary);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
		assert_int_equal(ret, -EFBIG);
		assert_int_equal(stat(path, &st), 0);
		assert_true((rlim_t)st.st_size <= size);
		assert_int_equal(read_prefix(ev, n, &good), TRACE_TRUNCATED);
		assert_int_equal(good, written - 1);
		ret = 0;
	}
	signal(SIGXFSZ, SIG_DFL);
}

/* Only a regular file can be a trace; and no one waits for a reader. */
static void test_not_regular(void **state)
{
	struct trace_writer *w;

	(void)state;
	assert_int_equal(trace_create("/dev/full", &head, &w), -ESPIPE);
	assert_int_equal(trace_create("/dev/null", &head, &w), -ESPIPE);
	assert_int_equal(trace_create(dir, &head, &w), -EISDIR);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(trace_create(path, &head, &w), -ESPIPE);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_zero_tail),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_random_damage),
		cmocka_unit_test(test_impossible_values),
		cmocka_unit_test(test_newer_minor),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_writer_refuses),
		cmocka_unit_test(test_stored_flags),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_moved_away),
		cmocka_unit_test(test_cannot_pack),
		cmocka_unit_test(test_pack_on_the_way),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_not_regular),
	};
	int failed;

	memset(long_name, 'n', TRACE_NAME_MAX);
	if (!mkdtemp(dir))
		return 99;
	snprintf(path, sizeof(path), "%s/trace", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return failed;
}
