// SPDX-License-Identifier: MIT
/* What each policy and each platform lets a user do: PROBE, capability, SET, GET, modes, TLPs. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "guest.h"

#define ECAP_TPH	0x17
#define SET		VFIO_DEVICE_FEATURE_SET
#define GET		VFIO_DEVICE_FEATURE_GET
#define SIZE(n)		(((uint32_t)(n) - 1) << TPH_CAP_SIZE_SHIFT)
#define CAPABILITY(n)	(TPH_CAP_IN_CAPABILITY | SIZE(n))
#define MSIX(n)		(TPH_CAP_IN_MSIX | SIZE(n))

/* One row: what a device offers under a policy. */
struct row {
	const char *policy, *bdf;
	int probe;		/* PROBE of SET, and SET itself */
	int get;		/* GET of tags */
	uint32_t capability;	/* the virtual capability register, 0 if hidden */
};

static const struct row rows[] = {
	{ "no-st", EP_CAPABILITY, -EPERM, -EPERM, TPH_CAP_NO_ST | TPH_CAP_EXTENDED },
	{ "no-st", EP_MSIX, -EPERM, -EPERM, TPH_CAP_NO_ST | TPH_CAP_EXTENDED },
	{ "no-st", EP_TABLELESS, -EPERM, -EPERM, TPH_CAP_NO_ST | TPH_CAP_EXTENDED },
	{ "no-st", EP_PLAIN, -EOPNOTSUPP, -EOPNOTSUPP, 0 },
	{ "no-st", EP_UNHEARD, -EOPNOTSUPP, -EOPNOTSUPP, 0 },
	{ "iv-st", EP_CAPABILITY, 0, -EPERM,
	  TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_EXTENDED | CAPABILITY(64) },
	{ "iv-st", EP_MSIX, 0, -EPERM, TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_EXTENDED | MSIX(16) },
	{ "iv-st", EP_TABLELESS, -EPERM, -EPERM, TPH_CAP_NO_ST | TPH_CAP_EXTENDED },
	{ "iv-st", EP_PLAIN, -EOPNOTSUPP, -EOPNOTSUPP, 0 },
	{ "iv-st", EP_FIRST, 0, -EPERM, TPH_CAP_NO_ST | TPH_CAP_IV | CAPABILITY(5) },
	{ "iv-st", EP_UNHEARD, -EOPNOTSUPP, -EOPNOTSUPP, 0 },
	{ "iv-st", EP_RESERVED, -EOPNOTSUPP, -EOPNOTSUPP, 0 },
	{ "iv-st", EP_NARROW, 0, -EPERM, TPH_CAP_NO_ST | TPH_CAP_IV | CAPABILITY(64) },
	{ "iv-st", EP_INTEGRATED, 0, -EPERM,
	  TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_EXTENDED | CAPABILITY(64) },
	{ "ds-st", EP_CAPABILITY, 0, 0,
	  TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_DS | TPH_CAP_EXTENDED | CAPABILITY(64) },
	{ "ds-st", EP_MSIX, 0, 0,
	  TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_DS | TPH_CAP_EXTENDED | MSIX(16) },
	{ "ds-st", EP_TABLELESS, 0, 0, TPH_CAP_NO_ST | TPH_CAP_DS | TPH_CAP_EXTENDED },
	{ "ds-st", EP_PLAIN, -EOPNOTSUPP, -EOPNOTSUPP, 0 },
	{ "ds-st", EP_FIRST, 0, 0, TPH_CAP_NO_ST | TPH_CAP_IV | CAPABILITY(5) },
	{ "ds-st", EP_UNHEARD, -EOPNOTSUPP, -EOPNOTSUPP, 0 },
	{ "ds-st", EP_RESERVED, -EOPNOTSUPP, -EOPNOTSUPP, 0 },
	{ "ds-st", EP_NARROW, 0, 0,
	  TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_DS | CAPABILITY(64) },
	{ "ds-st", EP_INTEGRATED, 0, 0,
	  TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_DS | TPH_CAP_EXTENDED | CAPABILITY(64) },
};

