// SPDX-License-Identifier: MIT
/*
 * Hot reset back to back, as stock vfio-pci has it: the core tries for a lock of each device of the
 * set, and whoever has it makes it EBUSY. Leases are held all the while, by several processes, and
 * nobody does anything else: what is busy then is the driver by itself. Stock vfio-pci does the
 * same beside it, in the same run.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "../../lib/kernel_abi.h"
#include "guest.h"
#include "tph.h"

#define SET_NOTIFY	(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_NOTIFY)
#define HOLDERS		8	/* processes beside this one that hold entries of each device */
#define ERRNOS		134

/* What is below one port is reset together. */
static struct set {
	const char *driver, *bdf[2];
	struct guest *first;
	int second;		/* descriptor of the second function, -1 without one */
	uint32_t entries;
	unsigned int resets;
	unsigned int answers[ERRNOS];
} sets[] = {
	{ "tph-vfio-pci", { "0000:01:00.0", "0000:01:00.1" }, NULL, -1, 64, 0, { 0 } },
	{ "tph-vfio-pci", { "0000:02:00.0" }, NULL, -1, 16, 0, { 0 } },
	{ "tph-vfio-pci", { "0000:03:00.0" }, NULL, -1, 64, 0, { 0 } },
	{ "tph-vfio-pci", { "0000:04:00.0" }, NULL, -1, 64, 0, { 0 } },
	{ "vfio-pci", { "0000:05:00.0", "0000:05:00.1" }, NULL, -1, 0, 0, { 0 } },
	{ "vfio-pci", { "0000:06:00.0" }, NULL, -1, 0, 0, { 0 } },
	{ "vfio-pci", { "0000:07:00.0" }, NULL, -1, 0, 0, { 0 } },
	{ "vfio-pci", { "0000:08:00.0" }, NULL, -1, 0, 0, { 0 } },
};

#define SETS	(sizeof(sets) / sizeof(*sets))
#define OURS	(SETS / 2)

static unsigned int resets = 1000;	/* of each driver */
static int taken_back = -1;

/* The other function, in the same iommufd: else its set is not this process's to reset. */
static int open_second(struct guest *first, const char *bdf)
{
	struct tph_vfio_bind_iommufd bind = {
		.argsz = sizeof(bind), .iommufd = tph_iommu_fd(first->tph),
	};
	struct tph_vfio_attach_iommufd attach = { .argsz = sizeof(attach), .pt_id = first->ioas };
	char path[128];
	glob_t found;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev/vfio*", bdf);
	assert_int_equal(glob(path, 0, NULL, &found), 0);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TPH_VFIO_BIND_IOMMUFD, &bind), 0);
	assert_int_equal(ioctl(fd, TPH_VFIO_ATTACH_IOMMUFD, &attach), 0);
	return fd;
}

static uint32_t held_by(unsigned int holder)
{
	return holder % CPU_WITHOUT_TAGS;
}

/* The entry of a holder, on each function of each of our sets. */
static int hold(unsigned int holder)
{
	unsigned int i, function;

	for (i = 0; i < OURS; i++)
		for (function = 0; function < 2; function++) {
			struct guest g = { .fd = function ? sets[i].second : sets[i].first->fd };

			if (g.fd >= 0 && st_set_one(&g, holder, held_by(holder)))
				return 1;
		}
	return 0;
}

