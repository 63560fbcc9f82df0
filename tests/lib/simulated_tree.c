// SPDX-License-Identifier: MIT
/* A fabricated sysfs: see simulated_tree.h. */
#include <endian.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "simulated_tree.h"

#define SPACE	4096
#define FOLDER	256	/* what a path below the root needs */

static void give_up(const char *what, const char *path)
{
	fprintf(stderr, "tree: %s %s: %s\n", what, path, strerror(errno));
	exit(99);
}

static void full_path(char *full, const char *root, const char *path)
{
	snprintf(full, PATH_MAX, "%s/%s", root, path);
}

static void directory(const char *root, const char *path)
{
	char full[PATH_MAX];

	full_path(full, root, path);
	/* mostly what is above it is there already */
	if (!mkdir(full, 0755))
		return;
	for (char *slash = full + strlen(root); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(full, 0755) && errno != EEXIST)
			give_up("mkdir", full);
		*slash = '/';
	}
	if (mkdir(full, 0755) && errno != EEXIST)
		give_up("mkdir", full);
}

static void link_to(const char *root, const char *target, const char *path)
{
	char full[PATH_MAX];

	full_path(full, root, path);
	if (symlink(target, full))
		give_up("symlink", full);
}

void tree_put(const char *root, const char *path, const void *data, unsigned long size)
{
	char full[PATH_MAX];
	FILE *file;

	full_path(full, root, path);
	file = fopen(full, "we");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file))
		give_up("write", full);
}

static void put_text(const char *root, const char *folder, const char *name, const char *text)
{
	char path[2 * FOLDER];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	tree_put(root, path, text, strlen(text));
}

static void dword(uint8_t *space, unsigned int at, uint32_t value)
{
	value = htole32(value);
	memcpy(space + at, &value, sizeof(value));
}

/* Header and the PCI Express capability, @type as PCIe 6.2, 7.5.3.2 has it. */
static void express(uint8_t space[SPACE], unsigned int type, unsigned int completer)
{
	memset(space, 0, SPACE);
	dword(space, 0x04, 0x00100000);
	dword(space, 0x0c, type == 4 ? 0x00010000 : 0);
	dword(space, 0x34, 0x40);
	dword(space, 0x40, 0x00020010 | type << 20);
	dword(space, 0x64, completer << 12);
}

static void tph(uint8_t space[SPACE], uint32_t capability)
{
	dword(space, 0x100, 0x00020001 | 0x1b0u << 20);
	dword(space, 0x1b0, 0x00010017);
	dword(space, 0x1b4, capability);
}

static void join_group(const char *root, const char *folder, const char *address,
		       const char *group)
{
	char path[2 * FOLDER], target[PATH_MAX];

	snprintf(path, sizeof(path), "kernel/iommu_groups/%s/devices", group);
	directory(root, path);
	snprintf(path, sizeof(path), "kernel/iommu_groups/%s/type", group);
	tree_put(root, path, "DMA\n", 4);
	snprintf(path, sizeof(path), "kernel/iommu_groups/%s/devices/%s", group, address);
	snprintf(target, sizeof(target), "../../../../%s", folder);
	link_to(root, target, path);
	snprintf(target, sizeof(target), "%s/kernel/iommu_groups/%s", root, group);
	snprintf(path, sizeof(path), "%s/iommu_group", folder);
	link_to(root, target, path);
}

/* A function: @parents is the folder above it below /sys/devices. */
static void function(const char *root, const char *parents, const char *address, const char *ids,
		     const char *driver, const char *group, const uint8_t *space, size_t size)
{
	char folder[FOLDER], path[2 * FOLDER], target[PATH_MAX];

	snprintf(folder, sizeof(folder), "devices/%s/%s", parents, address);
	directory(root, folder);
	snprintf(path, sizeof(path), "bus/pci/devices/%s", address);
	snprintf(target, sizeof(target), "../../../%s", folder);
	link_to(root, target, path);
	snprintf(target, sizeof(target), "0x%.4s\n", ids);
	put_text(root, folder, "vendor", target);
	snprintf(target, sizeof(target), "0x%.4s\n", ids + 5);
	put_text(root, folder, "device", target);
	put_text(root, folder, "driver_override", "(null)\n");
	snprintf(path, sizeof(path), "%s/config", folder);
	tree_put(root, path, space, size);
	if (driver) {
		snprintf(target, sizeof(target), "%s/bus/pci/drivers/%s", root, driver);
		snprintf(path, sizeof(path), "%s/driver", folder);
		link_to(root, target, path);
	}
	if (group)
		join_group(root, folder, address, group);
}

