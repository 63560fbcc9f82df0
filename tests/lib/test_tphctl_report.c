// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: report. */
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tphctl_run.h"

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

#define REPORT		TREE ".tar"
#define UNPACKED	TREE "-unpacked"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reports_that_cannot_be_written, why_setup),
		cmocka_unit_test_setup(report_answers_like_the_machine, why_setup),
		cmocka_unit_test_setup(report_holds_nothing_private, why_setup),
		cmocka_unit_test_setup(report_of_a_deep_tree, why_setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl report", tests, NULL, cleanup);
}
