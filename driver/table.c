// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>

#include "table.h"

#define CONTROL_MASK	(PCI_TPH_CTRL_MODE_SEL_MASK | PCI_TPH_CTRL_REQ_EN_MASK)
#define REQUESTER_OFF(control) ((struct tph_control){ .mode = (control).mode })

static u16 control_offset(const struct tph_table *table)
{
	return table->cap->offset + PCI_TPH_CTRL;
}

/* The tag for entry @i: of the batch where it covers @i, else of the ledger. */
static u16 tag_at(const struct tph_table *table, u32 i, u8 width, u32 index, u32 count,
		  const struct tph_entry *batch)
{
	if (i >= index && i - index < count)
		return tph_entry_tag(&batch[i - index], width);
	return tph_entry_tag(&table->ledger.entries[i], width);
}

/*
 * Write entries @index .. @index + @count - 1 of the hardware table. In the capability two 16-bit
 * entries share a dword and go in one write; an odd last one is written alone, for what follows it
 * is not the table's. @batch stands in for the ledger; a NULL @batch is the ledger itself.
 */
static int write_entries(struct tph_table *table, u32 index, u32 count, u8 width,
			 const struct tph_entry *batch)
{
	u32 covered = batch ? count : 0;
	u32 i;
	int ret;

	if (table->cap->place == TPH_PLACE_MSIX) {
		for (i = index; i < index + count; i++) {
			ret = table->ops->write_vector(table, i,
						       tag_at(table, i, width, index, covered,
							      batch));
			if (ret)
				return ret;
		}
		return 0;
	}

	if (table->cap->place != TPH_PLACE_CAPABILITY)
		return 0;

	for (i = index & ~1U; i < index + count; i += 2) {
		u16 offset = table->cap->offset + PCI_TPH_BASE_SIZEOF + i * 2;
		u32 value = tag_at(table, i, width, index, covered, batch);
		u8 bytes = 2;

		if (i + 1 < table->cap->entries) {
			value |= (u32)tag_at(table, i + 1, width, index, covered, batch) << 16;
			bytes = 4;
		}
		ret = table->ops->write(table, offset, bytes, value);
		if (ret)
			return ret;
	}
	return 0;
}

static int write_control(struct tph_table *table, struct tph_control control)
{
	int ret;

	ret = table->ops->write(table, control_offset(table), 4, tph_control_register(control));
	if (!ret) {
		table->live = control;
		table->adrift = false;
	} else if (control.width == TPH_WIDTH_NONE) {
		table->adrift = true;
	}
	return ret;
}

/* Whatever builds on @live being true begins here. */
static int settle(struct tph_table *table)
{
	if (!table->adrift || table->holds)
		return 0;
	return write_control(table, REQUESTER_OFF(table->live));
}

/* Enable and see that the device took it: a function that is gone answers with all ones. */
static int write_enable(struct tph_table *table, struct tph_control control)
{
	u32 value;
	int ret;

	ret = write_control(table, control);
	if (ret)
		return ret;
	ret = table->ops->read(table, control_offset(table), &value);
	if (ret)
		return ret;
	return (value & CONTROL_MASK) == tph_control_register(control) ? 0 : -EIO;
}

/*
 * Nothing works any more: off, in hardware if it still hears, in any case for the user. What does
 * not hear now is switched off before anything else, should it hear again.
 */
static void give_up(struct tph_table *table)
{
	write_control(table, REQUESTER_OFF(table->live));
	table->live.width = TPH_WIDTH_NONE;
	table->wanted.width = TPH_WIDTH_NONE;
}

/*
 * The one way from one hardware state to another: requester off (PCIe 6.2, 6.17.3 warns of changing
 * the table under an enabled requester), entries, requester on. On failure the same way back.
 */
