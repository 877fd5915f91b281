// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation failures in the random driver: see check_faults.h
 *
 * Compared are pictures of the whole world: which ranges are mapped how, by all VMAs that
 * are alike and continue each other taken together (a failed call may leave a VMA split),
 * and every anonymous page and swap entry, with its content where it is in memory: while a
 * call looks for memory, pages may be swapped out. What swap holds is for the models.
 */
#include <stdlib.h>
#include <string.h>
#include "check_faults.h"
#include "internal.h"

/*
 * Each of so many allocations of a call. Of what comes after them some fail, by lot, and ever
 * fewer: a call of a million allocations is tried some twenty times more.
 */
#define ONE_BY_ONE	1000

struct picture_range {
	unsigned int mm_id;
	struct um_vma_info is;
};

struct picture_entry {
	unsigned int mm_id;
	unsigned long addr;
	u64 content;
	bool present, poisoned;
	bool given_up;			/* by MADV_FREE: may go at any time */
};

struct check_picture {
	const struct check_promise *promise;
	struct picture_range *ranges;
	struct picture_entry *entries;
	size_t nr_ranges, max_ranges, nr_entries, max_entries;
	uint64_t mms;
	bool no_memory;
};

static bool may_change(const struct check_promise *promise, const struct mm_struct *mm,
		       unsigned long addr)
{
	int i;

	for (i = 0; i < 2; i++)
		if (promise->mm == mm && addr >= promise->may_change[i].start &&
		    addr < promise->may_change[i].end)
			return true;
	return false;
}

/* -- Pictures ---------------------------------------------------------------------- */

static void *picture_room(struct check_picture *picture, void *array, size_t nr, size_t *max,
			  size_t size)
{
	void *bigger = array;

	if (nr == *max) {
		*max = *max ? 2 * *max : 256;
		bigger = realloc(array, *max * size);
		picture->no_memory |= !bigger;
	}
	return bigger ? bigger : array;
}

/* One VMA, or the parts of it that have to stay; glued to the one before if they fit. */
static void take_range(struct check_picture *picture, const struct mm_struct *mm,
		       struct um_vma_info is)
{
	struct picture_range *last;

	picture->ranges = picture_room(picture, picture->ranges, picture->nr_ranges,
				       &picture->max_ranges, sizeof(*picture->ranges));
	if (picture->no_memory)
		return;
	/* What a VMA is to the reverse map may be prepared by a call that fails after that. */
	is.faulted = is.displaced = false;
	last = picture->nr_ranges ? &picture->ranges[picture->nr_ranges - 1] : NULL;
	if (last && last->mm_id == mm->id && last->is.end == is.start &&
	    last->is.flags == is.flags && last->is.file == is.file &&
	    last->is.pgoff + (last->is.end - last->is.start) / UM_PAGE_SIZE == is.pgoff)
		last->is.end = is.end;
	else
		picture->ranges[picture->nr_ranges++] = (struct picture_range) { mm->id, is };
}

static void take_vma(struct check_picture *picture, const struct mm_struct *mm,
		     struct um_vma_info is)
{
	const struct check_promise *promise = picture->promise;
	struct um_vma_info part = is;
	uint64_t addr;
	int i;

	for (addr = is.start; addr < is.end; addr = part.end) {
		bool skip = may_change(promise, mm, addr);

		/* Borders of what may change are few: look for the next one. */
		part.start = addr;
		part.end = is.end;
		for (i = 0; i < 2 && promise->mm == mm; i++) {
			uint64_t border = promise->may_change[i].start;

			if (border > addr && border < part.end)
				part.end = border;
			border = promise->may_change[i].end;
			if (border > addr && border < part.end)
				part.end = border;
		}
		part.pgoff = is.pgoff + (addr - is.start) / UM_PAGE_SIZE;
		if (!skip)
			take_range(picture, mm, part);
	}
}

static void take_page(struct check_picture *picture, struct picture_entry entry)
{
	picture->entries = picture_room(picture, picture->entries, picture->nr_entries,
					&picture->max_entries, sizeof(*picture->entries));
	if (!picture->no_memory)
		picture->entries[picture->nr_entries++] = entry;
}

static int take_entry(struct mm_struct *mm, unsigned long addr, pte_t pte, void *arg)
{
	struct picture_entry entry = { .mm_id = mm->id, .poisoned = pte_is_poison(pte) };
	struct check_picture *picture = arg;
	struct page *page = NULL;
	int i, nr = pte & PTE_HUGE ? HPAGE_PMD_NR : 1;

	if (pte_present(pte)) {
		/* Pages of files, and of zeroes, come again by themselves. */
		if (pte & PTE_SPECIAL || !folio_test_anon(pfn_folio(mm->world, pte_pfn(pte))))
			return 0;
		page = pfn_to_page(mm->world, pte_pfn(pte));
		entry.present = true;
		entry.given_up = !test_bit(PG_swapbacked, &page_folio(page)->flags);
	}
	for (i = 0; i < nr; i++) {
		entry.addr = addr + i * UM_PAGE_SIZE;
		entry.content = page ? page[i].content : 0;
		if (!may_change(picture->promise, mm, entry.addr))
			take_page(picture, entry);
	}
	return 0;
}

static void take_mm(struct check_picture *picture, struct mm_struct *mm)
{
	size_t i, nr = um_vmas(mm, NULL, 0);
	struct um_vma_info *vmas = calloc(nr + 1, sizeof(*vmas));

	if (!vmas) {
		picture->no_memory = true;
		return;
	}
	um_vmas(mm, vmas, nr);
	for (i = 0; i < nr; i++)
		take_vma(picture, mm, vmas[i]);
	free(vmas);
	pgtable_for_each(mm, 0, TASK_SIZE, take_entry, picture);
	picture->mms++;
}

