/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FAMILY_H
#define FAMILY_H
/*
 * A family of processes with pages of every kind, and pictures of a whole world:
 * what is mapped, what it holds, how many objects there are.
 */
#include "lib/um_test.h"

/* 1 GiB apart: no two of them share a page table of PTEs. */
#define AREA(n)		(BASE + ((uint64_t)(n) << 30))

#define IN_PLACE	AREA(0)		/* 16 pages */
#define DISPLACED	AREA(1)		/* 16 pages, moved from AREA(20) after they were written */
#define FILE_PAGES	AREA(2)		/* private file, 16 pages from 10 on, the first 8 written */
#define FILE_MOVED	AREA(3)		/* the same, moved from AREA(21) */
#define SWAPPED		AREA(4)		/* 16 pages, all in swap */
#define THREE		AREA(5)		/* RW, R, RW: three VMAs of 4 pages each, written */
#define HUGE		AREA(6)		/* 2 MiB huge, then 2 MiB of which 4 pages are written */
#define SHARED		AREA(7)		/* shared memory, 8 pages */
#define KSM		AREA(8)		/* 4 pages that KSM has merged */
#define GAPPED		AREA(9)		/* faulted, a hole, fresh: 4 pages each */
#define STACK		AREA(10)	/* grows down; 4 pages end here */
#define ZERO_DEVICE	AREA(11)	/* private /dev/zero, 8 pages, of which 4 are written */
#define FREE(n)		AREA(12 + (n))	/* nothing, n < 8 */
#define HEAP		AREA(30)	/* 4 pages of heap, written */

#define HUGE_PAGES	(UM_HUGE_SIZE / PG)

struct family {
	struct t *t;
	struct mm_struct *a;		/* has forked b, then c */
	struct mm_struct *b, *c;
	struct mm_struct *fresh;	/* with nothing mapped */
	struct um_file *file, *zero, *other;
};

void family_create(struct family *family, struct t *t);
void family_end(struct family *family);
/* Every page of every process, by way of faults: models compare. Fails the test on errors. */
void family_read_all(struct family *family);

struct picture;

/* What is compared of two pictures. */
#define PICTURE_VMAS	1U	/* the same VMAs */
#define PICTURE_MAPS	2U	/* the same mappings, however they are cut into VMAs */
#define PICTURE_PAGES	4U	/* each anonymous page, or swap entry, with its content */
#define PICTURE_OBJECTS	8U	/* of all slab caches, mms, pages: none more, none less */
#define PICTURE_RMAP	16U	/* with VMAS or MAPS: faulted or not, displaced or not */

/* To be compared by @what. Objects are only counted if that is asked for: it takes a while. */
struct picture *picture_take(struct t *t, unsigned int what);
void picture_free(struct picture *picture);
/* Prints what is different. Returns true if nothing of @what is. */
bool picture_same(const struct picture *before, const struct picture *after, unsigned int what);

#endif
