// SPDX-License-Identifier: GPL-2.0
/*
 * Which pages of a process are anonymous, from /proc/PID/pagemap.
 *
 * A scan compares what is there with the set of pages known so far, in leaves
 * of 512 pages. New pages are reported; pages that are gone are forgotten, so
 * that they are reported again when they come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "recorder.h"

/* From the kernel's interface; headers older than Linux 6.7 lack it. */
struct scan_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define SCAN_IOCTL		_IOWR('f', 16, struct scan_arg)
#define SCAN_FILE		(1u << 2)
#define SCAN_PRESENT		(1u << 3)
#define SCAN_SWAPPED		(1u << 4)
#define SCAN_ZERO		(1u << 5)
#define SCAN_HUGE		(1u << 6)

/* One entry of pagemap. */
#define ENTRY_PRESENT		(UINT64_C(1) << 63)
#define ENTRY_SWAPPED		(UINT64_C(1) << 62)
#define ENTRY_FILE		(UINT64_C(1) << 61)
#define ENTRY_EXCLUSIVE		(UINT64_C(1) << 56)
#define ENTRY_FRAME		((UINT64_C(1) << 55) - 1)

#define REGIONS			1024
#define ENTRIES			4096
/* How far below its mapping a stack may have grown, for the reading of pagemap. */
#define STACK_GROWTH		(UINT64_C(8) << 20)
/* A full scan may take one part in so many of a process's time. */
#define SCAN_SHARE		20

struct run_list {
	uint32_t count;
	struct trace_run runs[TRACE_RUNS_MAX];
};

/* A scan under way. Only one at a time, and large: see the static one below. */
struct scan {
	struct recorder *rec;
	struct task *task;
	struct mm *mm;
	int fd;
	bool fork;
	uint64_t next_key;		/* leaves below are done with */
	bool open;			/* a leaf is being collected: */
	uint64_t key;
	bool huge;
	uint64_t seen[LEAF_WORDS];
	struct run_list lists[TRACE_TOUCH_KIND_LIMIT];
};

static struct scan the_scan;

static void emit_runs(struct scan *s, uint32_t kind)
{
	struct run_list *list = &s->lists[kind];
	struct trace_event ev = { .kind = TRACE_TOUCH };

	if (!list->count)
		return;
	ev.touch.kind = kind;
	ev.touch.nruns = list->count;
	ev.touch.runs = list->runs;
	recorder_emit(s->rec, s->task->proc, &ev);
	list->count = 0;
}

static void add_run(struct scan *s, uint32_t kind, uint64_t first, uint64_t count)
{
	struct run_list *list = &s->lists[kind];
	struct trace_run *last = list->count ? &list->runs[list->count - 1] : NULL;

	if (last && last->first + last->count == first) {
		last->count += count;
		return;
	}
	if (list->count == TRACE_RUNS_MAX)
		emit_runs(s, kind);
	list->runs[list->count++] = (struct trace_run){ first, count };
}

/* Report new pages [first, end) by what is mapped there. */
static void add_new(struct scan *s, uint64_t first, uint64_t end)
{
	struct map_list *maps = &s->mm->maps;
	unsigned int shift = s->rec->page_shift;

	while (first < end) {
		size_t i = map_list_lower(maps, first << shift);
		struct map *m = i < maps->count ? &maps->maps[i] : NULL;
		uint32_t kind = TRACE_TOUCH_ANON;
		uint64_t stop = end;

		/* Above the gap below a stack: the stack has grown. */
		if (m && m->stack && m->start > first << shift)
			m->start = first << shift;
		if (m && m->start <= first << shift) {
			if (m->file && !m->shared)
				kind = TRACE_TOUCH_FILE_COW;
			if (m->end >> shift < stop)
				stop = m->end >> shift;
		} else if (m && m->start >> shift < stop) {
			stop = m->start >> shift;
		}
		add_run(s, kind, first, stop - first);
		first = stop;
	}
}

static void add_new_bits(struct scan *s, uint64_t base, const uint64_t *bits)
{
	unsigned int p = 0;

	while (p < LEAF_PAGES) {
		unsigned int q;

		if (!(bits[p / 64] >> p % 64)) {
			p = (p / 64 + 1) * 64;
			continue;
		}
		p += __builtin_ctzll(bits[p / 64] >> p % 64);
		q = p + 1;
		while (q < LEAF_PAGES && bits[q / 64] >> q % 64 & 1)
			q++;
		add_new(s, base + p, base + q);
		p = q;
	}
}

