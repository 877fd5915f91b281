// SPDX-License-Identifier: GPL-2.0
/* UFFDIO_MOVE: a page's address, index and owner change under a walker. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/kernel.h"
#include "lib/ktest.h"
#include "lib/pages.h"
#include "lib/pressure.h"
#include "rows.h"

/* Headers older than the kernel. */
#ifndef UFFDIO_MOVE
struct uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};
#define UFFD_FEATURE_MOVE	(1 << 16)
#define UFFDIO_MOVE		_IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

#define TOKEN	0xa000000ull
#define N	64ul

/* A userfaultfd that watches the range for missing pages, and knows how to move. */
static int watch(void *at, size_t pages)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MOVE };
	struct uffdio_register r = {
		.range = { (uintptr_t)at, pages * PG },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (fd < 0)
		skip("userfaultfd: %s", strerror(errno));
	if (ioctl(fd, UFFDIO_API, &api))
		skip("UFFD_FEATURE_MOVE: %s", strerror(errno));
	must(!ioctl(fd, UFFDIO_REGISTER, &r), "UFFDIO_REGISTER: %s", strerror(errno));
	return fd;
}

/*
 * All of the range. -EAGAIN: a part was moved, or a page was busy. -EBUSY: a page is not
 * exclusive, or pinned: it waits for whoever holds it. Moved pages are holes in the source,
 * which end a call with -ENOENT unless holes are allowed.
 */
static void move_all(int fd, char *to, char *from, size_t pages)
{
	size_t done = 0;
	unsigned int tries = 0;

	while (done < pages) {
		struct uffdio_move m = {
			.dst = (uintptr_t)to + done * PG, .src = (uintptr_t)from + done * PG,
			.len = (pages - done) * PG,
		};

		if (ioctl(fd, UFFDIO_MOVE, &m) && m.move < 0 && m.move != -EAGAIN) {
			must(m.move == -EBUSY && tries++ < 10000, "UFFDIO_MOVE: %s",
			     strerror((int)-m.move));
			page_get(from + done * PG);
			nap(0.0002);
		}
		if (m.move > 0)
			done += (size_t)m.move / PG;
	}
}

/* R30. Pages are moved there and back while they are migrated, swapped out and aged. */
static void r30_uffd_move_against_walks(void)
{
	char *a = map_anon_at(reserve(2 * N), N), *b = map_anon_at(a + N * PG, N);
	struct pressure p = { .at = a, .pages = 2 * N, .kinds = MIGRATE | PAGEOUT | IDLE };
	struct pressure q = { .at = a, .pages = 2 * N, .kinds = MIGRATE };
	unsigned long long rounds = 0;
	int fd = watch(a, 2 * N);
	size_t i;

	madvise(a, 2 * N * PG, MADV_NOHUGEPAGE);
	for (i = 0; i < N; i++) {
		static char page[PG] __attribute__((aligned(PG)));
		struct uffdio_copy c = { .dst = (uintptr_t)a + i * PG, .src = (uintptr_t)page,
					 .len = PG };

		page_set(page, TOKEN + i);
		must(!ioctl(fd, UFFDIO_COPY, &c), "UFFDIO_COPY: %s", strerror(errno));
	}
	pressure_start(&p);
	pressure_start(&q);
	do {
		move_all(fd, b, a, N);
		expect(b, N, TOKEN);
		move_all(fd, a, b, N);
		expect(a, N, TOKEN);
		rounds++;
	} while (more());
	pressure_stop(&q);
	p.migrated += q.migrated;
	pressure_stop_and_check(&p);
	note("%llu times there and back, %llu pages migrated", rounds,
	     (unsigned long long)p.migrated);
	must_be_found(a, N);
	expect(a, N, TOKEN);
	move_all(fd, b, a, N);
	must_be_found(b, N);
	expect(b, N, TOKEN);
}

const struct ktest uffd_tests[] = {
	KTEST(r30_uffd_move_against_walks),
	KTEST_END
};
