// SPDX-License-Identifier: GPL-2.0
/* A summary of a trace for people, or as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "record_maps.h"
#include "show.h"
#include "trace.h"

/* Deeper processes are not indented further. */
#define INDENT_MAX	30
#define NOBODY		UINT32_MAX

static const char *const touch_names[TRACE_TOUCH_KIND_LIMIT] = {
	"anonymous", "huge", "file_cow", "cow"
};

/* The mappings of one or several processes. */
struct space {
	unsigned int users;
	struct map_list maps;
};

struct show_proc {
	uint32_t parent;
	uint32_t first_child;
	uint32_t last_child;
	uint32_t next;			/* sibling */
	int32_t ospid;
	int32_t status;
	bool gone;
	bool foreign;
	char *comm;
	uint64_t begin;
	uint64_t end;
	uint64_t events;
	uint64_t ranges;		/* most mapped at a time */
	uint64_t pages[TRACE_TOUCH_KIND_LIMIT];
	struct space *space;
};

struct show {
	const struct trace_header *head;
	struct show_proc *procs;
	uint32_t nprocs;
	uint32_t procs_room;
	uint64_t events[TRACE_KIND_LIMIT];
	uint64_t total;
	uint64_t pages[TRACE_TOUCH_KIND_LIMIT];
	uint64_t ranges;
	uint64_t time;
	bool complete;
	struct trace_summary sum;
	const char *error;
	FILE *out;
	const char *bold;
	const char *plain;
};

static void space_put(struct space *space)
{
	if (!space || --space->users)
		return;
	map_list_free(&space->maps);
	free(space);
}

static void free_show(struct show *s)
{
	for (uint32_t i = 0; i < s->nprocs; i++) {
		free(s->procs[i].comm);
		space_put(s->procs[i].space);
	}
	free(s->procs);
}

static int add_proc(struct show *s, uint32_t parent, int32_t ospid, uint64_t time)
{
	struct show_proc *p;

	if (s->nprocs == s->procs_room) {
		uint32_t room = s->procs_room ? s->procs_room * 2 : 64;

		p = realloc(s->procs, room * sizeof(*p));
		if (!p)
			return -ENOMEM;
		s->procs = p;
		s->procs_room = room;
	}
	p = &s->procs[s->nprocs];
	*p = (struct show_proc){ .parent = parent, .first_child = NOBODY, .last_child = NOBODY,
				 .next = NOBODY, .ospid = ospid, .begin = time };
	if (parent != NOBODY) {
		struct show_proc *up = &s->procs[parent];

		if (up->last_child == NOBODY)
			up->first_child = s->nprocs;
		else
			s->procs[up->last_child].next = s->nprocs;
		up->last_child = s->nprocs;
		if (up->comm)
			p->comm = strdup(up->comm);
	}
	s->nprocs++;
	return 0;
}

/* Length of the UTF-8 sequence at p, 0 if it is none or not for a terminal. */
static unsigned int utf8_len(const unsigned char *p)
{
	uint32_t v;
	unsigned int n;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	v = p[0] & (0x7f >> n);
	for (unsigned int i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < 0xa0 || (n == 3 && v < 0x800) || (n == 4 && v < 0x10000) || v > 0x10ffff ||
	    (v >= 0xd800 && v < 0xe000))
		return 0;
	return n;
}

/* Names come from strangers: replace what is no text. Changes the string. */
static char *clean(char *text)
{
	for (char *p = text; p && *p;) {
		unsigned int n = utf8_len((unsigned char *)p);

		if (!n)
			*p = '?';
		p += n ? n : 1;
	}
	return text;
}

static int fork_space(struct show_proc *child, struct show_proc *parent, bool share)
{
	if (!parent->space)
		return 0;
	if (share) {
		child->space = parent->space;
		child->space->users++;
		return 0;
	}
	child->space = calloc(1, sizeof(*child->space));
	if (!child->space)
		return -ENOMEM;
	child->space->users = 1;
	return map_list_copy(&child->space->maps, &parent->space->maps);
}

static int new_child(struct show *s, const struct trace_event *ev)
{
	int ret = add_proc(s, ev->proc, ev->fork.ospid, ev->time);

	if (ret)
		return ret;
	s->procs[ev->fork.child].foreign = s->procs[ev->proc].foreign;
	return fork_space(&s->procs[ev->fork.child], &s->procs[ev->proc],
			  ev->kind == TRACE_SHARE);
}

