// SPDX-License-Identifier: MIT
/*
 * The model of an IOMMU group, on sysfs trees that are made up. What the kernel really answers is
 * tests/vm/scenarios; here are the topologies, and what goes wrong.
 *
 * A  01:00.0, .1     two functions without ACS, below a port that has it
 * B  03:01.0 ..      conventional PCI behind a bridge: one requester id
 * C  04:00.0         one function, below a port that has ACS
 * D  00:10.0, .1     conventional PCI on the root bus
 * S  05:00.0         below a port without ACS
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "simulated_tree.h"
#include "tph_group.h"

#define A0 "0000:01:00.0"
#define A1 "0000:01:00.1"
#define B0 "0000:03:01.0"
#define B1 "0000:03:01.1"
#define C0 "0000:04:00.0"
#define D0 "0000:00:10.0"
#define D1 "0000:00:10.1"
#define S0 "0000:05:00.0"

#define PORT(address_, group_, acs_, bus_) tree_function(TREE, &(struct tree_function){ \
	.parents = "pci0000:00", .address = address_, .driver = "pcieport", .group = group_, \
	.kind = TREE_KIND_ROOT_PORT, .acs = acs_, .secondary = bus_ })

static void make_machine(const char *chip)
{
	tree_empty(TREE);
	tree_driver(TREE, "pcieport", NULL);
	tree_driver(TREE, "shpchp", NULL);
	tree_driver(TREE, "vfio-pci", "");
	tree_driver(TREE, "tph-vfio-pci", "OE");
	tree_driver(TREE, "pci-stub", "");
	tree_driver(TREE, "e1000e", "");
	tree_driver(TREE, "homemade", "OE");
	tree_driver(TREE, "homemade-vfio", "OE");
	if (chip) {
		tree_text(TREE, "kernel/irq/1/chip_name", "XT-PIC\n");
		tree_text(TREE, "kernel/irq/2/chip_name", chip);
	}
	tree_text(TREE, "module/iommufd/parameters/allow_unsafe_interrupts", "N\n");
}

static void make_a(const char *driver0, const char *driver1)
{
	make_machine("IR-IO-APIC\n");
	PORT("0000:00:01.0", "1", TREE_ACS_ON, 1);
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/0000:00:01.0",
		.address = A0, .driver = driver0, .group = "7", .multifunction = 1 });
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/0000:00:01.0",
		.address = A1, .driver = driver1, .group = "7", .multifunction = 1 });
}

static void make_b(const char *bridge_driver)
{
	static const char *const below = "pci0000:00/0000:00:02.0/0000:02:00.0";

	make_machine("IR-IO-APIC\n");
	PORT("0000:00:02.0", "2", TREE_ACS_ON, 2);
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/0000:00:02.0",
		.address = "0000:02:00.0", .driver = bridge_driver, .group = "8",
		.kind = TREE_KIND_BRIDGE, .secondary = 3 });
	tree_function(TREE, &(struct tree_function){ .parents = below, .address = B0,
		.driver = "vfio-pci", .group = "8", .kind = TREE_KIND_PCI, .multifunction = 1 });
	tree_function(TREE, &(struct tree_function){ .parents = below, .address = B1,
		.driver = "vfio-pci", .group = "8", .kind = TREE_KIND_PCI, .multifunction = 1 });
}

static void make_s(enum tree_acs acs)
{
	make_machine("IR-IO-APIC\n");
	PORT("0000:00:06.0", "11", acs, 5);
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/0000:00:06.0",
		.address = S0, .driver = "vfio-pci", .group = "11" });
}

static struct tph_group *read_group(const char *bdf)
{
	struct tph_group *group = NULL;
	int error = tph_group_read(TREE, bdf, &group);

	if (error)
		fail_msg("%s: %s", bdf, strerror(-error));
	return group;
}

static size_t index_of(const struct tph_group *group, const char *bdf)
{
	size_t index = 99;

	assert_int_equal(tph_group_find(group, bdf, &index), 0);
	return index;
}

static struct tph_group_answer last;

/* A step, and the errno that is its answer. */
static int step(struct tph_group *group, enum tph_step_kind kind, const char *bdf, uint32_t number,
		const char *driver)
{
	struct tph_group_step s = { .kind = kind, .member = index_of(group, bdf),
				    .context = number, .space = number, .driver = driver };

	assert_int_equal(tph_group_step(group, &s, &last), 0);
	assert_non_null(last.decided_by);
	assert_true(strlen(last.because) > 10);
	return last.error;
}

static int bind(struct tph_group *group, const char *bdf, uint32_t context)
{
	return step(group, TPH_STEP_BIND, bdf, context, NULL);
}

static int attach(struct tph_group *group, const char *bdf, uint32_t space)
{
	return step(group, TPH_STEP_ATTACH, bdf, space, NULL);
}

static int give(struct tph_group *group, const char *bdf, const char *driver)
{
	return step(group, TPH_STEP_DRIVER_BIND, bdf, 0, driver);
}

static int simple(struct tph_group *group, enum tph_step_kind kind, const char *bdf)
{
	return step(group, kind, bdf, 1, NULL);
}

