// SPDX-License-Identifier: GPL-2.0
/*
 * Generations: each process forks the next one, writes to a page and exits. Whatever a
 * dead generation leaves behind for those that may still share its pages must not add
 * up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PROBES 10		/* times that the objects are counted on the way */

/* In each process in turn: the child goes on with the loop, the parent exits. */
static void descend(long generations, char *page, const int ready[2], const int go[2])
{
	long probe = generations / PROBES;
	char byte = 0;
	long i;

	for (i = 1; i <= generations; i++) {
		pid_t pid = fork();

		if (pid < 0)
			_exit(1);
		if (pid) {
			*(volatile char *)page = (char)i;
			_exit(0);
		}
		*(volatile char *)page = (char)-i;
		if (i % probe)
			continue;
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

/** generations() - live anon_vmas above the start, the most and in the end */
void generations(void)
{
	long n = param("n", 10000) / PROBES * PROBES, most = 0, last = 0;
	struct slab_counts start, now;
	int ready[2], go[2], probes = 0;
	char byte = 0, *page;
	pid_t first;
	uint64_t begin;

	slab_init();
	/* Those whose parent has exited are ours, not init's, and nobody waits for them. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || signal(SIGCHLD, SIG_IGN) == SIG_ERR ||
	    pipe(ready) || pipe(go))
		die("cannot set up");
	page = map_spaced(1, 1);
	*page = 1;
	slab_settle(&start);
	begin = now_ns();
	first = fork();
	if (first < 0)
		die("fork");
	if (!first) {
		close(ready[0]);
		close(go[1]);
		descend(n, page, ready, go);
	}
	close(ready[1]);
	close(go[0]);
	while (read(ready[0], &byte, 1) == 1) {
		probes++;
		slab_settle(&now);
		last = now.objects[SLAB_ANON_VMA] - start.objects[SLAB_ANON_VMA];
		most = last > most ? last : most;
		if (write(go[1], &byte, 1) != 1)
			die("write");
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	if (probes != PROBES)
		die("generations ended after %d of %d probes", probes, PROBES);
	figure("objects", most, "generations.anon_vma");
	figure("objects", last, "generations.anon_vma_last");
	figure("us", (now_ns() - begin) / 1e3 / n, "generations.each");
	slab_settle(&now);
	if (now.objects[SLAB_ANON_VMA] != start.objects[SLAB_ANON_VMA] ||
	    now.objects[SLAB_AVC] != start.objects[SLAB_AVC])
		die("anon_vma %ld and %ld, anon_vma_chain %ld and %ld, before and after",
		    start.objects[SLAB_ANON_VMA], now.objects[SLAB_ANON_VMA],
		    start.objects[SLAB_AVC], now.objects[SLAB_AVC]);
}
