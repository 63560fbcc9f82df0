// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"
#include "tph.h"

#define CONFIG_REGION	((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)
#define BAR0_REGION	((uint64_t)VFIO_PCI_BAR0_REGION_INDEX << 40)
#define ECAP_TPH	0x17

/* not in the headers of older distributions */
#define ATTACH_PT_	_IO(VFIO_TYPE, VFIO_BASE + 19)
#define DETACH_PT_	_IO(VFIO_TYPE, VFIO_BASE + 20)
#define IOAS_ALLOC_	_IO(';', 0x81)
#define IOMMU_IOAS_MAP_	_IO(';', 0x85)
struct iommu_ioas_map_ {
	uint32_t size, flags, ioas_id, reserved;
	uint64_t user_va, length, iova;
};
#define IOAS_MAP_FILE_	_IO(';', 0x8f)
struct iommu_ioas_map_file_ {
	uint32_t size, flags, ioas_id;
	int32_t fd;
	uint64_t start, length, iova;
};
#define MAP_FIXED_IOVA_	1u
#define MAP_WRITEABLE_	2u
#define MAP_READABLE_	4u

int guest_try(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	fflush(stdout);
	return system(command);
}

void guest_command(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	fflush(stdout);
	if (system(command))
		fail_msg("failed: %s", command);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail_msg("%s < %s: %s", path, text, strerror(errno));
	close(fd);
}

