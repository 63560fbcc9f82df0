// SPDX-License-Identifier: MIT
/* What the thread requires, one by one: R1 to R20. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "scenarios.h"
#include "stage.h"

/* in vfio_pci_hot_reset_info, newer than some headers */
#define RESET_FLAG_DEV_ID	1u
#define RESET_FLAG_OWNED	2u

#define REPLACES_PER_WRITE_MIN	2

/* What another process would read from sysfs now. */
static void user_line(const char *question, const char *bdf)
{
	struct tph_group_facts facts;
	struct tph_group *group;

	if (tph_group_read("/sys", bdf, &group))
		give_up("the group of %s", bdf);
	tph_group_describe(group, &facts);
	tph_group_free(group);
	stage_line("R1", question, "yes", facts.owner_context == TPH_GROUP_STRANGER ? "yes" : "no",
		   "vfio_pci_core_enable", "the device is enabled, and not asleep");
}

static void access_by_context(void)
{
	struct actor f = { C0, -1 };
	struct context user;

	driver_set(C0, "vfio-pci");
	context_open(&user, 1);
	stage_begin("R1: no access before the device is in a secure context (e1000e, alone)", C0);
	play_open("R1", "the device's file is opened", &f);
	play_use("R1", "ioctl, read and mapping of it", &f, -EINVAL);
	play_attach("R1", "an attach before the bind", &f, &user, 1, -EINVAL);
	play_bind("R1", "it is bound to an iommufd", &f, &user, 0);
	play_use("R1", "ioctl, read and mapping of it", &f, 0);
	user_line("does sysfs show that somebody uses it?", C0);
	play_close("R1", "it is closed", &f);
	stage_end();
	context_close(&user);
}

static void viability_by_kernel(void)
{
	struct actor f0 = { A0, -1 }, f1 = { A1, -1 };
	int group = -1, container = container_open();
	struct context user;

	driver_set(A0, "e1000e");
	driver_set(A1, "vfio-pci");
	context_open(&user, 1);
	stage_begin("R2, R3, R4: who may be beside a user (e1000e pair)", A1);
	play_bind("R3", "f1 is bound, nobody asked for viability before; f0 has e1000e", &f1, &user,
		  -EPERM);
	play_take("R2", "f0 is taken from e1000e", &f0, 0);
	play_bind("R2", "f1 is bound, f0 has no driver", &f1, &user, 0);
	play_give("R4", "f0 is given to e1000e", &f0, "e1000e", -EBUSY);
	play_give("R4", "f0 is given to pci-stub", &f0, "pci-stub", 0);
	play_close("R2", "f1 is closed", &f1);
	play_bind("R2", "f1 is bound, f0 has pci-stub", &f1, &user, 0);
	play_close("R2", "f1 is closed", &f1);
	play_take("R2", "f0 is taken from pci-stub", &f0, 0);
	play_group_open("R4", "the group's file is opened", &f1, 2, &group, 0);
	play_set_container("R4", "and put into a container", &f1, group, container, 0);
	play_give("R4", "f0 is given to e1000e", &f0, "e1000e", -EBUSY);
	play_group_close("R4", "the group's file is closed", &f1, &group);
	close(container);
	play_give("R20", "f0 is given to e1000e", &f0, "e1000e", 0);
	stage_end();
	context_close(&user);
}

static void viability_behind_bridge(void)
{
	struct actor b0 = { B0, -1 }, b2 = { B2, -1 }, bridge = { BRIDGE, -1 };
	struct context user;

	driver_set(BRIDGE, NULL);
	driver_set(B0, "e1000");
	driver_set(B1, NULL);
	driver_set(B2, "vfio-pci");
	driver_set(B3, NULL);
	context_open(&user, 1);
	stage_begin("R2, R4, R14: the same behind a bridge to conventional PCI", B2);
	play_bind("R2", "edu is bound, a neighbour behind the bridge has e1000", &b2, &user,
		  -EPERM);
	play_take("R2", "the neighbour is taken from e1000", &b0, 0);
	play_give("R14", "the bridge is given to shpchp", &bridge, "shpchp", 0);
	play_bind("R14", "edu is bound, the bridge has shpchp", &b2, &user, -EPERM);
	play_take("R14", "the bridge is taken from shpchp", &bridge, 0);
	play_bind("R14", "edu is bound", &b2, &user, 0);
	play_give("R4", "the neighbour is given to e1000", &b0, "e1000", -EBUSY);
	play_close("R4", "edu is closed", &b2);
	play_give("R20", "the neighbour is given to e1000", &b0, "e1000", 0);
	play_take("R20", "and taken from it", &b0, 0);
	stage_end();
	context_close(&user);
}

