/* SPDX-License-Identifier: MIT */
/* The parts of the exerciser that send requests, by number. */
#ifndef EMU_ENGINES_H
#define EMU_ENGINES_H

enum engine_number {
	ENGINE_DMA,
	ENGINE_RECEIVE,
	ENGINE_TRANSMIT,
	ENGINES,
};

#endif /* EMU_ENGINES_H */
