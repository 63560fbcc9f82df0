/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * What userspace says to tph-vfio-pci: PCIe TLP Processing Hints for VFIO devices.
 *
 * Everything is an item of the VFIO_DEVICE_FEATURE ioctl (see <linux/vfio.h>). The feature numbers
 * are not assigned by the kernel, so probe before use: a driver that does not know them answers
 * ENOTTY.
 *
 * Steering is switched on and off as a driver on bare metal does it: by writing the TPH Control
 * register (PCIe 6.2, 7.9.13.3) in the device's configuration space. Both the capability register
 * and the control register that userspace sees are virtual: the capability offers what device,
 * platform and operator policy allow, and the control register reads back what is in force.
 *
 * The ST table is not there: in the capability it reads as zero and takes no writes, and in the MSI-X
 * table the device file's accesses are dropped, as VFIO has it for the whole of that table. A virtual
 * machine's manager must not pass on what looks like a table: a guest's driver that writes tags is
 * told nothing and believes them set. It gives the guest tags of its own and lets the driver take its
 * writes (VFIO_DEVICE_FEATURE_TPH_GUEST), or intercepts them (of the table in the capability, or of
 * bits 31:16 of Vector Control in the MSI-X table that it emulates) and SETs, or hides the
 * capability, or shows No ST mode alone.
 *
 * A device with this driver does not migrate: it has no VFIO_DEVICE_FEATURE_MIGRATION, and entries
 * are not part of any state that could be carried to another host.
 */
#ifndef _UAPI_LINUX_VFIO_TPH_H
#define _UAPI_LINUX_VFIO_TPH_H

#include <linux/types.h>

#define VFIO_DEVICE_FEATURE_TPH_BASE	0x7450

/**
 * VFIO_DEVICE_FEATURE_TPH_ST - the CPU that each ST entry steers to
 *
 * PROBE: 0 if the operations that are asked for, or SET if none is, can be had on this device under
 *	its policy and platform.
 *	EOPNOTSUPP: the device, its root port or the firmware cannot do it. EPERM: the operator's
 *	policy does not allow it (never of GET alone: it can be had for CPU numbers). ENOTTY: not
 *	this driver. SET and GET themselves answer the same, whatever else is wrong with them; it
 *	does not change while the device is open.
 *
 * SET: @data holds @count host CPU numbers for entries @index .. @index + @count - 1, or
 *	VFIO_TPH_CPU_NONE to clear an entry. All or nothing: on any error the entries, the enable
 *	state and the hardware are as they were. SET works with steering enabled or disabled; while
 *	it is enabled, the requester is disabled once for the whole batch. Nothing reaches the
 *	device before steering is enabled.
 *	@flags may hold VFIO_TPH_ST_MEM_TYPE_PM. The entries belong to the process that calls.
 *
 * GET: fills @data with the steering tags of entries @index .. @index + @count - 1, the 8-bit ones,
 *	or with VFIO_TPH_ST_EXT the 16-bit extended ones; 0 for an entry that is clear. Tags are
 *	given out under policy ds-st alone (EPERM otherwise). With VFIO_TPH_ST_CPU it fills in the
 *	host CPU numbers instead, under every policy, and wherever PROBE of GET answers 0.
 *
 * An entry is an index into the ST table: 0..63 for a table in the TPH capability, 0..2047 for one
 * in the MSI-X table (as many as the device has). The latter is a vector's: it can be set at any
 * time, and its tag is in hardware while the vector is (VFIO_DEVICE_SET_IRQS). A device without an
 * ST table has VFIO_TPH_ST_MAX slots to hold entries for a driver that places the tags itself.
 *
 * Resets, whoever makes them, and low power (VFIO_DEVICE_FEATURE_LOW_POWER_*, D3 by configuration
 * space) leave entries and enable as they were, however the device is woken. What is taken back
 * meanwhile stays away. Removal of the driver takes everything back when it begins, before the user
 * is asked to let go of the device, and nothing can be set or enabled any more.
 *
 * Errors: EINVAL - a payload below 8 + 4 * count bytes, undefined flag, SET and GET at once without
 *	PROBE, neither of them, count 0, index + count beyond the table, a CPU number that the system does
 *	not have. EFAULT - the payload is not readable or @data not writable. EPERM - a CPU that is offline
 *	or not among those the threads of the calling process may run on, or not in the operator's
 *	list for the device; a policy; a device that is not attached to an I/O address space. EUSERS
 *	- too many other processes hold entries of the device. EOPNOTSUPP - no TPH, no completer on
 *	the way up, no steering tags in firmware, or none valid for that CPU, memory type and width.
 *	EBUSY - SET while a guest's map is in force (VFIO_DEVICE_FEATURE_TPH_GUEST).
 *	ENODEV - the driver is being removed from the device, or the device is gone; the platform knows
 *	no firmware object for this device, or no firmware identity for that CPU. EIO - firmware's answer is malformed, or the device does not take configuration
 *	writes. ENOMEM - no memory; firmware is asked again next time.
 */
