// SPDX-License-Identifier: MIT
/* A guest that steers by tags of its own: what its manager may map, what its writes come to. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio_tph_legacy.h>

#include "guest.h"

#define NONE	VFIO_TPH_CPU_NONE
#define SYSFS	"/sys/bus/pci/devices/"
#define TRACING	"/sys/kernel/tracing/"
#define GUEST	VFIO_DEVICE_FEATURE_TPH_GUEST
#define SET	VFIO_DEVICE_FEATURE_SET
#define GET	VFIO_DEVICE_FEATURE_GET
#define PROBE	VFIO_DEVICE_FEATURE_PROBE
#define TABLE	VFIO_TPH_GUEST_TABLE
#define PM	VFIO_TPH_GUEST_MEM_TYPE_PM
#define MAX	VFIO_TPH_GUEST_TAGS_MAX
#define ON	(TPH_CTRL_IV | TPH_CTRL_16)
#define ON_8	(TPH_CTRL_IV | TPH_CTRL_8)
#define FREE	0xf00u	/* no endpoint has a capability there */
#define STORM	100000
#define ENABLES	20000	/* each writes a whole table, which the emulator takes one by one */
#define CONFIG	((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

/* Virtual tag 1 is CPU 2, 2 is CPU 1. */
static const uint32_t map21[] = { 2, 1 };
static int told = -1;

struct request {
	/* struct vfio_device_feature */
	uint32_t argsz, operation;
	/* struct vfio_device_feature_tph_guest */
	uint32_t flags, count, data[];
};

/* With room for @room values, but @count of them said. */
static int call(struct guest *g, uint32_t operation, uint32_t flags, uint32_t count, uint32_t room,
		uint32_t *values, uint32_t *out)
{
	size_t size = sizeof(struct request) + room * sizeof(*values);
	struct request *request = calloc(1, size);
	uint32_t i;
	int ret;

	assert_non_null(request);
	request->argsz = size;
	request->operation = operation | GUEST;
	request->flags = flags;
	request->count = count;
	for (i = 0; i < room; i++)
		request->data[i] = values[i];
	ret = ioctl(g->fd, VFIO_DEVICE_FEATURE, request) ? -errno : 0;
	if (!ret && operation == GET) {
		*out = request->count;
		for (i = 0; i < room; i++)
			values[i] = request->data[i];
	}
	free(request);
	return ret;
}

static int set(struct guest *g, uint32_t flags, uint32_t count, const uint32_t *cpus)
{
	return call(g, SET, flags, count, count, (uint32_t *)cpus, NULL);
}

static int get(struct guest *g, uint32_t flags, uint32_t room, uint32_t *values, uint32_t *count)
{
	return call(g, GET, flags, room, room, values, count);
}

static int probe(struct guest *g, uint32_t operation)
{
	return feature(g->fd, PROBE | operation | GUEST, NULL, 0);
}

static unsigned int at_table(struct guest *g)
{
	return guest_extended(g, 0x17) + TPH_TABLE;
}

static void put(struct guest *g, unsigned int entry, uint32_t value)
{
	guest_config_write(g, at_table(g) + entry * 2, 2, value);
}

static uint32_t look(struct guest *g, unsigned int entry)
{
	return guest_config(g, at_table(g) + entry * 2, 2);
}

static void turn(struct guest *g, uint32_t value)
{
	guest_config_write(g, guest_extended(g, 0x17) + TPH_CTRL, 4, value);
}

static uint32_t turned(struct guest *g)
{
	return guest_config(g, guest_extended(g, 0x17) + TPH_CTRL, 4);
}

static uint32_t shown(struct guest *g)
{
	return guest_config(g, guest_extended(g, 0x17) + TPH_CAP, 4);
}

static void assert_map(struct guest *g, uint32_t count, const uint32_t *cpus)
{
	uint32_t got[8], n, i;

	assert_int_equal(get(g, 0, 8, got, &n), 0);
	assert_int_equal(n, count);
	for (i = 0; i < count; i++)
		assert_int_equal(got[i], cpus[i]);
}

static void assert_tag(struct guest *g, unsigned int entry, uint32_t cpu)
{
	assert_st(g, entry, cpu == NONE ? 0 : TAG_VOLATILE_16(cpu), 16);
}

