// SPDX-License-Identifier: MIT
/* The real program, over its sockets: what a client gets, and what no client can break. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "client.h"
#include "endpoint_regs.h"
#include "program.h"

#define CONFIG	     VFIO_PCI_CONFIG_REGION_INDEX
#define PAGE	     4096u
#define IOVA	     0x100000u
#define MEMORY_SIZE  (16 * PAGE)
#define VECTORS	     16u
#define TRANSFER     VFU_TRANSFER_MAX
#define TPH_CONTROL  0x118
#define TPH_TABLE    0x11c
#define MSIX_CONTROL 0x52

static struct emulator emu;

static int group_setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* for the emulators, too: a file too large is an error of write() */
	emulator_start(&emu, ",st-table=msix,width=8");
	return 0;
}

static int group_teardown(void **state)
{
	int ret = emulator_stop(&emu);

	(void)state;
	emulator_remove(&emu);
	return ret;
}

/* ---- a client with a session ---- */

static struct client client;

static void hello(struct client *c, int function)
{
	assert_int_equal(client_connect(c, emu.socket[function]), 0);
	assert_int_equal(client_version(c), 0);
}

static int setup(void **state)
{
	(void)state;
	hello(&client, 0);
	return 0;
}

static int teardown(void **state)
{
	struct client other;

	(void)state;
	client_close(&client);
	/* It is alive, lets the next one in, and has closed all that it was sent. */
	hello(&other, 0);
	assert_int_equal(open_fds_soon(emu.pid, emu.idle_fds + 1), emu.idle_fds + 1);
	client_close(&other);
	return 0;
}

static uint32_t config_in(size_t at, uint32_t width)
{
	uint32_t value = 0;

	assert_int_equal(client_read(&client, CONFIG, at, &value, width), 0);
	return value;
}

static void config_out(size_t at, uint32_t width, uint32_t value)
{
	assert_int_equal(client_write(&client, CONFIG, at, &value, width), 0);
}

static uint32_t reg(size_t at)
{
	uint32_t value;

	assert_int_equal(client_read(&client, 0, at, &value, 4), 0);
	return value;
}

static void reg_set(size_t at, uint32_t value)
{
	assert_int_equal(client_write(&client, 0, at, &value, 4), 0);
}

static uint32_t dma_write(uint64_t iova, uint32_t length, uint32_t hint, uint32_t vector)
{
	uint32_t status;

	reg_set(EP_DMA_DST_LO, (uint32_t)iova);
	reg_set(EP_DMA_DST_HI, (uint32_t)(iova >> 32));
	reg_set(EP_DMA_LENGTH, length);
	reg_set(EP_DMA_PATTERN, 0x44332211);
	reg_set(EP_DMA_HINT, hint);
	reg_set(EP_DMA_VECTOR, vector);
	reg_set(EP_DMA_DOORBELL, EP_DMA_WRITE);
	do
		status = reg(EP_DMA_STATUS);
	while (status == EP_DMA_BUSY);
	return status;
}

static int map(uint64_t iova, uint64_t size, uint32_t flags, int fd, uint64_t offset)
{
	const struct vfu_dma_map request = {
		.argsz = sizeof(request),
		.flags = flags,
		.offset = offset,
		.address = iova,
		.size = size,
	};

	return client_call(&client, VFU_DMA_MAP, &request, sizeof(request), &fd, fd >= 0);
}

static int unmap(uint64_t iova, uint64_t size, uint32_t flags)
{
	const struct vfu_dma_unmap request = {
		.argsz = sizeof(request),
		.flags = flags,
		.address = iova,
		.size = size,
	};
	int ret = client_call(&client, VFU_DMA_UNMAP, &request, sizeof(request), NULL, 0);

	if (!ret) {
		assert_int_equal(client.reply_size, sizeof(request));
		assert_memory_equal(client.reply, &request, sizeof(request));
	}
	return ret;
}

#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static uint8_t *memory_map(void)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	uint8_t *memory;

	assert_int_equal(ftruncate(fd, MEMORY_SIZE), 0);
	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(map(IOVA, MEMORY_SIZE, RW, fd, 0), 0);
	close(fd);
	return memory;
}

static int irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count, const int *fds,
		unsigned int fd_count)
{
	const struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = flags,
		.index = index,
		.start = start,
		.count = count,
	};

	return client_call(&client, VFU_DEVICE_SET_IRQS, &set, sizeof(set), fds, fd_count);
}

#define EVENTFD_TRIGGER (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define NONE_TRIGGER	(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)
#define MSIX		VFIO_PCI_MSIX_IRQ_INDEX

