/* SPDX-License-Identifier: MIT */
/* Work of an endpoint that cannot go on: why, in the log. */
#ifndef EMU_FAULT_H
#define EMU_FAULT_H

#include <stdint.h>

#include "instrument/log.h"
#include "tlp.h"

struct endpoint;

/**
 * fault_count() - count a fault and begin its line
 * @reason: EP_FAULT_*
 * @command: what was to be done
 * @done: bytes of it that are through
 * @tlp: the request that could not be sent, NULL if it did not come to one
 *
 * Return: the line, to be added to and given to log_write().
 */
struct json_object *fault_count(struct endpoint *endpoint, uint32_t reason, const char *command,
				uint32_t done, const struct tlp *tlp);

#endif /* EMU_FAULT_H */
