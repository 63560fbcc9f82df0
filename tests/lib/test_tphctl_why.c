// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: why. */
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tphctl_run.h"

static void why_of_hardware_and_driver(void **context)
{
	(void)context;
	assert_fails("why 0000:09:00.0", 1, "there is no such PCI device");
	assert_why(TREE_CONVENTIONAL, 3, "configuration space", "capability", "broken", "has no");
	assert_why("0000:00:03.0", 3, "device", "configuration space", "ok", "4096 bytes");
	assert_why("0000:00:03.0", 3, "device", "completer", "broken", "no root port above");
	assert_null(strstr(result.out, "run as root"));
	/* What no command can mend comes before what one can. */
	assert_why(TREE_NVME, 3, "completer", "completer", "broken",
		   "root port 0000:00:03.0: no TPH completer");
	tree_set_dword(TREE, "0000:00:03.0", 0x64, 0x3000);
	assert_why(TREE_NVME, 1, "driver", "driver", "broken",
		   "bound to nvme, which is not a VFIO driver");
	assert_says(result.out, "tphctl bind " TREE_NVME);
	assert_why(TREE_NVME, 1, "driver", "completer", "ok", "completes 8-bit and 16-bit tags");
	assert_why(TREE_NVME, 1, "driver", "modes", "ok", "no-st ds; ST table: none");
	assert_why(TREE_NVME, 1, "driver", "kernel", "ok", "without pci=notph");
	assert_why(TREE_NVME, 1, "driver", "IOMMU", "ok", "group 13, default domain DMA");
	assert_why(TREE_NVME, 1, "driver", "module", "ok", "is loaded");
	assert_why(TREE_NVME, 1, "driver", "firmware", "unknown", "is bound");
	assert_why(TREE_NVME, 1, "driver", "policy", "unknown", "is bound");
	assert_why(TREE_NVME, 1, "driver", "CPUs", "unknown", "is bound");
	assert_why(TREE_NVME, 1, "driver", "caller's CPUs", "unknown", "nothing is granted");
	assert_why(TREE_NVME, 1, "driver", "group", "ok", "would succeed after tphctl bind");
	assert_why(TREE_NVME, 1, "driver", "table", "unknown", "does not tell");
	assert_why(TREE_NVME, 1, "driver", "requester", "unknown", "does not tell");
	assert_why(TREE_INTEGRATED, 1, "driver", "driver", "broken", "bound to no driver");
	assert_why(TREE_INTEGRATED, 1, "driver", "completer", "ok", "root complex integrated");
	assert_runs("bind --driver vfio-pci " TREE_NVME);
	assert_why(TREE_NVME, 1, "driver", "driver", "broken", "does not speak TPH");
	tree_set_dword(TREE, TREE_NVME, 0x1b4, 0x00000003);	/* no table for its vectors */
	assert_why(TREE_NVME, 3, "modes", "modes", "broken", "no-st iv; ST table: none");

	why_setup(context);
	tree_add_looped(TREE);
	assert_why("0000:02:00.0", 1, "capability", "capability", "broken", "malformed");
	tree_remove(TREE "/bus/pci/devices/" TREE_ENDPOINT "/tph");
	assert_why(TREE_ENDPOINT, 3, "driver", "driver", "broken", "found no TPH in it");
}

static void why_of_the_module(void **context)
{
	(void)context;
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_why(TREE_INTEGRATED, 1, "module", "module", "broken", "is not loaded");
	assert_says(result.out, "modprobe tph-vfio-pci && tphctl bind " TREE_INTEGRATED "\"");
	/* Under the other name it is what stock vfio-pci would be. */
	tree_text(TREE, "bus/pci/drivers/vfio-pci/module/parameters/policy", "iv-st\n");
	assert_why(TREE_INTEGRATED, 1, "driver", "module", "ok", "loaded, under the name vfio-pci");
	assert_says(result.out, "tphctl bind " TREE_INTEGRATED " --driver vfio-pci\"");
	assert_runs("bind --driver vfio-pci " TREE_INTEGRATED);
	assert_why(TREE_INTEGRATED, 3, "driver", "driver", "broken",
		   "bound to vfio-pci, which found no TPH in it");
	tree_remove(TREE "/bus/pci/drivers/vfio-pci/module");
	assert_why(TREE_INTEGRATED, 1, "module", "driver", "broken",
		   "bound to vfio-pci, which does not speak TPH");
}

