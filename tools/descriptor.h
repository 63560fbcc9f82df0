/* SPDX-License-Identifier: GPL-2.0-only */
/* Open VFIO devices, as proc shows them. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

#include <stdbool.h>

#include "sysfs.h"
#include "tphctl.h"

/**
 * struct holder - who has a device open
 * @pid: process
 * @name: its name
 * @group: it has the device's group open, and perhaps the device
 */
struct holder {
	int pid;
	char name[32];
	bool group;
};

int descriptor_address(const char *sysfs, const char *process, int fd,
		       char address[TPH_ADDRESS_SIZE]);
int descriptor_shared(const struct tphctl *ctl, int own, int pid);
int descriptor_find(const struct tphctl *ctl, const struct pci_function *function,
		    const char *process);
int descriptor_holder(const struct tphctl *ctl, const struct pci_function *function,
		      struct holder *holder);

#endif /* DESCRIPTOR_H */
