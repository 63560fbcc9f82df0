// SPDX-License-Identifier: MIT
/* Tags into the device: what can be published for a dma-buf, by whom, and what importers get. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/udmabuf.h>

#include "../../lab/importer/importer.h"
#include "guest.h"
#include "tph.h"

/* The endpoints of this VM (tests/vm/suites). */
#define OWNER		"0000:01:00.0"	/* completes 8 and 16 bits */
#define OWNER_8		"0000:02:00.0"	/* completes 8 bits */
#define OWNER_NONE	"0000:03:00.0"	/* completes no TPH */
#define OWNER_RESERVED	"0000:04:00.0"	/* says 10b */
#define NIC_16		"0000:05:00.0"	/* the importer's; sends 16-bit tags */
#define NIC_8		"0000:06:00.0"	/* the importer's; sends 8-bit tags */

#define RID_NIC_16	0x0500u
#define RID_NIC_8	0x0600u

#define MEMORY_BAR	2
#define MEMORY_SIZE	0x10000u
#define MEMORY_REGION	((uint64_t)VFIO_PCI_BAR2_REGION_INDEX << 40)

#define PAGE		4096u
#define BOTH		(VFIO_DMA_BUF_TPH_ST | VFIO_DMA_BUF_TPH_ST_EXT)
#define SET		(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_BUF_TPH)
#define PROBE		(VFIO_DEVICE_FEATURE_PROBE | SET)
#define ROUNDS		100000u

typedef struct vfio_device_feature_dma_buf_tph tags;

static int export_bytes(struct guest *g, uint64_t length)
{
	int fd, ret = tph_dmabuf_export(g->tph, MEMORY_BAR, 0, length, &fd);

	if (ret)
		fail_msg("%s: export: %s", g->bdf, strerror(-ret));
	return fd;
}

static int export(struct guest *g)
{
	return export_bytes(g, PAGE);
}

static int publish(struct guest *g, int fd, uint32_t flags, uint8_t st, uint16_t xst, uint8_t ph)
{
	const tags arg = { fd, flags, xst, st, ph };

	return feature(g->fd, SET, &arg, sizeof(arg));
}

/* ---- the importer ---- */

static int nic_open(const char *bdf)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/tph-importer-%s", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

static int nic_attach(int nic, int fd)
{
	return ioctl(nic, IMPORTER_ATTACH, &fd) ? -errno : 0;
}

static int nic_import(const char *bdf, int fd)
{
	int nic = nic_open(bdf);

	assert_int_equal(nic_attach(nic, fd), 0);
	return nic;
}

static int nic_map(int nic)
{
	return ioctl(nic, IMPORTER_MAP) ? -errno : 0;
}

static struct importer_state nic_state(int nic)
{
	struct importer_state state;

	assert_int_equal(ioctl(nic, IMPORTER_STATE, &state), 0);
	return state;
}

#define assert_tagged(nic, tag_, ph_) do {				\
		struct importer_state state_ = nic_state(nic);		\
		assert_int_equal(state_.mapped, 1);			\
		assert_int_equal(state_.tagged, 1);			\
		assert_int_equal(state_.tag, tag_);			\
		assert_int_equal(state_.ph, ph_);			\
	} while (0)

#define assert_untagged(nic) do {					\
		struct importer_state state_ = nic_state(nic);		\
		assert_int_equal(state_.mapped, 1);			\
		assert_int_equal(state_.tagged, 0);			\
	} while (0)

/* What an importer that maps @fd now is told. */
#define assert_published(bdf, fd, tag_, ph_) do {			\
		int nic_ = nic_import(bdf, fd);				\
		assert_tagged(nic_, tag_, ph_);				\
		close(nic_);						\
	} while (0)

#define assert_nothing_published(bdf, fd) do {				\
		int nic_ = nic_import(bdf, fd);				\
		assert_untagged(nic_);					\
		close(nic_);						\
	} while (0)

static int nic_write(int nic, uint32_t at, uint32_t length, uint32_t pattern)
{
	struct importer_write write = { at, length, pattern };

	return ioctl(nic, IMPORTER_WRITE, &write) ? -errno : 0;
}

/* A write arrives in the owner's memory, with what it has to carry; @width 0: without a hint. */
static void check_write(struct guest *owner, int nic, unsigned int requester, unsigned int width,
			unsigned int tag, unsigned int ph)
{
	static uint32_t pattern = 0x9ee70000;
	struct arrival arrival;
	uint32_t got[2] = { 0 };

	assert_int_equal(nic_write(nic, 128, 64, ++pattern), 0);
	assert_int_equal(pread(owner->fd, &got[0], 4, MEMORY_REGION + 128), 4);
	assert_int_equal(pread(owner->fd, &got[1], 4, MEMORY_REGION + 188), 4);
	assert_int_equal(got[0], pattern);
	assert_int_equal(got[1], pattern);
	arrival = guest_last_arrival(owner);
	assert_int_equal(arrival.tlp.type, EP_TLP_MWR);
	assert_int_equal(arrival.tlp.address, 128);
	assert_int_equal(arrival.tlp.length, 64);
	assert_int_equal(arrival.tlp.requester, requester);
	assert_int_equal(arrival.bar, MEMORY_BAR);
	assert_int_equal(arrival.verdict, EP_TLP_ACCEPTED);
	assert_int_equal(arrival.tlp.th, width != 0);
	if (!width) {
		assert_int_equal(arrival.use, EP_TLP_HINT_NONE);
		return;
	}
	assert_int_equal(arrival.use, EP_TLP_HINT_TAKEN);
	assert_int_equal(arrival.tlp.width, width);
	assert_int_equal(arrival.tlp.st, tag);
	assert_int_equal(arrival.tlp.ph, ph);
}

