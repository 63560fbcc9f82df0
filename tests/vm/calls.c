// SPDX-License-Identifier: MIT
/*
 * Every call on every kind of platform under every policy, well formed and with one thing or two
 * wrong. First comes what PROBE says of the operation, whatever else is wrong with it; what follows
 * is in the order of doc/uapi.md. A call that is refused changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vfio_tph_legacy.h>

#include "guest.h"

/* A request is a good one with a field or two put over. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define ECAP_TPH	0x17
#define EP_COMPLETER	"0000:0a:00.0"	/* no TPH Requester capability, but a TPH Completer */

#define PROBE	VFIO_DEVICE_FEATURE_PROBE
#define SET	VFIO_DEVICE_FEATURE_SET
#define GET	VFIO_DEVICE_FEATURE_GET
#define CANNOT	(-EOPNOTSUPP)
#define MAY_NOT	(-EPERM)

/* What an operation needs on offer: a column of struct platform. */
enum need {
	NEEDS_NOTHING,	/* vfio itself, or the payload's first look, answers */
	NEEDS_SET,	/* TPH_ST: PROBE of SET; SET; TPH_NOTIFY */
	NEEDS_CPUS,	/* TPH_ST: PROBE of GET; GET */
	NEEDS_TAGS,	/* GET of tags, after sizes and ranges */
	NEEDS_DMABUF,	/* DMA_BUF_TPH */
	NEEDS_MODES,	/* posted ioctl: GET_CAP, DISABLE, ENABLE */
	NEEDS_IV,	/* posted ioctl: ENABLE of that mode, after sizes and fields */
	NEEDS_DS,
	NEEDS_TABLE,	/* posted ioctl: SET_ST */
	NEEDS_ANY_TAG,	/* posted ioctl: GET_ST */
	NEEDS
};

/** struct platform - what is on offer for a kind of device, on a kind of machine, under a policy */
struct platform {
	const char *policy;
	int offer[NEEDS];
};

/* A platform's columns are: nothing, set, cpus, tags, dmabuf, modes, iv, ds, table, any tag. */
#define NOTHING { 0, CANNOT, CANNOT, CANNOT, CANNOT, CANNOT, CANNOT, CANNOT, CANNOT, CANNOT }

/* All modes, and an ST table. */
static const struct platform all_modes[] = {
	{ "no-st", { 0, MAY_NOT, 0, MAY_NOT, CANNOT, 0, MAY_NOT, MAY_NOT, MAY_NOT, MAY_NOT } },
	{ "iv-st", { 0, 0, 0, MAY_NOT, CANNOT, 0, 0, MAY_NOT, 0, MAY_NOT } },
	{ "ds-st", { 0, 0, 0, 0, CANNOT, 0, 0, 0, 0, 0 } },
};

/* Interrupt vector mode alone. */
static const struct platform iv_alone[] = {
	{ "no-st", { 0, MAY_NOT, 0, MAY_NOT, CANNOT, 0, MAY_NOT, CANNOT, MAY_NOT, MAY_NOT } },
	{ "iv-st", { 0, 0, 0, MAY_NOT, CANNOT, 0, 0, CANNOT, 0, MAY_NOT } },
	{ "ds-st", { 0, 0, 0, 0, CANNOT, 0, 0, CANNOT, 0, 0 } },
};

/* Device-specific mode alone, and no ST table. */
static const struct platform ds_alone[] = {
	{ "no-st", { 0, MAY_NOT, 0, MAY_NOT, CANNOT, 0, CANNOT, MAY_NOT, CANNOT, MAY_NOT } },
	{ "iv-st", { 0, MAY_NOT, 0, MAY_NOT, CANNOT, 0, CANNOT, MAY_NOT, CANNOT, MAY_NOT } },
	{ "ds-st", { 0, 0, 0, 0, CANNOT, 0, CANNOT, 0, CANNOT, 0 } },
};

/* No TPH, no completer above, or a kernel that was told pci=notph. */
static const struct platform nothing[] = {
	{ "no-st", NOTHING }, { "iv-st", NOTHING }, { "ds-st", NOTHING },
};

/* No TPH Requester, but a TPH Completer. */
#define PUBLISHES { 0, CANNOT, CANNOT, CANNOT, 0, CANNOT, CANNOT, CANNOT, CANNOT, CANNOT }
static const struct platform publishes[] = {
	{ "no-st", PUBLISHES }, { "iv-st", PUBLISHES }, { "ds-st", PUBLISHES },
};

/* Firmware has no tags: hints, and under ds-st the tags that the user has of somewhere else. */
static const struct platform untagged[] = {
	{ "no-st", { 0, CANNOT, CANNOT, CANNOT, CANNOT, 0, CANNOT, MAY_NOT, CANNOT, CANNOT } },
	{ "iv-st", { 0, CANNOT, CANNOT, CANNOT, CANNOT, 0, CANNOT, MAY_NOT, CANNOT, CANNOT } },
	{ "ds-st", { 0, CANNOT, CANNOT, CANNOT, CANNOT, 0, CANNOT, 0, CANNOT, CANNOT } },
};

