// SPDX-License-Identifier: GPL-2.0
/*
 * The operations of the random driver
 *
 * Arguments are drawn so that ranges meet: addresses near the boundaries of what is
 * mapped, lengths that cut through, file offsets that make neighbours fit together,
 * contents that KSM finds twice. An operation may fail; what its failure must
 * not do is to make model and memory differ.
 */
#include <string.h>
#include <sys/mman.h>
#include "check_faults.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#ifndef MADV_COLD
#define MADV_COLD		20
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

#define HUGE_PAGES	(UM_HUGE_SIZE / UM_PAGE_SIZE)
#define HEAP_START	0x600000000000UL
#define STACK_END	0x7f0000000000UL

/* As in um_vma_info.flags. */
#define VMA_WRITE	0x2UL
#define VMA_GROWSDOWN	0x100UL

#define say(actor, fmt, ...)							\
do {										\
	if ((actor)->checker->options->verbose)					\
		fprintf((actor)->checker->log, "%u.%llu " fmt "\n", (actor)->id,	\
			(unsigned long long)(actor)->ops, ##__VA_ARGS__);	\
} while (0)

#define SAY_MM	"mm %u "

/* -- Chance ------------------------------------------------------------------------ */

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15UL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void check_random_seed(struct check_actor *actor, uint64_t seed)
{
	int i;

	for (i = 0; i < 4; i++)
		actor->random[i] = splitmix(&seed);
}

/* xoshiro256**, by David Blackman and Sebastiano Vigna: what it does, not their code. */
uint64_t check_random(struct check_actor *actor)
{
	uint64_t *s = actor->random, result = rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t check_below(struct check_actor *actor, uint64_t n)
{
	return check_random(actor) % n;
}

static bool chance(struct check_actor *actor, unsigned int percent)
{
	return check_below(actor, 100) < percent;
}

/* -- Arguments --------------------------------------------------------------------- */

static uint64_t arena_end(const struct check_actor *actor)
{
	return actor->arena.start + actor->arena.pages * UM_PAGE_SIZE;
}

static bool in_arena(const struct check_actor *actor, uint64_t start, uint64_t end)
{
	return start >= actor->arena.start && end <= arena_end(actor) && start < end;
}

/* With other threads around, all must be in the arena. */
static bool is_alone(const struct check_actor *actor)
{
	return actor->checker->threads == 1;
}

/* Loads actor->vmas with those that may be touched. */
static size_t own_vmas(struct check_actor *actor, struct check_mm *proc)
{
	size_t i, kept = 0, nr = um_vmas(proc->mm, actor->vmas, CHECK_VMAS);

	if (nr > CHECK_VMAS)
		nr = CHECK_VMAS;
	for (i = 0; i < nr; i++)
		if (is_alone(actor) || in_arena(actor, actor->vmas[i].start, actor->vmas[i].end))
			actor->vmas[kept++] = actor->vmas[i];
	return kept;
}

static uint64_t some_len(struct check_actor *actor)
{
	switch (check_below(actor, 16)) {
	case 0:
		return UM_HUGE_SIZE;
	case 1:
		return UM_HUGE_SIZE * (1 + check_below(actor, 2)) +
			check_below(actor, 3) * UM_PAGE_SIZE;
	case 2:
		return (1 + check_below(actor, HUGE_PAGES)) * UM_PAGE_SIZE;
	default:
		return (1 + check_below(actor, 16)) * UM_PAGE_SIZE;
	}
}

/* Somewhere, with preference for boundaries and their surroundings. */
static uint64_t some_addr(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t addr = actor->arena.start + check_below(actor, actor->arena.pages) * UM_PAGE_SIZE;
	size_t nr = chance(actor, 60) ? own_vmas(actor, proc) : 0;
	struct um_vma_info *vma;

	if (chance(actor, 10))
		addr &= ~(UM_HUGE_SIZE - 1);
	if (!nr)
		return addr;
	vma = &actor->vmas[check_below(actor, nr)];
	switch (check_below(actor, 6)) {
	case 0:
		return vma->start;
	case 1:
		addr = vma->end;
		break;
	case 2:
		addr = vma->start + (check_below(actor, 5) - 2) * UM_PAGE_SIZE;
		break;
	case 3:
		addr = vma->end + (check_below(actor, 5) - 2) * UM_PAGE_SIZE;
		break;
	default:
		return vma->start + check_below(actor, (vma->end - vma->start) / UM_PAGE_SIZE) *
			UM_PAGE_SIZE;
	}
	if (!is_alone(actor) && !in_arena(actor, addr, addr + UM_PAGE_SIZE))
		addr = vma->start;
	return addr;
}

/* A length from addr on that stays in the arena when it has to. */
static uint64_t fit(struct check_actor *actor, uint64_t addr, uint64_t len)
{
	if (!is_alone(actor) && addr + len > arena_end(actor))
		len = arena_end(actor) - addr;
	return len;
}

struct range {
	uint64_t addr, len;
};

/* Any range, or a whole VMA, or one that is mapped at its start. */
static struct range some_range(struct check_actor *actor, struct check_mm *proc)
{
	struct range range = { .addr = some_addr(actor, proc), .len = some_len(actor) };

	if (chance(actor, 20)) {
		size_t nr = own_vmas(actor, proc);

		if (nr) {
			struct um_vma_info *vma = &actor->vmas[check_below(actor, nr)];

			return (struct range) { .addr = vma->start, .len = vma->end - vma->start };
		}
	}
	range.len = fit(actor, range.addr, range.len);
	return range;
}

/* A VMA that has all of @flags and @len bytes, or NULL. */
static struct um_vma_info *some_vma(struct check_actor *actor, struct check_mm *proc,
				    uint64_t flags, uint64_t len)
{
	size_t i, nr = own_vmas(actor, proc), start = nr ? check_below(actor, nr) : 0;

	for (i = 0; i < nr; i++) {
		struct um_vma_info *vma = &actor->vmas[(start + i) % nr];

		if ((vma->flags & flags) == flags && vma->end - vma->start >= len)
			return vma;
	}
	return NULL;
}

static uint64_t addr_in(struct check_actor *actor, const struct um_vma_info *vma)
{
	return vma->start +
		check_below(actor, (vma->end - vma->start) / UM_PAGE_SIZE) * UM_PAGE_SIZE;
}

/* A page that is likely to be mapped, with the flags if there is such a VMA. */
static uint64_t mapped_addr_with(struct check_actor *actor, struct check_mm *proc, uint64_t flags)
{
	struct um_vma_info *vma = some_vma(actor, proc, flags, 0);

	return vma && !chance(actor, 5) ? addr_in(actor, vma) : some_addr(actor, proc);
}

static uint64_t mapped_addr(struct check_actor *actor, struct check_mm *proc)
{
	return mapped_addr_with(actor, proc, 0);
}

/* 2 MiB of private memory that could be a huge page; mapped now, if need be. */
static uint64_t huge_addr(struct check_actor *actor, struct check_mm *proc)
{
	struct um_vma_info *vma = some_vma(actor, proc, VMA_WRITE, 2 * UM_HUGE_SIZE);
	uint64_t addr, result;

	if (vma && !vma->file && chance(actor, 80))
		return (vma->start + UM_HUGE_SIZE - 1) & ~(UM_HUGE_SIZE - 1);
	addr = actor->arena.start +
		check_below(actor, actor->arena.pages / HUGE_PAGES) * UM_HUGE_SIZE;
	say(actor, SAY_MM "mmap %lx huge", um_mm_id(proc->mm), addr);
	CHECK_TRY(actor, CHECK_UNCHANGED,
		  um_mmap(proc->mm, addr, UM_HUGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, &result));
	return addr;
}

static int some_prot(struct check_actor *actor)
{
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE, PROT_READ, PROT_READ, PROT_NONE,
		PROT_READ | PROT_WRITE | PROT_EXEC, PROT_READ | PROT_EXEC,
	};

	return prots[check_below(actor, sizeof(prots) / sizeof(prots[0]))];
}

/* Many pages of few contents for KSM, or one of its own. */
static uint64_t some_content(struct check_actor *actor)
{
	return chance(actor, 40) ? 1 + check_below(actor, 3) : check_random(actor);
}

/* -- Calls, and what they may leave when memory fails -------------------------------- */

/* The pages before the one that failed, and the stack that grew for it. */
static struct check_promise fault_promise(struct mm_struct *mm, uint64_t addr, uint64_t pages)
{
	struct um_vma_info vmas[CHECK_VMAS];
	size_t i, nr = um_vmas(mm, vmas, CHECK_VMAS);
	uint64_t start = addr & ~(UM_PAGE_SIZE - 1), end = start + pages * UM_PAGE_SIZE;

	for (i = 0; i < nr && i < CHECK_VMAS; i++) {
		if (vmas[i].start < start)
			continue;
		if (vmas[i].flags & VMA_GROWSDOWN && vmas[i].start > end)
			end = vmas[i].start;
		break;
	}
	return CHECK_CHANGES(mm, start, end - start);
}

/* What was at the target is gone, and so is the end of what was to shrink. */
static struct check_promise mremap_promise(struct mm_struct *mm, struct range from,
					   uint64_t new_len, int flags, uint64_t to)
{
	struct check_promise promise = { .mm = mm };

	if (flags & MREMAP_FIXED) {
		promise.may_change[0].start = to;
		promise.may_change[0].end = to + new_len;
	}
	if (new_len < from.len) {
		promise.may_change[1].start = from.addr + new_len;
		promise.may_change[1].end = from.addr + from.len;
	}
	return promise;
}

/* The pages before the one that failed have moved. */
static struct check_promise uffd_promise(struct mm_struct *mm, uint64_t dst, uint64_t src,
					 uint64_t len)
{
	struct check_promise promise = CHECK_CHANGES(mm, dst, len);

	promise.may_change[1].start = src;
	promise.may_change[1].end = src + len;
	return promise;
}

static int do_write(struct check_actor *actor, struct mm_struct *mm, uint64_t addr,
		    uint64_t content)
{
	int err;

	say(actor, SAY_MM "write %lx %lx", um_mm_id(mm), addr, content);
	err = CHECK_TRY(actor, fault_promise(mm, addr, 1), um_write(mm, addr, content));
	say(actor, "-> %d", err);
	return err;
}

static int do_read(struct check_actor *actor, struct mm_struct *mm, uint64_t addr)
{
	uint64_t content = 0;
	int err;

	say(actor, SAY_MM "read %lx", um_mm_id(mm), addr);
	err = CHECK_TRY(actor, fault_promise(mm, addr, 1), um_read(mm, addr, &content));
	say(actor, "-> %d %lx", err, content);
	return err;
}

static int do_mremap(struct check_actor *actor, struct mm_struct *mm, struct range from,
		     uint64_t new_len, int flags, uint64_t to)
{
	uint64_t result = 0;
	int err;

	say(actor, SAY_MM "mremap %lx %lx -> %lx %lx flags %x", um_mm_id(mm), from.addr, from.len,
	    to, new_len, flags);
	err = CHECK_TRY(actor, mremap_promise(mm, from, new_len, flags, to),
			um_mremap(mm, from.addr, from.len, new_len, flags, to, &result));
	say(actor, "-> %d %lx", err, result);
	return err;
}

static int do_madvise(struct check_actor *actor, struct mm_struct *mm, struct range range,
		      int advice)
{
	int err;

	say(actor, SAY_MM "madvise %lx %lx %d", um_mm_id(mm), range.addr, range.len, advice);
	err = CHECK_TRY(actor, CHECK_CHANGES(mm, range.addr, range.len),
			um_madvise(mm, range.addr, range.len, advice));
	say(actor, "-> %d", err);
	return err;
}

/* -- Processes --------------------------------------------------------------------- */

static struct check_mm *free_slot(struct check_actor *actor)
{
	int i;

	for (i = 0; i < CHECK_MM_SLOTS; i++)
		if (!actor->mms[i].mm)
			return &actor->mms[i];
	return NULL;
}

static struct check_mm *some_mm(struct check_actor *actor)
{
	size_t i, start = check_below(actor, CHECK_MM_SLOTS);

	for (i = 0; i < CHECK_MM_SLOTS; i++) {
		struct check_mm *proc = &actor->mms[(start + i) % CHECK_MM_SLOTS];

		if (proc->mm)
			return proc;
	}
	return NULL;
}

int check_need_mm(struct check_actor *actor)
{
	struct check_mm *proc = &actor->mms[0];
	int err;

	if (some_mm(actor))
		return 0;
	err = CHECK_TRY(actor, CHECK_UNCHANGED,
			um_mm_create(actor->checker->world, &proc->mm));
	if (err)
		return err;
	proc->users = 1;
	proc->shared = false;
	proc->has_heap = !um_brk_init(proc->mm, HEAP_START);
	return 0;
}

static int do_fork(struct check_actor *actor, const struct check_mm *proc, struct mm_struct *mm,
		   struct mm_struct **child)
{
	if (proc->shared)
		return um_fork_known(mm, actor->arena.start, arena_end(actor), child);
	return CHECK_TRY(actor, CHECK_UNCHANGED, um_fork(mm, child));
}

static void op_fork(struct check_actor *actor, struct check_mm *proc)
{
	struct check_mm *child = free_slot(actor);

	if (!child)
		return;
	say(actor, SAY_MM "fork", um_mm_id(proc->mm));
	if (do_fork(actor, proc, proc->mm, &child->mm)) {
		child->mm = NULL;
		return;
	}
	child->users = 1;
	child->shared = false;
	child->has_heap = !proc->shared && proc->has_heap;
}

/*
 * A long line of descendants, of which few remain: what bounds the growth of reverse
 * maps has to act.
 */
static void op_lineage(struct check_actor *actor, struct check_mm *proc)
{
	struct check_mm *last = free_slot(actor);
	struct mm_struct *next, *mm = proc->mm;
	int i, length = 1 + check_below(actor, 20);

	if (!last)
		return;
	for (i = 0; i < length; i++) {
		uint64_t addr = mapped_addr_with(actor, &(struct check_mm) { .mm = mm }, VMA_WRITE);

		say(actor, SAY_MM "lineage", um_mm_id(mm));
		if (do_fork(actor, proc, mm, &next))
			break;
		if (mm != proc->mm)
			um_exit(mm);
		mm = next;
		do_write(actor, mm, addr, some_content(actor));
	}
	if (mm == proc->mm)
		return;
	*last = (struct check_mm) {
		.mm = mm, .users = 1, .has_heap = !proc->shared && proc->has_heap };
}

static void op_exit(struct check_actor *actor, struct check_mm *proc)
{
	if (proc->shared)
		return;
	say(actor, SAY_MM "exit, %u users", um_mm_id(proc->mm), proc->users);
	um_exit(proc->mm);
	if (!--proc->users)
		proc->mm = NULL;
}

static void op_share(struct check_actor *actor, struct check_mm *proc)
{
	if (proc->users >= 3)
		return;
	say(actor, SAY_MM "share", um_mm_id(proc->mm));
	um_share(proc->mm);
	proc->users++;
	/* vfork(): the child is gone before the parent goes on. */
	if (proc->shared || chance(actor, 50)) {
		um_exit(proc->mm);
		proc->users--;
	}
}

/* A new program in the place of the old one. */
static void op_exec(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t args = 1 + check_below(actor, 8), shift = check_below(actor, 64) * UM_PAGE_SIZE;
	uint64_t end = STACK_END - check_below(actor, 16) * UM_PAGE_SIZE;
	uint64_t start = end - (args + 33 + check_below(actor, 8)) * UM_PAGE_SIZE;
	struct mm_struct *mm;
	int err;

	if (proc->shared ||
	    CHECK_TRY(actor, CHECK_UNCHANGED, um_mm_create(actor->checker->world, &mm)))
		return;
	say(actor, SAY_MM "exec: mm %u stack %lx-%lx args %lu shift %lx", um_mm_id(proc->mm),
	    um_mm_id(mm), start, end, args, shift);
	err = CHECK_TRY(actor, CHECK_UNCHANGED,
			um_exec_stack(mm, start, end, args, shift, 8UL << 20));
	while (proc->users--)
		um_exit(proc->mm);
	proc->mm = mm;
	proc->users = 1;
	proc->has_heap = !um_brk_init(mm, HEAP_START);
	say(actor, "-> %d", err);
}

/* -- Mappings ---------------------------------------------------------------------- */

static void op_mmap(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t addr = some_addr(actor, proc), len = fit(actor, addr, some_len(actor)), result = 0;
	uint64_t pgoff = (addr - actor->arena.start) / UM_PAGE_SIZE % 1024;
	int prot = some_prot(actor), flags, nr = -1, err;
	struct um_file *file = NULL;

	switch (check_below(actor, 10)) {
	case 0:
		flags = MAP_SHARED | MAP_ANONYMOUS;
		break;
	case 1:
		flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN;
		break;
	case 2:
	case 3:
		flags = chance(actor, 65) ? MAP_PRIVATE : MAP_SHARED;
		nr = check_below(actor, CHECK_FILES);
		file = actor->checker->files[nr];
		break;
	default:
		flags = MAP_PRIVATE | MAP_ANONYMOUS;
		break;
	}
	/* Where the neighbours' offsets continue, or just anywhere. */
	if (file && chance(actor, 20))
		pgoff = check_below(actor, 64);
	if (chance(actor, 10))
		flags |= MAP_NORESERVE;
	if (chance(actor, 5))
		flags |= MAP_LOCKED;
	if (proc->shared || chance(actor, 60))
		flags |= chance(actor, 80) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	else if (chance(actor, 50))
		addr = 0;
	say(actor, SAY_MM "mmap %lx %lx prot %x flags %x file %d pgoff %lx", um_mm_id(proc->mm),
	    addr, len, prot, flags, nr, pgoff);
	err = CHECK_TRY(actor, CHECK_UNCHANGED,
			um_mmap(proc->mm, addr, len, prot, flags, file, pgoff, &result));
	say(actor, "-> %d %lx", err, result);
}

static void op_munmap(struct check_actor *actor, struct check_mm *proc)
{
	struct range range = some_range(actor, proc);
	int err;

	say(actor, SAY_MM "munmap %lx %lx", um_mm_id(proc->mm), range.addr, range.len);
	err = CHECK_TRY(actor, CHECK_UNCHANGED, um_munmap(proc->mm, range.addr, range.len));
	say(actor, "-> %d", err);
}

static void op_mremap(struct check_actor *actor, struct check_mm *proc)
{
	struct um_vma_info *vma = chance(actor, 70) ? some_vma(actor, proc, 0, 0) : NULL;
	struct range from;
	uint64_t to, new_len;
	int flags = 0;

	if (vma) {
		from.addr = addr_in(actor, vma);
		from.len = some_len(actor);
		if (from.len > vma->end - from.addr)
			from.len = vma->end - from.addr;
	} else {
		from = some_range(actor, proc);
	}
	to = some_addr(actor, proc);
	new_len = chance(actor, 50) ? some_len(actor) : from.len;
	if (chance(actor, 3))
		from.len = 0;
	if (!proc->shared && chance(actor, 40)) {
		flags = MREMAP_MAYMOVE;
	} else if (chance(actor, 80)) {
		flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		new_len = fit(actor, to, new_len);
	} else {
		new_len = fit(actor, from.addr, new_len);
	}
	if (flags && chance(actor, 25)) {
		flags |= MREMAP_DONTUNMAP;
		from.len = new_len;
	}
	from.len = fit(actor, from.addr, from.len);
	if (flags & MREMAP_DONTUNMAP)
		new_len = from.len;
	do_mremap(actor, proc->mm, from, new_len, flags, to);
}

/*
 * A part of a VMA leaves, is used, and comes back between its old neighbours: whether
 * it may merge with them depends on what was faulted where, and when.
 */
static void op_wander(struct check_actor *actor, struct check_mm *proc)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	uint64_t neighbour, away = some_addr(actor, proc);
	struct um_vma_info *vma = some_vma(actor, proc, VMA_WRITE, 3 * UM_PAGE_SIZE);
	struct range home;

	if (!vma)
		return;
	neighbour = vma->start;
	home.addr = addr_in(actor, vma);
	home.len = (1 + check_below(actor, 4)) * UM_PAGE_SIZE;
	if (home.len > vma->end - home.addr)
		home.len = vma->end - home.addr;
	home.len = fit(actor, away, home.len);
	if (away < home.addr + home.len && home.addr < away + home.len)
		return;
	if (chance(actor, 30))
		do_write(actor, proc->mm, neighbour, some_content(actor));
	if (do_mremap(actor, proc->mm, home, home.len, flags, away))
		return;
	if (chance(actor, 70))
		do_write(actor, proc->mm, away, some_content(actor));
	if (chance(actor, 50))
		do_write(actor, proc->mm, neighbour, some_content(actor));
	if (!do_mremap(actor, proc->mm, (struct range) { away, home.len }, home.len, flags,
		       home.addr))
		do_write(actor, proc->mm, home.addr + home.len - UM_PAGE_SIZE,
			 some_content(actor));
}

