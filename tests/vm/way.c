// SPDX-License-Identifier: MIT
/*
 * libtph by both ways to a device, its node and iommufd, and its group in a container: what is
 * promised of memory and of sharing holds by either, on the kernel itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"
#include "tph.h"

#define ALONE	"0000:01:00.0"
#define FIRST	"0000:02:00.0"	/* two functions in one group */
#define SECOND	"0000:02:00.1"
#define PAGE	4096ull
#define FAR	(1ull << 32)
#define NOBODY	65534
#define OWN_STATUS 99		/* of a child that did not come so far */

#define OPTIONS(...) (&(struct tph_open_options){ .size = sizeof(struct tph_open_options), \
						  __VA_ARGS__ })

static void by_group(void)
{
	guest_command("mv /dev/iommu /dev/iommu.away");
}

static int bring_back(void **state)
{
	(void)state;
	guest_close_all(state);
	return guest_try("test ! -e /dev/iommu.away || mv /dev/iommu.away /dev/iommu");
}

static void *some_memory(size_t size, int protection)
{
	void *memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static void memory_is_as_said(struct tph_device *device)
{
	char *memory = some_memory(4 * PAGE, PROT_READ | PROT_WRITE);
	char *hole = some_memory(2 * PAGE, PROT_READ | PROT_WRITE);
	char *readable = some_memory(PAGE, PROT_READ);

	munmap(hole + PAGE, PAGE);
	assert_int_equal(tph_map(device, memory, PAGE, 0xfee00000, TPH_ACCESS_BOTH), -EINVAL);
	assert_int_equal(tph_map(device, memory, PAGE, 1ull << 60, TPH_ACCESS_BOTH), -EINVAL);
	assert_int_equal(tph_map(device, memory, PAGE, FAR, 0), -EINVAL);
	assert_int_equal(tph_map(device, hole, 2 * PAGE, FAR, TPH_ACCESS_BOTH), -EFAULT);
	assert_int_equal(tph_map(device, readable, PAGE, FAR, TPH_ACCESS_WRITE), -EFAULT);
	assert_int_equal(tph_unmap(device, FAR, PAGE), -ENOENT);
	assert_int_equal(tph_map(device, readable, PAGE, FAR, TPH_ACCESS_READ), 0);
	assert_int_equal(tph_unmap(device, FAR, PAGE), 0);

	assert_int_equal(tph_map(device, memory, 2 * PAGE, FAR, TPH_ACCESS_BOTH), 0);
	assert_int_equal(tph_map(device, memory, PAGE, FAR + PAGE, TPH_ACCESS_BOTH), -EEXIST);
	assert_int_equal(tph_unmap(device, FAR, PAGE), -ENOENT);
	assert_int_equal(tph_unmap(device, FAR + PAGE, 2 * PAGE), -ENOENT);
	assert_int_equal(tph_map(device, memory, PAGE, FAR + PAGE, TPH_ACCESS_BOTH), -EEXIST);
	/* several, and the hole between them */
	assert_int_equal(tph_map(device, memory, PAGE, FAR + 3 * PAGE, TPH_ACCESS_BOTH), 0);
	assert_int_equal(tph_unmap(device, FAR, 4 * PAGE), 0);
	assert_int_equal(tph_unmap(device, FAR, 4 * PAGE), -ENOENT);
	munmap(memory, 4 * PAGE);
	munmap(hole, PAGE);
	munmap(readable, PAGE);
}

/* Steering, and memory that the device reaches until it is unmapped. */
static void use_alone(bool group)
{
	struct guest *g = guest_open(ALONE);

	assert_int_equal(tph_container_fd(g->tph) >= 0, group);
	assert_int_equal(tph_iommu_fd(g->tph) >= 0, !group);
	memory_is_as_said(g->tph);
	guest_run_on(1u << 2);
	assert_int_equal(tph_set_entry(g->tph, 3, 2), 0);
	assert_int_equal(tph_enable(g->tph, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST), 0);
	assert_st(g, 3, TAG_VOLATILE_16(2), 16);
	assert_int_equal(tph_set_entry(g->tph, 3, 1), -EPERM);
	assert_int_equal(tph_unmap(g->tph, DMA_IOVA, DMA_SIZE), 0);
	assert_int_not_equal(guest_dma_fault(g, EP_DMA_WRITE, hint_entry(3, 2)), EP_FAULT_NONE);
	assert_int_equal(tph_map(g->tph, g->dma, DMA_SIZE, DMA_IOVA, TPH_ACCESS_BOTH), 0);
	assert_st(g, 3, TAG_VOLATILE_16(2), 16);
	guest_close(g);
	assert_int_equal(raw_config(ALONE, raw_extended(ALONE, 0x17) + TPH_CTRL, 4), 0);
	guest_run_on(0xf);
}

static void alone_by_its_node(void **state)
{
	(void)state;
	use_alone(false);
}

static void alone_by_its_group(void **state)
{
	(void)state;
	by_group();
	use_alone(true);
}

static void master(struct tph_device *device)
{
	struct vfio_region_info info = { .argsz = sizeof(info),
					 .index = VFIO_PCI_CONFIG_REGION_INDEX };
	const uint16_t command = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;

	assert_int_equal(ioctl(tph_device_fd(device), VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	assert_int_equal(pwrite(tph_device_fd(device), &command, sizeof(command),
				(off_t)info.offset + PCI_COMMAND), sizeof(command));
}

/* What one maps the other reaches, also when that one has gone. */
static void share_between(int alone_error)
{
	struct guest *first = guest_open(FIRST), second = { .bdf = SECOND };

	assert_int_equal(guest_try_open(SECOND), alone_error);
	assert_int_equal(tph_open_with(SECOND, OPTIONS(.share = first->tph), &second.tph), 0);
	second.fd = tph_device_fd(second.tph);
	second.raw = guest_open_raw(SECOND);
	second.cap = guest_extended(&second, 0x17);
	master(second.tph);
	second.dma = first->dma;
	assert_int_equal(tph_set_entry(second.tph, 1, 0), 0);
	assert_int_equal(tph_set_entry(first->tph, 1, 1), 0);
	assert_int_equal(tph_enable(second.tph, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST), 0);
	assert_int_equal(tph_enable(first->tph, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST), 0);
	assert_st(&second, 1, TAG_VOLATILE_16(0), 16);
	assert_st(first, 1, TAG_VOLATILE_16(1), 16);
	tph_close(first->tph);
	assert_st(&second, 1, TAG_VOLATILE_16(0), 16);
	assert_int_equal(tph_unmap(second.tph, DMA_IOVA, DMA_SIZE), 0);
	assert_int_not_equal(guest_dma_fault(&second, EP_DMA_WRITE, hint_entry(1, 2)),
			     EP_FAULT_NONE);
	first->tph = second.tph;
	close(second.raw);
	guest_close(first);
}

static void a_group_is_shared_by_nodes(void **state)
{
	(void)state;
	share_between(-EPERM);
}

static void a_group_is_shared_by_its_node(void **state)
{
	(void)state;
	by_group();
	share_between(-EBUSY);
}

static void what_the_caller_has_is_used(void **state)
{
	int iommu = open("/dev/iommu", O_RDWR | O_CLOEXEC), null = open("/dev/null", O_RDWR);
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	struct tph_device *first, *second;

	(void)state;
	assert_int_equal(tph_open_with(ALONE, OPTIONS(.flags = TPH_OPEN_IOMMU_FD, .iommu_fd = null),
				       &first), -EBADF);
	assert_int_equal(tph_open_with(ALONE, OPTIONS(.flags = TPH_OPEN_CONTAINER_FD,
						      .container_fd = null), &first), -EBADF);
	assert_int_equal(tph_open_with(ALONE, OPTIONS(.flags = TPH_OPEN_IOMMU_FD | TPH_OPEN_IOAS,
						      .iommu_fd = iommu, .ioas = 4711), &first),
			 -EINVAL);
	assert_int_equal(guest_try_open(ALONE), 0);	/* nothing is left of these */
	assert_int_equal(tph_open_with(ALONE, OPTIONS(.flags = TPH_OPEN_IOMMU_FD,
						      .iommu_fd = iommu), &first), 0);
	assert_int_equal(tph_open_with(FIRST, OPTIONS(.flags = TPH_OPEN_IOMMU_FD | TPH_OPEN_IOAS,
						      .iommu_fd = iommu, .ioas = tph_ioas(first)),
				       &second), 0);
	memory_is_as_said(second);
	tph_close(first);
	tph_close(second);
	assert_int_equal(tph_open_with(ALONE, OPTIONS(.flags = TPH_OPEN_CONTAINER_FD,
						      .container_fd = container), &first), 0);
	assert_int_equal(tph_open_with(FIRST, OPTIONS(.flags = TPH_OPEN_CONTAINER_FD,
						      .container_fd = container), &second), 0);
	memory_is_as_said(second);
	tph_close(first);
	tph_close(second);
	close(container);
	close(iommu);
	close(null);
}

static int node_of(const char *bdf)
{
	char path[128], name[32];
	FILE *list;

	snprintf(path, sizeof(path), "ls /sys/bus/pci/devices/%s/vfio-dev", bdf);
	list = popen(path, "r");
	assert_non_null(list);
	assert_int_equal(fscanf(list, "%31s", name), 1);
	pclose(list);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", name);
	return open(path, O_RDWR | O_CLOEXEC);
}

static void a_node_that_is_open_is_bound(void **state)
{
	struct tph_device *device, *again;
	int fd = node_of(ALONE);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = TPH_OPEN_DEVICE_FD, .device_fd = fd),
				       &device), 0);
	memory_is_as_said(device);
	/* and once it is, taken with what it is attached to */
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = TPH_OPEN_DEVICE_FD | TPH_OPEN_IOMMU_FD |
							      TPH_OPEN_IOAS, .device_fd = fd,
						     .iommu_fd = tph_iommu_fd(device),
						     .ioas = tph_ioas(device)), &again), 0);
	memory_is_as_said(again);
	tph_close(again);
	tph_close(device);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