static void pause_ms(unsigned int ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

static bool sends(struct guest *g, unsigned int entry, uint32_t cpu)
{
	struct tlp tlp = guest_write_for(g, entry);

	/* without a hint it may be in the midst of an off-window */
	return tlp.th && tlp.st == (cpu == NONE ? 0 : TAG_VOLATILE_16(cpu));
}

/* As long as a batch can wait, and more: for a machine that emulates two of these ten at a time. */
static void wait_tag(struct guest *g, unsigned int entry, uint32_t cpu)
{
	unsigned int i;

	for (i = 0; i < 200 && !sends(g, entry, cpu); i++)
		pause_ms(5);
	assert_tag(g, entry, cpu);
}

static int setup_on(void **state, const char *bdf)
{
	struct vfio_device_feature_tph_notify notify = { 0 };
	struct guest *g;

	guest_run_on(0xf);
	*state = g = guest_open(bdf);
	told = notify.eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	feature(g->fd, SET | VFIO_DEVICE_FEATURE_TPH_NOTIFY, &notify, sizeof(notify));
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
	guest_try("for d in " SYSFS "*/tph/cpus; do echo 0-3 >$d; done;"
		  " echo 1 >/sys/devices/system/cpu/cpu2/online");
	if (*state)
		guest_close(*state);
	close(told);
	guest_try("echo behind >" SYSFS EP_MSIX "/tph/guest_place");
	return 0;
}

static bool was_told(void)
{
	uint64_t count;

	return read(told, &count, sizeof(count)) == sizeof(count);
}

static void wait_told(void)
{
	assert_int_equal(poll(&(struct pollfd){ .fd = told, .events = POLLIN }, 1, 1000), 1);
	assert_true(was_told());
}

/* Refused, each for its own reason, and nothing has changed. */
static void what_is_no_map_is_refused(void **state)
{
	static const uint32_t counts[] = { MAX + 1, 0x10000, 0x3fffffff, 0x40000000, 0x7fffffff,
					   0x80000000, 0xfffffffe, 0xffffffff };
	static uint32_t many[MAX + 1];
	struct guest *g = *state;
	uint32_t i;

	assert_int_equal(set(g, 0, 2, map21), 0);
	for (i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		assert_int_equal(call(g, SET, 0, counts[i], 2, (uint32_t *)map21, NULL), -EINVAL);
		assert_int_equal(call(g, GET, 0, counts[i], 2, (uint32_t *)map21, NULL), -EINVAL);
	}
	assert_int_equal(set(g, 0, MAX + 1, many), -EINVAL);
	assert_int_equal(call(g, SET, 0, 2, 1, (uint32_t *)map21, NULL), -EINVAL);
	for (i = 1; i < 32; i++) {
		assert_int_equal(set(g, 1u << i, 2, map21), -EINVAL);
		if (1u << i != TABLE)
			assert_int_equal(call(g, GET, 1u << i, 2, 2, (uint32_t *)map21, NULL), -EINVAL);
	}
	assert_int_equal(call(g, GET, PM, 2, 2, (uint32_t *)map21, NULL), -EINVAL);
	assert_int_equal(call(g, SET | GET, 0, 2, 2, (uint32_t *)map21, NULL), -EINVAL);
	assert_int_equal(feature(g->fd, SET | GUEST, map21, 4), -EINVAL);
	assert_int_equal(set(g, 0, 1, (uint32_t []){ 4 }), -EINVAL);
	assert_int_equal(set(g, 0, 1, (uint32_t []){ 0x80000000 }), -EINVAL);
	assert_int_equal(set(g, 0, 2, (uint32_t []){ 1, 0xfffffffe }), -EINVAL);
	assert_map(g, 2, map21);

	/* the most there can be, and back */
	for (i = 0; i < MAX; i++)
		many[i] = i % 3;
	assert_int_equal(set(g, 0, MAX, many), 0);
	put(g, 0, MAX);
	put(g, 1, MAX + 1);
	turn(g, ON);
	assert_tag(g, 0, (MAX - 1) % 3);
	assert_tag(g, 1, NONE);
}

static void a_payload_that_ends_in_nowhere_is_efault(void **state)
{
	struct request *arg = guest_page_end(sizeof(*arg) + 4);
	struct guest *g = *state;

	arg->argsz = sizeof(*arg) + 8;
	arg->flags = 0;
	arg->count = 2;
	arg->data[0] = 1;
	arg->operation = SET | GUEST;
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_FEATURE, arg), -1);
	assert_int_equal(errno, EFAULT);
	assert_map(g, 0, NULL);
	assert_int_equal(set(g, 0, 2, map21), 0);
	arg->operation = GET | GUEST;
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_FEATURE, arg), -1);
	assert_int_equal(errno, EFAULT);
}

static void cpus_are_granted_as_for_entries(void **state)
{
	struct guest *g = *state;

	guest_run_on(1u << 1 | 1u << 3);
	assert_int_equal(set(g, 0, 2, map21), -EPERM);
	assert_int_equal(set(g, 0, 1, (uint32_t []){ 1 }), 0);
	guest_run_on(0xf);
	guest_command("echo 0-1 >" SYSFS EP_CAPABILITY "/tph/cpus");
	assert_int_equal(set(g, 0, 2, map21), -EPERM);
	guest_command("echo 0-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
	assert_int_equal(set(g, 0, 2, map21), -EPERM);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
	assert_map(g, 1, (uint32_t []){ 1 });
	guest_detach(g);
	assert_int_equal(set(g, 0, 2, map21), -EPERM);
	assert_map(g, 1, (uint32_t []){ NONE });
	guest_attach(g);
	assert_int_equal(set(g, 0, 2, map21), 0);
}

static void where_there_is_no_table_there_is_no_map(void **state)
{
	static const char * const none[] = { EP_TABLELESS, EP_UNHEARD, EP_RESERVED };
	struct guest *g;
	size_t i;

	(void)state;
	guest_run_on(0xf);
	for (i = 0; i < sizeof(none) / sizeof(*none); i++) {
		g = guest_open(none[i]);
		assert_int_equal(probe(g, SET), -EOPNOTSUPP);
		assert_int_equal(probe(g, GET), -EOPNOTSUPP);
		assert_int_equal(set(g, 0, 2, map21), -EOPNOTSUPP);
		guest_close(g);
	}
	guest_command("echo no-st >" SYSFS EP_CAPABILITY "/tph/policy");
	g = guest_open(EP_CAPABILITY);
	assert_int_equal(probe(g, SET), -EPERM);
	assert_int_equal(probe(g, GET), 0);
	assert_int_equal(set(g, 0, 2, map21), -EPERM);
	assert_map(g, 0, NULL);
	guest_close(g);
	guest_command("echo iv-st >" SYSFS EP_CAPABILITY "/tph/policy");
}

static void without_a_map_the_table_takes_nothing(void **state)
{
	struct guest *g = *state;
	uint32_t n;

	put(g, 0, 1);
	assert_int_equal(look(g, 0), 0);
	assert_int_equal(set(g, 0, 0, NULL), 0);
	/* and what was written before there was one is not found in it */
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_int_equal(look(g, 0), 0);
	put(g, 0, 1);
	assert_int_equal(look(g, 0), 1);
	assert_int_equal(set(g, 0, 0, NULL), 0);
	assert_int_equal(look(g, 0), 0);
	assert_int_equal(get(g, TABLE, 0, NULL, &n), 0);
	assert_int_equal(n, 64);
	turn(g, ON);
	assert_tag(g, 0, NONE);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_tag(g, 0, NONE);
}

/* Everything that is nobody's: no tag, and no word of it. */
static void a_value_that_is_no_tag_steers_nowhere(void **state)
{
	static const uint32_t values[] = { 0, 3, 4, 5, 0xff, 0x100, 0x101, 0x102, 0x1101, 0x1102,
					   0x7fff, 0x8000, 0xffff };
	static const uint32_t map[] = { 2, 1, NONE, CPU_WITHOUT_TAGS };
	struct guest *g = *state;
	size_t i;

	assert_int_equal(set(g, 0, 4, map), 0);
	assert_map(g, 4, (uint32_t []){ 2, 1, NONE, NONE });
	turn(g, ON);
	for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
		put(g, 7, 1);
		wait_tag(g, 7, 2);
		put(g, 7, values[i]);
		assert_int_equal(look(g, 7), values[i]);
		wait_tag(g, 7, NONE);
		assert_int_equal(turned(g), ON);
	}
}

