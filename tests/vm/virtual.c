// SPDX-License-Identifier: MIT
/*
 * A guest that steers by itself: the test is its manager, which maps virtual tags to host CPUs, and
 * what runs the guest, which writes the virtual ST table through configuration space. What counts is
 * the tag on the wire. What must not work comes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define NONE	VFIO_TPH_CPU_NONE
#define GUEST	VFIO_DEVICE_FEATURE_TPH_GUEST
#define SET	VFIO_DEVICE_FEATURE_SET
#define GET	VFIO_DEVICE_FEATURE_GET
#define PROBE	VFIO_DEVICE_FEATURE_PROBE
#define SYSFS	"/sys/bus/pci/devices/"
#define ON	(TPH_CTRL_IV | TPH_CTRL_16)

struct map {
	uint32_t flags, count;
	uint32_t data[VFIO_TPH_GUEST_TAGS_MAX];
};

static struct map asked;

static int call(struct guest *g, uint32_t operation, const struct map *map, uint32_t numbers)
{
	return feature(g->fd, operation | GUEST, map, 8 + 4 * numbers);
}

static int set_map(struct guest *g, uint32_t count, const uint32_t *cpus)
{
	memset(&asked, 0, sizeof(asked));
	asked.count = count;
	if (count)
		memcpy(asked.data, cpus, count * sizeof(*cpus));
	return call(g, SET, &asked, count);
}

/* Return: how many there are, or a negative errno. */
static int get(struct guest *g, uint32_t flags, uint32_t room, uint32_t *data)
{
	static struct {
		struct vfio_device_feature feature;
		struct map map;
	} f;

	memset(&f, 0, sizeof(f));
	f.feature.argsz = 16 + 4 * room;
	f.feature.flags = GET | GUEST;
	f.map.flags = flags;
	f.map.count = room;
	if (ioctl(g->fd, VFIO_DEVICE_FEATURE, &f))
		return -errno;
	memcpy(data, f.map.data, room * sizeof(*data));
	return f.map.count;
}

/* The guest's driver */
static void write_tag(struct guest *g, unsigned int entry, uint32_t tag)
{
	guest_config_write(g, g->cap + TPH_TABLE + 2 * entry, 2, tag);
}

static uint32_t read_tag(struct guest *g, unsigned int entry)
{
	return guest_config(g, g->cap + TPH_TABLE + 2 * entry, 2);
}

static void count_clear(struct guest *g)
{
	guest_register_write(g, EP_COUNT_CLEAR, 1);
}

/* Tags 1, 2 and 3 stand for CPUs 2, 1 and 0; entries 0 .. 3 are tags 1, 2, 3 and none. */
static const uint32_t cpus[3] = { 2, 1, 0 };

static int setup_on(void **state, const char *bdf)
{
	struct guest *g = guest_open(bdf);
	unsigned int i;

	guest_run_on(0xf);
	*state = g;
	if (!strcmp(bdf, EP_MSIX))
		guest_vectors(g, 4);
	assert_int_equal(set_map(g, 3, cpus), 0);
	for (i = 0; i < 3; i++)
		write_tag(g, i, i + 1);
	control(g, ON);
	assert_int_equal(control_read(g), ON);
	return 0;
}

static int setup(void **state)
{
	return setup_on(state, EP_CAPABILITY);
}

static int setup_msix(void **state)
{
	return setup_on(state, EP_MSIX);
}

static int setup_open(void **state)
{
	guest_run_on(0xf);
	*state = guest_open(EP_CAPABILITY);
	return 0;
}

static int teardown(void **state)
{
	guest_run_on(0xf);
	guest_try("echo 0-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	if (*state)
		guest_close(*state);
	return 0;
}

static void check(struct guest *g, const uint32_t *at)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		assert_st(g, i, at[i] == NONE ? 0 : TAG_VOLATILE_16(at[i]), 16);
}

