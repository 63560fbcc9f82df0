// SPDX-License-Identifier: MIT
/*
 * What is above whom, with which requester id, and why Linux takes functions for one group: the
 * conditions of pci_device_group() (drivers/iommu/iommu.c) and pci_acs_enabled()
 * (drivers/pci/pci.c).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "beneath.h"
#include "capability.h"
#include "group.h"

#define HEADER_SIZE		64
#define COMMAND			0x04
#define HEADER_TYPE		0x0e
#define  HEADER_MULTIFUNCTION	0x80
#define SECONDARY_BUS		0x19
#define CAPABILITY_EXPRESS	0x10
#define EXTENDED_ACS		0x000d
#define SPACE_SIZE		4096

/* device/port types, PCIe 6.2, 7.5.3.2 */
#define TYPE_ENDPOINT		0
#define TYPE_LEGACY		1
#define TYPE_ROOT_PORT		4
#define TYPE_UPSTREAM		5
#define TYPE_DOWNSTREAM		6
#define TYPE_PCI_BRIDGE		7	/* from PCI Express to PCI */
#define TYPE_EXPRESS_BRIDGE	8	/* the other way */
#define TYPE_INTEGRATED		9

/* Source validation, request and completion redirect, upstream forwarding: PCIe 6.2, 7.7.11 */
#define ACS_NEEDED		0x1d
#define ACS_EGRESS		0x20

/* configuration space that is being read; the header is read once */
struct image {
	int fd;
	uint8_t header[HEADER_SIZE];
};

static int image_read(void *context, uint32_t offset, uint32_t *value)
{
	const struct image *image = context;
	uint8_t own[4];
	const uint8_t *bytes = own;

	if (offset < HEADER_SIZE)
		bytes = image->header + offset;
	else if (pread(image->fd, own, sizeof(own), offset) != sizeof(own))
		return -EIO;
	*value = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
		 (uint32_t)bytes[3] << 24;
	return 0;
}

/* Find a capability; @walk is then at it. Return: 1; 0: there is none; -1: that is not known. */
static int find(const struct tph_config *config, bool extended, uint32_t id, struct tph_walk *walk)
{
	uint32_t mask = extended ? 0xffff : 0xff;
	int result = tph_walk_begin(walk, config, extended);

	if (result)
		return -1;
	while ((result = tph_walk_next(walk)) > 0)
		if ((walk->header & mask) == id)
			return 1;
	/* What the kernel does not find in a list that never ends is not there. */
	return !result || result == -ELOOP ? 0 : -1;
}

static enum tph_known control_isolates(const struct tph_config *config)
{
	struct tph_walk walk;
	uint32_t word;
	int found = find(config, true, EXTENDED_ACS, &walk);

	if (found <= 0)
		return found ? TPH_UNKNOWN : TPH_NO;
	if (walk.at + 8u > config->size || config->read(config->context, walk.at + 4, &word))
		return TPH_UNKNOWN;
	/* What a function cannot control it has by construction. */
	word = ACS_NEEDED & ((word & 0xffff) | ACS_EGRESS) & ~(word >> 16);
	return word ? TPH_NO : TPH_YES;
}

static enum tph_known isolates(const struct tph_config *config,
			       const struct group_function *function)
{
	if (!function->express)
		return TPH_NO;
	switch (function->type) {
	case TYPE_ROOT_PORT:
	case TYPE_DOWNSTREAM:
		return control_isolates(config);
	case TYPE_ENDPOINT:
	case TYPE_LEGACY:
	case TYPE_UPSTREAM:
	case TYPE_INTEGRATED:
		return function->multifunction ? control_isolates(config) : TPH_YES;
	default:
		return TPH_NO;
	}
}

static void read_configuration(const struct tph_group *group, struct group_function *function)
{
	struct image image = { .fd = -1 };
	struct tph_config config = { .read = image_read, .context = &image, .size = SPACE_SIZE };
	struct tph_walk walk;
	char path[PATH_MAX];
	int found;

	if (tph_group_path(path, "bus/pci/devices/%s/config", function->address))
		return;
	image.fd = tph_beneath_open(group->top, path, 0);
	if (image.fd < 0)
		return;
	/* Ones in place of command and status: nobody answers there. */
	if (pread(image.fd, image.header, HEADER_SIZE, 0) == HEADER_SIZE &&
	    memcmp(image.header + COMMAND, "\xff\xff\xff\xff", 4)) {
		function->bridge = image.header[HEADER_TYPE] & 0x7f;
		function->multifunction = function->multifunction ||
					  image.header[HEADER_TYPE] & HEADER_MULTIFUNCTION;
		function->secondary = function->bridge ? image.header[SECONDARY_BUS] : 0;
		found = find(&config, false, CAPABILITY_EXPRESS, &walk);
		function->express = found > 0;
		function->type = found > 0 ? walk.header >> 20 & 0xf : 0;
		function->readable = found >= 0;
		if (function->readable)
			function->acs = isolates(&config, function);
	}
	close(image.fd);
}

