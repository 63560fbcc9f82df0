// SPDX-License-Identifier: MIT
/*
 * Resets that a user can ask for by Advanced Features alone, and those that error recovery makes
 * without a word: after a fatal error, or because another function below the port wants one.
 *
 * What is found here is the user's view and the register of hardware. All the while each write to
 * configuration space makes a judged device send requests: tests/vm/judge.c tells from both logs
 * whether one had a tag that was not granted, and whether the table came before the enable.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"
#include "witness.h"

#define NONE	   VFIO_TPH_CPU_NONE
#define ENTRIES	   64
#define VECTORS	   16
#define REPEAT	   4 /* requests after each write to configuration space */
#define IN_FORCE   (TPH_CTRL_IV | TPH_CTRL_16)
#define COMMAND_ON (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

/* VFIO_DEVICE_FEATURE_LOW_POWER_*, newer than some headers */
#define LOW_POWER_ENTRY (VFIO_DEVICE_FEATURE_SET | 3)
#define LOW_POWER_EXIT	(VFIO_DEVICE_FEATURE_SET | 5)

/* The endpoints of the VM "recovery" (tests/vm/suites). */
#define RV_ALONE     "0000:01:00.0" /* table in the capability, Advanced Features, no FLR else */
#define RV_PAIR	     "0000:02:00.0" /* table in the capability; in one group with the next */
#define RV_NEIGHBOUR "0000:02:00.1" /* lab/platform/neighbour.c has it */
#define RV_MSIX	     "0000:03:00.0" /* table in MSI-X */
#define RV_OFF	     "0000:04:00.0" /* as RV_PAIR, not judged: root writes to it past the driver */

/* Errors (PCIe 6.2, 7.8.4), severities as they are after power-on */
#define CORRECTABLE PCI_ERR_COR_RCVR
#define NONFATAL    PCI_ERR_UNC_COMP_TIME
#define FATAL	    PCI_ERR_UNC_MALF_TLP

static int error_told, revocation_told, log_fd = -1;

static uint32_t wanted_cpu(unsigned int entry)
{
	return entry % CPU_WITHOUT_TAGS;
}

/* ---- an error, and Linux' word on what came of it ---- */

static void error(struct guest *g, unsigned int at, uint32_t errors)
{
	if (log_fd >= 0)
		close(log_fd);
	log_fd = open("/dev/kmsg", O_RDONLY | O_CLOEXEC);
	assert_true(log_fd >= 0);
	assert_true(lseek(log_fd, 0, SEEK_END) >= 0);
	guest_register_write(g, at, errors);
	guest_command("echo %s >/sys/module/tph_lab_errors/parameters/send", g->bdf);
}

/* Read the kernel's log, from the error on, to a line with one of these; which it was. */
static int wait_log(const char *one, const char *other)
{
	char line[1024];
	ssize_t n;

	for (;;) {
		n = read(log_fd, line, sizeof(line) - 1);
		if (n < 0)
			fail_msg("/dev/kmsg: %s", strerror(errno));
		line[n] = '\0';
		if (strstr(line, one))
			return 0;
		if (other && strstr(line, other))
			return 1;
	}
}

static void wait_recovered(void)
{
	if (wait_log("device recovery successful", "device recovery failed"))
		fail_msg("Linux says that recovery failed");
}

static void wait_not_recovered(void)
{
	if (!wait_log("device recovery successful", "device recovery failed"))
		fail_msg("Linux says that recovery was successful");
}

/* ---- the neighbour ---- */

static void neighbour(const char *what, bool on)
{
	guest_command("echo %d >/sys/module/tph_lab_neighbour/parameters/%s", on, what);
}

/* A test that failed midway leaves nobody waiting. */
static int teardown(void **state)
{
	(void)state;
	neighbour("wait", false);
	neighbour("need_reset", false);
	neighbour("no_bus_reset", false);
	guest_run_on(0xf);
	return 0;
}

/* ---- the device ---- */

static void listen_for(struct guest *g)
{
	struct vfio_device_feature_tph_notify notify = { 0 };
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + sizeof(int));

	assert_non_null(set);
	error_told = eventfd(0, EFD_CLOEXEC);
	set->argsz = sizeof(*set) + sizeof(int);
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
	set->index = VFIO_PCI_ERR_IRQ_INDEX;
	set->count = 1;
	memcpy(set->data, &error_told, sizeof(int));
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_SET_IRQS, set), 0);
	free(set);

	revocation_told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	notify.eventfd = revocation_told;
	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_NOTIFY,
				 &notify, sizeof(notify)),
			 0);
}