#define VFIO_DEVICE_FEATURE_TPH_ST	(VFIO_DEVICE_FEATURE_TPH_BASE + 0)

#define VFIO_TPH_ST_MAX		2048
#define VFIO_TPH_CPU_NONE	(~0U)

/**
 * struct vfio_device_feature_tph_st - payload of VFIO_DEVICE_FEATURE_TPH_ST
 * @flags: VFIO_TPH_ST_*; undefined bits must be zero
 * @index: first ST entry
 * @count: number of ST entries, at least 1
 * @data: SET: host CPU numbers; GET: steering tags, or host CPU numbers with VFIO_TPH_ST_CPU
 */
struct vfio_device_feature_tph_st {
	__u32 flags;
#define VFIO_TPH_ST_MEM_TYPE_PM	(1U << 0) /* SET: persistent memory; else volatile */
#define VFIO_TPH_ST_EXT		(1U << 1) /* GET: the 16-bit extended tag; else the 8-bit one */
#define VFIO_TPH_ST_CPU		(1U << 2) /* GET: the host CPU; VFIO_TPH_CPU_NONE if clear */
	__u16 index;
	__u16 count;
	__u32 data[];
};

/**
 * VFIO_DEVICE_FEATURE_TPH_NOTIFY - be told when entries are taken back
 *
 * A grant is a lease of the process that set the entry. Entries are taken back, in the ledger and
 * in hardware, when their CPU goes offline, when the operator takes it off the device's list, when
 * the process may run on it no more (within a second) or ends, and when the device is detached from
 * its I/O address space, or from its driver. Nothing comes back by itself. GET with VFIO_TPH_ST_CPU
 * says what is left. A process that calls daemon(), or forks and ends, after SET has lost all: SET in
 * the process that stays.
 *
 * PROBE: as for SET of VFIO_DEVICE_FEATURE_TPH_ST: where no entry can be set, none is taken back. SET
 *	itself answers the same.
 *
 * SET: @eventfd is signalled whenever entries are taken back, instead of a former one; -1 removes
 *	it. A device has one, whoever shares its descriptor: another process's takes this one's place,
 *	and this one is not told.
 *	@flags must be 0.
 *
 * Errors: EINVAL - a payload below 8 bytes, GET, a flag, an @eventfd below -1 or that is no eventfd.
 *	EFAULT - the payload is not readable. EBADF - no open descriptor. EOPNOTSUPP, EPERM - as PROBE
 *	says.
 */
#define VFIO_DEVICE_FEATURE_TPH_NOTIFY	(VFIO_DEVICE_FEATURE_TPH_BASE + 1)

/**
 * struct vfio_device_feature_tph_notify - payload of VFIO_DEVICE_FEATURE_TPH_NOTIFY
 * @eventfd: an eventfd, or -1
 * @flags: 0
 */
struct vfio_device_feature_tph_notify {
	__s32 eventfd;
	__u32 flags;
};

