/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TOYS_H
#define TOYS_H

/* Accesses that each thread of those scenarios makes whose schedules are counted. */
extern unsigned int toy_points;

/* What program_two and program_three do: that many steps, made up from a seed. */
void toy_program(unsigned int seed, unsigned int steps, bool yields);

/* What its runs have ended with, each once; shared memory. */
#define TOY_ENDS	100000
struct toy_ends {
	unsigned int nr;
	unsigned long ends[TOY_ENDS];
};
extern struct toy_ends *toy_ends;

#endif
