// SPDX-License-Identifier: MIT
/* VFIO_DEVICE_FEATURE_TPH_ST: what it refuses, and that a refusal changes nothing. */
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

#define SET	(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_ST)
#define GET	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_TPH_ST)
#define NONE	VFIO_TPH_CPU_NONE

struct payload {
	uint32_t flags;
	uint16_t index, count;
	uint32_t data[4];
};

/* Entries 0..3 steer to CPUs 0, 1, 2, 0 and are in force. */
static int setup(void **state)
{
	static const uint32_t cpus[] = { 0, 1, 2, 0 };
	struct guest *g = guest_open(EP_CAPABILITY);

	assert_int_equal(st_set(g, 0, 0, 4, cpus), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	*state = g;
	return 0;
}

/* After whatever was refused: ledger, enable state, hardware table, TLPs and counts as before. */
static void check_untouched(struct guest *g)
{
	static const uint32_t cpus[] = { 0, 1, 2, 0 };
	uint32_t got[64];
	int i;

	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, 64, got), 0);
	for (i = 0; i < 64; i++) {
		assert_int_equal(got[i], i < 4 ? cpus[i] : NONE);
		assert_int_equal(guest_raw(g, g->cap + TPH_TABLE + 2 * i, 2),
				 i < 4 ? TAG_VOLATILE_16(cpus[i]) : 0);
	}
	for (i = 0; i < 4; i++)
		assert_st(g, i, TAG_VOLATILE_16(cpus[i]), 16);
}

static int teardown(void **state)
{
	struct guest *g = *state;

	check_untouched(g);
	guest_close(g);
	return 0;
}

static void argsz_too_short(void **state)
{
	struct guest *g = *state;
	struct payload p = { .index = 0, .count = 3, .data = { 1, 1, 1 } };
	size_t size;

	/* all sizes below 8 + 4 * count */
	for (size = 0; size < 20; size++) {
		assert_int_equal(feature(g->fd, SET, &p, size), -EINVAL);
		assert_int_equal(feature(g->fd, GET, &p, size), -EINVAL);
	}
	p.count = 0xffff;
	assert_int_equal(feature(g->fd, SET, &p, sizeof(p)), -EINVAL);
}

static void unknown_flags(void **state)
{
	struct guest *g = *state;
	struct payload p = { .count = 1, .data = { 1 } };
	uint32_t bit;

	for (bit = 1; bit; bit <<= 1) {
		p.flags = bit;
		if (bit != VFIO_TPH_ST_MEM_TYPE_PM)
			assert_int_equal(feature(g->fd, SET, &p, sizeof(p)), -EINVAL);
		if (bit != VFIO_TPH_ST_EXT && bit != VFIO_TPH_ST_CPU)
			assert_int_equal(feature(g->fd, GET, &p, sizeof(p)), -EINVAL);
	}
	p.flags = VFIO_TPH_ST_EXT | VFIO_TPH_ST_CPU;
	assert_int_equal(feature(g->fd, GET, &p, sizeof(p)), -EINVAL);
	p.flags = VFIO_TPH_ST_MEM_TYPE_PM | 1u << 31;
	assert_int_equal(feature(g->fd, SET, &p, sizeof(p)), -EINVAL);
}

static void set_and_get_at_once(void **state)
{
	struct guest *g = *state;
	struct payload p = { .count = 1, .data = { 1 } };

	assert_int_equal(feature(g->fd, SET | VFIO_DEVICE_FEATURE_GET, &p, sizeof(p)), -EINVAL);
	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_TPH_ST, &p, sizeof(p)), -EINVAL);
	assert_int_equal(st_probe(g, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_GET), 0);
}

static void ranges(void **state)
{
	static const struct {
		uint16_t index, count;
	} bad[] = {
		{ 0, 0 }, { 63, 0 }, { 0xffff, 0 }, { 64, 1 }, { 63, 2 }, { 0, 65 }, { 1, 64 },
		{ 0xffff, 1 },		/* 16 bits wrap to 0 */
		{ 0xfffe, 3 }, { 0x8000, 1 }, { 0x7fff, 2 }, { 0xfff0, 32 }, { 0xffff, 0xffff },
	};
	static uint32_t cpus[0x10000];
	struct guest *g = *state;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(st_set(g, 0, bad[i].index, bad[i].count, cpus), -EINVAL);
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, bad[i].index, bad[i].count, cpus),
				 -EINVAL);
	}
}

/* The kernel's own helper compares a signed index: 0xfffffff0 would pass. Every widened form here. */
static void wide_indexes(void **state)
{
	static const uint32_t wide[] = { 0x80000000, 0xfffffff0, 0xffffffff, 0x7fffffff, 0x10000 };
	struct guest *g = *state;
	size_t i;

	for (i = 0; i < sizeof(wide) / sizeof(*wide); i++) {
		/* index and count are one 32-bit word to a program that got the layout wrong */
		uint32_t raw[3] = { 0, wide[i], 1 };

		if (wide[i] == 0x10000)	/* index 0, count 1, CPU 1 would be right: spoil it */
			raw[2] = 4096;
		assert_int_equal(feature(g->fd, SET, raw, sizeof(raw)), -EINVAL);
	}
}

