/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SETTINGS_H
#define SETTINGS_H
/* The machine that the tests run on: whether they may, and its settings put back. */
#include <stdbool.h>

/* Is this the guest of linux/lab? */
bool in_the_guest(void);

/* Remembers the settings that tests change. */
void settings_save(void);
/* Puts back those that are not as they were. */
void settings_restore(void);

#endif
