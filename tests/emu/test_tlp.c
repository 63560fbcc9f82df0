// SPDX-License-Identifier: MIT
/* Which hint a request carries, and how transfers are cut. */
#include "harness.h"

#include <stdbool.h>

#include "endpoint_regs.h"
#include "instrument/trace.h"
#include "pcie/tlp.h"
#include "pcie/tph.h"

#define MODES_ALL	      0x7u
#define CONTROL(mode, enable) ((uint32_t)(mode) | (uint32_t)(enable) << 8)
#define PLAIN(select)	      ((uint32_t)(select) | EP_HINT_PLAIN << EP_HINT_SOURCE_SHIFT)
#define ENTRY(select)	      ((uint32_t)(select) | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT)
#define TAG(select)	      ((uint32_t)(select) | EP_HINT_TAG << EP_HINT_SOURCE_SHIFT)
#define PH(ph)		      ((uint32_t)(ph) << EP_HINT_PH_SHIFT)

static const struct knobs wide = {
	.tph = true,
	.table = ST_TABLE_CAPABILITY,
	.entries = 8,
	.modes = MODES_ALL,
	.width = 16,
};
static const struct tlp a_write = { .type = TLP_MEMORY_WRITE, .address = 0x1003, .length = 61 };
static const struct tlp a_read = { .type = TLP_MEMORY_READ, .address = 0x1000, .length = 64 };

/* No TH, and nothing else either. */
static void assert_plain(const struct knobs *knobs, uint32_t control, uint32_t hint)
{
	struct tlp_hint got = tlp_hint(knobs, control, hint, 0xabcd, &a_write);

	assert_false(got.th);
	assert_int_equal(got.ph, 0);
	assert_int_equal(got.width, 0);
	assert_int_equal(got.st, 0);
}

static void assert_hint(const struct knobs *knobs, uint32_t control, uint32_t hint, uint16_t entry,
			uint16_t st, unsigned int width)
{
	for (unsigned int ph = 0; ph < 4; ph++) {
		struct tlp_hint got = tlp_hint(knobs, control, hint | PH(ph), entry, &a_write);

		assert_true(got.th);
		assert_int_equal(got.ph, ph);
		assert_int_equal(got.st, st);
		assert_int_equal(got.width, width);
	}
}

static void no_capability_no_hint(void **state)
{
	struct knobs knobs = wide;

	(void)state;
	knobs.tph = false;
	assert_plain(&knobs, CONTROL(ST_MODE_NO_ST, TPH_ENABLE_EXTENDED), ENTRY(0));
}

static void disabled_and_reserved_enable_send_nothing(void **state)
{
	(void)state;
	for (unsigned int mode = 0; mode < 8; mode++) {
		for (unsigned int source = 0; source < 4; source++) {
			uint32_t hint = source << EP_HINT_SOURCE_SHIFT | PH(3) | 1;

			assert_plain(&wide, CONTROL(mode, TPH_ENABLE_OFF), hint);
			assert_plain(&wide, CONTROL(mode, TPH_ENABLE_RESERVED), hint);
			assert_int_equal(tlp_entry(&wide, CONTROL(mode, TPH_ENABLE_OFF), hint),
					 TLP_ENTRY_NONE);
			assert_int_equal(tlp_entry(&wide, CONTROL(mode, TPH_ENABLE_RESERVED), hint),
					 TLP_ENTRY_NONE);
		}
	}
}

static void modes_that_the_function_lacks_send_nothing(void **state)
{
	(void)state;
	for (unsigned int mode = 0; mode < 8; mode++) {
		struct knobs knobs = wide;
		uint32_t control = CONTROL(mode, TPH_ENABLE_EXTENDED);

		knobs.modes = MODES_ALL & ~(1u << mode);
		assert_plain(&knobs, control, ENTRY(1) | PH(1));
		assert_plain(&knobs, control, TAG(1) | PH(1));
		assert_int_equal(tlp_entry(&knobs, control, ENTRY(1)), TLP_ENTRY_NONE);
	}
}

static void plain_source_sends_nothing(void **state)
{
	(void)state;
	for (unsigned int mode = 0; mode < 3; mode++) {
		assert_plain(&wide, CONTROL(mode, TPH_ENABLE_TPH), PLAIN(1) | PH(2));
		assert_plain(&wide, CONTROL(mode, TPH_ENABLE_EXTENDED), PLAIN(1) | PH(2));
		/* 3 is no source either */
		assert_plain(&wide, CONTROL(mode, TPH_ENABLE_EXTENDED),
			     EP_HINT_SOURCE_MASK | PH(2));
	}
}

