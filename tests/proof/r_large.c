// SPDX-License-Identifier: GPL-2.0
/*
 * Rows about large numbers. With PROOF_FULL=1 in the environment, as in the proof suite,
 * the numbers are those of the requirements; else smaller ones of the same order of growth.
 */
#include <stdlib.h>
#include "inside.h"

static bool full(void)
{
	const char *value = getenv("PROOF_FULL");

	return value && *value == '1';
}

/*
 * R34: a process forks, its child writes to a page, the parent exits, and so on. At every
 * 1,000th generation the objects are counted.
 *
 * Regular, as Linux: every second anon_vma of the line is reused, so that of each VMA there
 * are two, and the first of all, which counts itself as its child and is never reused; and
 * as many chain entries. Lazy: a line of 16, the depth at which children join.
 */
static void r34_generations(void **state)
{
	unsigned long i, nr = full() ? 1000000 : 20000;
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	uint64_t anon_vmas = 0, avcs = 0;

	t_map(mm, BASE, 2);
	t_write(mm, BASE, 2, 1);
	t_map(mm, BASE + 8 * PG, 2);
	t_write(mm, BASE + 8 * PG, 2, 100);
	for (i = 1; i <= nr; i++) {
		child = t_fork(mm);
		t_write(child, BASE + PG, 1, i);
		um_exit(mm);
		mm = child;
		if (i % 1000)
			continue;
		anon_vmas = max(anon_vmas, t_stats(t).objects[UM_OBJ_ANON_VMA].live);
		avcs = max(avcs, t_stats(t).objects[UM_OBJ_AVC].live);
	}
	print_message("# r34 %s: %lu generations, anon_vmas %llu, chain entries %llu\n",
		      t->topology, nr, (unsigned long long)anon_vmas, (unsigned long long)avcs);
	if (t->lazy) {
		assert_true(anon_vmas <= 16);
		assert_int_equal(avcs, 0);
		assert_true(t_stats(t).joins >= nr - 16);
	} else {
		assert_true(anon_vmas <= 2 * (2 + 1));
		assert_true(avcs <= 2 * (2 + 1));
	}
	t_migrate(t);
	t_expect(mm, BASE, 1, 1);
	t_expect(mm, BASE + PG, 1, nr);
	t_expect(mm, BASE + 8 * PG, 2, 100);
}

/*
 * R34: a nest of forks, of which each parent lives until the last child is born; then all
 * but that die, the oldest first. Lazy: 10,000, and what is left of them is bounded by the
 * depth of joining. Regular: the leaf's VMA keeps a chain entry to each ancestor's
 * anon_vma; with 10,000 that would be 50 million entries on the way, so 500 it is.
 */
static void r34_nested_forks(void **state)
{
	struct t *t = *state;
	unsigned long i, nr = !t->lazy ? 500 : full() ? 10000 : 2000;
	struct mm_struct **mm = calloc(nr, sizeof(*mm));

	assert_non_null(mm);
	mm[0] = t_mm(t);
	t_map(mm[0], BASE, 2);
	t_write(mm[0], BASE, 2, 1);
	for (i = 1; i < nr; i++) {
		mm[i] = t_fork(mm[i - 1]);
		t_write(mm[i], BASE + PG, 1, i);
	}
	if (t->lazy)
		assert_int_equal(live(t, UM_OBJ_ANON_VMA), 16);
	else
		assert_int_equal(live(t, UM_OBJ_ANON_VMA), nr);
	assert_int_equal(walk_all(folio_at(mm[0], BASE)).found, nr);
	for (i = 0; i + 1 < nr; i++)
		um_exit(mm[i]);
	if (t->lazy) {
		assert_true(live(t, UM_OBJ_ANON_VMA) <= 16);
		assert_int_equal(live(t, UM_OBJ_AVC), 0);
	} else {
		assert_int_equal(live(t, UM_OBJ_ANON_VMA), nr);
		assert_int_equal(live(t, UM_OBJ_AVC), nr);
	}
	t_migrate(t);
	t_expect(mm[nr - 1], BASE, 1, 1);
	t_expect(mm[nr - 1], BASE + PG, 1, nr - 1);
	free(mm);
}

/*
 * R37: 70,000 sharers of one page: counts of mappings, references, children, swap entries
 * and installed migration entries pass 16 bits.
 */
static void r37_70000_sharers(void **state)
{
	unsigned long i, nr = full() ? 70000 : 5000;
	struct mm_struct **mm = calloc(nr, sizeof(*mm));
	struct t *t = *state;
	struct folio *folio;

	assert_non_null(mm);
	mm[0] = t_mm(t);
	t_map(mm[0], BASE, 1);
	t_write(mm[0], BASE, 1, 7);
	for (i = 1; i < nr; i++)
		mm[i] = t_fork(mm[0]);
	folio = folio_at(mm[0], BASE);
	assert_int_equal(folio_mapcount(folio), nr);
	assert_int_equal(walk_all(folio).found, nr);
	migrate_one(t, mm[0], BASE);
	assert_int_equal(count_entries(t, pte_is_migration), 0);
	folio = folio_at(mm[0], BASE);
	assert_int_equal(folio_mapcount(folio), nr);
	assert_int_equal(walk_all(folio).found, nr);
	reference_one(mm[0], BASE);
	swap_out_one(t, mm[0], BASE);
	assert_int_equal(swap_count(t->world, pte_pfn(entry_at(mm[0], BASE))), nr);
	assert_int_equal(count_entries(t, pte_is_swap), nr);
	for (i = 0; i < nr; i++)
		t_expect(mm[i], BASE, 1, 7);
	folio = folio_at(mm[0], BASE);
	assert_int_equal(folio_mapcount(folio), nr);
	for (i = 1; i < nr; i++)
		um_exit(mm[i]);
	assert_int_equal(folio_mapcount(folio), 1);
	assert_int_equal(walk_all(folio).found, 1);
	free(mm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(r34_generations),
		ROW(r34_nested_forks),
		ROW(r37_70000_sharers),
	};

	return um_test_main(tests);
}
