// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the lazy topology of the anonymous reverse map
 *
 * Two suites. anon_vma_words: arithmetic, in every boot. anon_vma_lazy: small mms
 * that no task has, with VMAs that no page was ever mapped in, put together by the
 * calls that fork, mremap, munmap and exit make; needs a boot with anon_vma=lazy.
 *
 * An assertion ends the test where it stands: there is none while a lock is held. What a
 * test leaves behind, exit_mmap() cleans up, as it does for everybody.
 */
#include <kunit/test.h>
#include <linux/anon_vma_lazy.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "../anon_vma_lazy_internal.h"

/* -- The tagged word ------------------------------------------------------- */

static void word_empty(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, make_anon_vma_tree(NULL, 0), 0UL);
	KUNIT_EXPECT_NULL(test, anon_vma_tree_anon_vma(0));
	KUNIT_EXPECT_FALSE(test, anon_vma_tree_is_lazy(0));
	KUNIT_EXPECT_FALSE(test, anon_vma_tree_in_place(0));
	KUNIT_EXPECT_FALSE(test, anon_vma_tree_displaced(0));
	KUNIT_EXPECT_FALSE(test, anon_vma_tree_detached(0));
	KUNIT_EXPECT_FALSE(test, anon_vma_tree_detached_in_place(0));
}

static void word_states(struct kunit *test)
{
	static const struct {
		unsigned long tags;
		bool lazy, in_place, displaced, detached, detached_in_place;
	} states[] = {
		{ 0 },
		{ ANON_VMA_TREE_LAZY, .lazy = true, .in_place = true },
		{ ANON_VMA_TREE_LAZY | ANON_VMA_TREE_DISPLACED, .lazy = true, .displaced = true },
		{ ANON_VMA_TREE_LAZY | ANON_VMA_TREE_DETACHED, .lazy = true, .detached = true,
		  .detached_in_place = true },
		{ ANON_VMA_TREE_LAZY | ANON_VMA_TREE_DISPLACED | ANON_VMA_TREE_DETACHED,
		  .lazy = true, .displaced = true, .detached = true },
	};
	struct lazy_anon_vma *lazy = kunit_kzalloc(test, sizeof(*lazy), GFP_KERNEL);
	anon_vma_tree_t word;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, lazy);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		word = make_anon_vma_tree(&lazy->anon_vma, states[i].tags);
		KUNIT_EXPECT_PTR_EQ(test, anon_vma_tree_anon_vma(word), &lazy->anon_vma);
		KUNIT_EXPECT_EQ(test, anon_vma_tree_is_lazy(word), states[i].lazy);
		KUNIT_EXPECT_EQ(test, anon_vma_tree_in_place(word), states[i].in_place);
		KUNIT_EXPECT_EQ(test, anon_vma_tree_displaced(word), states[i].displaced);
		KUNIT_EXPECT_EQ(test, anon_vma_tree_detached(word), states[i].detached);
		KUNIT_EXPECT_EQ(test, anon_vma_tree_detached_in_place(word),
				states[i].detached_in_place);
	}
}

static void word_transitions(struct kunit *test)
{
	struct lazy_anon_vma *lazy = kunit_kzalloc(test, sizeof(*lazy), GFP_KERNEL);
	anon_vma_tree_t word, detached;
	unsigned long tags;

	KUNIT_ASSERT_NOT_NULL(test, lazy);
	for (tags = ANON_VMA_TREE_LAZY; tags < ANON_VMA_TREE_DETACHED; tags += 2) {
		word = make_anon_vma_tree(&lazy->anon_vma, tags);
		detached = anon_vma_tree_mk_detached(word);
		KUNIT_EXPECT_TRUE(test, anon_vma_tree_detached(detached));
		KUNIT_EXPECT_FALSE(test, anon_vma_tree_in_place(detached));
		KUNIT_EXPECT_EQ(test, anon_vma_tree_displaced(detached),
				anon_vma_tree_displaced(word));
		KUNIT_EXPECT_PTR_EQ(test, anon_vma_tree_anon_vma(detached), &lazy->anon_vma);
		KUNIT_EXPECT_EQ(test, anon_vma_tree_mk_detached(detached), detached);
		KUNIT_EXPECT_EQ(test, anon_vma_tree_mk_attached(detached), word);
		KUNIT_EXPECT_EQ(test, anon_vma_tree_mk_attached(word), word);
	}
}

/* By the folio there is no VMA to ask: the word follows from the topology. */
static void word_of_owner(struct kunit *test)
{
	struct lazy_anon_vma *lazy = kunit_kzalloc(test, sizeof(*lazy), GFP_KERNEL);
	anon_vma_tree_t word;

	KUNIT_ASSERT_NOT_NULL(test, lazy);
	word = anon_vma_owner_tree(&lazy->anon_vma);
	KUNIT_EXPECT_PTR_EQ(test, anon_vma_tree_anon_vma(word), &lazy->anon_vma);
	KUNIT_EXPECT_EQ(test, anon_vma_tree_is_lazy(word), anon_vma_lazy());
	KUNIT_EXPECT_FALSE(test, anon_vma_tree_displaced(word));
	KUNIT_EXPECT_FALSE(test, anon_vma_tree_detached(word));
}

/* -- Where a range of offsets is in a VMA ---------------------------------- */

#define NOWHERE		((unsigned long)-EFAULT)

/*
 * offset	100	101	102	103
 * VMA		|-------|-------|-------|-------|
 */
static void range_overlaps(struct kunit *test)
{
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	const unsigned long start = 0x100 * PAGE_SIZE;

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vma->vm_start = start;
	vma->vm_end = start + 4 * PAGE_SIZE;

	/* Before, touching, and after. */
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 90, 98), NOWHERE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 90, 99), NOWHERE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 104, 110), NOWHERE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 200, 200), NOWHERE);
	/* Across the start, across all, and all. */
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 90, 100), start);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 90, 102), start);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 90, 200), start);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 0, ULONG_MAX), start);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 100, 103), start);
	/* Inside, and across the end. */
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 101, 101), start + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 102, 103), start + 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 103, 103), start + 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 103, 110), start + 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 100, 103, ULONG_MAX), start + 3 * PAGE_SIZE);
}

static void range_at_the_ends_of_offsets(struct kunit *test)
{
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	const unsigned long start = 0x100 * PAGE_SIZE;

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vma->vm_start = start;
	vma->vm_end = start + 4 * PAGE_SIZE;

	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 0, 0, 0), start);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 0, 3, ULONG_MAX), start + 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 0, 4, ULONG_MAX), NOWHERE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, 0, ULONG_MAX, ULONG_MAX), NOWHERE);

	/* The last four offsets there are: start + pages is 0. */
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, ULONG_MAX - 3, 0, 3), NOWHERE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, ULONG_MAX - 3, 0, ULONG_MAX - 4), NOWHERE);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, ULONG_MAX - 3, 0, ULONG_MAX - 3), start);
	KUNIT_EXPECT_EQ(test, vma_range_address(vma, ULONG_MAX - 3, ULONG_MAX, ULONG_MAX),
			start + 3 * PAGE_SIZE);
}

