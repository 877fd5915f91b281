/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_CHECK_FAULTS_H
#define USERMM_CHECK_FAULTS_H
/*
 * Every call of the random driver is first tried with its first allocation failing, then
 * with its second, and so on, until it makes fewer; then it is done. (After the first 1,000
 * not each one fails, but some by lot.) What a call that says -ENOMEM may have changed is
 * its promise; everything else must be as it was.
 */
#include <kshim/fault.h>
#include "check_ops.h"

/* Where a call that fails for want of memory may have left something: of one mm. */
struct check_promise {
	const struct mm_struct *mm;
	struct {
		uint64_t start, end;
	} may_change[2];
};

#define CHECK_UNCHANGED		((struct check_promise) { 0 })
#define CHECK_CHANGES(mm_, addr_, len_)							\
	((struct check_promise) { .mm = (mm_), .may_change = { { addr_, (addr_) + (len_) } } })

struct check_picture;

/* The attempts of one call. */
struct check_try {
	struct check_actor *actor;
	struct check_promise promise;
	const char *what;
	struct check_picture *before;
	unsigned int nth;		/* which fails in the attempt at work; 0: none */
	unsigned int failed;		/* attempts so far that have failed */
	long odd;			/* another error, which must come again; 0: none */
};

void check_try_begin(struct check_try *try, struct check_actor *actor, const char *what,
		     struct check_promise promise);
/* The attempt has returned @ret. True if there has to be another. */
bool check_try_again(struct check_try *try, long ret);
/* A call that leaves undone what it has no memory for: once so, by lot, and once more. */
void check_try_silent(struct check_try *try, struct check_actor *actor, const char *what);

/* Evaluates @call as often as needed; its value is that of the last time. */
#define CHECK_TRY(actor, promise, call) ({						\
	struct check_try try_;								\
	__typeof__(call) ret_;								\
											\
	check_try_begin(&try_, actor, #call, promise);					\
	do {										\
		ret_ = (call);								\
	} while (check_try_again(&try_, ret_));						\
	ret_;										\
})

#define CHECK_TRY_SILENT(actor, call) ({						\
	struct check_try try_;								\
	__typeof__(call) ret_;								\
											\
	check_try_silent(&try_, actor, #call);						\
	do {										\
		ret_ = (call);								\
	} while (check_try_again(&try_, ret_));						\
	ret_;										\
})

#endif
