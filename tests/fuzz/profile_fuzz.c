// SPDX-License-Identifier: MIT
/*
 * Any file as the configuration space of a function (profile=FILE): it is refused with a reason, or
 * there is a function whose lists end, whose BARs have what they must, and that takes any access.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "input.h"
#include "keys.h"
#include "models/exerciser.h"
#include "pcie/endpoint.h"
#include "pcie/profile.h"
#include "verdict.h"

#define LIST_MAX	  48
#define EXTENDED_LIST_MAX 961

static uint32_t get(struct endpoint *endpoint, size_t at, size_t width)
{
	uint8_t bytes[4] = { 0 };

	endpoint_config_read(endpoint, at, bytes, width);
	return (uint32_t)(bytes[0] | bytes[1] << 8 | bytes[2] << 16) | (uint32_t)bytes[3] << 24;
}

static void check_lists(struct endpoint *endpoint)
{
	const struct knobs *knobs = &endpoint->knobs;
	unsigned int steps = 0;
	bool express = false, tph = false;

	for (size_t at = get(endpoint, PCI_CAPABILITY_LIST, 1); at; at = get(endpoint, at + 1, 1)) {
		must(at >= 0x40 && at % 4 == 0, "capability at 0x%zx", at);
		must(++steps <= LIST_MAX, "the list has no end");
		express |= get(endpoint, at, 1) == PCI_CAP_ID_EXP;
		must(get(endpoint, at, 1) != PCI_CAP_ID_MSI, "MSI at 0x%zx", at);
	}
	must(express, "no PCI Express capability");
	steps = 0;
	for (size_t at = 0x100; at; at = get(endpoint, at, 4) >> 20) {
		must(at >= 0x100 && at % 4 == 0, "extended capability at 0x%zx", at);
		must(++steps <= EXTENDED_LIST_MAX, "the extended list has no end");
		tph |= get(endpoint, at, 2) == PCI_EXT_CAP_ID_TPH && at == knobs->tph_at;
		must(get(endpoint, at, 2) != PCI_EXT_CAP_ID_SRIOV, "SR-IOV at 0x%zx", at);
	}
	must(tph == knobs->tph, "TPH is %sin the list", tph ? "" : "not ");
}

static void check_bars(struct endpoint *endpoint)
{
	const struct knobs *knobs = &endpoint->knobs;
	const uint32_t ones = UINT32_MAX;

	for (unsigned int bar = 0; bar < KNOBS_BARS; bar++) {
		const size_t size = endpoint_bar_size(endpoint, bar);
		const size_t at = PCI_BASE_ADDRESS_0 + 4 * bar;
		bool upper = bar && knobs->bars[bar - 1].type & PCI_BASE_ADDRESS_MEM_TYPE_64;

		must(!(size & (size - 1)) && size <= PROFILE_BAR_MAX, "BAR %u has %zu bytes", bar, size);
		must(!upper || !size, "BAR %u is the upper half of another", bar);
		endpoint_config_write(endpoint, at, (const uint8_t *)&ones, 4);
		if (!upper)
			must((get(endpoint, at, 4) & ~0xfu) == (size ? ~(uint32_t)(size - 1) : 0),
			     "BAR %u of %zu bytes reads 0x%x", bar, size, get(endpoint, at, 4));
	}
	if (!knobs->vectors)
		return;
	must(knobs->msix_at + 16 * (size_t)knobs->vectors <= endpoint_bar_size(endpoint, knobs->msix_bar),
	     "the MSI-X table ends behind its BAR");
	must(knobs->pba_at + ((size_t)knobs->vectors + 63) / 64 * 8 <=
		     endpoint_bar_size(endpoint, knobs->msix_bar), "the PBA ends behind its BAR");
	must(knobs->msix_bar || knobs->msix_at >= knobs->registers_end, "MSI-X in the registers");
}

/* What software may do, whatever it makes of it. */
static void use(struct endpoint *endpoint)
{
	uint8_t page[4096], ones[8];

	memset(ones, 0xff, sizeof(ones));
	endpoint_config_write(endpoint, PCI_COMMAND, (const uint8_t[]){ 6, 0 }, 2);
	for (unsigned int bar = 0; bar < KNOBS_BARS; bar++) {
		const size_t size = endpoint_bar_size(endpoint, bar);

		if (!size)
			continue;
		endpoint_bar_read(endpoint, bar, size - sizeof(page), page, sizeof(page));
		endpoint_bar_write(endpoint, bar, size - sizeof(ones), ones, sizeof(ones));
	}
	for (size_t at = 0; at < CONFIG_SPACE_SIZE; at += 4)
		endpoint_config_write(endpoint, at, ones, 4);
	endpoint_work(endpoint);
	endpoint_interrupt(endpoint, 0);
	endpoint_reset(endpoint, ENDPOINT_RESET_DEVICE);
	check_lists(endpoint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct log log = { .sink.fd = -1 };
	static struct endpoint endpoint;
	struct knobs knobs;
	char text[64], *error = NULL;
	int fd = memfd_create("profile", MFD_CLOEXEC);
	FILE *nowhere;

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "no file");
	snprintf(text, sizeof(text), "socket=/nowhere,profile=/proc/self/fd/%d", fd);
	if (knobs_parse(&knobs, &exerciser_model, text, 0, &error)) {
		must(error && strncmp(error, "profile=", 8) == 0 && strlen(error) > 30,
		     "refused without a reason: %s", error);
		free(error);
		close(fd);
		return 0;
	}
	close(fd);
	nowhere = fopen("/dev/null", "we");
	must(nowhere, "no /dev/null");
	profile_describe(&knobs, nowhere);
	fclose(nowhere);
	must(!endpoint_init(&endpoint, &knobs, &log, NULL), "no endpoint");
	check_lists(&endpoint);
	check_bars(&endpoint);
	use(&endpoint);
	endpoint_fini(&endpoint);
	return 0;
}
