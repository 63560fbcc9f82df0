// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>

#include "tph_vfio_pci.h"

/* Bytes of configuration space that vfio-pci-core passes on to the function. */
#define CORE_RAW	0xff

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

/* Its length as a guest sees it. */
static unsigned int guest_length(const struct tph_vdev *tph)
{
	return ALIGN(PCI_TPH_BASE_SIZEOF + tph->guest.table.entries * 2, 4);
}

static bool moved(const struct tph_vdev *tph)
{
	return tph->guest.shown && tph->guest.shown != tph->cap.offset;
}

static loff_t view_end(const struct tph_vdev *tph, bool mapped)
{
	unsigned int length = tph->cap.extent;

	if (tph->policy == TPH_POLICY_DS_ST)
		length = tph->cap.length;
	if (mapped && !moved(tph))
		length = max(length, guest_length(tph));
	return tph->cap.offset + length;
}

/* Whose a byte of configuration space is. */
enum owner {
	OWNER_CORE,
	OWNER_VIEW,	/* the capability that the user sees */
	OWNER_BLANK,	/* the function's own, where that is shown elsewhere */
};

/* The next part of an access that has one owner. */
static enum owner part(const struct tph_vdev *tph, bool mapped, loff_t at, size_t *count)
{
	const struct {
		loff_t start, end;
		enum owner owner;
	} areas[] = {
		{ view_start(tph), view_end(tph, mapped), moved(tph) ? OWNER_BLANK : OWNER_VIEW },
		{ tph->guest.shown, tph->guest.shown + guest_length(tph), OWNER_VIEW },
	};
	u32 i, n = !tph->cap.offset ? 0 : moved(tph) ? 2 : 1;

	for (i = 0; i < n; i++) {
		if (at >= areas[i].start && at < areas[i].end) {
			*count = min_t(size_t, *count, areas[i].end - at);
			return areas[i].owner;
		}
		if (at < areas[i].start)
			*count = min_t(size_t, *count, areas[i].start - at);
	}
	return OWNER_CORE;
}

static u8 view_byte(const struct tph_vdev *tph, const struct tph_offer *offer, bool mapped,
		    unsigned int at)
{
	if (at < PCI_TPH_CAP)
		return tph->guest.header >> at * 8;
	if (mapped && at >= PCI_TPH_BASE_SIZEOF)
		return tph_virtual_table_byte(&tph->guest.table, at - PCI_TPH_BASE_SIZEOF);
	return tph_view_byte(offer, tph->table.wanted, at);
}

static int view_read(struct tph_vdev *tph, bool mapped, unsigned int at, char __user *buf,
		     size_t count)
{
	struct tph_offer offer = tph->offer;
	u8 bytes[TPH_CAPABILITY_SIZE_MAX];
	size_t i;

	if (mapped)
		tph_guest_offer(tph, &offer);
	scoped_guard(mutex, &tph->lock)
		for (i = 0; i < count; i++)
			bytes[i] = view_byte(tph, &offer, mapped, at + i);
	return copy_to_user(buf, bytes, count) ? -EFAULT : 0;
}

/* A guest's write to the ST table. */
static int table_write(struct tph_vdev *tph, unsigned int at, const char __user *buf, size_t count)
{
	struct device *dev = &tph->core.pdev->dev;
	u8 bytes[TPH_CAPABILITY_SIZE_MAX];

	if (copy_from_user(bytes, buf, count))
		return -EFAULT;
	if (pm_runtime_resume_and_get(dev))
		return -EIO;
	tph_guest_write(tph, at, bytes, count);
	pm_runtime_put(dev);
	return 0;
}

/*
 * A write to the virtual capability. The capability register is read only, the ST table takes tags
 * from a guest alone, and its own; what is left is the control register. Like hardware, it does not
 * say whether it took the value: reading it does. The table comes first, or an enable would be
 * followed by an off-window.
 */
