/* SPDX-License-Identifier: MIT */
/*
 * libtph: PCIe steering tags for userspace drivers, through VFIO.
 *
 * A steering tag (ST) on a device's DMA writes tells the platform which CPU's cache the data is
 * for. With libtph a userspace driver says "entry 3 of this device steers to CPU 5"; the kernel
 * decides whether it may, asks firmware for the tag, and writes it where the device looks for it.
 *
 * Every call returns 0 or a negative errno, prints nothing, and keeps no global state. A handle is
 * not for use by two threads at once; two handles are independent. The kernel side is the
 * tph-vfio-pci driver; on any other driver the calls that need it fail with -ENOTTY.
 */
#ifndef TPH_H
#define TPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** TPH_CPU_NONE - in place of a CPU number: this ST entry steers nowhere. */
#define TPH_CPU_NONE	UINT32_MAX

/** TPH_ENTRIES_MAX - the most ST entries a device can have (an MSI-X table's limit). */
#define TPH_ENTRIES_MAX	2048

/** TPH_GUEST_TAGS_MAX - the most tags that a guest can be given: one for each of its CPUs. */
#define TPH_GUEST_TAGS_MAX	4096

/** enum tph_mode - the ST modes of operation (PCIe 6.2, 6.17.3), as in the TPH Control register. */
enum tph_mode {
	TPH_MODE_NO_ST = 0,		/* processing hints without steering tags */
	TPH_MODE_INTERRUPT_VECTOR = 1,	/* the entry is the request's interrupt vector */
	TPH_MODE_DEVICE_SPECIFIC = 2,	/* the device chooses the tag in its own way */
};

/** enum tph_width - how wide the tags are that the requester sends: two separate namespaces. */
enum tph_width {
	TPH_WIDTH_OFF = 0,	/* requester disabled */
	TPH_WIDTH_8 = 8,	/* steering tags */
	TPH_WIDTH_16 = 16,	/* extended steering tags */
	TPH_WIDTH_WIDEST = 0xff,/* in tph_enable(): the widest that device and platform both have */
};

/** enum tph_table - where the ST table is. */
enum tph_table {
	TPH_TABLE_NONE = 0,	/* the driver places tags itself: Device Specific mode */
	TPH_TABLE_CAPABILITY = 1,
	TPH_TABLE_MSIX = 2,
};

/** enum tph_memory - what kind of memory the steered writes go to. */
enum tph_memory {
	TPH_MEMORY_VOLATILE = 0,
	TPH_MEMORY_PERSISTENT = 1,
};

/**
 * struct tph_state - what a device can do and what is in force
 * @modes: modes on offer, bit 1 << enum tph_mode each, after policy and platform
 * @width_max: widest tags on offer
 * @table: where the ST table is
 * @entries: number of ST entries that tph_set() takes; 0 if the driver refuses steering here
 * @enabled: whether the requester is enabled
 * @mode: mode in force (meaningless unless @enabled)
 * @width: width in force, TPH_WIDTH_OFF unless @enabled
 * @tags_readable: whether tph_get_tags() is allowed (policy ds-st)
 */
struct tph_state {
	uint32_t modes;
	enum tph_width width_max;
	enum tph_table table;
	uint32_t entries;
	bool enabled;
	enum tph_mode mode;
	enum tph_width width;
	bool tags_readable;
};

struct tph_device;

/**
 * tph_open() - open a device by its PCI address and make it ready for DMA
 * @bdf: "0000:01:00.0"; the domain may be left out
 * @device: receives the handle
 *
 * Opens the device's VFIO character device and /dev/iommu, binds one to the other and attaches an
 * own, empty I/O address space. Where there are no such nodes, or none for this user, it opens the
 * device's IOMMU group and puts it into an own container with the type 1 IOMMU: most kernels of
 * distributions have nothing else, and what follows is the same. For programs that manage VFIO
 * themselves there are tph_open_with() and tph_from_fd().
 *
 * Return: 0; -EINVAL: @bdf is no PCI address; -ENODEV: no such device, or it is not bound to a VFIO
 * driver; -EBUSY: somebody else has it open, or another device of its IOMMU group; -EACCES, -EPERM:
 * file permissions, or the device's IOMMU group is not free for a user; -ENOKEY: it wants a VF
 * token, see tph_open_with(); -ENOENT: the kernel has neither iommufd and a VFIO character device
 * nor a node of the IOMMU group and containers with the type 1 IOMMU; -EIO: sysfs, the IOMMU or
 * configuration space is not usable; -ENOMEM, -EMFILE, -ENFILE.
 */
