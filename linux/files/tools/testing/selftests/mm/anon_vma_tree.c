// SPDX-License-Identifier: GPL-2.0
/*
 * The pages of a fork tree, under everything that has to find all their mappings
 *
 * A process and its descendants share the pages of an area, and each of them has
 * written some of them: so pages belong to all, to a branch, or to one. Each write
 * puts a number into the page that no other write uses. As every process knows what
 * it should read, contents tell whether a process has the right page; and as two
 * processes share a page exactly if they read the same number, pagemap tells whether
 * one of them was left behind when the page went elsewhere.
 *
 * Migration, reclaim, KSM and huge pages look for all mappings of a page. mremap(),
 * munmap(), mprotect(), fork() and exit() change where they are to be found.
 */
#include "../kselftest_harness.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "vm_util.h"
#include "thp_settings.h"

#define NR_PAGES	64
#define MAX_PROCS	24
#define TIMEOUT		240

/*
 * Pages 0 ... MAX_PROCS - 1 are written by a parent before it forks, the upper half by
 * each process after it was forked. These are written by the root only, before all.
 */
#define COMMON_FIRST	24
#define COMMON_LAST	31
#define OWN_FIRST	32

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

#define EVERYONE	-1
#define NR_KSM_SETTINGS	4

enum command {
	CHECK,		/* read all pages, report what is mapped */
	PEEK,		/* report without reading */
	WRITE,		/* a new number into page arg */
	MIGRATE,	/* all pages to node arg */
	PAGEOUT,	/* the page written last */
	MOVE,		/* pages arg ... arg + 15 elsewhere */
	MOVE_DONTUNMAP,	/* the same, and keep the area */
	MOVE_BACK,
	PUNCH,		/* unmap every eighth page */
	REFILL,		/* map and write what was unmapped */
	PROTECT,	/* split the area into many, and join it again */
	LEAVE,
};

#define MOVE_NR		16

/* What a process knows of its own pages; inherited. */
static struct {
	int me;
	int pagemap;
	char *home[NR_PAGES];		/* where it was at first */
	char *at[NR_PAGES];		/* where it is, NULL if unmapped */
	__u64 number[NR_PAGES];	/* in it, 0 if unmapped */
} my;

/* The same for all. Only the root gives commands, one at a time. */
static struct {
	pid_t pids[MAX_PROCS];
	unsigned int turn;		/* counts commands */
	unsigned int done;		/* processes that have obeyed */
	int command, who;
	long arg;
	__u64 last_number;
	int failed;
	struct {
		__u64 number[NR_PAGES];
		__u64 entry[NR_PAGES];
	} report[MAX_PROCS];
} *all;

/* What a test has changed of the machine. In the fixture, which outlives the root. */
struct changes {
	char cgroup[256];
	bool ksm;
	long ksm_before[NR_KSM_SETTINGS];
};

/* The root's. */
static struct changes *changes;
static bool alive[MAX_PROCS];
static bool huge;			/* a page may count as shared if one next to it is */
static int nr_members;			/* besides the root, dead ones included */
static int nodes[2] = { -1, -1 };

static void __printf(1, 2) fail(const char *format, ...)
{
	char text[200];
	va_list args;

	/* What follows from the first failure is of no interest. */
	if (__atomic_exchange_n(&all->failed, 1, __ATOMIC_ACQ_REL))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ksft_print_msg("%s\n", text);
	fflush(stdout);
}

/* -- One process and its pages --------------------------------------------------- */

static __u64 next_number(void)
{
	return __atomic_add_fetch(&all->last_number, 1, __ATOMIC_RELAXED);
}

static void put(int page, __u64 number)
{
	unsigned long words = psize() / sizeof(__u64), i;
	__u64 *word = (__u64 *)my.at[page];

	for (i = 0; i < words; i += words / 8)
		word[i] = number;
	word[words - 1] = number;
	my.number[page] = number;
}

static void check_word(int page, unsigned long i)
{
	__u64 *word = (__u64 *)my.at[page], seen = __atomic_load_n(&word[i], __ATOMIC_RELAXED);

	if (seen != my.number[page])
		fail("process %d, page %d: %llx instead of %llx", my.me, page, seen,
		     my.number[page]);
}

