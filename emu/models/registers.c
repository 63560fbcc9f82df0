// SPDX-License-Identifier: MIT
#include "registers.h"

#include "endpoint_regs.h"
#include "pcie/endpoint.h"

static uint32_t count_config(const struct endpoint *endpoint, bool write)
{
	const struct counters *counters = &endpoint->counters;
	uint32_t at = endpoint->count_select;

	if (at == EP_COUNT_ALL)
		return write ? counters->writes : counters->reads;
	if (at >= CONFIG_SPACE_SIZE)
		return 0;
	return write ? counters->config_writes[at / 4] : counters->config_reads[at / 4];
}

static uint32_t trace_read(const struct tlp_trace *trace, size_t at)
{
	return trace->slots[at / EP_TRACE_STRIDE][at % EP_TRACE_STRIDE / 4];
}

uint32_t registers_read(const struct endpoint *endpoint, size_t at)
{
	const struct counters *counters = &endpoint->counters;
	const struct knobs *knobs = &endpoint->knobs;
	const struct dma *dma = &endpoint->dma;

	if (at >= EP_RECEIVED && at < EP_RECEIVED + EP_TRACE_SLOTS * EP_TRACE_STRIDE)
		return trace_read(&endpoint->received, at - EP_RECEIVED);
	if (at >= EP_TRACE && at < EP_TRACE + EP_TRACE_SLOTS * EP_TRACE_STRIDE)
		return trace_read(&endpoint->trace, at - EP_TRACE);

	switch (at) {
	case EP_ID:
		return EP_ID_VALUE;
	case EP_VERSION:
		return EP_VERSION_VALUE;
	case EP_VECTORS:
		return knobs->vectors;
	case EP_ENTRIES:
		return knobs->tph ? tph_entries(knobs) : 0;
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
	case EP_COUNT_SELECT:
		return endpoint->count_select;
	case EP_COUNT_CFG_READS:
		return count_config(endpoint, false);
	case EP_COUNT_CFG_WRITES:
		return count_config(endpoint, true);
	case EP_COUNT_TPH:
		return counters->tph;
	case EP_COUNT_OFF_WINDOWS:
		return counters->off_windows;
	case EP_COUNT_ST_WRITES:
		return counters->st_writes;
	case EP_COUNT_FAULTS:
		return counters->faults;
	case EP_COUNT_RESETS:
		return counters->resets;
	case EP_COUNT_RECEIVED:
		return counters->received;
	case EP_COUNT_MALFORMED:
		return counters->malformed;
	case EP_COUNT_ASLEEP_READS:
		return counters->asleep_reads;
	case EP_COUNT_ASLEEP_WRITES:
		return counters->asleep_writes;
	case EP_COUNT_ASLEEP_MEMORY:
		return counters->asleep_memory;
	case EP_TRACE_HEAD:
		return endpoint->trace.head;
	case EP_RECEIVED_HEAD:
		return endpoint->received.head;
	default:
		return queues_read(endpoint, at);
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

void registers_write(struct endpoint *endpoint, size_t at, uint32_t value)
{
	struct dma_setup *setup = &endpoint->dma.setup;

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
		dma_doorbell(endpoint, value);
		break;
	case EP_DMA_REPEAT:
		endpoint->dma.repeat = value;
		break;
	case EP_COUNT_SELECT:
		endpoint->count_select = value;
		break;
	case EP_COUNT_CLEAR:
		counters_clear(&endpoint->counters);
		break;
	case EP_ERROR_CORRECTABLE:
		endpoint_error(endpoint, value, 0);
		break;
	case EP_ERROR_UNCORRECTABLE:
		endpoint_error(endpoint, 0, value);
		break;
	default:
		queues_write(endpoint, at, value);
		break;
	}
}
