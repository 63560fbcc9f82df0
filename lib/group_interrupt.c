// SPDX-License-Identifier: MIT
/*
 * Isolated interrupts: a device's write to the interrupt controller's addresses is a message
 * signalled interrupt, which only interrupt remapping keeps to the vectors that are the device's.
 *
 * sysfs has no file for it. But on x86 remapping is on or off for the whole machine, and the name
 * of the chip of each interrupt, those of the I/O APIC too, then begins with "IR-".
 */
#include <stdio.h>
#include <string.h>

#include "group.h"

/* The I/O APIC's inputs have the first numbers. */
#define IRQS_LOOKED_AT	24

static enum tph_known read_switch(const struct tph_group *group, const char *path)
{
	char text[8];

	if (tph_group_read_line(group, path, text, sizeof(text)))
		return TPH_UNKNOWN;
	return !strcmp(text, "Y") ? TPH_YES : !strcmp(text, "N") ? TPH_NO : TPH_UNKNOWN;
}

static enum tph_known read_chips(const struct tph_group *group, char because[TPH_GROUP_TEXT])
{
	char path[PATH_MAX], chip[64];

	for (int irq = 0; irq < IRQS_LOOKED_AT; irq++) {
		if (tph_group_path(path, "kernel/irq/%d/chip_name", irq) ||
		    tph_group_read_line(group, path, chip, sizeof(chip)))
			continue;
		if (!strncmp(chip, "IR-", 3)) {
			snprintf(because, TPH_GROUP_TEXT, "interrupt remapping is on: interrupt %d "
				 "is of chip %s", irq, chip);
			return TPH_YES;
		}
		if (!strcmp(chip, "IO-APIC")) {
			snprintf(because, TPH_GROUP_TEXT,
				 "interrupt remapping is off: interrupt %d is of chip %s", irq,
				 chip);
			return TPH_NO;
		}
	}
	snprintf(because, TPH_GROUP_TEXT, "not known: no interrupt's chip in sysfs tells of "
		 "interrupt remapping");
	return TPH_UNKNOWN;
}

void tph_group_read_interrupts(struct tph_group *group)
{
	group->isolated_interrupts = read_chips(group, group->interrupts_because);
	group->unsafe_iommufd = read_switch(group,
					    "module/iommufd/parameters/allow_unsafe_interrupts");
	group->unsafe_type1 = read_switch(group, "module/vfio_iommu_type1/parameters/"
					  "allow_unsafe_interrupts");
}
