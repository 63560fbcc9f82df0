// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: devices that are not as others: what list, show, why and bind say of them. */
#include <stdio.h>
#include <string.h>

#include "tphctl_run.h"

/* 16-bit tags on their way up through a switch. */
static void why_below_a_switch(void **context)
{
	static const struct tree_function functions[] = {
		{ .parents = "pci0000:00/" TREE_PORT, .address = SWITCH_UP,
		  .kind = TREE_KIND_UPSTREAM, .secondary = 0x21 },
		{ .parents = "pci0000:00/" TREE_PORT "/" SWITCH_UP, .address = SWITCH_DOWN,
		  .kind = TREE_KIND_DOWNSTREAM, .secondary = 0x22 },
		{ .parents = "pci0000:00/" TREE_PORT "/" SWITCH_UP "/" SWITCH_DOWN,
		  .address = SWITCHED, .group = "14" },
	};
	static const struct {
		uint32_t up, up_control, down, down_control;
		const char *narrow;	/* NULL: there is nothing to tell */
	} cases[] = {
		{ 0, 0, 0, 0, SWITCH_DOWN " does not know End-End TLP prefixes" },
		{ KNOWS_PREFIXES, 0, 0, 0, SWITCH_DOWN " does not know" },
		{ 0, 0, KNOWS_PREFIXES, 0, SWITCH_UP " does not know" },
		{ KNOWS_PREFIXES, BLOCKS_PREFIXES, KNOWS_PREFIXES, 0,
		  SWITCH_UP " is told to block End-End TLP prefixes" },
		{ KNOWS_PREFIXES, 0, KNOWS_PREFIXES, BLOCKS_PREFIXES, NULL },
		{ KNOWS_PREFIXES, 0, KNOWS_PREFIXES, 0, NULL },
	};

	(void)context;
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		tree_function(TREE, &functions[i]);
	tree_set_dword(TREE, SWITCHED, 0x100, 0x00010017);
	tree_set_dword(TREE, SWITCHED, 0x104, 0x00000105);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *narrow = cases[i].narrow;

		tree_set_dword(TREE, SWITCH_UP, 0x64, cases[i].up);
		tree_set_dword(TREE, SWITCH_UP, 0x68, cases[i].up_control);
		tree_set_dword(TREE, SWITCH_DOWN, 0x64, cases[i].down);
		tree_set_dword(TREE, SWITCH_DOWN, 0x68, cases[i].down_control);
		assert_why(SWITCHED, 1, "driver", "completer", "ok", narrow ? narrow :
			   "completes 8-bit and 16-bit tags");
		assert_true(!strstr(result.out, "no 16-bit ones") == !narrow);
		assert_runs("show " SWITCHED);
		assert_true(!strstr(result.out, "no 16-bit tags: ") == !narrow);
		if (narrow)
			assert_says(result.out, narrow);
		assert_runs("show -j " SWITCHED);
		assert_says(result.out, narrow ? narrow : "\"narrow\":null");
	}

	/* that there are no 16-bit tags at the root port either is all there is to say */
	tree_set_dword(TREE, SWITCH_UP, 0x64, 0);
	tree_set_dword(TREE, TREE_PORT, 0x64, 0x1000);
	assert_why(SWITCHED, 1, "driver", "completer", "ok", "completes 8-bit tags");
	assert_null(strstr(result.out, "prefixes"));
	assert_runs("show -j " SWITCHED);
	assert_says(result.out, "\"narrow\":null");
	/* what cannot be seen is not told */
	tree_set_dword(TREE, TREE_PORT, 0x64, 0x3000);
	tree_hide(TREE, SWITCH_DOWN);
	assert_why(SWITCHED, 1, "driver", "completer", "ok", "completes 8-bit and 16-bit tags");
	assert_null(strstr(result.out, "prefixes"));
}

/* A function below the good port, with a TPH Requester capability. */
static void add_requester(const char *address, uint32_t capability, unsigned int next)
{
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:00/" TREE_PORT,
						      .address = address, .group = "30" });
	tree_set_dword(TREE, address, 0x100, 0x00010001 | 0x160u << 20);
	tree_set_dword(TREE, address, 0x160, 0x00010017 | next << 20);
	tree_set_dword(TREE, address, 0x164, capability);
	if (next)
		tree_set_dword(TREE, address, next, 0x0001001b);
}

