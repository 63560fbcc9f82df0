// SPDX-License-Identifier: MIT
#include "tlp.h"

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
	return (hint & TPH_EMU_HINT_SOURCE) >> TPH_EMU_SOURCE_SHIFT;
}

/* Whether the control register lets a hint out, in a mode that the function has. */
static bool hint_permitted(const struct knobs *knobs, uint32_t control)
{
	return knobs->tph && tph_control_on(control) &&
	       knobs->modes & 1u << tph_control_mode(control);
}

enum tlp_entry tlp_entry(const struct knobs *knobs, uint32_t control, uint32_t hint)
{
	if (!hint_permitted(knobs, control) || !tlp_wants_entry(hint))
		return TLP_ENTRY_NONE;
	if (tph_control_mode(control) == ST_MODE_NO_ST)
		return TLP_ENTRY_NONE;
	/* This device takes its tags from the table in Device Specific mode too, if it has one. */
	return (hint & TPH_EMU_HINT_SELECT) < tph_entries(knobs) ? TLP_ENTRY_NEEDED
								 : TLP_ENTRY_NONE;
}

struct tlp_hint tlp_hint(const struct knobs *knobs, uint32_t control, uint32_t hint, uint16_t entry,
			 const struct tlp *tlp)
{
	const bool extended = tph_control_enable(control) == TPH_ENABLE_EXTENDED;
	const struct tlp_hint none = { .th = false };
	struct tlp_hint with = {
		.th = true,
		.ph = (uint8_t)((hint & TPH_EMU_HINT_PH) >> TPH_EMU_PH_SHIFT),
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
	case TPH_EMU_SOURCE_ENTRY:
		if (mode == ST_MODE_NO_ST)
			return with;
		if (tlp_entry(knobs, control, hint) == TLP_ENTRY_NONE)
			return none;
		/* With 01b the lower byte is the tag; it is another namespace, not a short form. */
		with.st = extended ? entry : entry & 0xff;
		return with;
	case TPH_EMU_SOURCE_TAG:
		with.st = (uint16_t)(hint & TPH_EMU_HINT_SELECT);
		if (mode != ST_MODE_DEVICE_SPECIFIC || (!extended && with.st > 0xff))
			return none;
		return with;
	default:
		return none;
	}
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
