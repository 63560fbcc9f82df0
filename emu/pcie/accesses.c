// SPDX-License-Identifier: MIT
#include "accesses.h"

#include <linux/pci_regs.h>

#include "header.h"
#include "pm.h"
#include "tph.h"

struct config_state accesses_state(const struct knobs *knobs, const struct config_space *config)
{
	return (struct config_state){
		.bus_master = header_bus_master(config),
		.power = pm_state(config),
		.control = tph_control(knobs, config),
	};
}

static void log_control(struct instrument *instrument, uint32_t old, uint32_t new)
{
	struct line *line = instrument_event(instrument, "tph-control");

	line_hex(line, "old", old, 8);
	line_hex(line, "new", new, 8);
	line_string(line, "mode", tph_mode_name(tph_control_mode(new)));
	line_string(line, "enable", tph_enable_name(tph_control_enable(new)));
	instrument_write_line(instrument, line);
}

void accesses_compare(struct instrument *instrument, const struct config_state *old,
		      const struct config_state *new)
{
	if (new->control != old->control)
		log_control(instrument, old->control, new->control);
	if (tph_control_on(old->control) && !tph_control_on(new->control))
		instrument->counters.off_windows++;
	if (new->bus_master != old->bus_master) {
		struct line *line = instrument_event(instrument, "bus-master");

		line_flag(line, "enabled", new->bus_master);
		instrument_write_line(instrument, line);
	}
}

bool accesses_overlap(size_t at, size_t length, size_t start, size_t size)
{
	return size && length && at < start + size && start < at + length;
}

/*
 * Software that knows that a function sleeps wakes it first, by the registers of its Power
 * Management capability. Whatever else comes is somebody's mistake, though configuration requests
 * are answered in D3hot (PCIe 6.2, 5.3.1.4.1).
 */
static void count_asleep(struct instrument *instrument, const struct config_space *config,
			 uint32_t *counter, const char *access, size_t at, size_t length)
{
	struct line *line;

	if (pm_powered(config))
		return;
	++*counter;
	line = instrument_event(instrument, "asleep");
	line_string(line, "access", access);
	line_hex(line, "at", at, 3);
	line_number(line, "length", length);
	instrument_write_line(instrument, line);
}

void accesses_count(struct instrument *instrument, const struct knobs *knobs,
		    const struct config_space *config, bool write, size_t at, size_t length)
{
	struct counters *counters = &instrument->counters;
	const size_t pm = config->places.pm;

	counters_config(counters, write, at, length);
	if (at < pm || at + length > pm + PCI_PM_SIZEOF)
		count_asleep(instrument, config,
			     write ? &counters->asleep_writes : &counters->asleep_reads,
			     write ? "config-write" : "config-read", at, length);
	if (knobs->tph && accesses_overlap(at, length, knobs->tph_at, tph_size(knobs)))
		counters->tph++;
	if (write && tph_table_at(knobs) &&
	    accesses_overlap(at, length, tph_table_at(knobs), 2 * (size_t)knobs->entries))
		counters->st_writes++;
}

void accesses_count_memory(struct instrument *instrument, const struct config_space *config,
			   bool write, size_t at, size_t length)
{
	count_asleep(instrument, config, &instrument->counters.asleep_memory,
		     write ? "memory-write" : "memory-read", at, length);
}

void accesses_log_write(struct instrument *instrument, const char *event, size_t at,
			const uint8_t *data, size_t length)
{
	struct line *line = instrument_event(instrument, event);
	uint64_t value = 0;

	for (size_t i = 0; i < length && i < sizeof(value); i++)
		value |= (uint64_t)data[i] << 8 * i;
	line_hex(line, "at", at, 3);
	line_number(line, "length", length);
	line_hex(line, "value", value, 1);
	instrument_write_line(instrument, line);
}

void accesses_log_entry(struct instrument *instrument, unsigned int index, uint16_t old,
			uint16_t new)
{
	struct line *line;

	if (old == new)
		return;
	line = instrument_event(instrument, "st-entry");
	line_number(line, "index", index);
	line_hex(line, "old", old, 4);
	line_hex(line, "new", new, 4);
	instrument_write_line(instrument, line);
}
