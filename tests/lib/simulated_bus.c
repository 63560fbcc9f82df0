// SPDX-License-Identifier: MIT
/*
 * The driver core's side of sysfs, in place of tools/attribute.c: writes to driver_override, bind,
 * unbind and drivers_probe move the links of a tree as the kernel would. A driver whose folder
 * holds a file "refuses" probes nothing; a device's file "own" names the driver that it gets
 * without an override.
 *
 * tph-vfio-pci's attributes are files, of which policy, cpus and publish are served as
 * doc/abi/sysfs-bus-pci-tph says. A device's file "open" makes it open; "tph-error" says which of
 * them fails, how, and whether the device is opened just then: "cpus 22 open".
 *
 * A file "interrupt" in the tree says which signal comes after which write.
 *
 * Who waits for attributes gets, each time, the next line of the file "script" in the tree: what
 * the attributes say then ("targets=2-3;revocations=1"), or one of nothing, unbind, interrupt and
 * fail=ERRNO.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attribute.h"
#include "module.h"
#include "simulated_kernel.h"
#include "simulated_tree.h"

#define NAME	64
#define CPUS	8	/* that the machine has */

static bool attributes_gone;

static void path_of(char *path, const char *format, const char *first, const char *second)
{
	char relative[PATH_MAX / 2];

	snprintf(relative, sizeof(relative), format, first, second);
	snprintf(path, PATH_MAX, "%s/bus/pci/%s", TPHCTL_SYSFS, relative);
}

static bool read_word(const char *path, char word[NAME])
{
	FILE *file = fopen(path, "re");
	bool found;

	if (!file)
		return false;
	found = fscanf(file, "%63s", word) == 1;
	fclose(file);
	return found;
}

static void driver_of(const char *device, char driver[NAME])
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	path_of(path, "devices/%s/driver%s", device, "");
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	snprintf(driver, NAME, "%s", length < 0 ? "" : strrchr(target, '/') + 1);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	if (!file || fprintf(file, "%s\n", text) < 0 || fclose(file)) {
		fprintf(stderr, "bus: %s: %s\n", path, strerror(errno));
		exit(99);
	}
}

static void read_line(const char *path, char text[NAME])
{
	FILE *file = fopen(path, "re");

	text[0] = '\0';
	if (file && fgets(text, NAME, file))
		text[strcspn(text, "\n")] = '\0';
	if (file)
		fclose(file);
}

/* A register of the device; 0 where there is none. */
static uint32_t register_of(const char *device, long at)
{
	uint32_t value = 0;
	char path[PATH_MAX];
	FILE *file;

	path_of(path, "devices/%s/config%s", device, "");
	file = fopen(path, "re");
	if (file && (fseek(file, at, SEEK_SET) || fread(&value, sizeof(value), 1, file) != 1))
		value = 0;
	if (file)
		fclose(file);
	return le32toh(value);
}

static void attributes_come(const char *device)
{
	static const char *const attributes[][2] = TREE_ATTRIBUTES;
	uint32_t completer = register_of(device, 0x64) >> 12 & 3;
	char path[PATH_MAX];

	path_of(path, "devices/%s/tph%s", device, "");
	mkdir(path, 0755);
	if (completer == 1 || completer == 3) {
		path_of(path, "devices/%s/tph/%s", device, "publish");
		write_file(path, "1");
	}
	if ((register_of(device, 0x1b0) & 0xffff) != 0x17)
		return;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
		path_of(path, "devices/%s/tph/%s", device, attributes[i][0]);
		write_file(path, attributes[i][1]);
	}
}

static void attributes_go(const char *device)
{
	static const char *const attributes[][2] = TREE_ATTRIBUTES;
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
		path_of(path, "devices/%s/tph/%s", device, attributes[i][0]);
		unlink(path);
	}
	path_of(path, "devices/%s/tph/%s", device, "publish");
	unlink(path);
	path_of(path, "devices/%s/tph%s", device, "");
	rmdir(path);
	attributes_gone = true;
}

/* CPUs of a list below CPUS as bits, or -1. */
static int cpus_of(const char *text)
{
	int bits = 0, length;
	unsigned int first, last;

	while (*text) {
		if (sscanf(text, "%u-%u%n", &first, &last, &length) != 2) {
			if (sscanf(text, "%u%n", &first, &length) != 1)
				return -1;
			last = first;
		}
		if (first > last || last >= CPUS)
			return -1;
		for (; first <= last; first++)
			bits |= 1 << first;
		text += length;
		text += *text == ',';
	}
	return bits;
}

