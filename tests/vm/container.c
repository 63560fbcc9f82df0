// SPDX-License-Identifier: MIT
/*
 * The driver by the one way that every kernel has, a group in a type1 container: what it promises,
 * and what the kernel offers that could get past it. Nothing here needs iommufd, or Linux 7.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "group.h"

/* The endpoints of the VM "container" (tests/vm/suites); the first is that of guest.h. */
#define EP_TABLE	"0000:02:00.0"	/* ST table in MSI-X, in BAR 0 at TABLE */
#define EP_STOCK	"0000:03:00.0"	/* no TPH */

#define SYSFS		"/sys/bus/pci/devices/"
#define PARAMETERS	"/sys/module/tph_vfio_pci/parameters/"
#define PAGE		0x1000u
#define TABLE		0x8f80u
#define TABLE_PAGES	0x8000u		/* two: it goes over a page boundary */
#define TABLE_PAGES_END	0xa000u
#define ENTRY		16u
#define VECTORS		16u
#define VECTOR_CONTROL	12u
#define PATIENCE	1000		/* ms, as promised for what nobody tells the kernel of */
#define RACES		20000
#define DMA_BUF		11		/* VFIO_DEVICE_FEATURE_DMA_BUF */

/* Open or not: a test that failed midway leaves it to its teardown. */
static struct group_guest device;
static bool opened;

static void open_by_group(const char *bdf)
{
	group_open(&device, bdf, CONTAINER_TYPE1);
	opened = true;
}

static void close_by_group(void)
{
	opened = false;
	group_close(&device);
	guest_run_on(0xf);
}

static int close_if_open(void **state)
{
	(void)state;
	if (opened)
		close_by_group();
	return 0;
}

static uint64_t bar(unsigned int index)
{
	return (uint64_t)index << 40;
}

/* Entries 0 and 1 steer to CPUs 1 and 2, which the process may run on, and are in force. */
static int steer(const char *bdf)
{
	struct vfio_device_feature_tph_notify notify = { .eventfd = eventfd(0, EFD_CLOEXEC) };
	struct guest *g = &device.g;

	guest_run_on(1u << 1 | 1u << 2);
	open_by_group(bdf);
	if (!strcmp(bdf, EP_TABLE))
		guest_vectors(g, 4);
	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_NOTIFY,
				 &notify, sizeof(notify)), 0);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	assert_int_equal(st_set_one(g, 1, 2), 0);
	assert_int_equal(st_set_one(g, 2, 0), -EPERM);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	return notify.eventfd;
}

static void assert_steered(struct guest *g)
{
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	assert_st(g, 1, TAG_VOLATILE_16(2), 16);
	assert_st(g, 2, 0, 16);
}

static void end(int told)
{
	close_by_group();
	close(told);
}

/* Taken back, with word of it. */
static void assert_taken(struct guest *g, int told, unsigned int first, unsigned int last)
{
	uint64_t count;
	unsigned int i;

	assert_int_equal(poll(&(struct pollfd){ .fd = told, .events = POLLIN }, 1, PATIENCE), 1);
	assert_int_equal(read(told, &count, sizeof(count)), sizeof(count));
	for (i = first; i <= last; i++)
		assert_st(g, i, 0, 16);
}

static void sets_and_ends(const char *bdf)
{
	struct guest *g = &device.g;
	int told;

	told = steer(bdf);
	assert_steered(g);
	assert_int_equal(ioctl(device.group, VFIO_GROUP_UNSET_CONTAINER), -1);
	end(told);
	assert_int_equal(raw_config(bdf, g->cap + TPH_CTRL, 4), 0);
	/* the next user finds nothing */
	open_by_group(bdf);
	if (!strcmp(bdf, EP_TABLE))
		guest_vectors(g, 4);
	assert_plain(g, 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, 0, 16);
	assert_st(g, 1, 0, 16);
	close_by_group();
}

static void both(void (*test)(const char *bdf))
{
	test(EP_CAPABILITY);
	test(EP_TABLE);
}

static void entries_are_set_and_end_with_the_close(void **state)
{
	(void)state;
	both(sets_and_ends);
}

static void hears_no_user(const char *bdf)
{
	uint32_t word = 0x11031103, reg;
	struct guest *g = &device.g;
	int told;

	told = steer(bdf);
	for (reg = TPH_CAP; reg < 0x8c; reg += 4)
		if (reg != TPH_CTRL)
			guest_config_write(g, g->cap + reg, 4, word);
	guest_config_write(g, g->cap + TPH_CTRL, 4, TPH_CTRL_DS | TPH_CTRL_16);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	if (!strcmp(bdf, EP_TABLE))
		for (reg = 0; reg < VECTORS * ENTRY; reg += 4)
			(void)!pwrite(g->fd, &word, 4, (off_t)(bar(0) + TABLE + reg));
	assert_steered(g);
	end(told);
}

