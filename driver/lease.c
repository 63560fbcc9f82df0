// SPDX-License-Identifier: GPL-2.0-only
/*
 * A grant is a lease: it is held by the process that set the entry, and taken back when the process
 * loses the CPU or ends, wherever the file descriptor has gone meanwhile.
 */
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "tph_vfio_pci.h"
#include "trace.h"

/* Nobody tells of a changed affinity or cpuset: this is how long it can go unseen. */
#define REVIEW_INTERVAL	(HZ / 2)

struct revocation {
	struct tph_vdev *tph;
	bool (*lost)(const struct tph_entry *entry, u32 index, void *arg);
	void *arg;
	enum tph_reason reason;
};

static bool traced(const struct tph_entry *entry, u32 index, void *arg)
{
	struct revocation *revocation = arg;

	if (!revocation->lost(entry, index, revocation->arg))
		return false;
	trace_tph_revoke(revocation->tph->core.pdev, index, entry->cpu, revocation->reason);
	return true;
}

/**
 * tph_revoke_locked() - take entries back, and tell who wants to know
 * @tph: the device
 * @lost: says which
 * @arg: for @lost
 * @reason: why
 * @defer: as for tph_table_revoke()
 *
 * Return: how many were taken back.
 */
u32 tph_revoke_locked(struct tph_vdev *tph, bool (*lost)(const struct tph_entry *, u32, void *),
		      void *arg, enum tph_reason reason, bool defer)
{
	struct revocation revocation = { tph, lost, arg, reason };
	u32 count;

	lockdep_assert_held(&tph->lock);
	if (!tph->opened)
		return 0;
	count = tph_table_revoke(&tph->table, traced, &revocation, defer);
	if (!count)
		return 0;
	if (reason != TPH_REASON_CLOSE)
		tph->revocations += count;
	if (tph->notify)
		eventfd_signal(tph->notify);
	tph_operator_changed(tph);
	return count;
}

static bool every(const struct tph_entry *entry, u32 index, void *arg)
{
	return true;
}

/**
 * tph_revoke_all_locked() - take every entry back
 * @tph: the device
 * @reason: why
 *
 * Context: as for tph_table_commit(): memory_lock held, or a hold.
 * Return: how many were taken back.
 */
u32 tph_revoke_all_locked(struct tph_vdev *tph, enum tph_reason reason)
{
	return tph_revoke_locked(tph, every, NULL, reason, false);
}

/* Runs under the lock of the process's wait queue, in whatever context its last thread ends. */
static int process_ends(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct tph_lease *lease = container_of(wait, struct tph_lease, exit);

	mod_delayed_work(tph_workqueue, &lease->tph->review, 0);
	return 0;
}

static void drop(struct tph_lease *lease)
{
	remove_wait_queue(&lease->pid->wait_pidfd, &lease->exit);
	put_pid(lease->pid);
	lease->pid = NULL;
}

static bool in_use(struct tph_vdev *tph, u8 lease)
{
	u32 i;

	for (i = 0; i < tph->table.ledger.size; i++)
		if (tph->table.ledger.entries[i].cpu != TPH_NO_CPU &&
		    tph->table.ledger.entries[i].lease == lease)
			return true;
	return false;
}

/**
 * tph_lease_take_locked() - the lease of the calling process on this device
 * @tph: the device
 *
 * A process has one, for all its entries. A lease that no entry is held under is free for another.
 *
 * Return: its number, or -EUSERS if TPH_LEASES_MAX other processes hold entries.
 */
int tph_lease_take_locked(struct tph_vdev *tph)
{
	struct pid *pid = task_tgid(current);
	struct tph_lease *lease;
	int i, free = -1;

	lockdep_assert_held(&tph->lock);
	for (i = 0; i < TPH_LEASES_MAX; i++) {
		if (tph->leases[i].pid == pid)
			return i;
		if (free < 0 && !tph->leases[i].pid)
			free = i;
	}
	for (i = 0; i < TPH_LEASES_MAX && free < 0; i++)
		if (!in_use(tph, i))
			free = i;
	if (free < 0) {
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_LEASES, -EUSERS);
		return -EUSERS;
	}

	lease = &tph->leases[free];
	if (lease->pid)
		drop(lease);
	lease->tph = tph;
	lease->pid = get_pid(pid);
	init_waitqueue_func_entry(&lease->exit, process_ends);
	add_wait_queue(&pid->wait_pidfd, &lease->exit);
	return free;
}

