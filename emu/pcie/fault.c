// SPDX-License-Identifier: MIT
#include "fault.h"

#include "endpoint.h"

static const char *const reasons[] = {
	[EP_FAULT_NONE] = "none",	  [EP_FAULT_BUS_MASTER] = "bus-master",
	[EP_FAULT_UNMAPPED] = "unmapped", [EP_FAULT_PERMISSION] = "permission",
	[EP_FAULT_COMMAND] = "command",	  [EP_FAULT_TAG] = "tag",
	[EP_FAULT_POWER] = "power",	  [EP_FAULT_COMPLETION] = "completion",
};

struct json_object *fault_count(struct endpoint *endpoint, uint32_t reason, const char *command,
				uint32_t done, const struct tlp *tlp)
{
	struct json_object *line = log_event(endpoint->log, "fault", endpoint->knobs.name);

	endpoint->counters.faults++;
	log_string(line, "reason", reasons[reason]);
	log_string(line, "command", command);
	log_number(line, "done", done);
	if (tlp) {
		log_string(line, "type", tlp_type_name(tlp->type));
		log_hex(line, "address", tlp->address, 1);
		log_number(line, "length", tlp->length);
	}
	return line;
}
