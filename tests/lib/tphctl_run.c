// SPDX-License-Identifier: MIT
/* Runs tphctl, and looks at what it says: see tphctl_run.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Before cmocka, which makes a macro of the name of one of its functions. */
#include "sysfs.h"
#include "sysfs_file.h"
#include "tphctl.h"

#include "simulated_paths.h"
#include "simulation.h"
#include "tphctl_run.h"

#define KEPT_FD 100	/* and on: no run has so many open */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

#ifdef SANITIZED
/* of <sanitizer/allocator_interface.h>, which gcc does not bring everywhere */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

struct run_result result;
struct run_options with = { .device_fd = -1 };

static const char *scratch_path(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s.%s", simulated_sysfs, name);
	return path;
}

static void read_back(const char *name, char *text)
{
	FILE *file = fopen(scratch_path(name), "re");
	size_t length = 0;

	if (file) {
		length = fread(text, 1, OUTPUT_SIZE - 1, file);
		fclose(file);
	}
	text[length] = '\0';
	remove(scratch_path(name));
}

static void give_input(const char *path)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	if (with.input)
		fputs(with.input, file);
	fclose(file);
}

static void redirect(const char *path, int flags, int as)
{
	int fd = open(path, flags, 0600);

	if (fd < 0 || (fd != as && (dup2(fd, as) < 0 || close(fd))))
		_exit(99);
}

/* Without what lets root read all files. */
static void drop_privilege(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uint32_t gone = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;

	if (syscall(SYS_capget, &header, data))
		_exit(99);
	data[0].effective &= ~gone;
	data[0].permitted &= ~gone;
	data[0].inheritable &= ~gone;
	if (syscall(SYS_capset, &header, data))
		_exit(99);
}

/* Bytes in use. */
static size_t allocated(void)
{
#ifdef SANITIZED
	return __sanitizer_get_current_allocated_bytes();
#else
	return 0;
#endif
}

/* Cut at blanks. */
static int cut(char *text, char **words)
{
	char *rest = NULL;
	int count = 0;

	words[count++] = (char *)"tphctl";
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	words[count] = NULL;
	return count;
}

int tphctl(const char *words, const char *simulation, const char *log)
{
	char text[4096], *arguments[64];
	int code;

	snprintf(text, sizeof(text), "%s", words);
	simulation_begin(simulation, log);
	code = tphctl_main(cut(text, arguments), arguments);
	simulation_end();
	return code;
}

/* The list of PCI names takes longer to read than all else: read it once, for all runs. */
static void read_names(void)
{
	/* those of the trees: libpci remembers what was asked for */
	static const uint16_t ids[][2] = {
		{ 0x10de, 0x2330 }, { 0x1b36, 0x000c }, { 0x1b36, 0x54ff }, { 0x8086, 0x0a54 },
		{ 0x8086, 0x100e }, { 0x8086, 0x10d3 }, { 0x8086, 0x1234 }, { 0x8086, 0x5555 },
	};
	struct pci_function function;
	char name[256];

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		function.vendor = ids[i][0];
		function.device = ids[i][1];
		function_name(&function, name, sizeof(name));
	}
}

/* Standard input, output and errors of a run, and of the test that does it here. */
struct streams {
	char paths[3][PATH_MAX];
	int kept[3];
};

static void streams_redirect(struct streams *streams)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		redirect(streams->paths[fd], fd ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, fd);
}

static void streams_swap(struct streams *streams)
{
	fflush(NULL);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		streams->kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, KEPT_FD);
	streams_redirect(streams);
}

static void streams_restore(struct streams *streams)
{
	fflush(NULL);
	__fpurge(stdin);
	clearerr(stdin);
	clearerr(stdout);
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		assert_int_equal(dup2(streams->kept[fd], fd), fd);
		close(streams->kept[fd]);
	}
}

