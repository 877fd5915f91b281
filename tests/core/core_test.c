// SPDX-License-Identifier: GPL-2.0
/*
 * The functions of core/, one by one: words, notes, numbers, walks step by step. Where
 * they need VMAs, in a world; nothing else runs in it, but where a test says so.
 */
#include <pthread.h>
#include <string.h>
#include "lib/um_test.h"
#include "internal.h"
#include "../../core/anon_vma_lazy_internal.h"

#define FAR	(BASE + (1UL << 30))

static struct vm_area_struct *vma_at(struct mm_struct *mm, uint64_t addr)
{
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	mmap_read_unlock(mm);
	assert_non_null(vma);
	return vma;
}

static struct anon_vma *anon_vma_at(struct mm_struct *mm, uint64_t addr)
{
	return anon_vma_tree_anon_vma(vma_at(mm, addr)->anon_vma);
}

static struct folio *folio_at(struct mm_struct *mm, uint64_t addr)
{
	struct um_pgtable *table = pgtable_find(mm, addr, 0);
	pte_t pte;

	assert_non_null(table);
	pte = pgtable_get(table, pgtable_index(addr, 0));
	assert_true(pte & PTE_PRESENT);
	return pfn_folio(mm->world, pte_pfn(pte));
}

static uint64_t live(struct t *t, enum um_object object)
{
	rcu_barrier();
	return t_stats(t).objects[object].live;
}

/* -- The word -------------------------------------------------------------------------- */

static void tagged_word(void **state)
{
	static const struct {
		unsigned long tags;
		bool lazy, in_place, detached_in_place, displaced, detached;
	} cases[] = {
		{ 0,		0, 0, 0, 0, 0 },
		{ 1,		1, 1, 0, 0, 0 },
		{ 1 | 2,	1, 0, 0, 1, 0 },
		{ 1 | 4,	1, 0, 1, 0, 1 },
		{ 1 | 2 | 4,	1, 0, 0, 1, 1 },
	};
	struct anon_vma *anon_vma = (struct anon_vma *)0x7f1234567890UL;
	size_t i;

	(void)state;
	assert_null(anon_vma_tree_anon_vma(0));
	assert_false(anon_vma_tree_in_place(0));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		anon_vma_tree_t tree = make_anon_vma_tree(anon_vma, cases[i].tags);

		assert_ptr_equal(anon_vma_tree_anon_vma(tree), anon_vma);
		assert_int_equal(anon_vma_tree_is_lazy(tree), cases[i].lazy);
		assert_int_equal(anon_vma_tree_in_place(tree), cases[i].in_place);
		assert_int_equal(anon_vma_tree_detached_in_place(tree),
				 cases[i].detached_in_place);
		assert_int_equal(anon_vma_tree_displaced(tree), cases[i].displaced);
		assert_int_equal(anon_vma_tree_detached(tree), cases[i].detached);
		/* To and fro, the rest of the word stays. */
		assert_true(anon_vma_tree_detached(anon_vma_tree_mk_detached(tree)));
		assert_int_equal(anon_vma_tree_mk_attached(anon_vma_tree_mk_detached(tree)),
				 anon_vma_tree_mk_attached(tree));
		assert_ptr_equal(anon_vma_tree_anon_vma(anon_vma_tree_mk_detached(tree)), anon_vma);
		if (!cases[i].detached)
			assert_int_equal(anon_vma_tree_mk_attached(tree), tree);
	}
}

/* -- Notes of migrations --------------------------------------------------------------- */

static void notes_count(void **state)
{
	migration_note_t note = migration_note_begin();

	(void)state;
	/* Nothing installed: nothing to stop for. */
	assert_false(migration_note_complete(note, 0));
	assert_false(migration_note_complete(note, 1));
	note = migration_note_installed(note, 1);
	assert_false(migration_note_complete(note, 0));
	assert_true(migration_note_complete(note, 1));
	note = migration_note_installed(note, 512);
	assert_false(migration_note_complete(note, 512));
	assert_true(migration_note_complete(note, 513));
	assert_true(migration_note_complete(note, 514));
	assert_false(migration_note_complete(MIGRATION_NOTE_UNKNOWN, 0));
	assert_false(migration_note_complete(MIGRATION_NOTE_UNKNOWN, 1000));
}

/* R37: more entries of one page than 16 bits count. */
static void r37_notes_count_70000(void **state)
{
	migration_note_t note = migration_note_begin();
	unsigned long i;

	(void)state;
	for (i = 0; i < 70000; i++)
		note = migration_note_installed(note, 1);
	assert_false(migration_note_complete(note, 69999));
	assert_true(migration_note_complete(note, 70000));
}

static void notes_saturate(void **state)
{
	const unsigned long max = MIGRATION_NOTE_COUNT_MAX;
	migration_note_t begin = migration_note_begin(), note;

	(void)state;
	note = migration_note_installed(begin, max - 1);
	assert_true(migration_note_complete(note, max - 1));
	/* Full: says nothing any more, and does not spill into the clock. */
	note = migration_note_installed(note, 1);
	assert_false(migration_note_complete(note, max));
	assert_false(migration_note_complete(note, ~0UL));
	note = migration_note_installed(note, 1);
	assert_int_equal(note >> MIGRATION_NOTE_COUNT_BITS, begin >> MIGRATION_NOTE_COUNT_BITS);
	assert_false(migration_note_complete(note, ~0UL));
	note = migration_note_installed(migration_note_installed(begin, 5), max);
	assert_int_equal(note >> MIGRATION_NOTE_COUNT_BITS, begin >> MIGRATION_NOTE_COUNT_BITS);
	assert_false(migration_note_complete(note, ~0UL));
}

static void notes_see_copies(void **state)
{
	migration_note_t note = migration_note_installed(migration_note_begin(), 1);

	(void)state;
	assert_true(migration_note_complete(note, 1));
	migration_entry_copied();
	assert_false(migration_note_complete(note, 1));
	assert_false(migration_note_complete(note, 1000));
	note = migration_note_installed(migration_note_begin(), 1);
	assert_true(migration_note_complete(note, 1));
}

/* -- Addresses ------------------------------------------------------------------------- */

static void range_address(void **state)
{
	/* Pages 100..109, at 0x10000. */
	struct vm_area_struct vma = { .vm_start = 0x10000, .vm_end = 0x10000 + 10 * PG };
	const unsigned long none = -EFAULT;

	(void)state;
	assert_int_equal(vma_range_address(&vma, 100, 100, 100), 0x10000);
	assert_int_equal(vma_range_address(&vma, 100, 109, 109), 0x10000 + 9 * PG);
	assert_int_equal(vma_range_address(&vma, 100, 110, 110), none);
	assert_int_equal(vma_range_address(&vma, 100, 99, 99), none);
	assert_int_equal(vma_range_address(&vma, 100, 0, 99), none);
	/* A folio that begins before, that ends behind, that does both. */
	assert_int_equal(vma_range_address(&vma, 100, 90, 100), 0x10000);
	assert_int_equal(vma_range_address(&vma, 100, 105, 200), 0x10000 + 5 * PG);
	assert_int_equal(vma_range_address(&vma, 100, 0, ~0UL), 0x10000);
	assert_int_equal(vma_range_address(&vma, 100, 110, ~0UL), none);
	/* From page 0 on, and at the upper end of all offsets. */
	assert_int_equal(vma_range_address(&vma, 0, 0, 0), 0x10000);
	assert_int_equal(vma_range_address(&vma, ~0UL - 9, ~0UL, ~0UL), 0x10000 + 9 * PG);
	assert_int_equal(vma_range_address(&vma, ~0UL - 9, ~0UL - 9, ~0UL), 0x10000);
	assert_int_equal(vma_range_address(&vma, ~0UL - 9, 0, 100), none);
}

/* -- Numbering ------------------------------------------------------------------------- */

static void numbering(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	const unsigned long away = (FAR - BASE) / PG;
	struct mm_struct *mm = t_mm(t);
	struct anon_vma_numbering is;
	struct vm_area_struct *vma;

	t_map(mm, BASE, 8);
	vma = vma_at(mm, BASE);
	is = anon_vma_numbering(vma, BASE, BASE / PG);
	assert_int_equal(is.tree, 0);
	t_write(mm, BASE, 8, 100);
	is = anon_vma_numbering(vma, BASE, BASE / PG);
	assert_int_equal(is.tree, vma->anon_vma);
	assert_int_equal(is.address, BASE);
	assert_int_equal(is.displacement, 0);
	/* Its third page, where it is, and elsewhere. */
	is = anon_vma_numbering(vma, BASE + 2 * PG, BASE / PG + 2);
	assert_int_equal(is.displacement, 0);
	is = anon_vma_numbering(vma, FAR, BASE / PG + 2);
	assert_int_equal(is.address, FAR);
	assert_int_equal(is.displacement, 2 - away);
	assert_int_equal(anon_page_index(vma, BASE + 3 * PG), BASE / PG + 3);
	assert_int_equal(vma_anon_pgoff(vma), BASE / PG);
	t_move(mm, BASE, 8, FAR, 0);
	vma = vma_at(mm, FAR);
	is = anon_vma_numbering(vma, FAR, vma->vm_pgoff);
	assert_int_equal(is.displacement, -away);
	assert_int_equal(anon_page_index(vma, FAR + 3 * PG), BASE / PG + 3);
	/* Back: in place. */
	is = anon_vma_numbering(vma, BASE, vma->vm_pgoff);
	assert_int_equal(is.displacement, 0);

	/* A file's pages are numbered by address, wherever in the file they are. */
	t_map_file(mm, BASE, 8, file, 77);
	t_write(mm, BASE, 1, 200);
	vma = vma_at(mm, BASE);
	is = anon_vma_numbering(vma, BASE, 77);
	assert_int_equal(is.displacement, 0);
	assert_int_equal(anon_page_index(vma, BASE + PG), BASE / PG + 1);
	t_move(mm, BASE, 8, FAR + 64 * PG, 0);
	vma = vma_at(mm, FAR + 64 * PG);
	is = anon_vma_numbering(vma, FAR + 64 * PG, 77);
	assert_int_equal(is.displacement, -away - 64);
	assert_int_equal(anon_page_index(vma, FAR + 65 * PG), BASE / PG + 1);
	um_file_put(file);
}

