// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>

#include "tph_vfio_pci.h"

/*
 * The capability's header belongs to the core, which virtualises the chain of capabilities. From
 * the capability register on everything is ours: no access of the user's reaches hardware there.
 * So it is behind the ST table that counts, as far as there may be another: the core hands accesses
 * to bytes that no capability has to the function. A user who is trusted with any tag keeps those.
 */
static loff_t view_start(const struct tph_vdev *tph)
{
	return tph->cap.offset + PCI_TPH_CAP;
}

static loff_t view_end(const struct tph_vdev *tph)
{
	bool trusted = tph->policy == TPH_POLICY_DS_ST;

	return tph->cap.offset + (trusted ? tph->cap.length : tph->cap.extent);
}

/* The next part of an access that is all ours or all the core's. */
static size_t part(const struct tph_vdev *tph, loff_t at, size_t count, bool *ours)
{
	loff_t start = view_start(tph), end = view_end(tph);

	*ours = tph->cap.offset && at >= start && at < end;
	if (*ours)
		return min_t(size_t, count, end - at);
	if (tph->cap.offset && at < start)
		return min_t(size_t, count, start - at);
	return count;
}

static int view_read(struct tph_vdev *tph, unsigned int at, char __user *buf, size_t count)
{
	u8 bytes[TPH_CAPABILITY_SIZE_MAX];
	size_t i;

	scoped_guard(mutex, &tph->lock)
		for (i = 0; i < count; i++)
			bytes[i] = tph_view_byte(&tph->offer, tph->table.wanted, at + i);
	return copy_to_user(buf, bytes, count) ? -EFAULT : 0;
}

/*
 * A write to the virtual capability. The capability register is read only, the ST table takes no
 * tags from the user; what is left is the control register. Like hardware, it does not say whether
 * it took the value: reading it does.
 */
static int view_write(struct tph_vdev *tph, unsigned int at, const char __user *buf, size_t count)
{
	unsigned int start = max(at, (unsigned int)PCI_TPH_CTRL);
	unsigned int end = min_t(unsigned int, at + count, PCI_TPH_CTRL + 4);
	struct device *dev = &tph->core.pdev->dev;
	static const u8 ones[4] = { 0xff, 0xff, 0xff, 0xff };
	u8 bytes[4];

	if (start >= end)
		return 0;
	if (copy_from_user(bytes, buf + (start - at), end - start))
		return -EFAULT;

	if (pm_runtime_resume_and_get(dev))
		return -EIO;
	tph_steering_request(tph, tph_control_merge(0, start - PCI_TPH_CTRL, bytes, end - start),
			     tph_control_merge(0, start - PCI_TPH_CTRL, ones, end - start));
	pm_runtime_put(dev);
	return 0;
}

static bool overlaps(loff_t at, size_t count, unsigned int reg)
{
	return at < reg + 2 && at + count > reg;
}

/*
 * A write that is the core's. One of the power state can cost the function all that it holds,
 * without a word: requester off before, the whole table after. One of the command register can
 * bring back the memory that an ST table in the MSI-X table is written through.
 */
static ssize_t core_write(struct tph_vdev *tph, const char __user *buf, size_t count, loff_t *ppos)
{
	struct vfio_device *vdev = &tph->core.vdev;
	loff_t at = *ppos & VFIO_PCI_OFFSET_MASK;
	u16 pm = tph->core.pdev->pm_cap;
	bool power = tph->cap.offset && pm && overlaps(at, count, pm + PCI_PM_CTRL);
	ssize_t ret;

	if (power)
		tph_steering_hold(tph);
	ret = vfio_pci_core_write(vdev, buf, count, ppos);
	if (power)
		tph_steering_release(tph);
	else if (tph->cap.offset && overlaps(at, count, PCI_COMMAND))
		tph_steering_sync(tph);
	/* it may have been a reset (FLR) */
	if (tph->cap.place == TPH_PLACE_MSIX)
		tph_steering_settle(tph);
	return ret;
}

