// SPDX-License-Identifier: GPL-2.0-only
/* tphctl why: what steering needs, in the order in which a request meets it. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "descriptor.h"
#include "operator.h"
#include "sysfs.h"
#include "tphctl.h"
#include "view.h"

#define DRIVER	"tph-vfio-pci"
#define TAGGED	(1u << TPH_MODE_INTERRUPT_VECTOR | 1u << TPH_MODE_DEVICE_SPECIFIC)

enum verdict {
	HOLDS,
	BROKEN,
	UNKNOWN,
};

static const char *const verdicts[] = { "ok", "broken", "unknown" };

/**
 * struct condition - one thing that steering needs
 * @name: what it is about
 * @verdict: whether it holds
 * @code: exit status if it is the first that does not
 * @text: what was found
 * @remedy: the way out; empty if it holds
 */
struct condition {
	const char *name;
	enum verdict verdict;
	int code;
	char text[CPU_LIST_SIZE + 256];
	char remedy[256];
};

/**
 * struct inquiry - all that is known of a device
 * @capability_error: why @capability is not valid; 0 if it is
 * @operator_error: why @operator is not valid; 0 if it is
 * @held: descriptor_holder()
 */
struct inquiry {
	const struct tphctl *ctl;
	struct pci_function function;
	int capability_error;
	struct tph_capability capability;
	int operator_error;
	struct operator_view operator;
	int held;
	struct holder holder;
};

static void __attribute__((format(printf, 3, 4)))
conclude(struct condition *condition, enum verdict verdict, const char *format, ...)
{
	va_list arguments;

	condition->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(condition->text, sizeof(condition->text), format, arguments);
	va_end(arguments);
}

static void __attribute__((format(printf, 3, 4)))
advise(struct condition *condition, int code, const char *format, ...)
{
	va_list arguments;

	condition->code = code;
	va_start(arguments, format);
	vsnprintf(condition->remedy, sizeof(condition->remedy), format, arguments);
	va_end(arguments);
}

/*
 * What the driver says of one obstacle: its attribute names the first that it met, and so those
 * before it are out of the way.
 */
