// SPDX-License-Identifier: GPL-2.0
/*
 * Random changes of a piece of address space, and the model of what it must hold.
 *
 * Every operation is done to the kernel and to the model; an operation that the kernel
 * may refuse (mremap over several VMAs) leaves the model as the kernel left the pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "pages.h"
#include "pressure.h"
#include "window.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#ifndef MADV_COLD
#define MADV_COLD		20
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#define FILE_PAGES	64
#define FILE_TOKEN	0x00f11e0000000000ull
#define SAME_TOKEN	0x005a3e0000000000ull	/* of pages that KSM may merge */
#define MAX_DEPTH	3
#define MAX_OFFLINED	4

void window_init(struct window *w, void *base, size_t pages, unsigned int ops, uint64_t stream)
{
	memset(w, 0, sizeof(*w));
	w->base = base;
	w->pages = pages;
	w->ops = ops;
	w->page = calloc(pages, sizeof(*w->page));
	must(w->page, "no memory");
	rnd_init(&w->r, stream);
	/* No two windows or processes write the same token. */
	w->next_token = (stream + 1) << 40 | 1;
	w->file = ops & W_MAP_FILE ? private_file(FILE_PAGES, FILE_TOKEN) : -1;
	w->zero = ops & W_MAP_ZERO ? open("/dev/zero", O_RDWR | O_CLOEXEC) : -1;
}

static void *address(const struct window *w, size_t i)
{
	return w->base + i * PG;
}

static void pick(struct window *w, size_t *first, size_t *n)
{
	size_t most = w->pages;

	/* Mostly a few pages, sometimes a lot. */
	if (rnd_below(&w->r, 8))
		most = most < 16 ? most : 16;
	*n = 1 + rnd_below(&w->r, most);
	*first = rnd_below(&w->r, w->pages - *n + 1);
}

/* The run of mapped pages that @first is in or before: what an operation may work on. */
static bool pick_mapped(struct window *w, size_t *first, size_t *n)
{
	size_t i, most;

	pick(w, first, n);
	for (i = 0; i < w->pages && !w->page[*first].mapped; i++)
		*first = (*first + 1) % w->pages;
	for (most = *n, *n = 0; *n < most && *first + *n < w->pages; ++*n)
		if (!w->page[*first + *n].mapped)
			break;
	return *n;
}

static void forget(struct window *w, size_t first, size_t n)
{
	memset(&w->page[first], 0, n * sizeof(*w->page));
}

static void do_map(struct window *w, unsigned int op)
{
	size_t first, n, i, offset = 0;
	int fd = -1, flags = MAP_PRIVATE | MAP_FIXED;
	void *got;

	pick(w, &first, &n);
	if (op == W_MAP) {
		flags |= MAP_ANONYMOUS;
	} else if (op == W_MAP_ZERO) {
		fd = w->zero;
	} else {
		fd = w->file;
		n = n < FILE_PAGES ? n : FILE_PAGES;
		offset = rnd_below(&w->r, FILE_PAGES - n + 1);
	}
	got = mmap(address(w, first), n * PG, RW, flags, fd, (off_t)(offset * PG));
	must(got == address(w, first), "mmap: %s", strerror(errno));
	for (i = 0; i < n; i++) {
		uint64_t clean = op == W_MAP_FILE ? FILE_TOKEN + offset + i : 0;

		w->page[first + i] = (struct window_page){ clean, clean, 1, RW };
	}
}

static void do_unmap(struct window *w, size_t first, size_t n)
{
	unmap(address(w, first), n);
	forget(w, first, n);
}

static void do_protect(struct window *w)
{
	static const int prots[] = { RW, RW, PROT_READ, PROT_NONE };
	int prot = prots[rnd_below(&w->r, 4)];
	size_t first, n, i;

	if (!pick_mapped(w, &first, &n))
		return;
	protect(address(w, first), n, prot);
	for (i = 0; i < n; i++)
		w->page[first + i].prot = (uint8_t)prot;
}

/* [from, from + n) and [to, to + n) apart from each other; false if there is no room. */
static bool pick_two(struct window *w, size_t *from, size_t *to, size_t *n)
{
	size_t room;

	if (!pick_mapped(w, from, n))
		return false;
	room = w->pages - *from - *n;
	if (room >= *n && (rnd(&w->r) & 1 || *from < *n))
		*to = *from + *n + rnd_below(&w->r, room - *n + 1);
	else if (*from >= *n)
		*to = rnd_below(&w->r, *from - *n + 1);
	else
		return false;
	return true;
}

