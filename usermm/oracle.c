// SPDX-License-Identifier: GPL-2.0
/*
 * The oracle: does the reverse map find what is there?
 *
 * Operations note the folios whose mappings they change (oracle_touch()). After an
 * operation, one scan of all page tables of all mms collects where these folios
 * are mapped. That is the truth, as it uses nothing of the reverse map. Then each
 * of them is walked, and what the walk reports is compared with it:
 *
 *	to the end		must report every mapping, each once
 *	until all are found	as reclaim does; must come to as many as the mapcount
 *	without locks		as folio_referenced() does; must report the same
 *
 * The world is still while this runs, so a difference is an error.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define SAMPLE_PERIOD	16	/* operations between checks, on average */
#define SAMPLE_FOLIOS	32	/* checked each time */
#define SAMPLE_NOTED	8192	/* remembered between checks */
#define MAX_PRINTED	1000	/* findings; more are counted only */

struct oracle {
	atomic_long_t findings;
	u64 random;			/* state, for sampling; by the one who checks */

	spinlock_t lock;		/* noted, nr_noted, max_noted; leaf */
	unsigned long *noted;		/* pfns of heads */
	size_t nr_noted, max_noted;
	unsigned long *bitmap;		/* by pfn: is in noted, or is being checked */
	size_t bitmap_words;

	/* By the one who checks. */
	struct oracle_hit *hits;
	size_t nr_hits, max_hits;
	bool no_memory;
	struct um_stats stats;
};

/* A mapping that the scan found. */
struct oracle_hit {
	struct folio *folio;
	struct mm_struct *mm;
	unsigned long addr;		/* of a PTE, or of a PMD */
	bool seen;			/* the walk has reported it */
};

/* One folio's hits, and what a walk has said about them. */
struct oracle_walk {
	struct um_world *world;
	struct oracle_hit *hits;
	size_t nr, nr_seen;
	u64 visits;
	int stop_at;			/* done when so many are seen; 0: never */
	const char *what;
};

/* -- Findings ---------------------------------------------------------------------- */

/**
 * oracle_finding - something is wrong
 * @world: where
 * @fmt: one line without its end
 *
 * Context: any. Printed to config.log and counted.
 */
void oracle_finding(struct um_world *world, const char *fmt, ...)
{
	char line[512];
	va_list args;

	if (atomic_long_inc_return(&world->oracle->findings) > MAX_PRINTED)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fprintf(world->config.log, "finding: %s: %s\n", world->topology->name, line);
	fflush(world->config.log);
}

uint64_t um_findings(struct um_world *world)
{
	return atomic_long_read(&world->oracle->findings);
}

/* -- Life -------------------------------------------------------------------------- */

int oracle_init(struct um_world *world)
{
	struct oracle *oracle = calloc(1, sizeof(*oracle));

	if (!oracle)
		return -ENOMEM;
	spin_lock_init(&oracle->lock);
	oracle->random = world->config.seed;
	oracle->bitmap_words = BITS_TO_LONGS(world->config.max_pages);
	/* Large, and mostly never touched: the C library does not write such zeroes. */
	oracle->bitmap = calloc(oracle->bitmap_words, sizeof(long));
	if (!oracle->bitmap) {
		free(oracle);
		return -ENOMEM;
	}
	world->oracle = oracle;
	return 0;
}

void oracle_destroy(struct um_world *world)
{
	struct oracle *oracle = world->oracle;

	free(oracle->noted);
	free(oracle->bitmap);
	free(oracle->hits);
	free(oracle);
	world->oracle = NULL;
}

void oracle_stats(struct um_world *world, struct um_stats *stats)
{
	const struct um_stats *own = &world->oracle->stats;

	stats->folios = own->folios;
	stats->mappings = own->mappings;
	stats->missed = own->missed;
	stats->missed_stop = own->missed_stop;
	stats->visits_full = own->visits_full;
	stats->visits_stop = own->visits_stop;
}

/* -- Noting folios ----------------------------------------------------------------- */

