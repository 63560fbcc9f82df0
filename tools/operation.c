// SPDX-License-Identifier: GPL-2.0-only
/* tphctl why: what the operator decides, and what the driver then finds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inquiry.h"
#include "view.h"

/* so many of the functions that share a group are named */
#define PEERS_NAMED	4
#define PEERS_SIZE	(PEERS_NAMED * (TPH_GROUP_NAME + 2) + 32)

/* What comes between a device and a VFIO driver. */
static const char *denial(const struct pci_function *function)
{
	return function_denied(function) ? "; it is on vfio-pci's denylist, for its errata" : "";
}

/* Where the stock driver is in the kernel's image, no module can stand in its place. */
static const char *built_in(const struct inquiry *inquiry)
{
	const char *sysfs = inquiry->ctl->sysfs;

	return inquiry->driver_name[0] != 'v' && driver_is_built_in(sysfs, DRIVER_NAME_STOCK) ?
	       "; " DRIVER_NAME_STOCK " is built into the kernel, so it cannot take that name" : "";
}

void ask_module(const struct inquiry *inquiry, struct condition *condition)
{
	const char *why;

	if (inquiry->driver_name[0]) {
		conclude(condition, HOLDS, DRIVER_NAME " is loaded%s%s%s",
			 strcmp(inquiry->driver_name, DRIVER_NAME) ? ", under the name " : "",
			 strcmp(inquiry->driver_name, DRIVER_NAME) ? inquiry->driver_name : "",
			 built_in(inquiry));
		return;
	}
	conclude(condition, BROKEN, DRIVER_NAME " is not loaded%s%s%s",
		 signatures_wanted(inquiry, &why) ? ", and only signed modules are, for " : "",
		 signatures_wanted(inquiry, &why) ? why : built_in(inquiry),
		 denial(&inquiry->function));
	advise_bind(inquiry, condition, "");
}

/* By which nodes users get at it. */
void ask_way(const struct inquiry *inquiry, struct condition *condition)
{
	const struct tph_group_facts *facts = &inquiry->facts;

	if (inquiry->group_error || facts->noiommu || facts->number < 0) {
		defer(condition, "without an IOMMU there is none");
	} else if (facts->by_iommufd == TPH_YES || facts->by_container == TPH_YES) {
		conclude(condition, HOLDS, "%s", facts->ways_because);
	} else if (inquiry->held > 0) {
		conclude(condition, HOLDS, "it is open");
	} else if (facts->by_iommufd != TPH_NO || facts->by_container != TPH_NO) {
		defer(condition, facts->ways_because);
	} else if (facts->type1 == TPH_NO) {
		conclude(condition, BROKEN, "none: %s", facts->ways_because);
		advise(condition, TPHCTL_FAILED, "modprobe vfio_iommu_type1");
	} else {
		conclude(condition, BROKEN, "none: %s", facts->ways_because);
		advise(condition, TPHCTL_UNSUPPORTED, "a kernel with CONFIG_IOMMUFD and "
		       "CONFIG_VFIO_DEVICE_CDEV, or with CONFIG_VFIO_GROUP and "
		       "CONFIG_VFIO_CONTAINER");
	}
}

void ask_driver(const struct inquiry *inquiry, struct condition *condition)
{
	const struct pci_function *function = &inquiry->function;

	if (!inquiry->operator_error) {
		conclude(condition, HOLDS, "bound to %s%s", function->driver,
			 strcmp(function->driver, DRIVER_NAME) ? ", which is " DRIVER_NAME : "");
		return;
	}
	if (inquiry->operator_error != -ENOENT) {
		conclude(condition, UNKNOWN, "its attributes under tph/ cannot be read: %s",
			 strerror(-inquiry->operator_error));
		advise(condition, exit_code_of(inquiry->operator_error), "run as root");
		return;
	}
	if (function->driver[0] && !strcmp(function->driver, inquiry->driver_name)) {
		conclude(condition, BROKEN, "bound to %s, which found no TPH in it",
			 function->driver);
		advise(condition, TPHCTL_UNSUPPORTED, "look at dmesg");
		return;
	}
	if (!function->driver[0])
		conclude(condition, BROKEN, "bound to no driver%s", denial(function));
	else
		conclude(condition, BROKEN, "bound to %s, which %s%s", function->driver,
			 function->vfio ? "does not speak TPH" : "is not a VFIO driver",
			 denial(function));
	advise_bind(inquiry, condition, "");
}