static void do_move(struct window *w, int flags)
{
	size_t from, to, n, i;
	void *got;

	if (!pick_two(w, &from, &to, &n))
		return;
	got = mremap(address(w, from), n * PG, n * PG, MREMAP_MAYMOVE | MREMAP_FIXED | flags,
		     address(w, to));
	if (got == MAP_FAILED) {
		/*
		 * More than one VMA, or a locked one. What was at the new place may be gone,
		 * and kernels that take several VMAs may have moved some of them.
		 */
		must(errno == EFAULT || errno == EINVAL || errno == EAGAIN, "mremap: %s",
		     strerror(errno));
		do_unmap(w, from, n);
		do_unmap(w, to, n);
		return;
	}
	memcpy(&w->page[to], &w->page[from], n * sizeof(*w->page));
	if (!flags)
		forget(w, from, n);
	for (i = 0; flags && i < n; i++)
		w->page[from + i].holds = w->page[from + i].clean;
}

static void do_resize(struct window *w)
{
	size_t first, n, i, room = 0;

	if (!pick_mapped(w, &first, &n))
		return;
	if (n > 1 && rnd(&w->r) & 1) {
		void *got = mremap(address(w, first), n * PG, PG, 0);

		/* A shrink is an unmap of the rest, whatever VMAs are there. */
		must(got == address(w, first), "mremap, shrinking: %s", strerror(errno));
		forget(w, first + 1, n - 1);
		return;
	}
	while (first + n + room < w->pages && !w->page[first + n + room].mapped && room < 8)
		room++;
	/* A file mapping would grow over pages that the file may not have. */
	if (!room || w->page[first + n - 1].clean)
		return;
	if (mremap(address(w, first), n * PG, (n + room) * PG, 0) == MAP_FAILED)
		return;
	for (i = 0; i < room; i++)
		w->page[first + n + i] = (struct window_page){ 0, 0, 1, w->page[first].prot };
}

static void do_write(struct window *w, bool same)
{
	size_t first, n, i;

	if (!pick_mapped(w, &first, &n))
		return;
	for (i = first; i < first + n; i++) {
		if (!(w->page[i].prot & PROT_WRITE))
			continue;
		/* What is there before is checked too: a store would hide a wrong page. */
		expect(address(w, i), 1, w->page[i].holds);
		w->page[i].holds = same ? SAME_TOKEN + rnd_below(&w->r, 2) : w->next_token++;
		page_set(address(w, i), w->page[i].holds);
	}
}

static void do_check(struct window *w, size_t first, size_t n)
{
	for (; n--; first++)
		if (w->page[first].mapped && w->page[first].prot & PROT_READ)
			expect(address(w, first), 1, w->page[first].holds);
}

static void do_dontneed(struct window *w)
{
	size_t first, n, i;

	if (!pick_mapped(w, &first, &n))
		return;
	/* Refused for locked pages, after it was done for what comes before them. */
	if (w->ops & W_LOCK)
		munlock(address(w, first), n * PG);
	must(!madvise(address(w, first), n * PG, MADV_DONTNEED), "MADV_DONTNEED: %s",
	     strerror(errno));
	for (i = first; i < first + n; i++)
		w->page[i].holds = w->page[i].clean;
}

static void in_the_fork(void *arg)
{
	struct window *w = arg;
	unsigned int steps = 1 + (unsigned int)rnd_below(&w->r, 12);

	/* The parent goes on with its own numbers. */
	w->r.state ^= (uint64_t)getpid() << 32;
	rnd(&w->r);
	w->next_token |= (uint64_t)getpid() << 16;
	w->depth++;
	if (w->depth >= MAX_DEPTH)
		w->ops &= ~(unsigned int)W_FORK;
	if (rnd(&w->r) & 1)
		do_check(w, 0, w->pages);
	while (steps--)
		window_step(w);
	do_check(w, 0, w->pages);
}

static void do_fork(struct window *w)
{
	uint64_t dice = rnd(&w->r);
	pid_t pid = spawn(in_the_fork, w);

	/* Sometimes the parent changes its side while the child looks at its own. */
	if (dice & 1) {
		do_write(w, false);
		do_unmap(w, 0, 1 + dice / 2 % (w->pages / 8 + 1));
	}
	if (dice & 6)
		reap(pid, 0);
	else
		kill_and_reap(pid);
}

