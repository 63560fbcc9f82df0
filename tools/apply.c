// SPDX-License-Identifier: GPL-2.0-only
/* tphctl apply: bind devices as it was saved. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "module.h"
#include "profile.h"
#include "tphctl.h"

/**
 * struct tally - how it went with each device
 * @devices: the answer
 * @several: there may be more than one
 * @count: how many there were
 * @failed: how many of them failed
 * @code: exit status, that of the first that failed
 * @last: how the last one failed
 */
struct tally {
	struct json_object *devices;
	bool several;
	unsigned int count, failed;
	int code;
	struct failure last;
};

/* What holds already is not written: a device that is open refuses even the policy that it has. */
static void leave_out(const struct tphctl *ctl, const char *address, struct terms *terms)
{
	struct operator_view view;

	if (operator_read(ctl->sysfs, address, &view) && !*view.publish)
		return;
	if (terms->policy && !strcmp(terms->policy, view.policy))
		terms->policy = NULL;
	if (terms->has_cpus && *view.policy && !strcmp(terms->cpus, view.cpus))
		terms->has_cpus = false;
	if (terms->publish && !strcmp(terms->publish, view.publish))
		terms->publish = NULL;
}

/* Count it, and tell what went wrong unless it is the only one: then that is the command's failure. */
static void tally_add(struct tphctl *ctl, struct tally *tally, struct json_object *object, int code)
{
	if (code) {
		json_object_object_add(object, "result", json_object_new_string("failed"));
		json_object_object_add(object, "error", failure_json(&ctl->failure));
		tally->failed++;
		if (!tally->code)
			tally->code = code;
		tally->last = ctl->failure;
		if (tally->several && !ctl->json)
			failure_print(&ctl->failure);
	}
	json_object_array_add(tally->devices, object);
	tally->count++;
}

static void describe(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_text(text));
}

/* Return: exit status; @object tells of it. */
static int apply_profile(struct tphctl *ctl, const struct pci_function *function,
			 struct profile *profile, struct json_object *object)
{
	const char *driver = *profile->driver ? profile->driver : NULL;
	struct terms terms = profile->terms;
	struct binding binding;
	int code;

	describe(object, "file", profile->path);
	if (driver && !strcmp(driver, PROFILE_NO_DRIVER)) {
		describe(object, "result", "left alone");
		if (!ctl->json)
			say("%s: left alone, by %s\n", function->address, profile->path);
		return TPHCTL_OK;
	}
	if (!ctl->foreign_sysfs && !driver_loaded(ctl, driver ? driver : driver_default(ctl)))
		module_load(driver ? driver : "tph-vfio-pci");
	if (!strcmp(function->driver, driver ? driver : driver_default(ctl)))
		leave_out(ctl, function->address, &terms);
	code = binding_make(ctl, function->address, driver, &terms, &binding);
	if (code)
		return code;
	describe(object, "result", strcmp(function->driver, binding.driver) || terms_given(&terms) ?
		 "changed" : "as it was");
	describe(object, "driver", binding.driver);
	describe(object, "driver_before", *function->driver ? function->driver : NULL);
	if (terms_given(&terms))
		json_object_object_add(object, "operator", operator_json(&binding.view));
	if (!ctl->json) {
		binding_tell(&binding, &terms);
		putchar('\n');
	}
	return TPHCTL_OK;
}

/* @name: an address; @must: somebody asked for this one. */
static void apply_device(struct tphctl *ctl, const char *name, bool must, struct tally *tally)
{
	struct json_object *object = json_object_new_object();
	struct pci_function function;
	struct profile profile;
	char remedy[64];
	int code;

	describe(object, "device", name);
	code = function_read(ctl->sysfs, name, &function);
	if (code && !must && (code == -ENODEV || code == -ENOENT)) {
		/* it may come later: then the udev rule has it applied */
		describe(object, "result", "absent");
		if (!ctl->json)
			say("%s: not there\n", name);
		code = TPHCTL_OK;
	} else if (code) {
		code = function_failure(ctl, name, code);
	} else {
		code = profile_find(ctl, &function, &profile);
		if (code == -ENOENT) {
			snprintf(remedy, sizeof(remedy), "tphctl bind %s --save", name);
			code = fail(ctl, TPHCTL_FAILED, "device", name, remedy,
				    "nothing is saved for it in %s", ctl->config);
		} else if (!code) {
			code = apply_profile(ctl, &function, &profile, object);
		}
	}
	tally_add(ctl, tally, object, code);
}

