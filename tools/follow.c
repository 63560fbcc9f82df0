// SPDX-License-Identifier: GPL-2.0-only
/* tphctl follow: keep the map of a guest's steering tags to host CPUs true. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "borrow.h"
#include "descriptor.h"
#include "interruption.h"
#include "operand.h"
#include "operator.h"
#include "placement.h"
#include "qmp.h"
#include "sysfs.h"
#include "tphctl.h"
#include "vcpu.h"

#define LOOK_MS		250	/* nothing tells of an affinity that changes */
#define SET_MS		1000	/* between two changes of the map */
#define FIND_MS		2000	/* virtual CPUs may come and go, and caches with host CPUs */

/**
 * struct follow - a virtual machine's device
 * @name: what it is opened by
 * @address: its PCI address; empty: not known
 * @pid: QEMU
 * @process: descriptor of that
 * @monitor: NULL: threads are found by their names
 * @handle: of the device; NULL: only say what would be done
 * @cpus: virtual CPUs; @asked: what was told of them last, not yet looked at
 * @own: descriptor that the caller gave, or -1
 * @placement: of each
 * @map: host CPUs of tags 1 .. @count, as SET
 * @held: of these what the kernel has, without those that it took back, or that have no tag
 * @due: @map has to be SET again
 * @set_at, @found_at: when that was done last
 */
