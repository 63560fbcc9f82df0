// SPDX-License-Identifier: MIT
/*
 * One operation on the ST table, from any state that the invariants of table.h allow, with any
 * outcome of every access to hardware; after it they hold again. So they hold after any number of
 * operations.
 *
 * Hardware is a control register and a table. An access may fail, and may have had its effect or
 * not; or the function is deaf for the whole operation: writes succeed into nothing, and what it
 * reads is all ones. What it makes of an enable is its own: it may take another mode or width.
 * Nothing is said of what a deaf function holds: it sends nothing. What this cannot see is one that
 * hears again without a reset (a reset is told to the driver, or looked for by tph_table_sync()).
 *
 * PLACE and ENTRIES come from the list of proofs.
 */
#include <linux/errno.h>

#include "proof.h"
#include "table.h"

#define AT		0x100
#define CONTROL		(AT + PCI_TPH_CTRL)
#define TABLE		(AT + PCI_TPH_BASE_SIZEOF)
#define BITS		(PCI_TPH_CTRL_MODE_SEL_MASK | PCI_TPH_CTRL_REQ_EN_MASK)
#define SIZE		(PLACE == TPH_PLACE_NONE ? LEDGER : ENTRIES)
#ifndef LEDGER
#define LEDGER		ENTRIES
#endif

static struct tph_entry entries[LEDGER];
static struct tph_capability cap = {
	.offset = AT, .place = PLACE, .entries = PLACE == TPH_PLACE_NONE ? 0 : ENTRIES,
};

/* hardware */
static u32 control;
static u16 tags[LEDGER];
static bool allocated[LEDGER];	/* the vectors of a table in MSI-X */
static bool ready;		/* the table can be written */
static bool locked;		/* and may be: memory_lock is held */
static bool deaf;
static bool pending;		/* changed while held: the holder doubts it before it lets go */

/* what was done to it in the operation */
static u32 control_writes, table_accesses, accesses, enables, failures;
static bool control_failed;	/* the last write of the control register */
static bool scrubbing;

static bool requester_on(void)
{
	return control & PCI_TPH_CTRL_REQ_EN_MASK;
}

/* Whether an access fails; *@effect: whether it has its effect, which it always has if not. */
static bool fails(bool *effect)
{
	bool failed = nondet_bool();

	accesses++;
	failures += failed;
	*effect = !deaf && (!failed || nondet_bool());
	return failed;
}

static int read_config(struct tph_table *table, u16 offset, u32 *value)
{
	bool effect;

	/* Configuration space is read for nothing but the control register. */
	PROVE("reads-control-alone", offset == CONTROL);
	if (fails(&effect))
		return -EIO;
	*value = !deaf && nondet_bool() ? control : ~0U;
	failures += *value != control;
	return 0;
}

static int write_config(struct tph_table *table, u16 offset, u8 bytes, u32 value)
{
	bool effect, failed;
	u16 at;

	if (offset == CONTROL) {
		/* The control register is written whole, with nothing but a mode and a width. */
		PROVE("control-is-whole", bytes == 4 &&
		      value == (value & BITS));
		failed = fails(&effect);
		if (effect) {
			enables += value & PCI_TPH_CTRL_REQ_EN_MASK && !requester_on();
			control = value;
			if (value & PCI_TPH_CTRL_REQ_EN_MASK && nondet_bool()) {
				control = nondet_u32();
				failures++;
			}
		}
		control_writes++;
		control_failed = failed;
		return failed ? -EIO : 0;
	}

	/* A write stays in the table, to the byte: what follows is a neighbour's. */
	PROVE("no-write-outside", PLACE == TPH_PLACE_CAPABILITY && (bytes == 2 || bytes == 4) &&
	      offset >= TABLE && !(offset % bytes) && offset + bytes <= TABLE + 2 * ENTRIES);
	/* The requester is off in hardware while the table is written. */
	PROVE("off-around-table-writes", !requester_on() || deaf || (scrubbing && !value));
	table_accesses++;
	at = (offset - TABLE) / 2;
	failed = fails(&effect);
	if (effect) {
		tags[at] = value & 0xffff;
		if (bytes == 4)
			tags[at + 1] = value >> 16;
	}
	return failed ? -EIO : 0;
}

static int write_vector(struct tph_table *table, u16 index, u16 tag)
{
	bool effect, failed;

	/* A vector of the table is written, while memory decode is on and nobody can switch it off. */
	PROVE("no-vector-outside", PLACE == TPH_PLACE_MSIX && index < ENTRIES && ready && locked);
	/* The requester is off in hardware while the table is written. */
	PROVE("off-around-table-writes", !requester_on() || deaf || (scrubbing && !tag));
	table_accesses++;
	failed = fails(&effect);
	if (effect)
		tags[index] = allocated[index] ? tag : 0;
	return failed ? -EIO : 0;
}

