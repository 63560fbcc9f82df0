// SPDX-License-Identifier: MIT
/*
 * tphctl as its users meet it: words in, exit status and output out. The device, the kernel and the
 * PCI bus behind it are simulated; everything between is tphctl and libtph as they are shipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

/* Before cmocka, which makes a macro of the name of one of its functions. */
#include "cpu_list.h"
#include "tphctl.h"

#include <cmocka.h>
#include <json-c/json.h>

#include "simulated_tree.h"

#define TREE		TPHCTL_SYSFS
#define OUTPUT_SIZE	65536
#define DEVICE_FD	7

extern char **environ;

/* what a run left behind */
static struct {
	int status;
	char out[OUTPUT_SIZE], err[OUTPUT_SIZE], log[OUTPUT_SIZE];
} result;

/* how the next run differs: reset after it */
static struct {
	const char *simulation;		/* TPH_SIM */
	const char *input;		/* standard input */
	int device_fd;			/* to be inherited as DEVICE_FD */
	const char *out;		/* standard output goes there */
	bool unprivileged;		/* the modes of files bind it, whoever runs the test */
} with = { .device_fd = -1 };

static const char *scratch_path(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s.%s", TREE, name);
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

/* Run tphctl with @words, cut at blanks. */
static int run(const char *words)
{
	char text[4096], *arguments[64], *rest = NULL, simulation[256], log[PATH_MAX];
	char out[PATH_MAX], err[PATH_MAX], in[PATH_MAX];
	posix_spawn_file_actions_t actions;
	int count = 0, status, error;
	pid_t child;
	FILE *file;

	if (with.unprivileged && !geteuid()) {
		arguments[count++] = (char *)"setpriv";
		arguments[count++] = (char *)"--bounding-set=-dac_override,-dac_read_search";
	}
	arguments[count++] = (char *)TPHCTL;
	snprintf(text, sizeof(text), "%s", words);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		arguments[count++] = word;
	arguments[count] = NULL;
	snprintf(out, sizeof(out), "%s", with.out ? with.out : scratch_path("out"));
	snprintf(err, sizeof(err), "%s", scratch_path("err"));
	snprintf(in, sizeof(in), "%s", scratch_path("in"));
	file = fopen(in, "we");
	assert_non_null(file);
	if (with.input)
		fputs(with.input, file);
	fclose(file);
	snprintf(simulation, sizeof(simulation), "%s", with.simulation ? with.simulation : "");
	setenv("TPH_SIM", simulation, 1);
	snprintf(log, sizeof(log), "%s", scratch_path("log"));
	setenv("TPH_SIM_LOG", log, 1);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, in, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (with.device_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, with.device_fd, DEVICE_FD);
	error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(error, 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	remove(in);
	memset(&result, 0, sizeof(result));
	if (!with.out)
		read_back("out", result.out);
	read_back("err", result.err);
	read_back("log", result.log);
	memset(&with, 0, sizeof(with));
	with.device_fd = -1;
	result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return result.status;
}

static void explain(const char *words, int line, const char *what)
{
	fail_msg("line %d: tphctl %s: %s\nstatus %d\nstdout: %s\nstderr: %s\nlog: %s", line, words,
		 what, result.status, result.out, result.err, result.log);
}

static struct json_object *parse(const char *text)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, (int)strlen(text));
	json_tokener_free(tokener);
	return object;
}

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no \"%s\" in %s", key, json_object_to_json_string(object));
	return value;
}

static const char *text_of(struct json_object *object, const char *key)
{
	return json_object_get_string(member(object, key));
}

static int number_of(struct json_object *object, const char *key)
{
	return json_object_get_int(member(object, key));
}

/* Must fail so, and name @thing, in text and in JSON. */
static void assert_fails_(const char *words, int status, const char *thing, int line)
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
#define assert_fails(words, status, thing) assert_fails_(words, status, thing, __LINE__)

static void assert_runs_(const char *words, int line)
{
	if (run(words))
		explain(words, line, "failed");
}
#define assert_runs(words) assert_runs_(words, __LINE__)

static void assert_says_(const char *text, const char *what, int line)
{
	if (!strstr(text, what))
		explain("", line, what);
}
#define assert_says(text, what) assert_says_(text, what, __LINE__)

static int setup(void **context)
{
	(void)context;
	tree_make(TREE);
	return 0;
}

static int cleanup(void **context)
{
	(void)context;
	tree_remove(TREE);
	return 0;
}

static void touch(const char *path)
{
	tree_put(TREE, path, "", 0);
}

static bool driver_is(const char *address, const char *driver)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", TREE, address);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return !*driver;
	target[length] = '\0';
	return !strcmp(strrchr(target, '/') + 1, driver);
}

static bool override_is(const char *address, const char *override)
{
	char path[PATH_MAX], word[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver_override", TREE, address);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%63s", word), 1);
	fclose(file);
	return !strcmp(word, override);
}

static void words_that_make_no_sense(void **context)
{
	(void)context;
	assert_fails("", 2, "say what to do");
	assert_fails("frobnicate", 2, "frobnicate");
	assert_fails("List", 2, "List");
	assert_fails("--frobnicate list", 2, "--frobnicate");
	assert_fails("--jsonx list", 2, "--jsonx");
	assert_fails("-x list", 2, "-x");
	assert_fails("--json=yes list", 2, "--json=yes");
	assert_fails("list --sysfs", 2, "--sysfs");
	assert_fails("list --sysfs=", 2, "--sysfs=");
	assert_fails("list -b", 2, "-b");
	assert_fails("--sysfs /a --sysfs /b list", 2, "--sysfs");
	assert_fails("list surplus", 2, "surplus");
	assert_fails("show", 2, "tphctl show DEV");
	assert_fails("set " TREE_ENDPOINT, 2, "tphctl set DEV");
	assert_fails("set " TREE_ENDPOINT " 0=1 0=2", 2, "0=2");
	assert_fails("enable " TREE_ENDPOINT " iv 8 widest", 2, "widest");
	assert_fails("clear --pm " TREE_ENDPOINT " all", 2, "pm");
	assert_fails("set --driver nvme " TREE_ENDPOINT " 0=1", 2, "driver");
	assert_fails("--driver nvme", 2, "driver");
	assert_fails("grant " TREE_ENDPOINT, 2, "does not say what to grant");
	assert_fails("grant " TREE_ENDPOINT " --policy ds", 2, "there is no such policy");
	assert_fails("bind " TREE_NVME " --policy DS-ST", 2, "DS-ST");
	assert_fails("bind " TREE_NVME " --publish yes", 2, "give on or off");
	assert_fails("grant " TREE_ENDPOINT " --publish 1", 2, "option --publish");
	assert_fails("grant " TREE_ENDPOINT " --cpus 1 --publish On", 2, "On");
	assert_fails("dmabufs " TREE_ENDPOINT " --publish on", 2, "publish");
	assert_fails("dmabufs", 2, "tphctl dmabufs DEV");
	assert_fails("watch " TREE_ENDPOINT " --count 0", 2, "0");
	assert_fails("watch " TREE_ENDPOINT " --count -1", 2, "-1");
	assert_fails("watch " TREE_ENDPOINT " --count 4294967296", 2, "4294967296");
	assert_fails("watch " TREE_ENDPOINT " --sysfs /tmp", 2, "--sysfs");
	assert_fails("unbind " TREE_ENDPOINT " --cpus 1", 2, "cpus");
	assert_fails("list --vf-token bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3", 2, "vf-token");
	assert_fails("why " TREE_ENDPOINT " --vf-token bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3", 2,
		     "vf-token");
	/* before it is seen that the module is not loaded */
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_fails("bind " TREE_NVME " --policy foo", 2, "there is no such policy");
	assert_fails("bind " TREE_NVME " --cpus 9-2", 2, "CPU list");
	assert_fails("--force list", 2, "--force");
	assert_fails("-b - list", 2, "list");
	assert_fails("-- --version", 2, "--version");
}

static void devices_that_are_none(void **context)
{
	static const char *const bad[] = { "0", "eth0", "01:00", "0000:01:00.8", "fd:", "fd:-1",
					   "fd:x", "fd:0x3", "fd:2147483648", "fd:1,2", "FD:3",
					   "0000:01:00.0/", "../0000:01:00.0" };
	static const char *const commands[] = { "show %s", "set %s 0=1", "clear %s all",
						"enable %s", "disable %s", "bind %s", "unbind %s",
						"grant %s --cpus 1", "grant %s --publish on",
						"dmabufs %s", "watch %s", "why %s",
						"group %s", "report %s" };
	char words[256];

	(void)context;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (size_t j = 0; j < sizeof(commands) / sizeof(*commands); j++) {
			/* one of them is enough for each address, and one address for each */
			if (i && j)
				continue;
			snprintf(words, sizeof(words), commands[j], bad[i]);
			assert_fails(words, 2, bad[i]);
		}
	}
	assert_fails("bind fd:3", 2, "fd:3");
	assert_fails("unbind fd:3", 2, "fd:3");
	assert_fails("grant fd:3 --cpus 1", 2, "fd:3");
	assert_fails("watch fd:3", 2, "fd:3");
	assert_fails("why fd:3", 2, "fd:3");
	assert_fails("group fd:3", 2, "fd:3");
	assert_fails("report fd:3", 2, "fd:3");
}

/* What an attribute of a device says now. */
static bool attribute_is(const char *address, const char *attribute, const char *text)
{
	char path[PATH_MAX], line[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/tph/%s", TREE, address, attribute);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
	return !strcmp(line, text);
}

static void cpu_lists_that_are_none(void **context)
{
	static const char *const bad[] = {
		"-", "1-", "-1", "3-1", "3-2", "1,,2", ",1", "1,", ",", "a", "0x1", "1--2", "All",
		"1-2-3",
		"+1", "65536", "0-65536", "4294967296", "1;2", "0-7:1/2", "nonee", "none,1",
		"00000000000000000000000000000000000001", "1,all", "1.", "2-a",
	};
	char words[256];

	(void)context;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(words, sizeof(words), "grant " TREE_ENDPOINT " --cpus %s", bad[i]);
		if (run(words) != 2 || !strstr(result.err, "CPU list") || result.log[0])
			explain(words, __LINE__, "taken");
	}
	assert_fails("bind " TREE_NVME " --cpus 2-5,x", 2, "neither a number from 0 to 65535");
	assert_fails("bind " TREE_NVME " --cpus=", 2, "LIST is empty");
	assert_fails("bind " TREE_NVME " --cpus 2-9", 1, "CPU 8 does not exist");
	assert_says(result.out, "CPUs are 0-7");
	assert_fails("grant " TREE_ENDPOINT " --cpus 65535", 1, "CPU 65535 does not exist");
	assert_string_equal(result.log, "");
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_true(attribute_is(TREE_ENDPOINT, "cpus", "0-7"));
	remove(TREE "/devices/system/cpu/possible");
	assert_fails("bind " TREE_NVME " --cpus 2", 1, "cpu/possible cannot be read");
	assert_true(driver_is(TREE_NVME, "nvme"));
}

static void cpu_lists_as_the_kernel_writes_them(void **context)
{
	static const char *const pairs[][2] = {
		{ "", "" }, { "0", "0" }, { "2-5,8", "2-5,8" }, { "8,2-5", "2-5,8" },
		{ "5,2-3,4,3-4", "2-5" }, { "007", "7" }, { "63-64", "63-64" },
		{ "0,2,4", "0,2,4" }, { "65534,65535", "65534-65535" }, { "0-65535", "0-65535" },
	};
	static struct cpu_list list, other;
	char text[CPU_LIST_SIZE], item[8];
	uint32_t cpu;

	(void)context;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		assert_null(cpu_list_parse(pairs[i][0], &list, item, sizeof(item)));
		assert_true(cpu_list_text(&list, text));
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(cpu_list_empty(&list), !*pairs[i][1]);
	}
	assert_false(cpu_list_has(&list, 65536));
	assert_non_null(cpu_list_parse("1,1234567890", &list, item, sizeof(item)));
	assert_string_equal(item, "1234567");
	cpu_list_parse("1-3,64", &list, item, sizeof(item));
	cpu_list_parse("2-64", &other, item, sizeof(item));
	assert_true(cpu_list_missing(&list, &other, &cpu));
	assert_int_equal(cpu, 1);
	cpu_list_intersect(&list, &other);
	assert_false(cpu_list_missing(&list, &other, &cpu));
	cpu_list_text(&list, text);
	assert_string_equal(text, "2-3,64");
	/* 4096 bytes are what an attribute has: 10 * 2 + 90 * 3 + 900 * 4 + 41 * 5 and one more */
	memset(&list, 0, sizeof(list));
	for (cpu = 0; cpu < 20; cpu += 2)
		list.bits[0] |= UINT64_C(1) << cpu;
	assert_true(cpu_list_text(&list, text));
	for (cpu = 20; cpu < 4000; cpu += 2)
		list.bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
	assert_false(cpu_list_text(&list, text));
}

static void grants_that_are_refused(void **context)
{
	(void)context;
	assert_fails("grant 0000:09:00.0 --cpus 1", 1, "there is no such PCI device");
	assert_fails("grant " TREE_NVME " --cpus 1", 3, "see tphctl why " TREE_NVME);
	touch("bus/pci/devices/" TREE_ENDPOINT "/open");
	assert_fails("grant " TREE_ENDPOINT " --policy ds-st --cpus 2", 1,
		     TREE_ENDPOINT " is open, and its policy stays what it is");
	assert_says(result.out, "stop its user first; the CPU list (--cpus) can be changed");
	assert_string_equal(result.log, "write devices/" TREE_ENDPOINT "/tph/policy: ds-st\n");
	assert_true(attribute_is(TREE_ENDPOINT, "cpus", "0-7"));
	remove(TREE "/bus/pci/devices/" TREE_ENDPOINT "/open");

	/* Both or neither: what was done is undone. */
	tree_put(TREE, "bus/pci/devices/" TREE_ENDPOINT "/tph-error", "cpus 22", 7);
	assert_fails("grant " TREE_ENDPOINT " --policy ds-st --cpus 2", 1, "does not take it");
	assert_true(attribute_is(TREE_ENDPOINT, "policy", "iv-st"));
	assert_true(attribute_is(TREE_ENDPOINT, "cpus", "0-7"));
	tree_put(TREE, "bus/pci/devices/" TREE_ENDPOINT "/tph-error", "cpus 13", 7);
	assert_fails("grant " TREE_ENDPOINT " --cpus none", 4, "may not be written");
	tree_put(TREE, "bus/pci/devices/" TREE_ENDPOINT "/tph-error", "cpus 30", 7);
	assert_fails("grant " TREE_ENDPOINT " --cpus none", 4, "may not be written");
	tree_put(TREE, "bus/pci/devices/" TREE_ENDPOINT "/tph-error", "policy 19", 9);
	assert_fails("grant " TREE_ENDPOINT " --policy ds-st", 1, "taken from its driver");
	tree_put(TREE, "bus/pci/devices/" TREE_ENDPOINT "/tph-error", "cpus 22 open", 12);
	assert_int_equal(run("grant " TREE_ENDPOINT " --policy ds-st --cpus 2"), 1);
	assert_says(result.err, "and its policy is ds-st now");
	tree_attribute(TREE, TREE_ENDPOINT, "revocations", "many");
	assert_fails("grant " TREE_ENDPOINT " --cpus 2", 1, "cannot be read");
	tree_attribute(TREE, TREE_ENDPOINT, "revocations", "");
	assert_fails("grant " TREE_ENDPOINT " --cpus 2", 1, "cannot be read");
}

static void entries_that_are_none(void **context)
{
	static const char *const bad[] = {
		"=", "0", "0=", "=1", "0=1,", ",0=1", "0=1,,1=1", "0==1", "0=1=2", "-1=0", "0=-1",
		"+0=1", "0=+1", "0x1=1", "0=0x1", "1-=1", "-1-2=1", "2-1=0", "0-2048=0", "2048=0",
		"4294967296=0", "0=4294967295", "0=4294967296", "0=99999999999999999999", "0=None",
		"0=nonee", "0=1,0=2", "0-3=1,3=2", "a=1", "0=a", "0-1-2=3", "0=1;1=2", "all=1",
	};
	static const char *const bad_ranges[] = { "ALL", "x", "1-", "3-1", "2048", "0-2048", "1,2",
						  "0=1", "-1", "none" };
	char words[256];

	(void)context;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(words, sizeof(words), "set " TREE_ENDPOINT " -- %s", bad[i]);
		if (run(words) != 2 || !strstr(result.err, "entry") || result.log[0])
			explain(words, __LINE__, "taken");
	}
	for (size_t i = 0; i < sizeof(bad_ranges) / sizeof(*bad_ranges); i++) {
		snprintf(words, sizeof(words), "clear " TREE_ENDPOINT " -- %s", bad_ranges[i]);
		assert_fails(words, 2, bad_ranges[i]);
	}
	assert_fails("set " TREE_ENDPOINT " 0=1,5-x=2,6=7", 2, "5-x=2");
	assert_fails("enable " TREE_ENDPOINT " IV", 2, "IV");
	assert_fails("enable " TREE_ENDPOINT " 12", 2, "12");
	assert_fails("enable " TREE_ENDPOINT " iv ds", 2, "ds");
	assert_fails("enable " TREE_ENDPOINT " 8 16", 2, "16");
}

static void descriptors_that_do_not_do(void **context)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)context;
	assert_fails("show fd:99", 1, "fd:99");
	with.device_fd = null;
	assert_fails("show fd:7", 1, "not a VFIO device");
	with.device_fd = null;
	assert_fails("set fd:7 0=1", 1, "not a VFIO device");
	close(null);
}

static void devices_that_cannot_be_opened(void **context)
{
	(void)context;
	assert_fails("set 0000:09:00.0 0=1", 1, "0000:09:00.0");
	assert_fails("set " TREE_NVME " 0=1", 1, "bound to nvme");
	assert_fails("set " TREE_INTEGRATED " 0=1", 1, "bound to no driver");
	with.simulation = "held";
	assert_fails("set " TREE_ENDPOINT " 0=1", 1, "in use");
	with.simulation = "node-error=13";
	assert_fails("set " TREE_ENDPOINT " 0=1", 4, "may not be opened");
	with.simulation = "iommu-error=2";
	assert_fails("enable " TREE_ENDPOINT, 3, "/dev/iommu");
	with.simulation = "stock";
	assert_fails("set " TREE_ENDPOINT " 0=1", 3, "does not speak TPH");
	with.simulation = "stock";
	assert_fails("clear " TREE_ENDPOINT " all", 3, "does not speak TPH");
	with.simulation = "stock";
	assert_fails("enable " TREE_ENDPOINT, 3, "does not speak TPH");
	assert_fails("set --sysfs /tmp " TREE_ENDPOINT " 0=1", 2, "--sysfs");
	assert_fails("enable --sysfs /tmp " TREE_ENDPOINT, 2, "--sysfs");
}

