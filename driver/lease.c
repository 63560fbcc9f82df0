// SPDX-License-Identifier: GPL-2.0-only
/*
 * A grant is a lease: it is held by the process that set the entry, and taken back when the process
 * loses the CPU or ends, wherever the file descriptor has gone meanwhile.
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "tph_vfio_pci.h"
#include "trace.h"

/*
 * Nobody tells of a changed affinity or cpuset. It is looked for every REVIEW_INTERVAL while
 * entries are held, from the start of one review to that of the next. A loss goes unseen by the
 * review that is under way and is judged by the next: the interval and the time of two reviews is
 * how long a tag can outlive it, and what promises that this is no more than a second.
 *
 * Before an enable, and after a reset or an attach, it is looked for as well. There the user sets
 * the pace, so there is a budget: ASKED_SAVED in a row, and one more every ASKED_INTERVAL. That is
 * on top of the former: nothing that is asked for, nor a process that ends, moves when the next one
 * is due.
 */
#define REVIEW_INTERVAL	msecs_to_jiffies(500)
#define ASKED_INTERVAL	msecs_to_jiffies(100)
#define ASKED_SAVED	5

/*
 * No entry gets older than this many periods, so that the number of a period may wrap: at ten asked
 * reviews a second, it does in years.
 */
#define AGE_MAX		(1U << 30)

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

static bool traced_slot(const struct tph_entry *slot, u32 index, void *arg)
{
	struct revocation *revocation = arg;

	if (!revocation->lost(slot, index, revocation->arg))
		return false;
	trace_tph_unmap(revocation->tph->core.pdev, index + 1, slot->cpu, revocation->reason);
	return true;
}

/**
 * tph_revoke_locked() - take entries back, and tell who wants to know
 * @tph: the device
 * @lost: says which
 * @arg: for @lost
 * @reason: why
 * @defer: as for tph_table_revoke(): memory_lock would be needed and is not held. The requester is
 *	off then, and what is left comes back by the release work
 *
 * Return: how many were taken back.
 */
u32 tph_revoke_locked(struct tph_vdev *tph, bool (*lost)(const struct tph_entry *, u32, void *),
		      void *arg, enum tph_reason reason, bool defer)
{
	struct revocation revocation = { tph, lost, arg, reason };
	u32 count, slots;

	lockdep_assert_held(&tph->lock);
	if (!tph->opened)
		return 0;
	/* or the guest's next write brings back what came of them */
	slots = tph_guest_map_revoke(&tph->guest.map, traced_slot, &revocation);
	count = tph_table_revoke(&tph->table, traced, &revocation, defer);
	if (!count && !slots)
		return 0;
	if (defer && count) {
		tph->deferred++;
		queue_work(tph_workqueue, &tph->release);
	}
	if (reason != TPH_REASON_CLOSE)
		tph->revocations += count + slots;
	if (tph->notify)
		eventfd_signal(tph->notify);
	tph_operator_changed(tph);
	return count + slots;
}

static bool every(const struct tph_entry *entry, u32 index, void *arg)
{
	return true;
}

/**
 * tph_revoke_all_locked() - take every entry back
 * @tph: the device
 * @reason: why
 * @defer: as for tph_revoke_locked()
 *
 * Return: how many were taken back.
 */
u32 tph_revoke_all_locked(struct tph_vdev *tph, enum tph_reason reason, bool defer)
{
	return tph_revoke_locked(tph, every, NULL, reason, defer);
}

/* Runs under the lock of the process's wait queue, in whatever context its last thread ends. */
static int process_ends(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct tph_lease *lease = container_of(wait, struct tph_lease, exit);

	/* before it is queued: the run that look_at_ended() is in sees it, or the next one does */
	WRITE_ONCE(lease->woken, 1);
	mod_delayed_work(tph_workqueue, &lease->tph->review, 0);
	return 0;
}

static void drop(struct tph_lease *lease)
{
	remove_wait_queue(&lease->pid->wait_pidfd, &lease->exit);
	put_pid(lease->pid);
	lease->pid = NULL;
}

