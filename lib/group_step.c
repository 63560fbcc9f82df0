// SPDX-License-Identifier: MIT
/* What the kernel answers to each step: Linux 7.3, drivers/vfio, drivers/iommu and drivers/pci. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "group.h"

static void __attribute__((format(printf, 5, 6)))
say(struct tph_group_answer *answer, int error, size_t fault, const char *decided_by,
    const char *format, ...)
{
	va_list arguments;

	answer->error = error;
	answer->fault = fault;
	answer->decided_by = decided_by;
	va_start(arguments, format);
	vsnprintf(answer->because, sizeof(answer->because), format, arguments);
	va_end(arguments);
}

static void __attribute__((format(printf, 2, 3)))
doubt(struct tph_group_answer *answer, const char *format, ...)
{
	size_t length = strlen(answer->because);
	va_list arguments;

	answer->certain = false;
	va_start(arguments, format);
	vsnprintf(answer->because + length, sizeof(answer->because) - length, format, arguments);
	va_end(arguments);
}

/* Return: whether the member has a VFIO device; else the answer says that it has none. */
static bool has_device(const struct tph_group *group, size_t member,
		       struct tph_group_answer *answer)
{
	const struct group_state *state = &group->members[member];

	if (state->kind == TPH_DRIVER_VFIO)
		return true;
	say(answer, -ENODEV, member, "vfio_register_group_dev", "%s has no VFIO device: its driver "
	    "is %s", group_address(group, member), state->driver[0] ? state->driver : "none");
	return false;
}

/* Return: whether a user may go on; before a bind the device's file answers nothing. */
static bool has_access(const struct tph_group *group, size_t member,
		       struct tph_group_answer *answer)
{
	if (!has_device(group, member, answer))
		return false;
	if (group->members[member].open)
		return true;
	say(answer, -EINVAL, member, "vfio_device_fops_unl_ioctl",
	    "%s is not bound to an iommufd, and before that its file gives no access",
	    group_address(group, member));
	return false;
}

static void predict_use(const struct tph_group *group, const struct tph_group_step *step,
			struct tph_group_answer *answer)
{
	if (has_access(group, step->member, answer))
		say(answer, 0, TPH_GROUP_NOBODY, "vfio_device_fops_unl_ioctl",
		    "%s is bound to an iommufd", group_address(group, step->member));
}

/* Return: whether a new owner may take the group; else the answer says why not. */
static bool may_claim(const struct tph_group *group, const char *decided_by,
		      struct tph_group_answer *answer)
{
	size_t host = tph_group_host_member(group, TPH_DRIVER_HOST);

	if (host != TPH_GROUP_NOBODY) {
		say(answer, -EPERM, host, decided_by,
		    "%s in the group is bound to %s, which uses the host's DMA mappings",
		    group_address(group, host), group->members[host].driver);
		return false;
	}
	if (group->direct_region) {
		say(answer, -EINVAL, TPH_GROUP_NOBODY, "__iommu_device_set_domain",
		    "firmware wants a region of the group mapped 1:1 always (RMRR), so its DMA "
		    "cannot be blocked");
		return false;
	}
	return true;
}

/* A driver that may or may not let a user in: the answer is what it is if it does. */
static void doubt_foreign(const struct tph_group *group, struct tph_group_answer *answer)
{
	size_t foreign = tph_group_host_member(group, TPH_DRIVER_FOREIGN);

	if (foreign != TPH_GROUP_NOBODY)
		doubt(answer, "; if %s of %s does not set driver_managed_dma: EPERM",
		      group->members[foreign].driver, group_address(group, foreign));
}

static void predict_bind(const struct tph_group *group, const struct tph_group_step *step,
			 struct tph_group_answer *answer)
{
	const char *address = group_address(group, step->member);
	size_t owning;
	uint32_t owner = tph_group_owner(group, &owning);

