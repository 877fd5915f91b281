// SPDX-License-Identifier: GPL-2.0
/*
 * Invariants of VMA trees, chain entries and anon_vmas
 *
 * 3. Lazy: a VMA without pages has no word and no chain. A VMA in place has no
 *    chain. A displaced VMA has one entry, in its own mm's anon_vma, and is indeed
 *    displaced. No word says detached when nothing is under way.
 * 4. Regular: the anon_vma of a VMA is in its chain, the root of them all is the
 *    last there. VMAs of one mm that have the same anon_vma have the same chain.
 * 7. Counts in anon_vmas are what a scan finds; trees of chain entries hold those
 *    of the chains and nothing else; as long as there is one world, nothing exists
 *    in the slab caches that was not reached.
 *
 * The world is still.
 */
#include <stdlib.h>
#include <kshim/slab_stats.h>
#include "invariants.h"

struct inv_anon_vma {
	struct anon_vma *anon_vma;
	long ksm_refs;			/* by KSM's items */
	long avcs;			/* entries in chains of VMAs */
	long active, children, members;	/* regular */
};

/* For finding VMAs of one mm with the same anon_vma. */
struct inv_word {
	const struct mm_struct *mm;
	anon_vma_tree_t word;
	struct vm_area_struct *vma;
};

/* -- Sets -------------------------------------------------------------------------- */

static int compare_anon_vmas(const void *a, const void *b)
{
	const struct anon_vma *x = ((const struct inv_anon_vma *)a)->anon_vma;
	const struct anon_vma *y = ((const struct inv_anon_vma *)b)->anon_vma;

	return x < y ? -1 : x > y;
}

static void note_anon_vma(struct inv_check *check, struct anon_vma *anon_vma)
{
	struct inv_anon_vma *entry = inv_push(check, &check->anon_vmas);

	if (entry)
		*entry = (struct inv_anon_vma) { .anon_vma = anon_vma };
}

static void sort_anon_vmas(struct inv_check *check)
{
	struct inv_array *array = &check->anon_vmas;
	struct inv_anon_vma *all = array->data;
	size_t i, nr = 0;

	inv_sort(array, compare_anon_vmas);
	for (i = 0; i < array->nr; i++)
		if (!nr || all[nr - 1].anon_vma != all[i].anon_vma)
			all[nr++] = all[i];
	array->nr = nr;
}

/* NULL only when memory ran out while they were collected. */
static struct inv_anon_vma *find_anon_vma(struct inv_check *check, struct anon_vma *anon_vma)
{
	struct inv_anon_vma key = { .anon_vma = anon_vma };

	return inv_find(&check->anon_vmas, &key, compare_anon_vmas);
}

static int compare_pointers(const void *a, const void *b)
{
	const void *x = *(void *const *)a, *y = *(void *const *)b;

	return x < y ? -1 : x > y;
}

static bool is_chain_entry(struct inv_check *check, const struct anon_vma_chain *avc)
{
	return inv_find(&check->chains, &avc, compare_pointers);
}

/* -- VMA trees --------------------------------------------------------------------- */

static void check_vma(struct inv_check *check, const struct mm_struct *mm,
		      struct vm_area_struct *vma, const struct ma_state *mas)
{
	if (vma->vm_start != mas->index || vma->vm_end - 1 != mas->last ||
	    vma->vm_start >= vma->vm_end || (vma->vm_start | vma->vm_end) & ~PAGE_MASK)
		inv_broken(check, "tree: mm %u VMA %lx-%lx is in its tree at %lx-%lx", mm->id,
			   vma->vm_start, vma->vm_end, mas->index, mas->last + 1);
	if (vma->vm_mm != mm)
		inv_broken(check, "tree: mm %u VMA %lx belongs to another mm", mm->id,
			   vma->vm_start);
	if (vma->detached)
		inv_broken(check, "tree: mm %u VMA %lx is marked detached", mm->id, vma->vm_start);
	if (vma_is_anonymous(vma) && vma->vm_flags & VM_SHARED)
		inv_broken(check, "tree: mm %u VMA %lx is anonymous and shared", mm->id,
			   vma->vm_start);
}