/* The tool looks at its own affinity, which it has from here. */
static void cpus_that_are_not_granted(void)
{
	char words[128], simulation[64];
	cpu_set_t before, one;
	int here = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(here, &before))
		here++;
	CPU_ZERO(&one);
	CPU_SET(here, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_fails(here == 7 ? "set " TREE_ENDPOINT " 0=6" : "set " TREE_ENDPOINT " 0=7", 4,
		     "this process may not run on CPU");
	if (here < 8 && here != 5) {	/* a CPU that the simulated machine has, online */
		snprintf(words, sizeof(words), "set " TREE_ENDPOINT " 0=%d", here);
		snprintf(simulation, sizeof(simulation), "ungranted=%d", here);
		with.simulation = simulation;
		assert_fails(words, 4, "does not grant this CPU");
		tree_attribute(TREE, TREE_ENDPOINT, "cpus", here ? "0" : "1");
		with.simulation = simulation;
		assert_fails(words, 4, "the operator can: tphctl grant " TREE_ENDPOINT " --cpus");
		tree_attribute(TREE, TREE_ENDPOINT, "steering", "not-attached");
		with.simulation = simulation;
		assert_fails(words, 4, "is not attached to an I/O address space");
		tree_attribute(TREE, TREE_ENDPOINT, "steering", "possible");
		tree_attribute(TREE, TREE_ENDPOINT, "cpus", "0-7");
	}
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void entries_that_the_kernel_refuses(void **context)
{
	(void)context;
	assert_fails("set " TREE_ENDPOINT " 6-8=1", 1, "the device has 8, 0 to 7");
	assert_fails("set " TREE_ENDPOINT " 0=8", 1, "CPU 8 does not exist");
	assert_says(result.out, "CPUs are 0-7");
	assert_fails("set " TREE_ENDPOINT " 0=9,1=8", 1, "CPU 9 does not exist");
	assert_fails("set " TREE_ENDPOINT " 0=5", 4, "CPU 5 is offline");
	assert_fails("set " TREE_ENDPOINT " 0=1,1=5,2=0", 4, "CPU 5 is offline");
	cpus_that_are_not_granted();
	assert_fails("set " TREE_ENDPOINT " 0-1=1,3=5", 4,
		     "CPU 5 is offline; entries up to 1 are set");
	with.simulation = "crowded";
	assert_fails("set " TREE_ENDPOINT " 0=1", 1, "too many other processes");
	with.simulation = "policy=no-st";
	assert_fails("set " TREE_ENDPOINT " 0=1", 4, "policy");
	with.simulation = "probe-error=95";
	assert_fails("set " TREE_ENDPOINT " 0=1", 3, "cannot steer");
	with.simulation = "without-tag=1";
	assert_fails("set " TREE_ENDPOINT " 0=1", 3, "no valid steering tag for CPU 1");
	with.simulation = "policy=no-st";
	assert_fails("clear " TREE_ENDPOINT " all", 4, "policy");
	assert_fails("clear " TREE_ENDPOINT " 8", 1, "the device has 8");
}

static void modes_that_the_device_refuses(void **context)
{
	(void)context;
	with.simulation = "policy=iv-st";
	assert_fails("enable " TREE_ENDPOINT " ds", 3, "does not offer it");
	with.simulation = "narrow";
	assert_fails("enable " TREE_ENDPOINT " iv 16", 3, "no such tags");
	with.simulation = "inaccessible";
	assert_fails("enable " TREE_ENDPOINT " iv", 1, "did not go into Interrupt Vector mode");
}

static void batches_that_fail(void **context)
{
	(void)context;
	assert_fails("-b /nonexistent/file", 1, "/nonexistent/file");
	assert_fails("-b /", 1, "/");
	with.input = "\n# comment\nset " TREE_ENDPOINT " 0=1\nfrobnicate x\n"
		     "set " TREE_ENDPOINT " 1=1\n";
	assert_int_equal(run("-b -"), 2);
	assert_says(result.err, "standard input:4: command frobnicate");
	assert_string_equal(result.log, "set 0+1 flags 0: 1\n");
	with.input = "set " TREE_ENDPOINT " 0=5\nset " TREE_ENDPOINT " 1=9\n"
		     "set " TREE_ENDPOINT " 2=2\n";
	assert_int_equal(run("--force -b -"), 4);
	assert_says(result.err, "standard input:1: ");
	assert_says(result.err, "standard input:2: ");
	assert_says(result.log, "set 2+1 flags 0: 2\n");
	with.input = "-j list\n";
	assert_int_equal(run("-b -"), 2);
	assert_says(result.err, "json");
	with.input = "--help\n";
	assert_int_equal(run("-b -"), 2);
	with.input = "list --sysfs /tmp\n";
	assert_int_equal(run("-b -"), 2);
	with.input = "--pm\n";
	assert_int_equal(run("-b -"), 2);
	with.input = "set a b c d e f g h i j k l m n o p q\n";
	assert_int_equal(run("-b -"), 2);
	assert_says(result.err, "words");
	with.input = "show " TREE_ENDPOINT "\nset " TREE_ENDPOINT " 0=1\nunbind 01:00.0\n";
	assert_int_equal(run("-b -"), 1);
	assert_says(result.err, "standard input:3: device " TREE_ENDPOINT
		    ": this batch holds it open");
	assert_true(driver_is(TREE_ENDPOINT, "tph-vfio-pci"));
	with.input = "unbind 01:00.0\nbind " TREE_ENDPOINT " --driver vfio-pci\n";
	assert_int_equal(run("-b -"), 0);
	assert_true(driver_is(TREE_ENDPOINT, "vfio-pci"));
}

static void batch_with_a_zero_byte(void **context)
{
	static const char text[] = "list\0show\n";

	(void)context;
	tree_put(TREE, "batch", text, sizeof(text) - 1);
	assert_int_equal(run("-b " TREE "/batch"), 2);
	assert_says(result.err, TREE "/batch:1: ");
	assert_string_equal(result.out, "");
}

static void listings_that_see_too_little(void **context)
{
	struct json_object *document;

	(void)context;
	assert_fails("list --sysfs /nonexistent", 1, "/nonexistent");
	tree_hide(TREE, TREE_ENDPOINT);
	assert_fails("list", 4, "of 1 of 6 devices");
	document = parse(result.out);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(
				    member(document, "hidden"), 0)), TREE_ENDPOINT);
	assert_int_equal(json_object_array_length(member(document, "devices")), 2);
	json_object_put(document);
	run("show " TREE_ENDPOINT);
	assert_says(result.out, "hidden");

	tree_make(TREE);
	tree_add_looped(TREE);
	assert_runs("list");
	assert_says(result.err, "0000:02:00.0");
	assert_says(result.err, "malformed");
	assert_runs("-j list");
	document = parse(result.out);
	assert_int_equal(json_object_array_length(member(document, "notes")), 1);
	json_object_put(document);
}

static void shows_of_nothing(void **context)
{
	(void)context;
	assert_fails("show 0000:09:00.0", 1, "0000:09:00.0");
	assert_fails("show " TREE_CONVENTIONAL, 3, "no TPH Requester capability");
	assert_fails("show " TREE_PORT, 3, "no TPH Requester capability");
}

/* Under the name vfio-pci it is told from the stock driver by its policies. */
static void binds_to_the_name_in_use(void **context)
{
	(void)context;
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_fails("bind " TREE_NVME, 1, "modprobe tph-vfio-pci");
	tree_put(TREE, "bus/pci/drivers/vfio-pci/module/parameters/policy", "iv-st\n", 6);
	assert_int_equal(run("bind " TREE_NVME), 0);
	assert_says(result.out, "bound to vfio-pci (before: nvme)");
}

static void binds_that_are_refused(void **context)
{
	(void)context;
	assert_fails("bind 0000:09:00.0", 1, "0000:09:00.0");
	assert_fails("bind " TREE_NVME " --driver qat-vfio-pci", 1, "modprobe qat-vfio-pci");
	assert_fails("bind " TREE_NVME " --driver ../../x", 2, "../../x");
	assert_fails("bind " TREE_NVME " --driver ..", 2, "..");
	assert_fails("bind " TREE_PORT, 3, "it is a bridge");
	assert_fails("unbind " TREE_NVME, 1, "not a VFIO driver");
	with.simulation = "held";
	assert_fails("bind " TREE_ENDPOINT " --driver vfio-pci", 1, "in use by another process");
	with.simulation = "held";
	assert_fails("unbind " TREE_ENDPOINT, 1, "in use by another process");
	assert_true(driver_is(TREE_ENDPOINT, "tph-vfio-pci"));
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_true(driver_is(TREE_PORT, "pcieport"));
	assert_true(override_is(TREE_NVME, "(null)"));
	assert_string_equal(result.log, "");
}

static void binds_that_fail_are_undone(void **context)
{
	(void)context;
	touch("bus/pci/drivers/tph-vfio-pci/refuses");
	assert_fails("bind " TREE_NVME, 1, "everything is as it was (nvme)");
	assert_says(result.log, "write drivers/nvme/unbind: " TREE_NVME "\n");
	assert_says(result.log, "write drivers/nvme/bind: " TREE_NVME "\n");
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_true(override_is(TREE_NVME, "(null)"));

	assert_fails("bind " TREE_INTEGRATED, 1, "everything is as it was (no driver)");
	assert_true(driver_is(TREE_INTEGRATED, ""));
	assert_true(override_is(TREE_INTEGRATED, "(null)"));

	tree_put(TREE, "bus/pci/devices/" TREE_NVME "/driver_override", "vfio-pci\n", 9);
	assert_fails("bind " TREE_NVME, 1, "everything is as it was (nvme)");
	assert_true(override_is(TREE_NVME, "vfio-pci"));

	touch("bus/pci/drivers/nvme/refuses");	/* does not take it back either */
	assert_int_equal(run("bind " TREE_NVME), 1);
	assert_says(result.err, "could not be given back to nvme");

	tree_make(TREE);
	touch("bus/pci/drivers/nvme/keeps");
	assert_fails("bind " TREE_NVME, 1, "its driver keeps it");
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_true(override_is(TREE_NVME, "(null)"));
	touch("bus/pci/drivers/tph-vfio-pci/keeps");
	tree_put(TREE, "bus/pci/devices/" TREE_ENDPOINT "/driver_override", "tph-vfio-pci\n", 13);
	assert_fails("unbind " TREE_ENDPOINT, 1, "everything is as it was (tph-vfio-pci)");
	assert_true(override_is(TREE_ENDPOINT, "tph-vfio-pci"));
}

static void binds_whose_terms_are_refused(void **context)
{
	(void)context;
	tree_put(TREE, "bus/pci/devices/" TREE_NVME "/tph-error", "cpus 22", 7);
	assert_fails("bind " TREE_NVME " --policy iv-st --cpus 2-3", 1,
		     "everything is as it was (nvme)");
	assert_says(result.log, "write devices/" TREE_NVME "/tph/cpus: 2-3\n");
	assert_says(result.log, "write drivers/nvme/bind: " TREE_NVME "\n");
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_true(override_is(TREE_NVME, "(null)"));

	/* A driver without the attributes cannot take terms. */
	assert_fails("bind " TREE_NVME " --driver vfio-pci --cpus 2", 3,
		     "everything is as it was (nvme)");
	assert_true(driver_is(TREE_NVME, "nvme"));

	/* One that had the device already keeps it. */
	touch("bus/pci/devices/" TREE_ENDPOINT "/open");
	assert_fails("bind " TREE_ENDPOINT " --policy no-st", 1, "is open");
	assert_null(strstr(result.out, "everything is as it was"));
	assert_true(driver_is(TREE_ENDPOINT, "tph-vfio-pci"));
	assert_true(attribute_is(TREE_ENDPOINT, "policy", "iv-st"));
}

static void watches_that_end_in_failure(void **context)
{
	struct json_object *document;
	char *last;

	(void)context;
	assert_fails("watch 0000:09:00.0", 1, "there is no such PCI device");
	assert_fails("watch " TREE_NVME, 3, "see tphctl why");
	with.simulation = "uevent-error=93";
	assert_fails("watch " TREE_ENDPOINT, 1, "netlink");
	tree_put(TREE, "script", "fail=5\n", 7);
	assert_int_equal(run("watch " TREE_ENDPOINT), 1);
	assert_says(result.err, "cannot be watched: Input/output error");
	with.out = "/dev/full";
	assert_int_equal(run("watch " TREE_ENDPOINT), 1);
	assert_says(result.err, "standard output");

	tree_put(TREE, "script", "nothing\nunbind\n", 15);
	assert_int_equal(run("watch " TREE_ENDPOINT), 1);
	assert_says(result.out, " targets none, requester off, revocations 0\n");
	assert_null(strstr(strchr(result.out, '\n') + 1, "\n"));
	assert_says(result.err, "it was unbound from its driver, or removed; tphctl bind");

	tree_make(TREE);
	tree_put(TREE, "script", "unbind\n", 7);
	assert_int_equal(run("-j watch " TREE_ENDPOINT), 1);
	assert_string_equal(result.err, "");
	last = strchr(result.out, '\n') + 1;
	document = parse(last);
	assert_non_null(document);
	assert_int_equal(number_of(member(document, "error"), "exit"), 1);
	assert_false(json_object_object_get_ex(document, "targets", NULL));
	json_object_put(document);
}

static void watch_prints_each_change(void **context)
{
	static const char script[] = "nothing\ntargets=2-3;requester=iv 16\n"
				     "targets=2;revocations=1\nrevocations=2\nnothing\n"
				     "targets=\nrequester=off\ninterrupt\n";
	struct json_object *document, *changed;
	char *line, *rest = NULL;

	(void)context;
	tree_put(TREE, "script", script, sizeof(script) - 1);
	assert_runs("watch 01:00.0 --count 4");
	line = strtok_r(result.out, "\n", &rest);
	assert_true(line[4] == '-' && line[10] == 'T' && line[19] == '.' &&
		    (line[23] == '+' || line[23] == '-'));
	assert_string_equal(line + 28, "  targets none, requester off, revocations 0");
	line = strtok_r(NULL, "\n", &rest);
	assert_string_equal(line + 28, "  targets 2-3 (was none), requester iv 16 (was off)");
	line = strtok_r(NULL, "\n", &rest);
	assert_string_equal(line + 28, "  targets 2 (was 2-3), revocations 1 (was 0)");
	line = strtok_r(NULL, "\n", &rest);
	assert_string_equal(line + 28, "  revocations 2 (was 1)");
	line = strtok_r(NULL, "\n", &rest);
	assert_string_equal(line + 28, "  targets none (was 2)");
	assert_null(strtok_r(NULL, "\n", &rest));
	assert_string_equal(result.err, "");
	assert_string_equal(result.log, "");	/* nothing was opened or written */

	tree_make(TREE);
	tree_put(TREE, "script", script, sizeof(script) - 1);
	assert_int_equal(run("watch " TREE_ENDPOINT), 128 + 2);	/* SIGINT, at its end */
	assert_says(result.out, "requester off (was iv 16)\n");

	tree_make(TREE);
	tree_put(TREE, "script", script, sizeof(script) - 1);
	assert_runs("watch -j " TREE_ENDPOINT " --count 2");
	rest = NULL;
	line = strtok_r(result.out, "\n", &rest);
	document = parse(line);
	assert_int_equal(number_of(document, "version"), 1);
	assert_string_equal(text_of(document, "command"), "watch");
	assert_string_equal(text_of(document, "device"), TREE_ENDPOINT);
	assert_int_equal(json_object_array_length(member(document, "changed")), 0);
	json_object_put(document);
	line = strtok_r(NULL, "\n", &rest);
	line = strtok_r(NULL, "\n", &rest);
	document = parse(line);
	assert_string_equal(text_of(document, "targets"), "2");
	assert_string_equal(text_of(document, "requester"), "iv 16");
	assert_true(json_object_is_type(member(document, "revocations"), json_type_int));
	assert_int_equal(number_of(document, "revocations"), 1);
	assert_true(strlen(text_of(document, "time")) == 28);
	changed = member(document, "changed");
	assert_int_equal(json_object_array_length(changed), 2);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(changed, 0)),
			    "targets");
	assert_string_equal(json_object_get_string(json_object_array_get_idx(changed, 1)),
			    "revocations");
	json_object_put(document);
	assert_null(strtok_r(NULL, "\n", &rest));	/* and no document of the whole */

	tree_make(TREE);
	tree_put(TREE, "script", script, sizeof(script) - 1);
	with.input = "# one\nwatch " TREE_ENDPOINT " --count 1\nshow " TREE_ENDPOINT "\n";
	assert_runs("-j -b -");
	rest = NULL;
	for (int i = 0; i < 2; i++) {
		document = parse(strtok_r(i ? NULL : result.out, "\n", &rest));
		assert_int_equal(number_of(document, "line"), 2);
		json_object_put(document);
	}
	document = parse(strtok_r(NULL, "\n", &rest));
	assert_string_equal(text_of(document, "command"), "show");
	json_object_put(document);
}

/* Run why, which must end so, and find in its answer @name with @verdict and @text in it. */
static void assert_why_(const char *address, int status, const char *broken, const char *name,
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
	assert_int_equal(json_object_array_length(list), 21);
	json_object_put(document);
}
#define assert_why(address, status, broken, name, verdict, text) \
	assert_why_(address, status, broken, name, verdict, text, __LINE__)

/* Where interrupts are isolated, and a module of the project is loaded. */
static int why_setup(void **context)
{
	setup(context);
	tree_text(TREE, "kernel/irq/1/chip_name", "IR-IO-APIC\n");
	tree_text(TREE, "module/iommufd/parameters/allow_unsafe_interrupts", "N\n");
	tree_text(TREE, "proc/sys/kernel/osrelease", "7.3.4-doe\n");
	tree_text(TREE, "boot/config-7.3.4-doe", "CONFIG_ACPI=y\nCONFIG_VFIO_PCI_CORE=m\n"
		  "CONFIG_PCIE_TPH=y\nCONFIG_LOCALVERSION=\"-doe\"\n");
	return 0;
}

#define SWITCH_UP	"0000:20:00.0"
#define SWITCH_DOWN	"0000:21:01.0"
#define SWITCHED	"0000:22:00.0"
#define KNOWS_PREFIXES	0x00200000u
#define BLOCKS_PREFIXES	0x8000u