	if (!has_device(group, step->member, answer))
		return;
	if (group->by_iommufd == TPH_NO) {
		say(answer, -ENOENT, TPH_GROUP_NOBODY, "vfio_device_add",
		    "there is no node to open or no iommufd: users come %s", group->by_container ==
		    TPH_NO ? "by no way" : "by the group");
		return;
	}
	if (group->legacy) {
		say(answer, -EBUSY, TPH_GROUP_NOBODY, "vfio_device_block_group",
		    "/dev/vfio/%d is open, and a group is used by its file or by its devices' "
		    "files, not by both", group->number);
		return;
	}
	if (group->members[step->member].open) {
		say(answer, -EINVAL, step->member, "vfio_df_open",
		    "%s is bound already: a device has one user, and is bound once", address);
		if (group->members[step->member].open == TPH_GROUP_STRANGER)
			doubt(answer,
			      "; who uses it is not in sysfs, and if it is by its group: EBUSY");
		return;
	}
	if (group->number < 0) {
		say(answer, -ENODEV, step->member, "iommu_device_claim_dma_owner",
		    "%s is in no IOMMU group", address);
		return;
	}
	if (group->noiommu) {
		say(answer, 0, TPH_GROUP_NOBODY, "iommufd_bind_noiommu",
		    "no IOMMU, so there is nothing to own, and no isolation");
		return;
	}
	if (group->isolated_interrupts == TPH_NO && group->unsafe_iommufd != TPH_YES) {
		say(answer, -EPERM, TPH_GROUP_NOBODY, "iommufd_bind_iommu",
		    "interrupts are not isolated (%s), and iommufd.allow_unsafe_interrupts is not "
		    "set", group->interrupts_because);
		if (group->unsafe_iommufd == TPH_UNKNOWN)
			doubt(answer, ", as far as can be seen");
		return;
	}
	if (owner && owner != step->context) {
		say(answer, -EPERM, owning, "iommu_device_claim_dma_owner",
		    "the group belongs to another iommufd, to which %s is bound",
		    group_address(group, owning));
		if (owner == TPH_GROUP_STRANGER)
			doubt(answer, "; with that very iommufd it would succeed");
		return;
	}
	if (owner) {
		say(answer, 0, TPH_GROUP_NOBODY, "iommu_device_claim_dma_owner",
		    "the group belongs to this iommufd already, by %s",
		    group_address(group, owning));
		return;
	}
	if (!may_claim(group, "iommu_device_claim_dma_owner", answer))
		return;
	say(answer, 0, TPH_GROUP_NOBODY, "iommu_device_claim_dma_owner",
	    "no member has a driver that uses the host's DMA mappings; from now on the whole group "
	    "is blocked");
	if (group->isolated_interrupts == TPH_UNKNOWN && group->unsafe_iommufd != TPH_YES)
		doubt(answer, "; if interrupts are not isolated, which sysfs does not tell: EPERM");
	doubt_foreign(group, answer);
}

static void predict_attach(const struct tph_group *group, const struct tph_group_step *step,
			   struct tph_group_answer *answer)
{
	const char *address = group_address(group, step->member);
	uint32_t own = group->members[step->member].space, space;
	size_t attached, others = 0;

	if (!has_access(group, step->member, answer))
		return;
	if (group->members[step->member].open == TPH_GROUP_STRANGER) {
		say(answer, 0, TPH_GROUP_NOBODY, "iommufd_hw_pagetable_attach", "%s is in use",
		    address);
		doubt(answer, ", and what the group is attached to is not in sysfs");
		return;
	}
	space = tph_group_space(group, &attached);
	if (!space) {
		say(answer, 0, TPH_GROUP_NOBODY, "iommufd_hw_pagetable_attach",
		    "first of the group: all members are in address space %u now", step->space);
	} else if (own == step->space) {
		say(answer, 0, TPH_GROUP_NOBODY, "iommufd_device_do_replace",
		    "%s is attached to it already", address);
	} else if (own) {
		for (size_t i = 0; i < group->member_count; i++)
			others += i != step->member && group->members[i].space;
		say(answer, 0, TPH_GROUP_NOBODY, "iommufd_device_do_replace",
		    "a replace: the whole group moves to address space %u%s", step->space,
		    others ? ", others that are attached too" : "");
	} else if (space == step->space) {
		say(answer, 0, TPH_GROUP_NOBODY, "iommufd_hw_pagetable_attach",
		    "the group is in address space %u already, with %s", space,
		    group_address(group, attached));
	} else {
		say(answer, -EINVAL, attached, "iommufd_hw_pagetable_attach",
		    "a group is in one address space, and %s is attached to another one",
		    group_address(group, attached));
	}
}

static void predict_detach(const struct tph_group *group, const struct tph_group_step *step,
			   struct tph_group_answer *answer)
{
	size_t other;

