// SPDX-License-Identifier: MIT
/* The simulated kernel: see simulated_kernel.h. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel_abi.h"
#include "simulated_kernel.h"
#include "system.h"

#define IOAS_ID		42
#define CDEV_PATH	"/dev/vfio/devices/vfio7"
#define GROUP_PATH	"/dev/vfio/" SIM_GROUP
#define MSI_FIRST	0xfee00000ull	/* of the interrupts: the IOMMU keeps it for itself */
#define MSI_LAST	0xfeefffffull
#define IOVA_LAST	((1ull << 48) - 1)

struct sim_kernel sim;

uint32_t sim_config_get(uint32_t offset)
{
	uint32_t value;

	memcpy(&value, sim.config + offset, sizeof(value));
	return le32toh(value);
}

void sim_config_put(uint32_t offset, uint32_t value)
{
	value = htole32(value);
	memcpy(sim.config + offset, &value, sizeof(value));
}

void sim_set_capability(uint32_t modes, bool extended, uint32_t location, uint32_t entries)
{
	sim_config_put(SIM_TPH_AT + 4, modes | (uint32_t)extended << 8 | location << 9 |
		       (location == 1 ? entries - 1 : 0) << 16);
	sim.entries = location ? entries : SIM_ENTRIES_MAX;
	if (location == 2)
		sim_config_put(SIM_MSIX_AT, 0x00000011 | (entries - 1) << 16);
}

void sim_reset(const char *sysfs)
{
	if (sim.notify_fd > 0)
		close(sim.notify_fd);
	memset(&sim, 0, sizeof(sim));
	sim.notify_fd = -1;
	sim.sysfs = sysfs;
	sim.node_number = makedev(511, 7);
	sim.cpus = 8;
	sim.cpus_allowed = 0x0f;
	sim.pci = true;
	sim.tph_driver = true;
	sim.policy = SIM_DS_ST;
	sim.config_size = SIM_CONFIG_SIZE;
	sim.completer = 16;
	sim.kernel_takes_tokens = true;
	sim.bar_size[0] = 16 * SIM_PAGE;
	sim.type1 = true;
	sim.viable = true;
	sim.in_group = true;
	sim.device_fd = -1;
	sim.iommu_fd = -1;
	sim.group_fd = -1;
	sim.container_fd = -1;
	memset(sim.cpu_of, 0xff, sizeof(sim.cpu_of));
	sim_config_put(0x00, 0x54501b36);
	sim_config_put(0x04, 0x00100000);			/* capability list */
	sim_config_put(0x34, SIM_PCIE_AT);
	sim_config_put(SIM_PCIE_AT, 0x00020010 | SIM_MSIX_AT << 8);
	sim_config_put(SIM_MSIX_AT, 0x00000011);
	sim_config_put(SIM_AER_AT, 0x00020001 | SIM_TPH_AT << 20);
	sim_config_put(SIM_TPH_AT, 0x00010017);
	sim_set_capability(7, true, 2, 8);
}

void sim_adopt(int fd)
{
	sim.device_fd = fd;
	sim.device_ino = 0;
	sim.bound = true;
	sim.attached = true;
}

void sim_fail(unsigned long request, unsigned int skip, int error)
{
	for (int i = 0; i < SIM_FAILURES_MAX; i++) {
		if (sim.failures[i].error)
			continue;
		sim.failures[i] = (struct sim_failure){ request, skip, error };
		return;
	}
	abort();
}

static int injected(unsigned long request)
{
	for (int i = 0; i < SIM_FAILURES_MAX; i++) {
		struct sim_failure *failure = &sim.failures[i];

		if (!failure->error || failure->request != request)
			continue;
		if (failure->skip) {
			failure->skip--;
			continue;
		}
		return -failure->error;
	}
	return 0;
}

/* A file of its own: what is known of it is known of copies of its descriptor too. */
static int open_file(uint64_t *ino)
{
	struct stat status;
	int fd = memfd_create("simulated", MFD_CLOEXEC);

	if (fd < 0 || fstat(fd, &status))
		abort();
	*ino = status.st_ino;
	return fd;
}

