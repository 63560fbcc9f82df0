// SPDX-License-Identifier: GPL-2.0-only
/*
 * tphctl report: what why and group go by, in a file for a bug report.
 *
 * Nothing is taken because it is there: each file, each register and each word of the kernel's
 * command line is named here. So what is private has no way in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "inquiry.h"

#define TOP		"tphctl-report"
#define FILE_NAME	TOP ".tar"
#define PLACE		512	/* what a path below the top needs */
#define NAME		64	/* of a driver, a group, or a member of one */
#define MEMBERS		512

/**
 * struct pack - a report in the making
 * @functions: those that are in it, each once
 * @restricted: of one of them this user sees 64 bytes alone
 */
struct pack {
	const struct tphctl *ctl;
	const char *address;
	struct archive archive;
	char functions[MEMBERS][TPH_ADDRESS_SIZE];
	size_t count;
	bool restricted;
};

static bool source_path(const struct pack *pack, const char *name, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%s", pack->ctl->sysfs, name) < PATH_MAX;
}

/* One attribute, all its lines; @from is below sysfs, @name below the top. */
static void pack_text_from(struct pack *pack, const char *from, const char *name)
{
	char path[PATH_MAX], text[4096];
	size_t length;
	FILE *file = source_path(pack, from, path) ? sysfs_fopen(path) : NULL;

	if (!file)
		return;
	length = fread(text, 1, sizeof(text), file);
	if (!ferror(file))
		archive_file(&pack->archive, name, text, length);
	fclose(file);
}

static void pack_text(struct pack *pack, const char *name)
{
	pack_text_from(pack, name, name);
}

/* Whether a name is like the kernel's, and so one that every tar(1) takes. */
static bool is_plain(const char *name)
{
	for (const char *letter = name; *letter; letter++)
		if (*letter < ' ' || *letter > '~')
			return false;
	return *name && strlen(name) < NAME;
}

/* The last component of where a link of sysfs points. */
static bool link_name_of(const struct pack *pack, const char *link, char name[NAME])
{
	char path[PATH_MAX];

	return source_path(pack, link, path) && !sysfs_link_name(path, name, NAME) &&
	       is_plain(name);
}

/* A link from a file at @name to @target, both below the top. */
static void pack_link(struct pack *pack, const char *name, const char *target)
{
	char relative[PATH_MAX] = "";
	size_t used = 0;

	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/'))
		used += (size_t)snprintf(relative + used, sizeof(relative) - used, "../");
	snprintf(relative + used, sizeof(relative) - used, "%s", target);
	archive_link(&pack->archive, name, relative);
}

static void keep(uint8_t *kept, const struct pci_function *function, uint32_t at, uint32_t count)
{
	for (uint32_t end = at + count; at < end && at < function->size; at++)
		kept[at] = function->space[at];
}

/*
 * The registers that are decoded, and of all other capabilities where they are: not what is in
 * them, such as a serial number. Offsets: PCIe 6.2, 7.5.1 and 7.6 to 7.9.
 */
static void mask_space(const struct pci_function *function, uint8_t kept[4096])
{
	struct tph_config config = function_config(function);
	struct tph_walk walk;
	uint32_t id;

	memset(kept, 0, 4096);
	if (function->silent) {		/* that it reads all ones is all there is to it */
		memset(kept, 0xff, function->size);
		return;
	}
	keep(kept, function, 0x00, 0x10);	/* ids, status, class, header type */
	if (function_is_bridge(function))
		keep(kept, function, 0x18, 3);	/* its buses */
	keep(kept, function, 0x34, 1);
	if (!tph_walk_begin(&walk, &config, false)) {
		while (tph_walk_next(&walk) > 0) {
			id = walk.header & 0xff;
			keep(kept, function, walk.at, id == 0x10 ? 0x3c :	/* PCI Express */
						      id == 0x11 ? 12 : 2);	/* MSI-X */
		}
	}
	if (!tph_walk_begin(&walk, &config, true)) {
		while (tph_walk_next(&walk) > 0) {
			id = walk.header & 0xffff;
			keep(kept, function, walk.at, id == 0x0d ? 8 :		/* ACS */
						      id == 0x17 ? 12 : 4);	/* TPH Requester */
		}
	}
}

