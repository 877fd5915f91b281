/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_EXPORT_H
#define _KSHIM_LINUX_EXPORT_H
/* Empty: a library has no symbol table of its own to keep. */
#define EXPORT_SYMBOL(sym)
#define EXPORT_SYMBOL_GPL(sym)

#endif
