// SPDX-License-Identifier: GPL-2.0
/*
 * R24: every merge case, with neighbours of every kind
 *
 *	BASE	   +4	      +8	 +12
 *	[  prev   ][   mid   ][  next   ]
 *
 * Each of the three is one of enum kind; then something happens to mid, by which all
 * three become alike. The survivor covers every page: all are found, and hold what they
 * held, after migration, from swap, in a child.
 */
#include "small.h"

enum kind {
	ABSENT,
	UNFAULTED,
	FAULTED,		/* in place */
	DISPLACED,		/* moved here, all such by the same distance */
	DISPLACED_ELSE,		/* by a distance of its own: fits to none */
	FORKED,			/* in place, and a child has it too */
	NR_KINDS,
};

enum op {
	MMAP_OVER,		/* mid is mapped anew, with MAP_FIXED */
	MPROTECT,		/* mid had other permissions, and gets the same */
	MREMAP_TO,		/* mid comes from elsewhere */
	UNMAP_AND_MAP,		/* mid goes, and comes anew, in two halves */
	UNMAP_ACROSS,		/* the end of prev and the start of mid go, and come anew */
	NR_OPS,
};

#define PART		(4 * PG)
#define AT(i)		(BASE + (uint64_t)(i) * PART)
#define FROM(i)		(FAR + (uint64_t)(i) * PART)			/* same distance */
#define FROM_ELSE(i)	(FAR + (64 + (uint64_t)(i) * 33) * PG)		/* another each */
#define WAITING		(FAR + 1024 * PG)	/* where mid is before it comes */

struct world3 {
	struct t *t;
	struct mm_struct *mm, *child;
	int kind[3];
	enum op op;
	bool known[3];			/* holds tokens; else zeroes, or nothing */
};

static uint64_t token(int i)
{
	return 1000 * (i + 1);
}

/* Where area i is while it is being made, and where it stands before the operation. */
static bool waits(const struct world3 *w, int i)
{
	return w->op == MREMAP_TO && i == 1;
}

static void map_rwx(struct mm_struct *mm, uint64_t addr)
{
	uint64_t at;

	assert_int_equal(um_mmap(mm, addr, PART, RW | PROT_EXEC, ANON | MAP_FIXED, NULL, 0, &at),
			 0);
}

static void make(struct world3 *w, int i)
{
	uint64_t from = w->kind[i] == DISPLACED ? FROM(i) :
			w->kind[i] == DISPLACED_ELSE ? FROM_ELSE(i) : AT(i);

	if (w->kind[i] == ABSENT)
		return;
	/* mid is kept apart by its permissions where these are what will change. */
	if (w->op == MPROTECT && i == 1)
		map_rwx(w->mm, from);
	else
		t_map(w->mm, from, 4);
	w->known[i] = w->kind[i] != UNFAULTED;
	if (w->known[i])
		t_write(w->mm, from, 4, token(i));
	if (waits(w, i))
		t_move(w->mm, from, 4, WAITING, 0);
	else if (from != AT(i))
		t_move(w->mm, from, 4, AT(i), 0);
}

/* First what a child shall share, then the child, then the rest. mid last if it is to go away
 * first, so that nothing is mapped over. */
static void build(struct world3 *w)
{
	static const int order[] = { 1, 0, 2 };
	bool forks = false;
	int n;

	for (n = 0; n < 3; n++)
		forks |= w->kind[order[n]] == FORKED;
	for (n = 0; n < 3; n++)
		if (w->kind[order[n]] == FORKED)
			make(w, order[n]);
	if (forks)
		w->child = t_fork(w->mm);
	for (n = 0; n < 3; n++)
		if (w->kind[order[n]] != FORKED)
			make(w, order[n]);
}

static void new_mid(struct world3 *w)
{
	w->kind[1] = UNFAULTED;
	w->known[1] = false;
}

/* Afterwards pages @from and on of an area hold what they held, up to @to. */
struct kept {
	int from, to;
};

static void operate(struct world3 *w, struct kept kept[3])
{
	struct mm_struct *mm = w->mm;

	switch (w->op) {
	case MMAP_OVER:
		t_map(mm, AT(1), 4);
		new_mid(w);
		break;
	case MPROTECT:
		if (w->kind[1] != ABSENT)
			t_protect(mm, AT(1), 4, RW);
		break;
	case MREMAP_TO:
		if (w->kind[1] != ABSENT)
			t_move(mm, WAITING, 4, AT(1), 0);
		break;
	case UNMAP_AND_MAP:
		if (w->kind[1] != ABSENT)
			t_unmap(mm, AT(1), 4);
		t_map(mm, AT(1) + 2 * PG, 2);
		t_map(mm, AT(1), 2);
		new_mid(w);
		break;
	case UNMAP_ACROSS:
		t_unmap(mm, AT(0) + 2 * PG, 4);
		t_map(mm, AT(0) + 2 * PG, 4);
		kept[0].to = 2;
		kept[1].from = 2;
		break;
	default:
		fail();
	}
}

