// SPDX-License-Identifier: MIT
/* The endpoint as its software sees it: configuration space, BARs, DMA, interrupts, resets. */
#include "fixture.h"
#include "pcie/header.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- configuration space against a second, independent statement of its rules ---- */

struct rule {
	size_t at;
	uint32_t writable;
};

static void rules_apply(uint8_t *writable, const struct rule *rules)
{
	for (; rules->writable; rules++)
		for (size_t i = 0; i < 4; i++)
			writable[rules->at + i] = (uint8_t)(rules->writable >> 8 * i);
}

static uint8_t expected_byte(size_t at, uint8_t old, uint8_t data, uint8_t writable)
{
	uint8_t value = (uint8_t)((old & ~writable) | (data & writable));

	/* Power states D1 and D2 are not there. */
	if (at == POWER && ((value & 3) == 1 || (value & 3) == 2))
		value = (uint8_t)((value & ~3) | (old & 3));
	return value;
}

static void access_matrix(struct fixture *f, const char *keys, const struct rule *more)
{
	static const struct rule common[] = {
		{ 0x04, 0x00000546 }, { 0x0c, 0x000000ff }, { 0x10, 0xffff0000 },
		{ 0x3c, 0x000000ff }, { 0x44, 0x00000003 }, { 0x68, 0x000079ff },
		{ 0x70, 0x000000cb }, { 0x88, 0x00000010 }, { 0, 0 },
	};
	static const size_t widths[] = { 1, 2, 3, 4, 5, 8 };
	static const uint8_t patterns[] = { 0xff, 0x00, 0x5a };
	static uint8_t writable[CONFIG_SPACE_SIZE], model[CONFIG_SPACE_SIZE];
	uint8_t data[8], seen[8];

	remake(f, keys);
	memset(writable, 0, sizeof(writable));
	rules_apply(writable, common);
	rules_apply(writable, more);
	endpoint_config_read(&f->endpoint, 0, model, sizeof(model));

	for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
		for (size_t at = 0; at + widths[w] <= CONFIG_SPACE_SIZE; at++) {
			for (size_t p = 0; p < sizeof(patterns); p++) {
				for (size_t i = 0; i < widths[w]; i++) {
					data[i] = (uint8_t)(patterns[p] + (p == 2 ? at + i : 0));
					model[at + i] = expected_byte(at + i, model[at + i],
								      data[i], writable[at + i]);
				}
				endpoint_config_write(&f->endpoint, at, data, widths[w]);
				endpoint_config_read(&f->endpoint, at, seen, widths[w]);
				if (memcmp(seen, model + at, widths[w]) ||
				    memcmp(f->endpoint.config.value, model, sizeof(model)))
					fail_msg("%s: write of %zu bytes at 0x%zx", keys, widths[w],
						 at);
			}
		}
	}
}

static void every_access_to_configuration_space(void **state)
{
	struct fixture *f = *state;
	struct rule wide[40] = {
		{ 0x20, 0xffff0000 },
		{ 0x24, 0xffffffff },
		{ 0x50, 0xc0000000 },
		{ TPH_CONTROL, 0x00000307 },
	};
	static const struct rule narrow[] = {
		{ 0x20, 0xffff0000 },
		{ 0x24, 0xffffffff },
		{ 0x50, 0xc0000000 },
		{ 0x108, 0x00000107 },
		{ 0x10c, 0x00ff00ff },
		{ 0x110, 0x000000ff },
		{ 0, 0 },
	};
	static const struct rule memory_at_2[] = { { 0x18, 0xfffff000 },
						   { 0x1c, 0xffffffff },
						   { 0, 0 } };
	static const struct rule memory_at_4[] = { { 0x20, 0xff000000 },
						   { 0x24, 0xffffffff },
						   { 0, 0 } };
	static const struct rule no_msix[] = { { 0xff8, 0x00000300 }, { 0, 0 } };
	static const struct rule no_tph[] = {
		{ 0x20, 0xffff0000 },
		{ 0x24, 0xffffffff },
		{ 0x50, 0xc0000000 },
		{ 0, 0 },
	};

	static const struct rule no_tph_aer[] = {
		{ 0x20, 0xffff0000 },	    { 0x24, 0xffffffff },
		{ 0x50, 0xc0000000 },	    { AER - 4, 0x00010000 },
		{ AER + 0x08, 0x001ff030 }, { AER + 0x0c, 0x001ff030 },
		{ AER + 0x14, 0x000031c1 }, { 0, 0 },
	};

	static const struct rule scratch[] = {
		{ 0x18, 0xfffff000 }, { 0x1c, 0xffffffff },  { 0x50, 0xc0000000 },
		{ 0x168, 0x00000107 }, { 0x16c, 0x00ff00ff }, { 0x170, 0xffffffff },
		{ 0x17c, 0xffffffff }, { 0x180, 0xffffffff }, { 0, 0 },
	};

	for (size_t i = 0; i < 32; i++)
		wide[4 + i] = (struct rule){ TPH_TABLE + 4 * i, 0xffffffff };
	f->log.sink.fd = dup(f->log.sink.fd);
	log_close(&f->log, 0); /* not what this is about */
	access_matrix(f, "flr=off", wide);
	access_matrix(f, "flr=off,width=8,tph-at=0x100,entries=3", narrow);
	access_matrix(f, "flr=off,vectors=0,st-table=none,modes=nost,tph-at=0xff0", no_msix);
	access_matrix(f, "flr=off,tph=off", no_tph);
	access_matrix(f, "flr=off,tph=off,config=0xfc:0x12345678", no_tph);
	assert_int_equal(config_in(f, 0xfc, 4), 0x12345678);
	access_matrix(f, "flr=off,tph=off,vectors=0,memory-bar=2,memory-size=4K", memory_at_2);
	access_matrix(f, "flr=off,tph=off,vectors=0,memory-bar=4,memory-size=16M", memory_at_4);
	access_matrix(f, "flr=off,tph=off,aer=on,pasid=on", no_tph_aer);
	access_matrix(f,
		      "flr=off,width=8,tph-at=0x160,entries=2,claim=64,tph-size=20,vsec=0x174:16,"
		      "msix-bar=2,msix-size=4K",
		      scratch);
}

