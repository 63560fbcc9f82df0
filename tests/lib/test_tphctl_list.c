// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: list. */
#include <string.h>

#include "tphctl_run.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(listings_that_see_too_little, setup),
		cmocka_unit_test_setup(list_names_what_there_is, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl list", tests, NULL, cleanup);
}