static uint64_t signalled(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* The whole of configuration space without the effect of having been read. */
static void assert_unchanged(const uint8_t *before)
{
	uint8_t now[PAGE];

	assert_int_equal(client_read(&client, CONFIG, 0, now, sizeof(now)), 0);
	assert_memory_equal(now, before, sizeof(now));
}

/* ---- negotiation ---- */

static int try_version(uint16_t major, uint16_t minor, const char *text, size_t size)
{
	uint8_t payload[8192];
	const struct vfu_version version = { major, minor };

	memcpy(payload, &version, sizeof(version));
	memcpy(payload + sizeof(version), text, size);
	return client_call(&client, VFU_VERSION, payload, sizeof(version) + size, NULL, 0);
}

static void nothing_is_answered_before_the_version(void **state)
{
	static const unsigned int commands[] = {
		0, VFU_DMA_MAP, VFU_DEVICE_GET_INFO, VFU_REGION_READ, VFU_DEVICE_RESET, 99,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		client_close(&client);
		assert_int_equal(client_connect(&client, emu.socket[0]), 0);
		assert_int_equal(client_call(&client, commands[i], NULL, 0, NULL, 0), EINVAL);
		assert_int_equal(client_receive(&client), CLIENT_CLOSED);
	}
}

static void bad_version_is_refused_and_ends_it(void **state)
{
	static const struct {
		uint16_t major;
		const char *text;
	} bad[] = {
		{ 1, "{}" },
		{ 0xffff, "{}" },
		{ 0, "{" },
		{ 0, "" },
		{ 0, "[]" },
		{ 0, "7" },
		{ 0, "{} x" },
		{ 0, "{\"capabilities\": []}" },
		{ 0, "{\"capabilities\": {\"max_msg_fds\": \"many\"}}" },
		{ 0, "{\"capabilities\": {\"max_msg_fds\": -1}}" },
		{ 0, "{\"capabilities\": {\"max_data_xfer_size\": 1.5}}" },
		{ 0, "{\"capabilities\": {\"pgsizes\": 65536}}" },
		{ 0, "{\"capabilities\": {\"write_multiple\": 1}}" },
		{ 0, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int ret;

		client_close(&client);
		assert_int_equal(client_connect(&client, emu.socket[0]), 0);
		ret = try_version(bad[i].major, 0, bad[i].text, strlen(bad[i].text) + 1);
		if (ret != (bad[i].major ? ENOTSUP : EINVAL))
			fail_msg("major %u, %s: %d", bad[i].major, bad[i].text, ret);
		assert_int_equal(client_receive(&client), CLIENT_CLOSED);
	}
	/* without its NUL */
	client_close(&client);
	assert_int_equal(client_connect(&client, emu.socket[0]), 0);
	assert_int_equal(try_version(0, 0, "{}", 2), EINVAL);
	assert_int_equal(client_receive(&client), CLIENT_CLOSED);
}

static void second_version_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(client_version(&client), EINVAL);
	assert_int_equal(config_in(0, 4), 0x74501234);
}

static void version_answers_what_was_offered(void **state)
{
	struct json_object *answer, *capabilities;

	(void)state;
	/* setup() offered everything */
	client_close(&client);
	hello(&client, 0);
	assert_int_equal(((struct vfu_version *)client.reply)->major, 0);
	assert_int_equal(((struct vfu_version *)client.reply)->minor, 1);
	assert_int_equal(client.reply[client.reply_size - 1], 0);
	answer = json_tokener_parse((char *)client.reply + sizeof(struct vfu_version));
	assert_true(json_object_object_get_ex(answer, "capabilities", &capabilities));
	assert_int_equal(number(capabilities, "max_msg_fds"), 16);
	assert_int_equal(number(capabilities, "max_data_xfer_size"), 65536);
	assert_int_equal(number(capabilities, "max_dma_maps"), 65535);
	assert_int_equal(number(capabilities, "pgsizes"), 4096);
	assert_int_equal(number(capabilities, "write_multiple"), 1);
	assert_int_equal(number(capabilities, "migration"), -1);
	json_object_put(answer);

	client_close(&client);
	assert_int_equal(client_connect(&client, emu.socket[0]), 0);
	assert_int_equal(try_version(0, 77, "{\"capabilities\":{\"pgsizes\":4096}}", 34), 0);
	assert_int_equal(((struct vfu_version *)client.reply)->minor, 1);
	assert_string_equal((const char *)client.reply + 4, "{\"capabilities\":{\"pgsizes\":4096}}");

	client_close(&client);
	assert_int_equal(client_connect(&client, emu.socket[0]), 0);
	assert_int_equal(try_version(0, 0, "", 0), 0);
	assert_int_equal(client.reply_size, 4);
	assert_int_equal(((struct vfu_version *)client.reply)->minor, 0);
}

/* ---- malformed messages ---- */

/** struct bad - a message, and the error that must answer it */
struct bad {
	const char *what;
	unsigned int command;
	uint32_t payload[12];
	size_t size;
	unsigned int fds;
	int error;
};

/* clang-format off */
static const struct bad bads[] = {
	{ "command 0", 0, { 0 }, 0, 0, ENOTSUP },
	{ "unknown command", 14, { 0 }, 0, 0, ENOTSUP },
	{ "unknown command with payload and fds", 0xffff, { 0 }, 16, 3, ENOTSUP },
	{ "feature", VFU_DEVICE_FEATURE, { 8, 1 << 16 }, 8, 0, ENOTSUP },
	{ "migration data", VFU_MIG_DATA_READ, { 8, 0 }, 8, 0, ENOTSUP },
	{ "server's command", VFU_DMA_READ, { 0 }, 16, 0, ENOTSUP },
	{ "server's command", VFU_DMA_WRITE, { 0 }, 20, 0, ENOTSUP },
	{ "version", VFU_VERSION, { 0 }, 4, 0, EINVAL },
	{ "short version", VFU_VERSION, { 0 }, 3, 0, EINVAL },
	{ "version with fd", VFU_VERSION, { 0 }, 4, 1, EINVAL },

	{ "map without payload", VFU_DMA_MAP, { 0 }, 0, 1, EINVAL },
	{ "short map", VFU_DMA_MAP, { 32, RW, 0, 0, 0, 1, PAGE }, 28, 0, EINVAL },
	{ "long map", VFU_DMA_MAP, { 32, RW, 0, 0, 0, 1, PAGE, 0, 0 }, 36, 0, EINVAL },
	{ "map, argsz", VFU_DMA_MAP, { 31, RW, 0, 0, 0, 1, PAGE, 0 }, 32, 1, EINVAL },
	{ "map, flags", VFU_DMA_MAP, { 32, RW | 8, 0, 0, 0, 1, PAGE, 0 }, 32, 1, EINVAL },
	{ "map, no access", VFU_DMA_MAP, { 32, 0, 0, 0, 0, 1, PAGE, 0 }, 32, 1, EINVAL },
	{ "map, size 0", VFU_DMA_MAP, { 32, RW, 0, 0, 0, 1, 0, 0 }, 32, 1, EINVAL },
	{ "map, odd size", VFU_DMA_MAP, { 32, RW, 0, 0, 0, 1, 100, 0 }, 32, 1, EINVAL },
	{ "map, odd address", VFU_DMA_MAP, { 32, RW, 0, 0, 1, 1, PAGE, 0 }, 32, 1, EINVAL },
	{ "map, odd offset", VFU_DMA_MAP, { 32, RW, 1, 0, 0, 1, PAGE, 0 }, 32, 1, EINVAL },
	{ "map, overflow", VFU_DMA_MAP, { 32, RW, 0, 0, 0xfffff000, ~0u, 2 * PAGE, 0 }, 32, 1,
	  EINVAL },
	{ "map, offset overflow", VFU_DMA_MAP, { 32, RW, 0xfffff000, ~0u, 0, 1, PAGE, 0 }, 32, 1,
	  EINVAL },
	{ "map, two fds", VFU_DMA_MAP, { 32, RW, 0, 0, 0, 1, PAGE, 0 }, 32, 2, EINVAL },
	/* the fds of this table are eventfds */
	{ "map, fd cannot be mapped", VFU_DMA_MAP, { 32, RW, 0, 0, 0, 1, PAGE, 0 }, 32, 1, ENODEV },

	{ "short unmap", VFU_DMA_UNMAP, { 24, 0, 0, 0, PAGE }, 20, 0, EINVAL },
	{ "long unmap", VFU_DMA_UNMAP, { 24, 0, 0, 0, PAGE, 0, 0 }, 28, 0, EINVAL },
	{ "unmap, argsz", VFU_DMA_UNMAP, { 23, 0, 0, 0, PAGE, 0 }, 24, 0, EINVAL },
	{ "unmap, dirty bitmap", VFU_DMA_UNMAP, { 24, 1, 0, 0, PAGE, 0 }, 24, 0, EINVAL },
	{ "unmap, size 0", VFU_DMA_UNMAP, { 24, 0, 0, 0, 0, 0 }, 24, 0, EINVAL },
	{ "unmap, all and a range", VFU_DMA_UNMAP, { 24, 2, 0, 0, PAGE, 0 }, 24, 0, EINVAL },
	{ "unmap, overflow", VFU_DMA_UNMAP, { 24, 0, PAGE, 0, ~0u, ~0u }, 24, 0, EINVAL },
	{ "unmap with fd", VFU_DMA_UNMAP, { 24, 0, 0, 0, PAGE, 0 }, 24, 1, EINVAL },

	{ "short info", VFU_DEVICE_GET_INFO, { 16 }, 12, 0, EINVAL },
	{ "long info, argsz", VFU_DEVICE_GET_INFO, { 15 }, 24, 0, EINVAL },
	{ "info, argsz", VFU_DEVICE_GET_INFO, { 15 }, 16, 0, EINVAL },
	{ "info with fds", VFU_DEVICE_GET_INFO, { 16 }, 16, 2, EINVAL },

	{ "short region info", VFU_DEVICE_GET_REGION_INFO, { 32 }, 28, 0, EINVAL },
	{ "long region info, argsz", VFU_DEVICE_GET_REGION_INFO, { 31 }, 40, 0, EINVAL },
	{ "long region info, index", VFU_DEVICE_GET_REGION_INFO, { 40, 0, 9 }, 40, 0, EINVAL },
	{ "region info, argsz", VFU_DEVICE_GET_REGION_INFO, { 31 }, 32, 0, EINVAL },
	{ "region info, index", VFU_DEVICE_GET_REGION_INFO, { 32, 0, 9 }, 32, 0, EINVAL },
	{ "region info, index", VFU_DEVICE_GET_REGION_INFO, { 32, 0, ~0u }, 32, 0, EINVAL },

	{ "io fds", VFU_DEVICE_GET_REGION_IO_FDS, { 16, 0, 0, 0 }, 16, 0, ENOTSUP },
	{ "io fds, argsz", VFU_DEVICE_GET_REGION_IO_FDS, { 15, 0, 0, 0 }, 16, 0, EINVAL },
	{ "io fds, index", VFU_DEVICE_GET_REGION_IO_FDS, { 16, 0, 9, 0 }, 16, 0, EINVAL },
	{ "short io fds", VFU_DEVICE_GET_REGION_IO_FDS, { 16, 0, 0, 0 }, 15, 0, EINVAL },

	{ "short irq info", VFU_DEVICE_GET_IRQ_INFO, { 16, 0, 2, 0 }, 12, 0, EINVAL },
	{ "irq info, argsz", VFU_DEVICE_GET_IRQ_INFO, { 15, 0, 2, 0 }, 16, 0, EINVAL },
	{ "irq info, index", VFU_DEVICE_GET_IRQ_INFO, { 16, 0, 3, 0 }, 16, 0, EINVAL },
	{ "irq info, index", VFU_DEVICE_GET_IRQ_INFO, { 16, 0, ~0u, 0 }, 16, 0, EINVAL },

	{ "short irqs", VFU_DEVICE_SET_IRQS, { 20, NONE_TRIGGER, MSIX, 0 }, 16, 0, EINVAL },
	{ "irqs, argsz", VFU_DEVICE_SET_IRQS, { 24, NONE_TRIGGER, MSIX, 0, 1 }, 20, 0, EINVAL },
	{ "irqs, no flags", VFU_DEVICE_SET_IRQS, { 20, 0, MSIX, 0, 1 }, 20, 0, EINVAL },
	{ "irqs, no action", VFU_DEVICE_SET_IRQS, { 20, 1, MSIX, 0, 1 }, 20, 0, EINVAL },
	{ "irqs, two actions", VFU_DEVICE_SET_IRQS, { 20, 0x31, MSIX, 0, 1 }, 20, 0, EINVAL },
	{ "irqs, two kinds of data", VFU_DEVICE_SET_IRQS, { 20, 0x25, MSIX, 0, 1 }, 20, 1, EINVAL },
	{ "irqs, unknown flag", VFU_DEVICE_SET_IRQS, { 20, 0x61, MSIX, 0, 1 }, 20, 0, EINVAL },
	{ "irqs, index", VFU_DEVICE_SET_IRQS, { 20, NONE_TRIGGER, 3, 0, 1 }, 20, 0, EINVAL },
	{ "irqs, type without any", VFU_DEVICE_SET_IRQS, { 20, NONE_TRIGGER, 0, 0, 1 }, 20, 0,
	  EINVAL },
	{ "irq start", VFU_DEVICE_SET_IRQS, { 20, NONE_TRIGGER, MSIX, VECTORS, 1 }, 20, 0, EINVAL },
	{ "irq count", VFU_DEVICE_SET_IRQS, { 20, NONE_TRIGGER, MSIX, 1, VECTORS }, 20, 0, EINVAL },
	{ "irq range", VFU_DEVICE_SET_IRQS, { 20, NONE_TRIGGER, MSIX, 2, ~0u }, 20, 0, EINVAL },
	{ "irqs, none with data", VFU_DEVICE_SET_IRQS, { 24, NONE_TRIGGER, MSIX, 0, 4, 0 }, 24, 0,
	  EINVAL },
	{ "irqs, none with fd", VFU_DEVICE_SET_IRQS, { 20, NONE_TRIGGER, MSIX, 0, 1 }, 20, 1,
	  EINVAL },
	{ "irqs, too few bools", VFU_DEVICE_SET_IRQS, { 24, 0x22, MSIX, 0, 5, 0 }, 24, 0, EINVAL },
	{ "irqs, too many bools", VFU_DEVICE_SET_IRQS, { 24, 0x22, MSIX, 0, 3, 0 }, 24, 0, EINVAL },
	{ "irqs, too few fds", VFU_DEVICE_SET_IRQS, { 20, EVENTFD_TRIGGER, MSIX, 0, 3 }, 20, 2,
	  EINVAL },
	{ "irqs, too many fds", VFU_DEVICE_SET_IRQS, { 20, EVENTFD_TRIGGER, MSIX, 0, 3 }, 20, 4,
	  EINVAL },
	{ "irqs, eventfd on mask", VFU_DEVICE_SET_IRQS, { 20, 0x0c, MSIX, 0, 1 }, 20, 1, ENOTSUP },
	{ "irqs, count 0 and start", VFU_DEVICE_SET_IRQS, { 20, NONE_TRIGGER, MSIX, 1, 0 }, 20, 0,
	  EINVAL },
	{ "irqs, count 0 and mask", VFU_DEVICE_SET_IRQS, { 20, 0x09, MSIX, 0, 0 }, 20, 0, EINVAL },
	{ "irqs, 0 eventfds", VFU_DEVICE_SET_IRQS, { 20, EVENTFD_TRIGGER, MSIX, 0, 0 }, 20,
	  0, EINVAL },

	{ "short read", VFU_REGION_READ, { 0, 0, CONFIG, 4 }, 15, 0, EINVAL },
	{ "long read", VFU_REGION_READ, { 0, 0, CONFIG, 4, 0 }, 20, 0, EINVAL },
	{ "read, region", VFU_REGION_READ, { 0, 0, 9, 4 }, 16, 0, EINVAL },
	{ "read, empty region", VFU_REGION_READ, { 0, 0, 1, 4 }, 16, 0, EINVAL },
	{ "read, rom", VFU_REGION_READ, { 0, 0, 6, 4 }, 16, 0, EINVAL },
	{ "read, region", VFU_REGION_READ, { 0, 0, ~0u, 4 }, 16, 0, EINVAL },
	{ "read nothing", VFU_REGION_READ, { 0, 0, CONFIG, 0 }, 16, 0, EINVAL },
	{ "read, offset", VFU_REGION_READ, { PAGE, 0, CONFIG, 1 }, 16, 0, EINVAL },
	{ "read, offset and count", VFU_REGION_READ, { PAGE - 3, 0, CONFIG, 4 }, 16, 0, EINVAL },
	{ "read, count", VFU_REGION_READ, { 0, 0, CONFIG, PAGE + 1 }, 16, 0, EINVAL },
	{ "read, count", VFU_REGION_READ, { 0, 0, 0, ~0u }, 16, 0, EINVAL },
	{ "read, more than a message's data", VFU_REGION_READ, { 0, 0, 2, TRANSFER + 1 }, 16, 0,
	  EINVAL },
	{ "read, larger region whole", VFU_REGION_READ, { 0, 0, 2, 2 * TRANSFER }, 16, 0, EINVAL },
	{ "read, overflow", VFU_REGION_READ, { ~0u, ~0u, 0, 4 }, 16, 0, EINVAL },
	{ "read with fd", VFU_REGION_READ, { 0, 0, CONFIG, 4 }, 16, 1, EINVAL },

	{ "short write", VFU_REGION_WRITE, { TPH_CONTROL, 0, CONFIG, 4 }, 12, 0, EINVAL },
	{ "write, less data", VFU_REGION_WRITE, { TPH_CONTROL, 0, CONFIG, 4, 1 }, 18, 0, EINVAL },
	{ "long write", VFU_REGION_WRITE, { TPH_CONTROL, 0, CONFIG, 4, 1, 2 }, 24, 0, EINVAL },
	{ "write nothing", VFU_REGION_WRITE, { TPH_CONTROL, 0, CONFIG, 0 }, 16, 0, EINVAL },
	{ "write, region", VFU_REGION_WRITE, { 0, 0, 3, 4, 1 }, 20, 0, EINVAL },
	{ "write, end", VFU_REGION_WRITE, { PAGE - 2, 0, CONFIG, 4, 1 }, 20, 0, EINVAL },
	{ "write, overflow", VFU_REGION_WRITE, { 0xfffffffc, ~0u, CONFIG, 4, 1 }, 20, 0, EINVAL },
	{ "write, huge count", VFU_REGION_WRITE, { 0, 0, 0, ~0u, 1 }, 20, 0, EINVAL },
	{ "write, more than a message's data", VFU_REGION_WRITE, { 0, 0, 2, TRANSFER + 1, 1 }, 20,
	  0, EINVAL },
	{ "write with fd", VFU_REGION_WRITE, { TPH_CONTROL, 0, CONFIG, 4, 1 }, 20, 1, EINVAL },

	{ "short multi", VFU_REGION_WRITE_MULTI, { 0 }, 4, 0, EINVAL },
	{ "multi, count", VFU_REGION_WRITE_MULTI, { 2, 0, TPH_CONTROL, 0, CONFIG, 4, 1, 0 }, 32, 0,
	  EINVAL },
	{ "multi, huge count", VFU_REGION_WRITE_MULTI, { 0, 1 }, 8, 0, EINVAL },
	{ "multi, half", VFU_REGION_WRITE_MULTI, { 1, 0, TPH_CONTROL, 0, CONFIG, 4, 1 }, 28, 0,
	  EINVAL },
	{ "multi, 9", VFU_REGION_WRITE_MULTI, { 1, 0, TPH_CONTROL, 0, CONFIG, 9, 1, 0 }, 32, 0,
	  EINVAL },
	{ "multi, region", VFU_REGION_WRITE_MULTI, { 1, 0, 0, 0, 7 << 8, 4, 1, 0 }, 32, 0, EINVAL },

	{ "reset with payload", VFU_DEVICE_RESET, { 0 }, 4, 0, EINVAL },
	{ "reset with fd", VFU_DEVICE_RESET, { 0 }, 0, 1, EINVAL },
};
/* clang-format on */

#define SOME_FDS 4

static void make_fds(int *fds, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void close_fds(const int *fds, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		close(fds[i]);
}

static void malformed_requests_are_answered_and_change_nothing(void **state)
{
	uint8_t before[PAGE], *memory = memory_map();
	int fds[SOME_FDS];
	unsigned int open;

	(void)state;
	make_fds(fds, SOME_FDS);
	config_out(4, 2, 6);
	config_out(TPH_CONTROL, 4, 0x301);
	config_out(TPH_TABLE, 4, 0x12345678);
	assert_int_equal(client_read(&client, CONFIG, 0, before, sizeof(before)), 0);
	open = open_fds(emu.pid);

	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *bad = &bads[i];
		int ret =
			client_call(&client, bad->command, bad->payload, bad->size, fds, bad->fds);

		if (ret != bad->error)
			fail_msg("%s: %d instead of %d", bad->what, ret, bad->error);
		assert_unchanged(before);
		if (open_fds_soon(emu.pid, open) != open)
			fail_msg("%s: descriptors leaked", bad->what);
		/* without a reply the next reply is not for it, and nothing leaks either */
		assert_int_equal(client_post(&client, bad->command, VFU_NO_REPLY, bad->payload,
					     bad->size, fds, bad->fds),
				 0);
		assert_unchanged(before);
		assert_int_equal(open_fds_soon(emu.pid, open), open);
	}

	/* memory is still mapped where it was, and only there */
	assert_int_equal(dma_write(IOVA, 4, 0, EP_DMA_NO_VECTOR), EP_DMA_DONE);
	assert_int_equal(dma_write(1ULL << 32, 4, 0, EP_DMA_NO_VECTOR), EP_DMA_FAULTED);
	assert_int_equal(memory[3], 0x44);
	close_fds(fds, SOME_FDS);
	munmap(memory, MEMORY_SIZE);
}

static void impossible_sizes_end_the_connection(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 15, 65536 + 33, 0x7fffffff, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct vfu_header header = { .command = VFU_DEVICE_GET_INFO, .size = sizes[i] };

		header.id = ++client.id;
		assert_int_equal(client_send(&client, &header, sizeof(header), NULL, 0), 0);
		assert_int_equal(client_receive(&client), EMSGSIZE);
		assert_int_equal(client_receive(&client), CLIENT_CLOSED);
		client_close(&client);
		hello(&client, 0);
	}
}

