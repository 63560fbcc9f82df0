// SPDX-License-Identifier: MIT
/*
 * judge: whether a device sent a steering tag that nobody was granted.
 *
 *   judge --device NAME=BDF ... TLP-LOG GRANT-LOG
 *
 * Two witnesses that know nothing of each other: TLP-LOG is the emulator's
 * (doc/emulated-endpoint.md), GRANT-LOG the kernel's, the driver's tracepoints with marks of what
 * the test did (witness.c). Both hold each write to a function's TPH capability, in one order: the
 * driver's lock sees to that in the kernel, the device itself in the emulator. So write k of one is
 * write k of the other, or somebody wrote who does not own the capability; and what lies between
 * two writes in one happened between them in the other.
 *
 * Judged is, for every request between two writes: that it has no hint if the requester is off, and
 * no tag, or that of a grant that was live for its entry in that interval, in the width in force.
 * While there is a map for a guest, an entry is granted what a virtual tag stands for, and nothing else.
 * An entry that is taken back is live until the first write behind it, and that write has to follow
 * at once and to disable the requester. The table is changed while the requester is off alone, and
 * when it is switched on it holds what is granted. Grants are held against what the test knows: the
 * operator's list, CPUs that are offline, attachment.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#define DEVICES_MAX 8
#define ENTRIES_MAX 2048
#define VIRTUAL_MAX 4096
#define REASONS_MAX 16
#define SHOWN_MAX   20

#define TPH_CAPABILITY	       4
#define TPH_CONTROL	       8
#define TPH_TABLE	       12
#define CAPABILITY_ENTRIES_MAX 64

enum kind {
	/* the emulator's */
	WRITE,
	TLP,
	RESET,
	/* the kernel's */
	APPLY,
	SET,
	MAP, /* tag 0: a new map */
	UNMAP,
	REVOKE,
	VECTOR, /* a tag that went to the MSI-X table */
	RESET_PREPARE,
	RESET_DONE,
	MARK_OPERATOR_BEGIN,
	MARK_OPERATOR_END,
	MARK_OFFLINE,
	MARK_ONLINE,
	MARK_DETACHED,
	MARK_ATTACHING,
	MARK_CLOSED,
	MARK_REMOVING,
	MARK_BOUND,
	MARK_SUSPENDED,
	MARK_WAKING,
	MARK_CONFINED,
};

/** struct event - a line of one log, of one device; @line is its number there */
struct event {
	enum kind kind;
	unsigned long line;
	uint32_t at, length, value;   /* WRITE, APPLY; VECTOR: entry in @at */
	uint32_t index, cpu, st, xst; /* SET, REVOKE; MAP, UNMAP: tag in @index, MAP: count in @value;
					 TLP: entry in @index; marks: mask in @value */
	bool hinted, has_entry;	      /* TLP */
	unsigned int width;
};

struct events {
	struct event *list;
	size_t count, room;
};

struct grant {
	bool live;
	uint32_t cpu, st, xst;
};

struct device {
	char name[40], bdf[16];
	struct events tlps, grants;
	uint32_t cap; /* offset of the capability, from the first write of the run */
	/* hardware as the writes made it */
	uint32_t control;
	uint16_t table[ENTRIES_MAX];
	bool vector_written[ENTRIES_MAX];
	bool msix;
	/* the kernel's word */
	struct grant ledger[ENTRIES_MAX];
	struct grant slots[VIRTUAL_MAX]; /* of virtual tag v at v - 1 */
	uint32_t mapped;		 /* how many there are, 0: no map */
	bool settled_due; /* switched on; to be held against the ledger at the next event */
	uint32_t settled_control;
	uint16_t settled_table[ENTRIES_MAX];
	bool settled_known[ENTRIES_MAX];
	bool revoked; /* an entry was, and no write has followed yet */
	uint32_t revoked_cpus;
	/* the test's word */
	uint32_t operator_cpus, operator_coming;
	bool attached;
	bool removing; /* the driver lets go of it, and its user was told */
	bool asleep;
	unsigned int bindings; /* since the requester was last enabled */
};

