// SPDX-License-Identifier: MIT
/*
 * What the operator writes and reads in tph/, what a neighbour in the group and bytes that may be an
 * ST table change, and the format of events.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

#define ECAP_TPH	0x17
#define SYSFS		"/sys/bus/pci/devices/"
#define FORMAT		"/sys/kernel/tracing/events/tph_vfio_pci/%s/format"
#define SET		VFIO_DEVICE_FEATURE_SET

/* The endpoints of the VM "operator" (tests/vm/run). */
#define EP_CAP		"0000:01:00.0"	/* 64 entries in the capability */
#define EP_PAIR		"0000:02:00.0"	/* ST table in MSI-X, and another function in the group */
#define EP_ALONE	"0000:03:00.0"	/* ST table in MSI-X */
#define EP_NO_TABLE	"0000:04:00.0"	/* no ST table, and nothing behind the capability */
#define EP_BELOW	"0000:07:00.0"	/* ST table in MSI-X, in one group with a switch's port */

static void assert_attribute(const char *bdf, const char *name, const char *expected)
{
	char text[256];

	guest_attribute(bdf, name, text, sizeof(text));
	assert_string_equal(text, expected);
}

/* Return: 0 or a negative errno. */
static int write_attribute(const char *bdf, const char *name, const void *text, size_t length)
{
	char path[128];
	ssize_t ret;
	int fd;

	snprintf(path, sizeof(path), SYSFS "%s/tph/%s", bdf, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ret = write(fd, text, length);
	ret = ret < 0 ? -errno : ret == (ssize_t)length ? 0 : -EPROTO;
	close(fd);
	return ret;
}

/* One word for everything that is no list of CPUs that there are, and the list stays as it was. */
static void lists_of_cpus(void **state)
{
	static const struct {
		const char *text;
		int ret;
		const char *after;
	} rows[] = {
		{ "0-3", 0, "0-3" },
		{ "1", 0, "1" },
		{ "1\n", 0, "1" },
		{ "0,2-3", 0, "0,2-3" },
		{ "3,1,1", 0, "1,3" },
		{ "0-1,1-2", 0, "0-2" },
		{ "2-2", 0, "2" },
		{ "003", 0, "3" },
		{ "\n", 0, "" },
		{ "0-2", 0, "0-2" },
		/* CPUs that there are not */
		{ "4", -EINVAL, "0-2" },
		{ "0-4", -EINVAL, "0-2" },
		{ "1,4", -EINVAL, "0-2" },
		{ "8191", -EINVAL, "0-2" },
		{ "4294967296", -EINVAL, "0-2" },
		{ "4294967297", -EINVAL, "0-2" },
		{ "18446744073709551616", -EINVAL, "0-2" },
		{ "99999999999999999999", -EINVAL, "0-2" },
		{ "0-99999999999999999999", -EINVAL, "0-2" },
		/* no lists */
		{ "a", -EINVAL, "0-2" },
		{ "0-3 x", -EINVAL, "0-2" },
		{ "1-", -EINVAL, "0-2" },
		{ "-1", -EINVAL, "0-2" },
		{ "-", -EINVAL, "0-2" },
		{ "3-1", -EINVAL, "0-2" },
		{ "0-1-2", -EINVAL, "0-2" },
		{ ",", -EINVAL, "0-2" },
		{ "1,", -EINVAL, "0-2" },
		{ "1,,2", -EINVAL, "0-2" },
		{ ",1", -EINVAL, "0-2" },
		{ "1,\n", -EINVAL, "0-2" },
		{ "1\n\n", -EINVAL, "0-2" },
		{ "1\n2", -EINVAL, "0-2" },
		{ " ", -EINVAL, "0-2" },
		{ "0 1", -EINVAL, "0-2" },
		{ " 1", -EINVAL, "0-2" },
		{ "+1", -EINVAL, "0-2" },
		{ "0x1", -EINVAL, "0-2" },
		{ "1.", -EINVAL, "0-2" },
		/* what the kernel's lists can mean elsewhere */
		{ "all", -EINVAL, "0-2" },
		{ "N", -EINVAL, "0-2" },
		{ "0-N", -EINVAL, "0-2" },
		{ "all:1/2", -EINVAL, "0-2" },
		{ "0-3:1/2", -EINVAL, "0-2" },
		{ "0-3:0/2", -EINVAL, "0-2" },
		{ "0-3:", -EINVAL, "0-2" },
	};
	size_t i;

	(void)state;
	guest_driver("policy=iv-st");
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("# list %zu\n", i);
		assert_int_equal(write_attribute(EP_CAP, "cpus", rows[i].text,
						 strlen(rows[i].text)), rows[i].ret);
		assert_attribute(EP_CAP, "tph/cpus", rows[i].after);
	}
	assert_int_equal(write_attribute(EP_CAP, "cpus", "1\0" "2", 3), -EINVAL);
	assert_int_equal(write_attribute(EP_CAP, "cpus", "1\0", 2), -EINVAL);
	assert_attribute(EP_CAP, "tph/cpus", "0-2");
}