static void interconnect_is_allowed(void)
{
	struct actor f = { S0, -1 };
	struct context user;

	driver_set(S0, "vfio-pci");
	context_open(&user, 1);
	stage_begin("R14: interconnect in the group (e1000e below a port without ACS)", S0);
	play_bind("R14", "e1000e is bound, the port in its group has pcieport", &f, &user, 0);
	play_attach("R14", "and attached", &f, &user, 1, 0);
	play_close("R14", "it is closed", &f);
	stage_end();
	context_close(&user);
}

static void one_owner(const char *title, const char *bdf0, const char *bdf1)
{
	struct actor f0 = { bdf0, -1 }, f1 = { bdf1, -1 };
	struct context user, other;

	driver_set(BRIDGE, NULL);
	driver_set(bdf0, "vfio-pci");
	driver_set(bdf1, "vfio-pci");
	context_open(&user, 1);
	context_open(&other, 2);
	stage_begin(title, bdf0);
	play_bind("R5", "f0 is bound to iommufd A", &f0, &user, 0);
	play_bind("R5", "f1 is bound to iommufd B", &f1, &other, -EPERM);
	play_bind("R5", "f1 is bound to iommufd A", &f1, &user, 0);
	play_attach("R8", "f1 is attached first", &f1, &user, 1, 0);
	play_attach("R10", "f0 is attached to another space", &f0, &user, 2, -EINVAL);
	play_attach("R8", "f0 is attached to the same one", &f0, &user, 1, 0);
	play_attach("R10", "f0 is attached to another one now", &f0, &user, 2, 0);
	play_attach("R10", "f1, which went along, is attached to that", &f1, &user, 2, 0);
	play_close("R5", "f0 is closed", &f0);
	play_bind("R5", "f0 is bound to iommufd B", &f0, &other, -EPERM);
	play_close("R5", "f1 is closed", &f1);
	play_bind("R5", "f0 is bound to iommufd B", &f0, &other, 0);
	play_close("R5", "f0 is closed", &f0);
	stage_end();
	context_close(&user);
	context_close(&other);
}

static void detach_blocks(void)
{
	struct actor f0 = { D0, -1 }, f1 = { D1, -1 };
	struct context user;

	driver_set(D0, "vfio-pci");
	driver_set(D1, "vfio-pci");
	context_open(&user, 1);
	stage_begin("R9, R10: detach and replace, with DMA (edu pair)", D0);
	play_bind("R9", "f0 is bound", &f0, &user, 0);
	play_bind("R9", "f1 is bound", &f1, &user, 0);
	play_attach("R9", "f0 is attached to space 1", &f0, &user, 1, 0);
	play_attach("R9", "f1 is attached to space 1", &f1, &user, 1, 0);
	play_detach("R9", "f1 is detached", &f1, 0);
	play_dma("R9", "where does f1's DMA go?", D1, &user, 1);
	play_detach("R9", "f0 is detached", &f0, 0);
	play_dma("R9", "where does f1's DMA go?", D1, &user, NOWHERE);
	play_dma("R9", "where does f0's DMA go?", D0, &user, NOWHERE);
	play_attach("R10", "f0 is attached to space 1", &f0, &user, 1, 0);
	play_attach("R10", "f1 is attached to space 2", &f1, &user, 2, -EINVAL);
	play_attach("R10", "f0 is attached to space 2", &f0, &user, 2, 0);
	play_dma("R10", "where does f0's DMA go?", D0, &user, 2);
	play_dma("R10", "where does f1's DMA go?", D1, &user, 2);
	play_close("R9", "f0 is closed", &f0);
	play_close("R9", "f1 is closed", &f1);
	stage_end();
	context_close(&user);
}

