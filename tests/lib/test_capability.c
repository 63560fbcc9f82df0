// SPDX-License-Identifier: MIT
/* lib/capability.c on images of configuration space that nobody checked before. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capability.h"

/* an image: what lies beyond @size must never be asked for */
struct image {
	uint32_t dwords[1024];
	uint32_t size;
	unsigned int reads;
};

static int image_read(void *context, uint32_t offset, uint32_t *value)
{
	struct image *image = context;

	assert_int_equal(offset % 4, 0);
	assert_true(offset + 4 <= image->size);
	image->reads++;
	*value = image->dwords[offset / 4];
	return 0;
}

static struct tph_config config_of(struct image *image)
{
	return (struct tph_config){ .read = image_read, .context = image, .size = image->size };
}

static int port_of(struct image *image, struct tph_port *port)
{
	struct tph_config config = config_of(image);

	return tph_port_decode(&config, port);
}

static int capability_of(struct image *image, struct tph_capability *capability)
{
	struct tph_config config = config_of(image);
	uint16_t offset;
	int error = tph_capability_find(&config, &offset);

	return error ? error : tph_capability_decode(&config, offset, capability);
}

static void put(struct image *image, uint32_t offset, uint32_t value)
{
	image->dwords[offset / 4] = value;
}

static void nothing_beyond_the_end_is_read(void **context)
{
	struct tph_capability capability;
	struct tph_port port;
	struct image image = { .size = 4096 };

	(void)context;
	put(&image, 0x100, 0x00010001 | 0xffcu << 20);	/* the last dword begins a capability */
	put(&image, 0xffc, 0x00010017);
	assert_int_equal(capability_of(&image, &capability), -EIO);
	put(&image, 0x100, 0x00010001 | 0xff8u << 20);	/* the control register is past the end */
	put(&image, 0xff8, 0x00010017);
	assert_int_equal(capability_of(&image, &capability), -EIO);
	image.size = 0x80;				/* the list leads out of what there is */
	put(&image, 0x04, 0x00100000);
	put(&image, 0x34, 0x80);
	assert_int_equal(port_of(&image, &port), -EIO);
	put(&image, 0x34, 0x60);			/* Device Capabilities 2 are past the end */
	put(&image, 0x60, 0x00020010);
	assert_int_equal(port_of(&image, &port), -EIO);
	for (uint32_t size = 0; size < 0x38; size += 4) {
		image.size = size;
		assert_int_equal(port_of(&image, &port), -EIO);
		assert_int_equal(capability_of(&image, &capability), -EOPNOTSUPP);
	}
}

static void lists_that_do_not_end(void **context)
{
	struct tph_capability capability;
	struct tph_port port;
	struct image image = { .size = 4096 };

	(void)context;
	put(&image, 0x04, 0x00100000);
	put(&image, 0x34, 0x50);
	put(&image, 0x50, 0x00006001);
	put(&image, 0x60, 0x00005001);
	assert_int_equal(port_of(&image, &port), -EIO);
	assert_true(image.reads <= 2 + 48);
	image.reads = 0;
	put(&image, 0x100, 0x00010001 | 0x110u << 20);
	put(&image, 0x110, 0x00010001 | 0x100u << 20);
	assert_int_equal(capability_of(&image, &capability), -EIO);
	assert_true(image.reads <= 960);
}

static void function_that_does_not_answer(void **context)
{
	struct tph_capability capability;
	struct tph_port port;
	struct image image = { .size = 4096 };

	(void)context;
	memset(image.dwords, 0xff, sizeof(image.dwords));
	assert_int_equal(port_of(&image, &port), -ENXIO);
	assert_int_equal(capability_of(&image, &capability), -ENXIO);
	put(&image, 0x100, 0x00010017);			/* went away in between */
	assert_int_equal(capability_of(&image, &capability), -ENXIO);
	put(&image, 0x100, 0x00010001 | 0x200u << 20);	/* it is the list that leads to nowhere */
	assert_int_equal(capability_of(&image, &capability), -EIO);
}

/*
 * Where devices of the field have their capability and what comes behind it, some with an entry more
 * than there is room for. Lists are not ordered: all that a list has is given, in its order.
 */
