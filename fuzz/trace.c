// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: the trace reader. Checksums would stop almost every
 * input, so they are put right first, as far as the input looks like a trace.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xxhash.h>

#include "fuzz.h"
#include "trace.h"
#include "trace_format.h"

static void fix_sums(uint8_t *p, size_t len)
{
	uint64_t seed = 0;
	size_t at;

	if (len < HEAD_FIXED)
		return;
	memcpy(p, FORMAT_MAGIC, FORMAT_MAGIC_LEN);
	put_le(p + HEAD_MAJOR, TRACE_MAJOR, 2);
	at = get_le(p + HEAD_LEN, 4);
	if (at < HEAD_FIXED + HEAD_SUM_LEN || at > len)
		return;
	put_le(p + at - HEAD_SUM_LEN, XXH3_64bits(p, at - HEAD_SUM_LEN), HEAD_SUM_LEN);
	while (len - at > CHUNK_HEAD) {
		uint8_t *head = p + at;
		size_t left = len - at - CHUNK_HEAD;
		size_t n = get_le(head + CHUNK_LEN, 4);

		if (!n || n > left) {
			n = left;
			put_le(head + CHUNK_LEN, n, 4);
		}
		put_le(head + CHUNK_SUM, XXH3_64bits_withSeed(head + CHUNK_HEAD, n, seed), 8);
		put_le(head + CHUNK_HEAD_SUM, XXH3_64bits_withSeed(head, CHUNK_HEAD_SUM, seed),
		       4);
		at += CHUNK_HEAD + n;
		seed++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_reader *r;
	struct trace_event ev;
	char path[64], err[200];
	uint8_t *copy = malloc(size + 1);
	int fd = memfd_create("fuzz", 0);

	if (!copy || fd < 0)
		abort();
	memcpy(copy, data, size);
	fix_sums(copy, size);
	if (write(fd, copy, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!trace_open(path, &r, err, sizeof(err))) {
		int ret;

		while ((ret = trace_next(r, &ev)) == 1)
			;
		if (ret > 0)
			abort();
		trace_close(r);
	}
	close(fd);
	free(copy);
	return 0;
}
