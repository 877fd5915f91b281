// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include "topology/scan_topology.h"
#include "um_test.h"

static int setup(void **state, const struct um_config *config)
{
	struct t *t = calloc(1, sizeof(*t));

	if (!t)
		return -1;
	t->topology = config->topology;
	t->lazy = !strcmp(t->topology, "lazy");
	*state = t;
	if (um_world_create(config, &t->world))
		return -1;
	t_faults_world(t->world);
	return 0;
}

int t_setup(void **state)
{
	struct um_config config = {
		.topology = *state,
		.check = UM_CHECK_FULL,
		.model = true,
		.invariants = true,
		.max_pages = 1 << 20,
	};

	return setup(state, &config);
}

int t_setup_quiet(void **state)
{
	struct um_config config = {
		.topology = *state,
		.check = UM_CHECK_OFF,
		.model = true,
		.max_pages = 1 << 20,
	};

	return setup(state, &config);
}

int t_teardown(void **state)
{
	struct t *t = *state;
	uint64_t findings;
	int err;

	um_check_all(t->world);
	findings = um_findings(t->world);
	err = um_world_destroy(t->world);
	free(t);
	if (findings)
		print_error("%llu findings, see above\n", (unsigned long long)findings);
	if (err)
		print_error("the world did not end clean: %d\n", err);
	return findings || err ? -1 : 0;
}

int um_test_run(const struct CMUnitTest *tests, size_t nr)
{
	int failed;

	um_thread_register();
	if (um_topology_register(&scan_topology))
		return 1;
	/* TEST_FILTER='r06*' runs these only. */
	if (getenv("TEST_FILTER"))
		cmocka_set_test_filter(getenv("TEST_FILTER"));
	failed = um_faults_wanted() ? um_faults_run(tests, nr) :
				     _cmocka_run_group_tests("um", tests, nr, NULL, NULL);
	um_thread_unregister();
	return failed;
}

struct mm_struct *t_mm(struct t *t)
{
	struct mm_struct *mm = NULL;

	assert_int_equal(um_mm_create(t->world, &mm), 0);
	return mm;
}

struct mm_struct *t_fork(struct mm_struct *mm)
{
	struct mm_struct *child = NULL;

	assert_int_equal(um_fork(mm, &child), 0);
	return child;
}

void t_map(struct mm_struct *mm, uint64_t addr, uint64_t pages)
{
	uint64_t result;

	assert_int_equal(um_mmap(mm, addr, pages * PG, RW, ANON | MAP_FIXED, NULL, 0, &result), 0);
	assert_int_equal(result, addr);
}

void t_map_file(struct mm_struct *mm, uint64_t addr, uint64_t pages, struct um_file *file,
		uint64_t pgoff)
{
	uint64_t result;

	assert_int_equal(um_mmap(mm, addr, pages * PG, RW, MAP_PRIVATE | MAP_FIXED, file, pgoff,
				 &result), 0);
	assert_int_equal(result, addr);
}

void t_unmap(struct mm_struct *mm, uint64_t addr, uint64_t pages)
{
	assert_int_equal(um_munmap(mm, addr, pages * PG), 0);
}

void t_write(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t token)
{
	uint64_t i;

	for (i = 0; i < pages; i++)
		assert_int_equal(um_write(mm, addr + i * PG, token + i), 0);
}

void t_expect(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t token)
{
	uint64_t i, content;

	for (i = 0; i < pages; i++) {
		assert_int_equal(um_read(mm, addr + i * PG, &content), 0);
		assert_int_equal(content, token + i);
	}
}

uint64_t t_move(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t to, int flags)
{
	uint64_t result;

	assert_int_equal(um_mremap(mm, addr, pages * PG, pages * PG,
				   MREMAP_MAYMOVE | MREMAP_FIXED | flags, to, &result), 0);
	assert_int_equal(result, to);
	return result;
}

void t_protect(struct mm_struct *mm, uint64_t addr, uint64_t pages, int prot)
{
	assert_int_equal(um_mprotect(mm, addr, pages * PG, prot), 0);
}

size_t t_nr_vmas(struct mm_struct *mm)
{
	return um_vmas(mm, NULL, 0);
}

struct um_vma_info t_vma(struct mm_struct *mm, uint64_t addr)
{
	size_t i, nr = um_vmas(mm, NULL, 0);
	struct um_vma_info *vmas = calloc(nr + 1, sizeof(*vmas)), found = { 0 };

	assert_non_null(vmas);
	um_vmas(mm, vmas, nr);
	for (i = 0; i < nr; i++)
		if (addr >= vmas[i].start && addr < vmas[i].end)
			found = vmas[i];
	free(vmas);
	assert_int_not_equal(found.end, 0);
	return found;
}

struct um_stats t_stats(struct t *t)
{
	struct um_stats stats;

	um_stats(t->world, &stats);
	return stats;
}

void t_swap_out(struct t *t)
{
	uint64_t before = t_stats(t).swapped_out;

	/* Twice: the first pass may only take the young bits away. */
	um_reclaim(t->world, 1 << 20);
	um_reclaim(t->world, 1 << 20);
	assert_true(t_stats(t).swapped_out > before);
}

void t_migrate(struct t *t)
{
	assert_true(um_migrate(t->world, 1 << 20) > 0);
}

void t_migrate_if_any(struct t *t)
{
	assert_true(um_migrate(t->world, 1 << 20) >= 0);
}
