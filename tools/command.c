// SPDX-License-Identifier: GPL-2.0-only
/* The table of commands and options, the parser that goes by it, and the help printed from it. */
#include <stdio.h>
#include <string.h>

#include "tphctl.h"

#define BIT(n)	(1u << (n))

const struct option_description tphctl_options[OPTION_COUNT] = {
	[OPTION_JSON] = { "json", 'j', NULL, true, "answer in JSON, one document a line" },
	[OPTION_BATCH] = { "batch", 'b', "FILE", true,
			   "run the commands in FILE (- is standard input), devices stay open" },
	[OPTION_FORCE] = { "force", 0, NULL, true, "with --batch: go on after a line that fails" },
	[OPTION_SYSFS] = { "sysfs", 0, "DIR", true,
			   "read DIR instead of /sys; opens no device (list, show, why, group, "
			   "report, bind, unbind, grant, dmabufs)" },
	[OPTION_HELP] = { "help", 'h', NULL, true, "explain the tool, or a command" },
	[OPTION_VERSION] = { "version", 'V', NULL, true, "print the version" },
	[OPTION_PM] = { "pm", 0, NULL, false, "the writes go to persistent memory" },
	[OPTION_DRIVER] = { "driver", 0, "NAME", false,
			    "driver to bind to (default: tph-vfio-pci, under the name it is loaded as)" },
	[OPTION_POLICY] = { "policy", 0, "POLICY", false,
			    "what a user may do: no-st, iv-st or ds-st" },
	[OPTION_CPUS] = { "cpus", 0, "LIST", false,
			  "CPUs that the device may target: 2-5,8, all or none" },
	[OPTION_PUBLISH] = { "publish", 0, "on|off", false,
			     "whether a user may publish tags for the device's dma-bufs" },
	[OPTION_CHANGES] = { "count", 0, "N", false, "end after N changes" },
	[OPTION_VF_TOKEN] = { "vf-token", 0, "UUID", false,
			      "VF token of a device that wants one: a VF whose PF is used through VFIO" },
	[OPTION_SAVE] = { "save", 0, NULL, false,
			  "let it be so after a reboot, too" },
	[OPTION_CONFIG] = { "config", 0, "DIR", false,
			    "where that is saved, instead of in the system's tphctl.d" },
	[OPTION_QMP] = { "qmp", 0, "SOCKET", false,
			 "QEMU's monitor, to ask which thread runs which virtual CPU" },
	[OPTION_DRY_RUN] = { "dry-run", 0, NULL, false, "say what would be done, and do nothing" },
};