/* Whether it is pciDDDD:BB. */
static bool is_host_bridge(const char *name)
{
	static const char digits[] = "0123456789abcdef";
	size_t domain, bus;

	if (strncmp(name, "pci", 3))
		return false;
	domain = strspn(name + 3, digits);
	if (!domain || name[3 + domain] != ':')
		return false;
	bus = strspn(name + 3 + domain + 1, digits);
	return bus && !name[3 + domain + 1 + bus];
}

/*
 * Where a function is below devices: host bridge, ports, itself. What else is above a host bridge,
 * such as a virtual machine's id, is left out.
 */
static bool folder_of(const struct pack *pack, const char *address, char folder[PLACE])
{
	char path[PATH_MAX], name[64], target[PATH_MAX], word[TPH_ADDRESS_SIZE], *rest = NULL;
	size_t used = (size_t)snprintf(folder, PLACE, "devices");
	int error;

	snprintf(name, sizeof(name), "bus/pci/devices/%s", address);
	if (!source_path(pack, name, path))
		return false;
	error = sysfs_link(path, target, sizeof(target));
	if (error == -EINVAL)	/* a folder in the place of the link to it */
		strcpy(target, address);
	else if (error)
		return false;
	for (char *part = strtok_r(target, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
		if (!is_host_bridge(part) && (tph_address_parse(part, word) || strcmp(part, word)))
			continue;
		used += (size_t)snprintf(folder + used, PLACE - used, "/%s", part);
		if (used >= PLACE)
			return false;
	}
	return true;
}

static void pack_driver(struct pack *pack, const char *driver)
{
	char name[PLACE], module[NAME], text[PLACE + 64];

	snprintf(name, sizeof(name), "bus/pci/drivers/%s", driver);
	archive_folder(&pack->archive, name);
	snprintf(text, sizeof(text), "%s/module", name);
	if (!link_name_of(pack, text, module))
		return;
	snprintf(name, sizeof(name), "module/%s", module);
	archive_folder(&pack->archive, name);
	pack_link(pack, text, name);
	snprintf(text, sizeof(text), "%s/taint", name);
	pack_text(pack, text);
	/* tells tph-vfio-pci from what has its name (driver_steers()) */
	snprintf(text, sizeof(text), "%s/parameters/policy", name);
	pack_text(pack, text);
	snprintf(text, sizeof(text), "%s/parameters/disable_denylist", name);
	pack_text(pack, text);
}

/* The link at @from below sysfs, as one at @name, to @folder and the same name there. */
static bool pack_named_link(struct pack *pack, const char *from, const char *name,
			    const char *folder, char found[NAME])
{
	char target[PLACE];

	if (!link_name_of(pack, from, found))
		return false;
	snprintf(target, sizeof(target), "%s/%s", folder, found);
	pack_link(pack, name, target);
	return true;
}

static void pack_config(struct pack *pack, const char *address, const char *name)
{
	struct pci_function *function = malloc(sizeof(*function));
	uint8_t kept[4096];

	if (!function) {
		pack->archive.error = -ENOMEM;
		return;
	}
	if (!function_read(pack->ctl->sysfs, address, function)) {
		mask_space(function, kept);
		archive_file(&pack->archive, name, kept, function->size);
		pack->restricted = pack->restricted || function->restricted;
	}
	free(function);
}

/* That it has a VFIO device, and whether that has a node. */
static void pack_vfio(struct pack *pack, const char *address, const char *folder)
{
	char from[PLACE], name[PLACE + 64], path[PATH_MAX];
	const struct dirent *entry;
	DIR *devices = NULL;
	int fd;

	snprintf(from, sizeof(from), "bus/pci/devices/%s/vfio-dev", address);
	fd = source_path(pack, from, path) ? sysfs_open(path, O_DIRECTORY) : -1;
	if (fd < 0)
		return;
	snprintf(name, sizeof(name), "%s/vfio-dev", folder);
	archive_folder(&pack->archive, name);
	devices = fdopendir(fd);
	if (!devices)
		close(fd);
	while (devices && (entry = readdir(devices))) {
		/* a device has one */
		if (strncmp(entry->d_name, "vfio", 4) || !is_plain(entry->d_name))
			continue;
		snprintf(name, sizeof(name), "%s/vfio-dev/%.32s", folder, entry->d_name);
		archive_folder(&pack->archive, name);
		snprintf(from, sizeof(from), "bus/pci/devices/%s/vfio-dev/%.32s/dev", address,
			 entry->d_name);
		snprintf(name, sizeof(name), "%s/vfio-dev/%.32s/dev", folder, entry->d_name);
		pack_text_from(pack, from, name);
		break;
	}
	if (devices)
		closedir(devices);
}

static void pack_function(struct pack *pack, const char *address)
{
	static const char *const texts[] = { "vendor", "device", "enable", "power/runtime_status" };
	static const char *const attributes[] = { "policy", "cpus", "targets", "requester",
						  "revocations", "steering", "publish" };
	char folder[PLACE], name[PLACE + 64], from[PLACE], found[NAME];

	for (size_t i = 0; i < pack->count; i++)
		if (!strcmp(pack->functions[i], address))
			return;
	if (pack->count == MEMBERS ||
	    !folder_of(pack, address, folder)) {
		pack->archive.error = pack->archive.error ? pack->archive.error : -EFBIG;
		return;
	}
	snprintf(pack->functions[pack->count++], TPH_ADDRESS_SIZE, "%s", address);
	snprintf(name, sizeof(name), "%s/config", folder);
	pack_config(pack, address, name);
	snprintf(from, sizeof(from), "bus/pci/devices/%s", address);
	pack_link(pack, from, folder);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		snprintf(from, sizeof(from), "bus/pci/devices/%s/%s", address, texts[i]);
		snprintf(name, sizeof(name), "%s/%s", folder, texts[i]);
		pack_text_from(pack, from, name);
	}
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes) &&
	     !strcmp(address, pack->address); i++) {
		snprintf(from, sizeof(from), "bus/pci/devices/%s/tph/%s", address, attributes[i]);
		snprintf(name, sizeof(name), "%s/tph/%s", folder, attributes[i]);
		pack_text_from(pack, from, name);
	}
	snprintf(from, sizeof(from), "bus/pci/devices/%s/driver", address);
	snprintf(name, sizeof(name), "%s/driver", folder);
	if (pack_named_link(pack, from, name, "bus/pci/drivers", found))
		pack_driver(pack, found);
	snprintf(from, sizeof(from), "bus/pci/devices/%s/iommu_group", address);
	snprintf(name, sizeof(name), "%s/iommu_group", folder);
	pack_named_link(pack, from, name, "kernel/iommu_groups", found);
	pack_vfio(pack, address, folder);
}