static void tables_that_claim_more_than_there_is_room_for(void **context)
{
	struct json_object *document, *device;

	(void)context;
	add_requester(DSA, 0x003f0205, 0x170);
	assert_runs("list");
	assert_says(result.out, DSA "  -                30  no-st,ds     none              -      8");
	assert_says(result.err, DSA ": its ST table counts as none: it claims 64 entries where there "
		    "is room for 2");
	assert_runs("-j list");
	document = parse(result.out);
	device = json_object_array_get_idx(member(document, "devices"), 3);
	assert_string_equal(text_of(device, "device"), DSA);
	assert_string_equal(text_of(device, "table"), "none");
	assert_int_equal(number_of(device, "entries"), 0);
	assert_int_equal(number_of(device, "entries_claimed"), 64);
	assert_int_equal(number_of(device, "entries_room"), 2);
	device = json_object_array_get_idx(member(document, "devices"), 0);
	assert_null(member(device, "entries_claimed"));
	json_object_put(document);
	assert_runs("show " DSA);
	assert_says(result.out, "    ST table       none: it claims 64 entries where there is room "
		    "for 2\n");
	assert_why(DSA, 1, "driver", "modes", "ok", "no-st ds; ST table: none, as it claims 64 "
		   "entries where there is room for 2");
	/* Interrupt Vector mode is none without it. */
	tree_set_dword(TREE, DSA, 0x164, 0x003f0203);
	assert_why(DSA, 3, "modes", "modes", "broken", "as it claims 64 entries");
	/* What fits to the byte is a table. */
	tree_set_dword(TREE, DSA, 0x164, 0x00010205);
	assert_runs("list");
	assert_says(result.out, "capability        2      8");
	assert_string_equal(result.err, "");
}

static void fill_with_ones(const char *address)
{
	for (unsigned int at = 0; at < 4096; at += 4)
		tree_set_dword(TREE, address, at, 0xffffffff);
}

#define SILENT	"it does not answer: its configuration space reads all ones (powered off, in D3cold, " \
		"or gone)"

static void devices_that_do_not_answer(void **context)
{
	struct json_object *document, *silent;

	(void)context;
	fill_with_ones(TREE_NVME);
	assert_runs("list");
	assert_says(result.err, TREE_NVME ": " SILENT "; whether it has TPH is not known");
	assert_null(strstr(result.err, "malformed"));
	assert_runs("-j list");
	document = parse(result.out);
	assert_int_equal(json_object_array_length(member(document, "devices")), 2);
	silent = member(document, "silent");
	assert_int_equal(json_object_array_length(silent), 1);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(silent, 0)),
			    TREE_NVME);
	json_object_put(document);
	assert_runs("show " TREE_NVME);
	assert_says(result.out, "  hardware         " SILENT "\n");
	assert_runs("-j show " TREE_NVME);
	assert_says(result.out, "\"hardware\":null,\"hardware_missing\":\"" SILENT "\"");
	assert_why(TREE_NVME, 1, "configuration space", "configuration space", "broken", SILENT);
	assert_why(TREE_NVME, 1, "configuration space", "device", "ok", "");
	assert_why(TREE_NVME, 1, "configuration space", "capability", "unknown", "does not answer");
	assert_why(TREE_NVME, 1, "configuration space", "completer", "unknown", "does not answer");
	assert_why(TREE_NVME, 1, "configuration space", "modes", "unknown", "");
	assert_null(strstr(result.out, "malformed"));
	assert_fails("dmabufs " TREE_NVME, 1, "does not answer");
	assert_runs("group " TREE_NVME);
	/* A root port without power takes what is below it with it. */
	setup(context);
	fill_with_ones("0000:00:03.0");
	assert_why(TREE_NVME, 1, "driver", "completer", "unknown", "root port 0000:00:03.0: does not "
		   "answer");
	assert_runs("show " TREE_NVME);
	assert_says(result.out, "root port        0000:00:03.0, does not answer");
	/* The ids of a virtual function are all ones in it, and it answers. */
	setup(context);
	tree_set_dword(TREE, TREE_NVME, 0, 0xffffffff);
	assert_runs("show " TREE_NVME);
	assert_says(result.out, "no-st ds");
	/* of a device that the driver has, it tells what it found when it did answer */
	why_setup(context);
	fill_with_ones(TREE_ENDPOINT);
	assert_why(TREE_ENDPOINT, 1, "configuration space", "capability", "ok", "says the driver");
	assert_why(TREE_ENDPOINT, 1, "configuration space", "completer", "ok", "says the driver");
}

