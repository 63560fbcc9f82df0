/* SPDX-License-Identifier: MIT */
/*
 * The configuration space of a real function, and what is taken of it.
 *
 * What does something in a function of tph-emu is its own, at the place that the device has it:
 * header, PM, MSI-X, PCI Express, Advanced Features, AER, PASID, TPH. Of those the bits that tell
 * what a device can do are taken. Capabilities that only tell something are taken as they are, and
 * cannot be written. All others are left out of the chain: software would ask something of them.
 */
#ifndef EMU_PROFILE_H
#define EMU_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config_space.h"
#include "knobs.h"

#define PROFILE_PATH_MAX	  4096u
#define PROFILE_CAPABILITIES_MAX  48u  /* as many dwords as are behind the header */
#define PROFILE_EXTENDED_MAX	  960u /* likewise, in the extended space */
#define PROFILE_BAR_MAX		  0x1000000u
#define PROFILE_CONVENTIONAL_SIZE 256u

enum profile_fate {
	PROFILE_OWN,	  /* it does something */
	PROFILE_TAKEN,	  /* it reads as the device's */
	PROFILE_LEFT_OUT, /* nothing leads to it */
};

/** struct profile_capability - one of a chain; @why: of its fate, or NULL */
struct profile_capability {
	uint16_t at;
	uint16_t id;
	enum profile_fate fate;
	const char *name;
	const char *why;
};

/**
 * struct profile - a function
 * @path: of the file that it comes from, for messages
 * @bytes: configuration space; what is not known reads 0
 * @size: bytes of it that there are: 256, or 4096
 * @bar_size: as the file tells them, or 0
 * @capabilities: the first chain, in its order
 * @extended: the other one
 * @places: of those that are own
 * @tph_at: of the TPH Requester capability, 0 without
 */
struct profile {
	char path[PROFILE_PATH_MAX];
	uint8_t bytes[CONFIG_SPACE_SIZE];
	size_t size;
	uint64_t bar_size[KNOBS_BARS];
	struct profile_capability capabilities[PROFILE_CAPABILITIES_MAX];
	unsigned int count;
	struct profile_capability extended[PROFILE_EXTENDED_MAX];
	unsigned int extended_count;
	struct places places;
	uint16_t tph_at;
};

/**
 * profile_read() - make sense of @bytes
 * @why: receives what is wrong with them
 *
 * Return: 0, or -1 if no function of tph-emu can be like that.
 */
int profile_read(struct profile *profile, char *why, size_t size);

/** profile_apply() - the knobs as the profile has them. It is theirs from here on, to be freed. */
void profile_apply(struct profile *profile, struct knobs *knobs);

/** profile_lay_bars() - BARs as the profile has them, with what the function needs of its own. */
void profile_lay_bars(struct knobs *knobs);

/** profile_describe() - tell what was taken, and what was not. */
void profile_describe(const struct knobs *knobs, FILE *file);

#endif /* EMU_PROFILE_H */
