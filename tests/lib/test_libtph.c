// SPDX-License-Identifier: MIT
/* libtph against the simulated kernel. What must not work comes first. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel_abi.h"
#include "simulated_kernel.h"
#include "system.h"
#include "tph.h"

#define BDF	"0000:01:00.0"

static char sysfs[] = "/tmp/libtph-test-XXXXXX";

static void make_directory(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", sysfs, path);
	assert_int_equal(mkdir(full, 0755), 0);
}

static void put_file(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", sysfs, path);
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void drop(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", sysfs, path);
	assert_int_equal(remove(full), 0);
}

#define DEVICES	"/bus/pci/devices/"

/* of a kernel without nodes of devices, in one group; and one with either way */
#define MEMBER	"0000:06:00.0"
#define MEMBER2	"0000:06:00.1"
#define EITHER	"0000:07:00.0"

static void link_to(const char *path, const char *target)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", sysfs, path);
	assert_int_equal(symlink(target, full), 0);
}

static int make_sysfs(void **context)
{
	static const char *const directories[] = {
		"/bus", "/bus/pci", "/bus/pci/devices",
		DEVICES BDF, DEVICES BDF "/vfio-dev", DEVICES BDF "/vfio-dev/vfio7",
		DEVICES "0000:02:00.0",					/* another driver's */
		DEVICES "0000:03:00.0", DEVICES "0000:03:00.0/vfio-dev",	/* no name in it */
		DEVICES "0000:03:00.0/vfio-dev/noiommu-vfio8",
		DEVICES "0000:04:00.0", DEVICES "0000:04:00.0/vfio-dev",	/* no node */
		DEVICES "0000:04:00.0/vfio-dev/vfio9",
		DEVICES "0000:05:00.0", DEVICES "0000:05:00.0/vfio-dev",	/* no such kernel */
		DEVICES "0000:05:00.0/vfio-dev/vfio7",
		DEVICES "10000:e1:1f.7", DEVICES "10000:e1:1f.7/vfio-dev",
		DEVICES "10000:e1:1f.7/vfio-dev/vfio7",
		DEVICES MEMBER, DEVICES MEMBER "/vfio-dev", DEVICES MEMBER "/vfio-dev/vfio7",
		DEVICES MEMBER2, DEVICES MEMBER2 "/vfio-dev", DEVICES MEMBER2 "/vfio-dev/vfio8",
		DEVICES EITHER, DEVICES EITHER "/vfio-dev", DEVICES EITHER "/vfio-dev/vfio7",
	};

	(void)context;
	if (!mkdtemp(sysfs))
		return -1;
	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++)
		make_directory(directories[i]);
	put_file(DEVICES BDF "/vfio-dev/vfio7/dev", "511:7\n");
	put_file(DEVICES "0000:04:00.0/vfio-dev/vfio9/dev", "511:9\n");
	put_file(DEVICES "10000:e1:1f.7/vfio-dev/vfio7/dev", "511:7\n");
	put_file(DEVICES EITHER "/vfio-dev/vfio7/dev", "511:7\n");
	link_to(DEVICES MEMBER "/iommu_group", "../../../kernel/iommu_groups/" SIM_GROUP);
	link_to(DEVICES MEMBER2 "/iommu_group", "../../../kernel/iommu_groups/" SIM_GROUP);
	link_to(DEVICES EITHER "/iommu_group", "../../../kernel/iommu_groups/" SIM_GROUP);
	return 0;
}

static int remove_sysfs(void **context)
{
	char command[PATH_MAX];

	(void)context;
	snprintf(command, sizeof(command), "rm -r '%s'", sysfs);
	return system(command);
}

static unsigned int open_descriptors(void)
{
	unsigned int count = 0;
	DIR *directory = opendir("/proc/self/fd");

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static int setup(void **context)
{
	(void)context;
	sim_reset(sysfs);
	return 0;
}

/* Opening must fail so, leave no descriptor open and the handle alone. */
static void assert_open_fails_(const char *bdf, int expected, int line)
{
	struct tph_device *const untouched = (struct tph_device *)&sim;
	struct tph_device *device = untouched;
	unsigned int before = open_descriptors();
	int error = tph_open(bdf, &device);

	if (error != expected)
		fail_msg("line %d: tph_open(\"%s\") is %d, not %d", line, bdf, error, expected);
	assert_ptr_equal(device, untouched);
	assert_int_equal(open_descriptors(), before);
}
#define assert_open_fails(bdf, expected) assert_open_fails_(bdf, expected, __LINE__)

static struct tph_device *open_device(void)
{
	struct tph_device *device = NULL;

	assert_int_equal(tph_open(BDF, &device), 0);
	assert_non_null(device);
	return device;
}

static void open_rejects_malformed_addresses(void **context)
{
	static const char *const malformed[] = {
		"", ":", "0", "01:00", "01:00.", "01:00.8", "01:20.0", "1:00.0", "01:0.0",
		"001:00.0",
		"01:00.00", "01:00.0 ", " 01:00.0", "01:00.0\n", "0x01:00.0", "-1:00.0", "g1:00.0",
		"000:01:00.0", ":01:00.0", "0000:0000:01:00.0", "0000:01:00:0", "0000.01.00.0",
		"000000000:01:00.0", "0000:01:00.0/..", "../../../etc", "/dev/null", "0000::00.0",
		"+001:01:00.0", "0000:01:-1.0", "0000:01:00.-",
	};

	(void)context;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++)
		assert_open_fails(malformed[i], -EINVAL);
	assert_int_equal(sim.opens, 0);
}

static void open_tells_what_is_missing(void **context)
{
	(void)context;
	assert_open_fails("0000:09:00.0", -ENODEV);	/* no such device */
	assert_open_fails("0000:02:00.0", -ENODEV);	/* no VFIO driver */
	assert_open_fails("0000:03:00.0", -ENODEV);	/* no device that users can open */
	assert_open_fails("0000:04:00.0", -ENOENT);	/* no node in /dev */
	assert_open_fails("0000:05:00.0", -ENOENT);	/* kernel without character devices */
	sim.node_error = ENXIO;
	assert_open_fails(BDF, -ENODEV);
	sim.node_error = EACCES;
	assert_open_fails(BDF, -EACCES);
	sim.node_error = EMFILE;
	assert_open_fails(BDF, -EMFILE);
	sim.node_error = 0;
	sim.iommu_error = ENOENT;
	assert_open_fails(BDF, -ENOENT);
	sim.iommu_error = ENODEV;
	assert_open_fails(BDF, -ENOENT);
	sim.iommu_error = ENXIO;
	assert_open_fails(BDF, -ENOENT);
	sim.iommu_error = EACCES;
	assert_open_fails(BDF, -EACCES);
}

static void open_rejects_a_node_of_another_device(void **context)
{
	(void)context;
	sim.node_number++;
	assert_open_fails(BDF, -ENODEV);
	assert_int_equal(sim.ioctls, 0);
}

static void open_rejects_a_malformed_device_number(void **context)
{
	static const char *const malformed[] = { "", "511", "511:7", "511:7 ", "a:b\n", "511:\n" };

	(void)context;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++) {
		put_file(DEVICES "0000:05:00.0/vfio-dev/vfio7/dev", malformed[i]);
		assert_open_fails("0000:05:00.0", -EIO);
	}
	drop(DEVICES "0000:05:00.0/vfio-dev/vfio7/dev");
}

static void open_undoes_every_step(void **context)
{
	static const struct {
		unsigned long request;
		int error, expected;
	} steps[] = {
		{ TPH_VFIO_BIND_IOMMUFD, EINVAL, -EBUSY },	/* open through its node */
		{ TPH_VFIO_BIND_IOMMUFD, EBUSY, -EBUSY },	/* open through its group */
		{ TPH_VFIO_BIND_IOMMUFD, EPERM, -EPERM },	/* group shared with the host */
		{ TPH_VFIO_BIND_IOMMUFD, EACCES, -ENOKEY },	/* wants a VF token */
		{ TPH_VFIO_BIND_IOMMUFD, ENODEV, -ENODEV },
		{ TPH_IOMMU_IOAS_ALLOC, ENOMEM, -ENOMEM },
		{ TPH_IOMMU_IOAS_ALLOC, EINVAL, -EIO },
		{ TPH_VFIO_ATTACH_IOMMUFD, EBUSY, -EBUSY },
		{ TPH_VFIO_ATTACH_IOMMUFD, EPERM, -EPERM },
		{ TPH_VFIO_ATTACH_IOMMUFD, EINVAL, -EIO },
		{ VFIO_DEVICE_GET_INFO, EIO, -EIO },
		{ VFIO_DEVICE_GET_INFO, EINVAL, -EIO },
		{ VFIO_DEVICE_GET_REGION_INFO, ENOMEM, -ENOMEM },
	};

	(void)context;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		sim_reset(sysfs);
		sim_fail(steps[i].request, 0, steps[i].error);
		assert_open_fails(BDF, steps[i].expected);
	}
	sim_reset(sysfs);
	sim.held = true;
	assert_open_fails(BDF, -EBUSY);
	sim_reset(sysfs);
	sim.pci = false;
	assert_open_fails(BDF, -EIO);
}

#define TOKEN	"bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3"

static int open_with(const char *token, struct tph_device **device)
{
	return tph_open_with(BDF, &(struct tph_open_options){
			.size = sizeof(struct tph_open_options), .vf_token = token }, device);
}

static void want_token(void)
{
	static const unsigned char token[16] = { 0xbd, 0x8d, 0x9d, 0x2b, 0x5a, 0x5f, 0x4f, 0x5a,
						 0xa2, 0x11, 0xf5, 0x91, 0x51, 0x4b, 0xa1, 0xf3 };

	sim_reset(sysfs);
	sim.token_wanted = true;
	memcpy(sim.token, token, sizeof(token));
}

