// SPDX-License-Identifier: GPL-2.0
/*
 * The functions of core/, one by one: words, notes, numbers, walks step by step. Where
 * they need VMAs, in a world; nothing else runs in it, but where a test says so.
 */
#include <stdlib.h>
#include <string.h>
#include "core_tests.h"

#define TABLE(name)	{ name##_tests, &nr_##name##_tests }

/* In the order in which they are run. */
static const struct {
	const struct CMUnitTest *tests;
	const size_t *nr;
} tables[] = {
	TABLE(words),
	TABLE(walks),
	TABLE(mms),
	TABLE(detached),
	TABLE(forks),
	TABLE(lives),
	TABLE(owners),
	TABLE(corners),
	TABLE(siblings),
	TABLE(waits),
	TABLE(regular_reuse),
};

/* All in one group, as there is one count of tests, and one filter. */
int main(void)
{
	struct CMUnitTest *tests;
	size_t i, nr = 0;
	int failed;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		nr += *tables[i].nr;
	tests = calloc(nr, sizeof(*tests));
	if (!tests)
		return 1;
	nr = 0;
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		memcpy(&tests[nr], tables[i].tests, *tables[i].nr * sizeof(*tests));
		nr += *tables[i].nr;
	}
	failed = um_test_run(tests, nr);
	free(tests);
	return failed;
}
