/* SPDX-License-Identifier: MIT */
/*
 * tph_emu.h - a device of your own in tph-emu
 *
 * A model is what is behind BAR 0 of a function: registers, engines, queues. tph-emu has the rest:
 * configuration space, MSI-X, TPH, resets, the way to the client, the log of TLPs. A model is a
 * shared object that defines the variable tph_emu_model; tph-emu --model FILE loads it.
 * doc/emulator-models.md is the guide.
 *
 * All of it is called by one thread. A model may use the calls below in its callbacks alone.
 */
#ifndef TPH_EMU_H
#define TPH_EMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this interface. What a later one adds is at the end of structures, and new calls. */
#define TPH_EMU_INTERFACE 1u

/* A function, as its model knows it */
struct tph_emu;

/* ST Table Location, as the TPH Requester Capability register has it (PCIe 6.2, 7.9.13.2) */
enum tph_emu_table {
	TPH_EMU_TABLE_NONE = 0,
	TPH_EMU_TABLE_CAPABILITY = 1,
	TPH_EMU_TABLE_MSIX = 2,
};

/* ST modes of operation, bits of the same register */
#define TPH_EMU_NO_ST		 0x1u
#define TPH_EMU_INTERRUPT_VECTOR 0x2u
#define TPH_EMU_DEVICE_SPECIFIC	 0x4u

/**
 * struct tph_emu_function - what a function is
 * @vendor: Vendor ID, of the subsystem too
 * @device: Device ID, likewise
 * @class_code: class, subclass and programming interface
 * @revision: Revision ID
 * @registers_size: bytes of BAR 0, a power of two from 4 KiB to 16 MiB
 * @registers_end: the registers in it end here; the key msix-bar=0 may put the MSI-X table behind
 * @vectors: MSI-X vectors, 0 to 2048; 0: no MSI-X
 * @table: where the ST table is
 * @entries: ST entries, 0 to begin with: as many as there can be
 * @modes: ST modes of operation
 * @width: 8, or 16 for an Extended TPH Requester
 * @sent: whether packets that the model transmits are captured; set after defaults()
 */
struct tph_emu_function {
	uint16_t vendor;
	uint16_t device;
	uint32_t class_code;
	uint32_t revision;
	uint32_t registers_size;
	uint32_t registers_end;
	uint32_t vectors;
	uint32_t table;
	uint32_t entries;
	uint32_t modes;
	uint32_t width;
	const char *sent;
};

/* How a function was reset */
enum tph_emu_reset {
	TPH_EMU_POWER_ON,     /* the first one, and whenever a client has come or gone */
	TPH_EMU_CONVENTIONAL, /* of the machine or the bus */
	TPH_EMU_FUNCTION,     /* of this function: FLR, or D3hot to D0 without No_Soft_Reset */
};

/**
 * struct tph_emu_model - a model; callbacks but bar_read and bar_write may be NULL
 * @version: TPH_EMU_INTERFACE
 * @size: sizeof(struct tph_emu_model)
 * @name: what messages call it
 * @state_size: bytes that each function of the model has for itself, zeros to begin with
 * @engines: parts of it that send requests on their own, numbered from 0; 1 to 64
 * @keys: its own keys of --function, up to NULL; up to 16. NULL: none
 *
 * @defaults: before the keys of --function are read: change what differs from the defaults
 * @set: a key of its own. Return: 0, or -1 with the reason in @why (@size bytes)
 * @check: all keys were read. Return: 0, or -1 with "KEY=VALUE: reason" in @why
 * @free: the function ends: free what @state has, not @state itself
 *
 * @reset: configuration space and MSI-X are reset already, and nothing is under way any more
 * @bar_read: a memory read of BAR 0, of any width and alignment, but within the BAR and not of
 *	MSI-X. @data is all ones to begin with
 * @bar_write: a memory write; one of another function comes dword by dword
 * @config_written: software has written configuration space, and all that follows is done
 * @work: go on with what there is to do. It is called after each event: a write, an answer to a
 *	request, the time of tph_emu_wake(). It should return after some tens of requests: other
 *	functions have their turn then. Return: whether there is more to do right now; false if it
 *	waits for something
 */
struct tph_emu_model {
	uint32_t version;
	uint32_t size;
	const char *name;
	size_t state_size;
	uint32_t engines;
	const char *const *keys;