struct follow {
	struct tphctl *ctl;
	const struct invocation *invocation;
	char name[DEVICE_NAME_SIZE], address[TPH_ADDRESS_SIZE];
	int pid, process, own;
	struct qmp *monitor;
	struct handle *handle;
	enum tph_memory memory;
	struct vcpu_list cpus, asked;
	struct placement placement[VCPUS_MAX];
	uint32_t count, map[VCPUS_MAX], held[VCPUS_MAX];
	bool started, due;
	int64_t set_at, found_at;
	struct cpu_list online;
	struct caches caches;
	uint32_t changes;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int monitor_failure(const struct follow *follow, int error)
{
	const char *path = follow->invocation->value[OPTION_QMP];

	switch (-error) {
	case ETIMEDOUT:
		return fail(follow->ctl, TPHCTL_FAILED, "monitor", path,
			    "give QEMU one more: -qmp unix:PATH,server=on,wait=off",
			    "it does not answer: it has one client at a time");
	case EPROTO:
		return fail(follow->ctl, TPHCTL_FAILED, "monitor", path,
			    "give the socket of -qmp", "what it says is not QMP");
	case E2BIG:
		return fail(follow->ctl, TPHCTL_UNSUPPORTED, "monitor", path,
			    "give it fewer (-smp)", "the virtual machine has more than %u CPUs", VCPUS_MAX);
	default:
		return fail(follow->ctl, exit_code_of(error), "monitor", path,
			    "give the socket of -qmp", "%s", strerror(-error));
	}
}

/* Which threads there are now. Those of another process are none of this device's user. */
static int find_cpus(struct follow *follow)
{
	struct tphctl *ctl = follow->ctl;
	int error, pid;

	follow->found_at = now_ms();
	error = follow->monitor ? qmp_query_cpus(follow->monitor, &follow->asked) :
				  vcpu_find(ctl->proc, follow->pid, &follow->asked);
	if (error)
		return error;
	pid = vcpu_process(ctl->proc, &follow->asked);
	if (pid < 0)
		return pid;
	if (!follow->pid)
		follow->pid = pid;
	if (pid != follow->pid)
		return -EXDEV;
	follow->cpus = follow->asked;
	return 0;
}

static int find_failure(const struct follow *follow, int error)
{
	char process[32];

	snprintf(process, sizeof(process), "%d", follow->pid);
	if (error == -EXDEV || (error == -EPROTO && !follow->monitor))
		return fail(follow->ctl, TPHCTL_FAILED, "monitor",
			    follow->invocation->value[OPTION_QMP], "give that of its own QEMU",
			    "its virtual CPUs are no threads of process %s, which has the device",
			    process);
	if (follow->monitor && error != -ESRCH)
		return monitor_failure(follow, error);
	if (error == -ESRCH)
		return fail(follow->ctl, TPHCTL_FAILED, "process", process,
			    "start QEMU with -name debug-threads=on, or give its monitor with --qmp",
			    "no thread of it is a virtual CPU, as far as its name tells");
	return fail(follow->ctl, exit_code_of(error), "process", process, "run as root", "%s",
		    strerror(-error));
}

/* CPUs of which the kernel would grant a tag. */
static void find_granted(const struct follow *follow, struct cpu_list *granted)
{
	char path[PATH_MAX], text[CPU_LIST_SIZE], item[32];
	struct cpu_list list;

	*granted = follow->online;
	if (!cpu_list_affinity(&list))
		cpu_list_intersect(granted, &list);
	if (*follow->address &&
	    !operator_path(follow->ctl->sysfs, follow->address, "cpus", path, sizeof(path)) &&
	    !sysfs_read_text(path, text, sizeof(text)) &&
	    !cpu_list_parse(text, &list, item, sizeof(item)))
		cpu_list_intersect(granted, &list);
}

static void find_caches(struct follow *follow)
{
	struct cpu_list online;

	if (cpu_list_read(follow->ctl->sysfs, "online", &online) ||
	    !memcmp(&online, &follow->online, sizeof(online)))
		return;
	follow->online = online;
	caches_read(follow->ctl->sysfs, &follow->caches);
}

static void place(struct follow *follow, uint32_t index, const struct cpu_list *granted)
{
	struct placement *placement = &follow->placement[index];
	const int thread = follow->cpus.cpu[index].thread;
	uint32_t last = TPH_CPU_NONE;
	struct cpu_list may;

	/* what has ended may have left its number to a thread of somebody else's: look afterwards */
	if (!thread || cpu_list_affinity_of(thread, &may) ||
	    !vcpu_is_of(follow->ctl->proc, follow->pid, thread)) {
		placement_init(placement);
		return;
	}
	if (placement_spans(&may, &follow->caches))
		last = vcpu_last(follow->ctl->proc, follow->pid, thread);
	placement_update(placement, &may, granted, last, &follow->caches);
}

/* Where they are, and whether that is news. */
static bool look(struct follow *follow)
{
	struct cpu_list granted;
	bool changed = !follow->started || follow->count != follow->cpus.count;

	find_granted(follow, &granted);
	for (uint32_t i = 0; i < follow->cpus.count; i++) {
		place(follow, i, &granted);
		changed |= i >= follow->count || follow->placement[i].cpu != follow->map[i];
	}
	for (uint32_t i = follow->cpus.count; i < follow->count; i++)
		placement_init(&follow->placement[i]);
	return changed;
}

static const char *cpu_text(uint32_t cpu, char text[16])
{
	if (cpu == TPH_CPU_NONE)
		return "none";
	snprintf(text, 16, "%" PRIu32, cpu);
	return text;
}

static void print_json(const struct follow *follow, const char *stamp)
{
	struct json_object *map = json_object_new_array();
	struct tphctl *ctl = follow->ctl;

	answer_renew(ctl, follow->invocation, follow->name, stamp);
	for (uint32_t i = 0; i < follow->count; i++) {
		struct json_object *tag = json_object_new_object();
		uint32_t cpu = follow->map[i];

		json_object_object_add(tag, "tag", json_object_new_int64(i + 1));
		json_object_object_add(tag, "thread",
				       json_object_new_int64(follow->cpus.cpu[i].thread));
		json_object_object_add(tag, "cpu", cpu == TPH_CPU_NONE ? NULL :
				       json_object_new_int64(cpu));
		json_object_object_add(tag, "held", json_object_new_boolean(
				       cpu != TPH_CPU_NONE && follow->held[i] == cpu));
		json_object_array_add(map, tag);
	}
	answer_add(ctl, "set", json_object_new_boolean(follow->handle != NULL));
	answer_add(ctl, "map", map);
	answer_print(ctl);
}

/* @before: the map that this one takes the place of, of @count; @held: what was left of it */
static void print_text(const struct follow *follow, const char *stamp, const uint32_t *before,
		       const uint32_t *held, uint32_t count)
{
	const char *separator = "";
	char text[16];

	say("%s%s ", stamp, follow->handle ? "" : " would set");
	for (uint32_t i = 0; i < follow->count; i++) {
		if (follow->started && i < count && before[i] == follow->map[i] &&
		    held[i] == follow->held[i])
			continue;
		say("%s tag %u CPU %s%s", separator, i + 1, cpu_text(follow->map[i], text),
		    follow->held[i] != follow->map[i] ? " (which has no tag)" : "");
		separator = ",";
	}
	if (follow->count < count)
		say("%s tags %u to %u are gone", separator, follow->count + 1, count);
	putchar('\n');
}

static int set_failure(const struct follow *follow, int error)
{
	switch (-error) {
	case ENOTTY:
		return fail(follow->ctl, TPHCTL_UNSUPPORTED, "device", follow->name,
			    "tphctl bind gives it to one that does",
			    "its driver does not let guests steer");
	case EOPNOTSUPP:
		return fail(follow->ctl, TPHCTL_UNSUPPORTED, "device", follow->name,
			    "tphctl why tells what is missing",
			    "a guest cannot steer it: there is no way to steer, or no ST table that "
			    "it could be shown");
	case EBUSY:
		return fail(follow->ctl, TPHCTL_FAILED, "device", follow->name,
			    "end the other tphctl follow, or what set its entries",
			    "another process has a map or entries of it, or it is in Device Specific "
			    "mode");
	case ENODEV:
		return fail(follow->ctl, TPHCTL_UNSUPPORTED, "device", follow->name, "look at dmesg",
			    "firmware does not know the device or a CPU, or it is being unbound");
	default:
		return fail(follow->ctl, exit_code_of(error), "device", follow->name,
			    "tphctl why tells more", "the map was not taken: %s", strerror(-error));
	}
}

/* What the kernel has of the map. Return: whether that is as it was. */
static bool read_held(struct follow *follow)
{
	static uint32_t now[VCPUS_MAX];
	const size_t size = follow->count * sizeof(*now);
	bool same;

	if (tph_guest_get_cpus(follow->handle->device, follow->count, now) < 0)
		return true;
	same = !memcmp(now, follow->held, size);
	memcpy(follow->held, now, size);
	return same;
}

/* Return: 1 done, 0 not yet, or a negative errno. */
static int set(struct follow *follow)
{
	static uint32_t before[VCPUS_MAX], held[VCPUS_MAX];
	const uint32_t count = follow->count;
	char stamp[64];
	int error = 0;

	memcpy(before, follow->map, sizeof(before));
	memcpy(held, follow->held, sizeof(held));
	follow->set_at = now_ms();
	follow->count = follow->cpus.count;
	for (uint32_t i = 0; i < follow->count; i++)
		follow->map[i] = follow->held[i] = follow->placement[i].cpu;
	if (follow->handle)
		error = tph_guest_map(follow->handle->device, follow->memory, follow->count,
				      follow->map);
	if (error) {
		memcpy(follow->map, before, sizeof(before));
		follow->count = count;
		/* a CPU went offline or off the list meanwhile, or QEMU has not attached it yet */
		return error == -EPERM ? 0 : error;
	}
	if (follow->handle)
		read_held(follow);
	time_stamp(stamp, sizeof(stamp));
	if (follow->ctl->json)
		print_json(follow, stamp);
	else
		print_text(follow, stamp, before, held, count);
	follow->started = true;
	follow->due = false;
	return fflush(stdout) ? -EPIPE : 1;
}

/* One look. Return: enum tphctl_exit */
static int step(struct follow *follow)
{
	const int64_t now = now_ms();
	int done;

	if (now - follow->found_at >= FIND_MS) {
		int error = find_cpus(follow);

		/* of one that is ending its descriptor tells next */
		if (error && error != -ESRCH && error != -EPIPE && error != -ECONNRESET)
			return find_failure(follow, error);
		find_caches(follow);
	}
	if (look(follow))
		follow->due = true;
	if (follow->started && now - follow->set_at < SET_MS)
		return TPHCTL_OK;
	if (follow->handle && follow->started && !read_held(follow))
		follow->due = true;
	if (!follow->due)
		return TPHCTL_OK;
	done = set(follow);
	if (done == -EPIPE)
		return fail(follow->ctl, TPHCTL_FAILED, "file", "standard output",
			    "let it go where it can be written", "it cannot be written");
	if (done < 0)
		return set_failure(follow, done);
	follow->changes += done;
	return TPHCTL_OK;
}

/* Whether QEMU has ended. */
static bool wait_process(const struct follow *follow, int ms)
{
	struct pollfd polled = { .fd = follow->process, .events = POLLIN };

	return poll(&polled, 1, ms) == 1;
}

/* QEMU has a device before it has bound it to an iommufd: then it can do nothing yet. */
static int open_device(struct follow *follow)
{
	struct handle *handle = NULL;
	bool told = false;
	int error;

	while ((error = handle_open_quietly(follow->ctl, follow->name, &handle)) == -EINVAL) {
		if (!told)
			note(follow->ctl, "%s: waiting for its user to make it ready", follow->name);
		told = true;
		if (wait_process(follow, LOOK_MS) || interruption_seen())
			break;
	}
	if (error)
		return open_failure(follow->ctl, follow->name, error);
	follow->handle = handle;
	error = tph_guest_probe(handle->device);
	return error ? set_failure(follow, error) : TPHCTL_OK;
}

/* @count: changes after the first map, 0: without end */
static int run(struct follow *follow, uint32_t count)
{
	int code = TPHCTL_OK;

	find_caches(follow);
	if (!invocation_has(follow->invocation, OPTION_DRY_RUN))
		code = open_device(follow);
	while (!code) {
		code = step(follow);
		if (count && follow->changes > count)
			break;
		if (!code && (wait_process(follow, LOOK_MS) || interruption_seen()))
			break;
	}
	if (!follow->handle)
		return code;
	/* of a device that is gone nothing is left to take back */
	if (follow->started)
		tph_guest_map(follow->handle->device, follow->memory, 0, NULL);
	/* in a batch, too: it must not stay open when QEMU has ended */
	handle_close(follow->ctl, follow->handle);
	return code;
}

/* Whose device it is, if that is not said. */
static int find_user(struct follow *follow)
{
	struct tphctl *ctl = follow->ctl;
	struct pci_function function;
	struct holder holder;
	int error = function_read(ctl->sysfs, follow->name, &function), found;

	if (error)
		return function_failure(ctl, follow->name, error);
	found = descriptor_holder(ctl, &function, &holder);
	if (found == -ENOENT)
		return fail(ctl, TPHCTL_FAILED, "folder", ctl->proc, "mount -t proc proc /proc; "
			    "or give the device as fd:N", "there is no proc to find its user in");
	if (found < 0)
		return fail(ctl, exit_code_of(found), "device", follow->name, "run as root",
			    "not every process may be looked into");
	if (!found)
		return fail(ctl, TPHCTL_FAILED, "device", follow->name, "start the virtual machine",
			    "nobody has it open");
	follow->pid = holder.pid;
	memcpy(follow->address, function.address, sizeof(follow->address));
	snprintf(follow->name, sizeof(follow->name), BORROW_PREFIX "%d/%s", holder.pid,
		 follow->address);
	return TPHCTL_OK;
}

static int parse(struct follow *follow)
{
	const char *text = follow->invocation->operand[0];
	struct tphctl *ctl = follow->ctl;
	int fd;

	if (!device_name_parse(text, follow->name, sizeof(follow->name), &fd))
		return fail(ctl, TPHCTL_USAGE, "device", text, DEVICE_NAME_REMEDY,
			    DEVICE_NAME_REASON);
	if (ctl->foreign_sysfs)
		return fail(ctl, TPHCTL_USAGE, "option", "--sysfs", "leave it out",
			    "there are no virtual machines in another sysfs than the kernel's");
	answer_add(ctl, "device", json_object_new_string(follow->name));
	if (fd == DEVICE_BORROWED)
		borrow_parse(follow->name, &follow->pid, follow->address);
	else if (fd < 0)
		return find_user(follow);
	else if (!invocation_has(follow->invocation, OPTION_QMP))
		return fail(ctl, TPHCTL_USAGE, "device", text,
			    "give QEMU's monitor with --qmp, or the device as qemu:PID/ADDRESS",
			    "of a descriptor it is not known whose virtual CPUs steer it");
	else if (!handle_address(ctl, follow->name, follow->address))
		follow->address[0] = '\0';
	if (fd != DEVICE_BORROWED)
		follow->own = fd;
	return TPHCTL_OK;
}

/* A monitor may name any process. Of a descriptor, only one that has it too is its user. */
static int check_user(struct follow *follow)
{
	struct tphctl *ctl = follow->ctl;
	char process[32];
	int same;

	if (fcntl(follow->own, F_GETFD) < 0)
		return open_failure(ctl, follow->name, -errno);
	same = descriptor_shared(ctl, follow->own, follow->pid);
	snprintf(process, sizeof(process), "%d", follow->pid);
	if (same > 0)
		return TPHCTL_OK;
	if (same == -ENOSYS)
		return fail(ctl, TPHCTL_UNSUPPORTED, "process", process,
			    "give the device as qemu:PID/ADDRESS",
			    "the kernel does not tell whether it has %s as well (CONFIG_KCMP)",
			    follow->name);
	if (same < 0)
		return fail(ctl, exit_code_of(same), "process", process, "run as root",
			    "it cannot be seen whether it has %s as well: %s", follow->name,
			    strerror(-same));
	return fail(ctl, TPHCTL_FAILED, "process", process, "give the monitor of the QEMU that has it",
		    "it does not have %s, but the monitor says that its threads are the virtual "
		    "CPUs", follow->name);
}

static int start(struct follow *follow)
{
	const char *path = follow->invocation->value[OPTION_QMP];
	int code = parse(follow), error = 0;

	if (code)
		return code;
	if (path)
		error = qmp_open(path, &follow->monitor);
	if (error)
		return monitor_failure(follow, error);
	error = find_cpus(follow);
	if (error)
		return find_failure(follow, error);
	follow->process = borrow_process(follow->pid);
	if (follow->process < 0)
		return find_failure(follow, follow->process);
	return follow->own >= 0 ? check_user(follow) : TPHCTL_OK;
}

int follow_run(struct tphctl *ctl, const struct invocation *invocation)
{
	const char *changes = invocation->value[OPTION_CHANGES];
	uint32_t count = 0;
	struct follow *follow;
	int code;

	if (changes && (!number_parse(changes, UINT32_MAX - 1, &count) || !count))
		return fail(ctl, TPHCTL_USAGE, "count", changes,
			    "say how many changes to wait for",
			    "it is not a number from 1 to 4294967294");
	follow = calloc(1, sizeof(*follow));
	if (!follow)
		return fail(ctl, TPHCTL_FAILED, "device", invocation->operand[0], "end other "
			    "programs", "%s", strerror(ENOMEM));
	follow->ctl = ctl;
	follow->invocation = invocation;
	follow->process = follow->own = -1;
	follow->memory = invocation_has(invocation, OPTION_PM) ? TPH_MEMORY_PERSISTENT :
			 TPH_MEMORY_VOLATILE;
	for (size_t i = 0; i < VCPUS_MAX; i++)
		placement_init(&follow->placement[i]);
	interruption_hold();
	code = start(follow);
	if (!code)
		code = run(follow, count);
	interruption_release();
	if (follow->process >= 0)
		close(follow->process);
	qmp_close(follow->monitor);
	free(follow);
	return code;
}