/* 16-bit tags on their way up through a switch. */
static void why_below_a_switch(void **context)
{
	static const struct tree_function functions[] = {
		{ .parents = "pci0000:00/" TREE_PORT, .address = SWITCH_UP,
		  .kind = TREE_KIND_UPSTREAM, .secondary = 0x21 },
		{ .parents = "pci0000:00/" TREE_PORT "/" SWITCH_UP, .address = SWITCH_DOWN,
		  .kind = TREE_KIND_DOWNSTREAM, .secondary = 0x22 },
		{ .parents = "pci0000:00/" TREE_PORT "/" SWITCH_UP "/" SWITCH_DOWN,
		  .address = SWITCHED, .group = "14" },
	};
	static const struct {
		uint32_t up, up_control, down, down_control;
		const char *narrow;	/* NULL: there is nothing to tell */
	} cases[] = {
		{ 0, 0, 0, 0, SWITCH_DOWN " does not know End-End TLP prefixes" },
		{ KNOWS_PREFIXES, 0, 0, 0, SWITCH_DOWN " does not know" },
		{ 0, 0, KNOWS_PREFIXES, 0, SWITCH_UP " does not know" },
		{ KNOWS_PREFIXES, BLOCKS_PREFIXES, KNOWS_PREFIXES, 0,
		  SWITCH_UP " is told to block End-End TLP prefixes" },
		{ KNOWS_PREFIXES, 0, KNOWS_PREFIXES, BLOCKS_PREFIXES, NULL },
		{ KNOWS_PREFIXES, 0, KNOWS_PREFIXES, 0, NULL },
	};

	(void)context;
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		tree_function(TREE, &functions[i]);
	tree_set_dword(TREE, SWITCHED, 0x100, 0x00010017);
	tree_set_dword(TREE, SWITCHED, 0x104, 0x00000105);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *narrow = cases[i].narrow;

		tree_set_dword(TREE, SWITCH_UP, 0x64, cases[i].up);
		tree_set_dword(TREE, SWITCH_UP, 0x68, cases[i].up_control);
		tree_set_dword(TREE, SWITCH_DOWN, 0x64, cases[i].down);
		tree_set_dword(TREE, SWITCH_DOWN, 0x68, cases[i].down_control);
		assert_why(SWITCHED, 1, "driver", "completer", "ok", narrow ? narrow :
			   "completes 8-bit and 16-bit tags");
		assert_true(!strstr(result.out, "no 16-bit ones") == !narrow);
		assert_runs("show " SWITCHED);
		assert_true(!strstr(result.out, "no 16-bit tags: ") == !narrow);
		if (narrow)
			assert_says(result.out, narrow);
		assert_runs("show -j " SWITCHED);
		assert_says(result.out, narrow ? narrow : "\"narrow\":null");
	}

	/* that there are no 16-bit tags at the root port either is all there is to say */
	tree_set_dword(TREE, SWITCH_UP, 0x64, 0);
	tree_set_dword(TREE, TREE_PORT, 0x64, 0x1000);
	assert_why(SWITCHED, 1, "driver", "completer", "ok", "completes 8-bit tags");
	assert_null(strstr(result.out, "prefixes"));
	assert_runs("show -j " SWITCHED);
	assert_says(result.out, "\"narrow\":null");
	/* what cannot be seen is not told */
	tree_set_dword(TREE, TREE_PORT, 0x64, 0x3000);
	tree_hide(TREE, SWITCH_DOWN);
	assert_why(SWITCHED, 1, "driver", "completer", "ok", "completes 8-bit and 16-bit tags");
	assert_null(strstr(result.out, "prefixes"));
}

static void why_of_hardware_and_driver(void **context)
{
	(void)context;
	assert_fails("why 0000:09:00.0", 1, "there is no such PCI device");
	assert_why(TREE_CONVENTIONAL, 3, "configuration space", "capability", "broken", "has no");
	assert_why("0000:00:03.0", 3, "device", "configuration space", "ok", "4096 bytes");
	assert_why("0000:00:03.0", 3, "device", "completer", "broken", "no root port above");
	assert_null(strstr(result.out, "run as root"));
	/* What no command can mend comes before what one can. */
	assert_why(TREE_NVME, 3, "completer", "completer", "broken",
		   "root port 0000:00:03.0: no TPH completer");
	tree_set_dword(TREE, "0000:00:03.0", 0x64, 0x3000);
	assert_why(TREE_NVME, 1, "driver", "driver", "broken",
		   "bound to nvme, which is not a VFIO driver");
	assert_says(result.out, "tphctl bind " TREE_NVME);
	assert_why(TREE_NVME, 1, "driver", "completer", "ok", "completes 8-bit and 16-bit tags");
	assert_why(TREE_NVME, 1, "driver", "modes", "ok", "no-st ds; ST table: none");
	assert_why(TREE_NVME, 1, "driver", "kernel", "ok", "without pci=notph");
	assert_why(TREE_NVME, 1, "driver", "IOMMU", "ok", "group 13, default domain DMA");
	assert_why(TREE_NVME, 1, "driver", "module", "ok", "is loaded");
	assert_why(TREE_NVME, 1, "driver", "firmware", "unknown", "is bound");
	assert_why(TREE_NVME, 1, "driver", "policy", "unknown", "is bound");
	assert_why(TREE_NVME, 1, "driver", "CPUs", "unknown", "is bound");
	assert_why(TREE_NVME, 1, "driver", "caller's CPUs", "unknown", "nothing is granted");
	assert_why(TREE_NVME, 1, "driver", "group", "ok", "would succeed after tphctl bind");
	assert_why(TREE_NVME, 1, "driver", "table", "unknown", "does not tell");
	assert_why(TREE_NVME, 1, "driver", "requester", "unknown", "does not tell");
	assert_why(TREE_INTEGRATED, 1, "driver", "driver", "broken", "bound to no driver");
	assert_why(TREE_INTEGRATED, 1, "driver", "completer", "ok", "root complex integrated");
	assert_runs("bind --driver vfio-pci " TREE_NVME);
	assert_why(TREE_NVME, 1, "driver", "driver", "broken", "does not speak TPH");
	tree_set_dword(TREE, TREE_NVME, 0x1b4, 0x00000003);	/* no table for its vectors */
	assert_why(TREE_NVME, 3, "modes", "modes", "broken", "no-st iv; ST table: none");

	why_setup(context);
	tree_add_looped(TREE);
	assert_why("0000:02:00.0", 1, "capability", "capability", "broken", "malformed");
	tree_remove(TREE "/bus/pci/devices/" TREE_ENDPOINT "/tph");
	assert_why(TREE_ENDPOINT, 3, "driver", "driver", "broken", "found no TPH in it");
}

static void why_of_the_module(void **context)
{
	(void)context;
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_why(TREE_INTEGRATED, 1, "module", "module", "broken", "is not loaded");
	assert_says(result.out, "modprobe tph-vfio-pci && tphctl bind " TREE_INTEGRATED "\"");
	/* Under the other name it is what stock vfio-pci would be. */
	tree_text(TREE, "bus/pci/drivers/vfio-pci/module/parameters/policy", "iv-st\n");
	assert_why(TREE_INTEGRATED, 1, "driver", "module", "ok", "loaded, under the name vfio-pci");
	assert_says(result.out, "tphctl bind " TREE_INTEGRATED " --driver vfio-pci\"");
	assert_runs("bind --driver vfio-pci " TREE_INTEGRATED);
	assert_why(TREE_INTEGRATED, 3, "driver", "driver", "broken",
		   "bound to vfio-pci, which found no TPH in it");
	tree_remove(TREE "/bus/pci/drivers/vfio-pci/module");
	assert_why(TREE_INTEGRATED, 1, "module", "driver", "broken",
		   "bound to vfio-pci, which does not speak TPH");
}

static void why_of_the_kernel(void **context)
{
	static const char *const forbidding[] = { "pci=notph\n", "a pci=noaer,notph b\n",
						  "pci=nomsi pci=notph,noaer\n" };
	static const char *const others[] = { "notph\n", "pci=notphx\n", "xpci=notph\n",
					      "pci=no,tph\n", "\n",
					      "xpci=a,notph\n" };

	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "notph");
	assert_why(TREE_ENDPOINT, 3, "kernel", "kernel", "broken", "pci=notph");
	assert_why(TREE_ENDPOINT, 3, "kernel", "firmware", "unknown", "nothing before it");
	for (size_t i = 0; i < sizeof(forbidding) / sizeof(*forbidding); i++) {
		tree_put(TREE, "proc/cmdline", forbidding[i], strlen(forbidding[i]));
		assert_why(TREE_INTEGRATED, 3, "kernel", "kernel", "broken", "pci=notph");
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		tree_put(TREE, "proc/cmdline", others[i], strlen(others[i]));
		assert_why(TREE_INTEGRATED, 1, "driver", "kernel", "ok", "without pci=notph");
	}
	remove(TREE "/proc/cmdline");
	assert_why(TREE_INTEGRATED, 1, "driver", "kernel", "unknown", "cannot be read");
	/* The driver knows better than the command line. */
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "possible");
	assert_why(TREE_ENDPOINT, 0, NULL, "kernel", "ok", "without pci=notph");
}

static void why_of_the_kernels_options(void **context)
{
	(void)context;
	assert_why(TREE_ENDPOINT, 0, NULL, "kernel options", "ok", "built with CONFIG_PCIE_TPH");
	tree_text(TREE, "boot/config-7.3.4-doe", "# CONFIG_PCIE_TPH is not set\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "kernel options", "ok",
		   "built without CONFIG_PCIE_TPH, which tph-vfio-pci does not need");
	/* With the module loaded, VFIO is there; without, the options tell. */
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	tree_text(TREE, "boot/config-7.3.4-doe", "CONFIG_ACPI=y\nCONFIG_VFIO_PCI_CORE=n\n"
		  "CONFIG_VFIO_PCI_CORE_X=y\n");
	assert_why(TREE_INTEGRATED, 3, "kernel options", "kernel options", "broken",
		   "built without CONFIG_VFIO_PCI_CORE");
	tree_text(TREE, "boot/config-7.3.4-doe", "# CONFIG_ACPI is not set\n"
		  "CONFIG_VFIO_PCI_CORE=m\n");
	assert_why(TREE_INTEGRATED, 3, "kernel options", "kernel options", "broken",
		   "built without CONFIG_ACPI");
	remove(TREE "/boot/config-7.3.4-doe");
	assert_why(TREE_INTEGRATED, 1, "module", "kernel options", "ok", "not needed");
}

static void why_of_the_iommu(void **context)
{
	(void)context;
	tree_text(TREE, "kernel/iommu_groups/12/name", "vfio-noiommu\n");
	assert_why(TREE_ENDPOINT, 3, "IOMMU", "IOMMU", "broken", "noiommu");
	assert_says(result.out, "intel_iommu=on");
	assert_why(TREE_ENDPOINT, 3, "IOMMU", "interrupts", "unknown", "without an IOMMU");
	assert_why(TREE_ENDPOINT, 3, "IOMMU", "group", "unknown", "without an IOMMU");
	remove(TREE "/bus/pci/devices/" TREE_ENDPOINT "/iommu_group");
	assert_why(TREE_ENDPOINT, 3, "IOMMU", "IOMMU", "broken", "in no group");
	why_setup(context);
	tree_remove(TREE "/kernel/iommu_groups/12/devices");
	assert_why(TREE_ENDPOINT, 1, NULL, "IOMMU", "unknown", "cannot be read");

	why_setup(context);
	tree_text(TREE, "kernel/irq/1/chip_name", "IO-APIC\n");
	assert_why(TREE_ENDPOINT, 3, "interrupts", "interrupts", "broken", "remapping is off");
	assert_says(result.out, "allow_unsafe_interrupts");
	assert_why(TREE_ENDPOINT, 3, "interrupts", "group", "ok", "none in the way");
	assert_null(strstr(result.out, "would succeed"));
	tree_text(TREE, "module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "interrupts", "ok", "lets users have it nevertheless");
	tree_text(TREE, "module/iommufd/parameters/allow_unsafe_interrupts", "N\n");
	tree_remove(TREE "/kernel/irq");
	assert_why(TREE_ENDPOINT, 1, NULL, "interrupts", "unknown", "no interrupt's chip");
	/* A user that has it open has been let in. */
	tree_open(TREE, 42, 9, "/dev/vfio/devices/vfio7", "");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "iv 16");
	tree_attribute(TREE, TREE_ENDPOINT, "targets", "2-3");
	assert_why(TREE_ENDPOINT, 0, NULL, "interrupts", "ok", "could not be open");
}

/* Another member of the endpoint's group. */
static void add_neighbour(const char *address, const char *driver, enum tree_kind kind,
			  unsigned char secondary)
{
	tree_function(TREE, &(struct tree_function){
			.parents = "pci0000:00/" TREE_PORT, .address = address,
			.driver = driver, .group = "12", .kind = kind, .secondary = secondary,
			.multifunction = 1 });
}

static void why_of_the_group(void **context)
{
	(void)context;
	tree_driver(TREE, "e1000e", "");
	tree_driver(TREE, "shpchp", NULL);
	tree_driver(TREE, "homemade", "OE");
	assert_why(TREE_ENDPOINT, 0, NULL, "group", "ok", "1 member, none in the way");
	add_neighbour("0000:01:00.1", NULL, TREE_KIND_ENDPOINT, 0);
	assert_why(TREE_ENDPOINT, 0, NULL, "group", "ok", "2 members, none in the way");
	add_neighbour("0000:01:00.2", "homemade", TREE_KIND_ENDPOINT, 0);
	assert_why(TREE_ENDPOINT, 1 + 3, NULL, "group", "unknown", "0000:01:00.2 may be in the "
		   "way");
	add_neighbour("0000:01:00.3", "e1000e", TREE_KIND_ENDPOINT, 0);
	assert_why(TREE_ENDPOINT, 4, "group", "group", "broken", "0000:01:00.3 is in the way: "
		   "e1000e");
	assert_says(result.out, "tphctl bind 0000:01:00.3, for the same user");
	/* Interrupts that are not isolated do not hide it. */
	tree_text(TREE, "kernel/irq/1/chip_name", "IO-APIC\n");
	assert_why(TREE_ENDPOINT, 3, "interrupts", "group", "broken", "0000:01:00.3 is in the way");
	/* Whoever has it open has the group. */
	tree_text(TREE, "kernel/irq/1/chip_name", "IR-IO-APIC\n");
	tree_open(TREE, 42, 9, "/dev/vfio/devices/vfio7", "");
	assert_why(TREE_ENDPOINT, 1, "table", "group", "ok", "its user's");

	why_setup(context);
	tree_driver(TREE, "shpchp", NULL);
	add_neighbour("0000:01:01.0", "shpchp", TREE_KIND_BRIDGE, 2);
	assert_why(TREE_ENDPOINT, 4, "group", "group", "broken", "0000:01:01.0 is in the way: "
		   "shpchp");
	assert_says(result.out, "echo 0000:01:01.0 >/sys/bus/pci/drivers/shpchp/unbind");

	why_setup(context);
	tree_text(TREE, "kernel/iommu_groups/12/reserved_regions",
		  "0x0000000000000000 0x0000000000ffffff direct\n");
	assert_why(TREE_ENDPOINT, 3, "group", "group", "broken", "RMRR");

	/* Another member is somebody's. */
	why_setup(context);
	add_neighbour("0000:01:00.1", "vfio-pci", TREE_KIND_ENDPOINT, 0);
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/0000:01:00.1/enable", "1\n");
	assert_why(TREE_ENDPOINT, 1, NULL, "group", "unknown", "another iommufd");
	assert_says(result.out, "the iommufd that 0000:01:00.1 is bound to");
}

/* @count functions below the endpoint's port, in the group @group. */
static void add_crowd(unsigned int bus, unsigned int count, const char *group)
{
	char address[16];

	for (unsigned int i = 1; i <= count; i++) {
		snprintf(address, sizeof(address), "0000:%02x:%02x.%u", bus, i / 8, i % 8);
		tree_function(TREE, &(struct tree_function){
				.parents = "pci0000:00/" TREE_PORT, .address = address,
				.driver = "vfio-pci", .group = group, .multifunction = 1 });
	}
}

/* A function below the good port, with a TPH Requester capability. */
static void add_requester(const char *address, uint32_t capability, unsigned int next)
{
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/" TREE_PORT,
						      .address = address, .group = "30" });
	tree_set_dword(TREE, address, 0x100, 0x00010001 | 0x160u << 20);
	tree_set_dword(TREE, address, 0x160, 0x00010017 | next << 20);
	tree_set_dword(TREE, address, 0x164, capability);
	if (next)
		tree_set_dword(TREE, address, next, 0x0001001b);
}

#define DSA	"0000:6a:01.0"

static void tables_that_claim_more_than_there_is_room_for(void **context)
{
	struct json_object *document, *device;

	(void)context;
	add_requester(DSA, 0x003f0205, 0x170);
	assert_runs("list");
	assert_says(result.out, DSA "  -                30  no-st,ds     none              -      8");
	assert_says(result.err, DSA ": its ST table counts as none: it claims 64 entries where there "
		    "is room for 2");
	assert_runs("-j list");
	document = parse(result.out);
	device = json_object_array_get_idx(member(document, "devices"), 3);
	assert_string_equal(text_of(device, "device"), DSA);
	assert_string_equal(text_of(device, "table"), "none");
	assert_int_equal(number_of(device, "entries"), 0);
	assert_int_equal(number_of(device, "entries_claimed"), 64);
	assert_int_equal(number_of(device, "entries_room"), 2);
	device = json_object_array_get_idx(member(document, "devices"), 0);
	assert_null(member(device, "entries_claimed"));
	json_object_put(document);
	assert_runs("show " DSA);
	assert_says(result.out, "    ST table       none: it claims 64 entries where there is room "
		    "for 2\n");
	assert_why(DSA, 1, "driver", "modes", "ok", "no-st ds; ST table: none, as it claims 64 "
		   "entries where there is room for 2");
	/* Interrupt Vector mode is none without it. */
	tree_set_dword(TREE, DSA, 0x164, 0x003f0203);
	assert_why(DSA, 3, "modes", "modes", "broken", "as it claims 64 entries");
	/* What fits to the byte is a table. */
	tree_set_dword(TREE, DSA, 0x164, 0x00010205);
	assert_runs("list");
	assert_says(result.out, "capability        2      8");
	assert_string_equal(result.err, "");
}

static void fill_with_ones(const char *address)
{
	for (unsigned int at = 0; at < 4096; at += 4)
		tree_set_dword(TREE, address, at, 0xffffffff);
}

#define SILENT	"it does not answer: its configuration space reads all ones (powered off, in D3cold, " \
		"or gone)"

static void devices_that_do_not_answer(void **context)
{
	struct json_object *document, *silent;

	(void)context;
	fill_with_ones(TREE_NVME);
	assert_runs("list");
	assert_says(result.err, TREE_NVME ": " SILENT "; whether it has TPH is not known");
	assert_null(strstr(result.err, "malformed"));
	assert_runs("-j list");
	document = parse(result.out);
	assert_int_equal(json_object_array_length(member(document, "devices")), 2);
	silent = member(document, "silent");
	assert_int_equal(json_object_array_length(silent), 1);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(silent, 0)),
			    TREE_NVME);
	json_object_put(document);
	assert_runs("show " TREE_NVME);
	assert_says(result.out, "  hardware         " SILENT "\n");
	assert_runs("-j show " TREE_NVME);
	assert_says(result.out, "\"hardware\":null,\"hardware_missing\":\"" SILENT "\"");
	assert_why(TREE_NVME, 1, "configuration space", "configuration space", "broken", SILENT);
	assert_why(TREE_NVME, 1, "configuration space", "device", "ok", "");
	assert_why(TREE_NVME, 1, "configuration space", "capability", "unknown", "does not answer");
	assert_why(TREE_NVME, 1, "configuration space", "completer", "unknown", "does not answer");
	assert_why(TREE_NVME, 1, "configuration space", "modes", "unknown", "");
	assert_null(strstr(result.out, "malformed"));
	assert_fails("dmabufs " TREE_NVME, 1, "does not answer");
	assert_runs("group " TREE_NVME);
	/* A root port without power takes what is below it with it. */
	setup(context);
	fill_with_ones("0000:00:03.0");
	assert_why(TREE_NVME, 1, "driver", "completer", "unknown", "root port 0000:00:03.0: does not "
		   "answer");
	assert_runs("show " TREE_NVME);
	assert_says(result.out, "root port        0000:00:03.0, does not answer");
	/* The ids of a virtual function are all ones in it, and it answers. */
	setup(context);
	tree_set_dword(TREE, TREE_NVME, 0, 0xffffffff);
	assert_runs("show " TREE_NVME);
	assert_says(result.out, "no-st ds");
	/* of a device that the driver has, it tells what it found when it did answer */
	why_setup(context);
	fill_with_ones(TREE_ENDPOINT);
	assert_why(TREE_ENDPOINT, 1, "configuration space", "capability", "ok", "says the driver");
	assert_why(TREE_ENDPOINT, 1, "configuration space", "completer", "ok", "says the driver");
}

