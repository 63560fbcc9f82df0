/* SPDX-License-Identifier: MIT */
/* The PCI Express capability (PCIe 6.2, 7.5.3). */
#ifndef EMU_EXPRESS_H
#define EMU_EXPRESS_H

#include <stdint.h>

#include "config_space.h"
#include "knobs.h"

/** express_define() - lay it out. */
void express_define(const struct knobs *knobs, struct config_space *config);

/** express_payload_size() - Max_Payload_Size in force, bytes. */
uint32_t express_payload_size(const struct config_space *config);

/** express_read_request_size() - Max_Read_Request_Size in force, bytes. */
uint32_t express_read_request_size(const struct config_space *config);

/** express_detected() - set bits of the Device Status register. */
void express_detected(struct config_space *config, unsigned int bits);

#endif /* EMU_EXPRESS_H */
