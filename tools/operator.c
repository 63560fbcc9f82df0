// SPDX-License-Identifier: GPL-2.0-only
/* What the operator decides about a device, and sees of it: see operator.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribute.h"
#include "operator.h"
#include "sysfs.h"

static const char *const policies[] = { "no-st", "iv-st", "ds-st" };

static const struct {
	const char *word, *text;
} obstacles[] = {
	{ "possible", "possible" },
	{ "notph", "the kernel was started with pci=notph" },
	{ "no-completer", "the root port completes no TPH" },
	{ "no-mode", "the function has no mode with tags" },
	{ "no-firmware", "the host bridge has no _DSM for steering tags" },
	{ "policy", "forbidden by the operator's policy" },
	{ "group-neighbour", "another function of its IOMMU group can write its ST table, past the "
	  "IOMMU" },
	{ "no-cpus", "the operator's list of CPUs is empty" },
	{ "not-attached", "the device is open, but not attached to an I/O address space" },
};

/** operator_path() - where an attribute is. Return: 0 or -ENAMETOOLONG. */
int operator_path(const char *sysfs, const char *address, const char *attribute, char *path,
		  size_t size)
{
	return snprintf(path, size, "%s/bus/pci/devices/%s/tph/%s", sysfs, address, attribute) <
	       (int)size ? 0 : -ENAMETOOLONG;
}

/* An attribute that root alone may read: left out for others. */
static int read_private(const char *sysfs, const char *address, const char *attribute, char *text,
			size_t size, bool *hidden)
{
	char path[PATH_MAX];
	int error = operator_path(sysfs, address, attribute, path, sizeof(path));

	error = error ? error : sysfs_read_text(path, text, size);
	if (error != -EACCES && error != -EPERM)
		return error;
	text[0] = '\0';
	*hidden = true;
	return 0;
}

static int read_attribute(const char *sysfs, const char *address, const char *attribute,
			  char *text, size_t size)
{
	char path[PATH_MAX];
	int error = operator_path(sysfs, address, attribute, path, sizeof(path));

	return error ? error : sysfs_read_text(path, text, size);
}

/**
 * operator_read() - read the attributes of a device
 *
 * Return: 0; -ENOENT: it is not bound to tph-vfio-pci, or has no TPH Requester capability, but
 * @view->publish may be there; or another negative errno.
 */
int operator_read(const char *sysfs, const char *address, struct operator_view *view)
{
	const struct {
		const char *name;
		char *text;
		size_t size;
		bool private;
	} attributes[] = {
		{ "policy", view->policy, sizeof(view->policy), false },
		{ "cpus", view->cpus, sizeof(view->cpus), false },
		{ "targets", view->targets, sizeof(view->targets), true },
		{ "requester", view->requester, sizeof(view->requester), true },
		{ "steering", view->steering, sizeof(view->steering), false },
	};
	char number[OPERATOR_WORD_SIZE], *end;
	int error;

	memset(view, 0, sizeof(*view));
	error = read_attribute(sysfs, address, "publish", view->publish, sizeof(view->publish));
	if (error && error != -ENOENT && error != -ENODEV)
		return error;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
		if (attributes[i].private)
			error = read_private(sysfs, address, attributes[i].name,
					     attributes[i].text, attributes[i].size, &view->hidden);
		else
			error = read_attribute(sysfs, address, attributes[i].name,
					       attributes[i].text, attributes[i].size);
		/* Unbound between two reads: it is not there. */
		if (error)
			return error == -ENODEV ? -ENOENT : error;
	}
	error = read_private(sysfs, address, "revocations", number, sizeof(number), &view->hidden);
	if (error || !*number)
		return error == -ENODEV ? -ENOENT : error ? error : view->hidden ? 0 : -EIO;
	errno = 0;
	view->revocations = strtoull(number, &end, 10);
	return errno || *end ? -EIO : 0;
}

/** operator_cpus() - a CPU list in words for people. */
const char *operator_cpus(const char *cpus)
{
	return *cpus ? cpus : "none";
}

/** operator_obstacle() - what the attribute "steering" says, as a sentence. */
const char *operator_obstacle(const char *steering)
{
	for (size_t i = 0; i < sizeof(obstacles) / sizeof(*obstacles); i++)
		if (!strcmp(steering, obstacles[i].word))
			return obstacles[i].text;
	return steering;
}

/** operator_publishing() - what the attribute "publish" says, in a word. */
const char *operator_publishing(const char *publish)
{
	return strcmp(publish, "0") ? "allowed" : "forbidden";
}

/** operator_print() - the attributes, as a part of tphctl show. */
void operator_print(const struct operator_view *view)
{
	say("  operator\n"
	       "    %-14s %s\n    %-14s %s\n", "policy", view->policy, "CPUs allowed",
	       operator_cpus(view->cpus));
	if (view->hidden)
		say("    %-14s hidden: run as root\n", "CPUs targeted");
	else
		say("    %-14s %s\n    %-14s %s\n    %-14s %llu entries\n", "CPUs targeted",
		       operator_cpus(view->targets), "requester", view->requester, "taken back",
		       view->revocations);
	say("    %-14s %s\n", "steering", operator_obstacle(view->steering));
	if (*view->publish)
		say("    %-14s %s\n", "publishing", operator_publishing(view->publish));
}