static void tables_have_the_room_that_there_is(void **context)
{
	static const struct {
		const char *name;
		uint16_t list[6];	/* up to a 0; TPH is at @at */
		uint16_t at;
		uint32_t capability;
		uint32_t entries, claimed, room;
	} cases[] = {
		{ "DSA", { 0x100, 0x150, 0x160, 0x170 }, 0x160, 0x00010205, 2, 0, 0 },
		{ "DSA and one entry", { 0x100, 0x150, 0x160, 0x170 }, 0x160, 0x00020205, 0, 3, 2 },
		{ "DSA and 64", { 0x100, 0x150, 0x160, 0x170 }, 0x160, 0x003f0205, 0, 64, 2 },
		{ "CXL FPGA", { 0x100, 0x5b0, 0x6e0 }, 0x5b0, 0x000f0300, 16, 0, 0 },
		{ "I350", { 0x100, 0x1a0, 0x1c0 }, 0x1a0, 0x00090204, 10, 0, 0 },
		{ "I350 and one entry", { 0x100, 0x1a0, 0x1c0 }, 0x1a0, 0x000a0204, 0, 11, 10 },
		{ "I210, the last", { 0x100, 0x140, 0x1a0 }, 0x1a0, 0x00040204, 5, 0, 0 },
		{ "X710", { 0x100, 0x150, 0x1a0, 0x1b0 }, 0x1a0, 0x00000004, 0, 0, 0 },
		{ "Rockchip's port", { 0x100, 0x148, 0x274 }, 0x274, 0x003f0207, 64, 0, 0 },
		{ "not in order", { 0x100, 0x170, 0x160, 0x300 }, 0x160, 0x00010205, 2, 0, 0 },
		{ "one before it", { 0x100, 0x170, 0x160, 0x300 }, 0x160, 0x00020205, 0, 3, 2 },
		{ "Broadcom's order", { 0x100, 0x230, 0x300, 0x200 }, 0x230, 0x003f0206, 64, 0, 0 },
		{ "one behind the next", { 0x100, 0x230, 0x300, 0x240 }, 0x230, 0x00040206, 0, 5, 2 },
		{ "right behind it", { 0x100, 0x230, 0x23c }, 0x230, 0x00000206, 0, 1, 0 },
		{ "in it", { 0x100, 0x230, 0x234 }, 0x230, 0x00000206, 0, 1, 0 },
		{ "first of the list", { 0x100, 0x110 }, 0x100, 0x00010206, 2, 0, 0 },
		{ "to the end", { 0x100, 0xf80 }, 0xf80, 0x00390206, 58, 0, 0 },
		{ "past the end", { 0x100, 0xf80 }, 0xf80, 0x003a0206, 0, 59, 58 },
		{ "too many", { 0x100, 0x200 }, 0x200, 0x00400206, 0, 65, 64 },
		{ "a list in a circle", { 0x100, 0x160, 0x170, 0x100 }, 0x160, 0x00020205, 0, 3, 2 },
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tph_capability capability;
		struct image image = { .size = 4096 };
		const uint16_t *list = cases[i].list;

		for (int j = 0; list[j] && !image.dwords[list[j] / 4]; j++)
			put(&image, list[j], (list[j] == cases[i].at ? 0x00010017 : 0x00010001) |
			    (uint32_t)list[j + 1] << 20);
		put(&image, cases[i].at + 4u, cases[i].capability);
		if (capability_of(&image, &capability))
			fail_msg("%s: not decoded", cases[i].name);
		if (capability.table_entries != cases[i].entries ||
		    capability.table_claimed != cases[i].claimed ||
		    capability.table_room != cases[i].room)
			fail_msg("%s: %u entries, claims %u with room for %u", cases[i].name,
				 capability.table_entries, capability.table_claimed,
				 capability.table_room);
		assert_int_equal(capability.table, cases[i].entries ? TPH_TABLE_CAPABILITY :
				 TPH_TABLE_NONE);
	}
}

