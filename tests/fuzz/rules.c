// SPDX-License-Identifier: MIT
#include "rules.h"

#include <errno.h>
#include <string.h>

enum { NO_ST, INTERRUPT_VECTOR, DEVICE_SPECIFIC };

static unsigned int field(u32 reg, unsigned int high, unsigned int low)
{
	return reg >> low & ((1U << (high - low + 1)) - 1);
}

static bool has(u32 reg, unsigned int bit)
{
	return field(reg, bit, bit);
}

/* PCIe 6.2, 7.9.13.2: location in 10:9, size less one in 26:16. */
static void find_table(const struct rule_facts *facts, struct rules *rules)
{
	unsigned int size = field(facts->reg, 26, 16) + 1;

	switch (field(facts->reg, 10, 9)) {
	case 1:
		if (size <= 64 && 12 + 2 * size <= facts->room) {
			rules->table = RULE_IN_CAPABILITY;
			rules->entries = size;
		}
		break;
	case 2:
		if (facts->msix >= 1 && facts->msix <= 2048) {
			rules->table = RULE_IN_MSIX;
			rules->entries = facts->msix;
		}
		break;
	}
}

/* Where a tag may come from under a policy; a reserved one (10b) counts as no completer. */
static bool completes(const struct rule_facts *facts)
{
	return facts->integrated || facts->completer == 1 || facts->completer == 3;
}

static bool completes_extended(const struct rule_facts *facts)
{
	return facts->integrated || facts->completer == 3;
}

void rules_make(const struct rule_facts *facts, struct rules *rules)
{
	bool way, vector, specific, writable;

	memset(rules, 0, sizeof(*rules));
	rules->refusal = EOPNOTSUPP;
	if (facts->offset == 0 || facts->room < 12)
		return;
	rules->capability = true;
	find_table(facts, rules);
	rules->end = facts->offset + 12;
	if (rules->table == RULE_IN_CAPABILITY)
		rules->end += (rules->entries + 1) / 2 * 4;
	rules->slots = rules->table == RULE_NO_TABLE ? 2048 : rules->entries;

	way = !facts->notph && completes(facts);
	vector = way && has(facts->reg, 1) && rules->table != RULE_NO_TABLE && facts->firmware;
	specific = way && has(facts->reg, 2);
	rules->mode[NO_ST] = way && has(facts->reg, 0);
	writable = rules->table == RULE_IN_MSIX && facts->shared;
	rules->mode[INTERRUPT_VECTOR] = vector && (writable ? facts->policy == RULE_DS_ST :
						   facts->policy != RULE_NO_ST);
	rules->mode[DEVICE_SPECIFIC] = specific && facts->policy == RULE_DS_ST;
	rules->extended = way && has(facts->reg, 8) && completes_extended(facts) && facts->prefixes;

	if (facts->firmware && (vector || specific))
		rules->refusal = rules->mode[INTERRUPT_VECTOR] || rules->mode[DEVICE_SPECIFIC] ?
			0 : EPERM;

	for (unsigned int mode = 0; mode < 3; mode++)
		rules->visible |= (u32)rules->mode[mode] << mode;
	if (!rules->visible)
		return;
	rules->visible |= (u32)rules->extended << 8;
	if (rules->table != RULE_NO_TABLE &&
	    (rules->mode[INTERRUPT_VECTOR] || rules->mode[DEVICE_SPECIFIC]))
		rules->visible |= (u32)rules->table << 9 | (rules->entries - 1) << 16;
}

u32 rules_control(struct rule_control control)
{
	u32 enable = control.bits == 16 ? 3 : control.bits == 8 ? 1 : 0;

	return control.mode | enable << 8;
}

struct rule_control rules_request(const struct rules *rules, struct rule_control now, u32 reg)
{
	static const unsigned int bits[] = { 0, 8, 0, 16 };
	struct rule_control ask = { field(reg, 2, 0), bits[field(reg, 9, 8)] };

	if (ask.bits == 16 && !rules->extended)
		ask.bits = 8;
	if (ask.mode <= DEVICE_SPECIFIC && rules->mode[ask.mode])
		return ask;
	if (ask.bits == 0)
		now.bits = 0;
	return now;
}

u8 rules_view(const struct rules *rules, struct rule_control control, unsigned int at)
{
	u32 reg = 0;

	if (!rules->visible)
		return 0;
	if (at >= 4 && at <= 7)
		reg = rules->visible;
	if (at >= 8 && at <= 11)
		reg = rules_control(control);
	return field(reg, at % 4 * 8 + 7, at % 4 * 8);
}
