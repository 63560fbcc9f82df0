// SPDX-License-Identifier: MIT
/*
 * Writes from one endpoint into the memory of another, through stock vfio-pci: a BAR is exported as
 * a dma-buf and mapped for the other endpoint by iommufd. What arrives, and what becomes of the hint
 * there. The IOMMU is between them all the time.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"
#include "tph.h"

/* The endpoints of the peer VM (tests/vm/run): by what they complete, and the one that asks. */
#define EP_EXTENDED	"0000:01:00.0"
#define EP_EIGHT	"0000:02:00.0"
#define EP_DEAF		"0000:03:00.0"
#define EP_REQUESTER	"0000:04:00.0"
#define RID_REQUESTER	0x0400u

#define MEMORY_BAR	2
#define MEMORY_SIZE	0x10000u
#define MEMORY_REGION	((uint64_t)VFIO_PCI_BAR2_REGION_INDEX << 40)
#define WINDOW_IOVA	0x800000u	/* where the requester sees it */
#define DEVICE_STATUS	0x6a
#define  FATAL_ERROR	0x4u

/* not in the headers of older distributions */
#define FEATURE_DMA_BUF	11
#define IOAS_UNMAP	_IO(';', 0x86)

struct unmap {
	uint32_t size, ioas_id;
	uint64_t iova, length;
};

struct dma_buf {
	uint32_t region_index, open_flags, flags, nr_ranges;
	struct {
		uint64_t offset, length;
	} range;
};

static struct guest *completer, *requester;
static int dmabuf;

/* Descriptor or negative errno. */
static int export(struct guest *g)
{
	struct {
		struct vfio_device_feature feature;
		struct dma_buf buffer;
	} request = {
		.feature.argsz = sizeof(request),
		.feature.flags = VFIO_DEVICE_FEATURE_GET | FEATURE_DMA_BUF,
		.buffer.region_index = MEMORY_BAR,
		.buffer.nr_ranges = 1,
		.buffer.open_flags = 02 | 02000000,	/* O_RDWR | O_CLOEXEC */
		.buffer.range = { 0, MEMORY_SIZE },
	};
	int fd = ioctl(g->fd, VFIO_DEVICE_FEATURE, &request);

	return fd < 0 ? -errno : fd;
}

static int map(struct guest *g, int fd)
{
	return guest_map_dmabuf(g, fd, WINDOW_IOVA, MEMORY_SIZE);
}

static void unmap(struct guest *g)
{
	struct unmap request = {
		.size = sizeof(request),
		.ioas_id = g->ioas,
		.iova = WINDOW_IOVA,
		.length = MEMORY_SIZE,
	};

	if (ioctl(tph_iommu_fd(g->tph), IOAS_UNMAP, &request))
		fail_msg("unmap: %s", strerror(errno));
}

static void memory_read(struct guest *g, uint64_t at, void *data, size_t length)
{
	if (pread(g->fd, data, length, MEMORY_REGION + at) != (ssize_t)length)
		fail_msg("read of memory at 0x%lx: %s", (unsigned long)at, strerror(errno));
}

static void memory_write(struct guest *g, uint64_t at, const void *data, size_t length)
{
	if (pwrite(g->fd, data, length, MEMORY_REGION + at) != (ssize_t)length)
		fail_msg("write of memory at 0x%lx: %s", (unsigned long)at, strerror(errno));
}

/* How a command of the requester ends, at @at of the window. */
static uint32_t command(uint32_t what, uint32_t at, uint32_t length, uint32_t hint,
			uint32_t pattern)
{
	uint32_t iova = WINDOW_IOVA + at, status;

	guest_register_write(requester, EP_DMA_SRC_LO, iova);
	guest_register_write(requester, EP_DMA_SRC_HI, 0);
	guest_register_write(requester, EP_DMA_DST_LO, iova);
	guest_register_write(requester, EP_DMA_DST_HI, 0);
	guest_register_write(requester, EP_DMA_LENGTH, length);
	guest_register_write(requester, EP_DMA_PATTERN, pattern);
	guest_register_write(requester, EP_DMA_HINT, hint);
	guest_register_write(requester, EP_DMA_DOORBELL, what);
	do
		status = guest_register(requester, EP_DMA_STATUS);
	while (status == EP_DMA_BUSY);
	return status;
}

