// SPDX-License-Identifier: GPL-2.0
/* All schedule scenarios. A new one is declared and listed here. */
#include <stddef.h>
#include "schedule.h"

/* Each name once: it is declared, and listed. */
#define SCENARIOS(S)							\
	/* scenario_basic.c */						\
	S(reclaim_vs_fork)						\
	S(reclaim_vs_munmap)						\
	S(reclaim_vs_mremap)						\
	/* scenario_fork.c */						\
	S(walk_vs_fork)							\
	S(lockless_vs_fork)						\
	S(migrate_vs_fork)						\
	S(migrate_twice_vs_fork)					\
	S(walk_vs_fork_write)						\
	S(lockless_vs_fork_write)					\
	S(migrate_vs_fork_write)					\
	S(walk_vs_fork_displaced)					\
	S(try_vs_fork_displaced)					\
	S(migrate_vs_fork_displaced)					\
	S(walk_vs_fork_below)						\
	S(try_vs_fork_below)						\
	S(migrate_vs_fork_below)					\
	S(walk_vs_fork_fails)						\
	S(lockless_vs_fork_fails)					\
	S(migrate_vs_fork_fails)					\
	S(walk_third_vs_fork_fails)					\
	S(fork_fails_vs_unmap_vs_walk)					\
	S(fork_vs_exit_of_parent)					\
	S(fork_vs_exit_of_parent_vs_walk)				\
	S(fork_vs_fork_and_exit)					\
	S(fork_vs_first_fault)						\
	/* scenario_unmap.c */						\
	S(walk_vs_munmap)						\
	S(try_vs_munmap)						\
	S(migrate_vs_munmap)						\
	S(walk_vs_munmap_sole)						\
	S(lockless_vs_munmap_sole)					\
	S(migrate_vs_munmap_sole)					\
	S(walk_vs_munmap_empty)						\
	S(try_vs_munmap_empty)						\
	S(migrate_vs_munmap_empty)					\
	S(walk_vs_munmap_empty_large)					\
	S(try_vs_munmap_empty_large)					\
	S(migrate_vs_munmap_empty_large)				\
	S(walk_vs_munmap_batch)						\
	S(try_vs_munmap_batch)						\
	S(migrate_vs_munmap_batch)					\
	S(lockless_vs_munmap_batch_sole)				\
	S(walk_vs_munmap_part)						\
	S(lockless_vs_munmap_part)					\
	S(migrate_vs_munmap_part)					\
	S(walk_vs_map_fixed)						\
	S(try_vs_map_fixed)						\
	S(migrate_vs_map_fixed)						\
	S(lockless_vs_map_fixed_sole)					\
	S(walk_vs_map_fails)						\
	S(lockless_vs_map_fails)					\
	S(migrate_vs_map_fails)						\
	S(walk_vs_exit)							\
	S(try_vs_exit)							\
	S(migrate_vs_exit)						\
	S(walk_vs_exit_child)						\
	S(lockless_vs_exit_child)					\
	S(migrate_vs_exit_child)					\
	S(walk_vs_exit_orphan)						\
	S(try_vs_exit_orphan)						\
	S(migrate_vs_exit_orphan)					\
	S(walk_vs_exit_last)						\
	S(lockless_vs_exit_last)					\
	S(migrate_vs_exit_last)						\
	S(walk_vs_split_exit)						\
	S(lockless_vs_split_exit)					\
	S(migrate_vs_split_exit)					\
	S(walk_vs_exit_younger)						\
	S(walk_vs_exit_both)						\
	S(try_vs_exit_both)						\
	S(migrate_vs_exit_both)						\
	S(exit_vs_exit)							\
	S(walk_vs_walk_vs_exit)						\
	S(frames_vs_munmap)						\
	S(frames_vs_exit)						\
	/* scenario_move.c */						\
	S(walk_vs_move)							\
	S(lockless_vs_move)						\
	S(migrate_vs_move)						\
	S(walk_vs_ping_pong)						\
	S(lockless_vs_ping_pong)					\
	S(migrate_vs_ping_pong)						\
	S(walk_vs_move_displaced)					\
	S(try_vs_move_displaced)					\
	S(migrate_vs_move_displaced)					\
	S(walk_vs_move_over)						\
	S(lockless_vs_move_over)					\
	S(migrate_vs_move_over)						\
	S(walk_neighbour_vs_move_over)					\
	S(walk_vs_dontunmap)						\
	S(lockless_vs_dontunmap)					\
	S(migrate_vs_dontunmap)						\
	S(walk_vs_move_part)						\
	S(lockless_vs_move_part)					\
	S(migrate_vs_move_part)						\
	S(walk_vs_move_large)						\
	S(lockless_vs_move_large)					\
	S(migrate_vs_move_large)					\
	S(walk_vs_move_huge)						\
	S(lockless_vs_move_huge)					\
	S(migrate_vs_move_huge)						\
	S(walk_vs_move_file)						\
	S(lockless_vs_move_file)					\
	S(migrate_vs_move_file)						\
	S(walk_vs_move_file_apart)					\
	S(lockless_vs_move_file_apart)					\
	S(migrate_vs_move_file_apart)					\
	S(walk_vs_grow)							\
	S(lockless_vs_grow)						\
	S(migrate_vs_grow)						\
	S(walk_vs_grow_displaced)					\
	S(try_vs_grow_displaced)					\
	S(migrate_vs_grow_displaced)					\
	S(walk_vs_move_parent)						\
	S(try_vs_move_parent)						\
	S(migrate_vs_move_parent)					\
	S(walk_vs_move_child)						\
	S(try_vs_move_child)						\
	S(migrate_vs_move_child)					\
	S(walk_vs_move_merge)						\
	S(lockless_vs_move_merge)					\
	S(migrate_vs_move_merge)					\
	/* scenario_bounds.c */						\
	S(walk_vs_split)						\
	S(lockless_vs_split)						\
	S(migrate_vs_split)						\
	S(walk_vs_split_displaced)					\
	S(try_vs_split_displaced)					\
	S(migrate_vs_split_displaced)					\
	S(walk_vs_merge_both)						\
	S(lockless_vs_merge_both)					\
	S(migrate_vs_merge_both)					\
	S(walk_vs_merge_both_displaced)					\
	S(try_vs_merge_both_displaced)					\
	S(migrate_vs_merge_both_displaced)				\
	S(walk_vs_merge_left)						\
	S(lockless_vs_merge_left)					\
	S(migrate_vs_merge_left)					\
	S(walk_vs_merge_left_displaced)					\
	S(try_vs_merge_left_displaced)					\
	S(migrate_vs_merge_left_displaced)				\
	S(walk_vs_merge_right)						\
	S(lockless_vs_merge_right)					\
	S(migrate_vs_merge_right)					\
	S(walk_vs_merge_right_displaced)				\
	S(try_vs_merge_right_displaced)					\
	S(migrate_vs_merge_right_displaced)				\
	S(walk_vs_shift_up)						\
	S(lockless_vs_shift_up)						\
	S(migrate_vs_shift_up)						\
	S(walk_vs_shift_up_displaced)					\
	S(try_vs_shift_up_displaced)					\
	S(migrate_vs_shift_up_displaced)				\
	S(walk_vs_shift_down)						\
	S(lockless_vs_shift_down)					\
	S(migrate_vs_shift_down)					\
	S(walk_vs_shift_down_displaced)					\
	S(try_vs_shift_down_displaced)					\
	S(migrate_vs_shift_down_displaced)				\
	S(walk_vs_split_child)						\
	S(try_vs_split_child)						\
	S(migrate_vs_split_child)					\
	S(walk_vs_walk_vs_writer)					\
	S(walk_vs_try_vs_writer)					\
	S(lockless_vs_writer_vs_writer)					\
	/* scenario_fault.c */						\
	S(fault_first_vs_merge)						\
	S(fault_second_vs_merge)					\
	S(fault_second_vs_merge_faulted)				\
	S(fault_moved_vs_merge_displaced)				\
	S(fault_first_vs_merge_zero)					\
	S(fault_second_vs_merge_zero)					\
	S(fault_first_vs_merge_file)					\
	S(fault_second_vs_merge_file)					\
	S(fault_first_vs_split)						\
	S(fault_second_vs_split)					\
	S(fault_second_vs_split_zero)					\
	S(fault_second_vs_both_zero)					\
	S(fault_second_vs_both)						\
	S(fault_vs_fault_and_walk)					\
	S(fault_second_vs_neighbours)					\
	S(fault_first_vs_moved)						\
	/* scenario_owner.c */						\
	S(walk_vs_reuse)						\
	S(lockless_vs_reuse)						\
	S(migrate_vs_reuse)						\
	S(reference_vs_reuse)						\
	S(walk_vs_adopt)						\
	S(lockless_vs_adopt)						\
	S(frames_vs_adopt)						\
	S(adopt_vs_exit_vs_frames)					\
	S(walk_vs_uffd)							\
	S(lockless_vs_uffd)						\
	S(migrate_vs_uffd)						\
	S(walk_vs_exec_stack)						\
	S(lockless_vs_exec_stack)					\
	S(frames_vs_exec_stack)						\
	S(swapout_vs_exec_stack)					\
	/* scenario_join.c */						\
	S(walk_vs_join)							\
	S(lockless_vs_join)						\
	S(migrate_vs_join)						\
	S(walk_vs_join_displaced)					\
	S(try_vs_join_displaced)					\
	S(migrate_vs_join_displaced)					\
	S(walk_vs_join_exit)						\
	S(lockless_vs_join_exit)					\
	S(migrate_vs_join_exit)						\
	S(walk_vs_join_exit_child)					\
	S(lockless_vs_join_exit_child)					\
	S(migrate_vs_join_exit_child)					\
	S(walk_vs_join_munmap)						\
	S(try_vs_join_munmap)						\
	S(migrate_vs_join_munmap)					\
	S(join_vs_exit)							\
	S(join_vs_exit_vs_walk)						\
	/* scenario_ksm.c */						\
	S(walk_vs_ksm_exit)						\
	S(migrate_vs_ksm_exit)						\
	S(walk_vs_ksm_heir)						\
	S(migrate_vs_ksm_heir)						\
	S(migrate_vs_ksm_heir_moved)					\
	S(walk_vs_ksm_fork)						\
	S(migrate_vs_ksm_fork)						\
	S(walk_vs_ksm_munmap)						\
	S(migrate_vs_ksm_munmap)					\
	S(walk_vs_ksm_move)						\
	S(migrate_vs_ksm_move)						\
	S(walk_vs_ksm_displaced)					\
	S(migrate_vs_ksm_displaced)					\
	S(walk_vs_ksm_displaced_fork)					\
	S(migrate_vs_ksm_displaced_fork)				\
	S(walk_vs_ksm_write)						\
	S(migrate_vs_ksm_write)						\
	S(walk_vs_ksm_more)						\
	S(migrate_vs_ksm_more)						\
	S(walk_vs_ksm_merge)						\
	S(lockless_vs_ksm_merge)					\
	/* scenario_swap.c */						\
	S(swapout_vs_fork)						\
	S(swapout_vs_exit)						\
	S(swapout_vs_munmap)						\
	S(swapout_vs_move)						\
	S(swapout_vs_write)						\
	S(swapin_vs_swapin)						\
	S(swapin_vs_fork)						\
	S(swapin_vs_exit)						\
	S(swapin_vs_write)						\
	S(swapin_vs_ksm)						\
	/* scenario_large.c */						\
	S(walk_vs_large_split)						\
	S(lockless_vs_large_alone)					\
	S(walk_vs_collapse)						\
	S(lockless_vs_collapse)						\
	S(migrate_vs_collapse)						\
	S(large_split_vs_fork)						\
	S(large_split_vs_munmap)					\
	S(large_split_vs_exit)						\
	S(large_split_vs_move)						\
	S(large_split_vs_write)						\
	S(large_split_vs_frames)					\
	S(large_split_vs_swapout)					\
	/* scenario_stress.c */						\
	S(stress_lineage)						\
	S(stress_moves)							\
	S(stress_exits)							\
	S(stress_threads)						\
	S(stress_swap)							\
	S(stress_folio)

#define DECLARE(name)	extern const struct schedule_scenario name;
#define LIST(name)	&name,

SCENARIOS(DECLARE)

const struct schedule_scenario *const schedule_scenarios[] = {
	SCENARIOS(LIST)
	NULL
};
