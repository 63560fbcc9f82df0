/* SPDX-License-Identifier: MIT */
/*
 * libtph, group part: what the kernel will answer when a device is given to a user, told before
 * anybody tries. All of it comes from sysfs files, so that it works on a copy of them as well.
 *
 * Linux decides by IOMMU group: which functions are in it, which drivers they have, who owns it.
 * sysfs shows the first two, and of VFIO users little. So a group here is a state machine: it is
 * read from sysfs, then told step by step what happens; each step is answered with the kernel's
 * answer and the condition that decides it. The answers are those of Linux 7.3.
 *
 * Every call returns 0 or a negative errno, prints nothing, and keeps no global state. A handle is
 * not for use by two threads at once; two handles are independent.
 */
#ifndef TPH_GROUP_H
#define TPH_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** TPH_GROUP_TEXT - room for any sentence below, with its end. */
#define TPH_GROUP_TEXT		256

/** TPH_GROUP_NAME - room for a member's address, with its end: not all are PCI functions. */
#define TPH_GROUP_NAME		40

/** TPH_GROUP_NOBODY - in place of a member's index: no member is at fault. */
#define TPH_GROUP_NOBODY	SIZE_MAX

/** TPH_GROUP_STRANGER - the context of a user that sysfs shows and nobody told of. */
#define TPH_GROUP_STRANGER	UINT32_MAX

/** enum tph_known - what sysfs says of a condition */
enum tph_known {
	TPH_UNKNOWN = 0,
	TPH_NO = 1,
	TPH_YES = 2,
};

/** enum tph_driver_kind - what a member's driver is to a user of another member */
enum tph_driver_kind {
	TPH_DRIVER_NONE = 0,	/* no driver */
	TPH_DRIVER_VFIO = 1,	/* vfio-pci or a variant of it, ours too */
	TPH_DRIVER_STUB = 2,	/* pci-stub */
	TPH_DRIVER_PORT = 3,	/* pcieport: interconnect, which does no DMA of its own */
	TPH_DRIVER_HOST = 4,	/* uses the kernel's DMA mappings: never beside a user */
	TPH_DRIVER_FOREIGN = 5,	/* not of the kernel's tree: whether it manages DMA itself (the
				 * driver_managed_dma of its code) is not in sysfs */
};

/** enum tph_dma - where the DMA of a member goes */
enum tph_dma {
	TPH_DMA_BLOCKED = 0,	/* nowhere */
	TPH_DMA_HOST_MAPPED = 1,/* to what host drivers have mapped for the group */
	TPH_DMA_HOST_ALL = 2,	/* to all of the host's memory: identity default domain, no IOMMU */
	TPH_DMA_SPACE = 3,	/* to an I/O address space of the user */
	TPH_DMA_UNKNOWN = 4,	/* a stranger uses the group */
};

/** enum tph_cause_kind - why functions share a group (drivers/iommu/iommu.c, pci_device_group()) */
enum tph_cause_kind {
	TPH_CAUSE_ALONE = 0,		/* they do not: the group has one member */
	TPH_CAUSE_FUNCTIONS = 1,	/* multifunction device without ACS between functions */
	TPH_CAUSE_PORT = 2,		/* a port above without ACS */
	TPH_CAUSE_BRIDGE = 3,		/* requester ids are shared behind a bridge to PCI */
	TPH_CAUSE_QUIRK = 4,		/* none of these: a DMA alias or another quirk */
};

/**
 * struct tph_group_facts - a group as a whole
 * @number: in /sys/kernel/iommu_groups; -1: the device is in no group
 * @noiommu: VFIO made the group up, and there is no isolation at all
 * @members: number of functions in it
 * @causes: number of reasons for which it is one group, at least 1; 0 without a group
 * @default_domain: what the kernel calls the type of its default domain: "DMA", "DMA-FQ",
 *	"identity", "blocked"; "unknown" where sysfs does not say
 * @direct_region: a reserved region must stay mapped 1:1 (RMRR): no user gets the group
 * @isolated_interrupts: whether no member can send others' interrupts
 * @interrupts_because: how that is known, or why it is not
 * @unsafe_interrupts: whether allow_unsafe_interrupts of iommufd, or where there is none of
 *	vfio_iommu_type1, gives it away nevertheless
 * @by_iommufd: whether users get at members by their own nodes and iommufd
 * @by_container: whether they do by the group's node and a container
 * @type1: whether a container could have its IOMMU, the module vfio_iommu_type1
 * @ways_because: by which way they do, or what is missing
 * @owner_host: a host driver holds the group
 * @owner_context: the user's context that holds it; 0: none that is known of
 * @owner: who owns it, as a sentence
 * @space: the address space that the group is in; 0: none
 */
