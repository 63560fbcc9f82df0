// SPDX-License-Identifier: MIT
/*
 * Threads that the kernel makes inside a process do not keep to what the process may run on: the one
 * that polls an io_uring runs on every CPU that is online whatever the cpuset, an io_uring's workers
 * on the cpuset of the time when it was made, a vhost worker on its creator's affinity of that time.
 * They run nothing of the user's, and must give him no CPU. Each attack looks first that its thread
 * is there and has the CPU that the process has not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/io_uring.h>
#include <linux/vhost.h>

#include "attack.h"

#define POLLER		"iou-sqp-"
#define WORKER		"iou-wrk-"
#define VHOST		"vhost-"
#define ENTRIES		4u

/* Line @key of a thread's status, as text; false if the thread is gone. */
static bool status_of(pid_t pid, const char *tid, const char *key, char *value, size_t size)
{
	char path[64], line[256];
	size_t length = strlen(key);
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", (int)pid, tid);
	file = fopen(path, "r");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, length) && line[length] == ':') {
			line[strcspn(line, "\n")] = '\0';
			snprintf(value, size, "%s", line + length + 1 + strspn(line + length + 1, "\t "));
			found = true;
		}
	fclose(file);
	return found;
}

/* CPUs that a thread may run on, as a mask; the VM has fewer than 32. */
static unsigned int cpus_of(pid_t pid, const char *tid)
{
	char text[256];
	const char *last;

	if (!status_of(pid, tid, "Cpus_allowed", text, sizeof(text)))
		return 0;
	last = strrchr(text, ',');
	return strtoul(last ? last + 1 : text, NULL, 16);
}

/* What threads whose names begin with @name may run on; all but the kernel's if @name is NULL. */
static unsigned int cpus_of_threads(pid_t pid, const char *name)
{
	static const char *const made[] = { POLLER, WORKER, VHOST };
	char path[64], comm[64];
	struct dirent *entry;
	unsigned int cpus = 0;
	size_t i;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		bool is = !name;

		if (*entry->d_name == '.' ||
		    !status_of(pid, entry->d_name, "Name", comm, sizeof(comm)))
			continue;
		if (name)
			is = !strncmp(comm, name, strlen(name));
		for (i = 0; !name && i < sizeof(made) / sizeof(*made); i++)
			is &= strncmp(comm, made[i], strlen(made[i])) != 0;
		if (is)
			cpus |= cpus_of(pid, entry->d_name);
	}
	closedir(dir);
	return cpus;
}

/* Wait until a thread of that name may run on @cpu. */
static void wait_for_thread(pid_t pid, const char *name, unsigned int cpu)
{
	int i;

	for (i = 0; i < 10000; i++) {
		if (cpus_of_threads(pid, name) & 1u << cpu)
			return;
		usleep(1000);
	}
	fail_msg("no thread %s* of %d with CPU %u", name, (int)pid, cpu);
}

/* The thread has the CPU, and nothing that the user runs has. */
static void assert_foreign(const char *name, unsigned int cpu)
{
	wait_for_thread(getpid(), name, cpu);
	assert_int_equal(cpus_of_threads(getpid(), NULL) & 1u << cpu, 0);
}

struct ring {
	int fd;
	struct io_uring_params params;
	uint8_t *queue;
	struct io_uring_sqe *requests;
};

static void ring_open(struct ring *ring, uint32_t flags)
{
	memset(ring, 0, sizeof(*ring));
	ring->params.flags = flags;
	ring->params.sq_thread_idle = 3600 * 1000;
	ring->fd = syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
	if (ring->fd < 0)
		fail_msg("io_uring_setup: %s", strerror(errno));
	ring->queue = mmap(NULL, ring->params.sq_off.array + ENTRIES * 4, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
	assert_ptr_not_equal(ring->queue, MAP_FAILED);
	ring->requests = mmap(NULL, ENTRIES * sizeof(*ring->requests), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	assert_ptr_not_equal(ring->requests, MAP_FAILED);
}

/*
 * A request that keeps a worker for as long as the process lives: an open of a FIFO that nobody
 * writes to.
 */
static void ring_occupy_worker(struct ring *ring)
{
	static const char *const fifo = "/tmp/attack-fifo";
	uint32_t *tail = (uint32_t *)(ring->queue + ring->params.sq_off.tail), at = *tail;

	act_as_root();
	unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0666) | chmod(fifo, 0666), 0);
	act_as_user();
	at &= ENTRIES - 1;
	ring->requests[at] = (struct io_uring_sqe){
		.opcode = IORING_OP_OPENAT,
		.flags = IOSQE_ASYNC,
		.fd = AT_FDCWD,
		.addr = (uintptr_t)fifo,
		.open_flags = O_RDONLY,
	};
	((uint32_t *)(ring->queue + ring->params.sq_off.array))[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	assert_int_equal(syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0), 1);
}

static void vhost_start(void)
{
	int fd;

	act_as_root();
	guest_command("modprobe vhost_net");
	fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	act_as_user();
	if (ioctl(fd, VHOST_SET_OWNER))
		fail_msg("VHOST_SET_OWNER: %s", strerror(errno));
}

/* Before Linux 6.4 it is the kernel's own thread, and none of the process. */
bool vhost_makes_threads(void)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		vhost_start();
		_exit(cpus_of_threads(getpid(), VHOST) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
	return !WEXITSTATUS(status);
}

