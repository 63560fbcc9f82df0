// SPDX-License-Identifier: MIT
/*
 * What a user can make the kernel do, counted: threads that are looked at for a request, those
 * looked at in one go, reviews of leases. The kernel's own tracepoints of locks count: a thread that
 * is looked at is one acquisition of its pi_lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define NONE		VFIO_TPH_CPU_NONE
#define TRACING		"/sys/kernel/tracing/"
#define IN_FORCE	(TPH_CTRL_IV | TPH_CTRL_16)
#define CROWD_MAX	4500
#define LOOKED_AT_ONCE	64
#define LOOKED_MAX	4096
#define SAVED		5	/* reviews for the asking in a row, beside ten a second */
#define NOISE		8	/* other uses of these locks in one RCU section, */
#define NOISE_AROUND	64	/* and in starting and stopping the count */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* ---- threads ---- */

static pthread_t crowd[CROWD_MAX];
static unsigned int crowd_size;
static pthread_mutex_t gate;

static void *wait_at_gate(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return NULL;
}

/* @count threads on CPU 0 alone, and as the last of them one that may run on CPU 1 as well. */
static void gather_crowd(unsigned int count)
{
	pthread_attr_t attributes;

	pthread_mutex_init(&gate, NULL);
	pthread_mutex_lock(&gate);
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, 0x4000), 0);
	guest_run_on(0x1);
	for (crowd_size = 0; crowd_size < count; crowd_size++) {
		if (crowd_size == count - 1)
			guest_run_on(0x3);
		assert_int_equal(pthread_create(&crowd[crowd_size], &attributes, wait_at_gate, NULL),
				 0);
	}
	guest_run_on(0x1);
	pthread_attr_destroy(&attributes);
}

static void dismiss_crowd(void)
{
	pthread_mutex_unlock(&gate);
	while (crowd_size)
		pthread_join(crowd[--crowd_size], NULL);
}

/* ---- counting ---- */

/* @sections: RCU sections as well, which are many. */
static void trace_begin(bool sections)
{
	int tid = syscall(SYS_gettid);

	guest_command("cd " TRACING " && echo 0 >tracing_on && echo 4096 >buffer_size_kb && echo >trace");
	guest_command("cd " TRACING "events/lock && f='common_pid == %d && (name == \"&p->pi_lock\" ||"
		      " name == \"%s\")' && echo \"$f\" >lock_acquire/filter &&"
		      " echo \"$f\" >lock_release/filter && echo 1 >lock_acquire/enable &&"
		      " echo %d >lock_release/enable", tid, sections ? "rcu_read_lock" : "", sections);
	guest_try("echo 1 2>/dev/null >" TRACING "events/tph_vfio_pci/tph_review/enable");
	guest_command("echo 1 >" TRACING "tracing_on");
}

struct counted {
	unsigned int looked;		/* threads, by this thread */
	unsigned int at_once;		/* in one RCU section, at most */
	unsigned int asked, due;	/* reviews, by anybody */
	unsigned int looked_in_review;	/* in one, at most */
};

static struct counted trace_end(void)
{
	unsigned int depth = 0, section = 0, threads;
	struct counted counted = { 0 };
	char line[512], *at;
	FILE *trace;

	guest_command("cd " TRACING " && echo 0 >tracing_on && echo 0 >events/enable");
	/* nothing was overwritten */
	guest_command("! grep -h overrun: " TRACING "per_cpu/cpu*/stats | grep -v 'overrun: 0'");
	trace = fopen(TRACING "trace", "r");
	assert_non_null(trace);
	while (fgets(line, sizeof(line), trace)) {
		bool acquire = strstr(line, "lock_acquire:");

		if (strstr(line, "rcu_read_lock")) {
			if (acquire && !depth++)
				section = 0;
			else if (!acquire && depth)
				depth--;
		} else if (acquire && strstr(line, "&p->pi_lock")) {
			counted.looked++;
			if (depth && ++section > counted.at_once)
				counted.at_once = section;
		} else if ((at = strstr(line, "tph_review:"))) {
			*(strstr(at, " asked ") ? &counted.asked : &counted.due) += 1;
			at = strstr(at, "threads=");
			assert_non_null(at);
			threads = atoi(at + 8);
			if (threads > counted.looked_in_review)
				counted.looked_in_review = threads;
		}
	}
	fclose(trace);
	return counted;
}

/* ---- tests ---- */

static int setup(void **state)
{
	*state = guest_open(EP_CAPABILITY);
	guest_command("echo 20000 >/proc/sys/kernel/threads-max");
	return 0;
}

static int teardown(void **state)
{
	guest_run_on(0xf);
	guest_close(*state);
	return 0;
}

/* Far back stands who may run there: he is found, and others get on meanwhile. */
static void set_looks_in_steps(void **state)
{
	struct guest *g = *state;
	struct counted counted;

	gather_crowd(1000);
	trace_begin(true);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	counted = trace_end();
	dismiss_crowd();
	print_message("# SET, the 1001st thread has the CPU: %u looked at, %u at once\n", counted.looked,
		      counted.at_once);
	assert_in_range(counted.looked, 1000, 1000 + NOISE_AROUND);
	assert_in_range(counted.at_once, LOOKED_AT_ONCE, LOOKED_AT_ONCE + NOISE);
}

