/* SPDX-License-Identifier: MIT */
/*
 * What the tests that run in the VM share: a device opened through VFIO, its registers, and what it
 * sent. The features are called without libtph, as another program would; libtph only opens.
 */
#ifndef GUEST_H
#define GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/vfio.h>
#include <linux/vfio_tph.h>

#include "../../emu/endpoint_regs.h"

/* The endpoints of the standard VM (tests/vm/suites). */
#define EP_CAPABILITY	"0000:01:00.0"	/* 64 entries in the capability, all modes, 16 bits */
#define EP_MSIX		"0000:02:00.0"	/* ST table in MSI-X, 16 vectors, all modes, 16 bits */
#define EP_TABLELESS	"0000:03:00.0"	/* no ST table, device-specific mode */
#define EP_PLAIN	"0000:04:00.0"	/* no TPH */
#define EP_FIRST	"0000:05:00.0"	/* capability at 0x100, 5 entries, 8 bits, no DS mode */
#define EP_UNHEARD	"0000:06:00.0"	/* root port completes no TPH */
#define EP_RESERVED	"0000:07:00.0"	/* root port says 10b */
#define EP_NARROW	"0000:08:00.0"	/* extended requester, root port completes 8 bits */
#define EP_INTEGRATED	"0000:00:10.0"	/* root-complex integrated, 64 entries, 16 bits */
#define EP_UNHEARD_FIRST "0000:09:00.0"	/* as EP_UNHEARD, capability at 0x100 */

/* Firmware's tags (lab/firmware/tags.asl); CPU 3 has none. */
#define TAG_VOLATILE_8(cpu)	(0x10u + (cpu))
#define TAG_VOLATILE_16(cpu)	(0x1100u + (cpu))
#define TAG_PERSISTENT_8(cpu)	(0x40u + (cpu))
#define TAG_PERSISTENT_16(cpu)	(0x4400u + (cpu))
#define CPU_WITHOUT_TAGS	3

/* TPH Requester capability, PCIe 6.2, 7.9.13 */
#define TPH_CAP			4
#define  TPH_CAP_NO_ST		0x1u
#define  TPH_CAP_IV		0x2u
#define  TPH_CAP_DS		0x4u
#define  TPH_CAP_EXTENDED	0x100u
#define  TPH_CAP_LOCATION	0x600u
#define  TPH_CAP_IN_CAPABILITY	0x200u
#define  TPH_CAP_IN_MSIX	0x400u
#define  TPH_CAP_SIZE_SHIFT	16
#define TPH_CTRL		8
#define  TPH_CTRL_IV		1u
#define  TPH_CTRL_DS		2u
#define  TPH_CTRL_8		0x100u
#define  TPH_CTRL_RESERVED	0x200u
#define  TPH_CTRL_16		0x300u
#define TPH_TABLE		12

#define FEATURE_DMA_BUF	11	/* VFIO_DEVICE_FEATURE_DMA_BUF, since Linux 6.19 */

#define DMA_IOVA	0x100000u
#define DMA_SIZE	0x10000u

struct guest {
	const char *bdf;
	struct tph_device *tph;
	int fd;			/* VFIO device */
	uint32_t ioas;		/* its I/O address space */
	int raw;		/* its configuration space as root sees it in sysfs */
	uint16_t cap;		/* TPH capability in the raw configuration space, 0 if none */
	uint8_t *dma;		/* DMA_SIZE bytes that the device reaches at DMA_IOVA */
};

struct tlp {
	unsigned int type, th, ph, width, st, length, requester;
	uint64_t address;
};

/* A request of another function, as the one that received it saw it. */
struct arrival {
	struct tlp tlp;		/* its address is the offset in the BAR */
	unsigned int bar, verdict, use;	/* EP_TLP_ACCEPTED ..., EP_TLP_HINT_NONE ... */
};

/* the machine */
void guest_command(const char *format, ...) __attribute__((format(printf, 1, 2)));
int guest_try(const char *format, ...) __attribute__((format(printf, 1, 2)));
void guest_driver(const char *parameters);
void guest_bind(const char *bdf, const char *driver);
void guest_run_on(unsigned int cpu_mask);
void *guest_page_end(size_t size);
void guest_attribute(const char *bdf, const char *name, char *text, size_t size);

/*
 * Tests of what iommufd alone has (initial_state of the test) are not run on a kernel without it, which
 * says which: doc/kernels.md has the list.
 */
extern char guest_wants_iommufd[];
bool guest_has_iommufd(void);
int guest_run_group_(const struct CMUnitTest *tests, size_t count);
#define guest_run_group(tests) guest_run_group_(tests, sizeof(tests) / sizeof(*(tests)))

/* a device */
struct guest *guest_open(const char *bdf);
int guest_try_open(const char *bdf);
int guest_open_raw(const char *bdf);
void guest_close(struct guest *g);
int guest_close_all(void **state);
uint32_t guest_config(struct guest *g, unsigned int at, unsigned int bytes);
void guest_config_write(struct guest *g, unsigned int at, unsigned int bytes, uint32_t value);
uint32_t guest_raw(struct guest *g, unsigned int at, unsigned int bytes);
uint32_t raw_config(const char *bdf, unsigned int at, unsigned int bytes);
void raw_config_write(const char *bdf, unsigned int at, unsigned int bytes, uint32_t value);
uint16_t raw_extended(const char *bdf, uint16_t id);
void guest_region(struct guest *g, uint32_t index, struct vfio_region_info *info);
bool guest_mappable(struct guest *g, uint64_t at, uint64_t size);
uint16_t guest_extended(struct guest *g, uint16_t id);
uint32_t guest_register(struct guest *g, unsigned int at);
void guest_register_write(struct guest *g, unsigned int at, uint32_t value);

int guest_try_vectors(struct guest *g, uint32_t count);
void guest_vectors(struct guest *g, uint32_t count);
int guest_hot_reset(struct guest *g);
void guest_detach(struct guest *g);
void guest_attach(struct guest *g);
void guest_replace_ioas(struct guest *g);
int guest_map_dmabuf(struct guest *g, int fd, uint64_t iova, uint64_t length);

/* steering, straight by ioctl; 0 or a negative errno */
int feature(int fd, uint32_t flags, const void *data, size_t size);
int st_probe(struct guest *g, uint32_t operation);
int st_set(struct guest *g, uint32_t flags, uint32_t index, uint32_t count, const uint32_t *cpus);
int st_set_one(struct guest *g, uint32_t index, uint32_t cpu);
int st_get(struct guest *g, uint32_t flags, uint32_t index, uint32_t count, uint32_t *values);
void control(struct guest *g, uint32_t value);
uint32_t control_read(struct guest *g);

/* what the device does */
struct tlp guest_dma(struct guest *g, uint32_t command, uint32_t hint);
uint32_t guest_dma_fault(struct guest *g, uint32_t command, uint32_t hint);
struct tlp guest_write_for(struct guest *g, unsigned int entry);
struct arrival guest_last_arrival(struct guest *g);
uint32_t hint_entry(unsigned int entry, unsigned int ph);
uint32_t hint_tag(unsigned int tag, unsigned int ph);

#define assert_st(g, entry, tag, bits) do {				\
		struct tlp tlp_ = guest_write_for(g, entry);		\
		assert_int_equal(tlp_.th, 1);				\
		assert_int_equal(tlp_.width, bits);			\
		assert_int_equal(tlp_.st, tag);				\
	} while (0)

#define assert_plain(g, entry) assert_int_equal(guest_write_for(g, entry).th, 0)

#endif /* GUEST_H */
