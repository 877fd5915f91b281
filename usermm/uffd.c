// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_MOVE: pages change their address, one by one, within an mm
 *
 * Unlike mremap this moves no VMA, so the page itself is renumbered: it gets the anon
 * offset, and the owner, of its new place. That is possible for a page that is mapped
 * once and nowhere else.
 *
 *	[ src_vma ... P ... ]  [ dst_vma ... - ... ]
 *	[ src_vma ... - ... ]  [ dst_vma ... P' ... ]
 *
 * Why a walk does not miss it: the folio is locked, so that migration and unmap are not
 * under way; the rwsem of its owner, by which all other walks come, is held for write
 * while mapping word, index and entries change, and whoever waited for it looks at the
 * mapping word again. A migration entry names a folio whose migration counts on it: it is
 * waited for.
 */
#include "pgtable.h"
#include "swap.h"

struct uffd_move {
	struct mm_struct *mm;
	struct vm_area_struct *src_vma, *dst_vma;
	unsigned long src, dst;
	struct um_pgtable *src_table, *dst_table;
	pte_t pte;		/* of the source, as first seen */
};

/* Locks both entries. Returns 0; or with nothing locked -EAGAIN, -EEXIST. */
static int move_lock_entries(struct uffd_move *move)
{
	int err = 0;

	pgtable_lock_move(move->src_table, move->src, move->dst_table, move->dst);
	if (!pte_none(pgtable_get(move->dst_table, pgtable_index(move->dst, 0))))
		err = -EEXIST;
	else if (pgtable_get(move->src_table, pgtable_index(move->src, 0)) != move->pte)
		err = -EAGAIN;
	if (err)
		pgtable_unlock_move(move->src_table, move->src, move->dst_table, move->dst);
	return err;
}

static void move_unlock_entries(struct uffd_move *move)
{
	pgtable_unlock_move(move->src_table, move->src, move->dst_table, move->dst);
}

static void move_entry(struct uffd_move *move, pte_t pte)
{
	pgtable_set(move->src_table, pgtable_index(move->src, 0), 0);
	pgtable_set(move->dst_table, pgtable_index(move->dst, 0), pte);
}

/* The folio belongs to the new place from now on. Locked; both entries locked. */
static void move_renumber(struct uffd_move *move, struct folio *folio)
{
	WRITE_ONCE(folio->index, anon_page_index(move->dst_vma, move->dst));
	folio_move_anon_rmap(folio, move->dst_vma);
	oracle_touch(move->mm->world, folio);
}

/* The folio is locked, of one page, and its owner's rwsem is held for write. */
static int move_exclusive(struct uffd_move *move, struct folio *folio)
{
	pte_t bits = PTE_PRESENT | PTE_YOUNG | PTE_DIRTY;
	int err = move_lock_entries(move);

	if (err)
		return err;
	if (page_anon_exclusive(&folio->page)) {
		if (move->dst_vma->vm_flags & VM_WRITE)
			bits |= PTE_WRITE;
		/*
		 * Before the new owner is named: a walk that comes by that one does not wait
		 * for our lock, and passes by an entry that is still empty.
		 */
		move_entry(move, mk_pte(pte_pfn(move->pte), bits));
		move_renumber(move, folio);
	} else {
		err = -EBUSY;
	}
	move_unlock_entries(move);
	return err;
}

static int move_locked_folio(struct uffd_move *move, struct folio *folio)
{
	struct anon_vma *owner;
	anon_vma_tree_t tree;
	int err;

	if (folio_test_large(folio)) {
		err = split_folio(move->mm->world, folio);
		return err ? -EBUSY : -EAGAIN;
	}
	owner = folio_get_anon_vma(folio);
	if (!owner)
		return folio_test_ksm(folio) ? -EBUSY : -EAGAIN;
	tree = anon_vma_owner_tree(owner);
	anon_vma_tree_lock_write(tree);
	err = move_exclusive(move, folio);
	anon_vma_tree_unlock_write(tree);
	put_anon_vma(owner);
	return err;
}

/* A present page. The reference is taken under the lock of the source's table. */
static int move_present(struct uffd_move *move)
{
	struct um_world *world = move->mm->world;
	struct folio *folio = NULL;
	struct page *page;
	int err = -EAGAIN;

	spin_lock(&move->src_table->ptl);
	if (pgtable_get(move->src_table, pgtable_index(move->src, 0)) == move->pte) {
		page = pte_page(move->mm, move->pte);
		folio = page_folio(page);
		err = folio_test_anon(folio) && page_anon_exclusive(page) ? 0 : -EBUSY;
		if (!err)
			folio_get(folio);
	}
	spin_unlock(&move->src_table->ptl);
	if (err)
		return err;
	folio_lock(folio);
	err = move_locked_folio(move, folio);
	folio_unlock(folio);
	folio_put(world, folio);
	return err;
}

/*
 * A swap entry whose page is not in the swap cache. Both entries locked, the cache is
 * asked again: one that was read in since has no owner yet, but may get one.
 */
static int move_swap_entry(struct uffd_move *move)
{
	struct folio *folio;
	int err = move_lock_entries(move);

	if (err)
		return err;
	folio = swap_cache_get(move->mm->world, pte_pfn(move->pte));
	if (!folio)
		move_entry(move, move->pte);
	move_unlock_entries(move);
	if (folio)
		folio_put(move->mm->world, folio);
	return folio ? -EAGAIN : 0;
}

/* The same with a page in the swap cache, which nobody maps, as the entry is exclusive. */
static int move_swap_cached(struct uffd_move *move, struct folio *folio)
{
	int err = -EAGAIN;

	folio_lock(folio);
	if (folio_test_swapcache(folio) && !folio_test_large(folio) &&
	    folio_swap_slot(folio) == pte_pfn(move->pte)) {
		err = move_lock_entries(move);
		if (!err) {
			if (folio_test_anon(folio))
				move_renumber(move, folio);
			move_entry(move, move->pte);
			move_unlock_entries(move);
		}
	}
	folio_unlock(folio);
	return err;
}

static int move_swap(struct uffd_move *move)
{
	struct um_world *world = move->mm->world;
	struct folio *folio;
	int err;

	if (!(move->pte & PTE_EXCLUSIVE))
		return -EBUSY;
	folio = swap_cache_get(world, pte_pfn(move->pte));
	if (!folio)
		return move_swap_entry(move);
	if (folio_test_large(folio)) {
		/* Its other pages are elsewhere: map it first, then it can be split. */
		err = do_swap_page(move->src_vma, move->src, move->pte, 0);
		err = err ? err : -EAGAIN;
	} else {
		err = move_swap_cached(move, folio);
	}
	folio_put(world, folio);
	return err;
}

static int move_zero_page(struct uffd_move *move)
{
	int err = move_lock_entries(move);

	if (err)
		return err;
	move_entry(move, move->pte);
	move_unlock_entries(move);
	return 0;
}

/* One try. */
static int move_try(struct uffd_move *move)
{
	move->dst_table = pgtable_find_alloc(move->mm, move->dst, 0);
	if (!move->dst_table)
		return -ENOMEM;
	if (IS_ERR(move->dst_table) ||
	    !pte_none(pgtable_get(move->dst_table, pgtable_index(move->dst, 0))))
		return -EEXIST;
	split_huge_pmd(move->src_vma, move->src);
	move->src_table = pgtable_find(move->mm, move->src, 0);
	if (!move->src_table)
		return -ENOENT;
	move->pte = pgtable_get(move->src_table, pgtable_index(move->src, 0));
	if (pte_none(move->pte))
		return -ENOENT;
	if (pte_normal(move->pte))
		return move_present(move);
	if (pte_present(move->pte))
		return move_zero_page(move);
	if (pte_is_swap(move->pte))
		return move_swap(move);
	if (pte_is_poison(move->pte))
		return -EFAULT;
	migration_entry_wait(move->mm, move->src);
	return -EAGAIN;
}

/* As Linux: one VMA on each side, both private, anonymous, writable, alike. */
static int move_find_vmas(struct uffd_move *move, unsigned long len)
{
	const vm_flags_t alike = VM_READ | VM_WRITE | VM_EXEC | VM_LOCKED;
	struct vm_area_struct *src = vma_lookup(move->mm, move->src);
	struct vm_area_struct *dst = vma_lookup(move->mm, move->dst);

	if (!src || !dst)
		return -ENOENT;
	if (move->src + len > src->vm_end || move->dst + len > dst->vm_end ||
	    !vma_is_anonymous(src) || !vma_is_anonymous(dst) ||
	    (src->vm_flags & VM_SHARED) || (dst->vm_flags & VM_SHARED) ||
	    !(src->vm_flags & VM_WRITE) || ((src->vm_flags ^ dst->vm_flags) & alike) ||
	    is_vm_hugetlb_page(src) || is_vm_hugetlb_page(dst))
		return -EINVAL;
	move->src_vma = src;
	move->dst_vma = dst;
	return anon_vma_prepare(dst);
}

/**
 * do_uffd_move - move pages to another address
 * @mm: the mm
 * @dst: where to; nothing is there
 * @src: where from; pages that only this mm has
 * @len: of both; the ranges are disjoint
 *
 * Context: may sleep; takes mmap_lock for read. Returns 0 or the error of the first page
 * that could not be moved, those before it having been moved: -EINVAL, -ENOENT (no VMA, no
 * page), -EEXIST, -EBUSY (shared, or in use), -EFAULT (poisoned), -ENOMEM.
 */
int do_uffd_move(struct mm_struct *mm, unsigned long dst, unsigned long src, unsigned long len)
{
	struct uffd_move move = { .mm = mm, .src = src, .dst = dst };
	unsigned long end = src + len;
	int err;

	if (((dst | src | len) & ~PAGE_MASK) || !len || end < src || dst + len < dst ||
	    (src < dst + len && dst < end))
		return -EINVAL;
	mmap_read_lock(mm);
	err = move_find_vmas(&move, len);
	while (!err && move.src < end) {
		do {
			cond_resched();
			err = move_try(&move);
		} while (err == -EAGAIN);
		move.src += PAGE_SIZE;
		move.dst += PAGE_SIZE;
	}
	mmap_read_unlock(mm);
	return err;
}