static uint32_t entry_frame(uint64_t entry)
{
	return entry & ENTRY_PRESENT ? entry & ENTRY_FRAME : 0;
}

static bool bit(const uint64_t *bits, unsigned int p)
{
	return bits[p / 64] >> p % 64 & 1;
}

/*
 * Compare the frames of pages that a fork shared with what they were, and
 * remember them if there is a fork now. A frame number of 0 is one that is not
 * known: the page was in swap.
 */
static int check_frames(struct scan *s, struct page_leaf *leaf)
{
	static uint64_t entries[LEAF_PAGES];
	const uint64_t *want = s->fork ? leaf->known : leaf->shared;
	uint64_t base = s->key * LEAF_PAGES;
	unsigned int from = LEAF_PAGES, to = 0;
	ssize_t n;

	for (unsigned int w = 0; w < LEAF_WORDS; w++) {
		if (!want[w])
			continue;
		if (from == LEAF_PAGES)
			from = w * 64 + __builtin_ctzll(want[w]);
		to = w * 64 + 64 - __builtin_clzll(want[w]);
	}
	if (from >= to)
		return 0;
	if (s->rec->frames && page_leaf_frames(leaf))
		return -ENOMEM;
	n = pread(s->fd, entries + from, (to - from) * 8, (base + from) * 8);
	if (n < 0)
		return 0;
	to = from + n / 8;
	for (unsigned int p = from; p < to; p++) {
		uint64_t mask = UINT64_C(1) << p % 64;
		uint32_t frame = entry_frame(entries[p]);
		bool cow = false;

		if (!bit(leaf->known, p))
			continue;
		if (bit(leaf->shared, p)) {
			if (!s->rec->frames)
				cow = entries[p] & ENTRY_EXCLUSIVE;
			else if (frame && leaf->frames[p])
				cow = frame != leaf->frames[p];
			else
				leaf->frames[p] = frame;
		}
		if (cow) {
			add_run(s, TRACE_TOUCH_COW, base + p, 1);
			leaf->shared[p / 64] &= ~mask;
		}
		if (s->fork) {
			leaf->shared[p / 64] |= mask;
			if (s->rec->frames)
				leaf->frames[p] = frame;
		}
	}
	return 0;
}

/* The leaf being collected is complete: compare and report. */
static void finish_leaf(struct scan *s)
{
	struct page_set *set = &s->mm->pages;
	size_t i = page_set_lower(set, s->next_key);
	size_t j = page_set_lower(set, s->key);
	uint64_t fresh[LEAF_WORDS], any_new = 0, any_gone = 0, any_shared = 0;
	const struct page_leaf *old = NULL;
	struct page_leaf *leaf;

	/* Leaves in between had pages once and have none now. */
	page_set_drop_leaves(set, i, j);
	s->next_key = s->key + 1;
	s->open = false;
	if (i < set->count && set->slots[i].key == s->key)
		old = set->slots[i].leaf;
	for (unsigned int w = 0; w < LEAF_WORDS; w++) {
		uint64_t known = old ? old->known[w] : 0;

		fresh[w] = s->seen[w] & ~known;
		any_new |= fresh[w];
		any_gone |= known & ~s->seen[w];
		any_shared |= old ? old->shared[w] : 0;
	}
	/* The usual case, and the leaf may be shared with another process. */
	if (old && !any_new && !any_gone && !any_shared && !s->fork && old->huge == s->huge)
		return;

	leaf = page_set_write(set, s->key);
	if (!leaf) {
		recorder_fail(s->rec, -ENOMEM);
		return;
	}
	if (s->huge && (!leaf->huge || any_new))
		add_run(s, TRACE_TOUCH_HUGE, s->key * LEAF_PAGES, LEAF_PAGES);
	else if (any_new)
		add_new_bits(s, s->key * LEAF_PAGES, fresh);
	for (unsigned int w = 0; w < LEAF_WORDS; w++) {
		leaf->known[w] = s->seen[w];
		leaf->shared[w] &= s->seen[w];
	}
	leaf->huge = s->huge;
	if ((any_shared || s->fork) && check_frames(s, leaf))
		recorder_fail(s->rec, -ENOMEM);
}

