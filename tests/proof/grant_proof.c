// SPDX-License-Identifier: MIT
/*
 * Which CPUs a request may name: any targets, any threads with any flags and CPUs, which change,
 * come to an end and leave the list while they are looked at. The number of threads that are looked
 * at, and of those in one go, are scaled down to what a proof can hold (list of proofs).
 */
#include "proof.h"
#include "tph_vfio_pci.h"

#define TARGETS		2
#define GIVES_NOTHING	(PF_EXITING | PF_KTHREAD | PF_USER_WORKER | PF_IO_WORKER)

u32 nr_cpu_ids;
struct cpumask possible, online;
struct task_struct threads[THREADS];
u32 thread_count;

static struct signal_struct process;
static struct cpumask leaving;
static u8 given;	/* CPUs that a thread of the user's could run on, while it was looked at */
static u32 looks, in_section, deepest;
static bool reading, alive;

bool cpumask_test(u32 cpu, const struct cpumask *mask)
{
	/* No bit is looked for beyond the CPUs that there can be. */
	PROVE("mask-in-bounds", cpu < nr_cpu_ids);
	return mask->bits >> cpu & 1;
}

bool zalloc_cpumask_var(struct cpumask *mask, int gfp)
{
	mask->bits = 0;
	return nondet_bool();
}

bool tph_hotplug_leaving(u32 cpu)
{
	return cpumask_test(cpu, &leaving);
}

/* Whoever is not locked changes. */
static void threads_go_on(void)
{
	u32 i;

	for (i = 0; i < THREADS; i++) {
		threads[i].flags = nondet_u32();
		threads[i].cpus_mask.bits = nondet_u8();
		threads[i].alive &= nondet_bool();
	}
}

void lock_thread(const int *lock)
{
	u32 i;

	threads_go_on();
	looks++;
	deepest = ++in_section > deepest ? in_section : deepest;
	for (i = 0; i < THREADS; i++)
		if (lock == &threads[i].pi_lock && !(threads[i].flags & GIVES_NOTHING)) {
			given |= threads[i].cpus_mask.bits;
			alive = true;
		}
}

void read_lock(void)
{
	u32 i;

	for (i = 0; i < THREADS; i++)
		threads[i].found = threads[i].alive;
	reading = true;
	in_section = 0;
}

void read_unlock(void)
{
	reading = false;
}

void reschedule(void)
{
	/* Nobody sleeps where the list of threads must not change. */
	PROVE("sleeps-outside", !reading);
	threads_go_on();
}

/* Whoever looks at a thread after others got on has kept it. */
bool pid_alive(const struct task_struct *thread)
{
	PROVE("thread-is-kept", thread->held);
	return thread->alive;
}

void put_thread(struct task_struct *thread)
{
	PROVE("thread-is-kept", thread->held);
	thread->held--;
}

static void check_let_go(void)
{
	u32 i;

	/* Nothing that was taken for the walk is left. */
	PROVE("sleeps-outside", !reading);
	for (i = 0; i < THREADS; i++)
		PROVE("thread-is-kept", !threads[i].held);
}

static struct task_struct *from(u32 i)
{
	/* The list is walked while it cannot go away. */
	PROVE("walks-inside", reading);
	for (; i < thread_count; i++)
		if (threads[i].alive)
			return &threads[i];
	return NULL;
}

struct task_struct *first_thread(void)
{
	return from(0);
}

struct task_struct *next_thread(const struct task_struct *thread)
{
	/* A thread that left the list before rcu_read_lock() knows no next one. */
	PROVE("walks-from-found", thread->found);
	return from((u32)(thread - threads) + 1);
}

static void check(struct tph_vdev *tph)
{
	struct tph_target targets[TARGETS];
	bool none = false, lacks = false;
	u32 count = nondet_u32(), i;
	int ret;

	ASSUME(count >= 1 && count <= TARGETS);
	for (i = 0; i < TARGETS; i++)
		targets[i] = (struct tph_target){ nondet_u32(), nondet_u32(), nondet_bool() };
	ret = tph_grant_check(tph, targets, count);
	check_let_go();
	for (i = 0; i < count; i++) {
		u32 cpu = targets[i].cpu;
		bool there = cpu < nr_cpu_ids && possible.bits >> cpu & 1;

		if (cpu == TPH_NO_CPU)
			continue;
		/* A number that is no CPU of this machine is EINVAL, whatever else is asked for. */
		PROVE("no-cpu-is-einval", there || ret == -EINVAL);
		/* A CPU passes if it is online and a thread of the user's may run on it. */
		PROVE("granted-is-had", ret || (there && online.bits >> cpu & given >> cpu & 1));
		none |= !there;
		lacks |= there && !(online.bits >> cpu & given >> cpu & 1);
	}
	/* None is refused but for such a CPU, or memory. */
	PROVE("refused-for-cause", !ret || ret == -ENOMEM || (ret == -EINVAL && none) ||
	      (ret == -EPERM && lacks));
	if (ret)
		return;
	REACHED("check");

	ret = tph_grant_check_locked(tph, targets, count);
	lacks = false;
	for (i = 0; i < count; i++) {
		u32 cpu = targets[i].cpu;

		/* Under the lock: attached, on the operator's list, not about to go, nobody lets go. */
		PROVE("granted-is-allowed", ret || cpu == TPH_NO_CPU || (tph->attached &&
		      !tph->removing && tph->cpus[0].bits >> cpu & 1 && !(leaving.bits >> cpu & 1)));
		lacks |= cpu != TPH_NO_CPU && (!tph->attached || !(tph->cpus[0].bits >> cpu & 1) ||
					       leaving.bits >> cpu & 1);
	}
	PROVE("removed-is-refused", tph->removing == (ret == -ENODEV));
	PROVE("refused-for-cause", !ret || tph->removing || (ret == -EPERM && lacks));
}

static void review(void)
{
	struct cpumask asked = { nondet_u8() }, lacking = asked;
	bool any = nondet_bool(), lives;
	u32 looked = 0;

	lives = tph_grant_lacking(current, any ? &lacking : NULL, &looked);
	check_let_go();
	/* Lacking is exactly what no thread had that was looked at and counts. */
	PROVE("lacking-is-exact", !any || lacking.bits == (asked.bits & ~given & 0xff));
	/* A process lives while a thread does that is not the kernel's and not on its way out. */
	PROVE("alive-is-exact", lives == alive);
	/* What is said to have been looked at was; there is an end to it, and to each go. */
	PROVE("looks-are-bounded", looked == looks && looks <= MAX && deepest <= AT_ONCE);
	REACHED("review");
}

int main(void)
{
	struct tph_vdev tph = {
		.removing = nondet_bool(), .attached = nondet_bool(), .cpus = { { nondet_u8() } },
	};
	u32 i;

	nr_cpu_ids = nondet_u32();
	ASSUME(nr_cpu_ids >= 1 && nr_cpu_ids <= CPUS);
	possible.bits = nondet_u8();
	online.bits = nondet_u8();
	leaving.bits = nondet_u8();
	thread_count = nondet_u32();
	ASSUME(thread_count >= 1 && thread_count <= THREADS);
	for (i = 0; i < THREADS; i++) {
		threads[i].alive = true;
		threads[i].signal = &process;
	}
	threads_go_on();
	if (nondet_bool())
		check(&tph);
	else
		review();
	return 0;
}
