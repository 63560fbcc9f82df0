// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: commands from a file. */
#include <string.h>

#include "tphctl_run.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(batches_that_fail, setup),
		cmocka_unit_test_setup(batch_with_a_zero_byte, setup),
		cmocka_unit_test_setup(batch_keeps_devices_open, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl batch", tests, NULL, cleanup);
}
