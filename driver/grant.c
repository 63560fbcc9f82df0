// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "tph_vfio_pci.h"
#include "trace.h"

/*
 * Threads that give their process no CPU: those on their way out, and those that the kernel made
 * for it (io_uring, vhost). These run nothing of the user's, and where no cpuset of the process
 * lets it: one that polls an io_uring on every CPU that is online.
 */
#define GIVES_NOTHING	(PF_EXITING | PF_KTHREAD | PF_USER_WORKER | PF_IO_WORKER)

/* Threads that are looked at for one answer; and of these in one go, before others get on. */
#define THREADS_MAX	4096
#define THREADS_AT_ONCE	64

static int refuse(struct tph_vdev *tph, u32 cpu, enum tph_reason reason, int error)
{
	trace_tph_refuse(tph->core.pdev, cpu, reason, error);
	return error;
}

/*
 * Take away what the thread may run on. cpus_mask is affinity and cpuset together; cpus_ptr is that
 * too, but shrinks to one CPU while a thread has migration disabled.
 */
static bool strike(struct task_struct *thread, struct cpumask *cpus)
{
	unsigned long flags;
	bool counts;

	raw_spin_lock_irqsave(&thread->pi_lock, flags);
	counts = !(thread->flags & GIVES_NOTHING);
	if (counts && cpus)
		cpumask_andnot(cpus, cpus, &thread->cpus_mask);
	raw_spin_unlock_irqrestore(&thread->pi_lock, flags);
	return counts;
}

/* Let others get on. Return: whether the walk can go on from @thread: it is still in the list. */
static bool pause_at(struct task_struct *thread)
{
	bool hashed;

	get_task_struct(thread);
	rcu_read_unlock();
	cond_resched();
	rcu_read_lock();
	hashed = pid_alive(thread);
	put_task_struct(thread);
	return hashed;
}

/*
 * Look at a process's threads, @looked of them so far. Return: false if the one that the walk was
 * at left the list, and so knows no next one: then again from the start, and what was found stands.
 */
static bool walk(struct signal_struct *process, struct cpumask *cpus, u32 *looked, bool *alive)
{
	struct task_struct *thread;

	list_for_each_entry_rcu(thread, &process->thread_head, thread_node) {
		if (*looked == THREADS_MAX)
			break;
		++*looked;
		*alive |= strike(thread, cpus);
		if (*alive && (!cpus || cpumask_empty(cpus)))
			break;
		if (*looked % THREADS_AT_ONCE == 0 && !pause_at(thread))
			return false;
	}
	return true;
}

/**
 * tph_grant_lacking() - which of some CPUs none of a process's threads may run on
 * @leader: any thread of the process; the caller keeps it from going away
 * @cpus: the CPUs asked for; those that a thread may run on are taken out. NULL asks for no more
 *	than whether the process lives
 * @looked: the number of threads that were looked at is added to it
 *
 * Ends with the thread that has the last of the CPUs. A process that has very many threads and this
 * one late among them is not searched to its end: what was not found in THREADS_MAX is lacking.
 * So nobody can make the kernel's answer take as long as he likes.
 *
 * Context: may sleep.
 * Return: whether the process has a thread that counts.
 */
bool tph_grant_lacking(struct task_struct *leader, struct cpumask *cpus, u32 *looked)
{
	bool alive = false;
	u32 count = 0;

	might_sleep();
	rcu_read_lock();
	while (!walk(leader->signal, cpus, &count, &alive))
		;
	rcu_read_unlock();
	*looked += count;
	return alive;
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
	cpumask_var_t lacking;
	u32 i, looked = 0;
	int ret = 0;

	for (i = 0; i < count; i++)
		if (targets[i].cpu != TPH_NO_CPU &&
		    (targets[i].cpu >= nr_cpu_ids || !cpu_possible(targets[i].cpu)))
			return -EINVAL;

	if (!zalloc_cpumask_var(&lacking, GFP_KERNEL))
		return -ENOMEM;
	for (i = 0; i < count; i++)
		if (targets[i].cpu != TPH_NO_CPU)
			cpumask_set_cpu(targets[i].cpu, lacking);
	if (!cpumask_empty(lacking))
		tph_grant_lacking(current, lacking, &looked);

	for (i = 0; i < count && !ret; i++) {
		if (targets[i].cpu == TPH_NO_CPU)
			continue;
		if (!cpu_online(targets[i].cpu))
			ret = refuse(tph, targets[i].cpu, TPH_REASON_OFFLINE, -EPERM);
		else if (cpumask_test_cpu(targets[i].cpu, lacking))
			ret = refuse(tph, targets[i].cpu, TPH_REASON_PROCESS, -EPERM);
	}

	free_cpumask_var(lacking);
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