static void entry_beyond_the_table_sends_nothing(void **state)
{
	uint32_t control = CONTROL(ST_MODE_INTERRUPT_VECTOR, TPH_ENABLE_EXTENDED);

	(void)state;
	assert_int_equal(tlp_entry(&wide, control, ENTRY(7)), TLP_ENTRY_NEEDED);
	assert_int_equal(tlp_entry(&wide, control, ENTRY(8)), TLP_ENTRY_NONE);
	assert_plain(&wide, control, ENTRY(8));
	assert_plain(&wide, control, ENTRY(0xffff));
	assert_plain(&wide, CONTROL(ST_MODE_DEVICE_SPECIFIC, TPH_ENABLE_EXTENDED), ENTRY(8));
}

static void device_specific_entry_without_a_table_sends_nothing(void **state)
{
	struct knobs knobs = wide;

	(void)state;
	knobs.table = ST_TABLE_NONE;
	knobs.entries = 0;
	assert_plain(&knobs, CONTROL(ST_MODE_DEVICE_SPECIFIC, TPH_ENABLE_EXTENDED), ENTRY(0));
}

static void tag_is_for_device_specific_mode_alone(void **state)
{
	(void)state;
	assert_plain(&wide, CONTROL(ST_MODE_NO_ST, TPH_ENABLE_EXTENDED), TAG(5));
	assert_plain(&wide, CONTROL(ST_MODE_INTERRUPT_VECTOR, TPH_ENABLE_EXTENDED), TAG(5));
}

static void extended_tag_never_shrinks_to_a_tag(void **state)
{
	uint32_t control = CONTROL(ST_MODE_DEVICE_SPECIFIC, TPH_ENABLE_TPH);

	(void)state;
	assert_plain(&wide, control, TAG(0x100));
	assert_plain(&wide, control, TAG(0xffff));
	assert_hint(&wide, control, TAG(0xff), 0, 0xff, 8);
}

static void read_of_partial_dwords_sends_nothing(void **state)
{
	uint32_t control = CONTROL(ST_MODE_NO_ST, TPH_ENABLE_TPH);
	struct tlp tlp = a_read;

	(void)state;
	assert_true(tlp_hint(&wide, control, ENTRY(0), 0, &tlp).th);
	tlp.address++;
	assert_false(tlp_hint(&wide, control, ENTRY(0), 0, &tlp).th);
	tlp.address--;
	tlp.length--;
	assert_false(tlp_hint(&wide, control, ENTRY(0), 0, &tlp).th);
	tlp.type = TLP_MEMORY_WRITE;
	assert_true(tlp_hint(&wide, control, ENTRY(0), 0, &tlp).th);
}

static void no_st_mode_has_hint_and_tag_zero(void **state)
{
	(void)state;
	assert_hint(&wide, CONTROL(ST_MODE_NO_ST, TPH_ENABLE_TPH), ENTRY(1), 0xabcd, 0, 8);
	assert_hint(&wide, CONTROL(ST_MODE_NO_ST, TPH_ENABLE_EXTENDED), ENTRY(0xffff), 0xabcd, 0,
		    16);
	assert_int_equal(tlp_entry(&wide, CONTROL(ST_MODE_NO_ST, TPH_ENABLE_TPH), ENTRY(1)),
			 TLP_ENTRY_NONE);
}

static void interrupt_vector_mode_has_the_entry(void **state)
{
	uint32_t mode = ST_MODE_INTERRUPT_VECTOR;

	(void)state;
	assert_int_equal(tlp_entry(&wide, CONTROL(mode, TPH_ENABLE_TPH), ENTRY(1)),
			 TLP_ENTRY_NEEDED);
	assert_hint(&wide, CONTROL(mode, TPH_ENABLE_TPH), ENTRY(1), 0x1234, 0x34, 8);
	assert_hint(&wide, CONTROL(mode, TPH_ENABLE_EXTENDED), ENTRY(1), 0x1234, 0x1234, 16);
	assert_hint(&wide, CONTROL(mode, TPH_ENABLE_EXTENDED), ENTRY(1), 0, 0, 16);
}

