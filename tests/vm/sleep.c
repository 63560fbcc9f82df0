// SPDX-License-Identifier: MIT
/*
 * A function that sleeps, and one that wakes up, whoever sends it there and whatever wakes it: it is
 * not touched while it sleeps, what is taken back meanwhile does not come back, and what was in force
 * is in force again. The endpoints lose their state in D3hot (nsr=off).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define SYSFS	"/sys/bus/pci/devices/"
#define TRACE	"/sys/kernel/tracing/"
#define IN_FORCE (TPH_CTRL_IV | TPH_CTRL_16)
#define NONE	VFIO_TPH_CPU_NONE
#define PATIENCE 30 /* s; a state that does not come at all */

/* VFIO_DEVICE_FEATURE_LOW_POWER_*, newer than some headers */
#define ENTRY		 (VFIO_DEVICE_FEATURE_SET | 3)
#define ENTRY_WITH_WAKEUP (VFIO_DEVICE_FEATURE_SET | 4)
#define EXIT		 (VFIO_DEVICE_FEATURE_SET | 5)

struct wakeup {
	int32_t eventfd;
	uint32_t reserved;
};

/* Entries 0..2 of @bdf steer to CPUs 0..2 and are in force. */
static struct guest *open_in_force(const char *bdf)
{
	static const uint32_t cpus[] = { 0, 1, 2 };
	struct guest *g = guest_open(bdf);
	unsigned int i;

	if (!strcmp(bdf, EP_MSIX))
		guest_vectors(g, 4);
	assert_int_equal(st_set(g, 0, 0, 3, cpus), 0);
	control(g, IN_FORCE);
	for (i = 0; i < 3; i++)
		assert_st(g, i, TAG_VOLATILE_16(i), 16);
	return g;
}

static bool is(const char *bdf, const char *name, const char *value)
{
	char text[64];

	guest_attribute(bdf, name, text, sizeof(text));
	return !strcmp(text, value);
}

static void wait_for(const char *bdf, const char *name, const char *value)
{
	time_t end = time(NULL) + PATIENCE;

	while (!is(bdf, name, value))
		if (time(NULL) > end)
			fail_msg("%s: %s does not become %s", bdf, name, value);
}

static void fall_asleep(struct guest *g)
{
	assert_int_equal(feature(g->fd, ENTRY, NULL, 0), 0);
	wait_for(g->bdf, "power/runtime_status", "suspended");
}

/* It sleeps; the next access wakes it, for good, and is told by the eventfd that is returned. */
static int fall_asleep_lightly(struct guest *g)
{
	struct wakeup wakeup = { .eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };

	assert_int_equal(feature(g->fd, ENTRY_WITH_WAKEUP, &wakeup, sizeof(wakeup)), 0);
	wait_for(g->bdf, "power/runtime_status", "suspended");
	return wakeup.eventfd;
}

static void assert_woken(int fd)
{
	uint64_t count;

	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	close(fd);
}

/* What hardware holds, past the driver; and what it sends. */
static void assert_in_force(struct guest *g, unsigned int first, unsigned int last)
{
	unsigned int i;

	assert_int_equal(control_read(g), IN_FORCE);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), IN_FORCE);
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	for (i = 0; i < 3; i++)
		assert_st(g, i, i >= first && i <= last ? TAG_VOLATILE_16(i) : 0, 16);
}

/* ---- what the driver writes, as its own tracepoint has it ---- */

static void trace_begin(void)
{
	guest_command("echo 0 >" TRACE "tracing_on; echo >" TRACE "trace;"
		      "echo 1 >" TRACE "events/tph_vfio_pci/tph_apply/enable;"
		      "echo 1 >" TRACE "tracing_on");
}

static unsigned int trace_count(const char *bdf)
{
	char line[512];
	unsigned int count = 0;
	FILE *file = fopen(TRACE "trace", "r");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, ": tph_apply: ") && strstr(line, bdf);
	fclose(file);
	return count;
}

/* ---- the user's low power ---- */

static void wakes_by(const char *bdf, void (*wake)(struct guest *g))
{
	struct guest *g = open_in_force(bdf);
	int told = fall_asleep_lightly(g);

	/* that the state is gone is the point: without the driver nothing would be in force */
	wake(g);
	assert_woken(told);
	assert_in_force(g, 0, 2);
	guest_close(g);
}

static void by_a_config_read(struct guest *g)
{
	guest_config(g, PCI_VENDOR_ID, 2);
}

