// SPDX-License-Identifier: MIT
/* What --function accepts, and how it says no. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keys.h"
#include "models/exerciser.h"
#include "pcie/tph.h"

#define SOCKET	"socket=/tmp/s"
#define PCAP	"/proc/self/fd/99" /* make_pcap() puts a file there */
#define PCAP_FD 99

/* What its model has of the function */
static const struct queues *queues_of(const struct knobs *knobs)
{
	const struct exerciser *exerciser = knobs->model_state;

	return &exerciser->queues;
}

/* The error must name the key and the value, and say what is allowed. */
static void bad_values_are_explained(void **state)
{
	static const struct {
		const char *text, *key, *why;
	} bad[] = {
		{ "", "an empty item", "not KEY=VALUE" },
		{ "name=x", "socket", "missing" },
		{ "socket=", "socket=", "empty" },
		{ SOCKET ",", "an empty item", "not KEY=VALUE" },
		{ SOCKET ",flr", "flr", "not KEY=VALUE" },
		{ SOCKET ",colour=red", "colour=red", "unknown key; known are socket, name, rid" },
		{ SOCKET ",flr=on,flr=on", "flr=on", "given twice" },
		{ SOCKET ",flr=yes", "flr=yes", "not one of on, off" },
		{ SOCKET ",nsr=1", "nsr=1", "not one of on, off" },
		{ SOCKET ",tph=", "tph=", "not one of on, off" },
		{ SOCKET ",rid=1:0.0", "rid=1:0.0", "not BB:DD.F" },
		{ SOCKET ",rid=-1:02.3", "rid=-1:02.3", "not BB:DD.F" },
		{ SOCKET ",rid=+1:02.3", "rid=+1:02.3", "not BB:DD.F" },
		{ SOCKET ",rid= 1:02.3", "rid= 1:02.3", "not BB:DD.F" },
		{ SOCKET ",rid=0x:02.3", "rid=0x:02.3", "not BB:DD.F" },
		{ SOCKET ",rid=01:02.", "rid=01:02.", "not BB:DD.F" },
		{ SOCKET ",name=a\xff", "name", "byte 1 is not of a character" },
		{ SOCKET ",name=\x1b[31m", "name", "byte 0 is not" },
		{ SOCKET ",name=a\nb", "name", "byte 1 is not" },
		{ SOCKET ",name=a\xc0\xaf", "name", "byte 1 is not" },
		{ SOCKET ",name=\xed\xa0\x80", "name", "byte 0 is not" },
		{ SOCKET ",name=\xf4\x90\x80\x80", "name", "byte 0 is not" },
		{ SOCKET ",name=ab\xc3", "name", "byte 2 is not" },
		{ SOCKET ",name=\xc2\x9b", "name", "byte 0 is not" },
		{ SOCKET ",rid=01:20.0", "rid=01:20.0", "not BB:DD.F" },
		{ SOCKET ",rid=01:00.8", "rid=01:00.8", "not BB:DD.F" },
		{ SOCKET ",rid=01:00.0x", "rid=01:00.0x", "not BB:DD.F" },
		{ SOCKET ",st-table=bar", "st-table=bar", "not one of cap, msix, none" },
		{ SOCKET ",entries=0", "entries=0", "from 1 to 2048" },
		{ SOCKET ",entries=-1", "entries=-1", "from 1 to 2048" },
		{ SOCKET ",entries=2049", "entries=2049", "from 1 to 2048" },
		{ SOCKET ",entries=1x", "entries=1x", "from 1 to 2048" },
		{ SOCKET ",entries=65", "entries=65", "1 to 64" },
		{ SOCKET ",st-table=none,entries=1", "entries=1", "no ST table" },
		{ SOCKET ",st-table=msix,entries=9,vectors=8", "entries=9", "vectors=8" },
		{ SOCKET ",st-table=msix,vectors=0", "st-table=msix", "needs MSI-X" },
		{ SOCKET ",vectors=2049", "vectors=2049", "from 0 to 2048" },
		{ SOCKET ",vectors=99999999999999999999", "vectors=99999999999999999999", "2048" },
		{ SOCKET ",modes=", "modes=", "not one of nost, iv, ds" },
		{ SOCKET ",modes=iv+", "modes=", "not one of nost, iv, ds" },
		{ SOCKET ",modes=iv+ds+iv", "modes=iv", "iv is named twice" },
		{ SOCKET ",modes=none+iv", "modes=none", "not one of nost, iv, ds" },
		{ SOCKET ",claim=0", "claim=0", "from 1 to 2048" },
		{ SOCKET ",claim=2049", "claim=2049", "from 1 to 2048" },
		{ SOCKET ",st-table=none,claim=1", "claim=1", "no ST table" },
		{ SOCKET ",tph-size=0", "tph-size=0", "multiple of 4" },
		{ SOCKET ",tph-size=142", "tph-size=142", "multiple of 4" },
		{ SOCKET ",tph-size=136", "tph-size=0x88", "has 140 bytes" },
		{ SOCKET ",entries=1,tph-at=0xff0,tph-size=20", "tph-at=0xff0",
		  "0xfec is the highest" },
		{ SOCKET ",control=0x100000000", "control=0x100000000", "0 to 0xffffffff" },
		{ SOCKET ",control=0x400", "control=0x400", "only the bits 0x307" },
		{ SOCKET ",width=8,control=0x301", "control=0x301", "only the bits 0x107" },
		{ SOCKET ",modes=nost,st-table=none,control=0x101", "control=0x101", "bits 0x300" },
		{ SOCKET ",tph=off,control=0x101", "control=0x101", "no TPH capability" },
		{ SOCKET ",tags=", "tags=", "0 to 0xffff" },
		{ SOCKET ",tags=1+65536", "tags=65536", "0 to 0xffff" },
		{ SOCKET ",width=8,tags=0x100", "tags=0x100", "8 bits" },
		{ SOCKET ",entries=1,tags=1+2", "tags", "2 of them, but entries=1" },
		{ SOCKET ",st-table=msix,tags=1", "tags", "no ST table in the capability" },
		{ SOCKET ",tph=off,tags=1", "tags", "no ST table in the capability" },
		{ SOCKET ",preset=flr", "preset=flr", "not one of power-on, reset" },
		{ SOCKET ",preset=reset", "preset=reset", "nothing to set" },
		{ SOCKET ",vsec=0x200", "vsec=0x200", "not AT:SIZE" },
		{ SOCKET ",vsec=0x200:8", "vsec=0x200:8", "from 12 up" },
		{ SOCKET ",vsec=0x200:14", "vsec=0x200:14", "multiples of 4" },
		{ SOCKET ",vsec=0x202:16", "vsec=0x202:16", "multiples of 4" },
		{ SOCKET ",vsec=0x108:16", "vsec=0x108:16", "from 0x10c" },
		{ SOCKET ",vsec=0xff0:20", "vsec=0xff0:20", "end by 0x1000" },
		{ SOCKET ",aer=on,vsec=0xfb0:12", "vsec=0xfb0:12", "take 0xfb8 and up" },
		{ SOCKET ",vsec=0x198:12", "vsec=0x198:12", "TPH is at 0x110 to 0x19b" },
		{ SOCKET ",vsec=0x10c:12", "vsec=0x10c:12", "TPH is at" },
		{ SOCKET ",tph-at=0x100,vsec=0x190:12", "vsec=0x190:12", "Serial Number" },
		{ SOCKET ",vsec=0x200:16+0x20c:12", "vsec=0x20c:12", "another one is at 0x200:16" },
		{ SOCKET ",vsec=0x200:16+0x220:16+0x240:16+0x260:16+0x280:16", "vsec=", "than 4" },
		{ SOCKET ",chain-first=aer", "chain-first=aer", "not one of tph, vsec" },
		{ SOCKET ",chain-first=vsec", "chain-first=vsec", "needs" },
		{ SOCKET ",chain-first=vsec,vsec=0x200:16,tph=off", "chain-first=vsec", "needs" },
		{ SOCKET ",chain-first=vsec,vsec=0x200:16,tph-at=0x100", "chain-first=vsec",
		  "tph-at=0x100" },
		{ SOCKET ",modes=nost+iv,st-table=none", "modes=iv", "needs an ST table" },
		{ SOCKET ",width=12", "width=12", "not one of 8, 16" },
		{ SOCKET ",completer=2", "completer=2", "not one of none, 8, 16, reserved" },
		{ SOCKET ",tph-at=0xff", "tph-at=0xff", "multiple of 4 from 0x100" },
		{ SOCKET ",tph-at=0x112", "tph-at=0x112", "multiple of 4" },
		{ SOCKET ",tph-at=0x1000", "tph-at=0x1000", "multiple of 4" },
		{ SOCKET ",tph-at=0x108", "tph-at=0x108", "Device Serial Number" },
		{ SOCKET ",tph-at=0xf78", "tph-at=0xf78", "0xf74 is the highest" },
		{ SOCKET ",aer=on,tph-at=0xf30", "tph-at=0xf30",
		  "0xf2c is the highest with aer=on" },
		{ SOCKET ",af=1", "af=1", "not one of on, off" },
		{ SOCKET ",pasid=on,tph-at=0xf28", "tph-at=0xf28",
		  "0xf24 is the highest with pasid=on" },
		{ SOCKET ",pasid=1", "pasid=1", "not one of on, off" },
		{ SOCKET ",aer=1", "aer=1", "not one of on, off" },
		{ SOCKET ",msix-bar=6", "msix-bar=6", "from 0 to 5" },
		{ SOCKET ",msix-offset=0x1004", "msix-offset=0x1004", "multiple of 8" },
		{ SOCKET ",msix-offset=0x10000", "msix-offset=0x10000", "to 0xfff8" },
		{ SOCKET ",pba-offset=0x1004", "pba-offset=0x1004", "multiple of 8" },
		{ SOCKET ",pba-offset=0x10000", "pba-offset=0x10000", "to 0xfff8" },
		{ SOCKET ",msix-offset=0xff08", "msix-offset=0xff08", "beyond the BAR's 0x10000" },
		{ SOCKET ",vectors=65,pba-offset=0xfff8", "pba-offset=0xfff8", "ends at 0x10008" },
		{ SOCKET ",vectors=256,pba-offset=0xff8", "msix-offset=0x0", "the PBA is at 0xff8" },
		{ SOCKET ",msix-bar=0,pba-offset=0x5ff8", "pba-offset=0x5ff8", "below 0x6000" },
		{ SOCKET ",msix-size=2K", "msix-size=2K", "4K to 64K" },
		{ SOCKET ",msix-size=12K", "msix-size=12K", "power of two" },
		{ SOCKET ",msix-size=128K", "msix-size=128K", "4K to 64K" },
		{ SOCKET ",msix-bar=0,msix-size=8K", "msix-size=0x2000", "no BAR" },
		{ SOCKET ",vectors=0,msix-size=8K", "msix-size=0x2000", "no BAR" },
		{ SOCKET ",msix-size=8K,vectors=512", "msix-offset=0x0", "the PBA is at 0x1e00" },
		{ SOCKET ",msix-size=8K,msix-offset=0x1f08", "msix-offset=0x1f08", "0x2000" },
		{ SOCKET ",msix-bar=0,msix-offset=0x5ff8", "msix-offset=0x5ff8", "below 0x6000" },
		{ SOCKET ",msix-offset=0xef08", "msix-offset=0xef08", "ends at 0xf008" },
		{ SOCKET ",vectors=2048,msix-offset=0x7008", "msix-offset=0x7008", "2048 entries" },
		{ SOCKET ",memory-bar=0", "memory-bar=0", "not one of 2, 4" },
		{ SOCKET ",memory-bar=4", "memory-bar=4", "the MSI-X table is there; use 2" },
		{ SOCKET ",memory-bar=2,msix-bar=3", "memory-bar=2", "use 4" },
		{ SOCKET ",memory-bar=4,msix-bar=5", "memory-bar=4", "the MSI-X table is there" },
		{ SOCKET ",memory-size=64K", "memory-size=0x10000", "without memory-bar" },
		{ SOCKET ",memory-bar=2,memory-size=", "memory-size=", "4K to 16M" },
		{ SOCKET ",memory-bar=2,memory-size=K", "memory-size=K", "4K to 16M" },
		{ SOCKET ",memory-bar=2,memory-size=2K", "memory-size=2K", "4K to 16M" },
		{ SOCKET ",memory-bar=2,memory-size=32M", "memory-size=32M", "4K to 16M" },
		{ SOCKET ",memory-bar=2,memory-size=12K", "memory-size=12K", "power of two" },
		{ SOCKET ",memory-bar=2,memory-size=4k", "memory-size=4k", "power of two" },
		{ SOCKET ",queues=17", "queues=17", "from 0 to 16" },
		{ SOCKET ",queues=", "queues=", "from 0 to 16" },
		{ SOCKET ",queues=-1", "queues=-1", "from 0 to 16" },
		{ SOCKET ",queues=1,packets=", "packets=", "No such file" },
		{ SOCKET ",queues=1,packets=/nowhere/x", "packets=/nowhere/x", "No such file" },
		{ SOCKET ",queues=1,packets=/dev/null", "packets=/dev/null", "regular file" },
		{ SOCKET ",packets=" PCAP, "packets", "no queue to receive them" },
		{ SOCKET ",queues=0,packets=" PCAP, "packets", "no queue to receive them" },
		{ SOCKET ",queues=1,sent=", "sent=", "not the path of a file" },
		{ SOCKET ",sent=/tmp/x", "sent=/tmp/x", "no queue to transmit packets" },
		{ SOCKET ",queues=0,sent=/tmp/x", "sent=/tmp/x", "no queue to transmit packets" },
		{ SOCKET ",queues=1,packets=" PCAP ",flr=x", "flr=x", "not one of on, off" },
		{ SOCKET ",queues=1,latch=", "latch=", "not one of none, ring, entry" },
		{ SOCKET ",queues=1,latch=rings", "latch=rings", "not one of none, ring, entry" },
		{ SOCKET ",latch=ring", "latch", "no queue to take tags" },
		{ SOCKET ",p2p=1", "p2p=1", "not one of on, off" },
		{ SOCKET ",config=0xfc", "config=0xfc", "not AT:VALUE" },
		{ SOCKET ",config=:1", "config=:1", "not AT:VALUE" },
		{ SOCKET ",config=0xac:1", "config=0xac:1", "from 0xb0 to 0xfc" },
		{ SOCKET ",config=0xb2:1", "config=0xb2:1", "from 0xb0 to 0xfc" },
		{ SOCKET ",config=0x100:1", "config=0x100:1", "from 0xb0 to 0xfc" },
		{ SOCKET ",config=0xfc:0x100000000", "config=0xfc:0x100000000", "32 bits" },
		{ SOCKET ",vendor=0xffff", "vendor=0xffff", "0 to 0xfffe" },
		{ SOCKET ",device=65536", "device=65536", "0 to 0xffff" },
		{ SOCKET ",class=0x1000000", "class=0x1000000", "0 to 0xffffff" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct knobs knobs;
		char *error = NULL;

		if (!knobs_parse(&knobs, &exerciser_model, bad[i].text, 0, &error))
			fail_msg("'%s' was accepted", bad[i].text);
		if (strncmp(error, bad[i].key, strlen(bad[i].key)) || !strstr(error, bad[i].why))
			fail_msg("'%s' was refused by '%s'", bad[i].text, error);
		free(error);
	}
}

static void long_socket_path_is_refused(void **state)
{
	char text[200] = "socket=/";
	struct knobs knobs;
	char *error = NULL;

	(void)state;
	memset(text + 8, 'x', 107);
	assert_int_equal(knobs_parse(&knobs, &exerciser_model, text, 0, &error), -1);
	assert_non_null(strstr(error, "107 bytes"));
	free(error);
	text[8 + 106] = '\0';
	assert_int_equal(knobs_parse(&knobs, &exerciser_model, text, 0, &error), 0);
	knobs_free(&knobs);
}

static struct knobs parse(const char *text)
{
	struct knobs knobs;
	char *error = NULL;

	if (knobs_parse(&knobs, &exerciser_model, text, 7, &error))
		fail_msg("'%s' was refused: %s", text, error);
	return knobs;
}

static void defaults_are_those_of_the_manual(void **state)
{
	struct knobs knobs = parse(SOCKET);

	(void)state;
	assert_string_equal(knobs.socket, "/tmp/s");
	assert_string_equal(knobs.name, "ep7");
	assert_int_equal(knobs.rid, 0);
	assert_true(knobs.tph);
	assert_int_equal(knobs.tph_at, 0x110);
	assert_int_equal(knobs.table, ST_TABLE_CAPABILITY);
	assert_int_equal(knobs.entries, 64);
	assert_int_equal(knobs.modes, 7);
	assert_int_equal(knobs.width, 16);
	assert_int_equal(knobs.completer, 0);
	assert_int_equal(knobs.vectors, 16);
	assert_true(knobs.flr);
	assert_false(knobs.af);
	assert_false(knobs.aer);
	assert_int_equal(knobs.claim, 64);
	assert_int_equal(tph_size(&knobs), 140);
	assert_int_equal(knobs.control, 0);
	assert_int_equal(knobs.tag_count, 0);
	assert_false(knobs.preset_always);
	assert_int_equal(knobs.vsec_count, 0);
	assert_false(knobs.vsec_first);
	assert_int_equal(knobs.msix_bar, 4);
	assert_int_equal(knobs.msix_size, 0x10000);
	assert_int_equal(knobs.pba_at, 0xf000);
	assert_false(knobs.pasid);
	assert_true(knobs.no_soft_reset);
	assert_int_equal(queues_of(&knobs)->count, 0);
	assert_null(queues_of(&knobs)->packets.file);
	assert_null(knobs.sent);
	knobs_free(&knobs);
}

static void every_key_takes_effect(void **state)
{
	struct knobs knobs = parse(
		"name=nic,rid=a1:1f.7,st-table=msix,entries=2048,modes=ds+nost,"
		"width=8,completer=reserved,flr=off,af=on,aer=on,pasid=on,nsr=off,tph=off,tph-at=0x100,"
		"vendor=0x8086,device=0x10fb,class=0x020000,packets=" PCAP
		",queues=16,sent=/tmp/sent,config=0xfc:0x12345678," SOCKET);

	(void)state;
	assert_string_equal(knobs.name, "nic");
	assert_int_equal(knobs.rid, 0xa1ff);
	assert_int_equal(knobs.table, ST_TABLE_MSIX);
	assert_int_equal(knobs.entries, 2048);
	assert_int_equal(knobs.vectors, 2048);
	assert_int_equal(knobs.modes, 5);
	assert_int_equal(knobs.width, 8);
	assert_int_equal(knobs.completer, 2);
	assert_false(knobs.flr);
	assert_true(knobs.af);
	assert_true(knobs.aer);
	assert_true(knobs.pasid);
	assert_false(knobs.no_soft_reset);
	assert_false(knobs.tph);
	assert_int_equal(knobs.tph_at, 0x100);
	assert_int_equal(knobs.vendor, 0x8086);
	assert_int_equal(knobs.device, 0x10fb);
	assert_int_equal(knobs.class_code, 0x020000);
	assert_int_equal(queues_of(&knobs)->count, 16);
	assert_int_equal(queues_of(&knobs)->packets.count, 1);
	assert_string_equal(knobs.sent, "/tmp/sent");
	assert_int_equal(knobs.extra_at, 0xfc);
	assert_int_equal(knobs.extra_value, 0x12345678);
	knobs_free(&knobs);
}

static void every_key_for_odd_devices_takes_effect(void **state)
{
	struct knobs knobs =
		parse("entries=2,claim=64,modes=none,tph-at=0x160,tph-size=0x8c,control=0x102,"
		      "tags=0x1101+0x1102,preset=reset,vsec=0x300:16+0x200:12,chain-first=vsec,"
		      "msix-bar=2,msix-size=8K,msix-offset=0x1000,pba-offset=0x1fc0," SOCKET);

	(void)state;
	assert_int_equal(knobs.entries, 2);
	assert_int_equal(knobs.claim, 64);
	assert_int_equal(tph_entries(&knobs), 64);
	assert_int_equal(knobs.modes, 0);
	assert_int_equal(tph_used(&knobs), 16);
	assert_int_equal(tph_size(&knobs), 0x8c);
	assert_int_equal(knobs.control, 0x102);
	assert_int_equal(knobs.tag_count, 2);
	assert_int_equal(knobs.tags[1], 0x1102);
	assert_true(knobs.preset_always);
	assert_int_equal(knobs.vsec_count, 2);
	assert_int_equal(knobs.vsecs[0].at, 0x300);
	assert_int_equal(knobs.vsecs[1].size, 12);
	assert_true(knobs.vsec_first);
	assert_int_equal(knobs.msix_bar, 2);
	assert_int_equal(knobs.msix_size, 0x2000);
	assert_int_equal(knobs.msix_at, 0x1000);
	assert_int_equal(knobs.pba_at, 0x1fc0);
	knobs_free(&knobs);
	/* a claim beyond the MSI-X table reaches nothing that could be a tag */
	knobs = parse(SOCKET ",st-table=msix,vectors=4,claim=2048");
	assert_int_equal(tph_entries(&knobs), 4);
	knobs_free(&knobs);
}

static void table_follows_from_what_is_given(void **state)
{
	struct knobs knobs = parse(SOCKET ",st-table=msix,vectors=32");

	(void)state;
	assert_int_equal(knobs.entries, 32);
	knobs_free(&knobs);
	knobs = parse(SOCKET ",st-table=msix,entries=3,vectors=32");
	assert_int_equal(knobs.entries, 3);
	assert_int_equal(knobs.vectors, 32);
	knobs_free(&knobs);
	knobs = parse(SOCKET ",st-table=none");
	assert_int_equal(knobs.entries, 0);
	assert_int_equal(knobs.modes, 5);
	assert_int_equal(tph_size(&knobs), 12);
	knobs_free(&knobs);
	knobs = parse(SOCKET ",vectors=2048,msix-bar=0");
	assert_int_equal(knobs.msix_bar, 0);
	assert_int_equal(knobs.msix_at, 0x6000);
	knobs_free(&knobs);
	knobs = parse(SOCKET ",vectors=2048,msix-offset=0x7000");
	assert_int_equal(knobs.msix_bar, 4);
	assert_int_equal(knobs.msix_at, 0x7000);
	knobs_free(&knobs);
	knobs = parse(SOCKET ",entries=1,tph-at=0xff0");
	assert_int_equal(tph_size(&knobs), 16);
	knobs_free(&knobs);
}

/* A pcap file with one packet of one byte; it has no name to be left behind. */
static void make_pcap(void)
{
	const uint32_t words[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1, 0, 0, 1, 1 };
	int fd = memfd_create("pcap", MFD_CLOEXEC);

	if (write(fd, words, sizeof(words)) != sizeof(words) || write(fd, "x", 1) != 1 ||
	    dup2(fd, PCAP_FD) < 0)
		abort();
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_values_are_explained),
		cmocka_unit_test(long_socket_path_is_refused),
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(every_key_takes_effect),
		cmocka_unit_test(every_key_for_odd_devices_takes_effect),
		cmocka_unit_test(table_follows_from_what_is_given),
	};

	make_pcap();
	return cmocka_run_group_tests_name("knobs", tests, NULL, NULL);
}
