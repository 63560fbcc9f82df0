// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_abi.h"

#include "kernel.h"

#define DEVICES		"/sys/bus/pci/devices/"
#define PAGE		4096u

/* not in the headers of older distributions */
#define DETACH		_IO(VFIO_TYPE, VFIO_BASE + 20)
#define IOAS_MAP	_IO(';', 0x85)
#define  MAP_FIXED_IOVA	1u
#define  MAP_WRITEABLE	2u
#define  MAP_READABLE	4u

void give_up(const char *format, ...)
{
	va_list arguments;

	printf("not ok - scenarios: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(1);
}

/* A page that stays where it is: there is neither swap nor compaction in the lab's kernel. */
static uint32_t *new_page(void)
{
	uint32_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (page == MAP_FAILED)
		give_up("a page: %s", strerror(errno));
	return page;
}

uint32_t *host_page(void)
{
	static uint32_t *page;

	if (!page)
		page = new_page();
	return page;
}

uint32_t host_address(void)
{
	static uint64_t address;
	uint64_t entry = 0;
	int fd;

	if (address)
		return (uint32_t)address;
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0 ||
	    pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)host_page() / PAGE * 8)) != 8)
		give_up("pagemap: %s", strerror(errno));
	close(fd);
	address = (entry & ((1ull << 55) - 1)) * PAGE;
	/* edu's dma_mask (tests/vm/run), and its registers as engine.c writes them */
	if (!address || address >> 32)
		give_up("physical address %#llx", (unsigned long long)address);
	return (uint32_t)address;
}

static void map_page(const struct context *context, int space, uint32_t *page, uint64_t iova)
{
	struct {
		uint32_t size, flags, ioas_id, reserved;
		uint64_t user_va, length, iova;
	} map = {
		.size = sizeof(map),
		.flags = MAP_FIXED_IOVA | MAP_WRITEABLE | MAP_READABLE,
		.ioas_id = context->ioas[space],
		.user_va = (uintptr_t)page,
		.length = PAGE,
		.iova = iova,
	};

	if (ioctl(context->fd, IOAS_MAP, &map))
		give_up("IOAS_MAP: %s", strerror(errno));
}

void context_map(const struct context *context, uint64_t iova)
{
	uint32_t *page = new_page();

	for (int i = 0; i < SPACES; i++)
		map_page(context, i, page, iova);
}

void context_open(struct context *context, uint32_t number)
{
	context->number = number;
	context->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (context->fd < 0)
		give_up("/dev/iommu: %s", strerror(errno));
	for (int i = 0; i < SPACES; i++) {
		struct tph_iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

		context->page[i] = new_page();
		if (ioctl(context->fd, TPH_IOMMU_IOAS_ALLOC, &alloc))
			give_up("IOAS_ALLOC: %s", strerror(errno));
		context->ioas[i] = alloc.out_ioas_id;
		map_page(context, i, context->page[i], host_address());
	}
}

void context_close(struct context *context)
{
	close(context->fd);
	for (int i = 0; i < SPACES; i++)
		munmap(context->page[i], PAGE);
}

int device_open(struct actor *actor)
{
	char path[300];
	struct dirent *entry;
	DIR *folder;

	if (actor->fd >= 0)
		return 0;
	snprintf(path, sizeof(path), DEVICES "%s/vfio-dev", actor->bdf);
	folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ENODEV : -errno;
	do
		entry = readdir(folder);
	while (entry && strncmp(entry->d_name, "vfio", 4));
	if (entry)
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(folder);
	if (!entry)
		return -ENODEV;
	actor->fd = open(path, O_RDWR | O_CLOEXEC);
	return actor->fd < 0 ? -errno : 0;
}

/* An ioctl, a read and a mapping: all get the same answer, or it is no answer. */
int device_use(const struct actor *actor)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX };
	int asked = ioctl(actor->fd, VFIO_DEVICE_GET_INFO, &info) ? -errno : 0, read, mapped;
	uint32_t id;
	void *memory;

	read = pread(actor->fd, &id, 4, (off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) == 4 ?
	       0 : -errno;
	if (ioctl(actor->fd, VFIO_DEVICE_GET_REGION_INFO, &bar) || !bar.size)
		bar.size = PAGE;
	memory = mmap(NULL, bar.size, PROT_READ, MAP_SHARED, actor->fd, 0);
	mapped = memory == MAP_FAILED ? -errno : 0;
	if (!mapped)
		munmap(memory, bar.size);
	return asked == read && read == mapped ? asked : -EPROTO;
}

int device_bind(const struct actor *actor, const struct context *context)
{
	struct tph_vfio_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = context->fd };

	return ioctl(actor->fd, TPH_VFIO_BIND_IOMMUFD, &bind) ? -errno : 0;
}

int device_attach(const struct actor *actor, const struct context *context, uint32_t space)
{
	struct tph_vfio_attach_iommufd attach = {
		.argsz = sizeof(attach),
		.pt_id = context->ioas[space - 1],
	};

	return ioctl(actor->fd, TPH_VFIO_ATTACH_IOMMUFD, &attach) ? -errno : 0;
}

