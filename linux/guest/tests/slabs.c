// SPDX-License-Identifier: GPL-2.0
/*
 * slabs: prints "NAME COUNT" for the reverse map's slab caches: the objects that are left
 * once nothing waits to be freed any more. KSM is off afterwards. Run before and after everything else, by the
 * same shell, the counts show what was leaked.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/settings.h"

/* Everything that was freed by call_rcu() is freed once a few grace periods are over. */
static void settle(void)
{
	int i;

	for (i = 0; i < 5; i++) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
		nap(0.1);
	}
}

int main(void)
{
	static const char *const caches[] = {
		"anon_vma", "anon_vma_chain", "vm_area_struct", "mm_struct"
	};
	unsigned int i;

	if (!in_the_guest()) {
		fprintf(stderr, "slabs: it switches KSM off: only in the guest of linux/lab\n");
		return 2;
	}
	kernel_write("/sys/kernel/mm/ksm/run", "2");	/* its items hold anon_vmas */
	kernel_write("/sys/kernel/mm/ksm/run", "0");
	settle();
	for (i = 0; i < sizeof(caches) / sizeof(caches[0]); i++) {
		long active = slab_active(caches[i]);

		if (active < 0)
			return 1;
		printf("%s %ld\n", caches[i], active);
	}
	return 0;
}