struct tph_group_facts {
	int number;
	bool noiommu;
	size_t members;
	size_t causes;
	char default_domain[16];
	bool direct_region;
	enum tph_known isolated_interrupts;
	char interrupts_because[TPH_GROUP_TEXT];
	enum tph_known unsafe_interrupts;
	enum tph_known by_iommufd;
	enum tph_known by_container;
	enum tph_known type1;
	char ways_because[TPH_GROUP_TEXT];
	bool owner_host;
	uint32_t owner_context;
	char owner[TPH_GROUP_TEXT];
	uint32_t space;
};

/**
 * struct tph_group_member - a function in a group
 * @address: "0000:01:00.0"
 * @driver: name of its driver, empty if it has none
 * @kind: what the driver is
 * @beside: whether the driver may stay while another member is in a user's hands
 * @because: why, or why that is not known
 * @requester: requester id of its own, bus << 8 | device << 3 | function
 * @alias: the one with which its requests reach the IOMMU
 * @open: by whom a VFIO device is in use: 0: by none that is known of, else the context
 * @space: the address space that it is attached to; 0: none
 * @dma: where its DMA goes as things are
 * @dma_because: why, as a sentence
 */
struct tph_group_member {
	char address[TPH_GROUP_NAME];
	char driver[64];
	enum tph_driver_kind kind;
	enum tph_known beside;
	char because[TPH_GROUP_TEXT];
	uint16_t requester;
	uint16_t alias;
	uint32_t open;
	uint32_t space;
	enum tph_dma dma;
	char dma_because[TPH_GROUP_TEXT];
};

/**
 * struct tph_group_cause - one reason for which the group is one
 * @kind: what it is
 * @device: the function or port in question
 * @because: as a sentence
 */
struct tph_group_cause {
	enum tph_cause_kind kind;
	char device[TPH_GROUP_NAME];
	char because[TPH_GROUP_TEXT];
};

/** enum tph_step_kind - what can happen to a member of a group */
enum tph_step_kind {
	TPH_STEP_USE = 0,		/* ioctl, read, write or mmap of its VFIO device */
	TPH_STEP_BIND = 1,		/* VFIO_DEVICE_BIND_IOMMUFD, to context */
	TPH_STEP_ATTACH = 2,		/* VFIO_DEVICE_ATTACH_IOMMUFD_PT, to space; on a member that
					 * is attached to another one, a replace */
	TPH_STEP_DETACH = 3,		/* VFIO_DEVICE_DETACH_IOMMUFD_PT */
	TPH_STEP_CLOSE = 4,		/* the last close of its VFIO device */
	TPH_STEP_DRIVER_BIND = 5,	/* driver takes it */
	TPH_STEP_DRIVER_UNBIND = 6,	/* its driver is taken away (sysfs: unbind) */
	TPH_STEP_GROUP_OPEN = 7,	/* /dev/vfio/NUMBER is opened, by context */
	TPH_STEP_SET_CONTAINER = 8,	/* VFIO_GROUP_SET_CONTAINER to one with a type 1 IOMMU */
	TPH_STEP_GROUP_CLOSE = 9,	/* /dev/vfio/NUMBER is closed, and all that came from it */
	TPH_STEP_HOT_RESET = 10,	/* VFIO_DEVICE_PCI_HOT_RESET with count 0 */
};

/**
 * struct tph_group_step - something that is done to a group
 * @kind: what
 * @member: index of the member it is done to; any one for TPH_STEP_GROUP_*, _SET_CONTAINER
 * @context: TPH_STEP_BIND, TPH_STEP_GROUP_OPEN: the iommufd or the container that it is done with,
 *	as a number of the caller's choice from 1 on
 * @space: TPH_STEP_ATTACH: the address space, as a number of the caller's choice from 1 on
 * @driver: TPH_STEP_DRIVER_BIND: name of the driver
 */
struct tph_group_step {
	enum tph_step_kind kind;
	size_t member;
	uint32_t context;
	uint32_t space;
	const char *driver;
};

/**
 * struct tph_group_answer - the kernel's answer to a step, as predicted
 * @error: 0 or a negative errno
 * @waits: the call does not return before the member's user closes it
 * @certain: whether sysfs shows all that decides; if not, @because says what it does not show
 * @fault: index of the member because of which it fails, or TPH_GROUP_NOBODY
 * @because: the condition that decides, as a sentence
 * @decided_by: the function of the kernel in which it is decided
 */
