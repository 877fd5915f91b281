// SPDX-License-Identifier: GPL-2.0
/* Calls that succeed with lengths that wrap when they are rounded up to pages. */
#include <stdint.h>

#include "base.h"

int main(void)
{
	void *p = mmap(BASE, 4 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	must(p == BASE);
	/* Nothing is locked. */
	must(!mlock(BASE, SIZE_MAX));
	must(!munlock(BASE, SIZE_MAX));
	/* From the middle of page 1 once around to its end: that page. */
	must(!mlock(BASE + PAGE + 2048, SIZE_MAX - 255));
	must(!munlock(BASE + PAGE + 2048, SIZE_MAX - 255));
	/* As length 0: a second mapping of the same shared memory. */
	must(mremap(BASE, SIZE_MAX, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, OTHER) == OTHER);
	return 0;
}