int tph_open(const char *bdf, struct tph_device **device);

/* struct tph_open_options.flags: which of its members are set */
#define TPH_OPEN_IOMMU_FD	(1u << 0)
#define TPH_OPEN_IOAS		(1u << 1)
#define TPH_OPEN_CONTAINER_FD	(1u << 2)
#define TPH_OPEN_DEVICE_FD	(1u << 3)

/**
 * struct tph_open_options - what tph_open_with() is to do otherwise than tph_open()
 * @size: sizeof(struct tph_open_options), so that later versions can have more of them
 * @vf_token: the VF token of a device that wants one, "bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3"; NULL:
 *	none
 * @share: another handle, whose I/O address space the device joins; NULL: none. A second device of
 *	an IOMMU group can be opened in this way alone.
 * @flags: TPH_OPEN_*, for each of the following that is set
 * @iommu_fd: /dev/iommu of the caller, to bind the device to
 * @ioas: I/O address space of @iommu_fd, to attach the device to instead of a new one
 * @container_fd: VFIO container of the caller, to put the device's IOMMU group into; it gets the
 *	type 1 IOMMU if it has none yet
 * @device_fd: VFIO device of the caller, and no @bdf: its character device, which is then bound and
 *	attached; or one that is ready for use, as from a group, with the address space that it is
 *	attached to (@iommu_fd and @ioas, or @container_fd), if tph_map() is to be used
 *
 * All that is not set is to be zero. Of @share, @iommu_fd and @container_fd one can be given.
 * Descriptors stay the caller's; @device_fd must be open for as long as the handle lives, the
 * others are copied, and so are those of @share.
 *
 * A virtual function (VF) whose physical function (PF) is used through VFIO can be opened by those
 * alone who know the VF token, which the PF's user chose (VFIO_DEVICE_FEATURE_PCI_VF_TOKEN); so can
 * the PF while VFs of it are open. To a PF whose VFs are not, the token given is its new one.
 */
struct tph_open_options {
	size_t size;
	const char *vf_token;
	const struct tph_device *share;
	uint32_t flags;
	int iommu_fd;
	uint32_t ioas;
	int container_fd;
	int device_fd;
};

/**
 * tph_open_with() - tph_open() with options
 * @bdf: as for tph_open(); NULL with TPH_OPEN_DEVICE_FD
 * @options: NULL, or with nothing but its size set: as tph_open()
 *
 * Return: as tph_open(), and: -EKEYREJECTED: the VF token is not the right one; -EINVAL: also
 * options that do not go together, an @ioas that @iommu_fd does not have, or a VF token that is no
 * UUID, or that device or kernel (by its character device before Linux 6.17) have no use for: it is
 * no VF of a PF that is used through VFIO, and no PF; -EBADF: a descriptor is not open or not what
 * it was given for, or @share has no address space (tph_from_fd()); -ENOTTY: @device_fd is no VFIO
 * device; -E2BIG: @options has something that this version of the library does not know.
 */
int tph_open_with(const char *bdf, const struct tph_open_options *options,
		  struct tph_device **device);

/**
 * tph_from_fd() - use a VFIO device that the caller has opened
 * @device_fd: VFIO device file descriptor, bound (iommufd) or from a group in a container. The
 *	caller keeps it and must keep it open for as long as the handle lives.
 * @device: receives the handle
 *
 * Return: 0; -EBADF: not an open descriptor; -ENOTTY: not a VFIO device; -EINVAL: VFIO, but not
 * ready for use (not bound), or not a PCI device; -ENOMEM.
 */
int tph_from_fd(int device_fd, struct tph_device **device);

/**
 * tph_close() - free the handle; a device that tph_open() opened is closed, and steering ends
 * @device: handle, or NULL
 */
void tph_close(struct tph_device *device);

/** tph_device_fd() - the VFIO device file descriptor, for everything that is not steering. */
int tph_device_fd(const struct tph_device *device);

/** tph_iommu_fd() - the /dev/iommu descriptor that the device is bound to, or -EBADF: none. */
int tph_iommu_fd(const struct tph_device *device);