static int exec(struct show_proc *p, const struct trace_event *ev)
{
	int ret = 0;

	free(p->comm);
	p->comm = clean(strdup(ev->exec.comm));
	p->foreign = false;
	space_put(p->space);
	p->space = calloc(1, sizeof(*p->space));
	if (!p->space)
		return -ENOMEM;
	p->space->users = 1;
	for (uint32_t i = 0; !ret && i < ev->exec.nmaps; i++) {
		const struct trace_map *m = &ev->exec.maps[i];
		struct map map = { .start = m->start, .end = m->start + m->len, .file = m->file,
				   .shared = m->shared, .stack = m->kind == TRACE_MAP_STACK };

		/* A map at the very top would end at 0. */
		if (map.end > map.start)
			ret = map_list_insert(&p->space->maps, &map);
	}
	return ret;
}

static uint64_t up(const struct show *s, uint64_t v)
{
	uint64_t mask = s->head->page_size - 1;

	return v > UINT64_MAX - mask ? ~mask : (v + mask) & ~mask;
}

static int map_range(const struct show *s, struct space *space, uint64_t addr, uint64_t len,
		     uint32_t file, bool shared)
{
	struct map map = { .start = addr, .end = up(s, addr + len), .file = file,
			   .shared = shared };

	return map.end > map.start ? map_list_insert(&space->maps, &map) : 0;
}

static int remap(const struct show *s, struct space *space, const struct trace_event *ev)
{
	uint64_t from = ev->mremap.old_addr, to = ev->mremap.new_addr;
	size_t i = map_list_lower(&space->maps, from);
	struct map map = { 0 };
	int ret = 0;

	if (i < space->maps.count && space->maps.maps[i].start <= from)
		map = space->maps.maps[i];
	if (to == from || !(ev->mremap.flags & MREMAP_DONTUNMAP))
		ret = map_list_remove(&space->maps, from, up(s, from + ev->mremap.old_len));
	if (!ret)
		ret = map_range(s, space, to, ev->mremap.new_len, map.file, map.shared);
	return ret;
}

static int change_space(struct show *s, struct space *space, const struct trace_event *ev)
{
	switch (ev->kind) {
	case TRACE_MMAP:
		return map_range(s, space, ev->mmap.addr, ev->mmap.len, ev->mmap.file,
				 ev->mmap.flags & MAP_SHARED);
	case TRACE_MUNMAP:
		return map_list_remove(&space->maps, ev->munmap.addr,
				       up(s, ev->munmap.addr + ev->munmap.len));
	case TRACE_MREMAP:
		return remap(s, space, ev);
	case TRACE_BRK:
		if (ev->brk.new_end > ev->brk.old_end)
			return map_range(s, space, up(s, ev->brk.old_end),
					 up(s, ev->brk.new_end) - up(s, ev->brk.old_end), 0,
					 false);
		return map_list_remove(&space->maps, up(s, ev->brk.new_end),
				       up(s, ev->brk.old_end));
	default:
		return 0;
	}
}

static void touch(struct show *s, struct show_proc *p, const struct trace_event *ev)
{
	for (uint32_t i = 0; i < ev->touch.nruns; i++) {
		p->pages[ev->touch.kind] += ev->touch.runs[i].count;
		s->pages[ev->touch.kind] += ev->touch.runs[i].count;
	}
}

static int take(struct show *s, const struct trace_event *ev)
{
	struct show_proc *p;
	int ret = 0;

	s->time = ev->time;
	s->events[ev->kind]++;
	if (ev->kind == TRACE_END) {
		s->complete = true;
		s->sum = ev->end;
		return 0;
	}
	s->total++;
	if (ev->kind == TRACE_PROC_START)
		ret = add_proc(s, NOBODY, ev->start.ospid, ev->time);
	else if (ev->kind == TRACE_FORK || ev->kind == TRACE_SHARE)
		ret = new_child(s, ev);
	if (ret)
		return ret;

	p = &s->procs[ev->proc];
	p->events++;
	switch (ev->kind) {
	case TRACE_EXEC:
		ret = exec(p, ev);
		break;
	case TRACE_EXIT:
		p->gone = true;
		p->end = ev->time;
		p->status = ev->exit.status;
		space_put(p->space);
		p->space = NULL;
		break;
	case TRACE_TOUCH:
		touch(s, p, ev);
		break;
	case TRACE_UNSUPPORTED:
		if (ev->unsupported.kind == TRACE_UNSUPPORTED_ABI) {
			p->foreign = true;
			space_put(p->space);
			p->space = NULL;
		}
		break;
	default:
		if (p->space)
			ret = change_space(s, p->space, ev);
		break;
	}
	if (p->space && p->space->maps.count > p->ranges)
		p->ranges = p->space->maps.count;
	if (p->ranges > s->ranges)
		s->ranges = p->ranges;
	return ret;
}

static double seconds(uint64_t ns)
{
	return ns / 1e9;
}

