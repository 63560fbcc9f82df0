/* SPDX-License-Identifier: MIT */
/* The TPH Requester extended capability (PCIe 6.2, 7.9.13) of an endpoint. */
#ifndef EMU_TPH_H
#define EMU_TPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_space.h"
#include "knobs.h"

/* Registers of the capability, and fields of the TPH Requester Capability register */
#define TPH_CAPABILITY	     4u
#define TPH_CONTROL	     8u
#define TPH_TABLE	     12u
#define TPH_MODES	     0x7u
#define TPH_EXTENDED	     (1u << 8)
#define TPH_LOCATION_SHIFT   9
#define TPH_LOCATION	     (3u << TPH_LOCATION_SHIFT)
#define TPH_TABLE_SIZE_SHIFT 16
#define TPH_TABLE_SIZE	     (0x7ffu << TPH_TABLE_SIZE_SHIFT)

/* TPH Requester Enable */
enum tph_enable {
	TPH_ENABLE_OFF = 0,
	TPH_ENABLE_TPH = 1,
	TPH_ENABLE_RESERVED = 2,
	TPH_ENABLE_EXTENDED = 3,
};

/** tph_used() - bytes of the capability's registers and of the ST table in it. */
size_t tph_used(const struct knobs *knobs);

/** tph_size() - bytes of all of the capability. */
size_t tph_size(const struct knobs *knobs);

/**
 * tph_entries() - entries that the function takes tags from
 *
 * Of a table in the capability as many as it claims: those that there is no room for are what else
 * is there in configuration space.
 */
unsigned int tph_entries(const struct knobs *knobs);

/** tph_control_writable() - bits of the control register that can be set. */
uint32_t tph_control_writable(const struct knobs *knobs);

/** tph_define() - lay the capability out in configuration space, the last of the chain. */
void tph_define(const struct knobs *knobs, struct config_space *config);

/** tph_preset() - set control register and table as the function comes. */
void tph_preset(const struct knobs *knobs, struct config_space *config);

/** tph_control() - the TPH Requester Control register, 0 without the capability. */
uint32_t tph_control(const struct knobs *knobs, const struct config_space *config);

/** tph_control_mode() - ST Mode Select field; may be a mode that the function lacks. */
unsigned int tph_control_mode(uint32_t control);

/** tph_control_enable() - TPH Requester Enable field. */
enum tph_enable tph_control_enable(uint32_t control);

/** tph_control_on() - whether the register permits hints at all: 01b or 11b. */
bool tph_control_on(uint32_t control);

/** tph_mode_name() - for the log. */
const char *tph_mode_name(unsigned int mode);

/** tph_enable_name() - for the log. */
const char *tph_enable_name(enum tph_enable enable);

/** tph_table_at() - offset of the ST table in configuration space, 0 if it is not there. */
size_t tph_table_at(const struct knobs *knobs);

/** tph_table_entry() - entry @index of the table in the capability; 0 beyond the space's end. */
uint16_t tph_table_entry(const struct knobs *knobs, const struct config_space *config,
			 unsigned int index);

#endif /* EMU_TPH_H */