/* May @vma and a range at @address, numbered so, be one? */
static bool mergeable(struct vm_area_struct *vma, anon_vma_tree_t tree, unsigned long address,
		      unsigned long displacement)
{
	struct anon_vma_numbering other = {
		.tree = tree, .address = address, .displacement = displacement };
	bool may;

	mmap_write_lock(vma->vm_mm);
	vma_start_write(vma);
	may = lazy_anon_vma_mergeable(vma, &other);
	mmap_write_unlock(vma->vm_mm);
	return may;
}

static bool may_start_at(struct vm_area_struct *vma, unsigned long address)
{
	bool may;

	mmap_write_lock(vma->vm_mm);
	vma_start_write(vma);
	may = lazy_anon_vma_may_start_at(vma, address);
	mmap_write_unlock(vma->vm_mm);
	return may;
}

static void mergeable_numbering(void **state)
{
	struct t *t = *state;
	const unsigned long away = (FAR - BASE) / PG;
	struct mm_struct *mm = t_mm(t), *other = t_mm(t);
	struct vm_area_struct *fresh, *in_place, *moved, *foreign;
	anon_vma_tree_t tree;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, 0);
	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 200);
	t_map(mm, BASE + 64 * PG, 4);
	t_map(other, BASE, 4);
	t_write(other, BASE, 4, 300);
	fresh = vma_at(mm, BASE + 64 * PG);
	in_place = vma_at(mm, BASE);
	moved = vma_at(mm, FAR);
	foreign = vma_at(other, BASE);
	tree = in_place->anon_vma;

	/* Without pages on either side. */
	assert_true(mergeable(fresh, 0, BASE, 0));
	assert_true(mergeable(fresh, 0, 0, -1UL));
	/* Both with pages: same number, or not; same anon_vma, or not. */
	assert_true(mergeable(in_place, tree, BASE + 4 * PG, 0));
	assert_false(mergeable(in_place, tree, BASE + 4 * PG, 1));
	assert_false(mergeable(in_place, moved->anon_vma, BASE + 4 * PG, -away));
	assert_true(mergeable(moved, moved->anon_vma, FAR + 4 * PG, -away));
	assert_true(mergeable(moved, tree, FAR + 4 * PG, -away));
	assert_false(mergeable(moved, tree, FAR + 4 * PG, 0));
	assert_false(mergeable(in_place, foreign->anon_vma, BASE + 4 * PG, 0));
	/* One of them: does its numbering reach below 0 at the other's place? */
	assert_true(mergeable(in_place, 0, 0, 5));
	assert_true(mergeable(moved, 0, away * PG, 0));
	assert_false(mergeable(moved, 0, (away - 1) * PG, 0));
	assert_false(mergeable(moved, 0, 0, 0));
	assert_true(mergeable(fresh, tree, BASE, -(BASE / PG + 64)));
	assert_false(mergeable(fresh, tree, BASE, -(BASE / PG + 65)));
	assert_true(mergeable(fresh, tree, BASE, 1000));

	assert_true(may_start_at(fresh, 0));
	assert_true(may_start_at(in_place, 0));
	assert_true(may_start_at(moved, away * PG));
	assert_false(may_start_at(moved, (away - 1) * PG));
}

/* -- Walks ----------------------------------------------------------------------------- */

#define MAX_VISITS	64

struct visits {
	struct vm_area_struct *vma[MAX_VISITS];
	unsigned long address[MAX_VISITS];
	int nr, restarts;
	int disturb;		/* so many visits are followed by a change of the VMAs */
	int stop_after;		/* 0: never */
	struct vm_area_struct *unwanted;
	void *new_word;		/* the folio's mapping word becomes this; NULL: stays */
};

static bool visit(struct folio *folio, struct vm_area_struct *vma, unsigned long address,
		  void *arg)
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

static void visits_restart(void *arg)
{
	struct visits *visits = arg;

	visits->restarts++;
	visits->nr = 0;
}

static struct visits walk(struct folio *folio)
{
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read };

	rmap_walk_anon(folio, &rwc, false);
	assert_false(rwc.contended);
	return visits;
}

static struct visits walk_maybe_lockless(struct folio *folio, int disturb)
{
	struct visits visits = { .disturb = disturb };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read,
		.restart = visits_restart };

	rmap_walk_anon(folio, &rwc, false);
	return visits;
}

/* Visits of a walk for an address. The owner need not be locked. */
static int walk_address(struct anon_vma *owner, unsigned long address, struct vm_area_struct *vma)
{
	struct vm_area_struct *found;
	struct anon_vma_walk w;
	int nr = 0;

	anon_vma_lock_read(owner);
	anon_vma_walk_begin_address(&w, owner, address);
	while ((found = anon_vma_walk_next(&w))) {
		assert_int_equal(w.address, address);
		nr += found == vma;
	}
	anon_vma_walk_end(&w, true);
	return nr;
}

static void walk_ends_early(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { .stop_after = 2 };
	struct rmap_walk_control rwc = { .arg = &visits, .rmap_one = visit };
	int i;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	for (i = 0; i < 5; i++)
		t_fork(mm);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 6);
	rmap_walk_anon(folio_at(mm, BASE), &rwc, false);
	assert_int_equal(visits.nr, 2);
	/* Everything it held has been let go of. */
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 6);
	t_unmap(mm, BASE, 1);
}

static void lockless_for_simple_owners(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct um_stats before, after;
	struct visits visits;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	before = t_stats(t);
	visits = walk_maybe_lockless(folio_at(mm, BASE + PG), 0);
	after = t_stats(t);
	assert_int_equal(visits.nr, 1);
	assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
	assert_int_equal(visits.address[0], BASE + PG);
	assert_int_equal(visits.restarts, 0);
	assert_int_equal(after.lockless, before.lockless + 1);
	assert_int_equal(after.lockless_fallbacks, before.lockless_fallbacks);
	/* Without restart nobody has said that callbacks may run twice: locks. */
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 1);
	assert_int_equal(t_stats(t).lockless, after.lockless);
}

static void lockless_looks_again(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct um_stats before, after;
	struct visits visits;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	before = t_stats(t);
	visits = walk_maybe_lockless(folio_at(mm, BASE), 1);
	after = t_stats(t);
	assert_int_equal(visits.nr, 1);
	assert_int_equal(visits.restarts, 1);
	assert_int_equal(after.lockless, before.lockless + 1);
	assert_int_equal(after.lockless_retries, before.lockless_retries + 1);
	/* Again and again: then it takes the lock, and starts over for that. */
	visits = walk_maybe_lockless(folio_at(mm, BASE), 3);
	assert_int_equal(visits.nr, 1);
	assert_int_equal(visits.restarts, 3);
	assert_int_equal(t_stats(t).lockless, after.lockless);
	assert_int_equal(t_stats(t).lockless_fallbacks, after.lockless_fallbacks + 1);
	assert_int_equal(t_stats(t).lockless_retries, after.lockless_retries + 2);
}

/* A word that changed meanwhile, as KSM changes it, voids what was seen. */
static void lockless_not_if_the_word_changes(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { .new_word = (void *)PAGE_MAPPING_KSM };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read,
		.restart = visits_restart };
	struct um_stats before, after;
	struct folio *folio;
	void *word;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	folio = folio_at(mm, BASE);
	word = folio->mapping;
	before = t_stats(t);
	rmap_walk_anon(folio, &rwc, false);
	after = t_stats(t);
	WRITE_ONCE(folio->mapping, word);
	assert_int_equal(visits.nr, 0);
	assert_int_equal(visits.restarts, 1);
	assert_int_equal(after.lockless, before.lockless);
	assert_int_equal(after.lockless_fallbacks, before.lockless_fallbacks + 1);
	assert_int_equal(walk_maybe_lockless(folio, 0).nr, 1);
}

static void assert_locks(struct t *t, struct folio *folio, int nr)
{
	uint64_t lockless = t_stats(t).lockless;
	struct visits visits = walk_maybe_lockless(folio, 0);

	assert_int_equal(visits.nr, nr);
	assert_int_equal(visits.restarts, 0);
	assert_int_equal(t_stats(t).lockless, lockless);
}

/* Children, a displaced VMA, half a fork, a batch of detached VMAs: locks. */
static void lockless_not_for_others(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct folio *folio;
	uint64_t lockless;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	folio = folio_at(mm, BASE);
	child = t_fork(mm);
	assert_locks(t, folio, 2);
	um_exit(child);
	lockless = t_stats(t).lockless;
	walk_maybe_lockless(folio, 0);
	assert_int_equal(t_stats(t).lockless, lockless + 1);

	t_map(mm, FAR, 4);
	t_write(mm, FAR, 4, 200);
	t_move(mm, FAR, 4, FAR + 64 * PG, 0);
	assert_locks(t, folio, 1);
	assert_locks(t, folio_at(mm, FAR + 64 * PG), 1);
	t_unmap(mm, FAR + 64 * PG, 4);
	lockless = t_stats(t).lockless;
	walk_maybe_lockless(folio, 0);
	assert_int_equal(t_stats(t).lockless, lockless + 1);

	anon_vma_fork_failed(mm, BASE + 4 * PG);
	assert_locks(t, folio, 1);
	anon_vma_fork_failed(mm, ULONG_MAX);
	lockless = t_stats(t).lockless;
	walk_maybe_lockless(folio, 0);
	assert_int_equal(t_stats(t).lockless, lockless + 1);
}

/* While a mutator is at work nobody goes without the lock. */
static void lockless_not_under_a_mutator(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read,
		.restart = visits_restart, .try_lock = true };
	anon_vma_tree_t tree;
	uint64_t lockless;
	struct folio *folio;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	folio = folio_at(mm, BASE);
	tree = vma_at(mm, BASE)->anon_vma;
	lockless = t_stats(t).lockless;
	anon_vma_tree_lock_write(tree);
	rmap_walk_anon(folio, &rwc, false);
	anon_vma_tree_unlock_write(tree);
	assert_true(rwc.contended);
	assert_int_equal(visits.nr, 0);
	assert_int_equal(t_stats(t).lockless, lockless);
}

