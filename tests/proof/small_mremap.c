// SPDX-License-Identifier: GPL-2.0
/*
 * R06, R21, R28: every form of mremap, over whatever stands at the target
 *
 *	source	12 pages at BASE, of each enum source; the whole, the start, the middle or
 *		the end of it is moved
 *	form	same size, shrinking, growing, MREMAP_DONTUNMAP
 *	target	8 pages from FAR on, of each enum target, with 4 pages on both sides that
 *		stay where the target is cut out of something
 *
 * After each: every page of the source and around the target is found, and holds what it
 * held; again from swap; again when it has been moved back; and in a child.
 */
#include "small.h"

enum source { UNFAULTED, FAULTED, SWAPPED, DISPLACED, SHARED, FILE_PAGES, NR_SOURCES };
enum part { WHOLE, START, MIDDLE, END, NR_PARTS };
enum form { SAME, SHRINK, GROW, KEEP, NR_FORMS };
enum target { NOTHING, FRESH, WRITTEN, MOVED_THERE, A_FILE, PARTLY, NR_TARGETS };

#define PAGES	12
#define AWAY	(BASE + (2UL << 30))

struct history {
	struct t *t;
	enum source source;
	enum part part;
	enum form form;
	enum target target;
	struct mm_struct *mm, *child;
	struct um_file *file;
	/* In pages: of the source; what it becomes; what of that holds what it held. */
	uint64_t first, old, new, moved;
};

static void make_source(struct history *h)
{
	switch (h->source) {
	case DISPLACED:
		t_map(h->mm, AWAY, PAGES);
		t_write(h->mm, AWAY, PAGES, 100);
		t_move(h->mm, AWAY, PAGES, BASE, 0);
		break;
	case FILE_PAGES:
		t_map_file(h->mm, BASE, PAGES, h->file, 30);
		t_write(h->mm, BASE, PAGES, 100);
		break;
	case UNFAULTED:
		t_map(h->mm, BASE, PAGES);
		break;
	default:
		t_map(h->mm, BASE, PAGES);
		t_write(h->mm, BASE, PAGES, 100);
	}
	if (h->source == SHARED)
		h->child = t_fork(h->mm);
	if (h->source == SWAPPED)
		t_swap_out(h->t);
}

static void make_target(struct history *h)
{
	struct mm_struct *mm = h->mm;

	switch (h->target) {
	case NOTHING:
		break;
	case FRESH:
		t_map(mm, FAR - 4 * PG, 16);
		break;
	case WRITTEN:
		t_map(mm, FAR - 4 * PG, 16);
		t_write(mm, FAR - 4 * PG, 16, 800);
		break;
	case MOVED_THERE:
		t_map(mm, AWAY + 64 * PG, 16);
		t_write(mm, AWAY + 64 * PG, 16, 800);
		t_move(mm, AWAY + 64 * PG, 16, FAR - 4 * PG, 0);
		break;
	case A_FILE:
		t_map_file(mm, FAR - 4 * PG, 16, h->file, 70);
		t_write(mm, FAR - 4 * PG, 16, 800);
		break;
	case PARTLY:
		t_map(mm, FAR - 4 * PG, 6);
		t_write(mm, FAR - 4 * PG, 6, 800);
		t_map(mm, FAR + 6 * PG, 6);
		t_write(mm, FAR + 6 * PG, 6, 810);
		break;
	default:
		fail();
	}
}

static void choose_range(struct history *h)
{
	static const struct {
		uint64_t first, old;
	} parts[] = { { 0, 8 }, { 0, 4 }, { 4, 4 }, { 8, 4 } };

	h->first = parts[h->part].first;
	h->old = parts[h->part].old;
	/* The whole is one VMA of 8: the rest of the 12 goes. */
	if (h->part == WHOLE)
		t_unmap(h->mm, BASE + 8 * PG, 4);
	h->new = h->form == SHRINK ? h->old / 2 : h->form == GROW ? 8 : h->old;
	h->moved = h->new < h->old ? h->new : h->old;
}

