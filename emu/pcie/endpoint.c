// SPDX-License-Identifier: MIT
#include "endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "accesses.h"
#include "capabilities.h"
#include "express.h"
#include "function.h"
#include "header.h"
#include "instrument/analyzer.h"
#include "interrupt.h"
#include "pm.h"
#include "tlp.h"
#include "tph.h"

static struct endpoint *endpoint_of(struct port *port)
{
	return (struct endpoint *)((char *)port - offsetof(struct endpoint, port));
}

/* ---- as requester and completer ---- */

static void request_sent(struct port *port, const struct tlp *tlp, const struct tlp_path *path)
{
	struct endpoint *endpoint = endpoint_of(port);

	analyzer_sent(&endpoint->instrument, tlp, port->rid, path);
}

static bool bars_decoded(const struct endpoint *endpoint)
{
	return header_memory_enabled(&endpoint->config) && pm_powered(&endpoint->config);
}

static bool is_memory(const struct endpoint *endpoint, unsigned int bar)
{
	return endpoint->memory.bytes && bar == endpoint->knobs.memory_bar;
}

/* Registers are written one by one, however many a request has. */
static void receive_write(struct endpoint *endpoint, unsigned int bar, size_t at,
			  const uint8_t *data, size_t length)
{
	while (length) {
		size_t room = is_memory(endpoint, bar) ? length : 4 - at % 4;
		size_t now = length < room ? length : room;

		endpoint_bar_write(endpoint, bar, at, data, now);
		at += now;
		data += now;
		length -= now;
	}
}

static bool request_received(struct port *port, const struct tlp *tlp, unsigned int bar, size_t at,
			     const uint8_t *data, uint16_t requester)
{
	struct endpoint *endpoint = endpoint_of(port);
	struct tlp_arrival arrival = {
		.bar = bar,
		.offset = at,
		.requester = requester,
		.verdict = TLP_ACCEPTED,
	};

	/* What is malformed is so at the link already, before anybody asks which BAR it is for. */
	if (tlp_is_malformed(&endpoint->knobs, tlp)) {
		arrival.verdict = TLP_MALFORMED;
		express_detected(&endpoint->config, PCI_EXP_DEVSTA_FED);
	} else if (!bars_decoded(endpoint)) {
		arrival.verdict = TLP_UNSUPPORTED;
	} else {
		arrival.use = tlp_hint_use(&endpoint->knobs, tlp);
	}
	analyzer_received(&endpoint->instrument, tlp, &arrival);
	if (arrival.verdict != TLP_ACCEPTED)
		return false;
	if (tlp->type == TLP_MEMORY_WRITE)
		receive_write(endpoint, bar, at, data, tlp->length);
	return true;
}

static void client_writes(struct port *port, unsigned int bar, size_t at, const uint8_t *data,
			  size_t length)
{
	endpoint_bar_write(endpoint_of(port), bar, at, data, length);
}

static const struct port_events port_events = {
	.sent = request_sent,
	.received = request_received,
	.write = client_writes,
};

/* ---- its life ---- */

static void model_reset(struct endpoint *endpoint, enum tph_emu_reset how)
{
	const struct knobs *knobs = &endpoint->knobs;

	if (knobs->model->reset)
		knobs->model->reset(&endpoint->emu, knobs->model_state, how);
}

/* The loop calls endpoint_work() after each alarm, and nothing else is wanted. */
static void woken(struct alarm *alarm)
{
	(void)alarm;
}

static void parts_connect(struct endpoint *endpoint, struct log *log, struct qmp *qmp)
{
	const struct knobs *knobs = &endpoint->knobs;

	endpoint->emu.endpoint = endpoint;
	endpoint->function = function_describe(knobs);
	endpoint->instrument.log = log;
	endpoint->instrument.name = knobs->name;
	endpoint->capture.sink.fd = -1;
	endpoint->wake.ring = woken;
	endpoint->map.closer = &endpoint->closer;
	endpoint->port = (struct port){
		.events = &port_events,
		.name = knobs->name,
		.rid = knobs->rid,
	};
	endpoint->tags = (struct tag_source){
		.knobs = knobs,
		.config = &endpoint->config,
		.msix = &endpoint->msix,
		.monitor = qmp,
	};
	endpoint->requester = (struct requester){
		.tags = &endpoint->tags,
		.config = &endpoint->config,
		.map = &endpoint->map,
		.port = &endpoint->port,
		.instrument = &endpoint->instrument,
		.count = knobs->model->engines,
	};
}

