// SPDX-License-Identifier: MIT
/*
 * Everything at once: two processes of four threads each do at random what users, operators and the
 * machine can do to two devices, while these send requests all the time. Here it is checked that no
 * call fails in a way that the uAPI does not name, that nothing hangs, and that all works when it
 * is quiet again; whether a tag was sent that nobody was granted, tests/vm/judge.c tells
 * afterwards.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "../../lib/kernel_abi.h"
#include "guest.h"
#include "tph.h"
#include "witness.h"

#define PROCESSES  2
#define THREADS	   4 /* each */
#define DEVICES	   2
#define CPUS	   4
#define VECTORS	   16
#define ALL_CPUS   ((1u << CPUS) - 1)
#define NONE	   VFIO_TPH_CPU_NONE
#define PATIENCE   60	 /* seconds for one call; a reset takes a few tenths */
#define BUFFER_KIB 32768 /* for each CPU */
#define SPACES	   2	 /* I/O address spaces for each device */
#define REPEAT	   4	 /* requests after each write to configuration space */

#define CONFIG_AT(at) (((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + (at))
#define BAR0_AT(at)   (((uint64_t)VFIO_PCI_BAR0_REGION_INDEX << 40) + (at))

/* not in the headers of older distributions */
#define IO_URING_SETUP 425
#define SQPOLL	       2 /* a flag of it */
#define PIDFD_OPEN     434
#define PIDFD_GETFD    438
#define DETACH_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 20)
#define IOAS_MAP       _IO(';', 0x85)
struct ioas_map {
	uint32_t size, flags, ioas_id, reserved;
	uint64_t user_va, length, iova;
};

struct device {
	const char *bdf;
	bool msix;
	unsigned int entries;
	uint16_t cap, cap_end, pm, express;
};

static struct device devices[DEVICES] = {
	{ .bdf = EP_CAPABILITY, .entries = 64 },
	{ .bdf = EP_MSIX, .entries = VECTORS, .msix = true },
};

/* What both processes share of a device. */
struct seat {
	pthread_rwlock_t lock;	  /* taken for writing to close: then nobody has a descriptor */
	pthread_mutex_t attach;	  /* attaching and the marks that tell of it */
	pthread_mutex_t operator; /* the operator's list and the marks that tell of it */
	unsigned int operator_cpus;
	int fd; /* in the first process; the others fetch it from there */
	uint32_t spaces[SPACES];
	struct tph_device *tph; /* in the first process */
	int request_fd;		/* there too: signalled when the driver asks for the device */
	volatile int removing;	/* with the lock for writing it begins and ends */
#define MAY_BEGIN 1
#define HAS_BEGUN 2 /* the driver has asked for the device, so all is taken back */
	volatile unsigned int removals;
};

enum { ERRNOS = 134 };

struct operation;

struct worker {
	unsigned int process, number;
	uint64_t random;
	pid_t tid;
	int fail_nth;  /* -1: the kernel has no fault injection */
	bool injected; /* an allocation was made to fail in this operation */
	const struct operation *now;
	const struct seat *seat; /* of this operation */
	unsigned int removals;	 /* of the seat, when it began */
	volatile time_t since;	 /* 0: between operations */
	volatile uint64_t done;
};

static struct shared {
	struct seat seats[DEVICES];
	pthread_rwlock_t quiet; /* taken for writing to be alone: then no other operation runs */
	pthread_mutex_t hotplug;
	struct worker workers[PROCESSES * THREADS];
	volatile int stop;
	unsigned int failures;
	uint32_t counts[32][ERRNOS];
	uint32_t injected;
	volatile uint32_t reads; /* of the unprivileged reader */
} * shared;

static uint8_t *dma;
static int first_process_fd = -1, notify_fd = -1, wakeup_fd = -1, vector_fds[DEVICES][VECTORS];
static int ring = -1; /* each process's own */
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t draw(struct worker *w)
{
	/* splitmix64: any seed is a good one */
	uint64_t z = w->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) >> 16);
}

static uint32_t below(struct worker *w, uint32_t n)
{
	return draw(w) % n;
}