static void for_each_vma_of(struct inv_check *check, struct mm_struct *mm,
			    void (*fn)(struct inv_check *check, struct vm_area_struct *vma))
{
	struct vm_area_struct *vma;
	MA_STATE(mas, &mm->mm_mt, 0, 0);
	int nr = 0;

	mas_for_each(&mas, vma, ULONG_MAX) {
		if (xa_is_zero(vma)) {
			inv_broken(check, "tree: mm %u has a reserved entry at %lx", mm->id,
				   mas.index);
			continue;
		}
		if (fn) {
			fn(check, vma);
			continue;
		}
		nr++;
		check_vma(check, mm, vma, &mas);
	}
	if (!fn && nr != mm->map_count)
		inv_broken(check, "tree: mm %u has %d VMAs, map_count says %d", mm->id, nr,
			   mm->map_count);
}

static void for_each_vma(struct inv_check *check,
			 void (*fn)(struct inv_check *check, struct vm_area_struct *vma))
{
	struct mm_struct *mm;

	list_for_each_entry(mm, &check->world->mms, mm_list)
		for_each_vma_of(check, mm, fn);
}

/* -- Chain entries, in both topologies --------------------------------------------- */

static void note_chain(struct inv_check *check, struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc, **entry;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma) {
		entry = inv_push(check, &check->chains);
		if (!entry)
			return;
		*entry = avc;
		if (avc->vma != vma)
			inv_broken(check, "4: mm %u VMA %lx has a chain entry of another VMA",
				   vma->vm_mm->id, vma->vm_start);
	}
}

static void count_chain(struct inv_check *check, struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;
	struct inv_anon_vma *entry;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma) {
		entry = find_anon_vma(check, avc->anon_vma);
		if (entry)
			entry->avcs++;
		else
			inv_broken(check, "4: mm %u VMA %lx has an entry in a foreign anon_vma",
				   vma->vm_mm->id, vma->vm_start);
	}
}

/* What is in the tree is in a chain, and there is as much of it. */
static void check_chain_tree(struct inv_check *check, const struct inv_anon_vma *entry)
{
	struct anon_vma_chain *avc;
	struct rb_node *node;
	long nr = 0;

	for (node = rb_first_cached(&entry->anon_vma->rb_root); node; node = rb_next(node), nr++) {
		avc = rb_entry(node, struct anon_vma_chain, rb);
		if (!is_chain_entry(check, avc))
			inv_broken(check, "7: anon_vma %p has an entry that is in no chain",
				   (void *)entry->anon_vma);
		else if (avc->anon_vma != entry->anon_vma)
			inv_broken(check, "7: anon_vma %p has an entry of another anon_vma",
				   (void *)entry->anon_vma);
	}
	if (nr != entry->avcs)
		inv_broken(check, "7: anon_vma %p has %ld entries, chains have %ld",
			   (void *)entry->anon_vma, nr, entry->avcs);
}

static void note_ksm_ref(struct anon_vma *anon_vma, void *arg)
{
	note_anon_vma(arg, anon_vma);
}

static void count_ksm_ref(struct anon_vma *anon_vma, void *arg)
{
	struct inv_anon_vma *entry = find_anon_vma(arg, anon_vma);

	if (entry)
		entry->ksm_refs++;
}

/* -- Lazy -------------------------------------------------------------------------- */