static int is_ready(struct tph_table *table)
{
	return PLACE != TPH_PLACE_MSIX || ready ? 0 : -EIO;
}

static const struct tph_table_ops ops = { read_config, write_config, write_vector, is_ready };

/* ---- the invariants ---- */

static bool is_mode_and_width(struct tph_control c)
{
	return c.mode <= PCI_TPH_ST_DS_MODE && c.width <= TPH_WIDTH_16 &&
	       c.width != TPH_WIDTH_RESERVED;
}

/* Hardware has the tag of every entry at @width, or 0 where there is no vector. */
static bool table_is_ledger(u8 width)
{
	bool is = true;
	u32 i;

	for (i = 0; i < cap.entries; i++)
		is &= tags[i] == (allocated[i] ? tph_entry_tag(&entries[i], width) : 0);
	return is;
}

static bool live_is_wanted(const struct tph_table *t)
{
	return t->live.width == TPH_WIDTH_NONE || tph_control_same(t->live, t->wanted);
}

static bool control_is_live(const struct tph_table *t)
{
	return t->adrift || (control & BITS) == tph_control_register(t->live);
}

static bool tags_are_granted(const struct tph_table *t)
{
	return t->adrift || !tph_control_tagged(t->live) || table_is_ledger(t->live.width);
}

static bool wanted_is_valid(const struct tph_table *t)
{
	return !tph_control_tagged(t->wanted) || tph_entries_valid(entries, SIZE, t->wanted.width);
}

static bool written_is_so(const struct tph_table *t)
{
	return t->written == TPH_WIDTH_NONE || table_is_ledger(t->written);
}

static bool off_while_held(const struct tph_table *t)
{
	return !t->holds || t->live.width == TPH_WIDTH_NONE;
}

static bool given_up(const struct tph_table *t)
{
	return !t->adrift || (t->live.width == TPH_WIDTH_NONE &&
			      (t->holds || t->wanted.width == TPH_WIDTH_NONE));
}

static bool encodings(const struct tph_table *t)
{
	return is_mode_and_width(t->live) && is_mode_and_width(t->wanted) &&
	       t->written <= TPH_WIDTH_16 && t->written != TPH_WIDTH_RESERVED;
}

static void check(const struct tph_table *t)
{
	/* What hardware holds is what the user enabled, or the requester is off (invariant 1). */
	PROVE("live-is-wanted", live_is_wanted(t));
	/* Hardware's control register is what live says, unless it is known that it may not be. */
	PROVE("control-is-live", deaf || pending || control_is_live(t));
	/* No tag but that of a live, valid entry of the width in force (invariant 2). */
	PROVE("tags-are-granted", deaf || tags_are_granted(t));
	/* What is enabled has tags of its width in every entry that is set (invariant 3). */
	PROVE("wanted-is-valid", wanted_is_valid(t));
	/* A table that counts as written is. */
	PROVE("written-is-so", deaf || pending || written_is_so(t));
	/* While held, nothing is enabled. */
	PROVE("off-while-held", off_while_held(t));
	/* What hardware may still hold after all went wrong is off for the user as well. */
	PROVE("given-up-is-off", given_up(t));
	/* Modes and widths are such, 10b is none. */
	PROVE("encodings", encodings(t));
}

/* ---- any state ---- */

static struct tph_control any_control(void)
{
	struct tph_control c = { nondet_u8(), nondet_u8() };

	ASSUME(is_mode_and_width(c));
	return c;
}

static struct tph_entry any_entry(void)
{
	struct tph_entry entry = {
		.cpu = nondet_u32(), .tags = { nondet_u16(), nondet_u8(), nondet_bool(), nondet_bool() },
		.epoch = nondet_u32(), .lease = nondet_u8(),
	};

	return entry;
}

static void any_state(struct tph_table *t)
{
	u32 i;

	*t = (struct tph_table){
		.ops = &ops, .cap = &cap, .ledger = { SIZE, entries },
		.wanted = any_control(), .live = any_control(), .adrift = nondet_bool(),
		.written = nondet_u8(), .holds = nondet_bool() ? 1 + nondet_bool() : 0,
	};
	for (i = 0; i < LEDGER; i++) {
		entries[i] = any_entry();
		tags[i] = nondet_u16();
		allocated[i] = PLACE != TPH_PLACE_MSIX || nondet_bool();
	}
	control = nondet_u32();
	ready = nondet_bool();
	locked = nondet_bool();
	pending = t->holds && nondet_bool();
	ASSUME(live_is_wanted(t) && (pending || (control_is_live(t) && written_is_so(t))) &&
	       tags_are_granted(t) && wanted_is_valid(t) && off_while_held(t) && given_up(t) &&
	       encodings(t));
}