static void check_contents(void)
{
	unsigned long words = psize() / sizeof(__u64), i;
	int page;

	for (page = 0; page < NR_PAGES; page++) {
		if (!my.at[page])
			continue;
		for (i = 0; i < words; i += words / 8)
			check_word(page, i);
		check_word(page, words - 1);
	}
}

static void report(void)
{
	int page;

	for (page = 0; page < NR_PAGES; page++) {
		all->report[my.me].number[page] = my.number[page];
		all->report[my.me].entry[page] = my.at[page] ?
			pagemap_get_entry(my.pagemap, my.at[page]) : 0;
	}
}

static int mapped(void *addr[], int *index)
{
	int page, nr = 0;

	for (page = 0; page < NR_PAGES; page++) {
		if (!my.at[page])
			continue;
		addr[nr] = my.at[page];
		index[nr++] = page;
	}
	return nr;
}

/* Migration may meet a page that somebody else has locked or isolated: again then. */
static void migrate_to(int node)
{
	int index[NR_PAGES], target[NR_PAGES], status[NR_PAGES], nr, i, try;
	void *addr[NR_PAGES];

	nr = mapped(addr, index);
	for (i = 0; i < nr; i++)
		target[i] = node;
	for (try = 0; try < 200; try++) {
		if (syscall(SYS_move_pages, 0, nr, addr, target, status, MPOL_MF_MOVE_ALL) < 0) {
			fail("process %d: move_pages: %s", my.me, strerror(errno));
			return;
		}
		if (syscall(SYS_move_pages, 0, nr, addr, NULL, status, 0) < 0) {
			fail("process %d: move_pages: %s", my.me, strerror(errno));
			return;
		}
		for (i = 0; i < nr && status[i] == node; i++)
			;
		if (i == nr)
			return;
		usleep(1000 + 500 * try);
	}
	fail("process %d: page %d is not on node %d: %d", my.me, index[i], node, status[i]);
}

/* Only a page that nobody else maps is paged out this way. */
static void pageout_own(void)
{
	int page = OWN_FIRST + my.me, try;

	for (try = 0; try < 50; try++) {
		if (madvise(my.at[page], psize(), MADV_PAGEOUT)) {
			fail("process %d: MADV_PAGEOUT: %s", my.me, strerror(errno));
			return;
		}
		if (pagemap_is_swapped(my.pagemap, my.at[page]))
			return;
		usleep(1000);
	}
}

static void move(int first, unsigned int flags)
{
	size_t length = MOVE_NR * psize();
	char *to, *from = my.at[first];
	int i;

	to = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (to == MAP_FAILED ||
	    mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to) != to) {
		fail("process %d: mremap: %s", my.me, strerror(errno));
		return;
	}
	for (i = 0; i < MOVE_NR; i++)
		my.at[first + i] = to + i * psize();
	/* What is left behind is empty; to write there makes new pages. */
	if (flags & MREMAP_DONTUNMAP)
		memset(from, 0xff, length);
}

