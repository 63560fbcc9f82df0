/* SPDX-License-Identifier: MIT */
/* One PCI Express endpoint function: configuration space, BARs, resets, and what hangs on them. */
#ifndef EMU_ENDPOINT_H
#define EMU_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aer.h"
#include "config_space.h"
#include "endpoint_regs.h"
#include "fabric.h"
#include "host/mapping.h"
#include "instrument/capture.h"
#include "instrument/counters.h"
#include "instrument/log.h"
#include "knobs.h"
#include "models/dma.h"
#include "models/queues.h"
#include "msix.h"
#include "tlp.h"
#include "tph.h"

struct qmp;

/* Where the standard capabilities are */
#define ENDPOINT_PM_AT	    0x40
#define ENDPOINT_MSIX_AT    0x50
#define ENDPOINT_EXPRESS_AT 0x60
#define ENDPOINT_AF_AT	    0xa0
#define ENDPOINT_PASID_AT   (AER_AT - 8)

/* VSEC ID of the vendor-specific capabilities; the revision is 0 */
#define ENDPOINT_VSEC_ID 0x7450u

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
 * @counters: survive every reset
 * @trace: survives every reset
 * @received: requests of other functions; survives every reset
 * @count_select: EP_COUNT_SELECT
 * @fresh: no reset since power-on
 * @descriptors_told: the user knows that its clients want more descriptors than there may be
 * @map: what the client of the moment lets it reach
 * @capture: packets that were transmitted; the caller of endpoint_init() opens it
 * @memory: behind knobs.memory_bar, NULL without; a reset clears it
 * @memory_written: since the last reset
 * @carrier: way to the client, NULL without one that has negotiated
 * @fabric: where other functions are, NULL if alone
 * @flight: what the client carries out for it
 * @qmp: monitor of QEMU, which keeps the MSI-X table; NULL: the client writes the table to us
 * @msix_address: what was last programmed into the BAR with the MSI-X table. It survives function
 *	level reset, unlike the BAR: QEMU answers reads of BARs by itself, so a guest finds nothing
 *	to restore after an FLR.
 */
struct endpoint {
	struct knobs knobs;
	struct log *log;
	struct qmp *qmp;
	struct config_space config;
	struct msix msix;
	struct dma dma;
	struct queues queues;
	struct capture capture;
	struct iova_map map;
	struct counters counters;
	struct tlp_trace trace;
	struct tlp_trace received;
	uint8_t *memory;
	bool memory_written;
	struct carrier *carrier;
	struct fabric *fabric;
	struct endpoint *fabric_next;
	struct flight flight;
	uint32_t count_select;
	bool fresh;
	bool descriptors_told;
	uint64_t msix_address;
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

/**
 * endpoint_tlp_sent() - log, record and count a request of this function
 * @select: EP_DMA_HINT that it was made with
 * @path: NULL for one that went straight to the client's memory
 */
void endpoint_tlp_sent(struct endpoint *endpoint, const struct tlp *tlp, uint32_t select,
		       const struct tlp_path *path);

/**
 * endpoint_tlp_received() - take a request of another function
 * @tlp: the request as it was sent
 * @bar: where it has arrived; the range must be inside it
 * @at: offset there
 * @data: what it writes; unused for a read, which has had its data
 * @requester: requester id
 *
 * Return: whether it was accepted; otherwise nothing was written.
 */
bool endpoint_tlp_received(struct endpoint *endpoint, const struct tlp *tlp, unsigned int bar,
			   size_t at, const uint8_t *data, uint16_t requester);

/** endpoint_work() - go on with DMA. Return: whether there is more to do right now. */
bool endpoint_work(struct endpoint *endpoint);

/** endpoint_powered() - in D0. */
bool endpoint_powered(const struct endpoint *endpoint);

/** endpoint_bus_master() - Bus Master Enable is set. */
bool endpoint_bus_master(const struct endpoint *endpoint);

/** endpoint_payload_size() - Max_Payload_Size in force, bytes. */
uint32_t endpoint_payload_size(const struct endpoint *endpoint);

/** endpoint_read_request_size() - Max_Read_Request_Size in force, bytes. */
uint32_t endpoint_read_request_size(const struct endpoint *endpoint);

/** endpoint_master_abort() - a read of the function was answered by Unsupported Request. */
void endpoint_master_abort(struct endpoint *endpoint);

/** endpoint_error() - detect errors, bits as in AER's status registers; nothing without AER. */
void endpoint_error(struct endpoint *endpoint, uint32_t correctable, uint32_t uncorrectable);

/** endpoint_interrupt() - send MSI-X message @vector, or keep it pending while masked. */
void endpoint_interrupt(struct endpoint *endpoint, unsigned int vector);

/** endpoint_interrupts_flush() - send what is pending and no longer held back. */
void endpoint_interrupts_flush(struct endpoint *endpoint);

#endif /* EMU_ENDPOINT_H */
