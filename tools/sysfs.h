/* SPDX-License-Identifier: GPL-2.0-only */
/* PCI functions as sysfs shows them. */
#ifndef SYSFS_H
#define SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "capability.h"
#include "sysfs_file.h"

#define SYSFS_NAME_SIZE	64

/* what is said of a function that is silent */
#define SILENT_TEXT	"it does not answer: its configuration space reads all ones (powered off, " \
			"in D3cold, or gone)"

#define DRIVER_NAME		"tph-vfio-pci"
#define DRIVER_NAME_STOCK	"vfio-pci"	/* with name=vfio-pci */

/**
 * struct pci_function - one function
 * @address: domain:bus:device.function
 * @vendor: vendor id
 * @device: device id
 * @driver: driver that it is bound to, or empty
 * @group: IOMMU group, or -1
 * @vfio: that driver is a VFIO driver
 * @root: the function below the host bridge on the way to it, perhaps itself; a host bridge that is
 *	itself below a function (VMD) is one, too
 * @above: the port or bridge right above it, or empty
 * @space: configuration space, as much as could be read
 * @size: how much
 * @restricted: sysfs showed less than there is: not enough privilege
 * @silent: nobody answers: it reads all ones
 * @physical: of a virtual function, its physical function, or empty
 * @physical_vfio: that one has a VFIO driver
 */
struct pci_function {
	char address[TPH_ADDRESS_SIZE];
	uint16_t vendor, device;
	char driver[SYSFS_NAME_SIZE];
	long group;
	bool vfio;
	char root[TPH_ADDRESS_SIZE];
	char above[TPH_ADDRESS_SIZE];
	uint8_t space[4096];
	uint32_t size;
	bool restricted;
	bool silent;
	char physical[TPH_ADDRESS_SIZE];
	bool physical_vfio;
};

struct tphctl;

int function_read(const char *sysfs, const char *address, struct pci_function *function);
int sysfs_failure(struct tphctl *ctl, const char *what, int error);
int sysfs_read_only(struct tphctl *ctl, const char *thing, const char *value);
int function_failure(struct tphctl *ctl, const char *address, int error);
int function_list(const char *sysfs, char (**addresses)[TPH_ADDRESS_SIZE], size_t *count);
struct tph_config function_config(const struct pci_function *function);
int function_capability(const struct pci_function *function, struct tph_capability *capability);
int function_port(const struct pci_function *function, struct tph_port *port);
bool function_is_bridge(const struct pci_function *function);
int function_driver(const char *sysfs, const char *address, char driver[SYSFS_NAME_SIZE]);
bool function_denied(const struct pci_function *function);
bool denylist_lifted(const char *sysfs, const char *driver);
bool driver_steers(const char *sysfs, const char *driver);
bool driver_is_built_in(const char *sysfs, const char *driver);
const char *function_name(const struct pci_function *function, char *name, size_t size);
void function_names_free(void);

#endif /* SYSFS_H */