static void move_back(int first)
{
	size_t length = MOVE_NR * psize();
	char *to = my.home[first];
	int i;

	if (my.at[first] == to)
		return;
	if (mremap(my.at[first], length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to) {
		fail("process %d: mremap: %s", my.me, strerror(errno));
		return;
	}
	for (i = 0; i < MOVE_NR; i++)
		my.at[first + i] = to + i * psize();
}

static void punch(void)
{
	int page;

	for (page = my.me % 8; page < NR_PAGES; page += 8) {
		if (munmap(my.at[page], psize()))
			fail("process %d: munmap: %s", my.me, strerror(errno));
		my.at[page] = NULL;
		my.number[page] = 0;
	}
}

static void refill(void)
{
	int page;

	for (page = 0; page < NR_PAGES; page++) {
		if (my.at[page])
			continue;
		if (mmap(my.home[page], psize(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
			fail("process %d: mmap: %s", my.me, strerror(errno));
			return;
		}
		my.at[page] = my.home[page];
		put(page, next_number());
	}
}

static void protect(void)
{
	int page, pass;

	for (pass = 0; pass < 2; pass++)
		for (page = 1; page < NR_PAGES; page += 2)
			if (my.at[page] &&
			    mprotect(my.at[page], psize(), PROT_READ | (pass ? PROT_WRITE : 0)))
				fail("process %d: mprotect: %s", my.me, strerror(errno));
}

static void obey(enum command command, long arg)
{
	switch (command) {
	case CHECK:
		check_contents();
		report();
		break;
	case PEEK:
		report();
		break;
	case WRITE:
		put(arg < 0 ? OWN_FIRST + my.me : arg, next_number());
		break;
	case MIGRATE:
		migrate_to(arg);
		break;
	case PAGEOUT:
		pageout_own();
		break;
	case MOVE:
		move(arg, 0);
		break;
	case MOVE_DONTUNMAP:
		move(arg, MREMAP_DONTUNMAP);
		break;
	case MOVE_BACK:
		move_back(arg);
		break;
	case PUNCH:
		punch();
		break;
	case REFILL:
		refill();
		break;
	case PROTECT:
		protect();
		break;
	case LEAVE:
		break;
	}
}

/* -- The tree -------------------------------------------------------------------- */

static void member(void)
{
	unsigned int seen = 0, turn;

	__atomic_add_fetch(&all->done, 1, __ATOMIC_RELEASE);
	for (;;) {
		bool leave;

		while ((turn = __atomic_load_n(&all->turn, __ATOMIC_ACQUIRE)) == seen) {
			/* The root was killed, by a timeout maybe. */
			if (kill(all->pids[0], 0))
				_exit(1);
			usleep(300);
		}
		seen = turn;
		leave = false;
		if (all->who == EVERYONE || all->who == my.me) {
			obey(all->command, all->arg);
			leave = all->command == LEAVE;
		}
		__atomic_add_fetch(&all->done, 1, __ATOMIC_RELEASE);
		if (leave)
			_exit(0);
	}
}

/* Wait until that many members have reported; notice when one died instead. */
static bool await(unsigned int members)
{
	unsigned int round;
	int i;

	for (round = 1; __atomic_load_n(&all->done, __ATOMIC_ACQUIRE) < members; round++) {
		for (i = 1; round % 1000 == 0 && i <= nr_members; i++)
			if (alive[i] && all->pids[i] && kill(all->pids[i], 0)) {
				fail("process %d died", i);
				return false;
			}
		if (__atomic_load_n(&all->failed, __ATOMIC_ACQUIRE) && round > 100000)
			return false;
		usleep(200);
	}
	return true;
}

/* Have a process do something, the root included, and wait for it. */
static bool tell(int who, enum command command, long arg)
{
	unsigned int members = 0;
	int i;

	for (i = 1; i <= nr_members; i++)
		members += alive[i];
	all->command = command;
	all->who = who;
	all->arg = arg;
	__atomic_store_n(&all->done, 0, __ATOMIC_RELAXED);
	__atomic_add_fetch(&all->turn, 1, __ATOMIC_RELEASE);
	if (who == EVERYONE || who == 0)
		obey(command, arg);
	return await(members) && !all->failed;
}

/* Members leave, their children stay. */
static bool dismiss(int who)
{
	bool ok = tell(who, LEAVE, 0);
	int i;

	for (i = 1; i <= nr_members; i++) {
		if (!alive[i] || (who != EVERYONE && who != i))
			continue;
		while (!kill(all->pids[i], 0))
			usleep(300);
		alive[i] = false;
	}
	return ok;
}

/*
 * Member @index becomes a child of the process that this runs in; in a chain it goes on
 * to make the next one.
 */
static void spawn(int index, int last, bool chain)
{
	pid_t pid;

	if (index - 1 < COMMON_FIRST)
		put(index - 1, next_number());
	pid = fork();
	if (pid < 0) {
		fail("fork: %s", strerror(errno));
		return;
	}
	if (pid)
		return;

	my.me = index;
	all->pids[index] = getpid();
	my.pagemap = open("/proc/self/pagemap", O_RDONLY);
	put(OWN_FIRST + index, next_number());
	if (chain && index < last)
		spawn(index + 1, last, chain);
	member();
}

/* -- What the root does ------------------------------------------------------------ */

static void set_page(int page, char *at)
{
	my.home[page] = at;
	my.at[page] = at;
}

static void set_area(char *start, unsigned long stride)
{
	int page;

	for (page = 0; page < NR_PAGES; page++)
		set_page(page, start + page * stride);
}

static char *map_area(void)
{
	char *area = mmap(NULL, NR_PAGES * psize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area != MAP_FAILED)
		set_area(area, psize());
	return area;
}

static void fill_area(void)
{
	int page;

	for (page = 0; page < NR_PAGES; page++)
		put(page, next_number());
}

/*
 * Did all that shared a page go where it went? Two processes have the same page exactly
 * if they read the same number in it; and who is alone with a page is told so.
 */
static bool same_number_same_page(int *p, int *q, int *at)
{
	int i, j, page;

	for (page = 0; page < NR_PAGES; page++) {
		for (i = 0; i <= nr_members; i++) {
			__u64 entry = all->report[i].entry[page];
			bool sharing = false;

			if (!alive[i])
				continue;
			*p = *q = i;
			*at = page;
			if (PAGEMAP_PRESENT(entry) != !!all->report[i].number[page])
				return false;
			if (!PAGEMAP_PRESENT(entry))
				continue;
			if (entry & PM_FILE)
				return false;
			for (j = 0; j <= nr_members; j++) {
				__u64 other = all->report[j].entry[page];
				bool same_number = all->report[i].number[page] ==
						   all->report[j].number[page];
				bool same_page = PAGEMAP_PRESENT(other) &&
						 PAGEMAP_PFN(other) == PAGEMAP_PFN(entry);

				if (!alive[j] || j == i)
					continue;
				*q = j;
				if (same_page != same_number)
					return false;
				sharing |= same_page;
			}
			*q = i;
			if (entry & PM_MMAP_EXCLUSIVE ? sharing : !sharing && !huge)
				return false;
		}
	}
	return true;
}

/* The kernel may be moving a page on its own account between two reports: look again. */
static bool check_sharing(void)
{
	int p, q, page, try;

	for (try = 0; try < 20; try++) {
		if (!tell(EVERYONE, CHECK, 0))
			return false;
		if (same_number_same_page(&p, &q, &page))
			return true;
		usleep(20000);
	}
	fail("page %d: process %d has number %llu, entry %llx; process %d %llu, %llx", page,
	     p, all->report[p].number[page],
	     all->report[p].entry[page],
	     q, all->report[q].number[page],
	     all->report[q].entry[page]);
	return false;
}

static bool check_only_contents(void)
{
	return tell(EVERYONE, CHECK, 0);
}

/* Look for all mappings of all pages, from each process. */
static bool churn(void)
{
	int i;

	if (nodes[1] < 0) {
		/* No other node to go to; this moves some of them. */
		write_num("/proc/sys/vm/compact_memory", 1);
		return true;
	}
	for (i = 0; i <= nr_members; i++)
		if (alive[i] && !tell(i, MIGRATE, nodes[i & 1]))
			return false;
	return true;
}

/* -- What the machine can do --------------------------------------------------------- */

static bool read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "r");
	bool ok = file && fgets(line, size, file);

	if (file)
		fclose(file);
	return ok;
}

static bool write_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* The first two nodes that have memory. */
static void find_nodes(void)
{
	char line[200], *at = line;
	int found = 0;

	if (!read_line("/sys/devices/system/node/has_memory", line, sizeof(line)))
		return;
	while (found < 2 && *at >= '0' && *at <= '9') {
		long first = strtol(at, &at, 10), last = first;

		if (*at == '-')
			last = strtol(at + 1, &at, 10);
		for (; found < 2 && first <= last; first++)
			nodes[found++] = first;
		if (*at == ',')
			at++;
	}
}

static bool have_swap(void)
{
	FILE *swaps = fopen("/proc/swaps", "r");
	char line[300];
	bool any;

	/* A heading, then a line for each. */
	any = swaps && fgets(line, sizeof(line), swaps) && fgets(line, sizeof(line), swaps);
	if (swaps)
		fclose(swaps);
	return any;
}

/* Into a cgroup of our own, whose memory can be reclaimed: mapped by many or not. */
static bool enter_cgroup(void)
{
	char line[400], cgroup_root[200] = "", path[300], pid[20];
	FILE *mounts = fopen("/proc/mounts", "r");
	char *cgroup = changes->cgroup;
	bool found = false;

	while (mounts && !found && fgets(line, sizeof(line), mounts))
		found = strstr(line, " cgroup2 ") && sscanf(line, "%*s %199s", cgroup_root) == 1;
	if (mounts)
		fclose(mounts);
	if (!found)
		return false;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", cgroup_root);
	write_line(path, "+memory");
	snprintf(cgroup, sizeof(changes->cgroup), "%s/anon_vma_tree.%d", cgroup_root, getpid());
	if (mkdir(cgroup, 0755)) {
		cgroup[0] = 0;
		return false;
	}
	snprintf(path, sizeof(path), "%s/memory.reclaim", cgroup);
	if (access(path, W_OK))
		return false;
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	snprintf(pid, sizeof(pid), "%d", getpid());
	return write_line(path, pid);
}

/* Whoever is in it, this process maybe, is of no use any more. */
static void remove_cgroup(const char *cgroup)
{
	char path[300], pid[20];
	int try;

	if (!cgroup[0])
		return;
	snprintf(path, sizeof(path), "%s/../cgroup.procs", cgroup);
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_line(path, pid);
	snprintf(path, sizeof(path), "%s/cgroup.kill", cgroup);
	write_line(path, "1");
	for (try = 0; try < 1000 && rmdir(cgroup); try++)
		usleep(5000);
}

/* Returns how many of the common pages are in no page table any more. */
static int reclaim_common(void)
{
	char path[300];
	int try, i, page, swapped = 0;

	snprintf(path, sizeof(path), "%s/memory.reclaim", changes->cgroup);
	for (try = 0; try < 30; try++) {
		/* It says EAGAIN when there was less than that: fine. */
		write_line(path, "64M");
		if (!tell(EVERYONE, PEEK, 0))
			return 0;
		swapped = 0;
		for (page = COMMON_FIRST; page <= COMMON_LAST; page++) {
			bool everywhere = true;

			for (i = 0; i <= nr_members; i++)
				if (alive[i] && !(all->report[i].entry[page] & PM_SWAP))
					everywhere = false;
			swapped += everywhere;
		}
		if (swapped == COMMON_LAST - COMMON_FIRST + 1)
			break;
		usleep(1000);
	}
	return swapped;
}

#define KSM	"/sys/kernel/mm/ksm/"

static const struct {
	const char *path;
	int value;
} ksm_settings[NR_KSM_SETTINGS] = {
	{ KSM "run", 1 },
	{ KSM "pages_to_scan", 10000 },
	{ KSM "sleep_millisecs", 1 },
	{ KSM "smart_scan", 0 },
};

/* Somebody may have left KSM on: what it has merged half is not what fork left behind. */
static void ksm_stop(void)
{
	char line[30];
	unsigned int i;

	for (i = 0; i < NR_KSM_SETTINGS; i++)
		changes->ksm_before[i] = read_line(ksm_settings[i].path, line, sizeof(line)) ?
			atol(line) : -1;
	changes->ksm = true;
	write_num(KSM "run", 0);
}

static void ksm_start(void)
{
	unsigned int i;

	for (i = NR_KSM_SETTINGS; i-- > 0;)
		if (changes->ksm_before[i] >= 0)
			write_num(ksm_settings[i].path, ksm_settings[i].value);
}

static void ksm_restore(const struct changes *changed)
{
	unsigned int i;

	for (i = 0; changed->ksm && i < NR_KSM_SETTINGS; i++)
		if (changed->ksm_before[i] >= 0)
			write_num(ksm_settings[i].path, changed->ksm_before[i]);
}

/* The common pages all hold the same: are they one page, in all processes? */
static bool merged(void)
{
	int i, page;

	for (i = 0; i <= nr_members; i++)
		for (page = COMMON_FIRST; alive[i] && page <= COMMON_LAST; page++)
			if (!PAGEMAP_PRESENT(all->report[i].entry[page]) ||
			    PAGEMAP_PFN(all->report[i].entry[page]) !=
			    PAGEMAP_PFN(all->report[0].entry[COMMON_FIRST]))
				return false;
	return true;
}

static bool await_merged(void)
{
	int try;

	for (try = 0; try < 300; try++) {
		if (!tell(EVERYONE, CHECK, 0))
			return false;
		if (merged())
			return true;
		usleep(50000);
	}
	fail("KSM has not merged all that is equal");
	return false;
}

/* -- The tests ----------------------------------------------------------------------- */

FIXTURE(anon_vma_tree) {
	struct changes changes;
};

FIXTURE_VARIANT(anon_vma_tree) {
	int members;	/* besides the root */
	bool chain;	/* each a child of the one before, or all of the root */
	bool orphans;	/* every other one leaves before the test begins */
};

FIXTURE_VARIANT_ADD(anon_vma_tree, alone) {
	.members = 0,
};

FIXTURE_VARIANT_ADD(anon_vma_tree, one_child) {
	.members = 1,
};

FIXTURE_VARIANT_ADD(anon_vma_tree, wide) {
	.members = 9,
};

FIXTURE_VARIANT_ADD(anon_vma_tree, deep) {
	.members = 20,
	.chain = true,
};

FIXTURE_VARIANT_ADD(anon_vma_tree, orphans) {
	.members = 7,
	.chain = true,
	.orphans = true,
};

FIXTURE_SETUP(anon_vma_tree)
{
	if (geteuid())
		SKIP(return, "only root sees page frame numbers");

	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)all);
	my.pagemap = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_LE(0, my.pagemap);
	all->pids[0] = getpid();
	/* KSM may still know the pages of a test before this one. */
	all->last_number = (__u64)getpid() << 32;
	alive[0] = true;
	changes = &self->changes;
	find_nodes();

	/* Who leaves is gone at once, wherever in the tree. */
	signal(SIGCHLD, SIG_IGN);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

