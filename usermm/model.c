// SPDX-License-Identifier: GPL-2.0
/*
 * What a program should see
 *
 * For each process a list of what it has mapped, and the contents of the pages
 * it has written privately. Deliberately simple, and unlike what it is compared
 * with: the list is a sorted array of segments that are carved and inserted, and
 * never merged; fork copies all of it; there are no pages, no sharing, no laziness.
 *
 * A page that was written privately reads as what was written. Any other reads as
 * its mapping says: zero, or what the file holds there. "Unsure" contents may have
 * been given up by the kernel since (MADV_FREE, operations that failed half way):
 * the page may then also read as its mapping says, until it is written again.
 *
 * An unknown segment stands for whatever other threads of a parent had there at
 * fork: there may be a mapping, and nothing is compared.
 *
 * Locks: those of a file's model are taken before mmap_lock, so that an access and
 * its entry here are one step for all processes that share the file; a process's
 * own lock is innermost.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "internal.h"
#include "model_tokens.h"

struct model_segment {
	unsigned long start, end;
	struct model_mapping is;	/* pgoff: of start; a reference on the file */
	bool unknown;
};

struct mem_model {
	struct um_world *world;
	unsigned int mm_id;
	struct mutex lock;		/* all below */
	struct model_segment *seg;	/* sorted, disjoint */
	size_t nr, max;
	struct token_store written;	/* by page of address: private contents */
	bool lost;			/* no memory for it: nothing is compared */
};

struct file_model {
	struct mutex lock;
	struct token_store written;	/* by page of the file */
	bool lost;			/* no memory for it: nothing is compared */
};

/* -- Segments ---------------------------------------------------------------------- */

