// SPDX-License-Identifier: GPL-2.0
/* The regular topology's rule of reuse. */
#include "core_tests.h"

static void assert_objects(struct t *t, uint64_t anon_vmas, uint64_t avcs)
{
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), anon_vmas);
	assert_int_equal(live(t, UM_OBJ_AVC), avcs);
}

/*
 * As Linux: a child's VMA takes over an anon_vma that lost its VMAs and has at most one
 * child. The root counts itself as a child, so it is never taken with one more.
 */
static void regular_reuse(void **state)
{
	struct t *t = *state;
	struct mm_struct *a = t_mm(t), *b, *c, *d, *e, *f;
	struct anon_vma *of_b, *of_c;

	t_map(a, BASE, 1);
	t_write(a, BASE, 1, 1);
	assert_objects(t, 1, 1);
	b = t_fork(a);
	of_b = anon_vma_at(b, BASE);
	assert_objects(t, 2, 3);
	um_exit(a);
	assert_objects(t, 2, 2);
	c = t_fork(b);
	of_c = anon_vma_at(c, BASE);
	/* The root has itself and b's; b's is in use: a new one. */
	assert_ptr_not_equal(of_c, of_b);
	assert_objects(t, 3, 5);
	um_exit(b);
	assert_objects(t, 3, 3);
	/* b's has no VMA and one child: d takes it. */
	d = t_fork(c);
	assert_ptr_equal(anon_vma_at(d, BASE), of_b);
	assert_objects(t, 3, 6);
	/* Only one can: e gets a new one. */
	e = t_fork(c);
	assert_ptr_not_equal(anon_vma_at(e, BASE), of_b);
	assert_ptr_not_equal(anon_vma_at(e, BASE), of_c);
	assert_objects(t, 4, 10);
	um_exit(c);
	assert_objects(t, 4, 7);
	/* c's has no VMA, and e's as its one child: f, of d, takes it. */
	f = t_fork(d);
	assert_ptr_equal(anon_vma_at(f, BASE), of_c);
	assert_objects(t, 4, 10);
	t_migrate(t);
	um_exit(d);
	um_exit(e);
	t_expect(f, BASE, 1, 1);
	assert_objects(t, 3, 3);
	um_exit(f);
	assert_objects(t, 0, 0);
}

const struct CMUnitTest regular_reuse_tests[] = {
	UM_TEST_REGULAR(regular_reuse),
};
const size_t nr_regular_reuse_tests = ARRAY_SIZE(regular_reuse_tests);