static int open_here(void)
{
	int count = 0;

	for (int fd = 0; fd < KEPT_FD; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Here: memory that is lost is seen when the test ends. */
static int run_here(const char *words, const char *log, struct streams *streams)
{
	int code, before = open_here();

	streams_swap(streams);
	code = tphctl(words, with.simulation, log);
	streams_restore(streams);
	sysfs_confine(NULL);
	if (open_here() != before)
		fail_msg("tphctl %s: a descriptor is left open", words);
	return code;
}

/*
 * Looking for leaks takes ten times as long as all that tphctl does, for it reads whatever a process
 * has: so it is done, by exit(), where there is more memory in use than there was before.
 */
static void __attribute__((noreturn)) run_and_end(const char *words, const char *log)
{
	static char in[BUFSIZ], out[BUFSIZ];
	size_t before;
	int code;

	/* else they would be allocated when they are needed, and kept */
	setvbuf(stdin, in, _IOFBF, sizeof(in));
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	before = allocated();
	code = tphctl(words, with.simulation, log);
	if (allocated() > before)
		exit(code);
	fflush(NULL);
	_exit(code);
}

/* In a process of its own, which is not loaded anew. */
static int run_apart(const char *words, const char *log, struct streams *streams)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	if (!child) {
		streams_redirect(streams);
		if (with.device_fd >= 0 && dup2(with.device_fd, DEVICE_FD) < 0)
			_exit(99);
		if (with.unprivileged && !geteuid())
			drop_privilege();
		run_and_end(words, log);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * What ends with the process: a command that goes on until a signal, what one keeps between its
 * looks, and a file that has such commands. A process is what takes longest to make, so only those have one.
 */
static bool lasts(const char *words)
{
	static const char *const commands[] = {
		"bind", "unbind", "set", "follow", "watch", "-b",
	};

	if (!strncmp(words, "-j ", 3))
		words += 3;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strncmp(words, commands[i], strlen(commands[i])))
			return true;
	return false;
}

int run(const char *words)
{
	struct streams streams;
	char log[PATH_MAX];

	snprintf(streams.paths[0], PATH_MAX, "%s", scratch_path("in"));
	snprintf(streams.paths[1], PATH_MAX, "%s", with.out ? with.out : scratch_path("out"));
	snprintf(streams.paths[2], PATH_MAX, "%s", scratch_path("err"));
	snprintf(log, sizeof(log), "%s", scratch_path("log"));
	give_input(streams.paths[0]);
	read_names();
	result.out[0] = '\0';
	if (lasts(words) || with.device_fd >= 0 || with.unprivileged)
		result.status = run_apart(words, log, &streams);
	else
		result.status = run_here(words, log, &streams);
	remove(streams.paths[0]);
	if (!with.out)
		read_back("out", result.out);
	read_back("err", result.err);
	read_back("log", result.log);
	memset(&with, 0, sizeof(with));
	with.device_fd = -1;
	return result.status;
}

void explain(const char *words, int line, const char *what)
{
	fail_msg("line %d: tphctl %s: %s\nstatus %d\nstdout: %s\nstderr: %s\nlog: %s", line, words,
		 what, result.status, result.out, result.err, result.log);
}

struct json_object *parse(const char *text)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, (int)strlen(text));
	json_tokener_free(tokener);
	return object;
}

struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no \"%s\" in %s", key, json_object_to_json_string(object));
	return value;
}

const char *text_of(struct json_object *object, const char *key)
{
	return json_object_get_string(member(object, key));
}

int number_of(struct json_object *object, const char *key)
{
	return json_object_get_int(member(object, key));
}

/* Must fail so, and name @thing, in text and in JSON. */
void assert_fails_(const char *words, int status, const char *thing, int line)
{
	const char *simulation = with.simulation, *input = with.input;
	int device_fd = with.device_fd;
	bool unprivileged = with.unprivileged;
	struct json_object *document, *error;
	char in_json[4096];

	if (run(words) != status)
		explain(words, line, "wrong exit status");
	if (strncmp(result.err, "tphctl: ", 8) || !strstr(result.err, thing))
		explain(words, line, "the error does not name it");
	with.simulation = simulation;
	with.input = input;
	with.device_fd = device_fd;
	with.unprivileged = unprivileged;
	snprintf(in_json, sizeof(in_json), "-j %s", words);
	if (run(in_json) != status)
		explain(in_json, line, "wrong exit status");
	if (result.err[0])
		explain(in_json, line, "text where JSON was asked for");
	document = parse(result.out);
	if (!document)
		explain(in_json, line, "this is not JSON");
	assert_int_equal(number_of(document, "version"), 1);
	error = member(document, "error");
	assert_int_equal(number_of(error, "exit"), status);
	assert_non_null(strstr(json_object_to_json_string_ext(
				       error, JSON_C_TO_STRING_NOSLASHESCAPE), thing));
	assert_true(strlen(text_of(error, "thing")) > 0);
	assert_true(strlen(text_of(error, "value")) > 0);
	assert_true(strlen(text_of(error, "reason")) > 0);
	assert_true(strlen(text_of(error, "remedy")) > 0);
	json_object_put(document);
}

void assert_runs_(const char *words, int line)
{
	if (run(words))
		explain(words, line, "failed");
}

void assert_says_(const char *text, const char *what, int line)
{
	if (!strstr(text, what))
		explain("", line, what);
}

int setup(void **context)
{
	(void)context;
	tree_make(simulated_sysfs);
	return 0;
}

int cleanup(void **context)
{
	(void)context;
	tree_remove(simulated_sysfs);
	return 0;
}

void touch(const char *path)
{
	tree_put(simulated_sysfs, path, "", 0);
}

bool driver_is(const char *address, const char *driver)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", simulated_sysfs, address);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return !*driver;
	target[length] = '\0';
	return !strcmp(strrchr(target, '/') + 1, driver);
}