static void check_lazy_displaced(struct inv_check *check, struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;

	if (!list_is_singular(&vma->anon_vma_chain)) {
		inv_broken(check, "3: mm %u displaced VMA %lx has not exactly one chain entry",
			   vma->vm_mm->id, vma->vm_start);
		return;
	}
	avc = list_first_entry(&vma->anon_vma_chain, struct anon_vma_chain, same_vma);
	if (avc->anon_vma != vma->vm_mm->anon_vma)
		inv_broken(check, "3: mm %u displaced VMA %lx: entry not in its mm's anon_vma",
			   vma->vm_mm->id, vma->vm_start);
	if (vma_anon_pgoff(vma) == vma->vm_start >> PAGE_SHIFT && !is_vm_hugetlb_page(vma))
		inv_broken(check, "3: mm %u displaced VMA %lx is in place", vma->vm_mm->id,
			   vma->vm_start);
	if (vma_is_anonymous(vma) && vma_anon_pgoff(vma) != vma->vm_pgoff)
		inv_broken(check, "3: mm %u displaced VMA %lx: numbered %lx, vm_pgoff %lx",
			   vma->vm_mm->id, vma->vm_start, vma_anon_pgoff(vma), vma->vm_pgoff);
}

static void check_lazy_vma(struct inv_check *check, struct vm_area_struct *vma)
{
	anon_vma_tree_t tree = vma->anon_vma;
	unsigned int id = vma->vm_mm->id;

	if (!tree) {
		if (!list_empty(&vma->anon_vma_chain))
			inv_broken(check, "3: mm %u VMA %lx has a chain and no pages", id,
				   vma->vm_start);
		return;
	}
	if (!anon_vma_tree_is_lazy(tree) || anon_vma_tree_detached(tree) ||
	    anon_vma_tree_anon_vma(tree) != vma->vm_mm->anon_vma) {
		inv_broken(check, "3: mm %u VMA %lx has the word %lx, its mm's anon_vma is %p", id,
			   vma->vm_start, tree, (void *)vma->vm_mm->anon_vma);
		return;
	}
	if (anon_vma_tree_displaced(tree)) {
		check_lazy_displaced(check, vma);
		return;
	}
	if (!list_empty(&vma->anon_vma_chain))
		inv_broken(check, "3: mm %u VMA %lx is in place and has a chain", id,
			   vma->vm_start);
	if (is_vm_hugetlb_page(vma) ||
	    (vma_is_anonymous(vma) && vma->vm_pgoff != vma->vm_start >> PAGE_SHIFT))
		inv_broken(check, "3: mm %u VMA %lx cannot be in place: pgoff %lx", id,
			   vma->vm_start, vma->vm_pgoff);
}

static void note_lazy(struct inv_check *check, struct anon_vma *anon_vma)
{
	for (; anon_vma; anon_vma = lazy_anon_vma_parent(anon_vma))
		note_anon_vma(check, anon_vma);
}

static void note_lazy_ksm(struct anon_vma *anon_vma, void *arg)
{
	note_lazy(arg, anon_vma);
}

/* core/ counts the references that it knows of: those of KSM are taken off meanwhile. */
static void check_lazy_anon_vma(struct inv_check *check, const struct inv_anon_vma *entry)
{
	struct anon_vma *anon_vma = entry->anon_vma;

	atomic_sub(entry->ksm_refs, &anon_vma->refcount);
	if (!lazy_anon_vma_is_valid(anon_vma))
		inv_broken(check, "7: anon_vma %p at depth %u is not valid: count %d without KSM",
			   (void *)anon_vma, lazy_anon_vma_depth(anon_vma),
			   atomic_read(&anon_vma->refcount));
	atomic_add(entry->ksm_refs, &anon_vma->refcount);
}

static void check_lazy(struct inv_check *check)
{
	struct inv_anon_vma *entry;
	struct mm_struct *mm;
	size_t i;

	for_each_vma(check, check_lazy_vma);
	list_for_each_entry(mm, &check->world->mms, mm_list)
		note_lazy(check, mm->anon_vma);
	ksm_for_each_anon_vma_ref(check->world, note_lazy_ksm, check);
	sort_anon_vmas(check);
	if (check->no_memory)
		return;
	ksm_for_each_anon_vma_ref(check->world, count_ksm_ref, check);
	for_each_vma(check, count_chain);
	entry = check->anon_vmas.data;
	for (i = 0; i < check->anon_vmas.nr; i++) {
		check_lazy_anon_vma(check, &entry[i]);
		check_chain_tree(check, &entry[i]);
	}
}

