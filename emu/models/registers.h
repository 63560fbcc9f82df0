/* SPDX-License-Identifier: MIT */
/* BAR 0: what software reads and writes in endpoint_regs.h. */
#ifndef EMU_REGISTERS_H
#define EMU_REGISTERS_H

#include <stddef.h>
#include <stdint.h>

struct endpoint;

/** registers_read() - read the register at @at, a multiple of 4 below EP_BAR_SIZE. */
uint32_t registers_read(const struct endpoint *endpoint, size_t at);

/** registers_write() - write the register at @at; read-only and undefined ones ignore it. */
void registers_write(struct endpoint *endpoint, size_t at, uint32_t value);

#endif /* EMU_REGISTERS_H */