/* lock held. Room for one more, or false. */
static bool noted_room(struct oracle *oracle)
{
	size_t max = oracle->max_noted ? 2 * oracle->max_noted : 256;
	unsigned long *bigger;

	if (oracle->nr_noted < oracle->max_noted)
		return true;
	bigger = realloc(oracle->noted, max * sizeof(*bigger));
	if (!bigger)
		return false;
	oracle->noted = bigger;
	oracle->max_noted = max;
	return true;
}

void __oracle_touch(struct um_world *world, const struct folio *folio)
{
	struct oracle *oracle = world->oracle;
	unsigned long pfn = page_to_pfn(world, &folio->page);

	if (test_bit(pfn, oracle->bitmap) || test_and_set_bit(pfn, oracle->bitmap))
		return;
	spin_lock(&oracle->lock);
	/* When sampling, enough is enough: some of the folios is what was asked for. */
	if ((world->config.check == UM_CHECK_SAMPLE && oracle->nr_noted >= SAMPLE_NOTED) ||
	    !noted_room(oracle))
		clear_bit(pfn, oracle->bitmap);
	else
		oracle->noted[oracle->nr_noted++] = pfn;
	spin_unlock(&oracle->lock);
}

static u64 oracle_random(struct oracle *oracle)
{
	u64 z = oracle->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* Leave up to @keep of the noted folios, chosen by lot. */
static void noted_sample(struct oracle *oracle, size_t keep)
{
	size_t i;

	for (i = 0; i < keep && i < oracle->nr_noted; i++) {
		size_t other = i + oracle_random(oracle) % (oracle->nr_noted - i);
		unsigned long pfn = oracle->noted[i];

		oracle->noted[i] = oracle->noted[other];
		oracle->noted[other] = pfn;
	}
	while (oracle->nr_noted > keep)
		clear_bit(oracle->noted[--oracle->nr_noted], oracle->bitmap);
}

/*
 * Only heads of mapped anonymous and KSM folios can be checked. A folio may have
 * been split or freed since it was noted, or merged into a larger one: what was a
 * head may be a tail now.
 */
static bool folio_is_checked(struct page *page)
{
	struct folio *folio = (struct folio *)page;

	return !test_bit(PG_tail, &page->flags) && !test_bit(PG_buddy, &page->flags) &&
		folio_ref_count(folio) > 0 && folio_test_anon(folio) && folio_mapped(folio);
}

static void noted_filter(struct um_world *world)
{
	struct oracle *oracle = world->oracle;
	size_t i, kept = 0;

	for (i = 0; i < oracle->nr_noted; i++) {
		unsigned long pfn = oracle->noted[i];

		if (folio_is_checked(pfn_to_page(world, pfn)))
			oracle->noted[kept++] = pfn;
		else
			clear_bit(pfn, oracle->bitmap);
	}
	oracle->nr_noted = kept;
}

/* -- The scan ---------------------------------------------------------------------- */

static int scan_entry(struct mm_struct *mm, unsigned long addr, pte_t pte, void *arg)
{
	struct oracle *oracle = arg;
	struct folio *folio;

	if (!pte_present(pte) || pte & PTE_SPECIAL)
		return 0;
	folio = pfn_folio(mm->world, pte_pfn(pte));
	if (!test_bit(page_to_pfn(mm->world, &folio->page), oracle->bitmap))
		return 0;
	if (oracle->nr_hits == oracle->max_hits) {
		size_t max = oracle->max_hits ? 2 * oracle->max_hits : 1024;
		struct oracle_hit *bigger = realloc(oracle->hits, max * sizeof(*bigger));

		if (!bigger) {
			oracle->no_memory = true;
			return 1;
		}
		oracle->hits = bigger;
		oracle->max_hits = max;
	}
	oracle->hits[oracle->nr_hits++] = (struct oracle_hit) {
		.folio = folio, .mm = mm, .addr = addr };
	return 0;
}

static int compare_hits(const void *a, const void *b)
{
	const struct oracle_hit *x = a, *y = b;

	if (x->folio != y->folio)
		return x->folio < y->folio ? -1 : 1;
	if (x->mm->id != y->mm->id)
		return x->mm->id < y->mm->id ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* All mappings of noted folios, sorted. */
static void oracle_scan(struct um_world *world)
{
	struct oracle *oracle = world->oracle;
	struct mm_struct *mm;

	oracle->nr_hits = 0;
	oracle->no_memory = false;
	list_for_each_entry(mm, &world->mms, mm_list)
		pgtable_for_each(mm, 0, TASK_SIZE, scan_entry, oracle);
	/* The C library wants an array even where it will not look at it. */
	if (oracle->nr_hits)
		qsort(oracle->hits, oracle->nr_hits, sizeof(*oracle->hits), compare_hits);
}

/* The hits of one folio. */
static size_t folio_hits(struct oracle *oracle, const struct folio *folio,
			 struct oracle_hit **hits)
{
	size_t low = 0, high = oracle->nr_hits, nr = 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (oracle->hits[mid].folio < folio)
			low = mid + 1;
		else
			high = mid;
	}
	*hits = oracle->hits + low;
	while (low + nr < oracle->nr_hits && oracle->hits[low + nr].folio == folio)
		nr++;
	return nr;
}

/* -- The walks --------------------------------------------------------------------- */

static void walk_found(struct oracle_walk *walk, struct folio *folio, struct mm_struct *mm,
		       unsigned long addr)
{
	struct oracle_hit key = { .folio = folio, .mm = mm, .addr = addr }, *hit;

	hit = walk->nr ? bsearch(&key, walk->hits, walk->nr, sizeof(key), compare_hits) : NULL;
	if (!hit) {
		oracle_finding(walk->world, "%s: mm %u %lx found, the scan knows nothing of it",
			       walk->what, mm->id, addr);
		return;
	}
	/* Pages of KSM are found once for each place that was merged above. */
	if (hit->seen && !folio_test_ksm(folio))
		oracle_finding(walk->world, "%s: mm %u %lx found twice", walk->what, mm->id, addr);
	walk->nr_seen += !hit->seen;
	hit->seen = true;
}

static bool walk_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
		     void *arg)
{
	struct oracle_walk *walk = arg;
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };

	walk->visits++;
	while (page_vma_mapped_walk(&pvmw))
		walk_found(walk, folio, vma->vm_mm, pvmw.address);
	return !walk->stop_at || walk->nr_seen < (size_t)walk->stop_at;
}