/* ---- refusals ---- */

static void probe_tells_what_the_function_is(void **state)
{
	static const struct {
		const char *bdf;
		int answer;
	} rows[] = {
		{ OWNER, 0 },
		{ OWNER_8, 0 },
		{ OWNER_NONE, -EOPNOTSUPP },
		{ OWNER_RESERVED, -EOPNOTSUPP },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct guest *g = guest_open(rows[i].bdf);
		int fd = export(g);

		assert_int_equal(feature(g->fd, PROBE, NULL, 0), rows[i].answer);
		assert_int_equal(publish(g, fd, VFIO_DMA_BUF_TPH_ST, 1, 0, 0), rows[i].answer);
		/* whatever else is wrong with it, there is nothing to say */
		if (rows[i].answer) {
			assert_int_equal(publish(g, -1, ~0u, 0, 0, 255), rows[i].answer);
			assert_int_equal(feature(g->fd, SET, NULL, 0), rows[i].answer);
			assert_nothing_published(NIC_8, fd);
		}
		close(fd);
		guest_close(g);
	}
}

static void malformed_requests(void **state)
{
	struct guest *g = guest_open(OWNER);
	int fd = export(g);
	const tags good = { fd, BOTH, 0x1234, 0x56, 3 };
	struct {
		struct vfio_device_feature header;
		tags payload;
	} *beyond = guest_page_end(sizeof(struct vfio_device_feature));
	uint32_t bit;
	size_t size;

	(void)state;
	assert_int_equal(publish(g, fd, BOTH, 1, 2, 1), 0);
	for (size = 0; size < sizeof(good); size++)
		assert_int_equal(feature(g->fd, SET, &good, size), -EINVAL);
	assert_int_equal(feature(g->fd, SET | VFIO_DEVICE_FEATURE_GET, &good, sizeof(good)), -EINVAL);
	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF_TPH,
				 &good, sizeof(good)), -EINVAL);
	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_DMA_BUF_TPH, NULL, 0), -EINVAL);
	beyond->header.argsz = sizeof(*beyond);
	beyond->header.flags = SET;
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_FEATURE, beyond), -1);
	assert_int_equal(errno, EFAULT);
	for (bit = 4; bit; bit <<= 1) {
		assert_int_equal(publish(g, fd, bit, 3, 4, 2), -EINVAL);
		assert_int_equal(publish(g, fd, BOTH | bit, 3, 4, 2), -EINVAL);
	}
	for (bit = 4; bit < 256; bit++) {
		assert_int_equal(publish(g, fd, BOTH, 3, 4, bit), -EINVAL);
		assert_int_equal(publish(g, fd, 0, 3, 4, bit), -EINVAL);
	}
	/* of all that nothing has changed anything */
	assert_published(NIC_8, fd, 1, 1);
	assert_published(NIC_16, fd, 2, 1);
	close(fd);
	guest_close(g);
}

static void extended_tags_want_an_extended_completer(void **state)
{
	struct guest *g = guest_open(OWNER_8);
	int fd = export(g);

	(void)state;
	assert_int_equal(publish(g, fd, VFIO_DMA_BUF_TPH_ST, 7, 0, 2), 0);
	assert_int_equal(publish(g, fd, VFIO_DMA_BUF_TPH_ST_EXT, 0, 8, 1), -EOPNOTSUPP);
	assert_int_equal(publish(g, fd, BOTH, 9, 8, 1), -EOPNOTSUPP);
	/* known to be wrong before the descriptor is looked at */
	assert_int_equal(publish(g, -1, BOTH, 9, 8, 1), -EOPNOTSUPP);
	assert_published(NIC_8, fd, 7, 2);
	assert_nothing_published(NIC_16, fd);
	close(fd);
	guest_close(g);
}

