// SPDX-License-Identifier: MIT
/*
 * tphctl on a sysfs that a stranger saved. The bytes change a good tree, which lies in memory: each
 * change puts something else into the place of a file or a folder, links in and out of the tree,
 * pipes, files without end, names of any bytes. One command then runs in this process.
 *
 * It must end, keep no descriptor and no memory, and write what a terminal, a parser and a tar(1)
 * can take; and what is outside of the tree is neither told, nor packed, nor written to.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <json-c/json.h>
#include <linux/openat2.h>

#include "../lib/simulated_tree.h"
#include "files.h"
#include "input.h"
#include "sysfs.h"
#include "tphctl.h"
#include "verdict.h"

#define CHANGES_MAX	8
#define OUTPUT_SIZE	(1 << 20)
#define CONFIG_SIZE	4096
#define BLOCK		512
#define OLD		16		/* one kernel of so many does not know openat2() */
#define TOP		"tphctl-report"

#define PORT_FOLDER	"devices/pci0000:00/" TREE_PORT
#define FOLDER		PORT_FOLDER "/" TREE_ENDPOINT
#define NVME_FOLDER	"devices/pci0000:00/0000:00:03.0/" TREE_NVME
#define GROUP		"kernel/iommu_groups/12"
#define CANARY		"not of this tree: f2e8c1"
#define CANARY_PART	8	/* bytes of it that tell it */

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

static const char *const paths[] = {
	FOLDER, FOLDER "/config", FOLDER "/vendor", FOLDER "/device", FOLDER "/driver",
	FOLDER "/iommu_group", FOLDER "/vfio-dev", FOLDER "/enable", FOLDER "/power",
	FOLDER "/power/runtime_status", FOLDER "/physfn", FOLDER "/driver_override", FOLDER "/tph",
	FOLDER "/tph/policy", FOLDER "/tph/cpus", FOLDER "/tph/targets", FOLDER "/tph/requester",
	FOLDER "/tph/revocations", FOLDER "/tph/steering", FOLDER "/tph/publish",
	PORT_FOLDER, PORT_FOLDER "/config", PORT_FOLDER "/driver", PORT_FOLDER "/vendor",
	NVME_FOLDER, NVME_FOLDER "/config", NVME_FOLDER "/driver", NVME_FOLDER "/iommu_group",
	"devices/pci0000:00", "devices", "devices/system/cpu/possible", "bus", "bus/pci",
	"bus/pci/devices", "bus/pci/devices/" TREE_ENDPOINT, "bus/pci/devices/" TREE_PORT,
	"bus/pci/devices/" TREE_NVME, "bus/pci/devices/10000:01:00.0", "bus/pci/drivers",
	"bus/pci/drivers/tph-vfio-pci", "bus/pci/drivers/tph-vfio-pci/unbind",
	"bus/pci/drivers/vfio-pci/module", "bus/pci/drivers/e1000e/module", "bus/pci/drivers_probe",
	"module/e1000e/taint", "module/iommufd/parameters/allow_unsafe_interrupts", "kernel", GROUP,
	GROUP "/devices", GROUP "/devices/" TREE_ENDPOINT, GROUP "/type", GROUP "/name",
	GROUP "/reserved_regions", "kernel/irq/1/chip_name", "kernel/debug/tph-vfio-pci",
	"kernel/debug/tph-vfio-pci/" TREE_ENDPOINT, "proc", "proc/cmdline", "proc/self",
	"proc/self/status", "proc/sys/kernel/osrelease", "boot", "boot/config-7.3.4-doe",
};

