// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: bind and unbind. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tphctl_run.h"

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

/* What is half done is undone, whenever the signal comes; the word of it is said. */
static void binds_that_are_interrupted(void **context)
{
	static const char *const binds[] = { "driver_override", "unbind", "drivers_probe", "cpus" };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	char text[64];

	(void)context;
	for (size_t i = 0; i < 4 * 3; i++) {
		snprintf(text, sizeof(text), "%s %d\n", binds[i / 3], signals[i % 3]);
		tree_put(TREE, "interrupt", text, strlen(text));
		if (run("bind " TREE_NVME " --policy ds-st --cpus 2") != 1 ||
		    !driver_is(TREE_NVME, "nvme") || !override_is(TREE_NVME, "(null)"))
			explain(text, __LINE__, "not as it was");
		assert_says(result.err, "interrupted by signal ");
		assert_says(result.err, "everything is as it was (nvme)");
	}
	for (size_t i = 0; i < 3 * 3; i++) {
		assert_runs("bind " TREE_ENDPOINT);
		snprintf(text, sizeof(text), "%s %d\n", binds[i / 3], signals[i % 3]);
		tree_put(TREE, "interrupt", text, strlen(text));
		if (run("-j unbind " TREE_ENDPOINT) != 1 || !driver_is(TREE_ENDPOINT, "tph-vfio-pci") ||
		    !override_is(TREE_ENDPOINT, "(null)"))
			explain(text, __LINE__, "not as it was");
		assert_says(result.out, "interrupted by signal ");
	}
	/* none of the lines after it is run, either */
	tree_put(TREE, "interrupt", "unbind 15\n", 10);
	with.input = "bind " TREE_NVME "\nbind " TREE_INTEGRATED "\n";
	assert_int_equal(run("--force -b -"), 1);
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_true(driver_is(TREE_INTEGRATED, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(binds_to_the_name_in_use, setup),
		cmocka_unit_test_setup(binds_that_are_refused, setup),
		cmocka_unit_test_setup(binds_that_fail_are_undone, setup),
		cmocka_unit_test_setup(binds_that_are_interrupted, setup),
		cmocka_unit_test_setup(binds_whose_terms_are_refused, setup),
		cmocka_unit_test_setup(bind_and_unbind_move_a_device, setup),
		cmocka_unit_test_setup(bind_sets_the_terms, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl bind", tests, NULL, cleanup);
}