static void open_tells_what_is_wrong_with_a_token(void **context)
{
	static const char *const malformed[] = {
		"", "bd8d9d2b", "bd8d9d2b5a5f4f5aa211f591514ba1f3", (TOKEN "0"), (TOKEN " "), (" " TOKEN),
		"bd8d9d2b-5a5f-4f5a-a211-f591514ba1f", "bd8d9d2b-5a5f-4f5a-a211f-591514ba1f3",
		"gd8d9d2b-5a5f-4f5a-a211-f591514ba1f3", "bd8d9d2b-5a5f-4f5a-a211-f591514ba1fg",
		"{bd8d9d2b-5a5f-4f5a-a211-f591514ba1f}", "bd8d9d2b-5a5f-4f5a-a211 f591514ba1f3",
	};
	struct tph_device *const untouched = (struct tph_device *)&sim;
	struct tph_device *device = untouched;
	unsigned int before = open_descriptors();

	(void)context;
	want_token();
	for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++)
		assert_int_equal(open_with(malformed[i], &device), -EINVAL);
	assert_int_equal(sim.opens, 0);
	assert_int_equal(open_with(NULL, &device), -ENOKEY);
	assert_int_equal(sim.bind_argsz, 16);		/* what kernels take that know no token */
	assert_int_equal(tph_open(BDF, &device), -ENOKEY);
	sim.token[15]++;
	assert_int_equal(open_with(TOKEN, &device), -EKEYREJECTED);
	sim.token[15]--;
	sim.held = true;
	assert_int_equal(open_with(TOKEN, &device), -EBUSY);
	sim.node_error = EACCES;
	assert_int_equal(open_with(TOKEN, &device), -EACCES);
	/* no VF of a PF that is used through VFIO, or a kernel that asks nobody */
	sim_reset(sysfs);
	assert_int_equal(open_with(TOKEN, &device), -EINVAL);
	sim.held = true;
	assert_int_equal(open_with(TOKEN, &device), -EBUSY);
	sim_reset(sysfs);
	sim.kernel_takes_tokens = false;
	assert_int_equal(open_with(TOKEN, &device), -EINVAL);
	assert_ptr_equal(device, untouched);
	assert_int_equal(open_descriptors(), before);
}

static void open_takes_a_token(void **context)
{
	static const char *const spellings[] = { TOKEN, "BD8D9D2B-5A5F-4F5A-A211-F591514BA1F3" };
	struct tph_device *device;

	(void)context;
	for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
		want_token();
		assert_int_equal(open_with(spellings[i], &device), 0);
		assert_true(sim.attached);
		assert_int_equal(sim.bind_argsz, 24);
		tph_close(device);
	}
}

/* A program may be built for an older library than it finds, or a newer one. */
static void open_takes_options_of_other_versions(void **context)
{
	struct {
		struct tph_open_options options;
		unsigned char more[16];
	} newer = { .options = { .size = sizeof(newer) } };
	struct tph_device *device;

	(void)context;
	assert_int_equal(tph_open_with(BDF, NULL, &device), 0);
	tph_close(device);
	assert_int_equal(tph_open_with(BDF, &newer.options, &device), 0);
	tph_close(device);
	newer.more[15] = 1;
	assert_int_equal(tph_open_with(BDF, &newer.options, &device), -E2BIG);
	for (size_t size = 0; size < sizeof(size_t) + sizeof(char *); size++) {
		newer.options.size = size;
		assert_int_equal(tph_open_with(BDF, &newer.options, &device), -EINVAL);
	}
	newer.options.size = sizeof(newer.options);
	assert_int_equal(tph_open_with(BDF, &newer.options, &device), 0);
	tph_close(device);
}

static void open_attaches_an_own_address_space(void **context)
{
	unsigned int before = open_descriptors();
	struct tph_device *device = open_device();

	(void)context;
	assert_true(sim.bound);
	assert_true(sim.attached);
	assert_int_equal(sim.bind_argsz, 16);
	assert_int_equal(sim.bind_iommufd, sim.iommu_fd);
	assert_int_equal(sim.alloc_size, 12);
	assert_int_equal(sim.attach_argsz, 12);
	assert_int_equal(sim.attach_pt_id, 42);
	assert_int_equal(tph_device_fd(device), sim.device_fd);
	assert_int_equal(tph_iommu_fd(device), sim.iommu_fd);
	assert_int_equal(tph_ioas(device), 42);	/* not the page table made for it */
	assert_int_equal(open_descriptors(), before + 2);
	tph_close(device);
	assert_int_equal(open_descriptors(), before);
}

static void open_takes_every_spelling_of_an_address(void **context)
{
	static const char *const spellings[] = { "0000:01:00.0", "01:00.0", "00000000:01:00.0",
						 "10000:e1:1f.7", "00010000:E1:1F.7" };
	struct tph_device *device;

	(void)context;
	for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
		assert_int_equal(tph_open(spellings[i], &device), 0);
		tph_close(device);
	}
}

/* Without nodes of devices there are those of groups, and what is wrong with them is told. */
static void group_tells_what_is_missing(void **context)
{
	static const struct {
		unsigned long request;
		int error, expected;
	} steps[] = {
		{ VFIO_GROUP_GET_STATUS, EINVAL, -EIO },
		{ VFIO_GROUP_SET_CONTAINER, EPERM, -EPERM },
		{ VFIO_GROUP_SET_CONTAINER, EINVAL, -EIO },
		{ VFIO_GET_API_VERSION, EIO, -EIO },
		{ VFIO_SET_IOMMU, EPERM, -EPERM },	/* no interrupt remapping */
		{ VFIO_SET_IOMMU, ENOMEM, -ENOMEM },
		{ VFIO_GROUP_GET_DEVICE_FD, EINVAL, -EIO },
		{ VFIO_GROUP_GET_DEVICE_FD, EMFILE, -EMFILE },
		{ VFIO_DEVICE_GET_INFO, EIO, -EIO },
	};

	(void)context;
	sim.group_error = EACCES;
	assert_open_fails(MEMBER, -EACCES);
	sim.group_error = EBUSY;
	assert_open_fails(MEMBER, -EBUSY);
	sim.group_error = ENXIO;
	assert_open_fails(MEMBER, -ENODEV);
	sim.group_error = ENOENT;
	assert_open_fails(MEMBER, -ENOENT);
	sim_reset(sysfs);
	sim.viable = false;
	assert_open_fails(MEMBER, -EPERM);
	sim_reset(sysfs);
	sim.container_error = ENXIO;
	assert_open_fails(MEMBER, -ENOENT);
	sim.container_error = EACCES;
	assert_open_fails(MEMBER, -EACCES);
	sim_reset(sysfs);
	sim.type1 = false;
	assert_open_fails(MEMBER, -ENOENT);
	assert_false(sim.group_joined);
	sim_reset(sysfs);
	sim.in_group = false;
	assert_open_fails(MEMBER, -ENODEV);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		sim_reset(sysfs);
		sim_fail(steps[i].request, 0, steps[i].error);
		assert_open_fails(MEMBER, steps[i].expected);
	}
}

/* What is barred first is what to mend, if the other way does not exist at all. */
static void open_takes_the_way_that_there_is(void **context)
{
	static const int barred[] = { ENOENT, EACCES, EPERM };
	struct tph_device *device;

	(void)context;
	for (size_t i = 0; i < sizeof(barred) / sizeof(*barred); i++) {
		sim_reset(sysfs);
		sim.node_error = barred[i];
		assert_int_equal(tph_open(EITHER, &device), 0);
		assert_int_equal(tph_container_fd(device), sim.container_fd);
		tph_close(device);
		sim.group_error = ENOENT;
		assert_open_fails(EITHER, -barred[i]);
		sim_reset(sysfs);
		sim.iommu_error = barred[i];
		assert_int_equal(tph_open(EITHER, &device), 0);
		assert_int_equal(tph_container_fd(device), sim.container_fd);
		tph_close(device);
		sim.container_error = EACCES;
		assert_open_fails(EITHER, -EACCES);
	}
	/* a device that others have by one way is not had by the other */
	sim_reset(sysfs);
	sim.node_error = EBUSY;
	assert_open_fails(EITHER, -EBUSY);
	sim_reset(sysfs);
	sim.held = true;
	assert_open_fails(EITHER, -EBUSY);
	sim_reset(sysfs);
	sim_fail(TPH_VFIO_BIND_IOMMUFD, 0, EPERM);
	assert_open_fails(EITHER, -EPERM);
	sim_reset(sysfs);
	assert_int_equal(tph_open(EITHER, &device), 0);
	assert_int_equal(tph_container_fd(device), -EBADF);
	assert_int_equal(tph_group_fd(device), -EBADF);
	assert_int_equal(tph_iommu_fd(device), sim.iommu_fd);
	tph_close(device);
}

static void group_gives_a_device_that_steers(void **context)
{
	unsigned int before = open_descriptors();
	struct tph_device *device;

	(void)context;
	assert_int_equal(tph_open(MEMBER, &device), 0);
	assert_true(sim.attached);
	assert_string_equal(sim.device_name, MEMBER);
	assert_int_equal(tph_device_fd(device), sim.device_fd);
	assert_int_equal(tph_iommu_fd(device), -EBADF);
	assert_int_equal(tph_ioas(device), 0);
	assert_int_equal(tph_container_fd(device), sim.container_fd);
	assert_int_equal(tph_group_fd(device), sim.group_fd);
	assert_int_equal(open_descriptors(), before + 3);
	assert_int_equal(tph_set_entry(device, 7, 3), 0);
	assert_int_equal(sim.cpu_of[7], 3);
	tph_close(device);
	assert_int_equal(open_descriptors(), before);
}

static int open_member_with(const char *token, struct tph_device **device)
{
	return tph_open_with(MEMBER, &(struct tph_open_options){
			.size = sizeof(struct tph_open_options), .vf_token = token }, device);
}

