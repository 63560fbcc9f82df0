// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that steers by tags of its own. What it writes into the virtual ST table is decoded here and
 * walks the way of any request: the map says whether its manager was granted a CPU for the value, and
 * has that CPU's tags from when it was; then the table.
 *
 * All of it is guarded by the device's lock, which comes after memory_lock as everywhere. The writer
 * is not looked at: a CPU is granted to the process that SET the map, and to no other.
 */
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/vfio_tph.h>

#include "tph_vfio_pci.h"
#include "trace.h"

#define SET_FLAGS	VFIO_TPH_GUEST_MEM_TYPE_PM
#define GET_FLAGS	VFIO_TPH_GUEST_TABLE

static u8 width_in_force(const struct tph_vdev *tph)
{
	const struct tph_control *wanted = &tph->table.wanted;

	return tph_control_tagged(*wanted) ? wanted->width : TPH_WIDTH_NONE;
}

static bool same_grant(const struct tph_entry *a, const struct tph_entry *b)
{
	return a->cpu == b->cpu &&
	       tph_entry_tag(a, TPH_WIDTH_8) == tph_entry_tag(b, TPH_WIDTH_8) &&
	       tph_entry_tag(a, TPH_WIDTH_16) == tph_entry_tag(b, TPH_WIDTH_16);
}

/* Which entries of the ledger @batch changes, from the first one on. */
static void find_changed_locked(const struct tph_vdev *tph, const struct tph_entry *batch,
				u32 count, unsigned long *changed)
{
	u32 i;

	bitmap_zero(changed, count);
	for (i = 0; i < count; i++)
		if (!same_grant(&batch[i], &tph->table.ledger.entries[i]))
			__set_bit(i, changed);
}

static void trace_changed_locked(const struct tph_vdev *tph, const unsigned long *changed, u32 count)
{
	u32 i;

	for_each_set_bit(i, changed, count)
		trace_tph_set(tph->core.pdev, i, &tph->table.ledger.entries[i]);
}

/* Make the ledger what the virtual table comes to at a width. One off-window, or none. */
static int apply_locked(struct tph_vdev *tph, u8 width)
{
	struct tph_guest *guest = &tph->guest;
	DECLARE_BITMAP(changed, TPH_CAPABILITY_ENTRIES_MAX);
	u32 count = guest->table.entries;
	int ret;

	lockdep_assert_held(&tph->lock);
	tph_guest_map_entries(&guest->map, &guest->table, width, guest->batch);
	find_changed_locked(tph, guest->batch, count, changed);
	ret = tph_table_commit(&tph->table, 0, count, guest->batch);
	/* where the table cannot be written now, tph_guest_sync_locked() looks again */
	guest->pending = ret;
	if (ret) {
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_HARDWARE, ret);
		return ret;
	}
	trace_changed_locked(tph, changed, count);
	if (!bitmap_empty(changed, count))
		tph_operator_changed(tph);
	return 0;
}

static u64 budget_locked(struct tph_vdev *tph)
{
	struct tph_guest *guest = &tph->guest;
	u64 wait = tph_budget_take(&guest->budget, ktime_get_ns());

	/* queued already, it may come before its time: it asks again */
	if (wait)
		queue_delayed_work(tph_workqueue, &guest->settle, nsecs_to_jiffies(wait) + 1);
	return wait;
}

/* The enable that waits is made, whole table first. */
static void let_go_locked(struct tph_vdev *tph)
{
	lockdep_assert_held(&tph->lock);
	if (!tph->guest.held)
		return;
	tph->guest.held = false;
	tph_table_release(&tph->table);
}

/* Bring what the guest wrote to the table: now, or with the batch that ends the window. */
static void update_locked(struct tph_vdev *tph)
{
	struct tph_guest *guest = &tph->guest;
	u8 width = width_in_force(tph);
	bool costs = guest->held;

	lockdep_assert_held(&tph->lock);
	/* what others hold costs nothing: it goes to the ledger alone */
	if (!tph->table.holds) {
		tph_guest_map_entries(&guest->map, &guest->table, width, guest->batch);
		costs = tph_table_differs(&tph->table, 0, guest->table.entries, guest->batch);
	}
	if (costs && budget_locked(tph)) {
		guest->pending = true;
		return;
	}
	apply_locked(tph, width);
	let_go_locked(tph);
}

static bool waits_locked(const struct tph_vdev *tph)
{
	lockdep_assert_held(&tph->lock);
	return tph->opened && (tph->guest.pending || tph->guest.held);
}