static void why_of_the_kernel(void **context)
{
	static const char *const forbidding[] = { "pci=notph\n", "a pci=noaer,notph b\n",
						  "pci=nomsi pci=notph,noaer\n" };
	static const char *const others[] = { "notph\n", "pci=notphx\n", "xpci=notph\n",
					      "pci=no,tph\n", "\n",
					      "xpci=a,notph\n" };

	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "notph");
	assert_why(TREE_ENDPOINT, 3, "kernel", "kernel", "broken", "pci=notph");
	assert_why(TREE_ENDPOINT, 3, "kernel", "firmware", "unknown", "nothing before it");
	for (size_t i = 0; i < sizeof(forbidding) / sizeof(*forbidding); i++) {
		tree_put(TREE, "proc/cmdline", forbidding[i], strlen(forbidding[i]));
		assert_why(TREE_INTEGRATED, 3, "kernel", "kernel", "broken", "pci=notph");
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		tree_put(TREE, "proc/cmdline", others[i], strlen(others[i]));
		assert_why(TREE_INTEGRATED, 1, "driver", "kernel", "ok", "without pci=notph");
	}
	remove(TREE "/proc/cmdline");
	assert_why(TREE_INTEGRATED, 1, "driver", "kernel", "unknown", "cannot be read");
	/* The driver knows better than the command line. */
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "possible");
	assert_why(TREE_ENDPOINT, 0, NULL, "kernel", "ok", "without pci=notph");
}

static void why_of_the_kernels_options(void **context)
{
	(void)context;
	assert_why(TREE_ENDPOINT, 0, NULL, "kernel options", "ok", "built with CONFIG_PCIE_TPH");
	tree_text(TREE, "boot/config-7.3.4-doe", "# CONFIG_PCIE_TPH is not set\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "kernel options", "ok",
		   "built without CONFIG_PCIE_TPH, which tph-vfio-pci does not need");
	/* With the module loaded, VFIO is there; without, the options tell. */
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	tree_text(TREE, "boot/config-7.3.4-doe", "CONFIG_ACPI=y\nCONFIG_VFIO_PCI_CORE=n\n"
		  "CONFIG_VFIO_PCI_CORE_X=y\n");
	assert_why(TREE_INTEGRATED, 3, "kernel options", "kernel options", "broken",
		   "built without CONFIG_VFIO_PCI_CORE");
	tree_text(TREE, "boot/config-7.3.4-doe", "# CONFIG_ACPI is not set\n"
		  "CONFIG_VFIO_PCI_CORE=m\n");
	assert_why(TREE_INTEGRATED, 3, "kernel options", "kernel options", "broken",
		   "built without CONFIG_ACPI");
	remove(TREE "/boot/config-7.3.4-doe");
	assert_why(TREE_INTEGRATED, 1, "module", "kernel options", "ok", "not needed");
}

static void why_of_the_iommu(void **context)
{
	(void)context;
	tree_text(TREE, "kernel/iommu_groups/12/name", "vfio-noiommu\n");
	assert_why(TREE_ENDPOINT, 3, "IOMMU", "IOMMU", "broken", "noiommu");
	assert_says(result.out, "intel_iommu=on");
	assert_why(TREE_ENDPOINT, 3, "IOMMU", "interrupts", "unknown", "without an IOMMU");
	assert_why(TREE_ENDPOINT, 3, "IOMMU", "group", "unknown", "without an IOMMU");
	remove(TREE "/bus/pci/devices/" TREE_ENDPOINT "/iommu_group");
	assert_why(TREE_ENDPOINT, 3, "IOMMU", "IOMMU", "broken", "in no group");
	why_setup(context);
	tree_remove(TREE "/kernel/iommu_groups/12/devices");
	assert_why(TREE_ENDPOINT, 1, NULL, "IOMMU", "unknown", "cannot be read");

	why_setup(context);
	tree_text(TREE, "kernel/irq/1/chip_name", "IO-APIC\n");
	assert_why(TREE_ENDPOINT, 3, "interrupts", "interrupts", "broken", "remapping is off");
	assert_says(result.out, "allow_unsafe_interrupts");
	assert_why(TREE_ENDPOINT, 3, "interrupts", "group", "ok", "none in the way");
	assert_null(strstr(result.out, "would succeed"));
	tree_text(TREE, "module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "interrupts", "ok", "lets users have it nevertheless");
	tree_text(TREE, "module/iommufd/parameters/allow_unsafe_interrupts", "N\n");
	tree_remove(TREE "/kernel/irq");
	assert_why(TREE_ENDPOINT, 1, NULL, "interrupts", "unknown", "no interrupt's chip");
	/* A user that has it open has been let in. */
	tree_open(TREE, 42, 9, TREE_DEVICE_NODE, "");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "iv 16");
	tree_attribute(TREE, TREE_ENDPOINT, "targets", "2-3");
	assert_why(TREE_ENDPOINT, 0, NULL, "interrupts", "ok", "could not be open");
}