static const struct platform untagged_iv_alone[] = {
	{ "no-st", { 0, CANNOT, CANNOT, CANNOT, CANNOT, 0, CANNOT, CANNOT, CANNOT, CANNOT } },
	{ "iv-st", { 0, CANNOT, CANNOT, CANNOT, CANNOT, 0, CANNOT, CANNOT, CANNOT, CANNOT } },
	{ "ds-st", { 0, CANNOT, CANNOT, CANNOT, CANNOT, 0, CANNOT, CANNOT, CANNOT, CANNOT } },
};

enum { STANDARD, NO_FIRMWARE, NOTPH, MACHINES };

static const char *const machines[MACHINES] = { "standard", "no-firmware", "notph" };

static const struct device {
	const char *bdf;
	uint32_t entries;
	const struct platform *kind[MACHINES];
} devices[] = {
	{ EP_CAPABILITY, 64, { all_modes, untagged, nothing } },
	{ EP_MSIX, 16, { all_modes, untagged, nothing } },
	{ EP_TABLELESS, 2048, { ds_alone, untagged, nothing } },
	{ EP_PLAIN, 0, { nothing, nothing, nothing } },
	{ EP_FIRST, 5, { iv_alone, untagged_iv_alone, nothing } },
	{ EP_UNHEARD, 64, { nothing, nothing, nothing } },
	{ EP_RESERVED, 64, { nothing, nothing, nothing } },
	{ EP_NARROW, 64, { all_modes, untagged, nothing } },
	{ EP_UNHEARD_FIRST, 64, { nothing, nothing, nothing } },
	{ EP_INTEGRATED, 64, { all_modes, untagged, nothing } },
	{ EP_COMPLETER, 0, { publishes, publishes, publishes } },
};

/* ---- memory for payloads ---- */

/* The last @readable of @size bytes are behind the end of the page. */
static void *at_page_end(const void *bytes, size_t size, size_t readable)
{
	static char *page;

	if (!page) {
		page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(page, MAP_FAILED);
		assert_int_equal(mprotect(page + 4096, 4096, PROT_NONE), 0);
	}
	memcpy(page + 4096 - readable, bytes, readable < size ? readable : size);
	return page + 4096 - readable;
}

/* The same bytes where they can be read, and not written. */
static void *read_only(const void *bytes, size_t size)
{
	static char *page;

	if (!page)
		page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_WRITE), 0);
	memcpy(page, bytes, size);
	assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
	return page;
}

static int answer_of(int ret)
{
	return ret ? -errno : 0;
}

/* ---- VFIO_DEVICE_FEATURE_TPH_ST ---- */

struct st {
	uint32_t argsz, feature;
	uint32_t flags;
	uint16_t index, count;
	uint32_t data[4];
};

#define ST(op, ...)	((struct st){ .argsz = 8 + 8 + 4, .feature = (op) |		\
				      VFIO_DEVICE_FEATURE_TPH_ST, .count = 1, .data = { 1, 1, 1, 1 }, \
				      __VA_ARGS__ })

static int st(const struct guest *g, struct st request)
{
	return answer_of(ioctl(g->fd, VFIO_DEVICE_FEATURE, &request));
}

#define CALL(name, ...)	\
	static int name(const struct guest *g, uint32_t entries) \
	{ (void)entries; return (__VA_ARGS__); }

CALL(st_probe_set, st(g, ST(PROBE | SET)))
CALL(st_probe_get, st(g, ST(PROBE | GET)))
CALL(st_probe_both, st(g, ST(PROBE | SET | GET)))
CALL(st_probe_neither, st(g, ST(PROBE)))
CALL(st_probe_bare, st(g, ST(PROBE | SET, .argsz = 8)))
CALL(st_neither, st(g, ST(0)))
CALL(st_both, st(g, ST(SET | GET)))
CALL(st_unknown_operation, st(g, ST(SET | 1u << 20)))
CALL(st_no_header, st(g, ST(SET, .argsz = 7)))

CALL(set_bare, st(g, ST(SET, .argsz = 8)))
CALL(set_cut_header, st(g, ST(SET, .argsz = 8 + 7)))
CALL(set_cut_data, st(g, ST(SET, .argsz = 8 + 8 + 3)))
CALL(set_count_0, st(g, ST(SET, .count = 0)))
CALL(set_count_beyond_argsz, st(g, ST(SET, .count = 2)))
CALL(set_unknown_flag, st(g, ST(SET, .flags = 1u << 31)))
CALL(set_flag_of_get, st(g, ST(SET, .flags = VFIO_TPH_ST_CPU)))
CALL(set_beyond, st(g, ST(SET, .index = (uint16_t)entries)))
CALL(set_far_beyond, st(g, ST(SET, .index = 0xffff)))
CALL(set_over_the_end, st(g, ST(SET, .argsz = 24, .index = (uint16_t)(entries - 1), .count = 2)))
CALL(set_no_such_cpu, st(g, ST(SET, .data = { 5000 })))
CALL(set_nearly_none, st(g, ST(SET, .data = { VFIO_TPH_CPU_NONE - 1 })))
CALL(set_no_tag, st(g, ST(SET, .data = { CPU_WITHOUT_TAGS })))
CALL(set, st(g, ST(SET)))
CALL(set_persistent, st(g, ST(SET, .flags = VFIO_TPH_ST_MEM_TYPE_PM)))
CALL(set_clear, st(g, ST(SET, .data = { VFIO_TPH_CPU_NONE })))

