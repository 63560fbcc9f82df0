// SPDX-License-Identifier: MIT
#include "tlp.h"

#include <stdio.h>

#include "tph.h"

uint32_t tlp_length(uint64_t address, uint32_t left, uint32_t limit)
{
	uint32_t room = limit - (uint32_t)(address % 4);
	uint32_t page = TLP_PAGE - (uint32_t)(address % TLP_PAGE);

	if (room > page)
		room = page;
	return left < room ? left : room;
}

static unsigned int hint_source(uint32_t hint)
{
	return (hint & EP_HINT_SOURCE_MASK) >> EP_HINT_SOURCE_SHIFT;
}

/* Whether the control register lets a hint out, in a mode that the function has. */
static bool hint_permitted(const struct knobs *knobs, uint32_t control)
{
	return knobs->tph && tph_control_on(control) &&
	       knobs->modes & 1u << tph_control_mode(control);
}

enum tlp_entry tlp_entry(const struct knobs *knobs, uint32_t control, uint32_t hint)
{
	if (!hint_permitted(knobs, control) || hint_source(hint) != EP_HINT_ENTRY)
		return TLP_ENTRY_NONE;
	if (tph_control_mode(control) == ST_MODE_NO_ST)
		return TLP_ENTRY_NONE;
	/* This device takes its tags from the table in Device Specific mode too, if it has one. */
	return (hint & EP_HINT_SELECT_MASK) < tph_entries(knobs) ? TLP_ENTRY_NEEDED : TLP_ENTRY_NONE;
}

struct tlp_hint tlp_hint(const struct knobs *knobs, uint32_t control, uint32_t hint, uint16_t entry,
			 const struct tlp *tlp)
{
	const bool extended = tph_control_enable(control) == TPH_ENABLE_EXTENDED;
	const struct tlp_hint none = { .th = false };
	struct tlp_hint with = {
		.th = true,
		.ph = (uint8_t)((hint & EP_HINT_PH_MASK) >> EP_HINT_PH_SHIFT),
		.width = extended ? 16 : 8,
	};
	unsigned int mode = tph_control_mode(control);

	if (!hint_permitted(knobs, control))
		return none;
	/*
	 * A read with TH set carries the tag in place of its byte enables, which count as all ones
	 * (2.2.7.1.1): it can ask for whole dwords only.
	 */
	if (tlp->type == TLP_MEMORY_READ && (tlp->address % 4 || tlp->length % 4))
		return none;

	switch (hint_source(hint)) {
	case EP_HINT_ENTRY:
		if (mode == ST_MODE_NO_ST)
			return with;
		if (tlp_entry(knobs, control, hint) == TLP_ENTRY_NONE)
			return none;
		/* With 01b the lower byte is the tag; it is another namespace, not a short form. */
		with.st = extended ? entry : entry & 0xff;
		return with;
	case EP_HINT_TAG:
		with.st = (uint16_t)(hint & EP_HINT_SELECT_MASK);
		if (mode != ST_MODE_DEVICE_SPECIFIC || (!extended && with.st > 0xff))
			return none;
		return with;
	default:
		return none;
	}
}

void tlp_trace_add(struct tlp_trace *trace, const struct tlp *tlp, uint16_t rid)
{
	uint32_t *slot = trace->slots[trace->head % EP_TRACE_SLOTS];

	slot[EP_TLP_SEQ / 4] = trace->head++;
	slot[EP_TLP_FLAGS / 4] = tlp->type | (uint32_t)tlp->kind << EP_TLP_KIND_SHIFT |
				 (uint32_t)tlp->queue << EP_TLP_QUEUE_SHIFT |
				 (tlp->transmit ? EP_TLP_TRANSMIT : 0);
	if (tlp->hint.th)
		slot[EP_TLP_FLAGS / 4] |= EP_TLP_TH | (uint32_t)tlp->hint.ph << EP_TLP_PH_SHIFT |
					  (uint32_t)tlp->hint.width << EP_TLP_WIDTH_SHIFT;
	slot[EP_TLP_ST / 4] = tlp->hint.st;
	slot[EP_TLP_LENGTH / 4] = tlp->length;
	slot[EP_TLP_ADDR_LO / 4] = (uint32_t)tlp->address;
	slot[EP_TLP_ADDR_HI / 4] = (uint32_t)(tlp->address >> 32);
	slot[EP_TLP_RID / 4] = rid;
}

const char *tlp_type_name(enum tlp_type type)
{
	return type == TLP_MEMORY_WRITE ? "MWr" : "MRd";
}