/* One line of text of a file in the device's folder of sysfs. */
void guest_attribute(const char *bdf, const char *name, char *text, size_t size)
{
	char path[128];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, size - 1);
	if (length < 1)
		fail_msg("%s: %s", path, length ? strerror(errno) : "empty");
	close(fd);
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* Give the device to a driver. */
void guest_bind(const char *bdf, const char *driver)
{
	char path[128], name[32];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind", bdf);
	if (!access(path, W_OK))
		write_file(path, bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", bdf);
	snprintf(name, sizeof(name), "%s\n", driver);
	write_file(path, name);
	write_file("/sys/bus/pci/drivers_probe", bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s", driver, bdf);
	if (access(path, F_OK))
		fail_msg("%s does not take %s", driver, bdf);
}

/* (Re)load our driver with other parameters and give it every emulated endpoint. */
void guest_driver(const char *parameters)
{
	guest_try("rmmod tph_vfio_pci 2>/dev/null");
	guest_command("modprobe tph-vfio-pci %s", parameters);
	guest_command("for d in /sys/bus/pci/devices/*; do"
		      " [ $(cat $d/vendor) = 0x1234 ] && [ $(cat $d/class) = 0x120000 ] || continue;"
		      " echo tph-vfio-pci >$d/driver_override;"
		      " echo ${d##*/} >/sys/bus/pci/drivers_probe; done");
}

char guest_wants_iommufd[1];

bool guest_has_iommufd(void)
{
	return !access("/dev/iommu", F_OK);
}

int guest_run_group_(const struct CMUnitTest *tests, size_t count)
{
	struct CMUnitTest *able = calloc(count, sizeof(*able));
	size_t left = 0;
	int failed;

	assert_non_null(able);
	for (size_t i = 0; i < count; i++) {
		if (tests[i].initial_state == guest_wants_iommufd && !guest_has_iommufd())
			printf("# without iommufd not run: %s\n", tests[i].name);
		else
			able[left++] = tests[i];
	}
	failed = _cmocka_run_group_tests("tests", able, left, NULL, NULL);
	free(able);
	return failed;
}

/* Every thread of this process may run on these CPUs alone. */
void guest_run_on(unsigned int cpu_mask)
{
	cpu_set_t set;
	unsigned int cpu;

	CPU_ZERO(&set);
	for (cpu = 0; cpu < 32; cpu++)
		if (cpu_mask & (1u << cpu))
			CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Memory of which the last @size bytes before a hole are returned. */
void *guest_page_end(size_t size)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(munmap(page + 4096, 4096), 0);
	return page + 4096 - size;
}

static uint32_t config_at(int fd, uint64_t base, unsigned int at, unsigned int bytes)
{
	uint32_t value = 0;

	if (pread(fd, &value, bytes, base + at) != (ssize_t)bytes)
		fail_msg("read of %u bytes at %#x: %s", bytes, at, strerror(errno));
	return value;
}

static uint16_t extended_at(int fd, uint64_t base, uint16_t id)
{
	uint16_t at = PCI_CFG_SPACE_SIZE;
	uint32_t first;
	int hops;

	/* a conventional function has none */
	if (pread(fd, &first, sizeof(first), (off_t)(base + at)) != sizeof(first))
		return 0;
	for (hops = 0; at && hops < 100; hops++) {
		uint32_t header = config_at(fd, base, at, 4);

		if (PCI_EXT_CAP_ID(header) == id && header)
			return at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

int guest_open_raw(const char *bdf)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

uint32_t raw_config(const char *bdf, unsigned int at, unsigned int bytes)
{
	int fd = guest_open_raw(bdf);
	uint32_t value = config_at(fd, 0, at, bytes);

	close(fd);
	return value;
}

void raw_config_write(const char *bdf, unsigned int at, unsigned int bytes, uint32_t value)
{
	int fd = guest_open_raw(bdf);

	if (pwrite(fd, &value, bytes, at) != (ssize_t)bytes)
		fail_msg("raw write of %u bytes at %#x: %s", bytes, at, strerror(errno));
	close(fd);
}

uint16_t raw_extended(const char *bdf, uint16_t id)
{
	int fd = guest_open_raw(bdf);
	uint16_t at = extended_at(fd, 0, id);

	close(fd);
	return at;
}

/* 0 if the device can be opened, else a negative errno. */
int guest_try_open(const char *bdf)
{
	struct tph_device *tph;
	int ret = tph_open(bdf, &tph);

	if (!ret)
		tph_close(tph);
	return ret;
}

/* Devices that are open: a test that failed midway leaves its own to the next one's open. */
static struct guest *opened[16];

static struct guest **opened_slot(const char *bdf)
{
	size_t i;

	for (i = 0; i < sizeof(opened) / sizeof(*opened); i++)
		if (bdf ? opened[i] && !strcmp(opened[i]->bdf, bdf) : !opened[i])
			return &opened[i];
	return NULL;
}

/* Open, let it be a bus master, and give it memory at DMA_IOVA. */
struct guest *guest_open(const char *bdf)
{
	struct guest *g = calloc(1, sizeof(*g));
	int ret;

	assert_non_null(g);
	if (opened_slot(bdf))
		guest_close(*opened_slot(bdf));
	g->bdf = bdf;
	ret = tph_open(bdf, &g->tph);
	if (ret)
		fail_msg("open of %s: %s", bdf, strerror(-ret));
	*opened_slot(NULL) = g;
	g->fd = tph_device_fd(g->tph);
	g->raw = guest_open_raw(bdf);
	g->cap = extended_at(g->raw, 0, ECAP_TPH);

	g->dma = mmap(NULL, DMA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(g->dma, MAP_FAILED);
	g->ioas = tph_ioas(g->tph);
	ret = tph_map(g->tph, g->dma, DMA_SIZE, DMA_IOVA, TPH_ACCESS_BOTH);
	if (ret)
		fail_msg("map: %s", strerror(-ret));

	guest_config_write(g, PCI_COMMAND, 2,
			   guest_config(g, PCI_COMMAND, 2) | PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	return g;
}

void guest_close(struct guest *g)
{
	struct guest **slot = opened_slot(g->bdf);

	if (slot)
		*slot = NULL;
	tph_close(g->tph);
	munmap(g->dma, DMA_SIZE);
	close(g->raw);
	free(g);
}

/* For cmocka's teardown: what a test that failed midway has left open. */
int guest_close_all(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(opened) / sizeof(*opened); i++)
		if (opened[i])
			guest_close(opened[i]);
	return 0;
}

uint32_t guest_config(struct guest *g, unsigned int at, unsigned int bytes)
{
	return config_at(g->fd, CONFIG_REGION, at, bytes);
}

void guest_config_write(struct guest *g, unsigned int at, unsigned int bytes, uint32_t value)
{
	if (pwrite(g->fd, &value, bytes, CONFIG_REGION + at) != (ssize_t)bytes)
		fail_msg("write of %u bytes at %#x: %s", bytes, at, strerror(errno));
}

/* The hardware's own register, past the driver. */
uint32_t guest_raw(struct guest *g, unsigned int at, unsigned int bytes)
{
	return config_at(g->raw, 0, at, bytes);
}

uint16_t guest_extended(struct guest *g, uint16_t id)
{
	return extended_at(g->fd, CONFIG_REGION, id);
}

void guest_region(struct guest *g, uint32_t index, struct vfio_region_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	if (ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, info))
		fail_msg("region %u: %s", index, strerror(errno));
}

/* Eventfds for MSI-X vectors 0 .. @count - 1; none takes them all away. */
/* Return: 0 or a negative errno. */
int guest_try_vectors(struct guest *g, uint32_t count)
{
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + count * sizeof(int));
	int *fds = (int *)set->data;
	uint32_t i;
	int ret;

	set->argsz = sizeof(*set) + count * sizeof(int);
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		     (count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	set->index = VFIO_PCI_MSIX_IRQ_INDEX;
	set->count = count;
	for (i = 0; i < count; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	ret = ioctl(g->fd, VFIO_DEVICE_SET_IRQS, set) ? -errno : 0;
	for (i = 0; i < count; i++)
		close(fds[i]);
	free(set);
	return ret;
}

void guest_vectors(struct guest *g, uint32_t count)
{
	int ret = guest_try_vectors(g, count);

	if (ret)
		fail_msg("SET_IRQS of %u vectors: %s", count, strerror(-ret));
}

/* Of a device that is alone in its group and below its port. Return: 0 or a negative errno. */
int guest_hot_reset(struct guest *g)
{
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t group;
	} request = {
		.reset = { .argsz = sizeof(request) },
		.group = tph_group_fd(g->tph),
	};

	/* none: of what the iommufd owns */
	request.reset.count = request.group >= 0;
	return ioctl(g->fd, VFIO_DEVICE_PCI_HOT_RESET, &request) ? -errno : 0;
}

void guest_detach(struct guest *g)
{
	struct { uint32_t argsz, flags; } detach = { sizeof(detach), 0 };

	if (ioctl(g->fd, DETACH_PT_, &detach))
		fail_msg("detach: %s", strerror(errno));
}

void guest_attach(struct guest *g)
{
	struct { uint32_t argsz, flags, pt_id; } attach = { sizeof(attach), 0, g->ioas };

	if (ioctl(g->fd, ATTACH_PT_, &attach))
		fail_msg("attach: %s", strerror(errno));
}

/* Move the device to a new address space with the same memory in it. */
void guest_replace_ioas(struct guest *g)
{
	struct { uint32_t size, flags, out_ioas_id; } alloc = { .size = sizeof(alloc) };
	struct iommu_ioas_map_ map = {
		.size = sizeof(map),
		.flags = MAP_FIXED_IOVA_ | MAP_WRITEABLE_ | MAP_READABLE_,
		.user_va = (uintptr_t)g->dma,
		.length = DMA_SIZE,
		.iova = DMA_IOVA,
	};

	if (ioctl(tph_iommu_fd(g->tph), IOAS_ALLOC_, &alloc))
		fail_msg("IOAS_ALLOC: %s", strerror(errno));
	g->ioas = map.ioas_id = alloc.out_ioas_id;
	if (ioctl(tph_iommu_fd(g->tph), IOMMU_IOAS_MAP_, &map))
		fail_msg("map: %s", strerror(errno));
	guest_attach(g);
}

/* Let the device reach @length bytes of a dma-buf at @iova. Return: 0 or a negative errno. */
int guest_map_dmabuf(struct guest *g, int fd, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_map_file_ request = {
		.size = sizeof(request),
		.flags = MAP_FIXED_IOVA_ | MAP_WRITEABLE_ | MAP_READABLE_,
		.ioas_id = g->ioas,
		.fd = fd,
		.length = length,
		.iova = iova,
	};

	return ioctl(tph_iommu_fd(g->tph), IOAS_MAP_FILE_, &request) ? -errno : 0;
}

uint32_t guest_register(struct guest *g, unsigned int at)
{
	return config_at(g->fd, BAR0_REGION, at, 4);
}

void guest_register_write(struct guest *g, unsigned int at, uint32_t value)
{
	if (pwrite(g->fd, &value, 4, BAR0_REGION + at) != 4)
		fail_msg("write of register %#x: %s", at, strerror(errno));
}

/* Whether these bytes of the device can be mapped; the kernel says EINVAL of those that cannot. */
bool guest_mappable(struct guest *g, uint64_t at, uint64_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, (off_t)at);

	if (map == MAP_FAILED) {
		assert_int_equal(errno, EINVAL);
		return false;
	}
	munmap(map, size);
	return true;
}

int feature(int fd, uint32_t flags, const void *data, size_t size)
{
	struct vfio_device_feature *f = malloc(sizeof(*f) + size);
	int ret;

	assert_non_null(f);
	f->argsz = sizeof(*f) + size;
	f->flags = flags;
	if (data)
		memcpy(f->data, data, size);
	ret = ioctl(fd, VFIO_DEVICE_FEATURE, f) ? -errno : 0;
	free(f);
	return ret;
}

int st_probe(struct guest *g, uint32_t operation)
{
	return feature(g->fd, VFIO_DEVICE_FEATURE_PROBE | operation | VFIO_DEVICE_FEATURE_TPH_ST,
		       NULL, 0);
}

/* One ioctl with its payload; GET copies the payload back. */
static int st_call(struct guest *g, uint32_t operation, uint32_t flags, uint32_t index,
		   uint32_t count, uint32_t *values)
{
	size_t size = sizeof(struct vfio_device_feature_tph_st) + count * sizeof(uint32_t);
	struct vfio_device_feature *f = calloc(1, sizeof(*f) + size);
	struct vfio_device_feature_tph_st *st;
	int ret;

	assert_non_null(f);
	assert_true(index <= 0xffff && count <= 0xffff);
	st = (void *)f->data;
	f->argsz = sizeof(*f) + size;
	f->flags = operation | VFIO_DEVICE_FEATURE_TPH_ST;
	st->flags = flags;
	st->index = index;
	st->count = count;
	memcpy(st->data, values, count * sizeof(uint32_t));
	ret = ioctl(g->fd, VFIO_DEVICE_FEATURE, f) ? -errno : 0;
	if (!ret && operation == VFIO_DEVICE_FEATURE_GET)
		memcpy(values, st->data, count * sizeof(uint32_t));
	free(f);
	return ret;
}

int st_set(struct guest *g, uint32_t flags, uint32_t index, uint32_t count, const uint32_t *cpus)
{
	return st_call(g, VFIO_DEVICE_FEATURE_SET, flags, index, count, (uint32_t *)cpus);
}

int st_set_one(struct guest *g, uint32_t index, uint32_t cpu)
{
	return st_set(g, 0, index, 1, &cpu);
}

int st_get(struct guest *g, uint32_t flags, uint32_t index, uint32_t count, uint32_t *values)
{
	return st_call(g, VFIO_DEVICE_FEATURE_GET, flags, index, count, values);
}

void control(struct guest *g, uint32_t value)
{
	guest_config_write(g, g->cap + TPH_CTRL, 4, value);
}

uint32_t control_read(struct guest *g)
{
	return guest_config(g, g->cap + TPH_CTRL, 4);
}

uint32_t hint_entry(unsigned int entry, unsigned int ph)
{
	return entry | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT | ph << EP_HINT_PH_SHIFT;
}

uint32_t hint_tag(unsigned int tag, unsigned int ph)
{
	return tag | EP_HINT_TAG << EP_HINT_SOURCE_SHIFT | ph << EP_HINT_PH_SHIFT;
}

/* Run one command of 64 bytes in the device's DMA engine; its end. */
static uint32_t run_dma(struct guest *g, uint32_t command, uint32_t hint)
{
	uint32_t status;

	guest_register_write(g, EP_DMA_SRC_LO, DMA_IOVA + DMA_SIZE / 2);
	guest_register_write(g, EP_DMA_SRC_HI, 0);
	guest_register_write(g, EP_DMA_DST_LO, DMA_IOVA);
	guest_register_write(g, EP_DMA_DST_HI, 0);
	guest_register_write(g, EP_DMA_LENGTH, 64);
	guest_register_write(g, EP_DMA_HINT, hint);
	guest_register_write(g, EP_DMA_VECTOR, EP_DMA_NO_VECTOR);
	guest_register_write(g, EP_DMA_DOORBELL, command);
	do
		status = guest_register(g, EP_DMA_STATUS);
	while (status == EP_DMA_BUSY);
	return status;
}

/* A slot of the device's bus analyzer. */
static struct tlp read_tlp(struct guest *g, uint32_t at)
{
	uint32_t flags = guest_register(g, at + EP_TLP_FLAGS);

	return (struct tlp){
		.type = flags & EP_TLP_TYPE_MASK,
		.th = !!(flags & EP_TLP_TH),
		.ph = (flags & EP_TLP_PH_MASK) >> EP_TLP_PH_SHIFT,
		.width = (flags & EP_TLP_WIDTH_MASK) >> EP_TLP_WIDTH_SHIFT,
		.st = guest_register(g, at + EP_TLP_ST),
		.length = guest_register(g, at + EP_TLP_LENGTH),
		.address = guest_register(g, at + EP_TLP_ADDR_LO) |
			   (uint64_t)guest_register(g, at + EP_TLP_ADDR_HI) << 32,
		.requester = guest_register(g, at + EP_TLP_RID),
	};
}

/* As run_dma(), and the TLP that it made the device send. */
struct tlp guest_dma(struct guest *g, uint32_t command, uint32_t hint)
{
	uint32_t head = guest_register(g, EP_TRACE_HEAD);
	uint32_t at = EP_TRACE + head % EP_TRACE_SLOTS * EP_TRACE_STRIDE;

	if (run_dma(g, command, hint) != EP_DMA_DONE)
		fail_msg("%s: DMA fault %u", g->bdf, guest_register(g, EP_DMA_FAULT));
	assert_int_equal(guest_register(g, EP_TRACE_HEAD), head + 1);
	assert_int_equal(guest_register(g, at + EP_TLP_SEQ), head);
	return read_tlp(g, at);
}

/* What the device noted of the last request that it received. */
struct arrival guest_last_arrival(struct guest *g)
{
	uint32_t number = guest_register(g, EP_RECEIVED_HEAD) - 1, word;
	uint32_t at = EP_RECEIVED + number % EP_TRACE_SLOTS * EP_TRACE_STRIDE;
	struct arrival arrival;

	assert_int_equal(guest_register(g, at + EP_TLP_SEQ), number);
	arrival.tlp = read_tlp(g, at);
	word = guest_register(g, at + EP_TLP_ARRIVAL);
	arrival.bar = word & EP_TLP_BAR_MASK;
	arrival.verdict = (word & EP_TLP_VERDICT_MASK) >> EP_TLP_VERDICT_SHIFT;
	arrival.use = (word & EP_TLP_HINT_USE_MASK) >> EP_TLP_HINT_USE_SHIFT;
	return arrival;
}

/* As run_dma(), and why it failed; EP_FAULT_NONE if it did not. */
uint32_t guest_dma_fault(struct guest *g, uint32_t command, uint32_t hint)
{
	return run_dma(g, command, hint) == EP_DMA_FAULTED ? guest_register(g, EP_DMA_FAULT) :
							     EP_FAULT_NONE;
}

/* A write on behalf of an ST entry: it must arrive whatever it carries. */
struct tlp guest_write_for(struct guest *g, unsigned int entry)
{
	static uint32_t pattern = 0x51ee7a60;
	struct tlp tlp;

	guest_register_write(g, EP_DMA_PATTERN, ++pattern);
	memset(g->dma, 0, 64);
	tlp = guest_dma(g, EP_DMA_WRITE, hint_entry(entry, 2));
	assert_memory_equal(g->dma, &pattern, 4);
	assert_memory_equal(g->dma + 60, &pattern, 4);
	assert_int_equal(tlp.type, EP_TLP_MWR);
	assert_int_equal(tlp.address, DMA_IOVA);
	assert_int_equal(tlp.length, 64);
	if (tlp.th)
		assert_int_equal(tlp.ph, 2);
	return tlp;
}
