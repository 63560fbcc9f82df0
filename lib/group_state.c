// SPDX-License-Identifier: MIT
/* Who owns a group, and where the DMA of its members goes. */
#include <stdio.h>
#include <string.h>

#include "group.h"

/* The context that owns it, 0 if none; @member: one that it is open by, or TPH_GROUP_NOBODY. */
uint32_t tph_group_owner(const struct tph_group *group, size_t *member)
{
	for (*member = 0; *member < group->member_count; ++*member)
		if (group->members[*member].open)
			return group->members[*member].open;
	*member = TPH_GROUP_NOBODY;
	return group->container ? group->legacy : 0;
}

/* The space that the group is in, 0 if none; @member: one that is attached. */
uint32_t tph_group_space(const struct tph_group *group, size_t *member)
{
	for (*member = 0; *member < group->member_count; ++*member)
		if (group->members[*member].space)
			return group->members[*member].space;
	*member = TPH_GROUP_NOBODY;
	return 0;
}

/* The first member whose driver is of that kind, or TPH_GROUP_NOBODY. */
size_t tph_group_host_member(const struct tph_group *group, enum tph_driver_kind kind)
{
	for (size_t i = 0; i < group->member_count; i++)
		if (group->members[i].kind == kind)
			return i;
	return TPH_GROUP_NOBODY;
}

static enum tph_dma default_domain_dma(const struct tph_group *group, char because[TPH_GROUP_TEXT])
{
	const char *type = group->default_domain;

	snprintf(because, TPH_GROUP_TEXT, "nobody has taken the group, so it is in its default "
		 "domain, of type %s", type);
	if (!strcmp(type, "identity"))
		return TPH_DMA_HOST_ALL;
	if (!strcmp(type, "blocked"))
		return TPH_DMA_BLOCKED;
	return strncmp(type, "DMA", 3) ? TPH_DMA_UNKNOWN : TPH_DMA_HOST_MAPPED;
}

/* The IOMMU translates by group: where one member's DMA goes, all members' does. */
enum tph_dma tph_group_dma(const struct tph_group *group, size_t member, char because[TPH_GROUP_TEXT])
{
	size_t owning, attached;
	uint32_t owner = tph_group_owner(group, &owning), space = tph_group_space(group, &attached);

	if (group->number < 0 || group->noiommu) {
		snprintf(because, TPH_GROUP_TEXT, "no IOMMU translates for it");
		return TPH_DMA_HOST_ALL;
	}
	if (owner == TPH_GROUP_STRANGER) {
		snprintf(because, TPH_GROUP_TEXT,
			 "%s is in use, and sysfs does not show what it is attached to",
			 group_address(group, owning));
		return TPH_DMA_UNKNOWN;
	}
	if (!owner)
		return default_domain_dma(group, because);
	if (!space) {
		snprintf(because, TPH_GROUP_TEXT,
			 "the group is owned and no member is attached, so "
			 "the kernel keeps it in its blocking domain");
		return TPH_DMA_BLOCKED;
	}
	if (group->members[member].space)
		snprintf(because, TPH_GROUP_TEXT, "it is attached to address space %u", space);
	else
		snprintf(because, TPH_GROUP_TEXT, "it is not attached itself, but the group is in "
			 "address space %u, to which %s is attached", space,
			 group_address(group, attached));
	return TPH_DMA_SPACE;
}