static void capabilities_say_what_was_asked_for(void **state)
{
	static const struct {
		const char *keys;
		size_t at;
		uint32_t capability;
	} variants[] = {
		{ "", 0x110, 0x003f0307 },
		{ "entries=1,width=8", 0x110, 0x00000207 },
		{ "entries=2,claim=64", 0x110, 0x003f0307 },
		{ "modes=none,entries=16", 0x110, 0x000f0300 },
		{ "st-table=msix,vectors=16,claim=2048", 0x110, 0x07ff0507 },
		{ "st-table=none", 0x110, 0x00000105 },
		{ "st-table=msix,entries=2048", 0x110, 0x07ff0507 },
		{ "st-table=msix,vectors=4,modes=iv,width=8,tph-at=0x100", 0x100, 0x00030402 },
		{ "modes=ds,tph-at=0x800", 0x800, 0x003f0304 },
		{ "aer=on", 0x110, 0x003f0307 },
		{ "aer=on,pasid=on", 0x110, 0x003f0307 },
		{ "aer=on,tph-at=0x100", 0x100, 0x003f0307 },
		{ "aer=on,tph-at=0xf2c", 0xf2c, 0x003f0307 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		size_t at = 0x100;
		bool serial = false, tph = false, errors = false;

		remake(f, variants[i].keys);
		while (at) {
			uint32_t header = config_in(f, at, 4);

			errors |= (header & 0xffff) == 1;
			assert_int_equal(header >> 16 & 0xf, (header & 0xffff) == 1 ? 2 : 1);
			serial |= (header & 0xffff) == 3;
			if ((header & 0xffff) == 0x17) {
				tph = true;
				assert_int_equal(at, variants[i].at);
				assert_int_equal(config_in(f, at + 4, 4), variants[i].capability);
				assert_int_equal(config_in(f, at + 8, 4), 0);
			}
			at = header >> 20;
		}
		assert_true(serial && tph);
		assert_int_equal(errors, !strncmp(variants[i].keys, "aer", 3));
	}
}

/* The offsets of the extended capabilities in the order of the chain. */
static void assert_chain(struct fixture *f, const char *keys, const uint16_t *expected)
{
	size_t at = 0x100;

	remake(f, keys);
	for (; *expected; expected++) {
		assert_int_equal(at, *expected);
		at = config_in(f, at, 4) >> 20;
	}
	assert_int_equal(at, 0);
}

static void vendor_capabilities_are_chained_as_asked_for(void **state)
{
	struct fixture *f = *state;

	assert_chain(f, "tph-at=0x230,st-table=none,vsec=0x300:16+0x200:16",
		     (uint16_t[]){ 0x100, 0x230, 0x300, 0x200, 0 });
	assert_chain(f, "tph-at=0x160,entries=2,vsec=0x170:16,chain-first=vsec,aer=on,pasid=on",
		     (uint16_t[]){ 0x100, 0x170, 0x160, AER - 8, AER, 0 });
	assert_chain(f, "tph=off,vsec=0x10c:12", (uint16_t[]){ 0x100, 0x10c, 0 });
	assert_int_equal(config_in(f, 0x10c, 4), 0x0001000b);
	assert_int_equal(config_in(f, 0x110, 4), 0x00c07450);
	assert_chain(f, "tph-at=0x100,entries=2,tph-size=20,vsec=0x120:12",
		     (uint16_t[]){ 0x100, 0x114, 0x120, 0 });
}

/* Scratch registers show a write that came, whoever resets the function after it. */
static void scratch_registers_keep_what_is_written(void **state)
{
	struct fixture *f = *state;
	struct json_object *line;

	remake(f, "tph-at=0x160,entries=2,tph-size=24,vsec=0x178:16,st-table=cap");
	assert_int_equal(config_in(f, 0x170, 4), 0x5c5c0170);
	assert_int_equal(config_in(f, 0x174, 4), 0x5c5c0174);
	assert_int_equal(config_in(f, 0x180, 4), 0x5c5c0180);
	assert_int_equal(config_in(f, 0x188, 4), 0);
	config_out(f, 0x172, 2, 0);
	line = last_event(f, "tph-write");
	assert_field(line, "at", "0x172");
	json_object_put(line);
	assert_null(last_event(f, "vsec-write"));
	config_out(f, 0x184, 1, 0xaa);
	line = last_event(f, "vsec-write");
	assert_field(line, "at", "0x184");
	assert_field(line, "length", "1");
	assert_field(line, "value", "0xaa");
	json_object_put(line);
	config_out(f, 0x178, 4, 0); /* the header takes none */
	assert_int_equal(config_in(f, 0x178, 4), 0x0001000b);
	config_out(f, DEVICE_CONTROL, 2, 0x8000);
	endpoint_reset(&f->endpoint, ENDPOINT_RESET_DEVICE);
	assert_int_equal(config_in(f, 0x170, 4), 0x00000170);
	assert_int_equal(config_in(f, 0x184, 4), 0x5c5c01aa);
	endpoint_disconnect(&f->endpoint, "hung-up");
	endpoint_connect(&f->endpoint);
	assert_int_equal(config_in(f, 0x170, 4), 0x5c5c0170);
}

static void standard_capabilities_are_chained(void **state)
{
	static const char *const completers[] = { "none", "8", "reserved", "16" };
	struct fixture *f = *state;
	char keys[64];

	for (unsigned int i = 0; i < 4; i++) {
		snprintf(keys, sizeof(keys), "completer=%s,vectors=%u,flr=%s,nsr=%s", completers[i],
			 i ? 2048 : 0, i % 2 ? "on" : "off", i % 2 ? "off" : "on");
		remake(f, keys);
		assert_int_equal(config_in(f, STATUS, 2), 0x0010);
		assert_int_equal(config_in(f, 0x34, 1), 0x40);
		assert_int_equal(config_in(f, 0x40, 1), 0x01);
		assert_int_equal(config_in(f, 0x41, 1), i ? 0x50 : 0x60);
		assert_int_equal(config_in(f, POWER, 2), i % 2 ? 0 : 8);
		if (i) {
			assert_int_equal(config_in(f, 0x50, 4), 0x07ff6011);
			assert_int_equal(config_in(f, 0x54, 4), 4);
			assert_int_equal(config_in(f, 0x58, 4), 0xf004);
		}
		assert_int_equal(config_in(f, 0x60, 4), 0x00020010);
		assert_int_equal(config_in(f, 0x64, 4) >> 28, i % 2);
		assert_int_equal(config_in(f, 0x84, 4) >> 12 & 3, i);
	}
}

/* Who completes extended tags, or sends them, has to understand the prefix that they come in. */
static void extended_tags_need_prefixes(void **state)
{
	static const struct {
		const char *keys;
		bool prefixes;
	} variants[] = {
		{ "tph=off,completer=8", false },    { "width=8,completer=8", false },
		{ "width=8,completer=16", true },    { "tph=off,completer=16", true },
		{ "width=16,completer=none", true },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		remake(f, variants[i].keys);
		assert_int_equal(config_in(f, 0x84, 4) >> 21 & 1, variants[i].prefixes);
	}
}

static void bars_tell_their_size(void **state)
{
	struct fixture *f = *state;

	for (size_t bar = 0x10; bar <= 0x24; bar += 4)
		config_out(f, bar, 4, 0xffffffff);
	assert_int_equal(config_in(f, 0x10, 4), 0xffff0000);
	assert_int_equal(config_in(f, 0x14, 4), 0);
	assert_int_equal(config_in(f, 0x18, 4), 0);
	assert_int_equal(config_in(f, 0x1c, 4), 0);
	assert_int_equal(config_in(f, 0x20, 4), 0xffff0004);
	assert_int_equal(config_in(f, 0x24, 4), 0xffffffff);
	config_out(f, 0x30, 4, 0xffffffff);
	assert_int_equal(config_in(f, 0x30, 4), 0);
}

/* Table and PBA where devices in the field have them. */
static void msix_is_where_it_was_asked_for(void **state)
{
	static const struct {
		const char *keys;
		unsigned int bar;
		uint32_t control, table, pba, size;
	} variants[] = {
		{ "vectors=255,msix-size=8K,pba-offset=0xff0", 4, 254, 0x4, 0xff4, 0xffffe004 },
		{ "vectors=16,msix-bar=2,msix-offset=0x5200,pba-offset=0xd600", 2, 15, 0x5202,
		  0xd602, 0xffff0004 },
		{ "vectors=5,msix-bar=3,msix-size=4K", 3, 4, 0x3, 0xf03, 0xfffff000 },
		{ "vectors=16,msix-bar=1,msix-offset=0x100,pba-offset=0", 1, 15, 0x101, 0x1,
		  0xffff0000 },
	};
	struct fixture *f = *state;
	const uint8_t data = 0x5a;
	uint8_t seen;

	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		const size_t bar = 0x10 + 4 * variants[i].bar;
		const size_t table = variants[i].table & ~7u, pba = variants[i].pba & ~7u;

		remake(f, variants[i].keys);
		assert_int_equal(config_in(f, 0x52, 2), variants[i].control);
		assert_int_equal(config_in(f, 0x54, 4), variants[i].table);
		assert_int_equal(config_in(f, 0x58, 4), variants[i].pba);
		config_out(f, bar, 4, 0xffffffff);
		config_out(f, bar + 4, 4, 0xffffffff);
		assert_int_equal(config_in(f, bar, 4), variants[i].size);
		assert_int_equal(config_in(f, bar + 4, 4), variants[i].size & 4 ? 0xffffffff : 0);
		assert_int_equal(endpoint_bar_size(&f->endpoint, variants[i].bar),
				 ~(variants[i].size & ~7u) + 1);
		assert_int_equal(f->endpoint.tags.msix_address & 0xffffffff, variants[i].size & ~7u);

		config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
		config_out(f, MSIX_CONTROL, 2, 0xc000); /* a masked message stays pending */
		endpoint_interrupt(&f->endpoint, 4);
		endpoint_bar_read(&f->endpoint, variants[i].bar, pba, &seen, 1);
		assert_int_equal(seen, 1 << 4);
		endpoint_bar_write(&f->endpoint, variants[i].bar, table + 4 * 16 + 8, &data, 1);
		endpoint_bar_read(&f->endpoint, variants[i].bar, table + 4 * 16 + 8, &seen, 1);
		assert_int_equal(seen, data);
	}
}