static void driver(const char *root, const char *name)
{
	char folder[FOLDER];

	snprintf(folder, sizeof(folder), "bus/pci/drivers/%s", name);
	directory(root, folder);
	put_text(root, folder, "bind", "");
	put_text(root, folder, "unbind", "");
}

void tree_attribute(const char *root, const char *address, const char *attribute,
		    const char *text)
{
	char path[FOLDER], line[FOLDER];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/tph/%s", address, attribute);
	snprintf(line, sizeof(line), "%s\n", text);
	tree_put(root, path, line, strlen(line));
}

void tree_open(const char *root, int pid, int fd, const char *target, const char *info)
{
	char path[FOLDER], text[2 * FOLDER];

	snprintf(path, sizeof(path), "proc/%d/fd", pid);
	directory(root, path);
	snprintf(path, sizeof(path), "proc/%d/fdinfo", pid);
	directory(root, path);
	snprintf(path, sizeof(path), "proc/%d/comm", pid);
	tree_put(root, path, "qemu\n", 5);
	snprintf(path, sizeof(path), "proc/%d/fdinfo/%d", pid, fd);
	snprintf(text, sizeof(text), "pos:\t0\nflags:\t0100002\nmnt_id:\t15\n%s", info);
	tree_put(root, path, text, strlen(text));
	snprintf(path, sizeof(path), "proc/%d/fd/%d", pid, fd);
	link_to(root, target, path);
}

