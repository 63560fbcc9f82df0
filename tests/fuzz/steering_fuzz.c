// SPDX-License-Identifier: MIT
/*
 * A user, an operator and a bus that does what it likes, against the driver's pure files. The input
 * is a function, its platform and a list of operations. Beside the driver runs a model that knows
 * which tags are granted; the device is simulated, and judged at every write and after every
 * operation:
 *
 *   - with the requester on, every entry of its table is the tag of a live grant in the namespace
 *     that is enabled, or zero; never in between two states of the ledger;
 *   - nothing is enabled that rules.c does not offer, or that the user has not enabled;
 *   - entries change under a disabled requester alone, and nothing outside the capability does;
 *   - the ledger holds what was set; a failed SET has changed nothing, or disabled the requester;
 *   - what must succeed does, and the invariants of table.h hold;
 *   - a function that was scrubbed is zero.
 */
#include <linux/errno.h>

#include "input.h"
#include "rules.h"
#include "table.h"
#include "verdict.h"
#include "virtual_config.h"

#define ENTRIES_MAX	2048
#define CPUS		16
#define NOBODY		(~0U)
#define OPERATIONS_MAX	100
#define ACCESS_MAX	8
#define REGISTER_BITS	0x307U		/* those of the control register that are not reserved */
#define ENABLE_BITS	0x300U

/** struct grant - one entry of the model: @cpu or NOBODY, its tags or 0 */
struct grant {
	u32 cpu;
	u16 tag8;
	u16 tag16;
};

/**
 * struct device - hardware, and the way to it
 * @config: configuration space
 * @vectors: tags in the MSI-X table
 * @allocated: its vectors that the kernel has allocated
 * @memory: memory decode is on
 * @gone: hears nothing, reads as all ones
 * @lost: has lost its state, and nobody has told the driver yet: entries may be zero
 * @deaf: did not take the last attempt to switch the requester off; it is not judged, then
 * @fail_in: accesses before one fails
 * @fail_for: accesses that fail then
 * @fail_reads: whether reads do
 */
struct device {
	u8 config[4096];
	u16 vectors[ENTRIES_MAX];
	bool allocated[ENTRIES_MAX];
	bool memory;
	bool gone;
	bool lost;
	bool deaf;
	unsigned int fail_in;
	unsigned int fail_for;
	bool fail_reads;
};

/**
 * struct world - everything there is
 * @facts: what the function, its platform and its operator are
 * @rules: what follows from them
 * @user: what the user has enabled, as he should see it
 * @now: the grants
 * @next: the grants if the operation under way succeeds
 * @now_ends: an operation is under way that takes @now away whether it succeeds or not
 * @used: no entry from this one on was ever set: most tables are large and empty
 * @attached: there is a user; before that the device may be in any state
 * @resetting: one hold is for a reset
 * @vectors_change: one hold is for vectors that come and go
 * @deferred: so many are for revocations that were not waited for
 * @generation: of firmware's answers
 */
struct world {
	struct tph_table table;
	struct tph_capability cap;
	struct tph_platform platform;
	struct tph_offer offer;
	struct tph_entry ledger[ENTRIES_MAX];
	struct device device;
	struct rule_facts facts;
	struct rules rules;
	struct rule_control user;
	struct grant now[ENTRIES_MAX];
	struct grant next[ENTRIES_MAX];
	bool now_ends;
	unsigned int used;
	bool attached;
	bool resetting;
	bool vectors_change;
	unsigned int deferred;
	u8 generation;
	u8 answers[CPUS];
};

/* One at a time; big enough not to be wanted on a stack. */
static struct world world;

static const struct grant no_grant = { .cpu = NOBODY };

/* The device */

static unsigned int register_at(void)
{
	return world.facts.offset + 8;
}

static unsigned int table_at(void)
{
	return world.facts.offset + 12;
}

static u32 config_get(unsigned int at, unsigned int bytes)
{
	u32 value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (u32)world.device.config[at + i] << 8 * i;
	return value;
}