static void error_bits_clear_by_writing_one(void **state)
{
	struct fixture *f = *state;

	header_master_abort(&f->endpoint.config);
	assert_int_equal(config_in(f, STATUS, 2), 0x2010);
	config_out(f, STATUS, 2, 0);
	config_out(f, STATUS + 1, 1, 0xdf);
	config_out(f, COMMAND, 2, 0xffff);
	assert_int_equal(config_in(f, STATUS, 2), 0x2010);
	config_out(f, STATUS + 1, 1, 0x20);
	assert_int_equal(config_in(f, STATUS, 2), 0x0010);
}

/* ---- BAR 0 ---- */

static void registers_answer_whole_aligned_accesses_only(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[8];

	assert_int_equal(reg(f, EP_ID), 0xffffffff); /* memory space is off */
	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	assert_int_equal(reg(f, EP_ID), EP_ID_VALUE);
	assert_int_equal(reg(f, EP_VERSION), EP_VERSION_VALUE);
	assert_int_equal(reg(f, EP_VECTORS), 16);
	assert_int_equal(reg(f, EP_ENTRIES), 64);
	assert_int_equal(reg(f, EP_DMA_VECTOR), EP_DMA_NO_VECTOR);

	for (size_t at = 0; at < 8; at++) {
		for (size_t width = 1; width <= 8; width++) {
			bool whole = width == 4 && at % 4 == 0;

			endpoint_bar_read(&f->endpoint, EP_BAR, EP_DMA_LENGTH + at, bytes, width);
			for (size_t i = 0; i < width; i++)
				assert_int_equal(bytes[i], whole ? 0 : 0xff);
			memset(bytes, 0x5a, sizeof(bytes));
			if (!whole)
				endpoint_bar_write(&f->endpoint, EP_BAR, EP_DMA_LENGTH + at, bytes,
						   width);
			assert_int_equal(reg(f, EP_DMA_LENGTH), 0);
			assert_int_equal(reg(f, EP_DMA_PATTERN), 0);
		}
	}
	reg_set(f, EP_ID, 0);
	reg_set(f, EP_DMA_STATUS, 7);
	reg_set(f, EP_TRACE_HEAD, 7);
	assert_int_equal(reg(f, EP_ID), EP_ID_VALUE);
	assert_int_equal(reg(f, EP_DMA_STATUS), EP_DMA_IDLE);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 0);
}

static void registers_hold_what_is_written(void **state)
{
	static const size_t plain[] = {
		EP_DMA_SRC_LO,	EP_DMA_SRC_HI, EP_DMA_DST_LO, EP_DMA_DST_HI,   EP_DMA_LENGTH,
		EP_DMA_PATTERN, EP_DMA_HINT,   EP_DMA_VECTOR, EP_COUNT_SELECT,
	};
	struct fixture *f = *state;

	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		reg_set(f, plain[i], 0x12340000 + (uint32_t)plain[i]);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		assert_int_equal(reg(f, plain[i]), 0x12340000 + plain[i]);
}

/* ---- DMA ---- */

static uint32_t dma(struct fixture *f, uint32_t command, uint64_t source, uint64_t destination,
		    uint32_t length, uint32_t hint)
{
	reg_set(f, EP_DMA_SRC_LO, (uint32_t)source);
	reg_set(f, EP_DMA_SRC_HI, (uint32_t)(source >> 32));
	reg_set(f, EP_DMA_DST_LO, (uint32_t)destination);
	reg_set(f, EP_DMA_DST_HI, (uint32_t)(destination >> 32));
	reg_set(f, EP_DMA_LENGTH, length);
	reg_set(f, EP_DMA_HINT, hint);
	reg_set(f, EP_DMA_DOORBELL, command);
	assert_int_equal(reg(f, EP_DMA_STATUS), EP_DMA_BUSY);
	while (endpoint_work(&f->endpoint))
		;
	return reg(f, EP_DMA_STATUS);
}

static uint32_t trace(struct fixture *f, uint32_t index, size_t field)
{
	return reg(f, EP_TRACE + index % EP_TRACE_SLOTS * EP_TRACE_STRIDE + field);
}

static void ready(struct fixture *f)
{
	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	reg_set(f, EP_DMA_PATTERN, 0x44332211);
}

static void assert_fault(struct fixture *f, uint32_t reason, const char *name)
{
	struct json_object *line = last_event(f, "fault");

	assert_int_equal(reg(f, EP_DMA_STATUS), EP_DMA_FAULTED);
	assert_int_equal(reg(f, EP_DMA_FAULT), reason);
	assert_field(line, "reason", name);
	json_object_put(line);
}

static void dma_that_is_not_allowed_faults(void **state)
{
	struct fixture *f = *state;

	config_out(f, COMMAND, 2, 0x0002);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, 0);
	assert_fault(f, EP_FAULT_BUS_MASTER, "bus-master");
	ready(f);
	dma(f, EP_DMA_WRITE, 0, 0x1000, 4, 0);
	assert_fault(f, EP_FAULT_UNMAPPED, "unmapped");
	assert_int_equal(config_in(f, STATUS, 2), 0x0010);
	dma(f, EP_DMA_READ, 0x1000, 0, 4, 0);
	assert_fault(f, EP_FAULT_UNMAPPED, "unmapped");
	assert_int_equal(config_in(f, STATUS, 2), 0x2010);
	dma(f, EP_DMA_WRITE, 0, PROTECTED_IOVA, 4, 0);
	assert_fault(f, EP_FAULT_PERMISSION, "permission");
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 0, 0);
	assert_fault(f, EP_FAULT_COMMAND, "command");
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, EP_DMA_LENGTH_MAX + 1, 0);
	assert_fault(f, EP_FAULT_COMMAND, "command");
	dma(f, 0, 0, MEMORY_IOVA, 4, 0);
	assert_fault(f, EP_FAULT_COMMAND, "command");
	dma(f, 4, 0, MEMORY_IOVA, 4, 0);
	assert_fault(f, EP_FAULT_COMMAND, "command");
	dma(f, EP_DMA_WRITE, 0, UINT64_MAX - 1, 8, 0);
	assert_fault(f, EP_FAULT_UNMAPPED, "unmapped");

	assert_int_equal(reg(f, EP_COUNT_FAULTS), 9);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 0);
	assert_null(last_event(f, "tlp"));
	for (size_t i = 0; i < MEMORY_SIZE; i++)
		assert_int_equal(f->memory[i], 0);
	/* the next one is none the worse for it */
	assert_int_equal(dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, 0), EP_DMA_DONE);
	assert_int_equal(reg(f, EP_DMA_FAULT), EP_FAULT_NONE);
}