static bool one_in(struct worker *w, uint32_t n)
{
	return !below(w, n);
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* ---- operations: what they may answer is what the kernel's interfaces say ---- */

struct operation {
	const char *name;
	unsigned int weight;
	void (*run)(struct worker *w, struct device *d, struct seat *seat, int fd);
	unsigned int flags;
#define INJECT 1u /* allocations may be made to fail in it */
#define APART  2u /* needs no descriptor, or sees to locks itself */
#define ALONE  4u /* nobody else does anything meanwhile; APART too */
#define GOES   8u /* while the driver lets go of the device: ENODEV, and ENOENT for attributes */
};

static const struct operation operations[];
static size_t operation_count(void);

#define MAY(...) ((const int[]){ 0, ##__VA_ARGS__, -1 })

/* Counts an answer (0 or a positive errno); one that is not in @may is a failure. */
static void answer(struct worker *w, int error, const int *may, const char *details)
{
	size_t i;

	__atomic_add_fetch(&shared->counts[w->now - operations][error < ERRNOS ? error : 0], 1,
			   __ATOMIC_RELAXED);
	for (i = 0; may[i] >= 0; i++)
		if (error == may[i])
			return;
	if (w->injected && (error == ENOMEM || error == EIO || error == ENOSPC))
		return;
	if (w->now->flags & GOES && (error == ENODEV || error == ENOENT) &&
	    (w->seat->removing || w->seat->removals != w->removals))
		return;
	__atomic_add_fetch(&shared->failures, 1, __ATOMIC_RELAXED);
	printf("# unexpected: process %u thread %u: %s (%s): %s%s\n", w->process, w->number,
	       w->now->name, details, strerror(error),
	       w->injected ? ", with a failed allocation" : "");
	fflush(stdout);
}

static void inject_begin(struct worker *w)
{
	char text[8];
	int n;

	w->injected = false;
	if (w->fail_nth < 0 || !(w->now->flags & INJECT) || !one_in(w, 4))
		return;
	n = snprintf(text, sizeof(text), "%u", 1 + below(w, 10));
	w->injected = pwrite(w->fail_nth, text, (size_t)n, 0) == n;
}

/* What is left of the count says whether it came to a failure. */
static void inject_end(struct worker *w)
{
	char text[8] = "";

	if (!w->injected)
		return;
	w->injected = pread(w->fail_nth, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	if (pwrite(w->fail_nth, "0", 1, 0) != 1)
		abort();
	if (w->injected)
		__atomic_add_fetch(&shared->injected, 1, __ATOMIC_RELAXED);
}

/* One system call; only in it allocations fail. */
#define CALL(w, expression)                                                                        \
	({                                                                                         \
		int error_;                                                                        \
		inject_begin(w);                                                                   \
		error_ = (expression) < 0 ? errno : 0;                                             \
		inject_end(w);                                                                     \
		error_;                                                                            \
	})

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	if (ret) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return close(fd);
}

/* As the kernel reads lists of CPUs. */
static void list_of(unsigned int mask, char *list)
{
	unsigned int cpu;

	*list = '\0';
	for (cpu = 0; cpu < CPUS; cpu++)
		if (mask & 1u << cpu)
			sprintf(list + strlen(list), "%s%u", *list ? "," : "", cpu);
}

/* Mostly what works, for there is nothing to lose otherwise. */
static unsigned int draw_cpus(struct worker *w)
{
	unsigned int mask = below(w, 4) ? ALL_CPUS : draw(w) & ALL_CPUS;

	return mask ? mask : 1;
}

static uint32_t draw_cpu(struct worker *w)
{
	uint32_t kind = below(w, 48);

	if (kind == 0)
		return CPUS + below(w, 2000);
	if (kind == 1)
		return CPU_WITHOUT_TAGS;
	return kind < 8 ? NONE : below(w, CPU_WITHOUT_TAGS);
}

/* struct vfio_device_feature, and in it struct vfio_device_feature_tph_st */
struct st_call {
	uint32_t argsz, feature;
	uint32_t flags;
	uint16_t index, count;
	uint32_t values[VFIO_TPH_ST_MAX];
};

static void st_call_init(struct st_call *call, uint32_t operation, uint32_t flags, uint32_t index,
			 uint32_t count)
{
	call->argsz = (uint32_t)(offsetof(struct st_call, values) + count * sizeof(uint32_t));
	call->feature = operation | VFIO_DEVICE_FEATURE_TPH_ST;
	call->flags = flags;
	call->index = (uint16_t)index;
	call->count = (uint16_t)count;
}

static void draw_range(struct worker *w, struct device *d, uint32_t *index, uint32_t *count)
{
	*index = below(w, d->entries);
	*count = 1 + below(w, d->entries - *index);
	if (one_in(w, 2))
		*count = 1;
	if (one_in(w, 24))
		*count = below(w, VFIO_TPH_ST_MAX);
	if (one_in(w, 24))
		*index = draw(w) & 0xffff;
}

static void set(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	uint32_t flags = one_in(w, 3) ? VFIO_TPH_ST_MEM_TYPE_PM : 0, index, count, i;
	bool bad, hardware = d->msix;
	bool gone = seat->removing == HAS_BEGUN;
	struct st_call call;
	char details[64];
	int error;

	draw_range(w, d, &index, &count);
	if (one_in(w, 40))
		flags |= 1u << (1 + below(w, 31));
	bad = !count || index + count > d->entries || flags & ~VFIO_TPH_ST_MEM_TYPE_PM;
	st_call_init(&call, VFIO_DEVICE_FEATURE_SET, flags, index, count);
	for (i = 0; i < count; i++) {
		call.values[i] =
			count > 4 && below(w, 16) ? below(w, CPU_WITHOUT_TAGS) : draw_cpu(w);
		bad |= call.values[i] != NONE && call.values[i] >= CPUS;
	}
	error = CALL(w, ioctl(fd, VFIO_DEVICE_FEATURE, &call));
	snprintf(details, sizeof(details), "%s index=%u count=%u cpu=%d", d->bdf, index, count,
		 (int)call.values[0]);
	/* EPERM: a policy comes before everything else */
	if (bad)
		answer(w, error, (const int[]){ EINVAL, EPERM, -1 }, details);
	else
		answer(w, error, MAY(EPERM, EBUSY, EOPNOTSUPP, hardware ? EIO : 0), details);
	if (gone && !error)
		answer(w, ERANGE, MAY(0), "set, and the driver has let go");
}

static void get(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	static const uint32_t kinds[] = { VFIO_TPH_ST_CPU,
					  VFIO_TPH_ST_CPU,
					  0,
					  VFIO_TPH_ST_EXT,
					  VFIO_TPH_ST_CPU | VFIO_TPH_ST_EXT,
					  0x8000 };
	uint32_t flags = kinds[below(w, 6)], index, count, i;
	struct st_call call;
	bool bad;
	int error;

	(void)seat;
	draw_range(w, d, &index, &count);
	bad = !count || index + count > d->entries || flags == 0x8000 ||
	      flags == (VFIO_TPH_ST_CPU | VFIO_TPH_ST_EXT);
	st_call_init(&call, VFIO_DEVICE_FEATURE_GET, flags, index, count);
	error = CALL(w, ioctl(fd, VFIO_DEVICE_FEATURE, &call));
	if (bad)
		answer(w, error, (const int[]){ EINVAL, -1 }, d->bdf);
	else if (flags & VFIO_TPH_ST_CPU)
		answer(w, error, MAY(0), d->bdf);
	else
		answer(w, error, MAY(EPERM, EOPNOTSUPP), d->bdf);
	for (i = 0; !bad && !error && flags & VFIO_TPH_ST_CPU && i < count; i++)
		if (call.values[i] != NONE && call.values[i] >= CPUS)
			answer(w, ERANGE, MAY(0), "an entry holds a CPU that is none");
}

/* ---- a guest, and its manager ---- */

#define VIRTUAL_TAGS 6

/* struct vfio_device_feature, and in it struct vfio_device_feature_tph_guest */
struct map_call {
	uint32_t argsz, feature;
	uint32_t flags, count;
	uint32_t values[64];
};

static void map_call_init(struct map_call *call, uint32_t operation, uint32_t flags, uint32_t count)
{
	call->argsz = (uint32_t)(offsetof(struct map_call, values) + count * sizeof(uint32_t));
	call->feature = operation | VFIO_DEVICE_FEATURE_TPH_GUEST;
	call->flags = flags;
	call->count = count;
}

static int map_remove(int fd)
{
	struct map_call call;

	map_call_init(&call, VFIO_DEVICE_FEATURE_SET, 0, 0);
	return ioctl(fd, VFIO_DEVICE_FEATURE, &call) ? errno : 0;
}

/* Half of them remove it, else there would be one all the time, and no entry of a process's own. */
static void map(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	uint32_t flags = one_in(w, 3) ? VFIO_TPH_GUEST_MEM_TYPE_PM : 0;
	uint32_t count = one_in(w, 2) ? 0 : 1 + below(w, VIRTUAL_TAGS), i;
	bool gone = seat->removing == HAS_BEGUN, bad;
	struct map_call call;
	int error;

	if (one_in(w, 40))
		flags |= 1u << (1 + below(w, 31));
	bad = flags & ~VFIO_TPH_GUEST_MEM_TYPE_PM;
	map_call_init(&call, VFIO_DEVICE_FEATURE_SET, flags, count);
	for (i = 0; i < count; i++) {
		call.values[i] = draw_cpu(w);
		bad |= call.values[i] != NONE && call.values[i] >= CPUS;
	}
	error = CALL(w, ioctl(fd, VFIO_DEVICE_FEATURE, &call));
	/* EBUSY: the other process holds something, or device-specific mode is enabled */
	if (bad)
		answer(w, error, (const int[]){ EINVAL, EPERM, -1 }, d->bdf);
	else
		answer(w, error, MAY(EPERM, EBUSY, d->msix ? EIO : 0), d->bdf);
	if (gone && !error && count)
		answer(w, ERANGE, MAY(0), "a map, and the driver has let go");
}

static void map_get(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	uint32_t flags = one_in(w, 2) ? VFIO_TPH_GUEST_TABLE : 0, room = below(w, 64), i;
	struct map_call call;
	int error;

	(void)seat;
	map_call_init(&call, VFIO_DEVICE_FEATURE_GET, flags, room);
	error = CALL(w, ioctl(fd, VFIO_DEVICE_FEATURE, &call));
	answer(w, error, MAY(0), d->bdf);
	for (i = 0; !error && !flags && i < call.count && i < room; i++)
		if (call.values[i] != NONE && call.values[i] >= CPUS)
			answer(w, ERANGE, MAY(0), "a virtual tag stands for a CPU that is none");
}

/* ---- configuration space ---- */

static int config_put(int fd, unsigned int at, const void *value, size_t size)
{
	ssize_t n = pwrite(fd, value, size, (off_t)CONFIG_AT(at));

	if (n >= 0 && n != (ssize_t)size)
		errno = EIO;
	return n == (ssize_t)size ? 0 : -1;
}

static int config_put16(int fd, unsigned int at, uint16_t value)
{
	return config_put(fd, at, &value, 2);
}

static void control_register(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	static const uint32_t widths[] = { TPH_CTRL_8, TPH_CTRL_16, TPH_CTRL_16, 0,
					   TPH_CTRL_RESERVED };
	uint32_t value = widths[below(w, 5)] | (one_in(w, 8) ? below(w, 8) : TPH_CTRL_IV);
	unsigned int at = below(w, 4), size = 1 + below(w, 4 - at);
	bool gone = seat->removing == HAS_BEGUN;

	if (one_in(w, 2))
		at = 0, size = 4;
	value >>= 8 * at;
	answer(w, CALL(w, config_put(fd, d->cap + TPH_CTRL + at, &value, size)), MAY(0), d->bdf);
	if (gone && (pread(fd, &value, 4, (off_t)CONFIG_AT(d->cap + TPH_CTRL)) != 4 ||
		     value & TPH_CTRL_16))
		answer(w, ERANGE, MAY(0), "enabled, and the driver has let go");
}

/* Any width at any place of the capability. */
static void capability_access(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	unsigned int size = 1 + below(w, 8);
	unsigned int at = d->cap + below(w, (uint32_t)(d->cap_end - d->cap) - size);
	uint64_t value = (uint64_t)draw(w) << 32 | draw(w);

	(void)seat;
	if (one_in(w, 3))
		answer(w, CALL(w, pread(fd, &value, size, (off_t)CONFIG_AT(at))), MAY(0), d->bdf);
	else
		answer(w, CALL(w, config_put(fd, at, &value, size)), MAY(0), d->bdf);
}

/* Where there is no map this is nothing, and behind the capability of the second device. */
static void guest_table(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	unsigned int at = d->cap + TPH_TABLE + 2 * below(w, d->entries);

	(void)seat;
	answer(w, CALL(w, config_put16(fd, at, (uint16_t)below(w, VIRTUAL_TAGS + 2))), MAY(0),
	       d->bdf);
}

static void command(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	uint16_t on = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, off;

	(void)seat;
	off = one_in(w, 2) ? PCI_COMMAND_MASTER : one_in(w, 2) ? PCI_COMMAND_MEMORY : 0;
	if (one_in(w, 3)) {
		answer(w, CALL(w, config_put16(fd, PCI_COMMAND, off)), MAY(0), d->bdf);
		usleep(below(w, 2000));
	}
	answer(w, CALL(w, config_put16(fd, PCI_COMMAND, on)), MAY(0), d->bdf);
}

static void power(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	(void)seat;
	answer(w, CALL(w, config_put16(fd, d->pm + PCI_PM_CTRL, 3)), MAY(0), d->bdf);
	usleep(below(w, 2000));
	answer(w, CALL(w, config_put16(fd, d->pm + PCI_PM_CTRL, 0)), MAY(0), d->bdf);
	answer(w, CALL(w, config_put16(fd, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)),
	       MAY(0), d->bdf);
}

/* ---- resets ---- */

static void reset_ioctl(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	(void)seat;
	/* EAGAIN: somebody else resets it just now */
	answer(w, CALL(w, ioctl(fd, VFIO_DEVICE_RESET)), MAY(EAGAIN), d->bdf);
}

static void reset_config(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	(void)seat;
	answer(w, CALL(w, config_put16(fd, d->express + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR)),
	       MAY(0), d->bdf);
}

/* Not APART: an open while somebody holds the device's lock fails, rightly, with EAGAIN. */
static void reset_sysfs(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	char path[96];

	(void)fd;
	/* it would wait for the device's lock, which the driver has until the device is closed */
	if (seat->removing)
		return;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", d->bdf);
	answer(w, CALL(w, put(path, "1")), MAY(0), d->bdf);
}

static void reset_hot(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };

	(void)seat;
	/* EBUSY: another call on the device has memory_lock; see reset_alone() for the driver itself */
	answer(w, CALL(w, ioctl(fd, VFIO_DEVICE_PCI_HOT_RESET, &reset)), MAY(EAGAIN, EBUSY),
	       d->bdf);
}