static struct device devices[DEVICES_MAX];
static size_t device_count;
static uint32_t offline; /* CPUs that are surely offline; marks are of all devices */

static struct {
	char seed[32];
	uint64_t tlps, hinted, tagged, sets, maps, by_guests, revocations, resets, writes, vectors,
		off_windows, enables;
	struct {
		char name[40];
		uint64_t count;
	} reasons[REASONS_MAX];
	uint64_t violations;
	long lost;
	bool ended;
} figures = { .lost = -1 };

static void violation(const struct device *d, const struct event *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void violation(const struct device *d, const struct event *e, const char *format, ...)
{
	va_list ap;

	if (figures.violations++ >= SHOWN_MAX)
		return;
	printf("# violation: %s", d ? d->bdf : "-");
	if (e)
		printf(", line %lu of the %s log", e->line, e->kind <= RESET ? "TLP" : "grant");
	printf(": ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "judge: ");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(2);
}

static void add(struct events *events, const struct event *e)
{
	if (events->count == events->room) {
		events->room = events->room ? 2 * events->room : 4096;
		events->list = realloc(events->list, events->room * sizeof(*e));
		if (!events->list)
			fail("out of memory");
	}
	events->list[events->count++] = *e;
}

static struct device *device_by_bdf(const char *bdf)
{
	size_t i;

	for (i = 0; i < device_count; i++)
		if (!strcmp(devices[i].bdf, bdf))
			return &devices[i];
	return NULL;
}

/* ---- the emulator's log ---- */

static const char *text(struct json_object *o, const char *key)
{
	struct json_object *field;

	return json_object_object_get_ex(o, key, &field) ? json_object_get_string(field) : NULL;
}

static uint32_t number(struct json_object *o, const char *key, unsigned long line)
{
	const char *value = text(o, key);

	if (!value)
		fail("TLP log, line %lu: no field '%s'", line, key);
	return (uint32_t)strtoull(value, NULL, 0);
}

static void read_tlp_log(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t expected = 0;
	unsigned long line;
	char *buffer = NULL;
	size_t size = 0;

	if (!file)
		fail("%s: %s", path, strerror(errno));
	for (line = 1; getline(&buffer, &size, file) > 0; line++) {
		struct json_object *o = json_tokener_parse(buffer);
		struct event e = { .line = line };
		struct device *d = NULL;
		const char *event, *name;
		size_t i;

		if (!o || !(event = text(o, "event")))
			fail("%s, line %lu: no event", path, line);
		if (number(o, "seq", line) != (uint32_t)++expected)
			fail("%s, line %lu: a line is missing before it", path, line);
		if (!strcmp(event, "lost") || !strcmp(event, "limit"))
			fail("%s, line %lu: the log is not whole: %s", path, line, event);
		name = text(o, "function");
		for (i = 0; name && i < device_count; i++)
			if (!strcmp(devices[i].name, name))
				d = &devices[i];
		if (!d) {
			json_object_put(o);
			continue;
		}
		if (!strcmp(event, "tph-write")) {
			e.kind = WRITE;
			e.at = number(o, "at", line);
			e.length = number(o, "length", line);
			e.value = number(o, "value", line);
			add(&d->tlps, &e);
		} else if (!strcmp(event, "tlp")) {
			e.kind = TLP;
			e.hinted = number(o, "th", line);
			e.has_entry = text(o, "entry");
			if (e.hinted) {
				e.st = number(o, "st", line);
				e.width = number(o, "width", line);
			}
			if (e.has_entry)
				e.index = number(o, "entry", line);
			add(&d->tlps, &e);
		} else if (!strcmp(event, "reset")) {
			e.kind = RESET;
			add(&d->tlps, &e);
		}
		json_object_put(o);
	}
	free(buffer);
	fclose(file);
}

/* ---- the kernel's log ---- */

static void count_reason(const char *reason)
{
	size_t i;

	for (i = 0; i < REASONS_MAX - 1 && figures.reasons[i].count; i++)
		if (!strcmp(figures.reasons[i].name, reason))
			break;
	snprintf(figures.reasons[i].name, sizeof(figures.reasons[i].name), "%s", reason);
	figures.reasons[i].count++;
}

static void add_to(const char *bdf, const struct event *e)
{
	struct device *d = device_by_bdf(bdf);

	if (d)
		add(&d->grants, e);
}

static void add_to_all(const struct event *e)
{
	size_t i;

	for (i = 0; i < device_count; i++)
		add(&devices[i].grants, e);
}

static bool read_mark(char *mark, struct event *e)
{
	char bdf[16];

	if (sscanf(mark, "begin seed=%31s", figures.seed) == 1)
		return true;
	if (sscanf(mark, "end lost=%ld", &figures.lost) == 1) {
		figures.ended = true;
		return true;
	}
	if (sscanf(mark, "operator-begin %15s %x", bdf, &e->value) == 2)
		e->kind = MARK_OPERATOR_BEGIN;
	else if (sscanf(mark, "operator-end %15s %x", bdf, &e->value) == 2)
		e->kind = MARK_OPERATOR_END;
	else if (sscanf(mark, "detach-end %15s", bdf) == 1)
		e->kind = MARK_DETACHED;
	else if (sscanf(mark, "attach-begin %15s", bdf) == 1)
		e->kind = MARK_ATTACHING;
	else if (sscanf(mark, "close-end %15s", bdf) == 1)
		e->kind = MARK_CLOSED;
	else if (sscanf(mark, "removing %15s", bdf) == 1)
		e->kind = MARK_REMOVING;
	else if (sscanf(mark, "bound %15s", bdf) == 1)
		e->kind = MARK_BOUND;
	else if (sscanf(mark, "suspended %15s", bdf) == 1)
		e->kind = MARK_SUSPENDED;
	else if (sscanf(mark, "waking %15s", bdf) == 1)
		e->kind = MARK_WAKING;
	else if (sscanf(mark, "confined %15s %u %u", bdf, &e->index, &e->cpu) == 3)
		e->kind = MARK_CONFINED;
	else if (sscanf(mark, "offline-end %u", &e->cpu) == 1) {
		e->kind = MARK_OFFLINE;
		add_to_all(e);
		return true;
	} else if (sscanf(mark, "online-begin %u", &e->cpu) == 1) {
		e->kind = MARK_ONLINE;
		add_to_all(e);
		return true;
	} else {
		return false;
	}
	add_to(bdf, e);
	return true;
}

static bool read_tracepoint(const char *line, struct event *e)
{
	char bdf[16], word[40];
	unsigned int bytes;
	int error, cpu;

	if (sscanf(line, "tph_apply: %15s at=%x bytes=%u value=%x error=%d", bdf, &e->at, &bytes,
		   &e->value, &error) == 5) {
		e->kind = bytes ? APPLY : VECTOR;
		e->length = bytes;
		if (!error)
			add_to(bdf, e);
	} else if (sscanf(line, "tph_set: %15s index=%u cpu=%d st=%x xst=%x", bdf, &e->index, &cpu,
			  &e->st, &e->xst) == 5) {
		e->kind = SET;
		e->cpu = (uint32_t)cpu;
		add_to(bdf, e);
	} else if (sscanf(line, "tph_map: %15s count=%u tag=%u cpu=%d st=%x xst=%x", bdf, &e->value,
			  &e->index, &cpu, &e->st, &e->xst) == 6) {
		e->kind = MAP;
		e->cpu = (uint32_t)cpu;
		add_to(bdf, e);
	} else if (sscanf(line, "tph_unmap: %15s tag=%u cpu=%u reason=%39s", bdf, &e->index, &e->cpu,
			  word) == 4) {
		e->kind = UNMAP;
		add_to(bdf, e);
	} else if (sscanf(line, "tph_revoke: %15s index=%u cpu=%u reason=%39s", bdf, &e->index,
			  &e->cpu, word) == 4) {
		e->kind = REVOKE;
		count_reason(word);
		add_to(bdf, e);
	} else if (sscanf(line, "tph_reset: %15s %39s", bdf, word) == 2) {
		e->kind = !strcmp(word, "done") ? RESET_DONE : RESET_PREPARE;
		add_to(bdf, e);
	} else {
		/* these change nothing */
		return sscanf(line, "tph_refuse: %15s", bdf) == 1 ||
		       sscanf(line, "tph_review: %15s", bdf) == 1;
	}
	return true;
}

static void read_grant_log(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long line;
	char *buffer = NULL;
	size_t size = 0;

	if (!file)
		fail("%s: %s", path, strerror(errno));
	for (line = 1; getline(&buffer, &size, file) > 0; line++) {
		struct event e = { .line = line };
		bool known;

		known = !strncmp(buffer, "mark: ", 6) ? read_mark(buffer + 6, &e)
						      : read_tracepoint(buffer, &e);
		if (!known)
			fail("%s, line %lu: cannot be read: %s", path, line, buffer);
	}
	free(buffer);
	fclose(file);
	if (!figures.ended)
		fail("%s: the end is missing", path);
}

/* ---- the judgement ---- */

static unsigned int control_width(uint32_t control)
{
	switch (control >> 8 & 3) {
	case 1:
		return 8;
	case 3:
		return 16;
	default:
		return 0;
	}
}

static bool control_tagged(uint32_t control)
{
	return control_width(control) && control & 7;
}

static uint32_t grant_tag(const struct grant *grant, unsigned int width)
{
	if (!grant->live)
		return 0;
	return width == 16 ? grant->xst : grant->st;
}

/* The table as it was when the requester was switched on, against what was granted then. */
static void settle(struct device *d, const struct event *e)
{
	unsigned int width = control_width(d->settled_control);
	uint32_t i;

	if (!d->settled_due)
		return;
	d->settled_due = false;
	for (i = 0; i < ENTRIES_MAX; i++) {
		uint32_t granted = grant_tag(&d->ledger[i], width);

		if (!d->settled_known[i] || d->settled_table[i] == granted)
			continue;
		violation(d, e,
			  "before it the requester was enabled with tag %#x in entry %u, "
			  "and granted is %#x",
			  d->settled_table[i], i, granted);
		return;
	}
}

static void hardware_write(struct device *d, const struct event *e)
{
	uint32_t at = e->at - d->cap, i;

	figures.writes++;
	if (d->asleep)
		violation(d, e, "a function that sleeps is written to");
	if (at == TPH_CONTROL && e->length == 4) {
		if (d->revoked && control_width(e->value))
			violation(d, e,
				  "an entry was taken back, and the write that follows does "
				  "not disable the requester");
		d->revoked = false;
		if (control_width(d->control) && !control_width(e->value))
			figures.off_windows++;
		d->control = e->value;
		if (!control_width(e->value)) {
			memset(d->vector_written, 0, sizeof(d->vector_written));
			return;
		}
		figures.enables++;
		d->bindings = 0;
		if (!d->attached)
			violation(d, e, "enabled while detached");
		if (d->removing)
			violation(d, e, "enabled, and the driver has let go");
		if (!control_tagged(e->value))
			return;
		d->settled_due = true;
		d->settled_control = e->value;
		memcpy(d->settled_table, d->table, sizeof(d->table));
		for (i = 0; i < ENTRIES_MAX; i++)
			d->settled_known[i] =
				d->msix ? d->vector_written[i] : i < CAPABILITY_ENTRIES_MAX;
		return;
	}
	if (at < TPH_TABLE || at + e->length > TPH_TABLE + 2 * CAPABILITY_ENTRIES_MAX ||
	    (e->length != 2 && e->length != 4) || at & 1) {
		violation(d, e,
			  "a write of %u bytes at %#x is neither to the control register nor "
			  "to the table",
			  e->length, e->at);
		return;
	}
	if (control_tagged(d->control))
		violation(d, e, "the table is written while the requester is enabled");
	d->table[(at - TPH_TABLE) / 2] = (uint16_t)e->value;
	if (e->length == 4)
		d->table[(at - TPH_TABLE) / 2 + 1] = (uint16_t)(e->value >> 16);
}

/*
 * What was sent between the last write and the next. @before: grants as of the last write, with the
 * sets that belong to it; what is taken back in this interval was live in it.
 */
static void judge_tlp(struct device *d, const struct event *e, const struct grant *before)
{
	figures.tlps++;
	if (!e->hinted)
		return;
	figures.hinted++;
	if (control_width(d->control) != e->width) {
		violation(d, e, "a hint of %u bits, and the control register is %#x", e->width,
			  d->control);
		return;
	}
	if (!e->st)
		return;
	figures.tagged++;
	if (!e->has_entry)
		violation(d, e, "tag %#x is of no entry", e->st);
	else if (!control_tagged(d->control))
		violation(d, e, "tag %#x in No ST mode", e->st);
	else if (e->index >= ENTRIES_MAX || grant_tag(&before[e->index], e->width) != e->st)
		violation(d, e, "tag %#x (%u bits) for entry %u, and granted is %#x (CPU %d)",
			  e->st, e->width, e->index,
			  e->index < ENTRIES_MAX ? grant_tag(&before[e->index], e->width) : 0,
			  e->index < ENTRIES_MAX && before[e->index].live
				  ? (int)before[e->index].cpu
				  : -1);
}

/* What is granted at all, to an entry or a virtual tag. */
static void may_be_granted(struct device *d, const struct event *e)
{
	if (e->cpu >= 32 || !((d->operator_cpus | d->operator_coming) & 1u << e->cpu))
		violation(d, e, "CPU %u is granted, and the operator's list is %#x", e->cpu,
			  d->operator_cpus);
	else if (offline & 1u << e->cpu)
		violation(d, e, "CPU %u is granted, and is offline", e->cpu);
	if (!d->attached)
		violation(d, e, "CPU %u is granted, and the device is detached", e->cpu);
	if (d->removing)
		violation(d, e, "CPU %u is granted, and the driver has let go", e->cpu);
}

static void map_set(struct device *d, const struct event *e)
{
	if (e->index > VIRTUAL_MAX || e->value > VIRTUAL_MAX) {
		violation(d, e, "virtual tag %u of %u", e->index, e->value);
		return;
	}
	if (!e->index) {
		figures.maps++;
		d->mapped = e->value;
		memset(d->slots, 0, sizeof(d->slots));
		return;
	}
	if (e->index > d->mapped)
		violation(d, e, "virtual tag %u, and the map has %u", e->index, d->mapped);
	d->slots[e->index - 1] = (struct grant){ true, e->cpu, e->st, e->xst };
	may_be_granted(d, e);
}

static void map_lost(struct device *d, const struct event *e)
{
	struct grant *slot = e->index && e->index <= VIRTUAL_MAX ? &d->slots[e->index - 1] : NULL;

	if (!slot || !slot->live || slot->cpu != e->cpu)
		violation(d, e, "virtual tag %u is taken back from CPU %u, and it was not mapped",
			  e->index, e->cpu);
	else
		slot->live = false;
}

static bool is_mapped(const struct device *d, const struct event *e)
{
	uint32_t i;

	for (i = 0; i < d->mapped; i++)
		if (d->slots[i].live && d->slots[i].cpu == e->cpu && d->slots[i].st == e->st &&
		    d->slots[i].xst == e->xst)
			return true;
	return false;
}

static void grant_set(struct device *d, const struct event *e)
{
	figures.sets++;
	if (e->index >= ENTRIES_MAX) {
		violation(d, e, "entry %u", e->index);
		return;
	}
	d->ledger[e->index] = (struct grant){
		.live = e->cpu != UINT32_MAX,
		.cpu = e->cpu,
		.st = e->st,
		.xst = e->xst,
	};
	if (e->cpu == UINT32_MAX)
		return;
	if (!d->mapped) {
		may_be_granted(d, e);
		return;
	}
	/* when the virtual tag was granted its CPU was looked at, and it was not taken back since */
	figures.by_guests++;
	if (!is_mapped(d, e))
		violation(d, e, "a guest was granted CPU %u, which no virtual tag stands for",
			  e->cpu);
}

/* What may not be live any more, as of a mark that the test set after it had done something. */
static void none_left(struct device *d, const struct event *e, uint32_t cpus, const char *why)
{
	uint32_t i;

	if (d->revoked && cpus & d->revoked_cpus)
		violation(d, e, "a CPU %s is taken back from the ledger, and not from hardware",
			  why);
	for (i = 0; i < ENTRIES_MAX; i++)
		if (d->ledger[i].live && d->ledger[i].cpu < 32 && cpus & 1u << d->ledger[i].cpu) {
			violation(d, e, "entry %u is still granted CPU %u %s", i, d->ledger[i].cpu,
				  why);
			return;
		}
	for (i = 0; i < d->mapped; i++)
		if (d->slots[i].live && d->slots[i].cpu < 32 && cpus & 1u << d->slots[i].cpu) {
			violation(d, e, "virtual tag %u still stands for CPU %u %s", i + 1,
				  d->slots[i].cpu, why);
			return;
		}
}

/*
 * @reset: the device was reset in this interval, and may be off without a write. Marks are not made
 * under the driver's lock: they come in the middle of what it does in one go.
 */
static void kernel_event(struct device *d, const struct event *e, bool reset)
{
	if (e->kind < MARK_OPERATOR_BEGIN) {
		if (d->revoked && e->kind != REVOKE) {
			violation(d, e,
				  "before it an entry was taken back, and hardware was not "
				  "written");
			d->revoked = false;
		}
		if (e->kind != SET && e->kind != MAP)
			settle(d, e);
		/* vectors come and go: known are the tags written right before the enable */
		if (e->kind != VECTOR)
			memset(d->vector_written, 0, sizeof(d->vector_written));
	}

	switch (e->kind) {
	case SET:
		grant_set(d, e);
		break;
	case MAP:
		map_set(d, e);
		break;
	case UNMAP:
		map_lost(d, e);
		break;
	case REVOKE:
		figures.revocations++;
		if (e->index >= ENTRIES_MAX || !d->ledger[e->index].live ||
		    d->ledger[e->index].cpu != e->cpu)
			violation(d, e,
				  "entry %u is taken back from CPU %u, and it was not granted",
				  e->index, e->cpu);
		else
			d->ledger[e->index].live = false;
		if (!d->revoked)
			d->revoked_cpus = 0;
		d->revoked_cpus |= e->cpu < 32 ? 1u << e->cpu : 0;
		d->revoked = control_tagged(d->control) && !reset;
		break;
	case VECTOR:
		figures.vectors++;
		if (e->at >= ENTRIES_MAX)
			break;
		if (d->asleep)
			violation(d, e, "the MSI-X table is written while the function sleeps");
		if (control_tagged(d->control) && !reset)
			violation(d, e,
				  "the MSI-X table is written while the requester is enabled");
		d->table[e->at] = (uint16_t)e->value;
		d->vector_written[e->at] = true;
		break;
	case RESET_PREPARE:
		figures.resets++;
		break;
	case MARK_OPERATOR_BEGIN:
		d->operator_coming = e->value;
		break;
	case MARK_OPERATOR_END:
		d->operator_cpus = e->value;
		d->operator_coming = 0;
		none_left(d, e, ~e->value, "that the operator took back");
		break;
	case MARK_OFFLINE:
		none_left(d, e, 1u << e->cpu, "that is offline");
		break;
	case MARK_DETACHED:
		d->attached = false;
		none_left(d, e, UINT32_MAX, "though the device is detached");
		if (control_width(d->control))
			violation(d, e, "the requester is enabled though the device is detached");
		break;
	case MARK_ATTACHING:
		d->attached = true;
		break;
	case MARK_CLOSED:
		d->attached = false;
		none_left(d, e, UINT32_MAX, "though the device is closed");
		if (control_width(d->control))
			violation(d, e, "the requester is enabled though the device is closed");
		break;
	case MARK_REMOVING:
		d->removing = true;
		none_left(d, e, UINT32_MAX, "though the driver lets go");
		if (control_width(d->control))
			violation(d, e, "the requester is enabled though the driver lets go");
		break;
	case MARK_BOUND:
		d->removing = false;
		d->bindings++;
		break;
	case MARK_SUSPENDED:
		d->asleep = true;
		if (control_width(d->control))
			violation(d, e, "the function sleeps with its requester enabled");
		break;
	case MARK_WAKING:
		d->asleep = false;
		break;
	case MARK_CONFINED:
		if (e->index < ENTRIES_MAX && d->ledger[e->index].live &&
		    d->ledger[e->index].cpu == e->cpu)
			violation(d, e, "entry %u is still granted CPU %u, which its process lost",
				  e->index, e->cpu);
		break;
	default:
		break;
	}
}

/* Binding a driver has the PCI core switch the requester off, which it is; the driver tells not. */
static bool binding_write(struct device *d, const struct event *w)
{
	if (!d->bindings || w->at != d->cap + TPH_CONTROL || w->length != 4 || w->value)
		return false;
	d->bindings--;
	return true;
}

static bool same_write(const struct event *a, const struct event *b)
{
	return a->at == b->at && a->length == b->length && a->value == b->value;
}

/*
 * Interval by interval. Sets that come right behind a write belong to it: the driver writes, then
 * tells. Whatever follows may be of any time in the interval, so all requests in it are judged by
 * what was granted before the first revocation.
 */
static void judge_device(struct device *d)
{
	static struct grant before[ENTRIES_MAX];
	const struct event *w = d->tlps.list, *w_end = w + d->tlps.count;
	const struct event *k = d->grants.list, *k_end = k + d->grants.count;
	uint64_t tlps = figures.tlps, tagged = figures.tagged, writes = figures.writes;

	/* the first write to the header is the test's own, and nothing before it is judged */
	while (w < w_end && w->kind != WRITE)
		w++;
	for (const struct event *e = w; e < w_end; e++)
		if (e->kind == WRITE && (!d->cap || e->at < d->cap))
			d->cap = e->at;
	/* opening a device zeroes its table: without one write to it, it is the MSI-X table */
	d->msix = true;
	for (const struct event *e = w; e < w_end; e++)
		if (e->kind == WRITE && e->at >= d->cap + TPH_TABLE)
			d->msix = false;
	while (w < w_end && !(w->kind == WRITE && w->at == d->cap))
		w++;
	if (w == w_end) {
		violation(d, NULL, "the emulator's log does not have the begin of the run");
		return;
	}
	w++;
	offline = 0;
	for (;;) {
		bool reset = false;

		for (const struct event *e = w; e < w_end && e->kind != WRITE; e++)
			reset |= e->kind == RESET;
		/* the kernel's part of the interval */
		memcpy(before, d->ledger, sizeof(before));
		for (; k < k_end && k->kind != APPLY; k++) {
			if (k->kind == MARK_OFFLINE)
				offline |= 1u << k->cpu;
			else if (k->kind == MARK_ONLINE)
				offline &= ~(1u << k->cpu);
			kernel_event(d, k, reset);
			if (k->kind == SET && k->index < ENTRIES_MAX)
				before[k->index] = d->ledger[k->index];
		}
		/* and the device's */
		for (; w < w_end && w->kind != WRITE; w++)
			if (w->kind == TLP)
				judge_tlp(d, w, before);
		if (w == w_end && k == k_end)
			break;
		if (w == w_end) {
			violation(d, k, "a write that never reached the device");
			break;
		}
		if (k == k_end) {
			violation(d, w,
				  "a write that the driver did not make: %u bytes at %#x: %#x",
				  w->length, w->at, w->value);
			break;
		}
		if (!same_write(w, k)) {
			if (binding_write(d, w)) {
				w++;
				continue;
			}
			violation(d, w,
				  "the device saw %u bytes at %#x: %#x; the driver wrote (line "
				  "%lu) %u bytes at %#x: %#x",
				  w->length, w->at, w->value, k->line, k->length, k->at, k->value);
			break;
		}
		/* QEMU keeps the MSI-X table, and the reset of a function does not reach it there
		 */
		if (reset) {
			d->control &= 7;
			memset(d->table, 0, d->msix ? 0 : sizeof(d->table));
		}
		settle(d, k);
		hardware_write(d, k);
		w++;
		k++;
	}
	settle(d, NULL);
	if (figures.tlps == tlps)
		violation(d, NULL, "sent no request: nothing was judged");
	printf("# %s, table in %s: %" PRIu64 " TLPs, %" PRIu64 " with a tag, %" PRIu64
	       " hardware writes\n",
	       d->bdf, d->msix ? "MSI-X" : "the capability", figures.tlps - tlps,
	       figures.tagged - tagged, figures.writes - writes);
}

static void usage(void)
{
	fprintf(stderr, "usage: judge --device NAME=BDF ... TLP-LOG GRANT-LOG\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ 0 },
	};
	size_t i;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		struct device *d = &devices[device_count];

		if (option != 'd' || device_count == DEVICES_MAX ||
		    sscanf(optarg, "%39[^=]=%15s", d->name, d->bdf) != 2)
			usage();
		device_count++;
	}
	if (argc - optind != 2 || !device_count)
		usage();
	read_tlp_log(argv[optind]);
	read_grant_log(argv[optind + 1]);

	for (i = 0; i < device_count; i++)
		judge_device(&devices[i]);
	if (figures.lost)
		violation(NULL, NULL, "the kernel lost %ld events", figures.lost);
	if (!figures.tagged || !figures.revocations)
		violation(NULL, NULL,
			  "no request with a tag, or no revocation: nothing was judged");

	printf("# seed %s: %" PRIu64 " TLPs judged: %" PRIu64 " plain, %" PRIu64 " hinted, %" PRIu64
	       " of them with a tag\n",
	       figures.seed, figures.tlps, figures.tlps - figures.hinted, figures.hinted,
	       figures.tagged);
	printf("# %" PRIu64 " maps for guests, %" PRIu64 " sets, %" PRIu64 " of them by a guest, %" PRIu64
	       " revocations",
	       figures.maps, figures.sets, figures.by_guests, figures.revocations);
	for (i = 0; i < REASONS_MAX && figures.reasons[i].count; i++)
		printf("%s %" PRIu64 " %s", i ? "," : ":", figures.reasons[i].count,
		       figures.reasons[i].name);
	printf("\n# %" PRIu64 " resets, %" PRIu64 " hardware writes and %" PRIu64
	       " tags of vectors, requester enabled %" PRIu64 " times, %" PRIu64 " off-windows\n",
	       figures.resets, figures.writes, figures.vectors, figures.enables,
	       figures.off_windows);
	printf("# %" PRIu64 " violations\n", figures.violations);
	printf("%sok - every tag was granted when it was sent (seed %s)\n",
	       figures.violations ? "not " : "", figures.seed);
	return figures.violations != 0;
}
