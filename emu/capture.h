/* SPDX-License-Identifier: MIT */
/* What is on the wire, as a pcap file. */
#ifndef EMU_CAPTURE_H
#define EMU_CAPTURE_H

#include "packets.h"

/**
 * struct capture - a file of packets
 * @fd: the file; -1 if nobody wants it
 * @error: errno of the first write that failed, 0 while the file is complete
 */
struct capture {
	int fd;
	int error;
};

/**
 * capture_open() - start a file
 * @path: file, created or emptied; NULL: nobody wants one
 *
 * Return: 0 or -errno.
 */
int capture_open(struct capture *capture, const char *path);

/** capture_close() - close it. */
void capture_close(struct capture *capture);

/** capture_add() - append a packet. Its time is its number, in microseconds. */
void capture_add(struct capture *capture, const struct packet *packet);

#endif /* EMU_CAPTURE_H */