/* ---- interrupts ---- */

static int vectors_set(struct device *d, int fd, uint32_t start, uint32_t count, bool on)
{
	/* struct vfio_irq_set */
	struct {
		uint32_t argsz, flags, index, start, count;
		int fds[VECTORS];
	} irqs = {
		.argsz = (uint32_t)(sizeof(struct vfio_irq_set) + count * sizeof(int)),
		.flags = VFIO_IRQ_SET_ACTION_TRIGGER |
			 (count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE),
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = start,
		.count = count,
	};
	uint32_t i;

	for (i = 0; i < count; i++)
		irqs.fds[i] = on ? vector_fds[d - devices][start + i] : -1;
	return ioctl(fd, VFIO_DEVICE_SET_IRQS, &irqs);
}

static void interrupts(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	uint32_t start = below(w, VECTORS), count = 1 + below(w, VECTORS - start);
	int error;

	(void)seat;
	if (one_in(w, 5))
		error = CALL(w, vectors_set(d, fd, 0, 0, false));
	else if (below(w, 4))
		error = CALL(w, vectors_set(d, fd, 0, VECTORS, true));
	else
		error = CALL(w, vectors_set(d, fd, start, count, !one_in(w, 4)));
	/* EINVAL: not in D0, or nothing is on that could go off */
	answer(w, error, MAY(EINVAL), d->bdf);
}

/* ---- I/O address spaces ---- */

static int attach(int fd, uint32_t space)
{
	struct tph_vfio_attach_iommufd arg = { .argsz = sizeof(arg), .pt_id = space };

	return ioctl(fd, TPH_VFIO_ATTACH_IOMMUFD, &arg);
}

static void attachment(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	struct {
		uint32_t argsz, flags;
	} detach = { .argsz = sizeof(detach) };
	uint32_t space = seat->spaces[below(w, SPACES)];

	pthread_mutex_lock(&seat->attach);
	if (one_in(w, 3)) {
		answer(w, CALL(w, ioctl(fd, DETACH_IOMMUFD, &detach)), MAY(0), d->bdf);
		witness_mark("detach-end %s", d->bdf);
		usleep(below(w, 3000));
	}
	witness_mark("attach-begin %s", d->bdf);
	answer(w, CALL(w, attach(fd, space)), MAY(0), d->bdf);
	/* one that failed may have left it detached */
	if (w->injected)
		answer(w, attach(fd, space) ? errno : 0, MAY(0), d->bdf);
	pthread_mutex_unlock(&seat->attach);
}

