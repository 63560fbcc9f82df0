// SPDX-License-Identifier: MIT
/* Functions that are like a device whose configuration space is in a file: hostile files, and the catalogue. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "fixture.h"
#include "format/bits.h"
#include "keys.h"
#include "models/exerciser.h"
#include "pcie/capabilities.h"
#include "pcie/profile.h"

static const char *profiles; /* the folder of the catalogue */
static char folder[] = "/tmp/vfio-tph-profile.XXXXXX";
static char file[64];

static void write_file(const void *bytes, size_t size)
{
	FILE *out = fopen(file, "we");

	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, size, out), size);
	assert_int_equal(fclose(out), 0);
}

/* An endpoint of 4096 bytes: PM at 0x40, PCI Express at 0x50, TPH at 0x100 with two entries behind. */
static void plain(uint8_t bytes[CONFIG_SPACE_SIZE])
{
	memset(bytes, 0, CONFIG_SPACE_SIZE);
	le32_put(bytes, 0x54ff1b36);
	le32_put(bytes + PCI_COMMAND, PCI_STATUS_CAP_LIST << 16);
	le32_put(bytes + PCI_CLASS_REVISION, 0x02000007);
	bytes[PCI_CAPABILITY_LIST] = 0x40;
	le32_put(bytes + 0x40, 0x00035001);
	le32_put(bytes + 0x50, 0x00020010);
	le32_put(bytes + 0x100, 0x00010017);
	le32_put(bytes + 0x104, 0x00010205);
}

static char *why_not(const char *more)
{
	char text[256], *error = NULL;
	struct knobs knobs;

	snprintf(text, sizeof(text), "socket=/nowhere,profile=%s%s", file, more);
	if (knobs_parse(&knobs, &exerciser_model, text, 0, &error))
		return error;
	knobs_free(&knobs);
	fail_msg("%s: it was taken", text);
	return NULL;
}

static void assert_refused(const char *more, const char *why)
{
	char *error = why_not(more);

	if (!strstr(error, why) || !strstr(error, *more ? "" : file))
		fail_msg("no \"%s\" in: %s", why, error);
	free(error);
}

/* ---- files that are no profile ---- */

static void files_that_cannot_be_read(void **state)
{
	(void)state;
	unlink(file);
	assert_refused("", "No such file");
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_refused("", "no regular file");
	unlink(file);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_refused("", "no regular file");
	rmdir(file);
	write_file("", 0);
	assert_int_equal(truncate(file, (1 << 20) + 1), 0);
	assert_refused("", "more than 1048576 bytes");
}