/* a CPU that no thread of this process may run on, in one call with another reason or without */
static int confined(const struct guest *g, uint32_t first, uint32_t second)
{
	int ret;

	guest_run_on(1);
	ret = st(g, ST(SET, .argsz = 24, .count = 2, .data = { first, second }));
	guest_run_on(0xf);
	return ret;
}

CALL(set_of_another_process, confined(g, 0, 1))
CALL(set_process_before_number, confined(g, 1, 5000))
CALL(set_process_before_firmware, confined(g, CPU_WITHOUT_TAGS, 1))

/* data that cannot be read: what the header has wrong comes first, what data would have does not */
static int unreadable(const struct guest *g, struct st request, size_t readable)
{
	return answer_of(ioctl(g->fd, VFIO_DEVICE_FEATURE,
			       at_page_end(&request, sizeof(request), readable)));
}

CALL(set_no_memory_header, unreadable(g, ST(SET), 8))
CALL(set_no_memory_data, unreadable(g, ST(SET), 16))
CALL(set_no_memory_flag, unreadable(g, ST(SET, .flags = 2), 16))
CALL(set_no_memory_range, unreadable(g, ST(SET, .index = 0xffff), 16))
CALL(set_no_memory_cpu, unreadable(g, ST(SET, .argsz = 24, .count = 2, .data = { 5000 }), 20))

#define CPUS(...)	ST(GET, .flags = VFIO_TPH_ST_CPU, __VA_ARGS__)

CALL(get_bare, st(g, ST(GET, .argsz = 8)))
CALL(get_cut_header, st(g, CPUS(.argsz = 8 + 7)))
CALL(get_cut_data, st(g, CPUS(.argsz = 8 + 8 + 3)))
CALL(get_count_0, st(g, CPUS(.count = 0)))
CALL(get_beyond, st(g, CPUS(.index = (uint16_t)entries)))
CALL(get_over_the_end, st(g, CPUS(.argsz = 24, .index = (uint16_t)(entries - 1), .count = 2)))
CALL(get_unknown_flag, st(g, ST(GET, .flags = 1u << 31)))
CALL(get_flag_of_set, st(g, ST(GET, .flags = VFIO_TPH_ST_MEM_TYPE_PM)))
CALL(get_two_things, st(g, ST(GET, .flags = VFIO_TPH_ST_CPU | VFIO_TPH_ST_EXT)))
CALL(get_tags_beyond, st(g, ST(GET, .index = 0xffff)))
CALL(get_no_memory_header, unreadable(g, ST(GET), 8))
CALL(get_tags, st(g, ST(GET)))
CALL(get_tags_16, st(g, ST(GET, .flags = VFIO_TPH_ST_EXT)))

static int unwritable(const struct guest *g, struct st request)
{
	return answer_of(ioctl(g->fd, VFIO_DEVICE_FEATURE, read_only(&request, sizeof(request))));
}

CALL(get_no_memory, unwritable(g, CPUS()))
CALL(get_tags_no_memory, unwritable(g, ST(GET)))

/* what it tells is true: an entry that nobody set */
static int get_cpus(const struct guest *g, uint32_t entries)
{
	struct st request = CPUS(.index = (uint16_t)(entries - 1));
	int ret = answer_of(ioctl(g->fd, VFIO_DEVICE_FEATURE, &request));

	assert_int_equal(request.data[0], ret ? 1 : VFIO_TPH_CPU_NONE);
	return ret;
}

/* ---- VFIO_DEVICE_FEATURE_TPH_NOTIFY ---- */

struct notify {
	uint32_t argsz, feature;
	int32_t eventfd;
	uint32_t flags;
};

#define NOTIFY(op, ...)	((struct notify){ .argsz = 16, .feature = (op) |		\
					  VFIO_DEVICE_FEATURE_TPH_NOTIFY, __VA_ARGS__ })

static int notify(const struct guest *g, struct notify request)
{
	return answer_of(ioctl(g->fd, VFIO_DEVICE_FEATURE, &request));
}

static int some_eventfd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return fd;
}

