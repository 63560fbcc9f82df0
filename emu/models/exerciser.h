/* SPDX-License-Identifier: MIT */
/* The model that tph-emu has without another: a DMA engine, and the queues of a NIC. */
#ifndef EMU_EXERCISER_H
#define EMU_EXERCISER_H

#include <tph_emu.h>

#include "dma.h"
#include "queues.h"

/** struct exerciser - its state of a function */
struct exerciser {
	struct dma dma;
	struct queues queues;
};

extern const struct tph_emu_model exerciser_model;

#endif /* EMU_EXERCISER_H */
