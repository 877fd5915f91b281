// SPDX-License-Identifier: GPL-2.0
/* How long an anon_vma lives: as long as its mm, its descendants and walks need it. */
#include <pthread.h>
#include "core_tests.h"

static bool way_is_blocked;

static void *exit_mm(void *mm)
{
	um_thread_register();
	um_exit(mm);
	um_thread_unregister();
	return NULL;
}

/* A parent that has exited, its child, and the child's page that the parent owns. */
struct survivor {
	struct mm_struct *child;
	struct anon_vma *owner;		/* locked for read */
	struct vm_area_struct *vma;	/* the child's */
};

static void survivor_create(struct t *t, struct survivor *s)
{
	struct mm_struct *mm = t_mm(t);

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	s->child = t_fork(mm);
	um_exit(mm);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 2);
	s->vma = vma_at(s->child, BASE);
	s->owner = folio_lock_anon_vma_read(folio_at(s->child, BASE), NULL);
	assert_non_null(s->owner);
	assert_ptr_equal(s->owner, lazy_anon_vma_parent(s->child->anon_vma));
}

/*
 * An owner without mm is kept by a child. A walk is at that child, which then exits: the
 * exit waits for the walk to leave, takes the child's anon_vma along, then the last
 * reference on the owner, and waits for the walk to end before that goes too.
 */
static void last_descendant_goes_under_a_walk(void **state)
{
	struct t *t = *state;
	struct anon_vma_walk w;
	struct survivor s;
	pthread_t thread;

	survivor_create(t, &s);
	anon_vma_walk_begin(&w, s.owner, BASE / PG, BASE / PG);
	assert_ptr_equal(anon_vma_walk_next(&w), s.vma);
	assert_int_equal(w.address, BASE);
	assert_int_equal(pthread_create(&thread, NULL, exit_mm, s.child), 0);
	assert_null(anon_vma_walk_next(&w));
	while (live(t, UM_OBJ_ANON_VMA) > 1)
		sched_yield();
	/* The child's has gone; nobody has a reference on the owner, and yet it stays. */
	while (atomic_read(&s.owner->refcount))
		sched_yield();
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 1);
	anon_vma_walk_end(&w, true);
	pthread_join(thread, NULL);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
}

/* Keeps a walk waiting for the child's lock, until the walk has pinned it; then exits. */
static void *exit_in_a_walks_way(void *arg)
{
	struct mm_struct *mm = arg;
	struct anon_vma *anon_vma = mm->anon_vma;
	anon_vma_tree_t tree = make_anon_vma_tree(anon_vma, ANON_VMA_TREE_LAZY);
	int count = atomic_read(&anon_vma->refcount);

	um_thread_register();
	anon_vma_tree_lock_write(tree);
	WRITE_ONCE(way_is_blocked, true);
	while (atomic_read(&anon_vma->refcount) == count)
		sched_yield();
	anon_vma_tree_unlock_write(tree);
	um_exit(mm);
	um_thread_unregister();
	return NULL;
}

/*
 * The same with a walk that had to wait for the child's lock: it has pinned the child, and
 * may be the one that frees it. The owner, whose lock it holds, is pinned too, and goes
 * with the walk's end.
 */
static void last_descendant_goes_with_a_walks_pin(void **state)
{
	struct t *t = *state;
	struct anon_vma_walk w;
	struct survivor s;
	pthread_t thread;

	survivor_create(t, &s);
	anon_vma_walk_begin(&w, s.owner, BASE / PG, BASE / PG);
	WRITE_ONCE(way_is_blocked, false);
	assert_int_equal(pthread_create(&thread, NULL, exit_in_a_walks_way, s.child), 0);
	while (!READ_ONCE(way_is_blocked))
		sched_yield();
	/* The child's last page may go before the walk gets there, its VMA not before it left. */
	while (anon_vma_walk_next(&w))
		assert_int_equal(w.address, BASE);
	pthread_join(thread, NULL);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 1);
	assert_int_equal(atomic_read(&s.owner->refcount), 1);
	anon_vma_walk_end(&w, true);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
}