/* Wait until the map's slots are these. */
static void wait_map(struct guest *g, uint32_t count, const uint32_t *wanted)
{
	uint32_t now[8];
	int i;

	for (i = 0; i < 10000; i++) {
		assert_int_equal(get(g, 0, count, now), count);
		if (!memcmp(now, wanted, count * sizeof(*now)))
			return;
		usleep(1000);
	}
	fail_msg("the map is %x %x %x", now[0], now[1], now[2]);
}

static void requests_that_make_no_sense(void **state)
{
	struct guest *g = *state;
	uint32_t one = 1, beyond = 4096, many[8];

	assert_int_equal(feature(g->fd, SET | GUEST, NULL, 0), -EINVAL);
	assert_int_equal(feature(g->fd, SET | GUEST, &asked, 7), -EINVAL);
	asked = (struct map){ .count = 2, .data = { 1, 1 } };
	assert_int_equal(call(g, SET, &asked, 1), -EINVAL);
	asked.count = VFIO_TPH_GUEST_TAGS_MAX + 1;
	assert_int_equal(call(g, SET, &asked, VFIO_TPH_GUEST_TAGS_MAX), -EINVAL);
	asked.count = ~0u;
	assert_int_equal(call(g, SET, &asked, VFIO_TPH_GUEST_TAGS_MAX), -EINVAL);
	asked.count = 0x40000001;	/* 4 bytes, if multiplied by 4 in 32 bits */
	assert_int_equal(call(g, SET, &asked, 1), -EINVAL);
	asked = (struct map){ .flags = 2, .count = 1, .data = { 1 } };
	assert_int_equal(call(g, SET, &asked, 1), -EINVAL);
	asked.flags = 1u << 31;
	assert_int_equal(call(g, SET, &asked, 1), -EINVAL);
	assert_int_equal(get(g, 1, 8, many), -EINVAL);
	assert_int_equal(get(g, 4, 8, many), -EINVAL);
	assert_int_equal(call(g, SET | GET, &asked, 1), -EINVAL);
	assert_int_equal(set_map(g, 1, &beyond), -EINVAL);
	assert_int_equal(set_map(g, 1, &(uint32_t){ 1u << 31 }), -EINVAL);
	assert_int_equal(feature(g->fd, PROBE | SET | GET | GUEST, NULL, 0), 0);
	/* nothing of it has changed anything */
	assert_int_equal(get(g, 0, 8, many), 0);
	assert_int_equal(set_map(g, 1, &one), 0);
}

static void functions_that_show_no_table(void **state)
{
	static const char *const none[] = { EP_TABLELESS, EP_UNHEARD, EP_PLAIN };
	struct guest *g;
	uint32_t one = 1;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(none) / sizeof(*none); i++) {
		g = guest_open(none[i]);
		assert_int_equal(feature(g->fd, PROBE | SET | GUEST, NULL, 0), -EOPNOTSUPP);
		assert_int_equal(set_map(g, 1, &one), -EOPNOTSUPP);
		guest_close(g);
	}
	guest_command("echo no-st >" SYSFS EP_CAPABILITY "/tph/policy");
	g = guest_open(EP_CAPABILITY);
	assert_int_equal(set_map(g, 1, &one), -EPERM);
	assert_int_equal(get(g, 0, 1, &one), 0);
	guest_close(g);
	guest_command("echo iv-st >" SYSFS EP_CAPABILITY "/tph/policy");
}