static bool told(int fd)
{
	uint64_t count;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	return read(fd, &count, sizeof(count)) == sizeof(count);
}

/* The driver has heard of the error, and recovery goes on. */
static void wait_error_told(void)
{
	uint64_t count;

	assert_int_equal(read(error_told, &count, sizeof(count)), sizeof(count));
}

static unsigned int entries_of(struct guest *g)
{
	return strcmp(g->bdf, RV_MSIX) ? ENTRIES : VECTORS;
}

static void set_all(struct guest *g)
{
	uint32_t cpus[ENTRIES];
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		cpus[i] = wanted_cpu(i);
	assert_int_equal(st_set(g, 0, 0, entries_of(g), cpus), 0);
}

/* From now on each write to configuration space is followed by requests for the next entries. */
static void exercise(struct guest *g)
{
	guest_register_write(g, EP_DMA_REPEAT, REPEAT);
}

static void rest(struct guest *g)
{
	guest_register_write(g, EP_DMA_REPEAT, 0);
	while (guest_register(g, EP_DMA_STATUS) == EP_DMA_BUSY)
		;
}

static struct guest *open_device(const char *bdf)
{
	struct guest *g;

	witness_mark("attach-begin %s", bdf);
	g = guest_open(bdf);
	listen_for(g);
	return g;
}

static void close_device(struct guest *g)
{
	const char *bdf = g->bdf;

	guest_close(g);
	close(error_told);
	close(revocation_told);
	witness_mark("close-end %s", bdf);
}

static struct guest *open_in_force(const char *bdf)
{
	struct guest *g = open_device(bdf);

	set_all(g);
	if (!strcmp(bdf, RV_MSIX))
		guest_vectors(g, VECTORS);
	control(g, IN_FORCE);
	assert_st(g, 1, TAG_VOLATILE_16(wanted_cpu(1)), 16);
	exercise(g);
	return g;
}

/* The function answers again, as after any reset. */
static void command_on(struct guest *g)
{
	guest_config_write(g, PCI_COMMAND, 2, COMMAND_ON);
}

/* What the user reads is in hardware, before he has done anything for it. */
static void check_registers(struct guest *g)
{
	unsigned int i;

	assert_int_equal(control_read(g), IN_FORCE);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), IN_FORCE);
	for (i = 0; i < ENTRIES; i++)
		assert_int_equal(guest_raw(g, g->cap + TPH_TABLE + 2 * i, 2),
				 TAG_VOLATILE_16(wanted_cpu(i)));
}

static void check_in_force(struct guest *g)
{
	uint32_t got[ENTRIES];
	unsigned int i;

	rest(g);
	assert_int_equal(control_read(g), IN_FORCE);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), IN_FORCE);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, entries_of(g), got), 0);
	for (i = 0; i < entries_of(g); i++) {
		assert_int_equal(got[i], wanted_cpu(i));
		assert_st(g, i, TAG_VOLATILE_16(wanted_cpu(i)), 16);
	}
}

/* Off, for the user as in hardware, and no entry is left. */
static void check_nothing(struct guest *g)
{
	uint32_t got[ENTRIES];
	unsigned int i;

	assert_int_equal(control_read(g), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & TPH_CTRL_16, 0);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, entries_of(g), got), 0);
	for (i = 0; i < entries_of(g); i++)
		assert_int_equal(got[i], NONE);
}

static uint8_t af_control(struct guest *g)
{
	uint8_t at;

	for (at = guest_config(g, PCI_CAPABILITY_LIST, 1); at; at = guest_config(g, at + 1, 1))
		if (guest_config(g, at, 1) == PCI_CAP_ID_AF)
			return at + PCI_AF_CTRL;
	fail_msg("no Advanced Features");
	return 0;
}

/* ---- Advanced Features ---- */

static void af_is_the_way_to_reset(void **state)
{
	(void)state;
	guest_command("grep -q ^af_flr /sys/bus/pci/devices/" RV_ALONE "/reset_method");
}

static void af_reset_keeps_the_state(void **state)
{
	struct guest *g = open_in_force(RV_ALONE);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);

	(void)state;
	guest_config_write(g, af_control(g), 1, PCI_AF_CTRL_FLR);
	command_on(g);
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets + 1);
	assert_false(told(revocation_told));
	check_in_force(g);
	close_device(g);
}

static void af_reset_leaves_off_what_is_off(void **state)
{
	struct guest *g = open_in_force(RV_ALONE);

	(void)state;
	control(g, TPH_CTRL_IV);
	guest_config_write(g, af_control(g), 1, PCI_AF_CTRL_FLR);
	command_on(g);
	rest(g);
	assert_int_equal(control_read(g), TPH_CTRL_IV);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & TPH_CTRL_16, 0);
	assert_plain(g, 1);
	control(g, IN_FORCE);
	check_in_force(g);
	close_device(g);
}