static void fault_midway_leaves_what_was_sent(void **state)
{
	struct fixture *f = *state;

	ready(f);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA + MEMORY_SIZE - 256, 512, 0);
	assert_fault(f, EP_FAULT_UNMAPPED, "unmapped");
	assert_int_equal(reg(f, EP_TRACE_HEAD), 2);
	assert_int_equal(f->memory[MEMORY_SIZE - 257], 0);
	assert_int_equal(f->memory[MEMORY_SIZE - 256], 0x11);
	assert_int_equal(f->memory[MEMORY_SIZE - 1], 0x44);
}

static void doorbell_is_ignored_while_busy(void **state)
{
	struct fixture *f = *state;

	ready(f);
	reg_set(f, EP_DMA_DST_LO, MEMORY_IOVA);
	reg_set(f, EP_DMA_LENGTH, 8);
	reg_set(f, EP_DMA_DOORBELL, EP_DMA_WRITE);
	/* neither another command nor other registers reach the one that runs */
	reg_set(f, EP_DMA_LENGTH, 16);
	reg_set(f, EP_DMA_DOORBELL, EP_DMA_READ);
	while (endpoint_work(&f->endpoint))
		;
	assert_int_equal(reg(f, EP_DMA_STATUS), EP_DMA_DONE);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 1);
	assert_int_equal(trace(f, 0, EP_TLP_LENGTH), 8);
	assert_int_equal(f->memory[7], 0x44);
	assert_int_equal(f->memory[8], 0);
}

static void power_and_bus_master_count_for_each_tlp(void **state)
{
	struct fixture *f = *state;

	ready(f);
	reg_set(f, EP_DMA_DST_LO, MEMORY_IOVA);
	reg_set(f, EP_DMA_LENGTH, 0x10000);
	reg_set(f, EP_DMA_DOORBELL, EP_DMA_WRITE);
	assert_true(endpoint_work(&f->endpoint));
	config_out(f, COMMAND, 2, 0x0002);
	assert_false(endpoint_work(&f->endpoint));
	assert_fault(f, EP_FAULT_BUS_MASTER, "bus-master");
	assert_int_equal(f->memory[0xffff], 0);

	ready(f);
	reg_set(f, EP_DMA_DOORBELL, EP_DMA_WRITE);
	config_out(f, POWER, 2, 3);
	assert_int_equal(reg(f, EP_ID), 0xffffffff); /* BARs are off too */
	assert_false(endpoint_work(&f->endpoint));
	config_out(f, POWER, 2, 0);
	assert_fault(f, EP_FAULT_POWER, "power");
}

static void write_is_cut_at_payload_size_and_pages(void **state)
{
	static const uint32_t lengths[] = { 128, 128, 128, 16 };
	struct fixture *f = *state;
	uint64_t at = MEMORY_IOVA + 0x1000 - 256;

	ready(f);
	assert_int_equal(dma(f, EP_DMA_WRITE, 0, at, 400, 0), EP_DMA_DONE);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(trace(f, i, EP_TLP_SEQ), i);
		assert_int_equal(trace(f, i, EP_TLP_FLAGS), EP_TLP_MWR);
		assert_int_equal(trace(f, i, EP_TLP_ADDR_LO), at + 128 * i);
		assert_int_equal(trace(f, i, EP_TLP_LENGTH), lengths[i]);
		assert_int_equal(trace(f, i, EP_TLP_RID), 0x0100);
	}
	for (size_t i = 0; i < 400; i++)
		assert_int_equal(f->memory[0x1000 - 256 + i], 0x11 * (1 + i % 4));

	/* Max_Payload_Size 512: the largest that the function has, whatever is written */
	config_out(f, DEVICE_CONTROL, 1, 0xff);
	assert_int_equal(dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 1024, 0), EP_DMA_DONE);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 6);
	/* a request that would cross a page is cut there */
	assert_int_equal(dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA + 0x0ff1, 20, 0), EP_DMA_DONE);
	assert_int_equal(trace(f, 6, EP_TLP_LENGTH), 15);
	assert_int_equal(trace(f, 7, EP_TLP_LENGTH), 5);
}

static void read_is_cut_at_read_request_size_and_summed(void **state)
{
	struct fixture *f = *state;
	uint32_t sum = 0;

	ready(f);
	for (size_t i = 0; i < 1200; i++)
		sum += f->memory[i] = (uint8_t)(i * 7);
	assert_int_equal(dma(f, EP_DMA_READ, MEMORY_IOVA, 0, 1200, 0), EP_DMA_DONE);
	assert_int_equal(reg(f, EP_DMA_SUM), sum);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(trace(f, i, EP_TLP_FLAGS), EP_TLP_MRD);
		assert_int_equal(trace(f, i, EP_TLP_LENGTH), i < 2 ? 512 : 176);
	}
	config_out(f, DEVICE_CONTROL + 1, 1, 0x50); /* 4096 */
	assert_int_equal(dma(f, EP_DMA_READ, MEMORY_IOVA, 0, 1200, 0), EP_DMA_DONE);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 4);
}

static void copy_reads_and_writes(void **state)
{
	struct fixture *f = *state;

	ready(f);
	for (size_t i = 0; i < 5000; i++)
		f->memory[3 + i] = (uint8_t)(i * 13 + 1);
	assert_int_equal(dma(f, EP_DMA_COPY, MEMORY_IOVA + 3, MEMORY_IOVA + 0x10001, 5000, 0),
			 EP_DMA_DONE);
	assert_memory_equal(f->memory + 3, f->memory + 0x10001, 5000);
	assert_int_equal(f->memory[0x10000], 0);
	assert_int_equal(f->memory[0x10001 + 5000], 0);
	/* 509 bytes from 3 on, to the end of the read request; then 127, 128, ... from 1 on */
	assert_int_equal(trace(f, 0, EP_TLP_LENGTH), 509);
	assert_int_equal(trace(f, 1, EP_TLP_FLAGS), EP_TLP_MWR);
	assert_int_equal(trace(f, 1, EP_TLP_LENGTH), 127);
	/* the destination is protected: the read is sent, the write is not */
	f->endpoint.instrument.sent.head = 0;
	dma(f, EP_DMA_COPY, MEMORY_IOVA, PROTECTED_IOVA, 8, 0);
	assert_fault(f, EP_FAULT_PERMISSION, "permission");
	assert_int_equal(reg(f, EP_TRACE_HEAD), 1);
}

static void largest_transfer_wraps_the_trace(void **state)
{
	struct fixture *f = *state;
	uint32_t count = EP_DMA_LENGTH_MAX / 128;

	ready(f);
	assert_int_equal(dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, EP_DMA_LENGTH_MAX, 0), EP_DMA_DONE);
	assert_int_equal(reg(f, EP_TRACE_HEAD), count);
	for (uint32_t i = count - EP_TRACE_SLOTS; i < count; i++) {
		assert_int_equal(trace(f, i, EP_TLP_SEQ), i);
		assert_int_equal(trace(f, i, EP_TLP_ADDR_LO), MEMORY_IOVA + 128 * i);
	}
	assert_int_equal(f->memory[EP_DMA_LENGTH_MAX - 1], 0x44);
	assert_int_equal(f->memory[EP_DMA_LENGTH_MAX], 0);
}

/* ---- hints, from the registers to the log ---- */

#define HINT_ENTRY(entry) ((uint32_t)(entry) | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT)