static enum tph_dma dma_of(const struct tph_group *group, const char *bdf)
{
	struct tph_group_member member;

	assert_int_equal(tph_group_member(group, index_of(group, bdf), &member), 0);
	return member.dma;
}

static struct tph_group_facts facts_of(const struct tph_group *group)
{
	struct tph_group_facts facts;

	tph_group_describe(group, &facts);
	return facts;
}

static void assert_cause(const struct tph_group *group, size_t index, enum tph_cause_kind kind,
			 const char *device)
{
	struct tph_group_cause cause;

	assert_int_equal(tph_group_cause(group, index, &cause), 0);
	assert_string_equal(cause.device, device);
	assert_int_equal(cause.kind, kind);
	assert_non_null(strstr(cause.because, device));
}

static void refuses_what_is_none(void **state)
{
	struct tph_group *group = NULL;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	assert_int_equal(tph_group_read(TREE, "", &group), -EINVAL);
	assert_int_equal(tph_group_read(TREE, "../../etc", &group), -EINVAL);
	assert_int_equal(tph_group_read(TREE, "0000:01:00.8", &group), -EINVAL);
	assert_int_equal(tph_group_read(TREE, "0000:01:01.0", &group), -ENODEV);
	assert_int_equal(tph_group_read(TREE "/none", A0, &group), -ENOENT);
	assert_null(group);
}

static void refuses_senseless_steps(void **state)
{
	struct tph_group *group;
	struct tph_group_member member;
	struct tph_group_cause cause;
	char long_name[80];
	size_t index;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	group = read_group("01:00.0");
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
#define REFUSED(error, ...)                                                                        \
	assert_int_equal(tph_group_step(group, &(struct tph_group_step){ __VA_ARGS__ }, &last),    \
			 error)
	REFUSED(-EINVAL, .kind = (enum tph_step_kind)11);
	REFUSED(-EINVAL, .kind = (enum tph_step_kind)-1);
	REFUSED(-ERANGE, .kind = TPH_STEP_USE, .member = 2);
	REFUSED(-ERANGE, .kind = TPH_STEP_USE, .member = SIZE_MAX);
	REFUSED(-EINVAL, .kind = TPH_STEP_BIND, .context = 0);
	REFUSED(-EINVAL, .kind = TPH_STEP_BIND, .context = TPH_GROUP_STRANGER);
	REFUSED(-EINVAL, .kind = TPH_STEP_ATTACH, .space = 0);
	REFUSED(-EINVAL, .kind = TPH_STEP_DRIVER_BIND);
	REFUSED(-EINVAL, .kind = TPH_STEP_DRIVER_BIND, .driver = "");
	REFUSED(-EINVAL, .kind = TPH_STEP_DRIVER_BIND, .driver = "../e1000e");
	REFUSED(-EINVAL, .kind = TPH_STEP_DRIVER_BIND, .driver = long_name);
	assert_int_equal(tph_group_member(group, 2, &member), -ERANGE);
	assert_int_equal(tph_group_cause(group, 1, &cause), -ERANGE);
	assert_int_equal(tph_group_find(group, C0, &index), -ENOENT);
	assert_int_equal(tph_group_find(group, "x", &index), -EINVAL);
	tph_group_free(group);
	tph_group_free(NULL);
}

/* Nothing that is missing or odd in a copy makes a device that is there unreadable. */
static void survives_poor_copies(void **state)
{
	struct tph_group *group;
	struct tph_group_facts facts;

	(void)state;
	make_machine(NULL);
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00", .address = C0 });
	group = read_group(C0);
	facts = facts_of(group);
	assert_int_equal(facts.number, -1);
	assert_int_equal(facts.members, 1);
	assert_int_equal(facts.causes, 0);
	assert_int_equal(facts.isolated_interrupts, TPH_UNKNOWN);
	assert_int_equal(give(group, C0, "vfio-pci"), 0);
	assert_int_equal(bind(group, C0, 1), -ENODEV);
	assert_int_equal(dma_of(group, C0), TPH_DMA_HOST_ALL);
	tph_group_free(group);

	make_a("vfio-pci", "vfio-pci");
	tree_hide(TREE, A0);
	tree_hide(TREE, A1);
	tree_text(TREE, "kernel/iommu_groups/7/type", "");
	group = read_group(A0);
	assert_cause(group, 0, TPH_CAUSE_FUNCTIONS, "0000:01:00");
	assert_string_equal(facts_of(group).default_domain, "unknown");
	assert_int_equal(dma_of(group, A0), TPH_DMA_UNKNOWN);
	tph_group_free(group);

	/* no folder of members */
	make_a("vfio-pci", "vfio-pci");
	assert_int_equal(remove(TREE "/kernel/iommu_groups/7/devices/" A0), 0);
	assert_int_equal(remove(TREE "/kernel/iommu_groups/7/devices/" A1), 0);
	assert_int_equal(tph_group_read(TREE, A0, &group), -EIO);
	assert_int_equal(remove(TREE "/kernel/iommu_groups/7/devices"), 0);
	assert_int_equal(tph_group_read(TREE, A0, &group), -EIO);
	assert_int_equal(remove(TREE "/bus/pci/devices/" A0 "/iommu_group"), 0);
	assert_int_equal(symlink("seven", TREE "/bus/pci/devices/" A0 "/iommu_group"), 0);
	assert_int_equal(tph_group_read(TREE, A0, &group), -EIO);
}

