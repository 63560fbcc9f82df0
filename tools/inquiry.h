/* SPDX-License-Identifier: GPL-2.0-only */
/* What tphctl why asks about a device, and what it finds. */
#ifndef INQUIRY_H
#define INQUIRY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "descriptor.h"
#include "operator.h"
#include "sysfs.h"
#include "tph_group.h"
#include "tphctl.h"

#define TAGGED		(1u << TPH_MODE_INTERRUPT_VECTOR | 1u << TPH_MODE_DEVICE_SPECIFIC)

#define KERNEL_OPTIONS	3

/* Those that are looked at. */
extern const char *const kernel_options[KERNEL_OPTIONS];

enum verdict {
	HOLDS,
	BROKEN,
	UNKNOWN,
};

/**
 * struct condition - one link of the chain
 * @name: what it is about
 * @verdict: whether it holds
 * @code: exit status if it is the first that does not
 * @text: what was found
 * @remedy: the way out; empty if it holds
 */
struct condition {
	const char *name;
	enum verdict verdict;
	int code;
	char text[CPU_LIST_SIZE + 256];
	char remedy[512];
};

/**
 * struct inquiry - all that is known of a device
 * @capability_error: why @capability is not valid; 0 if it is
 * @operator_error: why @operator is not valid; 0 if it is
 * @held: who has it open, as descriptor_holder(), or for a tree that is not the kernel's, as far as
 *	the tree tells
 * @driver_name: under which name tph-vfio-pci is there; empty: it is not loaded
 * @group_error: why what follows is not valid; 0 if it is
 * @call: how a user would take the group, see taking_call()
 * @bind: what the kernel would answer to that
 * @rebound: once the device has been given to tph-vfio-pci
 */
struct inquiry {
	const struct tphctl *ctl;
	struct pci_function function;
	int capability_error;
	struct tph_capability capability;
	int operator_error;
	struct operator_view operator;
	int held;
	struct holder holder;
	char driver_name[SYSFS_NAME_SIZE];
	int group_error;
	struct tph_group *group;
	struct tph_group_facts facts;
	const char *call;
	struct tph_group_answer bind;
	bool rebound;
};

/* inquiry.c */
void find_driver(const struct tphctl *ctl, char name[SYSFS_NAME_SIZE]);
void inquire(struct inquiry *inquiry);
void conclude(struct condition *condition, enum verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void advise(struct condition *condition, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void advise_bind(const struct inquiry *inquiry, struct condition *condition, const char *options);
void defer(struct condition *condition, const char *text);
enum verdict driver_says(const struct inquiry *inquiry, const char *obstacle);
const char *taking_call(const struct tph_group *group);
int foresee_taking(struct tph_group *group, const char *address, struct tph_group_answer *answer);
int foresee_bind(struct tph_group *group, const char *address, bool *rebound,
		 struct tph_group_answer *answer);
int beside_sysfs(const struct tphctl *ctl, const char *folder, const char *file,
		 char path[PATH_MAX]);
uint32_t tagged_modes(const struct tph_capability *capability);

/* machine.c: what the machine has and the kernel was started with */
void ask_device(const struct inquiry *inquiry, struct condition *condition);
void ask_space(const struct inquiry *inquiry, struct condition *condition);
void ask_capability(const struct inquiry *inquiry, struct condition *condition);
void ask_modes(const struct inquiry *inquiry, struct condition *condition);
void ask_completer(const struct inquiry *inquiry, struct condition *condition);
int kernel_option_value(const char *line, const char *option);
void ask_kernel_options(const struct inquiry *inquiry, struct condition *condition);
void ask_kernel(const struct inquiry *inquiry, struct condition *condition);
void ask_iommu(const struct inquiry *inquiry, struct condition *condition);
void ask_interrupts(const struct inquiry *inquiry, struct condition *condition);
bool signatures_wanted(const struct inquiry *inquiry, const char **why);
void ask_signatures(const struct inquiry *inquiry, struct condition *condition);

/* operation.c: what the operator decides, and what the driver then finds */
void ask_module(const struct inquiry *inquiry, struct condition *condition);
void ask_driver(const struct inquiry *inquiry, struct condition *condition);
void ask_way(const struct inquiry *inquiry, struct condition *condition);
void ask_firmware(const struct inquiry *inquiry, struct condition *condition);
void ask_policy(const struct inquiry *inquiry, struct condition *condition);
void ask_neighbours(const struct inquiry *inquiry, struct condition *condition);
void ask_cpus(const struct inquiry *inquiry, struct condition *condition);
int caller_cpus(const struct tphctl *ctl, struct cpu_list *own);
void ask_caller(const struct inquiry *inquiry, struct condition *condition);
void ask_group(const struct inquiry *inquiry, struct condition *condition);

/* usage.c: what its user does */
void ask_user(const struct inquiry *inquiry, struct condition *condition);
void ask_attached(const struct inquiry *inquiry, struct condition *condition);
void ask_table(const struct inquiry *inquiry, struct condition *condition);
void ask_requester(const struct inquiry *inquiry, struct condition *condition);

#endif /* INQUIRY_H */
