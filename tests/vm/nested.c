// SPDX-License-Identifier: MIT
/*
 * In a guest of the VM's (tests/clients/guest): a program that steers to the CPUs that it sees, and
 * says of each entry which tag the device sent, whenever that is another one. It does nothing about it.
 */
#include <unistd.h>

#include "guest.h"

#define CPUS 2

static void entries_steer_to_what_the_guest_calls_its_cpus(void **state)
{
	struct guest *g = guest_open("0000:00:05.0");
	const uint32_t cpus[CPUS] = { 0, 1 };
	uint32_t sent[CPUS] = { ~0u, ~0u }, i;
	struct tlp tlp;

	(void)state;
	guest_run_on(3);
	assert_int_equal(st_set(g, 0, 0, CPUS, cpus), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	/* whoever runs the machine ends it */
	for (;;) {
		for (i = 0; i < CPUS; i++) {
			tlp = guest_write_for(g, i);
			if (!tlp.th || tlp.st == sent[i])
				continue;
			sent[i] = tlp.st;
			printf("guest CPU %u: tag %#x\n", i, tlp.st);
		}
		usleep(10000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_steer_to_what_the_guest_calls_its_cpus),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	guest_driver("policy=iv-st");
	return guest_run_group(tests);
}
