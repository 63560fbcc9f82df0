// SPDX-License-Identifier: MIT
/*
 * tphctl follow as its users meet it. QEMU is a process that has a file open, which the simulated
 * kernel takes for the device; a second process stands for a second thread of it. Their affinity is
 * real, what else proc says of them is made up.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tphctl_run.h"

#define QEMU_FD		9
#define SYSPATH		"vfio-device-syspath: /sys/devices/pci0000:00/" TREE_PORT "/" TREE_ENDPOINT "\n"
#define OUTPUT		TREE ".out"
#define MONITOR		TREE ".qmp"

static struct qemu {
	pid_t pid, thread;		/* virtual CPUs 0 and 1 */
	char name[64], simulation[64];	/* qemu:PID/ADDRESS; what the kernel is told */
} qemu;

static int shared_fd = -1;	/* its open file, which was handed down to it */

static unsigned int first_cpu, second_cpu;	/* that this machine has; perhaps the same */

static pid_t sleeper(void)
{
	pid_t parent = getpid(), pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (;;)
		pause();
}

static void pin(pid_t pid, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(pid, sizeof(set), &set), 0);
}

static void name_thread(pid_t thread, const char *name)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "proc/%d/task/%d/comm", qemu.pid, thread);
	tree_text(TREE, path, name);
	snprintf(path, sizeof(path), "proc/%d/status", thread);
	snprintf(text, sizeof(text), "Name:\t%s\nTgid:\t%d\n", name, qemu.pid);
	tree_text(TREE, path, text);
}

/* From the first test on: a descriptor that is copied has to be the same in all. */
static int qemu_setup(void **context)
{
	cpu_set_t mine;
	struct stat status;
	int fd;

	if (setup(context))
		return 1;
	if (sched_getaffinity(0, sizeof(mine), &mine))
		return 1;
	for (first_cpu = 0; !CPU_ISSET(first_cpu, &mine); first_cpu++)
		;
	for (second_cpu = first_cpu + 1; second_cpu < 8 && !CPU_ISSET(second_cpu, &mine); second_cpu++)
		;
	if (second_cpu == 8)
		second_cpu = first_cpu;
	tree_text(TREE, "devices/system/cpu/online", "0-7\n");
	fd = open(TREE_DEVICE_NODE, O_RDWR);
	if (fd < 0 || dup2(fd, QEMU_FD) < 0 || close(fd) || fstat(QEMU_FD, &status))
		return 1;
	qemu.pid = sleeper();
	qemu.thread = sleeper();
	shared_fd = fcntl(QEMU_FD, F_DUPFD_CLOEXEC, QEMU_FD + 1);
	close(QEMU_FD);
	pin(qemu.pid, first_cpu);
	pin(qemu.thread, second_cpu);
	tree_open(TREE, qemu.pid, QEMU_FD, TREE_DEVICE_NODE, SYSPATH);
	name_thread(qemu.pid, "CPU 0/KVM");
	name_thread(qemu.thread, "CPU 1/KVM");
	snprintf(qemu.name, sizeof(qemu.name), "qemu:%d/" TREE_ENDPOINT, qemu.pid);
	snprintf(qemu.simulation, sizeof(qemu.simulation), "adopt-inode=%llu",
		 (unsigned long long)status.st_ino);
	with.simulation = qemu.simulation;
	return 0;
}

static int qemu_teardown(void **context)
{
	(void)context;
	kill(qemu.pid, SIGKILL);
	kill(qemu.thread, SIGKILL);
	waitpid(qemu.pid, NULL, 0);
	waitpid(qemu.thread, NULL, 0);
	remove(OUTPUT);
	close(shared_fd);
	shared_fd = -1;
	return 0;
}

#define follow(format, ...) (snprintf(words, sizeof(words), "follow " format, ##__VA_ARGS__), words)

static char words[512];