/* Who got the lock without waiting is a mutator like any other; and leaves like one. */
static void lockless_after_a_trylock(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .anon_lock = folio_lock_anon_vma_read,
		.restart = visits_restart, .try_lock = true };
	anon_vma_tree_t tree;
	uint64_t lockless;
	struct folio *folio;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	folio = folio_at(mm, BASE);
	tree = vma_at(mm, BASE)->anon_vma;
	lockless = t_stats(t).lockless;
	assert_true(anon_vma_tree_trylock_write(tree));
	rmap_walk_anon(folio, &rwc, false);
	anon_vma_tree_unlock_write(tree);
	assert_true(rwc.contended);
	assert_int_equal(visits.nr, 0);
	assert_int_equal(t_stats(t).lockless, lockless);
	assert_int_equal(walk_maybe_lockless(folio, 0).nr, 1);
	assert_int_equal(t_stats(t).lockless, lockless + 1);
}

/* -- Depth ----------------------------------------------------------------------------- */

static void depth_and_joins(void **state)
{
	struct mm_struct *mm[LAZY_ANON_VMA_MAX_DEPTH + 4];
	const int max = LAZY_ANON_VMA_MAX_DEPTH, nr = max + 4;
	struct t *t = *state;
	struct visits visits;
	int i;

	mm[0] = t_mm(t);
	t_map(mm[0], BASE, 1);
	t_write(mm[0], BASE, 1, 100);
	for (i = 1; i < nr; i++)
		mm[i] = t_fork(mm[i - 1]);
	for (i = 0; i < nr; i++) {
		struct anon_vma *anon_vma = mm[i]->anon_vma;

		assert_int_equal(lazy_anon_vma_depth(anon_vma), i < max ? i : max - 1);
		assert_true(lazy_anon_vma_is_valid(anon_vma));
		if (i && i < max)
			assert_ptr_equal(lazy_anon_vma_parent(anon_vma), mm[i - 1]->anon_vma);
		if (i >= max)
			assert_ptr_equal(anon_vma, mm[max - 1]->anon_vma);
	}
	assert_null(lazy_anon_vma_parent(mm[0]->anon_vma));
	assert_int_equal(t_stats(t).joins, nr - max);
	/* Owners that cover: ancestors and itself; not the one below. */
	assert_true(lazy_anon_vma_covers(mm[0]->anon_vma, vma_at(mm[nr - 1], BASE)));
	assert_true(lazy_anon_vma_covers(mm[nr - 1]->anon_vma, vma_at(mm[max - 1], BASE)));
	assert_true(lazy_anon_vma_covers(mm[5]->anon_vma, vma_at(mm[5], BASE)));
	assert_false(lazy_anon_vma_covers(mm[6]->anon_vma, vma_at(mm[5], BASE)));
	assert_ptr_equal(lazy_anon_vma_owner(vma_at(mm[7], BASE), true), mm[7]->anon_vma);
	assert_ptr_equal(lazy_anon_vma_owner(vma_at(mm[7], BASE), false), mm[0]->anon_vma);
	/* From the top on, each once, and in order of descent. */
	visits = walk(folio_at(mm[0], BASE));
	assert_int_equal(visits.nr, nr);
	for (i = 0; i < nr; i++)
		assert_ptr_equal(visits.vma[i], vma_at(mm[i], BASE));
	/* A page of one that has joined: all who have, and nobody else, can have it. */
	t_write(mm[nr - 1], BASE, 1, 200);
	assert_int_equal(walk(folio_at(mm[nr - 1], BASE)).nr, nr - max + 1);
	/* Such an owner serves several: no walk without locks. */
	assert_locks(t, folio_at(mm[nr - 1], BASE), nr - max + 1);
}

/* -- What is written down, whatever was there before ------------------------------------- */

/* A child's mm starts as a copy of its parent's. */
static void new_mm_is_on_no_list(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), copy;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	memcpy(&copy, mm, sizeof(copy));
	copy.anon_vma_limit = 0;
	lazy_anon_vma_init_mm(&copy);
	assert_null(copy.anon_vma);
	assert_true(list_empty(&copy.anon_vma_node));
	assert_int_equal(copy.anon_vma_limit, ULONG_MAX);
	assert_true(list_is_singular(mm->anon_vma_node.next));
}

/* As does a VMA, word and all: it has none of its own if there are no pages. */
static void copy_of_unfaulted_has_no_word(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct vm_area_struct *vma, *copy;
	anon_vma_tree_t tree;

	t_map(mm, BASE, 1);
	t_map(mm, FAR, 1);
	t_write(mm, FAR, 1, 100);
	tree = vma_at(mm, FAR)->anon_vma;
	vma = vma_at(mm, BASE);
	assert_int_equal(vma->anon_vma, 0);
	mmap_write_lock(mm);
	vma_start_write(vma);
	copy = vm_area_dup(vma);
	assert_non_null(copy);
	copy->anon_vma = tree;
	assert_int_equal(anon_vma_clone(copy, vma), 0);
	assert_int_equal(copy->anon_vma, 0);
	copy->anon_vma = tree;
	assert_int_equal(anon_vma_fork(copy, vma), 0);
	assert_int_equal(copy->anon_vma, 0);
	vm_area_free(copy);
	mmap_write_unlock(mm);
}

/* -- Detached VMAs --------------------------------------------------------------------- */

struct detached {
	struct anon_vma_detached batch;
	struct maple_tree vmas;
	struct mm_struct *mm;
};

/* mmap_lock is held for write. */
static void take_out_locked(struct detached *detached, struct vm_area_struct *vma)
{
	MA_STATE(mas, &detached->vmas, vma->vm_start, vma->vm_end - 1);

	detached->mm = vma->vm_mm;
	mt_init(&detached->vmas);
	detached->batch = (struct anon_vma_detached) {
		.start = vma->vm_start, .end = vma->vm_end, .vmas = &detached->vmas };
	vma_start_write(vma);
	assert_int_equal(mas_store_gfp(&mas, vma, GFP_KERNEL), 0);
	anon_vma_detach(vma->vm_mm, &detached->batch);
}

/* mmap_lock stays held until put_back(). */
static void take_out(struct detached *detached, struct vm_area_struct *vma)
{
	mmap_write_lock(vma->vm_mm);
	take_out_locked(detached, vma);
}

static void put_back(struct detached *detached)
{
	anon_vma_reattach(detached->mm, &detached->batch);
	mtree_destroy(&detached->vmas);
	mmap_write_unlock(detached->mm);
}

static void store_vma(struct vm_area_struct *vma, void *entry)
{
	MA_STATE(mas, &vma->vm_mm->mm_mt, vma->vm_start, vma->vm_end - 1);

	assert_int_equal(mas_store_gfp(&mas, entry, GFP_KERNEL), 0);
}

/* Found once: in the tree, in both, in the list alone, and in the tree again. */
static void detached_is_found_once(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct vm_area_struct *vma;
	struct detached detached;
	struct folio *folio;
	int displaced;

	for (displaced = 0; displaced < 2; displaced++) {
		uint64_t at = displaced ? FAR : BASE;

		t_map(mm, BASE, 4);
		t_write(mm, BASE, 4, 100);
		t_map(mm, BASE + 64 * PG, 4);
		t_write(mm, BASE + 64 * PG, 4, 200);
		if (displaced)
			t_move(mm, BASE, 4, FAR, 0);
		child = t_fork(mm);
		vma = vma_at(mm, at);
		folio = folio_at(mm, at + PG);
		assert_int_equal(walk(folio).nr, 2);

		take_out(&detached, vma);
		assert_true(anon_vma_tree_detached(vma->anon_vma));
		assert_int_equal(anon_vma_tree_displaced(vma->anon_vma), displaced);
		assert_int_equal(walk(folio).nr, 2);
		assert_ptr_equal(walk(folio).vma[0], vma);
		assert_int_equal(walk(folio).address[0], at + PG);
		assert_int_equal(walk_address(mm->anon_vma, at + PG, vma), 1);
		assert_int_equal(walk_address(mm->anon_vma, at + 5 * PG, vma), 0);
		store_vma(vma, NULL);
		assert_int_equal(walk(folio).nr, 2);
		assert_int_equal(walk_address(mm->anon_vma, at + PG, vma), 1);
		/* The others stay where they are. */
		assert_int_equal(walk(folio_at(mm, BASE + 64 * PG)).nr, 2);
		store_vma(vma, vma);
		put_back(&detached);

		assert_false(anon_vma_tree_detached(vma->anon_vma));
		assert_int_equal(walk(folio).nr, 2);
		assert_int_equal(walk_address(mm->anon_vma, at + PG, vma), 1);
		um_exit(child);
		t_unmap(mm, at, 4);
		t_unmap(mm, BASE + 64 * PG, 4);
	}
}

/* Given back: not found, displaced or not. The walk without locks waits for that, too. */
static void detach_done_is_not_found(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct detached detached;
	struct vm_area_struct *vma;
	struct folio *folio;
	uint64_t lockless;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	vma = vma_at(mm, BASE);
	folio = folio_at(mm, BASE);
	lockless = t_stats(t).lockless;
	take_out(&detached, vma);
	assert_int_equal(walk_maybe_lockless(folio, 0).nr, 1);
	assert_int_equal(t_stats(t).lockless, lockless);
	anon_vma_detach_done(mm, &detached.batch);
	assert_int_equal(walk(folio).nr, 0);
	assert_int_equal(walk_address(mm->anon_vma, BASE, vma), 0);
	/* As it was, so that it can end. */
	anon_vma_detach(mm, &detached.batch);
	put_back(&detached);
	assert_int_equal(walk(folio).nr, 1);
}

/* VMAs without pages are nobody's business: no lock is taken for them. */
static void detach_of_unfaulted(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct detached detached;
	struct vm_area_struct *vma;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_map(mm, FAR, 4);
	vma = vma_at(mm, FAR);
	mmap_write_lock(mm);
	vma_start_write(vma);
	/* It would hang, if it wanted this. */
	anon_vma_lock_write(mm->anon_vma);
	take_out_locked(&detached, vma);
	assert_true(list_empty(&detached.batch.node));
	assert_int_equal(vma->anon_vma, 0);
	anon_vma_unlock_write(mm->anon_vma);
	put_back(&detached);
	assert_int_equal(vma->anon_vma, 0);
}