const struct command tphctl_commands[] = {
	{
		.name = "list",
		.operands = "",
		.purpose = "list the PCI devices that have a TPH Requester capability",
		.details = "Reads configuration space in sysfs, which root alone sees whole.\n",
		.run = list_run,
	},
	{
		.name = "show",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_VF_TOKEN),
		.purpose = "show what a device has, what is on offer and what is in force",
		.details = "A device that is bound to a VFIO driver and free is opened for it,\n"
			   "which resets it.\n",
		.run = show_run,
	},
	{
		.name = "set",
		.operands = "DEV INDEX[-INDEX]=CPU[,...]",
		.least = 2,
		.most = 2,
		.options = BIT(OPTION_PM) | BIT(OPTION_VF_TOKEN),
		.purpose = "steer ST entries to CPUs",
		.details = "CPU is a number, or none to clear the entry. Entries in a row are\n"
			   "set all or none.\n",
		.run = set_run,
	},
	{
		.name = "clear",
		.operands = "DEV INDEX[-INDEX]|all",
		.least = 2,
		.most = 2,
		.options = BIT(OPTION_VF_TOKEN),
		.purpose = "clear ST entries",
		.details = "",
		.run = clear_run,
	},
	{
		.name = "enable",
		.operands = "DEV [no-st|iv|ds] [8|16|widest]",
		.least = 1,
		.most = 3,
		.options = BIT(OPTION_VF_TOKEN),
		.purpose = "let the device put hints on its requests",
		.details = "no-st is No ST mode, iv Interrupt Vector mode, ds Device Specific\n"
			   "mode. Without one, it is the first on offer of iv, ds and no-st. Tags\n"
			   "are 8 or 16 bits wide, or as wide as device and platform both have\n"
			   "(widest, the default).\n",
		.run = enable_run,
	},
	{
		.name = "disable",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_VF_TOKEN),
		.purpose = "no more hints; ST entries stay",
		.details = "",
		.run = disable_run,
	},
	{
		.name = "bind",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_DRIVER) | BIT(OPTION_POLICY) | BIT(OPTION_CPUS) |
			   BIT(OPTION_PUBLISH) | BIT(OPTION_VF_TOKEN) | BIT(OPTION_SAVE) |
			   BIT(OPTION_CONFIG),
		.purpose = "give a device to tph-vfio-pci, or to another VFIO driver",
		.details = "Takes it from the driver that has it. Where that fails, or the other\n"
			   "options are not taken, everything is put back as it was. A device\n"
			   "of a VFIO driver is opened first, to see that it is free, which\n"
			   "resets it. With --save, what is given here is written to a file, for\n"
			   "apply, once it has come about.\n",
		.run = bind_run,
	},
	{
		.name = "unbind",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_VF_TOKEN) | BIT(OPTION_SAVE) | BIT(OPTION_CONFIG),
		.purpose = "give a device back to the kernel's own driver",
		.details = "It is opened first, to see that it is free, which resets it. With\n"
			   "--save, what was saved for it is forgotten.\n",
		.run = unbind_run,
	},
	{
		.name = "apply",
		.operands = "[DEV...]",
		.most = OPERANDS_MAX,
		.options = BIT(OPTION_CONFIG),
		.purpose = "bind devices as it was saved: those named, or all",
		.details = "What is as it was saved already is not touched. Loads the driver's\n"
			   "module. A file is named after a device, or after its vendor and device\n"
			   "id, and has lines driver=, policy=, cpus= and publish=.\n",
		.run = apply_run,
	},
	{
		.name = "grant",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_POLICY) | BIT(OPTION_CPUS) | BIT(OPTION_PUBLISH),
		.purpose = "say which CPUs a device may target, and how",
		.details = "CPUs that are taken off the list are out of the device before it\n"
			   "returns. The policy stays what it is while the device is open. With\n"
			   "--publish off, all tags that were published are withdrawn.\n",
		.run = grant_run,
	},
	{
		.name = "dmabufs",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.purpose = "show the tags with which peers should write to a device's dma-bufs",
		.details = "Only dma-bufs that have tags; the device does it while it is open.\n"
			   "Reads debugfs, as root. The inode is that of the line ino: in\n"
			   "/proc/PID/fdinfo/FD.\n",
		.run = dmabufs_run,
	},
	{
		.name = "watch",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_CHANGES),
		.purpose = "print what a device steers to, each time that it changes",
		.details = "The first line is the present state. Does not open the device. Ends\n"
			   "when it is interrupted, and with status 1 when the device is\n"
			   "unbound.\n",
		.run = watch_run,
	},
	{
		.name = "follow",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_QMP) | BIT(OPTION_DRY_RUN) | BIT(OPTION_CHANGES) | BIT(OPTION_PM),
		.purpose = "let a guest steer: keep the map of its tags to host CPUs true",
		.details = "The device's user is QEMU; tag N stands for the CPU where the thread of\n"
			   "virtual CPU N - 1 runs. Takes the device's descriptor from QEMU, looks four\n"
			   "times a second where the threads may run, and ends with QEMU. Without\n"
			   "--qmp it goes by the names of QEMU's threads, for which QEMU needs -name\n"
			   "debug-threads=on.\n",
		.run = follow_run,
	},
	{
		.name = "why",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.purpose = "go through what steering needs, and say what is missing",
		.details = "First what the machine has, then what its operator decides, then what a\n"
			   "user does. Does not open the device.\n",
		.run = why_run,
	},
	{
		.name = "group",
		.operands = "DEV",
		.least = 1,
		.most = 1,
		.purpose = "show who shares an IOMMU group with a device, and what follows",
		.details = "Says what BIND_IOMMUFD would answer, and which member is in the way.\n"
			   "Does not open the device.\n",
		.run = group_run,
	},
	{
		.name = "report",
		.operands = "DEV [FILE]",
		.least = 1,
		.most = 2,
		.purpose = "pack what why and group go by into a file for a bug report",
		.details = "Writes a tar archive, tphctl-report.tar if no FILE is given, and lists\n"
			   "what is in it: no serial numbers, no names of hosts or users. For why\n"
			   "--sysfs and group --sysfs, once it is unpacked.\n",
		.run = report_run,
	},
	{ .name = NULL },
};

