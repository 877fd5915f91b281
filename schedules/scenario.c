// SPDX-License-Identifier: GPL-2.0
/*
 * What schedule scenarios do all the time
 */
#include "internal.h"
#include "scenario.h"

/* -- Processes ------------------------------------------------------------------------- */

static void must(struct schedule_run *run, int err, const char *what, unsigned int i,
		 unsigned int page)
{
	if (err)
		schedule_finding(run, "%s of page %u in mm[%u]: error %d", what, page, i, err);
}

void start(struct schedule_run *run, unsigned int i)
{
	must(run, um_mm_create(run->world, &run->mm[i]), "um_mm_create", i, 0);
}

void fork_to(struct schedule_run *run, unsigned int of, unsigned int i)
{
	must(run, um_fork(run->mm[of], &run->mm[i]), "um_fork", i, 0);
}

void without_model(struct schedule_run *run, unsigned int i)
{
	if (run->mm[i]->model)
		model_destroy(run->mm[i]->model);
	run->mm[i]->model = NULL;
}

void leave(struct schedule_run *run, unsigned int i)
{
	struct mm_struct *mm = run->mm[i];

	run->mm[i] = NULL;
	um_exit(mm);
}

/* -- System calls ---------------------------------------------------------------------- */

void map(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages)
{
	uint64_t at;

	must(run, um_mmap(run->mm[i], P(page), pages * PG, RW, ANON | MAP_FIXED, NULL, 0, &at),
	     "um_mmap", i, page);
}

void map_file(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	      struct um_file *file, unsigned int pgoff)
{
	uint64_t at;

	must(run, um_mmap(run->mm[i], P(page), pages * PG, RW, MAP_PRIVATE | MAP_FIXED, file,
			  pgoff, &at), "um_mmap", i, page);
}

void unmap(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages)
{
	must(run, um_munmap(run->mm[i], P(page), pages * PG), "um_munmap", i, page);
}

void move(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	  unsigned int to, int flags)
{
	uint64_t at;

	must(run, um_mremap(run->mm[i], P(page), pages * PG, pages * PG,
			    MREMAP_MAYMOVE | MREMAP_FIXED | flags, P(to), &at),
	     "um_mremap", i, page);
}

void resize(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	    unsigned int new_pages)
{
	uint64_t at;

	must(run, um_mremap(run->mm[i], P(page), pages * PG, new_pages * PG, 0, 0, &at),
	     "um_mremap", i, page);
}

void protect(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	     int prot)
{
	must(run, um_mprotect(run->mm[i], P(page), pages * PG, prot), "um_mprotect", i, page);
}

/* -- Contents -------------------------------------------------------------------------- */

void put(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	 uint64_t token)
{
	unsigned int n;

	for (n = 0; n < pages; n++)
		must(run, um_write(run->mm[i], P(page + n), token + n), "um_write", i, page + n);
}

void expect(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	    uint64_t token)
{
	uint64_t content = 0;
	unsigned int n;

	for (n = 0; n < pages; n++) {
		must(run, um_read(run->mm[i], P(page + n), &content), "um_read", i, page + n);
		if (content != token + n)
			schedule_finding(run, "mm[%u] page %u holds %llu, not %llu", i, page + n,
					 (unsigned long long)content,
					 (unsigned long long)token + n);
	}
}

void put_large(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int order)
{
	must(run, um_set_fault_order(run->mm[i], order), "um_set_fault_order", i, page);
	put(run, i, page, 1U << order, TOKEN);
	must(run, um_set_fault_order(run->mm[i], 0), "um_set_fault_order", i, page);
}

/* -- Checking -------------------------------------------------------------------------- */

struct left {
	struct schedule_run *run;
	bool found;
};

static int left_entry(struct mm_struct *mm, unsigned long addr, pte_t pte, void *arg)
{
	struct left *left = arg;

	if (!pte_is_migration(pte))
		return 0;
	left->found = true;
	schedule_finding(left->run, "mm %u page %lu: a migration entry was left", mm->id,
			 (addr - BASE) >> PAGE_SHIFT);
	return 1;
}

bool still(struct schedule_run *run)
{
	struct left left = { .run = run };
	struct mm_struct *mm;

	walk_close_all(run);
	list_for_each_entry(mm, &run->world->mms, mm_list)
		pgtable_for_each(mm, 0, TASK_SIZE, left_entry, &left);
	return !left.found;
}

/* -- Walks ----------------------------------------------------------------------------- */

void thread_walk_full(struct schedule_run *run)
{
	walk_full(run, 0);
}

void thread_walk_try(struct schedule_run *run)
{
	walk_try(run, 0);
}

void thread_walk_migrate(struct schedule_run *run)
{
	walk_migrate(run, 0);
}
