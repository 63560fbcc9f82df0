// SPDX-License-Identifier: MIT
/* An ST table in the MSI-X table: tags follow the vectors, and nobody else writes there. */
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define VECTORS	16
#define NONE	VFIO_TPH_CPU_NONE

static volatile int stop;

static int setup(void **state)
{
	*state = guest_open(EP_MSIX);
	return 0;
}

static int teardown(void **state)
{
	guest_close(*state);
	return 0;
}

static void the_table_cannot_be_mapped(void **state)
{
	struct guest *g = *state;
	uint8_t msix = 0, at;
	uint32_t table;

	for (at = guest_config(g, PCI_CAPABILITY_LIST, 1); at; at = guest_config(g, at + 1, 1))
		if (guest_config(g, at, 1) == PCI_CAP_ID_MSIX)
			msix = at;
	assert_int_not_equal(msix, 0);
	table = guest_config(g, msix + PCI_MSIX_TABLE, 4);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd,
			      (uint64_t)(table & PCI_MSIX_TABLE_BIR) << 40), MAP_FAILED);
	assert_int_equal(errno, EINVAL);
}

static void a_vector_that_is_not_there_has_no_tag(void **state)
{
	struct guest *g = *state;

	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 3, 0, 16);
}

/* The table cannot be written then: the requester goes off, and the next open clears the table. */
static void closed_without_memory_decode_it_is_off(void **state)
{
	struct guest *g = *state;
	int i;

	guest_vectors(g, 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(st_set_one(g, i, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	guest_close(g);
	assert_int_equal(raw_config(EP_MSIX, raw_extended(EP_MSIX, 0x17) + TPH_CTRL, 4), 0);

	g = *state = guest_open(EP_MSIX);
	guest_vectors(g, 4);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	for (i = 0; i < 4; i++)
		assert_st(g, i, 0, 16);
}

static void tags_follow_the_vectors(void **state)
{
	static const uint32_t cpus[4] = { 0, 1, 2, 0 };
	struct guest *g = *state;
	int i;

	assert_int_equal(st_set(g, 0, 0, 4, cpus), 0);
	guest_vectors(g, 3);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	for (i = 0; i < 3; i++)
		assert_st(g, i, TAG_VOLATILE_16(cpus[i]), 16);
	assert_st(g, 3, 0, 16);

	/* gone with the vectors, back with them */
	guest_vectors(g, 0);
	for (i = 0; i < 4; i++)
		assert_st(g, i, 0, 16);
	guest_vectors(g, 4);
	for (i = 0; i < 4; i++)
		assert_st(g, i, TAG_VOLATILE_16(cpus[i]), 16);

	/* changed while they were away: the old tag is nowhere */
	guest_vectors(g, 0);
	assert_int_equal(st_set_one(g, 1, NONE), 0);
	assert_int_equal(st_set_one(g, 2, 0), 0);
	guest_vectors(g, 4);
	assert_st(g, 1, 0, 16);
	assert_st(g, 2, TAG_VOLATILE_16(0), 16);
}

static void a_stale_tag_does_not_come_back(void **state)
{
	struct guest *g = *state;

	assert_int_equal(st_set_one(g, 0, 1), 0);
	guest_vectors(g, 1);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	control(g, TPH_CTRL_IV);
	assert_int_equal(st_set_one(g, 0, NONE), 0);
	guest_vectors(g, 0);
	guest_vectors(g, 1);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, 0, 16);
}

static void set_while_enabled_and_8_bits(void **state)
{
	static const uint32_t cpus[VECTORS] = { 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1 };
	struct guest *g = *state;
	int i;

	guest_vectors(g, VECTORS);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_int_equal(st_set(g, 0, 0, VECTORS + 1, (uint32_t[VECTORS + 1]){ 0 }), -EINVAL);
	guest_register_write(g, EP_COUNT_CLEAR, 1);
	assert_int_equal(st_set(g, 0, 0, VECTORS, cpus), 0);
	assert_int_equal(guest_register(g, EP_COUNT_OFF_WINDOWS), 1);
	for (i = 0; i < VECTORS; i++)
		assert_st(g, i, TAG_VOLATILE_8(cpus[i]), 8);
}

static void without_memory_decode_nothing_changes(void **state)
{
	struct guest *g = *state;
	uint32_t command = guest_config(g, PCI_COMMAND, 2), cpu;

	guest_vectors(g, 2);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	guest_config_write(g, PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
	assert_int_equal(st_set_one(g, 0, 2), -EIO);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, 1, &cpu), 0);
	assert_int_equal(cpu, 1);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
}

static void through_a_reset(void **state)
{
	struct guest *g = *state;
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	guest_vectors(g, 2);
	assert_int_equal(st_set_one(g, 1, 2), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 1, TAG_VOLATILE_16(2), 16);
	assert_st(g, 0, 0, 16);
}

/*
 * Root's reset by sysfs comes without memory_lock, and the user switches memory decode off and on
 * meanwhile: the table is written where it can be reached, or later. A kernel with lockdep complains
 * of any other write (write_vector() in driver/hardware.c), and its log has to be clean.
 */
static void *switch_memory_all_the_time(void *arg)
{
	struct guest *g = arg;
	uint16_t on = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, off = PCI_COMMAND_MASTER;
	off_t at = ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + PCI_COMMAND;

	while (!stop) {
		assert_int_equal(pwrite(g->fd, &off, 2, at), 2);
		assert_int_equal(pwrite(g->fd, &on, 2, at), 2);
	}
	return NULL;
}

static void reset_by_root_against_memory_decode(void **state)
{
	struct guest *g = *state;
	uint32_t command = guest_config(g, PCI_COMMAND, 2);
	pthread_t thread;
	int i;

	guest_vectors(g, 2);
	assert_int_equal(st_set_one(g, 1, 2), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	stop = 0;
	assert_int_equal(pthread_create(&thread, NULL, switch_memory_all_the_time, g), 0);
	for (i = 0; i < 10; i++)
		guest_command("echo 1 >/sys/bus/pci/devices/" EP_MSIX "/reset");
	stop = 1;
	pthread_join(thread, NULL);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 1, TAG_VOLATILE_16(2), 16);
	assert_st(g, 0, 0, 16);
}

static void nothing_for_the_next_user(void **state)
{
	struct guest *g = *state;

	guest_vectors(g, 2);
	assert_int_equal(st_set_one(g, 1, 2), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 1, TAG_VOLATILE_16(2), 16);
	guest_close(g);

	*state = g = guest_open(EP_MSIX);
	assert_int_equal(control_read(g), 0);
	guest_vectors(g, 2);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 1, 0, 16);
}