	if (!has_access(group, step->member, answer))
		return;
	for (other = 0; other < group->member_count; other++)
		if (other != step->member && group->members[other].space)
			break;
	if (group->members[step->member].open == TPH_GROUP_STRANGER)
		say(answer, 0, TPH_GROUP_NOBODY, "iommufd_hw_pagetable_detach",
		    "a detach never fails");
	else if (!group->members[step->member].space)
		say(answer, 0, TPH_GROUP_NOBODY, "vfio_iommufd_physical_detach_ioas",
		    "%s is not attached: nothing to do", group_address(group, step->member));
	else if (other < group->member_count)
		say(answer, 0, TPH_GROUP_NOBODY, "iommufd_hw_pagetable_detach",
		    "%s is still attached, so the group, all of it, stays in address space %u",
		    group_address(group, other), group->members[other].space);
	else
		say(answer, 0, TPH_GROUP_NOBODY, "iommufd_hw_pagetable_detach",
		    "last of the group: all members are blocked now");
}

static void predict_close(const struct tph_group *group, const struct tph_group_step *step,
			  struct tph_group_answer *answer)
{
	size_t other;

	if (!has_device(group, step->member, answer))
		return;
	for (other = 0; other < group->member_count; other++)
		if (other != step->member && group->members[other].open)
			break;
	if (!group->members[step->member].open)
		say(answer, 0, TPH_GROUP_NOBODY, "vfio_device_fops_release",
		    "%s was not bound: nothing to give back", group_address(group, step->member));
	else if (other < group->member_count)
		say(answer, 0, TPH_GROUP_NOBODY, "iommu_device_release_dma_owner",
		    "%s is still bound, so the group keeps its owner", group_address(group, other));
	else
		say(answer, 0, TPH_GROUP_NOBODY, "iommu_device_release_dma_owner",
		    "last of the group: nobody owns it, and it is in its default domain again");
}

static void predict_driver_bind(const struct tph_group *group, const struct tph_group_step *step,
				struct tph_group_answer *answer)
{
	const struct group_state *state = &group->members[step->member];
	enum tph_driver_kind kind = tph_group_driver_kind(group, step->driver);
	const char *address = group_address(group, step->member);
	size_t owning;
	uint32_t owner = tph_group_owner(group, &owning);

	if (state->driver[0]) {
		say(answer, -EBUSY, step->member, "device_driver_attach",
		    "%s has a driver already, %s", address, state->driver);
	} else if (tph_group_driver_beside(kind) == TPH_YES) {
		say(answer, 0, TPH_GROUP_NOBODY, "pci_dma_configure",
		    "%s claims no DMA mappings of the host", step->driver);
	} else if (owner && owning != TPH_GROUP_NOBODY) {
		say(answer, -EBUSY, owning, "iommu_device_use_default_domain",
		    "the group belongs to the user of %s", group_address(group, owning));
		if (owner == TPH_GROUP_STRANGER)
			doubt(answer, ", if that one is in use as it seems");
	} else if (owner) {
		say(answer, -EBUSY, TPH_GROUP_NOBODY, "iommu_device_use_default_domain",
		    "the group belongs to the container that has /dev/vfio/%d", group->number);
	} else {
		say(answer, 0, TPH_GROUP_NOBODY, "iommu_device_use_default_domain",
		    "no user owns the group");
	}
	if (kind == TPH_DRIVER_FOREIGN && answer->error == -EBUSY && !state->driver[0])
		doubt(answer, "; if %s sets driver_managed_dma: success", step->driver);
}

static void predict_driver_unbind(const struct tph_group *group, const struct tph_group_step *step,
				  struct tph_group_answer *answer)
{
	const struct group_state *state = &group->members[step->member];
	const char *address = group_address(group, step->member);
	bool in_use = state->kind == TPH_DRIVER_VFIO && state->open;

	if (!state->driver[0]) {
		say(answer, -ENODEV, step->member, "unbind_store", "%s has no driver", address);
		return;
	}
	say(answer, 0, in_use ? step->member : TPH_GROUP_NOBODY,
	    in_use ? "vfio_unregister_group_dev" : "device_driver_detach", in_use ?
	    "%s is in use: its user is asked to let go, and the call waits for that" :
	    "nobody uses %s", address);
	answer->waits = in_use;
	if (in_use && state->open == TPH_GROUP_STRANGER)
		doubt(answer, ", if it is in use as it seems");
	/* Devices that came out of the group's file are not told of. */
	if (!in_use && state->kind == TPH_DRIVER_VFIO && group->container)
		doubt(answer, ", unless it is open by the group's file: then the call waits");
}

static void predict_group_open(const struct tph_group *group, const struct tph_group_step *step,
			       struct tph_group_answer *answer)
{
	size_t owning;