static const char *precision(uint32_t flags)
{
	if (flags & TRACE_F_PFN)
		return "exact: frames were compared";
	if (flags & TRACE_F_ZERO_UNKNOWN)
		return "guessed: frames were hidden; reads of zero pages may count as anonymous";
	return "guessed: frames were hidden, pages that became unshared count as copied";
}

static void print_fate(const struct show *s, const struct show_proc *p)
{
	if (!p->gone)
		fprintf(s->out, ", not seen to end");
	else if (WIFSIGNALED(p->status))
		fprintf(s->out, ", killed by signal %d", WTERMSIG(p->status));
	else if (WEXITSTATUS(p->status))
		fprintf(s->out, ", exit status %d", WEXITSTATUS(p->status));
}

static void print_proc(const struct show *s, uint32_t id, unsigned int depth)
{
	const struct show_proc *p = &s->procs[id];

	fprintf(s->out, "%*s%s%s%s", 2 + 2 * (int)(depth < INDENT_MAX ? depth : INDENT_MAX), "",
		s->bold, p->comm ? p->comm : "?", s->plain);
	fprintf(s->out, " [%" PRIu32 "] pid %" PRId32 ", %.3f s to %.3f s, %" PRIu64
		" events, %" PRIu64 " ranges", id, p->ospid, seconds(p->begin),
		seconds(p->gone ? p->end : s->time), p->events, p->ranges);
	for (int k = 0; k < TRACE_TOUCH_KIND_LIMIT; k++)
		if (p->pages[k])
			fprintf(s->out, ", %" PRIu64 " %s", p->pages[k], touch_names[k]);
	print_fate(s, p);
	if (p->foreign)
		fprintf(s->out, ", program for another ABI (not recorded)");
	fputc('\n', s->out);
}

/* Depth first without recursion: a chain of processes may be long. */
static void print_tree(const struct show *s)
{
	unsigned int depth = 0;
	uint32_t id = s->nprocs ? 0 : NOBODY;

	while (id != NOBODY) {
		print_proc(s, id, depth);
		if (s->procs[id].first_child != NOBODY) {
			id = s->procs[id].first_child;
			depth++;
			continue;
		}
		while (id != NOBODY && s->procs[id].next == NOBODY) {
			id = s->procs[id].parent;
			depth--;
		}
		if (id != NOBODY)
			id = s->procs[id].next;
	}
}

