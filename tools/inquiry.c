// SPDX-License-Identifier: GPL-2.0-only
/* What tphctl why asks about a device: see inquiry.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inquiry.h"

/** conclude() - whether a condition holds, and what was found. */
void conclude(struct condition *condition, enum verdict verdict, const char *format, ...)
{
	va_list arguments;

	condition->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(condition->text, sizeof(condition->text), format, arguments);
	va_end(arguments);
}

/** advise() - the way out of a condition that does not hold, and the exit status for it. */
void advise(struct condition *condition, int code, const char *format, ...)
{
	va_list arguments;

	condition->code = code;
	va_start(arguments, format);
	vsnprintf(condition->remedy, sizeof(condition->remedy), format, arguments);
	va_end(arguments);
}

/**
 * advise_bind() - that it be given to tph-vfio-pci
 * @options: what is to go with that, or ""
 *
 * Not where the driver would refuse it.
 */
void advise_bind(const struct inquiry *inquiry, struct condition *condition, const char *options)
{
	const struct pci_function *function = &inquiry->function;
	const char *name = inquiry->driver_name;

	if (function_is_bridge(function)) {
		advise(condition, TPHCTL_UNSUPPORTED, "another device: a bridge is not given to "
		       "users");
		return;
	}
	if (function_denied(function) && !(name[0] && denylist_lifted(inquiry->ctl->sysfs, name))) {
		advise(condition, TPHCTL_UNSUPPORTED, "another device; or, if its user is trusted "
		       "not to turn its errata against the system, load " DRIVER_NAME " with "
		       "disable_denylist=1");
		return;
	}
	advise(condition, TPHCTL_FAILED, "%stphctl bind %s%s%s", name[0] ? "" :
	       "modprobe " DRIVER_NAME " && ", function->address,
	       name[0] && strcmp(name, DRIVER_NAME) ? " --driver vfio-pci" : "", options);
}

/** defer() - a condition that can only be known when those before it hold. */
void defer(struct condition *condition, const char *text)
{
	conclude(condition, UNKNOWN, "%s", text);
	advise(condition, TPHCTL_FAILED, "mend what comes first");
}

/**
 * driver_says() - what the driver says of one obstacle
 *
 * Its attribute names the first that it met, and so those before it are out of the way.
 */
enum verdict driver_says(const struct inquiry *inquiry, const char *obstacle)
{
	static const char *const order[] = { "notph", "no-completer", "no-mode", "no-firmware",
					     "policy", "group-neighbour", "no-cpus",
					     "not-attached", "possible" };
	bool passed = false;

	if (inquiry->operator_error)
		return UNKNOWN;
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (!strcmp(order[i], inquiry->operator.steering))
			return !strcmp(order[i], obstacle) ? BROKEN : passed ? HOLDS : UNKNOWN;
		passed = passed || !strcmp(order[i], obstacle);
	}
	return UNKNOWN;
}

/**
 * beside_sysfs() - where a file of /proc or /boot is
 * @folder: "proc" or "boot"
 *
 * A saved tree has them in folders of these names.
 *
 * Return: 0 or -ENAMETOOLONG.
 */
