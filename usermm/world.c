// SPDX-License-Identifier: GPL-2.0
/*
 * Worlds: what holds mms, memory, swap and files together
 *
 * Several worlds may live in one process, of different topologies or of one. They
 * share the slab caches, so counts of VMAs, anon_vmas and chain entries are those
 * of all worlds that use the cache.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <kshim/slab_stats.h>
#include <kshim/thread.h>
#include "internal.h"

#define DEFAULT_MAX_PAGES	(64UL << 20)
#define MAX_TOPOLOGIES		16

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static const struct anon_vma_topology *registry[MAX_TOPOLOGIES] = {
	&regular_topology, &lazy_topology,
};
static unsigned int nr_worlds;		/* registry_lock */

/* -- Once in a process ------------------------------------------------------------- */

/*
 * Sizes are reported as 64-bit Linux would have them. Of an anon_vma of the lazy
 * topology the first part is Linux's, with Linux's locks and the free pointer of a
 * type-stable cache that has a constructor; the rest is as it is here.
 */
static void init_caches(void)
{
	anon_vma_init();
	vma_init();
	kshim_cache_set_reported_size(vm_area_cache(), LINUX_VM_AREA_STRUCT_SIZE);
	kshim_cache_set_reported_size(regular_anon_vma_cache(), LINUX_ANON_VMA_SIZE);
	kshim_cache_set_reported_size(regular_anon_vma_chain_cache(), LINUX_ANON_VMA_CHAIN_SIZE);
	kshim_cache_set_reported_size(lazy_anon_vma_cachep, LINUX_ANON_VMA_SIZE +
				      lazy_anon_vma_size - sizeof(struct anon_vma));
	kshim_cache_set_reported_size(lazy_anon_vma_chain_cachep, lazy_anon_vma_chain_size);
}

/**
 * um_thread_register - let a thread that kshim did not create use worlds
 *
 * To be called before anything else here, by main() too. Calls nest.
 */
void um_thread_register(void)
{
	kshim_thread_register();
}

void um_thread_unregister(void)
{
	kshim_thread_unregister();
}

/* registry_lock held. */
static const struct anon_vma_topology **registry_find(const char *name)
{
	size_t i;

	for (i = 0; i < MAX_TOPOLOGIES && registry[i]; i++)
		if (!strcmp(registry[i]->name, name))
			return &registry[i];
	return NULL;
}

/**
 * um_topology_register - make a topology known by its name
 * @topology: lives as long as the process
 *
 * For tests, which register variants that are wrong in one place, and others of
 * their own. One whose release hook is lazy_anon_vma_release() is counted as lazy,
 * any other as regular.
 *
 * Returns 0, -EEXIST when the name is taken, -ENOSPC when there are too many.
 */
int um_topology_register(const struct anon_vma_topology *topology)
{
	size_t i = 0;
	int err = 0;

	pthread_mutex_lock(&registry_lock);
	while (i < MAX_TOPOLOGIES && registry[i])
		i++;
	if (registry_find(topology->name))
		err = -EEXIST;
	else if (i == MAX_TOPOLOGIES)
		err = -ENOSPC;
	else
		registry[i] = topology;
	pthread_mutex_unlock(&registry_lock);
	return err;
}

bool um_topology_exists(const char *name)
{
	bool exists;

	pthread_mutex_lock(&registry_lock);
	exists = registry_find(name);
	pthread_mutex_unlock(&registry_lock);
	return exists;
}

/* Returns 0 with world->topology set, and the world counted. */
static int world_enter(struct um_world *world, const char *name)
{
	const struct anon_vma_topology **found;

	pthread_mutex_lock(&registry_lock);
	found = registry_find(name);
	if (found) {
		world->topology = *found;
		nr_worlds++;
	}
	pthread_mutex_unlock(&registry_lock);
	return found ? 0 : -EINVAL;
}

/* Returns true for the last world, whose objects are all that the caches hold. */
static bool world_leave(void)
{
	bool last;

	pthread_mutex_lock(&registry_lock);
	last = !--nr_worlds;
	pthread_mutex_unlock(&registry_lock);
	return last;
}