/*
 * R39: two processes that share an anon_vma unmap at the same time, so that it has two
 * batches. A walk looks into both.
 */
static void r39_two_batches_of_one_owner(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct vm_area_struct *vma[2];
	struct detached detached[2];
	struct folio *folio;
	int i;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 1);
	for (i = 1; i < LAZY_ANON_VMA_MAX_DEPTH; i++) {
		child = t_fork(mm);
		um_exit(mm);
		mm = child;
	}
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	assert_ptr_equal(child->anon_vma, mm->anon_vma);
	folio = folio_at(mm, BASE);
	vma[0] = vma_at(mm, BASE);
	vma[1] = vma_at(child, BASE);
	mmap_write_lock(mm);
	mmap_write_lock_nested(child, SINGLE_DEPTH_NESTING);
	for (i = 0; i < 2; i++) {
		take_out_locked(&detached[i], vma[i]);
		store_vma(vma[i], NULL);
	}
	assert_int_equal(walk(folio).nr, 2);
	for (i = 0; i < 2; i++) {
		assert_int_equal(walk_address(mm->anon_vma, BASE, vma[i]), 1);
		store_vma(vma[i], vma[i]);
	}
	put_back(&detached[1]);
	put_back(&detached[0]);
	assert_int_equal(walk(folio).nr, 2);
}

/* Unlinked, or merged away, while no walk can come by it: without lock, but without word. */
static void unlinked_unseen(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct vm_area_struct *vma, *other;
	struct detached detached;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_map(mm, FAR, 4);
	t_write(mm, FAR, 4, 200);
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_DONTNEED), 0);
	other = vma_at(mm, FAR);
	vma = vma_at(mm, BASE);
	take_out(&detached, vma);
	anon_vma_detach_done(mm, &detached.batch);
	anon_vma_lock_write(mm->anon_vma);
	unlink_anon_vmas(vma);
	anon_vma_unlock_write(mm->anon_vma);
	assert_int_equal(vma->anon_vma, 0);
	put_back(&detached);

	t_write(mm, BASE, 4, 300);
	assert_int_equal(um_madvise(mm, BASE, 4 * PG, MADV_DONTNEED), 0);
	mmap_write_lock(mm);
	/* It would leave the tree here. */
	anon_vma_tree_lock_write(vma->anon_vma);
	anon_vma_tree_unlock_write(vma->anon_vma);
	anon_vma_lock_write(mm->anon_vma);
	anon_vma_merge(other, vma);
	anon_vma_unlock_write(mm->anon_vma);
	assert_int_equal(vma->anon_vma, 0);
	assert_int_not_equal(other->anon_vma, 0);
	mmap_write_unlock(mm);
	t_expect(mm, FAR, 4, 200);
}

/* Something that has to wait for a walk, done by another thread. */
struct waiter {
	void (*op)(struct waiter *waiter);
	struct vm_area_struct *vma;
	struct detached detached;
	bool done;
};

static void *waiter_thread(void *arg)
{
	struct waiter *waiter = arg;

	um_thread_register();
	waiter->op(waiter);
	WRITE_ONCE(waiter->done, true);
	um_thread_unregister();
	return NULL;
}

/* @op waits for a walk that is at the VMA, which keeps its word so long. */
static void assert_waits(struct waiter *waiter, void (*op)(struct waiter *waiter))
{
	unsigned long first = waiter->vma->vm_start / PG;
	struct anon_vma *owner = waiter->vma->vm_mm->anon_vma;
	anon_vma_tree_t tree = waiter->vma->anon_vma;
	struct anon_vma_walk w;
	pthread_t thread;

	waiter->op = op;
	waiter->done = false;
	anon_vma_lock_read(owner);
	anon_vma_walk_begin(&w, owner, first, first);
	assert_ptr_equal(anon_vma_walk_next(&w), waiter->vma);
	assert_int_equal(pthread_create(&thread, NULL, waiter_thread, waiter), 0);
	while (!rwsem_is_contended(&owner->rwsem) && !READ_ONCE(waiter->done))
		sched_yield();
	assert_false(READ_ONCE(waiter->done));
	assert_int_equal(READ_ONCE(waiter->vma->anon_vma), tree);
	anon_vma_walk_end(&w, true);
	pthread_join(thread, NULL);
}

static void op_detach(struct waiter *waiter)
{
	anon_vma_detach(waiter->vma->vm_mm, &waiter->detached.batch);
}

static void op_reattach(struct waiter *waiter)
{
	anon_vma_reattach(waiter->vma->vm_mm, &waiter->detached.batch);
}

static void op_detach_done(struct waiter *waiter)
{
	anon_vma_detach_done(waiter->vma->vm_mm, &waiter->detached.batch);
}

static void op_unlink(struct waiter *waiter)
{
	unlink_anon_vmas(waiter->vma);
}

/* What takes a VMA from where walks find it, or its word, waits for those who did. */
static void mutators_wait_for_walks(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct waiter waiter = { 0 };

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	assert_int_equal(um_madvise(mm, BASE, PG, MADV_DONTNEED), 0);
	waiter.vma = vma_at(mm, BASE);
	take_out(&waiter.detached, waiter.vma);
	anon_vma_reattach(mm, &waiter.detached.batch);

	assert_waits(&waiter, op_detach);
	assert_true(anon_vma_tree_detached(waiter.vma->anon_vma));
	assert_waits(&waiter, op_reattach);
	assert_false(anon_vma_tree_detached(waiter.vma->anon_vma));
	op_detach(&waiter);
	assert_waits(&waiter, op_detach_done);
	anon_vma_detach(mm, &waiter.detached.batch);
	anon_vma_reattach(mm, &waiter.detached.batch);
	assert_waits(&waiter, op_unlink);
	assert_int_equal(waiter.vma->anon_vma, 0);
	mtree_destroy(&waiter.detached.vmas);
	mmap_write_unlock(mm);
}

/* -- A fork that failed ---------------------------------------------------------------- */

static void fork_failed_limits_walks(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 4);
	t_map(mm, FAR, 4);
	t_write(mm, BASE, 4, 100);
	t_write(mm, FAR, 4, 200);
	child = t_fork(mm);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 2);
	assert_int_equal(walk(folio_at(mm, FAR)).nr, 2);
	anon_vma_fork_failed(child, FAR);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 2);
	assert_int_equal(walk(folio_at(mm, FAR)).nr, 1);
	anon_vma_fork_failed(child, BASE);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 1);
	anon_vma_fork_failed(child, 0);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 1);
	anon_vma_fork_failed(child, ULONG_MAX);
	assert_int_equal(walk(folio_at(mm, FAR)).nr, 2);
}

/* Visits when the child's tree has the parent's VMA in the place of the child's. */
static struct visits walk_with_parents_vma(struct mm_struct *mm, struct mm_struct *child)
{
	struct vm_area_struct *own = vma_at(child, BASE), *parents = vma_at(mm, BASE);
	struct visits visits;

	mmap_write_lock(child);
	/* The child's leaves the tree, as any VMA with a word does, under the write lock. */
	anon_vma_tree_lock_write(own->anon_vma);
	store_vma(own, parents);
	anon_vma_tree_unlock_write(own->anon_vma);
	visits = walk(folio_at(mm, BASE));
	store_vma(own, own);
	mmap_write_unlock(child);
	return visits;
}

/*
 * A child's tree that still holds the parent's VMA: known by vm_mm, and passed over. By
 * nothing else, where the child has joined its parent's anon_vma.
 */
static void parents_vma_in_the_childs_tree(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct visits visits;
	int i;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	child = t_fork(mm);
	visits = walk_with_parents_vma(mm, child);
	assert_int_equal(visits.nr, 1);
	assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));

	for (i = 1; i < LAZY_ANON_VMA_MAX_DEPTH; i++, mm = child)
		child = t_fork(mm);
	t_write(mm, BASE, 1, 200);
	child = t_fork(mm);
	assert_ptr_equal(child->anon_vma, mm->anon_vma);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 2);
	visits = walk_with_parents_vma(mm, child);
	assert_int_equal(visits.nr, 1);
	assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
}

/*
 * The VMA that a walk found last answers the next walk, for any page of it, until
 * something changes:
 *
 *	[ 0  1  2  3  4  5  6  7 ]	found by page 0, then by 7
 *	[ 0  1 ][ 2  3 ]    [6  7]	split, and unmapped in the middle
 */
static void hint_is_not_kept_over_changes(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	int page;

	t_map(mm, BASE, 8);
	t_write(mm, BASE, 8, 100);
	child = t_fork(mm);
	for (page = 0; page < 8; page += 7) {
		struct visits visits = walk(folio_at(mm, BASE + page * PG));

		assert_int_equal(visits.nr, 2);
		assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
		assert_ptr_equal(visits.vma[1], vma_at(child, BASE));
		assert_int_equal(visits.address[1], BASE + page * PG);
		assert_true(lazy_anon_vma_is_valid(mm->anon_vma));
	}
	t_protect(child, BASE + 2 * PG, 2, PROT_READ);
	t_unmap(child, BASE + 4 * PG, 2);
	for (page = 0; page < 8; page++) {
		struct visits visits = walk(folio_at(mm, BASE + page * PG));
		bool unmapped = page == 4 || page == 5;

		assert_int_equal(visits.nr, unmapped ? 1 : 2);
		assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
		if (!unmapped)
			assert_ptr_equal(visits.vma[1], vma_at(child, BASE + page * PG));
		assert_true(lazy_anon_vma_is_valid(child->anon_vma));
	}
}

/* -- Lives ----------------------------------------------------------------------------- */

static bool way_is_blocked;

static void *exit_mm(void *mm)
{
	um_thread_register();
	um_exit(mm);
	um_thread_unregister();
	return NULL;
}

/* A parent that has exited, its child, and the child's page that the parent owns. */
struct survivor {
	struct mm_struct *child;
	struct anon_vma *owner;		/* locked for read */
	struct vm_area_struct *vma;	/* the child's */
};

static void survivor_create(struct t *t, struct survivor *s)
{
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	s->child = t_fork(mm);
	um_exit(mm);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 2);
	s->vma = vma_at(s->child, BASE);
	s->owner = folio_lock_anon_vma_read(folio_at(s->child, BASE), NULL);
	assert_non_null(s->owner);
	assert_ptr_equal(s->owner, lazy_anon_vma_parent(s->child->anon_vma));
}