/* As on a kernel without iommufd, which most distributions have. */
static void take_iommufd_away(void)
{
	tree_remove(TREE "/class/misc/iommu");
	tree_remove(TREE "/bus/pci/devices/" TREE_ENDPOINT "/vfio-dev/vfio7/dev");
	tree_remove(TREE "/module/iommufd");
}

static void why_of_the_way_in(void **context)
{
	static const char *const way = "way in";

	(void)context;
	assert_why(TREE_ENDPOINT, 0, NULL, way, "ok", "by its own node in /dev/vfio/devices, and "
		   "iommufd");
	take_iommufd_away();
	assert_why(TREE_ENDPOINT, 1, way, way, "broken", "none: there is no iommufd "
		   "(CONFIG_IOMMUFD), and vfio_iommu_type1 is not loaded");
	assert_says(result.out, "modprobe vfio_iommu_type1");
	assert_null(strstr(result.out, "would succeed"));
	tree_text(TREE, "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N\n");
	assert_why(TREE_ENDPOINT, 0, NULL, way, "ok", "by /dev/vfio/12, and a container: there is no "
		   "iommufd");
	assert_why(TREE_ENDPOINT, 0, NULL, "group", "ok", "SET_CONTAINER would succeed");
	assert_null(strstr(result.out, "BIND_IOMMUFD"));
	/* interrupts are then vfio_iommu_type1's to give away */
	tree_text(TREE, "kernel/irq/1/chip_name", "IO-APIC\n");
	assert_why(TREE_ENDPOINT, 3, "interrupts", "group", "ok", "none in the way");
	assert_says(result.out, "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	assert_null(strstr(result.out, "would succeed"));
	tree_text(TREE, "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "interrupts", "ok", "vfio_iommu_type1."
		   "allow_unsafe_interrupts lets users have it");
	assert_why(TREE_ENDPOINT, 0, NULL, "group", "ok", "SET_CONTAINER would succeed");
	/* nor the other way */
	tree_remove(TREE "/class/vfio/12");
	assert_why(TREE_ENDPOINT, 3, way, way, "broken", "groups have no nodes "
		   "(CONFIG_VFIO_GROUP)");
	assert_says(result.out, "CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV, or with");
	assert_null(strstr(result.out, "would succeed"));
	/* nodes of devices are an option of their own */
	why_setup(context);
	tree_remove(TREE "/bus/pci/devices/" TREE_ENDPOINT "/vfio-dev/vfio7/dev");
	tree_remove(TREE "/class/vfio/12");
	assert_why(TREE_ENDPOINT, 3, way, way, "broken", "CONFIG_VFIO_DEVICE_CDEV");
	/* what is in use was let in */
	tree_open(TREE, 42, 9, TREE_DEVICE_NODE, "");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "iv 16");
	tree_attribute(TREE, TREE_ENDPOINT, "targets", "2-3");
	assert_why(TREE_ENDPOINT, 0, NULL, way, "ok", "it is open");
	/* before a VFIO driver is there, nobody knows */
	why_setup(context);
	assert_why(TREE_INTEGRATED, 1, "driver", way, "unknown", "when it has a VFIO driver");
	tree_remove(TREE "/class/misc");
	assert_why(TREE_ENDPOINT, 1, NULL, way, "unknown", "VFIO is not loaded");
}