static void by_a_config_write(struct guest *g)
{
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void by_a_bar_read(struct guest *g)
{
	uint32_t value;

	/* memory decode is off in the restored command register or not: it wakes either way */
	if (pread(g->fd, &value, 4, (off_t)VFIO_PCI_BAR0_REGION_INDEX << 40) < 0)
		assert_int_equal(errno, EIO);
}

static void by_an_ioctl(struct guest *g)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_INFO, &info), 0);
}

static void wake_by_an_access(void **state)
{
	(void)state;
	wakes_by(EP_CAPABILITY, by_a_config_read);
	wakes_by(EP_CAPABILITY, by_a_config_write);
	wakes_by(EP_CAPABILITY, by_a_bar_read);
	wakes_by(EP_CAPABILITY, by_an_ioctl);
}

static void wake_with_the_table_in_msix(void **state)
{
	(void)state;
	wakes_by(EP_MSIX, by_a_config_read);
	wakes_by(EP_MSIX, by_an_ioctl);
}

static void wake_by_exit(void **state)
{
	struct guest *g = open_in_force(EP_CAPABILITY);

	(void)state;
	fall_asleep(g);
	assert_int_equal(feature(g->fd, EXIT, NULL, 0), 0);
	assert_in_force(g, 0, 2);
	guest_close(g);
}

/* Without a wakeup eventfd the function falls asleep again after each call. */
static void set_between_entry_and_exit(void **state)
{
	struct guest *g = open_in_force(EP_CAPABILITY);

	(void)state;
	fall_asleep(g);
	assert_int_equal(st_set_one(g, 2, 0), 0);
	wait_for(g->bdf, "power/runtime_status", "suspended");
	assert_int_equal(feature(g->fd, EXIT, NULL, 0), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), IN_FORCE);
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_st(g, 0, TAG_VOLATILE_16(0), 16);
	assert_st(g, 1, TAG_VOLATILE_16(1), 16);
	assert_st(g, 2, TAG_VOLATILE_16(0), 16);
	guest_close(g);
}

/* Enabled and set up in its sleep, it wakes up to all of that. */
static void set_up_between_entry_and_exit(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	uint32_t cpus[] = { 0, 1, 2 };

	(void)state;
	fall_asleep(g);
	assert_int_equal(st_set(g, 0, 0, 3, cpus), 0);
	control(g, IN_FORCE);
	wait_for(g->bdf, "power/runtime_status", "suspended");
	assert_int_equal(feature(g->fd, EXIT, NULL, 0), 0);
	assert_in_force(g, 0, 2);
	guest_close(g);
}

/* ---- taken back in its sleep: at once, and without touching it ---- */

static void assert_taken_in_sleep(struct guest *g, int told, const char *left)
{
	uint64_t count;

	wait_for(g->bdf, "tph/targets", left);
	assert_int_equal(read(told, &count, sizeof(count)), sizeof(count));
	assert_true(is(g->bdf, "power/runtime_status", "suspended"));
	assert_int_equal(trace_count(g->bdf), 0);
}

static int listen_for_revocations(struct guest *g)
{
	struct vfio_device_feature_tph_notify notify = {
		.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};

	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_NOTIFY,
				 &notify, sizeof(notify)), 0);
	return notify.eventfd;
}

static void operator_shrinks_the_list(const char *bdf)
{
	guest_command("echo 0-1 >" SYSFS "%s/tph/cpus", bdf);
}

static void cpu_goes_offline(const char *bdf)
{
	(void)bdf;
	guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
}

static void cpu_lost_to_affinity(const char *bdf)
{
	(void)bdf;
	guest_run_on(0x3);
}

static void taken_by(const char *bdf, void (*take)(const char *bdf))
{
	struct guest *g = open_in_force(bdf);
	int told = listen_for_revocations(g), woken = fall_asleep_lightly(g);

	trace_begin();
	take(bdf);
	assert_taken_in_sleep(g, told, "0-1");
	guest_config(g, PCI_VENDOR_ID, 2);
	assert_woken(woken);
	assert_in_force(g, 0, 1);
	guest_close(g);
	close(told);
	guest_command("echo 0-3 >" SYSFS "%s/tph/cpus", bdf);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
	guest_run_on(0xf);
}

static void taken_back_asleep(void **state)
{
	(void)state;
	taken_by(EP_CAPABILITY, operator_shrinks_the_list);
	taken_by(EP_CAPABILITY, cpu_goes_offline);
	taken_by(EP_CAPABILITY, cpu_lost_to_affinity);
}

static void taken_back_asleep_with_the_table_in_msix(void **state)
{
	(void)state;
	taken_by(EP_MSIX, operator_shrinks_the_list);
	taken_by(EP_MSIX, cpu_goes_offline);
	taken_by(EP_MSIX, cpu_lost_to_affinity);
}

