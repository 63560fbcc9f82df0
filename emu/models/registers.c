// SPDX-License-Identifier: MIT
#include "registers.h"

#include "endpoint_regs.h"

uint32_t registers_read(const struct tph_emu *emu, const struct dma *dma,
			const struct queues *queues, uint64_t at)
{
	uint32_t value;

	if (tph_emu_instrument_read(emu, at, &value))
		return value;

	switch (at) {
	case EP_ID:
		return EP_ID_VALUE;
	case EP_VERSION:
		return EP_VERSION_VALUE;
	case EP_VECTORS:
		return tph_emu_function(emu)->vectors;
	case EP_ENTRIES:
		return tph_emu_function(emu)->entries;
	case EP_DMA_SRC_LO:
		return (uint32_t)dma->setup.source;
	case EP_DMA_SRC_HI:
		return (uint32_t)(dma->setup.source >> 32);
	case EP_DMA_DST_LO:
		return (uint32_t)dma->setup.destination;
	case EP_DMA_DST_HI:
		return (uint32_t)(dma->setup.destination >> 32);
	case EP_DMA_LENGTH:
		return dma->setup.length;
	case EP_DMA_PATTERN:
		return dma->setup.pattern;
	case EP_DMA_HINT:
		return dma->setup.hint;
	case EP_DMA_VECTOR:
		return dma->setup.vector;
	case EP_DMA_STATUS:
		return dma->status;
	case EP_DMA_FAULT:
		return dma->fault;
	case EP_DMA_SUM:
		return dma->sum;
	case EP_DMA_REPEAT:
		return dma->repeat;
	default:
		return queues_read(queues, at);
	}
}

static uint64_t low(uint64_t old, uint32_t value)
{
	return (old & ~(uint64_t)UINT32_MAX) | value;
}

static uint64_t high(uint64_t old, uint32_t value)
{
	return (old & UINT32_MAX) | (uint64_t)value << 32;
}

void registers_write(struct tph_emu *emu, struct dma *dma, struct queues *queues, uint64_t at,
		     uint32_t value)
{
	struct dma_setup *setup = &dma->setup;

	if (tph_emu_instrument_write(emu, at, value))
		return;

	switch (at) {
	case EP_DMA_SRC_LO:
		setup->source = low(setup->source, value);
		break;
	case EP_DMA_SRC_HI:
		setup->source = high(setup->source, value);
		break;
	case EP_DMA_DST_LO:
		setup->destination = low(setup->destination, value);
		break;
	case EP_DMA_DST_HI:
		setup->destination = high(setup->destination, value);
		break;
	case EP_DMA_LENGTH:
		setup->length = value;
		break;
	case EP_DMA_PATTERN:
		setup->pattern = value;
		break;
	case EP_DMA_HINT:
		setup->hint = value;
		break;
	case EP_DMA_VECTOR:
		setup->vector = value;
		break;
	case EP_DMA_DOORBELL:
		dma_doorbell(emu, dma, value);
		break;
	case EP_DMA_REPEAT:
		dma->repeat = value;
		break;
	case EP_ERROR_CORRECTABLE:
		tph_emu_detect(emu, value, 0);
		break;
	case EP_ERROR_UNCORRECTABLE:
		tph_emu_detect(emu, 0, value);
		break;
	default:
		queues_write(emu, queues, at, value);
		break;
	}
}