/*
 * An owner without mm is kept by a child. A walk is at that child, which then exits: the
 * exit waits for the walk to leave, takes the child's anon_vma along, then the last
 * reference on the owner, and waits for the walk to end before that goes too.
 */
static void last_descendant_goes_under_a_walk(void **state)
{
	struct t *t = *state;
	struct anon_vma_walk w;
	struct survivor s;
	pthread_t thread;

	survivor_create(t, &s);
	anon_vma_walk_begin(&w, s.owner, BASE / PG, BASE / PG);
	assert_ptr_equal(anon_vma_walk_next(&w), s.vma);
	assert_int_equal(w.address, BASE);
	assert_int_equal(pthread_create(&thread, NULL, exit_mm, s.child), 0);
	assert_null(anon_vma_walk_next(&w));
	while (live(t, UM_OBJ_ANON_VMA) > 1)
		sched_yield();
	/* The child's has gone; nobody has a reference on the owner, and yet it stays. */
	while (atomic_read(&s.owner->refcount))
		sched_yield();
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 1);
	anon_vma_walk_end(&w, true);
	pthread_join(thread, NULL);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
}

/* Keeps a walk waiting for the child's lock, until the walk has pinned it; then exits. */
static void *exit_in_a_walks_way(void *arg)
{
	struct mm_struct *mm = arg;
	struct anon_vma *anon_vma = mm->anon_vma;
	anon_vma_tree_t tree = make_anon_vma_tree(anon_vma, ANON_VMA_TREE_LAZY);
	int count = atomic_read(&anon_vma->refcount);

	um_thread_register();
	anon_vma_tree_lock_write(tree);
	WRITE_ONCE(way_is_blocked, true);
	while (atomic_read(&anon_vma->refcount) == count)
		sched_yield();
	anon_vma_tree_unlock_write(tree);
	um_exit(mm);
	um_thread_unregister();
	return NULL;
}

/*
 * The same with a walk that had to wait for the child's lock: it has pinned the child, and
 * may be the one that frees it. The owner, whose lock it holds, is pinned too, and goes
 * with the walk's end.
 */
static void last_descendant_goes_with_a_walks_pin(void **state)
{
	struct t *t = *state;
	struct anon_vma_walk w;
	struct survivor s;
	pthread_t thread;

	survivor_create(t, &s);
	anon_vma_walk_begin(&w, s.owner, BASE / PG, BASE / PG);
	WRITE_ONCE(way_is_blocked, false);
	assert_int_equal(pthread_create(&thread, NULL, exit_in_a_walks_way, s.child), 0);
	while (!READ_ONCE(way_is_blocked))
		sched_yield();
	/* The child's last page may go before the walk gets there, its VMA not before it left. */
	while (anon_vma_walk_next(&w))
		assert_int_equal(w.address, BASE);
	pthread_join(thread, NULL);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 1);
	assert_int_equal(atomic_read(&s.owner->refcount), 1);
	anon_vma_walk_end(&w, true);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
}

struct in_the_way {
	struct anon_vma *last, *next;
	bool blocked, held;
};

/* Keeps a walk waiting for its next lock, and looks whether it holds the last one so long. */
static void *stand_in_the_way(void *arg)
{
	struct in_the_way *way = arg;
	anon_vma_tree_t tree = make_anon_vma_tree(way->next, ANON_VMA_TREE_LAZY);

	um_thread_register();
	anon_vma_tree_lock_write(tree);
	WRITE_ONCE(way->blocked, true);
	while (!rwsem_is_contended(&way->next->rwsem))
		sched_yield();
	way->held = rwsem_is_locked(&way->last->rwsem);
	anon_vma_tree_unlock_write(tree);
	um_thread_unregister();
	return NULL;
}

/*
 * From child to child, of which the second one's lock is taken: the first one is let go of
 * before the walk sleeps. Its end may have to come first, for that lock to be given back.
 */
static void walk_lets_go_before_it_waits(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *first, *second;
	struct in_the_way way = { 0 };
	struct vm_area_struct *vma[3];
	struct anon_vma_walk w;
	struct anon_vma *owner;
	pthread_t thread;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	first = t_fork(mm);
	second = t_fork(mm);
	way.last = first->anon_vma;
	way.next = second->anon_vma;
	vma[0] = vma_at(mm, BASE);
	vma[1] = vma_at(first, BASE);
	vma[2] = vma_at(second, BASE);
	owner = folio_lock_anon_vma_read(folio_at(mm, BASE), NULL);
	assert_ptr_equal(owner, mm->anon_vma);
	anon_vma_walk_begin(&w, owner, BASE / PG, BASE / PG);
	assert_ptr_equal(anon_vma_walk_next(&w), vma[0]);
	assert_ptr_equal(anon_vma_walk_next(&w), vma[1]);
	assert_true(rwsem_is_locked(&way.last->rwsem));
	assert_int_equal(pthread_create(&thread, NULL, stand_in_the_way, &way), 0);
	while (!READ_ONCE(way.blocked))
		sched_yield();
	assert_ptr_equal(anon_vma_walk_next(&w), vma[2]);
	assert_false(rwsem_is_locked(&way.last->rwsem));
	assert_null(anon_vma_walk_next(&w));
	anon_vma_walk_end(&w, true);
	pthread_join(thread, NULL);
	assert_false(way.held);
	assert_false(rwsem_is_locked(&way.next->rwsem));
}

/* A long line of ancestors, of which only the last descendant lives, goes at once. */
static void line_of_dead_goes_at_once(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child, *brother;
	int i;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	brother = NULL;
	for (i = 1; i < LAZY_ANON_VMA_MAX_DEPTH; i++) {
		child = t_fork(mm);
		if (i == 8)
			brother = t_fork(mm);
		um_exit(mm);
		mm = child;
	}
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), LAZY_ANON_VMA_MAX_DEPTH + 1);
	assert_int_equal(t_stats(t).anon_vmas_dead, LAZY_ANON_VMA_MAX_DEPTH - 1);
	um_exit(mm);
	/* Those above the brother stay, and he. */
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 9);
	um_exit(brother);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
}

/* -- From the folio to its owner ------------------------------------------------------- */

static void owner_of_unmapped_folio(void **state)
{
	struct t *t = *state;
	struct rmap_walk_control rwc = { 0 };
	struct mm_struct *mm = t_mm(t);
	struct anon_vma *anon_vma;
	struct folio *folio;

	t_map(mm, BASE, 2);
	t_write(mm, BASE, 2, 100);
	folio = folio_at(mm, BASE);
	folio_get(folio);
	anon_vma = folio_get_anon_vma(folio);
	assert_ptr_equal(anon_vma, anon_vma_at(mm, BASE));
	put_anon_vma(anon_vma);
	anon_vma = folio_lock_anon_vma_read(folio, &rwc);
	assert_non_null(anon_vma);
	anon_vma_unlock_read(anon_vma);
	assert_ptr_equal(anon_vma, anon_vma_at(mm, BASE));

	/* In the swap cache, kept by our reference: it names its owner, but is not mapped. */
	um_reclaim(t->world, 100);
	um_reclaim(t->world, 100);
	assert_false(folio_mapped(folio));
	assert_non_null(folio_anon_vma(folio));
	assert_null(folio_get_anon_vma(folio));
	assert_null(folio_lock_anon_vma_read(folio, &rwc));
	assert_false(rwc.contended);
	/* Mapped again, the same one. */
	t_expect(mm, BASE, 1, 100);
	assert_ptr_equal(folio_at(mm, BASE), folio);
	anon_vma = folio_get_anon_vma(folio);
	assert_ptr_equal(anon_vma, anon_vma_at(mm, BASE));
	put_anon_vma(anon_vma);

	/* Unmapped for good, and its owner gone. */
	um_exit(mm);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
	assert_null(folio_get_anon_vma(folio));
	assert_null(folio_lock_anon_vma_read(folio, NULL));
	folio_put(t->world, folio);
}

/* A page whose owner has changed: by COW reuse, by UFFDIO_MOVE. */
static void owner_changes(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct anon_vma *anon_vma;
	struct folio *folio;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	folio = folio_at(child, BASE);
	assert_ptr_equal(folio_anon_vma(folio), anon_vma_at(mm, BASE));
	t_unmap(mm, BASE, 1);
	t_write(child, BASE, 1, 200);
	assert_ptr_equal(folio_at(child, BASE), folio);
	anon_vma = folio_lock_anon_vma_read(folio, NULL);
	assert_non_null(anon_vma);
	anon_vma_unlock_read(anon_vma);
	assert_ptr_equal(anon_vma, anon_vma_at(child, BASE));
	assert_int_equal(walk(folio).nr, 1);
	t_map(child, FAR, 1);
	assert_int_equal(um_uffd_move(child, FAR, BASE, PG), 0);
	assert_ptr_equal(folio_at(child, FAR), folio);
	assert_int_equal(folio_pgoff(folio), FAR / PG);
	anon_vma = folio_get_anon_vma(folio);
	assert_ptr_equal(anon_vma, anon_vma_at(child, FAR));
	put_anon_vma(anon_vma);
}

/* Not of the page cache, and not anybody's. */
static void owner_of_file_page(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);
	uint64_t content;
	struct folio *folio;

	t_map_file(mm, BASE, 1, file, 0);
	assert_int_equal(um_read(mm, BASE, &content), 0);
	folio = folio_at(mm, BASE);
	assert_true(folio_mapped(folio));
	assert_null(folio_anon_vma(folio));
	assert_null(folio_get_anon_vma(folio));
	assert_null(folio_lock_anon_vma_read(folio, NULL));
	um_file_put(file);
}