void tree_make(const char *root)
{
	static const char *const attributes[][2] = TREE_ATTRIBUTES;
	uint8_t space[SPACE];

	tree_remove(root);
	directory(root, "bus/pci/devices");
	directory(root, "devices/system/cpu");
	put_text(root, "devices/system/cpu", "present", "0-7\n");
	put_text(root, "devices/system/cpu", "possible", "0-7\n");
	directory(root, "devices/system/cpu/cpu5");
	put_text(root, "devices/system/cpu", "cpu5/online", "0\n");
	put_text(root, "bus/pci", "drivers_probe", "");
	driver(root, "tph-vfio-pci");
	driver(root, "vfio-pci");
	directory(root, "bus/pci/drivers/vfio-pci/module/parameters");
	put_text(root, "bus/pci/drivers/vfio-pci/module/parameters", "nointxmask", "N\n");
	driver(root, "nvme");
	driver(root, "pcieport");

	express(space, 4, 3);
	function(root, "pci0000:00", TREE_PORT, "1b36 000c", "pcieport", "1", space, SPACE);
	express(space, 0, 0);
	tph(space, 0x00000507);				/* all modes, extended, table in MSI-X */
	dword(space, 0x40, 0x00020010 | 0x80 << 8);
	dword(space, 0x80, 0x00070011);
	function(root, "pci0000:00/" TREE_PORT, TREE_ENDPOINT, "1b36 54ff", "tph-vfio-pci", "12",
		 space, SPACE);
	directory(root, "devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT "/vfio-dev/vfio7");
	put_text(root, "devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT, "vfio-dev/vfio7/dev",
		 "511:7\n");
	directory(root, "class/misc/iommu");
	put_text(root, "class/misc/iommu", "dev", "10:127\n");
	directory(root, "class/misc/vfio");
	put_text(root, "class/misc/vfio", "dev", "10:196\n");
	directory(root, "class/vfio/12");
	put_text(root, "class/vfio/12", "dev", "510:0\n");
	directory(root, "dev/char");
	link_to(root, "../../devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT "/vfio-dev/vfio7",
		"dev/char/1:7");
	link_to(root, "../../devices/virtual/vfio/12", "dev/char/1:5");
	directory(root, "devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT "/tph");
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		tree_attribute(root, TREE_ENDPOINT, attributes[i][0], attributes[i][1]);
	directory(root, "proc/1/fd");
	put_text(root, "proc", "cmdline", "root=/dev/sda1 pci=noaer,nomsi quiet\n");
	express(space, 4, 0);
	function(root, "pci0000:00", "0000:00:03.0", "1b36 000c", "pcieport", "2", space, SPACE);
	express(space, 0, 0);
	tph(space, 0x00000005);				/* No ST and Device Specific, no table */
	dword(space, 0x1b8, 0x00000102);
	function(root, "pci0000:00/0000:00:03.0", TREE_NVME, "8086 0a54", "nvme", "13", space,
		 SPACE);
	put_text(root, "bus/pci/devices/" TREE_NVME, "own", "nvme\n");
	express(space, 9, 0);
	tph(space, 0x000f0203);				/* 16 entries in the capability */
	function(root, "pci0000:00", TREE_INTEGRATED, "8086 1234", NULL, "5", space, SPACE);
	memset(space, 0, sizeof(space));
	function(root, "pci0000:00", TREE_CONVENTIONAL, "8086 100e", NULL, NULL, space, 256);
}

void tree_empty(const char *root)
{
	tree_remove(root);
	directory(root, "bus/pci/devices");
	directory(root, "bus/pci/drivers");
}

void tree_text(const char *root, const char *path, const char *text)
{
	char folder[FOLDER];
	const char *slash = strrchr(path, '/');

	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	directory(root, folder);
	put_text(root, folder, slash + 1, text);
}

void tree_driver(const char *root, const char *name, const char *taint)
{
	char path[FOLDER], target[FOLDER];

	driver(root, name);
	if (!taint)
		return;
	snprintf(path, sizeof(path), "module/%s/taint", name);
	tree_text(root, path, taint);
	snprintf(path, sizeof(path), "bus/pci/drivers/%s/module", name);
	snprintf(target, sizeof(target), "../../../../module/%s", name);
	link_to(root, target, path);
}

/* Extended capability at 0x100, with all that can be controlled; @control as PCIe 6.2, 7.7.11.3. */
static void access_control(uint8_t space[SPACE], unsigned int control)
{
	dword(space, 0x100, 0x0001000d);
	dword(space, 0x104, 0x1d | control << 16);
}

void tree_function(const char *root, const struct tree_function *f)
{
	uint8_t space[SPACE] = { 0 };

	if (f->kind == TREE_KIND_PCI)
		space[0x0e] = 0;
	else
		express(space, (unsigned int)f->kind, 0);
	dword(space, 0x0c, (f->secondary ? 0x00010000u : 0) | (f->multifunction ? 0x00800000u : 0));
	dword(space, 0x18, (uint32_t)f->secondary << 8);
	if (f->acs)
		access_control(space, f->acs == TREE_ACS_ON ? 0x1d : 0);
	function(root, f->parents, f->address, "8086 10d3", f->driver, f->group, space,
		 f->kind == TREE_KIND_PCI ? 256 : SPACE);
}

void tree_add_looped(const char *root)
{
	uint8_t space[SPACE];

	express(space, 0, 0);
	dword(space, 0x100, 0x00010001 | 0x200u << 20);
	dword(space, 0x200, 0x00010002 | 0x100u << 20);
	function(root, "pci0000:00", "0000:02:00.0", "8086 5555", NULL, NULL, space, SPACE);
}

void tree_add_completer(const char *root, unsigned int code)
{
	uint8_t space[SPACE];

	express(space, 0, code);
	function(root, "pci0000:00", TREE_COMPLETER, "10de 2330", NULL, "7", space, SPACE);
}

void tree_debug(const char *root, const char *address, const char *text)
{
	directory(root, "kernel/debug/tph-vfio-pci");
	if (text)
		put_text(root, "kernel/debug/tph-vfio-pci", address, text);
}

void tree_set_dword(const char *root, const char *address, unsigned int at, unsigned int value)
{
	char full[PATH_MAX], path[FOLDER];
	uint32_t raw = htole32(value);
	FILE *file;

	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", address);
	full_path(full, root, path);
	file = fopen(full, "r+e");
	if (!file || fseek(file, (long)at, SEEK_SET) || fwrite(&raw, sizeof(raw), 1, file) != 1 ||
	    fclose(file))
		give_up("write", full);
}

void tree_hide(const char *root, const char *address)
{
	char full[PATH_MAX], path[FOLDER];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", address);
	full_path(full, root, path);
	if (truncate(full, 64))
		give_up("truncate", full);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

void tree_remove(const char *root)
{
	if (nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
		give_up("remove", root);
}