static void what_is_not_granted(void **state)
{
	struct guest *g = *state;
	uint32_t wish[2] = { 1, 2 };

	guest_run_on(0x3);
	assert_int_equal(set_map(g, 2, wish), -EPERM);
	guest_run_on(0xf);
	guest_command("echo 0-1 >" SYSFS EP_CAPABILITY "/tph/cpus");
	assert_int_equal(set_map(g, 2, wish), -EPERM);
	guest_command("echo 0-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
	assert_int_equal(set_map(g, 2, wish), -EPERM);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
	assert_int_equal(get(g, 0, 0, NULL), 0);
	assert_int_equal(set_map(g, 2, wish), 0);
}

static void entries_and_map_exclude_each_other(void **state)
{
	struct guest *g = *state;
	uint32_t got;

	/* the first map takes the place of what its own process has set */
	assert_int_equal(set_map(g, 0, NULL), 0);
	assert_int_equal(st_set_one(g, 5, 1), 0);
	assert_int_equal(set_map(g, 3, cpus), 0);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 5, 1, &got), 0);
	assert_int_equal(got, NONE);
	assert_int_equal(st_set_one(g, 5, 1), -EBUSY);
	assert_int_equal(set_map(g, 0, NULL), 0);
	assert_int_equal(st_set_one(g, 5, 1), 0);
}

static void device_specific_mode_and_a_map(void **state)
{
	struct guest *g;

	(void)state;
	guest_command("echo ds-st >" SYSFS EP_CAPABILITY "/tph/policy");
	g = guest_open(EP_CAPABILITY);
	control(g, TPH_CTRL_DS | TPH_CTRL_16);
	assert_int_equal(set_map(g, 3, cpus), -EBUSY);
	control(g, 0);
	assert_int_equal(set_map(g, 3, cpus), 0);
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4) & TPH_CAP_DS, 0);
	control(g, TPH_CTRL_DS | TPH_CTRL_16);
	assert_int_equal(control_read(g) & TPH_CTRL_16, 0);
	/* bytes behind the table, which this policy leaves to the function, are its again afterwards */
	assert_int_equal(set_map(g, 0, NULL), 0);
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4) & TPH_CAP_DS, TPH_CAP_DS);
	guest_close(g);
	guest_command("echo iv-st >" SYSFS EP_CAPABILITY "/tph/policy");
}

/* A manager of its own: sets a map, says how that went, and lives until it is told to end. */
static pid_t manager(struct guest *g, uint32_t count, const uint32_t *map, int *result)
{
	int said[2];
	pid_t pid;

	assert_int_equal(pipe(said), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int ret = set_map(g, count, map);

		if (write(said[1], &ret, sizeof(ret)) != sizeof(ret))
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(said[0], result, sizeof(*result)), sizeof(*result));
	close(said[0]);
	close(said[1]);
	return pid;
}