static void bridges_that_have_the_capability(void **context)
{
	struct json_object *document, *device;

	(void)context;
	tree_set_dword(TREE, TREE_PORT, 0x100, 0x00010017);
	tree_set_dword(TREE, TREE_PORT, 0x104, 0x003f0207);	/* as on a Rockchip root port */
	assert_runs("list");
	assert_says(result.out, TREE_PORT "  pcieport          1  no-st,iv,ds  capability       64");
	assert_says(result.out, " (bridge)\n");
	assert_says(result.err, TREE_PORT ": it is a bridge, and a bridge is not given to users");
	assert_runs("-j list");
	document = parse(result.out);
	device = json_object_array_get_idx(member(document, "devices"), 0);
	assert_true(json_object_get_boolean(member(device, "bridge")));
	device = json_object_array_get_idx(member(document, "devices"), 1);
	assert_false(json_object_get_boolean(member(device, "bridge")));
	json_object_put(document);
	assert_why(TREE_PORT, 3, "device", "device", "broken", "a bridge is not given to users");
	assert_why(TREE_PORT, 3, "device", "capability", "ok", "at 0x100");
	assert_null(strstr(result.out, "tphctl bind"));
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_why(TREE_PORT, 3, "device", "module", "broken", "is not loaded");
	assert_null(strstr(result.out, "tphctl bind"));
	assert_null(strstr(result.out, "modprobe"));
	assert_runs("show " TREE_PORT);
	assert_says(result.out, "on offer         nothing: it is a bridge, which is not given to users\n");
	assert_null(strstr(result.out, "tphctl bind"));
}

/* Enabled, with two entries set, before anybody of ours had it: so was one that was found. */
static void devices_that_come_enabled(void **context)
{
	(void)context;
	add_requester(DSA, 0x00010205, 0x170);
	tree_set_dword(TREE, DSA, 0x168, 0x00000102);
	tree_set_dword(TREE, DSA, 0x16c, 0x00020001);
	assert_runs("show " DSA);
	assert_says(result.out, "    requester      Device Specific mode, 8-bit tags\n"
		    "    enabled by     firmware or a former driver\n");
	assert_runs("-j show " DSA);
	assert_says(result.out, "\"enabled_by\":\"firmware or a former driver\"");
	assert_why(DSA, 1, "driver", "requester", "unknown", "enabled (control 0x00000102) by firmware "
		   "or a former driver");
	assert_runs("show " TREE_NVME);
	assert_says(result.out, "enabled by     its driver, a former one, or firmware\n");
	/* what a user of ours has enabled is no news, and what nobody has is off */
	tree_set_dword(TREE, TREE_ENDPOINT, 0x1b8, 0x00000101);
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "iv 8");
	assert_runs("show " TREE_ENDPOINT);
	assert_null(strstr(result.out, "enabled by"));
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "off");
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "enabled by     firmware or a former driver\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "requester", "ok", "the device itself was enabled (control "
		   "0x00000101) by firmware or a former driver");
	assert_runs("-j show " TREE_INTEGRATED);
	assert_says(result.out, "\"enabled_by\":null");
}

static void devices_on_the_denylist(void **context)
{
	(void)context;
	add_requester(DSA, 0x00010205, 0x170);
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/" DSA "/device", "0x0b25\n");
	assert_why(DSA, 3, "driver", "driver", "broken", "bound to no driver; it is on vfio-pci's "
		   "denylist, for its errata");
	assert_null(strstr(result.out, "tphctl bind"));
	assert_says(result.out, "disable_denylist=1");
	assert_runs("show " DSA);
	assert_says(result.out, "denylist");
	assert_null(strstr(result.out, "tphctl bind"));
	assert_fails("bind " DSA, 3, "8086:0b25 is on vfio-pci's denylist");
	assert_fails("bind --driver vfio-pci " DSA, 3, "denylist");
	assert_string_equal(result.log, "");
	tree_text(TREE, "bus/pci/drivers/tph-vfio-pci/module/parameters/disable_denylist", "N\n");
	assert_fails("bind " DSA, 3, "denylist");
	tree_text(TREE, "bus/pci/drivers/tph-vfio-pci/module/parameters/disable_denylist", "Y\n");
	assert_why(DSA, 1, "driver", "driver", "broken", "denylist");
	assert_says(result.out, "tphctl bind " DSA);
	assert_runs("bind " DSA);
	why_setup(context);
	add_requester(DSA, 0x00010205, 0x170);
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/" DSA "/device", "0x0b25\n");
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_why(DSA, 3, "module", "module", "broken", "is not loaded; it is on vfio-pci's denylist");
	assert_null(strstr(result.out, "tphctl bind"));
}

#define SLOT	0x01000000u

static void why_of_the_slot(void **context)
{
	static const char *const barren[] = { "0x1022 0x1483", "0x1022 0x1484", "0x19e5 0xa121" };
	char id[8];

	(void)context;
	/* On board, as far as its port says. */
	assert_why(TREE_NVME, 3, "completer", "completer", "broken", "no TPH completer");
	assert_null(strstr(result.out, "another slot"));
	assert_says(result.out, "another machine, for the device is on board");
	tree_set_dword(TREE, "0000:00:03.0", 0x40, 0x00420010 | SLOT);
	assert_why(TREE_NVME, 3, "completer", "completer", "broken", "no TPH completer");
	assert_says(result.out, "another slot or machine");
	/* There is no slot for it in the whole machine. */
	for (size_t i = 0; i < sizeof(barren) / sizeof(*barren); i++) {
		snprintf(id, sizeof(id), "%.6s\n", barren[i]);
		tree_text(TREE, "devices/pci0000:00/0000:00:03.0/vendor", id);
		snprintf(id, sizeof(id), "%.6s\n", barren[i] + 7);
		tree_text(TREE, "devices/pci0000:00/0000:00:03.0/device", id);
		assert_why(TREE_NVME, 3, "completer", "completer", "broken",
			   "no TPH completer, as no port of its kind (");
		assert_null(strstr(result.out, "another slot"));
		assert_says(result.out, "another machine");
	}
	/* ... unless it says that it is one */
	tree_set_dword(TREE, "0000:00:03.0", 0x64, 0x1000);
	assert_why(TREE_NVME, 1, "driver", "completer", "ok", "completes 8-bit tags");
	/* Nor is there one for what is integrated. */
	assert_runs("bind " TREE_INTEGRATED);
	tree_attribute(TREE, TREE_INTEGRATED, "steering", "no-completer");
	assert_why(TREE_INTEGRATED, 3, "completer", "completer", "broken", "integrated");
	assert_null(strstr(result.out, "another slot"));
	tree_text(TREE, "kernel/iommu_groups/12/reserved_regions", "0x0 0xffffff direct\n");
	assert_why(TREE_ENDPOINT, 3, "group", "group", "broken", "RMRR");
	assert_null(strstr(result.out, "another slot"));
	tree_set_dword(TREE, TREE_PORT, 0x40, 0x00420010 | SLOT);
	assert_why(TREE_ENDPOINT, 3, "group", "group", "broken", "RMRR");
	assert_says(result.out, "another slot, or turn off");
}

static void why_of_the_neighbours(void **context)
{
	(void)context;
	assert_why(TREE_ENDPOINT, 0, NULL, "neighbours", "ok", "none can write its ST table");
	assert_why(TREE_INTEGRATED, 1, "driver", "neighbours", "ok", "it is not in its memory");
	tree_driver(TREE, "e1000e", "");
	add_neighbour("0000:01:00.1", NULL, TREE_KIND_ENDPOINT, 0);
	add_neighbour("0000:01:01.0", NULL, TREE_KIND_BRIDGE, 2);
	/* before the driver says anything */
	assert_runs("bind " TREE_ENDPOINT " --driver vfio-pci");
	assert_why(TREE_ENDPOINT, 1, "driver", "neighbours", "broken", "0000:01:00.1, of its group, can "
		   "write its ST table, which is in MSI-X, by peer-to-peer and so past the IOMMU: "
		   "steered with policy ds-st alone");
	assert_says(result.out, "tphctl bind " TREE_ENDPOINT " --policy ds-st");
	assert_runs("bind " TREE_ENDPOINT);
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "group-neighbour");
	assert_why(TREE_ENDPOINT, 4, "neighbours", "neighbours", "broken", "another function of its "
		   "IOMMU group can write its ST table, past the IOMMU: 0000:01:00.1");
	assert_says(result.out, "tphctl grant " TREE_ENDPOINT " --policy ds-st, which trusts its user "
		    "with any tag");
	assert_null(strstr(result.out, "another slot"));	/* it is on board */
	assert_why(TREE_ENDPOINT, 4, "neighbours", "policy", "ok", "iv-st");
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "steering       another function of its IOMMU group can write");
	/* Where a driver has no word for it, policy is what it calls it. */
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "policy");
	assert_why(TREE_ENDPOINT, 4, "neighbours", "neighbours", "broken", "0000:01:00.1");
	assert_why(TREE_ENDPOINT, 4, "neighbours", "policy", "ok", "iv-st");
	/* The operator trusts the user; the driver does. */
	tree_attribute(TREE, TREE_ENDPOINT, "policy", "ds-st");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "possible");
	assert_why(TREE_ENDPOINT, 0, NULL, "neighbours", "ok", "with policy ds-st that is its user's");
	tree_attribute(TREE, TREE_ENDPOINT, "policy", "iv-st");
	assert_why(TREE_ENDPOINT, 0, NULL, "neighbours", "ok", "the driver steers it nevertheless");
	add_crowd(0x21, 20, "12");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "group-neighbour");
	assert_why(TREE_ENDPOINT, 4, "neighbours", "neighbours", "broken", " more");
	/* words of a driver that is newer than this are shown */
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "something-new");
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "steering       something-new\n");
	assert_runs("-j show " TREE_ENDPOINT);
	assert_says(result.out, "\"steering\":\"something-new\"");
}

#define VMD_DEVICE	"10000:01:00.0"

/* Behind a volume management device, whose host bridge is below a function. */
static void domain_behind_a_function(void **context)
{
	struct json_object *document, *root;

	(void)context;
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:5d",
		.address = "0000:5d:05.5", .group = "20" });
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:5d/0000:5d:05.5/pci10000:00",
		.address = "10000:00:02.0", .driver = "pcieport", .group = "20",
		.kind = TREE_KIND_ROOT_PORT, .secondary = 1 });
	tree_function(TREE, &(struct tree_function){
		.parents = "pci0000:5d/0000:5d:05.5/pci10000:00/10000:00:02.0",
		.address = VMD_DEVICE, .driver = "nvme", .group = "20" });
	tree_set_dword(TREE, "10000:00:02.0", 0x64, 0x1000);
	tree_set_dword(TREE, VMD_DEVICE, 0x100, 0x00010017);
	tree_set_dword(TREE, VMD_DEVICE, 0x104, 0x00000004);
	assert_runs("show " VMD_DEVICE);
	assert_says(result.out, "root port        10000:00:02.0, completes 8-bit tags\n");
	assert_runs("-j show " VMD_DEVICE);
	document = parse(result.out);
	root = member(document, "root_port");
	assert_string_equal(text_of(root, "device"), "10000:00:02.0");
	assert_int_equal(number_of(root, "completer"), 8);
	json_object_put(document);
	assert_why(VMD_DEVICE, 1, "driver", "completer", "ok", "root port 10000:00:02.0: completes 8-bit");
	/* columns as wide as what is in them */
	assert_runs("list");
	assert_says(result.out, "DEVICE         DRIVER        GROUP  MODES ");
	assert_says(result.out, "\n" TREE_ENDPOINT "   tph-vfio-pci     12  no-st,iv,ds");
	assert_says(result.out, "\n" VMD_DEVICE "  nvme             20  ds ");
	assert_runs("group " VMD_DEVICE);
	assert_says(result.out, "\n   0000:5d:05.5   -              may stay ");
	assert_says(result.out, "\n=> " VMD_DEVICE "  nvme           must go ");
}

#define TOKEN	"01000000-0000-0000-0000-000000000002"

static void make_virtual(void)
{
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/" TREE_PORT,
		.address = "0000:01:10.0", .driver = "vfio-pci", .group = "31" });
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/0000:01:10.0/vfio-dev/vfio8/dev",
		  "511:8\n");
	assert_int_equal(symlink("../0000:01:10.0", TREE "/devices/pci0000:00/" TREE_PORT "/"
				 TREE_ENDPOINT "/physfn"), 0);
}

static void tokens_that_do_not_do(void **context)
{
	static const char *const commands[] = { "set " TREE_ENDPOINT " 0=1", "enable " TREE_ENDPOINT,
						"clear " TREE_ENDPOINT " all",
						"disable " TREE_ENDPOINT };
	static const char *const malformed[] = { "1", "01000000-0000-0000-0000-00000000000",
						 TOKEN "0", "0100000000000000000000000000000002",
						 "x1000000-0000-0000-0000-000000000002" };
	char words[256];

	(void)context;
	make_virtual();
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		with.simulation = "vf-token";
		assert_fails(commands[i], 4, TREE_ENDPOINT);
		assert_says(result.out, "it is a VF of 0000:01:10.0, which is used through VFIO\","
			    "\"remedy\":\"give its VF token with --vf-token UUID\"");
		snprintf(words, sizeof(words), "%s --vf-token 00000000-0000-0000-0000-000000000002",
			 commands[i]);
		with.simulation = "vf-token";
		assert_fails(words, 4, "this is not the VF token of that");
	}
	for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++) {
		snprintf(words, sizeof(words), "show " TREE_ENDPOINT " --vf-token %s", malformed[i]);
		assert_fails(words, 2, "it is not a UUID");
	}
	assert_fails("set " TREE_ENDPOINT " 0=1 --vf-token " TOKEN, 1, "it wants no VF token");
	assert_fails("set fd:7 0=1 --vf-token " TOKEN, 2, "--vf-token");
	with.simulation = "vf-token held";
	assert_fails("set " TREE_ENDPOINT " 0=1 --vf-token " TOKEN, 1, "in use by another process");
	/* show says what it can */
	with.simulation = "vf-token";
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "on offer         not read: it is a VF of 0000:01:10.0, which is used "
		    "through VFIO; give its VF token with --vf-token UUID\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "user", "ok", "free: nobody has it open; who opens it needs "
		   "the VF token of 0000:01:10.0");
	/* without it, whether a VF is in use can still be seen */
	tree_open(TREE, 42, 9, "/dev/vfio/devices/vfio7", "");
	with.simulation = "vf-token";
	assert_fails("unbind " TREE_ENDPOINT, 1, "in use by another process");
	tree_remove(TREE "/proc/42");
	with.simulation = "vf-token";
	assert_runs("unbind " TREE_ENDPOINT);
	/* a PF whose VFs are in use */
	setup(context);
	with.simulation = "vf-token";
	assert_fails("set " TREE_ENDPOINT " 0=1", 4, "VFs of it are in use through VFIO");
	with.simulation = "vf-token";
	assert_fails("set " TREE_ENDPOINT " 0=1 --vf-token 00000000-0000-0000-0000-000000000000", 4,
		     "by which the users of its VFs know it");
}

static void tokens_open_devices(void **context)
{
	(void)context;
	make_virtual();
	with.simulation = "vf-token";
	assert_runs("set " TREE_ENDPOINT " 0=1 --vf-token " TOKEN);
	assert_string_equal(result.log, "set 0+1 flags 0: 1\n");
	with.simulation = "vf-token";
	assert_runs("show --vf-token=" TOKEN " " TREE_ENDPOINT);
	assert_says(result.out, "entries          all clear\n");
	with.simulation = "vf-token";
	with.input = "set " TREE_ENDPOINT " 0=1 --vf-token " TOKEN "\nenable " TREE_ENDPOINT " iv\n";
	assert_runs("-b -");
	assert_says(result.out, "Interrupt Vector mode");
	with.simulation = "vf-token";
	assert_runs("unbind " TREE_ENDPOINT " --vf-token " TOKEN);
}

/* What a device steers to is for root alone. */
static void attributes_that_root_alone_may_read(void **context)
{
	static const char *const private[] = { "targets", "requester", "revocations" };
	struct json_object *document, *operator;
	char path[PATH_MAX];

	(void)context;
	for (size_t i = 0; i < sizeof(private) / sizeof(*private); i++) {
		snprintf(path, sizeof(path), "%s/bus/pci/devices/" TREE_ENDPOINT "/tph/%s", TREE,
			 private[i]);
		assert_int_equal(chmod(path, 0), 0);
	}
	with.unprivileged = true;
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "  operator\n    policy         iv-st\n    CPUs allowed   0-7\n"
		    "    CPUs targeted  hidden: run as root\n    steering       possible\n");
	with.unprivileged = true;
	assert_runs("-j show " TREE_ENDPOINT);
	document = parse(result.out);
	operator = member(document, "operator");
	assert_string_equal(text_of(operator, "cpus"), "0-7");
	for (size_t i = 0; i < sizeof(private) / sizeof(*private); i++)
		assert_null(member(operator, private[i]));
	json_object_put(document);
	with.unprivileged = true;
	assert_why(TREE_ENDPOINT, 4, NULL, "table", "unknown", "only root may see");
	with.unprivileged = true;
	assert_why(TREE_ENDPOINT, 4, NULL, "requester", "unknown", "only root may see");
	with.unprivileged = true;
	assert_why(TREE_ENDPOINT, 4, NULL, "CPUs", "ok", "0-7 are granted");
	with.unprivileged = true;
	assert_fails("watch " TREE_ENDPOINT, 4, "run as root");
	/* one that all may read and nobody can is another matter */
	assert_int_equal(chmod(TREE "/bus/pci/devices/" TREE_ENDPOINT "/tph/policy", 0), 0);
	with.unprivileged = true;
	assert_why(TREE_ENDPOINT, 4, NULL, "driver", "unknown", "cannot be read: Permission denied");
}