static void config_set(unsigned int at, unsigned int bytes, u32 value)
{
	for (unsigned int i = 0; i < bytes; i++)
		world.device.config[at + i] = value >> 8 * i;
}

static u32 device_control(void)
{
	return config_get(register_at(), 4);
}

static unsigned int control_bits(u32 control)
{
	return (control & ENABLE_BITS) == ENABLE_BITS ? 16 : control & ENABLE_BITS ? 8 : 0;
}

static bool tagged(struct rule_control control)
{
	return control.bits && control.mode;
}

static struct rule_control device_state(void)
{
	return (struct rule_control){ device_control() & 7, control_bits(device_control()) };
}

static u16 device_tag(unsigned int i)
{
	if (world.rules.table == RULE_IN_MSIX)
		return world.device.vectors[i];
	return config_get(table_at() + 2 * i, 2);
}

static u16 ledger_tag(const struct grant *grant, unsigned int bits)
{
	if (grant->cpu == NOBODY)
		return 0;
	return bits == 16 ? grant->tag16 : grant->tag8;
}

static u16 granted_tag(const struct grant *grants, unsigned int i, unsigned int bits)
{
	if (world.rules.table == RULE_IN_MSIX && !world.device.allocated[i])
		return 0;
	return ledger_tag(&grants[i], bits);
}

/* The first entry of the device's table that is not what @grants say, or its size. */
static unsigned int strange_entry(const struct grant *grants, unsigned int bits)
{
	unsigned int i;

	for (i = 0; i < world.rules.entries; i++) {
		u16 tag = device_tag(i);

		if (tag != granted_tag(grants, i, bits) && !(world.device.lost && !tag))
			break;
	}
	return i;
}

/* A requester that is on is judged whenever it is switched on, and after every operation. */
static void judge(bool under_way)
{
	struct rule_control on = device_state();
	unsigned int strange;

	if (!on.bits)
		return;
	must(!(device_control() & ~REGISTER_BITS) && (device_control() & ENABLE_BITS) != 0x200,
	     "control is 0x%x", device_control());
	must(on.mode < 3 && world.rules.mode[on.mode], "mode %u is enabled", on.mode);
	must(on.bits == 8 || world.rules.extended, "extended tags are enabled");
	must(!on.mode || world.facts.policy != RULE_NO_ST, "mode %u under no-st", on.mode);
	if (!on.mode)
		return;
	strange = strange_entry(world.next, on.bits);
	if (strange < world.rules.entries && under_way && !world.now_ends)
		strange = strange_entry(world.now, on.bits);
	must(strange >= world.rules.entries, "entry %u sends 0x%x, granted is 0x%x", strange,
	     device_tag(strange), granted_tag(world.now, strange, on.bits));
}

static bool access_fails(bool read)
{
	struct device *device = &world.device;

	if (!device->fail_for || (read && !device->fail_reads))
		return false;
	if (device->fail_in) {
		device->fail_in--;
		return false;
	}
	device->fail_for--;
	return true;
}

static int read_config(struct tph_table *table, u16 offset, u32 *value)
{
	must(table == &world.table && offset == register_at(), "read of 0x%x", offset);
	if (access_fails(true))
		return -EIO;
	*value = world.device.gone ? 0xffffffff : config_get(offset, 4);
	return 0;
}

static void write_control(u32 value)
{
	struct device *device = &world.device;
	bool off = !(value & ENABLE_BITS);

	if (access_fails(false)) {
		device->deaf = device->deaf || off;
		return;
	}
	device->deaf = false;
	config_set(register_at(), 4, value & REGISTER_BITS);
	if (!device->gone && world.attached)
		judge(true);
}

