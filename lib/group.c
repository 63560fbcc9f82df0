// SPDX-License-Identifier: MIT
/* An IOMMU group, read from sysfs: see tph_group.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "beneath.h"
#include "group.h"

/* What VFIO names the groups that it makes up. */
#define NOIOMMU_NAME	"vfio-noiommu"

/* Return: 0, also where it is in no group; else -errno. */
static int read_number(struct tph_group *group, const char *address)
{
	char path[PATH_MAX], name[16], *end;
	int error = tph_group_path(path, "bus/pci/devices/%s/iommu_group", address);

	group->number = -1;
	if (error)
		return error;
	error = tph_group_link_name(group, path, name, sizeof(name));
	if (error == -ENOENT)
		return 0;
	if (error)
		return error == -EACCES ? error : -EIO;
	group->number = (int)strtol(name, &end, 10);
	return end == name || *end || group->number < 0 ? -EIO : 0;
}

static int by_address(const void *one, const void *other)
{
	return strcmp(((const struct group_function *)one)->address,
		      ((const struct group_function *)other)->address);
}

static int add_member(struct tph_group *group, const char *address)
{
	size_t index;
	int error = tph_group_add_function(group, address, &index);

	if (!error)
		group->functions[index].member = true;
	return error;
}

static int read_members(struct tph_group *group)
{
	struct dirent *entry;
	char path[PATH_MAX];
	int error = tph_group_path(path, "kernel/iommu_groups/%d/devices", group->number);
	DIR *folder;
	int fd;

	if (error)
		return error;
	fd = tph_beneath_open(group->top, path, O_DIRECTORY);
	if (fd < 0)
		return fd == -ENOENT || fd == -EXDEV ? -EIO : fd;
	folder = fdopendir(fd);
	if (!folder) {
		error = -errno;
		close(fd);
		return error;
	}
	for (entry = readdir(folder); entry && !error; entry = readdir(folder))
		if (entry->d_name[0] != '.')
			error = add_member(group, entry->d_name);
	closedir(folder);
	return error;
}

/* What the kernel says of the group itself; nothing of it need be there. */
static void read_attributes(struct tph_group *group)
{
	char path[PATH_MAX], text[4096];

	strcpy(group->default_domain, "unknown");
	if (group->number < 0)
		return;
	if (!tph_group_path(path, "kernel/iommu_groups/%d/type", group->number) &&
	    !tph_group_read_line(group, path, text, sizeof(group->default_domain)) && text[0])
		strcpy(group->default_domain, text);
	if (!tph_group_path(path, "kernel/iommu_groups/%d/name", group->number) &&
	    !tph_group_read_line(group, path, text, sizeof(text)))
		group->noiommu = !strcmp(text, NOIOMMU_NAME);
	if (!tph_group_path(path, "kernel/iommu_groups/%d/reserved_regions", group->number) &&
	    !tph_group_read_text(group, path, text, sizeof(text) - 1)) {
		strcat(text, "\n");
		group->direct_region = strstr(text, " direct\n");
	}
}

/* Whether a VFIO device is in use: it is enabled then, and not asleep. */
static bool seems_open(const struct tph_group *group, const char *folder)
{
	char path[PATH_MAX], text[16];

	if (tph_group_path(path, "%s/enable", folder) ||
	    tph_group_read_line(group, path, text, sizeof(text)) || !strcmp(text, "0") || !text[0])
		return false;
	return tph_group_path(path, "%s/power/runtime_status", folder) ||
	       tph_group_read_line(group, path, text, sizeof(text)) || strcmp(text, "suspended");
}

static int read_member(struct tph_group *group, size_t index)
{
	const struct group_function *function = &group->functions[index];
	struct group_state *state = &group->members[index];
	char folder[PATH_MAX], path[PATH_MAX];
	int error;

	state->function = index;
	state->requester = function->requester;
	state->alias = tph_group_alias(group, index);
	error = function->pci ? tph_group_path(folder, "bus/pci/devices/%s", function->address) :
		tph_group_path(folder, "kernel/iommu_groups/%d/devices/%s", group->number,
			       function->address);
	error = error ? error : tph_group_path(path, "%s/driver", folder);
	if (error)
		return error;
	error = tph_group_link_name(group, path, state->driver, sizeof(state->driver));
	if (error && error != -ENOENT)
		return error;
	state->kind = tph_group_driver_kind(group, state->driver);
	if (state->kind == TPH_DRIVER_FOREIGN && !tph_group_path(path, "%s/vfio-dev", folder) &&
	    !tph_beneath_find(group->top, path))
		state->kind = TPH_DRIVER_VFIO;
	if (state->kind == TPH_DRIVER_VFIO && seems_open(group, folder))
		state->open = TPH_GROUP_STRANGER;
	return 0;
}

static int read_all(struct tph_group *group, const char *address)
{
	int error = read_number(group, address);

	if (error)
		return error;
	error = group->number < 0 ? add_member(group, address) : read_members(group);
	if (error)
		return error;
	if (!group->function_count)
		return -EIO;
	qsort(group->functions, group->function_count, sizeof(*group->functions), by_address);
	group->member_count = group->function_count;
	group->members = calloc(group->member_count, sizeof(*group->members));
	if (!group->members)
		return -ENOMEM;
	for (size_t i = 0; i < group->member_count && !error; i++)
		error = tph_group_climb(group, i);
	for (size_t i = 0; i < group->member_count && !error; i++)
		error = read_member(group, i);
	if (error)
		return error;
	read_attributes(group);
	tph_group_read_interrupts(group);
	tph_group_read_ways(group);
	return tph_group_find_causes(group);
}

