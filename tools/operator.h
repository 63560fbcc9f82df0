/* SPDX-License-Identifier: GPL-2.0-only */
/* What the operator decides about a device, and sees of it: its attributes under tph/. */
#ifndef OPERATOR_H
#define OPERATOR_H

#include <json-c/json.h>

#include "cpu_list.h"
#include "tphctl.h"

#define OPERATOR_WORD_SIZE	32

/**
 * struct operator_view - the attributes of doc/abi/sysfs-bus-pci-tph
 * @policy: what a user of the device may do
 * @cpus: CPUs that the device may target
 * @targets: CPUs that entries steer to now
 * @requester: what is in force
 * @revocations: how many entries have been taken back
 * @steering: "possible", or the first thing in the way
 * @publish: "1" or "0": tags may be published for the device's dma-bufs; empty: the function takes
 *	none, or its kernel or driver cannot
 *
 * @hidden: @targets, @requester and @revocations are for root alone, and so left out
 *
 * A function without a TPH Requester capability has @publish alone; the rest is then empty.
 */
struct operator_view {
	char policy[OPERATOR_WORD_SIZE];
	char cpus[CPU_LIST_SIZE];
	char targets[CPU_LIST_SIZE];
	char requester[OPERATOR_WORD_SIZE];
	unsigned long long revocations;
	char steering[OPERATOR_WORD_SIZE];
	char publish[OPERATOR_WORD_SIZE];
	bool hidden;
};

/**
 * struct terms - what the operator asks for
 * @policy: NULL to leave it
 * @has_cpus: @cpus is to be written
 * @cpus: as the kernel writes it
 * @publish: "1" or "0", NULL to leave it
 */
struct terms {
	const char *policy;
	bool has_cpus;
	char cpus[CPU_LIST_SIZE];
	const char *publish;
};

int operator_path(const char *sysfs, const char *address, const char *attribute, char *path,
		  size_t size);
int operator_read(const char *sysfs, const char *address, struct operator_view *view);
const char *operator_cpus(const char *cpus);
const char *operator_obstacle(const char *steering);
void operator_print(const struct operator_view *view);
struct json_object *operator_json(const struct operator_view *view);
int operator_failure(struct tphctl *ctl, const char *address, int error);
const char *operator_publishing(const char *publish);
int publish_failure(struct tphctl *ctl, const char *address);

bool terms_given(const struct terms *terms);
int terms_parse(struct tphctl *ctl, const struct invocation *invocation, struct terms *terms);
int terms_apply(struct tphctl *ctl, const char *address, const struct terms *terms,
		struct operator_view *before, struct operator_view *after);

#endif /* OPERATOR_H */
