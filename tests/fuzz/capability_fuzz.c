// SPDX-License-Identifier: MIT
/*
 * What of a capability is offered, and what the user sees of it, against rules.c: any registers,
 * sizes and platform; every policy, every state that can be reached, every offset and width of an
 * access, every value of the control register.
 */
#include <linux/errno.h>

#include "capability.h"
#include "control.h"
#include "input.h"
#include "ledger.h"
#include "rules.h"
#include "verdict.h"
#include "virtual_config.h"

#define WIDEST		8	/* bytes of one access */
#define CONTROL_VALUES	0x800	/* one reserved bit beside the fields: it must not matter */

static void check_decoded(const struct rules *rules, u16 offset, u16 room,
			  const struct tph_capability *cap)
{
	static const enum tph_place places[] = { TPH_PLACE_NONE, TPH_PLACE_CAPABILITY,
						 TPH_PLACE_MSIX };

	must(cap->offset == (rules->capability ? offset : 0), "capability at 0x%x", cap->offset);
	must(cap->offset + cap->length == (int)rules->end, "capability of 0x%x ends at 0x%x", offset,
	     cap->offset + cap->length);
	must(cap->extent <= room && cap->extent <= 12 + 128, "0x%x bytes are kept from the user",
	     cap->extent);
	must(!rules->capability || cap->extent == (room < 12 + 128 ? room : 12 + 128),
	     "0x%x bytes are kept from the user of 0x%x", cap->extent, room);
	must(cap->place == places[rules->table], "table in place %d", (int)cap->place);
	must(cap->entries == rules->entries, "table of %u entries", cap->entries);
}

static void check_offer(const struct rules *rules, const struct tph_offer *offer)
{
	for (unsigned int mode = 0; mode < 3; mode++)
		must(rules->mode[mode] == !!(offer->modes & 1U << mode), "mode %u offered: %d", mode,
		     !rules->mode[mode]);
	must(!(offer->modes & ~7U), "modes 0x%x", offer->modes);
	must(offer->extended == rules->extended, "extended tags offered: %d", offer->extended);
	must(offer->entries == rules->slots, "%u entries offered", offer->entries);
	must(offer->steering == -rules->refusal, "steering says %d", offer->steering);
}

static struct tph_control driver_control(struct rule_control control)
{
	u8 width = control.bits == 16 ? TPH_WIDTH_16 : control.bits ? TPH_WIDTH_8 : TPH_WIDTH_NONE;

	return (struct tph_control){ .mode = control.mode, .width = width };
}

static void check_control(const struct rules *rules, struct rule_control expected,
			  struct tph_control got, unsigned int at, unsigned int count)
{
	must(tph_control_register(got) == rules_control(expected),
	     "%u bytes at %u: control 0x%x instead of 0x%x", count, at, tph_control_register(got),
	     rules_control(expected));
	must(!got.width || rules->mode[got.mode], "mode %u enabled", got.mode);
}

/* Every access, and what it makes of one state. */
static void check_view(const struct rules *rules, const struct tph_offer *offer,
		       struct rule_control state, unsigned int length, const u8 *bytes)
{
	const struct tph_control now = driver_control(state);
	struct tph_control got;
	u32 reg;

	for (unsigned int at = PCI_TPH_CAP; at < length; at++)
		must(tph_view_byte(offer, now, at) == rules_view(rules, state, at),
		     "byte %u reads 0x%x", at, tph_view_byte(offer, now, at));

	for (unsigned int at = PCI_TPH_CAP; at < length; at++) {
		for (unsigned int count = 1; count <= WIDEST && at + count <= length; count++) {
			reg = rules_control(state);
			for (unsigned int i = 0; i < count; i++) {
				unsigned int shift = (at + i) % 4 * 8;

				if ((at + i) / 4 == 2)
					reg = (reg & ~(0xffU << shift)) | (u32)bytes[i] << shift;
			}
			check_control(rules, rules_request(rules, state, reg),
				      virtual_config_write(offer, now, at, bytes, count), at, count);
		}
	}