/* In the process that waits for the root, or in the root after an assertion. */
FIXTURE_TEARDOWN_PARENT(anon_vma_tree)
{
	ksm_restore(&self->changes);
	remove_cgroup(self->changes.cgroup);
}

/* The area is mapped and filled: make the tree. */
static bool grow(int members, bool chain, bool orphans)
{
	int i;

	for (i = 1; i <= members; i++)
		alive[i] = true;
	nr_members = members;
	for (i = 1; i <= members; i++) {
		spawn(i, members, chain);
		if (chain)
			break;
	}
	if (all->failed || !await(members))
		return false;
	for (i = 1; orphans && i <= members; i += 2)
		if (!dismiss(i))
			return false;
	return check_sharing();
}

/* Every process in turn moves all the pages that it maps, whoever else maps them. */
TEST_F_TIMEOUT(anon_vma_tree, migrate, TIMEOUT)
{
	int round;

	if (nodes[1] < 0)
		SKIP(return, "one node only");

	ASSERT_NE(MAP_FAILED, map_area());
	fill_area();
	ASSERT_TRUE(grow(variant->members, variant->chain, variant->orphans));
	for (round = 0; round < 3; round++) {
		ASSERT_TRUE(churn());
		ASSERT_TRUE(check_sharing());
		ASSERT_TRUE(tell(EVERYONE, WRITE, round));
		ASSERT_TRUE(tell(EVERYONE, WRITE, -1));
		ASSERT_TRUE(check_sharing());
	}
	ASSERT_TRUE(dismiss(EVERYONE));
}

