// SPDX-License-Identifier: GPL-2.0-only
/* tphctl list: the devices that have a TPH Requester capability. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysfs.h"
#include "tphctl.h"
#include "view.h"

/* a line of the listing */
struct line {
	char address[TPH_ADDRESS_SIZE];
	char driver[SYSFS_NAME_SIZE];
	long group;
	struct tph_capability capability;
	char name[256 + 16];
};

/* what a listing found beside the devices in it */
struct census {
	size_t hidden, total;
	struct line *lines;
	size_t listed, room;
	struct json_object *devices, *hidden_devices, *silent_devices;
};

static int add_line(struct census *census, const struct pci_function *function,
		    const struct tph_capability *capability, const char *name)
{
	struct line *line;

	if (census->listed == census->room) {
		size_t room = census->room ? 2 * census->room : 16;

		line = realloc(census->lines, room * sizeof(*line));
		if (!line)
			return -ENOMEM;
		census->lines = line;
		census->room = room;
	}
	line = &census->lines[census->listed++];
	memcpy(line->address, function->address, sizeof(line->address));
	snprintf(line->driver, sizeof(line->driver), "%s", function->driver[0] ?
		 function->driver : "-");
	line->group = function->group;
	line->capability = *capability;
	snprintf(line->name, sizeof(line->name), "%s%s", name,
		 function_is_bridge(function) ? " (bridge)" : "");
	return 0;
}

/* In columns as wide as what is in them. */
static void print_lines(const struct census *census)
{
	int address = (int)strlen("0000:00:00.0"), driver = (int)strlen(DRIVER_NAME);
	char modes[VIEW_MODES_SIZE], entries[16], group[24];

	for (size_t i = 0; i < census->listed; i++) {
		const struct line *line = &census->lines[i];

		address = (int)strlen(line->address) > address ? (int)strlen(line->address) : address;
		driver = (int)strlen(line->driver) > driver ? (int)strlen(line->driver) : driver;
	}
	if (census->listed)
		say("%-*s  %-*s  %5s  %-11s  %-10s  %7s  %5s  %s\n", address, "DEVICE", driver,
		       "DRIVER", "GROUP", "MODES", "TABLE", "ENTRIES", "WIDTH", "NAME");
	for (size_t i = 0; i < census->listed; i++) {
		const struct line *line = &census->lines[i];
		const struct tph_capability *capability = &line->capability;

		strcpy(entries, "-");
		strcpy(group, "-");
		if (capability->table_entries)
			snprintf(entries, sizeof(entries), "%u", capability->table_entries);
		if (line->group >= 0)
			snprintf(group, sizeof(group), "%ld", line->group);
		say("%-*s  %-*s  %5s  %-11s  %-10s  %7s  %5d  %s\n", address, line->address,
		       driver, line->driver, group, view_modes(capability->modes, ",", modes),
		       view_table(capability->table), entries, (int)capability->width_max,
		       line->name);
	}
}

static struct json_object *device_json(const struct pci_function *function,
				       const struct tph_capability *capability, const char *name)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "device", json_object_new_string(function->address));
	json_object_object_add(object, "name", json_object_new_string(name));
	json_object_object_add(object, "driver",
			       json_text(function->driver[0] ? function->driver : NULL));
	json_object_object_add(object, "group", function->group < 0 ? NULL :
			       json_object_new_int64(function->group));
	json_object_object_add(object, "modes", view_modes_json(capability->modes));
	json_object_object_add(object, "table", json_object_new_string(
				       view_table(capability->table)));
	json_object_object_add(object, "entries",
			       json_object_new_int64(capability->table_entries));
	view_claim_json(capability, object);
	json_object_object_add(object, "width", view_width_json(capability->width_max));
	json_object_object_add(object, "bridge",
			       json_object_new_boolean(function_is_bridge(function)));
	return object;
}

static int list_device(struct tphctl *ctl, const struct pci_function *function,
		       const struct tph_capability *capability, struct census *census)
{
	char name[256], text[VIEW_CLAIM_SIZE];

	function_name(function, name, sizeof(name));
	json_object_array_add(census->devices, device_json(function, capability, name));
	if (view_claim(capability, text))
		note(ctl, "%s: its ST table counts as none: it %s", function->address, text);
	if (function_is_bridge(function))
		note(ctl, "%s: it is a bridge, and a bridge is not given to users",
		     function->address);
	return add_line(census, function, capability, name);
}

static int list_one(struct tphctl *ctl, const struct pci_function *function,
		    struct census *census)
{
	struct tph_capability capability;

	census->total++;
	switch (function_capability(function, &capability)) {
	case 0:
		return list_device(ctl, function, &capability, census);
	case -EACCES:
		json_object_array_add(census->hidden_devices,
				      json_object_new_string(function->address));
		census->hidden++;
		break;
	case -ENXIO:
		json_object_array_add(census->silent_devices,
				      json_object_new_string(function->address));
		note(ctl, "%s: " SILENT_TEXT "; whether it has TPH is not known",
		     function->address);
		break;
	case -EIO:
		note(ctl, "%s: its list of capabilities is malformed; whether it has TPH is not "
		     "known", function->address);
		break;
	default:
		break;
	}
	return 0;
}

int list_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct census census = { 0 };
	char (*addresses)[TPH_ADDRESS_SIZE];
	struct pci_function function;
	char text[64];
	size_t count;
	int error;

	(void)invocation;
	error = function_list(ctl->sysfs, &addresses, &count);
	if (error)
		return sysfs_failure(ctl, "its PCI devices cannot be listed", error);
	census.devices = json_object_new_array();
	census.hidden_devices = json_object_new_array();
	census.silent_devices = json_object_new_array();
	for (size_t i = 0; i < count && !error; i++) {
		int gone = function_read(ctl->sysfs, addresses[i], &function);

		if (!gone)
			error = list_one(ctl, &function, &census);
		else if (gone != -ENODEV)	/* gone since: not a device any more */
			note(ctl, "%s: sysfs cannot be read: %s", addresses[i], strerror(-gone));
	}
	free(addresses);
	if (!ctl->json)
		print_lines(&census);
	free(census.lines);
	answer_add(ctl, "devices", census.devices);
	answer_add(ctl, "hidden", census.hidden_devices);
	answer_add(ctl, "silent", census.silent_devices);
	if (error)
		return fail(ctl, exit_code_of(error), "sysfs", ctl->sysfs, "try again",
			    "its PCI devices cannot be listed: %s", strerror(-error));
	if (!census.hidden)
		return TPHCTL_OK;
	snprintf(text, sizeof(text), "of %zu of %zu devices", census.hidden, census.total);
	return fail(ctl, TPHCTL_NOT_PERMITTED, "configuration space", text, "run as root",
		    "the kernel shows its extended part, where TPH is, to CAP_SYS_ADMIN alone");
}
