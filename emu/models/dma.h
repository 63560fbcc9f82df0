/* SPDX-License-Identifier: MIT */
/* The DMA engine of the exerciser. It works TLP by TLP: a fault can come midway, as in hardware. */
#ifndef EMU_DMA_H
#define EMU_DMA_H

#include <stdbool.h>
#include <stdint.h>

#include <tph_emu.h>

#define DMA_BUFFER 4096u /* no request is longer */

/** struct dma_setup - the registers EP_DMA_SRC_LO .. EP_DMA_VECTOR */
struct dma_setup {
	uint64_t source;
	uint64_t destination;
	uint32_t length;
	uint32_t pattern;
	uint32_t hint;
	uint32_t vector;
};

/**
 * struct dma - the engine
 * @setup: registers, free to be written while a command runs
 * @status: EP_DMA_STATUS
 * @fault: EP_DMA_FAULT
 * @sum: EP_DMA_SUM
 * @run: what @setup was at the doorbell
 * @command: EP_DMA_* of the doorbell
 * @done: bytes of @run that are through
 * @buffered: COPY: bytes read into @buffer
 * @drained: COPY: bytes of them written
 * @repeat: EP_DMA_REPEAT; survives resets, together with @run and @command
 * @left: runs still to be made since configuration space was last written
 */
struct dma {
	struct dma_setup setup;
	uint32_t status;
	uint32_t fault;
	uint32_t sum;
	struct dma_setup run;
	uint32_t command;
	uint32_t done;
	uint32_t buffered;
	uint32_t drained;
	uint8_t buffer[DMA_BUFFER];
	uint32_t repeat;
	uint32_t left;
};

/** dma_reset() - registers as after a reset, but for EP_DMA_REPEAT. */
void dma_reset(struct dma *dma);

/** dma_power_on() - dma_reset(), and nothing is repeated any more. */
void dma_power_on(struct dma *dma);

/** dma_config_written() - configuration space was written: repeat the last command. */
void dma_config_written(struct tph_emu *emu, struct dma *dma);

/** dma_doorbell() - take a command; ignored while another one runs. */
void dma_doorbell(struct tph_emu *emu, struct dma *dma, uint32_t command);

/** dma_work() - send some TLPs of the command that runs. Return: whether it can go on right now. */
bool dma_work(struct tph_emu *emu, struct dma *dma);

#endif /* EMU_DMA_H */