/* -- Regular ----------------------------------------------------------------------- */

static void check_regular_vma(struct inv_check *check, struct vm_area_struct *vma)
{
	struct anon_vma *own = (struct anon_vma *)vma->anon_vma, *root = NULL;
	struct anon_vma_chain *avc, *found;
	bool has_own = false;

	if (!own) {
		if (!list_empty(&vma->anon_vma_chain))
			inv_broken(check, "4: mm %u VMA %lx has a chain and no anon_vma",
				   vma->vm_mm->id, vma->vm_start);
		return;
	}
	if (anon_vma_tree_is_lazy(vma->anon_vma) || anon_vma_tree_anon_vma(vma->anon_vma) != own) {
		inv_broken(check, "4: mm %u VMA %lx has the word %lx", vma->vm_mm->id,
			   vma->vm_start, vma->anon_vma);
		return;
	}
	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma) {
		has_own |= avc->anon_vma == own;
		root = avc->anon_vma;
		if (root->root != own->root)
			inv_broken(check, "4: mm %u VMA %lx: two roots", vma->vm_mm->id,
				   vma->vm_start);
		/* Is it where a walk would look for it? */
		found = anon_vma_interval_tree_iter_first(&root->rb_root, vma->vm_pgoff,
							  vma->vm_pgoff);
		while (found && found != avc)
			found = anon_vma_interval_tree_iter_next(found, vma->vm_pgoff,
								 vma->vm_pgoff);
		if (!found)
			inv_broken(check, "4: mm %u VMA %lx: an entry is not found in its tree",
				   vma->vm_mm->id, vma->vm_start);
	}
	if (!has_own || !root || root != root->root)
		inv_broken(check, "4: mm %u VMA %lx: own anon_vma %sin chain, root %slast",
			   vma->vm_mm->id, vma->vm_start, has_own ? "" : "not ",
			   root && root == root->root ? "" : "not ");
}

static void note_regular(struct inv_check *check, struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;
	struct inv_word *word;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma) {
		note_anon_vma(check, avc->anon_vma);
		note_anon_vma(check, avc->anon_vma->root);
	}
	if (!vma->anon_vma)
		return;
	word = inv_push(check, &check->words);
	if (word)
		*word = (struct inv_word) {
			.mm = vma->vm_mm, .word = vma->anon_vma, .vma = vma };
}

static void note_regular_ksm(struct anon_vma *anon_vma, void *arg)
{
	note_ksm_ref(anon_vma, arg);
	note_ksm_ref(anon_vma->root, arg);
}

static void count_active(struct inv_check *check, struct vm_area_struct *vma)
{
	struct inv_anon_vma *entry;

	entry = find_anon_vma(check, anon_vma_tree_anon_vma(vma->anon_vma));
	if (entry)
		entry->active++;
}

/* An anon_vma that only KSM, or its descendants, keep is nobody's child any more. */
static void count_family(struct inv_check *check, const struct inv_anon_vma *child)
{
	struct inv_anon_vma *entry;

	if (child->avcs) {
		entry = find_anon_vma(check, child->anon_vma->parent);
		if (entry)
			entry->children++;
		else
			inv_broken(check, "7: anon_vma %p has a parent that is in no chain",
				   (void *)child->anon_vma);
	}
	if (child->anon_vma->root == child->anon_vma)
		return;
	entry = find_anon_vma(check, child->anon_vma->root);
	if (entry)
		entry->members++;
}

static void check_regular_anon_vma(struct inv_check *check, const struct inv_anon_vma *entry)
{
	const struct anon_vma *anon_vma = entry->anon_vma;
	long active = anon_vma->num_active_vmas, children = anon_vma->num_children;
	long refs = !!entry->avcs + entry->members + entry->ksm_refs;
	long count = atomic_read(&anon_vma->refcount);

	if (active == entry->active && children == entry->children && count == refs)
		return;
	inv_broken(check,
		   "7: anon_vma %p: active %ld, children %ld, count %ld; found %ld, %ld, %ld",
		   (void *)anon_vma, active, children, count, entry->active, entry->children, refs);
}

