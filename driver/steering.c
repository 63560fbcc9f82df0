// SPDX-License-Identifier: GPL-2.0-only
#include <linux/iommu.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "tph_vfio_pci.h"
#include "trace.h"

/*
 * A device that was opened through its group has its container attached for as long as it is open;
 * one without an IOMMU (noiommu) has nothing that could be attached.
 */
static bool attached_at_open(struct tph_vdev *tph)
{
	return !vfio_iommufd_device_ictx(&tph->core.vdev) &&
	       iommu_get_domain_for_dev(&tph->core.pdev->dev);
}

/* Whether something keeps hardware away that no user's call will end. */
static unsigned int away(const struct tph_vdev *tph)
{
	return tph->resetting + tph->recovering + hweight8(tph->asleep);
}

/*
 * For a function that nobody has open, when what kept hardware away is over: a close meanwhile left
 * the ST table as it was, and a reset may have enabled the requester. With the MSI-X table still
 * mapped a close is not done yet.
 */
static void clean(struct tph_vdev *tph)
{
	lockdep_assert_held(&tph->lock);
	if (tph->opened || !tph->cap.offset || away(tph) || tph->msix_table)
		return;
	if (tph->unclean)
		tph_table_scrub(&tph->table);
	else
		tph_table_quiet(&tph->table);
	tph->unclean = false;
}

/* Undo a hold over which the function may have been reset, and be anything now. */
static void bring_back(struct tph_vdev *tph)
{
	tph_table_doubt(&tph->table);
	tph_table_release(&tph->table);
}

static void release_work(struct work_struct *work)
{
	struct tph_vdev *tph = container_of(work, struct tph_vdev, release);

	/* whoever gets here with nothing to do is in nobody's way */
	scoped_guard(mutex, &tph->lock)
		if (!tph->deferred)
			return;
	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	for (; tph->opened && tph->deferred; tph->deferred--)
		bring_back(tph);
}

/**
 * tph_steering_init() - prepare a device for steering
 * @tph: the device
 */
void tph_steering_init(struct tph_vdev *tph)
{
	INIT_WORK(&tph->release, release_work);
	INIT_LIST_HEAD(&tph->devices);
	tph_guest_init(tph);
	tph->table.ops = &tph_hardware_ops;
	tph->table.cap = &tph->cap;
}

static int begin(struct tph_vdev *tph, const struct tph_ledger *ledger)
{
	int ret;

	guard(mutex)(&tph->lock);
	/* before anything else: requester off; the table is written whole with an enable */
	tph->table = (struct tph_table){ .ops = &tph_hardware_ops, .cap = &tph->cap };
	tph->table.adrift = away(tph);
	if (!tph->table.adrift) {
		ret = tph_table_scrub(&tph->table);
		if (ret)
			return ret;
	}
	tph->table.ledger = *ledger;
	tph->table.holds = away(tph);
	tph->attached = attached_at_open(tph);
	tph->opened = true;
	tph->unclean = false;
	return 0;
}

/**
 * tph_steering_open() - begin with nothing: steering off, table zero, ledger empty
 * @tph: the device, enabled by vfio-pci-core
 *
 * Return: 0; -ENOMEM; -EIO if the function does not answer or its requester cannot be switched off.
 */
int tph_steering_open(struct tph_vdev *tph)
{
	struct tph_ledger ledger;
	int ret;

	scoped_guard(mutex, &tph->lock)
		tph->busy = true;

	tph_platform_refresh(tph);
	tph_offer_make(&tph->cap, &tph->platform, tph->policy, &tph->offer);
	if (!tph->cap.offset)
		return 0;

	ledger.size = tph->offer.entries;
	ledger.entries = kvcalloc(ledger.size, sizeof(struct tph_entry), GFP_KERNEL_ACCOUNT);
	if (!ledger.entries) {
		ret = -ENOMEM;
		goto err_not_busy;
	}
	tph_ledger_clear(&ledger);

	ret = tph_hardware_open(tph);
	if (ret)
		goto err_free_ledger;
	tph_operator_open(tph);

	scoped_guard(tph_memory, tph)
		ret = begin(tph, &ledger);
	if (ret)
		goto err_close_hardware;
	tph_hotplug_add(tph);
	return 0;

err_close_hardware:
	tph_operator_close(tph);
	tph_hardware_close(tph);
err_free_ledger:
	kvfree(ledger.entries);
err_not_busy:
	scoped_guard(mutex, &tph->lock)
		tph->busy = false;
	return ret;
}

