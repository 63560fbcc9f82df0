/* SPDX-License-Identifier: MIT */
/* Sending MSI-X messages, as far as configuration space lets them out. */
#ifndef EMU_INTERRUPT_H
#define EMU_INTERRUPT_H

#include "config_space.h"
#include "instrument/instrument.h"
#include "msix.h"

/** interrupt_send() - send message @vector, or keep it pending while masked. */
void interrupt_send(struct msix *msix, const struct config_space *config,
		    struct instrument *instrument, unsigned int vector);

/** interrupt_flush() - send what is pending and no longer held back. */
void interrupt_flush(struct msix *msix, const struct config_space *config,
		     struct instrument *instrument);

#endif /* EMU_INTERRUPT_H */