static void op_mprotect(struct check_actor *actor, struct check_mm *proc)
{
	struct range range = some_range(actor, proc);
	int prot = some_prot(actor), err;

	say(actor, SAY_MM "mprotect %lx %lx %x", um_mm_id(proc->mm), range.addr, range.len, prot);
	err = CHECK_TRY(actor, CHECK_CHANGES(proc->mm, range.addr, range.len),
			um_mprotect(proc->mm, range.addr, range.len, prot));
	say(actor, "-> %d", err);
}

static void op_madvise(struct check_actor *actor, struct check_mm *proc)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_FREE,
		MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK,
		MADV_MERGEABLE, MADV_MERGEABLE, MADV_MERGEABLE, MADV_UNMERGEABLE,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT, MADV_PAGEOUT,
		MADV_DONTNEED_LOCKED, MADV_SEQUENTIAL, MADV_NORMAL, MADV_DONTDUMP, MADV_DODUMP,
	};
	int advice = advices[check_below(actor, sizeof(advices) / sizeof(advices[0]))];

	do_madvise(actor, proc->mm, some_range(actor, proc), advice);
}

static void op_brk(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t brk = HEAP_START + check_below(actor, 64) * UM_PAGE_SIZE + check_below(actor, 3);
	int err;

	if (!proc->has_heap)
		return;
	say(actor, SAY_MM "brk %lx", um_mm_id(proc->mm), brk);
	err = CHECK_TRY(actor, CHECK_UNCHANGED, um_brk(proc->mm, brk));
	say(actor, "-> %d", err);
}

