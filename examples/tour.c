// SPDX-License-Identifier: MIT
/*
 * A userspace driver of the emulated endpoint that steers its DMA, step by step: what "make demo"
 * runs in the VM. Each step says what should happen, does it, and compares; the exit status is the
 * number of comparisons that failed.
 *
 * Lines that begin with "@" are for lab/demo on the host: "@tlp NAME N KEY=VALUE..." asks it to
 * show the emulator's own log line of the N-th TLP of endpoint NAME, and to hold it against what is
 * expected.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "tph.h"

#include "../emu/endpoint_regs.h"

/* lab/demo's endpoints: ST table in the capability, and in the MSI-X table at the start of BAR 4 */
struct endpoint {
	const char *bdf, *name;
};
static const struct endpoint nic = { "0000:01:00.0", "nic" };
static const struct endpoint msix = { "0000:02:00.0", "msix" };

#define ENTRY		3
#define IOVA		0x100000
#define REGION(index)	((off_t)(index) << 40)
#define TPH_CONTROL	8
#define ENABLE_IV_16	0x301u	/* Interrupt Vector mode, requests with 16-bit tags */
#define TPH_TABLE	12
#define VECTOR_CONTROL	(16 * ENTRY + 12) /* in the MSI-X table; bits 31:16 are the tag */

/* what lab/firmware/tags.asl answers */
#define FIRMWARE_TAG(cpu)	(0x1100u + (cpu))

/* for dma_write(): the request should have no hint; a hint, but no tag */
#define NO_HINT		0x10000u
#define NO_TAG		0u

static const struct endpoint *endpoint;
static struct tph_device *device;
static uint8_t *memory; /* the device's, at IOVA */
static int differences;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void step(const char *title)
{
	say("\n@step %s", title);
}

__attribute__((format(printf, 2, 3))) static void check(int ok, const char *format, ...)
{
	va_list ap;

	fputs(ok ? "   " : "@differs ", stdout);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	differences += !ok;
}

static void need(int ret, const char *what)
{
	if (ret >= 0)
		return;
	say("@differs %s: %s", what, strerror(-ret));
	exit(1);
}

static uint32_t access_region(unsigned int index, uint32_t at, int bytes, const uint32_t *write)
{
	int fd = tph_device_fd(device);
	uint32_t value = write ? *write : 0;
	ssize_t n = write ? pwrite(fd, &value, bytes, REGION(index) + at) :
			    pread(fd, &value, bytes, REGION(index) + at);

	need(n == bytes ? 0 : -EIO, "access to the device");
	return value;
}

static uint32_t get(uint32_t reg)
{
	return access_region(VFIO_PCI_BAR0_REGION_INDEX, reg, 4, NULL);
}

static void put(uint32_t reg, uint32_t value)
{
	access_region(VFIO_PCI_BAR0_REGION_INDEX, reg, 4, &value);
}

/* The device's registers as root has them in sysfs, past VFIO. */
static uint32_t hardware_access(const char *bdf, uint32_t at, const uint32_t *write)
{
	char path[128];
	uint32_t value = write ? *write : 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	need(fd < 0 ? -errno : 0, path);
	n = write ? pwrite(fd, &value, 4, at) : pread(fd, &value, 4, at);
	need(n == 4 ? 0 : -EIO, path);
	close(fd);
	return value;
}

static uint32_t hardware(const char *bdf, uint32_t at)
{
	return hardware_access(bdf, at, NULL);
}

static uint32_t find_tph(const char *bdf)
{
	uint32_t at, header;

	for (at = PCI_CFG_SPACE_SIZE; at; at = PCI_EXT_CAP_NEXT(header)) {
		header = hardware(bdf, at);
		if (PCI_EXT_CAP_ID(header) == 0x17)
			return at;
	}
	need(-ENODEV, "TPH Requester capability");
	return 0;
}

/* Let the device write 64 bytes on behalf of ENTRY; the request should carry @tag. */
static void dma_write(unsigned int tag)
{
	static uint32_t pattern = 0x600df00d;
	uint32_t status;

	put(EP_DMA_PATTERN, ++pattern);
	put(EP_DMA_DST_LO, IOVA);
	put(EP_DMA_DST_HI, 0);
	put(EP_DMA_LENGTH, 64);
	put(EP_DMA_HINT, ENTRY | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT | 2 << EP_HINT_PH_SHIFT);
	put(EP_DMA_VECTOR, EP_DMA_NO_VECTOR);
	put(EP_DMA_DOORBELL, EP_DMA_WRITE);
	do
		status = get(EP_DMA_STATUS);
	while (status == EP_DMA_BUSY);

	if (status != EP_DMA_DONE || memcmp(memory, &pattern, 4))
		check(0, "DMA write: status %u, fault %u", status, get(EP_DMA_FAULT));
	else if (tag == NO_HINT)
		say("@tlp %s %u th=0", endpoint->name, get(EP_TRACE_HEAD));
	else
		say("@tlp %s %u th=1 ph=2 width=16 st=\"0x%04x\"", endpoint->name,
		    get(EP_TRACE_HEAD), tag);
}