	for (reg = 0; reg < CONTROL_VALUES; reg++) {
		u8 whole[4] = { reg, reg >> 8, bytes[2], bytes[3] };

		got = virtual_config_write(offer, now, PCI_TPH_CTRL, whole, 4);
		check_control(rules, rules_request(rules, state, reg), got, PCI_TPH_CTRL, 4);
	}
}

static void check_policy(struct rule_facts *facts, const struct tph_platform *platform,
			 enum tph_policy policy, const u8 *bytes)
{
	static const unsigned int bits[] = { 0, 8, 16 };
	static const enum rule_policy same[] = { RULE_NO_ST, RULE_IV_ST, RULE_DS_ST };
	struct tph_capability cap;
	struct tph_offer offer;
	struct rules rules;

	facts->policy = same[policy];
	rules_make(facts, &rules);
	tph_capability_decode(facts->offset, facts->reg, facts->room, facts->msix, &cap);
	check_decoded(&rules, facts->offset, facts->room, &cap);
	tph_offer_make(&cap, platform, policy, &offer);
	check_offer(&rules, &offer);

	for (unsigned int mode = 0; mode < 3; mode++) {
		for (unsigned int width = 0; width < 3; width++) {
			struct rule_control state = { mode, bits[width] };

			/* mode 0, off is what every user finds, the rest has to be on offer */
			if (!(mode == 0 && width == 0) &&
			    (!rules.mode[mode] || (bits[width] == 16 && !rules.extended)))
				continue;
			check_view(&rules, &offer, state, cap.length, bytes);
		}
	}
}

/* PCI Firmware 3.3 ECN: bit 0 and 1 say which tag is valid; 15:8 and 31:16 are the tags. */
static void check_tags(u64 answer)
{
	for (int persistent = 0; persistent < 2; persistent++) {
		u32 half = persistent ? answer >> 32 : answer & 0xffffffff;
		u16 st = half & 1 ? half >> 8 & 0xff : 0, xst = half & 2 ? half >> 16 : 0;
		struct tph_entry entry = { .cpu = 0 };

		tph_tags_decode(answer, persistent, &entry.tags);
		must(tph_entry_tag(&entry, TPH_WIDTH_8) == st, "8-bit tag 0x%x of 0x%x",
		     tph_entry_tag(&entry, TPH_WIDTH_8), half);
		must(tph_entry_tag(&entry, TPH_WIDTH_16) == xst, "16-bit tag 0x%x of 0x%x",
		     tph_entry_tag(&entry, TPH_WIDTH_16), half);
		must(tph_tags_valid(&entry.tags, TPH_WIDTH_8) == !!st, "0x%x: 8 bit valid", half);
		must(tph_tags_valid(&entry.tags, TPH_WIDTH_16) == !!xst, "0x%x: 16 bit valid", half);
		must(tph_tags_valid(&entry.tags, TPH_WIDTH_NONE) == (st || xst), "0x%x: any valid",
		     half);
		entry.cpu = TPH_NO_CPU;
		must(!tph_entry_tag(&entry, TPH_WIDTH_8) && !tph_entry_tag(&entry, TPH_WIDTH_16),
		     "a clear entry has a tag");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct tph_platform platform;
	struct rule_facts facts;
	u8 bytes[WIDEST], flags;

	facts.reg = take32(&input);
	facts.offset = take16(&input) & 0xfff;
	facts.room = take16(&input);
	facts.msix = take16(&input);
	flags = take8(&input);
	facts.notph = flags & 1;
	facts.integrated = flags & 2;
	facts.prefixes = flags & 4;
	facts.firmware = flags & 8;
	facts.completer = flags >> 4 & 3;
	facts.shared = flags & 64;
	take(&input, bytes, sizeof(bytes));
	platform = (struct tph_platform){
		.allowed = !facts.notph,
		.root_integrated = facts.integrated,
		.completer = facts.completer,
		.prefixes = facts.prefixes,
		.firmware = facts.firmware,
		.shared = facts.shared,
	};

	for (int policy = TPH_POLICY_NO_ST; policy <= TPH_POLICY_DS_ST; policy++)
		check_policy(&facts, &platform, policy, bytes);
	check_tags(take64(&input));
	return 0;
}