/**
 * VFIO_DEVICE_FEATURE_DMA_BUF_TPH - the steering tags with which peers should write to a dma-buf
 *
 * The tags are the device's own (a cache partition of an accelerator, say), so the kernel takes any
 * value. It keeps them with the dma-buf and hands them to kernel drivers that import it; an
 * importer that sends 8-bit tags is given @steering_tag, one that sends 16-bit tags
 * @steering_tag_ext, never one for the other.
 *
 * PROBE: 0 if tags can be published for dma-bufs of this device.
 *	EOPNOTSUPP: the function is no TPH Completer (Device Capabilities 2, 13:12; PCIe 6.2,
 *	7.5.3.15). EPERM: the operator does not allow it. ENOTTY: not this driver, or a kernel
 *	without VFIO dma-bufs.
 *
 * SET: publishes tags for @dmabuf_fd, which VFIO_DEVICE_FEATURE_DMA_BUF of this very device
 * returned. Each SET replaces all that was published for it before: a tag whose flag is not set is
 * valid no more, and with @flags 0 nothing is. What is published ends with the dma-buf, or when the
 * device is closed; a reset does not change it.
 *
 * An importer asks when it maps the dma-buf, and what it was told is good for that mapping. So
 * publish before the dma-buf is handed over: a later SET reaches an importer at its next mapping,
 * and no promise is made about requests on their way, or about what the device remembers.
 *
 * Errors: EOPNOTSUPP - no TPH Completer, or VFIO_DMA_BUF_TPH_ST_EXT for one without extended tags.
 *	EPERM - the operator does not allow it. EINVAL - a payload below 12 bytes, an undefined flag,
 *	@ph above 3 (also with @flags 0), GET, or @dmabuf_fd is no dma-buf, or not one that this device
 *	exported since it was opened. EFAULT - the payload is not readable. EBADF - no open
 *	descriptor. EINTR - a signal came while the device or the dma-buf was in use elsewhere.
 *	ENOSPC - VFIO_DMA_BUF_TPH_MAX dma-bufs of the device have tags. ENOMEM - no memory. On any
 *	error nothing has changed.
 */
#define VFIO_DEVICE_FEATURE_DMA_BUF_TPH	(VFIO_DEVICE_FEATURE_TPH_BASE + 2)

#define VFIO_DMA_BUF_TPH_MAX	4096

/**
 * struct vfio_device_feature_dma_buf_tph - payload of VFIO_DEVICE_FEATURE_DMA_BUF_TPH
 * @dmabuf_fd: the dma-buf
 * @flags: VFIO_DMA_BUF_TPH_*; undefined bits must be zero
 * @steering_tag_ext: the 16-bit extended tag, if VFIO_DMA_BUF_TPH_ST_EXT is set
 * @steering_tag: the 8-bit tag, if VFIO_DMA_BUF_TPH_ST is set
 * @ph: processing hint for both, 0..3 (PCIe 6.2, 2.2.7.1.1)
 */
struct vfio_device_feature_dma_buf_tph {
	__s32 dmabuf_fd;
	__u32 flags;
#define VFIO_DMA_BUF_TPH_ST	(1U << 0)
#define VFIO_DMA_BUF_TPH_ST_EXT	(1U << 1)
	__u16 steering_tag_ext;
	__u8 steering_tag;
	__u8 ph;
};

