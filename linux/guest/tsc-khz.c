// SPDX-License-Identifier: GPL-2.0
/*
 * Print how many thousand times a second the TSC of this machine counts. Runs on the host: a
 * guest under TCG reads the host's TSC, and its machine has nothing to measure it with.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int main(void)
{
	double start = now_ms(), end;
	unsigned long long tsc = __rdtsc();

	do {
		end = now_ms();
	} while (end < start + 10);
	printf("%.0f\n", (__rdtsc() - tsc) / (end - start));
	return 0;
}