static void expect_all(struct world3 *w, const struct kept kept[3])
{
	int i;

	for (i = 0; i < 3; i++)
		if (w->known[i])
			t_expect(w->mm, AT(i) + kept[i].from * PG, kept[i].to - kept[i].from,
				 token(i) + kept[i].from);
}

/*
 * How many VMAs there must be in the lazy topology: neighbours are one exactly if their
 * pages are numbered on. What was moved while it was unfaulted is numbered by its place.
 */
static size_t lazy_vmas(const struct world3 *w)
{
	size_t nr = 0;
	int i, last = ABSENT;

	for (i = 0; i < 3; i++) {
		int kind = w->kind[i];

		if (kind == UNFAULTED || kind == FORKED)
			kind = FAULTED;
		if (kind != ABSENT && (kind != last || kind == DISPLACED_ELSE))
			nr++;
		last = kind;
	}
	return nr;
}

static void check_counts(const struct world3 *w)
{
	size_t nr = t_nr_vmas(w->mm), most = 0;
	int i;

	if (w->op == UNMAP_ACROSS)
		return;
	for (i = 0; i < 3; i++)
		most += w->kind[i] != ABSENT;
	if ((w->t->lazy && nr != lazy_vmas(w)) || nr > most || nr < lazy_vmas(w))
		print_error("%d %d %d, operation %d: %zu VMAs, not %zu\n", w->kind[0], w->kind[1],
			    w->kind[2], w->op, nr, lazy_vmas(w));
	assert_true(nr <= most);
	assert_true(nr >= lazy_vmas(w));
	if (w->t->lazy)
		assert_int_equal(nr, lazy_vmas(w));
}

static void one_history(struct t *t, int prev, int mid, int next, enum op op)
{
	struct world3 w = { .t = t, .mm = t_mm(t), .kind = { prev, mid, next }, .op = op };
	struct kept kept[3] = { { 0, 4 }, { 0, 4 }, { 0, 4 } };
	int i, was[3] = { prev, mid, next };
	struct mm_struct *late;

	build(&w);
	/* A displaced area that nobody has touched was numbered by its place on the way. */
	for (i = 0; i < 3; i++)
		if (!w.known[i] && w.kind[i] != ABSENT)
			w.kind[i] = UNFAULTED;
	operate(&w, kept);
	check_counts(&w);
	expect_all(&w, kept);
	/* mid is used now, whatever it was, and all that is there is shared with one more. */
	if (w.kind[1] != ABSENT || op == UNMAP_ACROSS)
		t_write(w.mm, AT(1) + (op == UNMAP_ACROSS ? PG : 0), 1, 77);
	if (w.kind[1] != ABSENT && op != UNMAP_ACROSS)
		kept[1].from = 1;
	late = t_fork(w.mm);
	t_migrate_if_any(t);
	um_reclaim(t->world, 1 << 16);
	um_reclaim(t->world, 1 << 16);
	expect_all(&w, kept);
	for (i = 0; w.child && i < 3; i++)
		if (was[i] == FORKED)
			t_expect(w.child, waits(&w, i) ? WAITING : AT(i), 4, token(i));
	um_exit(w.mm);
	w.mm = late;
	t_migrate_if_any(t);
	expect_all(&w, kept);
	if (w.child)
		um_exit(w.child);
	um_exit(late);
}

static void r24_every_merge_case(void **state)
{
	struct t *t = *state;
	unsigned long histories = 0;
	int prev, mid, next, op;

	for (prev = ABSENT; prev < NR_KINDS; prev++)
	for (mid = ABSENT; mid < NR_KINDS; mid++)
	for (next = ABSENT; next < NR_KINDS; next++)
	for (op = MMAP_OVER; op < NR_OPS; op++, histories++)
		one_history(t, prev, mid, next, op);
	small_done(t, "neighbours x operations", histories);
}

int main(void)
{
	const struct CMUnitTest tests[] = { SMALL(r24_every_merge_case) };

	return um_test_main(tests);
}