static void picture_free(struct check_picture *picture)
{
	if (!picture)
		return;
	free(picture->ranges);
	free(picture->entries);
	free(picture);
}

static struct check_picture *picture_take(struct check_try *try)
{
	struct um_world *world = try->actor->checker->world;
	struct check_picture *picture = calloc(1, sizeof(*picture));
	struct mm_struct *mm;

	if (!picture)
		return NULL;
	picture->promise = &try->promise;
	list_for_each_entry(mm, &world->mms, mm_list)
		take_mm(picture, mm);
	if (!picture->no_memory)
		return picture;
	picture_free(picture);
	return NULL;
}

/* -- What is different --------------------------------------------------------------- */

static bool range_equal(const struct picture_range *a, const struct picture_range *b)
{
	return a->mm_id == b->mm_id && a->is.start == b->is.start && a->is.end == b->is.end &&
		a->is.pgoff == b->is.pgoff && a->is.flags == b->is.flags &&
		a->is.file == b->is.file;
}

static bool same_ranges(struct um_world *world, const struct check_picture *a,
			const struct check_picture *b)
{
	const struct picture_range *range;
	size_t i;

	for (i = 0; i < a->nr_ranges && i < b->nr_ranges; i++)
		if (!range_equal(&a->ranges[i], &b->ranges[i]))
			break;
	if (i == a->nr_ranges && i == b->nr_ranges)
		return true;
	range = i < a->nr_ranges ? &a->ranges[i] : &b->ranges[i];
	oracle_finding(world, "mm %u: mapping %lx-%lx has changed", range->mm_id, range->is.start,
		       range->is.end);
	return false;
}

static bool entry_before(const struct picture_entry *a, const struct picture_entry *b)
{
	return a->mm_id != b->mm_id ? a->mm_id < b->mm_id : a->addr < b->addr;
}

static bool same_entry(struct um_world *world, const struct picture_entry *a,
		       const struct picture_entry *b)
{
	if (a->poisoned == b->poisoned &&
	    (!a->present || !b->present || a->content == b->content))
		return true;
	oracle_finding(world, "mm %u %lx: page has changed", a->mm_id, a->addr);
	return false;
}

static bool same_entries(struct um_world *world, const struct check_picture *a,
			 const struct check_picture *b)
{
	size_t i = 0, j = 0;

	while (i < a->nr_entries || j < b->nr_entries) {
		const struct picture_entry *x = i < a->nr_entries ? &a->entries[i] : NULL;
		const struct picture_entry *y = j < b->nr_entries ? &b->entries[j] : NULL;

		if (x && y && !entry_before(x, y) && !entry_before(y, x)) {
			if (!same_entry(world, x, y))
				return false;
			i++;
			j++;
		} else if (x && (!y || entry_before(x, y))) {
			if (!x->given_up) {
				oracle_finding(world, "mm %u %lx: page is gone", x->mm_id,
					       x->addr);
				return false;
			}
			i++;
		} else {
			oracle_finding(world, "mm %u %lx: page has come", y->mm_id, y->addr);
			return false;
		}
	}
	return true;
}

static void compare(struct check_try *try)
{
	struct um_world *world = try->actor->checker->world;
	struct check_picture *after = picture_take(try);
	bool same = true;

	if (!after)
		return;
	if (try->before->mms != after->mms) {
		oracle_finding(world, "%llu processes, not %llu",
			       (unsigned long long)after->mms,
			       (unsigned long long)try->before->mms);
		same = false;
	}
	same &= same_ranges(world, try->before, after);
	same &= same_entries(world, try->before, after);
	if (!same)
		oracle_finding(world, "%s: has changed that, and failed by allocation %u",
			       try->what, try->nth);
	picture_free(after);
}

/* -- Attempts ---------------------------------------------------------------------------- */

void check_try_begin(struct check_try *try, struct check_actor *actor, const char *what,
		     struct check_promise promise)
{
	*try = (struct check_try) { .actor = actor, .what = what, .promise = promise };
	if (!actor->checker->options->faults)
		return;
	try->before = picture_take(try);
	if (!try->before)
		return;
	try->nth = 1;
	kshim_fail_nth(1);
}

void check_try_silent(struct check_try *try, struct check_actor *actor, const char *what)
{
	*try = (struct check_try) { .actor = actor, .what = what };
	if (!actor->checker->options->faults)
		return;
	try->nth = 1 + check_below(actor, 16);
	kshim_fail_nth(try->nth);
}

static unsigned int next_nth(struct check_try *try)
{
	if (try->nth < ONE_BY_ONE)
		return try->nth + 1;
	return try->nth + 1 + check_below(try->actor, try->nth);
}

static bool try_end(struct check_try *try)
{
	picture_free(try->before);
	return false;
}

bool check_try_again(struct check_try *try, long ret)
{
	struct checker *checker = try->actor->checker;
	bool failed;

	if (!try->nth) {
		if (try->odd && ret != try->odd)
			oracle_finding(checker->world, "%s: %ld when memory failed, %ld without",
				       try->what, try->odd, ret);
		return try_end(try);
	}
	failed = kshim_fail_disarm();
	if (!failed)
		return try_end(try);
	checker->injected++;
	/* The silent ones, and those that can do without, have done something. */
	if (!try->before) {
		try->nth = 0;
		return true;
	}
	if (ret >= 0)
		return try_end(try);
	compare(try);
	if (ret != -ENOMEM)
		try->odd = ret;
	else
		checker->denied++;
	checker->most = max_t(unsigned int, checker->most, ++try->failed);
	if (try->odd || um_findings(checker->world)) {
		try->nth = 0;
		return true;
	}
	try->nth = next_nth(try);
	kshim_fail_nth(try->nth);
	return true;
}
