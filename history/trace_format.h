/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The layout of a trace file, shared by its writer and its reader.
 * docs/trace-format.md explains it.
 */
#ifndef HISTORY_TRACE_FORMAT_H
#define HISTORY_TRACE_FORMAT_H

#include <stdint.h>

/*
 * As in PNG: a byte with bit 7 set and a line end catch transfers that are
 * not 8-bit clean, ^Z stops a listing on a terminal of old.
 */
#define FORMAT_MAGIC		"\x89" "ANRM\n\x1a"	/* and its NUL: 8 bytes */
#define FORMAT_MAGIC_LEN	8

/* The fixed part of the header; the strings and the checksum follow. */
#define HEAD_MAJOR		8
#define HEAD_MINOR		10
#define HEAD_LEN		12	/* bytes of the whole header, checksum included */
#define HEAD_FLAGS		16
#define HEAD_PAGE_SIZE		20
#define HEAD_HUGE_PAGES		24
#define HEAD_CREATED		28
#define HEAD_FIXED		36
#define HEAD_SUM_LEN		8
#define HEAD_LEN_MAX		(1u << 20)
#define HEAD_STRINGS		3

/* A chunk's header. */
#define CHUNK_LEN		0	/* u32, bytes of payload */
#define CHUNK_RAW		4	/* u32, bytes of the events in it */
#define CHUNK_SUM		8	/* u64, XXH3 of the payload; seed: chunk number */
#define CHUNK_FLAGS		16	/* u32 */
#define CHUNK_HEAD_SUM		20	/* u32, low half of XXH3 of bytes 0..19, same seed */
#define CHUNK_HEAD		24

#define CHUNK_F_FIRST		1u	/* a zstd frame starts here */
#define CHUNK_F_LAST		2u	/* and ends here */
#define CHUNK_F_STORED		4u	/* the payload is the events, not compressed */
#define CHUNK_F_KNOWN		7u

/*
 * Limits. What decides is the raw size: a chunk is read or decompressed into a
 * buffer of its stated size, and that must not exceed CHUNK_RAW_MAX.
 */
#define CHUNK_RAW_MAX		(2u << 20)
#define CHUNK_LEN_MAX		(3u << 20)
#define CHUNK_WINDOW_LOG	20	/* zstd window: what a reader must be able to hold */

static inline void put_le(uint8_t *p, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = v >> (8 * i);
}

static inline uint64_t get_le(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static inline uint64_t zigzag(uint64_t delta)
{
	return (delta << 1) ^ -(delta >> 63);
}

static inline uint64_t unzigzag(uint64_t v)
{
	return (v >> 1) ^ -(v & 1);
}

#endif /* HISTORY_TRACE_FORMAT_H */
