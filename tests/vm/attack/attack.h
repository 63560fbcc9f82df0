/* SPDX-License-Identifier: MIT */
/*
 * What the attacks share. Each tries to get a tag on a TLP that was not granted, or to keep one
 * that was taken back, and is judged by the TLP that the device sends or by what is in its ST table.
 *
 * The attacker is a process of an ordinary user, confined to CPUs 0 and 1, who was handed the
 * device as a manager like libvirt hands it over: opened, with all that VFIO lets him do. Stock
 * vfio-pci drops writes to the TPH control register, so there the requester is enabled by root,
 * past the driver: what counts is who controls the tags.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include "../guest.h"

/*
 * The endpoints of the VM "attack" (tests/vm/run). The first two are reset through D3hot, for an FLR
 * takes 0.1 s, at every open and close.
 */
#define AT_MSIX		"0000:01:00.0"	/* ST table in MSI-X, in BAR 0 over a page boundary */
#define AT_CAPABILITY	"0000:02:00.0"	/* 64 entries in the capability, all modes */
#define AT_NARROW	"0000:03:00.0"	/* the same below a root port that completes 8 bits */
#define AT_UNHEARD	"0000:04:00.0"	/* the same below one that completes none, at 0x100 */
#define AT_FIRST	"0000:05:00.0"	/* capability at 0x100, 5 entries, 8 bits */
#define AT_PAIR		"0000:06:00.0"	/* ST table in MSI-X; in one group with the next */
#define AT_PAIR_1	"0000:06:00.1"	/* sends requests to other functions */
#define AT_CAP_PAIR	"0000:07:00.0"	/* 64 entries in the capability; in one group with the next */
#define AT_CAP_PAIR_1	"0000:07:00.1"
#define AT_ALONE	"0000:08:00.0"	/* as AT_MSIX, and it can be reset */
#define AT_KEEPER	"0000:00:10.0"	/* root-complex integrated, no reset; table in capability */
#define AT_KEEPER_MSIX	"0000:00:11.0"	/* the same, table in MSI-X in BAR 0 */
#define AT_EDU		"0000:00:1d.0"	/* another device of the user's, with a DMA engine */

/* AT_MSIX: entries 0..7 are in page 0x8000, entries 8..15 in page 0x9000. AT_KEEPER_MSIX: 0x8000 */
#define TABLE_AT	0x8f80u
#define TABLE_PAGE	0x8000u
#define TABLE_VECTORS	16

#define HIS_CPU		1u	/* the attacker may run there */
#define OTHER_CPU	2u	/* and not there */
#define HIS_TAG		TAG_VOLATILE_16(HIS_CPU)
#define OTHER_TAG	TAG_VOLATILE_16(OTHER_CPU)

struct attack {
	const char *name;
	bool (*run)(const struct attack *attack, bool ours); /* true if it succeeds */
	const char *bdf;
	enum stock {
		STOCK_OPEN,	/* succeeds on stock vfio-pci */
		STOCK_CLOSED,	/* fails there as well */
		STOCK_WITHOUT,	/* stock has nothing to attack: @why */
	} stock;
	const char *why;
	const char *where;	/* source file */
};

extern const struct attack mapping_attacks[], region_attacks[], dmabuf_attacks[], vector_attacks[],
	leftover_attacks[], config_attacks[], request_attacks[], lease_attacks[], worker_attacks[],
	vhost_attacks[], attach_attacks[], reset_attacks[], legacy_attacks[],
	neighbour_attacks[];

bool vhost_makes_threads(void);

/* who acts */
void act_as_root(void);
void act_as_user(void);

/* a device in the attacker's hands: vectors allocated, requester enabled, interrupt vector mode */
struct guest *attack_open(const char *bdf, bool ours);
struct guest *attack_open_disabled(const char *bdf);
void attack_enable(struct guest *g, bool ours);
uint32_t table_at(struct guest *g);
void vectors_on(struct guest *g);
void vectors_off(struct guest *g);
int companion_open(struct guest *g, const char *bdf);
int attach(int device, uint32_t ioas);
int detach(int device);

/* tags */
bool sends_tag(struct guest *g, unsigned int entry, unsigned int tag);
bool sends_any_tag(struct guest *g, unsigned int entry);
bool still_sends_tag_after_a_second(struct guest *g, unsigned int entry, unsigned int tag);
void *map_bar0(struct guest *g, uint64_t at, size_t length);
void put_tag(struct guest *g, void *map, uint64_t map_at, unsigned int entry, unsigned int tag);
void get_his_tag(struct guest *g, bool ours);

/* what the operator does, as root */
void operator_cpus(const char *bdf, const char *list);
void operator_cpuset(pid_t pid, const char *list);

#endif /* ATTACK_H */