static int find_device(const struct tph_group *group, const char *address)
{
	char path[PATH_MAX];
	int error = tph_beneath_find(group->top, "bus/pci/devices");

	error = error ? error : tph_group_path(path, "bus/pci/devices/%s", address);
	if (error)
		return error;
	error = tph_beneath_find(group->top, path);
	return error == -ENOENT ? -ENODEV : error;
}

int tph_group_read(const char *sysfs, const char *bdf, struct tph_group **group)
{
	char address[TPH_ADDRESS_SIZE];
	struct tph_group *new;
	int error = tph_address_parse(bdf, address);

	if (error)
		return error;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->top = tph_beneath_top(sysfs);
	error = new->top < 0 ? new->top : find_device(new, address);
	error = error ? error : read_all(new, address);
	if (error) {
		tph_group_free(new);
		return error;
	}
	*group = new;
	return 0;
}

void tph_group_free(struct tph_group *group)
{
	if (!group)
		return;
	if (group->top >= 0)
		close(group->top);
	free(group->functions);
	free(group->members);
	free(group->causes);
	free(group);
}

static void describe_owner(const struct tph_group *group, struct tph_group_facts *facts)
{
	size_t host = tph_group_host_member(group, TPH_DRIVER_HOST), owning;

	facts->owner_context = tph_group_owner(group, &owning);
	facts->owner_host = host != TPH_GROUP_NOBODY;
	if (facts->owner_context == TPH_GROUP_STRANGER)
		snprintf(facts->owner, sizeof(facts->owner), "a user: %s is in use, by whom sysfs "
			 "does not say", group_address(group, owning));
	else if (facts->owner_context && owning != TPH_GROUP_NOBODY)
		snprintf(facts->owner, sizeof(facts->owner), "the user's context %u, by %s",
			 facts->owner_context, group_address(group, owning));
	else if (facts->owner_context)
		snprintf(facts->owner, sizeof(facts->owner), "the user's container %u, by "
			 "/dev/vfio/%d", facts->owner_context, group->number);
	else if (facts->owner_host)
		snprintf(facts->owner, sizeof(facts->owner), "the host: %s is bound to %s",
			 group_address(group, host), group->members[host].driver);
	else
		snprintf(facts->owner, sizeof(facts->owner), "nobody, as far as sysfs shows");
}

void tph_group_describe(const struct tph_group *group, struct tph_group_facts *facts)
{
	size_t attached;

	memset(facts, 0, sizeof(*facts));
	facts->number = group->number;
	facts->noiommu = group->noiommu;
	facts->members = group->member_count;
	facts->causes = group->cause_count;
	strcpy(facts->default_domain, group->default_domain);
	facts->direct_region = group->direct_region;
	facts->isolated_interrupts = group->isolated_interrupts;
	strcpy(facts->interrupts_because, group->interrupts_because);
	facts->unsafe_interrupts = tph_group_unsafe(group);
	facts->by_iommufd = group->by_iommufd;
	facts->by_container = group->by_container;
	facts->type1 = group->type1;
	strcpy(facts->ways_because, group->ways_because);
	facts->space = tph_group_space(group, &attached);
	describe_owner(group, facts);
}

int tph_group_member(const struct tph_group *group, size_t index, struct tph_group_member *member)
{
	const struct group_state *state;

	if (index >= group->member_count)
		return -ERANGE;
	state = &group->members[index];
	memset(member, 0, sizeof(*member));
	strcpy(member->address, group_address(group, index));
	strcpy(member->driver, state->driver);
	member->kind = state->kind;
	member->beside = tph_group_driver_beside(state->kind);
	tph_group_driver_explain(state, member->because);
	member->requester = state->requester;
	member->alias = state->alias;
	member->open = state->open;
	member->space = state->space;
	member->dma = tph_group_dma(group, index, member->dma_because);
	return 0;
}

int tph_group_find(const struct tph_group *group, const char *bdf, size_t *index)
{
	char address[TPH_ADDRESS_SIZE];

	if (tph_address_parse(bdf, address))
		return -EINVAL;
	for (size_t i = 0; i < group->member_count; i++) {
		if (!strcmp(group_address(group, i), address)) {
			*index = i;
			return 0;
		}
	}
	return -ENOENT;
}

int tph_group_cause(const struct tph_group *group, size_t index, struct tph_group_cause *cause)
{
	if (index >= group->cause_count)
		return -ERANGE;
	*cause = group->causes[index];
	return 0;
}

int tph_group_peer(const struct tph_group *group, size_t member, size_t from, size_t *peer)
{
	if (member >= group->member_count)
		return -ERANGE;
	for (size_t i = from; i < group->member_count; i++) {
		if (i == member || group->functions[i].bridge ||
		    group->members[i].kind == TPH_DRIVER_PORT)
			continue;
		*peer = i;
		return 0;
	}
	return -ENOENT;
}