const char *tlp_kind_name(enum tlp_kind kind)
{
	static const char *const names[] = {
		[TLP_DMA] = "dma",	 [TLP_FETCH] = "fetch",	    [TLP_DESCRIPTOR] = "descriptor",
		[TLP_HEADER] = "header", [TLP_PAYLOAD] = "payload",
	};

	return names[kind];
}

bool tlp_hint_has_entry(uint32_t hint)
{
	return hint_source(hint) == EP_HINT_ENTRY;
}

static void log_hint(struct json_object *line, const struct tlp_hint *hint)
{
	log_number(line, "th", hint->th);
	if (!hint->th)
		return;
	log_number(line, "ph", hint->ph);
	log_hex(line, "st", hint->st, hint->width / 4);
	log_number(line, "width", hint->width);
}

static void log_requester(struct json_object *line, uint16_t rid)
{
	char requester[16];

	snprintf(requester, sizeof(requester), "%02x:%02x.%x", (unsigned int)(rid >> 8),
		 (unsigned int)(rid >> 3 & 0x1f), (unsigned int)(rid & 7));
	log_string(line, "requester", requester);
}

void tlp_log(struct log *log, const struct knobs *knobs, uint32_t hint, const struct tlp *tlp,
	     const struct tlp_path *path)
{
	struct json_object *line = log_event(log, "tlp", knobs->name);

	log_string(line, "type", tlp_type_name(tlp->type));
	log_hex(line, "address", tlp->address, 1);
	log_number(line, "length", tlp->length);
	log_hint(line, &tlp->hint);
	if (tlp->hint.th && tlp_hint_has_entry(hint))
		log_number(line, "entry", hint & EP_HINT_SELECT_MASK);
	log_requester(line, knobs->rid);
	if (tlp->kind != TLP_DMA) {
		log_string(line, "direction", tlp->transmit ? "transmit" : "receive");
		log_number(line, "queue", tlp->queue);
		log_string(line, "kind", tlp_kind_name(tlp->kind));
	}
	if (path)
		log_string(line, "path", "client");
	if (path && path->peer)
		log_string(line, "peer", path->peer);
	log_write(log, line);
}

bool tlp_is_malformed(const struct knobs *completer, const struct tlp *tlp)
{
	/* An extended tag travels in a prefix, also if its upper byte is 0. */
	return tlp->hint.th && tlp->hint.width == 16 && completer->completer != COMPLETER_EXTENDED;
}

enum tlp_hint_use tlp_hint_use(const struct knobs *completer, const struct tlp *tlp)
{
	if (!tlp->hint.th)
		return TLP_HINT_NONE;
	if (completer->completer == COMPLETER_EXTENDED ||
	    (completer->completer == COMPLETER_TPH && tlp->hint.width == 8))
		return TLP_HINT_TAKEN;
	return TLP_HINT_IGNORED;
}

void tlp_received_log(struct log *log, const struct knobs *completer, const struct tlp *tlp,
		      const struct tlp_arrival *arrival)
{
	static const char *const verdicts[] = {
		[TLP_ACCEPTED] = "accepted",
		[TLP_MALFORMED] = "malformed",
		[TLP_UNSUPPORTED] = "unsupported-request",
	};
	static const char *const uses[] = {
		[TLP_HINT_NONE] = "none",
		[TLP_HINT_IGNORED] = "ignored",
		[TLP_HINT_TAKEN] = "taken",
	};
	struct json_object *line = log_event(log, "received", completer->name);

	log_string(line, "type", tlp_type_name(tlp->type));
	log_number(line, "bar", arrival->bar);
	log_hex(line, "offset", arrival->offset, 1);
	log_number(line, "length", tlp->length);
	log_hint(line, &tlp->hint);
	log_requester(line, arrival->requester);
	log_string(line, "verdict", verdicts[arrival->verdict]);
	log_string(line, "hint", uses[arrival->use]);
	log_write(log, line);
}

void tlp_received_trace(struct tlp_trace *trace, const struct tlp *tlp,
			const struct tlp_arrival *arrival)
{
	uint32_t *slot = trace->slots[trace->head % EP_TRACE_SLOTS];
	struct tlp at_bar = *tlp;

	at_bar.address = arrival->offset;
	tlp_trace_add(trace, &at_bar, arrival->requester);
	slot[EP_TLP_ARRIVAL / 4] = arrival->bar |
				   (uint32_t)arrival->verdict << EP_TLP_VERDICT_SHIFT |
				   (uint32_t)arrival->use << EP_TLP_HINT_USE_SHIFT;
}