static void settle_work(struct work_struct *work)
{
	struct tph_guest *guest = container_of(to_delayed_work(work), struct tph_guest, settle);
	struct tph_vdev *tph = container_of(guest, struct tph_vdev, guest);

	/* whoever gets here with nothing to do is in nobody's way */
	scoped_guard(mutex, &tph->lock)
		if (!waits_locked(tph))
			return;
	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	if (waits_locked(tph))
		update_locked(tph);
}

static void trace_map(struct tph_vdev *tph, const struct tph_guest_map *map)
{
	struct pci_dev *pdev = tph->core.pdev;
	u32 i;

	if (!trace_tph_map_enabled())
		return;
	trace_tph_map(pdev, map->count, 0, NULL);
	for (i = 0; i < map->count; i++)
		if (map->slots[i].cpu != TPH_NO_CPU)
			trace_tph_map(pdev, map->count, i + 1, &map->slots[i]);
}

/**
 * tph_guest_init() - prepare a device for a guest
 * @tph: the device
 */
void tph_guest_init(struct tph_vdev *tph)
{
	INIT_DELAYED_WORK(&tph->guest.settle, settle_work);
}

/**
 * tph_guest_close() - forget the map and what the guest wrote
 * @tph: the device, its entries and slots taken back, nothing of it opened any more
 */
void tph_guest_close(struct tph_vdev *tph)
{
	struct tph_guest *guest = &tph->guest;

	cancel_delayed_work_sync(&guest->settle);
	guard(mutex)(&tph->lock);
	kvfree(guest->map.slots);
	if (tph_guest_mapped_locked(tph))
		trace_map(tph, &(struct tph_guest_map){});
	guest->map = (struct tph_guest_map){};
	guest->table = (struct tph_virtual_table){};
	guest->budget = (struct tph_budget){};
	guest->pending = false;
	guest->held = false;
}

/**
 * tph_guest_settle() - see that no work of a guest's is left for later
 * @tph: the device, held
 */
void tph_guest_settle(struct tph_vdev *tph)
{
	cancel_delayed_work_sync(&tph->guest.settle);
	guard(mutex)(&tph->lock);
	if (!waits_locked(tph))
		return;
	apply_locked(tph, width_in_force(tph));
	let_go_locked(tph);
}

/**
 * tph_guest_mapped_locked() - whether the capability is the guest's view
 * @tph: the device
 *
 * Return: true if there is a map.
 */
bool tph_guest_mapped_locked(struct tph_vdev *tph)
{
	lockdep_assert_held(&tph->lock);
	return tph->guest.map.count;
}

/**
 * tph_guest_offer() - what a guest is offered
 * @tph: the device
 * @offer: receives it
 *
 * A driver that places tags itself would send virtual ones as they are.
 */
void tph_guest_offer(const struct tph_vdev *tph, struct tph_offer *offer)
{
	*offer = tph->offer;
	offer->modes &= ~PCI_TPH_CAP_ST_DS;
	if (offer->place == TPH_PLACE_NONE)
		return;
	offer->place = TPH_PLACE_CAPABILITY;
	offer->entries = tph->guest.table.entries;
}

/**
 * tph_guest_write() - a write to the virtual ST table
 * @tph: the device, open and resumed
 * @at: first byte, from the table's start
 * @bytes: what is written
 * @count: how many
 *
 * Like hardware, it does not say what became of it.
 *
 * Context: may sleep; memory_lock not held.
 */
void tph_guest_write(struct tph_vdev *tph, unsigned int at, const u8 *bytes, unsigned int count)
{
	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	if (!tph_guest_mapped_locked(tph))
		return;
	tph_virtual_table_write(&tph->guest.table, at, bytes, count);
	update_locked(tph);
}

/**
 * tph_guest_control_locked() - tph_table_control() while there is a map
 * @tph: the device
 * @control: what tph_control_request() came to
 *
 * What the table's values mean depends on the width, so between two widths the requester is off. An
 * enable writes the whole table: beyond the budget it waits, as if held. A disable never does.
 *
 * Return: 0, or what the hardware access failed with; then as before, if that can be had.
 */
