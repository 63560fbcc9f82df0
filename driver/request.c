// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a decoded request: grant, source, table. Whatever the user's words for it were
 * (feature.c, legacy.c), it walks the same way.
 */
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "tph_vfio_pci.h"
#include "trace.h"

/**
 * tph_request_resolve() - tags for the CPUs of a batch; clear entries need none
 * @tph: the device, open
 * @targets: CPUs that tph_grant_check() has passed
 * @count: how many
 * @entries: receives them, held under no lease yet
 *
 * Context: may sleep; no lock held.
 * Return: 0; as tph_source_resolve() does.
 */
int tph_request_resolve(struct tph_vdev *tph, const struct tph_target *targets, u32 count,
			struct tph_entry *entries)
{
	u32 i;
	int ret;

	for (i = 0; i < count; i++) {
		entries[i] = (struct tph_entry){ .cpu = targets[i].cpu };
		if (targets[i].cpu == TPH_NO_CPU)
			continue;
		ret = tph_source_resolve(tph, targets[i].cpu, targets[i].persistent,
					 &entries[i].tags);
		if (ret) {
			trace_tph_refuse(tph->core.pdev, targets[i].cpu, TPH_REASON_FIRMWARE, ret);
			return ret;
		}
		/* a width that cannot be enabled here is no reason to accept an entry */
		if (!tph->offer.extended)
			entries[i].tags.xst_valid = false;
	}
	return 0;
}

/* The decoder has checked the number; that it has must hold under speculation as well. */
static u32 index_of(struct tph_vdev *tph, const struct tph_target *target)
{
	return array_index_nospec(target->index, tph->table.ledger.size);
}

/* The lease to hold the batch under; one that only clears entries needs none, and is given any. */
static int take_lease(struct tph_vdev *tph, const struct tph_target *targets, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (targets[i].cpu != TPH_NO_CPU)
			return tph_lease_take_locked(tph);
	return 0;
}

/*
 * Look again at what may have changed, and make it so: all of the batch, or nothing of it. @batch
 * has room for every entry from @first to @last; those between that the request does not name stay
 * as they are.
 */
static int commit(struct tph_vdev *tph, const struct tph_target *targets, u32 count,
		  const struct tph_entry *entries, struct tph_entry *batch, u32 first, u32 last)
{
	struct tph_entry *entry;
	int ret, lease;
	u32 i;

	guard(tph_memory)(tph);
	guard(mutex)(&tph->lock);

	/* the entries are the guest's */
	if (tph_guest_mapped_locked(tph)) {
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_BUSY, -EBUSY);
		return -EBUSY;
	}
	ret = tph_grant_check_locked(tph, targets, count);
	if (ret)
		return ret;
	lease = take_lease(tph, targets, count);
	if (lease < 0)
		return lease;
	for (i = first; i <= last; i++)
		batch[i - first] = tph->table.ledger.entries[i];
	for (i = 0; i < count; i++) {
		entry = &batch[index_of(tph, &targets[i]) - first];
		*entry = entries[i];
		entry->lease = lease;
		entry->epoch = tph->epoch;
	}

	ret = tph_table_commit(&tph->table, first, last - first + 1, batch);
	if (ret) {
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, ret == -EOPNOTSUPP ?
				 TPH_REASON_FIRMWARE : TPH_REASON_HARDWARE, ret);
		return ret;
	}
	for (i = 0; i < count; i++)
		trace_tph_set(tph->core.pdev, targets[i].index, &entries[i]);
	tph_lease_watch_locked(tph);
	tph_operator_changed(tph);
	return 0;
}

/**
 * tph_request_offered() - whether entries can be set on the device at all
 * @tph: the device, open
 *
 * Return: 0; -EOPNOTSUPP; -EPERM under this policy.
 */
int tph_request_offered(struct tph_vdev *tph)
{
	if (tph->offer.steering)
		trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_NOT_OFFERED,
				 tph->offer.steering);
	return tph->offer.steering;
}

/**
 * tph_request_set() - steer entries to CPUs, all or none of them
 * @tph: the device, open; tph_request_offered()
 * @targets: entries, each within the ledger, and CPUs; of an entry that is named twice the last
 *	counts
 * @count: how many, at least 1
 *
 * Context: process context of the caller; may sleep.
 * Return: 0, or as include/uapi/linux/vfio_tph.h says; then nothing has changed.
 */
int tph_request_set(struct tph_vdev *tph, const struct tph_target *targets, u32 count)
{
	u32 first = U32_MAX, last = 0, i;
	struct tph_entry *entries;
	int ret;

	ret = tph_grant_check(tph, targets, count);
	if (ret)
		return ret;
	for (i = 0; i < count; i++) {
		first = min(first, index_of(tph, &targets[i]));
		last = max(last, index_of(tph, &targets[i]));
	}

	/* what the request names, and then the whole batch */
	entries = kvmalloc_array(size_add(count, last - first + 1), sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	ret = tph_request_resolve(tph, targets, count, entries);
	if (!ret)
		ret = commit(tph, targets, count, entries, entries + count, first, last);
	kvfree(entries);
	return ret;
}

/**
 * tph_request_tags() - the steering tags of CPUs, for a user who is trusted with them
 * @tph: the device, open; tph_request_offered(); policy ds-st
 * @targets: CPUs; their entries are not looked at
 * @count: how many, at least 1
 * @tags: receives @count tags, of the width in force, or the widest on offer
 *
 * Context: process context of the caller; may sleep.
 * Return: 0; as tph_request_set() does; -EOPNOTSUPP also if a CPU has no tag of that width.
 */
int tph_request_tags(struct tph_vdev *tph, const struct tph_target *targets, u32 count, u16 *tags)
{
	struct tph_entry *entries;
	u32 i;
	u8 width;
	int ret;

	ret = tph_grant_check(tph, targets, count);
	if (ret)
		return ret;
	entries = kvmalloc_array(count, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	ret = tph_request_resolve(tph, targets, count, entries);
	if (!ret) {
		guard(mutex)(&tph->lock);
		width = tph->table.wanted.width;
		if (width == TPH_WIDTH_NONE)
			width = tph->offer.extended ? TPH_WIDTH_16 : TPH_WIDTH_8;
		ret = tph_grant_check_locked(tph, targets, count);
		if (!ret && !tph_entries_valid(entries, count, width))
			ret = -EOPNOTSUPP;
		for (i = 0; i < count && !ret; i++)
			tags[i] = tph_entry_tag(&entries[i], width);
	}
	kvfree(entries);
	return ret;
}