static int udmabuf(void)
{
	struct udmabuf_create create = { .size = PAGE };
	int fd, memory, device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	assert_true(device >= 0);
	memory = memfd_create("dmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_true(memory >= 0);
	assert_int_equal(ftruncate(memory, PAGE), 0);
	assert_int_equal(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	create.memfd = (uint32_t)memory;
	fd = ioctl(device, UDMABUF_CREATE, &create);
	assert_true(fd >= 0);
	close(memory);
	close(device);
	return fd;
}

static void descriptors_of_other_kinds(void **state)
{
	struct guest *g = guest_open(OWNER), *other = guest_open(OWNER_8);
	int own = export(g), others = export(other);
	const struct {
		const char *what;
		int fd, answer;
	} rows[] = {
		{ "none", -1, -EBADF },
		{ "not open", 1000, -EBADF },
		{ "memfd", memfd_create("memfd", MFD_CLOEXEC), -EINVAL },
		{ "epoll", epoll_create1(EPOLL_CLOEXEC), -EINVAL },
		{ "file opened by path alone", open("/", O_PATH | O_CLOEXEC), -EBADF },
		{ "the device itself", g->fd, -EINVAL },
		{ "udmabuf", udmabuf(), -EINVAL },
		{ "of another device", others, -EINVAL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int answer = publish(g, rows[i].fd, VFIO_DMA_BUF_TPH_ST, 5, 0, 1);

		if (answer != rows[i].answer)
			fail_msg("%s: %s", rows[i].what, strerror(-answer));
		/* clearing is no way around */
		assert_int_equal(publish(g, rows[i].fd, 0, 0, 0, 0), rows[i].answer);
	}
	assert_nothing_published(NIC_8, others);
	assert_nothing_published(NIC_8, own);
	/* the other's owner, though, may */
	assert_int_equal(publish(other, others, VFIO_DMA_BUF_TPH_ST, 5, 0, 1), 0);
	assert_int_equal(publish(g, others, 0, 0, 0, 0), -EINVAL);
	assert_published(NIC_8, others, 5, 1);
	for (i = 2; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].fd != g->fd)
			close(rows[i].fd);
	close(own);
	guest_close(other);
	guest_close(g);
}

static void a_dma_buf_of_a_former_open(void **state)
{
	struct guest *g = guest_open(OWNER);
	int fd = export(g), nic = nic_open(NIC_8);

	(void)state;
	assert_int_equal(publish(g, fd, VFIO_DMA_BUF_TPH_ST, 5, 0, 1), 0);
	guest_close(g);
	g = guest_open(OWNER);
	assert_int_equal(publish(g, fd, VFIO_DMA_BUF_TPH_ST, 5, 0, 1), -EINVAL);
	assert_int_equal(nic_attach(nic, fd), -ENODEV);
	close(nic);
	close(fd);
	guest_close(g);
}

static void stock_vfio_pci_does_not_know_it(void **state)
{
	const tags arg = { -1, 0, 0, 0, 0 };
	struct guest *g;

	(void)state;
	guest_command("modprobe vfio-pci");
	guest_bind(OWNER, "vfio-pci");
	g = guest_open(OWNER);
	assert_int_equal(feature(g->fd, PROBE, NULL, 0), -ENOTTY);
	assert_int_equal(feature(g->fd, SET, &arg, sizeof(arg)), -ENOTTY);
	guest_close(g);
	guest_bind(OWNER, "tph-vfio-pci");
}

/* ---- effects ---- */

static void each_importer_sees_its_own_namespace(void **state)
{
	struct guest *g = guest_open(OWNER);
	int fd = export(g);

	(void)state;
	assert_nothing_published(NIC_8, fd);
	assert_nothing_published(NIC_16, fd);

	assert_int_equal(publish(g, fd, BOTH, 0x21, 0x4321, 2), 0);
	assert_published(NIC_8, fd, 0x21, 2);
	assert_published(NIC_16, fd, 0x4321, 2);

	/* all is replaced: the 8-bit tag is valid no more */
	assert_int_equal(publish(g, fd, VFIO_DMA_BUF_TPH_ST_EXT, 0x22, 0x11, 3), 0);
	assert_nothing_published(NIC_8, fd);
	assert_published(NIC_16, fd, 0x11, 3);

	assert_int_equal(publish(g, fd, VFIO_DMA_BUF_TPH_ST, 0x23, 0x12, 1), 0);
	assert_published(NIC_8, fd, 0x23, 1);
	assert_nothing_published(NIC_16, fd);

	/* what is valid is said by flags, not by values */
	assert_int_equal(publish(g, fd, BOTH, 0, 0, 0), 0);
	assert_published(NIC_8, fd, 0, 0);
	assert_published(NIC_16, fd, 0, 0);

	assert_int_equal(publish(g, fd, 0, 0x24, 0x13, 3), 0);
	assert_nothing_published(NIC_8, fd);
	assert_nothing_published(NIC_16, fd);
	assert_int_equal(publish(g, fd, 0, 0, 0, 0), 0);
	close(fd);
	guest_close(g);
}

static void a_tag_is_good_for_one_mapping(void **state)
{
	struct guest *g = guest_open(OWNER);
	int fd = export(g), nic;

	(void)state;
	assert_int_equal(publish(g, fd, BOTH, 1, 2, 3), 0);
	nic = nic_import(NIC_16, fd);
	assert_tagged(nic, 2, 3);
	assert_int_equal(publish(g, fd, BOTH, 4, 5, 1), 0);
	assert_tagged(nic, 2, 3);
	assert_int_equal(nic_map(nic), 0);
	assert_tagged(nic, 5, 1);
	assert_int_equal(publish(g, fd, 0, 0, 0, 0), 0);
	assert_int_equal(nic_map(nic), 0);
	assert_untagged(nic);
	close(nic);
	close(fd);
	guest_close(g);
}

static void dma_bufs_do_not_share(void **state)
{
	struct guest *g = guest_open(OWNER);
	int one = export(g), two = export(g), same = dup(one);

	(void)state;
	assert_int_equal(publish(g, one, VFIO_DMA_BUF_TPH_ST, 1, 0, 1), 0);
	assert_int_equal(publish(g, two, VFIO_DMA_BUF_TPH_ST, 2, 0, 2), 0);
	assert_published(NIC_8, one, 1, 1);
	assert_published(NIC_8, two, 2, 2);
	/* it belongs to the dma-buf, not to the descriptor */
	close(one);
	assert_published(NIC_8, same, 1, 1);
	assert_int_equal(publish(g, same, VFIO_DMA_BUF_TPH_ST, 3, 0, 3), 0);
	assert_published(NIC_8, same, 3, 3);
	close(same);
	close(two);
	guest_close(g);
}

/* The owner takes the memory away and gives it back: the importer maps and asks again. */
static void revoked_and_back(void **state)
{
	struct guest *g = guest_open(OWNER);
	uint16_t on = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	int fd = export(g), nic;

	(void)state;
	assert_int_equal(publish(g, fd, BOTH, 1, 2, 3), 0);
	nic = nic_import(NIC_16, fd);

	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(nic_state(nic).mapped, 0);
	assert_int_equal(nic_state(nic).tagged, 0);
	assert_int_equal(nic_map(nic), -ENODEV);
	/* a dma-buf that is away can be published for: it comes back */
	assert_int_equal(publish(g, fd, BOTH, 4, 5, 1), 0);
	assert_int_equal(nic_map(nic), -ENODEV);
	guest_config_write(g, PCI_COMMAND, 2, on);
	assert_int_equal(nic_map(nic), 0);
	assert_tagged(nic, 5, 1);

	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	assert_int_equal(nic_state(nic).mapped, 0);
	guest_config_write(g, PCI_COMMAND, 2, on);
	assert_int_equal(nic_map(nic), 0);
	/* a reset does not change what is published */
	assert_tagged(nic, 5, 1);

	guest_close(g);
	assert_int_equal(nic_state(nic).mapped, 0);
	assert_int_equal(nic_map(nic), -ENODEV);
	close(nic);
	close(fd);
}

/* ---- on the wire ---- */

static void writes_carry_what_was_published(void **state)
{
	struct guest *g = guest_open(OWNER);
	int fd = export(g), wide, narrow;

	(void)state;
	wide = nic_import(NIC_16, fd);
	narrow = nic_import(NIC_8, fd);
	check_write(g, wide, RID_NIC_16, 0, 0, 0);
	check_write(g, narrow, RID_NIC_8, 0, 0, 0);

	assert_int_equal(publish(g, fd, BOTH, 0x5a, 0xbeef, 3), 0);
	/* what was mapped before was asked for before */
	check_write(g, wide, RID_NIC_16, 0, 0, 0);
	assert_int_equal(nic_map(wide), 0);
	assert_int_equal(nic_map(narrow), 0);
	check_write(g, wide, RID_NIC_16, 16, 0xbeef, 3);
	check_write(g, narrow, RID_NIC_8, 8, 0x5a, 3);

	assert_int_equal(publish(g, fd, VFIO_DMA_BUF_TPH_ST, 0x5b, 0, 1), 0);
	assert_int_equal(nic_map(wide), 0);
	assert_int_equal(nic_map(narrow), 0);
	check_write(g, wide, RID_NIC_16, 0, 0, 0);
	check_write(g, narrow, RID_NIC_8, 8, 0x5b, 1);

	assert_int_equal(publish(g, fd, 0, 0, 0, 0), 0);
	assert_int_equal(nic_map(narrow), 0);
	check_write(g, narrow, RID_NIC_8, 0, 0, 0);
	close(wide);
	close(narrow);
	close(fd);
	guest_close(g);
}

static void no_extended_tag_reaches_an_8_bit_completer(void **state)
{
	struct guest *g = guest_open(OWNER_8);
	int fd = export(g), wide;

	(void)state;
	guest_register_write(g, EP_COUNT_CLEAR, 1);
	assert_int_equal(publish(g, fd, VFIO_DMA_BUF_TPH_ST, 0x5a, 0, 3), 0);
	wide = nic_import(NIC_16, fd);
	check_write(g, wide, RID_NIC_16, 0, 0, 0);
	assert_int_equal(guest_register(g, EP_COUNT_MALFORMED), 0);
	close(wide);
	close(fd);
	guest_close(g);
}

/* Writes the whole buffer again and again until its owner takes it away. */
static void *writes_until_revoked(void *arg)
{
	int nic = *(int *)arg, error;

	do
		error = nic_write(nic, 0, MEMORY_SIZE, 0x77777777);
	while (!error);
	return (void *)(intptr_t)error;
}

static void start_writing(struct guest *g, int *nic, pthread_t *thread)
{
	uint32_t head = guest_register(g, EP_RECEIVED_HEAD);

	assert_int_equal(pthread_create(thread, NULL, writes_until_revoked, nic), 0);
	while (guest_register(g, EP_RECEIVED_HEAD) == head)
		;
}

static void stop_writing(pthread_t thread)
{
	void *error;

	assert_int_equal(pthread_join(thread, &error), 0);
	assert_int_equal((intptr_t)error, -ENODEV);
}

static void revoked_while_writes_arrive(void **state)
{
	struct guest *g = guest_open(OWNER);
	uint16_t on = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	int fd = export_bytes(g, MEMORY_SIZE), nic;
	pthread_t thread;
	uint32_t head;

	(void)state;
	assert_int_equal(publish(g, fd, BOTH, 0x31, 0x3131, 2), 0);
	nic = nic_import(NIC_16, fd);

	start_writing(g, &nic, &thread);
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	stop_writing(thread);
	guest_config_write(g, PCI_COMMAND, 2, on);
	head = guest_register(g, EP_RECEIVED_HEAD);
	check_write(g, nic, RID_NIC_16, 16, 0x3131, 2);
	assert_int_equal(guest_register(g, EP_RECEIVED_HEAD), head + 1);

	start_writing(g, &nic, &thread);
	assert_int_equal(publish(g, fd, BOTH, 0x32, 0x3232, 1), 0);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	/* from here on the memory is there again: it maps anew, and has the new tag */
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	stop_writing(thread);
	guest_config_write(g, PCI_COMMAND, 2, on);
	check_write(g, nic, RID_NIC_16, 16, 0x3232, 1);

	start_writing(g, &nic, &thread);
	guest_close(g);
	stop_writing(thread);
	assert_int_equal(nic_map(nic), -ENODEV);
	close(nic);
	close(fd);
}

static void alarm_rings(int number)
{
	(void)number;
}

static void *memory_off(void *arg)
{
	guest_config_write(arg, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	return NULL;
}

/* Publish while the memory is taken away, which waits for the write that is under way. */
static int publish_meanwhile(struct guest *g, int fd, int nic)
{
	const struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { 0 };
	pthread_t writer, owner;
	sigset_t signals;
	int error;

	sigemptyset(&signals);
	sigaddset(&signals, SIGALRM);
	/* for this thread alone */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	start_writing(g, &nic, &writer);
	assert_int_equal(pthread_create(&owner, NULL, memory_off, g), 0);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	do
		error = publish(g, fd, BOTH, 4, 5, 1);
	while (!error && guest_config(g, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	pthread_join(owner, NULL);
	stop_writing(writer);
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	return error;
}

static void waiting_can_be_interrupted(void **state)
{
	const struct sigaction action = { .sa_handler = alarm_rings };
	struct guest *g = guest_open(OWNER);
	int fd = export_bytes(g, MEMORY_SIZE), nic, error = 0, round;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(publish(g, fd, BOTH, 1, 2, 3), 0);
	nic = nic_import(NIC_16, fd);
	/* a write that was nearly over makes nobody wait for long */
	for (round = 0; round < 20 && !error; round++)
		error = publish_meanwhile(g, fd, nic);
	assert_int_equal(error, -EINTR);
	close(nic);
	close(fd);
	guest_close(g);
}

/* ---- the operator ---- */

#define PUBLISH "/sys/bus/pci/devices/" OWNER "/tph/publish"
#define DEBUG	"/sys/kernel/debug/tph-vfio-pci/" OWNER

static void the_operator_can_forbid_it(void **state)
{
	struct guest *g = guest_open(OWNER);
	int fd = export(g);

	(void)state;
	guest_command("[ $(cat " PUBLISH ") = 1 ]");
	assert_int_not_equal(guest_try("echo maybe 2>/dev/null >" PUBLISH), 0);
	assert_int_equal(publish(g, fd, BOTH, 1, 2, 3), 0);
	guest_command("echo 0 >" PUBLISH);
	assert_nothing_published(NIC_8, fd);
	assert_nothing_published(NIC_16, fd);
	assert_int_equal(feature(g->fd, PROBE, NULL, 0), -EPERM);
	assert_int_equal(publish(g, fd, BOTH, 1, 2, 3), -EPERM);
	assert_int_equal(publish(g, fd, 0, 0, 0, 0), -EPERM);
	guest_command("echo 1 >" PUBLISH);
	assert_nothing_published(NIC_8, fd);
	assert_int_equal(publish(g, fd, BOTH, 1, 2, 3), 0);
	assert_published(NIC_8, fd, 1, 3);
	close(fd);
	guest_close(g);
	/* no attribute where there is nothing to allow */
	guest_command("[ ! -e /sys/bus/pci/devices/" OWNER_NONE "/tph/publish ]");
	guest_command("[ ! -e /sys/bus/pci/devices/" OWNER_RESERVED "/tph/publish ]");
}

static void the_list_is_true(void **state)
{
	struct guest *g = guest_open(OWNER);
	int one = export(g), two = export(g);

	(void)state;
	guest_command("[ -z \"$(cat " DEBUG ")\" ]");
	assert_int_equal(publish(g, one, VFIO_DMA_BUF_TPH_ST, 0xa, 0, 2), 0);
	guest_command("cat " DEBUG " | grep -qx '[0-9]* size=4096 st=0x0a ph=2'");
	assert_int_equal(publish(g, two, BOTH, 0xa, 0xbc, 1), 0);
	guest_command("cat " DEBUG " | grep -qx '[0-9]* size=4096 st=0x0a xst=0x00bc ph=1'");
	guest_command("[ $(wc -l <" DEBUG ") = 2 ]");
	close(two);
	guest_command("[ $(wc -l <" DEBUG ") = 1 ]");
	assert_int_equal(publish(g, one, 0, 0, 0, 0), 0);
	guest_command("[ -z \"$(cat " DEBUG ")\" ]");
	close(one);
	guest_close(g);
	guest_command("[ ! -e " DEBUG " ]");
}

/* ---- tphctl ---- */

/* Must end with @status, and say @text. */
static void tphctl(const char *words, int status, const char *text)
{
	int ended = guest_try("tphctl %s >/tmp/tphctl 2>&1", words);

	if (WIFEXITED(ended) && WEXITSTATUS(ended) == status &&
	    !guest_try("grep -qF -- '%s' /tmp/tphctl", text))
		return;
	guest_try("sed 's/^/# /' /tmp/tphctl");
	fail_msg("tphctl %s: %d, not %d, or not \"%s\"", words, WEXITSTATUS(ended), status, text);
}

static unsigned long inode_of(int fd)
{
	char path[64], line[128];
	unsigned long inode = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) && sscanf(line, "ino: %lu", &inode) != 1)
		;
	fclose(file);
	assert_int_not_equal(inode, 0);
	return inode;
}

static void tphctl_tells_why_there_is_no_list(void **state)
{
	struct guest *g;

	(void)state;
	tphctl("dmabufs " OWNER, 1, "it is not open");
	tphctl("dmabufs " OWNER_NONE, 3, "it is no TPH Completer");
	tphctl("dmabufs " OWNER_RESERVED, 3, "it is no TPH Completer");
	tphctl("grant " OWNER_NONE " --publish on", 3, "it is no TPH Completer");
	tphctl("show " OWNER_8, 0, "completes 8-bit tags");
	guest_command("modprobe vfio-pci");
	tphctl("bind " OWNER_8 " --driver vfio-pci --publish off", 3, "everything is as it was");
	tphctl("bind " OWNER_8 " --driver vfio-pci", 0, "bound to vfio-pci");
	tphctl("dmabufs " OWNER_8, 3, "tphctl bind " OWNER_8);
	tphctl("bind " OWNER_8 " --publish off", 0, "publishing forbidden");
	tphctl("grant " OWNER_8 " --publish on --cpus 0-1", 0, "publishing allowed (before: forb");

	g = guest_open(OWNER);
	guest_command("umount /sys/kernel/debug");
	tphctl("dmabufs " OWNER, 1, "mount -t debugfs none /sys/kernel/debug");
	guest_command("mount -t debugfs none /sys/kernel/debug");
	tphctl("dmabufs " OWNER, 0, "none has tags");
	guest_close(g);
	tphctl("dmabufs " OWNER, 1, "it is not open");
}

static void tphctl_lists_and_withdraws(void **state)
{
	struct guest *g = guest_open(OWNER), *other = guest_open(OWNER_8);
	int one = export(g), two = export(g), others = export(other);
	char text[128];

	(void)state;
	assert_int_equal(publish(g, one, BOTH, 0x0a, 0xbc, 2), 0);
	assert_int_equal(publish(g, two, VFIO_DMA_BUF_TPH_ST_EXT, 0, 0x1234, 3), 0);
	assert_int_equal(publish(other, others, VFIO_DMA_BUF_TPH_ST, 7, 0, 0), 0);
	snprintf(text, sizeof(text), "inode %-8lu 4096 bytes  8-bit tag 0x0a  16-bit tag 0x00bc  "
		 "hint target", inode_of(one));
	tphctl("dmabufs " OWNER, 0, text);
	snprintf(text, sizeof(text), "inode %-8lu 4096 bytes  16-bit tag 0x1234  "
		 "hint target-priority", inode_of(two));
	tphctl("dmabufs " OWNER, 0, text);
	snprintf(text, sizeof(text), "\"completer\":8,\"publish\":true,\"dmabufs\":[{\"inode\":%lu,"
		 "\"size\":4096,\"tag8\":7,\"tag16\":null,\"hint\":\"bidirectional\"}]",
		 inode_of(others));
	tphctl("-j dmabufs " OWNER_8, 0, text);

	tphctl("grant " OWNER " --publish off", 0, "publishing forbidden (before: allowed)");
	assert_nothing_published(NIC_16, one);
	assert_nothing_published(NIC_8, one);
	assert_int_equal(publish(g, one, BOTH, 1, 2, 3), -EPERM);
	tphctl("dmabufs " OWNER, 0, "forbidden by the operator; tphctl grant " OWNER);
	tphctl("dmabufs " OWNER, 0, "none has tags");
	/* another device's stay */
	assert_published(NIC_8, others, 7, 0);
	tphctl("grant " OWNER " --publish on", 0, "publishing allowed (before: forbidden)");
	assert_int_equal(publish(g, one, BOTH, 1, 2, 3), 0);
	assert_published(NIC_8, one, 1, 3);
	close(others);
	close(two);
	close(one);
	guest_close(other);
	guest_close(g);
}

/* ---- bounds ---- */

static unsigned long unreclaimable(void)
{
	char line[128];
	unsigned long kib = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) && sscanf(line, "SUnreclaim: %lu", &kib) != 1)
		;
	fclose(file);
	assert_int_not_equal(kib, 0);
	return kib;
}

static void nothing_is_left_of_closed_ones(void **state)
{
	/* with KASAN a round takes thirty times as long, and memory is measured without it */
	bool slow = !access("/sys/kernel/debug/failslab", F_OK);
	unsigned int rounds = slow ? ROUNDS / 50 : ROUNDS, i;
	struct guest *g = guest_open(OWNER);
	unsigned long before = 0;

	(void)state;
	for (i = 0; i < rounds; i++) {
		int fd = export(g);

		assert_int_equal(publish(g, fd, BOTH, (uint8_t)i, (uint16_t)i, i & 3), 0);
		close(fd);
		if (i == rounds / 10)
			before = unreclaimable();
	}
	/* 100 bytes that stay of each round would be 9 MiB */
	if (!slow)
		assert_true(unreclaimable() < before + 2048);
	guest_command("[ -z \"$(cat " DEBUG ")\" ]");
	guest_close(g);
}

static void there_is_an_end_to_it(void **state)
{
	struct rlimit limit = { VFIO_DMA_BUF_TPH_MAX + 100, VFIO_DMA_BUF_TPH_MAX + 100 };
	struct guest *g = guest_open(OWNER);
	int *fds = calloc(VFIO_DMA_BUF_TPH_MAX + 1, sizeof(*fds));
	unsigned int i;

	(void)state;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (i = 0; i <= VFIO_DMA_BUF_TPH_MAX; i++)
		fds[i] = export(g);
	for (i = 0; i < VFIO_DMA_BUF_TPH_MAX; i++)
		assert_int_equal(publish(g, fds[i], VFIO_DMA_BUF_TPH_ST, (uint8_t)i, 0, 1), 0);
	assert_int_equal(publish(g, fds[i], VFIO_DMA_BUF_TPH_ST, 1, 0, 1), -ENOSPC);
	assert_nothing_published(NIC_8, fds[i]);
	/* those that have tags can still have others, and one that goes makes room */
	assert_int_equal(publish(g, fds[77], VFIO_DMA_BUF_TPH_ST, 0xee, 0, 2), 0);
	assert_published(NIC_8, fds[77], 0xee, 2);
	close(fds[0]);
	assert_int_equal(publish(g, fds[i], VFIO_DMA_BUF_TPH_ST, 1, 0, 1), 0);
	assert_published(NIC_8, fds[78], 78, 1);
	assert_int_equal(publish(g, fds[1], 0, 0, 0, 0), 0);
	fds[0] = export(g);
	assert_int_equal(publish(g, fds[0], VFIO_DMA_BUF_TPH_ST, 2, 0, 1), 0);
	for (i = 0; i <= VFIO_DMA_BUF_TPH_MAX; i++)
		close(fds[i]);
	free(fds);
	guest_close(g);
}

/* ---- all at once ---- */

#define SLOTS	8

static struct race {
	struct guest *g;
	int fds[SLOTS];		/* a number that may be closed, or be something else by now */
	volatile bool owner_stops, stop;
	unsigned int published, imported, torn, unexpected;
} race;

static unsigned int draw(unsigned int *seed, unsigned int n)
{
	return (unsigned int)rand_r(seed) % n;
}

static void expect(const char *what, int error, const int *may)
{
	for (; *may <= 0; may++)
		if (error == *may)
			return;
	printf("# unexpected: %s: %s\n", what, strerror(-error));
	__atomic_add_fetch(&race.unexpected, 1, __ATOMIC_RELAXED);
}

#define MAY(...) ((const int[]){ 0, ##__VA_ARGS__, 1 })

/* Every publication has a processing hint that belongs to both tags. */
static void *publisher(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg, tag;

	while (!race.owner_stops) {
		int fd = race.fds[draw(&seed, SLOTS)];
		int error;

		tag = draw(&seed, 256);
		error = publish(race.g, fd, draw(&seed, 8) ? BOTH : 0, (uint8_t)tag,
				(uint16_t)(tag << 8 | (tag & 3)), tag & 3);
		expect("publish", error, MAY(-EBADF, -EINVAL));
		race.published += !error;
	}
	return NULL;
}

static void *exporter(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (!race.owner_stops) {
		unsigned int slot = draw(&seed, SLOTS);

		close(race.fds[slot]);
		race.fds[slot] = export(race.g);
	}
	return NULL;
}

static void *resetter(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (!race.owner_stops) {
		if (draw(&seed, 2)) {
			guest_config_write(race.g, PCI_COMMAND, 2, 0);
		} else if (ioctl(race.g->fd, VFIO_DEVICE_RESET)) {
			expect("reset", -errno, MAY(-EAGAIN));
		}
		guest_config_write(race.g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		usleep(draw(&seed, 3000));
	}
	return NULL;
}

static void *importer(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg, i;
	bool wide = seed & 1;

	while (!race.stop) {
		int nic = nic_open(wide ? NIC_16 : NIC_8);
		int error = nic_attach(nic, race.fds[draw(&seed, SLOTS)]);

		expect("attach", error, MAY(-EBADF, -EINVAL, -ENODEV));
		for (i = draw(&seed, 6); !error && i; i--) {
			struct importer_state state = nic_state(nic);

			if (state.tagged && state.ph != (state.tag & 3))
				race.torn++;
			race.imported += state.tagged;
			expect("map", nic_map(nic), MAY(-ENODEV));
		}
		close(nic);
	}
	return NULL;
}

static void owners_importers_and_resets_at_once(void **state)
{
	pthread_t importers[3], owners[4];
	unsigned int round, i;

	(void)state;
	memset(race.fds, -1, sizeof(race.fds));
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&importers[i], NULL, importer,
						(void *)(uintptr_t)(i + 1)), 0);
	for (round = 0; round < 12; round++) {
		race.g = guest_open(OWNER);
		race.owner_stops = false;
		for (i = 0; i < SLOTS; i++)
			race.fds[i] = export(race.g);
		for (i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&owners[i], NULL,
							i == 0 ? exporter : i == 1 ? resetter : publisher,
							(void *)(uintptr_t)(100 * round + i)), 0);
		usleep(400000);
		race.owner_stops = true;
		for (i = 0; i < 4; i++)
			pthread_join(owners[i], NULL);
		/* while importers still map what it exported */
		guest_close(race.g);
		for (i = 0; i < SLOTS; i++)
			close(race.fds[i]);
	}
	race.stop = true;
	for (i = 0; i < 3; i++)
		pthread_join(importers[i], NULL);
	printf("# %u published, %u seen by importers\n", race.published, race.imported);
	assert_int_equal(race.unexpected, 0);
	assert_int_equal(race.torn, 0);
	assert_int_not_equal(race.published, 0);
	assert_int_not_equal(race.imported, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_tells_what_the_function_is),
		cmocka_unit_test(malformed_requests),
		cmocka_unit_test(extended_tags_want_an_extended_completer),
		cmocka_unit_test(descriptors_of_other_kinds),
		cmocka_unit_test(a_dma_buf_of_a_former_open),
		cmocka_unit_test(stock_vfio_pci_does_not_know_it),
		cmocka_unit_test(each_importer_sees_its_own_namespace),
		cmocka_unit_test(a_tag_is_good_for_one_mapping),
		cmocka_unit_test(dma_bufs_do_not_share),
		cmocka_unit_test(revoked_and_back),
		cmocka_unit_test(writes_carry_what_was_published),
		cmocka_unit_test(no_extended_tag_reaches_an_8_bit_completer),
		cmocka_unit_test(revoked_while_writes_arrive),
		cmocka_unit_test(waiting_can_be_interrupted),
		cmocka_unit_test(the_operator_can_forbid_it),
		cmocka_unit_test(the_list_is_true),
		cmocka_unit_test(owners_importers_and_resets_at_once),
		cmocka_unit_test(tphctl_tells_why_there_is_no_list),
		cmocka_unit_test(tphctl_lists_and_withdraws),
		cmocka_unit_test(there_is_an_end_to_it),
		cmocka_unit_test(nothing_is_left_of_closed_ones),
	};

	guest_driver("policy=iv-st");
	guest_command("modprobe tph_lab_importer");
	guest_bind(NIC_16, "tph-importer");
	guest_bind(NIC_8, "tph-importer");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