/* ---- the operations ---- */

static struct tph_entry before[LEDGER];
static struct tph_control wanted_before, live_before;
static bool adrift_before, asked;

static bool same_entry(const struct tph_entry *a, const struct tph_entry *b)
{
	return a->cpu == b->cpu && a->epoch == b->epoch && a->lease == b->lease &&
	       a->tags.st == b->tags.st && a->tags.xst == b->tags.xst &&
	       a->tags.st_valid == b->tags.st_valid && a->tags.xst_valid == b->tags.xst_valid;
}

static bool same_ledger(void)
{
	bool same = true;
	u32 i;

	for (i = 0; i < SIZE; i++)
		same &= same_entry(&entries[i], &before[i]);
	return same;
}

static void remember(const struct tph_table *t)
{
	u32 i;

	for (i = 0; i < SIZE; i++)
		before[i] = entries[i];
	wanted_before = t->wanted;
	live_before = t->live;
	adrift_before = t->adrift;
	asked = false;
	control_writes = table_accesses = accesses = enables = failures = 0;
	control_failed = false;
}

static bool brought_back(const struct tph_table *t)
{
	return t->holds || t->wanted.width == TPH_WIDTH_NONE ||
	       tph_control_same(t->live, t->wanted) ||
	       (tph_control_tagged(t->wanted) && is_ready(NULL));
}

/* What succeeds knows that hardware is what live says, and so has seen to off. */
static void check_known(const struct tph_table *t, int ret)
{
	PROVE("success-is-known", ret || t->holds || !t->adrift);
}

static void commit(struct tph_table *t)
{
	struct tph_entry batch[LEDGER];
	u32 index = nondet_u32(), count = nondet_u32(), i;
	bool tagged = tph_control_tagged(t->live);
	int ret;

	ASSUME(tph_ledger_holds(&t->ledger, index, count));
	for (i = 0; i < SIZE; i++)
		batch[i] = any_entry();
	ret = tph_table_commit(t, index, count, batch);
	check_known(t, ret);
	/* A batch is not refused but for a tag that there is none of, or hardware. */
	PROVE("refused-for-cause", !ret || failures || deaf || is_ready(t) ||
	      !tph_entries_valid(batch, count, tph_control_tagged(wanted_before) ?
					       wanted_before.width : TPH_WIDTH_NONE));
	if (ret) {
		/* A batch that is refused changes no entry, and no more is enabled than before. */
		PROVE("commit-all-or-nothing", same_ledger() &&
		      (tph_control_same(t->wanted, wanted_before) ||
		       t->wanted.width == TPH_WIDTH_NONE));
		return;
	}
	/* A batch that is accepted is in the ledger, and nothing else has changed. */
	for (i = 0; i < SIZE; i++)
		PROVE("commit-is-exact", same_entry(&entries[i], i >= index && i - index < count ?
						    &batch[i - index] : &before[i]));
	PROVE("commit-is-exact", tph_control_same(t->wanted, wanted_before));
	/* However many entries, the requester goes off once and on once. */
	PROVE("one-off-window", control_writes <= (tagged ? 2 : 1) && enables <= 1);
	REACHED("commit");
}

static void set_control(struct tph_table *t)
{
	struct tph_control ask = any_control();
	int ret = tph_table_control(t, ask);

	asked = !ret;
	check_known(t, ret);
	/* Nor is an enable. */
	PROVE("refused-for-cause", !ret || failures || deaf || (tph_control_tagged(ask) &&
	      (is_ready(t) || !tph_entries_valid(entries, SIZE, ask.width))));
	/* What is enabled is what was asked for; on failure it is as before, or off. */
	PROVE("control-all-or-nothing", same_ledger() &&
	      (ret ? tph_control_same(t->wanted, wanted_before) ||
		     t->wanted.width == TPH_WIDTH_NONE : tph_control_same(t->wanted, ask)));
	/* A function that does not hear is not said to be enabled. */
	PROVE("enable-is-taken", ret || !deaf || t->holds || ask.width == TPH_WIDTH_NONE ||
	      tph_control_same(ask, wanted_before) || t->live.width == TPH_WIDTH_NONE);
#ifndef FROM_RESET
	if (!ret && deaf)
		REACHED("control of a deaf function");
#endif
	if (!ret)
		REACHED("control");
}