static void group_takes_a_token(void **context)
{
	struct tph_device *const untouched = (struct tph_device *)&sim;
	struct tph_device *device = untouched;
	unsigned int before = open_descriptors();

	(void)context;
	want_token();
	assert_int_equal(open_member_with(NULL, &device), -ENOKEY);
	sim.token[0]++;
	assert_int_equal(open_member_with(TOKEN, &device), -EKEYREJECTED);
	sim.token_wanted = false;
	assert_int_equal(open_member_with(TOKEN, &device), -EINVAL);
	assert_string_equal(sim.device_name, MEMBER);
	sim_fail(VFIO_GROUP_GET_DEVICE_FD, 0, EINVAL);
	assert_int_equal(open_member_with(TOKEN, &device), -EIO);
	assert_ptr_equal(device, untouched);
	assert_int_equal(open_descriptors(), before);
	want_token();
	assert_int_equal(open_member_with("BD8D9D2B-5A5F-4F5A-A211-F591514BA1F3", &device), 0);
	assert_string_equal(sim.device_name, MEMBER " vf_token=" TOKEN);
	tph_close(device);
}

/* All that is said of one address space, by whichever way it is reached. */
static void check_mapping(struct tph_device *device)
{
	static _Alignas(SIM_PAGE) char memory[4 * SIM_PAGE];
	const struct sim_mapping *mapping;
	const uint64_t page = SIM_PAGE, far = 1ull << 32;

	assert_int_equal(tph_map(device, memory, 0, far, TPH_ACCESS_BOTH), -EINVAL);
	assert_int_equal(tph_map(device, memory, page + 1, far, TPH_ACCESS_BOTH), -EINVAL);
	assert_int_equal(tph_map(device, memory, page, far + 8, TPH_ACCESS_BOTH), -EINVAL);
	assert_int_equal(tph_map(device, memory + 8, page, far, TPH_ACCESS_BOTH), -EINVAL);
	assert_int_equal(tph_map(device, memory, page, far, 0), -EINVAL);
	assert_int_equal(tph_map(device, memory, page, far, 4), -EINVAL);
	assert_int_equal(tph_map(device, memory, 2 * page, -page, TPH_ACCESS_BOTH), -EINVAL);
	assert_int_equal(tph_map(device, memory, -page, page, TPH_ACCESS_BOTH), -EINVAL);
	assert_int_equal(tph_unmap(device, far, 0), -EINVAL);
	assert_int_equal(tph_unmap(device, far, page - 1), -EINVAL);
	assert_int_equal(tph_unmap(device, -page, 2 * page), -EINVAL);
	assert_int_equal(tph_map(device, memory, page, 0xfee00000, TPH_ACCESS_BOTH), -EINVAL);
	assert_int_equal(tph_map(device, memory, page, 1ull << 60, TPH_ACCESS_BOTH), -EINVAL);
	assert_null(sim_mapping_at(far));
	assert_int_equal(tph_unmap(device, far, page), -ENOENT);

	assert_int_equal(tph_map(device, memory, 2 * page, far, TPH_ACCESS_WRITE), 0);
	mapping = sim_mapping_at(far + page);
	assert_non_null(mapping);
	assert_int_equal(mapping->memory, (uintptr_t)memory);
	assert_true(mapping->write && !mapping->read);
	assert_int_equal(tph_map(device, memory, page, far + page, TPH_ACCESS_READ), -EEXIST);
	assert_int_equal(tph_unmap(device, far, page), -ENOENT);
	assert_int_equal(tph_unmap(device, far + page, 2 * page), -ENOENT);
	assert_non_null(sim_mapping_at(far));
	assert_int_equal(tph_map(device, memory, page, far + 3 * page, TPH_ACCESS_READ), 0);
	mapping = sim_mapping_at(far + 3 * page);
	assert_true(mapping->read && !mapping->write);
	assert_int_equal(tph_unmap(device, far, 4 * page), 0);
	assert_null(sim_mapping_at(far));
	assert_null(sim_mapping_at(far + 3 * page));
	assert_int_equal(tph_map(device, memory, page, 0, TPH_ACCESS_BOTH), 0);
	mapping = sim_mapping_at(0);
	assert_true(mapping->read && mapping->write);
	assert_int_equal(tph_unmap(device, 0, page), 0);
}

static void memory_is_mapped_by_either_way(void **context)
{
	struct tph_device *device;
	int fd;

	(void)context;
	assert_int_equal(tph_open(BDF, &device), 0);
	check_mapping(device);
	sim_fail(TPH_IOMMU_IOAS_MAP, 0, ENOMEM);
	assert_int_equal(tph_map(device, NULL, SIM_PAGE, 0, TPH_ACCESS_READ), -ENOMEM);
	tph_close(device);
	assert_int_equal(tph_open(MEMBER, &device), 0);
	check_mapping(device);
	sim_fail(VFIO_IOMMU_MAP_DMA, 0, EFAULT);
	assert_int_equal(tph_map(device, NULL, SIM_PAGE, 0, TPH_ACCESS_READ), -EFAULT);
	tph_close(device);
	/* whoever brought the device knows its address space */
	fd = eventfd(0, EFD_CLOEXEC);
	sim_adopt(fd);
	assert_int_equal(tph_from_fd(fd, &device), 0);
	assert_int_equal(tph_map(device, NULL, SIM_PAGE, 0, TPH_ACCESS_READ), -EBADF);
	assert_int_equal(tph_unmap(device, 0, SIM_PAGE), -EBADF);
	tph_close(device);
	close(fd);
}

#define OPTIONS(...) (&(struct tph_open_options){ .size = sizeof(struct tph_open_options), \
						  __VA_ARGS__ })

static void options_that_do_not_go_together_are_refused(void **context)
{
	struct tph_device *const untouched = (struct tph_device *)&sim;
	struct tph_device *device = untouched, *other;
	int fd = eventfd(0, EFD_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct tph_open_options *const malformed[] = {
		OPTIONS(.flags = TPH_OPEN_IOAS, .ioas = 42),
		OPTIONS(.flags = TPH_OPEN_IOAS | TPH_OPEN_IOMMU_FD, .iommu_fd = null),
		OPTIONS(.flags = TPH_OPEN_CONTAINER_FD | TPH_OPEN_IOMMU_FD, .iommu_fd = null,
			.container_fd = null),
		OPTIONS(.flags = TPH_OPEN_DEVICE_FD, .device_fd = fd),	/* beside an address */
	};
	unsigned int before;

	(void)context;
	sim.iommu_fd = -1;
	assert_int_equal(tph_from_fd(null, &device), -ENOTTY);
	before = open_descriptors();
	for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++)
		assert_int_equal(tph_open_with(BDF, malformed[i], &device), -EINVAL);
	assert_int_equal(tph_open_with(BDF, OPTIONS(.flags = 16), &device), -E2BIG);
	assert_int_equal(tph_open_with(NULL, NULL, &device), -EINVAL);
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = 0), &device), -EINVAL);
	assert_int_equal(tph_open(NULL, &device), -EINVAL);
	assert_int_equal(sim.opens, 0);
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = TPH_OPEN_DEVICE_FD,
						     .device_fd = -1), &device), -EBADF);
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = TPH_OPEN_DEVICE_FD,
						     .device_fd = null), &device), -ENOTTY);
	assert_int_equal(tph_open_with(BDF, OPTIONS(.flags = TPH_OPEN_IOMMU_FD, .iommu_fd = -1),
				       &device), -EBADF);
	assert_int_equal(tph_open_with(BDF, OPTIONS(.flags = TPH_OPEN_IOMMU_FD,
						    .iommu_fd = null), &device), -EBADF);
	assert_int_equal(tph_open_with(MEMBER, OPTIONS(.flags = TPH_OPEN_CONTAINER_FD,
						       .container_fd = null), &device), -EBADF);
	/* a handle that knows no address space has none to share */
	sim_reset(sysfs);
	sim_adopt(fd);
	assert_int_equal(tph_from_fd(fd, &other), 0);
	assert_int_equal(tph_open_with(BDF, OPTIONS(.share = other), &device), -EBADF);
	assert_int_equal(tph_open_with(MEMBER, OPTIONS(.share = other, .container_fd = null,
						       .flags = TPH_OPEN_CONTAINER_FD),
				       &device), -EINVAL);
	tph_close(other);
	/* bound already: there is nothing to attach, and no token to ask for */
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = TPH_OPEN_DEVICE_FD, .device_fd = fd,
						     .vf_token = TOKEN), &device), -EINVAL);
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = TPH_OPEN_DEVICE_FD |
							      TPH_OPEN_IOMMU_FD, .device_fd = fd,
						     .iommu_fd = null), &device), -EINVAL);
	assert_ptr_equal(device, untouched);
	assert_int_equal(open_descriptors(), before);
	close(null);
	close(fd);
}

static void an_iommufd_of_the_caller_is_used(void **context)
{
	struct tph_device *device;
	unsigned int before;
	int iommu;

	(void)context;
	iommu = tph_system_open("/dev/iommu", O_RDWR);
	before = open_descriptors();
	assert_int_equal(tph_open_with(BDF, OPTIONS(.flags = TPH_OPEN_IOMMU_FD, .iommu_fd = iommu),
				       &device), 0);
	assert_int_equal(sim.alloc_size, 12);
	tph_close(device);
	/* no other way is taken then, and no other address space */
	sim.node_error = ENOENT;
	assert_int_equal(tph_open_with(EITHER, OPTIONS(.flags = TPH_OPEN_IOMMU_FD,
						       .iommu_fd = iommu), &device), -ENOENT);
	sim.node_error = 0;
	sim.alloc_size = 0;
	assert_int_equal(tph_open_with(BDF, OPTIONS(.flags = TPH_OPEN_IOMMU_FD | TPH_OPEN_IOAS,
						    .iommu_fd = iommu, .ioas = 41), &device),
			 -EINVAL);
	assert_int_equal(tph_open_with(BDF, OPTIONS(.flags = TPH_OPEN_IOMMU_FD | TPH_OPEN_IOAS,
						    .iommu_fd = iommu, .ioas = 42), &device), 0);
	assert_int_equal(sim.alloc_size, 0);
	assert_int_equal(tph_ioas(device), 42);
	check_mapping(device);
	tph_close(device);
	assert_int_equal(open_descriptors(), before);
	close(iommu);
}

