// SPDX-License-Identifier: MIT
/* To keep a tag when the reason to have it is gone. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "tph.h"

static bool cpu_goes_offline(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	act_as_root();
	guest_command("echo 0 >/sys/devices/system/cpu/cpu%u/online", HIS_CPU);
	act_as_user();
	return sends_tag(g, 0, HIS_TAG);
}

/* It comes back; the tag does not. */
static bool cpu_comes_back(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	act_as_root();
	guest_command("echo 0 >/sys/devices/system/cpu/cpu%u/online", HIS_CPU);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu%u/online", HIS_CPU);
	act_as_user();
	return still_sends_tag_after_a_second(g, 0, HIS_TAG);
}

static bool operator_takes_cpu(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	operator_cpus(attack->bdf, "0,2-3");
	return sends_tag(g, 0, HIS_TAG);
}

static bool operator_takes_and_gives(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	operator_cpus(attack->bdf, "0");
	operator_cpus(attack->bdf, "0-3");
	control(g, TPH_CTRL_IV);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	return sends_tag(g, 0, HIS_TAG);
}

static bool affinity_changes(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	guest_run_on(1u << 0);
	return still_sends_tag_after_a_second(g, 0, HIS_TAG);
}

static bool cpuset_changes(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	operator_cpuset(getpid(), "0-1");
	get_his_tag(g, ours);
	operator_cpuset(getpid(), "0");
	return still_sends_tag_after_a_second(g, 0, HIS_TAG);
}

/*
 * SET while disabled, lose the CPU, enable at once: before anybody could have noticed. So that the
 * enable is looked at, it comes longer after the former one than reviews for the asking are apart.
 */
static bool enable_after_loss(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open_disabled(attack->bdf);

	(void)ours;
	assert_int_equal(st_set_one(g, 0, HIS_CPU), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_true(sends_tag(g, 0, HIS_TAG));
	control(g, TPH_CTRL_IV);
	usleep(110 * 1000);
	guest_run_on(1u << 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	return sends_tag(g, 0, HIS_TAG);
}

/* The same in a loop, so that not every enable is looked at: it helps for a second at most. */
static bool enable_again_and_again(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	unsigned int i;

	get_his_tag(g, ours);
	guest_run_on(1u << 0);
	for (i = 0; i < 20; i++) {
		control(g, TPH_CTRL_IV);
		control(g, TPH_CTRL_IV | TPH_CTRL_16);
	}
	return still_sends_tag_after_a_second(g, 0, HIS_TAG);
}

/* A process that runs @run to its end or until it is killed; what it opened lives on elsewhere. */
static pid_t start(void (*run)(struct guest *, bool, int), struct guest *g, bool ours, int fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(g, ours, fd);
		_exit(0);
	}
	return pid;
}

static void set_and_wait(struct guest *g, bool ours, int fd)
{
	get_his_tag(g, ours);
	assert_int_equal(write(fd, "", 1), 1);
	pause();
}

/* The process that was granted the entry is killed; its parent has the device still. */
static bool owner_killed(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	int pipes[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = start(set_and_wait, g, ours, pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_true(sends_tag(g, 0, HIS_TAG));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return still_sends_tag_after_a_second(g, 0, HIS_TAG);
}

static const char *bdf_to_give;

static void open_and_give(struct guest *g, bool ours, int fd)
{
	char space[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec data = { "", 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	int fds[2];

	g = attack_open(bdf_to_give, ours);
	get_his_tag(g, ours);
	fds[0] = g->fd;
	/* with its address space, whichever kind that is */
	fds[1] = guest_has_iommufd() ? tph_iommu_fd(g->tph) : tph_container_fd(g->tph);
	*rights = (struct cmsghdr){ CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(rights), fds, sizeof(fds));
	assert_int_equal(sendmsg(fd, &message, 0), 1);
}

/* Opens, sets, hands the descriptors over a socket to somebody, and ends. */
static bool descriptor_sent_on(const struct attack *attack, bool ours)
{
	char byte, space[CMSG_SPACE(2 * sizeof(int))];
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	struct guest receiver = { .bdf = attack->bdf };
	int sockets[2], status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	bdf_to_give = attack->bdf;
	pid = start(open_and_give, NULL, ours, sockets[1]);
	assert_int_equal(recvmsg(sockets[0], &message, MSG_CMSG_CLOEXEC), 1);
	assert_non_null(CMSG_FIRSTHDR(&message));
	memcpy(&receiver.fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	return still_sends_tag_after_a_second(&receiver, 0, HIS_TAG);
}

#define BOTH(name, run) { name, run, AT_MSIX, STOCK_OPEN, NULL, "attack/lease.c" }
#define OURS(name, run, bdf, why) { name, run, bdf, STOCK_WITHOUT, why, "attack/lease.c" }

const struct attack lease_attacks[] = {
	BOTH("keep-over-cpu-offline", cpu_goes_offline),
	BOTH("keep-until-cpu-is-back", cpu_comes_back),
	BOTH("keep-over-affinity-change", affinity_changes),
	BOTH("keep-over-cpuset-change", cpuset_changes),
	BOTH("keep-over-death-of-owner", owner_killed),
	BOTH("keep-by-sending-descriptor", descriptor_sent_on),
	OURS("keep-over-operator-shrink", operator_takes_cpu, AT_MSIX, "n/a: has no CPU list"),
	OURS("keep-until-list-is-back", operator_takes_and_gives, AT_MSIX, "n/a: has no CPU list"),
	OURS("keep-by-late-enable", enable_after_loss, AT_MSIX, "n/a: no enable"),
	OURS("keep-by-many-enables", enable_again_and_again, AT_MSIX, "n/a: no enable"),
	OURS("cap-keep-over-cpu-offline", cpu_goes_offline, AT_CAPABILITY, "n/a: has no SET"),
	OURS("cap-keep-over-affinity", affinity_changes, AT_CAPABILITY, "n/a: has no SET"),
	OURS("cap-keep-over-shrink", operator_takes_cpu, AT_CAPABILITY, "n/a: has no CPU list"),
	OURS("cap-keep-over-owner-death", owner_killed, AT_CAPABILITY, "n/a: has no SET"),
	{ 0 }
};