static uint32_t fault(void)
{
	return guest_register(requester, EP_DMA_FAULT);
}

static uint32_t heard(struct guest *g)
{
	return guest_register(g, EP_RECEIVED_HEAD);
}

/* What the completer noted of the last request that it received. */
static struct tlp last_heard(struct arrival *arrival)
{
	*arrival = guest_last_arrival(completer);
	return arrival->tlp;
}

/* Every dword of the completer's memory there is @value. */
static void assert_memory(uint32_t at, uint32_t length, uint32_t value)
{
	uint32_t got[MEMORY_SIZE / 4];

	memory_read(completer, at, got, length);
	for (uint32_t i = 0; i < length / 4; i++)
		if (got[i] != value)
			fail_msg("0x%x at 0x%x, not 0x%x", got[i], at + 4 * i, value);
}

/* The requester's own switch, which stock vfio-pci keeps from its user. */
static void requester_control(uint32_t value)
{
	raw_config_write(EP_REQUESTER, requester->cap + TPH_CTRL, 4, value);
}

/*
 * A write of 64 bytes with @hint, while the requester is switched to @control: how it has to
 * arrive.
 */
static void assert_write(uint32_t control, uint32_t hint, const struct tlp *wire,
			 const struct arrival *fate)
{
	static uint32_t at, pattern = 0x7eac4000;
	uint32_t refused = guest_register(completer, EP_COUNT_MALFORMED);
	uint32_t before = heard(completer);
	struct arrival arrival;
	struct tlp tlp;

	at = (at + 0x1040) % MEMORY_SIZE;
	pattern++;
	requester_control(control);
	assert_int_equal(command(EP_DMA_WRITE, at, 64, hint, pattern), EP_DMA_DONE);
	assert_int_equal(heard(completer), before + 1);
	tlp = last_heard(&arrival);
	assert_int_equal(tlp.type, EP_TLP_MWR);
	assert_int_equal(tlp.address, at);
	assert_int_equal(tlp.length, 64);
	assert_int_equal(tlp.requester, RID_REQUESTER);
	assert_int_equal(tlp.th, wire->th);
	assert_int_equal(tlp.ph, wire->ph);
	assert_int_equal(tlp.width, wire->width);
	assert_int_equal(tlp.st, wire->st);
	assert_int_equal(arrival.bar, MEMORY_BAR);
	assert_int_equal(arrival.verdict, fate->verdict);
	assert_int_equal(arrival.use, fate->use);
	assert_memory(at, 64, fate->verdict == EP_TLP_ACCEPTED ? pattern : 0);
	assert_int_equal(guest_register(completer, EP_COUNT_MALFORMED),
			 refused + (fate->verdict == EP_TLP_MALFORMED));
}

#define DS_8	(TPH_CTRL_DS | TPH_CTRL_8)
#define DS_16	(TPH_CTRL_DS | TPH_CTRL_16)

static const struct arrival plain = { .verdict = EP_TLP_ACCEPTED, .use = EP_TLP_HINT_NONE };
static const struct arrival taken = { .verdict = EP_TLP_ACCEPTED, .use = EP_TLP_HINT_TAKEN };
static const struct arrival ignored = { .verdict = EP_TLP_ACCEPTED, .use = EP_TLP_HINT_IGNORED };
static const struct arrival malformed = { .verdict = EP_TLP_MALFORMED };