static void why_of_signatures(void **context)
{
	(void)context;
	assert_why(TREE_ENDPOINT, 0, NULL, "signatures", "ok", "without a signature");
	tree_text(TREE, "kernel/security/lockdown", "[none] integrity confidentiality\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "signatures", "ok", "without a signature");
	tree_text(TREE, "kernel/security/lockdown", "none [integrity] confidentiality\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "signatures", "ok", "and tph-vfio-pci is");
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_why(TREE_INTEGRATED, 1, "module", "signatures", "unknown", "locked down (Secure Boot)");
	assert_says(result.out, "mokutil --import");
	assert_why(TREE_INTEGRATED, 1, "module", "module", "broken", "is not loaded, and only signed "
		   "modules are, for it is locked down");
	tree_text(TREE, "kernel/security/lockdown", "[none] integrity confidentiality\n");
	tree_text(TREE, "module/module/parameters/sig_enforce", "Y\n");
	assert_why(TREE_INTEGRATED, 1, "module", "signatures", "unknown", "module.sig_enforce is set");
	tree_text(TREE, "module/module/parameters/sig_enforce", "N\n");
	assert_why(TREE_INTEGRATED, 1, "module", "signatures", "ok", "without a signature");
	/* no module stands in the place of what is built in */
	tree_remove(TREE "/bus/pci/drivers/vfio-pci/module");
	assert_why(TREE_INTEGRATED, 1, "module", "module", "broken", "vfio-pci is built into the "
		   "kernel, so it cannot take that name");
}

static void why_of_the_group(void **context)
{
	(void)context;
	tree_driver(TREE, "e1000e", "");
	tree_driver(TREE, "shpchp", NULL);
	tree_driver(TREE, "homemade", "OE");
	assert_why(TREE_ENDPOINT, 0, NULL, "group", "ok", "1 member, none in the way");
	add_neighbour("0000:01:00.1", NULL, TREE_KIND_ENDPOINT, 0);
	assert_why(TREE_ENDPOINT, 0, NULL, "group", "ok", "2 members, none in the way");
	add_neighbour("0000:01:00.2", "homemade", TREE_KIND_ENDPOINT, 0);
	assert_why(TREE_ENDPOINT, 1 + 3, NULL, "group", "unknown", "0000:01:00.2 may be in the "
		   "way");
	add_neighbour("0000:01:00.3", "e1000e", TREE_KIND_ENDPOINT, 0);
	assert_why(TREE_ENDPOINT, 4, "group", "group", "broken", "0000:01:00.3 is in the way: "
		   "e1000e");
	assert_says(result.out, "tphctl bind 0000:01:00.3, for the same user");
	/* Interrupts that are not isolated do not hide it. */
	tree_text(TREE, "kernel/irq/1/chip_name", "IO-APIC\n");
	assert_why(TREE_ENDPOINT, 3, "interrupts", "group", "broken", "0000:01:00.3 is in the way");
	/* Whoever has it open has the group. */
	tree_text(TREE, "kernel/irq/1/chip_name", "IR-IO-APIC\n");
	tree_open(TREE, 42, 9, TREE_DEVICE_NODE, "");
	assert_why(TREE_ENDPOINT, 1, "table", "group", "ok", "its user's");

	why_setup(context);
	tree_driver(TREE, "shpchp", NULL);
	add_neighbour("0000:01:01.0", "shpchp", TREE_KIND_BRIDGE, 2);
	assert_why(TREE_ENDPOINT, 4, "group", "group", "broken", "0000:01:01.0 is in the way: "
		   "shpchp");
	assert_says(result.out, "echo 0000:01:01.0 >/sys/bus/pci/drivers/shpchp/unbind");

	why_setup(context);
	tree_text(TREE, "kernel/iommu_groups/12/reserved_regions",
		  "0x0000000000000000 0x0000000000ffffff direct\n");
	assert_why(TREE_ENDPOINT, 3, "group", "group", "broken", "RMRR");

	/* Another member is somebody's. */
	why_setup(context);
	add_neighbour("0000:01:00.1", "vfio-pci", TREE_KIND_ENDPOINT, 0);
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/0000:01:00.1/enable", "1\n");
	assert_why(TREE_ENDPOINT, 1, NULL, "group", "unknown", "another iommufd");
	assert_says(result.out, "the iommufd that 0000:01:00.1 is bound to");
}

#define SLOT	0x01000000u

static void why_of_the_slot(void **context)
{
	static const char *const barren[] = { "0x1022 0x1483", "0x1022 0x1484", "0x19e5 0xa121" };
	char id[8];

	(void)context;
	/* On board, as far as its port says. */
	assert_why(TREE_NVME, 3, "completer", "completer", "broken", "no TPH completer");
	assert_null(strstr(result.out, "another slot"));
	assert_says(result.out, "another machine, for the device is on board");
	tree_set_dword(TREE, "0000:00:03.0", 0x40, 0x00420010 | SLOT);
	assert_why(TREE_NVME, 3, "completer", "completer", "broken", "no TPH completer");
	assert_says(result.out, "another slot or machine");
	/* There is no slot for it in the whole machine. */
	for (size_t i = 0; i < sizeof(barren) / sizeof(*barren); i++) {
		snprintf(id, sizeof(id), "%.6s\n", barren[i]);
		tree_text(TREE, "devices/pci0000:00/0000:00:03.0/vendor", id);
		snprintf(id, sizeof(id), "%.6s\n", barren[i] + 7);
		tree_text(TREE, "devices/pci0000:00/0000:00:03.0/device", id);
		assert_why(TREE_NVME, 3, "completer", "completer", "broken",
			   "no TPH completer, as no port of its kind (");
		assert_null(strstr(result.out, "another slot"));
		assert_says(result.out, "another machine");
	}
	/* ... unless it says that it is one */
	tree_set_dword(TREE, "0000:00:03.0", 0x64, 0x1000);
	assert_why(TREE_NVME, 1, "driver", "completer", "ok", "completes 8-bit tags");
	/* Nor is there one for what is integrated. */
	assert_runs("bind " TREE_INTEGRATED);
	tree_attribute(TREE, TREE_INTEGRATED, "steering", "no-completer");
	assert_why(TREE_INTEGRATED, 3, "completer", "completer", "broken", "integrated");
	assert_null(strstr(result.out, "another slot"));
	tree_text(TREE, "kernel/iommu_groups/12/reserved_regions", "0x0 0xffffff direct\n");
	assert_why(TREE_ENDPOINT, 3, "group", "group", "broken", "RMRR");
	assert_null(strstr(result.out, "another slot"));
	tree_set_dword(TREE, TREE_PORT, 0x40, 0x00420010 | SLOT);
	assert_why(TREE_ENDPOINT, 3, "group", "group", "broken", "RMRR");
	assert_says(result.out, "another slot, or turn off");
}

static void why_of_the_neighbours(void **context)
{
	(void)context;
	assert_why(TREE_ENDPOINT, 0, NULL, "neighbours", "ok", "none can write its ST table");
	assert_why(TREE_INTEGRATED, 1, "driver", "neighbours", "ok", "it is not in its memory");
	tree_driver(TREE, "e1000e", "");
	add_neighbour("0000:01:00.1", NULL, TREE_KIND_ENDPOINT, 0);
	add_neighbour("0000:01:01.0", NULL, TREE_KIND_BRIDGE, 2);
	/* before the driver says anything */
	assert_runs("bind " TREE_ENDPOINT " --driver vfio-pci");
	assert_why(TREE_ENDPOINT, 1, "driver", "neighbours", "broken", "0000:01:00.1, of its group, can "
		   "write its ST table, which is in MSI-X, by peer-to-peer and so past the IOMMU: "
		   "steered with policy ds-st alone");
	assert_says(result.out, "tphctl bind " TREE_ENDPOINT " --policy ds-st");
	assert_runs("bind " TREE_ENDPOINT);
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "group-neighbour");
	assert_why(TREE_ENDPOINT, 4, "neighbours", "neighbours", "broken", "another function of its "
		   "IOMMU group can write its ST table, past the IOMMU: 0000:01:00.1");
	assert_says(result.out, "tphctl grant " TREE_ENDPOINT " --policy ds-st, which trusts its user "
		    "with any tag");
	assert_null(strstr(result.out, "another slot"));	/* it is on board */
	assert_why(TREE_ENDPOINT, 4, "neighbours", "policy", "ok", "iv-st");
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "steering       another function of its IOMMU group can write");
	/* Where a driver has no word for it, policy is what it calls it. */
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "policy");
	assert_why(TREE_ENDPOINT, 4, "neighbours", "neighbours", "broken", "0000:01:00.1");
	assert_why(TREE_ENDPOINT, 4, "neighbours", "policy", "ok", "iv-st");
	/* The operator trusts the user; the driver does. */
	tree_attribute(TREE, TREE_ENDPOINT, "policy", "ds-st");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "possible");
	assert_why(TREE_ENDPOINT, 0, NULL, "neighbours", "ok", "with policy ds-st that is its user's");
	tree_attribute(TREE, TREE_ENDPOINT, "policy", "iv-st");
	assert_why(TREE_ENDPOINT, 0, NULL, "neighbours", "ok", "the driver steers it nevertheless");
	add_crowd(0x21, 20, "12");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "group-neighbour");
	assert_why(TREE_ENDPOINT, 4, "neighbours", "neighbours", "broken", " more");
	/* words of a driver that is newer than this are shown */
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "something-new");
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "steering       something-new\n");
	assert_runs("-j show " TREE_ENDPOINT);
	assert_says(result.out, "\"steering\":\"something-new\"");
}