static bool revoked[LEDGER];

static bool lost(const struct tph_entry *entry, u32 index, void *arg)
{
	return revoked[index];
}

static void revoke(struct tph_table *t)
{
	bool defer = PLACE == TPH_PLACE_MSIX && nondet_bool();
	bool on = t->live.width != TPH_WIDTH_NONE;
	u32 i, count = 0, holds = t->holds, taken;

	locked = !defer;
	for (i = 0; i < SIZE; i++) {
		revoked[i] = nondet_bool();
		count += revoked[i] && entries[i].cpu != TPH_NO_CPU;
	}
	taken = tph_table_revoke(t, lost, NULL, defer);
	/* What is taken back is gone from the ledger, whatever hardware does; nothing else is. */
	for (i = 0; i < SIZE; i++)
		PROVE("revoke-is-exact", revoked[i] ? entries[i].cpu == TPH_NO_CPU :
						      same_entry(&entries[i], &before[i]));
	PROVE("revoke-is-exact", taken == count);
	/* Deferred, it holds, and does not touch a table that cannot be written now. */
	PROVE("deferred-holds", t->holds == holds + (defer && count) &&
	      (!defer || !table_accesses));
	/* The others stay in force, if hardware lets it. */
	PROVE("revoke-keeps-others", failures || deaf || t->holds ||
	      tph_control_same(t->live, live_before) ||
	      (tph_control_tagged(live_before) && is_ready(t)));
	/* Nothing to take back costs nothing. */
	PROVE("revoke-of-nothing", count || !accesses);
	if (count && on)
		REACHED("revoke");
}

static void anything_is_held(void)
{
	u32 i;

	control = nondet_u32();
	for (i = 0; i < LEDGER; i++)
		tags[i] = nondet_u16();
}

/*
 * A reset, or vectors that come and go, while held. The driver doubts what hardware holds, but not
 * at once: anything else can come between.
 */
static void something_happens(struct tph_table *t)
{
	u32 i;

	ASSUME(t->holds);
	if (nondet_bool()) {
		anything_is_held();
		for (i = 0; i < LEDGER; i++)
			allocated[i] = PLACE != TPH_PLACE_MSIX || nondet_bool();
		pending = true;
	} else {
		tph_table_doubt(t);
		pending = false;
	}
	REACHED("reset");
}

/* @doubted: hardware may hold anything, and is doubted before: look_after() in steering.c. */
static void hold(struct tph_table *t, bool doubted)
{
	bool on = t->live.width != TPH_WIDTH_NONE;
	u32 holds = t->holds;
	int ret;

	/* whoever holds need not have memory_lock */
	locked = false;
	if (doubted) {
		anything_is_held();
		tph_table_doubt(t);
		pending = false;
		adrift_before = true;
	}
	ret = tph_table_hold(t);
	/* A hold counts, also where hardware does not hear; the user sees no change. */
	PROVE("hold-is-exact", t->holds == holds + 1 && same_ledger() && !table_accesses &&
	      tph_control_same(t->wanted, wanted_before) && (!holds || !accesses));
	/* From a hold on that says that all is well, the requester is off in hardware. */
	PROVE("hold-is-off", holds || ret || deaf || !requester_on());
	if (on && !ret)
		REACHED("hold");
}

/* Off, held or not, and of a function that was reset: nobody has doubted it yet. */
static void off(struct tph_table *t)
{
	ASSUME(t->holds);
	locked = false;
	tph_table_off(t);
	PROVE("off-is-exact", same_ledger() && !table_accesses &&
	      tph_control_same(t->wanted, wanted_before));
	/* It is off in hardware, or the write has failed. */
	PROVE("off-is-off", control_writes && (deaf || control_failed || !requester_on()));
}

static void release(struct tph_table *t)
{
	bool kept = nondet_bool();
	int ret;

	ASSUME(t->holds);
	/* without memory_lock only where nothing is wanted: end(), and a recovery that failed */
	locked = t->wanted.width != TPH_WIDTH_NONE || nondet_bool();
	if (pending && (t->holds == 1 || nondet_bool())) {
		tph_table_doubt(t);
		pending = false;
		adrift_before = true;
	}
	ret = kept ? tph_table_release_kept(t) : tph_table_release(t);
	PROVE("release-is-exact", same_ledger() && (tph_control_same(t->wanted, wanted_before) ||
						    t->wanted.width == TPH_WIDTH_NONE));
	check_known(t, ret);
	/* A release that says that all is well has brought back what was wanted, if it could. */
	PROVE("release-brings-back", ret || (tph_control_same(t->wanted, wanted_before) &&
	      brought_back(t)));
	if (!t->holds && kept && enables && !table_accesses)
		REACHED("release without a table write");
	if (!t->holds && enables)
		REACHED("release");
}