/* Run a command as the operator would, and show what it prints. */
__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
	char command[96], indented[160];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	say("   $ %s", command);
	snprintf(indented, sizeof(indented), "set -o pipefail; %s | sed 's/^/     /'", command);
	if (system(indented))
		check(0, "%s failed", command);
}

static void run_on_cpus_0_and_1(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CPU_SET(1, &set);
	need(sched_setaffinity(0, sizeof(set), &set) ? -errno : 0, "sched_setaffinity");
}

/* Open it through VFIO, give it memory to write to, and let it be a bus master. */
static void open_endpoint(const struct endpoint *which)
{
	uint32_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	endpoint = which;
	need(tph_open(which->bdf, &device), which->bdf);
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(memory == MAP_FAILED ? -errno : 0, "mmap");
	need(tph_map(device, memory, 4096, IOVA, TPH_ACCESS_BOTH), "tph_map");
	access_region(VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, &command);
}

/*
 * The same attack on any driver: map the MSI-X table and write a tag there. Root has enabled the
 * requester past the driver, for stock vfio-pci does not: what counts is who has the table.
 */
static void map_table(const char *driver, const char *whose, int hole)
{
	uint32_t enable = ENABLE_IV_16;
	uint8_t *table;
	char command[96];

	snprintf(command, sizeof(command), "tphctl bind %s --driver %s >/dev/null", msix.bdf,
		 driver);
	need(system(command) ? -EIO : 0, command);
	open_endpoint(&msix);
	hardware_access(msix.bdf, find_tph(msix.bdf) + TPH_CONTROL, &enable);
	table = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, tph_device_fd(device),
		     REGION(VFIO_PCI_BAR4_REGION_INDEX));
	if (table == MAP_FAILED) {
		check(!hole && errno == EINVAL, "%s mmap: %s", whose, strerror(errno));
	} else {
		*(volatile uint32_t *)(table + VECTOR_CONTROL) = FIRMWARE_TAG(2) << 16;
		check(hole, "%s the table is mapped, and tag %#x written into entry %u", whose,
		      FIRMWARE_TAG(2), ENTRY);
		munmap(table, 4096);
	}
	dma_write(hole ? FIRMWARE_TAG(2) : NO_TAG);
	tph_close(device);
	munmap(memory, 4096);
}

/* As the guest's driver writes it, through whatever runs the guest. */
static void guest_writes(uint32_t cap, uint32_t tag)
{
	uint32_t table = cap + TPH_TABLE + 2 * ENTRY, back;

	access_region(VFIO_PCI_CONFIG_REGION_INDEX, table, 2, &tag);
	back = access_region(VFIO_PCI_CONFIG_REGION_INDEX, table, 2, NULL);
	check(back == tag, "the guest writes tag %#x into entry %u, and reads back %#x", tag, ENTRY,
	      back);
}

static void guest_steers(uint32_t cap)
{
	static const uint32_t first[] = { 1, TPH_CPU_NONE }, moved[] = { 0, TPH_CPU_NONE };
	uint32_t enable = ENABLE_IV_16;

	step("A guest steers by itself: its tags 1 and 2 are its CPUs 0 and 1, its manager maps them");
	shell("tphctl grant %s --cpus 0-3", nic.bdf);
	open_endpoint(&nic);
	need(tph_guest_map(device, TPH_MEMORY_VOLATILE, 2, first), "tph_guest_map");
	access_region(VFIO_PCI_CONFIG_REGION_INDEX, cap + TPH_CONTROL, 4, &enable);
	guest_writes(cap, 1);
	dma_write(FIRMWARE_TAG(1));
	say("   The guest's CPU is pinned to host CPU 0, and the map follows (tphctl follow); the "
	    "guest does nothing");
	need(tph_guest_map(device, TPH_MEMORY_VOLATILE, 2, moved), "tph_guest_map");
	dma_write(FIRMWARE_TAG(0));
	say("   A guest that guesses a tag of the host's has none");
	guest_writes(cap, FIRMWARE_TAG(2));
	dma_write(NO_TAG);
	tph_close(device);
	munmap(memory, 4096);
}