static void op_mlock(struct check_actor *actor, struct check_mm *proc)
{
	struct range range = some_range(actor, proc);
	bool on = chance(actor, 30), onfault = chance(actor, 30);

	say(actor, SAY_MM "mlock %lx %lx %d %d", um_mm_id(proc->mm), range.addr, range.len, on,
	    onfault);
	CHECK_TRY(actor, CHECK_CHANGES(proc->mm, range.addr, range.len),
		  um_mlock(proc->mm, range.addr, range.len, on, onfault));
}

static void op_mlockall(struct check_actor *actor, struct check_mm *proc)
{
	bool now = chance(actor, 15), future = chance(actor, 15), onfault;

	say(actor, SAY_MM "mlockall %d %d", um_mm_id(proc->mm), now, future);
	onfault = chance(actor, 50);
	CHECK_TRY_SILENT(actor, um_mlockall(proc->mm, now, future, onfault));
}

static void op_vma_name(struct check_actor *actor, struct check_mm *proc)
{
	static const char *const names[] = { "heap", "stack", NULL };
	const char *name = names[check_below(actor, 3)];
	struct range range = some_range(actor, proc);

	say(actor, SAY_MM "name %lx %lx %s", um_mm_id(proc->mm), range.addr, range.len,
	    name ? name : "-");
	CHECK_TRY(actor, CHECK_CHANGES(proc->mm, range.addr, range.len),
		  um_vma_name(proc->mm, range.addr, range.len, name));
}