static void hold_in_another_process(unsigned int holder)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (hold(holder) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static int set_up(void **state)
{
	struct vfio_device_feature_tph_notify notify;
	unsigned int i, holder;

	(void)state;
	taken_back = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	notify = (struct vfio_device_feature_tph_notify){ .eventfd = taken_back };
	guest_command("modprobe tph-vfio-pci policy=iv-st && modprobe vfio-pci");
	for (i = 0; i < SETS; i++) {
		struct set *set = &sets[i];

		guest_bind(set->bdf[0], set->driver);
		if (set->bdf[1])
			guest_bind(set->bdf[1], set->driver);
		set->first = guest_open(set->bdf[0]);
		if (set->bdf[1])
			set->second = open_second(set->first, set->bdf[1]);
		set->resets = (resets + OURS - 1) / OURS;
		if (i >= OURS)
			continue;
		assert_int_equal(feature(set->first->fd, SET_NOTIFY, &notify, sizeof(notify)), 0);
		if (set->second >= 0)
			assert_int_equal(feature(set->second, SET_NOTIFY, &notify, sizeof(notify)), 0);
	}
	assert_int_equal(hold(0), 0);
	for (holder = 1; holder <= HOLDERS; holder++)
		hold_in_another_process(holder);
	for (i = 0; i < OURS; i++) {
		control(sets[i].first, TPH_CTRL_IV | TPH_CTRL_16);
		assert_int_equal(control_read(sets[i].first), TPH_CTRL_IV | TPH_CTRL_16);
	}
	return 0;
}

static void *reset(void *arg)
{
	struct vfio_pci_hot_reset request = { .argsz = sizeof(request) };
	struct set *set = arg;
	unsigned int i;
	int error;

	for (i = 0; i < set->resets; i++) {
		error = ioctl(set->first->fd, VFIO_DEVICE_PCI_HOT_RESET, &request) ? errno : 0;
		set->answers[error < ERRNOS ? error : ERRNOS - 1]++;
	}
	return NULL;
}

static void as_often_busy_as_stock(void **state)
{
	unsigned int i, j, other = 0, done[2] = { 0 }, busy[2] = { 0 };
	pthread_t threads[SETS];

	(void)state;
	for (i = 0; i < SETS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reset, &sets[i]), 0);
	for (i = 0; i < SETS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < SETS; i++) {
		done[i >= OURS] += sets[i].answers[0];
		busy[i >= OURS] += sets[i].answers[EBUSY];
		for (j = 1; j < ERRNOS; j++)
			other += j == EBUSY ? 0 : sets[i].answers[j];
	}
	printf("# tph-vfio-pci: %u hot resets, %u EBUSY; vfio-pci: %u, %u EBUSY; other errors: %u\n",
	       done[0], busy[0], done[1], busy[1], other);
	assert_int_equal(other, 0);
	assert_int_equal(busy[1], 0);
	assert_int_equal(busy[0], busy[1]);
	assert_true(done[0] >= resets && done[1] >= resets);
}

/* Else nothing of the driver's would have been about. */
static void leases_were_held_all_the_while(void **state)
{
	uint32_t cpus[HOLDERS + 1];
	unsigned int i, holder;
	uint64_t count;

	(void)state;
	assert_int_equal(read(taken_back, &count, sizeof(count)), -1);
	assert_int_equal(errno, EAGAIN);
	for (i = 0; i < OURS; i++) {
		struct guest *g = sets[i].first, second = { .fd = sets[i].second };

		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, HOLDERS + 1, cpus), 0);
		for (holder = 0; holder <= HOLDERS; holder++)
			assert_int_equal(cpus[holder], held_by(holder));
		if (second.fd >= 0) {
			assert_int_equal(st_get(&second, VFIO_TPH_ST_CPU, 0, HOLDERS + 1, cpus), 0);
			for (holder = 0; holder <= HOLDERS; holder++)
				assert_int_equal(cpus[holder], held_by(holder));
		}
		assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
		guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
		if (sets[i].entries == 64)
			for (holder = 0; holder <= HOLDERS; holder++)
				assert_st(g, holder, TAG_VOLATILE_16(held_by(holder)), 16);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_often_busy_as_stock),
		cmocka_unit_test(leases_were_held_all_the_while),
	};

	if (argc > 1)
		resets = (unsigned int)strtoul(argv[1], NULL, 0);
	return cmocka_run_group_tests(tests, set_up, NULL);
}