/* All of it: one revocation must not cost what is left, nor must the last one. */
static void everything_taken_back_asleep(void **state)
{
	struct guest *g = open_in_force(EP_CAPABILITY);
	int told = listen_for_revocations(g), woken = fall_asleep_lightly(g);

	(void)state;
	trace_begin();
	guest_command("echo >" SYSFS EP_CAPABILITY "/tph/cpus");
	assert_taken_in_sleep(g, told, "");
	guest_command("echo 0-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	guest_config(g, PCI_VENDOR_ID, 2);
	assert_woken(woken);
	assert_in_force(g, 1, 0);
	assert_int_equal(st_set_one(g, 1, 2), 0);
	assert_st(g, 1, TAG_VOLATILE_16(2), 16);
	guest_close(g);
	close(told);
}

/* ---- looked at in its sleep ---- */

static void attributes_of_a_sleeping_function(void **state)
{
	static const char * const names[] = {
		"tph/policy", "tph/cpus", "tph/targets", "tph/requester", "tph/steering",
	};
	char before[5][64], after[64];
	struct guest *g = open_in_force(EP_CAPABILITY);
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++)
		guest_attribute(g->bdf, names[i], before[i], sizeof(before[i]));
	assert_string_equal(before[4], "possible");
	fall_asleep(g);
	trace_begin();
	for (i = 0; i < 5; i++) {
		guest_attribute(g->bdf, names[i], after, sizeof(after));
		assert_string_equal(after, before[i]);
	}
	assert_true(is(g->bdf, "power/runtime_status", "suspended"));
	assert_int_equal(trace_count(g->bdf), 0);
	guest_close(g);
}

/* ---- closed in its sleep: nothing is left ---- */

static void closed_asleep(const char *bdf)
{
	struct guest *g = open_in_force(bdf);
	uint16_t cap = g->cap;
	unsigned int i;

	fall_asleep(g);
	guest_close(g);
	assert_int_equal(raw_config(bdf, cap + TPH_CTRL, 4), 0);
	for (i = 0; i < 4 && !strcmp(bdf, EP_CAPABILITY); i++)
		assert_int_equal(raw_config(bdf, cap + TPH_TABLE + 4 * i, 4), 0);
	g = guest_open(bdf);
	assert_int_equal(control_read(g), 0);
	assert_plain(g, 0);
	guest_close(g);
}

static void close_asleep(void **state)
{
	(void)state;
	closed_asleep(EP_CAPABILITY);
	closed_asleep(EP_MSIX);
}

/* ---- the whole machine ---- */

/* Down to @depth and back; the machine itself stays up (Documentation/power/basic-pm-debugging). */
static void machine_sleeps(const char *state, const char *depth)
{
	guest_command("echo %s >/sys/power/pm_test && echo %s >/sys/power/state", depth, state);
}

static void slept_through(const char *bdf, const char *state, const char *depth)
{
	struct guest *g = open_in_force(bdf);

	machine_sleeps(state, depth);
	assert_in_force(g, 0, 2);
	guest_close(g);
}

static void machine_suspends(void **state)
{
	(void)state;
	guest_command("echo 0 >/sys/module/suspend/parameters/pm_test_delay");
	slept_through(EP_CAPABILITY, "freeze", "devices");
	slept_through(EP_MSIX, "freeze", "devices");
}

/* Every CPU but the first goes offline on the way, after the devices are asleep, and comes back. */
static void machine_suspends_with_its_cpus(void **state)
{
	(void)state;
	slept_through(EP_CAPABILITY, "mem", "core");
	slept_through(EP_MSIX, "mem", "core");
}

static void machine_suspends_with_a_function_asleep(void **state)
{
	struct guest *g = open_in_force(EP_CAPABILITY);
	int woken = fall_asleep_lightly(g);

	(void)state;
	machine_sleeps("mem", "core");
	guest_config(g, PCI_VENDOR_ID, 2);
	assert_woken(woken);
	assert_in_force(g, 0, 2);
	guest_close(g);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wake_by_an_access),
		cmocka_unit_test(wake_with_the_table_in_msix),
		cmocka_unit_test(wake_by_exit),
		cmocka_unit_test(set_between_entry_and_exit),
		cmocka_unit_test(set_up_between_entry_and_exit),
		cmocka_unit_test(taken_back_asleep),
		cmocka_unit_test(taken_back_asleep_with_the_table_in_msix),
		cmocka_unit_test(everything_taken_back_asleep),
		cmocka_unit_test(attributes_of_a_sleeping_function),
		cmocka_unit_test(close_asleep),
		cmocka_unit_test(machine_suspends),
		cmocka_unit_test(machine_suspends_with_its_cpus),
		cmocka_unit_test(machine_suspends_with_a_function_asleep),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
