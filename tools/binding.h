/* SPDX-License-Identifier: GPL-2.0-only */
/* Giving a device to a driver: what bind and apply share. */
#ifndef BINDING_H
#define BINDING_H

#include "operator.h"
#include "sysfs.h"

/**
 * struct binding - a device that was bound
 * @function: it, as it was before
 * @driver: that it has now
 * @view: its attributes, where terms were given
 */
struct binding {
	struct pci_function function;
	char driver[SYSFS_NAME_SIZE];
	struct operator_view view;
};

const char *driver_default(const struct tphctl *ctl);
bool driver_loaded(const struct tphctl *ctl, const char *driver);
int driver_name_check(struct tphctl *ctl, const char *driver);
int binding_make(struct tphctl *ctl, const char *device, const char *driver,
		 const struct terms *terms, struct binding *binding);
void binding_tell(const struct binding *binding, const struct terms *terms);

#endif /* BINDING_H */