static void words_that_make_no_sense(void **context)
{
	(void)context;
	assert_fails("follow", 2, "DEV");
	assert_fails("follow nonsense", 2, "nonsense");
	assert_fails("follow qemu:0/" TREE_ENDPOINT, 2, "qemu:0/");
	assert_fails("follow qemu:/" TREE_ENDPOINT, 2, "qemu:/");
	assert_fails("follow qemu:12", 2, "qemu:12");
	assert_fails("follow qemu:4294967297/" TREE_ENDPOINT, 2, "qemu:4294967297/");
	assert_fails("follow qemu:12/banana", 2, "qemu:12/banana");
	assert_fails("follow --count 0 " TREE_ENDPOINT, 2, "0");
	assert_fails("follow fd:5", 2, "give QEMU's monitor with --qmp");
	assert_fails("follow --sysfs / " TREE_ENDPOINT, 2, "--sysfs");
	assert_fails("bind qemu:1/" TREE_ENDPOINT, 2, "qemu:1/");
	assert_fails("why qemu:1/" TREE_ENDPOINT, 2, "qemu:1/");
}

static void machines_that_are_not_there(void **context)
{
	char other[64];

	(void)context;
	assert_fails("follow " TREE_NVME, 1, "nobody has it open");
	assert_fails("follow 0000:77:00.0", 1, "0000:77:00.0");
	assert_fails("follow qemu:999999999/" TREE_ENDPOINT, 1, "999999999");
	with.simulation = qemu.simulation;
	snprintf(other, sizeof(other), "qemu:%d/" TREE_NVME, qemu.pid);
	assert_fails(follow("%s", other), 1, "does not have that device open");
	with.simulation = qemu.simulation;
	assert_fails(follow("--qmp /nonexistent/monitor %s", qemu.name), 1, "/nonexistent/monitor");
	/* as in a chroot */
	assert_int_equal(rename(TREE "/proc", TREE "/elsewhere"), 0);
	assert_fails("follow " TREE_ENDPOINT, 1, "mount -t proc");
	assert_int_equal(rename(TREE "/elsewhere", TREE "/proc"), 0);
	/* a process that names no threads */
	name_thread(qemu.pid, "qemu");
	name_thread(qemu.thread, "CPU x/KVM");
	with.simulation = qemu.simulation;
	assert_fails(follow("%s", qemu.name), 1, "-name debug-threads=on");
}

static void devices_that_guests_cannot_steer(void **context)
{
	char simulation[128];

	(void)context;
	snprintf(simulation, sizeof(simulation), "%s stock", qemu.simulation);
	with.simulation = simulation;
	assert_fails(follow("%s", qemu.name), 3, "its driver does not let guests steer");
	snprintf(simulation, sizeof(simulation), "%s probe-error=95", qemu.simulation);
	with.simulation = simulation;
	assert_fails(follow("%s", qemu.name), 3, "a guest cannot steer it");
	snprintf(simulation, sizeof(simulation), "%s guest-held", qemu.simulation);
	with.simulation = simulation;
	assert_fails(follow("%s", qemu.name), 1, "end the other tphctl follow");
}

/*
 * Another process, for what happens while tphctl runs: waits until its output has @text, and does
 * @act. Its exit status tells whether that came.
 */
static pid_t when(const char *text, void (*act)(void))
{
	pid_t pid;

	remove(OUTPUT);
	pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	for (int i = 0; i < 2000; i++) {
		if (!access(OUTPUT, F_OK) && file_has(OUTPUT, text, strlen(text))) {
			act();
			_exit(0);
		}
		usleep(10000);
	}
	_exit(1);
}

