// SPDX-License-Identifier: GPL-2.0-only
#include "tph_vfio_pci.h"
#include "trace.h"

static int refuse(struct tph_vdev *tph, u32 cpu, enum tph_reason reason, int error)
{
	trace_tph_refuse(tph->core.pdev, cpu, reason, error);
	return error;
}

/**
 * tph_grant_check() - may the calling process target these CPUs?
 * @tph: the device
 * @targets: entries and their CPUs, or TPH_NO_CPU, which needs no grant
 * @count: how many
 *
 * What a process could run on, it may warm: the CPU has to be online and among those that a thread
 * of the process may run on. What the operator and the device's state allow is for
 * tph_grant_check_locked().
 *
 * Context: process context of the caller; may sleep.
 * Return: 0; -EINVAL for a number that is no CPU of this system; -EPERM; -ENOMEM.
 */
int tph_grant_check(struct tph_vdev *tph, const struct tph_target *targets, u32 count)
{
	cpumask_var_t allowed;
	int ret = 0;
	u32 i;

	for (i = 0; i < count; i++)
		if (targets[i].cpu != TPH_NO_CPU &&
		    (targets[i].cpu >= nr_cpu_ids || !cpu_possible(targets[i].cpu)))
			return -EINVAL;

	if (!alloc_cpumask_var(&allowed, GFP_KERNEL))
		return -ENOMEM;
	tph_process_cpus(current, allowed);

	for (i = 0; i < count && !ret; i++) {
		if (targets[i].cpu == TPH_NO_CPU)
			continue;
		if (!cpu_online(targets[i].cpu))
			ret = refuse(tph, targets[i].cpu, TPH_REASON_OFFLINE, -EPERM);
		else if (!cpumask_test_cpu(targets[i].cpu, allowed))
			ret = refuse(tph, targets[i].cpu, TPH_REASON_PROCESS, -EPERM);
	}

	free_cpumask_var(allowed);
	return ret;
}

/**
 * tph_grant_check_locked() - may the device target these CPUs now?
 * @tph: the device
 * @targets: entries and CPUs that tph_grant_check() has passed
 * @count: how many
 *
 * What can change between the caller's request and its effect is looked at here, under the lock
 * that whoever takes a CPU away needs too: either it finds the entry, or the request finds the CPU
 * gone.
 *
 * Return: 0; -EPERM; -ENODEV if the driver lets go of the device.
 */
int tph_grant_check_locked(struct tph_vdev *tph, const struct tph_target *targets, u32 count)
{
	u32 i;

	lockdep_assert_held(&tph->lock);
	if (tph->removing)
		return refuse(tph, TPH_NO_CPU, TPH_REASON_REMOVED, -ENODEV);
	for (i = 0; i < count; i++) {
		if (targets[i].cpu == TPH_NO_CPU)
			continue;
		if (!tph->attached)
			return refuse(tph, targets[i].cpu, TPH_REASON_DETACHED, -EPERM);
		if (!cpumask_test_cpu(targets[i].cpu, tph->cpus))
			return refuse(tph, targets[i].cpu, TPH_REASON_OPERATOR, -EPERM);
		if (tph_hotplug_leaving(targets[i].cpu))
			return refuse(tph, targets[i].cpu, TPH_REASON_OFFLINE, -EPERM);
	}
	return 0;
}