	(void)step;
	if (tph_group_host_member(group, TPH_DRIVER_VFIO) == TPH_GROUP_NOBODY)
		say(answer, -ENOENT, TPH_GROUP_NOBODY, "vfio_device_set_group",
		    "no member has a VFIO driver, so there is no /dev/vfio/%d", group->number);
	else if (group->legacy)
		say(answer, -EBUSY, TPH_GROUP_NOBODY, "vfio_group_fops_open",
		    "/dev/vfio/%d is open already", group->number);
	else if (tph_group_owner(group, &owning))
		say(answer, -EBUSY, owning, "vfio_group_fops_open",
		    "%s is in use, and a group is used by its file or by its devices' files, not "
		    "by both", group_address(group, owning));
	else
		say(answer, 0, TPH_GROUP_NOBODY, "vfio_group_fops_open",
		    "nobody uses the group or one of its devices");
}

static void predict_set_container(const struct tph_group *group, const struct tph_group_step *step,
				  struct tph_group_answer *answer)
{
	(void)step;
	if (!group->legacy) {
		say(answer, -EBADF, TPH_GROUP_NOBODY, "vfio_group_fops_open",
		    "/dev/vfio/%d is not open", group->number);
	} else if (group->container) {
		say(answer, -EINVAL, TPH_GROUP_NOBODY, "vfio_group_ioctl_set_container",
		    "the group is in a container already");
	} else if (group->isolated_interrupts == TPH_NO && group->unsafe_type1 != TPH_YES) {
		say(answer, -EPERM, TPH_GROUP_NOBODY, "vfio_iommu_type1_attach_group",
		    "interrupts are not isolated (%s), and "
		    "vfio_iommu_type1.allow_unsafe_interrupts is not set",
		    group->interrupts_because);
		if (group->unsafe_type1 == TPH_UNKNOWN)
			doubt(answer, ", as far as can be seen");
	} else if (may_claim(group, "iommu_group_claim_dma_owner", answer)) {
		say(answer, 0, TPH_GROUP_NOBODY, "iommu_group_claim_dma_owner",
		    "no member has a driver that uses the host's DMA mappings; from now on the "
		    "whole group is blocked");
		doubt_foreign(group, answer);
	}
}

static void predict_group_close(const struct tph_group *group, const struct tph_group_step *step,
				struct tph_group_answer *answer)
{
	(void)step;
	if (!group->legacy)
		say(answer, -EBADF, TPH_GROUP_NOBODY, "vfio_group_fops_release",
		    "/dev/vfio/%d is not open", group->number);
	else
		say(answer, 0, TPH_GROUP_NOBODY, "iommu_group_release_dma_owner", group->container ?
		    "nobody owns the group, and it is in its default domain again" :
		    "the group had no owner");
}

/* Whether a reset of the bus that @member is on reaches another member. */
static bool below_same_port(const struct tph_group *group, size_t member, size_t other)
{
	size_t port = group->functions[group->members[member].function].up;
	size_t at = group->members[other].function;

	for (at = group->functions[at].up; at != GROUP_TOP; at = group->functions[at].up)
		if (at == port)
			return true;
	return false;
}

/* A reset also reaches what is below the port and in another group. */
static void doubt_outsiders(const struct tph_group *group, size_t port,
			    struct tph_group_answer *answer)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *folder = NULL;
	size_t index;
	int fd = -1;

	if (!tph_group_path(path, "bus/pci/devices/%s", group->functions[port].address))
		fd = tph_beneath_open(group->top, path, O_DIRECTORY);
	if (fd >= 0)
		folder = fdopendir(fd);
	if (fd >= 0 && !folder)
		close(fd);
	if (!folder) {
		doubt(answer, "; what else is below the port cannot be read");
		return;
	}
	for (entry = readdir(folder); entry; entry = readdir(folder)) {
		if (tph_group_find(group, entry->d_name, &index) != -ENOENT)
			continue;
		doubt(answer, "; %.40s, of another group, must be the same user's too: else EINVAL",
		      entry->d_name);
		break;
	}
	closedir(folder);
}

static void predict_hot_reset(const struct tph_group *group, const struct tph_group_step *step,
			      struct tph_group_answer *answer)
{
	const char *address = group_address(group, step->member);

	if (!has_access(group, step->member, answer))
		return;
	if (group->functions[group->members[step->member].function].up == GROUP_TOP) {
		say(answer, -ENODEV, step->member, "pci_probe_reset_bus",
		    "%s is on a root bus, which cannot be reset", address);
		return;
	}
	for (size_t i = 0; i < group->member_count; i++) {
		const struct group_state *state = &group->members[i];

		if (state->kind == TPH_DRIVER_VFIO || !below_same_port(group, step->member, i))
			continue;
		say(answer, -EINVAL, i, "vfio_pci_dev_set_resettable",
		    "the reset would reach %s, which has no VFIO driver", group_address(group, i));
		return;
	}
	say(answer, 0, TPH_GROUP_NOBODY, "vfio_pci_dev_set_hot_reset",
	    "all members that the reset reaches have a VFIO driver and the same owner");
	doubt_outsiders(group, group->functions[group->members[step->member].function].up, answer);
}

