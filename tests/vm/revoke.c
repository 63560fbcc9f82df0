// SPDX-License-Identifier: MIT
/* What was granted is taken back: by whom, how fast, what the device sends then, and who is told. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define NONE	VFIO_TPH_CPU_NONE
#define SYSFS	"/sys/bus/pci/devices/"
#define NOTIFY	VFIO_DEVICE_FEATURE_TPH_NOTIFY
#define SET	VFIO_DEVICE_FEATURE_SET
#define PROBE	VFIO_DEVICE_FEATURE_PROBE

/* Entries 0..3 steer to CPUs 0, 1, 2, 1 and are in force; an eventfd is told of revocations. */
static const uint32_t cpus[4] = { 0, 1, 2, 1 };
static int told;
static struct guest *told_of;
static pthread_mutex_t crowd_gate = PTHREAD_MUTEX_INITIALIZER;

static int notify(struct guest *g, int fd, uint32_t flags)
{
	struct vfio_device_feature_tph_notify payload = { .eventfd = fd, .flags = flags };

	return feature(g->fd, SET | NOTIFY, &payload, sizeof(payload));
}

static uint64_t count_told(void)
{
	uint64_t count = 0;

	if (read(told, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	return count;
}

static int setup_on(void **state, const char *bdf)
{
	struct guest *g = guest_open(bdf);

	guest_run_on(0xf);
	assert_int_equal(st_set(g, 0, 0, 4, cpus), 0);
	if (!strcmp(bdf, EP_MSIX))
		guest_vectors(g, 4);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 1, TAG_VOLATILE_16(1), 16);
	told = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_int_equal(notify(g, told, 0), 0);
	*state = g;
	return 0;
}

static int setup(void **state)
{
	return setup_on(state, EP_CAPABILITY);
}

static int setup_msix(void **state)
{
	return setup_on(state, EP_MSIX);
}

static int teardown(void **state)
{
	guest_run_on(0xf);
	guest_try("echo 0-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	if (*state)
		guest_close(*state);
	close(told);
	return 0;
}

/* The ledger and the wire: entries to these CPUs are gone, the others stand. */
static void check_left(struct guest *g, unsigned int lost_cpus)
{
	uint32_t got[4];
	int i;

	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, 4, got), 0);
	for (i = 0; i < 4; i++) {
		bool lost = lost_cpus & 1u << cpus[i];

		assert_int_equal(got[i], lost ? NONE : cpus[i]);
		assert_st(g, i, lost ? 0 : TAG_VOLATILE_16(cpus[i]), 16);
	}
}

/* Wait to be told, for a second at most; how long it took. */
static double wait_told(void)
{
	struct pollfd pfd = { .fd = told, .events = POLLIN };
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(poll(&pfd, 1, 1000), 1);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9;
}

/*
 * Wait until none of these entries is held. Each revocation is an off-window of its own, in which the
 * device sends no hints; what is seen in the ledger is over in hardware.
 */
static void wait_clear(struct guest *g, uint32_t index, uint32_t count)
{
	uint32_t got[64], i;

	for (;;) {
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, index, count, got), 0);
		for (i = 0; i < count && got[i] == NONE; i++)
			;
		if (i == count)
			return;
		wait_told();
		count_told();
	}
}

static void notify_refuses(void **state)
{
	struct guest *g = *state;
	struct vfio_device_feature_tph_notify payload = { .eventfd = told };
	size_t size;

	for (size = 0; size < sizeof(payload); size++)
		assert_int_equal(feature(g->fd, SET | NOTIFY, &payload, size), -EINVAL);
	assert_int_equal(notify(g, told, 1), -EINVAL);
	assert_int_equal(notify(g, told, 1u << 31), -EINVAL);
	assert_int_equal(notify(g, -2, 0), -EINVAL);
	assert_int_equal(notify(g, INT32_MIN, 0), -EINVAL);
	assert_int_equal(notify(g, 9999, 0), -EBADF);
	assert_int_equal(notify(g, STDIN_FILENO, 0), -EINVAL);
	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_GET | NOTIFY, &payload,
				 sizeof(payload)), -EINVAL);
	assert_int_equal(feature(g->fd, PROBE | SET | NOTIFY, NULL, 0), 0);

	/* the one that was there still is */
	guest_command("echo 0,2-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	assert_int_equal(count_told(), 1);
	/* and can be taken away */
	assert_int_equal(notify(g, -1, 0), 0);
	guest_command("echo 0 >" SYSFS EP_CAPABILITY "/tph/cpus");
	assert_int_equal(count_told(), 0);
	check_left(g, 0x6);
}