/* What a command writes in a tree, and what it is before. */
static const char *const written[][2] = {
	{ FOLDER "/driver_override", "(null)\n" }, { FOLDER "/tph/policy", "iv-st\n" },
	{ FOLDER "/tph/cpus", "0-7\n" }, { FOLDER "/tph/publish", "1\n" },
	{ NVME_FOLDER "/driver_override", "(null)\n" },
	{ PORT_FOLDER "/driver_override", "(null)\n" },
	{ "bus/pci/drivers_probe", "" }, { "bus/pci/drivers/tph-vfio-pci/unbind", "" },
	{ "bus/pci/drivers/tph-vfio-pci/bind", "" }, { "bus/pci/drivers/nvme/unbind", "" },
	{ "bus/pci/drivers/nvme/bind", "" }, { "bus/pci/drivers/pcieport/unbind", "" },
	{ "bus/pci/drivers/pcieport/bind", "" }, { "bus/pci/drivers/e1000e/unbind", "" },
	{ "bus/pci/drivers/e1000e/bind", "" },
};

static const char *const addresses[] = { TREE_ENDPOINT, TREE_NVME, TREE_PORT, "0000:01:00.1",
					 TREE_INTEGRATED, TREE_CONVENTIONAL, "10000:01:00.0" };

/**
 * struct change - one thing in the place of another
 * @parent: folder that it is in
 * @path: where it is in the tree
 * @stashed: what was there is in the stash, by the change's number
 */
struct change {
	int parent;
	char name[256], path[512];
	bool stashed, made;
};

/* the folders that @paths are in, and the files that commands write to: opened once */
static int parents[COUNT(paths)];
static int writables[COUNT(written)];

/* where all is; @outside holds the canary */
static struct {
	char base[64], root[80], canary[80], tar[80];
	char up_and_out[256];
	int top, stash, canary_fd;
	uint8_t config[CONFIG_SIZE];
} world;

static struct change changes[CHANGES_MAX];
static unsigned int change_count;

/* what a command says: cut off where there is no room, which no answer comes near to */
static struct capture {
	FILE *file;
	char text[OUTPUT_SIZE];
	size_t length;
} out, err;

static FILE *own_stdout, *own_stderr;

static ssize_t capture_write(void *cookie, const char *text, size_t size)
{
	struct capture *capture = cookie;

	if (size < sizeof(capture->text) - capture->length) {
		memcpy(capture->text + capture->length, text, size);
		capture->length += size;
	}
	return (ssize_t)size;
}

static void capture_open(struct capture *capture)
{
	static const cookie_io_functions_t functions = { .write = capture_write };

	capture->file = fopencookie(capture, "w", functions);
	must(capture->file, "no stream");
}

static void text(const char *path, const char *what)
{
	tree_text(world.root, path, what);
}

static void remove_world(void)
{
	tree_remove(world.base);
}

static void make_canary(void)
{
	tree_put(world.base, "canary", CANARY "\n", strlen(CANARY) + 1);
	snprintf(world.canary, sizeof(world.canary), "%s/canary", world.base);
	world.canary_fd = open(world.canary, O_RDONLY | O_CLOEXEC);
	must(world.canary_fd >= 0, "no canary");
	/* as deep as anything of the tree, and so out of it from wherever */
	snprintf(world.up_and_out, sizeof(world.up_and_out), "../../../../../../../../../../..%s",
		 world.canary);
}