static void hint_is_in_trace_and_log(void **state)
{
	struct fixture *f = *state;
	struct json_object *line;

	ready(f);
	config_out(f, TPH_TABLE + 2 * 5, 2, 0xbeef);
	config_out(f, TPH_CONTROL, 4, 0x301);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA + 0x40, 64, HINT_ENTRY(5) | 2u << EP_HINT_PH_SHIFT);
	assert_int_equal(trace(f, 0, EP_TLP_FLAGS), EP_TLP_MWR | EP_TLP_TH | 0x2000 | 16 << 16);
	assert_int_equal(trace(f, 0, EP_TLP_ST), 0xbeef);
	line = last_event(f, "tlp");
	assert_field(line, "function", "ep");
	assert_field(line, "type", "MWr");
	assert_field(line, "address", "0x100040");
	assert_field(line, "length", "64");
	assert_field(line, "th", "1");
	assert_field(line, "ph", "2");
	assert_field(line, "st", "0xbeef");
	assert_field(line, "width", "16");
	assert_field(line, "entry", "5");
	assert_field(line, "requester", "01:00.0");
	json_object_put(line);

	config_out(f, TPH_CONTROL, 4, 0x101);
	dma(f, EP_DMA_READ, MEMORY_IOVA, 0, 64, HINT_ENTRY(5));
	assert_int_equal(trace(f, 1, EP_TLP_FLAGS), EP_TLP_MRD | EP_TLP_TH | 8 << 16);
	assert_int_equal(trace(f, 1, EP_TLP_ST), 0xef);

	config_out(f, TPH_CONTROL, 4, 0x201);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 64, HINT_ENTRY(5));
	assert_int_equal(trace(f, 2, EP_TLP_FLAGS), EP_TLP_MWR);
	line = last_event(f, "tlp");
	assert_field(line, "th", "0");
	assert_no_field(line, "ph");
	assert_no_field(line, "st");
	assert_no_field(line, "width");
	json_object_put(line);
	assert_int_equal(f->endpoint.instrument.counters.tlps, 3);
	assert_int_equal(f->endpoint.instrument.counters.tlps_hinted, 2);
}

static void tag_in_the_msix_table_of_a_client_that_writes_it(void **state)
{
	const uint32_t control = 0x01230001;
	struct fixture *f = *state;
	struct json_object *line;

	remake(f, "st-table=msix,vectors=4");
	ready(f);
	endpoint_bar_write(&f->endpoint, MSIX_BAR, 3 * 16 + 12, (const uint8_t *)&control, 4);
	line = last_event(f, "st-entry");
	assert_field(line, "index", "3");
	assert_field(line, "old", "0x0000");
	assert_field(line, "new", "0x0123");
	json_object_put(line);
	config_out(f, TPH_CONTROL, 4, 0x301);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, HINT_ENTRY(3));
	assert_int_equal(trace(f, 0, EP_TLP_ST), 0x0123);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, HINT_ENTRY(4));
	assert_int_equal(trace(f, 1, EP_TLP_FLAGS), EP_TLP_MWR);
}

/* The table among the registers, over a page boundary; both stay what they are. */
static void tag_in_an_msix_table_beside_the_registers(void **state)
{
	const uint32_t control = 0x01230001, value = 0xffffffff;
	struct fixture *f = *state;
	uint32_t read = 0;
	uint8_t pba = 0xff;

	remake(f, "st-table=msix,vectors=16,msix-bar=0,msix-offset=0x8f88");
	ready(f);
	assert_int_equal(endpoint_bar_size(&f->endpoint, MSIX_BAR), 0);
	assert_int_equal(config_in(f, 0x20, 4), 0);
	endpoint_bar_write(&f->endpoint, EP_BAR, 0x8f88 + 15 * 16 + 12, (const uint8_t *)&control,
			   4);
	config_out(f, TPH_CONTROL, 4, 0x301);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, HINT_ENTRY(15));
	assert_int_equal(trace(f, 0, EP_TLP_ST), 0x0123);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, HINT_ENTRY(14));
	assert_int_equal(trace(f, 1, EP_TLP_ST), 0);

	/* before and behind the table and the PBA there are registers, which are not there */
	endpoint_bar_write(&f->endpoint, EP_BAR, 0x8f84, (const uint8_t *)&value, 4);
	endpoint_bar_write(&f->endpoint, EP_BAR, 0x8f88 + 16 * 16, (const uint8_t *)&value, 4);
	endpoint_bar_read(&f->endpoint, EP_BAR, 0x8f84, (uint8_t *)&read, 4);
	assert_int_equal(read, 0);
	endpoint_bar_read(&f->endpoint, EP_BAR, 0x8f88, (uint8_t *)&read, 4);
	assert_int_equal(read, 0);
	endpoint_bar_read(&f->endpoint, EP_BAR, 0x8f88 + 15 * 16 + 12, (uint8_t *)&read, 4);
	assert_int_equal(read, control);
	endpoint_bar_read(&f->endpoint, EP_BAR, MSIX_PBA_AT, &pba, 1);
	assert_int_equal(pba, 0);
	endpoint_bar_read(&f->endpoint, EP_BAR, MSIX_PBA_AT + 8, &pba, 1);
	assert_int_equal(pba, 0xff);
	assert_int_equal(reg(f, EP_ID), EP_ID_VALUE);
}

/* Entries that there is no room for are what is there instead. */
static void tags_come_from_where_the_claim_reaches(void **state)
{
	struct fixture *f = *state;

	remake(f, "tph-at=0x160,entries=2,claim=64,vsec=0x170:16");
	ready(f);
	assert_int_equal(reg(f, EP_ENTRIES), 64);
	config_out(f, 0x168, 4, 0x301);
	config_out(f, 0x16e, 2, 0x1101);
	config_out(f, 0x17a, 2, 0x1103); /* the second half of the second scratch register */
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 64, 1 | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT);
	assert_int_equal(trace(f, 0, EP_TLP_ST), 0x1101);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 64, 7 | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT);
	assert_int_equal(trace(f, 1, EP_TLP_ST), 0x1103);
	remake(f, "tph-at=0xff0,entries=2,claim=64");
	ready(f);
	config_out(f, 0xff8, 4, 0x301);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 64, 63 | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT);
	assert_int_equal(trace(f, 0, EP_TLP_ST), 0);
}

/* What it comes with, and after which reset again. */
static void function_comes_as_it_was_preset(void **state)
{
	static const struct {
		const char *preset;
		uint32_t after_reset;
	} variants[] = { { "", 0 }, { ",preset=power-on", 0 }, { ",preset=reset", 0x102 } };
	struct fixture *f = *state;
	char keys[96];

	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		snprintf(keys, sizeof(keys), "entries=2,width=8,control=0x102,tags=0x11+0x12%s",
			 variants[i].preset);
		remake(f, keys);
		assert_int_equal(config_in(f, TPH_CONTROL, 4), 0x102);
		endpoint_connect(&f->endpoint);
		assert_int_equal(config_in(f, TPH_CONTROL, 4), 0x102);
		assert_int_equal(config_in(f, TPH_TABLE, 4), 0x00120011);
		ready(f);
		dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 64, 1 | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT);
		assert_int_equal(trace(f, 0, EP_TLP_ST), 0x12);
		config_out(f, TPH_CONTROL, 4, 0);
		config_out(f, TPH_TABLE, 4, 0);
		config_out(f, DEVICE_CONTROL, 2, 0x8000);
		assert_int_equal(config_in(f, TPH_CONTROL, 4), variants[i].after_reset);
		assert_int_equal(config_in(f, TPH_TABLE, 4),
				 variants[i].after_reset ? 0x00120011 : 0);
		endpoint_disconnect(&f->endpoint, "hung-up");
		endpoint_connect(&f->endpoint);
		assert_int_equal(config_in(f, TPH_CONTROL, 4), 0x102);
		/* the machine starts; a later reset of the bus is one like any other */
		endpoint_reset(&f->endpoint, ENDPOINT_RESET_DEVICE);
		assert_int_equal(config_in(f, TPH_CONTROL, 4), 0x102);
		endpoint_reset(&f->endpoint, ENDPOINT_RESET_DEVICE);
		assert_int_equal(config_in(f, TPH_CONTROL, 4), variants[i].after_reset);
	}
}

