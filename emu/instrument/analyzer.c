// SPDX-License-Identifier: MIT
#include "analyzer.h"

#include <stdio.h>

static const char *type_name(enum tlp_type type)
{
	return type == TLP_MEMORY_WRITE ? "MWr" : "MRd";
}

static const char *kind_name(enum tlp_kind kind)
{
	static const char *const names[] = {
		[TLP_DMA] = "dma",	 [TLP_FETCH] = "fetch",	    [TLP_DESCRIPTOR] = "descriptor",
		[TLP_HEADER] = "header", [TLP_PAYLOAD] = "payload",
	};

	return names[kind];
}

static void add_hint(struct line *line, const struct tlp_hint *hint)
{
	line_number(line, "th", hint->th);
	if (!hint->th)
		return;
	line_number(line, "ph", hint->ph);
	line_hex(line, "st", hint->st, hint->width / 4);
	line_number(line, "width", hint->width);
}

static void add_requester(struct line *line, uint16_t rid)
{
	char requester[16];

	if (!line)
		return;
	snprintf(requester, sizeof(requester), "%02x:%02x.%x", (unsigned int)(rid >> 8),
		 (unsigned int)(rid >> 3 & 0x1f), (unsigned int)(rid & 7));
	line_string(line, "requester", requester);
}

static void log_sent(struct instrument *instrument, const struct tlp *tlp, uint16_t rid,
		     const struct tlp_path *path)
{
	struct line *line = instrument_event(instrument, "tlp");

	line_string(line, "type", type_name(tlp->type));
	line_hex(line, "address", tlp->address, 1);
	line_number(line, "length", tlp->length);
	add_hint(line, &tlp->hint);
	if (tlp->hint.th && tlp_wants_entry(tlp->wanted))
		line_number(line, "entry", tlp->wanted & TPH_EMU_HINT_SELECT);
	add_requester(line, rid);
	if (tlp->kind != TLP_DMA) {
		line_string(line, "direction", tlp->transmit ? "transmit" : "receive");
		line_number(line, "queue", tlp->queue);
		line_string(line, "kind", kind_name(tlp->kind));
	}
	if (path)
		line_string(line, "path", "client");
	if (path && path->peer)
		line_string(line, "peer", path->peer);
	instrument_write_line(instrument, line);
}

void analyzer_sent(struct instrument *instrument, const struct tlp *tlp, uint16_t rid,
		   const struct tlp_path *path)
{
	trace_sent(&instrument->sent, tlp, rid);
	log_sent(instrument, tlp, rid, path);
	instrument->counters.tlps++;
	instrument->counters.tlps_hinted += tlp->hint.th;
}

static void log_received(struct instrument *instrument, const struct tlp *tlp,
			 const struct tlp_arrival *arrival)
{
	static const char *const verdicts[] = {
		[TLP_ACCEPTED] = "accepted",
		[TLP_MALFORMED] = "malformed",
		[TLP_UNSUPPORTED] = "unsupported-request",
	};
	static const char *const uses[] = {
		[TLP_HINT_NONE] = "none",
		[TLP_HINT_IGNORED] = "ignored",
		[TLP_HINT_TAKEN] = "taken",
	};
	struct line *line = instrument_event(instrument, "received");

	line_string(line, "type", type_name(tlp->type));
	line_number(line, "bar", arrival->bar);
	line_hex(line, "offset", arrival->offset, 1);
	line_number(line, "length", tlp->length);
	add_hint(line, &tlp->hint);
	add_requester(line, arrival->requester);
	line_string(line, "verdict", verdicts[arrival->verdict]);
	line_string(line, "hint", uses[arrival->use]);
	instrument_write_line(instrument, line);
}

void analyzer_received(struct instrument *instrument, const struct tlp *tlp,
		       const struct tlp_arrival *arrival)
{
	instrument->counters.received++;
	if (arrival->verdict == TLP_MALFORMED)
		instrument->counters.malformed++;
	trace_received(&instrument->received, tlp, arrival);
	log_received(instrument, tlp, arrival);
}

void analyzer_fault(struct instrument *instrument, uint32_t reason, const char *command,
		    uint32_t done, const struct tlp *tlp, const unsigned int *queue)
{
	static const char *const reasons[] = {
		[TPH_EMU_FAULT_BUS_MASTER] = "bus-master",
		[TPH_EMU_FAULT_UNMAPPED] = "unmapped",
		[TPH_EMU_FAULT_PERMISSION] = "permission",
		[TPH_EMU_FAULT_COMMAND] = "command",
		[TPH_EMU_FAULT_TAG] = "tag",
		[TPH_EMU_FAULT_POWER] = "power",
		[TPH_EMU_FAULT_COMPLETION] = "completion",
	};
	struct line *line = instrument_event(instrument, "fault");

	instrument->counters.faults++;
	line_string(line, "reason", reasons[reason]);
	line_string(line, "command", command);
	line_number(line, "done", done);
	if (tlp) {
		line_string(line, "type", type_name(tlp->type));
		line_hex(line, "address", tlp->address, 1);
		line_number(line, "length", tlp->length);
	}
	if (queue) {
		line_number(line, "queue", *queue);
		if (tlp)
			line_string(line, "kind", kind_name(tlp->kind));
	}
	instrument_write_line(instrument, line);
}
