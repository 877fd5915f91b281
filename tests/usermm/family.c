// SPDX-License-Identifier: GPL-2.0
/*
 * The family and the pictures of family.h
 */
#include <stdlib.h>
#include <string.h>
#include <kshim/slab_stats.h>
#include "family.h"
#include "internal.h"

/* -- The family ---------------------------------------------------------------------- */

static void map_prot(struct mm_struct *mm, uint64_t addr, uint64_t pages, int prot)
{
	uint64_t at;

	assert_int_equal(um_mmap(mm, addr, pages * PG, prot, ANON | MAP_FIXED, NULL, 0, &at), 0);
}

static void map_small(struct family *f)
{
	struct mm_struct *a = f->a;
	uint64_t at;

	t_map(a, IN_PLACE, 16);
	t_write(a, IN_PLACE, 16, 100);
	t_map(a, AREA(20), 16);
	t_write(a, AREA(20), 16, 200);
	t_move(a, AREA(20), 16, DISPLACED, 0);
	t_map_file(a, FILE_PAGES, 16, f->file, 10);
	t_write(a, FILE_PAGES, 8, 300);
	t_map_file(a, AREA(21), 16, f->file, 10);
	t_write(a, AREA(21), 8, 400);
	t_move(a, AREA(21), 16, FILE_MOVED, 0);
	t_map(a, SWAPPED, 16);
	t_write(a, SWAPPED, 16, 500);
	t_map(a, THREE, 12);
	t_write(a, THREE, 12, 600);
	t_protect(a, THREE + 4 * PG, 4, PROT_READ);
	assert_int_equal(um_mmap(a, SHARED, 8 * PG, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
				 NULL, 0, &at), 0);
	t_write(a, SHARED, 8, 700);
	t_map(a, GAPPED, 4);
	t_write(a, GAPPED, 4, 800);
	t_map(a, GAPPED + 8 * PG, 4);
	assert_int_equal(um_mmap(a, STACK - 4 * PG, 4 * PG, RW, ANON | MAP_FIXED | MAP_GROWSDOWN,
				 NULL, 0, &at), 0);
	t_write(a, STACK - PG, 1, 900);
	t_map_file(a, ZERO_DEVICE, 8, f->zero, 1000);
	t_write(a, ZERO_DEVICE, 4, 1000);
	assert_int_equal(um_brk_init(a, HEAP), 0);
	assert_int_equal(um_brk(a, HEAP + 4 * PG), 0);
	t_write(a, HEAP, 4, 1100);
}

static void touch(struct mm_struct *mm, uint64_t addr, uint64_t pages)
{
	uint64_t i, content;

	for (i = 0; i < pages; i++)
		assert_int_equal(um_read(mm, addr + i * PG, &content), 0);
}

/* All but SWAPPED, as far as it goes: some pages in b only, some in a only. */
static void bring_back(struct family *f)
{
	touch(f->a, IN_PLACE, 12);
	touch(f->a, DISPLACED, 12);
	touch(f->a, FILE_PAGES, 16);
	touch(f->a, FILE_MOVED, 6);
	touch(f->a, THREE, 12);
	touch(f->a, GAPPED, 4);
	touch(f->a, STACK - PG, 1);
	touch(f->a, ZERO_DEVICE, 4);
	touch(f->a, HEAP, 4);
	touch(f->b, IN_PLACE, 16);
	touch(f->b, DISPLACED, 8);
	touch(f->b, FILE_MOVED, 8);
	t_write(f->a, IN_PLACE + PG, 1, 101);
	t_write(f->b, DISPLACED, 2, 250);
}

static void merge_pages(struct family *f)
{
	int i;

	map_prot(f->a, KSM, 4, RW);
	assert_int_equal(um_madvise(f->a, KSM, 4 * PG, MADV_MERGEABLE), 0);
	for (i = 0; i < 4; i++)
		t_write(f->a, KSM + i * PG, 1, 42);
	um_ksm_scan(f->t->world, 1000);
	um_ksm_scan(f->t->world, 1000);
}

