// SPDX-License-Identifier: GPL-2.0
/*
 * Watching single walks; on the internal interfaces of the user-space mm, as the walkers
 * that it watches for are
 */
#include <stdlib.h>
#include <string.h>
#include <linux/sched.h>
#include "internal.h"
#include "pgtable.h"
#include "scenario.h"

#define MAX_SEEN	32
#define MAX_TEXT	512

/* An address space and a page. */
struct place {
	unsigned int mm_id;
	unsigned long page;		/* from BASE on */
};

struct watch {
	struct folio *folio;
	bool held;			/* we have a reference */
	/* The last walk. */
	bool walked, contended, twice;
	bool locked;			/* it asked for the owner's lock */
	unsigned int visits, nr;
	unsigned long mms;		/* visited: bits by id */
	struct place seen[MAX_SEEN];	/* sorted, once each */
};

/* Of the schedule that runs; the threads have a watch each. */
static struct watch watches[WALK_WATCHES];

/* -- Opening --------------------------------------------------------------------------- */

static struct folio *mapped_folio(struct mm_struct *mm, unsigned long addr)
{
	struct folio *folio = NULL;
	struct um_pgtable *table;
	int level;
	pte_t pte;

	rcu_read_lock();
	for (level = 0; level <= 1 && !folio; level++) {
		table = pgtable_find(mm, addr, level);
		pte = table ? pgtable_get(table, pgtable_index(addr, level)) : 0;
		if (pte_normal(pte))
			folio = pfn_folio(mm->world, pte_pfn(pte));
	}
	rcu_read_unlock();
	return folio;
}

void walk_open_loosely(struct schedule_run *run, unsigned int watch, struct mm_struct *mm,
		       uint64_t addr)
{
	watches[watch] = (struct watch) { .folio = mapped_folio(mm, addr) };
	if (!watches[watch].folio)
		schedule_finding(run, "setup: nothing is mapped at %llx",
				 (unsigned long long)addr);
}

void walk_open(struct schedule_run *run, unsigned int watch, struct mm_struct *mm, uint64_t addr)
{
	walk_open_loosely(run, watch, mm, addr);
	if (watches[watch].folio) {
		folio_get(watches[watch].folio);
		watches[watch].held = true;
	}
}

void walk_close_all(struct schedule_run *run)
{
	unsigned int i;

	for (i = 0; i < WALK_WATCHES; i++) {
		if (watches[i].held)
			folio_put(run->world, watches[i].folio);
		watches[i].held = false;
		watches[i].folio = NULL;
	}
}

/* -- Walking --------------------------------------------------------------------------- */

/* A walk may come by twice: while VMAs merge, or by several items of KSM. */
static void watch_note(struct watch *watch, unsigned int mm_id, unsigned long page)
{
	unsigned int i, at;

	for (at = 0; at < watch->nr; at++) {
		const struct place *seen = &watch->seen[at];

		if (seen->mm_id == mm_id && seen->page == page) {
			watch->twice = true;
			return;
		}
		if (seen->mm_id > mm_id || (seen->mm_id == mm_id && seen->page > page))
			break;
	}
	if (watch->nr == MAX_SEEN)
		return;
	for (i = watch->nr++; i > at; i--)
		watch->seen[i] = watch->seen[i - 1];
	watch->seen[at] = (struct place) { mm_id, page };
}

static bool watch_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
		      void *arg)
{
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };
	struct watch *watch = arg;

	watch->visits++;
	watch->mms |= 1UL << vma->vm_mm->id;
	while (page_vma_mapped_walk(&pvmw))
		watch_note(watch, vma->vm_mm->id, (pvmw.address - BASE) >> PAGE_SHIFT);
	return true;
}

/* The walk begins, or begins again. */
static void watch_restart(void *arg)
{
	struct watch *watch = arg;

	watch->nr = 0;
	watch->visits = 0;
	watch->mms = 0;
	watch->twice = false;
}

/* A lockless walk does not come here. */
static struct anon_vma *watch_lock(struct folio *folio, struct rmap_walk_control *rwc)
{
	struct watch *watch = rwc->arg;

	watch->locked = true;
	return folio_lock_anon_vma_read(folio, rwc);
}

static void watch_walk(struct schedule_run *run, unsigned int nr, bool wait)
{
	struct watch *watch = &watches[nr];
	struct rmap_walk_control rwc = {
		.arg = watch,
		.try_lock = !wait,
		.rmap_one = watch_one,
		.anon_lock = watch_lock,
		.restart = wait ? NULL : watch_restart,
	};

	if (!watch->folio)
		return;
	watch_restart(watch);
	watch->locked = false;
	/* Only KSM's items need the folio lock. What KSM takes meanwhile is walked as it was. */
	if (folio_test_ksm(watch->folio)) {
		folio_lock(watch->folio);
		rmap_walk(watch->folio, &rwc, false);
		folio_unlock(watch->folio);
	} else {
		rmap_walk_anon(watch->folio, &rwc, false);
		if (!watch->locked)
			run->lockless = true;
	}
	watch->walked = true;
	watch->contended = rwc.contended;
}

