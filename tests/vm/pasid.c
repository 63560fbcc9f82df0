// SPDX-License-Identifier: MIT
/*
 * Attachments by PASID. Steering hangs on the device's own attachment: one by PASID neither stands
 * in for it nor takes it away.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "../../lib/kernel_abi.h"
#include "guest.h"

#define EP_PASID "0000:01:00.0"
#define PASID	 5u
#define ECAP_TPH 0x17
#define NONE	 VFIO_TPH_CPU_NONE

/* not in the headers of older distributions */
#define DETACH_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 20)
#define BY_PASID       1u
#define IOAS_MAP       _IO(';', 0x85)
struct ioas_map {
	uint32_t size, flags, ioas_id, reserved;
	uint64_t user_va, length, iova;
};
#define FIXED_WRITEABLE_READABLE 7u
#define HWPT_ALLOC		 _IO(';', 0x89)
struct hwpt_alloc {
	uint32_t size, flags, dev_id, pt_id, out_hwpt_id, reserved, data_type, data_len;
	uint64_t data_uptr;
	uint32_t fault_id, reserved2;
};
#define HWPT_PASID 8u
struct attachment {
	uint32_t argsz, flags, pt_id, pasid;
};
struct detachment {
	uint32_t argsz, flags, pasid;
};

struct opened {
	struct guest g;
	int iommu;
	uint32_t device;    /* its id in the iommufd context */
	uint32_t tables[2]; /* I/O page tables of the address space that PASIDs may have */
};

static int alloc_table(struct opened *o, uint32_t flags, uint32_t *id)
{
	struct hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = flags,
		.dev_id = o->device,
		.pt_id = o->g.ioas,
	};

	if (ioctl(o->iommu, HWPT_ALLOC, &alloc))
		return -errno;
	*id = alloc.out_hwpt_id;
	return 0;
}

static int attach(struct opened *o, uint32_t pt_id)
{
	struct attachment attachment = { .argsz = 12, .pt_id = pt_id };

	return ioctl(o->g.fd, TPH_VFIO_ATTACH_IOMMUFD, &attachment) ? -errno : 0;
}

static int attach_pasid(struct opened *o, uint32_t pt_id)
{
	struct attachment attachment = {
		.argsz = sizeof(attachment),
		.flags = BY_PASID,
		.pt_id = pt_id,
		.pasid = PASID,
	};

	return ioctl(o->g.fd, TPH_VFIO_ATTACH_IOMMUFD, &attachment) ? -errno : 0;
}

static void detach(struct opened *o)
{
	struct detachment detachment = { .argsz = 8 };

	assert_int_equal(ioctl(o->g.fd, DETACH_IOMMUFD, &detachment), 0);
}

static void detach_pasid(struct opened *o)
{
	struct detachment detachment = { sizeof(detachment), BY_PASID, PASID };

	assert_int_equal(ioctl(o->g.fd, DETACH_IOMMUFD, &detachment), 0);
}

static int open_character_device(const char *bdf)
{
	char path[128];
	glob_t found;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev/vfio*", bdf);
	assert_int_equal(glob(path, 0, NULL, &found), 0);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Bound, with an address space that has memory at DMA_IOVA, and attached to nothing. */
static void open_unattached(struct opened *o, const char *bdf)
{
	struct tph_vfio_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct tph_iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct ioas_map map = {
		.size = sizeof(map),
		.flags = FIXED_WRITEABLE_READABLE,
		.length = DMA_SIZE,
		.iova = DMA_IOVA,
	};

	memset(o, 0, sizeof(*o));
	o->g.bdf = bdf;
	o->iommu = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	assert_true(o->iommu >= 0);
	o->g.fd = open_character_device(bdf);
	bind.iommufd = o->iommu;
	assert_int_equal(ioctl(o->g.fd, TPH_VFIO_BIND_IOMMUFD, &bind), 0);
	o->device = bind.out_devid;
	assert_int_equal(ioctl(o->iommu, TPH_IOMMU_IOAS_ALLOC, &ioas), 0);
	o->g.ioas = ioas.out_ioas_id;
	o->g.dma = mmap(NULL, DMA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(o->g.dma, MAP_FAILED);
	map.ioas_id = o->g.ioas;
	map.user_va = (uintptr_t)o->g.dma;
	assert_int_equal(ioctl(o->iommu, IOAS_MAP, &map), 0);
	o->g.raw = guest_open_raw(bdf);
	o->g.cap = raw_extended(bdf, ECAP_TPH);
	guest_config_write(&o->g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(alloc_table(o, HWPT_PASID, &o->tables[0]), 0);
	assert_int_equal(alloc_table(o, HWPT_PASID, &o->tables[1]), 0);
}

static void close_opened(struct opened *o)
{
	close(o->g.fd);
	close(o->g.raw);
	close(o->iommu);
	munmap(o->g.dma, DMA_SIZE);
}

static void check_in_force(struct opened *o)
{
	assert_int_equal(control_read(&o->g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(&o->g, 1, TAG_VOLATILE_16(1), 16);
}

static void check_off(struct opened *o)
{
	uint32_t got;

	assert_int_equal(control_read(&o->g) & TPH_CTRL_16, 0);
	assert_int_equal(guest_raw(&o->g, o->g.cap + TPH_CTRL, 4) & TPH_CTRL_16, 0);
	assert_int_equal(st_get(&o->g, VFIO_TPH_ST_CPU, 1, 1, &got), 0);
	assert_int_equal(got, NONE);
}

static void a_pasid_alone_is_no_attachment(void **state)
{
	struct opened o;

	(void)state;
	open_unattached(&o, EP_PASID);
	assert_int_equal(attach_pasid(&o, o.g.ioas), -EINVAL);
	assert_int_equal(attach_pasid(&o, o.tables[0]), 0);
	control(&o.g, TPH_CTRL_IV | TPH_CTRL_16);
	check_off(&o);
	close_opened(&o);
}

static void steering_follows_the_device(void **state)
{
	struct opened o;

	(void)state;
	open_unattached(&o, EP_PASID);
	assert_int_equal(attach(&o, o.tables[0]), 0);
	assert_int_equal(st_set_one(&o.g, 1, 1), 0);
	control(&o.g, TPH_CTRL_IV | TPH_CTRL_16);
	check_in_force(&o);

	/* come, move, go */
	assert_int_equal(attach_pasid(&o, o.tables[0]), 0);
	assert_int_equal(attach_pasid(&o, o.tables[1]), 0);
	check_in_force(&o);
	detach_pasid(&o);
	check_in_force(&o);

	assert_int_equal(attach_pasid(&o, o.tables[1]), 0);
	detach(&o);
	check_off(&o);
	control(&o.g, TPH_CTRL_IV | TPH_CTRL_16);
	check_off(&o);

	assert_int_equal(attach(&o, o.tables[0]), 0);
	assert_int_equal(st_set_one(&o.g, 1, 1), 0);
	control(&o.g, TPH_CTRL_IV | TPH_CTRL_16);
	check_in_force(&o);
	close_opened(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pasid_alone_is_no_attachment),
		cmocka_unit_test(steering_follows_the_device),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
