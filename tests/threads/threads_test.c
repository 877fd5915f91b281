// SPDX-License-Identifier: GPL-2.0
/*
 * Walks against mutators, with real threads: two threads migrate and reclaim all
 * they can find, others do what the test is about, and look after each round
 * whether their pages still hold what they wrote. A walk that misses a mapping
 * leaves a migration entry behind, or an old copy: a thread that hangs, reads
 * something else, or a finding of the check of the whole world at the end.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "lib/um_test.h"

#define FAR		(BASE + (1UL << 30))
#define NR_MUTATORS	2
#define PAGES		16

struct race {
	struct t *t;
	void (*round)(struct t *t, struct mm_struct *mm, unsigned int id, unsigned int i);
	struct mm_struct *mm;		/* shared by all mutators, or NULL: each has its own */
	unsigned int rounds;
	atomic_bool stop;
	atomic_long migrated, reclaimed;
	atomic_uint failures;
};

struct mutator {
	struct race *race;
	unsigned int id;
};

/* cmocka's assertions end the test they are in, which must be in its own thread. */
#define EXPECT(race, cond) do {								\
	if (!(cond)) {									\
		print_error("%s:%d: %s\n", __FILE__, __LINE__, #cond);			\
		atomic_fetch_add(&(race)->failures, 1);					\
	}										\
} while (0)

static _Thread_local struct race *this_race;

static void put(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t token)
{
	uint64_t i;

	for (i = 0; i < pages; i++)
		EXPECT(this_race, um_write(mm, addr + i * PG, token + i) == 0);
}

static void expect(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t token)
{
	uint64_t i, content = 0;

	for (i = 0; i < pages; i++) {
		EXPECT(this_race, um_read(mm, addr + i * PG, &content) == 0);
		EXPECT(this_race, content == token + i);
	}
}

static void map(struct mm_struct *mm, uint64_t addr, uint64_t pages)
{
	uint64_t at;

	EXPECT(this_race, um_mmap(mm, addr, pages * PG, RW, ANON | MAP_FIXED, NULL, 0, &at) == 0);
}

static void unmap(struct mm_struct *mm, uint64_t addr, uint64_t pages)
{
	EXPECT(this_race, um_munmap(mm, addr, pages * PG) == 0);
}

static void move(struct mm_struct *mm, uint64_t addr, uint64_t pages, uint64_t to, int flags)
{
	uint64_t at;

	EXPECT(this_race, um_mremap(mm, addr, pages * PG, pages * PG,
				    MREMAP_MAYMOVE | MREMAP_FIXED | flags, to, &at) == 0);
}

static struct mm_struct *clone_mm(struct mm_struct *mm)
{
	struct mm_struct *child = NULL;

	EXPECT(this_race, um_fork(mm, &child) == 0);
	return child;
}

static bool walkers_ran(struct race *race)
{
	return atomic_load(&race->migrated) > 0 && atomic_load(&race->reclaimed) > 0;
}

static void *mutate(void *arg)
{
	struct mutator *mutator = arg;
	struct race *race = mutator->race;
	struct mm_struct *mm = race->mm;
	unsigned int i;

	um_thread_register();
	this_race = race;
	if (!mm)
		EXPECT(race, um_mm_create(race->t->world, &mm) == 0);
	/* On a busy machine the walkers may get their first turn late. */
	for (i = 0; !atomic_load(&race->failures) &&
	     (i < race->rounds || (!walkers_ran(race) && i < 200 * race->rounds)); i++)
		race->round(race->t, mm, mutator->id, i);
	if (!race->mm)
		um_exit(mm);
	um_thread_unregister();
	return NULL;
}

static void *migrate(void *arg)
{
	struct race *race = arg;

	um_thread_register();
	while (!atomic_load(&race->stop))
		atomic_fetch_add(&race->migrated, um_migrate(race->t->world, 64));
	um_thread_unregister();
	return NULL;
}

static void *reclaim(void *arg)
{
	struct race *race = arg;

	um_thread_register();
	while (!atomic_load(&race->stop))
		atomic_fetch_add(&race->reclaimed, um_reclaim(race->t->world, 16));
	um_thread_unregister();
	return NULL;
}

static void run_race(struct t *t, struct mm_struct *shared, unsigned int rounds,
		     void (*round)(struct t *t, struct mm_struct *mm, unsigned int id,
				   unsigned int i))
{
#ifdef __SANITIZE_THREAD__
	/* Ten times slower; it sees a race that happens at all, not only one that hurts. */
	struct race race = { .t = t, .round = round, .mm = shared, .rounds = 1 + rounds / 5 };
#else
	struct race race = { .t = t, .round = round, .mm = shared, .rounds = rounds };
#endif
	struct mutator mutators[NR_MUTATORS];
	pthread_t threads[NR_MUTATORS], walkers[2];
	unsigned int i;

	assert_int_equal(pthread_create(&walkers[0], NULL, migrate, &race), 0);
	assert_int_equal(pthread_create(&walkers[1], NULL, reclaim, &race), 0);
	for (i = 0; i < NR_MUTATORS; i++) {
		mutators[i] = (struct mutator) { &race, i };
		assert_int_equal(pthread_create(&threads[i], NULL, mutate, &mutators[i]), 0);
	}
	for (i = 0; i < NR_MUTATORS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&race.stop, true);
	pthread_join(walkers[0], NULL);
	pthread_join(walkers[1], NULL);
	assert_int_equal(atomic_load(&race.failures), 0);
	/* Else the test has shown nothing. */
	assert_true(walkers_ran(&race));
}