/* A function, and each port and bridge above it. */
static void pack_way_up(struct pack *pack, const char *address)
{
	char folder[PLACE], part[TPH_ADDRESS_SIZE], *rest = NULL;

	if (!folder_of(pack, address, folder))
		return;
	for (char *word = strtok_r(folder, "/", &rest); word; word = strtok_r(NULL, "/", &rest))
		if (!tph_address_parse(word, part))
			pack_function(pack, part);
}

static void pack_member(struct pack *pack, const char *group, const char *member)
{
	char name[PLACE + 80], folder[PLACE], from[sizeof(name) + 16], found[NAME];
	char address[TPH_ADDRESS_SIZE];

	snprintf(name, sizeof(name), "%s/devices/%s", group, member);
	if (!tph_address_parse(member, address) && folder_of(pack, address, folder)) {
		pack_link(pack, name, folder);
		pack_way_up(pack, address);
		return;
	}
	archive_folder(&pack->archive, name);
	snprintf(from, sizeof(from), "%s/driver", name);
	if (pack_named_link(pack, from, from, "bus/pci/drivers", found))
		pack_driver(pack, found);
}

static void pack_group(struct pack *pack)
{
	static const char *const texts[] = { "type", "name", "reserved_regions" };
	char from[PLACE], group[PLACE], number[NAME], name[PLACE + 32], path[PATH_MAX];
	const struct dirent *entry;
	size_t members = 0;
	DIR *devices;
	int fd;

	snprintf(from, sizeof(from), "bus/pci/devices/%s/iommu_group", pack->address);
	if (!link_name_of(pack, from, number))
		return;
	snprintf(group, sizeof(group), "kernel/iommu_groups/%s", number);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		snprintf(name, sizeof(name), "%s/%s", group, texts[i]);
		pack_text(pack, name);
	}
	snprintf(name, sizeof(name), "class/vfio/%s/dev", number);
	pack_text(pack, name);
	snprintf(name, sizeof(name), "%s/devices", group);
	fd = source_path(pack, name, path) ? sysfs_open(path, O_DIRECTORY) : -1;
	devices = fd >= 0 ? fdopendir(fd) : NULL;
	if (fd >= 0 && !devices)
		close(fd);
	while (devices && !pack->archive.error && (entry = readdir(devices))) {
		if (entry->d_name[0] == '.' || !is_plain(entry->d_name))
			continue;
		if (members++ == MEMBERS)
			pack->archive.error = -EFBIG;
		else
			pack_member(pack, group, entry->d_name);
	}
	if (devices)
		closedir(devices);
}