static int open_pair(const char *bdf)
{
	requester = guest_open(EP_REQUESTER);
	completer = guest_open(bdf);
	dmabuf = export(completer);
	if (dmabuf < 0)
		fail_msg("dma-buf of %s: %s", bdf, strerror(-dmabuf));
	assert_int_equal(map(requester, dmabuf), 0);
	return 0;
}

static int with_extended(void **state)
{
	(void)state;
	return open_pair(EP_EXTENDED);
}

static int with_eight(void **state)
{
	(void)state;
	return open_pair(EP_EIGHT);
}

static int with_deaf(void **state)
{
	(void)state;
	return open_pair(EP_DEAF);
}

static int teardown(void **state)
{
	(void)state;
	close(dmabuf);
	guest_close(requester);
	guest_close(completer);
	return 0;
}

static void plain_write_arrives(void **state)
{
	const struct tlp none = { .th = 0 };

	(void)state;
	assert_write(0, hint_tag(0x12, 1), &none, &plain);
	assert_write(DS_16, 0, &none, &plain);
}

static void extended_completer_takes_both(void **state)
{
	const struct tlp narrow = { .th = 1, .ph = 2, .width = 8, .st = 0x5a };
	const struct tlp wide = { .th = 1, .ph = 3, .width = 16, .st = 0xbeef };
	const struct tlp entry = { .th = 1, .ph = 1, .width = 16, .st = 0x1357 };

	(void)state;
	assert_write(DS_8, hint_tag(0x5a, 2), &narrow, &taken);
	assert_write(DS_16, hint_tag(0xbeef, 3), &wide, &taken);
	raw_config_write(EP_REQUESTER, requester->cap + TPH_TABLE + 2 * 5, 2, 0x1357);
	assert_write(DS_16, hint_entry(5, 1), &entry, &taken);
	assert_int_equal(guest_raw(completer, DEVICE_STATUS, 2) & FATAL_ERROR, 0);
}

static void eight_bit_completer(void **state)
{
	const struct tlp narrow = { .th = 1, .ph = 0, .width = 8, .st = 0x5a };
	const struct tlp wide = { .th = 1, .ph = 3, .width = 16, .st = 0xbeef };

	(void)state;
	assert_write(DS_8, hint_tag(0x5a, 0), &narrow, &taken);
	assert_int_equal(guest_raw(completer, DEVICE_STATUS, 2) & FATAL_ERROR, 0);
	assert_write(DS_16, hint_tag(0xbeef, 3), &wide, &malformed);
	assert_int_equal(guest_raw(completer, DEVICE_STATUS, 2) & FATAL_ERROR, FATAL_ERROR);
}

static void completer_without_tph(void **state)
{
	const struct tlp narrow = { .th = 1, .ph = 1, .width = 8, .st = 0x5a };
	const struct tlp wide = { .th = 1, .ph = 1, .width = 16, .st = 0x005a };

	(void)state;
	assert_write(DS_8, hint_tag(0x5a, 1), &narrow, &ignored);
	assert_write(DS_16, hint_tag(0x5a, 1), &wide, &malformed);
}

/* Many requests, across pages, none lost, none twice, and each with its hint. */
static void long_write(void **state)
{
	uint32_t before = heard(completer), first = guest_register(requester, EP_TRACE_HEAD);
	struct arrival arrival;

	(void)state;
	requester_control(DS_16);
	assert_int_equal(command(EP_DMA_WRITE, 0x0fc4, 0x2000, hint_tag(0x4242, 2), 0x10adfeed),
			 EP_DMA_DONE);
	assert_int_equal(heard(completer) - before,
			 guest_register(requester, EP_TRACE_HEAD) - first);
	assert_int_equal(last_heard(&arrival).st, 0x4242);
	assert_memory(0x0fc4, 0x2000, 0x10adfeed);
	assert_memory(0x0fc0, 4, 0);
	assert_memory(0x2fc4, 4, 0);
}

static atomic_bool stop;