static void texts_that_are_no_dump(void **state)
{
	static const struct {
		const char *text, *why;
	} texts[] = {
		{ "", "no line of bytes" },
		{ "hello\n", "no line of bytes" },
		{ "00:1f.0 ISA bridge\n", "no line of bytes" },
		/* not as lspci prints them: no offset of a row, too many bytes, too large, not hexadecimal */
		{ "08: 86 80\n", "no line of bytes" },
		{ "00: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10\n", "no line of bytes" },
		{ "00: 8 80\n", "no line of bytes" },
		{ "00: 86 8\n", "no line of bytes" },
		{ "00:86 80\n", "no line of bytes" },
		{ "0000: 86 80\n", "no line of bytes" },
		{ "00: 86 80\n30: 00\n", "the header alone" },
		{ "00:01.0 a\n00: 86 80\n40: 00\n00:01.1 b\n00: 86 80\n", "more than one function" },
		{ "0000:00:01.0 a\n00: 86 80\n40: 00\n0001:00:01.0 b\n", "more than one function" },
		{ "00: ff ff ff ff\n40: ff\n", "did not answer" },
		{ "40: 00\n", "did not answer" },
		{ "00: 86 80 34 12\n40: 00\n", "no PCI Express capability" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		write_file(texts[i].text, strlen(texts[i].text));
		assert_refused("", texts[i].why);
	}
}

static void spaces_that_make_no_sense(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		const char *why;
	} wrong[] = {
		{ 0x40, 0x00034001, "0x40 twice" },
		{ 0x40, 0x00032001, "comes to 0x20" },
		{ 0x50, 0x00024010, "0x40 twice" },
		{ 0x40, 0x00030001, "no PCI Express capability" },
		{ PCI_CACHE_LINE_SIZE, 0x00010000, "no endpoint" },
		{ 0x50, 0x00420010, "no endpoint: its PCI Express capability says type 4" },
		{ 0x50, 0x00520010, "type 5" },
		{ 0x100, 0x10010017, "0x100 twice" },
		{ 0x100, 0x08010017, "comes to 0x80" },
		/* a table that has no end in the space, or another one in it */
		{ 0x104, 0x07ff0205, "TPH Requester at 0x100 has 4108 bytes, beyond 0x1000" },
	};
	uint8_t bytes[CONFIG_SPACE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		plain(bytes);
		le32_put(bytes + wrong[i].at, wrong[i].value);
		write_file(bytes, sizeof(bytes));
		assert_refused("", wrong[i].why);
	}
	/* in the last bytes, whose registers would be behind the end */
	plain(bytes);
	le32_put(bytes + 0x100, 0xffc00000);
	le32_put(bytes + 0xffc, 0x00010017);
	write_file(bytes, sizeof(bytes));
	assert_refused("", "TPH Requester at 0xffc has 12 bytes, beyond 0x1000");
	plain(bytes);
	le32_put(bytes + 0x100, 0xfd400000);
	le32_put(bytes + 0xfd4, 0x00010001);
	write_file(bytes, sizeof(bytes));
	assert_refused("", "Advanced Error Reporting at 0xfd4 has 56 bytes, beyond 0x1000");
	/* two in one place */
	plain(bytes);
	le32_put(bytes + 0x100, 0x10810017);
	le32_put(bytes + 0x108, 0x0001001b);
	write_file(bytes, sizeof(bytes));
	assert_refused("", "TPH Requester at 0x100 has 16 bytes, and PASID is at 0x108");
	plain(bytes);
	bytes[0x41] = 0x44;
	le32_put(bytes + 0x44, 0x00005011);
	write_file(bytes, sizeof(bytes));
	assert_refused("", "Power Management at 0x40 has 8 bytes, and MSI-X is at 0x44");
	plain(bytes);
	bytes[0x41] = 0xfc;
	le32_put(bytes + 0xfc, 0x00025010);
	write_file(bytes, sizeof(bytes));
	assert_refused("", "PCI Express at 0xfc has 60 bytes, beyond 0x100");
}

static void keys_that_the_profile_has(void **state)
{
	static const char *const keys[] = { "st-table=cap",	 "entries=4",	  "vectors=3",
					    "tph-at=0x200",	 "tph=off",	  "tph-size=64",
					    "vsec=0x200:16",	 "msix-bar=2",	  "msix-size=4K",
					    "msix-offset=0",	 "pba-offset=64", "af=on",
					    "aer=on",		 "pasid=on",	  "config=0xb0:1",
					    "chain-first=vsec" };
	uint8_t bytes[CONFIG_SPACE_SIZE];
	char more[64];

	(void)state;
	plain(bytes);
	write_file(bytes, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(more, sizeof(more), ",%s", keys[i]);
		assert_refused(more, "the profile says that");
	}
	assert_refused(",control=0x300", "only the bits");
	assert_refused(",profile=", "given twice");
	/* whatever comes first */
	snprintf(more, sizeof(more), ",memory-bar=2,width=16,completer=16,name=x,queues=2");
	le32_put(bytes + PCI_BASE_ADDRESS_2, 0x0000000c);
	bytes[PCI_BASE_ADDRESS_2 + 3] = 0xf0;
	write_file(bytes, sizeof(bytes));
	assert_refused(more, "the device has BAR 2");
}

/* ---- what the device is then ---- */

static void become(struct fixture *f, const char *path, const char *more)
{
	char keys[1024];

	snprintf(keys, sizeof(keys), "profile=%s%s", path, more);
	remake(f, keys);
}

static uint32_t config(struct fixture *f, size_t at, size_t width)
{
	return config_in(f, at, width);
}

