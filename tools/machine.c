// SPDX-License-Identifier: GPL-2.0-only
/* tphctl why: what the machine has, and what its kernel was built and started with. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "inquiry.h"
#include "view.h"

void ask_device(const struct inquiry *inquiry, struct condition *condition)
{
	char name[256];

	function_name(&inquiry->function, name, sizeof(name));
	if (function_is_bridge(&inquiry->function)) {
		conclude(condition, BROKEN, "%s: a bridge, and a bridge is not given to users", name);
		advise(condition, TPHCTL_UNSUPPORTED, "another device: see tphctl list");
		return;
	}
	conclude(condition, HOLDS, "%s", name);
}

void ask_space(const struct inquiry *inquiry, struct condition *condition)
{
	const struct pci_function *function = &inquiry->function;

	if (function->silent) {
		conclude(condition, BROKEN, "%s", SILENT_TEXT);
		advise(condition, TPHCTL_FAILED, "switch it on: see power_state of %s in sysfs; one "
		       "that is gone comes back with its remove and a rescan", function->address);
	} else if (function->restricted) {
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

void ask_capability(const struct inquiry *inquiry, struct condition *condition)
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
	case ENXIO:
		/* The driver shows attributes only where it found one. */
		if (!inquiry->operator_error) {
			conclude(condition, HOLDS, "TPH Requester capability, says the driver");
			break;
		}
		if (inquiry->capability_error == -ENXIO) {
			defer(condition, "not known: the device does not answer");
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

void ask_modes(const struct inquiry *inquiry, struct condition *condition)
{
	enum verdict said = driver_says(inquiry, "no-mode");
	char modes[VIEW_MODES_SIZE], claim[VIEW_CLAIM_SIZE];
	const char *wrong = NULL;

	if (!inquiry->capability_error) {
		wrong = view_claim(&inquiry->capability, claim);
		conclude(condition, tagged_modes(&inquiry->capability) && said != BROKEN ? HOLDS :
			 BROKEN, "%s; ST table: %s%s%s",
			 view_modes(inquiry->capability.modes, " ", modes),
			 view_table(inquiry->capability.table), wrong ? ", as it " : "",
			 wrong ? wrong : "");
	}
	if (inquiry->capability_error)
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

/*
 * Ports that complete no TPH in any machine that was seen, whatever slot is below them: AMD's of
 * Rome, Milan and Ryzen 3000, and the one of a Kunpeng 920 for what is on the chip.
 */
static bool never_completes(const struct pci_function *port)
{
	static const uint16_t kinds[][2] = {
		{ 0x1022, 0x1483 }, { 0x1022, 0x1484 }, { 0x19e5, 0xa121 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (port->vendor == kinds[i][0] && port->device == kinds[i][1])
			return true;
	return false;
}

static void conclude_port(const struct inquiry *inquiry, struct condition *condition)
{
	const struct pci_function *function = &inquiry->function;
	enum verdict said = driver_says(inquiry, "no-completer");
	const char *sysfs = inquiry->ctl->sysfs;
	char narrow[VIEW_NARROW_SIZE];
	struct pci_function root;
	enum tph_width width;
	const char *found;

	found = view_root_port(sysfs, function, &width);
	if (function_read(sysfs, function->root, &root))
		memset(&root, 0, sizeof(root));
	if (root.silent && said != BROKEN) {
		conclude(condition, UNKNOWN, "root port %s: %s", function->root, found);
		advise(condition, TPHCTL_FAILED, "switch it on");
	} else if (width == TPH_WIDTH_16 && said != BROKEN && view_narrow(sysfs, function, narrow)) {
		conclude(condition, HOLDS, "root port %s: %s, but no 16-bit ones get there: %s",
			 function->root, found, narrow);
	} else if (width != TPH_WIDTH_OFF && said != BROKEN) {
		conclude(condition, HOLDS, "root port %s: %s", function->root, found);
	} else if (width == TPH_WIDTH_OFF && never_completes(&root)) {
		conclude(condition, BROKEN, "root port %s: %s, as no port of its kind (%04x:%04x) is, in "
			 "any slot", function->root, found, root.vendor, root.device);
		advise(condition, TPHCTL_UNSUPPORTED, "another machine");
	} else {
		conclude(condition, BROKEN, "root port %s: %s", function->root, found);
		if (view_in_slot(sysfs, function))
			advise(condition, TPHCTL_UNSUPPORTED, "another slot or machine; some firmware "
			       "has a setting for it");
		else
			advise(condition, TPHCTL_UNSUPPORTED, "another machine, for the device is on "
			       "board; some firmware has a setting for it");
	}
}

void ask_completer(const struct inquiry *inquiry, struct condition *condition)
{
	const struct pci_function *function = &inquiry->function;
	enum verdict said = driver_says(inquiry, "no-completer");
	struct tph_port port;
	bool below = function->root[0] && strcmp(function->root, function->address);

	if (function->restricted || function->silent) {
		if (said != UNKNOWN)
			conclude(condition, said, "%s", said == HOLDS ?
				 "nothing is missing on the way up, says the driver" :
				 operator_obstacle("no-completer"));
		else
			conclude(condition, UNKNOWN, function->silent ? "not known: the device does "
				 "not answer" : "hidden");
		if (said == BROKEN)
			advise(condition, TPHCTL_UNSUPPORTED, "another slot or machine; some firmware "
			       "has a setting for it");
		else if (said == UNKNOWN && function->silent)
			advise(condition, TPHCTL_FAILED, "mend what comes first");
		else if (said == UNKNOWN)
			advise(condition, TPHCTL_NOT_PERMITTED, "run as root");
	} else if (!function_port(function, &port) && port.type == TPH_PORT_INTEGRATED) {
		conclude(condition, said == BROKEN ? BROKEN : HOLDS, "no root port: root complex "
			 "integrated");
		if (said == BROKEN)
			advise(condition, TPHCTL_UNSUPPORTED, "another machine; some firmware has a "
			       "setting for it");
	} else if (!below) {
		conclude(condition, BROKEN, "there is no root port above it");
		advise(condition, TPHCTL_UNSUPPORTED, "a device that is below a root port");
	} else {
		conclude_port(inquiry, condition);
	}
}

/*
 * VFIO's core is what tph-vfio-pci needs of a kernel, and ACPI is where the tags come from. Without
 * CONFIG_PCIE_TPH it works as well, but then pci=notph means nothing to anybody.
 */
const char *const kernel_options[KERNEL_OPTIONS] = { "CONFIG_VFIO_PCI_CORE", "CONFIG_ACPI",
						     "CONFIG_PCIE_TPH" };

/** kernel_option_value() - a line of /boot/config: 1 it is on, 0 it is off, -1 of another. */
int kernel_option_value(const char *line, const char *option)
{
	size_t length = strlen(option);

	if (!strncmp(line, option, length) && line[length] == '=')
		return line[length + 1] != 'n';
	if (!strncmp(line, "# ", 2) && !strncmp(line + 2, option, length) &&
	    !strcmp(line + 2 + length, " is not set\n"))
		return 0;
	return -1;
}

/* The kernel's options, where its distribution put them beside it. Return: 0 or -errno. */
static int read_options(const struct tphctl *ctl, int values[KERNEL_OPTIONS])
{
	char path[PATH_MAX], release[128], name[sizeof(release) + 8], line[256];
	FILE *file;
	int error;

	error = beside_sysfs(ctl, "proc", "sys/kernel/osrelease", path);
	error = error ? error : sysfs_read_text(path, release, sizeof(release));
	if (error)
		return error;
	snprintf(name, sizeof(name), "config-%s", release);
	error = beside_sysfs(ctl, "boot", name, path);
	if (error)
		return error;
	file = sysfs_fopen(path);
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		for (size_t i = 0; i < KERNEL_OPTIONS; i++) {
			int value = kernel_option_value(line, kernel_options[i]);

			values[i] = value < 0 ? values[i] : value;
		}
	}
	fclose(file);
	return 0;
}

void ask_kernel_options(const struct inquiry *inquiry, struct condition *condition)
{
	int values[KERNEL_OPTIONS] = { -1, -1, -1 };
	int error = read_options(inquiry->ctl, values);

	/* A module that is loaded has found its symbols. */
	for (int i = 0; i < 2 && !inquiry->driver_name[0]; i++) {
		if (error || values[i] > 0)
			continue;
		conclude(condition, BROKEN, "built without %s", kernel_options[i]);
		advise(condition, TPHCTL_UNSUPPORTED, "build it with that option, or take another "
		       "kernel");
		return;
	}
	if (error)
		conclude(condition, HOLDS, "%s; CONFIG_PCIE_TPH is not known, and not needed",
			 inquiry->driver_name[0] ? "enough for " DRIVER_NAME ", which is loaded" :
			 "it does not tell them in /boot");
	else
		conclude(condition, HOLDS, "%s CONFIG_PCIE_TPH%s", values[2] > 0 ? "built with" :
			 "built without", values[2] > 0 ? "" : ", which " DRIVER_NAME " does not "
			 "need");
}

/* Whether the kernel's command line has notph among the values of pci=. Return: or -errno. */
static int command_line_forbids(const struct tphctl *ctl)
{
	char path[PATH_MAX], text[4097], *words = NULL, *values = NULL;
	int error;

	error = beside_sysfs(ctl, "proc", "cmdline", path);
	error = error ? error : sysfs_read_text(path, text, sizeof(text));
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

void ask_kernel(const struct inquiry *inquiry, struct condition *condition)
{
	enum verdict said = driver_says(inquiry, "notph");
	int forbids;

	/* What the driver found holds for the tree that is looked at, be it another kernel's. */
	forbids = said == HOLDS ? 0 : said == BROKEN ? 1 : command_line_forbids(inquiry->ctl);
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

void ask_iommu(const struct inquiry *inquiry, struct condition *condition)
{
	const struct tph_group_facts *facts = &inquiry->facts;

	if (inquiry->group_error) {
		conclude(condition, UNKNOWN, "its IOMMU group cannot be read: %s",
			 strerror(-inquiry->group_error));
		advise(condition, exit_code_of(inquiry->group_error), "run as root; is sysfs "
		       "whole?");
	} else if (facts->noiommu || facts->number < 0) {
		conclude(condition, BROKEN, "%s", facts->noiommu ? "noiommu: VFIO made its group "
			 "up, no IOMMU translates for it, and so nothing can be attached" :
			 "no IOMMU translates for it: it is in no group");
		advise(condition, TPHCTL_UNSUPPORTED, "turn the IOMMU on in firmware's setup "
		       "(VT-d, AMD-Vi) and on the kernel's command line (intel_iommu=on)");
	} else {
		conclude(condition, HOLDS, "group %d, default domain %s", facts->number,
			 facts->default_domain);
	}
}

/* Whose parameter gives isolation away: of the way by which users come. */
static const char *gatekeeper(const struct tph_group_facts *facts)
{
	return facts->by_iommufd == TPH_NO ? "vfio_iommu_type1" : "iommufd";
}

void ask_interrupts(const struct inquiry *inquiry, struct condition *condition)
{
	const struct tph_group_facts *facts = &inquiry->facts;

	if (inquiry->group_error || facts->noiommu || facts->number < 0) {
		defer(condition, "without an IOMMU they are not isolated");
	} else if (facts->isolated_interrupts == TPH_YES) {
		conclude(condition, HOLDS, "isolated: %s", facts->interrupts_because);
	} else if (facts->unsafe_interrupts == TPH_YES) {
		conclude(condition, HOLDS, "%s; %s.allow_unsafe_interrupts lets users have it "
			 "nevertheless", facts->interrupts_because, gatekeeper(facts));
	} else if (facts->isolated_interrupts == TPH_NO) {
		conclude(condition, BROKEN, "not isolated: %s", facts->interrupts_because);
		advise(condition, TPHCTL_UNSUPPORTED, "turn interrupt remapping on in firmware's "
		       "setup, and take intremap=off and nointremap off the kernel's command line; "
		       "or trust all users of VFIO: echo 1 >/sys/module/%s/parameters/"
		       "allow_unsafe_interrupts", gatekeeper(facts));
	} else if (inquiry->held > 0) {
		conclude(condition, HOLDS, "isolated, or it could not be open");
	} else {
		conclude(condition, UNKNOWN, "%s", facts->interrupts_because);
		advise(condition, TPHCTL_FAILED, "have a user open it: EPERM if they are not "
		       "isolated");
	}
}

/** signatures_wanted() - whether the kernel takes signed modules alone, and why. */
bool signatures_wanted(const struct inquiry *inquiry, const char **why)
{
	char path[PATH_MAX], text[256];
	const char *sysfs = inquiry->ctl->sysfs;

	*why = "it is locked down (Secure Boot)";
	if (snprintf(path, sizeof(path), "%s/kernel/security/lockdown", sysfs) < PATH_MAX &&
	    !sysfs_read_text(path, text, sizeof(text)) &&
	    (strstr(text, "[integrity]") || strstr(text, "[confidentiality]")))
		return true;
	*why = "module.sig_enforce is set";
	return snprintf(path, sizeof(path), "%s/module/module/parameters/sig_enforce", sysfs) <
	       PATH_MAX && !sysfs_read_text(path, text, sizeof(text)) && !strcmp(text, "Y");
}

void ask_signatures(const struct inquiry *inquiry, struct condition *condition)
{
	const char *why;

	if (!signatures_wanted(inquiry, &why)) {
		conclude(condition, HOLDS, "the kernel takes modules without a signature");
	} else if (inquiry->driver_name[0]) {
		conclude(condition, HOLDS, "only signed modules are loaded, for %s, and " DRIVER_NAME
			 " is", why);
	} else {
		conclude(condition, UNKNOWN, "only signed modules are loaded, for %s", why);
		advise(condition, TPHCTL_FAILED, "sign it with a key that the machine's owner has "
		       "enrolled: mokutil --import /var/lib/dkms/mok.pub, and start anew");
	}
}