/* A lock that is not to be had, of the owner and of a descendant: said, not waited for. */
static void try_lock_tells_contention(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = { .arg = &visits, .rmap_one = visit, .try_lock = true };
	struct anon_vma *owner;
	bool contended = false;
	struct folio *folio;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	folio = folio_at(mm, BASE);
	owner = anon_vma_at(mm, BASE);
	rmap_walk_anon(folio, &rwc, false);
	assert_false(rwc.contended);
	assert_int_equal(visits.nr, 2);

	anon_vma_lock_write(owner);
	visits.nr = 0;
	rmap_walk_anon(folio, &rwc, false);
	assert_true(rwc.contended);
	assert_int_equal(visits.nr, 0);
	rwc.contended = false;
	assert_null(folio_lock_anon_vma_read(folio, &rwc));
	assert_true(rwc.contended);
	folio_referenced(folio, false, &contended);
	assert_true(contended);
	anon_vma_unlock_write(owner);
	rwc.contended = false;
	contended = false;

	if (t->lazy) {
		anon_vma_lock_write(child->anon_vma);
		visits.nr = 0;
		rmap_walk_anon(folio, &rwc, false);
		assert_true(rwc.contended);
		assert_int_equal(visits.nr, 1);
		folio_referenced(folio, false, &contended);
		assert_true(contended);
		anon_vma_unlock_write(child->anon_vma);
	}
	rwc.contended = false;
	visits.nr = 0;
	rmap_walk_anon(folio, &rwc, false);
	assert_false(rwc.contended);
	assert_int_equal(visits.nr, 2);
}

/* A reader is no obstacle to a reader. */
static void try_lock_beside_a_reader(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = { .arg = &visits, .rmap_one = visit, .try_lock = true };
	anon_vma_tree_t tree;
	struct folio *folio;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	folio = folio_at(mm, BASE);
	tree = vma_at(mm, BASE)->anon_vma;
	anon_vma_tree_lock_read(tree);
	assert_false(anon_vma_tree_trylock_write(tree));
	rmap_walk_anon(folio, &rwc, false);
	anon_vma_tree_unlock_read(tree);
	assert_false(rwc.contended);
	assert_int_equal(visits.nr, 1);
	assert_true(anon_vma_tree_trylock_write(tree));
	assert_false(anon_vma_tree_trylock_read(tree));
	anon_vma_tree_unlock_write(tree);
}

/* -- Corners of single functions ------------------------------------------------------- */

/* Each kind of damage is seen; without it, all is well. */
#define assert_noticed(owner, field, wrong) do {				\
	struct anon_vma *owner_ = (owner);					\
	__typeof__(field) right_ = (field);					\
	bool valid_;								\
										\
	(field) = (wrong);							\
	valid_ = lazy_anon_vma_is_valid(owner_);				\
	(field) = right_;							\
	assert_false(valid_);							\
	assert_true(lazy_anon_vma_is_valid(owner_));				\
} while (0)

static void damaged_lists_are_noticed(struct mm_struct *mm, struct mm_struct *child)
{
	struct lazy_anon_vma *lazy = to_lazy(mm->anon_vma), *below = to_lazy(child->anon_vma);
	struct list_head node;

	/* Wrong hints have a test of their own; no hint is always right. */
	lazy->hint = NULL;
	assert_noticed(mm->anon_vma, lazy->anon_vma.root, child->anon_vma);
	assert_noticed(mm->anon_vma, lazy->depth, LAZY_ANON_VMA_MAX_DEPTH);
	assert_noticed(mm->anon_vma, lazy->depth, 1);
	assert_noticed(mm->anon_vma, lazy->top, below);
	assert_noticed(child->anon_vma, below->depth, 2);
	assert_noticed(child->anon_vma, below->top, below);
	assert_noticed(mm->anon_vma, mm->anon_vma, child->anon_vma);
	assert_noticed(mm->anon_vma, below->parent, below);
	assert_noticed(mm->anon_vma, lazy->anon_vma.refcount.counter,
		       lazy->anon_vma.refcount.counter + 1);
	list_add(&node, &lazy->detached);
	assert_false(lazy_anon_vma_is_valid(mm->anon_vma));
	list_del(&node);
	assert_true(lazy_anon_vma_is_valid(mm->anon_vma));
}

static void damaged_chains_are_noticed(struct mm_struct *mm, struct mm_struct *child)
{
	struct vm_area_struct *vma = vma_at(mm, FAR);
	struct anon_vma_chain *avc = list_first_entry(&vma->anon_vma_chain,
						      struct anon_vma_chain, same_vma);
	struct anon_vma_chain another = { .vma = vma };

	assert_noticed(mm->anon_vma, avc->anon_vma, child->anon_vma);
	assert_noticed(mm->anon_vma, vma->anon_vma,
		       make_anon_vma_tree(mm->anon_vma, ANON_VMA_TREE_LAZY));
	assert_noticed(mm->anon_vma, vma->anon_vma,
		       make_anon_vma_tree(child->anon_vma,
					  ANON_VMA_TREE_LAZY | ANON_VMA_TREE_DISPLACED));
	list_add(&another.same_vma, &vma->anon_vma_chain);
	assert_false(lazy_anon_vma_is_valid(mm->anon_vma));
	list_del(&another.same_vma);
	assert_true(lazy_anon_vma_is_valid(mm->anon_vma));
}

/* A hint that a walk would follow to a VMA which it should not visit, or not there. */
static void wrong_hints_are_noticed(struct mm_struct *mm, struct mm_struct *child)
{
	struct lazy_anon_vma *lazy = to_lazy(mm->anon_vma);
	struct vm_area_struct *vma = vma_at(mm, BASE), copy = *vma;

	assert_noticed(mm->anon_vma, lazy->hint, vma_at(child, BASE));
	assert_noticed(mm->anon_vma, lazy->hint, vma_at(mm, FAR));
	assert_noticed(mm->anon_vma, lazy->hint, &copy);
	/* That which was moved away has the same numbers. */
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 4);
	assert_ptr_equal(lazy->hint, vma);
	assert_noticed(mm->anon_vma, vma->anon_vma,
		       make_anon_vma_tree(child->anon_vma, ANON_VMA_TREE_LAZY));
	assert_noticed(mm->anon_vma, vma->vm_end, vma->vm_end + PG);
}

static void damage_is_noticed(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, 0);
	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 200);
	child = t_fork(mm);
	assert_true(lazy_anon_vma_is_valid(mm->anon_vma));
	assert_true(lazy_anon_vma_is_valid(child->anon_vma));
	damaged_lists_are_noticed(mm, child);
	damaged_chains_are_noticed(mm, child);
	wrong_hints_are_noticed(mm, child);
}

/* Nobody's owner covers a VMA that has none. */
static void unfaulted_is_not_covered(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	t_map(mm, FAR, 1);
	assert_true(mm->topology->covers(anon_vma_at(mm, BASE), vma_at(mm, BASE)));
	assert_false(mm->topology->covers(anon_vma_at(mm, BASE), vma_at(mm, FAR)));
	assert_false(mm->topology->covers(NULL, vma_at(mm, FAR)));
}

/* VMAs of a walk over offsets. The owner need not be locked. */
static int walk_offsets(struct anon_vma *owner, pgoff_t first, pgoff_t last,
			struct vm_area_struct **vmas, unsigned long *addresses)
{
	struct vm_area_struct *vma;
	struct anon_vma_walk w;
	int nr = 0;

	anon_vma_lock_read(owner);
	anon_vma_walk_begin(&w, owner, first, last);
	while ((vma = anon_vma_walk_next(&w))) {
		assert_true(nr < MAX_VISITS);
		vmas[nr] = vma;
		addresses[nr++] = w.address;
	}
	/* The end is the end, however often it is asked for. */
	assert_null(anon_vma_walk_next(&w));
	anon_vma_walk_end(&w, true);
	return nr;
}

/*
 * Offsets that are no page numbers: as addresses, their low bits are those of a VMA in
 * place. A displaced one can have them: of a mapping of /dev/zero, whose offset is the file's.
 */
static void offsets_beyond_all_addresses(void **state)
{
	struct t *t = *state;
	const pgoff_t beyond = BASE / PG + (1UL << (BITS_PER_LONG - PAGE_SHIFT));
	struct um_file *file = um_file_create(t->world, UM_FILE_ZERO);
	struct vm_area_struct *vmas[MAX_VISITS];
	unsigned long addresses[MAX_VISITS];
	struct mm_struct *mm = t_mm(t);
	struct visits visits;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	assert_int_equal(walk_offsets(mm->anon_vma, beyond, beyond, vmas, addresses), 0);
	assert_int_equal(walk_offsets(mm->anon_vma, BASE / PG, beyond, vmas, addresses), 1);

	t_map_file(mm, FAR, 4, file, beyond);
	t_write(mm, FAR, 4, 200);
	assert_int_equal(walk_offsets(mm->anon_vma, beyond + 1, beyond + 1, vmas, addresses), 1);
	assert_ptr_equal(vmas[0], vma_at(mm, FAR));
	assert_int_equal(addresses[0], FAR + PG);
	visits = walk(folio_at(mm, FAR + 2 * PG));
	assert_int_equal(visits.nr, 1);
	assert_int_equal(visits.address[0], FAR + 2 * PG);
	um_file_put(file);
}

/* A walk that ends before its first step holds nothing but the owner's lock. */
static void walk_ends_before_it_begins(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct anon_vma *owner;
	struct anon_vma_walk w;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	owner = anon_vma_at(mm, BASE);
	anon_vma_lock_read(owner);
	anon_vma_walk_begin(&w, owner, BASE / PG, BASE / PG);
	anon_vma_walk_end(&w, true);
	assert_true(anon_vma_trylock_write(owner));
	anon_vma_unlock_write(owner);
}

/* A slot that fork has reserved in the child's tree is no VMA. */
static void reserved_slot_is_no_vma(void **state)
{
	struct t *t = *state;
	struct vm_area_struct *vmas[MAX_VISITS], *own, *parents;
	unsigned long addresses[MAX_VISITS];
	struct mm_struct *mm = t_mm(t), *child;

	t_map(mm, BASE, 4);
	t_write(mm, BASE, 4, 100);
	child = t_fork(mm);
	own = vma_at(child, BASE);
	parents = vma_at(mm, BASE);
	assert_int_equal(walk_offsets(mm->anon_vma, BASE / PG, BASE / PG + 3, vmas, addresses), 2);
	assert_ptr_equal(vmas[1], own);

	mmap_write_lock(child);
	anon_vma_tree_lock_write(own->anon_vma);
	store_vma(own, XA_ZERO_ENTRY);
	anon_vma_tree_unlock_write(own->anon_vma);
	assert_int_equal(walk_offsets(mm->anon_vma, BASE / PG, BASE / PG + 3, vmas, addresses), 1);
	assert_ptr_equal(vmas[0], parents);
	store_vma(own, own);
	mmap_write_unlock(child);
	assert_int_equal(walk_offsets(mm->anon_vma, BASE / PG, BASE / PG + 3, vmas, addresses), 2);
}