static void binary_copy(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[CONFIG_SPACE_SIZE];

	plain(bytes);
	le32_put(bytes + 0x108, 0x102);
	le32_put(bytes + 0x10c, 0x12340007);
	write_file(bytes, sizeof(bytes));
	become(f, file, "");
	assert_int_equal(config(f, 0, 4), 0x54ff1b36);
	assert_int_equal(config(f, 8, 4), 0x02000007);
	/* it comes as it was found; 8 bits of each tag are there */
	assert_int_equal(config(f, 0x104, 4), 0x00010205);
	assert_int_equal(config(f, 0x108, 4), 0x102);
	assert_int_equal(config(f, 0x10c, 4), 0x00340007);
	/* and other keys change it */
	become(f, file, ",width=16,control=0,modes=nost+ds,claim=4,vendor=0x1234");
	assert_int_equal(config(f, 0, 4), 0x54ff1234);
	assert_int_equal(config(f, 0x104, 4), 0x00030305);
	assert_int_equal(config(f, 0x108, 4), 0);
	/* without extended configuration space there is none, and no TPH */
	write_file(bytes, 256);
	become(f, file, "");
	assert_int_equal(config(f, 0x100, 4), 0);
	assert_false(f->endpoint.knobs.tph);
}

static size_t find_first(struct fixture *f, uint8_t id)
{
	unsigned int steps = 0;

	for (size_t at = config(f, PCI_CAPABILITY_LIST, 1); at; at = config(f, at + 1, 1)) {
		assert_true(++steps < 48);
		if (config(f, at, 1) == id)
			return at;
	}
	return 0;
}

static size_t find_extended(struct fixture *f, uint16_t id)
{
	unsigned int steps = 0;

	for (size_t at = 0x100; at; at = config(f, at, 4) >> 20) {
		assert_true(++steps < 960);
		if (config(f, at, 2) == id)
			return at;
	}
	return 0;
}

static void what_is_left_out_is_not_found(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[CONFIG_SPACE_SIZE];

	plain(bytes);
	/* MSI, VPD and one of the vendor's between PM and PCI Express */
	bytes[0x41] = 0x90;
	le32_put(bytes + 0x90, 0x0080a005);
	le32_put(bytes + 0xa0, 0x8000b003);
	le32_put(bytes + 0xb0, 0xaa085009);
	le32_put(bytes + 0xb4, 0xdeadbeef);
	/* SR-IOV first, then a serial number, then TPH, then ATS */
	le32_put(bytes + 0x100, 0x20010010);
	le32_put(bytes + 0x200, 0x30010003);
	le32_put(bytes + 0x204, 0x11223344);
	le32_put(bytes + 0x300, 0x40010017);
	le32_put(bytes + 0x304, 0x00000005);
	le32_put(bytes + 0x400, 0x0001000f);
	write_file(bytes, sizeof(bytes));
	become(f, file, "");
	assert_int_equal(find_first(f, PCI_CAP_ID_MSI), 0);
	assert_int_equal(find_first(f, PCI_CAP_ID_VPD), 0);
	assert_int_equal(find_first(f, PCI_CAP_ID_VNDR), 0xb0);
	assert_int_equal(config(f, 0xb4, 4), 0xdeadbeef);
	assert_int_equal(find_first(f, PCI_CAP_ID_PM), 0x40);
	assert_int_equal(find_first(f, PCI_CAP_ID_EXP), 0x50);
	/* the chain begins at 0x100 with nothing */
	assert_int_equal(config(f, 0x100, 4), 0x20000000);
	assert_int_equal(find_extended(f, PCI_EXT_CAP_ID_SRIOV), 0);
	assert_int_equal(find_extended(f, PCI_EXT_CAP_ID_ATS), 0);
	assert_int_equal(find_extended(f, PCI_EXT_CAP_ID_DSN), 0x200);
	assert_int_equal(config(f, 0x204, 4), 0x11223344);
	assert_int_equal(find_extended(f, PCI_EXT_CAP_ID_TPH), 0x300);
	/* nothing of it can be written but what does something */
	for (size_t at = 0; at < CONFIG_SPACE_SIZE; at++) {
		const uint8_t writable = f->endpoint.config.writable[at];
		bool own = at < 0x40 || (at >= 0x40 && at < 0x48) || (at >= 0x50 && at < 0x8c) ||
			   (at >= 0x300 && at < 0x30c);

		if (writable && !own)
			fail_msg("0x%zx can be written: 0x%x", at, writable);
	}
	assert_int_not_equal(f->endpoint.config.writable[0x301 + 8], 0);
}