static void op_uffd_move(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t src = mapped_addr_with(actor, proc, VMA_WRITE);
	uint64_t dst = mapped_addr_with(actor, proc, VMA_WRITE);
	uint64_t len = (1 + check_below(actor, 4)) * UM_PAGE_SIZE;
	int err;

	len = fit(actor, src, fit(actor, dst, len));
	/* Make room, so that it succeeds now and then. */
	if (chance(actor, 60))
		do_madvise(actor, proc->mm, (struct range) { dst, len }, MADV_DONTNEED);
	say(actor, SAY_MM "uffd_move %lx <- %lx %lx", um_mm_id(proc->mm), dst, src, len);
	err = CHECK_TRY(actor, uffd_promise(proc->mm, dst, src, len),
			um_uffd_move(proc->mm, dst, src, len));
	say(actor, "-> %d", err);
}

/* -- Accesses ---------------------------------------------------------------------- */

static uint64_t some_pages(struct check_actor *actor, uint64_t addr)
{
	return fit(actor, addr, (1 + check_below(actor, 8)) * UM_PAGE_SIZE) / UM_PAGE_SIZE;
}

static void op_read(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t addr = mapped_addr(actor, proc);
	uint64_t i, nr = some_pages(actor, addr);

	for (i = 0; i < nr; i++, addr += UM_PAGE_SIZE)
		do_read(actor, proc->mm, addr);
}