static bool is_unwanted(struct vm_area_struct *vma, void *arg)
{
	struct visits *visits = arg;

	return vma == visits->unwanted;
}

/* VMAs that the caller does not want to see, and hugetlb's, are not handed to it. */
static void unwanted_vmas_are_skipped(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = {
		.arg = &visits, .rmap_one = visit, .invalid_vma = is_unwanted };
	struct vm_area_struct *vma;
	struct folio *folio;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	folio = folio_at(mm, BASE);
	rmap_walk_anon(folio, &rwc, false);
	assert_int_equal(visits.nr, 2);
	visits.unwanted = vma_at(mm, BASE);
	visits.nr = 0;
	rmap_walk_anon(folio, &rwc, false);
	assert_int_equal(visits.nr, 1);
	assert_ptr_equal(visits.vma[0], vma_at(child, BASE));

	vma = vma_at(child, BASE);
	WRITE_ONCE(vma->vm_flags, vma->vm_flags | VM_HUGETLB);
	visits = walk(folio);
	WRITE_ONCE(vma->vm_flags, vma->vm_flags & ~VM_HUGETLB);
	assert_int_equal(visits.nr, 1);
	assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
}

/* As the first fault of a hugetlb VMA does. */
static void prepare_hugetlb(struct vm_area_struct *vma)
{
	mmap_write_lock(vma->vm_mm);
	vma_start_write(vma);
	WRITE_ONCE(vma->vm_flags, vma->vm_flags | VM_HUGETLB);
	assert_int_equal(anon_vma_prepare(vma), 0);
	mmap_write_unlock(vma->vm_mm);
}

/* hugetlb numbers its pages by file offset: never in place, even where that is the address. */
static void hugetlb_is_displaced(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);

	t_map_file(mm, BASE, 4, file, 77);
	t_map_file(mm, FAR, 4, file, FAR / PG);
	prepare_hugetlb(vma_at(mm, BASE));
	prepare_hugetlb(vma_at(mm, FAR));
	assert_true(anon_vma_tree_displaced(vma_at(mm, BASE)->anon_vma));
	assert_int_equal(vma_anon_pgoff(vma_at(mm, BASE)), 77);
	assert_true(anon_vma_tree_displaced(vma_at(mm, FAR)->anon_vma));
	assert_int_equal(vma_anon_pgoff(vma_at(mm, FAR)), FAR / PG);
	assert_int_equal(live(t, UM_OBJ_AVC), 2);
	t_unmap(mm, BASE, 4);
	t_unmap(mm, FAR, 4);
	assert_int_equal(live(t, UM_OBJ_AVC), 0);
	um_file_put(file);
}

static void move_away(struct mm_struct *mm, uint64_t page, uint64_t pages, uint64_t to)
{
	t_map(mm, BASE + page * PG, pages);
	t_write(mm, BASE + page * PG, pages, 100 * pages);
	t_move(mm, BASE + page * PG, pages, to, 0);
}

/*
 * Displaced VMAs that have the same offsets, by VMAs that were moved away one after the
 * other. A walk passes over those that end too early, and what is behind them.
 *
 *	offset	0 1 2 3 4 5 6 7 8 9
 *	a	[                 ]
 *	b	          [ ]
 *	c	              [ ]
 *	d	              [ ]	then one page more
 */
static void displaced_over_each_other(void **state)
{
	struct t *t = *state;
	const uint64_t a = FAR, b = FAR + 64 * PG, c = FAR + 128 * PG;
	const pgoff_t from = BASE / PG;
	struct vm_area_struct *vmas[MAX_VISITS];
	unsigned long addresses[MAX_VISITS];
	struct mm_struct *mm = t_mm(t);

	move_away(mm, 0, 10, a);
	move_away(mm, 5, 2, b);
	move_away(mm, 7, 1, c);
	assert_int_equal(walk_offsets(mm->anon_vma, from + 8, from + 9, vmas, addresses), 1);
	assert_ptr_equal(vmas[0], vma_at(mm, a));
	assert_int_equal(addresses[0], a + 8 * PG);
	assert_int_equal(walk_offsets(mm->anon_vma, from + 6, from + 7, vmas, addresses), 3);
	assert_ptr_equal(vmas[0], vma_at(mm, a));
	assert_ptr_equal(vmas[1], vma_at(mm, b));
	assert_int_equal(addresses[1], b + PG);
	assert_ptr_equal(vmas[2], vma_at(mm, c));
	t_unmap(mm, c, 1);
	move_away(mm, 7, 2, c);
	assert_int_equal(walk_offsets(mm->anon_vma, from + 8, from + 9, vmas, addresses), 2);
	assert_ptr_equal(vmas[1], vma_at(mm, c));
	assert_int_equal(addresses[1], c + PG);
	t_expect(mm, a, 10, 1000);
}

/* A first fault for which there is no memory leaves the VMA without a word. */
static void prepare_without_memory(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_ZERO);
	struct mm_struct *mm = t_mm(t);
	struct vm_area_struct *vma;
	unsigned int nth;
	int err;

	/* Displaced, in the lazy topology: it needs an anon_vma and a chain entry, too. */
	t_map_file(mm, BASE, 1, file, 77);
	vma = vma_at(mm, BASE);
	for (nth = 1; ; nth++) {
		mmap_read_lock(mm);
		kshim_fail_nth(nth);
		err = anon_vma_prepare(vma);
		kshim_fail_disarm();
		mmap_read_unlock(mm);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(vma->anon_vma, 0);
		assert_true(list_empty(&vma->anon_vma_chain));
		assert_int_equal(live(t, UM_OBJ_AVC), 0);
		/* That of the mm stays; those of VMAs do not. */
		assert_int_equal(live(t, UM_OBJ_ANON_VMA), t->lazy && mm->anon_vma ? 1 : 0);
	}
	assert_int_equal(nth, 3);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 1);
	assert_int_equal(live(t, UM_OBJ_AVC), 1);
	t_write(mm, BASE, 1, 100);
	assert_int_equal(walk(folio_at(mm, BASE)).nr, 1);
	um_file_put(file);
}

/* A fork that cannot give its parent an anon_vma leaves it without. */
static void fork_without_memory_for_the_parent(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	int failed = 0, err;
	unsigned int nth;

	t_map(mm, BASE, 1);
	for (nth = 1; ; nth++) {
		kshim_fail_nth(nth);
		/* Not the macro, which would try again. */
		err = (um_fork)(mm, &child);
		if (!kshim_fail_disarm())
			break;
		assert_int_equal(err, -ENOMEM);
		failed++;
		if (!mm->anon_vma)
			assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
	}
	assert_int_equal(err, 0);
	assert_true(failed > 1);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), t->lazy ? 2 : 0);
	t_write(child, BASE, 1, 100);
	assert_int_equal(walk(folio_at(child, BASE)).nr, 1);
}

/* A reference on a descendant's anon_vma holds the root, whose lock is its own. */
static void last_reference_takes_the_root_along(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child;
	struct anon_vma *anon_vma;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	child = t_fork(mm);
	t_write(child, BASE, 1, 200);
	anon_vma = folio_get_anon_vma(folio_at(child, BASE));
	assert_ptr_equal(anon_vma, anon_vma_at(child, BASE));
	assert_ptr_equal(anon_vma->root, anon_vma_at(mm, BASE));
	um_exit(child);
	um_exit(mm);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 2);
	assert_true(anon_vma_trylock_write(anon_vma));
	anon_vma_unlock_write(anon_vma);
	put_anon_vma(anon_vma);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
}

/* A folio that is not anonymous has no owner to walk from, by whichever way. */
static void nothing_to_walk_of_file_page(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = { .arg = &visits, .rmap_one = visit };
	struct folio *folio;
	uint64_t content;

	t_map_file(mm, BASE, 1, file, 0);
	assert_int_equal(um_read(mm, BASE, &content), 0);
	folio = folio_at(mm, BASE);
	rmap_walk_anon(folio, &rwc, false);
	assert_int_equal(visits.nr, 0);
	assert_int_equal(walk(folio).nr, 0);
	visits = walk_maybe_lockless(folio, 0);
	assert_int_equal(visits.nr, 0);
	assert_int_equal(visits.restarts, 0);
	um_file_put(file);
}

/* -- Siblings in a walk's way ---------------------------------------------------------- */

#define CHILDREN	3

static void three_children(struct t *t, struct mm_struct **mm, struct mm_struct **child)
{
	int i;

	*mm = t_mm(t);
	t_map(*mm, BASE, 1);
	t_write(*mm, BASE, 1, 100);
	for (i = 0; i < CHILDREN; i++)
		child[i] = t_fork(*mm);
}

/* Whichever child's lock is not to be had, the walk ends in front of it, and says so. */
static void try_lock_of_each_sibling(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm, *child[CHILDREN];
	struct visits visits = { 0 };
	struct rmap_walk_control rwc = { .arg = &visits, .rmap_one = visit, .try_lock = true };
	int i;

	three_children(t, &mm, child);
	for (i = 0; i < CHILDREN; i++) {
		anon_vma_lock_write(child[i]->anon_vma);
		visits.nr = 0;
		rwc.contended = false;
		rmap_walk_anon(folio_at(mm, BASE), &rwc, false);
		anon_vma_unlock_write(child[i]->anon_vma);
		assert_true(rwc.contended);
		assert_int_equal(visits.nr, 1 + i);
	}
	rwc.contended = false;
	visits.nr = 0;
	rmap_walk_anon(folio_at(mm, BASE), &rwc, false);
	assert_false(rwc.contended);
	assert_int_equal(visits.nr, 1 + CHILDREN);
}

/* Holds a child's lock until a walk has pinned it, and so waits. */
struct blocker {
	pthread_t thread;
	struct anon_vma *anon_vma;
	int count;
	bool blocks;
};