/* Two that would do something: the first one does, and the other is not there. */
static void second_one_of_a_kind_is_left_out(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[CONFIG_SPACE_SIZE];

	plain(bytes);
	bytes[0x41] = 0x90;
	le32_put(bytes + 0x90, 0x00035001);
	le32_put(bytes + 0x100, 0x20010017);
	le32_put(bytes + 0x200, 0x00010017);
	write_file(bytes, sizeof(bytes));
	become(f, file, "");
	assert_int_equal(find_first(f, PCI_CAP_ID_PM), 0x40);
	assert_int_equal(config(f, 0x41, 1), 0x50);
	assert_int_equal(find_extended(f, PCI_EXT_CAP_ID_TPH), 0x100);
	assert_int_equal(config(f, 0x100, 4) >> 20, 0);
}

static void bars_are_the_devices(void **state)
{
	struct fixture *f = *state;
	char text[8192];
	FILE *in, *out = fopen(file, "we");
	uint32_t value = ~0u;
	size_t length;
	char path[512];

	/* the same, with I/O, a BAR that is too large, and one of which nobody knows the size */
	snprintf(path, sizeof(path), "%s/bcm57416.lspci", profiles);
	in = fopen(path, "re");
	assert_non_null(in);
	length = fread(text, 1, sizeof(text) - 1, in);
	text[length] = '\0';
	fclose(in);
	memcpy(strstr(text, "[size=1M]"), "[size=2G]", 9);
	fputs(text, out);
	fclose(out);
	become(f, file, "");
	assert_int_equal(endpoint_bar_size(&f->endpoint, 0), 65536);
	assert_int_equal(endpoint_bar_size(&f->endpoint, 1), 0);
	assert_int_equal(endpoint_bar_size(&f->endpoint, 2), 16 << 20);
	assert_int_equal(endpoint_bar_size(&f->endpoint, 3), 0);
	assert_int_equal(endpoint_bar_size(&f->endpoint, 4), 8192);
	assert_int_equal(endpoint_bar_size(&f->endpoint, 5), 0);
	endpoint_config_write(&f->endpoint, PCI_BASE_ADDRESS_4, (const uint8_t *)&value, 4);
	assert_int_equal(config(f, PCI_BASE_ADDRESS_4, 4), 0xffffe00c);
	/* registers of the model in BAR 0, nothing in BAR 2 */
	endpoint_config_write(&f->endpoint, PCI_COMMAND, (const uint8_t[]){ 6, 0 }, 2);
	endpoint_bar_read(&f->endpoint, 0, 0, (uint8_t *)&value, 4);
	assert_int_equal(value, 0x45485054);
	endpoint_bar_write(&f->endpoint, 2, 0x100, (const uint8_t *)&value, 4);
	endpoint_bar_read(&f->endpoint, 2, 0x100, (uint8_t *)&value, 4);
	assert_int_equal(value, 0);
	/* the PBA is behind the 255th entry, in the same page */
	endpoint_bar_read(&f->endpoint, 4, 254 * 16 + 12, (uint8_t *)&value, 4);
	assert_int_equal(value, 1);
	endpoint_bar_read(&f->endpoint, 4, 0xff0, (uint8_t *)&value, 4);
	assert_int_equal(value, 0);
}

