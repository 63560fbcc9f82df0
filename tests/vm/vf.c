// SPDX-License-Identifier: MIT
/*
 * A virtual function whose physical function is in a user's hands: VFIO wants the token that this
 * user has set, by the character device and by the group.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "tph.h"

/* The devices of the VM "vf": an igb of QEMU's, and its first function */
#define PF	"0000:01:00.0"
#define VF	"0000:01:10.0"
#define SYSFS	"/sys/bus/pci/devices/"

/* newer than some headers */
#define VF_TOKEN		0u	/* VFIO_DEVICE_FEATURE_PCI_VF_TOKEN */
#define BIND_TOKEN		1u	/* VFIO_DEVICE_BIND_FLAG_TOKEN */
#define BIND_IOMMUFD_		_IO(VFIO_TYPE, VFIO_BASE + 18)
struct bind_iommufd_ {
	uint32_t argsz, flags;
	int32_t iommufd;
	uint32_t out_devid;
	uint64_t token_uuid_ptr;
};

static const uint8_t token[16] = { 0xbd, 0x8d, 0x9d, 0x2b, 0x5a, 0x5f, 0x4f, 0x5a,
				   0xa2, 0x11, 0xf5, 0x91, 0x51, 0x4b, 0xa1, 0xf3 };
static const uint8_t wrong[16] = { 0xbd, 0x8d, 0x9d, 0x2b, 0x5a, 0x5f, 0x4f, 0x5a,
				   0xa2, 0x11, 0xf5, 0x91, 0x51, 0x4b, 0xa1, 0xf4 };
#define TOKEN_TEXT	"bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3"
#define WRONG_TEXT	"bd8d9d2b-5a5f-4f5a-a211-f591514ba1f4"

static struct guest *pf;

static int make_functions(void **state)
{
	(void)state;
	guest_command("modprobe tph-vfio-pci enable_sriov=1");
	guest_bind(PF, "tph-vfio-pci");
	pf = guest_open(PF);
	assert_int_equal(feature(pf->fd, VFIO_DEVICE_FEATURE_SET | VF_TOKEN, token, sizeof(token)),
			 0);
	guest_command("echo 1 >" SYSFS PF "/sriov_numvfs");
	guest_command("test -e /sys/bus/pci/drivers/tph-vfio-pci/" VF);
	return 0;
}

static int remove_functions(void **state)
{
	(void)state;
	guest_command("echo 0 >" SYSFS PF "/sriov_numvfs");
	guest_close(pf);
	return 0;
}

static int open_cdev(const char *bdf)
{
	char pattern[96], path[64];
	glob_t found;
	int fd;

	snprintf(pattern, sizeof(pattern), SYSFS "%s/vfio-dev/vfio*", bdf);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

static void usable(int fd)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	assert_int_equal(ioctl(fd, VFIO_DEVICE_GET_INFO, &info), 0);
	assert_true(info.flags & VFIO_DEVICE_FLAGS_PCI);
}

/* BIND_IOMMUFD of the virtual function's character device; 0 or a negative errno. */
static int by_cdev(const uint8_t *uuid)
{
	struct bind_iommufd_ bind = {
		.argsz = sizeof(bind),
		.flags = uuid ? BIND_TOKEN : 0,
		.token_uuid_ptr = (uintptr_t)uuid,
	};
	int fd = open_cdev(VF), ret;

	bind.iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	assert_true(bind.iommufd >= 0);
	ret = ioctl(fd, BIND_IOMMUFD_, &bind) ? -errno : 0;
	if (!ret)
		usable(fd);
	close(fd);
	close(bind.iommufd);
	return ret;
}

/* VFIO_GROUP_GET_DEVICE_FD with that name; 0 or a negative errno. */
static int by_group(const char *name)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC), group, fd, ret = 0;
	char link[] = SYSFS VF "/iommu_group", target[256], path[64];
	ssize_t length = readlink(link, target, sizeof(target) - 1);

	assert_true(container >= 0 && length > 0);
	target[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	group = open(path, O_RDWR | O_CLOEXEC);
	assert_true(group >= 0);
	assert_int_equal(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), 0);
	assert_int_equal(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (fd < 0) {
		ret = -errno;
	} else {
		usable(fd);
		close(fd);
	}
	close(group);
	close(container);
	return ret;
}

static void the_cdev_wants_the_token(void **state)
{
	(void)state;
	assert_int_equal(by_cdev(NULL), -EACCES);
	assert_int_equal(by_cdev(wrong), -EACCES);
	assert_int_equal(by_cdev(token), 0);
	/* each time anew */
	assert_int_equal(by_cdev(NULL), -EACCES);
}

static void the_group_wants_the_token(void **state)
{
	(void)state;
	assert_int_equal(by_group(VF), -EACCES);
	assert_int_equal(by_group(VF " vf_token=" WRONG_TEXT), -EACCES);
	assert_int_equal(by_group(VF " vf_token=nonsense"), -EINVAL);
	assert_int_equal(by_group(VF " vf_token=" TOKEN_TEXT), 0);
	assert_int_equal(by_group(VF), -EACCES);
}

/* Whoever sets another one decides from then on. */
static void the_token_is_the_last_that_was_set(void **state)
{
	(void)state;
	assert_int_equal(feature(pf->fd, VFIO_DEVICE_FEATURE_SET | VF_TOKEN, wrong, sizeof(wrong)),
			 0);
	assert_int_equal(by_cdev(token), -EACCES);
	assert_int_equal(by_cdev(wrong), 0);
	assert_int_equal(feature(pf->fd, VFIO_DEVICE_FEATURE_SET | VF_TOKEN, token, sizeof(token)),
			 0);
	assert_int_equal(by_cdev(wrong), -EACCES);
	assert_int_equal(by_cdev(token), 0);
}

static int by_library(const char *text)
{
	struct tph_open_options options = { .size = sizeof(options), .vf_token = text };
	struct tph_device *vf;
	int ret = tph_open_with(VF, &options, &vf);

	if (!ret)
		tph_close(vf);
	return ret;
}

static void the_library_tells_what_is_missing(void **state)
{
	(void)state;
	assert_int_equal(guest_try_open(VF), -ENOKEY);
	assert_int_equal(by_library(WRONG_TEXT), -EKEYREJECTED);
	assert_int_equal(by_library("nonsense"), -EINVAL);
	assert_int_equal(by_library(TOKEN_TEXT), 0);
}

/* The tool asks for it by name. */
static void the_tool_asks_for_the_token(void **state)
{
	int status = guest_try("tphctl set " VF " 0=1 2>/tmp/said");

	(void)state;
	assert_int_equal(WEXITSTATUS(status), 4);
	guest_command("grep -qF 'give its VF token with --vf-token UUID' /tmp/said");
	guest_command("grep -qF '" PF "' /tmp/said");
	/* with it, what is in the way is that igb's VFs have no TPH */
	status = guest_try("tphctl set --vf-token " TOKEN_TEXT " " VF " 0=1 2>/tmp/said");
	assert_int_equal(WEXITSTATUS(status), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cdev_wants_the_token),
		cmocka_unit_test(the_group_wants_the_token),
		cmocka_unit_test(the_token_is_the_last_that_was_set),
		cmocka_unit_test(the_library_tells_what_is_missing),
		cmocka_unit_test(the_tool_asks_for_the_token),
	};

	return cmocka_run_group_tests(tests, make_functions, remove_functions);
}