static bool is_file(int fd, uint64_t ino)
{
	struct stat status;

	return ino && !fstat(fd, &status) && status.st_ino == ino;
}

/* One that a test made itself is known by its number alone. */
static bool is_device(int fd)
{
	return sim.device_ino ? is_file(fd, sim.device_ino) : fd == sim.device_fd;
}

/* Whether some descriptor of the group is left. */
static bool group_is_open(void)
{
	for (int fd = 0; fd < 64; fd++)
		if (is_file(fd, sim.group_ino))
			return true;
	return false;
}

static int open_group(void)
{
	if (sim.group_error)
		return -sim.group_error;
	if (sim.held || group_is_open())
		return -EBUSY;
	sim.group_joined = false;
	sim.bound = false;
	sim.attached = false;
	sim.group_fd = open_file(&sim.group_ino);
	return sim.group_fd;
}

static int open_container(void)
{
	if (sim.container_error)
		return -sim.container_error;
	sim.container_has_iommu = false;
	sim.container_fd = open_file(&sim.container_ino);
	return sim.container_fd;
}

/* A path of /sys, in the tree that is there for it. */
static const char *translate(const char *path, char translated[4096])
{
	snprintf(translated, 4096, "%s%s", sim.sysfs, path + 4);
	return translated;
}

