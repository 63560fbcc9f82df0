// SPDX-License-Identifier: GPL-2.0-only
/* tphctl show: what a device has, what is on offer, and what is in force. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "operand.h"
#include "operator.h"
#include "sysfs.h"
#include "tphctl.h"
#include "view.h"

/* an ST entry that is not clear; a tag of -1 cannot be read */
struct entry {
	uint32_t index, cpu;
	int tag8, tag16;
};

/**
 * struct report - all that show says
 * @name: DEV
 * @known: @function is read: with fd:N, only where the kernel tells the address
 * @hardware_error: why @capability is not valid; 0 if it is
 * @offer_missing: why @state is not valid; empty if it is
 * @probe: tph_probe()
 * @operator_error: why @operator is not valid; 0 if it is
 */
struct report {
	char name[32];
	bool known;
	struct pci_function function;
	int hardware_error;
	struct tph_capability capability;
	char offer_missing[1024];
	struct tph_state state;
	int probe;
	struct entry *entries;
	size_t entry_count;
	int operator_error;
	struct operator_view operator;
};

/* The tags of @count entries in a row, all at once; where one has none, one by one. */
static void read_tags(struct tph_device *device, enum tph_width width, uint32_t first,
		      uint32_t count, uint16_t *tags, bool *known)
{
	bool all = !tph_get_tags(device, width, first, count, tags);

	for (uint32_t i = 0; i < count; i++)
		known[i] = all || !tph_get_tags(device, width, first + i, 1, &tags[i]);
}

/* The same of both widths, of entries that are not clear. */
static void add_tags(struct tph_device *device, struct entry *from, uint32_t count)
{
	uint16_t tags[TPH_ENTRIES_MAX];
	bool known[TPH_ENTRIES_MAX];

	read_tags(device, TPH_WIDTH_8, from->index, count, tags, known);
	for (uint32_t i = 0; i < count; i++)
		from[i].tag8 = known[i] ? tags[i] : -1;
	read_tags(device, TPH_WIDTH_16, from->index, count, tags, known);
	for (uint32_t i = 0; i < count; i++)
		from[i].tag16 = known[i] ? tags[i] : -1;
}

static void read_all_tags(struct tph_device *device, struct report *report)
{
	struct entry *entries = report->entries;
	size_t first, end;

	for (first = 0; first < report->entry_count; first = end) {
		for (end = first + 1; end < report->entry_count &&
		     entries[end].index == entries[end - 1].index + 1; end++)
			;
		add_tags(device, entries + first, (uint32_t)(end - first));
	}
}

static int read_entries(struct tph_device *device, struct report *report)
{
	uint32_t cpus[TPH_ENTRIES_MAX];
	uint32_t count = report->state.entries;
	int error;

	if (!count)
		return 0;
	error = tph_get_cpus(device, 0, count, cpus);
	if (error)
		return error;
	report->entries = calloc(count, sizeof(*report->entries));
	if (!report->entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct entry *entry = &report->entries[report->entry_count];

		if (cpus[i] == TPH_CPU_NONE)
			continue;
		entry->index = i;
		entry->cpu = cpus[i];
		entry->tag8 = entry->tag16 = -1;
		report->entry_count++;
	}
	if (report->state.tags_readable)
		read_all_tags(device, report);
	return 0;
}

static void __attribute__((format(printf, 2, 3)))
lack_offer(struct report *report, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(report->offer_missing, sizeof(report->offer_missing), format, arguments);
	va_end(arguments);
}

/* The driver's side, from a handle. */
static int read_offer(struct tphctl *ctl, struct tph_device *device, struct report *report)
{
	int error;

	report->probe = tph_probe(device);
	error = tph_read_state(device, &report->state);
	if (report->probe == -ENOTTY) {
		lack_offer(report, "its driver does not speak TPH; tphctl bind %s", report->name);
		return TPHCTL_OK;
	}
	if (error == -EOPNOTSUPP) {
		lack_offer(report, "nothing: device, root port or firmware cannot");
		return TPHCTL_OK;
	}
	if (!error)
		error = read_entries(device, report);
	if (error)
		return fail(ctl, exit_code_of(error), "device", report->name, "look at dmesg",
			    "its state cannot be read: %s", strerror(-error));
	return TPHCTL_OK;
}