static int write_config(struct tph_table *table, u16 offset, u8 bytes, u32 value)
{
	unsigned int end = table_at();
	bool failing;

	(void)table;
	if (world.rules.table == RULE_IN_CAPABILITY)
		end += 2 * world.rules.entries;
	must(bytes == 2 || bytes == 4, "write of %u bytes", bytes);
	must(offset % bytes == 0, "write of %u bytes at 0x%x", bytes, offset);
	must(offset >= register_at() && (unsigned int)offset + bytes <= end,
	     "write of %u bytes at 0x%x, outside 0x%x .. 0x%x", bytes, offset, register_at(), end);

	if (offset < table_at()) {
		must(bytes == 4, "half of the control register is written");
		must(!(value & ~REGISTER_BITS) && (value & ENABLE_BITS) != 0x200,
		     "0x%x is written to control", value);
		if (world.device.gone)
			return 0;
		failing = world.device.fail_for && !world.device.fail_in;
		write_control(value);
		return failing ? -EIO : 0;
	}
	must(!device_state().bits || world.device.gone || world.device.deaf,
	     "entry %u changes under an enabled requester", (offset - table_at()) / 2);
	if (world.device.gone)
		return 0;
	if (access_fails(false))
		return -EIO;
	config_set(offset, bytes, value);
	return 0;
}

static int write_vector(struct tph_table *table, u16 index, u16 tag)
{
	(void)table;
	must(world.rules.table == RULE_IN_MSIX && index < world.rules.entries, "vector %u", index);
	must(world.device.memory, "vector %u is written without memory decode", index);
	must(!device_state().bits || world.device.gone || world.device.deaf,
	     "vector %u changes under an enabled requester", index);
	if (world.device.gone)
		return 0;
	if (access_fails(false))
		return -EIO;
	world.device.vectors[index] = world.device.allocated[index] ? tag : 0;
	return 0;
}

static int ready(struct tph_table *table)
{
	(void)table;
	return world.rules.table != RULE_IN_MSIX || world.device.memory ? 0 : -EIO;
}

static const struct tph_table_ops ops = {
	.read = read_config,
	.write = write_config,
	.write_vector = write_vector,
	.ready = ready,
};

/* What the model expects */

static bool writable(void)
{
	return world.rules.table != RULE_IN_MSIX || world.device.memory;
}

/* No access can fail: an operation must do what it is asked for. */
static bool healthy(void)
{
	return !world.device.gone && !world.device.deaf && !world.device.fail_for;
}

static bool held(void)
{
	return world.resetting || world.vectors_change || world.deferred;
}

static bool has_tag(const struct grant *grant, unsigned int bits)
{
	return grant->cpu == NOBODY || (bits == 16 ? grant->tag16 : grant->tag8);
}

static bool all_have_tags(const struct grant *grants, unsigned int count, unsigned int bits)
{
	for (unsigned int i = 0; i < count; i++)
		if (!has_tag(&grants[i], bits))
			return false;
	return true;
}

static u32 wanted(void)
{
	return tph_control_register(world.table.wanted);
}

/* On a hurt device steering may have been given up. */
static void accept_off(bool hurt)
{
	struct rule_control off = { world.user.mode, 0 };

	if (hurt && wanted() == rules_control(off))
		world.user = off;
}

static void check_ledger(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct tph_entry *entry = &world.ledger[i];

		must(entry->cpu == world.now[i].cpu, "entry %u is for CPU %u instead of %u", i,
		     entry->cpu, world.now[i].cpu);
		if (entry->cpu == NOBODY)
			continue;
		must(tph_entry_tag(entry, TPH_WIDTH_8) == world.now[i].tag8 &&
		     tph_entry_tag(entry, TPH_WIDTH_16) == world.now[i].tag16,
		     "entry %u has tags 0x%x and 0x%x", i, tph_entry_tag(entry, TPH_WIDTH_8),
		     tph_entry_tag(entry, TPH_WIDTH_16));
	}
}