static struct json_object *json_word(const char *word)
{
	return json_text(*word ? word : NULL);
}

/** operator_json() - the same, by the names of the attributes; null for one that is not there. */
struct json_object *operator_json(const struct operator_view *view)
{
	struct json_object *object = json_object_new_object();
	bool requester = *view->policy, seen = requester && !view->hidden;

	json_object_object_add(object, "policy", json_word(view->policy));
	json_object_object_add(object, "cpus", json_text(requester ? view->cpus : NULL));
	json_object_object_add(object, "targets", json_text(seen ? view->targets : NULL));
	json_object_object_add(object, "requester", json_word(view->requester));
	json_object_object_add(object, "revocations", !seen ? NULL :
			       json_object_new_int64((int64_t)view->revocations));
	json_object_object_add(object, "steering", json_word(view->steering));
	json_object_object_add(object, "publish", !*view->publish ? NULL :
			       json_object_new_boolean(strcmp(view->publish, "0")));
	return object;
}

/** operator_failure() - say why there are no attributes to read. Return: exit status. */
int operator_failure(struct tphctl *ctl, const char *address, int error)
{
	struct pci_function function;
	char remedy[64];

	if (error != -ENOENT)
		return fail(ctl, exit_code_of(error), "device", address, "run as root",
			    "its attributes under tph/ cannot be read: %s", strerror(-error));
	error = function_read(ctl->sysfs, address, &function);
	if (error == -ENODEV || error == -ENOENT)
		return function_failure(ctl, address, error);
	snprintf(remedy, sizeof(remedy), "see tphctl why %s", address);
	return fail(ctl, TPHCTL_UNSUPPORTED, "device", address, remedy,
		    "it has no attributes for steering under tph/: its driver does not speak TPH, "
		    "or it has no TPH Requester capability");
}

/** publish_failure() - say why a device has no attribute "publish". Return: exit status. */
int publish_failure(struct tphctl *ctl, const char *address)
{
	struct pci_function function;
	char remedy[64];
	struct tph_port port;
	int error;

	error = function_read(ctl->sysfs, address, &function);
	if (error)
		return function_failure(ctl, address, error);
	error = function_port(&function, &port);
	if (error == -EIO)
		return fail(ctl, TPHCTL_FAILED, "device", address, "look at lspci -vvv",
			    "its list of capabilities is malformed");
	if (error == -ENXIO)
		return fail(ctl, TPHCTL_FAILED, "device", address, "switch it on", SILENT_TEXT);
	if (error == -EOPNOTSUPP || (!error && port.completer == TPH_WIDTH_OFF))
		return fail(ctl, TPHCTL_UNSUPPORTED, "device", address, "take another device",
			    "it is no TPH Completer (Device Capabilities 2, bits 13:12): it takes "
			    "no steering tags from others");
	if (!driver_steers(ctl->sysfs, function.driver)) {
		snprintf(remedy, sizeof(remedy), "tphctl bind %s", address);
		return fail(ctl, TPHCTL_UNSUPPORTED, "device", address, remedy,
			    "it is bound to %s, not to tph-vfio-pci",
			    function.driver[0] ? function.driver : "no driver");
	}
	if (error)	/* the driver has seen what this user may not */
		return fail(ctl, TPHCTL_UNSUPPORTED, "device", address, "run as root to know more",
			    "it is no TPH Completer, or the kernel has no VFIO dma-bufs");
	return fail(ctl, TPHCTL_UNSUPPORTED, "device", address,
		    "a kernel with CONFIG_VFIO_PCI_DMABUF, and tph-vfio-pci built for it",
		    "its driver takes no tags for dma-bufs");
}

/* The list as given, with its two words, as the kernel would write it. */
static int parse_cpus(struct tphctl *ctl, const char *text, char canonical[CPU_LIST_SIZE])
{
	struct cpu_list list, possible;
	char item[64], remedy[CPU_LIST_SIZE + 16];
	const char *wrong;
	bool all = !strcmp(text, "all");
	uint32_t cpu;
	int error;

	wrong = cpu_list_parse(all || !strcmp(text, "none") ? "" : text, &list, item, sizeof(item));
	if (wrong)
		return fail(ctl, TPHCTL_USAGE, "CPU list", item, "write it as 2-5,8, all or none",
			    "%s", wrong);
	error = cpu_list_read(ctl->sysfs, "possible", &possible);
	if (error)
		return sysfs_failure(ctl, "devices/system/cpu/possible cannot be read", error);
	if (all)
		list = possible;
	if (cpu_list_missing(&list, &possible, &cpu)) {
		cpu_list_text(&possible, canonical);
		snprintf(remedy, sizeof(remedy), "CPUs are %s", canonical);
		return fail(ctl, TPHCTL_FAILED, "CPU list", text, remedy,
			    "CPU %u does not exist in this machine", cpu);
	}
	if (!cpu_list_text(&list, canonical))
		return fail(ctl, TPHCTL_FAILED, "CPU list", text, "give a list with fewer gaps",
			    "it is longer than a sysfs attribute can be");
	return TPHCTL_OK;
}