static void a_node_of_the_caller_is_bound(void **context)
{
	struct tph_device *device;
	int fd;

	(void)context;
	fd = tph_system_open("/dev/vfio/devices/vfio7", O_RDWR);
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = TPH_OPEN_DEVICE_FD, .device_fd = fd),
				       &device), 0);
	assert_true(sim.attached);
	check_mapping(device);
	tph_close(device);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	/* and one that is ready is taken as it is, with what the caller knows of it */
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = TPH_OPEN_DEVICE_FD | TPH_OPEN_IOMMU_FD |
							      TPH_OPEN_IOAS, .device_fd = fd,
						     .iommu_fd = sim.iommu_fd, .ioas = 42),
				       &device), -EBADF);	/* closed with the handle */
	sim.iommu_fd = tph_system_open("/dev/iommu", O_RDWR);
	assert_int_equal(tph_open_with(NULL, OPTIONS(.flags = TPH_OPEN_DEVICE_FD | TPH_OPEN_IOMMU_FD |
							      TPH_OPEN_IOAS, .device_fd = fd,
						     .iommu_fd = sim.iommu_fd, .ioas = 42),
				       &device), 0);
	check_mapping(device);
	tph_close(device);
	close(sim.iommu_fd);
	close(fd);
}

static void devices_share_an_address_space(void **context)
{
	static _Alignas(SIM_PAGE) char memory[SIM_PAGE];
	struct tph_device *first, *second;
	unsigned int before = open_descriptors();

	(void)context;
	assert_int_equal(tph_open(BDF, &first), 0);
	sim.alloc_size = 0;
	sim.bound = false;			/* the second one's node is another */
	assert_int_equal(tph_open_with("10000:e1:1f.7", OPTIONS(.share = first), &second), 0);
	assert_int_equal(sim.alloc_size, 0);
	assert_int_equal(tph_ioas(second), tph_ioas(first));
	assert_int_equal(tph_map(first, memory, SIM_PAGE, 0, TPH_ACCESS_BOTH), 0);
	/* in any order */
	tph_close(first);
	assert_int_equal(tph_unmap(second, 0, SIM_PAGE), 0);
	tph_close(second);
	assert_int_equal(open_descriptors(), before);

	sim_reset(sysfs);
	assert_int_equal(tph_open(MEMBER, &first), 0);
	assert_int_equal(tph_open(MEMBER2, &second), -EBUSY);
	assert_int_equal(tph_open_with(MEMBER2, OPTIONS(.share = first), &second), 0);
	assert_string_equal(sim.device_name, MEMBER2);
	assert_int_equal(tph_map(first, memory, SIM_PAGE, 0, TPH_ACCESS_BOTH), 0);
	tph_close(first);
	assert_int_equal(tph_unmap(second, 0, SIM_PAGE), 0);
	tph_close(second);
	assert_int_equal(open_descriptors(), before);
}

static void a_container_of_the_caller_is_used(void **context)
{
	struct tph_device *device;
	int container;

	(void)context;
	container = tph_system_open("/dev/vfio/vfio", O_RDWR);
	/* also where there is another way */
	assert_int_equal(tph_open_with(EITHER, OPTIONS(.flags = TPH_OPEN_CONTAINER_FD,
						       .container_fd = container), &device), 0);
	assert_true(sim.container_has_iommu);
	check_mapping(device);
	tph_close(device);
	/* it has its IOMMU already */
	assert_int_equal(tph_open_with(MEMBER, OPTIONS(.flags = TPH_OPEN_CONTAINER_FD,
						       .container_fd = container), &device), 0);
	tph_close(device);
	close(container);
}

static void close_takes_null(void **context)
{
	(void)context;
	tph_close(NULL);
}

static void from_fd_rejects_what_is_not_a_ready_vfio_device(void **context)
{
	struct tph_device *const untouched = (struct tph_device *)&sim;
	struct tph_device *device = untouched;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)context;
	assert_int_equal(tph_from_fd(-1, &device), -EBADF);
	assert_int_equal(tph_from_fd(INT_MAX, &device), -EBADF);
	assert_int_equal(tph_from_fd(null, &device), -ENOTTY);
	assert_int_equal(tph_from_fd(fd, &device), -ENOTTY);
	sim_adopt(fd);
	sim.bound = false;
	assert_int_equal(tph_from_fd(fd, &device), -EINVAL);
	sim.bound = true;
	sim.pci = false;
	assert_int_equal(tph_from_fd(fd, &device), -EINVAL);
	assert_ptr_equal(device, untouched);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	close(null);
}

static void from_fd_leaves_the_descriptor_to_the_caller(void **context)
{
	struct tph_device *device;
	int fd = eventfd(0, EFD_CLOEXEC);
	unsigned int before = open_descriptors();

	(void)context;
	sim_adopt(fd);
	assert_int_equal(tph_from_fd(fd, &device), 0);
	assert_int_equal(tph_device_fd(device), fd);
	assert_int_equal(tph_iommu_fd(device), -EBADF);
	assert_int_equal(tph_ioas(device), 0);
	assert_int_equal(sim.bind_argsz, 0);
	assert_int_equal(tph_set_entry(device, 7, 3), 0);
	tph_close(device);
	assert_int_equal(open_descriptors(), before);
	close(fd);
}

static void state_needs_the_capability(void **context)
{
	struct tph_device *device;
	struct tph_state state;

	(void)context;
	sim_config_put(SIM_AER_AT, 0x00020001);			/* list ends before it */
	device = open_device();
	assert_int_equal(tph_read_state(device, &state), -EOPNOTSUPP);
	assert_int_equal(tph_enable(device, TPH_MODE_NO_ST, TPH_WIDTH_8), -EOPNOTSUPP);
	assert_int_equal(tph_disable(device), 0);
	assert_int_equal(sim.pwrites, 0);
	sim_config_put(SIM_AER_AT, 0);				/* empty list */
	assert_int_equal(tph_read_state(device, &state), -EOPNOTSUPP);
	tph_close(device);

	sim_reset(sysfs);
	sim.config_size = 256;					/* conventional PCI */
	device = open_device();
	assert_int_equal(tph_read_state(device, &state), -EOPNOTSUPP);
	tph_close(device);
}

static void state_survives_malformed_lists(void **context)
{
	struct tph_device *device;
	struct tph_state state;

	(void)context;
	sim_config_put(SIM_AER_AT, 0x00020001 | SIM_AER_AT << 20);	/* to itself */
	device = open_device();
	assert_int_equal(tph_read_state(device, &state), -EIO);
	assert_true(sim.preads < 2000);
	sim_config_put(SIM_AER_AT, 0x00020001 | 0x40 << 20);	/* out of extended space */
	assert_int_equal(tph_read_state(device, &state), -EIO);
	sim_config_put(SIM_AER_AT, UINT32_MAX);			/* device is gone */
	assert_int_equal(tph_read_state(device, &state), -EIO);
	sim_config_put(SIM_AER_AT, 0x00020001 | 0xffcu << 20);	/* runs past the end */
	sim_config_put(0xffc, 0x00010017);
	assert_int_equal(tph_read_state(device, &state), -EIO);
	tph_close(device);

	/* MSI-X is looked up in the other list. */
	sim_reset(sysfs);
	sim_config_put(SIM_PCIE_AT, 0x00020010 | SIM_PCIE_AT << 8);
	device = open_device();
	assert_int_equal(tph_read_state(device, &state), -EIO);
	sim_config_put(SIM_PCIE_AT, 0x00020010 | 0x10 << 8);
	assert_int_equal(tph_read_state(device, &state), -EIO);
	sim_config_put(SIM_PCIE_AT, 0x00020010);
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.table, TPH_TABLE_NONE);		/* no MSI-X, no table in it */
	sim_config_put(0x04, 0);				/* no list at all */
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.table, TPH_TABLE_NONE);
	tph_close(device);
}

static void state_reports_each_read_that_fails(void **context)
{
	struct tph_state state;
	unsigned int reads;
	struct tph_device *device = open_device();

	(void)context;
	assert_int_equal(tph_read_state(device, &state), 0);
	reads = sim.preads;
	tph_close(device);
	assert_true(reads >= 5);
	for (unsigned int i = 1; i <= reads; i++) {
		device = open_device();		/* a new handle has looked up nothing */
		sim.read_fails = (int)i;
		assert_int_equal(tph_read_state(device, &state), -EIO);
		tph_close(device);
		device = open_device();
		sim.read_short = (int)i;
		assert_int_equal(tph_read_state(device, &state), -EIO);
		tph_close(device);
	}
}

static void state_of_each_kind_of_table(void **context)
{
	struct tph_device *device = open_device();
	struct tph_state state;

	(void)context;
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.modes, 7);
	assert_int_equal(state.width_max, TPH_WIDTH_16);
	assert_int_equal(state.table, TPH_TABLE_MSIX);
	assert_int_equal(state.entries, 8);
	assert_false(state.enabled);
	assert_int_equal(state.width, TPH_WIDTH_OFF);
	assert_true(state.tags_readable);

	sim_set_capability(3, false, 1, 64);
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.modes, 3);
	assert_int_equal(state.width_max, TPH_WIDTH_8);
	assert_int_equal(state.table, TPH_TABLE_CAPABILITY);
	assert_int_equal(state.entries, 64);

	sim_set_capability(3, false, 1, 65);	/* more than the specification has room for */
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.table, TPH_TABLE_NONE);
	assert_int_equal(state.entries, 0);

	sim_set_capability(7, false, 2, 2048);
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.entries, 2048);

	sim_set_capability(5, true, 0, 0);
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.table, TPH_TABLE_NONE);
	assert_int_equal(state.entries, VFIO_TPH_ST_MAX);

	sim_set_capability(1, true, 0, 0);	/* nowhere to put a tag, nobody to place it */
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.entries, 0);

	sim_set_capability(5, true, 3, 0);	/* reserved location */
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.table, TPH_TABLE_NONE);
	tph_close(device);
}