static void check_invariants(void)
{
	const struct tph_table *table = &world.table;
	struct rule_control on = device_state();
	u32 live = tph_control_register(table->live);

	must(!(live & ENABLE_BITS) || live == wanted(), "live is 0x%x, wanted 0x%x", live, wanted());
	must(!held() || !(live & ENABLE_BITS), "live is 0x%x while held", live);
	must(table->holds == world.resetting + world.vectors_change + world.deferred, "%u holds",
	     table->holds);
	if (tagged(world.user))
		must(all_have_tags(world.now, world.used, world.user.bits),
		     "an entry has no tag of %u bits", world.user.bits);

	must(wanted() == rules_control(world.user), "control reads 0x%x instead of 0x%x", wanted(),
	     rules_control(world.user));
	for (unsigned int at = 4; at < world.rules.end - world.facts.offset; at++)
		must(tph_view_byte(&world.offer, table->wanted, at) ==
		     rules_view(&world.rules, world.user, at), "byte %u of the capability", at);

	if (world.device.gone || world.device.deaf)
		return;
	judge(false);
	must(!on.bits || !held(), "enabled while held");
	must(!on.bits || device_control() == rules_control(world.user),
	     "control is 0x%x, the user's 0x%x", device_control(), rules_control(world.user));
	must(world.device.lost || (device_control() & ENABLE_BITS) == (live & ENABLE_BITS),
	     "control is 0x%x, live 0x%x", device_control(), live);
}

static void finish(void)
{
	memcpy(world.now, world.next, world.used * sizeof(world.now[0]));
	world.now_ends = false;
}

/* Steering is as the user wants it, if it can be. */
static void must_be_live(void)
{
	if (healthy() && !held() && (writable() || !tagged(world.user)))
		must(!world.user.bits || device_control() == rules_control(world.user),
		     "control is 0x%x, the user's 0x%x", device_control(),
		     rules_control(world.user));
}

/* Firmware: its answer for a CPU, and what of it is a tag. Tags of CPUs and generations differ. */

static u64 firmware_answer(u32 cpu, struct grant grants[2])
{
	u64 answer = 0;
	u32 half;

	for (unsigned int type = 0; type < 2; type++) {
		u8 how = world.answers[cpu] >> 4 * type & 0xf;
		u16 st = how & 4 ? 0 : 1 + (cpu * 2 + type + world.generation * 32) % 255;
		u16 xst = how & 8 ? 0 : 0x100 * (1 + world.generation % 200) + cpu * 2 + type;

		grants[type] = (struct grant){ cpu, how & 1 ? 0 : st, how & 2 ? 0 : xst };
		half = (how & 1 ? 0 : 1) | (how & 2 ? 0 : 2) | (u32)st << 8 | (u32)xst << 16;
		answer |= (u64)half << 32 * type;
	}
	return answer;
}

static void resolve(u32 cpu, bool persistent, struct tph_entry *entry, struct grant *grant)
{
	struct grant both[2];

	*entry = (struct tph_entry){ .cpu = cpu };
	*grant = no_grant;
	if (cpu == NOBODY)
		return;
	tph_tags_decode(firmware_answer(cpu, both), persistent, &entry->tags);
	*grant = both[persistent];
	if (!world.offer.extended)
		entry->tags.xst_valid = false;
	if (!world.rules.extended)
		grant->tag16 = 0;
}

/* The operations */