static struct eventfd_ctx *finish(struct tph_vdev *tph)
{
	struct tph_table *table = &tph->table;
	struct eventfd_ctx *notify;

	guard(mutex)(&tph->lock);
	notify = tph->notify;
	tph->notify = NULL;
	/*
	 * Where hardware must not be touched (a reset, error recovery) the table is zeroed when
	 * that is over. A table in the MSI-X table that cannot be reached (memory decode off) has
	 * no vector either when the core is done; the next open scrubs again. The requester is off
	 * in any case.
	 */
	if (away(tph) || table->ops->ready(table)) {
		tph_table_hold(table);
		tph->unclean = true;
	} else {
		tph_table_scrub(table);
	}
	tph_revoke_all_locked(tph, TPH_REASON_CLOSE, false);
	tph->opened = false;
	tph->attached = false;
	tph->deferred = 0;
	tph_lease_drop_all(tph);
	return notify;
}

/**
 * tph_steering_close() - leave nothing for the next user
 * @tph: the device, still enabled, its vectors still allocated
 *
 * Context: dev_set lock held, memory_lock not; the function is awake, if it can be woken at all.
 */
void tph_steering_close(struct tph_vdev *tph)
{
	struct eventfd_ctx *notify;

	if (!tph->cap.offset)
		goto out_not_busy;

	tph_hotplug_remove(tph);
	scoped_guard(tph_memory, tph)
		notify = finish(tph);
	cancel_delayed_work_sync(&tph->review);
	cancel_work_sync(&tph->release);
	tph_guest_close(tph);
	if (notify)
		eventfd_ctx_put(notify);
	tph_operator_close(tph);
	tph_hardware_close(tph);
	kvfree(tph->table.ledger.entries);
	tph->table.ledger.entries = NULL;

out_not_busy:
	scoped_guard(mutex, &tph->lock)
		tph->busy = false;
}

/**
 * tph_steering_closed() - a function that its last reset has enabled is off as well
 * @tph: the device, disabled by vfio-pci-core, which has reset it if it can be; awake
 */
void tph_steering_closed(struct tph_vdev *tph)
{
	guard(mutex)(&tph->lock);
	clean(tph);
}

/**
 * tph_steering_hold() - requester off, until tph_steering_release()
 * @tph: the device
 *
 * For what the core does that may cost the function its state, or moves the MSI-X vectors that an
 * ST table hangs on: freeing a vector leaves its tag in the MSI-X table, and allocating it takes
 * that over. Nothing of that has an effect: no tag is sent while held.
 */
void tph_steering_hold(struct tph_vdev *tph)
{
	guard(mutex)(&tph->lock);
	if (tph->opened)
		tph_table_hold(&tph->table);
}

/**
 * tph_steering_release() - undo tph_steering_hold(): the whole table, then enable
 * @tph: the device, whose function may have been reset meanwhile, or lost its state otherwise
 */
void tph_steering_release(struct tph_vdev *tph)
{
	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	if (tph->opened)
		bring_back(tph);
}

/* Which of the MSI-X vectors are allocated. */
static void find_vectors(struct tph_vdev *tph, unsigned long *vectors)
{
	struct pci_dev *pdev = tph->core.pdev;
	u32 i;

	bitmap_zero(vectors, TPH_MSIX_ENTRIES_MAX);
	for (i = 0; pdev->msix_enabled && i < tph->cap.entries; i++)
		if (pci_irq_vector(pdev, i) > 0)
			__set_bit(i, vectors);
}

/**
 * tph_steering_set_irqs() - VFIO_DEVICE_SET_IRQS, with an ST table in the MSI-X table
 * @tph: the device
 * @arg: the ioctl's
 *
 * Held whichever index it names: the user could change that under the core's eyes. The table is
 * written anew where vectors came or went, and left alone where none did: a virtual machine's
 * manager comes here for each vector that its guest masks.
 *
 * Return: what the core says.
 */
long tph_steering_set_irqs(struct tph_vdev *tph, unsigned long arg)
{
	unsigned long *before = bitmap_zalloc(2 * TPH_MSIX_ENTRIES_MAX, GFP_KERNEL);
	unsigned long *after;
	bool kept = false;
	long ret;

	/* one that lost its state without a word would come back enabled, without its table */
	tph_steering_sync(tph);
	tph_steering_hold(tph);
	if (before)
		find_vectors(tph, before);
	ret = vfio_pci_core_ioctl(&tph->core.vdev, VFIO_DEVICE_SET_IRQS, arg);
	if (before) {
		after = before + BITS_TO_LONGS(TPH_MSIX_ENTRIES_MAX);
		find_vectors(tph, after);
		kept = bitmap_equal(before, after, TPH_MSIX_ENTRIES_MAX);
	}
	bitmap_free(before);

	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	if (!tph->opened)
		return ret;
	/* another call may be under way, and is not to believe the table either */
	if (!kept)
		tph_table_doubt(&tph->table);
	tph_table_release_kept(&tph->table);
	return ret;
}

