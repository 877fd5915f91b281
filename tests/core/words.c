// SPDX-License-Identifier: GPL-2.0
/*
 * What a VMA's word says, what a note of migrations does, and which numbers the pages of a
 * VMA have.
 */
#include "core_tests.h"

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
}

const struct CMUnitTest words_tests[] = {
	cmocka_unit_test(tagged_word),
	cmocka_unit_test(notes_count),
	cmocka_unit_test(r37_notes_count_70000),
	cmocka_unit_test(notes_saturate),
	cmocka_unit_test(notes_see_copies),
	cmocka_unit_test(range_address),
	UM_TEST_LAZY(numbering),
	UM_TEST_LAZY(mergeable_numbering),
};
const size_t nr_words_tests = ARRAY_SIZE(words_tests);