static void replies_from_a_client_end_the_connection(void **state)
{
	int fds[SOME_FDS];

	(void)state;
	make_fds(fds, SOME_FDS);
	for (uint32_t type = 1; type < 16; type++) {
		assert_int_equal(client_post(&client, VFU_DMA_READ, type, NULL, 0, fds, SOME_FDS),
				 0);
		assert_int_equal(client_receive(&client), CLIENT_CLOSED);
		client_close(&client);
		hello(&client, 0);
	}
	close_fds(fds, SOME_FDS);
}

static void too_many_descriptors_end_the_connection(void **state)
{
	static const struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = EVENTFD_TRIGGER,
		.index = MSIX,
		.count = VECTORS,
	};
	int fds[40];

	(void)state;
	make_fds(fds, 40);
	/* 16 are allowed */
	assert_int_equal(irqs(EVENTFD_TRIGGER, MSIX, 0, 16, fds, 16), 0);
	assert_int_equal(client_post(&client, VFU_DEVICE_SET_IRQS, 0, &set, sizeof(set), fds, 40),
			 0);
	assert_int_equal(client_receive(&client), CLIENT_CLOSED);
	close_fds(fds, 40);
}

static void half_messages_do_no_harm(void **state)
{
	static const uint32_t message[] = {
		VFU_DMA_MAP << 16, 48, 0, 0, 32, RW, 0, 0, 0, 1, PAGE, 0
	};
	int fds[SOME_FDS];

	(void)state;
	make_fds(fds, SOME_FDS);
	for (size_t size = 1; size < sizeof(message); size += 3) {
		assert_int_equal(client_send(&client, message, size, fds, 1), 0);
		client_close(&client);
		hello(&client, 0);
		assert_int_equal(open_fds_soon(emu.pid, emu.idle_fds + 1), emu.idle_fds + 1);
	}
	close_fds(fds, SOME_FDS);
}