static void the_table_takes_no_write_of_the_users(void **state)
{
	(void)state;
	both(hears_no_user);
}

static int ioeventfd(struct guest *g, uint64_t at, int fd)
{
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = bar(0) + at,
		.data = 0x11031103,
		.fd = fd,
	};

	return ioctl(g->fd, VFIO_DEVICE_IOEVENTFD, &arg) ? -errno : 0;
}

/* An eventfd that writes for the user, in the kernel. */
static void no_eventfd_writes_to_the_table(void **state)
{
	int told, fd = eventfd(0, EFD_CLOEXEC);
	uint32_t at;

	(void)state;
	told = steer(EP_TABLE);
	for (at = TABLE; at < TABLE + VECTORS * ENTRY; at += 4)
		assert_int_equal(ioeventfd(&device.g, at, fd), -EINVAL);
	assert_int_equal(ioeventfd(&device.g, TABLE - 4, fd), 0);
	assert_int_equal(ioeventfd(&device.g, TABLE - 4, -1), 0);
	assert_steered(&device.g);
	close(fd);
	end(told);
}

struct answer {
	struct vfio_region_info info;
	/* struct vfio_region_info_cap_sparse_mmap */
	struct {
		struct vfio_info_cap_header header;
		uint32_t nr_areas, reserved;
		struct vfio_region_sparse_mmap_area areas[8];
	} sparse;
};

static int region(struct guest *g, uint32_t index, uint32_t size, struct answer *answer)
{
	memset(answer, 0xa5, sizeof(*answer));
	answer->info.argsz = size;
	answer->info.index = index;
	return ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, answer) ? -errno : 0;
}

static void assert_area(const struct answer *answer, unsigned int i, uint64_t from, uint64_t to)
{
	assert_int_equal(answer->sparse.areas[i].offset, from);
	assert_int_equal(answer->sparse.areas[i].size, to - from);
}

static void the_tables_pages_cannot_be_mapped(void **state)
{
	struct guest *g = &device.g;
	const size_t bare = sizeof(struct vfio_region_info);
	struct answer answer;
	int told;

	(void)state;
	told = steer(EP_TABLE);
	assert_int_equal(region(g, 0, sizeof(answer), &answer), 0);
	assert_int_equal(answer.info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
			 VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS);
	assert_int_equal(answer.info.index, 0);
	assert_int_equal(answer.info.size, EP_BAR_SIZE);
	assert_int_equal(answer.info.offset, bar(0));
	assert_int_equal(answer.info.cap_offset, offsetof(struct answer, sparse));
	assert_int_equal(answer.sparse.header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	assert_int_equal(answer.sparse.header.version, 1);
	assert_int_equal(answer.sparse.header.next, 0);
	assert_int_equal(answer.sparse.nr_areas, 2);
	assert_area(&answer, 0, 0, TABLE_PAGES);
	/* the pending bit array has the last page */
	assert_area(&answer, 1, TABLE_PAGES_END, EP_BAR_SIZE - PAGE);

	assert_false(guest_mappable(g, bar(0) + TABLE_PAGES, PAGE));
	assert_false(guest_mappable(g, bar(0) + TABLE_PAGES + PAGE, PAGE));
	assert_false(guest_mappable(g, bar(0) + TABLE_PAGES - PAGE, 2 * PAGE));
	assert_false(guest_mappable(g, bar(0) + TABLE_PAGES_END - PAGE, 2 * PAGE));
	assert_false(guest_mappable(g, bar(0), EP_BAR_SIZE));
	assert_true(guest_mappable(g, bar(0), TABLE_PAGES));
	assert_true(guest_mappable(g, bar(0) + TABLE_PAGES_END, EP_BAR_SIZE - TABLE_PAGES_END));

	/* without room for the areas: how much it takes */
	assert_int_equal(region(g, 0, bare, &answer), 0);
	assert_true(answer.info.flags & VFIO_REGION_INFO_FLAG_CAPS);
	assert_int_equal(answer.info.cap_offset, 0);
	assert_int_equal(answer.info.argsz,
			 bare + offsetof(struct vfio_region_info_cap_sparse_mmap, areas) +
			 2 * sizeof(struct vfio_region_sparse_mmap_area));
	assert_int_equal(answer.sparse.nr_areas, 0xa5a5a5a5);
	assert_int_equal(region(g, 0, bare - 1, &answer), -EINVAL);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, NULL), -1);
	assert_int_equal(errno, EFAULT);

	/* the other regions are the core's */
	assert_int_equal(region(g, VFIO_PCI_CONFIG_REGION_INDEX, sizeof(answer), &answer), 0);
	assert_int_equal(answer.info.size, PCI_CFG_SPACE_EXP_SIZE);
	assert_int_equal(region(g, VFIO_PCI_BAR1_REGION_INDEX, sizeof(answer), &answer), 0);
	assert_int_equal(answer.info.size, 0);
	assert_int_equal(region(g, 1000, sizeof(answer), &answer), -EINVAL);
	end(told);
}