static void walk_restart(void *arg)
{
	struct oracle_walk *walk = arg;
	size_t i;

	for (i = 0; i < walk->nr; i++)
		walk->hits[i].seen = false;
	walk->nr_seen = 0;
	walk->visits = 0;
}

/* Returns how many mappings the walk has missed. */
static u64 walk_folio(struct oracle_walk *walk, struct folio *folio, bool lockless)
{
	struct rmap_walk_control rwc = {
		.arg = walk,
		.rmap_one = walk_one,
		.restart = lockless ? walk_restart : NULL,
	};

	walk_restart(walk);
	rmap_walk(folio, &rwc, false);
	return (walk->stop_at ? (size_t)walk->stop_at : walk->nr) - walk->nr_seen;
}

static void report_missed(struct oracle_walk *walk, struct folio *folio)
{
	size_t i;

	for (i = 0; i < walk->nr; i++)
		if (!walk->hits[i].seen)
			oracle_finding(walk->world,
				       "%s: missed mm %u %lx, pfn %lx index %lx, %zu of %zu found",
				       walk->what, walk->hits[i].mm->id, walk->hits[i].addr,
				       page_to_pfn(walk->world, &folio->page), folio_pgoff(folio),
				       walk->nr_seen, walk->nr);
}

/* The events that a walk of the checker counts are none of the world's. */
static void walk_lockless(struct oracle_walk *walk, struct folio *folio)
{
	struct um_world *world = walk->world;
	long events[NR_ANON_VMA_EVENTS];
	int i;

	for (i = 0; i < NR_ANON_VMA_EVENTS; i++)
		events[i] = atomic_long_read(&world->events[i]);
	walk->what = "lockless walk";
	if (walk_folio(walk, folio, true)) {
		world->oracle->stats.missed++;
		report_missed(walk, folio);
	}
	for (i = 0; i < NR_ANON_VMA_EVENTS; i++)
		atomic_long_set(&world->events[i], events[i]);
}

