/* SPDX-License-Identifier: GPL-2.0 */
/* A summary of a trace for people, or as JSON. */
#ifndef HISTORY_SHOW_H
#define HISTORY_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/**
 * history_show - summarise a trace
 * @path: trace file
 * @out: where the summary goes
 * @json: as JSON, else as text
 * @colour: text with colours
 * @err: gets one line on failure
 * @errlen: room in @err
 *
 * A trace that is truncated or corrupt is summarised as far as it can be
 * read, the summary says so, and the error is returned nevertheless.
 *
 * Return: 0, what trace_open() or trace_next() returned, -ENOMEM, -EIO if
 * @out could not be written.
 */
int history_show(const char *path, FILE *out, bool json, bool colour, char *err, size_t errlen);

#endif /* HISTORY_SHOW_H */
