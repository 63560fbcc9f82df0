// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's steering tags: its manager's map of them to host CPUs, which walks the way of any request,
 * and the guest's writes, which reach nothing but that. Whoever writes is not looked at: the map is
 * the lease of the process that set it.
 */
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "tph_vfio_pci.h"
#include "trace.h"

/*
 * A change of the ST table under an enabled requester costs three writes and a read of configuration
 * space, and the device's hints meanwhile. The guest sets the pace, so there is a budget: so many
 * changes in a period, and what comes beyond that in one more at its end. Taking back has none.
 */
#define CHANGES_MAX	16
#define PERIOD_MS	10

static u8 width_wanted(const struct tph_table *table)
{
	return tph_control_tagged(table->wanted) ? table->wanted.width : TPH_WIDTH_NONE;
}

/* What entries @first .. @last of the ledger come to, in @mapping->batch. */
static const struct tph_entry *resolve(struct tph_vdev *tph, u32 first, u32 last, u8 width)
{
	u32 i;

	lockdep_assert_held(&tph->lock);
	for (i = first; i <= last; i++)
		tph->mapping.batch[i - first] = tph_guest_entry(&tph->mapping.guest, i, width);
	return tph->mapping.batch;
}

/* All of the ledger by the map and the guest's table as they are now. */
static int catch_up(struct tph_vdev *tph)
{
	const u32 size = tph->table.ledger.size;
	int ret;

	lockdep_assert_held(&tph->lock);
	tph->mapping.due = false;
	ret = tph_table_commit(&tph->table, 0, size,
			       resolve(tph, 0, size - 1, width_wanted(&tph->table)));
	tph_operator_changed(tph);
	return ret;
}

static void due_work(struct work_struct *work)
{
	struct tph_vdev *tph = container_of(to_delayed_work(work), struct tph_vdev, mapping.work);

	/* whoever gets here with nothing to do is in nobody's way */
	scoped_guard(mutex, &tph->lock)
		if (!tph->mapping.due)
			return;
	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	if (tph->opened && tph->mapping.due && tph_guest_mapped(&tph->mapping.guest))
		catch_up(tph);
}

/**
 * tph_mapping_init() - prepare a device for a guest
 * @tph: the device
 */
void tph_mapping_init(struct tph_vdev *tph)
{
	INIT_DELAYED_WORK(&tph->mapping.work, due_work);
}

/**
 * tph_mapping_open() - begin without a map
 * @tph: the device, whose offer is made
 */
void tph_mapping_open(struct tph_vdev *tph)
{
	struct tph_guest *guest = &tph->mapping.guest;

	tph_guest_offer(&tph->cap, &tph->offer, &guest->offer);
	tph_guest_reset(guest);
}

/**
 * tph_mapping_close() - end with none
 * @tph: the device, closed: nothing is held any more
 */
void tph_mapping_close(struct tph_vdev *tph)
{
	struct tph_mapping *mapping = &tph->mapping;

	cancel_delayed_work_sync(&mapping->work);
	kvfree(mapping->guest.map.entries);
	kvfree(mapping->batch);
	mapping->guest = (struct tph_guest){};
	mapping->batch = NULL;
	mapping->due = false;
}

/**
 * struct change - a map that shall take the place of another
 * @targets: virtual tags as the grant has to know them: CPUs
 * @count: how many; 0: no map any more
 * @map: slots for them
 * @batch: room for every entry of the ledger
 */
struct change {
	struct tph_target *targets;
	u32 count;
	struct tph_ledger map;
	struct tph_entry *batch;
};

/* A CPU without a tag costs the others nothing: its tag stands for no CPU. */
static int resolve_map(struct tph_vdev *tph, struct change *change)
{
	u32 i;
	int ret;

	for (i = 0; i < change->count; i++) {
		const struct tph_target *target = &change->targets[i];
		struct tph_entry *slot = &change->map.entries[i];

		*slot = (struct tph_entry){ .cpu = target->cpu };
		if (target->cpu == TPH_NO_CPU)
			continue;
		ret = tph_source_resolve(tph, target->cpu, target->persistent, &slot->tags);
		if (ret && ret != -EOPNOTSUPP) {
			trace_tph_refuse(tph->core.pdev, target->cpu, TPH_REASON_FIRMWARE, ret);
			return ret;
		}
		if (!tph->offer.extended)
			slot->tags.xst_valid = false;
		if (ret || !tph_tags_valid(&slot->tags, TPH_WIDTH_NONE))
			*slot = (struct tph_entry){ .cpu = TPH_NO_CPU };
	}
	return 0;
}

