/* SPDX-License-Identifier: GPL-2.0 */
#ifndef USERMM_KSM_H
#define USERMM_KSM_H
/* What the page side needs of KSM besides internal.h. */
#include "internal.h"

/* The last reference on a KSM folio is gone. Any context. */
void ksm_folio_freed(struct um_world *world, struct folio *folio);
/* src, frozen and locked, is now dst. */
void ksm_folio_migrated(struct um_world *world, struct folio *src, struct folio *dst);

#endif
