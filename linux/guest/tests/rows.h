/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ROWS_H
#define ROWS_H
/*
 * The tables of the rows of the requirements that the real kernel is held to: what a
 * correct anonymous reverse map must survive. A test carries the row's number.
 */
#include "lib/ktest.h"

extern const struct ktest unmap_tests[];
extern const struct ktest fork_tests[];
extern const struct ktest remap_tests[];
extern const struct ktest file_tests[];
extern const struct ktest huge_tests[];
extern const struct ktest ksm_tests[];
extern const struct ktest sharing_tests[];
extern const struct ktest merge_tests[];
extern const struct ktest thread_tests[];
extern const struct ktest uffd_tests[];
extern const struct ktest failure_tests[];

#endif