static void values_steer_enabled_before_or_after(void **state)
{
	struct guest *g = *state;
	uint32_t got[64], n;

	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 1);
	put(g, 63, 2);
	assert_plain(g, 0);
	turn(g, ON);
	assert_int_equal(turned(g), ON);
	assert_tag(g, 0, 2);
	assert_tag(g, 63, 1);
	assert_tag(g, 1, NONE);
	put(g, 0, 2);
	assert_tag(g, 0, 1);
	put(g, 1, 1);
	assert_tag(g, 1, 2);
	assert_int_equal(get(g, TABLE, 64, got, &n), 0);
	assert_int_equal(n, 64);
	assert_int_equal(got[0], 2);
	assert_int_equal(got[1], 1);
	assert_int_equal(got[63], 2);
	turn(g, 0);
	assert_plain(g, 0);
	put(g, 0, 1);
	turn(g, ON);
	assert_tag(g, 0, 2);
	/* nothing is found of it by the next */
	guest_close(g);
	*state = g = guest_open(EP_CAPABILITY);
	assert_map(g, 0, NULL);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_int_equal(look(g, 0), 0);
	turn(g, ON);
	assert_tag(g, 0, NONE);
}

static void accesses_have_any_width_and_place(void **state)
{
	struct guest *g = *state;
	unsigned int at = at_table(g);
	uint8_t bytes[20], i;

	assert_int_equal(set(g, 0, 2, map21), 0);
	turn(g, ON);
	guest_config_write(g, at, 1, 1);
	assert_int_equal(guest_config(g, at, 4), 1);
	assert_tag(g, 0, 2);
	/* 0x0101 is no tag of the map */
	guest_config_write(g, at + 1, 1, 1);
	assert_int_equal(guest_config(g, at, 2), 0x101);
	assert_tag(g, 0, NONE);
	guest_config_write(g, at + 1, 1, 0);
	assert_tag(g, 0, 2);
	guest_config_write(g, at + 4, 4, 0x00010002);
	assert_tag(g, 2, 1);
	assert_tag(g, 3, 2);
	/* the upper half of one entry and the lower of the next */
	guest_config_write(g, at + 5, 2, 0x0200);
	assert_int_equal(guest_config(g, at + 4, 4), 0x00020002);
	assert_tag(g, 3, 1);
	/* control and table at once, and over the end */
	assert_int_equal(pwrite(g->fd, (uint8_t []){ 1, 3, 0, 0, 2, 0, 2, 0 }, 8,
				CONFIG + at - 4), 8);
	assert_tag(g, 0, 1);
	assert_tag(g, 1, 1);
	memset(bytes, 0, sizeof(bytes));
	bytes[0] = 2;
	assert_int_equal(pwrite(g->fd, bytes, 2, CONFIG + at + 126), 2);
	assert_tag(g, 63, 1);
	assert_int_equal(pread(g->fd, bytes, sizeof(bytes), CONFIG + at - 12), sizeof(bytes));
	assert_int_equal(bytes[8] | bytes[9] << 8, ON);
	for (i = 12; i < 16; i++)
		assert_int_equal(bytes[i], i % 2 ? 0 : 2);
}

static void a_lower_byte_is_the_tag_of_eight_bits(void **state)
{
	struct guest *g = *state;

	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 0x0102);
	turn(g, ON);
	assert_tag(g, 0, NONE);
	turn(g, ON_8);
	assert_int_equal(turned(g), ON_8);
	assert_st(g, 0, TAG_VOLATILE_8(1), 8);
	put(g, 1, 0xff01);
	assert_st(g, 1, TAG_VOLATILE_8(2), 8);
	turn(g, ON);
	assert_tag(g, 1, NONE);
	assert_int_equal(look(g, 1), 0xff01);
	guest_close(g);

	/* where extended tags are not on offer there is no upper byte */
	*state = g = guest_open(EP_NARROW);
	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 0xff01);
	assert_int_equal(look(g, 0), 1);
	turn(g, ON);
	assert_int_equal(turned(g), ON_8);
	assert_st(g, 0, TAG_VOLATILE_8(2), 8);
	guest_close(g);
	*state = g = guest_open(EP_FIRST);
	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 4, 2);
	put(g, 5, 2);
	assert_int_equal(look(g, 4), 2);
	assert_int_equal(look(g, 5), 0);
	turn(g, ON_8);
	assert_st(g, 4, TAG_VOLATILE_8(1), 8);
}

static void memory_of_either_type(void **state)
{
	struct guest *g = *state;

	assert_int_equal(set(g, PM, 2, map21), 0);
	put(g, 0, 1);
	turn(g, ON);
	assert_st(g, 0, TAG_PERSISTENT_16(2), 16);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_tag(g, 0, 2);
}

static void a_map_grows_shrinks_and_moves_under_the_guest(void **state)
{
	struct guest *g = *state;

	assert_int_equal(set(g, 0, 1, map21), 0);
	put(g, 0, 1);
	put(g, 1, 2);
	put(g, 2, 3);
	turn(g, ON);
	assert_tag(g, 0, 2);
	assert_tag(g, 1, NONE);
	assert_int_equal(set(g, 0, 3, (uint32_t []){ 2, 1, 0 }), 0);
	assert_tag(g, 1, 1);
	assert_tag(g, 2, 0);
	/* a virtual CPU is pinned elsewhere; one goes where there are no tags */
	assert_int_equal(set(g, 0, 3, (uint32_t []){ 0, 1, CPU_WITHOUT_TAGS }), 0);
	assert_tag(g, 0, 0);
	assert_tag(g, 1, 1);
	assert_tag(g, 2, NONE);
	assert_int_equal(set(g, 0, 1, (uint32_t []){ 0 }), 0);
	assert_tag(g, 0, 0);
	assert_tag(g, 1, NONE);
	assert_int_equal(look(g, 1), 2);
}