typedef void (*predictor)(const struct tph_group *group, const struct tph_group_step *step,
			  struct tph_group_answer *answer);

static const predictor predictors[] = {
	[TPH_STEP_USE] = predict_use,
	[TPH_STEP_BIND] = predict_bind,
	[TPH_STEP_ATTACH] = predict_attach,
	[TPH_STEP_DETACH] = predict_detach,
	[TPH_STEP_CLOSE] = predict_close,
	[TPH_STEP_DRIVER_BIND] = predict_driver_bind,
	[TPH_STEP_DRIVER_UNBIND] = predict_driver_unbind,
	[TPH_STEP_GROUP_OPEN] = predict_group_open,
	[TPH_STEP_SET_CONTAINER] = predict_set_container,
	[TPH_STEP_GROUP_CLOSE] = predict_group_close,
	[TPH_STEP_HOT_RESET] = predict_hot_reset,
};

static bool is_user_number(uint32_t number)
{
	return number && number != TPH_GROUP_STRANGER;
}

static int check_step(const struct tph_group *group, const struct tph_group_step *step)
{
	unsigned int kind = step->kind;

	if (kind >= sizeof(predictors) / sizeof(*predictors))
		return -EINVAL;
	if (step->member >= group->member_count)
		return -ERANGE;
	if ((kind == TPH_STEP_BIND || kind == TPH_STEP_GROUP_OPEN) &&
	    !is_user_number(step->context))
		return -EINVAL;
	if (kind == TPH_STEP_ATTACH && !is_user_number(step->space))
		return -EINVAL;
	if (kind == TPH_STEP_DRIVER_BIND &&
	    (!step->driver || !step->driver[0] || strchr(step->driver, '/') ||
	     strlen(step->driver) >= sizeof(group->members->driver)))
		return -EINVAL;
	return 0;
}

int tph_group_predict(const struct tph_group *group, const struct tph_group_step *step,
		      struct tph_group_answer *answer)
{
	int error = check_step(group, step);

	if (error)
		return error;
	memset(answer, 0, sizeof(*answer));
	answer->certain = true;
	predictors[step->kind](group, step, answer);
	return 0;
}

static void attach(struct tph_group *group, const struct tph_group_step *step)
{
	/* A replace moves all that are attached. */
	for (size_t i = 0; i < group->member_count; i++)
		if (group->members[i].space)
			group->members[i].space = step->space;
	group->members[step->member].space = step->space;
}

static void move(struct tph_group *group, const struct tph_group_step *step)
{
	struct group_state *state = &group->members[step->member];

	switch (step->kind) {
	case TPH_STEP_USE:
	case TPH_STEP_HOT_RESET:
		break;
	case TPH_STEP_BIND:
		state->open = step->context;
		break;
	case TPH_STEP_ATTACH:
		attach(group, step);
		break;
	case TPH_STEP_DETACH:
		state->space = 0;
		break;
	case TPH_STEP_CLOSE:
		state->open = 0;
		state->space = 0;
		break;
	case TPH_STEP_DRIVER_BIND:
		strcpy(state->driver, step->driver);
		state->kind = tph_group_driver_kind(group, step->driver);
		break;
	case TPH_STEP_DRIVER_UNBIND:
		state->driver[0] = '\0';
		state->kind = TPH_DRIVER_NONE;
		/* /dev/vfio/NUMBER goes with the last VFIO device, and so does what it had. */
		if (tph_group_host_member(group, TPH_DRIVER_VFIO) == TPH_GROUP_NOBODY) {
			group->legacy = 0;
			group->container = false;
		}
		break;
	case TPH_STEP_GROUP_OPEN:
		group->legacy = step->context;
		break;
	case TPH_STEP_SET_CONTAINER:
		group->container = true;
		break;
	case TPH_STEP_GROUP_CLOSE:
		group->legacy = 0;
		group->container = false;
		break;
	}
}

int tph_group_step(struct tph_group *group, const struct tph_group_step *step,
		   struct tph_group_answer *answer)
{
	int error = tph_group_predict(group, step, answer);

	if (!error && !answer->error && !answer->waits)
		move(group, step);
	return error;
}
