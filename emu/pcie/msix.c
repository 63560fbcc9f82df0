// SPDX-License-Identifier: MIT
#include "msix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "format/bits.h"
#include "host/closer.h"

#define VECTOR_MASKED 1u /* Mask Bit in Vector Control */

void msix_define(const struct knobs *knobs, struct config_space *config)
{
	const size_t at = config->places.msix;

	config_define8(config, at, PCI_CAP_ID_MSIX, 0);
	config_define16(config, at + PCI_MSIX_FLAGS, (uint16_t)(knobs->vectors - 1),
			PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	config_define32(config, at + PCI_MSIX_TABLE, knobs->msix_at | knobs->msix_bar, 0);
	config_define32(config, at + PCI_MSIX_PBA, knobs->pba_at | knobs->msix_bar, 0);
}

int msix_init(struct msix *msix, const struct knobs *knobs)
{
	*msix = (struct msix){
		.count = knobs->vectors,
		.table_at = knobs->msix_at,
		.pba_at = knobs->pba_at,
	};
	if (knobs->tph && knobs->table == ST_TABLE_MSIX)
		msix->tags = knobs->width == 16 ? 0xffff : 0x00ff;
	if (!msix->count)
		return 0;
	msix->vectors = calloc(msix->count, sizeof(*msix->vectors));
	if (!msix->vectors)
		return -ENOMEM;
	for (unsigned int i = 0; i < msix->count; i++)
		msix->vectors[i].eventfd = -1;
	msix->touched = msix->count;
	msix_disconnect(msix);
	return 0;
}

void msix_fini(struct msix *msix)
{
	msix_disconnect(msix);
	free(msix->vectors);
	*msix = (struct msix){ 0 };
}

void msix_disconnect(struct msix *msix)
{
	for (unsigned int i = 0; i < msix->touched; i++) {
		msix_assign(msix, i, -1);
		msix_mask(msix, i, false);
	}
	msix_reset(msix);
	msix->touched = 0;
}

static struct msix_vector *touch(struct msix *msix, unsigned int vector)
{
	if (vector >= msix->touched)
		msix->touched = vector + 1;
	return &msix->vectors[vector];
}

void msix_reset(struct msix *msix)
{
	for (unsigned int i = 0; i < msix->touched; i++) {
		struct msix_vector *vector = &msix->vectors[i];

		memset(vector->entry, 0, sizeof(vector->entry));
		le32_put(vector->entry + MSIX_ENTRY_CONTROL, VECTOR_MASKED);
		vector->written = false;
		vector->pending = false;
	}
	msix->pending = 0;
}

static uint8_t pba_byte(const struct msix *msix, size_t byte)
{
	uint8_t bits = 0;

	for (size_t i = 0; i < 8 && byte * 8 + i < msix->count; i++)
		bits |= (uint8_t)(msix->vectors[byte * 8 + i].pending << i);
	return bits;
}

bool msix_covers(const struct msix *msix, size_t at, size_t length)
{
	size_t table_end = msix->table_at + msix_table_size(msix->count);
	size_t pba_end = msix->pba_at + msix_pba_size(msix->count);

	return (at < table_end && at + length > msix->table_at) ||
	       (at < pba_end && at + length > msix->pba_at);
}

void msix_read(const struct msix *msix, size_t at, uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++, at++) {
		size_t in_table = at - msix->table_at;

		if (at >= msix->pba_at && at - msix->pba_at < msix_pba_size(msix->count))
			data[i] = pba_byte(msix, at - msix->pba_at);
		else if (at >= msix->table_at && in_table / MSIX_ENTRY_SIZE < msix->count)
			data[i] = msix->vectors[in_table / MSIX_ENTRY_SIZE]
					  .entry[in_table % MSIX_ENTRY_SIZE];
		else
			data[i] = 0;
	}
}

/* Which bits of an entry can be written: address (dword aligned), data, mask bit, tag. */
static uint8_t entry_writable(const struct msix *msix, size_t byte)
{
	switch (byte) {
	case 0:
		return 0xfc;
	case MSIX_ENTRY_CONTROL:
		return VECTOR_MASKED;
	case MSIX_ENTRY_CONTROL + 1:
		return 0;
	case MSIX_ENTRY_CONTROL + 2:
		return (uint8_t)msix->tags;
	case MSIX_ENTRY_CONTROL + 3:
		return (uint8_t)(msix->tags >> 8);
	default:
		return 0xff;
	}
}

void msix_write(struct msix *msix, size_t at, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++, at++) {
		size_t in_table = at - msix->table_at;
		size_t index = in_table / MSIX_ENTRY_SIZE, byte = in_table % MSIX_ENTRY_SIZE;
		uint8_t writable = entry_writable(msix, byte);
		struct msix_vector *vector;

		if (at < msix->table_at || index >= msix->count)
			continue;
		vector = touch(msix, (unsigned int)index);
		vector->entry[byte] =
			(uint8_t)((vector->entry[byte] & ~writable) | (data[i] & writable));
		vector->written = true;
	}
}

uint16_t msix_tag(const struct msix *msix, unsigned int index)
{
	return le16_get(msix->vectors[index].entry + MSIX_ENTRY_CONTROL + 2);
}

void msix_assign(struct msix *msix, unsigned int vector, int eventfd)
{
	struct msix_vector *one;

	if (vector >= msix->touched && eventfd < 0)
		return;
	one = touch(msix, vector);
	if (one->eventfd >= 0)
		closer_take(msix->closer, one->eventfd);
	one->eventfd = eventfd;
}

void msix_mask(struct msix *msix, unsigned int vector, bool masked)
{
	touch(msix, vector)->masked = masked;
}

void msix_trigger(struct msix *msix, unsigned int vector)
{
	struct msix_vector *one = touch(msix, vector);

	if (!one->pending)
		msix->pending++;
	one->pending = true;
}

static bool sendable(const struct msix_vector *vector)
{
	if (!vector->pending || vector->masked || vector->eventfd < 0)
		return false;
	return !vector->written || !(vector->entry[MSIX_ENTRY_CONTROL] & VECTOR_MASKED);
}

int msix_send_next(struct msix *msix)
{
	if (!msix->pending)
		return -1;
	for (unsigned int i = 0; i < msix->touched; i++) {
		struct msix_vector *vector = &msix->vectors[i];

		if (!sendable(vector))
			continue;
		if (!closer_signal(msix->closer, vector->eventfd))
			return -1;
		vector->pending = false;
		msix->pending--;
		return (int)i;
	}
	return -1;
}