static void random_bytes_do_no_harm(void **state)
{
	uint32_t seed = 2024;
	int fds[SOME_FDS];

	(void)state;
	make_fds(fds, SOME_FDS);
	for (int round = 0; round < 1500; round++) {
		uint32_t payload[64];
		unsigned int command;
		size_t size;
		int ret;

		for (size_t i = 0; i < 64; i++) {
			seed = seed * 1664525 + 1013904223;
			/* mostly small numbers: they get further */
			payload[i] = seed >> 28 < 12 ? seed >> 8 & 0x3f : seed;
		}
		command = seed >> 10 & 31;
		size = round % 3 ? (size_t)(seed >> 16 & 15) * 4 : seed >> 16 & 0xff;
		ret = client_call(&client, command, payload, size, fds,
				  round % 7 ? 0 : seed >> 20 & 3);
		if (ret < 0 && ret != CLIENT_CLOSED)
			fail_msg("round %d: %d", round, ret);
		if (ret == CLIENT_CLOSED) {
			client_close(&client);
			hello(&client, 0);
		}
	}
	close_fds(fds, SOME_FDS);
	assert_int_equal(config_in(0, 4), 0x74501234);
}

/* Processor time that the program has used, in clock ticks. */
static unsigned long ticks_used(pid_t pid)
{
	unsigned long user, system;
	char path[32], *text;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	text = calloc(1, 1024);
	{
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		assert_true(read(fd, text, 1023) > 0);
		close(fd);
	}
	assert_int_equal(sscanf(strrchr(text, ')'),
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
				&system),
			 2);
	free(text);
	return user + system;
}