/* Capability lists that never end, or point below where they may. */
static void survives_loops(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	tree_set_dword(TREE, A0, 0x40, 0x00004005);
	tree_set_dword(TREE, A1, 0x100, 0x10010002);
	tree_set_dword(TREE, "0000:00:01.0", 0x34, 0x04);
	group = read_group(A0);
	assert_int_equal(facts_of(group).members, 2);
	tph_group_free(group);
}

/* A tree that somebody made up, with ports that are above each other. */
static void refuses_ways_up_that_do_not_end(void **state)
{
	static const char *const ways[] = {
		"../../../devices/pci0000:00/0000:00:01.0/0000:00:02.0/0000:00:01.0/" A0,
		"../../../devices/pci0000:00/0000:00:01.0/0000:00:01.0/" A0,
		"../../../devices/pci0000:00/" A0 "/0000:00:01.0/" A1,
	};
	struct tph_group *group = (struct tph_group *)state, *const untouched = group;

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		make_a("vfio-pci", "vfio-pci");
		remove(TREE "/bus/pci/devices/" A0);
		assert_int_equal(symlink(ways[i], TREE "/bus/pci/devices/" A0), 0);
		/* What the link says exists, for it was made up as well. */
		tree_text(TREE, "devices/pci0000:00/0000:00:01.0/0000:00:02.0/0000:00:01.0/" A0
			  "/config", "");
		tree_text(TREE, "devices/pci0000:00/0000:00:01.0/0000:00:01.0/" A0 "/config", "");
		tree_text(TREE, "devices/pci0000:00/" A0 "/0000:00:01.0/" A1 "/config", "");
		alarm(10);
		if (i < 2)
			assert_int_equal(tph_group_read(TREE, A0, &group), -EIO);
		else if (!tph_group_read(TREE, A0, &group))
			tph_group_free(group);
		alarm(0);
		group = untouched;
	}
}

static void peers_are_who_can_write_past_the_iommu(void **state)
{
	struct tph_group *group;
	size_t peer = 99;

	(void)state;
	make_a("vfio-pci", NULL);
	group = read_group(A0);
	assert_int_equal(tph_group_peer(group, 2, 0, &peer), -ERANGE);
	assert_int_equal(tph_group_peer(group, index_of(group, A0), 0, &peer), 0);
	assert_int_equal(peer, index_of(group, A1));
	assert_int_equal(tph_group_peer(group, index_of(group, A0), peer + 1, &peer), -ENOENT);
	assert_int_equal(tph_group_peer(group, index_of(group, A1), 0, &peer), 0);
	assert_int_equal(peer, index_of(group, A0));
	assert_int_equal(tph_group_peer(group, index_of(group, A1), SIZE_MAX, &peer), -ENOENT);
	tph_group_free(group);
	/* Ports and bridges have no requests of their own. */
	make_s(TREE_ACS_NONE);
	group = read_group(S0);
	assert_true(facts_of(group).members > 1);
	assert_int_equal(tph_group_peer(group, index_of(group, S0), 0, &peer), -ENOENT);
	tph_group_free(group);
	make_b("pcieport");
	group = read_group(B0);
	assert_int_equal(tph_group_peer(group, index_of(group, B0), 0, &peer), 0);
	assert_int_equal(peer, index_of(group, B1));
	assert_int_equal(tph_group_peer(group, index_of(group, B0), peer + 1, &peer), -ENOENT);
	tph_group_free(group);
}

/* Behind a VMD's host bridge, which is a function itself, begins a way up of its own. */
static void domain_behind_a_function(void **state)
{
	struct tph_group_answer answer;
	struct tph_group *group;
	struct tph_group_step reset = { .kind = TPH_STEP_HOT_RESET };

	(void)state;
	make_machine("IR-IO-APIC\n");
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:5d",
		.address = "0000:5d:05.5", .group = "20" });
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:5d/0000:5d:05.5/pci10000:00",
		.address = "10000:00:02.0", .driver = "pcieport", .group = "20",
		.kind = TREE_KIND_ROOT_PORT, .secondary = 1 });
	tree_function(TREE, &(struct tree_function){
		.parents = "pci0000:5d/0000:5d:05.5/pci10000:00/10000:00:02.0",
		.address = "10000:01:00.0", .driver = "vfio-pci", .group = "20" });
	group = read_group("10000:01:00.0");
	assert_int_equal(facts_of(group).members, 3);
	assert_int_equal(bind(group, "10000:01:00.0", 1), 0);
	/* It is the port above it by which it is reset, and that has nothing above it. */
	reset.member = index_of(group, "10000:01:00.0");
	assert_int_equal(tph_group_predict(group, &reset, &answer), 0);
	assert_int_equal(answer.error, 0);
	reset.member = index_of(group, "10000:00:02.0");
	assert_int_equal(tph_group_predict(group, &reset, &answer), 0);
	assert_int_equal(answer.error, -ENODEV);
	tph_group_free(group);
}