/** tph_ioas() - the I/O address space of tph_iommu_fd() that the device is attached to, or 0. */
uint32_t tph_ioas(const struct tph_device *device);

/** tph_container_fd() - the container that the device's group is in, or -EBADF: none. */
int tph_container_fd(const struct tph_device *device);

/** tph_group_fd() - the device's IOMMU group, as for a hot reset, or -EBADF: none is open. */
int tph_group_fd(const struct tph_device *device);

/** enum tph_access - what a device may do with memory */
enum tph_access {
	TPH_ACCESS_READ = 1,
	TPH_ACCESS_WRITE = 2,
	TPH_ACCESS_BOTH = 3,
};

/**
 * tph_map() - let the device reach memory of this process
 * @memory: begin, a multiple of the page size
 * @size: in bytes, a multiple of the page size
 * @iova: where the device finds it, a multiple of the page size
 * @access: enum tph_access, or several
 *
 * The memory is locked until it is unmapped, or the last handle that shares the address space is
 * closed.
 *
 * Return: 0; -EINVAL: a number that is no multiple, a size of 0, an access of none, or a range that
 * the IOMMU cannot translate or keeps for itself; -EEXIST: something is mapped there; -EFAULT:
 * @memory is not all mapped in the process, or not for writing; -ENOMEM: also the limit of locked
 * memory (ulimit -l); -ENOSPC: too many mappings; -EBADF: the address space is not known
 * (tph_from_fd()).
 */
int tph_map(struct tph_device *device, const void *memory, uint64_t size, uint64_t iova,
	    uint32_t access);

/**
 * tph_unmap() - take back what tph_map() gave
 * @iova: begin, a multiple of the page size
 * @size: in bytes, a multiple of the page size
 *
 * The range may hold several mappings, and holes. When it returns the device reaches none of them.
 *
 * Return: 0; -EINVAL: a number that is no multiple, or a size of 0; -ENOENT: nothing is mapped
 * there, or the range cuts a mapping, which then stays (those before it may be gone); -EBADF: as
 * tph_map().
 */
int tph_unmap(struct tph_device *device, uint64_t iova, uint64_t size);

/**
 * tph_read_state() - read what the device offers and what is in force
 *
 * Return: 0; -EOPNOTSUPP: no TPH Requester capability; -EIO: configuration space cannot be read.
 */
int tph_read_state(struct tph_device *device, struct tph_state *state);

/**
 * tph_probe() - whether steering can be used on this device, and if not, why
 *
 * Return: 0; -ENOTTY: the driver is not tph-vfio-pci; -EOPNOTSUPP: device, root port or firmware
 * cannot; -EPERM: the operator's policy says no.
 */
int tph_probe(struct tph_device *device);

/**
 * tph_set() - steer entries to CPUs, all or none of them
 * @memory: kind of memory that the writes go to
 * @index: first ST entry
 * @count: number of entries, 1 ..
 * @cpus: @count host CPU numbers, or TPH_CPU_NONE to clear
 *
 * Works whether steering is enabled or not; an entry in the MSI-X table has its tag in hardware
 * while its vector is in use. On failure nothing has changed. The entries are a lease of this
 * process: the kernel takes them back as tph_notify() says.
 *
 * Return: 0; -EINVAL: @index, @count or a CPU number out of range; -EPERM: a CPU that is offline,
 * not in the operator's list for the device, or that no thread of this process may run on; policy
 * no-st; a device that is not attached to an I/O address space; -EUSERS: too many other processes
 * hold entries of the device; -EOPNOTSUPP: firmware has no valid tag for a CPU; -ENODEV: firmware
 * does not know the device, or a CPU, at all; -ENOTTY: other driver; -EIO: malformed firmware
 * answer, or the device is not accessible; -ENOMEM.
 */
int tph_set(struct tph_device *device, enum tph_memory memory, uint32_t index, uint32_t count,
	    const uint32_t *cpus);

/** tph_set_entry() - tph_set() of one entry to one CPU, volatile memory. */
int tph_set_entry(struct tph_device *device, uint32_t index, uint32_t cpu);

/** tph_clear() - clear @count entries from @index on. Errors as for tph_set(). */
int tph_clear(struct tph_device *device, uint32_t index, uint32_t count);