static void trace_begin(void)
{
	guest_command("cd " TRACING " && echo 0 >tracing_on && echo 8192 >buffer_size_kb && echo >trace &&"
		      " echo 1 >events/tph_vfio_pci/tph_apply/enable && echo 1 >tracing_on");
}

/* How many writes there were to hardware, and how many of them switched the requester off. */
static unsigned int trace_end(struct guest *g, unsigned int *off)
{
	unsigned int count = 0, at, bytes, value;
	char line[256], *event;
	FILE *trace;

	guest_command("cd " TRACING " && echo 0 >tracing_on && echo 0 >events/enable");
	trace = fopen(TRACING "trace", "re");
	assert_non_null(trace);
	*off = 0;
	while (fgets(line, sizeof(line), trace)) {
		event = strstr(line, "tph_apply: ");
		if (!event)
			continue;
		count++;
		assert_int_equal(sscanf(event, "tph_apply: %*s at=%x bytes=%u value=%x", &at, &bytes,
					&value), 3);
		*off += at == (unsigned int)g->cap + TPH_CTRL && !(value & TPH_CTRL_16);
	}
	fclose(trace);
	return count;
}

static void what_changes_no_tag_touches_no_hardware(void **state)
{
	struct guest *g = *state;
	unsigned int off, i;

	assert_int_equal(set(g, 0, 3, (uint32_t []){ 2, 1, 2 }), 0);
	put(g, 0, 1);
	put(g, 1, 2);
	turn(g, ON);
	trace_begin();
	for (i = 0; i < 100; i++) {
		put(g, 0, 1);
		put(g, 0, 3);
		put(g, 2, 4 + i);
	}
	assert_int_equal(set(g, 0, 3, (uint32_t []){ 2, 1, 2 }), 0);
	assert_int_equal(set(g, 0, 4, (uint32_t []){ 2, 1, 2, 0 }), 0);
	assert_int_equal(trace_end(g, &off), 0);
	assert_tag(g, 0, 2);
	/* a move is one off-window, and writes what changed: off, one pair, on */
	trace_begin();
	assert_int_equal(set(g, 0, 3, (uint32_t []){ 0, 1, 0 }), 0);
	assert_int_equal(trace_end(g, &off), 3);
	assert_int_equal(off, 1);
	assert_tag(g, 0, 0);
	/* so for entries that are SET */
	assert_int_equal(set(g, 0, 0, NULL), 0);
	assert_int_equal(st_set(g, 0, 0, 2, map21), 0);
	trace_begin();
	assert_int_equal(st_set(g, 0, 0, 2, map21), 0);
	assert_int_equal(trace_end(g, &off), 0);
	assert_tag(g, 0, 2);
}

/*
 * Writes that take two values in turn: what they make of the host is counted at the device, and is no
 * more than the budget says.
 */
static void storm_of(struct guest *g, unsigned int writes, unsigned int at, unsigned int bytes,
		     uint32_t even, uint32_t odd)
{
	struct timespec from, before, now;
	unsigned int off, table, rests = 0, i;
	double ms, gap, batches;

	assert_int_equal(set(g, 0, 2, map21), 0);
	turn(g, ON);
	pause_ms(50);
	guest_register_write(g, EP_COUNT_CLEAR, 1);
	clock_gettime(CLOCK_MONOTONIC, &from);
	before = from;
	for (i = 0; i < writes; i++) {
		guest_config_write(g, at, bytes, i % 2 ? odd : even);
		clock_gettime(CLOCK_MONOTONIC, &now);
		gap = (now.tv_sec - before.tv_sec) * 1e3 + (now.tv_nsec - before.tv_nsec) / 1e6;
		/* a machine that stands still for a window gives the guest all of the budget back */
		rests += gap > 8;
		before = now;
	}
	ms = (now.tv_sec - from.tv_sec) * 1e3 + (now.tv_nsec - from.tv_nsec) / 1e6;
	pause_ms(50);
	off = guest_register(g, EP_COUNT_OFF_WINDOWS);
	table = guest_register(g, EP_COUNT_ST_WRITES);
	printf("# %u writes in %.0f ms, %u rests: %u off-windows and %u writes of the table at the "
	       "device\n", writes, ms, rests, off, table);
	batches = 16 * (rests + 1) + ms / 10 + 2;
	assert_true(off <= batches);
	/* an enable writes all 64 entries, two at once */
	assert_true(table <= 32 * batches);
	assert_true(off < writes / 4);
}

static void a_storm_costs_a_batch_a_window(void **state)
{
	struct guest *g = *state;

	storm_of(g, STORM, at_table(g), 2, 1, 2);
	assert_int_equal(look(g, 0), 1 + (STORM - 1) % 2);
	assert_tag(g, 0, map21[(STORM - 1) % 2]);
}

static void a_storm_of_enables_costs_a_batch_a_window(void **state)
{
	struct guest *g = *state;
	unsigned int i;

	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 1);
	storm_of(g, ENABLES, guest_extended(g, 0x17) + TPH_CTRL, 4, 0, ON);
	assert_int_equal(turned(g), ON);
	assert_tag(g, 0, 2);
	/* the map goes while an enable waits: what its manager does next does not */
	for (i = 0; i < 50; i++) {
		turn(g, 0);
		assert_int_equal(turned(g), 0);
		turn(g, ON);
		assert_int_equal(turned(g), ON);
	}
	assert_int_equal(set(g, 0, 0, NULL), 0);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	assert_tag(g, 0, 1);
}