static void map_huge(struct family *f)
{
	t_map(f->a, HUGE, 2 * HUGE_PAGES);
	assert_int_equal(um_touch_huge(f->a, HUGE), 0);
	t_write(f->a, HUGE, 2, 2000);
	t_write(f->a, HUGE + 100 * PG, 2, 2100);
	t_write(f->a, HUGE + 511 * PG, 1, 2511);
	t_write(f->a, HUGE + HUGE_PAGES * PG, 4, 2512);
}

void family_create(struct family *f, struct t *t)
{
	uint64_t merged = t_stats(t).ksm_merged;

	*f = (struct family) { .t = t };
	f->a = t_mm(t);
	f->fresh = t_mm(t);
	f->file = um_file_create(t->world, UM_FILE_REGULAR);
	f->other = um_file_create(t->world, UM_FILE_REGULAR);
	f->zero = um_file_create(t->world, UM_FILE_ZERO);
	assert_true(f->file && f->other && f->zero);
	map_small(f);
	f->b = t_fork(f->a);
	t_write(f->b, IN_PLACE, 2, 150);
	t_write(f->a, IN_PLACE + 4 * PG, 2, 104);
	t_swap_out(t);
	bring_back(f);
	merge_pages(f);
	assert_int_equal(t_stats(t).ksm_merged, merged + 4);
	map_huge(f);
	f->c = t_fork(f->a);
	t_write(f->c, IN_PLACE + 2 * PG, 1, 180);
}

void family_end(struct family *f)
{
	um_exit(f->a);
	um_exit(f->b);
	um_exit(f->c);
	um_exit(f->fresh);
	um_file_put(f->file);
	um_file_put(f->other);
	um_file_put(f->zero);
}

static void read_vma(struct mm_struct *mm, const struct um_vma_info *vma)
{
	/* The large ones hold what was written at their ends, and 100 pages on. */
	uint64_t pages = (vma->end - vma->start) / PG, step = pages > 64 ? 10 : 1, i, content;
	int err, expected = vma->flags & (VM_READ | VM_WRITE | VM_EXEC) ? 0 : -EFAULT;

	for (i = 0; i < pages; i += step) {
		err = um_read(mm, vma->start + i * PG, &content);
		if (err != expected)
			print_error("mm %u %llx: %d\n", um_mm_id(mm),
				    (unsigned long long)(vma->start + i * PG), err);
		assert_int_equal(err, expected);
	}
	err = um_read(mm, vma->end - PG, &content);
	assert_int_equal(err, expected);
}

void family_read_all(struct family *f)
{
	struct mm_struct *mm;
	size_t i, nr;

	list_for_each_entry(mm, &f->t->world->mms, mm_list) {
		struct um_vma_info *vmas;

		nr = um_vmas(mm, NULL, 0);
		vmas = calloc(nr + 1, sizeof(*vmas));
		assert_non_null(vmas);
		um_vmas(mm, vmas, nr);
		for (i = 0; i < nr; i++)
			read_vma(mm, &vmas[i]);
		free(vmas);
	}
}

/* -- Pictures ---------------------------------------------------------------------- */

struct picture_vma {
	unsigned int mm_id;
	struct um_vma_info is;
};

struct picture_page {
	unsigned int mm_id;
	uint64_t addr;
	char kind;			/* 'p' present, 's' swapped out, '!' poisoned */
	uint64_t content;		/* of a page; the slot of a swap entry */
};

#define PICTURE_CACHES	64

struct picture {
	struct picture_vma *vmas;
	struct picture_page *pages;
	size_t nr_vmas, nr_pages, max_pages;
	uint64_t mms, frames;
	const char *cache[PICTURE_CACHES];
	long live[PICTURE_CACHES];
	int nr_caches;
};

static void take_vmas(struct picture *picture, struct mm_struct *mm)
{
	size_t i, nr = um_vmas(mm, NULL, 0);
	struct um_vma_info *vmas = calloc(nr + 1, sizeof(*vmas));

	assert_non_null(vmas);
	um_vmas(mm, vmas, nr);
	picture->vmas = realloc(picture->vmas,
				(picture->nr_vmas + nr + 1) * sizeof(*picture->vmas));
	assert_non_null(picture->vmas);
	for (i = 0; i < nr; i++)
		picture->vmas[picture->nr_vmas++] = (struct picture_vma) { mm->id, vmas[i] };
	free(vmas);
}