static int apply(struct tph_table *table, struct tph_control control, u32 index, u32 count,
		 const struct tph_entry *batch)
{
	struct tph_control before = table->live;
	int ret;

	ret = settle(table);
	if (!ret && tph_control_tagged(control))
		ret = table->ops->ready(table);
	if (ret)
		return ret;

	if (before.width != TPH_WIDTH_NONE) {
		ret = write_control(table, REQUESTER_OFF(before));
		if (ret)
			goto err_restore_control;
	}

	if (tph_control_tagged(control) && count) {
		table->written = TPH_WIDTH_NONE;
		ret = write_entries(table, index, count, control.width, batch);
		if (ret)
			goto err_restore_entries;
		/* the whole of it, or a part of one that is in force */
		table->written = control.width;
	}

	if (control.width == TPH_WIDTH_NONE)
		ret = write_control(table, control);
	else
		ret = write_enable(table, control);
	if (ret)
		goto err_restore_entries;
	return 0;

err_restore_entries:
	table->written = TPH_WIDTH_NONE;
	if (write_control(table, REQUESTER_OFF(before)))
		goto err_give_up;
	if (tph_control_tagged(control) && tph_control_tagged(before) &&
	    write_entries(table, index, count, before.width, NULL))
		goto err_give_up;
err_restore_control:
	if (before.width != TPH_WIDTH_NONE && write_enable(table, before))
		goto err_give_up;
	return ret;

err_give_up:
	give_up(table);
	return ret;
}

static bool changes_tag(const struct tph_table *table, u32 i, const struct tph_entry *entry,
			u8 width)
{
	return tph_entry_tag(&table->ledger.entries[i], width) != tph_entry_tag(entry, width);
}

/**
 * tph_table_differs() - whether a commit would have to write to hardware
 * @table: the table
 * @index: first entry
 * @count: number of entries
 * @entries: what they shall be
 *
 * Return: true if steering is live, and the tag of one is not what hardware holds.
 */
bool tph_table_differs(const struct tph_table *table, u32 index, u32 count,
		       const struct tph_entry *entries)
{
	u32 i;

	if (!tph_control_tagged(table->live) || table->cap->place == TPH_PLACE_NONE)
		return false;
	for (i = 0; i < count; i++)
		if (changes_tag(table, index + i, &entries[i], table->live.width))
			return true;
	return false;
}

/**
 * tph_table_commit() - replace entries, all or nothing
 * @table: the table
 * @index: first entry
 * @count: number of entries; the caller has checked the range with tph_ledger_holds()
 * @entries: what they shall be
 *
 * With the requester enabled, it is off once for the whole batch; what hardware holds already is not
 * written again, and a batch that changes no tag leaves it alone.
 *
 * Return: 0; -EOPNOTSUPP if an entry has no tag of the width in force; what the hardware access
 * failed with. On failure ledger, enable state and hardware are as before, except that a function
 * that cannot be written to any more is left disabled.
 */
int tph_table_commit(struct tph_table *table, u32 index, u32 count,
		     const struct tph_entry *entries)
{
	bool tagged = tph_control_tagged(table->wanted);
	u32 first = 0, last = count, i;
	int ret;

	if (!tph_entries_valid(entries, count, tagged ? table->wanted.width : TPH_WIDTH_NONE))
		return -EOPNOTSUPP;

	/* the entries may be those that hardware should not have any more */
	ret = settle(table);
	if (ret)
		return ret;

	if (tph_table_differs(table, index, count, entries)) {
		/* while tags are live, the ledger says what hardware holds */
		while (!changes_tag(table, index + first, &entries[first], table->live.width))
			first++;
		while (!changes_tag(table, index + last - 1, &entries[last - 1],
				    table->live.width))
			last--;
		ret = apply(table, table->live, index + first, last - first, &entries[first]);
		if (ret)
			return ret;
	}

	for (i = 0; i < count; i++)
		table->ledger.entries[index + i] = entries[i];
	/* in a width that is not live, a tag may be another one now */
	if (!tph_control_tagged(table->live) || table->written != table->live.width)
		table->written = TPH_WIDTH_NONE;
	return 0;
}

/**
 * tph_table_revoke() - take entries back
 * @table: the table
 * @lost: says of an entry that is set whether it is taken back
 * @arg: for @lost
 * @defer: the ST table cannot be written now if it is in the MSI-X table: disable the requester and
 *	hold; the caller sees to a tph_table_release()
 *
 * Unlike a commit this does not fail: what cannot be taken out of the hardware table is not sent
 * either, for then the requester stays off.
 *
 * Return: how many entries were taken back. With @defer and not 0, there is one more hold.
 */