static void set(struct input *input)
{
	static struct tph_entry entries[ENTRIES_MAX];
	u8 flags = take8(input), cpu = take8(input);
	u32 index = flags & 1 ? take16(input) % (world.rules.slots + 4) : take8(input) % 8U;
	u32 count = flags & 2 ? take16(input) % (world.rules.slots + 4) : 1U + take8(input) % 8;
	bool hurt = !healthy(), valid, any, moves = false;
	bool applied = tph_control_tagged(world.table.live) && world.rules.entries;
	struct rule_control on = device_state();
	int ret;

	valid = count && index < world.rules.slots && count <= world.rules.slots - index;
	must(tph_ledger_holds(&world.table.ledger, index, count) == valid, "range %u + %u of %u",
	     index, count, world.rules.slots);
	must(world.offer.steering == -world.rules.refusal, "a SET is refused by %d",
	     world.offer.steering);
	if (!valid || world.offer.steering)
		return;

	if (world.used < index + count)
		world.used = index + count;
	for (u32 i = 0; i < count; i++) {
		u32 to = flags & 4 ? (cpu + i) % (CPUS + 1) : cpu % (CPUS + 1);

		resolve(to == CPUS ? NOBODY : to, flags & 8, &entries[i], &world.next[index + i]);
	}
	any = tagged(world.user) ? all_have_tags(&world.next[index], count, world.user.bits) : true;
	for (u32 i = 0; i < count && any; i++)
		any = has_tag(&world.next[index + i], 8) || has_tag(&world.next[index + i], 16);

	/* what the device has already is not written, so nothing can fail */
	for (u32 i = index; i < index + count; i++)
		moves |= ledger_tag(&world.next[i], on.bits) != ledger_tag(&world.now[i], on.bits);

	ret = tph_table_commit(&world.table, index, count, entries);

	must(any || ret == -EOPNOTSUPP, "an entry without a tag is set: %d", ret);
	/* after a loss that nobody has told of, the driver takes the requester for enabled */
	if (!hurt && any && (writable() || !world.device.lost))
		must(ret == (tagged(on) && moves && !writable() ? -EIO : 0), "SET says %d", ret);
	must(ret || !world.device.gone || !applied || !moves, "a function that is gone takes entries");
	if (ret)
		memcpy(world.next, world.now, world.used * sizeof(world.now[0]));
	accept_off(ret && hurt);
	finish();
}

static void control(struct input *input)
{
	unsigned int length = world.rules.end - world.facts.offset;
	u8 how = take8(input);
	unsigned int at = how & 0x80 ? 4 + take8(input) % (length - 4) : 8;
	unsigned int count = how & 0x80 ? 1 + take8(input) % ACCESS_MAX : 4;
	struct rule_control before = world.user, ask;
	bool hurt = !healthy(), possible;
	u8 bytes[ACCESS_MAX] = { how & 7, how >> 3 & 3 };
	struct tph_control driver_ask;
	u32 reg = rules_control(world.user);
	int ret;

	/* what reaches out of the capability is the core's */
	if (count > length - at)
		count = length - at;
	if (how & 0x80)
		take(input, bytes, count);
	for (unsigned int i = 0; i < count; i++)
		if ((at + i) / 4 == 2)
			reg = (reg & ~(0xffU << (at + i) % 4 * 8)) |
			      (u32)bytes[i] << (at + i) % 4 * 8;
	ask = rules_request(&world.rules, world.user, reg);
	driver_ask = virtual_config_write(&world.offer, world.table.wanted, at, bytes, count);
	must(tph_control_register(driver_ask) == rules_control(ask), "0x%x comes to 0x%x", reg,
	     tph_control_register(driver_ask));
	if (tph_control_same(driver_ask, world.table.wanted))
		return;

	possible = !tagged(ask) || all_have_tags(world.now, world.used, ask.bits);
	ret = tph_table_control(&world.table, driver_ask);

	must(possible || ret == -EOPNOTSUPP, "a width is enabled that an entry has no tag of");
	if (possible && (!hurt || held()))
		must(ret == (!held() && tagged(ask) && !writable() ? -EIO : 0), "control says %d",
		     ret);
	must(ret || !world.device.gone || held() || !ask.bits, "a function that is gone is enabled");
	if (!ret) {
		world.user = ask;
		/* off to on writes it all */
		if (!hurt && !held())
			world.device.lost = false;
		must_be_live();
	}
	accept_off(ret && hurt);
	must(world.user.bits || !before.bits || !ret || hurt, "a refused request disables");
}

static void check_after_catching_up(bool hurt)
{
	must_be_live();
	accept_off(hurt);
}

static void hold(bool *what)
{
	if (*what)
		return;
	*what = true;
	tph_table_hold(&world.table);
	must(world.device.gone || world.device.deaf || !device_state().bits, "held, but enabled");
}

