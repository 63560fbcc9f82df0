// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: set, clear and enable, and how a device is opened for them. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tphctl_run.h"

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
	with.simulation = "node-error=13 group-error=13";
	assert_fails("set " TREE_ENDPOINT " 0=1", 4, "may not be opened");
	assert_says(result.out, "its group's node in /dev/vfio");
	with.simulation = "iommu-error=2 group-error=2";
	assert_fails("enable " TREE_ENDPOINT, 3, "neither /dev/iommu");
	assert_says(result.out, "modprobe vfio_iommu_type1");
	/* one way is enough */
	with.simulation = "iommu-error=2";
	assert_runs("set " TREE_ENDPOINT " 0=1");
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

static void make_virtual(void)
{
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/" TREE_PORT,
		.address = "0000:01:10.0", .driver = "vfio-pci", .group = "31" });
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/0000:01:10.0/vfio-dev/vfio8/dev",
		  "511:8\n");
	assert_int_equal(symlink("../0000:01:10.0", TREE "/devices/pci0000:00/" TREE_PORT "/"
				 TREE_ENDPOINT "/physfn"), 0);
}

#define TOKEN	"01000000-0000-0000-0000-000000000002"

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
	tree_open(TREE, 42, 9, TREE_DEVICE_NODE, "");
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

static void one_command_says_that_it_does_not_last(void **context)
{
	struct json_object *document;

	(void)context;
	assert_runs("set " TREE_ENDPOINT " 0=1");
	assert_says(result.err, "steering of " TREE_ENDPOINT
		    " ends when tphctl closes it; keep it with -b");
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

static void inherited_descriptor_is_used(void **context)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)context;
	with.device_fd = fd;
	with.simulation = "adopt=7";
	/* the device stays open, but what was set is a lease of tphctl's */
	assert_runs("set fd:7 3=1");
	assert_says(result.err, "what was set of fd:7 ends with tphctl; keep it with -b");
	assert_string_equal(result.log, "set 3+1 flags 0: 1\n");
	with.device_fd = fd;
	with.simulation = "adopt=7 policy=iv-st";
	assert_runs("show fd:7");
	assert_says(result.out, "does not tell which device");
	assert_says(result.out, "no-st iv\n");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(entries_that_are_none, setup),
		cmocka_unit_test_setup(descriptors_that_do_not_do, setup),
		cmocka_unit_test_setup(devices_that_cannot_be_opened, setup),
		cmocka_unit_test_setup(entries_that_the_kernel_refuses, setup),
		cmocka_unit_test_setup(modes_that_the_device_refuses, setup),
		cmocka_unit_test_setup(tokens_that_do_not_do, why_setup),
		cmocka_unit_test_setup(one_command_says_that_it_does_not_last, setup),
		cmocka_unit_test_setup(set_makes_one_request_of_each_run, setup),
		cmocka_unit_test_setup(enable_writes_what_was_asked, setup),
		cmocka_unit_test_setup(tokens_open_devices, setup),
		cmocka_unit_test_setup(inherited_descriptor_is_used, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl steer", tests, NULL, cleanup);
}
