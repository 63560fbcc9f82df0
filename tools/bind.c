// SPDX-License-Identifier: GPL-2.0-only
/* tphctl bind, unbind: which driver has a device. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attribute.h"
#include "binding.h"
#include "descriptor.h"
#include "interruption.h"
#include "profile.h"
#include "tphctl.h"

#define NO_OVERRIDE	"(null)"

#define NAME_SIZE	32

/* a device while its driver changes, and what it was before */
struct change {
	struct tphctl *ctl;
	struct pci_function before;
	char override[SYSFS_NAME_SIZE];
};

/* Write to DIR/bus/pci/... */
static int __attribute__((format(printf, 3, 4)))
bus_write(const struct tphctl *ctl, const char *text, const char *format, ...)
{
	char path[PATH_MAX];
	va_list arguments;
	int used, more;

	used = snprintf(path, sizeof(path), "%s/bus/pci/", ctl->sysfs);
	if (used >= (int)sizeof(path))
		return -ENAMETOOLONG;
	va_start(arguments, format);
	more = vsnprintf(path + used, sizeof(path) - (size_t)used, format, arguments);
	va_end(arguments);
	if (used + more >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return attribute_write(path, text);
}

static int override_write(const struct change *change, const char *override)
{
	/* An empty line is how the kernel is told "none". */
	return bus_write(change->ctl, strcmp(override, NO_OVERRIDE) ? override : "\n",
			 "devices/%s/driver_override", change->before.address);
}

static int override_read(struct change *change)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver_override",
		     change->ctl->sysfs, change->before.address) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return sysfs_read_text(path, change->override, sizeof(change->override));
}

static int driver_leave(const struct change *change, const char *driver)
{
	return bus_write(change->ctl, change->before.address, "drivers/%s/unbind", driver);
}

static int driver_probe(const struct change *change)
{
	return bus_write(change->ctl, change->before.address, "drivers_probe");
}

/*
 * Everything as it was: override, then driver. Return: whether it is, by what sysfs shows.
 */
static bool restore(const struct change *change)
{
	char driver[SYSFS_NAME_SIZE];
	const char *address = change->before.address;

	if (function_driver(change->ctl->sysfs, address, driver))
		return false;
	if (override_write(change, change->override))
		return false;
	if (!strcmp(driver, change->before.driver))
		return true;
	if (driver[0] && driver_leave(change, driver))
		return false;
	if (change->before.driver[0] &&
	    bus_write(change->ctl, address, "drivers/%s/bind", change->before.driver))
		return false;
	return !function_driver(change->ctl->sysfs, address, driver) &&
	       !strcmp(driver, change->before.driver);
}

/* Put everything back and say so, after the reason that @failure tells. */
static int give_up(const struct change *change, int code)
{
	const char *driver = change->before.driver[0] ? change->before.driver : "no driver";

	if (restore(change))
		add_reason(change->ctl, "; everything is as it was (%s)", driver);
	else
		add_reason(change->ctl, "; and it could not be given back to %s", driver);
	return code;
}

static int write_failure(const struct change *change, const char *what, int error)
{
	if (error == -EROFS)
		return sysfs_read_only(change->ctl, "device", change->before.address);
	return fail(change->ctl, exit_code_of(error), "device", change->before.address,
		    error == -EACCES || error == -EPERM ? "run as root" : "look at dmesg",
		    "%s: %s", what, strerror(-error));
}

/* Where a signal has come: put everything back. Return: exit status, TPHCTL_OK: none has come. */
static int check_interruption(const struct change *change)
{
	int number = interruption_seen();

	if (!number)
		return TPHCTL_OK;
	change->ctl->interrupted = true;
	return give_up(change, fail(change->ctl, TPHCTL_FAILED, "device", change->before.address,
				    "try again", "interrupted by signal %d (%s)", number,
				    strsignal(number)));
}