/* Of the kernel's command line, the words that concern PCI, IOMMU and VFIO. */
static void pack_command_line(struct pack *pack)
{
	static const char *const words[] = {
		"pci=",	     "intel_iommu=", "amd_iommu=", "iommu=",	    "iommu.",	     "iommufd.",
		"intremap=", "nointremap",   "vfio",	   "tph_vfio_pci.", "tph-vfio-pci.",
	};
	char path[PATH_MAX], text[4097], line[4097] = "", *rest = NULL;
	size_t used = 0;

	if (beside_sysfs(pack->ctl, "proc", "cmdline", path) ||
	    sysfs_read_text(path, text, sizeof(text)))
		return;
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (!strncmp(word, words[i], strlen(words[i]))) {
				used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s",
							 used ? " " : "", word);
				break;
			}
	archive_text(&pack->archive, "proc/cmdline", line);
}

/* Of the kernel's release, its numbers: the rest may be the name of who built it. */
static void pack_kernel(struct pack *pack)
{
	char path[PATH_MAX], release[128], name[PLACE], line[256], found[512] = "";
	size_t used = 0;
	FILE *file;

	if (beside_sysfs(pack->ctl, "proc", "sys/kernel/osrelease", path) ||
	    sysfs_read_text(path, release, sizeof(release)))
		return;
	snprintf(name, sizeof(name), "config-%s", release);
	file = beside_sysfs(pack->ctl, "boot", name, path) ? NULL : sysfs_fopen(path);
	release[strspn(release, "0123456789.")] = '\0';
	archive_text(&pack->archive, "proc/sys/kernel/osrelease", release);
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		for (size_t i = 0; i < KERNEL_OPTIONS && used < sizeof(found); i++)
			if (kernel_option_value(line, kernel_options[i]) >= 0)
				used += (size_t)snprintf(found + used, sizeof(found) - used, "%s",
							 line);
	fclose(file);
	snprintf(name, sizeof(name), "boot/config-%s", release);
	archive_file(&pack->archive, name, found, strlen(found));
}

