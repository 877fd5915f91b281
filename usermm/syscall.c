// SPDX-License-Identifier: GPL-2.0
/*
 * System calls, as programs, tests and replayers make them
 *
 * Each one does the operation, tells the model of the process what the program may
 * expect from now on, and lets the oracle look at what the operation has touched.
 * The model is told the arguments and whether they were accepted; it takes nothing
 * from VMAs or page tables, but where an operation has failed half way.
 */
#include <sys/mman.h>
#include "internal.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

static bool is_shared(int flags)
{
	return (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
}

/* The end of a range in whole pages; its start if there is none. */
static unsigned long range_end(unsigned long addr, unsigned long len)
{
	unsigned long end = addr + PAGE_ALIGN(len);

	return end < addr || end > TASK_SIZE ? addr : end;
}

/* An operation has failed, maybe half way. */
static void resync(struct mm_struct *mm, unsigned long addr, unsigned long len)
{
	if (!mm->model)
		return;
	addr &= PAGE_MASK;
	mmap_read_lock(mm);
	model_resync(mm->model, mm, addr, range_end(addr, len));
	mmap_read_unlock(mm);
}

static void model_mmap(struct mm_struct *mm, unsigned long addr, unsigned long len, int flags,
		       struct um_file *file, pgoff_t pgoff)
{
	bool shared = is_shared(flags);
	struct model_mapping mapping = { .pgoff = pgoff, .shared = shared };

	if (!mm->model)
		return;
	/* A private mapping of /dev/zero is plain memory. */
	mapping.file = file && (shared || file->kind != UM_FILE_ZERO) ? file : NULL;
	mapping.grows_down = flags & MAP_GROWSDOWN;
	model_map(mm->model, addr, range_end(addr, len), &mapping);
}

/**
 * um_mmap - mmap(2)
 * @mm: the process
 * @addr: hint, or with MAP_FIXED and MAP_FIXED_NOREPLACE the address
 * @len: rounded up to pages
 * @prot: PROT_*
 * @flags: MAP_*; MAP_POPULATE and MAP_LOCKED bring no pages
 * @file: NULL for anonymous memory
 * @pgoff: offset in @file, in pages
 * @result: out: where it is
 *
 * Shared memory without a file, or with UM_FILE_ZERO, is of its own, as in Linux.
 *
 * Returns 0, -EINVAL, -EOVERFLOW, -EEXIST, -ENOMEM.
 */
int um_mmap(struct mm_struct *mm, uint64_t addr, uint64_t len, int prot, int flags,
	    struct um_file *file, uint64_t pgoff, uint64_t *result)
{
	struct um_file *memory = NULL;
	unsigned long where;
	int err;

	if (is_shared(flags) && (!file || file->kind == UM_FILE_ZERO)) {
		memory = um_file_create(mm->world, UM_FILE_SHM);
		if (!memory)
			return -ENOMEM;
		pgoff = file ? pgoff : 0;
		file = memory;
	}
	err = do_mmap(mm, addr, len, prot, flags, file, pgoff, &where);
	if (!err) {
		model_mmap(mm, where, len, flags, file, pgoff);
		*result = where;
	}
	if (memory)
		um_file_put(memory);
	oracle_after_op(mm->world);
	return err;
}

/* Returns 0, -EINVAL, -ENOMEM. */
int um_munmap(struct mm_struct *mm, uint64_t addr, uint64_t len)
{
	int err = do_munmap(mm, addr, len);

	if (!err && mm->model)
		model_unmap(mm->model, addr, range_end(addr, len));
	oracle_after_op(mm->world);
	return err;
}

/**
 * um_mremap - mremap(2)
 * @mm: the process
 * @addr: where it is
 * @old_len: rounded up to pages; 0 makes a second mapping of shared memory
 * @new_len: rounded up to pages
 * @flags: MREMAP_*
 * @new_addr: with MREMAP_FIXED where to; with MREMAP_DONTUNMAP alone a hint
 * @result: out: where it is now
 *
 * Returns 0, -EINVAL, -EFAULT, -ENOMEM. As in Linux, parts may be unmapped after an
 * error.
 */
int um_mremap(struct mm_struct *mm, uint64_t addr, uint64_t old_len, uint64_t new_len,
	      int flags, uint64_t new_addr, uint64_t *result)
{
	unsigned long where;
	int err;

	err = do_mremap(mm, addr, old_len, new_len, flags, new_addr, &where);
	if (!err) {
		if (mm->model)
			model_move(mm->model, addr, PAGE_ALIGN(old_len), where,
				   PAGE_ALIGN(new_len), flags & MREMAP_DONTUNMAP);
		*result = where;
	} else {
		resync(mm, addr, old_len);
		if (flags & MREMAP_FIXED)
			resync(mm, new_addr, new_len);
	}
	oracle_after_op(mm->world);
	return err;
}

/* Returns 0, -EINVAL, -ENOMEM: then a part may be done. */
int um_mprotect(struct mm_struct *mm, uint64_t addr, uint64_t len, int prot)
{
	int err = do_mprotect(mm, addr, len, prot);

	oracle_after_op(mm->world);
	return err;
}

static void model_advise(struct mm_struct *mm, unsigned long addr, unsigned long len, int advice,
			 int err)
{
	unsigned long end = range_end(addr, len);

	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		if (err)
			model_unsure(mm->model, addr, end);
		else
			model_discard(mm->model, addr, end);
		break;
	case MADV_FREE:
		model_unsure(mm->model, addr, end);
		break;
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		if (err)
			resync(mm, addr, len);
		else
			model_advise_fork(mm->model, addr, end, advice);
		break;
	}
}