/* A whole huge page, aligned: small and random ranges hardly ever are one. */
static void do_map_huge(struct window *w)
{
	size_t first = rnd_below(&w->r, w->pages / HUGE_PAGES) * HUGE_PAGES, i;
	bool collapse = rnd(&w->r) & 1;

	first += -((uintptr_t)w->base / PG) % HUGE_PAGES;
	if (first + HUGE_PAGES > w->pages)
		return;
	map_anon_at(address(w, first), HUGE_PAGES);
	madvise(address(w, first), HUGE_SIZE, MADV_HUGEPAGE);
	for (i = first; i < first + HUGE_PAGES; i++) {
		w->page[i] = (struct window_page){ w->next_token++, 0, 1, RW };
		page_set(address(w, i), w->page[i].holds);
	}
	if (collapse)
		madvise(address(w, first), HUGE_SIZE, MADV_COLLAPSE);
}

static void do_advice(struct window *w, unsigned int op)
{
	static const int huge[] = { MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE };
	static const int cold[] = { MADV_PAGEOUT, MADV_COLD };
	size_t first, n;

	if (op == W_HUGE && w->pages >= HUGE_PAGES && rnd(&w->r) & 1) {
		do_map_huge(w);
		return;
	}
	if (!pick_mapped(w, &first, &n))
		return;
	if (op == W_HUGE)
		madvise(address(w, first), n * PG, huge[rnd_below(&w->r, 3)]);
	else if (op == W_PAGEOUT)
		madvise(address(w, first), n * PG, cold[rnd_below(&w->r, 2)]);
	else if (op == W_LOCK && rnd(&w->r) & 1)
		mlock(address(w, first), (n < 8 ? n : 8) * PG);
	else if (op == W_LOCK)
		munlock(w->base, w->pages * PG);
	else if (op == W_SOFT_OFFLINE && w->offlined++ < MAX_OFFLINED)
		madvise(address(w, first), PG, MADV_SOFT_OFFLINE);
}

void window_step(struct window *w)
{
	size_t first, n;
	unsigned int op;

	do
		op = 1u << rnd_below(&w->r, 17);
	while (!(op & w->ops));
	__atomic_store_n(&w->steps, w->steps + 1, __ATOMIC_RELAXED);
	switch (op) {
	case W_MAP:
	case W_MAP_FILE:
	case W_MAP_ZERO:
		do_map(w, op);
		break;
	case W_UNMAP:
		pick(w, &first, &n);
		do_unmap(w, first, n);
		break;
	case W_PROTECT:
		do_protect(w);
		break;
	case W_MOVE:
		do_move(w, 0);
		break;
	case W_DONTUNMAP:
		do_move(w, MREMAP_DONTUNMAP);
		break;
	case W_RESIZE:
		do_resize(w);
		break;
	case W_WRITE:
		do_write(w, false);
		break;
	case W_MERGEABLE:
		do_write(w, true);
		if (pick_mapped(w, &first, &n))
			madvise(address(w, first), n * PG, MADV_MERGEABLE);
		break;
	case W_CHECK:
		pick(w, &first, &n);
		do_check(w, first, n);
		break;
	case W_DONTNEED:
		do_dontneed(w);
		break;
	case W_FORK:
		do_fork(w);
		break;
	default:
		do_advice(w, op);
	}
}

void window_check(struct window *w)
{
	size_t i;

	for (i = 0; i < w->pages; i++) {
		if (!w->page[i].mapped)
			continue;
		if (!(w->page[i].prot & PROT_READ)) {
			protect(address(w, i), 1, PROT_READ);
			w->page[i].prot = PROT_READ;
		}
		expect(address(w, i), 1, w->page[i].holds);
	}
}

static bool is_private_page(struct window *w, size_t i)
{
	return w->page[i].mapped && w->page[i].holds != w->page[i].clean &&
	       !(pagemap(address(w, i)) & PM_FILE);
}

void window_must_be_found(struct window *w)
{
	size_t i, n;

	munlock(w->base, w->pages * PG);
	window_check(w);
	for (i = 0; i < w->pages; i += n + 1) {
		for (n = 0; i + n < w->pages && is_private_page(w, i + n); n++)
			;
		if (n)
			must_be_found(address(w, i), n);
	}
	window_check(w);
}

void window_exit(struct window *w)
{
	window_check(w);
	unmap(w->base, w->pages);
	free(w->page);
	if (w->file >= 0)
		close(w->file);
	if (w->zero >= 0)
		close(w->zero);
}