static void tph_events_tell_old_and_new(void **state)
{
	struct fixture *f = *state;
	struct json_object *line;

	config_out(f, TPH_CONTROL, 4, 0);
	assert_null(last_event(f, "tph-control"));
	config_out(f, TPH_CONTROL + 1, 1, 3);
	config_out(f, TPH_CONTROL, 1, 2);
	line = last_event(f, "tph-control");
	assert_field(line, "old", "0x00000300");
	assert_field(line, "new", "0x00000302");
	assert_field(line, "mode", "device-specific");
	assert_field(line, "enable", "extended");
	json_object_put(line);
	/* a dword write changes two entries; the later line is the upper one */
	config_out(f, TPH_TABLE, 4, 0x00020001);
	config_out(f, TPH_TABLE + 1, 2, 0x0501);
	line = last_event(f, "st-entry");
	assert_field(line, "index", "1");
	assert_field(line, "old", "0x0002");
	assert_field(line, "new", "0x0005");
	json_object_put(line);
	assert_int_equal(config_in(f, TPH_TABLE, 4), 0x00050101);
}

static void every_write_to_the_capability_is_logged(void **state)
{
	struct fixture *f = *state;
	struct json_object *line;

	config_out(f, TPH - 4, 4, 0x11223344);
	assert_null(last_event(f, "tph-write"));
	/* the header, which is read only */
	config_out(f, TPH, 4, 0);
	line = last_event(f, "tph-write");
	assert_field(line, "function", "ep");
	assert_field(line, "at", "0x110");
	assert_field(line, "length", "4");
	assert_field(line, "value", "0x0");
	json_object_put(line);
	/* what is there already, and across the end of a register */
	config_out(f, TPH_CONTROL + 3, 2, 0x1200);
	line = last_event(f, "tph-write");
	assert_field(line, "at", "0x11b");
	assert_field(line, "length", "2");
	assert_field(line, "value", "0x1200");
	json_object_put(line);
	config_out(f, TPH_TABLE + 128, 4, 0x1);
	line = last_event(f, "tph-write");
	assert_field(line, "at", "0x11b");
	json_object_put(line);
	remake(f, "tph=off");
	config_out(f, TPH, 4, 0x5);
	line = last_event(f, "tph-write");
	assert_field(line, "at", "0x11b");
	json_object_put(line);
}

static void work_all(struct fixture *f)
{
	while (endpoint_work(&f->endpoint))
		;
}

static void command_is_repeated_after_each_config_write(void **state)
{
	struct fixture *f = *state;
	struct json_object *line;

	ready(f);
	/* nothing was ever rung: nothing to repeat */
	reg_set(f, EP_DMA_REPEAT, 3);
	assert_int_equal(reg(f, EP_DMA_REPEAT), 3);
	config_out(f, TPH_CONTROL, 4, 0x301);
	work_all(f);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 0);

	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 64, HINT_ENTRY(62));
	assert_int_equal(reg(f, EP_TRACE_HEAD), 1);
	/* reads of it are no occasion, and neither are the BARs */
	config_in(f, TPH_CONTROL, 4);
	reg_set(f, EP_DMA_PATTERN, 1);
	work_all(f);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 1);

	/* on behalf of the next entries, round and round */
	config_out(f, TPH_TABLE + 2 * 63, 2, 0xbeef);
	work_all(f);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 4);
	assert_int_equal(trace(f, 1, EP_TLP_ST), 0xbeef);
	assert_int_equal(trace(f, 2, EP_TLP_ST), 0);
	line = last_event(f, "tlp");
	assert_field(line, "entry", "1");
	json_object_put(line);
	assert_int_equal(reg(f, EP_DMA_STATUS), EP_DMA_DONE);

	/* a write that comes before the last ones are through starts the count anew */
	config_out(f, TPH_TABLE, 2, 1);
	config_out(f, TPH_TABLE, 2, 2);
	work_all(f);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 4 + 4);

	reg_set(f, EP_DMA_REPEAT, 0);
	config_out(f, TPH_TABLE, 2, 3);
	work_all(f);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 8);
}

static void repetition_outlives_resets_and_faults(void **state)
{
	struct fixture *f = *state;

	ready(f);
	reg_set(f, EP_DMA_REPEAT, 1);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 64, HINT_ENTRY(0));
	config_out(f, COMMAND, 2, 0);
	work_all(f);
	assert_int_equal(f->endpoint.instrument.counters.faults, 1);
	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	work_all(f);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 2);

	/* the FLR's own write is one that is followed by a request, which has no bus master now */
	config_out(f, DEVICE_CONTROL, 2, 0x8000);
	work_all(f);
	assert_int_equal(f->endpoint.instrument.counters.faults, 2);
	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	work_all(f);
	assert_int_equal(reg(f, EP_DMA_REPEAT), 1);
	assert_int_equal(reg(f, EP_DMA_DST_LO), 0);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 3);

	endpoint_disconnect(&f->endpoint, "hung-up");
	endpoint_connect(&f->endpoint);
	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	work_all(f);
	assert_int_equal(reg(f, EP_DMA_REPEAT), 0);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 3);
}

/* ---- interrupts ---- */

static void interrupt_needs_enable_unmask_and_bus_master(void **state)
{
	struct fixture *f = *state;
	uint8_t pba = 0;

	ready(f);
	reg_set(f, EP_DMA_VECTOR, 0);
	assert_int_equal(dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, 0), EP_DMA_DONE);
	config_out(f, MSIX_CONTROL, 2, 0x8000);
	assert_int_equal(signalled(f), 0); /* disabled: not even kept pending */

	config_out(f, MSIX_CONTROL, 2, 0xc000);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, 0);
	assert_int_equal(signalled(f), 0);
	endpoint_bar_read(&f->endpoint, MSIX_BAR, MSIX_PBA_AT, &pba, 1);
	assert_int_equal(pba, 1);
	config_out(f, MSIX_CONTROL, 2, 0x8000);
	assert_int_equal(signalled(f), 1);
	endpoint_bar_read(&f->endpoint, MSIX_BAR, MSIX_PBA_AT, &pba, 1);
	assert_int_equal(pba, 0);

	msix_mask(&f->endpoint.msix, 0, true);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, 0);
	assert_int_equal(signalled(f), 0);
	msix_mask(&f->endpoint.msix, 0, false);
	endpoint_interrupts_flush(&f->endpoint);
	assert_int_equal(signalled(f), 1);

	/* without bus mastering the command faults, and the message about it waits */
	config_out(f, COMMAND, 2, 0x0002);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, 0);
	assert_int_equal(signalled(f), 0);
	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	assert_int_equal(signalled(f), 1);

	reg_set(f, EP_DMA_VECTOR, 16);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, 0);
	reg_set(f, EP_DMA_VECTOR, EP_DMA_NO_VECTOR);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, 0);
	assert_int_equal(signalled(f), 0);
	assert_int_equal(f->endpoint.instrument.counters.interrupts, 3);
}

static void mask_bit_counts_once_the_client_has_written_it(void **state)
{
	const uint32_t masked = 1, open = 0;
	struct fixture *f = *state;

	ready(f);
	config_out(f, MSIX_CONTROL, 2, 0x8000);
	endpoint_bar_write(&f->endpoint, MSIX_BAR, 12, (const uint8_t *)&masked, 4);
	endpoint_interrupt(&f->endpoint, 0);
	assert_int_equal(signalled(f), 0);
	endpoint_bar_write(&f->endpoint, MSIX_BAR, 12, (const uint8_t *)&open, 4);
	assert_int_equal(signalled(f), 1);
}

static void function_without_msix_has_no_interrupts(void **state)
{
	struct fixture *f = *state;

	remake(f, "vectors=0");
	ready(f);
	reg_set(f, EP_DMA_VECTOR, 0);
	assert_int_equal(dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 4, 0), EP_DMA_DONE);
	assert_int_equal(reg(f, EP_VECTORS), 0);
	assert_int_equal(endpoint_bar_size(&f->endpoint, MSIX_BAR), 0);
	assert_null(last_event(f, "interrupt"));
}

/* ---- resets ---- */

