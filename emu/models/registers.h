/* SPDX-License-Identifier: MIT */
/* BAR 0 of the exerciser: what software reads and writes in endpoint_regs.h. */
#ifndef EMU_REGISTERS_H
#define EMU_REGISTERS_H

#include <stdint.h>

#include <tph_emu.h>

#include "dma.h"
#include "queues.h"

/** registers_read() - read the register at @at, a multiple of 4. */
uint32_t registers_read(const struct tph_emu *emu, const struct dma *dma,
			const struct queues *queues, uint64_t at);

/** registers_write() - write the register at @at; read-only and undefined ones ignore it. */
void registers_write(struct tph_emu *emu, struct dma *dma, struct queues *queues, uint64_t at,
		     uint32_t value);

#endif /* EMU_REGISTERS_H */