/* A write is under way for 100 ms, and all that time the group moves to and fro. */
static void switch_between_secure_states(void)
{
	struct actor f0 = { D0, -1 }, f1 = { D1, -1 };
	unsigned int replaces, writes, least = ~0u;
	unsigned int landings[SPACES + 1] = { 0 };
	struct context user;
	struct engine engine;
	bool astray = false;
	char because[96];
	int where;

	driver_set(D0, "vfio-pci");
	driver_set(D1, "vfio-pci");
	context_open(&user, 1);
	stage_begin("R11: a switch is between secure states (edu pair)", D0);
	play_bind("R11", "f0 is bound", &f0, &user, 0);
	play_bind("R11", "f1 is bound", &f1, &user, 0);
	play_attach("R11", "f0 is attached to space 1", &f0, &user, 1, 0);
	play_attach("R11", "f1 is attached to space 1", &f1, &user, 1, 0);
	engine_open(&engine, D1);
	for (writes = 0; writes < 8; writes++) {
		pages_arm(&user);
		engine_begin(&engine, host_address());
		for (replaces = 0; engine_busy(&engine); replaces++)
			if (device_attach(&f0, &user, 2 - replaces % 2))
				give_up("replace: %s", strerror(errno));
		if (device_attach(&f0, &user, 1))
			give_up("replace: %s", strerror(errno));
		where = pages_landed(&user);
		if (where < 0)
			astray = true;
		else
			landings[where]++;
		least = replaces < least ? replaces : least;
	}
	engine_close(&engine);
	snprintf(because, sizeof(because),
		 "%u writes: %u to space 1, %u to space 2, %u dropped; in each %u replaces or more",
		 writes, landings[1], landings[2], landings[0], least);
	stage_line("R11", "does f1's DMA leave the two spaces while f0 is moved?", "no",
		   astray ? "yes" : least < REPLACES_PER_WRITE_MIN ? "not tried" : "no",
		   "__iommu_group_set_domain_internal", because);
	play_close("R11", "f0 is closed", &f0);
	play_close("R11", "f1 is closed", &f1);
	stage_end();
	context_close(&user);
}

static void no_unowned_access(void)
{
	struct actor f0 = { A0, -1 }, f1 = { A1, -1 };
	struct context user, other;
	pid_t waiting;

	driver_set(A0, "vfio-pci");
	driver_set(A1, "vfio-pci");
	context_open(&user, 1);
	context_open(&other, 2);
	stage_begin("R12, R13, R20: unbinding is closing (e1000e pair)", A0);
	play_bind("R12", "f0 is bound", &f0, &user, 0);
	play_bind("R12", "is there a way to bind it anew, to another iommufd?", &f0, &other,
		  -EINVAL);
	play_attach("R12", "f0 is attached", &f0, &user, 1, 0);
	play_detach("R12", "f0 is detached", &f0, 0);
	play_use("R12", "detached, but still owned: access?", &f0, 0);
	waiting = play_take_in_use("R13", "f0 is taken from vfio-pci while it is open", &f0);
	play_use("R13", "does its user still have access?", &f0, 0);
	play_close("R13", "its user lets go", &f0);
	play_take_done("R13", "and now it is taken", &f0, waiting);
	play_give("R12", "f0 is given to e1000e", &f0, "e1000e", 0);
	play_take("R20", "f1 is taken from vfio-pci", &f1, 0);
	play_give("R20", "f1 is given to e1000e", &f1, "e1000e", 0);
	stage_end();
	context_close(&user);
	context_close(&other);
}

