// SPDX-License-Identifier: GPL-2.0
/* Corners of single functions. */
#include <pthread.h>
#include "core_tests.h"
#include "../../core/anon_vma_lazy_internal.h"

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

static void *unmap_far(void *mm)
{
	um_thread_register();
	um_munmap(mm, FAR, 4 * PG);
	um_thread_unregister();
	return NULL;
}

/*
 * A lockless walk is about to ask a moved VMA of a file for its numbering, and has come as far
 * as its word, or as its chain entry, when that is unmapped. The entry says what it said until
 * the RCU section ends; by the word there is none any more.
 */
static void entry_stays_for_lockless_walks(void **state)
{
	struct t *t = *state;
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *mm = t_mm(t);
	struct vm_area_struct *vma;
	struct anon_vma_chain *avc;
	anon_vma_tree_t word;
	pthread_t thread;
	pgoff_t pgoff;

	t_map_file(mm, BASE, 4, file, 77);
	t_write(mm, BASE, 4, 100);
	t_move(mm, BASE, 4, FAR, 0);
	rcu_read_lock();
	vma = mtree_load(&mm->mm_mt, FAR);
	word = smp_load_acquire(&vma->anon_vma);
	avc = lazy_chain_of(vma);
	assert_int_equal(pthread_create(&thread, NULL, unmap_far, mm), 0);
	pthread_join(thread, NULL);
	assert_int_equal(t_stats(t).objects[UM_OBJ_AVC].live, 0);
	assert_int_equal(lazy_chain_start(avc), BASE / PG);
	pgoff = __vma_anon_pgoff(vma, word);
	rcu_read_unlock();
	assert_int_equal(pgoff, 77);
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

const struct CMUnitTest corners_tests[] = {
	UM_TEST_LAZY(damage_is_noticed),
	UM_TEST_LAZY(unfaulted_is_not_covered),
	UM_TEST_REGULAR(unfaulted_is_not_covered),
	UM_TEST_LAZY(offsets_beyond_all_addresses),
	UM_TEST(walk_ends_before_it_begins),
	UM_TEST_LAZY(reserved_slot_is_no_vma),
	UM_TEST(unwanted_vmas_are_skipped),
	UM_TEST_LAZY(hugetlb_is_displaced),
	UM_TEST_QUIET_ON(entry_stays_for_lockless_walks, "lazy"),
	UM_TEST_LAZY(displaced_over_each_other),
	UM_TEST_LAZY(prepare_without_memory),
	UM_TEST_REGULAR(prepare_without_memory),
	UM_TEST_LAZY(fork_without_memory_for_the_parent),
	UM_TEST_QUIET_ON(last_reference_takes_the_root_along, "regular"),
	UM_TEST(nothing_to_walk_of_file_page),
};
const size_t nr_corners_tests = ARRAY_SIZE(corners_tests);