/* Open the device for it if nothing stands against that, and not longer than needed. */
static int visit_offer(struct tphctl *ctl, struct report *report)
{
	struct handle *handle = handle_find(ctl, report->name);
	bool held = handle;
	int code, error = 0;

	if (ctl->foreign_sysfs) {
		lack_offer(report, "not read: --sysfs does not open devices");
		return TPHCTL_OK;
	}
	if (!held && function_is_bridge(&report->function)) {
		lack_offer(report, "nothing: it is a bridge, which is not given to users");
		return TPHCTL_OK;
	}
	if (!held && !report->function.vfio && function_denied(&report->function)) {
		lack_offer(report, "nothing: it is not bound to a VFIO driver, and on vfio-pci's "
			   "denylist for its errata; see tphctl why %s", report->name);
		return TPHCTL_OK;
	}
	if (!held && !report->function.vfio) {
		lack_offer(report, "nothing: it is not bound to a VFIO driver; tphctl bind %s",
			   report->name);
		return TPHCTL_OK;
	}
	if (!held)
		error = handle_open_quietly(ctl, report->name, &handle);
	if (error) {
		open_failure(ctl, report->name, error);
		lack_offer(report, "%s%s; %s", error == -EBUSY ? "busy: " : "not read: ",
			   ctl->failure.reason, ctl->failure.remedy);
		return TPHCTL_OK;
	}
	code = read_offer(ctl, handle->device, report);
	if (!held)
		handle_close(ctl, handle);
	return code;
}

static const char *hardware_missing(int error)
{
	switch (-error) {
	case EOPNOTSUPP:
		return "no TPH Requester capability";
	case EACCES:
		return "hidden: the kernel shows extended configuration space to CAP_SYS_ADMIN "
		       "alone; run as root";
	case ENXIO:
		return SILENT_TEXT;
	case ENODEV:
		return "the kernel does not tell which device this descriptor is";
	default:
		return "the list of capabilities is malformed";
	}
}

static const char *probe_text(int probe)
{
	switch (-probe) {
	case 0:
		return "possible";
	case EPERM:
		return "forbidden by the operator's policy";
	case EOPNOTSUPP:
		return "not possible: device, root port or firmware cannot";
	default:
		return strerror(-probe);
	}
}

static void print_requester(const char *label, bool enabled, enum tph_mode mode,
			    enum tph_width width)
{
	if (!enabled)
		say("    %-14s off\n", label);
	else
		say("    %-14s %s mode, %d-bit tags\n", label,
		       mode_title(mode) ? mode_title(mode) : "reserved", (int)width);
}

static void print_side(uint32_t modes, enum tph_width width, enum tph_table table,
		       uint32_t entries, const char *wrong)
{
	char text[VIEW_MODES_SIZE];

	say("    %-14s %s\n", "modes", view_modes(modes, " ", text));
	say("    %-14s %d\n", "tag width", (int)width);
	say("    %-14s %s", "ST table", view_table(table));
	if (entries)
		say(", %u entries", entries);
	if (wrong)
		say(": it %s", wrong);
	putchar('\n');
}

/* Who enabled what no user of the driver did; NULL where that cannot be told, or it is off. */
static const char *found_on(const struct report *report)
{
	const struct operator_view *operator = &report->operator;

	if (report->hardware_error || !report->known ||
	    (!report->operator_error && strcmp(operator->requester, "off")))
		return NULL;
	return view_found_on(&report->function, &report->capability);
}

