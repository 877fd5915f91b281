// SPDX-License-Identifier: GPL-2.0
/*
 * Which threads access which words, and how, in all runs so far
 *
 * Words go by their addresses, which are the same in all runs: see kshim/sched_memory.c.
 */
#include <stdio.h>
#include <string.h>
#include "engine.h"

#define BITS	19
#define SIZE	(1U << BITS)

struct word {
	uintptr_t key;			/* address / 8; 0: none */
	/* The first run in which a thread made such an access; 0: none has. */
	uint32_t first[SCHEDULE_THREADS][KSHIM_SCHED_CLASSES];
};

static struct word words[SIZE];
static unsigned int nr_words;
static uint32_t news;

/* Where it is, or would be. */
static struct word *look(uintptr_t key)
{
	size_t i = key * 0x9e3779b97f4a7c15ULL >> (64 - BITS);

	while (words[i].key && words[i].key != key)
		i = (i + 1) % SIZE;
	return &words[i];
}

struct word *conflicts_find(const volatile void *addr)
{
	struct word *word = look((uintptr_t)addr >> 3);

	return word->key ? word : NULL;
}

struct word *conflicts_word(const volatile void *addr)
{
	uintptr_t key = (uintptr_t)addr >> 3;
	struct word *word = look(key);

	if (word->key)
		return word;
	if (++nr_words > SIZE / 2)
		kshim_sched_die("engine", "threads access too many words");
	word->key = key;
	return word;
}

uint32_t conflicts_since(const struct word *word, unsigned int thread,
			 enum kshim_sched_class class)
{
	uint32_t since = UINT32_MAX;
	unsigned int t, c;

	for (t = 0; t < SCHEDULE_THREADS; t++)
		for (c = 0; t != thread && c < KSHIM_SCHED_CLASSES; c++)
			if (classes_depend(class, c) && word->first[t][c] &&
			    word->first[t][c] < since)
				since = word->first[t][c];
	return since;
}

void conflicts_note(struct word *word, unsigned int thread, enum kshim_sched_class class,
		    uint32_t run)
{
	if (word->first[thread][class])
		return;
	word->first[thread][class] = run;
	if (conflicts_since(word, thread, class) != UINT32_MAX)
		news = run;
}

uint32_t conflicts_news(void)
{
	return news;
}