bool world_is_alone(void)
{
	bool alone;

	pthread_mutex_lock(&registry_lock);
	alone = nr_worlds == 1;
	pthread_mutex_unlock(&registry_lock);
	return alone;
}

/* -- A world ----------------------------------------------------------------------- */

static int world_init_parts(struct um_world *world)
{
	int err;

	err = frames_init(world);
	if (err)
		return err;
	err = swap_init(world);
	if (err)
		goto no_swap;
	err = ksm_init(world);
	if (err)
		goto no_ksm;
	err = oracle_init(world);
	if (err)
		goto no_oracle;
	return 0;

no_oracle:
	ksm_destroy(world);
no_ksm:
	swap_destroy(world);
no_swap:
	frames_destroy(world);
	return err;
}

/**
 * um_world_create - make a world without processes
 * @config: copied; .topology NULL means "regular"
 * @worldp: out
 *
 * Context: a registered thread. Returns 0, -EINVAL for an unknown topology, or
 * -ENOMEM.
 */
int um_world_create(const struct um_config *config, struct um_world **worldp)
{
	struct um_world *world;
	int err;

	pthread_once(&init_once, init_caches);
	world = kzalloc(sizeof(*world), GFP_KERNEL);
	if (!world)
		return -ENOMEM;
	world->config = *config;
	if (!world->config.topology)
		world->config.topology = regular_topology.name;
	if (!world->config.max_pages)
		world->config.max_pages = DEFAULT_MAX_PAGES;
	if (!world->config.log)
		world->config.log = stderr;
	world->oracle_on = world->config.check != UM_CHECK_OFF;
	spin_lock_init(&world->mm_list_lock);
	INIT_LIST_HEAD(&world->mms);
	spin_lock_init(&world->lru_lock);
	INIT_LIST_HEAD(&world->lru);

	err = world_enter(world, world->config.topology);
	if (err)
		goto no_topology;
	world->config.topology = world->topology->name;
	err = world->topology->init ? world->topology->init() : 0;
	if (!err)
		err = world_init_parts(world);
	if (err)
		goto no_parts;
	*worldp = world;
	return 0;

no_parts:
	world_leave();
no_topology:
	kfree(world);
	return err;
}

static void report_leak(struct um_world *world, const char *what, u64 number)
{
	if (number)
		oracle_finding(world, "leak: %llu %s", (unsigned long long)number, what);
}

static void report_cache_leak(struct um_world *world, struct kmem_cache *cache)
{
	struct kshim_cache_stats stats;

	kshim_cache_stats(cache, &stats);
	if (stats.live)
		oracle_finding(world, "leak: %ld objects of %s", stats.live, stats.name);
}

/* Nobody else is here any more: references that are left are the world's now. */
static void exit_all(struct um_world *world)
{
	while (!list_empty(&world->mms)) {
		struct mm_struct *mm = list_first_entry(&world->mms, struct mm_struct, mm_list);

		atomic_set(&mm->mm_users, 1);
		mmput(mm);
	}
}

/**
 * um_world_destroy - end a world
 * @world: no other thread is in it; files have been put
 *
 * Processes that are left exit. Then nothing may be left: what is, is a finding.
 * VMAs, anon_vmas and chain entries are looked at by the last world to go, as their
 * caches are one for all.
 *
 * Returns 0, or -EIO when something has leaked.
 */
int um_world_destroy(struct um_world *world)
{
	u64 pages, peak, before = um_findings(world);
	bool last;
	int err;

	exit_all(world);
	ksm_destroy(world);
	rcu_barrier();
	report_leak(world, "swap slots", swap_slots_used(world));
	swap_destroy(world);
	frames_usage(world, &pages, &peak);
	report_leak(world, "pages", pages);
	last = world_leave();
	if (last) {
		report_cache_leak(world, vm_area_cache());
		report_cache_leak(world, regular_anon_vma_cache());
		report_cache_leak(world, regular_anon_vma_chain_cache());
		report_cache_leak(world, lazy_anon_vma_cachep);
		report_cache_leak(world, lazy_anon_vma_chain_cachep);
	}
	err = um_findings(world) > before ? -EIO : 0;
	oracle_destroy(world);
	frames_destroy(world);
	kfree(world);
	return err;
}