static void check_row(const struct row *row)
{
	struct guest *g = guest_open(row->bdf);
	uint16_t cap = guest_extended(g, ECAP_TPH);
	uint32_t tag = 0, cpu = 0, mode, width;

	print_message("# %s %s\n", row->policy, row->bdf);
	assert_int_equal(st_probe(g, 0), row->probe);
	assert_int_equal(st_probe(g, SET), row->probe);
	assert_int_equal(st_probe(g, SET | GET), row->probe);
	assert_int_equal(st_probe(g, GET), row->probe == -EPERM ? 0 : row->probe);
	assert_int_equal(st_set_one(g, 0, 1), row->probe);
	assert_int_equal(st_get(g, 0, 0, 1, &tag), row->get);
	/* which CPU an entry holds can be read under every policy */
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, 1, &cpu), st_probe(g, GET));
	if (!st_probe(g, GET))
		assert_int_equal(cpu, row->probe ? VFIO_TPH_CPU_NONE : 1);
	assert_int_equal(cap ? guest_config(g, cap + TPH_CAP, 4) : 0, row->capability);
	if (!cap) {
		guest_close(g);
		return;
	}

	/* every mode and width that there is: taken if offered, else not at all */
	for (mode = 0; mode < 8; mode++)
		for (width = 1; width <= 3; width += 2) {
			uint32_t want = mode | (width == 3 && !(row->capability & TPH_CAP_EXTENDED) ?
							1 : width) << 8;

			control(g, 0);
			control(g, mode | width << 8);
			if (!(row->capability & 1u << mode & 7))
				want = 0;
			assert_int_equal(control_read(g), want);
			assert_int_equal(guest_raw(g, cap + TPH_CTRL, 4), want);
			if (!want) {
				assert_plain(g, 0);
			} else if (mode == 0) {
				assert_st(g, 0, 0, want >> 8 == 3 ? 16u : 8u);
			}
		}
	guest_close(g);
}

static void matrix(void **state)
{
	const char *policy = *state;
	char parameters[32];
	size_t i;

	snprintf(parameters, sizeof(parameters), "policy=%s", policy);
	guest_driver(parameters);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!strcmp(rows[i].policy, policy))
			check_row(&rows[i]);
}

static void a_narrow_completer_gets_narrow_tags(void **state)
{
	struct guest *g;

	(void)state;
	guest_driver("policy=iv-st");
	g = guest_open(EP_NARROW);
	assert_int_equal(st_set_one(g, 5, 2), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 5, TAG_VOLATILE_8(2), 8);
	guest_close(g);
}

/* A device without a table: its driver reads the tag and hands it to the device. */
static void device_specific_without_a_table(void **state)
{
	static const uint32_t cpus[3] = { 2, VFIO_TPH_CPU_NONE, 1 };
	uint32_t tags[3], tags8[3];
	struct tlp tlp;
	struct guest *g;

	(void)state;
	guest_driver("policy=ds-st");
	g = guest_open(EP_TABLELESS);
	assert_int_equal(st_set(g, 0, 2045, 4, (uint32_t[4]){ 0 }), -EINVAL);
	assert_int_equal(st_set(g, 0, 2045, 3, cpus), 0);
	assert_int_equal(st_get(g, VFIO_TPH_ST_EXT, 2045, 3, tags), 0);
	assert_int_equal(st_get(g, 0, 2045, 3, tags8), 0);
	assert_int_equal(tags[0], TAG_VOLATILE_16(2));
	assert_int_equal(tags[1], 0);
	assert_int_equal(tags[2], TAG_VOLATILE_16(1));
	assert_int_equal(tags8[0], TAG_VOLATILE_8(2));

	control(g, TPH_CTRL_DS | TPH_CTRL_16);
	tlp = guest_dma(g, EP_DMA_WRITE, hint_tag(tags[0], 3));
	assert_int_equal(tlp.th, 1);
	assert_int_equal(tlp.ph, 3);
	assert_int_equal(tlp.st, TAG_VOLATILE_16(2));
	guest_close(g);
}

