/* SPDX-License-Identifier: MIT */
/*
 * As much of Linux as grant.c uses, as a proof sees it: a process of THREADS threads, CPUS CPU
 * numbers in a word, and time in which any thread's flags and CPUs change while nobody has its lock.
 */
#ifndef PROOF_TPH_VFIO_PCI_H
#define PROOF_TPH_VFIO_PCI_H

#include <linux/errno.h>
#include <linux/types.h>

#define TPH_NO_CPU	(~0U)
#define CPUS		8
#define THREADS		4

/* ---- cpumask ---- */

struct cpumask {
	u8 bits;
};

typedef struct cpumask cpumask_var_t[1];

extern u32 nr_cpu_ids;
extern struct cpumask possible, online;

bool cpumask_test(u32 cpu, const struct cpumask *mask);
#define cpumask_test_cpu(cpu, mask)	cpumask_test(cpu, mask)
#define cpu_possible(cpu)		cpumask_test(cpu, &possible)
#define cpu_online(cpu)			cpumask_test(cpu, &online)
#define cpumask_set_cpu(cpu, mask)	((mask)->bits = ((mask)->bits | 1U << (cpu)) & 0xff)
#define cpumask_empty(mask)		(!(mask)->bits)
#define cpumask_andnot(to, a, b)	((to)->bits = (a)->bits & ~(b)->bits & 0xff)
#define free_cpumask_var(mask)		((void)(mask))
bool zalloc_cpumask_var(struct cpumask *mask, int gfp);
#define GFP_KERNEL	0

/* ---- threads ---- */

#define PF_EXITING	0x00000004
#define PF_IO_WORKER	0x00000010
#define PF_USER_WORKER	0x00004000
#define PF_KTHREAD	0x00200000

struct signal_struct {
	int thread_head;
};

struct task_struct {
	u32 flags;
	struct cpumask cpus_mask;
	int pi_lock;
	bool alive;		/* in the list of threads */
	bool found;		/* and was, at some time since rcu_read_lock() */
	u32 held;		/* references that keep it from going away */
	struct signal_struct *signal;
	int thread_node;
};

extern struct task_struct threads[THREADS];
extern u32 thread_count;
#define current			(&threads[0])

void lock_thread(const int *lock);
#define raw_spin_lock_irqsave(lock, flags)		((flags) = 0, lock_thread(lock))
#define raw_spin_unlock_irqrestore(lock, flags)		((void)(flags))
void read_lock(void), read_unlock(void), reschedule(void);
#define rcu_read_lock()		read_lock()
#define rcu_read_unlock()	read_unlock()
#define cond_resched()		reschedule()
#define might_sleep()		reschedule()
#define get_task_struct(task)	((task)->held++)
void put_thread(struct task_struct *task);
#define put_task_struct(task)	put_thread(task)
bool pid_alive(const struct task_struct *task);
struct task_struct *first_thread(void), *next_thread(const struct task_struct *thread);
#define list_for_each_entry_rcu(at, head, member) \
	for ((at) = first_thread(); (at); (at) = next_thread(at))

/* ---- the driver's ---- */

enum tph_reason {
	TPH_REASON_REMOVED, TPH_REASON_DETACHED, TPH_REASON_OPERATOR, TPH_REASON_OFFLINE,
	TPH_REASON_PROCESS,
};

struct tph_target {
	u32 index, cpu;
	bool persistent;
};

struct tph_vdev {
	struct { void *pdev; } core;
	bool removing, attached;
	struct cpumask cpus[1];
};

#define lockdep_assert_held(lock)			((void)0)
#define trace_tph_refuse(pdev, cpu, reason, error)	((void)(cpu), (void)(reason))

bool tph_hotplug_leaving(u32 cpu);
bool tph_grant_lacking(struct task_struct *leader, struct cpumask *cpus, u32 *looked);
int tph_grant_check(struct tph_vdev *tph, const struct tph_target *targets, u32 count);
int tph_grant_check_locked(struct tph_vdev *tph, const struct tph_target *targets, u32 count);

#endif
