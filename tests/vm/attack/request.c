// SPDX-License-Identifier: MIT
/* The requests for tags themselves: SET for what is not the caller's, and reading tags back. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* SET for the other CPU, by itself and beside the caller's own; his own does work. */
static bool set_other_cpu(struct guest *g)
{
	static const uint32_t both[2] = { HIS_CPU, OTHER_CPU };

	if (!st_set_one(g, 0, OTHER_CPU) || sends_tag(g, 0, OTHER_TAG))
		return true;
	if (!st_set(g, 0, 0, 2, both) || sends_any_tag(g, 0) || sends_any_tag(g, 1))
		return true;
	assert_int_equal(st_set_one(g, 0, HIS_CPU), 0);
	assert_true(sends_tag(g, 0, HIS_TAG));
	return false;
}

static bool not_in_affinity(const struct attack *attack, bool ours)
{
	return set_other_cpu(attack_open(attack->bdf, ours));
}

/* Asks for all CPUs as his affinity; the cpuset leaves him 0 and 1. */
static bool not_in_cpuset(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	operator_cpuset(getpid(), "0-1");
	guest_run_on(0xf);
	return set_other_cpu(g);
}

static int runs_elsewhere(void *arg)
{
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(OTHER_CPU, &set);
	sched_setaffinity(0, sizeof(set), &set);
	*(volatile bool *)arg = true;
	pause();
	return 0;
}

/* Another process runs there, with the same memory and descriptors, but it is not the caller. */
static bool of_another_process(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	static volatile bool there;
	static char stack[0x4000] __attribute__((aligned(16)));
	bool succeeds;
	pid_t pid = clone(runs_elsewhere, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD,
			  (void *)&there);

	assert_true(pid > 0);
	while (!there)
		sched_yield();
	succeeds = set_other_cpu(g);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return succeeds;
}

static bool not_in_operator_list(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	operator_cpus(attack->bdf, "1");
	return !st_set_one(g, 0, 0) || sends_any_tag(g, 0);
}

/* Reach behind the table, or wrap around to its start. The device has 5 entries, an odd number. */
static bool index_and_count(const struct attack *attack, bool ours)
{
	static const uint16_t bad[][2] = { { 5, 1 }, { 4, 2 }, { 0, 6 }, { 0xffff, 2 },
					   { 0xfffe, 8 }, { 0x8000, 1 }, { 0, 0xffff }, { 1, 0xffff }, { 0, 0 } };
	struct guest *g = attack_open(attack->bdf, ours);
	uint32_t *cpus = calloc(0x10000, sizeof(*cpus)), behind;
	unsigned int i;

	assert_non_null(cpus);
	for (i = 0; i < 0x10000; i++)
		cpus[i] = HIS_CPU;
	behind = guest_raw(g, g->cap + TPH_TABLE + 10, 2);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!st_set(g, 0, bad[i][0], bad[i][1], cpus) || sends_any_tag(g, 0) ||
		    sends_any_tag(g, 4) || guest_raw(g, g->cap + TPH_TABLE + 10, 2) != behind)
			return true;
	assert_int_equal(st_set(g, 0, 0, 5, cpus), 0);
	assert_true(sends_tag(g, 4, TAG_VOLATILE_8(HIS_CPU)));
	free(cpus);
	return guest_raw(g, g->cap + TPH_TABLE + 10, 2) != behind;
}

/* A payload that another thread changes while the kernel reads it. */
struct payload {
	struct vfio_device_feature feature;
	struct vfio_device_feature_tph_st st;
	uint32_t cpu;
};

static struct payload *payload;
static volatile bool stop;

static void *change_cpu(void *arg)
{
	volatile uint32_t *cpu = &payload->cpu;

	while (!stop)
		*cpu = *cpu == HIS_CPU ? OTHER_CPU : HIS_CPU;
	return arg;
}

static void *change_sizes(void *arg)
{
	volatile uint32_t *argsz = &payload->feature.argsz;
	volatile uint16_t *count = &payload->st.count;

	while (!stop) {
		*argsz = sizeof(*payload);
		*count = 64;
		*argsz = sizeof(*payload) + 63 * 4;
		*count = 1;
	}
	return arg;
}