static void state_follows_policy_and_driver(void **context)
{
	struct tph_device *device = open_device();
	struct tph_state state;

	(void)context;
	sim.policy = SIM_IV_ST;
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.entries, 8);
	assert_false(state.tags_readable);
	sim.policy = SIM_NO_ST;
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.entries, 0);
	assert_false(state.tags_readable);
	sim.policy = SIM_DS_ST;
	sim.tph_driver = false;
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_int_equal(state.modes, 7);
	assert_int_equal(state.entries, 0);
	assert_false(state.tags_readable);
	sim.tph_driver = true;
	/* That firmware lacks a tag does not make tags a secret. */
	assert_int_equal(tph_set_entry(device, 0, 1), 0);
	sim.cpus_without_8 = 1u << 1;
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_true(state.tags_readable);
	tph_close(device);
}

static void state_takes_the_reserved_enable_as_off(void **context)
{
	struct tph_device *device = open_device();
	struct tph_state state;

	(void)context;
	sim_config_put(SIM_TPH_AT + 8, 0x201);
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_false(state.enabled);
	assert_int_equal(state.width, TPH_WIDTH_OFF);
	tph_close(device);
}

static void probe_passes_on_each_reason(void **context)
{
	struct tph_device *device = open_device();

	(void)context;
	sim.tph_driver = false;
	assert_int_equal(tph_probe(device), -ENOTTY);
	sim.tph_driver = true;
	sim.policy = SIM_NO_ST;
	assert_int_equal(tph_probe(device), -EPERM);
	sim.probe_error = EOPNOTSUPP;
	assert_int_equal(tph_probe(device), -EOPNOTSUPP);
	sim.probe_error = 0;
	sim.policy = SIM_IV_ST;
	assert_int_equal(tph_probe(device), 0);
	assert_int_equal(sim.last.operation, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET);
	tph_close(device);
}

static void ranges_never_reach_the_kernel(void **context)
{
	static const struct {
		uint32_t index, count;
	} bad[] = {
		{ 0, 0 }, { 2047, 2 }, { 2048, 1 }, { 0, 2049 }, { 65535, 1 }, { 65536, 1 },
		{ 0, 65536 }, { 1, 65535 }, { 65536, 65536 }, { UINT32_MAX, 1 }, { 1, UINT32_MAX },
		{ UINT32_MAX, UINT32_MAX }, { 2, UINT32_MAX - 1 },
	};
	struct tph_device *device = open_device();
	unsigned int asked = sim.ioctls;
	uint32_t cpu = 0;
	uint16_t tag;

	(void)context;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint32_t index = bad[i].index, count = bad[i].count;

		assert_int_equal(tph_set(device, TPH_MEMORY_VOLATILE, index, count, &cpu), -EINVAL);
		assert_int_equal(tph_clear(device, index, count), -EINVAL);
		assert_int_equal(tph_get_cpus(device, index, count, &cpu), -EINVAL);
		assert_int_equal(tph_get_tags(device, TPH_WIDTH_8, index, count, &tag), -EINVAL);
	}
	assert_int_equal(tph_set_entry(device, 2048, 0), -EINVAL);
	assert_int_equal(tph_set(device, (enum tph_memory)2, 0, 1, &cpu), -EINVAL);
	assert_int_equal(tph_get_tags(device, TPH_WIDTH_OFF, 0, 1, &tag), -EINVAL);
	assert_int_equal(tph_get_tags(device, TPH_WIDTH_WIDEST, 0, 1, &tag), -EINVAL);
	assert_int_equal(sim.ioctls, asked);
	tph_close(device);
}

static void set_passes_on_what_the_kernel_refuses(void **context)
{
	static const int errors[] = { EINVAL, EPERM, EUSERS, EOPNOTSUPP, ENODEV, EIO, ENOMEM,
				      ENOTTY };
	const uint32_t cpus[] = { 0, 1, 6 };
	struct tph_device *device = open_device();

	(void)context;
	assert_int_equal(tph_set_entry(device, 8, 0), -EINVAL);		/* table has 8 */
	assert_int_equal(tph_set_entry(device, 0, 8), -EINVAL);		/* machine has 8 */
	assert_int_equal(tph_set_entry(device, 0, 5), -EPERM);
	assert_int_equal(tph_set(device, TPH_MEMORY_VOLATILE, 0, 3, cpus), -EPERM);
	sim.cpus_without_8 = sim.cpus_without_16 = 1u << 2;
	assert_int_equal(tph_set_entry(device, 0, 2), -EOPNOTSUPP);
	sim.tph_driver = false;
	assert_int_equal(tph_set_entry(device, 0, 0), -ENOTTY);
	sim.tph_driver = true;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		memset(sim.failures, 0, sizeof(sim.failures));
		sim_fail(VFIO_DEVICE_FEATURE, 0, errors[i]);
		assert_int_equal(tph_set_entry(device, 0, 0), -errors[i]);
		assert_int_equal(tph_clear(device, 0, 1), -errors[i]);
		assert_int_equal(tph_get_cpus(device, 0, 1, &(uint32_t){ 0 }), -errors[i]);
		assert_int_equal(tph_get_tags(device, TPH_WIDTH_8, 0, 1, &(uint16_t){ 0 }),
				 -errors[i]);
	}
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(sim.cpu_of[i], UINT32_MAX);
	tph_close(device);
}

static uint64_t signals(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void set_needs_a_place_and_an_address_space(void **context)
{
	struct tph_device *device = open_device();

	(void)context;
	sim.crowded = true;
	assert_int_equal(tph_set_entry(device, 0, 0), -EUSERS);
	sim.crowded = false;
	sim.attached = false;
	assert_int_equal(tph_set_entry(device, 0, 0), -EPERM);
	assert_int_equal(sim.cpu_of[0], UINT32_MAX);
	sim.attached = true;
	assert_int_equal(tph_set_entry(device, 0, 0), 0);
	tph_close(device);
}

static void notify_rejects_what_is_no_eventfd(void **context)
{
	static const int errors[] = { ENOTTY, EIO, ENOMEM };
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct tph_device *device = open_device();

	(void)context;
	assert_int_equal(tph_notify(device, event), 0);
	assert_int_equal(tph_notify(device, null), -EINVAL);
	assert_int_equal(tph_notify(device, -2), -EINVAL);
	assert_int_equal(tph_notify(device, INT_MIN), -EINVAL);
	assert_int_equal(tph_notify(device, INT_MAX), -EBADF);
	sim.probe_error = EOPNOTSUPP;
	assert_int_equal(tph_notify(device, event), -EOPNOTSUPP);
	sim.probe_error = 0;
	sim.tph_driver = false;
	assert_int_equal(tph_notify(device, event), -ENOTTY);
	sim.tph_driver = true;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		memset(sim.failures, 0, sizeof(sim.failures));
		sim_fail(VFIO_DEVICE_FEATURE, 0, errors[i]);
		assert_int_equal(tph_notify(device, null), -errors[i]);
	}
	memset(sim.failures, 0, sizeof(sim.failures));
	/* The former one is still told. */
	assert_int_equal(tph_set_entry(device, 0, 1), 0);
	sim_revoke(1);
	assert_int_equal(signals(event), 1);
	tph_close(device);
	close(null);
	close(event);
}

static void notify_tells_of_entries_taken_back(void **context)
{
	int first = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int second = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct tph_device *device = open_device();
	unsigned int asked = sim.features;
	uint32_t cpus[3];

	(void)context;
	assert_int_equal(tph_notify(device, first), 0);
	assert_int_equal(sim.features, asked + 1);
	assert_int_equal(sim.last.operation, VFIO_DEVICE_FEATURE_SET);
	assert_int_equal(sim.last.argsz, 16);
	assert_int_equal(tph_set(device, TPH_MEMORY_VOLATILE, 0, 3,
				 (const uint32_t[]){ 1, 2, 1 }), 0);
	sim_revoke(3);
	assert_int_equal(signals(first), 0);
	sim_revoke(1);
	assert_int_equal(signals(first), 1);
	assert_int_equal(tph_get_cpus(device, 0, 3, cpus), 0);
	assert_int_equal(cpus[0], TPH_CPU_NONE);
	assert_int_equal(cpus[1], 2);
	assert_int_equal(cpus[2], TPH_CPU_NONE);
	assert_int_equal(tph_notify(device, second), 0);
	sim_revoke(2);
	assert_int_equal(signals(first), 0);
	assert_int_equal(signals(second), 1);
	assert_int_equal(tph_notify(device, -1), 0);
	assert_int_equal(tph_set_entry(device, 0, 1), 0);
	sim_revoke(1);
	assert_int_equal(signals(second), 0);
	tph_close(device);
	close(second);
	close(first);
}