/* -- Notes of migrations --------------------------------------------------- */

static void note_counts(struct kunit *test)
{
	migration_note_t note = migration_note_begin(), counted;

	KUNIT_EXPECT_EQ(test, note & MIGRATION_NOTE_COUNT_MAX, 0ULL);
	counted = migration_note_installed(note, 1);
	counted = migration_note_installed(counted, 512);
	counted = migration_note_installed(counted, 0);
	KUNIT_EXPECT_EQ(test, counted & MIGRATION_NOTE_COUNT_MAX, 513ULL);
	/* What the clock said is still in it. */
	KUNIT_EXPECT_EQ(test, counted >> MIGRATION_NOTE_COUNT_BITS,
			note >> MIGRATION_NOTE_COUNT_BITS);
}

static void note_saturates(struct kunit *test)
{
	const unsigned long max = MIGRATION_NOTE_COUNT_MAX;
	migration_note_t note = migration_note_begin(), full;

	full = migration_note_installed(note, max);
	KUNIT_EXPECT_EQ(test, full & MIGRATION_NOTE_COUNT_MAX, MIGRATION_NOTE_COUNT_MAX);
	KUNIT_EXPECT_EQ(test, migration_note_installed(full, 1), full);
	KUNIT_EXPECT_EQ(test, migration_note_installed(full, ULONG_MAX), full);
	KUNIT_EXPECT_EQ(test, migration_note_installed(migration_note_installed(note, max - 1), 2),
			full);
	KUNIT_EXPECT_EQ(test, migration_note_installed(note, ULONG_MAX), full);
	/* Nobody knows how many there are. */
	KUNIT_EXPECT_FALSE(test, migration_note_complete(full, max));
	KUNIT_EXPECT_FALSE(test, migration_note_complete(full, ULONG_MAX));
}

static void note_unknown(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, migration_note_complete(MIGRATION_NOTE_UNKNOWN, 0));
	KUNIT_EXPECT_FALSE(test, migration_note_complete(MIGRATION_NOTE_UNKNOWN, ULONG_MAX));
	KUNIT_EXPECT_FALSE(test, migration_note_complete(migration_note_begin(), 0));
	KUNIT_EXPECT_FALSE(test, migration_note_complete(migration_note_begin(), 1));
}

/* Also moves the clock of everybody else: their walks run to the end, this once. */
static void note_completes_unless_copied(struct kunit *test)
{
	bool less, all, more, copied, later;
	migration_note_t note;
	s64 clock;
	int tries;

	/* Again if a process forked meanwhile, and copied an entry. */
	for (tries = 0; tries < 100; tries++) {
		clock = atomic64_read(&anon_vma_copy_clock);
		note = migration_note_installed(migration_note_begin(), 3);
		less = migration_note_complete(note, 2);
		all = migration_note_complete(note, 3);
		more = migration_note_complete(note, 4);
		if (atomic64_read(&anon_vma_copy_clock) == clock)
			break;
	}
	migration_entry_copied();
	copied = migration_note_complete(note, 3);
	later = migration_note_complete(note, ULONG_MAX);

	KUNIT_ASSERT_LT(test, tries, 100);
	KUNIT_EXPECT_FALSE(test, less);
	/* Where words are 32 bits a note has no place to travel in. */
	KUNIT_EXPECT_EQ(test, all, BITS_PER_LONG == 64);
	KUNIT_EXPECT_EQ(test, more, BITS_PER_LONG == 64);
	KUNIT_EXPECT_FALSE(test, copied);
	KUNIT_EXPECT_FALSE(test, later);
}

/* -- Small mms ------------------------------------------------------------- */

/* Pages of an mm are named by numbers from here on. */
#define BASE_PAGE	0x1000UL
#define MAX_MMS		(LAZY_ANON_VMA_MAX_DEPTH + 3)
#define MAX_VISITS	32

struct world {
	struct mm_struct *mms[MAX_MMS];
	unsigned int nr;
};

struct visits {
	unsigned int nr;
	struct vm_area_struct *vma[MAX_VISITS];
	unsigned long address[MAX_VISITS];
};

static unsigned long page_address_of(unsigned long page)
{
	return (BASE_PAGE + page) << PAGE_SHIFT;
}

static struct mm_struct *world_mm(struct kunit *test)
{
	struct world *world = test->priv;
	struct mm_struct *mm = world->nr < MAX_MMS ? mm_alloc() : NULL;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	world->mms[world->nr++] = mm;
	return mm;
}

/* All its pages are gone: the last user leaves. */
static void world_exit_mm(struct kunit *test, struct mm_struct *mm)
{
	struct world *world = test->priv;
	unsigned int i;

	for (i = 0; i < world->nr; i++) {
		if (world->mms[i] != mm)
			continue;
		world->mms[i] = NULL;
		mmput(mm);
	}
}

/* mmap_lock held for write. */
static int store_vma(struct mm_struct *mm, unsigned long start, unsigned long end, void *entry)
{
	MA_STATE(mas, &mm->mm_mt, start, end - 1);

	return mas_store_gfp(&mas, entry, GFP_KERNEL);
}

/* A VMA that is in no tree. A private file mapping, until vma_set_anonymous(). */
static struct vm_area_struct *make_vma(struct kunit *test, struct mm_struct *mm,
				       unsigned long page, unsigned long nr, pgoff_t pgoff)
{
	struct vm_area_struct *vma = vm_area_alloc(mm);

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vma->vm_start = page_address_of(page);
	vma->vm_end = page_address_of(page + nr);
	vma->vm_pgoff = pgoff;
	vm_flags_init(vma, VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE);
	return vma;
}

static struct vm_area_struct *link_vma(struct kunit *test, struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	int error;

	mmap_write_lock(mm);
	error = store_vma(mm, vma->vm_start, vma->vm_end, vma);
	if (!error)
		mm->map_count++;
	mmap_write_unlock(mm);
	if (error)
		vm_area_free(vma);
	KUNIT_ASSERT_EQ(test, error, 0);
	return vma;
}

static struct vm_area_struct *file_vma(struct kunit *test, struct mm_struct *mm,
				       unsigned long page, unsigned long nr, pgoff_t pgoff)
{
	return link_vma(test, make_vma(test, mm, page, nr, pgoff));
}

static struct vm_area_struct *anon_vma_at(struct kunit *test, struct mm_struct *mm,
					  unsigned long page, unsigned long nr, pgoff_t pgoff)
{
	struct vm_area_struct *vma = make_vma(test, mm, page, nr, pgoff);

	vma_set_anonymous(vma);
	return link_vma(test, vma);
}

/* The ordinary case: numbered as it lies. */
static struct vm_area_struct *plain_vma(struct kunit *test, struct mm_struct *mm,
					unsigned long page, unsigned long nr)
{
	return anon_vma_at(test, mm, page, nr, BASE_PAGE + page);
}

/* As a first fault does. */
static struct anon_vma *fault(struct kunit *test, struct vm_area_struct *vma)
{
	int error;