static bool race(const struct attack *attack, void *(*change)(void *))
{
	struct guest *g = attack_open(attack->bdf, true);
	unsigned int i, at, taken = 0, refused = 0;
	bool succeeds = false;
	pthread_t thread;
	uint32_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);

	/* whoever reads further than he asked for finds CPU 0, which could be set */
	assert_ptr_not_equal(page, MAP_FAILED);
	payload = (struct payload *)page;
	*payload = (struct payload){
		.feature.argsz = sizeof(*payload),
		.feature.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_ST,
		.st.count = 1,
		.cpu = HIS_CPU,
	};
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, change, NULL), 0);
	for (i = 0; i < 20000 && !succeeds && (taken < 300 || refused < 300); i++) {
		if (ioctl(g->fd, VFIO_DEVICE_FEATURE, payload)) {
			refused++;
			continue;
		}
		taken++;
		at = guest_raw(g, g->cap + TPH_TABLE, 2);
		succeeds = at != HIS_TAG && at != TAG_VOLATILE_16(0);
		/* the second half of the table is beyond what was ever asked for */
		if (change == change_cpu)
			succeeds = succeeds || guest_raw(g, g->cap + TPH_TABLE + 2, 2);
	}
	stop = true;
	pthread_join(thread, NULL);
	/* both have been seen, or there was no race */
	assert_int_not_equal(taken, 0);
	assert_int_not_equal(refused, 0);
	return succeeds || sends_tag(g, 0, OTHER_TAG);
}

static bool race_of_cpu(const struct attack *attack, bool ours)
{
	(void)ours;
	return race(attack, change_cpu);
}

/* The size that was checked and the count that is used, if they are read twice. */
static bool race_of_size(const struct attack *attack, bool ours)
{
	(void)ours;
	return race(attack, change_sizes);
}

/* Whoever knows a CPU's tag can send it wherever a device takes tags. Root has one in the table. */
static bool read_capability(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	uint32_t tag = 0;

	if (ours) {
		assert_int_equal(st_set_one(g, 0, HIS_CPU), 0);
		assert_int_equal(guest_raw(g, g->cap + TPH_TABLE, 2), HIS_TAG);
	} else {
		act_as_root();
		raw_config_write(g->bdf, g->cap + TPH_TABLE, 2, HIS_TAG);
		act_as_user();
	}
	if (ours && (!st_get(g, VFIO_TPH_ST_EXT, 0, 1, &tag) || !st_get(g, 0, 0, 1, &tag)))
		return true;
	return tag || guest_config(g, g->cap + TPH_TABLE, 1) ||
	       guest_config(g, g->cap + TPH_TABLE, 2) || guest_config(g, g->cap + TPH_TABLE - 1, 4);
}

static bool read_msix_table(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	uint16_t tag = 0;
	uint8_t *map;

	get_his_tag(g, ours);
	assert_int_equal(pread(g->fd, &tag, 2, TABLE_AT + 14), 2);
	if (tag == HIS_TAG)
		return true;
	map = map_bar0(g, TABLE_PAGE, 0x1000);
	return map != MAP_FAILED &&
	       *(volatile uint32_t *)(map + (TABLE_AT - TABLE_PAGE) + 12) >> 16 == HIS_TAG;
}

#define OURS(name, run, bdf) \
	{ name, run, bdf, STOCK_WITHOUT, "n/a: has no SET", "attack/request.c" }

const struct attack request_attacks[] = {
	OURS("set-cpu-not-in-affinity", not_in_affinity, AT_CAPABILITY),
	OURS("set-cpu-not-in-cpuset", not_in_cpuset, AT_CAPABILITY),
	OURS("set-cpu-of-other-process", of_another_process, AT_CAPABILITY),
	OURS("set-cpu-not-in-list", not_in_operator_list, AT_CAPABILITY),
	OURS("set-index-and-count", index_and_count, AT_FIRST),
	OURS("set-race-cpu", race_of_cpu, AT_CAPABILITY),
	OURS("set-race-size", race_of_size, AT_CAPABILITY),
	{ "read-tags-in-config", read_capability, AT_CAPABILITY, STOCK_OPEN, NULL,
	  "attack/request.c" },
	{ "read-tags-in-msix-table", read_msix_table, AT_MSIX, STOCK_OPEN, NULL,
	  "attack/request.c" },
	{ 0 }
};
