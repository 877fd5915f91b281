// SPDX-License-Identifier: GPL-2.0
/* What tests of more than one subject do; see core_tests.h. */
#include "core_tests.h"

bool visit(struct folio *folio, struct vm_area_struct *vma, unsigned long address, void *arg)
{
	struct visits *visits = arg;
	struct anon_vma *anon_vma = folio_anon_vma(folio);

	assert_true(visits->nr < MAX_VISITS);
	visits->vma[visits->nr] = vma;
	visits->address[visits->nr++] = address;
	if (visits->disturb) {
		/* What a mutator does to those who do not hold the rwsem. */
		visits->disturb--;
		lazy_anon_vma_adjust_begin(anon_vma);
		lazy_anon_vma_changed(anon_vma);
	}
	if (visits->new_word)
		WRITE_ONCE(folio->mapping, visits->new_word);
	return visits->nr != visits->stop_after;
}

void visits_restart(void *arg)
{
	struct visits *visits = arg;

	visits->restarts++;
	visits->nr = 0;
}

struct visits walk(struct folio *folio)
{
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read };

	rmap_walk_anon(folio, &rwc, false);
	assert_false(rwc.contended);
	return visits;
}

struct visits walk_maybe_lockless(struct folio *folio, int disturb)
{
	struct visits visits = { .disturb = disturb };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read,
		.restart = visits_restart };

	rmap_walk_anon(folio, &rwc, false);
	return visits;
}

void assert_locks(struct t *t, struct folio *folio, int nr)
{
	uint64_t lockless = t_stats(t).lockless;
	struct visits visits = walk_maybe_lockless(folio, 0);

	assert_int_equal(visits.nr, nr);
	assert_int_equal(visits.restarts, 0);
	assert_int_equal(t_stats(t).lockless, lockless);
}

void store_vma(struct vm_area_struct *vma, void *entry)
{
	MA_STATE(mas, &vma->vm_mm->mm_mt, vma->vm_start, vma->vm_end - 1);

	assert_int_equal(mas_store_gfp(&mas, entry, GFP_KERNEL), 0);
}