static const struct command *command_find(const char *name)
{
	for (const struct command *command = tphctl_commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

/** invocation_has() - whether an option was given. */
bool invocation_has(const struct invocation *invocation, enum option_id option)
{
	return invocation->given & BIT(option);
}

/* The option that a word names, and where its value begins if that is in the same word. */
static int option_find(const char *word, const char **value)
{
	*value = NULL;
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_description *option = &tphctl_options[i];
		size_t length = strlen(option->name);

		if (word[1] != '-') {
			if (!option->letter || word[1] != option->letter)
				continue;
			if (word[2])
				*value = word + 2;
			return i;
		}
		if (strncmp(word + 2, option->name, length))
			continue;
		if (word[2 + length] == '=')
			*value = word + 2 + length + 1;
		else if (word[2 + length])
			continue;
		return i;
	}
	return -1;
}

/* The first option given that the command, or its place, does not take; OPTION_COUNT: none. */
static int option_misplaced(const struct invocation *invocation, bool batch)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!(invocation->given & BIT(i)))
			continue;
		if (tphctl_options[i].general) {
			if (batch)
				return i;
		} else if (!invocation->command || !(invocation->command->options & BIT(i))) {
			return i;
		}
	}
	return OPTION_COUNT;
}

static int usage_remedy(const struct command *command, char *remedy, size_t size)
{
	if (!command)
		return snprintf(remedy, size, "see tphctl --help");
	return snprintf(remedy, size, "tphctl %s%s%s", command->name, *command->operands ? " " : "",
			command->operands);
}

static int surplus(struct tphctl *ctl, const struct command *command, const char *word,
		   const char *remedy)
{
	if (!command->most)
		return fail(ctl, TPHCTL_USAGE, "argument", word, remedy, "%s takes none",
			    command->name);
	return fail(ctl, TPHCTL_USAGE, "argument", word, remedy, "%s takes no more than %u",
		    command->name, command->most);
}

/**
 * invocation_parse() - find command, options and operands in words
 * @words: @count of them, without the name of the tool; must outlive @invocation
 *
 * Return: TPHCTL_OK, or TPHCTL_USAGE with the failure told.
 */
int invocation_parse(struct tphctl *ctl, int count, char *const *words,
		     struct invocation *invocation)
{
	bool options_end = false;
	char remedy[256];