int endpoint_init(struct endpoint *endpoint, const struct knobs *knobs, struct log *log,
		  struct qmp *qmp)
{
	int ret = -ENOMEM;

	*endpoint = (struct endpoint){ .knobs = *knobs };
	parts_connect(endpoint, log, qmp);
	capabilities_define(knobs, &endpoint->config);
	endpoint->requester.engines =
		calloc(knobs->model->engines, sizeof(*endpoint->requester.engines));
	if (!endpoint->requester.engines)
		goto err_free_knobs;
	if (knobs->memory_bar) {
		ret = memory_make(&endpoint->memory, knobs->memory_size);
		if (ret)
			goto err_free_engines;
	}
	ret = msix_init(&endpoint->msix, knobs);
	if (ret)
		goto err_free_memory;
	endpoint->msix.closer = &endpoint->closer;
	model_reset(endpoint, TPH_EMU_POWER_ON);
	return 0;

err_free_memory:
	memory_free(&endpoint->memory);
err_free_engines:
	free(endpoint->requester.engines);
err_free_knobs:
	knobs_free(&endpoint->knobs);
	return ret;
}

void endpoint_fini(struct endpoint *endpoint)
{
	requester_reset(&endpoint->requester);
	if (endpoint->loop)
		loop_clear_alarm(endpoint->loop, &endpoint->wake);
	capture_close(&endpoint->capture, 0);
	iova_map_fini(&endpoint->map);
	msix_fini(&endpoint->msix);
	memory_free(&endpoint->memory);
	free(endpoint->requester.engines);
	knobs_free(&endpoint->knobs);
}

static struct config_state state_of(const struct endpoint *endpoint)
{
	return accesses_state(&endpoint->knobs, &endpoint->config);
}

static void compare(struct endpoint *endpoint, const struct config_state *old)
{
	const struct config_state new = state_of(endpoint);

	accesses_compare(&endpoint->instrument, old, &new);
}

/* QEMU resets every device as its machine starts: to the guest that is still power-on. */
static void restore(struct endpoint *endpoint, enum config_reset how)
{
	const bool starts = how == CONFIG_RESET_CONVENTIONAL && endpoint->fresh;

	config_reset(&endpoint->config, how);
	if (how == CONFIG_RESET_POWER || starts || endpoint->knobs.preset_always)
		tph_preset(&endpoint->knobs, &endpoint->config);
	endpoint->fresh = how == CONFIG_RESET_POWER;
	if (how != CONFIG_RESET_FUNCTION)
		endpoint->tags.msix_address = 0;
}

void endpoint_reset(struct endpoint *endpoint, enum endpoint_reset how)
{
	static const struct {
		const char *name;
		enum config_reset config;
		enum tph_emu_reset model;
	} kinds[] = {
		[ENDPOINT_RESET_POWER_ON] = { "power-on", CONFIG_RESET_POWER, TPH_EMU_POWER_ON },
		[ENDPOINT_RESET_FLR] = { "flr", CONFIG_RESET_FUNCTION, TPH_EMU_FUNCTION },
		[ENDPOINT_RESET_AF] = { "af-flr", CONFIG_RESET_FUNCTION, TPH_EMU_FUNCTION },
		[ENDPOINT_RESET_DEVICE] = { "device-reset", CONFIG_RESET_CONVENTIONAL,
					    TPH_EMU_CONVENTIONAL },
		[ENDPOINT_RESET_PM] = { "pm", CONFIG_RESET_FUNCTION, TPH_EMU_FUNCTION },
	};
	const struct config_state old = state_of(endpoint);
	struct line *line = instrument_event(&endpoint->instrument, "reset");

	line_string(line, "how", kinds[how].name);
	instrument_write_line(&endpoint->instrument, line);
	if (how != ENDPOINT_RESET_POWER_ON)
		endpoint->instrument.counters.resets++;

	requester_reset(&endpoint->requester);
	memory_reset(&endpoint->memory);
	msix_reset(&endpoint->msix);
	restore(endpoint, kinds[how].config);
	model_reset(endpoint, kinds[how].model);
	compare(endpoint, &old);
}

void endpoint_connect(struct endpoint *endpoint)
{
	endpoint_reset(endpoint, ENDPOINT_RESET_POWER_ON);
}

