// SPDX-License-Identifier: GPL-2.0-only
/* tphctl why: what a device's user does. */
#include <stdio.h>
#include <string.h>

#include "inquiry.h"
#include "view.h"

void ask_user(const struct inquiry *inquiry, struct condition *condition)
{
	const struct holder *holder = &inquiry->holder;

	if (inquiry->held > 0 && inquiry->ctl->foreign_sysfs) {
		conclude(condition, HOLDS, "open, it seems; --sysfs does not tell by whom");
	} else if (inquiry->held > 0 && !holder->pid) {
		conclude(condition, HOLDS, "open, it seems");
	} else if (inquiry->held > 0) {
		conclude(condition, HOLDS, "%s %s (pid %d), which steers it",
			 holder->group ? "its group is open by" : "open by", holder->name,
			 holder->pid);
	} else if (!inquiry->held) {
		conclude(condition, HOLDS, "free: nobody has it open%s%s%s",
			 inquiry->ctl->foreign_sysfs ? ", it seems" : "",
			 inquiry->function.physical_vfio ? "; who opens it needs the VF token of " :
			 "", inquiry->function.physical_vfio ? inquiry->function.physical : "");
	} else if (inquiry->ctl->foreign_sysfs) {
		conclude(condition, UNKNOWN, "--sysfs does not tell who has it open");
		advise(condition, TPHCTL_FAILED, "look on the machine itself");
	} else {
		conclude(condition, UNKNOWN, "not every process may be looked into");
		advise(condition, TPHCTL_NOT_PERMITTED, "run as root");
	}
}

void ask_attached(const struct inquiry *inquiry, struct condition *condition)
{
	enum verdict said = driver_says(inquiry, "not-attached");

	if (said == BROKEN) {
		conclude(condition, BROKEN, "%s", operator_obstacle("not-attached"));
		advise(condition, TPHCTL_FAILED, "its user attaches it to an IOAS, or its group to "
		       "a container");
	} else if (!inquiry->held) {
		conclude(condition, HOLDS, "none yet: a user brings it");
	} else if (said == HOLDS) {
		conclude(condition, HOLDS, "%s", inquiry->held > 0 ? "attached" :
			 "attached, if it is open");
	} else {
		defer(condition, "the driver does not get that far");
	}
}

/* Whether a user has it, by whichever way that shows. */
static bool in_use(const struct inquiry *inquiry)
{
	return inquiry->held > 0 || driver_says(inquiry, "not-attached") == BROKEN;
}

void ask_table(const struct inquiry *inquiry, struct condition *condition)
{
	const struct operator_view *view = &inquiry->operator;

	if (inquiry->operator_error) {
		conclude(condition, UNKNOWN, "its driver does not tell");
		advise_bind(inquiry, condition, "");
	} else if (view->hidden) {
		conclude(condition, UNKNOWN, "only root may see which CPUs its entries steer to");
		advise(condition, TPHCTL_NOT_PERMITTED, "run as root");
	} else if (*view->targets) {
		conclude(condition, HOLDS, "entries steer to CPUs %.512s", view->targets);
	} else if (!strncmp(view->requester, "ds", 2) ||
		   (!inquiry->capability_error && inquiry->capability.table == TPH_TABLE_NONE)) {
		conclude(condition, HOLDS, "%s: tags are in registers of its own",
			 strncmp(view->requester, "ds", 2) ? "it has none" :
			 "Device Specific mode");
	} else if (in_use(inquiry)) {
		conclude(condition, BROKEN, "no entry steers to a CPU");
		advise(condition, TPHCTL_FAILED, "its user calls tph_set_entry(), or has tphctl "
		       "set fd:N do it");
	} else {
		conclude(condition, HOLDS, "clear, until a user sets entries");
	}
}

void ask_requester(const struct inquiry *inquiry, struct condition *condition)
{
	const struct operator_view *view = &inquiry->operator;
	const char *found_on = inquiry->capability_error ? NULL :
			       view_found_on(&inquiry->function, &inquiry->capability);
	uint32_t control = inquiry->capability_error ? 0 : inquiry->capability.control;

	if (inquiry->operator_error && found_on) {
		conclude(condition, UNKNOWN, "enabled (control 0x%08x) by %s; its driver does not "
			 "tell more", control, found_on);
		advise_bind(inquiry, condition, "");
	} else if (inquiry->operator_error) {
		conclude(condition, UNKNOWN, "its driver does not tell");
		advise_bind(inquiry, condition, "");
	} else if (view->hidden) {
		conclude(condition, UNKNOWN, "only root may see what is in force");
		advise(condition, TPHCTL_NOT_PERMITTED, "run as root");
	} else if (!strncmp(view->requester, "no-st", 5)) {
		conclude(condition, BROKEN, "%s: hints without tags", view->requester);
		advise(condition, TPHCTL_FAILED, "its user calls tph_enable() with a mode that has "
		       "tags");
	} else if (strcmp(view->requester, "off")) {
		conclude(condition, HOLDS, "%s; CPUs targeted: %.512s", view->requester,
			 operator_cpus(view->targets));
	} else if (in_use(inquiry)) {
		conclude(condition, BROKEN, "off: its user has not enabled it");
		advise(condition, TPHCTL_FAILED, "its user calls tph_enable(), or writes the TPH "
		       "Control register");
	} else if (found_on) {
		conclude(condition, HOLDS, "off, says the driver, until a user enables it; the device "
			 "itself was enabled (control 0x%08x) by %s", control, found_on);
	} else {
		conclude(condition, HOLDS, "off, until a user enables it");
	}
}
