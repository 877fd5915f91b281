// SPDX-License-Identifier: GPL-2.0
/*
 * Page frames, folios, the LRU
 *
 * There is one struct page for each frame, in one array that is reserved as
 * address space for all frames that the world may have and becomes memory in
 * chunks, as they are needed. So a pfn is an index, in both directions.
 *
 * Free frames are kept by a buddy allocator: blocks of 2^order frames, naturally
 * aligned, that merge with their buddy when both are free. Single pages, nearly
 * all of the traffic, go through a short stack first, so that a program that
 * frees and allocates in turn does not split and merge each time.
 *
 * Locks: frames->lock for all of struct frames and for the free blocks;
 * world->lru_lock for the LRU list and PG_lru. Both are leaves.
 *
 * The LRU is one list. A folio on it is not referenced by it: who drops the last
 * reference takes it off. A folio that is to be worked on is isolated, with a
 * reference, and put back at the hot end.
 */
#include <sys/mman.h>
#include <linux/spinlock.h>
#include <linux/wait_bit.h>
#include "frame.h"
#include "ksm.h"
#include "pgtable.h"

#define FRAMES_MAX_ORDER	HPAGE_PMD_ORDER
#define FRAMES_CHUNK		4096UL		/* pages; 256 KiB of struct page */
#define FRAMES_HOT		64
#define FRAMES_DEFAULT		(64UL << 20)

struct frames {
	struct page *map;		/* constant; [0, max) is reserved */
	unsigned long max;		/* constant */
	spinlock_t lock;		/* all below */
	unsigned long end;		/* frames below exist */
	struct list_head free[FRAMES_MAX_ORDER + 1];
	struct page *hot[FRAMES_HOT];
	unsigned int nr_hot;
	unsigned long used, peak;	/* pages in folios, without the zero page */
};

struct page *pfn_to_page(struct um_world *world, unsigned long pfn)
{
	return world->frames->map + pfn;
}

unsigned long page_to_pfn(struct um_world *world, const struct page *page)
{
	return page - world->frames->map;
}

/* -- Free blocks --------------------------------------------------------------- */

static unsigned int page_order(const struct page *page)
{
	return (READ_ONCE(page->flags) & PG_ORDER_MASK) >> PG_order_shift;
}

static unsigned long order_flags(unsigned int order)
{
	return (unsigned long)order << PG_order_shift;
}

static void block_add(struct frames *frames, unsigned long pfn, unsigned int order)
{
	struct page *page = frames->map + pfn;

	WRITE_ONCE(page->flags, BIT(PG_buddy) | order_flags(order));
	list_add(&page->lru, &frames->free[order]);
}

static void block_del(struct page *page)
{
	list_del(&page->lru);
	WRITE_ONCE(page->flags, 0);
}

static void block_free(struct frames *frames, unsigned long pfn, unsigned int order)
{
	for (; order < FRAMES_MAX_ORDER; order++) {
		unsigned long other = pfn ^ (1UL << order);
		struct page *buddy = frames->map + other;

		if (other + (1UL << order) > frames->end ||
		    !test_bit(PG_buddy, &buddy->flags) || page_order(buddy) != order)
			break;
		block_del(buddy);
		pfn &= ~(1UL << order);
	}
	block_add(frames, pfn, order);
}

static struct page *block_alloc(struct frames *frames, unsigned int order)
{
	struct page *page;
	unsigned int from;

	for (from = order; from <= FRAMES_MAX_ORDER; from++)
		if (!list_empty(&frames->free[from]))
			break;
	if (from > FRAMES_MAX_ORDER)
		return NULL;
	page = list_first_entry(&frames->free[from], struct page, lru);
	block_del(page);
	while (from-- > order)
		block_add(frames, page - frames->map + (1UL << from), from);
	return page;
}

/* Turn the next chunk of the array into memory. */
static bool frames_grow(struct frames *frames)
{
	unsigned long pfn = frames->end, end = min(pfn + FRAMES_CHUNK, frames->max);

	if (pfn == end || mprotect(frames->map + pfn, (end - pfn) * sizeof(struct page),
				   PROT_READ | PROT_WRITE))
		return false;
	frames->end = end;
	while (pfn < end) {
		unsigned int order = FRAMES_MAX_ORDER;

		while (pfn & ((1UL << order) - 1) || pfn + (1UL << order) > end)
			order--;
		block_free(frames, pfn, order);
		pfn += 1UL << order;
	}
	return true;
}

static void hot_drain(struct frames *frames)
{
	while (frames->nr_hot)
		block_free(frames, frames->hot[--frames->nr_hot] - frames->map, 0);
}

static struct page *frames_take(struct frames *frames, unsigned int order)
{
	struct page *page;

	if (!order && frames->nr_hot)
		return frames->hot[--frames->nr_hot];
	for (;;) {
		page = block_alloc(frames, order);
		if (page)
			return page;
		if (frames->nr_hot)
			hot_drain(frames);
		else if (!frames_grow(frames))
			return NULL;
	}
}

/* -- Folios ---------------------------------------------------------------------- */