static void end_manager(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void two_managers(void **state)
{
	const uint32_t none[3] = { NONE, NONE, NONE }, other[3] = { 1, 1, 1 };
	struct guest *g = *state;
	int result;
	pid_t pid;

	assert_int_equal(set_map(g, 0, NULL), 0);
	pid = manager(g, 3, cpus, &result);
	assert_int_equal(result, 0);
	assert_int_equal(set_map(g, 3, other), -EBUSY);
	assert_int_equal(set_map(g, 0, NULL), -EBUSY);
	assert_int_equal(st_set_one(g, 0, 1), -EBUSY);
	write_tag(g, 0, 1);
	write_tag(g, 1, 2);
	write_tag(g, 2, 3);
	check(g, cpus);

	/* one that dies takes its leases along; the next finds what the guest wrote */
	end_manager(pid);
	wait_map(g, 3, none);
	check(g, none);
	write_tag(g, 2, 2);
	assert_st(g, 2, 0, 16);
	pid = manager(g, 3, other, &result);
	assert_int_equal(result, 0);
	check(g, other);
	/* it has ended, and nobody has looked yet: that is no reason to refuse */
	end_manager(pid);
	assert_int_equal(set_map(g, 3, cpus), 0);
	assert_st(g, 2, TAG_VOLATILE_16(1), 16);
}

static void guest_has_the_tags_of_its_map(void **state)
{
	struct guest *g = *state;
	uint32_t got[64];

	check(g, cpus);
	assert_st(g, 3, 0, 16);
	assert_int_equal(get(g, VFIO_TPH_GUEST_TABLE, 64, got), 64);
	assert_int_equal(got[2], 3);
	assert_int_equal(got[3], 0);
	assert_int_equal(get(g, 0, 64, got), 3);
	assert_memory_equal(got, cpus, sizeof(cpus));
	/* what is in hardware is the host's, and stays there */
	assert_int_equal(guest_raw(g, g->cap + TPH_TABLE, 2), TAG_VOLATILE_16(2));
	assert_int_equal(read_tag(g, 0), 1);
}

static void guest_cannot_guess(void **state)
{
	static const uint32_t guesses[] = { TAG_VOLATILE_16(2), TAG_VOLATILE_8(2), 4, 0x101, 0xffff };
	struct guest *g = *state;
	size_t i;

	for (i = 0; i < sizeof(guesses) / sizeof(*guesses); i++) {
		write_tag(g, 0, guesses[i]);
		assert_int_equal(read_tag(g, 0), guesses[i]);
		assert_st(g, 0, 0, 16);
	}
	write_tag(g, 0, 1);
	check(g, cpus);
}

static void writes_of_every_width(void **state)
{
	struct guest *g = *state;
	uint8_t bytes[128];
	unsigned int i;

	/* byte by byte, over values that are none of its tags */
	guest_config_write(g, g->cap + TPH_TABLE, 1, 2);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	guest_config_write(g, g->cap + TPH_TABLE + 1, 1, 1);
	assert_st(g, 0, 0, 16);
	guest_config_write(g, g->cap + TPH_TABLE + 1, 1, 0);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	/* two at once, and the whole table in one go */
	guest_config_write(g, g->cap + TPH_TABLE, 4, 0x00010003);
	assert_st(g, 0, TAG_VOLATILE_16(0), 16);
	assert_st(g, 1, TAG_VOLATILE_16(2), 16);
	for (i = 0; i < 64; i++) {
		bytes[2 * i] = i % 4;
		bytes[2 * i + 1] = 0;
	}
	assert_int_equal(pwrite(g->fd, bytes, sizeof(bytes), ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) +
				g->cap + TPH_TABLE), sizeof(bytes));
	for (i = 0; i < 64; i += 9)
		assert_st(g, i, i % 4 ? TAG_VOLATILE_16(cpus[i % 4 - 1]) : 0, 16);
	memset(bytes, 0xaa, sizeof(bytes));
	assert_int_equal(pread(g->fd, bytes, sizeof(bytes), ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) +
			       g->cap + TPH_TABLE), sizeof(bytes));
	for (i = 0; i < 64; i++)
		assert_int_equal(bytes[2 * i] | bytes[2 * i + 1] << 8, i % 4);
}

static void enable_before_write(void **state)
{
	struct guest *g = *state;

	assert_int_equal(set_map(g, 3, cpus), 0);
	control(g, ON);
	assert_st(g, 0, 0, 16);
	write_tag(g, 0, 1);
	assert_st(g, 0, TAG_VOLATILE_16(2), 16);
}

static void eight_bits(void **state)
{
	struct guest *g = *state;

	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_st(g, 0, TAG_VOLATILE_8(2), 8);
	/* hardware sends the lower byte, and that is what is looked up */
	write_tag(g, 0, 0x5502);
	assert_st(g, 0, TAG_VOLATILE_8(1), 8);
	control(g, ON);
	assert_st(g, 0, 0, 16);
	write_tag(g, 0, 1);
	check(g, cpus);
}

static void eight_bits_alone(void **state)
{
	struct guest *g = guest_open(EP_NARROW);

	(void)state;
	assert_int_equal(set_map(g, 3, cpus), 0);
	write_tag(g, 0, 0xff02);
	assert_int_equal(read_tag(g, 0), 2);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_st(g, 0, TAG_VOLATILE_8(1), 8);
	guest_close(g);
}

