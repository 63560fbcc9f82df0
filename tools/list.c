// SPDX-License-Identifier: GPL-2.0-only
/* tphctl list: the devices that have a TPH Requester capability. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysfs.h"
#include "tphctl.h"
#include "view.h"

/* what a listing found beside the devices in it */
struct census {
	size_t listed, hidden, total;
	struct json_object *devices, *hidden_devices;
};

static void print_device(const struct pci_function *function,
			 const struct tph_capability *capability, const char *name, bool first)
{
	char modes[VIEW_MODES_SIZE], entries[16] = "-", group[24] = "-";

	if (first)
		printf("%-12s  %-12s  %5s  %-11s  %-10s  %7s  %5s  %s\n", "DEVICE", "DRIVER",
		       "GROUP", "MODES", "TABLE", "ENTRIES", "WIDTH", "NAME");
	if (capability->table_entries)
		snprintf(entries, sizeof(entries), "%u", capability->table_entries);
	if (function->group >= 0)
		snprintf(group, sizeof(group), "%ld", function->group);
	printf("%-12s  %-12s  %5s  %-11s  %-10s  %7s  %5d  %s\n", function->address,
	       function->driver[0] ? function->driver : "-", group,
	       view_modes(capability->modes, ",", modes), view_table(capability->table), entries,
	       (int)capability->width_max, name);
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
	json_object_object_add(object, "width", view_width_json(capability->width_max));
	return object;
}

static void list_one(struct tphctl *ctl, const struct pci_function *function,
		     struct census *census)
{
	struct tph_capability capability;
	char name[256];

	census->total++;
	switch (function_capability(function, &capability)) {
	case 0:
		function_name(function, name, sizeof(name));
		if (!ctl->json)
			print_device(function, &capability, name, !census->listed);
		json_object_array_add(census->devices, device_json(function, &capability, name));
		census->listed++;
		break;
	case -EACCES:
		json_object_array_add(census->hidden_devices,
				      json_object_new_string(function->address));
		census->hidden++;
		break;
	case -EIO:
		note(ctl, "%s: its list of capabilities is malformed; whether it has TPH is not "
		     "known", function->address);
		break;
	default:
		break;
	}
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
		return fail(ctl, exit_code_of(error), "sysfs", ctl->sysfs, "mount sysfs there",
			    "its PCI devices cannot be listed: %s", strerror(-error));
	census.devices = json_object_new_array();
	census.hidden_devices = json_object_new_array();
	for (size_t i = 0; i < count; i++) {
		error = function_read(ctl->sysfs, addresses[i], &function);
		if (!error)
			list_one(ctl, &function, &census);
		else if (error != -ENODEV)	/* gone since: not a device any more */
			note(ctl, "%s: sysfs cannot be read: %s", addresses[i], strerror(-error));
	}
	free(addresses);
	answer_add(ctl, "devices", census.devices);
	answer_add(ctl, "hidden", census.hidden_devices);
	if (!census.hidden)
		return TPHCTL_OK;
	snprintf(text, sizeof(text), "of %zu of %zu devices", census.hidden, census.total);
	return fail(ctl, TPHCTL_NOT_PERMITTED, "configuration space", text, "run as root",
		    "the kernel shows its extended part, where TPH is, to CAP_SYS_ADMIN alone");
}