	void (*defaults)(void *state, struct tph_emu_function *function);
	int (*set)(void *state, const char *key, const char *value, char *why, size_t size);
	int (*check)(void *state, const struct tph_emu_function *function, char *why, size_t size);
	void (*free)(void *state);

	void (*reset)(struct tph_emu *emu, void *state, enum tph_emu_reset how);
	void (*bar_read)(struct tph_emu *emu, void *state, uint64_t at, void *data, size_t length);
	void (*bar_write)(struct tph_emu *emu, void *state, uint64_t at, const void *data,
			  size_t length);
	void (*config_written)(struct tph_emu *emu, void *state, uint64_t at, size_t length);
	bool (*work)(struct tph_emu *emu, void *state);
};

/** tph_emu_function() - what the function is, as keys have it. @entries: 0 without TPH. */
const struct tph_emu_function *tph_emu_function(const struct tph_emu *emu);

/* ---- requests ---- */

enum tph_emu_type {
	TPH_EMU_WRITE = 1,
	TPH_EMU_READ = 2,
};

/*
 * What a request is for. The log tells it, with the queue, of all but TPH_EMU_DMA. Of a descriptor
 * that is written the last four bytes are there last.
 */
enum tph_emu_kind {
	TPH_EMU_DMA = 0,
	TPH_EMU_FETCH = 1,	/* reads a descriptor or command */
	TPH_EMU_DESCRIPTOR = 2, /* writes one, or its completion */
	TPH_EMU_HEADER = 3,
	TPH_EMU_PAYLOAD = 4,
};

/*
 * A hint: what should be on a request. Whether it is depends on the TPH Requester Control register
 * and on the ST table, as of the moment that the request is sent:
 *
 * entry: in No ST mode PH alone; else PH and the tag that is in this ST entry
 * tag: PH and this tag, in Device Specific mode alone
 */
#define TPH_EMU_HINT_SELECT  0x0000ffffu /* entry or tag */
#define TPH_EMU_HINT_SOURCE  0x00030000u
#define TPH_EMU_HINT_PH	     0x00300000u
#define TPH_EMU_SOURCE_SHIFT 16
#define TPH_EMU_PH_SHIFT     20
#define TPH_EMU_SOURCE_ENTRY 1u
#define TPH_EMU_SOURCE_TAG   2u

#define TPH_EMU_NO_HINT 0u
#define TPH_EMU_HINT_ENTRY(entry, ph)                                                      \
	(((uint32_t)(entry) & TPH_EMU_HINT_SELECT) | TPH_EMU_SOURCE_ENTRY << TPH_EMU_SOURCE_SHIFT | \
	 ((uint32_t)(ph) & 3u) << TPH_EMU_PH_SHIFT)
#define TPH_EMU_HINT_TAG(tag, ph)                                                          \
	(((uint32_t)(tag) & TPH_EMU_HINT_SELECT) | TPH_EMU_SOURCE_TAG << TPH_EMU_SOURCE_SHIFT | \
	 ((uint32_t)(ph) & 3u) << TPH_EMU_PH_SHIFT)

/**
 * struct tph_emu_request - a memory request: one TLP
 * @type: TPH_EMU_WRITE or TPH_EMU_READ
 * @kind: enum tph_emu_kind
 * @address: I/O address
 * @data: what is written, or where to put what is read
 * @length: bytes, up to tph_emu_length()
 * @hint: what should be on it
 * @queue: of which queue, 0 to 255
 * @transmit: which is one that transmits
 * @peer: it may go to another function, if nobody mapped the address and the key p2p is on
 */
struct tph_emu_request {
	uint32_t type;
	uint32_t kind;
	uint64_t address;
	void *data;
	uint32_t length;
	uint32_t hint;
	uint32_t queue;
	bool transmit;
	bool peer;
};

/* Why a request could not be sent */
enum tph_emu_fault {
	TPH_EMU_FAULT_BUS_MASTER = 1, /* Bus Master Enable is clear */
	TPH_EMU_FAULT_UNMAPPED = 2,   /* no mapping at that address */
	TPH_EMU_FAULT_PERMISSION = 3, /* mapped, but not for this direction */
	TPH_EMU_FAULT_COMMAND = 4,    /* what a driver asked for makes no sense, or @length is too long */
	TPH_EMU_FAULT_TAG = 5,	      /* the ST table could not be read */
	TPH_EMU_FAULT_POWER = 6,      /* not in D0 */
	TPH_EMU_FAULT_COMPLETION = 7, /* read: none came */
};