static void host_driver_keeps_users_out(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("e1000e", "vfio-pci");
	group = read_group(A1);
	assert_true(facts_of(group).owner_host);
	assert_int_equal(bind(group, A1, 1), -EPERM);
	assert_int_equal(last.fault, index_of(group, A0));
	assert_non_null(strstr(last.because, A0));
	assert_non_null(strstr(last.because, "e1000e"));
	assert_true(last.certain);
	/* a step that fails leaves it as it was */
	assert_int_equal(simple(group, TPH_STEP_USE, A1), -EINVAL);
	assert_int_equal(bind(group, A0, 1), -ENODEV);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A1), 0);
	assert_int_equal(simple(group, TPH_STEP_SET_CONTAINER, A1), -EPERM);
	assert_int_equal(simple(group, TPH_STEP_GROUP_CLOSE, A1), 0);
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A0), 0);
	assert_int_equal(bind(group, A1, 1), 0);
	tph_group_free(group);
}

static void bridge_driver_keeps_users_out(void **state)
{
	struct tph_group *group;

	(void)state;
	make_b("shpchp");
	group = read_group(B0);
	assert_int_equal(bind(group, B0, 1), -EPERM);
	assert_int_equal(last.fault, index_of(group, "0000:02:00.0"));
	assert_non_null(strstr(last.because, "shpchp"));
	tph_group_free(group);
	make_b("pcieport");
	group = read_group(B0);
	assert_int_equal(bind(group, B0, 1), 0);
	tph_group_free(group);
}

static void interrupts_keep_users_out(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", NULL);
	tree_text(TREE, "kernel/irq/2/chip_name", "IO-APIC\n");
	group = read_group(A0);
	assert_int_equal(facts_of(group).isolated_interrupts, TPH_NO);
	assert_int_equal(bind(group, A0, 1), -EPERM);
	assert_int_equal(last.fault, TPH_GROUP_NOBODY);
	assert_string_equal(last.decided_by, "iommufd_bind_iommu");
	tph_group_free(group);

	tree_text(TREE, "module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
	group = read_group(A0);
	assert_int_equal(bind(group, A0, 1), 0);
	tph_group_free(group);

	/* what sysfs does not tell is said not to be known */
	make_machine(NULL);
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00", .address = C0,
		.driver = "vfio-pci", .group = "9" });
	group = read_group(C0);
	assert_int_equal(facts_of(group).isolated_interrupts, TPH_UNKNOWN);
	assert_int_equal(bind(group, C0, 1), 0);
	assert_false(last.certain);
	assert_non_null(strstr(last.because, "EPERM"));
	tph_group_free(group);
}

static struct tph_group_facts facts_now(void)
{
	struct tph_group *group = read_group(A0);
	struct tph_group_facts facts = facts_of(group);

	tph_group_free(group);
	return facts;
}

/* By the nodes that VFIO and iommufd have made, be there one way, both or none. */
static void users_come_by_the_nodes_that_there_are(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", NULL);
	assert_int_equal(facts_now().by_iommufd, TPH_UNKNOWN);
	assert_int_equal(facts_now().by_container, TPH_UNKNOWN);
	tree_text(TREE, "class/misc/vfio/dev", "10:196\n");
	assert_int_equal(facts_now().by_iommufd, TPH_NO);
	assert_int_equal(facts_now().by_container, TPH_NO);
	tree_text(TREE, "class/vfio/7/dev", "510:0\n");
	assert_int_equal(facts_now().by_container, TPH_NO);
	assert_int_equal(facts_now().type1, TPH_NO);
	group = read_group(A0);
	assert_int_equal(bind(group, A0, 1), -ENOENT);
	tph_group_free(group);
	tree_text(TREE, "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N\n");
	assert_int_equal(facts_now().by_container, TPH_YES);
	assert_int_equal(facts_now().unsafe_interrupts, TPH_NO);
	group = read_group(A0);
	assert_int_equal(bind(group, A0, 1), -ENOENT);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A0), 0);
	assert_int_equal(simple(group, TPH_STEP_SET_CONTAINER, A0), 0);
	tph_group_free(group);
	/* isolation is then that module's to ask for */
	tree_text(TREE, "kernel/irq/2/chip_name", "IO-APIC\n");
	tree_text(TREE, "module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
	group = read_group(A0);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A0), 0);
	assert_int_equal(simple(group, TPH_STEP_SET_CONTAINER, A0), -EPERM);
	assert_string_equal(last.decided_by, "vfio_iommu_type1_attach_group");
	tph_group_free(group);
	tree_text(TREE, "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n");
	assert_int_equal(facts_now().unsafe_interrupts, TPH_YES);
	group = read_group(A0);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A0), 0);
	assert_int_equal(simple(group, TPH_STEP_SET_CONTAINER, A0), 0);
	tph_group_free(group);
	/* iommufd, and then the nodes of devices */
	tree_text(TREE, "class/misc/iommu/dev", "10:127\n");
	assert_int_equal(facts_now().by_iommufd, TPH_UNKNOWN);
	tree_text(TREE, "bus/pci/devices/" A0 "/vfio-dev/vfio0/power/x", "");
	assert_int_equal(facts_now().by_iommufd, TPH_NO);
	tree_text(TREE, "bus/pci/devices/" A0 "/vfio-dev/vfio0/dev", "511:0\n");
	assert_int_equal(facts_now().by_iommufd, TPH_YES);
	group = read_group(A0);
	assert_int_equal(bind(group, A0, 1), 0);
	tph_group_free(group);
	/* which may stand in for the module of containers, and nothing tells */
	tree_remove(TREE "/module/vfio_iommu_type1");
	assert_int_equal(facts_now().by_container, TPH_UNKNOWN);
}