/* Ports that are above each other: trees are made up by people as well. */
static void ways_up_that_do_not_end(void **context)
{
	static const char *const ports[] = { "0000:00:08.0", "0000:00:09.0" };
	static const char *const commands[] = { "show", "why", "group", "report" };
	char words[PATH_MAX], path[PATH_MAX], target[PATH_MAX];

	(void)context;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "pci0000:00/%s", ports[!i]);
		tree_function(TREE, &(struct tree_function){ .parents = path, .address = ports[i],
			.kind = TREE_KIND_UPSTREAM });
		tree_set_dword(TREE, ports[i], 0x64, KNOWS_PREFIXES);
	}
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/" TREE_PORT
		"/0000:00:08.0", .address = DSA, .group = "30" });
	tree_set_dword(TREE, DSA, 0x100, 0x00010017);
	tree_set_dword(TREE, DSA, 0x104, 0x00000104);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		remove(TREE ".tar");
		snprintf(words, sizeof(words), "%s " DSA "%s", commands[i], i == 3 ? " " TREE ".tar" :
			 "");
		if (run(words) > 4)
			explain(words, __LINE__, "it did not end by itself");
	}
	remove(TREE ".tar");
	/* the same by a path that names a port twice */
	snprintf(target, sizeof(target), "../../../devices/pci0000:00/0000:00:08.0/0000:00:09.0/"
		 "0000:00:08.0/" TREE_NVME);
	tree_text(TREE, "devices/pci0000:00/0000:00:08.0/0000:00:09.0/0000:00:08.0/" TREE_NVME
		  "/vendor", "0x8086\n");
	assert_int_equal(remove(TREE "/bus/pci/devices/" TREE_NVME), 0);
	assert_int_equal(symlink(target, TREE "/bus/pci/devices/" TREE_NVME), 0);
	if (run("group " TREE_NVME) != 1)
		explain("group", __LINE__, "it did not end by itself");
}

static void why_of_what_the_driver_says(void **context)
{
	static const struct {
		const char *word, *name;
		int status;
	} cases[] = {
		{ "no-completer", "completer", 3 }, { "no-mode", "modes", 3 },
		{ "no-firmware", "firmware", 3 }, { "policy", "policy", 4 },
		{ "not-attached", "address space", 1 },
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		tree_attribute(TREE, TREE_ENDPOINT, "steering", cases[i].word);
		assert_why(TREE_ENDPOINT, cases[i].status, cases[i].name, cases[i].name, "broken",
			   "");
	}
	assert_why(TREE_ENDPOINT, 1, "address space", "firmware", "ok", "_DSM");
	/* Not attached is open, although nobody is seen to have it. */
	assert_why(TREE_ENDPOINT, 1, "address space", "requester", "broken", "has not enabled it");
	assert_why(TREE_ENDPOINT, 1, "address space", "table", "broken", "no entry steers");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "policy");
	assert_int_equal(run("why " TREE_ENDPOINT), 4);
	assert_says(result.out, "tphctl grant " TREE_ENDPOINT " --policy ds-st");
	assert_runs("bind " TREE_INTEGRATED);
	tree_attribute(TREE, TREE_INTEGRATED, "steering", "no-completer");
	assert_why(TREE_INTEGRATED, 3, "completer", "completer", "broken", "integrated");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "something new");
	assert_why(TREE_ENDPOINT, 1, NULL, "firmware", "unknown", "");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "possible");
	tree_attribute(TREE, TREE_ENDPOINT, "policy", "no-st");
	assert_why(TREE_ENDPOINT, 4, "policy", "policy", "broken", "no-st");
	assert_says(result.out, "tphctl grant " TREE_ENDPOINT " --policy iv-st");
	/* A device that has Device Specific mode alone needs ds-st. */
	assert_int_equal(run("bind " TREE_NVME), 0);
	assert_why(TREE_NVME, 3, "completer", "policy", "broken", "iv-st");
	assert_says(result.out, "tphctl grant " TREE_NVME " --policy ds-st");
	assert_runs("grant " TREE_NVME " --policy ds-st");
	assert_why(TREE_NVME, 3, "completer", "policy", "ok", "ds-st");
	assert_why(TREE_NVME, 3, "completer", "table", "ok", "it has none");
}

static void why_of_cpus(void **context)
{
	cpu_set_t before, one;
	char text[64];
	int here = 0;

	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", "");
	assert_why(TREE_ENDPOINT, 4, "CPUs", "CPUs", "broken", "list of CPUs is empty");
	assert_why(TREE_ENDPOINT, 4, "CPUs", "caller's CPUs", "unknown", "nothing is granted");
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", "2-x");
	assert_why(TREE_ENDPOINT, 1, NULL, "CPUs", "unknown", "2-x makes no sense");
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(here, &before))
		here++;
	CPU_ZERO(&one);
	CPU_SET(here, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	snprintf(text, sizeof(text), "%d-%d", here + 1, here + 2);
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", text);
	snprintf(text, sizeof(text), "this process may run on %d alone", here);
	assert_why(TREE_ENDPOINT, 4, "caller's CPUs", "caller's CPUs", "broken", text);
	assert_why(TREE_ENDPOINT, 4, "caller's CPUs", "CPUs", "ok", "are granted");
	snprintf(text, sizeof(text), "%d-%d", here, here + 1);
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", text);
	snprintf(text, sizeof(text), "of these this process may steer to %d", here);
	assert_why(TREE_ENDPOINT, 0, NULL, "caller's CPUs", "ok", text);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void why_of_users(void **context)
{
	static const char syspath[] = "pos:\t0\nvfio-device-syspath: /sys/devices/pci0000:00/"
				      TREE_PORT "/" TREE_ENDPOINT "\n";
	static const char another[] = "vfio-device-syspath: /sys/devices/pci0000:00/" TREE_NVME
				      "\n";

	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", "0-4095");
	assert_why(TREE_ENDPOINT, 0, NULL, "user", "ok", "free");
	assert_why(TREE_ENDPOINT, 0, NULL, "address space", "ok", "none yet");
	assert_why(TREE_ENDPOINT, 0, NULL, "table", "ok", "clear, until");
	assert_why(TREE_ENDPOINT, 0, NULL, "requester", "ok", "off, until");
	/* Others' descriptors, and other things, are none of it. */
	tree_open(TREE, 40, 3, "anon_inode:[vfio-device]", another);
	tree_open(TREE, 40, 4, "/dev/vfio/vfio", "");
	tree_open(TREE, 40, 5, "/dev/vfio/13", "");
	tree_open(TREE, 40, 6, "/dev/vfio/devices/vfio8", "");
	tree_open(TREE, 40, 7, "/dev/null", syspath);
	assert_why(TREE_ENDPOINT, 0, NULL, "user", "ok", "free");
	/* A process that cannot be looked into may be the one. */
	tree_open(TREE, 41, 3, "/dev/null", "");
	tree_remove(TREE "/proc/41/fd");
	tree_put(TREE, "proc/41/fd", "", 0);
	assert_why(TREE_ENDPOINT, 4, NULL, "user", "unknown", "looked into");
	tree_open(TREE, 42, 9, "/dev/vfio/devices/vfio7", "");
	assert_why(TREE_ENDPOINT, 1, "table", "table", "broken", "no entry steers to a CPU");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "ds 16");
	assert_why(TREE_ENDPOINT, 0, NULL, "table", "ok", "registers of its own");
	tree_attribute(TREE, TREE_ENDPOINT, "targets", "2-3");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "no-st 8");
	assert_why(TREE_ENDPOINT, 1, "requester", "requester", "broken", "hints without tags");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "iv 16");
	assert_why(TREE_ENDPOINT, 0, NULL, "user", "ok", "open by qemu (pid 42)");
	assert_why(TREE_ENDPOINT, 0, NULL, "address space", "ok", "attached");
	assert_why(TREE_ENDPOINT, 0, NULL, "table", "ok", "entries steer to CPUs 2-3");
	assert_why(TREE_ENDPOINT, 0, NULL, "requester", "ok", "iv 16; CPUs targeted: 2-3");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "off");
	assert_why(TREE_ENDPOINT, 1, "requester", "requester", "broken", "has not enabled it");
	tree_remove(TREE "/proc/42");
	tree_open(TREE, 43, 9, "anon_inode:[vfio-device]", syspath);
	assert_why(TREE_ENDPOINT, 1, "requester", "user", "ok", "open by qemu (pid 43)");
	tree_remove(TREE "/proc/43");
	tree_open(TREE, 44, 9, "/dev/vfio/12", "");
	assert_why(TREE_ENDPOINT, 1, "requester", "user", "ok",
		   "its group is open by qemu (pid 44)");
	tree_attribute(TREE, TREE_ENDPOINT, "policy", "no-st");
	assert_int_equal(run("why " TREE_ENDPOINT), 4);
	assert_says(result.out, "stop its user, and tphctl grant");
}

static void why_without_privilege(void **context)
{
	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", "0-4095");
	tree_hide(TREE, TREE_ENDPOINT);
	assert_why(TREE_ENDPOINT, 4, NULL, "configuration space", "unknown", "64 bytes");
	assert_why(TREE_ENDPOINT, 4, NULL, "capability", "ok", "says the driver");
	assert_why(TREE_ENDPOINT, 4, NULL, "modes", "ok", "says the driver");
	assert_why(TREE_ENDPOINT, 4, NULL, "completer", "ok", "says the driver");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "no-completer");
	assert_why(TREE_ENDPOINT, 3, "completer", "modes", "unknown", "not known");
	tree_hide(TREE, TREE_NVME);
	assert_why(TREE_NVME, 1, "driver", "capability", "unknown", "hidden");
	assert_why(TREE_NVME, 1, "driver", "completer", "unknown", "hidden");
}

static void why_of_a_saved_tree(void **context)
{
	char words[PATH_MAX + 64], copy[PATH_MAX];

	(void)context;
	snprintf(copy, sizeof(copy), "%s-foreign", TREE);
	tree_make(copy);
	tree_text(copy, "kernel/irq/1/chip_name", "IR-IO-APIC\n");
	snprintf(words, sizeof(words), "why --sysfs %s " TREE_ENDPOINT, copy);
	/* Where its caller might run the tree does not say, and this one's CPUs are none of it. */
	assert_int_equal(run(words), 1);
	assert_says(result.out, "ok       CPUs                 0-7 are granted\n");
	assert_says(result.out, "unknown  caller's CPUs");
	assert_says(result.out, "ok       user                 free: nobody has it open, it "
		    "seems\n");
	tree_text(copy, "proc/self/status", "Name:\tx\nCpus_allowed_list:\t9,11\n");
	assert_int_equal(run(words), 4);
	assert_says(result.out, "broken   caller's CPUs        0-7 are granted, but this process "
		    "may run on 9,11 alone");
	tree_text(copy, "proc/self/status", "Cpus_allowed_list:\t2\n");
	tree_text(copy, "devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT "/enable", "1\n");
	tree_attribute(copy, TREE_ENDPOINT, "targets", "2");
	tree_attribute(copy, TREE_ENDPOINT, "requester", "iv 8");
	assert_runs(words);
	assert_says(result.out, "open, it seems; --sysfs does not tell by whom");
	/* Its own command line, not that of the kernel that runs. */
	tree_text(TREE, "proc/cmdline", "pci=notph\n");
	snprintf(words, sizeof(words), "why --sysfs %s " TREE_INTEGRATED, copy);
	assert_int_equal(run(words), 1);
	assert_says(result.out, "ok       kernel               started without");
	tree_text(copy, "proc/cmdline", "pci=notph\n");
	assert_int_equal(run(words), 3);
	tree_remove(copy);
}

/* Two functions that share a group, one on its host driver; @alias: behind a bridge to PCI. */
static void make_pair(bool alias)
{
	tree_driver(TREE, "e1000e", "");
	if (alias)
		add_neighbour("0000:01:01.0", NULL, TREE_KIND_BRIDGE, 2);
	tree_function(TREE, &(struct tree_function){
			.parents = alias ? "pci0000:00/" TREE_PORT "/0000:01:01.0" :
				   "pci0000:00/" TREE_PORT,
			.address = alias ? "0000:02:00.0" : "0000:01:00.1", .driver = "e1000e",
			.group = "12", .kind = alias ? TREE_KIND_PCI : TREE_KIND_ENDPOINT,
			.multifunction = !alias });
	tree_set_dword(TREE, TREE_ENDPOINT, 0x0c, 0x00800000);
}

static struct json_object *group_of(const char *address)
{
	char words[64];

	snprintf(words, sizeof(words), "-j group %s", address);
	assert_runs(words);
	return parse(result.out);
}

static void group_at_a_glance(void **context)
{
	struct json_object *document, *bind, *members, *one;

	(void)context;
	make_pair(false);
	assert_runs("group " TREE_ENDPOINT);
	assert_says(result.out, TREE_ENDPOINT ": IOMMU group 12, 2 members\n");
	assert_says(result.out, "  BIND_IOMMUFD   EPERM: 0000:01:00.1 in the group is bound to "
		    "e1000e");
	assert_says(result.out, "  owner          the host: 0000:01:00.1 is bound to e1000e\n");
	assert_says(result.out, "  default domain DMA\n");
	assert_says(result.out, "  interrupts     interrupt remapping is on");
	assert_says(result.out, "  one group      the functions of 0000:01:00 have no ACS");
	assert_says(result.out, "  DMA reaches    what the host has mapped for the group");
	assert_says(result.out, "\n   " TREE_ENDPOINT "  tph-vfio-pci   may stay ");
	assert_says(result.out, "\n=> 0000:01:00.1  e1000e         must go ");
	assert_null(strstr(result.out, "after bind"));

	document = group_of(TREE_ENDPOINT);
	assert_int_equal(number_of(document, "group"), 12);
	bind = member(document, "bind");
	assert_string_equal(text_of(bind, "error"), "EPERM");
	assert_string_equal(text_of(bind, "fault"), "0000:01:00.1");
	assert_string_equal(text_of(bind, "decided_by"), "iommu_device_claim_dma_owner");
	assert_true(json_object_get_boolean(member(bind, "certain")));
	assert_null(member(document, "bind_later"));
	assert_string_equal(text_of(document, "default_domain"), "DMA");
	assert_true(json_object_get_boolean(member(member(document, "interrupts"), "isolated")));
	assert_string_equal(text_of(json_object_array_get_idx(member(document, "causes"), 0),
				    "kind"),
			    "functions");
	members = member(document, "members");
	assert_int_equal(json_object_array_length(members), 2);
	one = json_object_array_get_idx(members, 1);
	assert_string_equal(text_of(one, "device"), "0000:01:00.1");
	assert_string_equal(text_of(one, "driver"), "e1000e");
	assert_false(json_object_get_boolean(member(one, "beside_user")));
	assert_non_null(member(one, "beside_user"));
	assert_string_equal(text_of(one, "alias"), "01:00.1");
	json_object_put(document);

	/* The other one first has to be given away: then the way is free. */
	document = group_of("0000:01:00.1");
	assert_string_equal(text_of(member(document, "bind"), "error"), "ENODEV");
	assert_null(member(member(document, "bind_later"), "error"));
	json_object_put(document);
	assert_runs("group 0000:01:00.1");
	assert_says(result.out, "  after bind     success");

	why_setup(context);
	make_pair(true);
	document = group_of(TREE_ENDPOINT);
	one = json_object_array_get_idx(member(document, "members"), 2);
	assert_string_equal(text_of(one, "requester"), "02:00.0");
	assert_string_equal(text_of(one, "alias"), "02:00.0");
	json_object_put(document);
	tree_function(TREE, &(struct tree_function){
			.parents = "pci0000:00/" TREE_PORT "/0000:01:01.0",
			.address = "0000:02:03.0",
			.group = "12", .kind = TREE_KIND_PCI });
	assert_runs("group 0000:02:03.0");
	assert_says(result.out, "its requests come as 02:00.0");
}

static void groups_that_are_none(void **context)
{
	struct json_object *document;

	(void)context;
	assert_fails("group 0000:09:00.0", 1, "there is no such PCI device");
	assert_fails("group --sysfs /nonexistent " TREE_ENDPOINT, 1, "there is no such PCI device");
	document = group_of(TREE_CONVENTIONAL);
	assert_null(member(document, "group"));
	assert_string_equal(text_of(member(document, "bind_later"), "error"), "ENODEV");
	json_object_put(document);
	assert_runs("group " TREE_CONVENTIONAL);
	assert_says(result.out, "in no IOMMU group");
	tree_text(TREE, "kernel/iommu_groups/12/name", "vfio-noiommu\n");
	assert_runs("group " TREE_ENDPOINT);
	assert_says(result.out, "made up by VFIO (noiommu)");
	tree_text(TREE, "kernel/irq/1/chip_name", "IO-APIC\n");
	remove(TREE "/kernel/iommu_groups/12/name");
	document = group_of(TREE_ENDPOINT);
	assert_string_equal(text_of(member(document, "bind"), "error"), "EPERM");
	assert_null(member(member(document, "bind"), "fault"));
	json_object_put(document);
	tree_remove(TREE "/kernel/iommu_groups/12/devices");
	assert_fails("group " TREE_ENDPOINT, 1, "its IOMMU group cannot be read");
}

#define REPORT		TREE ".tar"
#define UNPACKED	TREE "-unpacked"

/* Run a program on the host, found by PATH, with @words cut at blanks. */
static void host(const char *words)
{
	char text[4 * PATH_MAX], *arguments[16], *rest = NULL;
	int count = 0, status;
	pid_t child;

	snprintf(text, sizeof(text), "%s", words);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		arguments[count++] = word;
	arguments[count] = NULL;
	assert_int_equal(posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static bool file_has(const char *path, const void *what, size_t size)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "re");
	size_t length;

	assert_non_null(file);
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	return memmem(text, length, what, size);
}

static bool is_utf8(const char *text)
{
	mbstate_t state = { 0 };

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		fail_msg("no locale C.UTF-8");
	return mbsrtowcs(NULL, &text, 0, &state) != (size_t)-1;
}

/* Bytes that a terminal would go by, or that are no text. */
#define BYTES	"\033]0;owned\a\033[2J\xe9\x7f\xc2\x9b" "1m"

static void assert_readable_(const char *words, int line)
{
	struct json_object *document;
	char in_json[4096];

	run(words);
	for (int i = 0; i < 2; i++) {
		const char *text = i ? result.err : result.out;

		for (const char *byte = text; *byte; byte++)
			if (((unsigned char)*byte < ' ' && *byte != '\n') || *byte == 0x7f)
				explain(words, line, "a control character");
		if (!is_utf8(text) || strstr(text, "\xc2\x9b"))
			explain(words, line, "this is not UTF-8, or a control in it");
	}
	snprintf(in_json, sizeof(in_json), "-j %s", words);
	run(in_json);
	if (!is_utf8(result.out) || strchr(result.out, 0x7f) || strstr(result.out, "\xc2\x9b"))
		explain(in_json, line, "this is not UTF-8, or a control in it");
	document = parse(result.out);
	if (!document)
		explain(in_json, line, "this is not JSON");
	json_object_put(document);
}
#define assert_readable(words) assert_readable_(words, __LINE__)

static void bytes_that_are_no_text(void **context)
{
	static const char *const attributes[] = { "policy", "cpus", "targets", "requester",
						  "steering", "publish" };
	char path[PATH_MAX];

	(void)context;
	/* Whoever holds a device says what its process is called. */
	tree_open(TREE, 42, 9, "/dev/vfio/devices/vfio7", "");
	tree_put(TREE, "proc/42/comm", "\033[31mqemu\xe9", 10);
	assert_readable("why " TREE_ENDPOINT);
	run("why " TREE_ENDPOINT);
	assert_says(result.out, "open by \\x1b[31mqemu\\xe9 (pid 42)");
	run("-j why " TREE_ENDPOINT);
	assert_says(result.out, "\\u001b[31mqemu\\\\xe9 (pid 42)");
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		tree_attribute(TREE, TREE_ENDPOINT, attributes[i], BYTES);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/" TREE_NVME "/driver", TREE);
	assert_int_equal(remove(path), 0);
	assert_int_equal(symlink("../../bus/pci/drivers/" BYTES, path), 0);
	tree_text(TREE, "kernel/iommu_groups/12/type", BYTES "\n");
	assert_readable("list");
	assert_readable("show " TREE_ENDPOINT);
	assert_readable("show " TREE_NVME);
	assert_readable("why " TREE_ENDPOINT);
	assert_readable("why " TREE_NVME);
	assert_readable("group " TREE_ENDPOINT);
	assert_readable("group " TREE_NVME);
	assert_readable("grant " TREE_ENDPOINT " --cpus 1");
	assert_readable("dmabufs " TREE_ENDPOINT);
	assert_readable("sh\xffow");
	assert_readable("show " BYTES);
	assert_readable("--" BYTES);
	assert_readable("list --sysfs /" BYTES);
	assert_readable("report " TREE_ENDPOINT " /nonexistent/" BYTES);
	remove(TREE ".tar");
	assert_readable("report " TREE_NVME " " TREE ".tar");
	remove(TREE ".tar");
	/* what is text stays as it is */
	tree_put(TREE, "proc/42/comm", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 16);
	run("why " TREE_ENDPOINT);
	assert_says(result.out, "open by gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 (pid 42)");
}

#define SECRET	"secret-of-the-host"
#define FOREIGN	TREE "-foreign"
#define OUTSIDE	TREE "-outside"

/* Nothing that is not in the tree, by whichever link. */
static void assert_tells_no_secret(const char *address)
{
	static const char *const commands[] = { "list", "show", "why", "group", "dmabufs", "report" };
	char words[2 * PATH_MAX];

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		remove(TREE ".tar");
		snprintf(words, sizeof(words), "%s --sysfs " FOREIGN " %s%s", commands[i],
			 i ? address : "", i == 5 ? " " TREE ".tar" : "");
		if (run(words) > 4 || strstr(result.out, SECRET) || strstr(result.err, SECRET))
			explain(words, __LINE__, "it tells what is not in the tree, or ended badly");
		if (!access(TREE ".tar", F_OK))
			assert_false(file_has(TREE ".tar", SECRET, strlen(SECRET)));
	}
	remove(TREE ".tar");
}