static int open_inside(const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, world.top, path, &how, sizeof(how));

	must(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

static void open_once(void)
{
	for (size_t i = 0; i < COUNT(paths); i++) {
		const char *slash = strrchr(paths[i], '/');
		char folder[256] = ".";

		if (slash)
			snprintf(folder, sizeof(folder), "%.*s", (int)(slash - paths[i]), paths[i]);
		parents[i] = open_inside(folder, O_PATH | O_DIRECTORY);
	}
	for (size_t i = 0; i < COUNT(written); i++)
		writables[i] = open_inside(written[i][0], O_RDWR);
}

static void make_world(void)
{
	char path[256];
	int fd;

	if (world.base[0])
		return;
	snprintf(world.base, sizeof(world.base), "%s/tph-tree-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	must(mkdtemp(world.base), "no folder: %s", strerror(errno));
	atexit(remove_world);
	snprintf(world.root, sizeof(world.root), "%s/tree", world.base);
	snprintf(world.tar, sizeof(world.tar), "%s/report.tar", world.base);
	snprintf(path, sizeof(path), "%s/stash", world.base);
	must(!mkdir(path, 0700), "no stash");
	tree_make(world.root);
	tree_driver(world.root, "e1000e", "");
	tree_function(world.root, &(struct tree_function){
			.parents = "pci0000:00/" TREE_PORT, .address = "0000:01:00.1",
			.driver = "e1000e", .group = "12", .multifunction = 1 });
	text("module/iommufd/parameters/allow_unsafe_interrupts", "N\n");
	text("kernel/irq/1/chip_name", "IR-IO-APIC\n");
	text("proc/sys/kernel/osrelease", "7.3.4-doe\n");
	text("proc/self/status", "Cpus_allowed_list:\t0-3\n");
	text("boot/config-7.3.4-doe", "CONFIG_ACPI=y\nCONFIG_VFIO_PCI_CORE=m\nCONFIG_PCIE_TPH=y\n");
	text(FOLDER "/enable", "1\n");
	text(FOLDER "/power/runtime_status", "active\n");
	text(FOLDER "/tph/publish", "1\n");
	tree_debug(world.root, TREE_ENDPOINT, "90 size=4096 st=0x0a xst=0x1234 ph=2\n");
	make_canary();
	if (files_load)
		files_load(world.base);
	world.stash = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	world.top = open(world.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = open_inside(FOLDER "/config", O_RDONLY);
	must(read(fd, world.config, CONFIG_SIZE) == CONFIG_SIZE, "no config");
	close(fd);
	own_stdout = stdout;
	own_stderr = stderr;
	capture_open(&out);
	capture_open(&err);
	open_once();
}

/* Whether no change has put something into the way to a folder that @path is in. */
static bool is_reachable(const char *path)
{
	for (unsigned int i = 0; i < change_count; i++) {
		size_t length = strlen(changes[i].path);

		if (!strncmp(path, changes[i].path, length) && path[length] == '/')
			return false;
	}
	return true;
}

/* Bytes with an end; an empty string becomes one letter. */
static void take_text(struct input *input, char *to, size_t most)
{
	size_t size = take8(input) % most;

	take(input, to, size);
	to[size] = '\0';
	if (!*to)
		strcpy(to, "x");
}

static const char *take_target(struct input *input, char raw[256])
{
	const char *const targets[] = {
		world.canary, world.up_and_out, world.root, world.base, "/", "..", ".", "../..",
		"/dev/zero", "/proc/self/fd/0", "../../../../../../../..", "loop",
		"../../../devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT,
		"../../../devices/pci0000:00/" TREE_PORT "/0000:00:03.0/" TREE_PORT "/"
			TREE_ENDPOINT,
		"../../../devices/pci10000:00/" TREE_ENDPOINT "/pci\n0:0/" TREE_PORT,
		"../../bus/pci/drivers/vfio-pci", "../../../../bus/pci/drivers/..", "x/",
		"../" GROUP, "../../../../kernel/iommu_groups/12", "iommu_groups/-1",
		"../../../../../kernel/iommu_groups/99999999999",
	};
	unsigned int which = take8(input);

	if (which < 0x80)
		return targets[which % COUNT(targets)];
	take_text(input, raw, 256);
	return raw;
}

static int create(const struct change *change)
{
	return openat(change->parent, change->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static bool make_file(struct input *input, struct change *change, bool configuration)
{
	int fd = create(change);
	uint8_t bytes[CONFIG_SIZE];
	size_t size = CONFIG_SIZE;
	uint32_t value;
	unsigned int at;

	if (fd < 0)
		return false;
	if (configuration) {
		memcpy(bytes, world.config, sizeof(bytes));
		for (unsigned int count = take8(input) % 16; count; count--) {
			at = take16(input) % (CONFIG_SIZE - 3);
			value = take32(input);
			memcpy(bytes + at, &value, sizeof(value));
		}
		at = take8(input);
		size = at < 0xc0 ? size : at < 0xe0 ? 64 : at < 0xf0 ? 256 : at;
	} else {
		size = take8(input);
		take(input, bytes, size);
	}
	must(write(fd, bytes, size) == (ssize_t)size, "no room in memory");
	close(fd);
	return true;
}

static bool make_huge(const struct change *change)
{
	int fd = create(change);
	bool made = fd >= 0 && !ftruncate(fd, (off_t)1 << 40);

	close(fd);
	return made;
}

static bool make_thing(struct input *input, struct change *change)
{
	char raw[256];

	switch (take8(input) % 10) {
	case 0:
		return false;	/* it is gone */
	case 1:
		return make_file(input, change, false);
	case 2:
	case 3:
		return make_file(input, change, true);
	case 4:
		return !mkdirat(change->parent, change->name, 0700);
	case 5:
		return !mkfifoat(change->parent, change->name, 0600);
	case 6:
		return !mknodat(change->parent, change->name, S_IFSOCK | 0600, 0);
	case 7:
		return make_huge(change);
	default:
		return !symlinkat(take_target(input, raw), change->parent, change->name);
	}
}

/* In the place of what is there, or beside it by a name of its own. */
static void make_change(struct input *input)
{
	struct change *change = &changes[change_count];
	unsigned int which = take8(input);
	const char *path = paths[which % COUNT(paths)];
	const char *slash = strrchr(path, '/');
	const size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
	char stash[16];

	if (!is_reachable(path))
		return;
	change->parent = parents[which % COUNT(paths)];
	strcpy(change->name, slash ? slash + 1 : path);
	if (which >= 0xc0) {
		take_text(input, change->name, sizeof(change->name));
		if (strchr(change->name, '/') || !strcmp(change->name, ".") ||
		    !strcmp(change->name, ".."))
			strcpy(change->name, "x");
	}
	memcpy(change->path, path, folder);
	memcpy(change->path + folder, change->name, strlen(change->name) + 1);
	snprintf(stash, sizeof(stash), "%u", change_count);
	change->stashed = !renameat(change->parent, change->name, world.stash, stash);
	change->made = make_thing(input, change);
	change_count++;
}

static void undo_changes(void)
{
	char stash[16];

	while (change_count) {
		struct change *change = &changes[--change_count];

		snprintf(stash, sizeof(stash), "%u", change_count);
		if (change->made && unlinkat(change->parent, change->name, 0))
			must(!unlinkat(change->parent, change->name, AT_REMOVEDIR), "left: %s",
			     strerror(errno));
		/* what a file that could not be made is like is not known */
		else if (!change->made)
			unlinkat(change->parent, change->name, 0);
		if (change->stashed)
			must(!renameat(world.stash, stash, change->parent, change->name),
			     "lost: %s", strerror(errno));
	}
}

static void undo_writes(void)
{
	for (size_t i = 0; i < COUNT(written); i++) {
		const char *before = written[i][1];
		ssize_t size = (ssize_t)strlen(before);
		char now[64];

		if (pread(writables[i], now, sizeof(now), 0) == size &&
		    !memcmp(now, before, (size_t)size))
			continue;
		must(!ftruncate(writables[i], 0) && pwrite(writables[i], before, (size_t)size, 0) ==
		     size, "%s: %s", written[i][0], strerror(errno));
	}
}

/* The printable character that @at begins with, in UTF-8: its length, or 0. */
static size_t character(const unsigned char *at, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 :
			at[0] < 0xf8 ? 4 : 0;
	uint32_t code = length == 1 ? at[0] : length ? at[0] & (0xffu >> (length + 1)) : 0;

	if (!length || length > left)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3fu);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return code < 0x20 || (code >= 0x7f && code < 0xa0) ? 0 : length;
}

static void check_readable(const struct capture *capture, const char *what)
{
	const unsigned char *bytes = (const unsigned char *)capture->text;
	size_t length;

	for (size_t at = 0; at < capture->length; at += length) {
		length = bytes[at] == '\n' ? 1 : character(bytes + at, capture->length - at);
		must(length, "%s: byte 0x%02x at %zu of: %.*s", what, bytes[at], at,
		     (int)capture->length, capture->text);
	}
	must(!memmem(capture->text, capture->length, CANARY, CANARY_PART), "%s tells: %.*s", what,
	     (int)capture->length, capture->text);
}

/* One document, one line, nothing else. */
static void check_document(int code)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *document, *version, *error;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	must(out.length && memchr(out.text, '\n', out.length) == out.text + out.length - 1,
	     "not one line: %.*s", (int)out.length, out.text);
	document = json_tokener_parse_ex(tokener, out.text, (int)out.length);
	must(document, "no JSON (%s): %.*s",
	     json_tokener_error_desc(json_tokener_get_error(tokener)), (int)out.length, out.text);
	must(json_object_object_get_ex(document, "version", &version), "no version");
	must(json_object_object_get_ex(document, "error", &error) == !!code, "status %d: %s", code,
	     out.text);
	must(!err.length, "text beside JSON: %.*s", (int)err.length, err.text);
	json_object_put(document);
	json_tokener_free(tokener);
}

/* Whether a path, from the folder @depth below the top, stays below the top: 0 is the top. */
static bool stays_below(const char *path, int depth, bool up)
{
	const char *end;

	if (*path == '/')
		return false;
	for (; *path; path = *end ? end + 1 : end) {
		size_t length;

		end = path + strcspn(path, "/");
		length = (size_t)(end - path);
		if (!length || (length == 1 && *path == '.'))
			return false;
		if (length == 2 && !strncmp(path, "..", 2)) {
			if (!up || --depth < 0)
				return false;
		} else {
			depth++;
		}
		for (size_t i = 0; i < length; i++)
			if (path[i] < ' ' || path[i] > '~')
				return false;
	}
	return true;
}

static int slashes(const char *path)
{
	int count = 0;

	while ((path = strchr(path, '/'))) {
		path++;
		count++;
	}
	return count;
}

/* One value of a pax header, if it is there. */
static void pax_value(const char *records, size_t size, const char *key, char value[PATH_MAX])
{
	char name[32];
	const char *at;
	size_t length;

	snprintf(name, sizeof(name), " %s=", key);
	at = memmem(records, size, name, strlen(name));
	if (!at)
		return;
	at += strlen(name);
	length = strcspn(at, "\n");
	must(length < PATH_MAX, "a long name");
	memcpy(value, at, length);
	value[length] = '\0';
}

/* POSIX.1, ustar interchange format: offsets of name, size, type and link. */
static void check_archive(void)
{
	static char bytes[1 << 22];
	char name[PATH_MAX] = "", target[PATH_MAX] = "";
	int fd = open(world.tar, O_RDONLY | O_CLOEXEC);
	ssize_t size;
	size_t at;

	if (fd < 0)
		return;
	size = read(fd, bytes, sizeof(bytes));
	close(fd);
	unlink(world.tar);
	must(size >= 2 * BLOCK && size % BLOCK == 0 && size < (ssize_t)sizeof(bytes),
	     "archive of %zd bytes", size);
	must(!memmem(bytes, (size_t)size, CANARY, CANARY_PART), "the archive has the canary");
	for (at = 0; bytes[at]; ) {
		const char *header = bytes + at;
		size_t length = strtoul(header + 124, NULL, 8);

		must(at + BLOCK + length + 2 * BLOCK <= (size_t)size,
		     "an archive that ends too early");
		if (!name[0])
			snprintf(name, sizeof(name), "%.100s", header);
		if (!target[0])
			snprintf(target, sizeof(target), "%.100s", header + 157);
		at += BLOCK + (length + BLOCK - 1) / BLOCK * BLOCK;
		if (header[156] == 'x') {
			name[0] = target[0] = '\0';
			pax_value(header + BLOCK, length, "path", name);
			pax_value(header + BLOCK, length, "linkpath", target);
			continue;
		}
		must(strchr("025", header[156]), "member of type %c", header[156]);
		must(!strncmp(name, TOP "/", strlen(TOP "/")) && stays_below(name, 0, false),
		     "a member called %s", name);
		must(header[156] != '2' || stays_below(target, slashes(name) - 1, true),
		     "a link from %s to %s", name, target);
		name[0] = target[0] = '\0';
	}
}

static void check_canary(void)
{
	char now[sizeof(CANARY) + 2] = "";

	must(pread(world.canary_fd, now, sizeof(now) - 1, 0) == (ssize_t)strlen(CANARY "\n") &&
	     !strcmp(now, CANARY "\n"), "the canary is %s", now);
}

/* Not those of libpci, which keeps in memory whatever is asked for. */
const char *function_name(const struct pci_function *function, char *name, size_t size)
{
	snprintf(name, size, "%04x:%04x", function->vendor, function->device);
	return name;
}

static unsigned int files(void)
{
	return files_open ? files_open() : 0;
}

static int run(int count, char **words)
{
	int code;

	out.length = err.length = 0;
	stdout = out.file;
	stderr = err.file;
	code = tphctl_main(count, words);
	fflush(stdout);
	fflush(stderr);
	stdout = own_stdout;
	stderr = own_stderr;
	sysfs_confine(NULL);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const commands[] = { "list", "show", "why", "group", "report", "dmabufs",
						"why", "group", "report", "show", "why", "report",
						"bind", "unbind", "grant", "bind" };
	struct input input = { data, size };
	char *words[12] = { (char *)"tphctl", (char *)"--sysfs", NULL };
	unsigned int what, how, before, files_before, count = 3;
	bool writes;
	int code;

	/* the fuzzer sees what is looked for, and tries it: then it is of the tree */
	if (memmem(data, size, CANARY, CANARY_PART))
		return 0;
	make_world();
	what = take8(&input);
	how = take8(&input);
	for (unsigned int i = 0; i < CHANGES_MAX && input.left; i++)
		make_change(&input);
	words[2] = world.root;
	if (what & 0x10)
		words[count++] = (char *)"-j";
	what &= 0xf;
	words[count++] = (char *)commands[what];
	if (what)
		words[count++] = (char *)addresses[how % COUNT(addresses)];
	if (!strcmp(commands[what], "report"))
		words[count++] = world.tar;
	if (!strcmp(commands[what], "grant") || how & 0x80)
		if (what >= 12 && what != 13) {
			words[count++] = (char *)"--cpus";
			words[count++] = (char *)"2-3";
		}
	writes = what >= 12;
	before = (unsigned int)fcntl(0, F_DUPFD_CLOEXEC, 0);
	close((int)before);
	files_before = files();
	/* the way through the tree is another where the kernel does not know openat2() */
	if (files_age)
		files_age(size % OLD == 0);
	code = run((int)count, words);
	if (files_age)
		files_age(false);
	must((unsigned int)fcntl(0, F_DUPFD_CLOEXEC, 0) == before, "it keeps a descriptor");
	close((int)before);
	must(files() == files_before, "%u files were open before, %u are after", files_before,
	     files());
	must(code >= 0 && code <= 4, "status %d", code);
	check_readable(&out, "standard output");
	check_readable(&err, "standard error");
	if (words[3] && !strcmp(words[3], "-j"))
		check_document(code);
	else
		must(!code || err.length, "status %d and no word", code);
	if (!strcmp(commands[what], "report"))
		check_archive();
	check_canary();
	undo_changes();
	if (writes)
		undo_writes();
	return 0;
}
