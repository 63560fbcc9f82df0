// SPDX-License-Identifier: MIT
/*
 * The two ways to a device, as far as sysfs shows what VFIO and iommufd have registered: its own
 * node and /dev/iommu, or its group's node and a container. Kernels of distributions often have one
 * of them alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "group.h"

/* Whether a device of that class has a node, of which sysfs tells the number. */
static bool has_node(const struct tph_group *group, const char *path)
{
	char text[32];

	return !tph_group_read_line(group, path, text, sizeof(text)) && text[0];
}

/* Of one function: YES, or NO: it is VFIO's and has none. */
static enum tph_known device_node(const struct tph_group *group, size_t member)
{
	enum tph_known known = TPH_UNKNOWN;
	char folder[PATH_MAX], path[PATH_MAX];
	struct dirent *entry;
	DIR *directory = NULL;
	int fd = -1;

	if (!tph_group_path(folder, "bus/pci/devices/%s/vfio-dev", group_address(group, member)))
		fd = tph_beneath_open(group->top, folder, O_DIRECTORY);
	if (fd >= 0)
		directory = fdopendir(fd);
	if (!directory) {
		if (fd >= 0)
			close(fd);
		return known;
	}
	for (entry = readdir(directory); entry && known != TPH_YES; entry = readdir(directory)) {
		if (strncmp(entry->d_name, "vfio", 4) ||
		    tph_group_path(path, "%s/%s/dev", folder, entry->d_name))
			continue;
		known = has_node(group, path) ? TPH_YES : TPH_NO;
	}
	closedir(directory);
	return known;
}

/* Of any: the kernel makes them for all, or for none. */
static enum tph_known device_nodes(const struct tph_group *group)
{
	enum tph_known known = TPH_UNKNOWN;

	for (size_t i = 0; i < group->member_count && known == TPH_UNKNOWN; i++)
		known = device_node(group, i);
	return known;
}

static enum tph_known group_node(const struct tph_group *group)
{
	char path[PATH_MAX];

	/* it is there for as long as a member has a VFIO driver */
	if (tph_group_host_member(group, TPH_DRIVER_VFIO) == TPH_GROUP_NOBODY)
		return TPH_UNKNOWN;
	if (tph_group_path(path, "class/vfio/%d/dev", group->number))
		return TPH_UNKNOWN;
	return has_node(group, path) ? TPH_YES : TPH_NO;
}

static const char *read_iommufd(struct tph_group *group, bool iommu)
{
	const enum tph_known nodes = device_nodes(group);

	group->by_iommufd = iommu ? nodes : TPH_NO;
	return iommu ? "devices have no nodes of their own (CONFIG_VFIO_DEVICE_CDEV)" :
		       "there is no iommufd (CONFIG_IOMMUFD)";
}

static const char *read_container(struct tph_group *group, bool iommu, bool container)
{
	const enum tph_known node = group_node(group);

	group->type1 = tph_beneath_find(group->top, "module/vfio_iommu_type1") ? TPH_NO : TPH_YES;
	/* iommufd can stand in for containers, and then needs no module */
	if (iommu && group->type1 == TPH_NO)
		group->type1 = TPH_UNKNOWN;
	group->by_container = !container || node == TPH_NO || group->type1 == TPH_NO ? TPH_NO :
			   group->type1 == TPH_UNKNOWN ? TPH_UNKNOWN : node;
	return !container ? "there are no containers (CONFIG_VFIO_CONTAINER)" :
	       node == TPH_NO ? "groups have no nodes (CONFIG_VFIO_GROUP)" :
				"vfio_iommu_type1 is not loaded";
}

void tph_group_read_ways(struct tph_group *group)
{
	const bool iommu = has_node(group, "class/misc/iommu/dev");
	const bool container = has_node(group, "class/misc/vfio/dev");
	const char *no_iommufd, *no_container;

	if (!iommu && !container) {
		snprintf(group->ways_because, sizeof(group->ways_because),
			 "VFIO is not loaded, so what the kernel has of it does not show");
		return;
	}
	no_iommufd = read_iommufd(group, iommu);
	no_container = read_container(group, iommu, container);
	if (group->by_iommufd == TPH_YES)
		snprintf(group->ways_because, sizeof(group->ways_because),
			 "by its own node in /dev/vfio/devices, and iommufd");
	else if (group->by_iommufd == TPH_NO && group->by_container == TPH_YES)
		snprintf(group->ways_because, sizeof(group->ways_because),
			 "by /dev/vfio/%d, and a container: %s", group->number, no_iommufd);
	else if (group->by_iommufd == TPH_NO && group->by_container == TPH_NO)
		snprintf(group->ways_because, sizeof(group->ways_because), "%s, and %s",
			 no_iommufd, no_container);
	else
		snprintf(group->ways_because, sizeof(group->ways_because),
			 "what nodes there are for it shows when it has a VFIO driver");
}

/* What counts where interrupts are not isolated: of the way that users take. */
enum tph_known tph_group_unsafe(const struct tph_group *group)
{
	return group->by_iommufd == TPH_NO ? group->unsafe_type1 : group->unsafe_iommufd;
}