static void cpus_that_do_not_exist(void **state)
{
	static const uint32_t bad[] = { 4, 5, 63, 64, 1023, 4096, 0x7fffffff, 0x80000000,
					0xfffffff0, 0xfffffffe };
	struct guest *g = *state;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint32_t cpus[4] = { 1, 1, bad[i], 1 };

		assert_int_equal(st_set(g, 0, 0, 4, cpus), -EINVAL);
	}
}

static void offline_cpu(void **state)
{
	static const uint32_t cpus[] = { 1, 2, CPU_WITHOUT_TAGS, 1 };
	struct guest *g = *state;
	int ret;

	guest_command("echo 0 >/sys/devices/system/cpu/cpu%d/online", CPU_WITHOUT_TAGS);
	ret = st_set(g, 0, 0, 4, cpus);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu%d/online", CPU_WITHOUT_TAGS);
	assert_int_equal(ret, -EPERM);
	/* it is for firmware to refuse it now */
	assert_int_equal(st_set(g, 0, 0, 4, cpus), -EOPNOTSUPP);
}

static void cpu_outside_the_affinity(void **state)
{
	static const uint32_t cpus[] = { 0, 0, CPU_WITHOUT_TAGS, 0 };
	struct guest *g = *state;
	int ret;

	/* all that entries steer to stay: else a review would take some back */
	guest_run_on(0x7);
	ret = st_set(g, 0, 0, 4, cpus);
	guest_run_on(0xf);
	assert_int_equal(ret, -EPERM);
}

/* The cpuset bounds what an affinity mask can ask for. */
static void cpu_outside_the_cpuset(void **state)
{
	static const uint32_t cpus[] = { 0, 0, CPU_WITHOUT_TAGS, 0 };
	struct guest *g = *state;
	int ret;

	guest_command("mkdir -p /sys/fs/cgroup/jail && echo 0-2 >/sys/fs/cgroup/jail/cpuset.cpus");
	guest_command("echo %d >/sys/fs/cgroup/jail/cgroup.procs", getpid());
	ret = st_set(g, 0, 0, 4, cpus);
	guest_command("echo %d >/sys/fs/cgroup/cgroup.procs", getpid());
	guest_command("rmdir /sys/fs/cgroup/jail");
	assert_int_equal(ret, -EPERM);
}

static void firmware_marks_it_invalid(void **state)
{
	static const uint32_t cpus[] = { 1, 1, CPU_WITHOUT_TAGS, 1 };
	struct guest *g = *state;

	assert_int_equal(st_set(g, 0, 0, 4, cpus), -EOPNOTSUPP);
	assert_int_equal(st_set(g, VFIO_TPH_ST_MEM_TYPE_PM, 0, 4, cpus), -EOPNOTSUPP);
}

static void tags_are_not_given_out(void **state)
{
	struct guest *g = *state;
	uint32_t tags[4] = { 7, 7, 7, 7 };

	/* policy iv-st */
	assert_int_equal(st_get(g, 0, 0, 4, tags), -EPERM);
	assert_int_equal(st_get(g, VFIO_TPH_ST_EXT, 0, 4, tags), -EPERM);
	assert_int_equal(tags[0], 7);
}

static void memory_that_is_not_there(void **state)
{
	struct guest *g = *state;
	struct {
		struct vfio_device_feature f;
		struct payload p;
	} *edge = guest_page_end(sizeof(struct vfio_device_feature) + 8);

	/* the header is readable, the data is not */
	edge->f.argsz = sizeof(edge->f) + 8 + 4 * 4;
	edge->p.flags = 0;
	edge->p.index = 0;
	edge->p.count = 4;
	edge->f.flags = SET;
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_FEATURE, edge), -1);
	assert_int_equal(errno, EFAULT);
	edge->f.flags = GET;
	edge->p.flags = VFIO_TPH_ST_CPU;
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_FEATURE, edge), -1);
	assert_int_equal(errno, EFAULT);
}

/* What the other threads of the process may run on counts too. */
static pthread_barrier_t barrier;

static void *run_on_cpu_1(void *arg)
{
	(void)arg;
	guest_run_on(0x2);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void cpus_of_another_thread(void **state)
{
	struct guest *g = *state;
	pthread_t thread;

	guest_run_on(0x1);
	assert_int_equal(st_set_one(g, 40, 1), -EPERM);
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, run_on_cpu_1, NULL), 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(st_set_one(g, 40, 1), 0);
	assert_int_equal(st_set_one(g, 40, 2), -EPERM);
	assert_st(g, 40, TAG_VOLATILE_16(1), 16);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	guest_run_on(0xf);
	assert_int_equal(st_set_one(g, 40, NONE), 0);
}