static void reserved_region_keeps_users_out(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", NULL);
	tree_text(TREE, "kernel/iommu_groups/7/reserved_regions",
		  "0x0000000000001000 0x0000000000001fff direct-relaxable\n"
		  "0x00000000fee00000 0x00000000feefffff msi\n");
	group = read_group(A0);
	assert_int_equal(bind(group, A0, 1), 0);
	tph_group_free(group);
	tree_text(TREE, "kernel/iommu_groups/7/reserved_regions",
		  "0x0000000000001000 0x0000000000001fff direct\n");
	group = read_group(A0);
	assert_int_equal(bind(group, A0, 1), -EINVAL);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A0), 0);
	assert_int_equal(simple(group, TPH_STEP_SET_CONTAINER, A0), -EINVAL);
	tph_group_free(group);
}

static void drivers_from_elsewhere_are_unknown(void **state)
{
	struct tph_group_member member;
	struct tph_group *group;

	(void)state;
	make_a("homemade", "vfio-pci");
	group = read_group(A0);
	assert_int_equal(tph_group_member(group, 0, &member), 0);
	assert_int_equal(member.kind, TPH_DRIVER_FOREIGN);
	assert_int_equal(member.beside, TPH_UNKNOWN);
	assert_non_null(strstr(member.because, "driver_managed_dma"));
	assert_int_equal(bind(group, A1, 1), 0);
	assert_false(last.certain);
	assert_non_null(strstr(last.because, "EPERM"));
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A0), 0);
	assert_int_equal(give(group, A0, "homemade"), -EBUSY);
	assert_false(last.certain);
	/* one that is not even in the copy */
	assert_int_equal(give(group, A0, "unheard-of"), -EBUSY);
	assert_false(last.certain);
	tph_group_free(group);

	/* a VFIO device tells that it is one of the family */
	make_a("homemade-vfio", "vfio-pci");
	tree_text(TREE, "bus/pci/devices/" A0 "/vfio-dev/vfio3/dev", "511:3\n");
	group = read_group(A0);
	assert_int_equal(tph_group_member(group, 0, &member), 0);
	assert_int_equal(member.kind, TPH_DRIVER_VFIO);
	assert_int_equal(bind(group, A1, 1), 0);
	assert_true(last.certain);
	tph_group_free(group);
}

static void access_begins_with_bind(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", "tph-vfio-pci");
	group = read_group(A0);
	assert_int_equal(simple(group, TPH_STEP_USE, A0), -EINVAL);
	assert_int_equal(attach(group, A0, 1), -EINVAL);
	assert_int_equal(simple(group, TPH_STEP_DETACH, A0), -EINVAL);
	assert_int_equal(simple(group, TPH_STEP_HOT_RESET, A0), -EINVAL);
	assert_int_equal(simple(group, TPH_STEP_CLOSE, A0), 0);
	assert_int_equal(bind(group, A0, 1), 0);
	assert_int_equal(simple(group, TPH_STEP_USE, A0), 0);
	assert_int_equal(simple(group, TPH_STEP_USE, A1), -EINVAL);
	assert_int_equal(bind(group, A0, 1), -EINVAL);
	tph_group_free(group);
}

static void one_owner(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	group = read_group(A0);
	assert_int_equal(bind(group, A0, 1), 0);
	assert_int_equal(facts_of(group).owner_context, 1);
	assert_int_equal(bind(group, A1, 2), -EPERM);
	assert_int_equal(last.fault, index_of(group, A0));
	assert_int_equal(bind(group, A1, 1), 0);
	assert_int_equal(simple(group, TPH_STEP_CLOSE, A0), 0);
	assert_int_equal(bind(group, A0, 2), -EPERM);
	assert_int_equal(simple(group, TPH_STEP_CLOSE, A1), 0);
	assert_int_equal(facts_of(group).owner_context, 0);
	assert_int_equal(bind(group, A0, 2), 0);
	tph_group_free(group);
}

static void no_host_driver_in_an_owned_group(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a(NULL, "vfio-pci");
	group = read_group(A0);
	assert_int_equal(bind(group, A1, 1), 0);
	assert_int_equal(give(group, A1, "e1000e"), -EBUSY);
	assert_int_equal(last.fault, index_of(group, A1));
	assert_int_equal(give(group, A0, "e1000e"), -EBUSY);
	assert_int_equal(last.fault, index_of(group, A1));
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A0), -ENODEV);
	assert_int_equal(give(group, A0, "pci-stub"), 0);
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A0), 0);
	assert_false(last.waits);
	/* with an open file the device goes when its user lets go */
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A1), 0);
	assert_true(last.waits);
	assert_int_equal(simple(group, TPH_STEP_USE, A1), 0);
	assert_int_equal(simple(group, TPH_STEP_CLOSE, A1), 0);
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A1), 0);
	assert_false(last.waits);
	assert_int_equal(give(group, A1, "e1000e"), 0);
	assert_int_equal(give(group, A0, "e1000e"), 0);
	tph_group_free(group);
}

