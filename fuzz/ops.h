/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FUZZ_OPS_H
#define FUZZ_OPS_H
/*
 * The operations of ops.c by name. A record of an input is the number of one of these, a
 * process, and four arguments, a byte each.
 *
 * The order is that of the numbers in the corpus: append only, or make the corpus anew.
 */
#define FUZZ_RECORD	6	/* bytes */

/* Those that each world does on its own; then those on processes, and "fail". */
#define FUZZ_WORLD_OPERATIONS(X)						\
	X(mmap) X(mmap_file) X(mmap_shared) X(munmap) X(mremap_move) X(mremap_size)	\
	X(mremap_dontunmap) X(mprotect) X(madvise) X(brk) X(heap_write) X(mlock)	\
	X(vma_name) X(uffd_move) X(read) X(write) X(touch) X(touch_huge)		\
	X(fault_order) X(grow_stack) X(collapse) X(split) X(memory_failure) X(reclaim)	\
	X(migrate) X(age) X(ksm) X(swapoff) X(check_all)

#define FUZZ_OPERATIONS(X)							\
	FUZZ_WORLD_OPERATIONS(X)						\
	X(fork) X(exit) X(share) X(exec) X(fail)

enum fuzz_operation {
#define FUZZ_NUMBER(name)	FUZZ_##name,
	FUZZ_OPERATIONS(FUZZ_NUMBER)
#undef FUZZ_NUMBER
	FUZZ_NR_OPERATIONS
};

#endif