static bool has_device(char *const *names, size_t count, const char *address)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], address))
			return true;
	return false;
}

/* Those that a file of ids is for, less those that have a file of their own. */
static int apply_ids(struct tphctl *ctl, char *const *names, size_t count, const char *ids,
		     struct tally *tally)
{
	char (*addresses)[TPH_ADDRESS_SIZE], own[TPH_ADDRESS_SIZE];
	struct pci_function function;
	size_t functions;
	int error;

	error = function_list(ctl->sysfs, &addresses, &functions);
	if (error)
		return sysfs_failure(ctl, "its PCI devices cannot be listed", error);
	for (size_t i = 0; i < functions && !ctl->interrupted; i++) {
		if (function_read(ctl->sysfs, addresses[i], &function) ||
		    has_device(names, count, addresses[i]))
			continue;
		snprintf(own, sizeof(own), "%04x:%04x", function.vendor, function.device);
		if (!strcmp(own, ids))
			apply_device(ctl, addresses[i], true, tally);
	}
	free(addresses);
	return TPHCTL_OK;
}

static void apply_misnamed(struct tphctl *ctl, const char *name, const char *canonical, bool address,
			   struct tally *tally)
{
	struct json_object *object = json_object_new_object();
	char remedy[96];

	snprintf(remedy, sizeof(remedy), address ? "call it %s" : "name it as 0000:03:00.0, or as "
		 "8086:1572, in small letters", canonical);
	describe(object, "name", name);
	tally_add(ctl, tally, object,
		  fail(ctl, TPHCTL_FAILED, "file", name, remedy,
		       "in %s, this is not the name of a device", ctl->config));
}

static int apply_all(struct tphctl *ctl, struct tally *tally)
{
	char canonical[TPH_ADDRESS_SIZE];
	bool address;
	char **names;
	size_t count;
	int code;

	code = profile_list(ctl, &names, &count);
	for (size_t i = 0; !code && i < count && !ctl->interrupted; i++) {
		if (!profile_name_check(names[i], canonical, &address))
			apply_misnamed(ctl, names[i], canonical, address, tally);
		else if (address)
			apply_device(ctl, names[i], false, tally);
		else
			code = apply_ids(ctl, names, count, names[i], tally);
	}
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return code;
}

int apply_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct tally tally = { .several = invocation->operands != 1 };
	char name[32];
	int code, fd;

	code = profile_folder(ctl, invocation);
	for (unsigned int i = 0; !code && i < invocation->operands; i++)
		if (!device_name_parse(invocation->operand[i], name, sizeof(name), &fd) || fd >= 0)
			code = fail(ctl, TPHCTL_USAGE, "device", invocation->operand[i],
				    "give it as 0000:01:00.0", "this is not a PCI address");
	if (code)
		return code;
	tally.devices = json_object_new_array();
	answer_add(ctl, "devices", tally.devices);
	for (unsigned int i = 0; i < invocation->operands && !ctl->interrupted; i++) {
		device_name_parse(invocation->operand[i], name, sizeof(name), &fd);
		apply_device(ctl, name, true, &tally);
	}
	if (!invocation->operands)
		code = apply_all(ctl, &tally);
	if (code)
		return code;
	if (!tally.count && !ctl->json)
		say("nothing is saved in %s\n", ctl->config);
	if (!tally.failed)
		return TPHCTL_OK;
	if (!tally.several) {
		ctl->failure = tally.last;
		return tally.code;
	}
	snprintf(name, sizeof(name), "%u of %u", tally.failed, tally.count);
	return fail(ctl, tally.code, "devices", name, "see above", "they are not as it was saved");
}