static void group_file_and_device_file_exclude_each_other(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	group = read_group(A0);
	assert_int_equal(simple(group, TPH_STEP_SET_CONTAINER, A0), -EBADF);
	assert_int_equal(simple(group, TPH_STEP_GROUP_CLOSE, A0), -EBADF);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A0), 0);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A0), -EBUSY);
	assert_int_equal(bind(group, A0, 2), -EBUSY);
	assert_int_equal(simple(group, TPH_STEP_SET_CONTAINER, A0), 0);
	assert_int_equal(simple(group, TPH_STEP_SET_CONTAINER, A0), -EINVAL);
	assert_int_equal(dma_of(group, A1), TPH_DMA_BLOCKED);
	assert_int_equal(facts_of(group).owner_context, 1);
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A1), 0);
	assert_false(last.waits);
	assert_false(last.certain);
	assert_int_equal(give(group, A1, "e1000e"), -EBUSY);
	assert_int_equal(last.fault, TPH_GROUP_NOBODY);
	/* the container loses the group with its last VFIO device */
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A0), 0);
	assert_int_equal(give(group, A1, "e1000e"), 0);
	assert_int_equal(simple(group, TPH_STEP_GROUP_CLOSE, A0), -EBADF);
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A1), 0);
	assert_int_equal(give(group, A0, "vfio-pci"), 0);
	assert_int_equal(give(group, A1, "vfio-pci"), 0);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A0), 0);
	assert_int_equal(simple(group, TPH_STEP_GROUP_CLOSE, A0), 0);
	assert_int_equal(bind(group, A0, 2), 0);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A0), -EBUSY);
	tph_group_free(group);

	make_a("pci-stub", NULL);
	group = read_group(A0);
	assert_int_equal(simple(group, TPH_STEP_GROUP_OPEN, A0), -ENOENT);
	tph_group_free(group);
}

static void dma_goes_where_the_group_is(void **state)
{
	struct tph_group_member member;
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	group = read_group(A0);
	assert_int_equal(dma_of(group, A0), TPH_DMA_HOST_MAPPED);
	tph_group_free(group);
	tree_text(TREE, "kernel/iommu_groups/7/type", "identity\n");
	group = read_group(A0);
	assert_int_equal(dma_of(group, A0), TPH_DMA_HOST_ALL);
	assert_int_equal(bind(group, A1, 1), 0);
	assert_int_equal(dma_of(group, A0), TPH_DMA_BLOCKED);
	assert_int_equal(dma_of(group, A1), TPH_DMA_BLOCKED);
	assert_int_equal(bind(group, A0, 1), 0);
	assert_int_equal(attach(group, A0, 1), 0);
	assert_int_equal(tph_group_member(group, 1, &member), 0);
	assert_int_equal(member.dma, TPH_DMA_SPACE);
	assert_int_equal(member.space, 0);
	assert_non_null(strstr(member.dma_because, "not attached itself"));
	assert_int_equal(attach(group, A1, 2), -EINVAL);
	assert_int_equal(last.fault, 0);
	assert_int_equal(attach(group, A1, 1), 0);
	/* a replace moves both */
	assert_int_equal(attach(group, A1, 2), 0);
	assert_int_equal(tph_group_member(group, 0, &member), 0);
	assert_int_equal(member.space, 2);
	assert_int_equal(facts_of(group).space, 2);
	assert_int_equal(attach(group, A1, 2), 0);
	assert_int_equal(simple(group, TPH_STEP_DETACH, A1), 0);
	assert_int_equal(simple(group, TPH_STEP_DETACH, A1), 0);
	assert_int_equal(dma_of(group, A1), TPH_DMA_SPACE);
	assert_int_equal(attach(group, A1, 1), -EINVAL);
	assert_int_equal(simple(group, TPH_STEP_DETACH, A0), 0);
	assert_int_equal(dma_of(group, A0), TPH_DMA_BLOCKED);
	assert_int_equal(attach(group, A1, 1), 0);
	/* a close detaches */
	assert_int_equal(simple(group, TPH_STEP_CLOSE, A1), 0);
	assert_int_equal(dma_of(group, A0), TPH_DMA_BLOCKED);
	assert_int_equal(simple(group, TPH_STEP_CLOSE, A0), 0);
	assert_int_equal(dma_of(group, A0), TPH_DMA_HOST_ALL);
	tph_group_free(group);
}

