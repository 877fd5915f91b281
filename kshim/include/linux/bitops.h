/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_BITOPS_H
#define _KSHIM_LINUX_BITOPS_H
/*
 * Mapping onto builtins: the bit operations are __atomic operations on unsigned
 * long. Orders are those of Linux: none without a result, full with one,
 * acquire and release where the name says lock and unlock.
 */
#include <strings.h>
#include <linux/bits.h>
#include <linux/types.h>

static __always_inline void set_bit(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_or(kshim_sched_write(addr + BIT_WORD(nr)),
			  BIT_MASK(nr), __ATOMIC_RELAXED);
}

static __always_inline void clear_bit(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_and(kshim_sched_write(addr + BIT_WORD(nr)),
			   ~BIT_MASK(nr), __ATOMIC_RELAXED);
}

static __always_inline void change_bit(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_xor(kshim_sched_write(addr + BIT_WORD(nr)),
			   BIT_MASK(nr), __ATOMIC_RELAXED);
}

static __always_inline bool test_bit(unsigned long nr, const volatile unsigned long *addr)
{
	return __atomic_load_n(kshim_sched_read(addr + BIT_WORD(nr)),
			       __ATOMIC_RELAXED) & BIT_MASK(nr);
}

static __always_inline bool test_bit_acquire(unsigned long nr, const volatile unsigned long *addr)
{
	return __atomic_load_n(kshim_sched_read(addr + BIT_WORD(nr)),
			       __ATOMIC_ACQUIRE) & BIT_MASK(nr);
}

static __always_inline bool test_and_set_bit(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_or(kshim_sched_write(addr + BIT_WORD(nr)),
				 BIT_MASK(nr), __ATOMIC_SEQ_CST) &
		BIT_MASK(nr);
}

static __always_inline bool test_and_clear_bit(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_and(kshim_sched_write(addr + BIT_WORD(nr)),
				  ~BIT_MASK(nr), __ATOMIC_SEQ_CST) &
		BIT_MASK(nr);
}

static __always_inline bool test_and_change_bit(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_xor(kshim_sched_write(addr + BIT_WORD(nr)),
				  BIT_MASK(nr), __ATOMIC_SEQ_CST) &
		BIT_MASK(nr);
}

/**
 * test_and_set_bit_lock - take a bit as a lock, without waiting
 * @nr: which
 * @addr: start of the bitmap
 *
 * Acquire when it was clear. Returns the old value.
 */
static __always_inline bool test_and_set_bit_lock(long nr, volatile unsigned long *addr)
{
	return __atomic_fetch_or(kshim_sched_write(addr + BIT_WORD(nr)),
				 BIT_MASK(nr), __ATOMIC_ACQUIRE) &
		BIT_MASK(nr);
}

/* Let go of a bit taken by test_and_set_bit_lock(). Release. */
static __always_inline void clear_bit_unlock(long nr, volatile unsigned long *addr)
{
	__atomic_fetch_and(kshim_sched_write(addr + BIT_WORD(nr)),
			   ~BIT_MASK(nr), __ATOMIC_RELEASE);
}

/* The same when nobody else changes the word meanwhile. */
static __always_inline void __clear_bit_unlock(long nr, volatile unsigned long *addr)
{
	clear_bit_unlock(nr, addr);
}

/* Not atomic: the caller keeps others from the word. */
static __always_inline void __set_bit(unsigned long nr, volatile unsigned long *addr)
{
	addr[BIT_WORD(nr)] |= BIT_MASK(nr);
}

static __always_inline void __clear_bit(unsigned long nr, volatile unsigned long *addr)
{
	addr[BIT_WORD(nr)] &= ~BIT_MASK(nr);
}

static __always_inline void __change_bit(unsigned long nr, volatile unsigned long *addr)
{
	addr[BIT_WORD(nr)] ^= BIT_MASK(nr);
}

static __always_inline bool __test_and_set_bit(unsigned long nr, volatile unsigned long *addr)
{
	bool old = addr[BIT_WORD(nr)] & BIT_MASK(nr);

	__set_bit(nr, addr);
	return old;
}

static __always_inline bool __test_and_clear_bit(unsigned long nr, volatile unsigned long *addr)
{
	bool old = addr[BIT_WORD(nr)] & BIT_MASK(nr);

	__clear_bit(nr, addr);
	return old;
}

/* Lowest and highest set bit, from 0; the word is not 0. */
static __always_inline unsigned long __ffs(unsigned long word)
{
	return __builtin_ctzl(word);
}

static __always_inline unsigned long __fls(unsigned long word)
{
	return BITS_PER_LONG - 1 - __builtin_clzl(word);
}

/* Lowest clear bit, from 0; there is one. */
static __always_inline unsigned long ffz(unsigned long word)
{
	return __ffs(~word);
}

/* Highest set bit, from 1; 0 when there is none. ffs() is libc's. */
static __always_inline int fls(unsigned int x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}

static __always_inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

static __always_inline int fls_long(unsigned long x)
{
	return fls64(x);
}

/* Number of set bits. */
static __always_inline unsigned int hweight8(unsigned int w)
{
	return __builtin_popcount(w & 0xff);
}

static __always_inline unsigned int hweight16(unsigned int w)
{
	return __builtin_popcount(w & 0xffff);
}

static __always_inline unsigned int hweight32(unsigned int w)
{
	return __builtin_popcount(w);
}

static __always_inline unsigned int hweight64(u64 w)
{
	return __builtin_popcountll(w);
}

static __always_inline unsigned long hweight_long(unsigned long w)
{
	return __builtin_popcountl(w);
}

/**
 * find_next_bit - look for a set bit
 * @addr: bitmap
 * @size: its length in bits
 * @offset: where to start
 *
 * Returns its number, or @size when there is none.
 */
static inline unsigned long find_next_bit(const unsigned long *addr, unsigned long size,
					  unsigned long offset)
{
	unsigned long word, nr;

	while (offset < size) {
		word = READ_ONCE(addr[BIT_WORD(offset)]) >> (offset % BITS_PER_LONG);
		if (word) {
			nr = offset + __ffs(word);
			return nr < size ? nr : size;
		}
		offset = (BIT_WORD(offset) + 1) * BITS_PER_LONG;
	}
	return size;
}

/* As find_next_bit(), for a clear bit. */
static inline unsigned long find_next_zero_bit(const unsigned long *addr, unsigned long size,
					       unsigned long offset)
{
	unsigned long word, nr;

	while (offset < size) {
		word = ~READ_ONCE(addr[BIT_WORD(offset)]) >> (offset % BITS_PER_LONG);
		if (word) {
			nr = offset + __ffs(word);
			return nr < size ? nr : size;
		}
		offset = (BIT_WORD(offset) + 1) * BITS_PER_LONG;
	}
	return size;
}

#define find_first_bit(addr, size)	find_next_bit(addr, size, 0)
#define find_first_zero_bit(addr, size)	find_next_zero_bit(addr, size, 0)
#define for_each_set_bit(bit, addr, size)					\
	for ((bit) = find_first_bit(addr, size); (bit) < (size);		\
	     (bit) = find_next_bit(addr, size, (bit) + 1))

#endif