static enum verdict driver_says(const struct inquiry *inquiry, const char *obstacle)
{
	static const char *const order[] = { "notph", "no-completer", "no-mode", "no-firmware",
					     "policy", "no-cpus", "not-attached", "possible" };
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

static void ask_device(const struct inquiry *inquiry, struct condition *condition)
{
	char name[256];

	conclude(condition, HOLDS, "%s", function_name(&inquiry->function, name, sizeof(name)));
}

static void ask_space(const struct inquiry *inquiry, struct condition *condition)
{
	const struct pci_function *function = &inquiry->function;

	if (function->restricted) {
		conclude(condition, UNKNOWN, "the kernel shows %u bytes of it to this user",
			 function->size);
		advise(condition, TPHCTL_NOT_PERMITTED, "run as root");
	} else if (function->size <= 256) {
		conclude(condition, BROKEN, "it has no extended part, where TPH would be");
		advise(condition, TPHCTL_UNSUPPORTED, "a PCI Express device, and a kernel that "
		       "uses ECAM (not pci=nommconf)");
	} else {
		conclude(condition, HOLDS, "%u bytes can be read", function->size);
	}
}

static void ask_capability(const struct inquiry *inquiry, struct condition *condition)
{
	switch (-inquiry->capability_error) {
	case 0:
		conclude(condition, HOLDS, "TPH Requester capability at 0x%x",
			 inquiry->capability.offset);
		break;
	case EOPNOTSUPP:
		conclude(condition, BROKEN, "it has no TPH Requester capability");
		advise(condition, TPHCTL_UNSUPPORTED, "another device: see tphctl list");
		break;
	case EACCES:
		/* The driver shows attributes only where it found one. */
		if (!inquiry->operator_error) {
			conclude(condition, HOLDS, "TPH Requester capability, says the driver");
			break;
		}
		conclude(condition, UNKNOWN, "the list of capabilities is hidden");
		advise(condition, TPHCTL_NOT_PERMITTED, "run as root");
		break;
	default:
		conclude(condition, BROKEN, "the list of capabilities is malformed");
		advise(condition, TPHCTL_FAILED, "look at lspci -vvv");
	}
}

/* An interrupt vector's tag is in the ST table: without one, the mode is none. */
static uint32_t tagged_modes(const struct tph_capability *capability)
{
	uint32_t modes = capability->modes & TAGGED;

	return capability->table == TPH_TABLE_NONE ? modes & ~(1u << TPH_MODE_INTERRUPT_VECTOR) :
						     modes;
}

static void ask_modes(const struct inquiry *inquiry, struct condition *condition)
{
	enum verdict said = driver_says(inquiry, "no-mode");
	char modes[VIEW_MODES_SIZE];

	if (!inquiry->capability_error)
		conclude(condition, tagged_modes(&inquiry->capability) && said != BROKEN ? HOLDS :
			 BROKEN, "%s; ST table: %s",
			 view_modes(inquiry->capability.modes, " ", modes),
			 view_table(inquiry->capability.table));
	else
		conclude(condition, said, "%s", said == UNKNOWN ? "not known without the capability"
			 : said == HOLDS ? "it has a mode with tags, says the driver" :
			 operator_obstacle("no-mode"));
	if (condition->verdict == BROKEN)
		advise(condition, TPHCTL_UNSUPPORTED, "another device: tags need Interrupt Vector "
		       "mode with an ST table, or Device Specific mode");
	else if (condition->verdict == UNKNOWN && inquiry->capability_error == -EACCES)
		advise(condition, TPHCTL_NOT_PERMITTED, "run as root");
	else if (condition->verdict == UNKNOWN)
		advise(condition, TPHCTL_FAILED, "mend what comes first");
}

static void ask_driver(const struct inquiry *inquiry, struct condition *condition)
{
	const struct pci_function *function = &inquiry->function;
	const char *sysfs = inquiry->ctl->sysfs;
	char path[PATH_MAX];
	bool loaded;

	if (!inquiry->operator_error) {
		conclude(condition, HOLDS, "bound to %s", function->driver);
		return;
	}
	if (inquiry->operator_error != -ENOENT) {
		conclude(condition, UNKNOWN, "its attributes under tph/ cannot be read: %s",
			 strerror(-inquiry->operator_error));
		advise(condition, exit_code_of(inquiry->operator_error), "run as root");
		return;
	}
	if (!strcmp(function->driver, DRIVER)) {
		conclude(condition, BROKEN, "bound to " DRIVER ", which found no TPH in it");
		advise(condition, TPHCTL_UNSUPPORTED, "look at dmesg");
		return;
	}
	if (!function->driver[0])
		conclude(condition, BROKEN, "bound to no driver");
	else
		conclude(condition, BROKEN, "bound to %s, which %s", function->driver,
			 function->vfio ? "does not speak TPH" : "is not a VFIO driver");
	loaded = snprintf(path, sizeof(path), "%s/bus/pci/drivers/" DRIVER, sysfs) <
		 (int)sizeof(path) && !access(path, F_OK);
	advise(condition, TPHCTL_FAILED, "%stphctl bind %s", loaded ? "" : "modprobe " DRIVER
	       " && ", function->address);
}

/* Whether the kernel's command line has notph among the values of pci=. Return: or -errno. */
static int command_line_forbids(const struct tphctl *ctl)
{
	char path[PATH_MAX], text[4097], *words = NULL, *values = NULL;
	int error;

	if (snprintf(path, sizeof(path), "%s/cmdline", ctl->proc) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	error = sysfs_read_text(path, text, sizeof(text));
	if (error)
		return error;
	for (char *word = strtok_r(text, " ", &words); word; word = strtok_r(NULL, " ", &words)) {
		if (strncmp(word, "pci=", 4))
			continue;
		for (char *value = strtok_r(word + 4, ",", &values); value;
		     value = strtok_r(NULL, ",", &values))
			if (!strcmp(value, "notph"))
				return 1;
	}
	return 0;
}

static void ask_kernel(const struct inquiry *inquiry, struct condition *condition)
{
	enum verdict said = driver_says(inquiry, "notph");
	int forbids;

	/* What the driver found holds for the tree that is looked at, be it another kernel's. */
	if (said == HOLDS) {
		conclude(condition, HOLDS, "started without pci=notph");
		return;
	}
	forbids = said == BROKEN ? 1 : inquiry->ctl->foreign_sysfs ? -ENOENT :
		  command_line_forbids(inquiry->ctl);
	if (forbids < 0) {
		conclude(condition, UNKNOWN, "its command line cannot be read");
		advise(condition, TPHCTL_FAILED, "look for pci=notph in it");
	} else if (forbids) {
		conclude(condition, BROKEN, "%s", operator_obstacle("notph"));
		advise(condition, TPHCTL_UNSUPPORTED, "start it without");
	} else {
		conclude(condition, HOLDS, "started without pci=notph");
	}
}

static void ask_completer(const struct inquiry *inquiry, struct condition *condition)
{
	const struct pci_function *function = &inquiry->function;
	enum verdict said = driver_says(inquiry, "no-completer");
	enum tph_width width;
	const char *found;
	struct tph_port port;
	bool below = function->root[0] && strcmp(function->root, function->address);

	found = view_root_port(inquiry->ctl->sysfs, function, &width);
	if (function->restricted && said != UNKNOWN)
		conclude(condition, said, "%s", said == HOLDS ?
			 "nothing is missing on the way up, says the driver" :
			 operator_obstacle("no-completer"));
	else if (function->restricted)
		conclude(condition, UNKNOWN, "hidden");
	else if (!function_port(function, &port) && port.type == TPH_PORT_INTEGRATED)
		conclude(condition, said == BROKEN ? BROKEN : HOLDS, "no root port: root complex "
			 "integrated");
	else if (!below)
		conclude(condition, BROKEN, "there is no root port above it");
	else
		conclude(condition, width == TPH_WIDTH_OFF || said == BROKEN ? BROKEN : HOLDS,
			 "root port %s: %s", function->root, found);
	if (condition->verdict == BROKEN)
		advise(condition, TPHCTL_UNSUPPORTED, "another slot or machine; some firmware has "
		       "a setting for it");
	else if (condition->verdict == UNKNOWN)
		advise(condition, TPHCTL_NOT_PERMITTED, "run as root");
}

/* What the driver alone knows. */
static void ask_firmware(const struct inquiry *inquiry, struct condition *condition)
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
		conclude(condition, UNKNOWN, "known once " DRIVER " is bound and nothing before "
			 "it is missing");
		advise(condition, TPHCTL_FAILED, "mend what comes first");
	}
}

