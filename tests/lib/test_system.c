// SPDX-License-Identifier: MIT
/* lib/system.c, the one file of libtph that the simulated kernel replaces, on the real kernel. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "system.h"

static void failures_are_negative_errnos(void **context)
{
	char byte = 0;
	dev_t number;

	(void)context;
	assert_int_equal(tph_system_open("/nonexistent", O_RDONLY), -ENOENT);
	assert_int_equal(tph_system_ioctl(-1, FIONREAD, &byte), -EBADF);
	assert_int_equal(tph_system_pread(-1, &byte, 1, 0), -EBADF);
	assert_int_equal(tph_system_pwrite(-1, &byte, 1, 0), -EBADF);
	assert_int_equal(tph_system_device_number(-1, &number), -EBADF);
}

static void open_closes_on_exec(void **context)
{
	dev_t number = 0;
	int fd = tph_system_open("/dev/null", O_RDWR);

	(void)context;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(tph_system_ioctl(fd, FIONREAD, &number), -ENOTTY);
	assert_int_equal(tph_system_device_number(fd, &number), 0);
	assert_int_equal(number, makedev(1, 3));
	close(fd);
}

static void offsets_beyond_four_gigabytes(void **context)
{
	const uint64_t offset = 7ull << 40;	/* where VFIO has configuration space */
	uint32_t value = 0x12345678, read_back = 0;
	dev_t number;
	int fd = memfd_create("test", MFD_CLOEXEC);

	(void)context;
	assert_true(fd >= 0);
	assert_int_equal(tph_system_pwrite(fd, &value, sizeof(value), offset), sizeof(value));
	assert_int_equal(tph_system_pread(fd, &read_back, sizeof(read_back), offset), 4);
	assert_int_equal(read_back, value);
	assert_int_equal(tph_system_pread(fd, &read_back, sizeof(read_back), offset + 2), 2);
	assert_int_equal(tph_system_device_number(fd, &number), -ENOTTY);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_are_negative_errnos),
		cmocka_unit_test(open_closes_on_exec),
		cmocka_unit_test(offsets_beyond_four_gigabytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("system", tests, NULL, NULL);
}