static void ports(void **context)
{
	static const struct {
		uint32_t express, devcap2;
		uint8_t type;
		enum tph_width completer;
	} cases[] = {
		{ 0x00420010, 0x00000000, TPH_PORT_ROOT, TPH_WIDTH_OFF },
		{ 0x00420010, 0x00001000, TPH_PORT_ROOT, TPH_WIDTH_8 },
		{ 0x00420010, 0x00002000, TPH_PORT_ROOT, TPH_WIDTH_OFF },	/* reserved */
		{ 0x00420010, 0x00003000, TPH_PORT_ROOT, TPH_WIDTH_16 },
		{ 0x00420010, 0xffffcfff, TPH_PORT_ROOT, TPH_WIDTH_OFF },
		{ 0x00410010, 0x00003000, TPH_PORT_ROOT, TPH_WIDTH_OFF },	/* ends before it */
		{ 0x00920010, 0x00000000, TPH_PORT_INTEGRATED, TPH_WIDTH_OFF },
	};
	struct image image = { .size = 4096 };
	struct tph_port port;

	(void)context;
	assert_int_equal(port_of(&image, &port), -EOPNOTSUPP);
	put(&image, 0x04, 0x00100000);
	assert_int_equal(port_of(&image, &port), -EOPNOTSUPP);
	put(&image, 0x34, 0xfc);
	put(&image, 0xfc, 0x00000001);
	assert_int_equal(port_of(&image, &port), -EOPNOTSUPP);
	put(&image, 0x34, 0x43);	/* the lowest two bits are reserved */
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put(&image, 0x40, cases[i].express);
		put(&image, 0x64, cases[i].devcap2);
		assert_int_equal(port_of(&image, &port), 0);
		assert_int_equal(port.type, cases[i].type);
		assert_false(port.slot);
		assert_int_equal(port.completer, cases[i].completer);
	}
}

static void ports_and_slots(void **context)
{
	struct image image = { .size = 4096 };
	struct tph_port port;

	(void)context;
	put(&image, 0x04, 0x00100000);
	put(&image, 0x34, 0x40);
	put(&image, 0x40, 0x01420010);
	assert_int_equal(port_of(&image, &port), 0);
	assert_int_equal(port.type, TPH_PORT_ROOT);
	assert_true(port.slot);
}

static void ports_and_prefixes(void **context)
{
	static const struct {
		uint32_t express, devcap2, devctl2;
		bool prefixes, blocks;
	} cases[] = {
		{ 0x00520010, 0x00000000, 0x00000000, false, false },
		{ 0x00520010, 0x00200000, 0x00000000, true, false },
		{ 0x00520010, 0xffdfffff, 0xffff7fff, false, false },
		{ 0x00520010, 0x00200000, 0x00008000, true, true },
		{ 0x00520010, 0x00000000, 0x00008000, false, true },
		{ 0x00510010, 0x00200000, 0x00008000, false, false },	/* ends before them */
	};
	struct image image = { .size = 4096 };
	struct tph_port port;

	(void)context;
	put(&image, 0x04, 0x00100000);
	put(&image, 0x34, 0x40);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put(&image, 0x40, cases[i].express);
		put(&image, 0x64, cases[i].devcap2);
		put(&image, 0x68, cases[i].devctl2);
		assert_int_equal(port_of(&image, &port), 0);
		assert_int_equal(port.type, TPH_PORT_UPSTREAM);
		assert_int_equal(port.prefixes, cases[i].prefixes);
		assert_int_equal(port.blocks, cases[i].blocks);
	}
}

static void registers(void **context)
{
	struct tph_capability capability;
	struct image image = { .size = 4096 };

	(void)context;
	put(&image, 0x100, 0x00010017);		/* first of the list, and the only one */
	put(&image, 0x104, 0xfc3ff9fa);		/* ... every reserved bit */
	put(&image, 0x108, 0xfffffcf8);
	assert_int_equal(capability_of(&image, &capability), 0);
	assert_int_equal(capability.offset, 0x100);
	assert_int_equal(capability.modes, 2);
	assert_int_equal(capability.width_max, TPH_WIDTH_16);
	assert_int_equal(capability.table, TPH_TABLE_NONE);
	assert_false(capability.enabled);
	assert_int_equal(capability.mode, 0);
	assert_int_equal(capability.control, 0xfffffcf8);
	put(&image, 0x104, 0x00000203);		/* a table of one entry */
	put(&image, 0x108, 0x00000301);
	assert_int_equal(capability_of(&image, &capability), 0);
	assert_int_equal(capability.table, TPH_TABLE_CAPABILITY);
	assert_int_equal(capability.table_entries, 1);
	assert_int_equal(capability.width_max, TPH_WIDTH_8);
	assert_true(capability.enabled);
	assert_int_equal(capability.mode, TPH_MODE_INTERRUPT_VECTOR);
	assert_int_equal(capability.width, TPH_WIDTH_16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_beyond_the_end_is_read),
		cmocka_unit_test(lists_that_do_not_end),
		cmocka_unit_test(function_that_does_not_answer),
		cmocka_unit_test(tables_have_the_room_that_there_is),
		cmocka_unit_test(ports),
		cmocka_unit_test(ports_and_slots),
		cmocka_unit_test(ports_and_prefixes),
		cmocka_unit_test(registers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("capability", tests, NULL, NULL);
}