static void af_reset_asks_again(void **state)
{
	struct guest *g = open_in_force(RV_ALONE);
	uint32_t got[ENTRIES];
	unsigned int i;

	(void)state;
	guest_run_on(0x3);
	guest_config_write(g, af_control(g), 1, PCI_AF_CTRL_FLR);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, ENTRIES, got), 0);
	guest_run_on(0xf);
	command_on(g);
	rest(g);
	assert_true(told(revocation_told));
	assert_int_equal(control_read(g), IN_FORCE);
	for (i = 0; i < ENTRIES; i++) {
		bool lost = wanted_cpu(i) == 2;

		assert_int_equal(got[i], lost ? NONE : wanted_cpu(i));
		assert_st(g, i, lost ? 0 : TAG_VOLATILE_16(wanted_cpu(i)), 16);
	}
	close_device(g);
}

/* ---- errors ---- */

static void correctable_error_changes_nothing(void **state)
{
	struct guest *g = open_in_force(RV_ALONE);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);
	uint32_t windows = guest_register(g, EP_COUNT_OFF_WINDOWS);

	(void)state;
	error(g, EP_ERROR_CORRECTABLE, CORRECTABLE);
	wait_log("severity=Correctable", "severity=Corrected");
	assert_false(told(error_told));
	assert_false(told(revocation_told));
	check_in_force(g);
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets);
	assert_int_equal(guest_register(g, EP_COUNT_OFF_WINDOWS), windows);
	close_device(g);
}

static void nonfatal_error_keeps_the_state(void **state)
{
	struct guest *g = open_in_force(RV_ALONE);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);

	(void)state;
	error(g, EP_ERROR_UNCORRECTABLE, NONFATAL);
	wait_recovered();
	assert_true(told(error_told));
	assert_false(told(revocation_told));
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets);
	check_in_force(g);
	close_device(g);
}

static void fatal_error_takes_everything(const char *bdf)
{
	struct guest *g = open_in_force(bdf);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);

	error(g, EP_ERROR_UNCORRECTABLE, FATAL);
	wait_recovered();
	assert_true(told(error_told));
	assert_true(told(revocation_told));
	check_nothing(g);
	command_on(g);
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets + 1);
	rest(g);
	assert_plain(g, 1);
	check_nothing(g);

	/* as any user after a reset that was none of his: all anew */
	if (!strcmp(bdf, RV_MSIX)) {
		guest_vectors(g, 0);
		guest_vectors(g, VECTORS);
	}
	control(g, IN_FORCE);
	assert_st(g, 1, 0, 16);
	set_all(g);
	check_in_force(g);
	close_device(g);
}

static void fatal_error(void **state)
{
	(void)state;
	fatal_error_takes_everything(RV_ALONE);
}

static void fatal_error_with_tags_in_msix(void **state)
{
	(void)state;
	fatal_error_takes_everything(RV_MSIX);
}

/* The user is told of the error, and is faster than the reset. */
static void set_up_before_the_reset(void **state)
{
	struct guest *g = open_in_force(RV_PAIR);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);

	(void)state;
	neighbour("wait", true);
	error(g, EP_ERROR_UNCORRECTABLE, FATAL);
	wait_error_told();
	check_nothing(g);
	set_all(g);
	control(g, IN_FORCE);
	assert_int_equal(control_read(g), IN_FORCE);
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets);
	neighbour("wait", false);
	wait_recovered();
	check_registers(g);
	command_on(g);
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets + 1);
	check_in_force(g);
	close_device(g);
}

/* No fault of this function's, and not fatal; it is reset all the same. */
static void reset_for_the_neighbour(void **state)
{
	struct guest *g = open_in_force(RV_PAIR);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);

	(void)state;
	neighbour("need_reset", true);
	error(g, EP_ERROR_UNCORRECTABLE, NONFATAL);
	wait_recovered();
	neighbour("need_reset", false);
	assert_true(told(error_told));
	check_registers(g);
	command_on(g);
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets + 1);
	check_in_force(g);
	close_device(g);
}

