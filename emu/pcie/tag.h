/* SPDX-License-Identifier: MIT */
/* Looking up the steering tag that a request is to carry, wherever the ST table is. */
#ifndef EMU_TAG_H
#define EMU_TAG_H

#include <stdbool.h>
#include <stdint.h>

#include "config_space.h"
#include "knobs.h"
#include "msix.h"

struct qmp;
struct qmp_request;

/**
 * struct tag_source - the ST table of a function
 * @monitor: of QEMU, which keeps the MSI-X table; NULL: the client writes the table to us
 * @msix_address: what was last programmed into the BAR with the MSI-X table. It survives function
 *	level reset, unlike the BAR: QEMU answers reads of BARs by itself, so a guest finds nothing
 *	to restore after an FLR.
 */
struct tag_source {
	const struct knobs *knobs;
	const struct config_space *config;
	const struct msix *msix;
	struct qmp *monitor;
	uint64_t msix_address;
};

/** enum tag_state - what is known of a tag in the MSI-X table of QEMU */
enum tag_state {
	TAG_UNKNOWN,
	TAG_ASKED,
	TAG_KNOWN,
	TAG_FAILED,
};

/**
 * struct tag_lookup - a tag that QEMU's monitor is asked for; all zeros to begin with
 * @index: ST entry
 * @tag: what is there, once TAG_KNOWN
 * @request: outstanding while TAG_ASKED
 */
struct tag_lookup {
	enum tag_state state;
	unsigned int index;
	uint16_t tag;
	struct qmp_request *request;
};

/**
 * tag_get() - the ST entry that a hint selects
 * @lookup: keeps what the monitor has answered, for one entry, until tag_forget()
 * @hint: TPH_EMU_HINT_*
 * @tag: receives it; 0 if the hint needs none
 *
 * Return: 0; -EAGAIN: not known yet; -EIO: the monitor cannot tell.
 */
int tag_get(const struct tag_source *source, struct tag_lookup *lookup, uint32_t hint,
	    uint16_t *tag);

/** tag_forget() - what is known may be out of date: ask anew. */
void tag_forget(const struct tag_source *source, struct tag_lookup *lookup);

#endif /* EMU_TAG_H */