/* -- mms --------------------------------------------------------------------------- */

void world_add_mm(struct mm_struct *mm)
{
	struct um_world *world = mm->world;
	long nr;

	mm->model = NULL;
	spin_lock(&world->mm_list_lock);
	mm->id = ++world->next_mm_id;
	list_add_tail(&mm->mm_list, &world->mms);
	nr = atomic_long_inc_return(&world->nr_mms);
	if (nr > atomic_long_read(&world->peak_mms))
		atomic_long_set(&world->peak_mms, nr);
	spin_unlock(&world->mm_list_lock);
}

void world_remove_mm(struct mm_struct *mm)
{
	struct um_world *world = mm->world;

	spin_lock(&world->mm_list_lock);
	list_del_init(&mm->mm_list);
	atomic_long_dec(&world->nr_mms);
	spin_unlock(&world->mm_list_lock);
	model_destroy(mm->model);
	mm->model = NULL;
}

/**
 * world_next_mm - step through the mms of a world
 * @world: the world
 * @prev: as returned before; NULL to begin
 *
 * Returns the next one in order of age, with a reference on mm_users, or NULL.
 * mms whose last user has gone are passed over. Whoever stops early calls mmput().
 *
 * Context: may sleep, as the reference on @prev may have become the last.
 */
struct mm_struct *world_next_mm(struct um_world *world, struct mm_struct *prev)
{
	struct list_head *pos;
	struct mm_struct *mm = NULL;

	spin_lock(&world->mm_list_lock);
	/* A reference keeps @prev in the list. */
	for (pos = prev ? prev->mm_list.next : world->mms.next; pos != &world->mms;
	     pos = pos->next) {
		mm = list_entry(pos, struct mm_struct, mm_list);
		if (atomic_inc_not_zero(&mm->mm_users))
			break;
		mm = NULL;
	}
	spin_unlock(&world->mm_list_lock);
	if (prev)
		mmput(prev);
	return mm;
}

/**
 * um_mm_create - a process with nothing mapped
 * @world: where
 * @mmp: out; um_exit() ends it
 *
 * Returns 0 or -ENOMEM.
 */
int um_mm_create(struct um_world *world, struct mm_struct **mmp)
{
	struct mm_struct *mm;
	int err;

	err = mm_alloc(world, &mm);
	if (err)
		return err;
	if (world->config.model) {
		mm->model = model_create(world, mm->id);
		if (!mm->model) {
			mmput(mm);
			return -ENOMEM;
		}
	}
	*mmp = mm;
	return 0;
}

/**
 * um_fork_known - a child with a copy of a process's memory
 * @parent: the process
 * @start: of what no other thread of @parent changes meanwhile
 * @end: of that, exclusive
 * @childp: out
 *
 * Returns 0 or -ENOMEM.
 */
int um_fork_known(struct mm_struct *parent, uint64_t start, uint64_t end,
		  struct mm_struct **childp)
{
	struct um_world *world = parent->world;
	struct mem_model *model = NULL;
	struct mm_struct *child;
	int err;

	err = dup_mm(parent, &child);
	if (!err && world->config.model) {
		model = model_fork(parent->model, child->id, start, end);
		if (!model) {
			mmput(child);
			err = -ENOMEM;
		}
	}
	if (!err) {
		child->model = model;
		*childp = child;
	}
	oracle_after_op(world);
	return err;
}

int um_fork(struct mm_struct *parent, struct mm_struct **childp)
{
	return um_fork_known(parent, 0, ULONG_MAX, childp);
}

/**
 * um_share - one more user of an address space: a thread, or vfork()
 * @mm: needs one more um_exit()
 */
void um_share(struct mm_struct *mm)
{
	atomic_inc(&mm->mm_users);
}

