// SPDX-License-Identifier: GPL-2.0-only
/* tphctl why: what the operator decides, and what the driver then finds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inquiry.h"

void ask_module(const struct inquiry *inquiry, struct condition *condition)
{
	if (inquiry->driver_name[0]) {
		conclude(condition, HOLDS, DRIVER_NAME " is loaded%s%s",
			 strcmp(inquiry->driver_name, DRIVER_NAME) ? ", under the name " : "",
			 strcmp(inquiry->driver_name, DRIVER_NAME) ? inquiry->driver_name : "");
		return;
	}
	conclude(condition, BROKEN, DRIVER_NAME " is not loaded");
	advise(condition, TPHCTL_FAILED, "modprobe " DRIVER_NAME " && tphctl bind %s",
	       inquiry->function.address);
}

/* The command that gives it to tph-vfio-pci. */
static const char *bind_option(const struct inquiry *inquiry)
{
	return !inquiry->driver_name[0] || !strcmp(inquiry->driver_name, DRIVER_NAME) ? "" :
	       " --driver vfio-pci";
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
		conclude(condition, BROKEN, "bound to no driver");
	else
		conclude(condition, BROKEN, "bound to %s, which %s", function->driver,
			 function->vfio ? "does not speak TPH" : "is not a VFIO driver");
	advise(condition, TPHCTL_FAILED, "tphctl bind %s%s", function->address,
	       bind_option(inquiry));
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

void ask_policy(const struct inquiry *inquiry, struct condition *condition)
{
	const char *policy = inquiry->operator.policy;
	enum verdict said = driver_says(inquiry, "policy");
	uint32_t modes, allowed;

	if (inquiry->operator_error) {
		conclude(condition, UNKNOWN, "there is none before " DRIVER_NAME " is bound");
		advise(condition, TPHCTL_FAILED, "tphctl bind %s --policy iv-st",
		       inquiry->function.address);
		return;
	}
	modes = inquiry->capability_error ? TAGGED : tagged_modes(&inquiry->capability);
	allowed = !strcmp(policy, "ds-st") ? TAGGED :
		  !strcmp(policy, "iv-st") ? 1u << TPH_MODE_INTERRUPT_VECTOR : 0;
	if (said == BROKEN || !(modes & allowed)) {
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
		advise(condition, TPHCTL_FAILED, "tphctl bind %s --cpus LIST", address);
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
	file = fopen(path, "re");
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

static void advise_release(struct condition *condition, const struct tph_group_member *member)
{
	if (!strcmp(member->driver, "shpchp"))
		advise(condition, TPHCTL_NOT_PERMITTED,
		       "echo %s >/sys/bus/pci/drivers/shpchp/unbind (then nothing is hot-plugged "
		       "behind that bridge), or another slot", member->address);
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
		conclude(condition, BROKEN, "%s is in the way: %s (BIND_IOMMUFD would be EPERM)",
			 member.address, member.because);
		advise_release(condition, &member);
	} else if (find_member(inquiry, TPH_UNKNOWN, &member)) {
		conclude(condition, UNKNOWN, "%s may be in the way: %s", member.address,
			 member.because);
		advise_release(condition, &member);
	} else {
		conclude(condition, HOLDS, "%zu member%s, none in the way%s%s",
			 inquiry->facts.members, inquiry->facts.members == 1 ? "" : "s",
			 inquiry->bind.error ? "" : ": BIND_IOMMUFD would succeed",
			 inquiry->rebound && !inquiry->bind.error ? " after tphctl bind" : "");
	}
}

void ask_group(const struct inquiry *inquiry, struct condition *condition)
{
	const struct tph_group_answer *bind = &inquiry->bind;
	struct tph_group_member member;

	if (inquiry->group_error || inquiry->facts.noiommu || inquiry->facts.number < 0) {
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
			 "(RMRR), so its DMA cannot be blocked (BIND_IOMMUFD would be EINVAL)");
		advise(condition, TPHCTL_UNSUPPORTED, "another slot, or turn off what reserves the "
		       "region in firmware's setup");
	} else {
		ask_members(inquiry, condition);
	}
}
