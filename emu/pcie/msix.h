/* SPDX-License-Identifier: MIT */
/* MSI-X: vectors and their eventfds, the table and the PBA (PCIe 6.2, 6.1.4 and 7.7.2). */
#ifndef EMU_MSIX_H
#define EMU_MSIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_space.h"
#include "knobs.h"

struct closer;

#define MSIX_BAR	   4	   /* the default of the BAR, */
#define MSIX_PBA_AT	   0xf000u /* and of the PBA there */
#define MSIX_ENTRY_SIZE	   16u
#define MSIX_ENTRY_CONTROL 12u /* Vector Control within an entry; the tag is in 31:16 */

/**
 * struct msix_vector - one vector
 * @entry: the table's entry, as the client writes it; QEMU never does
 * @written: whether the client ever wrote the entry, so that its mask bit tells something
 * @masked: the client masked it by VFIO_USER_DEVICE_SET_IRQS
 * @pending: to be sent as soon as it can be
 * @eventfd: where to, or -1
 */
struct msix_vector {
	uint8_t entry[MSIX_ENTRY_SIZE];
	bool written;
	bool masked;
	bool pending;
	int eventfd;
};

/**
 * struct msix - all of them
 * @vectors: @count of them
 * @touched: those from here on are as msix_init() made them
 * @pending: how many are
 * @table_at: offset of the table in its BAR
 * @pba_at: offset of the PBA in that BAR
 * @closer: closes eventfds
 * @tags: writable bits of the tag in Vector Control
 */
struct msix {
	struct msix_vector *vectors;
	unsigned int count;
	unsigned int touched;
	unsigned int pending;
	uint32_t table_at;
	uint32_t pba_at;
	struct closer *closer;
	uint16_t tags;
};

/** msix_table_size() - bytes of a table of @vectors. */
static inline size_t msix_table_size(unsigned int vectors)
{
	return (size_t)vectors * MSIX_ENTRY_SIZE;
}

/** msix_pba_size() - bytes of their PBA: whole quadwords. */
static inline size_t msix_pba_size(unsigned int vectors)
{
	return ((size_t)vectors + 63) / 64 * 8;
}

/** msix_define() - lay the capability out in configuration space; there are vectors. */
void msix_define(const struct knobs *knobs, struct config_space *config);

/** msix_init() - make the vectors. Return: 0 or -ENOMEM. */
int msix_init(struct msix *msix, const struct knobs *knobs);

/** msix_fini() - free them and close their eventfds. */
void msix_fini(struct msix *msix);

/** msix_disconnect() - as msix_init() made them: the client has gone. */
void msix_disconnect(struct msix *msix);

/** msix_reset() - reset table and pending bits; eventfds and masks of the client stay. */
void msix_reset(struct msix *msix);

/** msix_covers() - whether an access of the BAR with the table touches table or PBA. */
bool msix_covers(const struct msix *msix, size_t at, size_t length);

/** msix_read() - read the BAR with the table at @at; what is not of MSI-X reads 0. */
void msix_read(const struct msix *msix, size_t at, uint8_t *data, size_t length);

/** msix_write() - write the BAR with the table at @at. */
void msix_write(struct msix *msix, size_t at, const uint8_t *data, size_t length);

/** msix_tag() - the steering tag in the client-written entry @index. */
uint16_t msix_tag(const struct msix *msix, unsigned int index);

/** msix_assign() - use @eventfd (owned from here on) for @vector, or none if -1. */
void msix_assign(struct msix *msix, unsigned int vector, int eventfd);

/** msix_mask() - what VFIO_USER_DEVICE_SET_IRQS says. */
void msix_mask(struct msix *msix, unsigned int vector, bool masked);

/** msix_trigger() - make @vector pending; msix_send_next() sends it. */
void msix_trigger(struct msix *msix, unsigned int vector);

/**
 * msix_send_next() - send one pending message that is not masked
 *
 * Return: its vector, or -1 if there is none.
 */
int msix_send_next(struct msix *msix);

#endif /* EMU_MSIX_H */