/**
 * um_madvise - madvise(2)
 * @mm: the process
 * @addr: page aligned
 * @len: rounded up to pages
 * @advice: MADV_*; advice on reading, and to bring pages ahead of time, does nothing
 *
 * Returns 0, -EINVAL, -ENOMEM (for holes too); then a part may be done.
 */
int um_madvise(struct mm_struct *mm, uint64_t addr, uint64_t len, int advice)
{
	int err = do_madvise(mm, addr, len, advice);

	if (mm->model && !(addr & ~PAGE_MASK))
		model_advise(mm, addr, len, advice, err);
	oracle_after_op(mm->world);
	return err;
}

/**
 * um_brk_init - where the heap begins
 * @mm: a process that has none yet
 * @start: page aligned
 */
int um_brk_init(struct mm_struct *mm, uint64_t start)
{
	if (start & ~PAGE_MASK || start >= TASK_SIZE)
		return -EINVAL;
	mmap_write_lock(mm);
	mm->start_brk = start;
	mm->brk = start;
	mmap_write_unlock(mm);
	return 0;
}

/**
 * um_brk - brk(2)
 * @mm: the process; one thread of it at a time
 * @brk: the new end of the heap; need not be aligned
 *
 * Returns 0 or -ENOMEM.
 */
int um_brk(struct mm_struct *mm, uint64_t brk)
{
	unsigned long old = PAGE_ALIGN(READ_ONCE(mm->brk)), new = PAGE_ALIGN(brk);
	int err = do_brk(mm, brk);

	if (!err && mm->model && new > old)
		model_map(mm->model, old, new, &(struct model_mapping) { 0 });
	else if (!err && mm->model && new < old)
		model_unmap(mm->model, new, old);
	oracle_after_op(mm->world);
	return err;
}

/* mlock(2), mlock2(2) and munlock(2). Brings no pages. Returns 0, -EINVAL, -ENOMEM. */
int um_mlock(struct mm_struct *mm, uint64_t addr, uint64_t len, bool on, bool onfault)
{
	int err = do_mlock(mm, addr, len, on, onfault);

	oracle_after_op(mm->world);
	return err;
}

/* mlockall(2); munlockall(2) with neither @current nor @future. Returns 0 or -EINVAL. */
int um_mlockall(struct mm_struct *mm, bool current, bool future, bool onfault)
{
	int err = do_mlockall(mm, current, future, onfault);

	oracle_after_op(mm->world);
	return err;
}

/* prctl(PR_SET_VMA_ANON_NAME); NULL takes names away. Returns 0, -EINVAL, -EBADF, -ENOMEM. */
int um_vma_name(struct mm_struct *mm, uint64_t addr, uint64_t len, const char *name)
{
	int err = do_vma_name(mm, addr, len, name);

	oracle_after_op(mm->world);
	return err;
}

/**
 * um_exec_stack - what exec does for the stack of a new process
 * @mm: with nothing mapped
 * @start: of the stack as it will be
 * @end: of the stack as it will be, exclusive
 * @arg_pages: pages for arguments, below the top
 * @shift: how far the stack is moved down to its place; bytes
 * @rlimit: how large the stack may grow; bytes
 *
 * Returns 0, -EINVAL, -ENOMEM.
 */
int um_exec_stack(struct mm_struct *mm, uint64_t start, uint64_t end, uint64_t arg_pages,
		  uint64_t shift, uint64_t rlimit)
{
	int err = do_exec_stack(mm, start, end, arg_pages, shift, rlimit);

	if (!err && mm->model)
		model_map(mm->model, start, end, &(struct model_mapping) { .grows_down = true });
	oracle_after_op(mm->world);
	return err;
}

/**
 * um_uffd_move - UFFDIO_MOVE
 * @mm: the process
 * @dst: where the pages go; nothing is there
 * @src: where they are
 * @len: of both
 *
 * Returns 0 or an error; then a part may have moved.
 */
int um_uffd_move(struct mm_struct *mm, uint64_t dst, uint64_t src, uint64_t len)
{
	int err = do_uffd_move(mm, dst, src, len);

	if (mm->model && len && range_end(src, len) > src && range_end(dst, len) > dst)
		model_move_pages(mm->model, src, len, dst, !err);
	oracle_after_op(mm->world);
	return err;
}