/**
 * tph_steering_sync() - catch up with what could not be written before
 * @tph: the device
 */
void tph_steering_sync(struct tph_vdev *tph)
{
	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	if (!tph->opened)
		return;
	tph_table_sync(&tph->table);
	tph_guest_sync_locked(tph);
}

/**
 * tph_steering_settle() - see that no hold is left for later
 * @tph: the device
 *
 * For the end of a call that can have reset the function: its user finds everything in force, and
 * no work of ours holds memory_lock when the next call asks for it.
 */
void tph_steering_settle(struct tph_vdev *tph)
{
	flush_work(&tph->release);
}

/* What hardware holds is looked at first: the call that asks for this may be another user's. */
static void look_after(struct tph_vdev *tph)
{
	enum tph_memory memory = tph_memory_trylock(tph);

	scoped_guard(mutex, &tph->lock) {
		if (tph->opened && memory != TPH_MEMORY_BUSY) {
			tph_table_sync(&tph->table);
			tph_guest_sync_locked(tph);
		} else if (tph->opened) {
			/* off is nothing that memory_lock is needed for; the rest is */
			tph_table_doubt(&tph->table);
			tph_table_hold(&tph->table);
			tph->deferred++;
			queue_work(tph_workqueue, &tph->release);
		}
	}
	tph_memory_unlock(tph, memory);
}

/**
 * tph_steering_settle_set() - tph_steering_settle() for all that a hot reset can have touched
 * @tph: the device whose user asked for it
 * @reset: there was one: all that is open in the set is this user's
 *
 * All functions of the set were taken to D0, which can cost one its state, and the reset may then
 * have been refused (EAGAIN), so that none of them was told.
 */
void tph_steering_settle_set(struct tph_vdev *tph, bool reset)
{
	struct vfio_device_set *set = tph->core.vdev.dev_set;
	struct vfio_device *vdev;

	guard(mutex)(&set->lock);
	list_for_each_entry(vdev, &set->device_list, dev_set_list) {
		if (vdev->ops != tph->core.vdev.ops)
			continue;
		look_after(tph_vdev(vdev));
		if (reset)
			tph_steering_settle(tph_vdev(vdev));
	}
}

/*
 * Back comes what was wanted before, or was set up meanwhile. One that began before the driver was
 * bound is no hold, but may have been a reset all the same.
 */
static void end_recovery(struct tph_vdev *tph)
{
	if (tph->opened) {
		if (!tph->recovering)
			tph_table_hold(&tph->table);
		bring_back(tph);
	}
	tph->recovering = false;
	clean(tph);
}

/**
 * tph_steering_sleep() - nothing is read from or written to the function from here on
 * @tph: the device, awake
 * @why: TPH_ASLEEP_*
 *
 * What is taken back or set up meanwhile waits in the ledger.
 */
void tph_steering_sleep(struct tph_vdev *tph, u8 why)
{
	guard(mutex)(&tph->lock);
	if (!(tph->asleep & why) && tph->opened)
		tph_table_hold(&tph->table);
	tph->asleep |= why;
	/*
	 * Linux keeps a function awake for as long as its recovery goes on, and not every kernel
	 * tells that one has failed. Of one that went on all the same the end would be told.
	 */
	if (why == TPH_ASLEEP_RUNTIME && tph->recovering)
		end_recovery(tph);
}

/**
 * tph_steering_unstick() - end a recovery that failed without a word
 * @tph: the device, which nobody has open: about to be
 *
 * A function that can go to sleep is in none, see tph_steering_sleep(); one that is in one, or is
 * kept awake by somebody else, does not, and stays held.
 */
void tph_steering_unstick(struct tph_vdev *tph)
{
	scoped_guard(mutex, &tph->lock)
		if (!tph->recovering || !tph->cap.offset)
			return;
	pm_runtime_suspend(&tph->core.pdev->dev);
}

static bool cpu_is_gone(const struct tph_entry *entry, u32 index, void *arg)
{
	return !cpu_online(entry->cpu);
}