/* Other data, but at the places in a page where the requests begin too. */
static void *cpu_writes(void *unused)
{
	uint64_t value = 0;

	for (uint32_t at = 0x8000; !stop; at = 0x8000 + (at + 64) % 0x4000) {
		value++;
		memory_write(completer, at, &value, sizeof(value));
	}
	return unused;
}

/* Nothing of the CPU's is taken for a part of a request, and none is torn by it. */
static void cpu_writes_meanwhile(void **state)
{
	uint32_t before = heard(completer), first = guest_register(requester, EP_TRACE_HEAD);
	struct arrival arrival;
	pthread_t thread;

	(void)state;
	requester_control(DS_16);
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, cpu_writes, NULL), 0);
	for (uint32_t i = 1; i <= 4; i++)
		assert_int_equal(command(EP_DMA_WRITE, 0, 0x2000, hint_tag(0x4242, 2), i << 28 | i),
				 EP_DMA_DONE);
	stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(guest_register(requester, EP_TRACE_HEAD) - first, 4 * 0x2000 / 128);
	assert_int_equal(heard(completer) - before, 4 * 0x2000 / 128);
	assert_int_equal(last_heard(&arrival).length, 128);
	assert_memory(0, 0x2000, 0x40000004);
}

static void read_brings_data(void **state)
{
	uint32_t data[16], before;
	struct arrival arrival;
	struct tlp tlp;

	(void)state;
	for (int i = 0; i < 16; i++)
		data[i] = 0x01010101;
	memory_write(completer, 0x3040, data, sizeof(data));
	before = heard(completer);
	requester_control(DS_16);
	assert_int_equal(command(EP_DMA_READ, 0x3040, 64, hint_tag(0x1234, 1), 0), EP_DMA_DONE);
	assert_int_equal(guest_register(requester, EP_DMA_SUM), 64);
	assert_int_equal(heard(completer), before + 1);
	tlp = last_heard(&arrival);
	assert_int_equal(tlp.type, EP_TLP_MRD);
	assert_int_equal(tlp.address, 0x3040);
	assert_int_equal(tlp.length, 64);
	assert_int_equal(tlp.st, 0x1234);
	assert_int_equal(tlp.ph, 1);
	assert_int_equal(arrival.use, EP_TLP_HINT_TAKEN);
}

/* Nobody answers a malformed read. */
static void malformed_read(void **state)
{
	struct arrival arrival;

	(void)state;
	requester_control(DS_16);
	assert_int_equal(command(EP_DMA_READ, 0x3040, 64, hint_tag(0x1234, 1), 0), EP_DMA_FAULTED);
	assert_int_equal(fault(), EP_FAULT_COMPLETION);
	assert_int_equal(last_heard(&arrival).type, EP_TLP_MRD);
	assert_int_equal(arrival.verdict, EP_TLP_MALFORMED);
}

/* The CPU's own accesses are no requests of another function. */
static void cpu_is_no_peer(void **state)
{
	uint32_t before = heard(completer), value = 0x600df00d;

	(void)state;
	memory_write(completer, 0x100, &value, 4);
	assert_memory(0x100, 4, value);
	assert_int_equal(heard(completer), before);
}

/* A write that the IOMMU or the completer does not let through: it faults, and nothing arrives. */
static void assert_refused(void)
{
	uint32_t before = heard(completer), faults = guest_register(requester, EP_COUNT_FAULTS);

	requester_control(DS_16);
	assert_int_equal(command(EP_DMA_WRITE, 0x200, 64, hint_tag(0x1234, 1), 0xbadbad00),
			 EP_DMA_FAULTED);
	assert_int_equal(fault(), EP_FAULT_UNMAPPED);
	assert_int_equal(guest_register(requester, EP_COUNT_FAULTS), faults + 1);
	assert_int_equal(heard(completer), before);
	assert_memory(0x200, 64, 0);
}