u32 tph_table_revoke(struct tph_table *table,
		     bool (*lost)(const struct tph_entry *entry, u32 index, void *arg), void *arg,
		     bool defer)
{
	struct tph_control control = table->live;
	u32 first = 0, last = 0, count = 0, i;

	for (i = 0; i < table->ledger.size; i++) {
		struct tph_entry *entry = &table->ledger.entries[i];

		if (entry->cpu == TPH_NO_CPU || !lost(entry, i, arg))
			continue;
		if (!count++)
			first = i;
		last = i;
		*entry = (struct tph_entry){ .cpu = TPH_NO_CPU };
	}
	if (!count)
		return 0;
	table->written = TPH_WIDTH_NONE;
	settle(table);
	if (defer) {
		tph_table_hold(table);
		return count;
	}
	if (!tph_control_tagged(control) || table->cap->place == TPH_PLACE_NONE)
		return count;

	if (write_control(table, REQUESTER_OFF(control))) {
		give_up(table);
		return count;
	}
	/* tph_table_sync() brings back the others when the table can be written */
	if (table->ops->ready(table))
		return count;
	if (write_entries(table, first, last - first + 1, control.width, NULL) ||
	    write_enable(table, control))
		give_up(table);
	else
		table->written = control.width;
	return count;
}

static int make_live(struct tph_table *table, struct tph_control control)
{
	if (tph_control_same(control, table->live))
		return settle(table);
	return apply(table, control, 0, table->cap->entries, NULL);
}

/**
 * tph_table_control() - enable, disable or change the mode
 * @table: the table
 * @control: what tph_control_request() came to
 *
 * The whole table is written before the requester is enabled.
 *
 * Return: 0; -EOPNOTSUPP if an entry has no tag of the width asked for (tags of the other width are
 * not used in its place); what the hardware access failed with. On failure as before.
 */
int tph_table_control(struct tph_table *table, struct tph_control control)
{
	int ret;

	if (tph_control_tagged(control) &&
	    !tph_entries_valid(table->ledger.entries, table->ledger.size, control.width))
		return -EOPNOTSUPP;

	if (!table->holds) {
		ret = make_live(table, control);
		if (ret)
			return ret;
	}
	table->wanted = control;
	return 0;
}

/**
 * tph_table_hold() - switch the requester off and stay away from hardware
 * @table: the table
 *
 * Holds nest. The user sees no change.
 *
 * Return: 0, or what the hardware access failed with; the hold stands either way.
 */
int tph_table_hold(struct tph_table *table)
{
	int ret;

	ret = settle(table);
	if (table->live.width != TPH_WIDTH_NONE) {
		ret = write_control(table, REQUESTER_OFF(table->live));
		table->live.width = TPH_WIDTH_NONE;
	}
	table->holds++;
	return ret;
}

/*
 * Bring back what is wanted; later, if the table cannot be written yet. @kept: nothing has touched
 * the hardware table since it was written, but for what @written knows of.
 */
static int catch_up(struct tph_table *table, bool kept)
{
	int ret;

	/* off comes first, and needs no ST table that can be written */
	ret = settle(table);
	if (ret) {
		give_up(table);
		return ret;
	}
	if (table->wanted.width == TPH_WIDTH_NONE)
		return 0;
	if (tph_control_tagged(table->wanted) && table->ops->ready(table))
		return 0;
	if (kept && table->written == table->wanted.width &&
	    table->live.width == TPH_WIDTH_NONE)
		ret = apply(table, table->wanted, 0, 0, NULL);
	else
		ret = make_live(table, table->wanted);
	if (ret)
		give_up(table);
	return ret;
}

/**
 * tph_table_release() - undo one hold; the last one brings back what is wanted, table before enable
 * @table: the table
 *
 * Return: 0, or what the hardware access failed with; steering is then off, for the user too.
 */
int tph_table_release(struct tph_table *table)
{
	return --table->holds ? 0 : catch_up(table, false);
}

