// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: trees that a stranger made up, and names that a user can choose. */
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <wchar.h>

#include <linux/magic.h>

#include "sysfs_file.h"
#include "tphctl_run.h"

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

static bool is_utf8(const char *text)
{
	mbstate_t state = { 0 };

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		fail_msg("no locale C.UTF-8");
	return mbsrtowcs(NULL, &text, 0, &state) != (size_t)-1;
}

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

/* Bytes that a terminal would go by, or that are no text. */
#define BYTES	"\033]0;owned\a\033[2J\xe9\x7f\xc2\x9b" "1m"

/* Characters that are not seen, but turn round what comes after, or make one name look as another. */
static void characters_that_are_not_seen(void **context)
{
	static const struct {
		const char *text, *escaped, *in_json;
	} unseen[] = {
		{ "\u202e", "\\xe2\\x80\\xae", "\\u202e" }, { "\u2066", "\\xe2\\x81\\xa6", "\\u2066" },
		{ "\u200e", "\\xe2\\x80\\x8e", "\\u200e" }, { "\u061c", "\\xd8\\x9c", "\\u061c" },
		{ "\u2028", "\\xe2\\x80\\xa8", "\\u2028" }, { "\u00ad", "\\xc2\\xad", "\\u00ad" },
		{ "\ufeff", "\\xef\\xbb\\xbf", "\\ufeff" },
		{ "\U000e0041", "\\xf3\\xa0\\x81\\x81", "\\udb40\\udc41" },
	};
	/* neighbours of theirs, which are seen */
	static const char seen[] = "\u00ac\u00ae\u200a\u2010\u2027\u2030\u2190\ufffd\U0001f600";
	char name[64], text[128];
	struct json_object *document;

	(void)context;
	tree_open(TREE, 42, 9, TREE_DEVICE_NODE, "");
	for (size_t i = 0; i < sizeof(unseen) / sizeof(*unseen); i++) {
		snprintf(name, sizeof(name), "q%se", unseen[i].text);
		tree_put(TREE, "proc/42/comm", name, strlen(name));
		run("why " TREE_ENDPOINT);
		snprintf(text, sizeof(text), "open by q%se (pid 42)", unseen[i].escaped);
		assert_says(result.out, text);
		run("-j why " TREE_ENDPOINT);
		snprintf(text, sizeof(text), "open by q%se (pid 42)", unseen[i].in_json);
		assert_says(result.out, text);
		/* and a program gets the name */
		document = parse(result.out);
		assert_non_null(document);
		snprintf(text, sizeof(text), "open by %s (pid 42)", name);
		assert_non_null(strstr(json_object_to_json_string(document), text));
		json_object_put(document);
	}
	tree_put(TREE, "proc/42/comm", seen, strlen(seen));
	run("why " TREE_ENDPOINT);
	assert_says(result.out, seen);
	/* of an error, too */
	assert_fails("show q\u202ee", 2, "q");
	run("show q\u202ee");
	assert_says(result.err, "q\\xe2\\x80\\xaee");
}