/* R39: map, touch, unmap; also MAP_FIXED over what is there. */
static void round_unmap(struct t *t, struct mm_struct *mm, unsigned int id, unsigned int i)
{
	uint64_t at = BASE + id * 64 * PG;

	(void)t;
	map(mm, at, PAGES);
	put(mm, at, PAGES, i * 100);
	if (i % 3 == 0)
		map(mm, at + 4 * PG, 4);
	else
		unmap(mm, at + 4 * PG, 4);
	expect(mm, at, 4, i * 100);
	expect(mm, at + 8 * PG, PAGES - 8, i * 100 + 8);
	if (i % 2)
		unmap(mm, at, PAGES);
}

static void r39_unmap(void **state)
{
	run_race(*state, NULL, 600, round_unmap);
}

static void r39_unmap_in_one_mm(void **state)
{
	run_race(*state, t_mm(*state), 600, round_unmap);
}

/* R03, R24: split in three and join again. */
static void round_split(struct t *t, struct mm_struct *mm, unsigned int id, unsigned int i)
{
	uint64_t at = BASE + id * 64 * PG;

	(void)t;
	map(mm, at, PAGES);
	put(mm, at, PAGES, i * 100);
	EXPECT(this_race, um_mprotect(mm, at + 5 * PG, 3 * PG, PROT_READ) == 0);
	expect(mm, at, PAGES, i * 100);
	EXPECT(this_race, um_mprotect(mm, at + 5 * PG, 3 * PG, RW) == 0);
	put(mm, at + 5 * PG, 3, i * 100 + 5);
	expect(mm, at, PAGES, i * 100);
}

static void r03_split(void **state)
{
	run_race(*state, NULL, 600, round_split);
}

static void r03_split_in_one_mm(void **state)
{
	run_race(*state, t_mm(*state), 600, round_split);
}

/* R06, R28: away and back, in part, DONTUNMAP, over a neighbour. */
static void round_move(struct t *t, struct mm_struct *mm, unsigned int id, unsigned int i)
{
	uint64_t at = BASE + id * 128 * PG, far = FAR + id * 128 * PG;

	(void)t;
	map(mm, at, PAGES);
	put(mm, at, PAGES, i * 100);
	move(mm, at, PAGES, far, i % 2 ? MREMAP_DONTUNMAP : 0);
	expect(mm, far, PAGES, i * 100);
	move(mm, far + 3 * PG, 5, far + 64 * PG, 0);
	expect(mm, far + 64 * PG, 5, i * 100 + 3);
	move(mm, far + 64 * PG, 5, far + 3 * PG, 0);
	move(mm, far, PAGES, at, 0);
	expect(mm, at, PAGES, i * 100);
	map(mm, far, 4);
	put(mm, far, 4, 7);
	move(mm, at + 2 * PG, 2, far + PG, 0);
	expect(mm, far + PG, 2, i * 100 + 2);
	expect(mm, far, 1, 7);
	expect(mm, far + 3 * PG, 1, 10);
	unmap(mm, far, PAGES);
}

static void r06_move(void **state)
{
	run_race(*state, NULL, 400, round_move);
}

static void r06_move_in_one_mm(void **state)
{
	run_race(*state, t_mm(*state), 400, round_move);
}

/* R07, R42: fork while the same pages migrate; both sides write; the child forks. */
static void round_fork(struct t *t, struct mm_struct *mm, unsigned int id, unsigned int i)
{
	uint64_t at = BASE + id * 64 * PG;
	struct mm_struct *child, *grandchild;

	(void)t;
	if (i == 0)
		map(mm, at, PAGES);
	put(mm, at, PAGES, i * 100);
	child = clone_mm(mm);
	put(child, at, 2, 5000);
	put(mm, at + 2 * PG, 2, 6000);
	expect(child, at + 2 * PG, PAGES - 2, i * 100 + 2);
	grandchild = clone_mm(child);
	if (i % 2)
		um_exit(child);
	expect(grandchild, at, 2, 5000);
	expect(grandchild, at + 4 * PG, PAGES - 4, i * 100 + 4);
	expect(mm, at, 2, i * 100);
	if (i % 2 == 0) {
		expect(child, at, 2, 5000);
		um_exit(child);
	}
	um_exit(grandchild);
}

static void r07_fork(void **state)
{
	run_race(*state, NULL, 300, round_fork);
}

/* Both threads fork one mm, and write to their own pages of it. */
static void r07_fork_of_one_mm(void **state)
{
	run_race(*state, t_mm(*state), 200, round_fork);
}

