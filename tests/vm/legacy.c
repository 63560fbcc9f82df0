// SPDX-License-Identifier: MIT
/* The ioctl of the posted patches: what it refuses, what the device then does, and beside features. */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vfio_tph_legacy.h>

#include "guest.h"
#include "tph.h"

#define HEADER	offsetof(struct vfio_device_pci_tph_op, cap)
#define ENTRIES	64
#define TRACING	"/sys/kernel/tracing/"

union request {
	struct vfio_device_pci_tph_op op;
	uint8_t bytes[HEADER + sizeof(struct vfio_pci_tph_st) +
		      (VFIO_PCI_TPH_MAX_ENTRIES + 1) * sizeof(struct vfio_pci_tph_entry)];
};

static union request request;

static int call(struct guest *g, uint32_t op, size_t argsz)
{
	request.op.argsz = (uint32_t)argsz;
	request.op.op = op;
	return ioctl(g->fd, VFIO_DEVICE_PCI_TPH, &request) ? -errno : 0;
}

static struct vfio_pci_tph_cap cap(struct guest *g)
{
	memset(&request, 0xee, sizeof(request));
	assert_int_equal(call(g, VFIO_PCI_TPH_GET_CAP, HEADER + sizeof(request.op.cap)), 0);
	return request.op.cap;
}

static int enable(struct guest *g, uint8_t mode)
{
	request.op.ctrl = (struct vfio_pci_tph_ctrl){ .mode = mode };
	return call(g, VFIO_PCI_TPH_ENABLE, HEADER + sizeof(request.op.ctrl));
}

static int disable(struct guest *g)
{
	return call(g, VFIO_PCI_TPH_DISABLE, HEADER);
}

static size_t st_size(uint32_t count)
{
	return HEADER + sizeof(struct vfio_pci_tph_st) + count * sizeof(struct vfio_pci_tph_entry);
}

/* A request for @count entries whose contents are @entry, at rising indexes. */
static int st(struct guest *g, uint32_t op, uint32_t count, struct vfio_pci_tph_entry entry)
{
	uint32_t i;

	request.op.st.count = count;
	request.op.st.reserved = 0;
	for (i = 0; i < count && i <= VFIO_PCI_TPH_MAX_ENTRIES; i++, entry.index++)
		request.op.st.ents[i] = entry;
	return call(g, op, st_size(count));
}

static int set_one(struct guest *g, uint16_t index, uint32_t cpu)
{
	return st(g, VFIO_PCI_TPH_SET_ST, 1,
		  (struct vfio_pci_tph_entry){ .cpu = cpu, .index = index });
}

static int get_one(struct guest *g, uint32_t cpu, uint8_t mem_type)
{
	return st(g, VFIO_PCI_TPH_GET_ST, 1,
		  (struct vfio_pci_tph_entry){ .cpu = cpu, .mem_type = mem_type });
}

static uint32_t cpu_of(struct guest *g, uint32_t index)
{
	uint32_t cpu;

	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, index, 1, &cpu), 0);
	return cpu;
}

static void all_clear(struct guest *g)
{
	uint32_t cpus[ENTRIES], i;

	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, ENTRIES, cpus), 0);
	for (i = 0; i < ENTRIES; i++)
		assert_int_equal(cpus[i], VFIO_TPH_CPU_NONE);
	assert_int_equal(control_read(g) & TPH_CTRL_16, 0);
}

/* A request of which the first @bytes can be read; then the memory ends. */
static int call_at_the_edge(struct guest *g, uint32_t op, uint32_t argsz, size_t bytes)
{
	uint8_t *edge = guest_page_end(bytes);

	request.op.argsz = argsz;
	request.op.op = op;
	memcpy(edge, &request, bytes);
	return ioctl(g->fd, VFIO_DEVICE_PCI_TPH, edge) ? -errno : 0;
}

/* ---- refusals ---- */