static int view_write(struct tph_vdev *tph, bool mapped, unsigned int at, const char __user *buf,
		      size_t count)
{
	unsigned int table = max(at, (unsigned int)PCI_TPH_BASE_SIZEOF);
	unsigned int start = max(at, (unsigned int)PCI_TPH_CTRL);
	unsigned int end = min_t(unsigned int, at + count, PCI_TPH_CTRL + 4);
	struct device *dev = &tph->core.pdev->dev;
	static const u8 ones[4] = { 0xff, 0xff, 0xff, 0xff };
	u8 bytes[4];
	int ret;

	if (mapped && table < at + count) {
		ret = table_write(tph, table - PCI_TPH_BASE_SIZEOF, buf + (table - at),
				  at + count - table);
		if (ret)
			return ret;
	}
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
	bool mapped;
	ssize_t ret;

	if ((begin & VFIO_PCI_OFFSET_MASK) + count > tph->core.pdev->cfg_size)
		return -EFAULT;

	/* looked at once: an access that comes with the first map sees one view */
	scoped_guard(mutex, &tph->lock)
		mapped = tph_guest_mapped_locked(tph);
	while (done < count) {
		loff_t at = *ppos & VFIO_PCI_OFFSET_MASK;
		char __user *from = buf + done;
		size_t n = count - done;
		enum owner owner = part(tph, mapped, at, &n);

		if (owner != OWNER_CORE) {
			if (owner == OWNER_BLANK)
				ret = !write && clear_user(from, n) ? -EFAULT : 0;
			else if (write)
				ret = view_write(tph, mapped, at - tph->guest.shown, from, n);
			else
				ret = view_read(tph, mapped, at - tph->guest.shown, from, n);
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

/*
 * Have the chain go to @to where it goes to the capability. At the head of the chain, which hangs on
 * it, only the identity goes.
 */
static void relink(struct tph_vdev *tph, u16 to)
{
	u16 at = PCI_CFG_SPACE_SIZE;
	u32 header;
	int hops;

	if (tph->cap.offset == at) {
		*virtual_header(tph, at) = cpu_to_le32((u32)to << 20);
		return;
	}

	/* the core has walked this chain already; the bound is for a function that changes it */
	for (hops = 0; hops < PCI_CFG_SPACE_EXP_SIZE / 8 && at; hops++) {
		header = le32_to_cpu(*virtual_header(tph, at));
		if (PCI_EXT_CAP_NEXT(header) == tph->cap.offset) {
			*virtual_header(tph, at) = cpu_to_le32((header & 0x000fffff) |
							       (u32)to << 20);
			return;
		}
		at = PCI_EXT_CAP_NEXT(header);
	}
}

/* Bytes from @at on that no capability has, as far as a capability of ours can reach. */
static u16 room_at(const struct tph_vdev *tph, u16 at)
{
	u16 end = min_t(u16, at + TPH_CAPABILITY_SIZE_MAX, tph->core.pdev->cfg_size);
	u16 own = tph->cap.offset, i = at;

	while (i < end && tph->core.pci_config_map[i] == CORE_RAW &&
	       (i < own || i >= own + tph->cap.extent))
		i++;
	return i - at;
}

/* How many entries a guest finds in the capability. */
static u16 guest_entries(const struct tph_vdev *tph)
{
	u32 room = tph->cap.extent;

	if (tph->cap.place != TPH_PLACE_MSIX)
		return tph->cap.entries;
	if (tph->guest.place)
		room = room_at(tph, tph->guest.place);
	if (room < PCI_TPH_BASE_SIZEOF)
		return 0;
	room = min_t(u32, room, TPH_CAPABILITY_SIZE_MAX) - PCI_TPH_BASE_SIZEOF;
	return min_t(u32, room / 2, tph->cap.entries);
}

/**
 * tph_config_open() - where the user sees the capability; hide one that nothing can be done with
 * @tph: the device, enabled by vfio-pci-core, tph_steering_open() done
 *
 * It is hidden by taking it out of the chain that the core shows.
 */
void tph_config_open(struct tph_vdev *tph)
{
	struct tph_guest *guest = &tph->guest;

	guard(mutex)(&tph->lock);
	guest->shown = tph->cap.offset;
	if (!tph->cap.offset)
		return;
	guest->table = (struct tph_virtual_table){
		.entries = guest_entries(tph),
		.extended = tph->offer.extended,
	};
	guest->header = le32_to_cpu(*virtual_header(tph, tph->cap.offset));
	if (!tph->offer.modes) {
		relink(tph, PCI_EXT_CAP_NEXT(guest->header));
	} else if (guest->place && guest->table.entries) {
		guest->shown = guest->place;
		relink(tph, guest->shown);
	}
}