	memset(invocation, 0, sizeof(*invocation));
	for (int i = 0; i < count; i++) {
		const char *word = words[i], *value;
		int option;

		if (!options_end && !strcmp(word, "--")) {
			options_end = true;
			continue;
		}
		if (options_end || word[0] != '-' || !word[1]) {
			if (!invocation->command) {
				invocation->command = command_find(word);
				if (!invocation->command)
					return fail(ctl, TPHCTL_USAGE, "command", word,
						    "see tphctl --help",
						    "there is no such command");
				continue;
			}
			usage_remedy(invocation->command, remedy, sizeof(remedy));
			if (invocation->operands == invocation->command->most)
				return surplus(ctl, invocation->command, word, remedy);
			invocation->operand[invocation->operands++] = word;
			continue;
		}
		option = option_find(word, &value);
		if (option < 0)
			return fail(ctl, TPHCTL_USAGE, "option", word, "see tphctl --help",
				    "there is no such option");
		if (!tphctl_options[option].argument && value)
			return fail(ctl, TPHCTL_USAGE, "option", word, "leave the value out",
				    "--%s takes no value", tphctl_options[option].name);
		if (tphctl_options[option].argument && !value) {
			if (++i == count)
				return fail(ctl, TPHCTL_USAGE, "option", word,
					    "give it after the option", "%s is missing",
					    tphctl_options[option].argument);
			value = words[i];
		}
		if (value && !*value)
			return fail(ctl, TPHCTL_USAGE, "option", word, "give it after the option",
				    "%s is empty", tphctl_options[option].argument);
		if (invocation->given & BIT(option))
			return fail(ctl, TPHCTL_USAGE, "option", word, "give it once",
				    "it was given before");
		invocation->given |= BIT(option);
		invocation->value[option] = value;
	}
	if (invocation->given & (BIT(OPTION_HELP) | BIT(OPTION_VERSION)) && !ctl->batch)
		return TPHCTL_OK;
	if (option_misplaced(invocation, ctl->batch) != OPTION_COUNT) {
		const struct option_description *option =
			&tphctl_options[option_misplaced(invocation, ctl->batch)];

		char name[32];

		snprintf(name, sizeof(name), "--%s", option->name);
		if (option->general)
			return fail(ctl, TPHCTL_USAGE, "option", name,
				    "give it on the command line",
				    "it is not for a line of a batch");
		return fail(ctl, TPHCTL_USAGE, "option", name, "see tphctl --help",
			    "%s does not take it",
			    invocation->command ? invocation->command->name : "tphctl");
	}
	if (invocation->command && invocation->operands < invocation->command->least) {
		usage_remedy(invocation->command, remedy, sizeof(remedy));
		return fail(ctl, TPHCTL_USAGE, "command", invocation->command->name, remedy,
			    "%u of its arguments missing",
			    invocation->command->least - invocation->operands);
	}
	return TPHCTL_OK;
}

static void print_option(const struct option_description *option)
{
	char text[64];

	snprintf(text, sizeof(text), "%c%c%s --%s%s%s", option->letter ? '-' : ' ',
		 option->letter ? option->letter : ' ', option->letter ? "," : " ", option->name,
		 option->argument ? " " : "", option->argument ? option->argument : "");
	printf("  %-20s %s\n", text, option->purpose);
}

static void print_bracketed(const struct option_description *option)
{
	printf(" [--%s%s%s]", option->name, option->argument ? " " : "",
	       option->argument ? option->argument : "");
}

/**
 * help_print() - explain the tool, or a command
 * @command: NULL for the tool
 */
void help_print(const struct command *command)
{
	if (command) {
		printf("usage: tphctl %s%s%s", command->name, *command->operands ? " " : "",
		       command->operands);
		for (int i = 0; i < OPTION_COUNT; i++)
			if (command->options & BIT(i))
				print_bracketed(&tphctl_options[i]);
		printf("\n\n%s: %s.\n%s", command->name, command->purpose, command->details);
		if (command->options)
			printf("\noptions:\n");
		for (int i = 0; i < OPTION_COUNT; i++)
			if (command->options & BIT(i))
				print_option(&tphctl_options[i]);
		return;
	}
	printf("usage: tphctl [-j] COMMAND [DEV ...]\n"
	       "       tphctl [-j] [--force] -b FILE\n\n"
	       "PCIe steering tags for devices that userspace drives through VFIO.\n\ncommands:\n");
	for (command = tphctl_commands; command->name; command++)
		printf("  %-8s %-32s %s\n", command->name, command->operands, command->purpose);
	printf("\noptions:\n");
	for (int i = 0; i < OPTION_COUNT; i++)
		if (tphctl_options[i].general)
			print_option(&tphctl_options[i]);
	printf("\nDEV is a PCI address (0000:01:00.0), or fd:N for an inherited VFIO device that\n"
	       "is ready for use. Steering lasts as long as the device is open: with -b until\n"
	       "the end of FILE, with fd:N for as long as the caller keeps it.\n\n"
	       "exit status: 0 ok, 1 failed, 2 usage, 3 not supported, 4 not permitted\n");
}