int tph_guest_control_locked(struct tph_vdev *tph, struct tph_control control)
{
	struct tph_control off = { .mode = control.mode };
	struct tph_table *table = &tph->table;
	struct tph_control before = table->wanted;
	int ret;

	lockdep_assert_held(&tph->lock);
	if (tph_control_tagged(before)) {
		ret = tph_table_control(table, off);
		if (ret)
			return ret;
	}
	if (control.width != TPH_WIDTH_NONE && !table->holds && budget_locked(tph)) {
		tph_table_hold(table);
		tph->guest.held = true;
	}
	ret = apply_locked(tph, tph_control_tagged(control) ? control.width : TPH_WIDTH_NONE);
	if (!ret)
		ret = tph_table_control(table, control);
	if (!ret)
		return 0;
	apply_locked(tph, tph_control_tagged(before) ? before.width : TPH_WIDTH_NONE);
	tph_table_control(table, before);
	return ret;
}

/**
 * tph_guest_sync_locked() - catch up with what the guest wrote where nothing could be written
 * @tph: the device, open
 */
void tph_guest_sync_locked(struct tph_vdev *tph)
{
	lockdep_assert_held(&tph->lock);
	if (tph->guest.pending && !tph->table.holds)
		apply_locked(tph, width_in_force(tph));
}

/**
 * tph_guest_reset_locked() - the function was reset: as in hardware, the table is 0 and nothing enabled
 * @tph: the device, open and held
 *
 * The map stays. Without one there is nothing of a guest's.
 */
void tph_guest_reset_locked(struct tph_vdev *tph)
{
	lockdep_assert_held(&tph->lock);
	if (!tph_guest_mapped_locked(tph))
		return;
	tph_virtual_table_clear(&tph->guest.table);
	/* held: all of this goes to the ledger and to what is wanted, and cannot fail */
	tph_table_control(&tph->table, (struct tph_control){});
	apply_locked(tph, TPH_WIDTH_NONE);
	tph_operator_changed(tph);
}

/* A CPU without any tag is no error, and nothing that could be held. */
static int make_map(struct tph_vdev *tph, const u32 *cpus, bool persistent,
		    struct tph_guest_map *map, struct tph_target *targets)
{
	u32 i;
	int ret;

	for (i = 0; i < map->count; i++)
		targets[i] = (struct tph_target){ .cpu = cpus[i], .persistent = persistent };
	ret = tph_grant_check(tph, targets, map->count);
	if (ret)
		return ret;
	ret = tph_request_resolve(tph, targets, map->count, map->slots);
	if (ret)
		return ret;
	for (i = 0; i < map->count; i++)
		if (!tph_tags_valid(&map->slots[i].tags, TPH_WIDTH_NONE))
			map->slots[i] = (struct tph_entry){ .cpu = TPH_NO_CPU };
	return 0;
}

/* Slots to hold under the caller's lease; a map without any needs none. */
static int hold_locked(struct tph_vdev *tph, struct tph_guest_map *map)
{
	int lease = -1;
	u32 i;

	lockdep_assert_held(&tph->lock);
	for (i = 0; i < map->count; i++) {
		if (map->slots[i].cpu == TPH_NO_CPU)
			continue;
		if (lease < 0)
			lease = tph_lease_take_locked(tph);
		if (lease < 0)
			return lease;
		map->slots[i].lease = lease;
		map->slots[i].epoch = tph->epoch;
	}
	return 0;
}

static bool device_specific(const struct tph_vdev *tph)
{
	return tph_control_tagged(tph->table.wanted) &&
	       tph->table.wanted.mode == PCI_TPH_ST_DS_MODE;
}

/*
 * Put @map in the place of the one that there is; that comes back in it. @batch has room for every
 * entry of the ledger: the first map clears the caller's own, wherever they are.
 */
static int replace(struct tph_vdev *tph, const struct tph_target *targets,
		   struct tph_guest_map *map, struct tph_entry *batch)
{
	struct tph_guest *guest = &tph->guest;
	DECLARE_BITMAP(changed, TPH_MSIX_ENTRIES_MAX);
	u32 size = tph->table.ledger.size, i;
	int ret;

	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	if (tph_lease_others_hold_locked(tph) || device_specific(tph)) {
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_BUSY, -EBUSY);
		return -EBUSY;
	}
	ret = tph_grant_check_locked(tph, targets, map->count);
	if (ret)
		return ret;
	/* without a map there is none to remove, and the entries are not a guest's */
	if (!map->count && !guest->map.count)
		return 0;
	ret = hold_locked(tph, map);
	if (ret)
		return ret;

	for (i = 0; i < size; i++)
		batch[i] = (struct tph_entry){ .cpu = TPH_NO_CPU };
	tph_guest_map_entries(map, &guest->table, width_in_force(tph), batch);
	find_changed_locked(tph, batch, size, changed);
	ret = tph_table_commit(&tph->table, 0, size, batch);
	if (ret) {
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_HARDWARE, ret);
		return ret;
	}
	trace_map(tph, map);
	trace_changed_locked(tph, changed, size);
	swap(guest->map, *map);
	guest->pending = false;
	if (!guest->map.count) {
		tph_virtual_table_clear(&guest->table);
		let_go_locked(tph);
	}
	tph_lease_watch_locked(tph);
	tph_operator_changed(tph);
	return 0;
}