/* ---- CPUs: where threads may run, and which there are ---- */

static void affinity(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	struct worker *other = &shared->workers[w->process * THREADS + below(w, THREADS)];
	unsigned int mask = draw_cpus(w), cpu;
	cpu_set_t cpus;

	(void)d;
	(void)seat;
	(void)fd;
	CPU_ZERO(&cpus);
	for (cpu = 0; cpu < CPUS; cpu++)
		if (mask & 1u << cpu)
			CPU_SET(cpu, &cpus);
	/* EINVAL: none of these is online and in the cpuset */
	answer(w, CALL(w, sched_setaffinity(other->tid, sizeof(cpus), &cpus)), MAY(EINVAL), "");
}

static void cpuset_path(unsigned int process, const char *name, char *path, size_t size)
{
	snprintf(path, size, "/sys/fs/cgroup/stress%u/%s", process, name);
}

static void cpuset(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	char path[64], list[16];

	(void)d;
	(void)seat;
	(void)fd;
	cpuset_path(below(w, PROCESSES), "cpuset.cpus", path, sizeof(path));
	list_of(draw_cpus(w), list);
	answer(w, CALL(w, put(path, list)), MAY(0), list);
}

static int cpu_online(unsigned int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return put(path, online ? "1" : "0");
}

static void hotplug(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	unsigned int cpu = 1 + below(w, CPUS - 1);
	int error;

	(void)d;
	(void)seat;
	(void)fd;
	pthread_mutex_lock(&shared->hotplug);
	error = CALL(w, cpu_online(cpu, false));
	if (!error)
		witness_mark("offline-end %u", cpu);
	answer(w, error, MAY(0), "offline");
	usleep(below(w, 20000));
	witness_mark("online-begin %u", cpu);
	answer(w, CALL(w, cpu_online(cpu, true)), MAY(0), "online");
	pthread_mutex_unlock(&shared->hotplug);
}

/* ---- the operator ---- */

static int operator_put(struct device *d, struct seat *seat, unsigned int mask, struct worker *w)
{
	char path[96], list[16];
	int error;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/tph/cpus", d->bdf);
	list_of(mask, list);
	strcat(list, "\n");
	pthread_mutex_lock(&seat->operator);
	witness_mark("operator-begin %s %#x", d->bdf, mask);
	error = w ? CALL(w, put(path, list)) : put(path, list) ? errno : 0;
	if (!error)
		seat->operator_cpus = mask;
	witness_mark("operator-end %s %#x", d->bdf, seat->operator_cpus);
	pthread_mutex_unlock(&seat->operator);
	return error;
}

static void operator_list(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	(void)fd;
	answer(w, operator_put(d, seat, one_in(w, 12) ? 0 : draw_cpus(w), w), MAY(0), d->bdf);
}

static void operator_policy(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	static const char *const policies[] = { "no-st", "iv-st", "ds-st" };
	char path[96];

	(void)seat;
	(void)fd;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/tph/policy", d->bdf);
	/* no-st only for a look: with it there is nothing to judge */
	answer(w, CALL(w, put(path, policies[below(w, 3)])), MAY(EBUSY), d->bdf);
}

static void operator_reads(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	static const char *const names[] = { "policy",	  "cpus",	 "targets",
					     "requester", "revocations", "steering" };
	char path[96], text[64];
	int file, error = 0;

	(void)seat;
	(void)fd;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/tph/%s", d->bdf, names[below(w, 6)]);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, text, sizeof(text)) < 1)
		error = errno;
	close(file);
	answer(w, error, MAY(0), path);
}

/* ---- the devices' own requests ---- */

static int register_put(int fd, unsigned int at, uint32_t value)
{
	return pwrite(fd, &value, 4, (off_t)BAR0_AT(at)) == 4 ? 0 : -1;
}

static void doorbell(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	const uint32_t source = one_in(w, 8) ? EP_HINT_PLAIN : EP_HINT_ENTRY;
	const struct {
		unsigned int at;
		uint32_t value;
	} writes[] = {
		{ EP_DMA_DST_LO, DMA_IOVA + 64 * below(w, DMA_SIZE / 64) },
		{ EP_DMA_SRC_LO, DMA_IOVA },
		{ EP_DMA_LENGTH, 64 },
		{ EP_DMA_HINT, below(w, d->entries + 1) | source << EP_HINT_SOURCE_SHIFT |
				       below(w, 4) << EP_HINT_PH_SHIFT },
		{ EP_DMA_VECTOR, one_in(w, 4) ? below(w, VECTORS) : EP_DMA_NO_VECTOR },
		{ EP_DMA_REPEAT, REPEAT },
		{ EP_DMA_DOORBELL, one_in(w, 4) ? EP_DMA_READ : EP_DMA_WRITE },
	};
	size_t i;
	int error = 0;

	(void)seat;
	for (i = 0; i < sizeof(writes) / sizeof(writes[0]) && !error; i++)
		error = CALL(w, register_put(fd, writes[i].at, writes[i].value));
	/* EIO: memory decode is off, or the function is in D3hot */
	answer(w, error, MAY(EIO), d->bdf);
}

static void notify(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	/* struct vfio_device_feature, and in it struct vfio_device_feature_tph_notify */
	struct {
		uint32_t argsz, feature;
		int32_t eventfd;
		uint32_t flags;
	} call = {
		.argsz = sizeof(call),
		.feature = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_NOTIFY,
		.eventfd = one_in(w, 2) ? notify_fd : -1,
	};

	(void)seat;
	/* EPERM: policy no-st, with which nothing can be taken back */
	answer(w, CALL(w, ioctl(fd, VFIO_DEVICE_FEATURE, &call)), MAY(EPERM), d->bdf);
}

/* ---- processes and descriptors ---- */

/* With the seat's lock held nobody closes the device, so there is something to fetch. */
static int fetch(struct worker *w, struct seat *seat)
{
	int fd;

	if (!w->process)
		return seat->fd;
	fd = (int)syscall(PIDFD_GETFD, first_process_fd, seat->fd, 0);
	if (fd < 0)
		answer(w, errno, MAY(0), "pidfd_getfd");
	return fd;
}

static void drop(struct worker *w, int fd)
{
	if (w->process && fd >= 0)
		close(fd);
}

/*
 * A child with the descriptor sets entries in its own name, and ends; the descriptor lives on. It
 * inherits all others too, so no device may be closed meanwhile. Locks are taken in order, and no
 * one else holds two.
 */