	mmap_read_lock(vma->vm_mm);
	error = lazy_anon_vma_prepare(vma);
	mmap_read_unlock(vma->vm_mm);
	KUNIT_ASSERT_EQ(test, error, 0);
	KUNIT_ASSERT_PTR_EQ(test, anon_vma_tree_anon_vma(vma->anon_vma), vma->vm_mm->anon_vma);
	return vma->vm_mm->anon_vma;
}

static int clone(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	int error;

	mmap_write_lock(src->vm_mm);
	vma_start_write(src);
	error = lazy_anon_vma_clone(dst, src);
	mmap_write_unlock(src->vm_mm);
	return error;
}

/* A VMA that no tree has goes. */
static void drop_vma(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	mmap_write_lock(mm);
	lazy_unlink_anon_vmas(vma);
	mmap_write_unlock(mm);
	vm_area_free(vma);
}

/* As dup_mmap() does, without pages. */
static int copy_vmas(struct mm_struct *child, struct mm_struct *mm)
{
	MA_STATE(mas, &mm->mm_mt, 0, 0);
	struct vm_area_struct *pvma, *vma;
	int error;

	error = lazy_anon_vma_fork_mm(child, mm);
	if (error)
		return error;
	mas_for_each(&mas, pvma, ULONG_MAX) {
		vma_start_write(pvma);
		vma = vm_area_dup(pvma);
		if (!vma)
			return -ENOMEM;
		vma->vm_mm = child;
		error = lazy_anon_vma_fork(vma, pvma);
		if (!error)
			error = store_vma(child, vma->vm_start, vma->vm_end, vma);
		if (error) {
			lazy_unlink_anon_vmas(vma);
			vm_area_free(vma);
			return error;
		}
		child->map_count++;
	}
	return 0;
}

static struct mm_struct *fork_mm(struct kunit *test, struct mm_struct *mm)
{
	struct mm_struct *child = world_mm(test);
	int error;

	mmap_write_lock(mm);
	mmap_write_lock_nested(child, SINGLE_DEPTH_NESTING);
	error = copy_vmas(child, mm);
	mmap_write_unlock(child);
	mmap_write_unlock(mm);
	KUNIT_ASSERT_EQ(test, error, 0);
	return child;
}

static struct vm_area_struct *vma_at(struct mm_struct *mm, unsigned long page)
{
	MA_STATE(mas, &mm->mm_mt, page_address_of(page), page_address_of(page));
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	vma = mas_walk(&mas);
	mmap_read_unlock(mm);
	return vma;
}

static void run_walk(struct anon_vma_walk *walk, struct visits *visits)
{
	struct vm_area_struct *vma;

	visits->nr = 0;
	while (visits->nr < MAX_VISITS && (vma = anon_vma_walk_next(walk))) {
		visits->vma[visits->nr] = vma;
		visits->address[visits->nr++] = walk->address;
	}
	anon_vma_walk_end(walk, true);
}

/* Who may map pages @first ... @last, given as pages of an mm? */
static void look_for(struct anon_vma *owner, unsigned long first, unsigned long last,
		     struct visits *visits)
{
	struct anon_vma_walk walk;

	anon_vma_lock_read(owner);
	anon_vma_walk_begin(&walk, owner, BASE_PAGE + first, BASE_PAGE + last);
	run_walk(&walk, visits);
}

static void look_at(struct anon_vma *owner, unsigned long page, struct visits *visits)
{
	struct anon_vma_walk walk;

	anon_vma_lock_read(owner);
	anon_vma_walk_begin_address(&walk, owner, page_address_of(page));
	run_walk(&walk, visits);
}

static void expect_visit(struct kunit *test, const struct visits *visits, unsigned int i,
			 struct vm_area_struct *vma, unsigned long page)
{
	KUNIT_EXPECT_LT(test, i, visits->nr);
	if (i >= visits->nr)
		return;
	KUNIT_EXPECT_PTR_EQ(test, visits->vma[i], vma);
	KUNIT_EXPECT_EQ(test, visits->address[i], page_address_of(page));
}

static int lazy_init(struct kunit *test)
{
	if (!anon_vma_lazy())
		kunit_skip(test, "the topology of this boot is the regular one");
	test->priv = kunit_kzalloc(test, sizeof(struct world), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void lazy_exit(struct kunit *test)
{
	struct world *world = test->priv;
	unsigned int i;

	for (i = 0; world && i < world->nr; i++)
		if (world->mms[i])
			mmput(world->mms[i]);
}

/* -- First faults, and how pages are numbered ------------------------------ */

static void prepare_in_place(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *anon = plain_vma(test, mm, 0, 4);
	struct vm_area_struct *file = file_vma(test, mm, 8, 4, 100);
	struct anon_vma *anon_vma;
	anon_vma_tree_t word;

	KUNIT_EXPECT_NULL(test, mm->anon_vma);
	KUNIT_EXPECT_EQ(test, anon->anon_vma, 0UL);
	anon_vma = fault(test, anon);
	KUNIT_EXPECT_TRUE(test, anon_vma_tree_in_place(anon->anon_vma));
	KUNIT_EXPECT_TRUE(test, list_empty(&anon->anon_vma_chain));
	KUNIT_EXPECT_EQ(test, anon_page_index(anon, page_address_of(3)), BASE_PAGE + 3);

	/* Whoever comes second stores the same. */
	word = anon->anon_vma;
	fault(test, anon);
	KUNIT_EXPECT_EQ(test, anon->anon_vma, word);

	/* A private file mapping: by address as well, and by the same anon_vma. */
	KUNIT_EXPECT_PTR_EQ(test, fault(test, file), anon_vma);
	KUNIT_EXPECT_TRUE(test, anon_vma_tree_in_place(file->anon_vma));
	KUNIT_EXPECT_EQ(test, vma_anon_pgoff(file), BASE_PAGE + 8);
	KUNIT_EXPECT_EQ(test, anon_page_index(file, page_address_of(11)), BASE_PAGE + 11);

	KUNIT_EXPECT_NULL(test, lazy_anon_vma_parent(anon_vma));
	KUNIT_EXPECT_EQ(test, lazy_anon_vma_depth(anon_vma), 0U);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));
}

static void prepare_displaced(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *vma = anon_vma_at(test, mm, 0, 4, 7);
	struct vm_area_struct *huge = anon_vma_at(test, mm, 8, 4, BASE_PAGE + 8);
	struct anon_vma *anon_vma = fault(test, vma);

	KUNIT_EXPECT_TRUE(test, anon_vma_tree_displaced(vma->anon_vma));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&vma->anon_vma_chain));
	KUNIT_EXPECT_EQ(test, vma_anon_pgoff(vma), 7UL);
	KUNIT_EXPECT_EQ(test, anon_page_index(vma, page_address_of(2)), 9UL);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));
	/* Once is enough. */
	fault(test, vma);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&vma->anon_vma_chain));
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));

	/* hugetlb VMAs always are, even where their numbers are their addresses. */
	mmap_write_lock(mm);
	vm_flags_set(huge, VM_HUGETLB);
	mmap_write_unlock(mm);
	fault(test, huge);
	KUNIT_EXPECT_TRUE(test, anon_vma_tree_displaced(huge->anon_vma) ||
			  !is_vm_hugetlb_page(huge));
	mmap_write_lock(mm);
	lazy_unlink_anon_vmas(huge);
	vm_flags_clear(huge, VM_HUGETLB);
	mmap_write_unlock(mm);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));
}