static void why_of_what_the_driver_says(void **context)
{
	static const struct {
		const char *word, *name;
		int status;
	} cases[] = {
		{ "no-completer", "completer", 3 }, { "no-mode", "modes", 3 },
		{ "no-firmware", "firmware", 3 }, { "policy", "policy", 4 },
		{ "not-attached", "address space", 1 },
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		tree_attribute(TREE, TREE_ENDPOINT, "steering", cases[i].word);
		assert_why(TREE_ENDPOINT, cases[i].status, cases[i].name, cases[i].name, "broken",
			   "");
	}
	assert_why(TREE_ENDPOINT, 1, "address space", "firmware", "ok", "_DSM");
	/* Not attached is open, although nobody is seen to have it. */
	assert_why(TREE_ENDPOINT, 1, "address space", "requester", "broken", "has not enabled it");
	assert_why(TREE_ENDPOINT, 1, "address space", "table", "broken", "no entry steers");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "policy");
	assert_int_equal(run("why " TREE_ENDPOINT), 4);
	assert_says(result.out, "tphctl grant " TREE_ENDPOINT " --policy ds-st");
	assert_runs("bind " TREE_INTEGRATED);
	tree_attribute(TREE, TREE_INTEGRATED, "steering", "no-completer");
	assert_why(TREE_INTEGRATED, 3, "completer", "completer", "broken", "integrated");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "something new");
	assert_why(TREE_ENDPOINT, 1, NULL, "firmware", "unknown", "");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "possible");
	tree_attribute(TREE, TREE_ENDPOINT, "policy", "no-st");
	assert_why(TREE_ENDPOINT, 4, "policy", "policy", "broken", "no-st");
	assert_says(result.out, "tphctl grant " TREE_ENDPOINT " --policy iv-st");
	/* A device that has Device Specific mode alone needs ds-st. */
	assert_int_equal(run("bind " TREE_NVME), 0);
	assert_why(TREE_NVME, 3, "completer", "policy", "broken", "iv-st");
	assert_says(result.out, "tphctl grant " TREE_NVME " --policy ds-st");
	assert_runs("grant " TREE_NVME " --policy ds-st");
	assert_why(TREE_NVME, 3, "completer", "policy", "ok", "ds-st");
	assert_why(TREE_NVME, 3, "completer", "table", "ok", "it has none");
}