/* Pages of one process alone; each pages out its own. */
TEST_F_TIMEOUT(anon_vma_tree, pageout, TIMEOUT)
{
	int round;

	if (!have_swap())
		SKIP(return, "no swap");

	ASSERT_NE(MAP_FAILED, map_area());
	fill_area();
	ASSERT_TRUE(grow(variant->members, variant->chain, variant->orphans));
	for (round = 0; round < 3; round++) {
		ASSERT_TRUE(tell(EVERYONE, WRITE, -1));
		ASSERT_TRUE(tell(EVERYONE, PAGEOUT, 0));
		ASSERT_TRUE(tell(EVERYONE, PEEK, 0));
		if (!(all->report[0].entry[OWN_FIRST] & PM_SWAP))
			SKIP(return, "the page was not paged out");
		ASSERT_TRUE(check_sharing());
		ASSERT_TRUE(churn());
		ASSERT_TRUE(check_sharing());
	}
	ASSERT_TRUE(dismiss(EVERYONE));
}

/* Pages of many: reclaim has to find every mapping, swap-in an owner for all. */
TEST_F_TIMEOUT(anon_vma_tree, swap, TIMEOUT)
{
	int round, last;

	if (!have_swap())
		SKIP(return, "no swap");
	if (!enter_cgroup())
		SKIP(return, "no cgroup2 with memory.reclaim");

	ASSERT_NE(MAP_FAILED, map_area());
	fill_area();
	ASSERT_TRUE(grow(variant->members, variant->chain, variant->orphans));
	for (last = nr_members; !alive[last]; last--)
		;
	for (round = 0; round < 3; round++) {
		ASSERT_NE(0, reclaim_common());
		/* One comes first, then all at once. */
		if (round & 1)
			ASSERT_TRUE(tell(last, CHECK, 0));
		ASSERT_TRUE(check_only_contents());
		ASSERT_TRUE(churn());
		ASSERT_TRUE(check_only_contents());
		ASSERT_TRUE(tell(EVERYONE, WRITE, round));
		ASSERT_TRUE(check_only_contents());
	}
	ASSERT_TRUE(dismiss(EVERYONE));
}