/* Pages [first, end) were found. */
static void found(struct scan *s, uint64_t first, uint64_t end, bool huge)
{
	while (first < end) {
		uint64_t key = first / LEAF_PAGES;
		unsigned int from = first % LEAF_PAGES;
		unsigned int to = end - key * LEAF_PAGES < LEAF_PAGES ?
			end - key * LEAF_PAGES : LEAF_PAGES;

		if (s->open && s->key != key)
			finish_leaf(s);
		if (!s->open) {
			s->open = true;
			s->key = key;
			memset(s->seen, 0, sizeof(s->seen));
			s->huge = huge && from == 0 && to == LEAF_PAGES;
		}
		for (unsigned int p = from; p < to; p++)
			s->seen[p / 64] |= UINT64_C(1) << p % 64;
		first = key * LEAF_PAGES + to;
	}
}

/*
 * Where to go on after PAGEMAP_SCAN has given n regions. Not always at walk_end:
 * the kernel (seen in 6.12 and 6.18) gathers no more than a page table's worth of
 * entries, 512, before it copies them out and goes on; once that has happened, and
 * the rest fits, walk_end still tells of the place of the last copying, with what was
 * found beyond it among the regions. Regions come in order, so all before the end of
 * the last one has been looked at. To see pages twice would not do: a leaf that is
 * done with would be taken for one without known pages.
 */
static uint64_t walked(const struct scan_arg *arg, const struct scan_region *regions, int n)
{
	uint64_t last = n ? regions[n - 1].end : 0;

	return last > arg->walk_end ? last : arg->walk_end;
}

/* Ask the kernel for anonymous pages in [start, end). Returns 0 or -errno. */
static int walk_ioctl(struct scan *s, uint64_t start, uint64_t end)
{
	static struct scan_region regions[REGIONS];
	unsigned int shift = s->rec->page_shift;
	/* There is no telling where the pages of a partly scanned huge page end. */
	bool huge = s->rec->page_size == 4096;

	while (start < end) {
		struct scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = end,
			.vec = (uintptr_t)regions,
			.vec_len = REGIONS,
			.category_inverted = SCAN_FILE | SCAN_ZERO,
			.category_mask = SCAN_FILE | SCAN_ZERO,
			.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
			.return_mask = SCAN_HUGE,
		};
		int n = ioctl(s->fd, SCAN_IOCTL, &arg);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (int i = 0; i < n; i++)
			found(s, regions[i].start >> shift, regions[i].end >> shift,
			      huge && regions[i].categories & SCAN_HUGE);
		if (walked(&arg, regions, n) <= start)
			break;
		start = walked(&arg, regions, n);
	}
	return 0;
}

/* Same by reading the entries of every page of a range. */
static int walk_read(struct scan *s, uint64_t start, uint64_t end)
{
	static uint64_t entries[ENTRIES];
	uint64_t page = start >> s->rec->page_shift;
	uint64_t last = end >> s->rec->page_shift;

	while (page < last) {
		size_t want = last - page < ENTRIES ? last - page : ENTRIES;
		ssize_t n = pread(s->fd, entries, want * 8, page * 8);

		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (ssize_t i = 0; i < n / 8; i++) {
			uint64_t e = entries[i];

			if (!(e & (ENTRY_PRESENT | ENTRY_SWAPPED)) || e & ENTRY_FILE)
				continue;
			if (s->rec->frames && entry_frame(e) == s->rec->zero_frame)
				continue;
			found(s, page + i, page + i + 1, false);
		}
		page += n / 8;
	}
	return 0;
}

/* Read what may hold anonymous pages in [start, end). */
static int walk_maps(struct scan *s, uint64_t start, uint64_t end)
{
	const struct map_list *maps = &s->mm->maps;
	uint64_t floor = start;
	int ret = 0;

	for (size_t i = map_list_lower(maps, start); !ret && i < maps->count; i++) {
		const struct map *m = &maps->maps[i];
		uint64_t from = m->start;
		uint64_t to = m->end < end ? m->end : end;

		if (m->stack)
			from -= from < STACK_GROWTH ? from : STACK_GROWTH;
		if (from < floor)
			from = floor;
		if (from >= end)
			break;
		if (!m->shared && from < to)
			ret = walk_read(s, from, to);
		floor = m->end;
	}
	return ret;
}

static int open_pagemap(struct recorder *rec, const struct task *task)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)task->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && rec->fds < rec->fds_max) {
		task->mm->pagemap = fd;
		rec->fds++;
	}
	return fd;
}