static void why_of_cpus(void **context)
{
	cpu_set_t before, one;
	char text[64];
	int here = 0;

	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", "");
	assert_why(TREE_ENDPOINT, 4, "CPUs", "CPUs", "broken", "list of CPUs is empty");
	assert_why(TREE_ENDPOINT, 4, "CPUs", "caller's CPUs", "unknown", "nothing is granted");
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", "2-x");
	assert_why(TREE_ENDPOINT, 1, NULL, "CPUs", "unknown", "2-x makes no sense");
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(here, &before))
		here++;
	CPU_ZERO(&one);
	CPU_SET(here, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	snprintf(text, sizeof(text), "%d-%d", here + 1, here + 2);
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", text);
	snprintf(text, sizeof(text), "this process may run on %d alone", here);
	assert_why(TREE_ENDPOINT, 4, "caller's CPUs", "caller's CPUs", "broken", text);
	assert_why(TREE_ENDPOINT, 4, "caller's CPUs", "CPUs", "ok", "are granted");
	snprintf(text, sizeof(text), "%d-%d", here, here + 1);
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", text);
	snprintf(text, sizeof(text), "of these this process may steer to %d", here);
	assert_why(TREE_ENDPOINT, 0, NULL, "caller's CPUs", "ok", text);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void why_of_users(void **context)
{
	static const char syspath[] = "pos:\t0\nvfio-device-syspath: /sys/devices/pci0000:00/"
				      TREE_PORT "/" TREE_ENDPOINT "\n";
	static const char another[] = "vfio-device-syspath: /sys/devices/pci0000:00/" TREE_NVME
				      "\n";

	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", "0-4095");
	assert_why(TREE_ENDPOINT, 0, NULL, "user", "ok", "free");
	assert_why(TREE_ENDPOINT, 0, NULL, "address space", "ok", "none yet");
	assert_why(TREE_ENDPOINT, 0, NULL, "table", "ok", "clear, until");
	assert_why(TREE_ENDPOINT, 0, NULL, "requester", "ok", "off, until");
	/* Others' descriptors, and other things, are none of it. */
	tree_open(TREE, 40, 3, "anon_inode:[vfio-device]", another);
	tree_open(TREE, 40, 4, "/dev/vfio/vfio", "");
	tree_open(TREE, 40, 5, "/dev/vfio/13", "");
	tree_open(TREE, 40, 6, "/dev/vfio/devices/vfio8", "");
	tree_open(TREE, 40, 7, "/dev/null", syspath);
	assert_why(TREE_ENDPOINT, 0, NULL, "user", "ok", "free");
	/* A process that cannot be looked into may be the one. */
	tree_open(TREE, 41, 3, "/dev/null", "");
	tree_remove(TREE "/proc/41/fd");
	tree_put(TREE, "proc/41/fd", "", 0);
	assert_why(TREE_ENDPOINT, 4, NULL, "user", "unknown", "looked into");
	tree_open(TREE, 42, 9, TREE_DEVICE_NODE, "");
	assert_why(TREE_ENDPOINT, 1, "table", "table", "broken", "no entry steers to a CPU");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "ds 16");
	assert_why(TREE_ENDPOINT, 0, NULL, "table", "ok", "registers of its own");
	tree_attribute(TREE, TREE_ENDPOINT, "targets", "2-3");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "no-st 8");
	assert_why(TREE_ENDPOINT, 1, "requester", "requester", "broken", "hints without tags");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "iv 16");
	assert_why(TREE_ENDPOINT, 0, NULL, "user", "ok", "open by qemu (pid 42)");
	assert_why(TREE_ENDPOINT, 0, NULL, "address space", "ok", "attached");
	assert_why(TREE_ENDPOINT, 0, NULL, "table", "ok", "entries steer to CPUs 2-3");
	assert_why(TREE_ENDPOINT, 0, NULL, "requester", "ok", "iv 16; CPUs targeted: 2-3");
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "off");
	assert_why(TREE_ENDPOINT, 1, "requester", "requester", "broken", "has not enabled it");
	tree_remove(TREE "/proc/42");
	tree_open(TREE, 43, 9, "anon_inode:[vfio-device]", syspath);
	assert_why(TREE_ENDPOINT, 1, "requester", "user", "ok", "open by qemu (pid 43)");
	tree_remove(TREE "/proc/43");
	tree_open(TREE, 44, 9, TREE_GROUP_NODE, "");
	assert_why(TREE_ENDPOINT, 1, "requester", "user", "ok",
		   "its group is open by qemu (pid 44)");
	tree_attribute(TREE, TREE_ENDPOINT, "policy", "no-st");
	assert_int_equal(run("why " TREE_ENDPOINT), 4);
	assert_says(result.out, "stop its user, and tphctl grant");
}