/**
 * tph_lease_held_locked() - all that can be held, one after the other
 * @tph: the device
 * @at: 0 and on
 *
 * Entries of the ledger, and behind them slots of a guest's map; each may be clear.
 *
 * Return: the entry or slot, or NULL if there are no more.
 */
struct tph_entry *tph_lease_held_locked(struct tph_vdev *tph, u32 at)
{
	const struct tph_ledger *ledger = &tph->table.ledger;
	const struct tph_guest_map *map = &tph->guest.map;

	lockdep_assert_held(&tph->lock);
	if (!tph->opened)
		return NULL;
	if (at < ledger->size)
		return &ledger->entries[at];
	at -= ledger->size;
	return at < map->count ? &map->slots[at] : NULL;
}

/* The leases that entries and slots are held under. */
static void find_used_locked(struct tph_vdev *tph, unsigned long *leases)
{
	const struct tph_entry *held;
	u32 i;

	lockdep_assert_held(&tph->lock);
	bitmap_zero(leases, TPH_LEASES_MAX);
	for (i = 0; (held = tph_lease_held_locked(tph, i)); i++)
		if (held->cpu != TPH_NO_CPU)
			__set_bit(held->lease, leases);
}

/**
 * tph_lease_others_hold_locked() - whether another process than the caller's holds anything
 * @tph: the device
 *
 * One that has ended counts until its end was seen to, which tph_lease_settle() waits for.
 *
 * Return: true if one does.
 */
bool tph_lease_others_hold_locked(struct tph_vdev *tph)
{
	DECLARE_BITMAP(used, TPH_LEASES_MAX);
	u32 i;

	find_used_locked(tph, used);
	for_each_set_bit(i, used, TPH_LEASES_MAX)
		if (tph->leases[i].pid != task_tgid(current))
			return true;
	return false;
}

/**
 * tph_lease_settle() - see to the end of processes that have ended
 * @tph: the device
 *
 * Context: process context; no lock held.
 */
void tph_lease_settle(struct tph_vdev *tph)
{
	bool others;

	scoped_guard(mutex, &tph->lock)
		others = tph_lease_others_hold_locked(tph);
	if (others)
		flush_delayed_work(&tph->review);
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
	DECLARE_BITMAP(used, TPH_LEASES_MAX);
	struct pid *pid = task_tgid(current);
	struct tph_lease *lease;
	u32 i, free;

	lockdep_assert_held(&tph->lock);
	for (i = 0; i < TPH_LEASES_MAX; i++)
		if (tph->leases[i].pid == pid)
			return i;
	find_used_locked(tph, used);
	free = find_first_zero_bit(used, TPH_LEASES_MAX);
	if (free == TPH_LEASES_MAX) {
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_LEASES, -EUSERS);
		return -EUSERS;
	}

	lease = &tph->leases[free];
	if (lease->pid)
		drop(lease);
	lease->tph = tph;
	lease->pid = get_pid(pid);
	lease->woken = 0;
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
	tph->due = 0;
}

/**
 * struct holder - what a review found about the holder of a lease
 * @pid: the process
 * @lacking: CPUs that it may not run on, of those that it holds entries for; NULL is all
 * @epoch: the period that the review ended
 * @lease: the lease
 * @alive: the process has not ended
 */
struct holder {
	struct pid *pid;
	const struct cpumask *lacking;
	u32 epoch;
	u8 lease;
	bool alive;
};

/*
 * A review gathers and judges, and the device is not locked in between. An entry that was set since
 * it began may rest on what the process was given since: it is for the next one.
 */
static bool judged(const struct holder *holder, const struct tph_entry *entry)
{
	return entry->lease == holder->lease && (s32)(holder->epoch - entry->epoch) >= 0;
}

static bool lost_by_holder(const struct tph_entry *entry, u32 index, void *arg)
{
	const struct holder *holder = arg;

	return judged(holder, entry) &&
	       (!holder->lacking || cpumask_test_cpu(entry->cpu, holder->lacking));
}