/* R29: the last process that maps a page exits while it migrates. */
static void round_exit(struct t *t, struct mm_struct *mm, unsigned int id, unsigned int i)
{
	struct mm_struct *own = NULL, *child;

	(void)mm;
	EXPECT(this_race, um_mm_create(t->world, &own) == 0);
	map(own, BASE, PAGES);
	put(own, BASE, PAGES, i * 100 + id);
	child = clone_mm(own);
	um_exit(own);
	expect(child, BASE, PAGES, i * 100 + id);
	move(child, BASE, PAGES, FAR, 0);
	expect(child, FAR, PAGES, i * 100 + id);
	um_exit(child);
}

static void r29_exit(void **state)
{
	run_race(*state, NULL, 500, round_exit);
}

/* R34: a line of generations, deeper than children join. */
static void round_generations(struct t *t, struct mm_struct *mm, unsigned int id, unsigned int i)
{
	struct mm_struct *own = NULL, *child;
	int depth;

	(void)mm;
	EXPECT(this_race, um_mm_create(t->world, &own) == 0);
	map(own, BASE, 4);
	put(own, BASE, 4, i * 100 + id);
	for (depth = 0; depth < 24; depth++) {
		child = clone_mm(own);
		put(child, BASE, 1, depth);
		um_exit(own);
		own = child;
	}
	expect(own, BASE, 1, 23);
	expect(own, BASE + PG, 3, i * 100 + id + 1);
	um_exit(own);
}

static void r34_generations(void **state)
{
	run_race(*state, NULL, 40, round_generations);
}

/* R05, R10: huge pages, split by protection, by migration, collapsed again. */
static void round_huge(struct t *t, struct mm_struct *mm, unsigned int id, unsigned int i)
{
	uint64_t at = UM_HUGE_SIZE * (128 + id * 2);
	struct mm_struct *child;

	(void)t;
	map(mm, at, 512);
	EXPECT(this_race, um_madvise(mm, at, UM_HUGE_SIZE, MADV_HUGEPAGE) == 0);
	put(mm, at, 512, i * 1000);
	if (i % 2)
		EXPECT(this_race, um_mprotect(mm, at + 100 * PG, 50 * PG, PROT_READ) == 0);
	child = clone_mm(mm);
	put(child, at, 10, 1);
	um_split_huge(mm, at);
	um_collapse(mm, at);
	expect(mm, at, 512, i * 1000);
	expect(child, at + 10 * PG, 502, i * 1000 + 10);
	um_exit(child);
	unmap(mm, at, 512);
}

static void r10_huge(void **state)
{
	run_race(*state, NULL, 12, round_huge);
}

/* R25: two threads fault neighbouring areas of one mm while a third call joins them. */
static void round_fault_and_merge(struct t *t, struct mm_struct *mm, unsigned int id,
				  unsigned int i)
{
	uint64_t at = BASE + id * 8 * PG;

	(void)t;
	map(mm, at, 8);
	put(mm, at + (i % 8) * PG, 1, i);
	expect(mm, at + (i % 8) * PG, 1, i);
	EXPECT(this_race, um_mprotect(mm, at, 8 * PG, RW | PROT_EXEC) == 0);
	put(mm, at, 8, i * 10);
	EXPECT(this_race, um_mprotect(mm, at, 8 * PG, RW) == 0);
	expect(mm, at, 8, i * 10);
}

static void r25_fault_against_merge(void **state)
{
	run_race(*state, t_mm(*state), 600, round_fault_and_merge);
}

/* R08: pages of private file mappings, moved and forked. */
static void round_file(struct t *t, struct mm_struct *mm, unsigned int id, unsigned int i)
{
	struct um_file *file = um_file_create(t->world, UM_FILE_REGULAR);
	struct mm_struct *child;
	uint64_t at;

	(void)id;
	EXPECT(this_race, um_mmap(mm, BASE, PAGES * PG, RW, MAP_PRIVATE | MAP_FIXED, file, 5,
				  &at) == 0);
	put(mm, BASE, PAGES, i * 100);
	move(mm, BASE + 4 * PG, 8, FAR, 0);
	child = clone_mm(mm);
	move(child, FAR, 8, BASE + 4 * PG, 0);
	expect(child, BASE, PAGES, i * 100);
	expect(mm, FAR, 8, i * 100 + 4);
	um_exit(child);
	unmap(mm, FAR, 8);
	unmap(mm, BASE, PAGES);
	um_file_put(file);
}

static void r08_private_file_pages(void **state)
{
	run_race(*state, NULL, 300, round_file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UM_TEST_QUIET(r39_unmap),
		UM_TEST_QUIET(r39_unmap_in_one_mm),
		UM_TEST_QUIET(r03_split),
		UM_TEST_QUIET(r03_split_in_one_mm),
		UM_TEST_QUIET(r06_move),
		UM_TEST_QUIET(r06_move_in_one_mm),
		UM_TEST_QUIET(r07_fork),
		UM_TEST_QUIET(r07_fork_of_one_mm),
		UM_TEST_QUIET(r29_exit),
		UM_TEST_QUIET(r34_generations),
		UM_TEST_QUIET(r10_huge),
		UM_TEST_QUIET(r25_fault_against_merge),
		UM_TEST_QUIET(r08_private_file_pages),
	};

	return um_test_main(tests);
}