static void malformed(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	const struct vfio_pci_tph_entry good = { .cpu = 1 };
	struct vfio_pci_tph_entry bad;
	uint32_t op, size;
	size_t i;

	(void)state;
	memset(&request, 0, sizeof(request));
	for (op = 0; op < 8; op++)
		for (size = 0; size < HEADER; size++)
			assert_int_equal(call(g, op, size), -EINVAL);
	for (op = VFIO_PCI_TPH_SET_ST + 1; op; op <<= 1)
		assert_int_equal(call(g, op, sizeof(request)), -EINVAL);
	request.op.ctrl.mode = VFIO_PCI_TPH_MODE_IV; /* for SET_ST a count of 1 */
	for (size = HEADER; size < HEADER + 8; size++) {
		assert_int_equal(call(g, VFIO_PCI_TPH_GET_CAP, size), -EINVAL);
		assert_int_equal(call(g, VFIO_PCI_TPH_ENABLE, size), -EINVAL);
		assert_int_equal(call(g, VFIO_PCI_TPH_SET_ST, size), -EINVAL);
	}
	for (i = 0; i < 256; i++)
		if (i != VFIO_PCI_TPH_MODE_IV && i != VFIO_PCI_TPH_MODE_DS)
			assert_int_equal(enable(g, i), -EINVAL);
	for (i = 0; i < sizeof(request.op.ctrl.reserved); i++) {
		request.op.ctrl = (struct vfio_pci_tph_ctrl){ .mode = VFIO_PCI_TPH_MODE_IV };
		request.op.ctrl.reserved[i] = 1;
		assert_int_equal(call(g, VFIO_PCI_TPH_ENABLE, HEADER + 8), -EINVAL);
	}

	assert_int_equal(st(g, VFIO_PCI_TPH_SET_ST, 0, good), -EINVAL);
	assert_int_equal(st(g, VFIO_PCI_TPH_SET_ST, VFIO_PCI_TPH_MAX_ENTRIES + 1, good), -EINVAL);
	assert_int_equal(st(g, VFIO_PCI_TPH_SET_ST, ENTRIES + 1, good), -EINVAL);
	assert_int_equal(set_one(g, ENTRIES, 1), -EINVAL);
	assert_int_equal(set_one(g, 0xffff, 1), -EINVAL);
	assert_int_equal(set_one(g, 0, 4096), -EINVAL);
	/* counts that would wrap */
	for (i = 0; i < 3; i++) {
		static const uint32_t counts[] = { 0xffffffff, 0x80000000, 0x15555556 };

		request.op.st.count = counts[i];
		assert_int_equal(call(g, VFIO_PCI_TPH_SET_ST, sizeof(request)), -EINVAL);
		assert_int_equal(call(g, VFIO_PCI_TPH_SET_ST, 0xffffffff), -EINVAL);
	}
	st(g, VFIO_PCI_TPH_SET_ST, 2, (struct vfio_pci_tph_entry){ .cpu = 4096 });
	request.op.st.ents[0].cpu = request.op.st.ents[1].cpu = 1;
	assert_int_equal(call(g, VFIO_PCI_TPH_SET_ST, st_size(2) - 1), -EINVAL);
	request.op.st.reserved = 1;
	assert_int_equal(call(g, VFIO_PCI_TPH_SET_ST, st_size(2)), -EINVAL);
	bad = good;
	bad.mem_type = 2;
	assert_int_equal(st(g, VFIO_PCI_TPH_SET_ST, 1, bad), -EINVAL);
	bad = good;
	bad.reserved0 = 1;
	assert_int_equal(st(g, VFIO_PCI_TPH_SET_ST, 1, bad), -EINVAL);
	bad = good;
	bad.reserved1 = 1;
	assert_int_equal(st(g, VFIO_PCI_TPH_SET_ST, 1, bad), -EINVAL);

	/* one more than the most, each of them good */
	for (i = 0; i <= VFIO_PCI_TPH_MAX_ENTRIES; i++)
		request.op.st.ents[i] = good;
	request.op.st.count = VFIO_PCI_TPH_MAX_ENTRIES + 1;
	request.op.st.reserved = 0;
	assert_int_equal(call(g, VFIO_PCI_TPH_SET_ST, sizeof(request)), -EINVAL);
	all_clear(g);

	request.op.st.count = VFIO_PCI_TPH_MAX_ENTRIES;
	assert_int_equal(call(g, VFIO_PCI_TPH_SET_ST, sizeof(request)), 0);
	assert_int_equal(cpu_of(g, 0), 1);
	guest_close(g);
}

