// SPDX-License-Identifier: GPL-2.0
/* Threads, processes and address spaces, and who uses which. */
#include <errno.h>
#include <stdlib.h>

#include "recorder.h"

struct task *task_find(const struct recorder *rec, pid_t tid)
{
	struct task *t = rec->tasks[(unsigned int)tid % TASK_BUCKETS];

	while (t && t->tid != tid)
		t = t->next;
	return t;
}

struct task *task_add(struct recorder *rec, pid_t tid)
{
	struct task **head = &rec->tasks[(unsigned int)tid % TASK_BUCKETS];
	struct task *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->tid = tid;
	t->next = *head;
	*head = t;
	return t;
}

static void mm_put(struct recorder *rec, struct mm *mm)
{
	if (mm->users || mm->tasks)
		return;
	scan_close(rec, mm);
	page_set_free(&mm->pages);
	map_list_free(&mm->maps);
	free(mm);
}

void task_set_mm(struct recorder *rec, struct task *task, struct mm *mm)
{
	struct mm *old = task->mm;

	if (mm)
		mm->tasks++;
	task->mm = mm;
	if (old) {
		old->tasks--;
		mm_put(rec, old);
	}
}

void proc_set_mm(struct recorder *rec, struct proc *proc, struct mm *mm)
{
	struct mm *old = proc->mm;

	if (mm)
		mm->users++;
	proc->mm = mm;
	if (old) {
		old->users--;
		mm_put(rec, old);
	}
}

void task_remove(struct recorder *rec, struct task *task)
{
	struct task **p = &rec->tasks[(unsigned int)task->tid % TASK_BUCKETS];

	while (*p != task)
		p = &(*p)->next;
	*p = task->next;
	task_set_mm(rec, task, NULL);
	free(task);
}

struct proc *proc_new(struct recorder *rec, pid_t pid, struct mm *mm)
{
	struct proc *proc = calloc(1, sizeof(*proc));

	if (!proc)
		return NULL;
	proc->id = rec->procs++;
	proc->pid = pid;
	proc->started = true;
	proc_set_mm(rec, proc, mm);
	return proc;
}

struct mm *mm_new(void)
{
	struct mm *mm = calloc(1, sizeof(*mm));

	if (mm)
		mm->pagemap = -1;
	return mm;
}

struct mm *mm_fork(const struct mm *from)
{
	struct mm *mm = mm_new();

	if (!mm)
		return NULL;
	mm->brk = from->brk;
	mm->next_scan = from->next_scan;
	if (page_set_copy(&mm->pages, &from->pages) || map_list_copy(&mm->maps, &from->maps)) {
		page_set_free(&mm->pages);
		map_list_free(&mm->maps);
		free(mm);
		return NULL;
	}
	return mm;
}