/* What a user gets who may open the group's node alone, and may lock little memory. */
static int as_nobody(void)
{
	const struct rlimit little = { 16 * PAGE, 16 * PAGE };
	struct tph_device *device;
	void *memory;
	int error;

	if (setrlimit(RLIMIT_MEMLOCK, &little) || setgroups(0, NULL) || setgid(NOBODY) ||
	    setuid(NOBODY))
		return OWN_STATUS;
	error = tph_open(ALONE, &device);
	if (error)
		return -error;
	memory = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || tph_container_fd(device) < 0)
		return OWN_STATUS;
	if (tph_map(device, memory, 64 * PAGE, 0, TPH_ACCESS_BOTH) != -ENOMEM)
		return OWN_STATUS + 1;
	if (tph_map(device, memory, 4 * PAGE, 0, TPH_ACCESS_BOTH))
		return OWN_STATUS + 2;
	return tph_set_entry(device, 0, 1) ? OWN_STATUS + 3 : 0;
}

static int nobody_says(void)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child)
		_exit(as_nobody());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void permissions_of_the_group_are_enough(void **state)
{
	(void)state;
	assert_int_equal(nobody_says(), EACCES);
	guest_command("chown 65534 /dev/vfio/$(basename $(readlink /sys/bus/pci/devices/" ALONE
		      "/iommu_group))");
	/* a container is anybody's, the group's node says whose the device is */
	assert_int_equal(nobody_says(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(permissions_of_the_group_are_enough, bring_back),
		cmocka_unit_test_teardown(alone_by_its_node, bring_back),
		cmocka_unit_test_teardown(alone_by_its_group, bring_back),
		cmocka_unit_test_teardown(a_group_is_shared_by_nodes, bring_back),
		cmocka_unit_test_teardown(a_group_is_shared_by_its_node, bring_back),
		cmocka_unit_test_teardown(what_the_caller_has_is_used, bring_back),
		cmocka_unit_test_teardown(a_node_that_is_open_is_bound, bring_back),
	};

	guest_driver("policy=ds-st");
	guest_bind(ALONE, "tph-vfio-pci");
	guest_bind(FIRST, "tph-vfio-pci");
	guest_bind(SECOND, "tph-vfio-pci");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("way", tests, NULL, NULL);
}