/* Scan [start, end), widened to whole leaves. */
static void scan(struct recorder *rec, struct task *task, uint64_t start, uint64_t end, bool fork)
{
	struct scan *s = &the_scan;
	struct mm *mm = task->mm;
	uint64_t leaf = (uint64_t)LEAF_PAGES << rec->page_shift;
	uint64_t top = mm->maps.count ? mm->maps.maps[mm->maps.count - 1].end : 0;
	uint64_t began, took, end_key;
	int ret;

	start &= ~(leaf - 1);
	end_key = (end + leaf - 1) / leaf;
	/* Not beyond what is mapped: the kernel refuses addresses of its own. */
	end = end_key * leaf < top ? end_key * leaf : top;
	if (start >= end)
		return;
	began = recorder_clock();
	s->rec = rec;
	s->task = task;
	s->mm = mm;
	s->fork = fork;
	s->open = false;
	s->next_key = start / leaf;
	s->fd = mm->pagemap >= 0 ? mm->pagemap : open_pagemap(rec, task);
	if (s->fd < 0)
		return;
	ret = rec->ioctl ? walk_ioctl(s, start, end) : walk_maps(s, start, end);
	if (s->open)
		finish_leaf(s);
	/* After a scan that failed (the process was killed), nothing is known to be gone. */
	if (!ret)
		page_set_drop_leaves(&mm->pages, page_set_lower(&mm->pages, s->next_key),
				     page_set_lower(&mm->pages, end_key));
	for (uint32_t k = 0; k < TRACE_TOUCH_KIND_LIMIT; k++)
		emit_runs(s, k);
	if (mm->pagemap < 0)
		close(s->fd);
	took = recorder_clock() - began;
	rec->res->scans++;
	rec->res->scan_ns += took;
	if (end == top && !start) {
		uint64_t gap = took * SCAN_SHARE;

		mm->next_scan = rec->now + (gap > rec->scan_gap ? gap : rec->scan_gap);
	}
}

static bool can_scan(const struct task *task)
{
	return task->mm && task->proc && task->proc->started && !task->proc->foreign;
}

void scan_full(struct recorder *rec, struct task *task, bool fork)
{
	if (can_scan(task))
		scan(rec, task, 0, UINT64_MAX / 2, fork);
}

void scan_neighbours(struct recorder *rec, struct task *task, uint64_t start, uint64_t len)
{
	const uint64_t at[2] = { start - 1, start + len };

	if (!can_scan(task) || !start)
		return;
	for (int i = 0; i < 2; i++) {
		const struct map_list *maps = &task->mm->maps;
		size_t k = map_list_lower(maps, at[i]);
		const struct map *m = &maps->maps[k];

		if (k == maps->count || m->start > at[i] || m->shared)
			continue;
		if (!page_set_any(&task->mm->pages, m->start >> rec->page_shift,
				  (m->end - m->start) >> rec->page_shift))
			scan(rec, task, m->start, m->end, false);
	}
}

void scan_range(struct recorder *rec, struct task *task, uint64_t start, uint64_t len)
{
	if (!can_scan(task) || start > UINT64_MAX / 2 || len > UINT64_MAX / 2)
		return;
	len = (len + rec->page_size - 1) & ~(uint64_t)(rec->page_size - 1);
	scan(rec, task, start, start + len, false);
	scan_neighbours(rec, task, start, len);
}

void scan_close(struct recorder *rec, struct mm *mm)
{
	if (mm->pagemap < 0)
		return;
	close(mm->pagemap);
	mm->pagemap = -1;
	rec->fds--;
}

int scan_setup(struct recorder *rec, const struct record_options *opt, uint32_t *flags)
{
	struct scan_arg arg = { .size = sizeof(arg), .category_anyof_mask = SCAN_PRESENT,
				.return_mask = SCAN_PRESENT };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	volatile char *page;
	uint64_t entry = 0;
	int ret = 0;

	if (fd < 0)
		return -errno;
	page = mmap(NULL, rec->page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		ret = -errno;
		goto out;
	}
	/* A page that was only read is the shared zero page. */
	(void)*page;
	if (pread(fd, &entry, 8, ((uintptr_t)page >> rec->page_shift) * 8) != 8)
		ret = -EIO;
	arg.start = (uintptr_t)page;
	arg.end = arg.start + rec->page_size;
	rec->ioctl = !opt->no_scan_ioctl && ioctl(fd, SCAN_IOCTL, &arg) >= 0;
	munmap((void *)page, rec->page_size);
	rec->zero_frame = entry_frame(entry);
	rec->frames = rec->zero_frame && !opt->no_frames;
	*flags = (rec->ioctl ? TRACE_F_SCAN_IOCTL : 0) |
		 (rec->frames ? TRACE_F_PFN : TRACE_F_EXCLUSIVE) |
		 (rec->ioctl || rec->frames ? 0 : TRACE_F_ZERO_UNKNOWN);
out:
	close(fd);
	return ret;
}