static void reset_only_what_is_owned(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	group = read_group(A0);
	assert_int_equal(bind(group, A1, 1), 0);
	assert_int_equal(simple(group, TPH_STEP_HOT_RESET, A1), 0);
	assert_true(last.certain);
	assert_int_equal(simple(group, TPH_STEP_DRIVER_UNBIND, A0), 0);
	assert_int_equal(simple(group, TPH_STEP_HOT_RESET, A1), -EINVAL);
	assert_int_equal(give(group, A0, "pci-stub"), 0);
	assert_int_equal(simple(group, TPH_STEP_HOT_RESET, A1), -EINVAL);
	assert_int_equal(last.fault, 0);
	tph_group_free(group);

	/* what is below the port and in another group has a say too */
	make_a("vfio-pci", "vfio-pci");
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/0000:00:01.0",
		.address = "0000:01:00.2", .driver = "e1000e", .group = "8", .multifunction = 1 });
	group = read_group(A0);
	assert_int_equal(facts_of(group).members, 2);
	assert_int_equal(bind(group, A0, 1), 0);
	assert_true(last.certain);
	assert_int_equal(simple(group, TPH_STEP_HOT_RESET, A0), 0);
	assert_false(last.certain);
	assert_non_null(strstr(last.because, "0000:01:00.2"));
	tph_group_free(group);

	/* a port of the group is above the reset */
	make_s(TREE_ACS_NONE);
	group = read_group(S0);
	assert_int_equal(bind(group, S0, 1), 0);
	assert_int_equal(simple(group, TPH_STEP_HOT_RESET, S0), 0);
	tph_group_free(group);
}

/* A VFIO device that is enabled and awake is in somebody's hands. */
static void strangers_are_seen(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	tree_text(TREE, "bus/pci/devices/" A0 "/enable", "1\n");
	tree_text(TREE, "bus/pci/devices/" A0 "/power/runtime_status", "suspended\n");
	group = read_group(A0);
	assert_int_equal(facts_of(group).owner_context, 0);
	tph_group_free(group);
	tree_text(TREE, "bus/pci/devices/" A0 "/power/runtime_status", "active\n");
	group = read_group(A0);
	assert_int_equal(facts_of(group).owner_context, TPH_GROUP_STRANGER);
	assert_non_null(strstr(facts_of(group).owner, A0));
	assert_int_equal(dma_of(group, A1), TPH_DMA_UNKNOWN);
	assert_int_equal(bind(group, A1, 1), -EPERM);
	assert_false(last.certain);
	assert_int_equal(bind(group, A0, 1), -EINVAL);
	assert_false(last.certain);
	assert_int_equal(attach(group, A0, 1), 0);
	assert_false(last.certain);
	assert_int_equal(simple(group, TPH_STEP_CLOSE, A0), 0);
	assert_int_equal(bind(group, A1, 1), 0);
	assert_true(last.certain);
	tph_group_free(group);
}

static void noiommu_isolates_nothing(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	tree_text(TREE, "kernel/irq/2/chip_name", "IO-APIC\n");
	tree_text(TREE, "kernel/iommu_groups/7/name", "vfio-noiommu\n");
	group = read_group(A0);
	assert_true(facts_of(group).noiommu);
	assert_int_equal(bind(group, A0, 1), 0);
	assert_int_equal(dma_of(group, A0), TPH_DMA_HOST_ALL);
	tph_group_free(group);
}

static void why_a_group_is_one(void **state)
{
	struct tph_group_member member;
	struct tph_group *group;

	(void)state;
	make_a(NULL, NULL);
	group = read_group(A1);
	assert_int_equal(facts_of(group).number, 7);
	assert_int_equal(facts_of(group).causes, 1);
	assert_cause(group, 0, TPH_CAUSE_FUNCTIONS, "0000:01:00");
	assert_int_equal(tph_group_member(group, 1, &member), 0);
	assert_int_equal(member.requester, 0x0101);
	assert_int_equal(member.alias, 0x0101);
	tph_group_free(group);

	make_b(NULL);
	group = read_group(B1);
	assert_int_equal(facts_of(group).members, 3);
	assert_int_equal(facts_of(group).causes, 1);
	assert_cause(group, 0, TPH_CAUSE_BRIDGE, "0000:02:00.0");
	assert_int_equal(tph_group_member(group, index_of(group, B1), &member), 0);
	assert_int_equal(member.requester, 0x0309);
	assert_int_equal(member.alias, 0x0300);
	tph_group_free(group);

	make_machine("IR-IO-APIC\n");
	PORT("0000:00:03.0", "3", TREE_ACS_ON, 4);
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/0000:00:03.0",
		.address = C0, .driver = "e1000e", .group = "9" });
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00", .address = D0,
		.group = "10", .kind = TREE_KIND_PCI, .multifunction = 1 });
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00", .address = D1,
		.group = "10", .kind = TREE_KIND_PCI, .multifunction = 1 });
	group = read_group(C0);
	assert_cause(group, 0, TPH_CAUSE_ALONE, C0);
	tph_group_free(group);
	group = read_group(D0);
	assert_int_equal(facts_of(group).causes, 1);
	assert_cause(group, 0, TPH_CAUSE_FUNCTIONS, "0000:00:10");
	tph_group_free(group);

	make_s(TREE_ACS_OFF);
	group = read_group(S0);
	assert_int_equal(facts_of(group).causes, 1);
	assert_cause(group, 0, TPH_CAUSE_PORT, "0000:00:06.0");
	tph_group_free(group);

	/* a port that has ACS is no reason: something else must be */
	make_s(TREE_ACS_ON);
	group = read_group(S0);
	assert_int_equal(facts_of(group).causes, 1);
	assert_cause(group, 0, TPH_CAUSE_QUIRK, S0);
	tph_group_free(group);
}

