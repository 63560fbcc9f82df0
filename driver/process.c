// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "tph_vfio_pci.h"

/**
 * tph_process_cpus() - where the threads of a process may run
 * @leader: any thread of the process; the caller keeps it from going away
 * @cpus: receives the CPUs
 *
 * cpus_mask is affinity and cpuset together; cpus_ptr is that too, but shrinks to one CPU while a
 * thread has migration disabled. Threads that are on their way out count no more.
 *
 * Return: false if no thread is left.
 */
bool tph_process_cpus(struct task_struct *leader, struct cpumask *cpus)
{
	struct task_struct *thread;
	unsigned long flags;
	bool alive = false;

	cpumask_clear(cpus);
	rcu_read_lock();
	for_each_thread(leader, thread) {
		raw_spin_lock_irqsave(&thread->pi_lock, flags);
		if (!(thread->flags & PF_EXITING)) {
			cpumask_or(cpus, cpus, &thread->cpus_mask);
			alive = true;
		}
		raw_spin_unlock_irqrestore(&thread->pi_lock, flags);
	}
	rcu_read_unlock();
	return alive;
}
