// SPDX-License-Identifier: MIT
/*
 * A reset brings the user's entries back. It must not bring back what was taken: in the moment of a
 * reset the CPU is lost, and every way of resetting is tried.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "attack.h"

static uint8_t capability(struct guest *g, uint8_t id)
{
	uint8_t at;

	for (at = guest_config(g, PCI_CAPABILITY_LIST, 1); at; at = guest_config(g, at + 1, 1))
		if (guest_config(g, at, 1) == id)
			return at;
	fail_msg("no capability %#x", id);
	return 0;
}

static void by_ioctl(struct guest *g)
{
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
}

static void by_config(struct guest *g)
{
	uint8_t at = capability(g, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;

	guest_config_write(g, at, 2, guest_config(g, at, 2) | PCI_EXP_DEVCTL_BCR_FLR);
}

static void by_operator(struct guest *g)
{
	act_as_root();
	guest_command("echo 1 >/sys/bus/pci/devices/%s/reset", g->bdf);
	act_as_user();
}

static void hot(struct guest *g)
{
	int ret = guest_hot_reset(g);

	if (ret)
		fail_msg("hot reset: %s", strerror(-ret));
}

static void by_power(struct guest *g)
{
	uint8_t at = capability(g, PCI_CAP_ID_PM) + PCI_PM_CTRL;

	guest_config_write(g, at, 2, 3);
	assert_int_equal(guest_config(g, at, 2) & 3, 3);
	guest_config_write(g, at, 2, 0);
}

/*
 * Entry 0 stays, entry 1 is lost with the CPU right before the reset. On stock vfio-pci no reset
 * leaves the requester enabled, so the tag cannot be sent.
 */
static bool over(const struct attack *attack, void (*reset)(struct guest *))
{
	struct guest *g = attack_open(attack->bdf, true);
	static const uint32_t cpus[2] = { 0, HIS_CPU };
	uint32_t command = guest_config(g, PCI_COMMAND, 2), left;

	assert_int_equal(st_set(g, 0, 0, 2, cpus), 0);
	assert_true(sends_tag(g, 1, HIS_TAG));
	guest_run_on(1u << 0);
	reset(g);
	guest_config_write(g, PCI_COMMAND, 2, command);
	if (sends_tag(g, 1, HIS_TAG) && reset != by_power)
		return true;
	if (still_sends_tag_after_a_second(g, 1, HIS_TAG))
		return true;
	/* a request without a tag may have been one in the revocation's off-window: wait for its end */
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 1, 1, &left), 0);
	assert_int_equal(left, VFIO_TPH_CPU_NONE);
	/* what is still his is back, so the reset was one that brings back */
	assert_true(sends_tag(g, 0, TAG_VOLATILE_16(0)));
	return false;
}

static bool over_ioctl(const struct attack *attack, bool ours)
{
	(void)ours;
	return over(attack, by_ioctl);
}

static bool over_config(const struct attack *attack, bool ours)
{
	(void)ours;
	return over(attack, by_config);
}

static bool over_operator(const struct attack *attack, bool ours)
{
	(void)ours;
	return over(attack, by_operator);
}

static bool over_hot(const struct attack *attack, bool ours)
{
	(void)ours;
	return over(attack, hot);
}

static bool over_power(const struct attack *attack, bool ours)
{
	(void)ours;
	return over(attack, by_power);
}

/* Asleep in D3hot when the operator takes the CPU. */
static bool asleep(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, true);
	uint8_t at = capability(g, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	(void)ours;
	get_his_tag(g, true);
	guest_config_write(g, at, 2, 3);
	operator_cpus(attack->bdf, "0");
	guest_config_write(g, at, 2, 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	return sends_tag(g, 0, HIS_TAG);
}

/* The same with memory decode off: the MSI-X table cannot be written then. */
static bool deaf(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, true);
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	(void)ours;
	get_his_tag(g, true);
	guest_config_write(g, PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
	operator_cpus(attack->bdf, "0");
	guest_config_write(g, PCI_COMMAND, 2, command);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	return sends_tag(g, 0, HIS_TAG);
}

#define OURS(name, run, bdf) \
	{ name, run, bdf, STOCK_WITHOUT, "n/a: reset disables", "attack/reset.c" }

const struct attack reset_attacks[] = {
	OURS("keep-over-reset-ioctl", over_ioctl, AT_ALONE),
	OURS("keep-over-reset-config", over_config, AT_ALONE),
	OURS("keep-over-reset-operator", over_operator, AT_MSIX),
	OURS("keep-over-hot-reset", over_hot, AT_MSIX),
	OURS("keep-over-d3hot", over_power, AT_MSIX),
	OURS("cap-keep-over-reset-ioctl", over_ioctl, AT_CAPABILITY),
	OURS("cap-keep-over-d3hot", over_power, AT_CAPABILITY),
	OURS("keep-asleep", asleep, AT_MSIX),
	OURS("cap-keep-asleep", asleep, AT_CAPABILITY),
	OURS("keep-with-memory-off", deaf, AT_MSIX),
	{ 0 }
};