static void assert_done(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void end_qemu(void)
{
	kill(qemu.pid, SIGKILL);
}

static void map_text(char text[64], unsigned int zero, unsigned int one)
{
	snprintf(text, 64, "guest %u %u\n", zero, one);
}

static void map_is_set_and_ends_with_qemu(void **context)
{
	char map[64], said[64];
	pid_t other;

	(void)context;
	snprintf(said, sizeof(said), "tag 1 CPU %u, tag 2 CPU %u\n", first_cpu, second_cpu);
	other = when(said, end_qemu);
	with.simulation = qemu.simulation;
	with.out = OUTPUT;
	assert_int_equal(run(follow("%s", qemu.name)), 0);
	assert_done(other);
	map_text(map, first_cpu, second_cpu);
	assert_says(result.log, map);
	/* and taken away in the end */
	assert_says(result.log, "guest\n");
}

static void swap(void)
{
	pin(qemu.pid, second_cpu);
	pin(qemu.thread, first_cpu);
}

static void ungrant(void)
{
	char text[16];

	snprintf(text, sizeof(text), "%u\n", first_cpu);
	tree_attribute(TREE, TREE_ENDPOINT, "cpus", text);
}

static void map_follows_affinity_and_list(void **context)
{
	char map[64];
	pid_t other;

	(void)context;
	if (first_cpu != second_cpu) {
		other = when("tag 1 CPU", swap);
		with.simulation = qemu.simulation;
		with.out = OUTPUT;
		assert_int_equal(run(follow("--count 1 %s", qemu.name)), 0);
		assert_done(other);
		map_text(map, second_cpu, first_cpu);
		assert_says(result.log, map);
	}
	/* what the operator does not grant is none, and costs the others nothing */
	pin(qemu.pid, first_cpu);
	pin(qemu.thread, second_cpu);
	ungrant();
	with.simulation = qemu.simulation;
	other = when("tag 1 CPU", end_qemu);
	with.out = OUTPUT;
	assert_int_equal(run(follow("%s", qemu.name)), 0);
	assert_done(other);
	if (first_cpu != second_cpu) {
		snprintf(map, sizeof(map), "guest %u -1\n", first_cpu);
		assert_says(result.log, map);
	}
}

static void device_is_found_by_its_address(void **context)
{
	pid_t other = when("tag 1 CPU", end_qemu);

	(void)context;
	with.simulation = qemu.simulation;
	with.out = OUTPUT;
	assert_int_equal(run("follow --pm " TREE_ENDPOINT), 0);
	assert_done(other);
	assert_says(result.log, "guest pm");
}

static void dry_run_sets_nothing(void **context)
{
	pid_t other = when("would set", end_qemu);

	(void)context;
	with.out = OUTPUT;
	assert_int_equal(run(follow("--dry-run %s", qemu.name)), 0);
	assert_done(other);
	assert_string_equal(result.log, "");
}

static int monitor_listen(int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, MONITOR);
	unlink(MONITOR);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* What a monitor says to the query; @times: how often it was asked before */
typedef void answer_fn(FILE *file, const char *text, unsigned int times);

static pid_t monitor_that(answer_fn *answer, const char *text)
{
	int fd = monitor_listen(1);
	unsigned int times;
	char line[256];
	FILE *file;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		file = fdopen(accept(fd, NULL, NULL), "r+");
		if (!file)
			_exit(1);
		fputs("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n", file);
		fflush(file);
		times = 0;
		while (fgets(line, sizeof(line), file)) {
			if (strstr(line, "query-cpus-fast"))
				answer(file, text, times++);
			else
				fputs("{\"return\": {}}\r\n", file);
			fflush(file);
		}
		fclose(file);
	}
}

static void say_after_an_event(FILE *file, const char *text, unsigned int times)
{
	(void)times;
	fprintf(file, "{\"event\": \"STOP\"}\r\n%s\r\n", text);
}

static pid_t monitor(const char *answer)
{
	return monitor_that(say_after_an_event, answer);
}

static void end_monitor(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(MONITOR);
}

static void monitor_tells_the_threads(void **context)
{
	char answer[256], map[64];
	pid_t server, other;

	(void)context;
	/* the names say the contrary */
	name_thread(qemu.pid, "CPU 1/KVM");
	name_thread(qemu.thread, "CPU 0/KVM");
	snprintf(answer, sizeof(answer), "{\"return\": [{\"cpu-index\": 1, \"thread-id\": %d}, "
		 "{\"cpu-index\": 0, \"thread-id\": %d, \"target\": \"x86_64\"}]}", qemu.thread,
		 qemu.pid);
	server = monitor(answer);
	other = when("tag 1 CPU", end_qemu);
	with.simulation = qemu.simulation;
	with.out = OUTPUT;
	assert_int_equal(run(follow("--qmp " MONITOR " %s", qemu.name)), 0);
	assert_done(other);
	map_text(map, first_cpu, second_cpu);
	assert_says(result.log, map);
	end_monitor(server);
}