static void ask_policy(const struct inquiry *inquiry, struct condition *condition)
{
	const char *policy = inquiry->operator.policy;
	enum verdict said = driver_says(inquiry, "policy");
	uint32_t modes, allowed;

	if (inquiry->operator_error) {
		conclude(condition, UNKNOWN, "there is none before " DRIVER " is bound");
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

static void ask_cpus(const struct inquiry *inquiry, struct condition *condition)
{
	const char *address = inquiry->function.address;
	char text[CPU_LIST_SIZE], item[64];
	struct cpu_list granted, own, both;

	if (inquiry->operator_error) {
		conclude(condition, UNKNOWN, "there is no list before " DRIVER " is bound");
		advise(condition, TPHCTL_FAILED, "tphctl bind %s --cpus LIST", address);
		return;
	}
	if (cpu_list_parse(inquiry->operator.cpus, &granted, item, sizeof(item))) {
		conclude(condition, UNKNOWN, "%s makes no sense in the operator's list", item);
		advise(condition, TPHCTL_FAILED, "look at dmesg");
		return;
	}
	if (cpu_list_empty(&granted)) {
		conclude(condition, BROKEN, "%s", operator_obstacle("no-cpus"));
		advise(condition, TPHCTL_NOT_PERMITTED, "tphctl grant %s --cpus LIST", address);
		return;
	}
	if (inquiry->ctl->foreign_sysfs) {
		conclude(condition, HOLDS, "%s are granted", inquiry->operator.cpus);
		return;
	}
	if (cpu_list_affinity(&own) || !cpu_list_text(&own, text)) {
		conclude(condition, UNKNOWN, "it is not known where this process may run");
		advise(condition, TPHCTL_FAILED, "see taskset -p $$");
		return;
	}
	both = granted;
	cpu_list_intersect(&both, &own);
	if (cpu_list_empty(&both)) {
		conclude(condition, BROKEN, "%.512s are granted, but this process may run on "
			 "%.512s alone", inquiry->operator.cpus, text);
		advise(condition, TPHCTL_NOT_PERMITTED, "widen affinity (taskset) or cpuset, or "
		       "tphctl grant %s --cpus LIST", address);
		return;
	}
	cpu_list_text(&both, text);
	conclude(condition, HOLDS, "%.512s are granted; of these this process may steer to %.512s",
		 inquiry->operator.cpus, text);
}

static void ask_open(const struct inquiry *inquiry, struct condition *condition)
{
	const struct holder *holder = &inquiry->holder;

	if (inquiry->ctl->foreign_sysfs) {
		conclude(condition, UNKNOWN, "--sysfs does not tell who has it open");
		advise(condition, TPHCTL_FAILED, "look on the machine itself");
	} else if (inquiry->held > 0) {
		conclude(condition, HOLDS, "%s %s (pid %d), which steers it",
			 holder->group ? "its group is open by" : "open by", holder->name,
			 holder->pid);
	} else if (!inquiry->held) {
		conclude(condition, HOLDS, "free: nobody has it open");
	} else {
		conclude(condition, UNKNOWN, "not every process may be looked into");
		advise(condition, TPHCTL_NOT_PERMITTED, "run as root");
	}
}

static void ask_attached(const struct inquiry *inquiry, struct condition *condition)
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
		conclude(condition, UNKNOWN, "the driver does not get that far");
		advise(condition, TPHCTL_FAILED, "mend what comes first");
	}
}

