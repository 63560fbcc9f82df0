/* SPDX-License-Identifier: MIT */
/* How one function is to be: its model, and what the keys of --function say. */
#ifndef EMU_KNOBS_H
#define EMU_KNOBS_H

#include <stdbool.h>
#include <stdint.h>

#include <tph_emu.h>

#define REGISTERS_BAR	   0 /* the BAR of its model */
#define REGISTERS_SIZE_MIN 0x1000u
#define REGISTERS_SIZE_MAX 0x1000000u

#define KNOBS_CAPABILITY_ENTRIES_MAX 64u   /* ST table in the TPH capability */
#define KNOBS_VECTORS_MAX	     2048u /* MSI-X table, and an ST table in it */

/* Values as the ST Table Location field has them (PCIe 6.2, 7.9.13.2). */
enum st_table {
	ST_TABLE_NONE = TPH_EMU_TABLE_NONE,
	ST_TABLE_CAPABILITY = TPH_EMU_TABLE_CAPABILITY,
	ST_TABLE_MSIX = TPH_EMU_TABLE_MSIX,
};

/* ST modes of operation; 1 << mode is also their bit in the TPH Requester Capability register. */
enum st_mode {
	ST_MODE_NO_ST = 0,
	ST_MODE_INTERRUPT_VECTOR = 1,
	ST_MODE_DEVICE_SPECIFIC = 2,
};

/* TPH Completer Supported field of Device Capabilities 2 (PCIe 6.2, 7.5.3.15) */
enum completer {
	COMPLETER_NONE = 0,
	COMPLETER_TPH = 1,
	COMPLETER_RESERVED = 2,
	COMPLETER_EXTENDED = 3,
};

/* configuration space behind the last capability */
#define KNOBS_EXTRA_FIRST 0xb0u
#define KNOBS_EXTRA_LAST  0xfcu

#define KNOBS_VSECS_MAX	  4u
#define KNOBS_VSEC_HEADER 8u /* bytes before its registers */

#define KNOBS_MSIX_SIZE_MIN	0x1000u
#define KNOBS_MSIX_SIZE_MAX	0x10000u
#define KNOBS_MSIX_SIZE_DEFAULT 0x10000u

#define KNOBS_MEMORY_MIN     0x1000u
#define KNOBS_MEMORY_MAX     0x1000000u
#define KNOBS_MEMORY_DEFAULT 0x10000u

struct profile;

/**
 * struct bar - a Base Address Register
 * @size: bytes, a power of two; 0: there is none, or it is the upper half of the one before
 * @type: PCI_BASE_ADDRESS_MEM_TYPE_64 or none, and PCI_BASE_ADDRESS_MEM_PREFETCH
 */
struct bar {
	uint32_t size;
	uint32_t type;
};

#define KNOBS_BARS 6u

/**
 * struct knobs - one function
 * @model: what is behind its registers
 * @model_state: what that has of this function, from model->state_size; the keys that the model has
 *	of its own are there
 * @registers_size: bytes of the BAR with the registers, a power of two
 * @registers_end: where they end
 * @profile: the device that it is like (profile.h), or NULL
 * @bars: all of them, by bars_lay()
 * @socket: path to listen on
 * @name: what the log calls it
 * @rid: requester id on its TLPs in the log
 * @tph: whether it has the TPH Requester capability
 * @tph_at: offset of that capability
 * @table: where its ST table is
 * @entries: entries of the ST table, 0 without one
 * @claim: entries that the capability says there are; those beyond @entries are other bytes of
 *	configuration space
 * @tph_bytes: of the capability, with registers of no name behind its table; 0 for no such
 * @control: TPH Requester Control register as the function comes
 * @tags: ST table in the capability as the function comes
 * @tag_count: entries of @tags that were given
 * @preset_always: every reset brings @control and @tags back, not power-on alone
 * @vsecs: vendor-specific extended capabilities, in the order of the chain
 * @vsec_count: how many
 * @vsec_first: they come before the TPH capability in the chain
 * @modes: bits 1 << enum st_mode
 * @width: 8, or 16 for an Extended TPH Requester
 * @completer: TPH Completer Supported field of its Device Capabilities 2
 * @vectors: MSI-X vectors, 0 without MSI-X
 * @msix_bar: BAR of the MSI-X table and PBA: 0 (that of the registers) or another, of 64 bits if
 *	its number is even
 * @msix_at: offset of the table there
 * @pba_at: offset of the PBA there
 * @msix_size: bytes of that BAR, a power of two
 * @memory_bar: BAR of its memory, 2 or 4; 0 without
 * @memory_size: bytes of it, a power of two
 * @p2p: whether requests to what the client did not map go by the client
 * @sent: path of the file for what is transmitted, or NULL
 * @flr: whether it can be reset by FLR
 * @af: whether it has the Advanced Features capability, with an FLR of its own
 * @aer: whether it has the Advanced Error Reporting capability
 * @pasid: whether it has the PASID capability
 * @no_soft_reset: whether it keeps its state on the way from D3hot to D0
 * @extra_at: offset of a dword behind the capabilities, 0 for none
 * @extra_value: what it reads
 */
struct knobs {
	const struct tph_emu_model *model;
	void *model_state;
	uint32_t registers_size;
	uint32_t registers_end;
	struct profile *profile;
	struct bar bars[KNOBS_BARS];
	char *socket;
	char *name;
	uint16_t rid;
	bool tph;
	uint16_t tph_at;
	enum st_table table;
	unsigned int entries;
	unsigned int claim;
	unsigned int tph_bytes;
	uint32_t control;
	uint16_t tags[KNOBS_CAPABILITY_ENTRIES_MAX];
	unsigned int tag_count;
	bool preset_always;
	struct {
		uint16_t at;
		uint16_t size;
	} vsecs[KNOBS_VSECS_MAX];
	unsigned int vsec_count;
	bool vsec_first;
	unsigned int modes;
	unsigned int width;
	unsigned int completer;
	unsigned int vectors;
	unsigned int msix_bar;
	uint32_t msix_at;
	uint32_t pba_at;
	uint32_t msix_size;
	unsigned int memory_bar;
	uint32_t memory_size;
	bool p2p;
	char *sent;
	bool flr;
	bool af;
	bool aer;
	bool pasid;
	bool no_soft_reset;
	uint16_t vendor;
	uint16_t device;
	uint32_t class_code;
	uint8_t revision;
	uint8_t extra_at;
	uint32_t extra_value;
};

/** knobs_free() - free the strings in it, its profile, and what its model has. */
void knobs_free(struct knobs *knobs);

#endif /* EMU_KNOBS_H */
