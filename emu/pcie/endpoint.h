/* SPDX-License-Identifier: MIT */
/* One PCI Express endpoint function: configuration space, BARs, resets, and what hangs on them. */
#ifndef EMU_ENDPOINT_H
#define EMU_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_space.h"
#include "fabric.h"
#include "host/closer.h"
#include "host/loop.h"
#include "host/mapping.h"
#include "instrument/capture.h"
#include "instrument/instrument.h"
#include "knobs.h"
#include "memory.h"
#include "msix.h"
#include "requester.h"
#include "tag.h"

struct endpoint;
struct qmp;

/** struct tph_emu - what a model has in its hands */
struct tph_emu {
	struct endpoint *endpoint;
};

/** enum endpoint_reset - the ways to reset a function */
enum endpoint_reset {
	ENDPOINT_RESET_POWER_ON,
	ENDPOINT_RESET_FLR,    /* by Device Control */
	ENDPOINT_RESET_AF,     /* FLR by the Advanced Features capability */
	ENDPOINT_RESET_DEVICE, /* the client's reset message: a conventional reset */
	ENDPOINT_RESET_PM,     /* D3hot to D0 without No_Soft_Reset */
};

/**
 * struct endpoint - a function
 * @function: what its model is told of it
 * @closer: for what clients give; the caller of endpoint_init() starts it, or does not
 * @map: what the client of the moment lets it reach
 * @memory: behind knobs.memory_bar; a reset clears it
 * @port: its way to the client and to other functions
 * @tags: its ST table
 * @capture: packets that were transmitted; the caller of endpoint_init() opens it
 * @loop: for @wake; NULL without one (tests of single parts)
 * @wake: the model wants to be called
 * @fresh: no reset since power-on
 * @unseen: configuration space was written, and the model has had no turn since
 * @descriptors_told: the user knows that its clients want more descriptors than there may be
 */
struct endpoint {
	struct knobs knobs;
	struct tph_emu emu;
	struct tph_emu_function function;
	struct instrument instrument;
	struct config_space config;
	struct closer closer;
	struct msix msix;
	struct iova_map map;
	struct bar_memory memory;
	struct port port;
	struct tag_source tags;
	struct requester requester;
	struct capture capture;
	struct loop *loop;
	struct alarm wake;
	bool fresh;
	bool unseen;
	bool descriptors_told;
};

/**
 * endpoint_init() - make a function, powered on
 * @knobs: taken over, to be freed by endpoint_fini()
 *
 * Return: 0 or -ENOMEM.
 */
int endpoint_init(struct endpoint *endpoint, const struct knobs *knobs, struct log *log,
		  struct qmp *qmp);

/** endpoint_fini() - free all of it. */
void endpoint_fini(struct endpoint *endpoint);

/** endpoint_connect() - a client has come: log a power-on. */
void endpoint_connect(struct endpoint *endpoint);

/** endpoint_disconnect() - the client is gone, and with it power, memory and interrupts. */
void endpoint_disconnect(struct endpoint *endpoint, const char *reason);

/** endpoint_reset() - reset the function. */
void endpoint_reset(struct endpoint *endpoint, enum endpoint_reset how);

/** endpoint_config_read() - as a configuration request reads. */
void endpoint_config_read(struct endpoint *endpoint, size_t at, uint8_t *data, size_t length);

/** endpoint_config_write() - as a configuration request writes, with all that follows from it. */
void endpoint_config_write(struct endpoint *endpoint, size_t at, const uint8_t *data,
			   size_t length);

/** endpoint_bar_size() - size of BAR @bar, 0 if there is none. */
size_t endpoint_bar_size(const struct endpoint *endpoint, unsigned int bar);

/** endpoint_bar_read() - as a memory request to @bar reads; the range must be inside it. */
void endpoint_bar_read(struct endpoint *endpoint, unsigned int bar, size_t at, uint8_t *data,
		       size_t length);

/** endpoint_bar_write() - as a memory request to @bar writes. */
void endpoint_bar_write(struct endpoint *endpoint, unsigned int bar, size_t at, const uint8_t *data,
			size_t length);

/** endpoint_work() - go on with what its model has to do. Return: whether there is more right now.
 */
bool endpoint_work(struct endpoint *endpoint);

/**
 * endpoint_settle() - let its model act on what was written to configuration space, if it did not
 *
 * To be called before the next access: however busy others are, no state goes by that the model has
 * had no turn in.
 *
 * Return: how many requests it sent.
 */
unsigned int endpoint_settle(struct endpoint *endpoint);

/** endpoint_interrupt() - send MSI-X message @vector, or keep it pending while masked. */
void endpoint_interrupt(struct endpoint *endpoint, unsigned int vector);

/** endpoint_interrupts_flush() - send what is pending and no longer held back. */
void endpoint_interrupts_flush(struct endpoint *endpoint);

#endif /* EMU_ENDPOINT_H */