static void a_longer_argsz_is_fine(void **state)
{
	struct guest *g = *state;
	struct payload p = { .count = 1, .data = { 0, 0xdead, 0xbeef, 0xcafe } };

	assert_int_equal(feature(g->fd, SET, &p, sizeof(p)), 0);
}

/* Two threads against each other: each SET is one, whatever the order. */
static void *set_pairs(void *arg)
{
	struct guest *g = *(struct guest **)arg;
	uint32_t cpu = ((uintptr_t)arg >> 3) & 1 ? 1 : 2;
	uint32_t cpus[8];
	int i;

	for (i = 0; i < 8; i++)
		cpus[i] = cpu;
	for (i = 0; i < 200; i++)
		assert_int_equal(st_set(g, 0, 20, 8, cpus), 0);
	return NULL;
}

static void concurrent_sets(void **state)
{
	struct guest *g = *state, *two[2] = { g, g };
	uint32_t got[8], none[8];
	pthread_t thread;
	int i, round;

	assert_int_equal(pthread_create(&thread, NULL, set_pairs, &two[0]), 0);
	for (round = 0; round < 200; round++) {
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 20, 8, got), 0);
		for (i = 1; i < 8; i++)
			assert_int_equal(got[i], got[0]);
	}
	set_pairs(&two[1]);
	pthread_join(thread, NULL);
	for (i = 0; i < 8; i++)
		none[i] = NONE;
	assert_int_equal(st_set(g, 0, 20, 8, none), 0);
}

/* Who asks why gets it from the tracepoint: nothing else tells one EPERM from another. */
#define TRACING	"/sys/kernel/tracing/"
#define CPUS	"/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus"

static void assert_reason(const char *event)
{
	guest_command("grep -qF 'tph_refuse: %s' " TRACING "trace || { echo 'no event: %s'; exit 1; }",
		      event, event);
}

static void refusals_are_traced(void **state)
{
	struct guest *g = *state, *unheard;

	guest_command("echo 1 >" TRACING "events/tph_vfio_pci/tph_refuse/enable");
	guest_command("echo >" TRACING "trace");
	/* not of a CPU that entries steer to: those would be taken back some time */
	guest_run_on(0x7);
	assert_int_equal(st_set_one(g, 0, CPU_WITHOUT_TAGS), -EPERM);
	assert_reason(EP_CAPABILITY " cpu=3 reason=process-may-not-run-there error=-1");
	guest_run_on(0xf);
	guest_command("echo 0-2 >" CPUS);
	assert_int_equal(st_set_one(g, 0, CPU_WITHOUT_TAGS), -EPERM);
	assert_reason(EP_CAPABILITY " cpu=3 reason=not-in-operator-list error=-1");
	guest_command("echo 0-3 >" CPUS);
	assert_int_equal(st_set_one(g, 0, CPU_WITHOUT_TAGS), -EOPNOTSUPP);
	assert_reason(EP_CAPABILITY " cpu=-1 reason=no-valid-tag error=-95");
	unheard = guest_open(EP_UNHEARD);
	assert_int_equal(st_set_one(unheard, 0, 1), -EOPNOTSUPP);
	assert_reason(EP_UNHEARD " cpu=-1 reason=not-offered error=-95");
	guest_close(unheard);
	guest_command("echo 0 >" TRACING "events/tph_vfio_pci/tph_refuse/enable");
}

/* Nobody has told the driver of a CPU that went before it was loaded. */
static void cpu_was_offline_before(void **state)
{
	struct guest *g;
	int ret;

	(void)state;
	guest_run_on(0xf);
	guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
	guest_driver("policy=iv-st");
	g = guest_open(EP_CAPABILITY);
	ret = st_set_one(g, 0, 2);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
	assert_int_equal(ret, -EPERM);
	assert_int_equal(st_set_one(g, 0, 2), 0);
	guest_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(argsz_too_short, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_flags, setup, teardown),
		cmocka_unit_test_setup_teardown(set_and_get_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(wide_indexes, setup, teardown),
		cmocka_unit_test_setup_teardown(cpus_that_do_not_exist, setup, teardown),
		cmocka_unit_test_setup_teardown(offline_cpu, setup, teardown),
		cmocka_unit_test_setup_teardown(cpu_outside_the_affinity, setup, teardown),
		cmocka_unit_test_setup_teardown(cpu_outside_the_cpuset, setup, teardown),
		cmocka_unit_test_setup_teardown(firmware_marks_it_invalid, setup, teardown),
		cmocka_unit_test_setup_teardown(tags_are_not_given_out, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_that_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(cpus_of_another_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(a_longer_argsz_is_fine, setup, teardown),
		cmocka_unit_test_setup_teardown(concurrent_sets, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals_are_traced, setup, teardown),
		cmocka_unit_test(cpu_was_offline_before),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