static void client_that_does_not_listen_hurts_only_itself(void **state)
{
	const struct vfu_region_access access = { .region = CONFIG, .count = PAGE };
	const uint16_t first = client.id;
	unsigned long before;
	struct client other;
	uint16_t last;
	int ret = 0;

	(void)state;
	/* Fill both directions; what is not read stops the server from taking more. */
	fcntl(client.fd, F_SETFL, O_NONBLOCK);
	while (!ret)
		ret = client_post(&client, VFU_REGION_READ, 0, &access, sizeof(access), NULL, 0);
	assert_int_equal(ret, -EAGAIN);
	last = client.id;
	assert_true((uint16_t)(last - first) > 1);

	hello(&other, 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(client_call(&other, VFU_DEVICE_RESET, NULL, 0, NULL, 0), 0);
	client_close(&other);
	/* It waits for room without spinning; this pause is the time in which it would. */
	before = ticks_used(emu.pid);
	poll(NULL, 0, 300);
	assert_true(ticks_used(emu.pid) - before < 10);

	/* Once the client listens it gets every answer, in order. */
	fcntl(client.fd, F_SETFL, 0);
	for (client.id = (uint16_t)(first + 1); client.id != last; client.id++) {
		assert_int_equal(client_receive(&client), 0);
		assert_int_equal(client.reply_size, sizeof(access) + PAGE);
	}
}

static void second_client_is_refused(void **state)
{
	struct client second;

	(void)state;
	config_out(TPH_CONTROL, 4, 0x301);
	assert_int_equal(client_connect(&second, emu.socket[0]), 0);
	assert_int_equal(client_version(&second), CLIENT_CLOSED);
	client_close(&second);
	assert_int_equal(config_in(TPH_CONTROL, 4), 0x301);
}

/* ---- what a good client gets ---- */

static void messages_come_in_any_pieces(void **state)
{
	uint32_t stream[3][8] = {
		{ VFU_REGION_READ << 16, 32, 0, 0, 0, 0, CONFIG, 4 },
		{ VFU_REGION_READ << 16, 32, VFU_NO_REPLY, 0, 0, 0, CONFIG, 4 },
		{ VFU_REGION_READ << 16, 32, 0, 0, 8, 0, CONFIG, 4 },
	};

	(void)state;
	for (size_t piece = 1; piece <= sizeof(stream); piece += piece < 40 ? 1 : 17) {
		for (size_t at = 0; at < sizeof(stream); at += piece) {
			size_t left = sizeof(stream) - at;

			assert_int_equal(client_send(&client, (uint8_t *)stream + at,
						     left < piece ? left : piece, NULL, 0),
					 0);
		}
		client.id = 0;
		assert_int_equal(client_receive(&client), 0);
		assert_int_equal(((uint32_t *)client.reply)[4], 0x74501234);
		assert_int_equal(client_receive(&client), 0);
		assert_int_equal(((uint32_t *)client.reply)[4], 0x12000001);
	}
}

static void device_describes_itself(void **state)
{
	static const uint64_t sizes[] = { 0x10000, 0, 0x20000, 0, 0x10000, 0, 0, 0x1000, 0 };
	static const uint32_t counts[] = { 0, 0, VECTORS };
	const uint32_t ask[8] = { 16 };
	const uint32_t *answer = (const uint32_t *)client.reply;

	(void)state;
	assert_int_equal(client_call(&client, VFU_DEVICE_GET_INFO, ask, 16, NULL, 0), 0);
	assert_int_equal(client.reply_size, 16);
	assert_int_equal(answer[0], 16);
	assert_int_equal(answer[1], VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(answer[2], 9);
	assert_int_equal(answer[3], 3);

	for (uint32_t i = 0; i < 9; i++) {
		const struct vfio_region_info region = { .argsz = 64, .index = i }, *info;

		assert_int_equal(client_call(&client, VFU_DEVICE_GET_REGION_INFO, &region,
					     sizeof(region), NULL, 0),
				 0);
		info = (const struct vfio_region_info *)client.reply;
		assert_int_equal(client.reply_size, sizeof(*info));
		assert_int_equal(info->argsz, sizeof(*info));
		assert_int_equal(info->index, i);
		assert_int_equal(info->size, sizes[i]);
		assert_int_equal(info->flags, sizes[i] ? 3 : 0);
	}
	for (uint32_t i = 0; i < 3; i++) {
		const struct vfio_irq_info irq = { .argsz = sizeof(irq), .index = i }, *info;

		assert_int_equal(
			client_call(&client, VFU_DEVICE_GET_IRQ_INFO, &irq, sizeof(irq), NULL, 0),
			0);
		info = (const struct vfio_irq_info *)client.reply;
		assert_int_equal(info->count, counts[i]);
		assert_int_equal(info->flags,
				 counts[i] ? VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE : 0);
	}
}

/* A client with larger structures gets what there is of them, and is told how much. */
static void larger_structures_are_answered(void **state)
{
	static const struct {
		unsigned int command;
		uint32_t index, size;
	} asked[] = {
		{ VFU_DEVICE_GET_INFO, 0, 16 },
		{ VFU_DEVICE_GET_REGION_INFO, CONFIG, sizeof(struct vfio_region_info) },
		{ VFU_DEVICE_GET_IRQ_INFO, MSIX, sizeof(struct vfio_irq_info) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		for (uint32_t more = 0; more <= 64; more += 8) {
			uint32_t payload[32] = { asked[i].size + more, 0, asked[i].index };
			int ret = client_call(&client, asked[i].command, payload,
					      asked[i].size + more, NULL, 0);

			if (ret)
				fail_msg("command %u, %u bytes: %d", asked[i].command,
					 asked[i].size + more, ret);
			assert_int_equal(client.reply_size, asked[i].size);
			assert_int_equal(*(uint32_t *)client.reply, asked[i].size);
		}
	}
}

static void regions_are_read_and_written(void **state)
{
	const uint32_t multi[] = {
		3,	0, TPH_CONTROL, 0,	    CONFIG, 4, 0x302,  0, TPH_TABLE, 0,
		CONFIG, 8, 0x00020001,	0x00040003, 4,	    0, CONFIG, 1, 2,	     0,
	};
	const uint32_t control = 0x101;

	(void)state;
	config_out(TPH_CONTROL, 4, 0x301);
	assert_int_equal(config_in(TPH_CONTROL, 4), 0x301);
	assert_int_equal(config_in(TPH_CONTROL + 1, 1), 0x03);
	assert_int_equal(reg(EP_ID), 0xffffffff);

	assert_int_equal(
		client_call(&client, VFU_REGION_WRITE_MULTI, multi, sizeof(multi), NULL, 0), 0);
	assert_int_equal(client.reply_size, 8);
	assert_int_equal(client.reply[0], 3);
	assert_int_equal(config_in(TPH_CONTROL, 4), 0x302);
	assert_int_equal(config_in(TPH_TABLE, 4), 0x00020001);
	assert_int_equal(config_in(TPH_TABLE + 4, 4), 0x00040003);
	assert_int_equal(reg(EP_ID), EP_ID_VALUE);

	/* all of them are looked at before the first is done */
	{
		uint32_t bad[sizeof(multi) / 4];

		memcpy(bad, multi, sizeof(multi));
		bad[6] = 0x101;
		bad[14] = PAGE;
		assert_int_equal(
			client_call(&client, VFU_REGION_WRITE_MULTI, bad, sizeof(bad), NULL, 0),
			EINVAL);
		assert_int_equal(config_in(TPH_CONTROL, 4), 0x302);
	}

	/* posted */
	{
		uint32_t post[] = { TPH_CONTROL, 0, CONFIG, 4, control };

		assert_int_equal(client_post(&client, VFU_REGION_WRITE, VFU_NO_REPLY, post,
					     sizeof(post), NULL, 0),
				 0);
		assert_int_equal(config_in(TPH_CONTROL, 4), control);
	}
}

/* What a reply has room for, and not a byte more, of memory that is larger than a message. */
static void large_memory_is_read_in_pieces(void **state)
{
	static const struct {
		const char *keys;
		uint32_t size;
	} memories[] = { { ",memory-bar=2,memory-size=128K", 0x20000 },
			 { ",memory-bar=2,memory-size=16M", 0x1000000 } };
	static uint8_t out[TRANSFER], in[TRANSFER];

	(void)state;
	memset(out, 'A', sizeof(out));
	for (size_t i = 0; i < 2; i++) {
		const uint32_t size = memories[i].size, last = size - TRANSFER;
		const uint32_t counts[] = { TRANSFER + 1, TRANSFER + 0x80, size - 1, size };
		const uint16_t enable = 6;
		struct emulator e;
		struct client c;

		emulator_start(&e, memories[i].keys);
		assert_int_equal(client_connect(&c, e.socket[1]), 0);
		assert_int_equal(client_version(&c), 0);
		assert_int_equal(client_write(&c, CONFIG, 4, &enable, 2), 0);
		for (uint32_t at = 0; at < size; at += TRANSFER)
			assert_int_equal(client_write(&c, 2, at, out, TRANSFER), 0);
		for (size_t j = 0; j < 4; j++)
			assert_int_equal(client_read(&c, 2, 0, in, counts[j]), EINVAL);
		assert_int_equal(client_read(&c, 2, last + 1, in, TRANSFER), EINVAL);
		assert_int_equal(client_read(&c, 2, last, in, TRANSFER), 0);
		assert_memory_equal(in, out, TRANSFER);
		client_close(&c);
		assert_int_equal(emulator_stop(&e), 0);
		emulator_remove(&e);
	}
}

static void dma_reaches_mapped_memory(void **state)
{
	uint8_t *memory = memory_map();

	(void)state;
	config_out(4, 2, 6);
	assert_int_equal(dma_write(IOVA + 2 * PAGE - 64, 300, 0, EP_DMA_NO_VECTOR), EP_DMA_DONE);
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(memory[2 * PAGE - 64 + i], 0x11 * (1 + i % 4));
	assert_int_equal(memory[2 * PAGE - 65], 0);
	assert_int_equal(memory[2 * PAGE - 64 + 300], 0);

	/* overlaps and what has no memory behind it */
	assert_int_equal(map(IOVA + PAGE, PAGE, RW, -1, 0), EEXIST);
	assert_int_equal(map(IOVA + MEMORY_SIZE, PAGE, RW, -1, 0), 0);
	assert_int_equal(dma_write(IOVA + MEMORY_SIZE, 4, 0, EP_DMA_NO_VECTOR), EP_DMA_FAULTED);
	assert_int_equal(reg(EP_DMA_FAULT), EP_FAULT_UNMAPPED);

	/* a hole in the middle, then everything */
	assert_int_equal(unmap(IOVA + PAGE, PAGE, 0), 0);
	memset(memory, 0, MEMORY_SIZE);
	assert_int_equal(dma_write(IOVA + PAGE - 4, 8, 0, EP_DMA_NO_VECTOR), EP_DMA_FAULTED);
	assert_int_equal(dma_write(IOVA + 2 * PAGE, 8, 0, EP_DMA_NO_VECTOR), EP_DMA_DONE);
	assert_int_equal(memory[PAGE - 1], 0x44);
	assert_int_equal(memory[PAGE], 0);
	assert_int_equal(memory[2 * PAGE], 0x11);
	assert_int_equal(unmap(0, 1ULL << 63, 0), 0);
	assert_int_equal(unmap(0, 1ULL << 63, 0), 0);
	assert_int_equal(dma_write(IOVA, 8, 0, EP_DMA_NO_VECTOR), EP_DMA_FAULTED);
	assert_int_equal(reg(EP_DMA_FAULT), EP_FAULT_UNMAPPED);
	assert_int_equal(unmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL), 0);
	munmap(memory, MEMORY_SIZE);
}

static void memory_that_the_client_takes_away_faults(void **state)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	assert_int_equal(map(IOVA, 2 * PAGE, RW, fd, 0), 0);
	config_out(4, 2, 6);
	assert_int_equal(dma_write(IOVA + PAGE, 8, 0, EP_DMA_NO_VECTOR), EP_DMA_DONE);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(dma_write(IOVA + PAGE, 8, 0, EP_DMA_NO_VECTOR), EP_DMA_FAULTED);
	assert_int_equal(reg(EP_DMA_FAULT), EP_FAULT_UNMAPPED);
	close(fd);
}

static void interrupts_reach_eventfds(void **state)
{
	const uint32_t bools[] = { 24,	 VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER,
				   MSIX, 0,
				   4,	 0x00010001 };
	uint8_t *memory = memory_map();
	int fds[4];

	(void)state;
	make_fds(fds, 4);
	config_out(4, 2, 6);
	config_out(MSIX_CONTROL, 2, 0x8000);
	assert_int_equal(irqs(EVENTFD_TRIGGER, MSIX, 2, 4, fds, 4), 0);

	assert_int_equal(dma_write(IOVA, 4, 0, 3), EP_DMA_DONE);
	assert_int_equal(signalled(fds[1]), 1);
	assert_int_equal(
		irqs(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, MSIX, 3, 1, NULL, 0), 0);
	dma_write(IOVA, 4, 0, 3);
	assert_int_equal(signalled(fds[1]), 0);
	assert_int_equal(
		irqs(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, MSIX, 3, 1, NULL, 0), 0);
	assert_int_equal(signalled(fds[1]), 1);

	/* loopback: vectors 2 and 3 are fds 0 and 1; of 0..3 the bools take 0 and 2 */
	assert_int_equal(irqs(NONE_TRIGGER, MSIX, 2, 2, NULL, 0), 0);
	assert_int_equal(signalled(fds[0]), 1);
	assert_int_equal(signalled(fds[1]), 1);
	assert_int_equal(client_call(&client, VFU_DEVICE_SET_IRQS, bools, sizeof(bools), NULL, 0),
			 0);
	assert_int_equal(signalled(fds[0]), 1);
	assert_int_equal(signalled(fds[1]), 0);

	/* one taken away, then all */
	assert_int_equal(irqs(EVENTFD_TRIGGER, MSIX, 2, 1, NULL, 0), 0);
	assert_int_equal(irqs(NONE_TRIGGER, MSIX, 2, 2, NULL, 0), 0);
	assert_int_equal(signalled(fds[0]), 0);
	assert_int_equal(signalled(fds[1]), 1);
	assert_int_equal(irqs(NONE_TRIGGER, MSIX, 0, 0, NULL, 0), 0);
	dma_write(IOVA, 4, 0, 3);
	assert_int_equal(signalled(fds[1]), 0);
	/* one for the client, one of its memory */
	assert_int_equal(open_fds_soon(emu.pid, emu.idle_fds + 2), emu.idle_fds + 2);
	close_fds(fds, 4);
	munmap(memory, MEMORY_SIZE);
}

static void only_eventfds_are_taken_for_interrupts(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	config_out(4, 2, 6);
	config_out(MSIX_CONTROL, 2, 0x8000);
	assert_int_equal(irqs(EVENTFD_TRIGGER, MSIX, 0, 1, &ends[1], 1), EINVAL);
	close_fds(ends, 2);
}

static void resets_reach_the_function(void **state)
{
	uint32_t resets;

	(void)state;
	config_out(4, 2, 6);
	resets = reg(EP_COUNT_RESETS);
	config_out(TPH_CONTROL, 4, 0x301);
	config_out(TPH_TABLE, 4, 0x12345678);
	config_out(0x68, 2, 0x8000 | config_in(0x68, 2));
	assert_int_equal(config_in(TPH_CONTROL, 4), 0);
	assert_int_equal(config_in(TPH_TABLE, 4), 0);
	assert_int_equal(config_in(4, 2), 0);

	config_out(TPH_CONTROL, 4, 0x301);
	assert_int_equal(client_call(&client, VFU_DEVICE_RESET, NULL, 0, NULL, 0), 0);
	assert_int_equal(config_in(TPH_CONTROL, 4), 0);
	config_out(4, 2, 6);
	assert_int_equal(reg(EP_COUNT_RESETS), resets + 2);
}

static void next_client_finds_a_fresh_function(void **state)
{
	uint8_t *memory = memory_map();
	uint32_t sent;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	config_out(4, 2, 6);
	config_out(TPH_CONTROL, 4, 0x301);
	config_out(MSIX_CONTROL, 2, 0x8000);
	assert_int_equal(irqs(EVENTFD_TRIGGER, MSIX, 0, 1, &fd, 1), 0);
	dma_write(IOVA, 4, 0, EP_DMA_NO_VECTOR);
	sent = reg(EP_TRACE_HEAD);
	assert_true(sent > 0);
	/* leave while it works */
	reg_set(EP_DMA_LENGTH, MEMORY_SIZE);
	reg_set(EP_DMA_DOORBELL, EP_DMA_WRITE);
	client_close(&client);
	hello(&client, 0);

	assert_int_equal(config_in(TPH_CONTROL, 4), 0);
	assert_int_equal(config_in(4, 2), 0);
	config_out(4, 2, 6);
	assert_int_equal(reg(EP_DMA_STATUS), EP_DMA_IDLE);
	assert_true(reg(EP_TRACE_HEAD) >= sent); /* the instrument goes on */
	assert_int_equal(dma_write(IOVA, 4, 0, 0), EP_DMA_FAULTED);
	assert_int_equal(reg(EP_DMA_FAULT), EP_FAULT_UNMAPPED);
	config_out(MSIX_CONTROL, 2, 0x8000);
	assert_int_equal(irqs(NONE_TRIGGER, MSIX, 0, 1, NULL, 0), 0);
	assert_int_equal(signalled(fd), 0);
	close(fd);
	munmap(memory, MEMORY_SIZE);
}

static void tags_come_from_the_table_that_the_client_writes(void **state)
{
	const uint32_t control = 0x00ab0001;
	uint8_t *memory;

	(void)state;
	client_close(&client);
	hello(&client, 1);
	memory = memory_map();
	config_out(4, 2, 6);
	assert_int_equal(client_write(&client, 4, 16 + 12, &control, 4), 0);
	config_out(TPH_CONTROL, 4, 0x101);
	assert_int_equal(dma_write(IOVA, 4, 1 | EP_HINT_ENTRY << 16 | 3u << 20, EP_DMA_NO_VECTOR),
			 EP_DMA_DONE);
	assert_int_equal(reg(EP_TRACE + EP_TLP_FLAGS), EP_TLP_MWR | EP_TLP_TH | 0x3000 | 8 << 16);
	assert_int_equal(reg(EP_TRACE + EP_TLP_ST), 0xab);
	munmap(memory, MEMORY_SIZE);
}

/* ---- the program ---- */

static void log_is_whole_and_ordered_at_every_moment(void **state)
{
	char *text, *rest, *line, *last = NULL;
	int64_t seq = 0;
	uint8_t *memory = memory_map();

	(void)state;
	config_out(4, 2, 6);
	config_out(TPH_TABLE, 2, 0xcafe);
	config_out(TPH_CONTROL, 4, 0x301);
	assert_int_equal(dma_write(IOVA + 0x40, 4, EP_HINT_ENTRY << 16, EP_DMA_NO_VECTOR),
			 EP_DMA_DONE);

	/* what is done is in the file */
	rest = text = slurp(emu.log);
	while ((line = strsep(&rest, "\n")) && *line) {
		struct json_object *object = json_tokener_parse(line);

		assert_non_null(object);
		assert_int_equal(number(object, "seq"), ++seq);
		json_object_put(object);
		last = line;
	}
	assert_non_null(strstr(last, "\"event\":\"tlp\""));
	assert_non_null(strstr(last, "\"function\":\"f0\""));
	assert_non_null(strstr(last, "\"address\":\"0x100040\""));
	assert_non_null(strstr(last, "\"st\":\"0xcafe\""));
	free(text);
	munmap(memory, MEMORY_SIZE);
}

static int run(char *const argv[], char **errors)
{
	char path[64];
	int status;

	snprintf(path, sizeof(path), "%s/run", emu.directory);
	status = finish(spawn(argv, path, -1));
	*errors = slurp(path);
	unlink(path);
	return status;
}

static void wrong_usage_is_explained(void **state)
{
	char live[80], both[80], file[80], *const p = (char *)program;
	const struct {
		char *argv[8];
		int status;
		const char *why;
	} runs[] = {
		{ { p, NULL }, 2, "--function" },
		{ { p, "--function", "socket=/tmp/x", NULL }, 2, "--log" },
		{ { p, "--function", NULL }, 2, "--function needs a value" },
		{ { p, "--colour", NULL }, 2, "--colour: unknown option" },
		{ { p, "extra", NULL }, 2, "extra: unexpected argument" },
		{ { p, "--function", "socket=/tmp/x,width=9", "--log", "-", NULL },
		  2,
		  "width=9: not one of 8, 16" },
		{ { p, "--ready-fd", "77", NULL }, 2, "--ready-fd 77: not an open" },
		{ { p, "--qmp", "", NULL }, 2, "--qmp" },
		{ { p, "--function", both, "--function", both, "--log", "-", NULL },
		  2,
		  "must differ" },
		{ { p, "--function", "socket=/nonexistent/x", "--log", "-", NULL },
		  1,
		  "cannot listen on /nonexistent/x: No such file" },
		{ { p, "--function", both, "--log", "/nonexistent/log", NULL },
		  1,
		  "cannot write log /nonexistent/log: No such file" },
		{ { p, "--function", "name=a,socket=/tmp/a,queues=1,sent=/tmp/x", "--function",
		    "name=b,socket=/tmp/b,queues=1,sent=/tmp/x", NULL },
		  2,
		  "must differ" },
		{ { p, "--function", "socket=/tmp/x,queues=1,sent=/nonexistent/sent", "--log", "-",
		    NULL },
		  1,
		  "cannot write packets to /nonexistent/sent: No such file" },
		{ { p, "--function", live, "--log", "-", NULL }, 1, "Address already in use" },
		{ { p, "--function", file, "--log", "-", NULL }, 1, "/log: File exists\n" },
	};

	(void)state;
	snprintf(live, sizeof(live), "socket=%s", emu.socket[0]);
	snprintf(file, sizeof(file), "socket=%s", emu.log);
	snprintf(both, sizeof(both), "socket=%s/both", emu.directory);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		char *errors;
		int status = run(runs[i].argv, &errors);

		if (status != runs[i].status || !strstr(errors, runs[i].why))
			fail_msg("run %zu: status %d, %s", i, status, errors);
		free(errors);
	}
	assert_int_equal(config_in(0, 4), 0x74501234); /* the one that listens is unharmed */
}

