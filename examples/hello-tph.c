// SPDX-License-Identifier: MIT
/* Steer what a device writes for interrupt vector 0 to the CPU that this program runs on. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <tph.h>

static int explain(const char *what, int error)
{
	if (error)
		fprintf(stderr, "hello-tph: %s: %s\n", what, strerror(-error));
	return error;
}

static int steer(struct tph_device *device)
{
	struct tph_state state;
	unsigned int cpu;

	if (getcpu(&cpu, NULL))
		return 1;
	if (explain("steer entry 0", tph_set_entry(device, 0, cpu)) ||
	    explain("enable", tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST)) ||
	    explain("read state", tph_read_state(device, &state)))
		return 1;
	printf("entry 0 of %u steers to CPU %u, with %d-bit tags\n", state.entries, cpu,
	       (int)state.width);
	/* Here a driver maps memory, starts its queues and runs; see tph_device_fd(). */
	return 0;
}

int main(int argc, char **argv)
{
	struct tph_device *device;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: hello-tph 0000:01:00.0\n");
		return 2;
	}
	if (explain(argv[1], tph_open(argv[1], &device)))
		return 1;
	status = steer(device);
	tph_close(device);	/* and steering ends */
	return status;
}
