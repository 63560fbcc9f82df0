// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: grant: policies, CPU lists and publishing. */
#include <stdio.h>
#include <string.h>

#include "cpu_list.h"
#include "tphctl_run.h"

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
	assert_fails("grant " TREE_ENDPOINT " --cpus none", 4, "is mounted read-only");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(cpu_lists_that_are_none, setup),
		cmocka_unit_test_setup(grants_that_are_refused, setup),
		cmocka_unit_test_setup(publishing_that_is_refused, setup),
		cmocka_unit_test_setup(grant_takes_back, setup),
		cmocka_unit_test_setup(cpu_lists_as_the_kernel_writes_them, setup),
		cmocka_unit_test_setup(publishing_is_switched, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl grant", tests, NULL, cleanup);
}