/**
 * tph_get_cpus() - read which CPU each entry steers to
 * @cpus: receives @count host CPU numbers or TPH_CPU_NONE
 *
 * Return: 0; -EINVAL: range; -ENOTTY, -EOPNOTSUPP, -EPERM as for tph_probe().
 */
int tph_get_cpus(struct tph_device *device, uint32_t index, uint32_t count, uint32_t *cpus);

/**
 * tph_get_tags() - read the steering tags themselves, for a device without an ST table
 * @width: TPH_WIDTH_8 or TPH_WIDTH_16: which of the two namespaces
 * @tags: receives @count tags; 0 for an entry that is clear
 *
 * Return: 0; -EPERM: the policy is not ds-st; else as for tph_get_cpus(). -EOPNOTSUPP also where
 * firmware gave no valid tag of that width.
 */
int tph_get_tags(struct tph_device *device, enum tph_width width, uint32_t index, uint32_t count,
		 uint16_t *tags);

/**
 * tph_notify() - be told when entries are taken back
 * @eventfd: signalled whenever entries are taken back, instead of a former one; -1: no more. The
 *	caller keeps it and may close it.
 *
 * An entry is taken back when its CPU goes offline, when the operator takes the CPU off the
 * device's list, when the process that set it may not run there any more or ends, and when the
 * device is detached from its I/O address space. It is then clear, in the device too; nothing comes
 * back by itself. tph_get_cpus() tells what is left, tph_set() asks anew.
 *
 * Return: 0; -EINVAL: @eventfd is no eventfd, or below -1; -EBADF: it is not open; -EOPNOTSUPP: the
 * device cannot steer; -ENOTTY: other driver; -EIO: the device is not accessible; -ENOMEM.
 */
int tph_notify(struct tph_device *device, int eventfd);

/**
 * tph_guest_probe() - whether a guest that has the device can steer by itself
 *
 * Return: 0; -ENOTTY: the driver is not tph-vfio-pci, or knows nothing of guests; -EOPNOTSUPP:
 * device, root port or firmware cannot, or the function has no ST table that a guest could be shown;
 * -EPERM: the operator's policy says no.
 */
int tph_guest_probe(struct tph_device *device);

/**
 * tph_guest_map() - say which host CPU each of a guest's steering tags stands for
 * @memory: kind of memory that the guest's devices write to
 * @count: tags 1 .. @count, at most TPH_GUEST_TAGS_MAX; 0: no map any more
 * @cpus: the host CPU of tag index + 1, or TPH_CPU_NONE
 *
 * A guest's firmware tells it a tag for each of its CPUs, its driver writes them into the ST table,
 * and the kernel puts the host's tags of these CPUs in their place. Each call replaces the whole map,
 * or on failure nothing. Entries that the guest wrote before follow. A tag of a CPU without one, or
 * that the map does not have, steers nowhere.
 *
 * The map is a lease of this process, which has to be the one that decides where the guest's CPUs
 * run, not the one that is the guest: the kernel takes slots back as tph_notify() says.
 *
 * Return: 0; -EINVAL: @count or a CPU number out of range, or a device that is not bound yet;
 * -EPERM: a CPU that is offline, not in the operator's list for the device, or that no thread of
 * this process may run on; policy no-st; a device that is not attached to an I/O address space;
 * -EBUSY: another process that lives has a map or entries of the device, or it is in Device Specific
 * mode; -EOPNOTSUPP, -ENOTTY: as tph_guest_probe(); -EUSERS, -ENODEV, -EIO, -ENOMEM: as tph_set().
 */
int tph_guest_map(struct tph_device *device, enum tph_memory memory, uint32_t count,
		  const uint32_t *cpus);

/**
 * tph_guest_get_cpus() - read the map
 * @count: room in @cpus
 * @cpus: receives host CPU numbers; TPH_CPU_NONE for a slot that was taken back, or is not there
 *
 * Return: how many slots the map has, which may be more than @count; or as tph_guest_probe().
 */
int tph_guest_get_cpus(struct tph_device *device, uint32_t count, uint32_t *cpus);

/**
 * tph_guest_read() - read what the guest wrote into its ST table
 * @count: room in @tags
 * @tags: receives the guest's own tags, by entry; 0 for one that is not there
 *
 * Return: how many entries the table has, which may be more than @count; or as tph_guest_probe().
 */
int tph_guest_read(struct tph_device *device, uint32_t count, uint16_t *tags);