/* A VFIO driver lets go of a device only when its user does: better not begin. */
static int check_idle(struct tphctl *ctl, const struct pci_function *function)
{
	struct handle *handle;
	struct holder holder;
	int error;

	if (handle_find(ctl, function->address))
		return fail(ctl, TPHCTL_FAILED, "device", function->address,
			    "do it before the batch", "this batch holds it open");
	if (!function->vfio || ctl->foreign_sysfs)
		return TPHCTL_OK;
	error = handle_open_quietly(ctl, function->address, &handle);
	if (!error)
		handle_close(ctl, handle);
	/* Without the VF token the kernel does not tell; who is in charge of processes can look. */
	if ((error == -ENOKEY || error == -EKEYREJECTED) &&
	    descriptor_holder(ctl, function, &holder) > 0)
		error = -EBUSY;
	if (error == -EBUSY)
		return fail(ctl, TPHCTL_FAILED, "device", function->address,
			    "stop its user first",
			    "it is in use by another process, and taking it from %s would wait for "
			    "that", function->driver);
	return TPHCTL_OK;
}

static int name_device(struct tphctl *ctl, const char *text, char name[NAME_SIZE])
{
	int fd;

	if (!device_name_parse(text, name, NAME_SIZE, &fd) || fd >= 0)
		return fail(ctl, TPHCTL_USAGE, "device", text, "give it as 0000:01:00.0",
			    "this is not a PCI address");
	answer_add(ctl, "device", json_object_new_string(name));
	return TPHCTL_OK;
}

static int begin(struct tphctl *ctl, const char *name, struct change *change)
{
	int error;

	memset(change, 0, sizeof(*change));
	change->ctl = ctl;
	error = function_read(ctl->sysfs, name, &change->before);
	if (!error)
		error = override_read(change);
	return error ? function_failure(ctl, name, error) : TPHCTL_OK;
}

/* What comes with --save. */
static int check_save(struct tphctl *ctl, const struct invocation *invocation)
{
	if (invocation_has(invocation, OPTION_SAVE))
		return profile_folder(ctl, invocation);
	if (invocation_has(invocation, OPTION_CONFIG))
		return fail(ctl, TPHCTL_USAGE, "option", "--config", "give --save, too",
			    "without --save nothing is saved");
	return TPHCTL_OK;
}

/* Put into its place what was drafted; @otherwise: what is then half done. */
static int commit(struct tphctl *ctl, const struct profile_draft *draft, const char *otherwise)
{
	int code = profile_commit(ctl, draft);

	if (code)
		add_reason(ctl, "; %s", otherwise);
	else
		answer_add(ctl, "saved", json_text(draft->removal ? NULL : draft->path));
	return code;
}

/** driver_name_check() - whether a driver could be called so. Return: exit status. */
int driver_name_check(struct tphctl *ctl, const char *driver)
{
	if (!*driver || strchr(driver, '/') || !strcmp(driver, ".") || !strcmp(driver, "..") ||
	    strlen(driver) >= SYSFS_NAME_SIZE)
		return fail(ctl, TPHCTL_USAGE, "driver", driver,
			    "give its name in /sys/bus/pci/drivers",
			    "this is not the name of a driver");
	return TPHCTL_OK;
}

/** driver_loaded() - whether it is there to be bound to. */
bool driver_loaded(const struct tphctl *ctl, const char *driver)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/bus/pci/drivers/%s", ctl->sysfs, driver) <
	       (int)sizeof(path) && !sysfs_find(path);
}

/** driver_default() - the driver of this project, under the name that it is loaded as. */
const char *driver_default(const struct tphctl *ctl)
{
	return driver_steers(ctl->sysfs, DRIVER_NAME_STOCK) ? DRIVER_NAME_STOCK : DRIVER_NAME;
}

static int check_loaded(struct tphctl *ctl, const char *driver)
{
	char remedy[128];

	if (driver_loaded(ctl, driver))
		return TPHCTL_OK;
	snprintf(remedy, sizeof(remedy), "modprobe %s", driver);
	return fail(ctl, TPHCTL_FAILED, "driver", driver, remedy, "its module is not loaded");
}