/**
 * tph_table_release_kept() - undo a hold over which nothing has touched the hardware table
 * @table: the table
 *
 * As tph_table_release(), but entries that hardware has already are not written again.
 *
 * Return: as tph_table_release() does.
 */
int tph_table_release_kept(struct tph_table *table)
{
	return --table->holds ? 0 : catch_up(table, true);
}

/**
 * tph_table_doubt() - hardware may hold anything now
 * @table: the table, held or about to be
 *
 * For a function that may have been reset, and for vectors that have come or gone.
 */
void tph_table_doubt(struct tph_table *table)
{
	table->adrift = true;
	table->written = TPH_WIDTH_NONE;
}

/**
 * tph_table_sync() - bring hardware up to date after something that may have changed it
 * @table: the table
 *
 * For a function that came back from D3hot, where it may have lost its state without a word, and
 * for one whose memory decode is on again.
 *
 * Return: 0, or what the hardware access failed with; steering is then off, for the user too.
 */
int tph_table_sync(struct tph_table *table)
{
	u32 value;
	int ret;

	if (table->holds)
		return 0;
	/* on before and on now is all that tells that a table was kept */
	if (table->live.width == TPH_WIDTH_NONE)
		table->written = TPH_WIDTH_NONE;
	if (table->ops->read(table, control_offset(table), &value) ||
	    (value & CONTROL_MASK) != tph_control_register(table->live)) {
		/* off for certain: a read that failed has not told that the state is lost */
		table->written = TPH_WIDTH_NONE;
		ret = write_control(table, REQUESTER_OFF(table->live));
		if (ret) {
			give_up(table);
			return ret;
		}
	}
	return table->live.width == TPH_WIDTH_NONE ? catch_up(table, false) : 0;
}

/**
 * tph_table_off() - requester off now, held or not
 * @table: the table of a function that can be reached
 *
 * For a function that has just been reset where the rest has to wait.
 */
void tph_table_off(struct tph_table *table)
{
	write_control(table, REQUESTER_OFF(table->live));
}

/**
 * tph_table_scrub() - requester off, control register and every entry of the hardware table zero
 * @table: the table
 *
 * The ledger keeps what it has. For open and close, whatever state hardware is in.
 *
 * Return: 0; -EIO if the requester is not off after that, or the function does not answer, which
 * looks the same; the first error of the hardware access, or why the ST table cannot be written
 * now. What can be zeroed is.
 */
int tph_table_scrub(struct tph_table *table)
{
	const u32 entries = table->cap->entries;
	const struct tph_control off = {};
	u32 i, value = 0;
	int ret, err;

	table->written = TPH_WIDTH_NONE;
	ret = write_control(table, off);
	table->live = off;
	if (table->cap->place == TPH_PLACE_MSIX) {
		err = table->ops->ready(table);
		ret = ret ?: err;
		for (i = 0; i < entries && !err; i++) {
			err = table->ops->write_vector(table, i, 0);
			ret = ret ?: err;
		}
	} else if (table->cap->place == TPH_PLACE_CAPABILITY) {
		for (i = 0; i < entries; i += 2) {
			err = table->ops->write(table,
						table->cap->offset + PCI_TPH_BASE_SIZEOF + i * 2,
						i + 1 < entries ? 4 : 2, 0);
			ret = ret ?: err;
		}
	}
	/* writes to a function that is gone succeed; what it reads is all ones */
	err = table->ops->read(table, control_offset(table), &value);
	if (!err && value & PCI_TPH_CTRL_REQ_EN_MASK)
		err = -EIO;
	return ret ?: err;
}

/**
 * tph_table_quiet() - see that a requester that nobody enabled is off
 * @table: the table of a function that nobody has open
 *
 * For the end of a reset after which nobody else looks: there are functions that come out of one
 * with the requester enabled and a table of their own.
 *
 * Return: 0; -EIO if the function does not answer; what the hardware access failed with.
 */
int tph_table_quiet(struct tph_table *table)
{
	u32 value;
	int ret;

	ret = table->ops->read(table, control_offset(table), &value);
	if (ret)
		return ret;
	if (value == ~0U)
		return -EIO;
	return value & PCI_TPH_CTRL_REQ_EN_MASK ? tph_table_scrub(table) : 0;
}
