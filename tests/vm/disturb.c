// SPDX-License-Identifier: MIT
/*
 * What a user does to a device that makes taking back hard for the driver, or another user's steering
 * flicker: resets with memory decode off, functions that a reset turns on, memory_lock held for long,
 * hot resets that are refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "group.h"

#define SYSFS	"/sys/bus/pci/devices/"
#define TRACE	"/sys/kernel/tracing/"
#define NONE	VFIO_TPH_CPU_NONE
#define ON	(TPH_CTRL_16)

/* The functions of the VM "disturb" (tests/vm/suites). */
#define EP_ON	"0000:01:00.0"	/* table in MSI-X; every reset turns the requester on */
#define EP_F0	"0000:02:00.0"	/* in one group */
#define EP_F1	"0000:02:00.1"
#define EP_MAPPED	"0000:03:00.0"	/* table in MSI-X, and memory to map */

#define MAPPINGS  60000
#define PROCESSES 6

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Off comes first, whether or not the table can be written. */
static void reset_with_memory_off(void **state)
{
	struct guest *g = guest_open(EP_ON);

	(void)state;
	guest_vectors(g, 4);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	if (ioctl(g->fd, VFIO_DEVICE_RESET))
		fail_msg("reset: %s", strerror(errno));
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & ON, 0);
	/* what is wanted comes back with the memory */
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_8);
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), TPH_CTRL_IV | TPH_CTRL_8);
	guest_close(g);
}

/* Nobody has it open: what a reset turned on is not left for the next driver. */
static void reset_of_a_closed_function(void **state)
{
	struct guest *g = guest_open(EP_ON);
	uint16_t cap = g->cap;

	(void)state;
	guest_close(g);
	assert_int_equal(raw_config(EP_ON, cap + TPH_CTRL, 4) & ON, 0);
	guest_command("echo on >" SYSFS EP_ON "/power/control");
	guest_command("echo 1 >" SYSFS EP_ON "/reset");
	assert_int_equal(raw_config(EP_ON, cap + TPH_CTRL, 4) & ON, 0);
	guest_command("echo " EP_ON " >/sys/bus/pci/drivers/tph-vfio-pci/unbind");
	assert_int_equal(raw_config(EP_ON, cap + TPH_CTRL, 4) & ON, 0);
	guest_bind(EP_ON, "tph-vfio-pci");
}

/* Refused hot resets of one function write nothing to another's. */
static void refused_hot_resets(void **state)
{
	struct vfio_pci_hot_reset arg = { .argsz = 0 };
	struct guest second = { .bdf = EP_F1 };
	struct group_guest group;
	int i;

	(void)state;
	group_open(&group, EP_F0, CONTAINER_TYPE1);
	second.fd = ioctl(group.group, VFIO_GROUP_GET_DEVICE_FD, EP_F1);
	assert_int_not_equal(second.fd, -1);
	second.raw = guest_open_raw(EP_F1);
	second.cap = guest_extended(&second, 0x17);
	guest_config_write(&second, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_int_equal(st_set_one(&second, 0, 1), 0);
	control(&second, TPH_CTRL_IV | TPH_CTRL_16);

	guest_command("echo 1 >" TRACE "events/tph_vfio_pci/tph_apply/enable && echo >" TRACE "trace");
	for (i = 0; i < 10; i++) {
		assert_int_equal(ioctl(group.g.fd, VFIO_DEVICE_PCI_HOT_RESET, &arg), -1);
		assert_int_equal(errno, EINVAL);
	}
	guest_command("echo 0 >" TRACE "events/tph_vfio_pci/tph_apply/enable");
	/* that the trace works: the caller's own steering was held */
	guest_command("! grep -q '" EP_F1 "' " TRACE "trace");
	assert_int_equal(guest_raw(&second, second.cap + TPH_CTRL, 4), TPH_CTRL_IV | TPH_CTRL_16);
	close(second.fd);
	close(second.raw);
	group_close(&group);
}

/*
 * The user's write of the command register takes all mappings away, with memory_lock held, and there
 * are very many. Whoever takes something back meanwhile does not wait for that: the requester is off.
 */
static volatile bool writing, written;

static void *memory_off(void *arg)
{
	off_t at = ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + PCI_COMMAND;
	uint16_t off = PCI_COMMAND_MASTER;
	struct guest *g = arg;
	ssize_t n;

	writing = true;
	n = pwrite(g->fd, &off, 2, at);
	written = true;
	return n == 2 ? NULL : g;
}

static void revoked_while_memory_lock_is_held(void **state)
{
	struct vfio_region_info info;
	pid_t processes[PROCESSES];
	double start, listed, wrote;
	struct guest *g = guest_open(EP_MAPPED);
	pthread_t thread;
	void *failed;
	int i;

	(void)state;
	guest_vectors(g, 4);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	guest_region(g, 2, &info);
	for (i = 0; i < MAPPINGS; i++)
		if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, g->fd, info.offset) == MAP_FAILED)
			fail_msg("mapping %d: %s", i, strerror(errno));
	for (i = 0; i < PROCESSES; i++) {
		processes[i] = fork();
		assert_int_not_equal(processes[i], -1);
		if (!processes[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
	start = seconds();
	assert_int_equal(pthread_create(&thread, NULL, memory_off, g), 0);
	while (!writing)
		;
	usleep(20000);
	guest_command("echo 0,2-3 >" SYSFS EP_MAPPED "/tph/cpus");
	listed = seconds() - start;
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & ON, 0);
	/* it was under way all the while; with the lock, for that is the first that it does */
	if (written)
		fail_msg("the list was written after the command register");
	pthread_join(thread, &failed);
	wrote = seconds() - start;
	assert_null(failed);
	for (i = 0; i < PROCESSES; i++) {
		kill(processes[i], SIGKILL);
		waitpid(processes[i], NULL, 0);
	}
	print_message("# the list was written after %.3f s, the command register after %.3f s\n", listed,
		      wrote);
	guest_command("echo 0-3 >" SYSFS EP_MAPPED "/tph/cpus");
	/* the rest follows, and what is left of the table is as it should be */
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, 0, 16);
	assert_int_equal(st_set_one(g, 0, 2), 0);
	assert_st(g, 0, TAG_VOLATILE_16(2), 16);
	guest_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(reset_with_memory_off, guest_close_all),
		cmocka_unit_test_teardown(reset_of_a_closed_function, guest_close_all),
		cmocka_unit_test_teardown(refused_hot_resets, guest_close_all),
		cmocka_unit_test_teardown(revoked_while_memory_lock_is_held, guest_close_all),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