/* What the driver alone knows. */
void ask_firmware(const struct inquiry *inquiry, struct condition *condition)
{
	enum verdict said = driver_says(inquiry, "no-firmware");

	switch (said) {
	case HOLDS:
		conclude(condition, HOLDS, "the host bridge has a _DSM for steering tags");
		break;
	case BROKEN:
		conclude(condition, BROKEN, "%s", operator_obstacle("no-firmware"));
		advise(condition, TPHCTL_UNSUPPORTED, "newer firmware, or its setting for TPH");
		break;
	default:
		conclude(condition, UNKNOWN, "known once " DRIVER_NAME " is bound and nothing "
			 "before it is missing");
		advise(condition, TPHCTL_FAILED, "mend what comes first");
	}
}

static uint32_t allowed_modes(const char *policy)
{
	return !strcmp(policy, "ds-st") ? TAGGED :
	       !strcmp(policy, "iv-st") ? 1u << TPH_MODE_INTERRUPT_VECTOR : 0;
}

/*
 * The functions that can write the device's ST table, which is in its MSI-X table and so in its
 * memory, without the IOMMU seeing it. Return: whether there are any.
 */
static bool list_peers(const struct inquiry *inquiry, char *text, size_t size)
{
	struct tph_group_member member;
	size_t own, peer, from = 0, count = 0, used = 0;

	text[0] = '\0';
	if (inquiry->group_error || inquiry->facts.noiommu || inquiry->facts.number < 0 ||
	    tph_group_find(inquiry->group, inquiry->function.address, &own))
		return false;
	for (; !tph_group_peer(inquiry->group, own, from, &peer); from = peer + 1) {
		if (count++ >= PEERS_NAMED || tph_group_member(inquiry->group, peer, &member))
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
					 member.address);
	}
	if (count > PEERS_NAMED)
		snprintf(text + used, size - used, " and %zu more", count - PEERS_NAMED);
	return count;
}

/* Whether the policy does not trust its user with a table that others can write as well. */
static bool table_is_shared(const struct inquiry *inquiry)
{
	char text[PEERS_SIZE];

	return !inquiry->capability_error && inquiry->capability.table == TPH_TABLE_MSIX &&
	       strcmp(inquiry->operator.policy, "ds-st") && list_peers(inquiry, text, sizeof(text));
}

static void advise_alone(const struct inquiry *inquiry, struct condition *condition)
{
	const char *address = inquiry->function.address;
	bool slot = view_in_slot(inquiry->ctl->sysfs, &inquiry->function);

	if (inquiry->operator_error) {
		advise_bind(inquiry, condition, " --policy ds-st");
		return;
	}
	advise(condition, TPHCTL_NOT_PERMITTED, "%stphctl grant %s --policy ds-st, which trusts its "
	       "user with any tag%s", inquiry->held > 0 ? "stop its user, and " : "", address,
	       slot ? "; or another slot, below a port of its own that has ACS" : "");
}

void ask_neighbours(const struct inquiry *inquiry, struct condition *condition)
{
	enum verdict said = driver_says(inquiry, "group-neighbour");
	char peers[PEERS_SIZE];
	bool any = list_peers(inquiry, peers, sizeof(peers));

	if (said == BROKEN) {
		conclude(condition, BROKEN, "%s%s%s", operator_obstacle("group-neighbour"),
			 any ? ": " : "", peers);
	} else if (inquiry->capability_error && said == UNKNOWN) {
		defer(condition, "not known without the capability");
		return;
	} else if (inquiry->capability_error || inquiry->capability.table != TPH_TABLE_MSIX) {
		conclude(condition, HOLDS, "none can write its ST table%s",
			 inquiry->capability_error ? ", says the driver" : ": it is not in its memory");
		return;
	} else if (inquiry->group_error) {
		defer(condition, "its IOMMU group is not known");
		return;
	} else if (!any) {
		conclude(condition, HOLDS, "none can write its ST table, which is in MSI-X");
		return;
	} else if (said == HOLDS || !strcmp(inquiry->operator.policy, "ds-st")) {
		conclude(condition, HOLDS, "%s, of its group, can write its ST table, which is in "
			 "MSI-X; %s", peers, strcmp(inquiry->operator.policy, "ds-st") ?
			 "the driver steers it nevertheless" : "with policy ds-st that is its user's");
		return;
	} else {
		conclude(condition, BROKEN, "%s, of its group, can write its ST table, which is in "
			 "MSI-X, by peer-to-peer and so past the IOMMU: steered with policy ds-st "
			 "alone", peers);
	}
	advise_alone(inquiry, condition);
}