static void replace_with_link(const char *tree, const char *path, const char *target)
{
	char full[2 * PATH_MAX];

	snprintf(full, sizeof(full), "%s/%s", tree, path);
	remove(full);
	assert_int_equal(symlink(target, full), 0);
}

static void trees_that_lead_out_of_themselves(void **context)
{
	static const char *const files[] = {
		"tph/policy", "tph/cpus", "tph/targets", "tph/requester", "tph/revocations",
		"tph/steering", "tph/publish", "vendor", "device", "config",
	};
	static const char *const others[] = {
		"kernel/iommu_groups/12/type", "kernel/iommu_groups/12/name",
		"kernel/iommu_groups/12/reserved_regions", "kernel/irq/1/chip_name",
		"proc/cmdline", "proc/self/status", "proc/sys/kernel/osrelease",
		"kernel/debug/tph-vfio-pci/" TREE_ENDPOINT,
		"module/iommufd/parameters/allow_unsafe_interrupts",
	};
	static const char *const targets[] = { OUTSIDE "/" SECRET, "/proc/self/cwd/../../../../../../.."
					       OUTSIDE "/" SECRET };
	char path[PATH_MAX], target[PATH_MAX];

	(void)context;
	tree_text(OUTSIDE, "x/" SECRET, SECRET "\n");
	tree_put(OUTSIDE, SECRET, SECRET "\n", strlen(SECRET) + 1);
	for (size_t kind = 0; kind < 2; kind++) {
		tree_make(FOREIGN);
		tree_debug(FOREIGN, TREE_ENDPOINT, "");
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
			tree_text(FOREIGN, others[i], "");
			replace_with_link(FOREIGN, others[i], targets[kind]);
		}
		assert_tells_no_secret(TREE_ENDPOINT);
		for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
			snprintf(path, sizeof(path), "devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT
				 "/%s", files[i]);
			replace_with_link(FOREIGN, path, targets[kind]);
			/* without one of the last three the others are not looked at */
			if (i > 5)
				assert_tells_no_secret(TREE_ENDPOINT);
		}
		/* whole folders, and by a link that goes up */
		tree_remove(FOREIGN "/kernel/iommu_groups/13/devices");
		replace_with_link(FOREIGN, "kernel/iommu_groups/13/devices", OUTSIDE "/x");
		assert_tells_no_secret(TREE_NVME);
		snprintf(target, sizeof(target), "../../../../..%s/devices/pci0000:00/" TREE_PORT, TREE);
		replace_with_link(FOREIGN, "bus/pci/devices/" TREE_NVME, target);
		assert_tells_no_secret(TREE_NVME);
	}
	/* A name that would be a way up in a report. */
	tree_make(FOREIGN);
	replace_with_link(FOREIGN, "devices/pci0000:00/0000:00:03.0/" TREE_NVME "/driver", "/x/..");
	remove(TREE ".tar");
	run("report --sysfs " FOREIGN " " TREE_NVME " " TREE ".tar");
	assert_null(strstr(result.out, ".."));
	remove(TREE ".tar");
	tree_remove(FOREIGN);
	tree_remove(OUTSIDE);
}

/* Nobody writes to them, so that who opens and reads them waits for ever. */
static void trees_with_pipes(void **context)
{
	static const char *const files[] = {
		"bus/pci/devices/" TREE_ENDPOINT "/tph/policy",
		"bus/pci/devices/" TREE_ENDPOINT "/tph/publish",
		"bus/pci/devices/" TREE_ENDPOINT "/enable", "kernel/iommu_groups/12/type",
		"kernel/irq/1/chip_name", "proc/cmdline", "proc/self/status",
		"proc/sys/kernel/osrelease", "kernel/debug/tph-vfio-pci/" TREE_ENDPOINT,
		"bus/pci/devices/" TREE_PORT "/config", "bus/pci/devices/" TREE_ENDPOINT "/config",
		"bus/pci/devices/" TREE_ENDPOINT "/vendor",
	};
	char path[PATH_MAX];

	(void)context;
	tree_make(FOREIGN);
	tree_debug(FOREIGN, TREE_ENDPOINT, "");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), FOREIGN "/%s", files[i]);
		if (i > 2 && i < 9)
			tree_text(FOREIGN, files[i], "");
		remove(path);
		assert_int_equal(mkfifo(path, 0644), 0);
		/* without one of the last the others are not looked at */
		if (i < 8)
			continue;
		alarm(60);
		assert_tells_no_secret(TREE_ENDPOINT);
		alarm(0);
	}
	tree_remove(FOREIGN);
}

/* Must be the same on the machine and from the report, less what @words say on who has it open. */
static void assert_same_answer(const char *command, const char *address)
{
	static char here[OUTPUT_SIZE], there[OUTPUT_SIZE];
	char words[PATH_MAX + 64];

	snprintf(words, sizeof(words), "%s %s", command, address);
	run(words);
	strcpy(here, result.out);
	snprintf(words, sizeof(words), "%s --sysfs " UNPACKED "/tphctl-report %s", command,
		 address);
	run(words);
	strcpy(there, result.out);
	for (char *text = here; text; text = text == here ? there : NULL) {
		char *user = strstr(text, "nobody has it open");

		if (user)
			memmove(user + 18, strchr(user, '\n'), strlen(strchr(user, '\n')) + 1);
	}
	assert_string_equal(here, there);
}

static void unpack(const char *address)
{
	char words[PATH_MAX + 64];

	remove(REPORT);
	snprintf(words, sizeof(words), "report %s " REPORT, address);
	assert_runs(words);
	tree_remove(UNPACKED);
	host("mkdir " UNPACKED);
	host("tar -C " UNPACKED " -xf " REPORT);
}

static void report_answers_like_the_machine(void **context)
{
	(void)context;
	make_pair(false);
	unpack(TREE_ENDPOINT);
	assert_same_answer("why", TREE_ENDPOINT);
	assert_says(result.out, "0000:01:00.1 is in the way: e1000e");
	assert_same_answer("group", TREE_ENDPOINT);
	assert_same_answer("group", "0000:01:00.1");
	why_setup(context);
	make_pair(true);
	tree_text(TREE, "proc/cmdline", "pci=noaer,notph\n");
	tree_text(TREE, "kernel/irq/1/chip_name", "IO-APIC\n");
	tree_text(TREE, "kernel/iommu_groups/12/reserved_regions", "0x0 0xff msi\n"
		  "0x100 0x1ff direct\n");
	unpack(TREE_ENDPOINT);
	assert_same_answer("why", TREE_ENDPOINT);
	assert_same_answer("group", TREE_ENDPOINT);
	assert_says(result.out, "one group");
	assert_says(result.out, "must stay mapped 1:1");
	unpack(TREE_INTEGRATED);
	assert_same_answer("why", TREE_INTEGRATED);
	assert_says(result.out, "=> broken   kernel");
	unpack(TREE_NVME);
	assert_same_answer("why", TREE_NVME);
	unpack(TREE_CONVENTIONAL);
	assert_same_answer("why", TREE_CONVENTIONAL);
	assert_same_answer("group", TREE_CONVENTIONAL);
	tree_hide(TREE, TREE_ENDPOINT);
	unpack(TREE_ENDPOINT);
	assert_says(result.err, "better run as root");
	assert_same_answer("why", TREE_ENDPOINT);
	tree_remove(UNPACKED);
	remove(REPORT);
}

static void report_holds_nothing_private(void **context)
{
	static const uint8_t bytes[] = { 0xde, 0xad, 0xbe, 0xef };
	struct json_object *document, *contents;
	FILE *list;
	char line[512];
	size_t listed = 0;

	(void)context;
	make_pair(false);
	tree_text(TREE, "module/tph_vfio_pci/taint", "OE\n");
	assert_int_equal(symlink("../../../../module/tph_vfio_pci",
				 TREE "/bus/pci/drivers/tph-vfio-pci/module"), 0);
	/* A serial number, a vendor's capability, a BAR, and words that are nobody's business. */
	tree_set_dword(TREE, TREE_ENDPOINT, 0x10, 0xefbeadde);
	tree_set_dword(TREE, TREE_ENDPOINT, 0x1b0, 0x00010017 | 0x300u << 20);
	tree_set_dword(TREE, TREE_ENDPOINT, 0x300, 0x00010003 | 0x320u << 20);
	tree_set_dword(TREE, TREE_ENDPOINT, 0x304, 0xefbeadde);
	tree_set_dword(TREE, TREE_ENDPOINT, 0x308, 0xefbeadde);
	tree_set_dword(TREE, TREE_ENDPOINT, 0x320, 0x0001000b);
	tree_set_dword(TREE, TREE_ENDPOINT, 0x324, 0xefbeadde);
	tree_set_dword(TREE, TREE_ENDPOINT, 0x800, 0xefbeadde);
	tree_text(TREE, "proc/cmdline", "root=/dev/disk/secret hostname=secret pci=noaer ip=secret "
		  "vfio-pci.ids=8086:10d3 xpci=secret password=secret\n");
	tree_text(TREE, "proc/self/status", "Name:\tsecret\n");
	tree_text(TREE, "proc/sys/kernel/osrelease", "7.3.4-secret\n");
	tree_text(TREE, "boot/config-7.3.4-secret", "CONFIG_ACPI=y\nCONFIG_PCIE_TPH=y\n"
		  "CONFIG_LOCALVERSION=\"-secret\"\nCONFIG_VFIO_PCI_CORE=y\n");
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/0000:01:00.1/net/secret/address",
		  "secret\n");
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT "/serial", "secret\n");
	tree_attribute(TREE, TREE_ENDPOINT, "secret", "secret");
	remove(REPORT);
	assert_runs("-j report " TREE_ENDPOINT " " REPORT);
	assert_true(file_has(REPORT, "pci=noaer vfio-pci.ids=8086:10d3\n", 32));
	assert_true(file_has(REPORT, "CONFIG_PCIE_TPH=y\n", 18));
	assert_false(file_has(REPORT, "secret", 6));
	assert_false(file_has(REPORT, bytes, sizeof(bytes)));
	assert_false(file_has(REPORT, TREE, strlen(TREE)));
	assert_false(file_has(REPORT, "root", 4));	/* nor its owner's name in the headers */

	/* What it lists is what tar finds in it. */
	document = parse(result.out);
	assert_string_equal(text_of(document, "file"), REPORT);
	contents = member(document, "contents");
	list = popen("tar -tf " REPORT, "r");
	assert_non_null(list);
	while (fgets(line, sizeof(line), list)) {
		struct json_object *name = json_object_array_get_idx(contents, listed++);

		line[strcspn(line, "\n")] = '\0';
		if (line[strlen(line) - 1] == '/')
			line[strlen(line) - 1] = '\0';
		assert_int_equal(strncmp(line, "tphctl-report/", 14), 0);
		assert_string_equal(line + 14, json_object_get_string(name));
		/* each once */
		for (size_t i = 0; i + 1 < listed; i++)
			assert_string_not_equal(line + 14, json_object_get_string(
							json_object_array_get_idx(contents, i)));
	}
	assert_int_equal(pclose(list), 0);
	assert_int_equal(listed, json_object_array_length(contents));
	assert_true(listed > 20);
	json_object_put(document);
	remove(REPORT);
}

/* Links and names that do not fit a header of tar's first format. */
static void report_of_a_deep_tree(void **context)
{
	static const char *const ports[] = { "0000:02:00.0", "0000:03:00.0", "0000:04:01.0",
					     "0000:05:00.0", "0000:06:00.0", "0000:07:00.0",
					     "0000:08:00.0", "0000:09:00.0", "0000:0a:00.0" };
	char parents[512] = "pci0000:00";
	size_t used = strlen(parents);

	(void)context;
	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		tree_function(TREE, &(struct tree_function){
				.parents = parents, .address = ports[i], .driver = "pcieport",
				.kind = i ? TREE_KIND_DOWNSTREAM : TREE_KIND_ROOT_PORT,
				.group = "40", .secondary = (unsigned char)(i + 3) });
		used += (size_t)snprintf(parents + used, sizeof(parents) - used, "/%s", ports[i]);
	}
	tree_function(TREE, &(struct tree_function){ .parents = parents, .address = "0000:0b:00.0",
						      .group = "40" });
	unpack("0000:0b:00.0");
	assert_same_answer("why", "0000:0b:00.0");
	assert_same_answer("group", "0000:0b:00.0");
	assert_says(result.out, "0000:0a:00.0");
	tree_remove(UNPACKED);
	remove(REPORT);
}

static void reports_that_cannot_be_written(void **context)
{
	(void)context;
	remove(REPORT);
	assert_fails("report 0000:09:00.0 " REPORT, 1, "there is no such PCI device");
	assert_int_equal(access(REPORT, F_OK), -1);
	assert_fails("report " TREE_ENDPOINT " " TREE "/proc/cmdline", 1, "it is there already");
	assert_true(file_has(TREE "/proc/cmdline", "root=/dev/sda1", 14));
	assert_fails("report " TREE_ENDPOINT " /nonexistent/x", 1, "/nonexistent/x");
	assert_fails("report " TREE_ENDPOINT " a b", 2, "takes no more than 2");
}

/* System calls that tphctl makes for @command on @address. */
static long calls_of(const char *command, const char *address)
{
	char *words[] = { (char *)"tphctl", (char *)command, (char *)address, NULL };
	long stops = 0;
	int status;
	pid_t child;

	setenv("TPH_SIM", "", 1);
	child = fork();
	if (!child) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		/* The leak sanitizer traces the process itself, which only one can. */
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
		if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
		    ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(99);
		execv(TPHCTL, words);
		_exit(99);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD), 0);
	do {
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		stops += WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
	} while (WIFSTOPPED(status));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 99);
	return stops / 2;
}

/*
 * What why and group cost grows with the group alone, not with the machine, and with no square of
 * it: 5000 system calls of 10 us would take 50 ms.
 */
static void machine_of_256_functions(void **context)
{
	static const char *const commands[] = { "why", "group" };
	long few[2], many;

	(void)context;
	for (int i = 0; i < 2; i++)
		few[i] = calls_of(commands[i], TREE_ENDPOINT);
	add_crowd(0x20, 250, "99");
	/* The address sanitizer has some calls of its own, which vary. */
	for (int i = 0; i < 2; i++)
		assert_in_range(calls_of(commands[i], TREE_ENDPOINT), few[i] - 50, few[i] + 50);
	add_crowd(0x01, 255, "12");
	for (int i = 0; i < 2; i++) {
		many = calls_of(commands[i], TREE_ENDPOINT);
		print_message("# tphctl %s: %ld system calls, %ld in a group of 256\n", commands[i],
			      few[i], many);
		assert_in_range(many - few[i], 255, i ? 255 * 20 : 255 * 10);
	}
}

static void output_that_goes_nowhere(void **context)
{
	(void)context;
	with.out = "/dev/full";
	assert_int_equal(run("list"), 1);
	assert_says(result.err, "standard output");
}

static void list_names_what_there_is(void **context)
{
	struct json_object *document, *devices, *device;

	(void)context;
	assert_runs("list");
	assert_says(result.out, "DEVICE");
	assert_says(result.out, TREE_INTEGRATED
		    "  -                 5  no-st,iv     capability       16");
	assert_null(strstr(result.out, TREE_PORT));
	assert_null(strstr(result.out, TREE_CONVENTIONAL));
	assert_runs("list -j");
	document = parse(result.out);
	assert_int_equal(number_of(document, "version"), 1);
	assert_string_equal(text_of(document, "command"), "list");
	devices = member(document, "devices");
	assert_int_equal(json_object_array_length(devices), 3);
	device = json_object_array_get_idx(devices, 0);
	assert_string_equal(text_of(device, "device"), TREE_INTEGRATED);
	assert_null(member(device, "driver"));
	assert_int_equal(number_of(device, "width"), 8);
	device = json_object_array_get_idx(devices, 1);
	assert_string_equal(text_of(device, "device"), TREE_ENDPOINT);
	assert_string_equal(text_of(device, "driver"), "tph-vfio-pci");
	assert_int_equal(number_of(device, "group"), 12);
	assert_int_equal(number_of(device, "entries"), 8);
	assert_int_equal(number_of(device, "width"), 16);
	assert_string_equal(text_of(device, "table"), "msix");
	assert_int_equal(json_object_array_length(member(device, "modes")), 3);
	device = json_object_array_get_idx(devices, 2);
	assert_string_equal(text_of(device, "table"), "none");
	assert_string_equal(text_of(device, "modes"), "[ \"no-st\", \"ds\" ]");
	json_object_put(document);
}