/**
 * tph_steering_wake() - undo tph_steering_sleep(): the whole table, then enable
 * @tph: the device
 * @why: as it was told there; without it nothing is done
 *
 * A function can have lost all of its state, whatever low power state it was in.
 *
 * Context: memory_lock not held; the function is awake.
 */
void tph_steering_wake(struct tph_vdev *tph, u8 why)
{
	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	if (!(tph->asleep & why))
		return;
	tph->asleep &= ~why;
	/* CPUs that a sleeping machine took offline are back, but for one that did not start */
	tph_revoke_locked(tph, cpu_is_gone, NULL, TPH_REASON_OFFLINE, false);
	if (tph->opened)
		bring_back(tph);
	clean(tph);
}

/*
 * All entries, and the requester. In this order: what is taken back while the requester is on is
 * out of the table as well. Off is held first, so that a write that fails does not bring it back.
 */
static void end(struct tph_vdev *tph, enum tph_reason reason, enum tph_memory memory)
{
	lockdep_assert_held(&tph->lock);
	if (!tph->opened)
		return;
	tph_revoke_all_locked(tph, reason, memory == TPH_MEMORY_BUSY);
	tph_table_hold(&tph->table);
	tph_table_control(&tph->table, (struct tph_control){ .mode = tph->table.wanted.mode });
	tph_table_release(&tph->table);
	tph_operator_changed(tph);
}

/**
 * tph_steering_remove() - the driver lets go of the device: nothing is granted any more
 * @tph: the device, open or not
 *
 * The user may take as long as it likes to close it, and the operator's attributes are gone by now,
 * so nothing may be left that could be taken back.
 *
 * Context: from the start of remove(); may sleep.
 */
void tph_steering_remove(struct tph_vdev *tph)
{
	enum tph_memory memory = tph_memory_trylock(tph);

	scoped_guard(mutex, &tph->lock) {
		tph->removing = true;
		end(tph, TPH_REASON_REMOVED, memory);
	}
	tph_memory_unlock(tph, memory);
	tph_dmabuf_allow(tph, false);
}

static bool asks_for(u32 value, u8 mode)
{
	return value & PCI_TPH_CTRL_REQ_EN_MASK && (value & PCI_TPH_CTRL_MODE_SEL_MASK) == mode;
}

/**
 * tph_steering_request() - a write of the control register
 * @tph: the device, open
 * @value: what is written
 * @mask: which bits of it
 *
 * Context: process context of the caller, may sleep; the device is resumed.
 * Return: 0 if what is in force now is what was asked for, or comes closest to it under
 * tph_control_request(); -ENODEV if the driver lets go of the device; -EPERM if it is not attached
 * to an I/O address space; -EBUSY for device-specific mode beside a guest's map; -EOPNOTSUPP if an
 * entry has no tag of that width; -EIO. On error all is
 * as before, but that nothing is enabled without an attachment, or while the device is let go.
 */
int tph_steering_request(struct tph_vdev *tph, u32 value, u32 mask)
{
	struct tph_table *table = &tph->table;
	struct tph_control control;
	struct tph_offer offer;
	int ret = 0, refused = 0;

	/* nothing is enabled on what its holders lost since the last review */
	if (value & mask & PCI_TPH_CTRL_REQ_EN_MASK)
		tph_lease_review(tph);
	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	value = (value & mask) | (tph_control_register(table->wanted) & ~mask);
	offer = tph->offer;
	if (tph_guest_mapped_locked(tph))
		tph_guest_offer(tph, &offer);
	control = tph_control_request(&offer, table->wanted, value);
	/* what there would be without a map */
	if (asks_for(value, PCI_TPH_ST_DS_MODE) && tph->offer.modes & ~offer.modes) {
		refused = -EBUSY;
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_BUSY, refused);
	}
	if (control.width != TPH_WIDTH_NONE && (tph->removing || !tph->attached)) {
		refused = tph->removing ? -ENODEV : -EPERM;
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, tph->removing ?
				 TPH_REASON_REMOVED : TPH_REASON_DETACHED, refused);
		control = (struct tph_control){ .mode = table->wanted.mode };
	}
	if (!tph_control_same(control, table->wanted)) {
		ret = tph_guest_mapped_locked(tph) ? tph_guest_control_locked(tph, control) :
						     tph_table_control(table, control);
		if (ret)
			trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, ret == -EOPNOTSUPP ?
					 TPH_REASON_FIRMWARE : TPH_REASON_HARDWARE, ret);
		tph_operator_changed(tph);
	}
	return refused ?: ret;
}