int tph_group_add_function(struct tph_group *group, const char *address, size_t *index)
{
	unsigned int bus, slot, number;
	struct group_function *function;
	char name[TPH_ADDRESS_SIZE];

	for (*index = 0; *index < group->function_count; ++*index)
		if (!strcmp(group->functions[*index].address, address))
			return 0;
	if (strlen(address) >= TPH_GROUP_NAME)
		return -ENAMETOOLONG;
	if (group->function_count == GROUP_MOST)
		return -EFBIG;
	/* No kernel names a device so. */
	for (const char *letter = address; *letter; letter++)
		if ((unsigned char)*letter < ' ')
			return -EIO;
	if (group->function_count == group->function_room) {
		size_t room = group->function_room ? 2 * group->function_room : 16;

		function = realloc(group->functions, room * sizeof(*function));
		if (!function)
			return -ENOMEM;
		group->functions = function;
		group->function_room = room;
	}
	function = &group->functions[group->function_count++];
	memset(function, 0, sizeof(*function));
	strcpy(function->address, address);
	function->up = GROUP_TOP;
	if (tph_address_parse(address, name) || strcmp(name, address))
		return 0;
	function->pci = true;
	sscanf(strchr(address, ':') + 1, "%x:%x.%x", &bus, &slot, &number);
	function->requester = (uint16_t)(bus << 8 | slot << 3 | number);
	function->multifunction = number != 0;
	read_configuration(group, function);
	return 0;
}

/* A function that is above itself is one of a tree that was made up: no way up would end. */
static int set_up(struct tph_group *group, size_t index, size_t up)
{
	for (size_t at = up; at != GROUP_TOP; at = group->functions[at].up)
		if (at == index)
			return -EIO;
	group->functions[index].up = up;
	return 0;
}

/* Add what is above a function: the components of its folder's path. */
int tph_group_climb(struct tph_group *group, size_t index)
{
	char path[PATH_MAX], target[PATH_MAX], name[TPH_ADDRESS_SIZE], *rest = NULL;
	size_t up = GROUP_TOP, at;
	int error;

	if (!group->functions[index].pci)
		return 0;
	error = tph_group_path(path, "bus/pci/devices/%s", group->functions[index].address);
	error = error ? error : tph_beneath_link(group->top, path, target, sizeof(target));
	if (error)
		return error == -EINVAL ? 0 : error;
	for (char *word = strtok_r(target, "/", &rest); word; word = strtok_r(NULL, "/", &rest)) {
		/* A host bridge can be below a function: nothing goes up beyond it. */
		if (!strncmp(word, "pci", 3))
			up = GROUP_TOP;
		if (tph_address_parse(word, name) || strcmp(name, word))
			continue;
		error = tph_group_add_function(group, word, &at);
		error = error ? error : set_up(group, at, up);
		if (error)
			return error;
		up = at;
		if (at == index)
			break;
	}
	return 0;
}

/* The bridge behind which requests lose the requester id of their function; the topmost counts. */
static size_t aliasing_bridge(const struct tph_group *group, size_t index)
{
	size_t found = GROUP_TOP;

	for (size_t at = group->functions[index].up; at != GROUP_TOP;
	     at = group->functions[at].up) {
		const struct group_function *above = &group->functions[at];

		if (above->readable && (!above->express || above->type == TYPE_PCI_BRIDGE ||
					above->type == TYPE_EXPRESS_BRIDGE))
			found = at;
	}
	return found;
}

uint16_t tph_group_alias(const struct tph_group *group, size_t index)
{
	size_t at = aliasing_bridge(group, index);
	const struct group_function *bridge;

	if (at == GROUP_TOP)
		return group->functions[index].requester;
	bridge = &group->functions[at];
	if (bridge->express && bridge->type == TYPE_PCI_BRIDGE)
		return (uint16_t)(bridge->secondary << 8);
	return bridge->requester;
}

static int __attribute__((format(printf, 4, 5)))
add_cause(struct tph_group *group, enum tph_cause_kind kind, const char *device,
	  const char *format, ...)
{
	struct tph_group_cause *cause;
	va_list arguments;

	for (size_t i = 0; i < group->cause_count; i++)
		if (group->causes[i].kind == kind && !strcmp(group->causes[i].device, device))
			return 0;
	cause = realloc(group->causes, (group->cause_count + 1) * sizeof(*cause));
	if (!cause)
		return -ENOMEM;
	group->causes = cause;
	cause = &group->causes[group->cause_count++];
	cause->kind = kind;
	snprintf(cause->device, sizeof(cause->device), "%s", device);
	va_start(arguments, format);
	vsnprintf(cause->because, sizeof(cause->because), format, arguments);
	va_end(arguments);
	return 0;
}