/* What lies beyond argsz is not looked at; what does not and cannot be read is EFAULT. */
static void memory_that_is_not_there(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_PCI_TPH, NULL), -1);
	assert_int_equal(errno, EFAULT);
	/* op, but not argsz before it */
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(munmap(pages, 4096), 0);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_PCI_TPH, pages + 4092), -1);
	assert_int_equal(errno, EFAULT);
	memset(&request, 0, sizeof(request));
	assert_int_equal(call_at_the_edge(g, VFIO_PCI_TPH_GET_CAP, HEADER, 4), -EFAULT);
	assert_int_equal(call_at_the_edge(g, VFIO_PCI_TPH_GET_CAP, HEADER, HEADER), -EINVAL);
	assert_int_equal(call_at_the_edge(g, VFIO_PCI_TPH_GET_CAP, HEADER + 8, HEADER + 7), -EFAULT);

	request.op.ctrl.mode = VFIO_PCI_TPH_MODE_IV;
	assert_int_equal(call_at_the_edge(g, VFIO_PCI_TPH_ENABLE, HEADER, HEADER), -EINVAL);
	assert_int_equal(call_at_the_edge(g, VFIO_PCI_TPH_ENABLE, HEADER + 8, HEADER + 7), -EFAULT);

	assert_int_equal(call_at_the_edge(g, VFIO_PCI_TPH_SET_ST, HEADER, HEADER), -EINVAL);
	assert_int_equal(call_at_the_edge(g, VFIO_PCI_TPH_SET_ST, HEADER + 8, HEADER), -EFAULT);
	st(g, VFIO_PCI_TPH_SET_ST, 2, (struct vfio_pci_tph_entry){ .cpu = 4096 });
	assert_int_equal(call_at_the_edge(g, VFIO_PCI_TPH_SET_ST, (uint32_t)st_size(2),
					  st_size(2) - 1), -EFAULT);
	all_clear(g);
	guest_close(g);
}

static void not_permitted(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);

	(void)state;
	guest_command("echo 1 >" TRACING "events/tph_vfio_pci/tph_refuse/enable");
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_DS), -EPERM);
	guest_command("grep -qF 'cpu=-1 reason=not-offered error=-1' " TRACING "trace");
	guest_command("echo 0 >" TRACING "events/tph_vfio_pci/tph_refuse/enable");
	assert_int_equal(get_one(g, 1, VFIO_PCI_TPH_MEM_TYPE_VM), -EPERM);
	guest_run_on(3);
	assert_int_equal(set_one(g, 0, 2), -EPERM);
	guest_run_on(15);
	guest_command("echo 0-1 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
	assert_int_equal(set_one(g, 0, 2), -EPERM);
	guest_command("echo 0-3 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
	all_clear(g);
	guest_close(g);
}

static void not_while_detached(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);

	(void)state;
	guest_detach(g);
	assert_int_equal(set_one(g, 0, 1), -EPERM);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), -EPERM);
	guest_attach(g);
	all_clear(g);
	guest_close(g);
}