static void operator_refuses(void **state)
{
	static const char * const bad[] = { "4", "0-4", "x", "1-", "-1", "0,99999", "3-1" };
	struct guest *g = *state;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_not_equal(guest_try("echo '%s' 2>/dev/null >%s%s/tph/cpus", bad[i], SYSFS,
					       EP_CAPABILITY), 0);
	guest_command("[ $(cat %s%s/tph/cpus) = 0-3 ]", SYSFS, EP_CAPABILITY);
	assert_int_not_equal(guest_try("echo ds-st 2>/dev/null >%s%s/tph/policy", SYSFS,
				       EP_CAPABILITY), 0);
	assert_int_not_equal(guest_try("echo any 2>/dev/null >%s%s/tph/policy", SYSFS,
				       EP_CAPABILITY), 0);
	/* what it is already may be written */
	guest_command("echo iv-st >%s%s/tph/policy", SYSFS, EP_CAPABILITY);
	check_left(g, 0);
	assert_int_equal(count_told(), 0);
}

/* Out of the ledger and off the wire when the write returns. */
static void operator_shrinks_the_list(void **state)
{
	struct guest *g = *state;

	guest_register_write(g, EP_COUNT_CLEAR, 1);
	guest_command("echo 0,2 >" SYSFS EP_CAPABILITY "/tph/cpus");
	assert_int_equal(guest_register(g, EP_COUNT_OFF_WINDOWS), 1);
	assert_int_equal(count_told(), 1);
	check_left(g, 0x2);
	guest_command("[ $(cat %s%s/tph/targets) = 0,2 ]", SYSFS, EP_CAPABILITY);
	assert_int_equal(st_set_one(g, 1, 1), -EPERM);
	/* back on the list, nothing comes back by itself */
	guest_command("echo 0-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	check_left(g, 0x2);
	assert_int_equal(count_told(), 0);
	assert_int_equal(st_set_one(g, 1, 1), 0);
	assert_st(g, 1, TAG_VOLATILE_16(1), 16);
	/* none at all */
	guest_command("echo >" SYSFS EP_CAPABILITY "/tph/cpus");
	check_left(g, 0xf);
	guest_command("[ \"$(cat %s%s/tph/steering)\" = no-cpus ]", SYSFS, EP_CAPABILITY);
}

static void cpu_goes_offline(void **state)
{
	struct guest *g = *state;

	guest_command("echo 0 >/sys/devices/system/cpu/cpu1/online");
	assert_int_equal(count_told(), 1);
	check_left(g, 0x2);
	assert_int_equal(st_set_one(g, 1, 1), -EPERM);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu1/online");
	check_left(g, 0x2);
	assert_int_equal(st_set_one(g, 1, 1), 0);
	assert_st(g, 1, TAG_VOLATILE_16(1), 16);
}

static void affinity_shrinks(void **state)
{
	struct guest *g = *state;

	guest_run_on(0x5);
	assert_true(wait_told() < 1.0);
	check_left(g, 0x2);
	guest_run_on(0xf);
	check_left(g, 0x2);
}

static void cpuset_shrinks(void **state)
{
	struct guest *g = *state;

	guest_command("mkdir -p /sys/fs/cgroup/jail && echo 0-3 >/sys/fs/cgroup/jail/cpuset.cpus");
	guest_command("echo %d >/sys/fs/cgroup/jail/cgroup.procs", getpid());
	check_left(g, 0);
	guest_command("echo 0-1 >/sys/fs/cgroup/jail/cpuset.cpus");
	assert_true(wait_told() < 1.0);
	check_left(g, 0x4);
	guest_command("echo %d >/sys/fs/cgroup/cgroup.procs", getpid());
	guest_command("rmdir /sys/fs/cgroup/jail");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static unsigned int revocations(void)
{
	char text[32] = "";
	int fd = open(SYSFS EP_CAPABILITY "/tph/revocations", O_RDONLY | O_CLOEXEC);

	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atoi(text);
}

static void write_jail(const char *list)
{
	int fd = open("/sys/fs/cgroup/jail/cpuset.cpus", O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, list, strlen(list)), strlen(list));
	close(fd);
}

/*
 * As a CPU manager does to a running program: its cpuset loses CPU 2 for a while. What is sent all
 * the time tells until when the CPU's tag was. Return: whether the entry was taken back.
 */
static bool rewrite_cpuset(struct guest *g, double duration)
{
	unsigned int before = revocations();
	double start, now, tagged = 0;
	bool given_back = false;
	uint32_t got;

	guest_command("mkdir -p /sys/fs/cgroup/jail && echo 0-3 >/sys/fs/cgroup/jail/cpuset.cpus &&"
		      " echo %d >/sys/fs/cgroup/jail/cgroup.procs", getpid());
	check_left(g, 0);
	start = seconds();
	write_jail("0-1");
	do {
		now = seconds() - start;
		if (!given_back && now >= duration) {
			write_jail("0-3");
			given_back = true;
		}
		if (guest_write_for(g, 2).st == TAG_VOLATILE_16(2))
			tagged = now;
	} while (now < duration + 1.5);
	guest_command("echo %d >/sys/fs/cgroup/cgroup.procs", getpid());
	guest_command("rmdir /sys/fs/cgroup/jail");

	/* one loss is one event, and what is lost stays so */
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 2, 1, &got), 0);
	print_message("# %.1f s without the CPU: %s, last tag after %.3f s\n", duration,
		      got == NONE ? "taken back" : "stands", tagged);
	if (got == NONE) {
		assert_true(tagged < 1.0);
		assert_int_equal(count_told(), 1);
		assert_int_equal(revocations() - before, 1);
		check_left(g, 0x4);
	} else {
		assert_int_equal(count_told(), 0);
		assert_int_equal(revocations() - before, 0);
		check_left(g, 0);
	}
	return got == NONE;
}