static void op_write(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t addr = mapped_addr_with(actor, proc, VMA_WRITE);
	uint64_t i, nr = some_pages(actor, addr);

	for (i = 0; i < nr; i++, addr += UM_PAGE_SIZE)
		do_write(actor, proc->mm, addr, some_content(actor));
}

/* Below a stack, now and then far below. */
static void op_grow(struct check_actor *actor, struct check_mm *proc)
{
	size_t i, nr = own_vmas(actor, proc), start;

	if (!nr)
		return;
	start = check_below(actor, nr);
	for (i = 0; i < nr; i++) {
		struct um_vma_info *vma = &actor->vmas[(start + i) % nr];
		uint64_t addr = vma->start - (1 + check_below(actor, 12)) * UM_PAGE_SIZE;

		if (!(vma->flags & VMA_GROWSDOWN) ||
		    (!is_alone(actor) && !in_arena(actor, addr, vma->start)))
			continue;
		do_write(actor, proc->mm, addr, some_content(actor));
		return;
	}
}

static void op_touch(struct check_actor *actor, struct check_mm *proc)
{
	struct range range = some_range(actor, proc);
	int err;

	say(actor, SAY_MM "touch %lx %lx", um_mm_id(proc->mm), range.addr, range.len);
	err = CHECK_TRY(actor, fault_promise(proc->mm, range.addr, range.len / UM_PAGE_SIZE),
			um_touch(proc->mm, range.addr, range.len / UM_PAGE_SIZE));
	say(actor, "-> %d", err);
}