static void not_possible(void **state)
{
	static const char *const cannot[] = { EP_PLAIN, EP_UNHEARD, EP_RESERVED };
	struct guest *g;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		g = guest_open(cannot[i]);
		assert_int_equal(call(g, VFIO_PCI_TPH_GET_CAP, HEADER + 8), -EOPNOTSUPP);
		assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), -EOPNOTSUPP);
		assert_int_equal(set_one(g, 0, 1), -EOPNOTSUPP);
		assert_int_equal(disable(g), -EOPNOTSUPP);
		guest_close(g);
	}
	g = guest_open(EP_CAPABILITY);
	assert_int_equal(set_one(g, 0, CPU_WITHOUT_TAGS), -EOPNOTSUPP);
	all_clear(g);
	guest_close(g);
	g = guest_open(EP_FIRST); /* has no device-specific mode */
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_DS), -EOPNOTSUPP);
	guest_close(g);
}

/* The patches set entries to 0 here; nothing changing is what a program can rely on. */
static void one_bad_entry_changes_nothing(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);

	(void)state;
	assert_int_equal(set_one(g, 3, 1), 0);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), 0);
	st(g, VFIO_PCI_TPH_SET_ST, 3, (struct vfio_pci_tph_entry){ .cpu = 4096, .index = 2 });
	request.op.st.ents[0].cpu = 0;
	request.op.st.ents[1].cpu = 2;
	request.op.st.ents[2].cpu = CPU_WITHOUT_TAGS;
	assert_int_equal(call(g, VFIO_PCI_TPH_SET_ST, st_size(3)), -EOPNOTSUPP);
	assert_int_equal(cpu_of(g, 2), VFIO_TPH_CPU_NONE);
	assert_int_equal(cpu_of(g, 3), 1);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	guest_close(g);
}

/* ---- effects ---- */

static void capabilities(void **state)
{
	static const struct {
		const char *bdf;
		uint8_t modes;
		uint16_t entries;
	} rows[] = {
		{ EP_CAPABILITY, VFIO_PCI_TPH_MODE_IV, 64 },
		{ EP_MSIX, VFIO_PCI_TPH_MODE_IV, 16 },
		{ EP_TABLELESS, 0, 0 },
		{ EP_FIRST, VFIO_PCI_TPH_MODE_IV, 5 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct guest *g = guest_open(rows[i].bdf);
		struct vfio_pci_tph_cap got = cap(g);

		assert_int_equal(got.supported_modes, rows[i].modes);
		assert_int_equal(got.st_table_sz, rows[i].entries);
		assert_int_equal(got.reserved0, 0);
		assert_int_equal(got.reserved, 0);
		guest_close(g);
	}
}

static void scattered_entries_in_one_window(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	uint32_t windows;

	(void)state;
	assert_int_equal(set_one(g, 20, 2), 0);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), 0);
	guest_register_write(g, EP_COUNT_CLEAR, 1);
	st(g, VFIO_PCI_TPH_SET_ST, 4, (struct vfio_pci_tph_entry){ .cpu = 4096 });
	request.op.st.ents[0] = (struct vfio_pci_tph_entry){ .cpu = 1, .index = 40 };
	request.op.st.ents[1] = (struct vfio_pci_tph_entry){ .cpu = 2, .index = 7, .mem_type = 1 };
	request.op.st.ents[2] = (struct vfio_pci_tph_entry){ .cpu = 0, .index = 9 };
	request.op.st.ents[3] = (struct vfio_pci_tph_entry){ .cpu = 2, .index = 9 };
	assert_int_equal(call(g, VFIO_PCI_TPH_SET_ST, st_size(4)), 0);
	windows = guest_register(g, EP_COUNT_OFF_WINDOWS);
	assert_int_equal(windows, 1);
	assert_st(g, 40, TAG_VOLATILE_16(1), 16);
	assert_st(g, 7, TAG_PERSISTENT_16(2), 16);
	assert_st(g, 9, TAG_VOLATILE_16(2), 16);
	/* what lies between is as it was */
	assert_st(g, 20, TAG_VOLATILE_16(2), 16);
	assert_int_equal(cpu_of(g, 8), VFIO_TPH_CPU_NONE);

	/* to the last entry */
	assert_int_equal(set_one(g, ENTRIES - 1, 1), 0);
	assert_st(g, ENTRIES - 1, TAG_VOLATILE_16(1), 16);
	assert_int_equal(set_one(g, 40, UINT32_MAX), 0);
	assert_int_equal(cpu_of(g, 40), VFIO_TPH_CPU_NONE);
	assert_int_equal(disable(g), 0);
	assert_int_equal(control_read(g), TPH_CTRL_IV);
	assert_plain(g, 7);
	assert_int_equal(cpu_of(g, 7), 2);
	guest_close(g);
}

