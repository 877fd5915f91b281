/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KSHIM_FAULT_STATE_H
#define KSHIM_FAULT_STATE_H
/* What allocators ask: shall this one fail? */
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/types.h>

/* Of each thread. */
struct kshim_fault {
	bool armed;		/* nth or per_million is set */
	unsigned int nth;
	unsigned int per_million;
	u64 random;
	unsigned long seen;
	unsigned long injected;
};

extern __thread struct kshim_fault kshim_fault __attribute__((tls_model("initial-exec")));

/* One is armed: does it hit? */
bool kshim_fault_hits(void);

static inline bool kshim_should_fail(gfp_t gfp)
{
	if (gfp & __GFP_NOFAIL)
		return false;
	kshim_fault.seen++;
	return unlikely(kshim_fault.armed) && kshim_fault_hits();
}

#endif