static void print_text(const struct show *s, const char *command)
{
	time_t created = s->head->created;
	char when[64] = "?";
	struct tm tm;

	if (gmtime_r(&created, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(s->out, "%sCommand%s    %s\n", s->bold, s->plain, command);
	fprintf(s->out, "%sRecorded%s   %s, Linux %s %s, pages of %" PRIu32 " bytes\n", s->bold,
		s->plain, when, s->head->kernel, s->head->arch,
		s->head->page_size);
	fprintf(s->out, "%sPrecision%s  copies after fork %s%s\n", s->bold, s->plain,
		precision(s->head->flags), s->head->flags & TRACE_F_NO_NEW_PRIVS ?
		"; set-user-id programs ran without their privileges" : "");
	fprintf(s->out, "%sDuration%s   %.3f s, %" PRIu32 " processes", s->bold, s->plain,
		seconds(s->time), s->nprocs);
	if (s->complete)
		fprintf(s->out, ", %" PRIu64 " more threads", s->sum.threads);
	fprintf(s->out, ", at most %" PRIu64 " mapped ranges in one\n", s->ranges);
	if (s->complete)
		fprintf(s->out, "%sCost%s       %.3f s of CPU in the recorder, %" PRIu64
			" stops, %" PRIu64 " scans (%.3f s)\n", s->bold, s->plain,
			seconds(s->sum.recorder_ns), s->sum.stops, s->sum.scans,
			seconds(s->sum.scan_ns));
	if (s->sum.lost_procs)
		fprintf(s->out, "%sLost%s       %" PRIu64 " processes ran without being recorded\n",
			s->bold, s->plain, s->sum.lost_procs);
	if (!s->complete)
		fprintf(s->out, "%sIncomplete%s %s\n", s->bold, s->plain, s->error);

	fprintf(s->out, "\n%sEvents%s     %" PRIu64 "\n", s->bold, s->plain, s->total);
	for (uint32_t k = 1; k < TRACE_END; k++)
		if (s->events[k])
			fprintf(s->out, "  %-12s %10" PRIu64 "\n", trace_kind_name(k),
				s->events[k]);
	fprintf(s->out, "\n%sPages%s\n", s->bold, s->plain);
	for (int k = 0; k < TRACE_TOUCH_KIND_LIMIT; k++)
		fprintf(s->out, "  %-12s %10" PRIu64 "\n", touch_names[k], s->pages[k]);
	fprintf(s->out, "\n%sProcesses%s\n", s->bold, s->plain);
	print_tree(s);
}

static void add_num(struct json_object *to, const char *key, uint64_t v)
{
	json_object_object_add(to, key, json_object_new_uint64(v));
}

static void add_str(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, text ? json_object_new_string(text) : NULL);
}

static void add_bool(struct json_object *to, const char *key, bool v)
{
	json_object_object_add(to, key, json_object_new_boolean(v));
}

static struct json_object *json_pages(const uint64_t *pages)
{
	struct json_object *o = json_object_new_object();

	for (int k = 0; k < TRACE_TOUCH_KIND_LIMIT; k++)
		add_num(o, touch_names[k], pages[k]);
	return o;
}

static struct json_object *json_proc(const struct show *s, uint32_t id)
{
	const struct show_proc *p = &s->procs[id];
	struct json_object *o = json_object_new_object();

	add_num(o, "id", id);
	if (p->parent != NOBODY)
		add_num(o, "parent", p->parent);
	else
		json_object_object_add(o, "parent", NULL);
	json_object_object_add(o, "pid", json_object_new_int(p->ospid));
	add_str(o, "comm", p->comm);
	add_num(o, "begin_ns", p->begin);
	add_num(o, "end_ns", p->gone ? p->end : s->time);
	add_bool(o, "ended", p->gone);
	json_object_object_add(o, "wait_status",
			       p->gone ? json_object_new_int(p->status) : NULL);
	add_bool(o, "other_abi", p->foreign);
	add_num(o, "events", p->events);
	add_num(o, "peak_ranges", p->ranges);
	json_object_object_add(o, "pages", json_pages(p->pages));
	return o;
}

static struct json_object *json_cost(const struct trace_summary *sum)
{
	struct json_object *o = json_object_new_object();

	add_num(o, "recorder_ns", sum->recorder_ns);
	add_num(o, "stops", sum->stops);
	add_num(o, "scans", sum->scans);
	add_num(o, "scan_ns", sum->scan_ns);
	return o;
}

static void print_json(const struct show *s, const char *command)
{
	struct json_object *o = json_object_new_object();
	struct json_object *events = json_object_new_object();
	struct json_object *procs = json_object_new_array();

	add_num(o, "schema_version", 1);
	add_str(o, "command", command);
	add_str(o, "kernel", s->head->kernel);
	add_str(o, "arch", s->head->arch);
	add_num(o, "created", s->head->created);
	add_num(o, "page_size", s->head->page_size);
	add_num(o, "huge_pages", s->head->huge_pages);
	add_bool(o, "exact_cow", s->head->flags & TRACE_F_PFN);
	add_bool(o, "zero_pages_known", !(s->head->flags & TRACE_F_ZERO_UNKNOWN));
	add_bool(o, "no_new_privs", s->head->flags & TRACE_F_NO_NEW_PRIVS);
	add_bool(o, "complete", s->complete);
	add_str(o, "error", s->complete ? NULL : s->error);
	add_num(o, "duration_ns", s->time);
	add_num(o, "total_events", s->total);
	for (uint32_t k = 1; k < TRACE_END; k++)
		add_num(events, trace_kind_name(k), s->events[k]);
	json_object_object_add(o, "events", events);
	json_object_object_add(o, "pages", json_pages(s->pages));
	add_num(o, "peak_ranges", s->ranges);
	if (s->complete) {
		add_num(o, "threads", s->sum.threads);
		add_num(o, "lost_processes", s->sum.lost_procs);
		json_object_object_add(o, "cost", json_cost(&s->sum));
	}
	for (uint32_t i = 0; i < s->nprocs; i++)
		json_object_array_add(procs, json_proc(s, i));
	json_object_object_add(o, "processes", procs);
	fprintf(s->out, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

int history_show(const char *path, FILE *out, bool json, bool colour, char *err, size_t errlen)
{
	struct show s = { .out = out, .bold = colour ? "\033[1m" : "",
			  .plain = colour ? "\033[0m" : "" };
	struct trace_reader *r;
	struct trace_event ev;
	char *command;
	int ret = trace_open(path, &r, err, errlen), bad = 0;

	if (ret)
		return ret;
	s.head = trace_header(r);
	while (!bad && (ret = trace_next(r, &ev)) == 1)
		bad = take(&s, &ev);
	s.error = trace_error(r);
	command = clean(strdup(s.head->command));
	if (bad || !command) {
		snprintf(err, errlen, "out of memory");
		ret = -ENOMEM;
	} else {
		if (ret)
			snprintf(err, errlen, "%s", s.error);
		if (json)
			print_json(&s, command);
		else
			print_text(&s, command);
	}
	free(command);
	free_show(&s);
	trace_close(r);
	return ret;
}