/* The first has what is asked for: the others are not looked at. */
static void set_looks_no_further(void **state)
{
	struct guest *g = *state;
	struct counted counted;

	gather_crowd(1000);
	trace_begin(true);
	assert_int_equal(st_set_one(g, 0, 0), 0);
	counted = trace_end();
	dismiss_crowd();
	print_message("# SET, the first of 1001 threads has the CPU: %u looked at\n", counted.looked);
	assert_in_range(counted.looked, 1, 1 + NOISE_AROUND);
}

/* Behind so many that nobody looks: refused, and what is held already is taken back. */
static void nobody_looks_further(void **state)
{
	struct guest *g = *state;
	struct counted counted;
	uint32_t got = 0;
	double end;

	gather_crowd(LOOKED_MAX + 100);
	trace_begin(true);
	guest_run_on(0x3);
	assert_int_equal(st_set_one(g, 1, 1), 0);
	guest_run_on(0x1);
	assert_int_equal(st_set_one(g, 0, 1), -EPERM);
	for (end = seconds() + 5; got != NONE && seconds() < end; usleep(10000))
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 1, 1, &got), 0);
	counted = trace_end();
	assert_int_equal(st_set_one(g, 0, 0), 0);
	dismiss_crowd();
	print_message("# SET, the %uth thread has the CPU: %u looked at, %u at once; %u in a review\n",
		      LOOKED_MAX + 101, counted.looked, counted.at_once, counted.looked_in_review);
	assert_int_equal(got, NONE);
	assert_in_range(counted.looked, LOOKED_MAX, LOOKED_MAX + NOISE_AROUND + 600 * NOISE);
	assert_in_range(counted.at_once, LOOKED_AT_ONCE, LOOKED_AT_ONCE + NOISE);
	assert_int_equal(counted.looked_in_review, LOOKED_MAX);
}

/* A process of 50 threads that holds entry 10 for CPU 1, on which only the last of them may run. */
static pid_t start_holder(struct guest *g)
{
	int pipes[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		gather_crowd(49);
		if (st_set_one(g, 10, 1) || write(pipes[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
	return pid;
}

static void end_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The CPU is taken off every thread of the holder. Return: seconds until no TLP had its tag. */
static double take_cpu(struct guest *g, pid_t pid, void (*meanwhile)(struct guest *))
{
	double start, now, tagged = 0;

	assert_st(g, 10, TAG_VOLATILE_16(1), 16);
	/* the one that has it comes last */
	guest_command("for t in /proc/%d/task/*; do taskset -p 1 ${t##*/} >/dev/null; done", (int)pid);
	start = seconds();
	for (now = start; now < start + 2; ) {
		meanwhile(g);
		now = seconds();
		if (guest_write_for(g, 10).st == TAG_VOLATILE_16(1))
			tagged = now;
	}
	return tagged ? tagged - start : 0;
}

static void enable(struct guest *g)
{
	control(g, IN_FORCE);
}

static void reviews_for_the_asking(void **state)
{
	struct guest *g = *state;
	struct counted counted;
	unsigned int writes = 0;
	double start, took;
	pid_t holder;

	holder = start_holder(g);
	start = seconds();
	trace_begin(false);
	while (seconds() < start + 3) {
		enable(g);
		writes++;
	}
	took = seconds() - start;
	counted = trace_end();
	print_message("# %u enables in %.1f s: %u reviews asked for, %u due; %u threads looked at\n",
		      writes, took, counted.asked, counted.due, counted.looked);
	/* by what was looked at, and by what the driver says */
	assert_in_range(counted.looked, 50, (took * 10 + SAVED + 1) * 50 + writes / 10);
	assert_in_range(counted.asked, SAVED, took * 10 + SAVED);
	/* every half second as ever */
	assert_in_range(counted.due, 2, took * 2 + 1);

	took = take_cpu(g, holder, enable);
	print_message("# enables, and a CPU is lost: last tag after %.3f s\n", took);
	assert_true(took < 1.0);
	end_holder(holder);
}

/* Processes that come, take a lease, and end. */
static void come_and_go(struct guest *g)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(st_set_one(g, 20, 0) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void reviews_for_ending(void **state)
{
	unsigned int ended = 0, i;
	struct guest *g = *state;
	struct counted counted;
	uint32_t got = 0;
	double start, took;
	pid_t holder;

	control(g, IN_FORCE);
	holder = start_holder(g);
	start = seconds();
	trace_begin(false);
	while (seconds() < start + 3 || ended <= 10) {
		come_and_go(g);
		ended++;
	}
	took = seconds() - start;
	counted = trace_end();
	print_message("# %u processes in %.1f s: %u reviews asked for, %u due\n", ended, took,
		      counted.asked, counted.due);
	assert_int_equal(counted.asked, 0);
	assert_in_range(counted.due, 2, took * 2 + 1);
	/* their own entries go with them, all the same */
	for (i = 0; got != NONE && i < 1000; i++) {
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 20, 1, &got), 0);
		usleep(1000);
	}
	assert_int_equal(got, NONE);

	took = take_cpu(g, holder, come_and_go);
	print_message("# processes end, and a CPU is lost: last tag after %.3f s\n", took);
	assert_true(took < 1.0);
	end_holder(holder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		/* these first: after thousands of threads the process is slow to fork */
		cmocka_unit_test_setup_teardown(reviews_for_the_asking, setup, teardown),
		cmocka_unit_test_setup_teardown(reviews_for_ending, setup, teardown),
		cmocka_unit_test_setup_teardown(set_looks_in_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(set_looks_no_further, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_looks_further, setup, teardown),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
