// SPDX-License-Identifier: MIT
#include "tag.h"

#include <errno.h>

#include "instrument/qmp.h"
#include "tlp.h"
#include "tph.h"

static void arrived(void *owner, int error, uint32_t value)
{
	struct tag_lookup *lookup = owner;

	lookup->request = NULL;
	lookup->state = error ? TAG_FAILED : TAG_KNOWN;
	lookup->tag = (uint16_t)(value >> 16);
}

static int ask(const struct tag_source *source, struct tag_lookup *lookup)
{
	const uint64_t address = source->msix_address + source->knobs->msix_at +
				 MSIX_ENTRY_SIZE * (uint64_t)lookup->index + MSIX_ENTRY_CONTROL;

	if (!source->msix_address ||
	    qmp_read32(source->monitor, address, arrived, lookup, &lookup->request))
		return -EIO;
	lookup->state = TAG_ASKED;
	return -EAGAIN;
}

int tag_get(const struct tag_source *source, struct tag_lookup *lookup, uint32_t hint,
	    uint16_t *tag)
{
	const struct knobs *knobs = source->knobs;
	const uint32_t control = tph_control(knobs, source->config);
	const unsigned int index = hint & TPH_EMU_HINT_SELECT;

	*tag = 0;
	if (tlp_entry(knobs, control, hint) == TLP_ENTRY_NONE)
		return 0;
	if (knobs->table == ST_TABLE_CAPABILITY) {
		*tag = tph_table_entry(knobs, source->config, index);
		return 0;
	}
	if (!source->monitor) {
		*tag = msix_tag(source->msix, index);
		return 0;
	}

	if (lookup->index != index)
		tag_forget(source, lookup);
	lookup->index = index;
	switch (lookup->state) {
	case TAG_KNOWN:
		*tag = lookup->tag;
		return 0;
	case TAG_ASKED:
		return -EAGAIN;
	case TAG_UNKNOWN:
		return ask(source, lookup);
	case TAG_FAILED:
		break;
	}
	return -EIO;
}

void tag_forget(const struct tag_source *source, struct tag_lookup *lookup)
{
	if (lookup->request)
		qmp_cancel(source->monitor, lookup->request);
	lookup->request = NULL;
	lookup->state = TAG_UNKNOWN;
}