bool override_is(const char *address, const char *override)
{
	char path[PATH_MAX], word[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver_override", simulated_sysfs, address);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%63s", word), 1);
	fclose(file);
	return !strcmp(word, override);
}

/* What an attribute of a device says now. */
bool attribute_is(const char *address, const char *attribute, const char *text)
{
	char path[PATH_MAX], line[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/tph/%s", simulated_sysfs, address, attribute);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
	return !strcmp(line, text);
}

/* Where interrupts are isolated, and a module of the project is loaded. */
int why_setup(void **context)
{
	setup(context);
	tree_text(simulated_sysfs, "kernel/irq/1/chip_name", "IR-IO-APIC\n");
	tree_text(simulated_sysfs, "module/iommufd/parameters/allow_unsafe_interrupts", "N\n");
	tree_text(simulated_sysfs, "proc/sys/kernel/osrelease", "7.3.4-doe\n");
	tree_text(simulated_sysfs, "boot/config-7.3.4-doe", "CONFIG_ACPI=y\nCONFIG_VFIO_PCI_CORE=m\n"
		  "CONFIG_PCIE_TPH=y\nCONFIG_LOCALVERSION=\"-doe\"\n");
	return 0;
}

/* Run why, which must end so, and find in its answer @name with @verdict and @text in it. */
void assert_why_(const char *address, int status, const char *broken, const char *name,
			const char *verdict, const char *text, int line)
{
	const char *simulation = with.simulation;
	bool unprivileged = with.unprivileged;
	struct json_object *document, *list, *found = NULL;
	char words[64];

	snprintf(words, sizeof(words), "why %s", address);
	if (run(words) != status)
		explain(words, line, "wrong exit status");
	if (!!strstr(result.out, "=> broken   ") != !!broken)
		explain(words, line, "wrong mark");
	if (broken && strncmp(strstr(result.out, "=> ") + 12, broken, strlen(broken)))
		explain(words, line, "another one is marked");
	if (!!*result.err != !!status)
		explain(words, line, "no error, or one too many");
	with.simulation = simulation;
	with.unprivileged = unprivileged;
	snprintf(words, sizeof(words), "-j why %s", address);
	if (run(words) != status)
		explain(words, line, "wrong exit status");
	document = parse(result.out);
	if (broken)
		assert_string_equal(text_of(document, "broken"), broken);
	else
		assert_null(member(document, "broken"));
	list = member(document, "conditions");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		bool holds = !strcmp(text_of(item, "verdict"), "ok");

		if (holds != !member(item, "remedy"))
			explain(words, line, "a remedy is missing, or not needed");
		if (!strcmp(text_of(item, "name"), name))
			found = item;
	}
	if (!found || strcmp(text_of(found, "verdict"), verdict) ||
	    !strstr(text_of(found, "text"), text))
		explain(words, line, text);
	assert_int_equal(json_object_array_length(list), 23);
	json_object_put(document);
}

/* Another member of the endpoint's group. */
void add_neighbour(const char *address, const char *driver, enum tree_kind kind,
			  unsigned char secondary)
{
	tree_function(simulated_sysfs, &(struct tree_function){
			.parents = "pci0000:00/" TREE_PORT, .address = address,
			.driver = driver, .group = "12", .kind = kind, .secondary = secondary,
			.multifunction = 1 });
}

/* @count functions below the endpoint's port, in the group @group. */
void add_crowd(unsigned int bus, unsigned int count, const char *group)
{
	char address[32];

	for (unsigned int i = 1; i <= count; i++) {
		snprintf(address, sizeof(address), "0000:%02x:%02x.%u", bus, i / 8, i % 8);
		tree_function(simulated_sysfs, &(struct tree_function){
				.parents = "pci0000:00/" TREE_PORT, .address = address,
				.driver = "vfio-pci", .group = group, .multifunction = 1 });
	}
}

/* Two functions that share a group, one on its host driver; @alias: behind a bridge to PCI. */
void make_pair(bool alias)
{
	tree_driver(simulated_sysfs, "e1000e", "");
	if (alias)
		add_neighbour("0000:01:01.0", NULL, TREE_KIND_BRIDGE, 2);
	tree_function(simulated_sysfs, &(struct tree_function){
			.parents = alias ? "pci0000:00/" TREE_PORT "/0000:01:01.0" :
				   "pci0000:00/" TREE_PORT,
			.address = alias ? "0000:02:00.0" : "0000:01:00.1", .driver = "e1000e",
			.group = "12", .kind = alias ? TREE_KIND_PCI : TREE_KIND_ENDPOINT,
			.multifunction = !alias });
	tree_set_dword(simulated_sysfs, TREE_ENDPOINT, 0x0c, 0x00800000);
}

bool file_has(const char *path, const void *what, size_t size)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "re");
	size_t length;

	assert_non_null(file);
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	return memmem(text, length, what, size);
}