static void bytes_that_are_no_text(void **context)
{
	static const char *const attributes[] = { "policy", "cpus", "targets", "requester",
						  "steering", "publish" };
	char path[PATH_MAX];

	(void)context;
	/* Whoever holds a device says what its process is called. */
	tree_open(TREE, 42, 9, TREE_DEVICE_NODE, "");
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
		("kernel/debug/tph-vfio-pci/" TREE_ENDPOINT),
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

static const char *why_of_tree(const char *address)
{
	char words[2 * PATH_MAX];

	snprintf(words, sizeof(words), "why --sysfs " FOREIGN " %s", address);
	run(words);
	return result.out;
}

/* Not even whether a file is there is told of what is outside. */
static void trees_that_ask_what_is_outside(void **context)
{
	static const char folder[] = "devices/pci0000:00/0000:00:03.0/" TREE_NVME;
	static const char *const outside[] = { "/", "../../../../../../../../../../../../" };
	char path[PATH_MAX];

	(void)context;
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		tree_make(FOREIGN);
		assert_says(why_of_tree(TREE_NVME), "nvme, which is not a VFIO driver");
		snprintf(path, sizeof(path), "%s/vfio-dev", folder);
		replace_with_link(FOREIGN, path, outside[i]);
		assert_says(why_of_tree(TREE_NVME), "nvme, which is not a VFIO driver");
		/* a module that is not loaded */
		tree_remove(FOREIGN "/bus/pci/drivers/tph-vfio-pci");
		assert_says(why_of_tree(TREE_NVME), "tph-vfio-pci is not loaded");
		replace_with_link(FOREIGN, "bus/pci/drivers/tph-vfio-pci", outside[i]);
		assert_says(why_of_tree(TREE_NVME), "tph-vfio-pci is not loaded");
		/* a device that is not there */
		replace_with_link(FOREIGN, "bus/pci/devices/0000:09:00.0", outside[i]);
		assert_int_equal(run("show --sysfs " FOREIGN " 0000:09:00.0"), 1);
		assert_says(result.err, "Invalid cross-device link");
	}
	tree_remove(FOREIGN);
}

/* Lines that tphctl did not write would look like its own. */
static void names_with_newlines(void **context)
{
	static const char *const commands[] = { "list", "show", "why", "group", "report" };
	char words[2 * PATH_MAX];

	(void)context;
	tree_make(FOREIGN);
	replace_with_link(FOREIGN, "devices/pci0000:00/0000:00:03.0/" TREE_NVME "/driver",
			  "../../bus/pci/drivers/x\nok   device");
	replace_with_link(FOREIGN, "bus/pci/devices/" TREE_ENDPOINT,
			  "../../../devices/pci\n0000:\n00/" TREE_PORT "/" TREE_ENDPOINT);
	replace_with_link(FOREIGN, "bus/pci/devices/" TREE_NVME,
			  "../../../devices/pci\n0000:\n00/0000:00:03.0/" TREE_NVME);
	assert_int_equal(rename(FOREIGN "/devices/pci0000:00", FOREIGN "/devices/pci\n0000:\n00"), 0);
	tree_text(FOREIGN, "kernel/iommu_groups/12/type", "DMA\nok   device\n");
	tree_text(FOREIGN, "kernel/iommu_groups/13/devices/x\nok   device", "");
	for (size_t i = 0; i < 2 * sizeof(commands) / sizeof(*commands); i++) {
		remove(TREE ".tar");
		snprintf(words, sizeof(words), "%s --sysfs " FOREIGN " %s%s", commands[i / 2],
			 i < 2 ? "" : i % 2 ? TREE_NVME : TREE_ENDPOINT, i / 2 == 4 ? " " TREE ".tar" : "");
		run(words);
		if (strstr(result.out, "\nok") || strstr(result.err, "\nok") ||
		    strstr(result.out, "pci\n0"))
			explain(words, __LINE__, "a line that is not tphctl's");
		if (!access(TREE ".tar", F_OK))
			assert_false(file_has(TREE ".tar", "pci\n0", 5));
	}
	remove(TREE ".tar");
	tree_remove(FOREIGN);
	assert_int_equal(run("sh\now"), 2);
	assert_says(result.err, "sh\\x0aow");
}

/* Files without end, as far as reading goes. */
static void trees_with_huge_files(void **context)
{
	static const char *const files[] = { "boot/config-7.3.4-doe", "proc/self/status",
					     ("kernel/debug/tph-vfio-pci/" TREE_ENDPOINT) };
	char path[PATH_MAX];

	(void)context;
	tree_make(FOREIGN);
	tree_debug(FOREIGN, TREE_ENDPOINT, "");
	tree_attribute(FOREIGN, TREE_ENDPOINT, "publish", "1");
	tree_text(FOREIGN, "proc/sys/kernel/osrelease", "7.3.4-doe\n");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		tree_text(FOREIGN, files[i], "");
		snprintf(path, sizeof(path), FOREIGN "/%s", files[i]);
		assert_int_equal(truncate(path, (off_t)1 << 40), 0);
	}
	assert_says(why_of_tree(TREE_ENDPOINT), "CONFIG_PCIE_TPH is not known");
	assert_int_equal(run("dmabufs --sysfs " FOREIGN " " TREE_ENDPOINT), 1);
	tree_remove(FOREIGN);
}