static void show_tells_hardware_and_offer_apart(void **context)
{
	struct json_object *document, *offer, *hardware;

	(void)context;
	with.simulation = "policy=iv-st";
	assert_runs("-j show 01:00.0");
	document = parse(result.out);
	assert_string_equal(text_of(document, "device"), TREE_ENDPOINT);
	assert_string_equal(text_of(document, "driver"), "tph-vfio-pci");
	assert_string_equal(text_of(member(document, "root_port"), "device"), TREE_PORT);
	assert_int_equal(number_of(member(document, "root_port"), "completer"), 16);
	hardware = member(document, "hardware");
	assert_string_equal(text_of(hardware, "modes"), "[ \"no-st\", \"iv\", \"ds\" ]");
	assert_int_equal(number_of(hardware, "entries"), 8);
	offer = member(document, "offer");
	assert_string_equal(text_of(offer, "modes"), "[ \"no-st\", \"iv\" ]");
	assert_true(json_object_get_boolean(member(offer, "steering")));
	assert_false(json_object_get_boolean(member(offer, "tags_readable")));
	assert_false(json_object_get_boolean(member(member(offer, "requester"), "enabled")));
	json_object_put(document);
	with.simulation = "policy=no-st";
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "forbidden by the operator's policy");
	assert_says(result.out, "root port        " TREE_PORT ", completes 8-bit and 16-bit tags");
	with.simulation = "held";
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "busy: it is in use by another process");
	assert_says(result.out, "no-st iv ds");
	with.simulation = "stock";
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "does not speak TPH");
	with.simulation = "iommu-error=2";
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "modprobe iommufd");
}

static void show_without_a_vfio_driver(void **context)
{
	struct json_object *document, *requester;

	(void)context;
	assert_runs("show " TREE_NVME);
	assert_says(result.out, "no TPH completer");
	assert_says(result.out, "not bound to a VFIO driver; tphctl bind " TREE_NVME);
	assert_runs("show -j " TREE_NVME);
	document = parse(result.out);
	assert_null(member(document, "offer"));
	requester = member(member(document, "hardware"), "requester");
	assert_true(json_object_get_boolean(member(requester, "enabled")));
	assert_string_equal(text_of(requester, "mode"), "ds");
	assert_int_equal(number_of(requester, "width"), 8);
	assert_int_equal(number_of(member(document, "hardware"), "control"), 0x102);
	json_object_put(document);
	assert_runs("show " TREE_INTEGRATED);
	assert_says(result.out, "none: root complex integrated");
	assert_runs("show --sysfs " TREE " " TREE_ENDPOINT);	/* the same tree: not foreign */
	assert_says(result.out, "possible");
}

static void foreign_tree_opens_nothing(void **context)
{
	char words[PATH_MAX + 64], copy[PATH_MAX];

	(void)context;
	snprintf(copy, sizeof(copy), "%s-foreign", TREE);
	tree_make(copy);
	snprintf(words, sizeof(words), "show --sysfs %s " TREE_ENDPOINT, copy);
	assert_runs(words);
	assert_says(result.out, "--sysfs does not open devices");
	snprintf(words, sizeof(words), "list --sysfs=%s", copy);
	assert_runs(words);
	assert_says(result.out, TREE_ENDPOINT);
	/* Nor is the kernel's device of that address asked whether it is in use. */
	snprintf(words, sizeof(words), "bind --sysfs %s --driver vfio-pci " TREE_ENDPOINT, copy);
	with.simulation = "held";
	assert_fails(words, 1, "its driver_override cannot be written");
	tree_remove(copy);
}

static void one_command_says_that_it_does_not_last(void **context)
{
	struct json_object *document;

	(void)context;
	assert_runs("set " TREE_ENDPOINT " 0=1");
	assert_says(result.err, "steering of " TREE_ENDPOINT
		    " ends when tphctl closes it; keep it with -b or fd:N");
	assert_runs("-j enable " TREE_ENDPOINT);
	assert_string_equal(result.err, "");
	document = parse(result.out);
	assert_string_equal(text_of(document, "mode"), "iv");
	assert_int_equal(number_of(document, "width"), 16);
	assert_int_equal(json_object_array_length(member(document, "notes")), 1);
	json_object_put(document);
	with.input = "set " TREE_ENDPOINT " 0=1\n";
	assert_runs("-b -");
	assert_string_equal(result.err, "");
}

static void set_makes_one_request_of_each_run(void **context)
{
	(void)context;
	assert_runs("set " TREE_ENDPOINT " 5=2,0-2=3,3=none,7=1");
	assert_string_equal(result.log, "set 0+4 flags 0: 3 3 3 -1\nset 5+1 flags 0: 2\n"
			    "set 7+1 flags 0: 1\n");
	assert_runs("set --pm " TREE_ENDPOINT " 0=0");
	assert_string_equal(result.log, "set 0+1 flags 1: 0\n");
	assert_runs("clear " TREE_ENDPOINT " 1-2");
	assert_string_equal(result.log, "set 1+2 flags 0: -1 -1\n");
	assert_runs("clear " TREE_ENDPOINT " all");
	assert_string_equal(result.log, "set 0+8 flags 0: -1 -1 -1 -1 -1 -1 -1 -1\n");
}

static void enable_writes_what_was_asked(void **context)
{
	(void)context;
	assert_runs("enable " TREE_ENDPOINT " no-st 8");
	assert_string_equal(result.log, "control 0x100\n");
	assert_string_equal(result.out, TREE_ENDPOINT ": No ST mode, 8-bit tags\n");
	assert_runs("enable " TREE_ENDPOINT " 16 ds");
	assert_string_equal(result.log, "control 0x302\n");
	with.simulation = "narrow";
	assert_runs("enable " TREE_ENDPOINT " widest");
	assert_string_equal(result.log, "control 0x101\n");
	assert_runs("disable " TREE_ENDPOINT);
	assert_string_equal(result.log, "control 0x0\n");
}

static void batch_keeps_devices_open(void **context)
{
	struct json_object *document, *entries, *entry;
	char *line, *rest = NULL;

	(void)context;
	with.input = "# steer two queues\n\n  set\t01:00.0 0=1,1=2   # both\r\n"
		     "enable " TREE_ENDPOINT " iv 16\nshow " TREE_ENDPOINT "\n";
	assert_runs("-b -");
	assert_says(result.out, "Interrupt Vector mode, 16-bit tags");
	assert_says(result.out, "0              cpu 1  8-bit tag 0x11  16-bit tag 0x0101");
	assert_says(result.out, "1              cpu 2  8-bit tag 0x12  16-bit tag 0x0102");
	with.input = "set 01:00.0 0=1\nset 01:00.0 7=2\nshow 01:00.0";
	assert_runs("-j -b -");
	line = strtok_r(result.out, "\n", &rest);
	document = parse(line);
	assert_int_equal(number_of(document, "line"), 1);
	assert_string_equal(text_of(document, "command"), "set");
	json_object_put(document);
	line = strtok_r(NULL, "\n", &rest);
	line = strtok_r(NULL, "\n", &rest);
	document = parse(line);
	assert_int_equal(number_of(document, "line"), 3);
	entries = member(document, "entries");
	assert_int_equal(json_object_array_length(entries), 2);
	entry = json_object_array_get_idx(entries, 1);
	assert_int_equal(number_of(entry, "index"), 7);
	assert_int_equal(number_of(entry, "cpu"), 2);
	assert_int_equal(number_of(entry, "tag8"), 0x12);
	assert_int_equal(number_of(entry, "tag16"), 0x102);
	json_object_put(document);
	assert_null(strtok_r(NULL, "\n", &rest));
}

static void inherited_descriptor_lasts(void **context)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)context;
	with.device_fd = fd;
	with.simulation = "adopt=7";
	assert_runs("set fd:7 3=1");
	assert_string_equal(result.err, "");
	assert_string_equal(result.log, "set 3+1 flags 0: 1\n");
	with.device_fd = fd;
	with.simulation = "adopt=7 policy=iv-st";
	assert_runs("show fd:7");
	assert_says(result.out, "does not tell which device");
	assert_says(result.out, "no-st iv\n");
	close(fd);
}

static void bind_and_unbind_move_a_device(void **context)
{
	(void)context;
	assert_runs("bind " TREE_NVME);
	assert_string_equal(result.out, TREE_NVME ": bound to tph-vfio-pci (before: nvme)\n");
	assert_string_equal(result.log,
			    "write devices/" TREE_NVME "/driver_override: tph-vfio-pci\n"
			    "write drivers/nvme/unbind: " TREE_NVME "\n"
			    "write drivers_probe: " TREE_NVME "\n");
	assert_true(driver_is(TREE_NVME, "tph-vfio-pci"));
	assert_runs("bind " TREE_NVME);
	assert_says(result.out, "already");
	assert_string_equal(result.log, "");
	assert_runs("bind --driver vfio-pci " TREE_NVME);
	assert_true(driver_is(TREE_NVME, "vfio-pci"));
	assert_runs("-j unbind " TREE_NVME);
	assert_says(result.out, "\"driver\":\"nvme\",\"driver_before\":\"vfio-pci\"");
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_true(override_is(TREE_NVME, "(null)"));
	assert_runs("bind " TREE_INTEGRATED);
	assert_true(driver_is(TREE_INTEGRATED, "tph-vfio-pci"));
	assert_runs("unbind " TREE_INTEGRATED);
	assert_says(result.out, "free, no driver took it (before: tph-vfio-pci)");
	assert_true(driver_is(TREE_INTEGRATED, ""));
}

static void bind_sets_the_terms(void **context)
{
	struct json_object *document, *operator;

	(void)context;
	assert_runs("bind " TREE_NVME " --policy ds-st --cpus 5,2-3,4");
	assert_string_equal(result.out, TREE_NVME ": bound to tph-vfio-pci (before: nvme); "
			    "policy ds-st, CPUs 2-5\n");
	assert_string_equal(result.log,
			    "write devices/" TREE_NVME "/driver_override: tph-vfio-pci\n"
			    "write drivers/nvme/unbind: " TREE_NVME "\n"
			    "write drivers_probe: " TREE_NVME "\n"
			    "write devices/" TREE_NVME "/tph/policy: ds-st\n"
			    "write devices/" TREE_NVME "/tph/cpus: 2-5\n");
	assert_true(attribute_is(TREE_NVME, "policy", "ds-st"));
	assert_true(attribute_is(TREE_NVME, "cpus", "2-5"));
	assert_runs("bind " TREE_NVME " --cpus all");
	assert_string_equal(result.out, TREE_NVME ": bound to tph-vfio-pci already; "
			    "policy ds-st, CPUs 0-7\n");
	assert_string_equal(result.log, "write devices/" TREE_NVME "/tph/cpus: 0-7\n");
	assert_runs("-j bind " TREE_NVME " --cpus none");
	document = parse(result.out);
	operator = member(document, "operator");
	assert_string_equal(text_of(operator, "cpus"), "");
	assert_string_equal(text_of(operator, "policy"), "ds-st");
	json_object_put(document);
	assert_runs("-j bind " TREE_NVME);
	assert_null(strstr(result.out, "\"operator\""));
}

static void grant_takes_back(void **context)
{
	struct json_object *document;

	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "targets", "2,3,5");
	tree_attribute(TREE, TREE_ENDPOINT, "revocations", "7");
	touch("bus/pci/devices/" TREE_ENDPOINT "/open");
	assert_runs("grant 01:00.0 --cpus 0-2");
	assert_string_equal(result.out, TREE_ENDPOINT ": policy iv-st, CPUs 0-2 (before: 0-7); "
			    "2 entries taken back, CPUs targeted now: 2\n");
	assert_string_equal(result.log, "write devices/" TREE_ENDPOINT "/tph/cpus: 0-2\n");
	assert_true(attribute_is(TREE_ENDPOINT, "cpus", "0-2"));
	assert_runs("-j grant 01:00.0 --cpus none");
	document = parse(result.out);
	assert_int_equal(number_of(document, "taken_back"), 1);
	assert_string_equal(text_of(member(document, "operator_before"), "cpus"), "0-2");
	assert_string_equal(text_of(member(document, "operator"), "cpus"), "");
	assert_int_equal(number_of(member(document, "operator"), "revocations"), 10);
	json_object_put(document);
	assert_runs("grant 01:00.0 --cpus all");
	assert_string_equal(result.out, TREE_ENDPOINT ": policy iv-st, CPUs 0-7 (before: none); "
			    "nothing was taken back\n");
	remove(TREE "/bus/pci/devices/" TREE_ENDPOINT "/open");
	assert_runs("grant 01:00.0 --policy ds-st");
	assert_string_equal(result.out, TREE_ENDPOINT ": policy ds-st (before: iv-st), CPUs 0-7; "
			    "nothing was taken back\n");
	assert_string_equal(result.log, "write devices/" TREE_ENDPOINT "/tph/policy: ds-st\n");
}

static void show_tells_what_the_operator_sees(void **context)
{
	struct json_object *document, *operator;

	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", "2-5");
	tree_attribute(TREE, TREE_ENDPOINT, "targets", "3");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "iv 16");
	tree_attribute(TREE, TREE_ENDPOINT, "revocations", "4");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "not-attached");
	with.simulation = "held";
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "  operator\n"
		    "    policy         iv-st\n"
		    "    CPUs allowed   2-5\n"
		    "    CPUs targeted  3\n"
		    "    requester      iv 16\n"
		    "    taken back     4 entries\n"
		    "    steering       the device is open, but not attached to an I/O address "
		    "space\n");
	assert_says(result.out, "busy: ");
	assert_runs("-j show " TREE_ENDPOINT);
	document = parse(result.out);
	operator = member(document, "operator");
	assert_string_equal(text_of(operator, "policy"), "iv-st");
	assert_string_equal(text_of(operator, "cpus"), "2-5");
	assert_string_equal(text_of(operator, "targets"), "3");
	assert_string_equal(text_of(operator, "requester"), "iv 16");
	assert_int_equal(number_of(operator, "revocations"), 4);
	assert_string_equal(text_of(operator, "steering"), "not-attached");
	json_object_put(document);
	assert_runs("-j show " TREE_NVME);
	document = parse(result.out);
	assert_null(member(document, "operator"));
	json_object_put(document);
	assert_runs("show " TREE_NVME);
	assert_null(strstr(result.out, "operator"));
	tree_attribute(TREE, TREE_ENDPOINT, "revocations", "x");
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "  operator         Input/output error\n");
}

#define PUBLISHED	"kernel/debug/tph-vfio-pci/"

static void publishing_that_is_refused(void **context)
{
	(void)context;
	assert_fails("grant 0000:09:00.0 --publish on", 1, "there is no such PCI device");
	assert_fails("grant " TREE_ENDPOINT " --publish off", 3, "it is no TPH Completer");
	assert_fails("grant " TREE_ENDPOINT " --cpus 1 --publish off", 3, "it is no TPH Completer");
	assert_fails("grant " TREE_CONVENTIONAL " --publish off", 3, "it is no TPH Completer");
	assert_string_equal(result.log, "");
	assert_fails("bind " TREE_NVME " --publish on", 3, "everything is as it was (nvme)");
	assert_true(driver_is(TREE_NVME, "nvme"));
	tree_set_dword(TREE, TREE_NVME, 0x64, 0x1000);
	assert_fails("grant " TREE_NVME " --publish on", 3, "bound to nvme, not to tph-vfio-pci");
	assert_fails("bind " TREE_NVME " --driver vfio-pci --publish on", 3,
		     "bound to vfio-pci, not to tph-vfio-pci; everything is as it was (nvme)");
	tree_add_completer(TREE, 2);
	assert_fails("grant " TREE_COMPLETER " --publish on", 3, "it is no TPH Completer");

	/* All or nothing, here too. */
	tree_make(TREE);
	tree_attribute(TREE, TREE_ENDPOINT, "publish", "1");
	tree_put(TREE, "bus/pci/devices/" TREE_ENDPOINT "/tph-error", "publish 13", 10);
	assert_fails("grant " TREE_ENDPOINT " --policy ds-st --cpus 2 --publish off", 4,
		     "tph/publish of " TREE_ENDPOINT " may not be written by this user");
	assert_true(attribute_is(TREE_ENDPOINT, "policy", "iv-st"));
	assert_true(attribute_is(TREE_ENDPOINT, "cpus", "0-7"));
	assert_true(attribute_is(TREE_ENDPOINT, "publish", "1"));
	tree_put(TREE, "bus/pci/devices/" TREE_ENDPOINT "/tph-error", "policy 16", 9);
	assert_fails("grant " TREE_ENDPOINT " --policy ds-st --publish off", 1, "is open");
	assert_true(attribute_is(TREE_ENDPOINT, "publish", "1"));
	tree_put(TREE, "bus/pci/devices/" TREE_ENDPOINT "/tph-error", "publish 19", 10);
	assert_fails("grant " TREE_ENDPOINT " --publish off", 1, "taken from its driver");

	/* One that sends no tags has nothing else to be granted. */
	tree_add_completer(TREE, 1);
	assert_runs("bind " TREE_COMPLETER);
	assert_fails("grant " TREE_COMPLETER " --cpus 1 --publish off", 3,
		     "has no TPH Requester capability");
	assert_true(attribute_is(TREE_COMPLETER, "publish", "1"));
}

static void publishing_is_switched(void **context)
{
	struct json_object *document, *operator;

	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "publish", "1");
	assert_runs("grant " TREE_ENDPOINT " --publish off");
	assert_string_equal(result.out,
			    TREE_ENDPOINT ": publishing forbidden (before: allowed)\n");
	assert_string_equal(result.log, "write devices/" TREE_ENDPOINT "/tph/publish: 0\n");
	assert_runs("grant " TREE_ENDPOINT " --publish off");
	assert_string_equal(result.out, TREE_ENDPOINT ": publishing forbidden\n");
	assert_runs("grant " TREE_ENDPOINT " --cpus 0-2 --publish on");
	assert_string_equal(result.out, TREE_ENDPOINT ": policy iv-st, CPUs 0-2 (before: 0-7), "
			    "publishing allowed (before: forbidden); nothing was taken back\n");
	assert_string_equal(result.log, "write devices/" TREE_ENDPOINT "/tph/cpus: 0-2\n"
			    "write devices/" TREE_ENDPOINT "/tph/publish: 1\n");
	assert_runs("-j grant " TREE_ENDPOINT " --publish off");
	document = parse(result.out);
	assert_true(json_object_get_boolean(member(member(document, "operator_before"),
						   "publish")));
	assert_false(json_object_get_boolean(member(member(document, "operator"), "publish")));
	assert_string_equal(text_of(member(document, "operator"), "cpus"), "0-2");
	assert_int_equal(number_of(document, "taken_back"), 0);
	json_object_put(document);
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "    publishing     forbidden\n");
	assert_null(strstr(result.out, "  completer "));
	tree_set_dword(TREE, TREE_ENDPOINT, 0x64, 0x3000);
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "  completer        completes 8-bit and 16-bit tags\n");
	assert_runs("-j show " TREE_ENDPOINT);
	document = parse(result.out);
	assert_int_equal(number_of(document, "completer"), 16);
	json_object_put(document);

	tree_add_completer(TREE, 1);
	assert_runs("bind " TREE_COMPLETER " --publish off");
	assert_string_equal(result.out, TREE_COMPLETER ": bound to tph-vfio-pci (before: no "
			    "driver); publishing forbidden\n");
	assert_true(attribute_is(TREE_COMPLETER, "publish", "0"));
	assert_runs("-j grant " TREE_COMPLETER " --publish on");
	document = parse(result.out);
	operator = member(document, "operator");
	assert_true(json_object_get_boolean(member(operator, "publish")));
	assert_null(member(operator, "policy"));
	assert_null(member(operator, "cpus"));
	assert_null(member(operator, "revocations"));
	json_object_put(document);
	assert_fails("show " TREE_COMPLETER, 3, "tphctl dmabufs " TREE_COMPLETER);
	/* A bridge is no place for a VFIO driver. */
	assert_int_equal(run("show " TREE_PORT), 3);
	assert_null(strstr(result.err, "dmabufs"));
	tree_set_dword(TREE, TREE_NVME, 0x64, 0x1000);
	assert_runs("bind " TREE_NVME " --policy ds-st --publish on");
	assert_string_equal(result.out, TREE_NVME ": bound to tph-vfio-pci (before: nvme); "
			    "policy ds-st, CPUs 0-7; publishing allowed\n");
}