static void monitors_that_lie(void **context)
{
	static const struct {
		const char *answer, *why;
	} lies[] = {
		{ "{\"return\": 7}", "is not QMP" },
		{ "{\"return\": [7]}", "is not QMP" },
		{ "{\"return\": [{\"cpu-index\": -1, \"thread-id\": 1}]}", "is not QMP" },
		{ "{\"return\": [{\"cpu-index\": 0, \"thread-id\": \"1\"}]}", "is not QMP" },
		{ "{\"return\": [{\"cpu-index\": 0}]}", "is not QMP" },
		{ "{\"error\": {}}", "is not QMP" },
		{ "} nonsense", "is not QMP" },
		{ "{\"return\": [{\"cpu-index\": 0, \"thread-id\": 2147483648}]}", "is not QMP" },
		{ "{\"return\": [{\"cpu-index\": 0, \"thread-id\": 1e3}]}", "is not QMP" },
		{ "{\"return\": [{\"cpu-index\": 1e400, \"thread-id\": 1}]}", "is not QMP" },
		{ "null", "is not QMP" },
		{ "{\"return\": null}", "is not QMP" },
		{ "{\"return\": []}", "no thread of it is a virtual CPU" },
		{ "{\"return\": [{\"cpu-index\": 0, \"thread-id\": 0}]}", "no thread of it" },
		{ "{\"return\": [{\"cpu-index\": 4096, \"thread-id\": 1}]}", "more than 4096" },
		{ "{\"return\": [{\"cpu-index\": 99999999999999999999, \"thread-id\": 1}]}",
		  "more than 4096" },
		/* the thread of a process that has not the device */
		{ "{\"return\": [{\"cpu-index\": 0, \"thread-id\": 1}]}", "which has the device" },
	};

	(void)context;
	tree_text(TREE, "proc/1/status", "Name:\tinit\nTgid:\t1\n");
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		pid_t server = monitor(lies[i].answer);

		with.simulation = qemu.simulation;
		assert_fails(follow("--qmp " MONITOR " %s", qemu.name),
			     strstr(lies[i].why, "4096") ? 3 : 1, lies[i].why);
		assert_string_equal(result.log, "");
		end_monitor(server);
	}
}

static void repeat(FILE *file, const char *begin, const char *text, size_t size)
{
	fputs(begin, file);
	for (size_t sent = 0; sent < size && !ferror(file); sent += strlen(text))
		fputs(text, file);
}

static void say_events_without_end(FILE *file, const char *text, unsigned int times)
{
	(void)times;
	/* as fast as to be there each time that somebody looks, and not so fast as to take two CPUs */
	do
		fputs(text, file);
	while (!fflush(file) && !usleep(1000));
}

static void say_a_little_now_and_then(FILE *file, const char *text, unsigned int times)
{
	(void)times;
	for (;;) {
		fputs(text, file);
		if (fflush(file))
			return;
		usleep(50000);
	}
}

static void say_nothing(FILE *file, const char *text, unsigned int times)
{
	(void)file;
	(void)text;
	(void)times;
}

#define BOMB_SIZE	(1 << 20)

static void say_a_bomb(FILE *file, const char *text, unsigned int times)
{
	(void)times;
	repeat(file, "{\"return\": [", text, BOMB_SIZE);
	repeat(file, "", " ", 8 << 20);
}

#define PATIENCE_S	60

