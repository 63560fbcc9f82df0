// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: dmabufs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tphctl_run.h"

#define PUBLISHED	"kernel/debug/tph-vfio-pci/"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(dmabufs_that_cannot_be_listed, setup),
		cmocka_unit_test_setup(dmabufs_are_listed_with_their_tags, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl dmabufs", tests, NULL, cleanup);
}