int beside_sysfs(const struct tphctl *ctl, const char *folder, const char *file,
		 char path[PATH_MAX])
{
	const char *own = strcmp(folder, "proc") ? ctl->boot : ctl->proc;
	int length = ctl->foreign_sysfs ?
		     snprintf(path, PATH_MAX, "%s/%s/%s", ctl->sysfs, folder, file) :
		     snprintf(path, PATH_MAX, "%s/%s", own, file);

	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/**
 * tagged_modes() - those modes of a function in which requests have tags
 *
 * An interrupt vector's tag is in the ST table: without one, the mode is none.
 */
uint32_t tagged_modes(const struct tph_capability *capability)
{
	uint32_t modes = capability->modes & TAGGED;

	return capability->table == TPH_TABLE_NONE ? modes & ~(1u << TPH_MODE_INTERRUPT_VECTOR) :
						     modes;
}

/** find_driver() - under which of its names tph-vfio-pci is there; empty if under neither. */
void find_driver(const struct tphctl *ctl, char name[SYSFS_NAME_SIZE])
{
	static const char *const names[] = { DRIVER_NAME, DRIVER_NAME_STOCK };

	name[0] = '\0';
	for (size_t i = 0; i < 2 && !name[0]; i++)
		if (driver_steers(ctl->sysfs, names[i]))
			snprintf(name, SYSFS_NAME_SIZE, "%s", names[i]);
}

/** taking_call() - the call by which a user takes the group of a device. */
const char *taking_call(const struct tph_group *group)
{
	struct tph_group_facts facts;

	tph_group_describe(group, &facts);
	return facts.by_iommufd == TPH_NO ? "SET_CONTAINER" : "BIND_IOMMUFD";
}

/** foresee_taking() - what the kernel would answer to that. Return: 0 or a negative errno. */
int foresee_taking(struct tph_group *group, const char *address, struct tph_group_answer *answer)
{
	struct tph_group_step step = { .kind = TPH_STEP_BIND, .context = 1 };
	struct tph_group_facts facts;
	int error = tph_group_find(group, address, &step.member);

	if (error)
		return error;
	tph_group_describe(group, &facts);
	if (facts.by_iommufd != TPH_NO || facts.by_container == TPH_NO)
		return tph_group_predict(group, &step, answer);
	step.kind = TPH_STEP_GROUP_OPEN;
	error = tph_group_step(group, &step, answer);
	step.kind = TPH_STEP_SET_CONTAINER;
	return error || answer->error ? error : tph_group_predict(group, &step, answer);
}

/**
 * foresee_bind() - what the kernel would answer to a user who takes the group
 * @group: is then as it would be before that
 * @rebound: receives whether the device has no VFIO driver, and so is thought to be given to
 *	tph-vfio-pci before
 *
 * Return: 0 or a negative errno.
 */
int foresee_bind(struct tph_group *group, const char *address, bool *rebound,
		 struct tph_group_answer *answer)
{
	struct tph_group_step step = { .kind = TPH_STEP_DRIVER_UNBIND };
	struct tph_group_member member;
	int error;

	error = tph_group_find(group, address, &step.member);
	error = error ? error : tph_group_member(group, step.member, &member);
	if (error)
		return error;
	*rebound = member.kind != TPH_DRIVER_VFIO;
	if (*rebound && member.driver[0])
		error = tph_group_step(group, &step, answer);
	step.kind = TPH_STEP_DRIVER_BIND;
	step.driver = DRIVER_NAME;
	if (*rebound && !error)
		error = tph_group_step(group, &step, answer);
	return error ? error : foresee_taking(group, address, answer);
}

/* Whether sysfs lets the device look open. */
static bool seems_open(const struct inquiry *inquiry)
{
	struct tph_group_member member;
	size_t index;

	return !tph_group_find(inquiry->group, inquiry->function.address, &index) &&
	       !tph_group_member(inquiry->group, index, &member) && member.open;
}

/** inquire() - find out all about @inquiry->function. */
void inquire(struct inquiry *inquiry)
{
	const struct tphctl *ctl = inquiry->ctl;
	const char *address = inquiry->function.address;

	inquiry->capability_error = function_capability(&inquiry->function,
							&inquiry->capability);
	inquiry->operator_error = operator_read(ctl->sysfs, address, &inquiry->operator);
	find_driver(ctl, inquiry->driver_name);
	inquiry->held = ctl->foreign_sysfs ? -ENOENT :
			descriptor_holder(ctl, &inquiry->function, &inquiry->holder);
	inquiry->group_error = tph_group_read(ctl->sysfs, address, &inquiry->group);
	if (inquiry->group_error)
		return;
	tph_group_describe(inquiry->group, &inquiry->facts);
	if (inquiry->held == -ENOENT)
		inquiry->held = seems_open(inquiry);
	inquiry->call = taking_call(inquiry->group);
	inquiry->group_error = foresee_bind(inquiry->group, address, &inquiry->rebound,
					    &inquiry->bind);
}