/* What the entries on CPUs that went away leave: each CPU of targets stands for one entry. */
static void take_back(const char *device, int granted)
{
	char path[PATH_MAX], text[NAME], left[NAME] = "";
	unsigned int revocations, taken = 0;
	size_t used = 0;
	int targets;

	path_of(path, "devices/%s/tph/%s", device, "targets");
	read_line(path, text);
	targets = cpus_of(text);
	for (int cpu = 0; cpu < CPUS; cpu++) {
		if (!(targets & 1 << cpu))
			continue;
		if (granted & 1 << cpu)
			used += (size_t)snprintf(left + used, sizeof(left) - used, "%s%d",
						 used ? "," : "", cpu);
		else
			taken++;
	}
	write_file(path, left);
	path_of(path, "devices/%s/tph/%s", device, "revocations");
	read_line(path, text);
	revocations = (unsigned int)atoi(text);
	snprintf(text, sizeof(text), "%u", revocations + taken);
	write_file(path, text);
}

static int write_tph(const char *device, const char *attribute, const char *path,
		     const char *text)
{
	char flag[PATH_MAX], line[NAME], which[NAME], opens[NAME] = "", now[NAME];
	const char *value = strcmp(text, "\n") ? text : "";
	int error, bits;

	path_of(flag, "devices/%s/tph-error%s", device, "");
	read_line(flag, line);
	if (sscanf(line, "%63s %d %63s", which, &error, opens) >= 2 && !strcmp(which, attribute)) {
		path_of(flag, "devices/%s/%s", device, "open");
		if (*opens)
			write_file(flag, "");
		return -error;
	}
	if (!strcmp(attribute, "policy")) {
		if (strcmp(text, "no-st") && strcmp(text, "iv-st") && strcmp(text, "ds-st"))
			return -EINVAL;
		path_of(flag, "devices/%s/%s", device, "open");
		read_line(path, now);
		if (strcmp(now, text) && !access(flag, F_OK))
			return -EBUSY;
	} else if (!strcmp(attribute, "publish")) {
		if (strcmp(text, "0") && strcmp(text, "1"))
			return -EINVAL;
	} else {
		bits = cpus_of(value);
		if (strcmp(attribute, "cpus") || bits < 0)
			return -EINVAL;
		take_back(device, bits);
	}
	write_file(path, value);
	return 0;
}

static int attach(const char *device, const char *driver)
{
	char path[PATH_MAX], target[PATH_MAX];
	FILE *file;

	path_of(path, "drivers/%s%s", driver, "");
	if (access(path, F_OK))
		return -ENODEV;
	path_of(path, "drivers/%s/%s", driver, "refuses");
	if (!access(path, F_OK))
		return -EINVAL;
	path_of(path, "devices/%s/driver%s", device, "");
	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	if (symlink(target, path))
		return -errno;
	if (!strcmp(driver, "tph-vfio-pci"))
		attributes_come(device);
	if (!strstr(driver, "vfio"))
		return 0;
	path_of(path, "devices/%s/vfio-dev%s", device, "");
	mkdir(path, 0755);
	path_of(path, "devices/%s/vfio-dev/vfio7%s", device, "");
	mkdir(path, 0755);
	path_of(path, "devices/%s/vfio-dev/vfio7/dev%s", device, "");
	file = fopen(path, "we");
	if (file) {
		fputs("511:7\n", file);
		fclose(file);
	}
	return 0;
}

static int detach(const char *device, const char *driver)
{
	char path[PATH_MAX], now[NAME];

	driver_of(device, now);
	if (!*now || strcmp(now, driver))
		return -ENODEV;
	path_of(path, "drivers/%s/%s", driver, "keeps");
	if (!access(path, F_OK))
		return -EBUSY;
	path_of(path, "devices/%s/driver%s", device, "");
	unlink(path);
	attributes_go(device);
	path_of(path, "devices/%s/vfio-dev/vfio7/dev%s", device, "");
	unlink(path);
	path_of(path, "devices/%s/vfio-dev/vfio7%s", device, "");
	rmdir(path);
	path_of(path, "devices/%s/vfio-dev%s", device, "");
	rmdir(path);
	return 0;
}

static int probe(const char *device)
{
	char path[PATH_MAX], driver[NAME];

	driver_of(device, driver);
	if (*driver)
		return 0;
	path_of(path, "devices/%s/%s", device, "driver_override");
	if (!read_word(path, driver) || !strcmp(driver, "(null)")) {
		path_of(path, "devices/%s/%s", device, "own");
		if (!read_word(path, driver))
			return 0;
	}
	/* The bus tells nobody that a driver said no. */
	attach(device, driver);
	return 0;
}

