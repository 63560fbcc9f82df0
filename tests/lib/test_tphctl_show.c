// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: show. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tphctl_run.h"

static void shows_of_nothing(void **context)
{
	(void)context;
	assert_fails("show 0000:09:00.0", 1, "0000:09:00.0");
	assert_fails("show " TREE_CONVENTIONAL, 3, "no TPH Requester capability");
	assert_fails("show " TREE_PORT, 3, "no TPH Requester capability");
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
	with.simulation = "iommu-error=2 group-error=2";
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "tphctl why");
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

/* 2048 entries of a device must not be 4096 requests. */
static void tags_are_read_in_rows(void **context)
{
	unsigned int few, many;
	const char *log;

	(void)context;
	with.input = "set " TREE_ENDPOINT " 0=1\nshow " TREE_ENDPOINT "\n";
	with.simulation = "count";
	assert_runs("-b -");
	log = strstr(result.log, "\n");
	assert_int_equal(sscanf(log ? log : "", "%u requests", &few), 1);
	with.input = "set " TREE_ENDPOINT " 0-3=1,5-7=2\nshow " TREE_ENDPOINT "\n";
	with.simulation = "count";
	assert_runs("-b -");
	log = strstr(strstr(result.log, "\n") + 1, "\n");
	assert_int_equal(sscanf(log ? log : "", "%u requests", &many), 1);
	/* a row more, to be set and read by 8 and by 16 bits */
	assert_in_range(many - few, 1, 3);
	assert_says(result.out, "    3              cpu 1  8-bit tag 0x11  16-bit tag 0x0101\n");
	assert_says(result.out, "    7              cpu 2  8-bit tag 0x12  16-bit tag 0x0102\n");
	/* one without hides no other */
	with.input = "set " TREE_ENDPOINT " 0-1=1,2=2\nshow " TREE_ENDPOINT "\n";
	with.simulation = "without-16=2";
	assert_runs("-b -");
	assert_says(result.out, "    1              cpu 1  8-bit tag 0x11  16-bit tag 0x0101\n");
	assert_says(result.out, "    2              cpu 2  8-bit tag 0x12\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(shows_of_nothing, setup),
		cmocka_unit_test_setup(attributes_that_root_alone_may_read, why_setup),
		cmocka_unit_test_setup(show_tells_hardware_and_offer_apart, setup),
		cmocka_unit_test_setup(show_without_a_vfio_driver, setup),
		cmocka_unit_test_setup(foreign_tree_opens_nothing, setup),
		cmocka_unit_test_setup(show_tells_what_the_operator_sees, setup),
		cmocka_unit_test_setup(tags_are_read_in_rows, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl show", tests, NULL, cleanup);
}