/**
 * um_exit - a user of an address space is gone
 * @mm: the last user's exit frees all of its memory
 */
void um_exit(struct mm_struct *mm)
{
	struct um_world *world = mm->world;

	mmput(mm);
	oracle_after_op(world);
}

unsigned int um_mm_id(const struct mm_struct *mm)
{
	return mm->id;
}

/* -- Files ------------------------------------------------------------------------- */

/**
 * um_file_create - a file, device or piece of shared memory, of any length
 * @world: where
 * @kind: what it is
 *
 * Returns the file with one reference, or NULL when there is no memory.
 */
struct um_file *um_file_create(struct um_world *world, enum um_file_kind kind)
{
	struct um_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return NULL;
	if (world->config.model) {
		file->model = file_model_create();
		if (!file->model) {
			kfree(file);
			return NULL;
		}
	}
	file->world = world;
	file->kind = kind;
	atomic_set(&file->refcount, 1);
	mutex_init(&file->lock);
	mt_init(&file->pages);
	spin_lock(&world->mm_list_lock);
	file->id = ++world->next_file_id;
	spin_unlock(&world->mm_list_lock);
	return file;
}

/* Mappings have references of their own. */
void um_file_put(struct um_file *file)
{
	if (!atomic_dec_and_test(&file->refcount))
		return;
	file_drop_pages(file);
	file_model_destroy(file->model);
	kfree(file);
}

/* -- What it looks like ------------------------------------------------------------ */

static bool world_is_lazy(const struct um_world *world)
{
	return world->topology->release == lazy_anon_vma_release;
}

static struct kmem_cache *world_cache(const struct um_world *world, enum um_object object)
{
	switch (object) {
	case UM_OBJ_ANON_VMA:
		return world_is_lazy(world) ? lazy_anon_vma_cachep : regular_anon_vma_cache();
	case UM_OBJ_AVC:
		return world_is_lazy(world) ? lazy_anon_vma_chain_cachep :
			regular_anon_vma_chain_cache();
	default:
		return vm_area_cache();
	}
}

static int compare_pointers(const void *a, const void *b)
{
	const void *x = *(void *const *)a, *y = *(void *const *)b;

	return x < y ? -1 : x > y;
}

/* How many different pointers; sorts them. */
static u64 count_distinct(const struct anon_vma **all, size_t nr)
{
	u64 distinct = 0;
	size_t i;

	qsort(all, nr, sizeof(*all), compare_pointers);
	for (i = 0; i < nr; i++)
		distinct += !i || all[i] != all[i - 1];
	return distinct;
}

/*
 * Ancestors without an mm. The mms are kept by references, and keep their
 * anon_vmas, and these their ancestors. Without memory to count them: 0.
 */
static u64 count_dead(struct um_world *world)
{
	/* mms may be forked meanwhile; some room for them. */
	size_t nr = 0, nr_serving = 0, max = atomic_long_read(&world->nr_mms) + 64;
	const struct anon_vma **all, **serving, *anon_vma;
	struct mm_struct *mm = NULL;
	u64 dead;

	all = malloc(max * (LAZY_ANON_VMA_MAX_DEPTH + 1) * sizeof(*all));
	if (!all)
		return 0;
	serving = all + max * LAZY_ANON_VMA_MAX_DEPTH;
	while ((mm = world_next_mm(world, mm))) {
		/* Acquire: pairs with the release in core; its parent may be unset else. */
		anon_vma = smp_load_acquire(&mm->anon_vma);
		if (!anon_vma || nr_serving == max)
			continue;
		serving[nr_serving++] = anon_vma;
		for (; anon_vma; anon_vma = lazy_anon_vma_parent(anon_vma))
			all[nr++] = anon_vma;
	}
	dead = count_distinct(all, nr) - count_distinct(serving, nr_serving);
	free(all);
	return dead;
}

