// SPDX-License-Identifier: MIT
/*
 * Every way to a device, every place of its ST table, every policy: what a user is answered, and
 * what the device then sends.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include <linux/vfio_tph_legacy.h>

#include "group.h"

#define ENTRY	3
#define CPU	2

enum path { CDEV, COMPAT, TYPE1 };

/* Requests on the wire. */
enum wire {
	PLAIN,		/* no hint */
	STEERED,	/* the tag of CPU: from the table, or what the user put into the device */
};

/* One cell. A mode that is enabled is read back as written; one that is refused leaves it off. */
struct cell {
	const char *policy;
	enum path path;
	const char *place;
	int set;		/* SET of an entry, by feature */
	int set_st;		/* the same by the posted ioctl, which knows no entries without table */
	int tags;		/* GET of tags, by feature and by the posted ioctl */
	bool iv, ds;		/* whether interrupt vector, device-specific mode is enabled */
	enum wire iv_wire;	/* for the entry, after IV was asked for */
	enum wire ds_wire;	/* for the tag, after DS was asked for */
};

#define NO	false
#define YES	true
#define OK	0

static const struct cell cells[] = {
	/* policy, path, ST table in	 SET	 SET_ST	      tags   IV   DS   IV: wire DS: wire */
	{ "no-st", CDEV, EP_CAPABILITY,	 -EPERM, -EPERM,      -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "no-st", CDEV, EP_MSIX,	 -EPERM, -EPERM,      -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "no-st", CDEV, EP_TABLELESS,	 -EPERM, -EOPNOTSUPP, -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "no-st", COMPAT, EP_CAPABILITY, -EPERM, -EPERM,     -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "no-st", COMPAT, EP_MSIX,	 -EPERM, -EPERM,      -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "no-st", COMPAT, EP_TABLELESS, -EPERM, -EOPNOTSUPP, -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "no-st", TYPE1, EP_CAPABILITY, -EPERM, -EPERM,      -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "no-st", TYPE1, EP_MSIX,	 -EPERM, -EPERM,      -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "no-st", TYPE1, EP_TABLELESS,	 -EPERM, -EOPNOTSUPP, -EPERM, NO, NO,  PLAIN,   PLAIN },

	{ "iv-st", CDEV, EP_CAPABILITY,	 OK,	 OK,	      -EPERM, YES, NO, STEERED, PLAIN },
	{ "iv-st", CDEV, EP_MSIX,	 OK,	 OK,	      -EPERM, YES, NO, STEERED, PLAIN },
	{ "iv-st", CDEV, EP_TABLELESS,	 -EPERM, -EOPNOTSUPP, -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "iv-st", COMPAT, EP_CAPABILITY, OK,	 OK,	      -EPERM, YES, NO, STEERED, PLAIN },
	{ "iv-st", COMPAT, EP_MSIX,	 OK,	 OK,	      -EPERM, YES, NO, STEERED, PLAIN },
	{ "iv-st", COMPAT, EP_TABLELESS, -EPERM, -EOPNOTSUPP, -EPERM, NO, NO,  PLAIN,   PLAIN },
	{ "iv-st", TYPE1, EP_CAPABILITY, OK,	 OK,	      -EPERM, YES, NO, STEERED, PLAIN },
	{ "iv-st", TYPE1, EP_MSIX,	 OK,	 OK,	      -EPERM, YES, NO, STEERED, PLAIN },
	{ "iv-st", TYPE1, EP_TABLELESS,	 -EPERM, -EOPNOTSUPP, -EPERM, NO, NO,  PLAIN,   PLAIN },

	{ "ds-st", CDEV, EP_CAPABILITY,	 OK,	 OK,	      OK,    YES, YES, STEERED, STEERED },
	{ "ds-st", CDEV, EP_MSIX,	 OK,	 OK,	      OK,    YES, YES, STEERED, STEERED },
	{ "ds-st", CDEV, EP_TABLELESS,	 OK,	 -EOPNOTSUPP, OK,    NO, YES,  PLAIN,   STEERED },
	{ "ds-st", COMPAT, EP_CAPABILITY, OK,	 OK,	      OK,    YES, YES, STEERED, STEERED },
	{ "ds-st", COMPAT, EP_MSIX,	 OK,	 OK,	      OK,    YES, YES, STEERED, STEERED },
	{ "ds-st", COMPAT, EP_TABLELESS, OK,	 -EOPNOTSUPP, OK,    NO, YES,  PLAIN,   STEERED },
	{ "ds-st", TYPE1, EP_CAPABILITY, OK,	 OK,	      OK,    YES, YES, STEERED, STEERED },
	{ "ds-st", TYPE1, EP_MSIX,	 OK,	 OK,	      OK,    YES, YES, STEERED, STEERED },
	{ "ds-st", TYPE1, EP_TABLELESS,	 OK,	 -EOPNOTSUPP, OK,    NO, YES,  PLAIN,   STEERED },
};