/*
 * memory_lock is not taken before something is lost: a hot reset fails where it finds it taken. And
 * it is not waited for: its user can have it held for long, with the requester on.
 */
static u32 revoke(struct tph_vdev *tph, struct holder *holder, bool held)
{
	enum tph_memory memory = held ? TPH_MEMORY_NEEDLESS : tph_memory_trylock(tph);
	u32 lost = 0;

	scoped_guard(mutex, &tph->lock)
		if (tph->leases[holder->lease].pid == holder->pid)
			lost = tph_revoke_locked(tph, lost_by_holder, holder,
						 holder->alive ? TPH_REASON_PROCESS :
								 TPH_REASON_EXIT,
						 memory == TPH_MEMORY_BUSY);
	tph_memory_unlock(tph, memory);
	return lost;
}

static bool alive(struct pid *pid, struct cpumask *lacking, u32 *looked)
{
	struct task_struct *leader = get_pid_task(pid, PIDTYPE_TGID);
	bool alive = false;

	if (leader) {
		alive = tph_grant_lacking(leader, lacking, looked);
		put_task_struct(leader);
	}
	return alive;
}

/* The holder of a lease, and into @cpus the CPUs that it has to account for; or false. */
static bool gather_locked(struct tph_vdev *tph, struct holder *holder, struct cpumask *cpus)
{
	const struct tph_entry *entry;
	bool any = false;
	u32 i;

	lockdep_assert_held(&tph->lock);
	if (cpus)
		cpumask_clear(cpus);
	for (i = 0; (entry = tph_lease_held_locked(tph, i)); i++) {
		if (entry->cpu == TPH_NO_CPU || !judged(holder, entry))
			continue;
		any = true;
		if (cpus)
			cpumask_set_cpu(entry->cpu, cpus);
	}
	if (any)
		holder->pid = get_pid(tph->leases[holder->lease].pid);
	return any;
}

/* One lease. @cpus is room for a mask, or NULL if there is none. Return: entries lost. */
static u32 look_at(struct tph_vdev *tph, u8 lease, u32 epoch, struct cpumask *cpus, bool held,
		   u32 *looked)
{
	struct holder holder = { .lease = lease, .epoch = epoch, .lacking = cpus };
	u32 lost = 0;

	scoped_guard(mutex, &tph->lock)
		if (!gather_locked(tph, &holder, cpus))
			return 0;
	/* a process may have any number of threads: not under the lock */
	holder.alive = alive(holder.pid, cpus, looked);
	/* without room to know where the process may run, it may not */
	if (!cpus || !cpumask_empty(cpus))
		lost = revoke(tph, &holder, held);
	put_pid(holder.pid);
	return lost;
}

/*
 * Begin a review, if there is reason to.
 *
 * Return: the period that it ends; @leases has those that entries are held under, none if there is
 * nothing to do.
 */
static u32 begin_locked(struct tph_vdev *tph, bool asked, unsigned long *leases)
{
	u64 now = get_jiffies_64();
	struct tph_entry *held;
	u32 i;

	lockdep_assert_held(&tph->lock);
	bitmap_zero(leases, TPH_LEASES_MAX);
	if (asked && time_after64(tph->asked, now - ASKED_INTERVAL))
		return 0;
	find_used_locked(tph, leases);
	if (bitmap_empty(leases, TPH_LEASES_MAX))
		return 0;
	for (i = 0; (held = tph_lease_held_locked(tph, i)); i++)
		if (tph->epoch - held->epoch > AGE_MAX)
			held->epoch = tph->epoch - AGE_MAX;
	if (asked)
		tph->asked = max(tph->asked, now - ASKED_SAVED * ASKED_INTERVAL) + ASKED_INTERVAL;
	return tph->epoch++;
}