void endpoint_disconnect(struct endpoint *endpoint, const char *reason)
{
	struct line *line = instrument_event(&endpoint->instrument, "disconnect");
	const struct config_state old = state_of(endpoint);

	line_string(line, "reason", reason);
	instrument_write_line(&endpoint->instrument, line);
	requester_reset(&endpoint->requester);
	fabric_forget(&endpoint->port);
	endpoint->port.carrier = NULL;
	memory_reset(&endpoint->memory);
	iova_map_clear(&endpoint->map);
	msix_disconnect(&endpoint->msix);
	endpoint->unseen = false;
	restore(endpoint, CONFIG_RESET_POWER);
	model_reset(endpoint, TPH_EMU_POWER_ON);
	compare(endpoint, &old);
}

/* ---- configuration space ---- */

void endpoint_config_read(struct endpoint *endpoint, size_t at, uint8_t *data, size_t length)
{
	accesses_count(&endpoint->instrument, &endpoint->knobs, &endpoint->config, false, at,
		       length);
	memcpy(data, endpoint->config.value + at, length);
}

/*
 * Every write to the capability, and to its neighbours that keep what is written, whether it
 * changes something or not: the order is what counts.
 */
static void tph_written(struct endpoint *endpoint, size_t at, const uint8_t *data, size_t length)
{
	struct instrument *instrument = &endpoint->instrument;
	const struct knobs *knobs = &endpoint->knobs;

	for (unsigned int i = 0; i < knobs->vsec_count; i++)
		if (accesses_overlap(at, length, knobs->vsecs[i].at, knobs->vsecs[i].size))
			accesses_log_write(instrument, "vsec-write", at, data, length);
	if (!knobs->tph || !accesses_overlap(at, length, knobs->tph_at, tph_size(knobs)))
		return;
	requester_tags_changed(&endpoint->requester);
	accesses_log_write(instrument, "tph-write", at, data, length);
}

/* The value of a byte that the access writes, or -1 if it does not touch that byte. */
static int written(size_t byte, size_t at, const uint8_t *data, size_t length)
{
	return byte >= at && byte - at < length ? data[byte - at] : -1;
}

static void bars_follow(struct endpoint *endpoint, size_t at, size_t length)
{
	const struct knobs *knobs = &endpoint->knobs;
	const struct bar *bar = &knobs->bars[knobs->msix_bar];
	const bool wide = bar->type & PCI_BASE_ADDRESS_MEM_TYPE_64;
	const size_t bar_at = header_bar_at(knobs->msix_bar);
	uint64_t low = config_get32(&endpoint->config, bar_at);
	uint64_t high = wide ? config_get32(&endpoint->config, bar_at + 4) : 0;

	if (accesses_overlap(at, length, bar_at, wide ? 8 : 4))
		endpoint->tags.msix_address =
			high << 32 | (low & ~(uint64_t)(bar->size - 1));
}

void endpoint_config_write(struct endpoint *endpoint, size_t at, const uint8_t *data, size_t length)
{
	struct config_space *config = &endpoint->config;
	const struct places *places = &config->places;
	const int device_control_high =
		written(places->express + PCI_EXP_DEVCTL + 1, at, data, length);
	const int af_control = written(places->af + PCI_AF_CTRL, at, data, length);
	const struct config_state old = state_of(endpoint);
	const struct knobs *knobs = &endpoint->knobs;
	const size_t table = tph_table_at(knobs);
	uint16_t entries[KNOBS_CAPABILITY_ENTRIES_MAX];
	unsigned int power;

	accesses_count(&endpoint->instrument, knobs, config, true, at, length);
	tph_written(endpoint, at, data, length);
	for (unsigned int i = 0; table && i < knobs->entries; i++)
		entries[i] = tph_table_entry(knobs, config, i);

	config_write(config, at, data, length);
	bars_follow(endpoint, at, length);

	/* A state that the function lacks is not entered, and the write is no error (7.5.2.2). */
	power = pm_state(config);
	if (power != PM_D0 && power != PM_D3HOT) {
		power = old.power;
		pm_set_state(config, power);
	}

	for (unsigned int i = 0; table && i < knobs->entries; i++)
		accesses_log_entry(&endpoint->instrument, i, entries[i],
				   tph_table_entry(knobs, config, i));
	compare(endpoint, &old);

	if (knobs->flr && device_control_high >= 0 &&
	    device_control_high & PCI_EXP_DEVCTL_BCR_FLR >> 8)
		endpoint_reset(endpoint, ENDPOINT_RESET_FLR);
	else if (knobs->af && af_control >= 0 && af_control & PCI_AF_CTRL_FLR)
		endpoint_reset(endpoint, ENDPOINT_RESET_AF);
	else if (old.power == PM_D3HOT && power == PM_D0 && !knobs->no_soft_reset)
		endpoint_reset(endpoint, ENDPOINT_RESET_PM);
	endpoint_interrupts_flush(endpoint);
	if (knobs->model->config_written)
		knobs->model->config_written(&endpoint->emu, knobs->model_state, at, length);
	endpoint->unseen = true;
}

