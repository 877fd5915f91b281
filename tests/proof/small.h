/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SMALL_H
#define SMALL_H
/*
 * Exhaustive small worlds: every history of a kind is gone through, none is left to
 * chance. After each step walks are compared with a scan, contents with a model, and
 * all invariants are checked (t_setup() makes worlds that do that).
 *
 * SMALL_DEPTH=N in the environment goes N further than the default, where a history
 * has a length; the proof suite does so.
 */
#include <stdlib.h>
#include "inside.h"

#define SMALL(fn)	UM_TEST_ON(fn, "regular"), UM_TEST_ON(fn, "lazy")

static inline int small_depth(int usual)
{
	const char *more = getenv("SMALL_DEPTH");

	return usual + (more ? atoi(more) : 0);
}

/* "# histories N" is what the driver of the proof adds up. */
static inline void small_done(const struct t *t, const char *what, unsigned long histories)
{
	print_message("# %s, %s: all of them\n# histories %lu\n", t->topology, what, histories);
	assert_true(histories > 0);
}

#endif
