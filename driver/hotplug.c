// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>

#include "tph_vfio_pci.h"

/*
 * Open devices. Lock order: cpu_hotplug_lock -> devices_lock -> a device's lock.
 */
static DEFINE_MUTEX(devices_lock);
static LIST_HEAD(devices);

/* CPUs on their way out; still online, but no entry may be set to them any more. */
static cpumask_t leaving;
static enum cpuhp_state state;

static bool lost_with_cpu(const struct tph_entry *entry, u32 index, void *arg)
{
	return entry->cpu == *(unsigned int *)arg;
}

/*
 * Before the CPU is gone: its entries, everywhere. memory_lock cannot be waited for here, so for a
 * table in the MSI-X table the requester is only disabled, and comes back by the release work.
 */
static int cpu_leaves(unsigned int cpu)
{
	struct tph_vdev *tph;

	cpumask_set_cpu(cpu, &leaving);
	guard(mutex)(&devices_lock);
	list_for_each_entry(tph, &devices, devices) {
		bool defer = tph->cap.place == TPH_PLACE_MSIX;

		guard(mutex)(&tph->lock);
		/* the machine falls asleep: nothing is sent, and tph_steering_wake() looks again */
		if (cpuhp_tasks_frozen && tph->asleep)
			continue;
		tph_revoke_locked(tph, lost_with_cpu, &cpu, TPH_REASON_OFFLINE, defer);
	}
	return 0;
}

static int cpu_comes(unsigned int cpu)
{
	cpumask_clear_cpu(cpu, &leaving);
	/* after the machine's sleep it is the one that it was, and entries for it are still held */
	if (!cpuhp_tasks_frozen)
		tph_source_forget(cpu);
	return 0;
}

/**
 * tph_hotplug_leaving() - whether a CPU is on its way out
 * @cpu: a possible CPU
 *
 * With a device's lock held, the answer is good for that device until the lock is dropped.
 *
 * Return: true if it is.
 */
bool tph_hotplug_leaving(u32 cpu)
{
	return cpumask_test_cpu(cpu, &leaving);
}

/**
 * tph_hotplug_add() - tell a device of CPUs that go offline, from now on
 * @tph: the device, its table valid
 */
void tph_hotplug_add(struct tph_vdev *tph)
{
	guard(mutex)(&devices_lock);
	list_add(&tph->devices, &devices);
}

/**
 * tph_hotplug_remove() - undo tph_hotplug_add()
 * @tph: the device
 */
void tph_hotplug_remove(struct tph_vdev *tph)
{
	guard(mutex)(&devices_lock);
	list_del_init(&tph->devices);
}

/**
 * tph_hotplug_init() - watch CPUs come and go
 *
 * Return: 0 or a negative errno.
 */
int tph_hotplug_init(void)
{
	int ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "vfio/tph:online", cpu_comes,
					    cpu_leaves);

	if (ret < 0)
		return ret;
	state = ret;
	return 0;
}

/**
 * tph_hotplug_exit() - undo tph_hotplug_init()
 */
void tph_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(state);
}