static void ask_requester(const struct inquiry *inquiry, struct condition *condition)
{
	const struct operator_view *view = &inquiry->operator;

	if (inquiry->operator_error) {
		conclude(condition, UNKNOWN, "its driver does not tell");
		advise(condition, TPHCTL_FAILED, "tphctl bind %s", inquiry->function.address);
	} else if (strcmp(view->requester, "off")) {
		conclude(condition, HOLDS, "%s; CPUs targeted: %s", view->requester,
			 operator_cpus(view->targets));
	} else if (inquiry->held > 0 || driver_says(inquiry, "not-attached") == BROKEN) {
		conclude(condition, BROKEN, "off: its user has not enabled it");
		advise(condition, TPHCTL_FAILED, "its user calls tph_enable(), or writes the TPH "
		       "Control register");
	} else {
		conclude(condition, HOLDS, "off, until a user enables it");
	}
}

/* In the order in which a request meets them. */
static const struct {
	const char *name;
	void (*ask)(const struct inquiry *inquiry, struct condition *condition);
} questions[] = {
	{ "device", ask_device },
	{ "configuration space", ask_space },
	{ "capability", ask_capability },
	{ "modes", ask_modes },
	{ "driver", ask_driver },
	{ "kernel", ask_kernel },
	{ "completer", ask_completer },
	{ "firmware", ask_firmware },
	{ "policy", ask_policy },
	{ "CPUs", ask_cpus },
	{ "user", ask_open },
	{ "address space", ask_attached },
	{ "requester", ask_requester },
};

