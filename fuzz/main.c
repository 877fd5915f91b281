// SPDX-License-Identifier: GPL-2.0
/*
 * A main for fuzz targets, where libFuzzer does not bring one
 *
 * Built by afl-clang-fast and run by afl-fuzz: persistent mode, inputs from AFL++'s shared
 * memory. Otherwise: each argument is an input, or a directory of inputs; one TAP line each.
 * A finding aborts, so that the last line that was begun names the input.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "fuzz.h"

#define INPUT_MAX	(1u << 20)

#ifdef __AFL_FUZZ_TESTCASE_LEN
__AFL_FUZZ_INIT();

/* How many inputs a process handles before AFL++ makes a new one. */
#define INPUTS_A_PROCESS	1000

static void fuzz(void)
{
	const uint8_t *input;

	__AFL_INIT();
	input = __AFL_FUZZ_TESTCASE_BUF;
	while (__AFL_LOOP(INPUTS_A_PROCESS))
		LLVMFuzzerTestOneInput(input, __AFL_FUZZ_TESTCASE_LEN);
}
#endif

static unsigned int inputs;

/* Returns 0, or -errno with a message printed. */
static int replay_file(const char *path)
{
	const char *slash = strrchr(path, '/');
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX);
	size_t size;
	int err = f && data ? 0 : -errno;

	if (!err) {
		printf("# %s\n", path);
		fflush(stdout);
		size = fread(data, 1, INPUT_MAX, f);
		err = ferror(f) ? -EIO : 0;
	}
	if (!err) {
		LLVMFuzzerTestOneInput(data, size);
		printf("ok %u - %s\n", ++inputs, slash ? slash + 1 : path);
	} else {
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
	}
	if (f)
		fclose(f);
	free(data);
	return err;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_dir(const char *path)
{
	struct dirent **entries;
	int i, nr, err = 0;
	char *name;

	nr = scandir(path, &entries, is_input, alphasort);
	if (nr < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -errno;
	}
	for (i = 0; i < nr; i++) {
		if (!err && asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0)
			err = -ENOMEM;
		if (!err) {
			err = replay_file(name);
			free(name);
		}
		free(entries[i]);
	}
	free(entries);
	return err;
}

int main(int argc, char **argv)
{
	struct stat st;
	int i, err = 0;

#ifdef __AFL_FUZZ_TESTCASE_LEN
	if (argc < 2) {
		fuzz();
		return 0;
	}
#endif
	for (i = 1; i < argc && !err; i++)
		err = !stat(argv[i], &st) && S_ISDIR(st.st_mode) ? replay_dir(argv[i]) :
			replay_file(argv[i]);
	printf("1..%u\n", inputs);
	return err || !inputs;
}