/* A KSM page belongs to nobody, and is found by address. */
TEST_F_TIMEOUT(anon_vma_tree, ksm, TIMEOUT)
{
	__u64 number;
	int page, i;
	char *area;

	if (access(KSM "run", W_OK))
		SKIP(return, "no KSM");
	ksm_stop();

	area = map_area();
	ASSERT_NE(MAP_FAILED, area);
	if (madvise(area, NR_PAGES * psize(), MADV_MERGEABLE))
		SKIP(return, "MADV_MERGEABLE: %s", strerror(errno));
	fill_area();
	number = next_number();
	for (page = COMMON_FIRST; page <= COMMON_LAST; page++)
		put(page, number);
	ASSERT_TRUE(grow(variant->members, variant->chain, variant->orphans));

	ksm_start();
	ASSERT_TRUE(await_merged());
	ASSERT_TRUE(tell(EVERYONE, WRITE, COMMON_FIRST));
	ASSERT_TRUE(check_only_contents());

	/* Once more, now that what is equal was not so from the beginning. */
	for (i = 0; nodes[1] >= 0 && i < 4; i++) {
		ASSERT_TRUE(tell(0, MIGRATE, nodes[i & 1]));
		ASSERT_TRUE(check_only_contents());
	}
	for (i = 0; i <= nr_members; i++) {
		if (!alive[i])
			continue;
		ASSERT_TRUE(tell(i, MOVE, 16));
		ASSERT_TRUE(tell(i, WRITE, COMMON_LAST));
		ASSERT_TRUE(check_only_contents());
	}
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_only_contents());

	/* Give every process its own copies back. */
	ASSERT_EQ(0, madvise(my.at[16], MOVE_NR * psize(), MADV_UNMERGEABLE));
	write_num(KSM "run", 2);
	ASSERT_TRUE(check_only_contents());
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_only_contents());
	ASSERT_TRUE(dismiss(EVERYONE));
}