static void print_text(const struct tphctl *ctl, const struct report *report)
{
	const struct pci_function *function = &report->function;
	const struct tph_capability *capability = &report->capability;
	const struct tph_state *state = &report->state;
	char name[256], narrow[VIEW_NARROW_SIZE], claim[VIEW_CLAIM_SIZE];
	enum tph_width completer;
	struct tph_port port;

	say("%s", report->name);
	if (report->known) {
		if (strcmp(report->name, function->address))
			say(" %s", function->address);
		say(" %s\n", function_name(function, name, sizeof(name)));
		say("  %-16s %s\n", "driver", function->driver[0] ? function->driver : "none");
		if (function->group >= 0)
			say("  %-16s %ld\n", "IOMMU group", function->group);
		else
			say("  %-16s none\n", "IOMMU group");
		if (function->root[0] && strcmp(function->root, function->address))
			say("  %-16s %s, %s\n", "root port", function->root,
			       view_root_port(ctl->sysfs, function, &completer));
		else
			say("  %-16s %s\n", "root port",
			       view_root_port(ctl->sysfs, function, &completer));
		if (completer == TPH_WIDTH_16 && view_narrow(ctl->sysfs, function, narrow))
			say("  %-16s no 16-bit tags: %s\n", "way up", narrow);
		if (!function_port(function, &port) && port.completer != TPH_WIDTH_OFF)
			say("  %-16s %s\n", "completer", view_completer(port.completer));
	} else {
		putchar('\n');
	}
	if (report->hardware_error) {
		say("  %-16s %s\n", "hardware", hardware_missing(report->hardware_error));
	} else {
		say("  hardware\n");
		print_side(capability->modes, capability->width_max, capability->table,
			   capability->table_entries, view_claim(capability, claim));
		print_requester("requester", capability->enabled, capability->mode,
				capability->width);
		if (found_on(report))
			say("    %-14s %s\n", "enabled by", found_on(report));
		say("    %-14s 0x%08x\n", "control", capability->control);
	}
	if (!report->operator_error)
		operator_print(&report->operator);
	else if (report->operator_error != -ENOENT)
		say("  %-16s %s\n", "operator", strerror(-report->operator_error));
	if (*report->offer_missing) {
		say("  %-16s %s\n", "on offer", report->offer_missing);
		return;
	}
	say("  on offer\n");
	print_side(state->modes, state->width_max, state->table, state->entries, NULL);
	print_requester("in force", state->enabled, state->mode, state->width);
	say("    %-14s %s\n", "steering", probe_text(report->probe));
	if (report->entry_count)
		say("  entries\n");
	else
		say("  %-16s all clear\n", "entries");
	for (size_t i = 0; i < report->entry_count; i++) {
		const struct entry *entry = &report->entries[i];

		say("    %-14u cpu %u", entry->index, entry->cpu);
		if (entry->tag8 >= 0)
			say("  8-bit tag 0x%02x", (unsigned int)entry->tag8);
		if (entry->tag16 >= 0)
			say("  16-bit tag 0x%04x", (unsigned int)entry->tag16);
		putchar('\n');
	}
}

static struct json_object *requester_json(bool enabled, enum tph_mode mode, enum tph_width width)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "enabled", json_object_new_boolean(enabled));
	if (enabled) {
		json_object_object_add(object, "mode", json_text(mode_name(mode)));
		json_object_object_add(object, "width", view_width_json(width));
	}
	return object;
}

static struct json_object *side_json(uint32_t modes, enum tph_width width, enum tph_table table,
				     uint32_t entries)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "modes", view_modes_json(modes));
	json_object_object_add(object, "width", view_width_json(width));
	json_object_object_add(object, "table", json_object_new_string(view_table(table)));
	json_object_object_add(object, "entries", json_object_new_int64(entries));
	return object;
}

static void add_function(struct tphctl *ctl, const struct report *report)
{
	const struct pci_function *function = &report->function;
	struct json_object *root;
	enum tph_width completer;
	struct tph_port port;
	char name[256], narrow[VIEW_NARROW_SIZE];
	const char *text;

	answer_add(ctl, "address", json_object_new_string(function->address));
	answer_add(ctl, "name", json_object_new_string(function_name(function, name,
								     sizeof(name))));
	answer_add(ctl, "bridge", json_object_new_boolean(function_is_bridge(function)));
	answer_add(ctl, "driver", json_text(function->driver[0] ? function->driver : NULL));
	answer_add(ctl, "group", function->group < 0 ? NULL :
		   json_object_new_int64(function->group));
	root = json_object_new_object();
	text = view_root_port(ctl->sysfs, function, &completer);
	json_object_object_add(root, "device", json_text(
		function->root[0] && strcmp(function->root, function->address) ?
		function->root : NULL));
	json_object_object_add(root, "completer", view_width_json(completer));
	json_object_object_add(root, "text", json_object_new_string(text));
	json_object_object_add(root, "narrow", json_text(
		completer == TPH_WIDTH_16 && view_narrow(ctl->sysfs, function, narrow) ?
		narrow : NULL));
	answer_add(ctl, "root_port", root);
	answer_add(ctl, "completer", function_port(function, &port) ? NULL :
		   view_width_json(port.completer));
}

static void add_hardware(struct tphctl *ctl, const struct report *report)
{
	const struct tph_capability *capability = &report->capability;
	struct json_object *object;

	if (report->hardware_error) {
		answer_add(ctl, "hardware", NULL);
		answer_add(ctl, "hardware_missing", json_object_new_string(
				   hardware_missing(report->hardware_error)));
		return;
	}
	object = side_json(capability->modes, capability->width_max, capability->table,
			   capability->table_entries);
	json_object_object_add(object, "requester",
			       requester_json(capability->enabled, capability->mode,
					      capability->width));
	view_claim_json(capability, object);
	json_object_object_add(object, "control", json_object_new_int64(capability->control));
	json_object_object_add(object, "enabled_by", json_text(found_on(report)));
	answer_add(ctl, "hardware", object);
}

