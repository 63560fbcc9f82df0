// SPDX-License-Identifier: MIT
/*
 * The three examples that Alex Williamson put to Kevin Tian in June 2021 ("Plan for /dev/ioasid RFC
 * v2"), step by step as there, on what Linux has become. Where a step is about DMA, edu takes the
 * network card's part: its engine can be told what to do.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "scenarios.h"
#include "stage.h"

/* Two functions of a group, what drives them in the host (NULL: nothing), whether DMA is tried. */
struct pair {
	const char *title;
	const char *bdf[2];
	const char *host;
	bool engine;
};

static void question_dma(const struct pair *pair, const char *id, const char *question,
			 int function, const struct context *user, int space)
{
	if (pair->engine)
		play_dma(id, question, pair->bdf[function], user, space);
}

void example_1(void)
{
	struct actor f0 = { A0, -1 }, f1 = { A1, -1 };
	struct context user;
	char type[32];
	int group = -1, container;

	driver_set(A0, "e1000e");
	driver_set(A1, "e1000e");
	context_open(&user, 1);
	stage_begin("Example 1: a dual-function e1000e, grouped for want of ACS", A1);
	sysfs_read(type, sizeof(type), "/sys/bus/pci/devices/" A1 "/iommu_group/type");
	stage_line("1a", "both with e1000e: in which domain is the group?",
		   stage_facts().default_domain, type, "iommu_device_use_default_domain",
		   stage_facts().owner);
	play_take("1b", "f1 is taken from e1000e", &f1, 0);
	play_give("1b", "f1 is given to vfio-pci, for a user", &f1, "vfio-pci", 0);
	play_open("1c", "the user opens f1", &f1);
	play_use("1c", "does the open file give access?", &f1, -EINVAL);
	play_bind("1c", "the user binds f1 to an iommufd: does this succeed?", &f1, &user, -EPERM);
	play_use("1c", "may VFIO allow access now?", &f1, -EINVAL);
	play_group_open("1c'", "the same by the group: it is opened", &f1, 2, &group, 0);
	stage_line("1c'", "does VFIO call the group viable?",
		   stage_facts().owner_host ? "no" : "yes", group_viable(group) ? "yes" : "no",
		   "iommu_group_dma_owner_claimed", stage_facts().owner);
	container = container_open();
	play_set_container("1c'", "and put into a container", &f1, group, container, -EPERM);
	play_group_close("1c'", "the group is closed", &f1, &group);
	close(container);
	play_take("1d", "f0 is taken from e1000e too", &f0, 0);
	play_give("1d", "f0 is given to vfio-pci", &f0, "vfio-pci", 0);
	play_bind("1e", "1c again, with f1: is it different? where? why?", &f1, &user, 0);
	play_use("1e", "may VFIO allow access now?", &f1, 0);
	play_take("1e'", "f0, never opened, is taken from vfio-pci", &f0, 0);
	play_give("1e'", "f0 goes back to e1000e while f1 is in use", &f0, "e1000e", -EBUSY);
	play_give("1e'", "f0 goes to pci-stub", &f0, "pci-stub", 0);
	play_close("1e'", "f1 is closed", &f1);
	play_bind("1e'", "f1 is bound beside pci-stub", &f1, &user, 0);
	play_close("1e'", "f1 is closed", &f1);
	play_take("1e'", "f0 is taken from pci-stub", &f0, 0);
	play_bind("1e'", "f1 is bound beside a function without driver", &f1, &user, 0);
	play_close("1e'", "f1 is closed", &f1);
	stage_end();
	context_close(&user);
}

