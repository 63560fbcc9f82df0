/* SPDX-License-Identifier: MIT */
/*
 * The event log: one JSON object per line. doc/emulated-endpoint.md lists events and fields.
 *
 * A line is there whole or not at all, and none is missing silently: the first that cannot be
 * written is told of on standard error, an event "lost" is where some are missing, and log_close()
 * counts them.
 */
#ifndef EMU_LOG_H
#define EMU_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "line.h"
#include "sink.h"

#define LOG_LIMIT_MIN 4096u

/**
 * struct log - where events go
 * @sink: where they go; without a descriptor there is no log (tests of single parts)
 * @name: of that, for messages
 * @limit: bytes that it may get, 0 for any number
 * @written: bytes that it has got
 * @full: it has got them
 * @seq: number of the last line: one order over all functions of the process
 * @verbose: whether map and unmap events are wanted
 * @error: errno of the first line that could not be written, 0 while the log is complete
 * @gap: lines that are missing behind the last one that is there
 * @lost: lines that are missing
 * @line: the one that is being filled
 * @loop: is ended when the reader has left
 */
struct log {
	struct sink sink;
	const char *name;
	uint64_t limit;
	uint64_t written;
	bool full;
	uint64_t seq;
	bool verbose;
	int error;
	uint64_t gap;
	uint64_t lost;
	struct line line;
	struct loop *loop;
};

/**
 * log_open() - take hold of the log, and change nothing in it
 * @path: file, created if there is none; "-" is standard output. Kept, not copied.
 *
 * Return: as sink_open().
 */
int log_open(struct log *log, const char *path, uint64_t limit, bool verbose);

/**
 * log_start() - empty it
 * @stop_fd: can be read when the program is to end: then no reader is waited for
 *
 * Return: 0 or -errno.
 */
int log_start(struct log *log, struct loop *loop, int stop_fd);

/** log_flush() - let the reader take all, until @deadline_ms. Return: whether it has. */
bool log_flush(struct log *log, int64_t deadline_ms);

/** log_close() - log_flush(), and close it. What the reader has not taken counts as lost. */
void log_close(struct log *log, int64_t deadline_ms);

/** log_strerror() - what a log's error means. */
const char *log_strerror(int error);

/**
 * log_event() - begin a line
 * @event: what happened
 * @function: name of the function that it happened to, or NULL
 *
 * Return: a line with "event", "seq" and "function", to be filled and given to log_write() before
 * the next one begins; NULL if there is no log.
 */
struct line *log_event(struct log *log, const char *event, const char *function);

/** log_write() - write the line. */
void log_write(struct log *log, struct line *line);

#endif /* EMU_LOG_H */