static void aliases_share_a_context(void)
{
	struct actor f0 = { B2, -1 };
	struct tph_group_member one, two;
	struct context user;
	char happened[16];

	driver_set(BRIDGE, NULL);
	driver_set(B2, "vfio-pci");
	driver_set(B3, "vfio-pci");
	context_open(&user, 1);
	stage_begin("R15: aliases share a context (edu behind a bridge)", B2);
	one = stage_member(B2);
	two = stage_member(B3);
	snprintf(happened, sizeof(happened), "%s", one.alias == two.alias &&
		 one.requester != two.requester ? "one id" : "two ids");
	stage_line("R15", "with how many requester ids do both reach the IOMMU?", "one id",
		   happened, "pci_for_each_dma_alias", "as the model reads it from the topology");
	play_bind("R15", "f0 is bound, f1 never", &f0, &user, 0);
	play_attach("R15", "f0 is attached to space 1", &f0, &user, 1, 0);
	play_dma("R15", "where does f1's DMA go?", B3, &user, 1);
	play_close("R15", "f0 is closed", &f0);
	stage_end();
	context_close(&user);
}

static void reset_line(const char *question, struct actor *actor, const char *other, bool all_owned,
		       bool with_vfio)
{
	char predicted[48], happened[48];
	uint32_t flags = 0;
	int devid = -2, ret = device_reset_owner(actor, other, &flags, &devid);

	snprintf(predicted, sizeof(predicted), "%s", with_vfio ? "owned" : "not owned");
	if (ret)
		snprintf(happened, sizeof(happened), "%d", ret);
	else
		snprintf(happened, sizeof(happened), "%s",
			 devid > 0 ? "bound" : devid ? "not owned" : "owned");
	if (!!(flags & RESET_FLAG_OWNED) != all_owned || !(flags & RESET_FLAG_DEV_ID))
		snprintf(happened, sizeof(happened), "flags %u", flags);
	stage_line(
		"R16", question, predicted, happened, "vfio_pci_fill_devs",
		with_vfio ? "the group belongs to this iommufd, and the neighbour has a VFIO driver"
			  : "the neighbour has no VFIO driver");
}

static void reset_what_is_owned(void)
{
	struct actor f0 = { A0, -1 }, f1 = { A1, -1 };
	struct context user;

	driver_set(A0, "vfio-pci");
	driver_set(A1, "vfio-pci");
	context_open(&user, 1);
	stage_begin("R16, R19: who is in the group, and resetting it (e1000e pair)", A1);
	play_bind("R16", "f1 is bound, f0 is with vfio-pci, unopened", &f1, &user, 0);
	reset_line("what does the user learn about f0?", &f1, A0, true, true);
	play_hot_reset("R19", "f1's user resets the bus", &f1, 0);
	play_take("R19", "f0 is taken from vfio-pci", &f0, 0);
	play_give("R19", "f0 is given to pci-stub", &f0, "pci-stub", 0);
	reset_line("what does the user learn about f0?", &f1, A0, false, false);
	play_hot_reset("R19", "f1's user resets the bus", &f1, -EINVAL);
	play_close("R19", "f1 is closed", &f1);
	play_take("R19", "f0 is taken from pci-stub", &f0, 0);
	stage_end();
	context_close(&user);
}

static void group_and_device_exclude(void)
{
	struct actor f = { C0, -1 };
	struct context user;
	int group = -1, second = -1, container = container_open();

	driver_set(C0, "vfio-pci");
	context_open(&user, 1);
	stage_begin("R17: by the group or by the device (e1000e, alone)", C0);
	play_group_open("R17", "the group's file is opened", &f, 2, &group, 0);
	play_bind("R17", "the device is bound to an iommufd", &f, &user, -EBUSY);
	play_close("R17", "its file is closed", &f);
	play_group_open("R17", "the group's file is opened once more", &f, 2, &second, -EBUSY);
	play_set_container("R17", "the group is put into a container", &f, group, container, 0);
	play_take("R17", "the device is taken from vfio-pci", &f, 0);
	play_give("R17", "and given to e1000e: the container has lost it?", &f, "e1000e", 0);
	close(group);
	close(container);
	play_take("R17", "it is taken from e1000e", &f, 0);
	play_give("R17", "and given to vfio-pci again", &f, "vfio-pci", 0);
	play_bind("R17", "the device is bound to an iommufd", &f, &user, 0);
	play_group_open("R17", "the group's file is opened", &f, 2, &group, -EBUSY);
	play_close("R17", "the device is closed", &f);
	play_group_open("R17", "the group's file is opened", &f, 2, &group, 0);
	play_group_close("R17", "and closed", &f, &group);
	stage_end();
	context_close(&user);
}