void ask_policy(const struct inquiry *inquiry, struct condition *condition)
{
	const char *policy = inquiry->operator.policy;
	enum verdict said = driver_says(inquiry, "policy");
	uint32_t modes, allowed;

	if (inquiry->operator_error) {
		conclude(condition, UNKNOWN, "there is none before " DRIVER_NAME " is bound");
		advise_bind(inquiry, condition, " --policy iv-st");
		return;
	}
	modes = inquiry->capability_error ? TAGGED : tagged_modes(&inquiry->capability);
	allowed = allowed_modes(policy);
	/* Where a neighbour is why, the policy is so only with it: see ask_neighbours(). */
	if ((said == BROKEN && !table_is_shared(inquiry)) || !(modes & allowed)) {
		conclude(condition, BROKEN, "%s, which allows no mode with tags that the device "
			 "has", policy);
		advise(condition, TPHCTL_NOT_PERMITTED, "%stphctl grant %s --policy %s",
		       inquiry->held > 0 ? "stop its user, and " : "", inquiry->function.address,
		       allowed || !(modes & 1u << TPH_MODE_INTERRUPT_VECTOR) ? "ds-st" : "iv-st");
		return;
	}
	conclude(condition, HOLDS, "%s", policy);
}

/* The operator's list. Return: whether there is one that has CPUs; else @condition is concluded. */
static bool granted_cpus(const struct inquiry *inquiry, struct condition *condition,
			 struct cpu_list *granted)
{
	const char *address = inquiry->function.address;
	char item[64];

	if (inquiry->operator_error) {
		conclude(condition, UNKNOWN, "there is no list before " DRIVER_NAME " is bound");
		advise_bind(inquiry, condition, " --cpus LIST");
		return false;
	}
	if (cpu_list_parse(inquiry->operator.cpus, granted, item, sizeof(item))) {
		conclude(condition, UNKNOWN, "%s makes no sense in the operator's list", item);
		advise(condition, TPHCTL_FAILED, "look at dmesg");
		return false;
	}
	if (cpu_list_empty(granted)) {
		conclude(condition, BROKEN, "%s", operator_obstacle("no-cpus"));
		advise(condition, TPHCTL_NOT_PERMITTED, "tphctl grant %s --cpus LIST", address);
		return false;
	}
	return true;
}

void ask_cpus(const struct inquiry *inquiry, struct condition *condition)
{
	struct cpu_list granted;

	if (granted_cpus(inquiry, condition, &granted))
		conclude(condition, HOLDS, "%.512s are granted", inquiry->operator.cpus);
}

/** caller_cpus() - where the caller may run; of a saved tree, where whoever saved it could. */
int caller_cpus(const struct tphctl *ctl, struct cpu_list *own)
{
	static const char key[] = "Cpus_allowed_list:";
	char path[PATH_MAX], line[CPU_LIST_SIZE], item[64];
	int error = -ENOENT;
	FILE *file;

	if (!ctl->foreign_sysfs)
		return cpu_list_affinity(own);
	if (beside_sysfs(ctl, "proc", "self/status", path))
		return -ENAMETOOLONG;
	file = sysfs_fopen(path);
	while (file && error == -ENOENT && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, key, strlen(key)))
			error = cpu_list_parse(line + strlen(key) + strspn(line + strlen(key),
									   " \t"),
					       own, item, sizeof(item)) ? -EIO : 0;
	}
	if (file)
		fclose(file);
	return error;
}