/* A bad list takes nothing from a user, a good one what it leaves out. */
static void lists_and_entries(void **state)
{
	struct guest *g;

	(void)state;
	guest_driver("policy=iv-st");
	g = guest_open(EP_CAP);
	assert_int_equal(st_set(g, 0, 0, 2, (uint32_t[2]){ 0, 1 }), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(write_attribute(EP_CAP, "cpus", "0-3:0/2", 7), -EINVAL);
	assert_int_equal(write_attribute(EP_CAP, "cpus", ",", 1), -EINVAL);
	assert_int_equal(write_attribute(EP_CAP, "cpus", "4", 1), -EINVAL);
	assert_attribute(EP_CAP, "tph/targets", "0-1");
	assert_st(g, 0, TAG_VOLATILE_16(0), 16);
	assert_st(g, 1, TAG_VOLATILE_16(1), 16);
	/* nothing to take back */
	assert_int_equal(write_attribute(EP_CAP, "cpus", "0-2", 3), 0);
	assert_attribute(EP_CAP, "tph/revocations", "0");
	assert_int_equal(st_set_one(g, 2, 3), -EPERM);
	assert_int_equal(write_attribute(EP_CAP, "cpus", "1-3", 3), 0);
	assert_attribute(EP_CAP, "tph/targets", "1");
	assert_attribute(EP_CAP, "tph/revocations", "1");
	assert_st(g, 0, 0, 16);
	assert_st(g, 1, TAG_VOLATILE_16(1), 16);
	assert_int_equal(write_attribute(EP_CAP, "cpus", "\n", 1), 0);
	assert_st(g, 1, 0, 16);
	assert_attribute(EP_CAP, "tph/steering", "no-cpus");
	guest_close(g);
}

/* What a tenant does is for root; what there is, for anybody. */
static void who_may_read(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
	} rows[] = {
		{ "policy", 0644 }, { "cpus", 0644 }, { "steering", 0444 }, { "targets", 0400 },
		{ "requester", 0400 }, { "revocations", 0400 },
	};
	struct stat status;
	char path[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		snprintf(path, sizeof(path), SYSFS EP_CAP "/tph/%s", rows[i].name);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 07777, rows[i].mode);
	}
	/* not a completer */
	assert_int_not_equal(access(SYSFS EP_CAP "/tph/publish", F_OK), 0);
}

/* Programs that read the format do not know the names of an enum. */
static void events_tell_reasons_by_number(void **state)
{
	static const char * const events[] = { "tph_refuse", "tph_revoke" };
	static char text[8192];
	char path[128];
	size_t i, length;
	FILE *file;

	(void)state;
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), FORMAT, events[i]);
		file = fopen(path, "re");
		assert_non_null(file);
		length = fread(text, 1, sizeof(text) - 1, file);
		text[length] = '\0';
		fclose(file);
		assert_non_null(strstr(text, "{ 0, \"not-offered\" }"));
		assert_non_null(strstr(text, "\"too-many-processes\" }"));
		assert_null(strstr(text, "TPH_REASON"));
	}
}

