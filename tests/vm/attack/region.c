// SPDX-License-Identifier: MIT
/* Writes to the MSI-X table by what VFIO offers instead of a mapping. */
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attack.h"

/* pwrite() at every width and alignment that reaches the tag of entry 0, and one over all of it. */
static bool by_pwrite(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	uint64_t tag_at = TABLE_AT + 14, tags = OTHER_TAG * 0x0001000100010001ull;
	uint8_t page[0x400];
	unsigned int at, n;

	for (n = 1; n <= 8; n++)
		for (at = tag_at - 8; at < tag_at + 2; at++)
			if (at + n > tag_at && pwrite(g->fd, &tags, n, at) >= 0 &&
			    sends_any_tag(g, 0))
				return true;
	for (n = 0; n < sizeof(page); n += 2)
		memcpy(page + n, &tags, 2);
	if (pwrite(g->fd, page, sizeof(page), TABLE_AT - 0x100) < 0)
		return false;
	for (n = 0; n < TABLE_VECTORS; n++)
		if (sends_any_tag(g, n))
			return true;
	return false;
}

/* Let the kernel write it, whenever an eventfd is signalled. */
static bool by_ioeventfd(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	struct vfio_device_ioeventfd request = { .argsz = sizeof(request) };
	static const struct {
		uint32_t at, bytes;
		uint64_t data;
	} tries[] = {
		{ TABLE_AT + 12, 4, (uint64_t)OTHER_TAG << 16 },
		{ TABLE_AT + 14, 2, OTHER_TAG },
		{ TABLE_AT + 15, 1, OTHER_TAG >> 8 },
		{ TABLE_AT + 8, 8, (uint64_t)OTHER_TAG << 48 },
		/* and where it may be: it does work */
		{ EP_DMA_PATTERN, 4, 0x600df00d },
	};
	const uint64_t one = 1;
	unsigned int i;

	for (i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		request.flags = tries[i].bytes;
		request.offset = tries[i].at;
		request.data = tries[i].data;
		request.fd = eventfd(0, EFD_CLOEXEC);
		if (ioctl(g->fd, VFIO_DEVICE_IOEVENTFD, &request))
			continue;
		assert_int_equal(write(request.fd, &one, 8), 8);
		if (sends_any_tag(g, 0))
			return true;
	}
	assert_int_equal(guest_register(g, EP_DMA_PATTERN), 0x600df00d);
	return false;
}

#define ATTACK(name, run, stock) { name, run, AT_MSIX, stock, NULL, "attack/region.c" }

const struct attack region_attacks[] = {
	ATTACK("pwrite-table", by_pwrite, STOCK_CLOSED),
	ATTACK("ioeventfd-table", by_ioeventfd, STOCK_CLOSED),
	{ 0 }
};