static void set_asks_for_the_whole_range_at_once(void **context)
{
	const uint32_t cpus[] = { 3, TPH_CPU_NONE, 0 };
	struct tph_device *device = open_device();
	unsigned int asked = sim.features;

	(void)context;
	assert_int_equal(tph_set(device, TPH_MEMORY_PERSISTENT, 4, 3, cpus), 0);
	assert_int_equal(sim.features, asked + 1);
	assert_int_equal(sim.last.operation, VFIO_DEVICE_FEATURE_SET);
	assert_int_equal(sim.last.argsz, 8 + 8 + 12);
	assert_int_equal(sim.last.flags, VFIO_TPH_ST_MEM_TYPE_PM);
	assert_int_equal(sim.last.index, 4);
	assert_int_equal(sim.last.count, 3);
	assert_int_equal(sim.cpu_of[3], UINT32_MAX);
	assert_int_equal(sim.cpu_of[4], 3);
	assert_int_equal(sim.cpu_of[5], UINT32_MAX);
	assert_int_equal(sim.cpu_of[6], 0);
	assert_int_equal(sim.cpu_of[7], UINT32_MAX);
	assert_true(sim.persistent[4]);
	assert_int_equal(tph_set_entry(device, 7, 2), 0);
	assert_int_equal(sim.last.flags, 0);
	assert_int_equal(sim.cpu_of[7], 2);
	assert_int_equal(tph_clear(device, 4, 3), 0);
	assert_int_equal(sim.cpu_of[4], UINT32_MAX);
	assert_int_equal(sim.cpu_of[6], UINT32_MAX);
	assert_int_equal(sim.cpu_of[7], 2);
	tph_close(device);
}

static void whole_table_fits_one_request(void **context)
{
	uint32_t cpus[TPH_ENTRIES_MAX], read_back[TPH_ENTRIES_MAX];
	uint16_t tags[TPH_ENTRIES_MAX];
	struct tph_device *device;

	(void)context;
	sim_set_capability(7, true, 2, 2048);
	device = open_device();
	for (uint32_t i = 0; i < TPH_ENTRIES_MAX; i++)
		cpus[i] = i % 4;
	assert_int_equal(tph_set(device, TPH_MEMORY_VOLATILE, 0, TPH_ENTRIES_MAX, cpus), 0);
	assert_int_equal(tph_get_cpus(device, 0, TPH_ENTRIES_MAX, read_back), 0);
	assert_memory_equal(cpus, read_back, sizeof(cpus));
	assert_int_equal(tph_get_tags(device, TPH_WIDTH_16, 0, TPH_ENTRIES_MAX, tags), 0);
	assert_int_equal(tags[2047], 0x103);
	assert_int_equal(tph_clear(device, 0, TPH_ENTRIES_MAX), 0);
	assert_int_equal(sim.cpu_of[2047], UINT32_MAX);
	tph_close(device);
}

static void tags_of_two_namespaces(void **context)
{
	struct tph_device *device = open_device();
	uint16_t tags[2] = { 0xdead, 0xdead };
	uint32_t cpus[2];

	(void)context;
	assert_int_equal(tph_set_entry(device, 1, 3), 0);
	sim.policy = SIM_IV_ST;
	assert_int_equal(tph_get_tags(device, TPH_WIDTH_8, 0, 2, tags), -EPERM);
	assert_int_equal(tph_get_cpus(device, 0, 2, cpus), 0);
	assert_int_equal(sim.last.flags, VFIO_TPH_ST_CPU);
	assert_int_equal(cpus[0], TPH_CPU_NONE);
	assert_int_equal(cpus[1], 3);
	sim.policy = SIM_DS_ST;
	sim.cpus_without_16 = 1u << 3;
	assert_int_equal(tph_get_tags(device, TPH_WIDTH_16, 0, 2, tags), -EOPNOTSUPP);
	sim.wrong_tag = 0x100;			/* no 8-bit tag */
	assert_int_equal(tph_get_tags(device, TPH_WIDTH_8, 0, 2, tags), -EIO);
	sim.wrong_tag = 0x10000;
	sim.cpus_without_16 = 0;
	assert_int_equal(tph_get_tags(device, TPH_WIDTH_16, 0, 2, tags), -EIO);
	assert_int_equal(tags[0], 0xdead);
	assert_int_equal(tags[1], 0xdead);
	sim.wrong_tag = 0;
	assert_int_equal(tph_get_tags(device, TPH_WIDTH_8, 0, 2, tags), 0);
	assert_int_equal(sim.last.flags, 0);
	assert_int_equal(tags[0], 0);
	assert_int_equal(tags[1], 0x13);
	assert_int_equal(tph_get_tags(device, TPH_WIDTH_16, 1, 1, tags), 0);
	assert_int_equal(sim.last.flags, VFIO_TPH_ST_EXT);
	assert_int_equal(tags[0], 0x103);
	tph_close(device);
}

static void guest_map_passes_on_what_the_kernel_refuses(void **context)
{
	static uint32_t cpus[TPH_GUEST_TAGS_MAX + 1];
	struct tph_device *device = open_device();
	uint32_t one = 1, offline = 3, beyond = 64;
	uint16_t tags[8];

	(void)context;
	assert_int_equal(tph_guest_map(device, TPH_MEMORY_VOLATILE, TPH_GUEST_TAGS_MAX + 1, cpus),
			 -EINVAL);
	assert_int_equal(tph_guest_map(device, (enum tph_memory)2, 1, &one), -EINVAL);
	assert_int_equal(sim.features, 0);
	assert_int_equal(tph_guest_map(device, TPH_MEMORY_VOLATILE, 1, &beyond), -EINVAL);
	sim.cpus_allowed &= ~(1ull << offline);
	assert_int_equal(tph_guest_map(device, TPH_MEMORY_VOLATILE, 1, &offline), -EPERM);
	sim.guest_held = true;
	assert_int_equal(tph_guest_map(device, TPH_MEMORY_VOLATILE, 1, &one), -EBUSY);
	sim.guest_held = false;
	assert_int_equal(sim.guest_count, 0);
	sim.attached = false;
	assert_int_equal(tph_guest_map(device, TPH_MEMORY_VOLATILE, 1, &one), -EPERM);
	sim.attached = true;
	sim.probe_error = EOPNOTSUPP;
	assert_int_equal(tph_guest_probe(device), -EOPNOTSUPP);
	sim.probe_error = 0;
	sim.tph_driver = false;
	assert_int_equal(tph_guest_probe(device), -ENOTTY);
	assert_int_equal(tph_guest_map(device, TPH_MEMORY_VOLATILE, 1, &one), -ENOTTY);
	assert_int_equal(tph_guest_get_cpus(device, 1, &one), -ENOTTY);
	assert_int_equal(tph_guest_read(device, 8, tags), -ENOTTY);
	sim.tph_driver = true;
	/* a tag that is cut short is another tag */
	sim.wrong_tag = 0x10000;
	assert_int_equal(tph_guest_read(device, 8, tags), -EIO);
	tph_close(device);
}

static void guest_map_is_read_back(void **context)
{
	static uint32_t cpus[TPH_GUEST_TAGS_MAX];
	struct tph_device *device = open_device();
	uint32_t map[] = { 2, TPH_CPU_NONE, 1 }, back[5];
	uint16_t tags[9];

	(void)context;
	assert_int_equal(tph_guest_probe(device), 0);
	assert_int_equal(tph_guest_get_cpus(device, 0, NULL), 0);
	assert_int_equal(tph_guest_map(device, TPH_MEMORY_PERSISTENT, 3, map), 0);
	assert_int_equal(sim.guest_count, 3);
	assert_int_equal(sim.guest_cpu[2], 1);
	assert_int_equal(sim.guest_flags, VFIO_TPH_GUEST_MEM_TYPE_PM);
	assert_int_equal(tph_guest_get_cpus(device, 5, back), 3);
	assert_memory_equal(back, map, sizeof(map));
	assert_int_equal(back[3], TPH_CPU_NONE);
	back[1] = 99;
	assert_int_equal(tph_guest_get_cpus(device, 1, back), 3);
	assert_int_equal(back[1], 99);

	sim.guest_table[7] = 0xffff;
	assert_int_equal(tph_guest_read(device, 9, tags), 8);
	assert_int_equal(tags[7], 0xffff);
	assert_int_equal(tags[8], 0);
	/* as large as can be, and none */
	for (uint32_t i = 0; i < TPH_GUEST_TAGS_MAX; i++)
		cpus[i] = i % 2;
	assert_int_equal(tph_guest_map(device, TPH_MEMORY_VOLATILE, TPH_GUEST_TAGS_MAX, cpus), 0);
	assert_int_equal(sim.guest_cpu[TPH_GUEST_TAGS_MAX - 1], 1);
	assert_int_equal(tph_guest_map(device, TPH_MEMORY_VOLATILE, 0, NULL), 0);
	assert_int_equal(sim.guest_count, 0);
	tph_close(device);
}

static void enable_refuses_what_is_not_on_offer(void **context)
{
	struct tph_device *device = open_device();

	(void)context;
	sim_set_capability(2, false, 2, 8);
	assert_int_equal(tph_enable(device, TPH_MODE_NO_ST, TPH_WIDTH_8), -EOPNOTSUPP);
	assert_int_equal(tph_enable(device, TPH_MODE_DEVICE_SPECIFIC, TPH_WIDTH_8), -EOPNOTSUPP);
	assert_int_equal(tph_enable(device, (enum tph_mode)3, TPH_WIDTH_8), -EOPNOTSUPP);
	assert_int_equal(tph_enable(device, (enum tph_mode)33, TPH_WIDTH_8), -EOPNOTSUPP);
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_16), -EOPNOTSUPP);
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_OFF), -EOPNOTSUPP);
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, (enum tph_width)2),
			 -EOPNOTSUPP);
	sim.tph_driver = false;
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_8), -ENOTTY);
	assert_int_equal(sim.pwrites, 0);
	tph_close(device);
}

static void enable_that_is_not_taken_ends_off(void **context)
{
	struct tph_device *device = open_device();
	struct tph_state state;

	(void)context;
	assert_int_equal(tph_set_entry(device, 0, 1), 0);
	assert_int_equal(tph_enable(device, TPH_MODE_NO_ST, TPH_WIDTH_8), 0);
	sim.cpus_without_16 = 1u << 1;
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_16), -EIO);
	assert_int_equal(tph_read_state(device, &state), 0);
	assert_false(state.enabled);
	assert_int_equal(sim_config_get(SIM_TPH_AT + 8), 0);
	sim.cpus_without_8 = 1u << 1;
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST), -EIO);
	sim.cpus_without_8 = sim.cpus_without_16 = 0;
	sim.mode_stuck = true;
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_8), -EIO);
	assert_int_equal(sim_config_get(SIM_TPH_AT + 8), 0);
	sim.mode_stuck = false;
	sim.write_short = true;
	assert_int_equal(tph_enable(device, TPH_MODE_NO_ST, TPH_WIDTH_8), -EIO);
	sim.write_short = false;
	sim.inaccessible = true;
	assert_int_equal(tph_enable(device, TPH_MODE_NO_ST, TPH_WIDTH_8), -EIO);
	tph_close(device);
}