static void summary_ends_the_log(void **state)
{
	struct json_object *summary, *functions, *function, *config;
	struct emulator e;
	char *text, *line;
	struct client c;

	(void)state;
	emulator_start(&e, "");
	assert_int_equal(client_connect(&c, e.socket[1]), 0);
	assert_int_equal(client_version(&c), 0);
	assert_int_equal(client_call(&c, VFU_DEVICE_RESET, NULL, 0, NULL, 0), 0);
	{
		uint32_t value;

		assert_int_equal(client_read(&c, CONFIG, TPH_CONTROL, &value, 4), 0);
	}
	/* with a client still connected */
	assert_int_equal(emulator_stop(&e), 0);
	assert_int_equal(client_receive(&c), CLIENT_CLOSED);
	client_close(&c);

	text = slurp(e.log);
	assert_int_equal(text[strlen(text) - 1], '\n');
	text[strlen(text) - 1] = '\0';
	line = strrchr(text, '\n') + 1;
	summary = json_tokener_parse(line);
	assert_non_null(strstr(line, "\"event\":\"summary\""));
	assert_true(json_object_object_get_ex(summary, "functions", &functions));
	assert_int_equal(json_object_array_length(functions), 2);
	function = json_object_array_get_idx(functions, 1);
	assert_int_equal(number(function, "resets"), 1);
	assert_int_equal(number(function, "config_reads"), 1);
	assert_int_equal(number(function, "tph_accesses"), 1);
	assert_true(json_object_object_get_ex(function, "config", &config));
	assert_int_equal(json_object_object_length(config), 1);
	assert_true(json_object_object_get_ex(config, "0x118", &config));
	assert_int_equal(number(config, "reads"), 1);
	assert_int_equal(number(config, "writes"), 0);
	json_object_put(summary);
	free(text);
	emulator_remove(&e);
}

