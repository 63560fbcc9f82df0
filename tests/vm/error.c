// SPDX-License-Identifier: MIT
/*
 * PCIe errors, injected at the root port, which tells all below it. A fatal one resets the endpoint
 * without asking the driver before or after: nothing of the old state may come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define PORT_SLOT	1
#define FATAL		PCI_ERR_UNC_DLP
#define NONFATAL	PCI_ERR_UNC_COMP_ABORT
#define NONE		VFIO_TPH_CPU_NONE

static int errors;	/* eventfd, signalled by vfio-pci-core after this driver was told */
static int log_fd;

/* what drivers/pci/pcie/aer_inject.c reads from /dev/aer_inject */
struct injection {
	uint8_t bus, slot, function;
	uint32_t uncorrectable, correctable, header[4], domain;
};

/* Inject, and wait until the kernel says that recovery is over. */
static void inject(uint32_t status)
{
	struct injection injection = { .slot = PORT_SLOT, .uncorrectable = status };
	int fd = open("/dev/aer_inject", O_WRONLY | O_CLOEXEC);
	char line[1024];
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_not_equal(lseek(log_fd, 0, SEEK_END), -1);
	assert_int_equal(write(fd, &injection, sizeof(injection)), sizeof(injection));
	close(fd);
	do {
		n = read(log_fd, line, sizeof(line) - 1);
		/* EPIPE: lines were dropped, the next read goes on */
		assert_true(n > 0 || errno == EPIPE);
		line[n > 0 ? n : 0] = '\0';
	} while (!strstr(line, "AER: device recovery"));
	assert_non_null(strstr(line, "successful"));
}

static uint64_t told(void)
{
	uint64_t count = 0;

	return read(errors, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static unsigned int revocations(void)
{
	FILE *file = fopen("/sys/bus/pci/devices/" EP_CAPABILITY "/tph/revocations", "r");
	unsigned int count;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &count), 1);
	fclose(file);
	return count;
}

static struct guest *open_steering(void)
{
	/* struct vfio_irq_set */
	struct {
		uint32_t argsz, flags, index, start, count;
		int fd;
	} irq = {
		.argsz = sizeof(irq),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_ERR_IRQ_INDEX,
		.count = 1,
		.fd = errors,
	};
	struct guest *g = guest_open(EP_CAPABILITY);

	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_SET_IRQS, &irq), 0);
	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	return g;
}

static void an_error_that_resets_nothing_takes_nothing(void **state)
{
	struct guest *g = open_steering();
	unsigned int before = revocations();
	uint32_t cpu;

	(void)state;
	inject(NONFATAL);
	assert_int_equal(told(), 1);
	assert_int_equal(revocations(), before);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 3, 1, &cpu), 0);
	assert_int_equal(cpu, 1);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	guest_close(g);
}

static void a_fatal_error_leaves_nothing(void **state)
{
	struct guest *g = open_steering();
	unsigned int before = revocations();
	uint32_t cpu;

	(void)state;
	inject(FATAL);
	assert_int_equal(told(), 1);
	assert_int_equal(revocations(), before + 1);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 3, 1, &cpu), 0);
	assert_int_equal(cpu, NONE);
	assert_int_equal(control_read(g) & TPH_CTRL_16, 0);
	/* a reset that the user asks for would bring back what he is thought to have */
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_TABLE + 4, 4), 0);
	guest_close(g);

	g = open_steering();
	guest_close(g);
}

/* Nobody puts its BARs back then, so it can be opened and no more, with stock vfio-pci as well. */
static void one_that_is_not_open_has_nothing_to_lose(void **state)
{
	unsigned int before = revocations();

	(void)state;
	inject(FATAL);
	assert_int_equal(told(), 0);
	assert_int_equal(revocations(), before);
	assert_int_equal(guest_try_open(EP_CAPABILITY), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_that_resets_nothing_takes_nothing),
		cmocka_unit_test(a_fatal_error_leaves_nothing),
		cmocka_unit_test(one_that_is_not_open_has_nothing_to_lose),
	};

	errors = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	log_fd = open("/dev/kmsg", O_RDONLY | O_CLOEXEC);
	if (errors < 0 || log_fd < 0) {
		perror("/dev/kmsg");
		return 1;
	}
	guest_command("modprobe aer_inject");
	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