/* The first segment that ends above addr. */
static size_t seg_above(const struct mem_model *model, unsigned long addr)
{
	size_t low = 0, high = model->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (model->seg[mid].end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static struct model_segment *seg_at(const struct mem_model *model, unsigned long addr)
{
	size_t i = seg_above(model, addr);

	return i < model->nr && model->seg[i].start <= addr ? &model->seg[i] : NULL;
}

static void seg_get(struct model_segment *seg)
{
	if (seg->is.file)
		um_file_get(seg->is.file);
}

static void seg_put(struct model_segment *seg)
{
	if (seg->is.file)
		um_file_put(seg->is.file);
}

/* Without memory a model must not accuse anybody: it falls silent, and says so. */
static void lose(struct mem_model *model, bool *lost)
{
	if (!*lost)
		oracle_finding(model->world, "mm %u: no memory for a model, not compared any more",
			       model->mm_id);
	*lost = true;
}

static void model_lose(struct mem_model *model)
{
	lose(model, &model->lost);
}

static bool seg_insert(struct mem_model *model, size_t at, const struct model_segment *seg)
{
	if (model->nr == model->max) {
		size_t max = model->max ? 2 * model->max : 16;
		struct model_segment *bigger = realloc(model->seg, max * sizeof(*bigger));

		if (!bigger) {
			model_lose(model);
			return false;
		}
		model->seg = bigger;
		model->max = max;
	}
	memmove(&model->seg[at + 1], &model->seg[at], (model->nr - at) * sizeof(*seg));
	model->seg[at] = *seg;
	seg_get(&model->seg[at]);
	model->nr++;
	return true;
}

/* The part of a segment from addr on. */
static struct model_segment seg_from(const struct model_segment *seg, unsigned long addr)
{
	struct model_segment part = *seg;

	part.is.pgoff += (addr - seg->start) >> PAGE_SHIFT;
	part.start = addr;
	return part;
}

/* Makes addr a boundary. Returns the segment that starts there, or the first above. */
static size_t seg_split(struct mem_model *model, unsigned long addr)
{
	size_t i = seg_above(model, addr);

	if (i < model->nr && model->seg[i].start < addr) {
		struct model_segment upper = seg_from(&model->seg[i], addr);

		if (!seg_insert(model, i + 1, &upper))
			return i;
		model->seg[i].end = addr;
		i++;
	}
	return i;
}

/*
 *	[ a      ][ b ]   [ c      ]
 *	      |carved      |
 *	[ a  ]              [ c    ]
 */
static void seg_carve(struct mem_model *model, unsigned long start, unsigned long end)
{
	size_t first, last, i;

	first = seg_split(model, start);
	last = seg_split(model, end);
	if (model->lost || first == last)
		return;
	for (i = first; i < last; i++)
		seg_put(&model->seg[i]);
	memmove(&model->seg[first], &model->seg[last],
		(model->nr - last) * sizeof(*model->seg));
	model->nr -= last - first;
}

static void seg_add(struct mem_model *model, const struct model_segment *seg)
{
	if (seg->start < seg->end && !model->lost)
		seg_insert(model, seg_above(model, seg->start), seg);
}

static void pages_clear(struct mem_model *model, unsigned long start, unsigned long end)
{
	if (start < end)
		tokens_clear(&model->written, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
}

/* -- Life -------------------------------------------------------------------------- */

/**
 * model_create - an empty address space
 * @world: where findings go
 * @mm_id: whose it is, for findings
 *
 * Returns NULL when there is no memory.
 */
struct mem_model *model_create(struct um_world *world, unsigned int mm_id)
{
	struct mem_model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	model->world = world;
	model->mm_id = mm_id;
	mutex_init(&model->lock);
	tokens_init(&model->written);
	return model;
}

void model_destroy(struct mem_model *model)
{
	size_t i;

	if (!model)
		return;
	for (i = 0; i < model->nr; i++)
		seg_put(&model->seg[i]);
	free(model->seg);
	tokens_deinit(&model->written);
	free(model);
}

static void fork_segment(struct mem_model *child, const struct mem_model *parent,
			 const struct model_segment *seg, unsigned long start, unsigned long end)
{
	struct model_segment copy;

	if (seg->is.dont_fork || seg->end <= start || seg->start >= end)
		return;
	copy = seg_from(seg, max(start, seg->start));
	copy.end = min(end, seg->end);
	seg_add(child, &copy);
	if (!copy.is.wipe_on_fork && !copy.is.shared &&
	    tokens_copy(&child->written, &parent->written, copy.start >> PAGE_SHIFT,
			(copy.end - 1) >> PAGE_SHIFT))
		model_lose(child);
}

/**
 * model_fork - what a child sees
 * @parent: not changed meanwhile in [@start, @end)
 * @mm_id: the child's
 * @start: of what is known
 * @end: of what is known, exclusive; the rest is unknown to the child's model
 *
 * Returns NULL when there is no memory.
 */
struct mem_model *model_fork(struct mem_model *parent, unsigned int mm_id,
			     unsigned long start, unsigned long end)
{
	struct mem_model *child = model_create(parent->world, mm_id);
	size_t i;

	if (!child)
		return NULL;
	seg_add(child, &(struct model_segment) { .end = start, .unknown = true });
	mutex_lock(&parent->lock);
	for (i = 0; i < parent->nr; i++)
		fork_segment(child, parent, &parent->seg[i], start, end);
	child->lost = child->lost || parent->lost;
	mutex_unlock(&parent->lock);
	seg_add(child, &(struct model_segment) {
		.start = end, .end = ULONG_MAX, .unknown = true });
	return child;
}

struct file_model *file_model_create(void)
{
	struct file_model *model = calloc(1, sizeof(*model));

	if (model)
		mutex_init(&model->lock);
	return model;
}

void file_model_destroy(struct file_model *model)
{
	if (!model)
		return;
	tokens_deinit(&model->written);
	free(model);
}

/* -- Mappings ---------------------------------------------------------------------- */

void model_map(struct mem_model *model, unsigned long start, unsigned long end,
	       const struct model_mapping *mapping)
{
	mutex_lock(&model->lock);
	seg_carve(model, start, end);
	pages_clear(model, start, end);
	seg_add(model, &(struct model_segment) { .start = start, .end = end, .is = *mapping });
	mutex_unlock(&model->lock);
}

void model_unmap(struct mem_model *model, unsigned long start, unsigned long end)
{
	mutex_lock(&model->lock);
	seg_carve(model, start, end);
	pages_clear(model, start, end);
	mutex_unlock(&model->lock);
}

/* Copies of the segments of a range, moved by distance, onto a list of their own. */
static struct model_segment *seg_copies(struct mem_model *model, unsigned long start,
					unsigned long end, unsigned long distance, size_t *nr)
{
	size_t i, first = seg_above(model, start), last = first;
	struct model_segment *copies;

	while (last < model->nr && model->seg[last].start < end)
		last++;
	*nr = last - first;
	copies = malloc((*nr + 1) * sizeof(*copies));
	if (!copies) {
		model_lose(model);
		return NULL;
	}
	for (i = 0; i < *nr; i++) {
		const struct model_segment *seg = &model->seg[first + i];

		copies[i] = seg_from(seg, max(start, seg->start));
		copies[i].end = min(end, seg->end) + distance;
		copies[i].start += distance;
		seg_get(&copies[i]);
	}
	return copies;
}

/**
 * model_move - mremap()
 * @model: the model
 * @old_start: what was
 * @old_len: 0 makes a second mapping of the same
 * @new_start: what is; may be @old_start
 * @new_len: more than @old_len appends pages that were not there
 * @keep_old: the old range stays mapped, without its pages
 */
void model_move(struct mem_model *model, unsigned long old_start, unsigned long old_len,
		unsigned long new_start, unsigned long new_len, bool keep_old)
{
	/* Of a mapping that is only doubled, its first page tells what it is. */
	unsigned long look = old_len ? min(old_len, new_len) : PAGE_SIZE;
	unsigned long moved = min(old_len, new_len), old_end = old_start + old_len;
	struct model_segment *copies;
	size_t i, nr;

	mutex_lock(&model->lock);
	copies = seg_copies(model, old_start, old_start + look, new_start - old_start, &nr);
	if (!copies || model->lost)
		goto out;
	if (nr && new_len > moved)
		copies[nr - 1].end = new_start + new_len;
	if (new_start == old_start) {
		/* What is beyond the moved part goes, or is new. */
		seg_carve(model, old_start, max(old_end, new_start + new_len));
		pages_clear(model, old_start + moved, max(old_end, new_start + new_len));
	} else {
		seg_carve(model, new_start, new_start + new_len);
		pages_clear(model, new_start, new_start + new_len);
		if (moved && tokens_move(&model->written, old_start >> PAGE_SHIFT,
					 (old_start + moved - 1) >> PAGE_SHIFT,
					 new_start >> PAGE_SHIFT))
			model_lose(model);
		if (old_len && !keep_old)
			seg_carve(model, old_start, old_end);
		pages_clear(model, old_start, old_end);
	}
	for (i = 0; i < nr; i++)
		seg_add(model, &copies[i]);
out:
	mutex_unlock(&model->lock);
	for (i = 0; copies && i < nr; i++)
		seg_put(&copies[i]);
	free(copies);
}

/**
 * model_move_pages - UFFDIO_MOVE: pages, and not mappings
 * @model: the model
 * @src: from
 * @len: how much
 * @dst: to; empty
 * @surely: false: each page has moved, or not
 */
void model_move_pages(struct mem_model *model, unsigned long src, unsigned long len,
		      unsigned long dst, bool surely)
{
	unsigned long first = src >> PAGE_SHIFT, last = (src + len - 1) >> PAGE_SHIFT;

	mutex_lock(&model->lock);
	if (surely ? tokens_move(&model->written, first, last, dst >> PAGE_SHIFT) :
		     tokens_move_unsure(&model->written, first, last, dst >> PAGE_SHIFT))
		model_lose(model);
	mutex_unlock(&model->lock);
}

/* Private pages are gone for sure. Of shared ones this changes nothing. */
void model_discard(struct mem_model *model, unsigned long start, unsigned long end)
{
	mutex_lock(&model->lock);
	pages_clear(model, start, end);
	mutex_unlock(&model->lock);
}

/* Private pages may be gone, now or at any time until they are written again. */
void model_unsure(struct mem_model *model, unsigned long start, unsigned long end)
{
	mutex_lock(&model->lock);
	if (start < end)
		tokens_mark_unsure(&model->written, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	mutex_unlock(&model->lock);
}

static void advise_segment(struct model_mapping *is, int advice)
{
	switch (advice) {
	case MADV_DONTFORK:
		is->dont_fork = true;
		break;
	case MADV_DOFORK:
		is->dont_fork = false;
		break;
	case MADV_WIPEONFORK:
		is->wipe_on_fork = true;
		break;
	case MADV_KEEPONFORK:
		is->wipe_on_fork = false;
		break;
	}
}

void model_advise_fork(struct mem_model *model, unsigned long start, unsigned long end, int advice)
{
	size_t first, last;

	mutex_lock(&model->lock);
	first = seg_split(model, start);
	last = seg_split(model, end);
	for (; first < last && !model->lost; first++)
		advise_segment(&model->seg[first].is, advice);
	mutex_unlock(&model->lock);
}

static void resync_vma(struct mem_model *model, const struct vm_area_struct *vma,
		       unsigned long start, unsigned long end)
{
	size_t first = seg_split(model, max(start, vma->vm_start));
	size_t last = seg_split(model, min(end, vma->vm_end));

	for (; first < last && !model->lost; first++) {
		model->seg[first].is.dont_fork = vma->vm_flags & VM_DONTCOPY;
		model->seg[first].is.wipe_on_fork = vma->vm_flags & VM_WIPEONFORK;
	}
}

/**
 * model_resync - an operation failed after it had changed a part of its range
 * @model: the model
 * @mm: whose it is; mmap_lock held
 * @start: of the operation's range
 * @end: of the operation's range
 *
 * Linux undoes neither what mremap() had unmapped nor what madvise() had advised
 * when it fails. What is not mapped any more is forgotten, and the advice that
 * matters for fork is looked up. What the pages hold is not taken from there.
 */
void model_resync(struct mem_model *model, struct mm_struct *mm, unsigned long start,
		  unsigned long end)
{
	struct vm_area_struct *vma;
	unsigned long hole = start;

	mutex_lock(&model->lock);
	while (hole < end) {
		vma = find_vma(mm, hole);
		if (!vma || vma->vm_start > hole) {
			unsigned long stop = vma ? min(vma->vm_start, end) : end;

			seg_carve(model, hole, stop);
			pages_clear(model, hole, stop);
			hole = stop;
			continue;
		}
		resync_vma(model, vma, start, end);
		hole = vma->vm_end;
	}
	mutex_unlock(&model->lock);
}

/* -- Accesses ---------------------------------------------------------------------- */

/* The stack that an access just below it makes grow, or NULL. */
static struct model_segment *seg_growing(const struct mem_model *model, unsigned long addr)
{
	size_t i = seg_above(model, addr);

	return i < model->nr && model->seg[i].is.grows_down ? &model->seg[i] : NULL;
}

/**
 * model_access_begin - an access is about to happen
 * @model: the model, or NULL: nothing is compared
 * @addr: page aligned
 * @access: filled in; for the functions below
 *
 * Context: may sleep. No lock of the memory management is held. The model of the
 * file, if there is one, stays locked until model_access_end().
 */
void model_access_begin(struct mem_model *model, unsigned long addr, struct model_access *access)
{
	struct model_segment *seg;

	*access = (struct model_access) { .model = model, .addr = addr };
	if (!model)
		return;
	mutex_lock(&model->lock);
	seg = seg_at(model, addr);
	access->known = !model->lost && !(seg && seg->unknown);
	if (seg && access->known) {
		access->mapped = true;
		access->mapping = seg_from(seg, addr).is;
		seg_get(seg);
	}
	mutex_unlock(&model->lock);
	if (access->mapping.file)
		mutex_lock(&access->mapping.file->model->lock);
}

void model_access_end(struct model_access *access)
{
	if (!access->mapping.file)
		return;
	mutex_unlock(&access->mapping.file->model->lock);
	um_file_put(access->mapping.file);
}

/**
 * model_resync_stack - an access that is not in the model may have made a stack grow
 * @model: the model
 * @mm: whose it is; mmap_lock held
 * @addr: page aligned
 *
 * One that fails does so too: a stack grows before it is asked what it allows.
 */
void model_resync_stack(struct mem_model *model, struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);
	struct model_segment *seg;

	mutex_lock(&model->lock);
	seg = seg_at(model, addr) ? NULL : seg_growing(model, addr);
	if (seg && vma && vma->vm_start == addr)
		seg->start = addr;
	mutex_unlock(&model->lock);
}

/* The access succeeded. Is there something mapped, or a stack that has grown for it? */
static bool access_mapped(struct model_access *access)
{
	struct mem_model *model = access->model;
	struct model_segment *seg;

	if (access->mapped)
		return true;
	mutex_lock(&model->lock);
	seg = seg_growing(model, access->addr);
	if (seg) {
		seg->start = access->addr;
		access->mapped = true;
	}
	mutex_unlock(&model->lock);
	return access->mapped;
}

static void model_not_mapped(struct model_access *access)
{
	oracle_finding(access->model->world,
		       "mm %u: access to %lx went through, nothing is mapped there",
		       access->model->mm_id, access->addr);
}

/**
 * model_write - a write went through
 * @access: from model_access_begin()
 * @content: what was written
 */
void model_write(struct model_access *access, u64 content)
{
	struct mem_model *model = access->model;
	struct file_model *file;

	if (!model || !access->known)
		return;
	if (!access_mapped(access)) {
		model_not_mapped(access);
		return;
	}
	mutex_lock(&model->lock);
	if (access->mapping.shared) {
		file = access->mapping.file->model;
		if (tokens_set(&file->written, access->mapping.pgoff, content, TOKEN_SURE))
			lose(model, &file->lost);
	} else if (tokens_set(&model->written, access->addr >> PAGE_SHIFT, content, false)) {
		model_lose(model);
	}
	mutex_unlock(&model->lock);
}

/**
 * model_write_fault - a write fault without a write, or with one that failed later
 * @access: from model_access_begin()
 *
 * A page of a private file mapping is the process's own from then on, and no longer
 * follows what others write to the file - if the fault came that far: it may have been
 * overtaken by others, or have failed.
 */
void model_write_fault(struct model_access *access)
{
	struct mem_model *model = access->model;
	unsigned long page = access->addr >> PAGE_SHIFT;
	struct um_file *file = access->mapping.file;
	enum token_state state;
	u64 content;

	if (!model || !access->known || !file || access->mapping.shared)
		return;
	mutex_lock(&model->lock);
	if (!tokens_get(&model->written, page, &content, &state)) {
		if (!tokens_get(&file->model->written, access->mapping.pgoff, &content, &state))
			content = file_initial_content(file, access->mapping.pgoff);
		if (tokens_set(&model->written, page, content, TOKEN_UNSURE))
			model_lose(model);
	}
	mutex_unlock(&model->lock);
}

/* May a page that was not written privately read as content? The file's model is locked. */
static bool mapping_read_ok(const struct model_mapping *mapping, u64 content, u64 *expected)
{
	struct um_file *file = mapping->file;
	enum token_state state;

	*expected = 0;
	if (file && !tokens_get(&file->model->written, mapping->pgoff, expected, &state))
		*expected = file_initial_content(file, mapping->pgoff);
	return content == *expected || (file && file->model->lost);
}

/* The same for any page of a private mapping. The model and the file's are locked. */
static bool private_read_ok(struct model_access *access, u64 content, u64 *expected)
{
	struct mem_model *model = access->model;
	unsigned long page = access->addr >> PAGE_SHIFT;
	enum token_state state;
	u64 token;

	if (!tokens_get(&model->written, page, &token, &state))
		return mapping_read_ok(&access->mapping, content, expected);
	if (state == TOKEN_ANY) {
		/* From here on it is known again. */
		if (tokens_set(&model->written, page, content, TOKEN_UNSURE))
			model_lose(model);
		return true;
	}
	if (content == token)
		return true;
	if (state == TOKEN_UNSURE && mapping_read_ok(&access->mapping, content, expected)) {
		/* Given up: what was there does not come back. */
		tokens_clear(&model->written, page, page);
		return true;
	}
	*expected = token;
	return false;
}

/**
 * model_read_ok - a read went through
 * @access: from model_access_begin()
 * @content: what was read
 * @expected: out: what it should have been, when false is returned
 *
 * Returns true if the program may see @content.
 */
bool model_read_ok(struct model_access *access, u64 content, u64 *expected)
{
	struct mem_model *model = access->model;
	bool ok;

	if (!model || !access->known)
		return true;
	if (!access_mapped(access)) {
		model_not_mapped(access);
		return true;
	}
	mutex_lock(&model->lock);
	ok = access->mapping.shared ? mapping_read_ok(&access->mapping, content, expected) :
				      private_read_ok(access, content, expected);
	mutex_unlock(&model->lock);
	return ok;
}

/* -- All of an mm ------------------------------------------------------------------ */

static bool same_mapping(const struct model_segment *seg, struct vm_area_struct *vma)
{
	struct um_file *file = vma->vm_file;
	unsigned long addr = max(seg->start, vma->vm_start);

	/* A private mapping of /dev/zero is plain memory. */
	if (vma_is_anonymous(vma))
		file = NULL;
	return file == seg->is.file && seg->is.shared == !!(vma->vm_flags & VM_SHARED) &&
		seg->is.grows_down == !!(vma->vm_flags & VM_GROWSDOWN) &&
		seg->is.dont_fork == !!(vma->vm_flags & VM_DONTCOPY) &&
		seg->is.wipe_on_fork == !!(vma->vm_flags & VM_WIPEONFORK) &&
		(!file || seg_from(seg, addr).is.pgoff ==
			  vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT));
}

/* Everything that is in the VMAs is in the segments. */
static void check_vmas(struct mm_struct *mm)
{
	struct mem_model *model = mm->model;
	struct model_segment *seg;
	struct vm_area_struct *vma;
	unsigned long addr = 0;

	while ((vma = find_vma(mm, addr))) {
		addr = max(addr, vma->vm_start);
		seg = seg_at(model, addr);
		if (!seg)
			oracle_finding(mm->world,
				       "mm %u: VMA %lx-%lx at %lx, nothing should be mapped",
				       mm->id, vma->vm_start, vma->vm_end, addr);
		else if (!seg->unknown && !same_mapping(seg, vma))
			oracle_finding(mm->world,
				       "mm %u: VMA %lx-%lx is not what %lx-%lx should be", mm->id,
				       vma->vm_start, vma->vm_end, seg->start, seg->end);
		addr = seg ? min(seg->end, vma->vm_end) : vma->vm_end;
	}
}

/* Everything that is in the segments is in the VMAs. */
static void check_segments(struct mm_struct *mm)
{
	struct mem_model *model = mm->model;
	struct vm_area_struct *vma;
	unsigned long addr;
	size_t i;

	for (i = 0; i < model->nr; i++) {
		const struct model_segment *seg = &model->seg[i];

		for (addr = seg->start; !seg->unknown && addr < seg->end; addr = vma->vm_end) {
			vma = vma_lookup(mm, addr);
			if (vma)
				continue;
			oracle_finding(mm->world,
				       "mm %u: no VMA at %lx, where %lx-%lx should be mapped",
				       mm->id, addr, seg->start, seg->end);
			break;
		}
	}
}

static void check_page(struct mm_struct *mm, unsigned long addr, const struct page *page)
{
	struct model_access access;
	u64 expected;

	model_access_begin(mm->model, addr, &access);
	/* A page outside of all mappings is reported by check_vmas(). */
	if (access.mapped && !model_read_ok(&access, page->content, &expected))
		oracle_finding(mm->world, "mm %u: %lx holds %llx and not %llx", mm->id, addr,
			       (unsigned long long)page->content, (unsigned long long)expected);
	model_access_end(&access);
}

static int check_entry(struct mm_struct *mm, unsigned long addr, pte_t pte, void *arg)
{
	long i, nr = pte & PTE_HUGE ? HPAGE_PMD_NR : 1;

	(void)arg;
	if (pte_present(pte) && !(pte & PTE_SPECIAL))
		for (i = 0; i < nr; i++)
			check_page(mm, addr + i * PAGE_SIZE,
				   pfn_to_page(mm->world, pte_pfn(pte) + i));
	return 0;
}

void model_check_mm(struct mm_struct *mm)
{
	if (!mm->model || mm->model->lost)
		return;
	mmap_read_lock(mm);
	check_vmas(mm);
	check_segments(mm);
	mmap_read_unlock(mm);
	pgtable_for_each(mm, 0, TASK_SIZE, check_entry, NULL);
}