static void bridges_that_have_the_capability(void **context)
{
	struct json_object *document, *device;

	(void)context;
	tree_set_dword(TREE, TREE_PORT, 0x100, 0x00010017);
	tree_set_dword(TREE, TREE_PORT, 0x104, 0x003f0207);	/* as on a Rockchip root port */
	assert_runs("list");
	assert_says(result.out, TREE_PORT "  pcieport          1  no-st,iv,ds  capability       64");
	assert_says(result.out, " (bridge)\n");
	assert_says(result.err, TREE_PORT ": it is a bridge, and a bridge is not given to users");
	assert_runs("-j list");
	document = parse(result.out);
	device = json_object_array_get_idx(member(document, "devices"), 0);
	assert_true(json_object_get_boolean(member(device, "bridge")));
	device = json_object_array_get_idx(member(document, "devices"), 1);
	assert_false(json_object_get_boolean(member(device, "bridge")));
	json_object_put(document);
	assert_why(TREE_PORT, 3, "device", "device", "broken", "a bridge is not given to users");
	assert_why(TREE_PORT, 3, "device", "capability", "ok", "at 0x100");
	assert_null(strstr(result.out, "tphctl bind"));
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_why(TREE_PORT, 3, "device", "module", "broken", "is not loaded");
	assert_null(strstr(result.out, "tphctl bind"));
	assert_null(strstr(result.out, "modprobe"));
	assert_runs("show " TREE_PORT);
	assert_says(result.out, "on offer         nothing: it is a bridge, which is not given to users\n");
	assert_null(strstr(result.out, "tphctl bind"));
}

/* Enabled, with two entries set, before anybody of ours had it: so was one that was found. */
static void devices_that_come_enabled(void **context)
{
	(void)context;
	add_requester(DSA, 0x00010205, 0x170);
	tree_set_dword(TREE, DSA, 0x168, 0x00000102);
	tree_set_dword(TREE, DSA, 0x16c, 0x00020001);
	assert_runs("show " DSA);
	assert_says(result.out, "    requester      Device Specific mode, 8-bit tags\n"
		    "    enabled by     firmware or a former driver\n");
	assert_runs("-j show " DSA);
	assert_says(result.out, "\"enabled_by\":\"firmware or a former driver\"");
	assert_why(DSA, 1, "driver", "requester", "unknown", "enabled (control 0x00000102) by firmware "
		   "or a former driver");
	assert_runs("show " TREE_NVME);
	assert_says(result.out, "enabled by     its driver, a former one, or firmware\n");
	/* what a user of ours has enabled is no news, and what nobody has is off */
	tree_set_dword(TREE, TREE_ENDPOINT, 0x1b8, 0x00000101);
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "iv 8");
	assert_runs("show " TREE_ENDPOINT);
	assert_null(strstr(result.out, "enabled by"));
	tree_attribute(TREE, TREE_ENDPOINT, "requester", "off");
	assert_runs("show " TREE_ENDPOINT);
	assert_says(result.out, "enabled by     firmware or a former driver\n");
	assert_why(TREE_ENDPOINT, 0, NULL, "requester", "ok", "the device itself was enabled (control "
		   "0x00000101) by firmware or a former driver");
	assert_runs("-j show " TREE_INTEGRATED);
	assert_says(result.out, "\"enabled_by\":null");
}