/* Whether another process has entries or slots of the device. */
static bool held_by_other(struct tph_vdev *tph)
{
	const struct tph_ledger *held = tph_held_locked(tph);
	u32 i;

	lockdep_assert_held(&tph->lock);
	for (i = 0; i < held->size; i++)
		if (held->entries[i].cpu != TPH_NO_CPU &&
		    tph->leases[held->entries[i].lease].pid != task_tgid(current))
			return true;
	return false;
}

static int take_lease(struct tph_vdev *tph, struct change *change)
{
	int lease = 0;
	u32 i;

	lockdep_assert_held(&tph->lock);
	for (i = 0; i < change->map.size; i++)
		if (change->map.entries[i].cpu != TPH_NO_CPU)
			break;
	if (i < change->map.size)
		lease = tph_lease_take_locked(tph);
	for (i = 0; lease >= 0 && i < change->map.size; i++) {
		change->map.entries[i].lease = lease;
		change->map.entries[i].epoch = tph->epoch;
	}
	return lease;
}

static bool device_specific(const struct tph_table *table)
{
	return table->wanted.width != TPH_WIDTH_NONE && table->wanted.mode == PCI_TPH_ST_DS_MODE;
}

/* Make it so: @change gets what it took the place of, to be freed. Or nothing has changed. */
static int commit(struct tph_vdev *tph, struct change *change)
{
	struct tph_mapping *mapping = &tph->mapping;
	int ret;

	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);

	ret = change->count ? tph_grant_check_locked(tph, change->targets, change->count) : 0;
	if (ret)
		return ret;
	if (held_by_other(tph) || (change->count && device_specific(&tph->table))) {
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_GUEST, -EBUSY);
		return -EBUSY;
	}
	ret = take_lease(tph, change);
	if (ret < 0)
		return ret;

	/* what the user has set by entry goes with the first map, what the guest wrote with the last */
	swap(mapping->guest.map, change->map);
	swap(mapping->batch, change->batch);
	ret = catch_up(tph);
	if (ret) {
		swap(mapping->guest.map, change->map);
		swap(mapping->batch, change->batch);
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_HARDWARE, ret);
		return ret;
	}
	if (!change->count)
		tph_guest_reset(&mapping->guest);
	tph_lease_watch_locked(tph);
	return 0;
}

/**
 * tph_mapping_set() - which host CPU each of a guest's tags stands for
 * @tph: the device, open; a guest can steer it
 * @targets: for virtual tags 1 .. @count
 * @count: how many, at most VFIO_TPH_GUEST_TAGS_MAX; 0: no map any more
 *
 * Context: process context of the manager; may sleep.
 * Return: 0, or as include/uapi/linux/vfio_tph.h says; then nothing has changed.
 */
int tph_mapping_set(struct tph_vdev *tph, struct tph_target *targets, u32 count)
{
	struct change change = { .targets = targets, .count = count, .map.size = count };
	bool busy;
	int ret = 0;

	if (count) {
		ret = tph_grant_check(tph, targets, count);
		if (ret)
			return ret;
		change.map.entries = kvcalloc(count, sizeof(*change.map.entries),
					      GFP_KERNEL_ACCOUNT);
	}
	change.batch = kvcalloc(tph->table.ledger.size, sizeof(*change.batch), GFP_KERNEL_ACCOUNT);
	if ((count && !change.map.entries) || !change.batch)
		ret = -ENOMEM;
	if (!ret)
		ret = resolve_map(tph, &change);
	if (!ret) {
		/* of one that has ended the review is under way already */
		scoped_guard(mutex, &tph->lock)
			busy = held_by_other(tph);
		if (busy)
			flush_delayed_work(&tph->review);
		ret = commit(tph, &change);
	}
	kvfree(change.map.entries);
	kvfree(change.batch);
	return ret;
}

/**
 * tph_mapping_get() - read the map, or what the guest wrote
 * @tph: the device, open
 * @table: the latter
 * @data: receives it, as far as there is room
 * @room: numbers that fit into @data
 *
 * Return: how many there are.
 */
u32 tph_mapping_get(struct tph_vdev *tph, bool table, u32 *data, u32 room)
{
	const struct tph_guest *guest = &tph->mapping.guest;
	u32 size, i;

	guard(mutex)(&tph->lock);
	size = table ? guest->offer.entries : guest->map.size;
	for (i = 0; i < size && i < room; i++)
		data[i] = table ? guest->values[i] : guest->map.entries[i].cpu;
	return size;
}