/* A limit on the size of files stands for a full disk. */
static void files_that_are_not_whole_are_told_of(void **state)
{
	struct rlimit none, full = { .rlim_cur = 30 }; /* a pcap file's header, no whole packet */
	char sent[] = "/tmp/test-emu-sent-XXXXXX", keys[64], *errors, *text;
	struct json_object **lines;
	int fd = mkstemp(sent);
	struct emulator e;
	uint8_t *memory;

	(void)state;
	snprintf(keys, sizeof(keys), ",queues=1,sent=%s", sent);
	emulator_start(&e, keys);
	client_close(&client);
	assert_int_equal(client_connect(&client, e.socket[1]), 0);
	assert_int_equal(client_version(&client), 0);
	memory = memory_map();
	config_out(0x04, 2, 6);
	memory[EP_TXD_LENGTH] = 100;
	memcpy(memory + EP_DESCRIPTOR_PAYLOAD, &(uint32_t){ IOVA + PAGE }, 4);
	reg_set(EP_TXQ + EP_QUEUE_BASE_LO, IOVA);
	reg_set(EP_TXQ + EP_QUEUE_SIZE, 2);
	reg_set(EP_TXQ + EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
	assert_int_equal(prlimit(e.pid, RLIMIT_FSIZE, NULL, &none), 0);
	full.rlim_max = none.rlim_max;
	assert_int_equal(prlimit(e.pid, RLIMIT_FSIZE, &full, NULL), 0);
	reg_set(EP_TXQ + EP_QUEUE_TAIL, 1);
	while (!reg(EP_TXQ + EP_QUEUE_PACKETS))
		;
	/* and no part of one */
	assert_int_equal(lseek(fd, 0, SEEK_END), 24);
	/* room for a part of a line; then for all again */
	text = slurp(e.log);
	full.rlim_cur = strlen(text) + 20;
	free(text);
	assert_int_equal(prlimit(e.pid, RLIMIT_FSIZE, &full, NULL), 0);
	config_out(TPH_TABLE, 2, 0xcafe);
	text = slurp(e.log);
	lines_free(log_lines(text));
	free(text);
	assert_int_equal(prlimit(e.pid, RLIMIT_FSIZE, &none, NULL), 0);
	config_out(TPH_TABLE, 2, 0xbeef);

	kill(e.pid, SIGTERM);
	assert_int_equal(finish(e.pid), 1);
	errors = slurp(e.errors);
	assert_non_null(strstr(errors, "packets are missing in /tmp/test-emu-sent-"));
	text = slurp(e.log);
	lines = log_lines(text);
	assert_true(check_gaps(lines) > 1);
	snprintf(keys, sizeof(keys), "the log is incomplete: %lld lines are missing in ",
		 (long long)check_gaps(lines));
	assert_non_null(strstr(errors, keys));
	lines_free(lines);
	free(text);
	free(errors);
	munmap(memory, MEMORY_SIZE);
	close(fd);
	unlink(sent);
	emulator_remove(&e);
}

static void socket_left_behind_is_replaced(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char function[128], log[80], line[8];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ready[2];
	char *argv[] = { (char *)program, "--function", function, "--log", log,
			 "--ready-fd",	  "3",		NULL };
	struct client c;
	pid_t pid;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stale", emu.directory);
	snprintf(function, sizeof(function), "socket=%s", address.sun_path);
	snprintf(log, sizeof(log), "%s/log2", emu.directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(access(address.sun_path, F_OK), 0);

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = spawn(argv, "/dev/null", ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], line, sizeof(line)), 6);
	close(ready[0]);
	assert_int_equal(client_connect(&c, address.sun_path), 0);
	assert_int_equal(client_version(&c), 0);
	client_close(&c);
	kill(pid, SIGINT);
	assert_int_equal(finish(pid), 0);
	assert_int_equal(access(address.sun_path, F_OK), -1);
	snprintf(function, sizeof(function), "%s.lock", address.sun_path);
	assert_int_equal(access(function, F_OK), -1);
	unlink(log);
}

