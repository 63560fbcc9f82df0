// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

#define TABLE_END(guest) (PCI_TPH_BASE_SIZEOF + (guest)->offer.entries * 2U)

/**
 * tph_guest_offer() - what a guest is shown of what a device offers
 * @cap: the function's capability
 * @offer: what is offered to a user
 * @shown: receives it
 *
 * A virtual machine's manager keeps the MSI-X table to itself, and passes configuration space on: so
 * an ST table that is in the former is shown in the capability, as far as there is room behind that.
 * An entry is still its vector's. In Device Specific mode the function's driver places tags itself,
 * and a guest's would be some other CPU's of the host: it is not on offer.
 */
void tph_guest_offer(const struct tph_capability *cap, const struct tph_offer *offer,
		     struct tph_offer *shown)
{
	u16 room = cap->extent > PCI_TPH_BASE_SIZEOF ? (cap->extent - PCI_TPH_BASE_SIZEOF) / 2 : 0;

	*shown = *offer;
	shown->modes &= ~PCI_TPH_CAP_ST_DS;
	shown->possible &= ~PCI_TPH_CAP_ST_DS;
	shown->entries = 0;
	if (offer->place == TPH_PLACE_NONE || !(shown->modes & PCI_TPH_CAP_ST_IV))
		return;
	if (offer->place == TPH_PLACE_CAPABILITY)
		room = TPH_GUEST_ENTRIES_MAX;
	shown->place = TPH_PLACE_CAPABILITY;
	shown->entries = room < cap->entries ? room : cap->entries;
	if (shown->entries > TPH_GUEST_ENTRIES_MAX)
		shown->entries = TPH_GUEST_ENTRIES_MAX;
}

/**
 * tph_guest_entry() - what an entry of the guest's table comes to
 * @guest: the guest
 * @index: the entry, any number
 * @width: of the tags that are sent, TPH_WIDTH_NONE if none is
 *
 * With 8-bit tags the lower byte is what hardware would send.
 *
 * Return: the entry, clear where the guest's tag stands for no CPU with a tag of that width.
 */
struct tph_entry tph_guest_entry(const struct tph_guest *guest, u32 index, u8 width)
{
	const struct tph_entry clear = { .cpu = TPH_NO_CPU };
	const struct tph_entry *slot;
	u16 value;

	if (index >= guest->offer.entries || index >= TPH_GUEST_ENTRIES_MAX)
		return clear;
	value = guest->values[index];
	if (width == TPH_WIDTH_8)
		value &= 0xff;
	if (!value || value > guest->map.size)
		return clear;
	slot = &guest->map.entries[value - 1];
	return slot->cpu != TPH_NO_CPU && tph_tags_valid(&slot->tags, width) ? *slot : clear;
}

/**
 * tph_guest_byte() - one byte of the virtual ST table
 * @guest: the guest
 * @at: offset in the capability
 *
 * Return: the byte; 0 outside the table.
 */
u8 tph_guest_byte(const struct tph_guest *guest, unsigned int at)
{
	if (at < PCI_TPH_BASE_SIZEOF || at >= TABLE_END(guest))
		return 0;
	at -= PCI_TPH_BASE_SIZEOF;
	return guest->values[at / 2] >> (at % 2 * 8) & 0xff;
}

/**
 * tph_guest_write() - the guest writes to the virtual capability
 * @guest: the guest
 * @at: offset in the capability
 * @bytes: what is written
 * @count: how many bytes
 * @first: receives the first entry that may be another now
 * @last: receives the last
 *
 * As in hardware, the upper byte of an entry is there if extended tags are.
 *
 * Return: whether any of it was the table's.
 */
bool tph_guest_write(struct tph_guest *guest, unsigned int at, const u8 *bytes, unsigned int count,
		     u32 *first, u32 *last)
{
	unsigned int begin = at > PCI_TPH_BASE_SIZEOF ? at : PCI_TPH_BASE_SIZEOF, end = at + count, i;

	if (end > TABLE_END(guest))
		end = TABLE_END(guest);
	if (begin >= end)
		return false;
	for (i = begin; i < end; i++) {
		unsigned int shift = (i - PCI_TPH_BASE_SIZEOF) % 2 * 8;
		u16 *value = &guest->values[(i - PCI_TPH_BASE_SIZEOF) / 2];

		if (!shift || guest->offer.extended)
			*value = (*value & ~(0xffU << shift)) | (u16)(bytes[i - at] << shift);
	}
	*first = (begin - PCI_TPH_BASE_SIZEOF) / 2;
	*last = (end - 1 - PCI_TPH_BASE_SIZEOF) / 2;
	return true;
}

/**
 * tph_guest_revoke() - take slots of the map back
 * @guest: the guest
 * @lost: says of a slot that is set whether it is taken back
 * @arg: for @lost
 *
 * Entries that were written by way of it are for tph_table_revoke(), with the same @lost.
 *
 * Return: how many were taken back.
 */
u32 tph_guest_revoke(struct tph_guest *guest,
		     bool (*lost)(const struct tph_entry *entry, u32 index, void *arg), void *arg)
{
	u32 count = 0, i;

	for (i = 0; i < guest->map.size; i++) {
		struct tph_entry *slot = &guest->map.entries[i];

		if (slot->cpu == TPH_NO_CPU || !lost(slot, i, arg))
			continue;
		*slot = (struct tph_entry){ .cpu = TPH_NO_CPU };
		count++;
	}
	return count;
}

/**
 * tph_guest_reset() - the virtual ST table as after a reset: all 0
 * @guest: the guest, whose map stays
 */
void tph_guest_reset(struct tph_guest *guest)
{
	u32 i;

	for (i = 0; i < TPH_GUEST_ENTRIES_MAX; i++)
		guest->values[i] = 0;
}