static bool fits(struct vm_area_struct *vma, struct vm_area_struct *other)
{
	struct anon_vma_numbering range;
	bool fits;

	mmap_write_lock(vma->vm_mm);
	range = anon_vma_numbering(other, other->vm_start, other->vm_pgoff);
	fits = lazy_anon_vma_mergeable(vma, &range);
	mmap_write_unlock(vma->vm_mm);
	return fits;
}

static void mergeable(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *vma = plain_vma(test, mm, 0, 4);
	struct vm_area_struct *next = plain_vma(test, mm, 4, 4);
	struct vm_area_struct *moved = anon_vma_at(test, mm, 8, 4, 3);
	struct vm_area_struct *after = anon_vma_at(test, mm, 12, 4, 7);
	struct vm_area_struct *file = file_vma(test, mm, 16, 4, 100);
	struct anon_vma_numbering range;

	/* Without pages anything goes. */
	KUNIT_EXPECT_TRUE(test, fits(vma, next));
	KUNIT_EXPECT_TRUE(test, fits(vma, moved));
	/* One without pages takes the numbering of the other. */
	fault(test, vma);
	KUNIT_EXPECT_TRUE(test, fits(vma, next));
	KUNIT_EXPECT_TRUE(test, fits(next, vma));
	/* Both with pages: only if they are numbered alike. */
	fault(test, next);
	KUNIT_EXPECT_TRUE(test, fits(vma, next));
	fault(test, moved);
	KUNIT_EXPECT_FALSE(test, fits(next, moved));
	KUNIT_EXPECT_FALSE(test, fits(moved, next));
	KUNIT_EXPECT_TRUE(test, fits(moved, after));
	fault(test, after);
	KUNIT_EXPECT_TRUE(test, fits(moved, after));
	fault(test, file);
	KUNIT_EXPECT_FALSE(test, fits(after, file));

	/* A range that is no VMA: what mremap() would move @next's pages to. */
	mmap_write_lock(mm);
	range = anon_vma_numbering(next, page_address_of(40), next->vm_pgoff);
	KUNIT_EXPECT_EQ(test, range.displacement, -36UL);
	range = anon_vma_numbering(next, page_address_of(41), next->vm_pgoff + 1);
	KUNIT_EXPECT_EQ(test, range.displacement, -36UL);
	/* Of pages of @file: not by vm_pgoff. */
	range = anon_vma_numbering(file, page_address_of(20), file->vm_pgoff + 4);
	KUNIT_EXPECT_EQ(test, range.displacement, 0UL);
	mmap_write_unlock(mm);
}

/* Page 8 has number 3, so the one with number 0 is page 5. */
static void no_number_below_zero(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *low = plain_vma(test, mm, 0, 5);
	struct vm_area_struct *middle = plain_vma(test, mm, 5, 3);
	struct vm_area_struct *moved = anon_vma_at(test, mm, 8, 4, 3);

	fault(test, moved);
	KUNIT_EXPECT_TRUE(test, fits(middle, moved));
	KUNIT_EXPECT_TRUE(test, fits(moved, middle));
	KUNIT_EXPECT_FALSE(test, fits(low, moved));
	KUNIT_EXPECT_FALSE(test, fits(moved, low));
}

/* -- Split, move, unlink --------------------------------------------------- */

/* [ src      ] -> [ src ][ dst ]: the second half of a copy, not in the tree yet */
static struct vm_area_struct *half_of(struct kunit *test, struct vm_area_struct *src)
{
	struct vm_area_struct *dst;

	mmap_write_lock(src->vm_mm);
	dst = vm_area_dup(src);
	mmap_write_unlock(src->vm_mm);
	KUNIT_ASSERT_NOT_NULL(test, dst);
	dst->vm_start += 2 * PAGE_SIZE;
	dst->vm_pgoff += 2;
	return dst;
}

static void clone_for_a_split(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *src[3], *dst;
	struct anon_vma *anon_vma;
	int i;

	/* Without pages there is nothing to inherit. */
	src[0] = plain_vma(test, mm, 0, 4);
	dst = half_of(test, src[0]);
	KUNIT_EXPECT_EQ(test, clone(dst, src[0]), 0);
	KUNIT_EXPECT_EQ(test, dst->anon_vma, 0UL);
	drop_vma(dst);

	src[1] = anon_vma_at(test, mm, 8, 4, 3);
	src[2] = file_vma(test, mm, 16, 4, 100);
	for (i = 0; i < ARRAY_SIZE(src); i++) {
		anon_vma = fault(test, src[i]);
		dst = half_of(test, src[i]);
		KUNIT_EXPECT_EQ(test, clone(dst, src[i]), 0);
		KUNIT_EXPECT_EQ(test, dst->anon_vma, src[i]->anon_vma);
		KUNIT_EXPECT_EQ(test, vma_anon_pgoff(dst), vma_anon_pgoff(src[i]) + 2);
		KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));
		drop_vma(dst);
		KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));
	}
}

static void clone_for_a_move(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *src = file_vma(test, mm, 0, 4, 100), *away, *back;
	struct anon_vma *anon_vma = fault(test, src);

	/* Two of the pages, elsewhere: they keep their numbers. */
	away = make_vma(test, mm, 64, 2, 102);
	KUNIT_EXPECT_EQ(test, clone(away, src), 0);
	KUNIT_EXPECT_TRUE(test, anon_vma_tree_displaced(away->anon_vma));
	KUNIT_EXPECT_EQ(test, vma_anon_pgoff(away), BASE_PAGE + 2);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));
	link_vma(test, away);

	/* And back: in place again, by the same rule. */
	back = make_vma(test, mm, 3, 1, 103);
	KUNIT_EXPECT_EQ(test, clone(back, away), 0);
	KUNIT_EXPECT_TRUE(test, anon_vma_tree_in_place(back->anon_vma));
	KUNIT_EXPECT_TRUE(test, list_empty(&back->anon_vma_chain));
	KUNIT_EXPECT_EQ(test, vma_anon_pgoff(back), BASE_PAGE + 3);
	drop_vma(back);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));
}

/* MREMAP_DONTUNMAP: the VMA stays, its pages are gone. */
static void unlink_and_stay(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *vma[2];
	struct anon_vma *anon_vma = NULL;
	struct visits visits;
	int i;

	vma[0] = plain_vma(test, mm, 0, 4);
	vma[1] = anon_vma_at(test, mm, 8, 4, BASE_PAGE);
	for (i = 0; i < ARRAY_SIZE(vma); i++) {
		anon_vma = fault(test, vma[i]);
		look_for(anon_vma, 0, 0, &visits);
		KUNIT_EXPECT_EQ(test, visits.nr, 1U);
		expect_visit(test, &visits, 0, vma[i], i * 8);

		mmap_write_lock(mm);
		vma_start_write(vma[i]);
		lazy_unlink_anon_vmas(vma[i]);
		mmap_write_unlock(mm);
		KUNIT_EXPECT_EQ(test, vma[i]->anon_vma, 0UL);
		KUNIT_EXPECT_TRUE(test, list_empty(&vma[i]->anon_vma_chain));
		KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));
		look_for(anon_vma, 0, 0, &visits);
		KUNIT_EXPECT_EQ(test, visits.nr, 0U);
	}
	/* It may get pages again. */
	fault(test, vma[1]);
	look_for(anon_vma, 1, 1, &visits);
	expect_visit(test, &visits, 0, vma[1], 9);
}