int tph_system_open(const char *path, int flags)
{
	char translated[4096];
	int fd;

	sim.opens++;
	if (!strcmp(path, CDEV_PATH)) {
		if (sim.node_error)
			return -sim.node_error;
		sim.device_fd = open_file(&sim.device_ino);
		sim.bound = false;
		sim.attached = false;
		return sim.device_fd;
	}
	if (!strcmp(path, "/dev/iommu")) {
		if (sim.iommu_error)
			return -sim.iommu_error;
		sim.iommu_fd = open_file(&sim.iommu_ino);
		return sim.iommu_fd;
	}
	if (!strcmp(path, GROUP_PATH))
		return open_group();
	if (!strcmp(path, "/dev/vfio/vfio"))
		return open_container();
	if (strncmp(path, "/sys/", 5))
		return -ENOENT;
	fd = open(translate(path, translated), flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int tph_system_readlink(const char *path, char *target, size_t size)
{
	char translated[4096];
	ssize_t length;

	if (strncmp(path, "/sys/", 5))
		return -ENOENT;
	length = readlink(translate(path, translated), target, size);
	if (length < 0 || (size_t)length == size)
		return length < 0 ? -errno : -ENAMETOOLONG;
	target[length] = '\0';
	return 0;
}

int tph_system_device_number(int fd, dev_t *number)
{
	if (!is_device(fd))
		return -ENOTTY;
	*number = sim.node_number;
	return 0;
}

/* Whether a CPU has what enabling at that width needs. */
static bool has_tag(uint32_t cpu, unsigned int width)
{
	uint64_t without = width == 16 ? sim.cpus_without_16 : sim.cpus_without_8;

	return !(without >> cpu & 1);
}

static void write_control(uint32_t value)
{
	uint32_t capability = sim_config_get(SIM_TPH_AT + 4);
	uint32_t mode = value & 7, enable = value >> 8 & 3;

	sim.control = value;
	if (sim.log)
		fprintf(sim.log, "control 0x%x\n", value);
	if (!sim.tph_driver || sim.inaccessible)
		return;
	if (enable == 2)
		enable = 0;
	if (enable == 3 && !(capability & 0x100))
		enable = 1;
	if (enable) {
		if (mode > 2 || !(capability & 1u << mode))
			return;
		for (uint32_t i = 0; mode && i < sim.entries; i++)
			if (sim.cpu_of[i] != UINT32_MAX &&
			    !has_tag(sim.cpu_of[i], enable == 3 ? 16 : 8))
				return;
	}
	if (sim.mode_stuck)
		mode = sim_config_get(SIM_TPH_AT + 8) & 7;
	sim_config_put(SIM_TPH_AT + 8, (sim_config_get(SIM_TPH_AT + 8) & ~0x307u) | mode |
		       enable << 8);
}

ssize_t tph_system_pread(int fd, void *buffer, size_t size, uint64_t offset)
{
	sim.preads++;
	if (!is_device(fd) || !sim.bound)
		return -EINVAL;
	if (sim.read_fails && !--sim.read_fails)
		return -EIO;
	if (offset < SIM_CONFIG_AT || offset - SIM_CONFIG_AT + size > sim.config_size)
		return -EINVAL;
	if (sim.read_short && !--sim.read_short)
		size /= 2;
	memcpy(buffer, sim.config + (offset - SIM_CONFIG_AT), size);
	return (ssize_t)size;
}

ssize_t tph_system_pwrite(int fd, const void *buffer, size_t size, uint64_t offset)
{
	uint32_t value;

	sim.pwrites++;
	if (!is_device(fd) || !sim.bound)
		return -EINVAL;
	if (sim.write_short)
		return (ssize_t)size / 2;
	if (offset != SIM_CONFIG_AT + SIM_TPH_AT + 8 || size != 4)
		return -EINVAL;
	memcpy(&value, buffer, sizeof(value));
	write_control(le32toh(value));
	return (ssize_t)size;
}

static int probe(void)
{
	if (sim.probe_error)
		return -sim.probe_error;
	return sim.policy == SIM_NO_ST ? -EPERM : 0;
}

static int set_entries(const struct sim_request *request, const uint32_t *cpus)
{
	int error = probe();

	if (sim.log) {
		fprintf(sim.log, "set %u+%u flags %u:", request->index, request->count,
			request->flags);
		for (uint32_t i = 0; i < request->count; i++)
			fprintf(sim.log, " %d", (int)cpus[i]);
		fputc('\n', sim.log);
	}
	if (error)
		return error;
	if (!sim.attached)
		return -EPERM;
	if (sim.crowded)
		return -EUSERS;
	for (uint32_t i = 0; i < request->count; i++) {
		if (cpus[i] == VFIO_TPH_CPU_NONE)
			continue;
		if (cpus[i] >= sim.cpus)
			return -EINVAL;
		if (!(sim.cpus_allowed >> cpus[i] & 1))
			return -EPERM;
		if (!has_tag(cpus[i], 8) && !has_tag(cpus[i], 16))
			return -EOPNOTSUPP;
	}
	for (uint32_t i = 0; i < request->count; i++) {
		sim.cpu_of[request->index + i] = cpus[i];
		sim.persistent[request->index + i] = request->flags & VFIO_TPH_ST_MEM_TYPE_PM;
	}
	return 0;
}

static int get_entries(const struct sim_request *request, uint32_t *data)
{
	bool cpus = request->flags & VFIO_TPH_ST_CPU;
	unsigned int width = request->flags & VFIO_TPH_ST_EXT ? 16 : 8;

	if (!cpus && sim.policy != SIM_DS_ST)
		return -EPERM;
	for (uint32_t i = 0; i < request->count; i++) {
		uint32_t cpu = sim.cpu_of[request->index + i];

		if (cpus)
			data[i] = cpu;
		else if (cpu == VFIO_TPH_CPU_NONE)
			data[i] = sim.wrong_tag;
		else if (!has_tag(cpu, width))
			return -EOPNOTSUPP;
		else
			data[i] = (width == 16 ? 0x100 : 0x10) + cpu + sim.wrong_tag;
	}
	return 0;
}

void sim_revoke(uint32_t cpu)
{
	const uint64_t one = 1;
	bool revoked = false;

	for (uint32_t i = 0; i < sim.entries; i++) {
		if (sim.cpu_of[i] != cpu)
			continue;
		sim.cpu_of[i] = UINT32_MAX;
		revoked = true;
	}
	if (revoked && sim.notify_fd >= 0 &&
	    write(sim.notify_fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

/* Whether the descriptor is an eventfd, which the kernel knows by what is behind it. */
static int check_eventfd(int fd)
{
	char path[64], target[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -EBADF;
	target[length] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") ? -EINVAL : 0;
}

static int notify(const uint32_t *argument)
{
	struct vfio_device_feature_tph_notify payload;
	int error, fd = -1;

	if (argument[1] & VFIO_DEVICE_FEATURE_GET)
		return -ENOTTY;
	if (argument[1] & VFIO_DEVICE_FEATURE_PROBE)
		return probe();
	if (argument[0] < 16)
		return -EINVAL;
	memcpy(&payload, argument + 2, sizeof(payload));
	if (sim.probe_error == EOPNOTSUPP)
		return -EOPNOTSUPP;
	if (payload.flags || payload.eventfd < -1)
		return -EINVAL;
	if (payload.eventfd >= 0) {
		error = check_eventfd(payload.eventfd);
		if (error)
			return error;
		fd = fcntl(payload.eventfd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
	}
	if (sim.notify_fd >= 0)
		close(sim.notify_fd);
	sim.notify_fd = fd;
	return 0;
}

struct sim_dmabuf *sim_dmabuf_find(int fd)
{
	for (int i = 0; i < SIM_DMABUFS_MAX; i++)
		if (fd > 0 && sim.dmabufs[i].fd == fd)
			return &sim.dmabufs[i];
	return NULL;
}

/* Stock vfio-pci has it, too. */
static int export(const uint32_t *argument)
{
	struct tph_vfio_dma_buf request;

	if (argument[1] & VFIO_DEVICE_FEATURE_SET || argument[0] < 8 + sizeof(request))
		return -EINVAL;
	memcpy(&request, argument + 2, sizeof(request));
	if (request.nr_ranges != 1 || request.flags ||
	    request.open_flags & ~(uint32_t)(O_ACCMODE | O_CLOEXEC))
		return -EINVAL;
	if (request.region_index > 5 || !sim.bar_size[request.region_index])
		return -ENODEV;
	if (!request.range.length || (request.range.offset | request.range.length) % SIM_PAGE ||
	    request.range.offset > sim.bar_size[request.region_index] ||
	    request.range.length > sim.bar_size[request.region_index] - request.range.offset)
		return -EINVAL;
	for (int i = 0; i < SIM_DMABUFS_MAX; i++) {
		if (sim.dmabufs[i].fd)
			continue;
		sim.dmabufs[i] = (struct sim_dmabuf){
			.fd = eventfd(0, request.open_flags & O_CLOEXEC ? EFD_CLOEXEC : 0)
		};
		return sim.dmabufs[i].fd;
	}
	return -EMFILE;
}

static int publish(const uint32_t *argument)
{
	struct vfio_device_feature_dma_buf_tph tags;
	struct sim_dmabuf *dmabuf;

	if (!sim.completer)
		return -EOPNOTSUPP;
	if (argument[1] & VFIO_DEVICE_FEATURE_GET || !(argument[1] & VFIO_DEVICE_FEATURE_SET))
		return -EINVAL;
	if (argument[1] & VFIO_DEVICE_FEATURE_PROBE)
		return sim.publish_forbidden ? -EPERM : 0;
	if (argument[0] < 8 + sizeof(tags))
		return -EINVAL;
	memcpy(&tags, argument + 2, sizeof(tags));
	if (tags.flags & ~(VFIO_DMA_BUF_TPH_ST | VFIO_DMA_BUF_TPH_ST_EXT) || tags.ph > 3)
		return -EINVAL;
	if (tags.flags & VFIO_DMA_BUF_TPH_ST_EXT && sim.completer != 16)
		return -EOPNOTSUPP;
	if (fcntl(tags.dmabuf_fd, F_GETFD) < 0)
		return -EBADF;
	dmabuf = sim_dmabuf_find(tags.dmabuf_fd);
	if (!dmabuf)
		return -EINVAL;
	if (sim.publish_forbidden)
		return -EPERM;
	dmabuf->flags = tags.flags;
	dmabuf->st = tags.steering_tag;
	dmabuf->xst = tags.steering_tag_ext;
	dmabuf->ph = tags.ph;
	return 0;
}

static bool cpu_granted(uint32_t cpu)
{
	return cpu == VFIO_TPH_CPU_NONE || (cpu < 64 && sim.cpus_allowed & 1ull << cpu);
}

static int set_guest(const uint32_t *argument, uint32_t flags, uint32_t count)
{
	int error = probe();

	if (error)
		return error;
	if (flags & ~VFIO_TPH_GUEST_MEM_TYPE_PM)
		return -EINVAL;
	if (!sim.attached)
		return -EPERM;
	for (uint32_t i = 0; i < count; i++)
		if (argument[4 + i] >= sim.cpus && argument[4 + i] != VFIO_TPH_CPU_NONE)
			return -EINVAL;
	for (uint32_t i = 0; i < count; i++)
		if (!cpu_granted(argument[4 + i]))
			return -EPERM;
	if (sim.guest_held)
		return -EBUSY;
	memcpy(sim.guest_cpu, argument + 4, count * sizeof(*argument));
	sim.guest_count = count;
	sim.guest_flags = flags;
	if (sim.log) {
		fprintf(sim.log, "guest%s", flags ? " pm" : "");
		for (uint32_t i = 0; i < count; i++)
			fprintf(sim.log, " %d", (int)argument[4 + i]);
		fprintf(sim.log, "\n");
	}
	return 0;
}

static int get_guest(uint32_t *argument, uint32_t flags, uint32_t room)
{
	const bool table = flags & VFIO_TPH_GUEST_TABLE;
	const uint32_t all = table ? sim.entries : sim.guest_count;

	if (flags & ~VFIO_TPH_GUEST_TABLE)
		return -EINVAL;
	for (uint32_t i = 0; i < all && i < room; i++) {
		uint64_t bit = table || sim.guest_cpu[i] >= 64 ? 0 : 1ull << sim.guest_cpu[i];

		if (table)
			argument[4 + i] = sim.guest_table[i] + sim.wrong_tag;
		else
			argument[4 + i] = bit & sim.cpus_without_16 ? VFIO_TPH_CPU_NONE :
					  sim.guest_cpu[i];
	}
	argument[3] = all;
	return 0;
}

static int guest(uint32_t *argument)
{
	const uint32_t operation = argument[1] & (VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_GET);

	if (argument[1] & VFIO_DEVICE_FEATURE_PROBE)
		return sim.entries ? probe() : -EOPNOTSUPP;
	if (argument[0] < 16 || argument[3] > VFIO_TPH_GUEST_TAGS_MAX ||
	    argument[0] < 16 + 4 * argument[3])
		return -EINVAL;
	switch (operation) {
	case VFIO_DEVICE_FEATURE_SET:
		return set_guest(argument, argument[2], argument[3]);
	case VFIO_DEVICE_FEATURE_GET:
		return get_guest(argument, argument[2], argument[3]);
	default:
		return -EINVAL;
	}
}

static int feature(uint32_t *argument)
{
	const uint32_t operations = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
				    VFIO_DEVICE_FEATURE_GET;
	struct sim_request *request = &sim.last;
	uint32_t flags = argument[1];
	uint32_t *data = argument + 4;

	sim.features++;
	memset(sim.last_bytes, 0, sizeof(sim.last_bytes));
	memcpy(sim.last_bytes, argument, argument[0] < sizeof(sim.last_bytes) ? argument[0] :
	       sizeof(sim.last_bytes));
	memset(request, 0, sizeof(*request));
	request->argsz = argument[0];
	request->operation = flags & operations;
	if (request->argsz < 8 || flags & ~(operations | VFIO_DEVICE_FEATURE_MASK))
		return -EINVAL;
	if (sim.tph_driver &&
	    (flags & VFIO_DEVICE_FEATURE_MASK) == VFIO_DEVICE_FEATURE_TPH_NOTIFY)
		return notify(argument);
	if (sim.tph_driver &&
	    (flags & VFIO_DEVICE_FEATURE_MASK) == VFIO_DEVICE_FEATURE_TPH_GUEST)
		return guest(argument);
	if ((flags & VFIO_DEVICE_FEATURE_MASK) == TPH_VFIO_FEATURE_DMA_BUF)
		return export(argument);
	if (sim.tph_driver &&
	    (flags & VFIO_DEVICE_FEATURE_MASK) == VFIO_DEVICE_FEATURE_DMA_BUF_TPH)
		return publish(argument);
	if ((flags & VFIO_DEVICE_FEATURE_MASK) != VFIO_DEVICE_FEATURE_TPH_ST || !sim.tph_driver)
		return -ENOTTY;
	if (flags & VFIO_DEVICE_FEATURE_PROBE)
		return probe();
	if (request->argsz < 16)
		return -EINVAL;
	request->flags = argument[2];
	memcpy(&request->index, (char *)argument + 12, 2);
	memcpy(&request->count, (char *)argument + 14, 2);
	if (!request->count || request->argsz < 16 + 4u * request->count ||
	    (uint32_t)request->index + request->count > sim.entries)
		return -EINVAL;
	switch (request->operation) {
	case VFIO_DEVICE_FEATURE_SET:
		if (request->flags & ~VFIO_TPH_ST_MEM_TYPE_PM)
			return -EINVAL;
		return set_entries(request, data);
	case VFIO_DEVICE_FEATURE_GET:
		if (request->flags & ~(VFIO_TPH_ST_EXT | VFIO_TPH_ST_CPU))
			return -EINVAL;
		return get_entries(request, data);
	default:
		return -EINVAL;
	}
}

/* As vfio_pci_core_match_token_uuid(), for a VF or a PF whose VFs are in use. */
static int check_token(const struct tph_vfio_bind_iommufd *bind)
{
	const unsigned char *token = NULL;

	if (bind->flags & TPH_VFIO_BIND_TOKEN)
		token = (const unsigned char *)(uintptr_t)bind->token;
	if (!sim.token_wanted)
		return token ? -EINVAL : 0;
	return token && !memcmp(token, sim.token, sizeof(sim.token)) ? 0 : -EACCES;
}

static int bind_iommufd(const struct tph_vfio_bind_iommufd *bind)
{
	uint32_t known = sim.kernel_takes_tokens ? TPH_VFIO_BIND_TOKEN : 0;
	int error;

	sim.bind_argsz = bind->argsz;
	sim.bind_iommufd = bind->iommufd;
	if (bind->argsz < TPH_VFIO_BIND_SIZE || bind->flags & ~known || sim.bound)
		return -EINVAL;
	if (bind->flags && bind->argsz < sizeof(*bind))
		return -EFAULT;		/* the rest is zero: a token at address 0 */
	error = sim.kernel_takes_tokens ? check_token(bind) : 0;
	if (error || sim.held)
		return error ? error : -EINVAL;
	if (!is_file(bind->iommufd, sim.iommu_ino))
		return -EBADFD;
	sim.bound = true;
	return 0;
}

static int attach(struct tph_vfio_attach_iommufd *argument)
{
	sim.attach_argsz = argument->argsz;
	sim.attach_pt_id = argument->pt_id;
	if (argument->argsz < sizeof(*argument) || argument->flags)
		return -EINVAL;
	if (argument->pt_id != IOAS_ID)
		return -ENOENT;
	sim.attached = true;
	argument->pt_id = IOAS_ID + 1;	/* the kernel tells the page table that it made */
	return 0;
}

static int device_ioctl(unsigned long request, void *argument)
{
	if (request == TPH_VFIO_BIND_IOMMUFD)
		return bind_iommufd(argument);
	if (!sim.bound)
		return -EINVAL;
	if (request == TPH_VFIO_ATTACH_IOMMUFD)
		return attach(argument);
	if (request == VFIO_DEVICE_GET_INFO) {
		struct vfio_device_info *info = argument;

		if (info->argsz < 16)
			return -EINVAL;
		info->flags = sim.pci ? VFIO_DEVICE_FLAGS_PCI : VFIO_DEVICE_FLAGS_PLATFORM;
		info->num_regions = VFIO_PCI_NUM_REGIONS;
		info->num_irqs = VFIO_PCI_NUM_IRQS;
		return 0;
	}
	if (request == VFIO_DEVICE_GET_REGION_INFO) {
		struct vfio_region_info *info = argument;

		if (info->argsz < sizeof(*info) || info->index != VFIO_PCI_CONFIG_REGION_INDEX)
			return -EINVAL;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
		info->offset = SIM_CONFIG_AT;
		info->size = sim.config_size;
		return 0;
	}
	return request == VFIO_DEVICE_FEATURE ? feature(argument) : -ENOTTY;
}

static uint64_t last_of(uint64_t iova, uint64_t size)
{
	return iova + (size - 1);
}

const struct sim_mapping *sim_mapping_at(uint64_t iova)
{
	for (int i = 0; i < SIM_MAPPINGS_MAX; i++)
		if (sim.mappings[i].size && iova >= sim.mappings[i].iova &&
		    iova - sim.mappings[i].iova < sim.mappings[i].size)
			return &sim.mappings[i];
	return NULL;
}

/* As iommufd and type 1 have it in common. */
static int map_memory(const struct sim_mapping *new)
{
	const uint64_t last = last_of(new->iova, new->size);
	struct sim_mapping *room = NULL;

	if (!new->size || last < new->iova)
		return -EOVERFLOW;
	if ((new->iova | new->size | new->memory) % SIM_PAGE || (!new->read && !new->write) ||
	    last > IOVA_LAST || (new->iova <= MSI_LAST && last >= MSI_FIRST))
		return -EINVAL;
	for (int i = 0; i < SIM_MAPPINGS_MAX; i++) {
		const struct sim_mapping *old = &sim.mappings[i];

		if (!old->size)
			room = &sim.mappings[i];
		else if (new->iova <= last_of(old->iova, old->size) && last >= old->iova)
			return -EEXIST;
	}
	if (!room)
		return -ENOSPC;
	*room = *new;
	return 0;
}

/* Return: bytes unmapped, -ENOENT: a mapping is cut. */
static int64_t unmap_memory(uint64_t iova, uint64_t size)
{
	const uint64_t last = last_of(iova, size);
	int64_t sum = 0;

	for (int i = 0; i < SIM_MAPPINGS_MAX; i++) {
		struct sim_mapping *old = &sim.mappings[i];
		const uint64_t old_last = old->size ? last_of(old->iova, old->size) : 0;

		if (!old->size || old->iova > last || old_last < iova)
			continue;
		if (old->iova < iova || old_last > last)
			return -ENOENT;
		sum += (int64_t)old->size;
		old->size = 0;
	}
	return sum;
}

static int iommu_ioctl(unsigned long request, void *argument)
{
	if (request == TPH_IOMMU_IOAS_ALLOC) {
		struct tph_iommu_ioas_alloc *alloc = argument;

		sim.alloc_size = alloc->size;
		if (alloc->size < sizeof(*alloc) || alloc->flags)
			return -EOPNOTSUPP;
		alloc->out_ioas_id = IOAS_ID;
		return 0;
	}
	if (request == TPH_IOMMU_IOAS_MAP) {
		const struct tph_iommu_ioas_map *map = argument;

		if (map->size != sizeof(*map) || map->reserved ||
		    map->flags & ~7u || !(map->flags & TPH_IOMMU_MAP_FIXED))
			return -EOPNOTSUPP;
		if (map->ioas_id != IOAS_ID)
			return -ENOENT;
		return map_memory(&(struct sim_mapping){ map->iova, map->length, map->user_va,
				  map->flags & TPH_IOMMU_MAP_READABLE,
				  map->flags & TPH_IOMMU_MAP_WRITEABLE });
	}
	if (request == TPH_IOMMU_IOAS_UNMAP) {
		struct tph_iommu_ioas_unmap *unmap = argument;
		int64_t bytes;

		if (unmap->size != sizeof(*unmap))
			return -EOPNOTSUPP;
		if (unmap->ioas_id != IOAS_ID)
			return -ENOENT;
		bytes = unmap_memory(unmap->iova, unmap->length);
		unmap->length = bytes > 0 ? (uint64_t)bytes : 0;
		return bytes < 0 ? (int)bytes : bytes ? 0 : -ENOENT;
	}
	return -ENOTTY;
}

static int container_ioctl(unsigned long request, void *argument)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return sim.type1 && (uintptr_t)argument == VFIO_TYPE1v2_IOMMU;
	case VFIO_SET_IOMMU:
		if (!sim.group_joined || sim.container_has_iommu)
			return -EINVAL;
		if (!sim.type1 || (uintptr_t)argument != VFIO_TYPE1v2_IOMMU)
			return -ENODEV;
		sim.container_has_iommu = true;
		return 0;
	case VFIO_IOMMU_MAP_DMA: {
		const struct vfio_iommu_type1_dma_map *map = argument;

		if (!sim.container_has_iommu || map->argsz < sizeof(*map) || map->flags & ~3u)
			return -EINVAL;
		return map_memory(&(struct sim_mapping){ map->iova, map->size, map->vaddr,
				  map->flags & VFIO_DMA_MAP_FLAG_READ,
				  map->flags & VFIO_DMA_MAP_FLAG_WRITE });
	}
	case VFIO_IOMMU_UNMAP_DMA: {
		struct vfio_iommu_type1_dma_unmap *unmap = argument;
		int64_t bytes;

		if (!sim.container_has_iommu || unmap->argsz < sizeof(*unmap) || unmap->flags)
			return -EINVAL;
		bytes = unmap_memory(unmap->iova, unmap->size);
		unmap->size = bytes > 0 ? (uint64_t)bytes : 0;
		return bytes < 0 ? -EINVAL : 0;
	}
	default:
		return -ENOTTY;
	}
}

/* As vfio_pci_core_match() reads a name. */
static int get_device(const char *name)
{
	char token[64] = "", expected[64] = "";
	const char *space = strchr(name, ' ');

	snprintf(sim.device_name, sizeof(sim.device_name), "%s", name);
	if (!sim.group_joined || !sim.container_has_iommu)
		return -EINVAL;
	if (!sim.in_group)
		return -ENODEV;
	if (space && sscanf(space, " vf_token=%40s", token) != 1)
		return -EINVAL;
	for (int i = 0; i < 16; i++)
		sprintf(expected + strlen(expected), "%s%02x",
			i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", sim.token[i]);
	if (!sim.token_wanted && space)
		return -EINVAL;
	if (sim.token_wanted && strcmp(token, expected))
		return -EACCES;
	sim.bound = true;
	sim.attached = true;
	sim.device_fd = open_file(&sim.device_ino);
	return sim.device_fd;
}

static int group_ioctl(unsigned long request, void *argument)
{
	switch (request) {
	case VFIO_GROUP_GET_STATUS: {
		struct vfio_group_status *status = argument;

		status->flags = (sim.viable ? VFIO_GROUP_FLAGS_VIABLE : 0) |
				(sim.group_joined ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0);
		return status->argsz < sizeof(*status) ? -EINVAL : 0;
	}
	case VFIO_GROUP_SET_CONTAINER:
		if (sim.group_joined)
			return -EINVAL;
		if (!is_file(*(int *)argument, sim.container_ino))
			return -EBADFD;
		sim.group_joined = true;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return get_device(argument);
	default:
		return -ENOTTY;
	}
}

int tph_system_ioctl(int fd, unsigned long request, void *argument)
{
	int error = injected(request);

	sim.ioctls++;
	if (error)
		return error;
	if (is_device(fd))
		return device_ioctl(request, argument);
	if (is_file(fd, sim.iommu_ino))
		return iommu_ioctl(request, argument);
	if (is_file(fd, sim.container_ino))
		return container_ioctl(request, argument);
	if (is_file(fd, sim.group_ino))
		return group_ioctl(request, argument);
	error = ioctl(fd, request, argument);
	return error < 0 ? -errno : error;
}
