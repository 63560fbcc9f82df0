// SPDX-License-Identifier: MIT
/* tphctl on the simulated kernel and the simulated PCI bus: see simulation.h. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulated_kernel.h"
#include "simulation.h"

static bool counting;	/* the log ends with how many requests there were */

static void apply(const char *word)
{
	unsigned long long inode;
	unsigned int number;

	if (!strcmp(word, "policy=no-st")) {
		sim.policy = SIM_NO_ST;
		sim_set_capability(1, true, 0, 0);
	} else if (!strcmp(word, "policy=iv-st")) {
		sim.policy = SIM_IV_ST;
		sim_set_capability(3, true, 2, 8);
	} else if (!strcmp(word, "stock")) {
		sim.tph_driver = false;
	} else if (!strcmp(word, "held")) {
		sim.held = true;
	} else if (!strcmp(word, "vf-token")) {
		/* 01000000-0000-0000-0000-000000000002 */
		sim.token_wanted = true;
		sim.token[0] = 1;
		sim.token[15] = 2;
	} else if (!strcmp(word, "inaccessible")) {
		sim.inaccessible = true;
	} else if (!strcmp(word, "narrow")) {
		sim_set_capability(3, false, 2, 8);
	} else if (sscanf(word, "adopt=%u", &number) == 1) {
		sim_adopt((int)number);
	} else if (sscanf(word, "adopt-inode=%llu", &inode) == 1) {
		/* a device that another process has open */
		sim_adopt(-1);
		sim.device_ino = inode;
	} else if (!strcmp(word, "guest-held")) {
		sim.guest_held = true;
	} else if (!strcmp(word, "unready")) {
		sim.bound = false;
	} else if (sscanf(word, "probe-error=%u", &number) == 1) {
		sim.probe_error = (int)number;
	} else if (sscanf(word, "node-error=%u", &number) == 1) {
		sim.node_error = (int)number;
	} else if (sscanf(word, "iommu-error=%u", &number) == 1) {
		sim.iommu_error = (int)number;
	} else if (sscanf(word, "group-error=%u", &number) == 1) {
		sim.group_error = (int)number;
	} else if (sscanf(word, "debug-error=%u", &number) == 1) {
		sim.debug_error = (int)number;
	} else if (!strcmp(word, "read-only")) {
		sim.read_only = true;
	} else if (!strcmp(word, "count")) {
		counting = true;
	} else if (!strcmp(word, "crowded")) {
		sim.crowded = true;
	} else if (sscanf(word, "uevent-error=%u", &number) == 1) {
		sim.uevent_error = (int)number;
	} else if (sscanf(word, "ungranted=%u", &number) == 1) {
		sim.cpus_allowed &= ~(1ull << number);
	} else if (sscanf(word, "without-tag=%u", &number) == 1) {
		sim.cpus_without_8 = sim.cpus_without_16 = 1ull << number;
	} else if (sscanf(word, "without-16=%u", &number) == 1) {
		sim.cpus_without_16 = 1ull << number;
	} else {
		fprintf(stderr, "simulation: what is \"%s\"?\n", word);
		exit(99);
	}
}

void simulation_begin(const char *words, const char *log)
{
	char text[256], *rest = NULL;

	snprintf(text, sizeof(text), "%s", words ? words : "");
	sim_reset(TPHCTL_SYSFS);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		apply(word);
	if (!log)
		return;
	sim.log = fopen(log, "ae");
	if (!sim.log)
		exit(99);
	setvbuf(sim.log, NULL, _IOLBF, 0);
}

void simulation_end(void)
{
	if (sim.log && counting)
		fprintf(sim.log, "%u requests\n", sim.features);
	if (sim.log)
		fclose(sim.log);
	sim.log = NULL;
}