static void page_init(struct page *page)
{
	atomic_set(&page->_mapcount, 0);
	WRITE_ONCE(page->mapping, NULL);
	page->private = 0;
	WRITE_ONCE(page->content, 0);
}

/*
 * Tails say where their head is by their distance, see page_folio(). PG_tail comes
 * after it, by release: whoever gets at a tail without a reference on the folio
 * must not take an older index for a distance.
 */
static void compound_init(struct page *head, unsigned int order)
{
	unsigned long i;

	for (i = 1; i < 1UL << order; i++) {
		struct page *tail = head + i;

		page_init(tail);
		atomic_set(&tail->_refcount, 0);
		WRITE_ONCE(tail->index, i);
		smp_store_release(&tail->flags, BIT(PG_tail) | order_flags(order));
	}
}

static __thread unsigned long nr_failures;

unsigned long frames_failures(void)
{
	return nr_failures;
}

/**
 * folio_alloc - get page frames
 * @world: whose memory it is
 * @order: 2^order pages; at most HPAGE_PMD_ORDER
 *
 * Contents are 0. Not locked, not on the LRU, not anonymous yet.
 *
 * Context: any; does not reclaim. Returns a folio with one reference, or NULL when
 * max_pages are in use, or free ones not in one piece.
 */
struct folio *folio_alloc(struct um_world *world, unsigned int order)
{
	struct frames *frames = world->frames;
	struct page *page = NULL;

	spin_lock(&frames->lock);
	if (frames->used + (1UL << order) <= frames->max)
		page = frames_take(frames, order);
	if (page) {
		frames->used += 1UL << order;
		if (frames->used > frames->peak)
			frames->peak = frames->used;
	}
	spin_unlock(&frames->lock);
	if (!page) {
		nr_failures++;
		return NULL;
	}

	page_init(page);
	WRITE_ONCE(page->index, 0);
	if (order)
		compound_init(page, order);
	WRITE_ONCE(page->flags, order ? BIT(PG_head) | order_flags(order) : 0);
	/* Last, for folio_try_get(): see folio_ref_unfreeze(). */
	atomic_set_release(&page->_refcount, 1);
	return (struct folio *)page;
}

/**
 * folio_free - give page frames back
 * @world: whose memory it is
 * @folio: without references, mappings, and places in lists
 *
 * A poisoned page is never used again. (Only folios of one page are poisoned.)
 *
 * Context: any.
 */
void folio_free(struct um_world *world, struct folio *folio)
{
	bool poisoned = test_bit(PG_hwpoison, &folio->flags);
	struct frames *frames = world->frames;
	unsigned int order = folio_order(folio);
	unsigned long i;

	VM_BUG_ON_FOLIO(folio_ref_count(folio) || folio_mapped(folio), folio);
	VM_BUG_ON_FOLIO(test_bit(PG_lru, &folio->flags), folio);
	VM_BUG_ON_FOLIO(test_bit(PG_swapcache, &folio->flags), folio);
	for (i = 0; i < 1UL << order; i++) {
		struct page *page = folio_page(folio, i);

		/* Tails use it for a count of their own. */
		atomic_set(&page->_refcount, 0);
		WRITE_ONCE(page->mapping, NULL);
		WRITE_ONCE(page->flags, 0);
	}

	spin_lock(&frames->lock);
	frames->used -= 1UL << order;
	if (!poisoned && !order && frames->nr_hot < FRAMES_HOT)
		frames->hot[frames->nr_hot++] = &folio->page;
	else if (!poisoned)
		block_free(frames, &folio->page - frames->map, order);
	spin_unlock(&frames->lock);
}

/**
 * folio_try_get - a reference, if there is one already
 * @folio: found without one
 *
 * The caller holds what keeps @folio from becoming a tail, and checks afterwards
 * that it is still the folio that it was looking for.
 */
bool folio_try_get(struct folio *folio)
{
	return atomic_inc_not_zero(&folio->_refcount);
}

/**
 * folio_put - drop a reference; the last one frees the folio
 * @world: whose memory it is
 * @folio: the folio
 *
 * Context: any; takes the LRU's, KSM's and the frames' locks.
 */
void folio_put(struct um_world *world, struct folio *folio)
{
	if (!atomic_dec_and_test(&folio->_refcount))
		return;
	if (test_bit(PG_lru, &folio->flags))
		lru_del(world, folio);
	if (folio_test_ksm(folio))
		ksm_folio_freed(world, folio);
	folio_free(world, folio);
}

/* May sleep. Before any anon_vma rwsem and PTE lock; of two folios, see folio_trylock(). */
void folio_lock(struct folio *folio)
{
	kshim_bit_lock(&folio->flags, PG_locked);
}

/* Does not sleep: the way to a second folio's lock, and to one under a PTE lock. */
bool folio_trylock(struct folio *folio)
{
	return kshim_bit_trylock(&folio->flags, PG_locked);
}

void folio_unlock(struct folio *folio)
{
	kshim_bit_unlock(&folio->flags, PG_locked);
}

/* -- The LRU ------------------------------------------------------------------------ */

