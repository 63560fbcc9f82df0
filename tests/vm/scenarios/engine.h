/* SPDX-License-Identifier: MIT */
/*
 * The DMA engine of QEMU's edu device, driven past VFIO: by its BAR and its configuration space in
 * sysfs, as a device would behave that does what it likes.
 */
#ifndef SCENARIO_ENGINE_H
#define SCENARIO_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

struct engine {
	volatile uint32_t *registers;
	int config;
};

void engine_open(struct engine *engine, const char *bdf);
void engine_close(struct engine *engine);

/* Begin to write four zero bytes to @address; the device takes 100 ms of its time for it. */
void engine_begin(struct engine *engine, uint32_t address);
bool engine_busy(struct engine *engine);

/* Begin, and wait until it is over. */
void engine_write(struct engine *engine, uint32_t address);

#endif /* SCENARIO_ENGINE_H */