static void cpu_without_a_tag_costs_the_others_nothing(void **state)
{
	uint32_t map[3] = { 2, CPU_WITHOUT_TAGS, 0 }, got[3];
	struct guest *g = *state;

	assert_int_equal(set_map(g, 3, map), 0);
	map[1] = NONE;
	check(g, map);
	assert_int_equal(get(g, 0, 3, got), 3);
	assert_memory_equal(got, map, sizeof(map));
}

static void persistent_memory(void **state)
{
	struct guest *g = *state;

	asked = (struct map){ .flags = VFIO_TPH_GUEST_MEM_TYPE_PM, .count = 3, .data = { 2, 1, 0 } };
	assert_int_equal(call(g, SET, &asked, 3), 0);
	assert_st(g, 0, TAG_PERSISTENT_16(2), 16);
}

static void maps_longer_and_shorter(void **state)
{
	static uint32_t most[VFIO_TPH_GUEST_TAGS_MAX];
	const uint32_t one[1] = { 2 }, left[3] = { 2, NONE, NONE };
	struct guest *g = *state;
	unsigned int i;

	write_tag(g, 3, VFIO_TPH_GUEST_TAGS_MAX);
	assert_st(g, 3, 0, 16);
	assert_int_equal(set_map(g, 1, one), 0);
	check(g, left);
	assert_int_equal(set_map(g, 3, cpus), 0);
	check(g, cpus);
	for (i = 0; i < VFIO_TPH_GUEST_TAGS_MAX; i++)
		most[i] = i < 3 ? cpus[i] : 1;
	assert_int_equal(set_map(g, VFIO_TPH_GUEST_TAGS_MAX, most), 0);
	check(g, cpus);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	assert_int_equal(set_map(g, 0, NULL), 0);
	assert_st(g, 0, 0, 16);
	assert_int_equal(read_tag(g, 0), 0);
}

/* One off-window for all that moves, none for what does not. */
static void repin_is_one_window(void **state)
{
	uint32_t moved[3] = { 0, 1, 2 };
	struct guest *g = *state;

	count_clear(g);
	assert_int_equal(set_map(g, 3, cpus), 0);
	write_tag(g, 0, 1);
	write_tag(g, 3, 77);
	assert_int_equal(guest_register(g, EP_COUNT_OFF_WINDOWS), 0);
	assert_int_equal(guest_register(g, EP_COUNT_TPH), 0);
	assert_int_equal(set_map(g, 3, moved), 0);
	assert_int_equal(guest_register(g, EP_COUNT_OFF_WINDOWS), 1);
	check(g, moved);
}

/* The same for entries that are set by number. */
static void unchanged_entry_is_no_write(void **state)
{
	const uint32_t same[3] = { 1, 2, 1 };
	struct guest *g = *state;

	assert_int_equal(st_set(g, 0, 0, 3, same), 0);
	control(g, ON);
	count_clear(g);
	assert_int_equal(st_set(g, 0, 0, 3, same), 0);
	assert_int_equal(guest_register(g, EP_COUNT_TPH), 0);
	assert_int_equal(st_set(g, 0, 0, 3, cpus), 0);
	assert_int_equal(guest_register(g, EP_COUNT_OFF_WINDOWS), 1);
	check(g, cpus);
}