/* Huge pages: one that is written into by each process, one that stays whole. */
TEST_F_TIMEOUT(anon_vma_tree, thp, TIMEOUT)
{
	__u64 size = read_pmd_pagesize();
	char *area, *whole, *written, line[100];
	int page;

	if (!thp_is_enabled() || !size)
		SKIP(return, "no transparent huge pages");

	area = mmap(NULL, 3 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	whole = (char *)(((uintptr_t)area + size - 1) & ~(size - 1));
	written = whole + size;
	ASSERT_EQ(0, madvise(whole, 2 * size, MADV_HUGEPAGE));
	for (page = 0; page < NR_PAGES; page++)
		set_page(page, (page >= COMMON_FIRST && page <= COMMON_LAST ? whole : written) +
			 page * (size / NR_PAGES));
	fill_area();
	if (!check_huge_anon(whole, 2, size))
		SKIP(return, "no huge pages to be had");

	huge = true;
	ASSERT_TRUE(grow(variant->members, variant->chain, variant->orphans));
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_sharing());

	/* Parts of it go, in one process: the rest of the page stays for all. */
	ASSERT_EQ(0, munmap(whole + psize(), 4 * psize()));
	ASSERT_EQ(0, mprotect(whole + 16 * psize(), psize(), PROT_READ));
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_sharing());

	snprintf(line, sizeof(line), "%d,0x%lx,0x%lx", getpid(), (unsigned long)whole,
		 (unsigned long)(written + size));
	if (!write_line("/sys/kernel/debug/split_huge_pages", line))
		TH_LOG("no debugfs: huge pages are not split");
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_sharing());

	/* A page of its own for the root, made of copies; some of it must be writable. */
	ASSERT_TRUE(tell(0, WRITE, -1));
	if (madvise(written, size, MADV_COLLAPSE))
		TH_LOG("MADV_COLLAPSE: %s", strerror(errno));
	ASSERT_TRUE(check_only_contents());
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_only_contents());
	ASSERT_TRUE(dismiss(EVERYONE));
}