/* May be seen or not. */
static void cpuset_shrinks_briefly(void **state)
{
	rewrite_cpuset(*state, 0.1);
}

static void cpuset_shrinks_for_seconds(void **state)
{
	assert_true(rewrite_cpuset(*state, 3));
}

/* After so long there is a review for the asking, however many there were before (doc/uapi.md). */
static void wait_for_budget(void)
{
	usleep(110 * 1000);
}

/* An affinity that has shrunk is seen at once where the user enables again. */
static void affinity_is_looked_at_on_enable(void **state)
{
	struct guest *g = *state;

	wait_for_budget();
	control(g, TPH_CTRL_IV);
	guest_run_on(0x3);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	check_left(g, 0x4);
}

/* ... and after a reset. */
static void affinity_is_looked_at_after_reset(void **state)
{
	struct guest *g = *state;
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	wait_for_budget();
	guest_run_on(0x3);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	check_left(g, 0x4);
}

/* A child set the entry and ends; the parent has the device, but not the grant. */
static void holder_ends(void **state)
{
	struct guest *g = *state;
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (!pid)
		_exit(st_set_one(g, 1, 2) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	wait_clear(g, 1, 1);
	assert_st(g, 0, TAG_VOLATILE_16(0), 16);
	assert_st(g, 1, 0, 16);
	assert_st(g, 2, TAG_VOLATILE_16(2), 16);
}

/* What the child set stands for as long as the child does, whatever the parent may run on. */
static void every_process_for_itself(void **state)
{
	struct guest *g = *state;
	int to_child[2], to_parent[2];
	uint32_t got;
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(to_child) | pipe(to_parent), 0);
	pid = fork();
	if (!pid) {
		c = st_set_one(g, 10, 2) ? 'x' : 'k';
		if (write(to_parent[1], &c, 1) != 1 || read(to_child[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(to_parent[0], &c, 1), 1);
	assert_int_equal(c, 'k');
	guest_run_on(0x1);
	wait_told();
	assert_st(g, 0, TAG_VOLATILE_16(0), 16);
	assert_st(g, 1, 0, 16);
	assert_st(g, 10, TAG_VOLATILE_16(2), 16);

	count_told();
	assert_int_equal(kill(pid, SIGKILL), 0);
	wait_told();
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 10, 1, &got), 0);
	assert_int_equal(got, NONE);
	assert_st(g, 10, 0, 16);
	assert_st(g, 0, TAG_VOLATILE_16(0), 16);
	waitpid(pid, NULL, 0);
	close(to_child[0]);
	close(to_child[1]);
	close(to_parent[0]);
	close(to_parent[1]);
}

static void send_fd(int sock, int fd)
{
	char data = 'f', buf[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &data, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf,
			      .msg_controllen = sizeof(buf) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	if (sendmsg(sock, &msg, 0) != 1)
		_exit(2);
}

static int receive_fd(int sock)
{
	char data, buf[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &data, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf,
			      .msg_controllen = sizeof(buf) };
	int fd;

	assert_int_equal(recvmsg(sock, &msg, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* A process opens, steers, enables, passes the descriptor on and ends. */
static void descriptor_outlives_its_process(void **state)
{
	struct pollfd pfd = { .events = POLLPRI | POLLERR };
	int sock[2], requester, i;
	char text[32] = "";
	struct guest *g;
	pid_t pid;

	guest_close(*state);
	*state = NULL;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	pid = fork();
	if (!pid) {
		g = guest_open(EP_CAPABILITY);
		if (st_set(g, 0, 0, 4, cpus))
			_exit(1);
		control(g, TPH_CTRL_IV | TPH_CTRL_16);
		send_fd(sock[1], g->fd);
		if (read(sock[1], text, 1) != 1)
			_exit(1);
		_exit(0);
	}
	i = receive_fd(sock[0]);
	requester = open(SYSFS EP_CAPABILITY "/tph/targets", O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(requester, -1);
	assert_true(read(requester, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "0-2\n");
	assert_int_equal(write(sock[0], "q", 1), 1);
	waitpid(pid, NULL, 0);

	pfd.fd = requester;
	for (;;) {
		memset(text, 0, sizeof(text));
		assert_true(pread(requester, text, sizeof(text) - 1, 0) > 0);
		if (!strcmp(text, "\n"))
			break;
		assert_int_equal(poll(&pfd, 1, 1000), 1);
	}
	close(requester);
	close(sock[0]);
	close(sock[1]);
	close(i);
}

/* Steering ends with the attachment, and nothing comes back with the next one. */
static void detach_from_the_ioas(void **state)
{
	struct guest *g = *state;
	uint32_t got[4];
	int i;

	guest_detach(g);
	/* off, and nothing is left in the table for whoever switches it on past the driver */
	assert_int_equal(guest_raw(g, g->cap + TPH_TABLE, 4), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_TABLE + 4, 4), 0);
	assert_int_equal(count_told(), 1);
	assert_int_equal(control_read(g), TPH_CTRL_IV);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & 0x300, 0);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, 4, got), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(got[i], NONE);
	assert_int_equal(st_set_one(g, 0, 1), -EPERM);
	/* clearing is never refused */
	assert_int_equal(st_set_one(g, 0, NONE), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(control_read(g), TPH_CTRL_IV);
	control(g, TPH_CTRL_8);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & 0x300, 0);
	guest_command("[ $(cat %s%s/tph/steering) = not-attached ]", SYSFS, EP_CAPABILITY);

	guest_attach(g);
	assert_int_equal(control_read(g) & 0x300, 0);
	assert_plain(g, 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, 0, 16);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
}

/* To another address space without a gap: what is held stays held. */
static void replaced_ioas(void **state)
{
	struct guest *g = *state;

	guest_replace_ioas(g);
	check_left(g, 0);
	assert_int_equal(count_told(), 0);
}

/* 64 processes at most hold entries of one device; a lease without entries is free for another. */
static void many_processes(void **state)
{
	struct guest *g = *state;
	int go[2], done[2], i, ret, refused = 0;
	pid_t pids[70];

	assert_int_equal(pipe(go) | pipe(done), 0);
	assert_int_equal(st_set(g, 0, 0, 4, (uint32_t[4]){ NONE, NONE, NONE, NONE }), 0);
	for (i = 0; i < 70; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			char c;

			/* one entry each; from the 64th on they take the last from one another */
			ret = -st_set_one(g, i < 63 ? i : 63, 1);
			if (write(done[1], &ret, sizeof(ret)) != sizeof(ret))
				_exit(1);
			close(go[1]);
			_exit(read(go[0], &c, 1) > 0);
		}
		assert_int_equal(read(done[0], &ret, sizeof(ret)), sizeof(ret));
		refused += ret == EUSERS;
		assert_true(ret == 0 || ret == EUSERS);
		assert_int_equal(ret, i < 64 ? 0 : EUSERS);
	}
	assert_int_equal(refused, 6);
	/* who only clears takes none, so need not find one free; who also sets does */
	assert_int_equal(st_set(g, 0, 0, 2, (uint32_t[2]){ NONE, 1 }), -EUSERS);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	assert_int_equal(st_set_one(g, 0, NONE), 0);
	assert_st(g, 0, 0, 16);
	assert_st(g, 1, TAG_VOLATILE_16(1), 16);
	/* which has made room */
	assert_int_equal(st_set_one(g, 0, 2), 0);
	assert_st(g, 0, TAG_VOLATILE_16(2), 16);
	assert_int_equal(st_set_one(g, 0, NONE), 0);
	close(go[1]);
	for (i = 0; i < 70; i++)
		waitpid(pids[i], NULL, 0);
	close(go[0]);
	close(done[0]);
	close(done[1]);
	wait_clear(g, 0, 64);
	/* what they held is free */
	assert_int_equal(st_set(g, 0, 0, 4, cpus), 0);
	check_left(g, 0);
}

/* CPU off and on against SETs of it: refused or taken back, and never in force while it is away. */
static volatile int stop;
static volatile int sets, refusals;

static void *set_cpu_2(void *arg)
{
	struct guest *g = arg;
	int ret;

	while (!stop) {
		ret = st_set_one(g, 20, 2);
		assert_true(ret == 0 || ret == -EPERM);
		if (ret)
			refusals++;
		else
			sets++;
	}
	return NULL;
}

static void set_against_hotplug(void **state)
{
	struct guest *g = *state;
	uint32_t got;
	pthread_t thread;
	int i;

	stop = 0;
	guest_run_on(0xb);
	assert_int_equal(pthread_create(&thread, NULL, set_cpu_2, g), 0);
	guest_run_on(0xf);
	for (i = 0; i < 5; i++) {
		guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 20, 1, &got), 0);
		assert_int_equal(got, NONE);
		assert_st(g, 20, 0, 16);
		guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
		guest_run_on(0xf);
	}
	stop = 1;
	pthread_join(thread, NULL);
	print_message("# %d sets, %d refused\n", sets, refusals);
	assert_true(sets > 0 && refusals > 0);
}

/*
 * A review gathers where a process may run, and comes to a verdict later. What is set in between, on
 * CPUs that the process was given in between, is not for it to judge.
 */
#define WRITERS		3
#define CROWD		1500
#define FRESH_SETS	80

static volatile unsigned int writes[WRITERS];

/* Each write of the control register is one more reason to review. */
static void *write_control(void *arg)
{
	volatile unsigned int *mine = arg;
	uint16_t at = told_of->cap + TPH_CTRL;

	guest_run_on(0xc);
	while (!stop) {
		guest_config_write(told_of, at, 4, TPH_CTRL_IV | TPH_CTRL_16);
		(*mine)++;
	}
	return NULL;
}

static void *wait_for_stop(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&crowd_gate);
	pthread_mutex_unlock(&crowd_gate);
	return NULL;
}