static int set_map(struct tph_vdev *tph, const struct vfio_device_feature_tph_guest *head,
		   const u32 __user *data)
{
	struct tph_guest_map map = { .count = head->count };
	struct tph_target *targets = NULL;
	struct tph_entry *batch;
	u32 *cpus = NULL;
	int ret = 0;

	batch = kvmalloc_array(tph->table.ledger.size, sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return -ENOMEM;
	if (map.count) {
		cpus = vmemdup_array_user(data, map.count, sizeof(*cpus));
		if (IS_ERR(cpus)) {
			ret = PTR_ERR(cpus);
			goto out_free_batch;
		}
		targets = kvmalloc_array(map.count, sizeof(*targets), GFP_KERNEL);
		map.slots = kvmalloc_array(map.count, sizeof(*map.slots), GFP_KERNEL_ACCOUNT);
		ret = targets && map.slots ? make_map(tph, cpus, head->flags &
						      VFIO_TPH_GUEST_MEM_TYPE_PM, &map, targets) :
					     -ENOMEM;
	}
	if (!ret) {
		/* what processes that have ended held is in nobody's way */
		tph_lease_settle(tph);
		ret = replace(tph, targets, &map, batch);
	}
	kvfree(map.slots);
	kvfree(targets);
	kvfree(cpus);
out_free_batch:
	kvfree(batch);
	return ret;
}

static int get_map(struct tph_vdev *tph, struct vfio_device_feature_tph_guest *head,
		   struct vfio_device_feature_tph_guest __user *arg)
{
	bool table = head->flags & VFIO_TPH_GUEST_TABLE;
	const struct tph_guest *guest = &tph->guest;
	u32 room = head->count, i, count;
	u32 *values;
	int ret = 0;

	values = kvmalloc_array(max(room, 1U), sizeof(*values), GFP_KERNEL);
	if (!values)
		return -ENOMEM;
	scoped_guard(mutex, &tph->lock) {
		head->count = table ? guest->table.entries : guest->map.count;
		count = min(room, head->count);
		for (i = 0; i < count; i++)
			values[i] = table ? guest->table.values[i] : guest->map.slots[i].cpu;
	}
	if (copy_to_user(arg->data, values, array_size(count, sizeof(*values))) ||
	    copy_to_user(arg, head, sizeof(*head)))
		ret = -EFAULT;
	kvfree(values);
	return ret;
}

/* What PROBE says, and SET and GET themselves answer, whatever else is wrong with them. */
static int offered(struct tph_vdev *tph, u32 flags)
{
	/* no policy would change that */
	if (!tph->guest.table.entries || !(tph->offer.possible & PCI_TPH_CAP_ST_IV))
		return -EOPNOTSUPP;
	return tph_feature_offered(tph, flags);
}

/**
 * tph_guest_feature() - VFIO_DEVICE_FEATURE_TPH_GUEST
 * @tph: the device, open and resumed
 * @flags: feature number and operation
 * @arg: the payload in user memory
 * @argsz: its size in bytes
 *
 * Return: as include/uapi/linux/vfio_tph.h says.
 */
int tph_guest_feature(struct tph_vdev *tph, u32 flags,
		      struct vfio_device_feature_tph_guest __user *arg, size_t argsz)
{
	struct vfio_device_feature_tph_guest head;
	int ret;

	ret = offered(tph, flags);
	if (ret)
		return ret;
	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_GET,
				 sizeof(head));
	if (ret <= 0)
		return ret;
	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.count > VFIO_TPH_GUEST_TAGS_MAX || argsz < struct_size(arg, data, head.count))
		return -EINVAL;

	if (flags & VFIO_DEVICE_FEATURE_SET)
		return head.flags & ~SET_FLAGS ? -EINVAL : set_map(tph, &head, arg->data);
	return head.flags & ~GET_FLAGS ? -EINVAL : get_map(tph, &head, arg);
}