/* Off is not put off: no more of that guest is sent. */
static void a_storm_does_not_keep_it_on(void **state)
{
	struct guest *g = *state;
	unsigned int i;

	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 1);
	for (i = 0; i < 200; i++) {
		turn(g, ON);
		turn(g, 0);
		assert_plain(g, 0);
	}
}

static void what_is_taken_back_does_not_wait(void **state)
{
	struct guest *g = *state;
	unsigned int i;

	assert_int_equal(set(g, 0, 2, map21), 0);
	turn(g, ON);
	for (i = 0; i < 200; i++)
		put(g, 0, 1 + i % 2);
	put(g, 0, 1);
	put(g, 1, 1);
	guest_command("echo 0-1 >" SYSFS EP_CAPABILITY "/tph/cpus");
	assert_tag(g, 0, NONE);
	assert_tag(g, 1, NONE);
	/* nor does the batch bring it back */
	pause_ms(50);
	assert_tag(g, 0, NONE);
	assert_tag(g, 1, NONE);
}

static void what_is_lost_stays_lost_until_the_next_map(void **state)
{
	struct guest *g = *state;
	uint32_t i;

	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 1);
	put(g, 1, 2);
	turn(g, ON);
	assert_false(was_told());
	/* the operator */
	guest_command("echo 0-1 >" SYSFS EP_CAPABILITY "/tph/cpus");
	assert_true(was_told());
	assert_tag(g, 0, NONE);
	assert_tag(g, 1, 1);
	guest_command("echo 0-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	for (i = 0; i < 3; i++) {
		put(g, i, 1);
		assert_tag(g, i, NONE);
	}
	turn(g, 0);
	turn(g, ON);
	assert_tag(g, 0, NONE);
	assert_map(g, 2, (uint32_t []){ NONE, 1 });
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_tag(g, 2, 2);
	/* a CPU that goes offline */
	guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
	assert_true(was_told());
	assert_tag(g, 2, NONE);
	guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
	put(g, 3, 1);
	assert_tag(g, 3, NONE);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_tag(g, 3, 2);
	/* the process's affinity; also of a slot that no entry refers to */
	for (i = 0; i < 4; i++)
		put(g, i, 2);
	pause_ms(50);
	guest_run_on(1u << 1);
	wait_told();
	assert_map(g, 2, (uint32_t []){ NONE, 1 });
	assert_tag(g, 0, 1);
	guest_run_on(0xf);
	/* the address space */
	guest_detach(g);
	guest_attach(g);
	assert_map(g, 2, (uint32_t []){ NONE, NONE });
	assert_int_equal(turned(g), TPH_CTRL_IV);
	assert_int_equal(look(g, 0), 2);
	assert_int_equal(set(g, 0, 2, map21), 0);
	turn(g, ON);
	assert_tag(g, 0, 1);
}

/* In a process of its own; it waits there until it is let go, or ends with what it came to. */
struct manager {
	pid_t pid;
	int go;
};

static struct manager manage(struct guest *g, int (*act)(struct guest *), bool stay)
{
	struct manager m;
	int done[2], go[2], ret;

	assert_int_equal(pipe(done) | pipe(go), 0);
	m.pid = fork();
	assert_true(m.pid >= 0);
	if (!m.pid) {
		close(go[1]);
		ret = act(g);
		(void)!write(done[1], &ret, sizeof(ret));
		if (stay)
			(void)!read(go[0], &ret, 1);
		_exit(0);
	}
	close(go[0]);
	close(done[1]);
	assert_int_equal(read(done[0], &ret, sizeof(ret)), sizeof(ret));
	close(done[0]);
	assert_int_equal(ret, 0);
	m.go = go[1];
	if (!stay) {
		assert_int_equal(waitpid(m.pid, NULL, 0), m.pid);
		close(m.go);
	}
	return m;
}

static void let_go(struct manager m)
{
	close(m.go);
	assert_int_equal(waitpid(m.pid, NULL, 0), m.pid);
}

static int set_map21(struct guest *g)
{
	return set(g, 0, 2, map21);
}

static int set_entry(struct guest *g)
{
	return st_set_one(g, 9, 1);
}

static int is_refused(struct guest *g)
{
	return set(g, 0, 2, map21) != -EBUSY || set(g, 0, 0, NULL) != -EBUSY;
}

static void one_manager_at_a_time(void **state)
{
	struct guest *g = *state;
	struct manager m;

	/* another's map */
	m = manage(g, set_map21, true);
	put(g, 0, 1);
	turn(g, ON);
	assert_tag(g, 0, 2);
	assert_int_equal(set(g, 0, 2, map21), -EBUSY);
	assert_int_equal(set(g, 0, 0, NULL), -EBUSY);
	assert_map(g, 2, map21);
	/* that ends with it, and can be replaced at once; the guest's values are still there */
	let_go(m);
	assert_int_equal(set(g, 0, 2, (uint32_t []){ 0, 1 }), 0);
	assert_tag(g, 0, 0);
	manage(g, is_refused, false);
	assert_int_equal(set(g, 0, 0, NULL), 0);
	/* another's entry */
	m = manage(g, set_entry, true);
	assert_int_equal(set(g, 0, 2, map21), -EBUSY);
	assert_tag(g, 9, 1);
	let_go(m);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_tag(g, 9, NONE);
}

static void a_manager_that_dies_takes_its_tags_along(void **state)
{
	struct guest *g = *state;

	manage(g, set_map21, false);
	wait_told();
	assert_map(g, 2, (uint32_t []){ NONE, NONE });
	put(g, 0, 1);
	turn(g, ON);
	assert_tag(g, 0, NONE);
	/* what is empty is a map all the same */
	assert_int_equal(st_set_one(g, 0, 1), -EBUSY);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_tag(g, 0, 2);
}

static void entries_and_a_map_exclude_each_other(void **state)
{
	struct guest *g = *state;
	uint32_t got;

	assert_int_equal(st_set_one(g, 5, 1), 0);
	turn(g, ON);
	assert_tag(g, 5, 1);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_tag(g, 5, NONE);
	assert_int_equal(st_set_one(g, 5, 1), -EBUSY);
	assert_int_equal(st_set_one(g, 5, NONE), -EBUSY);
	put(g, 5, 1);
	assert_tag(g, 5, 2);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 5, 1, &got), 0);
	assert_int_equal(got, 2);
	assert_int_equal(set(g, 0, 0, NULL), 0);
	assert_tag(g, 5, NONE);
	assert_int_equal(st_set_one(g, 5, 1), 0);
	assert_tag(g, 5, 1);
}

