/* SPDX-License-Identifier: MIT */
/* The kernel's log of grants: the driver's tracepoints, and what a test did, in one order. */
#ifndef WITNESS_H
#define WITNESS_H

/* Starts with an empty buffer. Return: 0 or -errno; -ENOENT: no tracing, or no such driver. */
int witness_start(unsigned int buffer_kib);

/* Puts "mark: ..." between the driver's events. */
void witness_mark(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Stops, and writes all of it to @path. Return: events lost, or -errno. */
long witness_save(const char *path);

#endif /* WITNESS_H */