static void pack_machine(struct pack *pack)
{
	static const char *const texts[] = {
		"module/iommufd/parameters/allow_unsafe_interrupts",
		"module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
		"module/module/parameters/sig_enforce", "kernel/security/lockdown",
		"class/misc/iommu/dev", "class/misc/vfio/dev",
	};
	char name[PLACE], text[CPU_LIST_SIZE], line[CPU_LIST_SIZE + 32], driver[SYSFS_NAME_SIZE];
	struct cpu_list own;

	for (int irq = 0; irq < 24; irq++) {
		snprintf(name, sizeof(name), "kernel/irq/%d/chip_name", irq);
		pack_text(pack, name);
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		pack_text(pack, texts[i]);
	find_driver(pack->ctl, driver);
	if (driver[0])
		pack_driver(pack, driver);
	pack_command_line(pack);
	pack_kernel(pack);
	if (caller_cpus(pack->ctl, &own) || !cpu_list_text(&own, text))
		return;
	snprintf(line, sizeof(line), "Cpus_allowed_list:\t%s\n", text);
	archive_file(&pack->archive, "proc/self/status", line, strlen(line));
}

static int tell(struct tphctl *ctl, const struct pack *pack, const char *file)
{
	struct json_object *names = pack->archive.names;

	if (pack->restricted)
		note(ctl, "configuration space is hidden from this user, so the report lacks most "
		     "of it: better run as root");
	answer_add(ctl, "file", json_object_new_string(file));
	answer_add(ctl, "folder", json_object_new_string(TOP));
	answer_add(ctl, "contents", json_object_get(names));
	if (ctl->json)
		return TPHCTL_OK;
	for (size_t i = 0; i < json_object_array_length(names); i++)
		say("%s\n", json_object_get_string(json_object_array_get_idx(names, i)));
	say("\n%s holds that, and neither serial numbers nor names of hosts or users.\n"
	       "To read it:\n"
	       "  tar -xf %s; tphctl why --sysfs " TOP " %s\n", file, file, pack->address);
	return TPHCTL_OK;
}

static int write_failure(struct tphctl *ctl, const char *file, int error)
{
	return fail(ctl, exit_code_of(error), "file", file, error == -EEXIST ?
		    "give another name" : "give a file that can be written", "%s",
		    error == -EEXIST ? "it is there already" : strerror(-error));
}

int report_run(struct tphctl *ctl, const struct invocation *invocation)
{
	const char *file = invocation->operands > 1 ? invocation->operand[1] : FILE_NAME;
	char address[32], path[PATH_MAX], name[64];
	struct pack *pack;
	int code, error, fd;

	if (!device_name_parse(invocation->operand[0], address, sizeof(address), &fd) || fd >= 0)
		return fail(ctl, TPHCTL_USAGE, "device", invocation->operand[0],
			    "give it as 0000:01:00.0", "this is not a PCI address");
	answer_add(ctl, "device", json_object_new_string(address));
	pack = calloc(1, sizeof(*pack));
	if (!pack)
		return fail(ctl, TPHCTL_FAILED, "device", address, "", "%s", strerror(ENOMEM));
	pack->ctl = ctl;
	pack->address = address;
	snprintf(name, sizeof(name), "bus/pci/devices/%s", address);
	fd = source_path(pack, name, path) ? sysfs_open(path, O_DIRECTORY) : -ENODEV;
	if (fd >= 0)
		close(fd);
	if (fd < 0) {
		if (fd == -ENOENT && source_path(pack, "bus/pci/devices", path) && !sysfs_find(path))
			fd = -ENODEV;
		code = function_failure(ctl, address, fd);
		goto out;
	}
	error = archive_create(&pack->archive, file, TOP);
	if (error) {
		code = write_failure(ctl, file, error);
		goto out;
	}
	pack_way_up(pack, address);
	pack_group(pack);
	pack_machine(pack);
	error = archive_close(&pack->archive);
	if (error)
		unlink(file);
	code = error ? write_failure(ctl, file, error) : tell(ctl, pack, file);
	json_object_put(pack->archive.names);
out:
	free(pack);
	return code;
}