static void enable_reports_each_read_that_fails(void **context)
{
	struct tph_device *device = open_device();
	unsigned int reads;

	(void)context;
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_8), 0);
	reads = sim.preads;
	tph_close(device);
	for (unsigned int i = 1; i <= reads; i++) {
		sim_reset(sysfs);
		device = open_device();
		sim.read_fails = (int)i;
		assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_8), -EIO);
		assert_int_equal(sim_config_get(SIM_TPH_AT + 8), 0);
		tph_close(device);
	}
}

static void disable_that_is_not_taken_is_an_error(void **context)
{
	struct tph_device *device = open_device();

	(void)context;
	assert_int_equal(tph_enable(device, TPH_MODE_NO_ST, TPH_WIDTH_8), 0);
	sim.inaccessible = true;
	assert_int_equal(tph_disable(device), -EIO);
	sim.inaccessible = false;
	sim.write_short = true;
	assert_int_equal(tph_disable(device), -EIO);
	sim.write_short = false;
	sim.read_fails = 2;
	assert_int_equal(tph_disable(device), -EIO);
	assert_int_equal(tph_disable(device), 0);
	assert_int_equal(sim_config_get(SIM_TPH_AT + 8), 0);
	tph_close(device);
}

static void enable_writes_mode_and_width(void **context)
{
	static const struct {
		enum tph_mode mode;
		enum tph_width width;
		uint32_t control;
	} cases[] = {
		{ TPH_MODE_NO_ST, TPH_WIDTH_8, 0x100 },
		{ TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_8, 0x101 },
		{ TPH_MODE_DEVICE_SPECIFIC, TPH_WIDTH_16, 0x302 },
		{ TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST, 0x301 },
	};
	struct tph_device *device = open_device();
	struct tph_state state;

	(void)context;
	/* Reserved bits are not the library's to change. */
	sim_config_put(SIM_TPH_AT + 8, 0xabcd0000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(tph_enable(device, cases[i].mode, cases[i].width), 0);
		assert_int_equal(sim.control, 0xabcd0000 | cases[i].control);
		assert_int_equal(tph_read_state(device, &state), 0);
		assert_true(state.enabled);
		assert_int_equal(state.mode, cases[i].mode);
		assert_int_equal(state.width,
				 cases[i].control & 0x200 ? TPH_WIDTH_16 : TPH_WIDTH_8);
	}
	assert_int_equal(tph_disable(device), 0);
	assert_int_equal(sim.control, 0xabcd0000);
	tph_close(device);
}

static void widest_is_what_device_and_firmware_have(void **context)
{
	struct tph_device *device = open_device();

	(void)context;
	assert_int_equal(tph_set_entry(device, 0, 1), 0);
	sim.cpus_without_16 = 1u << 1;
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST), 0);
	assert_int_equal(sim_config_get(SIM_TPH_AT + 8), 0x101);
	sim.cpus_without_16 = 0;
	sim_set_capability(3, false, 2, 8);
	assert_int_equal(tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST), 0);
	assert_int_equal(sim_config_get(SIM_TPH_AT + 8), 0x101);
	tph_close(device);
}

static void handles_are_independent(void **context)
{
	struct tph_device *first, *second;
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)context;
	sim_adopt(fd);
	assert_int_equal(tph_from_fd(fd, &first), 0);
	assert_int_equal(tph_from_fd(fd, &second), 0);
	tph_close(first);
	assert_int_equal(tph_set_entry(second, 2, 2), 0);
	assert_int_equal(sim.cpu_of[2], 2);
	tph_close(second);
	close(fd);
}

static int export_page(struct tph_device *device)
{
	int fd = -1;

	assert_int_equal(tph_dmabuf_export(device, 0, 0, SIM_PAGE, &fd), 0);
	return fd;
}

static void export_rejects_what_is_no_piece_of_a_bar(void **context)
{
	static const struct {
		uint32_t bar;
		uint64_t offset, length;
		int error;
	} cases[] = {
		{ 0, 0, 0, -EINVAL },
		{ 0, 1, SIM_PAGE, -EINVAL },
		{ 0, 0, SIM_PAGE - 1, -EINVAL },
		{ 0, 0, 17 * SIM_PAGE, -EINVAL },
		{ 0, 16 * SIM_PAGE, SIM_PAGE, -EINVAL },
		{ 0, UINT64_MAX - SIM_PAGE + 1, SIM_PAGE, -EINVAL },
		{ 0, SIM_PAGE, UINT64_MAX - SIM_PAGE + 1, -EINVAL },
		{ 5, 0, SIM_PAGE, -ENODEV },
	};
	static const uint32_t bars[] = { 6, 7, 8, 9, 256, UINT32_MAX };
	struct tph_device *device = open_device();
	unsigned int before = open_descriptors();
	int fd = 4711;

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(tph_dmabuf_export(device, cases[i].bar, cases[i].offset,
						   cases[i].length, &fd), cases[i].error);
		assert_int_equal(fd, 4711);
	}
	/* The kernel's regions 6 and on are no BARs, and some of them can be read. */
	sim.features = 0;
	for (size_t i = 0; i < sizeof(bars) / sizeof(*bars); i++)
		assert_int_equal(tph_dmabuf_export(device, bars[i], 0, SIM_PAGE, &fd), -EINVAL);
	assert_int_equal(sim.features, 0);
	assert_int_equal(fd, 4711);
	assert_int_equal(open_descriptors(), before);
	tph_close(device);
}

static void dmabufs_pass_on_what_the_kernel_refuses(void **context)
{
	static const int errors[] = { EINVAL, ENODEV, ENOTTY, EOPNOTSUPP, EMFILE, ENFILE, ENOMEM,
				      EPERM, EBADF, ENOSPC, EINTR, EFAULT };
	const struct tph_dmabuf_tags tags = { .tag_8_valid = true, .tag_8 = 1 };

	(void)context;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct tph_device *device = open_device();
		int dmabuf = export_page(device), fd = 4711;

		sim_fail(VFIO_DEVICE_FEATURE, 0, errors[i]);
		assert_int_equal(tph_dmabuf_export(device, 0, 0, SIM_PAGE, &fd), -errors[i]);
		assert_int_equal(fd, 4711);
		assert_int_equal(tph_dmabuf_probe(device), -errors[i]);
		assert_int_equal(tph_dmabuf_publish(device, dmabuf, &tags), -errors[i]);
		assert_int_equal(tph_dmabuf_publish(device, dmabuf, NULL), -errors[i]);
		assert_int_equal(sim_dmabuf_find(dmabuf)->flags, 0);
		close(dmabuf);
		tph_close(device);
		setup(context);
	}
}

static void publish_passes_on_each_reason(void **context)
{
	const struct tph_dmabuf_tags narrow = { .tag_8_valid = true, .tag_8 = 1 };
	const struct tph_dmabuf_tags wide = { .tag_16_valid = true, .tag_16 = 1 };
	struct tph_device *device = open_device();
	int dmabuf = export_page(device), other = eventfd(0, EFD_CLOEXEC);

	(void)context;
	assert_int_equal(tph_dmabuf_publish(device, -1, &narrow), -EBADF);
	assert_int_equal(tph_dmabuf_publish(device, 1000, NULL), -EBADF);
	assert_int_equal(tph_dmabuf_publish(device, other, &narrow), -EINVAL);
	sim.completer = 8;
	assert_int_equal(tph_dmabuf_probe(device), 0);
	assert_int_equal(tph_dmabuf_publish(device, dmabuf, &wide), -EOPNOTSUPP);
	assert_int_equal(tph_dmabuf_publish(device, dmabuf, &narrow), 0);
	sim.publish_forbidden = true;
	assert_int_equal(tph_dmabuf_probe(device), -EPERM);
	assert_int_equal(tph_dmabuf_publish(device, dmabuf, NULL), -EPERM);
	sim.completer = 0;
	assert_int_equal(tph_dmabuf_probe(device), -EOPNOTSUPP);
	assert_int_equal(tph_dmabuf_publish(device, dmabuf, NULL), -EOPNOTSUPP);
	sim.tph_driver = false;
	assert_int_equal(tph_dmabuf_probe(device), -ENOTTY);
	assert_int_equal(tph_dmabuf_publish(device, dmabuf, &narrow), -ENOTTY);
	assert_int_equal(sim_dmabuf_find(dmabuf)->st, 1);
	close(other);
	close(dmabuf);
	tph_close(device);
}

static void hints_that_are_none_never_reach_the_kernel(void **context)
{
	static const uint32_t bad[] = { 4, 5, 128, 255, 256, 257, 65536, INT32_MAX, UINT32_MAX };
	struct tph_device *device = open_device();
	struct tph_dmabuf_tags tags = { .tag_8_valid = true };
	int dmabuf = export_page(device);

	(void)context;
	sim.features = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		/* as a caller's stray integer arrives; a value outside is no enum to a compiler */
		memcpy(&tags.hint, &bad[i], sizeof(tags.hint));
		assert_int_equal(tph_dmabuf_publish(device, dmabuf, &tags), -EINVAL);
		tags.tag_8_valid = !tags.tag_8_valid;
	}
	assert_int_equal(sim.features, 0);
	close(dmabuf);
	tph_close(device);
}