static void release(bool kept)
{
	bool hurt = !healthy(), last = !held();

	if (kept)
		tph_table_release_kept(&world.table);
	else
		tph_table_release(&world.table);
	if (!last)
		return;
	/* entries that were kept are not written again: what a silent loss took stays zero */
	if (!hurt && !kept)
		world.device.lost = false;
	accept_off(hurt);
	check_after_catching_up(hurt);
}

static void sync(void)
{
	bool hurt = !healthy(), off = !device_state().bits;

	tph_table_sync(&world.table);
	if (!hurt && off && writable() && !held())
		world.device.lost = false;
	accept_off(hurt);
	check_after_catching_up(hurt);
}

/* A reset, or a way through D3: all that the driver has written is zero. */
static void lose(void)
{
	unsigned int end = table_at();

	if (world.rules.table == RULE_IN_CAPABILITY)
		end += 2 * world.rules.entries;
	memset(world.device.config + register_at(), 0, end - register_at());
	memset(world.device.vectors, 0, sizeof(world.device.vectors));
	world.device.lost = !held();
	world.device.deaf = false;
	/* whoever holds it for a reset says so when it is over */
	if (held())
		tph_table_doubt(&world.table);
}

static void change_vectors(struct input *input)
{
	u32 first = take16(input), count = take8(input);
	bool to = take8(input) & 1, kept = true;

	if (world.rules.table != RULE_IN_MSIX)
		return;
	if (!world.vectors_change) {
		sync();
		hold(&world.vectors_change);
		return;
	}
	/* a vector that goes leaves its tag in the table, one that comes takes over what is there */
	for (u32 i = 0; i <= count; i++) {
		kept &= world.device.allocated[(first + i) % world.rules.entries] == to;
		world.device.allocated[(first + i) % world.rules.entries] = to;
	}
	world.vectors_change = false;
	if (!kept)
		tph_table_doubt(&world.table);
	release(kept);
}

struct lost {
	u32 cpus;
	unsigned int asked;
};

static bool is_lost(const struct tph_entry *entry, u32 index, void *arg)
{
	struct lost *lost = arg;

	must(index < world.rules.slots && entry == &world.ledger[index], "entry %u", index);
	must(entry->cpu == world.now[index].cpu && entry->cpu != NOBODY, "entry %u is clear", index);
	lost->asked++;
	return lost->cpus & 1U << entry->cpu;
}

static void revoke(struct input *input)
{
	bool defer = take8(input) & 1, hurt = !healthy();
	struct lost lost = { .cpus = take16(input) };
	unsigned int count = 0, taken, granted = 0;

	for (unsigned int i = 0; i < world.used; i++) {
		if (world.now[i].cpu == NOBODY)
			continue;
		granted++;
		if (!(lost.cpus & 1U << world.now[i].cpu))
			continue;
		world.next[i] = no_grant;
		count++;
	}
	world.now_ends = true;
	taken = tph_table_revoke(&world.table, is_lost, &lost, defer);
	must(taken == count, "%u entries are taken back instead of %u", taken, count);
	must(lost.asked == granted, "%u of %u entries are asked for", lost.asked, granted);
	finish();
	if (defer && count) {
		world.deferred++;
		return;
	}
	if (count)
		accept_off(hurt);
	/* an entry that cannot be taken out of the table is not sent either: the requester is off */
	must(!count || hurt || writable() || !tagged(device_state()), "enabled over what is revoked");
	if (!world.device.lost)
		must_be_live();
}

/* The end of one user: steering_close() of the driver. */
static void detach(void)
{
	bool hurt = !healthy();

	world.table.wanted = (struct tph_control){ .mode = 0 };
	world.user = (struct rule_control){ .mode = 0 };
	tph_ledger_clear(&world.table.ledger);
	for (unsigned int i = 0; i < world.used; i++)
		world.next[i] = no_grant;
	finish();
	if (ready(&world.table))
		tph_table_hold(&world.table);
	else
		tph_table_scrub(&world.table);
	must(hurt || !device_state().bits, "enabled after the end");
	world.attached = false;
}

