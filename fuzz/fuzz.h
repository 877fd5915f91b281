/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FUZZ_H
#define FUZZ_H
/*
 * What a fuzz target is: one function, which libFuzzer calls by this name, and main.c
 * for AFL++ and for replaying files. abort() is a finding.
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