static int serve(const char *path, const char *text)
{
	char device[NAME], driver[NAME], relative[NAME * 4], root[PATH_MAX];
	FILE *file;

	snprintf(root, sizeof(root), "%s/bus/pci/", TPHCTL_SYSFS);
	if (strncmp(path, root, strlen(root)))
		return -ENOENT;
	if (sim.read_only)
		return -EROFS;
	if (access(path, W_OK))
		return -errno;
	if (!*text)	/* a write of nothing succeeds, and reaches no driver */
		return 0;
	snprintf(relative, sizeof(relative), "%s", path + strlen(root));
	if (sim.log)
		fprintf(sim.log, "write %s: %s\n", relative, strcmp(text, "\n") ? text : "");
	if (!strcmp(relative, "drivers_probe"))
		return probe(text);
	if (sscanf(relative, "drivers/%63[^/]/unbin%63s", driver, device) == 2)
		return detach(text, driver);
	if (sscanf(relative, "drivers/%63[^/]/bin%63s", driver, device) == 2)
		return attach(text, driver);
	if (sscanf(relative, "devices/%63[^/]/tph/%63s", device, driver) == 2)
		return write_tph(device, driver, path, text);
	if (sscanf(relative, "devices/%63[^/]/driver_overrid%63s", device, driver) != 2)
		return -ENOENT;
	file = fopen(path, "we");
	if (!file)
		return -errno;
	fprintf(file, "%s\n", strcmp(text, "\n") ? text : "(null)");
	fclose(file);
	return 0;
}

/* Once what the file "interrupt" names is written, the signal of that number comes: "unbind 15". */
static void interrupt_after(const char *path)
{
	char flag[PATH_MAX], line[NAME], which[NAME];
	int number;

	snprintf(flag, sizeof(flag), "%s/interrupt", TPHCTL_SYSFS);
	read_line(flag, line);
	if (sscanf(line, "%63s %d", which, &number) != 2 || strcmp(strrchr(path, '/') + 1, which))
		return;
	unlink(flag);
	raise(number);
}

int attribute_write(const char *path, const char *text)
{
	int error = serve(path, text);

	interrupt_after(path);
	return error;
}

/* A module that could be loaded is a driver's folder in "loadable". */
void module_load(const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (sim.log)
		fprintf(sim.log, "modprobe %s\n", name);
	snprintf(from, sizeof(from), "%s/loadable/%s", TPHCTL_SYSFS, name);
	path_of(to, "drivers/%s%s", name, "");
	rename(from, to);
}

int attribute_open(const char *path)
{
	int fd;

	if (sim.debug_error && strstr(path, "/kernel/debug/"))
		return -sim.debug_error;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int attribute_read(int fd, char *text, size_t size)
{
	ssize_t length;

	if (attributes_gone)
		return -ENODEV;
	length = pread(fd, text, size - 1, 0);
	if (length < 0)
		return -errno;
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int uevent_open(void)
{
	return sim.uevent_error ? -sim.uevent_error : eventfd(0, EFD_CLOEXEC);
}

/* One step of the script, on the one device that is bound to tph-vfio-pci in every tree. */
static int step(char *text)
{
	char path[PATH_MAX], *value = strchr(text, '=');

	if (!strcmp(text, "nothing"))
		return 0;
	if (!strcmp(text, "unbind"))
		return detach(TREE_ENDPOINT, "tph-vfio-pci");
	if (!strcmp(text, "interrupt"))
		return raise(SIGINT);
	if (!value) {
		fprintf(stderr, "bus: what is \"%s\"?\n", text);
		exit(99);
	}
	*value++ = '\0';
	if (!strcmp(text, "fail"))
		return -atoi(value);
	path_of(path, "devices/%s/tph/%s", TREE_ENDPOINT, text);
	write_file(path, value);
	return 0;
}

int attribute_wait(const int *fds, unsigned int count, int uevents)
{
	static FILE *script;
	char path[PATH_MAX], line[256], *rest = NULL;
	int error = 0;

	for (unsigned int i = 0; i < count; i++)
		if (fcntl(fds[i], F_GETFD) < 0)
			return -EBADF;
	if (fcntl(uevents, F_GETFD) < 0)
		return -EBADF;
	snprintf(path, sizeof(path), "%s/script", TPHCTL_SYSFS);
	if (!script)
		script = fopen(path, "re");
	if (!script || !fgets(line, sizeof(line), script)) {
		fprintf(stderr, "bus: this waits for ever\n");
		exit(99);
	}
	line[strcspn(line, "\n")] = '\0';
	for (char *word = strtok_r(line, ";", &rest); word && !error;
	     word = strtok_r(NULL, ";", &rest))
		error = step(word);
	return error;
}