static void check_zero(void)
{
	must(!device_control(), "control is 0x%x after a scrub", device_control());
	for (unsigned int i = 0; i < world.rules.entries; i++)
		must(!device_tag(i), "entry %u is 0x%x after a scrub", i, device_tag(i));
}

/* The begin of one: steering_open(). Another policy may be in force. */
static bool attach(enum rule_policy policy)
{
	static const enum tph_policy same[] = { TPH_POLICY_NO_ST, TPH_POLICY_IV_ST,
						TPH_POLICY_DS_ST };
	bool hurt;

	world.facts.policy = policy;
	rules_make(&world.facts, &world.rules);
	tph_offer_make(&world.cap, &world.platform, same[policy], &world.offer);
	must(world.offer.entries == world.rules.slots, "%u entries", world.offer.entries);
	world.table = (struct tph_table){
		.ops = &ops,
		.cap = &world.cap,
		.ledger = { .size = world.offer.entries, .entries = world.ledger },
	};
	tph_ledger_clear(&world.table.ledger);
	for (unsigned int i = 0; i < world.rules.slots; i++)
		world.now[i] = world.next[i] = no_grant;
	world.used = 0;

	/* memory decode is on for a new user, and nothing else is left of the old one */
	world.device.memory = true;
	world.device.lost = false;
	world.deferred = 0;
	world.vectors_change = false;
	hurt = !healthy();
	if (tph_table_scrub(&world.table)) {
		must(hurt, "a scrub fails");
		return false;
	}
	world.attached = true;
	if (!world.device.gone)
		check_zero();
	world.table.holds = world.resetting;
	return true;
}

static bool attach_again(struct input *input)
{
	enum rule_policy policy = take8(input) % 3;

	detach();
	if (attach(policy))
		return true;
	/* the open failed; the next one finds a device that hears */
	world.device.fail_for = 0;
	return attach(policy);
}

static void fail(struct input *input)
{
	u8 how = take8(input), in = take8(input);

	/* one or few early accesses tell most: then there is a way back, and it must be the right one */
	world.device.fail_in = how & 0x20 ? in : in % 8;
	world.device.fail_for = 1 + (how & 0x40 ? how & 0x1f : how & 1);
	world.device.fail_reads = how & 0x80;
}

/* Any register, or one of those that devices have: few bytes lead far. */
static u32 take_register(struct input *input, bool any)
{
	u8 fields;

	if (any)
		return take32(input);
	fields = take8(input);
	return (fields & 0xf & ~8) | (fields & 8 ? 1U << 8 : 0) | (u32)(fields >> 4 & 3) << 9 |
	       (u32)(take8(input) % 80) << 16;
}

static bool make_world(struct input *input)
{
	u16 config_size;
	u8 flags, sizes;

	memset(&world, 0, sizeof(world));
	sizes = take8(input);
	world.facts.reg = take_register(input, sizes & 0x80);
	world.facts.offset = sizes & 1 ? take16(input) & 0xffc : 0x148;
	config_size = sizes & 2 ? take16(input) % 4097 : 4096;
	world.facts.room = config_size > world.facts.offset ? config_size - world.facts.offset : 0;
	world.facts.msix = sizes & 4 ? take16(input) : 1 + (sizes >> 4 & 7);
	flags = take8(input);
	world.facts.notph = (flags & 0xf) == 0xf;
	world.facts.integrated = flags & 0x10;
	world.facts.completer = flags & 0x20 ? take8(input) & 3 : 3;
	world.facts.prefixes = !(flags & 0x40);
	world.facts.firmware = !(flags & 0x80);
	take(input, world.answers, sizeof(world.answers));
	world.device.memory = true;
	for (unsigned int i = 0; i < ENTRIES_MAX; i++)
		world.device.allocated[i] = true;

	rules_make(&world.facts, &world.rules);
	tph_capability_decode(world.facts.offset, world.facts.reg, world.facts.room,
			      world.facts.msix, &world.cap);
	must(!!world.cap.offset == world.rules.capability, "capability found");
	if (!world.rules.capability)
		return false;
	world.platform = (struct tph_platform){
		.allowed = !world.facts.notph,
		.root_integrated = world.facts.integrated,
		.completer = world.facts.completer,
		.prefixes = world.facts.prefixes,
		.firmware = world.facts.firmware,
	};
	/* what somebody before us left */
	if (sizes & 8) {
		memset(world.device.config + register_at(), 0xff,
		       world.rules.end - register_at());
		memset(world.device.vectors, 0xff, sizeof(world.device.vectors));
	}
	return attach(flags % 3);
}

