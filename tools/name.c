// SPDX-License-Identifier: GPL-2.0-only
/* What people call a device, from the pci.ids that libpci finds. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <pci/pci.h>

#include "sysfs.h"

static struct pci_access *database;

static void database_say_nothing(char *message, ...)
{
	(void)message;
}

/* libpci calls this out of memory, and does not take it back. */
static void __attribute__((noreturn)) database_fail(char *message, ...)
{
	va_list arguments;

	va_start(arguments, message);
	fputs("tphctl: PCI names: ", stderr);
	vfprintf(stderr, message, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	_exit(1);
}

/** function_name() - vendor and device by name, or by number where the list lacks them. */
const char *function_name(const struct pci_function *function, char *name, size_t size)
{
	const char *found;

	if (!database) {
		database = pci_alloc();
		database->error = database_fail;
		database->warning = database_say_nothing;
		database->debug = database_say_nothing;
		/* The system's list alone, not what lspci once fetched for the caller's account. */
		pci_set_param(database, "net.cache_name", "");
		/* udev's has the same names; where it has no database, libpci leaks at each try */
		pci_set_param(database, "hwdb.disable", "1");
	}
	found = pci_lookup_name(database, name, (int)size, PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE,
				function->vendor, function->device);
	if (!found || found != name)
		snprintf(name, size, "%04x:%04x", function->vendor, function->device);
	return name;
}

/** function_names_free() - forget the list. */
void function_names_free(void)
{
	if (database)
		pci_cleanup(database);
	database = NULL;
}