static int legacy_enable_ds(struct guest *g)
{
	struct vfio_device_pci_tph_op op = {
		.argsz = sizeof(op),
		.op = VFIO_PCI_TPH_ENABLE,
		.ctrl = { .mode = VFIO_PCI_TPH_MODE_DS },
	};

	return ioctl(g->fd, VFIO_DEVICE_PCI_TPH, &op) ? -errno : 0;
}

static void device_specific_mode_and_a_map_exclude_each_other(void **state)
{
	struct guest *g;

	(void)state;
	guest_run_on(0xf);
	guest_command("echo ds-st >" SYSFS EP_CAPABILITY "/tph/policy");
	*state = g = guest_open(EP_CAPABILITY);
	assert_true(shown(g) & TPH_CAP_DS);
	turn(g, TPH_CTRL_DS | TPH_CTRL_16);
	assert_int_equal(turned(g), TPH_CTRL_DS | TPH_CTRL_16);
	assert_int_equal(set(g, 0, 2, map21), -EBUSY);
	assert_int_equal(turned(g), TPH_CTRL_DS | TPH_CTRL_16);
	turn(g, 0);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_false(shown(g) & TPH_CAP_DS);
	turn(g, TPH_CTRL_DS | TPH_CTRL_16);
	assert_int_equal(turned(g), 0);
	assert_int_equal(legacy_enable_ds(g), -EBUSY);
	assert_int_equal(turned(g), 0);
	put(g, 0, 1);
	turn(g, ON);
	assert_tag(g, 0, 2);
	assert_int_equal(set(g, 0, 0, NULL), 0);
	assert_true(shown(g) & TPH_CAP_DS);
	guest_close(g);
	*state = NULL;
	guest_command("echo iv-st >" SYSFS EP_CAPABILITY "/tph/policy");
}

static void flr_by_ioctl(struct guest *g)
{
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
}

static void flr_by_config(struct guest *g)
{
	uint8_t at = guest_config(g, PCI_CAPABILITY_LIST, 1);

	while (at && guest_config(g, at, 1) != PCI_CAP_ID_EXP)
		at = guest_config(g, at + 1, 1);
	assert_int_not_equal(at, 0);
	guest_config_write(g, at + PCI_EXP_DEVCTL, 2, guest_config(g, at + PCI_EXP_DEVCTL, 2) |
			   PCI_EXP_DEVCTL_BCR_FLR);
}

static void hot_reset(struct guest *g)
{
	assert_int_equal(guest_hot_reset(g), 0);
}

static void reset_by_root(struct guest *g)
{
	guest_command("echo 1 >" SYSFS "%s/reset", g->bdf);
}

/* As in hardware: nothing in the table, nothing enabled; what is written then is in force. */
static void resets(struct guest *g)
{
	static void (* const kinds[])(struct guest *g) = { flr_by_ioctl, flr_by_config, hot_reset,
							   reset_by_root };
	uint32_t command = guest_config(g, PCI_COMMAND, 2);
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!strcmp(g->bdf, EP_MSIX))
			guest_vectors(g, 4);
		assert_int_equal(set(g, 0, 2, map21), 0);
		put(g, 1, 1);
		turn(g, ON);
		wait_tag(g, 1, 2);
		if (!strcmp(g->bdf, EP_MSIX))
			guest_vectors(g, 0);
		kinds[i](g);
		guest_config_write(g, PCI_COMMAND, 2, command);
		if (!strcmp(g->bdf, EP_MSIX))
			guest_vectors(g, 4);
		assert_int_equal(turned(g), 0);
		assert_int_equal(look(g, 1), 0);
		assert_plain(g, 1);
		assert_map(g, 2, map21);
		turn(g, ON);
		assert_tag(g, 1, NONE);
		put(g, 1, 2);
		wait_tag(g, 1, 1);
	}
}

static void a_reset_leaves_the_map_alone(void **state)
{
	resets(*state);
}

static void a_reset_of_a_table_in_msix_leaves_the_map_alone(void **state)
{
	resets(*state);
}

/* Without a map nothing has changed: a reset is not seen. */
static void without_a_map_a_reset_is_invisible(void **state)
{
	struct guest *g = *state;
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_int_equal(set(g, 0, 0, NULL), 0);
	assert_int_equal(st_set_one(g, 1, 1), 0);
	turn(g, ON);
	flr_by_ioctl(g);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_tag(g, 1, 1);
}

static void low_power_is_no_reset(void **state)
{
	struct guest *g = *state;
	uint8_t at = guest_config(g, PCI_CAPABILITY_LIST, 1);

	while (at && guest_config(g, at, 1) != PCI_CAP_ID_PM)
		at = guest_config(g, at + 1, 1);
	assert_int_not_equal(at, 0);
	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 1);
	turn(g, ON);
	guest_config_write(g, at + PCI_PM_CTRL, 2, 3);
	put(g, 1, 2);
	guest_config_write(g, at + PCI_PM_CTRL, 2, 0);
	assert_int_equal(turned(g), ON);
	assert_tag(g, 0, 2);
	wait_tag(g, 1, 1);
}