enum operation {
	SET,
	CONTROL,
	RESET_BEGINS,
	RESET_ENDS,
	SILENT_RESET,
	SYNC,
	MEMORY,
	VECTORS,
	REVOKE,
	REVOKE_CATCHES_UP,
	FAIL,
	HEAL,
	GONE,
	BACK,
	ANSWERS,
	ATTACH,
	OPERATIONS,
};

static const char *const names[OPERATIONS] = {
	"set", "control", "reset begins", "reset ends", "silent reset", "sync", "memory", "vectors",
	"revoke", "revoke catches up", "fail", "heal", "gone", "back", "answers", "attach",
};

/* What a crashing input does, for whoever has to explain it: FUZZ_VERBOSE=1. */
static void trace(const char *what)
{
	static int verbose = -1;

	if (verbose < 0)
		verbose = getenv("FUZZ_VERBOSE") != NULL;
	if (verbose)
		fprintf(stderr, "%s: user 0x%x, live 0x%x, device 0x%x%s%s%s%s%s, fail %u after %u\n",
			what, rules_control(world.user), tph_control_register(world.table.live),
			device_control(), held() ? ", held" : "", world.device.gone ? ", gone" : "",
			world.device.lost ? ", lost" : "", world.device.deaf ? ", deaf" : "",
			world.device.memory ? "" : ", no memory", world.device.fail_for,
			world.device.fail_in);
}

/* Return: whether there is still something to operate on. */
static bool operate(struct input *input)
{
	enum operation operation = take8(input) % OPERATIONS;

	trace(names[operation]);
	switch (operation) {
	case SET:
		set(input);
		break;
	case CONTROL:
		control(input);
		break;
	case RESET_BEGINS:
		hold(&world.resetting);
		break;
	case RESET_ENDS:
		if (!world.resetting)
			break;
		lose();
		world.resetting = false;
		release(false);
		break;
	case SILENT_RESET:
		lose();
		if (take8(input) & 1)
			sync();
		break;
	case SYNC:
		sync();
		break;
	case MEMORY:
		world.device.memory = !world.device.memory;
		sync();
		break;
	case VECTORS:
		change_vectors(input);
		break;
	case REVOKE:
		revoke(input);
		break;
	case REVOKE_CATCHES_UP:
		if (!world.deferred)
			break;
		world.deferred--;
		release(false);
		break;
	case FAIL:
		fail(input);
		break;
	case HEAL:
		world.device.fail_for = 0;
		break;
	case GONE:
		world.device.gone = true;
		break;
	case BACK:
		if (!world.device.gone)
			break;
		world.device.gone = false;
		lose();
		break;
	case ANSWERS:
		world.generation++;
		take(input, world.answers, sizeof(world.answers));
		break;
	case ATTACH:
		return attach_again(input);
	case OPERATIONS:
		break;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	if (!make_world(&input))
		return 0;
	for (int i = 0; i < OPERATIONS_MAX && input.left; i++) {
		if (!operate(&input))
			return 0;
		check_ledger(world.used);
		check_invariants();
	}
	check_ledger(world.rules.slots);
	world.device.fail_for = 0;
	detach();
	if (!world.device.gone && writable())
		check_zero();
	return 0;
}