/* Expects one that is started on @socket_path to say @why and to end. */
static void expect_no_start(const char *socket_path, const char *why)
{
	char function[128], log[80], errors[80], *text;
	char *argv[] = { (char *)program, "--function", function, "--log", log, NULL };
	siginfo_t ended = { 0 };
	pid_t pid;

	snprintf(function, sizeof(function), "socket=%s", socket_path);
	snprintf(log, sizeof(log), "%s/log2", emu.directory);
	snprintf(errors, sizeof(errors), "%s/errors2", emu.directory);
	pid = spawn(argv, errors, -1);
	/* one that starts after all, or waits, is to be a failure and no hang */
	for (int i = 0; i < 1000 && !waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) &&
	     !ended.si_pid; i++)
		poll(NULL, 0, 10);
	if (!ended.si_pid)
		kill(pid, SIGKILL);
	assert_int_equal(finish(pid), 1);
	text = slurp(errors);
	assert_non_null(strstr(text, why));
	free(text);
	unlink(errors);
	unlink(log);
}

/* Two that start at once both find the socket of one that has crashed. */
static void socket_of_one_that_starts_is_left_alone(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), lock;
	struct stat before, after;
	char path[128];

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/starts", emu.directory);
	snprintf(path, sizeof(path), "%s.lock", address.sun_path);
	/* between bind() and listen(), as far as anybody can see */
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(lstat(address.sun_path, &before), 0);
	expect_no_start(address.sun_path, "another process has its lock at /");
	expect_no_start(address.sun_path, "/starts.lock\n");
	assert_int_equal(lstat(address.sun_path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(access(path, F_OK), 0);
	close(fd);

	/* one that somebody has a lease on is not waited for */
	assert_int_equal(flock(lock, LOCK_UN), 0);
	signal(SIGIO, SIG_IGN);
	assert_int_equal(fcntl(lock, F_SETLEASE, F_WRLCK), 0);
	expect_no_start(address.sun_path, "Address already in use: another process has its lock");
	assert_int_equal(fcntl(lock, F_SETLEASE, F_UNLCK), 0);
	signal(SIGIO, SIG_DFL);

	/* a file that has something in it is somebody's */
	assert_int_equal(write(lock, "42", 2), 2);
	expect_no_start(address.sun_path, "File exists: no lock, but somebody's file, is at /");
	expect_no_start(address.sun_path, "/starts.lock\n");
	assert_int_equal(access(path, F_OK), 0);
	close(lock);
	unlink(path);
	/* nor is a link gone through */
	assert_int_equal(symlink("/dev/null", path), 0);
	expect_no_start(address.sun_path, "no lock, but a link, is at /");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_no_start(address.sun_path, "/starts.lock\n");
	rmdir(path);
	unlink(address.sun_path);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_answered_before_the_version),
		TEST(bad_version_is_refused_and_ends_it),
		TEST(second_version_is_refused_and_changes_nothing),
		TEST(malformed_requests_are_answered_and_change_nothing),
		TEST(impossible_sizes_end_the_connection),
		TEST(replies_from_a_client_end_the_connection),
		TEST(too_many_descriptors_end_the_connection),
		TEST(half_messages_do_no_harm),
		TEST(random_bytes_do_no_harm),
		TEST(client_that_does_not_listen_hurts_only_itself),
		TEST(second_client_is_refused),
		TEST(only_eventfds_are_taken_for_interrupts),
		TEST(memory_that_the_client_takes_away_faults),
		TEST(wrong_usage_is_explained),
		TEST(version_answers_what_was_offered),
		TEST(messages_come_in_any_pieces),
		TEST(device_describes_itself),
		TEST(larger_structures_are_answered),
		TEST(regions_are_read_and_written),
		TEST(large_memory_is_read_in_pieces),
		TEST(dma_reaches_mapped_memory),
		TEST(interrupts_reach_eventfds),
		TEST(resets_reach_the_function),
		TEST(next_client_finds_a_fresh_function),
		TEST(tags_come_from_the_table_that_the_client_writes),
		TEST(log_is_whole_and_ordered_at_every_moment),
		TEST(summary_ends_the_log),
		TEST(files_that_are_not_whole_are_told_of),
		TEST(socket_left_behind_is_replaced),
		TEST(socket_of_one_that_starts_is_left_alone),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s PATH-OF-TPH-EMU\n", argv[0]);
		return 2;
	}
	program = argv[1];
	return cmocka_run_group_tests_name("protocol", tests, group_setup, group_teardown);
}
