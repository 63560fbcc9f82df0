// SPDX-License-Identifier: GPL-2.0-only
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio_tph.h>

#include "tph_vfio_pci.h"
#include "trace.h"

static_assert(VFIO_TPH_CPU_NONE == TPH_NO_CPU);
static_assert(VFIO_TPH_ST_MAX == TPH_MSIX_ENTRIES_MAX);

#define SET_FLAGS	VFIO_TPH_ST_MEM_TYPE_PM
#define GET_FLAGS	(VFIO_TPH_ST_EXT | VFIO_TPH_ST_CPU)

/**
 * tph_feature_offered() - what PROBE says of operations on entries
 * @tph: the device, open
 * @flags: the operations
 *
 * They answer the same themselves, whatever else is wrong with them. Which CPU an entry holds can be
 * read under every policy.
 *
 * Return: 0; -EOPNOTSUPP; -EPERM.
 */
int tph_feature_offered(struct tph_vdev *tph, u32 flags)
{
	if (tph->offer.steering == -EPERM && flags & VFIO_DEVICE_FEATURE_GET &&
	    !(flags & VFIO_DEVICE_FEATURE_SET))
		return 0;
	return flags & VFIO_DEVICE_FEATURE_PROBE ? tph->offer.steering : tph_request_offered(tph);
}

static int set_entries(struct tph_vdev *tph, const struct vfio_device_feature_tph_st *st,
		       const u32 __user *data)
{
	u32 size = tph->table.ledger.size, i;
	struct tph_target *targets;
	u32 *cpus;
	int ret;

	if (st->flags & ~SET_FLAGS || !tph_ledger_holds(&tph->table.ledger, st->index, st->count))
		return -EINVAL;

	cpus = memdup_array_user(data, st->count, sizeof(*cpus));
	if (IS_ERR(cpus))
		return PTR_ERR(cpus);
	targets = kvmalloc_array(st->count, sizeof(*targets), GFP_KERNEL);
	if (!targets) {
		ret = -ENOMEM;
		goto out_free_cpus;
	}
	for (i = 0; i < st->count; i++)
		targets[i] = (struct tph_target){
			.cpu = cpus[i],
			.index = array_index_nospec(st->index + i, size),
			.persistent = st->flags & VFIO_TPH_ST_MEM_TYPE_PM,
		};
	ret = tph_request_set(tph, targets, st->count);
	kvfree(targets);

out_free_cpus:
	kfree(cpus);
	return ret;
}

static int get_entries(struct tph_vdev *tph, const struct vfio_device_feature_tph_st *st,
		       u32 __user *data)
{
	u8 width = st->flags & VFIO_TPH_ST_EXT ? TPH_WIDTH_16 : TPH_WIDTH_8;
	u32 size = tph->table.ledger.size, i;
	bool cpu = st->flags & VFIO_TPH_ST_CPU;
	u32 *values;
	int ret = 0;

	if (st->flags & ~GET_FLAGS || st->flags == GET_FLAGS ||
	    !tph_ledger_holds(&tph->table.ledger, st->index, st->count))
		return -EINVAL;
	if (!cpu && tph->offer.tags)
		return tph->offer.tags;

	values = kvmalloc_array(st->count, sizeof(*values), GFP_KERNEL);
	if (!values)
		return -ENOMEM;

	scoped_guard(mutex, &tph->lock) {
		for (i = 0; i < st->count; i++) {
			u32 index = array_index_nospec(st->index + i, size);
			const struct tph_entry *entry = &tph->table.ledger.entries[index];

			if (!cpu && !tph_entries_valid(entry, 1, width))
				ret = -EOPNOTSUPP;
			values[i] = cpu ? entry->cpu : tph_entry_tag(entry, width);
		}
	}
	if (!ret && copy_to_user(data, values, array_size(st->count, sizeof(*values))))
		ret = -EFAULT;
	kvfree(values);
	return ret;
}

static int feature_st(struct tph_vdev *tph, u32 flags,
		      struct vfio_device_feature_tph_st __user *arg, size_t argsz)
{
	struct vfio_device_feature_tph_st st;
	int ret;

	ret = tph_feature_offered(tph, flags);
	if (ret)
		return ret;
	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_GET,
				 sizeof(st));
	if (ret <= 0)
		return ret;

	if (copy_from_user(&st, arg, sizeof(st)))
		return -EFAULT;
	if (argsz < struct_size(arg, data, st.count))
		return -EINVAL;

	if (flags & VFIO_DEVICE_FEATURE_SET)
		return set_entries(tph, &st, arg->data);
	return get_entries(tph, &st, arg->data);
}

static int feature_notify(struct tph_vdev *tph, u32 flags,
			  struct vfio_device_feature_tph_notify __user *arg, size_t argsz)
{
	struct vfio_device_feature_tph_notify notify;
	struct eventfd_ctx *ctx = NULL;
	int ret;

	/* where no entry can be set, none can be taken back */
	ret = tph_feature_offered(tph, flags | VFIO_DEVICE_FEATURE_SET);
	if (ret)
		return ret;
	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, sizeof(notify));
	if (ret <= 0)
		return ret;

	if (copy_from_user(&notify, arg, sizeof(notify)))
		return -EFAULT;
	if (notify.flags || notify.eventfd < -1)
		return -EINVAL;
	if (notify.eventfd >= 0) {
		ctx = eventfd_ctx_fdget(notify.eventfd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	scoped_guard(mutex, &tph->lock)
		swap(tph->notify, ctx);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

/**
 * tph_feature() - VFIO_DEVICE_FEATURE: ours, or the core's
 * @vdev: the device, open
 * @flags: feature number and operation
 * @arg: the payload in user memory
 * @argsz: its size in bytes
 *
 * Context: ioctl of the user; the device is resumed.
 * Return: as include/uapi/linux/vfio_tph.h says, or what the core says.
 */
int tph_feature(struct vfio_device *vdev, u32 flags, void __user *arg, size_t argsz)
{
	struct tph_vdev *tph = tph_vdev(vdev);

	switch (flags & VFIO_DEVICE_FEATURE_MASK) {
	case VFIO_DEVICE_FEATURE_TPH_ST:
		return feature_st(tph, flags, arg, argsz);
	case VFIO_DEVICE_FEATURE_TPH_NOTIFY:
		return feature_notify(tph, flags, arg, argsz);
	case VFIO_DEVICE_FEATURE_TPH_GUEST:
		return tph_guest_feature(tph, flags, arg, argsz);
	case VFIO_DEVICE_FEATURE_DMA_BUF_TPH:
		return tph_dmabuf_feature(tph, flags, arg, argsz);
	default:
		return tph_core_feature(vdev, flags, arg, argsz);
	}
}