#define TRACING "/sys/kernel/tracing/"

/* Tags that the driver writes to vectors in a SET_IRQS of @count eventfds. */
static unsigned int vector_writes(struct guest *g, uint32_t count)
{
	unsigned int writes = 0;
	char line[512];
	FILE *trace;

	guest_command("cd " TRACING " && echo >trace && echo 1 >events/tph_vfio_pci/tph_apply/enable");
	guest_vectors(g, count);
	guest_command("echo 0 >" TRACING "events/tph_vfio_pci/tph_apply/enable");
	trace = fopen(TRACING "trace", "r");
	assert_non_null(trace);
	while (fgets(line, sizeof(line), trace))
		writes += strstr(line, ": tph_apply: ") && strstr(line, " bytes=0 ");
	fclose(trace);
	return writes;
}

static bool vectors_are_fixed(struct guest *g)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = VFIO_PCI_MSIX_IRQ_INDEX };

	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_IRQ_INFO, &info), 0);
	return info.flags & VFIO_IRQ_INFO_NORESIZE;
}

/* A manager of virtual machines sets eventfds anew for each vector that its guest masks. */
static void vectors_that_stay_are_not_written(void **state)
{
	struct guest *g = *state;

	guest_vectors(g, 4);
	assert_int_equal(st_set_one(g, 1, 2), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(vector_writes(g, 4), 0);
	assert_st(g, 1, TAG_VOLATILE_16(2), 16);
	/* those that come are, and with them the others; before Linux 6.5 none can come */
	if (vectors_are_fixed(g)) {
		assert_int_equal(guest_try_vectors(g, 6), -EINVAL);
	} else {
		assert_int_equal(vector_writes(g, 6), 6);
	}
	assert_st(g, 1, TAG_VOLATILE_16(2), 16);
	guest_vectors(g, 0);
	assert_st(g, 1, 0, 16);
}

/* SET against vectors that come and go: no splat, and the tag is right when all is quiet. */
static void *set_all_the_time(void *arg)
{
	struct guest *g = arg;
	uint32_t i;

	for (i = 0; !stop; i++)
		assert_int_equal(st_set_one(g, 0, i % 3), 0);
	return NULL;
}

static void set_against_vectors(void **state)
{
	struct guest *g = *state;
	pthread_t thread;
	int i;

	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	stop = 0;
	assert_int_equal(pthread_create(&thread, NULL, set_all_the_time, g), 0);
	for (i = 0; i < 30; i++) {
		guest_vectors(g, 4);
		guest_vectors(g, 0);
	}
	guest_vectors(g, 4);
	stop = 1;
	pthread_join(thread, NULL);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_table_cannot_be_mapped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_vector_that_is_not_there_has_no_tag, setup, teardown),
		cmocka_unit_test_setup_teardown(tags_follow_the_vectors, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stale_tag_does_not_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(set_while_enabled_and_8_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(without_memory_decode_nothing_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_without_memory_decode_it_is_off, setup,
						teardown),
		cmocka_unit_test_setup_teardown(through_a_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_root_against_memory_decode, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nothing_for_the_next_user, setup, teardown),
		cmocka_unit_test_setup_teardown(vectors_that_stay_are_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(set_against_vectors, setup, teardown),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