void walk_full(struct schedule_run *run, unsigned int watch)
{
	watch_walk(run, watch, true);
}

void walk_try(struct schedule_run *run, unsigned int watch)
{
	watch_walk(run, watch, false);
}

void walk_open_nothing(struct schedule_run *run, unsigned int watch)
{
	(void)run;
	watches[watch] = (struct watch) { 0 };
}

void walk_coldest(struct schedule_run *run, unsigned int watch, struct mm_struct *mm,
		  uint64_t addr, bool wait)
{
	struct folio *folio;
	LIST_HEAD(list);

	if (!lru_isolate_batch(run->world, 1, &list))
		return;
	folio = list_first_entry(&list, struct folio, lru);
	list_del_init(&folio->lru);
	if (mapped_folio(mm, addr) == folio) {
		watches[watch] = (struct watch) { .folio = folio };
		watch_walk(run, watch, wait);
	}
	lru_putback(run->world, folio);
}

/* As migrate_locked() in migrate.c, and then the reference is found. */
void walk_migrate(struct schedule_run *run, unsigned int watch)
{
	struct folio *folio = watches[watch].folio;
	struct anon_vma *owner;
	migration_note_t note;

	(void)run;
	if (!folio)
		return;
	folio_lock(folio);
	owner = folio_get_anon_vma(folio);
	if (folio_mapped(folio)) {
		note = try_to_migrate(folio, 0);
		remove_migration_ptes(folio, folio, note, false);
	}
	if (owner)
		put_anon_vma(owner);
	folio_unlock(folio);
}

void walk_owner(struct schedule_run *run, unsigned int nr)
{
	struct watch *watch = &watches[nr];
	struct anon_vma_walk walk;
	struct vm_area_struct *vma;
	struct anon_vma *owner;

	(void)run;
	owner = watch->folio ? folio_get_anon_vma(watch->folio) : NULL;
	if (!owner)
		return;
	watch_restart(watch);
	watch->walked = true;
	anon_vma_lock_read(owner);
	anon_vma_walk_begin(&walk, owner, 0, ULONG_MAX);
	while ((vma = anon_vma_walk_next(&walk)))
		watch->mms |= 1UL << vma->vm_mm->id;
	anon_vma_walk_end(&walk, true);
	put_anon_vma(owner);
}

/* -- What it should have seen ---------------------------------------------------------- */

/*
 * One set of the text, up to '|' or the end: are all its places seen, but for those with a
 * '?', and no others?
 */
static bool set_fits(const char *set, const struct watch *watch)
{
	bool expected[MAX_SEEN] = { false };
	const char *at = set;
	unsigned int i;
	char *end;

	for (;;) {
		struct place place;

		at += strspn(at, " ");
		if (!*at || *at == '|')
			break;
		place.mm_id = strtoul(at, &end, 10);
		place.page = strtoul(end + 1, &end, 10);
		for (i = 0; i < watch->nr; i++)
			if (watch->seen[i].mm_id == place.mm_id &&
			    watch->seen[i].page == place.page)
				break;
		if (i < watch->nr)
			expected[i] = true;
		else if (*end != '?')
			return false;
		at = end + (*end == '?');
	}
	for (i = 0; i < watch->nr; i++)
		if (!expected[i])
			return false;
	return true;
}

static void watch_text(const struct watch *watch, char *text, size_t size)
{
	size_t len = 0;
	unsigned int i;

	snprintf(text, size, "nothing");
	for (i = 0; i < watch->nr && len < size; i++)
		len += snprintf(text + len, size - len, "%s%u@%lu", i ? " " : "",
				watch->seen[i].mm_id, watch->seen[i].page);
}

void walk_expect(struct schedule_run *run, unsigned int nr, const char *sets)
{
	const struct watch *watch = &watches[nr];
	char text[MAX_TEXT];
	const char *set = sets;

	if (!watch->walked || watch->contended)
		return;
	while (!set_fits(set, watch)) {
		set = strchr(set, '|');
		if (!set) {
			watch_text(watch, text, sizeof(text));
			schedule_finding(run, "walk %u saw %s, not %s", nr, text, sets);
			return;
		}
		set++;
	}
}

void walk_expect_mms(struct schedule_run *run, unsigned int nr, unsigned long mms)
{
	const struct watch *watch = &watches[nr];

	if (watch->walked && watch->mms & ~mms)
		schedule_finding(run, "walk %u was in mms %#lx, more than %#lx", nr, watch->mms,
				 mms);
}

void walk_expect_once(struct schedule_run *run, unsigned int nr)
{
	if (watches[nr].walked && watches[nr].twice)
		schedule_finding(run, "walk %u came to a place twice", nr);
}

void walk_expect_visits(struct schedule_run *run, unsigned int nr, unsigned int max)
{
	const struct watch *watch = &watches[nr];

	if (watch->walked && watch->visits > max)
		schedule_finding(run, "walk %u looked at %u VMAs, more than %u", nr,
				 watch->visits, max);
}