static void op_touch_huge(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t addr;
	int err;

	if (chance(actor, 70))
		addr = huge_addr(actor, proc) + check_below(actor, HUGE_PAGES) * UM_PAGE_SIZE;
	else
		addr = mapped_addr(actor, proc);
	say(actor, SAY_MM "touch huge %lx", um_mm_id(proc->mm), addr);
	err = CHECK_TRY(actor, fault_promise(proc->mm, addr, 1), um_touch_huge(proc->mm, addr));
	say(actor, "-> %d", err);
}

static void op_fault_order(struct check_actor *actor, struct check_mm *proc)
{
	unsigned int order = chance(actor, 50) ? 0 : check_below(actor, 10);

	say(actor, SAY_MM "fault order %u", um_mm_id(proc->mm), order);
	um_set_fault_order(proc->mm, order);
}

/* -- The kernel -------------------------------------------------------------------- */

static void op_reclaim(struct check_actor *actor, struct check_mm *proc __attribute__((unused)))
{
	long pages = 1 + check_below(actor, 64);

	say(actor, "reclaim %ld", pages);
	CHECK_TRY_SILENT(actor, um_reclaim(actor->checker->world, pages));
}

static void op_migrate(struct check_actor *actor, struct check_mm *proc __attribute__((unused)))
{
	long pages = 1 + check_below(actor, 64);

	say(actor, "migrate %ld", pages);
	CHECK_TRY_SILENT(actor, um_migrate(actor->checker->world, pages));
}