/* Whether one more change may be made now. */
static bool afford(struct tph_mapping *mapping)
{
	u64 now = ktime_get_ns();

	if (now - mapping->period >= PERIOD_MS * NSEC_PER_MSEC) {
		mapping->period = now;
		mapping->changes = 0;
	}
	if (mapping->changes == CHANGES_MAX)
		return false;
	mapping->changes++;
	return true;
}

/* Slots of one CPU were set at once, and are lost at once. */
static bool differs(const struct tph_table *table, u32 first, u32 last,
		    const struct tph_entry *batch)
{
	u32 i;

	for (i = first; i <= last; i++)
		if (batch[i - first].cpu != table->ledger.entries[i].cpu)
			return true;
	return false;
}

/* Whether hardware, enabled, would get another tag. */
static bool moves(const struct tph_table *table, u32 first, u32 last,
		  const struct tph_entry *batch)
{
	u32 i;

	for (i = first; tph_control_tagged(table->live) && i <= last; i++)
		if (tph_entry_tag(&batch[i - first], table->live.width) !=
		    tph_entry_tag(&table->ledger.entries[i], table->live.width))
			return true;
	return false;
}

/**
 * tph_mapping_write() - the guest writes to the virtual ST table
 * @tph: the device, open, resumed
 * @at: offset in the capability
 * @bytes: what is written
 * @count: how many bytes
 *
 * Like hardware, it does not say what it made of it; reading gives back what was written.
 *
 * Context: process context of whoever runs the guest; may sleep.
 */
void tph_mapping_write(struct tph_vdev *tph, unsigned int at, const u8 *bytes, unsigned int count)
{
	struct tph_mapping *mapping = &tph->mapping;
	const struct tph_entry *batch;
	u32 first, last;
	int ret;

	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);
	if (!tph->opened || !tph_guest_mapped(&mapping->guest) ||
	    !tph_guest_write(&mapping->guest, at, bytes, count, &first, &last))
		return;
	batch = resolve(tph, first, last, width_wanted(&tph->table));
	if (!differs(&tph->table, first, last, batch))
		return;
	if (moves(&tph->table, first, last, batch) && !afford(mapping)) {
		mapping->due = true;
		queue_delayed_work(tph_workqueue, &mapping->work, msecs_to_jiffies(PERIOD_MS));
		return;
	}
	ret = tph_table_commit(&tph->table, first, last - first + 1, batch);
	if (ret)
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_HARDWARE, ret);
	tph_operator_changed(tph);
}

/**
 * tph_mapping_control() - a guest enables, disables, or changes the width
 * @tph: the device, with a map
 * @control: what tph_control_request() came to
 *
 * The width decides what the guest's tags are, and which CPUs have one: no entry keeps it from being
 * enabled, one without steers nowhere.
 *
 * Return: 0, or what the hardware access failed with; then the requester is off.
 */
int tph_mapping_control(struct tph_vdev *tph, struct tph_control control)
{
	struct tph_table *table = &tph->table;
	const u32 size = table->ledger.size;
	int ret;

	lockdep_assert_held(&tph->lock);
	if (!tph_control_tagged(control))
		return tph_table_control(table, control);
	if (tph_control_tagged(table->wanted)) {
		ret = tph_table_control(table, (struct tph_control){ .mode = control.mode });
		if (ret)
			return ret;
	}
	tph->mapping.due = false;
	ret = tph_table_commit(table, 0, size, resolve(tph, 0, size - 1, control.width));
	return ret ?: tph_table_control(table, control);
}

/**
 * tph_mapping_reset() - the function was reset: as on bare metal, what a guest wrote is gone
 * @tph: the device, whose table is held
 *
 * A guest that resets the function restores what it wants; one that was restarted is not to find
 * another's table. Its manager's map stays.
 */
void tph_mapping_reset(struct tph_vdev *tph)
{
	lockdep_assert_held(&tph->lock);
	if (!tph->opened || !tph_guest_mapped(&tph->mapping.guest))
		return;
	tph_guest_reset(&tph->mapping.guest);
	tph->mapping.due = false;
	tph_table_control(&tph->table, (struct tph_control){});
	tph_ledger_clear(&tph->table.ledger);
	tph_operator_changed(tph);
}