CALL(notify_probe_set, notify(g, NOTIFY(PROBE | SET)))
CALL(notify_probe_neither, notify(g, NOTIFY(PROBE)))
CALL(notify_probe_get, notify(g, NOTIFY(PROBE | GET)))
CALL(notify_get, notify(g, NOTIFY(GET)))
CALL(notify_neither, notify(g, NOTIFY(0)))
CALL(notify_bare, notify(g, NOTIFY(SET, .argsz = 8)))
CALL(notify_cut, notify(g, NOTIFY(SET, .argsz = 15, .eventfd = some_eventfd())))
CALL(notify_flag, notify(g, NOTIFY(SET, .eventfd = some_eventfd(), .flags = 1)))
CALL(notify_flag_before_fd, notify(g, NOTIFY(SET, .eventfd = 9999, .flags = 1u << 31)))
CALL(notify_below_none, notify(g, NOTIFY(SET, .eventfd = -2)))
CALL(notify_no_fd, notify(g, NOTIFY(SET, .eventfd = 9999)))
CALL(notify_no_eventfd, notify(g, NOTIFY(SET, .eventfd = g->fd)))
CALL(notify_set, notify(g, NOTIFY(SET, .eventfd = some_eventfd())))
CALL(notify_again, notify(g, NOTIFY(SET, .eventfd = some_eventfd())))
CALL(notify_remove, notify(g, NOTIFY(SET, .eventfd = -1)))

static int notify_no_memory(const struct guest *g, uint32_t entries)
{
	struct notify request = NOTIFY(SET, .eventfd = -1);

	(void)entries;
	return answer_of(ioctl(g->fd, VFIO_DEVICE_FEATURE,
			       at_page_end(&request, sizeof(request), 12)));
}

/* ---- VFIO_DEVICE_FEATURE_DMA_BUF_TPH ---- */

static int publish(const struct guest *g, uint32_t operation, size_t size)
{
	struct vfio_device_feature_dma_buf_tph tags = { .dmabuf_fd = 9999 };

	return feature(g->fd, operation | VFIO_DEVICE_FEATURE_DMA_BUF_TPH, &tags, size);
}

CALL(dmabuf_probe_set, publish(g, PROBE | SET, 12))
CALL(dmabuf_probe_bare, publish(g, PROBE | SET, 0))
CALL(dmabuf_probe_get, publish(g, PROBE | GET, 12))
CALL(dmabuf_get, publish(g, GET, 12))
CALL(dmabuf_neither, publish(g, 0, 12))
CALL(dmabuf_cut, publish(g, SET, 11))
CALL(dmabuf_no_fd, publish(g, SET, 12))

/* ---- VFIO_DEVICE_PCI_TPH ---- */

struct posted {
	uint32_t argsz, op;
	union {
		struct vfio_pci_tph_cap cap;
		struct vfio_pci_tph_ctrl ctrl;
		struct {
			uint32_t count, reserved;
			struct vfio_pci_tph_entry entry;
		} st;
	};
};

#define HEADER	8
#define POSTED(operation, ...)	((struct posted){ .argsz = sizeof(struct posted),	\
						  .op = VFIO_PCI_TPH_##operation, __VA_ARGS__ })

static int posted(const struct guest *g, struct posted request)
{
	return answer_of(ioctl(g->fd, VFIO_DEVICE_PCI_TPH, &request));
}

static int posted_unreadable(const struct guest *g, struct posted request, size_t readable)
{
	return answer_of(ioctl(g->fd, VFIO_DEVICE_PCI_TPH,
			       at_page_end(&request, sizeof(request), readable)));
}

static int posted_unwritable(const struct guest *g, struct posted request)
{
	return answer_of(ioctl(g->fd, VFIO_DEVICE_PCI_TPH, read_only(&request, sizeof(request))));
}

CALL(posted_no_header, posted(g, POSTED(GET_CAP, .argsz = HEADER - 1)))
CALL(posted_no_memory, posted_unreadable(g, POSTED(GET_CAP), 4))
CALL(posted_unknown, posted(g, (struct posted){ .argsz = HEADER, .op = 5 }))
CALL(posted_unknown_far, posted(g, (struct posted){ .argsz = 4096, .op = ~0u }))

CALL(cap_bare, posted(g, POSTED(GET_CAP, .argsz = HEADER)))
CALL(cap_cut, posted(g, POSTED(GET_CAP, .argsz = HEADER + 7)))
CALL(cap_no_memory, posted_unwritable(g, POSTED(GET_CAP)))
CALL(cap_get, posted(g, POSTED(GET_CAP)))
CALL(disable, posted(g, POSTED(DISABLE, .argsz = HEADER)))

CALL(enable_bare, posted(g, POSTED(ENABLE, .argsz = HEADER, .ctrl.mode = VFIO_PCI_TPH_MODE_IV)))
CALL(enable_cut, posted(g, POSTED(ENABLE, .argsz = HEADER + 7, .ctrl.mode = VFIO_PCI_TPH_MODE_IV)))
CALL(enable_no_memory,
     posted_unreadable(g, POSTED(ENABLE, .ctrl.mode = VFIO_PCI_TPH_MODE_IV), HEADER + 4))
