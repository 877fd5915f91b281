/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SCAN_TOPOLOGY_H
#define SCAN_TOPOLOGY_H
/*
 * The simplest topology that is correct: one anon_vma for a whole family of
 * forked mms, and a walk that looks at every VMA of every one of them. It shows
 * what a topology has to provide (docs/topology.md), and that the core, the
 * user-space mm and the tests need nothing else.
 */
extern const struct anon_vma_topology scan_topology;

#endif