int main(void)
{
	const char *bdf = nic.bdf;
	uint32_t cap = find_tph(bdf), word, cpu, at;
	struct tph_state state;
	uint64_t events = 0;
	int ret, told;

	step("The endpoint, bound to tph-vfio-pci, as its operator sees it");
	shell("tphctl show %s", bdf);

	step("A userspace driver opens it through VFIO and lets it write: no hint yet");
	run_on_cpus_0_and_1();
	open_endpoint(&nic);
	dma_write(NO_HINT);

	step("Entry 3 steers to CPU 1, Interrupt Vector mode is enabled: the same write again");
	ret = tph_set_entry(device, ENTRY, 1);
	check(!ret, "tph_set_entry(3, CPU 1): %s", strerror(-ret));
	ret = tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST);
	check(!ret, "tph_enable(Interrupt Vector, widest): %s", strerror(-ret));
	need(tph_read_state(device, &state), "tph_read_state");
	check(state.enabled && state.width == TPH_WIDTH_16, "in force: %d-bit tags", state.width);
	dma_write(FIRMWARE_TAG(1));

	step("The queue's thread moves to CPU 0, and its entry with it");
	ret = tph_set_entry(device, ENTRY, 0);
	check(!ret, "tph_set_entry(3, CPU 0): %s", strerror(-ret));
	dma_write(FIRMWARE_TAG(0));

	step("CPU 2 is not this process's to warm: it may run on CPUs 0 and 1");
	ret = tph_set_entry(device, ENTRY, 2);
	check(ret == -EPERM, "tph_set_entry(3, CPU 2): %s", strerror(-ret));
	need(tph_get_cpus(device, ENTRY, 1, &cpu), "tph_get_cpus");
	check(cpu == 0, "entry 3 still steers to CPU %u", cpu);
	dma_write(FIRMWARE_TAG(0));

	step("A tag written into the ST table by hand, through configuration space, goes nowhere");
	word = 0x11021102;
	access_region(VFIO_PCI_CONFIG_REGION_INDEX, cap + TPH_TABLE + 4, 4, &word);
	check(hardware(bdf, cap + TPH_TABLE + 4) == FIRMWARE_TAG(0) << 16,
	      "entries 2 and 3 in hardware: %#010x, after writing %#010x",
	      hardware(bdf, cap + TPH_TABLE + 4), word);
	dma_write(FIRMWARE_TAG(0));

	step("The operator takes CPU 0 back: it is out of the table, and the driver is told");
	told = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	need(tph_notify(device, told), "tph_notify");
	shell("tphctl grant %s --cpus 1-3", bdf);
	need(read(told, &events, sizeof(events)) < 0 && errno != EAGAIN ? -errno : 0, "eventfd");
	check(events == 1, "the driver's eventfd was signalled %u time(s)", (unsigned int)events);
	need(tph_get_cpus(device, ENTRY, 1, &cpu), "tph_get_cpus");
	check(cpu == TPH_CPU_NONE, "entry 3 steers to CPU %d", (int)cpu);
	dma_write(NO_TAG);
	ret = tph_set_entry(device, ENTRY, 0);
	check(ret == -EPERM, "tph_set_entry(3, CPU 0): %s", strerror(-ret));
	ret = tph_set_entry(device, ENTRY, 1);
	check(!ret, "tph_set_entry(3, CPU 1): %s", strerror(-ret));
	dma_write(FIRMWARE_TAG(1));

	step("The driver closes the device: nothing is left for the next user");
	close(told);
	tph_close(device);
	check(!hardware(bdf, cap + TPH_CONTROL), "control register in hardware: %#x",
	      hardware(bdf, cap + TPH_CONTROL));
	for (word = 0, at = 0; at < 128; at += 4)
		word |= hardware(bdf, cap + TPH_TABLE + at);
	check(!word, "all 64 entries in hardware, ORed: %#x", word);

	guest_steers(cap);

	step("An attack on stock vfio-pci and on tph-vfio-pci: map the MSI-X table, write CPU 2's tag");
	say("   (the requester is enabled by root, past both: stock vfio-pci cannot)");
	map_table("vfio-pci", "stock vfio-pci:", 1);
	map_table("tph-vfio-pci", "tph-vfio-pci:  ", 0);

	return differences;
}