int device_detach(const struct actor *actor)
{
	struct { uint32_t argsz, flags; } detach = { sizeof(detach), 0 };

	return ioctl(actor->fd, DETACH, &detach) ? -errno : 0;
}

int device_close(struct actor *actor)
{
	int ret = close(actor->fd) ? -errno : 0;

	actor->fd = -1;
	return ret;
}

int device_hot_reset(const struct actor *actor)
{
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };

	return ioctl(actor->fd, VFIO_DEVICE_PCI_HOT_RESET, &reset) ? -errno : 0;
}

/* Whom VFIO_DEVICE_GET_PCI_HOT_RESET_INFO takes for the owner of another function. */
int device_reset_owner(const struct actor *actor, const char *bdf, uint32_t *flags, int *devid)
{
	union {
		struct vfio_pci_hot_reset_info info;
		char room[1024];
	} answer = { .info.argsz = sizeof(answer) };
	unsigned int domain, bus, slot, function;

	if (sscanf(bdf, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	if (ioctl(actor->fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &answer.info))
		return -errno;
	*flags = answer.info.flags;
	for (uint32_t i = 0; i < answer.info.count; i++) {
		const struct vfio_pci_dependent_device *device = &answer.info.devices[i];

		if (device->bus != bus || device->devfn != (slot << 3 | function))
			continue;
		*devid = (int)device->group_id;
		return 0;
	}
	return -ENOENT;
}

int device_request_event(const struct actor *actor)
{
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + sizeof(int));
	int event = eventfd(0, EFD_CLOEXEC);

	if (!set || event < 0)
		give_up("an eventfd: %s", strerror(errno));
	set->argsz = sizeof(*set) + sizeof(int);
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_REQ_IRQ_INDEX;
	set->count = 1;
	memcpy(set->data, &event, sizeof(event));
	if (ioctl(actor->fd, VFIO_DEVICE_SET_IRQS, set))
		give_up("the request event of %s: %s", actor->bdf, strerror(errno));
	free(set);
	return event;
}

bool event_comes(int event)
{
	struct pollfd watch = { .fd = event, .events = POLLIN };

	return poll(&watch, 1, 30000) == 1;
}

int group_open(const char *bdf, int *group)
{
	char path[300], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), DEVICES "%s/iommu_group", bdf);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	*group = open(path, O_RDWR | O_CLOEXEC);
	return *group < 0 ? -errno : 0;
}

int group_viable(int group)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };

	if (ioctl(group, VFIO_GROUP_GET_STATUS, &status))
		return -errno;
	return !!(status.flags & VFIO_GROUP_FLAGS_VIABLE);
}

int container_open(void)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	if (container < 0)
		give_up("/dev/vfio/vfio: %s", strerror(errno));
	return container;
}

int group_set_container(int group, int container)
{
	return ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ? -errno : 0;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
	close(fd);
	return ret;
}

int sysfs_try(const char *text, const char *format, ...)
{
	char path[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	return write_text(path, text);
}

void sysfs_write(const char *text, const char *format, ...)
{
	char path[300];
	va_list arguments;
	int ret;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	ret = write_text(path, text);
	if (ret)
		give_up("%s < %s: %s", path, text, strerror(-ret));
}

void sysfs_read(char *text, size_t size, const char *format, ...)
{
	char path[300];
	va_list arguments;
	ssize_t length;
	int fd;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, size - 1);
	if (length < 0)
		give_up("%s: %s", path, strerror(errno));
	close(fd);
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* By its own file, which hands the probe's errno out; the name alone must be enough to match. */
int driver_bind(const char *bdf, const char *driver)
{
	char name[64];

	snprintf(name, sizeof(name), "%s\n", driver);
	sysfs_write(name, DEVICES "%s/driver_override", bdf);
	return sysfs_try(bdf, "/sys/bus/pci/drivers/%s/bind", driver);
}

int driver_unbind(const char *bdf)
{
	int ret = sysfs_try(bdf, DEVICES "%s/driver/unbind", bdf);

	return ret == -ENOENT ? -ENODEV : ret;
}

/* By another process, for it can wait; that one has none of the devices open. */
pid_t driver_unbind_begin(const char *bdf)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		give_up("fork: %s", strerror(errno));
	if (pid)
		return pid;
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	_exit(-driver_unbind(bdf));
}

int driver_unbind_end(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		give_up("waitpid: %s", strerror(errno));
	return -WEXITSTATUS(status);
}

/* Set the stage: a driver, or none with NULL. */
void driver_set(const char *bdf, const char *driver)
{
	int ret = driver_unbind(bdf);

	if (ret && ret != -ENODEV)
		give_up("unbind of %s: %s", bdf, strerror(-ret));
	ret = driver ? driver_bind(bdf, driver) : 0;
	if (ret)
		give_up("%s does not take %s: %s", driver, bdf, strerror(-ret));
}
