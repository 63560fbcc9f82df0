/* SPDX-License-Identifier: MIT */
/* The 4 KiB of configuration space as bytes with access rules; what they mean is not known here. */
#ifndef EMU_CONFIG_SPACE_H
#define EMU_CONFIG_SPACE_H

#include <stddef.h>
#include <stdint.h>

#define CONFIG_SPACE_SIZE 4096
#define CONFIG_SCRATCH	  0x5c5c0000u

/** struct places - offsets of the capabilities that do something; 0: there is no such */
struct places {
	uint8_t pm;
	uint8_t msix;
	uint8_t express;
	uint8_t af;
	uint16_t aer;
	uint16_t pasid;
};

/**
 * struct config_space - values and the rules for each bit
 * @value: what a read returns
 * @initial: what a reset restores
 * @writable: bits that take the value written
 * @clear: bits that a written one clears (RW1C)
 * @kept: bits that a function level reset leaves alone
 * @sticky: bits that every reset but a loss of power leaves alone (RWS, RW1CS)
 * @places: where things are
 *
 * A bit that is in neither @writable nor @clear is read only.
 */
struct config_space {
	uint8_t value[CONFIG_SPACE_SIZE];
	uint8_t initial[CONFIG_SPACE_SIZE];
	uint8_t writable[CONFIG_SPACE_SIZE];
	uint8_t clear[CONFIG_SPACE_SIZE];
	uint8_t kept[CONFIG_SPACE_SIZE];
	uint8_t sticky[CONFIG_SPACE_SIZE];
	struct places places;
};

/** config_define8() - set initial value and writable bits of a byte. */
void config_define8(struct config_space *config, size_t at, uint8_t value, uint8_t writable);

/** config_define16() - set initial value and writable bits of a word. */
void config_define16(struct config_space *config, size_t at, uint16_t value, uint16_t writable);

/** config_define32() - set initial value and writable bits of a dword. */
void config_define32(struct config_space *config, size_t at, uint32_t value, uint32_t writable);

/**
 * config_define_scratch() - @size bytes that keep what is written through all but a loss of power
 *
 * Each dword begins as CONFIG_SCRATCH plus its offset.
 */
void config_define_scratch(struct config_space *config, size_t at, size_t size);

/** config_get16() - read a word, without any effect. */
uint16_t config_get16(const struct config_space *config, size_t at);

/** config_get32() - read a dword, without any effect. */
uint32_t config_get32(const struct config_space *config, size_t at);

/** config_set16() - set a word as the device itself does, without regard to access rules. */
void config_set16(struct config_space *config, size_t at, uint16_t value);

/** config_set32() - set a dword, likewise. */
void config_set32(struct config_space *config, size_t at, uint32_t value);

/** config_write() - what software writes: byte by byte, so width and alignment do not matter. */
void config_write(struct config_space *config, size_t at, const uint8_t *data, size_t length);

/** enum config_reset - how much of it a reset takes */
enum config_reset {
	CONFIG_RESET_POWER,	   /* all */
	CONFIG_RESET_CONVENTIONAL, /* all but @sticky */
	CONFIG_RESET_FUNCTION,	   /* all but @sticky and @kept */
};

/** config_reset() - back to initial values. */
void config_reset(struct config_space *config, enum config_reset how);

#endif /* EMU_CONFIG_SPACE_H */