static size_t part_of(struct tph_group *group, size_t index)
{
	while (group->functions[index].part != index)
		index = group->functions[index].part;
	return index;
}

static void join(struct tph_group *group, size_t one, size_t other)
{
	group->functions[part_of(group, one)].part = part_of(group, other);
}

/* Requester ids shared behind a bridge: the bridge, and all between, is in the group too. */
static int cause_bridge(struct tph_group *group, size_t index)
{
	size_t bridge = aliasing_bridge(group, index);
	unsigned int alias;

	if (bridge == GROUP_TOP)
		return 0;
	join(group, index, bridge);
	alias = tph_group_alias(group, index);
	return add_cause(group, TPH_CAUSE_BRIDGE, group->functions[bridge].address,
			 "all requests from below %s, a bridge to conventional PCI, have requester "
			 "id %02x:%02x.%x", group->functions[bridge].address, alias >> 8,
			 alias >> 3 & 0x1f, alias & 7);
}

/* Up to the topmost port without ACS, whatever is below can reach whatever else is. */
static int cause_ports(struct tph_group *group, size_t index)
{
	size_t bridge = aliasing_bridge(group, index), last = bridge == GROUP_TOP ? index : bridge;
	size_t at, bad = GROUP_TOP;
	int error;

	for (at = group->functions[last].up; at != GROUP_TOP; at = group->functions[at].up)
		if (group->functions[at].acs != TPH_YES)
			bad = at;
	if (bad == GROUP_TOP)
		return 0;
	for (at = group->functions[last].up; at != GROUP_TOP; at = group->functions[at].up) {
		const struct group_function *port = &group->functions[at];

		if (!port->member)
			break;
		join(group, index, at);
		if (port->acs == TPH_YES) {
			if (at == bad)
				break;
			continue;
		}
		if (port->acs == TPH_NO)
			error = add_cause(group, TPH_CAUSE_PORT, port->address,
					  "%s, which is above others, has no ACS: it may send "
					  "their requests to each other", port->address);
		else
			error = add_cause(group, TPH_CAUSE_PORT, port->address,
					  "%s is above others; only root may read whether it has "
					  "ACS", port->address);
		if (error)
			return error;
		if (at == bad)
			break;
	}
	return 0;
}

/* Functions of one device that may send requests to each other. */
static int cause_functions(struct tph_group *group, size_t index)
{
	const struct group_function *own = &group->functions[index];
	char device[TPH_GROUP_NAME];
	const char *found;
	int error;

	if (!own->pci || !own->multifunction || own->acs == TPH_YES ||
	    aliasing_bridge(group, index) != GROUP_TOP)
		return 0;
	snprintf(device, sizeof(device), "%.*s", (int)(strlen(own->address) - 2), own->address);
	for (size_t at = index + 1; at < group->member_count; at++) {
		const struct group_function *other = &group->functions[at];

		if (!other->pci || other->acs == TPH_YES ||
		    strncmp(other->address, own->address, strlen(device) + 1))
			continue;
		join(group, index, at);
		if (own->acs == TPH_UNKNOWN)
			found = "are one device; only root may read whether they have ACS";
		else if (own->express)
			found = "have no ACS: they may send requests to each other";
		else
			found = "are conventional PCI, which has no ACS";
		error = add_cause(group, TPH_CAUSE_FUNCTIONS, device, "the functions of %s %s",
				  device, found);
		if (error)
			return error;
	}
	return 0;
}

int tph_group_find_causes(struct tph_group *group)
{
	int error = 0;

	if (group->number < 0)
		return 0;
	for (size_t i = 0; i < group->function_count; i++)
		group->functions[i].part = i;
	if (group->member_count == 1)
		return add_cause(group, TPH_CAUSE_ALONE, group->functions[0].address,
				 "%s is alone in its group", group->functions[0].address);
	for (size_t i = 0; i < group->member_count && !error; i++) {
		error = cause_bridge(group, i);
		error = error ? error : cause_ports(group, i);
		error = error ? error : cause_functions(group, i);
	}
	for (size_t i = 1; i < group->member_count && !error; i++) {
		if (part_of(group, i) == part_of(group, 0))
			continue;
		error = add_cause(group, TPH_CAUSE_QUIRK, group->functions[i].address,
				  "neither ACS nor bridges tell why %s is in it: a DMA alias or "
				  "another quirk of the kernel", group->functions[i].address);
		join(group, i, 0);
	}
	return error;
}