/*
 * Hardware may have lost its state without a word. The control register then is not what it was, or
 * was off before as it is now: a function that comes out of that with the very mode and width in
 * force, and a table of its own, is beyond this.
 */
static void sync(struct tph_table *t)
{
	u32 was = control, i;
	int ret;

	if (nondet_bool()) {
		control = nondet_u32();
		ASSUME((control ^ was) & BITS || !(control & PCI_TPH_CTRL_REQ_EN_MASK));
		for (i = 0; i < LEDGER; i++)
			tags[i] = nondet_u16();
		/* what a hold knows of the table goes through tph_table_doubt() */
		ASSUME(!t->holds);
	}
	locked = true;
	ret = tph_table_sync(t);
	PROVE("sync-is-exact", same_ledger() && (tph_control_same(t->wanted, wanted_before) ||
						 t->wanted.width == TPH_WIDTH_NONE));
	check_known(t, ret);
	/* So has a sync. */
	PROVE("sync-brings-back", ret || (tph_control_same(t->wanted, wanted_before) &&
	      brought_back(t)));
	if (!ret && enables)
		REACHED("sync");
}

static void operate(struct tph_table *t)
{
	u32 holds = t->holds;

	remember(t);
	/* whoever changes entries or enables has memory_lock */
	locked = true;

	switch (nondet_u8()) {
	case 0:
		commit(t);
		break;
	case 1:
		set_control(t);
		break;
	case 2:
		hold(t, nondet_bool());
		break;
	case 3:
		release(t);
		break;
	case 4:
		revoke(t);
		break;
	case 5:
		sync(t);
		break;
	case 6:
		something_happens(t);
		return;
	case 7:
		off(t);
		return;
	case 8:
		/* memory decode is switched on or off, by the user */
		ready = nondet_bool();
		return;
	default:
		ASSUME(false);
	}
	/* While held, hardware is not touched. */
	PROVE("held-is-untouched", !holds || !t->holds || !accesses);
	/* Not known to be off is what could not be switched off, and nothing that was not tried. */
	PROVE("adrift-is-tried", !t->adrift || (adrift_before && !control_writes) || control_failed);
	/* Whatever enables sees that the function hears. */
	PROVE("enable-is-heard", !deaf || !control_writes || t->live.width == TPH_WIDTH_NONE);
	/* Nothing is given up where hardware does what it is told. */
	PROVE("given-up-for-cause", asked || failures || deaf ||
	      tph_control_same(t->wanted, wanted_before));
}

/* At open and close nothing is known of hardware, and nobody counts on anything. */
static void open_and_close(struct tph_table *t)
{
	u32 i;
	int ret;

	anything_is_held();
	locked = true;
	scrubbing = true;
	if (nondet_bool()) {
		ret = tph_table_scrub(t);
		/* A scrub that succeeds leaves the requester off and the table zero. */
		if (!ret) {
			/* nobody would know otherwise */
			PROVE("scrub-is-heard", !deaf);
			PROVE("scrub-is-zero", !control && !t->adrift && t->live.width == TPH_WIDTH_NONE);
			for (i = 0; i < cap.entries; i++)
				PROVE("scrub-is-zero", !tags[i]);
			REACHED("scrub");
		}
		/* a close takes all entries then, whatever came of it */
		scrubbing = false;
		remember(t);
		revoke(t);
		PROVE("closed-is-off", t->live.width == TPH_WIDTH_NONE &&
		      (deaf || t->adrift || !requester_on()));
	} else if (!tph_table_quiet(t)) {
		/* A function that nobody has open is not left with its requester on. */
		PROVE("quiet-is-off", !requester_on());
		REACHED("quiet");
	}
}

int main(void)
{
	struct tph_table table;

#ifdef FROM_RESET
	/* as tph_steering_open() leaves it; then some operations in a row */
	table = (struct tph_table){ .ops = &ops, .cap = &cap, .ledger = { SIZE, entries } };
	tph_ledger_clear(&table.ledger);
	check(&table);
	for (u32 i = 0; i < LEDGER; i++)
		allocated[i] = true;
	for (u32 i = 0; i < FROM_RESET; i++) {
		operate(&table);
		check(&table);
	}
#else
	any_state(&table);
	deaf = nondet_bool();
	if (nondet_bool()) {
		operate(&table);
		check(&table);
	} else {
		open_and_close(&table);
	}
#endif
	return 0;
}