static void take_page(struct picture *picture, struct mm_struct *mm, uint64_t addr, char kind,
		      uint64_t content)
{
	if (picture->nr_pages == picture->max_pages) {
		picture->max_pages = picture->max_pages ? 2 * picture->max_pages : 1024;
		picture->pages = realloc(picture->pages,
					 picture->max_pages * sizeof(*picture->pages));
		assert_non_null(picture->pages);
	}
	picture->pages[picture->nr_pages++] = (struct picture_page) {
		mm->id, addr, kind, content };
}

static int take_entry(struct mm_struct *mm, unsigned long addr, pte_t pte, void *arg)
{
	int i, nr = pte & PTE_HUGE ? HPAGE_PMD_NR : 1;
	struct page *page;

	if (pte_is_poison(pte))
		take_page(arg, mm, addr, '!', 0);
	if (pte_is_swap(pte))
		take_page(arg, mm, addr, 's', pte_pfn(pte));
	/* Pages of files, and of zeroes, come again by themselves. */
	if (!pte_present(pte) || pte & PTE_SPECIAL ||
	    !folio_test_anon(pfn_folio(mm->world, pte_pfn(pte))))
		return 0;
	page = pfn_to_page(mm->world, pte_pfn(pte));
	for (i = 0; i < nr; i++)
		take_page(arg, mm, addr + i * PG, 'p', page[i].content);
	return 0;
}

/* Page tables and nodes of trees may stay when an operation has failed: they are not counted. */
static void take_cache(struct kmem_cache *cache, void *arg)
{
	struct kshim_cache_stats stats;
	struct picture *picture = arg;

	kshim_cache_stats(cache, &stats);
	if (!strcmp(stats.name, "page_table") || !strncmp(stats.name, "maple_node", 10))
		return;
	assert_true(picture->nr_caches < PICTURE_CACHES);
	picture->cache[picture->nr_caches] = stats.name;
	picture->live[picture->nr_caches++] = stats.live;
}

struct picture *picture_take(struct t *t, unsigned int what)
{
	struct picture *picture = calloc(1, sizeof(*picture));
	struct mm_struct *mm;
	struct um_stats stats;

	assert_non_null(picture);
	list_for_each_entry(mm, &t->world->mms, mm_list) {
		take_vmas(picture, mm);
		pgtable_for_each(mm, 0, TASK_SIZE, take_entry, picture);
	}
	stats = t_stats(t);
	picture->mms = stats.mms;
	picture->frames = stats.pages;
	if (what & PICTURE_OBJECTS) {
		/* What is freed after a grace period is gone after this. */
		rcu_barrier();
		kshim_for_each_cache(take_cache, picture);
	}
	return picture;
}

void picture_free(struct picture *picture)
{
	free(picture->vmas);
	free(picture->pages);
	free(picture);
}

static bool rmap_equal(const struct picture_vma *a, const struct picture_vma *b,
		       unsigned int what)
{
	return !(what & PICTURE_RMAP) ||
		(a->is.faulted == b->is.faulted && a->is.displaced == b->is.displaced);
}

static bool vma_equal(const struct picture_vma *a, const struct picture_vma *b, unsigned int what)
{
	return a->mm_id == b->mm_id && a->is.start == b->is.start && a->is.end == b->is.end &&
		a->is.pgoff == b->is.pgoff && a->is.flags == b->is.flags &&
		a->is.file == b->is.file && rmap_equal(a, b, what);
}

/* Glue pieces of what was one VMA together. Returns how many are left. */
static size_t join_pieces(const struct picture_vma *vmas, size_t nr, struct picture_vma *joined,
			  unsigned int what)
{
	size_t i, n = 0;

	for (i = 0; i < nr; i++) {
		struct picture_vma *last = n ? &joined[n - 1] : NULL;
		const struct picture_vma *vma = &vmas[i];

		if (last && last->mm_id == vma->mm_id && last->is.end == vma->is.start &&
		    last->is.flags == vma->is.flags && last->is.file == vma->is.file &&
		    rmap_equal(last, vma, what) &&
		    last->is.pgoff + (last->is.end - last->is.start) / PG == vma->is.pgoff)
			last->is.end = vma->is.end;
		else
			joined[n++] = *vma;
	}
	return n;
}