static _Atomic bool racing;

static void *change_index(void *arg)
{
	volatile uint32_t *index = arg;

	while (racing)
		*index ^= VFIO_PCI_CONFIG_REGION_INDEX;
	return NULL;
}

/* The kernel may read the index twice. What a user is told then maps nothing for it. */
static void an_index_that_changes_maps_nothing(void **state)
{
	struct guest *g = &device.g;
	static struct answer answer;
	pthread_t thread;
	int told, i;

	(void)state;
	told = steer(EP_TABLE);
	memset(&answer, 0, sizeof(answer));
	racing = true;
	assert_int_equal(pthread_create(&thread, NULL, change_index, &answer.info.index), 0);
	for (i = 0; i < RACES; i++) {
		answer.info.argsz = sizeof(answer);
		assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, &answer), 0);
		if (i % 100 == 0)
			assert_false(guest_mappable(g, bar(0) + TABLE_PAGES, PAGE));
	}
	racing = false;
	pthread_join(thread, NULL);
	assert_steered(g);
	end(told);
}

/* Whether this kernel has dma-bufs of devices or not. */
static void the_tables_pages_cannot_be_exported(void **state)
{
	struct {
		uint32_t region, open_flags, flags, nr_ranges;
		uint64_t offset, length;
	} export = { .open_flags = O_RDWR, .nr_ranges = 1, .offset = TABLE_PAGES, .length = PAGE };
	struct guest *g = &device.g;
	int told, ret;

	(void)state;
	told = steer(EP_TABLE);
	ret = feature(g->fd, VFIO_DEVICE_FEATURE_GET | DMA_BUF, &export, sizeof(export));
	if (feature(g->fd, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET | DMA_BUF, NULL, 0)) {
		assert_int_equal(ret, -ENOTTY);
		/* nor are there tags for them */
		assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
					 VFIO_DEVICE_FEATURE_DMA_BUF_TPH, NULL, 0), -ENOTTY);
	} else {
		assert_int_equal(ret, -EINVAL);
	}
	end(told);
}

static void outlives_resets(const char *bdf)
{
	struct vfio_pci_hot_reset *hot = calloc(1, sizeof(*hot) + sizeof(int32_t));
	struct guest *g = &device.g;
	uint32_t command;
	int told;

	told = steer(bdf);
	command = guest_config(g, PCI_COMMAND, 2);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_steered(g);

	hot->argsz = sizeof(*hot) + sizeof(int32_t);
	hot->count = 1;
	hot->group_fds[0] = device.group;
	if (ioctl(g->fd, VFIO_DEVICE_PCI_HOT_RESET, hot))
		fail_msg("hot reset: %s", strerror(errno));
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_steered(g);

	guest_command("echo 1 >" SYSFS "%s/reset", bdf);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_steered(g);
	free(hot);
	end(told);
}

static void resets_bring_the_table_back(void **state)
{
	(void)state;
	both(outlives_resets);
}

static void outlives_sleep(const char *bdf)
{
	struct guest *g = &device.g;
	uint8_t pm = 0, cap;
	int told;

	told = steer(bdf);
	for (cap = guest_config(g, PCI_CAPABILITY_LIST, 1); cap; cap = guest_config(g, cap + 1, 1))
		if (guest_config(g, cap, 1) == PCI_CAP_ID_PM)
			pm = cap;
	assert_int_not_equal(pm, 0);
	guest_config_write(g, pm + PCI_PM_CTRL, 2, 3);
	guest_config_write(g, pm + PCI_PM_CTRL, 2, 0);
	assert_steered(g);
	end(told);
}

static void d3hot_brings_the_table_back(void **state)
{
	(void)state;
	both(outlives_sleep);
}

/* Vectors that go take their tags along, and bring them back. */
static void vectors_come_and_go(void **state)
{
	struct guest *g = &device.g;
	int told;

	(void)state;
	told = steer(EP_TABLE);
	guest_vectors(g, 0);
	assert_st(g, 0, 0, 16);
	guest_vectors(g, 8);
	assert_steered(g);
	end(told);
}