/* What the kernel was sent, byte by byte. */
static void assert_sent_(const void *expected, size_t size, int line)
{
	uint32_t argsz;

	memcpy(&argsz, sim.last_bytes, sizeof(argsz));
	if (argsz != size || memcmp(sim.last_bytes, expected, size))
		fail_msg("line %d: other bytes", line);
}
#define assert_sent(...) do {							\
		const unsigned char expected_[] = { __VA_ARGS__ };		\
		assert_sent_(expected_, sizeof(expected_), __LINE__);		\
	} while (0)

/* a number in host byte order, as its bytes */
#define BYTES_2(n)	HOST(n, 0, 2), HOST(n, 1, 2)
#define BYTES_4(n)	HOST(n, 0, 4), HOST(n, 1, 4), HOST(n, 2, 4), HOST(n, 3, 4)
#define BYTES_8(n)	HOST(n, 0, 8), HOST(n, 1, 8), HOST(n, 2, 8), HOST(n, 3, 8), \
			HOST(n, 4, 8), HOST(n, 5, 8), HOST(n, 6, 8), HOST(n, 7, 8)
#define HOST(n, i, size)							\
	((unsigned char)((uint64_t)(n) >>					\
			 8 * (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (i) : (size) - 1 - (i))))

static void dmabuf_requests_are_these_bytes(void **context)
{
	const struct tph_dmabuf_tags tags = { true, true, 0xa5, 0xbeef,
					      TPH_HINT_TARGET_PRIORITY };
	struct tph_device *device = open_device();
	int dmabuf;

	(void)context;
	assert_int_equal(tph_dmabuf_export(device, 0, 0x3000, 0x2000, &dmabuf), 0);
	assert_sent(BYTES_4(40), BYTES_4(0x0001000b),		/* argsz; GET, feature 11 */
		    BYTES_4(0), BYTES_4(O_RDWR | O_CLOEXEC),	/* region; open flags */
		    BYTES_4(0), BYTES_4(1),			/* flags; ranges */
		    BYTES_8(0x3000), BYTES_8(0x2000));
	assert_int_equal(tph_dmabuf_probe(device), 0);
	assert_sent(BYTES_4(8), BYTES_4(0x00067452));		/* PROBE and SET */
	assert_int_equal(tph_dmabuf_publish(device, dmabuf, &tags), 0);
	assert_sent(BYTES_4(20), BYTES_4(0x00027452),		/* SET */
		    BYTES_4(dmabuf), BYTES_4(3), BYTES_2(0xbeef), 0xa5, 3);
	assert_int_equal(tph_dmabuf_publish(device, dmabuf, NULL), 0);
	assert_sent(BYTES_4(20), BYTES_4(0x00027452), BYTES_4(dmabuf), BYTES_4(0), BYTES_2(0),
		    0, 0);
	close(dmabuf);
	tph_close(device);
}

static void export_gives_a_descriptor_of_its_own(void **context)
{
	struct tph_device *device = open_device();
	int first = export_page(device), second;

	(void)context;
	assert_int_equal(tph_dmabuf_export(device, 0, 15 * SIM_PAGE, SIM_PAGE, &second), 0);
	assert_int_not_equal(first, second);
	assert_int_equal(fcntl(first, F_GETFD), FD_CLOEXEC);
	tph_close(device);
	/* the caller's, whatever becomes of the handle */
	assert_int_equal(close(first), 0);
	assert_int_equal(close(second), 0);
}

/* Values mean nothing where the flag says that there is none, and 0 is a tag like others. */
static void tags_are_valid_by_flag(void **context)
{
	static const struct {
		bool narrow, wide;
		uint32_t flags;
	} cases[] = {
		{ true, true, VFIO_DMA_BUF_TPH_ST | VFIO_DMA_BUF_TPH_ST_EXT },
		{ true, false, VFIO_DMA_BUF_TPH_ST },
		{ false, true, VFIO_DMA_BUF_TPH_ST_EXT },
		{ false, false, 0 },
	};
	struct tph_device *device = open_device();
	int dmabuf = export_page(device);
	const struct sim_dmabuf *kept = sim_dmabuf_find(dmabuf);

	(void)context;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tph_dmabuf_tags tags = {
			.tag_8_valid = cases[i].narrow, .tag_16_valid = cases[i].wide,
			.tag_8 = 0xff, .tag_16 = 0xffff, .hint = (enum tph_hint)i,
		};

		assert_int_equal(tph_dmabuf_publish(device, dmabuf, &tags), 0);
		assert_int_equal(kept->flags, cases[i].flags);
		assert_int_equal(kept->ph, i);
		tags.tag_8 = 0;
		tags.tag_16 = 0;
		assert_int_equal(tph_dmabuf_publish(device, dmabuf, &tags), 0);
		assert_int_equal(kept->flags, cases[i].flags);
		assert_int_equal(kept->st, 0);
		assert_int_equal(kept->xst, 0);
	}
	assert_int_equal(tph_dmabuf_publish(device, dmabuf, &(struct tph_dmabuf_tags){
				 .tag_8_valid = true, .tag_8 = 7 }), 0);
	assert_int_equal(kept->flags, VFIO_DMA_BUF_TPH_ST);
	assert_int_equal(tph_dmabuf_publish(device, dmabuf, NULL), 0);
	assert_int_equal(kept->flags, 0);
	close(dmabuf);
	tph_close(device);
}

static void version_is_the_projects(void **context)
{
	(void)context;
	assert_string_equal(tph_version(), TPH_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(open_rejects_malformed_addresses, setup),
		cmocka_unit_test_setup(open_tells_what_is_missing, setup),
		cmocka_unit_test_setup(open_rejects_a_node_of_another_device, setup),
		cmocka_unit_test_setup(open_rejects_a_malformed_device_number, setup),
		cmocka_unit_test_setup(open_undoes_every_step, setup),
		cmocka_unit_test_setup(from_fd_rejects_what_is_not_a_ready_vfio_device, setup),
		cmocka_unit_test_setup(state_needs_the_capability, setup),
		cmocka_unit_test_setup(state_survives_malformed_lists, setup),
		cmocka_unit_test_setup(state_reports_each_read_that_fails, setup),
		cmocka_unit_test_setup(state_takes_the_reserved_enable_as_off, setup),
		cmocka_unit_test_setup(probe_passes_on_each_reason, setup),
		cmocka_unit_test_setup(ranges_never_reach_the_kernel, setup),
		cmocka_unit_test_setup(set_passes_on_what_the_kernel_refuses, setup),
		cmocka_unit_test_setup(set_needs_a_place_and_an_address_space, setup),
		cmocka_unit_test_setup(notify_rejects_what_is_no_eventfd, setup),
		cmocka_unit_test_setup(guest_map_passes_on_what_the_kernel_refuses, setup),
		cmocka_unit_test_setup(guest_map_is_read_back, setup),
		cmocka_unit_test_setup(enable_refuses_what_is_not_on_offer, setup),
		cmocka_unit_test_setup(enable_that_is_not_taken_ends_off, setup),
		cmocka_unit_test_setup(enable_reports_each_read_that_fails, setup),
		cmocka_unit_test_setup(disable_that_is_not_taken_is_an_error, setup),
		cmocka_unit_test_setup(close_takes_null, setup),
		cmocka_unit_test_setup(group_tells_what_is_missing, setup),
		cmocka_unit_test_setup(options_that_do_not_go_together_are_refused, setup),
		cmocka_unit_test_setup(export_rejects_what_is_no_piece_of_a_bar, setup),
		cmocka_unit_test_setup(dmabufs_pass_on_what_the_kernel_refuses, setup),
		cmocka_unit_test_setup(publish_passes_on_each_reason, setup),
		cmocka_unit_test_setup(hints_that_are_none_never_reach_the_kernel, setup),
		cmocka_unit_test_setup(open_tells_what_is_wrong_with_a_token, setup),
		cmocka_unit_test_setup(open_takes_a_token, setup),
		cmocka_unit_test_setup(open_takes_options_of_other_versions, setup),
		cmocka_unit_test_setup(open_attaches_an_own_address_space, setup),
		cmocka_unit_test_setup(open_takes_every_spelling_of_an_address, setup),
		cmocka_unit_test_setup(open_takes_the_way_that_there_is, setup),
		cmocka_unit_test_setup(group_gives_a_device_that_steers, setup),
		cmocka_unit_test_setup(group_takes_a_token, setup),
		cmocka_unit_test_setup(memory_is_mapped_by_either_way, setup),
		cmocka_unit_test_setup(an_iommufd_of_the_caller_is_used, setup),
		cmocka_unit_test_setup(a_node_of_the_caller_is_bound, setup),
		cmocka_unit_test_setup(devices_share_an_address_space, setup),
		cmocka_unit_test_setup(a_container_of_the_caller_is_used, setup),
		cmocka_unit_test_setup(from_fd_leaves_the_descriptor_to_the_caller, setup),
		cmocka_unit_test_setup(state_of_each_kind_of_table, setup),
		cmocka_unit_test_setup(state_follows_policy_and_driver, setup),
		cmocka_unit_test_setup(set_asks_for_the_whole_range_at_once, setup),
		cmocka_unit_test_setup(notify_tells_of_entries_taken_back, setup),
		cmocka_unit_test_setup(whole_table_fits_one_request, setup),
		cmocka_unit_test_setup(tags_of_two_namespaces, setup),
		cmocka_unit_test_setup(enable_writes_mode_and_width, setup),
		cmocka_unit_test_setup(widest_is_what_device_and_firmware_have, setup),
		cmocka_unit_test_setup(export_gives_a_descriptor_of_its_own, setup),
		cmocka_unit_test_setup(dmabuf_requests_are_these_bytes, setup),
		cmocka_unit_test_setup(tags_are_valid_by_flag, setup),
		cmocka_unit_test_setup(handles_are_independent, setup),
		cmocka_unit_test_setup(version_is_the_projects, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("libtph", tests, make_sysfs, remove_sysfs);
}