static const char * const path_names[] = {
	[CDEV] = "character device + iommufd",
	[COMPAT] = "group + iommufd as container",
	[TYPE1] = "group + type1 container",
};

static int posted(struct guest *g, uint32_t op, uint16_t *tag)
{
	union {
		struct vfio_device_pci_tph_op op;
		uint8_t bytes[offsetof(struct vfio_device_pci_tph_op, st.ents) +
			      sizeof(struct vfio_pci_tph_entry)];
	} request = { .op = { .argsz = sizeof(request.bytes), .op = op } };

	request.op.st.count = 1;
	request.op.st.ents[0] = (struct vfio_pci_tph_entry){ .cpu = CPU, .index = ENTRY };
	if (op == VFIO_PCI_TPH_GET_ST)
		request.op.st.ents[0].index = 0;
	if (ioctl(g->fd, VFIO_DEVICE_PCI_TPH, &request))
		return -errno;
	*tag = request.op.st.ents[0].st;
	return 0;
}

static void assert_wire(struct tlp tlp, enum wire wire)
{
	assert_int_equal(tlp.th, wire == STEERED);
	if (wire != STEERED)
		return;
	assert_int_equal(tlp.width, 16);
	assert_int_equal(tlp.st, TAG_VOLATILE_16(CPU));
}

static void check_answers(struct guest *g, const struct cell *cell)
{
	uint16_t tag16 = 0;
	uint32_t tag = 0;

	assert_int_equal(st_set_one(g, ENTRY, VFIO_TPH_CPU_NONE), cell->set);
	assert_int_equal(posted(g, VFIO_PCI_TPH_SET_ST, &tag16), cell->set_st);
	assert_int_equal(st_set_one(g, ENTRY, CPU), cell->set);

	assert_int_equal(st_get(g, VFIO_TPH_ST_EXT, ENTRY, 1, &tag), cell->tags);
	assert_int_equal(tag, cell->tags ? 0 : TAG_VOLATILE_16(CPU));
	assert_int_equal(posted(g, VFIO_PCI_TPH_GET_ST, &tag16), cell->tags);
	if (!cell->tags)
		assert_int_equal(tag16, TAG_VOLATILE_16(CPU));
}

static void check_modes(struct guest *g, const struct cell *cell)
{
	const uint32_t iv = TPH_CTRL_IV | TPH_CTRL_16, ds = TPH_CTRL_DS | TPH_CTRL_16;

	assert_plain(g, ENTRY);
	control(g, iv);
	assert_int_equal(control_read(g), cell->iv ? iv : 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), cell->iv ? iv : 0);
	assert_wire(guest_write_for(g, ENTRY), cell->iv_wire);

	control(g, 0);
	control(g, ds);
	assert_int_equal(control_read(g), cell->ds ? ds : 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), cell->ds ? ds : 0);
	assert_wire(guest_dma(g, EP_DMA_WRITE, hint_tag(TAG_VOLATILE_16(CPU), 2)), cell->ds_wire);
}

static void check_cell(const struct cell *cell)
{
	struct group_guest by_group;
	struct guest *g;

	print_message("# %s, %s, %s\n", cell->policy, path_names[cell->path], cell->place);
	if (cell->path == CDEV) {
		g = guest_open(cell->place);
	} else {
		group_open(&by_group, cell->place,
			   cell->path == TYPE1 ? CONTAINER_TYPE1 : CONTAINER_IOMMUFD);
		g = &by_group.g;
	}
	/* an MSI-X table is where the tags are only while MSI-X is enabled */
	if (!strcmp(cell->place, EP_MSIX))
		guest_vectors(g, ENTRY + 1);
	check_answers(g, cell);
	check_modes(g, cell);
	if (cell->path == CDEV)
		guest_close(g);
	else
		group_close(&by_group);
}

static void policy(void **state)
{
	const char *name = *state;
	char parameters[32];
	size_t i, n = 0;

	snprintf(parameters, sizeof(parameters), "policy=%s", name);
	guest_driver(parameters);
	for (i = 0; i < sizeof(cells) / sizeof(*cells); i++)
		if (!strcmp(cells[i].policy, name)) {
			check_cell(&cells[i]);
			n++;
		}
	assert_int_equal(n, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "matrix_no_st", policy, NULL, NULL, (void *)"no-st" },
		{ "matrix_iv_st", policy, NULL, NULL, (void *)"iv-st" },
		{ "matrix_ds_st", policy, NULL, NULL, (void *)"ds-st" },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