static struct json_object *tag_json(int tag)
{
	return tag < 0 ? NULL : json_object_new_int(tag);
}

static void add_offer(struct tphctl *ctl, const struct report *report)
{
	const struct tph_state *state = &report->state;
	struct json_object *object, *entries;

	if (*report->offer_missing) {
		answer_add(ctl, "offer", NULL);
		answer_add(ctl, "offer_missing", json_object_new_string(report->offer_missing));
		return;
	}
	object = side_json(state->modes, state->width_max, state->table, state->entries);
	json_object_object_add(object, "requester",
			       requester_json(state->enabled, state->mode, state->width));
	json_object_object_add(object, "steering", json_object_new_boolean(!report->probe));
	json_object_object_add(object, "steering_text",
			       json_object_new_string(probe_text(report->probe)));
	json_object_object_add(object, "tags_readable",
			       json_object_new_boolean(state->tags_readable));
	answer_add(ctl, "offer", object);
	entries = json_object_new_array();
	for (size_t i = 0; i < report->entry_count; i++) {
		const struct entry *entry = &report->entries[i];

		object = json_object_new_object();
		json_object_object_add(object, "index", json_object_new_int64(entry->index));
		json_object_object_add(object, "cpu", json_object_new_int64(entry->cpu));
		json_object_object_add(object, "tag8", tag_json(entry->tag8));
		json_object_object_add(object, "tag16", tag_json(entry->tag16));
		json_object_array_add(entries, object);
	}
	answer_add(ctl, "entries", entries);
}

/* Needs nothing to be open, and is not to see what show itself opens. */
static void read_operator(const struct tphctl *ctl, struct report *report)
{
	report->operator_error = operator_read(ctl->sysfs, report->function.address,
					       &report->operator);
}

static int show_fd(struct tphctl *ctl, struct report *report)
{
	char address[TPH_ADDRESS_SIZE];
	struct handle *handle;
	int code;

	code = handle_open(ctl, report->name, &handle);
	if (code)
		return code;
	report->known = handle_address(ctl, report->name, address) &&
			!function_read(ctl->sysfs, address, &report->function);
	report->hardware_error = report->known ?
		function_capability(&report->function, &report->capability) : -ENODEV;
	if (report->known)
		read_operator(ctl, report);
	return read_offer(ctl, handle->device, report);
}

/* Nothing to show; but it may take what it cannot send. */
static int lack_capability(struct tphctl *ctl, const struct report *report)
{
	struct tph_port port;
	char remedy[96] = "see tphctl list";

	if (!function_is_bridge(&report->function) && !function_port(&report->function, &port) &&
	    port.completer != TPH_WIDTH_OFF)
		snprintf(remedy, sizeof(remedy), "it takes tags from others: tphctl dmabufs %s",
			 report->name);
	return fail(ctl, TPHCTL_UNSUPPORTED, "device", report->name, remedy,
		    "it has no TPH Requester capability");
}

static int show_address(struct tphctl *ctl, struct report *report)
{
	int error;

	answer_add(ctl, "device", json_object_new_string(report->name));
	error = function_read(ctl->sysfs, report->name, &report->function);
	if (error)
		return function_failure(ctl, report->name, error);
	report->known = true;
	report->hardware_error = function_capability(&report->function, &report->capability);
	if (report->hardware_error == -EOPNOTSUPP)
		return lack_capability(ctl, report);
	read_operator(ctl, report);
	return visit_offer(ctl, report);
}

int show_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct report *report = calloc(1, sizeof(*report));
	const char *text = invocation->operand[0];
	int code, fd;

	if (!report)
		return fail(ctl, TPHCTL_FAILED, "device", text, "", "%s", strerror(ENOMEM));
	report->operator_error = -ENOENT;
	if (!device_name_parse(text, report->name, sizeof(report->name), &fd))
		code = fail(ctl, TPHCTL_USAGE, "device", text, DEVICE_NAME_REMEDY,
			    DEVICE_NAME_REASON);
	else
		code = fd >= 0 ? show_fd(ctl, report) : show_address(ctl, report);
	if (!code && ctl->json) {
		if (report->known)
			add_function(ctl, report);
		add_hardware(ctl, report);
		answer_add(ctl, "operator", report->operator_error ? NULL :
			   operator_json(&report->operator));
		add_offer(ctl, report);
	} else if (!code) {
		print_text(ctl, report);
	}
	free(report->entries);
	free(report);
	return code;
}