/* A chain entry is keyed by the range: it is taken out while that changes. */
static void range_changes(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *vma = anon_vma_at(test, mm, 8, 4, BASE_PAGE);
	struct anon_vma *anon_vma = fault(test, vma);
	struct visits visits;
	int error;

	mmap_write_lock(mm);
	vma_start_write(vma);
	/* Before the VMA is changed, as this may fail. */
	error = store_vma(mm, page_address_of(10), page_address_of(12), NULL);
	if (!error) {
		anon_vma_tree_lock_write(vma->anon_vma);
		lazy_anon_vma_pre_update(vma);
		vma->vm_end = page_address_of(10);
		lazy_anon_vma_post_update(vma);
		anon_vma_tree_unlock_write(vma->anon_vma);
	}
	mmap_write_unlock(mm);
	KUNIT_ASSERT_EQ(test, error, 0);

	look_for(anon_vma, 1, 3, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, vma, 9);
	look_for(anon_vma, 2, 3, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 0U);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(anon_vma));
}

/* -- Walks in one mm ------------------------------------------------------- */

/*
 * page		0	4	8	12
 *		| vma0	| vma1	| none	|	all numbered as they lie
 *	32	| moved			|	has numbers 2 ... 9 of the above
 */
static void walk_one_mm(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *vma0 = plain_vma(test, mm, 0, 4);
	struct vm_area_struct *vma1 = plain_vma(test, mm, 4, 4);
	struct vm_area_struct *moved = anon_vma_at(test, mm, 32, 8, BASE_PAGE + 2);
	struct anon_vma *anon_vma = fault(test, vma0);
	struct visits visits;

	plain_vma(test, mm, 8, 4);
	fault(test, vma1);
	fault(test, moved);

	look_for(anon_vma, 1, 1, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, vma0, 1);

	/* By address first, then by chain entry. */
	look_for(anon_vma, 3, 3, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 2U);
	expect_visit(test, &visits, 0, vma0, 3);
	expect_visit(test, &visits, 1, moved, 33);

	/* A large folio may span several VMAs. One without pages is passed over. */
	look_for(anon_vma, 0, 15, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 3U);
	expect_visit(test, &visits, 0, vma0, 0);
	expect_visit(test, &visits, 1, vma1, 4);
	expect_visit(test, &visits, 2, moved, 32);

	look_for(anon_vma, 9, 15, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, moved, 39);
	look_for(anon_vma, 10, 31, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 0U);
	/* It has the numbers of other pages, not those of its addresses. */
	look_for(anon_vma, 32, 39, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 0U);

	/* KSM looks for an address, however the VMA there is numbered. */
	look_at(anon_vma, 3, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, vma0, 3);
	look_at(anon_vma, 33, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, moved, 33);
	look_at(anon_vma, 9, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 0U);
}

/* Numbers that cannot be addresses: only chain entries are asked. */
static void walk_numbers_beyond_addresses(struct kunit *test)
{
	const pgoff_t beyond = (ULONG_MAX >> PAGE_SHIFT) + 5;
	struct mm_struct *mm = world_mm(test);
	struct vm_area_struct *vma = anon_vma_at(test, mm, 0, 4, beyond);
	struct anon_vma *anon_vma = fault(test, vma);
	struct anon_vma_walk walk;
	struct visits visits;

	anon_vma_lock_read(anon_vma);
	anon_vma_walk_begin(&walk, anon_vma, beyond + 1, beyond + 1);
	run_walk(&walk, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, vma, 1);
}

/* -- Fork, exit, owners ---------------------------------------------------- */

/* Two children of one, and a child of the first of them. */
static void walk_a_fork_tree(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test), *child[2], *grandchild;
	struct vm_area_struct *vma = plain_vma(test, mm, 0, 4);
	struct vm_area_struct *moved = anon_vma_at(test, mm, 8, 4, BASE_PAGE);
	struct anon_vma *top = fault(test, vma);
	struct visits visits;
	int i;

	fault(test, moved);
	child[0] = fork_mm(test, mm);
	child[1] = fork_mm(test, mm);
	grandchild = fork_mm(test, child[0]);

	KUNIT_EXPECT_PTR_EQ(test, lazy_anon_vma_parent(child[0]->anon_vma), top);
	KUNIT_EXPECT_PTR_EQ(test, lazy_anon_vma_parent(grandchild->anon_vma), child[0]->anon_vma);
	KUNIT_EXPECT_EQ(test, lazy_anon_vma_depth(grandchild->anon_vma), 2U);

	/* The owner's own mm first, then each descendant before its next sibling. */
	look_for(top, 1, 1, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 8U);
	expect_visit(test, &visits, 0, vma, 1);
	expect_visit(test, &visits, 1, moved, 9);
	expect_visit(test, &visits, 2, vma_at(child[0], 0), 1);
	expect_visit(test, &visits, 3, vma_at(child[0], 8), 9);
	expect_visit(test, &visits, 4, vma_at(grandchild, 0), 1);
	expect_visit(test, &visits, 5, vma_at(grandchild, 8), 9);
	expect_visit(test, &visits, 6, vma_at(child[1], 0), 1);
	expect_visit(test, &visits, 7, vma_at(child[1], 8), 9);

	/* What a child owns is looked for in its own branch. */
	look_for(child[0]->anon_vma, 1, 1, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 4U);
	look_for(child[1]->anon_vma, 1, 1, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 2U);
	look_at(top, 8, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 4U);

	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(top));
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(grandchild->anon_vma));
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(child[i]->anon_vma));
}

/* A parent without pages: it is given an anon_vma, as it may get pages during fork. */
static void fork_without_pages(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test), *child;
	struct vm_area_struct *vma;

	plain_vma(test, mm, 0, 4);
	child = fork_mm(test, mm);
	KUNIT_ASSERT_NOT_NULL(test, mm->anon_vma);
	KUNIT_ASSERT_NOT_NULL(test, child->anon_vma);
	KUNIT_EXPECT_PTR_EQ(test, lazy_anon_vma_parent(child->anon_vma), mm->anon_vma);
	vma = vma_at(child, 0);
	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_EXPECT_EQ(test, vma->anon_vma, 0UL);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(mm->anon_vma));
}