static int compare_words(const void *a, const void *b)
{
	const struct inv_word *x = a, *y = b;

	if (x->mm != y->mm)
		return x->mm < y->mm ? -1 : 1;
	return x->word < y->word ? -1 : x->word > y->word;
}

static bool same_chain(const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	struct anon_vma_chain *x, *y;
	long nr_a = 0, nr_b = 0;

	list_for_each_entry(y, &b->anon_vma_chain, same_vma)
		nr_b++;
	list_for_each_entry(x, &a->anon_vma_chain, same_vma) {
		bool found = false;

		nr_a++;
		list_for_each_entry(y, &b->anon_vma_chain, same_vma)
			found |= x->anon_vma == y->anon_vma;
		if (!found)
			return false;
	}
	return nr_a == nr_b;
}

static void check_same_chains(struct inv_check *check)
{
	struct inv_word *word = check->words.data;
	size_t i;

	inv_sort(&check->words, compare_words);
	for (i = 1; i < check->words.nr; i++)
		if (!compare_words(&word[i - 1], &word[i]) &&
		    !same_chain(word[i - 1].vma, word[i].vma))
			inv_broken(check, "4: mm %u VMAs %lx and %lx: same anon_vma, other chain",
				   word[i].mm->id, word[i - 1].vma->vm_start,
				   word[i].vma->vm_start);
}

static void check_regular(struct inv_check *check)
{
	struct inv_anon_vma *entry;
	size_t i;

	for_each_vma(check, check_regular_vma);
	for_each_vma(check, note_regular);
	ksm_for_each_anon_vma_ref(check->world, note_regular_ksm, check);
	sort_anon_vmas(check);
	if (check->no_memory)
		return;
	ksm_for_each_anon_vma_ref(check->world, count_ksm_ref, check);
	for_each_vma(check, count_chain);
	for_each_vma(check, count_active);
	entry = check->anon_vmas.data;
	for (i = 0; i < check->anon_vmas.nr; i++)
		count_family(check, &entry[i]);
	for (i = 0; i < check->anon_vmas.nr; i++) {
		check_regular_anon_vma(check, &entry[i]);
		check_chain_tree(check, &entry[i]);
	}
	check_same_chains(check);
}

/* -- Both -------------------------------------------------------------------------- */

static void check_cache(struct inv_check *check, struct kmem_cache *cache, size_t reached)
{
	struct kshim_cache_stats stats;

	kshim_cache_stats(cache, &stats);
	if ((size_t)stats.live != reached)
		inv_broken(check, "7: %ld objects of %s are allocated, %zu can be reached",
			   stats.live, stats.name, reached);
}

/**
 * check_topology - check VMA trees, chains and anon_vmas
 * @check: set up; its world is still
 *
 * A topology that tests have registered is checked as the one whose release hook
 * it has, or not at all.
 */
void check_topology(struct inv_check *check)
{
	const struct anon_vma_topology *topology = check->world->topology;
	bool lazy = topology->release == lazy_anon_vma_release;

	check->anon_vmas.size = sizeof(struct inv_anon_vma);
	check->chains.size = sizeof(struct anon_vma_chain *);
	check->words.size = sizeof(struct inv_word);

	for_each_vma(check, NULL);
	if (!lazy && topology->release != regular_topology.release)
		return;
	for_each_vma(check, note_chain);
	inv_sort(&check->chains, compare_pointers);
	if (lazy)
		check_lazy(check);
	else
		check_regular(check);
	if (check->no_memory || !world_is_alone())
		return;
	check_cache(check, lazy ? lazy_anon_vma_cachep : regular_anon_vma_cache(),
		    check->anon_vmas.nr);
	check_cache(check, lazy ? lazy_anon_vma_chain_cachep : regular_anon_vma_chain_cache(),
		    check->chains.nr);
}