static void dmabufs_that_cannot_be_listed(void **context)
{
	static const char *const bad[] = {
		"x size=1 ph=0", "-1 size=1 ph=0", "size=1 ph=0", "1 ph=0", "1 size=1",
		"1 size=1 ph=4", "1 size=1 ph=-1", "1 size=1 ph=", "1 size=1 st=0x100 ph=0",
		"1 size=1 xst=0x10000 ph=0", "1 size=1 st=0x ph=0", "1 size=1 tag=1 ph=0",
		"1 size=1 st ph=0", "9223372036854775808 size=1 ph=0", "1 size=+1 ph=0",
		"1 size=1 st=0x01x ph=0", "1x size=1 ph=0", "",
	};
	struct json_object *document;
	char line[512];

	(void)context;
	assert_fails("dmabufs 0000:09:00.0", 1, "there is no such PCI device");
	assert_fails("dmabufs " TREE_ENDPOINT, 3, "it is no TPH Completer");
	assert_fails("dmabufs " TREE_CONVENTIONAL, 3, "it is no TPH Completer");
	assert_int_equal(run("-j dmabufs " TREE_ENDPOINT), 3);
	document = parse(result.out);
	assert_int_equal(number_of(document, "completer"), 0);
	json_object_put(document);
	tree_add_completer(TREE, 2);
	assert_fails("dmabufs " TREE_COMPLETER, 3, "it is no TPH Completer");
	tree_make(TREE);
	tree_add_completer(TREE, 3);
	assert_fails("dmabufs " TREE_COMPLETER, 3, "tphctl bind " TREE_COMPLETER);
	assert_runs("bind " TREE_COMPLETER " --driver vfio-pci");
	assert_fails("dmabufs " TREE_COMPLETER, 3, "bound to vfio-pci, not to tph-vfio-pci");
	assert_runs("bind " TREE_COMPLETER);
	assert_fails("dmabufs " TREE_COMPLETER, 1,
		     "mount -t debugfs none " TREE "/kernel/debug");
	tree_debug(TREE, TREE_COMPLETER, NULL);
	assert_fails("dmabufs " TREE_COMPLETER, 1, "it is not open");
	assert_says(result.out, "\"completer\":16,\"publish\":true");
	run("dmabufs " TREE_COMPLETER);
	assert_says(result.out, "  completer        completes 8-bit and 16-bit tags\n");
	with.simulation = "debug-error=13";
	assert_fails("dmabufs " TREE_COMPLETER, 4, "run as root");
	with.simulation = "debug-error=1";
	assert_fails("dmabufs " TREE_COMPLETER, 4, "may not be read");
	with.simulation = "debug-error=24";
	assert_fails("dmabufs " TREE_COMPLETER, 1, "Too many open files");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(line, sizeof(line), "7 size=4096 ph=1\n%s\n", bad[i]);
		tree_debug(TREE, TREE_COMPLETER, line);
		assert_fails("dmabufs " TREE_COMPLETER, 1, "makes no sense");
		assert_null(strstr(result.out, "\"dmabufs\":"));
	}
	/* read after it was closed: EIO, as reading at address 0 is */
	remove(TREE "/" PUBLISHED TREE_COMPLETER);
	assert_int_equal(symlink("/proc/self/mem", TREE "/" PUBLISHED TREE_COMPLETER), 0);
	assert_fails("dmabufs " TREE_COMPLETER, 1, "it is not open");
	remove(TREE "/" PUBLISHED TREE_COMPLETER);
	assert_int_equal(symlink("/", TREE "/" PUBLISHED TREE_COMPLETER), 0);
	assert_fails("dmabufs " TREE_COMPLETER, 1, "Is a directory");

	/* A driver that was built without. */
	remove(TREE "/bus/pci/devices/" TREE_COMPLETER "/tph/publish");
	assert_fails("dmabufs " TREE_COMPLETER, 3, "CONFIG_VFIO_PCI_DMABUF");
	tree_hide(TREE, TREE_COMPLETER);
	assert_fails("dmabufs " TREE_COMPLETER, 3, "run as root to know more");
	tree_make(TREE);
	tree_add_completer(TREE, 3);
	assert_runs("bind " TREE_COMPLETER);
	tree_hide(TREE, TREE_COMPLETER);
	with.simulation = "debug-error=13";
	assert_fails("dmabufs " TREE_COMPLETER, 4, "run as root");
	assert_says(result.out, "\"completer\":null,\"publish\":true");
}

static void dmabufs_are_listed_with_their_tags(void **context)
{
	struct json_object *document, *list, *item;

	(void)context;
	tree_add_completer(TREE, 1);
	assert_runs("bind " TREE_COMPLETER);
	tree_debug(TREE, TREE_COMPLETER, "");
	assert_runs("dmabufs " TREE_COMPLETER);
	assert_says(result.out, "  completer        completes 8-bit tags\n"
		    "  publishing       allowed\n"
		    "  dma-bufs         none has tags\n");
	assert_runs("-j dmabufs " TREE_COMPLETER);
	document = parse(result.out);
	assert_int_equal(json_object_array_length(member(document, "dmabufs")), 0);
	json_object_put(document);
	assert_runs("grant " TREE_COMPLETER " --publish off");
	assert_runs("dmabufs " TREE_COMPLETER);
	assert_says(result.out, "  publishing       forbidden by the operator; tphctl grant "
		    TREE_COMPLETER " --publish on\n");

	tree_set_dword(TREE, TREE_COMPLETER, 0x64, 0x3000);
	assert_runs("grant " TREE_COMPLETER " --publish on");
	tree_debug(TREE, TREE_COMPLETER,
		   "812 size=8192 xst=0x00bc ph=3\n"
		   "90 size=4096 st=0x0a xst=0x1234 ph=2\n"
		   "91 size=1073741824 st=0x00 ph=0\n"
		   "9223372036854775807 size=4096 st=0xff ph=1\n");
	assert_runs("dmabufs " TREE_COMPLETER);
	assert_says(result.out, "  dma-bufs\n"
		    "    inode 90       4096 bytes  8-bit tag 0x0a  16-bit tag 0x1234  hint "
		    "target\n"
		    "    inode 91       1073741824 bytes  8-bit tag 0x00  hint bidirectional\n"
		    "    inode 812      8192 bytes  16-bit tag 0x00bc  hint target-priority\n"
		    "    inode 9223372036854775807 4096 bytes  8-bit tag 0xff  hint requester\n");
	assert_runs("-j dmabufs " TREE_COMPLETER);
	document = parse(result.out);
	assert_string_equal(text_of(document, "device"), TREE_COMPLETER);
	assert_int_equal(number_of(document, "completer"), 16);
	assert_true(json_object_get_boolean(member(document, "publish")));
	list = member(document, "dmabufs");
	assert_int_equal(json_object_array_length(list), 4);
	item = json_object_array_get_idx(list, 0);
	assert_int_equal(number_of(item, "inode"), 90);
	assert_int_equal(number_of(item, "size"), 4096);
	assert_int_equal(number_of(item, "tag8"), 0x0a);
	assert_int_equal(number_of(item, "tag16"), 0x1234);
	assert_string_equal(text_of(item, "hint"), "target");
	item = json_object_array_get_idx(list, 1);
	assert_int_equal(number_of(item, "tag8"), 0);
	assert_null(member(item, "tag16"));
	assert_null(member(json_object_array_get_idx(list, 2), "tag8"));
	json_object_put(document);
	/* a device that sends tags as well as it takes them, in a tree that was saved */
	tree_attribute(TREE, TREE_ENDPOINT, "publish", "1");
	tree_debug(TREE, TREE_ENDPOINT, "5 size=4096 st=0x01 ph=0\n");
	assert_runs("dmabufs --sysfs " TREE " " TREE_ENDPOINT);
	assert_says(result.out, "inode 5 ");
}

static void version_and_help(void **context)
{
	(void)context;
	assert_runs("--version");
	assert_string_equal(result.out, "tphctl " TPH_VERSION ", libtph " TPH_VERSION "\n");
	assert_runs("-V");
	assert_runs("-h");
	assert_says(result.out,
		    "exit status: 0 ok, 1 failed, 2 usage, 3 not supported, 4 not permitted");
}

static char *slurp(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, OUTPUT_SIZE);

	if (!file || !text || !fread(text, 1, OUTPUT_SIZE - 1, file))
		fail_msg("%s: %s", path, strerror(errno));
	fclose(file);
	return text;
}

/* Names as mdoc writes them: "Ic set", "Fl -force". */
static void assert_manual_has(const char *manual, const char *macro, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %s", macro, name);
	for (const char *at = strstr(manual, text); at; at = strstr(at + 1, text))
		if (strchr(" \n,", at[strlen(text)]))
			return;
	fail_msg("the manual lacks \"%s\"", text);
}

static void help_manual_and_completion_agree(void **context)
{
	char *manual = slurp(TPHCTL_MANUAL), *help;
	char words[128], text[128];

	(void)context;
	assert_runs("--help");
	help = strdup(result.out);
	for (const struct command *command = tphctl_commands; command->name; command++) {
		snprintf(text, sizeof(text), "\n  %s ", command->name);
		assert_says(help, text);
		assert_manual_has(manual, ".It Ic", command->name);
		snprintf(words, sizeof(words), "%s --help", command->name);
		assert_runs(words);
		snprintf(text, sizeof(text), "usage: tphctl %s", command->name);
		assert_says(result.out, text);
		for (int i = 0; i < OPTION_COUNT; i++) {
			snprintf(text, sizeof(text), "--%s", tphctl_options[i].name);
			if (!tphctl_options[i].general)
				assert_int_equal(!!(command->options & 1u << i),
						 !!strstr(result.out, text));
		}
	}
	for (int i = 0; i < OPTION_COUNT; i++) {
		snprintf(text, sizeof(text), "--%s ", tphctl_options[i].name);
		if (tphctl_options[i].general)
			assert_says(help, text);
		snprintf(text, sizeof(text), "-%s", tphctl_options[i].name);
		assert_manual_has(manual, "Fl", text);
		snprintf(text, sizeof(text), "%c", tphctl_options[i].letter);
		if (tphctl_options[i].letter)
			assert_manual_has(manual, "Fl", text);
	}
	free(help);
	free(manual);
}

/* What bash offers after @words, the last of which may be begun; in result.out, one a line. */
static void complete(const char *words)
{
	char command[4096];
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "bash -c '. \"%s\"; TPHCTL_SYSFS=\"%s\"; COMP_WORDS=(tphctl %s); "
		 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tphctl; "
		 "printf \"%%s\\n\" \"${COMPREPLY[@]}\"'",
		 TPHCTL_COMPLETION, TREE, words);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	memset(result.out + 1, 0, sizeof(result.out) - 1);
	result.out[0] = '\n';
	assert_true(fread(result.out + 1, 1, OUTPUT_SIZE - 2, pipe) > 0);
	assert_int_equal(pclose(pipe), 0);
}

static bool offered(const char *word)
{
	char text[256];

	snprintf(text, sizeof(text), "\n%s\n", word);
	return strstr(result.out, text);
}

static void completion_knows_the_table(void **context)
{
	char words[128], text[128];
	unsigned int count = 0;

	(void)context;
	complete("\"\"");
	for (const struct command *command = tphctl_commands; command->name; command++, count++)
		if (!offered(command->name))
			fail_msg("no completion for %s", command->name);
	for (const char *at = result.out + 1; (at = strchr(at, '\n')); at++)
		count--;
	assert_int_equal(count, 0);	/* and none that tphctl does not know */
	complete("--");
	for (int i = 0; i < OPTION_COUNT; i++) {
		snprintf(text, sizeof(text), "--%s", tphctl_options[i].name);
		assert_int_equal(offered(text), tphctl_options[i].general);
	}
	for (const struct command *command = tphctl_commands; command->name; command++) {
		snprintf(words, sizeof(words), "%s --", command->name);
		complete(words);
		for (int i = 0; i < OPTION_COUNT; i++) {
			snprintf(text, sizeof(text), "--%s", tphctl_options[i].name);
			if (!tphctl_options[i].general)
				assert_int_equal(offered(text), !!(command->options & 1u << i));
		}
	}
	complete("show 0000:0");
	assert_true(offered(TREE_ENDPOINT));
	complete("-j enable 0000:01:00.0 \"\"");
	assert_true(offered("no-st") && offered("iv") && offered("ds") && offered("widest"));
	complete("bind --driver tph");
	assert_true(offered("tph-vfio-pci"));
	complete("grant --cpus 2 0000:01");
	assert_true(offered(TREE_ENDPOINT));
	complete("grant 0000:01:00.0 --policy \"\"");
	assert_true(offered("no-st") && offered("iv-st") && offered("ds-st"));
	complete("grant 0000:01:00.0 --publish \"\"");
	assert_true(offered("on") && offered("off"));
	complete("bind --publish on 0000:01");
	assert_true(offered(TREE_ENDPOINT));
	complete("grant 0000:01:00.0 --cpus n");
	assert_true(offered("none"));
	complete("clear 0000:01:00.0 a");
	assert_true(offered("all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(words_that_make_no_sense, setup),
		cmocka_unit_test_setup(devices_that_are_none, setup),
		cmocka_unit_test_setup(entries_that_are_none, setup),
		cmocka_unit_test_setup(descriptors_that_do_not_do, setup),
		cmocka_unit_test_setup(devices_that_cannot_be_opened, setup),
		cmocka_unit_test_setup(entries_that_the_kernel_refuses, setup),
		cmocka_unit_test_setup(modes_that_the_device_refuses, setup),
		cmocka_unit_test_setup(batches_that_fail, setup),
		cmocka_unit_test_setup(batch_with_a_zero_byte, setup),
		cmocka_unit_test_setup(listings_that_see_too_little, setup),
		cmocka_unit_test_setup(shows_of_nothing, setup),
		cmocka_unit_test_setup(binds_to_the_name_in_use, setup),
		cmocka_unit_test_setup(binds_that_are_refused, setup),
		cmocka_unit_test_setup(binds_that_fail_are_undone, setup),
		cmocka_unit_test_setup(binds_whose_terms_are_refused, setup),
		cmocka_unit_test_setup(cpu_lists_that_are_none, setup),
		cmocka_unit_test_setup(grants_that_are_refused, setup),
		cmocka_unit_test_setup(publishing_that_is_refused, setup),
		cmocka_unit_test_setup(dmabufs_that_cannot_be_listed, setup),
		cmocka_unit_test_setup(watches_that_end_in_failure, setup),
		cmocka_unit_test_setup(tokens_that_do_not_do, why_setup),
		cmocka_unit_test_setup(ways_up_that_do_not_end, why_setup),
		cmocka_unit_test_setup(trees_that_lead_out_of_themselves, why_setup),
		cmocka_unit_test_setup(trees_with_pipes, why_setup),
		cmocka_unit_test_setup(bytes_that_are_no_text, why_setup),
		cmocka_unit_test_setup(tables_that_claim_more_than_there_is_room_for, why_setup),
		cmocka_unit_test_setup(devices_that_do_not_answer, why_setup),
		cmocka_unit_test_setup(bridges_that_have_the_capability, why_setup),
		cmocka_unit_test_setup(devices_that_come_enabled, why_setup),
		cmocka_unit_test_setup(devices_on_the_denylist, why_setup),
		cmocka_unit_test_setup(attributes_that_root_alone_may_read, why_setup),
		cmocka_unit_test_setup(why_of_hardware_and_driver, why_setup),
		cmocka_unit_test_setup(why_of_the_slot, why_setup),
		cmocka_unit_test_setup(why_of_the_neighbours, why_setup),
		cmocka_unit_test_setup(domain_behind_a_function, why_setup),
		cmocka_unit_test_setup(why_below_a_switch, why_setup),
		cmocka_unit_test_setup(why_of_the_module, why_setup),
		cmocka_unit_test_setup(why_of_the_kernel, why_setup),
		cmocka_unit_test_setup(why_of_the_kernels_options, why_setup),
		cmocka_unit_test_setup(why_of_the_iommu, why_setup),
		cmocka_unit_test_setup(why_of_the_group, why_setup),
		cmocka_unit_test_setup(why_of_what_the_driver_says, why_setup),
		cmocka_unit_test_setup(why_of_cpus, why_setup),
		cmocka_unit_test_setup(why_of_users, why_setup),
		cmocka_unit_test_setup(why_without_privilege, why_setup),
		cmocka_unit_test_setup(why_of_a_saved_tree, why_setup),
		cmocka_unit_test_setup(groups_that_are_none, why_setup),
		cmocka_unit_test_setup(reports_that_cannot_be_written, why_setup),
		cmocka_unit_test_setup(group_at_a_glance, why_setup),
		cmocka_unit_test_setup(report_answers_like_the_machine, why_setup),
		cmocka_unit_test_setup(report_holds_nothing_private, why_setup),
		cmocka_unit_test_setup(report_of_a_deep_tree, why_setup),
		cmocka_unit_test_setup(machine_of_256_functions, why_setup),
		cmocka_unit_test_setup(output_that_goes_nowhere, setup),
		cmocka_unit_test_setup(list_names_what_there_is, setup),
		cmocka_unit_test_setup(show_tells_hardware_and_offer_apart, setup),
		cmocka_unit_test_setup(show_without_a_vfio_driver, setup),
		cmocka_unit_test_setup(foreign_tree_opens_nothing, setup),
		cmocka_unit_test_setup(one_command_says_that_it_does_not_last, setup),
		cmocka_unit_test_setup(set_makes_one_request_of_each_run, setup),
		cmocka_unit_test_setup(enable_writes_what_was_asked, setup),
		cmocka_unit_test_setup(tokens_open_devices, setup),
		cmocka_unit_test_setup(batch_keeps_devices_open, setup),
		cmocka_unit_test_setup(inherited_descriptor_lasts, setup),
		cmocka_unit_test_setup(bind_and_unbind_move_a_device, setup),
		cmocka_unit_test_setup(bind_sets_the_terms, setup),
		cmocka_unit_test_setup(grant_takes_back, setup),
		cmocka_unit_test_setup(cpu_lists_as_the_kernel_writes_them, setup),
		cmocka_unit_test_setup(watch_prints_each_change, setup),
		cmocka_unit_test_setup(show_tells_what_the_operator_sees, setup),
		cmocka_unit_test_setup(publishing_is_switched, setup),
		cmocka_unit_test_setup(dmabufs_are_listed_with_their_tags, setup),
		cmocka_unit_test_setup(version_and_help, setup),
		cmocka_unit_test_setup(help_manual_and_completion_agree, setup),
		cmocka_unit_test_setup(completion_knows_the_table, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl", tests, NULL, cleanup);
}