static void owners(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test), *child[2], *grandchild, *stranger;
	struct vm_area_struct *vma = plain_vma(test, mm, 0, 4), *young, *other;
	struct anon_vma *top = fault(test, vma);

	child[0] = fork_mm(test, mm);
	child[1] = fork_mm(test, mm);
	grandchild = fork_mm(test, child[0]);
	stranger = world_mm(test);
	other = plain_vma(test, stranger, 0, 4);
	fault(test, other);
	young = vma_at(grandchild, 0);
	KUNIT_ASSERT_NOT_NULL(test, young);

	/* A page of its own, and one that may be shared with whoever got it by fork. */
	KUNIT_EXPECT_PTR_EQ(test, lazy_anon_vma_owner(young, true), grandchild->anon_vma);
	KUNIT_EXPECT_PTR_EQ(test, lazy_anon_vma_owner(young, false), top);
	KUNIT_EXPECT_PTR_EQ(test, lazy_anon_vma_owner(vma, false), top);

	/* Ancestors cover their descendants; siblings and children do not. */
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_covers(grandchild->anon_vma, young));
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_covers(child[0]->anon_vma, young));
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_covers(top, young));
	KUNIT_EXPECT_FALSE(test, lazy_anon_vma_covers(child[1]->anon_vma, young));
	KUNIT_EXPECT_FALSE(test, lazy_anon_vma_covers(grandchild->anon_vma, vma));
	KUNIT_EXPECT_FALSE(test, lazy_anon_vma_covers(top, other));
	KUNIT_EXPECT_FALSE(test, lazy_anon_vma_covers(stranger->anon_vma, vma));
}

/* Kept for lockless walks only. */
static void expect_sole_mm(struct kunit *test, struct anon_vma *anon_vma, struct mm_struct *mm)
{
	if (IS_ENABLED(CONFIG_ANON_VMA_LOCKLESS))
		KUNIT_EXPECT_PTR_EQ(test, to_lazy(anon_vma)->sole_mm, mm);
}

/* While it is being built a child's tree holds its parent's VMAs, and after a failure for good. */
static void fork_fails_half_way(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test), *child;
	struct vm_area_struct *vma[2], *copy[2];
	struct visits visits;
	struct anon_vma *top;
	int error;

	vma[0] = plain_vma(test, mm, 0, 4);
	vma[1] = plain_vma(test, mm, 4, 4);
	top = fault(test, vma[0]);
	fault(test, vma[1]);
	child = fork_mm(test, mm);
	copy[0] = vma_at(child, 0);
	copy[1] = vma_at(child, 4);
	KUNIT_ASSERT_NOT_NULL(test, copy[0]);
	KUNIT_ASSERT_NOT_NULL(test, copy[1]);

	/* A slot of the parent's, one that was reserved: neither is a VMA of the child's. */
	mmap_write_lock(child);
	error = store_vma(child, page_address_of(8), page_address_of(12), vma[0]);
	if (!error)
		error = store_vma(child, page_address_of(12), page_address_of(16), XA_ZERO_ENTRY);
	mmap_write_unlock(child);
	KUNIT_EXPECT_EQ(test, error, 0);
	look_for(child->anon_vma, 0, 15, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 2U);

	/* It gives up at page 4. */
	lazy_anon_vma_fork_failed(child, page_address_of(4));
	look_for(child->anon_vma, 0, 15, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, copy[0], 0);
	look_for(top, 4, 4, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, vma[1], 4);
	look_at(child->anon_vma, 4, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 0U);
	/* Only walks with locks know about the limit. */
	expect_sole_mm(test, child->anon_vma, NULL);

	mmap_write_lock(child);
	error = store_vma(child, page_address_of(8), page_address_of(16), NULL);
	mmap_write_unlock(child);
	KUNIT_ASSERT_EQ(test, error, 0);
}

/* From the greatest depth on children join their parent's anon_vma. */
static void join_when_deep(struct kunit *test)
{
	const unsigned int deepest = LAZY_ANON_VMA_MAX_DEPTH - 1;
	struct world *world = test->priv;
	struct anon_vma *top, *shared;
	struct vm_area_struct *young;
	struct visits visits;
	unsigned int i;
	int error;

	top = fault(test, plain_vma(test, world_mm(test), 0, 4));
	/* In a place of its own only in the joint anon_vma's interval tree. */
	fault(test, anon_vma_at(test, world->mms[0], 8, 4, BASE_PAGE));
	for (i = 1; i < MAX_MMS; i++)
		fork_mm(test, world->mms[i - 1]);

	for (i = 0; i <= deepest; i++)
		KUNIT_EXPECT_EQ(test, lazy_anon_vma_depth(world->mms[i]->anon_vma), i);
	shared = world->mms[deepest]->anon_vma;
	for (; i < MAX_MMS; i++)
		KUNIT_EXPECT_PTR_EQ(test, world->mms[i]->anon_vma, shared);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(shared));
	expect_sole_mm(test, shared, NULL);

	/* In the order in which they joined, VMAs in place first. */
	look_for(shared, 1, 1, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 2 * (MAX_MMS - deepest));
	for (i = deepest; i < MAX_MMS; i++) {
		expect_visit(test, &visits, i - deepest, vma_at(world->mms[i], 0), 1);
		expect_visit(test, &visits, MAX_MMS - deepest + i - deepest,
			     vma_at(world->mms[i], 8), 9);
	}
	/* Nobody is missed from the top. */
	look_at(top, 0, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, (unsigned int)MAX_MMS);
	for (i = 0; i < MAX_MMS; i++)
		expect_visit(test, &visits, i, vma_at(world->mms[i], 0), 0);

	/* While it is being made, a child's tree holds VMAs of the parent's: with this word. */
	young = plain_vma(test, world->mms[deepest], 20, 4);
	fault(test, young);
	mmap_write_lock(world->mms[deepest + 1]);
	error = store_vma(world->mms[deepest + 1], young->vm_start, young->vm_end, young);
	look_for(shared, 20, 23, &visits);
	if (!error)
		error = store_vma(world->mms[deepest + 1], young->vm_start, young->vm_end, NULL);
	mmap_write_unlock(world->mms[deepest + 1]);
	KUNIT_ASSERT_EQ(test, error, 0);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, young, 20);

	/* Any of those who share it may leave, the first one too. */
	world_exit_mm(test, world->mms[deepest]);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(shared));
	look_at(top, 0, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, (unsigned int)MAX_MMS - 1);
}

/* Ancestors leave first: what they owned is still to be found, by their anon_vmas. */
static void exit_of_ancestors(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test), *child, *grandchild;
	struct anon_vma *top, *middle, *bottom;
	struct visits visits;

	top = fault(test, plain_vma(test, mm, 0, 4));
	fault(test, anon_vma_at(test, mm, 8, 4, BASE_PAGE));
	child = fork_mm(test, mm);
	grandchild = fork_mm(test, child);
	middle = child->anon_vma;
	bottom = grandchild->anon_vma;

	world_exit_mm(test, mm);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(top));
	look_for(top, 1, 1, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 4U);

	world_exit_mm(test, child);
	KUNIT_EXPECT_PTR_EQ(test, lazy_anon_vma_parent(bottom), middle);
	KUNIT_EXPECT_PTR_EQ(test, lazy_anon_vma_parent(middle), top);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(top));
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(middle));
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(bottom));
	look_for(top, 1, 1, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 2U);
	expect_visit(test, &visits, 0, vma_at(grandchild, 0), 1);
	expect_visit(test, &visits, 1, vma_at(grandchild, 8), 9);

	/* The last one takes them all with it, but for who is pinned. */
	get_anon_vma(top);
	world_exit_mm(test, grandchild);
	KUNIT_EXPECT_EQ(test, atomic_read(&top->refcount), 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&to_lazy(top)->children));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&top->rb_root.rb_root));
	put_anon_vma(top);
}

