/* SPDX-License-Identifier: MIT */
/* The Requester of a function: sends memory requests for the engines of its model. */
#ifndef EMU_REQUESTER_H
#define EMU_REQUESTER_H

#include <stdbool.h>
#include <stdint.h>

#include <tph_emu.h>

#include "fabric.h"
#include "host/mapping.h"
#include "instrument/instrument.h"
#include "tag.h"

#define REQUESTER_ENGINES_MAX 64u

/**
 * struct requester_engine - a part of a model that sends requests on its own
 * @tag: of the ST entry that its request selects
 */
struct requester_engine {
	struct tag_lookup tag;
};

/**
 * struct requester - what requests of a function need
 * @tags: with the function's knobs and configuration space
 * @config: to set status bits in
 * @map: what the client of the moment lets it reach
 * @count: engines
 * @flyer: the one whose request is at the client, or was and the model has not yet heard of it
 */
struct requester {
	struct tag_source *tags;
	struct config_space *config;
	struct iova_map *map;
	struct port *port;
	struct instrument *instrument;
	struct requester_engine *engines;
	unsigned int count;
	struct requester_engine *flyer;
};

/** requester_send() - as tph_emu_send_latched(); @latch: NULL for tph_emu_send(). */
int requester_send(struct requester *requester, unsigned int engine,
		   const struct tph_emu_request *request, struct tph_emu_latch *latch);

/** requester_tlp() - a request as a TLP, without its hint. */
struct tlp requester_tlp(const struct tph_emu_request *request);

/** requester_begin() - as tph_emu_begin(). */
void requester_begin(struct requester *requester, unsigned int engine);

/** requester_reset() - the function was reset: nothing is under way, whatever the client does. */
void requester_reset(struct requester *requester);

/**
 * requester_tags_changed() - tags that QEMU's monitor was asked for are no longer good
 *
 * Its answer may be older than what has come in meanwhile: whoever changes the table has the
 * requester off for it, so what was asked before a write of the control register is asked again.
 */
void requester_tags_changed(struct requester *requester);

#endif /* EMU_REQUESTER_H */