static void check_folio(struct um_world *world, struct folio *folio)
{
	struct um_stats *stats = &world->oracle->stats;
	struct oracle_walk walk = { .world = world, .what = "walk" };
	int mapcount = folio_mapcount(folio);
	u64 missed;

	walk.nr = folio_hits(world->oracle, folio, &walk.hits);
	stats->folios++;
	stats->mappings += walk.nr;
	folio_lock(folio);
	missed = walk_folio(&walk, folio, false);
	stats->missed += missed;
	stats->visits_full += walk.visits;
	if (missed)
		report_missed(&walk, folio);
	if ((size_t)mapcount != walk.nr)
		oracle_finding(world, "pfn %lx: mapcount %d, %zu mappings found by scan",
			       page_to_pfn(world, &folio->page), mapcount, walk.nr);

	walk.what = "stopping walk";
	walk.stop_at = mapcount;
	missed = walk_folio(&walk, folio, false);
	stats->missed_stop += missed;
	stats->visits_stop += walk.visits;
	if (missed)
		report_missed(&walk, folio);

	walk.stop_at = 0;
	if (!folio_test_ksm(folio))
		walk_lockless(&walk, folio);
	folio_unlock(folio);
}

/* -- Checking ---------------------------------------------------------------------- */

static void check_noted(struct um_world *world)
{
	struct oracle *oracle = world->oracle;
	size_t i;

	noted_filter(world);
	if (!oracle->nr_noted)
		return;
	oracle_scan(world);
	if (oracle->no_memory)
		oracle_finding(world, "no memory to check with");
	for (i = 0; i < oracle->nr_noted; i++) {
		unsigned long pfn = oracle->noted[i];

		if (!oracle->no_memory)
			check_folio(world, pfn_folio(world, pfn));
		clear_bit(pfn, oracle->bitmap);
	}
	oracle->nr_noted = 0;
}

void oracle_after_op(struct um_world *world)
{
	struct oracle *oracle = world->oracle;

	if (world->config.check == UM_CHECK_SAMPLE) {
		if (!(oracle_random(oracle) % SAMPLE_PERIOD)) {
			noted_filter(world);
			noted_sample(oracle, SAMPLE_FOLIOS);
			check_noted(world);
		}
	} else if (world->config.check == UM_CHECK_FULL) {
		check_noted(world);
	}
	if (world->config.invariants)
		check_invariants(world);
}

static int note_entry(struct mm_struct *mm, unsigned long addr __maybe_unused, pte_t pte,
		      void *arg)
{
	struct oracle *oracle = arg;
	unsigned long pfn;

	if (!pte_present(pte) || pte & PTE_SPECIAL)
		return 0;
	pfn = page_to_pfn(mm->world, &pfn_folio(mm->world, pte_pfn(pte))->page);
	if (__test_and_set_bit(pfn, oracle->bitmap))
		return 0;
	if (!noted_room(oracle)) {
		oracle_finding(mm->world, "no memory to check with");
		__clear_bit(pfn, oracle->bitmap);
		return 1;
	}
	oracle->noted[oracle->nr_noted++] = pfn;
	return 0;
}

void oracle_check_all(struct um_world *world)
{
	struct oracle *oracle = world->oracle;
	struct mm_struct *mm;

	list_for_each_entry(mm, &world->mms, mm_list)
		pgtable_for_each(mm, 0, TASK_SIZE, note_entry, oracle);
	check_noted(world);
}

/**
 * um_check_all - check everything that can be checked
 * @world: still
 *
 * Every mapped folio by walks, the invariants, and each process's memory against
 * its model. Whatever config.check says.
 *
 * Returns 0, or -EIO when there were findings.
 */
int um_check_all(struct um_world *world)
{
	u64 before = um_findings(world);
	struct mm_struct *mm;

	oracle_check_all(world);
	check_invariants(world);
	list_for_each_entry(mm, &world->mms, mm_list)
		model_check_mm(mm);
	return um_findings(world) > before ? -EIO : 0;
}