static void in_the_msix_table(void **state)
{
	struct guest *g = guest_open(EP_MSIX);

	(void)state;
	guest_vectors(g, 16);
	assert_int_equal(set_one(g, 5, 1), 0);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), 0);
	assert_st(g, 5, TAG_VOLATILE_16(1), 16);
	assert_int_equal(set_one(g, 5, 2), 0);
	assert_st(g, 5, TAG_VOLATILE_16(2), 16);
	guest_close(g);
}

static void beside_the_features(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	uint32_t cpus[2] = { 1, 2 };

	(void)state;
	assert_int_equal(st_set(g, 0, 10, 2, cpus), 0);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), 0);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 11, TAG_VOLATILE_16(2), 16);
	assert_int_equal(set_one(g, 11, 0), 0);
	assert_st(g, 11, TAG_VOLATILE_16(0), 16);
	assert_int_equal(cpu_of(g, 11), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_st(g, 10, TAG_VOLATILE_8(1), 8);
	control(g, 0);
	assert_int_equal(disable(g), 0);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), 0);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), 0);
	/* a lease like any other */
	guest_command("echo 2 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
	assert_int_equal(cpu_of(g, 10), VFIO_TPH_CPU_NONE);
	assert_int_equal(cpu_of(g, 11), VFIO_TPH_CPU_NONE);
	guest_command("echo 0-3 >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/cpus");
	guest_close(g);
}

static void narrow_where_the_port_is(void **state)
{
	struct guest *g = guest_open(EP_NARROW);

	(void)state;
	assert_int_equal(set_one(g, 0, 1), 0);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), 0);
	assert_st(g, 0, TAG_VOLATILE_8(1), 8);
	guest_close(g);
}

/* ---- under ds-st, by the patches' own parameter ---- */

static void tags_of_a_trusted_user(void **state)
{
	struct guest *g;
	uint32_t i;

	(void)state;
	guest_driver("enable_unsafe_tph_ds_mode=1");
	guest_command("[ $(cat /sys/bus/pci/devices/" EP_TABLELESS "/tph/policy) = ds-st ]");
	g = guest_open(EP_TABLELESS);
	assert_int_equal(cap(g).supported_modes, VFIO_PCI_TPH_MODE_DS);
	assert_int_equal(set_one(g, 0, 1), -EOPNOTSUPP); /* there is no ST table */
	assert_int_equal(st(g, VFIO_PCI_TPH_GET_ST, 3,
			    (struct vfio_pci_tph_entry){ .cpu = 1, .index = 0xfff0 }), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(request.op.st.ents[i].st, TAG_VOLATILE_16(1));
	assert_int_equal(get_one(g, 2, VFIO_PCI_TPH_MEM_TYPE_PM), 0);
	assert_int_equal(request.op.st.ents[0].st, TAG_PERSISTENT_16(2));
	assert_int_equal(get_one(g, CPU_WITHOUT_TAGS, 0), -EOPNOTSUPP);
	assert_int_equal(get_one(g, UINT32_MAX, 0), -EINVAL);
	guest_run_on(1);
	assert_int_equal(get_one(g, 2, 0), -EPERM);
	guest_run_on(15);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_IV), -EOPNOTSUPP);
	assert_int_equal(enable(g, VFIO_PCI_TPH_MODE_DS), 0);
	assert_int_equal(guest_dma(g, EP_DMA_WRITE, hint_tag(TAG_VOLATILE_16(1), 2)).st,
			 TAG_VOLATILE_16(1));
	/* the width in force, if there is one */
	control(g, TPH_CTRL_DS | TPH_CTRL_8);
	assert_int_equal(get_one(g, 1, 0), 0);
	assert_int_equal(request.op.st.ents[0].st, TAG_VOLATILE_8(1));
	guest_close(g);
}