/* Take the device from its driver; the next probe gives it to the one that @override names. */
static int leave_for(const struct change *change, const char *override)
{
	int code, error;

	error = override_write(change, override);
	if (error)
		return write_failure(change, "its driver_override cannot be written", error);
	code = check_interruption(change);
	if (code || !change->before.driver[0])
		return code;
	error = driver_leave(change, change->before.driver);
	if (error)
		return give_up(change, write_failure(change, "its driver keeps it", error));
	return check_interruption(change);
}

static int bind_change(struct change *change, const char *driver)
{
	struct tphctl *ctl = change->ctl;
	const char *address = change->before.address;
	char now[SYSFS_NAME_SIZE];
	int code, error;

	code = leave_for(change, driver);
	if (code)
		return code;
	error = driver_probe(change);
	if (error)
		return give_up(change, write_failure(change, "the new driver refused it", error));
	error = function_driver(ctl->sysfs, address, now);
	if (error || strcmp(now, driver))
		return give_up(change, fail(ctl, TPHCTL_FAILED, "device", address, "look at dmesg",
					    "%s did not take it", driver));
	return check_interruption(change);
}

/* Bind, unless it is bound; then the terms. @view receives them where there are any. */
static int bind_on_terms(struct change *change, const char *driver, const struct terms *terms,
			 struct operator_view *view)
{
	bool bound = !strcmp(change->before.driver, driver);
	struct tphctl *ctl = change->ctl;
	struct operator_view first;
	int code;

	if (!bound) {
		/* taking it from its driver takes all below it */
		if (function_is_bridge(&change->before))
			return fail(ctl, TPHCTL_UNSUPPORTED, "device", change->before.address,
				    "bind the devices below it", "it is a bridge");
		/* The driver would refuse it, and dmesg alone say why. */
		if (function_denied(&change->before) && !denylist_lifted(ctl->sysfs, driver) &&
		    (!strcmp(driver, DRIVER_NAME) || !strcmp(driver, DRIVER_NAME_STOCK)))
			return fail(ctl, TPHCTL_UNSUPPORTED, "device", change->before.address,
				    "another device; or, if its user is trusted not to turn its errata "
				    "against the system, load the driver with disable_denylist=1",
				    "%04x:%04x is on vfio-pci's denylist, for its errata",
				    change->before.vendor, change->before.device);
		code = check_idle(ctl, &change->before);
		if (!code)
			code = bind_change(change, driver);
		if (code)
			return code;
	}
	if (!terms_given(terms))
		return TPHCTL_OK;
	code = terms_apply(ctl, change->before.address, terms, &first, view);
	if (bound)
		return code;
	return code ? give_up(change, code) : check_interruption(change);
}

/**
 * binding_make() - give a device to a driver, and set its terms; all or nothing
 * @device: as the user writes it
 * @driver: NULL for driver_default()
 *
 * Return: exit status.
 */
int binding_make(struct tphctl *ctl, const char *device, const char *driver,
		 const struct terms *terms, struct binding *binding)
{
	struct change change;
	int code;

	if (!driver)
		driver = driver_default(ctl);
	code = begin(ctl, device, &change);
	if (!code)
		code = check_loaded(ctl, driver);
	if (code)
		return code;
	interruption_hold();
	code = bind_on_terms(&change, driver, terms, &binding->view);
	interruption_release();
	binding->function = change.before;
	snprintf(binding->driver, sizeof(binding->driver), "%s", driver);
	return code;
}

/** binding_tell() - say what became of it, in a line that may go on. */
void binding_tell(const struct binding *binding, const struct terms *terms)
{
	const char *before = binding->function.driver;

	say("%s: bound to %s", binding->function.address, binding->driver);
	if (!strcmp(before, binding->driver))
		say(" already");
	else
		say(" (before: %s)", before[0] ? before : "no driver");
	if (terms_given(terms) && binding->view.policy[0])
		say("; policy %s, CPUs %s", binding->view.policy, operator_cpus(binding->view.cpus));
	if (terms->publish)
		say("; publishing %s", operator_publishing(binding->view.publish));
}