/**
 * tph_emu_length() - how long the first request of a transfer may be
 * @address: where the transfer begins
 * @left: its bytes, not 0
 *
 * Max_Payload_Size or Max_Read_Request_Size bound it, and 4 KiB boundaries.
 */
uint32_t tph_emu_length(const struct tph_emu *emu, uint32_t type, uint64_t address, uint32_t left);

/**
 * tph_emu_send() - send a request
 * @engine: by which engine; each has one request under way
 *
 * Return: the bytes that went, and of a read the data is there; 0: it waits (for the monitor of
 * QEMU that has the tag, for the client, for another function): call again with the same request
 * from work(), which returns false for now; -(enum tph_emu_fault): it cannot be sent.
 */
int tph_emu_send(struct tph_emu *emu, unsigned int engine, const struct tph_emu_request *request);

/**
 * struct tph_emu_latch - a tag that a device took once, and uses from then on
 * @taken: it has one; false to begin with
 * @tag: this one
 */
struct tph_emu_latch {
	bool taken;
	uint16_t tag;
};

/**
 * tph_emu_send_latched() - tph_emu_send(), of a device that does not look at the table each time
 * @latch: the first request that wants the tag of an entry takes it. All later ones have that tag,
 *	whatever the table says by then; but a request has none while the requester is off, as ever
 *
 * Return: as tph_emu_send().
 */
int tph_emu_send_latched(struct tph_emu *emu, unsigned int engine,
			 const struct tph_emu_request *request, struct tph_emu_latch *latch);

/**
 * tph_emu_transfer() - send the next request of a transfer of any length
 * @whole: the transfer
 * @done: bytes of it that are through, 0 to begin with; raised by what was sent
 *
 * Return: as tph_emu_send(). All is through when @done is @whole->length.
 */
int tph_emu_transfer(struct tph_emu *emu, unsigned int engine, const struct tph_emu_request *whole,
		     uint32_t *done);

/**
 * tph_emu_begin() - a new command begins
 *
 * A request that waits is given up, and tags that QEMU's monitor was asked for are asked for anew.
 */
void tph_emu_begin(struct tph_emu *emu, unsigned int engine);

/**
 * struct tph_emu_error - work that cannot go on, for the log
 * @reason: enum tph_emu_fault
 * @command: what was to be done
 * @done: bytes of it that are through
 * @request: the one that could not be sent, or NULL
 * @queued: it is of a queue:
 * @queue: this one
 */
struct tph_emu_error {
	uint32_t reason;
	const char *command;
	uint32_t done;
	const struct tph_emu_request *request;
	bool queued;
	uint32_t queue;
};

/** tph_emu_fault() - log and count it. */
void tph_emu_fault(struct tph_emu *emu, const struct tph_emu_error *error);

/* ---- the rest of a device ---- */

/** tph_emu_interrupt() - send the MSI-X message of @vector; one that there is not tells nobody. */
void tph_emu_interrupt(struct tph_emu *emu, unsigned int vector);

/**
 * tph_emu_detect() - detect errors, if the function has the AER capability
 * @correctable: bits as in its Correctable Error Status register
 * @uncorrectable: and its Uncorrectable one
 */
void tph_emu_detect(struct tph_emu *emu, uint32_t correctable, uint32_t uncorrectable);

/** tph_emu_time() - nanoseconds of the monotonic clock. */
uint64_t tph_emu_time(const struct tph_emu *emu);

/** tph_emu_wake() - have work() called in @ms milliseconds; a later call takes its place. */
void tph_emu_wake(struct tph_emu *emu, uint32_t ms);

/** tph_emu_capture() - a packet is on the wire: append it to the file of the key sent, if any. */
void tph_emu_capture(struct tph_emu *emu, uint32_t number, const void *packet, uint32_t length);

/**
 * tph_emu_instrument_read() - registers that show what was counted and traced
 * @at: offset as in emu/endpoint_regs.h, EP_COUNT_SELECT and on
 *
 * Return: whether there is such a register.
 */
bool tph_emu_instrument_read(const struct tph_emu *emu, uint64_t at, uint32_t *value);

/** tph_emu_instrument_write() - write one. Return: whether there is such a register. */
bool tph_emu_instrument_write(struct tph_emu *emu, uint64_t at, uint32_t value);

#ifdef __cplusplus
}
#endif

#endif /* TPH_EMU_H */