/* ---- BARs ---- */

size_t endpoint_bar_size(const struct endpoint *endpoint, unsigned int bar)
{
	return bar < PCI_STD_NUM_BARS ? endpoint->knobs.bars[bar].size : 0;
}

/* Whether an access is for MSI-X: in a BAR without registers all are. */
static bool is_msix(const struct endpoint *endpoint, unsigned int bar, size_t at, size_t length)
{
	if (!endpoint->knobs.vectors || bar != endpoint->knobs.msix_bar)
		return false;
	return bar != REGISTERS_BAR || msix_covers(&endpoint->msix, at, length);
}

void endpoint_bar_read(struct endpoint *endpoint, unsigned int bar, size_t at, uint8_t *data,
		       size_t length)
{
	const struct knobs *knobs = &endpoint->knobs;

	accesses_count_memory(&endpoint->instrument, &endpoint->config, false, at, length);
	memset(data, 0xff, length);
	if (!bars_decoded(endpoint))
		return;
	if (is_memory(endpoint, bar))
		memcpy(data, endpoint->memory.bytes + at, length);
	else if (is_msix(endpoint, bar, at, length))
		msix_read(&endpoint->msix, at, data, length);
	else if (bar != REGISTERS_BAR)
		memset(data, 0, length); /* of a profile: nobody knows what is there */
	else
		knobs->model->bar_read(&endpoint->emu, knobs->model_state, at, data, length);
}

static void msix_bar_write(struct endpoint *endpoint, size_t at, const uint8_t *data, size_t length)
{
	struct msix *msix = &endpoint->msix;
	const size_t before = at < msix->table_at ? 0 : at - msix->table_at;

	/* Entry by entry, to log each tag that changes. */
	for (unsigned int i = (unsigned int)(before / MSIX_ENTRY_SIZE); i < msix->count; i++) {
		size_t from = msix->table_at + (size_t)i * MSIX_ENTRY_SIZE;
		size_t to = from + MSIX_ENTRY_SIZE;
		uint16_t old = msix_tag(msix, i);

		if (from < at)
			from = at;
		if (to > at + length)
			to = at + length;
		if (from >= to)
			break;
		msix_write(msix, from, data + (from - at), to - from);
		accesses_log_entry(&endpoint->instrument, i, old, msix_tag(msix, i));
	}
	endpoint_interrupts_flush(endpoint);
}

void endpoint_bar_write(struct endpoint *endpoint, unsigned int bar, size_t at, const uint8_t *data,
			size_t length)
{
	const struct knobs *knobs = &endpoint->knobs;

	accesses_count_memory(&endpoint->instrument, &endpoint->config, true, at, length);
	if (!bars_decoded(endpoint))
		return;
	if (is_memory(endpoint, bar))
		memory_write(&endpoint->memory, at, data, length);
	else if (is_msix(endpoint, bar, at, length))
		msix_bar_write(endpoint, at, data, length);
	else if (bar == REGISTERS_BAR)
		knobs->model->bar_write(&endpoint->emu, knobs->model_state, at, data, length);
}

/* ---- work and interrupts ---- */

#define REAPS_AT_ONCE 1 /* then it is other functions' and clients' turn */

bool endpoint_work(struct endpoint *endpoint)
{
	const struct knobs *knobs = &endpoint->knobs;
	bool more;

	endpoint->unseen = false;
	fabric_conclude(&endpoint->port);
	more = knobs->model->work && knobs->model->work(&endpoint->emu, knobs->model_state);
	return iova_map_reap(&endpoint->map, REAPS_AT_ONCE) || more;
}

unsigned int endpoint_settle(struct endpoint *endpoint)
{
	const uint32_t before = endpoint->instrument.sent.head;

	if (endpoint->unseen)
		endpoint_work(endpoint);
	return endpoint->instrument.sent.head - before;
}

void endpoint_interrupts_flush(struct endpoint *endpoint)
{
	interrupt_flush(&endpoint->msix, &endpoint->config, &endpoint->instrument);
}

void endpoint_interrupt(struct endpoint *endpoint, unsigned int vector)
{
	interrupt_send(&endpoint->msix, &endpoint->config, &endpoint->instrument, vector);
}
