// SPDX-License-Identifier: GPL-2.0-only
/* tphctl watch: what a device steers to, each time that it changes. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attribute.h"
#include "operand.h"
#include "operator.h"
#include "tphctl.h"

#define WATCHED	3

static const char *const watched[WATCHED] = { "targets", "requester", "revocations" };

/* struct watch - a device that is watched, and what was printed of it last */
struct watch {
	struct tphctl *ctl;
	const struct invocation *invocation;
	char name[TPH_ADDRESS_SIZE];
	int fds[WATCHED];
	int uevents;
	char text[WATCHED][CPU_LIST_SIZE];
};

static int open_failure_of(const struct watch *watch, int error)
{
	return operator_failure(watch->ctl, watch->name, error == -ENODEV ? -ENOENT : error);
}

static int watch_open(struct watch *watch)
{
	char path[PATH_MAX];

	/* Before the attributes: an unbind in between is not to be missed. */
	watch->uevents = uevent_open();
	if (watch->uevents < 0)
		return fail(watch->ctl, exit_code_of(watch->uevents), "device", watch->name,
			    "the kernel needs CONFIG_NET", "the kernel's events (netlink) cannot "
			    "be had: %s", strerror(-watch->uevents));
	for (int i = 0; i < WATCHED; i++) {
		int error = operator_path(watch->ctl->sysfs, watch->name, watched[i], path,
					  sizeof(path));

		watch->fds[i] = error ? error : attribute_open(path);
		if (watch->fds[i] < 0)
			return open_failure_of(watch, watch->fds[i]);
	}
	return TPHCTL_OK;
}

static void watch_close(struct watch *watch)
{
	for (int i = 0; i < WATCHED; i++)
		if (watch->fds[i] >= 0)
			close(watch->fds[i]);
	if (watch->uevents >= 0)
		close(watch->uevents);
}

static struct json_object *value_json(int which, const char *text)
{
	return strcmp(watched[which], "revocations") ? json_object_new_string(text) :
	       json_object_new_int64(strtoll(text, NULL, 10));
}

/* @changed: bit 1 << index each; all: the present state. */
static void print_json(const struct watch *watch, const char *stamp,
		       char now[WATCHED][CPU_LIST_SIZE], unsigned int changed)
{
	struct json_object *names = json_object_new_array();
	struct tphctl *ctl = watch->ctl;

	answer_renew(ctl, watch->invocation, watch->name, stamp);
	for (int i = 0; i < WATCHED; i++) {
		answer_add(ctl, watched[i], value_json(i, now[i]));
		if (changed & 1u << i)
			json_object_array_add(names, json_object_new_string(watched[i]));
	}
	answer_add(ctl, "changed", names);
	answer_print(ctl);
}

static void print_text(const struct watch *watch, const char *stamp,
		       char now[WATCHED][CPU_LIST_SIZE], unsigned int changed, bool first)
{
	const char *separator = "";

	say("%s ", stamp);
	for (int i = 0; i < WATCHED; i++) {
		if (!first && !(changed & 1u << i))
			continue;
		say("%s %s %s", separator, watched[i], operator_cpus(now[i]));
		if (!first)
			say(" (was %s)", operator_cpus(watch->text[i]));
		separator = ",";
	}
	putchar('\n');
}

/* Read all, and print it if it is news. Return: 1 printed, 0 nothing new, or -errno. */
static int look(struct watch *watch, bool first)
{
	char now[WATCHED][CPU_LIST_SIZE], stamp[64];
	unsigned int changed = 0;
	int error;

	for (int i = 0; i < WATCHED; i++) {
		error = attribute_read(watch->fds[i], now[i], sizeof(now[i]));
		if (error)
			return error;
		if (!first && strcmp(now[i], watch->text[i]))
			changed |= 1u << i;
	}
	if (!first && !changed)
		return 0;
	time_stamp(stamp, sizeof(stamp));
	if (watch->ctl->json)
		print_json(watch, stamp, now, changed);
	else
		print_text(watch, stamp, now, changed, first);
	memcpy(watch->text, now, sizeof(now));
	/* Nobody to tell it to is a reason to stop, which the end of the run then tells. */
	return fflush(stdout) ? -EPIPE : 1;
}

static int watch_failure(const struct watch *watch, int error)
{
	char remedy[64];

	answer_renew(watch->ctl, watch->invocation, watch->name, NULL);
	snprintf(remedy, sizeof(remedy), "tphctl bind %s", watch->name);
	if (error == -ENODEV)
		return fail(watch->ctl, TPHCTL_FAILED, "device", watch->name, remedy,
			    "it was unbound from its driver, or removed");
	if (error == -EPIPE)
		return fail(watch->ctl, TPHCTL_FAILED, "file", "standard output",
			    "let it go where it can be written", "it cannot be written");
	return fail(watch->ctl, TPHCTL_FAILED, "device", watch->name, "look at dmesg",
		    "it cannot be watched: %s", strerror(-error));
}

static int watch_loop(struct watch *watch, uint32_t count)
{
	uint32_t changes = 0;
	int result;

	result = look(watch, true);
	while (result >= 0 && (!count || changes < count)) {
		result = attribute_wait(watch->fds, WATCHED, watch->uevents);
		if (!result)
			result = look(watch, false);
		if (result > 0)
			changes++;
	}
	return result < 0 ? watch_failure(watch, result) : TPHCTL_OK;
}

int watch_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct watch watch = {
		.ctl = ctl,
		.invocation = invocation,
		.fds = { -1, -1, -1 },
		.uevents = -1,
	};
	const char *changes = invocation->value[OPTION_CHANGES];
	char name[DEVICE_NAME_SIZE];
	uint32_t count = 0;
	int code, fd;

	if (!device_name_parse(invocation->operand[0], name, sizeof(name), &fd) ||
	    (fd >= 0 && fd != DEVICE_BORROWED))
		return fail(ctl, TPHCTL_USAGE, "device", invocation->operand[0],
			    "give it as 0000:01:00.0", "this is not a PCI address");
	handle_address(ctl, name, watch.name);
	answer_add(ctl, "device", json_object_new_string(watch.name));
	if (changes && (!number_parse(changes, UINT32_MAX, &count) || !count))
		return fail(ctl, TPHCTL_USAGE, "count", changes,
			    "say how many changes to wait for",
			    "it is not a number from 1 to 4294967295");
	if (ctl->foreign_sysfs)
		return fail(ctl, TPHCTL_USAGE, "option", "--sysfs", "leave it out",
			    "only the kernel's sysfs says when it changes");
	code = watch_open(&watch);
	if (!code)
		code = watch_loop(&watch, count);
	watch_close(&watch);
	return code;
}