/* Two functions that have ACS, and two devices, share a group for no reason that shows. */
static void quirks_are_named(void **state)
{
	struct tph_group *group;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	tree_set_dword(TREE, A0, 0x100, 0x0001000d);
	tree_set_dword(TREE, A0, 0x104, 0x001d001d);
	tree_set_dword(TREE, A1, 0x100, 0x0001000d);
	tree_set_dword(TREE, A1, 0x104, 0x001d001d);
	group = read_group(A0);
	assert_cause(group, 0, TPH_CAUSE_QUIRK, A1);
	tph_group_free(group);
	/* one bit of the four is enough to be no reason to trust them */
	tree_set_dword(TREE, A0, 0x104, 0x001c001d);
	tree_set_dword(TREE, A1, 0x104, 0x000d001d);
	group = read_group(A0);
	assert_cause(group, 0, TPH_CAUSE_FUNCTIONS, "0000:01:00");
	tph_group_free(group);
	/* what cannot be controlled is so by construction */
	tree_set_dword(TREE, A0, 0x104, 0x001c001c);
	group = read_group(A0);
	assert_cause(group, 0, TPH_CAUSE_QUIRK, A1);
	tph_group_free(group);

	/* not everything in a group is a PCI function */
	make_a("vfio-pci", "vfio-pci");
	assert_int_equal(mkdir(TREE "/devices/platform", 0755), 0);
	assert_int_equal(mkdir(TREE "/devices/platform/fd0c0000.usb", 0755), 0);
	assert_int_equal(symlink("../../../../devices/platform/fd0c0000.usb",
				 TREE "/kernel/iommu_groups/7/devices/fd0c0000.usb"), 0);
	assert_int_equal(symlink("../../../bus/platform/drivers/xhci-hcd",
				 TREE "/devices/platform/fd0c0000.usb/driver"), 0);
	group = read_group(A0);
	assert_int_equal(facts_of(group).members, 3);
	assert_cause(group, 1, TPH_CAUSE_QUIRK, "fd0c0000.usb");
	assert_int_equal(bind(group, A0, 1), 0);
	assert_false(last.certain);
	tph_group_free(group);
}

/* System calls of a child that reads a group, or -1. */
static long calls_to_read(const char *bdf)
{
	struct tph_group *group;
	long calls = 0;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		raise(SIGSTOP);
		_exit(tph_group_read(TREE, bdf, &group) ? 1 : 0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid)
			return -1;
		if (WIFEXITED(status))
			return WEXITSTATUS(status) ? -1 : calls / 2;
		calls++;
	}
}

/* What it costs grows with the group, not with the machine, and with no square of it. */
static void reads_no_more_than_it_needs(void **state)
{
	char address[32];
	long few, many;

	(void)state;
	make_a("vfio-pci", "vfio-pci");
	few = calls_to_read(A0);
	for (int i = 0; i < 254; i++) {
		snprintf(address, sizeof(address), "0000:20:%02x.%d", i / 8, i % 8);
		tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00",
			.address = address, .driver = "vfio-pci", .group = "20",
			.multifunction = 1 });
	}
	assert_true(few > 0 && few < 100);
	assert_true(calls_to_read(A0) <= few);
	many = calls_to_read("0000:20:00.0");
	print_message("# %ld system calls for 2 of 256 functions, %ld for 254\n", few, many);
	assert_true(many > 254 && many < 254 * 20);
}

static int clean_up(void **state)
{
	(void)state;
	tree_remove(TREE);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(refuses_senseless_steps),
		cmocka_unit_test(survives_poor_copies),
		cmocka_unit_test(survives_loops),
		cmocka_unit_test(refuses_ways_up_that_do_not_end),
		cmocka_unit_test(peers_are_who_can_write_past_the_iommu),
		cmocka_unit_test(domain_behind_a_function),
		cmocka_unit_test(host_driver_keeps_users_out),
		cmocka_unit_test(bridge_driver_keeps_users_out),
		cmocka_unit_test(interrupts_keep_users_out),
		cmocka_unit_test(users_come_by_the_nodes_that_there_are),
		cmocka_unit_test(reserved_region_keeps_users_out),
		cmocka_unit_test(drivers_from_elsewhere_are_unknown),
		cmocka_unit_test(access_begins_with_bind),
		cmocka_unit_test(one_owner),
		cmocka_unit_test(no_host_driver_in_an_owned_group),
		cmocka_unit_test(group_file_and_device_file_exclude_each_other),
		cmocka_unit_test(dma_goes_where_the_group_is),
		cmocka_unit_test(reset_only_what_is_owned),
		cmocka_unit_test(strangers_are_seen),
		cmocka_unit_test(noiommu_isolates_nothing),
		cmocka_unit_test(why_a_group_is_one),
		cmocka_unit_test(quirks_are_named),
		cmocka_unit_test(reads_no_more_than_it_needs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("group", tests, NULL, clean_up);
}
