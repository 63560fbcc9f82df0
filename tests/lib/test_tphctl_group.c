// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: group. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tphctl_run.h"

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
	assert_fails("group --sysfs /nonexistent " TREE_ENDPOINT, 1, "there is no sysfs");
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

/* System calls that tphctl makes for @command on @address. */
static long calls_of(const char *command, const char *address)
{
	char words[64];
	long stops = 0;
	int status;
	pid_t child;

	snprintf(words, sizeof(words), "%s %s", command, address);
	fflush(NULL);
	child = fork();
	if (!child) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
		    ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
			_exit(99);
		status = tphctl(words, NULL, NULL);
		/* The leak sanitizer traces the process itself, which only one can. */
		_exit(status);
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
 * it: 10000 system calls of 2 us would take 20 ms.
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
		assert_in_range(many - few[i], 255, i ? 255 * 40 : 255 * 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(groups_that_are_none, why_setup),
		cmocka_unit_test_setup(group_at_a_glance, why_setup),
		cmocka_unit_test_setup(machine_of_256_functions, why_setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl group", tests, NULL, cleanup);
}