static void disturb(struct fixture *f)
{
	ready(f);
	config_out(f, 0x10, 4, 0xfe600000);
	config_out(f, DEVICE_CONTROL, 2, 0x3820); /* Max_Payload_Size 256, reads 1024 */
	config_out(f, LINK_CONTROL, 2, 0x0048);
	config_out(f, MSIX_CONTROL, 2, 0x8000);
	config_out(f, TPH_TABLE, 4, 0x12345678);
	config_out(f, TPH_CONTROL, 4, 0x301);
	dma(f, EP_DMA_WRITE, 0, MEMORY_IOVA, 0x100, HINT_ENTRY(0));
	reg_set(f, EP_DMA_LENGTH, 0x10000);
	reg_set(f, EP_DMA_DOORBELL, EP_DMA_WRITE);
}

static void assert_reset(struct fixture *f, const char *how, bool function_only)
{
	struct json_object *line = last_event(f, "reset");

	assert_field(line, "how", how);
	json_object_put(line);
	assert_false(endpoint_work(&f->endpoint)); /* what ran is over */
	assert_int_equal(config_in(f, COMMAND, 2), 0);
	assert_int_equal(config_in(f, 0x10, 4), 0);
	assert_int_equal(config_in(f, DEVICE_CONTROL, 2), function_only ? 0x2830 : 0x2810);
	assert_int_equal(config_in(f, LINK_CONTROL, 2), function_only ? 0x0048 : 0);
	assert_int_equal(config_in(f, MSIX_CONTROL, 2), 0x000f);
	assert_int_equal(config_in(f, TPH_CONTROL, 4), 0);
	assert_int_equal(config_in(f, TPH_TABLE, 4), 0);
	assert_int_equal(config_in(f, POWER, 2) & 3, 0);
	ready(f);
	assert_int_equal(reg(f, EP_DMA_STATUS), EP_DMA_IDLE);
	assert_int_equal(reg(f, EP_DMA_LENGTH), 0);
	assert_int_equal(reg(f, EP_COUNT_RESETS), 1);
	assert_int_equal(reg(f, EP_COUNT_OFF_WINDOWS), 1);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 1);
	assert_int_equal(f->memory[0x100], 0);
}

static void flr_resets_the_function(void **state)
{
	struct fixture *f = *state;

	disturb(f);
	config_out(f, DEVICE_CONTROL, 2, 0xb820);
	assert_reset(f, "flr", true);
}

static void flr_bit_is_dead_without_flr(void **state)
{
	struct fixture *f = *state;

	remake(f, "flr=off");
	ready(f);
	config_out(f, DEVICE_CONTROL, 2, 0xa810);
	assert_int_equal(config_in(f, DEVICE_CONTROL, 2), 0x2810);
	assert_int_equal(config_in(f, COMMAND, 2), MEMORY_AND_MASTER);
	assert_int_equal(reg(f, EP_COUNT_RESETS), 0);
}

static void flr_by_advanced_features_resets_the_function(void **state)
{
	struct fixture *f = *state;

	remake(f, "af=on,flr=off");
	assert_int_equal(config_in(f, 0x61, 1), AF);
	assert_int_equal(config_in(f, AF, 4), 0x03060013);
	assert_int_equal(config_in(f, AF_CONTROL, 2), 0);
	disturb(f);
	config_out(f, AF_CONTROL, 1, 0xfe); /* all but the bit that counts */
	config_out(f, AF, 4, 0xffffffff);
	assert_null(last_event(f, "reset"));
	config_out(f, AF_CONTROL, 1, 1);
	assert_int_equal(config_in(f, AF_CONTROL, 2), 0);
	assert_reset(f, "af-flr", true);
}

static void nothing_is_where_advanced_features_would_be(void **state)
{
	struct fixture *f = *state;

	ready(f);
	assert_int_equal(config_in(f, 0x61, 1), 0);
	assert_int_equal(config_in(f, AF, 4), 0);
	config_out(f, AF_CONTROL, 1, 1);
	assert_null(last_event(f, "reset"));
	assert_int_equal(reg(f, EP_COUNT_RESETS), 0);
}

static void error_masks_survive_all_but_power(void **state)
{
	struct fixture *f = *state;

	remake(f, "aer=on");
	assert_int_equal(config_in(f, AER + 0x0c, 4), 0x00062030);
	config_out(f, AER + 0x08, 4, 0x00100000);
	endpoint_reset(&f->endpoint, ENDPOINT_RESET_FLR);
	endpoint_reset(&f->endpoint, ENDPOINT_RESET_DEVICE);
	assert_int_equal(config_in(f, AER + 0x08, 4), 0x00100000);
	endpoint_disconnect(&f->endpoint, "hung-up");
	endpoint_connect(&f->endpoint);
	assert_int_equal(config_in(f, AER + 0x08, 4), 0);
}

static void errors_are_detected_on_order(void **state)
{
	struct fixture *f = *state;

	ready(f);
	reg_set(f, EP_ERROR_UNCORRECTABLE, 0xffffffff); /* no AER: nothing */
	assert_int_equal(config_in(f, AER + 0x04, 4), 0);
	assert_int_equal(config_in(f, DEVICE_STATUS, 2), 0);

	remake(f, "aer=on");
	ready(f);
	reg_set(f, EP_ERROR_CORRECTABLE, 0x1);
	assert_int_equal(config_in(f, DEVICE_STATUS, 2), 0x1);
	reg_set(f, EP_ERROR_UNCORRECTABLE, 0x4000);
	assert_int_equal(config_in(f, DEVICE_STATUS, 2), 0x3);
	reg_set(f, EP_ERROR_UNCORRECTABLE, 0xffe4000f | 0x40000); /* one of them is one */
	assert_int_equal(config_in(f, DEVICE_STATUS, 2), 0x7);
	assert_int_equal(config_in(f, AER + 0x10, 4), 0x1);
	assert_int_equal(config_in(f, AER + 0x04, 4), 0x44000);
	endpoint_reset(&f->endpoint, ENDPOINT_RESET_DEVICE);
	assert_int_equal(config_in(f, AER + 0x04, 4), 0x44000);
	config_out(f, AER + 0x04, 4, 0x4000);
	assert_int_equal(config_in(f, AER + 0x04, 4), 0x40000);
	ready(f);
	assert_int_equal(reg(f, EP_ERROR_UNCORRECTABLE), 0);
}

static void device_reset_resets_everything(void **state)
{
	struct fixture *f = *state;

	disturb(f);
	endpoint_reset(&f->endpoint, ENDPOINT_RESET_DEVICE);
	assert_reset(f, "device-reset", false);
}

static void power_cycle_resets_without_no_soft_reset(void **state)
{
	struct fixture *f = *state;

	remake(f, "nsr=off");
	disturb(f);
	config_out(f, POWER, 2, 3);
	assert_int_equal(config_in(f, TPH_CONTROL, 4), 0x301);
	config_out(f, POWER, 2, 2); /* D2 is not there: still in D3hot */
	assert_int_equal(config_in(f, POWER, 2) & 3, 3);
	config_out(f, POWER, 2, 0);
	assert_reset(f, "pm", true);
}

static void power_cycle_keeps_state_with_no_soft_reset(void **state)
{
	struct fixture *f = *state;

	ready(f);
	config_out(f, TPH_CONTROL, 4, 0x301);
	config_out(f, POWER, 2, 3);
	config_out(f, POWER, 2, 0);
	assert_int_equal(config_in(f, TPH_CONTROL, 4), 0x301);
	assert_int_equal(reg(f, EP_COUNT_RESETS), 0);
}

