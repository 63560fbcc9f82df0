/* SPDX-License-Identifier: MIT */
/* The inside of an IOMMU group's model: see tph_group.h. */
#ifndef TPH_LIB_GROUP_H
#define TPH_LIB_GROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of all symbols, these alone leave the library. */
#pragma GCC visibility push(default)
#include "tph_group.h"
#pragma GCC visibility pop

#define GROUP_TOP	SIZE_MAX	/* in place of a function's index: nothing above */
#define GROUP_MOST	16384		/* functions; a tree that was made up may have any number */

/**
 * struct group_function - a function that is a member, or a port or bridge above one
 * @address: as sysfs names it
 * @up: index of the port or bridge above, or GROUP_TOP
 * @member: whether it is in the group
 * @pci: whether it is a PCI function at all
 * @readable: whether its configuration space could be read as far as the next fields need
 * @bridge: whether it is a port or bridge
 * @express: whether it has a PCI Express capability
 * @type: device/port type (PCIe 6.2, 7.5.3.2)
 * @multifunction: one of several
 * @acs: whether access control services keep its requests from going to peers
 * @requester: requester id
 * @secondary: number of the bus below it
 * @part: label of the part of the group that the causes found so far hold together
 */
struct group_function {
	char address[TPH_GROUP_NAME];
	size_t up;
	bool member;
	bool pci;
	bool readable;
	bool bridge;
	bool express;
	uint8_t type;
	bool multifunction;
	enum tph_known acs;
	uint16_t requester;
	uint8_t secondary;
	size_t part;
};

/**
 * struct group_state - what changes about a member
 * @function: index in the group's functions
 * @driver: name, empty if there is none
 * @kind: what it is to a user of another member
 * @open: context that it is bound to, 0 if none
 * @space: address space that it is attached to, 0 if none
 * @requester: its own requester id
 * @alias: the one with which its requests reach the IOMMU
 */
struct group_state {
	size_t function;
	char driver[64];
	enum tph_driver_kind kind;
	uint32_t open;
	uint32_t space;
	uint16_t requester;
	uint16_t alias;
};

/**
 * struct tph_group - a group and what was told of it
 * @top: of sysfs, see beneath.h
 * @functions: members first, in the order of addresses, then what is above them
 * @members: a state for each of the first @member_count functions
 * @unsafe_iommufd: allow_unsafe_interrupts of that module
 * @unsafe_type1: the same of vfio_iommu_type1
 * @by_iommufd: see struct tph_group_facts, and so the next three
 * @legacy: context that has /dev/vfio/NUMBER open, 0 if none
 * @container: that one owns the group
 */
struct tph_group {
	int top;
	int number;
	bool noiommu;
	char default_domain[16];
	bool direct_region;
	enum tph_known isolated_interrupts;
	char interrupts_because[TPH_GROUP_TEXT];
	enum tph_known unsafe_iommufd, unsafe_type1;
	enum tph_known by_iommufd, by_container, type1;
	char ways_because[TPH_GROUP_TEXT];

	struct group_function *functions;
	size_t function_count, function_room;
	struct group_state *members;
	size_t member_count;
	struct tph_group_cause *causes;
	size_t cause_count;

	uint32_t legacy;
	bool container;
};

/* group_sysfs.c: small files, by where they are below sysfs. All: 0 or -errno. */
int tph_group_path(char path[PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
int tph_group_read_text(const struct tph_group *group, const char *path, char *text, size_t size);
int tph_group_read_line(const struct tph_group *group, const char *path, char *text, size_t size);
int tph_group_link_name(const struct tph_group *group, const char *path, char *name, size_t size);

/* group_topology.c: what is above whom, and why the group is one. */
int tph_group_add_function(struct tph_group *group, const char *address, size_t *index);
int tph_group_climb(struct tph_group *group, size_t index);
uint16_t tph_group_alias(const struct tph_group *group, size_t index);
int tph_group_find_causes(struct tph_group *group);

/* group_driver.c */
enum tph_driver_kind tph_group_driver_kind(const struct tph_group *group, const char *driver);
enum tph_known tph_group_driver_beside(enum tph_driver_kind kind);
void tph_group_driver_explain(const struct group_state *member, char because[TPH_GROUP_TEXT]);

/* group_interrupt.c */
void tph_group_read_interrupts(struct tph_group *group);

/* group_way.c: by which nodes users get at it. */
void tph_group_read_ways(struct tph_group *group);
enum tph_known tph_group_unsafe(const struct tph_group *group);

/* group_state.c: who owns it, and where DMA goes. */
uint32_t tph_group_owner(const struct tph_group *group, size_t *member);
uint32_t tph_group_space(const struct tph_group *group, size_t *member);
size_t tph_group_host_member(const struct tph_group *group, enum tph_driver_kind kind);
enum tph_dma tph_group_dma(const struct tph_group *group, size_t member,
		       char because[TPH_GROUP_TEXT]);

static inline const char *group_address(const struct tph_group *group, size_t member)
{
	return group->functions[group->members[member].function].address;
}

#endif /* TPH_LIB_GROUP_H */
