// SPDX-License-Identifier: MIT
#include "tag.h"

#include <errno.h>

#include "endpoint.h"
#include "instrument/qmp.h"

static void arrived(void *owner, int error, uint32_t value)
{
	struct tag_lookup *lookup = owner;

	lookup->request = NULL;
	lookup->state = error ? TAG_FAILED : TAG_KNOWN;
	lookup->tag = (uint16_t)(value >> 16);
}

static int ask(struct endpoint *endpoint, struct tag_lookup *lookup)
{
	const uint64_t address = endpoint->msix_address + endpoint->knobs.msix_at +
				 MSIX_ENTRY_SIZE * (uint64_t)lookup->index + MSIX_ENTRY_CONTROL;

	if (!endpoint->msix_address ||
	    qmp_read32(endpoint->qmp, address, arrived, lookup, &lookup->request))
		return -EIO;
	lookup->state = TAG_ASKED;
	return -EAGAIN;
}

int tag_get(struct endpoint *endpoint, struct tag_lookup *lookup, uint32_t hint, uint16_t *tag)
{
	const struct knobs *knobs = &endpoint->knobs;
	const uint32_t control = tph_control(knobs, &endpoint->config);
	const unsigned int index = hint & EP_HINT_SELECT_MASK;

	*tag = 0;
	if (tlp_entry(knobs, control, hint) == TLP_ENTRY_NONE)
		return 0;
	if (knobs->table == ST_TABLE_CAPABILITY) {
		*tag = tph_table_entry(knobs, &endpoint->config, index);
		return 0;
	}
	if (!endpoint->qmp) {
		*tag = msix_tag(&endpoint->msix, index);
		return 0;
	}

	if (lookup->index != index)
		tag_forget(endpoint, lookup);
	lookup->index = index;
	switch (lookup->state) {
	case TAG_KNOWN:
		*tag = lookup->tag;
		return 0;
	case TAG_ASKED:
		return -EAGAIN;
	case TAG_UNKNOWN:
		return ask(endpoint, lookup);
	case TAG_FAILED:
		break;
	}
	return -EIO;
}

void tag_forget(struct endpoint *endpoint, struct tag_lookup *lookup)
{
	if (lookup->request)
		qmp_cancel(endpoint->qmp, lookup->request);
	lookup->request = NULL;
	lookup->state = TAG_UNKNOWN;
}