/* What anybody can do, to be taken for the user of a device, or in the place of its user. */
static void holders_that_only_seem_so(void **context)
{
	static const char syspath[] = "vfio-device-syspath: /sys/devices/pci0000:00/" TREE_PORT "/"
				      TREE_ENDPOINT "\n";
	static const char path_only[] = "flags:\t012000000\n";
	static char name[PATH_MAX];

	(void)context;
	/* files that he has named so, in a mount namespace of his own or in his folder */
	tree_open(TREE, 40, 3, "/dev/vfio/12", "");
	tree_open(TREE, 40, 4, "/dev/vfio/devices/vfio7", "");
	tree_open(TREE, 40, 5, "/dev/vfio/devices/vfio7", syspath);
	tree_put(TREE, "anon_inode:[vfio-device]", "", 0);
	snprintf(name, sizeof(name), "%s/anon_inode:[vfio-device]", TREE);
	tree_open(TREE, 40, 6, name, syspath);
	/* nodes that he may not open, but may point at; or that his own file system makes up */
	tree_open(TREE, 40, 7, TREE_GROUP_NODE, path_only);
	tree_open(TREE, 40, 8, TREE_DEVICE_NODE, path_only);
	tree_open(TREE, 40, 9, "anon_inode:[vfio-device]", path_only);
	/* other devices */
	tree_open(TREE, 40, 10, "/dev/null", syspath);
	tree_open(TREE, 40, 11, "anon_inode:[vfio-devices]", syspath);
	assert_why(TREE_ENDPOINT, 0, NULL, "user", "ok", "free");
	/* and names that a device has in a container */
	assert_int_equal(remove(TREE "/dev/char/1:5"), 0);
	assert_int_equal(symlink("../../devices/virtual/vfio/noiommu-12", TREE "/dev/char/1:5"), 0);
	assert_int_equal(symlink(TREE_GROUP_NODE, TREE "/my-group"), 0);
	snprintf(name, sizeof(name), "%s/my-group", TREE);
	tree_open(TREE, 45, 9, name, "");
	assert_int_equal(run("why " TREE_ENDPOINT), 1);
	assert_says(result.out, "its group is open by qemu (pid 45)");
}