static void unknown_parameters_are_refused(void **state)
{
	static const char * const bad[] = { "policy=any", "policy=", "policy=IV-ST", "name=nvme",
					    "name=", "name=a/b" };
	size_t i;

	(void)state;
	guest_try("rmmod tph_vfio_pci 2>/dev/null");
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_not_equal(guest_try("modprobe tph-vfio-pci %s 2>/dev/null", bad[i]), 0);
}

/* Under the name that some programs insist on, and not beside the stock driver. */
static void under_the_name_vfio_pci(void **state)
{
	struct guest *g;

	(void)state;
	guest_try("rmmod tph_vfio_pci 2>/dev/null");
	guest_command("modprobe vfio-pci");
	assert_int_not_equal(guest_try("modprobe tph-vfio-pci name=vfio-pci 2>/dev/null"), 0);
	guest_command("rmmod vfio_pci");
	guest_command("modprobe tph-vfio-pci name=vfio-pci");
	guest_bind(EP_CAPABILITY, "vfio-pci");
	g = guest_open(EP_CAPABILITY);
	assert_int_equal(st_probe(g, SET), 0);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	guest_close(g);
	guest_command("rmmod tph_vfio_pci");
}

/* The stock driver, for comparison: it knows none of this. */
static void stock_vfio_pci_cannot(void **state)
{
	struct guest *g;

	(void)state;
	guest_command("modprobe vfio-pci");
	guest_bind(EP_CAPABILITY, "vfio-pci");
	g = guest_open(EP_CAPABILITY);
	assert_int_equal(st_probe(g, SET), -ENOTTY);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(control_read(g), 0);
	assert_plain(g, 0);
	guest_close(g);
	guest_command("rmmod vfio_pci");
}

/* A device without TPH: byte for byte what stock vfio-pci shows. */
static void look(const char *driver, uint8_t *config, struct vfio_region_info *regions)
{
	struct guest *g;
	int i;

	guest_bind(EP_PLAIN, driver);
	g = guest_open(EP_PLAIN);
	for (i = 0; i < 4096; i++)
		config[i] = guest_config(g, i, 1);
	for (i = 0; i < VFIO_PCI_NUM_REGIONS - 1; i++)
		guest_region(g, i, &regions[i]);
	guest_close(g);
}

static void a_device_without_tph_is_as_with_stock(void **state)
{
	static uint8_t stock[4096], ours[4096];
	struct vfio_region_info stock_regions[VFIO_PCI_NUM_REGIONS] = { 0 };
	struct vfio_region_info our_regions[VFIO_PCI_NUM_REGIONS] = { 0 };

	(void)state;
	guest_command("modprobe vfio-pci");
	look("vfio-pci", stock, stock_regions);
	guest_command("rmmod vfio_pci");
	guest_command("modprobe tph-vfio-pci");
	look("tph-vfio-pci", ours, our_regions);
	assert_memory_equal(stock, ours, sizeof(stock));
	assert_memory_equal(stock_regions, our_regions, sizeof(our_regions));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stock_vfio_pci_cannot),
		cmocka_unit_test(unknown_parameters_are_refused),
		{ "policy_no_st", matrix, NULL, NULL, (void *)"no-st" },
		{ "policy_iv_st", matrix, NULL, NULL, (void *)"iv-st" },
		{ "policy_ds_st", matrix, NULL, NULL, (void *)"ds-st" },
		cmocka_unit_test(a_narrow_completer_gets_narrow_tags),
		cmocka_unit_test(device_specific_without_a_table),
		cmocka_unit_test(under_the_name_vfio_pci),
		cmocka_unit_test(a_device_without_tph_is_as_with_stock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
