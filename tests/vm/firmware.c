// SPDX-License-Identifier: MIT
/* Firmware that answers badly (lab/firmware/malformed.asl), or not at all, and how often it is asked. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/vfio_tph_legacy.h>

#include "guest.h"

#define ECAP_TPH	0x17
#define TRACING		"/sys/kernel/tracing/"
#define SYSFS		"/sys/bus/pci/devices/"
#define NOBODY		65534

static int setup(void **state)
{
	*state = guest_open(EP_CAPABILITY);
	return 0;
}

static int teardown(void **state)
{
	guest_close(*state);
	return 0;
}

/* CPU 1: four bytes instead of eight; CPU 2: no buffer at all. */
static void malformed_answers(void **state)
{
	struct guest *g = *state;
	uint32_t cpu, got;

	guest_command("echo 1 >" TRACING "events/tph_vfio_pci/tph_refuse/enable");
	assert_int_equal(st_set_one(g, 0, 0), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	for (cpu = 1; cpu <= 2; cpu++) {
		assert_int_equal(st_set(g, 0, 0, 2, (uint32_t[2]){ 0, cpu }), -EIO);
		/* the second time it is not asked again, and the answer is the same */
		assert_int_equal(st_set_one(g, 0, cpu), -EIO);
		guest_command("grep -qF 'cpu=%u reason=no-valid-tag error=-5' " TRACING "trace", cpu);
	}
	guest_command("echo 0 >" TRACING "events/tph_vfio_pci/tph_refuse/enable");
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 1, 1, &got), 0);
	assert_int_equal(got, VFIO_TPH_CPU_NONE);
	assert_st(g, 0, TAG_VOLATILE_16(0), 16);
}

/* GET_ST of the posted patches' ioctl, in which the tag was 7. */
static int posted_tag(struct guest *g, uint32_t cpu, uint16_t *tag)
{
	struct {
		struct vfio_device_pci_tph_op op;
		struct vfio_pci_tph_entry entry;
	} request = {
		.op = { .argsz = sizeof(request), .op = VFIO_PCI_TPH_GET_ST, .st.count = 1 },
		.entry = { .cpu = cpu, .st = 7 },
	};
	int ret = ioctl(g->fd, VFIO_DEVICE_PCI_TPH, &request) ? -errno : 0;

	*tag = request.entry.st;
	return ret;
}

/* What firmware does not tell right is told to nobody. */
static void malformed_answers_as_tags(void **state)
{
	struct guest *g = *state;
	uint32_t cpu;
	uint16_t tag;

	guest_close(g);
	guest_command("echo ds-st >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/policy");
	*state = g = guest_open(EP_CAPABILITY);
	for (cpu = 1; cpu <= 2; cpu++) {
		assert_int_equal(posted_tag(g, cpu, &tag), -EIO);
		assert_int_equal(tag, 7);
	}
	/* 16 bits are on offer, and there is no tag of that width */
	assert_int_equal(posted_tag(g, 3, &tag), -EOPNOTSUPP);
	assert_int_equal(tag, 7);
	assert_int_equal(posted_tag(g, 0, &tag), 0);
	assert_int_equal(tag, TAG_VOLATILE_16(0));
}

/* The posted patches' ioctl, which has no word for the width. */
static int posted_enable(struct guest *g)
{
	struct vfio_device_pci_tph_op op = {
		.argsz = sizeof(op), .op = VFIO_PCI_TPH_ENABLE, .ctrl.mode = VFIO_PCI_TPH_MODE_IV,
	};

	return ioctl(g->fd, VFIO_DEVICE_PCI_TPH, &op) ? -errno : 0;
}

/* CPU 3: an 8-bit tag for volatile memory, and nothing else. */
static void one_namespace_alone(void **state)
{
	struct guest *g = *state;

	assert_int_equal(st_set(g, VFIO_TPH_ST_MEM_TYPE_PM, 0, 1, (uint32_t[1]){ 3 }), -EOPNOTSUPP);
	assert_int_equal(st_set_one(g, 0, 3), 0);
	/* there is no 16-bit tag to enable with, and the 8-bit one is not taken for it */
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(control_read(g), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), 0);
	assert_plain(g, 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_8);
	assert_st(g, 0, TAG_VOLATILE_8(3), 8);
	control(g, 0);
	assert_int_equal(posted_enable(g), 0);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_8);
	assert_st(g, 0, TAG_VOLATILE_8(3), 8);

	assert_int_equal(st_set_one(g, 0, VFIO_TPH_CPU_NONE), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(st_set_one(g, 0, 3), -EOPNOTSUPP);
	assert_st(g, 0, 0, 16);
}