static void what_is_taken_back_stays_away(void **state)
{
	uint32_t left[3] = { NONE, 1, 0 };
	struct guest *g = *state;
	int told = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct vfio_device_feature_tph_notify notify = { .eventfd = told };
	uint64_t events = 0;

	assert_int_equal(feature(g->fd, SET | VFIO_DEVICE_FEATURE_TPH_NOTIFY, &notify,
				 sizeof(notify)), 0);
	guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
	check(g, left);
	assert_int_equal(read(told, &events, sizeof(events)), sizeof(events));
	wait_map(g, 3, left);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
	write_tag(g, 0, 0);
	write_tag(g, 0, 1);
	check(g, left);

	guest_command("echo 0,2-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	left[1] = NONE;
	check(g, left);
	guest_command("echo 0-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	guest_run_on(0xe);
	left[2] = NONE;
	wait_map(g, 3, left);
	check(g, left);
	guest_run_on(0xf);
	assert_int_equal(set_map(g, 3, cpus), 0);
	check(g, cpus);
	close(told);
}

/* A slot that no entry is of is lost as well, and told of. */
static void slot_without_an_entry_is_lost(void **state)
{
	const uint32_t left[3] = { 2, NONE, 0 };
	struct guest *g = *state;

	write_tag(g, 1, 0);
	guest_command("echo 0 >/sys/devices/system/cpu/cpu1/online");
	wait_map(g, 3, left);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu1/online");
	write_tag(g, 1, 2);
	assert_st(g, 1, 0, 16);
}

static void detach_ends_it(void **state)
{
	const uint32_t none[3] = { NONE, NONE, NONE };
	struct guest *g = *state;

	guest_detach(g);
	wait_map(g, 3, none);
	assert_int_equal(control_read(g) & TPH_CTRL_16, 0);
	assert_int_equal(set_map(g, 3, cpus), -EPERM);
	guest_attach(g);
	control(g, ON);
	check(g, none);
	assert_int_equal(set_map(g, 3, cpus), 0);
	check(g, cpus);
}

/* As on bare metal: table and enable are gone, and the guest restores them. The map stays. */
static void after_reset(struct guest *g)
{
	uint32_t got[3];
	unsigned int i;

	assert_int_equal(control_read(g), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(read_tag(g, i), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & TPH_CTRL_16, 0);
	assert_int_equal(get(g, 0, 3, got), 3);
	assert_memory_equal(got, cpus, sizeof(cpus));
	/* Linux restores the control register first */
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	control(g, ON);
	assert_st(g, 0, 0, 16);
	for (i = 0; i < 3; i++)
		write_tag(g, i, i + 1);
	check(g, cpus);
}

static void resets_of_every_kind(void **state)
{
	struct guest *g = *state;
	uint32_t at = guest_config(g, PCI_CAPABILITY_LIST, 1);

	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	after_reset(g);
	while ((guest_config(g, at, 2) & 0xff) != PCI_CAP_ID_EXP)
		at = guest_config(g, at + 1, 1);
	guest_config_write(g, at + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR |
			   guest_config(g, at + PCI_EXP_DEVCTL, 2));
	after_reset(g);
	guest_command("echo 1 >" SYSFS EP_CAPABILITY "/reset");
	after_reset(g);
	assert_int_equal(guest_hot_reset(g), 0);
	after_reset(g);
}

static void table_in_msix_is_shown_in_the_capability(void **state)
{
	struct guest *g = *state;
	uint32_t got[64], reg = guest_config(g, g->cap + TPH_CAP, 4);

	assert_int_equal(reg & TPH_CAP_LOCATION, TPH_CAP_IN_CAPABILITY);
	assert_int_equal(reg >> TPH_CAP_SIZE_SHIFT, 15);
	assert_int_equal(get(g, VFIO_TPH_GUEST_TABLE, 64, got), 16);
	check(g, cpus);
	/* an entry is still its vector's */
	guest_vectors(g, 0);
	guest_vectors(g, 2);
	assert_st(g, 0, TAG_VOLATILE_16(2), 16);
	assert_st(g, 1, TAG_VOLATILE_16(1), 16);
	guest_vectors(g, 0);
	guest_vectors(g, 4);
	check(g, cpus);
	assert_int_equal(set_map(g, 0, NULL), 0);
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4) & TPH_CAP_LOCATION, TPH_CAP_IN_MSIX);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* As many changes as a guest can make: the device sees few, and the last one counts. */
static void storm_is_bounded(void **state)
{
	const uint32_t left[3] = { 0, NONE, 0 };
	struct guest *g = *state;
	double start, took;
	uint32_t windows;
	int i;

	count_clear(g);
	start = seconds();
	for (i = 0; i < 100000; i++)
		write_tag(g, 0, i % 2 ? 1 : 2);
	took = seconds() - start;
	write_tag(g, 0, 3);
	write_tag(g, 1, 0);
	assert_int_equal(read_tag(g, 0), 3);
	for (i = 0; i < 10000 && guest_raw(g, g->cap + TPH_TABLE, 4) != TAG_VOLATILE_16(0); i++)
		usleep(1000);
	check(g, left);
	windows = guest_register(g, EP_COUNT_OFF_WINDOWS);
	printf("# 100000 writes that each move a tag, in %.2f s: %u off-windows\n", took, windows);
	/* 16 in each 10 ms and one at its end, and the period at either end */
	assert_true(windows <= 17 * (took / .01 + 3));
	assert_true(windows < 50000);
}

static volatile bool storming;

static void *storm(void *arg)
{
	struct guest *g = arg;
	int i;

	for (i = 0; storming; i++)
		write_tag(g, i % 3, 1 + i % 3 + i % 2);
	return NULL;
}

/* Taking back has no budget, and waits for none. */
static void revocation_under_a_storm(void **state)
{
	struct guest *g = *state;
	pthread_t thread;
	uint32_t now[3];
	int i;

	storming = true;
	assert_int_equal(pthread_create(&thread, NULL, storm, g), 0);
	for (i = 0; i < 20; i++) {
		guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
		/* once the CPU is gone no slot has it, and no entry of hardware's */
		assert_int_equal(get(g, 0, 3, now), 3);
		assert_int_equal(now[0], NONE);
		assert_int_not_equal(guest_raw(g, g->cap + TPH_TABLE, 2), TAG_VOLATILE_16(2));
		assert_int_not_equal(guest_raw(g, g->cap + TPH_TABLE + 2, 2), TAG_VOLATILE_16(2));
		assert_int_not_equal(guest_raw(g, g->cap + TPH_TABLE + 4, 2), TAG_VOLATILE_16(2));
		guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
		assert_int_equal(set_map(g, 3, cpus), 0);
	}
	storming = false;
	pthread_join(thread, NULL);
}

/* Nothing of a map is left for the next user. */
static void close_ends_it(void **state)
{
	struct guest *g = *state;
	uint32_t got[3];

	guest_close(g);
	*state = NULL;
	g = guest_open(EP_CAPABILITY);
	assert_int_equal(get(g, 0, 3, got), 0);
	assert_int_equal(read_tag(g, 0), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_TABLE, 4), 0);
	*state = g;
}

int main(void)
{
#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(requests_that_make_no_sense, setup_open),
		cmocka_unit_test(functions_that_show_no_table),
		TEST(what_is_not_granted, setup_open),
		TEST(entries_and_map_exclude_each_other, setup),
		cmocka_unit_test(device_specific_mode_and_a_map),
		TEST(two_managers, setup),
		TEST(guest_cannot_guess, setup),
		TEST(guest_has_the_tags_of_its_map, setup),
		TEST(writes_of_every_width, setup),
		TEST(enable_before_write, setup_open),
		TEST(eight_bits, setup),
		cmocka_unit_test(eight_bits_alone),
		TEST(cpu_without_a_tag_costs_the_others_nothing, setup),
		TEST(persistent_memory, setup),
		TEST(maps_longer_and_shorter, setup),
		TEST(repin_is_one_window, setup),
		TEST(unchanged_entry_is_no_write, setup_open),
		TEST(what_is_taken_back_stays_away, setup),
		TEST(slot_without_an_entry_is_lost, setup),
		{ "detach_ends_it", detach_ends_it, setup, teardown, guest_wants_iommufd },
		TEST(resets_of_every_kind, setup),
		TEST(table_in_msix_is_shown_in_the_capability, setup_msix),
		TEST(storm_is_bounded, setup),
		TEST(revocation_under_a_storm, setup),
		TEST(close_ends_it, setup),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	return guest_run_group(tests);
}