int bind_run(struct tphctl *ctl, const struct invocation *invocation)
{
	const char *driver = invocation->value[OPTION_DRIVER];
	struct profile_draft draft = { .draft = "" };
	bool save = invocation_has(invocation, OPTION_SAVE);
	struct binding binding;
	char name[NAME_SIZE];
	struct terms terms;
	int code;

	/* Words that make no sense are told before what is not there. */
	code = terms_parse(ctl, invocation, &terms);
	if (!code && driver)
		code = driver_name_check(ctl, driver);
	if (!code)
		code = check_save(ctl, invocation);
	if (!code)
		code = name_device(ctl, invocation->operand[0], name);
	if (!code && save)
		code = profile_draft(ctl, invocation, name, &draft);
	if (code)
		return code;
	code = binding_make(ctl, name, driver, &terms, &binding);
	if (code) {
		profile_discard(&draft);
		return code;
	}
	answer_add(ctl, "driver", json_object_new_string(binding.driver));
	answer_add(ctl, "driver_before", json_text(binding.function.driver[0] ?
						   binding.function.driver : NULL));
	if (terms_given(&terms))
		answer_add(ctl, "operator", operator_json(&binding.view));
	if (save)
		code = commit(ctl, &draft, "it is bound, but not saved");
	if (code)
		return code;
	if (ctl->json)
		return TPHCTL_OK;
	binding_tell(&binding, &terms);
	if (save)
		say("; saved in %s", draft.path);
	putchar('\n');
	return TPHCTL_OK;
}

static int unbind_change(struct change *change, char now[SYSFS_NAME_SIZE])
{
	const char *address = change->before.address;
	int code, error;

	code = leave_for(change, NO_OVERRIDE);
	if (code)
		return code;
	error = driver_probe(change);
	/* Without a driver of its own is a fine end: it is free. */
	if (!error)
		error = function_driver(change->ctl->sysfs, address, now);
	if (error)
		return write_failure(change, "it is unbound, but the kernel's driver did not come",
				     error);
	return check_interruption(change);
}

static void unbind_tell(const struct change *change, const char *now)
{
	const char *before = change->before.driver;

	if (!strcmp(now, before))
		say("%s: %s%s already", change->before.address,
		    now[0] ? "with " : "free", now);
	else
		say("%s: %s%s (before: %s)", change->before.address,
		    now[0] ? "bound to " : "free, no driver took it", now,
		    before[0] ? before : "no driver");
}

int unbind_run(struct tphctl *ctl, const struct invocation *invocation)
{
	bool save = invocation_has(invocation, OPTION_SAVE), own;
	char now[SYSFS_NAME_SIZE] = "", name[NAME_SIZE];
	struct profile_draft draft = { .draft = "" };
	struct change change;
	int code;

	code = check_save(ctl, invocation);
	if (!code)
		code = name_device(ctl, invocation->operand[0], name);
	if (!code)
		code = begin(ctl, name, &change);
	if (code)
		return code;
	own = change.before.driver[0] && !change.before.vfio;
	if (own && !save)
		return fail(ctl, TPHCTL_FAILED, "device", change.before.address,
			    "nothing to do: it is with a driver of the kernel's own",
			    "it is bound to %s, which is not a VFIO driver", change.before.driver);
	if (save)
		code = profile_draft_removal(ctl, &change.before, &draft);
	if (code)
		return code;
	if (own) {
		memcpy(now, change.before.driver, sizeof(now));
	} else {
		code = check_idle(ctl, &change.before);
		interruption_hold();
		if (!code)
			code = unbind_change(&change, now);
		interruption_release();
	}
	if (code) {
		profile_discard(&draft);
		return code;
	}
	answer_add(ctl, "driver", json_text(now[0] ? now : NULL));
	answer_add(ctl, "driver_before", json_text(change.before.driver[0] ?
						   change.before.driver : NULL));
	if (save)
		code = commit(ctl, &draft, "it is unbound, but what was saved still is");
	if (code)
		return code;
	if (ctl->json)
		return TPHCTL_OK;
	unbind_tell(&change, now);
	if (save)
		say(draft.removal ? "; nothing is saved for it" : "; saved in %s", draft.path);
	putchar('\n');
	return TPHCTL_OK;
}