#define QUESTIONS	(sizeof(questions) / sizeof(*questions))

static void inquire(struct inquiry *inquiry)
{
	const struct tphctl *ctl = inquiry->ctl;

	inquiry->capability_error = function_capability(&inquiry->function,
							&inquiry->capability);
	inquiry->operator_error = operator_read(ctl->sysfs, inquiry->function.address,
						&inquiry->operator);
	inquiry->held = ctl->foreign_sysfs ? -ENOENT :
			descriptor_holder(ctl, &inquiry->function, &inquiry->holder);
}

static void print_condition(const struct condition *condition, bool first_broken)
{
	printf("%s %-8s %-20s %s\n", first_broken ? "=>" : "  ", verdicts[condition->verdict],
	       condition->name, condition->text);
	if (first_broken)
		printf("   %-8s %-20s %s\n", "", "", condition->remedy);
}

static struct json_object *condition_json(const struct condition *condition)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", json_object_new_string(condition->name));
	json_object_object_add(object, "verdict",
			       json_object_new_string(verdicts[condition->verdict]));
	json_object_object_add(object, "text", json_object_new_string(condition->text));
	json_object_object_add(object, "remedy", json_text(condition->remedy[0] ?
							   condition->remedy : NULL));
	return object;
}

/* The first that is broken, else the first that is not known, else none. */
static const struct condition *find_first(const struct condition *conditions)
{
	for (int verdict = BROKEN; verdict <= UNKNOWN; verdict++)
		for (size_t i = 0; i < QUESTIONS; i++)
			if ((int)conditions[i].verdict == verdict)
				return &conditions[i];
	return NULL;
}

static int tell(struct tphctl *ctl, const char *address, const struct condition *conditions)
{
	const struct condition *first = find_first(conditions);
	struct json_object *list = json_object_new_array();
	bool broken = first && first->verdict == BROKEN;

	for (size_t i = 0; i < QUESTIONS; i++) {
		json_object_array_add(list, condition_json(&conditions[i]));
		if (!ctl->json)
			print_condition(&conditions[i], broken && first == &conditions[i]);
	}
	answer_add(ctl, "conditions", list);
	answer_add(ctl, "broken", json_text(broken ? first->name : NULL));
	if (!first)
		return TPHCTL_OK;
	return fail(ctl, first->code, "device", address, first->remedy, "%s%s: %s", first->name,
		    broken ? "" : " not known", first->text);
}

int why_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct condition *conditions;
	struct inquiry *inquiry;
	char name[32];
	int code, error, fd;

	if (!device_name_parse(invocation->operand[0], name, sizeof(name), &fd) || fd >= 0)
		return fail(ctl, TPHCTL_USAGE, "device", invocation->operand[0],
			    "give it as 0000:01:00.0", "this is not a PCI address");
	answer_add(ctl, "device", json_object_new_string(name));
	inquiry = calloc(1, sizeof(*inquiry));
	conditions = calloc(QUESTIONS, sizeof(*conditions));
	error = inquiry && conditions ? function_read(ctl->sysfs, name, &inquiry->function) :
		-ENOMEM;
	if (error) {
		code = fail(ctl, exit_code_of(error), "device", name, error == -ENODEV ?
			    "see tphctl list" : "look at dmesg", "%s", error == -ENODEV ?
			    "there is no such PCI device" : strerror(-error));
		goto out;
	}
	inquiry->ctl = ctl;
	inquire(inquiry);
	for (size_t i = 0; i < QUESTIONS; i++) {
		conditions[i].name = questions[i].name;
		questions[i].ask(inquiry, &conditions[i]);
	}
	code = tell(ctl, name, conditions);
out:
	free(conditions);
	free(inquiry);
	return code;
}
