// SPDX-License-Identifier: MIT
/*
 * bench-offline: what a guest's storm of writes makes of taking a CPU offline, which has to take back
 * the tags of that CPU. Runs in the VM (bench/offline). Three things take turns on one CPU, so that
 * other work on the machine meets all: a thread that only runs, one that writes entries and changes no
 * tag, and one that changes a tag with each write. The middle time of each counts.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "../tests/vm/guest.h"

#define ROUNDS	    21
#define GUEST_CPU   1
#define OFFLINE_CPU "2"

enum load { RUNS, WRITES, CHANGES, LOADS };

static struct {
	struct guest *g;
	enum load load;
	unsigned long writes;
	volatile bool ends;
} guest;

static double times[LOADS][ROUNDS];

static void *be_guest(void *arg)
{
	const unsigned int table = guest.g->cap + TPH_TABLE;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(GUEST_CPU, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	for (unsigned int i = 0; !guest.ends; i++) {
		if (guest.load == RUNS)
			continue;
		guest_config_write(guest.g, table, 2, guest.load == CHANGES ? 1 + i % 2 : 2);
		guest.writes++;
	}
	return arg;
}

static void put_cpu(const char *online)
{
	int fd = open("/sys/devices/system/cpu/cpu" OFFLINE_CPU "/online", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, online, 1), 1);
	close(fd);
}

static void map(struct guest *g)
{
	struct {
		uint32_t argsz, feature, flags, count, cpus[2];
	} call = {
		.argsz = sizeof(call),
		.feature = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_GUEST,
		.count = 2,
		.cpus = { 2, 1 },
	};

	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_FEATURE, &call), 0);
}

static double measure(enum load load)
{
	struct timespec from, to;
	pthread_t thread;

	map(guest.g);
	guest_config_write(guest.g, guest.g->cap + TPH_TABLE + 2, 2, 1);
	guest.load = load;
	guest.ends = false;
	assert_int_equal(pthread_create(&thread, NULL, be_guest, NULL), 0);
	usleep(50000);
	clock_gettime(CLOCK_MONOTONIC, &from);
	put_cpu("0");
	clock_gettime(CLOCK_MONOTONIC, &to);
	/* it is gone, whatever is still written */
	assert_int_not_equal(guest_write_for(guest.g, 1).st, TAG_VOLATILE_16(2));
	guest.ends = true;
	pthread_join(thread, NULL);
	put_cpu("1");
	return (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
}

static int ascending(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

static void a_storm_does_not_delay_it(void **state)
{
	double middle[LOADS];

	(void)state;
	guest.g = guest_open(EP_CAPABILITY);
	map(guest.g);
	guest_config_write(guest.g, guest.g->cap + TPH_CTRL, 4, TPH_CTRL_IV | TPH_CTRL_16);
	for (int i = 0; i < ROUNDS; i++)
		for (enum load load = RUNS; load < LOADS; load++)
			times[load][i] = measure(load);
	for (enum load load = RUNS; load < LOADS; load++) {
		qsort(times[load], ROUNDS, sizeof(times[load][0]), ascending);
		middle[load] = times[load][ROUNDS / 2];
	}
	printf("# CPU offline beside a thread that runs: %.0f ms, writes: %.0f ms, changes a tag with "
	       "each of %lu writes: %.0f ms\n",
	       middle[RUNS], middle[WRITES], guest.writes, middle[CHANGES]);
	printf("# ratio %.2f to one that runs, %.2f to one that writes (goal: at most 1.2)\n",
	       middle[CHANGES] / middle[RUNS], middle[CHANGES] / middle[WRITES]);
	guest_close(guest.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_does_not_delay_it),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	guest_driver("policy=iv-st");
	return guest_run_group(tests);
}
