// SPDX-License-Identifier: GPL-2.0
/* The mappings of one address space. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record_maps.h"

/* Parse one line, which is changed. Returns false for something else. */
static bool parse_line(char *line, struct proc_map *m)
{
	char perm[5];
	int name = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 " %n",
		   &m->start, &m->end, perm, &m->offset, &m->inode, &name) != 5 || !name)
		return false;
	m->prot = (perm[0] == 'r' ? PROT_READ : 0) | (perm[1] == 'w' ? PROT_WRITE : 0) |
		  (perm[2] == 'x' ? PROT_EXEC : 0);
	m->shared = perm[3] == 's';
	m->name = line + name;
	return m->end > m->start;
}

int proc_maps_read(pid_t pid, int (*fn)(const struct proc_map *, void *), void *arg)
{
	char path[32], buf[16384];
	size_t have = 0;
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (!ret) {
		ssize_t n = read(fd, buf + have, sizeof(buf) - have - 1);
		char *line = buf, *nl;

		if (n <= 0) {
			ret = n < 0 ? -errno : 0;
			break;
		}
		have += n;
		buf[have] = '\0';
		while (!ret && (nl = memchr(line, '\n', buf + have - line))) {
			struct proc_map m;

			*nl = '\0';
			if (parse_line(line, &m))
				ret = fn(&m, arg);
			line = nl + 1;
		}
		have -= line - buf;
		memmove(buf, line, have);
		/* No line is that long: names are paths. Give up rather than loop. */
		if (have == sizeof(buf) - 1)
			ret = -EOVERFLOW;
	}
	close(fd);
	return ret;
}

size_t map_list_lower(const struct map_list *list, uint64_t addr)
{
	size_t lo = 0, hi = list->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list->maps[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int open_gap(struct map_list *list, size_t at)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 32;
		struct map *maps = realloc(list->maps, room * sizeof(*maps));

		if (!maps)
			return -ENOMEM;
		list->maps = maps;
		list->room = room;
	}
	memmove(&list->maps[at + 1], &list->maps[at], (list->count - at) * sizeof(*list->maps));
	list->count++;
	return 0;
}

static void close_gap(struct map_list *list, size_t from, size_t to)
{
	memmove(&list->maps[from], &list->maps[to], (list->count - to) * sizeof(*list->maps));
	list->count -= to - from;
}

int map_list_remove(struct map_list *list, uint64_t start, uint64_t end)
{
	size_t i = map_list_lower(list, start);
	size_t j;

	if (i == list->count || start >= end)
		return 0;
	if (list->maps[i].start < start) {
		if (list->maps[i].end > end) {
			/* A hole in the middle: the map becomes two. */
			if (open_gap(list, i))
				return -ENOMEM;
			list->maps[i].end = start;
			list->maps[i + 1].start = end;
			return 0;
		}
		list->maps[i].end = start;
		i++;
	}
	j = i;
	while (j < list->count && list->maps[j].end <= end)
		j++;
	if (j < list->count && list->maps[j].start < end)
		list->maps[j].start = end;
	close_gap(list, i, j);
	return 0;
}

static bool alike(const struct map *a, const struct map *b)
{
	return a->file == b->file && a->shared == b->shared && a->stack == b->stack;
}

int map_list_insert(struct map_list *list, const struct map *map)
{
	int ret = map_list_remove(list, map->start, map->end);
	struct map *m;
	size_t i;

	if (ret)
		return ret;
	i = map_list_lower(list, map->start);
	if (i && list->maps[i - 1].end == map->start && alike(&list->maps[i - 1], map)) {
		list->maps[--i].end = map->end;
	} else {
		if (open_gap(list, i))
			return -ENOMEM;
		list->maps[i] = *map;
	}
	m = &list->maps[i];
	if (i + 1 < list->count && m[1].start == m->end && alike(m, m + 1)) {
		m->end = m[1].end;
		close_gap(list, i + 1, i + 2);
	}
	return 0;
}

int map_list_copy(struct map_list *to, const struct map_list *from)
{
	if (!from->count)
		return 0;
	to->maps = malloc(from->count * sizeof(*to->maps));
	if (!to->maps)
		return -ENOMEM;
	memcpy(to->maps, from->maps, from->count * sizeof(*to->maps));
	to->count = to->room = from->count;
	return 0;
}

void map_list_free(struct map_list *list)
{
	free(list->maps);
	*list = (struct map_list){ 0 };
}