static void *block(void *arg)
{
	struct blocker *blocker = arg;
	anon_vma_tree_t tree = make_anon_vma_tree(blocker->anon_vma, ANON_VMA_TREE_LAZY);

	um_thread_register();
	anon_vma_tree_lock_write(tree);
	WRITE_ONCE(blocker->blocks, true);
	while (atomic_read(&blocker->anon_vma->refcount) == blocker->count)
		sched_yield();
	anon_vma_tree_unlock_write(tree);
	um_thread_unregister();
	return NULL;
}

/* A walk that waits for one child after the other visits all, and leaves nothing pinned. */
static void walk_waits_for_each_sibling(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm, *child[CHILDREN];
	struct blocker blocker[CHILDREN];
	struct visits visits;
	int i;

	three_children(t, &mm, child);
	for (i = 0; i < CHILDREN; i++) {
		blocker[i] = (struct blocker) {
			.anon_vma = child[i]->anon_vma,
			.count = atomic_read(&child[i]->anon_vma->refcount) };
		assert_int_equal(pthread_create(&blocker[i].thread, NULL, block, &blocker[i]), 0);
		while (!READ_ONCE(blocker[i].blocks))
			sched_yield();
	}
	visits = walk(folio_at(mm, BASE));
	for (i = 0; i < CHILDREN; i++)
		pthread_join(blocker[i].thread, NULL);
	assert_int_equal(visits.nr, 1 + CHILDREN);
	for (i = 0; i < CHILDREN; i++) {
		assert_ptr_equal(visits.vma[1 + i], vma_at(child[i], BASE));
		assert_true(lazy_anon_vma_is_valid(child[i]->anon_vma));
	}
	assert_true(lazy_anon_vma_is_valid(mm->anon_vma));
}

static void *put_last(void *anon_vma)
{
	um_thread_register();
	put_anon_vma(anon_vma);
	um_thread_unregister();
	return NULL;
}

/*
 * A child whose last reference has gone, and which waits to unlink itself, as we read-lock
 * it: a walk passes it by, waits for nothing, and goes on to the next one.
 */
static void dead_sibling_is_passed_by(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm, *child[CHILDREN];
	struct anon_vma *dead;
	struct visits visits;
	pthread_t thread;
	int i, left = CHILDREN;

	three_children(t, &mm, child);
	/* The second, then the first, of those who are left. */
	for (i = 1; i >= 0; i--) {
		dead = child[i]->anon_vma;
		get_anon_vma(dead);
		um_exit(child[i]);
		anon_vma_lock_read(dead);
		assert_int_equal(pthread_create(&thread, NULL, put_last, dead), 0);
		while (atomic_read(&dead->refcount))
			sched_yield();
		visits = walk(folio_at(mm, BASE));
		anon_vma_unlock_read(dead);
		pthread_join(thread, NULL);
		assert_int_equal(visits.nr, left--);
		assert_ptr_equal(visits.vma[0], vma_at(mm, BASE));
		assert_ptr_equal(visits.vma[visits.nr - 1], vma_at(child[2], BASE));
		assert_int_equal(live(t, UM_OBJ_ANON_VMA), 1 + left);
	}
}

/* -- Waiting for an owner -------------------------------------------------------------- */

struct owner_waiter {
	struct folio *folio;
	struct anon_vma *got;
};

static void *wait_for_owner(void *arg)
{
	struct owner_waiter *waiter = arg;

	um_thread_register();
	waiter->got = folio_lock_anon_vma_read(waiter->folio, NULL);
	if (waiter->got)
		anon_vma_unlock_read(waiter->got);
	um_thread_unregister();
	return NULL;
}

/* Nothing is said of how to lock: then it waits, by a reference, which it drops again. */
static void owner_is_waited_for(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t);
	struct owner_waiter waiter;
	struct anon_vma *owner;
	pthread_t thread;
	int count;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	owner = anon_vma_at(mm, BASE);
	count = atomic_read(&owner->refcount);
	waiter = (struct owner_waiter) { .folio = folio_at(mm, BASE) };
	anon_vma_lock_write(owner);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_owner, &waiter), 0);
	while (atomic_read(&owner->refcount) == count)
		sched_yield();
	anon_vma_unlock_write(owner);
	pthread_join(thread, NULL);
	assert_ptr_equal(waiter.got, owner);
	assert_int_equal(atomic_read(&owner->refcount), count);
	assert_true(anon_vma_trylock_write(owner));
	anon_vma_unlock_write(owner);
}

/* -- The regular topology's rule of reuse ---------------------------------------------- */

static void assert_objects(struct t *t, uint64_t anon_vmas, uint64_t avcs)
{
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), anon_vmas);
	assert_int_equal(live(t, UM_OBJ_AVC), avcs);
}

/*
 * As Linux: a child's VMA takes over an anon_vma that lost its VMAs and has at most one
 * child. The root counts itself as a child, so it is never taken with one more.
 */
static void regular_reuse(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b, *c, *d, *e, *f;
	struct anon_vma *of_b, *of_c;

	t_map(a, BASE, 1);
	t_write(a, BASE, 1, 1);
	assert_objects(t, 1, 1);
	b = t_fork(a);
	of_b = anon_vma_at(b, BASE);
	assert_objects(t, 2, 3);
	um_exit(a);
	assert_objects(t, 2, 2);
	c = t_fork(b);
	of_c = anon_vma_at(c, BASE);
	/* The root has itself and b's; b's is in use: a new one. */
	assert_ptr_not_equal(of_c, of_b);
	assert_objects(t, 3, 5);
	um_exit(b);
	assert_objects(t, 3, 3);
	/* b's has no VMA and one child: d takes it. */
	d = t_fork(c);
	assert_ptr_equal(anon_vma_at(d, BASE), of_b);
	assert_objects(t, 3, 6);
	/* Only one can: e gets a new one. */
	e = t_fork(c);
	assert_ptr_not_equal(anon_vma_at(e, BASE), of_b);
	assert_ptr_not_equal(anon_vma_at(e, BASE), of_c);
	assert_objects(t, 4, 10);
	um_exit(c);
	assert_objects(t, 4, 7);
	/* c's has no VMA, and e's as its one child: f, of d, takes it. */
	f = t_fork(d);
	assert_ptr_equal(anon_vma_at(f, BASE), of_c);
	assert_objects(t, 4, 10);
	t_migrate(t);
	um_exit(d);
	um_exit(e);
	t_expect(f, BASE, 1, 1);
	assert_objects(t, 3, 3);
	um_exit(f);
	assert_objects(t, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tagged_word),
		cmocka_unit_test(notes_count),
		cmocka_unit_test(r37_notes_count_70000),
		cmocka_unit_test(notes_saturate),
		cmocka_unit_test(notes_see_copies),
		cmocka_unit_test(range_address),
		UM_TEST_LAZY(numbering),
		UM_TEST_LAZY(mergeable_numbering),
		UM_TEST(walk_ends_early),
		UM_TEST_LAZY(lockless_for_simple_owners),
		UM_TEST_LAZY(lockless_looks_again),
		UM_TEST_LAZY(lockless_not_if_the_word_changes),
		UM_TEST_LAZY(lockless_not_for_others),
		UM_TEST_LAZY(lockless_not_under_a_mutator),
		UM_TEST_LAZY(lockless_after_a_trylock),
		UM_TEST_QUIET_ON(depth_and_joins, "lazy"),
		UM_TEST_LAZY(new_mm_is_on_no_list),
		UM_TEST_LAZY(copy_of_unfaulted_has_no_word),
		UM_TEST_LAZY(detached_is_found_once),
		UM_TEST_LAZY(detach_done_is_not_found),
		UM_TEST_LAZY(detach_of_unfaulted),
		UM_TEST_QUIET_ON(r39_two_batches_of_one_owner, "lazy"),
		UM_TEST_LAZY(unlinked_unseen),
		UM_TEST_QUIET_ON(mutators_wait_for_walks, "lazy"),
		UM_TEST_LAZY(fork_failed_limits_walks),
		UM_TEST_LAZY(parents_vma_in_the_childs_tree),
		UM_TEST_LAZY(hint_is_not_kept_over_changes),
		UM_TEST_QUIET_ON(last_descendant_goes_under_a_walk, "lazy"),
		UM_TEST_QUIET_ON(last_descendant_goes_with_a_walks_pin, "lazy"),
		UM_TEST_QUIET_ON(walk_lets_go_before_it_waits, "lazy"),
		UM_TEST_LAZY(line_of_dead_goes_at_once),
		UM_TEST_QUIET_ON(owner_of_unmapped_folio, "lazy"),
		UM_TEST_QUIET_ON(owner_of_unmapped_folio, "regular"),
		UM_TEST_LAZY(owner_changes),
		UM_TEST_REGULAR(owner_changes),
		UM_TEST(owner_of_file_page),
		UM_TEST(try_lock_tells_contention),
		UM_TEST(try_lock_beside_a_reader),
		UM_TEST_LAZY(damage_is_noticed),
		UM_TEST_LAZY(unfaulted_is_not_covered),
		UM_TEST_REGULAR(unfaulted_is_not_covered),
		UM_TEST_LAZY(offsets_beyond_all_addresses),
		UM_TEST(walk_ends_before_it_begins),
		UM_TEST_LAZY(reserved_slot_is_no_vma),
		UM_TEST(unwanted_vmas_are_skipped),
		UM_TEST_LAZY(hugetlb_is_displaced),
		UM_TEST_LAZY(displaced_over_each_other),
		UM_TEST_LAZY(prepare_without_memory),
		UM_TEST_REGULAR(prepare_without_memory),
		UM_TEST_LAZY(fork_without_memory_for_the_parent),
		UM_TEST_QUIET_ON(last_reference_takes_the_root_along, "regular"),
		UM_TEST(nothing_to_walk_of_file_page),
		UM_TEST_LAZY(try_lock_of_each_sibling),
		UM_TEST_QUIET_ON(walk_waits_for_each_sibling, "lazy"),
		UM_TEST_QUIET_ON(dead_sibling_is_passed_by, "lazy"),
		UM_TEST_QUIET_ON(owner_is_waited_for, "lazy"),
		UM_TEST_QUIET_ON(owner_is_waited_for, "regular"),
		UM_TEST_REGULAR(regular_reuse),
	};

	return um_test_main(tests);
}