static void disconnect_is_as_power_off(void **state)
{
	struct fixture *f = *state;

	disturb(f);
	endpoint_disconnect(&f->endpoint, "hung-up");
	endpoint_connect(&f->endpoint);
	assert_int_equal(f->endpoint.map.count, 0);
	assert_int_equal(f->endpoint.msix.vectors[0].eventfd, -1);
	assert_int_equal(config_in(f, TPH_CONTROL, 4), 0);
	assert_int_equal(config_in(f, DEVICE_CONTROL, 2), 0x2810);
	ready(f);
	assert_int_equal(reg(f, EP_COUNT_RESETS), 0);
	assert_int_equal(reg(f, EP_TRACE_HEAD), 1);
}

/* ---- counters ---- */

static uint32_t count(struct fixture *f, uint32_t select, size_t at)
{
	reg_set(f, EP_COUNT_SELECT, select);
	return reg(f, at);
}

static void accesses_are_counted_per_dword_touched(void **state)
{
	struct fixture *f = *state;
	uint8_t all[CONFIG_SPACE_SIZE];

	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	reg_set(f, EP_COUNT_CLEAR, 1);
	assert_int_equal(count(f, EP_COUNT_ALL, EP_COUNT_CFG_WRITES), 0);

	config_in(f, 0x08, 1);
	config_in(f, 0x0a, 4);		      /* touches 0x08 and 0x0c */
	config_out(f, TPH_CONTROL + 3, 2, 0); /* control and the first entry */
	config_out(f, TPH_CONTROL, 4, 0x301);
	config_in(f, TPH - 1, 2);
	endpoint_config_read(&f->endpoint, 0, all, sizeof(all));

	assert_int_equal(count(f, 0x08, EP_COUNT_CFG_READS), 3);
	assert_int_equal(count(f, 0x0b, EP_COUNT_CFG_READS), 3);
	assert_int_equal(count(f, 0x0c, EP_COUNT_CFG_READS), 2);
	assert_int_equal(count(f, TPH_CONTROL, EP_COUNT_CFG_WRITES), 2);
	assert_int_equal(count(f, TPH_TABLE, EP_COUNT_CFG_WRITES), 1);
	assert_int_equal(count(f, EP_COUNT_ALL, EP_COUNT_CFG_READS), 4);
	assert_int_equal(count(f, EP_COUNT_ALL, EP_COUNT_CFG_WRITES), 2);
	assert_int_equal(count(f, 0x1000, EP_COUNT_CFG_READS), 0);
	assert_int_equal(reg(f, EP_COUNT_TPH), 4);
	assert_int_equal(reg(f, EP_COUNT_ST_WRITES), 1);
	assert_int_equal(reg(f, EP_COUNT_OFF_WINDOWS), 0);

	config_out(f, TPH_CONTROL, 4, 0x101); /* still on */
	config_out(f, TPH_CONTROL, 4, 0x201); /* reserved is off */
	config_out(f, TPH_CONTROL, 4, 0x001);
	assert_int_equal(reg(f, EP_COUNT_OFF_WINDOWS), 1);
	reg_set(f, EP_COUNT_CLEAR, 0);
	assert_int_equal(reg(f, EP_COUNT_OFF_WINDOWS), 0);
	assert_int_equal(count(f, 0x08, EP_COUNT_CFG_READS), 0);
}

/* What wakes a function is its user's business; all else that reaches one asleep is a mistake. */
static void accesses_in_d3hot_are_counted(void **state)
{
	struct fixture *f = *state;
	struct json_object *line;

	ready(f);
	config_in(f, TPH_CONTROL, 4);
	config_out(f, POWER, 2, 3);
	config_in(f, POWER, 2);
	config_in(f, POWER - 4, 4);
	assert_null(last_event(f, "asleep"));
	config_in(f, TPH_CONTROL, 4);
	line = last_event(f, "asleep");
	assert_field(line, "access", "config-read");
	assert_field(line, "at", "0x118");
	assert_field(line, "length", "4");
	json_object_put(line);
	config_in(f, POWER + 3, 2); /* one byte of it is not of the capability */
	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	line = last_event(f, "asleep");
	assert_field(line, "access", "config-write");
	json_object_put(line);
	assert_int_equal(reg(f, EP_ID), 0xffffffff);
	reg_set(f, EP_DMA_PATTERN, 1);
	line = last_event(f, "asleep");
	assert_field(line, "access", "memory-write");
	assert_field(line, "at", "0x114");
	json_object_put(line);
	config_out(f, POWER, 2, 0);
	config_in(f, TPH_CONTROL, 4);
	assert_int_equal(reg(f, EP_COUNT_ASLEEP_READS), 2);
	assert_int_equal(reg(f, EP_COUNT_ASLEEP_WRITES), 1);
	assert_int_equal(reg(f, EP_COUNT_ASLEEP_MEMORY), 2);
	reg_set(f, EP_COUNT_CLEAR, 0);
	assert_int_equal(reg(f, EP_COUNT_ASLEEP_READS), 0);
}

static void log_numbers_rise(void **state)
{
	uint64_t before = ((struct fixture *)*state)->log.seq;
	struct fixture *f = *state;
	struct json_object *line, *seq;

	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	line = last_event(f, "bus-master");
	assert_field(line, "enabled", "true");
	assert_true(json_object_object_get_ex(line, "seq", &seq));
	assert_int_equal(json_object_get_int64(seq), before + 1);
	json_object_put(line);
	config_out(f, COMMAND, 2, 0);
	line = last_event(f, "bus-master");
	assert_field(line, "enabled", "false");
	assert_true(json_object_object_get_ex(line, "seq", &seq));
	assert_int_equal(json_object_get_int64(seq), before + 2);
	json_object_put(line);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_access_to_configuration_space),
		TEST(capabilities_say_what_was_asked_for),
		TEST(vendor_capabilities_are_chained_as_asked_for),
		TEST(scratch_registers_keep_what_is_written),
		TEST(standard_capabilities_are_chained),
		TEST(extended_tags_need_prefixes),
		TEST(bars_tell_their_size),
		TEST(msix_is_where_it_was_asked_for),
		TEST(error_bits_clear_by_writing_one),
		TEST(registers_answer_whole_aligned_accesses_only),
		TEST(registers_hold_what_is_written),
		TEST(dma_that_is_not_allowed_faults),
		TEST(fault_midway_leaves_what_was_sent),
		TEST(doorbell_is_ignored_while_busy),
		TEST(power_and_bus_master_count_for_each_tlp),
		TEST(write_is_cut_at_payload_size_and_pages),
		TEST(read_is_cut_at_read_request_size_and_summed),
		TEST(copy_reads_and_writes),
		TEST(largest_transfer_wraps_the_trace),
		TEST(hint_is_in_trace_and_log),
		TEST(tag_in_the_msix_table_of_a_client_that_writes_it),
		TEST(tag_in_an_msix_table_beside_the_registers),
		TEST(tags_come_from_where_the_claim_reaches),
		TEST(function_comes_as_it_was_preset),
		TEST(tph_events_tell_old_and_new),
		TEST(every_write_to_the_capability_is_logged),
		TEST(command_is_repeated_after_each_config_write),
		TEST(repetition_outlives_resets_and_faults),
		TEST(interrupt_needs_enable_unmask_and_bus_master),
		TEST(mask_bit_counts_once_the_client_has_written_it),
		TEST(function_without_msix_has_no_interrupts),
		TEST(flr_resets_the_function),
		TEST(flr_bit_is_dead_without_flr),
		TEST(flr_by_advanced_features_resets_the_function),
		TEST(nothing_is_where_advanced_features_would_be),
		TEST(error_masks_survive_all_but_power),
		TEST(errors_are_detected_on_order),
		TEST(device_reset_resets_everything),
		TEST(power_cycle_resets_without_no_soft_reset),
		TEST(power_cycle_keeps_state_with_no_soft_reset),
		TEST(disconnect_is_as_power_off),
		TEST(accesses_are_counted_per_dword_touched),
		TEST(accesses_in_d3hot_are_counted),
		TEST(log_numbers_rise),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