/* A table in MSI-X, where a neighbour can write it, and where only a bridge is in the group. */
static void neighbours_in_the_group(void **state)
{
	static const struct {
		const char *policy, *bdf, *word;
		int ret;
		uint32_t modes;
	} rows[] = {
		{ "no-st", EP_PAIR, "policy", -EPERM, TPH_CAP_NO_ST },
		{ "no-st", EP_ALONE, "policy", -EPERM, TPH_CAP_NO_ST },
		{ "iv-st", EP_PAIR, "group-neighbour", -EPERM, TPH_CAP_NO_ST },
		{ "iv-st", EP_ALONE, "possible", 0, TPH_CAP_NO_ST | TPH_CAP_IV },
		{ "iv-st", EP_BELOW, "possible", 0, TPH_CAP_NO_ST | TPH_CAP_IV },
		{ "ds-st", EP_PAIR, "possible", 0, TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_DS },
		{ "ds-st", EP_ALONE, "possible", 0, TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_DS },
	};
	uint32_t capability, want;
	struct guest *g;
	size_t i;

	(void)state;
	/* the premise */
	guest_command("[ $(ls " SYSFS EP_PAIR "/iommu_group/devices | grep -c '^0000:02:00') = 2 ]");
	guest_command("[ $(ls " SYSFS EP_BELOW "/iommu_group/devices | wc -l) -ge 2 ]");
	guest_command("[ $(ls " SYSFS EP_ALONE "/iommu_group/devices | wc -l) = 1 ]");
	guest_driver("policy=iv-st");
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *bdf = rows[i].bdf;

		print_message("# %s %s\n", rows[i].policy, bdf);
		assert_int_equal(write_attribute(bdf, "policy", rows[i].policy, 5), 0);
		assert_attribute(bdf, "tph/steering", rows[i].word);
		g = guest_open(bdf);
		assert_attribute(bdf, "tph/steering", rows[i].word);
		assert_int_equal(st_probe(g, SET), rows[i].ret);
		assert_int_equal(st_set_one(g, 0, 1), rows[i].ret);
		capability = guest_config(g, guest_extended(g, ECAP_TPH) + TPH_CAP, 4);
		assert_int_equal(capability & 7, rows[i].modes);
		assert_int_equal(capability & TPH_CAP_LOCATION,
				 rows[i].modes & TPH_CAP_IV ? TPH_CAP_IN_MSIX : 0);
		guest_vectors(g, 1);
		control(g, TPH_CTRL_IV | TPH_CTRL_16);
		want = rows[i].modes & TPH_CAP_IV ? TPH_CTRL_IV | TPH_CTRL_16 : 0;
		assert_int_equal(control_read(g), want);
		assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), want);
		if (want)
			assert_st(g, 0, TAG_VOLATILE_16(1), 16);
		else
			assert_plain(g, 0);
		/* hints without tags are open to all */
		control(g, TPH_CTRL_16);
		assert_st(g, 0, 0, 16);
		guest_close(g);
	}
}

/* Accesses of the user's to @at that the function saw. */
static void count_accesses(struct guest *g, unsigned int at, uint32_t *reads, uint32_t *writes)
{
	uint32_t read_before, written_before;

	guest_register_write(g, EP_COUNT_SELECT, at);
	read_before = guest_register(g, EP_COUNT_CFG_READS);
	written_before = guest_register(g, EP_COUNT_CFG_WRITES);
	guest_config_write(g, at, 4, 0x22222222);
	assert_int_equal(guest_config(g, at, 4), 0);
	guest_config_write(g, at + 1, 2, 0x2222);
	guest_config_write(g, at + 3, 1, 0x22);
	*reads = guest_register(g, EP_COUNT_CFG_READS) - read_before;
	*writes = guest_register(g, EP_COUNT_CFG_WRITES) - written_before;
}

/*
 * Behind the capability of a function that claims no table, as far as one could be there. This
 * function ignores what it is written; whether it is written is counted.
 */
static void bytes_that_may_be_a_table(void **state)
{
	static const char * const policies[] = { "no-st", "iv-st", "ds-st" };
	uint32_t reads, writes;
	unsigned int i, at;
	struct guest *g;

	(void)state;
	guest_driver("policy=iv-st");
	for (i = 0; i < 3; i++) {
		assert_int_equal(write_attribute(EP_NO_TABLE, "policy", policies[i], 5), 0);
		g = guest_open(EP_NO_TABLE);
		for (at = TPH_TABLE; at < TPH_TABLE + 128; at += 4) {
			count_accesses(g, g->cap + at, &reads, &writes);
			if (i < 2) {
				assert_int_equal(reads, 0);
				assert_int_equal(writes, 0);
			} else {
				/* a user who is trusted with any tag has what stock vfio-pci gives */
				assert_int_not_equal(writes, 0);
			}
		}
		/* and what is further away is nobody's business */
		count_accesses(g, g->cap + TPH_TABLE + 128, &reads, &writes);
		assert_int_not_equal(writes, 0);
		guest_close(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_cpus),
		cmocka_unit_test(lists_and_entries),
		cmocka_unit_test(who_may_read),
		cmocka_unit_test(events_tell_reasons_by_number),
		cmocka_unit_test(neighbours_in_the_group),
		cmocka_unit_test(bytes_that_may_be_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
