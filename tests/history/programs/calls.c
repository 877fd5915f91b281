// SPDX-License-Identifier: GPL-2.0
/* One of each call on the address space, at known places. See test_record.c. */
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"

int main(int argc, char **argv)
{
	char *p = map_at(BASE, 32), *brk0 = sbrk(0), *f;
	int fd, shm;

	(void)argc;
	/* Written, read only, and never touched. */
	put(p, 0);
	put(p, 1);
	put(p, 3);
	get(p, 5);
	must(!mprotect(p + 4 * PAGE, 2 * PAGE, PROT_READ));
	put(p, 8);
	must(!munmap(p + 8 * PAGE, 2 * PAGE));
	must(munmap(p + 1, PAGE));
	must(!madvise(p, PAGE, MADV_DONTNEED));
	put(p, 0);
	put(p, 12);
	must(mmap(p + 12 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 12 * PAGE);
	put(p, 12);
	put(p, 16);
	put(p, 17);
	/* Moved and grown, then shrunk in place. */
	must(mremap(p + 16 * PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, OTHER) ==
	     OTHER);
	put(OTHER, 3);
	must(mremap(OTHER, 4 * PAGE, 2 * PAGE, 0) == OTHER);
	must(!mlock(p, PAGE));
	must(!syscall(SYS_mlock2, p, PAGE, 1));
	must(!munlock(p, PAGE));
	must(!munlockall());

	must(!brk(brk0 + 3 * PAGE));
	must(!brk(brk0 + PAGE));

	/* The file is this program; its first page is copied, its second only read. */
	fd = open(argv[0], O_RDONLY);
	f = mmap(OTHER + 64 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
	must(f == OTHER + 64 * PAGE);
	put(f, 0);
	get(f, 1);
	close(fd);
	f = mmap(OTHER + 80 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(f == OTHER + 80 * PAGE);
	put(f, 0);
	fd = memfd_create("calls", 0);
	must(!ftruncate(fd, PAGE));
	must(mmap(OTHER + 96 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
	     OTHER + 96 * PAGE);
	fd = open("/dev/zero", O_RDWR);
	must(mmap(OTHER + 112 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) ==
	     OTHER + 112 * PAGE);
	put(OTHER, 112);
	shm = shmget(IPC_PRIVATE, 3 * PAGE, 0600);
	must(shm >= 0);
	must(shmat(shm, OTHER + 128 * PAGE, 0) == OTHER + 128 * PAGE);
	must(!shmctl(shm, IPC_RMID, NULL));
	must(!shmdt(OTHER + 128 * PAGE));
	return 7;
}