/**
 * VFIO_DEVICE_FEATURE_TPH_GUEST - a guest that steers, by tags of its own
 *
 * A guest does not know host CPUs. Its manager gives it virtual tags 1 .. @count, and says which host
 * CPU each stands for: the map. While there is one, the ST table in the TPH capability is virtual: it
 * takes and reads back what is written to it, in any width and alignment, and a value v in entry i
 * steers entry i to the CPU of virtual tag v. 0, a value beyond the map, a virtual tag without a CPU,
 * and a CPU without a tag of the width in force are tag 0; the write says nothing, as hardware. At 01b
 * (8-bit tags) the lower byte of an entry is the value; where extended tags are not on offer, the
 * upper byte reads 0. Entries and enable do not fail for want of a tag.
 *
 * Who writes configuration space is not looked at. Each virtual tag is a lease of the process that SET
 * the map, as an entry by VFIO_DEVICE_FEATURE_TPH_ST is, and is lost for the same reasons, as soon and
 * with the same word of it (VFIO_DEVICE_FEATURE_TPH_NOTIFY). What refers to it is tag 0 from then on,
 * and no write of the guest brings it back. The next SET does, for what the guest wrote at any time.
 *
 * A write that changes no tag has no effect on hardware. Of those that do while steering is enabled,
 * and of enables, 16 take effect at once, and further ones together after 10 ms; table and control
 * register read the new values at once. After 10 ms without one it is 16 again. A disable does not
 * wait, nor does anything that is taken back.
 *
 * A function whose ST table is in the MSI-X table shows it in the capability while there is a map, as
 * many entries as there is room for and 64 at most; entry i is vector i's. The room is what is behind
 * the capability, or at the place that the operator has chosen before the device was opened (attribute
 * tph/guest_place). Device-specific mode is not on offer while there is a map.
 *
 * Unlike entries by VFIO_DEVICE_FEATURE_TPH_ST, the virtual table does not outlast a reset of the
 * function: as in hardware it is 0 then, and the requester off; a guest that boots anew must not find
 * another's table. The map stays. It ends with @count 0, and when the device is closed; so do the
 * guest's values and its entries.
 *
 * PROBE: 0 if a guest can steer here: as SET of VFIO_DEVICE_FEATURE_TPH_ST, and EOPNOTSUPP also of a
 *	function without an ST table, without Interrupt Vector mode, or with its table in MSI-X and no
 *	room to show it. GET alone is never EPERM for the policy. SET and GET themselves answer the same.
 *
 * SET: virtual tag v stands for host CPU @data[v - 1], or with VFIO_TPH_CPU_NONE for none; @count 0
 *	removes the map. Replaces the whole map, all or nothing. Entries whose tag changes are written
 *	in one off-window, others are not touched. The first map takes away the entries that the calling
 *	process set by VFIO_DEVICE_FEATURE_TPH_ST. @flags may hold VFIO_TPH_GUEST_MEM_TYPE_PM. A CPU
 *	without a valid tag is no error: its virtual tag has no CPU.
 *
 * GET: fills @data with the map, or with VFIO_TPH_GUEST_TABLE with what the guest wrote, by entry: as
 *	many values as there are, and @count at most; @count says then how many there are. A virtual
 *	tag that was taken back, or that was SET to a CPU without a tag, is VFIO_TPH_CPU_NONE.
 *
 * Errors: EINVAL - a payload below 8 + 4 * count bytes, undefined flag, SET and GET at once without
 *	PROBE, neither of them, @count above VFIO_TPH_GUEST_TAGS_MAX, a CPU number that the system does
 *	not have. EFAULT - the payload is not readable, or not writable for GET. EPERM - as
 *	VFIO_DEVICE_FEATURE_TPH_ST. EBUSY - another living process holds virtual tags or entries of the
 *	device; device-specific mode is enabled. SET of VFIO_DEVICE_FEATURE_TPH_ST, and enabling
 *	device-specific mode by VFIO_DEVICE_PCI_TPH, are EBUSY while there is a map. EUSERS, ENODEV, EIO,
 *	ENOMEM - as VFIO_DEVICE_FEATURE_TPH_ST. On any error nothing has changed.
 */
#define VFIO_DEVICE_FEATURE_TPH_GUEST	(VFIO_DEVICE_FEATURE_TPH_BASE + 3)

#define VFIO_TPH_GUEST_TAGS_MAX	4096

/**
 * struct vfio_device_feature_tph_guest - payload of VFIO_DEVICE_FEATURE_TPH_GUEST
 * @flags: VFIO_TPH_GUEST_*; undefined bits must be zero
 * @count: SET: number of virtual tags, 0..VFIO_TPH_GUEST_TAGS_MAX; GET: room in @data, and how many
 *	values there are
 * @data: host CPU of virtual tag index + 1; GET with VFIO_TPH_GUEST_TABLE: the value of entry index
 */
struct vfio_device_feature_tph_guest {
	__u32 flags;
#define VFIO_TPH_GUEST_MEM_TYPE_PM	(1U << 0) /* SET: persistent memory; else volatile */
#define VFIO_TPH_GUEST_TABLE		(1U << 1) /* GET: what the guest wrote; else the map */
	__u32 count;
	__u32 data[];
};

#endif /* _UAPI_LINUX_VFIO_TPH_H */