void ask_caller(const struct inquiry *inquiry, struct condition *condition)
{
	struct cpu_list granted, own;
	char text[CPU_LIST_SIZE];

	if (!granted_cpus(inquiry, condition, &granted)) {
		defer(condition, "nothing is granted to it, as far as is known");
		return;
	}
	if (caller_cpus(inquiry->ctl, &own) || !cpu_list_text(&own, text)) {
		conclude(condition, UNKNOWN, "it is not known where this process may run");
		advise(condition, TPHCTL_FAILED, "see taskset -p $$");
		return;
	}
	cpu_list_intersect(&granted, &own);
	if (cpu_list_empty(&granted)) {
		conclude(condition, BROKEN, "%.512s are granted, but this process may run on "
			 "%.512s alone", inquiry->operator.cpus, text);
		advise(condition, TPHCTL_NOT_PERMITTED, "widen affinity (taskset) or cpuset, or "
		       "tphctl grant %s --cpus LIST", inquiry->function.address);
		return;
	}
	cpu_list_text(&granted, text);
	conclude(condition, HOLDS, "of these this process may steer to %.512s", text);
}

/* The first member of the group with a driver that stays beside a user so, or that may not. */
static bool find_member(const struct inquiry *inquiry, enum tph_known beside,
			struct tph_group_member *member)
{
	for (size_t i = 0; !tph_group_member(inquiry->group, i, member); i++)
		if (member->beside == beside)
			return true;
	return false;
}

static void advise_release(const struct inquiry *inquiry, struct condition *condition,
			   const struct tph_group_member *member)
{
	if (!strcmp(member->driver, "shpchp"))
		advise(condition, TPHCTL_NOT_PERMITTED,
		       "echo %s >/sys/bus/pci/drivers/shpchp/unbind (then nothing is hot-plugged "
		       "behind that bridge)%s", member->address,
		       view_in_slot(inquiry->ctl->sysfs, &inquiry->function) ?
		       ", or another slot" : "");
	else
		advise(condition, TPHCTL_NOT_PERMITTED, "tphctl bind %s, for the same user; or "
		       "leave it without a driver: echo %s >/sys/bus/pci/drivers/%s/unbind",
		       member->address, member->address, member->driver);
}

static void ask_members(const struct inquiry *inquiry, struct condition *condition)
{
	struct tph_group_member member;

	/* Of the device itself its own link tells: @group is as after tphctl bind. */
	if (find_member(inquiry, TPH_NO, &member)) {
		conclude(condition, BROKEN, "%s is in the way: %s (%s would be EPERM)",
			 member.address, member.because, inquiry->call);
		advise_release(inquiry, condition, &member);
	} else if (find_member(inquiry, TPH_UNKNOWN, &member)) {
		conclude(condition, UNKNOWN, "%s may be in the way: %s", member.address,
			 member.because);
		advise_release(inquiry, condition, &member);
	} else {
		conclude(condition, HOLDS, "%zu member%s, none in the way%s%s%s%s",
			 inquiry->facts.members, inquiry->facts.members == 1 ? "" : "s",
			 inquiry->bind.error ? "" : ": ", inquiry->bind.error ? "" : inquiry->call,
			 inquiry->bind.error ? "" : " would succeed", !inquiry->rebound || inquiry->bind.error ? "" :
			 function_denied(&inquiry->function) ? " once it is bound" :
			 " after tphctl bind");
	}
}

void ask_group(const struct inquiry *inquiry, struct condition *condition)
{
	const struct tph_group_answer *bind = &inquiry->bind;
	struct tph_group_member member;

	if (function_is_bridge(&inquiry->function)) {
		defer(condition, "a bridge is given to no user");
	} else if (inquiry->group_error || inquiry->facts.noiommu || inquiry->facts.number < 0) {
		defer(condition, "without an IOMMU there is none");
	} else if (inquiry->held > 0) {
		conclude(condition, HOLDS, "the device is open, so the group is its user's");
	} else if (inquiry->facts.owner_context && bind->fault != TPH_GROUP_NOBODY &&
		   !tph_group_member(inquiry->group, bind->fault, &member)) {
		conclude(condition, UNKNOWN, "%s", bind->because);
		advise(condition, TPHCTL_FAILED, "use it with the iommufd that %s is bound to, or "
		       "stop that one's user", member.address);
	} else if (inquiry->facts.direct_region) {
		conclude(condition, BROKEN, "firmware wants a region of it mapped 1:1 always "
			 "(RMRR), so its DMA cannot be blocked (%s would be EINVAL)",
			 inquiry->call);
		advise(condition, TPHCTL_UNSUPPORTED, "%sturn off what reserves the region in "
		       "firmware's setup", view_in_slot(inquiry->ctl->sysfs, &inquiry->function) ?
		       "another slot, or " : "");
	} else {
		ask_members(inquiry, condition);
	}
}