static void play_example_2(const struct pair *pair)
{
	struct actor f0 = { pair->bdf[0], -1 }, f1 = { pair->bdf[1], -1 };
	struct actor again = f1;
	struct context user, other;

	driver_set(f0.bdf, "vfio-pci");
	driver_set(f1.bdf, "vfio-pci");
	context_open(&user, 1);
	context_open(&other, 2);
	stage_begin(pair->title, f0.bdf);
	play_bind("2a", "the user binds f0 to an iommufd", &f0, &user, 0);
	question_dma(pair, "2a", "who has blocked f1's DMA, which nobody opened?", 1, &user,
		     NOWHERE);
	play_bind("2a", "f1 to another iommufd", &f1, &other, -EPERM);
	play_bind("2a", "f1 to the same iommufd", &f1, &user, 0);
	play_bind("2a", "f1 to it once more", &f1, &user, -EINVAL);
	play_bind("2a", "f1 by a second open of it", &again, &user, -EINVAL);
	device_close(&again);
	play_use("2a", "attached to nothing, does f1 give access?", &f1, 0);
	question_dma(pair, "2a", "where does f0's DMA go?", 0, &user, NOWHERE);
	question_dma(pair, "2a", "where does f1's DMA go?", 1, &user, NOWHERE);
	play_attach("2b", "f0 is attached to address space 1", &f0, &user, 1, 0);
	question_dma(pair, "2b", "where does f0's DMA go?", 0, &user, 1);
	question_dma(pair, "2b", "and f1's, which is not attached?", 1, &user, 1);
	play_attach("2b", "f1 is attached to it too", &f1, &user, 1, 0);
	question_dma(pair, "2b", "where does f1's DMA go?", 1, &user, 1);
	play_detach("2c", "f1 is detached: the reverse of 2b?", &f1, 0);
	question_dma(pair, "2c", "where does f1's DMA go?", 1, &user, 1);
	play_detach("2c", "f1 is detached once more", &f1, 0);
	play_close("2d", "f1 is unbound, which is a close: does this succeed?", &f1);
	question_dma(pair, "2d", "which IOMMU context has it? where does its DMA go?", 1, &user, 1);
	play_bind("2d", "who owns it? another user binds f1", &f1, &other, -EPERM);
	play_close("2d", "that one closes it", &f1);
	play_take("2e", "f1 is taken from vfio-pci: does this work?", &f1, 0);
	if (pair->host)
		play_give("2f", "f1 is given to its host driver: who prevents it?", &f1, pair->host,
			  -EBUSY);
	play_give("2f", "f1 is given to pci-stub", &f1, "pci-stub", 0);
	question_dma(pair, "2f", "where does f1's DMA go?", 1, &user, 1);
	play_detach("2f'", "f0, the last one, is detached", &f0, 0);
	question_dma(pair, "2f'", "where does f0's DMA go?", 0, &user, NOWHERE);
	question_dma(pair, "2f'", "where does f1's DMA go?", 1, &user, NOWHERE);
	play_close("2f'", "f0 is closed", &f0);
	play_take("2f'", "f1 is taken from pci-stub", &f1, 0);
	if (pair->host)
		play_give("2f'", "f1 is given to its host driver", &f1, pair->host, 0);
	stage_end();
	context_close(&user);
	context_close(&other);
}

void example_2(void)
{
	play_example_2(&(struct pair){
		.title = "Example 2: the same e1000e, both functions with vfio-pci",
		.bdf = { A0, A1 }, .host = "e1000e" });
	play_example_2(&(struct pair){
		.title = "Example 2 with DMA: two functions of edu, grouped for want of ACS",
		.bdf = { D0, D1 }, .engine = true });
}

static void play_example_3(const struct pair *pair)
{
	struct actor f0 = { pair->bdf[0], -1 }, f1 = { pair->bdf[1], -1 }, bridge = { BRIDGE, -1 };
	struct context user;
	const char *all[] = { B0, B1, B2, B3 };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		driver_set(all[i], NULL);
	driver_set(BRIDGE, "shpchp");
	driver_set(f0.bdf, "vfio-pci");
	driver_set(f1.bdf, "vfio-pci");
	context_open(&user, 1);
	stage_begin(pair->title, f0.bdf);
	play_bind("3a", "f0 is bound while shpchp drives the bridge", &f0, &user, -EPERM);
	play_take("3a", "the bridge is taken from shpchp", &bridge, 0);
	play_bind("3a", "f0 is bound to an iommufd", &f0, &user, 0);
	play_give("3a", "shpchp comes back", &bridge, "shpchp", -EBUSY);
	play_bind("3a", "f1 is bound to it", &f1, &user, 0);
	question_dma(pair, "3a", "where does f1's DMA go?", 1, &user, NOWHERE);
	play_attach("3a", "f0 is attached to address space 1", &f0, &user, 1, 0);
	question_dma(pair, "3a", "where does f1's DMA go, not attached?", 1, &user, 1);
	play_attach("3a", "f1 is attached to it", &f1, &user, 1, 0);
	question_dma(pair, "3a", "where does f0's DMA go?", 0, &user, 1);
	question_dma(pair, "3a", "where does f1's DMA go?", 1, &user, 1);
	play_detach("3b", "f1 is detached: does that work, with a shared id?", &f1, 0);
	question_dma(pair, "3b", "what is its IOMMU context now?", 1, &user, 1);
	play_attach("3c", "f1 is attached to a new address space", &f1, &user, 2, -EINVAL);
	question_dma(pair, "3c", "where does f1's DMA go?", 1, &user, 1);
	play_attach("3c'", "without 3b: f1 is attached to space 1 again", &f1, &user, 1, 0);
	play_attach("3c'", "and then to space 2", &f1, &user, 2, 0);
	question_dma(pair, "3c'", "where does f1's DMA go?", 1, &user, 2);
	question_dma(pair, "3c'", "and f0's, which nobody asked?", 0, &user, 2);
	play_close("3c'", "f1 is closed", &f1);
	question_dma(pair, "3c'", "where does f0's DMA go?", 0, &user, 2);
	play_close("3c'", "f0 is closed", &f0);
	stage_end();
	context_close(&user);
}

void example_3(void)
{
	play_example_3(&(struct pair){
		.title = "Example 3: a dual-function conventional e1000, one requester id",
		.bdf = { B0, B1 }, .host = "e1000" });
	play_example_3(&(struct pair){
		.title = "Example 3 with DMA: edu behind the same bridge",
		.bdf = { B2, B3 }, .engine = true });
}
