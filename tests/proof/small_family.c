// SPDX-License-Identifier: GPL-2.0
/*
 * R17, R26, R38: every order of what three processes can do with one page
 *
 *	fork	of any that lives, until there have been three
 *	write, read	by any, if it does something: a page that is there, and may be
 *		written to, does not fault
 *	swap	all of memory goes out, if there is any
 *	migrate	all of it moves, if there is any
 *	exit	of any
 *
 * Histories are sequences of these of a length, or shorter ones that end as nobody is
 * left; every one is gone through, from the start, with all checks after each step. At
 * its end those who live read the page (the models compare), and exit.
 */
#include "small.h"

#define NR_MMS		3
#define MAX_LENGTH	16

struct choice {
	enum { FORK, WRITE, READ, SWAP, MIGRATE, EXIT } op;
	int who;
};

struct family3 {
	struct t *t;
	struct mm_struct *mm[NR_MMS];
	int born;
	uint64_t token;
};

static pte_t page_of(const struct family3 *f, int i)
{
	return f->mm[i] ? entry_at(f->mm[i], BASE) : 0;
}

/* All that can be done now, into @choices; returns how many. */
static int all_choices(const struct family3 *f, struct choice *choices)
{
	bool present = false;
	int i, n = 0;

	for (i = 0; i < f->born; i++) {
		pte_t pte = page_of(f, i);

		if (!f->mm[i])
			continue;
		present |= pte_present(pte);
		if (f->born < NR_MMS)
			choices[n++] = (struct choice) { FORK, i };
		if (!pte_present(pte) || !(pte & PTE_WRITE))
			choices[n++] = (struct choice) { WRITE, i };
		if (!pte_present(pte))
			choices[n++] = (struct choice) { READ, i };
		choices[n++] = (struct choice) { EXIT, i };
	}
	if (present) {
		choices[n++] = (struct choice) { SWAP, 0 };
		choices[n++] = (struct choice) { MIGRATE, 0 };
	}
	return n;
}

static void do_choice(struct family3 *f, struct choice choice)
{
	struct mm_struct *mm = f->mm[choice.who];
	uint64_t content;

	switch (choice.op) {
	case FORK:
		f->mm[f->born++] = t_fork(mm);
		break;
	case WRITE:
		assert_int_equal(um_write(mm, BASE, ++f->token), 0);
		break;
	case READ:
		assert_int_equal(um_read(mm, BASE, &content), 0);
		break;
	case SWAP:
		um_reclaim(f->t->world, 100);
		um_reclaim(f->t->world, 100);
		break;
	case MIGRATE:
		assert_true(um_migrate(f->t->world, 100) > 0);
		break;
	case EXIT:
		um_exit(mm);
		f->mm[choice.who] = NULL;
		break;
	}
}

static void print_history(const struct choice *path, int length)
{
	static const char *const names[] = { "fork", "write", "read", "swap", "migrate", "exit" };
	int i;

	for (i = 0; i < length; i++)
		print_error("%s %d; ", names[path[i].op], path[i].who);
	print_error("\n");
}

/*
 * Goes through one history: @path says which choice to take at each step, by number; at its
 * end the first one. Returns how long it was; @of gets how many choices there were.
 */
static int one_history(struct t *t, const int *path, int length, int *of)
{
	struct choice taken[MAX_LENGTH], choices[4 * NR_MMS + 2];
	struct family3 f = { .t = t, .born = 1 };
	uint64_t findings = um_findings(t->world);
	int i, step;

	f.mm[0] = t_mm(t);
	t_map(f.mm[0], BASE, 1);
	t_write(f.mm[0], BASE, 1, f.token = 100);
	for (step = 0; step < length; step++) {
		of[step] = all_choices(&f, choices);
		if (!of[step])
			break;
		taken[step] = choices[path[step]];
		do_choice(&f, taken[step]);
	}
	for (i = 0; i < f.born; i++) {
		if (f.mm[i])
			do_choice(&f, (struct choice) { READ, i });
	}
	for (i = 0; i < f.born; i++)
		if (f.mm[i])
			um_exit(f.mm[i]);
	if (um_findings(t->world) != findings) {
		print_history(taken, step);
		fail();
	}
	return step;
}

/* Depth first: the next history differs in its last step that has another choice. */
static void every_history(struct t *t, int length)
{
	int path[MAX_LENGTH] = { 0 }, of[MAX_LENGTH], last, i;
	unsigned long histories = 0;

	assert_true(length <= MAX_LENGTH);
	do {
		last = one_history(t, path, length, of) - 1;
		histories++;
		while (last >= 0 && path[last] + 1 >= of[last])
			last--;
		if (last >= 0)
			path[last]++;
		for (i = last + 1; i < length; i++)
			path[i] = 0;
	} while (last >= 0);
	/* A page that was missed, or a process that was forgotten, would be here. */
	assert_int_equal(t_stats(t).mms, 0);
	assert_int_equal(t_stats(t).reads_wrong, 0);
	small_done(t, "orders of fork, fault, swap, migrate, exit", histories);
}

static void r17_r26_r38_every_order_of_three_processes(void **state)
{
	every_history(*state, small_depth(5));
}

int main(void)
{
	const struct CMUnitTest tests[] = { SMALL(r17_r26_r38_every_order_of_three_processes) };

	return um_test_main(tests);
}
