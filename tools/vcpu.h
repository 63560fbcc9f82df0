/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual CPUs of a virtual machine: threads of the process that runs it. */
#ifndef VCPU_H
#define VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "tph.h"

/* A virtual CPU's tag is its index + 1, as the guest's firmware has it. */
#define VCPUS_MAX	TPH_GUEST_TAGS_MAX

/* struct vcpu - one of them; @thread: 0: there is none of this index */
struct vcpu {
	int thread;
};

/* struct vcpu_list - all, by index; @count: the highest index + 1 */
struct vcpu_list {
	uint32_t count;
	struct vcpu cpu[VCPUS_MAX];
};

/**
 * vcpu_find() - find them by the names that QEMU gives its threads (CPU 3/KVM)
 * @proc: where proc is
 * @pid: the process
 *
 * QEMU does so with -name debug-threads=on, which libvirt gives it.
 *
 * Return: 0, also if there is none; or what opendir(3) says of its threads.
 */
int vcpu_find(const char *proc, int pid, struct vcpu_list *cpus);

/**
 * vcpu_process() - the process that threads belong to
 *
 * Return: its number; -ESRCH: a thread is gone, or there is none; -EPROTO: they are of several
 * processes.
 */
int vcpu_process(const char *proc, const struct vcpu_list *cpus);

/** vcpu_is_of() - whether @pid has that thread now. */
bool vcpu_is_of(const char *proc, int pid, int thread);

/** vcpu_last() - the CPU that a thread of @pid ran on last. Return: that, or TPH_CPU_NONE. */
uint32_t vcpu_last(const char *proc, int pid, int thread);

#endif /* VCPU_H */
