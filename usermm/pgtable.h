/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_PGTABLE_H
#define USERMM_PGTABLE_H
/*
 * Entries and tables, as only the page side of the user-space mm sees them; the
 * rest is in internal.h.
 */
#include <linux/spinlock.h>
#include "internal.h"

void pgtable_init(void);

static inline pte_t mk_pte(unsigned long pfn, pte_t bits)
{
	return (pte_t)pfn << PTE_PFN_SHIFT | bits;
}

static inline pte_t pte_bits(pte_t pte)
{
	return pte & ((1ULL << PTE_PFN_SHIFT) - 1);
}

/* The same entry, for the page nr pages further on. */
static inline pte_t pte_advance(pte_t pte, unsigned long nr)
{
	return pte + ((pte_t)nr << PTE_PFN_SHIFT);
}

static inline bool pte_is_table(pte_t pte) { return pte & PTE_TABLE; }
static inline bool pte_is_huge(pte_t pte) { return pte & PTE_HUGE; }
static inline bool pte_write(pte_t pte) { return pte & PTE_WRITE; }

/* Present, and of a page that is counted: not the zero page, not a device's. */
static inline bool pte_normal(pte_t pte)
{
	return (pte & (PTE_PRESENT | PTE_SPECIAL)) == PTE_PRESENT;
}

/* Tables are aligned to 64 bytes. */
static inline pte_t mk_table(const struct um_pgtable *table)
{
	return (pte_t)(unsigned long)table >> 6 << PTE_PFN_SHIFT | PTE_TABLE;
}

static inline struct um_pgtable *pte_table(pte_t pte)
{
	return (struct um_pgtable *)(pte >> PTE_PFN_SHIFT << 6);
}

static inline struct page *pte_page(const struct mm_struct *mm, pte_t pte)
{
	return pfn_to_page(mm->world, pte_pfn(pte));
}

/* What a present entry of a page becomes while the page is being migrated. */
static inline pte_t mk_migration_pte(pte_t pte, bool exclusive)
{
	return (pte & ~(pte_t)(PTE_PRESENT | PTE_EXCLUSIVE)) | PTE_MIGRATION |
		(exclusive ? PTE_EXCLUSIVE : 0);
}

/*
 * A migration entry names a folio that is locked until the entry is restored; one that a
 * walk has left behind does not, and is met by a zap or a fork: Linux stops there too. The
 * tails of a folio that is being split are not locked, their head is. ptl held.
 */
static inline void check_migration_pte(const struct mm_struct *mm, pte_t pte)
{
	unsigned long pfn = pte_pfn(pte), order;
	bool locked = false;

	for (order = 0; order <= HPAGE_PMD_ORDER && !locked; order++)
		locked = test_bit(PG_locked, &pfn_to_page(mm->world, pfn & -(1UL << order))->flags);
	VM_BUG_ON(!locked);
}

/* The end of what one table of PTEs covers, or end. */
static inline unsigned long pmd_addr_end(unsigned long addr, unsigned long end)
{
	unsigned long next = (addr + PMD_SIZE) & PMD_MASK;

	return next - 1 < end - 1 ? next : end;
}

/*
 * The table of PMDs for *addr, or the next one that exists: moves *addr over holes.
 * NULL when there is none below end.
 */
struct um_pgtable *pgtable_next(struct mm_struct *mm, unsigned long *addr, unsigned long end);

/*
 * Each huge PMD has a table of PTEs in reserve, so that it can be split without an
 * allocation. PMD table's ptl held.
 */
static inline void pgtable_deposit(struct um_pgtable *pmds, struct um_pgtable *table)
{
	table->deposit = pmds->deposit;
	pmds->deposit = table;
}

static inline struct um_pgtable *pgtable_withdraw(struct um_pgtable *pmds)
{
	struct um_pgtable *table = pmds->deposit;

	VM_BUG_ON(!table);
	pmds->deposit = table->deposit;
	table->deposit = NULL;
	return table;
}

/* A table that nobody else has seen yet. */
void pgtable_free(struct mm_struct *mm, struct um_pgtable *table);

/* Two tables of one level; the lower address first. They may be the same. */
static inline void pgtable_lock_two(struct um_pgtable *low, struct um_pgtable *high)
{
	spin_lock(&low->ptl);
	if (high != low)
		spin_lock_nested(&high->ptl, SINGLE_DEPTH_NESTING);
}

static inline void pgtable_unlock_two(struct um_pgtable *low, struct um_pgtable *high)
{
	if (high != low)
		spin_unlock(&high->ptl);
	spin_unlock(&low->ptl);
}

/* The same for a page at old and one at new of the same mm. */
static inline void pgtable_lock_move(struct um_pgtable *old, unsigned long old_addr,
				     struct um_pgtable *new, unsigned long new_addr)
{
	if (old_addr < new_addr)
		pgtable_lock_two(old, new);
	else
		pgtable_lock_two(new, old);
}

static inline void pgtable_unlock_move(struct um_pgtable *old, unsigned long old_addr,
				       struct um_pgtable *new, unsigned long new_addr)
{
	if (old_addr < new_addr)
		pgtable_unlock_two(old, new);
	else
		pgtable_unlock_two(new, old);
}

#endif