/** terms_given() - whether there are any. */
bool terms_given(const struct terms *terms)
{
	return terms->policy || terms->has_cpus || terms->publish;
}

/** terms_parse() - check what was given before anything is touched. Return: exit status. */
int terms_parse(struct tphctl *ctl, const struct invocation *invocation, struct terms *terms)
{
	const char *cpus = invocation->value[OPTION_CPUS];
	const char *publish = invocation->value[OPTION_PUBLISH];
	bool known = false;

	memset(terms, 0, sizeof(*terms));
	terms->policy = invocation->value[OPTION_POLICY];
	terms->has_cpus = cpus;
	if (publish && strcmp(publish, "on") && strcmp(publish, "off"))
		return fail(ctl, TPHCTL_USAGE, "option --publish", publish, "give on or off",
			    "it is neither");
	if (publish)
		terms->publish = strcmp(publish, "off") ? "1" : "0";
	for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++)
		known = known || (terms->policy && !strcmp(terms->policy, policies[i]));
	if (terms->policy && !known)
		return fail(ctl, TPHCTL_USAGE, "policy", terms->policy,
			    "give one of no-st, iv-st, ds-st", "there is no such policy");
	return cpus ? parse_cpus(ctl, cpus, terms->cpus) : TPHCTL_OK;
}

static int write_attribute(const struct tphctl *ctl, const char *address, const char *attribute,
			   const char *text)
{
	char path[PATH_MAX];
	int error = operator_path(ctl->sysfs, address, attribute, path, sizeof(path));

	/* A write of nothing would not reach the driver. */
	return error ? error : attribute_write(path, *text ? text : "\n");
}

static int write_failure(struct tphctl *ctl, const char *address, const char *attribute,
			 const char *text, int error)
{
	switch (-error) {
	case EBUSY:
		return fail(ctl, TPHCTL_FAILED, attribute, text,
			    "stop its user first; the CPU list (--cpus) can be changed meanwhile",
			    "%s is open, and its policy stays what it is for as long as that is so",
			    address);
	case EROFS:
		return sysfs_read_only(ctl, attribute, operator_cpus(text));
	case EACCES:
	case EPERM:
		return fail(ctl, TPHCTL_NOT_PERMITTED, attribute, operator_cpus(text),
			    "run as root", "tph/%s of %s may not be written by this user",
			    attribute, address);
	case ENOENT:
	case ENODEV:
		return fail(ctl, TPHCTL_FAILED, attribute, operator_cpus(text), "look at dmesg",
			    "%s was taken from its driver meanwhile", address);
	default:
		return fail(ctl, TPHCTL_FAILED, attribute, operator_cpus(text), "look at dmesg",
			    "the driver of %s does not take it: %s", address, strerror(-error));
	}
}

/* one attribute that is to change */
struct setting {
	const char *attribute, *text, *before;
};

/* Write them in order; on failure put back those that were written. */
static int write_all(struct tphctl *ctl, const char *address, const struct setting *settings,
		     size_t count)
{
	int error, code;

	for (size_t i = 0; i < count; i++) {
		error = write_attribute(ctl, address, settings[i].attribute, settings[i].text);
		if (!error)
			continue;
		code = write_failure(ctl, address, settings[i].attribute, settings[i].text, error);
		while (i--)
			if (write_attribute(ctl, address, settings[i].attribute, settings[i].before))
				add_reason(ctl, "; and its %s is %s now", settings[i].attribute,
					   operator_cpus(settings[i].text));
		return code;
	}
	return TPHCTL_OK;
}

/**
 * terms_apply() - write what was asked for, all or nothing
 * @before: receives what was so far
 * @after: receives what is then
 *
 * Return: exit status.
 */
int terms_apply(struct tphctl *ctl, const char *address, const struct terms *terms,
		struct operator_view *before, struct operator_view *after)
{
	bool steering = terms->policy || terms->has_cpus;
	struct setting settings[3];
	size_t count = 0;
	int error, code;

	error = operator_read(ctl->sysfs, address, before);
	if (error && (steering || error != -ENOENT))
		return operator_failure(ctl, address, error);
	if (terms->publish && !*before->publish)
		return publish_failure(ctl, address);
	/* First what may be refused while the device is open, then what cannot be undone. */
	if (terms->policy)
		settings[count++] = (struct setting){ "policy", terms->policy, before->policy };
	if (terms->has_cpus)
		settings[count++] = (struct setting){ "cpus", terms->cpus, before->cpus };
	if (terms->publish)
		settings[count++] = (struct setting){ "publish", terms->publish, before->publish };
	code = write_all(ctl, address, settings, count);
	if (code)
		return code;
	error = operator_read(ctl->sysfs, address, after);
	if (error && (steering || error != -ENOENT || !*after->publish))
		return operator_failure(ctl, address, error);
	return TPHCTL_OK;
}