/* None of them keeps tphctl for longer than it has patience for one. */
static void monitors_that_do_not_answer(void **context)
{
	static const struct {
		answer_fn *answer;
		const char *text;
	} monitors[] = {
		{ say_events_without_end, "{\"event\": \"STOP\"}\r\n" },
		{ say_a_little_now_and_then, " " },
		{ say_nothing, NULL },
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int server, client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)context;
	alarm(PATIENCE_S);
	for (size_t i = 0; i < sizeof(monitors) / sizeof(*monitors); i++) {
		pid_t pid = monitor_that(monitors[i].answer, monitors[i].text);

		with.simulation = qemu.simulation;
		assert_int_equal(run(follow("--qmp " MONITOR " %s", qemu.name)), 1);
		assert_says(result.err, "it does not answer");
		end_monitor(pid);
	}
	/* and one that does not even accept: there is room for one that waits */
	server = monitor_listen(0);
	strcpy(address.sun_path, MONITOR);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	with.simulation = qemu.simulation;
	assert_int_equal(run(follow("--qmp " MONITOR " %s", qemu.name)), 1);
	assert_says(result.err, "it does not answer");
	alarm(0);
	close(client);
	close(server);
	unlink(MONITOR);
}

static long memory_of_children(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
	return usage.ru_maxrss;
}

/* What is small on the wire, and large when it is parsed. */
static void monitors_that_say_too_much(void **context)
{
	static const char *const bombs[] = { "{},", "[],", "[", "{\"return\":", "1,", "{\"a\":0,\"b\":0},",
					     "\"\"," };
	long before;

	(void)context;
	with.simulation = qemu.simulation;
	run(follow("--qmp /nonexistent %s", qemu.name));
	before = memory_of_children();
	alarm(2 * PATIENCE_S);
	for (size_t i = 0; i < sizeof(bombs) / sizeof(*bombs); i++) {
		pid_t pid = monitor_that(say_a_bomb, bombs[i]);

		with.simulation = qemu.simulation;
		assert_int_equal(run(follow("--qmp " MONITOR " %s", qemu.name)), 1);
		assert_says(result.err, "what it says is not QMP");
		end_monitor(pid);
	}
	alarm(0);
	assert_in_range(memory_of_children() - before, 0, 80 << 10);
}

static pid_t stranger;	/* a process that is none of QEMU's, on the first CPU */

static void say_strangers_later(FILE *file, const char *text, unsigned int times)
{
	if (!times)
		fprintf(file, "%s\r\n", text);
	else
		fprintf(file, "{\"return\": [{\"cpu-index\": 0, \"thread-id\": 999999999}, "
			"{\"cpu-index\": 1, \"thread-id\": %d}]}\r\n", stranger);
}

/* long enough for the monitor to be asked again */
static void end_qemu_later(void)
{
	usleep(3500000);
	end_qemu();
}

static void threads_text(char text[256])
{
	snprintf(text, 256, "{\"return\": [{\"cpu-index\": 0, \"thread-id\": %d}, "
		 "{\"cpu-index\": 1, \"thread-id\": %d}]}", qemu.pid, qemu.thread);
}

/* A thread that has just ended hides none of somebody else's. */
static void threads_of_others_are_not_followed(void **context)
{
	char answer[256], path[64], text[64], map[64];
	pid_t server, other;

	(void)context;
	stranger = sleeper();
	pin(stranger, first_cpu);
	snprintf(path, sizeof(path), "proc/%d/status", stranger);
	snprintf(text, sizeof(text), "Name:\tvictim\nTgid:\t%d\n", stranger);
	tree_text(TREE, path, text);
	threads_text(answer);
	server = monitor_that(say_strangers_later, answer);
	other = when("tag 1 CPU", end_qemu_later);
	with.simulation = qemu.simulation;
	with.out = OUTPUT;
	assert_int_equal(run(follow("--qmp " MONITOR " %s", qemu.name)), 0);
	assert_done(other);
	map_text(map, first_cpu, second_cpu);
	strcat(map, "guest\n");
	assert_string_equal(result.log, map);
	end_monitor(server);
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
}

static void end_thread(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/proc/%d/task/%d", TREE, qemu.pid, qemu.thread);
	tree_remove(path);
}