/* Whatever review was under way is over: each writer began another one and ended it. */
static void wait_for_reviews(void)
{
	unsigned int before[WRITERS];
	int i;

	for (i = 0; i < WRITERS; i++)
		before[i] = writes[i];
	for (i = 0; i < WRITERS; i++)
		while (writes[i] - before[i] < 2)
			sched_yield();
}

static pthread_t start_thread(void *(*run)(void *), void *arg)
{
	pthread_attr_t attributes;
	pthread_t thread;

	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, 0x8000), 0);
	assert_int_equal(pthread_create(&thread, &attributes, run, arg), 0);
	pthread_attr_destroy(&attributes);
	return thread;
}

static void fresh_set_stands(void **state)
{
	static pthread_t crowd[CROWD], writers[WRITERS];
	unsigned int lost = 0, reviews = 0;
	struct guest *g = *state;
	uint32_t got;
	int i;

	told_of = g;
	stop = 0;
	assert_int_equal(st_set(g, 0, 0, 4, (uint32_t[4]){ NONE, NONE, NONE, NONE }), 0);
	guest_command("echo 20000 >/proc/sys/kernel/threads-max");
	pthread_mutex_lock(&crowd_gate);
	/* many threads, so that it takes its time; only this one may ever run on CPU 1 */
	guest_run_on(0x1);
	for (i = 0; i < CROWD; i++)
		crowd[i] = start_thread(wait_for_stop, NULL);
	for (i = 0; i < WRITERS; i++)
		writers[i] = start_thread(write_control, (void *)&writes[i]);
	for (i = 0; i < FRESH_SETS; i++) {
		/* one entry that is to be lost, so that there is something to review */
		guest_run_on(0x3);
		assert_int_equal(st_set_one(g, 10, 1), 0);
		guest_run_on(0x1);
		/* another one, at any moment of a review: one begins every 100 ms */
		usleep(i * 7919 % 100000);
		guest_run_on(0x3);
		assert_int_equal(st_set_one(g, 11, 1), 0);
		wait_for_reviews();
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 11, 1, &got), 0);
		lost += got == NONE;
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 10, 1, &got), 0);
		reviews += got == NONE;
		assert_int_equal(st_set(g, 0, 10, 2, (uint32_t[2]){ NONE, NONE }), 0);
	}
	stop = 1;
	pthread_mutex_unlock(&crowd_gate);
	for (i = 0; i < CROWD; i++)
		pthread_join(crowd[i], NULL);
	for (i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	print_message("# %u of %u fresh entries lost; %u old ones taken back\n", lost, FRESH_SETS,
		      reviews);
	assert_true(reviews > 0);
	assert_int_equal(lost, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(notify_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(operator_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(operator_shrinks_the_list, setup, teardown),
		cmocka_unit_test_setup_teardown(cpu_goes_offline, setup, teardown),
		{ "cpu_goes_offline_msix", cpu_goes_offline, setup_msix, teardown, NULL },
		cmocka_unit_test_setup_teardown(affinity_shrinks, setup, teardown),
		{ "affinity_shrinks_msix", affinity_shrinks, setup_msix, teardown, NULL },
		cmocka_unit_test_setup_teardown(cpuset_shrinks, setup, teardown),
		cmocka_unit_test_setup_teardown(cpuset_shrinks_briefly, setup, teardown),
		cmocka_unit_test_setup_teardown(cpuset_shrinks_for_seconds, setup, teardown),
		cmocka_unit_test_setup_teardown(affinity_is_looked_at_on_enable, setup, teardown),
		cmocka_unit_test_setup_teardown(affinity_is_looked_at_after_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(holder_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(every_process_for_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptor_outlives_its_process, setup, teardown),
		cmocka_unit_test_prestate_setup_teardown(detach_from_the_ioas, setup, teardown,
							 guest_wants_iommufd),
		cmocka_unit_test_prestate_setup_teardown(replaced_ioas, setup, teardown,
							 guest_wants_iommufd),
		cmocka_unit_test_setup_teardown(many_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(set_against_hotplug, setup, teardown),
		cmocka_unit_test_setup_teardown(fresh_set_stands, setup, teardown),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	guest_driver("policy=iv-st");
	return guest_run_group(tests);
}
