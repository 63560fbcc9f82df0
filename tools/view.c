// SPDX-License-Identifier: GPL-2.0-only
/* How list and show write what they have in common: see view.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "operand.h"
#include "view.h"

/* Ports above each other are no more than there are buses; those of a tree made up may be. */
#define PORTS_MAX	256

/** view_modes() - the modes in a bit mask, by name; "none" if it is empty. */
const char *view_modes(uint32_t modes, const char *separator, char text[VIEW_MODES_SIZE])
{
	size_t length = 0;

	text[0] = '\0';
	for (int mode = 0; mode_name((enum tph_mode)mode); mode++) {
		if (!(modes & 1u << mode))
			continue;
		length += (size_t)snprintf(text + length, VIEW_MODES_SIZE - length, "%s%s",
					   length ? separator : "",
					   mode_name((enum tph_mode)mode));
	}
	return length ? text : "none";
}

/** view_table() - where the ST table is, in a word. */
const char *view_table(enum tph_table table)
{
	switch (table) {
	case TPH_TABLE_CAPABILITY:
		return "capability";
	case TPH_TABLE_MSIX:
		return "msix";
	default:
		return "none";
	}
}

/** view_claim() - what is wrong with the ST table that the capability claims; NULL: nothing. */
const char *view_claim(const struct tph_capability *capability, char text[VIEW_CLAIM_SIZE])
{
	if (!capability->table_claimed)
		return NULL;
	snprintf(text, VIEW_CLAIM_SIZE, "claims %u entries where there is room for %u",
		 capability->table_claimed, capability->table_room);
	return text;
}

/** view_claim_json() - the same; null where nothing is wrong. */
void view_claim_json(const struct tph_capability *capability, struct json_object *object)
{
	bool wrong = capability->table_claimed;

	json_object_object_add(object, "entries_claimed", !wrong ? NULL :
			       json_object_new_int64(capability->table_claimed));
	json_object_object_add(object, "entries_room", !wrong ? NULL :
			       json_object_new_int64(capability->table_room));
}

/**
 * view_found_on() - who enabled the requester of a function that no user of ours steers
 *
 * Return: NULL where it is off.
 */
const char *view_found_on(const struct pci_function *function,
			  const struct tph_capability *capability)
{
	if (!capability->enabled)
		return NULL;
	return function->driver[0] && !function->vfio ? "its driver, a former one, or firmware" :
							"firmware or a former driver";
}

/** view_completer() - the tags that a function completes, in words. */
const char *view_completer(enum tph_width width)
{
	switch (width) {
	case TPH_WIDTH_8:
		return "completes 8-bit tags";
	case TPH_WIDTH_16:
		return "completes 8-bit and 16-bit tags";
	default:
		return "no TPH completer";
	}
}

/** view_modes_json() - the modes in a bit mask, as an array of names. */
struct json_object *view_modes_json(uint32_t modes)
{
	struct json_object *array = json_object_new_array();

	for (int mode = 0; mode_name((enum tph_mode)mode); mode++)
		if (modes & 1u << mode)
			json_object_array_add(array, json_object_new_string(
						      mode_name((enum tph_mode)mode)));
	return array;
}

/** view_width_json() - a width in bits, 0 if off. */
struct json_object *view_width_json(enum tph_width width)
{
	return json_object_new_int((int)width);
}

/**
 * view_root_port() - what the way up completes, in words
 * @width: receives the widest tags that a root port completes, TPH_WIDTH_OFF without one
 */
const char *view_root_port(const char *sysfs, const struct pci_function *function,
			   enum tph_width *width)
{
	struct pci_function root;
	struct tph_port port;
	int error;

	*width = TPH_WIDTH_OFF;
	if (!function_port(function, &port) && port.type == TPH_PORT_INTEGRATED)
		return "none: root complex integrated";
	if (!function->root[0] || !strcmp(function->root, function->address))
		return "none";
	error = function_read(sysfs, function->root, &root);
	if (!error)
		error = function_port(&root, &port);
	if (error == -EACCES)
		return "hidden: run as root";
	if (error == -ENXIO)
		return "does not answer";
	if (error || port.type != TPH_PORT_ROOT)
		return "not a PCI Express root port";
	*width = port.completer;
	return view_completer(port.completer);
}

/**
 * view_narrow() - the first port below the root port that lets no 16-bit tag up
 * @text: receives which one, and why; not written if there is none that can be seen
 *
 * The conditions are those of path_has_prefixes() in the driver.
 */
bool view_narrow(const char *sysfs, const struct pci_function *function,
		 char text[VIEW_NARROW_SIZE])
{
	struct pci_function above;
	struct tph_port port;
	const char *reason;

	memcpy(above.above, function->above, sizeof(above.above));
	for (int ports = 0; ports < PORTS_MAX && above.above[0] &&
	     strcmp(above.above, function->root); ports++) {
		char address[TPH_ADDRESS_SIZE];
		int error;

		memcpy(address, above.above, sizeof(address));
		error = function_read(sysfs, address, &above);
		error = error ? error : function_port(&above, &port);
		if ((error && error != -EOPNOTSUPP) || (!error && port.type == TPH_PORT_ROOT))
			return false;
		reason = error ? "is not PCI Express" :
			 !port.prefixes ? "does not know End-End TLP prefixes" :
			 port.type == TPH_PORT_UPSTREAM && port.blocks ?
			 "is told to block End-End TLP prefixes" : NULL;
		if (reason) {
			snprintf(text, VIEW_NARROW_SIZE, "%s %s", address, reason);
			return true;
		}
	}
	return false;
}

/**
 * view_in_slot() - whether a function can be put into another slot, as far as can be seen
 *
 * It cannot where none of the ports on its way has one: then it is on board.
 */
bool view_in_slot(const char *sysfs, const struct pci_function *function)
{
	struct pci_function above;
	struct tph_port port;

	memcpy(above.above, function->above, sizeof(above.above));
	for (int ports = 0; ports < PORTS_MAX && above.above[0]; ports++) {
		char address[TPH_ADDRESS_SIZE];
		int error;

		memcpy(address, above.above, sizeof(address));
		error = function_read(sysfs, address, &above);
		error = error ? error : function_port(&above, &port);
		if (error ? error != -EOPNOTSUPP : port.slot)
			return true;
	}
	return false;
}
