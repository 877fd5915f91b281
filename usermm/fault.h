/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_FAULT_H
#define USERMM_FAULT_H
/*
 * What the steps of a fault tell each other. A step returns 0, an error for the
 * program, or one of:
 *
 *	-EAGAIN		let go of all locks, wait for what is in the way, start anew
 *	FAULT_FALLBACK	this step does not apply: go on with small pages
 *	FAULT_NEEDS_MMAP	start anew under mmap_lock
 */
#include "internal.h"

#define FAULT_FALLBACK		1
#define FAULT_NEEDS_MMAP	2

/* With FAULT_WRITE and FAULT_HUGE: only the VMA lock is held. */
#define FAULT_VMA_LOCK		0x100U

/* huge_fault.c */
int do_huge_anonymous(struct vm_area_struct *vma, unsigned long addr, struct um_pgtable *pmds,
		      unsigned int flags);
int do_huge_fault(struct vm_area_struct *vma, unsigned long addr, struct um_pgtable *pmds,
		  unsigned int flags);

/* fault.c */
int fault_prepare(struct vm_area_struct *vma, unsigned int flags);
bool fault_can_reuse(struct um_world *world, struct folio *folio);
/* Give the page that an entry maps read-only a writable copy, in any case. */
int fault_copy(struct vm_area_struct *vma, unsigned long addr, pte_t pte, unsigned int flags);

#endif
