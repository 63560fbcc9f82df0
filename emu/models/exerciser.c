// SPDX-License-Identifier: MIT
#include "exerciser.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint_regs.h"
#include "engines.h"
#include "format/bits.h"
#include "registers.h"

_Static_assert(EP_HINT_SELECT_MASK == TPH_EMU_HINT_SELECT && EP_HINT_PH_MASK == TPH_EMU_HINT_PH &&
		       EP_HINT_SOURCE_MASK == TPH_EMU_HINT_SOURCE &&
		       EP_HINT_ENTRY == TPH_EMU_SOURCE_ENTRY && EP_HINT_TAG == TPH_EMU_SOURCE_TAG,
	       "EP_DMA_HINT is a hint as requests have it");
_Static_assert(EP_FAULT_BUS_MASTER == TPH_EMU_FAULT_BUS_MASTER &&
		       EP_FAULT_UNMAPPED == TPH_EMU_FAULT_UNMAPPED &&
		       EP_FAULT_PERMISSION == TPH_EMU_FAULT_PERMISSION &&
		       EP_FAULT_COMMAND == TPH_EMU_FAULT_COMMAND &&
		       EP_FAULT_TAG == TPH_EMU_FAULT_TAG && EP_FAULT_POWER == TPH_EMU_FAULT_POWER &&
		       EP_FAULT_COMPLETION == TPH_EMU_FAULT_COMPLETION,
	       "EP_DMA_FAULT is why a request could not be sent");

static const char *const keys[] = { "queues", "packets", "latch", NULL };

static void defaults(void *state, struct tph_emu_function *function)
{
	(void)state;
	function->revision = EP_VERSION_VALUE;
	function->registers_size = EP_BAR_SIZE;
	function->registers_end = EP_REGISTERS_END;
}

static int set_queues(struct queues *queues, const char *value, char *why, size_t size)
{
	unsigned long count;
	char *end;

	errno = 0;
	count = strtoul(value, &end, 0);
	if (*value < '0' || *value > '9' || errno || *end || count > EP_QUEUE_MAX) {
		snprintf(why, size, "not a number from 0 to %u", EP_QUEUE_MAX);
		return -1;
	}
	queues->count = (unsigned int)count;
	return 0;
}

static int set_packets(struct queues *queues, const char *value, char *why, size_t size)
{
	char *error;

	if (!packets_load(&queues->packets, value, &error))
		return 0;
	snprintf(why, size, "%s", error);
	free(error);
	return -1;
}

static int set_latch(struct queues *queues, const char *value, char *why, size_t size)
{
	static const char *const words[] = {
		[QUEUE_LATCH_NONE] = "none",
		[QUEUE_LATCH_RING] = "ring",
		[QUEUE_LATCH_ENTRY] = "entry",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], value))
			continue;
		queues->latches.when = (enum queue_latch)i;
		return 0;
	}
	snprintf(why, size, "not one of none, ring, entry");
	return -1;
}

static int set(void *state, const char *key, const char *value, char *why, size_t size)
{
	struct exerciser *exerciser = state;

	if (!strcmp(key, "queues"))
		return set_queues(&exerciser->queues, value, why, size);
	if (!strcmp(key, "latch"))
		return set_latch(&exerciser->queues, value, why, size);
	return set_packets(&exerciser->queues, value, why, size);
}

static int check(void *state, const struct tph_emu_function *function, char *why, size_t size)
{
	const struct exerciser *exerciser = state;

	if (exerciser->queues.count)
		return 0;
	if (exerciser->queues.packets.file)
		snprintf(why, size,
			 "packets: there is no queue to receive them without queues=1 or more");
	else if (exerciser->queues.latches.when)
		snprintf(why, size, "latch: there is no queue to take tags without queues=1 or more");
	else if (function->sent)
		snprintf(why, size,
			 "sent=%s: there is no queue to transmit packets without queues=1 or more",
			 function->sent);
	else
		return 0;
	return -1;
}

static void release(void *state)
{
	struct exerciser *exerciser = state;

	packets_free(&exerciser->queues.packets);
}

static void reset(struct tph_emu *emu, void *state, enum tph_emu_reset how)
{
	struct exerciser *exerciser = state;

	(void)emu;
	if (how == TPH_EMU_POWER_ON)
		dma_power_on(&exerciser->dma);
	else
		dma_reset(&exerciser->dma);
	queues_reset(&exerciser->queues);
}

/* Registers are accessed whole and aligned, or not at all. */
static bool is_register(uint64_t at, size_t length)
{
	return length == 4 && at % 4 == 0;
}

static void bar_read(struct tph_emu *emu, void *state, uint64_t at, void *data, size_t length)
{
	const struct exerciser *exerciser = state;

	if (is_register(at, length))
		le32_put(data, registers_read(emu, &exerciser->dma, &exerciser->queues, at));
}

static void bar_write(struct tph_emu *emu, void *state, uint64_t at, const void *data,
		      size_t length)
{
	struct exerciser *exerciser = state;

	if (is_register(at, length))
		registers_write(emu, &exerciser->dma, &exerciser->queues, at, le32_get(data));
}

static void config_written(struct tph_emu *emu, void *state, uint64_t at, size_t length)
{
	struct exerciser *exerciser = state;

	(void)at;
	(void)length;
	dma_config_written(emu, &exerciser->dma);
}

static bool work(struct tph_emu *emu, void *state)
{
	struct exerciser *exerciser = state;
	bool more = dma_work(emu, &exerciser->dma);

	return queues_work(emu, &exerciser->queues) || more;
}

const struct tph_emu_model exerciser_model = {
	.version = TPH_EMU_INTERFACE,
	.size = sizeof(struct tph_emu_model),
	.name = "exerciser",
	.state_size = sizeof(struct exerciser),
	.engines = ENGINES,
	.keys = keys,
	.defaults = defaults,
	.set = set,
	.check = check,
	.free = release,
	.reset = reset,
	.bar_read = bar_read,
	.bar_write = bar_write,
	.config_written = config_written,
	.work = work,
};
