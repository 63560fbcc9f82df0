// SPDX-License-Identifier: MIT
/*
 * Drivers, and which of them may stay while another function of the group is a user's.
 *
 * In the kernel that is one bit of the driver's code, driver_managed_dma, which sysfs does not
 * show. Of Linux 7.3's own PCI drivers those with the bit are vfio-pci and its variants, pci-stub
 * and pcieport. A module from elsewhere may have it as well: it taints the kernel with 'O'.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "beneath.h"
#include "group.h"

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && !strcmp(text + length - tail, end);
}

/* Whether its module was built with the kernel; built-in drivers have no module. */
static enum tph_known of_this_kernel(const struct tph_group *group, const char *driver)
{
	char path[PATH_MAX], taint[32];
	int error;

	if (tph_group_path(path, "bus/pci/drivers/%s", driver) ||
	    tph_beneath_find(group->top, path))
		return TPH_UNKNOWN;
	if (tph_group_path(path, "bus/pci/drivers/%s/module/taint", driver))
		return TPH_UNKNOWN;
	error = tph_group_read_line(group, path, taint, sizeof(taint));
	if (error)
		return error == -ENOENT ? TPH_YES : TPH_UNKNOWN;
	return strchr(taint, 'O') ? TPH_NO : TPH_YES;
}

enum tph_driver_kind tph_group_driver_kind(const struct tph_group *group, const char *driver)
{
	if (!driver[0])
		return TPH_DRIVER_NONE;
	if (ends_with(driver, "vfio-pci") || ends_with(driver, "vfio_pci"))
		return TPH_DRIVER_VFIO;
	if (!strcmp(driver, "pci-stub"))
		return TPH_DRIVER_STUB;
	if (!strcmp(driver, "pcieport"))
		return TPH_DRIVER_PORT;
	return of_this_kernel(group, driver) == TPH_YES ? TPH_DRIVER_HOST : TPH_DRIVER_FOREIGN;
}

enum tph_known tph_group_driver_beside(enum tph_driver_kind kind)
{
	switch (kind) {
	case TPH_DRIVER_HOST:
		return TPH_NO;
	case TPH_DRIVER_FOREIGN:
		return TPH_UNKNOWN;
	default:
		return TPH_YES;
	}
}

void tph_group_driver_explain(const struct group_state *member, char because[TPH_GROUP_TEXT])
{
	const char *driver = member->driver;

	switch (member->kind) {
	case TPH_DRIVER_NONE:
		snprintf(because, TPH_GROUP_TEXT, "no driver, so nobody of the host uses it");
		break;
	case TPH_DRIVER_VFIO:
		snprintf(because, TPH_GROUP_TEXT, "%s is a VFIO driver: its DMA is the user's",
			 driver);
		break;
	case TPH_DRIVER_STUB:
		snprintf(because, TPH_GROUP_TEXT, "%s does nothing", driver);
		break;
	case TPH_DRIVER_PORT:
		snprintf(because, TPH_GROUP_TEXT, "%s: interconnect, no DMA mappings", driver);
		break;
	case TPH_DRIVER_HOST:
		snprintf(because, TPH_GROUP_TEXT, "%s uses the host's DMA mappings%s", driver,
			 strcmp(driver, "shpchp") ? "" : ", although it drives a bridge");
		break;
	case TPH_DRIVER_FOREIGN:
		snprintf(because, TPH_GROUP_TEXT, "%s is not known to be one of the kernel's own, "
			 "and sysfs does not say whether it sets driver_managed_dma", driver);
		break;
	}
}