/* Its number goes to a thread of another process, which may run elsewhere. */
static void number_of_a_thread_that_ended(void **context)
{
	pid_t other = when("tag 1 CPU", end_thread);
	char map[64];

	(void)context;
	with.simulation = qemu.simulation;
	with.out = OUTPUT;
	assert_int_equal(run(follow("--count 1 %s", qemu.name)), 0);
	assert_done(other);
	snprintf(map, sizeof(map), "guest %u -1\n", first_cpu);
	assert_says(result.log, map);
}

/* A monitor may name any process: whose device a descriptor is, the kernel says. */
static void descriptor_is_its_users(void **context)
{
	int another = open(TREE_DEVICE_NODE, O_RDWR | O_CLOEXEC);
	char answer[256], map[64];
	pid_t server, other;

	(void)context;
	threads_text(answer);
	server = monitor(answer);
	with.simulation = qemu.simulation;
	with.device_fd = another;
	alarm(PATIENCE_S);
	assert_fails("follow --qmp " MONITOR " fd:7", 1, "it does not have fd:7");
	alarm(0);
	with.simulation = qemu.simulation;
	assert_fails("follow --qmp " MONITOR " fd:99", 1, "not an open descriptor");
	other = when("tag 1 CPU", end_qemu);
	with.simulation = qemu.simulation;
	with.device_fd = shared_fd;
	with.out = OUTPUT;
	assert_int_equal(run("follow --qmp " MONITOR " fd:7"), 0);
	assert_done(other);
	map_text(map, first_cpu, second_cpu);
	assert_says(result.log, map);
	end_monitor(server);
	close(another);
}

/* What it has there when its descriptor is copied is another file than what was found before. */
static void file_in_the_place_of_a_device(void **context)
{
	char simulation[64];
	struct stat status;
	int fd;

	(void)context;
	qemu_teardown(NULL);
	tree_remove(TREE "/proc");
	tree_put(TREE, "file", "", 0);
	fd = open(TREE "/file", O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, QEMU_FD), QEMU_FD);
	close(fd);
	assert_int_equal(fstat(QEMU_FD, &status), 0);
	qemu.pid = sleeper();
	qemu.thread = sleeper();
	close(QEMU_FD);
	tree_open(TREE, qemu.pid, QEMU_FD, TREE_DEVICE_NODE, "");
	name_thread(qemu.pid, "CPU 0/KVM");
	/* whoever asked it as a device would get an answer */
	snprintf(simulation, sizeof(simulation), "adopt-inode=%llu", (unsigned long long)status.st_ino);
	with.simulation = simulation;
	snprintf(words, sizeof(words), "set qemu:%d/" TREE_ENDPOINT " 0-1=2", qemu.pid);
	assert_fails(words, 1, "does not have that device open");
	assert_string_equal(result.log, "");
}

static void other_commands_take_it(void **context)
{
	(void)context;
	snprintf(words, sizeof(words), "set %s 0-1=2", qemu.name);
	with.simulation = qemu.simulation;
	assert_runs(words);
	assert_says(result.log, "set 0+2 flags 0: 2 2");
	assert_says(result.err, "ends with tphctl");
	snprintf(words, sizeof(words), "show %s", qemu.name);
	with.simulation = qemu.simulation;
	assert_runs(words);
	assert_says(result.out, "possible");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, qemu_setup, qemu_teardown)
	const struct CMUnitTest tests[] = {
		TEST(words_that_make_no_sense),
		TEST(machines_that_are_not_there),
		TEST(devices_that_guests_cannot_steer),
		TEST(monitors_that_lie),
		TEST(monitors_that_do_not_answer),
		TEST(monitors_that_say_too_much),
		TEST(threads_of_others_are_not_followed),
		TEST(number_of_a_thread_that_ended),
		TEST(descriptor_is_its_users),
		TEST(dry_run_sets_nothing),
		TEST(map_is_set_and_ends_with_qemu),
		TEST(map_follows_affinity_and_list),
		TEST(device_is_found_by_its_address),
		TEST(monitor_tells_the_threads),
		TEST(file_in_the_place_of_a_device),
		TEST(other_commands_take_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl follow", tests, NULL, cleanup);
}