/**
 * tph_steering_attached() - the device was attached to an I/O address space, or moved to another
 * @tph: the device
 */
void tph_steering_attached(struct tph_vdev *tph)
{
	/* noiommu can be "attached" without a domain that would translate anything */
	scoped_guard(mutex, &tph->lock)
		tph->attached = iommu_get_domain_for_dev(&tph->core.pdev->dev);
	if (tph->cap.offset)
		tph_lease_review(tph);
}

/**
 * tph_steering_detached() - the device is about to be detached from its I/O address space
 * @tph: the device
 *
 * Linux blocks the DMA of a group when the last of its devices is detached; steering ends with this
 * device's own detach. Nothing comes back with the next attach.
 */
void tph_steering_detached(struct tph_vdev *tph)
{
	enum tph_memory memory = tph_memory_trylock(tph);

	scoped_guard(mutex, &tph->lock) {
		tph->attached = false;
		end(tph, TPH_REASON_DETACHED, memory);
	}
	tph_memory_unlock(tph, memory);
}

/**
 * tph_steering_error() - error recovery begins, or has failed
 * @tph: the device
 * @state: of the channel to it
 *
 * Recovery can reset the function without a word: after a fatal error, or for another function
 * below the same port after any. So the requester is off until tph_steering_recovered() or a
 * failure, and what the user sets up meanwhile waits. A fatal error or a failure takes all entries:
 * the user learns of it by its own event and sets up anew.
 */
void tph_steering_error(struct tph_vdev *tph, pci_channel_state_t state)
{
	guard(mutex)(&tph->lock);
	if (!tph->recovering && tph->opened)
		tph_table_hold(&tph->table);
	tph->recovering = true;
	if (tph->opened && state != pci_channel_io_normal) {
		/* the link may be down: nobody tells whether the last write got through */
		tph_table_doubt(&tph->table);
		tph_table_control(&tph->table, (struct tph_control){});
		tph_revoke_all_locked(tph, TPH_REASON_ERROR, false);
		tph_guest_reset_locked(tph);
		tph_operator_changed(tph);
	}
	if (state == pci_channel_io_perm_failure)
		end_recovery(tph);
}

/**
 * tph_steering_recovered() - error recovery is over: table before enable, as after a reset
 * @tph: the device
 *
 * What its holders may not have any more does not come back.
 */
void tph_steering_recovered(struct tph_vdev *tph)
{
	if (tph->cap.offset)
		tph_lease_review(tph);

	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	end_recovery(tph);
}

/**
 * tph_steering_reset_prepare() - a reset begins: nothing is sent with a tag from here on
 * @tph: the device
 *
 * Context: memory_lock may be held (VFIO_DEVICE_RESET, hot reset, FLR by configuration space) or
 * not (sysfs).
 */
void tph_steering_reset_prepare(struct tph_vdev *tph)
{
	guard(mutex)(&tph->lock);
	trace_tph_reset(tph->core.pdev, false);
	tph->resetting = true;
	if (tph->opened)
		tph_table_hold(&tph->table);
}

/**
 * tph_steering_reset_done() - the reset is over: the user finds everything as it was
 * @tph: the device
 *
 * A guest finds it as hardware is after a reset.
 *
 * What its holders may not have any more does not come back.
 *
 * Context: as for tph_steering_reset_prepare().
 */
void tph_steering_reset_done(struct tph_vdev *tph)
{
	bool memory = tph->cap.place == TPH_PLACE_MSIX;
	bool later;

	if (tph->cap.offset)
		tph_lease_review_held(tph);

	/*
	 * Whether the caller has memory_lock is not known, and who else may have it. A table in the
	 * MSI-X table is written with it alone: without it the user can switch memory off between a
	 * look at the command register and the write.
	 */
	later = memory && !down_read_trylock(&tph->core.memory_lock);
	scoped_guard(mutex, &tph->lock) {
		trace_tph_reset(tph->core.pdev, true);
		tph->resetting = false;
		if (tph->opened)
			tph_guest_reset_locked(tph);
		if (later && tph->opened) {
			/* at once what needs no memory: bus master is on again already */
			if (!away(tph))
				tph_table_off(&tph->table);
			tph->deferred++;
			queue_work(tph_workqueue, &tph->release);
		} else if (tph->opened) {
			bring_back(tph);
		}
		clean(tph);
	}
	if (memory && !later)
		up_read(&tph->core.memory_lock);
}
