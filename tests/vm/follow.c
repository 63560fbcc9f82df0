// SPDX-License-Identifier: MIT
/*
 * tphctl follow on the real kernel. This process is what QEMU is to it: it has the device open and
 * attached, two of its threads are called as QEMU calls those of virtual CPUs, and it passes a guest's
 * writes on. It has not set a map, and knows nothing of the one that is.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define ON		(TPH_CTRL_IV | TPH_CTRL_16)
#define PATIENCE_MS	20000

static pid_t threads[2];
static pthread_barrier_t started;

static void __attribute__((noreturn)) be_virtual_cpu(unsigned int index)
{
	char name[16];

	snprintf(name, sizeof(name), "CPU %u/TCG", index);
	pthread_setname_np(pthread_self(), name);
	threads[index] = syscall(SYS_gettid);
	pthread_barrier_wait(&started);
	for (;;)
		pause();
}

static void *virtual_cpu(void *arg)
{
	be_virtual_cpu((uintptr_t)arg);
}

static void pin(unsigned int index, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(threads[index], sizeof(set), &set), 0);
}

static void start_threads(void)
{
	unsigned int i;
	pthread_t thread;

	assert_int_equal(pthread_barrier_init(&started, NULL, 3), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread, NULL, virtual_cpu, (void *)(uintptr_t)i), 0);
	pthread_barrier_wait(&started);
}

static pid_t follow(pid_t of, const char *option)
{
	char name[64];
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	snprintf(name, sizeof(name), "qemu:%d/" EP_CAPABILITY, (int)of);
	execlp("tphctl", "tphctl", "follow", name, option, (char *)NULL);
	_exit(127);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until the device sends this tag for an entry. Return: ms that it took. */
static int64_t wait_tag(struct guest *g, unsigned int entry, unsigned int tag)
{
	int64_t start = now_ms();

	while (guest_write_for(g, entry).st != tag) {
		if (now_ms() - start > PATIENCE_MS)
			fail_msg("entry %u does not get tag %#x, but has %#x", entry, tag,
				 guest_write_for(g, entry).st);
		usleep(10000);
	}
	return now_ms() - start;
}

static void guest_begins(struct guest *g)
{
	control(g, ON);
	guest_config_write(g, g->cap + TPH_TABLE, 4, 0x00020001);
}

/* Which can be without effect until there is a map. */
static void wait_map(struct guest *g)
{
	int64_t start = now_ms();

	while (guest_config(g, g->cap + TPH_TABLE, 4) != 0x00020001) {
		assert_true(now_ms() - start < PATIENCE_MS);
		usleep(10000);
		guest_begins(g);
	}
}

static void end(pid_t pid, int status)
{
	int ended;

	assert_int_equal(waitpid(pid, &ended, 0), pid);
	assert_true(WIFEXITED(ended));
	assert_int_equal(WEXITSTATUS(ended), status);
}

static void tags_follow_virtual_cpus(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	pid_t pid;

	(void)state;
	pin(0, 2);
	pin(1, 1);
	pid = follow(getpid(), NULL);
	wait_map(g);
	wait_tag(g, 0, TAG_VOLATILE_16(2));
	wait_tag(g, 1, TAG_VOLATILE_16(1));
	/* it sets at most once a second */
	sleep(1);
	pin(0, 0);
	printf("# a virtual CPU was pinned elsewhere: its tag followed in %lld ms\n",
	       (long long)wait_tag(g, 0, TAG_VOLATILE_16(0)));
	/* a CPU without tags, one that goes, and one that comes back */
	pin(1, CPU_WITHOUT_TAGS);
	wait_tag(g, 1, 0);
	pin(1, 1);
	wait_tag(g, 1, TAG_VOLATILE_16(1));
	guest_command("echo 0,2-3 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
	assert_st(g, 1, 0, 16);
	wait_tag(g, 0, TAG_VOLATILE_16(0));
	guest_command("echo 0-3 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
	wait_tag(g, 1, TAG_VOLATILE_16(1));
	/* it takes the map back when it is ended */
	kill(pid, SIGTERM);
	end(pid, 0);
	assert_st(g, 0, 0, 16);
	assert_int_equal(guest_config(g, g->cap + TPH_TABLE, 4), 0);
	/* and killed it has none either */
	pid = follow(getpid(), NULL);
	wait_map(g);
	wait_tag(g, 0, TAG_VOLATILE_16(0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	wait_tag(g, 0, 0);
	guest_close(g);
}

static void dry_run_takes_nothing(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	pid_t pid = follow(getpid(), "--dry-run");

	(void)state;
	sleep(1);
	kill(pid, SIGTERM);
	end(pid, 0);
	guest_begins(g);
	assert_int_equal(guest_config(g, g->cap + TPH_TABLE, 4), 0);
	guest_close(g);
}

/* The device is free as soon as QEMU is gone. */
static void ends_with_its_process(void **state)
{
	int ready[2];
	char byte;
	pid_t qemu, pid;
	struct guest *g;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	qemu = fork();
	assert_true(qemu >= 0);
	if (!qemu) {
		start_threads();
		g = guest_open(EP_CAPABILITY);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		wait_map(g);
		if (write(ready[1], "m", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	pid = follow(qemu, NULL);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'm');
	kill(qemu, SIGKILL);
	waitpid(qemu, NULL, 0);
	end(pid, 0);
	g = guest_open(EP_CAPABILITY);
	guest_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dry_run_takes_nothing),
		cmocka_unit_test(tags_follow_virtual_cpus),
		cmocka_unit_test(ends_with_its_process),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	guest_driver("policy=iv-st");
	start_threads();
	return guest_run_group(tests);
}