/* What is lost while recovery goes on does not come back with it. */
static void recovery_asks_again(void **state)
{
	struct guest *g = open_in_force(RV_PAIR);
	uint32_t got[ENTRIES];
	unsigned int i;

	(void)state;
	neighbour("wait", true);
	error(g, EP_ERROR_UNCORRECTABLE, NONFATAL);
	wait_error_told();
	guest_run_on(0x3);
	neighbour("wait", false);
	wait_recovered();
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, ENTRIES, got), 0);
	guest_run_on(0xf);
	rest(g);
	for (i = 0; i < ENTRIES; i++) {
		bool lost = wanted_cpu(i) == 2;

		assert_int_equal(got[i], lost ? NONE : wanted_cpu(i));
		assert_st(g, i, lost ? 0 : TAG_VOLATILE_16(wanted_cpu(i)), 16);
	}
	close_device(g);
}

/* Recovery outlives the one who had the device. */
static void next_user_while_recovery_goes_on(void **state)
{
	struct guest *g = open_in_force(RV_PAIR);

	(void)state;
	neighbour("wait", true);
	error(g, EP_ERROR_UNCORRECTABLE, FATAL);
	wait_error_told();
	close_device(g);
	g = open_device(RV_PAIR);
	check_nothing(g);
	set_all(g);
	control(g, IN_FORCE);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & TPH_CTRL_16, 0);
	neighbour("wait", false);
	wait_recovered();
	check_registers(g);
	command_on(g);
	check_in_force(g);
	close_device(g);
}

/* A recovery that is going to fail, with no reset made, and waits before it does. */
static void begin_failure(struct guest *g)
{
	neighbour("wait", true);
	neighbour("no_bus_reset", true);
	error(g, EP_ERROR_UNCORRECTABLE, FATAL);
	wait_error_told();
}

static void end_failure(void)
{
	neighbour("wait", false);
	wait_not_recovered();
	neighbour("no_bus_reset", false);
}

/*
 * The link was down when the driver switched the requester off, so nothing of that got through
 * (here root undoes it), and then there is no reset that would have done it.
 */
static void off_after_a_failed_recovery(void **state)
{
	struct guest *g = open_in_force(RV_OFF);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);

	(void)state;
	begin_failure(g);
	raw_config_write(RV_OFF, g->cap + TPH_CTRL, 4, IN_FORCE);
	end_failure();
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets);
	assert_true(told(revocation_told));
	check_nothing(g);
	rest(g);
	assert_plain(g, 1);

	/* nothing is held any more */
	set_all(g);
	control(g, IN_FORCE);
	check_in_force(g);
	close_device(g);
}

/* What the user set up meanwhile goes with the failure. */
static void failure_takes_what_was_set_up(void **state)
{
	struct guest *g = open_in_force(RV_PAIR);

	(void)state;
	begin_failure(g);
	set_all(g);
	control(g, IN_FORCE);
	end_failure();
	check_nothing(g);
	rest(g);
	assert_plain(g, 1);
	close_device(g);
}

static void check_next_user(void)
{
	struct guest *g = open_device(RV_PAIR);

	check_nothing(g);
	set_all(g);
	control(g, IN_FORCE);
	check_registers(g);
	check_in_force(g);
	close_device(g);
}

/* Neither is the next user kept waiting for it, whether the driver was told or not. */
static void next_user_after_a_failed_recovery(void **state)
{
	struct guest *g = open_in_force(RV_PAIR);

	(void)state;
	begin_failure(g);
	set_all(g);
	control(g, IN_FORCE);
	end_failure();
	close_device(g);
	check_next_user();
}

static void next_user_after_a_failure_meanwhile(void **state)
{
	struct guest *g = open_in_force(RV_PAIR);

	(void)state;
	begin_failure(g);
	close_device(g);
	end_failure();
	check_next_user();
}

/* Nor is a user who stays, and lets the function sleep. */
static void low_power_after_a_failed_recovery(void **state)
{
	struct guest *g = open_in_force(RV_PAIR);
	char status[64];

	(void)state;
	begin_failure(g);
	end_failure();
	rest(g);
	set_all(g);
	control(g, IN_FORCE);
	assert_int_equal(feature(g->fd, LOW_POWER_ENTRY, NULL, 0), 0);
	do {
		guest_attribute(g->bdf, "power/runtime_status", status, sizeof(status));
	} while (strcmp(status, "suspended"));
	assert_int_equal(feature(g->fd, LOW_POWER_EXIT, NULL, 0), 0);
	check_registers(g);
	command_on(g);
	check_in_force(g);
	close_device(g);
}

/* Who is bound midway has not heard of the error, and finds out about the reset by its end. */
static void bound_while_recovery_goes_on(void **state)
{
	struct guest *g = open_in_force(RV_PAIR);

	(void)state;
	neighbour("wait", true);
	error(g, EP_ERROR_UNCORRECTABLE, FATAL);
	wait_error_told();
	close_device(g);
	guest_bind(RV_PAIR, "tph-vfio-pci");
	g = open_device(RV_PAIR);
	set_all(g);
	control(g, IN_FORCE);
	neighbour("wait", false);
	wait_recovered();
	check_registers(g);
	command_on(g);
	check_in_force(g);
	close_device(g);
}

