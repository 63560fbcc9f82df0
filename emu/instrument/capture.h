/* SPDX-License-Identifier: MIT */
/* What is on the wire, as a pcap file. */
#ifndef EMU_CAPTURE_H
#define EMU_CAPTURE_H

#include <stdint.h>

#include "sink.h"

#define CAPTURE_LENGTH_MAX 9216u /* bytes of a packet */

/**
 * struct capture - a file of packets
 * @sink: the file; without a descriptor if nobody wants it
 * @name: of it, for messages
 * @error: errno of the first packet that could not be written, 0 while the file is complete
 */
struct capture {
	struct sink sink;
	const char *name;
	int error;
};

/**
 * capture_open() - take hold of a file, and change nothing in it
 * @path: file, created if there is none; NULL: nobody wants one. Kept, not copied.
 *
 * Return: as sink_open().
 */
int capture_open(struct capture *capture, const char *path);

/** capture_start() - empty it and write its header, as log_start(). Return: 0 or -errno. */
int capture_start(struct capture *capture, struct loop *loop, int stop_fd);

/** capture_close() - close it, when its reader has taken all or at @deadline_ms. */
void capture_close(struct capture *capture, int64_t deadline_ms);

/** capture_add() - append a packet. Its time is its number, in microseconds. */
void capture_add(struct capture *capture, uint32_t number, const void *packet, uint32_t length);

#endif /* EMU_CAPTURE_H */