static void child(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	int status = 0, i, error;
	struct st_call call;
	pid_t pid;

	st_call_init(&call, VFIO_DEVICE_FEATURE_SET, 0, below(w, d->entries), 1);
	call.values[0] = below(w, CPU_WITHOUT_TAGS);
	for (i = 0; i < DEVICES; i++)
		pthread_rwlock_rdlock(&shared->seats[i].lock);
	fd = fetch(w, seat);
	pid = fork();
	if (!pid) {
		error = ioctl(fd, VFIO_DEVICE_FEATURE, &call) < 0 ? errno : 0;
		_exit(error);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		answer(w, errno, MAY(0), "fork");
	else
		answer(w, WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD,
		       MAY(EPERM, EBUSY, EOPNOTSUPP, d->msix ? EIO : 0), d->bdf);
	drop(w, fd);
	for (i = DEVICES; i-- > 0;)
		pthread_rwlock_unlock(&shared->seats[i].lock);
}

/*
 * With nobody else at it, a hot reset is busy through the driver alone. What was lost before is taken
 * back by the first reset, and who still works at that is waited for by the write, which takes the
 * same lock. Entries that are left are reviewed all the while.
 */
static void reset_alone(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };
	int i;

	fd = fetch(w, seat);
	answer(w, CALL(w, ioctl(fd, VFIO_DEVICE_RESET)), MAY(0), d->bdf);
	answer(w, CALL(w, config_put16(fd, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)),
	       MAY(0), d->bdf);
	for (i = 0; i < 4; i++)
		answer(w, CALL(w, ioctl(fd, VFIO_DEVICE_PCI_HOT_RESET, &reset)), MAY(0), d->bdf);
	drop(w, fd);
}

/* ---- threads that the kernel makes, and where the process may run ---- */

/* Its thread runs on every CPU, whatever the cpuset. */
static int make_ring(void)
{
	/* struct io_uring_params */
	struct {
		uint32_t sq_entries, cq_entries, flags, cpu, idle_ms, rest[25];
	} parameters = { .flags = SQPOLL, .idle_ms = 1 };

	ring = (int)syscall(IO_URING_SETUP, 2, &parameters);
	return ring < 0 ? -1 : 0;
}

static void io_uring(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	(void)d;
	(void)seat;
	(void)fd;
	pthread_mutex_lock(&ring_lock);
	close(ring);
	answer(w, CALL(w, make_ring()), MAY(0), "");
	pthread_mutex_unlock(&ring_lock);
}

static int entry_set(int fd, uint32_t index, uint32_t cpu)
{
	struct st_call call;

	st_call_init(&call, VFIO_DEVICE_FEATURE_SET, 0, index, 1);
	call.values[0] = cpu;
	return ioctl(fd, VFIO_DEVICE_FEATURE, &call) ? errno : 0;
}

static bool entry_holds(int fd, uint32_t index, uint32_t cpu)
{
	struct st_call call;

	st_call_init(&call, VFIO_DEVICE_FEATURE_GET, VFIO_TPH_ST_CPU, index, 1);
	return !ioctl(fd, VFIO_DEVICE_FEATURE, &call) && call.values[0] == cpu;
}

/* A process that loses a CPU by its cpuset loses the entry, and gets it back by no thread. */
static void confine(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	const uint32_t index = below(w, d->entries), cpu = 2;
	time_t end = now() + PATIENCE / 2;
	unsigned int bits;
	cpu_set_t cpus;
	char path[64];

	cpuset_path(w->process, "cpuset.cpus", path, sizeof(path));
	answer(w, put(path, "0-3") ? errno : 0, MAY(0), "whole cpuset");
	CPU_ZERO(&cpus);
	for (bits = 0; bits < CPUS; bits++)
		CPU_SET(bits, &cpus);
	answer(w, sched_setaffinity(w->tid, sizeof(cpus), &cpus) ? errno : 0, MAY(0), "all CPUs");
	answer(w, operator_put(d, seat, ALL_CPUS, NULL), MAY(0), d->bdf);
	fd = fetch(w, seat);
	/* policy no-st, a detached device, memory that is off: nothing to lose now */
	if (!entry_set(fd, index, cpu)) {
		answer(w, put(path, "0-1") ? errno : 0, MAY(0), "half a cpuset");
		while (entry_holds(fd, index, cpu) && now() < end)
			usleep(10000);
		witness_mark("confined %s %u %u", d->bdf, index, cpu);
		if (entry_holds(fd, index, cpu))
			answer(w, ERANGE, MAY(0), "an entry outside of the cpuset is kept");
		answer(w, entry_set(fd, index, cpu), (const int[]){ EPERM, -1 }, "outside of the cpuset");
	}
	drop(w, fd);
}

/* ---- low power ---- */

static bool asleep(const struct device *d)
{
	char path[96], text[16] = "";
	int file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power/runtime_status", d->bdf);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(file);
	return !strncmp(text, "suspended", 9);
}

static uint32_t control_of(const struct device *d, int fd)
{
	uint32_t value = 0;

	if (pread(fd, &value, 4, (off_t)CONFIG_AT(d->cap + TPH_CTRL)) != 4)
		return UINT32_MAX;
	return value;
}

/* A process that holds an entry until it is killed; -1 if it got none. */
static pid_t holder(struct worker *w, struct device *d, int fd)
{
	uint32_t index = below(w, d->entries), cpu = below(w, CPU_WITHOUT_TAGS);
	int ready[2], error = -1;
	pid_t pid;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		error = entry_set(fd, index, cpu);
		if (write(ready[1], &error, sizeof(error)) != sizeof(error))
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid > 0 && read(ready[0], &error, sizeof(error)) != sizeof(error))
		error = -1;
	close(ready[0]);
	return pid;
}

/* What happens while it sleeps happens in the ledger; it is not woken, and not touched. */
static void happens_in_its_sleep(struct worker *w, struct device *d, struct seat *seat, pid_t *pid)
{
	switch (below(w, 4)) {
	case 0:
		answer(w, operator_put(d, seat, draw_cpus(w), NULL), MAY(0), d->bdf);
		break;
	case 1:
		hotplug(w, d, seat, -1);
		break;
	case 2:
		if (*pid > 0) {
			kill(*pid, SIGKILL);
			waitpid(*pid, NULL, 0);
			*pid = -1;
		}
		break;
	}
}

