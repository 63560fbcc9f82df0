/* SPDX-License-Identifier: MIT */
/*
 * A sysfs with a few PCI devices in it:
 *
 * 0000:00:02.0  root port that completes 16-bit tags
 * 0000:01:00.0   endpoint below it: TPH, 8-entry table in MSI-X; tph-vfio-pci; group 12
 * 0000:00:03.0  root port that completes no TPH
 * 0000:04:00.0   endpoint below it: TPH, Device Specific mode, no table; nvme; group 13
 * 0000:00:05.0  root complex integrated endpoint: TPH, 16 entries in the capability; no driver
 * 0000:00:06.0  conventional PCI
 *
 * and eight CPUs, of which CPU 5 is offline. Its folder "proc" stands for /proc: a command line,
 * and a process 1 that has nothing open.
 */
#ifndef SIMULATED_TREE_H
#define SIMULATED_TREE_H

#define TREE_ENDPOINT	"0000:01:00.0"
#define TREE_NVME	"0000:04:00.0"
#define TREE_INTEGRATED	"0000:00:05.0"
#define TREE_CONVENTIONAL "0000:00:06.0"
#define TREE_PORT	"0000:00:02.0"
#define TREE_COMPLETER	"0000:00:07.0"

/*
 * What the nodes of the endpoint (1:7) and of its group (1:5) are in /dev: character devices that
 * every machine has, for what a descriptor is, is found by their numbers.
 */
#define TREE_DEVICE_NODE "/dev/full"
#define TREE_GROUP_NODE	"/dev/zero"

/* What tph-vfio-pci shows of a device that it has just been bound to. */
#define TREE_ATTRIBUTES { \
	{ "policy", "iv-st" }, { "cpus", "0-7" }, { "targets", "" }, { "requester", "off" }, \
	{ "revocations", "0" }, { "steering", "possible" }, \
}

/** tree_make() - make it anew at @root. Ends the test run where it cannot. */
void tree_make(const char *root);

/** tree_put() - write a file in it; @path is below its root. */
void tree_put(const char *root, const char *path, const void *data, unsigned long size);

/** tree_attribute() - what a bound device's attribute says. */
void tree_attribute(const char *root, const char *address, const char *attribute,
		    const char *text);

/**
 * tree_open() - process @pid has @target open as descriptor @fd, to read and write; @info: what its
 * fdinfo says besides
 */
void tree_open(const char *root, int pid, int fd, const char *target, const char *info);

/*
 * Other trees, for IOMMU groups: an empty one to which functions are added.
 */
enum tree_kind {
	TREE_KIND_ENDPOINT = 0,		/* else as device/port types, PCIe 6.2, 7.5.3.2 */
	TREE_KIND_ROOT_PORT = 4,
	TREE_KIND_UPSTREAM = 5,
	TREE_KIND_DOWNSTREAM = 6,
	TREE_KIND_BRIDGE = 7,		/* from PCI Express to PCI */
	TREE_KIND_PCI = -1,		/* conventional */
};

enum tree_acs {
	TREE_ACS_NONE = 0,
	TREE_ACS_OFF,			/* there, and not enabled */
	TREE_ACS_ON,
};

/**
 * struct tree_function - @parents: the folder above it below devices; @driver, @group: or NULL;
 * @secondary: bus number below it, 0 if it is no bridge
 */
struct tree_function {
	const char *parents, *address, *driver, *group;
	enum tree_kind kind;
	enum tree_acs acs;
	unsigned char secondary, multifunction;
};

/** tree_empty() - a sysfs without functions. */
void tree_empty(const char *root);

/** tree_text() - write a text file, and the folders that it is in. */
void tree_text(const char *root, const char *path, const char *text);

/** tree_driver() - a driver; @taint: of its module, NULL if it has none. */
void tree_driver(const char *root, const char *name, const char *taint);

/** tree_function() - its driver must be there. */
void tree_function(const char *root, const struct tree_function *f);

/** tree_add_looped() - 0000:02:00.0, whose list of extended capabilities never ends. */
void tree_add_looped(const char *root);

/**
 * tree_add_completer() - TREE_COMPLETER, which has no TPH Requester capability; no driver
 * @code: its TPH Completer Supported (PCIe 6.2, 7.5.3.15), 0..3
 */
void tree_add_completer(const char *root, unsigned int code);

/** tree_debug() - what the driver lists in debugfs; NULL: debugfs is mounted, but it is not open */
void tree_debug(const char *root, const char *address, const char *text);

/** tree_set_dword() - change a register in the configuration space of a function. */
void tree_set_dword(const char *root, const char *address, unsigned int at, unsigned int value);

/** tree_hide() - show of a function what one without privilege sees: 64 bytes. */
void tree_hide(const char *root, const char *address);

/** tree_remove() - take it away. */
void tree_remove(const char *root);

#endif /* SIMULATED_TREE_H */