/* Processes move different parts of what they share, there and back. */
TEST_F_TIMEOUT(anon_vma_tree, mremap, TIMEOUT)
{
	int round, i;

	ASSERT_NE(MAP_FAILED, map_area());
	fill_area();
	ASSERT_TRUE(grow(variant->members, variant->chain, variant->orphans));
	for (round = 0; round < 2; round++) {
		for (i = 0; i <= nr_members; i++)
			if (alive[i])
				ASSERT_TRUE(tell(i, round ? MOVE_DONTUNMAP : MOVE, 8 * (i % 5)));
		ASSERT_TRUE(check_sharing());
		ASSERT_TRUE(churn());
		ASSERT_TRUE(check_sharing());
		ASSERT_TRUE(tell(EVERYONE, WRITE, round));
		for (i = 0; i <= nr_members; i++)
			if (alive[i])
				ASSERT_TRUE(tell(i, MOVE_BACK, 8 * (i % 5)));
		ASSERT_TRUE(check_sharing());
		ASSERT_TRUE(churn());
		ASSERT_TRUE(check_sharing());
	}
	ASSERT_TRUE(dismiss(EVERYONE));
}

/* Areas that were one are split, have holes, are filled up and joined again. */
TEST_F_TIMEOUT(anon_vma_tree, partial_unmap, TIMEOUT)
{
	ASSERT_NE(MAP_FAILED, map_area());
	fill_area();
	ASSERT_TRUE(grow(variant->members, variant->chain, variant->orphans));
	ASSERT_TRUE(tell(EVERYONE, PROTECT, 0));
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(tell(EVERYONE, PUNCH, 0));
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(tell(EVERYONE, REFILL, 0));
	ASSERT_TRUE(tell(EVERYONE, PROTECT, 0));
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(dismiss(EVERYONE));
}

/* Two private mappings of the same part of a file, all of it written to. */
TEST_F_TIMEOUT(anon_vma_tree, file_cow, TIMEOUT)
{
	size_t half = NR_PAGES / 2 * psize();
	int fd = memfd_create("anon_vma_tree", 0), page;
	char *area[2];
	int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 16 * half));
	for (i = 0; i < 2; i++) {
		area[i] = mmap(NULL, half, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, half);
		ASSERT_NE(MAP_FAILED, area[i]);
	}
	for (page = 0; page < NR_PAGES; page++)
		set_page(page, area[page >= NR_PAGES / 2] + page % (NR_PAGES / 2) * psize());
	fill_area();
	ASSERT_TRUE(grow(variant->members, variant->chain, variant->orphans));
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_sharing());
	for (i = 0; i <= nr_members; i++)
		if (alive[i])
			ASSERT_TRUE(tell(i, MOVE, i & 1 ? 8 : 40));
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(churn());
	ASSERT_TRUE(tell(EVERYONE, PROTECT, 0));
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(tell(EVERYONE, WRITE, 9));
	for (i = 0; i <= nr_members; i++)
		if (alive[i])
			ASSERT_TRUE(tell(i, MOVE_BACK, i & 1 ? 8 : 40));
	ASSERT_TRUE(check_sharing());
	ASSERT_TRUE(churn());
	ASSERT_TRUE(check_sharing());
	close(fd);
	ASSERT_TRUE(dismiss(EVERYONE));
}

TEST_HARNESS_MAIN