/**
 * um_stats - what a world uses, and what has happened in it
 * @world: the world
 * @stats: out
 *
 * VMAs are the world's, without those that only wait for a grace period. Other
 * objects are counted per slab cache: with several worlds in one process, those of
 * all worlds that use the same topology. Exact when the world is still.
 */
void um_stats(struct um_world *world, struct um_stats *stats)
{
	enum um_object i;
	u64 pages, peak;

	memset(stats, 0, sizeof(*stats));
	for (i = 0; i < UM_NR_OBJ; i++) {
		struct kshim_cache_stats cache;

		kshim_cache_stats(world_cache(world, i), &cache);
		stats->objects[i] = (struct um_objects) {
			.live = cache.live,
			.peak = cache.peak,
			.bytes_each = cache.reported_size,
		};
	}
	stats->objects[UM_OBJ_VMA].live = atomic_long_read(&world->nr_vmas);
	stats->objects[UM_OBJ_VMA].peak = atomic_long_read(&world->peak_vmas);
	stats->mms = atomic_long_read(&world->nr_mms);
	stats->mms_peak = atomic_long_read(&world->peak_mms);
	if (world_is_lazy(world))
		stats->anon_vmas_dead = count_dead(world);
	stats->joins = atomic_long_read(&world->events[ANON_VMA_JOIN]);
	stats->displaced = atomic_long_read(&world->events[ANON_VMA_DISPLACED]);
	stats->lockless = atomic_long_read(&world->events[ANON_VMA_LOCKLESS]);
	stats->lockless_retries = atomic_long_read(&world->events[ANON_VMA_LOCKLESS_RETRY]);
	stats->lockless_fallbacks = atomic_long_read(&world->events[ANON_VMA_LOCKLESS_FALLBACK]);
	frames_usage(world, &pages, &peak);
	stats->pages = pages;
	stats->pages_peak = peak;
	stats->faults = atomic_long_read(&world->faults);
	stats->swapped_out = atomic_long_read(&world->swapped_out);
	stats->swapped_in = atomic_long_read(&world->swapped_in);
	stats->migrated = atomic_long_read(&world->migrated);
	stats->ksm_merged = atomic_long_read(&world->ksm_merged);
	stats->reads_compared = atomic_long_read(&world->reads_compared);
	stats->reads_wrong = atomic_long_read(&world->reads_wrong);
	stats->invariants_checked = atomic_long_read(&world->invariants_checked);
	stats->invariants_broken = atomic_long_read(&world->invariants_broken);
	oracle_stats(world, stats);
}

void um_stats_reset_peaks(struct um_world *world)
{
	enum um_object i;

	for (i = 0; i < UM_NR_OBJ; i++)
		kshim_cache_reset_peak(world_cache(world, i));
	atomic_long_set(&world->peak_vmas, atomic_long_read(&world->nr_vmas));
	spin_lock(&world->mm_list_lock);
	atomic_long_set(&world->peak_mms, atomic_long_read(&world->nr_mms));
	spin_unlock(&world->mm_list_lock);
	frames_reset_peak(world);
}

/**
 * um_vmas - list what an address space has mapped
 * @mm: the address space
 * @vmas: out, by address; files without a reference
 * @max: how many fit
 *
 * Context: may sleep; takes mmap_lock. Returns how many there are.
 */
size_t um_vmas(struct mm_struct *mm, struct um_vma_info *vmas, size_t max)
{
	struct vm_area_struct *vma;
	unsigned long addr = 0;
	size_t nr = 0;

	mmap_read_lock(mm);
	for (; (vma = find_vma(mm, addr)); addr = vma->vm_end, nr++) {
		anon_vma_tree_t tree = READ_ONCE(vma->anon_vma);

		if (nr >= max)
			continue;
		vmas[nr] = (struct um_vma_info) {
			.start = vma->vm_start,
			.end = vma->vm_end,
			.pgoff = vma->vm_pgoff,
			.flags = vma->vm_flags,
			.faulted = tree,
			.displaced = anon_vma_tree_displaced(tree),
			.file = vma->vm_file,
		};
	}
	mmap_read_unlock(mm);
	return nr;
}