CALL(enable_mode_0, posted(g, POSTED(ENABLE, .ctrl.mode = 0)))
CALL(enable_two_modes, posted(g, POSTED(ENABLE, .ctrl.mode = 3)))
CALL(enable_reserved, posted(g, POSTED(ENABLE, .ctrl = { .mode = VFIO_PCI_TPH_MODE_DS,
							   .reserved[6] = 1 })))
CALL(enable_iv, posted(g, POSTED(ENABLE, .ctrl.mode = VFIO_PCI_TPH_MODE_IV)))
CALL(enable_ds, posted(g, POSTED(ENABLE, .ctrl.mode = VFIO_PCI_TPH_MODE_DS)))

#define ENTRY(operation, size, n, ...)							\
	POSTED(operation, .argsz = (size),						\
	       .st = { .count = (n), .entry = { .cpu = 1, __VA_ARGS__ } })
#define WHOLE	((uint32_t)sizeof(struct posted))

/* SET_ST and GET_ST differ in what they need, and in the index */
#define ENTRY_CALLS(name, operation)							\
	CALL(name##_bare, posted(g, ENTRY(operation, HEADER, 1)))			\
	CALL(name##_cut_header, posted(g, ENTRY(operation, HEADER + 7, 1)))		\
	CALL(name##_no_memory_header, posted_unreadable(g, ENTRY(operation, WHOLE, 1), HEADER)) \
	CALL(name##_count_0, posted(g, ENTRY(operation, WHOLE, 0)))			\
	CALL(name##_count_2049, posted(g, ENTRY(operation, 65536, 2049)))		\
	CALL(name##_cut_entry, posted(g, ENTRY(operation, WHOLE - 1, 1)))		\
	CALL(name##_no_memory_entry, posted_unreadable(g, ENTRY(operation, WHOLE, 1), 16)) \
	CALL(name##_memory_type, posted(g, ENTRY(operation, WHOLE, 1, .mem_type = 2)))	\
	CALL(name##_reserved, posted(g, ENTRY(operation, WHOLE, 1, .reserved1 = 1)))	\
	CALL(name##_no_such_cpu, posted(g, ENTRY(operation, WHOLE, 1, .cpu = 5000)))	\
	CALL(name##_no_tag, posted(g, ENTRY(operation, WHOLE, 1, .cpu = CPU_WITHOUT_TAGS))) \
	CALL(name##_good, posted(g, ENTRY(operation, WHOLE, 1, .mem_type = 1)))

ENTRY_CALLS(set_st, SET_ST)
ENTRY_CALLS(get_st, GET_ST)
CALL(set_st_beyond, posted(g, ENTRY(SET_ST, WHOLE, 1, .index = (uint16_t)entries)))
CALL(set_st_far_beyond, posted(g, ENTRY(SET_ST, WHOLE, 1, .index = 0xffff)))
CALL(set_st_clear, posted(g, ENTRY(SET_ST, WHOLE, 1, .cpu = ~0u)))
CALL(get_st_of_none, posted(g, ENTRY(GET_ST, WHOLE, 1, .cpu = ~0u)))
CALL(get_st_any_index, posted(g, ENTRY(GET_ST, WHOLE, 1, .index = 0xffff)))
CALL(get_st_no_memory, posted_unwritable(g, ENTRY(GET_ST, WHOLE, 1)))

/* ---- the table ---- */

static const struct call {
	const char *name;
	enum need need;
	int answer;	/* where what it needs is on offer */
	int (*run)(const struct guest *g, uint32_t entries);
	bool attached;	/* has to be attached as well, else EPERM */
} calls[] = {
#define ROW(need, answer, run)		{ #run, need, answer, run, false }
#define ATTACHED(need, answer, run)	{ #run, need, answer, run, true }
	/* vfio's own checks come before everything */
	ROW(NEEDS_NOTHING, -EINVAL, st_both),
	ROW(NEEDS_NOTHING, -EINVAL, st_unknown_operation),
	ROW(NEEDS_NOTHING, -EINVAL, st_no_header),
	/* PROBE */
	ROW(NEEDS_SET, 0, st_probe_set),
	ROW(NEEDS_CPUS, 0, st_probe_get),
	ROW(NEEDS_SET, 0, st_probe_both),
	ROW(NEEDS_SET, 0, st_probe_neither),
	ROW(NEEDS_SET, 0, st_probe_bare),
	ROW(NEEDS_SET, -EINVAL, st_neither),
	/* SET: sizes and ranges, data, CPU numbers, the process, attachment, whether there is a tag */
	ROW(NEEDS_SET, -EINVAL, set_bare),
	ROW(NEEDS_SET, -EINVAL, set_cut_header),
	ROW(NEEDS_SET, -EINVAL, set_cut_data),
	ROW(NEEDS_SET, -EINVAL, set_count_0),
	ROW(NEEDS_SET, -EINVAL, set_count_beyond_argsz),
	ROW(NEEDS_SET, -EINVAL, set_unknown_flag),
	ROW(NEEDS_SET, -EINVAL, set_flag_of_get),
	ROW(NEEDS_SET, -EINVAL, set_beyond),
	ROW(NEEDS_SET, -EINVAL, set_far_beyond),
	ROW(NEEDS_SET, -EINVAL, set_over_the_end),
	ROW(NEEDS_SET, -EFAULT, set_no_memory_header),
	ROW(NEEDS_SET, -EINVAL, set_no_memory_flag),
	ROW(NEEDS_SET, -EINVAL, set_no_memory_range),
	ROW(NEEDS_SET, -EFAULT, set_no_memory_data),
	ROW(NEEDS_SET, -EFAULT, set_no_memory_cpu),
	ROW(NEEDS_SET, -EINVAL, set_no_such_cpu),
	ROW(NEEDS_SET, -EINVAL, set_nearly_none),
	ROW(NEEDS_SET, -EINVAL, set_process_before_number),
	ROW(NEEDS_SET, -EPERM, set_of_another_process),
	ROW(NEEDS_SET, -EPERM, set_process_before_firmware),
	ATTACHED(NEEDS_SET, -EOPNOTSUPP, set_no_tag),
	ATTACHED(NEEDS_SET, 0, set),
	ATTACHED(NEEDS_SET, 0, set_persistent),
	ROW(NEEDS_SET, 0, set_clear),
	/* GET: sizes and ranges, the policy for tags, the memory */
	ROW(NEEDS_CPUS, -EINVAL, get_bare),
	ROW(NEEDS_CPUS, -EINVAL, get_cut_header),
	ROW(NEEDS_CPUS, -EINVAL, get_cut_data),
	ROW(NEEDS_CPUS, -EINVAL, get_count_0),
	ROW(NEEDS_CPUS, -EINVAL, get_beyond),
	ROW(NEEDS_CPUS, -EINVAL, get_over_the_end),
	ROW(NEEDS_CPUS, -EINVAL, get_unknown_flag),
	ROW(NEEDS_CPUS, -EINVAL, get_flag_of_set),
	ROW(NEEDS_CPUS, -EINVAL, get_two_things),
	ROW(NEEDS_CPUS, -EINVAL, get_tags_beyond),
	ROW(NEEDS_CPUS, -EFAULT, get_no_memory_header),
	ROW(NEEDS_CPUS, -EFAULT, get_no_memory),
	ROW(NEEDS_TAGS, -EFAULT, get_tags_no_memory),
	ROW(NEEDS_CPUS, 0, get_cpus),
	ROW(NEEDS_TAGS, 0, get_tags),
	ROW(NEEDS_TAGS, 0, get_tags_16),
	/* TPH_NOTIFY */
	ROW(NEEDS_SET, 0, notify_probe_set),
	ROW(NEEDS_SET, 0, notify_probe_neither),
	ROW(NEEDS_SET, -EINVAL, notify_probe_get),
	ROW(NEEDS_SET, -EINVAL, notify_get),
	ROW(NEEDS_SET, -EINVAL, notify_neither),
	ROW(NEEDS_SET, -EINVAL, notify_bare),
	ROW(NEEDS_SET, -EINVAL, notify_cut),
	ROW(NEEDS_SET, -EFAULT, notify_no_memory),
	ROW(NEEDS_SET, -EINVAL, notify_flag),
	ROW(NEEDS_SET, -EINVAL, notify_flag_before_fd),
	ROW(NEEDS_SET, -EINVAL, notify_below_none),
	ROW(NEEDS_SET, -EBADF, notify_no_fd),
	ROW(NEEDS_SET, -EINVAL, notify_no_eventfd),
	ROW(NEEDS_SET, 0, notify_set),
	ROW(NEEDS_SET, 0, notify_again),
	ROW(NEEDS_SET, 0, notify_remove),
	/* DMA_BUF_TPH */
	ROW(NEEDS_DMABUF, 0, dmabuf_probe_set),
	ROW(NEEDS_DMABUF, 0, dmabuf_probe_bare),
	ROW(NEEDS_DMABUF, -EINVAL, dmabuf_probe_get),
	ROW(NEEDS_DMABUF, -EINVAL, dmabuf_get),
	ROW(NEEDS_DMABUF, -EINVAL, dmabuf_neither),
	ROW(NEEDS_DMABUF, -EINVAL, dmabuf_cut),
	ROW(NEEDS_DMABUF, -EBADF, dmabuf_no_fd),
	/* the posted ioctl */
	ROW(NEEDS_NOTHING, -EINVAL, posted_no_header),
	ROW(NEEDS_NOTHING, -EFAULT, posted_no_memory),
	ROW(NEEDS_NOTHING, -EINVAL, posted_unknown),
	ROW(NEEDS_NOTHING, -EINVAL, posted_unknown_far),
	ROW(NEEDS_MODES, -EINVAL, cap_bare),
	ROW(NEEDS_MODES, -EINVAL, cap_cut),
	ROW(NEEDS_MODES, -EFAULT, cap_no_memory),
	ROW(NEEDS_MODES, 0, cap_get),
	ROW(NEEDS_MODES, -EINVAL, enable_bare),
	ROW(NEEDS_MODES, -EINVAL, enable_cut),
	ROW(NEEDS_MODES, -EFAULT, enable_no_memory),
	ROW(NEEDS_MODES, -EINVAL, enable_mode_0),
	ROW(NEEDS_MODES, -EINVAL, enable_two_modes),
	ROW(NEEDS_MODES, -EINVAL, enable_reserved),
	ROW(NEEDS_TABLE, -EINVAL, set_st_bare),
	ROW(NEEDS_TABLE, -EINVAL, set_st_cut_header),
	ROW(NEEDS_TABLE, -EFAULT, set_st_no_memory_header),
	ROW(NEEDS_TABLE, -EINVAL, set_st_count_0),
	ROW(NEEDS_TABLE, -EINVAL, set_st_count_2049),
	ROW(NEEDS_TABLE, -EINVAL, set_st_cut_entry),
	ROW(NEEDS_TABLE, -EFAULT, set_st_no_memory_entry),
	ROW(NEEDS_TABLE, -EINVAL, set_st_memory_type),
	ROW(NEEDS_TABLE, -EINVAL, set_st_reserved),
	ROW(NEEDS_TABLE, -EINVAL, set_st_beyond),
	ROW(NEEDS_TABLE, -EINVAL, set_st_far_beyond),
	ROW(NEEDS_TABLE, -EINVAL, set_st_no_such_cpu),
	ATTACHED(NEEDS_TABLE, -EOPNOTSUPP, set_st_no_tag),
	ATTACHED(NEEDS_TABLE, 0, set_st_good),
	ROW(NEEDS_TABLE, 0, set_st_clear),
	ROW(NEEDS_ANY_TAG, -EINVAL, get_st_bare),
	ROW(NEEDS_ANY_TAG, -EINVAL, get_st_cut_header),
	ROW(NEEDS_ANY_TAG, -EFAULT, get_st_no_memory_header),
	ROW(NEEDS_ANY_TAG, -EINVAL, get_st_count_0),
	ROW(NEEDS_ANY_TAG, -EINVAL, get_st_count_2049),
	ROW(NEEDS_ANY_TAG, -EINVAL, get_st_cut_entry),
	ROW(NEEDS_ANY_TAG, -EFAULT, get_st_no_memory_entry),
	ROW(NEEDS_ANY_TAG, -EINVAL, get_st_memory_type),
	ROW(NEEDS_ANY_TAG, -EINVAL, get_st_reserved),
	ROW(NEEDS_ANY_TAG, -EINVAL, get_st_no_such_cpu),
	ROW(NEEDS_ANY_TAG, -EINVAL, get_st_of_none),
	ATTACHED(NEEDS_ANY_TAG, -EOPNOTSUPP, get_st_no_tag),
	ATTACHED(NEEDS_ANY_TAG, 0, get_st_good),
	ATTACHED(NEEDS_ANY_TAG, 0, get_st_any_index),
	ATTACHED(NEEDS_ANY_TAG, -EFAULT, get_st_no_memory),
	ATTACHED(NEEDS_IV, 0, enable_iv),
	ATTACHED(NEEDS_DS, 0, enable_ds),
	ROW(NEEDS_MODES, 0, disable),
};

/* ---- the runs ---- */

static unsigned int machine;
static unsigned int wrong;

/* What a refusal leaves alone: both control registers, the ST table, the ledger. */
struct picture {
	uint32_t words[64];
};

static void look(struct guest *g, const struct device *d, const struct platform *p,
		 struct picture *picture)
{
	unsigned int at, n = 0;
	uint16_t cap = guest_extended(g, ECAP_TPH);

	memset(picture, 0, sizeof(*picture));
	if (cap)
		picture->words[n++] = control_read(g);
	/* what lies behind the capability of a table in MSI-X, or of none, is somebody else's */
	if (g->cap)
		for (at = g->cap + TPH_CTRL; at < g->cap + TPH_TABLE + 8u; at += 4)
			picture->words[n++] = guest_raw(g, at, 4);
	if (!p->offer[NEEDS_CPUS])
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, d->entries < 8 ? d->entries : 8,
					&picture->words[n]), 0);
}

static void run_calls(struct guest *g, const struct device *d, const struct platform *p,
		      bool attached)
{
	struct picture before, after;
	size_t i;

	look(g, d, p, &before);
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		const struct call *c = &calls[i];
		int expected = p->offer[c->need], got;

		if (!expected)
			expected = c->attached && !attached ? -EPERM : c->answer;
		/* every interface to tags has what GET of CPUs has before it */
		if (c->need == NEEDS_TAGS && p->offer[NEEDS_CPUS])
			expected = p->offer[NEEDS_CPUS];
		got = c->run(g, d->entries);
		if (got != expected) {
			wrong++;
			printf("# %s, %s, %s%s: %s: %s (%d), not %d\n", machines[machine], d->bdf,
			       p->policy, attached ? "" : ", not attached", c->name,
			       got ? strerror(-got) : "ok", got, expected);
		}
		look(g, d, p, &after);
		if (got && memcmp(&before, &after, sizeof(before))) {
			wrong++;
			printf("# %s, %s, %s: %s was refused and changed something\n",
			       machines[machine], d->bdf, p->policy, c->name);
		}
		before = after;
	}
}

/* The register says what was taken; so does hardware. */
static void run_control_register(struct guest *g, const struct device *d,
				 const struct platform *p, bool attached)
{
	static const enum need needs[] = { NEEDS_MODES, NEEDS_IV, NEEDS_DS };
	uint32_t mode, want;

	if (p->offer[NEEDS_MODES]) {
		assert_int_equal(guest_extended(g, ECAP_TPH), 0);
		for (mode = 0; g->cap && mode < 3; mode++) {
			control(g, mode | TPH_CTRL_8);
			assert_int_equal(control_read(g), 0);
			assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), 0);
		}
		return;
	}
	for (mode = 0; mode < 3; mode++) {
		want = p->offer[needs[mode]] || !attached ? 0 : mode | TPH_CTRL_8;
		control(g, 0);
		control(g, mode | TPH_CTRL_8);
		/* a mode may be remembered where the requester stays off */
		if (control_read(g) != want && (want || control_read(g) & TPH_CTRL_16)) {
			wrong++;
			printf("# %s, %s, %s%s: mode %u: control reads %#x, not %#x\n",
			       machines[machine], d->bdf, p->policy,
			       attached ? "" : ", not attached", mode, control_read(g), want);
		}
		assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & TPH_CTRL_16,
				 want & TPH_CTRL_16);
	}
	control(g, 0);
}

static void every_call(void **state)
{
	const char *policy = *state;
	char parameters[32];
	size_t i;
	int row;

	wrong = 0;
	snprintf(parameters, sizeof(parameters), "policy=%s", policy);
	guest_driver(parameters);
	for (i = 0; i < sizeof(devices) / sizeof(*devices); i++) {
		const struct device *d = &devices[i];
		const struct platform *p = d->kind[machine];
		struct guest *g = guest_open(d->bdf);

		for (row = 0; strcmp(p->policy, policy); row++)
			p++;
		run_calls(g, d, p, true);
		run_control_register(g, d, p, true);
		guest_detach(g);
		run_calls(g, d, p, false);
		run_control_register(g, d, p, false);
		guest_close(g);
	}
	assert_int_equal(wrong, 0);
}

/* The operator can forbid publishing at any time: PROBE says so, and comes last in SET. */
static void publishing_forbidden(void **state)
{
	struct guest *g;

	(void)state;
	guest_driver("policy=iv-st");
	g = guest_open(EP_COMPLETER);
	guest_command("echo 0 >/sys/bus/pci/devices/" EP_COMPLETER "/tph/publish");
	assert_int_equal(dmabuf_probe_set(g, 0), -EPERM);
	assert_int_equal(dmabuf_probe_get(g, 0), -EINVAL);
	assert_int_equal(dmabuf_cut(g, 0), -EINVAL);
	assert_int_equal(dmabuf_no_fd(g, 0), -EBADF);
	guest_command("echo 1 >/sys/bus/pci/devices/" EP_COMPLETER "/tph/publish");
	assert_int_equal(dmabuf_probe_set(g, 0), 0);
	guest_close(g);
}

/* The process, the operator, the tag; that firmware's errors lie between is in firmware.c. */
static void operator_before_tags(void **state)
{
	struct guest *g;

	(void)state;
	guest_driver("policy=iv-st");
	g = guest_open(EP_CAPABILITY);
	guest_command("echo 2 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
	assert_int_equal(set(g, 64), -EPERM);
	assert_int_equal(st(g, ST(SET, .argsz = 24, .count = 2, .data = { CPU_WITHOUT_TAGS, 2 })),
			 -EPERM);
	assert_int_equal(set_no_such_cpu(g, 64), -EINVAL);
	assert_int_equal(set_st_good(g, 64), -EPERM);
	assert_int_equal(set_clear(g, 64), 0);
	assert_int_equal(st_probe_set(g, 64), 0);
	guest_command("echo 0-3 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
	guest_close(g);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest all[] = {
		{ "every_call_no_st", every_call, NULL, NULL, (void *)"no-st" },
		{ "every_call_iv_st", every_call, NULL, NULL, (void *)"iv-st" },
		{ "every_call_ds_st", every_call, NULL, NULL, (void *)"ds-st" },
		cmocka_unit_test(publishing_forbidden),
		cmocka_unit_test(operator_before_tags),
	};
	const struct CMUnitTest platform[] = { all[0], all[1], all[2], all[3] };

	while (argc == 2 && machine < MACHINES && strcmp(argv[1], machines[machine]))
		machine++;
	if (argc != 2 || machine == MACHINES)
		return 2;
	if (machine == STANDARD)
		return cmocka_run_group_tests(all, NULL, NULL);
	return cmocka_run_group_tests(platform, NULL, NULL);
}
