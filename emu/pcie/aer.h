/* SPDX-License-Identifier: MIT */
/* The Advanced Error Reporting capability (PCIe 6.2, 7.8.4). Errors are detected on order alone. */
#ifndef EMU_AER_H
#define EMU_AER_H

#include "config_space.h"

/* bytes of it: with the TLP Prefix Log, which reads 0, and without */
#define AER_SIZE       0x48u
#define AER_SIZE_LEAST 0x38u

/** aer_define() - lay out the capability. */
void aer_define(struct config_space *config);

/**
 * aer_detect() - set status bits
 *
 * Return: the bits PCI_EXP_DEVSTA_CED, _NFED and _FED that go with them, by severity.
 */
unsigned int aer_detect(struct config_space *config, uint32_t correctable, uint32_t uncorrectable);

#endif /* EMU_AER_H */