/**
 * tph_enable() - let the device put hints on its requests
 * @mode: ST mode
 * @width: TPH_WIDTH_8, TPH_WIDTH_16 or TPH_WIDTH_WIDEST: 16 where it is on offer and taken, else 8
 *
 * Writes the TPH Control register and reads back what the kernel took.
 *
 * Return: 0: in force as asked; -EOPNOTSUPP: mode or width not on offer (nothing changed);
 * -ENOTTY: other driver; -EIO: the kernel did not take it (a tag of that width is missing for an
 * entry, or the device is not accessible); steering is then off.
 */
int tph_enable(struct tph_device *device, enum tph_mode mode, enum tph_width width);

/**
 * tph_disable() - no hints on any request; entries stay
 *
 * Return: 0, also where there is no TPH capability; -EIO: still enabled, or nobody knows.
 */
int tph_disable(struct tph_device *device);

/** enum tph_hint - processing hints (PCIe 6.2, 2.2.7.1.1): who uses the data, and how */
enum tph_hint {
	TPH_HINT_BIDIRECTIONAL = 0,	/* host and device both, often */
	TPH_HINT_REQUESTER = 1,		/* the device that sends the request */
	TPH_HINT_TARGET = 2,		/* whom it is sent to */
	TPH_HINT_TARGET_PRIORITY = 3,	/* the same, and soon */
};

/**
 * struct tph_dmabuf_tags - with what peers should write to a dma-buf
 * @tag_8_valid: peers that send 8-bit tags send @tag_8
 * @tag_16_valid: peers that send 16-bit tags send @tag_16
 * @tag_8: a steering tag of the exporting device, which gives it its meaning
 * @tag_16: an extended one: another namespace, with values of its own
 * @hint: goes with either
 */
struct tph_dmabuf_tags {
	bool tag_8_valid;
	bool tag_16_valid;
	uint8_t tag_8;
	uint16_t tag_16;
	enum tph_hint hint;
};

/**
 * tph_dmabuf_export() - export a piece of a BAR, for other devices to write to
 * @bar: 0..5
 * @offset: in bytes, a multiple of the page size
 * @length: in bytes, a multiple of the page size
 * @fd: receives a dma-buf, close-on-exec, for the caller to pass on and to close
 *
 * It can be used for as long as the device is open. Whatever resets the device or switches its
 * memory off takes the importers' mappings away, and they map it again.
 *
 * Return: 0; -EINVAL: @bar, or a range that is empty, unaligned, not in the BAR, or touches an
 * MSI-X table that holds steering tags; -ENODEV: no such BAR; -ENOTTY: the kernel has no VFIO
 * dma-bufs; -EOPNOTSUPP: the driver has none; -EMFILE, -ENFILE, -ENOMEM.
 */
int tph_dmabuf_export(struct tph_device *device, uint32_t bar, uint64_t offset, uint64_t length,
		      int *fd);

/**
 * tph_dmabuf_probe() - whether tags can be published for this device's dma-bufs
 *
 * Return: 0; -EOPNOTSUPP: the device is no TPH Completer; -EPERM: the operator does not allow it;
 * -ENOTTY: other driver, or a kernel without VFIO dma-bufs.
 */
int tph_dmabuf_probe(struct tph_device *device);

/**
 * tph_dmabuf_publish() - tell importers with which tags to write to a dma-buf
 * @fd: of tph_dmabuf_export() of this device
 * @tags: replaces all that was published for it; NULL, or with neither tag valid: nothing
 *
 * Publish before passing the dma-buf on: an importer asks when it maps it, and later tags reach it
 * at its next mapping. They end with the dma-buf or when the device is closed.
 *
 * Return: 0; -EINVAL: @fd is no dma-buf, or not of this device, or a hint that is none; -EBADF: it
 * is not open; -EOPNOTSUPP: the device is no TPH Completer, or takes no 16-bit tags; -EPERM: the
 * operator does not allow it; -ENOSPC: too many dma-bufs of the device have tags; -EINTR: a signal
 * came; -ENOTTY: other driver; -ENOMEM. Then nothing has changed.
 */
int tph_dmabuf_publish(struct tph_device *device, int fd, const struct tph_dmabuf_tags *tags);

/** tph_version() - version of the library, "0.1.0". */
const char *tph_version(void);

#ifdef __cplusplus
}
#endif

#endif /* TPH_H */