struct in_the_way {
	struct anon_vma *last, *next;
	bool blocked, held;
};

/* Keeps a walk waiting for its next lock, and looks whether it holds the last one so long. */
static void *stand_in_the_way(void *arg)
{
	struct in_the_way *way = arg;
	anon_vma_tree_t tree = make_anon_vma_tree(way->next, ANON_VMA_TREE_LAZY);

	um_thread_register();
	anon_vma_tree_lock_write(tree);
	WRITE_ONCE(way->blocked, true);
	while (!rwsem_is_contended(&way->next->rwsem))
		sched_yield();
	way->held = rwsem_is_locked(&way->last->rwsem);
	anon_vma_tree_unlock_write(tree);
	um_thread_unregister();
	return NULL;
}

/*
 * From child to child, of which the second one's lock is taken: the first one is let go of
 * before the walk sleeps. Its end may have to come first, for that lock to be given back.
 */
static void walk_lets_go_before_it_waits(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *first, *second;
	struct in_the_way way = { 0 };
	struct vm_area_struct *vma[3];
	struct anon_vma_walk w;
	struct anon_vma *owner;
	pthread_t thread;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	first = t_fork(mm);
	second = t_fork(mm);
	way.last = first->anon_vma;
	way.next = second->anon_vma;
	vma[0] = vma_at(mm, BASE);
	vma[1] = vma_at(first, BASE);
	vma[2] = vma_at(second, BASE);
	owner = folio_lock_anon_vma_read(folio_at(mm, BASE), NULL);
	assert_ptr_equal(owner, mm->anon_vma);
	anon_vma_walk_begin(&w, owner, BASE / PG, BASE / PG);
	assert_ptr_equal(anon_vma_walk_next(&w), vma[0]);
	assert_ptr_equal(anon_vma_walk_next(&w), vma[1]);
	assert_true(rwsem_is_locked(&way.last->rwsem));
	assert_int_equal(pthread_create(&thread, NULL, stand_in_the_way, &way), 0);
	while (!READ_ONCE(way.blocked))
		sched_yield();
	assert_ptr_equal(anon_vma_walk_next(&w), vma[2]);
	assert_false(rwsem_is_locked(&way.last->rwsem));
	assert_null(anon_vma_walk_next(&w));
	anon_vma_walk_end(&w, true);
	pthread_join(thread, NULL);
	assert_false(way.held);
	assert_false(rwsem_is_locked(&way.next->rwsem));
}

/* A long line of ancestors, of which only the last descendant lives, goes at once. */
static void line_of_dead_goes_at_once(void **state)
{
	struct t *t = *state;
	struct mm_struct *mm = t_mm(t), *child, *brother;
	int i;

	t_map(mm, BASE, 1);
	t_write(mm, BASE, 1, 100);
	brother = NULL;
	for (i = 1; i < LAZY_ANON_VMA_MAX_DEPTH; i++) {
		child = t_fork(mm);
		if (i == 8)
			brother = t_fork(mm);
		um_exit(mm);
		mm = child;
	}
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), LAZY_ANON_VMA_MAX_DEPTH + 1);
	assert_int_equal(t_stats(t).anon_vmas_dead, LAZY_ANON_VMA_MAX_DEPTH - 1);
	um_exit(mm);
	/* Those above the brother stay, and he. */
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 9);
	um_exit(brother);
	assert_int_equal(live(t, UM_OBJ_ANON_VMA), 0);
}

const struct CMUnitTest lives_tests[] = {
	UM_TEST_QUIET_ON(last_descendant_goes_under_a_walk, "lazy"),
	UM_TEST_QUIET_ON(last_descendant_goes_with_a_walks_pin, "lazy"),
	UM_TEST_QUIET_ON(walk_lets_go_before_it_waits, "lazy"),
	UM_TEST_LAZY(line_of_dead_goes_at_once),
};
const size_t nr_lives_tests = ARRAY_SIZE(lives_tests);