static void low_power(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	/* struct vfio_device_feature, and in it struct vfio_device_low_power_entry_with_wakeup */
	struct {
		uint32_t argsz, feature;
		int32_t eventfd;
		uint32_t reserved;
	} entry = { .argsz = 8, .feature = VFIO_DEVICE_FEATURE_SET | 3 }, leave = entry;
	time_t end = now() + PATIENCE / 2;
	uint32_t before, hardware;
	uint16_t vendor;
	pid_t pid;

	leave.feature = VFIO_DEVICE_FEATURE_SET | 5;
	if (one_in(w, 2))
		entry.argsz = 16, entry.feature = VFIO_DEVICE_FEATURE_SET | 4, entry.eventfd = wakeup_fd;
	fd = fetch(w, seat);
	config_put16(fd, d->pm + PCI_PM_CTRL, 0);
	config_put16(fd, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pid = holder(w, d, fd);
	before = control_of(d, fd);
	hardware = raw_config(d->bdf, d->cap + TPH_CTRL, 4);
	answer(w, ioctl(fd, VFIO_DEVICE_FEATURE, &entry) ? errno : 0, MAY(0), "low power entry");
	while (!asleep(d) && now() < end)
		usleep(1000);
	if (asleep(d)) {
		witness_mark("suspended %s", d->bdf);
		happens_in_its_sleep(w, d, seat, &pid);
		if (!asleep(d))
			answer(w, EBUSY, MAY(0), "woken by nobody");
		witness_mark("waking %s", d->bdf);
	} else {
		answer(w, ETIMEDOUT, MAY(0), "does not fall asleep");
	}
	switch (below(w, 3)) {
	case 0:
		answer(w, pread(fd, &vendor, 2, (off_t)CONFIG_AT(0)) == 2 ? 0 : EIO, MAY(0), "access");
		break;
	case 1:
		entry_set(fd, below(w, d->entries), below(w, CPU_WITHOUT_TAGS));
		break;
	}
	answer(w, ioctl(fd, VFIO_DEVICE_FEATURE, &leave) ? errno : 0, MAY(0), "low power exit");
	if (control_of(d, fd) != before)
		answer(w, ERANGE, MAY(0), "the control register is not what it was");
	if (hardware == before && raw_config(d->bdf, d->cap + TPH_CTRL, 4) != before)
		answer(w, ERANGE, MAY(0), "what the control register says is not in force");
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	drop(w, fd);
}

/* ---- the device's own life ---- */

/* To be told when the driver wants the device back. */
static int listen_for_request(struct seat *seat)
{
	/* struct vfio_irq_set */
	struct {
		uint32_t argsz, flags, index, start, count;
		int fd;
	} irqs = {
		.argsz = sizeof(irqs),
		.flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD,
		.index = VFIO_PCI_REQ_IRQ_INDEX,
		.count = 1,
	};

	if (seat->request_fd > 0)
		close(seat->request_fd);
	seat->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	irqs.fd = seat->request_fd;
	return ioctl(seat->fd, VFIO_DEVICE_SET_IRQS, &irqs);
}

static int open_device(struct device *d, struct seat *seat)
{
	struct tph_iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct ioas_map map = {
		.size = sizeof(map),
		.flags = 7, /* fixed IOVA, writeable, readable */
		.user_va = (uintptr_t)dma,
		.length = DMA_SIZE,
		.iova = DMA_IOVA,
	};
	int ret, i;

	ret = tph_open(d->bdf, &seat->tph);
	if (ret)
		return -ret;
	seat->fd = tph_device_fd(seat->tph);
	if (ioctl(tph_iommu_fd(seat->tph), TPH_IOMMU_IOAS_ALLOC, &alloc))
		return errno;
	seat->spaces[0] = tph_ioas(seat->tph);
	seat->spaces[1] = alloc.out_ioas_id;
	for (i = 0; i < SPACES; i++) {
		map.ioas_id = seat->spaces[i];
		if (ioctl(tph_iommu_fd(seat->tph), IOAS_MAP, &map))
			return errno;
	}
	if (listen_for_request(seat))
		return errno;
	return config_put16(seat->fd, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER) ? errno
											    : 0;
}

static void close_device(struct device *d, struct seat *seat)
{
	tph_close(seat->tph);
	seat->tph = NULL;
	seat->fd = -1;
	witness_mark("close-end %s", d->bdf);
}

static void reopen(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	static const char *const policies[] = { "iv-st", "iv-st", "iv-st", "ds-st",
						"ds-st", "ds-st", "no-st" };
	char path[96];
	int error;

	(void)fd;
	if (w->process)
		return;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/tph/policy", d->bdf);
	pthread_rwlock_wrlock(&seat->lock);
	if (seat->removing) {
		pthread_rwlock_unlock(&seat->lock);
		return;
	}
	close_device(d, seat);
	answer(w, put(path, policies[below(w, 7)]) ? errno : 0, MAY(0),
	       "policy of a closed device");
	witness_mark("attach-begin %s", d->bdf);
	error = open_device(d, seat);
	answer(w, error, MAY(0), d->bdf);
	if (error)
		shared->stop = 1;
	pthread_rwlock_unlock(&seat->lock);
}

static void *let_go(void *bdf)
{
	return put("/sys/bus/pci/drivers/tph-vfio-pci/unbind", bdf) ? (void *)(intptr_t)errno : NULL;
}

/* The driver lets go while the device is in use; its user is told, and takes its time. */
static void unbind(struct worker *w, struct device *d, struct seat *seat, int fd)
{
	struct pollfd request;
	pthread_t thread;
	void *error;

	(void)fd;
	if (w->process)
		return;
	pthread_rwlock_wrlock(&seat->lock);
	if (seat->removing) {
		pthread_rwlock_unlock(&seat->lock);
		return;
	}
	seat->removals++;
	seat->removing = MAY_BEGIN;
	request = (struct pollfd){ .fd = seat->request_fd, .events = POLLIN };
	pthread_rwlock_unlock(&seat->lock);
	if (pthread_create(&thread, NULL, let_go, (void *)(uintptr_t)d->bdf))
		abort();
	answer(w, poll(&request, 1, PATIENCE / 2 * 1000) == 1 ? 0 : ETIMEDOUT, MAY(0),
	       "the user is not asked");
	witness_mark("removing %s", d->bdf);
	seat->removing = HAS_BEGUN;
	usleep(below(w, 300000));

	pthread_rwlock_wrlock(&seat->lock);
	close_device(d, seat);
	pthread_join(thread, &error);
	answer(w, (int)(intptr_t)error, MAY(0), "unbind");
	witness_mark("bound %s", d->bdf);
	answer(w, put("/sys/bus/pci/drivers/tph-vfio-pci/bind", d->bdf) ? errno : 0, MAY(0), "bind");
	/* a new binding has a new list: of all CPUs */
	answer(w, operator_put(d, seat, ALL_CPUS, NULL), MAY(0), d->bdf);
	witness_mark("attach-begin %s", d->bdf);
	answer(w, open_device(d, seat), MAY(0), d->bdf);
	if (!seat->tph)
		shared->stop = 1;
	seat->removals++;
	seat->removing = 0;
	pthread_rwlock_unlock(&seat->lock);
}

static const struct operation operations[] = {
	{ "set", 300, set, INJECT | GOES },
	{ "get", 80, get, INJECT },
	{ "map", 80, map, INJECT | GOES },
	{ "map-get", 20, map_get, INJECT },
	{ "guest-table", 220, guest_table, INJECT },
	{ "control", 260, control_register, INJECT },
	{ "capability", 60, capability_access, INJECT },
	{ "command", 40, command, 0 },
	{ "power", 4, power, 0 },
	{ "reset-ioctl", 1, reset_ioctl, INJECT },
	{ "reset-config", 1, reset_config, 0 },
	{ "reset-sysfs", 1, reset_sysfs, 0 },
	{ "reset-hot", 1, reset_hot, INJECT },
	{ "reset-alone", 3, reset_alone, APART | ALONE },
	/* not INJECT: request_irq() itself warns when its entry in /proc could not be made (7.3) */
	{ "interrupts", 30, interrupts, 0 },
	{ "attachment", 14, attachment, 0 },
	{ "affinity", 30, affinity, APART },
	{ "cpuset", 6, cpuset, APART },
	{ "hotplug", 3, hotplug, APART },
	{ "operator-list", 24, operator_list, INJECT | APART | GOES },
	{ "operator-policy", 4, operator_policy, APART | GOES },
	{ "operator-reads", 20, operator_reads, APART | GOES },
	{ "doorbell", 100, doorbell, 0 },
	{ "notify", 10, notify, INJECT | GOES },
	{ "child", 8, child, APART | GOES },
	{ "reopen", 2, reopen, APART },
	{ "unbind", 2, unbind, APART },
	{ "io-uring", 4, io_uring, APART },
	{ "confine", 4, confine, APART | ALONE },
	{ "low-power", 4, low_power, APART | ALONE },
};

static size_t operation_count(void)
{
	return sizeof(operations) / sizeof(operations[0]);
}

static const struct operation *draw_operation(struct worker *w)
{
	uint32_t total = 0, at;
	size_t i;

	for (i = 0; i < operation_count(); i++)
		total += operations[i].weight;
	at = below(w, total);
	for (i = 0; at >= operations[i].weight; i++)
		at -= operations[i].weight;
	return &operations[i];
}

static void *work(void *arg)
{
	struct worker *w = arg;

	w->tid = gettid();
	w->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	while (!shared->stop) {
		unsigned int which = below(w, DEVICES);
		struct seat *seat = &shared->seats[which];
		int fd;

		w->now = draw_operation(w);
		w->injected = false;
		w->since = now();
		w->seat = seat;
		w->removals = seat->removals;
		if (w->now->flags & ALONE)
			pthread_rwlock_wrlock(&shared->quiet);
		else
			pthread_rwlock_rdlock(&shared->quiet);
		if (w->now->flags & APART) {
			w->now->run(w, &devices[which], seat, -1);
		} else {
			pthread_rwlock_rdlock(&seat->lock);
			fd = fetch(w, seat);
			if (fd >= 0)
				w->now->run(w, &devices[which], seat, fd);
			drop(w, fd);
			pthread_rwlock_unlock(&seat->lock);
		}
		pthread_rwlock_unlock(&shared->quiet);
		w->since = 0;
		w->done++;
	}
	close(w->fail_nth);
	return NULL;
}

/* ---- the run ---- */

static unsigned int option_seconds = 60;
static uint64_t option_seed;
static const char *option_trace = "/dev/lab-out";

static void shared_init(void)
{
	pthread_rwlockattr_t rwlock;
	pthread_mutexattr_t mutex;
	int i;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	dma = mmap(NULL, DMA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(dma, MAP_FAILED);
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_rwlockattr_init(&rwlock);
	pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED);
	/* else eight readers never let the one in that closes */
	pthread_rwlockattr_setkind_np(&rwlock, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&shared->quiet, &rwlock);
	pthread_mutex_init(&shared->hotplug, &mutex);
	for (i = 0; i < DEVICES; i++) {
		pthread_rwlock_init(&shared->seats[i].lock, &rwlock);
		pthread_mutex_init(&shared->seats[i].attach, &mutex);
		pthread_mutex_init(&shared->seats[i].operator, & mutex);
	}
	for (i = 0; i < PROCESSES * THREADS; i++) {
		struct worker *w = &shared->workers[i];

		*w = (struct worker){
			.process = (unsigned int)i / THREADS,
			.number = (unsigned int)i % THREADS,
			.random = option_seed * 0x9e3779b97f4a7c15u +
				  (uint64_t)i * 0xd1b54a32d192ed03u,
		};
	}
}

static uint16_t standard_capability(const char *bdf, uint8_t id)
{
	uint32_t at;

	for (at = raw_config(bdf, PCI_CAPABILITY_LIST, 1); at; at = raw_config(bdf, at + 1, 1))
		if (raw_config(bdf, at, 1) == id)
			return (uint16_t)at;
	fail_msg("%s has no capability %#x", bdf, id);
	return 0;
}

static int run_process(unsigned int process)
{
	struct worker *workers = &shared->workers[process * THREADS];
	pthread_t threads[THREADS];
	char path[64], text[16];
	int i;

	cpuset_path(process, "cgroup.procs", path, sizeof(path));
	snprintf(text, sizeof(text), "%d", (int)getpid());
	if (put(path, text)) {
		perror(path);
		return 1;
	}
	if (make_ring()) {
		perror("io_uring_setup");
		return 1;
	}
	for (i = 0; i < THREADS; i++)
		workers[i].tid = gettid();
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			return 1;
	if (!process) {
		/* A call that does not end would keep a join waiting: look at it, and tell. */
		time_t end = now() + option_seconds;

		for (;;) {
			bool busy = false;

			sleep(1);
			if (now() >= end)
				shared->stop = 1;
			for (i = 0; i < PROCESSES * THREADS; i++) {
				struct worker *w = &shared->workers[i];
				time_t since = w->since;

				busy |= since != 0;
				if (!since || now() - since < PATIENCE)
					continue;
				printf("# process %u thread %u: no end of '%s' after %u s\n",
				       w->process, w->number, w->now->name, PATIENCE);
				printf("not ok - nothing hangs\n");
				fflush(stdout);
				tcdrain(STDOUT_FILENO);
				/* who waits for what; then off, for an orderly end would wait too */
				put("/proc/sysrq-trigger", "w");
				put("/proc/sysrq-trigger", "b");
				_exit(1);
			}
			if (shared->stop && !busy)
				break;
		}
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* Whoever can log in reads what there is to read, all the time, and can write nothing. */
static void read_all_without_privilege(void)
{
	char path[160], text[512];
	struct dirent *entry;
	DIR *folder;
	int i, file;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setgid(65534) || setuid(65534))
		_exit(2);
	while (!shared->stop)
		for (i = 0; i < DEVICES; i++) {
			snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/tph", devices[i].bdf);
			folder = opendir(path);
			while (folder && (entry = readdir(folder))) {
				snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/tph/%.64s",
					 devices[i].bdf, entry->d_name);
				file = open(path, O_WRONLY | O_CLOEXEC);
				if (file >= 0)
					_exit(3);
				file = open(path, O_RDONLY | O_CLOEXEC);
				if (file >= 0 && read(file, text, sizeof(text)) > 0)
					shared->reads++;
				close(file);
			}
			if (folder)
				closedir(folder);
		}
	_exit(0);
}

static void failslab_prepare(void)
{
	/* fail-nth decides; these let allocations that may sleep fail, and without a word */
	if (access("/sys/kernel/debug/failslab", F_OK)) {
		printf("# no fault injection in this kernel\n");
		return;
	}
	assert_int_equal(put("/sys/kernel/debug/failslab/ignore-gfp-wait", "N"), 0);
	assert_int_equal(put("/sys/kernel/debug/failslab/verbose", "0"), 0);
}

static void calls_fail_as_documented_and_nothing_hangs(void **state)
{
	char path[64], list[16];
	int i, status = -1;
	pid_t other, reader;

	(void)state;
	shared_init();
	reader = fork();
	assert_true(reader >= 0);
	if (!reader)
		read_all_without_privilege();
	wakeup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (i = 0; i < DEVICES * VECTORS; i++)
		vector_fds[i / VECTORS][i % VECTORS] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	list_of(ALL_CPUS, list);
	for (i = 0; i < PROCESSES; i++) {
		cpuset_path((unsigned int)i, "", path, sizeof(path));
		assert_true(!mkdir(path, 0755) || errno == EEXIST);
		cpuset_path((unsigned int)i, "cpuset.cpus", path, sizeof(path));
		assert_int_equal(put(path, list), 0);
	}
	failslab_prepare();
	for (i = 0; i < DEVICES; i++) {
		struct device *d = &devices[i];
		uint32_t capability;

		d->cap = raw_extended(d->bdf, 0x17);
		capability = raw_config(d->bdf, d->cap + TPH_CAP, 4);
		d->cap_end = (uint16_t)(d->cap + TPH_TABLE);
		if ((capability & TPH_CAP_LOCATION) == TPH_CAP_IN_CAPABILITY)
			d->cap_end = (uint16_t)(d->cap_end + 2 * d->entries);
		d->pm = standard_capability(d->bdf, PCI_CAP_ID_PM);
		d->express = standard_capability(d->bdf, PCI_CAP_ID_EXP);
		/* what the judge begins at: no driver writes to a capability's header */
		raw_config_write(d->bdf, d->cap, 4, 0);
		assert_int_equal(operator_put(d, &shared->seats[i], ALL_CPUS, NULL), 0);
		witness_mark("attach-begin %s", d->bdf);
		assert_int_equal(open_device(d, &shared->seats[i]), 0);
	}

	first_process_fd = (int)syscall(PIDFD_OPEN, getpid(), 0);
	assert_true(first_process_fd >= 0);
	other = fork();
	assert_true(other >= 0);
	if (!other) {
		/* The devices are the first process's alone, so that its close is a close. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (i = 0; i < DEVICES; i++) {
			close(tph_iommu_fd(shared->seats[i].tph));
			close(shared->seats[i].fd);
		}
		_exit(run_process(1));
	}
	assert_int_equal(run_process(0), 0);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
	assert_true(shared->reads > 0);
	assert_int_equal(shared->failures, 0);
}

/* Seeds and figures, so that a run that did little is seen. */
static void report(void)
{
	uint64_t done = 0;
	size_t i, error;

	for (i = 0; i < PROCESSES * THREADS; i++)
		done += shared->workers[i].done;
	printf("# %llu operations, %u failed allocations, %u reads without privilege\n",
	       (unsigned long long)done, shared->injected, shared->reads);
	for (i = 0; i < operation_count(); i++) {
		printf("# %-16s", operations[i].name);
		for (error = 0; error < ERRNOS; error++)
			if (shared->counts[i][error])
				printf(" %u %s,", shared->counts[i][error],
				       error ? strerrorname_np((int)error) : "ok");
		printf("\n");
	}
	fflush(stdout);
}

/* The same open devices, now with one user: everything works, and each request has its tag. */
static void quiet_devices_work(void **state)
{
	char path[64], list[16];
	cpu_set_t cpus;
	int i, cpu;
	uint32_t j;

	(void)state;
	report();
	CPU_ZERO(&cpus);
	for (cpu = 0; cpu < CPUS; cpu++)
		CPU_SET(cpu, &cpus);
	list_of(ALL_CPUS, list);
	cpuset_path(0, "cpuset.cpus", path, sizeof(path));
	assert_int_equal(put(path, list), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	for (i = 0; i < DEVICES; i++) {
		struct device *d = &devices[i];
		struct seat *seat = &shared->seats[i];
		struct guest g = {
			.bdf = d->bdf,
			.tph = seat->tph,
			.fd = seat->fd,
			.cap = d->cap,
			.dma = dma,
		};
		uint32_t wanted[64];

		assert_non_null(seat->tph);
		assert_int_equal(operator_put(d, seat, ALL_CPUS, NULL), 0);
		assert_int_equal(config_put16(g.fd, d->pm + PCI_PM_CTRL, 0), 0);
		assert_int_equal(
			config_put16(g.fd, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER),
			0);
		assert_int_equal(attach(g.fd, seat->spaces[0]), 0);
		/* EINVAL if all are off already */
		vectors_set(d, g.fd, 0, 0, false);
		assert_int_equal(vectors_set(d, g.fd, 0, VECTORS, true), 0);
		guest_register_write(&g, EP_DMA_REPEAT, 0);
		while (guest_register(&g, EP_DMA_STATUS) == EP_DMA_BUSY)
			;
		control(&g, TPH_CTRL_IV);
		for (j = 0; j < d->entries; j++)
			wanted[j] = j % CPU_WITHOUT_TAGS;
		if (st_probe(&g, VFIO_DEVICE_FEATURE_SET) != -EPERM)
			assert_int_equal(map_remove(g.fd), 0);
		if (st_probe(&g, VFIO_DEVICE_FEATURE_SET) == -EPERM) {
			/* policy no-st, by chance of the last open: no entry, and no tag */
			assert_int_equal(st_set(&g, 0, 0, d->entries, wanted), -EPERM);
			control(&g, TPH_CTRL_IV | TPH_CTRL_16);
			assert_plain(&g, 0);
			continue;
		}
		assert_int_equal(st_set(&g, 0, 0, d->entries, wanted), 0);
		control(&g, TPH_CTRL_IV | TPH_CTRL_16);
		assert_int_equal(control_read(&g), TPH_CTRL_IV | TPH_CTRL_16);
		for (j = 0; j < d->entries; j++)
			assert_st(&g, j, TAG_VOLATILE_16(wanted[j]), 16);
	}
}

static void closed_devices_are_clean(void **state)
{
	unsigned int at;
	int i;

	(void)state;
	for (i = 0; i < DEVICES; i++) {
		struct device *d = &devices[i];

		close_device(d, &shared->seats[i]);
		for (at = d->cap + TPH_CTRL; at < d->cap_end; at += 4)
			assert_int_equal(raw_config(d->bdf, at, 4), 0);
	}
}

static void the_log_of_grants_is_whole(void **state)
{
	(void)state;
	assert_int_equal(witness_save(option_trace), 0);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "trace", required_argument, NULL, 'o' },
		{ 0 },
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_fail_as_documented_and_nothing_hangs),
		cmocka_unit_test(quiet_devices_work),
		cmocka_unit_test(closed_devices_are_clean),
		cmocka_unit_test(the_log_of_grants_is_whole),
	};
	struct timespec ts;
	int option, ret;

	clock_gettime(CLOCK_REALTIME, &ts);
	option_seed = (uint64_t)ts.tv_sec ^ (uint64_t)ts.tv_nsec << 20;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 't':
			option_seconds = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 's':
			option_seed = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			option_trace = optarg;
			break;
		default:
			return 2;
		}
	}
	printf("# seed %llu, %u s\n", (unsigned long long)option_seed, option_seconds);
	guest_driver("policy=iv-st");
	ret = witness_start(BUFFER_KIB);
	if (ret) {
		printf("not ok - the kernel traces the driver: %s\n", strerror(-ret));
		return 1;
	}
	witness_mark("begin seed=%llu", (unsigned long long)option_seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