/* It is small when it is opened. */
static void files_that_grow(void **context)
{
	static char bytes[1 << 16];
	size_t length, sum = 0;
	FILE *file;

	(void)context;
	tree_make(FOREIGN);
	tree_text(FOREIGN, "boot/config", "CONFIG_PCIE_TPH=y\n");
	sysfs_confine(FOREIGN);
	file = sysfs_fopen(FOREIGN "/boot/config");
	assert_non_null(file);
	assert_int_equal(truncate(FOREIGN "/boot/config", (off_t)1 << 40), 0);
	while ((length = fread(bytes, 1, sizeof(bytes), file)) && sum < 64 << 20)
		sum += length;
	assert_int_equal(fclose(file), 0);
	assert_int_equal(sum, 4 << 20);
	sysfs_confine(NULL);
	tree_remove(FOREIGN);
}

/* A saved tree that would have the machine's own devices taken for its. */
static void trees_that_are_a_link_to_the_kernels(void **context)
{
	static const char *const names[] = { "/top", "/up/" , "/up/./" };
	char words[2 * PATH_MAX], path[PATH_MAX], *slash;
	struct statfs system;

	(void)context;
	assert_int_equal(mkdir(FOREIGN, 0700), 0);
	assert_int_equal(symlink(TREE, FOREIGN "/top"), 0);
	snprintf(path, sizeof(path), "%s", TREE);
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(symlink(path, FOREIGN "/up"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(words, sizeof(words), "bind --sysfs " FOREIGN "%s%s --driver vfio-pci "
			 TREE_NVME, names[i], i ? slash + 1 : "");
		assert_fails(words, 2, "a link in it leads to the running kernel's own sysfs");
	}
	/* another mount of it, such as a network namespace's, is the kernel's as well */
	if (!statfs("/sys", &system) && system.f_type == SYSFS_MAGIC) {
		remove(FOREIGN "/top");
		assert_int_equal(symlink("/sys", FOREIGN "/top"), 0);
		assert_fails("list --sysfs " FOREIGN "/top", 2,
			     "a link in it leads to the running kernel's own sysfs");
		assert_fails("watch --sysfs /sys 0000:00:1f.7/x", 2, "0000:00:1f.7/x");
		assert_fails("set --sysfs /sys fd:99 0=1", 1, "not an open descriptor");
	}
	/* by its own name it is the kernel's, with or without what changes nothing */
	snprintf(words, sizeof(words), "show --sysfs %s/./%s/ " TREE_ENDPOINT, path, slash + 1);
	assert_runs(words);
	assert_says(result.out, "possible");
	/* a link to another tree is one as well as any */
	remove(FOREIGN "/top");
	tree_make(OUTSIDE);
	assert_int_equal(symlink(OUTSIDE, FOREIGN "/top"), 0);
	assert_runs("show --sysfs " FOREIGN "/top " TREE_ENDPOINT);
	assert_says(result.out, "--sysfs does not open devices");
	tree_remove(OUTSIDE);
	tree_remove(FOREIGN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ways_up_that_do_not_end, why_setup),
		cmocka_unit_test_setup(trees_that_lead_out_of_themselves, why_setup),
		cmocka_unit_test_setup(trees_that_ask_what_is_outside, why_setup),
		cmocka_unit_test_setup(names_with_newlines, why_setup),
		cmocka_unit_test_setup(trees_with_huge_files, why_setup),
		cmocka_unit_test_setup(files_that_grow, why_setup),
		cmocka_unit_test_setup(trees_that_are_a_link_to_the_kernels, why_setup),
		cmocka_unit_test_setup(trees_with_pipes, why_setup),
		cmocka_unit_test_setup(characters_that_are_not_seen, why_setup),
		cmocka_unit_test_setup(bytes_that_are_no_text, why_setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl trees", tests, NULL, cleanup);
}