/*
 * As with stock vfio-pci, an access that does not end within configuration space is refused whole,
 * and one that fails on the way says so, whatever it did before.
 */
static ssize_t config_rw(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos,
			 bool write)
{
	struct tph_vdev *tph = tph_vdev(vdev);
	loff_t begin = *ppos;
	size_t done = 0;
	ssize_t ret;

	if ((begin & VFIO_PCI_OFFSET_MASK) + count > tph->core.pdev->cfg_size)
		return -EFAULT;

	while (done < count) {
		loff_t at = *ppos & VFIO_PCI_OFFSET_MASK;
		char __user *from = buf + done;
		bool ours;
		size_t n = part(tph, at, count - done, &ours);

		if (ours) {
			ret = write ? view_write(tph, at - tph->cap.offset, from, n) :
				      view_read(tph, at - tph->cap.offset, from, n);
			if (!ret) {
				ret = n;
				*ppos += n;
			}
		} else if (write) {
			ret = core_write(tph, from, n, ppos);
		} else {
			ret = vfio_pci_core_read(vdev, from, n, ppos);
		}
		if (ret < 0) {
			*ppos = begin;
			return ret;
		}
		done += ret;
	}
	return done;
}

/**
 * tph_config_read() - read() of the device
 * @vdev: the device, open
 * @buf: user memory
 * @count: bytes
 * @ppos: region and offset
 *
 * Return: bytes read, or a negative errno.
 */
ssize_t tph_config_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos)
{
	if (VFIO_PCI_OFFSET_TO_INDEX(*ppos) != VFIO_PCI_CONFIG_REGION_INDEX)
		return vfio_pci_core_read(vdev, buf, count, ppos);
	return config_rw(vdev, buf, count, ppos, false);
}

/**
 * tph_config_write() - write() of the device
 * @vdev: the device, open
 * @buf: user memory
 * @count: bytes
 * @ppos: region and offset
 *
 * Return: bytes written, or a negative errno.
 */
ssize_t tph_config_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			 loff_t *ppos)
{
	if (VFIO_PCI_OFFSET_TO_INDEX(*ppos) != VFIO_PCI_CONFIG_REGION_INDEX)
		return vfio_pci_core_write(vdev, buf, count, ppos);
	return config_rw(vdev, (char __user *)buf, count, ppos, true);
}

static __le32 *virtual_header(struct tph_vdev *tph, u16 at)
{
	return (__le32 *)(tph->core.vconfig + at);
}

/**
 * tph_config_open() - hide a capability that nothing can be done with
 * @tph: the device, enabled by vfio-pci-core, tph_steering_open() done
 *
 * Takes it out of the chain that the core shows; at its head, only the identity goes, for the chain
 * hangs on it.
 */
void tph_config_open(struct tph_vdev *tph)
{
	u16 at = PCI_CFG_SPACE_SIZE;
	u32 header;
	int hops;

	if (!tph->cap.offset || tph->offer.modes)
		return;

	if (tph->cap.offset == at) {
		header = le32_to_cpu(*virtual_header(tph, at));
		*virtual_header(tph, at) = cpu_to_le32(header & 0xfff00000);
		return;
	}

	/* the core has walked this chain already; the bound is for a function that changes it */
	for (hops = 0; hops < PCI_CFG_SPACE_EXP_SIZE / 8 && at; hops++) {
		header = le32_to_cpu(*virtual_header(tph, at));
		if (PCI_EXT_CAP_NEXT(header) == tph->cap.offset) {
			u32 next = PCI_EXT_CAP_NEXT(le32_to_cpu(*virtual_header(tph,
										tph->cap.offset)));

			*virtual_header(tph, at) = cpu_to_le32((header & 0x000fffff) | next << 20);
			return;
		}
		at = PCI_EXT_CAP_NEXT(header);
	}
}