static void expect_source_rest(struct history *h)
{
	uint64_t i, content;

	for (i = 0; i < (h->part == WHOLE ? 8 : PAGES); i++) {
		uint64_t at = BASE + i * PG;

		if (i >= h->first && i < h->first + h->old) {
			if (h->form != KEEP)
				assert_int_equal(um_read(h->mm, at, &content), -EFAULT);
			else if (h->source != FILE_PAGES)
				t_expect(h->mm, at, 1, 0);
		} else if (h->source == UNFAULTED) {
			t_expect(h->mm, at, 1, 0);
		} else {
			t_expect(h->mm, at, 1, 100 + i);
		}
	}
}

static void expect_moved(struct history *h, uint64_t at)
{
	uint64_t i;

	for (i = 0; i < h->moved; i++)
		t_expect(h->mm, at + i * PG, 1, h->source == UNFAULTED ? 0 : 100 + h->first + i);
}

/* What was cut for the target stays on both sides. */
static void expect_around(struct history *h)
{
	uint64_t i;

	if (h->target == NOTHING || h->target == FRESH)
		return;
	t_expect(h->mm, FAR - 4 * PG, 4, 800);
	for (i = h->new; i < 12 && h->target != PARTLY; i++)
		t_expect(h->mm, FAR + i * PG, 1, 804 + i);
	if (h->target == PARTLY)
		t_expect(h->mm, FAR + 8 * PG, 4, 812);
}

static void expect_child(struct history *h)
{
	if (h->child)
		t_expect(h->child, BASE, 8, 100);
}

static void shake(struct history *h)
{
	t_migrate_if_any(h->t);
	um_reclaim(h->t->world, 1 << 16);
	um_reclaim(h->t->world, 1 << 16);
}

static void one_history(struct history *h)
{
	struct mm_struct *late;
	uint64_t at;

	h->mm = t_mm(h->t);
	h->file = um_file_create(h->t->world, UM_FILE_REGULAR);
	make_source(h);
	make_target(h);
	choose_range(h);
	assert_int_equal(um_mremap(h->mm, BASE + h->first * PG, h->old * PG, h->new * PG,
				   MREMAP_MAYMOVE | MREMAP_FIXED |
				   (h->form == KEEP ? MREMAP_DONTUNMAP : 0), FAR, &at), 0);
	assert_int_equal(at, FAR);
	expect_moved(h, FAR);
	shake(h);
	expect_moved(h, FAR);
	expect_source_rest(h);
	expect_around(h);
	expect_child(h);
	/* Back to where it came from; what MREMAP_DONTUNMAP has left there goes. */
	late = t_fork(h->mm);
	t_move(h->mm, FAR, h->moved, BASE + h->first * PG, 0);
	expect_moved(h, BASE + h->first * PG);
	if (h->source != UNFAULTED)
		t_write(h->mm, BASE + h->first * PG, 1, 4000);
	shake(h);
	um_exit(h->mm);
	h->mm = late;
	expect_moved(h, FAR);
	expect_around(h);
	expect_child(h);
	um_exit(late);
	if (h->child)
		um_exit(h->child);
	um_file_put(h->file);
}

static void every_source(struct t *t, enum source from, enum source to)
{
	unsigned long histories = 0;
	int source, part, form, target;

	for (source = from; source <= (int)to; source++)
	for (part = WHOLE; part < NR_PARTS; part++)
	for (form = SAME; form < NR_FORMS; form++)
	for (target = NOTHING; target < NR_TARGETS; target++, histories++) {
		struct history h = {
			.t = t, .source = source, .part = part, .form = form, .target = target,
		};

		one_history(&h);
	}
	small_done(t, "sources x parts x forms x targets", histories);
}

static void r06_r21_r28_every_mremap_of_own_pages(void **state)
{
	every_source(*state, UNFAULTED, DISPLACED);
}

static void r06_r21_r28_every_mremap_of_shared_pages(void **state)
{
	every_source(*state, SHARED, FILE_PAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SMALL(r06_r21_r28_every_mremap_of_own_pages),
		SMALL(r06_r21_r28_every_mremap_of_shared_pages),
	};

	return um_test_main(tests);
}
