// SPDX-License-Identifier: GPL-2.0
/* The rows of the requirements, in the real kernel. */
#include "rows.h"

int main(int argc, char **argv)
{
	static const struct ktest *const tables[] = {
		unmap_tests, fork_tests, remap_tests, file_tests, huge_tests, ksm_tests,
		sharing_tests, merge_tests, thread_tests, uffd_tests, failure_tests, NULL
	};

	return ktest_main(argc, argv, tables);
}