static void device_specific_mode_has_entry_or_tag(void **state)
{
	uint32_t mode = ST_MODE_DEVICE_SPECIFIC;

	(void)state;
	assert_hint(&wide, CONTROL(mode, TPH_ENABLE_EXTENDED), ENTRY(2), 0x1234, 0x1234, 16);
	assert_hint(&wide, CONTROL(mode, TPH_ENABLE_TPH), ENTRY(2), 0x1234, 0x34, 8);
	assert_hint(&wide, CONTROL(mode, TPH_ENABLE_EXTENDED), TAG(0xbeef), 0x1234, 0xbeef, 16);
	assert_int_equal(tlp_entry(&wide, CONTROL(mode, TPH_ENABLE_EXTENDED), TAG(2)),
			 TLP_ENTRY_NONE);
}

static void requests_keep_to_limit_dwords_and_pages(void **state)
{
	static const uint32_t limits[] = { 128, 256, 512, 1024, 4096 };

	(void)state;
	for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
		for (uint64_t start = 0x10000 - 300; start < 0x10000 + 70; start++) {
			for (uint32_t total = 1; total < 1500; total += 37) {
				uint64_t at = start;
				uint32_t left = total;

				while (left) {
					uint32_t n = tlp_length(at, left, limits[l]);
					uint64_t dwords = (at + n + 3) / 4 - at / 4;

					assert_in_range(n, 1, left);
					assert_true(dwords * 4 <= limits[l]);
					assert_int_equal(at / TLP_PAGE, (at + n - 1) / TLP_PAGE);
					/* no shorter than it has to be */
					if (n < left && (at + n) % TLP_PAGE)
						assert_int_equal(dwords * 4, limits[l]);
					at += n;
					left -= n;
				}
			}
		}
	}
}

static void request_ends_with_the_address_space(void **state)
{
	(void)state;
	assert_int_equal(tlp_length(UINT64_MAX, 100, 128), 1);
	assert_int_equal(tlp_length(UINT64_MAX - 127, 500, 128), 128);
}

static void trace_keeps_the_last_requests(void **state)
{
	static struct trace trace;
	struct tlp tlp = {
		.type = TLP_MEMORY_WRITE,
		.address = 0x123456789aULL,
		.length = 77,
		.hint = { .th = true, .ph = 3, .width = 16, .st = 0xbeef },
	};
	const uint32_t *slot;

	(void)state;
	for (uint32_t i = 0; i < EP_TRACE_SLOTS + 2; i++)
		trace_sent(&trace, &a_read, 0x0108);
	trace_sent(&trace, &tlp, 0x0109);
	assert_int_equal(trace.head, EP_TRACE_SLOTS + 3);

	slot = trace.slots[2];
	assert_int_equal(slot[EP_TLP_SEQ / 4], EP_TRACE_SLOTS + 2);
	assert_int_equal(slot[EP_TLP_FLAGS / 4],
			 EP_TLP_MWR | EP_TLP_TH | 3 << EP_TLP_PH_SHIFT | 16 << EP_TLP_WIDTH_SHIFT);
	assert_int_equal(slot[EP_TLP_ST / 4], 0xbeef);
	assert_int_equal(slot[EP_TLP_LENGTH / 4], 77);
	assert_int_equal(slot[EP_TLP_ADDR_LO / 4], 0x3456789a);
	assert_int_equal(slot[EP_TLP_ADDR_HI / 4], 0x12);
	assert_int_equal(slot[EP_TLP_RID / 4], 0x0109);

	slot = trace.slots[3];
	assert_int_equal(slot[EP_TLP_SEQ / 4], 3);
	assert_int_equal(slot[EP_TLP_FLAGS / 4], EP_TLP_MRD);
	assert_int_equal(slot[EP_TLP_ST / 4], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_capability_no_hint),
		cmocka_unit_test(disabled_and_reserved_enable_send_nothing),
		cmocka_unit_test(modes_that_the_function_lacks_send_nothing),
		cmocka_unit_test(plain_source_sends_nothing),
		cmocka_unit_test(entry_beyond_the_table_sends_nothing),
		cmocka_unit_test(device_specific_entry_without_a_table_sends_nothing),
		cmocka_unit_test(tag_is_for_device_specific_mode_alone),
		cmocka_unit_test(extended_tag_never_shrinks_to_a_tag),
		cmocka_unit_test(read_of_partial_dwords_sends_nothing),
		cmocka_unit_test(no_st_mode_has_hint_and_tag_zero),
		cmocka_unit_test(interrupt_vector_mode_has_the_entry),
		cmocka_unit_test(device_specific_mode_has_entry_or_tag),
		cmocka_unit_test(requests_keep_to_limit_dwords_and_pages),
		cmocka_unit_test(request_ends_with_the_address_space),
		cmocka_unit_test(trace_keeps_the_last_requests),
	};

	return cmocka_run_group_tests_name("tlp", tests, NULL, NULL);
}
