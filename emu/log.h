/* SPDX-License-Identifier: MIT */
/* The event log: one JSON object per line. doc/emulated-endpoint.md lists events and fields. */
#ifndef EMU_LOG_H
#define EMU_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

/**
 * struct log - where events go
 * @fd: open file, or -1 to throw events away (tests of single parts)
 * @seq: number of the last line: one order over all functions of the process
 * @verbose: whether map and unmap events are wanted
 * @error: errno of the first write that failed, 0 while the log is complete
 */
struct log {
	int fd;
	uint64_t seq;
	bool verbose;
	int error;
};

/**
 * log_open() - start an empty log
 * @path: file, created or emptied; "-" is standard output
 *
 * Return: 0 or -errno.
 */
int log_open(struct log *log, const char *path, bool verbose);

/** log_close() - close the file. */
void log_close(struct log *log);

/**
 * log_event() - begin a line
 * @event: what happened
 * @function: name of the function that it happened to, or NULL
 *
 * Return: an object with "event", "seq" and "function", to be filled and given to log_write().
 */
struct json_object *log_event(struct log *log, const char *event, const char *function);

/** log_write() - write the line in one write(2), and free @line. */
void log_write(struct log *log, struct json_object *line);

/** log_string() - add a string field. */
void log_string(struct json_object *line, const char *key, const char *value);

/** log_number() - add an unsigned decimal field. */
void log_number(struct json_object *line, const char *key, uint64_t value);

/** log_hex() - add a field "0x..." of at least @digits digits. */
void log_hex(struct json_object *line, const char *key, uint64_t value, int digits);

/** log_flag() - add a field that is true or false. */
void log_flag(struct json_object *line, const char *key, bool value);

#endif /* EMU_LOG_H */