/* What of each is to be seen in configuration space, as facts have it. */
static void catalogue(void **state)
{
	static const struct {
		const char *name;
		uint32_t ids;
		size_t tph_at;
		uint32_t tph;
		uint32_t control;
		unsigned int vectors;
		uint32_t table;
		uint32_t pba;
		uint32_t completer;
		uint16_t next;
	} all[] = {
		{ "bcm57416", 0x16d814e4, 0x230, 0x00fe0407, 0, 255, 4, 0xff4, 0, 0x300 },
		{ "ql41212h", 0x80701077, 0x1f8, 0x00800407, 0, 129, 4, 0x1004, 0, 0x284 },
		{ "i350", 0x15218086, 0x1a0, 0x00070205, 0, 10, 3, 0x2003, 0, 0 },
		{ "e810", 0x15928086, 0x1a0, 0x00000005, 0, 1024, 3, 0x8003, 0, 0 },
		{ "dsa", 0x0b258086, 0x160, 0x00010205, 0x102, 9, 0x6000, 0x6090, 0, 0x170 },
		{ "hi1822", 0x182219e5, 0x4f0, 0x00000005, 0, 32, 2, 0x4002, 0, 0x600 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char path[512];
		size_t msix, express;

		snprintf(path, sizeof(path), "%s/%s.lspci", profiles, all[i].name);
		become(f, path, "");
		print_message("# %s\n", all[i].name);
		assert_int_equal(config(f, 0, 4), all[i].ids);
		assert_int_equal(find_extended(f, PCI_EXT_CAP_ID_TPH), all[i].tph_at);
		assert_int_equal(config(f, all[i].tph_at, 4) >> 20, all[i].next);
		assert_int_equal(config(f, all[i].tph_at + 4, 4), all[i].tph);
		assert_int_equal(config(f, all[i].tph_at + 8, 4), all[i].control);
		msix = find_first(f, PCI_CAP_ID_MSIX);
		assert_int_equal(config(f, msix + 2, 2), all[i].vectors - 1);
		assert_int_equal(config(f, msix + 4, 4), all[i].table);
		assert_int_equal(config(f, msix + 8, 4), all[i].pba);
		express = find_first(f, PCI_CAP_ID_EXP);
		assert_int_equal(config(f, express + PCI_EXP_DEVCAP2, 4) >> 12 & 3,
				 all[i].completer);
		assert_int_equal(config(f, express + PCI_EXP_DEVCAP2, 4) &
					 (PCI_EXP_DEVCAP2_LTR | PCI_EXP_DEVCAP2_OBFF_MASK),
				 0);
	}
}

static void description(void **state)
{
	char path[512], text[1024], *error, *said;
	struct knobs knobs;
	size_t size;
	FILE *out;

	(void)state;
	snprintf(path, sizeof(path), "%s/dsa.lspci", profiles);
	snprintf(text, sizeof(text), "socket=/nowhere,profile=%s", path);
	assert_int_equal(knobs_parse(&knobs, &exerciser_model, text, 0, &error), 0);
	out = open_memstream(&said, &size);
	profile_describe(&knobs, out);
	fclose(out);
	assert_non_null(strstr(said, "ep0: 8086:0b25, class 088000, revision 00, of "));
	assert_non_null(strstr(said, "BAR 0     64 KiB, 64 bits, prefetchable: registers of "));
	assert_non_null(strstr(said, "MSI-X table at 0x6000, PBA at 0x6090"));
	assert_non_null(strstr(said, "BAR 2     128 KiB, 64 bits, prefetchable: reads 0"));
	assert_non_null(strstr(said, "0x160     TPH Requester (id 0x17): works"));
	assert_non_null(strstr(said, "TPH       modes nost ds, tags of 8 bits, table in the "
				     "capability, 2 entries, comes with control 0x102"));
	free(said);
	knobs_free(&knobs);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_cannot_be_read),
		cmocka_unit_test(texts_that_are_no_dump),
		cmocka_unit_test(spaces_that_make_no_sense),
		cmocka_unit_test(keys_that_the_profile_has),
		cmocka_unit_test_setup_teardown(binary_copy, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(what_is_left_out_is_not_found, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(second_one_of_a_kind_is_left_out, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(bars_are_the_devices, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(catalogue, fixture_setup, fixture_teardown),
		cmocka_unit_test(description),
	};
	int ret;

	if (argc != 2 || !mkdtemp(folder)) {
		fprintf(stderr, "usage: %s FOLDER-OF-PROFILES\n", argv[0]);
		return 2;
	}
	profiles = argv[1];
	snprintf(file, sizeof(file), "%s/file", folder);
	ret = cmocka_run_group_tests_name("profile", tests, NULL, NULL);
	unlink(file);
	rmdir(folder);
	return ret;
}
