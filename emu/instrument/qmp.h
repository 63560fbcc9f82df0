/* SPDX-License-Identifier: MIT */
/*
 * Reading guest physical memory through QEMU's monitor (QMP): QEMU keeps the MSI-X table to itself,
 * and with it the steering tags in there.
 *
 * Nothing here ever waits. QEMU may be waiting for our own reply on a vfio-user socket, and answers
 * its monitor only after that.
 */
#ifndef EMU_QMP_H
#define EMU_QMP_H

#include <stdint.h>

#include "host/loop.h"

struct qmp;
struct qmp_request;

/** qmp_done - the answer: @error is 0 or a negative errno, @value the dword read */
typedef void qmp_done(void *owner, int error, uint32_t value);

/**
 * qmp_open() - make a client of a monitor; it connects when first used
 * @path: socket of the monitor, short enough for one
 * @patience_ms: how long to wait for an answer. There is none, for instance, while another client
 *	holds the monitor.
 */
struct qmp *qmp_open(struct loop *loop, const char *path, unsigned int patience_ms);

/** qmp_close() - end the connection; requests are dropped without an answer. */
void qmp_close(struct qmp *qmp);

/**
 * qmp_read32() - read a dword of guest physical memory
 * @address: guest physical address
 * @done: called from the event loop, once, never from within this call
 * @owner: for @done
 * @request: receives a handle, valid until @done was called
 *
 * Return: 0, or -errno if the monitor cannot be reached; then @done will not be called.
 */
int qmp_read32(struct qmp *qmp, uint64_t address, qmp_done *done, void *owner,
	       struct qmp_request **request);

/** qmp_cancel() - do not call back for @request. */
void qmp_cancel(struct qmp *qmp, struct qmp_request *request);

#endif /* EMU_QMP_H */