/* As `taskset --pid` of root, for the only thread that the user knows he has. */
static void operator_affinity(unsigned int mask)
{
	act_as_root();
	guest_run_on(mask);
	act_as_user();
}

/* Every CPU as his affinity, of which the cpuset leaves him some: he asks for no fewer. */
static void confine(const char *cpuset)
{
	operator_cpuset(getpid(), cpuset);
	guest_run_on(0xf);
}

static bool sets_other(struct guest *g)
{
	int ret = st_set_one(g, 0, OTHER_CPU);

	assert_true(!ret || ret == -EPERM);
	return !ret || sends_tag(g, 0, OTHER_TAG);
}

/* A second is over, and the thread has the CPU still: it could have kept the tag. */
static bool keeps(struct guest *g, const char *name)
{
	bool succeeds;

	assert_foreign(name, HIS_CPU);
	succeeds = still_sends_tag_after_a_second(g, 0, HIS_TAG);
	assert_foreign(name, HIS_CPU);
	return succeeds;
}

static bool set_by_poller(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	struct ring ring;

	confine("0-1");
	assert_int_equal(st_set_one(g, 0, OTHER_CPU), -EPERM);
	ring_open(&ring, IORING_SETUP_SQPOLL);
	assert_foreign(POLLER, OTHER_CPU);
	return sets_other(g);
}

/* A shrunk cpuset narrows the polling threads that are there; the next one has every CPU again. */
static bool keep_by_poller(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	struct ring ring;

	confine("0-1");
	get_his_tag(g, ours);
	confine("0");
	ring_open(&ring, IORING_SETUP_SQPOLL);
	return keeps(g, POLLER);
}

static bool keep_by_poller_affinity(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	struct ring ring;

	get_his_tag(g, ours);
	ring_open(&ring, IORING_SETUP_SQPOLL);
	wait_for_thread(getpid(), POLLER, HIS_CPU);
	operator_affinity(1u << 0);
	return keeps(g, POLLER);
}

/* The ring was made before the shrink, the worker is made after it. */
static bool keep_by_worker(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	struct ring ring;

	confine("0-1");
	ring_open(&ring, 0);
	get_his_tag(g, ours);
	confine("0");
	ring_occupy_worker(&ring);
	return keeps(g, WORKER);
}

/* A CPU that comes online is given to the workers of every ring, whatever the cpuset. */
static bool set_by_worker(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	struct ring ring;

	confine("0-1");
	ring_open(&ring, 0);
	ring_occupy_worker(&ring);
	wait_for_thread(getpid(), WORKER, HIS_CPU);
	act_as_root();
	guest_command("echo 0 >/sys/devices/system/cpu/cpu%u/online", OTHER_CPU);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu%u/online", OTHER_CPU);
	act_as_user();
	assert_int_equal(st_set_one(g, 0, OTHER_CPU), -EPERM);
	ring_occupy_worker(&ring);
	assert_foreign(WORKER, OTHER_CPU);
	return sets_other(g);
}

static bool set_by_vhost(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	guest_run_on(0x7);
	vhost_start();
	guest_run_on(0x3);
	assert_foreign(VHOST, OTHER_CPU);
	return sets_other(g);
}

static bool keep_by_vhost(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	vhost_start();
	guest_run_on(1u << 0);
	return keeps(g, VHOST);
}

/* The process ends, all but the thread that polls its ring, which keeps files and memory. */
static bool keep_by_poller_alone(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	struct ring ring;
	bool succeeds;
	char state[32];
	pid_t pid = fork();
	char tid[16];
	int i;

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		get_his_tag(g, ours);
		ring_open(&ring, IORING_SETUP_SQPOLL);
		wait_for_thread(getpid(), POLLER, HIS_CPU);
		syscall(SYS_exit, 0);
	}
	snprintf(tid, sizeof(tid), "%d", (int)pid);
	for (i = 0; i < 10000; i++) {
		assert_true(status_of(pid, tid, "State", state, sizeof(state)));
		if (*state == 'Z')
			break;
		usleep(1000);
	}
	assert_int_equal(*state, 'Z');
	wait_for_thread(pid, POLLER, HIS_CPU);
	succeeds = still_sends_tag_after_a_second(g, 0, HIS_TAG);
	wait_for_thread(pid, POLLER, HIS_CPU);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return succeeds;
}

#define BOTH(name, run) { name, run, AT_MSIX, STOCK_OPEN, NULL, "attack/worker.c" }
#define OURS(name, run) { name, run, AT_MSIX, STOCK_WITHOUT, "n/a: has no SET", "attack/worker.c" }

const struct attack worker_attacks[] = {
	OURS("set-by-sqpoll", set_by_poller),
	OURS("set-by-io-wq", set_by_worker),
	BOTH("keep-by-sqpoll", keep_by_poller),
	BOTH("keep-by-sqpoll-affinity", keep_by_poller_affinity),
	BOTH("keep-by-sqpoll-alone", keep_by_poller_alone),
	BOTH("keep-by-io-wq", keep_by_worker),
	{ 0 }
};

const struct attack vhost_attacks[] = {
	OURS("set-by-vhost", set_by_vhost),
	BOTH("keep-by-vhost", keep_by_vhost),
	{ 0 }
};