/*
 * Firmware is asked once per CPU and device, in whatever order and for whichever memory. 8-bit tags
 * count the questions (counting.asl).
 */
static void asked_once_per_cpu_and_device(void **state)
{
	struct guest *g = *state, *other;
	uint32_t round, cpu;

	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	for (round = 0; round < 3; round++)
		for (cpu = 0; cpu < 3; cpu++) {
			assert_int_equal(st_set(g, round & 1 ? VFIO_TPH_ST_MEM_TYPE_PM : 0, cpu, 1,
						&cpu), 0);
			assert_st(g, cpu, cpu + 1, 8);
		}
	/* closing does not make it forget */
	guest_close(g);
	*state = g = guest_open(EP_CAPABILITY);
	assert_int_equal(st_set_one(g, 0, 2), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_st(g, 0, 3, 8);

	other = guest_open(EP_MSIX);
	assert_int_equal(st_set_one(other, 0, 0), 0);
	assert_int_equal(st_set_one(g, 1, 0), 0);
	assert_st(g, 1, 1, 8);
	guest_close(other);
}

/* A CPU that comes back may be another one: it is asked for anew, by every device, and the others are not. */
static void asked_anew_when_a_cpu_comes(void **state)
{
	struct guest *g = *state;
	unsigned int before, after;

	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_int_equal(st_set(g, 0, 0, 2, (uint32_t[2]){ 1, 2 }), 0);
	before = guest_write_for(g, 0).st;
	after = guest_write_for(g, 1).st;
	/* a device that is closed forgets as well */
	guest_close(g);
	guest_command("echo 0 >/sys/devices/system/cpu/cpu1/online");
	guest_command("echo 1 >/sys/devices/system/cpu/cpu1/online");
	*state = g = guest_open(EP_CAPABILITY);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_int_equal(st_set(g, 0, 0, 2, (uint32_t[2]){ 1, 2 }), 0);
	assert_true(guest_write_for(g, 0).st > before);
	assert_int_equal(guest_write_for(g, 1).st, after);
}

/* The number of evaluations, this one included. @cpu is one that was never asked for. */
static unsigned int evaluations(struct guest *g, uint32_t cpu)
{
	assert_int_equal(st_set(g, VFIO_TPH_ST_MEM_TYPE_PM, 0, 1, &cpu), 0);
	return guest_write_for(g, 0).st;
}

/* Who may only look makes neither firmware nor the function work (1000 reads of each attribute). */
static void looking_costs_nothing(void **state)
{
	static const char * const attributes[] = { "policy", "cpus", "steering", "targets",
						   "requester", "revocations", "publish" };
	unsigned int before, reads, writes, i, n, seen = 0;
	struct guest *g = *state;
	char path[96], text[64];

	/* bound anew: no CPU has been asked for */
	guest_close(g);
	guest_driver("policy=iv-st");
	*state = g = guest_open(EP_CAPABILITY);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	before = evaluations(g, 0);
	guest_register_write(g, EP_COUNT_SELECT, ~0u);
	reads = guest_register(g, EP_COUNT_CFG_READS);
	writes = guest_register(g, EP_COUNT_CFG_WRITES);

	assert_int_equal(seteuid(NOBODY), 0);
	for (i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		for (n = 0; n < 1000; n++) {
			ssize_t length;
			int fd;

			snprintf(path, sizeof(path), SYSFS EP_CAPABILITY "/tph/%s", attributes[i]);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0) {
				assert_true(errno == EACCES || errno == ENOENT);
				break;
			}
			length = read(fd, text, sizeof(text));
			assert_true(length > 0);
			seen++;
			close(fd);
		}
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(guest_register(g, EP_COUNT_CFG_READS), reads);
	assert_int_equal(guest_register(g, EP_COUNT_CFG_WRITES), writes);
	assert_int_equal(evaluations(g, 1), before + 1);
	/* policy, cpus, steering; what a tenant does is for root */
	assert_int_equal(seen, 3000);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/* An error passes without a new bind, and firmware is asked once a second at most (passing.asl). */
static void errors_pass(void **state)
{
	struct guest *g = *state;
	double start, end;
	unsigned int first, last, tries = 0;
	int ret;

	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	start = seconds();
	assert_int_equal(st_set_one(g, 0, 1), -EIO);
	do
		ret = st_set_one(g, 0, 1);
	while (ret == -EIO && seconds() < start + 60);
	assert_int_equal(ret, 0);
	/* not before the second was over: the first question was asked after start */
	assert_true(seconds() >= start + 0.9);
	first = guest_write_for(g, 0).st;
	assert_int_equal(first, 2);

	/* CPU 2 never works; CPU 0's tag tells how often that was asked */
	start = seconds();
	do {
		assert_int_equal(st_set_one(g, 1, 2), -EIO);
		tries++;
		end = seconds();
	} while (end < start + 2.5);
	assert_int_equal(st_set_one(g, 2, 0), 0);
	last = guest_write_for(g, 2).st;
	assert_true(tries > 20);
	assert_true(last - first - 1 >= 2);
	assert_true(last - first - 1 <= (end - start) + 1);
}

/* The process comes before firmware, and firmware before the operator (doc/uapi.md). */
static void refused_in_order(void **state)
{
	struct guest *g = *state;

	guest_run_on(0x1);
	assert_int_equal(st_set_one(g, 0, 1), -EPERM);
	guest_run_on(0xf);
	guest_command("echo 0 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
	assert_int_equal(st_set_one(g, 0, 1), -EIO);
	guest_command("echo 0-3 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
}

/* Of three CPUs of eight, Linux' number 2 is firmware's uid 5: firmware knows no other name for it. */
static void asked_by_uid(void **state)
{
	struct guest *g = *state;

	assert_int_equal(st_set(g, 0, 0, 2, (uint32_t[2]){ 1, 2 }), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	assert_st(g, 1, TAG_VOLATILE_16(5), 16);
}

/* No _DSM: processing hints can be had, tags cannot. */
static void no_firmware(void **state)
{
	struct guest *g = *state;

	assert_int_equal(st_probe(g, VFIO_DEVICE_FEATURE_SET), -EOPNOTSUPP);
	assert_int_equal(st_set_one(g, 0, 1), -EOPNOTSUPP);
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4), TPH_CAP_NO_ST | TPH_CAP_EXTENDED);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_int_equal(control_read(g), 0);
	control(g, TPH_CTRL_8);
	assert_st(g, 0, 0, 8);
}

/* pci=notph: there is no TPH on this machine. */
static void notph(void **state)
{
	struct guest *g = *state;

	assert_int_equal(st_probe(g, VFIO_DEVICE_FEATURE_SET), -EOPNOTSUPP);
	assert_int_equal(st_set_one(g, 0, 1), -EOPNOTSUPP);
	assert_int_equal(guest_extended(g, ECAP_TPH), 0);
	control(g, TPH_CTRL_8);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), 0);
	assert_plain(g, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest malformed[] = {
		cmocka_unit_test_setup_teardown(malformed_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(one_namespace_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_answers_as_tags, setup, teardown),
	};
	const struct CMUnitTest counting[] = {
		cmocka_unit_test_setup_teardown(asked_once_per_cpu_and_device, setup, teardown),
		cmocka_unit_test_setup_teardown(asked_anew_when_a_cpu_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(looking_costs_nothing, setup, teardown),
	};
	const struct CMUnitTest passing[] = {
		cmocka_unit_test_setup_teardown(errors_pass, setup, teardown),
	};
	const struct CMUnitTest uid[] = {
		cmocka_unit_test_setup_teardown(asked_by_uid, setup, teardown),
	};
	const struct CMUnitTest none[] = {
		cmocka_unit_test_setup_teardown(no_firmware, setup, teardown),
	};
	const struct CMUnitTest disabled[] = {
		cmocka_unit_test_setup_teardown(notph, setup, teardown),
	};
	const char *machine = argc > 1 ? argv[1] : "";

	guest_driver("policy=iv-st");
	if (!strcmp(machine, "malformed"))
		return cmocka_run_group_tests(malformed, NULL, NULL);
	if (!strcmp(machine, "counting"))
		return cmocka_run_group_tests(counting, NULL, NULL);
	if (!strcmp(machine, "passing"))
		return cmocka_run_group_tests(passing, NULL, NULL);
	if (!strcmp(machine, "uid"))
		return cmocka_run_group_tests(uid, NULL, NULL);
	if (!strcmp(machine, "none"))
		return cmocka_run_group_tests(none, NULL, NULL);
	if (!strcmp(machine, "notph"))
		return cmocka_run_group_tests(disabled, NULL, NULL);
	return 2;
}