static void a_table_in_msix_is_shown_in_the_capability(void **state)
{
	struct guest *g = *state;
	uint32_t n, i;

	assert_int_equal(shown(g) & TPH_CAP_LOCATION, TPH_CAP_IN_MSIX);
	assert_int_equal(probe(g, SET), 0);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_int_equal(shown(g) & TPH_CAP_LOCATION, TPH_CAP_IN_CAPABILITY);
	assert_int_equal(get(g, TABLE, 0, NULL, &n), 0);
	assert_int_equal(shown(g) >> TPH_CAP_SIZE_SHIFT, n - 1);
	assert_int_equal(n, 16);
	for (i = 0; i < 4; i++)
		put(g, i, 1 + i % 2);
	turn(g, ON);
	/* a vector that is not there has no tag */
	assert_tag(g, 0, NONE);
	guest_vectors(g, 3);
	for (i = 0; i < 4; i++)
		assert_tag(g, i, i < 3 ? map21[i % 2] : NONE);
	put(g, 0, 2);
	assert_tag(g, 0, 1);
	guest_vectors(g, 0);
	assert_tag(g, 0, NONE);
	guest_vectors(g, 4);
	for (i = 0; i < 4; i++)
		assert_tag(g, i, i ? map21[i % 2] : 1);
	assert_int_equal(set(g, 0, 0, NULL), 0);
	assert_int_equal(shown(g) & TPH_CAP_LOCATION, TPH_CAP_IN_MSIX);
	assert_int_equal(look(g, 0), 0);
	assert_tag(g, 0, NONE);
}

static void mask(struct guest *g, uint32_t action, uint32_t vector)
{
	struct vfio_irq_set arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_IRQ_SET_DATA_NONE | action,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = vector,
		.count = 1,
	};

	/* vfio-pci does not mask vectors of MSI-X for its user, and says so; a VMM tries all the same */
	if (ioctl(g->fd, VFIO_DEVICE_SET_IRQS, &arg))
		assert_int_equal(errno, ENOTTY);
}

static void masked_and_unmasked_it_keeps_its_tags(void **state)
{
	struct guest *g = *state;
	int i;

	guest_vectors(g, 4);
	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 1);
	put(g, 1, 2);
	turn(g, ON);
	for (i = 0; i < 4; i++) {
		mask(g, VFIO_IRQ_SET_ACTION_MASK, 0);
		assert_tag(g, 1, 1);
		mask(g, VFIO_IRQ_SET_ACTION_UNMASK, 0);
		assert_tag(g, 0, 2);
		put(g, 0, 2);
		assert_tag(g, 0, 1);
		put(g, 0, 1);
		assert_tag(g, 0, 2);
	}
}

/* What is written while the table cannot be is in force when it can. */
static void memory_decode_off_defers_it(void **state)
{
	struct guest *g = *state;
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	guest_vectors(g, 4);
	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 1);
	turn(g, ON);
	assert_tag(g, 0, 2);
	guest_config_write(g, PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
	put(g, 0, 2);
	assert_int_equal(look(g, 0), 2);
	guest_config_write(g, PCI_COMMAND, 2, command);
	wait_tag(g, 0, 1);
}

static int place(const char *text)
{
	return guest_try("echo %s >" SYSFS EP_MSIX "/tph/guest_place 2>/dev/null", text);
}

static void the_operator_chooses_a_place(void **state)
{
	static const char * const no_places[] = { "0", "0x40", "0xff", "0x102", "0xf01", "0xffc", "0xff8",
						  "0x1000", "0x10f00", "-1", "here", "''" };
	struct guest *g = *state;
	uint32_t raw;
	char text[32];
	size_t i;

	/* decided before it is opened */
	assert_int_not_equal(place("0xf00"), 0);
	guest_close(g);
	*state = NULL;
	for (i = 0; i < sizeof(no_places) / sizeof(*no_places); i++)
		if (!place(no_places[i]))
			fail_msg("guest_place takes %s", no_places[i]);
	guest_attribute(EP_MSIX, "tph/guest_place", text, sizeof(text));
	assert_string_equal(text, "behind");

	/* where something is there is no room: nor is it shown there */
	guest_command("echo %#x >" SYSFS EP_MSIX "/tph/guest_place", raw_extended(EP_MSIX, 0x17));
	*state = g = guest_open(EP_MSIX);
	assert_int_equal(probe(g, SET), -EOPNOTSUPP);
	assert_int_equal(set(g, 0, 2, map21), -EOPNOTSUPP);
	assert_int_equal(guest_extended(g, 0x17), g->cap);
	guest_close(g);
	*state = NULL;

	assert_int_equal(place("0xf00"), 0);
	guest_attribute(EP_MSIX, "tph/guest_place", text, sizeof(text));
	assert_string_equal(text, "0xf00");
	*state = g = guest_open(EP_MSIX);
	assert_int_equal(guest_extended(g, 0x17), FREE);
	assert_int_equal(guest_config(g, FREE, 4) & 0xfffff, 0x10017);
	assert_int_equal(shown(g) & TPH_CAP_LOCATION, TPH_CAP_IN_MSIX);
	/* the function's own hears nothing, and reads as nothing */
	guest_config_write(g, g->cap + TPH_CTRL, 4, ON);
	assert_int_equal(guest_config(g, g->cap + TPH_CTRL, 4), 0);
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4), 0);
	assert_int_equal(raw_config(EP_MSIX, g->cap + TPH_CTRL, 4), 0);
	raw = raw_config(EP_MSIX, FREE, 4);
	guest_vectors(g, 4);
	assert_int_equal(set(g, 0, 2, map21), 0);
	assert_int_equal(shown(g) & TPH_CAP_LOCATION, TPH_CAP_IN_CAPABILITY);
	put(g, 0, 1);
	put(g, 15, 2);
	put(g, 16, 2);
	assert_int_equal(look(g, 15), 2);
	assert_int_equal(look(g, 16), 0);
	guest_config_write(g, FREE, 4, 0xffffffff);
	assert_int_equal(guest_config(g, FREE, 4) & 0xfffff, 0x10017);
	assert_int_equal(raw_config(EP_MSIX, FREE, 4), raw);
	turn(g, ON);
	assert_int_equal(turned(g), ON);
	assert_tag(g, 0, 2);
	assert_int_equal(raw_config(EP_MSIX, FREE + TPH_TABLE, 4),
			 raw_config(EP_MSIX, FREE + TPH_CTRL, 4));
}

static _Atomic bool racing;