static void op_age(struct check_actor *actor, struct check_mm *proc __attribute__((unused)))
{
	long pages = 1 + check_below(actor, 64);

	say(actor, "age %ld", pages);
	CHECK_TRY_SILENT(actor, um_age(actor->checker->world, pages));
}

static void op_swapoff(struct check_actor *actor, struct check_mm *proc __attribute__((unused)))
{
	int err;

	say(actor, "swapoff");
	err = CHECK_TRY(actor, CHECK_UNCHANGED, um_swapoff(actor->checker->world));
	say(actor, "-> %d", err);
}

static void op_ksm(struct check_actor *actor, struct check_mm *proc __attribute__((unused)))
{
	long pages = 1 + check_below(actor, 256);

	say(actor, "ksm %ld", pages);
	CHECK_TRY_SILENT(actor, um_ksm_scan(actor->checker->world, pages));
}

/*
 * Two processes write the same; KSM makes one page of it; that is swapped out, and
 * comes back here and there. Whose is it then?
 */
static void op_twins(struct check_actor *actor, struct check_mm *proc)
{
	struct check_mm *twins[2] = { proc, some_mm(actor) };
	struct um_world *world = actor->checker->world;
	uint64_t addr[2], content = some_content(actor);
	int i;

	say(actor, "twins: mm %u and %u", um_mm_id(proc->mm), um_mm_id(twins[1]->mm));
	for (i = 0; i < 2; i++) {
		/* Siblings have the same addresses, and so the same anon offsets. */
		addr[i] = i && chance(actor, 70) ? addr[0] :
			mapped_addr_with(actor, twins[i], VMA_WRITE);
		do_madvise(actor, twins[i]->mm, (struct range) { addr[i], UM_PAGE_SIZE },
			   MADV_MERGEABLE);
		do_write(actor, twins[i]->mm, addr[i], content);
	}
	for (i = 0; i < 3; i++)
		CHECK_TRY_SILENT(actor, um_ksm_scan(world, 512));
	/* The first time all have been used. */
	for (i = 0; i < 2; i++)
		CHECK_TRY_SILENT(actor, um_reclaim(world, 8192));
	for (i = 0; i < 2; i++) {
		if (chance(actor, 30))
			do_write(actor, twins[i]->mm, addr[i], some_content(actor));
		else
			do_read(actor, twins[i]->mm, addr[i]);
	}
}