/* -- Walks that end early -------------------------------------------------- */

/* Wherever a walk stops, it lets go of all that it holds. */
static void walk_stops_early(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test), *child, *grandchild;
	struct anon_vma_walk walk;
	struct anon_vma *top;
	unsigned int steps, i;

	top = fault(test, plain_vma(test, mm, 0, 4));
	child = fork_mm(test, mm);
	grandchild = fork_mm(test, child);
	for (steps = 0; steps <= 4; steps++) {
		anon_vma_lock_read(top);
		anon_vma_walk_begin(&walk, top, BASE_PAGE, BASE_PAGE);
		for (i = 0; i < steps; i++)
			KUNIT_EXPECT_EQ(test, !anon_vma_walk_next(&walk), i >= 3);
		anon_vma_walk_end(&walk, true);
		KUNIT_EXPECT_FALSE(test, walk.contended);
		KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&top->rwsem));
		KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&child->anon_vma->rwsem));
		KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&grandchild->anon_vma->rwsem));
		KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(top));
		KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(child->anon_vma));
		KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(grandchild->anon_vma));
	}
}

/* A walk that must not wait says that it could not see everything. */
static void walk_is_contended(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test), *child;
	struct anon_vma_walk walk;
	struct visits visits;
	struct anon_vma *top;

	top = fault(test, plain_vma(test, mm, 0, 4));
	child = fork_mm(test, mm);

	anon_vma_lock_read(top);
	down_write_nested(&child->anon_vma->rwsem, SINGLE_DEPTH_NESTING);
	anon_vma_walk_begin(&walk, top, BASE_PAGE, BASE_PAGE);
	walk.try_lock = true;
	run_walk(&walk, &visits);
	up_write(&child->anon_vma->rwsem);
	KUNIT_EXPECT_TRUE(test, walk.contended);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(top));
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(child->anon_vma));

	anon_vma_lock_read(top);
	anon_vma_walk_begin(&walk, top, BASE_PAGE, BASE_PAGE);
	walk.try_lock = true;
	run_walk(&walk, &visits);
	KUNIT_EXPECT_FALSE(test, walk.contended);
	KUNIT_EXPECT_EQ(test, visits.nr, 2U);
}

/* -- VMAs that leave the VMA tree ------------------------------------------ */

/*
 * page	0	4	8	12	16
 *	| stay	| in	| dis-	| none	|	what munmap() takes: 4 ... 16
 *	|	| place	| placed|	|	numbers of displaced: 32 ... 35
 */
struct unmapping {
	struct mm_struct *mm;
	struct anon_vma *anon_vma;
	struct vm_area_struct *stay, *vma[3];
	unsigned int nr;
	struct maple_tree vmas;
	struct anon_vma_detached batch;
};

/* Not on the stack: the tree is looked into by whoever walks. */
static struct unmapping *make_batch(struct kunit *test, struct mm_struct *mm,
				    unsigned long first, unsigned long end)
{
	struct unmapping *u = kunit_kzalloc(test, sizeof(*u), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, u);
	u->mm = mm;
	mt_init_flags(&u->vmas, mm->mm_mt.ma_flags & MT_FLAGS_LOCK_MASK);
	mt_on_stack(u->vmas);
	u->batch.start = page_address_of(first);
	u->batch.end = page_address_of(end);
	u->batch.vmas = &u->vmas;
	return u;
}

static struct unmapping *begin_unmapping(struct kunit *test)
{
	struct unmapping *u = make_batch(test, world_mm(test), 4, 16);

	u->stay = plain_vma(test, u->mm, 0, 4);
	u->vma[0] = plain_vma(test, u->mm, 4, 4);
	u->vma[1] = anon_vma_at(test, u->mm, 8, 4, BASE_PAGE + 32);
	u->vma[2] = plain_vma(test, u->mm, 12, 4);
	u->anon_vma = fault(test, u->stay);
	u->nr = ARRAY_SIZE(u->vma);
	fault(test, u->vma[0]);
	fault(test, u->vma[1]);
	return u;
}

/* mmap_lock held for write, up to the end of the unmap. */
static int gather_and_detach(struct unmapping *u)
{
	unsigned int i;

	u->batch.first = u->vma[0];
	for (i = 0; i < u->nr; i++) {
		MA_STATE(mas, &u->vmas, u->vma[i]->vm_start, u->vma[i]->vm_end - 1);
		int error;

		vma_start_write(u->vma[i]);
		error = mas_store_gfp(&mas, u->vma[i], GFP_KERNEL);
		if (error)
			return error;
	}
	lazy_anon_vma_detach(u->mm, &u->batch);
	return 0;
}

static void expect_all_found(struct kunit *test, struct unmapping *u)
{
	struct visits visits;

	look_for(u->anon_vma, 3, 15, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 2U);
	expect_visit(test, &visits, 0, u->stay, 3);
	expect_visit(test, &visits, 1, u->vma[0], 4);
	look_for(u->anon_vma, 33, 33, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, u->vma[1], 9);
	look_at(u->anon_vma, 5, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, u->vma[0], 5);
	look_at(u->anon_vma, 9, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	expect_visit(test, &visits, 0, u->vma[1], 9);
	look_at(u->anon_vma, 13, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 0U);
}

static void detached_until_unmapped(struct kunit *test)
{
	struct unmapping *u = begin_unmapping(test);
	struct visits visits;
	int error, i;

	expect_all_found(test, u);
	mmap_write_lock(u->mm);
	error = gather_and_detach(u);
	if (error)
		goto unlock;
	KUNIT_EXPECT_TRUE(test, anon_vma_tree_detached_in_place(u->vma[0]->anon_vma));
	KUNIT_EXPECT_TRUE(test, anon_vma_tree_detached(u->vma[1]->anon_vma));
	KUNIT_EXPECT_TRUE(test, anon_vma_tree_displaced(u->vma[1]->anon_vma));
	KUNIT_EXPECT_EQ(test, u->vma[2]->anon_vma, 0UL);
	expect_sole_mm(test, u->anon_vma, NULL);
	/* In both places, visited once. */
	expect_all_found(test, u);

	error = store_vma(u->mm, u->batch.start, u->batch.end, NULL);
	if (error)
		goto unlock;
	u->mm->map_count -= u->nr;
	expect_all_found(test, u);

	/* The last page is gone. The one with a chain entry is found until it is unlinked. */
	lazy_anon_vma_detach_done(u->mm, &u->batch);
	look_for(u->anon_vma, 3, 15, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 1U);
	look_at(u->anon_vma, 9, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 0U);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(u->anon_vma));
	for (i = 0; i < ARRAY_SIZE(u->vma); i++) {
		lazy_unlink_anon_vmas(u->vma[i]);
		KUNIT_EXPECT_EQ(test, u->vma[i]->anon_vma, 0UL);
		vm_area_free(u->vma[i]);
	}
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(u->anon_vma));
	expect_sole_mm(test, u->anon_vma, u->mm);