void requirements(void)
{
	access_by_context();
	viability_by_kernel();
	viability_behind_bridge();
	interconnect_is_allowed();
	one_owner("R5, R8, R10: one owner, one address space (e1000e pair)", A0, A1);
	one_owner("R5, R8, R10: the same behind a bridge (e1000 pair)", B0, B1);
	one_owner("R5, R8, R10: the same on the root bus (edu pair)", D0, D1);
	detach_blocks();
	switch_between_secure_states();
	no_unowned_access();
	aliases_share_a_context();
	reset_what_is_owned();
	group_and_device_exclude();
}

/* With iommu=pt nothing but ownership stands between a device and the host's memory. */
void requirements_passthrough(void)
{
	struct actor f0 = { D0, -1 }, f1 = { D1, -1 };
	struct context user;
	char type[32];

	driver_set(D0, NULL);
	driver_set(D1, NULL);
	context_open(&user, 1);
	stage_begin("R6, R7: blocked while unattached, strays too, with iommu=pt (edu pair)", D0);
	sysfs_read(type, sizeof(type), "/sys/bus/pci/devices/" D0 "/iommu_group/type");
	stage_line("R7", "in which domain is the group?", "identity", type, "iommu_def_domain_type",
		   stage_member(D0).dma_because);
	play_dma("R7", "f0 has no driver: where does its DMA go?", D0, &user, HOST);
	play_give("R7", "f1 is given to vfio-pci", &f1, "vfio-pci", 0);
	play_dma("R7", "f1 is with vfio-pci, unopened: where does its DMA go?", D1, &user, HOST);
	play_open("R7", "f1 is opened", &f1);
	play_dma("R7", "where does f0's DMA go?", D0, &user, HOST);
	play_bind("R6", "f1 is bound to an iommufd", &f1, &user, 0);
	play_dma("R6", "where does f1's DMA go?", D1, &user, NOWHERE);
	play_dma("R7", "and f0's, the stray one?", D0, &user, NOWHERE);
	play_attach("R6", "f1 is attached to space 1", &f1, &user, 1, 0);
	play_dma("R6", "where does f1's DMA go?", D1, &user, 1);
	play_dma("R7", "and f0's?", D0, &user, 1);
	play_give("R7", "f0 is given to pci-stub", &f0, "pci-stub", 0);
	play_detach("R6", "f1 is detached", &f1, 0);
	play_dma("R6", "where does f1's DMA go?", D1, &user, NOWHERE);
	play_close("R7", "f1 is closed", &f1);
	play_dma("R7", "where does f1's DMA go?", D1, &user, HOST);
	play_dma("R7", "and f0's?", D0, &user, HOST);
	stage_end();
	context_close(&user);
}

void requirements_without_remapping(void)
{
	struct actor f = { C0, -1 };
	struct context user;

	driver_set(C0, "vfio-pci");
	context_open(&user, 1);
	stage_begin("R18: isolated interrupts (e1000e, alone; intremap=off)", C0);
	play_bind("R18", "the device is bound to an iommufd", &f, &user, -EPERM);
	play_close("R18", "its file is closed", &f);
	stage_end();
	sysfs_write("Y", "/sys/module/iommufd/parameters/allow_unsafe_interrupts");
	stage_begin("R18: the same with iommufd.allow_unsafe_interrupts", C0);
	play_bind("R18", "the device is bound to an iommufd", &f, &user, 0);
	play_close("R18", "it is closed", &f);
	stage_end();
	context_close(&user);
}