/* Under ds-st still. */
static void no_tags_while_detached(void **state)
{
	struct guest *g = guest_open(EP_TABLELESS);

	(void)state;
	assert_int_equal(get_one(g, 1, 0), 0);
	guest_detach(g);
	assert_int_equal(get_one(g, 1, 0), -EPERM);
	guest_close(g);
}

/* Under ds-st still: what GET_ST takes and where it writes. */
static void tags_of_many_cpus(void **state)
{
	const struct vfio_pci_tph_entry good = { .cpu = 1 };
	struct guest *g = guest_open(EP_TABLELESS);
	char *page;
	uint32_t i;

	(void)state;
	assert_int_equal(st(g, VFIO_PCI_TPH_GET_ST, VFIO_PCI_TPH_MAX_ENTRIES + 1, good), -EINVAL);
	assert_int_equal(request.op.st.ents[0].st, 0);
	assert_int_equal(st(g, VFIO_PCI_TPH_GET_ST, VFIO_PCI_TPH_MAX_ENTRIES, good), 0);
	for (i = 0; i < VFIO_PCI_TPH_MAX_ENTRIES; i++)
		assert_int_equal(request.op.st.ents[i].st, TAG_VOLATILE_16(1));

	/* memory that cannot be written */
	request.op.argsz = (uint32_t)st_size(1);
	request.op.st.count = 1;
	request.op.st.ents[0] = good;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	memcpy(page, &request, st_size(1));
	assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_PCI_TPH, page), -1);
	assert_int_equal(errno, EFAULT);
	munmap(page, 4096);
	guest_close(g);
}

/* The widest tag that is of use here, by either interface. */
static void tags_below_a_narrow_port(void **state)
{
	struct guest *g = guest_open(EP_NARROW);
	uint32_t tag = 7;

	(void)state;
	assert_int_equal(get_one(g, 1, 0), 0);
	assert_int_equal(request.op.st.ents[0].st, TAG_VOLATILE_8(1));
	assert_int_equal(st_set_one(g, 0, 1), 0);
	assert_int_equal(st_get(g, VFIO_TPH_ST_EXT, 0, 1, &tag), -EOPNOTSUPP);
	assert_int_equal(tag, 7);
	assert_int_equal(st_get(g, 0, 0, 1, &tag), 0);
	assert_int_equal(tag, TAG_VOLATILE_8(1));
	guest_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed),
		cmocka_unit_test(memory_that_is_not_there),
		cmocka_unit_test(not_permitted),
		cmocka_unit_test_prestate(not_while_detached, guest_wants_iommufd),
		cmocka_unit_test(not_possible),
		cmocka_unit_test(one_bad_entry_changes_nothing),
		cmocka_unit_test(capabilities),
		cmocka_unit_test(scattered_entries_in_one_window),
		cmocka_unit_test(in_the_msix_table),
		cmocka_unit_test(beside_the_features),
		cmocka_unit_test(narrow_where_the_port_is),
		cmocka_unit_test(tags_of_a_trusted_user),
		cmocka_unit_test_prestate(no_tags_while_detached, guest_wants_iommufd),
		cmocka_unit_test(tags_of_many_cpus),
		cmocka_unit_test(tags_below_a_narrow_port),
	};

	guest_driver("policy=iv-st");
	return guest_run_group(tests);
}