static void not_mapped(void **state)
{
	(void)state;
	unmap(requester);
	assert_refused();
	assert_int_equal(map(requester, dmabuf), 0);
	assert_int_equal(command(EP_DMA_WRITE, 0x200, 64, 0, 1), EP_DMA_DONE);
}

static void set_decode(struct guest *g, bool on)
{
	uint32_t value = guest_config(g, PCI_COMMAND, 2) & ~PCI_COMMAND_MEMORY;

	guest_config_write(g, PCI_COMMAND, 2, on ? value | PCI_COMMAND_MEMORY : value);
}

/* iommufd takes the mapping away, and does not give it back. */
static void revoked_by_decode_off(void **state)
{
	(void)state;
	assert_int_equal(command(EP_DMA_WRITE, 0x300, 64, 0, 1), EP_DMA_DONE);
	set_decode(completer, false);
	assert_int_equal(command(EP_DMA_WRITE, 0x200, 64, 0, 0xbadbad00), EP_DMA_FAULTED);
	assert_int_equal(fault(), EP_FAULT_UNMAPPED);
	set_decode(completer, true);
	assert_refused();
}

static void revoked_by_reset(void **state)
{
	(void)state;
	assert_int_equal(command(EP_DMA_WRITE, 0x300, 64, 0, 1), EP_DMA_DONE);
	if (ioctl(completer->fd, VFIO_DEVICE_RESET))
		fail_msg("reset: %s", strerror(errno));
	assert_refused();
}

/* Past all drivers: the IOMMU still maps it, but the completer does not answer. */
static void decode_off_behind_the_iommu(void **state)
{
	uint32_t before = heard(completer);
	uint16_t old = (uint16_t)raw_config(completer->bdf, PCI_COMMAND, 2);

	(void)state;
	raw_config_write(completer->bdf, PCI_COMMAND, 2, old & ~PCI_COMMAND_MEMORY);
	assert_int_equal(command(EP_DMA_WRITE, 0x200, 64, 0, 0xbadbad00), EP_DMA_FAULTED);
	assert_int_equal(fault(), EP_FAULT_UNMAPPED);
	raw_config_write(completer->bdf, PCI_COMMAND, 2, old);
	assert_int_equal(heard(completer), before);
	assert_memory(0x200, 64, 0);
	assert_int_equal(command(EP_DMA_WRITE, 0x200, 64, 0, 7), EP_DMA_DONE);
	assert_memory(0x200, 64, 7);
}

static void no_bus_master(void **state)
{
	(void)state;
	guest_config_write(requester, PCI_COMMAND, 2,
			   guest_config(requester, PCI_COMMAND, 2) & ~PCI_COMMAND_MASTER);
	assert_int_equal(command(EP_DMA_WRITE, 0x200, 64, 0, 0xbadbad00), EP_DMA_FAULTED);
	assert_int_equal(fault(), EP_FAULT_BUS_MASTER);
	assert_memory(0x200, 64, 0);
}

#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(not_mapped, with_extended),
		TEST(revoked_by_decode_off, with_extended),
		TEST(revoked_by_reset, with_extended),
		TEST(decode_off_behind_the_iommu, with_extended),
		TEST(no_bus_master, with_extended),
		TEST(cpu_is_no_peer, with_extended),
		TEST(eight_bit_completer, with_eight),
		TEST(malformed_read, with_eight),
		TEST(completer_without_tph, with_deaf),
		TEST(plain_write_arrives, with_extended),
		TEST(extended_completer_takes_both, with_extended),
		TEST(long_write, with_extended),
		TEST(cpu_writes_meanwhile, with_extended),
		TEST(read_brings_data, with_extended),
	};

	guest_command("modprobe vfio-pci");
	guest_bind(EP_EXTENDED, "vfio-pci");
	guest_bind(EP_EIGHT, "vfio-pci");
	guest_bind(EP_DEAF, "vfio-pci");
	guest_bind(EP_REQUESTER, "vfio-pci");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
