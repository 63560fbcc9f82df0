// SPDX-License-Identifier: MIT
/*
 * What a former driver or user left in a device that has no reset: tags, and a requester that is
 * enabled. Root is the former driver here.
 */
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "attack.h"

#define ECAP_TPH	0x17

static void unbind(const char *bdf)
{
	guest_command("echo %s >/sys/bus/pci/devices/%s/driver/unbind", bdf, bdf);
}

static void leave_enabled(const char *bdf)
{
	raw_config_write(bdf, raw_extended(bdf, ECAP_TPH) + TPH_CTRL, 4,
			 TPH_CTRL_IV | TPH_CTRL_16);
}

/* The next user does nothing but send; on ours he enables what is there as well. */
static bool is_sent(const char *bdf, bool ours)
{
	struct guest *g;

	act_as_root();
	g = guest_open(bdf);
	act_as_user();
	if (sends_tag(g, 0, OTHER_TAG))
		return true;
	if (ours)
		attack_enable(g, ours);
	return sends_tag(g, 0, OTHER_TAG);
}

static bool in_the_capability(const struct attack *attack, bool ours)
{
	act_as_root();
	unbind(attack->bdf);
	raw_config_write(attack->bdf, raw_extended(attack->bdf, ECAP_TPH) + TPH_TABLE, 4,
			 OTHER_TAG);
	leave_enabled(attack->bdf);
	guest_bind(attack->bdf, ours ? "tph-vfio-pci" : "vfio-pci");
	return is_sent(attack->bdf, ours);
}

static bool in_the_msix_table(const struct attack *attack, bool ours)
{
	char path[96];
	void *map;
	int fd;

	act_as_root();
	unbind(attack->bdf);
	raw_config_write(attack->bdf, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", attack->bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	map = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, TABLE_PAGE);
	assert_ptr_not_equal(map, MAP_FAILED);
	*(volatile uint32_t *)((uint8_t *)map + (TABLE_AT - TABLE_PAGE) + 12) = OTHER_TAG << 16 | 1;
	munmap(map, 0x1000);
	close(fd);
	leave_enabled(attack->bdf);
	guest_bind(attack->bdf, ours ? "tph-vfio-pci" : "vfio-pci");
	return is_sent(attack->bdf, ours);
}

/* One user's tag, then the next user's device: he has vectors, and enables. */
static bool by_a_former_user(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	act_as_root();
	guest_close(g);
	g = guest_open(attack->bdf);
	vectors_on(g);
	attack_enable(g, ours);
	return sends_tag(g, 0, HIS_TAG);
}

const struct attack leftover_attacks[] = {
	{ "left-in-capability", in_the_capability, AT_KEEPER, STOCK_OPEN, NULL,
	  "attack/leftover.c" },
	{ "left-in-msix-table", in_the_msix_table, AT_KEEPER_MSIX, STOCK_OPEN, NULL,
	  "attack/leftover.c" },
	{ "left-by-former-user", by_a_former_user, AT_KEEPER_MSIX, STOCK_OPEN, NULL,
	  "attack/leftover.c" },
	{ 0 }
};