/* A new folio, or one that was isolated: to the hot end. */
void lru_add(struct um_world *world, struct folio *folio)
{
	spin_lock(&world->lru_lock);
	set_bit(PG_lru, &folio->flags);
	list_add(&folio->lru, &world->lru);
	spin_unlock(&world->lru_lock);
}

void lru_del(struct um_world *world, struct folio *folio)
{
	spin_lock(&world->lru_lock);
	clear_bit(PG_lru, &folio->flags);
	list_del(&folio->lru);
	spin_unlock(&world->lru_lock);
}

/* lru_lock held. A folio without references is about to be freed by somebody else. */
static bool lru_take(struct folio *folio)
{
	if (!folio_try_get(folio))
		return false;
	clear_bit(PG_lru, &folio->flags);
	set_bit(PG_isolated, &folio->flags);
	list_del_init(&folio->lru);
	return true;
}

/**
 * lru_isolate - take a folio off the LRU, to work on it
 * @world: whose LRU it is
 * @folio: the caller has a reference, or the lock of a PTE that maps it
 *
 * Returns true, with a reference, if it was there.
 */
bool lru_isolate(struct um_world *world, struct folio *folio)
{
	bool taken;

	spin_lock(&world->lru_lock);
	taken = test_bit(PG_lru, &folio->flags) && lru_take(folio);
	spin_unlock(&world->lru_lock);
	return taken;
}

/* Undoes an isolation, and drops its reference. */
void lru_putback(struct um_world *world, struct folio *folio)
{
	clear_bit(PG_isolated, &folio->flags);
	lru_add(world, folio);
	folio_put(world, folio);
}

/**
 * lru_isolate_batch - take folios off the cold end of the LRU
 * @world: whose LRU it is
 * @nr: how many pages; may be exceeded by the last folio
 * @list: gets the folios, coldest first
 *
 * Returns pages taken.
 */
long lru_isolate_batch(struct um_world *world, long nr, struct list_head *list)
{
	struct list_head *pos, *next;
	long taken = 0;

	spin_lock(&world->lru_lock);
	for (pos = world->lru.prev; pos != &world->lru && taken < nr; pos = next) {
		struct folio *folio = list_entry(pos, struct folio, lru);

		next = pos->prev;
		if (!lru_take(folio))
			continue;
		list_add_tail(&folio->lru, list);
		taken += folio_nr_pages(folio);
	}
	spin_unlock(&world->lru_lock);
	return taken;
}

void lru_deactivate(struct um_world *world, struct folio *folio)
{
	spin_lock(&world->lru_lock);
	if (test_bit(PG_lru, &folio->flags))
		list_move_tail(&folio->lru, &world->lru);
	spin_unlock(&world->lru_lock);
}

/* -- A world's frames ------------------------------------------------------------------ */

unsigned long frames_max_pfn(const struct um_world *world)
{
	return READ_ONCE(world->frames->end);
}

void frames_usage(const struct um_world *world, u64 *pages, u64 *peak)
{
	struct frames *frames = world->frames;

	spin_lock(&frames->lock);
	*pages = frames->used;
	*peak = frames->peak;
	spin_unlock(&frames->lock);
}

void frames_reset_peak(struct um_world *world)
{
	struct frames *frames = world->frames;

	spin_lock(&frames->lock);
	frames->peak = frames->used;
	spin_unlock(&frames->lock);
}

/* The zero page: mapped by PTE_SPECIAL entries, never counted, never freed. */
static int zero_folio_init(struct um_world *world)
{
	world->zero_folio = folio_alloc(world, 0);
	if (!world->zero_folio)
		return -ENOMEM;
	set_bit(PG_zero, &world->zero_folio->flags);
	world->frames->used = 0;
	world->frames->peak = 0;
	return 0;
}

/**
 * frames_init - memory and zero page for a new world
 * @world: its config.max_pages set; 0 stands for a default, and becomes it
 *
 * Returns 0 or -ENOMEM.
 */
int frames_init(struct um_world *world)
{
	struct frames *frames;
	unsigned int order;
	int err;

	pgtable_init();
	if (!world->config.max_pages)
		world->config.max_pages = FRAMES_DEFAULT;

	frames = kzalloc(sizeof(*frames), GFP_KERNEL);
	if (!frames)
		return -ENOMEM;
	frames->max = world->config.max_pages;
	spin_lock_init(&frames->lock);
	for (order = 0; order <= FRAMES_MAX_ORDER; order++)
		INIT_LIST_HEAD(&frames->free[order]);
	frames->map = mmap(NULL, frames->max * sizeof(struct page), PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (frames->map == MAP_FAILED) {
		kfree(frames);
		return -ENOMEM;
	}
	world->frames = frames;
	err = zero_folio_init(world);
	if (err)
		frames_destroy(world);
	return err;
}

/* All folios but the zero page are free. */
void frames_destroy(struct um_world *world)
{
	struct frames *frames = world->frames;

	munmap(frames->map, frames->max * sizeof(struct page));
	kfree(frames);
	world->frames = NULL;
	world->zero_folio = NULL;
}
