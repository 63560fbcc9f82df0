// SPDX-License-Identifier: MIT
#include "dma.h"

#include "endpoint_regs.h"
#include "engines.h"

#define TLPS_AT_ONCE 16 /* then it is other functions' and clients' turn */

static const char *command_name(uint32_t command)
{
	switch (command) {
	case EP_DMA_WRITE:
		return "write";
	case EP_DMA_READ:
		return "read";
	case EP_DMA_COPY:
		return "copy";
	default:
		return "unknown";
	}
}

static void start(struct tph_emu *emu, struct dma *dma)
{
	tph_emu_begin(emu, ENGINE_DMA);
	dma->done = dma->buffered = dma->drained = 0;
	dma->sum = 0;
	dma->fault = EP_FAULT_NONE;
	dma->status = EP_DMA_BUSY;
}

static bool has_entry(uint32_t hint)
{
	return (hint & EP_HINT_SOURCE_MASK) >> EP_HINT_SOURCE_SHIFT == EP_HINT_ENTRY;
}

/* The last command once more, on behalf of the next ST entry. */
static void start_next(struct tph_emu *emu, struct dma *dma)
{
	const unsigned int entries = tph_emu_function(emu)->entries;
	uint32_t select = dma->run.hint & EP_HINT_SELECT_MASK;

	if (has_entry(dma->run.hint) && entries)
		dma->run.hint = (dma->run.hint & ~EP_HINT_SELECT_MASK) | (select + 1) % entries;
	start(emu, dma);
}

static void finish(struct tph_emu *emu, struct dma *dma, uint32_t status)
{
	dma->status = status;
	tph_emu_interrupt(emu, dma->run.vector);
	if (dma->left) {
		dma->left--;
		start_next(emu, dma);
	}
}

/* @request could not be sent, NULL if it did not come to one. */
static void fault(struct tph_emu *emu, struct dma *dma, uint32_t reason,
		  const struct tph_emu_request *request)
{
	const struct tph_emu_error error = {
		.reason = reason,
		.command = command_name(dma->command),
		.done = dma->done,
		.request = request,
	};

	tph_emu_fault(emu, &error);
	dma->fault = reason;
	finish(emu, dma, EP_DMA_FAULTED);
}

/* Sends a request of the command. Return: as tph_emu_send(); a fault has ended the command then. */
static int transfer(struct tph_emu *emu, struct dma *dma, uint32_t type, uint64_t address,
		    uint32_t left, uint8_t *data)
{
	const struct tph_emu_request request = {
		.type = type,
		.address = address,
		.data = data,
		.length = tph_emu_length(emu, type, address, left),
		.hint = dma->run.hint,
		.peer = true,
	};
	int ret;

	if (dma->command == EP_DMA_WRITE)
		for (uint32_t i = 0; i < request.length; i++)
			data[i] = (uint8_t)(dma->run.pattern >> 8 * ((dma->done + i) % 4));
	ret = tph_emu_send(emu, ENGINE_DMA, &request);
	if (ret < 0)
		fault(emu, dma, (uint32_t)-ret, &request);
	return ret;
}

static int send_read(struct tph_emu *emu, struct dma *dma)
{
	const int ret = transfer(emu, dma, TPH_EMU_READ, dma->run.source + dma->done,
				 dma->run.length - dma->done, dma->buffer);

	if (ret <= 0)
		return ret;
	for (int i = 0; i < ret; i++)
		dma->sum += dma->buffer[i];
	dma->buffered = (uint32_t)ret;
	dma->drained = 0;
	if (dma->command == EP_DMA_READ)
		dma->done += (uint32_t)ret;
	return ret;
}

static int send_write(struct tph_emu *emu, struct dma *dma, uint32_t left, uint8_t *data)
{
	const int ret =
		transfer(emu, dma, TPH_EMU_WRITE, dma->run.destination + dma->done, left, data);

	if (ret <= 0)
		return ret;
	dma->done += (uint32_t)ret;
	dma->drained += (uint32_t)ret;
	return ret;
}

/* One TLP; false if it waits for somebody. */
static bool step(struct tph_emu *emu, struct dma *dma)
{
	int ret;

	if (dma->command < EP_DMA_WRITE || dma->command > EP_DMA_COPY || !dma->run.length ||
	    dma->run.length > EP_DMA_LENGTH_MAX) {
		fault(emu, dma, EP_FAULT_COMMAND, NULL);
		return true;
	}
	switch (dma->command) {
	case EP_DMA_WRITE:
		ret = send_write(emu, dma, dma->run.length - dma->done, dma->buffer);
		break;
	case EP_DMA_READ:
		ret = send_read(emu, dma);
		break;
	default:
		if (dma->drained == dma->buffered)
			ret = send_read(emu, dma);
		else
			ret = send_write(emu, dma, dma->buffered - dma->drained,
					 dma->buffer + dma->drained);
		break;
	}
	if (ret > 0 && dma->done == dma->run.length)
		finish(emu, dma, EP_DMA_DONE);
	return ret;
}

bool dma_work(struct tph_emu *emu, struct dma *dma)
{
	for (int i = 0; i < TLPS_AT_ONCE && dma->status == EP_DMA_BUSY; i++)
		if (!step(emu, dma))
			return false;
	return dma->status == EP_DMA_BUSY;
}

void dma_reset(struct dma *dma)
{
	const struct dma old = *dma;

	*dma = (struct dma){ .setup.vector = EP_DMA_NO_VECTOR };
	if (old.repeat) {
		dma->repeat = old.repeat;
		dma->run = old.run;
		dma->command = old.command;
	}
}

void dma_power_on(struct dma *dma)
{
	dma->repeat = 0;
	dma_reset(dma);
}

void dma_config_written(struct tph_emu *emu, struct dma *dma)
{
	if (!dma->repeat || !dma->command)
		return;
	dma->left = dma->repeat;
	if (dma->status != EP_DMA_BUSY) {
		dma->left--;
		start_next(emu, dma);
	}
}

void dma_doorbell(struct tph_emu *emu, struct dma *dma, uint32_t command)
{
	if (dma->status == EP_DMA_BUSY)
		return;
	dma->run = dma->setup;
	dma->command = command;
	dma->left = 0;
	start(emu, dma);
}