static void ends_with_its_cpus(const char *bdf)
{
	int told;

	told = steer(bdf);
	guest_run_on(1u << 1);
	assert_taken(&device.g, told, 1, 1);
	assert_st(&device.g, 0, TAG_VOLATILE_16(1), 16);
	guest_run_on(1u << 0);
	assert_taken(&device.g, told, 0, 1);
	end(told);
}

static void what_a_process_loses_is_taken_back(void **state)
{
	(void)state;
	both(ends_with_its_cpus);
}

static void ends_with_its_process(const char *bdf)
{
	struct guest *g = &device.g;
	int told, status;
	pid_t pid;

	told = steer(bdf);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(st_set_one(g, 2, 1) != 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_taken(g, told, 2, 2);
	assert_steered(g);
	end(told);
}

static void what_a_process_set_ends_with_it(void **state)
{
	(void)state;
	both(ends_with_its_process);
}

static void ends_with_the_list(const char *bdf)
{
	int told;

	told = steer(bdf);
	guest_command("echo 0-1 >" SYSFS "%s/tph/cpus", bdf);
	assert_taken(&device.g, told, 1, 1);
	assert_st(&device.g, 0, TAG_VOLATILE_16(1), 16);
	assert_int_equal(st_set_one(&device.g, 1, 2), -EPERM);
	guest_command("echo 0-3 >" SYSFS "%s/tph/cpus", bdf);
	end(told);
}

static void what_the_operator_takes_is_taken_back(void **state)
{
	(void)state;
	both(ends_with_the_list);
}

static void ends_with_the_cpu(const char *bdf)
{
	int told;

	told = steer(bdf);
	guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
	assert_taken(&device.g, told, 1, 1);
	assert_st(&device.g, 0, TAG_VOLATILE_16(1), 16);
	assert_int_equal(st_set_one(&device.g, 1, 2), -EPERM);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
	end(told);
}

static void a_cpu_that_goes_offline_is_taken_back(void **state)
{
	(void)state;
	both(ends_with_the_cpu);
}

static bool one_set_for_all(void)
{
	struct stat parameter;

	if (stat(PARAMETERS "nointxmask", &parameter))
		fail_msg(PARAMETERS "nointxmask: %s", strerror(errno));
	return !(parameter.st_mode & S_IWUSR);
}

/*
 * Where vfio-pci-core has one set of parameters for all its drivers, ours changes none that another
 * may have set. Where each device has its own, there is nothing to mind.
 */
static void parameters_change_no_other_driver(void **state)
{
	bool global = one_set_for_all();
	int ret;

	(void)state;
	guest_command("modprobe vfio-pci");
	guest_bind(EP_STOCK, "vfio-pci");
	guest_driver("policy=iv-st");
	guest_command("rmmod tph_vfio_pci");
	ret = guest_try("modprobe tph-vfio-pci disable_idle_d3=1 2>/dev/null");
	if (global) {
		assert_int_not_equal(ret, 0);
		guest_command("dmesg | grep -q 'all drivers.*vfio-pci uses it already'");
	} else {
		assert_int_equal(ret, 0);
		guest_command("rmmod tph_vfio_pci");
	}
	guest_command("echo " EP_STOCK " >" SYSFS EP_STOCK "/driver/unbind");
	guest_command("rmmod vfio_pci");
	guest_driver("disable_idle_d3=1");
	guest_driver("policy=iv-st");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(entries_are_set_and_end_with_the_close, close_if_open),
		cmocka_unit_test_teardown(the_table_takes_no_write_of_the_users, close_if_open),
		cmocka_unit_test_teardown(no_eventfd_writes_to_the_table, close_if_open),
		cmocka_unit_test_teardown(the_tables_pages_cannot_be_mapped, close_if_open),
		cmocka_unit_test_teardown(an_index_that_changes_maps_nothing, close_if_open),
		cmocka_unit_test_teardown(the_tables_pages_cannot_be_exported, close_if_open),
		cmocka_unit_test_teardown(resets_bring_the_table_back, close_if_open),
		cmocka_unit_test_teardown(d3hot_brings_the_table_back, close_if_open),
		cmocka_unit_test_teardown(vectors_come_and_go, close_if_open),
		cmocka_unit_test_teardown(what_a_process_loses_is_taken_back, close_if_open),
		cmocka_unit_test_teardown(what_a_process_set_ends_with_it, close_if_open),
		cmocka_unit_test_teardown(what_the_operator_takes_is_taken_back, close_if_open),
		cmocka_unit_test_teardown(a_cpu_that_goes_offline_is_taken_back, close_if_open),
		cmocka_unit_test_teardown(parameters_change_no_other_driver, close_if_open),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
