/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is saved for a device, in a file that is named after it: 0000:03:00.0, or 8086:1572 for all
 * that have this vendor and device id. That of the address counts before that of the ids.
 */
#ifndef PROFILE_H
#define PROFILE_H

#include <limits.h>

#include "cpu_list.h"
#include "operator.h"
#include "sysfs.h"

/* instead of a driver: the device is left alone, whatever is saved for its ids */
#define PROFILE_NO_DRIVER	"none"

/**
 * struct profile - what a file says
 * @path: the file
 * @driver: to bind to; empty: as tphctl bind does; or PROFILE_NO_DRIVER
 * @policy: empty to leave it
 * @cpus: as it was written; empty to leave it
 * @publish: "on" or "off"; empty to leave it
 * @terms: the latter three, which point into this
 */
struct profile {
	char path[PATH_MAX];
	char driver[SYSFS_NAME_SIZE];
	char policy[OPERATOR_WORD_SIZE];
	char cpus[CPU_LIST_SIZE];
	char publish[OPERATOR_WORD_SIZE];
	struct terms terms;
};

/* struct profile_draft - one that is written, but not in its place yet */
struct profile_draft {
	char path[PATH_MAX];
	char draft[PATH_MAX];
	bool removal;	/* nothing is to be saved any more */
};

int profile_folder(struct tphctl *ctl, const struct invocation *invocation);
bool profile_name_check(const char *name, char canonical[TPH_ADDRESS_SIZE], bool *is_address);
int profile_find(struct tphctl *ctl, const struct pci_function *function, struct profile *profile);
int profile_list(struct tphctl *ctl, char ***names, size_t *count);

int profile_draft(struct tphctl *ctl, const struct invocation *invocation,
		  const char *address, struct profile_draft *draft);
int profile_draft_removal(struct tphctl *ctl, const struct pci_function *function,
			  struct profile_draft *draft);
int profile_commit(struct tphctl *ctl, const struct profile_draft *draft);
void profile_discard(const struct profile_draft *draft);

#endif /* PROFILE_H */