static void why_without_privilege(void **context)
{
	(void)context;
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", "0-4095");
	tree_hide(TREE, TREE_ENDPOINT);
	assert_why(TREE_ENDPOINT, 4, NULL, "configuration space", "unknown", "64 bytes");
	assert_why(TREE_ENDPOINT, 4, NULL, "capability", "ok", "says the driver");
	assert_why(TREE_ENDPOINT, 4, NULL, "modes", "ok", "says the driver");
	assert_why(TREE_ENDPOINT, 4, NULL, "completer", "ok", "says the driver");
	tree_attribute(TREE, TREE_ENDPOINT, "steering", "no-completer");
	assert_why(TREE_ENDPOINT, 3, "completer", "modes", "unknown", "not known");
	tree_hide(TREE, TREE_NVME);
	assert_why(TREE_NVME, 1, "driver", "capability", "unknown", "hidden");
	assert_why(TREE_NVME, 1, "driver", "completer", "unknown", "hidden");
}

static void why_of_a_saved_tree(void **context)
{
	char words[PATH_MAX + 64], copy[PATH_MAX];

	(void)context;
	snprintf(copy, sizeof(copy), "%s-foreign", TREE);
	tree_make(copy);
	tree_text(copy, "kernel/irq/1/chip_name", "IR-IO-APIC\n");
	snprintf(words, sizeof(words), "why --sysfs %s " TREE_ENDPOINT, copy);
	/* Where its caller might run the tree does not say, and this one's CPUs are none of it. */
	assert_int_equal(run(words), 1);
	assert_says(result.out, "ok       CPUs                 0-7 are granted\n");
	assert_says(result.out, "unknown  caller's CPUs");
	assert_says(result.out, "ok       user                 free: nobody has it open, it "
		    "seems\n");
	tree_text(copy, "proc/self/status", "Name:\tx\nCpus_allowed_list:\t9,11\n");
	assert_int_equal(run(words), 4);
	assert_says(result.out, "broken   caller's CPUs        0-7 are granted, but this process "
		    "may run on 9,11 alone");
	tree_text(copy, "proc/self/status", "Cpus_allowed_list:\t2\n");
	tree_text(copy, "devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT "/enable", "1\n");
	tree_attribute(copy, TREE_ENDPOINT, "targets", "2");
	tree_attribute(copy, TREE_ENDPOINT, "requester", "iv 8");
	assert_runs(words);
	assert_says(result.out, "open, it seems; --sysfs does not tell by whom");
	/* Its own command line, not that of the kernel that runs. */
	tree_text(TREE, "proc/cmdline", "pci=notph\n");
	snprintf(words, sizeof(words), "why --sysfs %s " TREE_INTEGRATED, copy);
	assert_int_equal(run(words), 1);
	assert_says(result.out, "ok       kernel               started without");
	tree_text(copy, "proc/cmdline", "pci=notph\n");
	assert_int_equal(run(words), 3);
	tree_remove(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(why_of_hardware_and_driver, why_setup),
		cmocka_unit_test_setup(why_of_the_slot, why_setup),
		cmocka_unit_test_setup(why_of_the_neighbours, why_setup),
		cmocka_unit_test_setup(why_of_the_module, why_setup),
		cmocka_unit_test_setup(why_of_the_way_in, why_setup),
		cmocka_unit_test_setup(why_of_signatures, why_setup),
		cmocka_unit_test_setup(why_of_the_kernel, why_setup),
		cmocka_unit_test_setup(why_of_the_kernels_options, why_setup),
		cmocka_unit_test_setup(why_of_the_iommu, why_setup),
		cmocka_unit_test_setup(why_of_the_group, why_setup),
		cmocka_unit_test_setup(why_of_what_the_driver_says, why_setup),
		cmocka_unit_test_setup(why_of_cpus, why_setup),
		cmocka_unit_test_setup(why_of_users, why_setup),
		cmocka_unit_test_setup(holders_that_only_seem_so, why_setup),
		cmocka_unit_test_setup(why_without_privilege, why_setup),
		cmocka_unit_test_setup(why_of_a_saved_tree, why_setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl why", tests, NULL, cleanup);
}