/**
 * tph_lease_drop_all() - forget every lease
 * @tph: the device, whose ledger is empty
 */
void tph_lease_drop_all(struct tph_vdev *tph)
{
	int i;

	lockdep_assert_held(&tph->lock);
	for (i = 0; i < TPH_LEASES_MAX; i++)
		if (tph->leases[i].pid)
			drop(&tph->leases[i]);
}

struct holder {
	u8 lease;
	bool alive;
	const struct cpumask *cpus;
};

static bool lost_by_holder(const struct tph_entry *entry, u32 index, void *arg)
{
	struct holder *holder = arg;

	return entry->lease == holder->lease &&
	       (!holder->alive || !cpumask_test_cpu(entry->cpu, holder->cpus));
}

static bool holder_cpus(struct pid *pid, struct cpumask *cpus)
{
	struct task_struct *leader = get_pid_task(pid, PIDTYPE_TGID);
	bool alive = false;

	cpumask_clear(cpus);
	if (leader) {
		alive = tph_process_cpus(leader, cpus);
		put_task_struct(leader);
	}
	return alive;
}

/* Revoking writes to hardware, which needs memory_lock, except where a hold keeps it away. */
static void revoke(struct tph_vdev *tph, struct pid *pid, struct holder *holder, bool held)
{
	if (!held)
		down_read(&tph->core.memory_lock);
	scoped_guard(mutex, &tph->lock)
		if (tph->leases[holder->lease].pid == pid)
			tph_revoke_locked(tph, lost_by_holder, holder,
					  holder->alive ? TPH_REASON_PROCESS : TPH_REASON_EXIT,
					  false);
	if (!held)
		up_read(&tph->core.memory_lock);
}

/*
 * Look at one lease after the other. A process may have any number of threads, so its CPUs are
 * gathered without the lock; a lease that has changed hands meanwhile is not judged by them.
 */
static void review(struct tph_vdev *tph, bool held)
{
	cpumask_var_t cpus;
	bool known = alloc_cpumask_var(&cpus, GFP_KERNEL);
	struct pid *pid;
	int i;

	for (i = 0; i < TPH_LEASES_MAX; i++) {
		struct holder holder = { .lease = i };

		scoped_guard(mutex, &tph->lock)
			pid = get_pid(tph->leases[i].pid);
		if (!pid)
			continue;
		/* not knowing where the process may run, it may not */
		if (known) {
			holder.alive = holder_cpus(pid, cpus);
			holder.cpus = cpus;
		}
		revoke(tph, pid, &holder, held);
		put_pid(pid);
	}
	if (known)
		free_cpumask_var(cpus);
}

/**
 * tph_lease_review() - take back what its holder may not have any more
 * @tph: the device
 *
 * Context: process context, no lock held.
 */
void tph_lease_review(struct tph_vdev *tph)
{
	review(tph, false);
}

/**
 * tph_lease_review_held() - tph_lease_review() where hardware is held: in a reset
 * @tph: the device; the caller has a hold on its table, memory_lock may be held
 */
void tph_lease_review_held(struct tph_vdev *tph)
{
	review(tph, true);
}

/**
 * tph_lease_watch() - see that the leases are reviewed for as long as there are any
 * @tph: the device
 */
void tph_lease_watch(struct tph_vdev *tph)
{
	queue_delayed_work(tph_workqueue, &tph->review, REVIEW_INTERVAL);
}

static void review_work(struct work_struct *work)
{
	struct tph_vdev *tph = container_of(to_delayed_work(work), struct tph_vdev, review);
	bool held = false;
	u32 i;

	tph_lease_review(tph);
	scoped_guard(mutex, &tph->lock)
		for (i = 0; i < TPH_LEASES_MAX && tph->opened && !held; i++)
			held = tph->leases[i].pid && in_use(tph, i);
	if (held)
		tph_lease_watch(tph);
}

/**
 * tph_lease_init() - prepare a device for leases
 * @tph: the device
 */
void tph_lease_init(struct tph_vdev *tph)
{
	INIT_DELAYED_WORK(&tph->review, review_work);
}