static void *look_at_it(void *arg)
{
	struct guest *g = arg;
	uint8_t bytes[16];
	uintptr_t torn = 0;

	while (racing) {
		uint32_t reg;

		if (pread(g->fd, bytes, sizeof(bytes), CONFIG + g->cap) != sizeof(bytes))
			torn++;
		reg = bytes[4] | bytes[5] << 8 | (uint32_t)bytes[6] << 16 | (uint32_t)bytes[7] << 24;
		/* the one view or the other; a table that is not shown is not to be read */
		if ((reg & TPH_CAP_LOCATION) == TPH_CAP_IN_MSIX && bytes[12])
			torn++;
	}
	return (void *)torn;
}

static void an_access_sees_one_whole_view(void **state)
{
	struct guest *g = *state;
	pthread_t thread;
	void *torn;
	int i;

	racing = true;
	assert_int_equal(pthread_create(&thread, NULL, look_at_it, g), 0);
	for (i = 0; i < 300; i++) {
		assert_int_equal(set(g, 0, 2, map21), 0);
		put(g, 0, 1);
		assert_int_equal(set(g, 0, 0, NULL), 0);
	}
	racing = false;
	pthread_join(thread, &torn);
	assert_null(torn);
}

static void *storm(void *arg)
{
	struct guest *g = arg;
	unsigned int i;

	for (i = 0; racing; i++)
		put(g, i % 64, 1 + i / 64 % 3);
	return NULL;
}

static double offline(void)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	guest_command("echo 0 >/sys/devices/system/cpu/cpu2/online");
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (to.tv_sec - from.tv_sec) * 1e3 + (to.tv_nsec - from.tv_nsec) / 1e6;
}

static void a_cpu_goes_offline_under_a_storm(void **state)
{
	struct guest *g = *state;
	pthread_t thread;
	double quiet, loud;
	int i, e;

	assert_int_equal(set(g, 0, 2, map21), 0);
	turn(g, ON);
	quiet = offline();
	guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
	for (i = 0; i < 5; i++) {
		assert_int_equal(set(g, 0, 2, map21), 0);
		racing = true;
		assert_int_equal(pthread_create(&thread, NULL, storm, g), 0);
		loud = offline();
		/* gone, whatever is still written */
		for (e = 0; e < 8; e++)
			assert_int_not_equal(guest_write_for(g, e).st, TAG_VOLATILE_16(2));
		racing = false;
		pthread_join(thread, NULL);
		print_message("CPU offline: %.0f ms, %.0f ms under a storm\n", quiet, loud);
		pause_ms(50);
		for (e = 0; e < 64; e++)
			assert_int_not_equal(guest_write_for(g, e).st, TAG_VOLATILE_16(2));
		assert_map(g, 2, (uint32_t []){ NONE, 1 });
		guest_command("echo 1 >/sys/devices/system/cpu/cpu2/online");
	}
}

/* Waits until the device is closed, by whoever has it: so in no child, which would have it too. */
static void *unbind(void *arg)
{
	guest_try("echo " EP_CAPABILITY " >" SYSFS EP_CAPABILITY "/driver/unbind");
	return arg;
}

static void removal_ends_it(void **state)
{
	struct guest *g = *state;
	pthread_t thread;
	int i;

	assert_int_equal(set(g, 0, 2, map21), 0);
	put(g, 0, 1);
	turn(g, ON);
	assert_int_equal(pthread_create(&thread, NULL, unbind, NULL), 0);
	for (i = 0; i < 1000 && set(g, 0, 2, map21) != -ENODEV; i++)
		pause_ms(5);
	assert_int_equal(set(g, 0, 2, map21), -ENODEV);
	assert_int_equal(set(g, 0, 0, NULL), -ENODEV);
	assert_map(g, 2, (uint32_t []){ NONE, NONE });
	turn(g, ON);
	assert_plain(g, 0);
	guest_close(g);
	*state = NULL;
	pthread_join(thread, NULL);
	guest_bind(EP_CAPABILITY, "tph-vfio-pci");
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_MSIX(name)	cmocka_unit_test_setup_teardown(name, setup_msix, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_map_is_refused),
		TEST(a_payload_that_ends_in_nowhere_is_efault),
		TEST(cpus_are_granted_as_for_entries),
		cmocka_unit_test_teardown(where_there_is_no_table_there_is_no_map, guest_close_all),
		TEST(without_a_map_the_table_takes_nothing),
		TEST(a_value_that_is_no_tag_steers_nowhere),
		TEST(one_manager_at_a_time),
		TEST(a_manager_that_dies_takes_its_tags_along),
		TEST(entries_and_a_map_exclude_each_other),
		cmocka_unit_test_teardown(device_specific_mode_and_a_map_exclude_each_other,
					  guest_close_all),
		TEST(what_is_lost_stays_lost_until_the_next_map),
		TEST(what_is_taken_back_does_not_wait),
		TEST(a_reset_leaves_the_map_alone),
		TEST_MSIX(a_reset_of_a_table_in_msix_leaves_the_map_alone),
		TEST(without_a_map_a_reset_is_invisible),
		TEST(low_power_is_no_reset),
		TEST(values_steer_enabled_before_or_after),
		TEST(accesses_have_any_width_and_place),
		TEST(a_lower_byte_is_the_tag_of_eight_bits),
		TEST(memory_of_either_type),
		TEST(a_map_grows_shrinks_and_moves_under_the_guest),
		TEST(what_changes_no_tag_touches_no_hardware),
		TEST(a_storm_costs_a_batch_a_window),
		TEST(a_storm_of_enables_costs_a_batch_a_window),
		TEST(a_storm_does_not_keep_it_on),
		TEST(a_cpu_goes_offline_under_a_storm),
		TEST_MSIX(a_table_in_msix_is_shown_in_the_capability),
		TEST_MSIX(masked_and_unmasked_it_keeps_its_tags),
		TEST_MSIX(memory_decode_off_defers_it),
		TEST_MSIX(an_access_sees_one_whole_view),
		TEST_MSIX(the_operator_chooses_a_place),
		TEST(removal_ends_it),
	};

	guest_driver("policy=iv-st");
	return guest_run_group(tests);
}
