/* SPDX-License-Identifier: MIT */
/*
 * What a user of a function may have, said a second time: from the text of PCIe 6.2 and of the
 * design, in bit numbers, without a line of the driver's. The harnesses judge the driver by it.
 */
#ifndef FUZZ_RULES_H
#define FUZZ_RULES_H

#include <linux/types.h>

enum rule_location { RULE_NO_TABLE, RULE_IN_CAPABILITY, RULE_IN_MSIX };
enum rule_policy { RULE_NO_ST, RULE_IV_ST, RULE_DS_ST };

/**
 * struct rule_facts - all that the answer depends on
 * @offset: of the capability, 0 without one
 * @reg: its capability register
 * @room: bytes from @offset to the next capability, or to the end of configuration space
 * @msix: entries of the MSI-X table
 * @notph: the kernel was told pci=notph
 * @integrated: no root port above
 * @completer: what the root port says
 * @prefixes: switches let End-End prefixes through
 * @firmware: tells steering tags
 * @shared: another requester is in the IOMMU group
 * @policy: of the operator
 */
struct rule_facts {
	u16 offset;
	u32 reg;
	u16 room;
	u16 msix;
	bool notph;
	bool integrated;
	u8 completer;
	bool prefixes;
	bool firmware;
	bool shared;
	enum rule_policy policy;
};

/**
 * struct rules - the answer
 * @capability: the function has a usable one
 * @end: first byte after it
 * @table: where hardware has the ST table
 * @entries: of the table, 0 without
 * @mode: which of No ST, Interrupt Vector and Device Specific mode can be enabled
 * @extended: 16-bit tags can be enabled
 * @slots: entries that can be set
 * @refusal: what a SET is refused with: 0, EOPNOTSUPP or EPERM
 * @visible: the capability register that the user reads
 */
struct rules {
	bool capability;
	unsigned int end;
	enum rule_location table;
	unsigned int entries;
	bool mode[3];
	bool extended;
	unsigned int slots;
	int refusal;
	u32 visible;
};

/** struct rule_control - what the user has in force: mode 0..2; bits of a tag: 0 (off), 8, 16 */
struct rule_control {
	unsigned int mode;
	unsigned int bits;
};

/** rules_make() - what follows from the facts. */
void rules_make(const struct rule_facts *facts, struct rules *rules);

/** rules_control() - what the register holds for @control. */
u32 rules_control(struct rule_control control);

/** rules_request() - what a write of @reg makes of @now, were hardware perfect. */
struct rule_control rules_request(const struct rules *rules, struct rule_control now, u32 reg);

/** rules_view() - the byte @at of the capability that the user reads, from its header on. */
u8 rules_view(const struct rules *rules, struct rule_control control, unsigned int at);

#endif