unlock:
	__mt_destroy(&u->vmas);
	mmap_write_unlock(u->mm);
	KUNIT_EXPECT_EQ(test, error, 0);
}

static void detached_and_back(struct kunit *test)
{
	struct unmapping *u = begin_unmapping(test);
	anon_vma_tree_t words[2];
	int error, i;

	for (i = 0; i < 2; i++)
		words[i] = u->vma[i]->anon_vma;
	mmap_write_lock(u->mm);
	error = gather_and_detach(u);
	if (!error)
		lazy_anon_vma_reattach(u->mm, &u->batch);
	__mt_destroy(&u->vmas);
	mmap_write_unlock(u->mm);
	KUNIT_ASSERT_EQ(test, error, 0);

	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, u->vma[i]->anon_vma, words[i]);
	KUNIT_EXPECT_EQ(test, u->vma[2]->anon_vma, 0UL);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(u->anon_vma));
	expect_all_found(test, u);
}

/* Nobody looks for VMAs without pages: the list is left alone. */
static void detach_without_pages(struct kunit *test)
{
	struct unmapping *u = begin_unmapping(test);
	unsigned int before, after;
	struct visits visits;
	int error;

	u->vma[0] = u->vma[2];
	u->nr = 1;
	u->batch.start = page_address_of(12);
	mmap_write_lock(u->mm);
	before = raw_read_seqcount(&to_lazy(u->anon_vma)->adjust);
	error = gather_and_detach(u);
	if (!error)
		lazy_anon_vma_detach_done(u->mm, &u->batch);
	after = raw_read_seqcount(&to_lazy(u->anon_vma)->adjust);
	__mt_destroy(&u->vmas);
	mmap_write_unlock(u->mm);
	KUNIT_ASSERT_EQ(test, error, 0);
	KUNIT_EXPECT_EQ(test, before, after);
	KUNIT_EXPECT_TRUE(test, lazy_anon_vma_is_valid(u->anon_vma));
	/* It is where it was, and so are the others. */
	look_for(u->anon_vma, 3, 15, &visits);
	KUNIT_EXPECT_EQ(test, visits.nr, 2U);
}

/* -- What lockless walks go by --------------------------------------------- */

static void sole_mm(struct kunit *test)
{
	struct mm_struct *mm = world_mm(test), *child;
	struct vm_area_struct *vma = plain_vma(test, mm, 0, 4);
	struct vm_area_struct *moved = anon_vma_at(test, mm, 8, 4, 3);
	struct lazy_anon_vma *lazy = to_lazy(fault(test, vma));
	struct unmapping *u = make_batch(test, mm, 0, 4);
	unsigned int before, odd, after;
	int error;

	if (!IS_ENABLED(CONFIG_ANON_VMA_LOCKLESS))
		kunit_skip(test, "needs CONFIG_ANON_VMA_LOCKLESS");

	KUNIT_EXPECT_PTR_EQ(test, lazy->sole_mm, mm);
	/* Not while there is an entry to be found elsewhere than in the VMA tree. */
	fault(test, moved);
	KUNIT_EXPECT_NULL(test, lazy->sole_mm);
	mmap_write_lock(mm);
	lazy_unlink_anon_vmas(moved);
	mmap_write_unlock(mm);
	KUNIT_EXPECT_PTR_EQ(test, lazy->sole_mm, mm);

	/* Detached VMAs are elsewhere, too. */
	u->vma[u->nr++] = vma;
	mmap_write_lock(mm);
	error = gather_and_detach(u);
	KUNIT_EXPECT_EQ(test, error, 0);
	if (!error) {
		KUNIT_EXPECT_NULL(test, lazy->sole_mm);
		lazy_anon_vma_reattach(mm, &u->batch);
	}
	__mt_destroy(&u->vmas);
	mmap_write_unlock(mm);
	KUNIT_EXPECT_PTR_EQ(test, lazy->sole_mm, mm);

	/* Whoever changes something makes the count odd, and then another even one. */
	before = raw_read_seqcount(&lazy->adjust);
	anon_vma_tree_lock_write(vma->anon_vma);
	odd = raw_read_seqcount(&lazy->adjust);
	anon_vma_tree_unlock_write(vma->anon_vma);
	after = raw_read_seqcount(&lazy->adjust);
	KUNIT_EXPECT_EQ(test, before & 1, 0U);
	KUNIT_EXPECT_EQ(test, odd, before + 1);
	KUNIT_EXPECT_EQ(test, after, before + 2);

	/* To link a child does not: walks look for children themselves. */
	child = fork_mm(test, mm);
	KUNIT_EXPECT_EQ(test, raw_read_seqcount(&lazy->adjust), after);
	KUNIT_EXPECT_PTR_EQ(test, lazy->sole_mm, mm);
	KUNIT_EXPECT_PTR_EQ(test, to_lazy(child->anon_vma)->sole_mm, child);
	KUNIT_EXPECT_FALSE(test, list_empty(&lazy->children));
}

static struct kunit_case word_cases[] = {
	KUNIT_CASE(word_empty),
	KUNIT_CASE(word_states),
	KUNIT_CASE(word_transitions),
	KUNIT_CASE(word_of_owner),
	KUNIT_CASE(range_overlaps),
	KUNIT_CASE(range_at_the_ends_of_offsets),
	KUNIT_CASE(note_counts),
	KUNIT_CASE(note_saturates),
	KUNIT_CASE(note_unknown),
	KUNIT_CASE(note_completes_unless_copied),
	{}
};

static struct kunit_suite word_suite = {
	.name = "anon_vma_words",
	.test_cases = word_cases,
};

static struct kunit_case lazy_cases[] = {
	KUNIT_CASE(prepare_in_place),
	KUNIT_CASE(prepare_displaced),
	KUNIT_CASE(mergeable),
	KUNIT_CASE(no_number_below_zero),
	KUNIT_CASE(clone_for_a_split),
	KUNIT_CASE(clone_for_a_move),
	KUNIT_CASE(unlink_and_stay),
	KUNIT_CASE(range_changes),
	KUNIT_CASE(walk_one_mm),
	KUNIT_CASE(walk_numbers_beyond_addresses),
	KUNIT_CASE(walk_a_fork_tree),
	KUNIT_CASE(fork_without_pages),
	KUNIT_CASE(owners),
	KUNIT_CASE(fork_fails_half_way),
	KUNIT_CASE(join_when_deep),
	KUNIT_CASE(exit_of_ancestors),
	KUNIT_CASE(walk_stops_early),
	KUNIT_CASE(walk_is_contended),
	KUNIT_CASE(detached_until_unmapped),
	KUNIT_CASE(detached_and_back),
	KUNIT_CASE(detach_without_pages),
	KUNIT_CASE(sole_mm),
	{}
};

static struct kunit_suite lazy_suite = {
	.name = "anon_vma_lazy",
	.init = lazy_init,
	.exit = lazy_exit,
	.test_cases = lazy_cases,
};

kunit_test_suites(&word_suite, &lazy_suite);

MODULE_DESCRIPTION("KUnit tests of the lazy topology of the anonymous reverse map");
MODULE_LICENSE("GPL");