static void devices_on_the_denylist(void **context)
{
	(void)context;
	add_requester(DSA, 0x00010205, 0x170);
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/" DSA "/device", "0x0b25\n");
	assert_why(DSA, 3, "driver", "driver", "broken", "bound to no driver; it is on vfio-pci's "
		   "denylist, for its errata");
	assert_null(strstr(result.out, "tphctl bind"));
	assert_says(result.out, "disable_denylist=1");
	assert_runs("show " DSA);
	assert_says(result.out, "denylist");
	assert_null(strstr(result.out, "tphctl bind"));
	assert_fails("bind " DSA, 3, "8086:0b25 is on vfio-pci's denylist");
	assert_fails("bind --driver vfio-pci " DSA, 3, "denylist");
	assert_string_equal(result.log, "");
	tree_text(TREE, "bus/pci/drivers/tph-vfio-pci/module/parameters/disable_denylist", "N\n");
	assert_fails("bind " DSA, 3, "denylist");
	tree_text(TREE, "bus/pci/drivers/tph-vfio-pci/module/parameters/disable_denylist", "Y\n");
	assert_why(DSA, 1, "driver", "driver", "broken", "denylist");
	assert_says(result.out, "tphctl bind " DSA);
	assert_runs("bind " DSA);
	why_setup(context);
	add_requester(DSA, 0x00010205, 0x170);
	tree_text(TREE, "devices/pci0000:00/" TREE_PORT "/" DSA "/device", "0x0b25\n");
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_why(DSA, 3, "module", "module", "broken", "is not loaded; it is on vfio-pci's denylist");
	assert_null(strstr(result.out, "tphctl bind"));
}

#define VMD_DEVICE	"10000:01:00.0"

/* Behind a volume management device, whose host bridge is below a function. */
static void domain_behind_a_function(void **context)
{
	struct json_object *document, *root;

	(void)context;
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:5d",
		.address = "0000:5d:05.5", .group = "20" });
	tree_function(TREE, &(struct tree_function){ .parents = "pci0000:5d/0000:5d:05.5/pci10000:00",
		.address = "10000:00:02.0", .driver = "pcieport", .group = "20",
		.kind = TREE_KIND_ROOT_PORT, .secondary = 1 });
	tree_function(TREE, &(struct tree_function){
		.parents = "pci0000:5d/0000:5d:05.5/pci10000:00/10000:00:02.0",
		.address = VMD_DEVICE, .driver = "nvme", .group = "20" });
	tree_set_dword(TREE, "10000:00:02.0", 0x64, 0x1000);
	tree_set_dword(TREE, VMD_DEVICE, 0x100, 0x00010017);
	tree_set_dword(TREE, VMD_DEVICE, 0x104, 0x00000004);
	assert_runs("show " VMD_DEVICE);
	assert_says(result.out, "root port        10000:00:02.0, completes 8-bit tags\n");
	assert_runs("-j show " VMD_DEVICE);
	document = parse(result.out);
	root = member(document, "root_port");
	assert_string_equal(text_of(root, "device"), "10000:00:02.0");
	assert_int_equal(number_of(root, "completer"), 8);
	json_object_put(document);
	assert_why(VMD_DEVICE, 1, "driver", "completer", "ok", "root port 10000:00:02.0: completes 8-bit");
	/* columns as wide as what is in them */
	assert_runs("list");
	assert_says(result.out, "DEVICE         DRIVER        GROUP  MODES ");
	assert_says(result.out, "\n" TREE_ENDPOINT "   tph-vfio-pci     12  no-st,iv,ds");
	assert_says(result.out, "\n" VMD_DEVICE "  nvme             20  ds ");
	assert_runs("group " VMD_DEVICE);
	assert_says(result.out, "\n   0000:5d:05.5   -              may stay ");
	assert_says(result.out, "\n=> " VMD_DEVICE "  nvme           must go ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tables_that_claim_more_than_there_is_room_for, why_setup),
		cmocka_unit_test_setup(devices_that_do_not_answer, why_setup),
		cmocka_unit_test_setup(bridges_that_have_the_capability, why_setup),
		cmocka_unit_test_setup(devices_that_come_enabled, why_setup),
		cmocka_unit_test_setup(devices_on_the_denylist, why_setup),
		cmocka_unit_test_setup(domain_behind_a_function, why_setup),
		cmocka_unit_test_setup(why_below_a_switch, why_setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl machines", tests, NULL, cleanup);
}