static void op_collapse(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t addr = huge_addr(actor, proc);
	int i, err;

	for (i = check_below(actor, 8); i >= 0; i--)
		do_write(actor, proc->mm, addr + i * UM_PAGE_SIZE, some_content(actor));
	say(actor, SAY_MM "collapse %lx", um_mm_id(proc->mm), addr);
	err = CHECK_TRY(actor, CHECK_UNCHANGED, um_collapse(proc->mm, addr));
	say(actor, "-> %d", err);
}

static void op_split(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t addr = mapped_addr(actor, proc);
	int err;

	say(actor, SAY_MM "split huge %lx", um_mm_id(proc->mm), addr);
	err = CHECK_TRY(actor, CHECK_UNCHANGED, um_split_huge(proc->mm, addr));
	say(actor, "-> %d", err);
}

static void op_failure(struct check_actor *actor, struct check_mm *proc)
{
	uint64_t addr = mapped_addr(actor, proc);
	unsigned int victims = 0;
	int err;

	say(actor, SAY_MM "memory failure %lx", um_mm_id(proc->mm), addr);
	err = CHECK_TRY(actor, CHECK_UNCHANGED, um_memory_failure(proc->mm, addr, &victims));
	say(actor, "-> %d, %u victims", err, victims);
}

/* -- All of them ------------------------------------------------------------------- */

static const struct {
	unsigned int weight;
	void (*fn)(struct check_actor *actor, struct check_mm *proc);
} operations[] = {
	{ 100, op_mmap },
	{ 50, op_munmap },
	{ 60, op_mremap },
	{ 20, op_wander },
	{ 50, op_mprotect },
	{ 60, op_madvise },
	{ 20, op_brk },
	{ 8, op_mlock },
	{ 3, op_mlockall },
	{ 8, op_vma_name },
	{ 20, op_uffd_move },
	{ 100, op_read },
	{ 150, op_write },
	{ 12, op_grow },
	{ 15, op_touch },
	{ 25, op_touch_huge },
	{ 4, op_fault_order },
	{ 25, op_reclaim },
	{ 25, op_migrate },
	{ 15, op_age },
	{ 2, op_swapoff },
	{ 20, op_ksm },
	{ 4, op_twins },
	{ 10, op_collapse },
	{ 10, op_split },
	{ 1, op_failure },
	{ 25, op_fork },
	{ 2, op_lineage },
	{ 22, op_exit },
	{ 4, op_share },
	{ 6, op_exec },
};

void check_op(struct check_actor *actor)
{
	struct check_mm *proc = some_mm(actor);
	unsigned int sum = 0, pick;
	size_t i;

	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		sum += operations[i].weight;
	pick = check_below(actor, sum);
	for (i = 0; pick >= operations[i].weight; i++)
		pick -= operations[i].weight;
	/* Now and then, memory runs out somewhere on the way. */
	if (chance(actor, 12) && !actor->checker->options->faults) {
		say(actor, "allocation fails");
		kshim_fail_nth(1 + check_below(actor, 16));
	}
	if (proc)
		operations[i].fn(actor, proc);
	kshim_fail_disarm();
	actor->ops++;
}