struct tph_group_answer {
	int error;
	bool waits;
	bool certain;
	size_t fault;
	char because[TPH_GROUP_TEXT];
	const char *decided_by;
};

struct tph_group;

/**
 * tph_group_read() - read the group of a device
 * @sysfs: where sysfs is: "/sys", or a copy of it
 * @bdf: "0000:01:00.0"; the domain may be left out
 * @group: receives the handle
 *
 * A device without a group gives one with number -1 and one member. ACS is in that part of
 * configuration space that only root may read: for others, or where a copy lacks it, the causes are
 * what topology alone tells.
 *
 * A copy needs, with links as links: bus/pci/devices, of each member and each port above it config,
 * driver, enable, iommu_group, vfio-dev and power/runtime_status; kernel/iommu_groups/NUMBER;
 * bus/pci/drivers/NAME/module and module/NAME/taint of the members' drivers; kernel/irq/0 to 23;
 * module/iommufd and module/vfio_iommu_type1 with their parameters; class/misc/iommu, class/misc/vfio
 * and class/vfio/NUMBER, of each dev. Without kernel/iommu_groups/NUMBER/devices there is no answer; what
 * else is missing makes one less certain. A step that brings a driver, and a reset, look there
 * again.
 *
 * Return: 0; -EINVAL: @bdf is no PCI address; -ENODEV: there is no such device; -ENOENT: @sysfs has
 * no bus/pci; -EACCES, -EIO: it cannot be read; -EXDEV: a link in it leads out of it, which none of
 * the kernel's does; -EFBIG: it has more members than any group; -ENAMETOOLONG: @sysfs is too long;
 * -ENOMEM, -EMFILE, -ENFILE.
 */
int tph_group_read(const char *sysfs, const char *bdf, struct tph_group **group);

/** tph_group_free() - free the handle, or NULL. */
void tph_group_free(struct tph_group *group);

/** tph_group_describe() - the group as a whole, as it is after all steps so far. */
void tph_group_describe(const struct tph_group *group, struct tph_group_facts *facts);

/**
 * tph_group_member() - one member, as it is after all steps so far
 * @index: 0 .. members - 1, in the order of addresses
 *
 * Return: 0; -ERANGE: there is no such member.
 */
int tph_group_member(const struct tph_group *group, size_t index,
		     struct tph_group_member *member);

/**
 * tph_group_find() - the index of a member by its address
 *
 * Return: 0; -EINVAL: @bdf is no PCI address; -ENOENT: it is not in the group.
 */
int tph_group_find(const struct tph_group *group, const char *bdf, size_t *index);

/**
 * tph_group_peer() - a member that can reach another one's memory without the IOMMU seeing it
 * @member: the one whose memory (BARs) is reached
 * @from: index to begin at: 0, then the last one found plus 1
 * @peer: receives the index of the next one
 *
 * Functions are one group because nothing keeps their requests from going to each other directly.
 * Ports and bridges have no requests of their own, and are none.
 *
 * Return: 0; -ENOENT: there is none from there on; -ERANGE: there is no member of that index.
 */
int tph_group_peer(const struct tph_group *group, size_t member, size_t from, size_t *peer);

/**
 * tph_group_cause() - one of the reasons for which the group is one
 * @index: 0 .. causes - 1
 *
 * Return: 0; -ERANGE: there is no such reason.
 */
int tph_group_cause(const struct tph_group *group, size_t index, struct tph_group_cause *cause);

/**
 * tph_group_predict() - what the kernel would answer to a step
 *
 * Return: 0: @answer says it, be it an error; -EINVAL: the step itself makes no sense (its kind, a
 * context or space of 0 or TPH_GROUP_STRANGER, no driver's name); -ERANGE: no such member.
 */
int tph_group_predict(const struct tph_group *group, const struct tph_group_step *step,
		      struct tph_group_answer *answer);

/**
 * tph_group_step() - the same; where the answer is success, the group is then as after that step
 *
 * A step that waits leaves the group as it is: told again after the member's TPH_STEP_CLOSE, it
 * goes through.
 */
int tph_group_step(struct tph_group *group, const struct tph_group_step *step,
		   struct tph_group_answer *answer);

#ifdef __cplusplus
}
#endif

#endif /* TPH_GROUP_H */