static void review(struct tph_vdev *tph, bool asked, bool held)
{
	DECLARE_BITMAP(leases, TPH_LEASES_MAX);
	u32 looked = 0, lost = 0, epoch, i;
	cpumask_var_t cpus;
	bool room;

	scoped_guard(mutex, &tph->lock)
		epoch = begin_locked(tph, asked, leases);
	if (bitmap_empty(leases, TPH_LEASES_MAX))
		return;

	room = alloc_cpumask_var(&cpus, GFP_KERNEL);
	for_each_set_bit(i, leases, TPH_LEASES_MAX)
		lost += look_at(tph, i, epoch, room ? cpus : NULL, held, &looked);
	if (room)
		free_cpumask_var(cpus);
	trace_tph_review(tph->core.pdev, asked, bitmap_weight(leases, TPH_LEASES_MAX), looked,
			 lost);
}

/**
 * tph_lease_review() - take back what its holder may not have any more
 * @tph: the device
 *
 * For where the user asks: does nothing if the budget for that is spent, or nothing is held.
 *
 * Context: process context, no lock held.
 */
void tph_lease_review(struct tph_vdev *tph)
{
	review(tph, true, false);
}

/**
 * tph_lease_review_held() - tph_lease_review() where hardware is held: in a reset
 * @tph: the device; the caller has a hold on its table, memory_lock may be held
 */
void tph_lease_review_held(struct tph_vdev *tph)
{
	review(tph, true, true);
}

/* Queue the reviewer for when it is due. That something else queues it sooner does not delay it. */
static void watch_locked(struct tph_vdev *tph)
{
	u64 now = get_jiffies_64();

	lockdep_assert_held(&tph->lock);
	queue_delayed_work(tph_workqueue, &tph->review,
			   time_before64(now, tph->due) ? tph->due - now : 0);
}

/**
 * tph_lease_watch_locked() - see that the leases are reviewed for as long as there are any
 * @tph: the device
 */
void tph_lease_watch_locked(struct tph_vdev *tph)
{
	lockdep_assert_held(&tph->lock);
	if (!tph->due)
		tph->due = get_jiffies_64() + REVIEW_INTERVAL;
	watch_locked(tph);
}

/* Processes that have ended, and no others: these can end as fast as their user likes. */
static void look_at_ended(struct tph_vdev *tph)
{
	u32 looked = 0, i;

	for (i = 0; i < TPH_LEASES_MAX; i++) {
		struct holder holder = { .lease = i };
		bool ended;

		scoped_guard(mutex, &tph->lock) {
			holder.epoch = tph->epoch;
			ended = tph->leases[i].pid && xchg(&tph->leases[i].woken, 0) &&
				gather_locked(tph, &holder, NULL);
		}
		if (!ended)
			continue;
		holder.alive = alive(holder.pid, NULL, &looked);
		if (!holder.alive)
			revoke(tph, &holder, false);
		put_pid(holder.pid);
	}
}

static bool due(struct tph_vdev *tph)
{
	u64 now = get_jiffies_64();

	guard(mutex)(&tph->lock);
	if (!tph->due || time_before64(now, tph->due))
		return false;
	tph->due = now + REVIEW_INTERVAL;
	return true;
}

static void review_work(struct work_struct *work)
{
	struct tph_vdev *tph = container_of(to_delayed_work(work), struct tph_vdev, review);
	DECLARE_BITMAP(leases, TPH_LEASES_MAX);

	look_at_ended(tph);
	if (due(tph))
		review(tph, false, false);

	guard(mutex)(&tph->lock);
	find_used_locked(tph, leases);
	if (bitmap_empty(leases, TPH_LEASES_MAX))
		tph->due = 0;
	else
		watch_locked(tph);
}

/**
 * tph_lease_init() - prepare a device for leases
 * @tph: the device
 */
void tph_lease_init(struct tph_vdev *tph)
{
	INIT_DELAYED_WORK(&tph->review, review_work);
	tph->asked = get_jiffies_64() - ASKED_SAVED * ASKED_INTERVAL;
	/* it wraps early, as jiffies does: before a release and not after years */
	tph->epoch = U32_MAX - 100;
}