static void print_vma(const char *when, const struct picture_vma *vma)
{
	print_error("  %s: mm %u %llx-%llx pgoff %llx flags %llx%s%s\n", when, vma->mm_id,
		    (unsigned long long)vma->is.start, (unsigned long long)vma->is.end,
		    (unsigned long long)vma->is.pgoff, (unsigned long long)vma->is.flags,
		    vma->is.faulted ? " faulted" : "", vma->is.displaced ? " displaced" : "");
}

static bool same_vmas(const struct picture_vma *a, size_t nr_a, const struct picture_vma *b,
		      size_t nr_b, unsigned int what)
{
	size_t i;

	for (i = 0; i < nr_a && i < nr_b && vma_equal(&a[i], &b[i], what); i++)
		;
	if (i == nr_a && i == nr_b)
		return true;
	print_error("VMAs: %zu before, %zu after\n", nr_a, nr_b);
	if (i < nr_a)
		print_vma("before", &a[i]);
	if (i < nr_b)
		print_vma("after", &b[i]);
	return false;
}

static bool same_mappings(const struct picture *a, const struct picture *b, unsigned int what)
{
	struct picture_vma *joined_a = calloc(a->nr_vmas + 1, sizeof(*joined_a));
	struct picture_vma *joined_b = calloc(b->nr_vmas + 1, sizeof(*joined_b));
	bool same;

	assert_true(joined_a && joined_b);
	same = same_vmas(joined_a, join_pieces(a->vmas, a->nr_vmas, joined_a, what),
			 joined_b, join_pieces(b->vmas, b->nr_vmas, joined_b, what), what);
	free(joined_a);
	free(joined_b);
	return same;
}

static bool same_pages(const struct picture *a, const struct picture *b)
{
	size_t i;

	for (i = 0; i < a->nr_pages && i < b->nr_pages; i++) {
		const struct picture_page *x = &a->pages[i], *y = &b->pages[i];

		if (x->mm_id == y->mm_id && x->addr == y->addr && x->kind == y->kind &&
		    x->content == y->content)
			continue;
		print_error("page: mm %u %llx %c %llx before, mm %u %llx %c %llx after\n",
			    x->mm_id, (unsigned long long)x->addr, x->kind,
			    (unsigned long long)x->content, y->mm_id,
			    (unsigned long long)y->addr, y->kind,
			    (unsigned long long)y->content);
		return false;
	}
	if (a->nr_pages != b->nr_pages)
		print_error("%zu pages before, %zu after\n", a->nr_pages, b->nr_pages);
	return a->nr_pages == b->nr_pages;
}

static bool same_objects(const struct picture *a, const struct picture *b)
{
	bool same = a->mms == b->mms && a->frames == b->frames;
	int i;

	if (!same)
		print_error("%llu mms, %llu pages before, %llu and %llu after\n",
			    (unsigned long long)a->mms, (unsigned long long)a->frames,
			    (unsigned long long)b->mms, (unsigned long long)b->frames);
	assert_int_equal(a->nr_caches, b->nr_caches);
	for (i = 0; i < a->nr_caches; i++) {
		if (a->live[i] == b->live[i])
			continue;
		print_error("%s: %ld before, %ld after\n", a->cache[i], a->live[i], b->live[i]);
		same = false;
	}
	return same;
}

bool picture_same(const struct picture *before, const struct picture *after, unsigned int what)
{
	bool same = true;

	if (what & PICTURE_VMAS)
		same &= same_vmas(before->vmas, before->nr_vmas, after->vmas, after->nr_vmas,
				  what);
	if (what & PICTURE_MAPS)
		same &= same_mappings(before, after, what);
	if (what & PICTURE_PAGES)
		same &= same_pages(before, after);
	if (what & PICTURE_OBJECTS)
		same &= same_objects(before, after);
	return same;
}