/*
 * What not every kernel does (initial_state of a test), found by what the neighbour hears and by
 * the emulator's count of resets. Which tests are not run for want of it is in doc/kernels.md.
 */
struct want {
	const char *name;
	bool there;
};

static struct want word_of_failure = { .name = "word of a failed recovery" };
static struct want reset_on_request = { .name = "a reset on request" };

static unsigned int failures_told(void)
{
	unsigned int count;
	FILE *file = fopen("/sys/module/tph_lab_neighbour/parameters/failures", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &count), 1);
	fclose(file);
	return count;
}

static void look_at_the_kernel(void)
{
	struct guest *g = open_device(RV_OFF);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);
	unsigned int failures = failures_told();

	neighbour("need_reset", true);
	error(g, EP_ERROR_UNCORRECTABLE, NONFATAL);
	wait_recovered();
	neighbour("need_reset", false);
	command_on(g);
	reset_on_request.there = guest_register(g, EP_COUNT_RESETS) != resets;

	/* last: the error's status stays, and Linux would take another one for a fatal one too */
	neighbour("no_bus_reset", true);
	error(g, EP_ERROR_UNCORRECTABLE, FATAL);
	wait_not_recovered();
	neighbour("no_bus_reset", false);
	word_of_failure.there = failures_told() != failures;
	close_device(g);
}

static int run(const struct CMUnitTest *tests, size_t count)
{
	struct CMUnitTest able[32];
	size_t i, left = 0;

	assert_true(count <= sizeof(able) / sizeof(*able));
	for (i = 0; i < count; i++) {
		const struct want *want = tests[i].initial_state;

		if (want && !want->there)
			printf("# without %s not run: %s\n", want->name, tests[i].name);
		else
			able[left++] = tests[i];
	}
	return _cmocka_run_group_tests("tests", able, left, NULL, NULL);
}

static void begin(void)
{
	static const char *const judged[] = { RV_ALONE, RV_PAIR, RV_MSIX };
	size_t i;

	if (witness_start(4096)) {
		perror("tracing");
		exit(1);
	}
	witness_mark("begin seed=none");
	for (i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
		uint16_t cap = raw_extended(judged[i], 0x17);

		/* what the judge begins at: no driver writes to a capability's header */
		raw_config_write(judged[i], cap, 4, raw_config(judged[i], cap, 4));
		witness_mark("operator-end %s %x", judged[i], 0xf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(af_is_the_way_to_reset, teardown),
		cmocka_unit_test_teardown(af_reset_keeps_the_state, teardown),
		cmocka_unit_test_teardown(af_reset_leaves_off_what_is_off, teardown),
		cmocka_unit_test_teardown(af_reset_asks_again, teardown),
		cmocka_unit_test_teardown(correctable_error_changes_nothing, teardown),
		cmocka_unit_test_teardown(nonfatal_error_keeps_the_state, teardown),
		cmocka_unit_test_teardown(fatal_error, teardown),
		cmocka_unit_test_teardown(fatal_error_with_tags_in_msix, teardown),
		cmocka_unit_test_teardown(set_up_before_the_reset, teardown),
		cmocka_unit_test_prestate_setup_teardown(reset_for_the_neighbour, NULL, teardown,
							 &reset_on_request),
		cmocka_unit_test_teardown(recovery_asks_again, teardown),
		cmocka_unit_test_teardown(next_user_while_recovery_goes_on, teardown),
		cmocka_unit_test_teardown(next_user_after_a_failed_recovery, teardown),
		cmocka_unit_test_teardown(next_user_after_a_failure_meanwhile, teardown),
		cmocka_unit_test_teardown(low_power_after_a_failed_recovery, teardown),
		cmocka_unit_test_teardown(bound_while_recovery_goes_on, teardown),
		cmocka_unit_test_prestate_setup_teardown(failure_takes_what_was_set_up, NULL,
							 teardown, &word_of_failure),
		cmocka_unit_test_prestate_setup_teardown(off_after_a_failed_recovery, NULL,
							 teardown, &word_of_failure),
	};
	int failed;

	guest_driver("policy=iv-st");
	begin();
	look_at_the_kernel();
	failed = run(tests, sizeof(tests) / sizeof(*tests));
	if (witness_save("/dev/lab-out")) {
		fprintf(stderr, "the driver's log is not whole\n");
		return 1;
	}
	return failed;
}
