// SPDX-License-Identifier: GPL-2.0-only
#include <linux/iommu.h>
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

/**
 * tph_steering_open() - begin with nothing: steering off, table zero, ledger empty
 * @tph: the device, enabled by vfio-pci-core
 *
 * Return: 0; -ENOMEM; -EIO if the function does not take configuration writes.
 */
int tph_steering_open(struct tph_vdev *tph)
{
	struct tph_ledger ledger;
	int ret;

	scoped_guard(mutex, &tph->lock)
		tph->busy = true;

	tph_platform_refresh(tph);
	tph_offer_make(&tph->cap, &tph->platform, tph->policy, &tph->offer);
	tph->table = (struct tph_table){ .ops = &tph_hardware_ops, .cap = &tph->cap };
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

	scoped_guard(mutex, &tph->lock) {
		ret = tph->table.ops->ready(&tph->table);
		if (!ret)
			ret = tph_table_scrub(&tph->table);
		if (!ret) {
			tph->table.ledger = ledger;
			tph->table.holds = tph->resetting + tph->recovering;
			tph->attached = attached_at_open(tph);
			tph->opened = true;
		}
	}
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

/**
 * tph_steering_close() - leave nothing for the next user
 * @tph: the device, still enabled, its vectors still allocated
 *
 * Context: dev_set lock held, memory_lock not.
 */
void tph_steering_close(struct tph_vdev *tph)
{
	struct tph_table *table = &tph->table;
	struct eventfd_ctx *notify;

	if (!tph->cap.offset)
		goto out_not_busy;

	tph_hotplug_remove(tph);
	scoped_guard(mutex, &tph->lock) {
		notify = tph->notify;
		tph->notify = NULL;
		/*
		 * A function that hears nothing now (D3cold, memory decode off) has no tag to leave
		 * behind either: the requester is off first, and the next open scrubs again.
		 */
		if (table->ops->ready(table))
			tph_table_hold(table);
		else
			tph_table_scrub(table);
		tph_revoke_all_locked(tph, TPH_REASON_CLOSE);
		tph->opened = false;
		tph->attached = false;
		tph->deferred = 0;
		tph_lease_drop_all(tph);
	}
	cancel_delayed_work_sync(&tph->review);
	cancel_work_sync(&tph->release);
	if (notify)
		eventfd_ctx_put(notify);
	tph_operator_close(tph);
	tph_hardware_close(tph);
	kvfree(table->ledger.entries);
	table->ledger.entries = NULL;

out_not_busy:
	scoped_guard(mutex, &tph->lock)
		tph->busy = false;
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
 * @tph: the device
 */
void tph_steering_release(struct tph_vdev *tph)
{
	guard(rwsem_read)(&tph->core.memory_lock);
	guard(mutex)(&tph->lock);
	if (tph->opened)
		tph_table_release(&tph->table);
}

/**
 * tph_steering_sync() - catch up with what could not be written before
 * @tph: the device
 */
void tph_steering_sync(struct tph_vdev *tph)
{
	guard(rwsem_read)(&tph->core.memory_lock);
	guard(mutex)(&tph->lock);
	if (tph->opened)
		tph_table_sync(&tph->table);
}

/**
 * tph_steering_request() - a write of the control register
 * @tph: the device, open
 * @value: what is written
 * @mask: which bits of it
 *
 * Context: process context of the caller, may sleep; the device is resumed.
 * Return: 0 if what is in force now is what was asked for, or comes closest to it under
 * tph_control_request(); -EPERM if the device is not attached to an I/O address space; -EOPNOTSUPP
 * if an entry has no tag of that width; -EIO. On error all is as before, but that nothing is
 * enabled without an attachment.
 */
int tph_steering_request(struct tph_vdev *tph, u32 value, u32 mask)
{
	struct tph_table *table = &tph->table;
	struct tph_control control;
	int ret = 0, refused = 0;

	/* nothing is enabled on what its holders lost since the last review */
	tph_lease_review(tph);
	guard(rwsem_read)(&tph->core.memory_lock);
	guard(mutex)(&tph->lock);
	value = (value & mask) | (tph_control_register(table->wanted) & ~mask);
	control = tph_control_request(&tph->offer, table->wanted, value);
	if (control.width != TPH_WIDTH_NONE && !tph->attached) {
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_DETACHED, -EPERM);
		control.width = TPH_WIDTH_NONE;
		refused = -EPERM;
	}
	if (!tph_control_same(control, table->wanted)) {
		ret = tph_table_control(table, control);
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
	guard(rwsem_read)(&tph->core.memory_lock);
	guard(mutex)(&tph->lock);
	tph->attached = false;
	if (!tph->opened)
		return;
	/* in this order: what is taken back while the requester is on is out of the table as well */
	tph_revoke_all_locked(tph, TPH_REASON_DETACHED);
	tph_table_control(&tph->table, (struct tph_control){ .mode = tph->table.wanted.mode });
	tph_operator_changed(tph);
}

/* Back comes what was wanted before, or was set up meanwhile. */
static void end_recovery(struct tph_vdev *tph)
{
	if (tph->recovering && tph->opened)
		tph_table_release(&tph->table);
	tph->recovering = false;
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
		tph->table.adrift = true;
		tph_table_control(&tph->table, (struct tph_control){});
		tph_revoke_all_locked(tph, TPH_REASON_ERROR);
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

	guard(rwsem_read)(&tph->core.memory_lock);
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
 * What its holders may not have any more does not come back.
 *
 * Context: as for tph_steering_reset_prepare().
 */
void tph_steering_reset_done(struct tph_vdev *tph)
{
	if (tph->cap.offset)
		tph_lease_review_held(tph);

	guard(mutex)(&tph->lock);
	trace_tph_reset(tph->core.pdev, true);
	tph->resetting = false;
	if (tph->opened)
		tph_table_release(&tph->table);
}
